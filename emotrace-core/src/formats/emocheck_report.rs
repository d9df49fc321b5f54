//! The reports that JPCERT/CC's EmoCheck writes: `<computer>_<YYYYmmddHHMMSS>_emocheck.json` or `.txt`.
//!
//! The JSON holds `scan_time`, `hostname`, `emocheck_version`, `is_infected` (`yes` or `no`) and, when infected,
//! `emotet_processes`, a list of objects with `process_name`, `process_id`, `image_path` and `registry_key`. The text holds
//! the same behind labels, in Japanese, English or French, each on a line of its own before a colon. Times are the
//! machine's local time without a zone.
//!
//! Labels are compared as bytes, in UTF-8 and in code page 932, so that no text has to be decoded to know the answer.
//!
//! Source: JPCERTCC/EmoCheck 2.0.0 (BSD-3-Clause), as facts.

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmoCheckReport {
    /// The answer; `None` if the text gives none that is known.
    pub infected: Option<bool>,
    /// Local time of the scan as the report writes it.
    pub scan_time: Option<String>,
    /// The computer.
    pub hostname: Option<String>,
    /// The version of EmoCheck.
    pub version: Option<String>,
    /// Names of the processes that it took for Emotet.
    pub processes: Vec<String>,
    /// Their programs.
    pub images: Vec<String>,
}

/// `検知しませんでした` in code page 932.
const NOT_DETECTED_932: &[u8] =
    &[0x8c, 0x9f, 0x92, 0x6d, 0x82, 0xb5, 0x82, 0xdc, 0x82, 0xb9, 0x82, 0xf1, 0x82, 0xc5, 0x82, 0xb5, 0x82, 0xbd];
/// `プロセス名` in code page 932.
const PROCESS_932: &[u8] = &[0x83, 0x76, 0x83, 0x8d, 0x83, 0x5a, 0x83, 0x58, 0x96, 0xbc];
/// `イメージパス` in code page 932.
const IMAGE_932: &[u8] = &[0x83, 0x43, 0x83, 0x81, 0x81, 0x5b, 0x83, 0x57, 0x83, 0x70, 0x83, 0x58];
/// `プログラム実行時刻` in code page 932.
const TIME_932: &[u8] =
    &[0x83, 0x76, 0x83, 0x8d, 0x83, 0x4f, 0x83, 0x89, 0x83, 0x80, 0x8e, 0xc0, 0x8d, 0x73, 0x8e, 0x9e, 0x8d, 0x8f];

/// Wordings of "nothing found".
const NEGATIVE: &[&[u8]] = &[
    NOT_DETECTED_932,
    "検知しませんでした".as_bytes(),
    b"not detected",
    b"No detection",
    b"no detection",
    "pas été détecté".as_bytes(),
];

/// Reads a report of either form; `None` if the bytes are neither.
pub fn read(bytes: &[u8]) -> Option<EmoCheckReport> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    json(bytes).or_else(|| text(bytes))
}

/// True if the bytes look like a report.
pub fn recognise(head: &[u8]) -> bool {
    find(head, b"emocheck_version") || find(head, b"[EmoCheck v")
}

fn json(bytes: &[u8]) -> Option<EmoCheckReport> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let infected = match text("is_infected")?.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let list = value.get("emotet_processes").and_then(serde_json::Value::as_array);
    let each = |name: &str| -> Vec<String> {
        let entries = list.into_iter().flatten();
        let texts = entries.filter_map(|p| p.get(name)?.as_str());
        texts.filter(|t| !t.is_empty()).map(str::to_owned).collect()
    };
    Some(EmoCheckReport {
        infected,
        scan_time: text("scan_time"),
        hostname: text("hostname"),
        version: text("emocheck_version"),
        processes: each("process_name"),
        images: each("image_path"),
    })
}

fn text(bytes: &[u8]) -> Option<EmoCheckReport> {
    let version = bytes.split(|b| *b == b'\n').find_map(|line| {
        let line = String::from_utf8_lossy(line);
        let rest = line.trim().strip_prefix("[EmoCheck v")?;
        Some(rest.trim_end_matches(']').to_owned())
    })?;
    let mut report = EmoCheckReport { version: Some(version), ..EmoCheckReport::default() };
    for line in bytes.split(|b| *b == b'\n') {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (label, value) = line.split_at(colon);
        let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default()).trim().to_owned();
        let is = |names: &[&[u8]]| names.iter().any(|name| find(label, name));
        if value.is_empty() {
            continue;
        }
        if is(&[PROCESS_932, "プロセス名".as_bytes(), b"Process Name", b"Nom du processus"]) {
            report.processes.push(value);
        } else if is(&[IMAGE_932, "イメージパス".as_bytes(), b"Image Path", b"Chemin"]) {
            report.images.push(value);
        } else if is(&[TIME_932, "プログラム実行時刻".as_bytes(), b"Scan time", b"Time", b"Date"]) {
            report.scan_time.get_or_insert(value);
        }
    }
    let negative = NEGATIVE.iter().any(|wording| find(bytes, wording));
    let positive = !report.processes.is_empty() || !report.images.is_empty();
    report.infected = match (positive, negative) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    };
    Some(report)
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_both_answers() {
        let yes = br#"{"scan_time":"2020-10-26 11:00:00","hostname":"PC-1","emocheck_version":"2.0.0","is_infected":"yes",
            "emotet_processes":[{"process_name":"subst.exe","process_id":"716","image_path":"C:\\a\\subst.exe","registry_key":""}]}"#;
        let report = read(yes).unwrap();
        assert_eq!((report.infected, report.hostname.as_deref()), (Some(true), Some("PC-1")));
        assert_eq!(
            (report.processes.as_slice(), report.images.as_slice()),
            (&["subst.exe".to_owned()][..], &[r"C:\a\subst.exe".to_owned()][..])
        );
        let no = br#"{"scan_time":"x","hostname":"PC-1","emocheck_version":"2.0.0","is_infected":"no"}"#;
        assert_eq!(read(no).unwrap().infected, Some(false));
        assert_eq!(read(b"{\"a\":1}"), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn text_of_both_answers_and_encodings() {
        let utf8 = "[EmoCheck v2.0]\nプログラム実行時刻: 2021-01-20 10:00:00\n\n[結果]\n検知しませんでした。\n";
        let report = read(utf8.as_bytes()).unwrap();
        assert_eq!((report.infected, report.version.as_deref()), (Some(false), Some("2.0")));
        assert_eq!(report.scan_time.as_deref(), Some("2021-01-20 10:00:00"));
        let mut cp932 = b"[EmoCheck v1.0]\r\n  ".to_vec();
        cp932.extend_from_slice(PROCESS_932);
        cp932.extend_from_slice(b"  : mstask.exe\r\n");
        cp932.extend_from_slice(IMAGE_932);
        cp932.extend_from_slice(b": C:\\Users\\a\\AppData\\Local\\x\\mstask.exe\r\n");
        let report = read(&cp932).unwrap();
        assert_eq!(report.infected, Some(true));
        assert_eq!(report.images, [r"C:\Users\a\AppData\Local\x\mstask.exe"]);
        let mut no = b"[EmoCheck v1.0]\r\n".to_vec();
        no.extend_from_slice(NOT_DETECTED_932);
        assert_eq!(read(&no).unwrap().infected, Some(false));
        assert_eq!(read(b"[EmoCheck v3.0]\nsomething else\n").unwrap().infected, None, "unknown words are no answer");
        assert_eq!(read(b"some other text"), None);
    }
}
