//! Shellbags: every folder that a user's Explorer showed, as the registry remembers it.
//!
//! `BagMRU` is a tree of keys that follows the shell's tree of folders. Each key stands for one folder:
//!
//! | value | content |
//! |---|---|
//! | `0`, `1`, … | one shell item each (and a size of 0): a folder below it; the subkey of that name goes on with it |
//! | `MRUListEx` | the order of these, the newest first, see `mru.rs` |
//! | `NodeSlot` | number of the key below `Bags` that holds the folder's window settings |
//! | `NodeSlots` | at the root alone: which slots are used |
//!
//! It lies in `UsrClass.dat` (Windows Vista and later) and in `NTUSER.DAT` (before, and today for the desktop and for shares);
//! `ShellNoRoam` is that of local folders in Windows XP. Sources: J. Metz, libfwsi; dfwinreg's and plaso's readings of BagMRU.

use std::collections::HashMap;

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use super::mru;
use crate::formats::regf::Key;
use crate::formats::shell_item::{self, FatTime, ShellItem};
use crate::model::{Descriptor, Field, Host, Kind, Loss, State};

static FOLDER: Descriptor = Descriptor {
    name: "windows:registry:shellbag",
    doc: "The user's Explorer showed a folder; dated only for the folder that was used last among its siblings.",
    message: "{path} was shown in the Explorer[, place {position} among its siblings]",
    data_type: Some("windows:registry:bagmru"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key that lists the folder"),
        Field::new("path", Kind::Text, "Full path as the shell shows it; ? for a part that can't be told"),
        Field::new("name", Kind::Text, "Name of the value, and of the folder's own key below"),
        Field::new("position", Kind::Number, "Place among its siblings, 0 for the one used last; absent if not listed"),
        Field::new("node_slot", Kind::Number, "Number of the key below Bags with its window settings"),
        Field::new(
            "key_last_write",
            Kind::Time,
            "Last write of the folder's own key: a folder below it was used or added",
        ),
        Field::new("kind", Kind::Text, "What it is: directory, volume, network, compressed folder, control panel …"),
        Field::new("modified", Kind::Text, "FAT time of its last change, 2 s; no zone is stored, Windows writes UTC"),
        Field::new("created", Kind::Text, "FAT time of its creation, as above"),
        Field::new("accessed", Kind::Text, "FAT time of its last access, as above"),
        Field::new("mft_reference", Kind::Text, "MFT record and sequence number"),
        Field::new("item", Kind::Map, "All of the shell item"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "shellbags",
    doc: "Shellbags are the Explorer's memory of how the windows of folders looked. For that it keeps, per user, a tree of \
every folder that was shown: local ones, those of removed disks, of network shares, of archives, of phones, and places like the \
Control Panel. Each entry holds the folder's times and MFT reference as they were when it was last updated.\n\n\
It proves that the folder existed and was shown or chosen under that account in the Explorer or in a file dialog. Among \
siblings, the order of use is known; only the one used last is dated, by the last write of the key above it. All others \
are undated, but were used earlier.\n\n\
It does not prove that a file in the folder was opened. Some entries come to be without a window: a click that unpacks an \
archive, a file dialog, or a new folder. A key can be written for other reasons than use (an entry below it was added or \
removed), so a time says 'at the latest'.\n\n\
It lives for years: a folder stays in the tree after it was deleted, its disk removed or its share closed.",
    references: &[
        "https://github.com/libyal/libfwsi",
        "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/winreg_plugins/bagmru.py",
        "https://github.com/keydet89/RegRipper3.0/blob/master/plugins/shellbags.pl",
    ],
    emits: &[&FOLDER],
    reads: Reads::RegKeys {
        keys: &[
            r"USRCLASS\Local Settings\Software\Microsoft\Windows\Shell\BagMRU",
            r"USRCLASS\Local Settings\Software\Microsoft\Windows\ShellNoRoam\BagMRU",
            r"USRCLASS\Wow6432Node\Local Settings\Software\Microsoft\Windows\Shell\BagMRU",
            r"NTUSER\Software\Microsoft\Windows\Shell\BagMRU",
            r"NTUSER\Software\Microsoft\Windows\ShellNoRoam\BagMRU",
        ],
        parse,
    },
};

/// Folders above each other, at most. A path of Windows has room for 128 names in 260 characters.
const MAX_DEPTH: usize = 256;
/// Longest path that is given, in bytes. Windows allows 32,767 characters.
const MAX_PATH: usize = 1 << 16;

/// A key still to be read, and the folder that it stands for; none for the root, which is the desktop.
struct Node<'h> {
    key: Key<'h>,
    path: String,
    depth: usize,
    item: Option<ShellItem>,
}

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let root = Node { key: input.key.clone(), path: input.path.clone(), depth: 0, item: None };
    let mut nodes = vec![root];
    // The folders from the desktop down to the current node.
    let mut above: Vec<ShellItem> = Vec::new();
    // Every key of the hive is a node once at most: the hive's tree has no cycles.
    while let Some(node) = nodes.pop() {
        above.truncate(node.depth.saturating_sub(1));
        above.extend(node.item);
        let here = KeyInput {
            locator: input.locator.clone(),
            hive: input.hive,
            key: node.key,
            path: node.path,
            user: input.user,
        };
        let mut children = children(&here, node.depth.saturating_add(1), &mut above, out);
        children.reverse();
        nodes.append(&mut children);
    }
    Ok(Completion::Complete)
}

