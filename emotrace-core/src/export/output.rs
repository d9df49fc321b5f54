//! Output files that never look whole when they are not.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A file that is written under a temporary name in the same folder and gets its own name when it is finished. Dropped
/// before that, it is removed. A target that is no regular file (a device, a pipe) is written to as it is: nothing may
/// take its place.
#[derive(Debug)]
pub struct OutputFile {
    target: PathBuf,
    partial: PathBuf,
    out: Option<BufWriter<File>>,
    hash: Sha256,
    bytes: u64,
}

impl OutputFile {
    /// Begins a file.
    ///
    /// # Errors
    /// When the temporary file can't be made.
    #[expect(clippy::disallowed_methods, reason = "an output, opened for writing")]
    pub fn create(target: &Path) -> io::Result<Self> {
        let special = fs::metadata(target).is_ok_and(|facts| !facts.is_file());
        if special {
            let out = BufWriter::new(File::options().write(true).open(target)?);
            return Ok(Self::new(target, PathBuf::new(), out));
        }
        Self::create_new(target)
    }

    /// Begins a file in a folder that others may have put things into: whatever has its temporary name is removed, be it
    /// the rest of a run that was killed or a link that somebody planted, and nothing is ever written through a link.
    ///
    /// # Errors
    /// When the temporary file can't be made.
    #[expect(clippy::disallowed_methods, reason = "an output, opened for writing")]
    pub fn create_new(target: &Path) -> io::Result<Self> {
        let partial = partial_name(target)?;
        // A new file: the system follows no link then.
        let new = || File::options().write(true).create_new(true).open(&partial);
        let file = match new() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&partial)?;
                new()?
            }
            file => file?,
        };
        let out = BufWriter::with_capacity(1 << 18, file);
        Ok(Self::new(target, partial, out))
    }

    fn new(target: &Path, partial: PathBuf, out: BufWriter<File>) -> Self {
        Self { target: target.to_owned(), partial, out: Some(out), hash: Sha256::new(), bytes: 0 }
    }

    /// Ends the file: writes everything out to the disk and gives it its name.
    ///
    /// # Errors
    /// When something can't be written; the temporary file is removed then.
    pub fn finish(mut self) -> io::Result<Finished> {
        if let Some(out) = self.out.take() {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            if !self.partial.as_os_str().is_empty() {
                file.sync_all()?;
                fs::rename(&self.partial, &self.target)?;
            }
        }
        let sha256 = self.hash.finalize_reset().iter().map(|byte| format!("{byte:02x}")).collect();
        self.partial.clear();
        Ok(Finished { path: self.target.clone(), bytes: self.bytes, sha256 })
    }
}

/// The name that a file has while it is written.
///
/// # Errors
/// When the path names no file.
pub fn partial_name(target: &Path) -> io::Result<PathBuf> {
    let mut name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".partial");
    Ok(target.with_file_name(name))
}

/// A finished output file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, lower-case hex.
    pub sha256: String,
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let out = self.out.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        out.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if !self.partial.as_os_str().is_empty() {
            // Nothing can be done about a file that can't be removed; its name says that it is not whole.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.jsonl");
        let mut file = OutputFile::create(&target).unwrap();
        file.write_all(b"abc").unwrap();
        assert!(!target.exists());
        let finished = file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"abc");
        // Witness: FIPS 180-2, appendix B.1.
        assert_eq!(finished.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    /// A device stays what it is: a file of that name in its place would break the machine.
    #[cfg(unix)]
    #[test]
    fn a_special_file_is_never_replaced() {
        use std::os::unix::net::UnixListener;
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _kept = UnixListener::bind(&socket).unwrap();
        assert!(OutputFile::create(&socket).is_err(), "a socket can't be written to, and is not replaced");
        assert!(!fs::metadata(&socket).unwrap().is_file());
        let null = Path::new("/dev/null");
        let mut out = OutputFile::create(null).unwrap();
        out.write_all(b"gone").unwrap();
        out.finish().unwrap();
        assert!(!fs::metadata(null).unwrap().is_file());
    }

    /// A link under the temporary name, or under the file's own, is taken away, and what it points at is not touched.
    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (target, victim) = (dir.path().join("a.jsonl"), dir.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        for planted in [partial_name(&target).unwrap(), target.clone()] {
            std::os::unix::fs::symlink(&victim, &planted).unwrap();
            let mut file = OutputFile::create(&target).unwrap();
            file.write_all(b"abc").unwrap();
            file.finish().unwrap();
            assert_eq!(fs::read(&victim).unwrap(), b"precious");
            assert!(fs::symlink_metadata(&target).unwrap().is_file());
            fs::remove_file(&target).unwrap();
        }
    }

    #[test]
    fn an_unfinished_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        drop(OutputFile::create(&dir.path().join("a.jsonl")).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
