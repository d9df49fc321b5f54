//! Opening a volume: the boot sector or its copy, `$MFT` or its mirror, and all extents of `$MFT`.

use std::io;
use std::sync::{Arc, OnceLock};

use super::paths::Paths;
use super::reader::{AttributeReader, Place, Sizes};
use super::records::{fitting, is_whole, issue_of, read_mirror, read_small};
use super::{FileSystemFacts, FileSystemIssue, NtfsVolume};
use crate::bytes::{FormatError, ReadAt, read_exact_at, read_up_to, text};
use crate::formats::mft::{self, Attribute, Body, NonResident, Record, Run, VolumeInformation, attribute_type};
use crate::formats::ntfs_boot::{BOOT_SECTOR_LEN, BootSector};
use crate::model::{FileReference, Loss};

/// Record of `$Volume`.
const VOLUME: FileReference = FileReference { record: 3, sequence: 0 };
/// NTFS can't hold more files.
const MAX_RECORDS: u64 = 1 << 32;
/// Largest attribute list of `$MFT` that is read.
const MAX_LIST: u64 = 1 << 20;

/// Why a volume can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NtfsError {
    /// Neither the boot sector nor its copy, or neither `$MFT` nor its mirror, is what NTFS asks for.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The evidence can't be read there.
    #[error("{source} at offset {offset:#x} of the volume")]
    Read {
        /// Where on the volume.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

impl NtfsVolume {
    /// Opens the volume that begins at the source's first byte. What was damaged but could be got round is listed in
    /// [`super::FileSystem::issues`].
    ///
    /// # Errors
    /// If no boot sector or no record of `$MFT` can be found.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self, NtfsError> {
        let mut issues = Vec::new();
        let (boot, mut record) = boot_and_mft(&source, &mut issues)?;
        let record = Record::parse(&mut record, 0)?;
        let formatted = record.attributes().flatten().find_map(|attribute| match attribute.body {
            Body::Resident { value, offset } if attribute.type_code == attribute_type::STANDARD_INFORMATION => {
                mft::standard_information(value, offset).ok()?.times.created
            }
            _ => None,
        });
        let mft = open_mft(&source, &boot, &record, &mut issues)?;
        let records = count_records(&mft, &boot, source.len(), &mut issues);
        let facts = FileSystemFacts {
            kind: "NTFS".into(),
            serial: Some(boot.serial),
            cluster_size: Some(boot.cluster_size),
            size: Some(boot.size()),
            formatted,
            records: Some(records),
            ..FileSystemFacts::default()
        };
        let mut volume = Self {
            source,
            boot,
            mft,
            records,
            facts,
            issues,
            paths: Paths::default(),
            upcase: OnceLock::new(),
            owners: OnceLock::new(),
            bitmap: OnceLock::new(),
            records_in_use: OnceLock::new(),
            table: None,
        };
        volume.read_volume_record();
        Ok(volume)
    }

    /// Version, state, label and object id, from `$Volume`.
    pub(super) fn read_volume_record(&mut self) {
        let mut buf = self.record_buffer();
        let record = match self.record(VOLUME, &mut buf) {
            Ok(record) => record,
            Err(error) => {
                let offset = Some(VOLUME.record.saturating_mul(self.record_size()));
                let error = format!("$Volume can't be read: {error}");
                self.issues.push(FileSystemIssue { record: Some(VOLUME.record), offset, loss: Loss::Record, error });
                return;
            }
        };
        for attribute in record.attributes().flatten() {
            match (attribute.type_code, attribute.body) {
                (attribute_type::VOLUME_INFORMATION, Body::Resident { value, offset }) => {
                    match VolumeInformation::parse(value, offset) {
                        Ok(version) => {
                            self.facts.kind = format!("NTFS {}.{}", version.major, version.minor);
                            self.facts.dirty = Some(version.is_dirty());
                        }
                        Err(error) => self.issues.push(issue_of(VOLUME.record, &error)),
                    }
                }
                (attribute_type::OBJECT_ID, Body::Resident { value, .. }) => {
                    self.facts.object_id = value.first_chunk::<16>().map(text::guid);
                }
                (attribute_type::VOLUME_NAME, Body::Resident { value, .. }) if !value.is_empty() => {
                    self.facts.label = Some(text::from_utf16le(value));
                }
                _ => {}
            }
        }
    }
}

