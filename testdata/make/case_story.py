"""The made-up host and its story: every name, path and time that more than one artifact speaks of stands here, once.

A company in Tokyo, a bookkeeping PC, two infections:
 - 2020-01 … 2021-01: an old one whose leftovers were never cleaned (the PC stood in a store room, switched off, while the
   law-enforcement uninstaller of 2021-04-25 ran on others). Each generation of EmoCheck's logic finds its trace in it.
 - 2022-11-02: the main one, from a mailed invoice to a service, and the half-hearted clean-up of 2022-11-04.

Nothing here is malware: programs are stubs of text, addresses are documentation addresses (RFC 5737), domains end in
`.test` (RFC 6761).
"""

import struct

from casekit import ft, iso, prefetch_hash, uuid1

HOST = "KEIRI-PC07"
WORKGROUP = "WORKGROUP"
USER, ADMIN = "tanaka.yuki", "admin"
SID_BASE = "S-1-5-21-1187240653-2904215577-310829466"
SID, ADMIN_SID = SID_BASE + "-1001", SID_BASE + "-1002"
TIME_ZONE = "Tokyo Standard Time"
HOST_IP, OTHER_IP, FILE_SERVER = "192.168.10.45", "192.168.10.31", "FS01"
MAC = "00:0c:29:5e:a1:07"

SERIAL = 0xA41C93D60C5D7F3A
SERIAL32 = SERIAL & 0xFFFFFFFF
FORMATTED = "2019-04-15T00:31:07"  # the clock of mkntfs; whole seconds, it is faked
INSTALL = ft("2019-04-15T00:31:07")
INSTALLED_BUILD = ft("2022-10-20T03:14:22.7093316")  # feature update to 22H2 (19045)
ACQUIRED = "2022-11-04T05:00:00"
DEVICE = r"\DEVICE\HARDDISKVOLUME2"  # what prefetch hashes and BAM call C:

# -------------------------------------------------------------------------------------------- EmoCheck's five generations
WORDS = (
    "duck mfidl targets ptr khmer purge metrics acc inet msra symbol driver sidebar restore msg volume cards shext query "
    "roam etw mexico basic url createa blb pal cors send devices radio bid format thrd taskmgr timeout vmd ctl bta shlp "
    "avi exce dbt pfx rtp edge mult clr wmistr ellipse vol cyan ses guid wce wmp dvb elem channel space digital pdeft "
    "violet thunk"
).split()


def v1_name(serial):
    """EmoCheck v1: two words of a table, chosen by the volume's serial."""
    table = ",".join(WORDS)

    def word(i):
        start = table.rfind(",", 1, i + 1)
        start = i if start < 0 else start + 1
        return table[start:].split(",")[0]

    quotient, first = divmod(serial, len(table))
    return word(first) + word((0xFFFFFFFF - quotient) % len(table))


def v2_encode(name, serial):
    """EmoCheck v2: the name XORed with the serial's bytes."""
    key = struct.pack("<I", serial)
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(name.encode()))


V1 = v1_name(SERIAL32)  # thunkviolet
V2 = "symbolcards"
V2_VALUE_NAME = f"{SERIAL32:x}"  # c5d7f3a: without the leading zero
V2_VALUE = v2_encode(V2, SERIAL32)
VACCINE = bytes(0x41 + i * 7 % 191 for i in range(832))  # what an EmoCrash-like vaccine leaves in the same place

# ---------------------------------------------------------------------------------------------------------------- paths
PROFILE = f"C:\\Users\\{USER}"
LOCAL, ROAMING = PROFILE + r"\AppData\Local", PROFILE + r"\AppData\Roaming"
SYSTEM32 = r"C:\Windows\System32"
OFFICE = r"C:\Program Files\Microsoft Office\root\Office16"
EXCEL, OUTLOOK = OFFICE + r"\EXCEL.EXE", OFFICE + r"\OUTLOOK.EXE"
EDGE = r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe"
EXPLORER = r"C:\Windows\explorer.exe"
REGSVR32, RUNDLL32, WSCRIPT = SYSTEM32 + r"\regsvr32.exe", SYSTEM32 + r"\rundll32.exe", SYSTEM32 + r"\wscript.exe"
POWERSHELL = SYSTEM32 + r"\WindowsPowerShell\v1.0\powershell.exe"
DEFENDER = r"C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.2210.4-0\MsMpEng.exe"

