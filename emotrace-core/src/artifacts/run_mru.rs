//! RunMRU: what a user typed into the Run dialog (Windows key + R).
//!
//! Each value is one command, a letter its name; `\1` ends the text. Order: `MRUList`, see `mru.rs`.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::mru;
use crate::model::{Descriptor, Field, Host, Kind};

static COMMAND: Descriptor = Descriptor {
    name: "windows:registry:run_mru",
    doc: "The user typed a command into the Run dialog; dated only for the newest.",
    message: "{command} was typed into the Run dialog[, place {position} in the list]",
    data_type: Some("windows:registry:mrulist"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("command", Kind::Text, "The command as it was typed"),
        Field::new("data", Kind::Text, "The data as stored"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest; absent if the list leaves it out"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "run_mru",
    doc: "RunMRU is the list of what a user typed into the Run dialog of the Explorer, 26 entries at most.\n\n\
It proves that the command was entered in that dialog under that account and that Windows could start it: what fails is \
not listed. The newest entry is dated by the last write of the key; the others are undated, but older. Commands that a web \
page made a user paste there (ClickFix) stand here.\n\n\
It does not prove what the command then did. A command that is entered again moves to the top without a new value.\n\n\
It lives until newer entries push it out or the user clears the list.",
    references: &[
        "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/winreg_plugins/mrulist.py",
        "https://attack.mitre.org/techniques/T1204/",
    ],
    emits: &[&COMMAND],
    reads: Reads::RegKeys { keys: &[r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\RunMRU"], parse },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    for entry in mru::entries(input, out) {
        let data = entry.value.to_value().to_string();
        let command = data.strip_suffix(r"\1").unwrap_or(&data).to_owned();
        out.give(mru::entry_record(&COMMAND, input, &entry).set("command", command).set("data", data));
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/run_mru/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\RunMRU";

    #[test]
    fn the_order_is_that_of_the_letters() {
        let found = read(&ARTIFACT, NTUSER, KEY);
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "command").unwrap(), time(e))).collect();
        assert_eq!(rows, [("cmd", None), ("powershell -w hidden", Some("2020-08-26T05:09:10.1234567Z".to_owned()))]);
        assert_eq!(field(&found.events[0], "data"), Some(r"cmd\1"));
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, KEY);
    }
}
