//! FeatureUsage: how often a user worked with programs on the task bar (Windows 10 1903 on).
//!
//! `NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\FeatureUsage`, one key for each kind of use; in it one number
//! for each program. `KeyCreationTime` of `FeatureUsage` itself says since when it is counted.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::formats::shell_names;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State, Timestamp};

static USE: Descriptor = Descriptor {
    name: "windows:feature_usage:use",
    doc: "A user worked with a program on the task bar.",
    message: "{program}: {feature} {count} times",
    data_type: Some("windows:registry:key_value"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("program", Kind::Text, "Program, known folders by name"),
        Field::new("value_name", Kind::Text, "The name as stored, where it differs"),
        Field::new(
            "feature",
            Kind::Text,
            "AppLaunch (started from its pinned place), AppSwitched (window chosen), ShowJumpView (right click), \
             AppBadgeUpdated (notification), TrayButtonClicked (a button of the task bar itself)",
        ),
        Field::new("count", Kind::Number, "How often"),
        Field::new("counted_since", Kind::Time, "When counting began"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "feature_usage",
    doc: "FeatureUsage counts how a user works with the task bar: programs started from it, windows chosen, right clicks, \
notifications, buttons of the task bar itself.\n\n\
AppSwitched and AppLaunch prove that the program had a window on this user's task bar, or was started from it, so often since \
counting began. The counts stay when the program is gone.\n\n\
It does not tell when: the time of a row is the last write of the KEY, and only the last entry has that time. Programs without \
a window are missing.\n\n\
It lives as long as the profile.",
    references: &[
        "https://www.crowdstrike.com/en-us/blog/how-to-employ-featureusage-for-windows-10-taskbar-forensics/",
    ],
    emits: &[&USE],
    reads: Reads::RegKeys {
        keys: &[r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\FeatureUsage\*"],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let since = input.key.parent().and_then(|key| key.value("KeyCreationTime")?.number());
    let since = since.and_then(Timestamp::from_filetime_field);
    for value in input.key.values() {
        let Some(value) = out.keep(value) else { continue };
        let Some(count) = value.number() else { continue };
        let name = value.name();
        let program = named(&name);
        let mut record = Record::new(&USE)
            .set("key_path", input.path.clone())
            .set_some("value_name", (program != name).then_some(name))
            .set("program", program)
            .set("feature", input.key.name())
            .set("count", count)
            .set_some("counted_since", since)
            .time(Meaning::KEY_WRITTEN, input.key.last_write())
            .at(value.offset());
        if value.from_log() {
            record = record.state(State::LogReplayed);
        }
        out.give(record);
    }
    Ok(Completion::Complete)
}

/// The name with the known folder that it begins with by name.
fn named(item: &str) -> String {
    let named = || {
        let (guid, rest) = item.strip_prefix('{')?.split_once('}')?;
        Some(format!("{{{}}}{rest}", shell_names::folder(&guid.to_ascii_lowercase())?))
    };
    named().unwrap_or_else(|| item.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Value};

    #[test]
    fn counts() {
        let bytes = include_bytes!("../../../testdata/artifacts/feature_usage/ntuser.hve");
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let path = r"Software\Microsoft\Windows\CurrentVersion\Explorer\FeatureUsage\AppSwitched";
        let key = hive.find(path).unwrap();
        let input =
            KeyInput { locator: Arc::default(), hive: HiveKind::NtUser, key, path: path.to_owned(), user: None };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        assert_eq!(sink.events[0].message(), r"{System}\cmd.exe: AppSwitched 5 times");
        let since = Timestamp::parse("2020-01-10T08:00:00.1234567Z").unwrap();
        assert_eq!(sink.events[0].values.get("counted_since"), Some(&Value::Time(since)));
        assert_eq!(sink.events.len(), 1);
    }
}
