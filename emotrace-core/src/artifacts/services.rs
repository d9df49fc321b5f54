//! Services and drivers: what Windows starts at boot or on demand without anybody being logged on.
//!
//! `SYSTEM\ControlSet…\Services\<name>`, one key each:
//!
//! | value | meaning |
//! |---|---|
//! | `Type` | bits: 1 kernel driver, 2 file system driver, 0x10 own process, 0x20 shared process, 0x40 per user … |
//! | `Start` | 0 boot, 1 system, 2 automatic, 3 on demand, 4 disabled |
//! | `ImagePath` | the program; for a shared process usually `svchost.exe -k <group>` |
//! | `Parameters`, `ServiceDll` | the library that a shared process loads; rarely in the key itself |
//! | `ObjectName` | the account; for a kernel driver its object |
//! | `FailureActions` | period (0), count (12), then from 20 pairs of kind and delay in ms |
//!
//! Source: Microsoft, "CurrentControlSet\Services Subkeys", `winsvc.h`, SERVICE_FAILURE_ACTIONS.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::formats::regf::{Key, KeyValue, ValueKind};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

static SERVICE: Descriptor = Descriptor {
    name: "windows:services:service",
    doc: "A service or driver was set up, at the latest when its key was last written.",
    message: "Service {name}[ ({display_name})][: {image_path}][, library {service_dll}][, start {start}][, as {account}]",
    data_type: Some("windows:registry:service"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the service: the key's own name"),
        Field::new("control_set", Kind::Text, "The control set that the key lies in"),
        Field::new("current", Kind::Bool, "That control set is the one in use; absent where the hive does not say"),
        Field::new("display_name", Kind::Text, "Name shown to users, as stored; @… is a reference to a resource"),
        Field::new("description", Kind::Text, "Description, as stored"),
        Field::new("type", Kind::List, "Names of the bits of Type; a bit without a name in hex"),
        Field::new("start", Kind::Text, "boot, system, auto, demand or disabled; another number as it is"),
        Field::new("delayed", Kind::Bool, "An automatic start is delayed"),
        Field::new("error_control", Kind::Text, "ignore, normal, severe or critical; another number as it is"),
        Field::new("image_path", Kind::Text, "ImagePath as stored"),
        Field::new(
            "command",
            Kind::Text,
            "ImagePath with %variables% and \\SystemRoot replaced where the evidence tells them",
        ),
        Field::new("service_dll", Kind::Text, "ServiceDll as stored"),
        Field::new("service_main", Kind::Text, "The library's function that is called, where it is not ServiceMain"),
        Field::new("account", Kind::Text, "Account that the service runs as (ObjectName)"),
        Field::new("group", Kind::Text, "Load order group"),
        Field::new("depends_on", Kind::List, "Services that must run first; groups with a + before them"),
        Field::new("failure_command", Kind::Text, "Program that is run when the service fails"),
        Field::new("failure_actions", Kind::List, "What is done at the first, second … failure: kind and delay"),
        Field::new("privileges", Kind::List, "Privileges that the service asks for"),
        Field::new("marked_for_deletion", Kind::Bool, "The service was deleted and goes at the next boot"),
        Field::new("parameters_written", Kind::Time, "Last write of the Parameters key"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "services",
    doc: "Services and drivers are programs that Windows starts by itself, at boot or when something asks for them, without \
a user logged on. Each has a key in the registry with its program, the account it runs as, and when it starts. The SYSTEM \
hive can hold several control sets: the one in use and older ones.\n\n\
It proves that the service was set up as the row says. The time of a row is the last write of the service's KEY: it is when \
the service was made, or when one of its values was last changed; Windows itself rewrites some keys, for example at an \
update. The library of a shared process lies in the key Parameters, which has a time of its own.\n\n\
It does not prove that the service ever ran (see the event logs: 7045 and 7036 of System, 4697 of Security), nor that its \
file exists. Keys below Services that name neither type, nor program, nor start are no services (performance counters, for \
example) and give no row.\n\n\
It lives until the service is removed. An older control set can still hold a service that was removed from the current one.",
    references: &[
        "https://learn.microsoft.com/en-us/windows-hardware/drivers/install/hklm-system-currentcontrolset-services-registry-tree",
        "https://learn.microsoft.com/en-us/windows/win32/api/winsvc/nf-winsvc-createservicew",
        "https://attack.mitre.org/techniques/T1543/003/",
    ],
    emits: &[&SERVICE],
    reads: Reads::RegKeys { keys: &[r"SYSTEM\CurrentControlSet\Services\*"], parse },
};

const TYPES: &[(u64, &str)] = &[
    (0x001, "kernel_driver"),
    (0x002, "file_system_driver"),
    (0x004, "adapter"),
    (0x008, "recognizer_driver"),
    (0x010, "own_process"),
    (0x020, "share_process"),
    (0x040, "user_service"),
    (0x080, "user_service_instance"),
    (0x100, "interactive_process"),
    (0x200, "packaged"),
];
const STARTS: &[&str] = &["boot", "system", "auto", "demand", "disabled"];
const ERROR_CONTROLS: &[&str] = &["ignore", "normal", "severe", "critical"];
const ACTIONS: &[&str] = &["none", "restart", "reboot", "run command", "restart own process"];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let key = Values::read(&input.key, out);
    if ["Type", "ImagePath", "Start", "ServiceDll"].iter().all(|name| key.get(name).is_none()) {
        return Ok(Completion::Complete);
    }
    let parameters_key = input.key.subkey("Parameters");
    let parameters = parameters_key.as_ref().map(|key| Values::read(key, out));
    let parameter = |name: &str| key.text(name).or_else(|| parameters.as_ref()?.text(name));
    let path = input.key.path();
    let set = path.split('\\').next().unwrap_or_default();
    let number: Option<u32> = set.get(10..).and_then(|digits| digits.parse().ok());
    let image_path = key.text("ImagePath");
    let mut depends_on = key.texts("DependOnService").unwrap_or_default();
    depends_on.extend(key.texts("DependOnGroup").unwrap_or_default().into_iter().map(|group| format!("+{group}")));
    let mut record = Record::new(&SERVICE)
        .set("key_path", input.path.clone())
        .set("name", input.key.name())
        .set("control_set", set)
        .set_some("current", host.control_set.and_then(|current| Some(current == number?)))
        .set_some("display_name", key.text("DisplayName"))
        .set_some("description", key.text("Description"))
        .set_some("type", key.number("Type").map(types))
        .set_some("start", key.number("Start").map(|n| named(STARTS, n)))
        .set_some("delayed", key.number("DelayedAutostart").map(|n| n != 0))
        .set_some("error_control", key.number("ErrorControl").map(|n| named(ERROR_CONTROLS, n)))
        .set_some("command", image_path.as_deref().map(|path| command(path, host)))
        .set_some("image_path", image_path)
        .set_some("service_dll", parameter("ServiceDll"))
        .set_some("service_main", parameter("ServiceMain"))
        .set_some("account", key.text("ObjectName"))
        .set_some("group", key.text("Group"))
        .set_some("depends_on", (!depends_on.is_empty()).then_some(depends_on))
        .set_some("failure_command", key.text("FailureCommand"))
        .set_some("failure_actions", key.data("FailureActions").and_then(|data| failure_actions(&data)))
        .set_some("privileges", key.texts("RequiredPrivileges"))
        .set_some("marked_for_deletion", key.number("DeleteFlag").map(|n| n != 0))
        .set_some("parameters_written", parameters_key.as_ref().and_then(Key::last_write))
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() || key.any_from_log() || parameters.is_some_and(|values| values.any_from_log()) {
        record = record.state(State::LogReplayed);
    }
    out.give(record);
    Ok(Completion::Complete)
}

/// The values of one key, read once.
struct Values<'h>(Vec<KeyValue<'h>>);

