//! The row as users see it.
//!
//! Keys keep their order and never change their meaning; there are only additions. What is not known is `null`, never
//! invented.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::model::{Event, FileReference, Locator, Meaning, Value, Values};

/// One row; borrowed from an event.
pub(super) struct Row<'a> {
    pub(super) event: &'a Event,
    pub(super) host: Option<&'a str>,
    /// Absent while the id itself is computed.
    pub(super) id: Option<&'a str>,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &event.time.map(|t| t.to_string()))?;
        map.serialize_entry("meaning", &Names(event.meaning))?;
        map.serialize_entry("event", event.descriptor.name)?;
        map.serialize_entry("artifact", event.artifact)?;
        map.serialize_entry("message", &event.message())?;
        map.serialize_entry("host", &self.host)?;
        map.serialize_entry("user", &event.user)?;
        map.serialize_entry("state", event.state.name())?;
        map.serialize_entry("values", &Columns { event })?;
        let also_in = if self.id.is_some() { event.origin.also_in.as_slice() } else { &[] };
        map.serialize_entry("origin", &Place { locator: &event.origin.locator, offset: event.origin.offset, also_in })?;
        if let Some(id) = self.id {
            map.serialize_entry("id", id)?;
        }
        map.end()
    }
}

struct Names(Meaning);

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.names())
    }
}

/// The values in the order in which the descriptor declares them.
struct Columns<'a> {
    event: &'a Event,
}

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in in_order(self.event.descriptor.fields, &self.event.values) {
            map.serialize_entry(name, &Json(value))?;
        }
        map.end()
    }
}

/// Declared fields that have a value, in their declared order.
pub(super) fn in_order<'a>(
    fields: &'static [crate::model::Field],
    values: &'a Values,
) -> impl Iterator<Item = (&'static str, &'a Value)> {
    fields.iter().filter_map(|field| values.get(field.name).map(|value| (field.name, value)))
}

/// A value as JSON.
pub(super) struct Json<'a>(pub(super) &'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Number(n) => serializer.serialize_u64(*n),
            Value::Signed(n) => serializer.serialize_i64(*n),
            Value::Float(n) => serializer.serialize_f64(*n),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Time(_) | Value::Bytes(_) => serializer.collect_str(self.0),
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Json(item))?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    map.serialize_entry(name, &Json(value))?;
                }
                map.end()
            }
            Value::Null => serializer.serialize_none(),
        }
    }
}

struct Place<'a> {
    locator: &'a Locator,
    offset: Option<u64>,
    /// Left out of the id: a row keeps its name whether shadow copies are read or not.
    also_in: &'a [u32],
}

impl Serialize for Place<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = self.locator;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("image", &at.image)?;
        map.serialize_entry("volume", &at.volume)?;
        map.serialize_entry("snapshot", &at.snapshot)?;
        map.serialize_entry("path", &at.path)?;
        map.serialize_entry("stream", &at.stream)?;
        map.serialize_entry("record", &at.record.map(|r: FileReference| r.to_string()))?;
        map.serialize_entry("offset", &self.offset)?;
        if !self.also_in.is_empty() {
            map.serialize_entry("also_in_snapshots", self.also_in)?;
        }
        map.end()
    }
}

/// A stable name for a row: the first 16 bytes of the SHA-256 of its origin and content, as hex. The same evidence read by
/// the same version gives the same name, however the image was packed and on however many threads.
pub fn row_id(event: &Event, host: Option<&str>) -> String {
    let mut bytes = Vec::new();
    // Memory takes every byte, and a row holds nothing that JSON can't show.
    let _ = super::json::line(&Row { event, host, id: None }, &mut bytes);
    id_of(&bytes)
}

/// The id of a row that was written without one.
pub(super) fn id_of(row: &[u8]) -> String {
    // As one number: the standard library's formatting costs much more for single bytes.
    let first = Sha256::digest(row).first_chunk().map_or(0, |first| u128::from_be_bytes(*first));
    format!("{first:032x}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Descriptor, Origin, State};

    static DESCRIPTOR: Descriptor =
        Descriptor { name: "test:test:test", doc: "", message: "", data_type: None, fields: &[] };

    /// The copies that share a row are told in it, but its id does not change with them; a row from a copy is another one.
    #[test]
    fn shadow_copies_of_a_row() {
        let row = |snapshot, also_in: &[u32]| {
            let locator = Arc::new(Locator { snapshot, path: r"\x".to_owned(), ..Locator::default() });
            let event = Event {
                time: None,
                meaning: Meaning::default(),
                artifact: "test",
                descriptor: &DESCRIPTOR,
                values: Values::new(),
                user: None,
                state: State::Live,
                origin: Origin { locator, offset: None, also_in: also_in.to_vec() },
            };
            let id = row_id(&event, None);
            (serde_json::to_value(Row { event: &event, host: None, id: Some(&id) }).unwrap(), id)
        };
        let (live, id) = row(None, &[]);
        let (shared, same) = row(None, &[1, 3]);
        let (copy, other) = row(Some(1), &[]);
        assert_eq!(live["origin"].get("also_in_snapshots"), None);
        assert_eq!(shared["origin"]["also_in_snapshots"], serde_json::json!([1, 3]));
        assert_eq!(copy["origin"]["snapshot"], 1);
        assert_eq!(id, same);
        assert_ne!(id, other);
    }
}
