//! Positional reading: no seek state, so one source serves many threads.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// A stream of bytes that can be read at any place, from any thread.
pub trait ReadAt: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Reads at `offset` into `buf` and returns how many bytes were read. 0 means that the offset is at or behind the end.
    /// A short count is allowed anywhere, as with [`std::io::Read`].
    ///
    /// # Errors
    /// When bytes that should be there can't be read.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// The first place from `offset` on that is not known to be a hole, at most [`ReadAt::len`]. A hole reads as zeros and
    /// takes no room, so a few bytes of evidence can claim one of any size: who looks through a whole stream leaves out
    /// what lies before that place.
    fn next_data(&self, offset: u64) -> u64 {
        offset.min(self.len())
    }

    /// True if there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn len(&self) -> u64 {
        (**self).len()
    }
    fn next_data(&self, offset: u64) -> u64 {
        (**self).next_data(offset)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Box<T> {
    fn len(&self) -> u64 {
        (**self).len()
    }
    fn next_data(&self, offset: u64) -> u64 {
        (**self).next_data(offset)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn len(&self) -> u64 {
        (**self).len()
    }
    fn next_data(&self, offset: u64) -> u64 {
        (**self).next_data(offset)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let Some(rest) = usize::try_from(offset).ok().and_then(|o| self.get(o..)) else { return Ok(0) };
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buf)
    }
}

/// Fills `buf` from `offset`.
///
/// # Errors
/// `UnexpectedEof` if the stream ends first, or the source's own error.
pub fn read_exact_at(source: &(impl ReadAt + ?Sized), offset: u64, buf: &mut [u8]) -> io::Result<()> {
    let wanted = buf.len();
    if read_up_to(source, offset, buf)? == wanted { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Fills `buf` from `offset` as far as the stream goes, and returns how far that was.
///
/// # Errors
/// The source's own error.
pub fn read_up_to(source: &(impl ReadAt + ?Sized), offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0usize;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match source.read_at(offset.saturating_add(done as u64), rest) {
            Ok(0) => break,
            Ok(n) => done = done.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// A part of a source, seen as a source of its own: a partition, for example.
#[derive(Clone, Debug)]
pub struct Window<S> {
    source: S,
    start: u64,
    len: u64,
}

impl<S: ReadAt> Window<S> {
    /// The `len` bytes from `start`. The window may reach behind the source's end; reading there gives 0 bytes.
    pub const fn new(source: S, start: u64, len: u64) -> Self {
        Self { source, start, len }
    }
}

impl<S: ReadAt> ReadAt for Window<S> {
    fn len(&self) -> u64 {
        self.len
    }
    fn next_data(&self, offset: u64) -> u64 {
        let at = self.source.next_data(self.start.saturating_add(offset)).saturating_sub(self.start);
        // What lies behind the source's end is no hole: it can't be read, and a read says so.
        at.clamp(offset.min(self.len), self.len)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let n = left.min(buf.len());
        match buf.get_mut(..n) {
            Some(part) if n > 0 => self.source.read_at(self.start.saturating_add(offset), part),
            _ => Ok(0),
        }
    }
}

/// A seekable reader over a source, for decoders that ask for [`Read`] and [`Seek`].
#[derive(Clone, Debug)]
pub struct SeekReader<S> {
    source: S,
    position: u64,
}

impl<S: ReadAt> SeekReader<S> {
    /// Starts at offset 0.
    pub const fn new(source: S) -> Self {
        Self { source, position: 0 }
    }
}

impl<S: ReadAt> Read for SeekReader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_at(self.position, buf)?;
        self.position = self.position.saturating_add(n as u64);
        Ok(n)
    }
}

impl<S: ReadAt> Seek for SeekReader<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(distance) => self.source.len().checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_never_reads_outside() {
        let window = Window::new(vec![1u8, 2, 3, 4, 5], 1, 3);
        let mut buf = [0u8; 8];
        assert_eq!(read_up_to(&window, 0, &mut buf).unwrap(), 3);
        assert_eq!(buf[..3], [2, 3, 4]);
        assert_eq!(window.read_at(3, &mut buf).unwrap(), 0);
        assert_eq!(window.read_at(u64::MAX, &mut buf).unwrap(), 0);
        assert!(read_exact_at(&window, 1, &mut buf).is_err());
    }

    #[test]
    fn a_window_behind_the_end_is_empty_not_wrong() {
        let window = Window::new(vec![1u8, 2], 10, 5);
        assert_eq!(window.read_at(0, &mut [0; 4]).unwrap(), 0);
    }
}
