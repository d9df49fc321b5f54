#!/usr/bin/env python3
"""Makes the Recycle Bin records of testdata/artifacts/recycle_bin. Python's standard library only; the same bytes every time.

Usage: python3 testdata/make/recycle_bin.py
"""
import struct
from pathlib import Path

from casekit import ft, make_I

OUT = Path(__file__).resolve().parent.parent / "artifacts" / "recycle_bin"
DOCUMENT = r"C:\Users\Clippy\Downloads\Rechnung_2020_08_7749.doc"


def version1(path, size, time):
    return struct.pack("<QQQ", 1, size, ft(time)) + path.encode("utf-16le").ljust(520, b"\0")


def record(path, index, time, size, left):
    ansi = bytearray(path.encode("cp1252").ljust(260, b"\0"))
    if left:
        ansi[0] = 0
    return bytes(ansi) + struct.pack("<IIQI", index, 2, ft(time), size) + path.encode("utf-16le").ljust(520, b"\0")


def info2():
    out = struct.pack("<IIIII", 5, 1, 2, 800, 4096)
    out += record(r"C:\Documents and Settings\Clippy\Desktop\setup.exe", 1, "2004-08-25T16:18:25", 2160128, False)
    return out + record(r"C:\Documents and Settings\Clippy\Desktop\first file.txt", 2, "2004-08-27T15:12:30", 4096, True)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "version2.bin").write_bytes(make_I(DOCUMENT, 175616, ft("2020-08-26T05:12:44")))
    (OUT / "version1.bin").write_bytes(version1(r"C:\Windows\System32\hythonize.exe", 3943584, "2012-04-06T19:00:55"))
    (OUT / "info2.bin").write_bytes(info2())


if __name__ == "__main__":
    main()
