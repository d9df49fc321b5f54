//! Windows event logs (`.evtx`): every record of every channel.
//!
//! The records are read by [`evtx`]; what they mean is the provider's business. All that a record holds goes into one kind of
//! event with an open map, so that a rule on any event id needs no code. `summary` says the event in one sentence for
//! those that matter most in an investigation (table `texts`), and names the first values for all others.
//!
//! A large log is read in parts: [`parts`] cuts it, [`parse_part`] reads one part, and the parts of one log can be read
//! at the same time.

mod texts;

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::{FormatError, ReadAt, read_up_to};
use crate::formats::evtx::{self, CHUNK_SIZE, EvtxFile, EvtxRecord};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, State, Value, Values};

/// Event logs.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "event_log",
    doc: "Windows services and programs write what happens into event logs, one file for each channel, in records with \
          an id, a time and the values that the event names. Security, System, PowerShell, Sysmon, Defender and the task \
          scheduler are the channels that tell most of an infection.\n\n\
          A record proves that the event log service took this entry from this provider at that time by the host's clock. \
          The id of records counts on by one: a gap says that records were removed. A record of event 1102 or 104 says that a \
          log was cleared.\n\n\
          It does not prove that what the record says happened: a provider can be a program under the intruder's control, and \
          the clock can have been wrong (see event 4616 and Kernel-General 1). A missing record proves little: most audit \
          events and several channels are off by default. A recovered record comes from unused space of the file; it was \
          part of this or of another log once, and its values may be whole while its names are lost.\n\n\
          A log keeps its newest records up to its largest size (20 MB for the classic logs, 1 MB for most others): from hours \
          on a busy server to years. Cleared logs leave records in unused space and in shadow copies.",
    references: &[
        "https://learn.microsoft.com/openspecs/windows_protocols/ms-even6/",
        "https://github.com/libyal/libevtx/blob/main/documentation/Windows%20XML%20Event%20Log%20(EVTX).asciidoc",
    ],
    emits: &[&RECORD],
    reads: Reads::Parts {
        paths: &[r"\Windows\System32\winevt\Logs\*.evtx", r"**\*.evtx"],
        recognise: evtx::recognise,
        parts,
        parse,
    },
};

/// One record.
static RECORD: Descriptor = Descriptor {
    name: "windows:evtx:record",
    doc: "A provider logged an event at that time",
    message: "{summary}",
    data_type: Some("windows:evtx:record"),
    fields: &[
        Field::new("summary", Kind::Text, "the event in one sentence, made from the values"),
        Field::new("event_id", Kind::Number, "System/EventID"),
        Field::new("qualifiers", Kind::Number, "System/EventID, upper half of an older event's 32-bit id"),
        Field::new("provider", Kind::Text, "System/Provider, name"),
        Field::new("provider_guid", Kind::Text, "System/Provider, GUID in braces"),
        Field::new("event_source_name", Kind::Text, "System/Provider, name under the older event log service"),
        Field::new("channel", Kind::Text, "System/Channel"),
        Field::new("computer", Kind::Text, "System/Computer: name of the host at that time"),
        Field::new("level", Kind::Number, "System/Level"),
        Field::new("level_name", Kind::Text, "name of the levels 0 to 5"),
        Field::new("task", Kind::Number, "System/Task"),
        Field::new("opcode", Kind::Number, "System/Opcode"),
        Field::new("keywords", Kind::Text, "System/Keywords, a 64-bit mask in hex"),
        Field::new("version", Kind::Number, "System/Version"),
        Field::new("record_id", Kind::Number, "id in the record's header; counts on by one in a log"),
        Field::new("event_record_id", Kind::Number, "System/EventRecordID, where it differs: a forwarded record"),
        Field::new("user_sid", Kind::Text, "System/Security: SID of the account that logged the event"),
        Field::new("process_id", Kind::Number, "System/Execution: process that logged the event"),
        Field::new("thread_id", Kind::Number, "System/Execution: thread that logged the event"),
        Field::new("activity_id", Kind::Text, "System/Correlation, GUID in braces"),
        Field::new("related_activity_id", Kind::Text, "System/Correlation, GUID in braces"),
        Field::new("written", Kind::Time, "when the record was written, where it differs from the time of the event"),
        Field::new("data", Kind::Map, "EventData; values without a name are a list under Data"),
        Field::new("data_name", Kind::Text, "attribute Name of EventData"),
        Field::new("user_data", Kind::Map, "content of the element in UserData"),
        Field::new("user_data_name", Kind::Text, "name of that element"),
        Field::new("rest", Kind::Map, "all else in the record"),
        Field::new(
            "recovered",
            Kind::Bool,
            "true: the record lies in unused space and was not part of the log any more",
        ),
        Field::new("damaged", Kind::Bool, "true: names or templates of the record were overwritten"),
    ],
};

