//! Little-endian fields out of a slice, every access checked.

use super::{FormatError, text};

/// Reads fields one after the other from a slice and knows where in the stream the slice lies, so that errors name
/// the place in the evidence.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    data: &'a [u8],
    position: usize,
    base: u64,
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// `what` names the structure in errors; `base` is the offset of `data` in its stream.
    pub const fn new(data: &'a [u8], what: &'static str, base: u64) -> Self {
        Self { data, position: 0, base, what }
    }

    /// Offset of the next byte, counted in the stream.
    pub const fn offset(&self) -> u64 {
        self.base.saturating_add(self.position as u64)
    }

    /// Place of the next byte in the slice.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        self.data.len().saturating_sub(self.position)
    }

    /// Goes to a place in the slice. A place behind the end makes the next read fail.
    pub const fn seek(&mut self, position: usize) {
        self.position = position;
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`FormatError::Short`] if there are fewer.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], FormatError> {
        let end = self.position.checked_add(n);
        match end.and_then(|end| self.data.get(self.position..end)) {
            Some(bytes) => {
                self.position = self.position.saturating_add(n);
                Ok(bytes)
            }
            None => Err(FormatError::Short {
                what: self.what,
                offset: self.offset(),
                needed: n as u64,
                available: self.remaining() as u64,
            }),
        }
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`FormatError::Short`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Skips `n` bytes.
    ///
    /// # Errors
    /// [`FormatError::Short`] if there are fewer.
    pub fn skip(&mut self, n: usize) -> Result<(), FormatError> {
        self.take(n).map(|_| ())
    }

    /// One byte.
    ///
    /// # Errors
    /// [`FormatError::Short`] at the end.
    pub fn u8(&mut self) -> Result<u8, FormatError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Two bytes, little-endian.
    ///
    /// # Errors
    /// [`FormatError::Short`] at the end.
    pub fn u16(&mut self) -> Result<u16, FormatError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// [`FormatError::Short`] at the end.
    pub fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// [`FormatError::Short`] at the end.
    pub fn u64(&mut self) -> Result<u64, FormatError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// `units` UTF-16 code units as text, lone surrogates kept (see [`text`]).
    ///
    /// # Errors
    /// [`FormatError::Short`] at the end.
    pub fn utf16(&mut self, units: usize) -> Result<String, FormatError> {
        Ok(text::from_utf16le(self.take(units.saturating_mul(2))?))
    }
}
