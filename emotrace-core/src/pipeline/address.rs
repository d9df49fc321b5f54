//! How a place in the evidence is written: `volume[/vssN]/path[:stream]` or `volume[/vssN]/#record-sequence`.
//!
//! The volume is its label (`p1`), its drive letter (`C:`), or left out; then the volume that holds a Windows folder is
//! meant, or else the first. `/` and `\` both separate names.
//! `vssN` is a shadow copy only right behind a volume; a folder of that name in the root is `p1//vss2`.

use std::io;

use super::evidence::{Evidence, Mounted};
use crate::model::{FileEntry, FileReference};

/// A place in the evidence, as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Label or drive letter.
    pub volume: Option<String>,
    /// Number of the shadow copy.
    pub snapshot: Option<u32>,
    /// What is meant on it.
    pub target: Target,
    /// Named stream, empty for the main one.
    pub stream: String,
}

/// What an address means on its volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A path from the root, `\`-separated, with a leading `\`; `\` alone is the root.
    Path(String),
    /// An MFT record, live or deleted.
    Record(FileReference),
}

impl Address {
    /// Reads an address. `volumes` are the labels that the evidence has: only such a first name is a volume.
    ///
    /// # Errors
    /// When a record number can't be read.
    pub fn parse(text: &str, volumes: &[&str]) -> Result<Self, std::num::ParseIntError> {
        let text = text.replace('/', "\\");
        let (volume, rest) = match text.split_once('\\') {
            Some((first, rest)) if volumes.contains(&first) || is_drive(first) => {
                (Some(first.to_owned()), rest.to_owned())
            }
            None if volumes.contains(&text.as_str()) || is_drive(&text) => (Some(text.clone()), String::new()),
            _ => (None, text.trim_start_matches('\\').to_owned()),
        };
        let (snapshot, rest) = match volume.as_ref().and_then(|_| snapshot(&rest)) {
            Some((number, rest)) => (Some(number), rest.to_owned()),
            None => (None, rest),
        };
        let (place, stream) = rest.split_once(':').unwrap_or((&rest, ""));
        let target = match place.strip_prefix('#') {
            Some(record) => Target::Record(record.parse()?),
            None => Target::Path(format!("\\{}", place.trim_matches('\\'))),
        };
        Ok(Self { volume, snapshot, target, stream: stream.to_owned() })
    }

    /// The volume that is meant.
    ///
    /// # Errors
    /// `NotFound` if there is none like that.
    pub fn volume<'e>(&self, evidence: &'e Evidence) -> io::Result<&'e Mounted> {
        let missing =
            |what: &str| io::Error::new(io::ErrorKind::NotFound, format!("the evidence has no volume {what}"));
        let is_system = |m: &&Mounted| m.snapshot.is_none() && m.files.lookup(r"\Windows\System32").is_ok();
        match &self.volume {
            None => {
                let system = evidence.volumes.iter().find(is_system);
                system.or(evidence.volumes.first()).ok_or_else(|| missing("at all"))
            }
            Some(name) => {
                let drive = name.strip_suffix(':').and_then(|d| d.chars().next()).map(|d| d.to_ascii_uppercase());
                let named = |m: &Mounted| m.label.as_deref() == Some(name) || (drive.is_some() && m.letter == drive);
                let fits = |m: &&Mounted| m.snapshot == self.snapshot && named(m);
                let copy = self.snapshot.map(|n| format!("/vss{n}")).unwrap_or_default();
                evidence.volumes.iter().find(fits).ok_or_else(|| missing(&format!("{name}{copy}")))
            }
        }
    }

    /// The entry that is meant.
    ///
    /// # Errors
    /// `NotFound`, or what reading it gives.
    pub fn entry(&self, volume: &Mounted) -> io::Result<FileEntry> {
        match &self.target {
            Target::Path(path) => volume.files.lookup(path),
            Target::Record(reference) => volume.files.entry(*reference),
        }
    }
}

/// The number of a shadow copy at the beginning of a path, and what follows.
fn snapshot(rest: &str) -> Option<(u32, &str)> {
    let (first, rest) = rest.split_once('\\').unwrap_or((rest, ""));
    let (vss, number) = first.split_at_checked(3)?;
    vss.eq_ignore_ascii_case("vss").then(|| number.parse().ok())?.map(|number| (number, rest))
}

fn is_drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 2 && bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.last() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text, &["p1", "p2"]).unwrap()
    }

    #[test]
    fn notations() {
        let path = |p: &str| Target::Path(p.to_owned());
        assert_eq!(address("p1/Windows/x.txt:ads").target, path(r"\Windows\x.txt"));
        assert_eq!(address("p1/Windows/x.txt:ads").stream, "ads");
        assert_eq!(address("p1/Windows").volume.as_deref(), Some("p1"));
        assert_eq!(address(r"C:\Windows").volume.as_deref(), Some("C:"));
        assert_eq!(address(r"C:\Windows").target, path(r"\Windows"));
        assert_eq!(
            address("p3/Windows"),
            Address { volume: None, snapshot: None, target: path(r"\p3\Windows"), stream: String::new() }
        );
        assert_eq!(address("/").target, path(r"\"));
        assert_eq!(address("p2").target, path(r"\"));
        assert_eq!(address("p1/#42-3").target, Target::Record(FileReference { record: 42, sequence: 3 }));
        let copy = address("p1/vss12/Windows/x.txt:ads");
        assert_eq!((copy.snapshot, &copy.target), (Some(12), &path(r"\Windows\x.txt")));
        assert_eq!((address("C:/VSS2").snapshot, address("p1/vss2").target), (Some(2), path(r"\")));
        assert_eq!(address("p1/vss2/#42-3").target, Target::Record(FileReference { record: 42, sequence: 3 }));
        // A folder of that name.
        for text in ["vss2/x", "p1//vss2/x", "p1/vss/x", "p1/vss2x/x", "p1/日本/x"] {
            assert_eq!(address(text).snapshot, None, "{text}");
        }
        assert_eq!(address("p1//vss2/x").target, path(r"\vss2\x"));
        assert!(Address::parse("#x", &[]).is_err());
    }
}
