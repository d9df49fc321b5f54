//! `emotrace hive`: one registry hive from near by.
//!
//! A row of the timeline names hive, key and the offset of a cell. This shows what stands there, as text and as the bytes
//! themselves, so that what a row says can be checked with no other tool.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write, stdout};

use emotrace_core::export::escape::visible;
use emotrace_core::formats::regf::{Hive, Key, KeyValue};
use emotrace_core::model::{State, Timestamp};
use emotrace_core::pipeline::{Evidence, OneHive};

use super::{open_place, print};
use crate::args;
use crate::exit::{Exit, Failure};

pub(crate) fn run(arguments: &args::Hive) -> Result<Exit, Failure> {
    std::panic::set_hook(Box::new(|_| {}));
    let (evidence, address) = match &arguments.place {
        Some(place) => {
            let (evidence, address) = open_place(&arguments.evidence, &arguments.segments, place)?;
            (evidence, Some(address))
        }
        None => (Evidence::open(std::slice::from_ref(&arguments.evidence))?, None),
    };
    let open = |replay| OneHive::open(&evidence, address.as_ref(), replay).map_err(Failure::Message);
    let one = open(!arguments.no_replay)?;
    if arguments.changes {
        print(&changes(&open(false)?.hive, &one.hive))?;
        return Ok(Exit::Done);
    }
    let (key, value) = match arguments.at {
        Some(offset) => at_offset(&one.hive, offset)
            .ok_or_else(|| Failure::Message(format!("no key and no value has its cell at {offset:#x}")))?,
        None => by_path(&one, arguments)?,
    };
    if arguments.raw {
        let bytes = match &value {
            Some(value) => value.data().map_err(|error| Failure::Message(error.to_string()))?.into_owned(),
            None => one.hive.cell_bytes(key.0.offset()).unwrap_or_default().to_vec(),
        };
        let mut out = stdout().lock();
        out.write_all(&bytes)?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    head(&one, &mut text);
    show_key(&one, &key, value.as_ref(), &mut text);
    print(&text)?;
    Ok(Exit::Done)
}

/// A key and how it stands in the hive.
type Stands<'h> = (Key<'h>, State);
type Found<'h> = (Stands<'h>, Option<KeyValue<'h>>);

fn by_path<'h>(one: &'h OneHive, arguments: &args::Hive) -> Result<Found<'h>, Failure> {
    let path = arguments.key.as_deref().unwrap_or_default().replace('/', "\\");
    // A name may hold a slash: then only the path as it was typed fits.
    let typed = arguments.key.as_deref().unwrap_or_default();
    let inner = |path: &str| -> String {
        let head = path.get(..one.root.len()).is_some_and(|head| head.eq_ignore_ascii_case(&one.root));
        if head { path.get(one.root.len()..).unwrap_or_default().to_owned() } else { path.to_owned() }
    };
    let key = one.hive.find(&inner(typed)).or_else(|| one.hive.find(&inner(&path)));
    let key = key.ok_or_else(|| Failure::Message(format!("{} has no key {}", visible(&one.place), visible(typed))))?;
    let value =
        match &arguments.value {
            None => None,
            Some(name) => Some(key.value(name).ok_or_else(|| {
                Failure::Message(format!("the key {} has no value {}", visible(typed), visible(name)))
            })?),
        };
    Ok(((key, State::Live), value))
}

/// The key or value whose cell lies there: live ones first, then what is left of deleted ones.
fn at_offset(hive: &Hive, offset: u64) -> Option<Found<'_>> {
    // Keys alone first: they are read without their values.
    let key = hive.keys().find(|key| key.offset() == offset).map(|key| ((key, State::Live), None));
    key.or_else(|| hive.keys().find_map(|key| fits((key, State::Live), offset))).or_else(|| {
        let deleted = hive.deleted();
        let lost = deleted.as_keys(hive).into_iter().chain(deleted.as_keys_of_values(hive));
        lost.into_iter().find_map(|stands| fits(stands, offset))
    })
}

