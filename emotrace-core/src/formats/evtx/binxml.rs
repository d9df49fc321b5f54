//! BinXml: the records of one chunk as typed values.
//!
//! A record is one instance of a template: the template's elements stand once in the chunk, the record brings the values
//! that fill them. One of these values is as a rule an instance in turn, which makes up `EventData` or `UserData`.
//!
//! What is unusual is not read here ([`Stop::Unusual`]); the caller then has the record read by the crate.

use std::collections::HashSet;
use std::io::Write;
use std::rc::Rc;

use smol_str::format_smolstr;

use super::EvtxRecord;
use crate::bytes::{Cursor, text};
use crate::model::{SmolStr, Timestamp, Value};

/// Deepest nesting of elements and of BinXml values. Real records stay below 10.
const MAX_DEPTH: u32 = 48;
/// Work that one chunk may cost, about in bytes of its output. A real chunk of 64 KiB stays below 2 MB; a made one can
/// place the same value many thousand times.
const CHUNK_BUDGET: usize = 16 << 20;

/// Why a record is not read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its shape is not the usual one, or it is damaged.
    Unusual,
    /// It would cost too much.
    TooMuch,
}

/// Reads the records of one chunk.
pub(super) struct Reader<'c> {
    chunk: &'c [u8],
    /// Elements by the offset of their template; `None` for one that can't be read.
    templates: Vec<(usize, Option<Rc<Vec<Element>>>)>,
    budget: usize,
    /// One text at a time, before it goes to where it is kept.
    scratch: Vec<u8>,
    /// By [`Field`].
    last: Vec<Last>,
    /// Lists of values whose instance is read, to be used again.
    spare: Vec<Vec<Slot<'c>>>,
    /// Elements without their names were met.
    damaged: bool,
    /// The record lies in unused space, where the template that it names may be damaged.
    recovered: bool,
}

/// The last text of a field and what it was made from. Most records of a log name one channel, computer and account.
#[derive(Clone, Default)]
struct Last {
    kind: u8,
    bytes: Vec<u8>,
    text: SmolStr,
}

/// The values of one template instance.
struct Instance<'c> {
    values: Vec<Slot<'c>>,
    depth: u32,
}

/// A value as it is stored.
#[derive(Clone, Copy)]
struct Slot<'c> {
    kind: u8,
    /// Place in the chunk.
    offset: usize,
    bytes: &'c [u8],
}

/// Names that records do not bring along.
const DATA: SmolStr = SmolStr::new_static("Data");
const VALUES: SmolStr = SmolStr::new_static("values");
const TEXT: SmolStr = SmolStr::new_static("#text");
const NO_NAME: SmolStr = SmolStr::new_static("");

const NULL: u8 = 0x00;
const BINXML: u8 = 0x21;

impl<'c> Instance<'c> {
    fn get(&self, index: u16) -> Option<Slot<'c>> {
        self.values.get(usize::from(index)).copied()
    }

    /// MS-EVEN6 2.2.12: an element that depends on a null value is not there.
    fn leaves_out(&self, element: &Element) -> bool {
        element.dependency.and_then(|index| self.get(index)).is_some_and(|value| value.kind == NULL)
    }

    /// The value, if it brings elements along.
    fn fragment(&self, piece: &Piece) -> Option<Slot<'c>> {
        match piece {
            Piece::Text(_) => None,
            Piece::Value { index, .. } => self.get(*index).filter(|v| v.kind == BINXML && !v.bytes.is_empty()),
        }
    }
}

impl<'c> Reader<'c> {
    /// For the records of that chunk.
    pub(super) fn new(chunk: &'c [u8]) -> Self {
        Self {
            chunk,
            templates: Vec::new(),
            budget: CHUNK_BUDGET,
            scratch: Vec::new(),
            last: vec![Last::default(); Field::COUNT],
            spare: Vec::new(),
            damaged: false,
            recovered: false,
        }
    }