DOC_NAME = "請求書_20221102.xls"
MAIL_DOC = LOCAL + r"\Microsoft\Windows\INetCache\Content.Outlook\7K2QXV9D" + "\\" + DOC_NAME
DOWNLOAD_DOC = PROFILE + "\\Downloads\\" + DOC_NAME
TEMPLATE_DOC = r"C:\Program Files\Microsoft Office\root\Templates" + "\\" + DOC_NAME
DESKTOP_DOC = PROFILE + "\\Desktop\\" + DOC_NAME  # a second copy, thrown away
DROPPERS = [PROFILE + f"\\oxnv{i}.ooccxx" for i in (1, 2, 3, 4)]
DROPPER = DROPPERS[2]  # the one that was a DLL and ran
DLL_DIR, DLL_NAME = "QmVtzKdRoyHe", "xLwTbNqfUcsGj.dll"
DLL = f"{LOCAL}\\{DLL_DIR}\\{DLL_NAME}"
DLL_COMMAND = f'C:\\Windows\\system32\\regsvr32.exe "{DLL}"'
SCRIPT = LOCAL + r"\Temp\YlScZcKeP.vbs"
FOLLOW_DLL = ROAMING + r"\Vuhqiwf\tidokp3.dll"
FOLLOW_COMMAND = f'rundll32.exe "{FOLLOW_DLL}",#1 --ihpuku="BrickHero\\license.dat"'
TASK = r"\Vuhqiwf_{5C2B0E71-93D4-4A6F-8E15-D07F62A94B3C}"
SERVICE_DIR, SERVICE = "LdfQwpZxaRt", "vRtymGkhbU.dll"
SERVICE_DLL = f"{SYSTEM32}\\{SERVICE_DIR}\\{SERVICE}"
SERVICE_COMMAND = f'C:\\Windows\\system32\\regsvr32.exe "{SERVICE_DLL}"'
OLD_V1, OLD_V2 = f"{LOCAL}\\{V1}\\{V1}.exe", f"{LOCAL}\\{V2}\\{V2}.exe"
OLD_V3 = LOCAL + r"\d3d11on12\mscpxl32.exe"
OLD_V4 = LOCAL + r"\Ckqnwifzsyx\ialkqzoob.czi"
OLD_V4_COMMAND = f'C:\\Windows\\SysWOW64\\rundll32.exe "{OLD_V4}",Control_RunDLL'
EMOCHECK = r"C:\Users\admin\Desktop\emocheck_v2.3.2_x64.exe"
REPORT = r"C:\Users\admin\Desktop\KEIRI-PC07_20221104103015_emocheck"
C2 = [("192.0.2.10", 8080), ("198.51.100.7", 443), ("203.0.113.99", 7080)]

HOST_URL = "https://files.example.test/dl/%E8%AB%8B%E6%B1%82%E6%9B%B8_20221102.xls"
REFERRER_URL = "https://mail.example.test/owa/#path=/mail/inbox"
ZONE_DOWNLOAD = f"[ZoneTransfer]\r\nZoneId=3\r\nReferrerUrl={REFERRER_URL}\r\nHostUrl={HOST_URL}\r\n"
ZONE_MAIL = "[ZoneTransfer]\r\nZoneId=3\r\n"
PAYLOAD_URL = "https://www.example.test/wp-content/Kx7vQ/"

