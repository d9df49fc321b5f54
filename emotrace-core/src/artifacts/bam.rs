//! BAM and DAM: the last run of each program by each user, as the Background (Desktop) Activity Moderator keeps it.
//!
//! `SYSTEM\ControlSet…\Services\bam\State\UserSettings\<SID>` (Windows 10 1809 on), `…\bam\UserSettings\<SID>` (1709 and
//! 1803), and the same below `dam`. Each value is one program:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | last run, FILETIME |
//! | 8 | 8 | unknown |
//! | 16 | 4 | 0 for a program, 1 for a packaged app |
//! | 20 | 4 | unknown |
//!
//! The values `Version` and `SequenceNumber` speak of the key itself. Source: libyal winreg-kb, "Background Activity
//! Moderator"; compared with a hive of Windows 10.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::bytes::fields::u64_at;
use crate::formats::regf::ValueKind;
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, State, Timestamp};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:bam:program",
    doc: "A user's program ran; the instant is the last time.",
    message: "{program} was run[ by {account}]",
    data_type: Some("windows:registry:bam"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("program", Kind::Text, "Device path of the program, or name of the packaged app, as stored"),
        Field::new("sid", Kind::Text, "SID of the user, from the key's name"),
        Field::new("account", Kind::Text, "The account of that SID, where its name is known"),
        Field::new("moderator", Kind::Text, "bam or dam"),
        Field::new("control_set", Kind::Text, "The control set that the key lies in"),
        Field::new("current", Kind::Bool, "That control set is the one in use; absent where the hive does not say"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "bam",
    doc: "The Background Activity Moderator (BAM) and the Desktop Activity Moderator (DAM) are drivers of Windows 10 and 11 that \
watch what programs do in the background. They keep, for each user, the programs that ran and when last.\n\n\
It proves that a process of this program ran in the session of this user, and when it was last seen. Programs started from \
consoles, by other programs and by services are seen as well as those started with the mouse.\n\n\
It does not say how often, nor with what arguments, and not every program is listed: those on network shares and removable \
media are usually missing. The path is that of the device; which drive letter that was is not said.\n\n\
It lives for about a week: entries older than seven days are removed when Windows starts. An entry whose file is gone is \
removed too in newer versions. Older control sets and deleted values of the hive can hold more.",
    references: &[
        "https://github.com/libyal/winreg-kb/blob/main/docs/sources/system-keys/Background-activity-moderator.md",
        "https://dfir.ru/2020/04/08/bam-internals/",
    ],
    emits: &[&PROGRAM],
    reads: Reads::RegKeys {
        keys: &[
            r"SYSTEM\CurrentControlSet\Services\bam\State\UserSettings\*",
            r"SYSTEM\CurrentControlSet\Services\bam\UserSettings\*",
            r"SYSTEM\CurrentControlSet\Services\dam\State\UserSettings\*",
            r"SYSTEM\CurrentControlSet\Services\dam\UserSettings\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let path = input.key.path();
    let mut components = path.split('\\');
    let set = components.next().unwrap_or_default();
    let moderator = components.nth(1).unwrap_or_default().to_ascii_lowercase();
    let number: Option<u32> = set.get(10..).and_then(|digits| digits.parse().ok());
    let current = host.control_set.and_then(|current| Some(current == number?));
    let sid = input.key.name();
    let account = host.user_by_sid(&sid).and_then(|user| user.name.clone());
    for value in input.key.values() {
        let Some(value) = out.keep(value) else { continue };
        // Version and SequenceNumber of the key.
        if value.kind() == ValueKind::Dword {
            continue;
        }
        let Some(data) = out.keep(value.data()) else { continue };
        let Some(ticks) = u64_at(&data, 0) else {
            let error = format!("an entry of BAM begins with a time, this one has {} bytes", data.len());
            out.issue(Some(value.offset()), Loss::Record, error);
            continue;
        };
        let mut record = Record::new(&PROGRAM)
            .set("key_path", input.path.clone())
            .set("program", value.name())
            .set("sid", sid.clone())
            .set_some("account", account.clone())
            .set("moderator", moderator.clone())
            .set("control_set", set)
            .set_some("current", current)
            .time(Meaning::EXECUTED, Timestamp::from_filetime_field(ticks))
            .user(Some(host.account(&sid)))
            .at(value.offset());
        if value.from_log() {
            record = record.state(State::LogReplayed);
        }
        out.give(record);
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, User};

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/bam/system.hve");
    const SID: &str = "S-1-5-21-111-222-333-1001";

    fn read(below: &str) -> Collect {
        let hive = Hive::parse(SYSTEM.to_vec(), &[], HiveOptions::default()).unwrap();
        let key = hive.find(&format!(r"ControlSet001\Services\{below}\{SID}")).unwrap();
        let path = key.path();
        let input = KeyInput { locator: Arc::default(), hive: HiveKind::System, key, path, user: None };
        let user = User { sid: SID.to_owned(), name: Some("Clippy".to_owned()), ..User::default() };
        let host = Host { control_set: Some(2), users: vec![user], ..Host::default() };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        assert_eq!(parse(&input, &host, &mut out).unwrap(), Completion::Complete);
        sink
    }

    #[test]
    fn a_program_of_a_user() {
        let sink = read(r"bam\State\UserSettings");
        let [evil, packaged] = sink.events.as_slice() else { panic!("{:?}", sink.events) };
        assert_eq!(
            (evil.meaning, evil.time.unwrap().to_string()),
            (Meaning::EXECUTED, "2020-08-26T05:09:52.3456789Z".into())
        );
        assert_eq!(evil.user.as_deref(), Some("Clippy"));
        assert_eq!(evil.message(), r"\Device\HarddiskVolume2\Users\Clippy\AppData\Local\evil.exe was run by Clippy");
        assert_eq!(evil.values.get("current"), Some(&false.into()));
        assert_eq!(packaged.values.get("program"), Some(&"Microsoft.Windows.Cortana_cw5n1h2txyewy".into()));
        // A value of four bytes holds no time.
        assert_eq!((sink.issues.len(), sink.issues[0].loss), (1, Loss::Record));
    }

    #[test]
    fn the_desktop_moderator() {
        let sink = read(r"dam\UserSettings");
        assert_eq!(sink.events[0].values.get("moderator"), Some(&"dam".into()));
        // No time is no event in time, but the program is named.
        assert_eq!(sink.events[0].time, None);
    }
}
