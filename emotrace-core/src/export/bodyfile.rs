//! The Sleuth Kit's body file 3.x: `MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`, for `mactime`.
//!
//! Whole seconds, as the format asks; 0 stands for a time that is not known. The four times of a file are one row, as
//! `fls` gives it: it stands where the first of them stands. An event of another kind puts its instant in all four places
//! and its message in the name's place.
//!
//! Source: Sleuth Kit wiki, "Body file".

use std::io::{self, Write};

use super::{Context, Exporter, escape};
use crate::model::{Event, State, Timestamp, Value};

pub(super) struct Bodyfile {
    pub(super) context: Context,
}

impl Exporter for Bodyfile {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        // The format counts from 1970; 0 and negative numbers mean nothing to its readers.
        let seconds = |time: Timestamp| Some(time.unix_seconds()).filter(|s| *s > 0);
        let Some(instant) = event.time else { return Ok(false) };
        let field = |name: &str| match event.values.get(name) {
            Some(Value::Time(time)) => Some(*time),
            _ => None,
        };
        let is_file_time = event.descriptor.name.starts_with("windows:file:");
        let [atime, mtime, ctime, crtime] =
            if is_file_time { ["accessed", "modified", "changed", "created"].map(field) } else { [Some(instant); 4] };
        let wanted = |time: &Timestamp| self.context.from.is_none_or(|from| *time >= from);
        if [atime, mtime, ctime, crtime].into_iter().flatten().filter(wanted).min() < Some(instant) {
            // The row stands at an earlier instant already.
            return Ok(true);
        }
        let [atime, mtime, ctime, crtime] =
            [atime, mtime, ctime, crtime].map(|time| time.and_then(seconds).unwrap_or(0));
        if [atime, mtime, ctime, crtime] == [0; 4] {
            return Ok(false);
        }
        let at = &event.origin.locator;
        let name = if is_file_time {
            let stream = at.stream.as_ref().map(|s| format!(":{s}")).unwrap_or_default();
            let kind = match event.descriptor.name {
                "windows:file:name_times" => " ($FILE_NAME)",
                _ => "",
            };
            let deleted = if event.state == State::Live { "" } else { " (deleted)" };
            let copy = at.snapshot.map(|number| format!(" (vss{number})")).unwrap_or_default();
            format!("{}{stream}{kind}{deleted}{copy}", at.path)
        } else {
            format!("[{}] {}", event.artifact, event.message())
        };
        let name = escape::visible(&name);
        let name = if name.contains('|') { name.replace('|', "\\u{7c}").into() } else { name };
        let inode = at.record.map_or_else(|| "0".to_owned(), |r| r.record.to_string());
        let size = event.values.get("size").and_then(Value::as_number).unwrap_or(0);
        writeln!(out, "0|{name}|{inode}|0|0|0|{size}|{atime}|{mtime}|{ctime}|{crtime}")?;
        Ok(true)
    }
}
