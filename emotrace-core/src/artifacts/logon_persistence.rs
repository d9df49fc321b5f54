//! Programs that the logon itself starts: Winlogon's values, the user's old `Load` and `Run`, and logon scripts.
//!
//! | key | values |
//! |---|---|
//! | `…\Windows NT\CurrentVersion\Winlogon` | `Shell`, `Userinit`, `Taskman`, `System`, `VmApplet`, `AppSetup`, `GinaDLL`, `UIHost`, `MPNotify` |
//! | `…\Winlogon\Notify\<name>`, `…\Winlogon\GPExtensions\{…}`, `…\Winlogon\AlternateShells\AvailableShells` | `DllName`; any |
//! | `…\Windows NT\CurrentVersion\Windows` (user) | `Load`, `Run` |
//! | `Environment` (user) | `UserInitMprLogonScript` |
//! | `…\Group Policy\Scripts\<kind>\<policy>\<n>` and `…\Group Policy\State\<SID>\Scripts\…` | `Script`, `Parameters` |
//! | `…\Policies\System` | `Shell` |
//! | `…\Microsoft\Command Processor` | `AutoRun`: before every command prompt |
//! | `Control Panel\Desktop` (user, and by policy) | `SCRNSAVE.EXE` |
//! | `SYSTEM\…\Control\SafeBoot` | `AlternateShell` of the safe mode with command prompt |
//! | `SYSTEM\…\Terminal Server\WinStations\*`, `…\Wds\rdpwd` | `InitialProgram`, `StartupPrograms` |
//!
//! Source: Microsoft, "Winlogon registry entries", documentation of cmd; MITRE ATT&CK T1547.004, T1037.001, T1037.003,
//! T1546.002.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{AUTOSTART, Place, give_autostarts};
use crate::model::Host;

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "logon_persistence",
    doc: "Programs that are started by the logon itself: the shell and userinit of Winlogon, notification libraries, \
the Load and Run values of a user, the logon script of a user's environment, and scripts that a group policy gave; beside \
them the first program of a remote desktop session or of safe mode, what runs before every command prompt (AutoRun), and \
the screen saver.\n\n\
It proves that the program was set to start then. The time of a row is the last write of the KEY: it dates the \
last change of any of its values; the others were there before. Winlogon's key is also written by Windows itself.\n\n\
It does not prove that the program ran or exists. Shell is explorer.exe and Userinit is \
C:\\Windows\\system32\\userinit.exe with a comma on every machine, rdpclip among the StartupPrograms, cmd.exe the \
AlternateShell; anything beside them was added. Notify libraries \
are loaded by Windows XP and Server 2003 only, GinaDLL before Vista.\n\n\
It lives until somebody changes the value. A group policy writes its scripts anew when it is applied.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/secauthn/winlogon-and-credential-providers",
        "https://attack.mitre.org/techniques/T1547/004/",
        "https://attack.mitre.org/techniques/T1037/001/",
    ],
    emits: &[&AUTOSTART],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\Notify\*",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\GPExtensions\*",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\AlternateShells\AvailableShells",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows NT\CurrentVersion\Winlogon",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows NT\CurrentVersion\Winlogon\Notify\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Group Policy\Scripts\*\*\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Group Policy\State\*\Scripts\*\*\*",
    r"SOFTWARE\Policies\Microsoft\Windows\System\Scripts\*\*\*",
    r"NTUSER\Software\Microsoft\Windows NT\CurrentVersion\Winlogon",
    r"NTUSER\Software\Microsoft\Windows NT\CurrentVersion\Windows",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Policies\System",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Group Policy\Scripts\*\*\*",
    r"NTUSER\Software\Policies\Microsoft\Windows\System\Scripts\*\*\*",
    r"NTUSER\Environment",
    r"NTUSER\Control Panel\Desktop",
    r"NTUSER\Software\Policies\Microsoft\Windows\Control Panel\Desktop",
    r"NTUSER\Software\Microsoft\Command Processor",
    r"SOFTWARE\Microsoft\Command Processor",
    r"SOFTWARE\WOW6432Node\Microsoft\Command Processor",
    r"SYSTEM\CurrentControlSet\Control\SafeBoot",
    r"SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\*",
    r"SYSTEM\CurrentControlSet\Control\Terminal Server\Wds\rdpwd",
];

