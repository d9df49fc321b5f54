//! Rules that read the same kinds of events, compiled together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::{Hit, Plan};
use crate::detect::mapping::Source;
use crate::detect::sigma::{self, Anchor, Body, Expr, Pattern, Rule, Shape, TextPattern, fold, fold_into};
use crate::model::{Event, SmolStr, Value};

/// True, false, or "this kind of event can't tell" (Kleene's logic).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tri {
    False,
    True,
    Unknown,
}

/// A condition over numbered tests.
#[derive(Clone, Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Atom(u32),
}

/// One test that some rules of the group share.
#[derive(Debug)]
struct Atom {
    /// `None` for a keyword.
    field: Option<usize>,
    pattern: Pattern,
    /// The index sees every value that can meet it: what the index has not seen is false.
    indexed: bool,
}

/// What the index knows of an atom when it sees its text.
#[derive(Clone, Copy, Debug)]
enum Check {
    /// The text at this place of the value is the whole test.
    At(Anchor),
    /// The text is needed but not enough.
    Maybe,
}

/// The texts that rules look for in one field.
#[derive(Debug, Default)]
struct FieldIndex {
    whole: HashMap<String, Vec<u32>>,
    parts: Option<AhoCorasick>,
    /// By pattern of `parts`.
    atoms: Vec<Vec<(u32, Check)>>,
}

#[derive(Debug)]
struct Compiled {
    rule: usize,
    condition: Node,
    weight: u32,
    weights: Vec<(Node, u32, Option<String>)>,
    /// Fields of tests that are not negated: what a finding shows.
    shown: Vec<usize>,
    /// Fields that correlations ask for.
    keys: Vec<usize>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) fields: Vec<String>,
    atoms: Vec<Atom>,
    index: Vec<FieldIndex>,
    keywords: FieldIndex,
    has_keywords: bool,
    rules: Vec<Compiled>,
    /// By atom: the rules that can't hit unless this or another of their triggers is met.
    triggers: Vec<Vec<u32>>,
    /// Rules without triggers.
    always: Vec<u32>,
}

const UNSEEN: u8 = 0;
const MAYBE: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const UNKNOWN: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Absent,
    Null,
    Present,
    /// This kind of event can't tell.
    Unknown,
}

/// Memory that is used again for every event.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    folded: String,
    states: Vec<u8>,
    touched: Vec<u32>,
    candidates: Vec<u32>,
    chosen: Vec<bool>,
}

/// One text of one field of the event at hand.
struct Slot<'e> {
    field: usize,
    text: Cow<'e, str>,
    folded: Range<usize>,
}

impl Group {
    /// Compiles the rules at `members`. `keys` are the fields that correlations ask of a rule.
    pub(super) fn new(rules: &[Rule], members: &[usize], keys: impl Fn(usize) -> Vec<String>) -> Self {
        let mut builder = Builder::default();
        let mut compiled = Vec::new();
        for &at in members {
            let rule = &rules[at];
            let Body::Event { condition, .. } = &rule.body else { continue };
            let mut shown = Vec::new();
            builder.shown(condition, false, &mut shown);
            let keys = keys(at).iter().map(|k| builder.field(k)).collect();
            let weights =
                rule.weights.iter().map(|w| (builder.node(&w.condition), w.weight, w.outcome.clone())).collect();
            let condition = builder.node(condition);
            compiled.push(Compiled { rule: at, condition, weight: rule.info.weight, weights, shown, keys });
        }
        builder.finish(compiled)
    }

