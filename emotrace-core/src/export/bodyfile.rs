//! The Sleuth Kit's body file 3.x: `MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`, for `mactime`.
//!
//! Whole seconds, as the format asks; 0 stands for a time that is not known. The four times of a file are one row, as
//! `fls` gives it: it stands where the first of them stands. An event of another kind puts its instant in all four places
//! and its message in the name's place.
//!
//! Source: Sleuth Kit wiki, "Body file".

use std::io::{self, Write};

use super::{Context, Exporter, escape};
use crate::model::{Decimal, Event, State, Timestamp, Value};

pub(super) struct Bodyfile {
    pub(super) context: Context,
    /// The row that is being written: one buffer for all, and one write for each.
    pub(super) line: Vec<u8>,
}

impl Exporter for Bodyfile {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        // The format counts from 1970; 0 and negative numbers mean nothing to its readers.
        let seconds = |time: Timestamp| u64::try_from(time.unix_seconds()).ok();
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
            let kind = if event.descriptor.name == "windows:file:name_times" { " ($FILE_NAME)" } else { "" };
            let deleted = if event.state == State::Live { "" } else { " (deleted)" };
            let mut name = at.path.clone();
            at.stream.iter().for_each(|stream| name.extend([":", stream]));
            name.extend([kind, deleted]);
            at.snapshot.iter().for_each(|number| name.push_str(&format!(" (vss{number})")));
            name
        } else {
            format!("[{}] {}", event.artifact, event.message())
        };
        let name = escape::visible(&name);
        let name = if name.contains('|') { name.replace('|', "\\u{7c}").into() } else { name };
        let inode = at.record.map_or(0, |r| r.record);
        let size = event.values.get("size").and_then(Value::as_number).unwrap_or(0);
        self.line.clear();
        self.line.extend_from_slice(b"0|");
        self.line.extend_from_slice(name.as_bytes());
        for number in [inode, 0, 0, 0, size, atime, mtime, ctime, crtime] {
            self.line.push(b'|');
            self.line.extend_from_slice(Decimal::new(number).as_bytes());
        }
        self.line.push(b'\n');
        out.write_all(&self.line)?;
        Ok(true)
    }
}