    /// The chunk.
    pub(super) const fn chunk(&self) -> &'c [u8] {
        self.chunk
    }

    /// Takes from the chunk's budget.
    pub(super) fn pay(&mut self, cost: usize) -> Result<(), Stop> {
        self.budget = self.budget.checked_sub(cost.saturating_add(16)).ok_or(Stop::TooMuch)?;
        Ok(())
    }

    /// Reads the BinXml of one record, which stands between two places.
    pub(super) fn event(&mut self, start: usize, end: usize, out: &mut EvtxRecord) -> Result<(), Stop> {
        self.damaged = false;
        self.recovered = out.recovered;
        let (roots, instance) = self.stream(start, end, 0)?;
        match &**roots {
            [Element { part: Part::Event, children, .. }] => {
                for child in children {
                    match child {
                        Node::Element(element) => self.event_part(element, &instance, out)?,
                        Node::Piece(piece) => match instance.fragment(piece) {
                            Some(value) => self.event_fragment(value, &instance, out)?,
                            None => match self.pieces([piece], &instance)? {
                                Content::Nothing => {}
                                _ => return Err(Stop::Unusual),
                            },
                        },
                    }
                }
            }
            [] if !instance.values.is_empty() => self.loose_values(&instance, out)?,
            _ => return Err(Stop::Unusual),
        }
        out.damaged |= self.damaged;
        self.spare.push(instance.values);
        Ok(())
    }

    fn event_fragment(&mut self, value: Slot<'c>, around: &Instance<'c>, out: &mut EvtxRecord) -> Result<(), Stop> {
        let (roots, instance) = self.fragment(value, around)?;
        if roots.is_empty() {
            return self.loose_values(&instance, out);
        }
        roots.iter().try_for_each(|element| self.event_part(element, &instance, out))?;
        self.spare.push(instance.values);
        Ok(())
    }

    /// Keeps the values of an instance whose template is gone: what they mean is not known any more.
    fn loose_values(&mut self, instance: &Instance<'c>, out: &mut EvtxRecord) -> Result<(), Stop> {
        let mut values = Vec::new();
        for value in &instance.values {
            if value.kind == BINXML && !value.bytes.is_empty() {
                self.event_fragment(*value, instance, out)?;
            } else {
                values.push(self.value(*value)?.value());
            }
        }
        if values.is_empty() { Ok(()) } else { self.rest(out, &VALUES, Content::Many(values)) }
    }

    /// Reads a BinXml stream: one template instance, or elements that stand there themselves.
    ///
    /// | token | content |
    /// |---|---|
    /// | 0f | 3 bytes; may be missing |
    /// | 0c | 1 byte, template id u32, offset of the definition u32, the definition if that offset is here, number of values u32, for each value size u16, type u8, 1 byte; the values |
    /// | 00 | end |
    ///
    /// No elements are given back for an instance whose template was overwritten, as happens in the unused space of a
    /// chunk: another template, or none, stands in its place.
    fn stream(&mut self, start: usize, end: usize, depth: u32) -> Result<(Rc<Vec<Element>>, Instance<'c>), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Unusual);
        }
        let mut values = self.spare.pop().unwrap_or_default();
        values.clear();
        match instance_at(self.chunk, start, end, &mut values) {
            Some((id, definition)) => {
                self.pay(values.len())?;
                Ok((self.template(id, definition)?, Instance { values, depth }))
            }
            None => {
                let roots = read_elements(self.chunk, start, end, false).ok_or(Stop::Unusual)?;
                self.pay(roots.iter().map(Element::weight).fold(0, usize::saturating_add))?;
                Ok((Rc::new(roots), Instance { values: Vec::new(), depth }))
            }
        }
    }

    /// Reads the elements that a value brings along.
    fn fragment(&mut self, value: Slot<'c>, around: &Instance<'c>) -> Result<(Rc<Vec<Element>>, Instance<'c>), Stop> {
        let end = value.offset.saturating_add(value.bytes.len());
        self.stream(value.offset, end, around.depth.saturating_add(1))
    }

    fn template(&mut self, id: [u8; 4], offset: usize) -> Result<Rc<Vec<Element>>, Stop> {
        // The id is the start of the template's GUID, which follows the offset of the next template.
        let whole = self.chunk.get(offset..).and_then(|b| b.get(4..)).is_some_and(|guid| guid.starts_with(&id));
        // There are few templates in a chunk.
        let known = self.templates.iter().find(|(at, _)| *at == offset).map(|(_, template)| template.clone());
        let template = match known {
            _ if !whole => None,
            Some(known) => known,
            None => {
                let template = read_template(self.chunk, offset).map(Rc::new);
                let weight =
                    |roots: &Rc<Vec<Element>>| roots.iter().map(Element::weight).fold(0, usize::saturating_add);
                self.pay(template.as_ref().map_or(1024, weight))?;
                self.templates.push((offset, template.clone()));
                template
            }
        };
        if template.is_none() && (self.recovered || !whole) {
            self.damaged = true;
            return Ok(Rc::default());
        }
        template.ok_or(Stop::Unusual)
    }

    fn event_part(&mut self, element: &Element, instance: &Instance<'c>, out: &mut EvtxRecord) -> Result<(), Stop> {
        if instance.leaves_out(element) {
            return Ok(());
        }
        out.damaged |= element.damaged;
        match element.part {
            Part::System => {
                for child in &element.children {
                    match child {
                        Node::Element(child) => self.system_part(child, instance, out)?,
                        Node::Piece(_) => return Err(Stop::Unusual),
                    }
                }
            }
            part if out.data.is_none() && (part == Part::EventData || element.was_event_data()) => {
                for Attribute { name, pieces, .. } in &element.attributes {
                    match (&**name, self.pieces(pieces, instance)?) {
                        ("Name", Content::One(value)) => out.data_name = Some(value.to_text()),
                        ("xmlns", _) | (_, Content::Nothing) => {}
                        _ => return Err(Stop::Unusual),
                    }
                }
                out.data = Some(Value::Map(self.entries(element, instance, 0)?));
            }
            Part::UserData if out.user_data.is_none() => {
                let mut entries = self.entries(element, instance, 0)?;
                // As a rule it holds one element, which names what its children are about.
                match (entries.pop(), entries.is_empty()) {
                    (Some((name, content)), true) => {
                        out.user_data_name = Some(name);
                        out.user_data = Some(content);
                    }
                    (last, _) => {
                        entries.extend(last);
                        out.user_data = Some(Value::Map(entries));
                    }
                }
            }
            _ => {
                let content = self.element(element, instance, 0)?;
                self.rest(out, &element.name, content)?;
            }
        }
        Ok(())
    }

    fn system_part(&mut self, element: &Element, instance: &Instance<'c>, out: &mut EvtxRecord) -> Result<(), Stop> {
        if instance.leaves_out(element) {
            return Ok(());
        }
        for Attribute { name, field, pieces } in &element.attributes {
            if let (Some(field), [piece]) = (*field, &**pieces)
                && self.set(field, piece, instance, out)?
            {
                continue;
            }
            let value = match self.pieces(pieces, instance)? {
                Content::Nothing => continue,
                Content::One(value) => value,
                Content::Many(_) => return Err(Stop::Unusual),
            };
            if let Some(value) = out.set_field(*field, value) {
                self.rest(out, &format_smolstr!("{}_{name}", element.name), Content::One(value))?;
            }
        }
        match (element.field, &*element.children) {
            (_, []) => return Ok(()),
            (Some(field), [Node::Piece(piece)]) if self.set(field, piece, instance, out)? => return Ok(()),
            _ => {}
        }
        let content = if element.children.iter().all(|c| matches!(c, Node::Piece(_))) {
            self.pieces_of(element, instance)?
        } else {
            self.element(element, instance, 0)?
        };
        match content {
            Content::Nothing => Ok(()),
            Content::One(value) => match out.set_field(element.field, value) {
                Some(value) => self.rest(out, &element.name, Content::One(value)),
                None => Ok(()),
            },
            many => self.rest(out, &element.name, many),
        }
    }

    /// Sets a field from a piece of a usual type, as nearly all are, without a detour over a [`Value`]. False if the
    /// piece is none of these.
    fn set(
        &mut self,
        field: Field,
        piece: &Piece,
        instance: &Instance<'c>,
        out: &mut EvtxRecord,
    ) -> Result<bool, Stop> {
        let slot = match piece {
            Piece::Text(text) => {
                self.pay(text.len())?;
                if let Place::Text(place) = out.place(field) {
                    *place = Some(text.clone());
                    return Ok(true);
                }
                return Ok(false);
            }
            Piece::Value { index, optional } => match instance.get(*index) {
                Some(slot) if slot.kind != NULL && !(*optional && slot.bytes.is_empty()) => slot,
                _ => return Ok(true),
            },
        };
        self.pay(slot.bytes.len())?;
        match (out.place(field), slot.kind, slot.bytes) {
            (Place::Number(place), 0x04, [n]) => *place = Some(u64::from(*n)),
            (Place::Number(place), 0x06, [a, b]) => *place = Some(u64::from(u16::from_le_bytes([*a, *b]))),
            (Place::Number(place), 0x08, [a, b, c, d]) => {
                *place = Some(u64::from(u32::from_le_bytes([*a, *b, *c, *d])));
            }
            (Place::Number(place), 0x0a, [a, b, c, d, e, f, g, h]) => {
                *place = Some(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]));
            }
            (Place::Time(place), 0x11, [a, b, c, d, e, f, g, h]) => {
                *place = Some(Timestamp::from_filetime(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h])));
            }
            (Place::Text(place), kind @ (0x01 | 0x0f | 0x13 | 0x14 | 0x15), bytes) => {
                let Some(last) = self.last.get_mut(field as usize) else { return Ok(false) };
                if last.kind != kind || last.bytes != bytes {
                    let Some(Value::Text(text)) = scalar(kind, bytes, &mut self.scratch) else { return Ok(false) };
                    last.kind = kind;
                    last.bytes.clear();
                    last.bytes.extend_from_slice(bytes);
                    last.text = text;
                }
                *place = Some(last.text.clone());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn rest(&mut self, out: &mut EvtxRecord, name: &SmolStr, content: Content) -> Result<(), Stop> {
        let Value::Map(entries) = out.rest.get_or_insert_with(|| Value::Map(Vec::new())) else { return Ok(()) };
        self.push(entries, name, content, false)
    }

    /// The content of an element that repeats or holds others.
    fn element(&mut self, element: &Element, instance: &Instance<'c>, depth: u32) -> Result<Content, Stop> {
        let plain = element.children.iter().all(|child| match child {
            Node::Element(_) => false,
            Node::Piece(piece) => instance.fragment(piece).is_none(),
        });
        let attributes = element.attributes.iter().any(|attribute| !is_namespace(&attribute.name));
        if plain && !attributes {
            return self.pieces_of(element, instance);
        }
        self.entries(element, instance, depth).map(|entries| Content::One(Value::Map(entries)))
    }

    /// Attributes and children of an element by their names.
    fn entries(
        &mut self,
        element: &Element,
        instance: &Instance<'c>,
        depth: u32,
    ) -> Result<Vec<(SmolStr, Value)>, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Unusual);
        }
        let mut entries = Vec::with_capacity(element.children.len());
        // The name of an EventData and of a Data element stands elsewhere.
        let named = matches!(element.part, Part::EventData | Part::Data);
        for Attribute { name, pieces, .. } in &element.attributes {
            if is_namespace(name) || named && name == "Name" {
                continue;
            }
            match self.pieces(pieces, instance)? {
                Content::Nothing => {}
                Content::One(value) => self.push(&mut entries, name, Content::One(value), false)?,
                Content::Many(_) => return Err(Stop::Unusual),
            }
        }
        let mut distinct = element.distinct && entries.is_empty();
        let mut text = Vec::new();
        for child in &element.children {
            match child {
                Node::Element(child) => self.child(&mut entries, child, instance, depth, distinct)?,
                Node::Piece(piece) => match instance.fragment(piece) {
                    Some(value) => {
                        distinct = false;
                        let (roots, inner) = self.fragment(value, instance)?;
                        if roots.is_empty() {
                            let values = inner.values.iter().filter(|value| value.kind != BINXML);
                            let values: Result<Vec<_>, _> =
                                values.map(|v| self.value(*v).map(Content::value)).collect();
                            self.push(&mut entries, &VALUES, Content::Many(values?), false)?;
                        }
                        for root in &**roots {
                            self.damaged |= root.damaged;
                            self.child(&mut entries, root, &inner, depth, false)?;
                        }
                    }
                    None => text.push(piece),
                },
            }
        }
        match self.pieces(text, instance)? {
            Content::Nothing => {}
            content => self.push(&mut entries, &TEXT, content, false)?,
        }
        Ok(entries)
    }

    fn child(
        &mut self,
        entries: &mut Vec<(SmolStr, Value)>,
        child: &Element,
        instance: &Instance<'c>,
        depth: u32,
        distinct: bool,
    ) -> Result<(), Stop> {
        if instance.leaves_out(child) {
            return Ok(());
        }
        if child.part != Part::Data && !child.was_data() {
            let content = self.element(child, instance, depth.saturating_add(1))?;
            return self.push(entries, &child.name, content, distinct);
        }
        // <Data Name="X">: what is in it, under its name. Other attributes are rare.
        let only_name = child.attributes.iter().all(|attribute| attribute.name == "Name");
        let content = if only_name && child.children.iter().all(|c| matches!(c, Node::Piece(_))) {
            self.pieces_of(child, instance)?
        } else {
            let entries = self.entries(child, instance, depth.saturating_add(1))?;
            Content::One(Value::Map(entries))
        };
        let computed;
        let name = match (&child.key, child.attributes.iter().find(|attribute| attribute.name == "Name")) {
            (Some(key), _) => key,
            (None, Some(Attribute { pieces, .. })) => match self.pieces(pieces, instance)? {
                Content::One(value) => {
                    computed = value.to_text();
                    &computed
                }
                Content::Nothing => &NO_NAME,
                Content::Many(_) => return Err(Stop::Unusual),
            },
            (None, None) => &NO_NAME,
        };
        if name.is_empty() {
            return self.push_unnamed(entries, content);
        }
        if !distinct && let Some((last, value)) = entries.last_mut().filter(|(last, _)| last == name) {
            self.pay(last.len())?;
            return match (content, value) {
                (Content::Many(more), Value::List(items)) => {
                    items.extend(more);
                    Ok(())
                }
                (content, Value::List(items)) => {
                    items.push(content.value());
                    Ok(())
                }
                (Content::Many(_), _) => Err(Stop::Unusual),
                (content, single) => {
                    *single = Value::List(vec![std::mem::replace(single, Value::Null), content.value()]);
                    Ok(())
                }
            };
        }
        self.push(entries, name, content, distinct)
    }

    /// Data without a name stand together in their order.
    fn push_unnamed(&mut self, entries: &mut Vec<(SmolStr, Value)>, content: Content) -> Result<(), Stop> {
        self.pay(entries.len())?;
        let more = match content {
            Content::Many(items) => items,
            content => vec![content.value()],
        };
        match entries.iter_mut().find(|(name, value)| name == "Data" && matches!(value, Value::List(_))) {
            Some((_, Value::List(items))) => items.extend(more),
            _ => entries.push((DATA, Value::List(more))),
        }
        Ok(())
    }

    fn push(
        &mut self,
        entries: &mut Vec<(SmolStr, Value)>,
        name: &SmolStr,
        content: Content,
        distinct: bool,
    ) -> Result<(), Stop> {
        self.pay(if distinct { name.len() } else { name.len().saturating_add(entries.len()) })?;
        let name = if distinct { name.clone() } else { self.free_name(entries, name)? };
        entries.push((name, content.value()));
        Ok(())
    }

    fn pieces_of(&mut self, element: &Element, instance: &Instance<'c>) -> Result<Content, Stop> {
        // Nearly all content is one value.
        if let [Node::Piece(piece)] = &*element.children {
            return self.piece(piece, instance);
        }
        self.pieces(
            element.children.iter().filter_map(|child| match child {
                Node::Piece(piece) => Some(piece),
                Node::Element(_) => None,
            }),
            instance,
        )
    }

    /// The value of a text: one piece keeps its type, several are joined.
    fn pieces<'p>(
        &mut self,
        pieces: impl IntoIterator<Item = &'p Piece>,
        instance: &Instance<'c>,
    ) -> Result<Content, Stop> {
        let mut whole = Content::Nothing;
        for piece in pieces {
            let content = self.piece(piece, instance)?;
            whole = match (whole, content) {
                (Content::Nothing, content) | (content, Content::Nothing) => content,
                (Content::One(first), Content::One(second)) => {
                    let mut joined = first.to_string();
                    joined.push_str(&second.to_string());
                    self.pay(joined.len())?;
                    Content::One(Value::from(joined))
                }
                _ => return Err(Stop::Unusual),
            };
        }
        Ok(whole)
    }

    fn piece(&mut self, piece: &Piece, instance: &Instance<'c>) -> Result<Content, Stop> {
        match piece {
            Piece::Text(text) => {
                self.pay(text.len())?;
                Ok(Content::One(Value::Text(text.clone())))
            }
            Piece::Value { index, optional } => match instance.get(*index) {
                Some(value) if !(*optional && value.bytes.is_empty()) => self.value(value),
                _ => Ok(Content::Nothing),
            },
        }
    }

    /// The name itself, or the first of `name_1`, `name_2` … that is not taken.
    fn free_name(&mut self, entries: &[(SmolStr, Value)], name: &SmolStr) -> Result<SmolStr, Stop> {
        if entries.iter().all(|(n, _)| n != name) {
            return Ok(name.clone());
        }
        let numbered = |other: &str| {
            let number = other.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('_'));
            other == name.as_str() || number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        };
        let mut number = entries.iter().filter(|(n, _)| numbered(n)).count();
        loop {
            self.pay(entries.len())?;
            let next = format_smolstr!("{name}_{number}");
            if entries.iter().all(|(n, _)| *n != next) {
                return Ok(next);
            }
            number = number.saturating_add(1);
        }
    }

    /// A value as the record's XML shows it, with its type.
    fn value(&mut self, slot: Slot<'_>) -> Result<Content, Stop> {
        self.pay(slot.bytes.len())?;
        if slot.kind == NULL {
            return Ok(Content::Nothing);
        }
        if slot.kind & ARRAY == 0 {
            return scalar(slot.kind, slot.bytes, &mut self.scratch).map(Content::One).ok_or(Stop::Unusual);
        }
        let mut items = array(slot.kind & !ARRAY, slot.bytes, &mut self.scratch).ok_or(Stop::Unusual)?;
        self.pay(items.len().saturating_mul(32))?;
        Ok(match items.pop() {
            None => Content::Nothing,
            Some(item) if items.is_empty() => Content::One(item),
            Some(last) => {
                items.push(last);
                Content::Many(items)
            }
        })
    }
}

