//! Timelines in the formats that other tools read. Every format is cut from the same row.

mod bodyfile;
mod csv;
pub mod escape;
pub mod json;
mod jsonl;
mod l2tcsv;
mod output;
pub mod report;
mod row;
mod timesketch;

use std::io::{self, Write};
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Offset, TimeZone, Utc};

use crate::model::{Event, Host, Timestamp};

pub use output::{Finished, OutputFile, partial_name};
pub use row::row_id;

/// A timeline format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line; nothing is lost.
    Jsonl,
    /// Columns for a spreadsheet.
    Csv,
    /// The Sleuth Kit's body file 3.x, for `mactime`.
    Bodyfile,
    /// log2timeline's CSV with 17 columns.
    L2tCsv,
    /// JSON lines for Timesketch.
    Timesketch,
}

impl Format {
    /// Every format with the name that users type.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Jsonl, "jsonl"),
        (Self::Csv, "csv"),
        (Self::Bodyfile, "bodyfile"),
        (Self::L2tCsv, "l2tcsv"),
        (Self::Timesketch, "timesketch"),
    ];
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(format, _)| *format)
            .ok_or_else(|| format!("unknown format {text:?}"))
    }
}

/// The zone that formats for people show times in. JSON lines are always UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// UTC.
    #[default]
    Utc,
    /// A fixed distance from UTC.
    Fixed(FixedOffset),
    /// A zone of the IANA database, with its daylight-saving rules.
    Named(chrono_tz::Tz),
}

impl Zone {
    /// The local time of an instant.
    pub fn local(self, time: Timestamp) -> DateTime<FixedOffset> {
        let utc = time.to_datetime();
        match self {
            Self::Utc => utc.fixed_offset(),
            Self::Fixed(offset) => utc.with_timezone(&offset),
            Self::Named(zone) => utc.with_timezone(&zone.offset_from_utc_datetime(&utc.naive_utc()).fix()),
        }
    }

    /// RFC 3339 with seven digits of the second's fraction; `Z` for UTC, else the distance.
    pub fn rfc3339(self, time: Timestamp) -> String {
        match self {
            Self::Utc => time.to_string(),
            zone => {
                let local = zone.local(time);
                format!("{}.{:07}{}", local.format("%Y-%m-%dT%H:%M:%S"), time.subsecond_ticks(), local.format("%:z"))
            }
        }
    }

    /// The name that goes into a time zone column.
    pub fn name(self) -> String {
        match self {
            Self::Utc => "UTC".to_owned(),
            Self::Fixed(offset) => offset.to_string(),
            Self::Named(zone) => zone.name().to_owned(),
        }
    }
}

impl FromStr for Zone {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if matches!(text, "UTC" | "utc" | "Z") {
            return Ok(Self::Utc);
        }
        if let Ok(at) = DateTime::parse_from_rfc3339(&format!("2000-01-01T00:00:00{text}")) {
            return Ok(Self::Fixed(*at.offset()));
        }
        text.parse()
            .map(Self::Named)
            .map_err(|_| format!("unknown time zone {text:?}; write UTC, +09:00 or a name like Asia/Tokyo"))
    }
}

/// What an exporter needs to know beside the events.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The installed systems; an event belongs to the one on its volume, or to the only one.
    pub hosts: Vec<Host>,
    /// Zone of the formats for people.
    pub zone: Zone,
    /// Earlier events are not given to the exporter.
    pub from: Option<Timestamp>,
}

impl Context {
    /// Name of the computer that an event comes from.
    pub fn host(&self, event: &Event) -> Option<&str> {
        let host = match self.hosts.as_slice() {
            [only] => only,
            hosts => hosts.iter().find(|h| h.volume.is_some() && h.volume == event.origin.locator.volume)?,
        };
        host.computer_name.as_deref()
    }
}

/// Writes events in one format.
pub trait Exporter {
    /// Writes what stands before the first event.
    ///
    /// # Errors
    /// When the output can't be written.
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let _ = out;
        Ok(())
    }

    /// Writes one event. Returns false if the format has no place for it (no date, or a date outside its range).
    ///
    /// # Errors
    /// When the output can't be written.
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<bool>;
}

/// The exporter for a format.
pub fn exporter(format: Format, context: Context) -> Box<dyn Exporter> {
    match format {
        Format::Jsonl => Box::new(jsonl::Jsonl { context, line: Vec::new() }),
        Format::Csv => Box::new(csv::Csv { context }),
        Format::Bodyfile => Box::new(bodyfile::Bodyfile { context, line: Vec::new() }),
        Format::L2tCsv => Box::new(l2tcsv::L2tCsv { context }),
        Format::Timesketch => Box::new(timesketch::Timesketch { context }),
    }
}

/// Instants that four-digit years can show; what lies outside has no place in formats that need them.
fn year_is_plain(time: Timestamp) -> bool {
    use chrono::Datelike;
    let at: DateTime<Utc> = time.to_datetime();
    (1700..=9999).contains(&at.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones() {
        let t = Timestamp::parse("2020-08-26T05:09:33.5046471Z").unwrap();
        assert_eq!("+09:00".parse::<Zone>().unwrap().rfc3339(t), "2020-08-26T14:09:33.5046471+09:00");
        assert_eq!("Asia/Tokyo".parse::<Zone>().unwrap().rfc3339(t), "2020-08-26T14:09:33.5046471+09:00");
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().rfc3339(t), "2020-08-26T07:09:33.5046471+02:00");
        assert_eq!(Zone::Utc.rfc3339(t), "2020-08-26T05:09:33.5046471Z");
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }
}
