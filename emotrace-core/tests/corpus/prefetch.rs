//! Prefetch files, held against the values that other projects publish for them.

use std::path::Path;
use std::sync::Arc;

use emotrace_core::artifacts::{self, Completion, FileInput, Out, Reads};
use emotrace_core::formats::prefetch;
use emotrace_core::model::{Collect, Host, Meaning, State, Timestamp};

pub(crate) const CASES: &[super::Case] = &[
    ("prefetch::zimmerman", zimmerman),
    ("prefetch::plaso", plaso),
    ("prefetch::all_are_whole", all_are_whole),
    ("prefetch::events", events),
    ("prefetch::damaged_files", damaged_files),
];

fn read(corpus: &Path, file: &str) -> prefetch::Prefetch {
    let bytes = std::fs::read(corpus.join("prefetch").join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    prefetch::read(&bytes).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// Values of EricZimmerman/Prefetch, `Prefetch.Test/TestVersion*.cs`.
fn zimmerman(corpus: &Path) {
    struct Published {
        file: &'static str,
        version: u32,
        executable: &'static str,
        hash: u32,
        newest: &'static str,
        runs: u32,
        files: usize,
        /// Device path, serial, creation, number of directories.
        volumes: &'static [(&'static str, u32, &'static str, usize)],
    }
    let published = [
        Published {
            file: "ez/Win2k3/CMD.EXE-087B4001.pf",
            version: 17,
            executable: "CMD.EXE",
            hash: 0x087b_4001,
            newest: "2016-01-15T16:01:40.8750000-07:00",
            runs: 3,
            files: 16,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME1", 0x64bb_3469, "2016-01-15T08:45:15.8906250-07:00", 4)],
        },
        Published {
            file: "ez/XPPro/CALC.EXE-02CD573A.pf",
            version: 17,
            executable: "CALC.EXE",
            hash: 0x02cd_573a,
            newest: "2016-01-13T15:05:51.2812500-07:00",
            runs: 3,
            files: 30,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME1", 0xe0f7_e847, "2016-01-13T04:17:18.7187500-07:00", 6)],
        },
        Published {
            file: "ez/Vista/EXPLORER.EXE-7A3328DA.pf",
            version: 23,
            executable: "EXPLORER.EXE",
            hash: 0x7a33_28da,
            newest: "2016-01-16T13:02:00.8326765-07:00",
            runs: 1,
            files: 66,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME1", 0xe8ea_b8b5, "2016-01-16T13:53:13.1093750-07:00", 13)],
        },
        Published {
            file: "ez/Win7/CALC.EXE-77FDF17F.pf",
            version: 23,
            executable: "CALC.EXE",
            hash: 0x77fd_f17f,
            newest: "2016-01-16T13:27:01.1967500-07:00",
            runs: 2,
            files: 37,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME2", 0x8800_8c2f, "2016-01-16T14:15:18.1093750-07:00", 8)],
        },
        Published {
            file: "ez/Win2012R2/NOTEPAD.EXE-D8414F97.pf",
            version: 26,
            executable: "NOTEPAD.EXE",
            hash: 0xd841_4f97,
            newest: "2016-01-16T14:40:31.2944718-07:00",
            runs: 2,
            files: 26,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME2", 0x7450_b65f, "2016-01-16T15:21:57.7889266-07:00", 7)],
        },
        Published {
            file: "ez/Win2012/REGEDIT.EXE-90FEEA06.pf",
            version: 26,
            executable: "REGEDIT.EXE",
            hash: 0x90fe_ea06,
            newest: "2016-01-16T14:36:18.7186980-07:00",
            runs: 1,
            files: 42,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME2", 0x2e25_f20a, "2016-01-16T15:20:46.1666157-07:00", 12)],
        },
        Published {
            file: "ez/Win8x/CALC.EXE-77FDF17F.pf",
            version: 26,
            executable: "CALC.EXE",
            hash: 0x77fd_f17f,
            newest: "2016-01-16T14:10:26.0583417-07:00",
            runs: 2,
            files: 37,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME2", 0xc6ee_7444, "2016-01-16T15:04:54.3519546-07:00", 7)],
        },
        Published {
            file: "ez/Win8x/_CMD.EXE-4A81B364.pf",
            version: 26,
            executable: "CMD.EXE",
            hash: 0x4a81_b364,
            newest: "2016-01-16T14:25:41.5341178-07:00",
            runs: 2,
            files: 12,
            volumes: &[(r"\DEVICE\HARDDISKVOLUME2", 0xa26e_529a, "2016-01-16T15:15:38.2977678-07:00", 8)],
        },
        Published {
            file: "ez/Win10/CHROME.EXE-B3BA7868.pf",
            version: 30,
            executable: "CHROME.EXE",
            hash: 0xb3ba_7868,
            newest: "2016-01-13T11:06:55.3344577-07:00",
            runs: 20,
            files: 282,
            volumes: &[(r"\VOLUME{01d1217a9c4c6779-8c9f49ec}", 0x8c9f_49ec, "2015-11-17T13:57:46.2434681-07:00", 23)],
        },
        Published {
            file: "ez/Win10/DCODEDCODEDCODEDCODEDCODEDCOD-E65B9FE8.pf",
            version: 30,
            executable: "DCODEDCODEDCODEDCODEDCODEDCOD",
            hash: 0xe65b_9fe8,
            newest: "2016-01-13T15:47:25.7480759-07:00",
            runs: 2,
            files: 57,
            volumes: &[
                (r"\VOLUME{01d12173f395296c-66f451bc}", 0x66f4_51bc, "2015-11-17T13:10:06.2049644-07:00", 1),
                (r"\VOLUME{01d1217a9c4c6779-8c9f49ec}", 0x8c9f_49ec, "2015-11-17T13:57:46.2434681-07:00", 19),
            ],
        },
        Published {
            file: "ez/Win10/DEVENV.EXE-854D7862.pf",
            version: 30,
            executable: "DEVENV.EXE",
            hash: 0x854d_7862,
            newest: "2016-01-13T09:50:34.6578416-07:00",
            runs: 54,
            files: 403,
            volumes: &[(r"\VOLUME{01d1217a9c4c6779-8c9f49ec}", 0x8c9f_49ec, "2015-11-17T13:57:46.2434681-07:00", 516)],
        },
    ];
    for wanted in published {
        let found = read(corpus, wanted.file);
        assert_eq!(
            (found.version, found.executable.as_str(), found.path_hash, found.run_count, found.files.len()),
            (wanted.version, wanted.executable, wanted.hash, Some(wanted.runs), wanted.files),
            "{}",
            wanted.file
        );
        assert_eq!(found.runs[0].time, time(wanted.newest), "{}", wanted.file);
        let volumes: Vec<_> = found
            .volumes
            .iter()
            .map(|v| (v.device_path.as_str(), v.serial, v.created.unwrap(), v.directories.len()))
            .collect();
        let wanted_volumes: Vec<_> = wanted.volumes.iter().map(|v| (v.0, v.1, time(v.2), v.3)).collect();
        assert_eq!(volumes, wanted_volumes, "{}", wanted.file);
    }
    let chrome = read(corpus, "ez/Win10/CHROME.EXE-B3BA7868.pf");
    assert_eq!(chrome.files[3].path, r"\VOLUME{01d1217a9c4c6779-8c9f49ec}\WINDOWS\SYSTEM32\KERNEL32.DLL");
    let references: Vec<String> = chrome.volumes[0].references.iter().map(ToString::to_string).collect();
    assert!(references.contains(&"55125-1".to_owned()) && references.contains(&"117682-2".to_owned()));
}

/// Values of plaso, `tests/parsers/winprefetch.py`.
fn plaso(corpus: &Path) {
    for (file, runs, newest) in [
        ("ez/Win7/PING.EXE-B29F6629.pf", 14, "2012-04-06T19:00:55.9329556Z"),
        ("ez/Win7/WUAUCLT.EXE-830BCC14.pf", 25, "2012-03-15T21:17:39.8079963Z"),
        ("ez/Win8x/TASKHOST.EXE-3AE259FC.pf", 4, "2013-10-04T15:40:09.0378333Z"),
        ("plaso/BYTECODEGENERATOR.EXE-C1E9BCE6.pf", 7, "2015-05-14T22:11:58.0911341Z"),
        ("plaso/ONEDRIVE.EXE-7E152375.pf", 2, "2015-05-14T22:11:05.4852771Z"),
        ("plaso/NOTEPAD.EXE-D8414F97.pf", 2, "2019-06-05T19:55:04.8777787Z"),
    ] {
        let found = read(corpus, file);
        assert_eq!((found.run_count, found.runs[0].time), (Some(runs), time(newest)), "{file}");
    }
    // The first variant of version 30 with all its runs; witness for the oldest: sccainfo 20200717.
    let times: Vec<String> =
        read(corpus, "plaso/BYTECODEGENERATOR.EXE-C1E9BCE6.pf").runs.iter().map(|run| run.time.to_string()).collect();
    assert_eq!(times.len(), 7);
    assert_eq!(times[6], "2015-05-14T22:10:38.2515193Z");
}

fn prefetch_files(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            prefetch_files(&path, files);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("pf")) {
            files.push(path);
        }
    }
    files.sort();
}