/// Set in the type of an array.
const ARRAY: u8 = 0x80;

/// A single value. `None` if its length does not fit its type, or for a type that is not read here.
fn scalar(kind: u8, bytes: &[u8], scratch: &mut Vec<u8>) -> Option<Value> {
    fn exact<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        bytes.try_into().ok()
    }
    Some(match kind {
        0x01 => {
            let (units, rest) = bytes.as_chunks::<2>();
            if !rest.is_empty() {
                return None;
            }
            // Text ends at the first NUL.
            let nuls = units.iter().fold(false, |any, unit| any | (*unit == [0, 0]));
            if nuls { text::from_utf16le_until_nul(bytes).into() } else { Value::Text(from_utf16le(bytes, scratch)) }
        }
        0x02 => {
            let without_nul: Vec<u8> = bytes.iter().copied().filter(|b| *b != 0).collect();
            text::from_ansi_until_nul(&without_nul).into()
        }
        0x03 => signed(i8::from_le_bytes(exact(bytes)?).into()),
        0x04 => Value::Number(u8::from_le_bytes(exact(bytes)?).into()),
        0x05 => signed(i16::from_le_bytes(exact(bytes)?).into()),
        0x06 => Value::Number(u16::from_le_bytes(exact(bytes)?).into()),
        0x07 => signed(i32::from_le_bytes(exact(bytes)?).into()),
        0x08 => Value::Number(u32::from_le_bytes(exact(bytes)?).into()),
        0x09 => signed(i64::from_le_bytes(exact(bytes)?)),
        0x0a => Value::Number(u64::from_le_bytes(exact(bytes)?)),
        // The decimal number that names this 32-bit float, not the digits that widening it would add.
        0x0b => Value::Float(f32::from_le_bytes(exact(bytes)?).to_string().parse().ok()?),
        0x0c => Value::Float(f64::from_le_bytes(exact(bytes)?)),
        // Windows writes other numbers than 0 and 1 too.
        0x0d => match i32::from_le_bytes(exact(bytes)?) {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            other => signed(other.into()),
        },
        0x0e => Value::Bytes(bytes.to_vec()),
        0x0f => {
            let guid: [u8; 16] = exact(bytes)?;
            scratch.clear();
            scratch.push(b'{');
            scratch.extend(text::guid_digits(&guid));
            scratch.push(b'}');
            Value::Text(ascii(scratch))
        }
        // A size is as wide as the machine's addresses.
        0x10 | 0x14 if bytes.len() == 4 => hex(u32::from_le_bytes(exact(bytes)?).into()),
        0x10 | 0x15 => hex(u64::from_le_bytes(exact(bytes)?)),
        0x11 => Value::Time(Timestamp::from_filetime(u64::from_le_bytes(exact(bytes)?))),
        0x12 => systemtime(exact(bytes)?),
        0x13 => Value::Text(sid(bytes, scratch)?),
        _ => return None,
    })
}

