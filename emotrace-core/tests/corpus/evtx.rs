//! Event logs of real hosts.

use std::fs;
use std::path::{Path, PathBuf};

use emotrace_core::bytes::FormatError;
use emotrace_core::formats::evtx::{EvtxFile, EvtxRecord};
use emotrace_core::model::Value;

pub(crate) const CASES: &[super::Case] = &[
    ("evtx/published_counts", published_counts),
    ("evtx/emotet_records", emotet_records),
    ("evtx/logs_of_one_host", logs_of_one_host),
    ("evtx/damaged_logs", damaged_logs),
    ("evtx/all_logs_are_read", all_logs_are_read),
    ("evtx/recovered_records_are_not_misread", recovered_records_are_not_misread),
];

fn read(path: &Path) -> (Vec<EvtxRecord>, Vec<FormatError>) {
    let data = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = EvtxFile::open(&data).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut records, mut errors) = (Vec::new(), file.problems().to_vec());
    file.records(0..u64::MAX, &mut |result| match result {
        Ok(record) => records.push(record),
        Err(error) => errors.push(error),
    });
    (records, errors)
}

fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logs(&path, found);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("evtx")) {
            found.push(path);
        }
    }
    found.sort();
}

fn live(records: &[EvtxRecord]) -> usize {
    records.iter().filter(|r| !r.recovered).count()
}

/// Witness: plaso's tests (winevtx) and evtxinfo. System2.evtx is cut in its last chunk, which both leave out; its records
/// are read as far as they go.
fn published_counts(corpus: &Path) {
    let (records, errors) = read(&corpus.join("evtx/plaso/System.evtx"));
    assert_eq!((live(&records), errors.len()), (5009, 0));
    let (records, errors) = read(&corpus.join("evtx/plaso/System2.evtx"));
    let cut = 0x21000;
    let (whole, rest): (Vec<_>, Vec<_>) = records.iter().filter(|r| !r.recovered).partition(|r| r.offset < cut);
    assert_eq!((whole.len(), rest.len()), (194, 89));
    assert!(errors.iter().any(|e| matches!(e, FormatError::Short { offset, .. } if *offset == cut)), "{errors:?}");
    let ids: Vec<_> = rest.iter().map(|r| r.record_id).collect();
    assert!(ids.windows(2).all(|w| w[0] + 1 == w[1]), "{ids:?}");
}

