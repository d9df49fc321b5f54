"""The registry of the made-up host: trees for hivewriter, and what the truth file says of them."""

import datetime
import hashlib
import struct

import case_story as s
from case_logs import task_xml
from case_story import T
from casekit import (
    bam,
    ft,
    iso,
    item_drive,
    item_entry,
    item_root,
    rot13,
    sam_f,
    sam_v,
    shim_cache,
    trust_record,
    unix,
    user_assist,
    utf16,
)
from hivewriter import BINARY, DWORD, EXPAND_SZ, MULTI_SZ, QWORD, SZ, Key

DAY, MINUTE = 864_000_000_000, 600_000_000
CONFIG = "Windows/System32/config/"
NTUSER = f"Users/{s.USER}/NTUSER.DAT"
ADMIN_NTUSER = f"Users/{s.ADMIN}/NTUSER.DAT"
USRCLASS = f"Users/{s.USER}/AppData/Local/Microsoft/Windows/UsrClass.dat"
AMCACHE = "Windows/appcompat/Programs/Amcache.hve"
RUN = r"Software\Microsoft\Windows\CurrentVersion"
KIND_NAMES = {
    SZ: "REG_SZ",
    EXPAND_SZ: "REG_EXPAND_SZ",
    BINARY: "REG_BINARY",
    DWORD: "REG_DWORD",
    MULTI_SZ: "REG_MULTI_SZ",
    QWORD: "REG_QWORD",
}


class Hive:
    """A tree under construction, with its own part of the truth."""

    def __init__(self, path, name, written):
        self.path, self.name, self.written = path, name, written
        self.root, self.truth = Key(ts=s.INSTALL), []

    def put(self, path, time, values, part=None):
        """Sets values of a key and its last-write time. With `part` (which part of the story) it goes into the truth."""
        key = self.root.at(path)
        key.ts = time
        key.values += values
        if part:
            self.truth += [self._row(path, time, value, part) for value in values]
        return key

    def gone_value(self, path, value, part):
        """A value that was deleted from the key."""
        key = self.root.at(path)
        key.gone_values.append(value)
        self.truth.append({**self._row(path, key.ts, value, part), "deleted": True})

    def gone_key(self, path, name, time, values, part):
        """A key that was deleted below the key at `path`."""
        self.root.at(path).gone[name] = Key(values=values, ts=time)
        self.truth += [{**self._row(f"{path}\\{name}", time, value, part), "deleted": True} for value in values]

    def _row(self, path, time, value, part):
        name, kind, data = value
        return {
            "hive": self.path,
            "key": path,
            "value": name,
            "type": KIND_NAMES.get(kind, kind),
            "data": data.hex() if isinstance(data, bytes) else data,
            "last_write": iso(time),
            "part": part,
        }


