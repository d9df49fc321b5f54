//! COM classes of a user: each one takes precedence over the machine's class of the same identifier.
//!
//! `UsrClass.dat`, `CLSID\{…}` (and `WOW6432Node\CLSID\{…}`); on some systems `NTUSER.DAT`,
//! `Software\Classes\CLSID\{…}`:
//!
//! | subkey | default value |
//! |---|---|
//! | `InprocServer32`, `InprocHandler32`, `InprocServer` | library that is loaded into the caller |
//! | `LocalServer32` | program that is started |
//! | `TreatAs` | another class that stands in |
//! | `ScriptletURL` | script that implements the class |
//!
//! Source: Microsoft, "CLSID Key"; MITRE ATT&CK T1546.015.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{AUTOSTART, Place, give_autostarts};
use crate::model::Host;

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "com_servers",
    doc: "COM classes that a user's own hives define: library, program, or other class that Windows takes when a \
program of that user asks for the class. A user's class goes before the machine's class of the same identifier, so \
whoever may write the user's hive can put a library into Explorer or into a scheduled task without any right on the \
machine.\n\n\
It proves that the class was defined for the user. The time of a row is the last write of the KEY with the server's \
path: it dates the last change of any of its values.\n\n\
It does not prove that the class was used. Every one of the user's classes gives a row; programs that are installed \
for one user (OneDrive, Teams, browsers, Dropbox) have many. Telling is a class that the machine has too, and a \
server in a folder where no program belongs.\n\n\
It lives until somebody removes it.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/com/clsid-key-hklm",
        "https://attack.mitre.org/techniques/T1546/015/",
    ],
    emits: &[&AUTOSTART],
    reads: Reads::RegKeys {
        keys: &[
            r"USRCLASS\CLSID\*\*",
            r"USRCLASS\WOW6432Node\CLSID\*\*",
            r"NTUSER\Software\Classes\CLSID\*\*",
            r"NTUSER\Software\Classes\WOW6432Node\CLSID\*\*",
        ],
        parse,
    },
};

static PLACES: &[Place] = &[
    Place { tail: r"CLSID\*\InprocServer32", values: SERVER, mechanism: "COM library" },
    Place { tail: r"CLSID\*\InprocServer", values: SERVER, mechanism: "COM library" },
    Place { tail: r"CLSID\*\InprocHandler32", values: SERVER, mechanism: "COM handler" },
    Place { tail: r"CLSID\*\LocalServer32", values: SERVER, mechanism: "COM program" },
    Place { tail: r"CLSID\*\TreatAs", values: &[""], mechanism: "COM class in its place" },
    Place { tail: r"CLSID\*\ScriptletURL", values: &[""], mechanism: "COM script" },
];

/// `CodeBase` and `Assembly` name the code of a .NET class.
const SERVER: &[&str] = &["", "CodeBase", "Assembly", "ServerExecutable"];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    give_autostarts(PLACES, input, host, out);
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::read;
    use super::*;
    use crate::model::Event;

    const USRCLASS: &[u8] = include_bytes!("../../../testdata/artifacts/com_servers/usrclass.hve");

    #[test]
    fn every_server_and_nothing_else() {
        let class = r"CLSID\{b5f8350b-0548-48b1-a6ee-88bd00b4a5e7}";
        let keys = ["InprocServer32", "TreatAs", "ProgID"].map(|name| format!(r"{class}\{name}"));
        let sink = read(&ARTIFACT, &Host::default(), USRCLASS, "HKU", &[&keys[0], &keys[1], &keys[2]]);
        let messages: Vec<_> = sink.events.iter().map(Event::message).collect();
        assert_eq!(
            messages,
            [
                format!(
                    r"COM library of {{b5f8350b-0548-48b1-a6ee-88bd00b4a5e7}}: C:\Users\Public\evil.dll (HKU\{class}\InprocServer32)"
                ),
                format!(
                    r"COM class in its place of {{b5f8350b-0548-48b1-a6ee-88bd00b4a5e7}}: {{other}} (HKU\{class}\TreatAs)"
                ),
            ]
        );
    }
}
