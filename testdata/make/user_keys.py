"""Makes the fixtures of the artifacts that tell what a user opened and typed: testdata/artifacts/*/ntuser.hve and so on.

    python3 testdata/make/user_keys.py
"""

import os
import struct

from hivewriter import BINARY, DWORD, EXPAND_SZ, SZ, Key, filetime, write_hive

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLD = '2020-01-10T08:00:00.1234567Z'
NEW = '2020-08-26T05:09:10.1234567Z'
EXPLORER = 'Software\\Microsoft\\Windows\\CurrentVersion\\Explorer'
OFFICE = 'Software\\Microsoft\\Office'


def user(artifact, tree, name='ntuser.hve', loaded='\\??\\C:\\Users\\Clippy\\ntuser.dat'):
    """Writes a user's hive; the keys by which it is known are added."""
    if name == 'ntuser.hve':
        for mark in ('Environment', 'Console', 'Control Panel'):
            tree.at(mark)
    path = os.path.join(ROOT, 'artifacts', artifact, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_hive(path, tree, loaded, OLD)


def put(tree, path, values, ts=NEW):
    key = tree.at(path)
    key.values, key.ts = values, ts


def trust_records():
    def record(time, decided, flags):
        minutes = (filetime(decided) - filetime('1970-01-01T00:00:00Z')) // 600_000_000 if decided else 7
        return struct.pack('<QqII', filetime(time), -240 * 600_000_000, minutes, flags)
    tree = Key(ts=OLD)
    below = 'Security\\Trusted Documents\\TrustRecords'
    put(tree, f'{OFFICE}\\16.0\\Word\\{below}', [
        ('%USERPROFILE%/Documents/report.docx', BINARY, record('2020-02-01T10:00:00Z', '2020-02-01T10:20:00Z', 1)),
        ('https://example.com/shared%20documents/a.docx', BINARY,
         record('2020-08-26T08:00:00Z', '2020-03-01T00:01:00Z', 1)),
        ('%USERPROFILE%/Downloads/Rechnung%202020.doc', BINARY,
         record('2020-08-26T05:07:41Z', '2020-08-26T05:09:00Z', 0x7FFFFFFF))])
    put(tree, f'{OFFICE}\\14.0\\Excel\\{below}', [
        ('file://server/share/a.xlsm', BINARY, record('2020-02-01T10:00:00Z', None, 3))])
    put(tree, f'{OFFICE}\\16.0\\PowerPoint\\{below}', [('C:/short.ppt', BINARY, b'\1\2\3')])
    tree.at(f'{OFFICE}\\16.0\\User Settings')
    user('trust_records', tree)


def office_mru():
    tree = Key(ts=OLD)
    word = f'{OFFICE}\\16.0\\Word'

    def item(time, path, flags=0):
        return f'[F{flags:08X}][T{filetime(time):016X}][O00000000]*{path}'
    put(tree, f'{word}\\File MRU', [
        ('Max Display', DWORD, 25),
        ('Item 1', SZ, item('2020-08-26T05:08:55.7654321Z', 'C:\\Users\\Clippy\\Downloads\\Rechnung 2020.doc')),
        ('Item 2', SZ, item('2020-03-01T00:00:30Z', 'https://example.com/a].docx', 1)),
        ('Item 3', SZ, '[F00000000]*D:\\undated.doc'),
        ('Item 4', DWORD, 4)])
    put(tree, f'{word}\\User MRU\\LiveId_AB12\\Place MRU', [
        ('Item 1', SZ, item('2020-08-26T05:08:55.7654321Z', 'C:\\Users\\Clippy\\Downloads\\')),
        ('Item Metadata 1', SZ, '<Metadata/>')])
    put(tree, f'{word}\\Reading Locations\\Document 0', [
        ('File Path', SZ, 'C:\\Users\\Clippy\\Downloads\\Rechnung 2020.doc'), ('Datetime', SZ, '2020-08-26T14:11'),
        ('Position', SZ, '0 0')], '2020-08-26T05:11:00.5Z')
    tree.at(f'{OFFICE}\\16.0\\User Settings')
    user('office_mru', tree)


def office_security():
    tree = Key(ts=OLD)
    word = f'{OFFICE}\\16.0\\Word\\Security'
    put(tree, word, [('VBAWarnings', DWORD, 1), ('AccessVBOM', DWORD, 1), ('Other', SZ, 'text')])
    put(tree, f'{word}\\ProtectedView', [('DisableInternetFilesInPV', DWORD, 1)])
    put(tree, f'{word}\\Trusted Documents', [('LastPurgeTime', DWORD, 22222896)], '2012-04-02T13:36:54.19672Z')
    put(tree, f'{word}\\Trusted Locations\\Location9', [
        ('Path', EXPAND_SZ, '%APPDATA%\\Microsoft\\Templates'), ('AllowSubFolders', DWORD, 1), ('Description', SZ, '0')])
    put(tree, 'Software\\Policies\\Microsoft\\Office\\16.0\\Excel\\Security',
        [('blockcontentexecutionfrominternet', DWORD, 1)])
    put(tree, f'{OFFICE}\\Common\\Security', [('MacroRuntimeScanScope', DWORD, 2)])
    user('office_security', tree)


if __name__ == '__main__':
    trust_records()
    office_mru()
    office_security()
