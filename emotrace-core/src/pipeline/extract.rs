//! Runs every job of the plan on all cores. The only place with threads.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;

use super::evidence::{Evidence, LooseKind, Mounted};
use super::hives::{self, Identity, Remains};
use super::hosts::loose_hive;
use super::plan::{Found, Plan, Planned, REGISTRY, What};
use super::progress::Progress;
use super::run::Options;
use crate::artifacts::{
    self, Artifact, ArtifactError, Beside, Completion, EntryInput, FileInput, KeyInput, Neighbour, Out, Reads,
    VolumeInput, VolumeView,
};
use crate::bytes::ReadAt;
use crate::filesystem::FileSystemIssue;
use crate::formats::guard::guarded;
use crate::formats::regf::Hive;
use crate::model::{
    Coverage, FileEntry, FileReference, Host, Locator, Loss, ParseIssue, ShadowCopy, Sink, SlackName, State, Timestamp,
};
use crate::timeline::{Job, Timeline, TimelineBuilder, Worker};

/// Issues of the walk stand behind those of all artifacts.
const WALK: u32 = u32::MAX;

/// What ends a run. All else is an issue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The output can't be written.
    #[error("the output can't be written: {0}")]
    Output(#[source] io::Error),
    /// Temporary files can't be written or read back.
    #[error("temporary files can't be written or read back: {0}")]
    Temporary(#[source] io::Error),
    /// No threads can be started.
    #[error("no threads can be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The caller asked to stop.
    #[error("stopped before the end")]
    Cancelled,
}

/// Everything that was read.
pub struct Extraction {
    /// The ordered events.
    pub timeline: Timeline,
    /// How each artifact fared.
    pub coverage: Coverage,
    /// The installed systems.
    pub hosts: Vec<Host>,
    pub(super) image_issues: Vec<ParseIssue>,
}

impl Extraction {
    /// What could not be read: first of the image and its volumes, then of the artifacts in the plan's order.
    pub fn issues(&self) -> impl Iterator<Item = &ParseIssue> {
        self.image_issues.iter().chain(self.timeline.issues())
    }

    /// Looks again which parts of the image could not be read. To be called when something else has read the image (hashing,
    /// judging) and has come to its end; in its midst, what is known of the gaps would depend on luck.
    pub fn note_gaps(&mut self, evidence: &Evidence) {
        self.image_issues = image_issues(evidence);
    }
}

/// What one thread holds.
struct Lane {
    worker: Worker,
    coverage: Coverage,
    found: Vec<Found>,
    beside: Folders,
}

/// What artifacts may ask for beside their inputs.
#[derive(Default)]
struct Folders {
    /// By volume and folder.
    of: BTreeMap<(usize, FileReference), Beside>,
    count: usize,
}

/// Most files and folders that are kept for that. Of an image with more, nothing is said of any.
const MAX_BESIDE: usize = 1 << 18;

impl Folders {
    /// Keeps an entry for those artifacts that may ask for it by one of its names. Where there are too many, no more are kept:
    /// then the run says nothing of any.
    fn add(&mut self, volume: usize, entry: &FileEntry) {
        for link in entry.links().filter(|link| artifacts::is_asked_for(&link.name)) {
            if self.count <= MAX_BESIDE {
                self.count = self.count.saturating_add(1);
                self.of.entry((volume, link.parent)).or_default().add(&link.name, Neighbour::of(entry));
            }
        }
    }
}

/// A run in progress.
struct Run<'r> {
    evidence: &'r Evidence,
    options: &'r Options,
    progress: &'r dyn Progress,
    plan: Plan,
    lanes: Vec<Mutex<Lane>>,
    hosts: Vec<Host>,
    /// Absent if there were too many.
    beside: Option<Folders>,
}

