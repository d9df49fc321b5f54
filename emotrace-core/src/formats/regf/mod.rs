//! Registry hives (REGF): the live tree, values, transaction logs, deleted keys and values.
//!
//! `cell.rs` reads the structures, `live.rs` walks the tree, `log.rs` replays transaction logs before that, `deleted.rs`
//! finds what is no longer part of the tree.
//!
//! A hive is read as far as it is whole. What is not whole is named: by [`Key::subkeys`] and [`Key::values`] for one key,
//! by [`Hive::issues`] for all of the hive.

mod cell;
mod deleted;
mod live;
mod log;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::bytes::{FormatError, text};
use crate::model::{Loss, Timestamp, Value};

pub use cell::BaseBlock;
use cell::{BASE_BLOCK, BIN_HEADER, Cells, NONE, Nk, PAGE, SEGMENT, Vk, file_offset};
pub use deleted::{Certainty, Deleted, DeletedKey, DeletedValue, ORPHAN};
use live::{LiveKey, Tree};
pub use log::{AppliedEntry, Replay};

/// What a hive is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HiveKind {
    /// `NTUSER.DAT`: a user's settings, `HKEY_USERS\<SID>`.
    NtUser,
    /// `UsrClass.dat`: a user's classes, `HKEY_USERS\<SID>_Classes`.
    UsrClass,
    /// `System32\config\SOFTWARE`.
    Software,
    /// `System32\config\SYSTEM`.
    System,
    /// `System32\config\SAM`: local accounts.
    Sam,
    /// `System32\config\SECURITY`.
    Security,
    /// `System32\config\DEFAULT`: the settings of the local system account, `HKEY_USERS\.DEFAULT`.
    Default,
    /// `AppCompat\Programs\Amcache.hve`.
    Amcache,
    /// `System32\config\BBI`: background activity.
    Bbi,
    /// `settings.dat` of a packaged app.
    Settings,
    /// `Boot\BCD`: boot configuration.
    Bcd,
    /// `System32\config\COMPONENTS`.
    Components,
    /// `System32\config\DRIVERS`.
    Drivers,
    /// `System32\config\ELAM`: early launch anti-malware.
    Elam,
    /// Any other hive.
    Other,
}

/// Ends of file names that often hold a hive, and folders in which every file may be one: backups, hives of apps and of
/// Windows' own stores, copies that somebody made. Only the content says whether they do.
const LIKELY_ENDS: &[&str] = &[".hve", ".hiv", ".hive", ".regf", ".sav", ".man"];
const LIKELY_NAMES: &[&str] =
    &["user.dat", "userclasses.dat", "registry.dat", "activationstore.dat", "schema.dat", "cmi-create.hive"];
const LIKELY_FOLDERS: &[&str] = &[r"\system32\config", r"\system32\config\regback", r"\windows\repair"];
/// What lies beside hives and begins like one, or is none.
const BESIDE_ENDS: &[&str] = &[".log", ".log1", ".log2", ".blf", ".regtrans-ms", ".evt", ".evtx"];

/// Files that are always the same hive, wherever they lie.
const FILE_NAMES: &[(&str, HiveKind)] = &[
    ("NTUSER.DAT", HiveKind::NtUser),
    ("NTUSER.MAN", HiveKind::NtUser),
    ("UsrClass.dat", HiveKind::UsrClass),
    ("SOFTWARE", HiveKind::Software),
    ("SYSTEM", HiveKind::System),
    ("SAM", HiveKind::Sam),
    ("SECURITY", HiveKind::Security),
    ("DEFAULT", HiveKind::Default),
    ("Amcache.hve", HiveKind::Amcache),
    ("BBI", HiveKind::Bbi),
    ("settings.dat", HiveKind::Settings),
    ("BCD", HiveKind::Bcd),
    ("COMPONENTS", HiveKind::Components),
    ("DRIVERS", HiveKind::Drivers),
    ("ELAM", HiveKind::Elam),
];

/// Keys by which a hive is known, together: two of them, or one and the name in the base block.
const MARKS: &[(HiveKind, &[&str])] = &[
    (
        HiveKind::NtUser,
        &["Control Panel", "Console", "Environment", "Keyboard Layout", "AppEvents", "EUDC", "Network", "Printers"],
    ),
    (
        HiveKind::UsrClass,
        &[
            r"Local Settings\Software\Microsoft\Windows",
            r"Local Settings\MuiCache",
            r"Local Settings\MrtCache",
            "ActivatableClasses",
            "AppX82a6gwre4fdg3bt635tn5ctqjf8msdd2",
            "CLSID",
            "Extensions",
            "VirtualStore",
        ],
    ),
    (
        HiveKind::Software,
        &[
            r"Microsoft\Windows NT\CurrentVersion",
            r"Microsoft\Windows\CurrentVersion",
            r"Classes\CLSID",
            "RegisteredApplications",
            "WOW6432Node",
            "Clients",
            "ODBC",
        ],
    ),
    (
        HiveKind::System,
        &[r"ControlSet001\Services", r"ControlSet001\Control", "Select", "MountedDevices", "Setup", "WPA"],
    ),
    (HiveKind::Sam, &[r"SAM\Domains\Account", r"SAM\Domains\Builtin", r"SAM\RXACT"]),
    (HiveKind::Security, &[r"Policy\Accounts", r"Policy\PolEKList", r"Policy\PolAdtEv", "Cache", "RXACT"]),
    (
        HiveKind::Amcache,
        &[
            r"Root\File",
            r"Root\Programs",
            r"Root\InventoryApplication",
            r"Root\InventoryApplicationFile",
            r"Root\InventoryDriverBinary",
            r"Root\InventoryDevicePnp",
            r"Root\Orphan",
            r"Root\Generic",
        ],
    ),
    (HiveKind::Settings, &["LocalState", "RoamingState"]),
    (HiveKind::Bcd, &["Objects", "Description"]),
    (HiveKind::Components, &["CanonicalData", "DerivedData", "ServicingStackVersions"]),
    (HiveKind::Drivers, &[r"DriverDatabase\DriverPackages", r"DriverDatabase\DeviceIds"]),
    (HiveKind::Elam, &["Windows Defender", "Microsoft Antimalware Platform"]),
];

