//! Serialized property stores: typed values under property keys, as links, shell items and other shell data hold them.
//!
//! A store is a row of storages, one for each format identifier, and ends with a size of 0.
//!
//! | offset | size | serialized property storage |
//! |---|---|---|
//! | 0 | 4 | size of the storage with this field; 0 ends the store |
//! | 4 | 4 | `1SPS` (0x53505331) |
//! | 8 | 16 | format identifier; `d5cdd505-…` means that properties bear names |
//! | 24 | … | values, ended by a size of 0 |
//!
//! | offset | size | serialized property value |
//! |---|---|---|
//! | 0 | 4 | size of the value with this field |
//! | 4 | 4 | property identifier, or the name's size in bytes |
//! | 8 | 1 | reserved |
//! | 9 | … | name (UTF-16), if properties bear names |
//! | … | 2+2 | type (`VT_*`), padding |
//! | … | … | value |
//!
//! Source: Microsoft, MS-PROPSTORE 2; MS-OLEPS 2.15 (typed values). Times are FILETIMEs in UTC, 100 ns.

use super::shell_names;
use crate::bytes::{Cursor, FormatError, text};
use crate::model::{Timestamp, Value};

/// `1SPS`.
const MAGIC: u32 = 0x5350_5331;
/// Storages of this format identifier name their properties.
const NAMED: &str = "d5cdd505-2e9c-101b-9397-08002b2cf9ae";
/// A vector may claim any length; real ones are short, and this keeps memory in proportion to the evidence.
const MAX_VECTOR: u32 = 65_536;

/// One property.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// Format identifier, a GUID in lower case.
    pub format_id: String,
    /// Which property of that format.
    pub key: Key,
    /// The value. A type that is not decoded is kept as bytes.
    pub value: Value,
}

/// What tells a property from others of the same format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// By number.
    Id(u32),
    /// By name.
    Name(String),
}

impl Property {
    /// The canonical name, or `{format}/number` where none is known.
    pub fn name(&self) -> String {
        match &self.key {
            Key::Id(id) => shell_names::property(&self.format_id, *id)
                .map_or_else(|| format!("{{{}}}/{id}", self.format_id), str::to_owned),
            Key::Name(name) => name.clone(),
        }
    }
}

/// What could be read of a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertyStore {
    /// All properties in their order.
    pub properties: Vec<Property>,
    /// What could not be read.
    pub faults: Vec<FormatError>,
    /// Bytes that the store takes up, its ending size field included if there is one.
    pub len: usize,
}

impl PropertyStore {
    /// The property with that canonical name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|p| p.name() == name).map(|p| &p.value)
    }
}

/// Reads a store that begins at the start of `data`. `base` is the offset of `data` in its stream.
pub fn read(data: &[u8], base: u64) -> PropertyStore {
    let mut store = PropertyStore::default();
    let mut cursor = Cursor::new(data, "property storage", base);
    // Every storage takes at least four bytes, so this ends.
    while cursor.remaining() >= 4 {
        let start = cursor.position();
        let offset = cursor.offset();
        let size = cursor.u32().unwrap_or(0);
        if size == 0 {
            break;
        }
        match storage_bytes(data, start, size, offset) {
            Ok(storage) => {
                read_storage(storage, offset, &mut store);
                cursor.seek(start.saturating_add(storage.len()));
            }
            Err(fault) => {
                store.faults.push(fault);
                cursor.seek(data.len());
            }
        }
    }
    store.len = cursor.position().min(data.len());
    store
}

fn storage_bytes(data: &[u8], start: usize, size: u32, offset: u64) -> Result<&[u8], FormatError> {
    const WHAT: &str = "property storage";
    let wanted = usize::try_from(size).unwrap_or(usize::MAX);
    let storage = data.get(start..).and_then(|rest| rest.get(..wanted)).ok_or(FormatError::Short {
        what: WHAT,
        offset,
        needed: size.into(),
        available: data.len().saturating_sub(start) as u64,
    })?;
    let mut cursor = Cursor::new(storage, WHAT, offset);
    cursor.skip(4)?;
    let magic = cursor.array::<4>()?;
    if u32::from_le_bytes(magic) != MAGIC {
        let expected = MAGIC.to_le_bytes().to_vec();
        return Err(FormatError::Signature { what: WHAT, offset, expected, actual: magic.to_vec() });
    }
    Ok(storage)
}

