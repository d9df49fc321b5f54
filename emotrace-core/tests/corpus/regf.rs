//! Registry hives of other projects. Counts are those that hivex and libregf give for the same files, unless another
//! source is named; see `testdata/notes/registry-peers.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use emotrace_core::formats::regf::{Certainty, Hive, HiveKind, HiveOptions};
use emotrace_core::model::{State, Timestamp};

use super::Case;

pub(crate) const CASES: &[Case] = &[
    ("regf: every hive is read whole, or says what it lost", every_hive),
    ("regf: counts of keys and values", counts),
    ("regf: replay of NTUSER.DAT", replay_ntuser),
    ("regf: replay of UsrClass.dat, both logs", replay_usrclass),
    ("regf: replay of SYSTEM, both logs", replay_system),
    ("regf: replay of Amcache.hve stops at the stale entry", replay_amcache),
    ("regf: yarp's dirty hives become its recovered ones", replay_yarp),
    ("regf: yarp's deleted keys and values", deleted_yarp),
    ("regf: deleted keys of a user's hive", deleted_ntuser),
    ("regf: damaged lists cost no more than they name", damaged),
];

type Content = BTreeMap<String, (Option<Timestamp>, Vec<(String, Vec<u8>)>)>;

fn parse(corpus: &Path, hive: &str, logs: &[&str]) -> Hive {
    let read = |name: &str| fs::read(corpus.join("hives").join(name)).unwrap();
    let logs: Vec<Vec<u8>> = logs.iter().map(|name| read(name)).collect();
    Hive::parse(read(hive), &logs, HiveOptions::default()).unwrap()
}

fn content(hive: &Hive) -> Content {
    hive.keys()
        .map(|key| {
            let values = key.values().into_iter().map(Result::unwrap);
            let values = values.map(|value| (value.name(), value.data().unwrap().into_owned())).collect();
            (key.path(), (key.last_write(), values))
        })
        .collect()
}

/// Keys that only the second has, that only the first has, and that both have but not alike.
fn differences(before: &Content, after: &Content) -> (usize, usize, usize) {
    let gained = after.keys().filter(|path| !before.contains_key(*path)).count();
    let lost = before.keys().filter(|path| !after.contains_key(*path)).count();
    let changed = before.iter().filter(|(path, key)| after.get(*path).is_some_and(|other| other != *key)).count();
    (gained, lost, changed)
}

fn replayed(corpus: &Path, hive: &str, logs: &[&str]) -> (Hive, (usize, usize, usize)) {
    let after = parse(corpus, hive, logs);
    assert!(after.replay().dirty, "{hive}");
    // A wrong order of entries breaks structures: a right one leaves none broken.
    assert_eq!(after.issues(), [], "{hive}");
    let differences = differences(&content(&parse(corpus, hive, &[])), &content(&after));
    (after, differences)
}

fn sequences(hive: &Hive) -> Vec<u32> {
    hive.replay().entries.iter().map(|entry| entry.sequence).collect()
}

/// Issue 4's figures, from two independent readers; the root key is among the changed ones.
fn replay_ntuser(corpus: &Path) {
    let logs = ["regipy/transactions_ntuser.dat.log1", "regipy/transactions_ntuser.dat.log2"];
    let (hive, differences) = replayed(corpus, "regipy/transactions_NTUSER.DAT", &logs);
    assert_eq!(sequences(&hive), (566..=588).collect::<Vec<u32>>());
    // regipy's own test publishes the count of pages.
    assert_eq!(hive.replay().pages(), 132);
    assert_eq!(differences, (521, 6, 171));
    assert_eq!(hive.replay().sequence_after, Some(589));
}

fn replay_usrclass(corpus: &Path) {
    for logs in [
        ["regipy/UsrClass.dat.LOG1", "regipy/UsrClass.dat.LOG2"],
        ["regipy/UsrClass.dat.LOG2", "regipy/UsrClass.dat.LOG1"],
    ] {
        let (hive, differences) = replayed(corpus, "regipy/UsrClass.dat", &logs);
        assert_eq!(sequences(&hive), (287..=300).collect::<Vec<u32>>());
        assert_eq!(hive.replay().pages(), 158);
        assert_eq!(differences, (33, 0, 21));
    }
}

