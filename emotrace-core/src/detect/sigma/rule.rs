//! A rule file into rules.

use std::sync::Arc;

use super::super::error::Place;
use super::super::yaml::{self, Kind, Node};
use super::correlation::{self, Correlation};
use super::modifier::one_or;
use super::{Context, Expr, condition, modifier};
use crate::detect::error::RuleError;
use crate::model::{EvidenceClass, Level, Near, Period, RuleInfo, Shows, Stage, Timestamp, Value};

/// Which log a rule reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LogSource {
    pub(crate) category: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) service: Option<String>,
}

impl std::fmt::Display for LogSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("product", &self.product), ("category", &self.category), ("service", &self.service)];
        let named: Vec<_> = parts.iter().filter_map(|(n, v)| v.as_ref().map(|v| format!("{n} {v}"))).collect();
        f.write_str(&named.join(", "))
    }
}

/// What a rule consists of.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A condition over one event.
    Event { logsource: LogSource, condition: Expr },
    /// A condition over hits of other rules.
    Correlation(Correlation),
    /// Nothing that is data: the rule is code, or its artifact has no parser yet.
    None,
}

/// Other points for hits that also fit a second condition.
#[derive(Clone, Debug)]
pub(crate) struct WeightIf {
    pub(crate) condition: Expr,
    pub(crate) weight: u32,
    /// See [`Finding::outcome`](crate::model::Finding).
    pub(crate) outcome: Option<String>,
}

/// An event of an example.
#[derive(Clone, Debug)]
pub(crate) struct ExampleEvent {
    pub(crate) descriptor: String,
    pub(crate) time: Option<Timestamp>,
    pub(crate) values: Vec<(String, Value)>,
    pub(crate) place: Place,
}

/// Events that a rule must hit, or must not.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) hits: bool,
    pub(crate) events: Vec<ExampleEvent>,
    /// The points that the hit must have, where the example says so.
    pub(crate) weight: Option<u32>,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) info: Arc<RuleInfo>,
    /// Sigma's `name`, by which correlations name a rule.
    pub(crate) sigma_name: Option<String>,
    pub(crate) body: Body,
    pub(crate) place: Place,
    /// One of the project's own rules.
    pub(crate) strict: bool,
    pub(crate) weights: Vec<WeightIf>,
    /// Artifacts without which the rule can't be evaluated and which have no parser yet.
    pub(crate) waits_for: Vec<String>,
    /// The code that finds what the rule describes.
    pub(crate) detector: Option<String>,
    pub(crate) examples: Vec<Example>,
}

const TOP: &[&str] = &[
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "correlation",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "emotrace",
];
const STATUS: &[&str] = &["stable", "test", "experimental", "deprecated", "unsupported", "builtin"];
const CUSTOM: &[&str] = &[
    "id",
    "title_ja",
    "stage",
    "weight",
    "class",
    "group",
    "period",
    "reached",
    "shows",
    "near",
    "time",
    "waits_for",
    "detector",
    "weights",
    "examples",
];

/// All rules of a file.
pub(crate) fn parse_file(context: &Context, text: &str) -> Result<Vec<Rule>, RuleError> {
    yaml::parse(context.file, text)?.iter().map(|document| rule(context, document)).collect()
}

