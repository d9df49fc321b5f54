//! The case folder of `analyze`: what is in it while a run works, and how another run goes on with it.
//!
//! While a run works, `.emotrace/` in the case folder holds `lock` (held by the run), `run.json` (what is read and how, and
//! which outputs are finished, with their SHA-256) and `timeline/` (the sorted timeline). Outputs get their names when they
//! are whole. When all are, `manifest.json` is written and `.emotrace/` goes: a folder without it holds a finished case.
//!
//! Whatever is killed when, the next run finds one of: nothing of use (it begins), a kept timeline (it goes on from there),
//! or a finished case.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use emotrace_core::export::{Finished, OutputFile, json, partial_name};
use emotrace_core::timeline::Lock;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::exit::{Exit, Failure};

const WORK: &str = ".emotrace";
const MANIFEST: &str = "manifest.json";

/// What a run reads and how, so that another one can tell whether it would do the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Identity {
    /// Of the program.
    pub(crate) version: String,
    /// Of what the program's catalogue of artifacts can say.
    pub(crate) catalogue: String,
    /// Fingerprint of the evidence.
    pub(crate) evidence: String,
    /// Every choice that the outputs depend on.
    pub(crate) choices: BTreeMap<String, Value>,
}

impl Identity {
    /// Why a run with this identity can't go on with another one's work; `None` if it can.
    fn refuses(&self, other: &Self) -> Option<String> {
        if (&self.version, &self.catalogue) != (&other.version, &other.catalogue) {
            let same = if self.version == other.version { ", built with other artifacts" } else { "" };
            return Some(format!("it was begun by emotrace {}{same}, this is {}", other.version, self.version));
        }
        if self.evidence != other.evidence {
            return Some("it is about other evidence, or the evidence has changed since".to_owned());
        }
        let names = self.choices.keys().chain(other.choices.keys());
        let mut differ: Vec<&str> =
            names.filter(|n| self.choices.get(*n) != other.choices.get(*n)).map(String::as_str).collect();
        differ.sort_unstable();
        differ.dedup();
        (!differ.is_empty()).then(|| format!("it was begun with other choices ({})", differ.join(", ")))
    }
}

/// The state of a run, as `run.json` holds it.
#[derive(Serialize, Deserialize)]
struct State {
    identity: Identity,
    /// When the first of the runs began.
    started: Option<String>,
    outputs: BTreeMap<String, Done>,
}

/// A finished output.
#[derive(Clone, Serialize, Deserialize)]
struct Done {
    bytes: u64,
    sha256: String,
    /// What is told on stderr of it.
    note: Option<String>,
}

/// A case folder that this process works in.
pub(crate) struct CaseFolder {
    path: PathBuf,
    state: State,
    /// The folder held the work of an earlier run.
    pub(crate) resumed: bool,
    lock: Lock,
}

/// What was found in the folder.
pub(crate) enum Opened {
    /// There is work to do.
    Begun(CaseFolder),
    /// The case is finished, and every output is as it was written.
    Finished(Exit),
}

/// What is read of a finished case's manifest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Manifest {
    identity: Option<Identity>,
    issues_with_loss: u64,
    outputs: Vec<ManifestOutput>,
}

#[derive(Deserialize)]
struct ManifestOutput {
    file: String,
    sha256: String,
}

impl CaseFolder {
    /// Opens a folder to write a case into: a new or empty one, or with `resume` one that a run of the same identity has
    /// begun or finished. Anything else is refused, and nothing in it is touched.
    pub(crate) fn open(
        path: &Path,
        identity: Identity,
        started: Option<String>,
        resume: bool,
    ) -> Result<Opened, Failure> {
        let failed = |error| Failure::Output(path.display().to_string(), error);
        fs::create_dir_all(path).map_err(failed)?;
        let mut names: Vec<_> = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        let shown = path.display();
        let work = path.join(WORK);
        let others = names.iter().any(|name| name != WORK);
        let finished = names.iter().any(|name| name == MANIFEST);
        if others && names.iter().all(|name| name != WORK) && !finished {
            return Err(Failure::Message(format!("{shown} is not empty; name a new folder")));
        }
        if finished && !work.join("run.json").exists() {
            return finished_case(path, &identity, resume);
        }
        make_folder(&work)?;
        let lock = Lock::take(&work.join("lock")).map_err(|e| Failure::Output(work.display().to_string(), e))?;
        let Some(lock) = lock else {
            return Err(Failure::Message(format!("another run is writing into {shown}; wait for it, or stop it")));
        };
        // Read with the lock held: until then, the other run may have been at its end.
        let state = read_state(&work)?;
        let (state, resumed) = match state {
            Some(state) if resume => match identity.refuses(&state.identity) {
                Some(why) => {
                    return Err(Failure::Message(format!(
                        "the run in {shown} can't be resumed: {why}; name a new folder"
                    )));
                }
                None => (state, true),
            },
            Some(_) => {
                return Err(Failure::Message(format!(
                    "{shown} holds a run that was stopped; go on with it with --resume, or name a new folder"
                )));
            }
            None if others => return Err(Failure::Message(format!("{shown} is not empty; name a new folder"))),
            None => (State { identity, started, outputs: BTreeMap::new() }, false),
        };
        let case = Self { path: path.to_owned(), state, resumed, lock };
        case.write_state()?;
        Ok(Opened::Begun(case))
    }

    /// Where the sorted timeline is made and kept.
    pub(crate) fn timeline(&self) -> PathBuf {
        self.path.join(WORK).join("timeline")
    }