/// Text from little-endian UTF-16 bytes; an odd last byte is left out. As a rule it is ASCII, which is gathered in
/// `scratch` so that memory is asked for once, and only if the text is long.
fn from_utf16le(bytes: &[u8], scratch: &mut Vec<u8>) -> SmolStr {
    let units = bytes.as_chunks::<2>().0;
    if units.iter().fold(0, |all, unit| all | u16::from_le_bytes(*unit)) >= 0x80 {
        return text::from_utf16le(bytes).into();
    }
    scratch.clear();
    scratch.extend(units.iter().map(|[low, _]| *low));
    ascii(scratch)
}

fn ascii(text: &[u8]) -> SmolStr {
    SmolStr::new(str::from_utf8(text).unwrap_or_default())
}

/// The items of an array: values of one type and length one after the other, or texts that each end with NUL.
fn array(kind: u8, bytes: &[u8], scratch: &mut Vec<u8>) -> Option<Vec<Value>> {
    let width = match kind {
        0x01 => {
            let (units, rest) = bytes.as_chunks::<2>();
            // A last text may lack its NUL.
            let whole = units.strip_suffix(&[[0, 0]]).unwrap_or(units);
            return match (units, rest) {
                ([], []) => Some(Vec::new()),
                (_, []) => Some(
                    whole
                        .split(|unit| *unit == [0, 0])
                        .map(|units| Value::Text(from_utf16le(units.as_flattened(), scratch)))
                        .collect(),
                ),
                _ => None,
            };
        }
        0x03 | 0x04 => 1,
        0x05 | 0x06 => 2,
        0x07 | 0x08 | 0x0b | 0x0d | 0x14 => 4,
        0x09 | 0x0a | 0x0c | 0x11 | 0x15 => 8,
        0x0f | 0x12 => 16,
        _ => return None,
    };
    let items = bytes.chunks_exact(width);
    if items.remainder().is_empty() { items.map(|item| scalar(kind, item, scratch)).collect() } else { None }
}

