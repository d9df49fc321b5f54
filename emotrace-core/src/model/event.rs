//! One row of the timeline.

use std::borrow::Cow;
use std::fmt;
use std::ops::BitOr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, SmolStrBuilder};

use super::{Decimal, Descriptor, FileReference, Locator, Timestamp};

/// What happened at the instant of an event. A set: equal instants of one record fold into one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Meaning(u32);

macro_rules! meanings {
    ($($(#[doc = $doc:literal])+ $constant:ident = $bit:literal, $name:literal;)+) => {
        impl Meaning {
            $($(#[doc = $doc])+ pub const $constant: Self = Self(1 << $bit);)+
            /// Every single meaning with its name, in the order in which names are listed.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$constant, $name)),+];
        }
    };
}

meanings! {
    /// Content was modified (the M of MACB).
    MODIFIED = 0, "modified";
    /// Content was read or the object was used (the A of MACB).
    ACCESSED = 1, "accessed";
    /// Metadata was changed (the C of MACB; on NTFS the MFT record).
    CHANGED = 2, "changed";
    /// The object was created at its place (the B of MACB).
    CREATED = 3, "created";
    /// A program was run.
    EXECUTED = 4, "executed";
    /// A record was logged.
    LOGGED = 5, "logged";
    /// A registry key was last written.
    KEY_WRITTEN = 6, "key_written";
    /// The object was deleted.
    DELETED = 7, "deleted";
    /// A document or folder was opened.
    OPENED = 8, "opened";
    /// Something was installed.
    INSTALLED = 9, "installed";
    /// A network or device connection began.
    CONNECTED = 10, "connected";
    /// A network or device connection ended.
    DISCONNECTED = 11, "disconnected";
    /// A session began.
    LOGGED_ON = 12, "logged_on";
    /// A scheduled run is planned.
    SCHEDULED = 13, "scheduled";
    /// A program was linked (the PE header's time).
    LINKED = 14, "linked";
    /// Something was detected by a security product.
    DETECTED = 15, "detected";
    /// A password or an account was changed.
    ACCOUNT_CHANGED = 16, "account_changed";
    /// An object was renamed or moved.
    RENAMED = 17, "renamed";
    /// The machine was started.
    STARTED = 18, "started";
    /// The machine or a program was stopped.
    STOPPED = 19, "stopped";
    /// The state of something as recorded at that instant (a measurement or an inventory).
    RECORDED = 20, "recorded";
    /// A snapshot of the volume was taken.
    SNAPSHOT = 21, "snapshot";
    /// The end of something's life.
    EXPIRED = 22, "expired";
    /// A volume was formatted or created.
    FORMATTED = 23, "formatted";
    /// An identifier was made (the time in a version 1 UUID).
    IDENTIFIER_MADE = 24, "identifier_made";
    /// The first time that something was seen.
    FIRST_SEEN = 25, "first_seen";
    /// The last time that something was seen.
    LAST_SEEN = 26, "last_seen";
}

impl Meaning {
    /// True if every meaning of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names in this set, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(move |(m, _)| self.contains(*m)).map(|(_, name)| *name)
    }

    /// The names in Japanese, in the same order.
    pub fn names_ja(self) -> impl Iterator<Item = &'static str> {
        Self::JAPANESE.iter().filter(move |(m, _)| self.contains(*m)).map(|(_, name)| *name)
    }

    /// Every single meaning in Japanese, in the order of [`Self::ALL`].
    const JAPANESE: &'static [(Self, &'static str)] = &[
        (Self::MODIFIED, "更新"),
        (Self::ACCESSED, "アクセス"),
        (Self::CHANGED, "メタデータ変更"),
        (Self::CREATED, "作成"),
        (Self::EXECUTED, "実行"),
        (Self::LOGGED, "ログ記録"),
        (Self::KEY_WRITTEN, "キーの最終更新"),
        (Self::DELETED, "削除"),
        (Self::OPENED, "開封"),
        (Self::INSTALLED, "インストール"),
        (Self::CONNECTED, "接続"),
        (Self::DISCONNECTED, "切断"),
        (Self::LOGGED_ON, "ログオン"),
        (Self::SCHEDULED, "実行予定"),
        (Self::LINKED, "リンク(PEヘッダー)"),
        (Self::DETECTED, "検知"),
        (Self::ACCOUNT_CHANGED, "アカウント変更"),
        (Self::RENAMED, "名前変更・移動"),
        (Self::STARTED, "起動"),
        (Self::STOPPED, "停止"),
        (Self::RECORDED, "記録"),
        (Self::SNAPSHOT, "スナップショット取得"),
        (Self::EXPIRED, "期限"),
        (Self::FORMATTED, "フォーマット"),
        (Self::IDENTIFIER_MADE, "識別子の生成"),
        (Self::FIRST_SEEN, "初回確認"),
        (Self::LAST_SEEN, "最終確認"),
    ];

    /// The set as `MACB` letters with dots for what is absent, as timeline tools write it.
    pub fn macb(self) -> String {
        [(Self::MODIFIED, 'M'), (Self::ACCESSED, 'A'), (Self::CHANGED, 'C'), (Self::CREATED, 'B')]
            .into_iter()
            .map(|(m, letter)| if self.contains(m) { letter } else { '.' })
            .collect()
    }
}

