//! The program as its users meet it: exit codes, what goes to stdout and stderr, and what is left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest, Sha256};

fn case() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case/case.E01")
}

fn truth() -> serde_json::Value {
    serde_json::from_slice(&fs::read(case().with_file_name("case.truth.json")).unwrap()).unwrap()
}

fn emotrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emotrace")).args(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn rows(output: &Output) -> Vec<serde_json::Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn analyze_writes_a_case_whose_manifest_fits() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let formats = "jsonl,csv,bodyfile,l2tcsv,timesketch";
    let run = emotrace(&["analyze", path(&case()), "-o", path(&out), "-f", formats, "--hash"]);
    assert!(run.status.success(), "{}", stderr(&run));
    assert!(run.stdout.is_empty());
    assert!(names(&out).iter().all(|n| !n.ends_with(".partial")), "{:?}", names(&out));
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let outputs = manifest["outputs"].as_array().unwrap();
    assert_eq!(outputs.len() + 1, names(&out).len(), "every file but the manifest itself is listed");
    for output in outputs {
        let bytes = fs::read(out.join(output["file"].as_str().unwrap())).unwrap();
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(output["sha256"], hash, "{output}");
    }
    assert_eq!(manifest["evidence"]["hashes"]["computed"]["sha256"], truth()["raw"]["sha256"]);
}

#[test]
fn stdout_is_data_and_stderr_is_talk() {
    let run = emotrace(&["timeline", path(&case()), "-a", "prefetch", "--progress", "ndjson"]);
    assert!(run.status.success(), "{}", stderr(&run));
    let rows = rows(&run);
    assert!(rows.len() > 20 && rows.iter().all(|row| row["artifact"] == "prefetch"));
    assert!(stderr(&run).lines().any(|l| l.starts_with("{\"phase\"")), "{}", stderr(&run));
}

#[test]
fn rows_are_chosen_by_time_and_path() {
    let place = r"C:\Users\tanaka.yuki\**";
    let run = emotrace(&["timeline", path(&case()), "--from", "2022-11-02", "--to", "2022-11-03", "--path", place]);
    let rows = rows(&run);
    assert!(rows.len() > 10);
    for row in rows {
        assert!(row["time"].as_str().unwrap().starts_with("2022-11-02T"), "{row}");
        // The evidence lies there, or the file that it is about.
        let places = [&row["values"]["path"], &row["origin"]["path"]];
        let fits = |place: &&serde_json::Value| place.as_str().is_some_and(|p| p.starts_with(r"C:\Users\tanaka.yuki"));
        assert!(places.iter().any(fits), "{row}");
    }
}

#[test]
fn csv_is_safe_for_a_spreadsheet() {
    let run = emotrace(&["timeline", path(&case()), "-f", "csv", "--tz", "Asia/Tokyo", "-a", "file_times"]);
    let text = stdout(&run);
    assert!(text.starts_with('\u{feff}'), "Excel needs the mark to read Japanese");
    assert!(text.contains("+09:00") && text.contains("請求書_20221102.xls"));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    // A file of the case is named `=cmd|…`: its name alone never begins a cell.
    assert!(!text.contains(",=") && !text.contains(",\"="), "a formula would run");
}

#[test]
fn verify_says_what_it_found() {
    let good = emotrace(&["verify", path(&case())]);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    assert!(stdout(&good).contains("matches every stored hash"), "{}", stdout(&good));
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("some.dd");
    fs::write(&raw, vec![7; 1 << 20]).unwrap();
    assert_eq!(emotrace(&["verify", path(&raw)]).status.code(), Some(5), "a raw image stores no hash");
    let cut = dir.path().join("cut.E01");
    let bytes = fs::read(case()).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let run = emotrace(&["verify", path(&cut)]);
    assert_eq!(run.status.code(), Some(3), "{}", stdout(&run));
    assert!(stdout(&run).contains("INCOMPLETE"));
}

#[test]
fn what_is_no_evidence_is_an_error_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    fs::write(&text, "nothing to see").unwrap();
    let empty = dir.path().join("empty.E01");
    fs::write(&empty, "").unwrap();
    for file in [&text, &empty, &dir.path().join("missing.E01")] {
        let run = emotrace(&["timeline", path(file)]);
        assert_eq!(run.status.code(), Some(1), "{}", file.display());
        assert!(run.stdout.is_empty());
        let said = stderr(&run);
        assert!(said.contains(path(file)) && !said.contains("panicked"), "{said}");
    }
    assert_eq!(emotrace(&["timeline"]).status.code(), Some(2));
    assert_eq!(emotrace(&["timeline", path(&case()), "--artifact", "nonsense"]).status.code(), Some(2));
}