/// As Event Viewer shows it: `0x1f4`.
fn hex(n: u64) -> Value {
    let digits = (u64::BITS.saturating_sub(n.leading_zeros())).div_ceil(4).max(1);
    let mut text = [b'0'; 18];
    let shown = text.iter_mut().rev().zip(0..digits);
    for (place, digit) in shown {
        let digit = u8::try_from(n.checked_shr(digit.saturating_mul(4)).unwrap_or_default() & 0xf).unwrap_or_default();
        *place = if digit < 10 { b'0' | digit } else { digit.saturating_add(b'a' - 10) };
    }
    let start = 16usize.saturating_sub(digits as usize);
    let text = text.get_mut(start..).unwrap_or_default();
    if let Some(prefix) = text.first_chunk_mut() {
        *prefix = *b"0x";
    }
    Value::Text(ascii(text))
}

fn signed(n: i64) -> Value {
    u64::try_from(n).map_or(Value::Signed(n), Value::Number)
}

/// Windows shows a SYSTEMTIME as UTC, and one that is no time as 1601-01-01.
fn systemtime(bytes: [u8; 16]) -> Value {
    let [year, month, _, day, hour, minute, second, millis] = [0, 2, 4, 6, 8, 10, 12, 14]
        .map(|at| bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b)));
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
    // chrono takes a second 60, which no SYSTEMTIME has.
    let time = Timestamp::parse(&text).filter(|_| second < 60 && millis < 1000);
    Value::Time(time.unwrap_or(Timestamp::from_filetime(0)))
}

