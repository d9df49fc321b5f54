//! The task cache: what the Task Scheduler itself knows of each scheduled task, in the registry.
//!
//! `SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache` has the tasks twice:
//!
//! | key | values |
//! |---|---|
//! | `Tree\<folder>\<task>` | `Id` (the task's identifier), `Index` (which list it is in), `SD` (who may see it) |
//! | `Tasks\{id}` | `Path`, `Author`, `Date`, `Description`, `Source`, `URI`, `Actions`, `Triggers`, `DynamicInfo` |
//!
//! `DynamicInfo`: version (0, u32), registered (4, FILETIME), last run (12, FILETIME), state (20, u32), last result
//! (24, u32), and from 36 bytes on last completed run (28, FILETIME). `Actions` is read by
//! [`crate::formats::task_actions`]. `Triggers` begins with its version (0, u64), and the earliest start of all
//! triggers: flag (8, u8), time (16, FILETIME); the triggers themselves are kept as bytes, their layout is not certain
//! enough.
//!
//! Source: G DATA Advanced Analytics, "Windows Registry Analysis: Tasks"; Microsoft, "Tarrask malware uses scheduled
//! tasks for defense evasion" (2022), on tasks without `SD`.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use super::key_values::KeyValues;
use crate::bytes::fields::{u8_at, u32_at, u64_at};
use crate::formats::regf::Key;
use crate::formats::task_actions::{TaskAction, TaskActions};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, State, Timestamp};

static TASK: Descriptor = Descriptor {
    name: "windows:registry:task_cache_task",
    doc: "A scheduled task as the Task Scheduler keeps it: what it runs, when it was registered, when it last ran.",
    message: "Scheduled task {path}[: {actions}][ (by {author})]",
    data_type: Some("task_scheduler:task_cache:entry"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("id", Kind::Text, "Identifier of the task: the key's own name"),
        Field::new("path", Kind::Text, "Path of the task, \\ being the topmost folder"),
        Field::new("author", Kind::Text, "Author, as the task says"),
        Field::new(
            "date",
            Kind::Text,
            "Date of registration, as the task says; often without time zone, and free to forge",
        ),
        Field::new("description", Kind::Text, "Description"),
        Field::new("source", Kind::Text, "Source, as the task says"),
        Field::new("uri", Kind::Text, "URI of the task"),
        Field::new("context", Kind::Text, "Name of the principal that the actions run as"),
        Field::new("command", Kind::Text, "Program of the first action that runs one"),
        Field::new("arguments", Kind::Text, "Arguments of that program"),
        Field::new("working_directory", Kind::Text, "Working directory of that program"),
        Field::new("class", Kind::Text, "Class of the first action that calls a COM object"),
        Field::new("actions", Kind::List, "All actions as text"),
        Field::new("registered", Kind::Time, "When the task was registered or last updated"),
        Field::new("last_run", Kind::Time, "When it last ran or should have run"),
        Field::new("last_completed", Kind::Time, "When it last ended with success"),
        Field::new("last_result", Kind::Text, "Result of the last start in hex, 0x0 for success"),
        Field::new("info_version", Kind::Number, "Version of DynamicInfo: 3 from Windows 8 on"),
        Field::new("in_tree", Kind::Bool, "A key of the tree names this task; without one, no tool shows it"),
        Field::new(
            "has_security",
            Kind::Bool,
            "Its key in the tree has a security descriptor; without one, no tool shows it",
        ),
        HAS_FILE,
        Field::new(
            "start_boundary",
            Kind::Text,
            "Earliest start of all triggers as stored, without zone: see start_localized",
        ),
        Field::new(
            "start_localized",
            Kind::Bool,
            "The flag beside it: true where the trigger named no zone, so that local time is meant",
        ),
        Field::new("triggers", Kind::Bytes, "The triggers as stored"),
    ],
};

const HAS_FILE: Field = Field::new(
    "has_file",
    Kind::Bool,
    "A file of that task lies below System32\\Tasks; without one, the task was hidden or removed by halves. Absent where \
that folder can't be read, for deleted keys, and for hives that are not the live volume's own",
);

