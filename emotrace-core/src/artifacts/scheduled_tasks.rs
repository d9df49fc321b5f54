//! Scheduled tasks as files: the XML definitions of Windows Vista and later, and the legacy `.job` files.
//!
//! | element of the XML | what is taken |
//! |---|---|
//! | `RegistrationInfo` | `Date`, `Author`, `URI`, `Description`, `Source`, `Version`, `SecurityDescriptor` |
//! | `Triggers` | each by its kind, with boundaries, repetition, delay, user, event query |
//! | `Principals/Principal` | `UserId`, `GroupId`, `LogonType`, `RunLevel` |
//! | `Settings` | `Enabled`, `Hidden` |
//! | `Actions` | `Exec` (command, arguments, working directory), `ComHandler` (class, data), others by their kind |
//!
//! Dates in the XML are local time unless they end in `Z` or an offset; the dates of legacy tasks are always local. A local
//! date stays text: without the host's zone at that time it is no instant.
//!
//! Source: Microsoft, MS-TSCH 2.4 (legacy) and 2.5 (XML).

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::formats::job::{self, Job};
use crate::formats::xml::{self, Element};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, State, Timestamp, Value};

/// Scheduled tasks.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "scheduled_tasks",
    doc: "The task scheduler keeps each task in a file: an XML text under System32\\Tasks, whose path there is the task's name, \
          or a .job file under Windows\\Tasks for programs that use the old interface. The file says what is run (command \
          or COM class), when (triggers), as whom (principal), and who registered it.\n\n\
          A task file proves that this task was registered and would run what it names at its triggers. The file's own times \
          on the volume say when it was written.\n\n\
          It does not prove that the task ever ran: see the task scheduler's log, Prefetch and the run times in the TaskCache \
          of the registry. Author and date are what the registering program wrote: anyone can write any name and date there, \
          and most tasks of Windows have none. A task whose file was deleted while its TaskCache keys are still there, or the \
          other way round, has been tampered with.\n\n\
          Task files live until the task is deleted; they survive restarts, and most survive updates of Windows.",
    references: &["https://learn.microsoft.com/openspecs/windows_protocols/ms-tsch/"],
    emits: &[&DEFINITION, &TRIGGER, &JOB],
    reads: Reads::Files {
        paths: &[
            r"\Windows\System32\Tasks\**\*",
            r"\Windows\SysWOW64\Tasks\**\*",
            r"\Windows\System32\Tasks_Migrated\**\*",
            r"\Windows\Tasks\*.job",
        ],
        recognise,
        parse,
    },
};

const TASK: Field = Field::new("task", Kind::Text, "path of the task, from where its file lies");
const COMMAND: Field = Field::new("command", Kind::Text, "program of the first Exec action");
const ARGUMENTS: Field = Field::new("arguments", Kind::Text, "its arguments");
const WORKING_DIRECTORY: Field = Field::new("working_directory", Kind::Text, "its working directory");
const AUTHOR: Field = Field::new("author", Kind::Text, "who registered the task, as the registering program wrote it");
const DESCRIPTION: Field = Field::new("description", Kind::Text, "description");
const ENABLED: Field = Field::new("enabled", Kind::Bool, "false: the task does not run at its triggers");
const HIDDEN: Field = Field::new("hidden", Kind::Bool, "true: the task is not shown to users");
const TRIGGERS: Field = Field::new("triggers", Kind::List, "all triggers, each as one text");

/// A task's definition. Dated if the task names its date of registration with a zone.
static DEFINITION: Descriptor = Descriptor {
    name: "windows:scheduled_task:definition",
    doc: "A scheduled task is defined; the time is when it was registered, as the task itself says",
    message: "Scheduled task {task}[ runs {command}][ {arguments}][ as {user_id}][ (hidden: {hidden})]",
    data_type: None,
    fields: &[
        TASK,
        Field::new("uri", Kind::Text, "path of the task, as the definition names it"),
        COMMAND,
        ARGUMENTS,
        WORKING_DIRECTORY,
        Field::new("actions", Kind::List, "all actions, each as one text"),
        Field::new("com_classes", Kind::List, "class GUIDs of the COM handlers, as written"),
        TRIGGERS,
        AUTHOR,
        Field::new("date", Kind::Text, "date of registration as written; local time if it has no zone"),
        DESCRIPTION,
        Field::new("source", Kind::Text, "source"),
        Field::new("version", Kind::Text, "version of the task"),
        Field::new("user_id", Kind::Text, "account that the task runs as: name or SID, as written"),
        Field::new("group_id", Kind::Text, "group whose members the task runs as: name or SID, as written"),
        Field::new("logon_type", Kind::Text, "how the account is logged on"),
        Field::new("run_level", Kind::Text, "HighestAvailable: with administrator rights if the account has them"),
        ENABLED,
        HIDDEN,
        Field::new("security_descriptor", Kind::Text, "security descriptor of the task in SDDL"),
        Field::new(
            "in_cache",
            Kind::Bool,
            "the registry's task cache knows a task of this path; without that, the scheduler does not run it and no tool shows \
             it. Absent where the evidence holds no task cache, and for files that do not lie below System32\\Tasks of the live \
             volume",
        ),
        Field::new("id", Kind::Text, "identifier of the task in the task cache"),
    ],
};

