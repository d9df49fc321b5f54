//! Walks `testdata/artifacts/<artifact>/`: a new case is new files, never new test code.
//!
//! Each case is a file (`name.ext`), where it comes from with values that other tools give for it (`name.origin.toml`),
//! and the rows that we give (`name.snap`). The file is laid at its Windows path in a folder and read as evidence, so the
//! path patterns are tested too. `EMOTRACE_UPDATE_SNAPSHOTS=1` writes the snapshots anew; the witnesses are the proof.

use std::fs;
use std::path::{Path, PathBuf};

use emotrace_core::artifacts::{ARTIFACTS, Artifact, Reads};
use emotrace_core::export::{Context, Format};
use emotrace_core::model::{Collect, Event};
use emotrace_core::pipeline::{Evidence, NoProgress, Options, Selection, extract, stream, write_timeline};
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;

/// Where a fixture comes from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginFile {
    made_by: String,
    licence: String,
    path: String,
    /// Files that lie beside it: Windows path to file name in the fixture's folder.
    #[serde(default)]
    beside: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    witness: Vec<Witness>,
}

/// A value that another tool gives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Witness {
    tool: String,
    event: String,
    /// A declared field, `time`, `meaning`, or `field.key` for one entry of a map.
    field: String,
    value: String,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/artifacts")
}

/// The origin files of an artifact's fixtures.
fn cases(artifact: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(testdata().join(artifact)) else { return Vec::new() };
    let mut cases: Vec<PathBuf> =
        entries.map(|e| e.unwrap().path()).filter(|p| p.to_string_lossy().ends_with(".origin.toml")).collect();
    cases.sort();
    cases
}

/// The fixture that an origin file belongs to.
fn fixture_of(origin: &Path) -> Result<PathBuf, Failed> {
    let stem = origin.to_string_lossy().trim_end_matches(".origin.toml").to_owned();
    let folder = fs::read_dir(origin.parent().unwrap())?;
    let mut files: Vec<PathBuf> = folder
        .map(|e| e.unwrap().path())
        .filter(|p| p.with_extension("").to_string_lossy() == stem || p.to_string_lossy() == stem)
        .filter(|p| !p.to_string_lossy().ends_with(".snap") && !p.to_string_lossy().ends_with(".toml"))
        .collect();
    files.sort();
    files.into_iter().next().ok_or_else(|| format!("{stem}: no fixture beside its origin file").into())
}

/// Lays a file at its Windows path.
fn lay(root: &Path, windows_path: &str, from: &Path) -> Result<(), Failed> {
    let place = windows_path.replace(':', "").replace('\\', "/");
    // A stream keeps its colon: `C:\a\b.doc:Zone.Identifier`.
    let place = match windows_path.get(2..).and_then(|rest| rest.split_once(':')) {
        Some((file, stream)) => format!("C{}:{stream}", file.replace('\\', "/")),
        None => place,
    };
    let target = root.join(place);
    fs::create_dir_all(target.parent().unwrap())?;
    fs::copy(from, target)?;
    Ok(())
}

fn value_of(event: &Event, field: &str) -> Option<String> {
    match field {
        "time" => event.time.map(|t| t.to_string()),
        "meaning" => Some(event.meaning.to_string()),
        field => event.values.get(field).map(ToString::to_string).or_else(|| {
            let (field, key) = field.split_once('.')?;
            event.values.get(field)?.get(key).map(ToString::to_string)
        }),
    }
}

fn check_case(artifact: &'static str, origin_path: &Path) -> Result<(), Failed> {
    let origin: OriginFile = toml::from_str(&fs::read_to_string(origin_path)?)?;
    if origin.made_by.is_empty() || origin.licence.is_empty() {
        return Err("an origin says how the fixture was made and under which licence".into());
    }
    if origin.witness.is_empty() {
        return Err("a fixture needs values from another tool: a snapshot records what is, not what is right".into());
    }
    let fixture = fixture_of(origin_path)?;
    let temporary = tempfile::tempdir()?;
    // The folder's name is the evidence's label, which the rows bear.
    let root = temporary.path().join("fixture");
    lay(&root, &origin.path, &fixture)?;
    for (path, file) in &origin.beside {
        lay(&root, path, &origin_path.with_file_name(file))?;
    }
    let evidence = Evidence::open(&[root])?;
    let selection = Selection { artifacts: vec![artifact.to_owned()], ..Selection::default() };
    let options = Options { selection, threads: Some(1), ..Options::default() };
    let mut found = Collect::default();
    stream(&evidence, &options, &NoProgress, &mut found)?;
    for witness in &origin.witness {
        let values: Vec<String> = found
            .events
            .iter()
            .filter(|e| e.descriptor.name == witness.event)
            .filter_map(|e| value_of(e, &witness.field))
            .collect();
        if !values.contains(&witness.value) {
            let Witness { tool, event, field, value } = witness;
            return Err(format!("{tool} gives {event} {field} = {value:?}; the rows have {values:?}").into());
        }
    }
    check_snapshot(origin_path, &evidence, &options)
}

