//! What the registry artifacts say of other projects' hives. Witnesses: RegRipper 3.0 for the host's facts, hivex 1.3.23
//! for values and times.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use emotrace_core::artifacts::{self, KeyInput, Out, Reads, read_host};
use emotrace_core::formats::regf::{Hive, HiveKind, HiveOptions, Key};
use emotrace_core::model::{Collect, Event, Host, State, Value};

use super::Case;

pub(crate) const CASES: &[Case] = &[
    ("registry: host facts of Windows 10 and Windows 7 hives", host),
    ("registry: Run keys of users", run_keys),
    ("registry: services of Windows 10", services),
    ("registry: an account of a domain is not named after a local one", same_rid),
    ("registry: machine, domain and audit policy of SECURITY hives", security),
];

fn parse(corpus: &Path, hive: &str) -> Hive {
    Hive::parse(fs::read(corpus.join("hives").join(hive)).unwrap(), &[], HiveOptions::default()).unwrap()
}

/// Gives keys to an artifact as the pipeline does.
fn events(artifact: &str, host: &Host, keys: Vec<Key<'_>>) -> Vec<Event> {
    let artifact = artifacts::by_name(artifact).unwrap();
    let Reads::RegKeys { parse, .. } = artifact.reads else { panic!("{}", artifact.name) };
    let mut sink = Collect::default();
    let mut out = Out::new(&mut sink, artifact.name, Arc::default(), State::Live);
    for key in keys {
        let path = key.path();
        let input = KeyInput { locator: Arc::default(), hive: HiveKind::Other, key, path, user: None };
        let _ = parse(&input, host, &mut out).unwrap();
    }
    assert_eq!(sink.issues, []);
    sink.events
}

fn text<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    event.values.get(name).and_then(Value::as_text)
}

fn host(corpus: &Path) {
    let (system, sam) = (parse(corpus, "regipy/SYSTEM_WIN_10_1709"), parse(corpus, "plaso/SAM"));
    let host = read_host(&[(HiveKind::System, &system), (HiveKind::Sam, &sam)]);
    assert_eq!(host.computer_name.as_deref(), Some("DESKTOP-2KGM189"));
    assert_eq!(host.control_set, Some(1));
    assert_eq!(host.time_zone.as_deref(), Some("Pacific Standard Time"));
    assert_eq!(host.time_bias_minutes, Some(420));
    assert_eq!(host.last_shutdown.unwrap().to_string().get(..19), Some("2020-04-19T09:08:44"));
    assert_eq!(host.interfaces.len(), 4);
    let ethernet = host.interfaces.iter().find(|interface| !interface.addresses.is_empty()).unwrap();
    assert_eq!(ethernet.id, "{5f3f359e-9d52-4566-9bec-37efdfb25abe}");
    assert_eq!((ethernet.addresses[0].as_str(), ethernet.domain.as_deref()), ("192.168.146.128", Some("localdomain")));
    assert_eq!(ethernet.dhcp_server.as_deref(), Some("192.168.146.254"));
    assert_eq!(ethernet.lease_obtained.unwrap().to_string(), "2020-04-24T05:15:08.0000000Z");
    assert_eq!(ethernet.lease_ends.unwrap().to_string(), "2020-04-24T05:45:08.0000000Z");

    let machine = "S-1-5-21-4070822719-3404542230-2541167049";
    assert_eq!(host.users.len(), 3);
    let gold = host.user_by_sid(&format!("{machine}-1001")).unwrap();
    assert_eq!(gold.name.as_deref(), Some("gold_administrator"));
    assert_eq!(gold.last_logon.unwrap().to_string().get(..19), Some("2016-10-11T19:52:35"));
    assert_eq!(gold.password_set.unwrap().to_string().get(..19), Some("2015-11-23T02:59:18"));
    assert_eq!(gold.logon_count, Some(4));
    assert_eq!(gold.flags, ["password_not_required", "normal", "password_does_not_expire"]);
    let guest = host.user_by_sid(&format!("{machine}-501")).unwrap();
    assert_eq!((guest.last_logon, guest.password_set, guest.logon_count), (None, None, Some(0)));
    assert!(guest.flags.contains(&"disabled"));
    assert_eq!(guest.comment.as_deref(), Some("Built-in account for guest access to the computer/domain"));
}

