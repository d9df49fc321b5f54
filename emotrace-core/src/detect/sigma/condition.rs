//! The condition of a rule: `selection and not 1 of filter_*`.
//!
//! ```text
//! or   = and *( "or" and )        and = not *( "and" not )        not = [ "not" ] atom
//! atom = "(" or ")" / name / ( "1" / "any" / "all" ) "of" ( "them" / pattern )
//! ```

use super::super::error::Place;
use super::modifier::one_or;
use super::{Context, Expr, Pattern, Test};
use crate::detect::error::RuleError;

/// Nesting of parentheses and `not` that a condition may have.
const MAX_DEPTH: usize = 64;

/// Reads a condition over named selections.
pub(super) fn parse(
    context: &Context,
    place: Place,
    text: &str,
    selections: &[(String, Expr)],
) -> Result<Expr, RuleError> {
    // Sigma before 2.0 counted events behind a bar: `selection | count(User) by Host > 5`.
    let (text, aggregation) = match text.split_once('|') {
        Some((text, aggregation)) if !context.strict => (text, Some(aggregation.trim())),
        _ => (text, None),
    };
    let tokens =
        tokens(text).map_err(|at| context.error(column(place, at), "This character has no meaning in a condition."))?;
    let mut reader = Reader { context, place, selections, tokens: &tokens, at: 0, depth: 0, negated: false };
    let expr = reader.or()?;
    if let Some(token) = reader.peek() {
        return Err(reader.error(&format!("'{}' is too much here.", token.text)));
    }
    Ok(match aggregation {
        None => expr,
        Some(aggregation) => {
            let why = format!("its condition ends in '| {aggregation}', which correlation rules have replaced");
            let test = Test { field: None, pattern: Pattern::Unevaluable(why), place };
            Expr::And(vec![expr, Expr::Test(test)])
        }
    })
}

fn column(place: Place, at: usize) -> Place {
    Place { line: place.line, column: place.column + at }
}

struct Token<'a> {
    text: &'a str,
    at: usize,
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, usize> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if c.is_whitespace() {
            continue;
        }
        let mut end = start + c.len_utf8();
        if is_name(c) {
            while let Some((at, c)) = chars.next_if(|(_, c)| is_name(*c)) {
                end = at + c.len_utf8();
            }
        } else if !matches!(c, '(' | ')') {
            return Err(text[..start].chars().count());
        }
        tokens.push(Token { text: &text[start..end], at: text[..start].chars().count() });
    }
    Ok(tokens)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | '?' | '.' | '$')
}

