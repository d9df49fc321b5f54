//! Folds events that a shadow copy shares with the live volume, or with another copy, into one.
//!
//! Two events are the same when all they say is the same: time, meaning, kind, values, account, state, and place up to the
//! record; only the shadow copy and the byte offset may differ. The first in the order stays, that of the live volume where
//! there is one, and names the copies that hold it too. A record that one volume holds twice stays twice.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::{fs, io};

use super::merge::Entries;
use super::sorted_run::Run;
use super::spill::{Job, Key, Stored};

/// Bytes of events of one artifact at one instant that are held against each other. What goes beyond is folded for itself:
/// events may stay apart then, but none is lost.
const HELD_BYTES: usize = 32 << 20;

/// Writes the merged runs as one, folded, and counts its events. `snapshots` are the jobs that gave events of shadow copies:
/// only where they take part is anything decoded.
pub(super) fn fold(runs: &[Run], dir: &Path, snapshots: &HashSet<Job>) -> io::Result<(Run, u64)> {
    let mut count = 0u64;
    let run = Run::write(dir, "folded".to_owned(), |out| {
        let mut entries = Entries::open(runs, dir)?;
        let mut group: Vec<(Key, Vec<u8>)> = Vec::new();
        let mut held = 0usize;
        loop {
            let next = entries.next()?;
            let goes_on = match (&next, group.last()) {
                (Some((key, _)), Some((last, _))) => key.same_instant(last) && held < HELD_BYTES,
                _ => false,
            };
            if !goes_on {
                if group.iter().any(|(key, _)| snapshots.contains(&key.job())) {
                    group = folded(group)?;
                }
                for (key, body) in group.drain(..) {
                    out.entry(&key.to_bytes(), &body)?;
                    count = count.saturating_add(1);
                }
                held = 0;
            }
            let Some((key, body)) = next else { return Ok(()) };
            held = held.saturating_add(body.len());
            group.push((key, body));
        }
    })?;
    for run in runs {
        fs::remove_file(run.path(dir))?;
    }
    Ok((run, count))
}

/// The events of one instant without what repeats others.
fn folded(group: Vec<(Key, Vec<u8>)>) -> io::Result<Vec<(Key, Vec<u8>)>> {
    let mut kept: Vec<(Key, Stored)> = Vec::with_capacity(group.len());
    // How often each volume has said the same, and who said it first that often.
    let mut said: HashMap<(Vec<u8>, Option<u32>), u32> = HashMap::new();
    let mut first: HashMap<(Vec<u8>, u32), usize> = HashMap::new();
    for (key, body) in group {
        let mut event: Stored = postcard::from_bytes(&body).map_err(io::Error::other)?;
        let content = event.content()?;
        let snapshot = event.locator.snapshot;
        let times = said.entry((content.clone(), snapshot)).or_default();
        *times = times.saturating_add(1);
        let place = first.entry((content, *times)).or_insert(kept.len());
        match (kept.get_mut(*place), snapshot) {
            (Some((_, same)), Some(snapshot)) if !same.also_in.contains(&snapshot) => {
                same.also_in.push(snapshot);
                same.also_in.sort_unstable();
            }
            _ => kept.push((key, event)),
        }
    }
    let encode = |(key, event): (Key, Stored)| Ok((key, postcard::to_allocvec(&event).map_err(io::Error::other)?));
    kept.into_iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Job, TimelineBuilder};
    use crate::model::{
        Descriptor, Event, Field, Kind, Locator, Meaning, Origin, Schema, Sink, State, Timestamp, Values,
    };

    static DESCRIPTOR: Descriptor = Descriptor {
        name: "test:test:test",
        doc: "",
        message: "",
        data_type: None,
        fields: &[Field::new("n", Kind::Number, "")],
    };

    fn event(snapshot: Option<u32>, path: &str, n: u64, offset: u64) -> Event {
        let mut values = Values::new();
        values.set("n", n);
        Event {
            time: Some(Timestamp::from_filetime(5)),
            meaning: Meaning::LOGGED,
            artifact: "a",
            descriptor: &DESCRIPTOR,
            values,
            user: None,
            state: State::Live,
            origin: Origin {
                locator: Arc::new(Locator { snapshot, path: path.to_owned(), ..Locator::default() }),
                offset: Some(offset),
                also_in: Vec::new(),
            },
        }
    }

    type Row = (Option<u32>, &'static str, u64, u64);

    /// Each volume is an input; what comes out, as snapshot, number, offset and copies.
    fn run(events: &[Row]) -> Vec<(Option<u32>, u64, u64, Vec<u32>)> {
        let builder =
            TimelineBuilder::new(Schema { artifacts: vec!["a"], descriptors: vec![&DESCRIPTOR] }, None).unwrap();
        for input in 0..3u32 {
            let mut worker = builder.worker();
            worker.start(Job { artifact: 0, input });
            for (snapshot, path, n, offset) in events.iter().filter(|e| e.0.unwrap_or(0) == input) {
                worker.event(event(*snapshot, path, *n, *offset));
            }
        }
        let timeline = builder.finish().unwrap();
        let rows: Vec<_> = timeline
            .events()
            .unwrap()
            .map(Result::unwrap)
            .map(|e| {
                let n = e.values.get("n").and_then(|n| n.as_number()).unwrap();
                (e.origin.locator.snapshot, n, e.origin.offset.unwrap(), e.origin.also_in)
            })
            .collect();
        assert_eq!(timeline.len(), rows.len() as u64);
        rows
    }

    #[test]
    fn equal_content_is_one_event_with_all_its_places() {
        let rows = run(&[
            (None, "x", 1, 10),
            (Some(1), "x", 1, 99),
            (Some(2), "x", 1, 10),
            (Some(1), "x", 2, 20),
            (Some(2), "x", 2, 21),
            (Some(2), "x", 3, 30),
            (Some(2), "y", 1, 10),
        ]);
        let expected =
            [(None, 1, 10, vec![1, 2]), (Some(1), 2, 20, vec![2]), (Some(2), 3, 30, vec![]), (Some(2), 1, 10, vec![])];
        assert_eq!(rows, expected);
    }

    /// Two equal records of one log are two records; the copy had three.
    #[test]
    fn what_one_volume_says_twice_stays_twice() {
        let rows = run(&[
            (None, "x", 1, 10),
            (None, "x", 1, 20),
            (Some(1), "x", 1, 10),
            (Some(1), "x", 1, 20),
            (Some(1), "x", 1, 30),
        ]);
        assert_eq!(rows, [(None, 1, 10, vec![1]), (None, 1, 20, vec![1]), (Some(1), 1, 30, vec![])]);
    }

    #[test]
    fn without_shadow_copies_nothing_is_folded() {
        let rows = run(&[(None, "x", 1, 10), (None, "x", 1, 10)]);
        assert_eq!(rows, [(None, 1, 10, vec![]), (None, 1, 10, vec![])]);
    }
}
