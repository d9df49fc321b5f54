//! What an artifact is: a value that says where evidence lies, what it emits, and how it is read.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::bytes::{FormatError, ReadAt, read_up_to};
use crate::formats::regf;
use crate::model::{
    Descriptor, Event, FileEntry, FileReference, Host, Locator, Loss, Meaning, Origin, ParseIssue, Recoverability,
    ShadowCopy, Sink, SlackName, State, Timestamp, User, Value, Values,
};

/// One kind of evidence that a Windows volume holds.
pub struct Artifact {
    /// Short name in snake_case, as users type it: `prefetch`.
    pub name: &'static str,
    /// For the analyst, in this order: what it is, what it proves, what it does not prove, how long it lives. Plain text,
    /// paragraphs apart by an empty line. `emotrace explain NAME` and the report's appendix print it.
    pub doc: &'static str,
    /// Sources of the format and of its reading.
    pub references: &'static [&'static str],
    /// Every kind of event that the parser may emit.
    pub emits: &'static [&'static Descriptor],
    /// Where it lies and how it is read.
    pub reads: Reads,
}

/// Where an artifact lies and how it is read.
pub enum Reads {
    /// Files (or named streams), known by their path.
    Files {
        /// Path patterns from the volume's root, `\`-separated, compared without case: `*` stands for any characters within one
        /// component, `**` for any number of components. A pattern that ends in `:name` means that named stream.
        paths: &'static [&'static str],
        /// True if the content looks like this artifact; used for a single loose file, where no path helps.
        /// Gets the first 4 KiB at most.
        recognise: fn(&[u8]) -> bool,
        /// Reads one file.
        parse: fn(&FileInput<'_>, &Host, &mut Out<'_>) -> Result<Completion, ArtifactError>,
    },
    /// Files like [`Reads::Files`], but large ones whose parts may be read at the same time and in any order.
    Parts {
        /// As for files.
        paths: &'static [&'static str],
        /// As for files.
        recognise: fn(&[u8]) -> bool,
        /// Cuts a file into parts, always in the same way. What a range counts is the parser's own matter.
        parts: fn(&dyn ReadAt) -> Vec<Range<u64>>,
        /// Reads one part.
        parse: fn(&FileInput<'_>, Range<u64>, &Host, &mut Out<'_>) -> Result<Completion, ArtifactError>,
    },
    /// Registry keys, known by their path in one kind of hive.
    RegKeys {
        /// `HIVE\path`, compared without case, where HIVE is the name of a [`regf::HiveKind`] (`NTUSER`, `SOFTWARE`, `SYSTEM` …).
        /// `NTUSER` means `DEFAULT` too, the hive of the local system account.
        /// `*` stands for one component, `**` for any number, `CurrentControlSet` for each control set of the hive.
        keys: &'static [&'static str],
        /// Reads one key.
        parse: fn(&KeyInput<'_>, &Host, &mut Out<'_>) -> Result<Completion, ArtifactError>,
    },
    /// What the file system itself knows of each file, live and deleted.
    Entries {
        /// Reads one entry.
        parse: fn(&EntryInput<'_>, &Host, &mut Out<'_>) -> Result<Completion, ArtifactError>,
    },
    /// The volume as a whole: journals, for example.
    Volume {
        /// Reads one volume.
        parse: fn(&VolumeInput<'_>, &Host, &mut Out<'_>) -> Result<Completion, ArtifactError>,
    },
}

/// How far a parser got. It has to say.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Read to the end.
    Complete,
    /// Stopped at this offset; what lies behind is lost.
    Truncated {
        /// Offset in the stream.
        at: u64,
    },
    /// The file lies where the artifact lies, but holds something else.
    NotThisFormat,
}

/// Why a parser gave up on an input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The content is not what the format says.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The content can't be read from the evidence.
    #[error("{source} at offset {offset:#x}")]
    Read {
        /// Where reading failed.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

impl ArtifactError {
    /// Where the fault lies.
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Format(error) => error.offset(),
            Self::Read { offset, .. } => *offset,
        }
    }
}

/// Bounds on what one input may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest file that is read into memory as a whole, in bytes.
    pub max_whole_file: u64,
    /// Issues of one input that are told one by one; those behind are counted.
    pub max_issues: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_whole_file: 512 << 20, max_issues: 10_000 }
    }
}

