//! Sigma rules: their syntax, and what one test does to one value.
//!
//! Source of the format: Sigma specification 2.1 (rules, correlations, modifiers), SigmaHQ/sigma-specification.

mod condition;
mod correlation;
mod modifier;
mod pattern;
mod rule;

pub(crate) use correlation::{Correlation, CorrelationKind, Threshold, ticks};
pub(crate) use pattern::{Anchor, Pattern, Shape, TextPattern, each_text, fold, fold_into, matches_text, stands};
pub(crate) use rule::{Body, Example, ExampleEvent, Filter, LogSource, Rule, parse_file};

use std::collections::BTreeMap;

use super::error::{Place, RuleError};

/// What reading a rule needs besides its text.
pub(crate) struct Context<'a> {
    /// The rule file as the user named it.
    pub(crate) file: &'a str,
    /// Values for `%name%` under the modifier `expand`.
    pub(crate) placeholders: &'a BTreeMap<String, Vec<String>>,
    /// The project's own rules: nothing unknown is let pass.
    pub(crate) strict: bool,
}

impl Context<'_> {
    pub(crate) fn error(&self, place: Place, message: impl Into<String>) -> RuleError {
        RuleError::new(self.file, place, message)
    }
}

/// A condition over one event.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Test(Test),
}

/// One field held against one pattern.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// The field as the rule names it; absent for a keyword, which is looked for in the whole event.
    pub(crate) field: Option<String>,
    pub(crate) pattern: Pattern,
    pub(crate) place: Place,
}

impl Expr {
    /// Calls `f` for every test.
    pub(crate) fn tests<'a>(&'a self, f: &mut impl FnMut(&'a Test)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|p| p.tests(f)),
            Self::Not(part) => part.tests(f),
            Self::Test(test) => f(test),
        }
    }

    /// Why this can't be evaluated at all, if a part of it can't.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let mut found = None;
        self.tests(&mut |test| {
            if let (None, Pattern::Unevaluable(why)) = (&found, &test.pattern) {
                found = Some(why.clone());
            }
        });
        found
    }
}
