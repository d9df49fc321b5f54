//! One evidence file, opened read-only and read by position.
//!
//! Nothing is ever written: the file is opened for reading alone, and on Linux with `O_NOATIME` where the kernel allows
//! it, so that not even the access time of the evidence file changes.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::SourceError;
use crate::bytes::ReadAt;

/// How many files of one set are held open. A set of more is legal (a 1 TiB disk in 640 MiB segments has 1,600); the
/// others are opened for each read, so that the limit of the operating system (often 1,024) is never met.
pub(super) const MAX_OPEN: usize = 256;

/// A file of the evidence.
#[derive(Debug)]
pub struct EvidenceFile {
    path: PathBuf,
    len: u64,
    /// `None` for a file that is opened for each read.
    held: Option<File>,
}

impl EvidenceFile {
    /// Opens a regular file or a block device.
    ///
    /// # Errors
    /// When the operating system refuses it, or it is a folder, a pipe or the like.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let fail = |error| SourceError::Open { path: path.to_owned(), error };
        // The kind is asked first: opening a FIFO would wait for a writer for ever.
        let metadata = fs::metadata(path).map_err(fail)?;
        if let Some(what) = refused(&metadata.file_type()) {
            return Err(SourceError::NotAFile { path: path.to_owned(), what });
        }
        let mut file = open_quietly(path).map_err(fail)?;
        // The length of a block device is in no metadata; seeking to its end tells it, and a regular file's too.
        let len = file.seek(SeekFrom::End(0)).map_err(fail)?;
        Ok(Self { path: path.to_owned(), len, held: Some(file) })
    }

    /// A file that claims a length, to test what happens when the operating system can't read it.
    #[cfg(test)]
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    pub(super) fn claiming(path: &Path, len: u64) -> Self {
        Self { path: path.to_owned(), len, held: Some(File::open(path).unwrap()) }
    }

    /// Closes the file; each read opens it again.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name without its folder.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

impl ReadAt for EvidenceFile {
    fn len(&self) -> u64 {
        self.len
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match &self.held {
            Some(file) => positional_read(file, offset, buf),
            None => positional_read(&open_quietly(&self.path)?, offset, buf),
        }
    }
}

#[cfg(unix)]
fn positional_read(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(windows)]
fn positional_read(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

/// Why a thing of this kind can't be evidence, `None` if it can.
fn refused(kind: &fs::FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a pipe; evidence must be a file that can be read at any place");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() {
            return Some("a character device");
        }
    }
    kind.is_dir().then_some("a folder, not an image file")
}

/// The names in a folder, sorted. On Linux the folder gets no new access time, where the kernel allows it.
///
/// # Errors
/// When the folder can't be listed.
pub fn folder_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = listed(folder)?;
    names.sort();
    Ok(names)
}

#[cfg(target_os = "linux")]
fn listed(folder: &Path) -> io::Result<Vec<OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(open_quietly(folder)?)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(std::ffi::OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

#[cfg(not(target_os = "linux"))]
fn listed(folder: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Opens for reading, without a new access time if the kernel lets us: it allows that to the file's owner only.
#[expect(clippy::disallowed_methods, reason = "the one place where evidence is opened")]
fn open_quietly(path: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOATIME.bits().cast_signed();
        if let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) {
            return Ok(file);
        }
    }
    OpenOptions::new().read(true).open(path)
}

/// What a path of evidence is on the examiner's machine, in words: `file`, `folder`, `block device`, and where a symbolic
/// link leads.
pub fn form(path: &Path) -> String {
    let Ok(facts) = fs::metadata(path) else { return "not there".to_owned() };
    let kind = kind_name(&facts.file_type());
    // A link in the way (`/dev/disk/by-id/…` may be one of several) is named by where it ends.
    match (fs::symlink_metadata(path), path.canonicalize()) {
        (Ok(own), Ok(end)) if own.is_symlink() => format!("symbolic link to {}, a {kind}", end.display()),
        _ => kind.to_owned(),
    }
}

fn kind_name(kind: &fs::FileType) -> &'static str {
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_block_device(kind) {
        return "block device";
    }
    match (kind.is_dir(), kind.is_file()) {
        (true, _) => "folder",
        (_, true) => "file",
        _ => "special file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_and_a_missing_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = EvidenceFile::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("folder"), "{error}");
        let missing = folder.path().join("none.E01");
        assert!(matches!(EvidenceFile::open(&missing), Err(SourceError::Open { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(EvidenceFile::open(&pipe), Err(SourceError::NotAFile { .. })));
    }

    #[test]
    fn a_released_file_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.dd");
        fs::write(&path, b"0123456789").unwrap();
        let mut file = EvidenceFile::open(&path).unwrap();
        file.release();
        let mut buf = [0; 4];
        assert_eq!(file.read_at(8, &mut buf).unwrap(), 2);
        assert_eq!(&buf[..2], b"89");
        assert_eq!(file.len(), 10);
    }
}
