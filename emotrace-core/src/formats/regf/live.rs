//! The live tree, walked with the `nt-hive` crate. This is the only file that names it.
//!
//! The crate reads lists of subkeys fast, but it gives neither the place nor the last-write time of a key, and it gives
//! a list up at its first fault. A key's place comes from where its name lies in the hive (the name is a slice of it,
//! 76 bytes behind the key's begin); where the crate refuses a list, or panics over it, our own cell layer reads what is
//! whole.
//!
//! The tree is a tree whatever the lists say: a key that two lists name belongs to the one whose key it names as its
//! parent, else to the one that is reached first. So a hostile hive costs no more than its own size.

use std::collections::VecDeque;

use nt_hive::{KeyNode, NtHiveNameString};

use super::super::guard::guarded;
use super::cell::{BASE_BLOCK, Cells, KEY_NAME, NONE, SubkeyList, file_offset};
use crate::bytes::FormatError;

type Node<'n, 'h> = KeyNode<'n, &'h [u8]>;

/// One live key.
#[derive(Clone, Copy, Debug)]
pub(super) struct LiveKey {
    /// Its cell.
    pub(super) cell: u32,
    /// The key above, by place in [`Tree::keys`]; the root names itself.
    pub(super) parent: u32,
    /// Place of the first subkey in [`Tree::keys`].
    pub(super) first: u32,
    /// Subkeys that could be read.
    pub(super) count: u32,
    /// Another key has this list of values already; it is not read twice.
    pub(super) values_taken: bool,
}

/// All live keys, level by level: the subkeys of one key lie side by side in stored order.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The keys, the root first.
    pub(super) keys: Vec<LiveKey>,
    /// What could not be read, by the place of the key whose list says it, in order of that place.
    pub(super) faults: Vec<(u32, FormatError)>,
    /// Cells of all lists of subkeys.
    pub(super) lists: Vec<u32>,
}

/// One bit for each 8 bytes of a hive: cells begin at multiples of 8.
pub(super) struct CellSet(Vec<u64>);

impl CellSet {
    /// For a hive of that size.
    pub(super) fn new(bytes: usize) -> Self {
        Self(vec![0; (bytes / 512).saturating_add(1)])
    }