/// The key, or the one of its values, whose cell lies there.
fn fits((key, state): Stands<'_>, offset: u64) -> Option<Found<'_>> {
    let value = key.values().into_iter().flatten().find(|value| value.offset() == offset);
    (key.offset() == offset || value.is_some()).then_some(((key, state), value))
}

/// What the hive is, and what its logs gave.
fn head(one: &OneHive, text: &mut String) {
    let (hive, replay) = (&one.hive, one.hive.replay());
    let base = hive.base();
    line(text, "hive", &one.place);
    line(text, "kind", one.kind.name());
    line(text, "account", one.account.as_deref().unwrap_or("–"));
    line(text, "version", &format!("{}.{}, {} keys in use", base.major, base.minor, hive.key_count()));
    let (primary, secondary) = replay.sequence_before;
    let state = match (replay.dirty, replay.sequence_after) {
        (false, _) => "written to its end".to_owned(),
        (true, None) => "not written to its end; nothing was replayed".to_owned(),
        (true, Some(after)) => format!("not written to its end; {after} after the replay"),
    };
    line(text, "sequence", &format!("{primary}/{secondary}, {state}"));
    for entry in &replay.entries {
        let log = one.logs.get(entry.log).map_or("", String::as_str);
        let entry = format!("{log} at {:#x}: entry {}, {} pages", entry.offset, entry.sequence, entry.pages);
        line(text, "replayed", &entry);
    }
    for issue in hive.issues() {
        line(text, "issue", &format!("{:#x}: {}", issue.offset, issue.error));
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:12} {}", visible(value));
}

fn show_key(one: &OneHive, (key, state): &Stands<'_>, value: Option<&KeyValue<'_>>, text: &mut String) {
    text.push('\n');
    let path = key.path();
    let path = if path.is_empty() { one.root.clone() } else { format!("{}\\{path}", one.root) };
    line(text, "key", &path);
    line(text, "last write", &time(key.last_write()));
    line(text, "cell", &format!("{:#x}, {}", key.offset(), stands(*state, key.from_log())));
    if let Some(Ok(class)) = key.class_name() {
        line(text, "class", &class);
    }
    if let Some(value) = value {
        return show_value(one, value, *state, true, text);
    }
    dump(one.hive.cell_bytes(key.offset()).unwrap_or_default(), text);
    for value in key.values() {
        match value {
            Ok(value) => show_value(one, &value, *state, false, text),
            Err(error) => line(text, "issue", &format!("{:#x}: {error}", error.offset())),
        }
    }
    let subkeys = key.subkeys();
    if !subkeys.is_empty() {
        let _ = writeln!(text, "\nsubkeys");
    }
    for subkey in subkeys {
        match subkey {
            Ok(subkey) => {
                let (time, name) = (time(subkey.last_write()), subkey.name());
                let _ = writeln!(text, "  {time:28} {:>10} {}", format!("{:#x}", subkey.offset()), visible(&name));
            }
            Err(error) => line(text, "issue", &format!("{:#x}: {error}", error.offset())),
        }
    }
}

fn show_value(one: &OneHive, value: &KeyValue<'_>, state: State, cell: bool, text: &mut String) {
    let name = value.name();
    text.push('\n');
    line(text, "value", if name.is_empty() { "(default)" } else { &name });
    line(text, "type", &format!("{}, {} bytes", value.kind(), value.data_len()));
    line(text, "cell", &format!("{:#x}, {}", value.offset(), stands(state, value.from_log())));
    if cell {
        dump(one.hive.cell_bytes(value.offset()).unwrap_or_default(), text);
    }
    match value.data() {
        Ok(data) => {
            let read = value.to_value();
            if !matches!(read, emotrace_core::model::Value::Bytes(_)) {
                line(text, "reads", &read.to_string());
            }
            line(text, "data", "");
            dump(&data, text);
        }
        Err(error) => line(text, "data", &error.to_string()),
    }
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| time.to_string())
}

fn stands(state: State, from_log: bool) -> String {
    let from = if from_log { ", from a transaction log" } else { "" };
    format!("{}{from}", state.name())
}

/// Offset, bytes in hex, and what they are as ASCII.
fn dump(bytes: &[u8], text: &mut String) {
    for (n, row) in bytes.chunks(16).enumerate() {
        let hex: String = row.iter().map(|byte| format!("{byte:02x} ")).collect();
        let plain: String =
            row.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
        let _ = writeln!(text, "  {:06x}  {hex:48} {plain}", n * 16);
    }
}

/// Path, last write and values of every key.
type Content = BTreeMap<String, (Option<Timestamp>, BTreeMap<String, Option<Vec<u8>>>)>;

fn content(hive: &Hive) -> Content {
    let values = |key: &Key<'_>| {
        let values = key.values().into_iter().flatten();
        values.map(|value| (value.name(), value.data().ok().map(|data| data.into_owned()))).collect()
    };
    hive.keys().map(|key| (key.path(), (key.last_write(), values(&key)))).collect()
}

/// What is otherwise after the replay of the logs.
fn changes(before: &Hive, after: &Hive) -> String {
    let (old, new) = (content(before), content(after));
    let (mut lines, mut gained, mut lost, mut changed) = (String::new(), 0u64, 0u64, 0u64);
    let mut tell = |sign: char, path: &str, what: &str| {
        let _ = writeln!(lines, "{sign} {}{what}", visible(if path.is_empty() { "(root)" } else { path }));
    };
    for (path, (written, values)) in &new {
        match old.get(path) {
            None => {
                gained += 1;
                tell('+', path, &format!("  written {}", time(*written)));
            }
            Some((then, before)) if then != written || before != values => {
                changed += 1;
                let what = if then == written {
                    String::new()
                } else {
                    format!("  written {} before {}", time(*written), time(*then))
                };
                tell('~', path, &what);
                for (name, data) in values {
                    match before.get(name) {
                        None => tell('+', path, &format!("  value {}", visible(name))),
                        Some(then) if then != data => tell('~', path, &format!("  value {}", visible(name))),
                        Some(_) => {}
                    }
                }
                for name in before.keys().filter(|name| !values.contains_key(*name)) {
                    tell('-', path, &format!("  value {}", visible(name)));
                }
            }
            Some(_) => {}
        }
    }
    for (path, (written, _)) in old.iter().filter(|(path, _)| !new.contains_key(*path)) {
        lost += 1;
        tell('-', path, &format!("  written {}", time(*written)));
    }
    format!("{lines}{gained} keys gained, {lost} lost, {changed} changed\n")
}
