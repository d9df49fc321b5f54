//! Correlation rules: how hits of other rules must fall together.

use super::super::error::Place;
use super::super::yaml::{Kind, Node};
use super::Context;
use crate::detect::error::RuleError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CorrelationKind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
}

/// The number that must be met. Several bounds must all hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Threshold {
    pub(crate) at_least: Option<u64>,
    pub(crate) at_most: Option<u64>,
    pub(crate) not: Option<u64>,
}

impl Threshold {
    pub(crate) fn holds(&self, n: u64) -> bool {
        self.at_least.is_none_or(|limit| n >= limit)
            && self.at_most.is_none_or(|limit| n <= limit)
            && self.not.is_none_or(|limit| n != limit)
    }

    /// True if a count that has once been enough stays enough, so that the hit is known before the window ends.
    pub(crate) fn only_grows(&self) -> bool {
        self.at_most.is_none() && self.not.is_none()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    pub(crate) kind: CorrelationKind,
    /// The rules by Sigma name or identifier, in their order, each with its place.
    pub(crate) rules: Vec<(String, Place)>,
    pub(crate) group_by: Vec<String>,
    /// In 100 ns ticks.
    pub(crate) timespan: u64,
    pub(crate) threshold: Threshold,
    /// The field whose values are counted.
    pub(crate) field: Option<String>,
    /// alias → (rule, field)
    pub(crate) aliases: Vec<(String, Vec<(String, String)>)>,
    /// The rules give findings of their own as well.
    pub(crate) generate: bool,
    /// Why this can't be evaluated, if it can't.
    pub(crate) obstacle: Option<String>,
}

const KEYS: &[&str] = &["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate"];

pub(super) fn parse(context: &Context, node: &Node) -> Result<Correlation, RuleError> {
    for (key, _) in node.entries() {
        if !KEYS.contains(&key.text.as_str()) {
            let e = context.error(key.place, format!("A correlation has no '{}'.", key.text));
            return Err(e.suggest(&key.text, KEYS.iter().copied()));
        }
    }
    let need = |name: &str| {
        node.get(name).ok_or_else(|| context.error(node.place, format!("The correlation lacks '{name}'.")))
    };
    let kind_node = need("type")?;
    let kind_name = kind_node.text().unwrap_or_default();
    let mut obstacle = None;
    let kind = match kind_name.as_str() {
        "event_count" => CorrelationKind::EventCount,
        "value_count" => CorrelationKind::ValueCount,
        "temporal" => CorrelationKind::Temporal,
        "temporal_ordered" => CorrelationKind::TemporalOrdered,
        "value_sum" | "value_avg" | "value_median" | "value_percentile" => {
            obstacle = Some(format!("correlations of type '{kind_name}' are not built yet"));
            CorrelationKind::EventCount
        }
        _ => {
            let names = ["event_count", "value_count", "temporal", "temporal_ordered"];
            let e = context.error(kind_node.place, format!("There is no correlation type '{kind_name}'."));
            return Err(e.suggest(&kind_name, names));
        }
    };
    let rules: Vec<_> = need("rules")?.items().iter().filter_map(|n| Some((n.text()?, n.place))).collect();
    if rules.is_empty() {
        return Err(context.error(need("rules")?.place, "The correlation names no rules."));
    }
    let timespan_node = node.get("timespan").or_else(|| node.get("timeframe")).map_or_else(|| need("timespan"), Ok)?;
    let timespan = timespan_node.text().and_then(|t| ticks(&t)).ok_or_else(|| {
        context.error(timespan_node.place, "A time span is a whole number and one of s, m, h, d, w, M, y, like 10m.")
    })?;
    let (threshold, field) = match node.get("condition") {
        // A type that is not built may have bounds of its own.
        Some(_) if obstacle.is_some() => (Threshold::default(), None),
        Some(condition) if condition.is_map() => {
            let (threshold, fields) = condition_of(context, condition)?;
            if fields.len() > 1 {
                obstacle = Some("counting the values of several fields together is not built yet".to_owned());
            }
            (threshold, fields.into_iter().next())
        }
        Some(_) => {
            obstacle = Some("extended conditions over several rules are not built yet".to_owned());
            (Threshold::default(), None)
        }
        None => (Threshold::default(), None),
    };
    let counts = matches!(kind, CorrelationKind::EventCount | CorrelationKind::ValueCount);
    if counts && obstacle.is_none() && threshold == Threshold::default() {
        return Err(context.error(node.place, "The correlation lacks a 'condition' like 'gte: 5'."));
    }
    if kind == CorrelationKind::ValueCount && field.is_none() && obstacle.is_none() {
        return Err(context.error(node.place, "The condition of 'value_count' lacks 'field'."));
    }
    let texts = |name: &str| -> Vec<String> {
        node.get(name).map(|n| n.items().iter().filter_map(Node::text).collect()).unwrap_or_default()
    };
    let aliases = node.get("aliases").map_or(&[][..], Node::entries).iter().map(|(alias, by_rule)| {
        let fields = by_rule.entries().iter().filter_map(|(rule, f)| Some((rule.text.clone(), f.text()?))).collect();
        (alias.text.clone(), fields)
    });
    Ok(Correlation {
        kind,
        rules,
        group_by: texts("group-by"),
        timespan,
        threshold,
        field,
        aliases: aliases.collect(),
        generate: node.get("generate").is_some_and(|n| n.kind == Kind::Bool(true)),
        obstacle,
    })
}

fn condition_of(context: &Context, node: &Node) -> Result<(Threshold, Vec<String>), RuleError> {
    let mut threshold = Threshold::default();
    let mut fields = Vec::new();
    for (key, value) in node.entries() {
        if key.text == "field" {
            fields = value.items().iter().filter_map(Node::text).collect();
            continue;
        }
        let number = match value.kind {
            Kind::Int(n) => u64::try_from(n).ok(),
            _ => None,
        };
        let Some(n) = number else {
            return Err(context.error(value.place, format!("'{}' needs a whole number.", key.text)));
        };
        match key.text.as_str() {
            "gt" => threshold.at_least = Some(n.saturating_add(1)),
            "gte" => threshold.at_least = Some(n),
            "lt" if n == 0 => return Err(context.error(value.place, "No count is less than 0.")),
            "lt" => threshold.at_most = Some(n.saturating_sub(1)),
            "lte" => threshold.at_most = Some(n),
            "eq" => (threshold.at_least, threshold.at_most) = (Some(n), Some(n)),
            "neq" => threshold.not = Some(n),
            other => {
                let names = ["gt", "gte", "lt", "lte", "eq", "neq", "field"];
                let e = context.error(key.place, format!("A correlation condition has no '{other}'."));
                return Err(e.suggest(other, names));
            }
        }
    }
    Ok((threshold, fields))
}

/// `10m` in 100 ns ticks. A month has 30 days, a year 365.
pub(crate) fn ticks(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'M' => 30 * 86_400,
        'y' => 365 * 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(seconds)?.checked_mul(10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(ticks("10m"), Some(6_000_000_000));
        assert_eq!(ticks("7d"), Some(7 * 864_000_000_000));
        for wrong in ["", "m", "10", "-1s", "1.5h", "10 m", "99999999999999999y"] {
            assert_eq!(ticks(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn thresholds() {
        let between = Threshold { at_least: Some(3), at_most: Some(5), not: None };
        assert_eq!((2..7).map(|n| between.holds(n)).collect::<Vec<_>>(), [false, true, true, true, false]);
        assert!(!between.only_grows());
        assert!(Threshold { at_least: Some(3), ..Threshold::default() }.only_grows());
    }
}
