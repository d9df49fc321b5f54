//! Persistence, devices and network in other projects' hives, read through the whole pipeline. Witnesses: RegRipper 3.0 and
//! regipy 6.5.0 for times and numbers, hivex 1.3.23 for values and counts.

use std::fs;
use std::path::Path;

use emotrace_core::model::{Collect, Event, Value};
use emotrace_core::pipeline::{Evidence, NoProgress, Options, Selection, stream};

use super::Case;

pub(crate) const CASES: &[Case] = &[
    ("persistence: devices and network of Windows 10", devices_and_network),
    ("persistence: libraries, renames and switches of Windows 10", system),
    ("persistence: COM classes of a user", com_servers),
    ("persistence: Active Setup of a user", active_setup),
];

/// All rows of some artifacts from one hive, laid where Windows has it. Issues of a hive as a whole are not counted here.
fn rows(corpus: &Path, hive: &str, place: &str, artifacts: &[&str]) -> Vec<Event> {
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("C").join(place);
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::copy(corpus.join("hives").join(hive), target).unwrap();
    let evidence = Evidence::open(&[temporary.path().to_path_buf()]).unwrap();
    let artifacts = artifacts.iter().map(|name| (*name).to_owned()).collect();
    let selection = Selection { artifacts, ..Selection::default() };
    let options = Options { selection, threads: Some(1), ..Options::default() };
    let mut found = Collect::default();
    stream(&evidence, &options, &NoProgress, &mut found).unwrap();
    found.events
}

fn text(event: &Event, name: &str) -> Option<String> {
    event.values.get(name).map(Value::to_string)
}

fn of<'e>(events: &'e [Event], name: &str) -> Vec<&'e Event> {
    events.iter().filter(|event| event.descriptor.name == name).collect()
}

const SYSTEM: &str = "regipy/SYSTEM_WIN_10_1709";
const SYSTEM_PLACE: &str = "Windows/System32/config/SYSTEM";

fn devices_and_network(corpus: &Path) {
    let artifacts = ["usb_devices", "mounted_devices", "interfaces", "firewall_rules", "shares"];
    let events = rows(corpus, SYSTEM, SYSTEM_PLACE, &artifacts);

    let devices = of(&events, "windows:registry:usb_device");
    let bus = |name: &'static str| devices.iter().filter(move |event| text(event, "bus").as_deref() == Some(name));
    let mut instances: Vec<_> = bus("USB").map(|event| text(event, "key_path")).collect();
    instances.sort();
    instances.dedup();
    assert_eq!(instances.len(), 14);
    let stick = bus("USBSTOR").next().unwrap();
    assert_eq!(text(stick, "serial").as_deref(), Some("200608767007B7C08A6A"));
    // The FILETIMEs as hivex gives their bytes; RegRipper has the same seconds, regipy the same to its rounded microsecond.
    let time = |field: &str| text(stick, field).unwrap();
    assert_eq!(time("first_installed"), "2020-03-17T14:02:38.9554894Z");
    assert_eq!(time("last_installed"), "2020-03-17T14:02:38.9554894Z");
    assert_eq!(time("last_arrival"), "2020-03-17T14:02:38.9466272Z");
    assert_eq!(time("last_removal"), "2020-03-17T14:23:45.5046900Z");
    assert_eq!(bus("USBSTOR").count(), 4, "key, installation, arrival, removal");

    let mounted = of(&events, "windows:registry:mounted_device");
    assert_eq!(mounted.len(), 8);
    let c = mounted.iter().find(|event| text(event, "drive_letter").as_deref() == Some("C:")).unwrap();
    assert_eq!(
        (text(c, "disk_signature").unwrap(), text(c, "offset").unwrap()),
        ("df4546ae".into(), "525336576".into())
    );

    let interfaces = of(&events, "windows:registry:interface");
    let lease =
        interfaces.iter().find(|event| text(event, "dhcp_server").as_deref() == Some("192.168.146.254")).unwrap();
    assert_eq!(text(lease, "addresses").as_deref(), Some("192.168.146.128"));
    assert_eq!(text(lease, "lease_obtained").as_deref(), Some("2020-04-24T05:15:08.0000000Z"));

    // FirewallRules, and below RestrictedServices: AppIso, Configurable, Static.
    let rules = of(&events, "windows:registry:firewall_rule");
    assert_eq!(rules.len(), 480 + 376 + 5 + 203);
    let own = rules.iter().filter(|event| text(event, "key_path").unwrap().ends_with(r"FirewallPolicy\FirewallRules"));
    assert_eq!(own.filter(|event| event.values.get("active") == Some(&Value::Bool(true))).count(), 236);
    assert_eq!(of(&events, "windows:registry:share").len(), 0);
}

