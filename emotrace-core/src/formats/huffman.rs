//! Canonical Huffman codes, as [`xpress`](super::xpress) and [`lzx`](super::lzx) use them: given by the length of each symbol's
//! code, shorter codes first, among equals by symbol.

/// The longest code of either format.
const MAX_BITS: usize = 16;

/// Which symbol each run of bits begins with.
#[derive(Default)]
pub(super) struct Codes {
    /// Length of the longest code in use; the table has an entry for each run of that many bits.
    bits: u32,
    /// The symbol times 32 plus the bits that it takes; 0 where no code fits.
    table: Vec<u16>,
}

impl Codes {
    /// Builds the table. Lengths that do not fill it are accepted, since a missing code does harm only where it occurs.
    ///
    /// `None` if there are more codes than the lengths leave room for, a code longer than 16 bits or more than 2,047 symbols.
    pub(super) fn read(&mut self, lengths: &[u8]) -> Option<()> {
        let mut counts = [0usize; MAX_BITS + 1];
        for length in lengths {
            let count = counts.get_mut(usize::from(*length))?;
            *count = count.saturating_add(1);
        }
        let longest = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        self.bits = u32::try_from(longest).ok()?;
        self.table.clear();
        self.table.resize(1 << longest, 0);
        // Where the codes of each length begin in the table.
        let mut places = [0usize; MAX_BITS + 1];
        let mut place = 0usize;
        for (length, count) in counts.into_iter().enumerate().take(longest.saturating_add(1)).skip(1) {
            *places.get_mut(length)? = place;
            place = place.checked_add(count.checked_mul(1 << longest.checked_sub(length)?)?)?;
        }
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length != 0) {
            let place = places.get_mut(usize::from(*length))?;
            let end = place.checked_add(1 << longest.checked_sub(usize::from(*length))?)?;
            let entry = u16::try_from(symbol).ok()?.checked_mul(32)? | u16::from(*length);
            self.table.get_mut(*place..end)?.fill(entry);
            *place = end;
        }
        Some(())
    }

    /// The symbol that the next 16 bits begin with, and the length of its code.
    pub(super) fn get(&self, next: u16) -> Option<(u16, u32)> {
        let place = next.checked_shr(16u32.saturating_sub(self.bits)).unwrap_or(0);
        let entry = self.table.get(usize::from(place)).copied().filter(|entry| *entry != 0)?;
        Some((entry >> 5, u32::from(entry & 31)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1951, section 3.2.2: symbols A to H.
    #[test]
    fn canonical_order() {
        let mut codes = Codes::default();
        codes.read(&[3, 3, 3, 3, 3, 2, 4, 4]).unwrap();
        for (symbol, code, bits) in [(0, 0b010, 3), (4, 0b110, 3), (5, 0b00, 2), (6, 0b1110, 4), (7, 0b1111, 4)] {
            assert_eq!(codes.get(code << (16 - bits)), Some((symbol, bits)), "symbol {symbol}");
        }
    }

    #[test]
    fn edges() {
        let mut codes = Codes::default();
        codes.read(&[0, 0]).unwrap();
        assert_eq!((codes.get(0), codes.get(u16::MAX)), (None, None));
        codes.read(&[0, 1]).unwrap();
        assert_eq!((codes.get(0), codes.get(0x8000)), (Some((1, 1)), None));
        let sixteen: Vec<u8> = (1..=16).chain([16]).collect();
        codes.read(&sixteen).unwrap();
        assert_eq!((codes.get(0xffff), codes.get(0xfffe)), (Some((16, 16)), Some((15, 16))));
        assert!(codes.read(&[1, 1, 1]).is_none());
        assert!(codes.read(&[17]).is_none());
    }
}