/// A SID as text: revision u8, number of sub-authorities u8, authority (48 bits, big-endian), sub-authorities u32.
/// Source: Microsoft, MS-DTYP 2.4.2.
fn sid(bytes: &[u8], scratch: &mut Vec<u8>) -> Option<SmolStr> {
    let (&[revision, count, a, b, c, d, e, f], rest) = bytes.split_first_chunk::<8>()?;
    let (subs, tail) = rest.as_chunks::<4>();
    if usize::from(count) != subs.len() || !tail.is_empty() {
        return None;
    }
    let authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    scratch.clear();
    // Writing to memory can't fail.
    let _ = write!(scratch, "S-{revision}-");
    let _ = if authority < 1 << 32 { write!(scratch, "{authority}") } else { write!(scratch, "{authority:#x}") };
    for sub in subs {
        let _ = write!(scratch, "-{}", u32::from_le_bytes(*sub));
    }
    Some(ascii(scratch))
}

/// Id and offset of the template of the instance that a stream consists of; its values go into `values`.
fn instance_at<'c>(chunk: &'c [u8], start: usize, end: usize, values: &mut Vec<Slot<'c>>) -> Option<([u8; 4], usize)> {
    let record = chunk.get(..end)?;
    let mut at = Cursor::new(record, "a record", 0);
    at.seek(start);
    let mut token = at.u8().ok()?;
    if token == 0x0f {
        at.skip(3).ok()?;
        token = at.u8().ok()?;
    }
    if token != 0x0c {
        return None;
    }
    at.skip(1).ok()?;
    let id = at.array().ok()?;
    let definition = at.u32().ok()? as usize;
    if definition == at.position() {
        at.skip(20).ok()?;
        let size = at.u32().ok()?;
        at.skip(size as usize).ok()?;
    }
    let count = at.u32().ok()? as usize;
    let (descriptors, _) = at.take(count.checked_mul(4)?).ok()?.as_chunks::<4>();
    values.reserve(descriptors.len());
    let mut offset = at.position();
    for [low, high, kind, _] in descriptors {
        let next = offset.checked_add(u16::from_le_bytes([*low, *high]).into())?;
        values.push(Slot { kind: *kind, offset, bytes: record.get(offset..next)? });
        offset = next;
    }
    at.seek(offset);
    (at.remaining() == 0 || at.u8().ok()? == 0x00).then_some((id, definition))
}

/// The content of an element or attribute.
#[derive(Debug)]
enum Content {
    Nothing,
    One(Value),
    /// The items of an array. In XML the element is repeated for each.
    Many(Vec<Value>),
}

impl Content {
    fn value(self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::One(value) => value,
            Self::Many(items) => Value::List(items),
        }
    }
}

impl EvtxRecord {
    /// Sets a field; gives the value back if it does not fit, or there is no field for it.
    pub(super) fn set_field(&mut self, field: Option<Field>, value: Value) -> Option<Value> {
        let Some(field) = field else { return Some(value) };
        match self.place(field) {
            Place::Text(place) => set_text(place, value),
            Place::Number(place) => set_number(place, value),
            Place::Time(place) => {
                *place = match &value {
                    Value::Time(time) => Some(*time),
                    Value::Text(text) => Timestamp::parse(text),
                    _ => None,
                };
                Some(value).filter(|_| place.is_none())
            }
        }
    }

    const fn place(&mut self, field: Field) -> Place<'_> {
        match field {
            Field::Provider => Place::Text(&mut self.provider),
            Field::ProviderGuid => Place::Text(&mut self.provider_guid),
            Field::EventSourceName => Place::Text(&mut self.event_source_name),
            Field::EventId => Place::Number(&mut self.event_id),
            Field::Qualifiers => Place::Number(&mut self.qualifiers),
            Field::Version => Place::Number(&mut self.version),
            Field::Level => Place::Number(&mut self.level),
            Field::Task => Place::Number(&mut self.task),
            Field::Opcode => Place::Number(&mut self.opcode),
            Field::Keywords => Place::Text(&mut self.keywords),
            Field::TimeCreated => Place::Time(&mut self.time_created),
            Field::EventRecordId => Place::Number(&mut self.event_record_id),
            Field::ActivityId => Place::Text(&mut self.activity_id),
            Field::RelatedActivityId => Place::Text(&mut self.related_activity_id),
            Field::ProcessId => Place::Number(&mut self.process_id),
            Field::ThreadId => Place::Number(&mut self.thread_id),
            Field::Channel => Place::Text(&mut self.channel),
            Field::Computer => Place::Text(&mut self.computer),
            Field::UserSid => Place::Text(&mut self.user_sid),
        }
    }
}