static TREE: Descriptor = Descriptor {
    name: "windows:registry:task_cache_tree",
    doc: "The name under which a scheduled task is shown; set at the latest when its key was last written.",
    message: "Scheduled task {path} has the identifier {id}",
    data_type: Some("task_scheduler:task_cache:entry"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path of the task"),
        Field::new("id", Kind::Text, "Identifier of the task"),
        Field::new(
            "index",
            Kind::Text,
            "List that the task is in: boot, logon, plain or maintenance; another number as it is",
        ),
        Field::new(
            "has_security",
            Kind::Bool,
            "The key has a security descriptor; without one, no tool shows the task",
        ),
        Field::new("in_tasks", Kind::Bool, "A key of that identifier is there"),
        HAS_FILE,
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "task_cache",
    doc: "The task cache is the Task Scheduler's own list of scheduled tasks in the registry. It has each task twice: \
by its path (Tree), and by its identifier (Tasks) with what it runs and when it last ran. The file of the same task \
below System32\\Tasks is a second account of it.\n\n\
It proves that the task was registered. A row stands at each of the times that the scheduler keeps: created is the \
registration or the last change of the task, executed its last run, stopped its last run that ended with success, and \
key_written the last write of the KEY, which any change of any of its values sets.\n\n\
It does not prove that the program of the task exists or did anything: the time of the last run is also set when the \
start failed, see last_result. Author and Date are what the task's maker wrote. A task that is in Tasks and not in \
Tree, or whose key in Tree has no security descriptor, is not shown by Windows' own tools although it may run: \
malware hides so. So does a task without a file: the scheduler runs what stands here.\n\n\
It lives until the task is deleted; then both keys go. Only the last run is kept: earlier ones may stand in the log \
Microsoft-Windows-TaskScheduler/Operational.",
    references: &[
        "https://cyber.wtf/2022/06/01/windows-registry-analysis-todays-episode-tasks/",
        "https://www.microsoft.com/en-us/security/blog/2022/04/12/tarrask-malware-uses-scheduled-tasks-for-defense-evasion/",
        "https://attack.mitre.org/techniques/T1053/005/",
    ],
    emits: &[&TASK, &TREE],
    reads: Reads::RegKeys {
        keys: &[
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tasks\*",
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree\**",
        ],
        parse,
    },
};

const INDEXES: &[(u64, &str)] = &[(1, "boot"), (2, "logon"), (3, "plain"), (4, "maintenance")];

/// Most folders between `Tree` and a task.
const MAX_DEPTH: usize = 64;

/// Whether a task of that path has a file, for the hive that belongs to the host.
fn has_file(path: &str, input: &KeyInput<'_>, host: &Host, state: State) -> Option<bool> {
    let own = tail(&input.locator.path).eq_ignore_ascii_case(r"\Windows\System32\config\SOFTWARE");
    let files = host.task_files.as_ref().filter(|_| own && input.locator.snapshot.is_none() && state == State::Live)?;
    Some(files.contains(&path.to_lowercase()))
}

/// A path without its drive.
fn tail(path: &str) -> &str {
    path.split_once(':').map_or(path, |(_, rest)| rest)
}

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let above = input.key.parent().map(|key| key.name()).unwrap_or_default();
    // A folder of the tree may be called Tasks too: the identifier tells them apart.
    if above.eq_ignore_ascii_case("Tasks") && input.key.name().starts_with('{') {
        give_task(input, host, out);
    } else {
        give_tree(input, host, out);
    }
    Ok(Completion::Complete)
}

