//! `Field|modifier|modifier: value` into tests.

use super::super::error::Place;
use super::super::yaml::{Key, Kind, Node};
use super::pattern::{self, Anchor, Order, Pattern, TextPattern};
use super::{Context, Expr, Test};
use crate::detect::error::RuleError;

const MODIFIERS: &[&str] = &[
    "contains",
    "startswith",
    "endswith",
    "all",
    "re",
    "i",
    "m",
    "s",
    "ignorecase",
    "multiline",
    "dotall",
    "cidr",
    "base64",
    "base64offset",
    "utf16",
    "utf16le",
    "utf16be",
    "wide",
    "windash",
    "exists",
    "cased",
    "lt",
    "lte",
    "gt",
    "gte",
    "fieldref",
    "expand",
    "neq",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

/// What the modifiers of one key ask for.
#[derive(Default)]
struct Asked<'a> {
    anchor: Option<Anchor>,
    all: bool,
    cased: bool,
    not: bool,
    exists: bool,
    fieldref: bool,
    cidr: bool,
    re: bool,
    i: bool,
    m: bool,
    s: bool,
    compare: Option<Order>,
    expand: bool,
    /// Changes of the value, in their order.
    encodings: Vec<&'a str>,
    time_part: Option<&'a str>,
}

/// The tests that one key of a selection stands for.
pub(super) fn tests(context: &Context, key: &Key, value: &Node) -> Result<Expr, RuleError> {
    let mut parts = key.text.split('|');
    let field = parts.next().filter(|f| !f.is_empty()).map(str::to_owned);
    let mut asked = Asked::default();
    for modifier in parts {
        apply(context, key.place, modifier, &mut asked)?;
    }
    if value.is_map() {
        return Err(context.error(value.place, format!("The field '{}' needs a value or a list, not a map.", key.text)));
    }
    let null = std::slice::from_ref(value);
    let values = if value.kind == Kind::Null { null } else { value.items() };
    if values.is_empty() {
        return Err(context.error(value.place, format!("The list for '{}' is empty.", key.text)));
    }
    let mut tests = Vec::with_capacity(values.len());
    for value in values {
        let patterns = patterns(context, &asked, value)?;
        let test = |pattern| Expr::Test(Test { field: field.clone(), pattern, place: value.place });
        tests.push(one_or(patterns.into_iter().map(test).collect(), Expr::Or));
    }
    let linked = one_or(tests, if asked.all { Expr::And } else { Expr::Or });
    Ok(if asked.not { Expr::Not(Box::new(linked)) } else { linked })
}

/// A keyword: text looked for in the whole event.
pub(super) fn keyword(context: &Context, value: &Node) -> Result<Expr, RuleError> {
    let patterns = patterns(context, &Asked { anchor: Some(Anchor::Anywhere), ..Asked::default() }, value)?;
    let test = |pattern| Expr::Test(Test { field: None, pattern, place: value.place });
    Ok(one_or(patterns.into_iter().map(test).collect(), Expr::Or))
}

pub(super) fn one_or(mut parts: Vec<Expr>, link: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { link(parts) }
}

