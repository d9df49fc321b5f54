//! Update sequences: how NTFS finds torn multi-sector records (`FILE`, `INDX`, `RCRD`, `RSTR`).
//!
//! The last two bytes of each 512-byte stride are moved into an array in the record's head and replaced by a number that
//! changes at every write. A stride that does not end in that number was written at another time than the head.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 4 | 2 | offset of the array |
//! | 6 | 2 | its length in 16-bit words: the number, then one word per stride |
//!
//! The stride is 512 bytes on every disk, also on those with sectors of 4096 bytes.
//! Source: Microsoft, "MULTI_SECTOR_HEADER structure" (DevIO, Master File Table).

/// Bytes protected by one word.
const STRIDE: usize = 512;

/// Puts the moved words back, in place. False if the record is torn or damaged; a stride that does not end in the record's
/// number keeps its bytes, since nobody can say whose word the array holds.
pub fn apply(record: &mut [u8]) -> bool {
    let Some((start, count)) = array(record) else { return false };
    let Some(number) = word(record, start) else { return false };
    let strides = record.len() / STRIDE;
    let mut good = count == strides.saturating_add(1);
    for stride in 0..strides.min(count.saturating_sub(1)) {
        let end = stride.saturating_mul(STRIDE).saturating_add(STRIDE);
        let moved = word(record, start.saturating_add(stride.saturating_mul(2)).saturating_add(2));
        match (moved, record.get_mut(end.saturating_sub(2)..end)) {
            (Some(moved), Some(place)) if *place == number => place.copy_from_slice(&moved),
            _ => good = false,
        }
    }
    good
}

/// True if [`apply`] would find the record whole.
pub fn is_whole(record: &[u8]) -> bool {
    let Some((start, count)) = array(record) else { return false };
    let number = word(record, start);
    let strides = record.len() / STRIDE;
    number.is_some()
        && count == strides.saturating_add(1)
        && record.chunks_exact(STRIDE).all(|stride| word(stride, STRIDE.saturating_sub(2)) == number)
}

fn array(record: &[u8]) -> Option<(usize, usize)> {
    let start = usize::from(u16::from_le_bytes(word(record, 4)?));
    let count = usize::from(u16::from_le_bytes(word(record, 6)?));
    let end = start.checked_add(count.checked_mul(2)?)?;
    (count > 0 && start >= 8 && end <= record.len()).then_some((start, count))
}

fn word(data: &[u8], at: usize) -> Option<[u8; 2]> {
    data.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of two strides with the number 0x0102 and the words "ab" and "cd" moved into its array at 8.
    fn record() -> Vec<u8> {
        let mut record = vec![0u8; 1024];
        record[4..8].copy_from_slice(&[8, 0, 3, 0]);
        record[8..14].copy_from_slice(b"\x02\x01abcd");
        record[510..512].copy_from_slice(&[2, 1]);
        record[1022..].copy_from_slice(&[2, 1]);
        record
    }

    #[test]
    fn words_go_back() {
        let mut whole = record();
        assert!(is_whole(&whole));
        assert!(apply(&mut whole));
        assert_eq!((&whole[510..512], &whole[1022..]), (&b"ab"[..], &b"cd"[..]));
    }

    #[test]
    fn a_torn_stride_keeps_its_bytes_and_the_others_are_put_back() {
        let mut torn = record();
        torn[1022..].copy_from_slice(b"zz");
        assert!(!is_whole(&torn));
        assert!(!apply(&mut torn));
        assert_eq!((&torn[510..512], &torn[1022..]), (&b"ab"[..], &b"zz"[..]));
    }

    #[test]
    fn an_array_that_lies_outside_is_refused() {
        for head in [[0xff, 0xff, 3, 0], [8, 0, 0xff, 0xff], [8, 0, 0, 0], [0, 0, 3, 0], [8, 0, 2, 0]] {
            let mut record = record();
            record[4..8].copy_from_slice(&head);
            assert!(!is_whole(&record), "{head:?}");
            assert!(!apply(&mut record), "{head:?}");
        }
        assert!(!apply(&mut []));
        assert!(!apply(&mut [0; 9]));
    }
}