/// Reads everything that is wanted from the evidence.
///
/// # Errors
/// When temporary files can't be written, or the run was cancelled. Damage in the evidence is no error: see
/// [`Extraction::issues`].
pub fn extract(evidence: &Evidence, options: &Options, progress: &dyn Progress) -> Result<Extraction, RunError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.unwrap_or(0)).build()?;
    let builder = match &options.keep {
        Some(folder) => TimelineBuilder::kept(artifacts::schema(), folder),
        None => TimelineBuilder::new(artifacts::schema(), options.temporary.as_deref()),
    };
    let builder = builder.map_err(RunError::Temporary)?;
    let lane = || {
        let worker = builder.worker();
        Mutex::new(Lane { worker, coverage: Coverage::default(), found: Vec::new(), beside: Folders::default() })
    };
    let mut run = Run {
        evidence,
        options,
        progress,
        plan: Plan::new(&options.selection),
        lanes: (0..pool.current_num_threads()).map(|_| lane()).collect(),
        hosts: evidence.hosts.clone(),
        beside: None,
    };
    run.walk(&pool)?;
    run.beside = run.collect_beside();
    let found = run.collect_found();
    run.read_found(&pool, &found)?;
    run.read_volumes(&pool)?;
    run.read_loose();
    let coverage = run.coverage();
    let Run { lanes, hosts, .. } = run;
    drop(lanes);
    let timeline = builder.finish().map_err(RunError::Temporary)?;
    Ok(Extraction { timeline, coverage, hosts, image_issues: image_issues(evidence) })
}

/// What was wrong while opening, and the gaps that are known by now.
pub(super) fn image_issues(evidence: &Evidence) -> Vec<ParseIssue> {
    let mut issues = evidence.issues.clone();
    issues.extend(gaps(evidence));
    issues
}

/// Unreadable parts of the image that are known by now.
fn gaps(evidence: &Evidence) -> Vec<ParseIssue> {
    let gaps = evidence.source.as_ref().map(|source| source.gaps()).unwrap_or_default();
    let locator = Arc::new(Locator { image: evidence.label.clone(), ..Locator::default() });
    gaps.into_iter()
        .map(|gap| ParseIssue {
            locator: Arc::clone(&locator),
            artifact: "image",
            offset: Some(gap.start),
            loss: Loss::Record,
            error: gap.to_string(),
        })
        .collect()
}

