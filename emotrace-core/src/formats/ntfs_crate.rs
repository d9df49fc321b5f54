//! The `ntfs` crate as a second reader of a healthy volume.
//!
//! It serves as a witness: tests hold our own look-ups against it. It does not serve evidence, because it refuses a record with
//! one bad fixup, gives 0 bytes without an error for a fragmented file whose first extent stays in the base record, reads
//! `$MFT` without its attribute list, takes cluster 0 for a hole, gives the compressed bytes of a compressed stream, passes
//! by the initialized size, panics on some damaged index entries, and follows an index in a circle for ever (version
//! 0.4.0). The last two are caught here: a panic is an error, and each question has a bound on what it reads.

use std::io::{self, Read, Seek, SeekFrom};

use ntfs::indexes::NtfsFileNameIndex;
use ntfs::{Ntfs, NtfsError, NtfsReadSeek};

use super::guard::guarded;
use crate::bytes::{FormatError, ReadAt, SeekReader};
use crate::model::FileReference;

/// Most bytes that one question makes the crate read, beside the content that is asked for. The index of a directory with
/// 200,000 names has less than half of it.
const MOST_READ: u64 = 64 << 20;

/// A volume as the crate sees it.
pub struct Witness<S> {
    ntfs: Ntfs,
    source: Bounded<S>,
}

/// A reader that refuses to read on at some point.
struct Bounded<S> {
    reader: SeekReader<S>,
    left: u64,
}

impl<S: ReadAt> Read for Bounded<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(buf.len() as u64);
        self.left = left.ok_or_else(|| io::Error::other("the crate reads more than the question can need"))?;
        self.reader.read(buf)
    }
}

impl<S: ReadAt> Seek for Bounded<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

impl<S: ReadAt> Witness<S> {
    /// Opens the volume and reads its `$UpCase`.
    ///
    /// # Errors
    /// Where the crate gives one, or panics.
    pub fn open(source: S) -> Result<Self, FormatError> {
        answer(|| {
            let mut source = Bounded { reader: SeekReader::new(source), left: MOST_READ };
            let mut ntfs = Ntfs::new(&mut source)?;
            ntfs.read_upcase_table(&mut source)?;
            Ok(Self { ntfs, source })
        })
    }

    /// Serial number, cluster size and size of a record.
    pub fn facts(&self) -> (u64, u32, u32) {
        (self.ntfs.serial_number(), self.ntfs.cluster_size(), self.ntfs.file_record_size())
    }

    /// Finds a name in a directory.
    ///
    /// # Errors
    /// Where the crate gives one, or panics.
    pub fn find(&mut self, directory: u64, name: &str) -> Result<Option<FileReference>, FormatError> {
        self.source.left = MOST_READ;
        let find = || {
            let directory = self.ntfs.file(&mut self.source, directory)?;
            let index = directory.directory_index(&mut self.source)?;
            let mut finder = index.finder();
            let found = NtfsFileNameIndex::find(&mut finder, &self.ntfs, &mut self.source, name).transpose()?;
            Ok(found.map(|entry| reference(entry.file_reference())))
        };
        answer(find)
    }

    /// Every name of a directory, DOS names too, in the order of its index.
    ///
    /// # Errors
    /// Where the crate gives one, or panics.
    pub fn list(&mut self, directory: u64) -> Result<Vec<(String, FileReference)>, FormatError> {
        self.source.left = MOST_READ;
        let list = || {
            let directory = self.ntfs.file(&mut self.source, directory)?;
            let index = directory.directory_index(&mut self.source)?;
            let mut entries = index.entries();
            let mut names = Vec::new();
            while let Some(entry) = entries.next(&mut self.source) {
                let entry = entry?;
                if let Some(key) = entry.key() {
                    names.push((key?.name().to_string_lossy(), reference(entry.file_reference())));
                }
            }
            Ok(names)
        };
        answer(list)
    }

    /// The first bytes of a stream, at most `limit` of them.
    ///
    /// # Errors
    /// Where the crate gives one, or panics.
    pub fn read(&mut self, record: u64, stream: &str, limit: usize) -> Result<Option<Vec<u8>>, FormatError> {
        self.source.left = MOST_READ.saturating_add(limit as u64);
        let read = || {
            let file = self.ntfs.file(&mut self.source, record)?;
            let Some(item) = file.data(&mut self.source, stream) else { return Ok(None) };
            let item = item?;
            let attribute = item.to_attribute()?;
            let mut value = attribute.value(&mut self.source)?;
            let len = usize::try_from(attribute.value_length()).unwrap_or(usize::MAX);
            let mut bytes = vec![0; len.min(limit)];
            value.read_exact(&mut self.source, &mut bytes)?;
            Ok(Some(bytes))
        };
        answer(read)
    }
}

fn reference(reference: ntfs::NtfsFileReference) -> FileReference {
    FileReference { record: reference.file_record_number(), sequence: reference.sequence_number() }
}

/// What the crate answers; its refusal and its panic are errors alike.
fn answer<T>(ask: impl FnOnce() -> Result<T, NtfsError>) -> Result<T, FormatError> {
    let answer = guarded(ask).and_then(|answer| answer.map_err(|error| error.to_string()));
    answer.map_err(|problem| FormatError::Other { what: "NTFS volume, read by the `ntfs` crate", offset: 0, problem })
}