fn rule(context: &Context, node: &Node) -> Result<Rule, RuleError> {
    if !node.is_map() {
        return Err(context.error(node.place, format!("A rule is a map, but this is {}.", node.kind_name())));
    }
    if context.strict {
        known_keys(context, node, TOP, "rule")?;
    }
    let text = |name: &str| node.get(name).and_then(Node::text);
    let texts = |name: &str| texts(node.get(name));
    let Some(title) = text("title") else { return Err(context.error(node.place, "The rule has no title.")) };
    let status = text("status").unwrap_or_default();
    if context.strict && !status.is_empty() && !STATUS.contains(&status.as_str()) {
        let place = node.get("status").map_or(node.place, |n| n.place);
        let e = context.error(place, format!("There is no status '{status}'."));
        return Err(e.suggest(&status, STATUS.iter().copied()));
    }
    let selections = match node.get("detection") {
        Some(detection) => selections(context, detection)?,
        None => Vec::new(),
    };
    let body = body(context, node, &selections, &status)?;
    let empty = Node { kind: Kind::Null, place: node.place };
    let custom = node.get("emotrace").unwrap_or(&empty);
    let own = custom_section(context, custom, &selections)?;
    let info = RuleInfo {
        id: text("id").unwrap_or_default(),
        name: own.id.clone().or_else(|| text("name")),
        title,
        title_ja: own.title_ja,
        description: text("description").unwrap_or_default().trim().to_owned(),
        status,
        level: level(context, node)?,
        tags: texts("tags"),
        false_positives: texts("falsepositives"),
        references: texts("references"),
        stage: own.stage,
        weight: own.weight,
        class: own.class,
        group: own.group.or(own.id),
        periods: own.periods,
        time_meaning: own.time,
        reached: own.reached,
        shows: own.shows,
        near: own.near,
        file: context.file.to_owned(),
    };
    Ok(Rule {
        info: Arc::new(info),
        sigma_name: text("name"),
        body,
        place: node.place,
        strict: context.strict,
        weights: own.weights,
        waits_for: own.waits_for,
        detector: own.detector,
        examples: own.examples,
    })
}

fn known_keys(context: &Context, node: &Node, known: &[&str], what: &str) -> Result<(), RuleError> {
    match node.entries().iter().find(|(key, _)| !known.contains(&key.text.as_str())) {
        Some((key, _)) => {
            let e = context.error(key.place, format!("A {what} has no '{}'.", key.text));
            Err(e.suggest(&key.text, known.iter().copied()))
        }
        None => Ok(()),
    }
}

fn texts(node: Option<&Node>) -> Vec<String> {
    node.map(|n| n.items().iter().filter_map(Node::text).collect()).unwrap_or_default()
}

fn level(context: &Context, node: &Node) -> Result<Level, RuleError> {
    let Some(node) = node.get("level") else { return Ok(Level::default()) };
    let names = ["informational", "low", "medium", "high", "critical"];
    match node.text().unwrap_or_default().as_str() {
        "informational" => Ok(Level::Informational),
        "low" => Ok(Level::Low),
        "medium" => Ok(Level::Medium),
        "high" => Ok(Level::High),
        "critical" => Ok(Level::Critical),
        other => Err(context.error(node.place, format!("There is no level '{other}'.")).suggest(other, names)),
    }
}

fn body(context: &Context, node: &Node, selections: &[(String, Expr)], status: &str) -> Result<Body, RuleError> {
    if let Some(correlation) = node.get("correlation") {
        return Ok(Body::Correlation(correlation::parse(context, correlation)?));
    }
    let Some(detection) = node.get("detection") else {
        let without = matches!(status, "unsupported" | "builtin");
        return if without { Ok(Body::None) } else { Err(context.error(node.place, "The rule has no detection.")) };
    };
    let Some(conditions) = detection.get("condition") else {
        return Err(context.error(detection.place, "The detection has no condition."));
    };
    let mut parts = Vec::new();
    for condition in conditions.items() {
        let Some(text) = condition.text() else {
            return Err(context.error(condition.place, "A condition is text."));
        };
        parts.push(condition::parse(context, condition.place, &text, selections)?);
    }
    if parts.is_empty() {
        return Err(context.error(conditions.place, "The condition is empty."));
    }
    let Some(source) = node.get("logsource").filter(|n| n.is_map()) else {
        return Err(context.error(node.place, "The rule has no logsource."));
    };
    let part = |name: &str| source.get(name).and_then(Node::text);
    let logsource = LogSource { category: part("category"), product: part("product"), service: part("service") };
    Ok(Body::Event { logsource, condition: one_or(parts, Expr::Or) })
}

/// The named selections of a detection.
fn selections(context: &Context, detection: &Node) -> Result<Vec<(String, Expr)>, RuleError> {
    detection
        .entries()
        .iter()
        .filter(|(key, _)| !matches!(key.text.as_str(), "condition" | "timeframe"))
        .map(|(key, node)| Ok((key.text.clone(), selection(context, node)?)))
        .collect()
}

