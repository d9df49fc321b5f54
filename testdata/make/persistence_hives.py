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
    # Version, then flag (with seven bytes that are not cleared) and time of the earliest start and of the latest end.
    head_of_triggers = struct.pack('<QB7sQB7sQ', 0x17, 1, b'\x07' * 7, filetime('2020-08-26T14:12:00Z'), 0, b'\x07' * 7, 2**64 - 1)
    cache.at(f'Tasks\\{identifier("1")}').values.append(('Triggers', BINARY, head_of_triggers))
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
    tree.at('Microsoft\\Command Processor').values = [('AutoRun', SZ, 'C:\\Users\\Public\\auto.bat'), ('CompletionChar', DWORD, 9)]
    tree.at(f'{WINDOWS}\\Group Policy\\Scripts\\Startup\\0\\0').values = [('Script', SZ, 'start.bat'), ('Parameters', SZ, '/x')]
    software('logon_persistence', tree)
    tree = Key(ts=INSTALL)
    tree.at('Environment').values = [('TEMP', EXPAND_SZ, '%USERPROFILE%\\Temp'),
                                     ('UserInitMprLogonScript', SZ, 'C:\\Users\\Public\\logon.bat')]
    tree.at(f'Software\\{NT}\\Windows').values = [('Load', SZ, 'C:\\load.exe'), ('Device', SZ, 'printer')]
    tree.at('Control Panel\\Desktop').values = [('SCRNSAVE.EXE', SZ, 'C:\\Users\\Public\\evil.scr'), ('Wallpaper', SZ, '')]
    user('logon_persistence', tree)
    tree = Key(ts=INSTALL)
    control = tree.at('ControlSet001\\Control')
    control.at('SafeBoot').values = [('AlternateShell', SZ, 'cmd.exe')]
    control.at('Terminal Server\\WinStations\\RDP-Tcp').values = [('InitialProgram', SZ, 'C:\\evil.exe'), ('PortNumber', DWORD, 3389)]
    control.at('Terminal Server\\Wds\\rdpwd').values = [('StartupPrograms', SZ, 'rdpclip,evil')]
    control.at('Terminal Server\\WinStations\\RDP-Tcp').ts = INFECTED
    system('logon_persistence', tree)


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
    overlay = tree.at(f'{WINDOWS}\\Explorer\\ShellIconOverlayIdentifiers\\   Sync')
    overlay.values, overlay.ts = [('', SZ, '{a}')], INFECTED
    tree.at('Classes\\*\\shellex\\ContextMenuHandlers\\Evil').values = [('', SZ, '{a}')]
    tree.at('Classes\\*\\shellex\\ContextMenuHandlers\\{d}').values = [('', SZ, 'Start menu pin')]
    tree.at('Classes\\Directory\\Background\\shellex\\ContextMenuHandlers\\New').values = [('', SZ, '{e}')]
    tree.at('Classes\\lnkfile\\shellex\\IconHandler').values = [('', SZ, '{f}')]
    provider = tree.at(f'{WINDOWS}\\Authentication\\Credential Providers\\{{a}}')
    provider.values = [('', SZ, 'EvilProvider')]
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


def usb_devices():
    tree = Key(ts=INSTALL)
    properties = 'Properties\\{83da6326-97a6-4088-9453-a1923f573b29}'

    def stamp(when):
        return struct.pack('<Q', filetime(when))

    disk = tree.at('ControlSet001\\Enum\\USBSTOR\\Disk&Ven_Evil&Prod_Stick&Rev_1.0\\0123456789&0')
    disk.values = [('FriendlyName', SZ, 'Evil Stick USB Device'), ('Service', SZ, 'disk'),
                   ('ContainerID', SZ, '{b3de1805-dd31-527c-b2e7-845dd3712470}')]
    for number, minute in (('0064', 1), ('0065', 1), ('0066', 2), ('0067', 3)):
        disk.at(f'{properties}\\{number}').values = [('', FILETIME_PROPERTY, stamp(f'2020-08-26T05:0{minute}:00.5Z'))]
    disk.at('Device Parameters\\Partmgr').values = [('DiskId', SZ, '{5c3108be-31c0-11e8-9b10-806e6f6e6963}')]
    seven = tree.at('ControlSet001\\Enum\\USB\\VID_0781&PID_5530\\7&1234&0&2')
    seven.values = [('DeviceDesc', SZ, '@usbstor.inf,%genericbulkonly.devicedesc%;USB Mass Storage Device')]
    seven.at(f'{properties}\\00000065\\00000000').values = [('Type', DWORD, 16), ('Data', BINARY, stamp('2020-08-26T05:04:00Z'))]
    tree.at('ControlSet001\\Services')
    system('usb_devices', tree)


