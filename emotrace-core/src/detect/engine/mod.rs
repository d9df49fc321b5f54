//! Rules over a stream of events: compiled once, then one pass with bounded memory.
//!
//! Rules that read the same kinds of events form a [`group`](group::Group). A group knows the texts that its rules look
//! for; one pass over an event's values (Aho-Corasick, hash tables for whole values) tells which of them are there, and only
//! rules that need one of those are looked at further. The cost of an event depends on what is in it, hardly on the
//! number of rules.

mod group;
mod window;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use self::group::{Group, Scratch, Tri};
use self::window::Windows;
use super::error::RuleError;
use super::mapping::{Getter, Mapping, Source};
use super::rule_set::RuleSet;
use super::sigma::{Body, Expr, Filter, Rule, fold_into};
use crate::model::{Event, Evidence, Finding, RuleInfo, Schema, Value};

/// A rule that was loaded but can't be evaluated on this evidence, and why.
#[derive(Clone, Debug)]
pub struct NotEvaluated {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// Why, as the end of "cannot be evaluated because …".
    pub why: String,
}

/// Takes events in the order of the timeline and says which rules they meet.
#[derive(Debug)]
pub struct Detector {
    mapping: Mapping,
    /// By name of the descriptor.
    dispatch: HashMap<&'static str, Dispatch>,
    groups: Vec<Group>,
    rules: Vec<Runtime>,
    windows: Windows,
    not_evaluated: Vec<NotEvaluated>,
    scratch: Scratch,
    channel: String,
}

/// What is needed of a rule once it is compiled.
#[derive(Debug)]
struct Runtime {
    info: Arc<RuleInfo>,
    /// Gives findings of its own, not only hits for correlations.
    standalone: bool,
    correlated: bool,
}

/// The sources of one descriptor: by the log's channel where they ask for one, so that only few need a closer look.
#[derive(Debug, Default)]
struct Dispatch {
    by_channel: HashMap<String, Vec<usize>>,
    any: Vec<usize>,
    /// By source: the groups that read it, with the way into the event.
    plans: HashMap<usize, Vec<(usize, Plan)>>,
}

/// How the fields of a group are had from events of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    getters: Vec<(usize, Getter)>,
    /// Names in the open maps, and the group's fields they are.
    open: HashMap<String, usize>,
    /// Fields that this source can't tell.
    unknown: Vec<usize>,
}

impl Plan {
    /// The group's field that a name in an open map is. Rules write `New Value` as `NewValue`.
    fn named(&self, name: &str) -> Option<usize> {
        self.open.get(name).copied().or_else(|| {
            let with_blanks = name.contains(' ');
            with_blanks.then(|| self.open.get(&name.replace(' ', "")).copied()).flatten()
        })
    }
}

impl Detector {
    /// Compiles the rules for the events that the schema declares.
    ///
    /// # Errors
    /// A field that the mapping reads but the schema's event does not declare.
    pub fn new(rules: &RuleSet, schema: &Schema) -> Result<Self, Vec<RuleError>> {
        let mapping = rules.mapping().clone();
        let (_, errors) = mapping.check(schema);
        if !errors.is_empty() {
            return Err(errors);
        }
        let present = |source: usize| {
            mapping.sources.get(source).is_some_and(|s| schema.descriptors.iter().any(|d| d.name == s.descriptor))
        };
        let mut not_evaluated = Vec::new();
        let all = with_filters(rules.rules(), &mut not_evaluated);
        let all = all.as_ref();
        let mut by_sources: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
        let mut evaluated = vec![false; all.len()];
        for (at, rule) in all.iter().enumerate() {
            match sources_of(rule, &mapping, &present) {
                Ok(Some(sources)) => {
                    evaluated[at] = true;
                    match by_sources.iter_mut().find(|(s, _)| *s == sources) {
                        Some((_, members)) => members.push(at),
                        None => by_sources.push((sources, vec![at])),
                    }
                }
                Ok(None) => {}
                Err(why) => not_evaluated.push(NotEvaluated { rule: Arc::clone(&rule.info), why }),
            }
        }
        let (windows, refused) = Windows::new(all, &mut evaluated);
        for (rule, why) in refused {
            not_evaluated.push(NotEvaluated { rule: Arc::clone(&all[rule].info), why });
        }
        let runtime = |(at, rule): (usize, &Rule)| Runtime {
            info: Arc::clone(&rule.info),
            standalone: !windows.only_a_part(at),
            correlated: windows.wants(at),
        };
        let runtimes = all.iter().enumerate().map(runtime).collect();
        let mut detector = Self {
            dispatch: HashMap::new(),
            groups: Vec::new(),
            rules: runtimes,
            windows,
            not_evaluated,
            scratch: Scratch::default(),
            channel: String::new(),
            mapping,
        };
        for (sources, members) in by_sources {
            detector.add_group(all, &sources, &members, schema);
        }
        Ok(detector)
    }

