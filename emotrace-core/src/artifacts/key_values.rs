//! The values of one registry key, and the records that are made of them: what registry artifacts have in common.

use super::artifact::{KeyInput, Out, Record};
use crate::formats::regf::{Key, KeyValue, ValueKind};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

/// The values of one key, read once.
pub(super) struct KeyValues<'h> {
    values: Vec<KeyValue<'h>>,
    from_log: bool,
}

impl<'h> KeyValues<'h> {
    /// What can't be read becomes an issue.
    pub(super) fn read(key: &Key<'h>, out: &mut Out<'_>) -> Self {
        let values: Vec<_> = key.values().into_iter().filter_map(|value| out.keep(value)).collect();
        let from_log = key.from_log() || values.iter().any(KeyValue::from_log);
        Self { values, from_log }
    }

    /// All of them in stored order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &KeyValue<'h>> {
        self.values.iter()
    }

    /// The value of that name, without regard to case.
    pub(super) fn get(&self, name: &str) -> Option<&KeyValue<'h>> {
        self.values.iter().find(|value| value.name().eq_ignore_ascii_case(name))
    }

    /// Its text, if it has one that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.text().filter(|text| !text.is_empty())
    }

    /// Its texts (or its one text), empty ones left out.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let value = self.get(name)?;
        let texts = value.multi_text().or_else(|| Some(vec![value.text()?]))?;
        Some(texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>()).filter(|texts| !texts.is_empty())
    }

    /// Its number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.number()
    }

    /// Its bytes, whatever its type.
    pub(super) fn data(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name)?.data().ok().map(|data| data.into_owned())
    }

    /// A record about the key as a whole: with `key_path`, the key's time, place and state.
    pub(super) fn record(&self, descriptor: &'static Descriptor, input: &KeyInput<'_>) -> Record {
        let record = Record::new(descriptor)
            .set("key_path", input.path.clone())
            .time(Meaning::KEY_WRITTEN, input.key.last_write())
            .at(input.key.offset());
        if self.from_log { record.state(State::LogReplayed) } else { record }
    }
}

/// A record about one value: with `key_path`, the key's time, the value's place and state.
pub(super) fn value_record(descriptor: &'static Descriptor, input: &KeyInput<'_>, value: &KeyValue<'_>) -> Record {
    let record = Record::new(descriptor)
        .set("key_path", input.path.clone())
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(value.offset());
    if value.from_log() || input.key.from_log() { record.state(State::LogReplayed) } else { record }
}

/// `Some(subject)` if the path ends like `tail`. Components are compared
/// without case; `*` stands for any one of them, and the first one that it stands for is the subject.
pub(super) fn ends_like(path: &str, tail: &str) -> Option<Option<String>> {
    let mut subject = None;
    let mut components = path.rsplit('\\');
    for wanted in tail.rsplit('\\') {
        let component = components.next()?;
        match wanted {
            "*" => subject = Some(component.to_owned()),
            wanted if wanted.eq_ignore_ascii_case(component) => {}
            _ => return None,
        }
    }
    Some(subject)
}

/// True if the name is one of the list; an entry that ends in `*` stands for all names that begin so. An empty list means
/// every name.
pub(super) fn is_listed(name: &str, list: &[&str]) -> bool {
    list.is_empty()
        || list.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(start) => name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
            None => wanted.eq_ignore_ascii_case(name),
        })
}

/// The name of a number, or the number itself.
pub(super) fn named(names: &[(u64, &str)], number: u64) -> String {
    names.iter().find(|(n, _)| *n == number).map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// Something that Windows or a program loads or runs because a value in the registry says so.
pub(super) static AUTOSTART: Descriptor = Descriptor {
    name: "windows:registry:autostart",
    doc: "A value names something that is loaded or run by itself; set at the latest when its key was last written.",
    message: "{mechanism}[ of {subject}]: {command} ({key_path}[, value {name}])",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("mechanism", Kind::Text, "What makes Windows or the program load it"),
        Field::new(
            "subject",
            Kind::Text,
            "What it belongs to, where the key names it: a program, a class, an add-in, an event",
        ),
        Field::new("name", Kind::Text, "Name of the value; absent for the default value"),
        Field::new("data", Kind::Text, "The data as stored; several texts are joined by a semicolon"),
        Field::new(
            "command",
            Kind::Text,
            "The data with %variables% replaced where the evidence tells them (only in a REG_EXPAND_SZ, as Windows does)",
        ),
        Field::new("value_type", Kind::Text, "Type of the value"),
    ],
};

/// A place with autostart values.
pub(super) struct Place {
    /// How the path of its key ends, see [`ends_like`].
    pub(super) tail: &'static str,
    /// Names of the values that count, see [`is_listed`].
    pub(super) values: &'static [&'static str],
    /// What makes Windows load them.
    pub(super) mechanism: &'static str,
}