/// Where the value of a field goes.
enum Place<'r> {
    Text(&'r mut Option<SmolStr>),
    Number(&'r mut Option<u64>),
    Time(&'r mut Option<Timestamp>),
}

/// The fields of a record that `System` fills.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Provider,
    ProviderGuid,
    EventSourceName,
    EventId,
    Qualifiers,
    Version,
    Level,
    Task,
    Opcode,
    Keywords,
    TimeCreated,
    EventRecordId,
    ActivityId,
    RelatedActivityId,
    ProcessId,
    ThreadId,
    Channel,
    Computer,
    UserSid,
}

impl Field {
    /// Number of fields.
    const COUNT: usize = Self::UserSid as usize + 1;

    /// The field that the content of an element of `System` stands for.
    pub(super) const fn of_content(part: Part) -> Option<Self> {
        Some(match part {
            Part::EventId => Self::EventId,
            Part::Version => Self::Version,
            Part::Level => Self::Level,
            Part::Task => Self::Task,
            Part::Opcode => Self::Opcode,
            Part::EventRecordId => Self::EventRecordId,
            Part::Keywords => Self::Keywords,
            Part::Channel => Self::Channel,
            Part::Computer => Self::Computer,
            _ => return None,
        })
    }

    /// The same for an attribute of an element of `System`.
    pub(super) fn of_attribute(part: Part, name: &str) -> Option<Self> {
        Some(match (part, name) {
            (Part::Provider, "Name") => Self::Provider,
            (Part::Provider, "Guid") => Self::ProviderGuid,
            (Part::Provider, "EventSourceName") => Self::EventSourceName,
            (Part::EventId, "Qualifiers") => Self::Qualifiers,
            (Part::Correlation, "ActivityID") => Self::ActivityId,
            (Part::Correlation, "RelatedActivityID") => Self::RelatedActivityId,
            (Part::Execution, "ProcessID") => Self::ProcessId,
            (Part::Execution, "ThreadID") => Self::ThreadId,
            (Part::Security, "UserID") => Self::UserSid,
            (Part::TimeCreated, "SystemTime") => Self::TimeCreated,
            _ => return None,
        })
    }
}

fn set_text(field: &mut Option<SmolStr>, value: Value) -> Option<Value> {
    *field = match value {
        Value::Text(text) => Some(text),
        Value::Map(_) | Value::List(_) => return Some(value),
        Value::Null => None,
        value => Some(value.to_text()),
    };
    None
}

fn set_number(field: &mut Option<u64>, value: Value) -> Option<Value> {
    let number = value.as_number().or_else(|| value.as_text()?.trim().parse().ok());
    match (number, &value) {
        (None, Value::Text(text)) if text.is_empty() => None,
        (None, _) => Some(value),
        (number, _) => {
            *field = number;
            None
        }
    }
}

pub(super) fn is_namespace(attribute: &str) -> bool {
    attribute == "xmlns" || attribute.starts_with("xmlns:")
}

/// An element of a template, which stands once in a chunk and is filled with the values of many records.
///
/// | token | content | meaning |
/// |---|---|---|
/// | 01, 41 | dependency u16, size u32, name u32, with 41 size of the attributes u32 | element begins |
/// | 06, 46 | name u32 | attribute |
/// | 05, 45 | type u8, length u16, UTF-16 | text |
/// | 07, 47 | length u16, UTF-16 | CDATA |
/// | 08, 48 | u16 | character |
/// | 09, 49 | name u32 | entity |
/// | 0d, 0e | index u16, type u8 | a value of the record goes here; 0e: if it is not empty |
/// | 02 · 03 · 04 · 00 | | start tag ends · empty element ends · element ends · template ends |
///
/// A name is the offset of its place in the chunk; if it is used here for the first time, it stands right here: next u32,
/// hash u16, length u16, UTF-16, NUL.
#[derive(Debug, Default)]
struct Element {
    name: SmolStr,
    part: Part,
    /// What its content stands for, if it is part of `System`.
    field: Option<Field>,
    /// The element is left out if this value is null.
    dependency: Option<u16>,
    attributes: Vec<Attribute>,
    children: Vec<Node>,
    /// The attribute `Name`, if it is plain text.
    key: Option<SmolStr>,
    /// All children have names that differ and are known beforehand.
    distinct: bool,
    /// A name in it was overwritten.
    damaged: bool,
}

#[derive(Debug)]
struct Attribute {
    name: SmolStr,
    /// What it stands for, if its element is part of `System`.
    field: Option<Field>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Node {
    Element(Element),
    Piece(Piece),
}

/// Part of a text.
#[derive(Debug)]
enum Piece {
    Text(SmolStr),
    Value { index: u16, optional: bool },
}

/// The elements that have a meaning of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    #[default]
    Other,
    Event,
    System,
    Provider,
    EventId,
    Version,
    Level,
    Task,
    Opcode,
    Keywords,
    TimeCreated,
    EventRecordId,
    Correlation,
    Execution,
    Channel,
    Computer,
    Security,
    EventData,
    UserData,
    Data,
}

impl Part {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "Event" => Self::Event,
            "System" => Self::System,
            "Provider" => Self::Provider,
            "EventID" => Self::EventId,
            "Version" => Self::Version,
            "Level" => Self::Level,
            "Task" => Self::Task,
            "Opcode" => Self::Opcode,
            "Keywords" => Self::Keywords,
            "TimeCreated" => Self::TimeCreated,
            "EventRecordID" => Self::EventRecordId,
            "Correlation" => Self::Correlation,
            "Execution" => Self::Execution,
            "Channel" => Self::Channel,
            "Computer" => Self::Computer,
            "Security" => Self::Security,
            "EventData" => Self::EventData,
            "UserData" => Self::UserData,
            "Data" => Self::Data,
            _ => Self::Other,
        }
    }
}

/// Reads a template definition: offset of the next one u32, GUID, size u32, BinXml.
/// `None` if it is damaged or holds what templates do not hold; the crate's own reading then decides.
fn read_template(chunk: &[u8], offset: usize) -> Option<Vec<Element>> {
    let mut at = Cursor::new(chunk, "a template", 0);
    at.seek(offset);
    at.skip(20).ok()?;
    let size = at.u32().ok()? as usize;
    let start = at.position();
    read_elements(chunk, start, start.checked_add(size)?, true).filter(|roots| roots.len() == 1)
}