    /// Adds a cell; false if it was there. What lies outside the hive is never there.
    pub(super) fn add(&mut self, cell: u32) -> bool {
        let Some(word) = usize::try_from(cell / 512).ok().and_then(|i| self.0.get_mut(i)) else { return true };
        let bit = 1u64 << (cell / 8 % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// True if the cell is in the set.
    pub(super) fn has(&self, cell: u32) -> bool {
        let word = usize::try_from(cell / 512).ok().and_then(|i| self.0.get(i));
        word.is_some_and(|word| word & (1u64 << (cell / 8 % 64)) != 0)
    }
}

/// Walks the whole tree from the root key.
pub(super) fn walk(cells: Cells<'_>, root: u32) -> Tree {
    let mut tree = Tree::default();
    let mut seen = CellSet::new(cells.bytes.len());
    let mut value_lists = CellSet::new(cells.bytes.len());
    let hive = guard(|| nt_hive::Hive::without_validation(cells.bytes).ok());
    let root_node = hive.as_ref().and_then(|hive| {
        // The crate takes its root from the base block; ours may have been found otherwise.
        guard(|| hive.root_key_node().ok().filter(|node| place_of(cells, node) == Some(root)))
    });
    seen.add(root);
    tree.keys.push(LiveKey { cell: root, parent: 0, first: 0, count: 0, values_taken: false });
    let mut queue = VecDeque::from([root_node]);
    // Every entry of a list takes four bytes, and each list belongs to one key.
    let mut budget = cells.bytes.len() / 4;
    let mut index = 0usize;
    while let (Some(node), Some(key)) = (queue.pop_front(), tree.keys.get(index).copied()) {
        let place = u32::try_from(index).unwrap_or(u32::MAX);
        let first = u32::try_from(tree.keys.len()).unwrap_or(u32::MAX);
        let mut fault = |error| tree.faults.push((place, error));
        let mut values_taken = false;
        match cells.key(key.cell) {
            Err(error) => fault(error),
            Ok(nk) => {
                values_taken = nk.value_count() != 0 && nk.value_list() != NONE && !value_lists.add(nk.value_list());
                let count = nk.subkey_count();
                let (list, nodes) = if count == 0 {
                    (SubkeyList::default(), Vec::new())
                } else {
                    read_list(cells, node.as_ref(), nk.subkey_list(), budget)
                };
                budget = budget.saturating_sub(list.entries.len().saturating_add(list.lists.len()));
                for list in list.lists {
                    tree.lists.push(list);
                }
                let whole = list.entries.iter().all(Result::is_ok);
                let read = list.entries.len() as u64;
                let mut nodes = nodes.into_iter();
                for entry in list.entries {
                    let node = nodes.next();
                    let found = entry.and_then(|at| {
                        let child = cells.key(at)?;
                        if child.parent() != key.cell && lists(cells, child.parent(), at, &mut budget) {
                            let problem = "the list names a key that belongs to another key";
                            return Err(fault_of(at, problem));
                        }
                        if !seen.add(at) {
                            let problem = "this key was reached before: the lists of subkeys share it or form a circle";
                            return Err(fault_of(at, problem));
                        }
                        Ok(child)
                    });
                    match found {
                        Ok(child) => {
                            let cell = child.cell.at;
                            if child.parent() != key.cell {
                                // Where parts of a hive changed places, this may be all that shows it.
                                fault(fault_of(cell, "it names another key as its parent than the one that lists it"));
                            }
                            tree.keys.push(LiveKey { cell, parent: place, first: 0, count: 0, values_taken: false });
                            queue.push_back(node);
                            if child.length() > child.cell.data.len() {
                                let problem = "the name is longer than the key's cell; what the cell holds is shown";
                                fault(fault_of(cell, problem));
                            }
                        }
                        Err(error) => fault(error),
                    }
                }
                if whole && read != u64::from(count) {
                    let problem = "the key counts another number of subkeys than its list holds";
                    let (what, offset) = ("the key's count of subkeys", nk.cell.offset());
                    fault(FormatError::Value { what, offset, value: count.into(), problem });
                }
            }
        }
        let count = u32::try_from(tree.keys.len()).unwrap_or(u32::MAX).saturating_sub(first);
        if let Some(key) = tree.keys.get_mut(index) {
            (key.first, key.count, key.values_taken) = (first, count, values_taken);
        }
        index = index.saturating_add(1);
    }
    tree
}

fn fault_of(at: u32, problem: &'static str) -> FormatError {
    FormatError::Value { what: "the key", offset: file_offset(at), value: at.into(), problem }
}

/// True if the key at `parent` lists the key at `child`.
fn lists(cells: Cells<'_>, parent: u32, child: u32, budget: &mut usize) -> bool {
    let Ok(parent) = cells.key(parent) else { return false };
    if parent.subkey_count() == 0 {
        return false;
    }
    let list = cells.subkeys(parent.subkey_list(), *budget);
    *budget = budget.saturating_sub(list.entries.len().saturating_add(list.lists.len()));
    list.entries.contains(&Ok(child))
}

/// The subkeys of a key: by the crate if it can read the whole list, else by the cell layer. The nodes, if there are
/// any, stand beside the entries.
fn read_list<'n, 'h>(
    cells: Cells<'_>,
    node: Option<&Node<'n, 'h>>,
    list: u32,
    budget: usize,
) -> (SubkeyList, Vec<Node<'n, 'h>>) {
    if let Some((entries, nodes)) = node.and_then(|node| guard(|| by_crate(cells, node, budget))) {
        return (SubkeyList { entries, lists: cells.lists_at(list) }, nodes);
    }
    (cells.subkeys(list, budget), Vec::new())
}

type Listed<'n, 'h> = (Vec<Result<u32, FormatError>>, Vec<Node<'n, 'h>>);

fn by_crate<'n, 'h>(cells: Cells<'_>, node: &Node<'n, 'h>, budget: usize) -> Option<Listed<'n, 'h>> {
    let (mut entries, mut nodes) = (Vec::new(), Vec::new());
    for child in node.subkeys()?.ok()? {
        let child = child.ok()?;
        entries.push(Ok(place_of(cells, &child)?));
        nodes.push(child);
        if nodes.len() > budget {
            return None;
        }
    }
    Some((entries, nodes))
}

/// The cell of a key, from the place of its name in the hive.
fn place_of(cells: Cells<'_>, node: &Node<'_, '_>) -> Option<u32> {
    let (NtHiveNameString::Latin1(name) | NtHiveNameString::Utf16LE(name)) = node.name().ok()?;
    let in_file = name.as_ptr().addr().checked_sub(cells.bytes.as_ptr().addr())?;
    // Four bytes of size, then the structure.
    let cell = in_file.checked_sub(KEY_NAME)?.checked_sub(4)?.checked_sub(BASE_BLOCK)?;
    let cell = u32::try_from(cell).ok()?;
    cells.key(cell).is_ok().then_some(cell)
}

/// The crate asserts and subtracts without check on damaged hives.
fn guard<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    guarded(read).ok().flatten()
}
