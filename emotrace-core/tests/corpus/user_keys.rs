//! What users opened and typed, in other projects' hives. Witnesses: RegRipper 3.0 (Debian 3.0~git20221205), whose rows were
//! all held against ours (counts and values, no difference but its own names for shell folders), and dissect.target 3.25.1
//! for trust records.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use emotrace_core::artifacts::{self, KeyInput, Out, Reads};
use emotrace_core::formats::regf::{Hive, HiveKind, HiveOptions, Key};
use emotrace_core::model::{Collect, Event, Host, State, Value};

use super::Case;

pub(crate) const CASES: &[Case] = &[
    ("user keys: trust records of Office 2010", trust_records),
    ("user keys: Office's recent documents, trusted locations", office),
    ("user keys: recent documents, Run dialog, paths, addresses, searches", typed),
    ("user keys: RDP client and mount points", connections),
    ("user keys: file dialogs", dialogs),
    ("user keys: shellbags, with and without the logs", shellbags),
];

const EXPLORER: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer";
const WIN7: &str = "notatin/win7_ntuser.dat";

fn parse(corpus: &Path, hive: &str, logs: &[&str]) -> Hive {
    let read = |name: &str| fs::read(corpus.join("hives").join(name)).unwrap();
    let logs: Vec<_> = logs.iter().map(|name| read(name)).collect();
    Hive::parse(read(hive), &logs, HiveOptions::default()).unwrap()
}

/// Gives a key to an artifact, and with `below` each of its subkeys.
fn events(artifact: &str, hive: &Hive, path: &str, below: bool) -> Vec<Event> {
    let artifact = artifacts::by_name(artifact).unwrap();
    let Reads::RegKeys { parse, .. } = artifact.reads else { panic!("{}", artifact.name) };
    let root = hive.find(path).unwrap();
    let mut keys: Vec<Key<'_>> = vec![root.clone()];
    if below {
        keys.extend(root.subkeys().into_iter().map(Result::unwrap));
    }
    let mut sink = Collect::default();
    let mut out = Out::new(&mut sink, artifact.name, Arc::default(), State::Live);
    for key in keys {
        let path = key.path();
        let input = KeyInput { locator: Arc::default(), hive: HiveKind::NtUser, key, path, user: None };
        let _ = parse(&input, &Host::default(), &mut out).unwrap();
    }
    assert_eq!(sink.issues, []);
    sink.events
}

fn text<'e>(event: &'e Event, name: &str) -> &'e str {
    event.values.get(name).and_then(Value::as_text).unwrap_or("-")
}

/// Time to the second, or `-`.
fn seconds(event: &Event) -> String {
    event.time.map_or_else(|| "-".to_owned(), |time| time.to_string()[..19].to_owned())
}

fn find<'e>(events: &'e [Event], name: &str, value: &str) -> &'e Event {
    events.iter().find(|event| text(event, name) == value).unwrap_or_else(|| panic!("no {name} {value}"))
}

fn trust_records(corpus: &Path) {
    let hive = parse(corpus, "plaso/NTUSER-WIN7.DAT", &[]);
    let events = events(
        "trust_records",
        &hive,
        r"Software\Microsoft\Office\14.0\Word\Security\Trusted Documents\TrustRecords",
        false,
    );
    let of = |document: &str| {
        let mine = events.iter().filter(|e| text(e, "document").ends_with(document));
        mine.map(|e| (seconds(e), e.meaning.to_string())).collect::<Vec<_>>()
    };
    let row = |time: &str, meaning: &str| (time.to_owned(), meaning.to_owned());
    assert_eq!(of("/StarFury.docx"), [row("2012-03-12T20:52:00", "opened"), row("2012-03-12T23:50:22", "recorded")]);
    assert_eq!(
        of("/SA-23E%20Mitchell-Hyundyne%20Starfury.docx"),
        [
            row("2012-03-12T20:52:00", "recorded"),
            row("2012-03-12T21:23:00", "opened"),
            row("2012-03-12T21:23:43", "key_written")
        ]
    );
    assert!(events.iter().all(|e| text(e, "trust") == "editing_enabled"));
    // The FILETIME of this one lies after the key's last write.
    let first = find(&events, "document", "%USERPROFILE%/Documents/StarFury/StarFury/StarFury.docx");
    assert!(text(first, "file_time_meaning").contains("not the decision"));
}

