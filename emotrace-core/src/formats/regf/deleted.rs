//! Keys and values that are no longer part of the live tree.
//!
//! Windows deletes a key or a value by marking its cells as free; their content stays until the place is used again. So
//! all that the live tree does not use is searched, in steps of 8 bytes as cells have them, for structures that are
//! whole: free cells (which often hold several old ones), cells in use that nothing names, the unused end of cells in
//! use, and pages without a bin.
//!
//! A deleted key still names its parent, and a list of values what it listed. Both may have been used again since, so
//! each find says how sure it is.
//!
//! In a damaged hive, what hung below the damage comes out here too, as carved.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cell::{Cell, Cells, NONE, Name, Nk, Region, RegionKind, Vk, file_offset, u32_at};
use super::live::{CellSet, LiveKey};
use super::{DataPlace, Hive, Key, KeyValue, Lost};
use crate::model::{State, Timestamp};

/// Keys above each other, at most. Windows allows 512 levels.
const DEPTH: usize = 512;
/// 1980 and 2200 as FILETIME: a last-write time outside is no last-write time.
const TIMES: std::ops::Range<u64> = 119_600_064_000_000_000..189_027_648_000_000_000;

/// Deleted keys that are compared with a live key of the same path, at most: a bound on the work. Those behind are given
/// without a comparison.
const TWINS: usize = 10_000;

/// Stands for the keys above that are not known, as with files whose folder is gone.
pub const ORPHAN: &str = "$Orphan";

/// How sure a find is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// The structure is whole, and all that it names is still where it says.
    Whole,
    /// The structure is whole, but what it names (its parent, its values, its data) is gone, or used again since.
    Partial,
}

/// A key that is no longer part of the tree.
#[derive(Clone, Debug)]
pub struct DeletedKey<'h> {
    /// Its name.
    pub name: String,
    /// Path from the hive's root where every key above it is known, else as much of its end as is known.
    pub path: String,
    /// The path begins at the root.
    pub path_known: bool,
    /// When it was last written.
    pub last_write: Option<Timestamp>,
    /// Offset of its cell in the hive file.
    pub offset: u64,
    /// Deleted (its place is free), slack (in the unused end of something in use), or carved (its place is in use but
    /// nothing names it, or it lies outside of all bins: damage above it, rather than deletion, may have cut it off).
    pub state: State,
    /// How sure the path and the values are.
    pub certainty: Certainty,
    /// Its values, as far as its list of values still names them.
    pub values: Vec<DeletedValue<'h>>,
    nk: Nk<'h>,
    /// Each key above it can be the one that was there when it lived.
    path_sure: bool,
}

/// A value that is no longer part of the tree.
#[derive(Clone, Debug)]
pub struct DeletedValue<'h> {
    /// Path of the key that it belonged to, where that is known.
    pub key_path: Option<String>,
    /// Name, type, data. The data is refused where its place is used again.
    pub value: KeyValue<'h>,
    /// See [`DeletedKey::state`].
    pub state: State,
    /// How sure the data and the key are.
    pub certainty: Certainty,
    /// The live key that it belonged to.
    owner: Option<Key<'h>>,
}

/// What is left of deleted keys and values, by offset.
#[derive(Clone, Debug, Default)]
pub struct Deleted<'h> {
    /// Keys with the values that they still name.
    pub keys: Vec<DeletedKey<'h>>,
    /// Values of live keys, and values of which no key is known.
    pub values: Vec<DeletedValue<'h>>,
}

impl<'h> Deleted<'h> {
    /// What is left, as keys that can be read like live ones: each deleted key with the values of which the data is left.
    /// A key whose path may have belonged to another key since is given as carved; so is one whose path does not reach the
    /// root, below [`ORPHAN`].
    pub fn as_keys(&self, hive: &'h Hive) -> Vec<(Key<'h>, State)> {
        let keys = self.keys.iter().enumerate().filter_map(|(n, key)| {
            let path = if key.path_known { key.path.clone() } else { format!("{ORPHAN}\\{}", key.path) };
            let twin = if n < TWINS && key.path_known { hive.find(&path) } else { None };
            let values = news(&key.values, twin.as_ref());
            // A copy of what still lives tells nothing new.
            if values.is_empty() && twin.is_some_and(|twin| twin.last_write() >= key.last_write) {
                return None;
            }
            let state = if key.path_sure { key.state } else { State::Carved };
            Some((lost_key(hive, key.nk, path, values), state))
        });
        keys.collect()
    }