impl<'h> Values<'h> {
    /// What can't be read becomes an issue.
    fn read(key: &Key<'h>, out: &mut Out<'_>) -> Self {
        Self(key.values().into_iter().filter_map(|value| out.keep(value)).collect())
    }
    fn get(&self, name: &str) -> Option<&KeyValue<'h>> {
        self.0.iter().find(|value| value.name().eq_ignore_ascii_case(name))
    }
    fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.text().filter(|text| !text.is_empty())
    }
    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let value = self.get(name)?;
        let texts = value.multi_text().or_else(|| Some(vec![value.text()?]))?;
        Some(texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>()).filter(|texts| !texts.is_empty())
    }
    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.number()
    }
    fn data(&self, name: &str) -> Option<Vec<u8>> {
        let value = self.get(name).filter(|value| value.kind() == ValueKind::Binary)?;
        value.data().ok().map(|data| data.into_owned())
    }
    fn any_from_log(&self) -> bool {
        self.0.iter().any(KeyValue::from_log)
    }
}

fn types(bits: u64) -> Vec<String> {
    let mut names: Vec<String> =
        TYPES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).to_owned()).collect();
    let rest = TYPES.iter().fold(bits, |rest, (bit, _)| rest & !bit);
    if rest != 0 || bits == 0 {
        names.push(format!("{rest:#x}"));
    }
    names
}