def software():
    h = Hive(CONFIG + "SOFTWARE", "emRoot\\System32\\Config\\SOFTWARE", T["shutdown"])
    now = s.INSTALLED_BUILD
    h.put(
        r"Microsoft\Windows NT\CurrentVersion",
        now,
        [
            ("ProductName", SZ, "Windows 10 Pro"),
            ("DisplayVersion", SZ, "22H2"),
            ("ReleaseId", SZ, "2009"),
            ("CurrentBuild", SZ, "19045"),
            ("CurrentBuildNumber", SZ, "19045"),
            ("CurrentVersion", SZ, "6.3"),
            ("CurrentMajorVersionNumber", DWORD, 10),
            ("CurrentMinorVersionNumber", DWORD, 0),
            ("UBR", DWORD, 2130),
            ("EditionID", SZ, "Professional"),
            ("InstallationType", SZ, "Client"),
            ("InstallDate", DWORD, unix(now)),
            ("InstallTime", QWORD, now),
            ("RegisteredOwner", SZ, "経理部"),
            ("RegisteredOrganization", SZ, "株式会社テスト商事"),
            ("SystemRoot", SZ, r"C:\Windows"),
            ("PathName", SZ, r"C:\Windows"),
            ("ProductId", SZ, "00330-80000-00000-AA417"),
            ("BuildLab", SZ, "19041.vb_release.191206-1406"),
        ],
        "host",
    )
    profiles = r"Microsoft\Windows NT\CurrentVersion\ProfileList"
    h.put(
        profiles,
        now,
        [
            ("ProfilesDirectory", EXPAND_SZ, r"%SystemDrive%\Users"),
            ("Default", EXPAND_SZ, r"%SystemDrive%\Users\Default"),
            ("ProgramData", EXPAND_SZ, r"%SystemDrive%\ProgramData"),
            ("Public", EXPAND_SZ, r"%SystemDrive%\Users\Public"),
        ],
    )
    for sid, folder, time in (
        (s.SID, rf"C:\Users\{s.USER}", T["relogon"]),
        (s.ADMIN_SID, rf"C:\Users\{s.ADMIN}", T["admin_logon"]),
        ("S-1-5-18", r"%systemroot%\system32\config\systemprofile", now),
        ("S-1-5-19", r"%systemroot%\ServiceProfiles\LocalService", now),
        ("S-1-5-20", r"%systemroot%\ServiceProfiles\NetworkService", now),
    ):
        low, high = (time - 3_117) & 0xFFFFFFFF, time - 3_117 >> 32
        h.put(
            f"{profiles}\\{sid}",
            time,
            [
                ("ProfileImagePath", EXPAND_SZ, folder),
                ("Flags", DWORD, 0),
                ("State", DWORD, 0),
                ("LocalProfileLoadTimeLow", DWORD, low),
                ("LocalProfileLoadTimeHigh", DWORD, high),
            ],
            "host",
        )
    h.put(
        r"Microsoft\Windows\CurrentVersion\Run",
        ft("2022-10-20T03:31:07.1180442"),
        [
            ("SecurityHealth", EXPAND_SZ, r"%windir%\system32\SecurityHealthSystray.exe"),
            ("MfpMonitor", SZ, r'"C:\Program Files\MfpTool\MfpMon.exe" /tray'),
        ],
        "clean",
    )
    h.put(r"Microsoft\Windows\CurrentVersion\RunOnce", ft("2022-10-20T03:31:07.1180442"), [])
    h.put(
        r"WOW6432Node\Microsoft\Windows\CurrentVersion\Run",
        ft("2021-09-14T00:12:44.0091735"),
        [("LhaUpdate", SZ, r'"C:\Program Files (x86)\Lhaplus\LpUpdate.exe"')],
        "clean",
    )
    h.put(r"WOW6432Node\Microsoft\Windows\CurrentVersion\Explorer", ft("2022-10-20T03:31:08.0000417"), [])
    h.put(r"Microsoft\Windows\CurrentVersion\Explorer", ft("2022-10-20T03:31:08.0000417"), [])
    h.put(
        r"Microsoft\Windows NT\CurrentVersion\Winlogon",
        ft("2022-11-04T01:22:11.7730215"),
        [
            ("Shell", SZ, "explorer.exe"),
            ("Userinit", SZ, r"C:\Windows\system32\userinit.exe,"),
            ("LastUsedUsername", SZ, s.ADMIN),
        ],
        "host",
    )
    paths = r"Microsoft\Windows Defender\Exclusions\Paths"
    h.put(
        paths,
        T["exclusion"] + 3_410_227,
        [(s.ROAMING + r"\Vuhqiwf", DWORD, 0), (s.SYSTEM32 + "\\" + s.SERVICE_DIR, DWORD, 0)],
        "defence",
    )
    h.put(r"Microsoft\Windows Defender\Real-Time Protection", now, [("DpaDisabled", DWORD, 0)])
    cache, task_id = r"Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache", "{5C2B0E71-93D4-4A6F-8E15-D07F62A94B3C}"
    made, ran = T["task"] + 9_001, T["task"] + 72_000_000_000 - 26_604_418
    h.put(f"{cache}\\Tree{s.TASK}", made, [("Id", SZ, task_id), ("Index", DWORD, 3)], "persistence")
    command, arguments = utf16("rundll32.exe"), utf16(s.FOLLOW_COMMAND.split(" ", 1)[1])
    actions = struct.pack("<HI", 3, 12) + utf16("Author") + struct.pack("<HI", 0x6666, 0)
    actions += (
        struct.pack("<I", len(command))
        + command
        + struct.pack("<I", len(arguments))
        + arguments
        + struct.pack("<IH", 0, 0)
    )
    h.put(
        f"{cache}\\Tasks\\{task_id}",
        ran,
        [
            ("Path", SZ, s.TASK),
            ("Hash", BINARY, hashlib.sha256(task_xml().encode("utf-16")).digest()),
            ("Schema", DWORD, 0x10002),
            ("Date", SZ, "2022-11-02T18:15:02"),
            ("Author", SZ, f"{s.HOST}\\{s.USER}"),
            ("URI", SZ, s.TASK),
            ("Actions", BINARY, actions),
            ("DynamicInfo", BINARY, struct.pack("<IQQIIQ", 3, made, ran, 0, 0, ran + 33_120_771)),
        ],
        "persistence",
    )
    h.put(f"{cache}\\Plain\\{task_id}", made, [])
    net = r"Microsoft\Windows NT\CurrentVersion\NetworkList"
    profile = "{7A2F14D8-53C9-4E0B-8D61-B9E0C45A2F73}"

    def system_time(text):  # local time, as NetworkList keeps it
        t = datetime.datetime.fromisoformat(text)
        return struct.pack(
            "<8H", t.year, t.month, t.isoweekday() % 7, t.day, t.hour, t.minute, t.second, t.microsecond // 1000
        )

    h.put(
        f"{net}\\Profiles\\{profile}",
        T["boot"] + 211_003_117,
        [
            ("ProfileName", SZ, "testshoji.example.test"),
            ("Description", SZ, "testshoji.example.test"),
            ("Managed", DWORD, 0),
            ("Category", DWORD, 1),
            ("NameType", DWORD, 6),
            ("DateCreated", BINARY, system_time("2019-04-15T10:02:41.000")),
            ("DateLastConnected", BINARY, system_time("2022-11-04T08:50:12.000")),
        ],
        "host",
    )
    for program, version, date in (
        ("Microsoft Office Professional Plus 2019 - ja-jp", "16.0.10392.20029", "20190416"),
        ("Lhaplus", "1.74", "20190417"),
        ("弥生会計 21", "27.1.1", "20201102"),
        ("Sysmon64", "14.1", "20220901"),
    ):
        h.put(
            f"Microsoft\\Windows\\CurrentVersion\\Uninstall\\{program}",
            ft(f"{date[:4]}-{date[4:6]}-{date[6:]}T02:11:05.5512208"),
            [
                ("DisplayName", SZ, program),
                ("DisplayVersion", SZ, version),
                ("InstallDate", SZ, date),
                ("Publisher", SZ, "(test)"),
            ],
        )
    for name, path in (("excel.exe", s.EXCEL), ("OUTLOOK.EXE", s.OUTLOOK), ("msedge.exe", s.EDGE)):
        h.put(
            f"Microsoft\\Windows\\CurrentVersion\\App Paths\\{name}",
            ft("2019-04-16T02:20:00.1234567"),
            [("", SZ, path)],
        )
    for extension, kind in ((".xls", "Excel.Sheet.8"), (".txt", "txtfile"), (".vbs", "VBSFile"), (".lnk", "lnkfile")):
        h.put(f"Classes\\{extension}", s.INSTALL, [("", SZ, kind)])
    return h