    /// What is left of values that live keys had, as keys that hold nothing but those values.
    pub fn as_keys_of_values(&self, hive: &'h Hive) -> Vec<(Key<'h>, State)> {
        let mut by_key: BTreeMap<(u64, State), (&Key<'h>, Vec<DeletedValue<'h>>)> = BTreeMap::new();
        for value in &self.values {
            if let Some(owner) = &value.owner {
                let entry = by_key.entry((owner.offset(), value.state)).or_insert_with(|| (owner, Vec::new()));
                entry.1.push(value.clone());
            }
        }
        let keys = by_key.into_iter().filter_map(|((_, state), (live, values))| {
            let values = news(&values, Some(live));
            (!values.is_empty()).then(|| (lost_key(hive, live.nk, live.path(), values), state))
        });
        keys.collect()
    }
}

/// The values of which the data is left, without those that the live key has in the same form.
fn news<'h>(values: &[DeletedValue<'h>], live: Option<&Key<'h>>) -> Vec<KeyValue<'h>> {
    let same = |old: &KeyValue<'_>| {
        let Some(new) = live.and_then(|key| key.value(&old.name())) else { return false };
        new.kind() == old.kind() && new.data().ok() == old.data().ok()
    };
    values.iter().map(|value| &value.value).filter(|value| value.data().is_ok() && !same(value)).cloned().collect()
}

fn lost_key<'h>(hive: &'h Hive, nk: Nk<'h>, path: String, values: Vec<KeyValue<'h>>) -> Key<'h> {
    let live = LiveKey { cell: nk.cell.at, parent: 0, first: 0, count: 0, values_taken: false };
    Key { hive, place: u32::MAX, live, nk, lost: Some(Arc::new(Lost { path, values })) }
}

/// Searches a hive.
pub(super) fn find(hive: &Hive) -> Deleted<'_> {
    let cells = hive.cells();
    let used = used_cells(hive);
    let mut finds = Finds::default();
    cells.regions(&mut |region| search(cells, &used, &region, &mut finds));
    let live: BTreeMap<u32, Key<'_>> = parents(hive, &finds);
    let mut owned = CellSet::new(cells.bytes.len());
    let mut keys = Vec::new();
    for (at, (nk, state)) in &finds.keys {
        let (path, path_known, parent_sure) = path_of(nk, &finds, &live);
        let (values, values_sure) = values_of(hive, nk, &used, &finds, &mut owned);
        let values = values
            .into_iter()
            .map(|value| DeletedValue { key_path: path_known.then(|| path.clone()), ..value })
            .collect();
        keys.push(DeletedKey {
            name: nk.name().text(),
            path,
            path_known,
            last_write: nk.last_written(),
            offset: file_offset(*at),
            state: *state,
            certainty: if parent_sure && values_sure { Certainty::Whole } else { Certainty::Partial },
            values,
            nk: *nk,
            path_sure: parent_sure,
        });
    }
    let mut former = BTreeMap::new();
    for key in hive.keys() {
        for at in former_values(cells, &key) {
            if finds.values.contains_key(&at) && !owned.has(at) {
                former.entry(at).or_insert_with(|| key.clone());
            }
        }
    }
    let values = finds
        .values
        .iter()
        .filter(|(at, _)| !owned.has(**at))
        .map(|(at, (vk, state))| {
            let value = deleted_value(hive, *vk, *state, &used);
            match former.remove(at) {
                // The end of a list may be older than the key that has it now.
                Some(key) => DeletedValue {
                    key_path: Some(key.path()),
                    certainty: Certainty::Partial,
                    owner: Some(key),
                    ..value
                },
                None => value,
            }
        })
        .collect();
    Deleted { keys, values }
}

