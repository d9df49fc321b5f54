//! What the session manager does at the next boot, before any service: programs, and renames of files in use.
//!
//! `SYSTEM\…\Control\Session Manager`: `BootExecute`, `BootExecuteNoPnpSync`, `SetupExecute`, `PlatformExecute`,
//! `Execute` name native programs (`autocheck autochk *` on every machine); `S0InitialCommand` one more.
//! `PendingFileRenameOperations` and `…2` are pairs of texts: file, new name. An empty new name deletes the file; `!`
//! before the new name replaces a file that is there. Paths begin with `\??\`.
//!
//! Source: Microsoft, `MoveFileEx` (MOVEFILE_DELAY_UNTIL_REBOOT); MITRE ATT&CK T1547.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{AUTOSTART, KeyValues, Place, give_autostarts, value_record};
use crate::model::{Descriptor, Field, Host, Kind};

static RENAME: Descriptor = Descriptor {
    name: "windows:registry:pending_rename",
    doc: "A file is to be deleted or renamed at the next boot; asked for at the latest when the key was last written.",
    message: "At the next boot: {action} {source}[ to {target}]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("action", Kind::Text, "delete, rename, or replace (rename over a file that is there)"),
        Field::new("source", Kind::Text, "The file, without the \\??\\ before it"),
        Field::new("target", Kind::Text, "Its new name, without the \\??\\ before it"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "boot_execute",
    doc: "The session manager is the first program that Windows starts. It runs the native programs of BootExecute \
and its like, and then renames and deletes files that were in use when somebody wanted them gone \
(PendingFileRenameOperations).\n\n\
It proves that the programs were set to run at boot, and that somebody asked for the renames since the last boot. The \
time of a row is the last write of the KEY, which any change of any value of the session manager sets.\n\n\
It does not prove who asked: installers, updates and security products do it all the time. BootExecute is autocheck \
autochk * on every machine; anything beside it was added.\n\n\
The programs stay until somebody changes the value. The renames are gone after the next boot.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-movefileexw",
        "https://attack.mitre.org/techniques/T1547/",
    ],
    emits: &[&AUTOSTART, &RENAME],
    reads: Reads::RegKeys { keys: &[r"SYSTEM\CurrentControlSet\Control\Session Manager"], parse },
};

const EXECUTE: &[&str] = &[
    "BootExecute",
    "BootExecuteNoPnpSync",
    "SetupExecute",
    "SetupExecuteNoPnpSync",
    "PlatformExecute",
    "Execute",
    "S0InitialCommand",
];
static PLACES: &[Place] = &[Place { tail: r"Control\Session Manager", values: EXECUTE, mechanism: "Session manager" }];
const RENAMES: &[&str] = &["PendingFileRenameOperations", "PendingFileRenameOperations2"];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    give_autostarts(PLACES, input, host, out);
    let values = KeyValues::read(&input.key, out);
    for value in RENAMES.iter().filter_map(|name| values.get(name)) {
        let Some(texts) = value.multi_text() else { continue };
        for pair in texts.chunks(2) {
            let source = pair.first().map(|text| plain(text)).unwrap_or_default();
            if source.is_empty() {
                continue;
            }
            // An empty text at the end is not in the list: the last pair may be a deletion.
            let target = pair.get(1).map(String::as_str).filter(|text| !text.is_empty());
            let action = match target {
                None => "delete",
                Some(text) if text.starts_with('!') => "replace",
                Some(_) => "rename",
            };
            out.give(
                value_record(&RENAME, input, value)
                    .set("name", value.name())
                    .set("action", action)
                    .set("source", source)
                    .set_some("target", target.map(|text| plain(text.strip_prefix('!').unwrap_or(text)))),
            );
        }
    }
    Ok(Completion::Complete)
}

/// A path without `\??\` and without the numbers (`*1`) that newer versions write before it.
fn plain(text: &str) -> String {
    let text = match text.strip_prefix('*') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => text,
    };
    text.strip_prefix(r"\??\").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::read;
    use super::*;

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/boot_execute/system.hve");

    #[test]
    fn programs_and_renames() {
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &[r"ControlSet001\Control\Session Manager"]);
        let messages: Vec<_> = sink.events.iter().map(crate::model::Event::message).collect();
        assert_eq!(
            messages,
            [
                r"Session manager: autocheck autochk *; evil (HKLM\ControlSet001\Control\Session Manager, value BootExecute)",
                r"At the next boot: replace C:\new.dll to C:\Windows\old.dll",
                r"At the next boot: rename C:\a to C:\b",
                r"At the next boot: delete C:\Users\Public\dropper.exe",
            ]
        );
    }
}