fn apply<'a>(context: &Context, place: Place, modifier: &'a str, asked: &mut Asked<'a>) -> Result<(), RuleError> {
    match modifier {
        "contains" => asked.anchor = Some(Anchor::Anywhere),
        "startswith" => asked.anchor = Some(Anchor::Start),
        "endswith" => asked.anchor = Some(Anchor::End),
        "all" => asked.all = true,
        "cased" => asked.cased = true,
        "neq" => asked.not = true,
        "exists" => asked.exists = true,
        "fieldref" => asked.fieldref = true,
        "cidr" => asked.cidr = true,
        "re" => asked.re = true,
        "i" | "ignorecase" if asked.re => asked.i = true,
        "m" | "multiline" if asked.re => asked.m = true,
        "s" | "dotall" if asked.re => asked.s = true,
        "lt" => asked.compare = Some(Order::Less),
        "lte" => asked.compare = Some(Order::LessOrEqual),
        "gt" => asked.compare = Some(Order::Greater),
        "gte" => asked.compare = Some(Order::GreaterOrEqual),
        "expand" => asked.expand = true,
        "base64" | "base64offset" | "utf16" | "utf16le" | "utf16be" | "wide" | "windash" => {
            asked.encodings.push(modifier);
        }
        "minute" | "hour" | "day" | "week" | "month" | "year" => asked.time_part = Some(modifier),
        "i" | "m" | "s" | "ignorecase" | "multiline" | "dotall" => {
            return Err(context.error(place, format!("The modifier '{modifier}' stands only after 're'.")));
        }
        _ => {
            return Err(context
                .error(place, format!("There is no modifier '{modifier}'."))
                .suggest(modifier, MODIFIERS.iter().copied()));
        }
    }
    Ok(())
}

/// The patterns for one value; any of them may match.
fn patterns(context: &Context, asked: &Asked, value: &Node) -> Result<Vec<Pattern>, RuleError> {
    let wrong = |what: &str| context.error(value.place, format!("{what}, but this is {}.", value.kind_name()));
    if let Some(part) = asked.time_part {
        return Ok(vec![Pattern::Unevaluable(format!("the modifier '{part}' is not built yet"))]);
    }
    if asked.exists {
        let Kind::Bool(exists) = value.kind else { return Err(wrong("'exists' needs true or false")) };
        return Ok(vec![Pattern::Exists(exists)]);
    }
    if value.kind == Kind::Null {
        return Ok(vec![Pattern::Null]);
    }
    let Some(text) = value.text() else { return Err(wrong("A value is needed here")) };
    if let Some(order) = asked.compare {
        let limit = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        let Some(limit) = limit else { return Err(wrong("A number is needed here")) };
        return Ok(vec![Pattern::Compare(order, limit)]);
    }
    if asked.re {
        return Ok(vec![pattern::regex(&text, asked.i, asked.m, asked.s).unwrap_or_else(Pattern::Unevaluable)]);
    }
    if asked.cidr {
        return match pattern::cidr(&text) {
            Some(pattern) => Ok(vec![pattern]),
            None => Err(context.error(value.place, format!("'{text}' is not a network like 192.0.2.0/24."))),
        };
    }
    let anchor = asked.anchor.unwrap_or(Anchor::Whole);
    if asked.fieldref {
        return Ok(vec![Pattern::FieldRef { field: text, anchor, cased: asked.cased }]);
    }
    let texts = match asked.expand.then(|| expand(context, &text)) {
        None => vec![text],
        Some(Ok(texts)) => texts,
        Some(Err(name)) => {
            return Ok(vec![Pattern::Unevaluable(format!("no values are given for its placeholder %{name}%"))]);
        }
    };
    let mut patterns = Vec::new();
    for text in texts {
        if asked.encodings.is_empty() {
            patterns.push(Pattern::Text(TextPattern::parse(&text, anchor, asked.cased)));
        } else {
            encoded(context, asked, value.place, &text, anchor, &mut patterns)?;
        }
    }
    Ok(patterns)
}

/// Puts given values in for `%name%`; `\%` is a percent sign. The error is the name for which none are given.
fn expand(context: &Context, text: &str) -> Result<Vec<String>, String> {
    let mut done = vec![String::new()];
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        let after_percent = &from[1..];
        let backslashes = before.bytes().rev().take_while(|b| *b == b'\\').count();
        let (texts, after) = match (backslashes % 2 == 1, placeholder(after_percent)) {
            (true, _) => (vec![format!("{}%", &before[..before.len() - 1])], after_percent),
            (false, None) => (vec![format!("{before}%")], after_percent),
            (false, Some((name, after))) => {
                let values = context.placeholders.get(name).ok_or_else(|| name.to_owned())?;
                (values.iter().map(|v| format!("{before}{v}")).collect(), after)
            }
        };
        done = done.iter().flat_map(|d| texts.iter().map(move |t| format!("{d}{t}"))).collect();
        rest = after;
    }
    done.iter_mut().for_each(|d| d.push_str(rest));
    Ok(done)
}

