//! What a field's value is held against.
//!
//! Sigma compares text without case unless `cased` or `re` is asked for. "Without case" here is Unicode simple case
//! folding applied character by character ([`fold`]), so that a folded text contains a folded part exactly when the text
//! contains the part.

use std::net::IpAddr;

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::model::Value;

/// Where in a value a text must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Anchor {
    Whole,
    Start,
    End,
    Anywhere,
}

/// A text without wildcards at its place, or a text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    Fixed(Anchor, String),
    /// `*` alone: any value.
    Anything,
    /// Wildcards elsewhere than at the ends.
    Glob(Vec<GlobItem>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GlobItem {
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TextPattern {
    /// Folded unless `cased`.
    pub(crate) shape: Shape,
    pub(crate) cased: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Text(TextPattern),
    Regex {
        regex: Box<Regex>,
        /// Folded texts one of which is in every value that matches; none if no such texts are known.
        needles: Option<Vec<String>>,
    },
    Cidr {
        network: IpAddr,
        prefix: u8,
    },
    Compare(Order, f64),
    Exists(bool),
    /// The field is absent or has no value.
    Null,
    FieldRef {
        field: String,
        anchor: Anchor,
        cased: bool,
    },
    /// Can't be evaluated, and why.
    Unevaluable(String),
}

/// The text with case differences removed, character by character: Unicode's simple case folding.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends the folded text.
pub(crate) fn fold_into(text: &str, folded: &mut String) {
    if text.is_ascii() {
        let start = folded.len();
        folded.push_str(text);
        if let Some(added) = folded.get_mut(start..) {
            added.make_ascii_lowercase();
        }
        return;
    }
    for c in text.chars() {
        match c {
            'ſ' => folded.push('s'),
            'ς' => folded.push('σ'),
            c => folded.extend(c.to_lowercase()),
        }
    }
}

impl TextPattern {
    /// Reads Sigma's wildcards: `*` any text, `?` any character; a backslash before one of them or before another
    /// backslash takes its special meaning, any other backslash is itself.
    pub(crate) fn parse(text: &str, anchor: Anchor, cased: bool) -> Self {
        let mut items = Vec::new();
        if matches!(anchor, Anchor::End | Anchor::Anywhere) {
            items.push(GlobItem::Many);
        }
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, chars.peek()) {
                ('\\', Some(&next @ ('*' | '?' | '\\'))) => {
                    chars.next();
                    items.push(GlobItem::Char(next));
                }
                ('*', _) => items.push(GlobItem::Many),
                ('?', _) => items.push(GlobItem::One),
                (c, _) => items.push(GlobItem::Char(c)),
            }
        }
        if matches!(anchor, Anchor::Start | Anchor::Anywhere) {
            items.push(GlobItem::Many);
        }
        Self::from_items(items, cased)
    }

    /// A text in which nothing is a wildcard.
    pub(crate) fn literal(text: &str, anchor: Anchor, cased: bool) -> Self {
        let text = if cased { text.to_owned() } else { fold(text) };
        Self { shape: Shape::Fixed(anchor, text), cased }
    }

    fn from_items(mut items: Vec<GlobItem>, cased: bool) -> Self {
        items.dedup_by(|a, b| *a == GlobItem::Many && *b == GlobItem::Many);
        if !cased {
            items = items
                .into_iter()
                .flat_map(|item| match item {
                    GlobItem::Char(c) => fold(c.encode_utf8(&mut [0; 4])).chars().map(GlobItem::Char).collect(),
                    item => vec![item],
                })
                .collect();
        }
        let starts = items.first() == Some(&GlobItem::Many);
        let ends = items.len() > 1 && items.last() == Some(&GlobItem::Many);
        let inner = &items[usize::from(starts)..items.len() - usize::from(ends)];
        let text: Option<String> = inner
            .iter()
            .map(|item| match item {
                GlobItem::Char(c) => Some(*c),
                GlobItem::One | GlobItem::Many => None,
            })
            .collect();
        let shape = match (text, starts, ends) {
            (Some(text), true, false) if text.is_empty() => Shape::Anything,
            (Some(text), true, true) => Shape::Fixed(Anchor::Anywhere, text),
            (Some(text), true, false) => Shape::Fixed(Anchor::End, text),
            (Some(text), false, true) => Shape::Fixed(Anchor::Start, text),
            (Some(text), false, false) => Shape::Fixed(Anchor::Whole, text),
            (None, ..) => Shape::Glob(items),
        };
        Self { shape, cased }
    }

    /// True if the text fits. `folded` is the folded `text`.
    pub(crate) fn matches(&self, text: &str, folded: &str) -> bool {
        let text = if self.cased { text } else { folded };
        match &self.shape {
            Shape::Anything => true,
            Shape::Fixed(anchor, part) => stands(text, *anchor, part),
            Shape::Glob(items) => glob(items, text),
        }
    }

    /// The longest text, folded, that every value that matches contains when folded. Empty if there is none.
    pub(crate) fn needle(&self) -> String {
        match &self.shape {
            Shape::Anything => String::new(),
            Shape::Fixed(_, text) => fold(text),
            Shape::Glob(items) => {
                let mut best = String::new();
                let mut run = String::new();
                for item in items.iter().chain([&GlobItem::Many]) {
                    match item {
                        GlobItem::Char(c) => run.push(*c),
                        GlobItem::One | GlobItem::Many => {
                            if run.len() > best.len() {
                                best.clone_from(&run);
                            }
                            run.clear();
                        }
                    }
                }
                fold(&best)
            }
        }
    }
}

