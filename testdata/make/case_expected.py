"""What the story means: the part of the truth file that speaks of events, EmoCheck's methods and the verdict."""

import case_story as s
from case_story import T
from casekit import iso


def expected(v):
    """`v` is the volume that was made."""
    v1, v2 = s.V1 + ".exe", s.V2 + ".exe"
    folder = s.DLL.rsplit("\\", 1)[0]
    emocheck = {
        "serial": f"{s.SERIAL32:08X}",
        "v1": {
            "name": v1,
            "traces": [
                {"artifact": "deleted file", "path": s.OLD_V1},
                {"artifact": "shimcache", "path": s.OLD_V1},
                {"artifact": "amcache", "path": s.OLD_V1},
                {"artifact": "deleted Run value", "value": s.V1, "data": s.OLD_V1},
                {"artifact": "deleted service key", "value": s.V1},
            ],
        },
        "v2": {
            "value_name": s.V2_VALUE_NAME,
            "user": s.USER,
            "name": v2,
            "data": s.V2_VALUE.hex(),
            "traces": [{"artifact": "deleted file", "path": s.OLD_V2}, {"artifact": "shimcache", "path": s.OLD_V2}],
            "vaccine": {"user": s.ADMIN, "value_name": s.V2_VALUE_NAME, "size": len(s.VACCINE), "infection": False},
        },
        "v3": [{"path": s.OLD_V3, "run_value": "mscpxl32", "size": s.PROGRAM_SIZES[s.OLD_V3], "valid": True}],
        "v4": [{"path": s.OLD_V4, "run_value": "ialkqzoob.czi", "command": s.OLD_V4_COMMAND}],
        "v4_not": [
            {
                "path": s.LOCAL + r"\Zoomlike\updater.bin",
                "why": "Roaming has a folder of that name: the allow list drops it",
            },
            {
                "path": s.SYSTEM32 + r"\drivers\bam.sys",
                "why": "fits the pattern only if System32 is searched too; a driver where drivers lie",
            },
        ],
        "v5": [
            {
                "path": s.DLL,
                "folder": folder,
                "folder_written": iso(s.DLL_FOLDER_WRITTEN),
                "file_written": iso(s.DLL_STAMP),
                "difference_ticks": s.DLL_FOLDER_WRITTEN - s.DLL_STAMP,
                "found_by_emocheck": True,
            },
            {
                "path": s.SERVICE_DLL,
                "folder": s.SERVICE_DLL.rsplit("\\", 1)[0],
                "folder_written": iso(T["service_dll"]),
                "file_written": v.files[s.SERVICE_DLL[3:].replace("\\", "/")]["modified"],
                "difference_ticks": 7 * 864_000_000_000 - 1_904_113,
                "found_by_emocheck": False,
                "why_not": "EmoCheck looks below SysWOW64 on a 64-bit system",
            },
        ],
        "v5_not": [
            {
                "path": s.OLD_V4,
                "why": "the folder was written again 26 minutes later",
                "folder_written": iso(s.V4_FOLDER_WRITTEN),
                "file_written": iso(s.V4_STAMP),
            }
        ],
    }
    chain = [
        ("delivered", "mail_saved", s.MAIL_DOC, ["mft", "usn", "sysmon 11", "sysmon 15"]),
        ("delivered", "download", s.DOWNLOAD_DOC, ["mft", "usn", "zone_identifier", "sysmon 15"]),
        ("opened", "excel1", s.DOWNLOAD_DOC, ["prefetch", "sysmon 1", "4688", "lnk", "office file mru"]),
        ("opened", "enabled", s.DOWNLOAD_DOC, ["trust records"]),
        ("opened", "template_copy", s.TEMPLATE_DOC, ["mft", "usn"]),
        ("opened", "excel2", s.TEMPLATE_DOC, ["prefetch", "sysmon 1", "4688", "lnk", "office file mru", "user assist"]),
        ("executed", "drop3", s.DROPPER, ["deleted file", "usn", "sysmon 11"]),
        ("executed", "regsvr3", s.DROPPER, ["prefetch", "sysmon 1", "4688"]),
        ("installed", "dll_created", s.DLL, ["mft $FN", "usn", "sysmon 11"]),
        ("executed", "drop3_deleted", s.DROPPER, ["usn"]),
        ("executed", "regsvr_dll", s.DLL, ["prefetch", "sysmon 1", "4688"]),
        ("persistent", "run_value", s.DLL, ["run key", "sysmon 13"]),
        ("blocked", "av_acted", s.DROPPERS[3], ["defender 1116 1117", "quarantine", "mplog"]),
        ("executed", "wscript", s.SCRIPT, ["prefetch", "sysmon 1", "4688"]),
        ("executed", "powershell", s.FOLLOW_DLL, ["prefetch", "sysmon 1", "4688", "powershell 4104 400 800"]),
        ("follow-on", "follow_created", s.FOLLOW_DLL, ["mft", "usn", "sysmon 11"]),
        ("persistent", "task", s.FOLLOW_DLL, ["task xml", "task cache", "4698", "task scheduler 106"]),
        ("persistent", "run_once", s.FOLLOW_DLL, ["run once", "sysmon 13"]),
        ("persistent", "service", s.SERVICE_DLL, ["services key", "7045", "sysmon 13"]),
        ("defence", "exclusion", s.FOLLOW_DLL, ["defender 5007", "exclusions key"]),
        ("lateral", "spray", s.OTHER_IP, ["4625"]),
        ("anti-forensics", "log_cleared", "Security", ["1102"]),
        ("clean-up", "report", s.REPORT + ".json", ["mft", "usn", "prefetch", "emocheck report"]),
    ]
    rows = [
        {"stage": stage, "time": iso(T[name]), "object": thing, "evidence": evidence}
        for stage, name, thing, evidence in chain
    ]
    rows += [
        {
            "stage": "communicated",
            "time": iso(when),
            "object": f"{address}:{port}",
            "process": s.REGSVR32,
            "evidence": ["sysmon 3", "5156"] if when < T["archived"] or when > T["log_cleared"] else ["sysmon 3"],
        }
        for when, (address, port) in s.C2_CALLS
    ]
    rows.sort(key=lambda row: row["time"])
    verdict = {
        "verdict": "confirmed",
        "state": "active",
        "affected_users": [s.USER],
        "window_begins": iso(T["mail_saved"]),
        "first_execution": iso(T["regsvr1"]),
        "window_ends": iso(max(when for when, _ in s.C2_CALLS)),
        "stages": ["delivered", "opened", "executed", "installed", "persistent", "communicated"],
        "earlier_infection": {
            "from": iso(T["v1_created"]),
            "to": iso(T["v4_created"]),
            "explained_by": "leftovers of 2020-01 to 2021-01; the PC was off when the uninstaller of 2021-04-25 ran",
        },
        "must_not_count": [s.LOCAL + r"\Zoomlike\updater.bin", f"vaccine value {s.V2_VALUE_NAME} of {s.ADMIN}"],
        "c2": [f"{address}:{port}" for address, port in s.C2],
    }
    not_there = [
        "SRUM (needs an ESE database writer)",
        "$LogFile records (ntfs-3g leaves it empty)",
        "volume shadow copies",
        "WOF-compressed files",
        "jump lists",
        "PST/OST mailbox",
    ]
    return {"emocheck": emocheck, "chain": rows, "verdict": verdict, "not_there": not_there}
