//! A `$MFT` by itself, as collecting tools copy it: every record, and no cluster of its volume.
//!
//! Names, times, and content that lies in the records can be read; what lies in clusters can't. Directories are looked up by
//! the names in the records, since larger ones keep their index in clusters. Of `$LogFile`, `$Secure:$SDS` and the like, copies
//! that lie beside the table stand in.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};

use super::directory::Upcase;
use super::paths::{Paths, ROOT};
use super::reader::{AttributeReader, Sizes};
use super::{FileSystemFacts, FileSystemIssue, NtfsError, NtfsVolume, READ_LEN};
use crate::bytes::{FormatError, ReadAt, read_exact_at, read_up_to, text};
use crate::filesystem::metafile::{self, Metafile};
use crate::formats::mft::{AttributeListEntry, Body, FileNameAttribute, NonResident, Record, Run, attribute_type};
use crate::formats::ntfs_boot::{BOOT_SECTOR_LEN, BootSector};
use crate::model::{FileEntry, FileReference, Loss, Namespace};

/// Bytes at the beginning that tell the size of the records.
const HEAD: usize = 64 << 10;
/// NTFS's own files, which always lie in clusters: they tell how large those are.
const OWN_FILES: u64 = 16;
/// Windows' largest cluster.
const MAX_CLUSTER: u64 = 2 << 20;

/// What stands in for the volume.
pub(super) struct Table {
    beside: Vec<(Metafile, Arc<dyn ReadAt>)>,
    /// The boot sector lies beside.
    has_boot: bool,
    index: OnceLock<Index>,
}

/// What the records say of each other, gathered in one pass when it is first asked for. 12 bytes for each name.
#[derive(Default)]
struct Index {
    /// Directory, hash of the name, record; sorted.
    names: Vec<(u32, u32, u32)>,
    /// The extension records of a base record.
    extensions: HashMap<u64, Vec<FileReference>>,
}

impl NtfsVolume {
    /// Opens a `$MFT` that was copied out of a volume, with the copies of other files of NTFS that lie beside it.
    ///
    /// # Errors
    /// If it holds no MFT record near its beginning.
    pub fn open_table(table: Arc<dyn ReadAt>, beside: Vec<(Metafile, Arc<dyn ReadAt>)>) -> Result<Self, NtfsError> {
        let mut head = vec![0; HEAD];
        let got = read_up_to(&*table, 0, &mut head).map_err(|source| NtfsError::Read { offset: 0, source })?;
        head.truncate(got);
        let Some((_, record_size)) = metafile::record_size(&head) else {
            let problem = "no MFT record can be found near its beginning".into();
            return Err(FormatError::Other { what: "$MFT", offset: 0, problem }.into());
        };
        let record_size = record_size as u64;
        let boot = beside.iter().find(|(kind, _)| *kind == Metafile::Boot).and_then(|(_, file)| boot_of(&**file));
        let boot = boot.filter(|boot| u64::from(boot.record_size) == record_size);
        let records = table.len().checked_div(record_size).unwrap_or(0);
        let mut issues = Vec::new();
        let cut = table.len().saturating_sub(records.saturating_mul(record_size));
        if cut > 0 {
            let error = format!("the last {cut} bytes of $MFT are no whole record");
            let offset = Some(records.saturating_mul(record_size));
            issues.push(FileSystemIssue { record: Some(records), offset, loss: Loss::Record, error });
        }
        let runs = vec![Run { vcn: 0, lcn: Some(0), clusters: records }];
        let size = records.saturating_mul(record_size);
        let sizes = Sizes { allocated: size, size, initialized: size, unit_clusters: 0 };
        let mut volume = Self {
            source: Arc::new(Vec::new()),
            boot: boot.unwrap_or(BootSector {
                bytes_per_sector: 0,
                cluster_size: 0,
                sectors: 0,
                mft_cluster: 0,
                mirror_cluster: 0,
                record_size: u32::try_from(record_size).unwrap_or_default(),
                index_block_size: 0,
                serial: 0,
            }),
            mft: AttributeReader::clusters(table, record_size, runs, sizes),
            records,
            facts: FileSystemFacts::default(),
            issues,
            paths: Paths::default(),
            upcase: OnceLock::new(),
            owners: OnceLock::new(),
            bitmap: OnceLock::new(),
            records_in_use: OnceLock::new(),
            table: Some(Table { beside, has_boot: boot.is_some(), index: OnceLock::new() }),
        };
        if boot.is_none() {
            volume.boot.cluster_size = volume.cluster_size_by_own_files().unwrap_or(0);
        }
        volume.facts = FileSystemFacts {
            kind: "NTFS".into(),
            serial: boot.map(|boot| boot.serial),
            cluster_size: Some(volume.boot.cluster_size).filter(|size| *size != 0),
            size: boot.map(|boot| boot.size()),
            formatted: volume.formatted(),
            records: Some(records),
            ..FileSystemFacts::default()
        };
        volume.read_volume_record();
        volume.facts.kind.push_str(" ($MFT alone)");
        Ok(volume)
    }

