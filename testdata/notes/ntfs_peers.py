#!/usr/bin/env python3
"""Holds emotrace's reading of an NTFS volume against dissect.ntfs, sleuthkit and libfsntfs.

    ntfs_peers.py EMOTRACE RAW_IMAGE_OR_$MFT [--sample N]

Needs dissect.ntfs (PyPI) in the Python that runs it, `fls` and `icat` (Debian: sleuthkit), `fsntfsinfo` (libfsntfs-utils).
Prints counts and every kind of difference with the first examples of it; ntfs-peers.md explains them.
"""
import argparse, collections, hashlib, io, json, os, random, subprocess, sys, tempfile
from dissect.ntfs import NTFS
from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE as T

parser = argparse.ArgumentParser()
parser.add_argument("emotrace")
parser.add_argument("image")
parser.add_argument("--sample", type=int, default=3000, help="streams of which the content is compared")
args = parser.parse_args()


class Window(io.RawIOBase):
    """The volume within the image."""
    def __init__(self, path, start, size):
        self.f, self.start, self.size, self.at = open(path, "rb"), start, size, 0
    def seekable(self): return True
    def readable(self): return True
    def tell(self): return self.at
    def seek(self, to, whence=0):
        self.at = to + (0, self.at, self.size)[whence]
        return self.at
    def read(self, n=-1):
        n = self.size - self.at if n is None or n < 0 else min(n, self.size - self.at)
        self.f.seek(self.start + self.at)
        got = self.f.read(max(n, 0))
        self.at += len(got)
        return got


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="surrogateescape").stdout


differences = collections.defaultdict(list)
def differ(what, *detail):
    differences[what].append(detail)


EPOCH = 11644473600
def ticks(text):
    """RFC 3339 with seven digits to 100 ns since 1601."""
    import calendar, time
    whole, fraction = text.rstrip("Z").split(".")
    return (calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + EPOCH) * 10_000_000 + int(fraction)

def from_ns(ns):
    return ns // 100 + EPOCH * 10_000_000

TIMES = ("created", "modified", "changed", "accessed")
def our_times(values):
    return tuple(ticks(values[t]) if values.get(t) else None for t in TIMES)


