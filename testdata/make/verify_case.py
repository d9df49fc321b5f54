#!/usr/bin/env python3
"""Holds a made case.raw against case.truth.json with readers that others wrote.

    python3 testdata/make/verify_case.py case.raw testdata/case/case.truth.json

The volume: dissect.ntfs. Event logs: evtxexport (libevtx). Hives: regipy, with the log replayed, and hivexsh (hivex).
Prefetch: sccainfo (libscca). Links: lnkinfo (liblnk). Needs `pip install dissect.ntfs regipy` and the Debian packages
libevtx-utils, libscca-utils, liblnk-utils, libhivex-bin.
"""

import datetime
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

from dissect.ntfs import NTFS
from regipy.recovery import apply_transaction_logs
from regipy.registry import RegistryHive


class Window(io.RawIOBase):
    """A part of a file."""

    def __init__(self, file, start):
        self.file, self.start, self.at = file, start, 0

    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at)[whence]
        return self.at

    def tell(self):
        return self.at

    def read(self, size=-1):
        self.file.seek(self.start + self.at)
        data = self.file.read(size)
        self.at += len(data)
        return data


def ticks(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    delta = datetime.datetime.fromisoformat(whole) - datetime.datetime(1601, 1, 1)
    return (delta.days * 86400 + delta.seconds) * 10_000_000 + int(fraction)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def main(raw, truth_path):
    with open(truth_path, encoding="utf-8") as file:
        truth = json.load(file)
    volume = NTFS(Window(open(raw, "rb"), truth["partitions"][0]["offset"]))
    bad = []

    def check(what, left, right):
        if left != right:
            bad.append((what, left, right))

    check("serial", f"{volume.serial:016X}", truth["volume_serial"])
    streams = 0
    for facts in truth["files"]:
        name = facts["path"]
        if facts["record"] == truth["surrogate"]["record"]:
            continue  # dissect stops at a name that is no valid UTF-16
        record = volume.mft.get(facts["record"])
        check(
            (name, "among its paths"),
            name.replace("\\", "/") in [p.lstrip("/\\").replace("\\", "/") for p in record.full_paths()],
            True,
        )
        check(name, record.header.SequenceNumber, facts["sequence"])
        check(name, digest(record.open().read()), facts["sha256"])
        info = record.attributes.STANDARD_INFORMATION[0].attribute.attr
        check(
            name,
            [info.CreationTime, info.LastModificationTime, info.LastChangeTime, info.LastAccessTime],
            [ticks(facts[key]) for key in ("created", "modified", "changed", "accessed")],
        )
        check(
            (name, "owner"),
            str(volume.secure.lookup(record.attributes.STANDARD_INFORMATION[0].attribute.attr.SecurityId).owner),
            facts["owner"],
        )
        for attribute in record.attributes.FILE_NAME:
            check(name, attribute.attribute.attr.CreationTime, ticks(facts["fn_created"]))
        for stream in facts.get("streams", []):
            if stream["name"] == "short":
                continue  # dissect misses an attribute that ends with the record's last byte; icat reads it
            check((name, stream["name"]), digest(record.open(stream["name"]).read()), stream["sha256"])
            streams += 1
    for facts in truth["deleted"]:
        if facts.get("folder") or facts["record_reused"]:
            continue
        record = volume.mft.get(facts["record"])
        check(facts["path"], digest(record.open().read()) == facts["sha256"], facts["recoverable"])
    # the copies of the times in the directory indexes, for the seven-day relation
    for row in truth["emocheck"]["v5"]:
        folder = volume.mft.get(row["folder"][3:].replace("\\", "/"))
        parent = volume.mft.get(row["folder"][3:].rsplit("\\", 1)[0].replace("\\", "/"))
        inside = next(e for e in folder.iterdir() if e.attribute.file_name == row["path"].rsplit("\\", 1)[1])
        own = next(e for e in parent.iterdir() if e.attribute.file_name == row["folder"].rsplit("\\", 1)[1])
        check(
            "v5 index",
            own.attribute.attr.LastModificationTime - inside.attribute.attr.LastModificationTime,
            row["difference_ticks"],
        )
        tenths = row["difference_ticks"] // 1_000_000
        check("v5 window", 6_047_997 <= tenths <= 6_048_002, True)
    for path in ("compressed", "sparse"):
        check(path, digest(volume.mft.get(truth[path]["path"]).open().read()), truth[path]["sha256"])
    journal = list(volume.usnjrnl.records())
    check("journal", len(journal), len(truth["usn"]["records"]))
    for record, row in zip(journal, truth["usn"]["records"]):
        check(
            row["path"],
            (
                record.filename,
                struct.unpack("<Q", record.record.TimeStamp.dumps())[0]
                if hasattr(record.record.TimeStamp, "dumps")
                else int(record.record.TimeStamp),
                int(record.record.Reason),
            ),
            (row["name"], ticks(row["time"]), sum(REASONS[reason] for reason in row["reasons"])),
        )
    with tempfile.TemporaryDirectory() as folder:
        count = check_artifacts(volume, truth, folder, check)
        count["findings of EmoCheck's v3 to v5"] = check_emocheck(volume, truth, check)
    for row in bad[:40]:
        print("DIFFERS", row)
    print(", ".join(f"{number} {what}" for what, number in count.items()))
    print(
        len(truth["files"]),
        "files,",
        streams,
        "streams,",
        len(truth["deleted"]),
        "deleted,",
        len(journal),
        "journal records;",
        len(bad),
        "differences",
    )
    return bool(bad)


def tool(*command, text=None):
    return subprocess.run(
        command, capture_output=True, text=True, input=text, check=False, env={**os.environ, "TZ": "UTC"}
    ).stdout


def tool_time(text):
    """`Nov 02, 2022 08:57:05.103972600 UTC` as RFC 3339 with seven digits."""
    found = re.search(r"(\w{3} \d\d, \d{4} \d\d:\d\d:\d\d)\.(\d{7})", text)
    return found and datetime.datetime.strptime(found[1], "%b %d, %Y %H:%M:%S").isoformat() + "." + found[2] + "Z"


def field(text, name):
    found = re.search(rf"^\s*{re.escape(name)}\s*: (.*)$", text, re.MULTILINE)
    return found and found[1]


def check_emocheck(volume, truth, check):
    """EmoCheck's tests v3 to v5 over the whole volume: what was planted is found, and nothing else."""
    local = f"Users/{truth['users'][0]['name']}/AppData/Local/"
    folders = {row["path"]: ticks(row["modified"]) for row in truth["folders"]}
    words = {
        os.path.splitext(row["path"].split("/")[-1])[0]
        for row in truth["files"]
        if re.fullmatch(r"Windows/System32/[^/]+\.(exe|dll)", row["path"], re.IGNORECASE)
    }
    allowed = {path.split("/")[-1] for path in folders if re.search(r"AppData/Roaming/|^Program Files", path)}
    found = {"v3": [], "v4": [], "v5": []}
    for row in truth["files"]:
        path = row["path"]
        folder, name = path.rsplit("/", 1) if "/" in path else ("", path)
        root, _, word = folder.rpartition("/")
        root += "/"
        if (
            root not in (local, "Windows/SysWOW64/", "Windows/System32/")
            or volume.mft.get(row["record"]).open().read(2) != b"MZ"
        ):
            continue
        base, end = os.path.splitext(name)
        shown = "C:\\" + path.replace("/", "\\")
        if root == local and word in words and base in words and end == ".exe" and row["size"] >= 10_000:
            found["v3"].append(shown)
        if (
            root != "Windows/System32/"
            and re.fullmatch(r"[A-Za-z]{4,16}", word)
            and re.fullmatch(r"[A-Za-z]{3,15}\.[A-Za-z]{3}", name)
            and end not in (".exe", ".dll")
            and word not in allowed
        ):
            found["v4"].append(shown)
        if 6_047_997 <= int((folders[folder] - ticks(row["modified"])) / 1_000_000) <= 6_048_002:
            found["v5"].append(shown)
    for method, paths in found.items():
        check(("emocheck", method), sorted(paths), sorted(row["path"] for row in truth["emocheck"][method]))
    return sum(map(len, found.values()))


def check_artifacts(volume, truth, folder, check):
    count = {"log records": 0, "registry values": 0, "prefetch files": 0, "links": 0}

    def extract(path):
        out = os.path.join(folder, re.sub(r"[^\w.-]", "_", path))
        with open(out, "wb") as file:
            file.write(volume.mft.get(path).open().read())
        return out

    for log in truth["event_logs"]:
        blocks = re.split(r"^Event number", tool("evtxexport", extract(log["path"])), flags=re.MULTILINE)[1:]
        check(log["path"], len(blocks), len(log["records"]))
        for block, row in zip(blocks, log["records"]):
            identifier = re.search(r"Event identifier\s*: 0x[0-9a-f]+ \((\d+)\)", block)
            seen = (
                int(re.search(r": (\d+)", block)[1]),
                int(identifier[1]) & 0xFFFF,
                tool_time(field(block, "Written time")),
                field(block, "Source name"),
            )
            check(log["path"], seen, (row["record_id"], row["event_id"], row["time"], row["provider"]))
            count["log records"] += 1

    opened = {}
    for row in truth["registry"]:
        if row.get("deleted") or "type" not in row:
            continue
        name = (row["hive"], bool(row.get("from_log")))
        if name not in opened:
            path = extract(row["hive"])
            if name[1]:
                path, _ = apply_transaction_logs(path, extract(row["hive"] + ".LOG1"), None, path + ".replayed")
            opened[name] = RegistryHive(path)
        key = opened[name].get_key("\\" + row["key"])
        check((row["hive"], row["key"]), key.header.last_modified, ticks(row["last_write"]))
        values = {value.name: value for value in key.iter_values(as_json=False, trim_values=False)}
        value = values[row["value"] or "(default)"].value
        value = value.hex() if isinstance(value, bytes) else value
        check((row["hive"], row["key"], row["value"]), value, row["data"])
        if row["type"] == "REG_SZ" and row["data"] and not row.get("from_log") and "\\" not in row["value"]:
            shell = tool("hivexsh", extract(row["hive"]), text=f"cd \\{row['key']}\nlsval {row['value'] or '@'}\n")
            check((row["hive"], row["key"], row["value"], "hivexsh"), shell.rstrip("\n"), row["data"])
        count["registry values"] += 1

    for row in truth["prefetch"]:
        if row["version"] == 31:
            continue  # libscca 20200717 does not know it
        shown = tool("sccainfo", extract("Windows/Prefetch/" + row["file"]))
        runs = [tool_time(text) for text in re.findall(r"Last run time: \d+\s*: (.*)", shown)]
        names = [name.split("}", 1)[1] for name in re.findall(r"Filename: \d+\s*: (.*)", shown)]
        check(
            row["file"],
            (
                field(shown, "Executable filename"),
                field(shown, "Run count"),
                [run for run in runs if run],
                field(shown, "Prefetch hash"),
                names,
            ),
            (row["executable"], str(row["run_count"]), row["runs"], "0x" + row["hash"].lower(), row["files"]),
        )
        count["prefetch files"] += 1

    for row in truth["links"]:
        shown = tool("lnkinfo", extract(row["path"]))
        check(
            row["path"],
            (
                field(shown, "Local path"),
                tool_time(field(shown, "Creation time")),
                tool_time(field(shown, "Modification time")),
                tool_time(field(shown, "Access time")),
                field(shown, "Drive serial number"),
                field(shown, "Machine identifier"),
                re.findall(r"MFT entry: (\d+), sequence: (\d+)", shown)[-1],
                field(shown, "Command line arguments"),
            ),
            (
                row["target"],
                row["target_created"],
                row["target_modified"],
                row["target_accessed"],
                "0x" + row["volume_serial"].lower(),
                row["machine"],
                tuple(row["target_reference"].split("-")),
                row["arguments"],
            ),
        )
        count["links"] += 1
    return count


REASONS = {
    "DATA_OVERWRITE": 0x1,
    "DATA_EXTEND": 0x2,
    "DATA_TRUNCATION": 0x4,
    "NAMED_DATA_EXTEND": 0x20,
    "FILE_CREATE": 0x100,
    "FILE_DELETE": 0x200,
    "RENAME_OLD_NAME": 0x1000,
    "RENAME_NEW_NAME": 0x2000,
    "BASIC_INFO_CHANGE": 0x8000,
    "STREAM_CHANGE": 0x200000,
    "CLOSE": 0x80000000,
}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