/// Structures that were found, by cell.
#[derive(Default)]
struct Finds<'h> {
    keys: BTreeMap<u32, (Nk<'h>, State)>,
    values: BTreeMap<u32, (Vk<'h>, State)>,
}

/// Every cell that the live tree uses.
fn used_cells(hive: &Hive) -> CellSet {
    let cells = hive.cells();
    let mut used = CellSet::new(cells.bytes.len());
    for list in &hive.tree.lists {
        used.add(*list);
    }
    for key in hive.keys() {
        used.add(key.nk.cell.at);
        for at in [key.nk.security(), key.nk.class()] {
            if at != NONE {
                used.add(at);
            }
        }
        if key.nk.value_count() != 0 {
            used.add(key.nk.value_list());
        }
        for value in key.values().into_iter().flatten() {
            used.add(value.vk.cell.at);
            if value.vk.inline.is_some() || value.vk.data_size == 0 {
                continue;
            }
            used.add(value.vk.data_cell);
            for at in cells.segments_of(&value.vk) {
                used.add(at);
            }
        }
    }
    used
}

/// Takes every whole structure in a part of the hive that the live tree does not use.
fn search<'h>(cells: Cells<'h>, used: &CellSet, region: &Region, finds: &mut Finds<'h>) {
    let (from, state) = match region.kind {
        RegionKind::Free => (region.start, State::Deleted),
        RegionKind::Outside => (region.start, State::Carved),
        RegionKind::Broken => (region.start, State::Slack),
        RegionKind::Used if !used.has(region.start) => (region.start, State::Carved),
        RegionKind::Used => match used_end(cells, region) {
            Some(end) => (end, State::Slack),
            None => return,
        },
    };
    let mut at = from;
    while at.saturating_add(8) <= region.end {
        let left = cells.slice(at.saturating_add(4), region.end);
        let size = u32_at(cells.slice(at, region.end), 0).cast_signed().unsigned_abs();
        // The size of an old cell bounds it where it makes sense.
        let fits = size >= 8 && size.is_multiple_of(8) && size <= region.end.saturating_sub(at);
        let data = if fits { left.get(..(size as usize).saturating_sub(4)).unwrap_or(left) } else { left };
        let cell = Cell { at, allocated: false, data };
        match data.get(..2) {
            Some(b"nk") => {
                if let Some(nk) = Nk::read(cell).ok().filter(plausible_key) {
                    finds.keys.insert(at, (nk, state));
                }
            }
            Some(b"vk") => {
                if let Some(vk) = Vk::read(cell).ok().filter(|vk| plausible_value(cells, vk)) {
                    finds.values.insert(at, (vk, state));
                }
            }
            _ => {}
        }
        at = at.saturating_add(8);
    }
}

/// Where the unused end of a cell in use begins: behind what its structure needs, on the next multiple of 8. Data of a
/// value is taken whole, because only the value knows its length.
fn used_end(cells: Cells<'_>, region: &Region) -> Option<u32> {
    let data = cells.slice(region.start.saturating_add(4), region.end);
    let cell = Cell { at: region.start, allocated: true, data };
    let length = match data.get(..2)? {
        b"nk" => Nk::read(cell).ok()?.length(),
        b"vk" => Vk::read(cell).ok()?.length(),
        b"lf" | b"lh" => usize::from(super::cell::u16_at(data, 2)).saturating_mul(8).saturating_add(4),
        b"li" | b"ri" => usize::from(super::cell::u16_at(data, 2)).saturating_mul(4).saturating_add(4),
        b"sk" => usize::try_from(u32_at(data, 16)).ok()?.saturating_add(20),
        _ => return None,
    };
    let end = region.start.saturating_add(u32::try_from(length).ok()?).saturating_add(4);
    end.checked_next_multiple_of(8)
}

fn plausible_key(nk: &Nk<'_>) -> bool {
    let time = nk.last_written().map_or(0, Timestamp::filetime);
    nk.length() <= nk.cell.data.len()
        && nk.name_length() > 0
        && plausible_name(&nk.name())
        && TIMES.contains(&time)
        && nk.parent().is_multiple_of(8)
}

fn plausible_value(cells: Cells<'_>, vk: &Vk<'_>) -> bool {
    let in_hive = u64::from(vk.data_size) <= cells.bytes.len() as u64
        && vk.data_cell.is_multiple_of(8)
        && file_offset(vk.data_cell) < cells.bytes.len() as u64;
    vk.length() <= vk.cell.data.len()
        && plausible_name(&vk.name())
        && vk.flags() <= 3
        && if vk.inline.is_some() { vk.data_size <= 4 } else { vk.data_size == 0 || in_hive }
}