const WINLOGON: &[&str] = &[
    "Shell",
    "Userinit",
    "Taskman",
    "System",
    "VmApplet",
    "AppSetup",
    "GinaDLL",
    "UIHost",
    "MPNotify",
    "LsaStart",
    "SaveDumpStart",
    "ServiceControllerStart",
    "PreshellDLL",
];

static PLACES: &[Place] = &[
    Place { tail: r"CurrentVersion\Winlogon", values: WINLOGON, mechanism: "Winlogon" },
    Place { tail: r"Winlogon\Notify\*", values: &["DllName", "DLLName"], mechanism: "Winlogon notification" },
    Place { tail: r"Winlogon\GPExtensions\*", values: &["DllName"], mechanism: "Group policy extension" },
    Place { tail: r"AlternateShells\AvailableShells", values: &[], mechanism: "Alternate shell" },
    Place { tail: r"Windows NT\CurrentVersion\Windows", values: &["Load", "Run"], mechanism: "Load and Run at logon" },
    Place { tail: r"Policies\System", values: &["Shell"], mechanism: "Shell by policy" },
    Place { tail: "Environment", values: &["UserInitMprLogonScript"], mechanism: "Logon script" },
    Place { tail: r"Microsoft\Command Processor", values: &["AutoRun"], mechanism: "Command prompt" },
    Place { tail: r"Control Panel\Desktop", values: &["SCRNSAVE.EXE"], mechanism: "Screen saver" },
    Place { tail: r"Control\SafeBoot", values: &["AlternateShell"], mechanism: "Shell of safe mode" },
    Place { tail: r"WinStations\*", values: &["InitialProgram"], mechanism: "Remote desktop session" },
    Place { tail: r"Wds\rdpwd", values: &["StartupPrograms"], mechanism: "Remote desktop session" },
    Place { tail: r"Scripts\*\*\*", values: &["Script", "Parameters"], mechanism: "Group policy script" },
];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    give_autostarts(PLACES, input, host, out);
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/logon_persistence/ntuser.hve");
    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/logon_persistence/software.hve");

    #[test]
    fn only_the_values_that_start_something() {
        let keys = [
            r"Microsoft\Windows NT\CurrentVersion\Winlogon",
            r"Microsoft\Windows\CurrentVersion\Group Policy\Scripts\Startup\0\0",
        ];
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let rows: Vec<_> = sink.events.iter().map(|e| (text(e, "name"), text(e, "command"))).collect();
        let row = |name: &str, command: &str| (Some(name.to_owned()), Some(command.to_owned()));
        // DefaultUserName starts nothing; an empty Taskman names nothing.
        assert_eq!(
            rows,
            [
                row("Shell", "explorer.exe,evil.exe"),
                row("Userinit", r"C:\Windows\system32\userinit.exe,"),
                row("Script", "start.bat"),
                row("Parameters", "/x"),
            ]
        );
        assert_eq!(text(&sink.events[2], "subject").as_deref(), Some("Startup"));
    }

    #[test]
    fn the_users_own() {
        let keys = ["Environment", r"Software\Microsoft\Windows NT\CurrentVersion\Windows"];
        let sink = read(&ARTIFACT, &Host::default(), NTUSER, "HKU", &keys);
        let commands: Vec<_> = sink.events.iter().filter_map(|e| text(e, "command")).collect();
        assert_eq!(commands, [r"C:\Users\Public\logon.bat", r"C:\load.exe"]);
    }
}