def system():
    h = Hive(CONFIG + "SYSTEM", "SYSTEM", T["shutdown"])
    h.put(
        "Select",
        s.INSTALL,
        [("Current", DWORD, 1), ("Default", DWORD, 1), ("Failed", DWORD, 0), ("LastKnownGood", DWORD, 1)],
        "host",
    )
    control, services = r"ControlSet001\Control", r"ControlSet001\Services"
    h.put(
        f"{control}\\ComputerName\\ComputerName",
        ft("2019-04-15T00:44:19.3307714"),
        [("", SZ, "mnmsrvc"), ("ComputerName", SZ, s.HOST)],
        "host",
    )
    h.put(
        f"{control}\\TimeZoneInformation",
        ft("2022-11-01T23:49:33.1128804"),
        [
            ("Bias", DWORD, -540 & 0xFFFFFFFF),
            ("ActiveTimeBias", DWORD, -540 & 0xFFFFFFFF),
            ("StandardBias", DWORD, 0),
            ("DaylightBias", DWORD, 0),
            ("StandardName", SZ, "@tzres.dll,-632"),
            ("DaylightName", SZ, "@tzres.dll,-631"),
            ("TimeZoneKeyName", SZ, s.TIME_ZONE),
        ],
        "host",
    )
    h.put(
        f"{control}\\Session Manager\\Environment",
        s.INSTALLED_BUILD,
        [
            ("PROCESSOR_ARCHITECTURE", SZ, "AMD64"),
            ("ComSpec", EXPAND_SZ, r"%SystemRoot%\system32\cmd.exe"),
            ("windir", EXPAND_SZ, "%SystemRoot%"),
            ("Path", EXPAND_SZ, r"%SystemRoot%\system32;%SystemRoot%"),
            ("NUMBER_OF_PROCESSORS", SZ, "4"),
        ],
        "host",
    )
    h.put(
        f"{control}\\Session Manager\\Memory Management\\PrefetchParameters",
        s.INSTALLED_BUILD,
        [("EnablePrefetcher", DWORD, 3)],
        "host",
    )
    h.put(f"{control}\\Session Manager", s.INSTALLED_BUILD, [("BootExecute", MULTI_SZ, ["autocheck autochk *"])])
    h.put(
        f"{control}\\FileSystem",
        s.INSTALLED_BUILD,
        [("NtfsDisable8dot3NameCreation", DWORD, 2), ("NtfsDisableLastAccessUpdate", DWORD, 0x80000003)],
    )
    h.put(
        f"{control}\\Windows",
        T["shutdown"],
        [
            ("ShutdownTime", BINARY, struct.pack("<Q", T["shutdown"])),
            ("SystemDirectory", EXPAND_SZ, r"%SystemRoot%\system32"),
        ],
        "host",
    )
    h.put(
        f"{control}\\Lsa",
        s.INSTALL,
        [("Authentication Packages", MULTI_SZ, ["msv1_0"]), ("Notification Packages", MULTI_SZ, ["scecli"])],
    )
    shim = [
        (s.EMOCHECK, T["emocheck_saved"]),
        (s.RUNDLL32, s.INSTALLED_BUILD),
        (s.FOLLOW_DLL, T["follow_created"]),
        (s.WSCRIPT, s.INSTALLED_BUILD),
        (s.POWERSHELL, s.INSTALLED_BUILD),
        (s.REGSVR32, s.INSTALLED_BUILD),
        (s.EXCEL, ft("2022-10-12T04:02:11.0088131")),
        (s.OUTLOOK, ft("2022-10-12T04:02:12.4410097")),
        (s.EDGE, ft("2022-10-29T17:51:40.9022113")),
        (s.OLD_V3, T["v3_created"]),
        (s.OLD_V2, T["v2_created"]),
        (s.OLD_V1, T["v1_created"]),
    ]
    h.put(
        f"{control}\\Session Manager\\AppCompatCache",
        T["shutdown"] - 10_117,
        [("AppCompatCache", BINARY, shim_cache(shim))],
    )
    h.shim = shim
    rows = [
        (
            "EventLog",
            0x20,
            2,
            r"%SystemRoot%\System32\svchost.exe -k LocalServiceNetworkRestricted -p",
            "Windows Event Log",
            "NT AUTHORITY\\LocalService",
        ),
        ("Schedule", 0x20, 2, r"%systemroot%\system32\svchost.exe -k netsvcs -p", "Task Scheduler", "LocalSystem"),
        ("WinDefend", 0x10, 2, f'"{s.DEFENDER}"', "Microsoft Defender Antivirus Service", "LocalSystem"),
        ("Spooler", 0x110, 2, r"%SystemRoot%\System32\spoolsv.exe", "Print Spooler", "LocalSystem"),
        ("wuauserv", 0x20, 3, r"%systemroot%\system32\svchost.exe -k netsvcs -p", "Windows Update", "LocalSystem"),
        (
            "BITS",
            0x20,
            3,
            r"%SystemRoot%\System32\svchost.exe -k netsvcs -p",
            "Background Intelligent Transfer Service",
            "LocalSystem",
        ),
        ("Sysmon64", 0x10, 2, r"C:\Windows\Sysmon64.exe", "Sysmon64", "LocalSystem"),
        ("SysmonDrv", 0x1, 0, r"SysmonDrv.sys", "SysmonDrv", None),
        ("Ntfs", 0x2, 1, r"\SystemRoot\System32\Drivers\Ntfs.sys", "Ntfs", None),
        ("bam", 0x1, 1, r"system32\drivers\bam.sys", "@%SystemRoot%\\system32\\drivers\\bam.sys,-100", None),
    ]
    for i, (name, kind, start, image, display, account) in enumerate(rows):
        values = [
            ("Type", DWORD, kind),
            ("Start", DWORD, start),
            ("ErrorControl", DWORD, 1),
            ("ImagePath", EXPAND_SZ, image),
            ("DisplayName", SZ, display),
        ]
        h.put(
            f"{services}\\{name}",
            s.INSTALLED_BUILD + i * 1_771_003,
            values + ([("ObjectName", SZ, account)] if account else []),
            "clean",
        )
    h.put(
        f"{services}\\EventLog\\Parameters",
        s.INSTALLED_BUILD,
        [("ServiceDll", EXPAND_SZ, r"%SystemRoot%\System32\wevtsvc.dll")],
    )
    h.put(
        f"{services}\\{s.SERVICE}",
        T["service"] + 2_207,
        [
            ("Type", DWORD, 0x10),
            ("Start", DWORD, 2),
            ("ErrorControl", DWORD, 0),
            ("ImagePath", EXPAND_SZ, s.SERVICE_COMMAND),
            ("DisplayName", SZ, s.SERVICE),
            ("ObjectName", SZ, "LocalSystem"),
            ("Description", SZ, "Background Intelligent Transfer Service"),
        ],
        "persistence",
    )
    h.gone_key(
        services,
        s.V1,
        T["v1_created"] + 3 * MINUTE,
        [
            ("Type", DWORD, 0x10),
            ("Start", DWORD, 2),
            ("ImagePath", EXPAND_SZ, f'"{s.OLD_V1}"'),
            ("ObjectName", SZ, "LocalSystem"),
        ],
        "old infection",
    )
    users = f"{services}\\bam\\State\\UserSettings"
    runs = [
        (s.SID, s.EXCEL, T["excel2"] + 2_404_113_117),
        (s.SID, s.REGSVR32, ft("2022-11-04T00:38:11.2040917")),
        (s.SID, s.RUNDLL32, T["rundll"] + 40_113_224),
        (s.SID, s.WSCRIPT, T["wscript"] + 71_220_093),
        (s.SID, s.POWERSHELL, T["powershell"] + 149_331_002),
        (s.SID, s.OUTLOOK, ft("2022-11-04T00:51:40.6611203")),
        (s.ADMIN_SID, s.EMOCHECK, T["emocheck"] + 51_339_774),
        (s.ADMIN_SID, s.SYSTEM32 + r"\wevtutil.exe", T["log_cleared"] + 1_004),
    ]
    h.bam = runs
    for sid in (s.SID, s.ADMIN_SID):
        mine = [run for run in runs if run[0] == sid]
        values = [("Version", DWORD, 1), ("SequenceNumber", DWORD, len(mine))]
        values += [("\\Device\\HarddiskVolume2" + path[2:], BINARY, bam(time)) for _, path, time in mine]
        h.put(f"{users}\\{sid}", max(time for *_, time in mine) + 311, values, "execution")
    tcpip = f"{services}\\Tcpip\\Parameters"
    h.put(
        tcpip,
        T["boot"] + 91_330_117,
        [
            ("Hostname", SZ, s.HOST),
            ("NV Hostname", SZ, s.HOST),
            ("Domain", SZ, ""),
            ("DhcpNameServer", SZ, "192.168.10.1"),
        ],
        "host",
    )
    h.put(
        f"{tcpip}\\Interfaces\\{{b3f0c7a2-18d4-4c65-9e0f-6a21d5c8e974}}",
        T["boot"] + 101_330_117,
        [
            ("EnableDHCP", DWORD, 1),
            ("DhcpIPAddress", SZ, s.HOST_IP),
            ("DhcpSubnetMask", SZ, "255.255.255.0"),
            ("DhcpServer", SZ, "192.168.10.1"),
            ("LeaseObtainedTime", DWORD, unix(T["boot"]) + 11),
            ("LeaseTerminatesTime", DWORD, unix(T["boot"]) + 86_411),
        ],
        "host",
    )
    h.put(r"MountedDevices", s.INSTALL, [(r"\DosDevices\C:", BINARY, struct.pack("<IQ", 0x7C3E19A4, 1 << 20))], "host")
    h.put(
        r"ControlSet001\Enum\USBSTOR\Disk&Ven_BUFFALO&Prod_USB_Flash_Disk&Rev_1.00\4C530001230417115421&0",
        ft("2022-09-12T05:20:44.1177203"),
        [
            ("FriendlyName", SZ, "BUFFALO USB Flash Disk USB Device"),
            ("DeviceDesc", SZ, "@disk.inf,%disk_devdesc%;Disk drive"),
        ],
    )
    h.put(
        r"Setup\Source OS (Updated on 10_20_2022 12_14_22)",
        s.INSTALLED_BUILD,
        [("ProductName", SZ, "Windows 10 Pro"), ("CurrentBuild", SZ, "18363"), ("InstallDate", DWORD, unix(s.INSTALL))],
        "host",
    )
    return h


