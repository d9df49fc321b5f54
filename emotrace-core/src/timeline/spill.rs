//! Workers write events into sorted runs on disk.
//!
//! Runs are temporary, or kept for a run that goes on where another one was stopped; they never outlive the version of the
//! program that wrote them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use postcard::de_flavors::Slice;
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize};

use super::fold;
use super::merge::{self, Merge};
use super::scratch::{Scratch, at};
use super::sorted_run::Run;
use crate::model::{
    Descriptor, Event, Locator, Loss, Meaning, Origin, ParseIssue, Schema, Sink, State, Timestamp, Value, Values,
};

/// Encoded bytes that a worker holds before it writes a run.
const RUN_BYTES: usize = 16 << 20;

/// Issues that one job may record one by one; what is more is counted.
const MAX_ISSUES_PER_JOB: usize = 1_000;

pub(super) const KEY_LEN: usize = 20;

/// Most bytes of time and meaning at the beginning of an encoded event: a flag, and two numbers of seven bits a byte.
const MAX_HEAD: usize = 16;

/// What an event is sorted by, the first field first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Undated events sort behind all dated ones: their time is all ones, which no stored FILETIME is.
    time: u64,
    job: Job,
    ordinal: u32,
}

impl Key {
    fn new(time: Option<Timestamp>, job: Job, ordinal: u32) -> Self {
        Self { time: time.map_or(u64::MAX, Timestamp::filetime), job, ordinal }
    }

    /// As it lies in a run.
    pub(super) fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let [i, j, k, l, m, n, o, p, q, r, s, t] = rest;
        let (artifact, input) = (u32::from_be_bytes([i, j, k, l]), u32::from_be_bytes([m, n, o, p]));
        let time = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self { time, job: Job { artifact, input }, ordinal: u32::from_be_bytes([q, r, s, t]) }
    }

    /// True if both events are of one artifact at one instant.
    pub(super) fn same_instant(&self, other: &Self) -> bool {
        (self.time, self.job.artifact) == (other.time, other.job.artifact)
    }

    /// The job that gave the event.
    pub(super) const fn job(&self) -> Job {
        self.job
    }

    /// Big-endian, so that bytes sort like keys.
    pub(super) fn to_bytes(self) -> [u8; KEY_LEN] {
        let mut bytes = [0; KEY_LEN];
        bytes[..8].copy_from_slice(&self.time.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.job.artifact.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.job.input.to_be_bytes());
        bytes[16..].copy_from_slice(&self.ordinal.to_be_bytes());
        bytes
    }
}

/// One piece of work: an artifact and one of its inputs, both by their place in the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// Place of the artifact in the catalogue.
    pub artifact: u32,
    /// Place of the input in the plan.
    pub input: u32,
}

/// An event as it lies in a run: what is `&'static` in memory is a place in the schema here.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    time: Option<Timestamp>,
    meaning: Meaning,
    artifact: u16,
    descriptor: u16,
    values: Vec<(u16, Value)>,
    user: Option<String>,
    state: State,
    pub(super) locator: Locator,
    offset: Option<u64>,
    pub(super) also_in: Vec<u32>,
}

impl Stored {
    /// All that the event says, without the shadow copy and the offset that it was found at.
    pub(super) fn content(&mut self) -> io::Result<Vec<u8>> {
        let (snapshot, offset) = (self.locator.snapshot.take(), self.offset.take());
        let also_in = std::mem::take(&mut self.also_in);
        let bytes = postcard::to_allocvec(self).map_err(io::Error::other);
        (self.locator.snapshot, self.offset, self.also_in) = (snapshot, offset, also_in);
        bytes
    }
}

/// The same for writing, without copying.
#[derive(Serialize)]
struct StoredRef<'a> {
    time: Option<Timestamp>,
    meaning: Meaning,
    artifact: u16,
    descriptor: u16,
    values: Pairs<'a>,
    user: &'a Option<String>,
    state: State,
    locator: &'a Locator,
    offset: Option<u64>,
    also_in: &'a [u32],
}

/// The values of an event, each with the place of its field.
struct Pairs<'a> {
    descriptor: &'static Descriptor,
    values: &'a Values,
}

