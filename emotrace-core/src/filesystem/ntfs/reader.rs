//! The content of an attribute as a stream: positional, from any thread.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::bytes::{ReadAt, read_up_to};
use crate::formats::lznt1;
use crate::formats::mft::Run;

/// Largest compression unit that is believed. Windows makes units of 16 clusters of 4 KiB at most.
const MAX_UNIT: u64 = 2 << 20;
/// Decompressed units that a reader keeps.
const CACHED_UNITS: usize = 8;

/// Where a part of a stream lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the volume, from this byte on.
    Volume(u64),
    /// Nowhere: a hole that reads as zeros.
    Hole,
    /// Unknown: the record that tells it is gone. It reads as zeros too, but that is not what the file held.
    Missing,
}

/// A part of a stream that lies in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte in the stream.
    pub start: u64,
    /// The byte behind the last one.
    pub end: u64,
    /// Where it lies.
    pub place: Place,
}

/// The content of an attribute. Reads give zeros in holes and beyond the initialized size.
pub struct AttributeReader {
    content: Content,
    size: u64,
    initialized: u64,
}

enum Content {
    Resident(Box<[u8]>),
    Clusters { source: Arc<dyn ReadAt>, extents: Vec<Extent>, units: Option<Units> },
}

/// Decompressed units, the newest last.
struct Units {
    size: u64,
    cache: Mutex<Vec<(u64, Arc<[u8]>)>>,
}

/// What the first extent of a non-resident attribute says of the whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    pub(super) allocated: u64,
    pub(super) size: u64,
    pub(super) initialized: u64,
    /// Clusters of a compression unit, 0 if the attribute is not compressed.
    pub(super) unit_clusters: u64,
}

impl AttributeReader {
    pub(super) fn resident(value: &[u8]) -> Self {
        let size = value.len() as u64;
        Self { content: Content::Resident(value.into()), size, initialized: size }
    }

    /// `runs` in any order; what they leave out up to the allocated size is missing.
    pub(super) fn clusters(source: Arc<dyn ReadAt>, cluster_size: u64, runs: Vec<Run>, sizes: Sizes) -> Self {
        let extents = extents(runs, cluster_size, sizes.allocated);
        let unit = sizes.unit_clusters.saturating_mul(cluster_size);
        let units = (unit > 0 && unit <= MAX_UNIT).then(|| Units { size: unit, cache: Mutex::default() });
        // A length that no cluster is there for is a lie, and would let a few bytes ask for endless zeros.
        let size = sizes.size.min(extents.last().map_or(0, |extent| extent.end));
        let content = Content::Clusters { source, extents, units };
        Self { content, size, initialized: sizes.initialized }
    }

    /// True if units of that many clusters can be decompressed.
    pub(super) const fn unit_fits(clusters: u64, cluster_size: u64) -> bool {
        clusters > 0 && clusters.saturating_mul(cluster_size) <= MAX_UNIT
    }

    /// The parts of a non-resident stream, in their order and without gaps. None for a resident one.
    pub fn extents(&self) -> &[Extent] {
        match &self.content {
            Content::Resident(_) => &[],
            Content::Clusters { extents, .. } => extents,
        }
    }

    /// How far the content was ever written.
    pub const fn initialized(&self) -> u64 {
        self.initialized
    }

    /// The parts of the stream whose place is not known. They read as zeros.
    pub fn gaps(&self) -> impl Iterator<Item = Range<u64>> {
        let missing = self.extents().iter().filter(|e| e.place == Place::Missing && e.start < self.size);
        missing.map(|e| e.start..e.end.min(self.size))
    }
}

/// Sorts runs into extents without gaps or overlaps.
fn extents(mut runs: Vec<Run>, cluster_size: u64, allocated: u64) -> Vec<Extent> {
    runs.sort_by_key(|run| run.vcn);
    let mut extents: Vec<Extent> = Vec::with_capacity(runs.len());
    let mut at = 0u64;
    for run in runs {
        let start = run.vcn.saturating_mul(cluster_size);
        let end = start.saturating_add(run.clusters.saturating_mul(cluster_size));
        if start > at {
            extents.push(Extent { start: at, end: start, place: Place::Missing });
        }
        // Of two runs for the same clusters the first one counts.
        let skipped = at.saturating_sub(start);
        let start = start.saturating_add(skipped);
        if start < end {
            let place = match run.lcn {
                Some(lcn) => Place::Volume(lcn.saturating_mul(cluster_size).saturating_add(skipped)),
                None => Place::Hole,
            };
            extents.push(Extent { start, end, place });
            at = end;
        }
    }
    if at < allocated {
        extents.push(Extent { start: at, end: allocated, place: Place::Missing });
    }
    extents
}

impl ReadAt for AttributeReader {
    fn len(&self) -> u64 {
        self.size
    }

    fn next_data(&self, offset: u64) -> u64 {
        let end = self.size.min(self.initialized);
        let Content::Clusters { extents, units, .. } = &self.content else { return offset.min(self.size) };
        // The hole at the end of a compression unit is what was saved: only a unit without clusters is a hole.
        let unit = units.as_ref().map_or(1, |units| units.size);
        let from = offset.saturating_sub(offset.checked_rem(unit).unwrap_or(0));
        let first = extents.partition_point(|extent| extent.end <= from);
        let data = extents.get(first..).unwrap_or_default().iter().find(|e| matches!(e.place, Place::Volume(_)));
        let at = data.map_or(self.size, |e| e.start.saturating_sub(e.start.checked_rem(unit).unwrap_or(0)).max(offset));
        if at < end { at } else { self.size }
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let within = |end: u64| usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let n = buf.len().min(within(self.size));
        let written = n.min(within(self.initialized));
        let Some((content, zeros)) = buf.get_mut(..n).and_then(|buf| buf.split_at_mut_checked(written)) else {
            return Ok(0);
        };
        if !content.is_empty() {
            let got = match &self.content {
                Content::Resident(value) => value.read_at(offset, content)?,
                Content::Clusters { source, extents, units: None } => read_plain(&**source, extents, offset, content)?,
                Content::Clusters { source, extents, units: Some(units) } => {
                    read_units(&**source, extents, units, offset, content)?
                }
            };
            if got < written {
                return Ok(got);
            }
        }
        zeros.fill(0);
        Ok(n)
    }
}

