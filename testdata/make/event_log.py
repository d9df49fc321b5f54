#!/usr/bin/env python3
"""Makes the fixtures of testdata/artifacts/event_log: python3 testdata/make/event_log.py"""

import pathlib

from evtxwriter import write_evtx

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "artifacts" / "event_log"
SECURITY = dict(provider="Microsoft-Windows-Security-Auditing", guid="{54849625-5478-4994-a5ba-3e3b0328c30d}",
                channel="Security", computer="DESKTOP-FIXTURE", keywords=0x8020000000000000, level=0, pid=640, tid=700)

# Every type of value that a record can hold, each once.
VALUES = [
    dict(SECURITY, event_id=4624, version=2, task=12544, time="2020-08-26T05:09:33.5046471Z", data=[
        ("TargetUserName", "clippy"), ("TargetDomainName", "DESKTOP-FIXTURE"), ("TargetLogonId", ("hex64", 0x3E7)),
        ("LogonType", ("u32", 2)), ("LogonGuid", ("guid", "{00000001-0002-0003-0405-060708090a0b}")),
        ("TargetUserSid", ("sid", "S-1-5-21-1004336348-1177238915-682003330-1001")),
        ("Time", ("filetime", "2020-08-26T05:09:33.5046471Z")), ("Clock", ("systemtime", "2020-08-26T05:09:33.504")),
        ("Bytes", b"\x01\xab\xff"), ("Yes", True), ("No", False), ("Minus64", -5), ("Minus8", ("i8", -1)),
        ("Minus16", ("i16", -3)), ("Minus32", ("i32", -4)), ("Plus8", ("u8", 255)), ("Plus16", ("u16", 65535)),
        ("Plus64", ("u64", 2**64 - 1)), ("Real32", ("f32", 1.5)), ("Real64", 2.25), ("Hex32", ("hex32", 0x1F4)),
        ("Pointer32", ("size32", 0x7FFE0000)), ("Pointer64", ("size64", 0x7FF612340000)), ("Nothing", None),
        ("Ansi", ("ansi", "caf\xe9")), ("Empty", ""), ("Many", ["a", "", "c,d"]), ("Twice", "1"), ("Twice", "2"),
        ("Again", "x"), ("Other", "y"), ("Again", "z"), ("Signs", "<&>\"' \u00e9 \u5929 \U0001F600"),
    ]),
    dict(provider="Service Control Manager", guid="{555908d1-a6d7-4695-8e1e-26931d2012f4}", qualifiers=16384,
         event_source_name="Service Control Manager", event_id=7045, level=4, keywords=0x8080000000000000,
         time="2020-08-26T05:10:31.0000001Z", channel="System", computer="DESKTOP-FIXTURE", user_sid="S-1-5-18",
         pid=600, tid=604, activity_id="{11111111-2222-3333-4444-555555555555}", data=[
             ("ServiceName", "mscsvidc"), ("ImagePath", "C:\\Windows\\SysWOW64\\mscsvidc.exe"),
             ("ServiceType", "user mode service"), ("StartType", "auto start"), ("AccountName", "LocalSystem")]),
    dict(provider="Classic", event_id=1, time="2020-08-26 05:10:32.1", channel="Application",
         computer="DESKTOP-FIXTURE", data=[(None, ["one", "two"])], binary=b"abc"),
    dict(provider="Microsoft-Windows-Eventlog", guid="{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}", event_id=1102, level=4,
         time="2020-08-26 05:10:33", channel="Security", computer="DESKTOP-FIXTURE",
         user_data=("LogFileCleared", "http://manifests.microsoft.com/win/2004/08/windows/eventlog", [
             ("SubjectUserSid", ("sid", "S-1-5-21-1004336348-1177238915-682003330-1001")),
             ("SubjectUserName", "clippy"), ("Inner", [("Deep", "1")])])),
    # Real logs hold such records: every Defender detection of some versions.
    dict(provider="Microsoft-Windows-Windows Defender", guid="{11cd958a-c507-4ef3-b3f2-5fd9dfbd2c78}", event_id=1116,
         level=None, task=None, opcode=None, time="2020-08-26 05:10:34", computer="DESKTOP-FIXTURE",
         channel="Microsoft-Windows-Windows Defender/Operational", user_sid="S-1-5-18", data=[
             ("Threat Name", "Trojan:Win32/Fixture"), ("Severity Name", "Severe"), ("Category Name", "Trojan"),
             ("Path", "file:_C:\\Users\\clippy\\x.exe"), ("Detection User", "DESKTOP-FIXTURE\\clippy")]),
    dict(provider="NoId", event_id=None, level=None, time="2020-08-26 05:10:35", channel="Application",
         computer="DESKTOP-FIXTURE"),
]

# More than one chunk.
CHUNKS = [dict(SECURITY, event_id=4688, record_id=1000 + i, time=f"2020-08-26T06:{i // 60 % 60:02}:{i % 60:02}.1234567Z",
               data=[("NewProcessName", f"C:\\Program Files\\Fixture\\{i:04}.exe"), ("ProcessId", ("hex64", i)),
                     ("CommandLine", "x" * 80)]) for i in range(120)]

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_evtx(FOLDER / "values.evtx", VALUES)
    write_evtx(FOLDER / "chunks.evtx", CHUNKS)
