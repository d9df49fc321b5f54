"""Makes the project's own registry hives: testdata/hives/* (the format) and the fixtures of registry artifacts.

    python3 testdata/make/make_hives.py
"""

import os
import struct

from hivewriter import (BINARY, DWORD, DWORD_BE, EXPAND_SZ, LINK, MULTI_SZ, NONE, QWORD, SZ, Key, build_hive, filetime,
                        pages_between, write_hive, write_log, write_old_log)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSTALL = '2020-01-10T08:00:00.1234567Z'
INFECTED = '2020-08-26T05:09:52.3456789Z'
MACHINE = struct.pack('<III', 111, 222, 333)


def place(*parts):
    path = os.path.join(ROOT, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def every_kind():
    """One of everything that the format has."""
    tree = Key(ts='2021-03-04T05:06:07.1234567Z')
    tree.at('Types').values = [
        ('', SZ, 'default'), ('none', NONE, b'\1\2\3'), ('sz', SZ, 'text'), ('expand', EXPAND_SZ, '%SystemRoot%\\x'),
        ('binary', BINARY, b'\0\xff' * 8), ('dword', DWORD, 7), ('be', DWORD_BE, 7), ('link', LINK, '\\Registry\\Machine'),
        ('multi', MULTI_SZ, ['one', '', 'three']), ('qword', QWORD, 1 << 40), ('short dword', DWORD, b'\1\2'),
        ('hidden', SZ, 'shown\0not shown'.encode('utf-16le') + b'\0\0'), ('odd', 0x12345, b'abcdef'), ('empty', SZ, b''),
    ]
    tree.at('Big').values = [('exact', BINARY, b'x' * 16344), ('two', BINARY, b'y' * 16345),
                             ('five', BINARY, bytes(range(256)) * 150)]
    tree.at('Many').sub = {f'key{i:04}': Key(ts=filetime('2022-01-01T00:00:00Z') + i) for i in range(700)}
    tree.at('Names\\ÄÖü').values = [('é', SZ, 'latin')]
    tree.at('Names\\漢字').values = [('値', SZ, '日本')]
    tree.at('Names\\half\ud83d').values = [('NUL\0behind', SZ, 'x')]
    tree.at('Class').class_name = 'a class'
    tree.at('Deep\\1\\2\\3\\4\\5\\6\\7\\8').values = [('bottom', DWORD, 1)]
    tree.at('Gone').values = [('kept', SZ, 'kept')]
    tree.at('Gone').gone_values = [('lost', SZ, 'a value that was deleted')]
    tree.at('Gone').gone = {'Old': Key(values=[('v', SZ, 'value of a deleted key')], ts='2019-01-01T00:00:00Z',
                                       sub={'Deeper': Key(ts='2018-01-01T00:00:00Z')})}
    return tree


def dirty_hive():
    """Three states of one hive. The file holds the first, the logs lead to the third."""
    def state(n):
        tree = Key(ts=f'2020-0{n}-01T00:00:00Z')
        tree.at('Always').values = [('v', SZ, 'same')]
        tree.at('Changed').values = [('v', SZ, f'state {n}')]
        if n > 1:
            tree.at('New').sub = {f'n{i}': Key(ts='2020-02-02T00:00:00Z') for i in range(60)}
        if n > 2:
            tree.at('Newest').values = [('v', DWORD, 3)]
        return tree
    return [build_hive(state(n), '\\??\\dirty', ts='2020-01-01T00:00:00Z', sequence=(6, 5)) for n in (1, 2, 3)]


def write_dirty():
    one, two, three = dirty_hive()
    with open(place('hives', 'dirty.hve'), 'wb') as file:
        file.write(one)
    # Log 1 holds the later entry, log 2 the earlier one and, behind it, what is left of an earlier turn.
    write_log(place('hives', 'dirty.hve.LOG1'), one, [(6, len(three) - 4096, pages_between(two.ljust(len(three), b'\0'), three))])
    write_log(place('hives', 'dirty.hve.LOG2'), one,
              [(5, len(two) - 4096, pages_between(one.ljust(len(two), b'\0'), two)),
               (2, len(one) - 4096, [(0, bytes(4096))])])
    write_old_log(place('hives', 'dirty-old.hve.LOG'), one, three, 6)


def run_keys():
    software = Key(ts=INSTALL)
    current = 'Microsoft\\Windows\\CurrentVersion'
    software.at(f'{current}\\Run').values = [('SecurityHealth', EXPAND_SZ, '%windir%\\system32\\SecurityHealthSystray.exe')]
    software.at(f'WOW6432Node\\{current}\\Run').values = [('Updater', SZ, '"C:\\Program Files (x86)\\U\\u.exe" /b')]
    software.at(f'{current}\\RunOnceEx\\001').values = [('', SZ, 'Section'), ('1', SZ, 'x.dll|Entry|args')]
    software.at('Microsoft\\Windows NT\\CurrentVersion').values = [('SystemRoot', SZ, 'C:\\Windows')]
    write_hive(place('artifacts', 'run_keys', 'software.hve'), software, 'emRoot\\System32\\Config\\SOFTWARE', INSTALL)
    user = Key(ts=INSTALL)
    user.at(f'Software\\{current}\\Run').values = [
        ('OneDrive', SZ, '"C:\\Users\\Public User\\AppData\\Local\\OneDrive.exe" /background'),
        ('mscsvidc', SZ, '"C:\\Users\\Public User\\AppData\\Local\\mscsvidc\\mscsvidc.exe"'),
        ('shadow', EXPAND_SZ, '%APPDATA%\\a.exe\0hidden'.encode('utf-16le') + b'\0\0'),
        ('broken type', DWORD, 5)]
    user.at(f'Software\\{current}\\Run').ts = INFECTED
    user.at(f'Software\\{current}\\RunOnce').values = [('*del', SZ, 'cmd /c del x')]
    user.at(f'Software\\{current}\\Policies\\Explorer\\Run').values = [('1', SZ, 'policy.exe')]
    user.at('Environment'), user.at('Console'), user.at('Control Panel')
    write_hive(place('artifacts', 'run_keys', 'ntuser.hve'), user, '\\??\\C:\\Users\\Public User\\ntuser.dat', INSTALL)


def account(rid, name, full, comment, flags, logon, password, count):
    """F and V of a SAM account."""
    f = bytearray(80)
    f[0:4] = b'\2\0\1\0'
    struct.pack_into('<QQQQQ', f, 8, filetime(logon) if logon else 0, 0, filetime(password), 0x7FFFFFFFFFFFFFFF, 0)
    struct.pack_into('<IIHHHHHH', f, 48, rid, 513, flags, 0, 0, 0, 0, count)
    texts = b''
    v = bytearray(204)
    for i, text in enumerate((name, full, comment)):
        raw = text.encode('utf-16le')
        struct.pack_into('<II', v, 12 + 12 * i, len(texts), len(raw))
        texts += raw + bytes(-len(raw) % 4)
    return [('F', BINARY, bytes(f)), ('V', BINARY, bytes(v) + texts)]


def services():
    system = Key(ts=INSTALL)
    system.at('Select').values = [('Current', DWORD, 1), ('Default', DWORD, 1), ('Failed', DWORD, 0), ('LastKnownGood', DWORD, 2)]
    system.at('MountedDevices'), system.at('Setup')
    for number in (1, 2):
        base = f'ControlSet{number:03}'
        system.at(f'{base}\\Control\\ComputerName\\ComputerName').values = [('ComputerName', SZ, 'DESKTOP-RIPCLIP')]
        system.at(f'{base}\\Control\\TimeZoneInformation').values = [
            ('TimeZoneKeyName', SZ, 'Tokyo Standard Time\0rubbish'.encode('utf-16le')), ('ActiveTimeBias', DWORD, 0xFFFFFDE4)]
        system.at(f'{base}\\Control\\Windows').values = [
            ('ShutdownTime', BINARY, struct.pack('<Q', filetime('2020-08-25T21:00:00.5Z')))]
        system.at(f'{base}\\Control\\Session Manager\\Environment').values = [
            ('PROCESSOR_ARCHITECTURE', SZ, 'AMD64'), ('windir', EXPAND_SZ, '%SystemRoot%')]
        tcpip = system.at(f'{base}\\Services\\Tcpip')
        tcpip.values = [('Type', DWORD, 1), ('Start', DWORD, 0), ('ImagePath', EXPAND_SZ, 'System32\\drivers\\tcpip.sys'),
                        ('Group', SZ, 'PNP_TDI'), ('DisplayName', SZ, '@%SystemRoot%\\System32\\tcpip.dll,-1')]
        interface = '{11111111-2222-3333-4444-555555555555}'
        system.at(f'{base}\\Services\\Tcpip\\Parameters\\Interfaces\\{interface}').values = [
            ('EnableDHCP', DWORD, 1), ('DhcpIPAddress', SZ, '192.168.1.23'), ('DhcpServer', SZ, '192.168.1.1'),
            ('DhcpNameServer', SZ, '192.168.1.1 8.8.8.8'), ('DhcpDefaultGateway', MULTI_SZ, ['192.168.1.1']),
            ('LeaseObtainedTime', DWORD, 1598418000), ('LeaseTerminatesTime', DWORD, 1598504400)]
        adapters = '{4D36E972-E325-11CE-BFC1-08002BE10318}'
        system.at(f'{base}\\Control\\Network\\{adapters}\\{interface}\\Connection').values = [('Name', SZ, 'Ethernet')]
    services_key = system.at('ControlSet001\\Services')
    services_key.at('mscsvidc').values = [
        ('Type', DWORD, 0x10), ('Start', DWORD, 2), ('ErrorControl', DWORD, 0), ('ObjectName', SZ, 'LocalSystem'),
        ('ImagePath', EXPAND_SZ, '"C:\\Windows\\SysWOW64\\mscsvidc.exe"'), ('DisplayName', SZ, 'mscsvidc'),
        ('Description', SZ, 'Provides registration and organization of services.'),
        ('FailureActions', BINARY, struct.pack('<9I', 86400, 0, 0, 2, 20, 1, 60000, 3, 0)),
        ('FailureCommand', SZ, 'cmd.exe /c start x')]
    services_key.at('mscsvidc').ts = INFECTED
    services_key.at('Dnscache').values = [
        ('Type', DWORD, 0x20), ('Start', DWORD, 2), ('ErrorControl', DWORD, 1),
        ('ImagePath', EXPAND_SZ, '%SystemRoot%\\system32\\svchost.exe -k NetworkService -p'),
        ('ObjectName', SZ, 'NT AUTHORITY\\NetworkService'), ('DependOnService', MULTI_SZ, ['nsi', 'Tcpip']),
        ('DependOnGroup', MULTI_SZ, ['TDI']), ('RequiredPrivileges', MULTI_SZ, ['SeChangeNotifyPrivilege'])]
    services_key.at('Dnscache\\Parameters').values = [('ServiceDll', EXPAND_SZ, '%SystemRoot%\\System32\\dnsrslvr.dll')]
    services_key.at('Dnscache\\Parameters').ts = '2020-02-02T02:02:02Z'
    services_key.at('.NET CLR Data\\Performance').values = [('Library', SZ, 'mscoree.dll')]
    services_key.at('gone').values = [('Type', DWORD, 0x110), ('Start', DWORD, 9), ('DeleteFlag', DWORD, 1),
                                      ('ImagePath', EXPAND_SZ, '\\SystemRoot\\gone.sys')]
    write_hive(place('artifacts', 'services', 'system.hve'), system, 'SYSTEM', INSTALL)


def host():
    software = Key(ts=INSTALL)
    version = software.at('Microsoft\\Windows NT\\CurrentVersion')
    version.values = [('ProductName', SZ, 'Windows 10 Pro'), ('CurrentBuildNumber', SZ, '22631'), ('UBR', DWORD, 3155),
                      ('DisplayVersion', SZ, '23H2'), ('InstallDate', DWORD, 1578643200), ('SystemRoot', SZ, 'D:\\Windows'),
                      ('RegisteredOwner', SZ, 'Clippy')]
    users = version.at('ProfileList')
    users.values = [('ProgramData', EXPAND_SZ, '%SystemDrive%\\ProgramData'), ('Public', EXPAND_SZ, '%SystemDrive%\\Users\\Public')]
    users.at('S-1-5-18').values = [('ProfileImagePath', EXPAND_SZ, '%systemroot%\\system32\\config\\systemprofile')]
    users.at('S-1-5-21-111-222-333-1001').values = [('ProfileImagePath', EXPAND_SZ, '%SystemDrive%\\Users\\Clippy')]
    users.at('S-1-5-21-9-9-9-1105').values = [('ProfileImagePath', EXPAND_SZ, 'D:\\Users\\domainuser')]
    logon = 'Microsoft\\Windows\\CurrentVersion\\Authentication\\LogonUI'
    software.at(logon).values = [('LastLoggedOnUser', SZ, 'CORP\\domainuser')]
    software.at(f'{logon}\\SessionData\\1').values = [('LoggedOnSAMUser', SZ, 'CORP\\domainuser'),
                                                     ('LoggedOnUserSID', SZ, 'S-1-5-21-9-9-9-1105')]
    software.at('Microsoft\\Windows NT\\CurrentVersion\\NetworkList\\Profiles\\{AAAA}').values = [
        ('ProfileName', SZ, 'Cafe'), ('Description', SZ, 'Cafe'),
        ('DateCreated', BINARY, struct.pack('<8H', 2020, 8, 3, 26, 14, 9, 52, 345))]
    software.at('Microsoft\\Windows\\CurrentVersion').values = [('ProgramFilesDir', SZ, 'D:\\Program Files')]
    write_hive(place('hives', 'software.hve'), software, 'emRoot\\System32\\Config\\SOFTWARE', INSTALL)
    sam = Key(ts=INSTALL)
    accounts = sam.at('SAM\\Domains\\Account')
    accounts.values = [('V', BINARY, bytes(40) + bytes([1, 4, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0]) + MACHINE)]
    accounts.at('Users\\000001F4').values = account(500, 'Administrator', '', 'Built-in', 0x211, None, '2020-01-10T08:05:00Z', 0)
    accounts.at('Users\\000003E9').values = account(1001, 'Clippy', 'Clippy the Clip', '', 0x214,
                                                    '2020-08-26T05:00:00.7654321Z', '2020-01-10T08:10:00Z', 23)
    accounts.at('Users\\Names\\Administrator').values = [('', 500, b'')]
    accounts.at('Users\\Names\\Clippy').values = [('', 1001, b'')]
    sam.at('SAM\\Domains\\Builtin')
    write_hive(place('hives', 'sam.hve'), sam, '\\SystemRoot\\System32\\Config\\SAM', INSTALL)


if __name__ == '__main__':
    write_hive(place('hives', 'every-kind.hve'), every_kind(), 'every kind', '2021-03-04T05:06:07.7654321Z')
    write_hive(place('hives', 'old.hve'), Key(sub={'A': Key(values=[('big', BINARY, b'z' * 20000)])}), 'old', INSTALL, minor=3,
               leaf='li')
    write_dirty()
    run_keys()
    services()
    host()