/// Gives every value of the key that one of the places names. An empty text names nothing and gives no row.
pub(super) fn give_autostarts(places: &[Place], input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) {
    let Some((place, subject)) =
        places.iter().find_map(|place| ends_like(&input.path, place.tail).map(|subject| (place, subject)))
    else {
        return;
    };
    for value in KeyValues::read(&input.key, out).iter() {
        let name = value.name();
        let stored = value.to_value().to_string();
        if !is_listed(&name, place.values) || stored.is_empty() {
            continue;
        }
        let command =
            if value.kind() == ValueKind::ExpandSz { host.expand(&stored, input.user) } else { stored.clone() };
        out.give(
            value_record(&AUTOSTART, input, value)
                .set("mechanism", place.mechanism)
                .set_some("subject", subject.clone())
                .set_some("name", (!name.is_empty()).then_some(name))
                .set("data", stored)
                .set("command", command)
                .set("value_type", value.kind().to_string()),
        );
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::super::artifact::{Artifact, Reads};
    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Event, Value};

    /// What an artifact says of these keys of a hive.
    pub(crate) fn read(artifact: &'static Artifact, host: &Host, bytes: &[u8], root: &str, keys: &[&str]) -> Collect {
        let Reads::RegKeys { parse, .. } = artifact.reads else { panic!("{}", artifact.name) };
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, artifact.name, Arc::default(), State::Live);
        for path in keys {
            let key = hive.find(path).unwrap_or_else(|| panic!("{path}"));
            let (hive, path) = (HiveKind::from_content(&hive), format!("{root}\\{}", key.path()));
            let input = KeyInput { locator: Arc::default(), hive, key, path, user: None };
            let _ = parse(&input, host, &mut out).unwrap();
        }
        sink
    }

    pub(crate) fn text(event: &Event, name: &str) -> Option<String> {
        event.values.get(name).map(Value::to_string)
    }

    #[test]
    fn the_end_of_a_path_and_its_subject() {
        assert_eq!(ends_like(r"HKLM\A\B\c.exe", r"a\b\*"), Some(Some("c.exe".to_owned())));
        assert_eq!(ends_like(r"HKLM\A\B", r"A\B"), Some(None));
        assert_eq!(
            ends_like(r"HKLM\CLSID\{x}\InprocServer32", r"CLSID\*\InprocServer32"),
            Some(Some("{x}".to_owned()))
        );
        assert_eq!(ends_like(r"HKLM\A\B", r"C\B"), None);
        assert_eq!(ends_like("B", r"A\B"), None);
    }

    #[test]
    fn names_of_values() {
        assert!(is_listed("OPEN12", &["open*"]) && is_listed("x", &[]) && is_listed("SHELL", &["Shell"]));
        assert!(!is_listed("OPE", &["open*"]) && !is_listed("Shell2", &["Shell"]));
    }

    /// Every artifact that reads keys, on every key of more than a thousand damaged hives, whether its pattern fits or not.
    #[test]
    fn damage_never_panics() {
        const HIVES: &[&[u8]] = &[
            include_bytes!("../../../testdata/artifacts/task_cache/software.hve"),
            include_bytes!("../../../testdata/artifacts/usb_devices/system.hve"),
            include_bytes!("../../../testdata/artifacts/network_profiles/software.hve"),
            include_bytes!("../../../testdata/artifacts/boot_execute/system.hve"),
            include_bytes!("../../../testdata/artifacts/proxy_settings/ntuser.hve"),
        ];
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        let mut keys_read = 0u32;
        for round in 0..1500 {
            let mut bytes = HIVES[round % HIVES.len()].to_vec();
            // The base block is the format's own affair.
            for _ in 0..=random(8) {
                let at = 4096 + random(bytes.len() - 4096);
                bytes[at] ^= 1 << random(8);
            }
            let Ok(hive) = Hive::parse(bytes, &[], HiveOptions::default()) else { continue };
            let mut sink = Collect::default();
            for artifact in super::super::ARTIFACTS {
                let Reads::RegKeys { parse, .. } = artifact.reads else { continue };
                let mut out = Out::new(&mut sink, artifact.name, Arc::default(), State::Live);
                for key in hive.keys() {
                    let (kind, path) = (HiveKind::Other, format!("HKLM\\{}", key.path()));
                    let input = KeyInput { locator: Arc::default(), hive: kind, key, path, user: None };
                    let _ = parse(&input, &Host::default(), &mut out);
                    keys_read += 1;
                }
            }
        }
        assert!(keys_read > 10_000, "the damage left too little to read: {keys_read}");
    }
}