    /// Holds an event of one of the group's sources against the rules.
    pub(super) fn run<'e>(
        &self,
        event: &'e Event,
        item: Option<&'e Value>,
        source: &Source,
        plan: &Plan,
        scratch: &mut Scratch,
        hits: &mut Vec<Hit>,
    ) {
        scratch.folded.clear();
        if scratch.states.len() < self.atoms.len() {
            scratch.states.resize(self.atoms.len(), UNSEEN);
        }
        if scratch.chosen.len() < self.rules.len() {
            scratch.chosen.resize(self.rules.len(), false);
        }
        let mut view = View { slots: Vec::with_capacity(32), presence: vec![Presence::Absent; self.fields.len()] };
        for field in &plan.unknown {
            view.presence[*field] = Presence::Unknown;
        }
        for (field, getter) in &plan.getters {
            if let Some(value) = getter.get(event, item) {
                match value {
                    Cow::Borrowed(value) => view.take(*field, value, &mut scratch.folded),
                    Cow::Owned(value) => view.take_owned(*field, &value, &mut scratch.folded),
                }
            }
        }
        if !plan.open.is_empty() {
            for name in &source.open {
                match event.values.get(name) {
                    Some(Value::Map(entries)) => view.take_map(entries, plan, &mut scratch.folded, true),
                    Some(value) => {
                        if let Some(field) = plan.open.get("Data") {
                            view.take(*field, value, &mut scratch.folded);
                        }
                    }
                    None => {}
                }
            }
        }
        for slot in &view.slots {
            let folded = &scratch.folded[slot.folded.clone()];
            self.index[slot.field].look(folded, &mut scratch.states, &mut scratch.touched);
        }
        let mut whole = String::new();
        if self.has_keywords {
            for (_, value) in event.values.iter() {
                sigma::each_text(value, &mut |text| {
                    whole.push_str(&text);
                    whole.push('\n');
                });
            }
            self.keywords.look(&fold(&whole), &mut scratch.states, &mut scratch.touched);
        }
        scratch.candidates.clear();
        scratch.candidates.extend_from_slice(&self.always);
        for atom in &scratch.touched {
            for rule in &self.triggers[*atom as usize] {
                if !std::mem::replace(&mut scratch.chosen[*rule as usize], true) {
                    scratch.candidates.push(*rule);
                }
            }
        }
        let mut look = Look {
            group: self,
            view: &view,
            folded: &scratch.folded,
            whole: &whole,
            states: &mut scratch.states,
            touched: &mut scratch.touched,
        };
        for rule in &scratch.candidates {
            let rule = &self.rules[*rule as usize];
            if look.eval(&rule.condition) == Tri::True {
                let other = rule.weights.iter().find(|(when, ..)| look.eval(when) == Tri::True);
                hits.push(Hit {
                    rule: rule.rule,
                    weight: other.map_or(rule.weight, |(_, weight, _)| *weight),
                    outcome: other.and_then(|(_, _, outcome)| outcome.clone()),
                    fields: self.texts(&rule.shown, &view),
                    keys: self.texts(&rule.keys, &view),
                });
            }
        }
        for rule in &scratch.candidates {
            scratch.chosen[*rule as usize] = false;
        }
        for atom in scratch.touched.drain(..) {
            scratch.states[atom as usize] = UNSEEN;
        }
    }

    fn texts(&self, fields: &[usize], view: &View<'_>) -> Vec<(String, String)> {
        let joined = |field: &usize| {
            let texts: Vec<&str> = view.slots.iter().filter(|s| s.field == *field).map(|s| s.text.as_ref()).collect();
            (!texts.is_empty()).then(|| (self.fields[*field].clone(), texts.join("; ")))
        };
        fields.iter().filter_map(joined).collect()
    }
}

/// The event at hand under the group's fields.
struct View<'e> {
    slots: Vec<Slot<'e>>,
    presence: Vec<Presence>,
}

impl<'e> View<'e> {
    fn take(&mut self, field: usize, value: &'e Value, folded: &mut String) {
        self.mark(field, value);
        sigma::each_text(value, &mut |text| {
            let start = folded.len();
            fold_into(&text, folded);
            self.slots.push(Slot { field, text, folded: start..folded.len() });
        });
    }

