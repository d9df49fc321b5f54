//! JSON as every output of this program writes it: nothing is lost, and nothing in it changes how a terminal or a viewer
//! shows it.
//!
//! JSON's own rules let control characters from 0x7f on, bidi overrides and invisible characters stand as they are. Here
//! they are written as `\u…` escapes, which every reader of JSON turns back.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::escape::is_invisible;

/// Writes a value on one line, without the line's end.
///
/// # Errors
/// When the output can't be written, or a map has keys that are no text.
pub fn line<W: Write + ?Sized>(value: &(impl Serialize + ?Sized), out: &mut W) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Visible(CompactFormatter)))?)
}

/// Writes a value on several lines, indented, with the last line's end.
///
/// # Errors
/// As [`line()`].
pub fn pretty<W: Write + ?Sized>(value: &(impl Serialize + ?Sized), out: &mut W) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Visible(PrettyFormatter::new())))?;
    out.write_all(b"\n")
}

/// Another formatter, with invisible characters written out.
struct Visible<F>(F);

impl<F: Formatter> Formatter for Visible<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        // Nearly all text is ASCII, and what is invisible below 0x7f never comes here: JSON escapes it anyway.
        if text.bytes().fold(0, u8::max) < 0x7f {
            return out.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_invisible(*c)) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = from.get(c.len_utf8()..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }
    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }
    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }
    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }
    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }
    fn end_object_key<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_key(out)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_invisible_is_written_out_and_comes_back() {
        let text = "a\u{202e}b\u{9b}31m\u{7f}\u{0}\u{1b}日本語\u{10f83d}\"\\\u{e0041}";
        let value = json!({"k\u{200f}": [text, 1, {"x": null}], "e": [], "o": {}});
        let mut written = Vec::new();
        line(&value, &mut written).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert!(written.contains(r"a\u202eb\u009b31m\u007f\u0000\u001b日本語\udbfe\udc3d"), "{written}");
        assert!(!written.chars().any(is_invisible));
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        let mut shown = Vec::new();
        pretty(&value, &mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        let plain = json!({"a": ["日本語", 1, {"x": null}], "e": [], "o": {}});
        let mut shown = Vec::new();
        pretty(&plain, &mut shown).unwrap();
        assert_eq!(String::from_utf8(shown).unwrap(), serde_json::to_string_pretty(&plain).unwrap() + "\n");
    }
}
