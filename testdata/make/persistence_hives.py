"""Makes the fixtures of the registry artifacts about persistence, devices, network and what was switched off.

    python3 testdata/make/persistence_hives.py
"""

import os
import struct

from hivewriter import BINARY, DWORD, EXPAND_SZ, MULTI_SZ, QWORD, SZ, Key, filetime, write_hive

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSTALL = '2020-01-10T08:00:00Z'
INFECTED = '2020-08-26T05:09:52Z'
FILETIME_PROPERTY = 0xFFFF0010
NT = 'Microsoft\\Windows NT\\CurrentVersion'
WINDOWS = 'Microsoft\\Windows\\CurrentVersion'


def software(artifact, tree):
    save(artifact, 'software', tree, 'emRoot\\System32\\Config\\SOFTWARE')


def system(artifact, tree):
    tree.at('Select').values = [('Current', DWORD, 1), ('Default', DWORD, 1), ('Failed', DWORD, 0), ('LastKnownGood', DWORD, 1)]
    tree.at('Setup')
    save(artifact, 'system', tree, 'SYSTEM')


def user(artifact, tree):
    tree.at('Environment'), tree.at('Console'), tree.at('Control Panel')
    save(artifact, 'ntuser', tree, '\\??\\C:\\Users\\Public User\\ntuser.dat')


def save(artifact, name, tree, path):
    place = os.path.join(ROOT, 'artifacts', artifact, name + '.hve')
    os.makedirs(os.path.dirname(place), exist_ok=True)
    write_hive(place, tree, path, INSTALL)


def text(string):
    raw = string.encode('utf-16le')
    return struct.pack('<I', len(raw)) + raw


def execute(command, arguments='', folder=''):
    return b'\x66\x66' + text('') + text(command) + text(arguments) + text(folder) + b'\0\0'


def dynamic_info(registered, run, result, completed=None):
    data = struct.pack('<IQQII', 3, filetime(registered), filetime(run) if run else 0, 0, result)
    return data + (struct.pack('<Q', filetime(completed)) if completed else b'')


def task_cache():
    tree = Key(ts=INSTALL)
    cache = tree.at(f'{NT}\\Schedule\\TaskCache')
    head = struct.pack('<H', 3) + text('Author')
    com = b'\x77\x77' + text('') + bytes.fromhex('b9d1bc610c34ec409d41d7f1c0632f05') + text('data')

    def identifier(digit):
        return '{%s-%s-%s-%s-%s}' % tuple(digit * n for n in (8, 4, 4, 4, 12))

    def task(digit, path, actions, info, **more):
        key = cache.at(f'Tasks\\{identifier(digit)}')
        key.values = [('Path', SZ, path), ('Hash', BINARY, bytes(32)), ('Schema', DWORD, 0x10004),
                      ('Actions', BINARY, actions), ('DynamicInfo', BINARY, info)]
        key.values += [(name, SZ, data) for name, data in more.items()]

    task('1', '\\Run', head + execute('C:\\Users\\Public\\run.exe', '/q', 'C:\\Users\\Public') + com,
         dynamic_info('2020-08-26T05:10:01.5Z', '2020-08-26T05:15:00.0000001Z', 0x41306, '2020-08-26T05:15:03Z'),
         Author='DESKTOP\\Clippy', Date='2020-08-26T14:10:01', URI='\\Run', Description='runs')
    cache.at(f'Tasks\\{identifier("1")}').ts = '2020-08-26T05:15:04Z'
    task('2', '\\Gone', head + execute('C:\\hidden.exe'), dynamic_info('2020-08-26T05:11:00Z', None, 0, 0))
    task('3', '\\Folder\\NoSD', struct.pack('<H', 1) + execute('old.exe')[:-2], dynamic_info('2020-08-26T05:12:00Z', None, 0))
    task('4', '\\Cut', head + execute('first.exe') + b'\x66\x66\xff', dynamic_info('2020-08-26T05:13:00Z', None, 0, 0))
    security = bytes.fromhex('010004800000000000000000000000000000000000000000')
    for path, digit, index in (('Run', '1', 3), ('Folder\\NoSD', '3', 0), ('Cut', '4', 2)):
        cache.at(f'Tree\\{path}').values = [('Id', SZ, identifier(digit)), ('Index', DWORD, index)]
        if path != 'Folder\\NoSD':
            cache.at(f'Tree\\{path}').values.append(('SD', BINARY, security))
    software('task_cache', tree)


