//! Damaged evidence, at every layer, through the whole program. What must hold, and how it is checked, stands in
//! `benches/src/damage`; here run some hundred cases of it. Many more: `cargo run --release -p emotrace-benches --bin damage`.

use emotrace_benches::damage::{Bounds, Campaign, Meter};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Nothing panics, nothing is claimed that the evidence does not hold, what is whole gives the same events as before, no loss
/// goes untold, and memory and rows stay bounded.
#[test]
fn damaged_evidence_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter { reset: || MEMORY.reset_peak_usage(), peak: || MEMORY.peak_usage() };
    let mut campaign = Campaign::new(folder.path(), &[], Bounds::default(), Some(meter)).unwrap();
    let (mut opened, mut noticed, mut broken) = (0, 0, Vec::new());
    const CASES: u64 = 250;
    for seed in 0..CASES {
        let outcome = campaign.run(seed).unwrap();
        opened += u64::from(outcome.opened);
        noticed += u64::from(outcome.noticed);
        for fault in outcome.faults {
            broken.push(format!("seed {seed}, {}: {fault}", outcome.case));
        }
    }
    assert!(broken.is_empty(), "{} faults:\n{}", broken.len(), broken.join("\n"));
    assert!(opened > CASES / 2 && noticed > CASES / 4, "of {CASES}, {opened} could be opened and {noticed} were hit");
}
