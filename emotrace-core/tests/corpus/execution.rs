//! Traces of execution in the registry. Witnesses: the entry counts that AppCompatCacheParser's tests publish, paths, times
//! and execution flags as regipy 6.5.0 (ShimCacheParser) gives them, RegRipper 3.0 for UserAssist.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use emotrace_core::artifacts::{self, KeyInput, Out, Reads};
use emotrace_core::formats::regf::{Hive, HiveKind, HiveOptions, Key};
use emotrace_core::formats::shimcache::Shimcache;
use emotrace_core::model::{Collect, Event, Host, State, Value};

use super::Case;

pub(crate) const CASES: &[Case] = &[
    ("execution: eight compatibility caches", compatibility_caches),
    ("execution: UserAssist of Windows XP, 7 and 8", user_assist),
];

fn parse(corpus: &Path, hive: &str) -> Hive {
    Hive::parse(fs::read(corpus.join("hives").join(hive)).unwrap(), &[], HiveOptions::default()).unwrap()
}

/// Gives keys to an artifact as the pipeline does.
fn events(artifact: &str, keys: Vec<Key<'_>>) -> Vec<Event> {
    let artifact = artifacts::by_name(artifact).unwrap();
    let Reads::RegKeys { parse, .. } = artifact.reads else { panic!("{}", artifact.name) };
    let mut sink = Collect::default();
    let mut out = Out::new(&mut sink, artifact.name, Arc::default(), State::Live);
    for key in keys {
        let path = key.path();
        let input = KeyInput { locator: Arc::default(), hive: HiveKind::Other, key, path, user: None };
        let _ = parse(&input, &Host::default(), &mut out).unwrap();
    }
    assert_eq!(sink.issues, []);
    sink.events
}

fn text<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    event.values.get(name).and_then(Value::as_text)
}

fn number(event: &Event, name: &str) -> Option<u64> {
    event.values.get(name).and_then(Value::as_number)
}

fn compatibility_caches(corpus: &Path) {
    let read = |file: &str| {
        let cache = Shimcache::parse(&fs::read(corpus.join("hives/shimcache-bin").join(file)).unwrap()).unwrap();
        assert_eq!(cache.faults, [], "{file}");
        cache
    };
    let published = [
        ("Win2008/Win2k8Standard.bin", 873),
        ("Win10/Win10Creators.bin", 506),
        ("Win10/Win10.bin", 350),
        ("Win7/win7x64.bin", 304),
        ("WinXP/WinXPx86.bin", 17),
        ("Win7/win7x86.bin", 91),
        ("Win8.0/Win80.bin", 104),
        ("Win8.1/Win81.bin", 1024),
    ];
    for (file, count) in published {
        assert_eq!(read(file).entries.len(), count, "{file}");
    }
    let first = |file: &str| {
        let entry = read(file).entries.swap_remove(0);
        (entry.path, entry.modified.unwrap().to_string())
    };
    let is = |path: &str, time: &str| (path.to_owned(), time.to_owned());
    let server = r"\??\C:\Program Files (x86)\StorageCraft\ShadowProtect\ShadowSnap\raw_agent_svc.exe";
    assert_eq!(first("Win2008/Win2k8Standard.bin"), is(server, "2014-03-27T14:35:44.0000000Z"));
    let driver = r"C:\Program Files (x86)\NVIDIA Corporation\3D Vision\nvstreg.exe";
    assert_eq!(first("Win10/Win10Creators.bin"), is(driver, "2017-03-16T22:56:01.2487145Z"));
    let java = r"SYSVOL\Program Files\CrashPlan\jre\bin\java.exe";
    assert_eq!(first("Win8.1/Win81.bin"), is(java, "2013-12-04T23:47:23.2417323Z"));
    let ran = |file: &str| {
        let cache = read(file);
        assert!(cache.tells_execution());
        cache.entries.iter().filter(|entry| entry.insert_flags.unwrap() & 2 != 0).count()
    };
    assert_eq!((ran("Win7/win7x86.bin"), ran("Win7/win7x64.bin")), (75, 223));
    assert_eq!(ran("Win2008/Win2k8Standard.bin"), 479);
    // The order of XP's cache is that of the last updates, newest first.
    let xp = read("WinXP/WinXPx86.bin").entries;
    assert!(xp.is_sorted_by(|a, b| a.updated >= b.updated));
    let first_place = xp.iter().find(|entry| entry.offset == 400).unwrap();
    assert_eq!(first_place.path, r"\??\C:\WINDOWS\system32\oobe\msoobe.exe");
    assert_eq!((first_place.position, first_place.size), (16, Some(29_184)));
    assert_eq!(first_place.modified.unwrap().to_string(), "2008-04-14T12:00:00.0000000Z");
    assert_eq!(first_place.updated.unwrap().to_string(), "2016-01-13T18:40:36.0937500Z");
}

fn user_assist(corpus: &Path) {
    let read = |file: &str| {
        let hive = parse(corpus, file);
        let base = hive.find(r"Software\Microsoft\Windows\CurrentVersion\Explorer\UserAssist").unwrap();
        events("user_assist", base.subkeys().into_iter().filter_map(|key| key.ok()?.subkey("Count")).collect())
    };
    let row = |events: &[Event], program: &str| {
        let event = events.iter().find(|event| text(event, "program") == Some(program)).unwrap();
        (event.time.unwrap().to_string()[..19].to_owned(), number(event, "run_count").unwrap())
    };
    let seven = read("plaso/NTUSER-WIN7.DAT");
    assert_eq!(row(&seven, r"{System}\cmd.exe"), ("2012-04-06T18:54:34".to_owned(), 6));
    assert_eq!(row(&seven, "Chrome"), ("2012-04-06T13:23:55".to_owned(), 7));
    let eight = read("plaso/NTUSER.DAT");
    assert_eq!(row(&eight, "Microsoft.InternetExplorer.Default"), ("2016-10-09T19:58:01".to_owned(), 2));
    let xp = read("velociraptor/ntuser.dat");
    assert_eq!(row(&xp, r"C:\WINDOWS\system32\NOTEPAD.EXE"), ("2009-08-04T15:19:23".to_owned(), 2));
    assert_eq!(row(&xp, r"C:\Program Files\Jetico\BCWipe\BCWipeTM.exe"), ("2009-08-04T15:21:53".to_owned(), 1));
}
