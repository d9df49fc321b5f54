#!/usr/bin/env python3
"""Makes the jump lists of testdata/artifacts/jump_lists. Python's standard library only; the same bytes every time.

Usage: python3 testdata/make/jump_lists.py
"""
import struct
import uuid
from pathlib import Path

from casekit import ft
from lnk import (END, FILE_DROID, HAS_ARGS, HAS_INFO, SERIAL, UNICODE, VOLUME_DROID, header, link_info, string, tracker, wide)

OUT = Path(__file__).resolve().parent.parent / "artifacts" / "jump_lists"
SECTOR, MINI, CUTOFF = 512, 64, 4096
FREE, END_OF_CHAIN, FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def link(path, arguments=None, droids=True):
    times = ft("2020-08-26T05:00:00"), ft("2020-08-26T05:00:01"), ft("2020-08-26T05:00:02")
    out = header(HAS_INFO | UNICODE | (HAS_ARGS if arguments else 0), 0x20, *times, 4096) + link_info(path, SERIAL, "SYSTEM")
    out += string(arguments) if arguments else b""
    return out + (tracker("desktop-ripclip", VOLUME_DROID, FILE_DROID) if droids else b"") + END


def pad(data, size):
    return data + b"\0" * (-len(data) % size)


def compound(streams):
    """A compound file, version 3, with one FAT sector and at most 127 other sectors."""
    sectors, fat = [], []

    def add(data):
        """Appends data as one chain and gives its first sector."""
        if not data:
            return END_OF_CHAIN
        first, count = len(sectors), len(pad(data, SECTOR)) // SECTOR
        sectors.extend(pad(data, SECTOR)[i * SECTOR:(i + 1) * SECTOR] for i in range(count))
        fat.extend(list(range(first + 1, first + count)) + [END_OF_CHAIN])
        return first

    mini, mini_fat, entries = b"", [], []
    for name, data in streams:
        if len(data) < CUTOFF:
            first, count = len(mini) // MINI, len(pad(data, MINI)) // MINI
            mini += pad(data, MINI)
            mini_fat += list(range(first + 1, first + count)) + [END_OF_CHAIN]
        else:
            first = add(data)
        entries.append((name, 2, first, len(data)))
    mini_first = add(mini)
    mini_fat_first = add(b"".join(struct.pack("<I", n) for n in mini_fat))
    entries.insert(0, ("Root Entry", 5, mini_first, len(mini)))

    # The tree: each stream is the right neighbour of the one before it, in the order of length, then name.
    order = sorted(range(1, len(entries)), key=lambda i: (len(entries[i][0]), entries[i][0].upper()))
    right = {a: b for a, b in zip(order, order[1:])}
    directory = b""
    for number, (name, kind, first, size) in enumerate(entries):
        text = wide(name)
        child = order[0] if kind == 5 else FREE
        directory += text.ljust(64, b"\0") + struct.pack("<HBB", len(text), kind, 1)
        directory += struct.pack("<III", FREE, right.get(number, FREE), child) + bytes(36) + struct.pack("<IQ", first, size)
    directory_first = add(pad(directory, SECTOR))
    fat_at = len(sectors)
    fat.append(FAT_SECTOR)
    sectors.append(b"".join(struct.pack("<I", n) for n in (fat + [FREE] * 128)[:128]))
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIIII", 0, 1, directory_first, 0, CUTOFF, mini_fat_first, 1 if mini_fat else 0, END_OF_CHAIN, 0, fat_at)
    return head.ljust(512, b"\xff") + b"".join(sectors)


def entry(version, number, path, time, uses, pin=-1):
    out = struct.pack("<Q", 0) + (VOLUME_DROID + FILE_DROID) * 2 + b"desktop-ripclip\0"
    out += struct.pack("<II", number, 0) + struct.pack("<fQi", uses if version == 1 else 1.5, ft(time), pin)
    if version > 1:
        out += struct.pack("<iIQ", -1, uses, 0)
    out += struct.pack("<H", len(path)) + wide(path, end=False)
    return out + (b"\0\0\0\0" if version > 1 else b"")


def dest_list(version, entries, highest):
    pinned = sum(1 for e in entries if e[4] != -1)
    out = struct.pack("<IIIfII", version, len(entries), pinned, 2.5, highest, 0) + struct.pack("<II", len(entries) * 2, 0)
    return out + b"".join(entry(version, *e) for e in entries)


def version4():
    cmd, document = r"C:\Windows\System32\cmd.exe", r"C:\Users\Clippy\Documents\plan.docx"
    entries = [(2, cmd, "2020-08-26T05:09:00", 3, -1), (1, document, "2020-08-25T17:00:00", 1, 0)]
    padded = "/c rem" + " " * 2100 + "end"
    streams = [("DestList", dest_list(4, entries, 7)), ("1", link(document)), ("2", link(cmd, padded)), ("7", link(r"D:\left over.txt", droids=False))]
    return compound(streams)


def version1():
    path = r"C:\Users\Clippy\Documents\old.doc"
    return compound([("DestList", dest_list(1, [(1, path, "2014-03-02T10:11:12", 5, -1)], 1)), ("1", link(path))])


def tasks():
    class_id = uuid.UUID("00021401-0000-0000-c000-000000000046").bytes_le
    mark = struct.pack("<I", 0xBABFFBAB)
    one = lambda text: class_id + link(r"C:\Program Files\App\app.exe", text, droids=False)
    name = "Nützlich"
    out = struct.pack("<III", 2, 3, 0)
    out += struct.pack("<IH", 0, len(name)) + wide(name, end=False) + struct.pack("<I", 1) + one("/one") + mark
    out += struct.pack("<II", 1, 2) + mark
    return out + struct.pack("<II", 2, 2) + one("/two") + one("/three") + mark


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "version4.automaticDestinations-ms").write_bytes(version4())
    (OUT / "version1.automaticDestinations-ms").write_bytes(version1())
    (OUT / "tasks.customDestinations-ms").write_bytes(tasks())


if __name__ == "__main__":
    main()