fn system(corpus: &Path) {
    let events = rows(corpus, SYSTEM, SYSTEM_PLACE, &["injected_dlls", "boot_execute", "recording_state"]);
    let autostarts = of(&events, "windows:registry:autostart");
    let data = |name: &str| {
        autostarts
            .iter()
            .find(|event| text(event, "name").as_deref() == Some(name))
            .and_then(|event| text(event, "data"))
    };
    assert_eq!(data("Authentication Packages").as_deref(), Some("msv1_0; SshdPinAuthLsa"));
    assert_eq!(data("Notification Packages").as_deref(), Some("scecli"));
    assert_eq!(data("BootExecute").as_deref(), Some("autocheck autochk *"));
    let monitors = autostarts.iter().filter(|event| text(event, "mechanism").as_deref() == Some("Print monitor"));
    let mut monitors: Vec<_> = monitors.filter_map(|event| text(event, "subject")).collect();
    monitors.sort();
    let known =
        ["Appmon", "Local Port", "Microsoft Shared Fax Monitor", "Standard TCP/IP Port", "USB Monitor", "WSD Port"];
    assert_eq!(monitors, known);

    let renames = of(&events, "windows:registry:pending_rename");
    let count = |action: &str| renames.iter().filter(|event| text(event, "action").as_deref() == Some(action)).count();
    assert_eq!((renames.len(), count("delete"), count("replace")), PENDING);
    assert_eq!(renames[0].message(), r"At the next boot: delete C:\WINDOWS\System32\drivers\SETEAC4.tmp");

    let recorded = |what: &str| {
        let states = of(&events, "windows:registry:recording_state");
        states
            .iter()
            .find(|event| text(event, "what").as_deref() == Some(what))
            .and_then(|event| text(event, "recorded"))
    };
    // EnablePrefetcher 3, NtfsDisableLastAccessUpdate 0x80000003: system managed, off.
    assert_eq!(recorded("prefetch of programs").as_deref(), Some("true"));
    assert_eq!(recorded("last access of files").as_deref(), Some("false"));
    assert_eq!(recorded("SRUM").as_deref(), Some("true"));
}

/// Pairs, deletions and replacements, counted in the value's bytes as hivex gives them.
const PENDING: (usize, usize, usize) = (101, 65, 4);

fn com_servers(corpus: &Path) {
    let place = "Users/jcloudy/AppData/Local/Microsoft/Windows/UsrClass.dat";
    let events = rows(corpus, "regipy/UsrClass.dat", place, &["com_servers"]);
    assert_eq!(events.iter().filter(|event| text(event, "name").is_none()).count(), 42);
    let class = Some("{021E4F06-9DCC-49AD-88CF-ECC2DA314C8A}");
    assert!(events.iter().any(|event| {
        text(event, "subject").as_deref() == class
            && text(event, "mechanism").as_deref() == Some("COM program")
            && text(event, "data").unwrap()
                == r"C:\Users\jcloudy\AppData\Local\Microsoft\OneDrive\18.044.0301.0006\FileCoAuth.exe"
    }));
}

fn active_setup(corpus: &Path) {
    let events = rows(corpus, "plaso/NTUSER-WIN7.DAT", "Users/nfury/NTUSER.DAT", &["active_setup"]);
    assert_eq!(of(&events, "windows:registry:active_setup_done").len(), 8 + 8, "as many below WOW6432Node");
}
