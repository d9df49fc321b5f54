//! Trust records: documents that a user let edit or run macros, as Office keeps them.
//!
//! Office opens what came from outside in Protected View and without macros. A click on "Enable Editing" or "Enable
//! Content" writes a value below `Security\Trusted Documents\TrustRecords` of the program, so that it does not ask again.
//! The value's name is the document: a path with `/`, `%USERPROFILE%` for the profile and `%20` for a space, or a URL.
//!
//! | offset | size | data |
//! |---|---|---|
//! | 0 | 8 | FILETIME; write-ups differ on its meaning |
//! | 8 | 8 | offset of the time zone in ticks of 100 ns, signed |
//! | 16 | 4 | minutes since 1970 (UTC): when the user decided |
//! | 20 | 4 | what was allowed: 1 editing, 7fffffff macros |
//!
//! The format is not documented by Microsoft. Sources: the write-ups named below; N. Mantani, PS-TrustedDocuments (minutes).
//! The minutes hold on a real host (Windows 7, Office 2010): the newest of its three records has the very minute of the key's
//! last write, `LastPurgeTime` beside it, in the same unit, the very minute of the last write of its own key, and the other two
//! records the minutes in which `File MRU` says that the documents were opened. On the same host one FILETIME lies two hours
//! after the key's last write, so there it can't be the time of the decision.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::mru;
use crate::bytes::fields::{u32_at, u64_at};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, Timestamp};

static RECORD: Descriptor = Descriptor {
    name: "windows:office:trust_record",
    doc: "The user let Office edit a document or run its macros.",
    message: "{application}: {trust} for {document}",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("document", Kind::Text, "The document as stored: path or URL"),
        Field::new(
            "path",
            Kind::Text,
            "The document as a Windows path, profile and escapes replaced; absent for a web address",
        ),
        Field::new("application", Kind::Text, "Word, Excel, PowerPoint …"),
        Field::new("version", Kind::Text, "Version of Office, 16.0 for 2016 and later"),
        Field::new(
            "trust",
            Kind::Text,
            "What was allowed: editing_enabled, macros_enabled, or unknown with the stored number",
        ),
        Field::new(
            "trusted",
            Kind::Time,
            "When the user decided, whole minutes (UTC); absent where the stored number can't be such a time",
        ),
        Field::new("file_time", Kind::Time, "The FILETIME of the record; see file_time_meaning"),
        Field::new(
            "file_time_meaning",
            Kind::Text,
            "Write-ups differ on what file_time is; said here what this record tells of it",
        ),
        Field::new("zone_offset_minutes", Kind::Number, "Offset of the time zone in minutes, with its stored sign"),
        Field::new("key_last_write", Kind::Time, "Last write of the key: no record in it came later"),
        Field::new("raw", Kind::Bytes, "The data as stored"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "trust_records",
    doc: "Trust records are Office's list of documents for which the user clicked Enable Editing (the document left Protected \
View) or Enable Content (its macros may run). One value of the user's registry for each document, per program and version.\n\n\
It proves that the named document was opened by that program under that account and that editing or macros were allowed for \
it; with macros_enabled the macros of the document could run. A row bears up to three kinds of time. 'opened' is the minute \
of the decision as the record stores it. 'key_written' stands only where that minute is also the one of the key's last write: \
then it is the same decision to the tick. 'recorded' is the record's FILETIME, whose meaning is disputed: published \
examinations take it for the creation of the document's file or for the decision. In the records that we could hold against \
the key's last write it was a time of the document and not that of the decision; do not build on it alone.\n\n\
It does not prove that a macro did run, what it did, or that the file at that path is still the same document. No record is \
made where the policy or a trusted location allows macros without a question, so an empty list says nothing.\n\n\
It lives until Office purges the list (LastPurgeTime; by default from 500 records on), or the user clears it in the Trust \
Center. It stays when the document is deleted or moved.",
    references: &[
        "http://az4n6.blogspot.com/2016/02/more-on-trust-records-macros-and.html",
        "https://github.com/nmantani/PS-TrustedDocuments",
        "https://goods4cybersec.com/macros-hunting-for-documents-that-users-trusted-and-enabled/",
        "https://attack.mitre.org/techniques/T1204/002/",
    ],
    emits: &[&RECORD],
    reads: Reads::RegKeys {
        keys: &[r"NTUSER\Software\Microsoft\Office\*\*\Security\Trusted Documents\TrustRecords"],
        parse,
    },
};

/// Ticks of 100 ns in a minute.
const MINUTE: u64 = 600_000_000;

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let (version, application) = product(&input.path);
    let written = input.key.last_write();
    let values = mru::values(input, out);
    let alone = values.len() == 1;
    for (document, value, data) in values {
        let file_time = u64_at(&data, 0).and_then(Timestamp::from_filetime_field);
        let zone = u64_at(&data, 8).and_then(|ticks| ticks.cast_signed().checked_div(MINUTE.cast_signed()));
        let trusted = decision(&data, written);
        let flags = data.len().checked_sub(4).and_then(|at| u32_at(&data, at));
        if data.len() != 24 {
            let text = format!("a trust record has 24 bytes, this one {}: {document}", data.len());
            out.issue(Some(value.offset()), Loss::None, text);
        }
        let minute = |time: Timestamp| time.filetime() / MINUTE;
        let last = match (trusted, written) {
            (Some(trusted), Some(written)) => minute(trusted) == minute(written),
            // A single record without a minute: the key was written for it, or for one that is gone.
            (None, Some(_)) => alone,
            _ => false,
        };
        out.give(
            mru::record(&RECORD, input, &value)
                .set("document", document.clone())
                .set_some("path", windows_path(&document, host, input))
                .set_some("application", application)
                .set_some("version", version)
                .set("trust", trust(flags))
                .set_some("trusted", trusted)
                .set_some("file_time", file_time)
                .set_some("file_time_meaning", file_time.map(|time| file_time_meaning(time, written)))
                .set_some("zone_offset_minutes", zone)
                .set_some("key_last_write", written)
                .set("raw", data)
                .time(Meaning::OPENED, trusted)
                .time(Meaning::KEY_WRITTEN, written.filter(|_| last))
                .time(Meaning::RECORDED, file_time),
        );
    }
    Ok(Completion::Complete)
}