def defender_settings():
    tree = Key(ts=INSTALL)
    defender = tree.at('Microsoft\\Windows Defender')
    defender.values = [('DisableAntiSpyware', DWORD, 1), ('InstallLocation', SZ, 'C:\\ProgramData\\Microsoft\\Windows Defender')]
    defender.at('Exclusions\\Paths').values = [('C:\\Users\\Public', DWORD, 0)]
    defender.at('Exclusions\\Paths').ts = INFECTED
    defender.at('Exclusions\\Extensions').values = [('exe', DWORD, 0)]
    defender.at('Real-Time Protection').values = [('DisableRealtimeMonitoring', DWORD, 1)]
    defender.at('Features').values = [('TamperProtection', DWORD, 5)]
    policy = tree.at('Policies\\Microsoft\\Windows Defender')
    policy.at('Exclusions\\Processes').values = [('run.exe', SZ, '0')]
    policy.at('Spynet').values = [('SpynetReporting', DWORD, 0), ('SubmitSamplesConsent', DWORD, 2)]
    tree.at(NT), tree.at(WINDOWS)
    software('defender_settings', tree)


def logon_persistence():
    tree = Key(ts=INSTALL)
    tree.at(f'{NT}\\Winlogon').values = [
        ('DefaultUserName', SZ, 'Clippy'), ('Shell', SZ, 'explorer.exe,evil.exe'), ('Taskman', SZ, ''),
        ('Userinit', SZ, 'C:\\Windows\\system32\\userinit.exe,')]
    tree.at(f'{NT}\\Winlogon').ts = INFECTED
    tree.at(f'{NT}\\Winlogon\\Notify\\evil').values = [('DllName', EXPAND_SZ, 'evilnotify.dll')]
    tree.at(f'{WINDOWS}\\Group Policy\\Scripts\\Startup\\0\\0').values = [('Script', SZ, 'start.bat'), ('Parameters', SZ, '/x')]
    software('logon_persistence', tree)
    tree = Key(ts=INSTALL)
    tree.at('Environment').values = [('TEMP', EXPAND_SZ, '%USERPROFILE%\\Temp'),
                                     ('UserInitMprLogonScript', SZ, 'C:\\Users\\Public\\logon.bat')]
    tree.at(f'Software\\{NT}\\Windows').values = [('Load', SZ, 'C:\\load.exe'), ('Device', SZ, 'printer')]
    user('logon_persistence', tree)


def injected_dlls():
    tree = Key(ts=INSTALL)
    control = tree.at('ControlSet001\\Control')
    control.at('Lsa').values = [('Authentication Packages', MULTI_SZ, ['msv1_0']), ('LsaPid', DWORD, 764),
                                ('Notification Packages', MULTI_SZ, ['scecli', 'evilpwd'])]
    control.at('Print\\Monitors\\Evil').values = [('Driver', SZ, 'evilmon.dll')]
    control.at('Session Manager\\AppCertDlls').values = [('AppSecDll', EXPAND_SZ, 'C:\\evil.dll')]
    control.at('NetworkProvider\\Order').values = [('ProviderOrder', SZ, 'RDPNP,LanmanWorkstation,evilnp')]
    tree.at('ControlSet001\\Services\\evilnp\\NetworkProvider').values = [('ProviderPath', EXPAND_SZ, '%SystemRoot%\\evilnp.dll')]
    tree.at('ControlSet001\\Services\\W32Time\\TimeProviders\\NtpClient').values = [('DllName', EXPAND_SZ, '%systemroot%\\system32\\w32time.dll')]
    system('injected_dlls', tree)
    tree = Key(ts=INSTALL)
    tree.at(f'{NT}\\Windows').values = [('AppInit_DLLs', SZ, 'C:\\evil.dll'), ('LoadAppInit_DLLs', DWORD, 1)]
    tree.at('Microsoft\\NetSh').values = [('2', SZ, 'ifmon.dll'), ('9', SZ, 'C:\\evil.dll')]
    tree.at(WINDOWS)
    software('injected_dlls', tree)


def image_options():
    tree = Key(ts=INSTALL)
    options = tree.at(f'{NT}\\Image File Execution Options')
    options.at('sethc.exe').values = [('Debugger', SZ, 'C:\\Windows\\System32\\cmd.exe')]
    options.at('sethc.exe').ts = INFECTED
    options.at('notepad.exe').values = [('GlobalFlag', DWORD, 0x200)]
    options.at('notepad.exe\\0').values = [('FilterFullPath', SZ, 'C:\\Windows\\notepad.exe'), ('Debugger', SZ, 'x.exe')]
    options.at('harmless.exe').values = [('MitigationOptions', QWORD, 0x100)]
    tree.at(f'{NT}\\SilentProcessExit\\notepad.exe').values = [('MonitorProcess', SZ, 'C:\\evil.exe'), ('ReportingMode', DWORD, 1)]
    tree.at(WINDOWS)
    software('image_options', tree)


