//! Office's own lists of recent documents and folders, and where the reader left a document.
//!
//! Each program keeps `File MRU` and `Place MRU`, since Office 2013 once more below `User MRU\<account>` for each signed-in
//! account. A value is one entry, `Item 1` the newest, as text:
//!
//! ```text
//! [F00000000][T01D67B6648C1F2D0][O00000000]*C:\Users\x\Documents\report.docx
//! ```
//!
//! | part | meaning |
//! |---|---|
//! | `F` | flags, hex; bit 0: pinned |
//! | `T` | FILETIME, hex: when it was last opened; not in every version |
//! | `O` | not known |
//! | behind `*` | path or URL |
//!
//! `Reading Locations\Document N` (Word 2013 and later) holds `File Path`, `Datetime` (local time, whole minutes, text) and
//! `Position`. Not documented by Microsoft; the values are as the write-ups named below and real hives have them.

use std::collections::HashMap;

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use super::mru;
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, State, Timestamp};

static FILE: Descriptor = Descriptor {
    name: "windows:office:recent_file",
    doc: "The user opened a document in an Office program, for the last time at this instant.",
    message: "{application} opened {path}",
    data_type: Some("windows:registry:office_mru"),
    fields: ENTRY,
};

static PLACE: Descriptor = Descriptor {
    name: "windows:office:recent_place",
    doc: "The user opened or saved a document of an Office program in this folder, for the last time at this instant.",
    message: "{application} used the folder {path}",
    data_type: Some("windows:registry:office_mru"),
    fields: ENTRY,
};

const ENTRY: &[Field] = &[
    Field::new("key_path", Kind::Text, "Full path of the key"),
    Field::new("name", Kind::Text, "Name of the value, Item 1 for the newest"),
    Field::new("path", Kind::Text, "Path or URL of the document or folder"),
    Field::new("application", Kind::Text, "Word, Excel, PowerPoint …"),
    Field::new("version", Kind::Text, "Version of Office, 16.0 for 2016 and later"),
    Field::new("account", Kind::Text, "Office account whose list it is (User MRU)"),
    Field::new("position", Kind::Number, "Place in the list, 0 for the newest"),
    Field::new("flags", Kind::Text, "Flags as stored, hex; bit 0: pinned to the list"),
    Field::new("data", Kind::Text, "The data as stored"),
    Field::new("metadata", Kind::Text, "What Item Metadata of the same number says, XML (Microsoft 365)"),
];

static READING: Descriptor = Descriptor {
    name: "windows:office:reading_location",
    doc: "Word remembers where the user was in a document when it was closed.",
    message: "{application} remembers the place in {path}[, closed at {closed_local} local time]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path or URL of the document"),
        Field::new("application", Kind::Text, "Word as a rule"),
        Field::new("version", Kind::Text, "Version of Office"),
        Field::new("closed_local", Kind::Text, "When the document was closed: local time, no zone is stored"),
        Field::new("place", Kind::Text, "The place in the document, as stored"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "office_mru",
    doc: "Word, Excel, PowerPoint and the other programs of Office keep lists of the documents that a user opened (File MRU) and \
of the folders that they lay in (Place MRU), in the user's registry, per version and, since 2013, per signed-in account. \
Word also remembers where in a document the user was (Reading Locations).\n\n\
An entry proves that the document was opened or saved under that account with that program; its time, which the entry itself \
holds to 100 ns, is the last time that this happened. A reading location proves that the document was open in Word long \
enough to be closed; its own time is local time in whole minutes and stays a text, the row's time is the last write of its \
key.\n\n\
It does not prove that a macro ran or that the document still exists. An entry can come from another machine: lists of a \
signed-in account roam. Entries without a time are listed undated.\n\n\
It lives until newer entries push it out (25 to 50 by default) or the user clears the list. It stays when the document is \
deleted.",
    references: &[
        "D. Hurlbut, Microsoft Office 2007, 2010 Registry Artifacts",
        "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/winreg_plugins/officemru.py",
    ],
    emits: &[&FILE, &PLACE, &READING],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Office\*\*\File MRU",
            r"NTUSER\Software\Microsoft\Office\*\*\Place MRU",
            r"NTUSER\Software\Microsoft\Office\*\*\User MRU\*\File MRU",
            r"NTUSER\Software\Microsoft\Office\*\*\User MRU\*\Place MRU",
            r"NTUSER\Software\Microsoft\Office\*\*\Reading Locations\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let product = Product::of(&input.path);
    if product.list.eq_ignore_ascii_case("Reading Locations") {
        reading_location(input, &product, out);
        return Ok(Completion::Complete);
    }
    let descriptor = if product.list.eq_ignore_ascii_case("Place MRU") { &PLACE } else { &FILE };
    let values = mru::values(input, out);
    let metadata: HashMap<u64, String> = values
        .iter()
        .filter_map(|(name, value, _)| Some((name.strip_prefix("Item Metadata ")?.parse().ok()?, value.text()?)))
        .collect();
    for (name, value, _) in values {
        let Some(number) = item_number(&name) else { continue };
        let Some(data) = value.text() else {
            out.issue(Some(value.offset()), Loss::Record, format!("{name} is no text but {}", value.kind()));
            continue;
        };
        let entry = Entry::read(&data);
        if entry.path.is_none() {
            out.issue(Some(value.offset()), Loss::None, format!("{name} has no path: {data}"));
        }
        out.give(
            mru::record(descriptor, input, &value)
                .set("name", name)
                .set_some("path", entry.path)
                .set_some("application", product.application)
                .set_some("version", product.version)
                .set_some("account", product.account)
                .set_some("position", number.checked_sub(1))
                .set_some("flags", entry.flags)
                .set_some("metadata", metadata.get(&number).cloned())
                .time(Meaning::OPENED, entry.time)
                .set("data", data),
        );
    }
    Ok(Completion::Complete)
}

