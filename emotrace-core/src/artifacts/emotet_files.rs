//! Files whose bytes are Emotet's own, or those of its clean-up: what the head or the sections of a file hold.

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::fields::uint_at;
use crate::bytes::read_up_to;
use crate::bytes::text::hex;
use crate::formats::emotet_config::{self, Content};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, Value};

static CONTENT: Descriptor = Descriptor {
    name: "windows:emotet:content",
    doc: "A file holds bytes that are Emotet's own. The row stands at the time when the file's name was made.",
    message: "{path} holds {what}[: {servers}]",
    data_type: None,
    fields: &[
        Field::new("path", Kind::Text, "The file."),
        Field::new("size", Kind::Number, "Its length in bytes."),
        Field::new(
            "kind",
            Kind::Text,
            "servers, ecc_key, rsa_key, cleanup_quarantine, cleanup_loader or script_dropper.",
        ),
        Field::new("what", Kind::Text, "The kind in words."),
        Field::new("section", Kind::Text, "Section of the program that holds it."),
        Field::new("key", Kind::Text, "The block's key, 8 hex digits."),
        Field::new("servers", Kind::List, "Servers as address:port."),
        Field::new("count", Kind::Number, "How many servers."),
        Field::new("public_key", Kind::Text, "The public key in hex: DER, or X and Y."),
        Field::new("epoch", Kind::Text, "Epoch 4 or 5, where the key is a published one."),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "emotet_files",
    doc: "\
Files that hold bytes of Emotet itself: the list of its servers and its public keys in programs that are not packed (about 2020 to \
May 2022), the head of its JScript dropper of 2019, and what the police's clean-up of January 2021 left. Looked at are programs in \
the folders where Emotet puts itself, and files of the names in question.

It proves the family: these forms are made by Emotet, or by those who removed it.

It does not prove that the program ran. That nothing is found says little: programs on disk are packed as a rule, and since May 2022 \
the list is made by code, which is not run here.

It lives as long as the file.",
    references: &[
        "OALabs, research notebooks 2021-11-18-emotet and 2022-04-30-emotet_x64, github.com/OALabs/research",
        "CAPESandbox, CAPE-parsers, Emotet, github.com/CAPESandbox/CAPE-parsers",
        "Florian Roth, signature-base, crime_emotet.yar (BKA quarantine and clean-up, JScript dropper), as facts",
    ],
    emits: &[&CONTENT],
    reads: Reads::Files {
        paths: &[
            r"\Users\*\AppData\Local\*\*",
            r"\Users\*\AppData\Local\Temp\**\*.dll",
            r"\Users\*\AppData\Local\Temp\**\*.exe",
            r"\Users\*\*.dll",
            r"\Users\*\*.ocx",
            r"\Users\*\*.exe",
            r"\Users\**\*.js",
            r"\ProgramData\*.dll",
            r"\ProgramData\*.ocx",
            r"\Windows\Temp\*",
            r"\Windows\System32\*\*",
            r"\Windows\SysWOW64\*\*",
            r"\Windows\System32\config\systemprofile\AppData\Local\*\*",
            r"\Windows\SysWOW64\config\systemprofile\AppData\Local\*\*",
        ],
        recognise: |_| false,
        parse,
    },
};

const HEAD: usize = 4096;
/// First 32 bytes of what the police's file keeps of the Emotet that it replaced; the file itself holds them too.
const CLEANUP: [u8; 32] = [
    0xc3, 0xda, 0xda, 0x19, 0x63, 0x45, 0x2c, 0x86, 0x77, 0x3b, 0xe9, 0xfd, 0x24, 0x64, 0xfb, 0xb8, 0x07, 0xfe, 0x12,
    0xd0, 0x2a, 0x48, 0x13, 0x38, 0x48, 0x68, 0xe8, 0xae, 0x91, 0x3c, 0xed, 0x82,
];
/// `var a=['` in UTF-16 with its mark.
const DROPPER: &[u8] = b"\xff\xfev\0a\0r\0 \0a\0=\0[\0'\0";
/// The dropper's greatest length.
const MAX_DROPPER: u64 = 700 << 10;
/// Lengths of the police's file.
const LOADER: std::ops::RangeInclusive<u64> = 300_000..=700_000;
/// Most sections that are searched.
const MAX_SECTIONS: usize = 32;
/// Folders of the system folders that Windows and its parts fill: not searched, for they hold tens of thousands of programs.
const WINDOWS: &[&str] = &[
    "drivers",
    "driverstore",
    "wbem",
    "spool",
    "dism",
    "oobe",
    "speech",
    "speech_onecore",
    "migwiz",
    "sysprep",
    "inetsrv",
    "ime",
    "inputmethod",
    "com",
    "boot",
    "winevt",
    "applocker",
    "catroot",
    "catroot2",
    "winmetadata",
    "migration",
    "macromed",
    "windowspowershell",
    "networklist",
    "downlevel",
    "setup",
    "mui",
    "config",
    "tasks",
    "perceptionsimulation",
    "f12",
];

/// Sections end at multiples of this in the file (Microsoft, "PE Format": the smallest `FileAlignment`).
const FILE_ALIGNMENT: u64 = 512;

/// A section of a program.
struct Section {
    name: String,
    /// Where it lies in the file.
    at: u64,
    /// Bytes that the table gives it in the file.
    len: u64,
    /// Bytes that it fills at least. Some linkers leave out what would fill up the last one.
    used: u64,
}

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let path = input.locator.path.to_lowercase();
    if in_windows_folder(&path) {
        return Ok(Completion::NotThisFormat);
    }
    let head = read(input, 0, HEAD)?;
    let name = path.rsplit('\\').next().unwrap_or_default();
    if head.starts_with(&CLEANUP) && name.starts_with("udp") {
        give(out, input, "cleanup_quarantine", "an Emotet program that the police's clean-up put aside", |r| r);
        return Ok(Completion::Complete);
    }
    if head.starts_with(DROPPER) && input.data.len() <= MAX_DROPPER {
        give(out, input, "script_dropper", "the head of Emotet's JScript dropper", |r| r);
        return Ok(Completion::Complete);
    }
    if !head.starts_with(b"MZ") {
        return Ok(Completion::NotThisFormat);
    }
    if LOADER.contains(&input.data.len()) && input.read_whole()?.windows(CLEANUP.len()).any(|w| w == CLEANUP) {
        give(out, input, "cleanup_loader", "the police's clean-up program", |r| r);
        return Ok(Completion::Complete);
    }
    let mut any = false;
    let mut completion = Completion::Complete;
    for Section { name: section, at, len, used } in sections(&head) {
        let missing = at.saturating_add(used).saturating_sub(input.data.len());
        if missing > 0 {
            completion = Completion::Truncated { at: input.data.len() };
            let error = format!("the program is cut: {missing} bytes of its section {section} are missing");
            out.issue(Some(input.data.len()), Loss::Rest, error);
        }
        let most = emotet_config::SEARCHED.saturating_mul(2);
        let bytes = read(input, at, usize::try_from(len).unwrap_or(most).min(most))?;
        for block in emotet_config::find(&bytes) {
            any = true;
            let place = at.saturating_add(block.offset as u64);
            let key = format!("{:08x}", block.key);
            let section = section.as_str();
            match block.content {
                Content::Servers(list) => give(out, input, "servers", "a list of Emotet's servers", |r| {
                    let count = list.len() as u64;
                    let texts = list.iter().map(|([a, b, c, d], port)| format!("{a}.{b}.{c}.{d}:{port}"));
                    let servers = Value::List(texts.map(Value::from).collect());
                    r.set("section", section).set("key", key).set("servers", servers).set("count", count).at(place)
                }),
                Content::EccKey(magic, x, y) => {
                    give(out, input, "ecc_key", &format!("Emotet's public key {magic}"), |r| {
                        let epoch = epoch(&magic, &y);
                        r.set("section", section)
                            .set("key", key)
                            .set("public_key", format!("{}{}", hex(&x), hex(&y)))
                            .set_some("epoch", epoch)
                            .at(place)
                    });
                }
                Content::RsaKey(der) => give(out, input, "rsa_key", "Emotet's public RSA key", |r| {
                    r.set("section", section).set("key", key).set("public_key", hex(&der)).at(place)
                }),
            }
        }
    }
    // Whether a cut program holds such content can't be known.
    let truncated = matches!(completion, Completion::Truncated { .. });
    Ok(if any || truncated { completion } else { Completion::NotThisFormat })
}