impl Run<'_> {
    fn lane(&self) -> MutexGuard<'_, Lane> {
        let lane = rayon::current_thread_index().unwrap_or(0) % self.lanes.len().max(1);
        self.lanes[lane].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that a volume belongs to: its own, or the only one.
    fn host(&self, volume: Option<&Mounted>) -> Host {
        let label = volume.and_then(|v| v.label.as_ref());
        let own = self.hosts.iter().find(|h| h.volume.as_ref() == label);
        let only = (self.hosts.len() == 1).then(|| self.hosts.first()).flatten();
        own.or(only).cloned().unwrap_or_default()
    }

    /// One pass over every file system serves all artifacts.
    fn walk(&self, pool: &ThreadPool) -> Result<(), RunError> {
        let volumes = &self.evidence.volumes;
        let parts: Vec<(usize, usize)> = volumes
            .iter()
            .enumerate()
            .flat_map(|(volume, mounted)| (0..mounted.files.parts()).map(move |part| (volume, part)))
            .collect();
        self.progress.phase("walking the file system", parts.len() as u64);
        let hosts: Vec<Host> = volumes.iter().map(|mounted| self.host(Some(mounted))).collect();
        pool.install(|| {
            parts.par_iter().enumerate().with_max_len(1).try_for_each(|(input, (volume, part))| {
                self.options.check()?;
                self.walk_part(input, *part, *volume, volumes, &hosts[*volume]);
                self.progress.advance(1);
                Ok(())
            })
        })
    }

    fn walk_part(&self, input: usize, part: usize, volume: usize, volumes: &[Mounted], host: &Host) {
        let mounted = &volumes[volume];
        let copies: Vec<(u32, &Mounted)> = match mounted.snapshot {
            Some(_) => Vec::new(),
            None => {
                volumes.iter().filter(|v| v.label == mounted.label).filter_map(|v| Some((v.snapshot?, v))).collect()
            }
        };
        let input = u32::try_from(input).unwrap_or(u32::MAX);
        let mut entries: Vec<FileEntry> = Vec::new();
        // What was wrong when the file system was opened is told with its first part.
        let mut issues: Vec<FileSystemIssue> = if part == 0 { mounted.files.issues() } else { Vec::new() };
        let walked = guarded(|| mounted.files.walk(part, &mut |entry| entries.push(entry), &mut |i| issues.push(i)));
        // What a shadow copy shares with its live volume is read there, and told there.
        let shared: Vec<Shared> = entries.iter().map(|entry| Shared::of(entry, mounted, &copies)).collect();
        let mut inputs: Vec<Found> = Vec::new();
        let mut left_out: Vec<&'static str> = Vec::new();
        for (entry, shared) in entries.iter().zip(&shared) {
            let first = inputs.len();
            self.plan.find(volume, mounted, entry, &mut inputs);
            for mut input in inputs.split_off(first) {
                if shared.with_live && is_same_input(mounted, &input) {
                    left_out.push(input.artifact());
                    continue;
                }
                let same = copies.iter().filter(|(n, copy)| shared.with.contains(n) && is_same_input(copy, &input));
                input.also_in = same.map(|(n, _)| *n).collect();
                inputs.push(input);
            }
        }
        let mut lane = self.lane();
        let Lane { worker, coverage, found, beside } = &mut *lane;
        found.append(&mut inputs);
        if self.plan.asks_beside {
            entries.iter().for_each(|entry| beside.add(volume, entry));
        }
        for artifact in left_out {
            count_same(coverage, artifact);
        }
        let image = &self.evidence.label;
        for planned in &self.plan.entries {
            let Reads::Entries { parse } = planned.artifact.reads else { continue };
            worker.start(Job { artifact: planned.index, input });
            for (entry, shared) in entries.iter().zip(&shared) {
                let path = entry.primary_name().map_or("", |n| n.path.as_str());
                if !self.plan.wants_path(mounted, path) {
                    continue;
                }
                if shared.with_live {
                    count_same(coverage, planned.artifact.name);
                    continue;
                }
                let locator = Arc::new(mounted.locator(image, entry, path, ""));
                let out = Out::new(worker, planned.artifact.name, Arc::clone(&locator), state(entry));
                let folder = entry.primary_name().filter(|name| !name.orphan).map(|name| name.parent);
                let folder_modified = folder.and_then(|folder| mounted.files.folder_modified(folder));
                job(out.with_copies(&shared.with), coverage, true, |out| {
                    parse(&EntryInput { locator, entry, folder_modified }, host, out)
                });
            }
        }
        worker.start(Job { artifact: WALK, input });
        let place = |record: Option<u64>| {
            let record = record.map(|record| FileReference { record, sequence: 0 });
            let (image, volume, snapshot) = (image.clone(), mounted.label.clone(), mounted.snapshot);
            Arc::new(Locator { image, volume, snapshot, record, ..Locator::default() })
        };
        if let Err(panic) = walked {
            issues.push(FileSystemIssue { record: None, offset: None, loss: Loss::Rest, error: panic });
        }
        for FileSystemIssue { record, offset, loss, error } in issues {
            worker.issue(ParseIssue { locator: place(record), artifact: "ntfs", offset, loss, error });
        }
    }

    /// The neighbours that the walk met, by folder.
    fn collect_beside(&mut self) -> Option<Folders> {
        let mut all = Folders::default();
        for lane in &mut self.lanes {
            let lane = lane.get_mut().unwrap_or_else(PoisonError::into_inner);
            let Folders { of, count } = std::mem::take(&mut lane.beside);
            all.count = all.count.saturating_add(count);
            for (folder, beside) in of {
                all.of.entry(folder).or_default().append(beside);
            }
        }
        all.of.values_mut().for_each(Beside::sort);
        (all.count <= MAX_BESIDE).then_some(all)
    }

    /// What lies beside an input, where the file system knows more than the files that were copied.
    fn beside(&self, found: &Found, mounted: &Mounted) -> Option<&Beside> {
        static NOTHING: Beside = Beside::new();
        let asks = artifacts::ASKS_BESIDE.contains(&found.artifact());
        let folders = self.beside.as_ref().filter(|_| asks && mounted.files.facts().records.is_some())?;
        let name = found.entry.links().find(|link| link.path == found.path)?;
        Some(folders.of.get(&(found.volume, name.parent)).unwrap_or(&NOTHING))
    }

    /// What the walk found, in an order that does not depend on the threads.
    fn collect_found(&mut self) -> Vec<Found> {
        let lanes = self.lanes.iter_mut().map(|lane| lane.get_mut().unwrap_or_else(PoisonError::into_inner));
        let mut found: Vec<Found> = lanes.flat_map(|lane| std::mem::take(&mut lane.found)).collect();
        found.sort_by(|a, b| a.order().cmp(&b.order()));
        found
    }

    fn read_found(&self, pool: &ThreadPool, found: &[Found]) -> Result<(), RunError> {
        let volumes = &self.evidence.volumes;
        let hosts: Vec<Host> = volumes.iter().map(|mounted| self.host(Some(mounted))).collect();
        let inputs: Vec<Input<'_>> = found.iter().flat_map(|found| inputs(found, &volumes[found.volume])).collect();
        self.progress.phase("reading artifacts", inputs.len() as u64);
        pool.install(|| {
            inputs.par_iter().enumerate().with_max_len(1).try_for_each(|(number, input)| {
                self.options.check()?;
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                let volume = input.found.volume;
                let (mounted, host) = (&volumes[volume], &hosts[volume]);
                match input.found.what {
                    What::File(planned) => self.read_file(number, input, planned, mounted, host),
                    What::Hive => self.read_hive_file(number, input.found, mounted, host),
                }
                self.progress.advance(1);
                Ok(())
            })
        })
    }

    fn read_file(&self, number: u32, input: &Input<'_>, planned: Planned, mounted: &Mounted, host: &Host) {
        let found = input.found;
        let entry = &*found.entry;
        let locator = Arc::new(mounted.locator(&self.evidence.label, entry, &found.path, &found.stream));
        let mut lane = self.lane();
        let Lane { worker, coverage, .. } = &mut *lane;
        worker.start(Job { artifact: planned.index, input: number });
        let out = Out::new(worker, planned.artifact.name, Arc::clone(&locator), state(entry))
            .with_limits(self.options.limits);
        let parse = |out: &mut Out<'_>| {
            let read = |source| ArtifactError::Read { offset: 0, source };
            let data = mounted.files.open(entry, &found.stream).map_err(read)?;
            out.set_len(data.len());
            let limits = self.options.limits;
            let beside = self.beside(found, mounted);
            let file = FileInput { locator, data: &*data, entry: Some(entry), beside, limits };
            parse_file(planned.artifact, &file, input.part.clone(), host, out)
        };
        job(out.with_copies(&found.also_in), coverage, input.is_first(), parse);
    }

    fn read_hive_file(&self, input: u32, found: &Found, mounted: &Mounted, host: &Host) {
        let entry = &*found.entry;
        let locator = Arc::new(mounted.locator(&self.evidence.label, entry, &found.path, ""));
        // The logs beside a deleted hive's old path belong to whatever took its place.
        let logs = if entry.deleted { Vec::new() } else { hives::logs_beside(&*mounted.files, &found.path) };
        let hive = mounted.files.open(entry, "").map_err(|error| error.to_string()).and_then(|data| {
            // Since Windows 10 1803 the backups in RegBack are files without content.
            if data.is_empty() {
                return Ok(None);
            }
            if !hives::is_hive_path(&found.path) && !hives::begins_like_hive(&*data) {
                return Ok(None);
            }
            guarded(|| hives::open(&*data, &logs, self.options.replay, self.options.limits))?
                .map(Some)
                .map_err(|error| error.to_string())
        });
        self.read_hive(input, hive, &found.path, &locator, (state(entry), &found.also_in), host);
    }

    /// Gives every matching key of a hive to the artifacts that want it.
    fn read_hive(
        &self,
        input: u32,
        hive: Result<Option<Hive>, String>,
        path: &str,
        locator: &Arc<Locator>,
        (state, also_in): (State, &[u32]),
        host: &Host,
    ) {
        let mut lane = self.lane();
        let Lane { worker, coverage, .. } = &mut *lane;
        worker.start(Job { artifact: WALK, input });
        let mut registry = Out::new(worker, REGISTRY, Arc::clone(locator), state).with_limits(self.options.limits);
        let counts = coverage.of(REGISTRY);
        // A file that only might have been a hive was not one.
        if matches!(hive, Ok(None)) && !hives::is_hive_path(path) {
            return;
        }
        counts.found = counts.found.saturating_add(1);
        let hive = match hive {
            Ok(Some(hive)) => hive,
            Ok(None) => {
                counts.other_format = counts.other_format.saturating_add(1);
                return;
            }
            Err(error) => {
                counts.failed = counts.failed.saturating_add(1);
                counts.issues = counts.issues.saturating_add(1);
                return registry.issue(None, Loss::Whole, error);
            }
        };
        registry.set_len(hive.len());
        for issue in hive.issues() {
            registry.issue(Some(issue.offset), issue.loss, issue.error);
        }
        let replay = hive.replay();
        if replay.dirty && replay.entries.is_empty() && self.options.replay {
            let problem = "the hive was not written to its end, and no transaction log beside it has the rest: its last \
                           changes are missing";
            registry.issue(Some(0), Loss::None, problem);
        }
        registry.end();
        counts.complete = counts.complete.saturating_add(1);
        counts.issues = counts.issues.saturating_add(registry.issues());
        let identity = Identity::of(&hive, path, host);
        let remains = match guarded(|| Remains::of(&hive)) {
            Ok(remains) => Some(remains),
            Err(panic) => {
                Out::new(worker, REGISTRY, Arc::clone(locator), state).issue(None, Loss::Rest, panic);
                None
            }
        };
        coverage.hives.insert(hives::covered(&hive, &identity, remains.as_ref(), locator));
        for planned in &self.plan.keys {
            let Reads::RegKeys { keys, parse } = planned.artifact.reads else { continue };
            worker.start(Job { artifact: planned.index, input });
            let found = guarded(|| {
                hives::for_each_match(&hive, &identity, keys, locator, &mut |key: &KeyInput<'_>| {
                    let out = Out::new(worker, planned.artifact.name, Arc::clone(locator), state)
                        .with_limits(self.options.limits);
                    job(out.with_user(identity.account()).with_copies(also_in), coverage, true, |out| {
                        out.set_len(hive.len());
                        parse(key, host, out)
                    });
                });
                let Some(remains) = &remains else { return };
                let values = artifacts::ROW_PER_VALUE.contains(&planned.artifact.name);
                remains.for_each_match(&identity, keys, values, locator, &mut |key, lost| {
                    // All that a deleted hive holds is deleted.
                    let state = if state == State::Live { lost } else { state };
                    let out = Out::new(worker, planned.artifact.name, Arc::clone(locator), state)
                        .with_limits(self.options.limits);
                    job(out.with_user(identity.account()).with_copies(also_in), coverage, true, |out| {
                        out.set_len(hive.len());
                        parse(key, host, out)
                    });
                });
            });
            if let Err(panic) = found {
                Out::new(worker, planned.artifact.name, Arc::clone(locator), state).issue(None, Loss::Rest, panic);
            }
        }
    }

    fn read_volumes(&self, pool: &ThreadPool) -> Result<(), RunError> {
        let jobs: Vec<(usize, Planned)> = (0..self.evidence.volumes.len())
            .flat_map(|volume| self.plan.volumes.iter().map(move |planned| (volume, *planned)))
            .collect();
        self.progress.phase("reading journals", jobs.len() as u64);
        pool.install(|| {
            jobs.par_iter().with_max_len(1).try_for_each(|(volume, planned)| {
                self.options.check()?;
                let mounted = &self.evidence.volumes[*volume];
                let host = self.host(Some(mounted));
                let (image, label) = (self.evidence.label.clone(), mounted.label.clone());
                let locator =
                    Arc::new(Locator { image, volume: label, snapshot: mounted.snapshot, ..Locator::default() });
                let Reads::Volume { parse } = planned.artifact.reads else { return Ok(()) };
                let input = u32::try_from(*volume).unwrap_or(u32::MAX);
                let mut lane = self.lane();
                let Lane { worker, coverage, .. } = &mut *lane;
                worker.start(Job { artifact: planned.index, input });
                let out = Out::new(worker, planned.artifact.name, Arc::clone(&locator), State::Live)
                    .with_limits(self.options.limits);
                let limits = self.options.limits;
                job(out, coverage, true, |out| parse(&VolumeInput { locator, volume: mounted, limits }, &host, out));
                self.progress.advance(1);
                Ok(())
            })
        })
    }

    fn read_loose(&self) {
        let host = self.host(None);
        for (input, loose) in (0u32..).zip(&self.evidence.loose) {
            let (image, path) = (loose.name.clone(), loose.name.clone());
            let locator = Arc::new(Locator { image, path, ..Locator::default() });
            match loose.what {
                LooseKind::Hive => {
                    let hive = loose_hive(loose, self.options.replay, self.options.limits).map(|(_, hive)| Some(hive));
                    self.read_hive(input, hive, &loose.name, &locator, (State::Live, &[]), &host);
                }
                // Mounted as a volume.
                LooseKind::Metafile(_) => {}
                LooseKind::Artifact(artifact) => {
                    let Some((planned, _)) = self.plan.files.iter().find(|(p, _)| p.artifact.name == artifact.name)
                    else {
                        continue;
                    };
                    let mut lane = self.lane();
                    let Lane { worker, coverage, .. } = &mut *lane;
                    worker.start(Job { artifact: planned.index, input });
                    let out = Out::new(worker, artifact.name, Arc::clone(&locator), State::Live)
                        .with_limits(self.options.limits);
                    let limits = self.options.limits;
                    job(out, coverage, true, |out| {
                        out.set_len(loose.data.len());
                        let file = FileInput { limits, ..FileInput::alone(locator, &*loose.data) };
                        let read = parse_file(artifact, &file, 0..u64::MAX, &host, out);
                        // Who gives a file by itself wants to know that there was nothing to read.
                        if matches!(read, Ok(Completion::NotThisFormat)) {
                            out.issue(
                                None,
                                Loss::Whole,
                                format!("by its content this is not one of {}", artifact.name),
                            );
                        }
                        read
                    });
                }
            }
        }
    }

    /// The counts of all lanes, with an entry for every artifact that was looked for.
    fn coverage(&mut self) -> Coverage {
        let mut all = Coverage::default();
        let no_mft = self.evidence.volumes.iter().all(|v| v.files.facts().records.is_none());
        let wanted = artifacts::ARTIFACTS.iter().filter(|a| self.options.selection.wants(a.name));
        for artifact in wanted {
            let counts = all.of(artifact.name);
            if no_mft && matches!(artifact.reads, Reads::Entries { .. }) {
                let why = "a copy of files tells no file-system times, no $FILE_NAME times and no deleted files";
                counts.not_available = Some(why.to_owned());
            }
        }
        for lane in &mut self.lanes {
            all.merge(&lane.get_mut().unwrap_or_else(PoisonError::into_inner).coverage);
        }
        all
    }
}