def sam():
    h = Hive(CONFIG + "SAM", "\\SystemRoot\\System32\\Config\\SAM", T["admin_logon"])
    users = r"SAM\Domains\Account\Users"
    accounts = [
        (500, "Administrator", "", 0, s.INSTALL, 0x211, 0),
        (501, "Guest", "", 0, 0, 0x215, 0),
        (1001, s.USER, "経理部 田中", T["relogon"], ft("2022-07-01T00:10:22.4471902"), 0x214, 611),
        (1002, s.ADMIN, "情報システム", T["admin_logon"], ft("2022-04-01T01:02:03.0050117"), 0x214, 48),
    ]
    for rid, name, comment, last, password, flags, logons in accounts:
        written = max(last, password, s.INSTALL)
        h.put(
            f"{users}\\{rid:08X}",
            written,
            [("F", BINARY, sam_f(rid, last, password, 0, flags, logons)), ("V", BINARY, sam_v(name, comment))],
        )
        h.put(f"{users}\\Names\\{name}", s.INSTALL, [("", rid, b"")])
        h.truth.append(
            {
                "hive": h.path,
                "account": name,
                "rid": rid,
                "last_logon": iso(last) if last else None,
                "password_set": iso(password) if password else None,
                "flags": flags,
                "logons": logons,
                "comment": comment,
                "part": "host",
            }
        )
    return h