impl HiveKind {
    /// The name used in patterns and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NtUser => "NTUSER",
            Self::UsrClass => "USRCLASS",
            Self::Software => "SOFTWARE",
            Self::System => "SYSTEM",
            Self::Sam => "SAM",
            Self::Security => "SECURITY",
            Self::Default => "DEFAULT",
            Self::Amcache => "AMCACHE",
            Self::Bbi => "BBI",
            Self::Settings => "SETTINGS",
            Self::Bcd => "BCD",
            Self::Components => "COMPONENTS",
            Self::Drivers => "DRIVERS",
            Self::Elam => "ELAM",
            Self::Other => "OTHER",
        }
    }

    /// The kind by the last component of a path. A name is a hint: [`HiveKind::from_content`] looks inside.
    pub fn from_path(path: &str) -> Option<Self> {
        let name = path.rsplit(['\\', '/']).next()?;
        FILE_NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }

    /// True if a hive may lie there although [`HiveKind::from_path`] does not know the name: the content decides.
    pub fn is_likely_path(path: &str) -> bool {
        let (folder, name) = path.rsplit_once(['\\', '/']).unwrap_or(("", path));
        let is_end = |text: &str, end: &str| {
            let at = text.len().checked_sub(end.len());
            at.and_then(|at| text.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        let starts = |start: &str| name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
        let likely = starts("ntuser")
            || starts("usrclass")
            || LIKELY_ENDS.iter().any(|end| is_end(name, end))
            || LIKELY_NAMES.iter().any(|likely| name.eq_ignore_ascii_case(likely))
            || LIKELY_FOLDERS.iter().any(|likely| is_end(folder, likely));
        likely && !BESIDE_ENDS.iter().any(|end| is_end(name, end))
    }

    /// The kind by what the hive holds: several keys together, and the file name that its base block gives. One key alone
    /// decides nothing, and none is needed.
    pub fn from_content(hive: &Hive) -> Self {
        let named = Self::from_path(&hive.base().file_name);
        let score = |kind: Self, marks: &[&str]| {
            let found = marks.iter().filter(|mark| hive.find(mark).is_some()).count();
            found.saturating_add(if named == Some(kind) { 1 } else { 0 })
        };
        let best = MARKS
            .iter()
            .map(|(kind, marks)| (score(*kind, marks), *kind))
            // The first of equals.
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .filter(|(score, _)| *score >= 2)
            .map(|(_, kind)| kind);
        match (best, named) {
            // DEFAULT is a user's hive by content.
            (Some(Self::NtUser), Some(Self::Default)) => Self::Default,
            (Some(kind), _) => kind,
            // Kinds without keys of their own, and hives of which little is left: what the base block says.
            (None, Some(named)) if hive.root().is_some_and(|root| !root.is_bare()) => named,
            _ => Self::Other,
        }
    }
}

/// How to read a hive.
#[derive(Clone, Copy, Debug)]
pub struct HiveOptions {
    /// Replay the transaction logs in memory. Off: the hive as the file alone gives it.
    pub replay: bool,
    /// Largest size of the hive, and of each log, in bytes.
    pub max_bytes: u64,
}

impl Default for HiveOptions {
    fn default() -> Self {
        Self { replay: true, max_bytes: 512 << 20 }
    }
}

/// Something in a hive that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiveIssue {
    /// Offset in the hive file; for a fault in a log, offset in that log.
    pub offset: u64,
    /// How much was lost.
    pub loss: Loss,
    /// What was wrong.
    pub error: FormatError,
}

/// A hive with its bytes.
#[derive(Debug)]
pub struct Hive {
    bytes: Vec<u8>,
    base: BaseBlock,
    tree: Tree,
    replay: Replay,
    issues: Vec<HiveIssue>,
}

impl Hive {
    /// Reads a hive. `logs` are its transaction logs in any order.
    ///
    /// # Errors
    /// When there is neither a base block nor a bin, or the hive is larger than the limit. All other damage is in
    /// [`Hive::issues`].
    pub fn parse(mut bytes: Vec<u8>, logs: &[Vec<u8>], options: HiveOptions) -> Result<Self, FormatError> {
        let length = bytes.len() as u64;
        if length > options.max_bytes {
            let limit = options.max_bytes;
            return Err(FormatError::Limit { what: "the hive", offset: 0, value: length, limit });
        }
        if !bytes.starts_with(b"regf") && !bytes.chunks(PAGE).skip(1).any(|page| page.starts_with(b"hbin")) {
            let (expected, actual) = (b"regf".to_vec(), bytes.iter().take(4).copied().collect());
            return Err(FormatError::Signature { what: "the hive", offset: 0, expected, actual });
        }
        if !bytes.get(PAGE..).is_some_and(|rest| rest.starts_with(b"hbin")) && log::is_log(&bytes) {
            let problem = "this is a transaction log, not a hive".to_owned();
            return Err(FormatError::Other { what: "the hive", offset: 0, problem });
        }
        let mut issues = Vec::from_iter(base_issues(&BaseBlock::read(&bytes)));
        let replay = log::replay(&mut bytes, logs, options.replay, options.max_bytes, &mut issues);
        let base = BaseBlock::read(&bytes);
        issues.extend(cut(&base, bytes.len()));
        let cells = cells_of(&bytes, &base);
        let tree = match root_cell(cells, &base, &mut issues) {
            Some(root) => live::walk(cells, root),
            None => Tree::default(),
        };
        Ok(Self { base, tree, replay, issues, bytes })
    }

    /// The base block.
    pub fn base(&self) -> &BaseBlock {
        &self.base
    }

    /// Size of the hive in memory, after the replay of its logs.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// True if there are no bytes; a hive that was read has some.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The root key, if it can be found.
    pub fn root(&self) -> Option<Key<'_>> {
        self.key(0)
    }

    /// The key at that path from the root, `A\B\C`, without regard to case. An empty path is the root.
    pub fn find(&self, path: &str) -> Option<Key<'_>> {
        path.split('\\').filter(|part| !part.is_empty()).try_fold(self.root()?, |key, part| key.subkey(part))
    }

    /// Every live key, each before its subkeys.
    pub fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        let mut stack = vec![0u32];
        std::iter::from_fn(move || {
            let key = self.key(stack.pop()?)?;
            stack.extend(key.places().rev());
            Some(key)
        })
    }

    /// The bytes of the cell at that offset of the hive, its size field with them, after the replay of the logs. Shorter than
    /// the cell says where the hive ends before it; `None` where no cell can begin.
    pub fn cell_bytes(&self, offset: u64) -> Option<&[u8]> {
        let at = usize::try_from(offset).ok().filter(|at| *at >= BASE_BLOCK && at.is_multiple_of(8))?;
        let rest = self.bytes.get(at..)?;
        let size = i32::from_le_bytes(*rest.first_chunk()?).unsigned_abs();
        let size = usize::try_from(size).ok().filter(|size| *size >= 4)?;
        Some(rest.get(..size).unwrap_or(rest))
    }

    /// How many live keys there are.
    pub fn key_count(&self) -> usize {
        self.tree.keys.len()
    }

    /// What the transaction logs gave.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// What is left of deleted keys and values.
    pub fn deleted(&self) -> Deleted<'_> {
        deleted::find(self)
    }

    /// What is not as it should be, by offset. Covers the whole hive, whatever was read of it so far.
    pub fn issues(&self) -> Vec<HiveIssue> {
        let mut issues = self.issues.clone();
        let bins = self.cells().regions(&mut |_| {});
        for error in self.tree.faults.iter().map(|(_, error)| error.clone()).chain(bins) {
            issues.push(HiveIssue { offset: error.offset(), loss: Loss::Record, error });
        }
        for list in &self.tree.lists {
            for error in self.cells().wrong_hashes(*list) {
                issues.push(HiveIssue { offset: error.offset(), loss: Loss::Record, error });
            }
        }
        for key in self.keys() {
            for value in key.values() {
                if let Err(error) = value.and_then(|value| value.check()) {
                    issues.push(HiveIssue { offset: error.offset(), loss: Loss::Record, error });
                }
            }
        }
        issues.sort_by_key(|issue| issue.offset);
        issues
    }

    /// A key of the live tree.
    fn key(&self, place: u32) -> Option<Key<'_>> {
        let live = *self.tree.keys.get(usize::try_from(place).ok()?)?;
        let nk = self.cells().key(live.cell).ok()?;
        Some(Key { hive: self, place, live, nk, lost: None })
    }

    fn cells(&self) -> Cells<'_> {
        cells_of(&self.bytes, &self.base)
    }
}