/// Version and program in the path of the key: `…\Office\16.0\Word\Security\…`.
fn product(path: &str) -> (Option<&str>, Option<&str>) {
    let mut parts = path.rsplit('\\').skip(3);
    let application = parts.next();
    (parts.next(), application)
}

fn trust(flags: Option<u32>) -> String {
    match flags {
        Some(1) => "editing_enabled".to_owned(),
        Some(0x7fff_ffff) => "macros_enabled".to_owned(),
        Some(other) => format!("unknown ({other:08x})"),
        None => "unknown".to_owned(),
    }
}

/// The minute of the decision, if it can be one: Office 2010 is the first that asks, and the key was not written later.
fn decision(data: &[u8], written: Option<Timestamp>) -> Option<Timestamp> {
    /// 2009-01-01: before any release of Office 2010.
    const FIRST: i64 = 1_230_768_000;
    let seconds = i64::from(u32_at(data, 16).filter(|_| data.len() == 24)?).saturating_mul(60);
    let time = Timestamp::from_unix_seconds(seconds)?;
    (seconds >= FIRST && written.is_none_or(|written| time <= written)).then_some(time)
}

fn file_time_meaning(time: Timestamp, written: Option<Timestamp>) -> &'static str {
    match written {
        Some(written) if time > written => {
            "disputed; not the decision here: it lies after the key's last write, so it is a time of the document"
        }
        _ => "disputed: a time of the document (its creation, as most write-ups have it) or of the decision",
    }
}

