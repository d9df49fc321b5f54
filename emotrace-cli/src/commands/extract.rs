//! `emotrace extract`: files out of the evidence, byte for byte.

use emotrace_core::export::OutputFile;
use emotrace_core::pipeline::{Address, Evidence, Vss, Wanted, preserve};
use serde_json::json;

use super::{check_output, check_segments, new_folder, options};
use crate::args::Extract;
use crate::commands::info::given;
use crate::exit::{Exit, Failure};
use crate::progress::display;

/// The shadow copies that are asked for, by the option or by a place in one of them.
fn snapshots(evidence: &Evidence, arguments: &Extract) -> Result<Vss, Failure> {
    let labels: Vec<&str> = evidence.volumes.iter().filter_map(|v| v.label.as_deref()).collect();
    let mut numbers = match &arguments.vss {
        Vss::All => return Ok(Vss::All),
        Vss::None => Vec::new(),
        Vss::Only(numbers) => numbers.clone(),
    };
    for place in &arguments.paths {
        let address = Address::parse(place, &labels).map_err(|error| Failure::Message(format!("{place}: {error}")))?;
        numbers.extend(address.snapshot);
    }
    Ok(if numbers.is_empty() { Vss::None } else { Vss::Only(numbers) })
}

pub(crate) fn run(arguments: &Extract) -> Result<Exit, Failure> {
    let folder = &arguments.output;
    check_output(folder, &arguments.evidence.paths)?;
    let options = options(&arguments.running, None);
    let mut evidence = Evidence::open(&arguments.evidence.paths)?;
    evidence.mount_snapshots(&snapshots(&evidence, arguments)?)?;
    check_segments(folder, &evidence)?;
    new_folder(folder)?;
    let wanted = Wanted { patterns: arguments.paths.clone(), deleted: arguments.deleted };
    let progress = display(arguments.running.progress);
    let copied = preserve(&evidence, &wanted, folder, &options, &*progress).map_err(|e| Failure::from(e).at(folder))?;
    drop(progress);
    let manifest = json!({
        "tool": "emotrace",
        "version": env!("CARGO_PKG_VERSION"),
        "evidence": evidence.label,
        "given": given(&evidence),
        "files": copied,
    });
    let failed = |error| Failure::Output(folder.join("manifest.json").display().to_string(), error);
    let mut file = OutputFile::create(&folder.join("manifest.json")).map_err(failed)?;
    emotrace_core::export::json::pretty(&manifest, &mut file).map_err(failed)?;
    file.finish().map_err(failed)?;
    let bad: Vec<_> = copied.iter().filter(|c| c.error.is_some()).collect();
    eprintln!("{} copied, {} could not be read; manifest.json lists them all", copied.len() - bad.len(), bad.len());
    Ok(if bad.is_empty() { Exit::Done } else { Exit::Incomplete })
}
