//! Indicators as a STIX 2.1 bundle.
//!
//! Source: OASIS, "STIX Version 2.1" (2021-06-10), sections 3 (common properties), 4.7 (indicator), 4.11 (malware), 5.1
//! (relationship), 9 (patterning). Identifiers are UUIDs of version 5 over the content, so that one piece of evidence
//! always gives one bundle.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::model::{Assessment, Indicator, Timestamp};

/// The indicators, with the family that they point to.
pub fn bundle(assessment: &Assessment) -> Value {
    let last = assessment.findings.iter().filter_map(|f| f.time).max();
    // STIX has milliseconds; without any dated finding the family's first sighting stands for a date.
    let stamp = |t: Option<Timestamp>| {
        let text = t.map_or("2014-06-01T00:00:00.0000000Z".to_owned(), |t| t.to_string());
        format!("{}Z", text.get(..23).unwrap_or("2014-06-01T00:00:00.000"))
    };
    let made = stamp(last);
    let malware = json!({
        "type": "malware",
        "spec_version": "2.1",
        "id": format!("malware--{}", uuid("malware:emotet")),
        "created": made,
        "modified": made,
        "name": "Emotet",
        "malware_types": ["downloader", "trojan"],
        "is_family": true,
        "external_references": [{"source_name": "mitre-attack", "external_id": "S0367"}],
    });
    let mut objects = vec![malware];
    let mut seen = BTreeSet::new();
    for indicator in &assessment.indicators {
        let pattern = pattern(indicator);
        // Two places of one file are one indicator by its hash.
        if !seen.insert(pattern.clone()) {
            continue;
        }
        let id = format!("indicator--{}", uuid(&pattern));
        objects.push(json!({
            "type": "indicator",
            "spec_version": "2.1",
            "id": id,
            "created": made,
            "modified": made,
            "name": indicator.value,
            "description": format!("Named by {}", indicator.rules.join(", ")),
            "indicator_types": ["malicious-activity"],
            "pattern": pattern,
            "pattern_type": "stix",
            "valid_from": stamp(indicator.first_seen),
        }));
        objects.push(json!({
            "type": "relationship",
            "spec_version": "2.1",
            "id": format!("relationship--{}", uuid(&format!("{id} indicates emotet"))),
            "created": made,
            "modified": made,
            "relationship_type": "indicates",
            "source_ref": id,
            "target_ref": format!("malware--{}", uuid("malware:emotet")),
        }));
    }
    let all: String = objects.iter().map(|o| o["id"].as_str().unwrap_or_default()).collect();
    json!({"type": "bundle", "id": format!("bundle--{}", uuid(&all)), "objects": objects})
}

fn pattern(indicator: &Indicator) -> String {
    let value = indicator.value.as_str();
    match indicator.kind {
        "file" => {
            if let Some(sha256) = &indicator.sha256 {
                return format!("[file:hashes.'SHA-256' = '{sha256}']");
            }
            let (folder, name) = value.rsplit_once('\\').unwrap_or(("", value));
            format!("[file:name = {} AND file:parent_directory_ref.path = {}]", quoted(name), quoted(folder))
        }
        "registry" => {
            let (key, name) = value.rsplit_once('\\').unwrap_or((value, ""));
            format!(
                "[windows-registry-key:key = {} OR (windows-registry-key:key = {} AND windows-registry-key:values[*].name = {})]",
                quoted(value),
                quoted(key),
                quoted(name)
            )
        }
        "service" => format!("[process:extensions.'windows-service-ext'.service_name = {}]", quoted(value)),
        "address" => {
            let kind = if value.contains(':') { "ipv6-addr" } else { "ipv4-addr" };
            let port = indicator.port.map(|p| format!(" AND network-traffic:dst_port = {p}")).unwrap_or_default();
            format!(
                "[network-traffic:dst_ref.type = '{kind}' AND network-traffic:dst_ref.value = {}{port}]",
                quoted(value)
            )
        }
        _ => format!("[url:value = {}]", quoted(value)),
    }
}

/// A string literal of a pattern: `'` and `\` are escaped (section 9.6).
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// UUID of version 5 (RFC 9562, 5.5) in the URL namespace over `urn:emotrace:stix:NAME`.
fn uuid(name: &str) -> String {
    let namespace = 0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8_u128.to_be_bytes();
    let mut hash = Sha1::new();
    hash.update(namespace);
    hash.update(format!("urn:emotrace:stix:{name}"));
    let mut id = [0u8; 16];
    id.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    id[6] = id[6] & 0x0f | 0x50;
    id[8] = id[8] & 0x3f | 0x80;
    let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