/// A boundary of a trigger that names its zone.
static TRIGGER: Descriptor = Descriptor {
    name: "windows:scheduled_task:trigger",
    doc: "A trigger of a scheduled task begins or ends to be in force",
    message: "Scheduled task {task}: {trigger}",
    data_type: None,
    fields: &[TASK, Field::new("trigger", Kind::Text, "the trigger as one text"), COMMAND, ARGUMENTS],
};

/// A legacy task. Its times are local, so it is never dated.
static JOB: Descriptor = Descriptor {
    name: "windows:scheduled_task:job",
    doc: "A legacy scheduled task is defined",
    message: "Legacy scheduled task {task} runs {command}[ {arguments}][, last run {last_run} local time]",
    data_type: Some("windows:tasks:job"),
    fields: &[
        TASK,
        COMMAND,
        ARGUMENTS,
        WORKING_DIRECTORY,
        AUTHOR,
        DESCRIPTION,
        TRIGGERS,
        Field::new("last_run", Kind::Text, "last run in local time, without zone, resolution 1 ms"),
        Field::new("exit_code", Kind::Number, "exit code of the last run"),
        Field::new("status", Kind::Text, "status, an HRESULT"),
        ENABLED,
        HIDDEN,
        Field::new("id", Kind::Text, "GUID of the task"),
        Field::new("product_version", Kind::Text, "version of Windows that wrote the file"),
    ],
};

/// Largest definition that is read. Those of Windows stay below 10 KB.
const MAX_LEN: u64 = 8 << 20;

fn recognise(start: &[u8]) -> bool {
    job::recognise(start) || is_xml(start) && xml::decode(start).contains("/windows/2004/02/mit/task")
}

fn is_xml(start: &[u8]) -> bool {
    xml::decode(start.get(..64).unwrap_or(start)).trim_start().starts_with('<')
}

fn parse(input: &FileInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let limits = super::Limits { max_whole_file: input.limits.max_whole_file.min(MAX_LEN), ..input.limits };
    let data =
        FileInput { entry: input.entry, limits, ..FileInput::alone(input.locator.clone(), input.data) }.read_whole()?;
    let task = task_name(&input.locator.path);
    if job::recognise(&data) {
        let (job, error) = job::read(&data)?;
        out.give(legacy(&job, &task));
        return Ok(match error {
            Some(error) => {
                let at = error.offset();
                out.issue(Some(at), Loss::Rest, error);
                Completion::Truncated { at }
            }
            None => Completion::Complete,
        });
    }
    if !is_xml(&data) {
        return Ok(Completion::NotThisFormat);
    }
    let (root, error) = xml::read(&xml::decode(&data));
    let Some(root) = root.filter(|root| root.name == "Task") else { return Ok(Completion::NotThisFormat) };
    definition(&root, &task, cached(input, &task, host, out), host, out);
    Ok(match error {
        Some(error) => {
            out.issue(None, Loss::Rest, &error);
            Completion::Truncated { at: input.data.len() }
        }
        None => Completion::Complete,
    })
}

/// Whether the registry's task cache knows a task of that path, with its identifier.
fn cached<'h>(input: &FileInput<'_>, task: &str, host: &'h Host, out: &Out<'_>) -> Option<Option<&'h String>> {
    let path = input.locator.path.split_once(':').map_or(input.locator.path.as_str(), |(_, rest)| rest);
    let folder = r"\Windows\System32\Tasks\";
    let own = path.get(..folder.len()).is_some_and(|head| head.eq_ignore_ascii_case(folder));
    let live = out.state() == State::Live && input.locator.snapshot.is_none();
    Some(host.cached_tasks.as_ref().filter(|_| own && live)?.get(&task.to_lowercase()))
}

