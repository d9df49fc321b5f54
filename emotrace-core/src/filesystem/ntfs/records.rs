//! From MFT records to entries: a base record joined with its extension records.

use std::io;
use std::sync::Arc;

use super::reader::{AttributeReader, Sizes};
use super::{FileSystemIssue, NtfsVolume};
use crate::bytes::{FormatError, read_exact_at, read_up_to};
use crate::formats::fixup;
use crate::formats::mft::{
    self, ATTRIBUTE_COMPRESSION_MASK, ATTRIBUTE_ENCRYPTED, ATTRIBUTE_SPARSE, Attribute, AttributeListEntry, Body,
    FileNameAttribute, NonResident, Record, RecordHeader, ReparsePoint, attribute_type,
};
use crate::formats::security_descriptor::SecurityDescriptor;
use crate::formats::wof;
use crate::model::{FileEntry, FileName, FileReference, Loss, Namespace, Recoverability, StreamFacts};

/// Largest attribute list that is read. Windows stops at 256 KiB.
const MAX_LIST: u64 = 1 << 20;
/// Largest reparse point that is read. Windows stops at 16 KiB.
const MAX_REPARSE: u64 = 64 << 10;
/// Largest security descriptor that is read. Windows stops at 64 KiB.
const MAX_DESCRIPTOR: u64 = 64 << 10;
/// After so many extension records that are not the base's, the rest of a list is not followed.
const MAX_STRANGERS: usize = 64;
/// Records whose copies lie in `$MFTMirr`.
const MIRRORED: u64 = 4;
/// The only way to compress that NTFS has: LZNT1.
const METHOD_LZNT1: u16 = 1;

/// Takes what could not be read.
pub(super) type Issues<'a> = &'a mut dyn FnMut(FileSystemIssue);

/// An issue about a part of one record.
pub(super) fn issue_of(record: u64, error: &FormatError) -> FileSystemIssue {
    FileSystemIssue { record: Some(record), offset: Some(error.offset()), loss: Loss::Record, error: error.to_string() }
}

/// What is known of a file so far: paths are not resolved yet.
pub(super) struct Draft {
    pub(super) entry: FileEntry,
    pub(super) header: RecordHeader,
    streams: Vec<StreamDraft>,
    /// True if the record has no attribute at all: it was formatted and never used.
    pub(super) blank: bool,
}

struct StreamDraft {
    facts: StreamFacts,
    /// First and last + 1 virtual cluster of each extent, as its runs say.
    covered: Vec<(u64, u64)>,
    /// Virtual clusters of all extents, if the first one was seen.
    clusters: Option<u64>,
    /// Clusters of all runs that are no holes.
    held: u64,
    /// First cluster and number of each run of a deleted file.
    runs: Vec<(u64, u64)>,
    offset: u64,
}

impl NtfsVolume {
    /// The record's bytes as they lie on disk, or its copy in `$MFTMirr` where the record is damaged and there is a whole copy.
    /// The answer tells whether the copy was taken.
    pub(super) fn read_record(&self, number: u64, buf: &mut [u8]) -> io::Result<bool> {
        let offset = number.checked_mul(self.record_size()).ok_or(io::ErrorKind::NotFound)?;
        if number >= self.records {
            return Err(io::ErrorKind::NotFound.into());
        }
        let result = read_exact_at(&self.mft, offset, buf);
        if result.is_ok() && (number >= MIRRORED || is_whole(buf)) {
            return Ok(false);
        }
        if self.read_mirror(number, buf) { Ok(true) } else { result.map(|()| false) }
    }

    /// Replaces a damaged record by its copy in `$MFTMirr`, if there is a whole one.
    pub(super) fn read_mirror(&self, number: u64, buf: &mut [u8]) -> bool {
        number < MIRRORED && read_mirror(&*self.source, &self.boot, number, buf)
    }

    pub(super) fn record_size(&self) -> u64 {
        self.boot.record_size.into()
    }

    pub(super) fn record_buffer(&self) -> Vec<u8> {
        vec![0; usize::try_from(self.boot.record_size).unwrap_or_default()]
    }

