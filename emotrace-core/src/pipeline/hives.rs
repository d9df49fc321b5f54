//! Registry hives: found by where they lie, opened with their logs, and searched by key patterns.

use std::sync::Arc;

use super::address::{Address, Target};
use super::evidence::{Evidence, LooseKind};
use crate::artifacts::{KeyInput, Limits};
use crate::bytes::{FormatError, ReadAt, read_up_to};
use crate::filesystem::FileSystem;
use crate::filesystem::glob::{Pattern, folded, name_matches};
use crate::formats::guard::guarded;
use crate::formats::regf::{Hive, HiveKind, HiveOptions, Key};
use crate::model::{FileEntry, HiveCoverage, Host, Locator, Replayed, State, User};

/// Names of the transaction logs beside a hive.
pub(super) const LOG_SUFFIXES: &[&str] = &[".LOG1", ".LOG2", ".LOG"];

/// Most keys that one pattern may visit in one hive: a bound against hives that are made to be slow.
const MAX_KEYS: usize = 20_000_000;

/// Reads a hive and its logs.
pub(super) fn open(
    data: &dyn ReadAt,
    logs: &[Arc<dyn ReadAt>],
    replay: bool,
    limits: Limits,
) -> Result<Hive, FormatError> {
    let options = HiveOptions { replay, max_bytes: limits.max_whole_file };
    let bytes = whole(data, limits)?;
    // A log that can't be read is as good as none: the hive says itself that it is dirty.
    let logs: Vec<Vec<u8>> = logs.iter().filter_map(|log| whole(&**log, limits).ok()).collect();
    Hive::parse(bytes, &logs, options)
}