# ---------------------------------------------------------------------------------------------------------------- times
T = {
    name: ft(text)
    for name, text in {
        # the old infection
        "v1_created": "2020-01-28T04:17:36.9120417",
        "v1_deleted": "2020-02-17T07:52:08.4410223",
        "v2_created": "2020-02-17T07:52:09.3380761",
        "v2_deleted": "2020-10-26T05:31:46.0017729",
        "vaccine": "2020-07-09T02:10:41.5528390",
        "v3_created": "2020-10-26T05:31:44.8071935",
        "v4_created": "2021-01-20T01:14:55.6203348",
        "store_room_off": "2021-02-03T09:22:17.1840925",
        "store_room_on": "2021-06-01T00:04:51.7702384",
        "lnk_attempt": "2022-04-26T02:33:10.6174509",
        # the day
        "boot": "2022-11-01T23:49:30.5000122",
        "logon": "2022-11-01T23:52:07.4417803",
        "outlook_run": "2022-11-01T23:55:31.0294476",
        "mail_saved": "2022-11-02T08:52:14.3309218",
        "download_start": "2022-11-02T08:53:46.9027714",
        "download": "2022-11-02T08:53:47.1183305",
        "desktop_copy": "2022-11-02T08:54:20.0448291",
        "excel1": "2022-11-02T08:55:02.7731946",
        "enabled": "2022-11-02T08:55:31.2049917",
        "consent": "2022-11-02T08:56:17.5530284",
        "template_copy": "2022-11-02T08:56:18.9915520",
        "excel2": "2022-11-02T08:57:03.4418293",
        "drop1": "2022-11-02T08:57:21.1150634",
        "regsvr1": "2022-11-02T08:57:22.0417718",
        "drop2": "2022-11-02T08:57:25.3372091",
        "regsvr2": "2022-11-02T08:57:26.1885540",
        "drop3": "2022-11-02T08:57:31.6092175",
        "regsvr3": "2022-11-02T08:57:32.8810946",
        "dll_created": "2022-11-02T08:57:35.2274410",
        "drop3_deleted": "2022-11-02T08:57:35.9041127",
        "regsvr_dll": "2022-11-02T08:57:36.4019225",
        "run_value": "2022-11-02T08:57:37.0081163",
        "drop4": "2022-11-02T08:57:40.2219604",
        "av_detected": "2022-11-02T08:57:41.7733015",
        "av_acted": "2022-11-02T08:57:44.0940328",
        "recycled": "2022-11-02T09:03:12.8816437",
        "script_created": "2022-11-02T09:14:25.1903358",
        "wscript": "2022-11-02T09:14:26.0517702",
        "powershell": "2022-11-02T09:14:28.3349916",
        "script_deleted": "2022-11-02T09:14:33.7120045",
        "follow_created": "2022-11-02T09:14:41.4486129",
        "rundll": "2022-11-02T09:14:43.2297710",
        "task": "2022-11-02T09:15:02.6604418",
        "run_once": "2022-11-02T09:15:20.1183049",
        "runas": "2022-11-02T09:17:58.0372219",
        "service_dll": "2022-11-02T09:18:35.7726006",
        "service": "2022-11-02T09:18:37.3340912",
        "exclusion": "2022-11-02T09:19:10.9005473",
        "spray": "2022-11-02T09:22:04.1120088",
        "archived": "2022-11-02T09:31:12.4470031",
        "log_cleared": "2022-11-02T09:41:55.7710332",
        "reset": "2022-11-02T10:05:44.2981176",
        # the clean-up
        "scan_detected": "2022-11-04T01:12:30.4083317",
        "scan_failed": "2022-11-04T01:12:36.1190204",
        "relogon": "2022-11-03T23:50:48.3301177",
        "regsvr_dll2": "2022-11-03T23:51:20.4471019",
        "emocheck_saved": "2022-11-04T01:26:03.5510772",
        "admin_logon": "2022-11-04T01:22:09.6627731",
        "emocheck": "2022-11-04T01:30:11.0904418",
        "report": "2022-11-04T01:30:15.7719903",
        "shutdown": "2022-11-04T01:52:40.3316609",
    }.items()
}

# The forged stamp of the installed DLL: seven days before its folder's last write, a little off, as EmoCheck v5 looks for.
DLL_FOLDER_WRITTEN = T["dll_created"]
DLL_STAMP = DLL_FOLDER_WRITTEN - 7 * 864_000_000_000 - 1_234_567
# A near miss: the old v4 file had the same relation until something else was dropped into its folder and deleted again.
V4_STAMP = T["v4_created"] - 7 * 864_000_000_000
V4_FOLDER_WRITTEN = T["v4_created"] + 26 * 600_000_000 + 417

C2_CALLS = [
    (ft(text), C2[i % 3])
    for i, text in enumerate(
        (
            "2022-11-02T08:57:52.1180443",
            "2022-11-02T08:58:13.5594102",
            "2022-11-02T08:59:04.0073381",
            "2022-11-02T09:12:22.7741190",
            "2022-11-02T09:27:40.3381004",
            "2022-11-02T09:43:01.9920417",
            "2022-11-02T10:00:15.1127738",
            "2022-11-04T00:05:09.4402918",
            "2022-11-04T00:21:33.8109276",
            "2022-11-04T00:38:02.2274411",
        )
    )
]