    fn take_owned(&mut self, field: usize, value: &Value, folded: &mut String) {
        self.mark(field, value);
        sigma::each_text(value, &mut |text| {
            let start = folded.len();
            fold_into(&text, folded);
            self.slots.push(Slot { field, text: text.into_owned().into(), folded: start..folded.len() });
        });
    }

    fn mark(&mut self, field: usize, value: &Value) {
        if self.presence[field] != Presence::Present {
            self.presence[field] = if *value == Value::Null { Presence::Null } else { Presence::Present };
        }
    }

    /// The entries of an open map, and of maps in it: UserData wraps its values in one named element.
    fn take_map(&mut self, entries: &'e [(SmolStr, Value)], plan: &Plan, folded: &mut String, deeper: bool) {
        for (name, value) in entries {
            if let Some(field) = plan.open.get(name.as_str()) {
                self.take(*field, value, folded);
            } else if let (Value::Map(inner), true) = (value, deeper) {
                self.take_map(inner, plan, folded, false);
            }
        }
    }
}

impl FieldIndex {
    fn look(&self, folded: &str, states: &mut [u8], touched: &mut Vec<u32>) {
        let mut mark = |atom: u32, state: u8| {
            let old = &mut states[atom as usize];
            if *old == UNSEEN {
                touched.push(atom);
            }
            if *old < state {
                *old = state;
            }
        };
        if let Some(atoms) = self.whole.get(folded) {
            atoms.iter().for_each(|atom| mark(*atom, TRUE));
        }
        let Some(parts) = &self.parts else { return };
        for found in parts.find_overlapping_iter(folded) {
            for (atom, check) in &self.atoms[found.pattern().as_usize()] {
                let state = match check {
                    Check::At(Anchor::Anywhere) => TRUE,
                    Check::At(Anchor::Start) if found.start() == 0 => TRUE,
                    Check::At(Anchor::End) if found.end() == folded.len() => TRUE,
                    Check::At(_) => continue,
                    Check::Maybe => MAYBE,
                };
                mark(*atom, state);
            }
        }
    }
}

/// Evaluation of conditions over one event; what was found out about an atom is kept.
struct Look<'a, 'e> {
    group: &'a Group,
    view: &'a View<'e>,
    folded: &'a str,
    whole: &'a str,
    states: &'a mut [u8],
    touched: &'a mut Vec<u32>,
}

impl Look<'_, '_> {
    fn eval(&mut self, node: &Node) -> Tri {
        match node {
            Node::Atom(atom) => self.atom(*atom),
            Node::Not(part) => self.eval(part).not(),
            Node::And(parts) => {
                let mut all = Tri::True;
                for part in parts {
                    match self.eval(part) {
                        Tri::False => return Tri::False,
                        Tri::Unknown => all = Tri::Unknown,
                        Tri::True => {}
                    }
                }
                all
            }
            Node::Or(parts) => {
                let mut any = Tri::False;
                for part in parts {
                    match self.eval(part) {
                        Tri::True => return Tri::True,
                        Tri::Unknown => any = Tri::Unknown,
                        Tri::False => {}
                    }
                }
                any
            }
        }
    }

    fn atom(&mut self, at: u32) -> Tri {
        let state = self.states[at as usize];
        match state {
            TRUE => return Tri::True,
            FALSE => return Tri::False,
            UNKNOWN => return Tri::Unknown,
            _ => {}
        }
        let atom = &self.group.atoms[at as usize];
        let unknown = atom.field.is_some_and(|f| self.view.presence[f] == Presence::Unknown);
        if state == UNSEEN && atom.indexed {
            return if unknown { Tri::Unknown } else { Tri::False };
        }
        let result = if unknown { Tri::Unknown } else { self.compute(atom) };
        if state == UNSEEN {
            self.touched.push(at);
        }
        self.states[at as usize] = match result {
            Tri::True => TRUE,
            Tri::False => FALSE,
            Tri::Unknown => UNKNOWN,
        };
        result
    }

