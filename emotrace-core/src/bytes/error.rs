//! The error of every decoder.

/// Something in a byte stream is not what its format says. Offsets count from the start of the stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The stream ends before the structure does.
    #[error("{what} at offset {offset:#x} needs {needed} bytes, {available} are left")]
    Short {
        /// Name of the structure.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// Bytes it needs.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// A signature differs.
    #[error("{what} at offset {offset:#x} should begin with {}, it begins with {}", shown(expected), shown(actual))]
    Signature {
        /// Name of the structure.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// The bytes that the format asks for.
        expected: Vec<u8>,
        /// The bytes that are there.
        actual: Vec<u8>,
    },
    /// A field holds a value that the format does not allow.
    #[error("{what} at offset {offset:#x} holds {value:#x}: {problem}")]
    Value {
        /// Name of the field.
        what: &'static str,
        /// Where it lies.
        offset: u64,
        /// What it holds.
        value: u64,
        /// Why that can't be.
        problem: &'static str,
    },
    /// Stored and computed checksums differ.
    #[error("{what} at offset {offset:#x} has the checksum {stored:#x}, its content gives {computed:#x}")]
    Checksum {
        /// Name of the structure.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// As stored.
        stored: u64,
        /// As computed.
        computed: u64,
    },
    /// A structure asks for more than a limit allows.
    #[error("{what} at offset {offset:#x} asks for {value}, the limit is {limit}")]
    Limit {
        /// Name of the structure.
        what: &'static str,
        /// Where it lies.
        offset: u64,
        /// What it asks for.
        value: u64,
        /// The limit in force.
        limit: u64,
    },
    /// Anything else, in words.
    #[error("{what} at offset {offset:#x}: {problem}")]
    Other {
        /// Name of the structure.
        what: &'static str,
        /// Where it lies.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
}

/// Bytes of a signature: as text where they are text, else as hexadecimal digits.
fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        "nothing".to_owned()
    } else if bytes.iter().all(|b| b.is_ascii_graphic()) {
        format!("{:?}", String::from_utf8_lossy(bytes))
    } else {
        bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
    }
}

impl FormatError {
    /// Where the fault lies.
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Short { offset, .. }
            | Self::Signature { offset, .. }
            | Self::Value { offset, .. }
            | Self::Checksum { offset, .. }
            | Self::Limit { offset, .. }
            | Self::Other { offset, .. } => *offset,
        }
    }
}