/// A map: every key must fit. A list: any item must fit; items that are no maps are keywords.
fn selection(context: &Context, node: &Node) -> Result<Expr, RuleError> {
    match &node.kind {
        Kind::Map(entries) if entries.is_empty() => Err(context.error(node.place, "The selection is empty.")),
        Kind::Map(entries) => {
            let tests: Result<Vec<_>, _> = entries
                .iter()
                .map(|(key, value)| {
                    if key.text.starts_with('|') {
                        keywords_linked(context, &key.text, value)
                    } else {
                        modifier::tests(context, key, value)
                    }
                })
                .collect();
            Ok(one_or(tests?, Expr::And))
        }
        Kind::List(items) if items.is_empty() => Err(context.error(node.place, "The selection is empty.")),
        Kind::List(items) => {
            let parts: Result<Vec<_>, _> = items.iter().map(|item| selection(context, item)).collect();
            Ok(one_or(parts?, Expr::Or))
        }
        Kind::Null => Err(context.error(node.place, "The selection is empty.")),
        _ => modifier::keyword(context, node),
    }
}

/// `'|all': [...]`: keywords that must all occur.
fn keywords_linked(context: &Context, modifiers: &str, value: &Node) -> Result<Expr, RuleError> {
    let known = |m: &str| matches!(m, "" | "all" | "contains");
    if let Some(modifier) = modifiers.split('|').find(|m| !known(m)) {
        return Err(context.error(value.place, format!("Keywords can't have the modifier '{modifier}'.")));
    }
    let parts: Result<Vec<_>, _> = value.items().iter().map(|item| modifier::keyword(context, item)).collect();
    let link = if modifiers.split('|').any(|m| m == "all") { Expr::And } else { Expr::Or };
    Ok(one_or(parts?, link))
}

/// What the section `emotrace:` of a rule says.
#[derive(Default)]
struct Custom {
    id: Option<String>,
    title_ja: Option<String>,
    stage: Option<Stage>,
    weight: u32,
    class: Option<EvidenceClass>,
    group: Option<String>,
    periods: Vec<Period>,
    reached: Option<String>,
    shows: Option<Shows>,
    near: Option<Near>,
    time: Option<String>,
    waits_for: Vec<String>,
    detector: Option<String>,
    weights: Vec<WeightIf>,
    examples: Vec<Example>,
}

fn custom_section(context: &Context, node: &Node, selections: &[(String, Expr)]) -> Result<Custom, RuleError> {
    known_keys(context, node, CUSTOM, "section 'emotrace'")?;
    let text = |name: &str| node.get(name).and_then(Node::text);
    let mut custom = Custom {
        id: text("id"),
        title_ja: text("title_ja"),
        group: text("group"),
        reached: text("reached"),
        time: text("time"),
        waits_for: texts(node.get("waits_for")),
        detector: text("detector"),
        ..Custom::default()
    };
    if let Some(stage) = node.get("stage") {
        let name = stage.text().unwrap_or_default();
        let names = || Stage::ALL.iter().map(|(_, name)| *name);
        let known = Stage::ALL.iter().find(|(_, n)| *n == name).map(|(stage, _)| *stage);
        custom.stage = Some(known.ok_or_else(|| {
            context.error(stage.place, format!("There is no stage '{name}'.")).suggest(&name, names())
        })?);
    }
    if let Some(class) = node.get("class") {
        custom.class = Some(match class.text().unwrap_or_default().as_str() {
            "D" => EvidenceClass::D,
            "S" => EvidenceClass::S,
            "M" => EvidenceClass::M,
            "W" => EvidenceClass::W,
            "X" => EvidenceClass::X,
            other => return Err(context.error(class.place, format!("'{other}' is not one of D, S, M, W, X."))),
        });
    }
    if let Some(weight) = node.get("weight") {
        custom.weight = points(context, weight)?;
    }
    if let Some(shows) = node.get("shows") {
        custom.shows = Some(match shows.text().unwrap_or_default().as_str() {
            "file" => Shows::File,
            "autorun" => Shows::Autorun,
            other => return Err(context.error(shows.place, format!("'{other}' is neither file nor autorun."))),
        });
    }
    for period in node.get("period").map_or(&[][..], Node::items) {
        let parsed = period.text().and_then(|t| parse_period(&t));
        custom.periods.push(parsed.ok_or_else(|| {
            context.error(period.place, "A period is two dates like 2020-12..2022-05; either may be left out.")
        })?);
    }
    if let Some(near) = node.get("near") {
        let span = |name: &str| match near.get(name) {
            None => Ok(0),
            Some(n) => n.text().and_then(|t| correlation::ticks(&t)).ok_or_else(|| {
                context.error(n.place, "A time span is a whole number and one of s, m, h, d, w, like 24h.")
            }),
        };
        custom.near = Some(Near { before: span("before")?, after: span("after")? });
    }
    for entry in node.get("weights").map_or(&[][..], Node::items) {
        let Some(when) = entry.get("condition") else {
            return Err(context.error(entry.place, "Other points need a 'condition' and a 'weight'."));
        };
        let Some(weight) = entry.get("weight") else {
            return Err(context.error(entry.place, "Other points need a 'condition' and a 'weight'."));
        };
        let condition = condition::parse(context, when.place, &when.text().unwrap_or_default(), selections)?;
        let outcome = entry.get("outcome").and_then(Node::text);
        custom.weights.push(WeightIf { condition, weight: points(context, weight)?, outcome });
    }
    if let Some(examples) = node.get("examples") {
        known_keys(context, examples, &["match", "no_match"], "list of examples")?;
        for (name, hits) in [("match", true), ("no_match", false)] {
            for node in examples.get(name).map_or(&[][..], Node::items) {
                custom.examples.push(example(context, node, hits)?);
            }
        }
    }
    Ok(custom)
}

