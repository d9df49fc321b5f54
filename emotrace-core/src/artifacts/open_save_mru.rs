//! Files and folders that a user chose in the dialogs "Open" and "Save as", and the programs that showed them.
//!
//! All lie below `Explorer\ComDlg32`; for the order see `mru.rs`.
//!
//! | key | since | data of a value |
//! |---|---|---|
//! | `OpenSavePidlMRU\<extension>` | Vista | list of shell items: the file |
//! | `LastVisitedPidlMRU`, `LastVisitedPidlMRULegacy` | Vista | program (UTF-16, NUL), then a list of shell items: the folder |
//! | `CIDSizeMRU` | Vista | program (UTF-16, NUL), then the size of the dialog |
//! | `OpenSaveMRU\<extension>` | before | path as text |
//! | `LastVisitedMRU` | before | program (UTF-16, NUL), folder (UTF-16, NUL) |

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::mru::{self, Entry};
use crate::bytes::text;
use crate::formats::regf::ValueKind;
use crate::formats::shell_item;
use crate::model::{Descriptor, Field, Host, Kind};

static FILE: Descriptor = Descriptor {
    name: "windows:registry:open_save",
    doc: "The user chose a file in a dialog to open or save; dated only for the newest of a list.",
    message: "{path} was chosen in a file dialog[, place {position} in the list {list}]",
    data_type: Some("windows:registry:mrulistex"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path of the file"),
        Field::new("list", Kind::Text, "Extension of the files in the list; * for all"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest; absent if the list leaves it out"),
        Field::new("items", Kind::List, "The shell items: kind, name, FAT times (no zone is stored), MFT reference …"),
    ],
};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:registry:last_visited",
    doc: "A program showed a dialog to open or save, and the user chose this folder; dated only for the newest.",
    message: "{program} showed a file dialog[ in {path}][, place {position} in the list {list}]",
    data_type: Some("windows:registry:mrulistex"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("program", Kind::Text, "Name of the program, or an identifier in braces"),
        Field::new("path", Kind::Text, "The folder; absent in CIDSizeMRU, which has none"),
        Field::new("list", Kind::Text, "Name of the key"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest; absent if the list leaves it out"),
        Field::new("items", Kind::List, "The shell items of the folder"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "open_save_mru",
    doc: "Windows' common file dialog remembers, per user, the files that were opened or saved through it (by extension), the \
folder that each program used last, and the programs that showed it.\n\n\
It proves that the user chose this file or folder in a dialog of a program: that the path was known to the user, and \
that the program ran. The shell items tell size, attributes and times of the folders on the way as they were then, with MFT \
references. The newest entry of a list is dated by the last write of its key; the others are undated, but older.\n\n\
It does not prove that a file was saved or still exists, and programs with dialogs of their own (Office in part) leave \
nothing.\n\n\
It lives until newer entries push it out (20 for each extension).",
    references: &[
        "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/winreg_plugins/mrulistex.py",
        "https://github.com/libyal/libfwsi",
    ],
    emits: &[&FILE, &PROGRAM],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\OpenSavePidlMRU",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\OpenSavePidlMRU\*",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\OpenSaveMRU",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\OpenSaveMRU\*",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\LastVisitedPidlMRU",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\LastVisitedPidlMRULegacy",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\LastVisitedMRU",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32\CIDSizeMRU",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let list = input.key.name();
    let above = input.key.parent().map(|key| key.name()).unwrap_or_default();
    let starts = |name: &str, with: &str| name.get(..with.len()).is_some_and(|n| n.eq_ignore_ascii_case(with));
    let files = starts(&list, "OpenSave") || starts(&above, "OpenSave");
    for entry in mru::entries(input, out) {
        if files {
            file(input, &entry, &list, out);
        } else {
            program(input, &entry, &list, out);
        }
    }
    Ok(Completion::Complete)
}

fn file(input: &KeyInput<'_>, entry: &Entry<'_>, list: &str, out: &mut Out<'_>) {
    let record = mru::entry_record(&FILE, input, entry).set("list", list);
    if entry.value.kind() == ValueKind::Sz {
        out.give(record.set_some("path", entry.value.text()));
        return;
    }
    let items = shell_item::read_list(&entry.data, 0);
    mru::item_faults(&items, &entry.value, out);
    out.give(record.set_some("path", items.path()).set_some("items", mru::items(&items)));
}

fn program(input: &KeyInput<'_>, entry: &Entry<'_>, list: &str, out: &mut Out<'_>) {
    let (program, rest) = mru::split_wide(&entry.data);
    let record =
        mru::entry_record(&PROGRAM, input, entry).set("list", list).set("program", text::from_utf16le(program));
    if list.eq_ignore_ascii_case("CIDSizeMRU") {
        out.give(record);
    } else if list.eq_ignore_ascii_case("LastVisitedMRU") {
        let (folder, _) = mru::split_wide(rest);
        out.give(record.set_some("path", (!folder.is_empty()).then(|| text::from_utf16le(folder))));
    } else {
        let items = shell_item::read_list(rest, 0);
        mru::item_faults(&items, &entry.value, out);
        out.give(record.set_some("path", items.path()).set_some("items", mru::items(&items)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/open_save_mru/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32";

    fn rows(key: &str, name: &str) -> Vec<(String, Option<String>)> {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{KEY}\{key}"));
        assert_eq!(found.issues, []);
        let text = |e| field(e, name).unwrap_or("-").to_owned();
        found.events.iter().map(|e| (text(e), time(e))).collect()
    }

    #[test]
    fn files_folders_and_programs() {
        let newest = || Some("2020-08-26T05:09:10.1234567Z".to_owned());
        let path = r"C:\Users\report.doc".to_owned();
        assert_eq!(rows(r"OpenSavePidlMRU\doc", "path"), [(path, newest())]);
        assert_eq!(rows("LastVisitedPidlMRU", "path"), [(r"C:\Users".to_owned(), newest())]);
        assert_eq!(rows("LastVisitedPidlMRU", "program"), [("WINWORD.EXE".to_owned(), newest())]);
        assert_eq!(rows("CIDSizeMRU", "program"), [("WINWORD.EXE".to_owned(), newest())]);
    }

    #[test]
    fn the_forms_of_windows_xp() {
        let old = rows(r"OpenSaveMRU\txt", "path");
        assert_eq!(old[0], (r"C:\a.txt".to_owned(), None));
        assert_eq!(old[1].0, r"C:\b.txt");
        assert_eq!(rows("LastVisitedMRU", "path")[0].0, r"C:\Documents");
        assert_eq!(rows("LastVisitedMRU", "program")[0].0, "notepad.exe");
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, &format!(r"{KEY}\OpenSavePidlMRU\doc"));
        damage(&ARTIFACT, NTUSER, &format!(r"{KEY}\LastVisitedPidlMRU"));
    }
}