impl BitOr for Meaning {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Names joined by `+`.
impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str("+")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// In what state the evidence was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// In use.
    #[default]
    Live,
    /// Marked as deleted, structure still whole.
    Deleted,
    /// In the unused tail of a structure in use.
    Slack,
    /// Found by its content alone.
    Carved,
    /// Taken from a transaction log that had not been written back.
    LogReplayed,
}

impl State {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Deleted => "deleted",
            Self::Slack => "slack",
            Self::Carved => "carved",
            Self::LogReplayed => "log-replayed",
        }
    }
}

/// The value of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Text. Lone UTF-16 surrogates are kept as the private characters U+10F800 … U+10FFFF.
    Text(SmolStr),
    /// A whole number that is never negative.
    Number(u64),
    /// A whole number that may be negative.
    Signed(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// An instant.
    Time(Timestamp),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values in order.
    List(Vec<Value>),
    /// Named values in order.
    Map(Vec<(SmolStr, Value)>),
    /// Named by the evidence, but without a value.
    Null,
}

impl Value {
    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as one line of text, as its `Display` writes it. Costs nothing where it is text already.
    pub fn to_text(&self) -> SmolStr {
        match self {
            Self::Text(text) => text.clone(),
            value => smol_str::format_smolstr!("{value}"),
        }
    }

    /// The number, if this is a whole number that is not negative.
    pub fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(n) => Some(*n),
            Self::Signed(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// The value of that name, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }
}

/// The value as one line of text: lists are joined by `; `, maps as `name=value`, bytes as hex.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(n) => write!(f, "{n}"),
            Self::Signed(n) => write!(f, "{n}"),
            Self::Float(n) => write!(f, "{n}"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Time(t) => write!(f, "{t}"),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|b| write!(f, "{b:02x}")),
            Self::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{item}")?;
                }
                Ok(())
            }
            Self::Map(entries) => {
                for (i, (name, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{name}={value}")?;
                }
                Ok(())
            }
            Self::Null => Ok(()),
        }
    }
}

impl From<SmolStr> for Value {
    fn from(text: SmolStr) -> Self {
        Self::Text(text)
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}
impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Number(n)
    }
}
impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Number(n.into())
    }
}
impl From<u16> for Value {
    fn from(n: u16) -> Self {
        Self::Number(n.into())
    }
}
impl From<u8> for Value {
    fn from(n: u8) -> Self {
        Self::Number(n.into())
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Signed(n)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<Timestamp> for Value {
    fn from(t: Timestamp) -> Self {
        Self::Time(t)
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items)
    }
}
/// As it is written, `record-sequence`.
impl From<FileReference> for Value {
    fn from(reference: FileReference) -> Self {
        let mut text = SmolStrBuilder::new();
        text.push_str(Decimal::new(reference.record).as_str());
        text.push('-');
        text.push_str(Decimal::new(reference.sequence.into()).as_str());
        Self::Text(text.finish())
    }
}
/// A name out of a table, which takes no memory of its own, or something that has no name there.
impl From<Cow<'static, str>> for Value {
    fn from(name: Cow<'static, str>) -> Self {
        match name {
            Cow::Borrowed(name) => Self::Text(SmolStr::new_static(name)),
            Cow::Owned(name) => name.into(),
        }
    }
}
impl From<Vec<String>> for Value {
    fn from(items: Vec<String>) -> Self {
        Self::List(items.into_iter().map(Value::from).collect())
    }
}

