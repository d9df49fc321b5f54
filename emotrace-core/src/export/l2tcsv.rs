//! log2timeline's CSV: 17 columns, whole seconds, `-` for what is absent.
//!
//! Source: plaso's documentation of the l2tcsv output format.

use std::io::{self, Write};

use super::escape;
use super::row::in_order;
use super::{Context, Exporter, year_is_plain};
use crate::model::Event;

const HEADER: &str =
    "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra";

pub(super) struct L2tCsv {
    pub(super) context: Context,
}

impl Exporter for L2tCsv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{HEADER}")
    }

    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool> {
        let Some(time) = event.time.filter(|t| year_is_plain(*t)) else { return Ok(false) };
        let local = self.context.zone.local(time);
        let message = event.message();
        let short: String = message.chars().take(80).collect();
        let extra: Vec<String> =
            in_order(event.descriptor.fields, &event.values).map(|(name, value)| format!("{name}: {value}")).collect();
        let (source, sourcetype) = source_of(event);
        let row = [
            local.format("%m/%d/%Y").to_string(),
            local.format("%H:%M:%S").to_string(),
            self.context.zone.name(),
            event.meaning.macb(),
            source.to_owned(),
            sourcetype.to_owned(),
            event.meaning.names().collect::<Vec<_>>().join("; "),
            event.user.clone().unwrap_or_default(),
            self.context.host(event).unwrap_or_default().to_owned(),
            short,
            message,
            "2".to_owned(),
            event.origin.locator.to_string(),
            event.origin.locator.record.map(|r| r.record.to_string()).unwrap_or_default(),
            event.state.name().to_owned(),
            event.artifact.to_owned(),
            extra.join("; "),
        ];
        let cells =
            row.iter().map(|text| if text.is_empty() { "-".to_owned() } else { escape::cell(text).into_owned() });
        super::csv::write_record(cells, ::csv::Terminator::Any(b'\n'), out)?;
        Ok(true)
    }
}

/// log2timeline's short and long source names.
fn source_of(event: &Event) -> (&'static str, &'static str) {
    match event.descriptor.name.split(':').nth(1).unwrap_or_default() {
        "file" | "usn" | "logfile" => ("FILE", "NTFS"),
        "evtx" => ("EVT", "WinEVTX"),
        "registry" => ("REG", "Registry Key"),
        "prefetch" => ("LOG", "WinPrefetch"),
        "lnk" => ("LNK", "Windows Shortcut"),
        _ => ("LOG", event.artifact),
    }
}
