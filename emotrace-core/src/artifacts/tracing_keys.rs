//! Tracing keys: programs that used the remote access libraries of Windows, mostly to reach the Internet.
//!
//! `SOFTWARE\Microsoft\Tracing\<program>_RASAPI32` and `…_RASMANCS`, made when a program loads the library for the first
//! time; 32-bit programs on 64-bit Windows have theirs below `WOW6432Node`.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:tracing_keys:program",
    doc: "A program loaded a remote access library of Windows for the first time, at the latest when its key was last written.",
    message: "{program} loaded the library {library} for the first time",
    data_type: Some("windows:registry:key_value"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("program", Kind::Text, "Name of the program, usually without .exe and without its folder"),
        Field::new("library", Kind::Text, "RASAPI32, RASMANCS, RASDLG …"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "tracing_keys",
    doc: "When a program loads one of the remote access libraries (rasapi32.dll, rasman.dll), which happens with many ways to \
use the Internet, Windows makes a key with its name for trace settings.\n\n\
It proves that a program of this name ran on this machine and loaded the library. The time of the row is the last write of the \
key, which is nearly always the time it was made: the first run of that kind.\n\n\
It does not tell the program's folder, the user, or whether anything was sent. Any program can have the same name.\n\n\
It lives until Windows is installed anew; nothing ages the keys.",
    references: &[
        "https://www.menasec.net/2019/02/threat-hunting-forensics-9-tracing.html",
        "https://learn.microsoft.com/en-us/windows/win32/rras/tracing-reference",
    ],
    emits: &[&PROGRAM],
    reads: Reads::RegKeys {
        keys: &[r"SOFTWARE\Microsoft\Tracing\*", r"SOFTWARE\WOW6432Node\Microsoft\Tracing\*"],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let name = input.key.name();
    // Keys without a program are the libraries' own.
    let Some((program, library)) = name.rsplit_once('_').filter(|(_, library)| library.starts_with("RAS")) else {
        return Ok(Completion::Complete);
    };
    let mut record = Record::new(&PROGRAM)
        .set("key_path", input.path.clone())
        .set("program", program)
        .set("library", library)
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() {
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
    fn programs_alone() {
        let bytes = include_bytes!("../../../testdata/artifacts/tracing_keys/software.hve");
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let mut sink = Collect::default();
        for key in hive.find(r"Microsoft\Tracing").unwrap().subkeys() {
            let (key, path) = key.map(|key| (key.clone(), key.path())).unwrap();
            let input = KeyInput { locator: Arc::default(), hive: HiveKind::Software, key, path, user: None };
            let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
            assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        }
        let messages: Vec<_> = sink.events.iter().map(|event| event.message()).collect();
        assert_eq!(messages, ["my_evil loaded the library RASAPI32 for the first time"]);
        assert_eq!(sink.events[0].time.unwrap().to_string(), "2020-08-26T05:09:52.3456789Z");
    }
}
