//! Makes NTFS structures for tests, byte by byte from the tables in [`super::mft`] and [`super::index`].

use super::mft::attribute_type as kind;

/// Bytes of a record, and of an index block.
pub(crate) const RECORD: usize = 1024;

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(crate) fn reference(record: u64, sequence: u16) -> u64 {
    record | u64::from(sequence) << 48
}

fn put(data: &mut [u8], at: usize, bytes: &[u8]) {
    data[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Moves the last two bytes of each 512-byte stride into an update sequence at `place`.
pub(crate) fn protect(data: &mut [u8], place: usize) {
    let strides = data.len() / 512;
    put(data, 4, &(place as u16).to_le_bytes());
    put(data, 6, &(strides as u16 + 1).to_le_bytes());
    put(data, place, &[0x5a, 0xa5]);
    for stride in 0..strides {
        let end = stride * 512 + 510;
        let word = [data[end], data[end + 1]];
        put(data, place + 2 + stride * 2, &word);
        put(data, end, &[0x5a, 0xa5]);
    }
}

/// What differs between records.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    pub(crate) number: u32,
    pub(crate) sequence: u16,
    /// 1 in use, 2 directory.
    pub(crate) flags: u16,
    pub(crate) base: u64,
}

/// An MFT record that is protected already.
pub(crate) fn record(head: Head, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut data = vec![0; RECORD];
    put(&mut data, 0, b"FILE");
    put(&mut data, 8, &77u64.to_le_bytes());
    put(&mut data, 16, &head.sequence.to_le_bytes());
    put(&mut data, 18, &1u16.to_le_bytes());
    put(&mut data, 20, &56u16.to_le_bytes());
    put(&mut data, 22, &head.flags.to_le_bytes());
    put(&mut data, 28, &(RECORD as u32).to_le_bytes());
    put(&mut data, 32, &head.base.to_le_bytes());
    put(&mut data, 44, &head.number.to_le_bytes());
    let mut at = 56;
    for (id, attribute) in attributes.iter().enumerate() {
        put(&mut data, at, attribute);
        put(&mut data, at + 14, &(id as u16).to_le_bytes());
        at += attribute.len();
    }
    put(&mut data, at, &[0xff; 4]);
    put(&mut data, 24, &(at as u32 + 8).to_le_bytes());
    protect(&mut data, 48);
    data
}

fn padded(mut data: Vec<u8>) -> Vec<u8> {
    data.resize(data.len().next_multiple_of(8), 0);
    let len = data.len() as u32;
    put(&mut data, 4, &len.to_le_bytes());
    data
}

pub(crate) fn resident(type_code: u32, name: &str, value: &[u8]) -> Vec<u8> {
    let name_bytes = utf16(name);
    let start = (24 + name_bytes.len()).next_multiple_of(8);
    let mut data = vec![0; start];
    put(&mut data, 0, &type_code.to_le_bytes());
    data[9] = (name_bytes.len() / 2) as u8;
    put(&mut data, 10, &24u16.to_le_bytes());
    put(&mut data, 16, &(value.len() as u32).to_le_bytes());
    put(&mut data, 20, &(start as u16).to_le_bytes());
    put(&mut data, 24, &name_bytes);
    data.extend(value);
    padded(data)
}

/// A non-resident attribute, or one extent of it.
#[derive(Clone, Copy)]
pub(crate) struct Extent<'a> {
    pub(crate) type_code: u32,
    pub(crate) name: &'a str,
    pub(crate) flags: u16,
    pub(crate) lowest: u64,
    pub(crate) highest: u64,
    pub(crate) unit: u8,
    pub(crate) allocated: u64,
    pub(crate) size: u64,
    pub(crate) initialized: u64,
    /// Mapping pairs with the zero at their end.
    pub(crate) pairs: &'a [u8],
}

impl Default for Extent<'_> {
    fn default() -> Self {
        Self {
            type_code: kind::DATA,
            name: "",
            flags: 0,
            lowest: 0,
            highest: 0,
            unit: 0,
            allocated: 0,
            size: 0,
            initialized: 0,
            pairs: &[0],
        }
    }
}

pub(crate) fn extent(extent: Extent<'_>) -> Vec<u8> {
    let name_bytes = utf16(extent.name);
    let start = (72 + name_bytes.len()).next_multiple_of(8);
    let mut data = vec![0; start];
    put(&mut data, 0, &extent.type_code.to_le_bytes());
    data[8] = 1;
    data[9] = (name_bytes.len() / 2) as u8;
    put(&mut data, 10, &72u16.to_le_bytes());
    put(&mut data, 12, &extent.flags.to_le_bytes());
    put(&mut data, 16, &extent.lowest.to_le_bytes());
    put(&mut data, 24, &extent.highest.to_le_bytes());
    put(&mut data, 32, &(start as u16).to_le_bytes());
    data[34] = extent.unit;
    put(&mut data, 40, &extent.allocated.to_le_bytes());
    put(&mut data, 48, &extent.size.to_le_bytes());
    put(&mut data, 56, &extent.initialized.to_le_bytes());
    put(&mut data, 64, &(extent.allocated / 2).to_le_bytes());
    put(&mut data, 72, &name_bytes);
    data.extend(extent.pairs);
    padded(data)
}

