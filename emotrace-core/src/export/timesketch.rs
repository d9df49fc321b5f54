//! JSON lines for Timesketch.
//!
//! Each row has `message`, `datetime` (ISO 8601 with offset), `timestamp` (integer microseconds since 1970: without it the
//! importer computes one in floating point) and `timestamp_desc`. `data_type` and the fields that Timesketch's analyzers
//! look for bear plaso's names. A text of more than 32,766 bytes can't be searched there, so it is cut with a mark; the
//! JSON lines hold it whole. Rows without a date, or with one before 1700 or after 9999, would be dropped: they are left
//! out here and counted.
//!
//! Source: Timesketch's documentation, "Create timeline from JSON/JSONL/CSV file", and its importer.

use std::io::{self, Write};

use serde_json::{Map, Value as JsonValue, json};

use super::row::{Json, in_order, row_id};
use super::{Context, Exporter, year_is_plain};
use crate::model::Event;

/// Lucene's limit for one term, in bytes.
const TERM_LIMIT: usize = 32_766;

/// Our field, plaso's name for it, by plaso's data type.
const PLASO_NAMES: &[(&str, &str, &str)] = &[
    ("windows:evtx:record", "event_id", "event_identifier"),
    ("windows:evtx:record", "provider", "source_name"),
    ("windows:evtx:record", "computer", "computer_name"),
    ("windows:evtx:record", "record_id", "record_number"),
    ("windows:evtx:record", "level", "event_level"),
    ("windows:evtx:record", "user_sid", "user_sid"),
    ("windows:prefetch:execution", "path_hash", "prefetch_hash"),
    ("windows:lnk:link", "arguments", "command_line_arguments"),
    ("windows:lnk:link", "target_path", "link_target"),
    ("windows:lnk:link", "environment_path", "env_var_location"),
    ("windows:lnk:link", "drive_serial", "drive_serial_number"),
];

pub(super) struct Timesketch {
    pub(super) context: Context,
}

impl Exporter for Timesketch {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        let Some(time) = event.time.filter(|t| year_is_plain(*t)) else { return Ok(false) };
        let host = self.context.host(event);
        let at = &event.origin.locator;
        let data_type = event.descriptor.data_type.unwrap_or(event.descriptor.name);
        let micros = time.to_datetime().format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        let mut row = Map::new();
        row.insert("message".to_owned(), json!(event.message()));
        row.insert("datetime".to_owned(), json!(micros));
        row.insert("timestamp".to_owned(), json!(time.unix_micros()));
        row.insert("timestamp_desc".to_owned(), json!(description(event)));
        row.insert("data_type".to_owned(), json!(data_type));
        row.insert("time_100ns".to_owned(), json!(time.to_string()));
        row.insert("artifact".to_owned(), json!(event.artifact));
        row.insert("state".to_owned(), json!(event.state.name()));
        let image = [("hostname", host), ("username", event.user.as_deref())];
        for (name, value) in image {
            if let Some(value) = value {
                row.insert(name.to_owned(), json!(value));
            }
        }
        row.insert("display_name".to_owned(), json!(at.to_string()));
        row.insert("filename".to_owned(), json!(at.path));
        if let Some(snapshot) = at.snapshot {
            row.insert("snapshot".to_owned(), json!(snapshot));
        }
        if !event.origin.also_in.is_empty() {
            row.insert("also_in_snapshots".to_owned(), json!(event.origin.also_in));
        }
        if let Some(record) = at.record {
            row.insert("file_reference".to_owned(), json!(record.to_string()));
            row.insert("inode".to_owned(), json!(record.record));
        }
        if data_type == "fs:stat:ntfs" {
            // What Timesketch's timestomp analyzer compares: 0x10 is $STANDARD_INFORMATION, 0x30 $FILE_NAME.
            let name_times = event.descriptor.name == "windows:file:name_times";
            row.insert("attribute_type".to_owned(), json!(if name_times { "0x00000030" } else { "0x00000010" }));
            row.insert("path_hints".to_owned(), json!([at.path]));
        }
        for (name, value) in in_order(event.descriptor.fields, &event.values) {
            let plaso = PLASO_NAMES.iter().find(|(kind, ours, _)| *kind == data_type && *ours == name);
            let name = plaso.map_or(name, |(_, _, theirs)| theirs);
            // A field of ours must not overwrite one that the importer needs.
            let name = if row.contains_key(name) { format!("{name}_") } else { name.to_owned() };
            row.insert(name, serde_json::to_value(Json(value))?);
        }
        row.insert("emotrace_id".to_owned(), json!(row_id(event, host)));
        for value in row.values_mut() {
            cut(value);
        }
        super::json::line(&row, out)?;
        out.write_all(b"\n")?;
        Ok(true)
    }
}

/// plaso's words for the instants that its users filter by.
fn description(event: &Event) -> String {
    let words: Vec<&str> = event
        .meaning
        .names()
        .map(|name| match name {
            "modified" => "Content Modification Time",
            "accessed" => "Last Access Time",
            "changed" => "Metadata Modification Time",
            "created" => "Creation Time",
            "executed" => "Last Time Executed",
            "logged" => "Recorded Time",
            "key_written" => "Content Modification Time",
            "deleted" => "Content Deletion Time",
            name => name,
        })
        .collect();
    words.join("; ")
}

/// Cuts every text in a value to what can be searched.
fn cut(value: &mut JsonValue) {
    match value {
        JsonValue::String(text) if text.len() > TERM_LIMIT => {
            let mark = " … [cut]";
            let end = (0..=TERM_LIMIT - mark.len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push_str(mark);
        }
        JsonValue::Array(items) => items.iter_mut().for_each(cut),
        JsonValue::Object(map) => map.values_mut().for_each(cut),
        _ => {}
    }
}
