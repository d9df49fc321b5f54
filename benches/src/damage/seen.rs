//! What one run over evidence gave, in a form that can be held against another run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use emotrace_core::artifacts::{ARTIFACTS, Limits, Reads};
use emotrace_core::bytes::{ReadAt, read_up_to};
use emotrace_core::export::row_id;
use emotrace_core::model::{Collect, Coverage, Event, Locator, ParseIssue};
use emotrace_core::pipeline::{Evidence, Mounted, NoProgress, Options, Selection, Vss, stream};

/// What one run gave.
#[derive(Debug, Default)]
pub struct Seen {
    /// Why the evidence can't be opened, if it can't.
    pub refused: Option<String>,
    /// Names of all events, by the path of their evidence, its MFT record, and the artifact.
    pub events: BTreeMap<(String, Option<u64>, &'static str), BTreeSet<String>>,
    /// Number of events of each kind.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Issues and how often each was told.
    pub issues: BTreeMap<String, usize>,
    /// How each artifact fared.
    pub coverage: Coverage,
    /// Places in events or issues that are not in the evidence.
    pub outside: Vec<String>,
    /// Panics that someone caught.
    pub panics: Vec<Panic>,
    /// Rows and issues in all.
    pub work: usize,
}

/// A panic and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// File and line of the source.
    pub place: String,
    /// What it said.
    pub message: String,
    /// In a crate from a registry, not in our own code.
    pub third_party: bool,
}

static PANICS: Mutex<Vec<Panic>> = Mutex::new(Vec::new());
static WATCHING: AtomicBool = AtomicBool::new(false);

/// From now on, panics during a run are kept, in place of being printed. The guard in the pipeline would hide them.
fn watch_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !WATCHING.load(Ordering::SeqCst) {
                return usual(info);
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let message = text.unwrap_or_default().to_owned();
            // Checked indexing and arithmetic name the line that did it, not one of the standard library.
            let third_party = place.contains("/registry/src/");
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(Panic { place, message, third_party });
        }));
    });
}

/// Reads evidence to its end, all artifacts and all shadow copies. `max_whole_file` is the bound given to parsers.
pub fn read(path: &Path, max_whole_file: u64) -> Seen {
    watch_panics();
    PANICS.lock().unwrap_or_else(PoisonError::into_inner).clear();
    WATCHING.store(true, Ordering::SeqCst);
    let mut seen = panic::catch_unwind(|| run(path, max_whole_file)).unwrap_or_default();
    WATCHING.store(false, Ordering::SeqCst);
    seen.panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
    seen
}

fn run(path: &Path, max_whole_file: u64) -> Seen {
    let mut seen = Seen::default();
    let mut evidence = match Evidence::open(&[path.to_owned()]) {
        Ok(evidence) => evidence,
        Err(error) => return Seen { refused: Some(error.to_string()), ..seen },
    };
    if let Err(error) = evidence.mount_snapshots(&Vss::All) {
        return Seen { refused: Some(error.to_string()), ..seen };
    }
    let selection = Selection { artifacts: vec!["all".to_owned()], ..Selection::default() };
    let limits = Limits { max_whole_file, ..Limits::default() };
    let options = Options { selection, limits, threads: Some(1), ..Options::default() };
    let mut found = Collect::default();
    match stream(&evidence, &options, &NoProgress, &mut found) {
        Ok(extraction) => seen.coverage = extraction.coverage,
        Err(error) => seen.refused = Some(error.to_string()),
    }
    seen.work = found.events.len() + found.issues.len();
    let mut lengths = Lengths { evidence: &evidence, file: path, known: HashMap::new() };
    for issue in &found.issues {
        if let Some(words) = lengths.issue_outside(issue) {
            seen.outside.push(words);
        }
        let ParseIssue { artifact, offset, loss, error, .. } = issue;
        *seen.issues.entry(format!("{artifact} {offset:x?} {} {error}", loss.name())).or_default() += 1;
    }
    for event in &found.events {
        if let Some(words) = lengths.event_outside(event) {
            seen.outside.push(words);
        }
        *seen.kinds.entry(event.descriptor.name).or_default() += 1;
        let locator = &event.origin.locator;
        let place = (locator.path.clone(), locator.record.map(|reference| reference.record), event.artifact);
        seen.events.entry(place).or_default().insert(row_id(event, None));
    }
    seen
}

/// How long the streams are that events and issues name.
struct Lengths<'e> {
    evidence: &'e Evidence,
    file: &'e Path,
    known: HashMap<Locator, Option<u64>>,
}

impl Lengths<'_> {
    fn issue_outside(&mut self, issue: &ParseIssue) -> Option<String> {
        let offset = issue.offset?;
        let len = self.length(&issue.locator, issue.artifact)?;
        // The end itself is a place: there something should follow.
        (offset > len).then(|| format!("{} issue at {offset:#x} of {len:#x}: {}", issue.artifact, issue.error))
    }

    fn event_outside(&mut self, event: &Event) -> Option<String> {
        let offset = event.origin.offset?;
        let len = self.length(&event.origin.locator, event.artifact)?;
        (offset >= len).then(|| format!("{} at {offset:#x} of {len:#x}", event.descriptor.name))
    }

    /// The length of the stream that an offset counts in; `None` where it is not known.
    fn length(&mut self, locator: &Locator, artifact: &str) -> Option<u64> {
        let is_entry = ARTIFACTS.iter().any(|a| a.name == artifact && matches!(a.reads, Reads::Entries { .. }));
        if locator.path.is_empty() || is_entry || matches!(artifact, "image" | "volume" | "ntfs" | "vss") {
            return self.evidence.source.as_ref().map(|source| source.len());
        }
        if let Some(known) = self.known.get(locator) {
            return *known;
        }
        let len = self.stream_length(locator);
        self.known.insert(locator.clone(), len);
        len
    }

    fn stream_length(&self, locator: &Locator) -> Option<u64> {
        let beside = |mounted: &Mounted, path: &str| -> u64 {
            let logs = [".LOG1", ".LOG2", ".LOG"].iter().filter_map(|suffix| {
                let entry = mounted.files.lookup(&format!("{path}{suffix}")).ok()?;
                Some(mounted.files.open(&entry, "").ok()?.len())
            });
            logs.sum()
        };
        if self.evidence.volumes.is_empty() {
            let bytes = std::fs::read(self.file).ok()?;
            return Some(content_length(&bytes, bytes.len() as u64));
        }
        let mounted =
            self.evidence.volumes.iter().find(|v| v.label == locator.volume && v.snapshot == locator.snapshot)?;
        let path = locator.path.split_once(':').map_or(&*locator.path, |(_, rest)| rest);
        let by_record = locator.record.and_then(|reference| mounted.files.entry(reference).ok());
        let entry = by_record.or_else(|| mounted.files.lookup(path).ok())?;
        let stream = locator.stream.as_deref().unwrap_or_default();
        let data = mounted.files.open(&entry, stream).ok()?;
        let mut head = [0; 8];
        read_up_to(&*data, 0, &mut head).ok()?;
        let len = content_length(&head, data.len());
        // A hive may grow by its logs.
        Some(len + beside(mounted, path))
    }
}

/// Of a compressed prefetch file, offsets count in its content.
fn content_length(head: &[u8], len: u64) -> u64 {
    match head {
        [b'M', b'A', b'M', _, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]).into(),
        _ => len,
    }
}
