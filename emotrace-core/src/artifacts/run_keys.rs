//! Run keys: programs that Windows starts at logon or boot because a value in the registry says so.
//!
//! Each value is one program: name, command. The keys lie in `SOFTWARE` for all users, in `NTUSER.DAT` for one, and in
//! `DEFAULT` for the logon screen; on 64-bit Windows a second set below `WOW6432Node` is for 32-bit programs. Terminal
//! servers keep a shadow copy below `Terminal Server\Install`. `RunOnceEx` has one more level: sections with values in
//! them, and libraries to load first in `Depend`.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::formats::regf::{KeyValue, ValueKind};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:run_keys:program",
    doc: "A program was set to start by itself, at the latest when its key was last written.",
    message: "{command} starts by {key_path}[, value {name}]",
    data_type: Some("windows:registry:run"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value; absent for the default value"),
        Field::new("data", Kind::Text, "The command as stored; bytes in hex where it is no text"),
        Field::new(
            "command",
            Kind::Text,
            "The command with %variables% replaced where the evidence tells them (only in a REG_EXPAND_SZ, as Windows does)",
        ),
        Field::new("value_type", Kind::Text, "Type of the value, REG_SZ or REG_EXPAND_SZ if all is well"),
        Field::new("hidden", Kind::Bool, "A NUL character in name or data hides a part from Windows' own tools"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "run_keys",
    doc: "Run keys are places in the registry where programs are listed that Windows starts by itself: Run and RunOnce at \
each logon, RunServices at boot in old versions, RunOnceEx with sections, and the same under Policies. Those of SOFTWARE \
hold for every user, those of NTUSER.DAT for one user. Each value is one program, its data the command line.\n\n\
It proves that the program was set to start by itself. The time of a row is the last write of the KEY: the moment at which \
the last of its values was added, changed or removed. For the value that was written last it is the exact time; every \
other value of the key was there before, or came at that same moment, and can be much older.\n\n\
It does not prove that the program ever ran, that its file exists, or who wrote the value: any program that runs as the \
user can write that user's keys. A value can be switched off (Explorer\\StartupApproved) and still stand here. RunOnce \
values are deleted before they run, so an empty RunOnce key says nothing.\n\n\
It lives until somebody removes the value; nothing in Windows ages it. A removed value may still be found in the hive's \
free space or in an older copy of the hive (shadow copy, RegBack).",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/setupapi/run-and-runonce-registry-keys",
        "https://attack.mitre.org/techniques/T1547/001/",
    ],
    emits: &[&PROGRAM],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce\Setup",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnceEx",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnceEx\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnceEx\*\Depend",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunServices",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunServicesOnce",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer\Run",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Terminal Server\Install\Software\Microsoft\Windows\CurrentVersion\Run",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Terminal Server\Install\Software\Microsoft\Windows\CurrentVersion\RunOnce",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Terminal Server\Install\Software\Microsoft\Windows\CurrentVersion\RunOnceEx",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Run",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce\Setup",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnceEx",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnceEx\*",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnceEx\*\Depend",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunServices",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunServicesOnce",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Policies\Explorer\Run",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Run",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\RunOnce",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\RunOnce\Setup",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\RunOnceEx",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\RunOnceEx\*",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\RunOnceEx\*\Depend",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\RunServices",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\RunServicesOnce",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Policies\Explorer\Run",
    r"NTUSER\Software\Microsoft\Windows NT\CurrentVersion\Terminal Server\Install\Software\Microsoft\Windows\CurrentVersion\Run",
    r"NTUSER\Software\Microsoft\Windows NT\CurrentVersion\Terminal Server\Install\Software\Microsoft\Windows\CurrentVersion\RunOnce",
    r"NTUSER\Software\WOW6432Node\Microsoft\Windows\CurrentVersion\Run",
    r"NTUSER\Software\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce",
    r"NTUSER\Software\WOW6432Node\Microsoft\Windows\CurrentVersion\Policies\Explorer\Run",
];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    for value in input.key.values() {
        let Some(value) = out.keep(value) else { continue };
        let Some(data) = out.keep(value.data()) else { continue };
        let name = value.name();
        let stored = value.to_value().to_string();
        let command = match value.kind() {
            ValueKind::ExpandSz => host.expand(&stored, input.user),
            _ => stored.clone(),
        };
        let hidden = name.contains('\0') || hides_text(&value, &data);
        let mut record = Record::new(&PROGRAM)
            .set("key_path", input.path.clone())
            .set_some("name", (!name.is_empty()).then_some(name))
            .set("data", stored)
            .set("command", command)
            .set("value_type", value.kind().to_string())
            .set_some("hidden", hidden.then_some(true))
            .time(Meaning::KEY_WRITTEN, input.key.last_write())
            .at(value.offset())
            .user(input.user.and_then(|user| user.name.clone().or_else(|| Some(user.sid.clone()))));
        if value.from_log() || input.key.from_log() {
            record = record.state(State::LogReplayed);
        }
        out.give(record);
    }
    Ok(Completion::Complete)
}