/// What an entry has in common with the same record elsewhere.
struct Shared {
    /// The entry lies in a shadow copy, and is the same on the live volume.
    with_live: bool,
    /// The entry lies on the live volume, and is the same in these shadow copies.
    with: Vec<u32>,
}

impl Shared {
    fn of(entry: &FileEntry, mounted: &Mounted, copies: &[(u32, &Mounted)]) -> Self {
        let holds = |copy: &Mounted| guarded(|| copy.holds(entry)).unwrap_or(false);
        Self {
            with_live: guarded(|| mounted.is_same_entry(entry)).unwrap_or(false),
            with: copies.iter().filter(|(_, copy)| holds(copy)).map(|(number, _)| *number).collect(),
        }
    }
}

/// True if an input of a shadow copy, of an entry that is the same on the live volume, would be read as the same there.
fn is_same_input(mounted: &Mounted, found: &Found) -> bool {
    let logs_too = |path: &str| hives::LOG_SUFFIXES.iter().all(|s| mounted.is_same_file(&format!("{path}{s}")));
    guarded(|| {
        mounted.is_same_content(&found.entry, &found.stream)
            && (found.entry.deleted || !matches!(found.what, What::Hive) || logs_too(&found.path))
    })
    .unwrap_or(false)
}

fn count_same(coverage: &mut Coverage, artifact: &'static str) {
    let counts = coverage.of(artifact);
    counts.same_in_snapshots = counts.same_in_snapshots.saturating_add(1);
}