def mounted_devices():
    tree = Key(ts=INSTALL)
    device = '_??_USBSTOR#Disk&Ven_Evil&Prod_Stick&Rev_1.0#0123456789&0#{53f56307-b6bf-11d0-94f2-00a0c91efb8b}'
    tree.at('MountedDevices').values = [
        ('\\DosDevices\\C:', BINARY, struct.pack('<IQ', 0xDF4546AE, 1048576)),
        ('\\??\\Volume{11111111-2222-3333-4444-555555555555}', BINARY, b'DMIO:ID:' + bytes(range(1, 17))),
        ('\\DosDevices\\E:', BINARY, device.encode('utf-16le'))]
    tree.at('ControlSet001\\Services')
    system('mounted_devices', tree)


def network_profiles():
    tree = Key(ts=INSTALL)
    networks = tree.at(f'{NT}\\NetworkList')
    identifier = '{A0000000-0000-0000-0000-000000000001}'
    networks.at(f'Profiles\\{identifier}').values = [
        ('ProfileName', SZ, 'Cafe'), ('Description', SZ, 'Cafe'), ('Managed', DWORD, 0), ('Category', DWORD, 0),
        ('NameType', DWORD, 71), ('DateCreated', BINARY, struct.pack('<8H', 2020, 8, 3, 26, 14, 9, 52, 345)),
        ('DateLastConnected', BINARY, struct.pack('<8H', 2020, 8, 3, 26, 15, 0, 0, 0))]
    networks.at(f'Profiles\\{identifier}').ts = '2020-08-26T06:00:00Z'
    networks.at('Signatures\\Unmanaged\\0101').values = [
        ('ProfileGuid', SZ, identifier), ('Description', SZ, 'Cafe'), ('FirstNetwork', SZ, 'Cafe'),
        ('DnsSuffix', SZ, 'cafe.example'), ('DefaultGatewayMac', BINARY, bytes.fromhex('001122334455')), ('Source', DWORD, 8)]
    tree.at(WINDOWS)
    software('network_profiles', tree)


def interfaces():
    tree = Key(ts=INSTALL)
    key = tree.at('ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\{11111111-2222-3333-4444-555555555555}')
    key.values = [
        ('EnableDHCP', DWORD, 1), ('DhcpIPAddress', SZ, '192.168.1.23'), ('IPAddress', MULTI_SZ, ['0.0.0.0']),
        ('DhcpServer', SZ, '192.168.1.1'), ('DhcpNameServer', SZ, '192.168.1.1 8.8.8.8'), ('NameServer', SZ, ''),
        ('DhcpDefaultGateway', MULTI_SZ, ['192.168.1.1']), ('DhcpNetworkHint', SZ, '34166656'),
        ('LeaseObtainedTime', DWORD, 1598418000), ('LeaseTerminatesTime', DWORD, 1598504400)]
    system('interfaces', tree)


def shares():
    tree = Key(ts=INSTALL)
    tree.at('ControlSet001\\Services\\LanmanServer\\Shares').values = [
        ('Public', MULTI_SZ, ['CSCFlags=0', 'MaxUses=4294967295', 'Path=C:\\Users\\Public', 'Permissions=0', 'Remark=a=b',
                              'ShareName=Public', 'Type=0'])]
    tree.at('ControlSet001\\Services\\LanmanServer\\Shares').ts = INFECTED
    system('shares', tree)


def firewall_rules():
    tree = Key(ts=INSTALL)
    policy = tree.at('ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy')
    policy.at('FirewallRules').values = [
        ('{E0000000-0000-0000-0000-000000000001}', SZ,
         'v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|Profile=Public|LPort=80|LPort=443|'
         'App=C:\\Users\\Public\\evil.exe|Name=evil|')]
    policy.at('FirewallRules').ts = INFECTED
    policy.at('StandardProfile').values = [('EnableFirewall', DWORD, 0)]
    policy.at('StandardProfile\\AuthorizedApplications\\List').values = [('C:\\old.exe', SZ, 'C:\\old.exe:*:Enabled:old')]
    system('firewall_rules', tree)