/// A jump list is a compound file, whose begin does not tell what it holds. What bears the name of an artifact and is none is
/// said to be none.
#[test]
fn a_single_artifact_is_known_by_its_name_where_its_begin_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let list = case().with_file_name("../artifacts/jump_lists/version4.automaticDestinations-ms");
    let found = rows(&emotrace(&["timeline", path(&list)]));
    assert!(found.iter().any(|row| row["values"]["path"] == r"C:\Windows\System32\cmd.exe"));
    for (name, content) in [("empty.evtx", &b""[..]), ("text.lnk", b"hello"), ("zeros.pf", &[0; 5000])] {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        let output = emotrace(&["timeline", path(&file)]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(3), ""), "{name}");
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
}

#[test]
fn nothing_is_written_into_the_evidence() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("C/Windows/System32")).unwrap();
    let inside = dir.path().join("C/out");
    let run = emotrace(&["analyze", path(dir.path()), "-o", path(&inside)]);
    assert_eq!(run.status.code(), Some(1));
    assert!(stderr(&run).contains("lies in the evidence"), "{}", stderr(&run));
    assert!(!inside.exists());
    let before = fs::read(case()).unwrap();
    assert_eq!(emotrace(&["timeline", path(&case()), "-o", path(&case())]).status.code(), Some(1));
    assert_eq!(fs::read(case()).unwrap(), before);
}

#[test]
fn a_folder_in_use_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.txt"), "x").unwrap();
    let run = emotrace(&["analyze", path(&case()), "-o", path(dir.path())]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(names(dir.path()), ["mine.txt"]);
}

/// Copies are byte for byte, names can't lead out, and the folder can be read as evidence again.
#[test]
fn extract_keeps_bytes_and_stays_in_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("files");
    let run = emotrace(&["extract", path(&case()), "-o", path(&out), "--path", r"**", "--path", "**:Zone.Identifier"]);
    assert!(run.status.success(), "{}", stderr(&run));
    assert_eq!(names(dir.path()), ["files"]);
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let copies = manifest["files"].as_array().unwrap();
    for file in truth()["files"].as_array().unwrap() {
        let record = format!("{}-{}", file["record"], file["sequence"]);
        let hit = copies.iter().find(|c| c["record"] == record.as_str() && c["stream"].is_null());
        let copy = hit.unwrap_or_else(|| panic!("{file}"));
        assert_eq!(copy["sha256"], file["sha256"], "{file}");
        let place = out.join(copy["copy"].as_str().unwrap());
        assert_eq!(fs::metadata(&place).unwrap().len(), file["size"].as_u64().unwrap(), "{}", place.display());
    }
    let again = emotrace(&["timeline", path(&out), "-a", "prefetch"]);
    assert_eq!(rows(&again).len(), rows(&emotrace(&["timeline", path(&case()), "-a", "prefetch"])).len());
}

#[test]
fn ls_shows_files_streams_and_records() {
    let listed = stdout(&emotrace(&["ls", path(&case()), r"C:/Users/tanaka.yuki/Downloads"]));
    assert!(listed.contains("請求書_20221102.xls:Zone.Identifier"), "{listed}");
    let deleted = stdout(&emotrace(&["ls", path(&case()), "--deleted"]));
    assert!(deleted.lines().count() >= 15 && deleted.contains("oxnv4.ooccxx"), "{deleted}");
    let record = stdout(&emotrace(&["ls", path(&case()), "p1/#0-1"]));
    assert!(record.contains("$MFT"), "{record}");
    assert_eq!(emotrace(&["ls", path(&case()), "/no/such/place"]).status.code(), Some(1));
}

#[test]
fn explain_and_completions() {
    let list = stdout(&emotrace(&["explain"]));
    for artifact in emotrace_core::artifacts::ARTIFACTS {
        assert!(list.contains(artifact.name));
        assert!(emotrace(&["explain", artifact.name]).status.success());
    }
    assert_eq!(emotrace(&["explain", "nonsense"]).status.code(), Some(1));
    assert!(stdout(&emotrace(&["completions", "bash"])).contains("emotrace"));
}

/// A reader that goes away ends the program quietly.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_crash() {
    let command = format!("{} timeline {} | head -1", env!("CARGO_BIN_EXE_emotrace"), path(&case()));
    let run = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert_eq!(stdout(&run).lines().count(), 1);
    assert!(!stderr(&run).contains("panicked"), "{}", stderr(&run));
}

