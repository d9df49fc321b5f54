//! The Sleuth Kit's body file 3.x: `MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`, for `mactime`.
//!
//! Whole seconds, as the format asks; 0 stands for a time that the row does not tell. An event that is not one of the four
//! file times puts its instant in all four places and its message in the name's place.
//!
//! Source: Sleuth Kit wiki, "Body file".

use std::io::{self, Write};

use super::{Exporter, escape};
use crate::model::{Event, Meaning, State};

pub(super) struct Bodyfile;

impl Exporter for Bodyfile {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        // The format counts from 1970; 0 and negative numbers mean nothing to its readers.
        let Some(seconds) = event.time.map(|t| t.unix_seconds()).filter(|s| *s > 0) else { return Ok(false) };
        let at = &event.origin.locator;
        let is_file_time = event.descriptor.name.starts_with("windows:file:");
        let name = if is_file_time {
            let stream = at.stream.as_ref().map(|s| format!(":{s}")).unwrap_or_default();
            let kind = match event.descriptor.name {
                "windows:file:name_times" => " ($FILE_NAME)",
                _ => "",
            };
            let deleted = if event.state == State::Live { "" } else { " (deleted)" };
            format!("{}{stream}{kind}{deleted}", at.path)
        } else {
            format!("[{}] {}", event.artifact, event.message())
        };
        let name = escape::visible(&name).replace('|', "\\u{7c}");
        let inode = at.record.map_or_else(|| "0".to_owned(), |r| r.record.to_string());
        let size = event.values.get("size").and_then(crate::model::Value::as_number).unwrap_or(0);
        let of = |meaning| if !is_file_time || event.meaning.contains(meaning) { seconds } else { 0 };
        let (atime, mtime) = (of(Meaning::ACCESSED), of(Meaning::MODIFIED));
        let (ctime, crtime) = (of(Meaning::CHANGED), of(Meaning::CREATED));
        writeln!(out, "0|{name}|{inode}|0|0|0|{size}|{atime}|{mtime}|{ctime}|{crtime}")?;
        Ok(true)
    }
}
