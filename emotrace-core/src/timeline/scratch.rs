//! Folders for runs: temporary ones, which also go when the process was killed, and ones that are kept.
//!
//! A process that is killed can't clean up. So a temporary folder holds a file that its process keeps locked; the operating
//! system lets go of the lock when the process ends, however it ends. Whoever makes a folder in the same place next takes
//! away those whose lock nobody holds.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

/// How the names of temporary folders begin.
const PREFIX: &str = ".emotrace-";

/// The file that is locked.
const LOCK: &str = "lock";

/// How often a new folder is tried.
const ATTEMPTS: u32 = 16;

/// A folder that was made but not locked yet is younger than this.
const UNLOCKED: Duration = Duration::from_secs(60);

/// A folder for runs.
#[derive(Debug)]
pub(super) enum Scratch {
    /// Goes with this value. The lock goes first: some systems remove no file that is open.
    Temporary { _lock: Lock, dir: TempDir },
    /// Stays.
    Kept(PathBuf),
}

impl Scratch {
    /// A new temporary folder in a place, or in the system's folder for them.
    pub(super) fn temporary(place: Option<&Path>) -> io::Result<Self> {
        let system = std::env::temp_dir();
        let place = place.unwrap_or(&system);
        remove_abandoned(place);
        let make = || -> io::Result<Self> {
            for _ in 0..ATTEMPTS {
                let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
                let file = dir.path().join(LOCK);
                // Between the making of the file and the lock, another process may take the folder for an abandoned one.
                if let Some(lock) = Lock::take(&file)?.filter(|_| file.exists()) {
                    return Ok(Self::Temporary { _lock: lock, dir });
                }
            }
            Err(io::ErrorKind::ResourceBusy.into())
        };
        make().map_err(|error| at(place, error))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary { dir, .. } => dir.path(),
            Self::Kept(path) => path,
        }
    }
}

/// Removes the folders of processes that were killed. What can't be removed is another user's, or busy.
fn remove_abandoned(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours || !is_folder {
            continue;
        }
        let lock = entry.path().join(LOCK);
        let mut taken = None;
        let abandoned = if fs::symlink_metadata(&lock).is_ok_and(|facts| facts.is_file()) {
            taken = Lock::take(&lock).ok().flatten();
            taken.is_some()
        } else {
            let age = entry.metadata().and_then(|facts| facts.modified()).ok().and_then(|at| at.elapsed().ok());
            age.is_some_and(|age| age > UNLOCKED)
        };
        // Held until the folder is gone, so that nobody takes it for his own meanwhile; Windows removes no file that is open.
        if cfg!(windows) {
            taken = None;
        }
        if abandoned {
            let _ = fs::remove_dir_all(entry.path());
        }
        drop(taken);
    }
}

/// A file that one process holds. The operating system lets go of it when the process ends, also when it is killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; `None` if another process (or another value in this one) holds it. The file is made if need be, and
    /// stays behind.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        open_locked(&mut options, path).map(|file| file.map(|file| Self { _file: file }))
    }
}

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "our own lock file, not evidence")]
fn open_locked(options: &mut fs::OpenOptions, path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{FlockOperation, OFlags, flock};
    use std::os::unix::fs::OpenOptionsExt;
    let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(error) if io::Error::from(error).kind() == io::ErrorKind::WouldBlock => Ok(None),
        // Some network file systems know no locks; there, nobody guards.
        Err(_) => Ok(Some(file)),
    }
}

#[cfg(windows)]
#[expect(clippy::disallowed_methods, reason = "our own lock file, not evidence")]
fn open_locked(options: &mut fs::OpenOptions, path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    /// Another process has the file open (winerror.h).
    const ERROR_SHARING_VIOLATION: i32 = 32;
    match options.share_mode(0).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error with the place that it is about.
pub(super) fn at(place: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who begins does not lose its folder to others that begin and clear away.
    #[test]
    fn many_that_begin_at_once() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let own = Scratch::temporary(Some(place.path())).unwrap();
                        fs::write(own.path().join("run-0"), "x").unwrap();
                        assert!(own.path().join(LOCK).exists());
                    }
                });
            }
        });
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = place.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("run-0"), "x").unwrap();
            folder
        };
        let live = Scratch::temporary(Some(place.path())).unwrap();
        let abandoned = folder(".emotrace-abandoned");
        fs::write(abandoned.join(LOCK), "").unwrap();
        let starting = folder(".emotrace-starting");
        let other = folder("precious");
        let next = Scratch::temporary(Some(place.path())).unwrap();
        assert!(!abandoned.exists());
        for kept in [live.path(), next.path(), &starting, &other] {
            assert!(kept.exists(), "{}", kept.display());
        }
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_has_one_holder() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let held = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::take(&path).unwrap().is_some());
    }
}