/// The part of a path behind the folder of tasks, with a `\` in front as the scheduler writes it.
fn task_name(path: &str) -> String {
    let folders: Vec<&str> = path.split('\\').collect();
    let is_folder = |name: &&str| ["tasks", "tasks_migrated"].iter().any(|folder| name.eq_ignore_ascii_case(folder));
    let behind = folders.iter().position(is_folder).and_then(|at| folders.get(at.saturating_add(1)..));
    let name = behind
        .filter(|rest| !rest.is_empty())
        .map_or_else(|| folders.last().map(|name| (*name).to_owned()).unwrap_or_default(), |rest| rest.join("\\"));
    format!("\\{name}")
}

fn legacy(job: &Job, task: &str) -> Record {
    let triggers = job.triggers.iter().map(|trigger| {
        let mut text = trigger.kind_name().to_owned();
        let end = trigger.end.as_ref().and_then(job::LocalTime::text);
        for (what, value) in [(" from ", trigger.begin.text()), (" to ", end)] {
            if let Some(value) = value {
                text.push_str(what);
                text.push_str(&value);
            }
        }
        if trigger.interval_minutes != 0 {
            text.push_str(&format!(
                ", every {} minutes for {} minutes",
                trigger.interval_minutes, trigger.duration_minutes
            ));
        }
        text
    });
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Record::new(&JOB)
        .set("task", task)
        .set_some("command", some(&job.application))
        .set_some("arguments", some(&job.parameters))
        .set_some("working_directory", some(&job.working_directory))
        .set_some("author", some(&job.author))
        .set_some("description", some(&job.comment))
        .set_some("triggers", list(triggers.collect()))
        .set_some("last_run", job.last_run.as_ref().and_then(job::LocalTime::text))
        .set_some("exit_code", job.last_run.map(|_| job.exit_code))
        .set("status", format!("{:#010x}", job.status))
        .set("enabled", job.flags & job::DISABLED == 0)
        .set("hidden", job.flags & job::HIDDEN != 0)
        .set("id", job.id.clone())
        .set("product_version", format!("{}.{}", job.product_version >> 8, job.product_version & 0xff))
        .user(some(&job.author))
}

fn definition(root: &Element, task: &str, cached: Option<Option<&String>>, host: &Host, out: &mut Out<'_>) {
    let nothing = Element::default();
    let part = |name: &str| root.child(name).unwrap_or(&nothing);
    let (registration, settings, actions) = (part("RegistrationInfo"), part("Settings"), part("Actions"));
    let principals = part("Principals");
    // The actions name the principal that they run as; there is one in practice.
    let context = actions.attribute("Context");
    let principal = principals
        .children
        .iter()
        .find(|p| context.is_some() && p.attribute("id") == context)
        .or(principals.children.first())
        .unwrap_or(&nothing);

    let exec = actions.children.iter().find(|action| action.name == "Exec").unwrap_or(&nothing);
    let classes = actions.children.iter().filter(|action| action.name == "ComHandler");
    let classes = classes.filter_map(|action| action.text_of("ClassId").map(str::to_owned)).collect();
    let triggers: Vec<_> = part("Triggers").children.iter().map(|trigger| (trigger, trigger_text(trigger))).collect();
    let user_id = principal.text_of("UserId");
    let user = user_id.map(|id| if id.starts_with("S-1-") { host.account(id) } else { id.to_owned() });

    out.give(
        Record::new(&DEFINITION)
            .time(Meaning::CREATED, registration.text_of("Date").and_then(instant))
            .user(user.clone())
            .set("task", task)
            .set_some("uri", registration.text_of("URI"))
            .set_some("command", exec.text_of("Command"))
            .set_some("arguments", exec.text_of("Arguments"))
            .set_some("working_directory", exec.text_of("WorkingDirectory"))
            .set_some("actions", list(actions.children.iter().map(action_text).collect()))
            .set_some("com_classes", list(classes))
            .set_some("triggers", list(triggers.iter().map(|(_, text)| text.clone()).collect()))
            .set_some("author", registration.text_of("Author"))
            .set_some("date", registration.text_of("Date"))
            .set_some("description", registration.text_of("Description"))
            .set_some("source", registration.text_of("Source"))
            .set_some("version", registration.text_of("Version"))
            .set_some("user_id", user_id)
            .set_some("group_id", principal.text_of("GroupId"))
            .set_some("logon_type", principal.text_of("LogonType"))
            .set_some("run_level", principal.text_of("RunLevel"))
            .set_some("enabled", settings.text_of("Enabled").and_then(boolean))
            .set_some("hidden", settings.text_of("Hidden").and_then(boolean))
            .set_some("security_descriptor", registration.text_of("SecurityDescriptor"))
            .set_some("in_cache", cached.map(|id| id.is_some()))
            .set_some("id", cached.flatten().cloned()),
    );
    for (trigger, text) in triggers {
        let boundary = |name| trigger.text_of(name).and_then(instant);
        let (start, end) = (boundary("StartBoundary"), boundary("EndBoundary"));
        if start.is_some() || end.is_some() {
            out.give(
                Record::new(&TRIGGER)
                    .time(Meaning::SCHEDULED, start)
                    .time(Meaning::EXPIRED, end)
                    .user(user.clone())
                    .set("task", task)
                    .set("trigger", text)
                    .set_some("command", exec.text_of("Command"))
                    .set_some("arguments", exec.text_of("Arguments")),
            );
        }
    }
}