fn give(out: &mut Out<'_>, input: &FileInput<'_>, kind: &str, what: &str, more: impl FnOnce(Record) -> Record) {
    let record = Record::new(&CONTENT)
        .time(Meaning::CREATED, input.entry.and_then(super::file_times::named))
        .set("path", input.locator.path.as_str())
        .set("size", input.data.len())
        .set("kind", kind)
        .set("what", what);
    out.give(more(record));
}

/// True for what lies in a folder that Windows fills.
fn in_windows_folder(path: &str) -> bool {
    let parts: Vec<&str> = path.split('\\').collect();
    let system = matches!(parts.get(2), Some(&"system32" | &"syswow64"));
    system && parts.len() == 5 && parts.get(3).is_some_and(|f| WINDOWS.contains(f) || f.contains('-'))
}

fn read(input: &FileInput<'_>, offset: u64, len: usize) -> Result<Vec<u8>, ArtifactError> {
    let mut bytes = vec![0; len];
    let n = read_up_to(input.data, offset, &mut bytes).map_err(|source| ArtifactError::Read { offset, source })?;
    bytes.truncate(n);
    Ok(bytes)
}

/// A program's sections (Microsoft, "PE Format": section table).
fn sections(head: &[u8]) -> Vec<Section> {
    let at = |offset, len| uint_at(head, offset, len);
    let place = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let Some(pe) = place(at(0x3c, 4)).filter(|pe| head.get(*pe..).is_some_and(|h| h.starts_with(b"PE\0\0"))) else {
        return Vec::new();
    };
    let count = place(at(pe.saturating_add(6), 2)).unwrap_or(0).min(MAX_SECTIONS);
    let optional = place(at(pe.saturating_add(20), 2)).unwrap_or(0);
    let table = pe.saturating_add(24).saturating_add(optional);
    let section = |i: usize| {
        let start = table.checked_add(i.checked_mul(40)?)?;
        let name = head.get(start..start.checked_add(8)?)?;
        let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
        let in_memory = at(start.checked_add(8)?, 4)?;
        let len = at(start.checked_add(16)?, 4)?;
        let used = if (1..=len).contains(&in_memory) { in_memory } else { len.saturating_sub(FILE_ALIGNMENT - 1) };
        Some(Section { name, at: at(start.checked_add(20)?, 4)?, len, used })
    };
    (0..count).map_while(section).filter(|section| section.len > 0).collect()
}

