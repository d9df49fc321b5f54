//! TypedPaths: what a user typed into the address bar of the Explorer. Values `url1` (the newest) to `url26`.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::mru;
use crate::model::{Descriptor, Field, Host, Kind, Meaning};

static PATH: Descriptor = Descriptor {
    name: "windows:registry:typed_path",
    doc: "The user typed a path into the Explorer's address bar; dated only for the newest.",
    message: "{path} was typed into the Explorer's address bar[, place {position} in the list]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path, share, address or command"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "typed_paths",
    doc: "TypedPaths is the list of what a user typed or pasted into the address bar of the Explorer, 25 entries or so.\n\n\
It proves that somebody entered the path under that account: a click on a folder leaves nothing here. The newest entry is \
dated by the last write of the key; the others are undated, but older. Windows writes the list when the window is closed, so \
the time can be later than the typing.\n\n\
It does not prove that the path existed or what was done there.\n\n\
It lives until newer entries push it out or the user clears the list.",
    references: &["https://github.com/keydet89/RegRipper3.0/blob/master/plugins/typedpaths.pl"],
    emits: &[&PATH],
    reads: Reads::RegKeys { keys: &[r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\TypedPaths"], parse },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    for (name, value, _) in mru::values(input, out) {
        let position = mru::numbered(&name, "url");
        let record = mru::record(&PATH, input, &value)
            .set("path", value.to_value().to_string())
            .set("name", name)
            .set_some("position", position);
        out.give(record.time(Meaning::KEY_WRITTEN, input.key.last_write().filter(|_| position == Some(0))));
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/typed_paths/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\TypedPaths";

    #[test]
    fn the_first_is_the_newest() {
        let found = read(&ARTIFACT, NTUSER, KEY);
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "path").unwrap(), time(e))).collect();
        assert_eq!(
            rows,
            [(r"\\server\c$", Some("2020-08-26T05:09:10.1234567Z".to_owned())), (r"C:\ProgramData", None)]
        );
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, KEY);
    }
}
