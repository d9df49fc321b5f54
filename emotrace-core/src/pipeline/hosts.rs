//! What the registry tells of each installed system: read first, because every parser is given it.

use std::collections::BTreeSet;

use super::evidence::{Loose, LooseKind, Mounted};
use super::hives;
use crate::artifacts::{Limits, read_host};
use crate::filesystem::FileSystem;
use crate::formats::guard::guarded;
use crate::formats::regf::{Hive, HiveKind};
use crate::model::Host;

/// Hives that tell what the host is.
const HOST_HIVES: &[&str] = &["SYSTEM", "SOFTWARE", "SAM", "SECURITY"];

/// Most folders below each other that scheduled tasks are looked for in.
const MAX_DEPTH: usize = 64;

/// One host for each volume that holds a Windows folder, and one for single hives.
pub(super) fn read_hosts(volumes: &[Mounted], loose: &[Loose]) -> Vec<Host> {
    let mut hosts: Vec<Host> = volumes.iter().filter_map(of_volume).collect();
    let loose: Vec<(HiveKind, Hive)> =
        loose.iter().filter_map(|l| loose_hive(l, true, Limits::default()).ok()).collect();
    hosts.extend((!loose.is_empty()).then(|| host_of(&loose)));
    hosts
}

fn of_volume(mounted: &Mounted) -> Option<Host> {
    let read = |name: &&str| {
        let path = format!(r"\Windows\System32\config\{name}");
        let entry = mounted.files.lookup(&path).ok()?;
        let data = mounted.files.open(&entry, "").ok()?;
        let logs = hives::logs_beside(&*mounted.files, &path);
        let hive = guarded(|| hives::open(&*data, &logs, true, Limits::default()).ok()).ok()??;
        Some((HiveKind::from_path(name)?, hive))
    };
    let hives: Vec<(HiveKind, Hive)> = HOST_HIVES.iter().filter_map(read).collect();
    (!hives.is_empty()).then(|| Host {
        volume: mounted.label.clone(),
        task_files: guarded(|| task_files(&*mounted.files)).ok().flatten(),
        ..host_of(&hives)
    })
}

/// Paths of all files below the folder of scheduled tasks. None, if any folder of it can't be listed: then nobody can say
/// that a file is missing.
fn task_files(files: &dyn FileSystem) -> Option<BTreeSet<String>> {
    let mut tasks = BTreeSet::new();
    let mut folders = vec![(String::new(), files.lookup(r"\Windows\System32\Tasks").ok()?, 0usize)];
    while let Some((path, folder, depth)) = folders.pop() {
        for entry in files.list(&folder).ok()? {
            let Some(name) = entry.primary_name() else { continue };
            let path = format!("{path}\\{}", name.name.to_lowercase());
            if !entry.directory {
                tasks.insert(path);
            } else if depth < MAX_DEPTH {
                folders.push((path, entry, depth + 1));
            }
        }
    }
    Some(tasks)
}

/// A decoder that gives up leaves a host of which nothing is known.
fn host_of(hives: &[(HiveKind, Hive)]) -> Host {
    let hives: Vec<(HiveKind, &Hive)> = hives.iter().map(|(kind, hive)| (*kind, hive)).collect();
    guarded(|| read_host(&hives)).unwrap_or_default()
}

/// A single file as a hive.
pub(super) fn loose_hive(loose: &Loose, replay: bool, limits: Limits) -> Result<(HiveKind, Hive), String> {
    if !matches!(loose.what, LooseKind::Hive) {
        return Err("not a hive".to_owned());
    }
    let logs: Vec<_> = loose.logs().into_iter().map(|(_, data)| data).collect();
    let hive = guarded(|| hives::open(&*loose.data, &logs, replay, limits))?.map_err(|error| error.to_string())?;
    Ok((HiveKind::from_content(&hive), hive))
}