def proxy_settings():
    tree = Key(ts=INSTALL)
    settings = tree.at(f'Software\\{WINDOWS}\\Internet Settings')
    settings.values = [('ProxyEnable', DWORD, 1), ('ProxyServer', SZ, '127.0.0.1:8080'), ('ProxyOverride', SZ, '<local>'),
                       ('AutoConfigURL', SZ, 'http://evil.example/p.pac')]
    settings.ts = INFECTED
    blob = struct.pack('<III', 0x46, 5, 7)
    for string in (b'127.0.0.1:8080', b'<local>', b'http://evil.example/p.pac'):
        blob += struct.pack('<I', len(string)) + string
    settings.at('Connections').values = [('DefaultConnectionSettings', BINARY, blob + bytes(32)),
                                         ('SavedLegacySettings', BINARY, blob[:20])]
    settings.at('ZoneMap\\Domains\\evil.example\\www').values = [('http', DWORD, 2)]
    settings.at('ZoneMap\\Ranges\\Range1').values = [(':Range', SZ, '10.0.0.1-10.0.0.9'), ('*', DWORD, 1)]
    user('proxy_settings', tree)


def wmi_pointers():
    tree = Key(ts=INSTALL)
    cimom = tree.at('Microsoft\\WBEM\\CIMOM')
    cimom.values = [('Autorecover MOFs', MULTI_SZ, ['%windir%\\system32\\wbem\\cimwin32.mof', 'C:\\Users\\Public\\evil.mof']),
                    ('Autorecover MOFs timestamp', SZ, str(filetime('2020-08-26T05:20:00Z'))),
                    ('Repository Directory', EXPAND_SZ, '%systemroot%\\system32\\wbem\\Repository'), ('Logging', SZ, '1')]
    cimom.ts = INFECTED
    tree.at('Microsoft\\WBEM\\ESS\\//./root/CIMV2\\Win32ClockProvider').ts = INFECTED
    tree.at(NT), tree.at(WINDOWS)
    software('wmi_pointers', tree)


def recording_state():
    tree = Key(ts=INSTALL)
    channels = tree.at(f'{WINDOWS}\\WINEVT\\Channels')
    off = channels.at('Microsoft-Windows-PowerShell/Operational')
    off.values, off.ts = [('Enabled', DWORD, 0), ('Type', DWORD, 1)], INFECTED
    channels.at('Some/Debug').values = [('Enabled', DWORD, 0), ('Type', DWORD, 3)]
    channels.at('Some/On').values = [('Enabled', DWORD, 1), ('Type', DWORD, 1)]
    tree.at('Policies\\Microsoft\\Windows\\PowerShell\\ScriptBlockLogging').values = [('EnableScriptBlockLogging', DWORD, 1)]
    tree.at(f'{WINDOWS}\\Policies\\System\\Audit').values = [('ProcessCreationIncludeCmdLine_Enabled', DWORD, 0)]
    tree.at(NT)
    software('recording_state', tree)
    tree = Key(ts=INSTALL)
    control = tree.at('ControlSet001\\Control')
    control.at('Session Manager\\Memory Management\\PrefetchParameters').values = [('EnablePrefetcher', DWORD, 2)]
    control.at('FileSystem').values = [('NtfsDisableLastAccessUpdate', DWORD, 0x80000002)]
    control.at('MiniNt').ts = INFECTED
    control.at('WMI\\Autologger\\EventLog-System').values = [('Start', DWORD, 1)]
    tree.at('ControlSet001\\Services\\DPS').values = [('Start', DWORD, 4)]
    system('recording_state', tree)
    tree = Key(ts=INSTALL)
    tree.at('Policy\\Accounts'), tree.at('Policy\\PolEKList')
    # As Windows 10 of 2015 has it: Logon/Logoff without its last, Detailed Tracking without its last.
    counts = (5, 10, 14, 3, 5, 6, 6, 4, 4)
    states = [0] * sum(counts)
    states[0], states[5], states[6] = 1, 3, 1
    states[5 + 10 + 14 + 3 + 5] = 1
    states[-1] = 2
    end = 12 + 2 * len(states)
    policy = struct.pack('<III', 0x100, 9, end) + struct.pack(f'<{len(states)}H', *states) + struct.pack('<9H', *counts)
    tree.at('Policy\\PolAdtEv').values = [('', 0, policy)]
    tree.at('Policy\\PolAdtEv').ts = INFECTED
    save('recording_state', 'security', tree, '\\SystemRoot\\System32\\Config\\SECURITY')


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
    usb_devices()
    mounted_devices()
    network_profiles()
    interfaces()
    shares()
    firewall_rules()
    proxy_settings()
    wmi_pointers()
    recording_state()
