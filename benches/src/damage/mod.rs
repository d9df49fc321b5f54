//! The damage campaign: fixtures and the case image, damaged in a seeded way at every layer and read to the end. What must
//! hold then is checked for each case; a case can be had again by its seed alone.
//!
//! `tests/damage.rs` of the core runs some hundred cases, `cargo run --release -p emotrace-benches --bin damage -- --cases N`
//! as many as one likes.

pub mod mutate;
pub mod seen;
pub mod shadowed;
pub mod subject;
pub mod sums;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use self::mutate::{Done, Mutation, Random, damage};
use self::seen::{Panic, Seen, read};
use self::subject::{Region, Spares, Subject};

/// What a case may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Largest file that a parser may read as a whole ([`emotrace_core::artifacts::Limits::max_whole_file`]).
    pub max_whole_file: u64,
    /// Bytes of memory at once, beyond what the same evidence takes undamaged.
    pub memory: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { max_whole_file: 32 << 20, memory: 64 << 20 }
    }
}

/// Measures memory: the program that has the allocator gives it.
#[derive(Clone, Copy)]
pub struct Meter {
    /// Begins anew.
    pub reset: fn(),
    /// The most bytes that were in use at once since then.
    pub peak: fn() -> usize,
}

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Our own code panicked, whoever caught it.
    Panic(String),
    /// An event or an issue names a place that the evidence does not have.
    Outside(String),
    /// There are fewer events of a kind, and neither an issue nor the coverage says why.
    SilentLoss(String),
    /// An event of an input that was not touched is another one, or gone.
    Bystander(String),
    /// More memory than the bound.
    Memory(String),
    /// More rows and issues than so many bytes can hold.
    Work(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(words) => write!(f, "panic: {words}"),
            Self::Outside(words) => write!(f, "place outside the evidence: {words}"),
            Self::SilentLoss(words) => write!(f, "silent loss: {words}"),
            Self::Bystander(words) => write!(f, "bystander changed: {words}"),
            Self::Memory(words) => write!(f, "memory: {words}"),
            Self::Work(words) => write!(f, "work: {words}"),
        }
    }
}

/// One case and how it went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Makes the case again.
    pub seed: u64,
    /// What was damaged, where, and how.
    pub case: String,
    /// Group for the report.
    pub layer: &'static str,
    /// The evidence could be opened.
    pub opened: bool,
    /// Some events were lost or an issue was new.
    pub noticed: bool,
    /// Some events were lost, and no issue is new: either a fault, or the bytes bear no sign of it.
    pub untold: bool,
    /// Panics of others' code that were caught.
    pub third_party: Vec<Panic>,
    /// Bytes in use at once, if measured.
    pub peak: usize,
    /// What did not hold.
    pub faults: Vec<Fault>,
}

/// All subjects, and what each gives undamaged.
pub struct Campaign {
    subjects: Vec<Subject>,
    undamaged: BTreeMap<usize, (Seen, usize)>,
    bounds: Bounds,
    meter: Option<Meter>,
}

/// How many of a hundred cases each layer gets; what is given by name shares with the fixtures.
const SHARES: &[(&str, usize)] = &[("fixture", 62), ("single file", 14), ("E01", 8), ("disk", 16)];

impl Campaign {
    /// Lays everything out in a folder. `given` are files of one's own.
    ///
    /// # Errors
    /// When test data can't be read, or the folder not be written.
    pub fn new(folder: &Path, given: &[PathBuf], bounds: Bounds, meter: Option<Meter>) -> io::Result<Self> {
        let mut subjects = subject::of_fixtures(folder)?;
        subjects.push(subject::of_container(folder)?);
        subjects.push(subject::of_disk(folder)?);
        subjects.push(subject::of_gpt(folder)?);
        subjects.push(shadowed::of_shadowed(folder)?);
        for path in given {
            subjects.push(subject::of_file(folder, path)?);
        }
        Ok(Self { subjects, undamaged: BTreeMap::new(), bounds, meter })
    }