/// The name before the next percent sign, and what follows it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.split_once('%')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    is_name.then_some((name, after))
}

/// A value while encodings change it: text, until an encoding makes bytes of it.
enum Stage {
    Text(String),
    Bytes(Vec<u8>),
}

fn encoded(
    context: &Context,
    asked: &Asked,
    place: Place,
    text: &str,
    anchor: Anchor,
    patterns: &mut Vec<Pattern>,
) -> Result<(), RuleError> {
    let binary = asked.encodings.iter().any(|e| *e != "windash");
    if binary && !matches!(TextPattern::parse(text, Anchor::Whole, true).shape, super::Shape::Fixed(Anchor::Whole, _)) {
        return Err(context.error(place, "A value that is encoded can't hold wildcards."));
    }
    let start = if binary { unescape(text) } else { text.to_owned() };
    let mut stages = vec![Stage::Text(start)];
    for encoding in &asked.encodings {
        stages = stages.into_iter().flat_map(|stage| encode(encoding, stage)).collect();
    }
    for stage in stages {
        patterns.push(Pattern::Text(match stage {
            Stage::Text(text) if !binary => TextPattern::parse(&text, anchor, asked.cased),
            Stage::Text(text) => TextPattern::literal(&text, anchor, asked.cased),
            Stage::Bytes(bytes) => {
                let text: String = bytes.iter().map(|b| char::from(*b)).collect();
                TextPattern::literal(&text, anchor, asked.cased)
            }
        }));
    }
    Ok(())
}

/// Takes the escapes out of a text that holds no wildcards.
fn unescape(text: &str) -> String {
    match TextPattern::parse(text, Anchor::Whole, true).shape {
        super::Shape::Fixed(_, text) => text,
        _ => text.to_owned(),
    }
}