/// No control characters: no name that Windows makes has one, and other data has many.
fn plausible_name(name: &Name<'_>) -> bool {
    if name.narrow {
        name.bytes.iter().all(|byte| *byte >= 0x20)
    } else {
        name.bytes.len().is_multiple_of(2)
            && name.bytes.as_chunks::<2>().0.iter().all(|u| u16::from_le_bytes(*u) >= 0x20)
    }
}

/// The live keys that deleted keys name as their parents, by cell.
fn parents<'h>(hive: &'h Hive, finds: &Finds<'h>) -> BTreeMap<u32, Key<'h>> {
    let mut wanted = CellSet::new(hive.bytes.len());
    for (nk, _) in finds.keys.values() {
        wanted.add(nk.parent());
    }
    hive.keys().filter(|key| wanted.has(key.nk.cell.at)).map(|key| (key.nk.cell.at, key)).collect()
}

/// The path of a deleted key as far as it is known, whether it reaches the root, and whether each key above it can be the
/// one that was there when it lived.
fn path_of(nk: &Nk<'_>, finds: &Finds<'_>, live: &BTreeMap<u32, Key<'_>>) -> (String, bool, bool) {
    let mut names = vec![nk.name().text()];
    let mut sure = true;
    let mut child = *nk;
    let mut above = None;
    while names.len() < DEPTH && above.is_none() {
        if let Some(parent) = live.get(&child.parent()) {
            // Deleting a key writes its parent, so the parent can't be the older one.
            sure &= parent.last_write() >= child.last_written();
            above = Some(parent.path());
        } else if let Some((parent, _)) = finds.keys.get(&child.parent()) {
            names.push(parent.name().text());
            child = *parent;
        } else {
            break;
        }
    }
    let known = above.is_some();
    names.extend(above.filter(|path| !path.is_empty()));
    names.reverse();
    (names.join("\\"), known, sure && known)
}

/// The values that a deleted key still names, and whether those are all that it had.
fn values_of<'h>(
    hive: &'h Hive,
    nk: &Nk<'h>,
    used: &CellSet,
    finds: &Finds<'h>,
    owned: &mut CellSet,
) -> (Vec<DeletedValue<'h>>, bool) {
    let (count, list) = (nk.value_count(), nk.value_list());
    if count == 0 || list == NONE {
        return (Vec::new(), true);
    }
    if used.has(list) || !list.is_multiple_of(8) {
        return (Vec::new(), false);
    }
    let length = count.saturating_mul(4).saturating_add(4);
    let listed = hive.cells().slice(list.saturating_add(4), list.saturating_add(length));
    let mut values = Vec::new();
    let mut read = 0u32;
    for at in listed.as_chunks::<4>().0.iter().map(|at| u32::from_le_bytes(*at)) {
        match finds.values.get(&at) {
            Some((vk, state)) if owned.add(at) => values.push(deleted_value(hive, *vk, *state, used)),
            _ => break,
        }
        read = read.saturating_add(1);
    }
    (values, read == count)
}

/// What the list of a live key's values named behind its end.
fn former_values(cells: Cells<'_>, key: &Key<'_>) -> Vec<u32> {
    if key.nk.value_count() == 0 {
        return Vec::new();
    }
    let Ok(list) = cells.cell(key.nk.value_list(), "the list of values") else { return Vec::new() };
    let count = usize::try_from(key.nk.value_count()).unwrap_or(usize::MAX);
    list.data.as_chunks::<4>().0.iter().skip(count).map(|at| u32::from_le_bytes(*at)).collect()
}

fn deleted_value<'h>(hive: &'h Hive, vk: Vk<'h>, state: State, used: &CellSet) -> DeletedValue<'h> {
    let elsewhere = vk.inline.is_none() && vk.data_size != 0;
    let place = if elsewhere && used.has(vk.data_cell) { DataPlace::UsedAgain } else { DataPlace::Free };
    let value = KeyValue { hive, vk, place };
    let certainty = if value.data().is_ok() { Certainty::Whole } else { Certainty::Partial };
    DeletedValue { key_path: None, value, state, certainty, owner: None }
}