fn points(context: &Context, node: &Node) -> Result<u32, RuleError> {
    match node.kind {
        Kind::Int(n) => u32::try_from(n).ok().filter(|n| *n <= 100),
        _ => None,
    }
    .ok_or_else(|| context.error(node.place, "Points are a whole number from 0 to 100."))
}

fn example(context: &Context, node: &Node, hits: bool) -> Result<Example, RuleError> {
    let weight = node.get("weight").map(|n| points(context, n)).transpose()?;
    let events = match node.get("sequence") {
        Some(sequence) => sequence.items().iter().map(|n| example_event(context, n)).collect::<Result<_, _>>()?,
        None => vec![example_event(context, node)?],
    };
    Ok(Example { hits, events, weight, place: node.place })
}

fn example_event(context: &Context, node: &Node) -> Result<ExampleEvent, RuleError> {
    known_keys(context, node, &["event", "time", "values", "weight", "sequence"], "example")?;
    let Some(descriptor) = node.get("event").and_then(Node::text) else {
        return Err(context.error(node.place, "The example does not say of which 'event' it is."));
    };
    let time = match node.get("time") {
        None => None,
        Some(time) => Some(
            time.text()
                .and_then(|t| Timestamp::parse(&t))
                .ok_or_else(|| context.error(time.place, "A time looks like 2020-08-26T05:09:33Z."))?,
        ),
    };
    let values = node.get("values").map_or(&[][..], Node::entries);
    let values = values.iter().map(|(key, node)| (key.text.clone(), value(node))).collect();
    Ok(ExampleEvent { descriptor, time, values, place: node.place })
}

/// A YAML value as an event's value.
fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(b) => Value::Bool(*b),
        Kind::Int(n) => u64::try_from(*n).map_or(Value::Signed(*n), Value::Number),
        Kind::Text(text) => Value::from(text.as_str()),
        Kind::List(items) => Value::List(items.iter().map(value).collect()),
        Kind::Map(entries) => Value::Map(entries.iter().map(|(k, n)| (k.text.as_str().into(), value(n))).collect()),
    }
}

/// `2020-12..2022-05`: both ends are years, months or days and belong to the period; either may be left out. One date
/// alone is a period of that year, month or day.
pub(crate) fn parse_period(text: &str) -> Option<Period> {
    let (from, until) = text.split_once("..").unwrap_or((text, text));
    let start = |text: &str| day(text).map(|(first, _)| first);
    let end = |text: &str| day(text).map(|(_, after)| after);
    let from = if from.is_empty() { None } else { Some(start(from)?) };
    let until = if until.is_empty() { None } else { Some(end(until)?) };
    (from.is_some() || until.is_some()).then_some(Period { from, until })
}