fn list(items: Vec<String>) -> Option<Value> {
    Some(items).filter(|items| !items.is_empty()).map(Value::from)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// The instant of a date that names its zone.
fn instant(text: &str) -> Option<Timestamp> {
    let offset = text.len().checked_sub(6).and_then(|at| text.get(at..)).is_some_and(|zone| {
        matches!(zone.as_bytes(), [b'+' | b'-', h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()))
    });
    (offset || text.ends_with('Z')).then(|| Timestamp::parse(text)).flatten()
}

/// `Exec: C:\x.exe -a (in C:\)`, or the kind of the action and what stands in it.
fn action_text(action: &Element) -> String {
    match action.name.as_str() {
        "Exec" => {
            let mut text = format!("Exec: {}", action.text_of("Command").unwrap_or_default());
            if let Some(arguments) = action.text_of("Arguments") {
                text.push(' ');
                text.push_str(arguments);
            }
            if let Some(folder) = action.text_of("WorkingDirectory") {
                text.push_str(&format!(" (in {folder})"));
            }
            text
        }
        name => format!("{name}: {}", details(action)),
    }
}

fn trigger_text(trigger: &Element) -> String {
    match details(trigger) {
        details if details.is_empty() => trigger.name.clone(),
        details => format!("{}: {details}", trigger.name),
    }
}

/// `Name=text` of all elements that hold text, in their order; names of those in between are joined by `/`.
fn details(element: &Element) -> String {
    fn add(element: &Element, path: &str, parts: &mut Vec<String>) {
        for child in &element.children {
            let path = if path.is_empty() { child.name.clone() } else { format!("{path}/{}", child.name) };
            if !child.text.is_empty() {
                parts.push(format!("{path}={}", child.text));
            } else if child.children.is_empty() {
                parts.push(path.clone());
            }
            // The reader of XML bounds the depth.
            add(child, &path, parts);
        }
    }
    let mut parts = Vec::new();
    add(element, "", &mut parts);
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Collect, Locator, State, User};

    fn run(data: &[u8], path: &str) -> (Collect, Completion) {
        let data = data.to_vec();
        let locator = Arc::new(Locator { path: path.to_owned(), ..Locator::default() });
        let input = FileInput::alone(Arc::clone(&locator), &data);
        let users =
            vec![User { sid: "S-1-5-21-1-2-3-1001".to_owned(), name: Some("clippy".to_owned()), ..User::default() }];
        let host = Host { users, ..Host::default() };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, locator, State::Live);
        let completion = parse(&input, &host, &mut out).unwrap();
        (sink, completion)
    }

    const TASK_XML: &str = r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Date>2020-08-26T14:31:07+09:00</Date><Author>DESKTOP\clippy</Author><URI>\Msnetcs</URI></RegistrationInfo>
  <Triggers>
    <TimeTrigger><StartBoundary>2020-08-26T06:00:00Z</StartBoundary><Repetition><Interval>PT1H</Interval></Repetition></TimeTrigger>
    <CalendarTrigger><StartBoundary>2020-08-26T06:00:00</StartBoundary><ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay></CalendarTrigger>
    <LogonTrigger />
  </Triggers>
  <Principals><Principal id="Other"><UserId>x</UserId></Principal><Principal id="Author"><UserId>S-1-5-21-1-2-3-1001</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><Hidden>true</Hidden><Enabled>true</Enabled></Settings>
  <Actions Context="Author">
    <Exec><Command>C:\Users\clippy\x.exe</Command><Arguments>-a &amp; -b</Arguments></Exec>
    <ComHandler><ClassId>{00000000-0000-0000-0000-000000000001}</ClassId><Data>d</Data></ComHandler>
  </Actions>
