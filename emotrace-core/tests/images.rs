//! The case image against its truth file, value by value, and the properties that every run must have.
//!
//! The truth comes from the script that made the image, not from this program; `testdata/README.md` says which other
//! tools the image was held against.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use emotrace_core::bytes::ReadAt;
use emotrace_core::export::{Context, Format};
use emotrace_core::model::{Collect, Event, FileEntry, Loss, ParseIssue, State, Timestamp, Value};
use emotrace_core::pipeline::{
    Evidence, Extraction, NoProgress, Options, Selection, Wanted, extract, preserve, stream, write_timeline,
};
use emotrace_core::source::Source;
use sha2::{Digest, Sha256};

fn case() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case/case.E01")
}

fn truth() -> &'static serde_json::Value {
    static TRUTH: OnceLock<serde_json::Value> = OnceLock::new();
    TRUTH.get_or_init(|| serde_json::from_slice(&fs::read(case().with_file_name("case.truth.json")).unwrap()).unwrap())
}

fn list(name: &str) -> &'static Vec<serde_json::Value> {
    truth()[name].as_array().unwrap_or_else(|| panic!("the truth has {name}"))
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is text"))
}

/// Everything that the case gives, read once.
fn found() -> &'static Collect {
    static FOUND: OnceLock<Collect> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut found = Collect::default();
        stream(&Evidence::open(&[case()]).unwrap(), &Options::default(), &NoProgress, &mut found).unwrap();
        found
    })
}

fn events(name: &str) -> Vec<&'static Event> {
    let events: Vec<_> = found().events.iter().filter(|e| e.descriptor.name == name).collect();
    assert!(!events.is_empty(), "there are events {name}");
    events
}

fn field(event: &Event, name: &str) -> String {
    event.values.get(name).map(ToString::to_string).unwrap_or_default()
}

/// A path of the truth file as rows show it.
fn windows(path: &str) -> String {
    format!("C:\\{}", path.replace('/', "\\"))
}

fn sha256(data: &dyn ReadAt) -> String {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut offset = 0;
    loop {
        let n = data.read_at(offset, &mut buffer).unwrap();
        if n == 0 {
            return hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        }
        hash.update(&buffer[..n]);
        offset += n as u64;
    }
}

/// Entries of the NTFS volume by record number.
fn entries(evidence: &Evidence) -> BTreeMap<u64, FileEntry> {
    let files = &evidence.volumes[0].files;
    let mut entries = BTreeMap::new();
    for part in 0..files.parts() {
        let mut keep = |entry: FileEntry| {
            entries.insert(entry.reference.unwrap().record, entry);
        };
        files.walk(part, &mut keep, &mut |issue| panic!("{issue:?}"));
    }
    entries
}