/// The epoch that a published key-agreement key belongs to, by the end of its Y.
fn epoch(magic: &str, y: &[u8; 32]) -> Option<&'static str> {
    const FOUR: [u8; 16] =
        [0x10, 0x5b, 0x34, 0x4c, 0x82, 0x04, 0x26, 0x02, 0xd3, 0xba, 0xac, 0xf1, 0xfb, 0x9f, 0x2c, 0x76];
    const FIVE: [u8; 16] =
        [0x38, 0xbe, 0xda, 0xfb, 0x00, 0x96, 0x9c, 0x84, 0x2c, 0xce, 0x1e, 0x36, 0x80, 0x24, 0x50, 0x96];
    match magic {
        "ECK1" if y.ends_with(&FOUR) => Some("4"),
        "ECK1" if y.ends_with(&FIVE) => Some("5"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Collect, State};

    /// The table says how much of a section is in use: what is missing of that is told, be it a few bytes.
    #[test]
    fn a_program_that_is_cut_within_a_section_is_told() {
        let whole = include_bytes!("../../../testdata/artifacts/emotet_files/servers.nfg").to_vec();
        for (len, issues) in [(whole.len(), 0), (0x602, 1), (0x7ff, 1)] {
            let data = whole[..len].to_vec();
            let input = FileInput::alone(Arc::default(), &data);
            let mut sink = Collect::default();
            let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
            let _ = parse(&input, &Host::default(), &mut out).unwrap();
            assert_eq!(sink.issues.len(), issues, "{len}: {:?}", sink.issues);
        }
    }
}
