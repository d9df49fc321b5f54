#!/usr/bin/env python3
"""Makes the shell links of testdata/artifacts/lnk_files. Python's standard library only; the same bytes every time.

Usage: python3 testdata/make/lnk.py            (writes beside this script's folder)
Check: lnkinfo testdata/artifacts/lnk_files/*.lnk
"""
import struct
import uuid
from pathlib import Path

from casekit import ft

OUT = Path(__file__).resolve().parent.parent / "artifacts" / "lnk_files"

HAS_ID_LIST, HAS_INFO, HAS_NAME, HAS_RELATIVE, HAS_DIR, HAS_ARGS, HAS_ICON, UNICODE = (1 << n for n in range(8))
HAS_EXP_STRING = 0x200


def wide(text, end=True):
    return (text + ("\0" if end else "")).encode("utf-16le")


def header(flags, attributes, created, accessed, written, size, icon=0, show=1, hot_key=0):
    head = struct.pack("<I", 0x4C) + uuid.UUID("00021401-0000-0000-c000-000000000046").bytes_le
    head += struct.pack("<IIQQQ", flags, attributes, created, accessed, written)
    return head + struct.pack("<IiIHHII", size, icon, show, hot_key, 0, 0, 0)


def fat(date, time):
    """FAT date and time, as two words."""
    (y, m, d), (h, n, s) = date, time
    return struct.pack("<HH", (y - 1980) << 9 | m << 5 | d, h << 11 | n << 5 | s // 2)


def item(body):
    return struct.pack("<H", len(body) + 2) + body


def root(clsid):
    return item(b"\x1f\x50" + uuid.UUID(clsid).bytes_le)


def drive(letter):
    return item(b"\x2f" + f"{letter}:\\".encode().ljust(22, b"\0"))


def file_entry(short, long, modified, created, accessed, record, sequence, directory, size=0, attributes=None):
    """A file entry with extension block beef0004, version 9 (Windows 8.1 and later)."""
    attributes = attributes if attributes is not None else (0x10 if directory else 0x20)
    body = struct.pack("<BBI", 0x31 if directory else 0x32, 0, size) + modified + struct.pack("<H", attributes)
    body += short.encode("ascii") + b"\0"
    body += b"\0" * (len(body) % 2)
    start = len(body) + 2
    block = struct.pack("<HI", 9, 0xBEEF0004) + created + accessed + struct.pack("<HHQQHII", 0x2E, 0, record | sequence << 48, 0, 0, 0, 0)
    block += wide(long) + struct.pack("<H", start)
    return item(body + struct.pack("<H", len(block) + 2) + block)


def id_list(items):
    body = b"".join(items) + b"\0\0"
    return struct.pack("<H", len(body)) + body


def link_info(path, serial, label, drive_type=3):
    volume = label.encode("ascii") + b"\0"
    volume = struct.pack("<IIII", 16 + len(volume), drive_type, serial, 16) + volume
    local = path.encode("ascii") + b"\0"
    volume_at, local_at = 28, 28 + len(volume)
    suffix_at = local_at + len(local)
    return struct.pack("<IIIIIII", suffix_at + 1, 28, 1, volume_at, local_at, 0, suffix_at) + volume + local + b"\0"


def string(text):
    return struct.pack("<H", len(text)) + wide(text, end=False)


def block(signature, body):
    return struct.pack("<II", len(body) + 8, signature) + body


def droid(time, sequence, node):
    """A version 1 UUID, as Windows stores a GUID."""
    ticks = ft(time) + 5748192000000000
    fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0xFFF | 0x1000, sequence >> 8 | 0x80, sequence & 0xFF, node)
    return uuid.UUID(fields=fields).bytes_le


def tracker(machine, volume, file):
    return block(0xA0000003, struct.pack("<II", 0x58, 0) + machine.encode().ljust(16, b"\0") + (volume + file) * 2)


def environment(path):
    return block(0xA0000001, path.encode("ascii").ljust(260, b"\0") + wide(path).ljust(520, b"\0"))


def property_store(storages):
    out = b""
    for format_id, values in storages:
        body = b"1SPS" + uuid.UUID(format_id).bytes_le
        for number, kind, value in values:
            data = struct.pack("<IBHH", number, 0, kind, 0) + value
            body += struct.pack("<I", len(data) + 4) + data
        body += b"\0\0\0\0"
        out += struct.pack("<I", len(body) + 4) + body
    return block(0xA0000009, out + b"\0\0\0\0")


