//! What lists of recently used things in a user's hive have in common. Not an artifact by itself.
//!
//! A list is one key. Its entries are values; one more value gives their order, the newest first:
//!
//! | value | type | content |
//! |---|---|---|
//! | `MRUListEx` | REG_BINARY | 32-bit numbers, each the name of a value; `ffffffff` ends it |
//! | `MRUList` | REG_SZ | characters, each the name of a value |
//!
//! Only the newest entry is dated: the key was last written when it came to the top. The time of all others is not stored.

use std::collections::HashMap;

use super::artifact::{KeyInput, Out, Record};
use crate::formats::regf::KeyValue;
use crate::formats::shell_item::{self, ItemList};
use crate::model::{Descriptor, Loss, Meaning, State, Timestamp, Value};

/// One entry of a list.
pub(super) struct Entry<'h> {
    /// Name of the value.
    pub(super) name: String,
    /// The value.
    pub(super) value: KeyValue<'h>,
    /// Its data.
    pub(super) data: Vec<u8>,
    /// Place in the list, 0 for the newest; absent if the list does not name it, or if there is no list.
    pub(super) position: Option<u64>,
    /// When it came to the top: the key's last write, for the newest alone.
    pub(super) time: Option<Timestamp>,
}

/// All values of the key but those that give the order, in stored order. What can't be read becomes an issue.
pub(super) fn entries<'h>(input: &KeyInput<'h>, out: &mut Out<'_>) -> Vec<Entry<'h>> {
    let mut places: HashMap<String, u64> = HashMap::new();
    for (at, name) in (0..).zip(order(input, out)) {
        places.entry(name.to_ascii_lowercase()).or_insert(at);
    }
    let mut entries = Vec::new();
    for (name, value, data) in values(input, out) {
        if is_order(&name) {
            continue;
        }
        let position = places.get(&name.to_ascii_lowercase()).copied();
        let time = input.key.last_write().filter(|_| position == Some(0));
        entries.push(Entry { name, value, data, position, time });
    }
    entries
}

/// All values of the key that can be read, with name and data.
pub(super) fn values<'h>(input: &KeyInput<'h>, out: &mut Out<'_>) -> Vec<(String, KeyValue<'h>, Vec<u8>)> {
    let mut found = Vec::new();
    for value in input.key.values() {
        let Some(value) = out.keep(value) else { continue };
        let Some(data) = out.keep(value.data()) else { continue };
        found.push((value.name(), value, data.into_owned()));
    }
    found
}

/// True for the values that give the order.
fn is_order(name: &str) -> bool {
    name.eq_ignore_ascii_case("MRUListEx") || name.eq_ignore_ascii_case("MRUList")
}

/// The names of the entries, the newest first. A list without its end is taken as far as it goes, with an issue.
fn order(input: &KeyInput<'_>, out: &mut Out<'_>) -> Vec<String> {
    if let Some(list) = input.key.value("MRUListEx") {
        let Ok(data) = list.data() else { return Vec::new() };
        let (numbers, rest) = data.as_chunks::<4>();
        let mut names: Vec<u32> = numbers.iter().map(|n| u32::from_le_bytes(*n)).collect();
        match names.iter().position(|n| *n == u32::MAX) {
            Some(end) => names.truncate(end),
            None if rest.is_empty() && names.is_empty() => {}
            None => out.issue(Some(list.offset()), Loss::None, "MRUListEx has no end: it may be cut"),
        }
        return names.iter().map(u32::to_string).collect();
    }
    let list = input.key.value("MRUList").and_then(|list| list.text()).unwrap_or_default();
    list.chars().map(String::from).collect()
}

/// The place in a list whose values bear numbers from 1 on, the newest first: `url1`.
pub(super) fn numbered(name: &str, prefix: &str) -> Option<u64> {
    let (head, number) = name.split_at_checked(prefix.len())?;
    number.parse::<u64>().ok().filter(|_| head.eq_ignore_ascii_case(prefix))?.checked_sub(1)
}

