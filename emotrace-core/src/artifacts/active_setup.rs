//! Active Setup: commands that run once for each user at logon.
//!
//! `SOFTWARE\Microsoft\Active Setup\Installed Components\{…}`: `StubPath` is run at a user's logon unless the user's
//! own hive has the same key with the same or a later `Version`; afterwards it has.
//!
//! Source: Microsoft KB 238441 (as known from its copies); MITRE ATT&CK T1547.014.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::KeyValues;
use crate::formats::regf::{HiveKind, ValueKind};
use crate::model::{Descriptor, Field, Host, Kind};

static COMPONENT: Descriptor = Descriptor {
    name: "windows:registry:active_setup",
    doc: "A command is set to run once for each user at logon; set at the latest when its key was last written.",
    message: "Active Setup of {component}[ ({title})]: {command}",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("component", Kind::Text, "The component: the key's own name"),
        Field::new("title", Kind::Text, "Its title: the default value"),
        Field::new("stub_path", Kind::Text, "The command as stored"),
        Field::new("command", Kind::Text, "The command with %variables% replaced where the evidence tells them"),
        Field::new("version", Kind::Text, "Version; the command runs again for a user when it rises"),
        Field::new("is_installed", Kind::Bool, "False switches the command off"),
    ],
};

static DONE: Descriptor = Descriptor {
    name: "windows:registry:active_setup_done",
    doc: "The command of a component was run for a user, at the latest when the key was last written.",
    message: "Active Setup ran {component}[ version {version}] for the user",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("component", Kind::Text, "The component: the key's own name"),
        Field::new("version", Kind::Text, "Version that was run"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "active_setup",
    doc: "Active Setup runs a command once for each user, at the first logon after a component was installed or got a \
new version. The machine's hive has the commands, each user's hive what was run for that user.\n\n\
It proves that the command was set, and by the user's key, that Windows ran it for that user: the key is written when \
the command has run. The time of a row is the last write of the KEY: it dates the last change of any of its values.\n\n\
It does not prove what the command did. Windows itself has some twenty components with commands; a component without \
command gives no row.\n\n\
It lives until somebody removes it. A user's key stays when the component goes.",
    references: &["https://attack.mitre.org/techniques/T1547/014/"],
    emits: &[&COMPONENT, &DONE],
    reads: Reads::RegKeys {
        keys: &[
            r"SOFTWARE\Microsoft\Active Setup\Installed Components\*",
            r"SOFTWARE\WOW6432Node\Microsoft\Active Setup\Installed Components\*",
            r"NTUSER\Software\Microsoft\Active Setup\Installed Components\*",
            r"NTUSER\Software\WOW6432Node\Microsoft\Active Setup\Installed Components\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    let version = values.text("Version");
    match values.get("StubPath").and_then(|value| Some((value.kind(), value.text().filter(|text| !text.is_empty())?))) {
        Some((kind, stub)) => out.give(
            values
                .record(&COMPONENT, input)
                .set("component", input.key.name())
                .set_some("title", values.text(""))
                .set("command", if kind == ValueKind::ExpandSz { host.expand(&stub, input.user) } else { stub.clone() })
                .set("stub_path", stub)
                .set_some("version", version)
                .set_some("is_installed", values.number("IsInstalled").map(|n| n != 0)),
        ),
        None if input.hive == HiveKind::NtUser => {
            out.give(values.record(&DONE, input).set("component", input.key.name()).set_some("version", version))
        }
        None => {}
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::read;
    use super::*;
    use crate::model::Event;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/active_setup/ntuser.hve");
    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/active_setup/software.hve");
    const COMPONENTS: &str = r"Microsoft\Active Setup\Installed Components";

    #[test]
    fn commands_and_what_was_run() {
        let keys = ["{evil}", "{plain}"].map(|name| format!(r"{COMPONENTS}\{name}"));
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &[&keys[0], &keys[1]]);
        let messages: Vec<_> = sink.events.iter().map(Event::message).collect();
        assert_eq!(messages, [r"Active Setup of {evil} (Updater): C:\ProgramData\u.exe"]);
        let sink = read(&ARTIFACT, &Host::default(), NTUSER, "HKU", &[&format!(r"Software\{}", keys[0])]);
        assert_eq!(sink.events[0].message(), "Active Setup ran {evil} version 1,0 for the user");
    }
}