fn named(names: &[&str], number: u64) -> String {
    let name = usize::try_from(number).ok().and_then(|n| names.get(n));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

/// What the service control manager and the loader make of an ImagePath: `\SystemRoot\…` and `system32\…` begin in the
/// Windows folder, `\??\` is left out.
fn command(path: &str, host: &Host) -> String {
    let path = host.expand(path, None);
    let Some(root) = &host.system_root else { return path };
    let path = path.strip_prefix(r"\??\").unwrap_or(&path);
    let under_root = [r"\SystemRoot\", r"system32\", r"SysWOW64\"].into_iter().find_map(|start| {
        let head = path.get(..start.len())?;
        head.eq_ignore_ascii_case(start)
            .then(|| if start.starts_with('\\') { path.get(start.len()..) } else { Some(path) })?
    });
    under_root.map_or_else(|| path.to_owned(), |rest| format!("{root}\\{rest}"))
}

/// Kind and delay of each action.
fn failure_actions(data: &[u8]) -> Option<Vec<String>> {
    let (head, rest) = data.split_at_checked(20)?;
    let count = u32::from_le_bytes(*head.get(12..)?.first_chunk()?);
    let actions: Vec<String> = rest
        .as_chunks::<8>()
        .0
        .iter()
        .take(usize::try_from(count).ok()?)
        .filter_map(|action| {
            let (kind, delay) = action.split_first_chunk::<4>()?;
            let (kind, delay) = (u32::from_le_bytes(*kind), u32::from_le_bytes(*delay.first_chunk()?));
            Some(format!("{} after {delay} ms", named(ACTIONS, kind.into())))
        })
        .collect();
    (!actions.is_empty()).then_some(actions)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Event, Timestamp, Value};

    /// All services of the fixture, as the pipeline gives their keys.
    fn read(current: Option<u32>) -> Vec<Event> {
        let bytes = include_bytes!("../../../testdata/artifacts/services/system.hve");
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let host = Host {
            control_set: current,
            system_root: Some("C:\\Windows".to_owned()),
            variables: [("SYSTEMROOT".to_owned(), "C:\\Windows".to_owned())].into(),
            ..Host::default()
        };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        for set in ["ControlSet001", "ControlSet002"] {
            for key in hive.find(&format!("{set}\\Services")).unwrap().subkeys() {
                let key = key.unwrap();
                let path = format!("HKEY_LOCAL_MACHINE\\SYSTEM\\{}", key.path());
                let input = KeyInput { locator: Arc::default(), hive: HiveKind::System, key, path, user: None };
                assert_eq!(parse(&input, &host, &mut out).unwrap(), Completion::Complete);
            }
        }
        assert_eq!(sink.issues, []);
        sink.events
    }

    fn text<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
        event.values.get(name).and_then(Value::as_text)
    }

    fn list(event: &Event, name: &str) -> String {
        event.values.get(name).map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn every_service_of_every_control_set() {
        let events = read(Some(1));
        let names: Vec<_> = events.iter().filter_map(|event| text(event, "name")).collect();
        // A key for performance counters alone is no service.
        assert_eq!(names, ["Dnscache", "gone", "mscsvidc", "Tcpip", "Tcpip"]);
        let sets: Vec<_> = events.iter().filter_map(|event| text(event, "control_set")).collect();
        assert_eq!(sets[3..], ["ControlSet001", "ControlSet002"]);
        assert_eq!(events[3].values.get("current"), Some(&Value::Bool(true)));
        assert_eq!(events[4].values.get("current"), Some(&Value::Bool(false)));
        assert_eq!(read(None)[0].values.get("current"), None);
    }

    #[test]
    fn all_that_a_service_says() {
        let events = read(Some(1));
        let planted = &events[2];
        assert_eq!(planted.time.unwrap().to_string(), "2020-08-26T05:09:52.3456789Z");
        assert_eq!(text(planted, "image_path"), Some(r#""C:\Windows\SysWOW64\mscsvidc.exe""#));
        assert_eq!(list(planted, "type"), "own_process");
        assert_eq!((text(planted, "start"), text(planted, "error_control")), (Some("auto"), Some("ignore")));
        assert_eq!(text(planted, "account"), Some("LocalSystem"));
        assert_eq!(text(planted, "failure_command"), Some("cmd.exe /c start x"));
        assert_eq!(list(planted, "failure_actions"), "restart after 60000 ms; run command after 0 ms");
        assert_eq!(
            planted.message(),
            "Service mscsvidc (mscsvidc): \"C:\\Windows\\SysWOW64\\mscsvidc.exe\", start auto, as LocalSystem"
        );
        let dns = &events[0];
        assert_eq!(text(dns, "command"), Some(r"C:\Windows\system32\svchost.exe -k NetworkService -p"));
        assert_eq!(text(dns, "service_dll"), Some(r"%SystemRoot%\System32\dnsrslvr.dll"));
        assert_eq!(list(dns, "depends_on"), "nsi; Tcpip; +TDI");
        assert_eq!(
            dns.values.get("parameters_written"),
            Some(&Value::Time(Timestamp::parse("2020-02-02T02:02:02Z").unwrap()))
        );
        let gone = &events[1];
        assert_eq!(list(gone, "type"), "own_process; interactive_process");
        assert_eq!(text(gone, "start"), Some("9"));
        assert_eq!(text(gone, "command"), Some(r"C:\Windows\gone.sys"));
        assert_eq!(gone.values.get("marked_for_deletion"), Some(&Value::Bool(true)));
        assert_eq!(text(&events[3], "command"), Some(r"C:\Windows\System32\drivers\tcpip.sys"));
    }
}