/// The bytes of a UTF-16 text up to its NUL or the end, and what follows it.
pub(super) fn split_wide(data: &[u8]) -> (&[u8], &[u8]) {
    let units = data.as_chunks::<2>().0;
    let end = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len()).saturating_mul(2);
    (data.get(..end).unwrap_or_default(), data.get(end.saturating_add(2)..).unwrap_or_default())
}

/// A record about a value of the key: with its place, its state and the path of the key.
pub(super) fn record(descriptor: &'static Descriptor, input: &KeyInput<'_>, value: &KeyValue<'_>) -> Record {
    let record = Record::new(descriptor).set("key_path", input.path.clone()).at(value.offset());
    if value.from_log() || input.key.from_log() { record.state(State::LogReplayed) } else { record }
}

/// The same with what a list tells: name, place in the list, and the time of the newest.
pub(super) fn entry_record(descriptor: &'static Descriptor, input: &KeyInput<'_>, entry: &Entry<'_>) -> Record {
    record(descriptor, input, &entry.value)
        .set("name", entry.name.clone())
        .set_some("position", entry.position)
        .time(Meaning::KEY_WRITTEN, entry.time)
}

/// Gives an issue for each fault of a list of shell items that a value holds.
pub(super) fn item_faults(list: &ItemList, value: &KeyValue<'_>, out: &mut Out<'_>) {
    let faults = list.faults.iter().chain(list.items.iter().flat_map(|item| &item.faults));
    for fault in faults {
        // The decoder's offsets count from the value's data, which need not lie in one piece.
        out.issue(Some(value.offset()), Loss::Record, format!("in the value's data: {fault}"));
    }
}

/// The shell items as values.
pub(super) fn items(list: &ItemList) -> Option<Value> {
    let items: Vec<Value> = list.items.iter().map(shell_item::describe).collect();
    (!items.is_empty()).then_some(Value::List(items))
}

/// Tests of all artifacts that read a user's keys.
#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::super::artifact::{Artifact, Reads};
    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Event, Host, User};

    /// Gives one key of a hive to an artifact.
    pub(in super::super) fn read(artifact: &'static Artifact, bytes: &[u8], path: &str) -> Collect {
        let mut sink = Collect::default();
        let Ok(hive) = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()) else { return sink };
        let Some(key) = hive.find(path) else { return sink };
        let user = User {
            sid: "S-1-5-21-1-2-3-1001".to_owned(),
            profile: Some(r"C:\Users\Clippy".to_owned()),
            ..User::default()
        };
        let path = format!(r"HKEY_USERS\S-1-5-21-1-2-3-1001\{path}");
        let input = KeyInput { locator: Arc::default(), hive: HiveKind::NtUser, key, path, user: Some(&user) };
        let mut out = Out::new(&mut sink, artifact.name, Arc::default(), State::Live);
        let Reads::RegKeys { parse, .. } = artifact.reads else { panic!("{} reads no keys", artifact.name) };
        let _ = parse(&input, &Host::default(), &mut out).unwrap();
        sink
    }

    pub(in super::super) fn field<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
        event.values.get(name).and_then(Value::as_text)
    }

    pub(in super::super) fn time(event: &Event) -> Option<String> {
        event.time.map(|time| time.to_string())
    }

    /// Flips and cuts a hive behind its base block; nothing may panic or hang, and the work stays bounded.
    pub(in super::super) fn damage(artifact: &'static Artifact, bytes: &[u8], path: &str) {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        for round in 0..600 {
            let mut broken = bytes.to_vec();
            for _ in 0..8 {
                let at = 4096 + next(broken.len() - 4096);
                broken[at] = u8::try_from(next(256)).unwrap();
            }
            if round % 4 == 0 {
                broken.truncate(4096 + next(bytes.len() - 4096));
            }
            let found = read(artifact, &broken, path);
            assert!(found.events.len() < 10_000 && found.issues.len() < 10_000);
        }
    }
}