const fn state(entry: &FileEntry) -> State {
    if entry.deleted { State::Deleted } else { State::Live }
}

/// One piece of work on a found input: all of it, or one of its parts.
struct Input<'f> {
    found: &'f Found,
    part: Range<u64>,
}

impl Input<'_> {
    /// Coverage counts inputs, not parts.
    const fn is_first(&self) -> bool {
        self.part.start == 0
    }
}

/// The pieces of work that an input gives. A file that can't be opened is one piece, which says so.
fn inputs<'f>(found: &'f Found, mounted: &Mounted) -> Vec<Input<'f>> {
    let whole = || vec![Input { found, part: 0..u64::MAX }];
    let What::File(Planned { artifact: Artifact { reads: Reads::Parts { parts, .. }, .. }, .. }) = &found.what else {
        return whole();
    };
    let Ok(data) = mounted.files.open(&found.entry, &found.stream) else { return whole() };
    match guarded(|| parts(&*data)) {
        Ok(parts) if !parts.is_empty() => parts.into_iter().map(|part| Input { found, part }).collect(),
        _ => whole(),
    }
}

fn parse_file(
    artifact: &Artifact,
    file: &FileInput<'_>,
    part: Range<u64>,
    host: &Host,
    out: &mut Out<'_>,
) -> Result<Completion, ArtifactError> {
    match artifact.reads {
        Reads::Files { parse, .. } => parse(file, host, out),
        Reads::Parts { parse, .. } => parse(file, part, host, out),
        _ => Ok(Completion::NotThisFormat),
    }
}