DROID_VOLUME = uuid1(INSTALL, 0x1A2B, MAC)


def droid(name):
    """The object id of a file, made when the PC was last started before it."""
    return DROID_VOLUME, uuid1(T[name], 0x1A2B, MAC)


# ------------------------------------------------------------------------------------------------------------- prefetch
def runs(*names):
    return sorted((T[name] if isinstance(name, str) and name in T else ft(name) for name in names), reverse=True)


# executable path, command line if it is part of the hash, runs, run count, what it loaded, version
PREFETCH = [
    (
        EXCEL,
        None,
        runs("excel1", "excel2", "2022-10-31T04:20:11.8830190", "2022-10-28T01:05:45.3107741"),
        37,
        [DOWNLOAD_DOC, TEMPLATE_DOC, MAIL_DOC],
        30,
    ),
    (OUTLOOK, None, runs("outlook_run", "2022-10-31T23:50:02.9915103"), 212, [MAIL_DOC], 30),
    (REGSVR32, "/S ..\\oxnv", runs("regsvr1", "regsvr2", "regsvr3"), 3, DROPPERS[:3], 30),
    (REGSVR32, f'"{DLL}"', runs("regsvr_dll", "regsvr_dll2"), 2, [DLL], 30),
    (WSCRIPT, SCRIPT, runs("wscript"), 1, [SCRIPT], 30),
    (
        POWERSHELL,
        None,
        runs("powershell", "2022-06-14T02:40:55.1029938", "2022-06-14T02:40:55.7730012"),
        3,
        [FOLLOW_DLL],
        30,
    ),
    (RUNDLL32, f'"{FOLLOW_DLL}",#1', runs("rundll"), 1, [FOLLOW_DLL], 30),
    (EMOCHECK, None, runs("emocheck"), 1, [REPORT + ".txt", REPORT + ".json"], 30),
    (EDGE, None, runs("download_start", "2022-11-01T01:12:19.0094417"), 98, [DOWNLOAD_DOC], 30),
    (SYSTEM32 + r"\notepad.exe", None, runs("2022-09-12T05:22:01.5510027"), 9, [PROFILE + r"\Documents\notes.txt"], 30),
    # Windows 11's version on a Windows 10 disk: an oddity for the decoder, not part of the story
    (SYSTEM32 + r"\mspaint.exe", None, runs("2022-08-03T06:14:47.2290053"), 2, [PROFILE + r"\Pictures\map.png"], 31),
]


def device(path):
    """`C:\\x` as a device path."""
    return DEVICE + path[2:]


def prefetch_name(path, command):
    """File name and hash; hosts of other code (regsvr32, rundll32, wscript …) add their command line to what is hashed."""
    value = prefetch_hash(device(path) + (command or ""))
    return f"{path.rsplit(chr(92), 1)[1].upper()}-{value:08X}.pf", value


def times(values):
    return [iso(value) for value in values]


# ------------------------------------------------------------------------------------------------------------- programs
PROGRAM_SIZES = {  # what matters to a rule or to an artifact; all other stubs get a size from their name
    DLL: 74_240,
    DROPPER: 74_240,
    SERVICE_DLL: 74_240,
    FOLLOW_DLL: 40_448,
    OLD_V1: 61_952,
    OLD_V2: 58_880,
    OLD_V3: 57_344,
    OLD_V4: 65_536,
    DROPPERS[3]: 73_728,
    REGSVR32: 24_576,
    RUNDLL32: 71_680,
    EMOCHECK: 92_160,
}


def stub(path, size=None):
    """What stands in for a program: `MZ` and a text. No code, nothing to run; the same path gives the same bytes.

    The dropper, the installed DLL and the service's DLL are copies of one another.
    """
    if size is None:
        size = PROGRAM_SIZES.get(path) or 2_048 + sum(path.lower().encode()) * 37 % 9_000
    name = {DLL: DROPPER, SERVICE_DLL: DROPPER}.get(path, path)
    line = f"emotrace test data, harmless, no code. It stands for {name}.\r\n".encode()
    return (b"MZ" + line * (size // len(line) + 1))[:size]
