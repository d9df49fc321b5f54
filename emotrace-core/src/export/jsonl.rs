//! JSON lines: one row a line, in UTC, nothing lost. The format that all others are cut from.

use std::io::{self, Write};

use super::row::{Row, id_of};
use super::{Context, Exporter, json};
use crate::model::Event;

pub(super) struct Jsonl {
    pub(super) context: Context,
    /// One row at a time; kept so that its memory is used again.
    pub(super) line: Vec<u8>,
}

impl Exporter for Jsonl {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        let host = self.context.host(event);
        self.line.clear();
        json::line(&Row { event, host, id: None }, &mut self.line)?;
        let id = id_of(&self.line);
        if event.origin.also_in.is_empty() {
            // The row is the one that the id names: the id goes in before the brace that closes it.
            self.line.pop();
            writeln!(self.line, ",\"id\":\"{id}\"}}")?;
        } else {
            self.line.clear();
            json::line(&Row { event, host, id: Some(&id) }, &mut self.line)?;
            self.line.push(b'\n');
        }
        out.write_all(&self.line)?;
        Ok(true)
    }
}
