//! What findings of weight name and other machines may be searched for: files, registry places, services, addresses.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::sigma::fold;
use crate::model::{EmoCheck, Evidence, EvidenceClass, Finding, Indicator, Stage, Verdict};

/// Most indicators of a run.
const MAX: usize = 2_000;

/// Files directly here, and everything below program folders, are everybody's: their paths say nothing.
static COMMON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^[a-z]:\\(windows\\(system32\\|syswow64\\)?(wbem\\|windowspowershell\\v1\.0\\)?[^\\]+|windows\\(prefetch|appcompat|winsxs)\\.*|windows\\system32\\(winevt|config|drivers)\\.*|program files( \(x86\))?\\.*|programdata\\microsoft\\.*)$").ok()
});
static PATH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)[a-z]:\\(?:[^\\/:*?"<>|,\r\n]+\\)+[^\\/:*?"<>|,\r\n ]+\.[a-z0-9]{2,6}\b"#).ok());
static URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)\bhttps?://[a-z0-9][^\s"'<>|,;)\]}]{3,300}"#).ok());

/// The far end of a connection in a log record's text.
static TO: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\bto ((?:[0-9]{1,3}\.){3}[0-9]{1,3}):([0-9]{1,5})\b").ok());

/// Servers in the text of what a program holds.
static SERVER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b((?:[0-9]{1,3}\.){3}[0-9]{1,3}):([0-9]{1,5})\b").ok());

/// Paths of files that a text names, without those that are everybody's.
pub fn own_paths(text: &str) -> Vec<&str> {
    let found = PATH.as_ref().into_iter().flat_map(|p| p.find_iter(text)).map(|m| m.as_str());
    found.filter(|path| !COMMON.as_ref().is_some_and(|c| c.is_match(path))).collect()
}

/// Gathers what the findings of class M and better name. Defender's and cleaners' own files are left out.
pub fn indicators(verdict: &Verdict, findings: &[Finding], emocheck: &[EmoCheck]) -> Vec<Indicator> {
    let mut found: BTreeMap<(&'static str, String, Option<u16>), Indicator> = BTreeMap::new();
    let mut points: Vec<_> = verdict.points.iter().filter(|p| p.points > 0.0 && p.class >= EvidenceClass::M).collect();
    points.sort_by_key(|p| (findings[p.finding].time.is_none(), findings[p.finding].time, p.finding));
    for point in points {
        let finding = &findings[point.finding];
        let mut add = |kind: &'static str, value: &str, port: Option<u16>| {
            if found.len() >= MAX || value.is_empty() {
                return;
            }
            let entry = found.entry((kind, fold(value), port)).or_insert_with(|| Indicator {
                kind,
                value: value.to_owned(),
                port,
                sha256: None,
                md5: None,
                size: None,
                first_seen: finding.time,
                rules: Vec::new(),
                finding: point.finding,
            });
            if !entry.rules.contains(&point.rule) {
                entry.rules.push(point.rule.clone());
            }
        };
        for evidence in &finding.evidence {
            let field = |name: &str| evidence.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
            if let (Stage::C2, Some(address)) = (point.stage, field("DestinationIp")) {
                add("address", address, field("DestinationPort").and_then(|p| p.parse().ok()));
            } else if let (Stage::C2, Some(found)) =
                (point.stage, TO.as_ref().and_then(|t| t.captures(&evidence.message)))
            {
                add("address", &found[1], found[2].parse().ok());
            }
            if point.stage == Stage::Binary {
                for found in SERVER.as_ref().into_iter().flat_map(|s| s.captures_iter(&evidence.message)) {
                    add("address", &found[1], found[2].parse().ok());
                }
            }
            if let (Stage::Persistence, Some(service)) = (point.stage, field("ServiceName")) {
                add("service", service, None);
            }
            if let (Stage::Persistence, Some(key)) = (point.stage, field("TargetObject")) {
                add("registry", key, None);
            }
            for (name, value) in &evidence.fields {
                if matches!(name.as_str(), "emocheck" | "ParentImage" | "ParentCommandLine" | "key_path") {
                    continue;
                }
                for found in PATH.as_ref().into_iter().flat_map(|p| p.find_iter(value)) {
                    let path = found.as_str();
                    // A folder whose name holds a dot is no file.
                    let goes_on = value.get(found.end()..).is_some_and(|rest| rest.starts_with('\\'));
                    if !goes_on && !COMMON.as_ref().is_some_and(|c| c.is_match(path)) {
                        add("file", path, None);
                    }
                }
                for url in URL.as_ref().into_iter().flat_map(|p| p.find_iter(value)).take(50) {
                    // Names of XML schemas are no addresses.
                    if !url.as_str().contains("://schemas.") {
                        add("url", url.as_str(), None);
                    }
                }
            }
        }
    }
    let hits = emocheck.iter().flat_map(|e| &e.hits).filter(|h| !h.registry_key.is_empty() && h.confidence >= 0.6);
    for hit in hits {
        // Keys are written as rules write them, so that one key is one indicator.
        let short = hit.registry_key.replacen("HKEY_USERS", "HKU", 1).replacen("HKEY_LOCAL_MACHINE", "HKLM", 1);
        let key = ("registry", fold(&short), None);
        let rule = format!("EmoCheck {}", hit.method);
        let same = |e: &Evidence| hit.evidence.iter().any(|h| h.offset == e.offset && h.locator == e.locator);
        let place = findings.iter().position(|f| f.time == hit.time && f.evidence.iter().any(same));
        if let Some(finding) = place {
            found.entry(key).or_insert_with(|| Indicator {
                kind: "registry",
                value: short,
                port: None,
                sha256: None,
                md5: None,
                size: None,
                first_seen: hit.time,
                rules: vec![rule],
                finding,
            });
        }
    }
    found.into_values().collect()
}
