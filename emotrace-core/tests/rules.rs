//! The rules against the events that the artifacts really give.

use emotrace_core::artifacts;
use emotrace_core::detect::{Detector, RuleSet};

fn builtin() -> RuleSet {
    RuleSet::builtin().unwrap_or_else(|errors| panic!("{}", errors[0]))
}

/// Every field that the mapping reads is one that its event declares, and no rule that could be evaluated is lost.
#[test]
fn the_mapping_fits_the_real_events() {
    let rules = builtin();
    let detector = Detector::new(&rules, &artifacts::schema())
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    for lost in detector.not_evaluated() {
        assert!(
            !lost.why.contains("do not tell"),
            "{}: {}",
            lost.rule.name.as_deref().unwrap_or(&lost.rule.id),
            lost.why
        );
    }
}

/// The examples in the rules hold with the events' own declarations too, not only with made-up ones.
#[test]
fn every_example_holds_for_the_real_events() {
    let report = builtin().test(&artifacts::schema());
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(report.run > 200, "{}", report.run);
}
