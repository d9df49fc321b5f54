//! XML as Windows writes it into files: scheduled tasks, manifests, application settings.
//!
//! A small reader for evidence: it keeps what it has read when the text is cut or damaged, takes no document type
//! definition (so there are no entities that grow), and is bounded in depth and in the number of elements. Names come
//! without their namespace prefix.
//!
//! Source: W3C, Extensible Markup Language (XML) 1.0.

use crate::bytes::{FormatError, text};

/// Deepest nesting of elements.
const MAX_DEPTH: usize = 64;
/// Most elements in one text.
const MAX_ELEMENTS: usize = 100_000;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Name without prefix.
    pub name: String,
    /// Attributes by name without prefix, in their order.
    pub attributes: Vec<(String, String)>,
    /// All text that stands directly in the element, without white space at its ends.
    pub text: String,
    /// Elements in it, in their order.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Text of the first child of that name, if there is any.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Text of a file by its byte order mark; without one, UTF-16 if the first character looks like it, else UTF-8.
pub fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => text::from_utf16le(rest),
        [0xfe, 0xff, rest @ ..] => {
            text::from_utf16(rest.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)))
        }
        [b'<', 0, ..] => text::from_utf16le(bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => text::from_utf8(rest),
        bytes => text::from_utf8(bytes),
    }
}

/// Reads a text. Gives the root as far as it goes, and what was wrong, if anything. Offsets of errors count bytes of the
/// text in UTF-8.
pub fn read(source: &str) -> (Option<Element>, Option<FormatError>) {
    let mut reader = Reader { source, at: 0, elements: 0 };
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let error = loop {
        match reader.step(&mut open, &mut root) {
            Ok(true) => {}
            Ok(false) if open.is_empty() && root.is_some() => break None,
            Ok(false) => break Some(reader.error("the text ends inside an element")),
            Err(problem) => break Some(reader.error(problem)),
        }
    };
    // Whatever is still open holds what came before the damage.
    while let Some(element) = open.pop() {
        close(element, &mut open, &mut root);
    }
    (root, error)
}