/// Cuts a log into parts of 64 chunks (4 MiB) that may be read in any order and at the same time. A log without a file
/// header is one part, for each reading of it begins with a search for its chunks.
fn parts(data: &dyn ReadAt) -> Vec<Range<u64>> {
    const CHUNKS: u64 = 64;
    let mut start = [0; 8];
    let signed = read_up_to(data, 0, &mut start).is_ok_and(|n| n == start.len() && evtx::has_file_header(&start));
    let chunks = if signed { data.len().div_ceil(CHUNK_SIZE) } else { 1 };
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut first = 0;
    while first < chunks {
        parts.push(first..first.saturating_add(CHUNKS));
        first = evtx::next_chunk(data, first.saturating_add(CHUNKS));
    }
    if let Some(last) = parts.last_mut() {
        last.end = u64::MAX;
    }
    parts
}

/// Reads some chunks of a log. The part that begins with chunk 0 also tells what is wrong with the file header.
///
/// # Errors
/// When the file can't be read.
fn parse(
    input: &FileInput<'_>,
    chunks: Range<u64>,
    host: &Host,
    out: &mut Out<'_>,
) -> Result<Completion, ArtifactError> {
    let file = match EvtxFile::open(input.data) {
        Ok(file) => file,
        Err(FormatError::Signature { .. }) => return Ok(Completion::NotThisFormat),
        Err(error) => return Err(error.into()),
    };
    if chunks.start == 0 {
        for problem in file.problems() {
            out.issue(Some(problem.offset()), Loss::None, problem);
        }
    }
    let mut completion = Completion::Complete;
    let mut line = String::new();
    if let Some(error) = file.cut().filter(|_| chunks.start == 0) {
        completion = Completion::Truncated { at: input.data.len() };
        out.issue(Some(error.offset()), Loss::Rest, error);
    }
    file.records(chunks, &mut |record| match record {
        Ok(record) => out.give(event(record, host, &mut line)),
        // The bytes are there, and are read; and what stood in unused space was no part of the log any more.
        Err(error @ (FormatError::Checksum { .. } | FormatError::Other { what: evtx::UNUSED_SPACE, .. })) => {
            out.issue(Some(error.offset()), Loss::None, error)
        }
        Err(error @ FormatError::Short { .. }) => {
            completion = Completion::Truncated { at: input.data.len() };
            out.issue(Some(error.offset()), Loss::Rest, error);
        }
        Err(error) => out.issue(Some(error.offset()), Loss::Record, error),
    });
    Ok(completion)
}

/// `line` is room for the summary, used again for each record.
fn event(record: EvtxRecord, host: &Host, line: &mut String) -> Record {
    let time = record.time_created.or(record.written);
    let user = record.user_sid.as_deref().map(|sid| host.account(sid));
    let record_id = record.record_id;
    // Few records have more fields, and the allocator is quicker with what stays below 1 KiB.
    let mut values = Values::with_capacity(20);
    summary(&record, line);
    values.push("summary", Some(line.as_str()));
    values.push("event_id", record.event_id);
    values.push("qualifiers", record.qualifiers);
    values.push("provider", record.provider);
    values.push("provider_guid", record.provider_guid);
    values.push("event_source_name", record.event_source_name);
    values.push("channel", record.channel);
    values.push("computer", record.computer);
    values.push("level", record.level);
    values.push("level_name", record.level.and_then(level_name));
    values.push("task", record.task);
    values.push("opcode", record.opcode);
    values.push("keywords", record.keywords);
    values.push("version", record.version);
    values.push("record_id", Some(record_id));
    values.push("event_record_id", record.event_record_id.filter(|id| *id != record_id));
    values.push("user_sid", record.user_sid);
    values.push("process_id", record.process_id);
    values.push("thread_id", record.thread_id);
    values.push("activity_id", record.activity_id);
    values.push("related_activity_id", record.related_activity_id);
    values.push("written", record.written.filter(|written| Some(*written) != time));
    values.push("data", record.data.filter(has_entries));
    values.push("data_name", record.data_name);
    values.push("user_data", record.user_data.filter(has_entries));
    values.push("user_data_name", record.user_data_name);
    values.push("rest", record.rest.filter(has_entries));
    values.push("recovered", record.recovered.then_some(true));
    values.push("damaged", record.damaged.then_some(true));
    let event = Record::new(&RECORD).at(record.offset).time(Meaning::LOGGED, time).user(user).values(values);
    if record.recovered { event.state(State::Slack) } else { event }
}

fn has_entries(value: &Value) -> bool {
    match value {
        Value::Map(entries) => !entries.is_empty(),
        Value::Null => false,
        _ => true,
    }
}

