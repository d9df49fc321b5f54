"""Makes a large SOFTWARE hive for the bench `registry`: as many keys as Windows 10 with programs has, most of them classes.

    python3 testdata/make/big_hive.py FOLDER [KEYS]     SOFTWARE, and a dirty copy `dirty/SOFTWARE` with a log of 300 pages
"""

import os
import struct
import sys
import uuid

from hivewriter import DWORD, EXPAND_SZ, SZ, Key, base_block, build_hive, filetime, pages_between, write_log

NAME = 'emRoot\\System32\\Config\\SOFTWARE'
INSTALL = '2019-12-07T09:03:44Z'
PAGES = 300


def tree(keys):
    root = Key(ts=INSTALL)
    root.at('Microsoft\\Windows NT\\CurrentVersion').values = [('ProductName', SZ, 'Windows 10 Pro'), ('SystemRoot', SZ, 'C:\\Windows')]
    root.at('Microsoft\\Windows\\CurrentVersion\\Run').values = [('Tray', EXPAND_SZ, '%windir%\\system32\\tray.exe')]
    classes = {}
    start = filetime(INSTALL)
    for i in range(keys // 4):
        library = '%SystemRoot%\\System32\\' + ('combase', 'shell32', 'propsys', 'ole32', 'windows.storage')[i % 5] + '.dll'
        identifier = '{%s}' % str(uuid.uuid5(uuid.NAMESPACE_OID, str(i))).upper()
        classes[identifier] = Key([('', SZ, f'Class {i} Object')], {
            'InprocServer32': Key([('', EXPAND_SZ, library), ('ThreadingModel', SZ, ('Both', 'Apartment', 'Free')[i % 3])]),
            'ProgID': Key([('', SZ, f'Vendor.Object{i}.1')]),
            'VersionIndependentProgID': Key([('', SZ, f'Vendor.Object{i}')]),
        }, start + i * 10**7)
    root.at('Classes\\CLSID').sub = classes
    programs = root.at('Microsoft\\Windows\\CurrentVersion\\Uninstall')
    for i in range(500):
        programs.at(f'Program {i}').values = [('DisplayName', SZ, f'Program {i}'), ('EstimatedSize', DWORD, i)]
    return root


def dirty(whole):
    """The hive as it was before 300 of its pages were written: a key in each had another time."""
    before = bytearray(whole)
    step = (len(whole) // 4096 - 2) // PAGES
    changed = 0
    for page in range(1, len(whole) // 4096, step):
        at = whole.find(b'nk', page * 4096 + 36, page * 4096 + 4000)
        if at % 8 == 4 and changed < PAGES:
            before[at + 4] ^= 0x55
            changed += 1
    return bytes(before)


def main():
    folder = sys.argv[1]
    keys = int(sys.argv[2]) if len(sys.argv) > 2 else 250_000
    os.makedirs(os.path.join(folder, 'dirty'), exist_ok=True)
    root = tree(keys)
    whole = build_hive(root, NAME, INSTALL)
    with open(os.path.join(folder, 'SOFTWARE'), 'wb') as file:
        file.write(whole)
    before = bytearray(dirty(whole))
    # The base block of a hive that was not written to its end, for these bins.
    root_cell = struct.unpack_from('<I', whole, 36)[0]
    before[:4096] = base_block(NAME, INSTALL, root_cell, len(whole) - 4096, sequence=(2, 1))
    place = os.path.join(folder, 'dirty', 'SOFTWARE')
    with open(place, 'wb') as file:
        file.write(before)
    pages = pages_between(before, whole)
    write_log(place + '.LOG1', bytes(before), [(1, len(whole) - 4096, pages)])
    print(f'{len(whole)} bytes, {len(pages)} pages in the log')


if __name__ == '__main__':
    main()