/// Every file but the three that are damaged on purpose is read to its end without a fault, and what was hashed agrees with
/// the file list wherever both name the executable.
fn all_are_whole(corpus: &Path) {
    let mut files = Vec::new();
    prefetch_files(&corpus.join("prefetch"), &mut files);
    assert_eq!(files.len(), 543);
    let (mut whole, mut runs, mut loaded) = (0, 0, 0);
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(
            prefetch::recognise(&bytes[..bytes.len().min(4096)]),
            prefetch::read(&bytes).is_ok() || path.ends_with("bad/malformed.pf"),
            "{path:?}"
        );
        let Ok(found) = prefetch::read(&bytes) else { continue };
        assert_eq!((found.issues.len(), found.more_issues, found.cut_at), (0, 0, None), "{path:?}");
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(found.scenario || stem.ends_with(&format!("{:08X}", found.path_hash)), "{path:?}");
        (whole, runs, loaded) = (whole + 1, runs + found.runs.len(), loaded + found.files.len());
    }
    // Witness: libscca 20260527 gives the same sums, and file by file the same values.
    assert_eq!((whole, runs, loaded), (540, 1176, 43_068));
}

fn run_artifact(path: &Path) -> (Result<Completion, artifacts::ArtifactError>, Collect) {
    let data = std::fs::read(path).unwrap();
    let artifact = artifacts::by_name("prefetch").unwrap();
    let Reads::Files { parse, .. } = artifact.reads else { panic!("prefetch reads files") };
    let mut sink = Collect::default();
    let input = FileInput::alone(Arc::default(), &data);
    let result = parse(&input, &Host::default(), &mut Out::new(&mut sink, artifact.name, Arc::default(), State::Live));
    (result, sink)
}