/// Runs one parser on one input, and turns whatever happens into counts and issues. `counted` is false for further parts
/// of an input.
fn job(
    mut out: Out<'_>,
    coverage: &mut Coverage,
    counted: bool,
    parse: impl FnOnce(&mut Out<'_>) -> Result<Completion, ArtifactError>,
) {
    let artifact = out.artifact();
    let result = guarded(|| parse(&mut out));
    match &result {
        Ok(Ok(Completion::Truncated { at })) if !out.rest_lost() => {
            out.issue(Some(*at), Loss::Rest, "the input ends before its content does");
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => out.issue(Some(error.offset()), Loss::Whole, error),
        Err(panic) => out.issue(None, Loss::Whole, panic),
    }
    out.end();
    let counts = coverage.of(artifact);
    let outcome = match result {
        Ok(Ok(Completion::Complete)) => &mut counts.complete,
        Ok(Ok(Completion::Truncated { .. })) => &mut counts.truncated,
        Ok(Ok(Completion::NotThisFormat)) => &mut counts.other_format,
        Ok(Err(_)) | Err(_) => &mut counts.failed,
    };
    if counted {
        *outcome = outcome.saturating_add(1);
        counts.found = counts.found.saturating_add(1);
    }
    counts.events = counts.events.saturating_add(out.events());
    counts.from_logs = counts.from_logs.saturating_add(out.from_logs());
    counts.issues = counts.issues.saturating_add(out.issues());
    for (artifact, words) in out.take_switched_off() {
        // An artifact that this version does not read has no line in coverage.
        if artifacts::by_name(artifact).is_some() {
            coverage.of(artifact).switched_off.insert(words);
        }
    }
}

impl VolumeView for Mounted {
    fn open(&self, path: &str, stream: &str) -> Option<Arc<dyn ReadAt>> {
        let entry = self.files.lookup(path).ok()?;
        self.files.open(&entry, stream).ok()
    }

    fn path_of(&self, reference: FileReference) -> Option<String> {
        let entry = self.files.entry(reference).ok()?;
        entry.primary_name().map(|name| name.path.clone())
    }

    fn display_path(&self, path: &str) -> String {
        Mounted::display_path(self, path)
    }

    fn name_of(&self, reference: FileReference) -> Option<(String, FileReference)> {
        let entry = self.files.entry(reference).ok()?;
        entry.primary_name().map(|name| (name.name.clone(), name.parent))
    }

    fn created(&self, reference: FileReference) -> Option<Timestamp> {
        let entry = self.files.entry(reference).ok().filter(|entry| !entry.deleted)?;
        entry.standard_information?.times.created
    }

    fn allocated_ranges(&self, path: &str, stream: &str) -> Option<Vec<(u64, u64)>> {
        let entry = self.files.lookup(path).ok()?;
        self.files.allocated_ranges(&entry, stream)
    }

    fn index_slack(&self, give: &mut dyn FnMut(Result<SlackName, String>)) {
        let mut issues = Vec::new();
        let mut named = |mut found: SlackName| {
            found.name.path = self.display_path(&found.name.path);
            found.directory_path = self.display_path(&found.directory_path);
            give(Ok(found));
        };
        self.files.index_slack(&mut named, &mut |issue| issues.push(issue));
        for FileSystemIssue { record, error, .. } in issues {
            give(Err(record.map_or_else(|| error.clone(), |record| format!("record {record}: {error}"))));
        }
    }

    fn shadow_copies(&self) -> &[ShadowCopy] {
        &self.shadow_copies.copies
    }
}