/// The values of one event under its descriptor. A field that is not there is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(Vec<(&'static str, Value)>);

impl Values {
    /// No values yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No values yet, with room for some.
    pub fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// Adds a field that is not set yet, if there is a value. Unlike [`Self::set`] it does not look for an earlier one, which
    /// counts where rows have many fields and there are many rows.
    pub fn push(&mut self, field: &'static str, value: Option<impl Into<Value>>) {
        debug_assert!(self.get(field).is_none(), "{field} is set twice");
        if let Some(value) = value {
            self.make_room();
            self.0.push((field, value.into()));
        }
    }

    /// Most records have about so many fields; growing step by step costs more.
    fn make_room(&mut self) {
        if self.0.capacity() == 0 {
            self.0.reserve(16);
        }
    }

    /// Sets a field; a later value for the same field replaces the earlier one.
    pub fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        let value = value.into();
        self.make_room();
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, old)) => *old = value,
            None => self.0.push((field, value)),
        }
    }

    /// Sets a field if there is a value.
    pub fn set_some(&mut self, field: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    /// Fields and values in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Fields that are set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if no field is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where a row comes from: a place and an offset in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The byte stream.
    pub locator: Arc<Locator>,
    /// Byte offset of the record in the stream.
    pub offset: Option<u64>,
    /// Numbers of the shadow copies, beside the place above, that hold a record of the same content at the same path.
    pub also_in: Vec<u32>,
}

/// One row of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The instant; `None` for evidence that has no date.
    pub time: Option<Timestamp>,
    /// What happened at that instant.
    pub meaning: Meaning,
    /// Name of the artifact whose parser made this row.
    pub artifact: &'static str,
    /// The declared kind of this row.
    pub descriptor: &'static Descriptor,
    /// The values.
    pub values: Values,
    /// The account that the evidence itself names: a user name, or a SID where no name is known.
    pub user: Option<String>,
    /// In what state the evidence was found.
    pub state: State,
    /// Where it lies.
    pub origin: Origin,
}

impl Event {
    /// The row's text: the descriptor's message with the values filled in.
    pub fn message(&self) -> String {
        fill(self.descriptor.message, &self.values).0
    }
}

/// Fills `{field}` from the values and leaves out every `[…]` part that names an absent field.
/// The flag says whether a named field was absent.
fn fill(template: &str, values: &Values) -> (String, bool) {
    let mut text = String::with_capacity(template.len().saturating_mul(2));
    let mut absent = false;
    let mut rest = template;
    while let Some(at) = rest.find(['{', '[']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let close = if from.starts_with('{') { '}' } else { ']' };
        let Some(end) = from.find(close) else {
            text.push_str(from);
            return (text, absent);
        };
        let (inner, after) =
            (from.get(1..end).unwrap_or_default(), from.get(end.saturating_add(1)..).unwrap_or_default());
        if close == '}' {
            match values.get(inner) {
                Some(value) => text.push_str(&value.to_string()),
                None => absent = true,
            }
        } else if let (part, false) = fill(inner, values) {
            text.push_str(&part);
        }
        rest = after;
    }
    text.push_str(rest);
    (text, absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_with_an_absent_field_is_left_out() {
        let mut values = Values::new();
        values.set("executable", "A.EXE");
        let template = "{executable} was run[ ({run_count} times in all)]";
        assert_eq!(fill(template, &values).0, "A.EXE was run");
        values.set("run_count", 3u64);
        assert_eq!(fill(template, &values).0, "A.EXE was run (3 times in all)");
    }

    /// Values are text from the evidence: braces in them are not read as fields.
    #[test]
    fn values_are_never_templates() {
        let mut values = Values::new();
        values.set("name", "{secret}[{x}]");
        assert_eq!(fill("<{name}>", &values).0, "<{secret}[{x}]>");
    }

    #[test]
    fn macb_letters() {
        assert_eq!((Meaning::MODIFIED | Meaning::CREATED).macb(), "M..B");
        assert_eq!((Meaning::MODIFIED | Meaning::CREATED).to_string(), "modified+created");
        assert_eq!(Meaning::EXECUTED.macb(), "....");
    }
}