/// Text goes on behind the NUL that ends it for most readers.
fn hides_text(value: &KeyValue<'_>, data: &[u8]) -> bool {
    let units = data.as_chunks::<2>().0;
    let end = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len());
    matches!(value.kind(), ValueKind::Sz | ValueKind::ExpandSz) && units.iter().skip(end).any(|unit| *unit != [0, 0])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Event, User, Value};

    fn read(bytes: &[u8], path: &str, user: Option<&User>) -> Collect {
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let key = hive.find(path).unwrap();
        let kind = HiveKind::from_content(&hive);
        let input = KeyInput { locator: Arc::default(), hive: kind, key, path: format!("HKU\\{path}"), user };
        let mut host = Host::default();
        host.variables.insert("WINDIR".to_owned(), "C:\\Windows".to_owned());
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        assert_eq!(parse(&input, &host, &mut out).unwrap(), Completion::Complete);
        sink
    }

    fn field<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
        event.values.get(name).and_then(Value::as_text)
    }

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/run_keys/ntuser.hve");
    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/run_keys/software.hve");
    const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";

    #[test]
    fn each_value_is_one_program() {
        let user = User {
            sid: "S-1-5-21-1-2-3-1001".to_owned(),
            profile: Some("C:\\Users\\Public User".to_owned()),
            ..User::default()
        };
        let sink = read(NTUSER, RUN, Some(&user));
        let [one_drive, planted, shadow, broken] = sink.events.as_slice() else { panic!("{:?}", sink.events) };
        assert_eq!(field(one_drive, "name"), Some("OneDrive"));
        assert_eq!(field(planted, "data"), Some(r#""C:\Users\Public User\AppData\Local\mscsvidc\mscsvidc.exe""#));
        assert_eq!(planted.time.unwrap().to_string(), "2020-08-26T05:09:52.3456789Z");
        assert_eq!((planted.meaning, planted.state), (Meaning::KEY_WRITTEN, State::Live));
        assert_eq!(planted.user.as_deref(), Some("S-1-5-21-1-2-3-1001"));
        assert_eq!(planted.values.get("hidden"), None);
        assert_eq!(field(shadow, "data"), Some(r"%APPDATA%\a.exe"));
        assert_eq!(field(shadow, "command"), Some(r"C:\Users\Public User\AppData\Roaming\a.exe"));
        assert_eq!(shadow.values.get("hidden"), Some(&Value::Bool(true)));
        // A value of the wrong type is no program, but it was put here.
        assert_eq!((field(broken, "value_type"), field(broken, "data")), (Some("REG_DWORD"), Some("5")));
        assert_eq!(sink.issues, []);
    }

    #[test]
    fn the_machines_keys_and_the_default_value() {
        let sink = read(SOFTWARE, r"Microsoft\Windows\CurrentVersion\Run", None);
        assert_eq!(field(&sink.events[0], "command"), Some(r"C:\Windows\system32\SecurityHealthSystray.exe"));
        assert_eq!(
            sink.events[0].message(),
            format!(
                r"C:\Windows\system32\SecurityHealthSystray.exe starts by HKU\Microsoft\Windows\CurrentVersion\Run, value SecurityHealth"
            )
        );
        let section = read(SOFTWARE, r"Microsoft\Windows\CurrentVersion\RunOnceEx\001", None);
        assert_eq!(section.events.len(), 2);
        assert_eq!((field(&section.events[0], "name"), field(&section.events[0], "data")), (None, Some("Section")));
    }

    #[test]
    fn a_damaged_value_is_an_issue_and_the_others_stay() {
        let hive = Hive::parse(NTUSER.to_vec(), &[], HiveOptions::default()).unwrap();
        let at = usize::try_from(hive.find(RUN).unwrap().value("OneDrive").unwrap().offset()).unwrap();
        let mut bytes = NTUSER.to_vec();
        bytes[at + 4] = 0;
        let sink = read(&bytes, RUN, None);
        assert_eq!((sink.events.len(), sink.issues.len()), (3, 1));
        assert_eq!(sink.issues[0].offset, Some(at as u64));
    }
}