fn give_task(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) {
    let values = KeyValues::read(&input.key, out);
    let path = values.text("Path");
    let tree = input.key.parent().and_then(|tasks| tasks.parent()?.subkey("Tree"));
    let place = tree.as_ref().zip(path.as_deref()).map(|(tree, path)| find(tree, path));
    let info = values.data("DynamicInfo").unwrap_or_default();
    let time = |at| u64_at(&info, at).and_then(Timestamp::from_filetime_field);
    let (registered, last_run) = (time(4), time(12));
    let last_completed = if info.len() >= 36 { time(28) } else { None };
    let triggers = values.data("Triggers");
    let start = triggers.as_deref().and_then(start_boundary);
    let record = values
        .record(&TASK, input)
        .set("id", input.key.name())
        .set_some("has_file", path.as_deref().and_then(|path| has_file(path, input, host, out.state())))
        .set("path", path.unwrap_or_else(|| input.key.name()))
        .set_some("author", values.text("Author"))
        .set_some("date", values.text("Date"))
        .set_some("description", values.text("Description"))
        .set_some("source", values.text("Source"))
        .set_some("uri", values.text("URI"))
        .set_some("registered", registered)
        .set_some("last_run", last_run)
        .set_some("last_completed", last_completed)
        .set_some("last_result", u32_at(&info, 24).map(|code| format!("{code:#x}")))
        .set_some("info_version", u32_at(&info, 0))
        .set_some("in_tree", place.as_ref().map(Option::is_some))
        .set_some("has_security", place.flatten().map(|key| key.value("SD").is_some()))
        .set_some("start_boundary", start.as_ref().map(|(time, _)| time.clone()))
        .set_some("start_localized", start.map(|(_, localized)| localized))
        .set_some("triggers", triggers)
        .time(Meaning::CREATED, registered)
        .time(Meaning::EXECUTED, last_run)
        .time(Meaning::STOPPED, last_completed);
    let record = with_actions(record, &values, out);
    out.give(record);
}

/// Time and flag of the head of the triggers, of the versions of which that is known.
fn start_boundary(triggers: &[u8]) -> Option<(String, bool)> {
    let version = u64_at(triggers, 0).filter(|version| (0x15..=0x17).contains(version));
    let time = u64_at(triggers, 16).filter(|_| version.is_some()).and_then(Timestamp::from_filetime_field)?;
    // The flag is one byte; the seven behind it are not cleared.
    let localized = u8_at(triggers, 8)? != 0;
    Some((time.to_string().trim_end_matches('Z').to_owned(), localized))
}

fn with_actions(record: Record, values: &KeyValues<'_>, out: &mut Out<'_>) -> Record {
    let Some((offset, data)) = values.get("Actions").map(|value| value.offset()).zip(values.data("Actions")) else {
        return record;
    };
    // Offsets of faults count from the value's own place: its data may lie in several cells.
    let Some(found) = out.keep(TaskActions::parse(&data, offset)) else { return record };
    if let Some(fault) = found.fault {
        out.issue(Some(offset), Loss::Rest, fault);
    }
    let mut record = record.set_some("context", found.context);
    let (mut program_told, mut class_told) = (false, false);
    for action in &found.actions {
        match action {
            TaskAction::Execute { command, arguments, working_directory } if !program_told => {
                program_told = true;
                record = record
                    .set("command", command.clone())
                    .set_some("arguments", some(arguments))
                    .set_some("working_directory", some(working_directory));
            }
            TaskAction::ComHandler { class, .. } if !class_told => {
                class_told = true;
                record = record.set("class", class.clone());
            }
            _ => {}
        }
    }
    record.set("actions", found.actions.iter().map(describe).collect::<Vec<_>>())
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn describe(action: &TaskAction) -> String {
    match action {
        TaskAction::Execute { command, arguments, .. } if arguments.is_empty() => command.clone(),
        TaskAction::Execute { command, arguments, .. } => format!("{command} {arguments}"),
        TaskAction::ComHandler { class, data } if data.is_empty() => format!("COM object {class}"),
        TaskAction::ComHandler { class, data } => format!("COM object {class} with {data}"),
        TaskAction::Email { to, subject, .. } => format!("mail to {to}: {subject}"),
        TaskAction::Message { title, text } => format!("message {title}: {text}"),
    }
}

/// The key of that path below the tree.
fn find<'h>(tree: &Key<'h>, path: &str) -> Option<Key<'h>> {
    let mut names = path.split('\\').filter(|name| !name.is_empty()).take(MAX_DEPTH);
    names.try_fold(tree.clone(), |key, name| key.subkey(name))
}

