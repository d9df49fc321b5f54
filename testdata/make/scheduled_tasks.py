#!/usr/bin/env python3
"""Makes the fixtures of testdata/artifacts/scheduled_tasks: python3 testdata/make/scheduled_tasks.py

Layout of .job files: Microsoft, MS-TSCH 2.4.
"""

import pathlib
import struct
import uuid

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "artifacts" / "scheduled_tasks"

XML = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Date>2020-08-26T05:31:07Z</Date>
    <Author>DESKTOP-FIXTURE\\clippy</Author>
    <Description>Network &amp; connection \u5929</Description>
    <URI>\\Msnetcs</URI>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>DESKTOP-FIXTURE\\clippy</UserId>
    </LogonTrigger>
    <TimeTrigger>
      <StartBoundary>2020-08-26T15:00:00+09:00</StartBoundary>
      <Repetition>
        <Interval>PT1H</Interval>
      </Repetition>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>S-1-5-21-1004336348-1177238915-682003330-1001</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <Hidden>true</Hidden>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>C:\\Windows\\System32\\regsvr32.exe</Command>
      <Arguments>/s "C:\\Users\\clippy\\AppData\\Local\\jkwe.dll"</Arguments>
      <WorkingDirectory>C:\\Users\\clippy</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def job(application, parameters="", folder="", author="", comment="", last_run=None, exit_code=0, status=0x41303,
        flags=0, triggers=()):
    """A legacy task. last_run = (year, month, weekday, day, hour, minute, second, millisecond); a trigger =
    ((begin year, month, day), (end year, month, day), (hour, minute), duration, interval, flags, kind, (3 values))."""
    data = struct.pack("<HH16sHHHHHHIIIII8H", 0x0601, 1, uuid.UUID("12345678-9abc-def0-1234-56789abcdef0").bytes_le, 70, 0,
                       0, 0, 60, 10, 0x20, 0xFFFFFFFF, exit_code, status, flags, *(last_run or [0] * 8))
    data += struct.pack("<H", 0)
    for text in (application, parameters, folder, author, comment):
        units = (text + "\0").encode("utf-16-le") if text else b""
        data += struct.pack("<H", len(units) // 2) + units
    data += struct.pack("<H", 0) + struct.pack("<HII", 8, 0, 0)
    data = data[:22] + struct.pack("<H", len(data)) + data[24:]
    data += struct.pack("<H", len(triggers))
    for begin, end, clock, duration, interval, bits, kind, specific in triggers:
        data += struct.pack("<HH3H3H2HIIII3HHHH", 48, 0, *begin, *end, *clock, duration, interval, bits, kind, *specific, 0, 0,
                            0)
    return data


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "definition.xml").write_bytes(b"\xff\xfe" + XML.replace("\n", "\r\n").encode("utf-16-le"))
    (FOLDER / "legacy.job").write_bytes(job(
        "C:\\Windows\\system32\\rundll32.exe", "C:\\Users\\clippy\\x.dll,Control_RunDLL", "C:\\Users\\clippy", "SYSTEM",
        "At job", (2020, 8, 3, 26, 14, 31, 7, 250), 1, 0x41300, 0x2200,
        [((2020, 8, 26), (2020, 9, 30), (14, 30), 1440, 60, 1, 1, (1, 0, 0))]))
