//! Rules over several events: hits of other rules within a span of time.
//!
//! Events come in the order of time, so a window only ever moves forward. What lies before it is dropped; per group of a
//! correlation at most [`MAX_HITS`] hits are held, and groups whose window has passed are dropped as a whole.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::detect::sigma::{Body, Correlation, CorrelationKind, Rule, Threshold};
use crate::model::{Evidence, Finding, RuleInfo, Timestamp};

/// Hits that one group of one correlation keeps with their evidence. More are counted, not kept.
const MAX_HITS: usize = 10_000;
/// Events that a finding shows: the first ones and the last.
const MAX_EVIDENCE: usize = 100;
/// How many groups a correlation holds before those whose window has passed are looked for.
const SWEEP: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Windows {
    correlations: Vec<Running>,
    /// By rule: the correlations that listen to it, and which of their rules it is.
    listeners: Vec<Vec<(usize, usize)>>,
    only_part: Vec<bool>,
}

#[derive(Debug)]
struct Running {
    rule: usize,
    info: Arc<RuleInfo>,
    correlation: Correlation,
    /// By member: the names of its fields for `group-by`, and of the field that is counted.
    fields: Vec<(Vec<String>, Option<String>)>,
    groups: HashMap<Vec<String>, VecDeque<Kept>>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Kept {
    time: Timestamp,
    member: usize,
    value: Option<String>,
    /// One event, or the events of the correlation that hit.
    evidence: Vec<Arc<Evidence>>,
}

impl Windows {
    /// Links correlations with the rules they name. `evaluated` says which rules run; correlations over rules that do not
    /// are refused, with the reason.
    pub(super) fn new(rules: &[Rule], evaluated: &mut [bool]) -> (Self, Vec<(usize, String)>) {
        let mut windows = Self {
            correlations: Vec::new(),
            listeners: vec![Vec::new(); rules.len()],
            only_part: vec![false; rules.len()],
        };
        let mut refused = Vec::new();
        let mut waiting: Vec<(usize, &Correlation)> = rules
            .iter()
            .enumerate()
            .filter_map(|(at, rule)| match &rule.body {
                Body::Correlation(c) if rule.info.status != "unsupported" => Some((at, c)),
                _ => None,
            })
            .collect();
        let find = |name: &str| rules.iter().position(|r| names(r).contains(&name));
        loop {
            let before = waiting.len();
            waiting.retain(|(at, correlation)| {
                let members: Option<Vec<usize>> =
                    correlation.rules.iter().map(|(n, _)| find(n).filter(|m| evaluated[*m])).collect();
                let Some(members) = members.filter(|_| correlation.obstacle.is_none()) else { return true };
                windows.add(*at, &rules[*at], correlation, &members, rules);
                evaluated[*at] = true;
                false
            });
            if waiting.len() == before {
                break;
            }
        }
        for (at, correlation) in waiting {
            let missing = correlation.rules.iter().find(|(n, _)| find(n).is_none_or(|m| !evaluated[m]));
            let why = match (&correlation.obstacle, missing) {
                (Some(why), _) => why.clone(),
                (None, Some((name, _))) if find(name).is_none() => {
                    format!("it names the rule '{name}', which is not loaded")
                }
                (None, Some((name, _))) => format!("the rule '{name}' that it needs can't be evaluated"),
                (None, None) => "it needs itself".to_owned(),
            };
            refused.push((at, why));
        }
        (windows, refused)
    }

    fn add(&mut self, at: usize, rule: &Rule, correlation: &Correlation, members: &[usize], rules: &[Rule]) {
        let place = self.correlations.len();
        let mut fields = Vec::new();
        for (position, member) in members.iter().enumerate() {
            self.listeners[*member].push((place, position));
            self.only_part[*member] |= !correlation.generate;
            let field = |name: &String| {
                let alias = correlation.aliases.iter().find(|(alias, _)| alias == name);
                let known = names(&rules[*member]);
                let by_rule = alias.and_then(|(_, fields)| fields.iter().find(|(r, _)| known.contains(&r.as_str())));
                by_rule.map_or_else(|| name.clone(), |(_, field)| field.clone())
            };
            let group_by = correlation.group_by.iter().map(field).collect();
            fields.push((group_by, correlation.field.as_ref().map(field)));
        }
        self.correlations.push(Running {
            rule: at,
            info: Arc::clone(&rule.info),
            correlation: correlation.clone(),
            fields,
            groups: HashMap::new(),
            sweep_at: SWEEP,
        });
    }

    /// True if the rule serves correlations only.
    pub(super) fn only_a_part(&self, rule: usize) -> bool {
        self.only_part.get(rule).copied().unwrap_or(false)
    }

    /// True if a correlation listens to the rule.
    pub(super) fn wants(&self, rule: usize) -> bool {
        self.listeners.get(rule).is_some_and(|l| !l.is_empty())
    }

    /// The fields that correlations ask of a rule.
    pub(super) fn fields_of(&self, rule: usize) -> Vec<String> {
        let mut fields = Vec::new();
        for (correlation, member) in self.listeners.get(rule).map_or(&[][..], Vec::as_slice) {
            let (group_by, value) = &self.correlations[*correlation].fields[*member];
            fields.extend(group_by.iter().chain(value).cloned());
        }
        fields.sort();
        fields.dedup();
        fields
    }