fn office(corpus: &Path) {
    let hive = parse(corpus, "plaso/NTUSER-WIN7.DAT", &[]);
    let word = r"Software\Microsoft\Office\14.0\Word";
    let files = events("office_mru", &hive, &format!(r"{word}\File MRU"), false);
    assert_eq!(files.len(), 5);
    assert_eq!(
        text(&files[0], "path"),
        r"C:\Users\nfury\Documents\StarFury\StarFury\SA-23E Mitchell-Hyundyne Starfury.docx"
    );
    assert_eq!(files[0].time.unwrap().to_string(), "2012-03-13T18:27:15.0830000Z");
    assert_eq!(seconds(&files[4]), "2012-03-07T23:30:58");
    let places = events("office_mru", &hive, &format!(r"{word}\Place MRU"), false);
    assert_eq!((places.len(), text(&places[1], "path")), (2, r"C:\Users\nfury\Documents\"));
    let locations: Vec<_> = hive.find(&format!(r"{word}\Security\Trusted Locations")).unwrap().subkeys();
    assert_eq!(locations.len(), 3);
    let location = events("office_security", &hive, &format!(r"{word}\Security\Trusted Locations\Location1"), false);
    assert_eq!(text(&location[0], "path"), r"C:\Program Files\Microsoft Office\Templates\");
    assert_eq!(location[0].values.get("subfolders"), Some(&Value::Bool(true)));
    // 51 values, one of them no entry.
    let hive = parse(corpus, WIN7, &[]);
    let files = events("office_mru", &hive, r"Software\Microsoft\Office\14.0\Excel\File MRU", false);
    assert_eq!(files.len(), 50);
    assert!(files.iter().all(|e| e.time.is_some()));
}

fn typed(corpus: &Path) {
    let hive = parse(corpus, WIN7, &[]);
    let documents = events("recent_docs", &hive, &format!(r"{EXPLORER}\RecentDocs"), true);
    assert_eq!(documents.len(), 438);
    let newest: Vec<_> = documents.iter().filter(|e| text(e, "list") == "RecentDocs" && e.time.is_some()).collect();
    assert_eq!(
        (newest.len(), text(newest[0], "document"), &*seconds(newest[0])),
        (1, "ES03_VM", "2015-02-20T16:03:57")
    );
    let commands = events("run_mru", &hive, &format!(r"{EXPLORER}\RunMRU"), false);
    let dated: Vec<_> =
        commands.iter().filter(|e| e.time.is_some()).map(|e| (text(e, "command"), seconds(e))).collect();
    assert_eq!((commands.len(), dated), (6, vec![(r"C:\tools", "2015-01-07T00:48:46".to_owned())]));
    let paths = events("typed_paths", &hive, &format!(r"{EXPLORER}\TypedPaths"), false);
    assert_eq!((paths.len(), text(&paths[1], "path")), (24, r"E:\Case\ES04\Export\@cloudstation\@sync"));
    assert_eq!((seconds(&paths[0]), paths[1].time), ("2015-02-15T19:43:24".to_owned(), None));
    let urls = events("typed_urls", &hive, r"Software\Microsoft\Internet Explorer\TypedURLs", false);
    assert_eq!(urls.len(), 6);
    assert_eq!(seconds(find(&urls, "url", "http://nyflws0009014:8000/")), "2014-03-02T00:29:35");
    let terms = events("word_wheel_query", &hive, &format!(r"{EXPLORER}\WordWheelQuery"), false);
    assert_eq!(terms.len(), 10);
    assert_eq!(seconds(find(&terms, "term", "ief")), "2015-01-02T01:28:52");
    assert_eq!(terms.iter().filter(|e| e.time.is_some()).count(), 1);
    // Without TypedURLsTime only the newest is dated.
    let hive = parse(corpus, "plaso/NTUSER-WIN7.DAT", &[]);
    let urls = events("typed_urls", &hive, r"Software\Microsoft\Internet Explorer\TypedURLs", false);
    let dated: Vec<_> = urls.iter().filter(|e| e.time.is_some()).map(|e| (text(e, "url"), seconds(e))).collect();
    assert_eq!((urls.len(), dated), (13, vec![("http://cnn.com/", "2012-03-12T21:23:53".to_owned())]));
}

fn connections(corpus: &Path) {
    let hive = parse(corpus, WIN7, &[]);
    let client = r"Software\Microsoft\Terminal Server Client";
    let recent = events("rdp_client", &hive, &format!(r"{client}\Default"), false);
    assert_eq!((recent.len(), text(&recent[2], "server")), (5, "10.150.16.30:63389"));
    assert_eq!((seconds(&recent[0]), recent[1].time), ("2014-12-16T16:06:54".to_owned(), None));
    let server = events("rdp_client", &hive, &format!(r"{client}\Servers\10.150.16.33"), false);
    assert_eq!(
        (text(&server[0], "username"), &*seconds(&server[0])),
        (r"NYFKWS0009038\STROZLLC", "2014-04-11T19:27:17")
    );
    let share = format!(r"{EXPLORER}\MountPoints2\##NYFKWS0009015#a$");
    let share = events("mount_points", &hive, &share, false);
    assert_eq!((text(&share[0], "target"), &*seconds(&share[0])), (r"\\NYFKWS0009015\a$", "2013-10-28T22:36:05"));
}

fn dialogs(corpus: &Path) {
    let hive = parse(corpus, "plaso/NTUSER-WIN7.DAT", &[]);
    let list = |name: &str| events("open_save_mru", &hive, &format!(r"{EXPLORER}\ComDlg32\{name}"), false);
    let programs = list(r"OpenSavePidlMRU\exe");
    assert_eq!(programs.len(), 2);
    assert_eq!(
        seconds(find(&programs, "path", r"P:\Application Tools\Firefox 6.0\Firefox Setup 6.0.exe")),
        "2011-08-28T22:48:28"
    );
    assert_eq!(seconds(find(&programs, "path", r"\\controller\WebDavShare\Firefox Setup 3.6.12.exe")), "-");
    assert_eq!(list(r"OpenSavePidlMRU\*").len(), 17);
    assert_eq!(list("LastVisitedPidlMRU").len(), 8);
}

fn shellbags(corpus: &Path) {
    const BAGS: &str = r"Local Settings\Software\Microsoft\Windows\Shell\BagMRU";
    let hive = parse(corpus, "regipy/UsrClass.dat", &[]);
    let folders = events("shellbags", &hive, BAGS, false);
    assert_eq!(folders.len(), 29);
    let desktop = find(&folders, "path", r"C:\Users\jcloudy\Desktop");
    assert_eq!(seconds(desktop), "2018-04-05T02:39:06");
    assert_eq!((text(desktop, "modified"), text(desktop, "created")), ("2018-03-30T02:24:24", "2018-03-27T09:19:00"));
    assert_eq!(text(desktop, "mft_reference"), "93001-1");
    let drive = find(&folders, "path", r"C:\Users\jcloudy\OneDrive");
    assert_eq!((&*seconds(drive), text(drive, "mft_reference")), ("-", "95629-1"));
    assert_eq!(seconds(find(&folders, "path", "My Computer")), "2018-04-05T02:13:26");
    let hive = parse(corpus, "regipy/UsrClass.dat", &["regipy/UsrClass.dat.LOG1", "regipy/UsrClass.dat.LOG2"]);
    let replayed = events("shellbags", &hive, BAGS, false);
    // Witness: RegRipper on the hive with the logs' pages written over it in the order of their numbers.
    assert_eq!(replayed.len(), 38);
    let new: Vec<_> =
        replayed.iter().filter(|e| folders.iter().all(|old| text(old, "path") != text(e, "path"))).collect();
    let imager = r"?\CFRS 780 Lone Wolf Scenario\FTK_Imager_4_2_0";
    assert_eq!(new.iter().filter(|e| text(e, "path") == imager && seconds(e) == "2018-04-06T12:40:28").count(), 1);
    assert!(new.iter().all(|e| e.state == State::LogReplayed));
    for (hive, count) in [("plaso/UsrClass.dat", 6), ("velociraptor/UsrClass.dat", 9)] {
        assert_eq!(events("shellbags", &parse(corpus, hive, &[]), BAGS, false).len(), count, "{hive}");
    }
}
