//! Sources: the containers of evidence on the examiner's machine, all read-only.

mod file;

pub use file::FileSource;
