//! Where in the evidence a thing lies.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FileReference;

/// The place of a byte stream: image, then volume, then snapshot, then path and stream.
///
/// A flattened path: everything a second examiner needs to open the same bytes with another tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Locator {
    /// The evidence's label. It comes from the evidence's content (disk signature, volume serial), not from the name of
    /// the image file, so that the same disk gives the same rows from raw, E01 and split images.
    pub image: String,
    /// `p1`, `p2` … by place on the disk; `None` for evidence without volumes.
    pub volume: Option<String>,
    /// Number of the volume shadow copy, `None` for the live volume.
    pub snapshot: Option<u32>,
    /// Full path, with drive letter where the host's own registry names it: `C:\Windows\System32`.
    pub path: String,
    /// Name of an alternate data stream, `None` for the unnamed one.
    pub stream: Option<String>,
    /// MFT record the path belongs to.
    pub record: Option<FileReference>,
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image)?;
        if let Some(volume) = &self.volume {
            write!(f, "/{volume}")?;
        }
        if let Some(snapshot) = self.snapshot {
            write!(f, "/vss{snapshot}")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        if let Some(stream) = &self.stream {
            write!(f, ":{stream}")?;
        }
        if let Some(record) = self.record {
            write!(f, " (#{record})")?;
        }
        Ok(())
    }
}