    fn formatted(&self) -> Option<crate::model::Timestamp> {
        let entry = self.entry_of(FileReference::default()).ok()?;
        entry.standard_information?.times.created
    }

    /// The size of a cluster, as the lengths of NTFS's own files in bytes and in clusters tell it. All have to tell the same.
    fn cluster_size_by_own_files(&self) -> Option<u32> {
        let mut buf = self.record_buffer();
        let mut told: Option<u64> = None;
        for number in 0..OWN_FILES.min(self.records) {
            if self.read_record(number, &mut buf).is_err() {
                continue;
            }
            let Ok(record) = Record::parse(&mut buf, 0) else { continue };
            // Of a file with an attribute list this may be the first extent alone.
            if record.attributes().flatten().any(|a| a.type_code == attribute_type::ATTRIBUTE_LIST) {
                continue;
            }
            for attribute in record.attributes().flatten() {
                let Body::NonResident(part) = attribute.body else { continue };
                let Some(size) = cluster_size_of(&part) else { continue };
                if told.is_some_and(|told| told != size) {
                    return None;
                }
                told = Some(size);
            }
        }
        u32::try_from(told?).ok()
    }

    /// True if the volume itself is not at hand.
    pub(super) const fn is_table(&self) -> bool {
        self.table.is_some()
    }

    /// Clusters of the volume, where that is known.
    pub(super) fn clusters(&self) -> Option<u64> {
        if self.table.as_ref().is_some_and(|table| !table.has_boot) {
            return None;
        }
        self.boot.size().checked_div(self.boot.cluster_size.into())
    }

    /// A stream that lies in clusters, from the copy beside the table.
    pub(super) fn beside(&self, record: u64, stream: &str) -> io::Result<AttributeReader> {
        let copies = self.table.iter().flat_map(|table| &table.beside);
        let mut fits = copies.filter(|(kind, _)| kind.record() == Some(record) && kind.place().1 == stream);
        let Some((_, copy)) = fits.next() else {
            let text = "its content lies in clusters of the volume, of which only $MFT is at hand";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        };
        let len = copy.len();
        let runs = vec![Run { vcn: 0, lcn: Some(0), clusters: len }];
        let sizes = Sizes { allocated: len, size: len, initialized: len, unit_clusters: 0 };
        Ok(AttributeReader::clusters(Arc::clone(copy), 1, runs, sizes))
    }

    /// True if the content of a stream can be read from the record, or from a copy beside the table.
    pub(super) fn is_at_hand(&self, entry: &FileEntry, stream: &str) -> bool {
        let resident = entry.stream(stream).is_some_and(|facts| facts.resident);
        !self.is_table() || resident || entry.reference.is_some_and(|r| self.beside(r.record, stream).is_ok())
    }

    /// The extension records that name this base, in the shape of the base's own list, which lies in clusters.
    pub(super) fn extensions_by_base(&self, base: u64) -> Vec<AttributeListEntry> {
        let Some(table) = &self.table else { return Vec::new() };
        let references = self.index(table).extensions.get(&base).into_iter().flatten();
        let entry = |reference: &FileReference| AttributeListEntry {
            type_code: attribute_type::END,
            name: String::new(),
            lowest_vcn: 0,
            reference: *reference,
            id: 0,
        };
        references.map(entry).collect()
    }