def security():
    h = Hive(CONFIG + "SECURITY", "emRoot\\System32\\Config\\SECURITY", T["shutdown"])
    h.put(r"Policy\PolAcDmN", s.INSTALL, [("", 0, struct.pack("<HHI", 20, 22, 8) + utf16(s.HOST))])
    h.put(r"Policy\PolRevision", s.INSTALL, [("", 0, struct.pack("<I", 0x00010008))])
    return h


def default():
    h = Hive(CONFIG + "DEFAULT", "temRoot\\System32\\Config\\DEFAULT", T["shutdown"])
    h.put(RUN + r"\Explorer", s.INSTALL, [])
    h.put(RUN + r"\Run", s.INSTALL, [])
    h.put(r"Control Panel\International", s.INSTALL, [("LocaleName", SZ, "ja-JP"), ("sCountry", SZ, "日本")])
    return h


def shell_folders(h, user):
    base, places = (
        RUN + r"\Explorer",
        {
            "AppData": r"%USERPROFILE%\AppData\Roaming",
            "Local AppData": r"%USERPROFILE%\AppData\Local",
            "Desktop": r"%USERPROFILE%\Desktop",
            "Personal": r"%USERPROFILE%\Documents",
            "{374DE290-123F-4565-9164-39C4925E467B}": r"%USERPROFILE%\Downloads",
        },
    )
    h.put(base + r"\User Shell Folders", s.INSTALL, [(name, EXPAND_SZ, place) for name, place in places.items()])
    h.put("Volatile Environment", s.INSTALL, [("USERNAME", SZ, user), ("USERPROFILE", SZ, rf"C:\Users\{user}")])