/// First instant of a year, month or day, and the first instant after it.
fn day(text: &str) -> Option<(Timestamp, Timestamp)> {
    let parts: Vec<u32> = text.split('-').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    if !parts.first().is_some_and(|year| (1601..9999).contains(year)) {
        return None;
    }
    let at = |y: u32, m: u32, d: u32| {
        let days = u64::from(d - 1) * 86_400 * 10_000_000;
        Timestamp::parse(&format!("{y:04}-{m:02}-01")).map(|t| Timestamp::from_filetime(t.filetime() + days))
    };
    match parts[..] {
        [y] => Some((at(y, 1, 1)?, at(y + 1, 1, 1)?)),
        [y, m] if (1..12).contains(&m) => Some((at(y, m, 1)?, at(y, m + 1, 1)?)),
        [y, 12] => Some((at(y, 12, 1)?, at(y + 1, 1, 1)?)),
        [y, m, d] if (1..=31).contains(&d) => Some((at(y, m, d)?, at(y, m, d + 1)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(text: &str, strict: bool) -> Result<Vec<Rule>, RuleError> {
        let placeholders = BTreeMap::new();
        parse_file(&Context { file: "t.yml", placeholders: &placeholders, strict }, text)
    }

    const RULE: &str = "title: T\nid: 1\nlogsource: {category: process_creation, product: windows}\n\
        detection:\n  sel:\n    Image|endswith: ['\\a.exe', '\\b.exe']\n    CommandLine|contains|all: [x, y]\n  condition: sel\n";

    #[test]
    fn a_plain_rule() {
        let rule = read(RULE, true).unwrap().remove(0);
        let Body::Event { condition: Expr::And(parts), logsource } = &rule.body else { panic!("{:?}", rule.body) };
        assert!(matches!(&parts[0], Expr::Or(p) if p.len() == 2));
        assert!(matches!(&parts[1], Expr::And(p) if p.len() == 2));
        assert_eq!(logsource.to_string(), "product windows, category process_creation");
        assert_eq!(rule.info.level, Level::Medium);
    }

    #[test]
    fn mistakes_say_where_and_what_was_meant() {
        for (wrong, right, line, column, meant) in [
            ("endswith", "endwith", 6, 5, "endswith"),
            ("title: T", "title: T\nlevl: high", 2, 1, "level"),
            ("condition: sel", "condition: sell", 8, 14, "sel"),
            ("id: 1", "id: 1\nlevel: hgih", 3, 8, "high"),
            ("id: 1", "id: 1\nemotrace: {stage: persistance}", 3, 19, "persistence"),
        ] {
            let e = read(&RULE.replacen(wrong, right, 1), true).unwrap_err();
            assert_eq!((e.place.line, e.place.column), (line, column), "{e}");
            assert_eq!(e.did_you_mean.as_deref(), Some(meant), "{e}");
        }
        assert!(read(&RULE.replacen("title: T", "title: T\nlevl: high", 1), false).is_ok(), "others may have own keys");
    }

    #[test]
    fn periods() {
        let show = |t: &str| {
            let p = parse_period(t)?;
            Some((p.from.map(|t| t.to_string()[..10].to_owned()), p.until.map(|t| t.to_string()[..10].to_owned())))
        };
        let d = |t: &str| Some(t.to_owned());
        assert_eq!(show("2020-12..2022-05"), Some((d("2020-12-01"), d("2022-06-01"))));
        assert_eq!(show("..2020-02-05"), Some((None, d("2020-02-06"))));
        assert_eq!(show("2023-03"), Some((d("2023-03-01"), d("2023-04-01"))));
        assert_eq!(show("2021-12.."), Some((d("2021-12-01"), None)));
        for wrong in ["", "..", "2020-13", "x", "2020-12..y", "4294967295", "2020-01-32", "0"] {
            assert_eq!(parse_period(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn multiple_documents_and_correlation() {
        let text = format!(
            "{RULE}---\ntitle: C\ncorrelation:\n  type: event_count\n  rules: [a]\n  group-by: [X]\n  timespan: 10m\n  condition: {{gte: 3}}\n"
        );
        let rules = read(&text, true).unwrap();
        assert!(matches!(&rules[1].body, Body::Correlation(c) if c.timespan == 6_000_000_000));
        let e = read(&text.replace("event_count", "event_cnt"), true).unwrap_err();
        assert_eq!(e.did_you_mean.as_deref(), Some("event_count"));
    }
}
