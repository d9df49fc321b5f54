//! A sentence in both languages that the report speaks.

/// A sentence in English and in Japanese.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) en: String,
    pub(crate) ja: String,
}

impl Said {
    pub(crate) fn new(en: impl Into<String>, ja: impl Into<String>) -> Self {
        Self { en: en.into(), ja: ja.into() }
    }
}
