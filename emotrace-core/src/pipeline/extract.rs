//! Runs every job of the plan on all cores. The only place with threads, and the only one where a panic of a third
//! party's decoder is caught.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;

use super::evidence::{Evidence, Loose, LooseKind, Mounted};
use super::hives::{self, Identity, Remains};
use super::plan::{Found, Plan, Planned, What};
use super::progress::Progress;
use super::run::Options;
use crate::artifacts::{
    self, ArtifactError, Completion, EntryInput, FileInput, KeyInput, Out, Reads, VolumeInput, VolumeView, read_host,
};
use crate::bytes::ReadAt;
use crate::filesystem::FileSystemIssue;
use crate::formats::regf::{Hive, HiveKind};
use crate::model::{Coverage, FileEntry, FileReference, Host, Locator, Loss, ParseIssue, Sink, State};
use crate::timeline::{Job, Timeline, TimelineBuilder, Worker};

/// The name under which coverage counts hives, and issues of hives are listed.
const REGISTRY: &str = "registry";

/// Hives that tell what the host is.
const HOST_HIVES: &[&str] = &["SYSTEM", "SOFTWARE", "SAM", "SECURITY"];

/// Issues of the walk stand behind those of all artifacts.
const WALK: u32 = u32::MAX;

/// What ends a run. All else is an issue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Temporary files or the output can't be written or read back.
    #[error("the output can't be written: {0}")]
    Output(#[source] io::Error),
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
    image_issues: Vec<ParseIssue>,
}

impl Extraction {
    /// What could not be read: first of the image and its volumes, then of the artifacts in the plan's order.
    pub fn issues(&self) -> impl Iterator<Item = &ParseIssue> {
        self.image_issues.iter().chain(self.timeline.issues())
    }
}

/// What one thread holds.
struct Lane {
    worker: Worker,
    coverage: Coverage,
    found: Vec<Found>,
}

/// A run in progress.
struct Run<'r> {
    evidence: &'r Evidence,
    options: &'r Options,
    progress: &'r dyn Progress,
    plan: Plan,
    lanes: Vec<Mutex<Lane>>,
    hosts: Vec<Host>,
}

/// Reads everything that is wanted from the evidence.
///
/// # Errors
/// When temporary files can't be written, or the run was cancelled. Damage in the evidence is no error: see
/// [`Extraction::issues`].
pub fn extract(evidence: &Evidence, options: &Options, progress: &dyn Progress) -> Result<Extraction, RunError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.unwrap_or(0)).build()?;
    let builder = TimelineBuilder::new(artifacts::schema(), options.temporary.as_deref())?;
    let lane = || Mutex::new(Lane { worker: builder.worker(), coverage: Coverage::default(), found: Vec::new() });
    let mut run = Run {
        evidence,
        options,
        progress,
        plan: Plan::new(&options.selection),
        lanes: (0..pool.current_num_threads()).map(|_| lane()).collect(),
        hosts: hosts(evidence, options),
    };
    run.walk(&pool)?;
    let found = run.collect_found();
    run.read_found(&pool, &found)?;
    run.read_volumes(&pool)?;
    run.read_loose();
    let coverage = run.coverage();
    let Run { lanes, hosts, .. } = run;
    drop(lanes);
    let mut image_issues = evidence.issues.clone();
    image_issues.extend(gaps(evidence));
    Ok(Extraction { timeline: builder.finish()?, coverage, hosts, image_issues })
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

/// Reads what the registry tells of each installed system.
pub fn hosts(evidence: &Evidence, options: &Options) -> Vec<Host> {
    let of_volume = |mounted: &Mounted| {
        let hives: Vec<(HiveKind, Hive)> = HOST_HIVES
            .iter()
            .filter_map(|name| {
                let path = format!(r"\Windows\System32\config\{name}");
                let entry = mounted.files.lookup(&path).ok()?;
                let data = mounted.files.open(&entry, "").ok()?;
                let logs = hives::logs_beside(&*mounted.files, &path);
                let hive = guarded(|| hives::open(&*data, &logs, options.replay, options.limits).ok()).ok()??;
                Some((HiveKind::from_path(name)?, hive))
            })
            .collect();
        let mut host = guarded(|| read_host(&borrowed(&hives))).ok()?;
        host.volume.clone_from(&mounted.label);
        (!hives.is_empty()).then_some(host)
    };
    let mut hosts: Vec<Host> = evidence.volumes.iter().filter_map(of_volume).collect();
    let loose: Vec<(HiveKind, Hive)> = evidence.loose.iter().filter_map(|l| loose_hive(l, options).ok()).collect();
    if !loose.is_empty() {
        hosts.extend(guarded(|| read_host(&borrowed(&loose))).ok());
    }
    hosts
}