/// One file, or one named stream of a file.
pub struct FileInput<'a> {
    /// Its place.
    pub locator: Arc<Locator>,
    /// Its content.
    pub data: &'a dyn ReadAt,
    /// What the file system knows of it; absent for a loose file.
    pub entry: Option<&'a FileEntry>,
    /// What else lies in its folder. Absent where the evidence can't tell: for a loose file, and in a copy of files.
    pub beside: Option<&'a Beside>,
    /// Bounds.
    pub limits: Limits,
}

/// Files and folders in one folder, live and deleted, of those that artifacts ask for by name: see [`super::is_asked_for`].
#[derive(Clone, Debug, Default)]
pub struct Beside(Vec<(String, Neighbour)>);

/// What the file system knows of a file or folder beside an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// Its record is not in use.
    pub deleted: bool,
    /// A folder, where that is known.
    pub directory: Option<bool>,
    /// Length of its main stream, if it has one.
    pub size: Option<u64>,
    /// Of a deleted file: what may still be there of that stream.
    pub recoverable: Option<Recoverability>,
}

impl Neighbour {
    /// An entry as its neighbours see it.
    pub fn of(entry: &FileEntry) -> Self {
        Self {
            deleted: entry.deleted,
            directory: Some(entry.directory),
            size: entry.main_stream().map(|main| main.size),
            recoverable: entry.recoverable(),
        }
    }
}

impl Beside {
    /// Nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes what another one holds.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Adds a file or folder by its name.
    pub fn add(&mut self, name: &str, neighbour: Neighbour) {
        self.0.push((name.to_lowercase(), neighbour));
    }

    /// To be called when all are added: sorts by name, live ones first.
    pub fn sort(&mut self) {
        self.0.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.deleted.cmp(&y.deleted)));
    }

    /// The file or folder of that name. Where several deleted ones bore it, nobody can say which of them is meant: then only that
    /// it is deleted.
    pub fn find(&self, name: &str) -> Option<Neighbour> {
        let name = name.to_lowercase();
        let first = self.0.partition_point(|(other, _)| *other < name);
        let mut same = self.0.get(first..).unwrap_or_default().iter().take_while(|(other, _)| *other == name);
        let (_, found) = same.next()?;
        let several = found.deleted && same.next().is_some();
        Some(if several { Neighbour { deleted: true, ..Neighbour::default() } } else { *found })
    }
}

impl<'a> FileInput<'a> {
    /// A file by itself, of which no file system tells, within the usual bounds.
    pub fn alone(locator: Arc<Locator>, data: &'a dyn ReadAt) -> Self {
        Self { locator, data, entry: None, beside: None, limits: Limits::default() }
    }
}

impl FileInput<'_> {
    /// The content as a whole, at most [`Limits::max_whole_file`] bytes.
    ///
    /// # Errors
    /// When it is larger than the limit, or can't be read.
    pub fn read_whole(&self) -> Result<Vec<u8>, ArtifactError> {
        let len = self.data.len();
        let limit = self.limits.max_whole_file;
        if len > limit {
            return Err(FormatError::Limit { what: "the file", offset: 0, value: len, limit }.into());
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let n = read_up_to(self.data, 0, &mut bytes).map_err(|source| ArtifactError::Read { offset: 0, source })?;
        bytes.truncate(n);
        Ok(bytes)
    }
}

/// One registry key that matched.
pub struct KeyInput<'a> {
    /// Place of the hive file.
    pub locator: Arc<Locator>,
    /// What kind of hive it lies in.
    pub hive: regf::HiveKind,
    /// The key.
    pub key: regf::Key<'a>,
    /// Full path as an analyst writes it: `HKEY_LOCAL_MACHINE\Software\…`, or `HKEY_USERS\<SID>\…` for a user's hive.
    pub path: String,
    /// The account that a user's hive belongs to, where known.
    pub user: Option<&'a User>,
}

/// One file as the file system knows it.
pub struct EntryInput<'a> {
    /// Place of the file by its primary name.
    pub locator: Arc<Locator>,
    /// The entry.
    pub entry: &'a FileEntry,
    /// When the folder of its primary name was last written, where that is known.
    pub folder_modified: Option<Timestamp>,
}