/// Source: Microsoft, `winmeta.xml`.
const fn level_name(level: u64) -> Option<&'static str> {
    Some(match level {
        0 => "LogAlways",
        1 => "Critical",
        2 => "Error",
        3 => "Warning",
        4 => "Information",
        5 => "Verbose",
        _ => return None,
    })
}

// ---- Summary ------------------------------------------------------------------------------------------------------------

/// Longest part of a summary that one value makes up, in characters. The whole value stands in `data`.
const LONGEST_VALUE: usize = 400;

/// Writes the event in one sentence, in place of what stands in `line`.
fn summary(record: &EvtxRecord, line: &mut String) {
    line.clear();
    let provider = record.provider.as_deref().unwrap_or_default();
    let template = record.event_id.and_then(|id| {
        let (_, texts) = texts::TEXTS.iter().find(|(name, _)| *name == provider)?;
        texts.iter().find(|(event_id, _)| *event_id == id).map(|(_, text)| *text)
    });
    // An older or newer version of an event may have other names; then its first values say more.
    match template.map(|template| fill(template, record, line)) {
        Some(filled) if filled.found || !filled.missing => {}
        _ => {
            line.clear();
            first_values(record, line);
        }
    }
}

#[derive(Default)]
struct Filled {
    /// A value was there.
    found: bool,
    /// A value was not there.
    missing: bool,
}

fn fill(template: &str, record: &EvtxRecord, line: &mut String) -> Filled {
    let mut filled = Filled::default();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '[']) {
        let (before, from) = rest.split_at(at);
        line.push_str(before);
        let close = if from.starts_with('{') { '}' } else { ']' };
        let Some((inner, after)) = from.split_once(close) else { break };
        let inner = inner.get(1..).unwrap_or_default();
        rest = after;
        if close == ']' {
            let before = line.len();
            if fill(inner, record, line).missing {
                line.truncate(before);
            }
        } else if push_named(line, inner, record) {
            filled.found = true;
        } else {
            line.push('?');
            filled.missing = true;
        }
    }
    line.push_str(rest);
    filled
}

/// Adds the value that a template names: `Name`, `0`, `Name|0`, `Name:logon`. False if there is none.
fn push_named(text: &mut String, named: &str, record: &EvtxRecord) -> bool {
    let (names, codes) = match named.split_once(':') {
        Some((names, "logon")) => (names, Some(texts::LOGON_TYPES)),
        Some((names, _)) => (names, Some(texts::STATUS)),
        None => (named, None),
    };
    let start = text.len();
    let found = names.split('|').any(|name| {
        let unnamed = record.data.as_ref().and_then(|data| data.get("Data"));
        let value = match (name.parse::<usize>(), unnamed) {
            (Ok(index), Some(Value::List(items))) => items.get(index),
            _ => [&record.data, &record.user_data].into_iter().flatten().find_map(|map| map.get(name)),
        };
        value.is_some_and(|value| push_line(text, value))
    });
    if let (Some(codes), Some(value)) = (codes, text.get(start..))
        && let Some((_, words)) = codes.iter().find(|(code, _)| value.eq_ignore_ascii_case(code))
    {
        text.truncate(start);
        text.push_str(words);
    }
    found
}

/// Adds a value as one line of bounded length. False, and nothing added, for one that is empty or `-`.
fn push_line(line: &mut String, value: &Value) -> bool {
    let shown = match value {
        Value::Text(text) => Cow::Borrowed(text.as_str()),
        Value::Number(n) => {
            // Writing to a String can't fail.
            let _ = write!(line, "{n}");
            return true;
        }
        Value::Null => return false,
        value => Cow::Owned(value.to_string()),
    };
    let text = shown.trim();
    if text.is_empty() || text == "-" {
        return false;
    }
    if text.len() <= LONGEST_VALUE && text.bytes().all(|b| b >= b' ' && b.is_ascii()) {
        line.push_str(text);
        return true;
    }
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST_VALUE {
            line.push('…');
            break;
        }
        // Line breaks and tabs come in rows in lists of privileges and in PowerShell's details.
        match c {
            c if !(c.is_whitespace() || c.is_control()) => line.push(c),
            _ if line.ends_with(' ') => {}
            _ => line.push(' '),
        }
    }
    true
}