/// Reads clusters as they are. A fault behind good bytes ends the read there; the next read meets it.
fn read_plain(source: &dyn ReadAt, extents: &[Extent], offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let first = extents.partition_point(|extent| extent.end <= offset);
    let mut extents = extents.get(first..).unwrap_or_default().iter();
    let mut done = 0usize;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(done as u64);
        let Some(extent) = extents.next() else {
            rest.fill(0);
            return Ok(buf.len());
        };
        let n = rest.len().min(usize::try_from(extent.end.saturating_sub(at)).unwrap_or(usize::MAX));
        let Some(part) = rest.get_mut(..n) else { break };
        match extent.place {
            Place::Hole | Place::Missing => part.fill(0),
            Place::Volume(place) => {
                let place = place.saturating_add(at.saturating_sub(extent.start));
                match read_up_to(source, place, part) {
                    Ok(got) if got == n => {}
                    Ok(got) if done.saturating_add(got) > 0 => return Ok(done.saturating_add(got)),
                    Ok(_) => return Err(outside(at, place)),
                    Err(_) if done > 0 => return Ok(done),
                    Err(error) => return Err(error),
                }
            }
        }
        done = done.saturating_add(n);
    }
    Ok(done)
}

fn outside(offset: u64, place: u64) -> io::Error {
    let text = format!(
        "byte {offset:#x} of the stream lies at byte {place:#x} of the volume, which the evidence does not hold"
    );
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn read_units(
    source: &dyn ReadAt,
    extents: &[Extent],
    units: &Units,
    offset: u64,
    buf: &mut [u8],
) -> io::Result<usize> {
    let mut done = 0usize;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(done as u64);
        let start = at.saturating_sub(at.checked_rem(units.size).unwrap_or(0));
        let within = at.saturating_sub(start);
        let n = rest.len().min(usize::try_from(units.size.saturating_sub(within)).unwrap_or(usize::MAX));
        let Some(part) = rest.get_mut(..n) else { break };
        let result = match stored(extents, start, units.size) {
            Stored::Plain => read_plain(source, extents, at, part),
            Stored::Packed(packed) => units.unpacked(source, extents, start, packed).map(|unit| {
                let from = usize::try_from(within).unwrap_or(usize::MAX);
                match unit.get(from..from.saturating_add(n)) {
                    Some(from) => part.copy_from_slice(from),
                    None => part.fill(0),
                }
                n
            }),
            Stored::Torn => {
                let text = format!("the compression unit at byte {start:#x} of the stream has a hole before its end");
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
        };
        match result {
            Ok(got) => {
                done = done.saturating_add(got);
                if got < n {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// How a compression unit is stored.
enum Stored {
    /// As it is: all clusters are there, or none.
    Plain,
    /// Compressed into its first bytes; the clusters saved are a hole behind them.
    Packed(u64),
    /// In no way that NTFS knows.
    Torn,
}

fn stored(extents: &[Extent], start: u64, size: u64) -> Stored {
    let end = start.saturating_add(size);
    let first = extents.partition_point(|extent| extent.end <= start);
    let (mut packed, mut empty) = (0u64, 0u64);
    let (mut torn, mut missing) = (false, false);
    for extent in extents.get(first..).unwrap_or_default().iter().take_while(|extent| extent.start < end) {
        let len = extent.end.min(end).saturating_sub(extent.start.max(start));
        match extent.place {
            Place::Volume(_) => {
                torn |= empty > 0;
                packed = packed.saturating_add(len);
            }
            place => {
                missing |= place == Place::Missing;
                empty = empty.saturating_add(len);
            }
        }
    }
    // Behind the last run nothing is allocated: the same as a hole.
    match packed {
        0 => Stored::Plain,
        packed if packed >= size => Stored::Plain,
        _ if torn || missing => Stored::Torn,
        packed => Stored::Packed(packed),
    }
}

impl Units {
    fn unpacked(&self, source: &dyn ReadAt, extents: &[Extent], start: u64, packed: u64) -> io::Result<Arc<[u8]>> {
        let cached = |cache: &mut Vec<(u64, Arc<[u8]>)>| {
            let place = cache.iter().position(|(at, _)| *at == start)?;
            let entry = cache.remove(place);
            let unit = Arc::clone(&entry.1);
            cache.push(entry);
            Some(unit)
        };
        if let Some(unit) = cached(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(unit);
        }
        // Both are at most a unit, which is at most MAX_UNIT.
        let mut input = vec![0; usize::try_from(packed.min(self.size)).unwrap_or_default()];
        let mut done = 0usize;
        while let Some(rest) = input.get_mut(done..).filter(|rest| !rest.is_empty()) {
            done = done.saturating_add(read_plain(source, extents, start.saturating_add(done as u64), rest)?);
        }
        let mut output = vec![0; usize::try_from(self.size).unwrap_or_default()];
        lznt1::decompress(&input, &mut output, 0).map_err(|error| {
            let text = format!("the compression unit at byte {start:#x} of the stream is damaged: {error} of the unit");
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        let unit: Arc<[u8]> = output.into();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_UNITS {
            cache.remove(0);
        }
        cache.push((start, Arc::clone(&unit)));
        Ok(unit)
    }
}