impl Serialize for Pairs<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.descriptor.fields;
        let mut all = serializer.serialize_seq(Some(self.values.len()))?;
        let mut next = 0;
        for (name, value) in self.values.iter() {
            // Values are mostly set in the order of the fields.
            let found = fields.iter().skip(next).position(|field| field.name == name).map(|place| next + place);
            let place = found.or_else(|| fields.iter().position(|field| field.name == name));
            let place = place.and_then(|place| u16::try_from(place).ok());
            let place = place.ok_or_else(|| S::Error::custom(format_args!("{name} is not in the catalogue")))?;
            next = usize::from(place) + 1;
            all.serialize_element(&(place, value))?;
        }
        all.end()
    }
}

/// Collects the runs of all workers.
#[derive(Debug)]
pub struct TimelineBuilder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: Scratch,
    schema: Schema,
    state: Mutex<Collected>,
}

#[derive(Debug, Default)]
struct Collected {
    runs: Vec<Run>,
    /// Runs that were begun; each has a name of its own.
    begun: u64,
    events: u64,
    /// Jobs that gave events of shadow copies.
    snapshots: HashSet<Job>,
    issues: Vec<(Job, u32, ParseIssue)>,
    first_error: Option<io::Error>,
}

impl Shared {
    fn collected(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimelineBuilder {
    /// Keeps its runs in a new folder under `place` (or the system's folder for temporary files), which is removed at the
    /// end.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn new(schema: Schema, place: Option<&Path>) -> io::Result<Self> {
        Ok(Self::in_folder(schema, Scratch::temporary(place)?))
    }

    /// Keeps its runs in this folder, which is made and stays: see [`Timeline::save`].
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn kept(schema: Schema, folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        Ok(Self::in_folder(schema, Scratch::Kept(folder.to_owned())))
    }

    fn in_folder(schema: Schema, dir: Scratch) -> Self {
        Self { shared: Arc::new(Shared { dir, schema, state: Mutex::default() }) }
    }

    /// A sink for one thread.
    pub fn worker(&self) -> Worker {
        Worker {
            shared: Arc::clone(&self.shared),
            job: Job::default(),
            snapshot: None,
            ordinal: 0,
            issue_ordinal: 0,
            bytes: Vec::new(),
            index: Vec::new(),
        }
    }

    /// Ends the collection. All workers must have been dropped or flushed.
    ///
    /// # Errors
    /// The first error that any worker met while it wrote a run.
    pub fn finish(self) -> io::Result<Timeline> {
        let collected = std::mem::take(&mut *self.shared.collected());
        if let Some(error) = collected.first_error {
            return Err(error);
        }
        let mut issues = collected.issues;
        issues.sort_by_key(|(job, ordinal, _)| (*job, *ordinal));
        let dir = self.shared.dir.path();
        let mut runs = merge::reduce(collected.runs, dir)?;
        let mut events = collected.events;
        if !collected.snapshots.is_empty() {
            let (folded, count) = fold::fold(&runs, dir, &collected.snapshots)?;
            (runs, events) = (vec![folded], count);
        }
        Ok(Timeline {
            events,
            issues: issues.into_iter().map(|(_, _, issue)| issue).collect(),
            runs,
            shared: self.shared,
        })
    }
}

/// A finished timeline: it can be read in order, more than once.
#[derive(Debug)]
pub struct Timeline {
    runs: Vec<Run>,
    events: u64,
    issues: Vec<ParseIssue>,
    shared: Arc<Shared>,
}

/// What makes a timeline out of kept runs again.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedTimeline {
    runs: Vec<Run>,
    events: u64,
    issues: Vec<SavedIssue>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedIssue {
    locator: Locator,
    artifact: String,
    offset: Option<u64>,
    loss: Loss,
    error: String,
}

impl Timeline {
    /// Number of events.
    pub const fn len(&self) -> u64 {
        self.events
    }

    /// True if there is no event.
    pub const fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// What could not be read, in the plan's order.
    pub fn issues(&self) -> &[ParseIssue] {
        &self.issues
    }

    /// The events in their order.
    ///
    /// # Errors
    /// When a run can't be opened.
    pub fn events(&self) -> io::Result<Merge<'_>> {
        Merge::open(&self.runs, self.shared.dir.path(), &self.shared.schema)
    }

    /// What [`Timeline::load`] needs. The runs themselves stay where they are, which makes sense for a folder that is kept.
    ///
    /// # Errors
    /// When the runs can't be brought to the disk.
    pub fn save(&self) -> io::Result<SavedTimeline> {
        self.runs.iter().try_for_each(|run| run.sync(self.shared.dir.path()))?;
        let issue = |issue: &ParseIssue| SavedIssue {
            locator: Locator::clone(&issue.locator),
            artifact: issue.artifact.to_owned(),
            offset: issue.offset,
            loss: issue.loss,
            error: issue.error.clone(),
        };
        Ok(SavedTimeline {
            runs: self.runs.clone(),
            events: self.events,
            issues: self.issues.iter().map(issue).collect(),
        })
    }