/// The boot sector, or its copy, that leads to a record of `$MFT`; and that record's bytes.
fn boot_and_mft(
    source: &Arc<dyn ReadAt>,
    issues: &mut Vec<FileSystemIssue>,
) -> Result<(BootSector, Vec<u8>), NtfsError> {
    let len = source.len();
    // The copy lies in the volume's last sector; NT 3.51 and before kept it in the middle.
    let copies = [len.saturating_sub(512), len.saturating_sub(4096), (len / 2) & !511];
    let mut first_error = None;
    for offset in [0].into_iter().chain(copies) {
        let result = read_boot(&**source, offset).and_then(|boot| {
            let (record, mirrored) = first_record(&**source, &boot)?;
            Ok((boot, record, mirrored))
        });
        match result {
            Ok((boot, record, mirrored)) => {
                if let Some(error) = first_error {
                    let error = format!("{error}; the copy of the boot sector at {offset:#x} is used");
                    issues.push(FileSystemIssue { record: None, offset: Some(0), loss: Loss::None, error });
                }
                if mirrored {
                    let error = "record 0 of $MFT is damaged; its copy in $MFTMirr is used".into();
                    issues.push(FileSystemIssue { record: Some(0), offset: Some(0), loss: Loss::None, error });
                }
                return Ok((boot, record));
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    // The list of places is never empty, so there is an error.
    Err(first_error.unwrap_or(NtfsError::Read { offset: 0, source: io::ErrorKind::NotFound.into() }))
}

fn read_boot(source: &dyn ReadAt, offset: u64) -> Result<BootSector, NtfsError> {
    let mut sector = [0; BOOT_SECTOR_LEN];
    let got = read_up_to(source, offset, &mut sector).map_err(|source| NtfsError::Read { offset, source })?;
    Ok(BootSector::parse(sector.get(..got).unwrap_or_default(), offset)?)
}

/// Record 0, from `$MFT` or from its mirror; the second value tells which.
fn first_record(source: &dyn ReadAt, boot: &BootSector) -> Result<(Vec<u8>, bool), NtfsError> {
    let offset = boot.mft_cluster.saturating_mul(boot.cluster_size.into());
    let mut record = vec![0; usize::try_from(boot.record_size).unwrap_or_default()];
    let result = read_exact_at(source, offset, &mut record);
    if result.is_ok() && is_whole(&record) {
        return Ok((record, false));
    }
    if read_mirror(source, boot, 0, &mut record) {
        return Ok((record, true));
    }
    result.map_err(|source| NtfsError::Read { offset, source })?;
    if record.starts_with(b"FILE") || record.starts_with(b"BAAD") {
        return Ok((record, false));
    }
    Err(NtfsError::Format(FormatError::Signature {
        what: "$MFT",
        offset,
        expected: b"FILE".to_vec(),
        actual: record.get(..4).unwrap_or_default().to_vec(),
    }))
}

/// The extents of `$MFT`, gathered so far.
struct MftParts {
    runs: Vec<Run>,
    sizes: Option<Sizes>,
}

impl MftParts {
    fn add(&mut self, record: &Record<'_>, issues: &mut Vec<FileSystemIssue>, number: u64) {
        for attribute in record.attributes().flatten() {
            let Body::NonResident(part) = attribute.body else { continue };
            if attribute.type_code != attribute_type::DATA || !attribute.is_unnamed() {
                continue;
            }
            let (mut runs, fault) = part.runs();
            issues.extend(fault.map(|fault| issue_of(number, &fault)));
            self.runs.append(&mut runs);
            let NonResident { lowest_vcn, allocated, size, initialized, .. } = part;
            if lowest_vcn == 0 && self.sizes.is_none() {
                self.sizes = Some(Sizes { allocated, size, initialized, unit_clusters: 0 });
            }
        }
    }

    fn reader(&self, source: &Arc<dyn ReadAt>, boot: &BootSector) -> AttributeReader {
        let sizes = self.sizes.unwrap_or_default();
        let held = source.len().div_ceil(u64::from(boot.cluster_size).max(1));
        AttributeReader::clusters(Arc::clone(source), boot.cluster_size.into(), fitting(self.runs.clone(), held), sizes)
    }
}

/// Puts `$MFT` together. Its later extents may be told by extension records, which lie in its earlier extents.
fn open_mft(
    source: &Arc<dyn ReadAt>,
    boot: &BootSector,
    record: &Record<'_>,
    issues: &mut Vec<FileSystemIssue>,
) -> Result<AttributeReader, NtfsError> {
    let mut parts = MftParts { runs: Vec::new(), sizes: None };
    parts.add(record, issues, 0);
    if parts.sizes.is_none() {
        let problem = "it has no $DATA in clusters".into();
        return Err(FormatError::Other { what: "record 0 of $MFT", offset: 0, problem }.into());
    }
    let mut reader = parts.reader(source, boot);
    let mut attributes = record.attributes().flatten();
    if let Some(list) = attributes.find(|a| a.type_code == attribute_type::ATTRIBUTE_LIST) {
        let mut pending = extension_records(source, boot, &list, issues);
        let mut buf = vec![0; usize::try_from(boot.record_size).unwrap_or_default()];
        // Each round needs what the rounds before it found.
        loop {
            let before = pending.len();
            pending.retain(|number| {
                let offset = number.saturating_mul(boot.record_size.into());
                if !is_known(&reader, offset) || read_exact_at(&reader, offset, &mut buf).is_err() {
                    return true;
                }
                match Record::parse(&mut buf, offset) {
                    Ok(record) if record.header.base.record == 0 && record.header.is_extension() => {
                        parts.add(&record, issues, *number);
                        reader = parts.reader(source, boot);
                        false
                    }
                    _ => true,
                }
            });
            if pending.is_empty() || pending.len() == before {
                break;
            }
        }
        for number in pending {
            let offset = Some(number.saturating_mul(boot.record_size.into()));
            let error = format!("record {number}, which tells where a part of $MFT lies, can't be read");
            issues.push(FileSystemIssue { record: Some(number), offset, loss: Loss::Record, error });
        }
    }
    for gap in reader.gaps() {
        let (first, size) = (gap.start, u64::from(boot.record_size).max(1));
        let number = |byte: u64| byte.checked_div(size).unwrap_or(0);
        let (from, to) = (number(first), number(gap.end.saturating_sub(1)));
        let error = format!("no record tells where records {from} to {to} lie; they are lost");
        issues.push(FileSystemIssue { record: Some(from), offset: Some(first), loss: Loss::Record, error });
    }
    Ok(reader)
}

/// True if the place of that byte of `$MFT` is known.
fn is_known(reader: &AttributeReader, offset: u64) -> bool {
    let mut extents = reader.extents().iter();
    extents.any(|e| (e.start..e.end).contains(&offset) && e.place != Place::Missing)
}

/// The records that hold further extents of `$MFT`, by its attribute list.
fn extension_records(
    source: &Arc<dyn ReadAt>,
    boot: &BootSector,
    list: &Attribute<'_>,
    issues: &mut Vec<FileSystemIssue>,
) -> Vec<u64> {
    let (entries, fault) = match list.body {
        Body::Resident { value, offset } => mft::attribute_list(value, offset),
        Body::NonResident(part) => {
            let (value, fault) = read_small(source, boot.cluster_size.into(), &part, MAX_LIST, list.offset);
            issues.extend(fault.map(|fault| issue_of(0, &fault)));
            mft::attribute_list(&value, list.offset)
        }
    };
    issues.extend(fault.map(|fault| issue_of(0, &fault)));
    let mut data: Vec<_> =
        entries.into_iter().filter(|e| e.type_code == attribute_type::DATA && e.name.is_empty()).collect();
    data.sort_by_key(|entry| entry.lowest_vcn);
    let mut numbers: Vec<u64> = Vec::with_capacity(data.len());
    for entry in data {
        if entry.reference.record != 0 && numbers.last() != Some(&entry.reference.record) {
            numbers.push(entry.reference.record);
        }
    }
    numbers
}

/// How many records the walk visits: as many as `$MFT` claims, but none behind what the evidence can hold.
fn count_records(mft: &AttributeReader, boot: &BootSector, source_len: u64, issues: &mut Vec<FileSystemIssue>) -> u64 {
    let size = u64::from(boot.record_size).max(1);
    let claimed = mft.len().checked_div(size).unwrap_or(0);
    let readable = mft.extents().iter().filter_map(|extent| match extent.place {
        Place::Volume(place) if place < source_len => {
            let there = source_len.saturating_sub(place);
            Some(extent.start.saturating_add(there.min(extent.end.saturating_sub(extent.start))))
        }
        _ => None,
    });
    let readable = readable.max().and_then(|end| end.checked_div(size)).unwrap_or(0);
    let records = claimed.min(readable).min(MAX_RECORDS);
    if records < claimed {
        issues.push(FileSystemIssue {
            record: Some(records),
            offset: Some(records.saturating_mul(size)),
            loss: Loss::Rest,
            error: format!("$MFT has {claimed} records; those from {records} on lie behind the end of the evidence"),
        });
    }
    records
}
