//! Rules over a stream of events: compiled once, then one pass with bounded memory.
//!
//! Rules that read the same kinds of events form a [`group`](group::Group). A group knows the texts that its rules look
//! for; one pass over an event's values (Aho-Corasick, hash tables for whole values) tells which of them are there, and only
//! rules that need one of those are looked at further. The cost of an event depends on what is in it, hardly on the
//! number of rules.

mod group;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use self::group::{Group, Scratch, Tri};
use self::window::Windows;
use super::error::RuleError;
use super::mapping::{Getter, Mapping, Source};
use super::rule_set::RuleSet;
use super::sigma::{Body, Expr, Rule, fold_into};
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
        let all = rules.rules();
        let mut not_evaluated = Vec::new();
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

/// The sources that a rule is held against. `None` for rules that read no events.
fn sources_of(rule: &Rule, mapping: &Mapping, present: &impl Fn(usize) -> bool) -> Result<Option<Vec<usize>>, String> {
    if rule.info.status == "unsupported" {
        let what = rule.waits_for.join(", ");
        return Err(format!("it waits for evidence that is not parsed yet: {what}"));
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