    /// The timeline whose runs lie in this folder; `None` if they are not there as they were written. `name_of` gives the
    /// catalogue's own text for a name of an artifact or a room.
    ///
    /// # Errors
    /// When the runs can't be read.
    pub fn load(
        schema: Schema,
        folder: &Path,
        saved: SavedTimeline,
        name_of: &dyn Fn(&str) -> Option<&'static str>,
    ) -> io::Result<Option<Self>> {
        for run in &saved.runs {
            if !run.is_whole(folder)? {
                return Ok(None);
            }
        }
        let issue = |issue: SavedIssue| {
            let SavedIssue { locator, artifact, offset, loss, error } = issue;
            Some(ParseIssue { locator: Arc::new(locator), artifact: name_of(&artifact)?, offset, loss, error })
        };
        let Some(issues) = saved.issues.into_iter().map(issue).collect() else { return Ok(None) };
        let dir = Scratch::Kept(folder.to_owned());
        let shared = Arc::new(Shared { dir, schema, state: Mutex::default() });
        Ok(Some(Self { runs: saved.runs, events: saved.events, issues, shared }))
    }
}

/// One thread's sink.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    job: Job,
    /// The last job that is known to give events of a shadow copy.
    snapshot: Option<Job>,
    ordinal: u32,
    issue_ordinal: u32,
    bytes: Vec<u8>,
    /// Key, start and length of each event in `bytes`.
    index: Vec<(Key, usize, usize)>,
}

impl Worker {
    /// Begins a job. Each job is done by one worker, once.
    pub const fn start(&mut self, job: Job) {
        self.job = job;
        self.ordinal = 0;
        self.issue_ordinal = 0;
    }

    fn encode(&mut self, event: &Event) -> io::Result<()> {
        let schema = &self.shared.schema;
        let unknown = |what: &str| io::Error::other(format!("{what} is not in the catalogue"));
        let stored = StoredRef {
            time: event.time,
            meaning: event.meaning,
            artifact: small(schema.artifact_index(event.artifact).ok_or_else(|| unknown(event.artifact))?)?,
            descriptor: small(
                schema.descriptor_index(event.descriptor).ok_or_else(|| unknown(event.descriptor.name))?,
            )?,
            values: Pairs { descriptor: event.descriptor, values: &event.values },
            user: &event.user,
            state: event.state,
            locator: &event.origin.locator,
            offset: event.origin.offset,
            also_in: &event.origin.also_in,
        };
        if event.origin.locator.snapshot.is_some() && self.snapshot != Some(self.job) {
            self.snapshot = Some(self.job);
            self.shared.collected().snapshots.insert(self.job);
        }
        let start = self.bytes.len();
        match postcard::to_extend(&stored, std::mem::take(&mut self.bytes)) {
            Ok(bytes) => self.bytes = bytes,
            Err(error) => {
                // The buffer is gone, and with it what the index points at; the run ends with this error.
                self.index.clear();
                return Err(io::Error::other(error));
            }
        }
        self.keep(event.time, start)
    }

    /// Keeps what was encoded from `start` on.
    fn keep(&mut self, time: Option<Timestamp>, start: usize) -> io::Result<()> {
        let key = Key::new(time, self.job, self.ordinal);
        self.ordinal = self.ordinal.saturating_add(1);
        self.index.push((key, start, self.bytes.len().saturating_sub(start)));
        if self.bytes.len() >= RUN_BYTES { self.flush() } else { Ok(()) }
    }

    /// Encodes an event once, and for each further instant copies all but the beginning, which holds time and meaning.
    fn encode_all(&mut self, event: &mut Event, instants: &[(Timestamp, Meaning)]) -> io::Result<()> {
        let mut body = None;
        for (time, meaning) in instants {
            (event.time, event.meaning) = (Some(*time), *meaning);
            let (start, mut buffer) = (self.bytes.len(), [0; MAX_HEAD]);
            let head = head(event.time, event.meaning, &mut buffer)?;
            match body {
                None => self.encode(event)?,
                Some(body) => {
                    self.bytes.extend_from_slice(head);
                    self.bytes.extend_from_within(body);
                    self.keep(event.time, start)?;
                }
            }
            // The run may have been written, and everything with it.
            let end = self.bytes.len();
            body = (end > start).then(|| start.saturating_add(head.len())..end);
        }
        Ok(())
    }