fn whole(data: &dyn ReadAt, limits: Limits) -> Result<Vec<u8>, FormatError> {
    let (len, limit) = (data.len(), limits.max_whole_file);
    if len > limit {
        return Err(FormatError::Limit { what: "the hive", offset: 0, value: len, limit });
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let n = read_up_to(data, 0, &mut bytes).map_err(|error| FormatError::Other {
        what: "the hive",
        offset: 0,
        problem: error.to_string(),
    })?;
    bytes.truncate(n);
    Ok(bytes)
}

/// The logs that lie beside a hive.
pub(super) fn logs_beside(files: &dyn FileSystem, path: &str) -> Vec<Arc<dyn ReadAt>> {
    named_logs_beside(files, path).into_iter().map(|(_, data)| data).collect()
}

/// The logs that lie beside a hive, with their paths.
fn named_logs_beside(files: &dyn FileSystem, path: &str) -> Vec<(String, Arc<dyn ReadAt>)> {
    LOG_SUFFIXES
        .iter()
        .filter_map(|suffix| {
            let path = format!("{path}{suffix}");
            let entry: FileEntry = files.lookup(&path).ok()?;
            Some((path, files.open(&entry, "").ok()?))
        })
        .collect()
}

/// True if a hive lies there, by its name.
pub(super) fn is_hive_path(path: &str) -> bool {
    HiveKind::from_path(path).is_some()
}

/// True if the content begins with the mark of a hive.
pub(super) fn begins_like_hive(data: &dyn ReadAt) -> bool {
    let mut head = [0; 4];
    read_up_to(data, 0, &mut head).is_ok_and(|n| n == head.len()) && &head == b"regf"
}

/// One hive of the evidence, opened by itself, to look at what a row says of it.
pub struct OneHive {
    /// The hive, its logs replayed if that was asked for.
    pub hive: Hive,
    /// Where it lies.
    pub place: String,
    /// What it is.
    pub kind: HiveKind,
    /// The account that it belongs to, or the profile's folder.
    pub account: Option<String>,
    /// How rows write the path of its root key, for example `HKEY_LOCAL_MACHINE\SOFTWARE`.
    pub root: String,
    /// Names of the transaction logs that lie beside it, in the order in which [`crate::formats::regf::Replay`] counts them.
    pub logs: Vec<String>,
}

impl OneHive {
    /// Opens the hive at a place of an image or folder, or the single hive that the evidence is.
    ///
    /// # Errors
    /// In words, when there is none or it can't be read.
    pub fn open(evidence: &Evidence, place: Option<&Address>, replay: bool) -> Result<Self, String> {
        let words = |error: std::io::Error| error.to_string();
        let Some(address) = place else {
            let loose = evidence.loose.iter().find(|loose| matches!(loose.what, LooseKind::Hive));
            let loose = loose.ok_or("this is not a single hive: name the place of a hive in it")?;
            let host = evidence.hosts.first().cloned().unwrap_or_default();
            let logs = loose.logs();
            let names = logs.iter().map(|(name, _)| name.clone()).collect();
            let logs: Vec<_> = logs.into_iter().map(|(_, data)| data).collect();
            return Self::read(&*loose.data, &logs, (&loose.name, &loose.name), names, &host, replay);
        };
        let volume = address.volume(evidence).map_err(words)?;
        let entry = address.entry(volume).map_err(words)?;
        let data = volume.files.open(&entry, &address.stream).map_err(words)?;
        let path = match &address.target {
            Target::Path(path) => path.clone(),
            Target::Record(_) => entry.primary_name().map(|name| name.path.clone()).unwrap_or_default(),
        };
        let logs = if entry.deleted { Vec::new() } else { named_logs_beside(&*volume.files, &path) };
        let names = logs.iter().map(|(name, _)| name.clone()).collect();
        let logs: Vec<_> = logs.into_iter().map(|(_, data)| data).collect();
        let of_volume = |host: &&Host| host.volume == volume.label;
        let host = evidence.hosts.iter().find(of_volume).or(evidence.hosts.first()).cloned().unwrap_or_default();
        let place = volume.locator(&evidence.label, &entry, &path, &address.stream);
        Self::read(&*data, &logs, (&place.path, &place.to_string()), names, &host, replay)
    }

    fn read(
        data: &dyn ReadAt,
        logs: &[Arc<dyn ReadAt>],
        (path, place): (&str, &str),
        names: Vec<String>,
        host: &Host,
        replay: bool,
    ) -> Result<Self, String> {
        let hive = guarded(|| open(data, logs, replay, Limits::default()))?.map_err(|error| error.to_string())?;
        let identity = Identity::of(&hive, path, host);
        let (kind, account, root) = (identity.kind, identity.account(), identity.full_path(""));
        Ok(Self { hive, place: place.to_owned(), kind, account, root, logs: names })
    }
}

/// What a hive is, to whom it belongs, and what its root is called in output.
pub(super) struct Identity<'h> {
    pub(super) kind: HiveKind,
    pub(super) user: Option<&'h User>,
    /// Profile folder of a user's hive whose account is not known.
    profile: Option<String>,
}

impl<'h> Identity<'h> {
    /// By place and by content: where both speak, content wins unless it says nothing.
    pub(super) fn of(hive: &Hive, path: &str, host: &'h Host) -> Self {
        let by_content = HiveKind::from_content(hive);
        let kind = match (by_content, HiveKind::from_path(path)) {
            (HiveKind::Other, Some(kind)) => kind,
            // DEFAULT and service profiles look like any user's hive.
            (HiveKind::NtUser, Some(HiveKind::Default)) => HiveKind::Default,
            (kind, _) => kind,
        };
        if kind == HiveKind::Default {
            return Self { kind, user: host.user_by_sid(LOCAL_SYSTEM), profile: None };
        }
        if !matches!(kind, HiveKind::NtUser | HiveKind::UsrClass) {
            // A hive of an app belongs to the user in whose profile it lies.
            let within = |user: &&User| user.profile.as_deref().is_some_and(|p| lies_in(tail(path), tail(p)));
            return Self { kind, user: host.users.iter().find(within), profile: None };
        }
        let folder = profile_folder(path);
        let same = |user: &&User| {
            user.profile.as_deref().is_some_and(|p| tail(p).eq_ignore_ascii_case(tail(&folder)) && !folder.is_empty())
        };
        let user = host.users.iter().find(same);
        let profile = folder.rsplit('\\').next().filter(|n| !n.is_empty()).map(str::to_owned);
        Self { kind, user, profile }
    }

