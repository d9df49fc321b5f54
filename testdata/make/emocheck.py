"""Makes the fixtures of the artifacts that the offline EmoCheck reads. No code of malware: heads and names only.

    python3 testdata/make/emocheck.py
"""

import os
import struct

from hivewriter import BINARY, DWORD, SZ, Key, write_hive

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def place(*parts):
    path = os.path.join(ROOT, 'artifacts', *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def pe_head():
    """The headers of a 64-bit DLL with one empty section and no code."""
    dos = b'MZ' + bytes(58) + struct.pack('<I', 0x80) + bytes(0x40)
    coff = b'PE\0\0' + struct.pack('<HHIIIHH', 0x8664, 1, 1667331835, 0, 0, 240, 0x2022)
    optional = struct.pack('<HBBIIIII', 0x20b, 14, 0, 0, 0, 0, 0, 0x1000)
    optional += struct.pack('<QIIHHHHHHIIIIHHQQQQII', 0x180000000, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x2000, 0x400, 0,
                            2, 0x160, 0x100000, 0x1000, 0x100000, 0x1000, 0, 16) + bytes(128)
    section = b'.text\0\0\0' + struct.pack('<IIIIIIHHI', 0x10, 0x1000, 0x200, 0x400, 0, 0, 0, 0, 0x60000020)
    return (dos + coff + optional + section).ljust(0x400, b'\0') + bytes(0x200)


def explorer():
    tree = Key(ts='2020-02-17T08:00:00.1234567Z')
    key = tree.at('Software\\Microsoft\\Windows\\CurrentVersion\\Explorer')
    key.ts = '2020-02-17T07:52:09.3380761Z'
    key.values = [
        ('12345678', BINARY, bytes.fromhex('133e59770a32467b0e3346')), ('c5d7f3a', BINARY, b'\x41' * 5000),
        ('abc', SZ, 'text is not asked for'), ('1', DWORD, 1), ('123456789', BINARY, b'too long a name'),
        ('ShellState', BINARY, b'$\0\0\0'),
    ]
    return tree


def main():
    with open(place('pe_files', 'dll.czi'), 'wb') as out:
        out.write(pe_head())
    write_hive(place('explorer_values', 'ntuser.hve'), explorer(), '\\??\\C:\\Users\\taro\\ntuser.dat',
               '2020-02-17T08:00:00Z')


main()