/// Witness: sccainfo 20200717 on this file.
fn events(corpus: &Path) {
    let (result, sink) = run_artifact(&corpus.join("prefetch/plaso/NOTEPAD.EXE-D8414F97.pf"));
    assert_eq!((result.unwrap(), sink.issues.len()), (Completion::Complete, 0));
    let runs: Vec<_> = sink.events.iter().filter(|e| e.meaning == Meaning::EXECUTED).collect();
    assert_eq!(runs.len(), 2);
    let newest = runs.iter().find(|e| e.values.get("run_index").unwrap().as_number() == Some(1)).unwrap();
    assert_eq!(newest.time.unwrap().to_string(), "2019-06-05T19:55:04.8777787Z");
    let text = |field: &str| newest.values.get(field).unwrap().to_string();
    assert_eq!(text("path_hash"), "D8414F97");
    assert_eq!(text("hashed"), r"\DEVICE\HARDDISKVOLUME2\WINDOWS\SYSTEM32\NOTEPAD.EXE");
    assert_eq!(text("executable_path"), r"\VOLUME{01d3096ba3a46863-2ca3d1ae}\WINDOWS\SYSTEM32\NOTEPAD.EXE");
    let volume = sink.events.iter().find(|e| e.meaning == Meaning::FORMATTED).unwrap();
    assert_eq!(volume.values.get("serial").unwrap().to_string(), "2CA3D1AE");
    assert_eq!(volume.time.unwrap().to_string(), "2017-07-30T19:40:03.5487843Z");
}

/// No damaged file is passed over in silence, and none gives events that it does not hold.
fn damaged_files(corpus: &Path) {
    for (file, wanted) in
        [("bad/bad_compression.pf", "asks for 2576980422"), ("bad/malformed.pf", "no layout of its version fits")]
    {
        let (result, sink) = run_artifact(&corpus.join("prefetch").join(file));
        let error = result.unwrap_err().to_string();
        assert!(error.contains(wanted), "{file}: {error}");
        assert!(sink.events.is_empty());
    }
    let (result, sink) = run_artifact(&corpus.join("prefetch/ez/Bad/notAPrefetch.pf"));
    assert_eq!((result.unwrap(), sink.events.len()), (Completion::NotThisFormat, 0));
}