fn cells_of<'h>(bytes: &'h [u8], base: &BaseBlock) -> Cells<'h> {
    // Without a base block: a hive of today.
    let (minor, bins_size) = if base.signature { (base.minor, base.bins_size) } else { (5, u32::MAX) };
    Cells { bytes, minor, bins_size }
}

/// What the base block says against itself.
fn base_issues(base: &BaseBlock) -> Option<HiveIssue> {
    let what = "the base block";
    let error = if !base.valid() {
        let (stored, computed) = base.checksums;
        FormatError::Checksum { what, offset: 0, stored: stored.into(), computed: computed.into() }
    } else if base.major != 1 || !(3..=6).contains(&base.minor) {
        let problem = "versions 1.3 to 1.6 are known; this one is read as if it were one of them";
        FormatError::Value { what, offset: 20, value: base.minor.into(), problem }
    } else {
        return None;
    };
    Some(HiveIssue { offset: error.offset(), loss: Loss::None, error })
}

/// The file is shorter than the hive.
fn cut(base: &BaseBlock, length: usize) -> Option<HiveIssue> {
    let available = length.saturating_sub(BASE_BLOCK) as u64;
    if !base.valid() || u64::from(base.bins_size) <= available {
        return None;
    }
    let error =
        FormatError::Short { what: "the bins", offset: BASE_BLOCK as u64, needed: base.bins_size.into(), available };
    Some(HiveIssue { offset: length as u64, loss: Loss::Rest, error })
}

/// The cell of the root key: where the base block says, or else a key that is marked as root.
fn root_cell(cells: Cells<'_>, base: &BaseBlock, issues: &mut Vec<HiveIssue>) -> Option<u32> {
    let named = cells.key(base.root);
    if base.signature && named.is_ok() {
        return Some(base.root);
    }
    let (value, what) = (base.root.into(), "the root key");
    let (found, issue) = match (marked_root(cells), named.err()) {
        (Some(at), _) => {
            let problem = "the base block does not lead to the root key; this one was found by its mark";
            let error = FormatError::Value { what, offset: file_offset(at), value, problem };
            (Some(at), HiveIssue { offset: error.offset(), loss: Loss::None, error })
        }
        (None, error) => {
            let problem = "no key is marked as root";
            let offset = file_offset(base.root);
            let error = error.unwrap_or(FormatError::Value { what, offset, value, problem });
            (None, HiveIssue { offset: error.offset(), loss: Loss::Whole, error })
        }
    };
    issues.push(issue);
    found
}

/// The first key in use that is marked as the root of a hive.
fn marked_root(cells: Cells<'_>) -> Option<u32> {
    const ROOT: u16 = 4;
    let end = u32::try_from(cells.bytes.len().saturating_sub(BASE_BLOCK)).ok()?;
    (BIN_HEADER as u32..end).step_by(8).find(|at| cells.key(*at).is_ok_and(|nk| nk.flags() & ROOT != 0))
}

/// A key: live, or what is left of a deleted one ([`Deleted::as_keys`]).
#[derive(Clone)]
pub struct Key<'h> {
    hive: &'h Hive,
    place: u32,
    live: LiveKey,
    nk: Nk<'h>,
    /// What is left, where the key is not read from the live tree.
    lost: Option<Arc<Lost<'h>>>,
}

/// What is left of a deleted key, or of the values that a live key had once.
struct Lost<'h> {
    path: String,
    values: Vec<KeyValue<'h>>,
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("path", &self.path()).field("offset", &self.offset()).finish()
    }
}

impl<'h> Key<'h> {
    /// The name as stored.
    pub fn name(&self) -> String {
        self.nk.name().text()
    }

    /// The path from the hive's root, without the root's own name: `A\B\C`; empty for the root.
    pub fn path(&self) -> String {
        if let Some(lost) = &self.lost {
            return lost.path.clone();
        }
        let mut names = Vec::new();
        let mut key = self.clone();
        while key.place != 0 {
            names.push(key.name());
            match self.hive.key(key.live.parent) {
                Some(parent) => key = parent,
                None => break,
            }
        }
        names.reverse();
        names.join("\\")
    }

    /// When the key was last written: a value or a direct subkey was added, changed or removed, or its security was set.
    pub fn last_write(&self) -> Option<Timestamp> {
        self.nk.last_written()
    }

    /// Offset of the key's cell in the hive file.
    pub fn offset(&self) -> u64 {
        self.nk.cell.offset()
    }