    /// The account as rows name it.
    pub(super) fn account(&self) -> Option<String> {
        self.user.map(|u| u.name.clone().unwrap_or_else(|| u.sid.clone())).or_else(|| self.profile.clone())
    }

    /// The path of a key as an analyst writes it.
    pub(super) fn full_path(&self, path: &str) -> String {
        let owner = || self.user.map(|u| u.sid.clone()).or_else(|| self.profile.clone()).unwrap_or_default();
        let root = match self.kind {
            HiveKind::Software => r"HKEY_LOCAL_MACHINE\SOFTWARE".to_owned(),
            HiveKind::System => r"HKEY_LOCAL_MACHINE\SYSTEM".to_owned(),
            HiveKind::Sam => r"HKEY_LOCAL_MACHINE\SAM".to_owned(),
            HiveKind::Security => r"HKEY_LOCAL_MACHINE\SECURITY".to_owned(),
            HiveKind::Default => r"HKEY_USERS\.DEFAULT".to_owned(),
            HiveKind::NtUser => join(r"HKEY_USERS", &owner()),
            HiveKind::UsrClass => join(r"HKEY_USERS", &format!("{}_Classes", owner())),
            kind => kind.name().to_owned(),
        };
        join(&root, path)
    }
}

/// The folder of the profile that a user's hive lies in.
fn profile_folder(path: &str) -> String {
    let folder = path.rsplit_once('\\').map_or("", |(folder, _)| folder);
    let lower = folder.to_ascii_lowercase();
    let inner = [r"\appdata\local\microsoft\windows", r"\local settings\application data\microsoft\windows"];
    let cut = inner.iter().find_map(|i| lower.strip_suffix(i)).map_or(folder.len(), str::len);
    folder.get(..cut).unwrap_or(folder).to_owned()
}

/// The account that `DEFAULT` belongs to: `HKEY_USERS\.DEFAULT` is another name of `HKEY_USERS\S-1-5-18`.
const LOCAL_SYSTEM: &str = "S-1-5-18";

/// True if the path lies in that folder.
fn lies_in(path: &str, folder: &str) -> bool {
    let (folder, rest) = (folder.trim_end_matches('\\'), path.get(folder.trim_end_matches('\\').len()..));
    let head = path.get(..folder.len());
    !folder.is_empty()
        && head.is_some_and(|head| head.eq_ignore_ascii_case(folder))
        && rest.is_some_and(|rest| rest.starts_with('\\'))
}

/// True if patterns for the first kind are meant for hives of the second: DEFAULT is the hive of a user like any other.
fn serves(pattern: &str, kind: HiveKind) -> bool {
    pattern.eq_ignore_ascii_case(kind.name())
        || (kind == HiveKind::Default && pattern.eq_ignore_ascii_case(HiveKind::NtUser.name()))
}

/// A path without its drive.
fn tail(path: &str) -> &str {
    path.split_once(':').map_or(path, |(_, rest)| rest)
}

fn join(root: &str, path: &str) -> String {
    match (root.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => root.to_owned(),
        _ => format!("{root}\\{path}"),
    }
}

/// What coverage says of a hive.
pub(super) fn covered(
    hive: &Hive,
    identity: &Identity<'_>,
    remains: Option<&Remains<'_>>,
    locator: &Locator,
) -> HiveCoverage {
    let replay = hive.replay();
    let replayed = replay.entries.first().zip(replay.entries.last()).map(|(first, last)| Replayed {
        entries: replay.entries.len() as u64,
        first_sequence: first.sequence,
        last_sequence: last.sequence,
        pages: replay.pages(),
    });
    HiveCoverage {
        place: locator.to_string(),
        kind: identity.kind.name().to_owned(),
        user: identity.account(),
        keys: hive.key_count() as u64,
        deleted_keys: remains.map_or(0, |remains| remains.keys.len() as u64),
        dirty: replay.dirty,
        replayed,
    }
}