fn replay_system(corpus: &Path) {
    let big = "../big/hives/regipy/SYSTEM_B";
    let (hive, differences) = replayed(corpus, big, &[&format!("{big}.LOG1"), &format!("{big}.LOG2")]);
    assert_eq!(sequences(&hive), (2107..=2130).collect::<Vec<u32>>());
    assert_eq!(hive.replay().pages(), 315);
    // regipy publishes 2,458 new keys, of a recovered hive with broken structures in two pages.
    assert_eq!((differences.0, differences.1), (2472, 0));
}

fn replay_amcache(corpus: &Path) {
    let name = "amcache-win10-aptsim/Amcache.hve";
    let (hive, _) = replayed(corpus, name, &[&format!("{name}.LOG1"), &format!("{name}.LOG2")]);
    assert_eq!(sequences(&hive), [36, 37, 38, 39]);
    let name = "amcache-win11/Amcache.hve";
    let (hive, _) = replayed(corpus, name, &[&format!("{name}.LOG1"), &format!("{name}.LOG2")]);
    assert_eq!(sequences(&hive), (68..=76).collect::<Vec<u32>>());
}

/// Windows' own result: the same hives, recovered by loading them.
fn replay_yarp(corpus: &Path) {
    let logs = ["yarp/NewDirtyHive2/NewDirtyHive.LOG1", "yarp/NewDirtyHive2/NewDirtyHive.LOG2"];
    let (hive, _) = replayed(corpus, "yarp/NewDirtyHive2/NewDirtyHive", &logs);
    assert_eq!(content(&hive), content(&parse(corpus, "yarp/NewDirtyHive1/RecoveredHive_Windows10", &[])));
    let recovered = parse(corpus, "yarp/OldDirtyHive/RecoveredHive_Windows7", &[]);
    for log in ["yarp/OldDirtyHive/OldDirtyHive.LOG1", "yarp/OldLogWithRemnantData"] {
        let (hive, differences) = replayed(corpus, "yarp/BadLogHive1/BadLogHive", &[log]);
        assert_eq!(content(&hive), content(&recovered));
        assert_ne!(differences, (0, 0, 0));
    }
    // A damaged log of the old format has nothing that proves its content.
    let bad = parse(corpus, "yarp/BadLogHive1/BadLogHive", &["yarp/BadLogHive1/BadLogHive.LOG1"]);
    assert_eq!((bad.replay().entries.len(), bad.issues().len()), (0, 1));
}

fn deleted_yarp(corpus: &Path) {
    let find = |name: &str| {
        let hive = parse(corpus, name, &[]);
        let deleted = hive.deleted();
        deleted.keys.into_iter().map(|key| (key.path, key.path_known)).collect::<Vec<_>>()
    };
    let tree = [r"1\2\3\4\New Key #1", r"1\2\3", r"1\2\3\4", r"1\2\3\4\5"].map(|path| (path.to_owned(), true));
    assert_eq!(find("yarp/DeletedTreeHive"), tree);
    assert_eq!(find("yarp/DeletedTreeNoRootFlagHive"), tree);
    let partial = [r"4\New Key #1", "4", r"4\5"].map(|path| (path.to_owned(), false));
    assert_eq!(find("yarp/DeletedTreePartialPathHive"), partial);

    let hive = parse(corpus, "yarp/DeletedDataHive", &[]);
    let deleted = hive.deleted();
    let [key] = deleted.keys.as_slice() else { panic!("{:?}", deleted.keys) };
    assert_eq!((key.path.as_str(), key.certainty, key.state), ("456", Certainty::Whole, State::Deleted));
    assert_eq!(key.values[0].value.text().unwrap(), "123456");
    let [value] = deleted.values.as_slice() else { panic!("{:?}", deleted.values) };
    assert_eq!((value.key_path.as_deref(), value.value.text().as_deref()), (Some("123"), Some("456")));
    // The data of this one lies where a live value has its own now.
    let hive = parse(corpus, "yarp/ReallocValueDataHive", &[]);
    assert!(hive.deleted().keys[0].values[0].value.data().is_err());
}