    /// Runs one case.
    ///
    /// # Errors
    /// When the damaged copy can't be written.
    pub fn run(&mut self, seed: u64) -> io::Result<Outcome> {
        let mut random = Random::new(seed);
        let number = self.choose(&mut random);
        let undamaged_peak = self.know(number);
        let Self { subjects, undamaged, bounds, meter } = self;
        let (subject, before) = (&subjects[number], &undamaged[&number].0);
        let layers = subject.layers();
        let names: Vec<&&str> = layers.keys().collect();
        let layer: &'static str = names[random.below(names.len())];
        let region = *random.of(&layers[layer]);
        let mut bytes = subject.good.clone();
        let mut done = Vec::new();
        let times = if random.below(4) == 0 { 2 + random.below(4) } else { 1 };
        for _ in 0..times {
            let piece = random.of(&region.pieces);
            let piece = piece.start.min(bytes.len())..piece.end.min(bytes.len());
            if !piece.is_empty() {
                done.push(damage(&mut bytes, &piece, subject.cuttable, region.sums, &mut random));
            }
        }
        let mut touched: Vec<_> = done.iter().flat_map(|d| d.touched.iter().cloned()).collect();
        subject.write(&bytes, &touched)?;
        if let Some(meter) = meter {
            (meter.reset)();
        }
        let after = read(&subject.evidence, bounds.max_whole_file);
        let peak = meter.map_or(0, |meter| (meter.peak)());
        touched.extend(done.iter().filter_map(|d| Some(d.cut?..subject.good.len())));
        subject.write(&subject.good, &touched)?;
        let mut faults = check(before, &after, region, &done, bytes.len());
        if peak > undamaged_peak + bounds.memory {
            faults.push(Fault::Memory(format!("{peak} bytes at once, {undamaged_peak} undamaged")));
        }
        faults.sort();
        faults.dedup();
        let words: Vec<String> = done.iter().map(ToString::to_string).collect();
        Ok(Outcome {
            seed,
            case: format!("{}, {}: {}", subject.name, region.name, words.join("; ")),
            layer,
            opened: after.refused.is_none(),
            untold: !lost(before, &after).is_empty() && !told(before, &after),
            noticed: !lost(before, &after).is_empty() || told(before, &after),
            third_party: after.panics.iter().filter(|p| p.third_party).cloned().collect(),
            peak,
            faults,
        })
    }

    fn choose(&self, random: &mut Random) -> usize {
        let mut share = random.below(100);
        let layer = SHARES.iter().find(|(_, part)| {
            let here = share < *part;
            share = share.saturating_sub(*part);
            here
        });
        let mut layer = layer.map_or("fixture", |(layer, _)| *layer);
        if layer == "fixture" && random.below(2) == 0 && self.subjects.iter().any(|s| s.layer == "given file") {
            layer = "given file";
        }
        let of: Vec<usize> = (0..self.subjects.len()).filter(|n| self.subjects[*n].layer == layer).collect();
        *random.of(&of)
    }

    /// Reads a subject undamaged, once, and says how much memory that took.
    fn know(&mut self, number: usize) -> usize {
        let Self { subjects, undamaged, bounds, meter } = self;
        let known = undamaged.entry(number).or_insert_with(|| {
            if let Some(meter) = meter {
                (meter.reset)();
            }
            let seen = read(&subjects[number].evidence, bounds.max_whole_file);
            (seen, meter.map_or(0, |meter| (meter.peak)()))
        });
        known.1
    }
}

/// Kinds of events of which there are fewer.
fn lost(before: &Seen, after: &Seen) -> Vec<String> {
    let fewer = before.kinds.iter().filter_map(|(kind, had)| {
        let has = after.kinds.get(kind).copied().unwrap_or(0);
        (has < *had).then(|| format!("{kind}: {has} of {had}"))
    });
    fewer.collect()
}

