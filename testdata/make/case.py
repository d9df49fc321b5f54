#!/usr/bin/env python3
"""Makes testdata/case: an E01 of a small made-up infected Windows 10 host, and the truth about it.

    sudo python3 testdata/make/case.py [--out testdata/case] [--keep-raw]

Needs root, FUSE and the Debian packages ntfs-3g, libfaketime and ewf-tools. Everything is written from nothing by the modules
beside this one; the same script gives the same bytes each time, also of the E01.

How: mkntfs under a stopped clock → $UsnJrnl with room in it → mount, write, delete → mount again and write into what became
free → set serial, times and name spaces in the MFT and the directory indexes → write the journal → partition table and a
recovery partition around it → E01.
"""

import argparse
import ctypes
import glob
import hashlib
import json
import os
import struct
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import case_hives as hives
import case_logs
import case_story as s
from case_story import T
from casekit import (
    USN_REASONS,
    Ntfs,
    fat16_volume,
    ft,
    iso,
    item_drive,
    item_entry,
    item_root,
    mam,
    prefetch,
    quarantine_entry,
    quarantine_resource,
    recycle_info,
    security_descriptor,
    sha256,
    shell_link,
    usn_record,
)
from evtxwriter import evtx_bytes
from hivewriter import build_hive, pages_between, write_log

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
DISK, OFFSET, NTFS_SIZE, FAT_OFFSET, FAT_SIZE = 52 * MIB, MIB, 46 * MIB, 47 * MIB, 4 * MIB
CLUSTER = 4096
DISK_SIGNATURE = 0x7C3E19A4
JOURNAL_HOLE, JOURNAL_ROOM = 32 * MIB, 256 << 10
MINUTE, DAY = hives.MINUTE, hives.DAY


