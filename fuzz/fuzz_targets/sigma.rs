// max_len: 8192
#![no_main]
use std::sync::OnceLock;

use emotrace_core::artifacts;
use emotrace_core::detect::{Detector, RuleSet};

emotrace_fuzz::target!(|data| {
    static EMPTY: OnceLock<RuleSet> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut rules = EMPTY.get_or_init(|| RuleSet::empty().expect("the project's own files are right")).clone();
    if rules.add_text("fuzzed.yml", text, data.len() % 2 == 1).is_ok() {
        let _ = Detector::new(&rules, &artifacts::schema());
    }
});
