//! A rule's own examples, run as tests.

use std::sync::Arc;

use super::engine::Detector;
use super::error::RuleError;
use super::mapping::leaked_descriptor;
use super::rule_set::RuleSet;
use super::sigma::{ExampleEvent, Rule};
use crate::model::{Event, Kind, Locator, Meaning, Origin, Schema, State, Timestamp, Value, Values};

/// What the examples of a rule set showed.
#[derive(Clone, Debug, Default)]
pub struct ExampleReport {
    /// Examples that were run.
    pub run: usize,
    /// Rules without an example that must match, by name.
    pub without: Vec<String>,
    /// Examples that came out otherwise than they say.
    pub failures: Vec<RuleError>,
}

impl RuleSet {
    /// Runs every rule's examples. Events that the schema does not declare are made up from what the mapping reads of them,
    /// so that rules can be tested before their parser is there.
    pub fn test(&self, schema: &Schema) -> ExampleReport {
        let schema = self.schema_with_examples(schema);
        let mut report = ExampleReport::default();
        for rule in self.rules() {
            if !rule.examples.iter().any(|e| e.hits) {
                report.without.push(rule.info.name.clone().unwrap_or_else(|| rule.info.id.clone()));
            }
            for example in &rule.examples {
                report.run += 1;
                if let Err(e) = self.run(rule, example, &schema) {
                    report.failures.push(e);
                }
            }
        }
        report
    }

    /// The schema, and a made-up descriptor for every event that the mapping names and the schema lacks.
    fn schema_with_examples(&self, schema: &Schema) -> Schema {
        let mut schema = schema.clone();
        for (name, fields) in self.mapping().events() {
            if !schema.descriptors.iter().any(|d| d.name == name) {
                schema.descriptors.push(leaked_descriptor(&name, &fields));
            }
        }
        schema
    }

    fn run(&self, rule: &Rule, example: &super::sigma::Example, schema: &Schema) -> Result<(), RuleError> {
        let file = rule.info.file.as_str();
        let error = |message: String| RuleError::new(file, example.place, message);
        let mut detector = Detector::new(&self.only(&rule.info.file), schema)
            .map_err(|mut errors| errors.pop().unwrap_or_else(|| error("The rule can't be compiled.".to_owned())))?;
        let mut findings = Vec::new();
        for event in &example.events {
            findings.extend(detector.event(&to_event(event, file, schema)?));
        }
        findings.extend(detector.finish());
        findings.retain(|f| f.rule.id == rule.info.id);
        match (example.hits, findings.first()) {
            (true, None) => Err(error("The rule does not hit this example, but must.".to_owned())),
            (false, Some(_)) => Err(error("The rule hits this example, but must not.".to_owned())),
            (true, Some(finding)) if example.weight.is_some_and(|w| w != finding.weight) => {
                Err(error(format!("The hit has {} points.", finding.weight)))
            }
            _ => Ok(()),
        }
    }

    /// The rules of one file, all in a state in which they can be evaluated.
    fn only(&self, file: &str) -> Self {
        let mut set = Self::clone_without_rules(self);
        for rule in self.rules().iter().filter(|r| r.info.file == file) {
            let mut rule = rule.clone();
            if rule.info.status == "unsupported" {
                let mut info = (*rule.info).clone();
                info.status = "test".to_owned();
                rule.info = Arc::new(info);
            }
            set.push(rule);
        }
        set
    }
}

fn to_event(example: &ExampleEvent, file: &str, schema: &Schema) -> Result<Event, RuleError> {
    let error = |message: String| RuleError::new(file, example.place, message);
    let Some(descriptor) = schema.descriptors.iter().find(|d| d.name == example.descriptor) else {
        let names = schema.descriptors.iter().map(|d| d.name);
        return Err(error(format!("There is no event '{}'.", example.descriptor)).suggest(&example.descriptor, names));
    };
    let mut values = Values::new();
    let mut meaning = Meaning::LOGGED;
    let mut state = State::Live;
    let mut user = None;
    let mut path = String::new();
    for (name, value) in &example.values {
        match (name.as_str(), value.as_text()) {
            ("@meaning", Some(text)) => {
                let found = Meaning::ALL.iter().find(|(_, n)| *n == text);
                meaning = found.map(|(m, _)| *m).ok_or_else(|| error(format!("There is no meaning '{text}'.")))?;
            }
            ("@state", Some("deleted")) => state = State::Deleted,
            ("@user", Some(text)) => user = Some(text.to_owned()),
            ("@path", Some(text)) => text.clone_into(&mut path),
            _ => {
                let Some(field) = descriptor.field(name) else {
                    let names = descriptor.fields.iter().map(|f| f.name);
                    let e = error(format!("The event '{}' has no field '{name}'.", descriptor.name));
                    return Err(e.suggest(name, names));
                };
                let value = match (field.kind, value) {
                    (Kind::Time, Value::Text(text)) => {
                        Value::Time(Timestamp::parse(text).ok_or_else(|| error(format!("'{text}' is not a time.")))?)
                    }
                    (_, value) => value.clone(),
                };
                values.set(field.name, value);
            }
        }
    }
    Ok(Event {
        time: example.time,
        meaning,
        artifact: "example",
        descriptor,
        values,
        user,
        state,
        origin: Origin { locator: Arc::new(Locator { path, ..Locator::default() }), offset: None, also_in: Vec::new() },
    })
}
