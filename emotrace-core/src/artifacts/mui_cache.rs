//! MUICache: the names of programs that the shell showed to a user, kept with their paths.
//!
//! Vista on: `UsrClass.dat`, `Local Settings\Software\Microsoft\Windows\Shell\MuiCache`, two values for each program,
//! `<path>.FriendlyAppName` and `<path>.ApplicationCompany`. 2000 to 2003: `NTUSER.DAT`,
//! `Software\Microsoft\Windows\ShellNoRoam\MUICache`, one value, the path its name. Values that begin with `@` are texts of
//! resources, `LangID` is the language.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:mui_cache:program",
    doc: "The shell took the name of a program from its version resource, usually because it was started.",
    message: "{path} is known to the shell[ as {name}][, of {company}]",
    data_type: Some("windows:registry:key_value"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path of the program"),
        Field::new(
            "name",
            Kind::Text,
            "Name that the shell shows: file description, or the file's name where it has none",
        ),
        Field::new("company", Kind::Text, "Company of the version resource (Vista on)"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "mui_cache",
    doc: "MUICache is where the shell keeps the names of programs that it showed to a user, so that it need not open the files \
again. Path, description and company are those of the file when it was first seen.\n\n\
It proves that the file was at this path, and that the shell of this user handled it, in nearly all cases because the user \
started it. The description is that of the file then: a renamed program shows its old name.\n\n\
It does not tell when: the time of a row is the last write of the KEY, and only the last entry has that time. Programs that \
are started by other programs are missing.\n\n\
It lives as long as the user's profile.",
    references: &[
        "https://www.nirsoft.net/utils/muicache_view.html",
        "https://www.magnetforensics.com/blog/forensic-analysis-of-muicache-files-in-windows/",
    ],
    emits: &[&PROGRAM],
    reads: Reads::RegKeys {
        keys: &[
            r"USRCLASS\Local Settings\Software\Microsoft\Windows\Shell\MuiCache",
            r"NTUSER\Software\Classes\Local Settings\Software\Microsoft\Windows\Shell\MuiCache",
            r"NTUSER\Software\Microsoft\Windows\ShellNoRoam\MUICache",
        ],
        parse,
    },
};

const NAME: &str = ".FriendlyAppName";
const COMPANY: &str = ".ApplicationCompany";

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values: Vec<_> = input.key.values().into_iter().filter_map(|value| out.keep(value)).collect();
    let companies: std::collections::BTreeMap<String, Option<String>> = values
        .iter()
        .filter_map(|value| Some((value.name().strip_suffix(COMPANY)?.to_owned(), value.text())))
        .collect();
    let named = |path: &str| values.iter().any(|v| v.name().strip_suffix(NAME) == Some(path));
    for value in &values {
        let stored = value.name();
        if stored.is_empty() || stored.starts_with('@') || stored.eq_ignore_ascii_case("LangID") {
            continue;
        }
        let (path, name) = match (stored.strip_suffix(NAME), stored.strip_suffix(COMPANY)) {
            (Some(path), _) => (path, value.text()),
            // A company alone still names a program.
            (None, Some(path)) if !named(path) => (path, None),
            (None, Some(_)) => continue,
            (None, None) => (stored.as_str(), value.text()),
        };
        let mut record = Record::new(&PROGRAM)
            .set("key_path", input.path.clone())
            .set("path", path)
            .set_some("name", name)
            .set_some("company", companies.get(path).cloned().flatten())
            .time(Meaning::KEY_WRITTEN, input.key.last_write())
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
    use crate::model::Collect;

    #[test]
    fn one_row_for_each_program() {
        let bytes = include_bytes!("../../../testdata/artifacts/mui_cache/usrclass.hve");
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let path = r"Local Settings\Software\Microsoft\Windows\Shell\MuiCache";
        let key = hive.find(path).unwrap();
        let input =
            KeyInput { locator: Arc::default(), hive: HiveKind::UsrClass, key, path: path.to_owned(), user: None };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        let messages: Vec<_> = sink.events.iter().map(|event| event.message()).collect();
        let expected = [
            r"C:\Users\Clippy\spotify.exe is known to the shell as Spotify, of Spotify Ltd",
            r"C:\nameless.exe is known to the shell, of Nobody",
            r"C:\old.exe is known to the shell as Old program",
        ];
        assert_eq!(messages, expected);
        assert_eq!((sink.events[0].meaning, sink.issues.len()), (Meaning::KEY_WRITTEN, 0));
    }
}