/// One volume as a whole.
pub struct VolumeInput<'a> {
    /// Place of the volume, without a path.
    pub locator: Arc<Locator>,
    /// What can be asked of it.
    pub volume: &'a dyn VolumeView,
    /// Bounds.
    pub limits: Limits,
}

/// What a parser may ask of a volume.
pub trait VolumeView: Send + Sync {
    /// Opens the stream of a live file by path from the root (`\$Extend\$UsnJrnl`) and stream name.
    fn open(&self, path: &str, stream: &str) -> Option<Arc<dyn ReadAt>>;
    /// A path from the root as output shows it: with the drive letter, where it is known.
    fn display_path(&self, path: &str) -> String {
        path.to_owned()
    }
    /// Full path from the root of a record as it is now, if its sequence number still fits.
    fn path_of(&self, reference: FileReference) -> Option<String>;
    /// Name and parent of a record as they are now, if its sequence number still fits. With them a path can be put together
    /// of which an upper directory had another name then. The default knows none; then [`VolumeView::path_of`] is asked.
    fn name_of(&self, _reference: FileReference) -> Option<(String, FileReference)> {
        None
    }
    /// When the live file with that record and sequence was created, by its `$STANDARD_INFORMATION`. The default knows it of
    /// none.
    fn created(&self, _reference: FileReference) -> Option<Timestamp> {
        None
    }
    /// The stretches of a stream that are not holes, in order and without overlap: offset and length in bytes. `None` if that
    /// is not known, as the default says; then holes are read as zeros, which takes long in a stream of many gigabytes.
    fn allocated_ranges(&self, _path: &str, _stream: &str) -> Option<Vec<(u64, u64)>> {
        None
    }
    /// Gives the names in the slack of directories' indexes, or what could not be read there. The default knows none.
    fn index_slack(&self, _give: &mut dyn FnMut(Result<SlackName, String>)) {}
    /// The volume's shadow copies, oldest first. The default knows none.
    fn shadow_copies(&self) -> &[ShadowCopy] {
        &[]
    }
}

/// One record with its values and its times, on the way to the timeline.
pub struct Record {
    descriptor: &'static Descriptor,
    values: Values,
    times: Vec<(Meaning, Timestamp)>,
    offset: Option<u64>,
    state: Option<State>,
    user: Option<String>,
    locator: Option<Arc<Locator>>,
}

impl Record {
    /// A record of that kind.
    pub const fn new(descriptor: &'static Descriptor) -> Self {
        Self {
            descriptor,
            values: Values::new(),
            times: Vec::new(),
            offset: None,
            state: None,
            user: None,
            locator: None,
        }
    }

    /// Takes these values in place of those set so far.
    pub fn values(mut self, values: Values) -> Self {
        self.values = values;
        self
    }

    /// Sets a declared field.
    pub fn set(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.values.set(field, value);
        self
    }

    /// Sets a declared field if there is a value. What is not there stays absent.
    pub fn set_some(mut self, field: &'static str, value: Option<impl Into<Value>>) -> Self {
        self.values.set_some(field, value);
        self
    }

    /// Sets a declared field that is not set yet. Unlike [`Self::set`] it does not look for an earlier value, which counts where
    /// a volume gives a million rows of many fields.
    pub fn push(self, field: &'static str, value: impl Into<Value>) -> Self {
        self.push_some(field, Some(value))
    }

    /// The same, if there is a value.
    pub fn push_some(mut self, field: &'static str, value: Option<impl Into<Value>>) -> Self {
        self.values.push(field, value);
        self
    }

    /// Adds an instant, if there is one. Equal instants of one record become one event with several meanings.
    pub fn time(mut self, meaning: Meaning, time: Option<Timestamp>) -> Self {
        if let Some(time) = time {
            self.times.push((meaning, time));
        }
        self
    }

    /// Byte offset of the record in its stream, if it has one.
    pub fn at(mut self, offset: impl Into<Option<u64>>) -> Self {
        self.offset = offset.into();
        self
    }

    /// State, where it differs from the input's own.
    pub const fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// The account that the record itself names.
    pub fn user(mut self, user: Option<String>) -> Self {
        self.user = user;
        self
    }

    /// Another place than the input's.
    pub fn place(mut self, locator: Arc<Locator>) -> Self {
        self.locator = Some(locator);
        self
    }
}

