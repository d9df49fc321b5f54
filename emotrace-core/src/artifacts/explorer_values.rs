//! Binary values of Explorer's key under short hexadecimal names: where Emotet kept its name from February to August 2020.
//!
//! The value is called like the serial number of the system volume in lower-case hex, and holds the program's name XORed
//! with that number. What it decodes to is told by the detection; here it is only found.
//!
//! Source: JPCERT/CC, EmoCheck 2.0.0 (scanner v2), as facts.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::formats::regf::ValueKind;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

static VALUE: Descriptor = Descriptor {
    name: "windows:explorer:hex_value",
    doc: "Explorer's key holds a binary value under a hexadecimal name, at the latest when the key was last written.",
    message: "{key_path} holds the binary value {name} ({size} bytes)",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value: 1 to 8 hexadecimal digits"),
        Field::new("data", Kind::Bytes, "The value's data, at most the first 4096 bytes"),
        Field::new("size", Kind::Number, "Length of the data in bytes"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "explorer_values",
    doc: "Explorer keeps its settings of a user and of the machine in the registry key Explorer. Windows itself puts no binary \
values with short hexadecimal names there. Emotet of February to August 2020 did: the value bears the serial number of the \
system volume as its name, and holds the name of the program, XORed with that number.\n\n\
It proves that such a value stands in the key. If its name is the volume's serial number and its data decodes to a clean \
name, nothing but Emotet is known to have written it. The time of a row is the last write of the KEY, which Windows writes \
to often: the value was there by then, and can be much older.\n\n\
It does not prove that the program ran at that time. A \"vaccine\" of that year (EmoCrash) put values of the same name there \
on clean machines, with data that decodes to no name.\n\n\
It lives until somebody removes it; nothing in Windows ages it.",
    references: &["https://github.com/JPCERTCC/EmoCheck", "https://attack.mitre.org/software/S0367/"],
    emits: &[&VALUE],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer",
            r"SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer",
            r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Explorer",
        ],
        parse,
    },
};

/// As much as is kept of a value; names are far shorter, vaccines some hundred bytes.
const MAX_DATA: usize = 4096;

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    for value in input.key.values() {
        let Some(value) = out.keep(value) else { continue };
        let name = value.name();
        let hex = (1..=8).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex || value.kind() != ValueKind::Binary {
            continue;
        }
        let Some(data) = out.keep(value.data()) else { continue };
        let kept = data.get(..MAX_DATA).unwrap_or(&data).to_vec();
        let mut record = Record::new(&VALUE)
            .set("key_path", input.path.clone())
            .set("name", name)
            .set("data", kept)
            .set("size", data.len() as u64)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Value};

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/explorer_values/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer";

    fn read(bytes: &[u8]) -> Option<Collect> {
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).ok()?;
        let key = hive.find(KEY)?;
        let kind = HiveKind::from_content(&hive);
        let input = KeyInput { locator: Arc::default(), hive: kind, key, path: KEY.to_owned(), user: None };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        let _ = parse(&input, &Host::default(), &mut out).ok()?;
        Some(sink)
    }

    #[test]
    fn only_binary_values_with_hexadecimal_names() {
        let sink = read(NTUSER).unwrap();
        let names: Vec<_> = sink.events.iter().map(|e| e.values.get("name").unwrap().to_string()).collect();
        assert_eq!(names, ["12345678", "c5d7f3a"], "text, numbers and longer or other names are left");
        let data = sink.events[0].values.get("data").unwrap();
        assert_eq!(data.to_string(), "133e59770a32467b0e3346");
        let large = &sink.events[1];
        assert_eq!(large.values.get("size"), Some(&Value::Number(5000)));
        assert!(matches!(large.values.get("data"), Some(Value::Bytes(b)) if b.len() == MAX_DATA));
    }

    #[test]
    fn damage_does_no_harm() {
        let mut seed = 5u64;
        for _ in 0..1000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = NTUSER.to_vec();
            let at = 4096 + (seed >> 33) as usize % (bytes.len() - 4096);
            bytes[at] ^= (seed >> 24) as u8;
            assert!(read(&bytes).is_none_or(|sink| sink.events.len() <= 16));
        }
    }
}