/// notatin finds 82 keys in this hive that are not allocated.
fn deleted_ntuser(corpus: &Path) {
    let hive = parse(corpus, "plaso/NTUSER-WIN7.DAT", &[]);
    assert_eq!(hive.deleted().keys.len(), 82);
}

fn damaged(corpus: &Path) {
    let hive = parse(corpus, "plaso/corrupt_sub_key_list.hiv", &[]);
    assert_eq!((hive.keys().count(), hive.issues().len()), (100, 1));
    // Two keys share a list, or a subkey; it belongs to the one that it names as its parent.
    for name in ["yarp/BadListHive", "yarp/BadSubkeyHive"] {
        let hive = parse(corpus, name, &[]);
        assert!(hive.find(r"3\subkey").is_some() && hive.find(r"2\subkey").is_none(), "{name}");
        assert_eq!(hive.issues().len(), 1);
    }
    // Both readers above refuse this one.
    assert_eq!(parse(corpus, "../big/hives/regipy/corrupted_system_hive", &[]).keys().count(), 1687);
    assert_eq!(parse(corpus, "yarp/BadBaseBlockHive/BadBaseBlockHive", &[]).keys().count(), 5003);
}

fn counts(corpus: &Path) {
    for (name, kind, keys, values) in [
        ("regipy/SYSTEM_WIN_10_1709", HiveKind::System, 43_211, 90_307),
        ("regipy/NTUSER.DAT", HiveKind::NtUser, 1812, 4094),
        ("regipy/SAM", HiveKind::Sam, 65, 70),
        ("regipy/SECURITY", HiveKind::Security, 100, 109),
        ("regipy/BCD", HiveKind::Bcd, 132, 103),
        ("plaso/UsrClass.dat", HiveKind::UsrClass, 7505, 19_987),
        ("plaso/NTUSER-WIN7.DAT", HiveKind::NtUser, 2288, 5470),
        ("plaso/win10-Amcache.hve", HiveKind::Amcache, 207, 4188),
        ("notatin/win7_ntuser.dat", HiveKind::NtUser, 4841, 16_545),
        ("dfwinreg/SECURITY", HiveKind::Security, 101, 110),
        ("yarp/ManySubkeysHive", HiveKind::Other, 5003, 0),
        // A user's hive under the wrong name.
        ("amcache-securityronin/not_amcache.hve", HiveKind::NtUser, 2354, 5463),
    ] {
        let hive = parse(corpus, name, &[]);
        let counted: usize = hive.keys().map(|key| key.values().len()).sum();
        assert_eq!((hive.keys().count(), counted), (keys, values), "{name}");
        assert_eq!(HiveKind::from_content(&hive), kind, "{name}");
    }
    // The last write of the whole hive, as nt_hive2 and notatin give it.
    let hive = parse(corpus, "plaso/NTUSER-WIN7.DAT", &[]);
    let last = hive.keys().filter_map(|key| key.last_write()).max().unwrap();
    assert_eq!(last.unix_seconds(), 1_333_738_491);
}

/// All files of the corpus that begin like a hive.
fn every_hive(corpus: &Path) {
    let damaged = ["Bad", "Truncated", "corrupt"];
    let (mut folders, mut hives) = (vec![corpus.join("hives"), corpus.join("big/hives")], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            if !bytes.starts_with(b"regf") {
                continue;
            }
            let Ok(hive) = Hive::parse(bytes, &[], HiveOptions::default()) else {
                // The only files that are refused are logs.
                assert!(path.to_string_lossy().to_lowercase().contains("log"), "{}", path.display());
                continue;
            };
            hives += 1;
            assert!(hive.root().is_some(), "{}", path.display());
            let named = damaged.iter().any(|word| path.to_string_lossy().contains(word));
            assert!(named || hive.issues().is_empty(), "{}: {:?}", path.display(), hive.issues().first());
            // What is deleted is not live.
            let live: std::collections::BTreeSet<u64> = hive.keys().map(|key| key.offset()).collect();
            assert!(hive.deleted().keys.iter().all(|key| !live.contains(&key.offset)));
        }
    }
    assert_eq!(hives, 71);
}