/// What the path of the key says.
struct Product<'p> {
    version: Option<&'p str>,
    application: Option<&'p str>,
    account: Option<&'p str>,
    /// `File MRU`, `Place MRU` or `Reading Locations`.
    list: &'p str,
}

impl<'p> Product<'p> {
    fn of(path: &'p str) -> Self {
        let mut parts = path.rsplit('\\');
        let last = parts.next().unwrap_or_default();
        let above = parts.next();
        let (list, account) = match above {
            Some(above) if above.eq_ignore_ascii_case("Reading Locations") => (above, None),
            above => match parts.clone().next() {
                Some(users) if users.eq_ignore_ascii_case("User MRU") => (last, above),
                _ => {
                    let mut parts = path.rsplit('\\').skip(1);
                    let application = parts.next();
                    return Self { version: parts.next(), application, account: None, list: last };
                }
            },
        };
        if account.is_some() {
            parts.next();
        }
        let application = parts.next();
        Self { version: parts.next(), application, account, list }
    }
}

/// The number in `Item 12`.
fn item_number(name: &str) -> Option<u64> {
    let (word, number) = name.split_once(' ')?;
    number.parse().ok().filter(|_| word.eq_ignore_ascii_case("Item"))
}

/// The parts of an entry.
struct Entry {
    flags: Option<String>,
    time: Option<Timestamp>,
    path: Option<String>,
}

impl Entry {
    fn read(text: &str) -> Self {
        let mut entry = Self { flags: None, time: None, path: None };
        let mut rest = text;
        // Each round takes one `[…]`.
        while let Some((part, behind)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            match part.split_at_checked(1) {
                Some(("F", flags)) => entry.flags = Some(flags.to_owned()),
                Some(("T", time)) => {
                    let ticks = u64::from_str_radix(time, 16).ok();
                    entry.time = ticks.and_then(Timestamp::from_filetime_field);
                }
                _ => {}
            }
            rest = behind;
        }
        let path = rest.strip_prefix('*').unwrap_or(rest);
        entry.path = (!path.is_empty()).then(|| path.to_owned());
        entry
    }
}

fn reading_location(input: &KeyInput<'_>, product: &Product<'_>, out: &mut Out<'_>) {
    let text = |name| input.key.value(name).and_then(|value| value.text()).filter(|text| !text.is_empty());
    let mut record = Record::new(&READING)
        .set("key_path", input.path.clone())
        .set_some("path", text("File Path"))
        .set_some("application", product.application)
        .set_some("version", product.version)
        .set_some("closed_local", text("Datetime"))
        .set_some("place", text("Position"))
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() {
        record = record.state(State::LogReplayed);
    }
    for value in input.key.values() {
        out.keep(value.and_then(|value| value.data().map(|_| ())));
    }
    out.give(record);
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;
    use crate::model::Value;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/office_mru/ntuser.hve");
    const OFFICE: &str = r"Software\Microsoft\Office\16.0\Word";

    #[test]
    fn each_entry_has_its_own_time() {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{OFFICE}\File MRU"));
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "path").unwrap(), time(e))).collect();
        assert_eq!(
            rows,
            [
                (r"C:\Users\Clippy\Downloads\Rechnung 2020.doc", Some("2020-08-26T05:08:55.7654321Z".to_owned())),
                (r"https://example.com/a].docx", Some("2020-03-01T00:00:30.0000000Z".to_owned())),
                (r"D:\undated.doc", None),
            ]
        );
        assert_eq!(found.events[0].meaning, Meaning::OPENED);
        assert_eq!(found.events[0].values.get("position"), Some(&Value::Number(0)));
        assert_eq!(field(&found.events[1], "flags"), Some("00000001"));
        assert_eq!(
            (field(&found.events[0], "application"), field(&found.events[0], "version")),
            (Some("Word"), Some("16.0"))
        );
        // A number where a text should be is named.
        assert_eq!(found.issues.len(), 1);
    }

    #[test]
    fn the_lists_of_an_account() {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{OFFICE}\User MRU\LiveId_AB12\Place MRU"));
        let [place] = found.events.as_slice() else { panic!("{:?}", found.events) };
        assert_eq!(place.descriptor.name, "windows:office:recent_place");
        assert_eq!((field(place, "account"), field(place, "application")), (Some("LiveId_AB12"), Some("Word")));
        assert_eq!(field(place, "metadata"), Some("<Metadata/>"));
    }

    #[test]
    fn a_reading_location_is_local_time() {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{OFFICE}\Reading Locations\Document 0"));
        let [place] = found.events.as_slice() else { panic!("{:?}", found.events) };
        assert_eq!(field(place, "closed_local"), Some("2020-08-26T14:11"));
        assert_eq!((field(place, "application"), field(place, "version")), (Some("Word"), Some("16.0")));
        assert_eq!(time(place).as_deref(), Some("2020-08-26T05:11:00.5000000Z"));
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, &format!(r"{OFFICE}\File MRU"));
        damage(&ARTIFACT, NTUSER, &format!(r"{OFFICE}\Reading Locations\Document 0"));
    }
}
