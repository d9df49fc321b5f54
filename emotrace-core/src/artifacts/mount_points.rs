//! MountPoints2: volumes and shares that a user's Explorer has met.
//!
//! Each subkey of `Explorer\MountPoints2` is one: `{…}` a volume by its identifier (as in `MountedDevices`), `##server#share` a
//! network share, a letter a drive. `shell\<verb>\command` in it is a command that autorun.inf of the volume gave.
//! `Network\<letter>` is a drive that is connected to a share again at each logon (`RemotePath`, `UserName`);
//! `Explorer\Map Network Drive MRU` are the shares that the user typed to connect one.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use super::key_values::{KeyValues, ends_like, value_record};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

static MOUNT: Descriptor = Descriptor {
    name: "windows:registry:mount_point",
    doc: "The user's Explorer met a volume or share, at the latest when its key was last written.",
    message: "{kind} {target} was mounted[, label {label}][, autorun {commands}]",
    data_type: Some("windows:registry:mount_points2"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("kind", Kind::Text, "share, volume, drive or other"),
        Field::new("target", Kind::Text, r"\\server\share, volume identifier with braces, or drive letter"),
        Field::new("name", Kind::Text, "Name of the key as stored"),
        Field::new("label", Kind::Text, "Label, where the Explorer kept one"),
        Field::new("commands", Kind::List, "Commands that the volume's autorun.inf gave, with their verbs"),
    ],
};