    fn index<'t>(&self, table: &'t Table) -> &'t Index {
        table.index.get_or_init(|| {
            let mut index = Index::default();
            self.each_record(&mut |number, record| self.index_record(number, record, &mut index));
            index.names.sort_unstable();
            index
        })
    }

    fn index_record(&self, number: u64, record: &Record<'_>, index: &mut Index) {
        let base = record.header.base;
        if record.header.is_extension() {
            let reference = FileReference { record: number, sequence: record.header.sequence };
            index.extensions.entry(base.record).or_default().push(reference);
        }
        if !record.header.in_use() {
            return;
        }
        let holder = if record.header.is_extension() { base.record } else { number };
        for attribute in record.attributes().flatten() {
            let Some(value) = attribute.resident().filter(|_| attribute.type_code == attribute_type::FILE_NAME) else {
                continue;
            };
            let Ok(name) = FileNameAttribute::parse(value, 0) else { continue };
            if let (Ok(parent), Ok(holder)) = (u32::try_from(name.parent.record), u32::try_from(holder)) {
                index.names.push((parent, hash(self.upcase(), name.units()), holder));
            }
        }
    }

    /// Gives every record that can be read, in order.
    fn each_record(&self, give: &mut dyn FnMut(u64, &Record<'_>)) {
        let size = self.record_size().max(1);
        let step = READ_LEN.checked_div(size).unwrap_or(0).max(1);
        let mut buf = vec![0; usize::try_from(step.saturating_mul(size)).unwrap_or_default()];
        let mut first = 0u64;
        while first < self.records {
            let count = step.min(self.records.saturating_sub(first));
            let len = usize::try_from(count.saturating_mul(size)).unwrap_or_default();
            let chunk = buf.get_mut(..len).unwrap_or_default();
            if read_exact_at(&self.mft, first.saturating_mul(size), chunk).is_ok() {
                let pieces = chunk.chunks_exact_mut(usize::try_from(size).unwrap_or(usize::MAX));
                for (number, bytes) in (first..).zip(pieces) {
                    if let Ok(record) = Record::parse(bytes, number.saturating_mul(size)) {
                        give(number, &record);
                    }
                }
            }
            first = first.saturating_add(count);
        }
    }

    /// Finds one name in a live directory by the names in the records.
    pub(super) fn find_in_table(&self, directory: FileReference, name: &str) -> io::Result<FileReference> {
        let children = self.children_in_table(directory, Some(name))?;
        let found = children.into_iter().next().and_then(|entry| entry.reference);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no `{name}`")))
    }

    /// The entries of a live directory by the names in the records, sorted as its index is; of one name, if it is given.
    pub(super) fn children_in_table(&self, directory: FileReference, name: Option<&str>) -> io::Result<Vec<FileEntry>> {
        let Some(table) = &self.table else { return Ok(Vec::new()) };
        let mut buf = self.record_buffer();
        let header = self.record(directory, &mut buf)?.header;
        if !header.is_directory() {
            let text = format!("record {directory} is no directory");
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
        let (upcase, names) = (self.upcase(), &self.index(table).names);
        let parent = u32::try_from(directory.record).unwrap_or(u32::MAX);
        let wanted = name.map(|name| hash(upcase, text::to_utf16(name).into_iter()));
        let from = (parent, wanted.unwrap_or(0), 0);
        let start = names.partition_point(|found| *found < from);
        let of_directory = names.get(start..).unwrap_or_default().iter();
        let mut records: Vec<u64> = of_directory
            .take_while(|(of, hash, _)| *of == parent && wanted.is_none_or(|wanted| wanted == *hash))
            .map(|(_, _, record)| u64::from(*record))
            // The root lists itself.
            .filter(|record| *record != ROOT)
            .collect();
        records.sort_unstable();
        records.dedup();
        let mut children: Vec<(String, FileEntry)> = Vec::new();
        for record in records {
            let Ok(entry) = self.entry_of(FileReference { record, sequence: 0 }) else { continue };
            let mut here = entry.names.iter().filter(|own| {
                let sequence = own.parent.sequence;
                own.parent.record == directory.record
                    && (sequence == header.sequence || sequence == 0)
                    && name.map_or(own.namespace != Namespace::Dos, |name| upcase.equal(&own.name, name))
            });
            if let Some(own) = here.next() {
                children.push((own.name.clone(), entry));
            }
        }
        // Names of the POSIX namespace may differ by case alone; the one written alike goes before.
        children.sort_by(|(a, _), (b, _)| {
            let alike = |other: &String| name.is_some_and(|name| name != other);
            alike(a).cmp(&alike(b)).then_with(|| upcase.order(a, b))
        });
        Ok(children.into_iter().map(|(_, entry)| entry).collect())
    }
}

fn boot_of(file: &dyn ReadAt) -> Option<BootSector> {
    let mut sector = [0; BOOT_SECTOR_LEN];
    let got = read_up_to(file, 0, &mut sector).ok()?;
    BootSector::parse(sector.get(..got)?, 0).ok()
}

fn cluster_size_of(part: &NonResident<'_>) -> Option<u64> {
    let clusters = part.highest_vcn.checked_add(1).filter(|_| part.lowest_vcn == 0)?;
    let size = part.allocated.checked_div(clusters)?;
    let whole = size.checked_mul(clusters) == Some(part.allocated);
    (whole && size.is_power_of_two() && (512..=MAX_CLUSTER).contains(&size)).then_some(size)
}

/// Names that differ in case only have the same one (FNV-1a).
fn hash(upcase: &Upcase, units: impl Iterator<Item = u16>) -> u32 {
    units.fold(0x811c_9dc5, |hash, unit| (hash ^ u32::from(upcase.upper(unit))).wrapping_mul(0x0100_0193))
}
