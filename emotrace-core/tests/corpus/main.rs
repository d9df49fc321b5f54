//! Real Windows artifacts from public projects, with the values that those projects or other tools publish.
//!
//! They lie outside this project: `EMOTRACE_CORPUS` names the folder, else `target/corpus` is tried. Where there is none,
//! every test here is listed as ignored; none counts as passed.

mod detect;
mod evtx;
mod execution;
mod jump_lists;
mod lnk;
mod ntfs;
mod persistence;
mod prefetch;
mod recycle_bin;
mod regf;
mod registry;
mod scheduled_tasks;
mod source;
mod user_keys;
mod usn_journal;
mod verdict;
mod vss;

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Trial};

/// A test on the corpus: its name and what it does with the corpus' folder.
type Case = (&'static str, fn(&Path));

/// One list per module; a new module adds its line here.
#[rustfmt::skip]
const CASES: &[&[Case]] = &[
    detect::CASES,
    evtx::CASES,
    execution::CASES,
    jump_lists::CASES,
    lnk::CASES,
    ntfs::CASES,
    persistence::CASES,
    prefetch::CASES,
    recycle_bin::CASES,
    regf::CASES,
    registry::CASES,
    scheduled_tasks::CASES,
    source::CASES,
    user_keys::CASES,
    usn_journal::CASES,
    verdict::CASES,
    vss::CASES,
];

fn corpus() -> Option<PathBuf> {
    let place = match std::env::var_os("EMOTRACE_CORPUS") {
        Some(place) => PathBuf::from(place),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/corpus"),
    };
    place.is_dir().then_some(place)
}

fn main() {
    let arguments = Arguments::from_args();
    let corpus = corpus();
    if corpus.is_none() {
        eprintln!("no corpus of real artifacts here (EMOTRACE_CORPUS): its tests are ignored, not passed");
    }
    let trials = CASES
        .iter()
        .copied()
        .flatten()
        .map(|&(name, run)| {
            let place = corpus.clone().unwrap_or_default();
            Trial::test(name, move || {
                run(&place);
                Ok(())
            })
            .with_ignored_flag(corpus.is_none())
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