fn give_tree(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) {
    let values = KeyValues::read(&input.key, out);
    // A folder has no identifier.
    let Some(id) = values.text("Id") else { return };
    let path = input.key.path();
    let mut names = Vec::new();
    let mut key = Some(input.key.clone());
    while let Some(here) = key.take().filter(|_| names.len() < MAX_DEPTH) {
        let above = here.parent();
        let topmost = here.name().eq_ignore_ascii_case("Tree")
            && above.as_ref().is_some_and(|above| above.name().eq_ignore_ascii_case("TaskCache"));
        if topmost {
            let tasks = above.and_then(|cache| cache.subkey("Tasks"));
            names.reverse();
            let path = format!("\\{}", names.join("\\"));
            let record = values
                .record(&TREE, input)
                .set_some("has_file", has_file(&path, input, host, out.state()))
                .set("path", path)
                .set("id", id.clone())
                .set_some("index", values.number("Index").map(|n| super::key_values::named(INDEXES, n)))
                .set("has_security", values.get("SD").is_some())
                .set_some("in_tasks", tasks.map(|tasks| tasks.subkey(&id).is_some()));
            return out.give(record);
        }
        names.push(here.name());
        key = above;
    }
    out.issue(Some(input.key.offset()), Loss::Record, format!("{path} does not lie below the tree of tasks"));
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/task_cache/software.hve");
    const CACHE: &str = r"Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache";

    #[test]
    fn a_task_with_its_times_and_actions() {
        let key = format!(r"{CACHE}\Tasks\{{11111111-1111-1111-1111-111111111111}}");
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &[&key]);
        let times: Vec<_> = sink.events.iter().map(|e| (e.meaning, e.time.unwrap().to_string())).collect();
        assert_eq!(
            times,
            [
                (Meaning::CREATED, "2020-08-26T05:10:01.5000000Z".to_owned()),
                (Meaning::EXECUTED, "2020-08-26T05:15:00.0000001Z".to_owned()),
                (Meaning::STOPPED, "2020-08-26T05:15:03.0000000Z".to_owned()),
                (Meaning::KEY_WRITTEN, "2020-08-26T05:15:04.0000000Z".to_owned()),
            ]
        );
        let task = &sink.events[0];
        assert_eq!(text(task, "command").as_deref(), Some(r"C:\Users\Public\run.exe"));
        assert_eq!(text(task, "arguments").as_deref(), Some("/q"));
        assert_eq!(text(task, "class").as_deref(), Some("{61bcd1b9-340c-40ec-9d41-d7f1c0632f05}"));
        assert_eq!(
            (text(task, "in_tree").as_deref(), text(task, "has_security").as_deref()),
            (Some("true"), Some("true"))
        );
        assert_eq!(text(task, "last_result").as_deref(), Some("0x41306"));
        assert_eq!(text(task, "start_boundary").as_deref(), Some("2020-08-26T14:12:00.0000000"));
        assert_eq!(text(task, "start_localized").as_deref(), Some("true"));
        assert_eq!(sink.issues, []);
    }

    #[test]
    fn hidden_old_and_damaged_tasks() {
        let keys = ["2", "3", "4"].map(|n| {
            let group = |count: usize| n.repeat(count);
            format!(r"{CACHE}\Tasks\{{{}-{}-{}-{}-{}}}", group(8), group(4), group(4), group(4), group(12))
        });
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let of = |path: &str| sink.events.iter().find(|e| text(e, "path").as_deref() == Some(path)).unwrap();
        // Not in the tree; in the tree without SD; Windows 7's shorter DynamicInfo has no completion.
        assert_eq!(text(of(r"\Gone"), "in_tree").as_deref(), Some("false"));
        assert_eq!(text(of(r"\Folder\NoSD"), "has_security").as_deref(), Some("false"));
        assert_eq!(text(of(r"\Folder\NoSD"), "last_completed"), None);
        assert_eq!(text(of(r"\Cut"), "command").as_deref(), Some("first.exe"));
        assert_eq!(sink.issues.len(), 1);
        assert_eq!(sink.issues[0].loss, Loss::Rest);
    }

    #[test]
    fn the_tree() {
        let keys =
            [format!(r"{CACHE}\Tree\Folder"), format!(r"{CACHE}\Tree\Folder\NoSD"), format!(r"{CACHE}\Tree\Run")];
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let [no_sd, run] = sink.events.as_slice() else { panic!("{:?}", sink.events) };
        assert_eq!(text(no_sd, "path").as_deref(), Some(r"\Folder\NoSD"));
        assert_eq!(
            (text(no_sd, "has_security").as_deref(), text(no_sd, "in_tasks").as_deref()),
            (Some("false"), Some("true"))
        );
        assert_eq!(text(run, "index").as_deref(), Some("plain"));
    }
}