    /// Takes a hit of a rule.
    pub(super) fn hit(
        &mut self,
        rule: usize,
        time: Timestamp,
        evidence: Arc<Evidence>,
        keys: &[(String, String)],
        findings: &mut Vec<Finding>,
    ) {
        let mut queue = vec![(rule, time, vec![evidence], keys.to_vec())];
        while let Some((rule, time, evidence, keys)) = queue.pop() {
            for (at, member) in self.listeners[rule].clone() {
                let running = &mut self.correlations[at];
                let Some(fired) = running.hit(member, time, &evidence, &keys) else { continue };
                let by = running.correlation.group_by.iter().cloned();
                queue.push((running.rule, time, fired.events, by.zip(fired.key).collect()));
                if !self.only_part[running.rule] {
                    findings.push(fired.finding);
                }
            }
        }
    }

    /// How many groups are held in all.
    #[cfg(test)]
    pub(super) fn groups(&self) -> usize {
        self.correlations.iter().map(|c| c.groups.len()).sum()
    }

    /// Judges the windows that are still open.
    pub(super) fn finish(&mut self, findings: &mut Vec<Finding>) {
        for running in &mut self.correlations {
            let mut groups: Vec<_> = running.groups.drain().collect();
            groups.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, kept) in groups {
                if !running.correlation.threshold.only_grows() && running.holds(&kept) {
                    findings.push(running.finding(&kept));
                }
            }
        }
    }
}

/// Every name by which a correlation may call a rule.
pub(super) fn names(rule: &Rule) -> Vec<&str> {
    [Some(rule.info.id.as_str()), rule.sigma_name.as_deref(), rule.info.name.as_deref()]
        .into_iter()
        .flatten()
        .filter(|n| !n.is_empty())
        .collect()
}

/// A correlation that was met.
struct Fired {
    finding: Finding,
    events: Vec<Arc<Evidence>>,
    key: Vec<String>,
}

impl Running {
    fn hit(
        &mut self,
        member: usize,
        time: Timestamp,
        evidence: &[Arc<Evidence>],
        keys: &[(String, String)],
    ) -> Option<Fired> {
        let value_of = |name: &String| keys.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let (group_by, counted) = &self.fields[member];
        let key: Vec<String> = group_by.iter().map(value_of).collect::<Option<_>>()?;
        let value = match counted {
            Some(field) => Some(value_of(field)?),
            None => None,
        };
        if self.groups.len() >= self.sweep_at {
            let oldest = time.filetime().saturating_sub(self.correlation.timespan);
            if self.correlation.threshold.only_grows() {
                self.groups.retain(|_, kept| kept.back().is_some_and(|k| k.time.filetime() >= oldest));
            }
            self.sweep_at = (self.groups.len() * 2).max(SWEEP);
        }
        let mut kept = self.groups.remove(&key).unwrap_or_default();
        let limit = time.filetime().saturating_sub(self.correlation.timespan);
        let mut fired = None;
        if self.correlation.threshold.only_grows() {
            while kept.front().is_some_and(|k| k.time.filetime() < limit) {
                kept.pop_front();
            }
        } else if kept.front().is_some_and(|k| k.time.filetime() < limit) {
            // A bound from above is known to hold only when the window has passed.
            if self.holds(&kept) {
                fired = Some(self.fired(&kept, &key));
            }
            kept.clear();
        }
        if kept.len() >= MAX_HITS {
            kept.pop_front();
        }
        kept.push_back(Kept { time, member, value, evidence: evidence.to_vec() });
        if self.correlation.threshold.only_grows() && self.holds(&kept) {
            fired = Some(self.fired(&kept, &key));
            kept.clear();
        }
        if !kept.is_empty() {
            self.groups.insert(key, kept);
        }
        fired
    }

    fn holds(&self, kept: &VecDeque<Kept>) -> bool {
        let members = self.fields.len();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        match self.correlation.kind {
            CorrelationKind::EventCount => self.correlation.threshold.holds(count(kept.len())),
            CorrelationKind::ValueCount => {
                let mut values: Vec<_> = kept.iter().filter_map(|k| k.value.as_deref()).collect();
                values.sort_unstable();
                values.dedup();
                self.correlation.threshold.holds(count(values.len()))
            }
            CorrelationKind::Temporal => {
                let seen = (0..members).filter(|m| kept.iter().any(|k| k.member == *m)).count();
                if self.correlation.threshold == Threshold::default() {
                    seen == members
                } else {
                    self.correlation.threshold.holds(count(seen))
                }
            }
            CorrelationKind::TemporalOrdered => {
                let mut next = 0;
                for k in kept {
                    if k.member == next {
                        next += 1;
                    }
                }
                next == members
            }
        }
    }

    fn finding(&self, kept: &VecDeque<Kept>) -> Finding {
        let all = || kept.iter().flat_map(|k| &k.evidence);
        let last = all().skip(MAX_EVIDENCE - 1).last();
        Finding {
            rule: Arc::clone(&self.info),
            weight: self.info.weight,
            outcome: None,
            time: kept.front().map(|k| k.time),
            evidence: all().take(MAX_EVIDENCE - 1).chain(last).map(|e| Evidence::clone(e)).collect(),
            count: u64::try_from(all().count()).unwrap_or(u64::MAX),
        }
    }

    fn fired(&self, kept: &VecDeque<Kept>, key: &[String]) -> Fired {
        let events = kept.iter().flat_map(|k| &k.evidence).take(MAX_EVIDENCE).cloned().collect();
        Fired { finding: self.finding(kept), events, key: key.to_vec() }
    }
}