PROGRAMS = "{6D809377-6AF0-444B-8957-A3773F02200E}"
EXECUTABLES, SHORTCUTS = "{CEBFF5CD-ACE2-4F4F-9178-9926F41749EA}", "{F4E57C4B-2036-45F0-A9AB-443BCFE33D9F}"


def put_user_assist(h, kind, entries):
    """entries: (name, count, last run)"""
    key = f"{RUN}\\Explorer\\UserAssist\\{kind}\\Count"
    last = max(time for _, _, time in entries)
    h.put(
        key,
        last + 2_113,
        [(rot13(name), BINARY, user_assist(count, time, count * 3, count * 61_007)) for name, count, time in entries],
    )
    h.truth += [
        {
            "hive": h.path,
            "key": key,
            "value": rot13(name),
            "user_assist": name,
            "run_count": count,
            "last_run": iso(time),
            "last_write": iso(last + 2_113),
            "part": "execution",
        }
        for name, count, time in entries
    ]


def ntuser(reference):
    """`reference(path)` gives the MFT record and sequence of a file."""
    h = Hive(NTUSER, f"\\??\\C:\\Users\\{s.USER}\\ntuser.dat", T["shutdown"] - 41_117_203)
    shell_folders(h, s.USER)
    h.put(
        RUN + r"\Run",
        T["run_value"] + 1_207,
        [
            ("OneDrive", SZ, f'"{s.LOCAL}\\Microsoft\\OneDrive\\OneDrive.exe" /background'),
            ("mscpxl32", SZ, s.OLD_V3),
            ("ialkqzoob.czi", SZ, s.OLD_V4_COMMAND),
            (s.DLL_NAME, SZ, s.DLL_COMMAND),
        ],
        "persistence",
    )
    h.gone_value(RUN + r"\Run", (s.V1, SZ, s.OLD_V1), "old infection")
    h.put(RUN + r"\RunOnce", T["run_once"] + 903, [("wjcnmqh", SZ, s.FOLLOW_COMMAND)], "persistence")
    h.put(
        RUN + r"\Explorer",
        ft("2022-11-04T00:30:40.1120947"),
        [(s.V2_VALUE_NAME, BINARY, s.V2_VALUE), ("ShellState", BINARY, bytes.fromhex("240000003c280000"))],
        "old infection",
    )
    office = r"Software\Microsoft\Office\16.0"
    h.put(
        office + r"\Excel\Security\Trusted Documents\TrustRecords",
        T["enabled"] + 211,
        [
            (f"%USERPROFILE%/Downloads/{s.DOC_NAME}", BINARY, trust_record(T["enabled"] - MINUTE, True)),
            (
                "%USERPROFILE%/Documents/経費精算_2022.xlsm",
                BINARY,
                trust_record(ft("2022-04-05T01:00:02.7719403"), False),
            ),
        ],
        "opened",
    )
    h.put(
        office + r"\Excel\File MRU",
        T["excel2"] + 3_330_117,
        [
            ("Max Display", DWORD, 25),
            ("Item 1", SZ, f"[F00000000][T{T['excel2']:016X}][O00000000]*{s.TEMPLATE_DOC}"),
            ("Item 2", SZ, f"[F00000000][T{T['excel1']:016X}][O00000000]*{s.DOWNLOAD_DOC}"),
            (
                "Item 3",
                SZ,
                f"[F00000000][T{ft('2022-10-28T01:05:49.0190023'):016X}][O00000000]*{s.PROFILE}\\Documents\\経費精算_2022.xlsm",
            ),
        ],
        "opened",
    )
    h.put(
        office + r"\Excel\Place MRU",
        T["excel2"] + 3_330_902,
        [("Item 1", SZ, f"[F00000000][T{T['excel2']:016X}][O00000000]*{s.TEMPLATE_DOC.rsplit(chr(92), 1)[0]}\\")],
        "opened",
    )
    h.put(office + r"\Excel\Security", ft("2019-04-16T02:25:10.0077116"), [("VBAWarnings", DWORD, 2)], "defence")
    h.put(
        office + r"\Excel\Security\Trusted Locations\Location2",
        ft("2019-04-16T02:25:10.0077116"),
        [("Path", EXPAND_SZ, s.TEMPLATE_DOC.rsplit("\\", 1)[0] + "\\"), ("AllowSubFolders", DWORD, 1)],
        "defence",
    )
    h.put(
        office + r"\Outlook\Security",
        ft("2019-04-16T02:27:44.3371205"),
        [("OutlookSecureTempFolder", SZ, s.MAIL_DOC.rsplit("\\", 1)[0] + "\\")],
        "opened",
    )
    recent = RUN + r"\Explorer\RecentDocs"

    def document(name):
        return (
            utf16(name + "\0")
            + item_entry(f"{name}.lnk", "DOC~1.LNK", False, 0, T["excel1"], T["excel1"], T["excel1"])[:]
            + b"\0\0"
        )

    h.put(
        recent,
        T["excel2"] + 1_220_093,
        [
            ("MRUListEx", BINARY, struct.pack("<IIi", 1, 0, -1)),
            ("0", BINARY, document("notes.txt")),
            ("1", BINARY, document(s.DOC_NAME)),
        ],
        "opened",
    )
    h.put(
        recent + r"\.xls",
        T["excel2"] + 1_220_093,
        [("MRUListEx", BINARY, struct.pack("<Ii", 0, -1)), ("0", BINARY, document(s.DOC_NAME))],
        "opened",
    )
    h.put(
        RUN + r"\Explorer\TypedPaths",
        T["consent"] - 9_330_117,
        [("url1", SZ, s.TEMPLATE_DOC.rsplit("\\", 1)[0])],
        "opened",
    )
    put_user_assist(
        h,
        EXECUTABLES,
        [
            (PROGRAMS + r"\Microsoft Office\root\Office16\EXCEL.EXE", 41, T["excel2"]),
            (PROGRAMS + r"\Microsoft Office\root\Office16\OUTLOOK.EXE", 198, T["outlook_run"]),
            ("MSEdge", 77, T["download_start"]),
            (s.OLD_V3, 1, T["v3_created"] + 52_113_117),
        ],
    )
    put_user_assist(
        h,
        SHORTCUTS,
        [(r"{0139D44E-6AFE-49F2-8690-3DAFCAE6FFB8}\Excel 2019.lnk", 12, ft("2022-10-28T01:05:44.9911023"))],
    )
    return h


