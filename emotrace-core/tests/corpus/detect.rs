//! Rules over real event logs.

use std::path::Path;
use std::sync::Arc;

use emotrace_core::detect::{Detector, RuleSet};
use emotrace_core::model::{
    Descriptor, Event, Field, Finding, Kind, Locator, Meaning, Origin, Schema, State, Timestamp, Value, Values,
};

pub(crate) const CASES: &[super::Case] = &[
    ("detect::emotet_records_are_found", emotet_records_are_found),
    ("detect::a_real_host_without_emotet_stays_quiet", a_real_host_without_emotet_stays_quiet),
    ("detect::public_rules_load_unchanged", public_rules_load_unchanged),
];

static RECORD: Descriptor = Descriptor {
    name: "windows:evtx:record",
    doc: "A record of an event log.",
    message: "{provider} {event_id}",
    data_type: None,
    fields: &[
        Field::new("event_id", Kind::Number, ""),
        Field::new("provider", Kind::Text, ""),
        Field::new("channel", Kind::Text, ""),
        Field::new("computer", Kind::Text, ""),
        Field::new("level", Kind::Number, ""),
        Field::new("record_id", Kind::Number, ""),
        Field::new("user_sid", Kind::Text, ""),
        Field::new("data", Kind::Map, ""),
        Field::new("user_data", Kind::Map, ""),
    ],
};

/// Every record of every log in a folder, in the order of time.
fn records(folder: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "evtx"));
    paths.sort();
    for path in paths {
        let locator = Arc::new(Locator { path: path.display().to_string(), ..Locator::default() });
        let mut parser = evtx::EvtxParser::from_path(&path).unwrap();
        for record in parser.records_json_value().flatten() {
            events.push(event(&record.data["Event"], &locator));
        }
    }
    events.sort_by_key(|e| e.time);
    events
}

fn event(json: &serde_json::Value, locator: &Arc<Locator>) -> Event {
    let system = &json["System"];
    let text = |v: &serde_json::Value| v.as_str().map(str::to_owned);
    let mut values = Values::new();
    let id = system["EventID"].as_u64().or_else(|| system["EventID"]["#text"].as_u64());
    values.set_some("event_id", id);
    values.set_some("provider", text(&system["Provider"]["#attributes"]["Name"]));
    values.set_some("channel", text(&system["Channel"]));
    values.set_some("computer", text(&system["Computer"]));
    for (field, name) in [("data", "EventData"), ("user_data", "UserData")] {
        if json[name].is_object() {
            values.set(field, value(&json[name]));
        }
    }
    Event {
        time: system["TimeCreated"]["#attributes"]["SystemTime"].as_str().and_then(Timestamp::parse),
        meaning: Meaning::LOGGED,
        artifact: "event_log",
        descriptor: &RECORD,
        values,
        user: None,
        state: State::Live,
        origin: Origin { locator: Arc::clone(locator), offset: None, also_in: Vec::new() },
    }
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(n) => n.as_u64().map_or_else(|| Value::from(n.to_string()), Value::Number),
        serde_json::Value::String(s) => Value::from(s.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(o) => match o.get("#text") {
            Some(text) => value(text),
            None => {
                Value::Map(o.iter().filter(|(k, _)| *k != "#attributes").map(|(k, v)| (k.into(), value(v))).collect())
            }
        },
    }
}

fn schema() -> Schema {
    Schema { artifacts: vec!["event_log"], descriptors: vec![&RECORD] }
}

fn findings(folder: &Path) -> Vec<Finding> {
    let rules = RuleSet::builtin().unwrap_or_else(|e| panic!("{}", e[0]));
    let mut detector = Detector::new(&rules, &schema()).unwrap_or_else(|e| panic!("{}", e[0]));
    let mut found: Vec<_> = records(folder).iter().flat_map(|e| detector.event(e)).collect();
    found.extend(detector.finish());
    found
}

/// Witness: the published sample logs are one PowerShell script block, four pipeline records of the same script and the start
/// of the program that it left, all of 2020-08-26 05:09:28 to 05:09:33 UTC.
fn emotet_records_are_found(corpus: &Path) {
    let found = findings(&corpus.join("evtx/emotet"));
    let loader: Vec<_> = found.iter().filter(|f| f.rule.name.as_deref() == Some("EMO-EXE-003")).collect();
    assert_eq!(loader.len(), 6, "{found:#?}");
    let seconds = |f: &Finding| f.time.unwrap().to_string()[..19].to_owned();
    assert_eq!(seconds(loader[0]), "2020-08-26T05:09:28");
    assert_eq!(seconds(loader[5]), "2020-08-26T05:09:33");
}

/// Attack simulations ran on this host, but no Emotet: nothing definitive, and no strong hit outside execution.
fn a_real_host_without_emotet_stays_quiet(corpus: &Path) {
    let found = findings(&corpus.join("evtx/win10-aptsim"));
    let names: Vec<_> = found.iter().map(|f| (f.rule.name.clone(), f.rule.title.clone())).collect();
    assert!(found.iter().all(|f| f.rule.name.as_deref() == Some("EMO-AF-001")), "{names:?}");
}

/// Rules of SigmaHQ as they are published: all load, and what can't be evaluated on event logs says why.
fn public_rules_load_unchanged(corpus: &Path) {
    let mut rules = RuleSet::empty().unwrap();
    rules.add_folder(&corpus.join("rules/sigma"));
    assert_eq!(rules.rejected(), []);
    assert_eq!(rules.infos().count(), 11);
    let detector = Detector::new(&rules, &schema()).unwrap();
    let not: Vec<_> = detector.not_evaluated().iter().map(|n| (n.rule.title.as_str(), n.why.as_str())).collect();
    assert_eq!(not, [("Malware User Agent", "no event here is meant by the logsource 'category proxy'")]);
}