fn read_storage(storage: &[u8], offset: u64, store: &mut PropertyStore) {
    let mut cursor = Cursor::new(storage, "property value", offset);
    cursor.seek(8);
    let format_id = match cursor.array() {
        Ok(guid) => text::guid(&guid),
        Err(fault) => return store.faults.push(fault),
    };
    while cursor.remaining() >= 4 {
        let at = cursor.offset();
        let size = cursor.u32().unwrap_or(0);
        if size == 0 {
            break;
        }
        let body = usize::try_from(size).ok().and_then(|n| n.checked_sub(4));
        let Some(body) = body.and_then(|n| cursor.take(n).ok()) else {
            let available = cursor.remaining() as u64;
            store.faults.push(FormatError::Short {
                what: "property value",
                offset: at,
                needed: size.into(),
                available,
            });
            break;
        };
        match read_value(body, at.saturating_add(4), &format_id) {
            Ok(property) => store.properties.push(property),
            Err(fault) => store.faults.push(fault),
        }
    }
}

fn read_value(body: &[u8], base: u64, format_id: &str) -> Result<Property, FormatError> {
    let mut cursor = Cursor::new(body, "property value", base);
    let number = cursor.u32()?;
    cursor.skip(1)?;
    let key = if format_id == NAMED {
        let name = cursor.take(usize::try_from(number).unwrap_or(usize::MAX))?;
        Key::Name(text::from_utf16le_until_nul(name))
    } else {
        Key::Id(number)
    };
    Ok(Property { format_id: format_id.to_owned(), key, value: typed(&mut cursor)? })
}

/// A `TypedPropertyValue`: type, padding, value.
fn typed(cursor: &mut Cursor<'_>) -> Result<Value, FormatError> {
    /// `VT_VECTOR`.
    const VECTOR: u16 = 0x1000;
    let kind = cursor.u16()?;
    cursor.skip(2)?;
    if kind & VECTOR == 0 {
        return scalar(cursor, kind, false);
    }
    let element = kind & !VECTOR;
    let offset = cursor.offset();
    let count = cursor.u32()?;
    // VT_UI1: a vector of bytes is bytes.
    if element == 0x11 {
        return Ok(Value::Bytes(cursor.take(usize::try_from(count).unwrap_or(usize::MAX))?.to_vec()));
    }
    if count > MAX_VECTOR {
        let (value, limit) = (count.into(), MAX_VECTOR.into());
        return Err(FormatError::Limit { what: "property vector", offset, value, limit });
    }
    let mut items = Vec::new();
    for _ in 0..count {
        // Every element takes at least one byte; without any left the count is a lie.
        if cursor.remaining() == 0 {
            return Err(FormatError::Short { what: "property vector", offset, needed: count.into(), available: 0 });
        }
        items.push(scalar(cursor, element, true)?);
    }
    Ok(Value::List(items))
}

