//! ZIP archives of users: what the central directory says of their members, without unpacking anything.
//!
//! | record | signature | read from it |
//! |---|---|---|
//! | end of central directory | `PK\5\6` | entries in all (10), length (12) and offset (16) of the directory |
//! | directory entry | `PK\1\2` | flags (8, bit 0: encrypted), packed (20) and real size (24), lengths of name (28), extra (30), comment (32), name (46) |
//!
//! Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.12 and 4.3.16.

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::fields::uint_at;
use crate::bytes::{read_up_to, text};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, Value};

static ARCHIVE: Descriptor = Descriptor {
    name: "windows:zip:archive",
    doc: "A ZIP archive with what its directory says of its members. The row stands at the time when the file was made.",
    message: "{path} holds {members} file(s)[, {only_member} alone][, largest {largest_name} of {largest_size} bytes]",
    data_type: None,
    fields: &[
        Field::new("path", Kind::Text, "The archive."),
        Field::new("size", Kind::Number, "Its length in bytes."),
        Field::new("members", Kind::Number, "Files in it; folders are not counted."),
        Field::new("encrypted", Kind::Bool, "At least one member is encrypted."),
        Field::new("names", Kind::List, "Names of the first members."),
        Field::new("only_member", Kind::Text, "Name of the member where there is one alone."),
        Field::new("only_extension", Kind::Text, "Its extension, lower case."),
        Field::new("largest_name", Kind::Text, "Name of the member that is largest when unpacked."),
        Field::new("largest_size", Kind::Number, "Its length when unpacked, as the directory says."),
        Field::new("largest_ratio", Kind::Number, "That length divided by the packed one, rounded down."),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "zip_files",
    doc: "\
The ZIP archives in users' folders, as far as their central directory tells: names, sizes and encryption of the members. Nothing \
is unpacked.

It proves what the archive says of its members: a document of half a gigabyte packed a thousandfold, or one Office file behind a \
password, are how Emotet's mails of 2023 and 2020 to 2022 brought it.

It does not prove that anything was unpacked or opened, and the directory can lie about names and sizes.

It lives as long as the archive.",
    references: &["PKWARE, APPNOTE.TXT - .ZIP File Format Specification, 6.3.10"],
    emits: &[&ARCHIVE],
    reads: Reads::Files { paths: &[r"\Users\**\*.zip"], recognise: |head| head.starts_with(b"PK\x03\x04"), parse },
};

/// The end record and the longest comment after it.
const TAIL: u64 = 22 + 65_535;
/// Most of a directory that is read.
const MAX_DIRECTORY: u64 = 4 << 20;
/// Most members that are named.
const MAX_NAMES: usize = 20;

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let len = input.data.len();
    let read = |offset: u64, len: u64| -> Result<Vec<u8>, ArtifactError> {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let n = read_up_to(input.data, offset, &mut bytes).map_err(|source| ArtifactError::Read { offset, source })?;
        bytes.truncate(n);
        Ok(bytes)
    };
    if !read(0, 2)?.starts_with(b"PK") {
        return Ok(Completion::NotThisFormat);
    }
    let tail_at = len.saturating_sub(TAIL);
    let tail = read(tail_at, len.saturating_sub(tail_at))?;
    let Some(end) = (0..tail.len()).rev().find_map(|at| tail.get(at..).filter(|t| t.starts_with(b"PK\x05\x06"))) else {
        out.issue(None, Loss::Whole, "the archive has no end record: it is cut off, or no archive");
        return Ok(Completion::Truncated { at: len });
    };
    let (size, offset) = (uint_at(end, 12, 4).unwrap_or(0), uint_at(end, 16, 4).unwrap_or(0));
    let directory = read(offset, size.min(MAX_DIRECTORY))?;
    let members = members(&directory);
    let largest = members.iter().max_by_key(|m| m.size);
    let only = members.first().filter(|_| members.len() == 1);
    let names: Vec<Value> = members.iter().take(MAX_NAMES).map(|m| Value::from(m.name.as_str())).collect();
    let extension = only.and_then(|m| m.name.rsplit_once('.')).map(|(_, e)| e.to_lowercase());
    out.give(
        Record::new(&ARCHIVE)
            .time(Meaning::CREATED, input.entry.and_then(super::file_times::named))
            .set("path", input.locator.path.as_str())
            .set("size", len)
            .set("members", members.len() as u64)
            .set("encrypted", members.iter().any(|m| m.encrypted))
            .set("names", Value::List(names))
            .set_some("only_member", only.map(|m| m.name.as_str()))
            .set_some("only_extension", extension)
            .set_some("largest_name", largest.map(|m| m.name.as_str()))
            .set_some("largest_size", largest.map(|m| m.size))
            .set_some("largest_ratio", largest.and_then(|m| m.size.checked_div(m.packed))),
    );
    if size > MAX_DIRECTORY || (directory.len() as u64) < size.min(MAX_DIRECTORY) {
        out.issue(Some(offset), Loss::Rest, "the archive's directory was read in part");
    }
    Ok(Completion::Complete)
}

struct Member {
    name: String,
    encrypted: bool,
    packed: u64,
    size: u64,
}

/// The files of a directory, as far as it is whole.
fn members(directory: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let mut at = 0usize;
    while let Some(entry) = directory.get(at..).filter(|e| e.starts_with(b"PK\x01\x02")) {
        let field = |offset: usize, len: usize| uint_at(entry, offset, len);
        let (Some(flags), Some(packed), Some(size)) = (field(8, 2), field(20, 4), field(24, 4)) else { break };
        let lengths = [field(28, 2), field(30, 2), field(32, 2)];
        let [name, extra, comment] = lengths.map(|l| usize::try_from(l.unwrap_or(0)).unwrap_or(0));
        let Some(raw) = entry.get(46..46usize.saturating_add(name)) else { break };
        let name_text = match std::str::from_utf8(raw) {
            Ok(name) => name.to_owned(),
            Err(_) => text::from_ansi(raw),
        };
        if !name_text.ends_with('/') {
            members.push(Member { name: name_text, encrypted: flags & 1 == 1, packed, size });
        }
        at = [46, name, extra, comment].iter().fold(at, |sum, part| sum.saturating_add(*part));
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, flags: u16, packed: u32, size: u32) -> Vec<u8> {
        let mut e = vec![0; 46];
        e[..4].copy_from_slice(b"PK\x01\x02");
        e[8..10].copy_from_slice(&flags.to_le_bytes());
        e[20..24].copy_from_slice(&packed.to_le_bytes());
        e[24..28].copy_from_slice(&size.to_le_bytes());
        e[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
        e.extend_from_slice(name.as_bytes());
        e
    }

    #[test]
    fn directories() {
        let whole = [entry("a/", 0, 0, 0), entry("a/b.doc", 1, 600_000, 550_000_000)].concat();
        let found = members(&whole);
        assert_eq!(found.len(), 1, "folders are no members");
        assert!(found[0].encrypted && found[0].name == "a/b.doc");
        assert_eq!(found[0].size / found[0].packed, 916);
        for cut in 0..whole.len() {
            assert!(members(&whole[..cut]).len() <= 1);
        }
    }
}
