#!/usr/bin/env python3
"""Makes testdata/artifacts/prefetch: one prefetch file of each version, made up, without a byte of any real one.

Run it in this folder: python3 prefetch.py. Python 3 standard library only. The files come out the same each time.
"""
import os
import struct
import zlib

from casekit import ft, mam, make_pf

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'artifacts', 'prefetch')
FORMATTED = ft('2020-01-02T03:04:05.678901')
SERIAL = 0xE5F60718
# version, metrics offset: run times at, number of them, run count at, what was hashed at, bytes of metrics, of a volume
LAYOUTS = {
    (17, 152): (120, 1, 144, None, 20, 40),
    (23, 240): (128, 1, 152, None, 32, 104),
    (26, 304): (128, 8, 208, None, 32, 104),
    (30, 304): (128, 8, 208, 220, 32, 96),
    (30, 296): (128, 8, 200, 212, 32, 96),
    (31, 296): (128, 8, 200, 212, 32, 96),
}


def utf16(text):
    return text.encode('utf-16le')


def write(version, metrics, executable, hash_, device, files, directories, runs, count, hashed=None):
    """An uncompressed prefetch file. files: (path behind the device, MFT record, sequence)."""
    times_at, times, count_at, hashed_at, entry_len, volume_len = LAYOUTS[version, metrics]
    names, entries, references = b'', b'', b''
    for path, record, sequence in files:
        name, reference = device + path, record | sequence << 48
        if version == 17:
            entries += struct.pack('<5I', 0, 1, len(names) , len(name), 2)
        else:
            entries += struct.pack('<6IQ', 0, 1, 1, len(names), len(name), 2, reference)
        names += utf16(name + '\0')
        references += struct.pack('<Q', reference)
    assert len(entries) == entry_len * len(files)
    chains = struct.pack('<IIBBH', 0xffffffff, 1, 2, 1, 1) if version < 30 else struct.pack('<IBBH', 1, 2, 1, 1)
    chains_at = metrics + len(entries)
    names_at = chains_at + len(chains) * len(files)
    hashed_bytes = utf16(hashed + '\0\0') if hashed else b''
    hashed_place = names_at + len(names)
    volume_at = (hashed_place + len(hashed_bytes) + 7) // 8 * 8

    path = utf16(device + '\0')
    references_at = (volume_len + len(path) + 7) // 8 * 8
    if version == 17:
        references = struct.pack('<II', 1, len(files)) + references
    else:
        references = struct.pack('<IIQ', 3, len(files), 0) + references
    directories_at = references_at + len(references)
    volume = struct.pack('<IIQIIIII', volume_len, len(device), FORMATTED, SERIAL, references_at, len(references),
                         directories_at, len(directories))
    volume = (volume.ljust(volume_len, b'\0') + path).ljust(references_at, b'\0') + references
    for name in directories:
        volume += struct.pack('<H', len(device + name)) + utf16(device + name + '\0')

    out = bytearray(metrics)
    struct.pack_into('<I4sII', out, 0, version, b'SCCA', 15 if version == 17 else 17, volume_at + len(volume))
    out[16:16 + 2 * len(executable)] = utf16(executable)
    struct.pack_into('<I', out, 76, hash_)
    struct.pack_into('<9I', out, 84, metrics, len(files), chains_at, len(files), names_at, len(names), volume_at, 1,
                     len(volume))
    for i, run in enumerate(runs[:times]):
        struct.pack_into('<Q', out, times_at + 8 * i, run)
    struct.pack_into('<I', out, count_at, count)
    if hashed:
        struct.pack_into('<II', out, hashed_at, hashed_place, len(hashed_bytes))
    out += entries + chains * len(files) + names + hashed_bytes
    return bytes(out.ljust(volume_at, b'\0') + volume)


def with_checksum(frame):
    """MAM\\x04 turned into MAM\\x84: the same stream with the CRC-32 of the whole file."""
    head, body = b'MAM\x84' + frame[4:8], frame[8:]
    return head + struct.pack('<I', zlib.crc32(head + bytes(4) + body)) + body


def main():
    old = r'\DEVICE\HARDDISKVOLUME1'
    new = r'\VOLUME{%016x-%08x}' % (FORMATTED, SERIAL)
    system = [(r'\WINDOWS\SYSTEM32\NTDLL.DLL', 5000, 1), (r'\WINDOWS\SYSTEM32\KERNEL32.DLL', 5001, 2)]
    folders = [r'\WINDOWS', r'\WINDOWS\SYSTEM32']
    day = ft('2020-08-26T05:09:33.504647')
    second = 10 ** 7
    made = {
        # Two of the runs lie within one second, and two at the very same instant.
        'v30-mam.pf': make_pf('DYXXUR4GX.EXE', 0xBE8BC9FE,
                              [(r'\Windows\System32\ntdll.dll', 5000, 1),
                               (r'\Users\Clippy\AppData\Local\Temp\word\2019\Dyxxur4gx.exe', 4711, 3)],
                              [r'\WINDOWS', r'\WINDOWS\SYSTEM32'],
                              [day, day - 3 * 10 ** 6, day - 3600 * second, day - 3600 * second], 4, FORMATTED, SERIAL),
        'v17.pf': write(17, 152, 'NOTEPAD.EXE', 0x189578DA, old, [(r'\WINDOWS\NOTEPAD.EXE', 0, 0)] + system, folders,
                        [day], 5),
        'v23.pf': write(23, 240, 'CMD.EXE', 0x89305D47, old, system + [(r'\WINDOWS\SYSTEM32\CMD.EXE', 6000, 4)], folders,
                        [day], 12),
        # Two files of the same name: the hash tells which one was run.
        'v26.pf': write(26, 304, 'CMD.EXE', 0x4A81B364, r'\DEVICE\HARDDISKVOLUME2',
                        [(r'\WINDOWS\SYSWOW64\CMD.EXE', 6001, 1), (r'\WINDOWS\SYSTEM32\CMD.EXE', 6000, 4)] + system,
                        folders, [day - i * second for i in range(8)], 300),
        'v30-variant1.pf': write(30, 304, 'POWERSHELL.EXE', 0x920BBA2A, new,
                                 system + [(r'\WINDOWS\SYSTEM32\WINDOWSPOWERSHELL\V1.0\POWERSHELL.EXE', 0, 0)], folders,
                                 [day, day - second], 2),
        'v31-checksum.pf': with_checksum(mam(write(
            31, 296, 'REGSVR32.EXE', 0x0A1B2C3D, new, system + [(r'\WINDOWS\SYSTEM32\REGSVR32.EXE', 7000, 1)],
            folders, [day - i * 60 * second for i in range(8)], 61,
            r'\DEVICE\HARDDISKVOLUME3\WINDOWS\SYSTEM32\REGSVR32.EXE'))),
    }
    os.makedirs(OUT, exist_ok=True)
    for name, data in made.items():
        with open(os.path.join(OUT, name), 'wb') as file:
            file.write(data)


if __name__ == '__main__':
    main()