    fn compute(&self, atom: &Atom) -> Tri {
        let truth = |b: bool| if b { Tri::True } else { Tri::False };
        let Some(field) = atom.field else {
            return truth(sigma::matches_text(&atom.pattern, self.whole, &fold(self.whole)));
        };
        match &atom.pattern {
            Pattern::Exists(wanted) => truth((self.view.presence[field] != Presence::Absent) == *wanted),
            Pattern::Null => truth(matches!(self.view.presence[field], Presence::Absent | Presence::Null)),
            Pattern::FieldRef { field: other, anchor, cased } => {
                let Some(other) = self.group.fields.iter().position(|f| f == other) else { return Tri::False };
                if self.view.presence[other] == Presence::Unknown {
                    return Tri::Unknown;
                }
                let pick = |slot: &Slot<'_>| {
                    if *cased { slot.text.to_string() } else { self.folded[slot.folded.clone()].to_owned() }
                };
                let texts = |f: usize| self.view.slots.iter().filter(move |s| s.field == f);
                truth(texts(field).any(|a| texts(other).any(|b| sigma::stands(&pick(a), *anchor, &pick(b)))))
            }
            pattern => truth(
                self.view
                    .slots
                    .iter()
                    .filter(|s| s.field == field)
                    .any(|s| sigma::matches_text(pattern, &s.text, &self.folded[s.folded.clone()])),
            ),
        }
    }
}

/// Collects fields and atoms while rules are compiled.
#[derive(Default)]
struct Builder {
    fields: Vec<String>,
    field_at: HashMap<String, usize>,
    atoms: Vec<Atom>,
    known: HashMap<(Option<usize>, String), u32>,
    /// By atom, how many rules name it.
    uses: Vec<u32>,
}

impl Builder {
    fn field(&mut self, name: &str) -> usize {
        if let Some(at) = self.field_at.get(name) {
            return *at;
        }
        let at = self.fields.len();
        self.fields.push(name.to_owned());
        self.field_at.insert(name.to_owned(), at);
        at
    }