struct Reader<'a> {
    context: &'a Context<'a>,
    place: Place,
    selections: &'a [(String, Expr)],
    tokens: &'a [Token<'a>],
    at: usize,
    depth: usize,
    /// Behind an odd number of `not`.
    negated: bool,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|t| t.text.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn error(&self, message: &str) -> RuleError {
        let at = self.peek().map_or(0, |t| t.at);
        self.context.error(column(self.place, at), message)
    }

    fn or(&mut self) -> Result<Expr, RuleError> {
        let mut parts = vec![self.and()?];
        while self.take("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, RuleError> {
        let mut parts = vec![self.not()?];
        while self.take("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, RuleError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("The condition nests too deeply."));
        }
        let expr = if self.take("not") {
            self.negated = !self.negated;
            let part = self.not()?;
            self.negated = !self.negated;
            Expr::Not(Box::new(part))
        } else {
            self.atom()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn atom(&mut self) -> Result<Expr, RuleError> {
        let Some(token) = self.peek() else {
            return Err(self.error("The condition ends where a selection was expected."));
        };
        if self.take("(") {
            let expr = self.or()?;
            return if self.take(")") { Ok(expr) } else { Err(self.error("A ')' is missing.")) };
        }
        let of = self.tokens.get(self.at + 1).is_some_and(|t| t.text.eq_ignore_ascii_case("of"));
        if of {
            let link = match token.text.to_ascii_lowercase().as_str() {
                "1" | "any" | "one" => Expr::Or as fn(Vec<Expr>) -> Expr,
                "all" => Expr::And,
                _ => return Err(self.error("Before 'of' stands 1, any or all.")),
            };
            self.at += 2;
            return self.group(link);
        }
        self.selection(token)
    }

    fn group(&mut self, link: fn(Vec<Expr>) -> Expr) -> Result<Expr, RuleError> {
        let Some(token) = self.peek() else { return Err(self.error("After 'of' stands a name, a pattern or 'them'.")) };
        let them = token.text.eq_ignore_ascii_case("them");
        let chosen: Vec<Expr> = self
            .selections
            .iter()
            .filter(|(name, _)| if them { !name.starts_with('_') } else { name_fits(token.text, name) })
            .map(|(_, expr)| expr.clone())
            .collect();
        if chosen.is_empty() {
            // `not 1 of filter_*` where no filter is left, or its name is misspelt, filters nothing.
            if self.negated && !self.context.strict {
                self.at += 1;
                return Ok(Expr::Or(Vec::new()));
            }
            return Err(self.error(&format!("No selection fits '{}'.", token.text)));
        }
        self.at += 1;
        Ok(one_or(chosen, link))
    }

    fn selection(&mut self, token: &Token) -> Result<Expr, RuleError> {
        match self.selections.iter().find(|(name, _)| name == token.text) {
            Some((_, expr)) => {
                self.at += 1;
                Ok(expr.clone())
            }
            None => {
                let names = self.selections.iter().map(|(name, _)| name.as_str());
                Err(self.error(&format!("There is no selection '{}'.", token.text)).suggest(token.text, names))
            }
        }
    }
}

/// True if the name fits a pattern in which `*` stands for any text.
fn name_fits(pattern: &str, name: &str) -> bool {
    use super::pattern::{Anchor, TextPattern};
    TextPattern::parse(pattern, Anchor::Whole, true).matches(name, name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn show(expr: &Expr) -> String {
        let list = |parts: &[Expr], word: &str| format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(word));
        match expr {
            Expr::And(parts) => list(parts, "&"),
            Expr::Or(parts) => list(parts, "|"),
            Expr::Not(part) => format!("!{}", show(part)),
            Expr::Test(test) => test.field.clone().unwrap_or_default(),
        }
    }

    fn read(text: &str) -> Result<String, RuleError> {
        read_as(true, text)
    }

    fn read_as(strict: bool, text: &str) -> Result<String, RuleError> {
        let placeholders = BTreeMap::new();
        let context = Context { file: "t.yml", placeholders: &placeholders, strict };
        let selections: Vec<(String, Expr)> = ["sel_a", "sel_b", "filter_x", "filter_y", "_hidden"]
            .into_iter()
            .map(|name| {
                let test = Test { field: Some(name.into()), pattern: Pattern::Null, place: Place::default() };
                (name.to_owned(), Expr::Test(test))
            })
            .collect();
        parse(&context, Place { line: 9, column: 5 }, text, &selections).map(|e| show(&e))
    }

    #[test]
    fn grammar() {
        for (text, expected) in [
            ("sel_a", "sel_a"),
            ("sel_a and sel_b or filter_x", "((sel_a&sel_b)|filter_x)"),
            ("sel_a or sel_b and filter_x", "(sel_a|(sel_b&filter_x))"),
            ("sel_a and not (filter_x or filter_y)", "(sel_a&!(filter_x|filter_y))"),
            ("1 of sel_* and not 1 of filter_*", "((sel_a|sel_b)&!(filter_x|filter_y))"),
            ("all of sel_*", "(sel_a&sel_b)"),
            ("1 of them", "(sel_a|sel_b|filter_x|filter_y)"),
            ("any of _h*", "_hidden"),
            ("NOT sel_a AND sel_b", "(!sel_a&sel_b)"),
            ("not not sel_a", "!!sel_a"),
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn mistakes() {
        let e = read("sel_a and sel_c").unwrap_err();
        assert_eq!((e.place.line, e.place.column), (9, 15));
        assert_eq!(e.did_you_mean.as_deref(), Some("sel_a"));
        for text in ["", "sel_a and", "(sel_a", "sel_a sel_b", "2 of sel_*", "1 of nothing*", "sel_a | count() > 5"] {
            assert!(read(text).is_err(), "{text}");
        }
        // What others' rules may say: filters that are not there filter nothing, and counting has its reason.
        assert_eq!(read_as(false, "sel_a and not 1 of gone_*").unwrap(), "(sel_a&!())");
        assert_eq!(read_as(false, "sel_a and not (sel_b or 1 of gone_*)").unwrap(), "(sel_a&!(sel_b|()))");
        assert!(read_as(false, "sel_a and 1 of gone_*").is_err(), "a selection that is not there is a mistake");
        assert!(read_as(false, "sel_a and not not 1 of gone_*").is_err());
        assert_eq!(read_as(false, "sel_a | count(User) by Host > 5").unwrap(), "(sel_a&)");
        assert!(read_as(false, "sel_q | count() > 5").is_err());
        assert!(read(&format!("{}sel_a", "not ".repeat(10_000))).is_err());
        assert!(read(&"(".repeat(100_000)).is_err());
    }
}
