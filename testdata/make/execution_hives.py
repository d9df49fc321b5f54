"""Makes the fixture hives of the registry artifacts that speak of execution.

    python3 testdata/make/execution_hives.py
"""

import codecs
import os
import struct

from hivewriter import BINARY, DWORD, EXPAND_SZ, MULTI_SZ, QWORD, SZ, Key, filetime, write_hive

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSTALL = '2020-01-10T08:00:00.1234567Z'
INFECTED = '2020-08-26T05:09:52.3456789Z'
WINDOWS = 'Software\\Microsoft\\Windows\\CurrentVersion'


def place(*parts):
    path = os.path.join(ROOT, 'artifacts', *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def user_hive():
    user = Key(ts=INSTALL)
    user.at('Environment'), user.at('Console'), user.at('Control Panel')
    return user


def write_user(artifact, user):
    write_hive(place(artifact, 'ntuser.hve'), user, '\\??\\C:\\Users\\Clippy\\ntuser.dat', INSTALL)


def user_assist():
    def five(runs, focus, ms, when):
        return struct.pack('<4I', 0, runs, focus, ms) + struct.pack('<10f', *[-1.0] * 10) + struct.pack(
            '<iQI', -1, filetime(when) if when else 0, 0)

    def rot13(name):
        return codecs.encode(name, 'rot13')

    user = user_hive()
    base = user.at(f'{WINDOWS}\\Explorer\\UserAssist')
    base.at('{CEBFF5CD-ACE2-4F4F-9178-9926F41749EA}').values = [('Version', DWORD, 5)]
    base.at('{CEBFF5CD-ACE2-4F4F-9178-9926F41749EA}\\Count').values = [
        (rot13('{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\cmd.exe'), BINARY, five(6, 9, 61000, INFECTED)),
        (rot13('C:\\Users\\Public\\Rechnung.exe'), BINARY, five(1, 0, 0, '2020-08-26T05:08:00Z')),
        (rot13('Microsoft.Windows.Explorer'), BINARY, five(0, 3, 4000, None)),
        (rot13('C:\\cut.exe'), BINARY, b'\1\2\3\4\5\6\7\0'),
        (rot13('UEME_CTLSESSION'), BINARY, bytes(1612))]
    base.at('{75048700-EF1F-11D0-9888-006097DEACF9}').values = [('Version', DWORD, 3)]
    base.at('{75048700-EF1F-11D0-9888-006097DEACF9}\\Count').values = [
        (rot13('UEME_CTLSESSION'), BINARY, bytes(8)),
        (rot13('UEME_RUNPATH:C:\\WINDOWS\\system32\\NOTEPAD.EXE'), BINARY,
         struct.pack('<IIQ', 1, 7, filetime('2009-08-04T15:19:23.25Z')))]
    write_user('user_assist', user)


def system_hive():
    system = Key(ts=INSTALL)
    system.at('Select').values = [('Current', DWORD, 1), ('Default', DWORD, 1), ('Failed', DWORD, 0), ('LastKnownGood', DWORD, 2)]
    system.at('MountedDevices'), system.at('Setup')
    for number in (1, 2):
        system.at(f'ControlSet{number:03}\\Control\\ComputerName\\ComputerName').values = [('ComputerName', SZ, 'PC')]
        system.at(f'ControlSet{number:03}\\Services')
    return system


def shimcache():
    def ten(files):
        data = struct.pack('<I', 0x34) + bytes(0x24) + struct.pack('<I', len(files)) + bytes(8)
        for path, when in files:
            name = path.encode('utf-16le')
            body = struct.pack('<H', len(name)) + name + struct.pack('<QI', filetime(when), 4) + b'\1\0\0\0'
            data += b'10ts' + struct.pack('<II', 0xAAAAAAAA, len(body)) + body
        return data

    def seven(files):
        data = struct.pack('<II', 0xBADC0FEE, len(files)) + bytes(120)
        paths, at = b'', 128 + 48 * len(files)
        for path, when, flags in files:
            name = path.encode('utf-16le')
            data += struct.pack('<HHIQQIIQQ', len(name), len(name) + 2, 0, at + len(paths), filetime(when), flags, 0, 0, 0)
            paths += name + b'\0\0'
        return data + paths

    system = system_hive()
    name = 'Control\\Session Manager\\AppCompatCache'
    system.at(f'ControlSet001\\{name}').values = [('AppCompatCache', BINARY, ten([
        ('C:\\Users\\Clippy\\AppData\\Local\\evil.exe', '2020-08-26T05:09:52Z'),
        ('C:\\Windows\\System32\\cmd.exe', '2019-12-07T09:09:00.1234567Z')]))]
    system.at(f'ControlSet001\\{name}').ts = '2020-08-26T21:00:00Z'
    system.at(f'ControlSet002\\{name}').values = [('AppCompatCache', BINARY, seven([
        ('\\??\\C:\\Windows\\System32\\cmd.exe', '2010-11-20T12:00:00Z', 2),
        ('\\??\\C:\\Windows\\System32\\notepad.exe', '2009-07-14T01:00:00Z', 1)]))]
    write_hive(place('shimcache', 'system.hve'), system, 'SYSTEM', INSTALL)


def amcache():
    hive = Key(ts=INSTALL)
    empty = '0000da39a3ee5e6b4b0d3255bfef95601890afd80709'

    def item(path, values):
        key = hive.at(f'Root\\{path}')
        key.values, key.ts = values, INFECTED

    def file(name, path, size):
        item(f'InventoryApplicationFile\\{name}|0123456789abcdef', [
            ('ProgramId', SZ, '0006' + '1' * 40), ('FileId', SZ, empty), ('LowerCaseLongPath', SZ, path), ('Name', SZ, name),
            ('Publisher', SZ, ''), ('Version', SZ, '1.0'), ('BinaryType', SZ, 'pe32_i386'), ('LinkDate', SZ, '08/20/2020 11:12:13'),
            ('Size', QWORD, size), ('Language', DWORD, 1033), ('IsOsComponent', DWORD, 0), ('Usn', QWORD, 14941864)])

    file('evil.exe', 'c:\\users\\clippy\\appdata\\local\\evil.exe', 468992)
    file('large.exe', 'c:\\large.exe', 31457281)
    item('InventoryApplication\\0000aaaa', [
        ('ProgramId', SZ, '0000aaaa'), ('Name', SZ, 'Reader'), ('Version', SZ, '1.2'), ('Publisher', SZ, 'A & B'),
        ('Source', SZ, 'AddRemoveProgram'), ('InstallDate', SZ, '01/10/2020 08:30:00'), ('HiddenArp', DWORD, 0),
        ('UserSid', SZ, 'S-1-5-21-111-222-333-1001'), ('RegistryKeyPath', SZ, 'HKEY_LOCAL_MACHINE\\Software\\R')])
    item('InventoryDriverBinary\\c:/windows/system32/drivers/x.sys', [
        ('DriverName', SZ, 'x.sys'), ('Service', SZ, 'x'), ('DriverId', SZ, empty), ('DriverSigned', SZ, '1'),
        ('DriverLastWriteTime', SZ, '02/08/2020 20:54:04'), ('DriverTimeStamp', DWORD, 1577934245), ('ImageSize', DWORD, 4096)])
    item('InventoryApplicationShortcut\\x|0123456789abcdef', [('ShortcutPath', SZ, 'c:\\users\\clippy\\x.lnk')])
    item('Programs\\00000931', [
        ('0', SZ, '7-Zip 16.04 (x64)'), ('1', SZ, '16.04'), ('2', SZ, 'Igor Pavlov'), ('6', SZ, 'AddRemoveProgram'),
        ('a', QWORD, 1501593268), ('b', QWORD, 0), ('d', MULTI_SZ, ['c:\\program files\\7-zip'])])
    item('File\\{11111111-2222-3333-4444-555555555555}\\20000667bc', [
        ('15', SZ, 'C:\\Users\\bob\\old.exe'), ('101', SZ, empty), ('100', SZ, '0000f519'), ('0', SZ, 'Old'), ('6', DWORD, 5188608),
        ('f', DWORD, 1356998400), ('11', QWORD, filetime('2014-02-03T04:05:07Z')),
        ('12', QWORD, filetime('2014-02-03T04:05:06.1234567Z')), ('17', QWORD, filetime('2014-02-03T04:05:07Z'))])
    write_hive(place('amcache', 'amcache.hve'), hive, '\\SystemRoot\\AppCompat\\Programs\\Amcache.hve', INSTALL)


def bam():
    def entry(when, kind=0):
        return struct.pack('<QQII', filetime(when) if when else 0, 0, kind, 2)

    system = system_hive()
    sid = 'S-1-5-21-111-222-333-1001'
    services = system.at('ControlSet001\\Services')
    services.at(f'bam\\State\\UserSettings\\{sid}').values = [
        ('Version', DWORD, 1), ('SequenceNumber', DWORD, 26),
        ('\\Device\\HarddiskVolume2\\Users\\Clippy\\AppData\\Local\\evil.exe', BINARY, entry(INFECTED)),
        ('Microsoft.Windows.Cortana_cw5n1h2txyewy', BINARY, entry('2020-08-25T05:00:00Z', 1)),
        ('cut.exe', BINARY, b'\1\2\3\4')]
    services.at(f'dam\\UserSettings\\{sid}').values = [('\\Device\\HarddiskVolume2\\x.exe', BINARY, entry(None))]
    write_hive(place('bam', 'system.hve'), system, 'SYSTEM', INSTALL)


def app_compat_flags():
    user = user_hive()
    base = user.at('Software\\Microsoft\\Windows NT\\CurrentVersion\\AppCompatFlags')
    base.at('Layers').values = [('C:\\Users\\Clippy\\evil.exe', SZ, '~ RUNASADMIN')]
    base.at('Layers').ts = '2020-08-26T05:10:00Z'
    base.at('Compatibility Assistant\\Persisted').values = [('SIGN.MEDIA=90AD4F87 setup\\autorun.exe', DWORD, 1)]
    base.at('Compatibility Assistant\\Store').values = [
        ('C:\\Users\\Clippy\\evil.exe', BINARY, b'SACP' + struct.pack('<5I', 1, 0, 7, 40, 468992) + bytes(36))]
    write_user('app_compat_flags', user)


def mui_cache():
    user = Key(ts=INSTALL)
    user.at('CLSID'), user.at('Extensions'), user.at('Local Settings\\MuiCache')
    key = user.at('Local Settings\\Software\\Microsoft\\Windows\\Shell\\MuiCache')
    key.values = [('LangID', BINARY, b'\x09\x04'), ('C:\\Users\\Clippy\\spotify.exe.FriendlyAppName', SZ, 'Spotify'),
                  ('C:\\Users\\Clippy\\spotify.exe.ApplicationCompany', SZ, 'Spotify Ltd'),
                  ('C:\\nameless.exe.ApplicationCompany', SZ, 'Nobody'), ('@shell32.dll,-1', SZ, 'A text'),
                  ('C:\\old.exe', SZ, 'Old program')]
    key.ts = '2020-08-26T05:10:00Z'
    write_hive(place('mui_cache', 'usrclass.hve'), user, '\\??\\C:\\Users\\Clippy\\UsrClass.dat', INSTALL)


def recent_apps():
    user = user_hive()
    app = user.at(f'{WINDOWS}\\Search\\RecentApps\\{{AAAAAAAA-0000-0000-0000-000000000001}}')
    app.values = [('AppId', SZ, 'C:\\Office\\WINWORD.EXE'), ('AppPath', SZ, ''), ('LaunchCount', DWORD, 3),
                  ('LastAccessedTime', QWORD, filetime(INFECTED))]
    app.at('RecentItems\\{BBBBBBBB-0000-0000-0000-000000000002}').values = [
        ('DisplayName', SZ, 'Rechnung.doc'), ('Path', SZ, 'C:\\Users\\Clippy\\Rechnung.doc'),
        ('LastAccessedTime', QWORD, filetime('2020-08-26T05:08:00Z'))]
    write_user('recent_apps', user)


def feature_usage():
    user = user_hive()
    base = user.at(f'{WINDOWS}\\Explorer\\FeatureUsage')
    base.values = [('KeyCreationTime', QWORD, filetime(INSTALL))]
    base.at('AppSwitched').values = [('{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\cmd.exe', DWORD, 5)]
    base.at('AppSwitched').ts = '2020-08-26T05:10:00Z'
    base.at('TrayButtonClicked').values = [('StartButton', DWORD, 8)]
    write_user('feature_usage', user)


def tracing_keys():
    software = Key(ts=INSTALL)
    software.at('Microsoft\\Windows NT\\CurrentVersion'), software.at('Microsoft\\Windows\\CurrentVersion')
    software.at('Microsoft\\Tracing\\my_evil_RASAPI32').values = [('EnableFileTracing', DWORD, 0)]
    software.at('Microsoft\\Tracing\\my_evil_RASAPI32').ts = INFECTED
    software.at('Microsoft\\Tracing\\RASAPI32').values = [('EnableFileTracing', DWORD, 0)]
    software.at('WOW6432Node\\Microsoft\\Tracing\\old_RASMANCS').ts = '2020-08-26T05:10:00Z'
    write_hive(place('tracing_keys', 'software.hve'), software, 'emRoot\\System32\\Config\\SOFTWARE', INSTALL)


def registry_keys():
    software = Key(ts=INSTALL)
    software.at('Microsoft\\Windows NT\\CurrentVersion').ts = '2020-02-02T02:02:02Z'
    run = software.at('Microsoft\\Windows\\CurrentVersion\\Run')
    run.values, run.ts = [('a', SZ, 'a.exe'), ('', SZ, 'b')], INFECTED
    write_hive(place('registry_keys', 'software.hve'), software, 'emRoot\\System32\\Config\\SOFTWARE', INSTALL)


def deleted():
    user = user_hive()
    run = user.at(f'{WINDOWS}\\Run')
    run.values, run.ts = [('OneDrive', SZ, 'C:\\OneDrive.exe')], '2020-08-27T10:00:00Z'
    run.gone_values = [('mscsvidc', SZ, 'C:\\Users\\Clippy\\AppData\\Local\\mscsvidc\\mscsvidc.exe')]
    user.at(WINDOWS).gone = {'RunOnce': Key(values=[('once', SZ, 'C:\\once.exe')], ts=INFECTED)}
    user.at(WINDOWS).ts = '2020-08-27T10:00:00Z'
    write_hive(place('run_keys', 'deleted.hve'), user, '\\??\\C:\\Users\\Clippy\\ntuser.dat', INSTALL)
    system = system_hive()
    system.at('ControlSet001\\Services').gone = {'evilsvc': Key(values=[
        ('Type', DWORD, 16), ('Start', DWORD, 2), ('ImagePath', EXPAND_SZ, 'C:\\Windows\\SysWOW64\\evilsvc.exe')], ts=INFECTED)}
    system.at('ControlSet001\\Services').ts = '2020-08-27T10:00:00Z'
    write_hive(place('services', 'deleted.hve'), system, 'SYSTEM', INSTALL)


if __name__ == '__main__':
    deleted()
    registry_keys()
    amcache()
    app_compat_flags()
    bam()
    feature_usage()
    mui_cache()
    recent_apps()
    tracing_keys()
    shimcache()
    user_assist()
