//! What is wrong in a rule, and where.

use std::fmt;

/// A place in a rule file. Lines and columns count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// A mistake in a rule file: where it stands, what is wrong, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The rule file as the user named it.
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// What is wrong, as a full sentence.
    pub message: String,
    /// The nearest name that would have been right.
    pub did_you_mean: Option<String>,
}

impl RuleError {
    pub(crate) fn new(file: &str, place: Place, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place, message: message.into(), did_you_mean: None }
    }

    /// Adds the nearest of the names that would have been right, if one is near.
    pub(crate) fn suggest<'a>(mut self, wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Self {
        self.did_you_mean = nearest(wrong, right);
        self
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.place.line, self.place.column, self.message)?;
        if let Some(name) = &self.did_you_mean {
            write!(f, " Did you mean '{name}'?")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleError {}

/// The name with the smallest edit distance to `wrong`, if it is small enough to be a slip: at most a third of its length.
pub(crate) fn nearest<'a>(wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = wrong.to_lowercase();
    right
        .into_iter()
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        .min()
        .filter(|(distance, name)| *distance <= name.chars().count().max(wrong.chars().count()).div_ceil(3))
        .map(|(_, name)| name.to_owned())
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name() {
        let names = ["contains", "startswith", "endswith", "cidr"];
        assert_eq!(nearest("contain", names).as_deref(), Some("contains"));
        assert_eq!(nearest("endwith", names).as_deref(), Some("endswith"));
        assert_eq!(nearest("quux", names), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn text_of_an_error() {
        let e = RuleError::new("a.yml", Place { line: 3, column: 5 }, "There is no modifier 'contain'.")
            .suggest("contain", ["contains"]);
        assert_eq!(e.to_string(), "a.yml:3:5: There is no modifier 'contain'. Did you mean 'contains'?");
    }
}