/// `$STANDARD_INFORMATION` with the times 1 (created), 2 (modified), 3 (changed), 4 (accessed).
pub(crate) fn standard_information(attributes: u32) -> Vec<u8> {
    let mut value = vec![0; 72];
    (1u64..=4).for_each(|n| put(&mut value, n as usize * 8 - 8, &n.to_le_bytes()));
    put(&mut value, 32, &attributes.to_le_bytes());
    put(&mut value, 52, &0x103u32.to_le_bytes());
    put(&mut value, 64, &0x2000u64.to_le_bytes());
    resident(kind::STANDARD_INFORMATION, "", &value)
}

/// The value of a `$FILE_NAME` with the times 11 to 14.
pub(crate) fn file_name_value(parent: u64, name: &str, namespace: u8) -> Vec<u8> {
    let mut value = vec![0; 66];
    put(&mut value, 0, &parent.to_le_bytes());
    (1u64..=4).for_each(|n| put(&mut value, n as usize * 8, &(n + 10).to_le_bytes()));
    value[64] = name.encode_utf16().count() as u8;
    value[65] = namespace;
    value.extend(utf16(name));
    value
}

pub(crate) fn file_name(parent: u64, name: &str, namespace: u8) -> Vec<u8> {
    resident(kind::FILE_NAME, "", &file_name_value(parent, name, namespace))
}

pub(crate) fn list_entry(type_code: u32, name: &str, lowest: u64, reference: u64) -> Vec<u8> {
    let name_bytes = utf16(name);
    let mut data = vec![0; 26];
    put(&mut data, 0, &type_code.to_le_bytes());
    data[6] = (name_bytes.len() / 2) as u8;
    data[7] = 26;
    put(&mut data, 8, &lowest.to_le_bytes());
    put(&mut data, 16, &reference.to_le_bytes());
    data.extend(name_bytes);
    data.resize(data.len().next_multiple_of(8), 0);
    let len = data.len() as u16;
    put(&mut data, 4, &len.to_le_bytes());
    data
}

/// An index entry; the last one of a node has no key.
pub(crate) fn index_entry(reference: u64, key: Option<&[u8]>, child: Option<u64>) -> Vec<u8> {
    let mut data = vec![0; 16];
    put(&mut data, 0, &reference.to_le_bytes());
    let key_len = key.map_or(0, <[u8]>::len) as u16;
    put(&mut data, 10, &key_len.to_le_bytes());
    put(&mut data, 12, &(u16::from(child.is_some()) | u16::from(key.is_none()) << 1).to_le_bytes());
    data.extend(key.unwrap_or_default());
    data.resize(data.len().next_multiple_of(8), 0);
    data.extend(child.map(u64::to_le_bytes).unwrap_or_default().iter().take(if child.is_some() { 8 } else { 0 }));
    let len = data.len() as u16;
    put(&mut data, 8, &len.to_le_bytes());
    data
}

fn node(entries: &[Vec<u8>], first: u32, space: u32) -> Vec<u8> {
    let len: usize = entries.iter().map(Vec::len).sum();
    let mut data = vec![0; 16];
    put(&mut data, 0, &first.to_le_bytes());
    put(&mut data, 4, &(first + len as u32).to_le_bytes());
    put(&mut data, 8, &space.to_le_bytes());
    // 1 = has children.
    data[12] = u8::from(entries.iter().any(|entry| entry[12] & 1 != 0));
    data.resize(first as usize, 0);
    data.extend(entries.concat());
    data
}

/// The value of `$INDEX_ROOT` of a directory.
pub(crate) fn index_root(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut data = vec![0; 16];
    put(&mut data, 0, &kind::FILE_NAME.to_le_bytes());
    put(&mut data, 4, &1u32.to_le_bytes());
    put(&mut data, 8, &(RECORD as u32).to_le_bytes());
    data.extend(node(entries, 16, 0));
    data
}

/// An index block that is protected already.
pub(crate) fn index_block(vcn: u64, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut data = vec![0; 24];
    put(&mut data, 0, b"INDX");
    put(&mut data, 16, &vcn.to_le_bytes());
    data.extend(node(entries, 24, RECORD as u32 - 24));
    data.resize(RECORD, 0);
    protect(&mut data, 40);
    data
}

/// Numbers that look random and are the same in each run (xorshift64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}
