//! WordWheelQuery: what a user searched for in the Explorer; in Windows XP, ACMru.
//!
//! `Explorer\WordWheelQuery` has one search term a value (UTF-16, NUL) and `MRUListEx`, see `mru.rs`. In Windows XP the lists lie
//! below `Search Assistant\ACMru`, one key for each field of the search form, with the values `000` (the newest), `001` …

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::mru;
use crate::bytes::text;
use crate::formats::regf::ValueKind;
use crate::model::{Descriptor, Field, Host, Kind};

static TERM: Descriptor = Descriptor {
    name: "windows:registry:search_term",
    doc: "The user searched for a term in the Explorer; dated only for the newest of a list.",
    message: "{term} was searched for in {searched}[, place {position} in the list]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("term", Kind::Text, "What was searched for"),
        Field::new("searched", Kind::Text, "Where: the Explorer, or the field of the search form (Windows XP)"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest; absent if the list leaves it out"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "word_wheel_query",
    doc: "WordWheelQuery is the list of terms that a user typed into the search field of the Explorer (Windows 7 and later), \
ACMru that of the search form of Windows XP.\n\n\
It proves that the term was entered under that account. The newest entry of a list is dated by the last write of its key; the \
others are undated, but older.\n\n\
It does not prove that anything was found or opened.\n\n\
It lives until newer entries push it out or the user clears the list.",
    references: &["https://github.com/keydet89/RegRipper3.0/blob/master/plugins/wordwheelquery.pl"],
    emits: &[&TERM],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\WordWheelQuery",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\WordWheelQuery\*",
            r"NTUSER\Software\Microsoft\Search Assistant\ACMru\*",
        ],
        parse,
    },
};

/// Fields of Windows XP's search form. Source: RegRipper's and dissect's readings of ACMru.
const FORMS: &[(&str, &str)] = &[
    ("5001", "Internet"),
    ("5603", "files and folders: name"),
    ("5604", "files and folders: a word in the file"),
    ("5647", "computers and people"),
];

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let form = input.key.name();
    let old = input.key.parent().is_some_and(|parent| parent.name().eq_ignore_ascii_case("ACMru"));
    let searched = match FORMS.iter().find(|(id, _)| *id == form) {
        Some((_, name)) if old => *name,
        _ if old => "the search form",
        _ => "the Explorer",
    };
    for mut entry in mru::entries(input, out) {
        if old {
            entry.position = entry.name.parse().ok();
            entry.time = input.key.last_write().filter(|_| entry.position == Some(0));
        }
        let term = match entry.value.kind() {
            ValueKind::Binary => text::from_utf16le_until_nul(&entry.data),
            _ => entry.value.to_value().to_string(),
        };
        out.give(mru::entry_record(&TERM, input, &entry).set("term", term).set("searched", searched));
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/word_wheel_query/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\WordWheelQuery";

    #[test]
    fn terms_of_both_kinds() {
        let found = read(&ARTIFACT, NTUSER, KEY);
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "term").unwrap(), time(e).is_some())).collect();
        assert_eq!(rows, [("password", false), ("rechnung", true)]);
        let found = read(&ARTIFACT, NTUSER, r"Software\Microsoft\Search Assistant\ACMru\5603");
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "term").unwrap(), time(e).is_some())).collect();
        assert_eq!(rows, [("*.doc", true), ("*.xls", false)]);
        assert_eq!(field(&found.events[0], "searched"), Some("files and folders: name"));
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, KEY);
    }
}
