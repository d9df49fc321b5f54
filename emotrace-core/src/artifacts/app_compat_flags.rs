//! AppCompatFlags: programs for which a compatibility setting was made, or that the Program Compatibility Assistant watched.
//!
//! Below `Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags` of `NTUSER` and `SOFTWARE`:
//!
//! | key | value name | data |
//! |---|---|---|
//! | `Layers` | path of the program | settings, parted by blanks: `~ RUNASADMIN WIN7RTM` |
//! | `Compatibility Assistant\Persisted` (Vista, 7) | path | 1 |
//! | `Compatibility Assistant\Store` (8 on) | path | structure that begins with `SACP` |
//!
//! A path can begin with `SIGN.MEDIA=<number> ` (started from removable media, without its drive) or `SIGN.IE=<number> `
//! (downloaded). At 44 of `SACP` stands a FILETIME whose meaning is not documented: in real hives many programs share it,
//! so it is no time of a run.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::bytes::fields::u64_at;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State, Timestamp};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:app_compat_flags:program",
    doc: "A compatibility setting for a program was made, or the Compatibility Assistant watched it run.",
    message: "{path} stands in {list}[: {layers}]",
    data_type: Some("windows:registry:key_value"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path of the program, without its mark"),
        Field::new(
            "mark",
            Kind::Text,
            "SIGN.MEDIA=… (started from removable media) or SIGN.IE=… (downloaded), as stored",
        ),
        Field::new("list", Kind::Text, "layers, persisted or store"),
        Field::new("store_time", Kind::Time, "The time in an entry of Store; not documented, and no time of a run"),
        Field::new("layers", Kind::Text, "Settings of a layer as stored, for example ~ RUNASADMIN"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "app_compat_flags",
    doc: "AppCompatFlags holds compatibility settings that a user or an installer made for programs (Layers), and the programs \
that the Program Compatibility Assistant watched (Persisted in Vista and 7, Store from 8 on).\n\n\
An entry in Persisted or Store proves that the program was run by this user. A mark tells that it came from removable media \
or a download. A layer proves that somebody set it, for example to run the program always as administrator.\n\n\
It does not tell when: the time of a row is the last write of the KEY, and only the last entry has that time. Not every \
program is watched; mostly installers and programs without a manifest are.\n\n\
It lives until the user's profile is removed; nothing ages the entries.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/win7appqual/program-compatibility-assistant",
        "https://github.com/libyal/winreg-kb/blob/main/docs/sources/system-keys/Application-compatibility-cache.md",
    ],
    emits: &[&PROGRAM],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Layers",
            r"NTUSER\Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Compatibility Assistant\Persisted",
            r"NTUSER\Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Compatibility Assistant\Store",
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Layers",
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Compatibility Assistant\Persisted",
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Compatibility Assistant\Store",
            r"SOFTWARE\WOW6432Node\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Layers",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let list = input.key.name().to_ascii_lowercase();
    for value in input.key.values() {
        let Some(value) = out.keep(value) else { continue };
        let name = value.name();
        // The default value names no program.
        if name.is_empty() {
            continue;
        }
        let (mark, path) = match name.split_once(' ').filter(|(mark, _)| mark.starts_with("SIGN.")) {
            Some((mark, path)) => (Some(mark), path),
            None => (None, name.as_str()),
        };
        let mut record = Record::new(&PROGRAM)
            .set("key_path", input.path.clone())
            .set("path", path)
            .set_some("mark", mark)
            .set_some("layers", value.text())
            .set("list", list.clone())
            .set_some("store_time", value.data().ok().and_then(|data| store_time(&data)))
            .time(Meaning::KEY_WRITTEN, input.key.last_write())
            .at(value.offset());
        if value.from_log() {
            record = record.state(State::LogReplayed);
        }
        out.give(record);
    }
    Ok(Completion::Complete)
}

/// The time in an entry of Store.
fn store_time(data: &[u8]) -> Option<Timestamp> {
    let store = data.starts_with(b"SACP");
    u64_at(data, 44).filter(|_| store).and_then(Timestamp::from_filetime_field)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Value};

    #[test]
    fn all_lists() {
        let bytes = include_bytes!("../../../testdata/artifacts/app_compat_flags/ntuser.hve");
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let mut sink = Collect::default();
        for name in ["Layers", r"Compatibility Assistant\Persisted", r"Compatibility Assistant\Store"] {
            let path = format!(r"Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\{name}");
            let key = hive.find(&path).unwrap();
            let input = KeyInput { locator: Arc::default(), hive: HiveKind::NtUser, key, path, user: None };
            let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
            assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        }
        let messages: Vec<_> = sink.events.iter().map(|event| event.message()).collect();
        let expected = [
            r"C:\Users\Clippy\evil.exe stands in layers: ~ RUNASADMIN",
            r"setup\autorun.exe stands in persisted",
            r"C:\Users\Clippy\evil.exe stands in store",
        ];
        assert_eq!(messages, expected);
        assert_eq!(sink.events[1].values.get("mark").and_then(Value::as_text), Some("SIGN.MEDIA=90AD4F87"));
        assert_eq!((sink.events[0].meaning, sink.issues.len()), (Meaning::KEY_WRITTEN, 0));
    }
}