def admin_ntuser(replayed):
    """The administrator's hive: what lies in the file, or with `replayed` what its log makes of it."""
    h = Hive(ADMIN_NTUSER, f"\\??\\C:\\Users\\{s.ADMIN}\\ntuser.dat", T["admin_logon"])
    shell_folders(h, s.ADMIN)
    h.put(RUN + r"\Run", ft("2022-04-01T01:05:12.9930041"), [], None)
    h.put(RUN + r"\Explorer", T["vaccine"], [(s.V2_VALUE_NAME, BINARY, s.VACCINE)], "vaccine")
    entries = [(r"{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\cmd.exe", 6, T["admin_logon"] + 3 * MINUTE)]
    if replayed:
        entries.append((s.EMOCHECK, 1, T["emocheck"]))
    put_user_assist(h, EXECUTABLES, entries)
    if replayed:
        h.put(
            RUN + r"\Explorer\RunMRU",
            T["emocheck"] - 2 * MINUTE,
            [("a", SZ, "cmd\\1"), ("MRUList", SZ, "a")],
            "clean-up",
        )
    return h


def usrclass(reference):
    h = Hive(
        USRCLASS,
        f"\\??\\C:\\Users\\{s.USER}\\AppData\\Local\\Microsoft\\Windows\\UsrClass.dat",
        T["shutdown"] - 40_112_774,
    )
    base = r"Local Settings\Software\Microsoft\Windows\Shell\BagMRU"
    h.bags = []

    def bag(path, item, shown, time, slot):
        h.put(
            path,
            time,
            [
                ("0", BINARY, item + b"\0\0"),
                ("MRUListEx", BINARY, struct.pack("<Ii", 0, -1)),
                ("NodeSlot", DWORD, slot),
            ],
        )
        h.bags.append({"key": path, "path": shown, "last_write": iso(time)})

    def folder(path, short, name):
        created = ft("2019-04-15T00:31:08")
        return item_entry(name, short, True, 0, created, created, created, reference(path))

    first = T["template_copy"] - 40_117_203
    bag(base, item_root(), "This PC", first, 1)
    bag(base + r"\0", item_drive(), "C:\\", first, 2)
    bag(base + r"\0\0", folder(r"C:\Program Files", "PROGRA~1", "Program Files"), r"C:\Program Files", first, 3)
    bag(
        base + r"\0\0\0",
        folder(r"C:\Program Files\Microsoft Office", "MICROS~1", "Microsoft Office"),
        r"C:\Program Files\Microsoft Office",
        first,
        4,
    )
    bag(
        base + r"\0\0\0\0",
        folder(r"C:\Program Files\Microsoft Office\root", "root", "root"),
        r"C:\Program Files\Microsoft Office\root",
        first,
        5,
    )
    bag(
        base + r"\0\0\0\0\0",
        folder(r"C:\Program Files\Microsoft Office\root\Templates", "TEMPLA~1", "Templates"),
        r"C:\Program Files\Microsoft Office\root\Templates",
        first,
        6,
    )
    h.put(
        r"Local Settings\Software\Microsoft\Windows\Shell\MuiCache",
        T["excel2"],
        [
            (s.EXCEL + ".FriendlyAppName", SZ, "Microsoft Excel"),
            (s.EXCEL + ".ApplicationCompany", SZ, "Microsoft Corporation"),
            (s.OLD_V3 + ".FriendlyAppName", SZ, "mscpxl32.exe"),
        ],
        "execution",
    )
    return h