/// Reads the elements between two places. Only those of a template name what they depend on.
fn read_elements(chunk: &[u8], start: usize, end: usize, in_template: bool) -> Option<Vec<Element>> {
    let mut at = Cursor::new(chunk.get(..end)?, "a template", 0);
    at.seek(start);
    let mut roots = Vec::new();
    let mut open: Vec<Element> = Vec::new();
    // Between the start of a tag and its end, pieces belong to the last attribute.
    let mut in_tag = false;
    while at.position() < end {
        let token = at.u8().ok()?;
        let piece = match token {
            0x00 => break,
            0x0f => {
                at.skip(3).ok()?;
                continue;
            }
            0x01 | 0x41 => {
                if in_tag || open.len() >= MAX_DEPTH as usize {
                    return None;
                }
                let dependency = if in_template { Some(at.u16().ok()?).filter(|id| *id != 0xffff) } else { None };
                at.skip(4).ok()?;
                let name = read_name(&mut at, chunk)?;
                if token == 0x41 {
                    at.skip(4).ok()?;
                }
                let part = Part::of(&name);
                open.push(Element { name, part, field: Field::of_content(part), dependency, ..Element::default() });
                in_tag = true;
                continue;
            }
            0x06 | 0x46 => {
                let name = read_name(&mut at, chunk)?;
                let element = open.last_mut().filter(|_| in_tag)?;
                let field = Field::of_attribute(element.part, &name);
                element.attributes.push(Attribute { name, field, pieces: Vec::new() });
                continue;
            }
            0x02 if in_tag => {
                in_tag = false;
                continue;
            }
            0x03 | 0x04 => {
                if in_tag != (token == 0x03) {
                    return None;
                }
                in_tag = false;
                let element = open.pop()?.finish();
                match open.last_mut() {
                    Some(parent) => parent.children.push(Node::Element(element)),
                    None => roots.push(element),
                }
                continue;
            }
            0x05 | 0x45 => {
                if at.u8().ok()? != 0x01 {
                    return None;
                }
                let units = at.u16().ok()?;
                Piece::Text(at.utf16(units.into()).ok()?.into())
            }
            0x07 | 0x47 => {
                let units = at.u16().ok()?;
                Piece::Text(at.utf16(units.into()).ok()?.into())
            }
            0x08 | 0x48 => Piece::Text(text::from_utf16([at.u16().ok()?]).into()),
            0x09 | 0x49 => Piece::Text(entity(&read_name(&mut at, chunk)?)?.into()),
            0x0d | 0x0e if in_template => {
                let index = at.u16().ok()?;
                at.skip(1).ok()?;
                Piece::Value { index, optional: token == 0x0e }
            }
            _ => return None,
        };
        let element = open.last_mut()?;
        if in_tag {
            element.attributes.last_mut()?.pieces.push(piece);
        } else {
            element.children.push(Node::Piece(piece));
        }
    }
    open.is_empty().then_some(roots)
}

/// Reads the reference to a name and goes behind it. In the unused space of a chunk, names are often overwritten: one
/// that does not fit its hash is empty.
fn read_name(at: &mut Cursor<'_>, chunk: &[u8]) -> Option<SmolStr> {
    let offset = at.u32().ok()? as usize;
    let mut name = Cursor::new(chunk, "a name", 0);
    name.seek(offset.checked_add(4)?);
    let hash = name.u16().ok()?;
    let units = name.u16().ok()?;
    if at.position() == offset {
        at.seek(offset.checked_add(10)?.checked_add(usize::from(units).checked_mul(2)?)?);
    }
    let units = name.take(usize::from(units).checked_mul(2)?).ok()?;
    let computed = units
        .as_chunks::<2>()
        .0
        .iter()
        .fold(0u32, |hash, unit| hash.wrapping_mul(65599).wrapping_add(u16::from_le_bytes(*unit).into()));
    Some(if computed & 0xffff == u32::from(hash) { text::from_utf16le(units).into() } else { NO_NAME })
}

/// The characters that XML names.
fn entity(name: &str) -> Option<&'static str> {
    Some(match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    })
}

impl Element {
    /// Notes down what is the same for every record.
    fn finish(mut self) -> Self {
        self.key = self.attributes.iter().find(|a| a.name == "Name").and_then(|attribute| match &*attribute.pieces {
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        });
        self.damaged = self.name.is_empty()
            || self.attributes.iter().any(|attribute| attribute.name.is_empty())
            || self.children.iter().any(|child| matches!(child, Node::Element(e) if e.damaged));
        let mut names = HashSet::new();
        self.distinct = self.children.iter().all(|child| match child {
            Node::Element(Element { part: Part::Data, attributes, key, .. }) => {
                attributes.len() == 1 && key.as_deref().is_some_and(|key| names.insert(key))
            }
            Node::Element(element) => names.insert(&element.name),
            Node::Piece(_) => false,
        });
        self
    }

    /// An element without its name that can only have been `<Data Name="…">`.
    fn was_data(&self) -> bool {
        self.name.is_empty() && self.key.is_some()
    }

    /// An element without its name that can only have been `EventData`.
    fn was_event_data(&self) -> bool {
        let data = |child: &Node| matches!(child, Node::Element(e) if e.part == Part::Data || e.was_data());
        self.name.is_empty() && !self.children.is_empty() && self.children.iter().all(data)
    }

    /// Rough size, for the budget.
    fn weight(&self) -> usize {
        let pieces = |pieces: &[Piece]| {
            pieces.iter().map(|p| if let Piece::Text(t) = p { t.len() } else { 0 }.saturating_add(32)).sum::<usize>()
        };
        let attributes =
            self.attributes.iter().map(|a| a.name.len().saturating_add(pieces(&a.pieces)).saturating_add(64));
        let children = self.children.iter().map(|child| match child {
            Node::Element(element) => element.weight(),
            Node::Piece(piece) => pieces(std::slice::from_ref(piece)),
        });
        self.name.len().saturating_add(128).saturating_add(attributes.sum()).saturating_add(children.sum())
    }
}