/// Takes a parser's records. Stamps the origin, so that a parser can't forget it.
pub struct Out<'a> {
    sink: &'a mut dyn Sink,
    artifact: &'static str,
    locator: Arc<Locator>,
    state: State,
    user: Option<String>,
    also_in: Vec<u32>,
    events: u64,
    from_logs: u64,
    issues: u64,
    max_issues: u64,
    /// Length of the input.
    len: Option<u64>,
    rest_lost: bool,
    switched_off: Vec<(&'static str, String)>,
}

impl<'a> Out<'a> {
    /// For the input at that place; `state` is the input's own.
    pub fn new(sink: &'a mut dyn Sink, artifact: &'static str, locator: Arc<Locator>, state: State) -> Self {
        Self {
            sink,
            artifact,
            locator,
            state,
            user: None,
            also_in: Vec::new(),
            events: 0,
            from_logs: 0,
            issues: 0,
            max_issues: Limits::default().max_issues,
            len: None,
            rest_lost: false,
            switched_off: Vec::new(),
        }
    }

    /// How many issues are told one by one.
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.max_issues = limits.max_issues;
        self
    }

    /// The length of the input, where it is known: a damaged field may name a place behind it, which is no place of the
    /// evidence. Then the issue's own words say what the field says.
    pub const fn set_len(&mut self, len: u64) {
        self.len = Some(len);
    }

    /// The account that the input as a whole belongs to: records that name none themselves get it.
    pub fn with_user(mut self, user: Option<String>) -> Self {
        self.user = user;
        self
    }

    /// The shadow copies that hold the same input.
    pub fn with_copies(mut self, also_in: &[u32]) -> Self {
        self.also_in = also_in.to_vec();
        self
    }

    /// The artifact that this is for.
    pub const fn artifact(&self) -> &'static str {
        self.artifact
    }

    /// State of the input as a whole.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Goes on with a stream inside the input: what is given from here on comes from that place.
    pub fn enter(&mut self, locator: Arc<Locator>) {
        self.locator = locator;
        self.len = None;
    }

    /// Events given so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Of these, events of records that come from a registry transaction log.
    pub const fn from_logs(&self) -> u64 {
        self.from_logs
    }

    /// Issues given so far.
    pub const fn issues(&self) -> u64 {
        self.issues
    }

    /// Gives a record. One event for each distinct instant, each with all that happened then; without an instant, one
    /// undated event. Events of one record come in the order of their times.
    pub fn give(&mut self, record: Record) {
        let Record { descriptor, values, mut times, offset, state, user, locator } = record;
        debug_assert!(
            values.iter().all(|(name, _)| descriptor.field(name).is_some()),
            "{} sets a field that it does not declare: {:?}",
            descriptor.name,
            values.iter().map(|(n, _)| n).find(|n| descriptor.field(n).is_none())
        );
        let origin = Origin {
            locator: locator.unwrap_or_else(|| Arc::clone(&self.locator)),
            offset,
            also_in: self.also_in.clone(),
        };
        let mut event = Event {
            time: None,
            meaning: Meaning::default(),
            artifact: self.artifact,
            descriptor,
            values,
            user: user.or_else(|| self.user.clone()),
            // That a log held it matters only for what is in use: what was deleted stays deleted.
            state: state.filter(|s| *s != State::LogReplayed || self.state == State::Live).unwrap_or(self.state),
            origin,
        };
        if let [(meaning, time)] = *times {
            (event.time, event.meaning) = (Some(time), meaning);
            return self.emit(event);
        }
        times.sort_by_key(|(_, time)| *time);
        let mut instants: Vec<(Timestamp, Meaning)> = Vec::with_capacity(times.len());
        for (meaning, time) in times {
            match instants.last_mut() {
                Some((last, set)) if *last == time && !set.contains(meaning) => *set = *set | meaning,
                _ => instants.push((time, meaning)),
            }
        }
        match *instants {
            [] => self.emit(event),
            [(time, meaning)] => {
                (event.time, event.meaning) = (Some(time), meaning);
                self.emit(event);
            }
            _ => {
                self.events = self.events.saturating_add(instants.len() as u64);
                self.sink.events(event, &instants);
            }
        }
    }

    fn emit(&mut self, event: Event) {
        self.events = self.events.saturating_add(1);
        if event.state == State::LogReplayed {
            self.from_logs = self.from_logs.saturating_add(1);
        }
        self.sink.event(event);
    }

    /// Says that the machine was told not to record what an artifact reads, in words for coverage. What is deleted, or lies in
    /// a shadow copy, says nothing of the machine as it is.
    pub fn switched_off(&mut self, artifact: &'static str, words: String) {
        if self.state == State::Live && self.locator.snapshot.is_none() {
            self.switched_off.push((artifact, words));
        }
    }

    /// What was switched off, so far as this parser said.
    pub fn take_switched_off(&mut self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.switched_off)
    }

    /// True if an issue told already that everything from some offset on is lost.
    pub const fn rest_lost(&self) -> bool {
        self.rest_lost
    }

    /// Records what could not be read.
    pub fn issue(&mut self, offset: Option<u64>, loss: Loss, error: impl ToString) {
        self.rest_lost |= loss == Loss::Rest;
        self.issues = self.issues.saturating_add(1);
        if self.issues <= self.max_issues {
            self.tell(offset, loss, error.to_string());
        }
    }

    /// To be called when the input is read: says how many issues were counted only.
    pub fn end(&mut self) {
        let more = self.issues.saturating_sub(self.max_issues);
        if more > 0 {
            self.tell(None, Loss::Record, format!("{more} more issues of this input are counted, not listed"));
        }
    }

    fn tell(&mut self, offset: Option<u64>, loss: Loss, error: String) {
        let (locator, artifact) = (Arc::clone(&self.locator), self.artifact);
        // The end is a place too: something should follow there.
        let offset = offset.filter(|offset| self.len.is_none_or(|len| *offset <= len));
        self.sink.issue(ParseIssue { locator, artifact, offset, loss, error });
    }

    /// The value, or a recorded issue about the lost record.
    pub fn keep<T>(&mut self, result: Result<T, FormatError>) -> Option<T> {
        result.inspect_err(|error| self.issue(Some(error.offset()), Loss::Record, error)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Collect, Field, Kind};

    static DESCRIPTOR: Descriptor = Descriptor {
        name: "test:test:test",
        doc: "",
        message: "",
        data_type: None,
        fields: &[Field::new("name", Kind::Text, "")],
    };

    fn give(record: Record) -> Vec<Event> {
        let mut sink = Collect::default();
        Out::new(&mut sink, "test", Arc::default(), State::Live).give(record);
        sink.events
    }

    #[test]
    fn equal_instants_fold_into_one_event() {
        let (t1, t2) = (Timestamp::from_filetime(5), Timestamp::from_filetime(9));
        let events = give(
            Record::new(&DESCRIPTOR)
                .time(Meaning::MODIFIED, Some(t2))
                .time(Meaning::CREATED, Some(t1))
                .time(Meaning::CHANGED, Some(t2))
                .time(Meaning::ACCESSED, None),
        );
        let rows: Vec<_> = events.iter().map(|e| (e.time, e.meaning)).collect();
        assert_eq!(rows, [(Some(t1), Meaning::CREATED), (Some(t2), Meaning::MODIFIED | Meaning::CHANGED)]);
    }

    /// Two runs in the same instant are two runs.
    #[test]
    fn the_same_meaning_twice_at_one_instant_is_two_events() {
        let t = Timestamp::from_filetime(5);
        let events = give(Record::new(&DESCRIPTOR).time(Meaning::EXECUTED, Some(t)).time(Meaning::EXECUTED, Some(t)));
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn neighbours_by_name() {
        let file = |deleted, size| Neighbour { deleted, size: Some(size), ..Neighbour::default() };
        let mut beside = Beside::default();
        beside.add("$RB.exe", file(true, 1));
        beside.add("$RA.doc", file(true, 2));
        beside.add("$ra.DOC", file(false, 3));
        beside.add("$RC.txt", file(true, 4));
        beside.add("$RC.txt", file(true, 5));
        beside.sort();
        assert_eq!(beside.find("$Ra.doc"), Some(file(false, 3)));
        assert_eq!(beside.find("$rb.EXE"), Some(file(true, 1)));
        assert_eq!(beside.find("$RC.txt"), Some(Neighbour { deleted: true, ..Neighbour::default() }));
        assert_eq!(beside.find("$RD.txt"), None);
    }

    #[test]
    fn undated_evidence_is_kept() {
        let events = give(Record::new(&DESCRIPTOR).set("name", "x"));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].time, None);
    }
}