/// One value of a plain type. In vectors, texts and blobs are padded to four bytes.
fn scalar(cursor: &mut Cursor<'_>, kind: u16, padded: bool) -> Result<Value, FormatError> {
    let value = match kind {
        // VT_EMPTY, VT_NULL
        0x00 | 0x01 => Value::Null,
        // VT_I2, VT_I4, VT_I8, VT_I1, VT_INT
        0x02 => Value::Signed(i16::from_le_bytes(cursor.array()?).into()),
        0x03 | 0x16 => Value::Signed(i32::from_le_bytes(cursor.array()?).into()),
        0x14 => Value::Signed(i64::from_le_bytes(cursor.array()?)),
        0x10 => Value::Signed(i8::from_le_bytes(cursor.array()?).into()),
        // VT_R4, VT_R8
        0x04 => Value::Float(f32::from_le_bytes(cursor.array()?).into()),
        0x05 => Value::Float(f64::from_le_bytes(cursor.array()?)),
        // VT_BOOL
        0x0b => Value::Bool(cursor.u16()? != 0),
        // VT_UI1, VT_UI2, VT_UI4, VT_ERROR, VT_UINT, VT_UI8
        0x11 => Value::Number(cursor.u8()?.into()),
        0x12 => Value::Number(cursor.u16()?.into()),
        0x0a | 0x13 | 0x17 => Value::Number(cursor.u32()?.into()),
        0x15 => Value::Number(cursor.u64()?),
        // VT_LPWSTR: a count of units
        0x1f => {
            let units = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
            let bytes = cursor.take(units.saturating_mul(2))?;
            skip_padding(cursor, bytes.len(), padded);
            Value::from(text::from_utf16le_until_nul(bytes))
        }
        // VT_BSTR: a count of bytes. Shell code stores UTF-16 in it.
        0x08 => {
            let bytes = counted(cursor)?;
            skip_padding(cursor, bytes.len(), padded);
            Value::from(text::from_utf16le_until_nul(bytes))
        }
        // VT_LPSTR: a count of bytes
        0x1e => {
            let bytes = counted(cursor)?;
            skip_padding(cursor, bytes.len(), padded);
            Value::from(text::from_ansi_until_nul(bytes))
        }
        // VT_FILETIME
        0x40 => Timestamp::from_filetime_field(cursor.u64()?).map_or(Value::Null, Value::Time),
        // VT_CLSID
        0x48 => Value::from(text::guid(&cursor.array()?)),
        // VT_BLOB, VT_BLOB_OBJECT, VT_CF
        0x41 | 0x46 | 0x47 => {
            let bytes = counted(cursor)?;
            skip_padding(cursor, bytes.len(), padded);
            Value::Bytes(bytes.to_vec())
        }
        // Streams, storages, currency, variants, arrays …: what is there, as it is.
        _ => Value::Bytes(cursor.take(cursor.remaining())?.to_vec()),
    };
    Ok(value)
}

fn counted<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], FormatError> {
    let n = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
    cursor.take(n)
}