#[test]
fn nothing_of_the_case_is_lost() {
    let lost: Vec<_> = found().issues.iter().filter(|i| i.loss != emotrace_core::model::Loss::None).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn every_file_has_its_path_content_and_times() {
    let evidence = Evidence::open(&[case()]).unwrap();
    let entries = entries(&evidence);
    let mut checked = 0;
    for file in list("files") {
        let entry = &entries[&file["record"].as_u64().unwrap()];
        let path = format!("\\{}", text(&file["path"]).replace('/', "\\"));
        // JSON can't hold an unpaired surrogate; the truth has an X there and gives the real name elsewhere.
        let is_surrogate = file["record"] == truth()["surrogate"]["record"];
        assert!(is_surrogate || entry.names.iter().any(|n| n.path == path), "{path}: {:?}", entry.names);
        assert_eq!(entry.main_stream().unwrap().size, file["size"].as_u64().unwrap(), "{path}");
        let data = evidence.volumes[0].files.open(entry, "").unwrap();
        assert_eq!(sha256(&*data), text(&file["sha256"]), "{path}");
        let si = entry.standard_information.unwrap().times;
        let shown = |t: Option<Timestamp>| t.unwrap().to_string();
        for (ours, theirs) in [
            (si.created, "created"),
            (si.modified, "modified"),
            (si.changed, "changed"),
            (si.accessed, "accessed"),
            (entry.primary_name().unwrap().times.created, "fn_created"),
        ] {
            assert_eq!(shown(ours), text(&file[theirs]), "{path} {theirs}");
        }
        for stream in file["streams"].as_array().into_iter().flatten() {
            let data = evidence.volumes[0].files.open(entry, text(&stream["name"])).unwrap();
            assert_eq!(sha256(&*data), text(&stream["sha256"]), "{path}:{}", stream["name"]);
        }
        checked += 1;
    }
    assert_eq!(checked, 407);
}

#[test]
fn every_live_path_is_found_whatever_its_case() {
    let files = &Evidence::open(&[case()]).unwrap().volumes[0].files;
    for file in list("files").iter().filter(|f| f["record"] != truth()["surrogate"]["record"]) {
        // A backslash can stand in a POSIX name, and is no separator then.
        if text(&file["path"]).contains('\\') {
            continue;
        }
        let record = files.lookup(text(&file["path"])).unwrap().reference.unwrap().record;
        assert_eq!(Some(record), file["record"].as_u64(), "{}", file["path"]);
        let upper: String = text(&file["path"]).chars().map(|c| c.to_ascii_uppercase()).collect();
        assert!(files.lookup(&upper).is_ok(), "{upper}");
    }
}

#[test]
fn deleted_files_are_found_and_recovered() {
    let evidence = Evidence::open(&[case()]).unwrap();
    let entries = entries(&evidence);
    let mut recovered = 0;
    for file in list("deleted").iter().filter(|f| f["record_reused"] == false) {
        let entry = &entries[&file["record"].as_u64().unwrap()];
        let name = text(&file["path"]).rsplit('/').next().unwrap();
        assert!(entry.deleted, "{name}");
        assert!(entry.names.iter().any(|n| n.name == name), "{name}: {:?}", entry.names);
        if file["recoverable"] == true {
            let data = evidence.volumes[0].files.open(entry, "").unwrap();
            assert_eq!(sha256(&*data), text(&file["sha256"]), "{name}");
            recovered += 1;
        }
    }
    assert!(recovered >= 10, "{recovered}");
    let rows = events("windows:file:times");
    assert!(rows.iter().any(|e| e.state == State::Deleted));
}

#[test]
fn forged_times_are_shown_beside_the_true_ones() {
    for file in list("timestomped") {
        let path = windows(text(&file["path"]));
        let at = |name: &str, time: &str| {
            events(name).iter().any(|e| {
                e.origin.locator.path == path
                    && e.time.is_some_and(|t| t.to_string() == time)
                    && e.meaning.macb().contains('B')
            })
        };
        assert!(at("windows:file:times", text(&file["si_created"])), "{path}");
        assert!(at("windows:file:name_times", text(&file["fn_created"])), "{path}");
    }
}

#[test]
fn every_log_record_is_one_event() {
    let rows = events("windows:evtx:record");
    let mut seen: BTreeMap<(String, u64), &Event> = BTreeMap::new();
    for row in rows.iter().filter(|e| e.state == State::Live) {
        let id = row.values.get("record_id").and_then(Value::as_number).unwrap();
        let twice = seen.insert((row.origin.locator.path.clone(), id), row);
        assert!(twice.is_none(), "{} {id} is there twice", row.origin.locator.path);
    }
    let mut checked = 0;
    for log in list("event_logs") {
        for record in log["records"].as_array().unwrap() {
            let key = (windows(text(&log["path"])), record["record_id"].as_u64().unwrap());
            let row = seen.get(&key).unwrap_or_else(|| panic!("{key:?}"));
            assert_eq!(row.time.unwrap().to_string(), text(&record["time"]), "{key:?}");
            assert_eq!(field(row, "event_id"), record["event_id"].to_string(), "{key:?}");
            assert_eq!(field(row, "provider"), text(&record["provider"]), "{key:?}");
            assert_eq!(field(row, "channel"), text(&record["channel"]), "{key:?}");
            assert_eq!(field(row, "user_sid"), record["user_sid"].as_str().unwrap_or_default(), "{key:?}");
            checked += 1;
        }
    }
    assert_eq!(checked, seen.len());
}

#[test]
fn every_run_of_every_prefetch_file() {
    let rows = events("windows:prefetch:execution");
    for file in list("prefetch") {
        let name = text(&file["file"]);
        let mine: Vec<_> = rows.iter().filter(|e| e.origin.locator.path.ends_with(name)).collect();
        let runs: BTreeSet<String> = mine.iter().map(|e| e.time.unwrap().to_string()).collect();
        let want: BTreeSet<String> = file["runs"].as_array().unwrap().iter().map(|r| text(r).to_owned()).collect();
        assert_eq!(runs, want, "{name}");
        assert_eq!(mine.len(), file["runs"].as_array().unwrap().len(), "{name}");
        let newest = mine.iter().max_by_key(|e| e.time).unwrap();
        assert_eq!(field(newest, "run_count"), file["run_count"].to_string(), "{name}");
        assert_eq!(field(newest, "path_hash"), text(&file["hash"]), "{name}");
        assert_eq!(field(newest, "executable"), text(&file["executable"]), "{name}");
        for loaded in file["files"].as_array().unwrap() {
            assert!(field(newest, "files").contains(text(loaded)), "{name} {loaded}");
        }
    }
}

#[test]
fn every_link() {
    let rows = events("windows:lnk:link");
    for link in list("links") {
        let path = windows(text(&link["path"]));
        let mine: Vec<_> = rows.iter().filter(|e| e.origin.locator.path == path).collect();
        let times: BTreeSet<String> = mine.iter().filter_map(|e| e.time).map(|t| t.to_string()).collect();
        for time in ["target_created", "target_modified", "target_accessed"] {
            if let Some(time) = link[time].as_str() {
                assert!(times.contains(time), "{path} {time}: {times:?}");
            }
        }
        let row = mine.first().unwrap_or_else(|| panic!("{path}"));
        let target = field(row, "target_path");
        assert!(target.eq_ignore_ascii_case(text(&link["target"])), "{path}: {target}");
        assert_eq!(field(row, "arguments"), link["arguments"].as_str().unwrap_or_default(), "{path}");
    }
}

#[test]
fn autostarts_and_services() {
    let rows: Vec<&Event> = [events("windows:run_keys:program"), events("windows:services:service")].concat();
    let mut checked = 0;
    for value in list("registry").iter().filter(|v| v["deleted"] != true && v["data"].is_string()) {
        let (key, name) = (text(&value["key"]), text(&value["value"]));
        let last = key.rsplit('\\').next().unwrap();
        let (wanted, shown) = match name {
            "ImagePath" if key.contains("\\Services\\") => ("image_path", last),
            _ if key.ends_with("CurrentVersion\\Run") || key.ends_with("CurrentVersion\\RunOnce") => ("data", name),
            _ => continue,
        };
        let hit = rows.iter().find(|e| {
            e.origin.locator.path == windows(text(&value["hive"]))
                && field(e, "key_path").to_lowercase().ends_with(&key.to_lowercase())
                && field(e, "name") == shown
        });
        let row = hit.unwrap_or_else(|| panic!("{key} {name}"));
        assert_eq!(field(row, wanted), text(&value["data"]), "{key} {name}");
        assert_eq!(row.time.unwrap().to_string(), text(&value["last_write"]), "{key} {name}");
        checked += 1;
    }
    assert!(checked >= 15, "{checked}");
}

#[test]
fn journal_recycle_bin_and_origin_marks() {
    let rows = events("windows:usn_journal:change");
    let records = truth()["usn"]["records"].as_array().unwrap();
    assert_eq!(rows.len(), records.len());
    let by_usn: BTreeMap<String, &&Event> = rows.iter().map(|e| (field(e, "usn"), e)).collect();
    for record in records {
        let row = by_usn[&record["usn"].to_string()];
        assert_eq!(row.time.unwrap().to_string(), text(&record["time"]));
        assert_eq!(field(row, "name"), text(&record["name"]));
        for reason in record["reasons"].as_array().unwrap() {
            assert!(field(row, "reasons").contains(text(reason)), "{record}");
        }
    }
    for deletion in list("recycle_bin") {
        let hit = events("windows:recycle_bin:deletion").into_iter().find(|e| {
            field(e, "original_path") == text(&deletion["original"])
                && e.time.unwrap().to_string() == text(&deletion["deleted"])
        });
        let hit = hit.unwrap_or_else(|| panic!("{deletion}"));
        assert_eq!(field(hit, "bin_path"), windows(text(&deletion["content"])));
        let content = list("files").iter().find(|f| f["path"] == deletion["content"]).unwrap();
        let expected = ["live".to_owned(), content["size"].to_string(), "false".to_owned()];
        assert_eq!(["bin_state", "bin_size", "bin_directory"].map(|name| field(hit, name)), expected);
    }
    let marked = list("files")
        .iter()
        .filter(|f| f["streams"].as_array().is_some_and(|s| s.iter().any(|s| s["name"] == "Zone.Identifier")));
    let marks = events("windows:zone_identifier:mark");
    for file in marked {
        let path = windows(text(&file["path"]));
        assert!(marks.iter().any(|e| e.origin.locator.path == path), "{path}");
    }
}

/// What is said of a file in the Recycle Bin follows its MFT record: the record in use or not, a folder's, under another name,
/// in another folder.
#[test]
fn the_recycle_bin_follows_the_record_of_the_content() {
    const FLAGS: usize = 22;
    const IN_USE: u8 = 1;
    const DIRECTORY: u8 = 2;
    let source = Source::open(&[case()]).unwrap();
    let mut raw = vec![0; usize::try_from(source.len()).unwrap()];
    emotrace_core::bytes::read_exact_at(&source, 0, &mut raw).unwrap();
    let name: Vec<u8> = "$R7Q2MXK.xls".encode_utf16().flat_map(u16::to_le_bytes).collect();
    // The folder's record holds the name in its index too.
    let is_file = |record: &[u8]| record.starts_with(b"FILE") && record[FLAGS] == IN_USE;
    let records = raw.chunks_exact(1024).enumerate().filter(|(_, record)| is_file(record));
    let bears =
        records.filter_map(|(n, record)| Some((n * 1024, record.windows(name.len()).position(|at| at == name)?)));
    let [(record, name)] = bears.collect::<Vec<_>>()[..] else { panic!("one file bears the name") };
    let dir = tempfile::tempdir().unwrap();
    let told = |change: &dyn Fn(&mut [u8])| {
        let mut raw = raw.clone();
        change(&mut raw[record..record + 1024]);
        let image = dir.path().join("changed.dd");
        fs::write(&image, raw).unwrap();
        let mut found = Collect::default();
        let selection = Selection { artifacts: vec!["recycle_bin".to_owned()], ..Selection::default() };
        let options = Options { selection, ..Options::default() };
        stream(&Evidence::open(&[image]).unwrap(), &options, &NoProgress, &mut found).unwrap();
        let [event] = &found.events[..] else { panic!("{} events", found.events.len()) };
        ["bin_state", "bin_size", "bin_directory", "bin_recoverable"].map(|name| field(event, name))
    };
    assert_eq!(told(&|_| ()), ["live", "33128", "false", ""]);
    // The bits in the volume's $Bitmap still say that its clusters are in use.
    assert_eq!(told(&|record| record[FLAGS] &= !IN_USE), ["deleted", "33128", "false", "reused"]);
    assert_eq!(told(&|record| record[FLAGS] |= DIRECTORY), ["live", "33128", "true", ""]);
    assert_eq!(told(&|record| record[name] = b'X'), ["absent", "", "", ""]);
    // The parent's record number stands 66 bytes before the name.
    assert_eq!(told(&|record| record[name - 66] ^= 1), ["absent", "", "", ""]);
}

fn timeline(paths: &[PathBuf], threads: usize, format: Format) -> Vec<u8> {
    let evidence = Evidence::open(paths).unwrap();
    let options = Options { threads: Some(threads), ..Options::default() };
    let extraction: Extraction = extract(&evidence, &options, &NoProgress).unwrap();
    let mut rows = Vec::new();
    let context = Context { hosts: extraction.hosts.clone(), ..Context::default() };
    write_timeline(&extraction, format, context, &options, &NoProgress, &mut rows).unwrap();
    rows
}

/// The same disk gives the same bytes: from E01, raw and split raw, on one, two and eight threads, in every format.
#[test]
fn the_output_does_not_depend_on_container_or_threads() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::open(&[case()]).unwrap();
    let mut raw = vec![0; usize::try_from(source.len()).unwrap()];
    emotrace_core::bytes::read_exact_at(&source, 0, &mut raw).unwrap();
    let whole = dir.path().join("other-name.dd");
    fs::write(&whole, &raw).unwrap();
    let parts: Vec<PathBuf> = (1..)
        .zip(raw.chunks(20 << 20))
        .map(|(n, part)| {
            let path = dir.path().join(format!("split.{n:03}"));
            fs::write(&path, part).unwrap();
            path
        })
        .collect();
    for (format, name) in Format::ALL {
        let one = timeline(&[case()], 1, *format);
        assert!(one.len() > 10_000, "{name}");
        for threads in [2, 8] {
            assert!(one == timeline(&[case()], threads, *format), "{name} on {threads} threads");
        }
        assert!(one == timeline(std::slice::from_ref(&whole), 2, *format), "{name} from raw");
    }
    let mut shuffled = parts.clone();
    shuffled.reverse();
    let one = timeline(&[case()], 1, Format::Jsonl);
    assert!(one == timeline(&shuffled, 2, Format::Jsonl), "from split raw in any order");
    assert!(one == timeline(&parts[..1], 2, Format::Jsonl), "from the first part alone, which finds the others");
}