static MAPPED: Descriptor = Descriptor {
    name: "windows:registry:mapped_drive",
    doc: "The user connected a drive letter to a network share, or typed the share's name to do so, at the latest when the key \
was last written.",
    message: "[Drive {drive}: is ]{share}[ as {account}][ (typed, position {position})]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value, for a typed share"),
        Field::new("drive", Kind::Text, "Drive letter that is connected at each logon"),
        Field::new("share", Kind::Text, r"\\server\share"),
        Field::new("account", Kind::Text, "Account that is used for it, where another than the user's own"),
        Field::new("provider", Kind::Text, "Network provider"),
        Field::new("position", Kind::Number, "Place in the list of typed shares, 0 for the last one used"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "mount_points",
    doc: "MountPoints2 is what a user's Explorer remembers of volumes (disks, USB sticks, images) and network shares that it \
showed.\n\n\
It proves that the volume or share was connected while that user was logged on; the volume's identifier joins it with \
MountedDevices and USBSTOR, and so a device with a user. Drives that are connected to a share at each logon, and the shares \
that the user typed to connect one, have rows of their own. The row's time is the last write of the entry's key: often the \
last connection, not always, because Windows also writes the key on other occasions.\n\n\
It does not prove that a file was opened there. Shares that a program uses without the Explorer may be missing.\n\n\
It lives until the user's profile is cleaned; nothing ages it.",
    references: &[
        "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/winreg_plugins/mountpoints.py",
        "https://github.com/keydet89/RegRipper3.0/blob/master/plugins/mp2.pl",
    ],
    emits: &[&MOUNT, &MAPPED],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\MountPoints2\*",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\MountPoints2\CPC\Volume\*",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\Map Network Drive MRU",
            r"NTUSER\Network\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let name = input.key.name();
    if ends_like(&input.path, r"Explorer\Map Network Drive MRU").is_some() {
        give_typed(input, out);
        return Ok(Completion::Complete);
    }
    if ends_like(&input.path, r"MountPoints2\*").is_none() && ends_like(&input.path, r"CPC\Volume\*").is_none() {
        give_mapped(input, out);
        return Ok(Completion::Complete);
    }
    // CPC is no mount point but holds what the Explorer cached of volumes, which the second pattern reads.
    if name.eq_ignore_ascii_case("CPC") {
        return Ok(Completion::Complete);
    }
    let kind = if name.starts_with("##") {
        "share"
    } else if name.starts_with('{') {
        "volume"
    } else if name.chars().count() == 1 {
        "drive"
    } else {
        "other"
    };
    let target = if kind == "share" { name.replace('#', r"\") } else { name.clone() };
    for value in input.key.values() {
        out.keep(value.and_then(|value| value.data().map(|_| ())));
    }
    let text = |name: &&str| input.key.value(name).and_then(|value| value.text()).filter(|text| !text.is_empty());
    let commands = commands(input);
    let mut record = Record::new(&MOUNT)
        .set("key_path", input.path.clone())
        .set("kind", kind)
        .set("target", target)
        .set("name", name)
        .set_some("label", ["_LabelFromReg", "_LabelFromDesktopINI"].iter().find_map(text))
        .set_some("commands", (!commands.is_empty()).then_some(commands))
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() {
        record = record.state(State::LogReplayed);
    }
    out.give(record);
    Ok(Completion::Complete)
}

/// A drive that is connected at each logon.
fn give_mapped(input: &KeyInput<'_>, out: &mut Out<'_>) {
    let values = KeyValues::read(&input.key, out);
    let Some(share) = values.text("RemotePath") else { return };
    out.give(
        values
            .record(&MAPPED, input)
            .set("drive", input.key.name())
            .set("share", share)
            .set_some("account", values.text("UserName"))
            .set_some("provider", values.text("ProviderName")),
    );
}

/// Shares that the user typed; `MRUList` has the names of the values, the last one used first.
fn give_typed(input: &KeyInput<'_>, out: &mut Out<'_>) {
    let values = KeyValues::read(&input.key, out);
    let order = values.text("MRUList").unwrap_or_default();
    for value in values.iter().filter(|value| !value.name().eq_ignore_ascii_case("MRUList")) {
        let Some(share) = value.text() else { continue };
        let name = value.name();
        let position = order.chars().position(|letter| name.eq_ignore_ascii_case(&letter.to_string()));
        out.give(
            value_record(&MAPPED, input, value)
                .set("name", name)
                .set("share", share)
                .set_some("position", position.map(|n| n as u64)),
        );
    }
}

/// `verb: command` of each verb.
fn commands(input: &KeyInput<'_>) -> Vec<String> {
    let verbs = input.key.subkey("shell").map(|shell| shell.subkeys()).unwrap_or_default();
    let command = |verb: &crate::formats::regf::Key<'_>| verb.subkey("command")?.value("")?.text();
    verbs.into_iter().flatten().filter_map(|verb| Some(format!("{}: {}", verb.name(), command(&verb)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/mount_points/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\MountPoints2";

    #[test]
    fn shares_volumes_and_drives() {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{KEY}\##server#share#sub"));
        let [share] = found.events.as_slice() else { panic!("{:?}", found.events) };
        assert_eq!((field(share, "kind"), field(share, "target")), (Some("share"), Some(r"\\server\share\sub")));
        assert_eq!(field(share, "label"), Some("Public"));
        assert_eq!(time(share).as_deref(), Some("2020-08-26T05:09:10.1234567Z"));
        let found = read(&ARTIFACT, NTUSER, &format!(r"{KEY}\{{11111111-2222-3333-4444-555555555555}}"));
        assert_eq!(found.events[0].values.get("commands").unwrap().to_string(), r"AutoRun: E:\start.exe");
        assert!(read(&ARTIFACT, NTUSER, &format!(r"{KEY}\CPC")).events.is_empty());
    }

    #[test]
    fn drives_of_shares() {
        let found = read(&ARTIFACT, NTUSER, r"Network\Z");
        assert_eq!(found.events[0].message(), r"Drive Z: is \\files\books as CORP\admin");
        let list = r"Software\Microsoft\Windows\CurrentVersion\Explorer\Map Network Drive MRU";
        let messages: Vec<_> = read(&ARTIFACT, NTUSER, list).events.iter().map(|event| event.message()).collect();
        assert_eq!(messages, [r"\\old\share (typed, position 1)", r"\\files\books (typed, position 0)"]);
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, &format!(r"{KEY}\##server#share#sub"));
    }
}