fn encode(encoding: &str, stage: Stage) -> Vec<Stage> {
    let units = |stage: &Stage| match stage {
        Stage::Text(text) => text.encode_utf16().collect::<Vec<u16>>(),
        Stage::Bytes(bytes) => bytes.iter().map(|b| u16::from(*b)).collect(),
    };
    let bytes = |stage: Stage| match stage {
        Stage::Text(text) => text.into_bytes(),
        Stage::Bytes(bytes) => bytes,
    };
    match encoding {
        "wide" | "utf16le" => vec![Stage::Bytes(units(&stage).iter().flat_map(|u| u.to_le_bytes()).collect())],
        "utf16be" => vec![Stage::Bytes(units(&stage).iter().flat_map(|u| u.to_be_bytes()).collect())],
        "utf16" => vec![Stage::Bytes(
            [0xff, 0xfe].into_iter().chain(units(&stage).iter().flat_map(|u| u.to_le_bytes())).collect(),
        )],
        "base64" => vec![Stage::Text(base64(&bytes(stage)))],
        "base64offset" => {
            let bytes = bytes(stage);
            (0..3).map(|offset| Stage::Text(base64_at(&bytes, offset))).collect()
        }
        "windash" => match stage {
            Stage::Text(text) => windash(&text).into_iter().map(Stage::Text).collect(),
            stage => vec![stage],
        },
        _ => vec![stage],
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = BASE64[(bits >> shift & 0x3f) as usize];
            text.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// The part of the base64 text of `offset` unknown bytes followed by `bytes` that depends on `bytes` alone.
fn base64_at(bytes: &[u8], offset: usize) -> String {
    let padded: Vec<u8> = std::iter::repeat_n(b' ', offset).chain(bytes.iter().copied()).collect();
    let text = base64(&padded);
    let start = [0, 2, 3][offset];
    let end = text.len() - [0, 3, 2][padded.len() % 3];
    text.get(start..end).unwrap_or_default().to_owned()
}

/// The dashes that Windows programs take for the start of an option.
const DASHES: [&str; 5] = ["-", "/", "–", "—", "―"];

/// Every way to write the options of a command line: a `-` or `/` that begins a word stands for any of [`DASHES`].
fn windash(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let begins = |i: usize| {
        matches!(chars[i], '-' | '/')
            && !is_word(i.checked_sub(1).and_then(|p| chars.get(p)))
            && is_word(chars.get(i + 1))
    };
    let options = (0..chars.len()).filter(|i| begins(*i)).count();
    // 5^4 = 625 texts; with more options than that all are written the same way.
    let together = options > 4;
    let mut texts = vec![String::new()];
    if together {
        texts = vec![String::new(); DASHES.len()];
    }
    for (i, c) in chars.iter().enumerate() {
        if !begins(i) {
            texts.iter_mut().for_each(|t| t.push(*c));
        } else if together {
            texts.iter_mut().zip(DASHES).for_each(|(t, dash)| t.push_str(dash));
        } else {
            texts = texts.iter().flat_map(|t| DASHES.iter().map(move |dash| format!("{t}{dash}"))).collect();
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Witness: `printf 'foobar' | base64` and RFC 4648 section 10.
    #[test]
    fn base64_vectors() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    /// Witness: the Sigma rule d02e8cf5 lists the three forms of UTF-16 `$env:userprofile`.
    #[test]
    fn base64offset_of_wide_text() {
        let wide: Vec<u8> = "$env:userprofile".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(base64_at(&wide, 0).starts_with("JABlAG4AdgA6AHUAcwBlAHIAcAByAG8AZgBpAGwAZQ"));
        assert!(base64_at(&wide, 1).starts_with("QAZQBuAHYAOgB1AHMAZQByAHAAcgBvAGYAaQBsAGUA"));
        assert!(base64_at(&wide, 2).starts_with("kAGUAbgB2ADoAdQBzAGUAcgBwAHIAbwBmAGkAbABlA"));
    }

    /// In every text that holds the bytes, one of the three forms stands.
    #[test]
    fn base64offset_finds_every_offset() {
        for length in 1..9 {
            let needle: Vec<u8> = (0..length).map(|i| b'k' + i).collect();
            for before in 0..9 {
                for after in 0..4 {
                    let all: Vec<u8> = [vec![b'\x01'; before], needle.clone(), vec![b'\xfe'; after]].concat();
                    let text = base64(&all);
                    let form = base64_at(&needle, before % 3);
                    assert!(text.contains(&form), "{length} {before} {after}");
                }
            }
        }
    }

    /// Expected values follow the specification's section on placeholders.
    #[test]
    fn placeholders() {
        let given = std::collections::BTreeMap::from([("name".to_owned(), vec!["a".to_owned(), "b".to_owned()])]);
        let context = Context { file: "t.yml", placeholders: &given, strict: true };
        assert_eq!(expand(&context, r"D\\%name%!").unwrap(), [r"D\\a!", r"D\\b!"], "a backslash before a placeholder");
        assert_eq!(expand(&context, r"\%plain%name%").unwrap(), ["%plaina", "%plainb"]);
        assert_eq!(expand(&context, "100% of %name%").unwrap(), ["100% of a", "100% of b"]);
        assert_eq!(expand(&context, "%name%%name%").unwrap().len(), 4);
        assert_eq!(expand(&context, "x%other%"), Err("other".to_owned()));
        assert_eq!(expand(&context, "").unwrap(), [""]);
    }

    #[test]
    fn windash_forms() {
        assert_eq!(windash("-f").len(), 5);
        assert!(windash(" -a /b").contains(&" /a –b".to_owned()));
        assert_eq!(windash("a-b"), ["a-b"]);
        assert_eq!(windash(" -a -b -c -d -e").len(), 5);
    }
}