pub(crate) fn stands(text: &str, anchor: Anchor, part: &str) -> bool {
    match anchor {
        Anchor::Whole => text == part,
        Anchor::Start => text.starts_with(part),
        Anchor::End => text.ends_with(part),
        Anchor::Anywhere => text.contains(part),
    }
}

/// The usual two-pointer match: on a mismatch the last `*` takes one character more. Work is at most items × characters.
fn glob(items: &[GlobItem], text: &str) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        match items.get(at) {
            Some(GlobItem::Many) => {
                at += 1;
                retry = Some((at, rest.clone()));
                continue;
            }
            Some(item) => {
                let mut next = rest.clone();
                if let Some(c) = next.next()
                    && (*item == GlobItem::One || *item == GlobItem::Char(c))
                {
                    at += 1;
                    rest = next;
                    continue;
                }
            }
            None if rest.as_str().is_empty() => return true,
            None => {}
        }
        let Some((star, from)) = retry.as_mut() else { return false };
        if from.next().is_none() {
            return false;
        }
        at = *star;
        rest = from.clone();
    }
}

/// Why a regular expression can't be used here.
pub(crate) fn regex(pattern: &str, i: bool, m: bool, s: bool) -> Result<Pattern, String> {
    let build = |pattern: &str| {
        regex::RegexBuilder::new(pattern).case_insensitive(i).multi_line(m).dot_matches_new_line(s).build()
    };
    let (regex, pattern) = match build(pattern) {
        Ok(regex) => (regex, pattern.to_owned()),
        Err(first) => {
            let escaped = escape_lone_braces(pattern);
            match build(&escaped) {
                Ok(regex) => (regex, escaped),
                Err(_) => {
                    let last = first.to_string();
                    let why = last.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    return Err(format!("its regular expression can't be used here: {why}"));
                }
            }
        }
    };
    let hir = regex_syntax::ParserBuilder::new()
        .case_insensitive(i)
        .multi_line(m)
        .dot_matches_new_line(s)
        .build()
        .parse(&pattern)
        .ok();
    let needles = hir.as_ref().and_then(required).filter(|n| n.iter().all(|n| !n.is_empty()));
    Ok(Pattern::Regex { regex: Box::new(regex), needles })
}

/// In PCRE a `{` that begins no repetition is itself; the crate `regex` refuses it.
fn escape_lone_braces(pattern: &str) -> String {
    let mut escaped = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let (this, after) = rest.split_at(c.len_utf8());
        if c == '\\' {
            let next = after.chars().next().map_or(0, char::len_utf8);
            escaped.push('\\');
            escaped.push_str(&after[..next]);
            rest = &after[next..];
            continue;
        }
        let repetition = after.split_once('}').is_some_and(|(inner, _)| {
            inner.starts_with(|c: char| c.is_ascii_digit()) && inner.chars().all(|c| c.is_ascii_digit() || c == ',')
        });
        if c == '{' && !repetition {
            escaped.push('\\');
        }
        escaped.push_str(this);
        rest = after;
    }
    escaped
}