/// The padding may be missing behind the last element.
fn skip_padding(cursor: &mut Cursor<'_>, len: usize, padded: bool) {
    let padding = len.wrapping_neg() & 3;
    if padded {
        let _ = cursor.skip(padding.min(cursor.remaining()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(format: [u8; 16], values: &[Vec<u8>]) -> Vec<u8> {
        let mut body = b"1SPS".to_vec();
        body.extend(format);
        for value in values {
            body.extend((value.len() as u32 + 4).to_le_bytes());
            body.extend(value);
        }
        body.extend([0; 4]);
        let mut out = (body.len() as u32 + 4).to_le_bytes().to_vec();
        out.extend(body);
        out
    }

    fn value(id: u32, kind: u16, bytes: &[u8]) -> Vec<u8> {
        let mut v = id.to_le_bytes().to_vec();
        v.push(0);
        v.extend(kind.to_le_bytes());
        v.extend([0; 2]);
        v.extend(bytes);
        v
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    fn lpwstr(text: &str) -> Vec<u8> {
        let mut out = (text.encode_utf16().count() as u32 + 1).to_le_bytes().to_vec();
        out.extend(wide(text));
        out
    }

    /// 9f4c2855-9f79-4b39-a8d0-e1d42de1d5f3 as stored.
    const APP_USER_MODEL: [u8; 16] =
        [0x55, 0x28, 0x4c, 0x9f, 0x79, 0x9f, 0x39, 0x4b, 0xa8, 0xd0, 0xe1, 0xd4, 0x2d, 0xe1, 0xd5, 0xf3];

    #[test]
    fn every_type_is_read_by_its_rule() {
        let mut list = 2u32.to_le_bytes().to_vec();
        for item in ["ab", "c"] {
            let mut text = lpwstr(item);
            text.resize(text.len().next_multiple_of(4), 0);
            list.extend(text);
        }
        let values = [
            value(5, 0x1f, &lpwstr("Microsoft.Windows.Explorer")),
            value(100, 0x13, &7u32.to_le_bytes()),
            value(101, 0x15, &(1u64 << 40).to_le_bytes()),
            value(102, 0x03, &(-2i32).to_le_bytes()),
            value(103, 0x0b, &[0xff, 0xff]),
            value(104, 0x40, &129_782_124_559_329_556u64.to_le_bytes()),
            value(105, 0x48, &APP_USER_MODEL),
            value(106, 0x101f, &list),
            value(107, 0x1011, &[3, 0, 0, 0, 9, 8, 7]),
            value(108, 0x4711, &[1, 2, 3]),
            value(109, 0x40, &[0; 8]),
        ];
        let bytes = storage(APP_USER_MODEL, &values);
        let store = read(&bytes, 0);
        assert_eq!(store.faults, []);
        let got: Vec<_> = store.properties.iter().map(|p| p.value.clone()).collect();
        assert_eq!(
            got,
            [
                Value::from("Microsoft.Windows.Explorer"),
                Value::Number(7),
                Value::Number(1 << 40),
                Value::Signed(-2),
                Value::Bool(true),
                Value::Time(Timestamp::parse("2012-04-06T19:00:55.9329556Z").unwrap()),
                Value::from("9f4c2855-9f79-4b39-a8d0-e1d42de1d5f3"),
                Value::List(vec!["ab".into(), "c".into()]),
                Value::Bytes(vec![9, 8, 7]),
                Value::Bytes(vec![1, 2, 3]),
                Value::Null,
            ]
        );
        assert_eq!(store.properties[0].name(), "System.AppUserModel.ID");
        assert_eq!(store.properties[1].name(), "{9f4c2855-9f79-4b39-a8d0-e1d42de1d5f3}/100");
        assert_eq!(store.get("System.AppUserModel.ID"), Some(&Value::from("Microsoft.Windows.Explorer")));
    }

    #[test]
    fn named_properties_and_several_storages() {
        let named: [u8; 16] =
            [0x05, 0xd5, 0xcd, 0xd5, 0x9c, 0x2e, 0x1b, 0x10, 0x93, 0x97, 0x08, 0x00, 0x2b, 0x2c, 0xf9, 0xae];
        let name = wide("Condition");
        let mut v = (name.len() as u32).to_le_bytes().to_vec();
        v.push(0);
        v.extend(&name);
        v.extend([0x13, 0, 0, 0, 4, 0, 0, 0]);
        let mut bytes = storage(named, &[v]);
        bytes.extend(storage(APP_USER_MODEL, &[value(9, 0x0b, &[0, 0])]));
        let end = bytes.len() + 4;
        bytes.extend([0; 4]);
        bytes.extend(b"behind");
        let store = read(&bytes, 0);
        assert_eq!(store.faults, []);
        assert_eq!(store.len, end);
        assert_eq!(store.properties[0].name(), "Condition");
        assert_eq!(store.properties[0].value, Value::Number(4));
        assert_eq!(store.properties[1].value, Value::Bool(false));
    }

    /// One bad value does not lose its neighbours, and a vector can't claim more than is there.
    #[test]
    fn a_bad_value_does_not_lose_the_next() {
        let values = [
            value(2, 0x1f, &[0xff, 0xff, 0xff, 0xff, 0, 0]),
            value(3, 0x101f, &[0xff, 0xff, 0, 0]),
            value(4, 0x13, &[1, 0, 0, 0]),
        ];
        let store = read(&storage(APP_USER_MODEL, &values), 0x100);
        assert_eq!(store.properties.len(), 1);
        assert_eq!(store.faults.len(), 2);
        assert!(store.faults.iter().all(|f| f.offset() >= 0x100));
    }

    #[test]
    fn cut_or_changed_stores_do_no_harm() {
        let good =
            storage(APP_USER_MODEL, &[value(5, 0x1f, &lpwstr("a")), value(6, 0x101f, &[1, 0, 0, 0, 1, 0, 0, 0])]);
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        for _ in 0..3000 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % bytes.len();
                bytes[at] = (seed >> 16) as u8;
            }
            bytes.truncate((seed >> 40) as usize % (good.len() + 1));
            assert!(read(&bytes, 0).len <= bytes.len());
        }
    }
}