/// The document's path as Windows writes it.
fn windows_path(document: &str, host: &Host, input: &KeyInput<'_>) -> Option<String> {
    let scheme = document.split_once("://").map(|(scheme, _)| scheme);
    let document = match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case("file") => {
            let (_, rest) = document.split_once("://")?;
            // `file:///C:/x` is a path of this machine, `file://server/x` one of another.
            rest.strip_prefix('/').map_or_else(|| format!("//{rest}"), str::to_owned)
        }
        Some(_) => return None,
        None => document.to_owned(),
    };
    Some(unescape(&host.expand(&document, input.user)).replace('/', r"\"))
}

/// Replaces `%20` and the like. A row of escaped bytes that is no UTF-8 stays as it is.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut bytes = Vec::new();
        let mut tail = from;
        while let Some(byte) = tail.strip_prefix('%').and_then(|t| u8::from_str_radix(t.get(..2)?, 16).ok()) {
            bytes.push(byte);
            tail = tail.get(3..).unwrap_or_default();
        }
        match String::from_utf8(bytes) {
            Ok(decoded) if !decoded.is_empty() => {
                out.push_str(&decoded);
                rest = tail;
            }
            _ => {
                out.push('%');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;
    use crate::model::Value;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/trust_records/ntuser.hve");
    const WORD: &str = r"Software\Microsoft\Office\16.0\Word\Security\Trusted Documents\TrustRecords";
    const EXCEL: &str = r"Software\Microsoft\Office\14.0\Excel\Security\Trusted Documents\TrustRecords";

    #[test]
    fn the_decision_is_told_from_the_disputed_time() {
        let found = read(&ARTIFACT, NTUSER, WORD);
        let emotet: Vec<_> =
            found.events.iter().filter(|e| field(e, "document").unwrap().ends_with("Rechnung%202020.doc")).collect();
        let rows: Vec<_> = emotet.iter().map(|e| (time(e).unwrap(), e.meaning.to_string())).collect();
        assert_eq!(
            rows,
            [
                ("2020-08-26T05:07:41.0000000Z".to_owned(), "recorded".to_owned()),
                ("2020-08-26T05:09:00.0000000Z".to_owned(), "opened".to_owned()),
                ("2020-08-26T05:09:10.1234567Z".to_owned(), "key_written".to_owned()),
            ]
        );
        assert_eq!(field(emotet[0], "path"), Some(r"C:\Users\Clippy\Downloads\Rechnung 2020.doc"));
        assert_eq!(
            (field(emotet[0], "trust"), field(emotet[0], "application")),
            (Some("macros_enabled"), Some("Word"))
        );
        assert_eq!(emotet[0].values.get("zone_offset_minutes"), Some(&Value::Signed(-240)));
        assert_eq!(emotet[0].values.get("raw"), emotet[2].values.get("raw"));
        // A web address is no path; its FILETIME lies after the key's last write.
        let web = found.events.iter().find(|e| field(e, "document").unwrap().starts_with("https")).unwrap();
        assert_eq!((field(web, "path"), field(web, "trust")), (None, Some("editing_enabled")));
        assert!(field(web, "file_time_meaning").unwrap().contains("not the decision"));
        assert_eq!(found.issues, []);
    }

    /// Without a minute that can be one, nothing but the FILETIME and, for a single record, the key's last write.
    #[test]
    fn a_minute_that_can_not_be_is_no_time() {
        let found = read(&ARTIFACT, NTUSER, EXCEL);
        let meanings: Vec<_> = found.events.iter().map(|e| e.meaning.to_string()).collect();
        assert_eq!(meanings, ["recorded", "key_written"]);
        assert_eq!(found.events[0].values.get("trusted"), None);
        assert_eq!(field(&found.events[0], "trust"), Some("unknown (00000003)"));
        assert_eq!(field(&found.events[0], "path"), Some(r"\\server\share\a.xlsm"));
    }

    #[test]
    fn a_short_record_is_named_and_kept() {
        let path = WORD.replace("Word", "PowerPoint");
        let found = read(&ARTIFACT, NTUSER, &path);
        assert_eq!((found.events.len(), found.issues.len()), (1, 1));
        assert_eq!(field(&found.events[0], "trust"), Some("unknown"));
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("a%20b%E7%B5%8C%zz%"), "a b経%zz%");
        assert_eq!(unescape("%FF%20x"), "%FF x");
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, WORD);
    }
}