fn close(mut element: Element, open: &mut [Element], root: &mut Option<Element>) {
    element.text = element.text.trim().to_owned();
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = root.take().or(Some(element)),
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    elements: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, problem: &str) -> FormatError {
        FormatError::Other { what: "XML", offset: self.at as u64, problem: problem.to_owned() }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Goes behind the next `end` and gives what stands before it.
    fn until(&mut self, end: &str) -> Result<&'a str, &'static str> {
        let (before, _) = self.rest().split_once(end).ok_or("the text ends inside of markup")?;
        self.at = self.at.saturating_add(before.len()).saturating_add(end.len());
        Ok(before)
    }

    /// Takes one piece of text or markup. False at the end.
    fn step(&mut self, open: &mut Vec<Element>, root: &mut Option<Element>) -> Result<bool, &'static str> {
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(false);
        }
        if !rest.starts_with('<') {
            let text = rest.split('<').next().unwrap_or_default();
            self.at = self.at.saturating_add(text.len());
            if let Some(element) = open.last_mut() {
                unescape(text, &mut element.text);
            }
        } else if rest.starts_with("<!--") {
            self.until("-->")?;
        } else if rest.starts_with("<![CDATA[") {
            let text = self.until("]]>")?;
            if let Some(element) = open.last_mut() {
                element.text.push_str(text.get("<![CDATA[".len()..).unwrap_or_default());
            }
        } else if rest.starts_with("<?") {
            self.until("?>")?;
        } else if rest.starts_with("<!") {
            return Err("a document type definition is not taken");
        } else if rest.starts_with("</") {
            let tag = self.until(">")?;
            let name = local(tag.get(2..).unwrap_or_default().trim());
            let element = open.pop().ok_or("an element ends that did not begin")?;
            let fits = element.name == name;
            close(element, open, root);
            if !fits {
                return Err("the end of an element does not fit its start");
            }
        } else {
            self.element(open, root)?;
        }
        Ok(true)
    }

    /// A start tag.
    fn element(&mut self, open: &mut Vec<Element>, root: &mut Option<Element>) -> Result<(), &'static str> {
        if open.len() >= MAX_DEPTH {
            return Err("elements are nested too deep");
        }
        if open.is_empty() && root.is_some() {
            return Err("there is more than one root");
        }
        self.elements = self.elements.saturating_add(1);
        if self.elements > MAX_ELEMENTS {
            return Err("there are too many elements");
        }
        self.at = self.at.saturating_add(1);
        let name = self.name();
        if name.is_empty() {
            return Err("an element has no name");
        }
        let mut element = Element { name: local(name).to_owned(), ..Element::default() };
        loop {
            self.space();
            if self.rest().starts_with("/>") {
                self.at = self.at.saturating_add(2);
                close(element, open, root);
                return Ok(());
            }
            if self.rest().starts_with('>') {
                self.at = self.at.saturating_add(1);
                open.push(element);
                return Ok(());
            }
            let name = self.name();
            self.space();
            let quote = match (name.is_empty(), self.rest().strip_prefix('=').map(str::trim_start)) {
                (false, Some(value)) if value.starts_with('"') => "\"",
                (false, Some(value)) if value.starts_with('\'') => "'",
                _ => {
                    open.push(element);
                    return Err("an attribute has no value");
                }
            };
            let value = self.until(quote).and_then(|_| self.until(quote));
            let Ok(value) = value else {
                open.push(element);
                return Err("the text ends inside an attribute");
            };
            let mut text = String::with_capacity(value.len());
            unescape(value, &mut text);
            element.attributes.push((local(name).to_owned(), text));
        }
    }

    fn name(&mut self) -> &'a str {
        let end = |c: char| c.is_whitespace() || matches!(c, '=' | '/' | '>' | '<' | '"' | '\'');
        let name = self.rest().split(end).next().unwrap_or_default();
        self.at = self.at.saturating_add(name.len());
        name
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at = self.at.saturating_add(rest.len().saturating_sub(rest.trim_start().len()));
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Adds text with its entities replaced. One that is not known stays as it is.
fn unescape(mut text: &str, out: &mut String) {
    while let Some((before, from)) = text.split_once('&') {
        out.push_str(before);
        // The longest entity that is known is &#1114111; or &#x10ffff;
        let known = from.split_once(';').filter(|(name, _)| name.len() <= 8).and_then(|(name, after)| {
            let c = match name {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                name => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((c, after))
        });
        match known {
            Some((c, after)) => {
                out.push(c);
                text = after;
            }
            None => {
                out.push('&');
                text = from;
            }
        }
    }
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text() {
        let (root, error) = read(
            "<?xml version=\"1.0\"?>\n<!-- a > b --><t:Task version='1.2' xmlns:t=\"urn:x\">\r\n  <A>x &amp; y &#x41;&#66; &unknown; <![CDATA[<z>]]></A><B/>\n<B k = \"1 &lt; 2\"></B></t:Task>\n",
        );
        assert_eq!(error, None);
        let root = root.unwrap();
        assert_eq!((root.name.as_str(), root.attribute("version"), root.text.as_str()), ("Task", Some("1.2"), ""));
        assert_eq!(root.text_of("A"), Some("x & y AB &unknown; <z>"));
        assert_eq!(root.text_of("B"), None);
        assert_eq!(root.children[2].attribute("k"), Some("1 < 2"));
    }

    #[test]
    fn what_stands_before_the_damage_is_kept() {
        let whole = "<Task><A>1</A><B k=\"v\"><C>2</C></B></Task>";
        for cut in 0..whole.len() {
            let (root, error) = read(&whole[..cut]);
            assert!(error.is_some(), "{cut}");
            if cut >= "<Task><A>1</A>".len() {
                assert_eq!(root.unwrap().text_of("A"), Some("1"), "{cut}");
            }
        }
        let (root, error) = read("<T><A>1</A></X><B>2</B>");
        assert_eq!(root.unwrap().text_of("A"), Some("1"));
        assert_eq!(error.unwrap().offset(), 15);
    }

    #[test]
    fn bombs_are_refused() {
        let deep = "<a>".repeat(100_000);
        assert!(read(&deep).1.is_some());
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS + 1));
        assert!(read(&many).1.is_some());
        let grow = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        assert!(read(grow).1.is_some());
    }

    #[test]
    fn all_encodings() {
        let text = "<a>é</a>";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf16.clone(),
            [&[0xff, 0xfe], &*utf16].concat(),
            [&[0xfe, 0xff], &*big].concat(),
        ] {
            assert_eq!(decode(&bytes), text);
        }
    }

    /// Cuts and flips must not panic or hang.
    #[test]
    fn damage() {
        let whole = b"<?xml version=\"1.0\"?><T a='b'><!-- c --><A>1 &amp; 2</A><![CDATA[x]]><B k=\"v\"/></T>";
        let mut state = 1u64;
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = whole.to_vec();
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = b"<>/&;=\"' \0\xff!?-["[(state >> 20) as usize % 15];
            if state & 8 == 0 {
                bytes.truncate(at);
            }
            let _ = read(&decode(&bytes));
        }
    }
}
