"""Makes the fixtures of the artifacts that tell what a user opened and typed: testdata/artifacts/*/ntuser.hve and so on.

    python3 testdata/make/user_keys.py
"""

import datetime
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


def wide(text):
    return (text + '\0').encode('utf-16le')


def order(*numbers, end=True):
    return ('MRUListEx', BINARY, struct.pack(f'<{len(numbers)}I', *numbers) + (b'\xff' * 4 if end else b''))


def fat(when):
    """FAT date and time as in shell items: date first."""
    t = datetime.datetime.fromisoformat(when)
    return struct.pack('<HH', (t.year - 1980) << 9 | t.month << 5 | t.day, t.hour << 11 | t.minute << 5 | t.second // 2)


def root(guid):
    a, b, c, d, e = guid.split('-')
    return struct.pack('<HBBIHH', 20, 0x1F, 0x50, int(a, 16), int(b, 16), int(c, 16)) + bytes.fromhex(d + e)


def drive(letter):
    return struct.pack('<HB', 25, 0x2F) + f'{letter}:\\'.encode().ljust(22, b'\0')


def entry(name, short, when, directory=True, record=(0, 0)):
    """A file entry with a beef0004 block of version 9: modified one hour after created, accessed two hours after it."""
    if when:
        base = datetime.datetime.fromisoformat(when)
        times = [fat((base + datetime.timedelta(hours=h)).isoformat()) for h in (0, 1, 2)]
    else:
        times = [bytes(4)] * 3
    first = short.encode() + b'\0'
    first += bytes(len(first) % 2)
    head = struct.pack('<BBI', 0x31 if directory else 0x32, 0, 0 if directory else 1234) + times[1]
    head += struct.pack('<H', 0x10 if directory else 0x20) + first
    long_name = wide(name)
    size = 46 + len(long_name) + 2
    block = struct.pack('<HHI', size, 9, 0xBEEF0004) + times[0] + times[2] + struct.pack('<HH', 46, 0)
    block += struct.pack('<Q', record[0] | record[1] << 48) + bytes(8) + struct.pack('<HII', 0, 0, 0) + long_name
    block += struct.pack('<H', 2 + len(head))
    return struct.pack('<H', 2 + len(head) + len(block)) + head + block


COMPUTER = root('20D04FE0-3AEA-1069-A2D8-08002B30309D')
USERS = entry('Users', 'Users', '2019-12-07T09:03:44', record=(1234, 3))


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


def recent_docs():
    tree = Key(ts=OLD)
    recent = f'{EXPLORER}\\RecentDocs'

    def document(name):
        return wide(name) + entry(f'{name}.lnk', 'RECHNU~1.LNK', None, directory=False) + b'\0\0'
    put(tree, recent, [('0', BINARY, document('old.txt')), ('1', BINARY, document('Rechnung 経.doc')), order(1, 0),
                       ('7', BINARY, document('left out.doc'))])
    put(tree, f'{recent}\\.doc', [('0', BINARY, document('Rechnung 経.doc')), order(0, end=False)], OLD)
    user('recent_docs', tree)


def run_mru():
    tree = Key(ts=OLD)
    put(tree, f'{EXPLORER}\\RunMRU', [('a', SZ, 'cmd\\1'), ('MRUList', SZ, 'ba'), ('b', SZ, 'powershell -w hidden\\1')])
    user('run_mru', tree)


def typed_paths():
    tree = Key(ts=OLD)
    put(tree, f'{EXPLORER}\\TypedPaths', [('url1', SZ, '\\\\server\\c$'), ('url2', SZ, 'C:\\ProgramData')])
    user('typed_paths', tree)


def typed_urls():
    tree = Key(ts=OLD)
    base = 'Software\\Microsoft\\Internet Explorer'
    put(tree, f'{base}\\TypedURLs', [
        ('url1', SZ, 'http://example.com/a.doc'), ('url2', SZ, 'http://no.time/'), ('url3', SZ, 'http://zero.time/')])
    put(tree, f'{base}\\TypedURLsTime', [
        ('url1', BINARY, struct.pack('<Q', filetime('2020-08-26T05:07:40.1Z'))), ('url3', BINARY, bytes(8))])
    user('typed_urls', tree)


def word_wheel_query():
    tree = Key(ts=OLD)
    put(tree, f'{EXPLORER}\\WordWheelQuery', [
        order(1, 0), ('0', BINARY, wide('password')), ('1', BINARY, wide('rechnung'))])
    put(tree, 'Software\\Microsoft\\Search Assistant\\ACMru\\5603', [('000', SZ, '*.doc'), ('001', SZ, '*.xls')])
    user('word_wheel_query', tree)


def mount_points():
    tree = Key(ts=OLD)
    base = f'{EXPLORER}\\MountPoints2'
    volume = '{11111111-2222-3333-4444-555555555555}'
    put(tree, f'{base}\\##server#share#sub', [('_LabelFromReg', SZ, 'Public'), ('_LabelFromDesktopINI', SZ, '')])
    put(tree, f'{base}\\{volume}\\shell\\AutoRun\\command', [('', SZ, 'E:\\start.exe')])
    put(tree, f'{base}\\{volume}', [], '2020-02-02T02:02:02Z')
    put(tree, f'{base}\\E', [('BaseClass', SZ, 'Drive')], OLD)
    tree.at(f'{base}\\CPC\\Volume')
    put(tree, 'Network\\Z', [('RemotePath', SZ, '\\\\files\\books'), ('UserName', SZ, 'CORP\\admin'),
                             ('ProviderName', SZ, 'Microsoft Windows Network')])
    put(tree, f'{EXPLORER}\\Map Network Drive MRU', [('a', SZ, '\\\\old\\share'), ('b', SZ, '\\\\files\\books'), ('MRUList', SZ, 'ba')])
    user('mount_points', tree)


def rdp_client():
    tree = Key(ts=OLD)
    base = 'Software\\Microsoft\\Terminal Server Client'
    put(tree, f'{base}\\Default', [('MRU0', SZ, '10.0.0.5:63389'), ('MRU1', SZ, 'dc01')])
    put(tree, f'{base}\\Servers\\dc01', [('UsernameHint', SZ, 'CORP\\admin'), ('CertHash', BINARY, b'\1\2\xff')], OLD)
    user('rdp_client', tree)


def open_save_mru():
    tree = Key(ts=OLD)
    base = f'{EXPLORER}\\ComDlg32'
    folder = COMPUTER + drive('C') + USERS
    report = folder + entry('report.doc', 'report.doc', '2020-08-26T05:07:42', directory=False, record=(5678, 2))
    put(tree, f'{base}\\OpenSavePidlMRU\\doc', [('0', BINARY, report + b'\0\0'), order(0)])
    put(tree, f'{base}\\LastVisitedPidlMRU', [('0', BINARY, wide('WINWORD.EXE') + folder + b'\0\0'), order(0)])
    put(tree, f'{base}\\CIDSizeMRU', [('0', BINARY, wide('WINWORD.EXE') + bytes(64)), order(0)])
    put(tree, f'{base}\\OpenSaveMRU\\txt', [('a', SZ, 'C:\\a.txt'), ('b', SZ, 'C:\\b.txt'), ('MRUList', SZ, 'ba')])
    put(tree, f'{base}\\LastVisitedMRU', [
        ('a', BINARY, wide('notepad.exe') + wide('C:\\Documents')), ('MRUList', SZ, 'a')])
    user('open_save_mru', tree)


def network(name):
    """A share, as the shell writes it: flags, name, description."""
    body = struct.pack('<BBB', 0xC3, 0x01, 0xC5) + name.encode() + b'\0Microsoft Network\0\0'
    return struct.pack('<H', 2 + len(body)) + body


def shellbags():
    tree = Key(ts=OLD)
    for mark in ('Local Settings\\Software\\Microsoft\\Windows', 'CLSID', 'VirtualStore', 'Local Settings\\MuiCache'):
        tree.at(mark)
    base = 'Local Settings\\Software\\Microsoft\\Windows\\Shell\\BagMRU'

    def node(path, slot, items, mru, ts):
        put(tree, path, [(str(n), BINARY, item + b'\0\0') for n, item in items] + [order(*mru), ('NodeSlot', DWORD, slot)], ts)
    public = entry('Öffentlich', 'FFENTL~1', '2019-12-07T09:03:44', record=(2222, 1))
    node(base, 1, [(0, COMPUTER), (1, network('\\\\server\\share'))], (0, 1), NEW)
    node(f'{base}\\0', 2, [(0, drive('C'))], (0,), '2020-08-26T05:09:09Z')
    node(f'{base}\\0\\0', 3, [(0, USERS)], (0,), '2020-08-26T05:09:08Z')
    node(f'{base}\\0\\0\\0', 4, [(0, public)], (0,), '2020-08-26T05:09:07Z')
    node(f'{base}\\0\\0\\0\\0', 5, [], (), '2020-08-26T05:09:06Z')
    node(f'{base}\\0\\0\\0\\5', 6, [(0, entry('mscsvidc', 'mscsvidc', None))], (), OLD)
    key, item = tree.at('Deep\\BagMRU'), entry('d', 'd', None) + b'\0\0'
    for _ in range(300):
        key.values, key.sub = [('0', BINARY, item)], {'0': Key()}
        key = key.sub['0']
    user('shellbags', tree, 'usrclass.hve', '\\??\\C:\\Users\\Clippy\\AppData\\Local\\Microsoft\\Windows\\UsrClass.dat')


if __name__ == '__main__':
    trust_records()
    office_mru()
    office_security()
    recent_docs()
    run_mru()
    typed_paths()
    typed_urls()
    word_wheel_query()
    mount_points()
    rdp_client()
    open_save_mru()
    shellbags()