/// True if someone reads that something is wrong: a new issue, or an input that could not be read.
fn told(before: &Seen, after: &Seen) -> bool {
    let new_issue = after.issues.iter().any(|(issue, n)| before.issues.get(issue).copied().unwrap_or(0) < *n);
    let counted = after.coverage.artifacts.iter().any(|(name, now)| {
        let was = before.coverage.artifacts.get(name).cloned().unwrap_or_default();
        now.failed > was.failed || now.truncated > was.truncated || now.other_format > was.other_format
    });
    after.refused.is_some() || new_issue || counted
}

fn check(before: &Seen, after: &Seen, region: &Region, done: &[Done], len: usize) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let own = after.panics.iter().filter(|panic| !panic.third_party);
    faults.extend(own.map(|panic| Fault::Panic(format!("{}: {}", panic.place, panic.message))));
    faults.extend(after.outside.iter().cloned().map(Fault::Outside));
    let lost = lost(before, after);
    if !lost.is_empty() && !told(before, after) && can_be_known(region, done) {
        faults.push(Fault::SilentLoss(lost.join(", ")));
    }
    if after.refused.is_none() {
        faults.extend(changed_bystanders(before, after, &region.spares));
    }
    let most = before.work * 8 + len / 16 + 1000;
    if after.work > most {
        faults.push(Fault::Work(format!("{} rows and issues, {} undamaged", after.work, before.work)));
    }
    faults
}

/// False where the bytes bear no sign of what they were.
///
/// A field or some letters that say something else that is just as good, where the format has no checksum over them: a
/// value's name in a hive, a word in a text file. And the change journal, which may end anywhere, begins with a hole and has
/// zeros behind its end: zeros in its middle are told (`artifacts/usn_journal.rs`), at its ends nobody can tell. What is found by
/// its own signature alone (files in a OneNote section, Emotet's blocks in a program) leaves no sign where all of it is written over.
/// So do the header and the catalogue of shadow copies, of which a volume need have none, and the list of the blocks that a copy
/// saved, which may end anywhere.
fn can_be_known(region: &Region, done: &[Done]) -> bool {
    let small = |done: &Done| matches!(done.mutation, Mutation::Flip | Mutation::Flips | Mutation::Forge);
    let journal = region.layer == "$J" || region.name.starts_with("usn_journal/");
    let by_signature = ["onenote_files/", "emotet_files/"].iter().any(|folder| region.name.starts_with(folder));
    let vss = ["VSS header", "VSS catalogue", "VSS block list"].contains(&&*region.name);
    let cut_only = done.iter().all(|done| matches!(done.mutation, Mutation::Cut));
    !done.iter().any(small) && !journal && !vss && (cut_only || !by_signature)
}

/// Events of what was not touched are the same.
fn changed_bystanders(before: &Seen, after: &Seen, spares: &Spares) -> Vec<Fault> {
    let bare = |path: &str| path.split_once(':').map_or(path, |(_, rest)| rest).trim_start_matches('\\').to_owned();
    let is_spared = |path: &str, record: Option<u64>, artifact: &str| match spares {
        Spares::Nothing => false,
        Spares::AllBut(victim) => bare(path) != *victim,
        // What is left of a name in a directory says what has become of the record that it names, and the journal holds the
        // times of the record against its own.
        Spares::AllButRecord(victim) => record != Some(*victim) && !["index_slack", "usn_journal"].contains(&artifact),
    };
    let spared = before.events.iter().filter(|((path, record, artifact), _)| is_spared(path, *record, artifact));
    let changed = spared.filter_map(|(place, ids)| {
        let now = after.events.get(place);
        (now != Some(ids)).then(|| {
            let gone = ids.iter().filter(|id| !now.is_some_and(|now| now.contains(*id))).count();
            Fault::Bystander(format!("{}, {}: {gone} of {} events", place.0, place.2, ids.len()))
        })
    });
    changed.collect()
}
