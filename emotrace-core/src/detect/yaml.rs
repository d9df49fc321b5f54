//! YAML with places: the tree of a rule file in which every key and value knows its line and column.
//!
//! Scalars are read as in YAML 1.2's core schema (`null`, `true`, whole numbers, text); dates stay text. Source: YAML 1.2.2,
//! chapter 10. The scanner is the crate `saphyr-parser`; nothing else here knows it.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::error::{Place, RuleError};

/// A rule file nests a handful of levels; deeper input is refused before the stack could matter.
const MAX_DEPTH: usize = 64;
/// Nodes in one file, copies made by aliases included.
const MAX_NODES: usize = 1_000_000;
const TOO_LARGE: &str = "The file nests too deeply or is too large for a rule.";

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// A whole number. Its text is in [`Node::text`].
    Int(i64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    /// The entries of a map; none if this is no map.
    pub(crate) fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; a scalar or map counts as a list of itself; null as an empty one.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The scalar as text: text as it is, numbers and truth values as they are written in plain form.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Int(n) => Some(n.to_string()),
            Kind::Bool(b) => Some(b.to_string()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.kind, Kind::Map(_))
    }

    /// What this is, for error messages.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a truth value",
            Kind::Int(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// All documents of a file.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<Node>, RuleError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { file, parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => documents.push(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'a> {
    file: &'a str,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// What each anchor names, and how many nodes that is.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), RuleError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(e)) => {
                let place = Place { line: e.marker().line(), column: e.marker().col() + 1 };
                Err(RuleError::new(self.file, place, format!("This is not YAML: {}.", e.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn error<T>(&self, place: Place, message: impl Into<String>) -> Result<T, RuleError> {
        Err(RuleError::new(self.file, place, message))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, RuleError> {
        let place = Place { line: span.start.line(), column: span.start.col() + 1 };
        self.take_nodes(1, place)?;
        if depth > MAX_DEPTH {
            return self.error(place, TOO_LARGE);
        }
        let (anchor, kind) = match event {
            Event::Alias(id) => {
                let Some(nodes) = self.anchors.get(&id).map(|(_, nodes)| *nodes) else {
                    return self.error(place, "This alias names no anchor.");
                };
                // Counted first: the copy is what a bomb is made of.
                self.take_nodes(nodes, place)?;
                return Ok(self.anchors.get(&id).map_or(Node { kind: Kind::Null, place }, |(node, _)| node.clone()));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (anchor, if plain { plain_scalar(&text) } else { Kind::Text(text.into_owned()) })
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (Event::StreamEnd, _) => return self.error(place, "The list does not end."),
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                (anchor, Kind::List(items))
            }
            Event::MappingStart(anchor, _) => (anchor, Kind::Map(self.entries(place, depth)?)),
            _ => return self.error(place, "A value was expected here."),
        };
        let node = Node { kind, place };
        if anchor != 0 {
            // What the anchor names is kept beside the tree, so it counts twice.
            let nodes = count(&node);
            self.take_nodes(nodes, place)?;
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        Ok(node)
    }

    fn take_nodes(&mut self, nodes: usize, place: Place) -> Result<(), RuleError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES { self.error(place, TOO_LARGE) } else { Ok(()) }
    }

    fn entries(&mut self, start: Place, depth: usize) -> Result<Vec<(Key, Node)>, RuleError> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut names: HashSet<String> = HashSet::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(entries),
                (Event::StreamEnd, _) => return self.error(start, "The map does not end."),
                (event, span) => self.node(event, span, depth + 1)?,
            };
            let Some(text) = key.text().or_else(|| (key.kind == Kind::Null).then(String::new)) else {
                return self.error(key.place, format!("A key must be text, but this is {}.", key.kind_name()));
            };
            if !names.insert(text.clone()) {
                return self.error(key.place, format!("The key '{text}' stands twice in this map."));
            }
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            entries.push((Key { text, place: key.place }, node));
        }
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, n)| count(n)).sum::<usize>(),
        _ => 1,
    }
}

fn plain_scalar(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => whole_number(text).map_or_else(|| Kind::Text(text.to_owned()), Kind::Int),
    }
}

fn whole_number(text: &str) -> Option<i64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-']));
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok().filter(|_| !octal.starts_with(['+', '-']));
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    // YAML 1.2 calls `08` the number 8, but a rule that says so means the text.
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_and_places() {
        let docs =
            parse("a.yml", "a: 1\nz: 08\nb:\n  - x # note\n  - '2'\n  - ~\n  - 2019-09-30\n---\nc: true\n").unwrap();
        assert_eq!(docs.len(), 2);
        assert_eq!(docs[0].get("a").unwrap().kind, Kind::Int(1));
        assert_eq!(docs[0].get("z").unwrap().kind, Kind::Text("08".into()));
        let b = docs[0].get("b").unwrap();
        let kinds: Vec<_> = b.items().iter().map(|n| n.kind.clone()).collect();
        let text = |t: &str| Kind::Text(t.into());
        assert_eq!(kinds, [text("x"), text("2"), Kind::Null, text("2019-09-30")]);
        assert_eq!(b.items()[1].place, Place { line: 5, column: 5 });
        assert_eq!(docs[1].get("c").unwrap().kind, Kind::Bool(true));
    }

    #[test]
    fn mistakes_have_a_place() {
        let e = parse("a.yml", "a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((e.place.line, e.place.column), (3, 1));
        let e = parse("a.yml", "a: [1, 2\nb: 3\n").unwrap_err();
        assert!(e.place.line >= 1, "{e}");
    }

    /// "Billion laughs" and deep nesting end in an error, not in memory or on the stack.
    #[test]
    fn hostile_input_is_refused() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            let previous = format!("*a{}", i - 1);
            text.push_str(&format!("a{i}: &a{i} [{}]\n", vec![previous; 10].join(",")));
        }
        assert!(parse("a.yml", &text).is_err());
        assert!(parse("a.yml", &"[".repeat(100_000)).is_err());
    }

    /// Each anchor keeps a copy of what it names: fifty of them around one large list would be fifty lists.
    #[test]
    fn anchors_around_anchors_are_counted() {
        let opened: String = (0..50).map(|n| format!("&a{n} [")).collect();
        let nested = |items: usize| format!("{opened}{}{}", "x,".repeat(items), "]".repeat(50));
        assert!(parse("a.yml", &nested(100_000)).is_err());
        assert!(parse("a.yml", &nested(1000)).is_ok());
    }

    /// A map with many keys costs as many steps, not their square.
    #[test]
    fn many_keys_and_many_anchors() {
        let keys: String = (0..100_000).map(|n| format!("k{n}: &a{n} 1\n")).collect();
        let aliases: String = (0..100_000).map(|n| format!("- *a{n}\n")).collect();
        let documents = parse("a.yml", &format!("x:\n{}list:\n{aliases}", keys.replace('k', " k"))).unwrap();
        assert_eq!(documents[0].get("x").unwrap().entries().len(), 100_000);
        assert_eq!(documents[0].get("list").unwrap().items().len(), 100_000);
    }
}
