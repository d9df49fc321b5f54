//! The long run of the damage campaign.
//!
//! ```text
//! damage --cases 20000 [--seed 0] [--seconds 60] [--memory 64] [FILE …]
//! ```
//!
//! Cases are numbered from the seed on: a case that broke comes again with `--seed ITS_SEED --cases 1`. Files that are named
//! (event logs, hives with their logs beside them, images) are damaged like the fixtures, half as often as all of those.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use emotrace_benches::damage::{Bounds, Campaign, Meter, Outcome};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

struct Arguments {
    cases: u64,
    seed: u64,
    seconds: u64,
    bounds: Bounds,
    given: Vec<PathBuf>,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments { cases: 1000, seed: 0, seconds: 60, bounds: Bounds::default(), given: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            value.parse::<u64>().map_err(|error| format!("{word} {value}: {error}"))
        };
        match &*word {
            "--cases" => parsed.cases = number()?,
            "--seed" => parsed.seed = number()?,
            "--seconds" => parsed.seconds = number()?,
            "--memory" => parsed.bounds.memory = usize::try_from(number()? << 20).unwrap_or(usize::MAX),
            _ if word.starts_with('-') => {
                return Err(format!("{word} is not known: see the head of this program's source"));
            }
            _ => parsed.given.push(word.into()),
        }
    }
    Ok(parsed)
}

/// Ends the program when a case takes too long, and names it.
fn watch(seconds: u64) -> Arc<AtomicU64> {
    let current = Arc::new(AtomicU64::new(u64::MAX));
    let seen = Arc::clone(&current);
    #[expect(clippy::disallowed_methods, reason = "a watchdog that hangs with what it watches is none")]
    std::thread::spawn(move || {
        let (mut last, mut since) = (u64::MAX, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = seen.load(Ordering::SeqCst);
            if now != last {
                (last, since) = (now, Instant::now());
            } else if now != u64::MAX && since.elapsed().as_secs() >= seconds {
                eprintln!("hang: case {now} runs for more than {seconds} s; again with --seed {now} --cases 1");
                std::process::exit(3);
            }
        }
    });
    current
}

#[derive(Default)]
struct Tally {
    cases: u64,
    opened: u64,
    noticed: u64,
    untold: u64,
    broken: u64,
    longest: Duration,
    peak: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("damage: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let Arguments { cases, seed, seconds, bounds, given } = arguments()?;
    let folder = tempfile::tempdir()?;
    let meter = Meter { reset: || MEMORY.reset_peak_usage(), peak: || MEMORY.peak_usage() };
    let mut campaign = Campaign::new(folder.path(), &given, bounds, Some(meter))?;
    let current = watch(seconds);
    let mut layers: BTreeMap<&'static str, Tally> = BTreeMap::new();
    let mut third_party: BTreeMap<String, u64> = BTreeMap::new();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for (n, seed) in (1..=cases).zip(seed..) {
        current.store(seed, Ordering::SeqCst);
        let begun = Instant::now();
        let outcome = campaign.run(seed)?;
        let tally = layers.entry(outcome.layer).or_default();
        tally.longest = tally.longest.max(begun.elapsed());
        count(&outcome, tally);
        for panic in &outcome.third_party {
            let place = panic.place.rsplit_once("/registry/src/").map_or(&*panic.place, |(_, rest)| rest);
            *third_party.entry(format!("{place}: {}", panic.message)).or_default() += 1;
        }
        if !outcome.faults.is_empty() {
            println!("broken: {} (--seed {seed} --cases 1)", outcome.case);
            for fault in &outcome.faults {
                println!("  {fault}");
                let kind = fault.to_string().split(':').next().unwrap_or_default().to_owned();
                *kinds.entry(kind).or_default() += 1;
            }
        }
        if n % 500 == 0 {
            eprintln!("{n} cases, next --seed {}", seed + 1);
            std::io::stdout().flush()?;
        }
    }
    println!("layer              cases  opened  noticed  untold  broken    longest      peak");
    for (layer, t) in &layers {
        let Tally { cases, opened, noticed, untold, broken, longest, peak } = t;
        let (ms, mib) = (longest.as_millis(), peak >> 20);
        println!("{layer:<16} {cases:>7} {opened:>7} {noticed:>8} {untold:>7} {broken:>7} {ms:>7} ms {mib:>5} MiB");
    }
    for (place, n) in &third_party {
        println!("caught, not ours: {place} ({n} times)");
    }
    for (kind, n) in &kinds {
        println!("{kind}: {n}");
    }
    let broken: u64 = layers.values().map(|t| t.broken).sum();
    println!("{cases} cases from seed {seed}: {broken} broken");
    Ok(broken == 0)
}

fn count(outcome: &Outcome, tally: &mut Tally) {
    tally.cases += 1;
    tally.opened += u64::from(outcome.opened);
    tally.noticed += u64::from(outcome.noticed);
    tally.untold += u64::from(outcome.untold);
    tally.broken += u64::from(!outcome.faults.is_empty());
    tally.peak = tally.peak.max(outcome.peak);
}