fn check_snapshot(origin_path: &Path, evidence: &Evidence, options: &Options) -> Result<(), Failed> {
    let extraction = extract(evidence, options, &NoProgress)?;
    let mut rows = Vec::new();
    write_timeline(&extraction, Format::Jsonl, Context::default(), options, &NoProgress, &mut rows)?;
    for issue in extraction.issues() {
        rows.extend(format!("issue {:?} {} {}\n", issue.offset, issue.loss.name(), issue.error).into_bytes());
    }
    let rows = String::from_utf8(rows)?;
    let place = PathBuf::from(origin_path.to_string_lossy().replace(".origin.toml", ".snap"));
    if std::env::var_os("EMOTRACE_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&place, &rows)?;
        return Ok(());
    }
    let kept = fs::read_to_string(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    match kept.lines().zip(rows.lines()).find(|(a, b)| a != b) {
        Some((kept, now)) => Err(format!("{}:\nkept {kept}\nnow  {now}", place.display()).into()),
        None if kept.lines().count() != rows.lines().count() => {
            let (kept, now) = (kept.lines().count(), rows.lines().count());
            Err(format!("{}: {kept} lines kept, {now} now", place.display()).into())
        }
        None => Ok(()),
    }
}

/// What every artifact owes its users.
fn check_artifact(artifact: &'static Artifact) -> Result<(), Failed> {
    let name = artifact.name;
    let must = |holds: bool, what: &str| if holds { Ok(()) } else { Err(Failed::from(format!("{name}: {what}"))) };
    must(
        artifact.doc.split("\n\n").count() >= 4,
        "its doc tells what it is, what it proves, what not, how long it lives",
    )?;
    must(!artifact.references.is_empty(), "it names its sources")?;
    must(!artifact.emits.is_empty(), "it emits something")?;
    for descriptor in artifact.emits {
        must(descriptor.name.starts_with("windows:"), "event names begin with windows:")?;
        must(descriptor.name.split(':').count() == 3, "event names have three parts")?;
        must(
            !descriptor.doc.is_empty() && descriptor.fields.iter().all(|f| !f.doc.is_empty()),
            "every field has a doc",
        )?;
        for part in descriptor.message.split('{').skip(1) {
            let field = part.split('}').next().unwrap_or_default();
            must(descriptor.field(field).is_some(), &format!("the message names an undeclared field {field:?}"))?;
        }
        let mut names: Vec<&str> = descriptor.fields.iter().map(|f| f.name).collect();
        names.sort_unstable();
        must(names.windows(2).all(|w| w[0] != w[1]), "no field is declared twice")?;
    }
    // What needs a whole file system is tested on the case image.
    let needs_image = matches!(artifact.reads, Reads::Entries { .. } | Reads::Volume { .. });
    must(needs_image || !cases(name).is_empty(), "it has a fixture under testdata/artifacts")
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for artifact in ARTIFACTS {
        trials.push(Trial::test(format!("{} is documented and has a fixture", artifact.name), || {
            check_artifact(artifact)
        }));
        for case in cases(artifact.name) {
            let stem = case.file_name().unwrap().to_string_lossy().replace(".origin.toml", "");
            trials.push(Trial::test(format!("{}/{stem}", artifact.name), move || check_case(artifact.name, &case)));
        }
    }
    trials.push(Trial::test("every folder of fixtures belongs to an artifact", || {
        for folder in fs::read_dir(testdata())? {
            let name = folder?.file_name().to_string_lossy().into_owned();
            if !ARTIFACTS.iter().any(|a| a.name == name) {
                return Err(format!("testdata/artifacts/{name} belongs to no artifact").into());
            }
        }
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit();
}
