//! Little-endian fields at known places of a slice, for structures that are read by their table of offsets. What lies
//! behind the end is not there: `None`. Where a missing field is a fault that has to be named, use [`super::Cursor`].

/// `N` bytes at `at`.
pub fn array_at<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// One byte at `at`.
pub fn u8_at(data: &[u8], at: usize) -> Option<u8> {
    data.get(at).copied()
}

/// Two bytes at `at`.
pub fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    array_at(data, at).map(u16::from_le_bytes)
}

/// Four bytes at `at`.
pub fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    array_at(data, at).map(u32::from_le_bytes)
}

/// Eight bytes at `at`.
pub fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    array_at(data, at).map(u64::from_le_bytes)
}

/// As many bytes at `at` as `len` says; of more than eight the first eight count.
pub fn uint_at(data: &[u8], at: usize, len: usize) -> Option<u64> {
    let field = data.get(at..at.checked_add(len)?)?;
    Some(field.iter().take(8).rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_the_end_is_not_there() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(u8_at(&data, 7), Some(8));
        assert_eq!(u16_at(&data, 6), Some(0x0807));
        assert_eq!(u16_at(&data, 7), None);
        assert_eq!(u32_at(&data, 4), Some(0x0807_0605));
        assert_eq!(u64_at(&data, 0), Some(0x0807_0605_0403_0201));
        assert_eq!(u64_at(&data, usize::MAX), None);
        assert_eq!((uint_at(&data, 5, 3), uint_at(&data, 6, 3)), (Some(0x08_0706), None));
    }
}