def lpwstr(text):
    value = wide(text)
    value = struct.pack("<I", len(value) // 2) + value
    return value + b"\0" * (-len(value) % 4)


END = b"\0\0\0\0"
MY_COMPUTER = "20d04fe0-3aea-1069-a2d8-08002b30309d"
VOLUME_DROID = uuid.UUID("6b3f4c1e-8d2a-4f6b-9c7d-1e2f3a4b5c6d").bytes_le
FILE_DROID = droid("2020-08-26T05:01:02.345678", 0x1234, 0x000C29ABCDEF)
SERIAL = 0xA1B2C3D4


def rechnung():
    """What Explorer writes into Recent when a document is opened: every part of a link."""
    noon = fat((2020, 8, 25), (12, 0, 0))
    made = fat((2020, 8, 26), (5, 7, 42))
    items = [
        root(MY_COMPUTER),
        drive("C"),
        file_entry("Users", "Users", noon, noon, noon, 1001, 1, True, attributes=0x11),
        file_entry("Clippy", "Clippy", noon, noon, noon, 1002, 2, True),
        file_entry("DOWNLO~1", "Downloads", noon, noon, noon, 1003, 3, True),
        file_entry("RECHNU~1.DOC", "Rechnung_2020_08_7749.doc", made, made, made, 2422, 7, False, size=175616),
    ]
    path = r"C:\Users\Clippy\Downloads\Rechnung_2020_08_7749.doc"
    flags = HAS_ID_LIST | HAS_INFO | HAS_NAME | HAS_RELATIVE | HAS_DIR | UNICODE
    out = header(flags, 0x20, ft("2020-08-26T05:07:41.123456"), ft("2020-08-26T05:08:54.5"), ft("2020-08-26T05:07:41.65432") + 1, 175616)
    out += id_list(items) + link_info(path, SERIAL, "SYSTEM")
    out += string("Made by testdata/make/lnk.py") + string(r"..\..\..\..\..\Downloads\Rechnung_2020_08_7749.doc") + string(r"C:\Users\Clippy\Downloads")
    out += tracker("desktop-ripclip", VOLUME_DROID, FILE_DROID)
    out += property_store([
        ("46588ae2-4cbc-4338-bbfc-139326986dce", [(4, 0x1F, lpwstr("S-1-5-21-1111111111-2222222222-3333333333-1001"))]),
        ("446d16b1-8dad-4870-a748-402ea43d788c", [(104, 0x48, VOLUME_DROID)]),
    ])
    return out + END


def appended_script():
    """A link to a command interpreter with text behind its end, as a dropper uses it. The text is harmless."""
    flags = HAS_RELATIVE | HAS_DIR | HAS_ARGS | HAS_ICON | UNICODE | HAS_EXP_STRING
    out = header(flags, 0, 0, 0, 0, 0, icon=70, show=7, hot_key=0x064B)
    out += string(r"..\..\..\..\Windows\System32\cmd.exe") + string(r"C:\Windows\System32")
    out += string("/v:on /c rem this link does nothing") + string(r"C:\Windows\System32\shell32.dll")
    out += environment(r"%windir%\system32\cmd.exe")
    return out + END + b"\r\n' This text stands behind the end of a link.\r\n' It is a test and does nothing.\r\n"


def broken_info():
    """LinkInfo with a size that reaches behind the file: the tracker behind it has to be found all the same."""
    info = bytearray(link_info(r"D:\Docs\plan.txt", 0x1234ABCD, "DATA", drive_type=2))
    struct.pack_into("<I", info, 0, 0x7F00)
    times = ft("2021-02-03T04:05:06"), ft("2021-02-03T04:05:07"), ft("2021-02-03T04:05:08")
    out = header(HAS_INFO | HAS_DIR | UNICODE, 0x20, *times, 12)
    return out + bytes(info) + string(r"D:\Docs") + tracker("other-machine", VOLUME_DROID, FILE_DROID) + END


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (rechnung, appended_script, broken_info):
        (OUT / f"{make.__name__}.lnk").write_bytes(make())


if __name__ == "__main__":
    main()