    /// Writes what is held as a sorted run.
    ///
    /// # Errors
    /// When the run can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.index.is_empty() {
            return Ok(());
        }
        self.index.sort_unstable_by_key(|(key, ..)| *key);
        let mut collected = self.shared.collected();
        let name = format!("run-{}", collected.begun);
        collected.begun = collected.begun.saturating_add(1);
        drop(collected);
        let run = Run::write(self.shared.dir.path(), name, |out| {
            self.index
                .iter()
                .try_for_each(|(key, start, len)| out.entry(&key.to_bytes(), &self.bytes[*start..*start + *len]))
        })?;
        let mut collected = self.shared.collected();
        collected.runs.push(run);
        collected.events = collected.events.saturating_add(self.index.len() as u64);
        drop(collected);
        self.index.clear();
        self.bytes.clear();
        Ok(())
    }

    fn fail(&self, error: io::Error) {
        self.shared.collected().first_error.get_or_insert(error);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            self.fail(error);
        }
    }
}

impl Sink for Worker {
    fn event(&mut self, event: Event) {
        if let Err(error) = self.encode(&event) {
            self.fail(error);
        }
    }

    fn events(&mut self, mut event: Event, instants: &[(Timestamp, Meaning)]) {
        if let Err(error) = self.encode_all(&mut event, instants) {
            self.fail(error);
        }
    }

    fn issue(&mut self, issue: ParseIssue) {
        let ordinal = self.issue_ordinal;
        self.issue_ordinal = ordinal.saturating_add(1);
        if (ordinal as usize) < MAX_ISSUES_PER_JOB {
            self.shared.collected().issues.push((self.job, ordinal, issue));
        } else if ordinal as usize == MAX_ISSUES_PER_JOB {
            let error = "more issues of this input are counted, not listed".to_owned();
            self.shared.collected().issues.push((self.job, ordinal, ParseIssue { offset: None, error, ..issue }));
        }
    }
}

/// The beginning of an encoded event: the first fields of [`Stored`].
fn head(time: Option<Timestamp>, meaning: Meaning, buffer: &mut [u8; MAX_HEAD]) -> io::Result<&[u8]> {
    postcard::to_slice(&(time, meaning), buffer).map(|head| &*head).map_err(io::Error::other)
}

fn small(place: usize) -> io::Result<u16> {
    u16::try_from(place).map_err(io::Error::other)
}

/// An event from a run's entry.
pub(super) fn decode(body: &[u8], schema: &Schema) -> io::Result<Event> {
    let missing = || io::Error::other("a run names what the catalogue does not hold");
    // The fields of `Stored` in their order; in this encoding nothing stands between them.
    let mut stored = postcard::Deserializer::from_bytes(body);
    let (time, meaning, artifact, descriptor): (_, _, u16, u16) = next(&mut stored)?;
    let descriptor = *schema.descriptors.get(usize::from(descriptor)).ok_or_else(missing)?;
    let values = ValuesOf(descriptor).deserialize(&mut stored).map_err(io::Error::other)?;
    let (user, state, locator, offset, also_in) = next(&mut stored)?;
    Ok(Event {
        time,
        meaning,
        artifact: schema.artifacts.get(usize::from(artifact)).ok_or_else(missing)?,
        descriptor,
        values,
        user,
        state,
        origin: Origin { locator: Arc::new(locator), offset, also_in },
    })
}

fn next<'b, T: Deserialize<'b>>(stored: &mut postcard::Deserializer<'b, Slice<'b>>) -> io::Result<T> {
    T::deserialize(stored).map_err(io::Error::other)
}

/// Reads what [`Pairs`] wrote of an event of that kind straight into its values: there are millions of them.
struct ValuesOf(&'static Descriptor);

impl<'de> DeserializeSeed<'de> for ValuesOf {
    type Value = Values;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Values, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ValuesOf {
    type Value = Values;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "values of {}", self.0.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Values, A::Error> {
        let fields = self.0.fields;
        let mut values = Values::with_capacity(pairs.size_hint().unwrap_or_default().min(fields.len()));
        while let Some((place, value)) = pairs.next_element::<(u16, Value)>()? {
            let field = fields.get(usize::from(place)).ok_or_else(|| A::Error::custom("there is no such field"))?;
            // Each was set once when it was written.
            values.push(field.name, Some(value));
        }
        Ok(values)
    }
}