def frozen(when):
    """Starts a program whose clock stands still at that time."""
    return [
        "env",
        "TZ=UTC",
        "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "FAKETIME=" + when.replace("T", " "),
        "DONT_FAKE_MONOTONIC=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]


FROZEN = frozen(s.FORMATTED)
DOCUMENT = (
    bytes.fromhex("d0cf11e0a1b11ae1")
    + "emotrace test data: it stands for a workbook; no macro, no content.\r\n".encode() * 480
)
WEB_ERROR = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>emotrace test data</body></html>\r\n"


def slashes(path):
    """`C:\\a\\b` as a path below the volume's root."""
    return path[3:].replace("\\", "/") if path[1:3] == ":\\" else path


OWNERS = {f"Users/{s.USER}": s.SID, f"Users/{s.ADMIN}": s.ADMIN_SID, f"$Recycle.Bin/{s.SID}": s.SID}


def owner(path):
    """The SID that owns a file or folder."""
    return OWNERS.get("/".join(path.split("/")[:2]), "S-1-5-32-544")


class Volume:
    """The NTFS volume while it is made: writes through the mount and keeps account of records, lives and times."""

    def __init__(self, image, mount):
        self.image, self.mount = image, mount
        self.deaths = {}  # record → how often it was freed
        self.files = {}  # path → facts of the live file
        self.gone = []  # facts of deleted files and folders
        self.folders = {"": 5}  # path → record
        self.folder_times = {}  # path → FILETIME of creation, where the story sets it
        self.touched = {}  # path of a folder → last time something was deleted or renamed in it
        self.times = {}  # record → (created, modified, changed, accessed, $FN time)

    # ---- mounting
    def attach(self):
        os.makedirs(self.mount, exist_ok=True)
        options = "noatime,streams_interface=windows,compression,big_writes,permissions"
        subprocess.run([*FROZEN, "ntfs-3g", "-o", options, self.image, self.mount], check=True)

    def detach(self):
        subprocess.run(["fusermount", "-u", self.mount], check=True)
        for _ in range(100):  # the daemon writes on after the unmount
            if subprocess.run(["fuser", "-s", self.image], stderr=subprocess.DEVNULL, check=False).returncode:
                return
            time.sleep(0.1)

    def at(self, path):
        return os.path.join(self.mount, path)

    def record(self, path):
        return os.stat(self.at(path), follow_symlinks=False).st_ino & 0xFFFFFFFFFFFF

    def sequence(self, record):
        return record if 0 < record < 16 else 1 + self.deaths.get(record, 0)

    def reference(self, path):
        """(record, sequence) of a file or folder, live or deleted."""
        path = slashes(path)
        if path in self.files:
            return self.files[path]["record"], self.files[path]["sequence"]
        if path in self.folders:
            return self.folders[path], self.sequence(self.folders[path])
        for facts in reversed(self.gone):
            if facts["path"] == path:
                return facts["record"], facts["sequence"]
        raise KeyError(path)

    # ---- writing
    def folder(self, path, created=None, attributes=None):
        if path and path not in self.folders:
            self.folder(os.path.dirname(path))
            os.mkdir(self.at(path))
            os.setxattr(self.at(path), "system.ntfs_acl", security_descriptor(owner(path)))
            self.folders[path] = self.record(path)
        if created:
            self.folder_times[path] = created
        if attributes:
            os.setxattr(self.at(path), "system.ntfs_attrib", struct.pack("<I", 0x10 | attributes))

    def write(
        self,
        path,
        data,
        created,
        modified=None,
        accessed=None,
        changed=None,
        named=None,
        streams=None,
        attributes=None,
        chunks=None,
        note=None,
        part=None,
    ):
        """A file. `named` is the time in $FILE_NAME (default: created); `chunks` gives the order in which clusters are written."""
        path = slashes(path)
        self.folder(os.path.dirname(path))
        handle = os.open(self.at(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        for i in chunks if chunks is not None else [None]:
            piece, at = (data, 0) if i is None else (data[i * CLUSTER : (i + 1) * CLUSTER], i * CLUSTER)
            while piece:
                done = os.pwrite(handle, piece, at)
                piece, at = piece[done:], at + done
        os.close(handle)
        os.setxattr(self.at(path), "system.ntfs_acl", security_descriptor(owner(path)))
        if attributes:
            os.setxattr(self.at(path), "system.ntfs_attrib", struct.pack("<I", attributes))
        for name, content in (streams or {}).items():
            with open(self.at(f"{path}:{name}"), "wb") as out:
                out.write(content)
        modified = created if modified is None else modified
        accessed = modified if accessed is None else accessed
        changed = max(modified, created, named or 0) if changed is None else changed
        named = created if named is None else named
        record = self.record(path)
        self.times[record] = (created, modified, changed, accessed, named)
        facts = {
            "path": path,
            "record": record,
            "sequence": self.sequence(record),
            "parent": self.folders[os.path.dirname(path)],
            "size": len(data),
            "sha256": sha256(data),
            "owner": owner(path),
            "created": iso(created),
            "modified": iso(modified),
            "changed": iso(changed),
            "accessed": iso(accessed),
            "fn_created": iso(named),
        }
        if streams:
            facts["streams"] = [
                {"name": name, "size": len(content), "sha256": sha256(content)} for name, content in streams.items()
            ]
        if note:
            facts["note"] = note
        if part:
            facts["part"] = part
        self.files[path] = facts
        return facts

    def delete(self, path, when, note=None):
        path = slashes(path)
        facts = self.files.pop(path)
        os.remove(self.at(path))
        self._buried(facts, when, note)

    def delete_folder(self, path, when, note=None):
        record = self.folders.pop(path)
        os.rmdir(self.at(path))
        created = self.folder_times[path]
        self.times[record] = (created, when, when, when, created)
        self._buried(
            {
                "path": path,
                "record": record,
                "sequence": self.sequence(record),
                "parent": self.folders[os.path.dirname(path)],
                "folder": True,
                "created": iso(created),
            },
            when,
            note,
        )

    def _buried(self, facts, when, note):
        facts["deleted"] = iso(when)
        if note:
            facts["note"] = note
        self.deaths[facts["record"]] = self.deaths.get(facts["record"], 0) + 1
        self.gone.append(facts)
        parent = os.path.dirname(facts["path"])
        self.touched[parent] = max(self.touched.get(parent, 0), when)


# ------------------------------------------------------------------------------------------------- $UsnJrnl by libntfs-3g


def journal(image, data):
    """Makes $Extend\\$UsnJrnl with a hole and room behind it (data None), or fills that room and cuts the rest off.
    Runs in a process of its own under the stopped clock."""
    lib = ctypes.CDLL(sorted(glob.glob("/lib/x86_64-linux-gnu/libntfs-3g.so.*"))[-1], use_errno=True)
    pointer, u32, u8, text, i64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_int64
    for name, result, arguments in (
        ("ntfs_mount", pointer, [text, ctypes.c_ulong]),
        ("ntfs_pathname_to_inode", pointer, [pointer, pointer, text]),
        ("ntfs_create", pointer, [pointer, u32, pointer, u8, u32]),
        ("ntfs_attr_open", pointer, [pointer, u32, pointer, u32]),
        ("ntfs_attr_add", ctypes.c_int, [pointer, u32, pointer, u8, text, i64]),
        ("ntfs_attr_pwrite", i64, [pointer, i64, i64, text]),
        ("ntfs_attr_truncate", ctypes.c_int, [pointer, i64]),
        ("ntfs_attr_close", None, [pointer]),
        ("ntfs_inode_close", ctypes.c_int, [pointer]),
        ("ntfs_umount", ctypes.c_int, [pointer, ctypes.c_int]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments

    def name(value):
        return ctypes.create_string_buffer(value.encode("utf-16-le"))

    def check(value):
        assert value, os.strerror(ctypes.get_errno())
        return value

    volume = check(lib.ntfs_mount(image.encode(), 0))
    extend = check(lib.ntfs_pathname_to_inode(volume, None, b"/$Extend"))
    stream, maximum = name("$J"), name("$Max")
    if data is None:
        inode = check(lib.ntfs_create(extend, 0, name("$UsnJrnl"), 8, 0o100000))
        settings = struct.pack("<QQQQ", 33554432, 8388608, s.INSTALL, JOURNAL_HOLE)
        check(lib.ntfs_attr_add(inode, 0x80, maximum, 4, settings, len(settings)) == 0)
        check(lib.ntfs_attr_add(inode, 0x80, stream, 2, None, 0) == 0)
        data = bytes(JOURNAL_ROOM)
    else:
        inode = check(lib.ntfs_pathname_to_inode(volume, None, b"/$Extend/$UsnJrnl"))
    attribute = check(lib.ntfs_attr_open(inode, 0x80, stream, 2))
    check(lib.ntfs_attr_truncate(attribute, JOURNAL_HOLE + len(data)) == 0)
    check(lib.ntfs_attr_pwrite(attribute, JOURNAL_HOLE, len(data), data) == len(data))
    lib.ntfs_attr_close(attribute)
    for node in (inode, extend):
        lib.ntfs_inode_close(node)
    lib.ntfs_umount(volume, 0)


def journal_frozen(image, file=None):
    subprocess.run([*FROZEN, sys.executable, os.path.abspath(__file__), "--journal", image, file or ""], check=True)


# ------------------------------------------------------------------------------------------------------------- content

SYSTEM_FILES = """
advapi32.dll amsi.dll apphelp.dll at.exe atl.dll attrib.exe audiosrv.dll auditpol.exe authz.dll avicap32.dll bcdedit.exe bcrypt.dll
bitsadmin.exe calc.exe certutil.exe chcp.com chkdsk.exe cipher.exe cmd.exe cmdkey.exe combase.dll comdlg32.dll conhost.exe consent.exe
crypt32.dll cryptbase.dll csrss.exe d3d11.dll d3d11on12.dll dbghelp.dll dllhost.exe dnsapi.dll driverquery.exe dwm.exe dxgi.dll esent.dll
eventvwr.exe expand.exe fc.exe findstr.exe fltlib.dll fontdrvhost.exe gdi32.dll hal.dll hostname.exe icacls.exe imm32.dll ipconfig.exe
kernel32.dll KernelBase.dll KBDJPN.DLL KBDSMSNO.DLL ktmw32.dll logman.exe lsass.exe mmc.exe mpr.dll msctf.dll mscpxl32.dll mshta.exe
msi.dll msiexec.exe mspaint.exe msvcrt.dll mswsock.dll netapi32.dll netsh.exe netstat.exe notepad.exe ntdll.dll ntdsapi.dll ntlanman.dll
ntoskrnl.exe ole32.dll oleaut32.dll pdh.dll ping.exe powrprof.dll propsys.dll rasapi32.dll reg.exe regsvr32.exe robocopy.exe rpcrt4.dll
rsaenh.dll rundll32.exe samlib.dll sc.exe schtasks.exe scrobj.dll SearchIndexer.exe secur32.dll services.exe shell32.dll shlwapi.dll
smss.exe spoolsv.exe spwizeng.dll srvsvc.dll sspicli.dll subst.exe svchost.exe SyncHost.exe systeminfo.exe taskhostw.exe tasklist.exe
taskmgr.exe tzres.dll ucrtbase.dll urlmon.dll user32.dll userinit.exe uxtheme.dll version.dll vssadmin.exe wbem.dll wevtsvc.dll
wevtutil.exe whoami.exe wininet.dll winlogon.exe winmm.dll wintrust.dll wldap32.dll wmi.dll ws2_32.dll wscript.exe xcopy.exe
""".split()
SYSWOW64_FILES = """
advapi32.dll cmd.exe crypt32.dll d3d11on12.dll kernel32.dll mscpxl32.dll msvcrt.dll ntdll.dll regsvr32.exe rpcrt4.dll rundll32.exe
shell32.dll shlwapi.dll subst.exe SyncHost.exe urlmon.dll user32.dll wininet.dll ws2_32.dll
""".split()
DOCUMENTS = """経費精算_2022.xlsm 請求書一覧_2022年度.xlsx 見積書_サンプル株式会社.docx 議事録20221012.docx 支払予定表(10月).xlsx 社内連絡網.xlsx
年末調整_案内.pdf 旅費規程.pdf 勘定科目.csv 取引先マスタ.csv notes.txt 備忘録.txt""".split()


def spread(name, first="2019-04-15T00:40:00", last="2022-10-19T23:00:00"):
    """A time between two, chosen by the name alone."""
    low, high = ft(first), ft(last)
    return low + int(hashlib.sha256(name.encode()).hexdigest()[:14], 16) % (high - low)


def text(name, size):
    """Text that names itself, a little different on every line so that compression has something to do."""
    out = bytearray()
    for i in range(size // 24 + 1):
        out += f"{name} {i:06} {zlib.crc32(f'{name}{i}'.encode()):08x}\r\n".encode()
    return bytes(out[:size])


OLD_FOLDERS = [  # what was there long before the story; the rest is as old as the first file in it
    "Program Files/Microsoft Office/root/Templates",
    "Windows/System32/Tasks",
    "Windows/Prefetch",
    "ProgramData/Microsoft/Windows Defender/Quarantine/Entries",
    "ProgramData/Microsoft/Windows Defender/Quarantine/ResourceData",
    "ProgramData/Microsoft/Windows Defender/Support",
    *[
        f"Users/{user}/{folder}"
        for user in (s.USER, s.ADMIN)
        for folder in (
            "AppData/Local/Microsoft/Windows/INetCache/Content.Outlook/7K2QXV9D",
            "AppData/Local/Temp",
            "AppData/Roaming/Microsoft/Windows/Recent",
            "AppData/Roaming/Microsoft/Office/Recent",
            "AppData/Roaming/Microsoft/Windows/PowerShell/PSReadLine",
            "Desktop",
            "Documents",
            "Downloads",
        )
        if user == s.USER or not folder.startswith(("AppData/Local/Microsoft", "AppData/Roaming/Microsoft/Office"))
    ],
]


def clutter(v):
    """What any Windows has. Programs are stubs of text."""
    for folder in OLD_FOLDERS:
        parts = folder.split("/")
        for i in range(1, len(parts) + 1):
            path = "/".join(parts[:i])
            v.folder(
                path,
                v.folder_times.get(path)
                or s.INSTALL + 20_000_000 + zlib.crc32(path.encode()) % 6_000_000_000 + i * DAY,
            )
    for folder in ("$Recycle.Bin/" + s.SID, "System Volume Information", "ProgramData"):
        v.folder(folder)
    for folder in ("$Recycle.Bin", "$Recycle.Bin/" + s.SID, "System Volume Information", "ProgramData"):
        v.folder(folder, s.INSTALL + 1_337_117, 0x6)
    victims(v)
    for names, folder in ((SYSTEM_FILES, "Windows/System32"), (SYSWOW64_FILES, "Windows/SysWOW64")):
        for name in names:
            path = f"C:\\{folder.replace('/', chr(92))}\\{name}"
            when = s.INSTALLED_BUILD - 2 * DAY + zlib.crc32(path.encode())
            v.write(path, s.stub(path), when, accessed=T["boot"] - zlib.crc32(name.encode()) * 3)
    programs = [
        s.EXCEL,
        s.OUTLOOK,
        s.EDGE,
        s.EXPLORER,
        s.POWERSHELL,
        s.DEFENDER,
        r"C:\Windows\Sysmon64.exe",
        r"C:\Windows\regedit.exe",
        s.OFFICE + r"\WINWORD.EXE",
        s.OFFICE + r"\POWERPNT.EXE",
        s.OFFICE + r"\MSO.DLL",
        r"C:\Program Files (x86)\Lhaplus\Lhaplus.exe",
        r"C:\Program Files (x86)\Lhaplus\LpUpdate.exe",
        r"C:\Program Files\MfpTool\MfpMon.exe",
        r"C:\Program Files\7-Zip\7z.exe",
        r"C:\Program Files\7-Zip\7z.dll",
        r"C:\Program Files\Yayoi\Yayoi21\YKaikei.exe",
        r"C:\Program Files\Adobe\Acrobat DC\Acrobat\Acrobat.exe",
        s.LOCAL + r"\Microsoft\OneDrive\OneDrive.exe",
        r"C:\Windows\System32\drivers\bam.sys",
        r"C:\Windows\System32\drivers\Ntfs.sys",
        r"C:\Windows\SysmonDrv.sys",
        # fits EmoCheck v4's pattern, and is dropped by its allow list: Roaming has a folder of that name too
        s.LOCAL + r"\Zoomlike\updater.bin",
    ]
    for path in programs:
        when = spread(path)
        v.write(path, s.stub(path), when, when + 7_117)
    v.write(s.ROAMING + r"\Zoomlike\settings.json", b'{"test": true}\r\n', spread("zoomlike"))
    for i in range(26):
        name = f"amd64_microsoft-windows-component-{i:02}_31bf3856ad364e35_10.0.19041.{1000 + i * 37}_none_{zlib.crc32(bytes([i])):08x}"
        v.write(
            f"Windows/WinSxS/Manifests/{name}.manifest",
            text(name, 300 + i * 31),
            s.INSTALLED_BUILD - DAY + i * 51_771_003,
        )
    for i, name in enumerate(("msgothic.ttc", "meiryo.ttc", "segoeui.ttf", "arial.ttf", "YuGothM.ttc", "consola.ttf")):
        v.write(f"Windows/Fonts/{name}", text(name, 5_000 + i * 700), s.INSTALL + i * 51_003)
    for name in ("setupapi.dev.log", "netsetup.inf", "disk.inf", "usbstor.inf", "volume.inf"):
        v.write(f"Windows/INF/{name}", text(name, 3_300), spread(name))
    v.write("Windows/System32/drivers/etc/hosts", b"# emotrace test data\r\n127.0.0.1 localhost\r\n", s.INSTALL)
    v.write("Windows/System32/drivers/etc/services", text("services", 2_000), s.INSTALL)
    for name in ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT"):
        v.write(
            f"Windows/System32/config/RegBack/{name}", b"", s.INSTALLED_BUILD, note="empty, as Windows 10 leaves it"
        )
    for i, name in enumerate(DOCUMENTS):
        when = spread(name, "2019-05-07T00:10:00")
        size = (9_000 + i * 1_311) if not name.endswith("txt") else 400 + i * 20
        streams, note = None, None
        if name == "notes.txt":
            streams = {"payload hidden here": text("stream", 20_000), "short": b"resident stream"}
            note = "its record is full to the last byte: the attribute list is not resident, $FILE_NAME lies in an extension record"
        v.write(
            f"Users/{s.USER}/Documents/{name}",
            text(name, size),
            when,
            min(when + 31 * DAY, ft("2022-10-28T01:30:00")),
            streams=streams,
            note=note,
        )
    for i in range(24):
        name = f"2022{1 + i % 10:02}{1 + i:02}_伝票{i:03}.pdf"
        v.write(f"Users/{s.USER}/Documents/伝票/{name}", text(name, 700 + i * 113), spread(name, "2022-01-05T00:00:00"))
    for i in range(30):
        name = f"{zlib.crc32(b'cache%d' % i):08X}[1].{('htm', 'png', 'js')[i % 3]}"
        folder = ("3QZ8V1KC", "A7TN5E0P")[i % 2]
        v.write(
            f"Users/{s.USER}/AppData/Local/Microsoft/Windows/INetCache/IE/{folder}/{name}",
            text(name, 350 + i * 97),
            spread(name, "2022-08-01T00:00:00"),
        )
    for i in range(14):
        name = f"log{i:03}.etl"
        v.write(f"Windows/Logs/WindowsUpdate/{name}", text(name, 1_500 + i * 300), spread(name, "2022-09-01T00:00:00"))
    for name in ("map.png", "社員旅行.jpg", "scan0001.jpg"):
        v.write(f"Users/{s.USER}/Pictures/{name}", text(name, 6_000), spread(name))
    v.write(
        f"Users/{s.ADMIN}/Desktop/手順書.txt",
        "1. ネットワークから切り離す 2. EmoCheckを実行する\r\n".encode(),
        ft("2022-04-01T02:00:00.5544332"),
    )
    v.write("Users/Public/Desktop/desktop.ini", b"[.ShellClassInfo]\r\n", s.INSTALL, attributes=0x26)
    v.write("Users/Default/NTUSER.DAT.LOG1", bytes(512), s.INSTALL, attributes=0x26)
    for folder in (
        "PerfLogs",
        f"Users/{s.USER}/Desktop",
        f"Users/{s.USER}/Links",
        f"Users/{s.ADMIN}/Downloads",
        "Windows/System32/sru",
    ):
        v.folder(folder)


def features(v, truth):
    """What a file system can do, and names that outputs must survive."""
    base, docs = "Windows/Temp/", f"Users/{s.USER}/Documents/"
    v.folder("Windows/Logs/compressed")
    os.setxattr(v.at("Windows/Logs/compressed"), "system.ntfs_attrib", struct.pack("<I", 0x10 | 0x800))
    data = b"".join(
        b"2022-10-%02d %02d:%02d:%02d 192.168.10.%d GET /index.html 200\r\n"
        % (1 + i // 400 % 28, i // 60 % 24, i % 60, i * 7 % 60, i % 250)
        for i in range(4000)
    )
    v.write("Windows/Logs/compressed/access.log", data, spread("access.log"), note="LZNT1, made by ntfs-3g")
    truth["compressed"] = {"path": "Windows/Logs/compressed/access.log", "size": len(data), "sha256": sha256(data)}

    v.folder("Windows/Temp")
    handle = os.open(v.at(base + "sparse.bin"), os.O_WRONLY | os.O_CREAT)
    os.pwrite(handle, b"END-OF-SPARSE", 64 * MIB)
    os.close(handle)
    when, record = spread("sparse.bin"), v.record(base + "sparse.bin")
    v.times[record] = (when, when, when, when, when)
    truth["sparse"] = {
        "path": base + "sparse.bin",
        "record": record,
        "size": 64 * MIB + 13,
        "sha256": sha256(bytes(64 * MIB) + b"END-OF-SPARSE"),
    }

    blob, order, state = text("fragmented", CLUSTER * 48), list(range(48)), 12_345
    for i in range(47, 0, -1):  # a fixed shuffle: clusters that are written out of order end up in many runs
        state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        order[i], order[state % (i + 1)] = order[state % (i + 1)], order[i]
    v.write(base + "fragmented.bin", blob, spread("fragmented.bin"), chunks=order)

    component = "Windows/WinSxS/amd64_test_31bf3856ad364e35_10.0.19041.1_none_0123456789abcdef/hard.dll"
    v.write(component, text("hard", 12_000), spread("hard"))
    links = [component]
    for i in range(3):
        path = f"Windows/System32/hard{i}.dll"
        os.link(v.at(component), v.at(path))
        links.append(path)
    truth["hard_links"] = {"record": v.record(component), "paths": links}
    many = "Windows/WinSxS/manylinks/base.manifest"
    v.write(many, b"x" * 2000, spread("many"))
    for i in range(60):
        os.link(
            v.at(many),
            v.at(f"Windows/WinSxS/manylinks/amd64_microsoft-windows-a-rather-long-component-name_{i:04d}.manifest"),
        )
    truth["attribute_list"] = {"record": v.record(many), "path": many, "links": 61}

    os.mkdir(v.at("Documents and Settings"))
    v.folders["Documents and Settings"] = v.record("Documents and Settings")
    substitute, shown = "\\??\\C:\\Users".encode("utf-16-le"), "C:\\Users".encode("utf-16-le")
    body = (
        struct.pack("<HHHH", 0, len(substitute), len(substitute) + 2, len(shown))
        + substitute
        + b"\0\0"
        + shown
        + b"\0\0"
    )
    os.setxattr(
        v.at("Documents and Settings"), "system.ntfs_reparse_data", struct.pack("<IHH", 0xA0000003, len(body), 0) + body
    )
    truth["junction"] = {"path": "Documents and Settings", "target": "C:\\Users"}

    names = [
        "Grüße aus Köln.txt",
        "Счёт за август.txt",
        "請求書2020.txt",
        "emoji 📄 name.txt",
        "UPPER lower MiXeD.TXT",
        "a" * 251 + ".txt",
        "=cmd|'!A1.txt",
        "+SUM(1+1).txt",
        "@import.txt",
        "-2+3.txt",
        "<script>alert(1)<script>.txt",
        "<img src=x onerror=alert(1)>.txt",
        "請求書\u202eslx.exe.txt",
        "فاتورة ٢٠٢٢.txt",
        "\x1b[31mred\x1b[0m.txt",
        "line\nbreak\ttab.txt",
        'quote"comma,semi;.csv',
        "CON",
        "aux.txt",
        "trailing dot.",
        "trailing space ",
        "..\\..\\evil.txt",
        "zero\u200bwidth.txt",
        "Readme.txt",
        "README.TXT",
        "%USERPROFILE%.txt",
        "`id`$(id).txt",
    ]
    for name in names:
        v.write(
            docs + "names/" + name,
            name.encode(),
            spread(name, "2022-05-01T00:00:00"),
            note="a name that outputs must escape" if name.isascii() else None,
        )
    v.write(docs + "lone/surrogate_X.txt", b"its name holds an unpaired surrogate in place of the X", spread("lone"))
    truth["surrogate"] = {
        "record": v.record(docs + "lone/surrogate_X.txt"),
        "name_utf16le": "surrogate_".encode("utf-16-le").hex() + "00d8" + ".txt".encode("utf-16-le").hex(),
    }
    truth["hostile_names"] = [docs + "names/" + name for name in names]
    truth["dos_names"] = {}
    for path, short in (
        ("Program Files", "PROGRA~1"),
        ("Program Files (x86)", "PROGRA~2"),
        ("Documents and Settings", "DOCUME~1"),
        (f"Users/{s.USER}", "TANAKA~1.YUK"),
        (docs + "names/UPPER lower MiXeD.TXT", "UPPERL~1.TXT"),
        (docs + "経費精算_2022.xlsm", "_~1.XLS"),
    ):
        os.setxattr(v.at(path), "system.ntfs_dos_name", short.encode())
        truth["dos_names"][path] = short


VICTIMS = [f"Windows/Temp/MpCache{i:02}.tmp" for i in range(10)]
VICTIM_FOLDER = "Windows/Temp/MpSigStub"
ORPHAN = VICTIM_FOLDER + "/mpengine.tmp"


def victims(v):
    """Files that are deleted first of all. Four files come after all deletions: they take the records of the folder and of
    the first three, which are resident, and the clusters of the next ones. So the volume has a file whose folder's
    record was used again, files whose records were used again, and one that is partly overwritten."""
    v.folder(VICTIM_FOLDER, spread(VICTIM_FOLDER, "2022-07-01T00:00:00"))
    for i, path in enumerate(VICTIMS):
        size = 300 if i < 3 else 9_000 + i * 11_003
        v.write(path, text(path, size), spread(path, "2022-07-01T00:00:00"))
    v.write(ORPHAN, text(ORPHAN, 6_000), v.folder_times[VICTIM_FOLDER] + 71_117)


ZIP_FOLDER, ZIP_OPENED = f"Users/{s.USER}/AppData/Local/Temp/Temp1_請求書.zip", ft("2020-10-26T05:30:12.4417003")


def old_infection(v):
    v.folder(ZIP_FOLDER, ZIP_OPENED)
    v.write(ZIP_FOLDER + "/請求書_20201026.doc", DOCUMENT[:9_000], ZIP_OPENED + 3_117)
    v.write(s.OLD_V1, s.stub(s.OLD_V1), T["v1_created"], part="v1")
    v.write(s.OLD_V2, s.stub(s.OLD_V2), T["v2_created"], part="v2")
    v.write(s.OLD_V3, s.stub(s.OLD_V3), T["v3_created"], part="v3")
    v.write(
        s.OLD_V4,
        s.stub(s.OLD_V4),
        s.V4_STAMP,
        accessed=T["v4_created"],
        changed=T["v4_created"],
        named=T["v4_created"],
        part="v4",
    )
    v.folder_times[os.path.dirname(slashes(s.OLD_V4))] = T["v4_created"]
    v.touched[os.path.dirname(slashes(s.OLD_V4))] = s.V4_FOLDER_WRITTEN


def droid_blocks(name):
    return {"machine": s.HOST, "droid": s.droid(name), "birth": s.droid(name)}


def main_infection(v, truth):
    mail, web = {"Zone.Identifier": s.ZONE_MAIL.encode()}, {"Zone.Identifier": s.ZONE_DOWNLOAD.encode("utf-8")}
    v.write(
        f"Users/{s.USER}/AppData/Local/Temp/small.txt", b"resident deleted content", ft("2022-11-01T03:00:01.7730041")
    )
    v.write(
        s.MAIL_DOC,
        DOCUMENT,
        T["mail_saved"],
        T["mail_saved"] + 20_117,
        T["mail_saved"] + 20_117,
        streams=mail,
        part="delivery",
    )
    v.write(
        s.DOWNLOAD_DOC,
        DOCUMENT,
        T["download_start"],
        T["download"],
        T["excel1"],
        T["download"] + 15_003,
        streams=web,
        part="delivery",
    )
    v.write(
        s.TEMPLATE_DOC,
        DOCUMENT,
        T["template_copy"],
        T["download"],
        T["excel2"],
        T["template_copy"] + 1_118,
        part="opened",
        note="a copy keeps the modified time of its source; the stream did not come along",
    )
    deleted = f"$Recycle.Bin/{s.SID}/$R7Q2MXK.xls"
    v.write(deleted, DOCUMENT, T["desktop_copy"], T["download"], T["desktop_copy"], T["recycled"], part="clean-up")
    v.write(
        f"$Recycle.Bin/{s.SID}/$I7Q2MXK.xls",
        recycle_info(s.DESKTOP_DOC, len(DOCUMENT), T["recycled"]),
        T["recycled"],
        part="clean-up",
    )
    v.write(
        f"$Recycle.Bin/{s.SID}/desktop.ini",
        b"[.ShellClassInfo]\r\nCLSID={645FF040-5081-101B-9F08-00AA002F954E}\r\n",
        ft("2019-05-07T00:03:11.2290041"),
        attributes=0x6,
    )
    truth["recycle_bin"] = [
        {
            "index": f"$Recycle.Bin/{s.SID}/$I7Q2MXK.xls",
            "content": deleted,
            "original": s.DESKTOP_DOC,
            "size": len(DOCUMENT),
            "deleted": iso(T["recycled"]),
            "version": 2,
            "sid": s.SID,
        }
    ]

    for i in (1, 2):
        v.write(
            s.DROPPERS[i - 1],
            WEB_ERROR + b"<!-- %d -->" % i,
            T[f"drop{i}"],
            part="executed",
            note="the web server's error page, saved as the dropper",
        )
    v.write(s.DROPPER, s.stub(s.DROPPER), T["drop3"], T["drop3"] + 441_203, part="executed")
    v.write(
        s.DLL,
        s.stub(s.DLL),
        s.DLL_STAMP - 117,
        s.DLL_STAMP,
        s.DLL_STAMP,
        T["dll_created"] + 31_207,
        T["dll_created"],
        part="installed",
        note="$SI forged to seven days before the folder's last write; $FN tells the truth",
    )
    v.write(s.DROPPERS[3], s.stub(s.DROPPERS[3]), T["drop4"], part="executed", note="quarantined")
    v.write(
        s.SCRIPT,
        b"' emotrace test data: stands for a script that starts PowerShell\r\n",
        T["script_created"],
        part="executed",
    )
    v.write(s.FOLLOW_DLL, s.stub(s.FOLLOW_DLL), T["follow_created"], T["follow_created"] + 331_027, part="follow-on")
    v.write(
        s.ROAMING + r"\BrickHero\license.dat",
        text("license.dat", 9_200),
        T["follow_created"] + 1_120_117,
        part="follow-on",
    )
    v.write(
        s.SERVICE_DLL,
        s.stub(s.SERVICE_DLL),
        T["service_dll"] - 7 * DAY + 1_904_113,
        T["service_dll"] - 7 * DAY + 1_904_113,
        None,
        T["service_dll"] + 4_117,
        T["service_dll"],
        part="installed",
    )
    truth["timestomped"] = [
        {
            "path": slashes(path),
            "si_created": v.files[slashes(path)]["created"],
            "si_modified": v.files[slashes(path)]["modified"],
            "fn_created": v.files[slashes(path)]["fn_created"],
        }
        for path in (s.DLL, s.SERVICE_DLL, s.OLD_V4)
    ]
    v.write(
        "Windows/System32/Tasks" + s.TASK.replace("\\", "/"),
        case_logs.task_xml().encode("utf-16"),
        T["task"] + 9_001,
        part="persistence",
    )
    v.write(
        r"C:\Users\admin\AppData\Roaming\Microsoft\Windows\PowerShell\PSReadLine\ConsoleHost_history.txt",
        b"cd Desktop\r\n.\\emocheck_v2.3.2_x64.exe /json\r\n",
        T["emocheck"] + 6_117_203,
        part="clean-up",
    )
    quarantine(v, truth)


def quarantine(v, truth):
    content = s.stub(s.DROPPERS[3])
    resource = hashlib.sha1(content).hexdigest().upper()
    entry = "{9C1E0B7A-55D3-4F8E-A2C6-70B1D94E3F12}"
    root = "ProgramData/Microsoft/Windows Defender/Quarantine/"
    v.write(
        f"{root}Entries/{entry}",
        quarantine_entry(
            entry,
            "{4D0F62B8-1E37-4A95-8C6B-F2910D5E7A34}",
            T["av_acted"],
            2147852271,
            "Trojan:Win64/Emotet!MTB",
            s.DROPPERS[3],
            bytes.fromhex(resource),
            T["drop4"],
            T["drop4"],
            T["drop4"],
            len(content),
        ),
        T["av_acted"],
        part="blocked",
    )
    v.write(
        f"{root}ResourceData/{resource[:2]}/{resource}", quarantine_resource(content), T["av_acted"], part="blocked"
    )
    truth["quarantine"] = [
        {
            "entry": f"{root}Entries/{entry}",
            "threat": "Trojan:Win64/Emotet!MTB",
            "path": s.DROPPERS[3],
            "time": iso(T["av_acted"]),
            "sha256": sha256(content),
        }
    ]
    lines = [
        f"{iso(T['av_detected'])[:23]}Z DETECTIONEVENT MPSOURCE_REALTIME Trojan:Win64/Emotet!MTB file:{s.DROPPERS[3]};",
        f"{iso(T['av_detected'])[:23]}Z DETECTION_ADD#1 Trojan:Win64/Emotet!MTB file:{s.DROPPERS[3]}",
        f"{iso(T['scan_detected'])[:23]}Z DETECTIONEVENT MPSOURCE_SYSTEM Trojan:Win64/Emotet!MTB file:{s.DLL};",
    ]
    v.write(
        "ProgramData/Microsoft/Windows Defender/Support/MPLog-20221020-121422.log",
        "\r\n".join(lines).encode("utf-16"),
        s.INSTALLED_BUILD + 9_117,
        T["scan_failed"],
        part="blocked",
    )


def links(v, truth):
    recent = f"Users/{s.USER}/AppData/Roaming/Microsoft/Windows/Recent/"

    def items(path):
        out, at = [item_root(), item_drive()], "C:"
        parts = path.split("\\")[1:]
        for i, name in enumerate(parts):
            at += "\\" + name
            folder = i + 1 < len(parts)
            if folder:
                created = modified = accessed = ft("2019-04-15T00:31:08")
                size = 0
            else:
                created, modified, _, accessed, _ = v.times[v.reference(at)[0]]
                size = v.files[slashes(at)]["size"]
            short = truth["dos_names"].get(slashes(at)) or (
                name if name.isascii() and len(name) <= 12 else "_~1." + name.rsplit(".", 1)[-1].upper()[:3]
            )
            out.append(item_entry(name, short, folder, size, modified, created, accessed, v.reference(at)))
        return out

    def link(path, target, when, run, **more):
        facts = v.files[slashes(target)]
        created, modified, _, accessed, _ = v.times[facts["record"]]
        data = shell_link(target, items(target), facts["size"], created, modified, accessed, s.SERIAL32, "OS", **more)
        v.write(path, data, when, run, part="opened")
        truth["links"].append(
            {
                "path": path,
                "target": target,
                "size": facts["size"],
                "target_created": iso(created),
                "target_modified": iso(modified),
                "target_accessed": iso(accessed),
                "volume_serial": f"{s.SERIAL32:08X}",
                "machine": s.HOST.lower() if "machine" in more else None,
                "target_reference": "%d-%d" % v.reference(target),
                "arguments": more.get("arguments"),
                "trailing_bytes": len(more.get("trailing", b"")),
            }
        )

    link(
        recent + s.DOC_NAME + ".lnk",
        s.DOWNLOAD_DOC,
        T["excel1"] + 9_117,
        T["excel1"] + 9_117,
        sid=s.SID,
        workdir=s.PROFILE + "\\Downloads",
        relative=r"..\..\..\..\..\Downloads" + "\\" + s.DOC_NAME,
        **droid_blocks("boot"),
    )
    link(
        f"Users/{s.USER}/AppData/Roaming/Microsoft/Office/Recent/{s.DOC_NAME}.LNK",
        s.TEMPLATE_DOC,
        T["excel2"] + 11_203,
        T["excel2"] + 11_203,
        **droid_blocks("boot"),
    )
    link(
        recent + "notes.txt.lnk",
        s.PROFILE + r"\Documents\notes.txt",
        ft("2021-06-03T01:12:00.0417711"),
        ft("2022-09-12T05:22:03.7713305"),
        sid=s.SID,
        **droid_blocks("store_room_on"),
    )
    link(
        "ProgramData/Microsoft/Windows/Start Menu/Programs/Excel 2019.lnk",
        s.EXCEL,
        ft("2019-04-16T02:21:00.1234567"),
        ft("2019-04-16T02:21:00.1234567"),
        arguments="/x",
        icon=s.EXCEL,
    )
    trailing = b"' emotrace test data: stands for a script behind the link's last block, never run\r\n" * 40
    link(
        f"Users/{s.USER}/Downloads/form 2022.04.26.lnk",
        s.SYSTEM32 + r"\cmd.exe",
        T["lnk_attempt"],
        T["lnk_attempt"],
        arguments='/v:on /c findstr "QwnfLkzDvb.*" "form 2022.04.26.lnk" > "%tmp%\\QwnfLkzDvb.vbs" & "%tmp%\\QwnfLkzDvb.vbs"',
        icon=r"C:\Windows\System32\shell32.dll",
        trailing=trailing,
    )
    path = f"Users/{s.USER}/Downloads/form 2022.04.26.lnk"
    with open(v.at(path + ":Zone.Identifier"), "wb") as out:
        out.write(s.ZONE_MAIL.encode())
    v.files[path]["streams"] = [
        {"name": "Zone.Identifier", "size": len(s.ZONE_MAIL), "sha256": sha256(s.ZONE_MAIL.encode())}
    ]
    v.files[path]["part"] = "attempt of 2022-04-26, never opened"


def prefetch_files(v, truth, after):
    """The ones before the clean-up, or (`after`) those of it."""
    for path, command, runs, count, extra, version in s.PREFETCH:
        if (path == s.EMOCHECK) != after:
            continue
        name, value = s.prefetch_name(path, command)
        loaded = [
            s.SYSTEM32 + "\\ntdll.dll",
            path,
            s.SYSTEM32 + "\\kernel32.dll",
            s.SYSTEM32 + "\\KernelBase.dll",
            s.SYSTEM32 + "\\msvcrt.dll",
            *extra,
        ]
        files = [(p[2:], *v.reference(p)) for p in loaded]
        folders = sorted({p[2:].rsplit("\\", 1)[0] for p in loaded})
        data = mam(
            prefetch(
                version,
                name.rsplit("-", 1)[0],
                s.device(path),
                value,
                files,
                folders,
                runs,
                count,
                s.INSTALL,
                s.SERIAL32,
            )
        )
        v.write(f"Windows/Prefetch/{name}", data, min(runs) + 10_0331_117, max(runs) + 10_0331_117, part="executed")
        truth["prefetch"].append(
            {
                "file": name,
                "executable": name.rsplit("-", 1)[0],
                "path": path,
                "hash": f"{value:08X}",
                "version": version,
                "run_count": count,
                "runs": s.times(runs),
                "serial": f"{s.SERIAL32:08X}",
                "volume_created": iso(s.INSTALL),
                "files": [f"{p.upper()}" for p, *_ in files],
                "references": [f"{record}-{sequence}" for _, record, sequence in files],
                "directories": [f.upper() for f in folders],
            }
        )


def event_logs(v, truth):
    for name, records in case_logs.logs(sha256(DOCUMENT)).items():
        last = ft(records[-1]["time"])
        created = T["archived"] if name.startswith("Archive") else s.INSTALL + zlib.crc32(name.encode())
        v.write(
            f"Windows/System32/winevt/Logs/{name}",
            evtx_bytes(records),
            created,
            last if not name.startswith("Archive") else T["archived"],
        )
        truth["event_logs"].append(
            {
                "path": f"Windows/System32/winevt/Logs/{name}",
                "records": [
                    {
                        "record_id": r["record_id"],
                        "event_id": r["event_id"],
                        "time": r["time"],
                        "provider": r["provider"],
                        "channel": r["channel"],
                        "user_sid": r.get("user_sid"),
                    }
                    for r in records
                ],
            }
        )


def registry(v, truth):
    admin_before, admin_after = hives.admin_ntuser(False), hives.admin_ntuser(True)
    plain = [
        hives.system(),
        hives.software(),
        hives.sam(),
        hives.security(),
        hives.default(),
        hives.ntuser(v.reference),
        hives.usrclass(v.reference),
        hives.amcache(),
    ]
    for h in plain:
        data = build_hive(h.root, h.name, h.written, sequence=(211, 211))
        logs = 0x20 if "config" in h.path or "appcompat" in h.path else 0x26
        v.write(h.path, data, s.INSTALL + zlib.crc32(h.path.encode()), h.written, attributes=logs, part="registry")
        for log in ("LOG1", "LOG2"):
            v.write(f"{h.path}.{log}", b"", s.INSTALL + zlib.crc32(h.path.encode()), attributes=logs)
        truth["registry"] += h.truth
    before = build_hive(admin_before.root, admin_before.name, T["admin_logon"], sequence=(58, 57))
    after = build_hive(admin_after.root, admin_after.name, T["emocheck"], sequence=(58, 57))
    created = ft("2022-04-01T01:05:10.0071193")
    v.write(
        hives.ADMIN_NTUSER,
        before,
        created,
        T["admin_logon"] + 4_117,
        attributes=0x26,
        part="registry",
        note="dirty: its .LOG1 holds what was not yet written",
    )
    scratch = v.image + ".log"
    pages = pages_between(before.ljust(len(after), b"\0"), after)
    log = write_log(scratch, before, [(57, len(after) - 4096, pages)])
    os.remove(scratch)
    v.write(hives.ADMIN_NTUSER + ".LOG1", log, created, T["shutdown"] - 30_117_203, attributes=0x26)
    v.write(hives.ADMIN_NTUSER + ".LOG2", b"", created, attributes=0x26)
    truth["registry"] += admin_before.truth
    known = [json.dumps(row) for row in admin_before.truth]
    truth["registry"] += [{**row, "from_log": True} for row in admin_after.truth if json.dumps(row) not in known]
    truth["shim_cache"] = [
        {"position": i, "path": path, "modified": iso(when)} for i, (path, when) in enumerate(plain[0].shim)
    ]
    truth["bam"] = [
        {
            "sid": sid,
            "path": s.device(path).replace("DEVICE\\HARDDISKVOLUME", "Device\\HarddiskVolume"),
            "last_run": iso(when),
        }
        for sid, path, when in plain[0].bam
    ]
    truth["shellbags"], truth["amcache"] = plain[6].bags, plain[7].rows


def clean_up(v):
    """Deletions that the volume still remembers. The victims first, so that theirs are the records taken next."""
    for i, path in enumerate(VICTIMS):
        v.delete(path, T["boot"] + i * 20_113_117)
    v.delete(ORPHAN, T["boot"] + 211_113_117, "an orphan: the record of its folder was used again")
    v.delete_folder(VICTIM_FOLDER, T["boot"] + 211_115_203)
    v.delete(s.OLD_V1, T["v1_deleted"], "v1 leftover")
    v.delete(s.OLD_V2, T["v2_deleted"], "v2 leftover")
    v.delete(ZIP_FOLDER + "/請求書_20201026.doc", ZIP_OPENED + 400 * 10_000_000, "in a folder that was deleted with it")
    v.delete_folder(ZIP_FOLDER, ZIP_OPENED + 400 * 10_000_000 + 2_117)
    v.delete(f"Users/{s.USER}/AppData/Local/Temp/small.txt", T["logon"], "resident: its content lies in its MFT record")
    v.delete(s.DROPPERS[0], T["regsvr1"] + 8_117_203)
    v.delete(s.DROPPERS[1], T["regsvr2"] + 8_117_203)
    v.delete(s.DROPPER, T["drop3_deleted"], "the dropper: deleted after it had installed its copy")
    v.delete(s.DROPPERS[3], T["av_acted"], "taken to quarantine by Defender")
    v.delete(s.SCRIPT, T["script_deleted"])


def afterwards(v, truth):
    """What was written after all deletions: EmoCheck and its reports."""
    v.write(
        s.EMOCHECK,
        s.stub(s.EMOCHECK),
        T["emocheck_saved"],
        streams={
            "Zone.Identifier": b"[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://tools.example.test/emocheck_v2.3.2_x64.exe\r\n"
        },
        part="clean-up",
    )
    rows = [("Emotet", "regsvr32.exe", "10244", s.DLL), ("Emotet", "rundll32.exe", "4820", s.OLD_V4)]
    japanese = "[EmoCheck v2.3.2]\r\nプログラム実行時刻: 2022-11-04 10:30:11\r\n\r\n[結果]\r\nEmotetの可能性がある不審なプロセスを検知しました。\r\n\r\n[詳細]\r\n"
    for _, name, pid, path in rows:
        japanese += f"プロセス名: {name}\r\nプロセスID: {pid}\r\nイメージパス: {path}\r\n--------------------------------------------------\r\n"
    v.write(s.REPORT + ".txt", japanese.encode(), T["report"], part="clean-up")
    document = {
        "scan_time": "2022-11-04 10:30:11",
        "hostname": s.HOST,
        "emocheck_version": "2.3.2",
        "is_infected": "yes",
        "emotet_processes": [
            {"process_name": name, "process_id": pid, "image_path": path, "registry_key": ""}
            for _, name, pid, path in rows
        ],
    }
    v.write(
        s.REPORT + ".json", json.dumps(document, indent=2).encode() + b"\r\n", T["report"] + 10_117, part="clean-up"
    )
    truth["emocheck_reports"] = [
        {
            "path": slashes(s.REPORT + end),
            "is_infected": True,
            "scan_time_local": "2022-11-04 10:30:11",
            "time_zone": s.TIME_ZONE,
        }
        for end in (".txt", ".json")
    ]
    prefetch_files(v, truth, after=True)


# ------------------------------------------------------------------------------------------------------- after the mount


def folder_times(v):
    """A folder was last written when something was last created, renamed or deleted in it."""
    children = {}
    for facts in [*v.files.values(), *v.gone]:
        children.setdefault(os.path.dirname(facts["path"]), []).append(ft(facts.get("fn_created") or facts["created"]))
    for path in sorted(v.folders, key=lambda p: -p.count("/")):
        if not path:
            continue
        inside = children.get(path, [])
        created = v.folder_times.get(path)
        if created is None:
            created = (
                min(inside)
                if inside and min(inside) > s.INSTALL + DAY
                else s.INSTALL + 10_000_000 + zlib.crc32(path.encode()) % 6_000_000_000
            )
        modified = max([created, v.touched.get(path, 0), *inside])
        v.folder_times[path] = created
        children.setdefault(os.path.dirname(path), []).append(created)
        v.times[v.folders[path]] = (created, modified, modified, modified, created)


def legal(name):
    """The name space that Windows would give a name: 3 (also a DOS name), 1 (Win32), or 0 (POSIX) if Win32 forbids it."""
    if (
        any(c in '"*/:<>?\\|' or ord(c) < 32 for c in name)
        or name[-1] in ". "
        or name.split(".")[0].upper() in ("CON", "AUX", "NUL", "PRN")
    ):
        return 0
    base, dot, extension = name.partition(".")
    simple = (
        name.isascii()
        and len(base) <= 8
        and len(extension) <= 3
        and "." not in extension
        and bool(base)
        and (not dot or bool(extension))
    )
    return 3 if simple and all(c.isalnum() or c in "!#$%&'()-@^_`{}~." for c in name) else 1


def post_pass(v, truth):
    """Serial number; times of all $STANDARD_INFORMATION, $FILE_NAME and index entries; name spaces; one unpaired surrogate.
    Gives {record: (sequence, in use)}."""
    ntfs = Ntfs(v.image)
    ntfs.set_serial(s.SERIAL)
    colliding, lone = {"Readme.txt", "README.TXT"}, "surrogate_X.txt"

    def patch_name(name):
        """The name space, and the name itself if it is the one with the surrogate."""
        shown = bytes(name[66 : 66 + name[64] * 2]).decode("utf-16-le", "surrogatepass")
        if name[65] == 0 and shown not in colliding:
            name[65] = legal(shown)
        if shown == lone:
            struct.pack_into("<H", name, 66 + 2 * lone.index("X"), 0xD800)

    def patch_entry(record, name):
        """Entries of a directory index carry a copy of $STANDARD_INFORMATION's times."""
        if record in v.times:
            patch_name(name)
            struct.pack_into("<QQQQ", name, 8, *v.times[record][:4])

    found = {}
    for number, offset, record in ntfs.records():
        base = struct.unpack_from("<Q", record, 32)[0] & 0xFFFFFFFFFFFF or number
        sequence, flags = struct.unpack_from("<H", record, 16)[0], struct.unpack_from("<H", record, 22)[0]
        found[number] = sequence, bool(flags & 1)
        times = v.times.get(base, (s.INSTALL,) * 5)
        for kind, _, attribute in ntfs.attributes(record):
            at = 0 if attribute[8] else struct.unpack_from("<H", attribute, 20)[0]
            if kind == 0x10:
                struct.pack_into("<QQQQ", attribute, at, *times[:4])
            elif kind == 0x30:
                struct.pack_into("<QQQQ", attribute, at + 8, *(times[4],) * 4)
                if base in v.times:
                    patch_name(attribute[at:])
        ntfs.patch_file_names(record, patch_entry)
        ntfs.write(offset, ntfs.fix(record))
    # $MFTMirr is a copy of the first four records
    ntfs.write(ntfs.mirror * ntfs.cluster, ntfs.read(ntfs.mft * ntfs.cluster, max(4 * ntfs.record_size, ntfs.cluster)))
    truth["mft"] = {
        "records": len(found),
        "in_use": sum(used for _, used in found.values()),
        "record_size": ntfs.record_size,
        "cluster": ntfs.mft,
    }
    ntfs.close()
    return found


# --------------------------------------------------------------------------------------------------------------- journal


def journal_events(v):
    """(time, path, reasons, name or None, parent or None) of every record, in order of time."""
    events = []

    def add(when, path, *reasons, name=None, parent=None):
        events.append((when, slashes(path), sum(USN_REASONS[reason] for reason in reasons), name, parent))

    def created(path, when, closed=None):
        add(when, path, "FILE_CREATE")
        add(when + 211, path, "DATA_EXTEND", "FILE_CREATE")
        add(closed or when + 1_903, path, "DATA_EXTEND", "FILE_CREATE", "CLOSE")

    def stream(path, when):
        add(when, path, "NAMED_DATA_EXTEND", "STREAM_CHANGE")
        add(when + 307, path, "NAMED_DATA_EXTEND", "STREAM_CHANGE", "CLOSE")

    def deleted(path, when):
        add(when, path, "FILE_DELETE", "CLOSE")

    def made_folder(path, when):
        add(when, path, "FILE_CREATE")
        add(when + 103, path, "FILE_CREATE", "CLOSE")

    for i, path in enumerate(VICTIMS):
        deleted(path, T["boot"] + i * 20_113_117)
    deleted(ORPHAN, T["boot"] + 211_113_117)
    deleted(VICTIM_FOLDER, T["boot"] + 211_115_203)
    deleted(f"Users/{s.USER}/AppData/Local/Temp/small.txt", T["logon"])
    created(s.MAIL_DOC, T["mail_saved"])
    stream(s.MAIL_DOC, T["mail_saved"] + 20_117)
    partial = "Unconfirmed 482113.crdownload"
    for when, reasons in (
        (T["download_start"], ["FILE_CREATE"]),
        (T["download_start"] + 1_113, ["FILE_CREATE", "DATA_EXTEND"]),
        (T["download"] - 4_117, ["FILE_CREATE", "DATA_EXTEND", "CLOSE"]),
        (T["download"] - 3_003, ["RENAME_OLD_NAME"]),
    ):
        add(when, s.DOWNLOAD_DOC, *reasons, name=partial)
    add(T["download"] - 3_003, s.DOWNLOAD_DOC, "RENAME_NEW_NAME")
    add(T["download"] - 2_771, s.DOWNLOAD_DOC, "RENAME_NEW_NAME", "CLOSE")
    stream(s.DOWNLOAD_DOC, T["download"] + 15_003)
    binned, desktop = f"$Recycle.Bin/{s.SID}/$R7Q2MXK.xls", f"Users/{s.USER}/Desktop"
    for when, reasons in (
        (T["desktop_copy"], ["FILE_CREATE"]),
        (T["desktop_copy"] + 811, ["FILE_CREATE", "DATA_EXTEND", "BASIC_INFO_CHANGE", "CLOSE"]),
        (T["recycled"] + 2_117, ["RENAME_OLD_NAME"]),
    ):
        add(when, binned, *reasons, name=s.DOC_NAME, parent=desktop)
    add(T["recycled"] + 2_117, binned, "RENAME_NEW_NAME")
    add(T["recycled"] + 2_339, binned, "RENAME_NEW_NAME", "CLOSE")
    created(f"$Recycle.Bin/{s.SID}/$I7Q2MXK.xls", T["recycled"])
    created(s.TEMPLATE_DOC, T["template_copy"])
    add(T["template_copy"] + 2_203, s.TEMPLATE_DOC, "BASIC_INFO_CHANGE", "CLOSE")
    for i, path in enumerate(s.DROPPERS):
        created(path, T[f"drop{i + 1}"], T[f"drop{i + 1}"] + 441_203)
    deleted(s.DROPPERS[0], T["regsvr1"] + 8_117_203)
    deleted(s.DROPPERS[1], T["regsvr2"] + 8_117_203)
    made_folder(os.path.dirname(slashes(s.DLL)), T["dll_created"] - 1_117)
    created(s.DLL, T["dll_created"])
    add(T["dll_created"] + 31_207, s.DLL, "BASIC_INFO_CHANGE")
    add(
        T["dll_created"] + 31_311, s.DLL, "BASIC_INFO_CHANGE", "STREAM_CHANGE", "CLOSE"
    )  # the mark of the web is taken off
    deleted(s.DROPPER, T["drop3_deleted"])
    deleted(s.DROPPERS[3], T["av_acted"])
    created(s.SCRIPT, T["script_created"])
    deleted(s.SCRIPT, T["script_deleted"])
    made_folder(os.path.dirname(slashes(s.FOLLOW_DLL)), T["powershell"] + 4_117_203)
    created(s.FOLLOW_DLL, T["follow_created"])
    created("Windows/System32/Tasks" + s.TASK.replace("\\", "/"), T["task"] + 9_001)
    made_folder(os.path.dirname(slashes(s.SERVICE_DLL)), T["service_dll"] - 1_203)
    created(s.SERVICE_DLL, T["service_dll"])
    add(T["service_dll"] + 4_117, s.SERVICE_DLL, "BASIC_INFO_CHANGE", "CLOSE")
    for path, facts in v.files.items():
        if path.startswith("Windows/Prefetch/") and ft(facts["modified"]) > T["boot"]:
            if facts["created"] == facts["modified"]:
                created(path, ft(facts["created"]))
            else:
                add(ft(facts["modified"]), path, "DATA_EXTEND", "DATA_TRUNCATION")
                add(ft(facts["modified"]) + 611, path, "DATA_EXTEND", "DATA_TRUNCATION", "CLOSE")
        if path.endswith((".lnk", ".LNK")) and ft(facts["created"]) > T["boot"]:
            created(path, ft(facts["created"]))
    for path, when in (
        (s.EMOCHECK, T["emocheck_saved"]),
        (s.REPORT + ".txt", T["report"]),
        (s.REPORT + ".json", T["report"] + 10_117),
    ):
        created(path, when)
    stream(s.EMOCHECK, T["emocheck_saved"] + 5_003)
    busy = [
        path
        for path in v.files
        if path.endswith((".evtx", ".etl", "NTUSER.DAT", "SYSTEM", "SOFTWARE")) or "INetCache/IE" in path
    ]
    for i in range(170):  # what a PC does all day
        path = busy[i * 7 % len(busy)]
        when = (
            T["boot"]
            + 600_000_000
            + i * (T["shutdown"] - T["boot"] - 1_200_000_000) // 170
            + zlib.crc32(bytes([i])) % 9_000_000
        )
        add(when, path, "DATA_OVERWRITE")
        add(when + 1_771, path, "DATA_OVERWRITE", "CLOSE")
    return sorted(events, key=lambda event: event[0])


def journal_bytes(v, truth):
    """The records with the references of their time; none crosses a page of 4,096 bytes."""
    out, rows = b"", []
    for when, path, reasons, name, parent in journal_events(v):
        (record, sequence), folder = v.reference(path), v.reference(os.path.dirname(path) if parent is None else parent)
        name = os.path.basename(path) if name is None else name
        attributes = 0x10 if path in v.folders or path == VICTIM_FOLDER else 0x20

        def build(usn):
            return usn_record(
                record | sequence << 48, folder[0] | folder[1] << 48, usn, when, reasons, attributes, name
            )

        data = build(JOURNAL_HOLE + len(out))
        if len(out) // 4096 != (len(out) + len(data) - 1) // 4096:
            out += bytes(-len(out) % 4096)
            data = build(JOURNAL_HOLE + len(out))
        rows.append(
            {
                "usn": JOURNAL_HOLE + len(out),
                "time": iso(when),
                "name": name,
                "reference": f"{record}-{sequence}",
                "parent": f"{folder[0]}-{folder[1]}",
                "path": (os.path.dirname(path) if parent is None else parent) + "/" + name,
                "reasons": [reason for reason, bit in USN_REASONS.items() if reasons & bit],
            }
        )
        out += data
    assert len(out) <= JOURNAL_ROOM
    truth["usn"] = {"hole": JOURNAL_HOLE, "bytes": len(out), "records": rows}
    return out


# ----------------------------------------------------------------------------------------------------------------- whole


def check_records(v, found):
    """The sequence numbers that were foretold are those on the volume; what was to be recoverable is."""
    for facts in v.files.values():
        assert found[facts["record"]] == (facts["sequence"], True), facts
    for path, record in v.folders.items():
        assert found[record] == (v.sequence(record), True), path
    for facts in v.gone:
        sequence, used = found[facts["record"]]
        facts["record_reused"] = used
        facts["sequence_now"] = sequence
        assert used or sequence == facts["sequence"] + 1, facts


def overwrite(v):
    """Lets the last clusters of one deleted file be clusters of a file that was written later, as happens on a fuller volume:
    ntfs-3g takes free space elsewhere, so the run list of the deleted record is changed instead."""
    ntfs = Ntfs(v.image)
    victim, later = v.reference(VICTIMS[9])[0], v.reference(s.EMOCHECK)[0]
    records = {number: (offset, record) for number, offset, record in ntfs.records() if number in (victim, later)}

    def data(number):
        return next((at, bytes(a)) for kind, at, a in ntfs.attributes(records[number][1]) if kind == 0x80 and a[8])

    (at, attribute), taken = data(victim), ntfs.parse_runs(data(later)[1])[0]
    [(length, lcn)] = ntfs.parse_runs(attribute)
    kept = length - 12
    runs = b"".join(
        b"\x21" + bytes([count]) + struct.pack("<h", step) for count, step in ((kept, lcn), (12, taken[1] - lcn))
    )
    start = struct.unpack_from("<H", attribute, 32)[0]
    changed = bytearray(attribute[:start] + (runs + b"\0").ljust(16, b"\0"))
    struct.pack_into("<I", changed, 4, len(changed))
    offset, record = records[victim]
    used = struct.unpack_from("<I", record, 24)[0]
    tail = record[at + len(attribute) : used]
    record[at : at + len(changed) + len(tail)] = changed + tail
    struct.pack_into("<I", record, 24, at + len(changed) + len(tail))
    ntfs.write(offset, ntfs.fix(record))
    ntfs.close()


def recovered(v):
    """How much of each deleted file the volume still gives, from its own runs: by content, not by bitmap."""
    ntfs = Ntfs(v.image)
    records = {number: record for number, _, record in ntfs.records()}
    for facts in v.gone:
        if facts.get("folder") or facts["record_reused"]:
            facts["recoverable"] = False
            continue
        content = b""
        for kind, _, attribute in ntfs.attributes(records[facts["record"]]):
            if kind == 0x80 and attribute[9] == 0:
                if attribute[8]:
                    content = b"".join(
                        ntfs.read(lcn * ntfs.cluster, length * ntfs.cluster)
                        for length, lcn in ntfs.parse_runs(attribute)
                    )
                    content = content[: struct.unpack_from("<Q", attribute, 48)[0]]
                    facts["resident"] = False
                else:
                    length, at = struct.unpack_from("<IH", attribute, 16)
                    content, facts["resident"] = bytes(attribute[at : at + length]), True
        facts["recoverable"] = sha256(content) == facts["sha256"]
        if not facts["recoverable"]:
            facts["content_now_sha256"] = sha256(content)
    ntfs.close()


def disk(v, raw):
    """MBR, the NTFS volume, and a FAT16 recovery partition."""

    def entry(active, kind, start, size):
        return struct.pack("<B3sB3sII", active, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start // 512, size // 512)

    table = bytes(440) + struct.pack("<IH", DISK_SIGNATURE, 0)
    table += entry(0x80, 0x07, OFFSET, NTFS_SIZE) + entry(0, 0x0E, FAT_OFFSET, FAT_SIZE) + bytes(32) + b"\x55\xaa"
    recovery = fat16_volume(
        FAT_SIZE // 512,
        FAT_OFFSET // 512,
        0x1D0C5A77,
        "RECOVERY",
        [("README  TXT", b"emotrace test data: stands for a maker's recovery partition.\r\n", s.INSTALL)],
    )
    with open(v.image, "rb") as source, open(raw, "wb") as out:
        out.truncate(DISK)
        out.write(table)
        out.seek(OFFSET)
        out.write(source.read())
        out.seek(FAT_OFFSET)
        out.write(recovery)
    with open(raw, "rb") as file:
        data = file.read()
    return {"bytes": len(data), **{name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256")}}


def ewf(raw, target):
    for old in glob.glob(target + ".E*"):
        os.remove(old)
    with open(raw, "rb") as source:
        subprocess.run(
            [
                *frozen(s.ACQUIRED),
                "ewfacquirestream",
                "-t",
                target,
                "-c",
                "deflate:best",
                "-f",
                "encase6",
                "-S",
                "7EiB",
                "-b",
                "64",
                "-B",
                str(DISK),
                "-q",
                "-C",
                "2022-KEIRI-01",
                "-D",
                f"{s.HOST}, made-up host",
                "-e",
                "emotrace",
                "-E",
                "1",
                "-N",
                "testdata/make/case.py",
                "-m",
                "fixed",
                "-M",
                "physical",
                "-d",
                "sha1",
            ],
            stdin=source,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def make(out, keep_raw):
    os.makedirs(out, exist_ok=True)
    raw, image = os.path.join(out, "case.raw"), os.path.join(out, ".case.ntfs")
    v = Volume(image, os.path.join(out, ".case.mount"))
    truth = {
        "name": "case",
        "host": s.HOST,
        "os": "Windows 10 Pro 22H2 (19045)",
        "time_zone": s.TIME_ZONE,
        "acquired": s.ACQUIRED + "Z",
        "users": [{"name": s.USER, "sid": s.SID}, {"name": s.ADMIN, "sid": s.ADMIN_SID}],
        "partitions": [
            {"offset": OFFSET, "size": NTFS_SIZE, "type": "07", "content": "NTFS", "label": "OS"},
            {"offset": FAT_OFFSET, "size": FAT_SIZE, "type": "0E", "content": "FAT16", "label": "RECOVERY"},
        ],
        "volume_serial": f"{s.SERIAL:016X}",
        "cluster_size": CLUSTER,
        "prefetch": [],
        "links": [],
        "event_logs": [],
        "registry": [],
    }
    with open(image, "wb") as file:
        file.truncate(NTFS_SIZE)
    subprocess.run(
        [
            *FROZEN,
            "mkntfs",
            "-q",
            "-Q",
            "-F",
            "-c",
            str(CLUSTER),
            "-L",
            "OS",
            "-p",
            str(OFFSET // 512),
            "-H",
            "255",
            "-S",
            "63",
            "-s",
            "512",
            image,
            str(NTFS_SIZE // 512),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    journal_frozen(image)
    v.attach()
    clutter(v)
    features(v, truth)
    old_infection(v)
    main_infection(v, truth)
    links(v, truth)
    prefetch_files(v, truth, after=False)
    event_logs(v, truth)
    registry(v, truth)
    clean_up(v)
    v.detach()
    v.attach()
    afterwards(v, truth)
    v.detach()

    folder_times(v)
    found = post_pass(v, truth)
    check_records(v, found)
    with open(image + ".j", "wb") as file:
        file.write(journal_bytes(v, truth))
    journal_frozen(image, image + ".j")
    os.remove(image + ".j")
    overwrite(v)
    recovered(v)
    truth["files"], truth["deleted"] = sorted(v.files.values(), key=lambda f: f["path"]), v.gone
    truth["folders"] = [
        {"path": path, "record": record, "created": iso(v.times[record][0]), "modified": iso(v.times[record][1])}
        for path, record in sorted(v.folders.items())
        if path
    ]
    truth["raw"] = disk(v, raw)
    os.remove(image)
    os.rmdir(v.mount)
    from case_expected import expected

    truth.update(expected(v))
    ewf(raw, os.path.join(out, "case"))
    if not keep_raw:
        os.remove(raw)
    with open(os.path.join(out, "case.truth.json"), "w", encoding="utf-8") as file:
        json.dump(truth, file, indent=1, ensure_ascii=False)
        file.write("\n")
    print(
        truth["raw"],
        len(truth["files"]),
        "files,",
        len(truth["deleted"]),
        "deleted,",
        len(truth["usn"]["records"]),
        "journal records",
    )


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--journal":
        content = None
        if sys.argv[3]:
            with open(sys.argv[3], "rb") as handle:
                content = handle.read()
        journal(sys.argv[2], content)
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--out", default=os.path.join(HERE, "..", "case"))
        parser.add_argument("--keep-raw", action="store_true", help="leave case.raw beside the E01")
        arguments = parser.parse_args()
        make(arguments.out, arguments.keep_raw)
