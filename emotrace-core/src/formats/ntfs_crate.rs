//! The `ntfs` crate as a second reader of a healthy volume.
//!
//! It serves as a witness: tests hold our own look-ups against it. It does not serve evidence, because it refuses a record with
//! one bad fixup, gives 0 bytes without an error for a fragmented file whose first extent stays in the base record, reads
//! `$MFT` without its attribute list, takes cluster 0 for a hole, gives the compressed bytes of a compressed stream, passes
//! by the initialized size, and panics on some damaged index entries (version 0.4.0).

use ntfs::indexes::NtfsFileNameIndex;
use ntfs::{Ntfs, NtfsError, NtfsReadSeek};

use crate::bytes::{FormatError, ReadAt, SeekReader};
use crate::model::FileReference;

/// A volume as the crate sees it.
pub struct Witness<S> {
    ntfs: Ntfs,
    source: SeekReader<S>,
}

impl<S: ReadAt> Witness<S> {
    /// Opens the volume and reads its `$UpCase`.
    ///
    /// # Errors
    /// Where the crate gives one.
    pub fn open(source: S) -> Result<Self, FormatError> {
        let mut source = SeekReader::new(source);
        let mut ntfs = Ntfs::new(&mut source).map_err(|e| refused(&e))?;
        ntfs.read_upcase_table(&mut source).map_err(|e| refused(&e))?;
        Ok(Self { ntfs, source })
    }

    /// Serial number, cluster size and size of a record.
    pub fn facts(&self) -> (u64, u32, u32) {
        (self.ntfs.serial_number(), self.ntfs.cluster_size(), self.ntfs.file_record_size())
    }

    /// Finds a name in a directory.
    ///
    /// # Errors
    /// Where the crate gives one.
    ///
    /// # Panics
    /// On some damaged index entries.
    pub fn find(&mut self, directory: u64, name: &str) -> Result<Option<FileReference>, FormatError> {
        let mut find = || {
            let directory = self.ntfs.file(&mut self.source, directory)?;
            let index = directory.directory_index(&mut self.source)?;
            let mut finder = index.finder();
            let found = NtfsFileNameIndex::find(&mut finder, &self.ntfs, &mut self.source, name).transpose()?;
            Ok(found.map(|entry| reference(entry.file_reference())))
        };
        find().map_err(|e| refused(&e))
    }

    /// Every name of a directory, DOS names too, in the order of its index.
    ///
    /// # Errors
    /// Where the crate gives one.
    ///
    /// # Panics
    /// On some damaged index entries.
    pub fn list(&mut self, directory: u64) -> Result<Vec<(String, FileReference)>, FormatError> {
        let mut list = || {
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
        list().map_err(|e| refused(&e))
    }

    /// The first bytes of a stream, at most `limit` of them.
    ///
    /// # Errors
    /// Where the crate gives one.
    pub fn read(&mut self, record: u64, stream: &str, limit: usize) -> Result<Option<Vec<u8>>, FormatError> {
        let mut read = || {
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
        read().map_err(|e| refused(&e))
    }
}

fn reference(reference: ntfs::NtfsFileReference) -> FileReference {
    FileReference { record: reference.file_record_number(), sequence: reference.sequence_number() }
}

fn refused(error: &NtfsError) -> FormatError {
    FormatError::Other { what: "NTFS volume, read by the `ntfs` crate", offset: 0, problem: error.to_string() }
}
