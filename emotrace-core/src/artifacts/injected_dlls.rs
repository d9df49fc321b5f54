//! Libraries that are loaded into many programs or into a system process because a value in the registry names them.
//!
//! | key | values | loaded by |
//! |---|---|---|
//! | `SOFTWARE\…\Windows NT\CurrentVersion\Windows` | `AppInit_DLLs` (with `LoadAppInit_DLLs` = 1) | every program with a window |
//! | `SYSTEM\…\Session Manager\AppCertDlls` | all | every program that starts another |
//! | `SYSTEM\…\Control\Lsa` | `Authentication`, `Security`, `Notification Packages` | lsass.exe |
//! | `SYSTEM\…\Control\SecurityProviders` | `SecurityProviders` | lsass.exe |
//! | `SYSTEM\…\Control\Print\Monitors\*`, `…\Providers\*`, `…\Print Processors\*` | `Driver`, `Name` | spoolsv.exe |
//! | `SYSTEM\…\NetworkProvider\Order`, `…\Services\*\NetworkProvider` | `ProviderOrder`; `ProviderPath` | mpnotify.exe at logon |
//! | `SYSTEM\…\Services\W32Time\TimeProviders\*` | `DllName` | the time service |
//! | `SOFTWARE\Microsoft\NetSh` | all | netsh.exe |
//!
//! Source: Microsoft's documentation of each; MITRE ATT&CK T1546.007, .009, .010, T1547.002, .003, .005, .010,
//! T1556.002.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{AUTOSTART, Place, give_autostarts};
use crate::model::Host;

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "injected_dlls",
    doc: "Libraries that Windows loads into many programs (AppInit_DLLs, AppCertDlls), into the security authority \
(LSA packages, security providers), into the print spooler (monitors, providers, processors), at logon (network \
providers), into the time service or into netsh, because a value in the registry names them.\n\n\
It proves that the library was set to be loaded. The time of a row is the last write of the KEY: it dates the last \
change of any of its values, not of each.\n\n\
It does not prove that the library was loaded: AppInit_DLLs count only while LoadAppInit_DLLs is 1, and not at all \
with Secure Boot; protected processes refuse libraries without the right signature. Most names here belong to Windows \
itself: msv1_0 and scecli among the LSA packages, localspl and tcpmon among the print monitors, ifmon and others in \
NetSh.\n\n\
It lives until somebody changes the value.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/dlls/secure-boot-and-appinit-dlls",
        "https://attack.mitre.org/techniques/T1546/010/",
        "https://attack.mitre.org/techniques/T1547/005/",
        "https://attack.mitre.org/techniques/T1547/010/",
    ],
    emits: &[&AUTOSTART],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Windows",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows NT\CurrentVersion\Windows",
    r"SOFTWARE\Microsoft\NetSh",
    r"SOFTWARE\WOW6432Node\Microsoft\NetSh",
    r"SYSTEM\CurrentControlSet\Control\Session Manager\AppCertDlls",
    r"SYSTEM\CurrentControlSet\Control\Lsa",
    r"SYSTEM\CurrentControlSet\Control\Lsa\OSConfig",
    r"SYSTEM\CurrentControlSet\Control\SecurityProviders",
    r"SYSTEM\CurrentControlSet\Control\Print\Monitors\*",
    r"SYSTEM\CurrentControlSet\Control\Print\Providers\*",
    r"SYSTEM\CurrentControlSet\Control\Print\Environments\*\Print Processors\*",
    r"SYSTEM\CurrentControlSet\Control\NetworkProvider\Order",
    r"SYSTEM\CurrentControlSet\Services\*\NetworkProvider",
    r"SYSTEM\CurrentControlSet\Services\W32Time\TimeProviders\*",
];

const LSA: &[&str] = &["Authentication Packages", "Security Packages", "Notification Packages"];
const APP_INIT: &[&str] = &["AppInit_DLLs", "LoadAppInit_DLLs", "RequireSignedAppInit_DLLs"];

static PLACES: &[Place] = &[
    Place { tail: r"Windows NT\CurrentVersion\Windows", values: APP_INIT, mechanism: "AppInit" },
    Place { tail: r"Microsoft\NetSh", values: &[], mechanism: "netsh helper" },
    Place { tail: r"Session Manager\AppCertDlls", values: &[], mechanism: "AppCert" },
    Place { tail: r"Control\Lsa", values: LSA, mechanism: "LSA package" },
    Place { tail: r"Lsa\OSConfig", values: LSA, mechanism: "LSA package" },
    Place { tail: r"Control\SecurityProviders", values: &["SecurityProviders"], mechanism: "Security provider" },
    Place { tail: r"Print\Monitors\*", values: &["Driver"], mechanism: "Print monitor" },
    Place { tail: r"Print\Providers\*", values: &["Name"], mechanism: "Print provider" },
    Place { tail: r"Print Processors\*", values: &["Driver"], mechanism: "Print processor" },
    Place { tail: r"NetworkProvider\Order", values: &["ProviderOrder"], mechanism: "Network provider order" },
    Place { tail: r"*\NetworkProvider", values: &["ProviderPath"], mechanism: "Network provider" },
    Place { tail: r"TimeProviders\*", values: &["DllName"], mechanism: "Time provider" },
];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    give_autostarts(PLACES, input, host, out);
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/injected_dlls/system.hve");

    #[test]
    fn packages_and_monitors() {
        let keys = [
            r"ControlSet001\Control\Lsa",
            r"ControlSet001\Control\Print\Monitors\Evil",
            r"ControlSet001\Control\Session Manager\AppCertDlls",
        ];
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &keys);
        let rows: Vec<_> =
            sink.events.iter().map(|e| [text(e, "mechanism"), text(e, "subject"), text(e, "data")]).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            rows,
            [
                [some("LSA package"), None, some("msv1_0")],
                [some("LSA package"), None, some("scecli; evilpwd")],
                [some("Print monitor"), some("Evil"), some("evilmon.dll")],
                [some("AppCert"), None, some(r"C:\evil.dll")],
            ]
        );
    }
}