    fn cluster_size(&self) -> u64 {
        self.boot.cluster_size.into()
    }

    /// Clusters that the evidence has room for, whatever the boot sector says.
    fn clusters_held(&self) -> u64 {
        self.source.len().div_ceil(self.cluster_size().max(1))
    }

    /// Joins a base record with its extension records. An extension record that has no base is read as a base of its own.
    pub(super) fn draft(&self, number: u64, record: &Record<'_>, issue: Issues<'_>) -> Draft {
        let header = record.header;
        let entry = FileEntry {
            reference: Some(FileReference { record: number, sequence: header.sequence }),
            offset: Some(record.offset()),
            deleted: !header.in_use(),
            directory: header.is_directory(),
            lsn: Some(header.lsn).filter(|lsn| *lsn != 0),
            bad_fixup: header.bad_fixup,
            ..FileEntry::default()
        };
        let mut draft = Draft { entry, header, streams: Vec::new(), blank: true };
        if header.bad_fixup {
            issue(FileSystemIssue {
                record: Some(number),
                offset: Some(record.offset()),
                loss: Loss::None,
                error: "the update sequence of the record does not fit: it was torn when written, or damaged".into(),
            });
        }
        let list = self.add_record(&mut draft, number, record, issue);
        if let Some(list) = list {
            let list = self.attribute_list(number, &list, issue);
            let mut add = |number: u64, record: &Record<'_>, issue: Issues<'_>| {
                draft.entry.bad_fixup |= record.header.bad_fixup;
                self.add_record(&mut draft, number, record, issue);
            };
            self.each_extension(number, &header, &list, issue, &mut add);
        }
        self.finish(&mut draft, number, issue);
        draft
    }