/// Visits every key of the hive that one of the patterns means, each key once per pattern.
pub(super) fn for_each_match<'h>(
    hive: &'h Hive,
    identity: &'h Identity<'h>,
    patterns: &[&str],
    locator: &Arc<Locator>,
    visit: &mut dyn FnMut(&KeyInput<'h>),
) {
    let Some(root) = hive.root() else { return };
    for pattern in patterns {
        let pattern = folded(pattern);
        let Some((kind, path)) = pattern.split_once('\\') else { continue };
        if !serves(kind, identity.kind) {
            continue;
        }
        let components: Vec<&str> = path.split('\\').filter(|c| !c.is_empty()).collect();
        let mut budget = MAX_KEYS;
        search(&root, &mut String::new(), &components, &mut budget, &mut |key, path| {
            visit(&KeyInput {
                locator: Arc::clone(locator),
                hive: identity.kind,
                path: identity.full_path(path),
                user: identity.user,
                key,
            });
        });
    }
}

/// Deleted keys and values of one hive, as keys that can be read like live ones.
pub(super) struct Remains<'h> {
    keys: Vec<(Key<'h>, State)>,
    values: Vec<(Key<'h>, State)>,
}

impl<'h> Remains<'h> {
    pub(super) fn of(hive: &'h Hive) -> Self {
        let deleted = hive.deleted();
        Self { keys: deleted.as_keys(hive), values: deleted.as_keys_of_values(hive) }
    }

    /// Visits what one of the patterns means, each key once; deleted values of live keys only where `values` says so.
    pub(super) fn for_each_match(
        &self,
        identity: &Identity<'h>,
        patterns: &[&str],
        values: bool,
        locator: &Arc<Locator>,
        visit: &mut dyn FnMut(&KeyInput<'h>, State),
    ) {
        let patterns: Vec<Pattern> = patterns
            .iter()
            .map(|pattern| folded(pattern))
            .filter_map(|pattern| {
                let (of, path) = pattern.split_once('\\')?;
                serves(of, identity.kind).then(|| Pattern::new(&path.replace("currentcontrolset", "controlset*")))
            })
            .collect();
        let of_values = self.values.iter().filter(|_| values);
        for (key, state) in self.keys.iter().chain(of_values) {
            let path = key.path();
            if !patterns.iter().any(|pattern| pattern.matches(&folded(&path), "")) {
                continue;
            }
            let input = KeyInput {
                locator: Arc::clone(locator),
                hive: identity.kind,
                path: identity.full_path(&path),
                user: identity.user,
                key: key.clone(),
            };
            visit(&input, *state);
        }
    }
}

/// Goes down from a key along the components. The depth is bounded by the pattern, except below `**`, where the hive's
/// own tree bounds it: the decoder gives no cycles. `path` is the key's own; to ask each key for its path would be to go up
/// from it again.
fn search<'h>(
    key: &Key<'h>,
    path: &mut String,
    components: &[&str],
    budget: &mut usize,
    found: &mut dyn FnMut(Key<'h>, &str),
) {
    if *budget == 0 {
        return;
    }
    *budget -= 1;
    let Some((first, rest)) = components.split_first() else { return found(key.clone(), path) };
    if *first == "**" {
        // It may stand for no component at all.
        search(key, path, rest, budget, found);
    }
    let mut below = |child: &Key<'h>, components: &[&str], path: &mut String| {
        let length = path.len();
        if length > 0 {
            path.push('\\');
        }
        path.push_str(&child.name());
        search(child, path, components, budget, found);
        path.truncate(length);
    };
    match *first {
        "**" => {
            for child in key.subkeys().into_iter().flatten() {
                below(&child, components, path);
            }
        }
        "currentcontrolset" => {
            let is_set = |name: &str| name.to_ascii_lowercase().starts_with("controlset");
            for child in key.subkeys().into_iter().flatten().filter(|k| is_set(&k.name())) {
                below(&child, rest, path);
            }
        }
        wild if wild.contains('*') => {
            for child in key.subkeys().into_iter().flatten().filter(|k| name_matches(wild, &folded(&k.name()))) {
                below(&child, rest, path);
            }
        }
        name => {
            if let Some(child) = key.subkey(name) {
                below(&child, rest, path);
            }
        }
    }
}
