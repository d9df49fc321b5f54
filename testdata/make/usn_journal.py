#!/usr/bin/env python3
"""Makes testdata/artifacts/usn_journal: a made-up change journal with records of versions 2, 3 and 4.

Run it in this folder: python3 usn_journal.py. Python 3 standard library only. The file comes out the same each time.
"""
import os
import struct

from casekit import ft, usn_rec

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'artifacts', 'usn_journal')
ROOT = 5 | 5 << 48
START = ft('2020-08-26T05:09:33')
CREATE, DELETE, EXTEND, OLD, NEW, CLOSE = 0x100, 0x200, 2, 0x1000, 0x2000, 0x80000000


def version_3(ref, parent, usn, time, reason, attributes, name):
    name = name.encode('utf-16le')
    length = (76 + len(name) + 7) // 8 * 8
    head = struct.pack('<IHHQQQQQQIIIIHH', length, 3, 0, ref, 0, parent, 0, usn, time, reason, 0, 0, attributes, len(name),
                       76)
    return (head + name).ljust(length, b'\0')


def version_4(ref, parent, usn, reason, extents):
    head = struct.pack('<IHHQQQQQIIIHH', 64 + 16 * len(extents), 4, 0, ref, 0, parent, 0, usn, reason, 0, 0, len(extents),
                       16)
    return head + b''.join(struct.pack('<QQ', *extent) for extent in extents)


def main():
    folder, file, other = 100 | 1 << 48, 200 | 3 << 48, 200 | 4 << 48
    journal = bytearray(8192)  # where the head was freed

    def add(make, *fields):
        nonlocal journal
        record = make(len(journal), *fields)
        if len(journal) // 4096 != (len(journal) + len(record) - 1) // 4096:
            journal += bytes(-len(journal) % 4096)
            record = make(len(journal), *fields)
        journal += record

    second = 10 ** 7
    def v2(usn, ref, parent, seconds, reason, attributes, name):
        return usn_rec(ref, parent, usn, START + seconds * second, reason, attributes, name)

    def v3(usn, ref, parent, seconds, reason, attributes, name):
        return version_3(ref, parent, usn, START + seconds * second, reason, attributes, name)

    add(v2, folder, ROOT, 0, CREATE, 0x10, 'word')
    add(v2, folder, ROOT, 0, CREATE | CLOSE, 0x10, 'word')
    add(v2, file, folder, 1, CREATE, 0x20, 'Dyxxur4gx.exe')
    add(v2, file, folder, 2, CREATE | EXTEND | CLOSE, 0x20, 'Dyxxur4gx.exe')
    # The directory is renamed: what lies before keeps its old path.
    add(v2, folder, ROOT, 3, OLD, 0x10, 'word')
    add(v2, folder, ROOT, 3, NEW | CLOSE, 0x10, 'Fonts')
    for i in range(40):
        add(v2, file, folder, 4 + i, 1, 0x2020, 'Dyxxur4gx.exe')
    add(v3, file, folder, 60, EXTEND, 0x20, 'Dyxxur4gx.exe')
    add(lambda usn: version_4(file, folder, usn, EXTEND | CLOSE, [(0, 4096), (65536, 512)]))
    add(v2, file, folder, 61, DELETE | CLOSE, 0x20, 'Dyxxur4gx.exe')
    # The record is used again.
    add(v2, other, ROOT, 62, CREATE | CLOSE, 0x20, 'hello.txt')
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, 'renamed.j'), 'wb') as out:
        out.write(journal)


if __name__ == '__main__':
    main()