    /// Takes what a record holds; gives back its attribute list.
    fn add_record<'r>(
        &self,
        draft: &mut Draft,
        number: u64,
        record: &Record<'r>,
        issue: Issues<'_>,
    ) -> Option<Attribute<'r>> {
        let mut list = None;
        for attribute in record.attributes() {
            draft.blank = false;
            let result = attribute.and_then(|attribute| {
                if attribute.type_code == attribute_type::ATTRIBUTE_LIST {
                    list = Some(attribute);
                    return Ok(());
                }
                self.add_attribute(draft, number, &attribute, issue)
            });
            if let Err(error) = result {
                issue(issue_of(number, &error));
            }
        }
        list
    }

    fn add_attribute(
        &self,
        draft: &mut Draft,
        number: u64,
        attribute: &Attribute<'_>,
        issue: Issues<'_>,
    ) -> Result<(), FormatError> {
        match (attribute.type_code, attribute.body) {
            (attribute_type::STANDARD_INFORMATION, Body::Resident { value, offset }) => {
                let information = mft::standard_information(value, offset)?;
                draft.entry.standard_information.get_or_insert(information);
            }
            (attribute_type::FILE_NAME, Body::Resident { value, offset }) => {
                let name = FileNameAttribute::parse(value, offset)?;
                draft.entry.names.push(FileName {
                    name: name.name(),
                    path: String::new(),
                    parent: name.parent,
                    namespace: name.namespace,
                    times: name.times,
                    orphan: false,
                });
            }
            (attribute_type::DATA, body) => {
                let name = attribute.name();
                match body {
                    Body::Resident { value, .. } => draft.add_resident(name, attribute, value.len() as u64),
                    Body::NonResident(part) => self.add_extent(draft, number, name, attribute, &part, issue),
                }
            }
            (attribute_type::REPARSE_POINT, body) => {
                let value = match body {
                    Body::Resident { value, .. } => value.to_vec(),
                    Body::NonResident(part) => {
                        let Some(value) = self.whole_value(number, &part, MAX_REPARSE, attribute, issue) else {
                            return Ok(());
                        };
                        value
                    }
                };
                let point = ReparsePoint::parse(&value, attribute.offset)?;
                draft.entry.reparse_tag = Some(point.tag);
                draft.entry.reparse_target = point.target();
            }
            (attribute_type::SECURITY_DESCRIPTOR, body) => {
                let (value, offset) = match body {
                    Body::Resident { value, offset } => (value.to_vec(), offset),
                    Body::NonResident(part) => {
                        let Some(value) = self.whole_value(number, &part, MAX_DESCRIPTOR, attribute, issue) else {
                            return Ok(());
                        };
                        (value, attribute.offset)
                    }
                };
                draft.entry.owner = SecurityDescriptor::parse(&value, offset)?.owner;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes one extent of a stream. Its runs are checked, not kept.
    fn add_extent(
        &self,
        draft: &mut Draft,
        number: u64,
        name: String,
        attribute: &Attribute<'_>,
        part: &NonResident<'_>,
        issue: Issues<'_>,
    ) {
        let (mut end, mut outside, mut held) = (part.lowest_vcn, None, 0u64);
        let deleted = draft.entry.deleted;
        let mut runs = Vec::new();
        let clusters = self.clusters().unwrap_or(u64::MAX);
        let result = part.each_run(&mut |run| {
            end = run.vcn.saturating_add(run.clusters);
            let lcn = run.lcn.map(|lcn| lcn.saturating_add(run.clusters));
            outside = outside.or(lcn.filter(|end| *end > clusters));
            held = held.saturating_add(run.lcn.map_or(0, |_| run.clusters));
            if deleted {
                runs.extend(run.lcn.map(|lcn| (lcn, run.clusters)));
            }
        });
        if let Err(error) = result {
            issue(issue_of(number, &error));
        }
        if let Some(value) = outside {
            let problem = "behind the volume's last cluster; that part of the file can't be read";
            let what = "end of a run";
            issue(issue_of(number, &FormatError::Value { what, offset: part.offset, value, problem }));
        }
        let stream = draft.stream(name, attribute.offset);
        stream.covered.push((part.lowest_vcn, end));
        stream.held = stream.held.saturating_add(held);
        stream.runs.append(&mut runs);
        if part.lowest_vcn == 0 && stream.clusters.is_none() {
            let clusters = part.allocated.div_ceil(self.cluster_size().max(1));
            stream.clusters = Some(if self.cluster_size() == 0 { end } else { clusters });
            let name = std::mem::take(&mut stream.facts.name);
            stream.facts = StreamFacts {
                name,
                size: part.size,
                allocated: part.on_disk.unwrap_or(part.allocated),
                initialized: part.initialized,
                resident: false,
                ..facts_of_flags(attribute.flags)
            };
        }
    }

    /// Checks that each stream has all its extents, and sorts names and streams.
    fn finish(&self, draft: &mut Draft, number: u64, issue: Issues<'_>) {
        for stream in &mut draft.streams {
            let most = self.clusters_held();
            // Where only `$MFT` is at hand there are no clusters to count.
            if stream.held > most && !self.is_table() {
                issue(FileSystemIssue {
                    record: Some(number),
                    offset: Some(stream.offset),
                    loss: Loss::Rest,
                    error: format!(
                        "the stream `{}` names {} clusters, but the evidence has {most}; what lies behind is not read",
                        stream.facts.name, stream.held
                    ),
                });
            }
            stream.covered.sort_unstable();
            let mut at = 0u64;
            let mut gap = None;
            for (lowest, end) in &stream.covered {
                if *lowest > at {
                    gap = gap.or(Some((at, *lowest)));
                }
                at = at.max(*end);
            }
            let clusters = match stream.clusters {
                Some(clusters) => clusters,
                None if stream.facts.resident => 0,
                None => {
                    // Without the first extent only the least length is known.
                    stream.facts.size = at.saturating_mul(self.cluster_size());
                    at
                }
            };
            if at < clusters {
                gap = gap.or(Some((at, clusters)));
            }
            if draft.entry.deleted {
                stream.facts.recoverable = Some(match gap {
                    _ if stream.facts.resident => Recoverability::Resident,
                    // Windows may empty the list of runs when it deletes a file: then nothing is known of its clusters.
                    None if !stream.runs.is_empty() || at > 0 => self.recoverability(&stream.runs),
                    _ => Recoverability::Unknown,
                });
            }
            if let Some((from, to)) = gap {
                issue(FileSystemIssue {
                    record: Some(number),
                    offset: Some(stream.offset),
                    loss: Loss::Record,
                    error: format!(
                        "no record tells where clusters {from} to {} of the stream `{}` lie; they read as zeros",
                        to.saturating_sub(1),
                        stream.facts.name
                    ),
                });
            }
        }
        let entry = &mut draft.entry;
        if entry.owner.is_none() {
            let id = entry.standard_information.and_then(|information| information.security_id);
            entry.owner = id.and_then(|id| self.owner(id)).map(str::to_owned);
        }
        entry.streams = draft.streams.drain(..).map(|stream| stream.facts).collect();
        if entry.reparse_tag == Some(wof::REPARSE_TAG) {
            // The content lies in another stream; the main one is a hole.
            let grade = entry.stream(wof::STREAM).and_then(|packed| packed.recoverable);
            entry.streams.iter_mut().filter(|main| main.name.is_empty()).for_each(|main| main.recoverable = grade);
        }
        entry.streams.sort_by_key(|stream| !stream.name.is_empty());
        entry.names.sort_by_key(|name| name.namespace == Namespace::Dos);
    }

    /// The entries of an attribute list.
    fn attribute_list(&self, number: u64, list: &Attribute<'_>, issue: Issues<'_>) -> Vec<AttributeListEntry> {
        let (entries, fault) = match list.body {
            Body::Resident { value, offset } => mft::attribute_list(value, offset),
            Body::NonResident(_) if self.is_table() => (self.extensions_by_base(number), None),
            Body::NonResident(part) => {
                let value = self.whole_value(number, &part, MAX_LIST, list, issue).unwrap_or_default();
                let (entries, fault) = mft::attribute_list(&value, 0);
                // The list lies in clusters of its own: its attribute is the place that can be named in `$MFT`.
                let problem = fault.map(|fault| FormatError::Other {
                    what: "$ATTRIBUTE_LIST",
                    offset: list.offset,
                    problem: fault.to_string(),
                });
                (entries, problem)
            }
        };
        if let Some(fault) = fault {
            issue(issue_of(number, &fault));
        }
        entries
    }

    /// The value of a small attribute that lies in clusters, as far as it can be read. `None` if no cluster is at hand.
    fn whole_value(
        &self,
        number: u64,
        part: &NonResident<'_>,
        limit: u64,
        attribute: &Attribute<'_>,
        issue: Issues<'_>,
    ) -> Option<Vec<u8>> {
        if self.is_table() {
            // It was not collected; that is no damage.
            let problem = "it lies in clusters of the volume, of which only $MFT is at hand".into();
            let error = FormatError::Other { what: "attribute", offset: attribute.offset, problem };
            issue(FileSystemIssue { loss: Loss::None, ..issue_of(number, &error) });
            return None;
        }
        let (value, fault) = read_small(&self.source, self.cluster_size(), part, limit, attribute.offset);
        if let Some(fault) = fault {
            issue(issue_of(number, &fault));
        }
        Some(value)
    }

    /// Reads the extension records that a list names, each once.
    fn each_extension(
        &self,
        base: u64,
        header: &RecordHeader,
        list: &[AttributeListEntry],
        issue: Issues<'_>,
        give: &mut dyn FnMut(u64, &Record<'_>, Issues<'_>),
    ) {
        let mut references: Vec<_> = list.iter().map(|e| e.reference).filter(|r| r.record != base).collect();
        references.sort_unstable();
        references.dedup();
        let mut buf = self.record_buffer();
        let mut strangers = 0usize;
        for reference in references {
            let number = reference.record;
            let offset = number.saturating_mul(self.record_size());
            let record = match self.read_record(number, &mut buf) {
                Ok(_) => Record::parse(&mut buf, offset).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let problem = match record {
                Ok(record) if belongs(base, header, reference, &record.header) => {
                    give(number, &record, issue);
                    continue;
                }
                Ok(_) => "it belongs to another file now".to_owned(),
                Err(error) => error,
            };
            issue(FileSystemIssue {
                record: Some(base),
                // A record that the table does not have lies nowhere.
                offset: (number < self.records).then_some(offset),
                loss: Loss::Record,
                error: format!("the attributes of record {base} in extension record {reference} are lost: {problem}"),
            });
            strangers = strangers.saturating_add(1);
            if strangers >= MAX_STRANGERS {
                break;
            }
        }
    }

    /// The extension records that a base record names, if it is one and can be read.
    pub(super) fn extensions_of(&self, number: u64) -> Option<Claims> {
        let mut buf = self.record_buffer();
        self.read_record(number, &mut buf).ok()?;
        let record = Record::parse(&mut buf, 0).ok()?;
        let mut attributes = record.attributes().flatten();
        let list = attributes.find(|a| a.type_code == attribute_type::ATTRIBUTE_LIST)?;
        let entries = self.attribute_list(number, &list, &mut |_| ());
        let references = entries.into_iter().map(|entry| entry.reference).collect();
        Some(Claims { number, header: record.header, references })
    }

    /// Puts one attribute together from all its extents.
    ///
    /// # Errors
    /// `NotFound` if the file has no such attribute, `Unsupported` if it is encrypted, or a read error.
    pub(super) fn attribute(
        &self,
        reference: FileReference,
        type_code: u32,
        name: &str,
    ) -> io::Result<AttributeReader> {
        let mut buf = self.record_buffer();
        let record = self.record(reference, &mut buf)?;
        let mut parts = Parts { volume: self, record: reference.record, type_code, name, found: Vec::new() };
        let list = parts.add(&record);
        if let Some(list) = list {
            let list = self.attribute_list(reference.record, &list, &mut |_| ());
            self.each_extension(reference.record, &record.header, &list, &mut |_| (), &mut |_, record, _| {
                parts.add(record);
            });
        }
        parts.reader()
    }

    /// The record of a reference, its sequence number checked: the record's own, or, for a record that was freed since and not
    /// used again, the one that the file had.
    pub(super) fn record<'b>(&self, reference: FileReference, buf: &'b mut [u8]) -> io::Result<Record<'b>> {
        let number = reference.record;
        self.read_record(number, buf)?;
        let offset = number.saturating_mul(self.record_size());
        let record = Record::parse(buf, offset).map_err(|e| io::Error::new(io::ErrorKind::NotFound, e))?;
        let header = &record.header;
        let freed = !header.in_use() && next_sequence(reference.sequence) == header.sequence;
        if reference.sequence != 0 && reference.sequence != header.sequence && !freed {
            let text = format!("record {number} is used by another file: {reference} is asked for");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(record)
    }
}

/// What a base record says of its extension records.
pub(super) struct Claims {
    number: u64,
    header: RecordHeader,
    references: Vec<FileReference>,
}

impl Claims {
    /// True if this extension record belongs to the base.
    pub(super) fn hold(&self, number: u64, header: &RecordHeader) -> bool {
        let mut references = self.references.iter().filter(|r| r.record == number);
        references.any(|reference| belongs(self.number, &self.header, *reference, header))
    }
}

/// True if an extension record still belongs to a base record. Both sequence numbers grow when the records are freed; the
/// numbers by which they name each other stay.
fn belongs(base: u64, header: &RecordHeader, listed: FileReference, extension: &RecordHeader) -> bool {
    let fits = |named: u16, header: &RecordHeader| {
        named == header.sequence || (!header.in_use() && next_sequence(named) == header.sequence)
    };
    !header.is_extension()
        && extension.base.record == base
        && fits(extension.base.sequence, header)
        && fits(listed.sequence, extension)
}

/// The sequence number that a record gets when it is freed; 0 is left out.
pub(super) const fn next_sequence(sequence: u16) -> u16 {
    match sequence.wrapping_add(1) {
        0 => 1,
        next => next,
    }
}

/// A record that can be believed.
pub(super) fn is_whole(record: &[u8]) -> bool {
    record.starts_with(b"FILE") && fixup::is_whole(record)
}

pub(super) fn read_mirror(
    source: &dyn crate::bytes::ReadAt,
    boot: &crate::formats::ntfs_boot::BootSector,
    number: u64,
    buf: &mut [u8],
) -> bool {
    let start = boot.mirror_cluster.saturating_mul(boot.cluster_size.into());
    let offset = start.saturating_add(number.saturating_mul(boot.record_size.into()));
    let mut copy = vec![0; buf.len()];
    let good = read_exact_at(source, offset, &mut copy).is_ok() && is_whole(&copy);
    if good {
        buf.copy_from_slice(&copy);
    }
    good
}

/// The value of an attribute in clusters that is read as a whole, and what was wrong.
pub(super) fn read_small(
    source: &Arc<dyn crate::bytes::ReadAt>,
    cluster_size: u64,
    part: &NonResident<'_>,
    limit: u64,
    offset: u64,
) -> (Vec<u8>, Option<FormatError>) {
    let (runs, mut fault) = part.runs();
    let sizes = Sizes { allocated: part.allocated, size: part.size, initialized: part.initialized, unit_clusters: 0 };
    let reader = AttributeReader::clusters(Arc::clone(source), cluster_size, runs, sizes);
    let mut len = crate::bytes::ReadAt::len(&reader);
    if len > limit {
        fault = Some(FormatError::Limit { what: "size of an attribute", offset, value: len, limit });
        len = limit;
    }
    let mut value = vec![0; usize::try_from(len).unwrap_or_default()];
    let got = match read_up_to(&reader, 0, &mut value) {
        Ok(got) => got,
        Err(error) => {
            fault = Some(FormatError::Other { what: "attribute in clusters", offset, problem: error.to_string() });
            0
        }
    };
    value.truncate(got);
    if fault.is_none() && reader.gaps().next().is_some() {
        let problem = "a part of it lies nobody knows where".into();
        fault = Some(FormatError::Other { what: "attribute in clusters", offset, problem });
    }
    (value, fault)
}

fn facts_of_flags(flags: u16) -> StreamFacts {
    StreamFacts {
        compressed: flags & ATTRIBUTE_COMPRESSION_MASK != 0,
        sparse: flags & ATTRIBUTE_SPARSE != 0,
        encrypted: flags & ATTRIBUTE_ENCRYPTED != 0,
        ..StreamFacts::default()
    }
}

impl Draft {
    fn stream(&mut self, name: String, offset: u64) -> &mut StreamDraft {
        let place = self.streams.iter().position(|stream| stream.facts.name == name);
        let place = place.unwrap_or_else(|| {
            let facts = StreamFacts { name, ..StreamFacts::default() };
            self.streams.push(StreamDraft {
                facts,
                covered: Vec::new(),
                clusters: None,
                held: 0,
                runs: Vec::new(),
                offset,
            });
            self.streams.len().saturating_sub(1)
        });
        // The place was just found or made.
        #[allow(clippy::indexing_slicing)]
        &mut self.streams[place]
    }

    fn add_resident(&mut self, name: String, attribute: &Attribute<'_>, size: u64) {
        let stream = self.stream(name, attribute.offset);
        if stream.clusters.is_none() && !stream.facts.resident {
            let name = std::mem::take(&mut stream.facts.name);
            stream.facts =
                StreamFacts { name, size, initialized: size, resident: true, ..facts_of_flags(attribute.flags) };
        }
    }
}

/// Runs up to as many clusters as the evidence has: a stream can't hold more, and a few bytes of runs would else ask for
/// the same clusters again and again, or for exabytes behind the evidence's end.
pub(super) fn fitting(mut runs: Vec<mft::Run>, clusters: u64) -> Vec<mft::Run> {
    runs.sort_by_key(|run| run.vcn);
    let mut left = clusters;
    runs.retain_mut(|run| {
        if run.lcn.is_none() {
            return true;
        }
        run.clusters = run.clusters.min(left);
        left = left.saturating_sub(run.clusters);
        run.clusters > 0
    });
    runs
}

/// The extents of one attribute, gathered from the records of a file.
struct Parts<'v> {
    volume: &'v NtfsVolume,
    record: u64,
    type_code: u32,
    name: &'v str,
    found: Vec<Part>,
}

/// What was gathered of one name.
struct Part {
    name: String,
    flags: u16,
    resident: Option<Vec<u8>>,
    runs: Vec<mft::Run>,
    first: Option<(Sizes, u8)>,
}

impl Parts<'_> {
    /// Takes what a record holds of the attribute; gives back its attribute list.
    fn add<'r>(&mut self, record: &Record<'r>) -> Option<Attribute<'r>> {
        let mut list = None;
        for attribute in record.attributes().flatten() {
            if attribute.type_code == attribute_type::ATTRIBUTE_LIST {
                list = Some(attribute);
            }
            if attribute.type_code != self.type_code {
                continue;
            }
            let name = attribute.name();
            // The empty name equals no other; `$UpCase` itself is read by it, when there is no table yet.
            let may_equal = !name.is_empty() && !self.name.is_empty();
            if name != self.name && !(may_equal && self.volume.upcase().equal(&name, self.name)) {
                continue;
            }
            let part = match self.found.iter_mut().find(|part| part.name == name) {
                Some(part) => part,
                None => {
                    let flags = attribute.flags;
                    self.found.push(Part { name, flags, resident: None, runs: Vec::new(), first: None });
                    match self.found.last_mut() {
                        Some(part) => part,
                        None => continue,
                    }
                }
            };
            match attribute.body {
                Body::Resident { value, .. } => {
                    part.resident.get_or_insert_with(|| value.to_vec());
                }
                Body::NonResident(extent) => {
                    part.runs.append(&mut extent.runs().0);
                    if extent.lowest_vcn == 0 && part.first.is_none() {
                        part.flags = attribute.flags;
                        let NonResident { allocated, size, initialized, compression_unit, .. } = extent;
                        let sizes = Sizes { allocated, size, initialized, unit_clusters: 0 };
                        part.first = Some((sizes, compression_unit));
                    }
                }
            }
        }
        list
    }

    fn reader(mut self) -> io::Result<AttributeReader> {
        // Two streams may differ in case only; the name as given comes first.
        let place = self.found.iter().position(|part| part.name == self.name).unwrap_or(0);
        if place >= self.found.len() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no stream `{}`", self.name)));
        }
        let part = self.found.swap_remove(place);
        let unsupported = |text: String| Err(io::Error::new(io::ErrorKind::Unsupported, text));
        if part.flags & ATTRIBUTE_ENCRYPTED != 0 {
            return unsupported("the stream is encrypted (EFS)".into());
        }
        if let Some(value) = part.resident {
            return Ok(AttributeReader::resident(&value));
        }
        if self.volume.is_table() {
            return self.volume.beside(self.record, &part.name);
        }
        let cluster_size = self.volume.cluster_size();
        let ends = part.runs.iter().map(|run| run.vcn.saturating_add(run.clusters));
        let known = ends.max().unwrap_or(0).saturating_mul(cluster_size);
        let whole = Sizes { allocated: known, size: known, initialized: known, unit_clusters: 0 };
        let (mut sizes, unit) = part.first.unwrap_or((whole, 0));
        let runs = fitting(part.runs, self.volume.clusters_held());
        let method = part.flags & ATTRIBUTE_COMPRESSION_MASK;
        if method == 0 && part.flags & ATTRIBUTE_SPARSE == 0 {
            // A stream without holes is no longer than the volume, whatever its record says.
            sizes.allocated = sizes.allocated.min(self.volume.boot.size());
        }
        if method != 0 {
            let unit_clusters = 1u64.checked_shl(unit.into()).filter(|n| *n > 1).unwrap_or(0);
            let fits = AttributeReader::unit_fits(unit_clusters, cluster_size);
            if method != METHOD_LZNT1 || !fits {
                return unsupported(format!(
                    "the stream is compressed by method {method} in units of 2^{unit} clusters"
                ));
            }
            sizes.unit_clusters = unit_clusters;
        }
        Ok(AttributeReader::clusters(Arc::clone(&self.volume.source), cluster_size, runs, sizes))
    }
}