/// Witness: evtxexport 20181227, which writes hex numbers at full width and GUIDs in capitals.
fn emotet_records(corpus: &Path) {
    let one = |name: &str| {
        let (records, errors) = read(&corpus.join("evtx/emotet").join(name));
        assert_eq!((live(&records), errors.len()), (1, 0), "{name}: {errors:?}");
        records.into_iter().find(|r| !r.recovered).unwrap()
    };
    let text = |value: Option<&Value>| value.map(Value::to_string).unwrap_or_default();

    let script = one("exec_emotet_ps_4104.evtx");
    assert_eq!(script.provider.as_deref(), Some("Microsoft-Windows-PowerShell"));
    assert_eq!(script.provider_guid.as_deref(), Some("{a0c1853b-5c40-4b15-8766-3cf1c58f985a}"));
    assert_eq!((script.event_id, script.version, script.level), (Some(4104), Some(1), Some(5)));
    assert_eq!((script.task, script.opcode, script.keywords.as_deref()), (Some(2), Some(15), Some("0x0")));
    assert_eq!(script.time_created.unwrap().to_string(), "2020-08-26T05:09:28.8455215Z");
    assert_eq!(script.activity_id.as_deref(), Some("{ccad9034-7b61-0001-83cf-adcc617bd601}"));
    assert_eq!((script.process_id, script.thread_id), (Some(6620), Some(6340)));
    assert_eq!(script.channel.as_deref(), Some("Microsoft-Windows-PowerShell/Operational"));
    assert_eq!(script.computer.as_deref(), Some("DESKTOP-RIPCLIP"));
    assert_eq!(script.user_sid.as_deref(), Some("S-1-5-21-2895499743-3664716236-3399808827-1001"));
    // The header counts from 1 in this exported log; the event kept its own id.
    assert_eq!((script.record_id, script.event_record_id), (1, Some(683)));
    let data = script.data.as_ref().unwrap();
    assert_eq!(text(data.get("MessageNumber")), "1");
    assert!(text(data.get("ScriptBlockText")).starts_with("$Va5w3n8=(('Q'+'2h')+('w9p'+'1'));&('ne'+'w-'+'item') "));
    assert_eq!(text(data.get("ScriptBlockId")), "fdd51159-9602-40cb-839d-c31039ebbc3a");

    for (name, id, time, last) in [
        (
            "exec_emotet_ps_800_new-item.evtx",
            786,
            "2020-08-26T05:09:29.0839193Z",
            "CommandInvocation(New-Item): \"New-Item\"",
        ),
        (
            "exec_emotet_ps_800_new-object.evtx",
            787,
            "2020-08-26T05:09:29.1151505Z",
            "CommandInvocation(New-Object): \"New-Object\"",
        ),
        (
            "exec_emotet_ps_800_get-item.evtx",
            789,
            "2020-08-26T05:09:33.3497103Z",
            "CommandInvocation(Get-Item): \"Get-Item\"",
        ),
        (
            "exec_emotet_ps_800_invoke-item.evtx",
            792,
            "2020-08-26T05:09:33.5058776Z",
            "CommandInvocation(Invoke-Item): \"Invoke-Item\"",
        ),
    ] {
        let record = one(name);
        assert_eq!((record.provider.as_deref(), record.event_id), (Some("PowerShell"), Some(800)));
        assert_eq!((record.qualifiers, record.task, record.level), (Some(0), Some(8), Some(4)));
        assert_eq!(record.keywords.as_deref(), Some("0x80000000000000"));
        assert_eq!(record.event_record_id, Some(id));
        assert_eq!(record.time_created.unwrap().to_string(), time);
        assert_eq!((&record.user_sid, &record.provider_guid), (&None, &None));
        let Some(Value::List(items)) = record.data.as_ref().and_then(|d| d.get("Data")) else { panic!("{name}") };
        assert_eq!(items.len(), 3);
        assert!(
            text(items.get(1))
                .contains("HostApplication=C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe")
        );
        assert!(text(items.get(2)).starts_with(last), "{name}");
    }

    let process = one("exec_emotet_sysmon_1.evtx");
    assert_eq!((process.event_id, process.version, process.event_record_id), (Some(1), Some(5), Some(225)));
    assert_eq!(process.time_created.unwrap().to_string(), "2020-08-26T05:09:33.5046471Z");
    assert_eq!((process.process_id, process.thread_id), (Some(6712), Some(1752)));
    assert_eq!(process.user_sid.as_deref(), Some("S-1-5-18"));
    let Some(Value::Map(data)) = &process.data else { panic!("no EventData") };
    let data: Vec<_> = data.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
    let expected = [
        ("RuleName", "-"),
        ("UtcTime", "2020-08-26 05:09:33.501"),
        ("ProcessGuid", "{075c05c2-ee8d-5f45-8401-000000000400}"),
        ("ProcessId", "7448"),
        ("Image", "C:\\Users\\Clippy\\AppData\\Local\\Temp\\WOrd\\2019\\Dyxxur4gx.exe"),
        ("FileVersion", "10.0.19041.1 (WinBuild.160101.0800)"),
        ("Description", "Windows Calculator"),
        ("Product", "Microsoft® Windows® Operating System"),
        ("Company", "Microsoft Corporation"),
        ("OriginalFileName", "CALC.EXE"),
        ("CommandLine", "\"C:\\Users\\Clippy\\AppData\\Local\\Temp\\word\\2019\\Dyxxur4gx.exe\" "),
        ("CurrentDirectory", "C:\\Users\\Clippy\\"),
        ("User", "DESKTOP-RIPCLIP\\Clippy"),
        ("LogonGuid", "{075c05c2-e5d3-5f45-c2b4-020000000000}"),
        ("LogonId", "0x2b4c2"),
        ("TerminalSessionId", "1"),
        ("IntegrityLevel", "Medium"),
        ("Hashes", "SHA1=ED13AF4A0A754B8DAEE4929134D2FF15EBE053CD"),
        ("ParentProcessGuid", "{075c05c2-ee7b-5f45-8201-000000000400}"),
        ("ParentProcessId", "6620"),
        ("ParentImage", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"),
        ("ParentCommandLine", "\"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe\" "),
    ];
    assert_eq!(data, expected.map(|(name, value)| (name, value.to_owned())));
}

/// Witness: evtxinfo counts 32,159 records in these 94 logs, and evtx_dump 0.15.1 writes as many.
fn logs_of_one_host(corpus: &Path) {
    let mut found = Vec::new();
    logs(&corpus.join("evtx/win10-aptsim"), &mut found);
    let read: Vec<_> = found.iter().map(|path| read(path)).collect();
    assert_eq!(found.len(), 94);
    assert_eq!(read.iter().map(|(records, _)| live(records)).sum::<usize>(), 32_159);
    assert!(read.iter().flat_map(|(_, errors)| errors).all(|e| e.to_string().contains("unused space")));
}

/// Witness: `evtx_dump 0.15.1 -o jsonl` writes 301 records of the first log, in which three chunks are damaged.
fn damaged_logs(corpus: &Path) {
    let folder = corpus.join("evtx/omerbenamram");
    let (records, errors) = read(&folder.join("sample_with_a_bad_chunk_magic.evtx"));
    assert_eq!(live(&records), 301);
    for offset in [0x61000, 0xa1000] {
        assert!(errors.iter().any(|e| matches!(e, FormatError::Signature { offset: at, .. } if *at == offset)));
        assert!(records.iter().any(|r| r.recovered && (offset..offset + 0x10000).contains(&r.offset)));
    }
    let (records, errors) = read(&folder.join("Application_no_crc32.evtx"));
    assert!(!records.is_empty() && errors.is_empty(), "{errors:?}");
}

/// Witness: evtx_dump 0.15.1 writes 126,163 records of these 263 logs; 89 more are in the cut chunk of System2.evtx.
fn all_logs_are_read(corpus: &Path) {
    let mut found = Vec::new();
    logs(corpus, &mut found);
    assert_eq!(found.len(), 263);
    assert_eq!(found.iter().map(|path| live(&read(path).0)).sum::<usize>(), 126_163 + 89);
}

/// In this log, the unused space holds Security records whose template has been overwritten by one of the Eventlog
/// provider. Read by that template they would be events 4624 of Microsoft-Windows-Eventlog, which there are none.
fn recovered_records_are_not_misread(corpus: &Path) {
    let mut found = Vec::new();
    logs(corpus, &mut found);
    for path in found {
        for record in read(&path).0 {
            let provider = record.provider.as_deref();
            assert!(
                provider != Some("Microsoft-Windows-Eventlog") || record.event_id < Some(2000),
                "{path:?} {record:?}"
            );
        }
    }
}