    fn shown(&mut self, expr: &Expr, negated: bool, shown: &mut Vec<usize>) {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|p| self.shown(p, negated, shown)),
            Expr::Not(part) => self.shown(part, !negated, shown),
            Expr::Test(test) => {
                if let (Some(field), false) = (&test.field, negated) {
                    let at = self.field(field);
                    if !shown.contains(&at) {
                        shown.push(at);
                    }
                }
            }
        }
    }

    fn node(&mut self, expr: &Expr) -> Node {
        match expr {
            Expr::And(parts) => Node::And(parts.iter().map(|p| self.node(p)).collect()),
            Expr::Or(parts) => Node::Or(parts.iter().map(|p| self.node(p)).collect()),
            Expr::Not(part) => Node::Not(Box::new(self.node(part))),
            Expr::Test(test) => {
                let field = test.field.as_ref().map(|f| self.field(f));
                if let Pattern::FieldRef { field, .. } = &test.pattern {
                    self.field(field);
                }
                // The debug form tells patterns apart; it holds a regular expression's text and flags.
                let key = match &test.pattern {
                    Pattern::Regex { regex, needles } => format!("{} {needles:?}", regex.as_str()),
                    pattern => format!("{pattern:?}"),
                };
                let atoms = &mut self.atoms;
                let at = *self.known.entry((field, key)).or_insert_with(|| {
                    atoms.push(Atom { field, pattern: test.pattern.clone(), indexed: false });
                    u32::try_from(atoms.len() - 1).unwrap_or(u32::MAX)
                });
                self.uses.resize(self.atoms.len(), 0);
                self.uses[at as usize] += 1;
                Node::Atom(at)
            }
        }
    }

    fn finish(mut self, rules: Vec<Compiled>) -> Group {
        let mut parts: Vec<HashMap<String, Vec<(u32, Check)>>> = Vec::new();
        parts.resize_with(self.fields.len() + 1, HashMap::new);
        let mut index: Vec<FieldIndex> = Vec::new();
        index.resize_with(self.fields.len() + 1, FieldIndex::default);
        for (at, atom) in self.atoms.iter_mut().enumerate() {
            let id = u32::try_from(at).unwrap_or(u32::MAX);
            let place = atom.field.unwrap_or(self.fields.len());
            let mut part = |text: String, check| parts[place].entry(text).or_default().push((id, check));
            match &atom.pattern {
                Pattern::Text(TextPattern { shape: Shape::Fixed(Anchor::Whole, text), cased: false }) => {
                    index[place].whole.entry(text.clone()).or_default().push(id);
                    atom.indexed = true;
                }
                Pattern::Text(TextPattern { shape: Shape::Fixed(anchor, text), cased: false }) => {
                    part(text.clone(), Check::At(*anchor));
                    atom.indexed = true;
                }
                Pattern::Text(pattern) => {
                    let needle = pattern.needle();
                    if !needle.is_empty() {
                        part(needle, Check::Maybe);
                        atom.indexed = true;
                    }
                }
                Pattern::Regex { needles: Some(needles), .. } => {
                    needles.iter().for_each(|needle| part(needle.clone(), Check::Maybe));
                    atom.indexed = true;
                }
                _ => {}
            }
        }
        for (index, parts) in index.iter_mut().zip(parts) {
            // Sorted, so that the same rules always make the same automaton.
            let mut parts: Vec<_> = parts.into_iter().collect();
            parts.sort_by(|a, b| a.0.cmp(&b.0));
            if !parts.is_empty() {
                let texts = parts.iter().map(|(text, _)| text);
                index.parts = AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).ok();
            }
            index.atoms = parts.into_iter().map(|(_, atoms)| atoms).collect();
        }
        let keywords = index.pop().unwrap_or_default();
        let mut triggers: Vec<Vec<u32>> = vec![Vec::new(); self.atoms.len()];
        let mut always = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            match self.necessary(&rule.condition) {
                Some((_, atoms)) => atoms.iter().for_each(|atom| {
                    if triggers[*atom as usize].last() != Some(&at) {
                        triggers[*atom as usize].push(at);
                    }
                }),
                None => always.push(at),
            }
        }
        Group {
            has_keywords: self.atoms.iter().any(|a| a.field.is_none()),
            fields: self.fields,
            atoms: self.atoms,
            index,
            keywords,
            rules,
            triggers,
            always,
        }
    }

    /// Atoms of which at least one is met whenever the condition is, with a score for how rarely that happens.
    fn necessary(&self, node: &Node) -> Option<(f64, Vec<u32>)> {
        match node {
            Node::Atom(at) => {
                let atom = &self.atoms[*at as usize];
                atom.indexed.then(|| (self.rarity(*at), vec![*at]))
            }
            Node::And(parts) => parts.iter().filter_map(|p| self.necessary(p)).max_by(|a, b| a.0.total_cmp(&b.0)),
            Node::Or(parts) => {
                let mut all = Vec::new();
                let mut score = f64::INFINITY;
                for part in parts {
                    let (s, atoms) = self.necessary(part)?;
                    score = score.min(s);
                    all.extend(atoms);
                }
                all.sort_unstable();
                all.dedup();
                Some((score, all))
            }
            Node::Not(_) => None,
        }
    }

    /// How rarely events meet an atom, by guess: longer texts are rarer, and what many rules ask for is common.
    fn rarity(&self, at: u32) -> f64 {
        let length = match &self.atoms[at as usize].pattern {
            Pattern::Text(TextPattern { shape: Shape::Fixed(Anchor::Whole, text), .. }) => text.len() + 2,
            Pattern::Text(pattern) => pattern.needle().len(),
            Pattern::Regex { needles: Some(needles), .. } => needles.iter().map(String::len).min().unwrap_or(0),
            _ => 0,
        };
        (length.min(16) as f64) - 2.0 * f64::from(self.uses[at as usize].max(1)).log2()
    }
}
