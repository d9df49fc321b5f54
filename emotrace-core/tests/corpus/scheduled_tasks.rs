//! Scheduled tasks of a real host, and plaso's legacy task.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emotrace_core::artifacts::by_name;
use emotrace_core::artifacts::{Completion, FileInput, Out, Reads};
use emotrace_core::model::{Collect, Event, Host, Locator, State, Value};

pub(crate) const CASES: &[super::Case] =
    &[("scheduled_tasks/legacy_task", legacy_task), ("scheduled_tasks/tasks_of_one_host", tasks_of_one_host)];

fn run(path: &Path, root: &Path) -> Vec<Event> {
    let data = fs::read(path).unwrap();
    let inner = path.strip_prefix(root).unwrap().to_string_lossy().replace('/', "\\");
    let locator = Arc::new(Locator { path: format!("C:\\Windows\\System32\\Tasks\\{inner}"), ..Locator::default() });
    let input = FileInput::alone(Arc::clone(&locator), &data);
    let mut sink = Collect::default();
    let mut out = Out::new(&mut sink, by_name("scheduled_tasks").unwrap().name, locator, State::Live);
    let Reads::Files { recognise, parse, .. } = by_name("scheduled_tasks").unwrap().reads else { panic!() };
    assert!(recognise(&data[..data.len().min(4096)]), "{path:?}");
    assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete, "{path:?}");
    assert!(sink.issues.is_empty(), "{path:?} {:?}", sink.issues);
    sink.events
}

fn text(event: &Event, field: &str) -> String {
    event.values.get(field).map(Value::to_string).unwrap_or_default()
}

/// Witness: plaso's tests (winjob). Its times are local.
fn legacy_task(corpus: &Path) {
    let folder = corpus.join("tasks/plaso");
    let events = run(&folder.join("wintask.job"), &folder);
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.time, None);
    assert_eq!(text(event, "command"), "C:\\Program Files (x86)\\Google\\Update\\GoogleUpdate.exe");
    assert_eq!(text(event, "arguments"), "/ua /installsource scheduler");
    assert_eq!(text(event, "author"), "Brian");
    assert!(text(event, "description").starts_with("Keeps your Google software up to date."));
    assert_eq!(text(event, "last_run"), "2013-08-24T12:42:00.112");
    assert_eq!(text(event, "triggers"), "daily from 2013-07-12T15:42:00, every 60 minutes for 1440 minutes");
}

/// Witness: Python's ElementTree over the same files.
fn tasks_of_one_host(corpus: &Path) {
    let root = corpus.join("tasks/win10/APTSimulatorVM");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert_eq!(files.len(), 202);
    let events: Vec<_> = files.iter().flat_map(|path| run(path, &root)).collect();
    let definitions: Vec<_> =
        events.iter().filter(|e| e.descriptor.name == "windows:scheduled_task:definition").collect();
    let with = |field: &str| definitions.iter().filter(|e| e.values.get(field).is_some()).count();
    assert_eq!(definitions.len(), 202);
    for (field, count) in [
        ("uri", 202),
        ("actions", 202),
        ("command", 90),
        ("com_classes", 112),
        ("author", 123),
        ("description", 134),
        ("source", 98),
        ("version", 52),
        ("security_descriptor", 169),
        ("date", 22),
        ("user_id", 138),
        ("group_id", 64),
        ("run_level", 88),
        ("logon_type", 5),
        ("hidden", 76),
        ("enabled", 57),
    ] {
        assert_eq!(with(field), count, "{field}");
    }
    // One date of registration and 14 boundaries, one in each trigger, name their zone.
    assert_eq!(definitions.iter().filter(|e| e.time.is_some()).count(), 1);
    assert_eq!(events.iter().filter(|e| e.descriptor.name == "windows:scheduled_task:trigger").count(), 14);
    let one = definitions.iter().find(|e| text(e, "task").starts_with("\\OneDrive Standalone Update Task")).unwrap();
    assert_eq!(text(one, "command"), "%localappdata%\\Microsoft\\OneDrive\\OneDriveStandaloneUpdater.exe");
    assert_eq!(text(one, "user_id"), "DESKTOP-TMKU40H\\TestUser");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
    files.sort();
}