/// Folded texts one of which is in every match; the choice whose shortest text is longest.
fn required(hir: &Hir) -> Option<Vec<String>> {
    let best = |a: Option<Vec<String>>, b: Option<Vec<String>>| match (a, b) {
        (Some(a), Some(b)) => Some(if shortest(&b) > shortest(&a) { b } else { a }),
        (a, b) => a.or(b),
    };
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![fold(std::str::from_utf8(&literal.0).ok()?)]),
        HirKind::Class(_) => one_char(hir).map(|c| vec![c]),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min >= 1 => required(&repetition.sub),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(required(part)?);
                if all.len() > 64 {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Concat(parts) => {
            let mut found = None;
            let mut run = String::new();
            for part in parts {
                match part.kind() {
                    HirKind::Literal(literal) => run.push_str(&fold(std::str::from_utf8(&literal.0).ok()?)),
                    HirKind::Look(_) | HirKind::Empty => {}
                    _ => match one_char(part) {
                        Some(c) => run.push_str(&c),
                        None => {
                            found = best(found, (!run.is_empty()).then(|| vec![std::mem::take(&mut run)]));
                            found = best(found, required(part));
                        }
                    },
                }
            }
            best(found, (!run.is_empty()).then(|| vec![run]))
        }
        HirKind::Repetition(_) | HirKind::Look(_) | HirKind::Empty => None,
    }
}

fn shortest(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

/// The folded character, if the class holds nothing but one character's case variants.
fn one_char(hir: &Hir) -> Option<String> {
    let HirKind::Class(Class::Unicode(class)) = hir.kind() else { return None };
    let mut one: Option<String> = None;
    for range in class.ranges() {
        if u32::from(range.end()) - u32::from(range.start()) > 4 {
            return None;
        }
        for c in range.start()..=range.end() {
            let folded = fold(c.encode_utf8(&mut [0; 4]));
            if one.as_ref().is_some_and(|known| *known != folded) {
                return None;
            }
            one = Some(folded);
        }
    }
    one
}

/// `192.0.2.0/24`, `2001:db8::/32`, or an address alone.
pub(crate) fn cidr(text: &str) -> Option<Pattern> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let network: IpAddr = address.trim().parse().ok()?;
    let bits: u8 = if network.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(bits), |p| p.trim().parse().ok().filter(|p| *p <= bits))?;
    Some(Pattern::Cidr { network, prefix })
}

fn in_network(text: &str, network: IpAddr, prefix: u8) -> bool {
    let Ok(address) = text.trim().parse::<IpAddr>() else { return false };
    match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix.into())).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        _ => false,
    }
}

/// The number that a text stands for: decimal, or hexadecimal with `0x`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|n| n as f64),
        None => text.parse().ok().filter(|n: &f64| n.is_finite()),
    }
}

/// Holds one present value, as text, against a pattern that looks at that value alone.
pub(crate) fn matches_text(pattern: &Pattern, text: &str, folded: &str) -> bool {
    match pattern {
        Pattern::Text(p) => p.matches(text, folded),
        Pattern::Regex { regex, .. } => regex.is_match(text),
        Pattern::Cidr { network, prefix } => in_network(text, *network, *prefix),
        Pattern::Compare(order, limit) => number(text).is_some_and(|n| match order {
            Order::Less => n < *limit,
            Order::LessOrEqual => n <= *limit,
            Order::Greater => n > *limit,
            Order::GreaterOrEqual => n >= *limit,
        }),
        Pattern::Exists(_) | Pattern::Null | Pattern::FieldRef { .. } | Pattern::Unevaluable(_) => false,
    }
}