/// A file cut behind its middle: what can be read is read, the rest is named.
#[test]
fn a_cut_image_gives_what_it_has_and_names_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let cut = dir.path().join("cut.E01");
    let bytes = fs::read(case()).unwrap();
    fs::write(&cut, &bytes[..bytes.len() * 3 / 5]).unwrap();
    let evidence = Evidence::open(&[cut]).unwrap();
    let mut found = Collect::default();
    stream(&evidence, &Options::default(), &NoProgress, &mut found).unwrap();
    assert!(!found.events.is_empty());
    let gaps = evidence.source.as_ref().unwrap().gaps();
    assert!(!gaps.is_empty());
    assert!(found.issues.iter().any(|i| i.artifact == "image"), "{:?}", found.issues.first());
}

/// What is no evidence is refused in words.
#[test]
fn wrong_input_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content, word) in [
        ("empty.dd", &b""[..], "empty"),
        ("notes.txt", b"just some text, no disk", "no NTFS volume"),
        ("gone", b"", ""),
    ] {
        let path = dir.path().join(name);
        if name != "gone" {
            fs::write(&path, content).unwrap();
        }
        let error = Evidence::open(&[path]).err().unwrap_or_else(|| panic!("{name} is no evidence")).to_string();
        assert!(error.contains(word) && error.contains(name), "{error}");
    }
}

