//! JSON lines: one row a line, in UTC, nothing lost. The format that all others are cut from.

use std::io::{self, Write};

use super::row::{Row, row_id};
use super::{Context, Exporter};
use crate::model::Event;

pub(super) struct Jsonl {
    pub(super) context: Context,
}

impl Exporter for Jsonl {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        let host = self.context.host(event);
        let id = row_id(event, host);
        serde_json::to_writer(&mut *out, &Row { event, host, id: Some(&id) })?;
        out.write_all(b"\n")?;
        Ok(true)
    }
}