info = json.loads(run(args.emotrace, "info", "--json", args.image))
table = "partitions" not in info
for volume in [{"start": 0, "len": 0, "label": None, "fs": "ntfs"}] if table else info["partitions"]["volumes"]:
    if "ntfs" not in json.dumps(volume).lower():
        continue
    start, length, label = volume["start"], volume["len"], volume["label"]
    print(f"== {os.path.basename(args.image)} {label} at {start}")

    # Ours.
    ours_si, ours_fn, deleted, streams = {}, collections.defaultdict(set), set(), collections.defaultdict(set)
    issues = 0
    command = [args.emotrace, "timeline", "-a", "file_times", "--vss", "none", args.image]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stdout:
        row = json.loads(line)
        origin, values = row["origin"], row["values"]
        if origin["volume"] != label:
            continue
        record = int(origin["record"].split("-")[0])
        if row["state"] == "deleted":
            deleted.add(record)
        if row["event"] == "windows:file:times":
            ours_si[record] = values
        else:
            ours_fn[record].add((values["name"], values["namespace"], values["parent"], our_times(values)))
            if values.get("dos_name"):
                ours_fn[record].add((values["dos_name"], "dos", values["parent"], our_times(values)))
    messages = process.stderr.read().decode().strip()

    # dissect.
    fs = NTFS(mft=open(args.image, "rb")) if table else NTFS(Window(args.image, start, length))
    theirs = {}
    names = {0: "posix", 1: "win32", 2: "dos", 3: "win32+dos"}
    size = fs._record_size if not table else int.from_bytes(open(args.image, "rb").read(32)[28:], "little")
    total = os.path.getsize(args.image) // size if table else fs.mft.fh.size // size
    for number in range(total):
        try:
            record = fs.mft.get(number)
        except Exception as error:
            theirs[number] = repr(error)
            continue
        header = record.header
        base = header.BaseFileRecordSegment.SegmentNumberLowPart | header.BaseFileRecordSegment.SegmentNumberHighPart << 32
        if base or (number and header.BaseFileRecordSegment.SequenceNumber):
            continue
        theirs[number] = record
    seen = 0
    for number, record in theirs.items():
        if isinstance(record, str):
            if number in ours_si or number in ours_fn:
                differ("record only ours", number, record)
            continue
        try:
            attributes = record.attributes
        except Exception as error:
            differ("record dissect can't read", number, repr(error))
            continue
        si = attributes.get(T.STANDARD_INFORMATION)
        fn = attributes.get(T.FILE_NAME)
        if not si and not fn and number not in ours_si and number not in ours_fn:
            continue
        seen += 1
        gone = not record.header.Flags & 1
        if gone != (number in deleted):
            differ("in use or not", number, gone)
        if si:
            a = si[0].attribute if hasattr(si[0], "attribute") else si[0]
            times = tuple(from_ns(getattr(a, n)) for n in ("creation_time_ns", "last_modification_time_ns", "last_change_time_ns", "last_access_time_ns"))
            mine = our_times(ours_si[number]) if number in ours_si else None
            if mine is None:
                differ("no $SI of ours", number)
            elif any(m is not None and m != t for m, t in zip(mine, times)) or any(m is None and t != 0 for m, t in zip(mine, times)):
                differ("$SI times", number, mine, times)
        their_names = set()
        for name in fn or []:
            a = name.attribute if hasattr(name, "attribute") else name
            t = tuple(from_ns(getattr(a, n)) for n in ("creation_time_ns", "last_modification_time_ns", "last_change_time_ns", "last_access_time_ns"))
            p = a.attr.ParentDirectory
            parent = f"{p.SegmentNumberLowPart | p.SegmentNumberHighPart << 32}-{p.SequenceNumber}"
            their_names.add((a.file_name, names[a.flags], parent, t))
        mine = {(n, s, p, tuple(x if x is not None else 0 for x in t)) for n, s, p, t in ours_fn.get(number, ())}
        if their_names != mine:
            differ("$FN", number, sorted(their_names - mine)[:2], sorted(mine - their_names)[:2])
        main = [x for x in attributes.get(T.DATA, []) if x.name == ""] if attributes.get(T.DATA) else []
        if main and number in ours_si:
            try:
                length_there = record.size("")
            except Exception as error:
                length_there = repr(error)
            if ours_si[number].get("size") != length_there:
                differ("size", number, ours_si[number].get("size"), length_there)
    known = {n for n, r in theirs.items() if not isinstance(r, str)}
    for number in sorted((set(ours_si) | set(ours_fn)) - known):
        if number not in theirs:
            differ("extension record dissect does not list, ours as a file", number)
    print(f"   records: {len(set(ours_si) | set(ours_fn))} of ours, {seen} of dissect; deleted {len(deleted)}")

    if table:
        paths = 0
        for number, record in theirs.items():
            if isinstance(record, str) or number not in ours_si or number in deleted:
                continue
            try:
                there = {"\\" + p.replace("/", "\\").lstrip("\\") for p in record.full_paths()}
            except Exception as error:
                there = {repr(error)}
            here = {ours_si[number].get("path", ""), *ours_si[number].get("links", [])}
            paths += 1
            if not here <= there and number != 5 and here != {""}:
                differ("path", number, sorted(here)[:1], sorted(there)[:1])
        print(f"   paths of live records compared: {paths}")

    # sleuthkit.
    offset = str(start // 512)
    paths = {}
    for line in run("fls", "-r", "-p", "-o", offset, args.image).splitlines() if not table else ():
        kind, rest = line.split(" ", 1)
        gone = rest.startswith("* ")
        rest = rest[2:] if gone else rest
        inode, path = rest.split(":\t", 1)
        realloc = inode.endswith("(realloc)")
        number = int(inode.replace("(realloc)", "").split("-")[0])
        if number < total and not path.startswith("$OrphanFiles") or number in ours_fn:
            paths.setdefault((gone, number, realloc), set()).add(path.split(":")[0])
    live_theirs = {(number, p) for (gone, number, _), ps in paths.items() if not gone for p in ps}
    gone_theirs = {number for (gone, number, realloc) in paths if gone and not realloc}
    live_ours = set()
    for number, values in ours_si.items():
        if number in deleted:
            continue
        for p in [values.get("path", ""), *values.get("links", [])]:
            live_ours.add((number, (p.split(":", 1)[-1] if p[1:2] == ":" else p).replace("\\", "/").lstrip("/")))
    live_ours = {(n, p) for n, p in live_ours if p and not p.startswith("$Orphan")}
    live_theirs = {(n, p) for n, p in live_theirs if not p.startswith("$OrphanFiles")}
    if table:
        live_ours, live_theirs, gone_theirs = set(), set(), deleted
    for item in sorted(live_theirs - live_ours): differ("live path only fls", item)
    for item in sorted(live_ours - live_theirs): differ("live path only ours", item)
    for item in sorted(gone_theirs - deleted): differ("deleted only fls", item)
    for item in sorted(deleted - gone_theirs): differ("deleted only ours", item, ours_si.get(item, {}).get("path"))
    if not table: print(f"   live paths: {len(live_ours)} of ours, {len(live_theirs)} of fls; deleted: {len(deleted)} and {len(gone_theirs)}")

    # libfsntfs: every live path with its times, as a body file.
    with tempfile.TemporaryDirectory() as folder:
        body = os.path.join(folder, "body")
        if not table: run("fsntfsinfo", "-o", str(start), "-B", body, "-H", args.image)
        lines = open(body, errors="surrogateescape").read().splitlines() if os.path.exists(body) else []
    count = 0
    for line in lines:
        # A name may hold the sign that stands between the columns, and line breaks.
        parts = line.split("|", 1)[-1].rsplit("|", 9)
        if len(parts) < 10 or line.startswith("#") or not parts[1].split("-")[0].isdigit():
            continue
        path, inode, size, atime, mtime, ctime, btime = parts[0], parts[1], *parts[5:10]
        number = int(inode.split("-")[0])
        if "($FILE_NAME)" in path or number not in ours_si or ":" in path:
            continue
        count += 1
        theirs_t = tuple((int(t.split(".")[0]) + EPOCH) * 10_000_000 + int((t.split(".") + ["0"])[1][:7].ljust(7, "0")) for t in (btime, mtime, ctime, atime))
        mine = tuple(t or 0 for t in our_times(ours_si[number]))
        # Its body file holds seconds as binary fractions, and shows a time of 0 as one far away.
        if any(abs(t - m) > 8 and m != 0 for t, m in zip(theirs_t, mine)):
            differ("times of libfsntfs", number, path, mine, theirs_t)
    if not table: print(f"   libfsntfs: {count} entries compared")

    # Content.
    with tempfile.TemporaryDirectory() as folder:
        run(args.emotrace, "extract", args.image, "-o", os.path.join(folder, "out"), "--deleted", "-p", "**")
        if table: print("   of a table, only content in the records can be compared")
        manifest = json.load(open(os.path.join(folder, "out", "manifest.json")))["files"]
    manifest = [m for m in manifest if m["volume"] == label]
    random.Random(1).shuffle(manifest)
    compared, ids = collections.Counter(), {}
    for copy in manifest[: args.sample]:
        number, stream = int(copy["record"].split("-")[0]), copy["stream"] or ""
        record = theirs.get(number)
        if isinstance(record, str) or record is None:
            continue
        try:
            attribute = [a for a in record.attributes.get(T.DATA, []) if a.name == stream]
            digest = hashlib.sha256()
            handle = record.open(stream)
            while block := handle.read(1 << 20):
                digest.update(block)
            digest = digest.hexdigest()
        except Exception as error:
            digest = repr(error)
        if table and not copy["sha256"]:
            continue
        compared["dissect"] += 1
        if copy["sha256"] != digest:
            differ("content (dissect)", copy["record"], copy["path"], stream, copy["size"], copy["sha256"] or copy["error"], digest)
        if attribute and not table:
            inode = f"{number}-128-{attribute[0].header.header.Instance}"
            out = subprocess.run(["icat", "-o", offset, args.image, inode], capture_output=True)
            compared["icat"] += 1
            if copy["sha256"] != hashlib.sha256(out.stdout).hexdigest():
                differ("content (icat)", copy["record"], copy["path"], stream, copy["size"], copy["recoverable"], len(out.stdout), out.stderr.decode(errors="replace").strip()[:90])
    print(f"   content: {len(manifest)} streams; compared {dict(compared)}")
    if messages:
        print("   emotrace says:", messages[-300:].replace("\n", " / "))
    for what, items in differences.items():
        print(f"   - {what}: {len(items)}")
        for item in items[:6]:
            print("       ", *item)
    differences.clear()