    /// Rules that can't be evaluated, each with the reason.
    pub fn not_evaluated(&self) -> &[NotEvaluated] {
        &self.not_evaluated
    }

    fn add_group(&mut self, rules: &[Rule], sources: &[usize], members: &[usize], schema: &Schema) {
        let at = self.groups.len();
        let group = Group::new(rules, members, |rule| self.windows.fields_of(rule));
        for &source_at in sources {
            let source = &self.mapping.sources[source_at];
            let Some(descriptor) = schema.descriptors.iter().find(|d| d.name == source.descriptor) else { continue };
            let dispatch = self.dispatch.entry(descriptor.name).or_default();
            if !dispatch.plans.contains_key(&source_at) {
                match source.when.iter().find(|a| a.path == ["channel"]) {
                    Some(channels) => channels.texts.iter().for_each(|channel| {
                        dispatch.by_channel.entry(channel.clone()).or_default().push(source_at);
                    }),
                    None => dispatch.any.push(source_at),
                }
            }
            dispatch.plans.entry(source_at).or_default().push((at, plan(source, &group)));
        }
        self.groups.push(group);
    }

    /// Holds one event against all rules. Events must come in the order of the timeline for rules over several events.
    pub fn event(&mut self, event: &Event) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Some(dispatch) = self.dispatch.get(event.descriptor.name) else { return findings };
        self.channel.clear();
        if let Some(Value::Text(channel)) = event.values.get("channel") {
            fold_into(channel, &mut self.channel);
        }
        let by_channel = dispatch.by_channel.get(self.channel.as_str()).map_or(&[][..], Vec::as_slice);
        let mut hits: Vec<Hit> = Vec::new();
        for &source_at in by_channel.iter().chain(&dispatch.any) {
            let source = &self.mapping.sources[source_at];
            if !source.accepts(event) {
                continue;
            }
            for (group_at, plan) in dispatch.plans.get(&source_at).map_or(&[][..], Vec::as_slice) {
                let group = &self.groups[*group_at];
                match &source.each {
                    None => group.run(event, None, source, plan, &mut self.scratch, &mut hits),
                    Some(field) => {
                        if let Some(Value::List(items)) = event.values.get(field) {
                            for item in items {
                                group.run(event, Some(item), source, plan, &mut self.scratch, &mut hits);
                            }
                        }
                    }
                }
            }
        }
        hits.sort_by_key(|hit| hit.rule);
        hits.dedup_by_key(|hit| hit.rule);
        for hit in hits {
            let runtime = &self.rules[hit.rule];
            let evidence = Arc::new(Evidence::new(event, hit.fields));
            if runtime.standalone {
                findings.push(Finding {
                    rule: Arc::clone(&runtime.info),
                    weight: hit.weight,
                    outcome: hit.outcome,
                    time: event.time,
                    evidence: vec![Evidence::clone(&evidence)],
                    count: 1,
                });
            }
            if runtime.correlated
                && let Some(time) = event.time
            {
                self.windows.hit(hit.rule, time, evidence, &hit.keys, &mut findings);
            }
        }
        findings
    }

    /// Ends the stream: windows that are still open are judged.
    pub fn finish(&mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.windows.finish(&mut findings);
        findings
    }
}

/// A rule's condition met by one event.
#[derive(Debug)]
pub(crate) struct Hit {
    rule: usize,
    weight: u32,
    outcome: Option<String>,
    /// The fields that the rule looked at.
    fields: Vec<(String, String)>,
    /// The fields that correlations ask for.
    keys: Vec<(String, String)>,
}

/// The rules with what Sigma filters add to them.
fn with_filters<'a>(rules: &'a [Rule], not_evaluated: &mut Vec<NotEvaluated>) -> Cow<'a, [Rule]> {
    let mut all = Cow::Borrowed(rules);
    for rule in rules {
        let Body::Filter(filter) = &rule.body else { continue };
        let chosen: Vec<usize> = (0..rules.len()).filter(|at| is_filtered(filter, &rules[*at])).collect();
        let why = match filter.condition.obstacle() {
            None if chosen.is_empty() => Some("no rule that it is for is loaded".to_owned()),
            obstacle => obstacle,
        };
        if let Some(why) = why {
            not_evaluated.push(NotEvaluated { rule: Arc::clone(&rule.info), why });
            continue;
        }
        for at in chosen {
            if let Body::Event { condition, .. } = &mut all.to_mut()[at].body {
                *condition = Expr::And(vec![condition.clone(), filter.condition.clone()]);
            }
        }
    }
    all
}

fn is_filtered(filter: &Filter, rule: &Rule) -> bool {
    let Body::Event { logsource, .. } = &rule.body else { return false };
    let same = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
    let named = filter.rules.is_empty() || filter.rules.iter().any(|name| window::names(rule).contains(&name.as_str()));
    named
        && same(&filter.logsource.product, &logsource.product)
        && same(&filter.logsource.category, &logsource.category)
        && same(&filter.logsource.service, &logsource.service)
}

