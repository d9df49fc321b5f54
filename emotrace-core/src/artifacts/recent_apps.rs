//! RecentApps: the programs that a user started and the documents opened with them, as the search of Windows 10 1607 to 1803
//! kept them.
//!
//! `NTUSER\Software\Microsoft\Windows\CurrentVersion\Search\RecentApps\{GUID}`: `AppId`, `AppPath`, `LastAccessedTime`
//! (FILETIME as a number), `LaunchCount`. Below it `RecentItems\{GUID}`: `DisplayName`, `Path`, `LastAccessedTime`.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::formats::regf::KeyValue;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State, Timestamp};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:recent_apps:program",
    doc: "A user started a program; the instant is the last time.",
    message: "{app_id} was started by the user[ ({launch_count} times in all)]",
    data_type: Some("windows:registry:key_value"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("app_id", Kind::Text, "AppId as stored: a path or an application user model ID"),
        Field::new("app_path", Kind::Text, "AppPath as stored"),
        Field::new("launch_count", Kind::Number, "How often it was started"),
    ],
};

static DOCUMENT: Descriptor = Descriptor {
    name: "windows:recent_apps:document",
    doc: "A user opened a document with a program; the instant is the last time.",
    message: "{path} was opened by the user[ with {app_id}]",
    data_type: Some("windows:registry:key_value"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path of the document"),
        Field::new("name", Kind::Text, "Name as shown"),
        Field::new("app_id", Kind::Text, "AppId of the program"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "recent_apps",
    doc: "RecentApps is a list that the search of Windows 10 (1607 to 1803) kept: programs that a user started, how often and \
when last, and documents that were opened with each.\n\n\
It proves that this user started the program, or opened the document, at the time of the row.\n\n\
It shows the last time only, and not every program: those of consoles and services are missing. A time of a document can be \
that of the program's own list.\n\n\
It lives as long as the profile; versions after 1803 no longer write it, and leave or remove what is there.",
    references: &["https://df-stream.com/2017/10/recentapps/"],
    emits: &[&PROGRAM, &DOCUMENT],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Search\RecentApps\*",
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Search\RecentApps\*\RecentItems\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values: Vec<KeyValue<'_>> = input.key.values().into_iter().filter_map(|value| out.keep(value)).collect();
    let get = |name: &str| values.iter().find(|value| value.name().eq_ignore_ascii_case(name));
    let text = |name: &str| get(name).and_then(KeyValue::text).filter(|text| !text.is_empty());
    let number = |name: &str| get(name).and_then(KeyValue::number);
    let app_of = || input.key.parent()?.parent()?.value("AppId")?.text();
    let last = number("LastAccessedTime").and_then(Timestamp::from_filetime_field);
    let record = match (text("AppId"), text("Path").or_else(|| text("DisplayName"))) {
        (Some(app), _) => Record::new(&PROGRAM)
            .set("app_id", app)
            .set_some("app_path", text("AppPath"))
            .set_some("launch_count", number("LaunchCount"))
            .time(Meaning::EXECUTED, last),
        (None, Some(path)) => Record::new(&DOCUMENT)
            .set("path", path)
            .set_some("name", text("DisplayName"))
            .set_some("app_id", app_of())
            .time(Meaning::OPENED, last),
        (None, None) => return Ok(Completion::Complete),
    };
    let mut record = record.set("key_path", input.path.clone()).at(input.key.offset());
    if input.key.from_log() || values.iter().any(KeyValue::from_log) {
        record = record.state(State::LogReplayed);
    }
    out.give(record);
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::Collect;

    #[test]
    fn programs_and_documents() {
        let bytes = include_bytes!("../../../testdata/artifacts/recent_apps/ntuser.hve");
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let app = r"Software\Microsoft\Windows\CurrentVersion\Search\RecentApps\{AAAAAAAA-0000-0000-0000-000000000001}";
        let mut sink = Collect::default();
        for path in [app.to_owned(), format!(r"{app}\RecentItems\{{BBBBBBBB-0000-0000-0000-000000000002}}")] {
            let key = hive.find(&path).unwrap();
            let input = KeyInput { locator: Arc::default(), hive: HiveKind::NtUser, key, path, user: None };
            let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
            assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        }
        let [word, document] = sink.events.as_slice() else { panic!("{:?}", sink.events) };
        assert_eq!(word.message(), r"C:\Office\WINWORD.EXE was started by the user (3 times in all)");
        assert_eq!(
            (word.meaning, word.time.unwrap().to_string()),
            (Meaning::EXECUTED, "2020-08-26T05:09:52.3456789Z".into())
        );
        assert_eq!(
            document.message(),
            r"C:\Users\Clippy\Rechnung.doc was opened by the user with C:\Office\WINWORD.EXE"
        );
        assert_eq!(
            (document.meaning, document.time.unwrap().to_string()),
            (Meaning::OPENED, "2020-08-26T05:08:00.0000000Z".into())
        );
    }
}