/// Calls `f` with every text of a value: the items of a list one by one, null not at all.
pub(crate) fn each_text<'a>(value: &'a Value, f: &mut impl FnMut(std::borrow::Cow<'a, str>)) {
    match value {
        Value::Text(text) => f(text.as_str().into()),
        Value::List(items) => items.iter().for_each(|item| each_text(item, f)),
        Value::Map(entries) => entries.iter().for_each(|(_, item)| each_text(item, f)),
        Value::Null => {}
        other => f(other.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern that would take a gigabyte, or nests too deeply, is refused by the crate's limits (10 MiB, 250 levels);
    /// what can be built takes time in proportion to the text, whatever it repeats.
    #[test]
    fn regex_bombs() {
        for bomb in
            ["(a{1000}){1000}".to_owned(), r"\w{500}{500}{500}".to_owned(), "(".repeat(5000) + "a" + &")".repeat(5000)]
        {
            assert!(regex(&bomb, false, false, false).is_err(), "{bomb:.40}");
        }
        let Ok(Pattern::Regex { regex, .. }) = regex("^(a+)+$", false, false, false) else { panic!("a plain pattern") };
        assert!(!regex.is_match(&("a".repeat(100_000) + "b")), "a backtracking engine would not come back");
    }

    fn hits(pattern: &str, anchor: Anchor, cased: bool, text: &str) -> bool {
        TextPattern::parse(pattern, anchor, cased).matches(text, &fold(text))
    }

    #[test]
    fn shapes() {
        let shape = |p: &str, a| TextPattern::parse(p, a, false).shape;
        assert_eq!(shape(r"\CMD.exe", Anchor::End), Shape::Fixed(Anchor::End, r"\cmd.exe".into()));
        assert_eq!(shape(r"*\cmd.exe", Anchor::Whole), Shape::Fixed(Anchor::End, r"\cmd.exe".into()));
        assert_eq!(shape("*", Anchor::Whole), Shape::Anything);
        assert_eq!(shape("*", Anchor::Anywhere), Shape::Anything);
        assert_eq!(shape("", Anchor::Whole), Shape::Fixed(Anchor::Whole, String::new()));
        assert!(matches!(shape(" -e* PAA", Anchor::Anywhere), Shape::Glob(_)));
    }

    /// Expected values follow the escape table of the Sigma specification.
    #[test]
    fn escapes() {
        assert!(!hits(r"C:\Windows\*", Anchor::Whole, false, r"c:\windows\x"), "the * is escaped");
        assert!(hits(r"C:\Windows\*", Anchor::Whole, false, r"c:\windows*"));
        assert!(hits(r"C:\Windows\\*", Anchor::Whole, false, r"C:\Windows\x"));
        assert!(hits(r"\\\\srv\share", Anchor::Whole, false, r"\\srv\share"));
        assert!(hits(r"a\\b", Anchor::Whole, false, r"a\b"));
        assert!(hits(r"\??\C:", Anchor::Start, false, r"?X\C:"), r"\? is a question mark, the second ? any character");
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a?c*", "xxabcyy", true),
            ("a?c", "aぬc", true),
            ("*.t?p", r"c:\x.tmp", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(hits(pattern, Anchor::Whole, false, text), expected, "{pattern} {text}");
        }
        assert!(hits(" -e* PAA", Anchor::Anywhere, false, "powershell -enc PAAx"));
    }

    #[test]
    fn case() {
        assert!(hits("Straße", Anchor::Whole, false, "STRAßE"));
        assert!(hits("ΣΑΣ", Anchor::Whole, false, "σας"));
        assert!(!hits("abc", Anchor::Whole, true, "ABC"));
        assert!(hits("abc", Anchor::Whole, true, "abc"));
    }

    #[test]
    fn needles_are_in_every_match() {
        let needle = |p: &str, i| match regex(p, i, false, false).unwrap() {
            Pattern::Regex { needles, .. } => needles,
            _ => None,
        };
        assert_eq!(needle(r"\\[a-z]{3}\\Temp\\.*", false), Some(vec![r"\temp\".into()]));
        assert_eq!(needle(r"(?:foo|barbar)\d", false), Some(vec!["foo".into(), "barbar".into()]));
        assert_eq!(needle(r"Kiosk\d", true), Some(vec!["kiosk".into()]));
        assert_eq!(needle(r"[a-z]+", false), None);
        assert_eq!(needle(r"(abc)?d", false), Some(vec!["d".into()]));
        assert_eq!(needle(r"^.{3,}$", false), None);
    }

    #[test]
    fn regexes() {
        let p = regex(r"\$\{env:", false, false, false).unwrap();
        assert!(matches_text(&p, "x${env:y", ""));
        let lenient = regex(r"a{b", false, false, false).unwrap();
        assert!(matches_text(&lenient, "a{b", ""));
        assert!(regex(r"foo(?!bar)", false, false, false).unwrap_err().contains("look-around"));
    }

    #[test]
    fn networks_and_numbers() {
        let p = cidr("10.0.0.0/8").unwrap();
        assert!(matches_text(&p, "10.255.1.2", "") && matches_text(&p, "::ffff:10.0.0.1", ""));
        assert!(!matches_text(&p, "11.0.0.1", "") && !matches_text(&p, "x", ""));
        assert!(matches_text(&cidr("fe80::/10").unwrap(), "fe80::1", ""));
        assert!(matches_text(&cidr("0.0.0.0/0").unwrap(), "8.8.8.8", ""));
        assert!(cidr("10.0.0.0/33").is_none());
        let at_least = Pattern::Compare(Order::GreaterOrEqual, 16.0);
        assert!(
            matches_text(&at_least, "16", "")
                && matches_text(&at_least, "0x10", "")
                && !matches_text(&at_least, "x", "")
        );
    }
}
