//! CSV for a spreadsheet: one row an event, the values of all kinds in one column.
//!
//! UTF-8 with a byte order mark, without which Excel shows Japanese as noise. A spreadsheet takes 32,767 characters in a
//! cell; longer ones are cut with a mark that says so, the JSON lines hold them whole.

use std::io::{self, Write};

use super::escape;
use super::row::in_order;
use super::{Context, Exporter};
use crate::model::Event;

const COLUMNS: &[&str] = &[
    "time",
    "zone",
    "meaning",
    "macb",
    "event",
    "artifact",
    "message",
    "host",
    "user",
    "state",
    "image",
    "volume",
    "snapshot",
    "path",
    "stream",
    "record",
    "offset",
    "values",
    "also_in_snapshots",
];

/// What a spreadsheet's cell can hold.
const CELL_LIMIT: usize = 32_000;

pub(super) struct Csv {
    pub(super) context: Context,
}

impl Exporter for Csv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all("\u{feff}".as_bytes())?;
        write_record(COLUMNS.iter().map(|c| (*c).to_owned()), ::csv::Terminator::CRLF, out)
    }

    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        let at = &event.origin.locator;
        let zone = self.context.zone;
        let values: Vec<String> =
            in_order(event.descriptor.fields, &event.values).map(|(name, value)| format!("{name}={value}")).collect();
        let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let row = [
            event.time.map(|t| zone.rfc3339(t)).unwrap_or_default(),
            event.time.map(|_| zone.name()).unwrap_or_default(),
            event.meaning.to_string(),
            event.meaning.macb(),
            event.descriptor.name.to_owned(),
            event.artifact.to_owned(),
            event.message(),
            self.context.host(event).unwrap_or_default().to_owned(),
            event.user.clone().unwrap_or_default(),
            event.state.name().to_owned(),
            at.image.clone(),
            at.volume.clone().unwrap_or_default(),
            number(at.snapshot.map(u64::from)),
            at.path.clone(),
            at.stream.clone().unwrap_or_default(),
            at.record.map(|r| r.to_string()).unwrap_or_default(),
            number(event.origin.offset),
            values.join(" | "),
            event.origin.also_in.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
        ];
        write_record(row.iter().map(|text| cut(&escape::cell(text))), ::csv::Terminator::CRLF, out)?;
        Ok(true)
    }
}

/// Writes one record with its quotes.
pub(super) fn write_record(
    cells: impl Iterator<Item = String>,
    terminator: ::csv::Terminator,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut writer = ::csv::WriterBuilder::new().terminator(terminator).buffer_capacity(1 << 10).from_writer(out);
    writer.write_record(cells)?;
    writer.flush()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_LIMIT) {
        None => text.to_owned(),
        Some((at, _)) => {
            let left = text.chars().count().saturating_sub(CELL_LIMIT);
            format!("{} … [{left} more characters, see the JSON lines]", text.get(..at).unwrap_or_default())
        }
    }
}
