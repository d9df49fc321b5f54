//! `emotrace cat`: one stream of one file, byte for byte.

use std::io::{self, Read, Write, stdout};

use emotrace_core::bytes::SeekReader;
use emotrace_core::export::escape::visible;

use super::open_place;
use crate::args::Cat;
use crate::exit::{Exit, Failure};

/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;

pub(crate) fn run(arguments: &Cat) -> Result<Exit, Failure> {
    let (evidence, address) = open_place(&arguments.evidence, &arguments.segments, &arguments.place)?;
    let place = visible(&arguments.place);
    let failed = |error: io::Error| Failure::Message(format!("{place}: {error}"));
    let volume = address.volume(&evidence).map_err(failed)?;
    let entry = address.entry(volume).map_err(failed)?;
    if entry.directory && address.stream.is_empty() {
        return Err(Failure::Message(format!("{place} is a folder; `emotrace ls` lists it")));
    }
    let data = volume.files.open(&entry, &address.stream).map_err(failed)?;
    if entry.deleted {
        eprintln!("{place}: the record is not in use; other files may have written over the content");
    }
    // What the image can't give reads as zeros: it is counted before and after.
    let gaps = || evidence.source.as_ref().map_or(0, |source| source.gaps().len());
    let before = gaps();
    let mut reader = SeekReader::new(data);
    let mut out = stdout().lock();
    let mut buffer = vec![0; BLOCK];
    let mut written = 0u64;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                out.write_all(&buffer[..n])?;
                written += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                out.flush()?;
                eprintln!("{place}: after {written} bytes: {error}");
                return Ok(Exit::Incomplete);
            }
        }
    }
    out.flush()?;
    if gaps() > before {
        eprintln!("{place}: a part of the image that it lies in could not be read; there are zeros instead");
        return Ok(Exit::Incomplete);
    }
    Ok(Exit::Done)
}
