//! UserAssist: the programs and shortcuts that a user started through Explorer, with counts.
//!
//! `NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\UserAssist\{GUID}\Count`. Each value's name is ROT13 (unless
//! `UserAssist\Settings\NoEncrypt` is set); the value `Version` of `{GUID}` and the length of the data tell the layout.
//!
//! | 3 (2000 to Vista), 16 bytes | 5 (Windows 7 on), 72 bytes | content |
//! |---|---|---|
//! | 0 | 0 | session or 0 |
//! | 4 | 4 | counter; version 3 begins to count at 5 |
//! | – | 8 | how often the program got the focus |
//! | – | 12 | time in the foreground, in ms |
//! | 8 | 60 | last run, FILETIME |
//!
//! Source: Windows registry format documentation of the libyal project (winreg-kb, "UserAssist"); the layouts were
//! compared with hives of Windows XP, 7, 8 and 10.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::bytes::fields::{u32_at, u64_at};
use crate::formats::regf::Key;
use crate::formats::shell_names;
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, State, Timestamp, User};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:user_assist:program",
    doc: "A user started a program or shortcut through Explorer; the instant is the last time.",
    message: "{program} was started by the user[ ({run_count} times in all)]",
    data_type: Some("windows:registry:userassist"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("value_name", Kind::Text, "Name of the value as stored"),
        Field::new(
            "program",
            Kind::Text,
            "The name in clear, known folders by name: {System}\\cmd.exe; UEME_… alone is Explorer's own total",
        ),
        Field::new("action", Kind::Text, "How it was started (version 3): UEME_RUNPATH, UEME_RUNPIDL, UEME_RUNCPL …"),
        Field::new("path", Kind::Text, "Path of the program, where the evidence tells the folder"),
        Field::new("version", Kind::Number, "Version of the layout, 3 or 5"),
        Field::new("counter", Kind::Number, "The counter as stored"),
        Field::new(
            "run_count",
            Kind::Number,
            "How often it was run: the counter, in version 3 less the 5 it begins at",
        ),
        Field::new("focus_count", Kind::Number, "How often it got the focus (version 5)"),
        Field::new("focus_time_ms", Kind::Number, "Time in the foreground in milliseconds (version 5)"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "user_assist",
    doc: "UserAssist is what Explorer keeps for its Start menu: for each program or shortcut that a user started, how often, \
how long it was in the foreground, and when last. Names are obscured by ROT13.\n\n\
It proves that the item was started from the desktop session of this user, through Explorer (double click, Start menu, task \
bar, Run box), and the instant is the last such start.\n\n\
It does not show programs that were started by other programs, from a console, by a service or a task. A row without a time \
was not started through Explorer in a way that is timed. The counter of the last start may be that of a shortcut and of the \
program it leads to, one row each. In Windows 10 and later some rows count the focus alone. Applications can raise the \
counters without a user (installers do).\n\n\
It lives as long as the user's profile; the user can clear it by switching off the tracking of programs.",
    references: &[
        "https://github.com/libyal/winreg-kb/blob/main/docs/sources/explorer-keys/User-assist.md",
        "https://www.aldeid.com/wiki/Windows-userassist-keys",
    ],
    emits: &[&PROGRAM],
    reads: Reads::RegKeys {
        keys: &[r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\UserAssist\*\Count"],
        parse,
    },
};

/// What version 3 begins to count at.
const FIRST_COUNT: u32 = 5;

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let plain = not_encrypted(&input.key);
    for value in input.key.values() {
        let Some(value) = out.keep(value) else { continue };
        let Some(data) = out.keep(value.data()) else { continue };
        let stored = value.name();
        let name = if plain { stored.clone() } else { rot13(&stored) };
        // Explorer's own book-keeping: sessions and the start of counting. Nobody ran anything.
        if name.starts_with("UEME_CTL") {
            continue;
        }
        let Some(entry) = Entry::read(&data) else {
            let error = format!("an entry of UserAssist has 16 or 72 bytes, this one has {}", data.len());
            out.issue(Some(value.offset()), Loss::Record, error);
            continue;
        };
        let (action, item) = match name.split_once(':').filter(|(action, _)| action.starts_with("UEME_")) {
            Some((action, item)) => (Some(action), item),
            None => (None, name.as_str()),
        };
        let mut record = Record::new(&PROGRAM)
            .set("key_path", input.path.clone())
            .set("program", named(item))
            .set_some("action", action)
            .set_some("path", path(item, host, input.user))
            .set("version", entry.version)
            .set("counter", u64::from(entry.counter))
            .set_some("run_count", entry.run_count().map(u64::from))
            .set_some("focus_count", entry.focus_count.map(u64::from))
            .set_some("focus_time_ms", entry.focus_time_ms.map(u64::from))
            .set("value_name", stored)
            .time(Meaning::EXECUTED, entry.last_run)
            .at(value.offset());
        if value.from_log() {
            record = record.state(State::LogReplayed);
        }
        out.give(record);
    }
    Ok(Completion::Complete)
}

/// One entry.
struct Entry {
    version: u64,
    counter: u32,
    focus_count: Option<u32>,
    focus_time_ms: Option<u32>,
    last_run: Option<Timestamp>,
}

impl Entry {
    /// By the length of the data: the version that the key gives can be missing.
    fn read(data: &[u8]) -> Option<Self> {
        let counter = u32_at(data, 4)?;
        let time = |at| u64_at(data, at).and_then(Timestamp::from_filetime_field);
        match data.len() {
            16 => Some(Self { version: 3, counter, focus_count: None, focus_time_ms: None, last_run: time(8) }),
            72 => Some(Self {
                version: 5,
                counter,
                focus_count: u32_at(data, 8),
                focus_time_ms: u32_at(data, 12),
                last_run: time(60),
            }),
            _ => None,
        }
    }

    fn run_count(&self) -> Option<u32> {
        if self.version == 3 { self.counter.checked_sub(FIRST_COUNT) } else { Some(self.counter) }
    }
}

/// `UserAssist\Settings`, `NoEncrypt`: names are not obscured.
fn not_encrypted(count: &Key<'_>) -> bool {
    let settings = count.parent().and_then(|guid| guid.parent()).and_then(|root| root.subkey("Settings"));
    settings.and_then(|key| key.value("NoEncrypt")?.number()).is_some_and(|n| n != 0)
}

/// Letters of the Latin alphabet turned by thirteen; all else stays.
fn rot13(text: &str) -> String {
    let turn = |c: char| match c {
        'a'..='m' | 'A'..='M' => char::from_u32(u32::from(c).saturating_add(13)).unwrap_or(c),
        'n'..='z' | 'N'..='Z' => char::from_u32(u32::from(c).saturating_sub(13)).unwrap_or(c),
        _ => c,
    };
    text.chars().map(turn).collect()
}

/// The identifier of the known folder that the item begins with, and what follows.
fn known_folder(item: &str) -> Option<(String, &str)> {
    let (guid, rest) = item.strip_prefix('{')?.split_once('}')?;
    Some((guid.to_ascii_lowercase(), rest))
}

/// The item with its known folder by name.
fn named(item: &str) -> String {
    let name = known_folder(item).and_then(|(guid, rest)| Some(format!("{{{}}}{rest}", shell_names::folder(&guid)?)));
    name.unwrap_or_else(|| item.to_owned())
}

/// Known folders whose place the machine's variables tell, whatever the language of Windows.
const PLACES: &[(&str, &str)] = &[
    ("1ac14e77-02e7-4e5d-b744-2eb1ae5198b7", r"%SystemRoot%\System32"),
    ("f38bf404-1d43-42f2-9305-67de0b28fc23", "%SystemRoot%"),
    ("6d809377-6af0-444b-8957-a3773f02200e", "%ProgramFiles%"),
    ("7c5a40ef-a0fb-4bfc-874a-c0f2e0b9fa8e", "%ProgramFiles(x86)%"),
    ("62ab5d82-fdc1-4dc3-a9dd-070d1d495d97", "%ProgramData%"),
    ("5e6c858f-0e22-4760-9afe-ea3317b67173", "%USERPROFILE%"),
    ("f1b32785-6fba-4fcf-9d55-7b8e7f157091", "%LOCALAPPDATA%"),
    ("3eb685db-65f9-4cf6-a03a-e3ef65729f3d", "%APPDATA%"),
];

/// A path from the root of a drive, or none.
fn path(item: &str, host: &Host, user: Option<&User>) -> Option<String> {
    let Some((guid, rest)) = known_folder(item) else {
        let drive = item.split_once(r":\").is_some_and(|(drive, _)| drive.len() == 1);
        return (drive || item.starts_with(r"\\")).then(|| item.to_owned());
    };
    let (_, place) = PLACES.iter().find(|(id, _)| *id == guid)?;
    let place = host.expand(place, user);
    (!place.contains('%')).then(|| format!("{place}{rest}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Value};

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/user_assist/ntuser.hve");

    fn read(guid: &str) -> Collect {
        let hive = Hive::parse(NTUSER.to_vec(), &[], HiveOptions::default()).unwrap();
        let path = format!(r"Software\Microsoft\Windows\CurrentVersion\Explorer\UserAssist\{guid}\Count");
        let key = hive.find(&path).unwrap();
        let input = KeyInput { locator: Arc::default(), hive: HiveKind::NtUser, key, path, user: None };
        let host = Host { variables: [("SYSTEMROOT".to_owned(), "C:\\Windows".to_owned())].into(), ..Host::default() };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        assert_eq!(parse(&input, &host, &mut out).unwrap(), Completion::Complete);
        sink
    }

    #[test]
    fn version_5() {
        let sink = read("{CEBFF5CD-ACE2-4F4F-9178-9926F41749EA}");
        let [cmd, evil, never] = sink.events.as_slice() else { panic!("{:?}", sink.events) };
        assert_eq!(cmd.message(), r"{System}\cmd.exe was started by the user (6 times in all)");
        assert_eq!(cmd.values.get("path").and_then(Value::as_text), Some(r"C:\Windows\System32\cmd.exe"));
        assert_eq!(cmd.values.get("focus_time_ms"), Some(&Value::Number(61_000)));
        assert_eq!(cmd.values.get("focus_count"), Some(&Value::Number(9)));
        assert_eq!(
            (cmd.meaning, cmd.time.unwrap().to_string()),
            (Meaning::EXECUTED, "2020-08-26T05:09:52.3456789Z".into())
        );
        assert_eq!(evil.values.get("path").and_then(Value::as_text), Some(r"C:\Users\Public\Rechnung.exe"));
        assert_eq!((never.time, never.values.get("run_count")), (None, Some(&Value::Number(0))));
        // The value of a wrong length.
        assert_eq!((sink.issues.len(), sink.issues[0].loss), (1, Loss::Record));
    }

    #[test]
    fn version_3_begins_at_five() {
        let sink = read("{75048700-EF1F-11D0-9888-006097DEACF9}");
        let [notepad] = sink.events.as_slice() else { panic!("{:?}", sink.events) };
        assert_eq!(notepad.values.get("action").and_then(Value::as_text), Some("UEME_RUNPATH"));
        assert_eq!(notepad.message(), r"C:\WINDOWS\system32\NOTEPAD.EXE was started by the user (2 times in all)");
        assert_eq!(notepad.values.get("counter"), Some(&Value::Number(7)));
    }

    #[test]
    fn names() {
        assert_eq!(rot13("Zvpebfbsg.Jvaqbjf-10 Äö"), "Microsoft.Windows-10 Äö");
        assert_eq!(named("{00000000-0000-0000-0000-000000000000}\\x"), "{00000000-0000-0000-0000-000000000000}\\x");
        // Nothing says where Program Files is.
        assert_eq!(path(r"{6D809377-6AF0-444B-8957-A3773F02200E}\x.exe", &Host::default(), None), None);
    }
}