/// SIDs and names read by hand from the bytes that hivex gives; the SAM of the same machine names the same SID. The audit
/// policy as RegRipper 3.0 (auditpol) prints it.
fn security(corpus: &Path) {
    let (security, sam) = (parse(corpus, "dfwinreg/SECURITY"), parse(corpus, "plaso/SAM"));
    let of_security = read_host(&[(HiveKind::from_content(&security), &security)]);
    assert_eq!(of_security.machine_sid.as_deref(), Some("S-1-5-21-4070822719-3404542230-2541167049"));
    assert_eq!(of_security.machine_sid, read_host(&[(HiveKind::Sam, &sam)]).machine_sid);
    assert_eq!(of_security.logon_domain.as_deref(), Some("INTERNAL"));
    assert_eq!(of_security.domain_sid.as_deref(), Some("S-1-5-21-226059406-2984137831-1201299043"));
    let hive = parse(corpus, "regipy/SECURITY");
    let host = read_host(&[(HiveKind::Security, &hive)]);
    assert_eq!((host.logon_domain.as_deref(), host.domain_sid), (Some("WORKGROUP"), None));
    let events = events("recording_state", &Host::default(), vec![hive.find(r"Policy\PolAdtEv").unwrap()]);
    assert_eq!(events.len(), 59);
    let on: Vec<_> = events
        .iter()
        .filter(|event| event.values.get("recorded") == Some(&Value::Bool(true)))
        .map(|event| (text(event, "subject").unwrap(), text(event, "data").unwrap()))
        .collect();
    let (success, both) = ("success", "success and failure");
    let expected = [
        ("Security State Change", success),
        ("System Integrity", both),
        ("Other System Events", both),
        ("Logon", both),
        ("Logoff", success),
        ("Account Lockout", success),
        ("Special Logon", success),
        ("Network Policy Server", both),
        ("Audit Policy Change", success),
        ("Authentication Policy Change", success),
        ("User Account Management", success),
        ("Security Group Management", success),
    ];
    assert_eq!(on, expected);
}

/// The profile of an account of another machine or a domain that has the RID of a local account keeps its own name, or none.
fn same_rid(corpus: &Path) {
    let sam = parse(corpus, "plaso/SAM");
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/hives/software.hve");
    let software = Hive::parse(fs::read(other).unwrap(), &[], HiveOptions::default()).unwrap();
    let host = read_host(&[(HiveKind::Software, &software), (HiveKind::Sam, &sam)]);
    let named = |sid: &str| host.user_by_sid(sid).unwrap().name.clone();
    assert_eq!(named("S-1-5-21-111-222-333-1001"), None);
    assert_eq!(named("S-1-5-21-4070822719-3404542230-2541167049-1001").as_deref(), Some("gold_administrator"));
}

fn run_keys(corpus: &Path) {
    let hive = parse(corpus, "plaso/NTUSER-WIN7.DAT");
    let key = hive.find(r"Software\Microsoft\Windows\CurrentVersion\Run").unwrap();
    let [google, skype] = events("run_keys", &Host::default(), vec![key]).try_into().unwrap();
    assert_eq!(text(&google, "name"), Some("Google Update"));
    assert_eq!(text(&google, "data"), Some(r#""C:\Users\nfury\AppData\Local\Google\Update\GoogleUpdate.exe" /c"#));
    assert_eq!(text(&skype, "command"), Some(r#""C:\Program Files (x86)\Skype\Phone\Skype.exe" /nosplash /minimized"#));
    assert_eq!(skype.time.unwrap().filetime(), 129_587_826_976_819_287);
    let hive = parse(corpus, "plaso/NTUSER-RunTests.DAT");
    let keys = ["Run", "RunOnce"].map(|name| hive.find(&format!(r"Software\Microsoft\Windows\CurrentVersion\{name}")));
    let [sidebar, mctadmin] =
        events("run_keys", &Host::default(), keys.into_iter().flatten().collect()).try_into().unwrap();
    // Nothing says here what %ProgramFiles% is, so it stays.
    assert_eq!(text(&sidebar, "command"), Some(r"%ProgramFiles%\Windows Sidebar\Sidebar.exe /autoRun"));
    assert_eq!(text(&mctadmin, "data"), Some(r"C:\Windows\System32\mctadmin.exe"));
    assert_eq!(mctadmin.time.unwrap().filetime(), 129_781_190_339_920_616);
}

fn services(corpus: &Path) {
    let hive = parse(corpus, "regipy/SYSTEM_WIN_10_1709");
    let keys = hive.find(r"ControlSet001\Services").unwrap().subkeys().into_iter().map(Result::unwrap).collect();
    let events = events("services", &read_host(&[(HiveKind::System, &hive)]), keys);
    assert_eq!(events.len(), 682);
    assert_eq!(events.iter().filter(|event| event.values.get("service_dll").is_some()).count(), 221);
    assert!(events.iter().all(|event| event.values.get("current") == Some(&Value::Bool(true))));
}
