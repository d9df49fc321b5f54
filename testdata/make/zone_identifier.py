#!/usr/bin/env python3
"""Makes the Zone.Identifier streams of testdata/artifacts/zone_identifier. Python's standard library only.

Usage: python3 testdata/make/zone_identifier.py
Witness: Python's configparser reads the same keys and values.
"""
import configparser
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "artifacts" / "zone_identifier"

DOWNLOAD = (
    "[ZoneTransfer]\r\nZoneId=3\r\nReferrerUrl=http://portal.example/inbox\r\n"
    "HostUrl=http://files.example/Rechnung_2020_08_7749.doc?id=4&x=1\r\nHostIpAddress=192.0.2.7\r\nCustom=kept\r\n"
)
ARCHIVE = "[ZoneTransfer]\r\nReferrerUrl=C:\\Users\\Clippy\\Downloads\\Förderung.zip\r\nZoneId=3\r\n"


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "download.bin").write_bytes(DOWNLOAD.encode("ascii"))
    (OUT / "archive_utf16.bin").write_bytes(b"\xff\xfe" + ARCHIVE.encode("utf-16le"))
    for name, encoding in (("download.bin", "ascii"), ("archive_utf16.bin", "utf-16")):
        parser = configparser.RawConfigParser()
        parser.read_string((OUT / name).read_bytes().decode(encoding))
        print(name, dict(parser["ZoneTransfer"]))


if __name__ == "__main__":
    main()
