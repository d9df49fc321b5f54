//! RecentDocs: documents and folders that a user opened through the Explorer, as the registry lists them.
//!
//! `Explorer\RecentDocs` lists the newest of all kinds, its subkeys those of one extension each (`.doc`, `Folder`). Order: see
//! `mru.rs`. A value's data is the document's name (UTF-16, NUL), then a list with one shell item: the link in the folder
//! `Recent` that was made for it. Source: the shell item's format as in `formats/shell_item.rs`; the list as plaso and RegRipper
//! read it.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::mru;
use crate::bytes::text;
use crate::formats::shell_item;
use crate::model::{Descriptor, Field, Host, Kind};

static DOCUMENT: Descriptor = Descriptor {
    name: "windows:registry:recent_doc",
    doc: "The user opened a document or folder; dated only for the newest of a list.",
    message: "{document} was opened[ (link {link})][, place {position} in the list {list}]",
    data_type: Some("windows:registry:mrulistex"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("document", Kind::Text, "Name of the document or folder, without its path"),
        Field::new("link", Kind::Text, "Name of the link in the folder Recent"),
        Field::new("list", Kind::Text, "RecentDocs for all kinds, else the extension or Folder"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest; absent if the list leaves it out"),
        Field::new("item", Kind::Map, "The shell item of the link"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "recent_docs",
    doc: "RecentDocs is the Explorer's list of the documents and folders that a user opened: one list of all (150 entries) and \
one for each extension. An entry has the document's name without its path, and the name of the link in the user's folder \
Recent.\n\n\
It proves that the document was opened under that account by a double click, by a file dialog or by a program that told the \
shell of it. The lists are in the order of use. Only the newest entry of a list is dated, by the last write of its key; \
all others are undated, but older than it.\n\n\
It does not prove where the document lay (the link in Recent does), nor how often it was opened, nor that it still exists.\n\n\
It lives until newer entries push it out or the user clears the list; it stays when the document is deleted.",
    references: &[
        "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/winreg_plugins/mrulistex.py",
        "https://github.com/libyal/libfwsi",
    ],
    emits: &[&DOCUMENT],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\RecentDocs",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\RecentDocs\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    for entry in mru::entries(input, out) {
        // Windows keeps other values here too, under names that are no numbers.
        if entry.position.is_none() && entry.name.parse::<u32>().is_err() {
            continue;
        }
        let (document, rest) = mru::split_wide(&entry.data);
        let list = shell_item::read_list(rest, 0);
        mru::item_faults(&list, &entry.value, out);
        out.give(
            mru::entry_record(&DOCUMENT, input, &entry)
                .set("document", text::from_utf16le(document))
                .set_some("link", list.target().and_then(|item| item.name.clone()))
                .set("list", input.key.name())
                .set_some("item", list.target().map(shell_item::describe)),
        );
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;
    use crate::model::Value;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/recent_docs/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\RecentDocs";

    #[test]
    fn only_the_newest_is_dated() {
        let found = read(&ARTIFACT, NTUSER, KEY);
        let rows: Vec<_> = found
            .events
            .iter()
            .map(|e| (field(e, "document").unwrap(), e.values.get("position").and_then(Value::as_number), time(e)))
            .collect();
        assert_eq!(
            rows,
            [
                ("old.txt", Some(1), None),
                ("Rechnung 経.doc", Some(0), Some("2020-08-26T05:09:10.1234567Z".to_owned())),
                ("left out.doc", None, None),
            ]
        );
        assert_eq!(field(&found.events[1], "link"), Some("Rechnung 経.doc.lnk"));
        assert_eq!(field(&found.events[1], "list"), Some("RecentDocs"));
        assert_eq!(found.issues, []);
    }

    #[test]
    fn an_order_without_its_end_is_named() {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{KEY}\.doc"));
        assert_eq!((found.events.len(), found.issues.len()), (1, 1));
        assert!(found.events[0].time.is_some());
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, KEY);
    }
}