/// Each file is one row with its four times, as `fls -m` gives it.
#[test]
fn the_body_file_holds_every_file_once() {
    let text = stdout(&emotrace(&["timeline", path(&case()), "-f", "bodyfile", "-a", "file_times"]));
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 11));
    let seconds = |text: &serde_json::Value| {
        let time = emotrace_core::model::Timestamp::parse(text.as_str().unwrap()).unwrap();
        time.unix_seconds().to_string()
    };
    let (truth, mut checked) = (truth(), 0);
    for file in truth["files"].as_array().unwrap() {
        let name = format!("C:\\{}", file["path"].as_str().unwrap().replace('/', "\\"));
        // JSON can't hold the name with the lone surrogate; a file with several links stands at its first one.
        let linked = [&truth["hard_links"]["record"], &truth["attribute_list"]["record"]];
        if file["record"] == truth["surrogate"]["record"] || linked.contains(&&file["record"]) {
            continue;
        }
        // Names that a line of text can't hold as they are have a test of their own.
        if !name.chars().all(|c| c.is_alphanumeric() || "\\/:._-() ".contains(c)) {
            continue;
        }
        let hits: Vec<_> = rows.iter().filter(|row| row[1] == name).collect();
        assert_eq!(hits.len(), 1, "{name}");
        let times = ["accessed", "modified", "changed", "created"].map(|time| seconds(&file[time]));
        assert_eq!(hits[0][7..], times, "{name}");
        assert_eq!(hits[0][2], file["record"].to_string());
        checked += 1;
    }
    assert!(checked > 300, "{checked}");
}

/// What Timesketch's importer asks of a row; one without would be dropped or dated anew.
#[test]
fn every_timesketch_row_can_be_imported() {
    let run = emotrace(&["timeline", path(&case()), "-f", "timesketch"]);
    let rows = rows(&run);
    assert!(rows.len() > 1_000);
    for row in rows {
        assert!(
            row["message"].is_string() && row["timestamp_desc"].is_string() && row["data_type"].is_string(),
            "{row}"
        );
        let date = row["datetime"].as_str().unwrap();
        let time = emotrace_core::model::Timestamp::parse(date).unwrap();
        assert_eq!(row["timestamp"].as_i64(), Some(time.unix_micros()), "{row}");
        assert!(row.as_object().unwrap().values().all(|v| v.as_str().is_none_or(|s| s.len() <= 32_766)));
    }
}

/// The steps of an examiner who wants to see what a row rests on.
#[test]
fn hive_shows_the_bytes_behind_a_row() {
    let run = emotrace(&["timeline", path(&case()), "-a", "run_keys"]);
    let rows = rows(&run);
    let row = rows.iter().find(|row| row["values"]["key_path"].as_str().unwrap().starts_with("HKEY_USERS")).unwrap();
    let (hive, offset) = (row["origin"]["path"].as_str().unwrap(), row["origin"]["offset"].to_string());
    let shown = emotrace(&["hive", path(&case()), hive, "--at", &offset]);
    assert!(shown.status.success(), "{}", stderr(&shown));
    let text = stdout(&shown);
    assert!(text.contains(row["values"]["key_path"].as_str().unwrap()), "{text}");
    assert!(text.contains(row["values"]["data"].as_str().unwrap()), "{text}");
    let raw = emotrace(&["hive", path(&case()), hive, "--at", &offset, "--raw"]);
    let units: Vec<u8> = row["values"]["data"].as_str().unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(raw.stdout.starts_with(&units), "{:?}", raw.stdout);
    // By the row's own path, and by name.
    let (key, name) = (row["values"]["key_path"].as_str().unwrap(), row["values"]["name"].as_str().unwrap());
    let named = emotrace(&["hive", path(&case()), hive, "--key", key, "--value", name, "--raw"]);
    assert_eq!(named.stdout, raw.stdout, "{}", stderr(&named));
    assert_eq!(emotrace(&["hive", path(&case()), hive, "--at", "0x7"]).status.code(), Some(1));
}

/// The administrator's hive is dirty: the truth file says what only its log has.
#[test]
fn hive_lists_what_the_logs_changed() {
    let changes = emotrace(&["hive", path(&case()), "C:/Users/admin/NTUSER.DAT", "--changes"]);
    assert!(changes.status.success(), "{}", stderr(&changes));
    let text = stdout(&changes);
    assert!(text.contains("RunMRU") && text.contains("UserAssist"), "{text}");
    assert!(text.lines().last().unwrap().ends_with("changed"), "{text}");
    let summary = emotrace(&["timeline", path(&case()), "-a", "run_mru"]);
    assert!(stderr(&summary).contains("registry hives not written to their end"), "{}", stderr(&summary));
}