/// `$MFT`, the journal, `$Secure` and a few files, copied out as triage tools do, tell of the volume what the volume itself tells.
#[test]
fn a_collection_tells_what_its_volume_tells() {
    let folder = tempfile::tempdir().unwrap();
    let own = [r"\$MFT", r"\$Extend\$UsnJrnl:$J", r"\$LogFile", r"\$Boot", r"\$Secure:$SDS", r"\$Bitmap"];
    let others = [r"\Windows\System32\config\*", r"\Windows\Prefetch\*"];
    let wanted = Wanted { patterns: own.iter().chain(&others).map(|p| (*p).to_owned()).collect(), deleted: false };
    let (options, evidence) = (Options::default(), Evidence::open(&[case()]).unwrap());
    preserve(&evidence, &wanted, folder.path(), &options, &NoProgress).unwrap();
    let rows = |path: PathBuf| -> Vec<String> {
        let mut options = Options::default();
        options.selection.artifacts = ["file_times", "usn_journal", "prefetch"].map(str::to_owned).to_vec();
        let mut found = Collect::default();
        stream(&Evidence::open(&[path]).unwrap(), &options, &NoProgress, &mut found).unwrap();
        assert_eq!(
            found.issues.iter().filter(|issue| issue.loss != Loss::None).collect::<Vec<_>>(),
            Vec::<&ParseIssue>::new()
        );
        let row = |event: &Event| {
            let (time, place) = (event.time, &event.origin.locator);
            let (name, values) = (event.descriptor.name, &event.values);
            format!(
                "{time:?} {:?} {name} {values:?} {:?} {} {:?}",
                event.meaning, event.state, place.path, place.record
            )
        };
        // The owner of the root stands in clusters.
        let root = |event: &&Event| event.origin.locator.record.is_some_and(|record| record.record == 5);
        let mut rows: Vec<String> = found.events.iter().filter(|event| !root(event)).map(row).collect();
        rows.sort();
        rows
    };
    let (volume, collection) = (rows(case()), rows(folder.path().to_owned()));
    assert!(volume.len() > 1000);
    for (there, here) in volume.iter().zip(&collection) {
        assert_eq!(here, there);
    }
    assert_eq!(collection.len(), volume.len());
}