/// The sources that a rule is held against. `None` for rules that read no events.
fn sources_of(rule: &Rule, mapping: &Mapping, present: &impl Fn(usize) -> bool) -> Result<Option<Vec<usize>>, String> {
    if rule.info.status == "unsupported" {
        return Err(match rule.waits_for.join(", ") {
            what if what.is_empty() => "its own status is 'unsupported'".to_owned(),
            what => format!("it waits for evidence that is not parsed yet: {what}"),
        });
    }
    if let Some(detector) = &rule.detector {
        return Err(format!("it is code, not a pattern: {detector}"));
    }
    let Body::Event { logsource, condition } = &rule.body else { return Ok(None) };
    if let Some(why) = condition.obstacle() {
        return Err(why);
    }
    let Some(sources) = mapping.resolve(logsource) else {
        return Err(format!("no event here is meant by the logsource '{logsource}'"));
    };
    let here: Vec<usize> = sources.iter().copied().filter(|s| present(*s)).collect();
    let names = |list: &[usize]| {
        let mut names: Vec<_> = list.iter().map(|s| mapping.sources[*s].descriptor.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    if here.is_empty() {
        return Err(match sources.is_empty() {
            true => format!("no event here is meant by the logsource '{logsource}'"),
            false => format!("nothing here gives the events {}", names(sources)),
        });
    }
    let can: Vec<usize> = here.iter().copied().filter(|s| possible(condition, &mapping.sources[*s]).0).collect();
    if can.is_empty() {
        let mut fields = Vec::new();
        condition.tests(&mut |test| {
            if let Some(field) = &test.field
                && here.iter().all(|s| !knows(&mapping.sources[*s], field))
                && !fields.contains(field)
            {
                fields.push(field.clone());
            }
        });
        return Err(format!("the events {} do not tell {}", names(&here), fields.join(", ")));
    }
    Ok(Some(can))
}

pub(crate) fn knows(source: &Source, field: &str) -> bool {
    !source.open.is_empty() || source.getter(field).is_some()
}

/// Whether the condition can come out true, and false, on events of a source, given the fields it can tell.
fn possible(expr: &Expr, source: &Source) -> (bool, bool) {
    let list = |parts: &[Expr]| parts.iter().map(|p| possible(p, source)).collect::<Vec<_>>();
    match expr {
        Expr::Test(test) => {
            let known = test.field.as_ref().is_none_or(|field| knows(source, field));
            (known, known)
        }
        Expr::Not(part) => {
            let (t, f) = possible(part, source);
            (f, t)
        }
        Expr::And(parts) => {
            let parts = list(parts);
            (parts.iter().all(|p| p.0), parts.iter().any(|p| p.1))
        }
        Expr::Or(parts) => {
            let parts = list(parts);
            (parts.iter().any(|p| p.0), parts.iter().all(|p| p.1))
        }
    }
}

fn plan(source: &Source, group: &Group) -> Plan {
    let mut plan = Plan::default();
    for (at, field) in group.fields.iter().enumerate() {
        match source.getter(field) {
            Some(getter) => plan.getters.push((at, getter.clone())),
            None if source.open.is_empty() => plan.unknown.push(at),
            None => {
                plan.open.insert(field.clone(), at);
            }
        }
    }
    plan
}

impl Tri {
    pub(crate) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Descriptor, Field, Kind, Locator, Meaning, Origin, State, Timestamp, Values};

    static RECORD: Descriptor = Descriptor {
        name: "windows:evtx:record",
        doc: "",
        message: "",
        data_type: None,
        fields: &[
            Field::new("summary", Kind::Text, ""),
            Field::new("event_id", Kind::Number, ""),
            Field::new("provider", Kind::Text, ""),
            Field::new("provider_guid", Kind::Text, ""),
            Field::new("channel", Kind::Text, ""),
            Field::new("computer", Kind::Text, ""),
            Field::new("level", Kind::Number, ""),
            Field::new("level_name", Kind::Text, ""),
            Field::new("task", Kind::Number, ""),
            Field::new("opcode", Kind::Number, ""),
            Field::new("keywords", Kind::Text, ""),
            Field::new("version", Kind::Number, ""),
            Field::new("record_id", Kind::Number, ""),
            Field::new("user_sid", Kind::Text, ""),
            Field::new("process_id", Kind::Number, ""),
            Field::new("thread_id", Kind::Number, ""),
            Field::new("activity_id", Kind::Text, ""),
            Field::new("data", Kind::Map, ""),
            Field::new("user_data", Kind::Map, ""),
        ],
    };
    static PREFETCH: Descriptor = Descriptor {
        name: "windows:prefetch:execution",
        doc: "",
        message: "",
        data_type: None,
        fields: &[
            Field::new("executable", Kind::Text, ""),
            Field::new("executable_path", Kind::Text, ""),
            Field::new("files", Kind::List, ""),
        ],
    };

    fn detector(rules: &[&str]) -> Detector {
        let mut set = RuleSet::empty().unwrap();
        for rule in rules {
            set.add_text("t.yml", rule, false).unwrap();
        }
        let schema = Schema { artifacts: Vec::new(), descriptors: vec![&RECORD, &PREFETCH] };
        Detector::new(&set, &schema).unwrap()
    }

    fn event(descriptor: &'static Descriptor, seconds: i64, values: Values) -> Event {
        Event {
            time: Timestamp::from_unix_seconds(seconds),
            meaning: Meaning::LOGGED,
            artifact: "test",
            descriptor,
            values,
            user: None,
            state: State::Live,
            origin: Origin { locator: Arc::new(Locator::default()), offset: None, also_in: Vec::new() },
        }
    }

    fn record(channel: &str, id: u64, seconds: i64, data: &[(&str, Value)]) -> Event {
        let mut values = Values::new();
        values.set("channel", channel);
        values.set("event_id", id);
        values.set("data", Value::Map(data.iter().map(|(k, v)| ((*k).into(), v.clone())).collect()));
        event(&RECORD, seconds, values)
    }

    fn process(data: &[(&str, &str)]) -> Event {
        let data: Vec<_> = data.iter().map(|(k, v)| (*k, Value::from(*v))).collect();
        record("Microsoft-Windows-Sysmon/Operational", 1, 0, &data)
    }

    fn rule(detection: &str) -> String {
        format!("title: T\nid: r\nlogsource: {{product: windows, category: process_creation}}\ndetection:\n{detection}")
    }

    /// Each row: a detection, and the values of process records that must hit and must not.
    #[test]
    fn every_kind_of_test() {
        type Data = &'static [(&'static str, &'static str)];
        let rows: &[(&str, Data, Data)] = &[
            ("  s: {Image|endswith: '\\a.exe'}\n  condition: s", &[("Image", "C:\\A.EXE")], &[("Image", "C:\\ba.exe")]),
            (
                "  s: {CommandLine|contains|all: [x, y]}\n  condition: s",
                &[("CommandLine", "y x")],
                &[("CommandLine", "x")],
            ),
            (
                "  s: {CommandLine|contains|cased: Ab}\n  condition: s",
                &[("CommandLine", "1Ab")],
                &[("CommandLine", "1ab")],
            ),
            (
                "  s: {CommandLine|re: 'a[0-9]+b'}\n  condition: s",
                &[("CommandLine", "xa12b")],
                &[("CommandLine", "xA12b")],
            ),
            (
                "  s: {CommandLine|re|i: 'a[0-9]+b'}\n  condition: s",
                &[("CommandLine", "xA12B")],
                &[("CommandLine", "ab")],
            ),
            ("  s: {CommandLine|re: '[0-9]{3}'}\n  condition: s", &[("CommandLine", "x123")], &[("CommandLine", "12")]),
            ("  s: {CommandLine: 'a*b?d'}\n  condition: s", &[("CommandLine", "A--BcD")], &[("CommandLine", "abd")]),
            ("  s: {ParentImage: null}\n  condition: s", &[("Image", "x")], &[("ParentImage", "x")]),
            ("  s: {ParentImage|exists: true}\n  condition: s", &[("ParentImage", "x")], &[("Image", "x")]),
            ("  s: {ParentImage|exists: false}\n  condition: s", &[("Image", "x")], &[("ParentImage", "x")]),
            ("  s: {ProcessId|gte: 10}\n  condition: s", &[("ProcessId", "0x10")], &[("ProcessId", "9")]),
            (
                "  s: {Image|fieldref: ParentImage}\n  condition: s",
                &[("Image", "a"), ("ParentImage", "A")],
                &[("Image", "a"), ("ParentImage", "b")],
            ),
            ("  s: {User|neq: x}\n  condition: s", &[("User", "y")], &[("User", "X")]),
            ("  s: {CommandLine: '*'}\n  condition: s", &[("CommandLine", "q")], &[("Image", "q")]),
            (
                "  s: {CommandLine|windash|contains: ' -f '}\n  condition: s",
                &[("CommandLine", "a /f b")],
                &[("CommandLine", "a f b")],
            ),
            ("  s: [foo, bar*baz]\n  condition: s", &[("X", "1 BAR 2 baz")], &[("X", "bar")]),
            ("  s:\n    '|all': [foo, baz]\n  condition: s", &[("X", "baz"), ("Y", "Foo")], &[("X", "baz")]),
            ("  a: {X: 1}\n  b: {Y: 2}\n  condition: [a, b]", &[("Y", "2")], &[("Y", "1")]),
            ("  a: {X: 1}\n  f_1: {Y: 2}\n  condition: a and not 1 of f_*", &[("X", "1")], &[("X", "1"), ("Y", "2")]),
            ("  a: {X|cidr: 10.0.0.0/8}\n  condition: a", &[("X", "10.1.1.1")], &[("X", "11.1.1.1")]),
            (
                "  a:\n    - X: 1\n    - Y|startswith: q\n      Z: 3\n  condition: a",
                &[("Y", "QQ"), ("Z", "3")],
                &[("Y", "QQ")],
            ),
            ("  a: {X: ''}\n  condition: a", &[("X", "")], &[("X", "x")]),
            ("  a: {X|contains: ÄÖ}\n  condition: a", &[("X", "xäöx")], &[("X", "ao")]),
            // Every dash that Windows programs take, and the letter case of what is encoded does not matter to the rest.
            ("  s: {C|windash|contains: ' /q'}\n  condition: s", &[("C", "a –q")], &[("C", "a +q")]),
            (
                "  s: {C|contains|windash|all: [' -a ', ' -b ']}\n  condition: s",
                &[("C", "x /a ―b y")],
                &[("C", "x /a b y")],
            ),
            // "calc.exe" as UTF-16 in base64, one byte behind the start (witness: python's base64 module).
            (
                "  s: {C|utf16le|base64offset|contains: calc.exe}\n  condition: s",
                &[("C", "-enc eGMAYQBsAGMALgBlAHgAZQB4")],
                &[("C", "-enc Y2FsYy5leGU=")],
            ),
            ("  s: {C|wide|base64offset|contains: ab}\n  condition: s", &[("C", "YQBiAA==")], &[("C", "YWI=")]),
            ("  s: {C|base64: abc}\n  condition: s", &[("C", "YWJj")], &[("C", "YWJjx")]),
            ("  s: {C|re|m: '^b$'}\n  condition: s", &[("C", "a\nb\nc")], &[("C", "ab")]),
            ("  s: {C|re|s: 'a.c'}\n  condition: s", &[("C", "a\nc")], &[("C", "ac")]),
            ("  s: {C|re: 'a.c'}\n  condition: s", &[("C", "abc")], &[("C", "a\nc")]),
            ("  s: {X|cidr: ['10.0.0.0/8', 'fc00::/7']}\n  condition: s", &[("X", "fd00::1")], &[("X", "fe80::1")]),
            (
                "  s: {Image|fieldref|endswith: Name}\n  condition: s",
                &[("Image", "C:\\A.exe"), ("Name", "a.EXE")],
                &[("Image", "C:\\A.exe"), ("Name", "b.exe")],
            ),
            (
                "  s: {Image|fieldref|neq: P}\n  condition: s",
                &[("Image", "a"), ("P", "b")],
                &[("Image", "a"), ("P", "A")],
            ),
            // A single value under `all` is that value; a list of which nothing else is said is "any of".
            ("  s: {C|contains|all: x}\n  condition: s", &[("C", "axb")], &[("C", "ab")]),
            ("  s: {Id: [7, '8']}\n  condition: s", &[("Id", "8")], &[("Id", "78")]),
            ("  s: {C|contains: 7}\n  condition: s", &[("C", "a7b")], &[("C", "a8b")]),
            // Nothing, empty, and absent: null means both the first and the last.
            ("  s: {P: null}\n  condition: s", &[("X", "x")], &[("P", "")]),
            ("  s: {P: ''}\n  condition: s", &[("P", "")], &[("X", "x")]),
            ("  s: {P|exists: true}\n  condition: s", &[("P", "")], &[("X", "x")]),
            ("  s: {X: 1}\n  n: {P: null}\n  condition: s and not n", &[("X", "1"), ("P", "-")], &[("X", "1")]),
            // Backslashes and wildcards as the specification's table has them.
            ("  s: {P: '\\\\\\\\\\*\\\\S$'}\n  condition: s", &[("P", "\\\\*\\S$")], &[("P", "\\\\x\\S$")]),
            // Regular expressions of a kind that public rules use.
            (
                "  s: {C|re: '\\$env:x\\[(\\s*\\d{1,3}\\s*,){2}'}\n  condition: s",
                &[("C", "$env:x[4, 15,25]")],
                &[("C", "$env:x[4]")],
            ),
            ("  s: {C|re: '(?i)a{1,2}\\{x'}\n  condition: s", &[("C", "AA{X")], &[("C", "A(X")]),
        ];
        for (detection, hit, miss) in rows {
            let mut detector = detector(&[&rule(detection)]);
            assert!(detector.not_evaluated().is_empty(), "{detection}");
            assert_eq!(detector.event(&process(hit)).len(), 1, "must hit: {detection}");
            assert_eq!(detector.event(&process(miss)).len(), 0, "must not hit: {detection}");
            assert_eq!(detector.event(&process(hit)).len(), 1, "nothing is left over from the last event: {detection}");
        }
    }

    /// A field that prefetch can't tell leaves a test undecided: the filter can't be checked, so there is no hit.
    #[test]
    fn what_an_event_cannot_tell_is_neither_true_nor_false() {
        let sure = rule("  s:\n    - Image|endswith: '\\a.exe'\n    - OriginalFileName: A.EXE\n  condition: s");
        let filtered =
            rule("  s: {Image|endswith: '\\a.exe'}\n  f: {ParentImage|endswith: '\\b.exe'}\n  condition: s and not f");
        let line = rule("  s: {CommandLine|contains: x}\n  condition: s").replace("id: r", "id: line");
        let mut values = Values::new();
        values.set("executable", "A.EXE");
        values.set("executable_path", r"\VOLUME{01d0-1}\WINDOWS\A.EXE");
        let run = event(&PREFETCH, 0, values);
        assert_eq!(detector(&[&sure]).event(&run).len(), 1);
        assert_eq!(detector(&[&filtered]).event(&run).len(), 0);
        assert_eq!(detector(&[&filtered]).event(&process(&[("Image", "C:\\a.exe")])).len(), 1);
        let schema = Schema { artifacts: Vec::new(), descriptors: vec![&PREFETCH] };
        let mut set = RuleSet::empty().unwrap();
        set.add_text("t.yml", &line, false).unwrap();
        let alone = Detector::new(&set, &schema).unwrap();
        assert_eq!(alone.not_evaluated()[0].why, "the events windows:prefetch:execution do not tell CommandLine");
    }

    /// Each file of a prefetch record is held against the rule by itself, so that a filter on one file does not hide another.
    #[test]
    fn items_of_a_list_are_taken_one_by_one() {
        let text = rule(
            "  s: {ImageLoaded|endswith: '\\x.dll'}\n  f: {ImageLoaded|startswith: 'C:\\Windows\\'}\n  condition: s and not f",
        );
        let mut detector = detector(&[&text.replace("process_creation", "image_load")]);
        let files = |list: &[&str]| {
            let mut values = Values::new();
            values.set("executable", "A.EXE");
            values.set("files", Value::List(list.iter().map(|f| Value::from(*f)).collect()));
            event(&PREFETCH, 0, values)
        };
        assert_eq!(detector.event(&files(&[r"\VOLUME{1}\WINDOWS\X.DLL", r"\VOLUME{1}\USERS\X.DLL"])).len(), 1);
        assert_eq!(detector.event(&files(&[r"\VOLUME{1}\WINDOWS\X.DLL", r"\VOLUME{1}\USERS\Y.DLL"])).len(), 0);
    }

    #[test]
    fn rules_that_cannot_be_evaluated_say_why() {
        let look = rule("  s: {Image|re: 'a(?!b)'}\n  condition: s");
        let expand = rule("  s: {Image|expand: '%admins%'}\n  condition: s");
        let linux = rule("  s: {Image: a}\n  condition: s").replace("windows", "linux");
        let counted = rule("  s: {Image: a}\n  condition: s | count(User) by Image > 5");
        let theirs = rule("  s: {Image: a}\n  condition: s").replace("title: T", "title: T\nstatus: unsupported");
        let detector = detector(&[&look, &expand, &linux, &counted, &theirs]);
        let why: Vec<_> = detector.not_evaluated().iter().map(|n| n.why.as_str()).collect();
        assert!(why[0].contains("look-around"), "{}", why[0]);
        assert!(why[1].contains("%admins%"), "{}", why[1]);
        assert_eq!(why[2], "no event here is meant by the logsource 'product linux, category process_creation'");
        assert_eq!(why[3], "its condition ends in '| count(User) by Image > 5', which correlation rules have replaced");
        assert_eq!(why[4], "its own status is 'unsupported'");
    }

    /// A Sigma filter holds for the rules that it names, and says so when there are none.
    #[test]
    fn filters_narrow_the_rules_they_name() {
        let all = rule("  s: {Image|endswith: '\\a.exe'}\n  condition: s");
        let other = all.replace("id: r", "id: other");
        let filter = |rules: &str| {
            format!(
                "title: F\nid: f\nlogsource: {{product: windows, category: process_creation}}\nfilter:\n  rules: {rules}\n  s: {{User|startswith: adm_}}\n  condition: not s\n"
            )
        };
        let run = process(&[("Image", "C:\\a.exe"), ("User", "ADM_x")]);
        let ids = |d: &mut Detector| d.event(&run).into_iter().map(|f| f.rule.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&mut detector(&[&filter("[r]"), &all, &other])), ["other"]);
        assert!(ids(&mut detector(&[&all, &other, &filter("any")])).is_empty());
        let mut lost = detector(&[&filter("[gone]"), &all]);
        assert_eq!(lost.not_evaluated()[0].why, "no rule that it is for is loaded");
        assert_eq!(ids(&mut lost), ["r"]);
        let elsewhere = filter("any").replace("process_creation", "image_load");
        assert_eq!(detector(&[&elsewhere, &all]).not_evaluated().len(), 1);
    }

    /// What the parser says in its own words is no evidence: a keyword is not found in it.
    #[test]
    fn keywords_are_looked_for_in_the_evidence_alone() {
        let text = rule("  s: [started]\n  condition: s");
        let mut event = process(&[("Image", "x")]);
        event.values.set("summary", "the program x was started");
        assert_eq!(detector(&[&text]).event(&event).len(), 0);
        assert_eq!(detector(&[&text]).event(&process(&[("Image", "restarted.exe")])).len(), 1);
    }

    /// `New Value` of Defender's event 5007 is `NewValue` to Sigma; event 104 tells the cleared log as its channel; the
    /// lines of PowerShell's classic events are fields.
    #[test]
    fn names_of_fields_in_logs() {
        let rule = |service: &str, detection: &str| {
            format!("title: T\nid: r\nlogsource: {{product: windows, {service}}}\ndetection:\n{detection}")
        };
        let defender = rule("service: windefend", "  s: {EventID: 5007, NewValue|contains: exclu}\n  condition: s");
        let channel = "Microsoft-Windows-Windows Defender/Operational";
        let event = record(channel, 5007, 0, &[("New Value", r"HKLM\Exclusions".into())]);
        assert_eq!(detector(&[&defender]).event(&event).len(), 1);

        let cleared = rule("service: system", "  s: {EventID: 104}\n  f: {Channel: System}\n  condition: s and not f");
        let clear = |log: &str| {
            let mut event = record("System", 104, 0, &[]);
            event.values.set("user_data", Value::Map(vec![("Channel".into(), log.into())]));
            event
        };
        assert_eq!(detector(&[&cleared]).event(&clear("Application")).len(), 1);
        assert_eq!(detector(&[&cleared]).event(&clear("System")).len(), 0);

        let old = rule(
            "category: ps_classic_start",
            "  s: {EngineVersion|startswith: '2.'}\n  f: {HostVersion|startswith: '2.'}\n  condition: s and not f",
        );
        let start = |host: &str| {
            let lines = format!("\tHostName=ConsoleHost\n\tHostVersion={host}\n\tEngineVersion=2.0");
            record(
                "Windows PowerShell",
                400,
                0,
                &[("Data", Value::List(vec!["Available".into(), lines.as_str().into()]))],
            )
        };
        assert_eq!(detector(&[&old]).event(&start("5.1")).len(), 1);
        assert_eq!(detector(&[&old]).event(&start("2.0")).len(), 0);

        let system = rule("category: process_creation", "  s: {User|contains: AUTHORI}\n  condition: s");
        let created = |sid: &str| {
            let data: [(&str, Value); 3] = [
                ("SubjectUserSid", sid.into()),
                ("SubjectDomainName", "WORKGROUP".into()),
                ("SubjectUserName", "HOST$".into()),
            ];
            record("Security", 4688, 0, &data)
        };
        assert_eq!(detector(&[&system]).event(&created("S-1-5-18")).len(), 1);
        assert_eq!(detector(&[&system]).event(&created("S-1-5-21-1-2-3-1001")).len(), 0);
        let by_name = rule("category: process_creation", "  s: {User: 'workgroup\\host$'}\n  condition: s");
        assert_eq!(detector(&[&by_name]).event(&created("S-1-5-21-1-2-3-1001")).len(), 1);
    }

    #[test]
    fn placeholders_that_are_given_are_used() {
        let mut set = RuleSet::empty().unwrap();
        set.set_placeholder("admins", vec!["alice".to_owned(), "bob".to_owned()]);
        set.add_text("t.yml", &rule("  s: {User|expand: 'D\\\\%admins%'}\n  condition: s"), false).unwrap();
        let schema = Schema { artifacts: Vec::new(), descriptors: vec![&RECORD] };
        let mut detector = Detector::new(&set, &schema).unwrap();
        assert_eq!(detector.event(&process(&[("User", "d\\BOB")])).len(), 1);
        assert_eq!(detector.event(&process(&[("User", "d\\carol")])).len(), 0);
    }

    const LOGON: &str = "title: L\nid: logon\nname: logon\nlogsource: {product: windows, service: security}\ndetection:\n  s: {EventID: 4625}\n  condition: s\n";
    const OTHER: &str = "title: O\nid: other\nname: other\nlogsource: {product: windows, service: security}\ndetection:\n  s: {EventID: 4624}\n  condition: s\n";

    fn correlation(body: &str) -> String {
        format!("title: C\nid: c\ncorrelation:\n{body}")
    }

    fn logon(id: u64, seconds: i64, user: &str, ip: &str) -> Event {
        record("Security", id, seconds, &[("TargetUserName", user.into()), ("IpAddress", ip.into())])
    }

    fn run(rules: &[&str], events: &[Event]) -> Vec<(String, u64)> {
        let mut detector = detector(rules);
        assert!(detector.not_evaluated().is_empty(), "{:?}", detector.not_evaluated());
        let mut findings: Vec<_> = events.iter().flat_map(|e| detector.event(e)).collect();
        findings.extend(detector.finish());
        findings.into_iter().map(|f| (f.rule.id.clone(), f.count)).collect()
    }

    #[test]
    fn counting_in_a_sliding_window() {
        let c = correlation(
            "  type: event_count\n  rules: [logon]\n  group-by: [IpAddress]\n  timespan: 10s\n  condition: {gte: 3}\n",
        );
        let at = |s| logon(4625, s, "u", "1");
        let found = |s: [i64; 4]| run(&[LOGON, &c], &s.map(at)).len();
        assert_eq!(found([0, 6, 11, 15]), 1, "6, 11 and 15 lie within 10 seconds");
        assert_eq!(found([0, 11, 22, 33]), 0);
        assert_eq!(run(&[LOGON, &c], &[at(0), at(1), at(2)]), [("c".to_owned(), 3)], "the parts give no findings");
        let mixed = [at(0), logon(4625, 1, "u", "2"), at(2), logon(4625, 3, "u", "2")];
        assert!(run(&[LOGON, &c], &mixed).is_empty(), "counted by address");
        let both = c.replace("  timespan", "  generate: true\n  timespan");
        assert_eq!(run(&[LOGON, &both], &[at(0), at(1), at(2)]).len(), 4);
    }

    #[test]
    fn counting_values_and_upper_bounds() {
        let c = correlation(
            "  type: value_count\n  rules: [logon]\n  group-by: [IpAddress]\n  timespan: 10s\n  condition: {field: TargetUserName, gte: 3}\n",
        );
        let at = |s, user| logon(4625, s, user, "1");
        assert_eq!(run(&[LOGON, &c], &[at(0, "a"), at(1, "b"), at(2, "a"), at(3, "c")]), [("c".to_owned(), 4)]);
        assert!(run(&[LOGON, &c], &[at(0, "a"), at(1, "b"), at(2, "a"), at(13, "c")]).is_empty());
        let few = correlation(
            "  type: event_count\n  rules: [logon]\n  group-by: [IpAddress]\n  timespan: 10s\n  condition: {lt: 2}\n",
        );
        assert_eq!(run(&[LOGON, &few], &[at(0, "a"), at(20, "a"), at(21, "a")]), [("c".to_owned(), 1)]);
    }

    #[test]
    fn order_in_time() {
        let any = correlation("  type: temporal\n  rules: [logon, other]\n  group-by: [IpAddress]\n  timespan: 10s\n");
        let ordered = any.replace("temporal", "temporal_ordered");
        let (bad, good) = (|s| logon(4625, s, "u", "1"), |s| logon(4624, s, "u", "1"));
        assert_eq!(run(&[LOGON, OTHER, &any], &[good(0), bad(5)]).len(), 1);
        assert_eq!(run(&[LOGON, OTHER, &any], &[good(0), bad(15)]).len(), 0);
        assert_eq!(run(&[LOGON, OTHER, &ordered], &[good(0), bad(5)]).len(), 0);
        assert_eq!(run(&[LOGON, OTHER, &ordered], &[bad(0), good(5)]).len(), 1);
    }

    #[test]
    fn aliases_and_correlations_over_correlations() {
        let aliased = correlation(
            "  type: temporal\n  rules: [logon, other]\n  group-by: [who]\n  timespan: 10s\n  aliases:\n    who: {logon: TargetUserName, other: SubjectUserName}\n",
        );
        let second = record("Security", 4624, 3, &[("SubjectUserName", "u".into())]);
        assert_eq!(run(&[LOGON, OTHER, &aliased], &[logon(4625, 0, "u", "1"), second]).len(), 1);
        let many = "title: M\nid: many\nname: many\ncorrelation:\n  type: event_count\n  rules: [logon]\n  group-by: [IpAddress]\n  timespan: 10s\n  condition: {gte: 2}\n";
        let then =
            correlation("  type: temporal_ordered\n  rules: [many, other]\n  group-by: [IpAddress]\n  timespan: 10s\n");
        let events = [logon(4625, 0, "u", "1"), logon(4625, 1, "u", "1"), logon(4624, 2, "u", "1")];
        assert_eq!(run(&[LOGON, OTHER, many, &then], &events), [("c".to_owned(), 3)], "all events are the evidence");
        let itself = correlation("  type: temporal\n  rules: [c]\n  timespan: 10s\n");
        let detector = detector(&[&itself]);
        assert!(!detector.not_evaluated().is_empty());
    }

    /// Memory does not grow with the stream: windows that have passed are dropped.
    #[test]
    fn windows_are_bounded() {
        let c = correlation(
            "  type: event_count\n  rules: [logon]\n  group-by: [IpAddress]\n  timespan: 10s\n  condition: {gte: 99}\n",
        );
        let mut detector = detector(&[LOGON, &c]);
        for s in 0..30_000 {
            detector.event(&logon(4625, s, "u", &s.to_string()));
        }
        assert!(detector.windows.groups() <= 10_000, "{}", detector.windows.groups());
    }
}