    /// When the first of the runs began.
    pub(crate) fn started(&self) -> Option<&str> {
        self.state.started.as_deref()
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.state.identity
    }

    /// Takes away what is left of a timeline that can't be used.
    pub(crate) fn clear_timeline(&self) -> Result<(), Failure> {
        let folder = self.timeline();
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::Output(folder.display().to_string(), error))
            }
            _ => Ok(()),
        }
    }

    /// Writes one output, or keeps the one that an earlier run finished if it is as it was written. `write` gives what is to
    /// be told of it.
    pub(crate) fn output(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<Option<String>, Failure>,
    ) -> Result<Finished, Failure> {
        let path = self.path.join(name);
        let failed = |error| Failure::Output(path.display().to_string(), error);
        if let Some(done) = self.state.outputs.get(name)
            && sha256(&path).is_ok_and(|hash| hash == done.sha256)
        {
            let (bytes, sha256) = (done.bytes, done.sha256.clone());
            return Ok(Finished { path, bytes, sha256 });
        }
        let mut file = OutputFile::create_new(&path).map_err(failed)?;
        let note = write(&mut file).map_err(|failure| failure.at(&path))?;
        let finished = file.finish().map_err(failed)?;
        let done = Done { bytes: finished.bytes, sha256: finished.sha256.clone(), note };
        self.state.outputs.insert(name.to_owned(), done);
        self.write_state()?;
        Ok(finished)
    }

    /// What is to be told of the outputs.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let note = |(name, done): (&String, &Done)| done.note.as_ref().map(|note| format!("{name}: {note}"));
        self.state.outputs.iter().filter_map(note)
    }

    /// Writes the manifest and ends the work: the case is finished.
    pub(crate) fn finish(self, manifest: &Value) -> Result<(), Failure> {
        let path = self.path.join(MANIFEST);
        let failed = |error| Failure::Output(path.display().to_string(), error);
        let mut file = OutputFile::create_new(&path).map_err(failed)?;
        json::pretty(manifest, &mut file).map_err(failed)?;
        file.finish().map_err(failed)?;
        // Some systems remove no file that is open.
        drop(self.lock);
        remove_work(&self.path)
    }

    fn write_state(&self) -> Result<(), Failure> {
        let path = self.path.join(WORK).join("run.json");
        let write = || {
            let mut file = OutputFile::create_new(&path)?;
            json::pretty(&self.state, &mut file)?;
            file.finish()
        };
        write().map(|_| ()).map_err(|error| Failure::Output(path.display().to_string(), error))
    }
}

/// A case that is finished: with `resume`, whether it is still what it was.
fn finished_case(path: &Path, identity: &Identity, resume: bool) -> Result<Opened, Failure> {
    let shown = path.display();
    if !resume {
        return Err(Failure::Message(format!("{shown} holds a finished case; name a new folder")));
    }
    let manifest = fs::read(path.join(MANIFEST)).map_err(|e| Failure::Output(path.display().to_string(), e))?;
    let manifest: Manifest = serde_json::from_slice(&manifest).unwrap_or_default();
    let why = match &manifest.identity {
        None => Some("its manifest.json is not this program's".to_owned()),
        Some(other) => identity.refuses(other),
    };
    if let Some(why) = why {
        return Err(Failure::Message(format!("the case in {shown} is another one: {why}; name a new folder")));
    }
    for output in &manifest.outputs {
        if !sha256(&path.join(&output.file)).is_ok_and(|hash| hash == output.sha256) {
            return Err(Failure::Message(format!(
                "the case in {shown} is finished, but {} is not as it was written; name a new folder",
                output.file
            )));
        }
    }
    // Killed at the very end, a run leaves its working folder.
    remove_work(path)?;
    eprintln!("the case in {shown} is finished; every output is as it was written");
    Ok(Opened::Finished(if manifest.issues_with_loss > 0 { Exit::Incomplete } else { Exit::Done }))
}

/// Removes the working folder, its state first: without that, the rest is rubbish.
fn remove_work(path: &Path) -> Result<(), Failure> {
    let work = path.join(WORK);
    let state = work.join("run.json");
    let ignore_missing = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::Output(work.display().to_string(), error))
        }
        _ => Ok(()),
    };
    if let Ok(partial) = partial_name(&state) {
        ignore_missing(fs::remove_file(partial))?;
    }
    ignore_missing(fs::remove_file(state))?;
    ignore_missing(fs::remove_dir_all(&work))
}

/// Makes the working folder. A link in its place leads elsewhere, and is refused.
fn make_folder(work: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::Output(work.display().to_string(), error);
    match fs::create_dir(work) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(failed),
    }
    if fs::symlink_metadata(work).map_err(failed)?.is_dir() {
        return Ok(());
    }
    Err(Failure::Message(format!("{} is not a folder that emotrace made; name a new folder", work.display())))
}

/// What an earlier run has left. A file that is there is whole, for it got its name last; one that can't be read all the
/// same is no run of this program.
fn read_state(work: &Path) -> Result<Option<State>, Failure> {
    let path = work.join("run.json");
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Failure::Message(format!("{} can't be read: {error}; name a new folder", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Output(path.display().to_string(), error)),
    }
}

/// The SHA-256 of a file in lower-case hex. A link is not followed: an output is a file.
#[expect(clippy::disallowed_methods, reason = "an output of an earlier run, not evidence")]
fn sha256(path: &Path) -> io::Result<String> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let (mut file, mut hash, mut buffer) = (fs::File::open(path)?, Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(n) => hash.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