</Task>"#;

    fn utf16(text: &str) -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_definition_with_all_its_parts() {
        let (sink, completion) = run(&utf16(TASK_XML), r"C:\Windows\System32\Tasks\Sub\Msnetcs");
        assert_eq!((completion, sink.issues.len()), (Completion::Complete, 0));
        let [definition, trigger] = &sink.events[..] else { panic!("{:?}", sink.events) };
        assert_eq!(definition.time.unwrap().to_string(), "2020-08-26T05:31:07.0000000Z");
        assert_eq!(definition.user.as_deref(), Some("clippy"));
        let text = |name: &str| definition.values.get(name).map(Value::to_string).unwrap_or_default();
        for (name, value) in [
            ("task", r"\Sub\Msnetcs"),
            ("uri", r"\Msnetcs"),
            ("command", r"C:\Users\clippy\x.exe"),
            ("arguments", "-a & -b"),
            (
                "actions",
                r"Exec: C:\Users\clippy\x.exe -a & -b; ComHandler: ClassId={00000000-0000-0000-0000-000000000001}, Data=d",
            ),
            ("com_classes", "{00000000-0000-0000-0000-000000000001}"),
            (
                "triggers",
                "TimeTrigger: StartBoundary=2020-08-26T06:00:00Z, Repetition/Interval=PT1H; CalendarTrigger: StartBoundary=2020-08-26T06:00:00, ScheduleByDay/DaysInterval=1; LogonTrigger",
            ),
            ("author", r"DESKTOP\clippy"),
            ("user_id", "S-1-5-21-1-2-3-1001"),
            ("run_level", "HighestAvailable"),
            ("hidden", "true"),
            ("enabled", "true"),
            ("description", ""),
        ] {
            assert_eq!(text(name), value, "{name}");
        }
        assert_eq!(definition.values.get("description"), None);
        // Only the boundary with a zone is an instant.
        assert_eq!((trigger.descriptor.name, trigger.meaning), (TRIGGER.name, Meaning::SCHEDULED));
        assert_eq!(trigger.time.unwrap().to_string(), "2020-08-26T06:00:00.0000000Z");
    }

    #[test]
    fn a_local_date_is_no_instant() {
        for (date, zoned) in [
            ("2020-08-26T14:31:07", false),
            ("2020-08-26", false),
            ("2020-08-26T14:31:07.1234567", false),
            ("2020-08-26T14:31:07Z", true),
            ("2020-08-26T14:31:07.1234567-08:00", true),
            ("Z", false),
        ] {
            assert_eq!(instant(date).is_some(), zoned, "{date}");
        }
        let (sink, _) = run(TASK_XML.replace("+09:00", "").as_bytes(), "X");
        assert_eq!(sink.events[0].time, None);
        assert_eq!(sink.events[0].values.get("date"), Some(&Value::from("2020-08-26T14:31:07")));
    }

    #[test]
    fn a_cut_definition_keeps_what_it_holds() {
        let data = utf16(TASK_XML);
        let cut = TASK_XML.find("<Arguments>").unwrap() * 2 + 2;
        let (sink, completion) = run(&data[..cut], r"C:\Windows\System32\Tasks\X");
        assert!(matches!(completion, Completion::Truncated { .. }));
        assert_eq!((sink.issues.len(), sink.issues[0].loss), (1, Loss::Rest));
        assert_eq!(sink.events[0].values.get("command"), Some(&Value::from(r"C:\Users\clippy\x.exe")));
        assert_eq!(run(b"<Other/>", "X").1, Completion::NotThisFormat);
        assert_eq!(run(b"\x00\x01\x02", "X").1, Completion::NotThisFormat);
        assert_eq!(run(b"", "X").1, Completion::NotThisFormat);
    }

    #[test]
    fn names_come_from_the_path() {
        for (path, name) in [
            (r"C:\Windows\System32\Tasks\Microsoft\Windows\X\Y", r"\Microsoft\Windows\X\Y"),
            (r"C:\Windows\Tasks\At1.job", r"\At1.job"),
            ("loose", r"\loose"),
            ("", "\\"),
        ] {
            assert_eq!(task_name(path), name);
        }
    }

    #[test]
    fn both_kinds_are_recognised() {
        assert!(recognise(&utf16(TASK_XML)) && recognise(TASK_XML.as_bytes()));
        assert!(!recognise(b"<Task/>") && !recognise(b"MZ"));
    }
}
