//! Registry hives (REGF).

/// What a hive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HiveKind {
    /// `NTUSER.DAT`.
    NtUser,
}

/// A key.
pub struct Key<'h>(std::marker::PhantomData<&'h ()>);
