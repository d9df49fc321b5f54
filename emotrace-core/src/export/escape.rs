//! Evidence is hostile, also as text: what each kind of output does with it.
//!
//! | output | what is done |
//! |---|---|
//! | JSON | nothing is lost: JSON's own escapes; control, bidi and other invisible characters as `\u…` |
//! | CSV, body file | line breaks, control and invisible characters become visible escapes; a cell that a spreadsheet would run as a formula gets a leading `'` |
//! | terminal, HTML | control, escape, bidi and other invisible characters become visible escapes |
//!
//! `docs/hostile-text.md` has the whole table; `emotrace-cli/tests/hostile.rs` holds every output against it.

use std::borrow::Cow;

/// True for characters that change how a terminal or a viewer shows the text around them, or that show nothing.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
        | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}'
        | FIRST_STAND_IN..=char::MAX)
}

/// From here on, a character stands for the surrogate of its own value less 0x102000; see `bytes::text`.
const FIRST_STAND_IN: char = '\u{10f800}';
const SURROGATE_SHIFT: u32 = 0x10_2000;

/// Text for one line on a terminal or in a text format: what is invisible becomes `\u{202e}`-like escapes, tabs and line
/// breaks become `\t`, `\n`, `\r`. A lone surrogate is shown by its own number, `\u{d83d}`, which no character has.
pub fn visible(text: &str) -> Cow<'_, str> {
    // Nearly all text is plain ASCII, which needs no look at each character.
    let plain = |byte: &u8| (b' '..=b'~').contains(byte);
    if text.as_bytes().iter().all(plain) || !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_add(16));
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c >= FIRST_STAND_IN => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c).saturating_sub(SURROGATE_SHIFT)));
            }
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Text for a CSV cell: [`visible`], and a leading `'` where a spreadsheet would take the cell for a formula.
pub fn cell(text: &str) -> Cow<'_, str> {
    let shown = visible(text);
    // Full-width forms are read as formulas by spreadsheets in East Asian locales.
    if shown.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{shown}"))
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_gets_through() {
        assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(visible("gnp.\u{202e}exe"), "gnp.\\u{202e}exe");
        assert_eq!(visible("x\r\ny"), "x\\r\\ny");
        assert_eq!(visible("a\u{10f83d}b"), "a\\u{d83d}b");
        assert_eq!(visible("日本語 ok"), "日本語 ok");
    }

    #[test]
    fn formulas_are_text() {
        for bad in ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", "  =1", "\t=1"] {
            let shown = cell(bad);
            assert!(shown.starts_with('\'') || shown.starts_with('\\'), "{shown}");
        }
        assert_eq!(cell("C:\\a"), "C:\\a");
    }
}