    /// The key above; absent for the root. Above a deleted key: the live key of that path, if there is one.
    pub fn parent(&self) -> Option<Key<'h>> {
        if let Some(lost) = &self.lost {
            return lost.path.rsplit_once('\\').and_then(|(above, _)| self.hive.find(above));
        }
        if self.place == 0 { None } else { self.hive.key(self.live.parent) }
    }

    /// The subkeys in stored order, then what could not be read of their list. A deleted key has none: they are deleted
    /// keys of their own.
    pub fn subkeys(&self) -> Vec<Result<Key<'h>, FormatError>> {
        if self.lost.is_some() {
            return Vec::new();
        }
        let faults = &self.hive.tree.faults;
        let first = faults.partition_point(|(place, _)| *place < self.place);
        let mine = faults.iter().skip(first).take_while(|(place, _)| *place == self.place);
        let keys = self.places().filter_map(|place| self.hive.key(place)).map(Ok);
        keys.chain(mine.map(|(_, error)| Err(error.clone()))).collect()
    }

    /// The subkey of that name, without regard to case.
    pub fn subkey(&self, name: &str) -> Option<Key<'h>> {
        if self.lost.is_some() {
            return None;
        }
        self.places().filter_map(|place| self.hive.key(place)).find(|key| key.nk.name().is(name))
    }

    /// The values in stored order; of a deleted key those that are left.
    pub fn values(&self) -> Vec<Result<KeyValue<'h>, FormatError>> {
        if let Some(lost) = &self.lost {
            return lost.values.iter().cloned().map(Ok).collect();
        }
        const WHAT: &str = "the list of values";
        let (count, list) = (self.nk.value_count(), self.nk.value_list());
        if count == 0 {
            return Vec::new();
        }
        if self.live.values_taken {
            let problem = "another key has this list of values already";
            let (what, offset, value) = (WHAT, self.offset(), list.into());
            return vec![Err(FormatError::Value { what, offset, value, problem })];
        }
        let cells = self.hive.cells();
        let cell = match cells.cell(list, WHAT) {
            Ok(cell) => cell,
            Err(error) => return vec![Err(error)],
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let entries = cell.data.as_chunks::<4>().0;
        let mut values: Vec<_> = entries
            .iter()
            .take(count)
            .map(|at| {
                cells.value(u32::from_le_bytes(*at)).map(|vk| KeyValue { hive: self.hive, vk, place: DataPlace::Live })
            })
            .collect();
        if entries.len() < count {
            let (needed, available) = (count.saturating_mul(4) as u64, cell.data.len() as u64);
            values.push(Err(FormatError::Short { what: WHAT, offset: cell.offset(), needed, available }));
        }
        values
    }

    /// The value of that name, without regard to case; an empty name is the default value.
    pub fn value(&self, name: &str) -> Option<KeyValue<'h>> {
        self.values().into_iter().flatten().find(|value| value.vk.name().is(name))
    }

    /// The class name, if the key has one. That of a deleted key is not read: its place may be used again.
    pub fn class_name(&self) -> Option<Result<String, FormatError>> {
        if self.lost.is_some() {
            return None;
        }
        let (at, length) = (self.nk.class(), self.nk.class_length());
        if at == NONE || length == 0 {
            return None;
        }
        let what = "the class name";
        Some(self.hive.cells().cell(at, what).and_then(|cell| {
            let bytes = cell.data.get(..length).ok_or(FormatError::Short {
                what,
                offset: cell.offset(),
                needed: length as u64,
                available: cell.data.len() as u64,
            })?;
            Ok(text::from_utf16le(bytes))
        }))
    }

    /// The security descriptor, self-relative, as MS-DTYP 2.4.6 lays it out.
    pub fn security_descriptor(&self) -> Option<Result<&'h [u8], FormatError>> {
        let what = "the security descriptor";
        let at = self.nk.security();
        if at == NONE || self.lost.is_some() {
            return None;
        }
        Some(self.hive.cells().cell(at, what).and_then(|cell| {
            if !cell.data.starts_with(b"sk") {
                let actual = cell.data.get(..2).unwrap_or_default().to_vec();
                return Err(FormatError::Signature { what, offset: cell.offset(), expected: b"sk".to_vec(), actual });
            }
            let rest = cell.data.get(20..).unwrap_or_default();
            let needed = cell::u32_at(cell.data, 16);
            let length = usize::try_from(needed).unwrap_or(usize::MAX);
            rest.get(..length).ok_or(FormatError::Short {
                what,
                offset: cell.offset(),
                needed: needed.into(),
                available: rest.len() as u64,
            })
        }))
    }

    /// The key as it stands here comes from a transaction log: the hive file alone holds other bytes at its place.
    pub fn from_log(&self) -> bool {
        self.hive.replay.covers(self.offset(), self.nk.length().saturating_add(4) as u64)
    }

    fn is_bare(&self) -> bool {
        self.live.count == 0 && self.nk.value_count() == 0
    }

    fn places(&self) -> std::ops::Range<u32> {
        self.live.first..self.live.first.saturating_add(self.live.count)
    }
}

/// Type of a value, as winnt.h names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// `REG_NONE`.
    None,
    /// `REG_SZ`: text.
    Sz,
    /// `REG_EXPAND_SZ`: text with `%variables%`.
    ExpandSz,
    /// `REG_BINARY`.
    Binary,
    /// `REG_DWORD`.
    Dword,
    /// `REG_DWORD_BIG_ENDIAN`.
    DwordBigEndian,
    /// `REG_LINK`: the path of another key.
    Link,
    /// `REG_MULTI_SZ`: several texts.
    MultiSz,
    /// `REG_RESOURCE_LIST`.
    ResourceList,
    /// `REG_FULL_RESOURCE_DESCRIPTOR`.
    FullResourceDescriptor,
    /// `REG_RESOURCE_REQUIREMENTS_LIST`.
    ResourceRequirementsList,
    /// `REG_QWORD`.
    Qword,
    /// Any other number. Device properties and the SAM use some.
    Unknown(u32),
}

impl From<u32> for ValueKind {
    fn from(kind: u32) -> Self {
        match kind {
            0 => Self::None,
            1 => Self::Sz,
            2 => Self::ExpandSz,
            3 => Self::Binary,
            4 => Self::Dword,
            5 => Self::DwordBigEndian,
            6 => Self::Link,
            7 => Self::MultiSz,
            8 => Self::ResourceList,
            9 => Self::FullResourceDescriptor,
            10 => Self::ResourceRequirementsList,
            11 => Self::Qword,
            other => Self::Unknown(other),
        }
    }
}

/// `REG_SZ` and so on; the number for a type without a name.
impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "REG_NONE",
            Self::Sz => "REG_SZ",
            Self::ExpandSz => "REG_EXPAND_SZ",
            Self::Binary => "REG_BINARY",
            Self::Dword => "REG_DWORD",
            Self::DwordBigEndian => "REG_DWORD_BIG_ENDIAN",
            Self::Link => "REG_LINK",
            Self::MultiSz => "REG_MULTI_SZ",
            Self::ResourceList => "REG_RESOURCE_LIST",
            Self::FullResourceDescriptor => "REG_FULL_RESOURCE_DESCRIPTOR",
            Self::ResourceRequirementsList => "REG_RESOURCE_REQUIREMENTS_LIST",
            Self::Qword => "REG_QWORD",
            Self::Unknown(other) => return write!(f, "{other:#x}"),
        })
    }
}

/// A value of a key.
#[derive(Clone)]
pub struct KeyValue<'h> {
    hive: &'h Hive,
    vk: Vk<'h>,
    place: DataPlace,
}

/// What the place of a value's data is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DataPlace {
    /// In use by this value.
    Live,
    /// Free, or in use by nothing that is known: data of a deleted value.
    Free,
    /// In use by something else: the data of a deleted value is gone.
    UsedAgain,
}

impl fmt::Debug for KeyValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue")
            .field("name", &self.name())
            .field("kind", &self.kind())
            .field("offset", &self.offset())
            .finish_non_exhaustive()
    }
}

impl<'h> KeyValue<'h> {
    /// The name; empty for the default value.
    pub fn name(&self) -> String {
        self.vk.name().text()
    }

    /// The type that the value says it has.
    pub fn kind(&self) -> ValueKind {
        self.vk.kind().into()
    }

    /// Offset of the value's cell in the hive file.
    pub fn offset(&self) -> u64 {
        self.vk.cell.offset()
    }

    /// Length of the data in bytes, as the value says.
    pub fn data_len(&self) -> u32 {
        self.vk.data_size
    }

