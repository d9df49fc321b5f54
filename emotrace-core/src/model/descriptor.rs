//! The declared columns of one kind of event.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Bool,
    /// An instant in UTC.
    Time,
    /// Bytes, shown as lower-case hex.
    Bytes,
    /// Several values in order.
    List,
    /// Named values that the evidence itself names, like the EventData of a log record.
    Map,
}

/// One declared column.
#[derive(Debug)]
pub struct Field {
    /// Name in snake_case; never changes its meaning once released.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means, with unit and origin.
    pub doc: &'static str,
}

impl Field {
    /// A field as a constant.
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, doc }
    }
}

/// Declares one kind of event: its name, its message and its columns. Rules are checked against it when they load.
#[derive(Debug)]
pub struct Descriptor {
    /// `source:artifact:what`, for example `windows:prefetch:execution`.
    pub name: &'static str,
    /// One sentence: what a row of this kind says.
    pub doc: &'static str,
    /// The text of a row. `{field}` is replaced by its value; a part in `[…]` is left out when a field in it is absent.
    pub message: &'static str,
    /// The `data_type` that plaso gives the same kind of event, where one fits, so that Timesketch's analyzers work.
    pub data_type: Option<&'static str>,
    /// The columns in their order.
    pub fields: &'static [Field],
}

impl Descriptor {
    /// The declared column of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

impl PartialEq for Descriptor {
    /// Two descriptors are the same when they bear the same name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Every artifact and descriptor that a run may name. Lets stored events find their `&'static` parts again.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Names of the artifacts in their order; the order is part of the timeline's sort key.
    pub artifacts: Vec<&'static str>,
    /// All descriptors.
    pub descriptors: Vec<&'static Descriptor>,
}

impl Schema {
    /// Place of an artifact in the catalogue.
    pub fn artifact_index(&self, name: &str) -> Option<usize> {
        let same = |a: &&str| std::ptr::eq(*a, name);
        self.artifacts.iter().position(same).or_else(|| self.artifacts.iter().position(|a| *a == name))
    }

    /// Place of a descriptor in the catalogue.
    pub fn descriptor_index(&self, descriptor: &Descriptor) -> Option<usize> {
        let same = |d: &&Descriptor| std::ptr::eq(*d, descriptor);
        self.descriptors.iter().position(same).or_else(|| self.descriptors.iter().position(|d| *d == descriptor))
    }
}
