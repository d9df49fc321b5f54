//! One sorted run: a file of entries, with its length and sum, so that a kept one can be trusted later.
//!
//! An entry is a key (20 bytes, big-endian, so that bytes sort like keys), the length of the body (4 bytes, big-endian),
//! and the body (the event, in postcard's encoding).

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use adler2::Adler32;
use serde::{Deserialize, Serialize};

use super::scratch::at;

/// A finished run. The sum (Adler-32) is against mishaps, not against forgers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// Name in the folder of all runs.
    pub(super) name: String,
    bytes: u64,
    sum: u32,
}

impl Run {
    /// Writes a run.
    pub(super) fn write(
        folder: &Path,
        name: String,
        write: impl FnOnce(&mut RunWriter) -> io::Result<()>,
    ) -> io::Result<Self> {
        let path = folder.join(&name);
        let work = || -> io::Result<Self> {
            let file = Summed { file: File::create(&path)?, bytes: 0, sum: Adler32::new() };
            let mut out = RunWriter(BufWriter::with_capacity(1 << 18, file));
            write(&mut out)?;
            let Summed { bytes, sum, .. } = out.0.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(Self { name, bytes, sum: sum.checksum() })
        };
        work().map_err(|error| at(&path, error))
    }

    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.name)
    }

    /// Waits until the run lies on the disk.
    #[expect(clippy::disallowed_methods, reason = "our own temporary runs, not evidence")]
    pub(super) fn sync(&self, folder: &Path) -> io::Result<()> {
        File::open(self.path(folder)).and_then(|file| file.sync_all()).map_err(|error| at(&self.path(folder), error))
    }

    /// True if the file is there as it was written.
    #[expect(clippy::disallowed_methods, reason = "our own temporary runs, not evidence")]
    pub(super) fn is_whole(&self, folder: &Path) -> io::Result<bool> {
        let path = self.path(folder);
        // The list of runs is a file of ours, but files can be forged: a run lies in the folder of runs and nowhere else.
        let plain = Path::new(&self.name).file_name() == Some(self.name.as_ref());
        let mut file = match File::open(&path) {
            Ok(file) if plain => file,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path, error)),
            _ => return Ok(false),
        };
        let (mut bytes, mut sum, mut buffer) = (0u64, Adler32::new(), vec![0; 1 << 18]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(bytes == self.bytes && sum.checksum() == self.sum),
                Ok(n) => {
                    sum.write_slice(&buffer[..n]);
                    bytes = bytes.saturating_add(n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(at(&path, error)),
            }
        }
    }
}

/// A run that is being written.
pub(super) struct RunWriter(BufWriter<Summed>);

impl RunWriter {
    pub(super) fn entry(&mut self, key: &[u8], body: &[u8]) -> io::Result<()> {
        let len = u32::try_from(body.len()).map_err(io::Error::other)?;
        self.0.write_all(key)?;
        self.0.write_all(&len.to_be_bytes())?;
        self.0.write_all(body)
    }
}

/// A file with the length and sum of what was written to it.
struct Summed {
    file: File,
    bytes: u64,
    sum: Adler32,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.sum.write_slice(bytes.get(..n).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(n as u64);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_changed_run_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let write = |out: &mut RunWriter| {
            out.entry(&[1; 20], b"first")?;
            out.entry(&[2; 20], b"second")
        };
        let run = Run::write(dir.path(), "run-0".to_owned(), write).unwrap();
        let whole = fs::read(run.path(dir.path())).unwrap();
        assert!(run.is_whole(dir.path()).unwrap());
        let mut other = whole.clone();
        other[30] ^= 1;
        for damaged in [&whole[..whole.len() - 1], &other, &[&whole[..], &[0]].concat()] {
            fs::write(run.path(dir.path()), damaged).unwrap();
            assert!(!run.is_whole(dir.path()).unwrap());
        }
        fs::remove_file(run.path(dir.path())).unwrap();
        assert!(!run.is_whole(dir.path()).unwrap());
        let elsewhere = Run { name: "../run-0".to_owned(), ..run };
        assert!(!elsewhere.is_whole(dir.path()).unwrap());
    }
}