def boot_execute():
    tree = Key(ts=INSTALL)
    manager = tree.at('ControlSet001\\Control\\Session Manager')
    manager.values = [
        ('BootExecute', MULTI_SZ, ['autocheck autochk *', 'evil']), ('SetupExecute', MULTI_SZ, []),
        ('PendingFileRenameOperations', MULTI_SZ, ['\\??\\C:\\new.dll', '!\\??\\C:\\Windows\\old.dll',
                                                   '*1\\??\\C:\\a', '*1\\??\\C:\\b',
                                                   '\\??\\C:\\Users\\Public\\dropper.exe', ''])]
    manager.ts = INFECTED
    tree.at('ControlSet001\\Services')
    system('boot_execute', tree)


def active_setup():
    tree = Key(ts=INSTALL)
    components = tree.at('Microsoft\\Active Setup\\Installed Components')
    components.at('{evil}').values = [('', SZ, 'Updater'), ('StubPath', EXPAND_SZ, 'C:\\ProgramData\\u.exe'), ('Version', SZ, '1,0'),
                                      ('IsInstalled', DWORD, 1)]
    components.at('{evil}').ts = INFECTED
    components.at('{plain}').values = [('', SZ, 'No command'), ('Version', SZ, '2,0')]
    tree.at(NT), tree.at(WINDOWS)
    software('active_setup', tree)
    tree = Key(ts=INSTALL)
    tree.at('Software\\Microsoft\\Active Setup\\Installed Components\\{evil}').values = [('Version', SZ, '1,0'), ('Locale', SZ, '*')]
    user('active_setup', tree)


def usrclass(artifact, tree):
    tree.at('Local Settings\\MuiCache'), tree.at('Local Settings\\Software\\Microsoft\\Windows')
    save(artifact, 'usrclass', tree, 'Users\\Public User\\AppData\\Local\\Microsoft\\Windows\\UsrClass.dat')


def com_servers():
    tree = Key(ts=INSTALL)
    key = tree.at('CLSID\\{b5f8350b-0548-48b1-a6ee-88bd00b4a5e7}')
    key.at('InprocServer32').values = [('', SZ, 'C:\\Users\\Public\\evil.dll'), ('ThreadingModel', SZ, 'Apartment')]
    key.at('InprocServer32').ts = INFECTED
    key.at('TreatAs').values = [('', SZ, '{other}')]
    key.at('ProgID').values = [('', SZ, 'Evil.Class')]
    usrclass('com_servers', tree)


def shell_extensions():
    tree = Key(ts=INSTALL)
    tree.at(f'{WINDOWS}\\ShellServiceObjectDelayLoad').values = [('WebCheck', SZ, '{a}')]
    tree.at(f'{WINDOWS}\\Explorer\\ShellExecuteHooks').values = [('{c}', SZ, 'URL Exec Hook')]
    tree.at(f'{WINDOWS}\\Explorer\\Browser Helper Objects\\{{b}}')
    tree.at('Classes\\CLSID\\{a}\\InprocServer32').values = [('', SZ, 'C:\\evil.dll')]
    tree.at(NT)
    software('shell_extensions', tree)
    tree = Key(ts=INSTALL)
    command = tree.at('ms-settings\\shell\\open\\command')
    command.values = [('', SZ, 'C:\\evil.exe'), ('DelegateExecute', SZ, '')]
    command.ts = INFECTED
    usrclass('shell_extensions', tree)


def office_addins():
    tree = Key(ts=INSTALL)
    office = tree.at('Software\\Microsoft\\Office')
    office.at('Word\\Addins\\Evil.Addin').values = [('FriendlyName', SZ, 'Helper'), ('LoadBehavior', DWORD, 3),
                                                    ('Manifest', SZ, 'file:///C:/x.vsto|vstolocal')]
    office.at('16.0\\Excel\\Options').values = [('OPEN', SZ, '/R "C:\\x.xll"'), ('FirstRun', DWORD, 0)]
    office.at('16.0\\Outlook\\WebView\\Inbox').values = [('URL', SZ, 'http://evil.example/x.html'), ('show', SZ, 'yes')]
    tree.at('Software\\Microsoft\\Office test\\Special\\Perf').values = [('', SZ, 'C:\\evil.dll')]
    user('office_addins', tree)


if __name__ == '__main__':
    task_cache()
    defender_settings()
    logon_persistence()
    injected_dlls()
    image_options()
    boot_execute()
    active_setup()
    com_servers()
    shell_extensions()
    office_addins()
