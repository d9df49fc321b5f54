//! Merges sorted runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::scratch::at;
use super::sorted_run::Run;
use super::spill::{KEY_LEN, Key, decode};
use crate::model::{Event, Schema};

/// Runs that are merged at once.
const FAN_IN: usize = 64;

/// Merges runs into fewer until at most [`FAN_IN`] are left.
pub(super) fn reduce(mut runs: Vec<Run>, dir: &Path) -> io::Result<Vec<Run>> {
    let mut made = 0u32;
    while runs.len() > FAN_IN {
        let rest = runs.split_off(FAN_IN);
        let name = format!("merged-{made}");
        made = made.saturating_add(1);
        let merged = Run::write(dir, name, |out| {
            let mut entries = Entries::open(&runs, dir)?;
            while let Some((key, body)) = entries.next()? {
                out.entry(&key.to_bytes(), &body)?;
            }
            Ok(())
        })?;
        for run in &runs {
            fs::remove_file(run.path(dir))?;
        }
        runs = rest;
        runs.push(merged);
    }
    Ok(runs)
}

/// Reads entries of several runs in the order of their keys.
pub(super) struct Entries {
    readers: Vec<BufReader<File>>,
    /// The next entry of each run that has one.
    heads: BinaryHeap<Reverse<(Key, usize)>>,
    bodies: Vec<Vec<u8>>,
}

impl Entries {
    #[expect(clippy::disallowed_methods, reason = "our own temporary runs, not evidence")]
    pub(super) fn open(runs: &[Run], dir: &Path) -> io::Result<Self> {
        let open = |run: &Run| {
            let path = run.path(dir);
            File::open(&path).map(|file| BufReader::with_capacity(1 << 16, file)).map_err(|error| at(&path, error))
        };
        let readers: Vec<_> = runs.iter().map(open).collect::<Result<_, _>>()?;
        let bodies = vec![Vec::new(); readers.len()];
        let mut entries = Self { readers, heads: BinaryHeap::new(), bodies };
        for run in 0..entries.readers.len() {
            entries.fill(run)?;
        }
        Ok(entries)
    }

    /// Reads the next entry of a run into its head.
    fn fill(&mut self, run: usize) -> io::Result<()> {
        let mut key = [0; KEY_LEN];
        let reader = &mut self.readers[run];
        match reader.read_exact(&mut key) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            result => result?,
        }
        let mut len = [0; 4];
        reader.read_exact(&mut len)?;
        let body = &mut self.bodies[run];
        body.resize(u32::from_be_bytes(len) as usize, 0);
        reader.read_exact(body)?;
        self.heads.push(Reverse((Key::from_bytes(key), run)));
        Ok(())
    }

    pub(super) fn next(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        let mut body = Vec::new();
        Ok(self.next_into(&mut body)?.map(|key| (key, body)))
    }

    /// As [`Self::next`], with a body that was used before, so that no new one is needed for each entry.
    fn next_into(&mut self, body: &mut Vec<u8>) -> io::Result<Option<Key>> {
        let Some(Reverse((key, run))) = self.heads.pop() else { return Ok(None) };
        std::mem::swap(body, &mut self.bodies[run]);
        self.fill(run)?;
        Ok(Some(key))
    }
}

/// The events of a timeline in their order.
pub struct Merge<'t> {
    entries: Entries,
    schema: &'t Schema,
    body: Vec<u8>,
}

impl<'t> Merge<'t> {
    pub(super) fn open(runs: &[Run], dir: &Path, schema: &'t Schema) -> io::Result<Self> {
        Ok(Self { entries: Entries::open(runs, dir)?, schema, body: Vec::new() })
    }
}

impl Iterator for Merge<'_> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next_into(&mut self.body).transpose()?;
        Some(entry.and_then(|_| decode(&self.body, self.schema)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Job, TimelineBuilder};
    use super::*;
    use crate::model::{Descriptor, Field, Kind, Locator, Meaning, Origin, Sink, State, Timestamp, Value, Values};

    static DESCRIPTOR: Descriptor = Descriptor {
        name: "test:test:test",
        doc: "",
        message: "{n}",
        data_type: None,
        fields: &[Field::new("n", Kind::Number, ""), Field::new("more", Kind::Map, "")],
    };

    fn schema() -> Schema {
        Schema { artifacts: vec!["a", "b"], descriptors: vec![&DESCRIPTOR] }
    }

    fn event(time: Option<u64>, n: u64) -> Event {
        let mut values = Values::new();
        values.set("n", n);
        values.set("more", Value::Map(vec![("x".into(), Value::List(vec![Value::Null, (-1i64).into()]))]));
        Event {
            time: time.map(Timestamp::from_filetime),
            meaning: Meaning::CREATED | Meaning::MODIFIED,
            artifact: "a",
            descriptor: &DESCRIPTOR,
            values,
            user: Some("u".to_owned()),
            state: State::Deleted,
            origin: Origin {
                locator: Arc::new(Locator { image: "i".to_owned(), path: format!("\\{n}"), ..Locator::default() }),
                offset: Some(n),
                also_in: Vec::new(),
            },
        }
    }

    /// Events come back whole and in the total order, however they were spread over workers and runs.
    #[test]
    fn the_order_does_not_depend_on_the_workers() {
        let mut orders = Vec::new();
        for (workers, flush_each) in [(1usize, 1000u64), (3, 1), (2, 7)] {
            let builder = TimelineBuilder::new(schema(), None).unwrap();
            let mut sinks: Vec<_> = (0..workers).map(|_| builder.worker()).collect();
            for input in 0..50u32 {
                let sink = &mut sinks[input as usize % workers];
                sink.start(Job { artifact: 0, input });
                for n in 0..4u64 {
                    let time = if n == 3 { None } else { Some((u64::from(input) * 7919 + n * 13) % 17) };
                    sink.event(event(time, u64::from(input) * 10 + n));
                    if n % flush_each == 0 {
                        sink.flush().unwrap();
                    }
                }
            }
            drop(sinks);
            let timeline = builder.finish().unwrap();
            assert_eq!(timeline.len(), 200);
            let events: Vec<_> = timeline.events().unwrap().collect::<Result<_, _>>().unwrap();
            assert_eq!(events.len(), 200);
            assert!(events.windows(2).all(|w| {
                let key = |e: &Event| e.time.map_or(u64::MAX, Timestamp::filetime);
                key(&w[0]) <= key(&w[1])
            }));
            assert_eq!(events.last().unwrap().time, None);
            assert_eq!(events[0], event(events[0].time.map(Timestamp::filetime), events[0].origin.offset.unwrap()));
            orders.push(events);
        }
        assert_eq!(orders[0], orders[1]);
        assert_eq!(orders[0], orders[2]);
    }
}