fn borrowed(hives: &[(HiveKind, Hive)]) -> Vec<(HiveKind, &Hive)> {
    hives.iter().map(|(kind, hive)| (*kind, hive)).collect()
}

fn loose_hive(loose: &Loose, options: &Options) -> Result<(HiveKind, Hive), String> {
    if !matches!(loose.what, LooseKind::Hive) {
        return Err("not a hive".to_owned());
    }
    let hive = guarded(|| hives::open(&*loose.data, &loose.logs(), options.replay, options.limits))?;
    let hive = hive.map_err(|error| error.to_string())?;
    Ok((HiveKind::from_content(&hive), hive))
}

/// The drive letter of a volume is what its own host says, or what the collection says.
fn letter(mounted: &Mounted, hosts: &[Host]) -> Option<char> {
    let is_own = |h: &&Host| h.volume == mounted.label;
    mounted.letter.or_else(|| hosts.iter().find(is_own).and_then(|h| h.system_drive))
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

    fn mounted(&self, volume: usize) -> Mounted {
        let mounted = &self.evidence.volumes[volume];
        Mounted {
            label: mounted.label.clone(),
            letter: letter(mounted, &self.hosts),
            files: Arc::clone(&mounted.files),
        }
    }

    /// One pass over every file system serves all artifacts.
    fn walk(&self, pool: &ThreadPool) -> Result<(), RunError> {
        let volumes: Vec<Mounted> = (0..self.evidence.volumes.len()).map(|v| self.mounted(v)).collect();
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
                self.walk_part(input, *volume, *part, &volumes[*volume], &hosts[*volume]);
                self.progress.advance(1);
                Ok(())
            })
        })
    }

    fn walk_part(&self, input: usize, volume: usize, part: usize, mounted: &Mounted, host: &Host) {
        let input = u32::try_from(input).unwrap_or(u32::MAX);
        let mut entries: Vec<FileEntry> = Vec::new();
        let mut issues: Vec<FileSystemIssue> = Vec::new();
        let walked = guarded(|| mounted.files.walk(part, &mut |entry| entries.push(entry), &mut |i| issues.push(i)));
        let mut lane = self.lane();
        let Lane { worker, coverage, found } = &mut *lane;
        let image = &self.evidence.label;
        for entry in &entries {
            self.plan.find(volume, mounted, entry, found);
        }
        for planned in &self.plan.entries {
            let Reads::Entries { parse } = planned.artifact.reads else { continue };
            worker.start(Job { artifact: planned.index, input });
            for entry in &entries {
                let path = entry.primary_name().map_or("", |n| n.path.as_str());
                if !self.plan.wants_entry(&mounted.display_path(path)) {
                    continue;
                }
                let locator = Arc::new(mounted.locator(image, entry, path, ""));
                let out = Out::new(worker, planned.artifact.name, Arc::clone(&locator), state(entry));
                job(out, coverage, |out| parse(&EntryInput { locator, entry }, host, out));
            }
        }
        worker.start(Job { artifact: WALK, input });
        let place = |record: Option<u64>| {
            let record = record.map(|record| FileReference { record, sequence: 0 });
            Arc::new(Locator { image: image.clone(), volume: mounted.label.clone(), record, ..Locator::default() })
        };
        if let Err(panic) = walked {
            issues.push(FileSystemIssue { record: None, offset: None, loss: Loss::Rest, error: panic });
        }
        for FileSystemIssue { record, offset, loss, error } in issues {
            worker.issue(ParseIssue { locator: place(record), artifact: "ntfs", offset, loss, error });
        }
    }

    /// What the walk found, in an order that does not depend on the threads.
    fn collect_found(&mut self) -> Vec<Found> {
        let lanes = self.lanes.iter_mut().map(|lane| lane.get_mut().unwrap_or_else(PoisonError::into_inner));
        let mut found: Vec<Found> = lanes.flat_map(|lane| std::mem::take(&mut lane.found)).collect();
        found.sort_by(|a, b| a.order().cmp(&b.order()));
        found
    }

    fn read_found(&self, pool: &ThreadPool, found: &[Found]) -> Result<(), RunError> {
        self.progress.phase("reading artifacts", found.len() as u64);
        let volumes: Vec<Mounted> = (0..self.evidence.volumes.len()).map(|v| self.mounted(v)).collect();
        let hosts: Vec<Host> = volumes.iter().map(|mounted| self.host(Some(mounted))).collect();
        pool.install(|| {
            found.par_iter().enumerate().with_max_len(1).try_for_each(|(input, found)| {
                self.options.check()?;
                let input = u32::try_from(input).unwrap_or(u32::MAX);
                let (mounted, host) = (&volumes[found.volume], &hosts[found.volume]);
                match found.what {
                    What::File(planned) => self.read_file(input, found, planned, mounted, host),
                    What::Hive => self.read_hive_file(input, found, mounted, host),
                }
                self.progress.advance(1);
                Ok(())
            })
        })
    }

    fn read_file(&self, input: u32, found: &Found, planned: Planned, mounted: &Mounted, host: &Host) {
        let Reads::Files { parse, .. } = planned.artifact.reads else { return };
        let entry = &*found.entry;
        let locator = Arc::new(mounted.locator(&self.evidence.label, entry, &found.path, &found.stream));
        let mut lane = self.lane();
        let Lane { worker, coverage, .. } = &mut *lane;
        worker.start(Job { artifact: planned.index, input });
        let out = Out::new(worker, planned.artifact.name, Arc::clone(&locator), state(entry));
        job(out, coverage, |out| {
            let read = |source| ArtifactError::Read { offset: 0, source };
            let data = mounted.files.open(entry, &found.stream).map_err(read)?;
            let limits = self.options.limits;
            parse(&FileInput { locator, data: &*data, entry: Some(entry), limits }, host, out)
        });
    }

    fn read_hive_file(&self, input: u32, found: &Found, mounted: &Mounted, host: &Host) {
        let entry = &*found.entry;
        let locator = Arc::new(mounted.locator(&self.evidence.label, entry, &found.path, ""));
        // The logs beside a deleted hive's old path belong to whatever took its place.
        let logs = if entry.deleted { Vec::new() } else { hives::logs_beside(&*mounted.files, &found.path) };
        let hive = mounted.files.open(entry, "").map_err(|error| error.to_string()).and_then(|data| {
            guarded(|| hives::open(&*data, &logs, self.options.replay, self.options.limits))?
                .map_err(|error| error.to_string())
        });
        self.read_hive(input, hive, &found.path, &locator, state(entry), host);
    }

    /// Gives every matching key of a hive to the artifacts that want it.
    fn read_hive(
        &self,
        input: u32,
        hive: Result<Hive, String>,
        path: &str,
        locator: &Arc<Locator>,
        state: State,
        host: &Host,
    ) {
        let mut lane = self.lane();
        let Lane { worker, coverage, .. } = &mut *lane;
        worker.start(Job { artifact: WALK, input });
        let mut registry = Out::new(worker, REGISTRY, Arc::clone(locator), state);
        let counts = coverage.of(REGISTRY);
        counts.found = counts.found.saturating_add(1);
        let hive = match hive {
            Ok(hive) => hive,
            Err(error) => {
                counts.failed = counts.failed.saturating_add(1);
                counts.issues = counts.issues.saturating_add(1);
                return registry.issue(None, Loss::Whole, error);
            }
        };
        for issue in hive.issues() {
            registry.issue(Some(issue.offset), issue.loss, issue.error);
        }
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
        for planned in &self.plan.keys {
            let Reads::RegKeys { keys, parse } = planned.artifact.reads else { continue };
            worker.start(Job { artifact: planned.index, input });
            let found = guarded(|| {
                hives::for_each_match(&hive, &identity, keys, locator, &mut |key: &KeyInput<'_>| {
                    let out = Out::new(worker, planned.artifact.name, Arc::clone(locator), state);
                    job(out.with_user(identity.account()), coverage, |out| parse(key, host, out));
                });
                let Some(remains) = &remains else { return };
                let values = artifacts::ROW_PER_VALUE.contains(&planned.artifact.name);
                remains.for_each_match(&identity, keys, values, locator, &mut |key, lost| {
                    // All that a deleted hive holds is deleted.
                    let state = if state == State::Live { lost } else { state };
                    let out = Out::new(worker, planned.artifact.name, Arc::clone(locator), state);
                    job(out.with_user(identity.account()), coverage, |out| parse(key, host, out));
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
                let mounted = self.mounted(*volume);
                let host = self.host(Some(&mounted));
                let (image, label) = (self.evidence.label.clone(), mounted.label.clone());
                let locator = Arc::new(Locator { image, volume: label, ..Locator::default() });
                let Reads::Volume { parse } = planned.artifact.reads else { return Ok(()) };
                let input = u32::try_from(*volume).unwrap_or(u32::MAX);
                let mut lane = self.lane();
                let Lane { worker, coverage, .. } = &mut *lane;
                worker.start(Job { artifact: planned.index, input });
                let out = Out::new(worker, planned.artifact.name, Arc::clone(&locator), State::Live);
                let limits = self.options.limits;
                job(out, coverage, |out| parse(&VolumeInput { locator, volume: &mounted, limits }, &host, out));
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
                    let hive = loose_hive(loose, self.options).map(|(_, hive)| hive);
                    self.read_hive(input, hive, &loose.name, &locator, State::Live, &host);
                }
                LooseKind::Artifact(artifact) => {
                    let Some((planned, _)) = self.plan.files.iter().find(|(p, _)| p.artifact.name == artifact.name)
                    else {
                        continue;
                    };
                    let Reads::Files { parse, .. } = artifact.reads else { continue };
                    let mut lane = self.lane();
                    let Lane { worker, coverage, .. } = &mut *lane;
                    worker.start(Job { artifact: planned.index, input });
                    let out = Out::new(worker, artifact.name, Arc::clone(&locator), State::Live);
                    let limits = self.options.limits;
                    job(out, coverage, |out| {
                        parse(&FileInput { locator, data: &*loose.data, entry: None, limits }, &host, out)
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
            if no_mft && matches!(artifact.reads, Reads::Entries { .. } | Reads::Volume { .. }) {
                let why = "this evidence holds no file system, only copies of files";
                counts.not_available = Some(why.to_owned());
            }
        }
        for lane in &mut self.lanes {
            all.merge(&lane.get_mut().unwrap_or_else(PoisonError::into_inner).coverage);
        }
        all
    }
}

const fn state(entry: &FileEntry) -> State {
    if entry.deleted { State::Deleted } else { State::Live }
}

/// Runs one parser on one input, and turns whatever happens into counts and issues.
fn job(
    mut out: Out<'_>,
    coverage: &mut Coverage,
    parse: impl FnOnce(&mut Out<'_>) -> Result<Completion, ArtifactError>,
) {
    let artifact = out.artifact();
    let result = guarded(|| parse(&mut out));
    match &result {
        Ok(Ok(Completion::Truncated { at })) => {
            out.issue(Some(*at), Loss::Rest, "the input ends before its content does");
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => out.issue(Some(error.offset()), Loss::Whole, error),
        Err(panic) => out.issue(None, Loss::Whole, panic),
    }
    let counts = coverage.of(artifact);
    let outcome = match result {
        Ok(Ok(Completion::Complete)) => &mut counts.complete,
        Ok(Ok(Completion::Truncated { .. })) => &mut counts.truncated,
        Ok(Ok(Completion::NotThisFormat)) => &mut counts.other_format,
        Ok(Err(_)) | Err(_) => &mut counts.failed,
    };
    *outcome = outcome.saturating_add(1);
    counts.found = counts.found.saturating_add(1);
    counts.events = counts.events.saturating_add(out.events());
    counts.issues = counts.issues.saturating_add(out.issues());
}

/// Runs code that a third party's decoder may make panic. Nothing that it touched is used afterwards except sinks, whose
/// state is whole after every call.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| format!("the decoder gave up: {}", panic_text(&*panic)))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}

impl VolumeView for Mounted {
    fn open(&self, path: &str, stream: &str) -> Option<Arc<dyn ReadAt>> {
        let entry = self.files.lookup(path).ok()?;
        self.files.open(&entry, stream).ok()
    }

    fn path_of(&self, reference: FileReference) -> Option<String> {
        let entry = self.files.entry(reference).ok()?;
        entry.primary_name().map(|name| self.display_path(&name.path))
    }

    fn name_of(&self, reference: FileReference) -> Option<(String, FileReference)> {
        let entry = self.files.entry(reference).ok()?;
        entry.primary_name().map(|name| (name.name.clone(), name.parent))
    }

    fn allocated_ranges(&self, path: &str, stream: &str) -> Option<Vec<(u64, u64)>> {
        let entry = self.files.lookup(path).ok()?;
        self.files.allocated_ranges(&entry, stream)
    }
}
