//! `emotrace emocheck`: EmoCheck's question and EmoCheck's answer, without the machine running.

use std::fmt::Write;
use std::process::ExitCode;

use emotrace_core::export::escape::visible;
use emotrace_core::model::{EmoCheck, Timestamp};
use emotrace_core::pipeline::{Evidence, Extraction, extract};
use serde_json::{Value, json};

use super::{check_temporary, json_text, judgement, options, print};
use crate::args::{Emocheck, Language};
use crate::exit::Failure;
use crate::progress::display;

/// EmoCheck's own exit codes: 1 infected, 0 not; 2 stands for no answer.
pub(crate) fn run(arguments: &Emocheck) -> ExitCode {
    match answer(arguments) {
        Ok(infected) => ExitCode::from(u8::from(infected)),
        Err(failure) => {
            if !failure.is_broken_pipe() {
                eprintln!("emotrace: {failure}");
            }
            ExitCode::from(2)
        }
    }
}

fn answer(arguments: &Emocheck) -> Result<bool, Failure> {
    check_temporary(&arguments.running, &arguments.evidence.paths)?;
    let options = options(&arguments.running, None);
    let evidence = Evidence::open(&arguments.evidence.paths)?;
    let progress = display(arguments.running.progress);
    let extraction = extract(&evidence, &options, &*progress)?;
    let rules = judgement::rules(&[])?;
    let assessment = judgement::judge(&evidence, &extraction, &rules, arguments.serial, &options, &*progress)?;
    drop(progress);
    let text = if arguments.json {
        let all: Vec<Value> = assessment.emocheck.iter().map(|e| object(e, &extraction)).collect();
        // One installed system is the rule; EmoCheck's readers expect one object.
        let json = if all.len() == 1 { all.into_iter().next().unwrap_or_default() } else { Value::Array(all) };
        json_text(&json)?
    } else {
        assessment.emocheck.iter().map(|e| report(e, &extraction, arguments.lang)).collect::<Vec<_>>().join("\n")
    };
    print(&text)?;
    Ok(assessment.emocheck.iter().any(|e| e.infected))
}

/// EmoCheck's keys, and what a dead disk adds.
fn object(result: &EmoCheck, extraction: &Extraction) -> Value {
    let mut object = json!({
        "scan_time": scan_time(),
        "hostname": result.hostname,
        "emocheck_version": concat!("emotrace ", env!("CARGO_PKG_VERSION"), " (scanners of EmoCheck 2.0, offline)"),
        "is_infected": if result.infected { "yes" } else { "no" },
        "volume": result.volume,
        "volume_serial": result.serial,
        "serial_source": result.serial_source,
        "serial_source_ja": result.serial_source_ja,
        "v1_name": result.v1_name,
        "v2_value": result.v2_value,
        "other_serial": result.other_serial,
        "scanners": result.scanners,
        "notes": result.notes,
        "notes_ja": result.notes_ja,
        "issues": extraction.issues().count(),
    });
    if let Some(map) = object.as_object_mut()
        && (result.infected || !result.hits.is_empty())
    {
        map.insert("emotet_processes".to_owned(), json!(result.hits));
    }
    object
}

/// EmoCheck writes local time; a dead disk has none of the moment of the scan, so this is UTC.
fn scan_time() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).ok().and_then(Timestamp::from_unix_seconds);
    now.map_or_else(String::new, |t| t.to_string().replace('T', " ")[..19].to_owned())
}

/// The words of the text, English and Japanese.
struct Words {
    time: &'static str,
    result: &'static str,
    found: &'static str,
    nothing: &'static str,
    candidates: &'static str,
    detail: &'static str,
    name: &'static str,
    path: &'static str,
    key: &'static str,
    method: &'static str,
    artifact: &'static str,
    when: &'static str,
    meaning: &'static str,
    confidence: &'static str,
    why: &'static str,
    serial: &'static str,
    scanners: &'static str,
    hits: &'static str,
    notes: &'static str,
}

const ENGLISH: Words = Words {
    time: "Scan time (UTC)",
    result: "[Result]",
    found: "Detected Emotet.",
    nothing: "No detection.",
    candidates: "There are candidates that are not sure enough; see below.",
    detail: "[Detail]",
    name: "Process Name",
    path: "Image Path",
    key: "Registry Key",
    method: "Method",
    artifact: "Artifact",
    when: "Time (UTC)",
    meaning: "Meaning",
    confidence: "Confidence",
    why: "Reason",
    serial: "Volume serial",
    scanners: "[Scanners]",
    hits: "hits",
    notes: "[Notes]",
};

const JAPANESE: Words = Words {
    time: "プログラム実行時刻 (UTC)",
    result: "[結果]",
    found: "Emotetを検知しました。",
    nothing: "検知しませんでした。",
    candidates: "確度の低い候補があります。下記を参照してください。",
    detail: "[詳細]",
    name: "プロセス名",
    path: "イメージパス",
    key: "レジストリキー",
    method: "検知手法",
    artifact: "アーティファクト",
    when: "時刻 (UTC)",
    meaning: "時刻の意味",
    confidence: "確度",
    why: "理由",
    serial: "ボリュームシリアル",
    scanners: "[スキャナ]",
    hits: "件",
    notes: "[備考]",
};

fn report(result: &EmoCheck, extraction: &Extraction, language: Language) -> String {
    let japanese = language == Language::Ja;
    let words = if japanese { &JAPANESE } else { &ENGLISH };
    let rule = "-".repeat(60);
    let mut text = format!("[EmoCheck offline, emotrace {}]\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "{}: {}", words.time, scan_time());
    let _ = writeln!(text, "Host: {}", visible(result.hostname.as_deref().unwrap_or("?")));
    let serial = result.serial.as_deref().unwrap_or("?");
    let _ = writeln!(
        text,
        "{}: {serial} ({})\n{rule}",
        words.serial,
        if japanese { &result.serial_source_ja } else { &result.serial_source }
    );
    let _ = writeln!(text, "{}\n{}", words.result, if result.infected { words.found } else { words.nothing });
    if !result.infected && !result.hits.is_empty() {
        let _ = writeln!(text, "{}", words.candidates);
    }
    let _ = writeln!(text, "\n{}", words.scanners);
    for scanner in &result.scanners {
        let what = if japanese { scanner.what_ja } else { scanner.what };
        let _ = writeln!(text, "  {} {:24} {:>3} {}  {what}", scanner.method, scanner.period, scanner.hits, words.hits);
    }
    if !result.hits.is_empty() {
        let _ = writeln!(text, "\n{}", words.detail);
    }
    for hit in &result.hits {
        let time = hit.time.map(|t| t.to_string());
        let rows = [
            (words.name, hit.process_name.as_str()),
            (words.path, &hit.image_path),
            (words.key, &hit.registry_key),
            (words.method, hit.method),
            (words.artifact, hit.artifact),
            (words.when, time.as_deref().unwrap_or("")),
            (words.meaning, if japanese { &hit.time_meaning_ja } else { &hit.time_meaning }),
            (words.why, if japanese { &hit.why_ja } else { &hit.why }),
        ];
        for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "  {name}: {}", visible(value));
        }
        let _ = writeln!(text, "  {}: {:.2} ({})\n", words.confidence, hit.confidence, hit.state);
    }
    let notes = if japanese { &result.notes_ja } else { &result.notes };
    if !notes.is_empty() {
        let _ = writeln!(text, "{}", words.notes);
    }
    for note in notes {
        let _ = writeln!(text, "  {}", visible(note));
    }
    let issues = extraction.issues().count();
    let _ = writeln!(text, "{rule}\nIssues: {issues}");
    text
}
