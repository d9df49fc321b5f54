//! OneNote sections: the files that are embedded in them.
//!
//! A section begins with the GUID `{7B5C52E4-D88C-4DA7-AEB1-5378D02996D3}`; at 0xc4 stands the length that the file should have.
//! Each embedded file stands behind the GUID `{BDE316E7-2665-4511-A4C4-8D4D0B7A9EAC}`: its length (8 bytes), 12 unused bytes, the
//! content up to the next multiple of eight, and the GUID `{71FBA722-0F79-4A0B-BB13-899256426B24}`. The objects are found by their
//! GUIDs, so that damage elsewhere in the file does no harm; an end without its beginning is an object that was lost.
//!
//! Source: Microsoft, MS-ONESTORE 2.3.1 (header) and 2.6.13 (FileDataStoreObject).

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::fields::uint_at;
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning};

static EMBEDDED: Descriptor = Descriptor {
    name: "windows:onenote:embedded_file",
    doc: "A OneNote section holds a file. The row stands at the time when the section's file was made.",
    message: "{path} holds an embedded file of {size} bytes: {kind}[, {head}]",
    data_type: None,
    fields: &[
        Field::new("path", Kind::Text, "The section."),
        Field::new("section_size", Kind::Number, "Its length in bytes."),
        Field::new("kind", Kind::Text, "script, program, office, archive, image, pdf or other, by the first bytes."),
        Field::new("size", Kind::Number, "Length of the embedded file as the object says."),
        Field::new("head", Kind::Text, "Beginning of a script."),
    ],
};

const SECTION: [u8; 16] =
    [0xe4, 0x52, 0x5c, 0x7b, 0x8c, 0xd8, 0xa7, 0x4d, 0xae, 0xb1, 0x53, 0x78, 0xd0, 0x29, 0x96, 0xd3];
const OBJECT: [u8; 16] =
    [0xe7, 0x16, 0xe3, 0xbd, 0x65, 0x26, 0x11, 0x45, 0xa4, 0xc4, 0x8d, 0x4d, 0x0b, 0x7a, 0x9e, 0xac];
const OBJECT_END: [u8; 16] =
    [0x22, 0xa7, 0xfb, 0x71, 0x79, 0x0f, 0x0b, 0x4a, 0xbb, 0x13, 0x89, 0x92, 0x56, 0x42, 0x6b, 0x24];
/// Where the section says how long it should be.
const EXPECTED_LENGTH: usize = 0xc4;

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "onenote_files",
    doc: "\
OneNote sections (*.one) in users' folders, and the files that are embedded in them. In March 2023 Emotet came as a section with a \
script under a picture of a button.

It proves that the section holds such a file, and what kind its first bytes make it.

It does not prove that anyone clicked it; OneNote then writes the file below Temp\\OneNote, where it is found as a file. Notebooks \
of users hold documents and pictures, rarely scripts.

It lives as long as the section.",
    references: &["Microsoft, MS-ONESTORE: OneNote Revision Store File Format, 2.3.1 and 2.6.13"],
    emits: &[&EMBEDDED],
    reads: Reads::Files { paths: &[r"\Users\**\*.one"], recognise: |head| head.starts_with(&SECTION), parse },
};

/// Largest section that is read; those of users grow to some hundred megabytes, those of mails do not.
const MAX_SECTION: u64 = 64 << 20;
/// Most objects that are told.
const MAX_OBJECTS: usize = 500;

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    if input.data.len() > MAX_SECTION {
        out.issue(None, Loss::Whole, format!("the section has {} bytes, more than is read", input.data.len()));
        return Ok(Completion::Truncated { at: 0 });
    }
    let data = input.read_whole()?;
    if !data.starts_with(&SECTION) {
        return Ok(Completion::NotThisFormat);
    }
    let mut completion = Completion::Complete;
    let expected = uint_at(&data, EXPECTED_LENGTH, 8).unwrap_or(u64::MAX);
    if input.data.len() < expected {
        completion = Completion::Truncated { at: input.data.len() };
        let error = format!("the section is cut: it says that it is {expected} bytes long");
        out.issue(Some(input.data.len()), Loss::Rest, error);
    }
    let mut count = 0usize;
    let mut open = false;
    for (at, window) in data.windows(OBJECT.len()).enumerate() {
        if window == OBJECT_END {
            if !std::mem::take(&mut open) {
                out.issue(Some(at as u64), Loss::Record, "the embedded file that ends here has lost its beginning");
            }
            continue;
        }
        if window != OBJECT {
            continue;
        }
        if std::mem::replace(&mut open, true) {
            out.issue(Some(at as u64), Loss::None, "the embedded file before this one has lost its end");
        }
        let Some(object) = data.get(at..) else { break };
        let Some(len) = uint_at(object, 16, 8) else { break };
        let content = object.get(36..).unwrap_or_default();
        let content = content.get(..usize::try_from(len).unwrap_or(usize::MAX)).unwrap_or(content);
        count = count.saturating_add(1);
        if count > MAX_OBJECTS {
            out.issue(Some(at as u64), Loss::Rest, "the section holds more files than are told");
            break;
        }
        let (kind, head) = kind_of(content);
        out.give(
            Record::new(&EMBEDDED)
                .time(Meaning::CREATED, input.entry.and_then(super::file_times::named))
                .set("path", input.locator.path.as_str())
                .set("section_size", input.data.len())
                .set("kind", kind)
                .set("size", len)
                .set_some("head", head)
                .at(at as u64),
        );
    }
    Ok(completion)
}

/// What scripts begin with, lower case.
const SCRIPTS: &[&str] = &[
    "<job", "<script", "<html", "<hta", "<package", "dim ", "function", "on error", "set ", "sub ", "var ", "@echo",
    "try", "rem ",
];

fn kind_of(content: &[u8]) -> (&'static str, Option<String>) {
    const HEADS: &[(&[u8], &str)] = &[
        (b"MZ", "program"),
        (&[0xd0, 0xcf, 0x11, 0xe0], "office"),
        (b"PK\x03\x04", "archive"),
        (b"\x89PNG", "image"),
        (&[0xff, 0xd8, 0xff], "image"),
        (b"GIF8", "image"),
        (b"%PDF", "pdf"),
    ];
    if let Some((_, kind)) = HEADS.iter().find(|(head, _)| content.starts_with(head)) {
        return (kind, None);
    }
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    // UTF-16 scripts: every second byte is nothing for Latin letters.
    let text: Vec<u8> = match text.strip_prefix(b"\xff\xfe") {
        Some(wide) => wide.iter().step_by(2).copied().take(200).collect(),
        None => text.iter().copied().take(200).collect(),
    };
    let head = String::from_utf8_lossy(&text).trim_start().to_owned();
    let lower = head.to_ascii_lowercase();
    if SCRIPTS.iter().any(|s| lower.starts_with(s)) {
        let short: String = head.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
        return ("script", Some(short.trim_end().to_owned()));
    }
    ("other", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(kind_of(b"<job id=\"a\">").0, "script");
        assert_eq!(kind_of(b"\xff\xfeD\0i\0m\0 \0x\0"), ("script", Some("Dim x".to_owned())));
        assert_eq!(kind_of(b"MZ\x90"), ("program", None));
        assert_eq!(kind_of(b""), ("other", None));
        assert_eq!(kind_of(b"Dimension"), ("other", None));
    }
}