/// Gives the folders that a key lists, and returns their keys.
fn children<'h>(here: &KeyInput<'h>, depth: usize, above: &mut Vec<ShellItem>, out: &mut Out<'_>) -> Vec<Node<'h>> {
    let mut nodes = Vec::new();
    if depth > MAX_DEPTH {
        let text = format!("shellbags go deeper than {MAX_DEPTH} folders; what lies below is left out");
        out.issue(Some(here.key.offset()), Loss::Rest, text);
        return nodes;
    }
    let mut keys: HashMap<String, Key<'h>> = HashMap::new();
    let mut names = Vec::new();
    for key in here.key.subkeys() {
        let Some(key) = out.keep(key) else { continue };
        names.push(key.name());
        keys.insert(key.name(), key);
    }
    for entry in mru::entries(here, out).into_iter().filter(|entry| is_number(&entry.name)) {
        let list = shell_item::read_list(&entry.data, 0);
        mru::item_faults(&list, &entry.value, out);
        let item = list.items.into_iter().next().unwrap_or_else(|| {
            out.issue(Some(entry.value.offset()), Loss::Record, "a shellbag without a shell item");
            shell_item::read_item(&[], 0)
        });
        let key = keys.remove(&entry.name);
        let record = folder(mru::entry_record(&FOLDER, here, &entry), key.as_ref(), Some(&item));
        above.push(item);
        out.give(record.set_some("path", path(above)));
        let item = above.pop();
        nodes.extend(key.map(|key| Node { path: format!(r"{}\{}", here.path, entry.name), key, depth, item }));
    }
    // A key whose value is gone: what lies below it is still there.
    for name in names.into_iter().filter(|name| is_number(name)) {
        let Some(key) = keys.remove(&name) else { continue };
        let item = shell_item::read_item(&[], 0);
        let mut record =
            Record::new(&FOLDER).set("key_path", here.path.clone()).set("name", name.clone()).at(key.offset());
        if key.from_log() {
            record = record.state(State::LogReplayed);
        }
        let record = folder(record, Some(&key), None);
        above.push(item);
        out.give(record.set_some("path", path(above)));
        let item = above.pop();
        nodes.push(Node { path: format!(r"{}\{name}", here.path), key, depth, item });
    }
    nodes
}

fn folder(record: Record, key: Option<&Key<'_>>, item: Option<&ShellItem>) -> Record {
    let fat = |time: Option<FatTime>| time.map(|time| time.to_string());
    let file = item.and_then(|item| item.file.as_ref());
    record
        .set_some("node_slot", key.and_then(|key| key.value("NodeSlot")?.number()))
        .set_some("key_last_write", key.and_then(Key::last_write))
        .set_some("kind", item.map(|item| item.kind.name()))
        .set_some("modified", file.and_then(|file| fat(file.modified)))
        .set_some("created", file.and_then(|file| fat(file.created)))
        .set_some("accessed", file.and_then(|file| fat(file.accessed)))
        .set_some("mft_reference", file.and_then(|file| file.reference).map(|reference| reference.to_string()))
        .set_some("item", item.map(shell_item::describe))
}

/// The path of a row of folders, bounded against trees that are made to be large.
fn path(items: &[ShellItem]) -> Option<String> {
    let mut path = shell_item::path(items)?;
    if path.len() > MAX_PATH {
        let end = (0..=MAX_PATH).rev().find(|end| path.is_char_boundary(*end)).unwrap_or(0);
        path.truncate(end);
        path.push('…');
    }
    Some(path)
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;
    use crate::model::Value;

    const USRCLASS: &[u8] = include_bytes!("../../../testdata/artifacts/shellbags/usrclass.hve");
    const KEY: &str = r"Local Settings\Software\Microsoft\Windows\Shell\BagMRU";

    #[test]
    fn the_tree_gives_paths() {
        let found = read(&ARTIFACT, USRCLASS, KEY);
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "path").unwrap(), time(e))).collect();
        let at = |text: &str| Some(text.to_owned());
        assert_eq!(
            rows,
            [
                ("My Computer", at("2020-08-26T05:09:10.1234567Z")),
                (r"\\server\share", None),
                (r"C:\", at("2020-08-26T05:09:09.0000000Z")),
                (r"C:\Users", at("2020-08-26T05:09:08.0000000Z")),
                (r"C:\Users\Öffentlich", at("2020-08-26T05:09:07.0000000Z")),
                // Its key is there, its value is not.
                (r"C:\Users\?", None),
                (r"C:\Users\?\mscsvidc", None),
            ]
        );
        let users = &found.events[3];
        assert_eq!(field(users, "mft_reference"), Some("1234-3"));
        assert_eq!(
            (field(users, "created"), field(users, "modified"), field(users, "accessed")),
            (Some("2019-12-07T09:03:44"), Some("2019-12-07T10:03:44"), Some("2019-12-07T11:03:44"))
        );
        assert_eq!(users.values.get("node_slot"), Some(&Value::Number(4)));
        assert_eq!(found.events[1].values.get("position"), Some(&Value::Number(1)));
        assert_eq!(field(users, "key_path"), Some(&*format!(r"HKEY_USERS\S-1-5-21-1-2-3-1001\{KEY}\0\0")));
        assert_eq!(found.issues, []);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = read(&ARTIFACT, USRCLASS, r"Deep\BagMRU");
        assert_eq!((deep.events.len(), deep.issues.len()), (MAX_DEPTH, 1));
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, USRCLASS, KEY);
    }
}