    /// The data as stored.
    ///
    /// # Errors
    /// When its cell, or a segment of big data, is not there or is too short.
    pub fn data(&self) -> Result<Cow<'h, [u8]>, FormatError> {
        let cells = self.hive.cells();
        match self.place {
            DataPlace::Live => cells.data(&self.vk),
            DataPlace::Free => cells.deleted_data(&self.vk),
            DataPlace::UsedAgain => {
                let problem = "the place of the deleted value's data is used again";
                let (what, offset) = ("the value's data", file_offset(self.vk.data_cell));
                Err(FormatError::Value { what, offset, value: self.vk.data_size.into(), problem })
            }
        }
    }

    /// Name and data are whole.
    fn check(&self) -> Result<(), FormatError> {
        let (needed, available) = (self.vk.length() as u64, self.vk.cell.data.len() as u64);
        if needed > available {
            return Err(FormatError::Short { what: "the value's name", offset: self.offset(), needed, available });
        }
        self.data().map(|_| ())
    }

    /// The text of a `REG_SZ`, `REG_EXPAND_SZ` or `REG_LINK`, up to the first NUL. What stands behind a NUL is in
    /// [`KeyValue::data`].
    pub fn text(&self) -> Option<String> {
        match self.kind() {
            ValueKind::Sz | ValueKind::ExpandSz | ValueKind::Link => {
                Some(text::from_utf16le_until_nul(&self.data().ok()?))
            }
            _ => None,
        }
    }

    /// The texts of a `REG_MULTI_SZ`. Empty texts between others are kept (`PendingFileRenameOperations` means them),
    /// empty ones at the end are not.
    pub fn multi_text(&self) -> Option<Vec<String>> {
        if self.kind() != ValueKind::MultiSz {
            return None;
        }
        let data = self.data().ok()?;
        let units: Vec<u16> = data.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        let mut texts: Vec<String> =
            units.split(|unit| *unit == 0).map(|part| text::from_utf16(part.iter().copied())).collect();
        while texts.last().is_some_and(String::is_empty) {
            texts.pop();
        }
        Some(texts)
    }

    /// The number of a `REG_DWORD`, `REG_DWORD_BIG_ENDIAN` or `REG_QWORD` of the right length.
    pub fn number(&self) -> Option<u64> {
        let data = self.data().ok()?;
        match self.kind() {
            ValueKind::Dword => Some(u32::from_le_bytes((*data).try_into().ok()?).into()),
            ValueKind::DwordBigEndian => Some(u32::from_be_bytes((*data).try_into().ok()?).into()),
            ValueKind::Qword => Some(u64::from_le_bytes((*data).try_into().ok()?)),
            _ => None,
        }
    }

    /// The data as an analyst reads it: text, texts, number, or bytes for all other types and for data that does not fit
    /// its type. Absent data is [`Value::Null`].
    pub fn to_value(&self) -> Value {
        if let Some(text) = self.text() {
            return Value::from(text);
        }
        if let Some(texts) = self.multi_text() {
            return texts.into();
        }
        if let Some(number) = self.number() {
            return Value::Number(number);
        }
        match self.data() {
            Ok(data) => Value::Bytes(data.into_owned()),
            Err(_) => Value::Null,
        }
    }

    /// The value or its data as they stand here come from a transaction log.
    pub fn from_log(&self) -> bool {
        let replay = &self.hive.replay;
        let data = self.vk.inline.is_none() && self.vk.data_size != 0;
        replay.covers(self.offset(), self.vk.length().saturating_add(4) as u64)
            || data && replay.covers(file_offset(self.vk.data_cell), u64::from(self.vk.data_size).saturating_add(4))
            || self.hive.cells().segments_of(&self.vk).iter().any(|at| replay.covers(file_offset(*at), SEGMENT as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;

    /// Made by `testdata/make/make_hives.py`; hivexsh, libregf and regipy read the same from it.
    const EVERY_KIND: &[u8] = include_bytes!("../../../../testdata/hives/every-kind.hve");
    const OLD: &[u8] = include_bytes!("../../../../testdata/hives/old.hve");
    const DIRTY: &[u8] = include_bytes!("../../../../testdata/hives/dirty.hve");
    const LOG1: &[u8] = include_bytes!("../../../../testdata/hives/dirty.hve.LOG1");
    const LOG2: &[u8] = include_bytes!("../../../../testdata/hives/dirty.hve.LOG2");
    const OLD_LOG: &[u8] = include_bytes!("../../../../testdata/hives/dirty-old.hve.LOG");

    fn hive(bytes: &[u8]) -> Hive {
        Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap()
    }

    fn replayed(bytes: &[u8], logs: &[&[u8]]) -> Hive {
        let logs: Vec<Vec<u8>> = logs.iter().map(|log| log.to_vec()).collect();
        Hive::parse(bytes.to_vec(), &logs, HiveOptions::default()).unwrap()
    }

    type Content = (String, Option<Timestamp>, Vec<(String, Vec<u8>)>);

    /// Paths, last writes, and values of all keys.
    fn content(hive: &Hive) -> Vec<Content> {
        let values = |key: &Key<'_>| {
            let values = key.values().into_iter().flatten();
            values.filter_map(|value| Some((value.name(), value.data().ok()?.into_owned()))).collect()
        };
        hive.keys().map(|key| (key.path(), key.last_write(), values(&key))).collect()
    }

    fn put(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Offset in the file of a key's structure, behind the size of its cell.
    fn structure(key: &Key<'_>) -> usize {
        usize::try_from(key.offset()).unwrap() + 4
    }

    #[test]
    fn every_type_is_read_as_an_analyst_reads_it() {
        let hive = hive(EVERY_KIND);
        let types = hive.find("types").unwrap();
        let value = |name: &str| types.value(name).unwrap();
        assert_eq!(value("").to_value(), Value::from("default"));
        assert_eq!(value("none").to_value(), Value::Bytes(vec![1, 2, 3]));
        assert_eq!(value("EXPAND").text().unwrap(), r"%SystemRoot%\x");
        assert_eq!(value("dword").to_value(), Value::Number(7));
        assert_eq!(value("be").number(), Some(7));
        assert_eq!(value("qword").number(), Some(1 << 40));
        assert_eq!(value("link").text().unwrap(), r"\Registry\Machine");
        assert_eq!(value("multi").multi_text().unwrap(), ["one", "", "three"]);
        assert_eq!(value("short dword").to_value(), Value::Bytes(vec![1, 2]));
        assert_eq!(value("hidden").text().unwrap(), "shown");
        assert_eq!(value("hidden").data().unwrap().len(), 32);
        assert_eq!(value("odd").kind(), ValueKind::Unknown(0x12345));
        assert_eq!(value("odd").to_value(), Value::Bytes(b"abcdef".to_vec()));
        assert_eq!(value("empty").to_value(), Value::from(""));
        assert_eq!(types.value("not there").map(|value| value.name()), None);
        assert_eq!(hive.issues(), []);
    }

    #[test]
    fn big_data_is_put_together_from_its_segments() {
        let big = hive(EVERY_KIND);
        let big = big.find("Big").unwrap();
        let data = |name: &str| big.value(name).unwrap().data().unwrap().into_owned();
        assert_eq!(data("exact"), vec![b'x'; 16344]);
        assert_eq!(data("two"), vec![b'y'; 16345]);
        assert_eq!(data("five"), (0..=255).collect::<Vec<u8>>().repeat(150));
        // Before version 1.4 there are no segments.
        assert_eq!(hive(OLD).find("A").unwrap().value("big").unwrap().data().unwrap().len(), 20000);
    }

    #[test]
    fn names_and_places() {
        let hive = hive(EVERY_KIND);
        assert_eq!(hive.find("names\\äÖÜ").unwrap().value("É").unwrap().text().unwrap(), "latin");
        assert_eq!(hive.find("Names\\漢字").unwrap().value("値").unwrap().text().unwrap(), "日本");
        let half = hive.find("Names").unwrap().subkeys().into_iter().flatten().find(|k| k.name().starts_with("half"));
        assert_eq!(half.unwrap().name().chars().last().map(u32::from), Some(0xd83d + 0x10_2000));
        assert_eq!(hive.find("Class").unwrap().class_name().unwrap().unwrap(), "a class");
        let deep = hive.find(r"Deep\1\2\3\4\5\6\7\8").unwrap();
        assert_eq!(deep.path(), r"Deep\1\2\3\4\5\6\7\8");
        assert_eq!(deep.parent().unwrap().name(), "7");
        assert_eq!(&EVERY_KIND[structure(&deep)..][..2], b"nk");
        assert_eq!(deep.security_descriptor().unwrap().unwrap().len(), 124);
        assert_eq!(hive.root().unwrap().path(), "");
        assert_eq!(hive.base().file_name, "every kind");
        assert_eq!(hive.base().last_written.unwrap().to_string(), "2021-03-04T05:06:07.7654321Z");
    }

    #[test]
    fn a_list_of_lists_gives_all_keys_in_stored_order() {
        let hive = hive(EVERY_KIND);
        let keys: Vec<_> = hive.find("Many").unwrap().subkeys().into_iter().map(Result::unwrap).collect();
        assert_eq!(keys.len(), 700);
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(key.name(), format!("key{i:04}"));
            let time = Timestamp::parse("2022-01-01T00:00:00Z").unwrap().filetime() + i as u64;
            assert_eq!(key.last_write().unwrap().filetime(), time);
        }
    }

    #[test]
    fn deleted_keys_and_values_come_back_with_their_path() {
        let hive = hive(EVERY_KIND);
        let deleted = hive.deleted();
        let keys: Vec<_> = deleted.keys.iter().map(|key| (key.path.as_str(), key.path_known, key.certainty)).collect();
        assert_eq!(keys, [(r"Gone\Old", true, Certainty::Whole), (r"Gone\Old\Deeper", true, Certainty::Whole)]);
        assert_eq!(deleted.keys[0].state, State::Deleted);
        assert_eq!(deleted.keys[0].last_write.unwrap().to_string(), "2019-01-01T00:00:00.0000000Z");
        assert_eq!(deleted.keys[0].values[0].value.text().unwrap(), "value of a deleted key");
        let [lost] = deleted.values.as_slice() else { panic!("{:?}", deleted.values) };
        assert_eq!((lost.value.name().as_str(), lost.key_path.as_deref()), ("lost", Some("Gone")));
        assert_eq!(lost.value.text().unwrap(), "a value that was deleted");
        // Nothing of the live tree is among them.
        assert!(hive.find(r"Gone\Old").is_none());
    }

    #[test]
    fn deleted_keys_are_read_like_live_ones() {
        let hive = hive(EVERY_KIND);
        let deleted = hive.deleted();
        let keys = deleted.as_keys(&hive);
        let paths: Vec<_> = keys.iter().map(|(key, state)| (key.path(), *state)).collect();
        assert_eq!(paths, [(r"Gone\Old".to_owned(), State::Deleted), (r"Gone\Old\Deeper".to_owned(), State::Deleted)]);
        let (old, _) = &keys[0];
        assert_eq!(
            (old.name().as_str(), old.value("v").unwrap().text().unwrap().as_str()),
            ("Old", "value of a deleted key")
        );
        assert_eq!((old.parent().unwrap().path().as_str(), old.subkeys().len()), ("Gone", 0));
        // The live key has another value too; what it had once comes alone.
        let former = deleted.as_keys_of_values(&hive);
        let [(gone, State::Deleted)] = former.as_slice() else { panic!() };
        let names: Vec<_> = gone.values().into_iter().map(|value| value.unwrap().name()).collect();
        assert_eq!((gone.path().as_str(), names), ("Gone", vec!["lost".to_owned()]));
    }

    #[test]
    fn logs_are_applied_in_the_order_of_their_sequence_numbers() {
        let before = hive(DIRTY);
        assert!(before.replay().dirty);
        assert_eq!(before.find("Changed").unwrap().value("v").unwrap().text().unwrap(), "state 1");
        // In whatever order the logs are given: LOG2 holds entry 5 (and a stale 2 behind it), LOG1 entry 6.
        for logs in [[LOG1, LOG2], [LOG2, LOG1]] {
            let after = replayed(DIRTY, &logs);
            let sequences: Vec<u32> = after.replay().entries.iter().map(|entry| entry.sequence).collect();
            assert_eq!(sequences, [5, 6]);
            assert_eq!(after.replay().sequence_after, Some(7));
            assert_eq!(after.find("Changed").unwrap().value("v").unwrap().text().unwrap(), "state 3");
            assert_eq!(after.find("New").unwrap().subkeys().len(), 60);
            assert_eq!(after.issues(), []);
            assert!(after.find("Newest").unwrap().from_log());
            assert!(after.find("Changed").unwrap().value("v").unwrap().from_log());
            assert!(!after.find("Always").unwrap().value("v").unwrap().from_log());
        }
        let options = HiveOptions { replay: false, ..HiveOptions::default() };
        let unreplayed = Hive::parse(DIRTY.to_vec(), &[LOG1.to_vec(), LOG2.to_vec()], options).unwrap();
        assert_eq!(content(&unreplayed), content(&before));
    }

    #[test]
    fn the_old_format_leads_to_the_same_hive() {
        assert_eq!(content(&replayed(DIRTY, &[OLD_LOG])), content(&replayed(DIRTY, &[LOG1, LOG2])));
    }

    #[test]
    fn replay_stops_at_a_gap_and_at_a_damaged_entry_and_says_so() {
        // Entry 6 alone is a start; entry 5 with a flipped bit is none.
        let mut flipped = LOG2.to_vec();
        flipped[600] ^= 1;
        let after = replayed(DIRTY, &[LOG1, &flipped]);
        let sequences: Vec<u32> = after.replay().entries.iter().map(|entry| entry.sequence).collect();
        assert_eq!(sequences, [6]);
        assert!(matches!(after.issues()[0].error, FormatError::Checksum { offset: 512, .. }));
        let mut gap = LOG1.to_vec();
        // Entry 6 becomes entry 8: its second hash has to fit again, so it is taken for damaged.
        put(&mut gap, 512 + 12, 8);
        let after = replayed(DIRTY, &[&gap, LOG2]);
        assert_eq!(after.replay().entries.len(), 1);
        assert_eq!(after.find("Changed").unwrap().value("v").unwrap().text().unwrap(), "state 2");
        assert_eq!(after.issues().len(), 1);
    }

    #[test]
    fn a_clean_hive_is_left_alone() {
        let mut clean = DIRTY.to_vec();
        put(&mut clean, 4, 5);
        let sum = cell::checksum(&clean);
        put(&mut clean, 508, sum);
        let after = replayed(&clean, &[LOG1, LOG2]);
        assert!(!after.replay().dirty);
        assert_eq!(after.replay().entries, []);
        assert_eq!(after.find("Changed").unwrap().value("v").unwrap().text().unwrap(), "state 1");
    }

    #[test]
    fn a_damaged_base_block_comes_from_the_log() {
        let mut damaged = DIRTY.to_vec();
        damaged[..512].fill(0xee);
        let after = replayed(&damaged, &[LOG1, LOG2]);
        assert!(after.replay().base_block_from_log);
        assert_eq!(content(&after), content(&replayed(DIRTY, &[LOG1, LOG2])));
    }

    #[test]
    fn a_hive_without_base_block_gives_all_its_keys() {
        let mut bytes = EVERY_KIND.to_vec();
        bytes[..4096].fill(0);
        let found = hive(&bytes);
        assert_eq!(content(&found), content(&hive(EVERY_KIND)));
        let issues: Vec<_> = found.issues().iter().map(|issue| (issue.offset, issue.loss)).collect();
        assert_eq!(issues, [(0, Loss::None), (found.root().unwrap().offset(), Loss::None)]);
    }

    #[test]
    fn a_hive_can_be_shared_by_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&hive(OLD));
    }

    #[test]
    fn what_is_no_hive_is_refused() {
        for bytes in [&b""[..], b"regf", b"MZ", &[0; 9000]] {
            let result = Hive::parse(bytes.to_vec(), &[], HiveOptions::default());
            assert!(result.is_err() || result.unwrap().root().is_none(), "{bytes:?}");
        }
        assert!(Hive::parse(LOG1.to_vec(), &[], HiveOptions::default()).is_err(), "a log is no hive");
        let options = HiveOptions { max_bytes: 1000, ..HiveOptions::default() };
        assert!(matches!(Hive::parse(DIRTY.to_vec(), &[], options), Err(FormatError::Limit { .. })));
    }

    #[test]
    fn a_cut_hive_gives_what_is_there() {
        // The root's list of subkeys lies near the end: what hung below it is found by its content, with its path.
        let cut = hive(&EVERY_KIND[..100_000]);
        assert!(cut.issues().iter().any(|issue| issue.loss == Loss::Rest && issue.offset == 100_000));
        assert_eq!(cut.keys().count(), 1);
        let deleted = cut.deleted();
        let bottom = deleted.keys.iter().find(|key| key.path == r"Deep\1\2\3\4\5\6\7\8").unwrap();
        assert_eq!((bottom.path_known, bottom.state), (true, State::Carved));
        assert_eq!(bottom.values[0].value.number(), Some(1));
    }

    #[test]
    fn circles_and_shared_lists_end() {
        let whole = hive(EVERY_KIND);
        let (deep, bottom) = (whole.find("Deep").unwrap(), whole.find(r"Deep\1\2\3\4\5\6\7").unwrap());
        let list = u32::from_le_bytes(EVERY_KIND[structure(&deep) + 28..][..4].try_into().unwrap());
        let mut circle = EVERY_KIND.to_vec();
        put(&mut circle, structure(&bottom) + 28, list);
        let circle = hive(&circle);
        let keys = circle.find(r"Deep\1\2\3\4\5\6\7").unwrap().subkeys();
        assert!(matches!(keys.as_slice(), [Err(_)]), "{keys:?}");
        assert_eq!(circle.keys().count(), whole.keys().count() - 1);
        assert_eq!(circle.issues().len(), 1);
    }

    /// Where parts of a chain of keys changed places, each list still names a key: the chain is shorter, and what it lost
    /// hangs in a circle of its own. The keys know better who their parents are.
    #[test]
    fn a_key_that_another_lists_is_told() {
        const SHELLBAGS: &[u8] = include_bytes!("../../../../testdata/artifacts/shellbags/usrclass.hve");
        let whole = hive(SHELLBAGS);
        assert_eq!(whole.issues(), []);
        let mut bytes = SHELLBAGS.to_vec();
        let (low, high) = bytes.split_at_mut(0xc800);
        low[0x3a00..0x3c00].swap_with_slice(&mut high[..0x200]);
        let damaged = hive(&bytes);
        assert!(damaged.keys().count() < whole.keys().count());
        let told: Vec<u64> = damaged.issues().iter().map(|issue| issue.offset).collect();
        assert_eq!(told, [0xca58]);
    }

    /// What hung below a key that is gone is given without the keys above that are not known.
    #[test]
    fn keys_below_a_lost_key_are_orphans() {
        let whole = hive(EVERY_KIND);
        let mut bytes = EVERY_KIND.to_vec();
        bytes[structure(&whole.find(r"Deep\1\2").unwrap())] = b'x';
        let damaged = hive(&bytes);
        assert!(damaged.find(r"Deep\1").is_some() && damaged.find(r"Deep\1\2").is_none());
        let orphans: Vec<_> =
            damaged.deleted().as_keys(&damaged).iter().map(|(key, state)| (key.path(), *state)).collect();
        for path in [r"$Orphan\3", r"$Orphan\3\4", r"$Orphan\3\4\5\6\7"] {
            assert!(orphans.contains(&(path.to_owned(), State::Carved)), "{path}: {orphans:?}");
        }
    }

    /// A key whose name is damaged is another key. The hash in its list knows the name that it had.
    #[test]
    fn a_damaged_name_is_told_by_the_hash_in_the_list() {
        const NTUSER: &[u8] = include_bytes!("../../../../testdata/artifacts/run_keys/ntuser.hve");
        const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
        let whole = hive(NTUSER);
        assert_eq!(whole.issues(), []);
        let victim = structure(&whole.find(RUN).unwrap());
        let mut bytes = NTUSER.to_vec();
        bytes[victim + 76] ^= 1;
        let damaged = hive(&bytes);
        assert!(damaged.find(RUN).is_none());
        let told: Vec<_> = damaged.issues().iter().map(|issue| (issue.offset, issue.loss)).collect();
        assert_eq!(told, [(victim as u64 - 4, Loss::Record)]);
    }

    /// A hive that was not written to its end needs its logs: where they are zeros, what they held is lost. That a single hive
    /// has no logs beside it says nothing of that kind.
    #[test]
    fn a_dirty_hive_without_usable_logs_says_so() {
        let lost = |logs: &[Vec<u8>]| {
            let hive = Hive::parse(DIRTY.to_vec(), logs, HiveOptions::default()).unwrap();
            hive.issues().iter().any(|issue| issue.error.to_string().contains("transaction log"))
        };
        assert!(!lost(&[]));
        assert!(lost(&[vec![0; LOG1.len()], vec![0; LOG2.len()]]));
        assert!(!lost(&[LOG1.to_vec(), LOG2.to_vec()]));
    }

    /// A list of lists that lists itself, and a key that claims four billion values.
    #[test]
    fn endless_lists_end() {
        let whole = hive(EVERY_KIND);
        let many = structure(&whole.find("Many").unwrap());
        let list = u32::from_le_bytes(EVERY_KIND[many + 28..][..4].try_into().unwrap());
        let at = 4096 + usize::try_from(list).unwrap() + 4;
        assert_eq!(&EVERY_KIND[at..at + 2], b"ri");
        let mut own = EVERY_KIND.to_vec();
        put(&mut own, at + 4, list);
        let own = hive(&own);
        assert!(own.keys().count() < whole.keys().count());
        assert!((1..5000).contains(&own.issues().len()), "{}", own.issues().len());
        assert!(own.find("Many").unwrap().subkeys().len() < 5000);

        let mut values = EVERY_KIND.to_vec();
        put(&mut values, structure(&whole.find("types").unwrap()) + 36, u32::MAX);
        let values = hive(&values);
        let found = values.find("types").unwrap().values();
        assert!(found.len() < EVERY_KIND.len() / 4 && found.iter().any(Result::is_err));
        assert!((1..5000).contains(&values.issues().len()));
    }

    #[test]
    fn one_bad_entry_costs_one_key() {
        let whole = hive(EVERY_KIND);
        let mut bytes = EVERY_KIND.to_vec();
        let victim = structure(&whole.find(r"Many\key0300").unwrap());
        bytes[victim] = b'x';
        let damaged = hive(&bytes);
        let keys = damaged.find("Many").unwrap().subkeys();
        assert_eq!(keys.iter().filter(|key| key.is_ok()).count(), 699);
        assert_eq!(
            keys.iter().filter_map(|key| key.as_ref().err()).map(FormatError::offset).collect::<Vec<_>>(),
            [victim as u64 - 4]
        );
        assert!(damaged.find(r"Many\key0301").is_some());
    }

    /// `nt-hive` asserts that no list names the cell 0xffffffff.
    #[test]
    fn a_panic_in_the_crate_costs_one_key() {
        let whole = hive(EVERY_KIND);
        let deep = structure(&whole.find("Names").unwrap());
        let list = u32::from_le_bytes(EVERY_KIND[deep + 28..][..4].try_into().unwrap());
        let mut bytes = EVERY_KIND.to_vec();
        // The second of three entries, behind the cell's size and the list's head.
        put(&mut bytes, 4096 + usize::try_from(list).unwrap() + 8 + 8, u32::MAX);
        let damaged = hive(&bytes);
        let keys = damaged.find("Names").unwrap().subkeys();
        assert_eq!(keys.iter().filter(|key| key.is_ok()).count(), 2);
        assert_eq!(damaged.keys().count(), whole.keys().count() - 1);
        assert_eq!(damaged.issues().len(), 1);
    }

    /// `nt-hive` subtracts the size's own four bytes without a check.
    #[test]
    fn a_cell_of_size_0_costs_one_key() {
        let whole = hive(EVERY_KIND);
        let victim = structure(&whole.find(r"Many\key0300").unwrap()) - 4;
        let mut bytes = EVERY_KIND.to_vec();
        put(&mut bytes, victim, 0);
        let damaged = hive(&bytes);
        assert_eq!(damaged.find("Many").unwrap().subkeys().iter().filter(|key| key.is_ok()).count(), 699);
        assert!(damaged.issues().iter().any(|issue| issue.offset == victim as u64), "{:?}", damaged.issues());
    }

    #[test]
    fn kinds_are_known_by_place_and_by_content() {
        assert_eq!(HiveKind::from_path(r"C:\Users\A\ntuser.dat"), Some(HiveKind::NtUser));
        assert_eq!(HiveKind::from_path(r"Windows\System32\config\RegBack\SYSTEM"), Some(HiveKind::System));
        assert_eq!(HiveKind::from_path("x/y.txt"), None);
        for likely in [r"\Windows\System32\config\OLD", r"C:\a\export.HIV", "NTUSER.DAT.bak", r"\x\User.dat"] {
            assert!(HiveKind::is_likely_path(likely), "{likely}");
        }
        for other in [r"\Windows\System32\config\SYSTEM.LOG1", r"\Users\a\ntuser.dat.LOG2", r"\a\notes.txt", "", r"\"] {
            assert!(!HiveKind::is_likely_path(other), "{other}");
        }
        let fixtures: [(&[u8], HiveKind); 5] = [
            (include_bytes!("../../../../testdata/hives/sam.hve"), HiveKind::Sam),
            (include_bytes!("../../../../testdata/hives/software.hve"), HiveKind::Software),
            (include_bytes!("../../../../testdata/artifacts/services/system.hve"), HiveKind::System),
            (include_bytes!("../../../../testdata/artifacts/run_keys/ntuser.hve"), HiveKind::NtUser),
            (EVERY_KIND, HiveKind::Other),
        ];
        for (bytes, kind) in fixtures {
            assert_eq!(HiveKind::from_content(&hive(bytes)), kind);
        }
    }

    /// Everything that a caller may ask, on thousands of damaged hives.
    #[test]
    fn damage_never_panics_and_never_hangs() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        let hives: [&[u8]; 3] = [include_bytes!("../../../../testdata/artifacts/services/system.hve"), DIRTY, OLD];
        let interesting = [0u32, 1, 4, 0x20, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0xffff_fff8];
        for round in 0..1500 {
            let mut bytes = hives[round % hives.len()].to_vec();
            let mut logs = vec![LOG1.to_vec(), LOG2.to_vec(), OLD_LOG.to_vec()];
            for _ in 0..=random(6) {
                match random(4) {
                    0 => bytes.truncate(random(bytes.len()) + 1),
                    1 => {
                        let at = random(bytes.len());
                        bytes[at] ^= 1 << random(8);
                    }
                    2 if bytes.len() > 8 => {
                        let at = random(bytes.len() - 4) / 4 * 4;
                        put(&mut bytes, at, interesting[random(interesting.len())]);
                    }
                    _ => {
                        let log = &mut logs[random(3)];
                        let at = random(log.len());
                        log[at] ^= 1 << random(8);
                    }
                }
            }
            let Ok(hive) = Hive::parse(bytes, &logs, HiveOptions::default()) else { continue };
            let keys = content(&hive).len();
            assert!(keys <= hive.bytes.len() / 80 + 1);
            let deleted = hive.deleted();
            let lost = deleted.as_keys(&hive).into_iter().chain(deleted.as_keys_of_values(&hive));
            for value in lost.flat_map(|(key, _)| key.values()).flatten() {
                let _ = value.data();
            }
            let _ = (hive.issues(), HiveKind::from_content(&hive));
            for key in hive.keys() {
                let _ = (key.class_name(), key.security_descriptor(), key.subkeys().len(), key.from_log());
                for value in key.values().into_iter().flatten() {
                    let _ = (value.to_value(), value.from_log());
                }
            }
        }
    }
}