/// `Provider 123 (Channel): A=1; B=2`.
fn first_values(record: &EvtxRecord, text: &mut String) {
    const VALUES: usize = 4;
    text.push_str(record.provider.as_deref().unwrap_or("Record of an unknown provider"));
    if let Some(id) = record.event_id {
        text.push(' ');
        let _ = write!(text, "{id}");
    }
    if let Some(channel) = &record.channel {
        text.push_str(" (");
        text.push_str(channel);
        text.push(')');
    }
    let maps = [&record.data, &record.user_data, &record.rest];
    let entries = maps.into_iter().flatten().filter_map(|map| match map {
        Value::Map(entries) => Some(entries),
        _ => None,
    });
    let mut shown = 0usize;
    for (name, value) in entries.flatten() {
        let before = text.len();
        text.push_str(if shown == 0 { ": " } else { "; " });
        if name != "Data" && !name.is_empty() {
            text.push_str(name);
            text.push('=');
        }
        if push_line(text, value) {
            shown = shown.saturating_add(1);
        } else {
            text.truncate(before);
        }
        if shown == VALUES {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Collect;

    fn sentence(record: &EvtxRecord) -> String {
        let mut line = "what stood there before".to_owned();
        summary(record, &mut line);
        line
    }

    fn record(provider: &str, event_id: u64, data: &[(&str, &str)]) -> EvtxRecord {
        let data = data.iter().map(|(name, value)| ((*name).into(), Value::from(*value))).collect();
        EvtxRecord {
            record_id: 7,
            provider: Some(provider.into()),
            channel: Some("Security".into()),
            event_id: Some(event_id),
            data: Some(Value::Map(data)),
            ..EvtxRecord::default()
        }
    }

    #[test]
    fn a_known_event_gets_its_sentence() {
        let mut logon = record(
            "Microsoft-Windows-Security-Auditing",
            4624,
            &[
                ("LogonType", "3"),
                ("TargetDomainName", "D"),
                ("TargetUserName", "u"),
                ("IpAddress", "-"),
                ("WorkstationName", "W"),
                ("TargetLogonId", "0x1f4"),
            ],
        );
        assert_eq!(sentence(&logon), r"Logon (network) of D\u (W), logon id 0x1f4");
        logon.data = None;
        assert_eq!(sentence(&logon), "Microsoft-Windows-Security-Auditing 4624 (Security)");
    }

    #[test]
    fn an_unknown_event_gets_its_first_values_on_one_line() {
        let mut other = record("P", 1, &[("A", "1\r\n\t2"), ("B", ""), ("C", "3"), ("D", "4"), ("E", "5"), ("F", "6")]);
        assert_eq!(sentence(&other), "P 1 (Security): A=1 2; C=3; D=4; E=5");
        other.data = Some(Value::Map(vec![("Data".into(), Value::from(vec!["x".to_owned(), "y".to_owned()]))]));
        assert_eq!(sentence(&other), "P 1 (Security): x; y");
        let long = record("P", 1, &[("A", &"é".repeat(1000))]);
        assert_eq!(sentence(&long).chars().count(), "P 1 (Security): A=".len() + LONGEST_VALUE + 1);
    }

    /// Text of the evidence is never read as a template.
    #[test]
    fn values_are_not_templates() {
        let event = record("PowerShell", 800, &[("Data", "")]);
        let event = EvtxRecord {
            data: Some(Value::Map(vec![("Data".into(), Value::List(vec!["{1}[x]".into(), "secret".into()]))])),
            ..event
        };
        assert_eq!(sentence(&event), "PowerShell pipeline: {1}[x]");
    }

    /// A slip in the table would only show as `?` in a rare event.
    #[test]
    fn all_templates_are_well_formed() {
        for (provider, texts) in texts::TEXTS {
            for (id, text) in *texts {
                let (mut brace, mut bracket) = (0, 0);
                for c in text.chars() {
                    match c {
                        '{' => brace += 1,
                        '}' => brace -= 1,
                        '[' => bracket += 1,
                        ']' => bracket -= 1,
                        _ => {}
                    }
                    assert!((0..=1).contains(&brace) && (0..=1).contains(&bracket), "{provider} {id}: {text}");
                }
                assert_eq!((brace, bracket), (0, 0), "{provider} {id}: {text}");
                assert_eq!(texts.iter().filter(|(other, _)| other == id).count(), 1, "{provider} {id} stands twice");
            }
        }
    }

    #[test]
    fn parts_cover_each_chunk_once() {
        struct Log(u64, &'static [u8]);
        impl ReadAt for Log {
            fn len(&self) -> u64 {
                self.0
            }
            fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
                self.1.read_at(offset, buf)
            }
        }
        for (len, start, expected) in
            [(4096 + (64 << 16), "ElfFile\0", 2), (1 << 30, "ElfFile\0", 256), (1 << 30, "", 1)]
        {
            let parts = parts(&Log(len, start.as_bytes()));
            assert_eq!(parts.len(), expected);
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(parts.first().is_some_and(|first| first.start == 0));
            assert!(parts.last().is_some_and(|last| last.end == u64::MAX));
        }
    }

    #[test]
    fn other_files_are_not_this_format() {
        let data: Vec<u8> = b"MZ not a log".to_vec();
        let input = FileInput::alone(Arc::default(), &data);
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        assert_eq!(parse(&input, 0..u64::MAX, &Host::default(), &mut out).unwrap(), Completion::NotThisFormat);
    }
}