def amcache():
    h = Hive(AMCACHE, "\\SystemRoot\\appcompat\\Programs\\Amcache.hve", T["shutdown"] - 90_117_203)
    rows = [
        (s.EXCEL, ft("2022-10-20T04:00:12.0017743"), "microsoft corporation", "10/05/2022 21:14:03"),
        (s.OLD_V1, T["v1_created"] + 41 * MINUTE, "", "01/27/2020 09:31:40"),
        (s.OLD_V3, T["v3_created"] + 37 * MINUTE, "", "10/25/2020 22:08:17"),
        (s.DLL, T["dll_created"] + 62 * MINUTE, "", "11/01/2022 19:43:55"),
        (s.FOLLOW_DLL, T["follow_created"] + 46 * MINUTE, "", "10/30/2022 07:12:09"),
        (s.EMOCHECK, T["emocheck"] + 9 * MINUTE, "jpcert/cc", "05/27/2022 02:45:31"),
    ]
    h.put(r"Root\InventoryApplicationFile", rows[-1][1], [])
    h.rows = []
    for path, time, publisher, linked in rows:
        data, name = s.stub(path), path.rsplit("\\", 1)[1]
        sha1, path_hash = (
            hashlib.sha1(data).hexdigest(),
            hashlib.sha1(path.lower().encode("utf-16-le")).hexdigest()[:16],
        )
        h.put(
            f"Root\\InventoryApplicationFile\\{name.lower()}|{path_hash}",
            time,
            [
                ("ProgramId", SZ, "0006" + hashlib.sha1(publisher.encode() + name.encode()).hexdigest()),
                ("FileId", SZ, "0000" + sha1),
                ("LowerCaseLongPath", SZ, path.lower()),
                ("LongPathHash", SZ, f"{name.lower()}|{path_hash}"),
                ("Name", SZ, name),
                ("OriginalFileName", SZ, name.lower()),
                ("Publisher", SZ, publisher),
                ("Version", SZ, ""),
                ("BinFileVersion", SZ, ""),
                ("BinaryType", SZ, "pe64_amd64"),
                ("ProductName", SZ, ""),
                ("ProductVersion", SZ, ""),
                ("LinkDate", SZ, linked),
                ("Size", QWORD, len(data)),
                ("Language", DWORD, 0),
                ("IsPeFile", DWORD, 1),
                ("IsOsComponent", DWORD, 0),
            ],
        )
        h.rows.append(
            {
                "path": path,
                "sha1": sha1,
                "size": len(data),
                "publisher": publisher,
                "link_date": linked,
                "last_write": iso(time),
            }
        )
    return h
