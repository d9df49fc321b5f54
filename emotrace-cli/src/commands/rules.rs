//! `emotrace rules`: what is looked for, whether it is sound, and one rule in full.

use std::collections::BTreeSet;
use std::fmt::Write;

use emotrace_core::artifacts;
use emotrace_core::detect::{Detector, RuleSet};
use emotrace_core::export::escape::visible;
use emotrace_core::model::RuleInfo;
use serde_json::json;

use super::{judgement, print};
use crate::args::{RuleSources, Rules};
use crate::exit::{Exit, Failure};

pub(crate) fn run(arguments: &Rules) -> Result<Exit, Failure> {
    match arguments {
        Rules::List(sources) => list(sources),
        Rules::Check(sources) => check(sources),
        Rules::Explain { name, sources } => explain(name, sources),
        Rules::Test(sources) => test(sources),
    }
}

fn name(info: &RuleInfo) -> &str {
    info.name.as_deref().unwrap_or(if info.id.is_empty() { &info.file } else { &info.id })
}

/// The rules by name; a rule that is spread over several conditions counts once.
fn each(rules: &RuleSet) -> Vec<&RuleInfo> {
    let mut seen = BTreeSet::new();
    rules.infos().filter(|i| seen.insert((name(i).to_owned(), i.file.clone()))).collect()
}

fn list(sources: &RuleSources) -> Result<Exit, Failure> {
    let rules = judgement::rules(&sources.rules)?;
    let mut text = String::new();
    let all = each(&rules);
    for info in &all {
        if sources.json {
            let (waits_for, detector) = rules.waits_for(info);
            let mut row = json!(info);
            row["waits_for"] = json!(waits_for);
            row["code"] = json!(detector);
            let _ = writeln!(text, "{row}");
        } else {
            let stage = info.stage.map_or("", |s| s.name());
            let level = format!("{:?}", info.level).to_lowercase();
            let title = visible(&info.title);
            let _ = writeln!(text, "{:12} {level:13} {stage:13} {:11} {title}", name(info), info.status);
        }
    }
    print(&text)?;
    let of = |status: &str| all.iter().filter(|i| i.status == status).count();
    let waits: BTreeSet<&str> = all.iter().flat_map(|i| rules.waits_for(i).0).map(String::as_str).collect();
    eprintln!(
        "{} rules: {} by pattern, {} by code, {} wait for what is not read yet ({})",
        all.len(),
        all.len() - of("builtin") - of("unsupported"),
        of("builtin"),
        of("unsupported"),
        waits.into_iter().collect::<Vec<_>>().join(", ")
    );
    Ok(Exit::Done)
}

fn check(sources: &RuleSources) -> Result<Exit, Failure> {
    let rules = judgement::rules(&sources.rules)?;
    let detector = Detector::new(&rules, &artifacts::schema())
        .map_err(|errors| Failure::Message(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let mut text = String::new();
    for not in detector.not_evaluated() {
        let _ = writeln!(text, "{}: cannot be evaluated because {}", visible(name(&not.rule)), visible(&not.why));
    }
    print(&text)?;
    let (all, bad) = (each(&rules).len(), rules.rejected().len());
    eprintln!(
        "{all} rules read, {bad} files rejected, {} rules cannot be evaluated here",
        detector.not_evaluated().len()
    );
    if bad > 0 { Err(Failure::Message(format!("{bad} rule files are malformed"))) } else { Ok(Exit::Done) }
}

fn test(sources: &RuleSources) -> Result<Exit, Failure> {
    let rules = judgement::rules(&sources.rules)?;
    let report = rules.test(&artifacts::schema());
    for failure in &report.failures {
        eprintln!("{}", visible(&failure.to_string()));
    }
    eprintln!("{} examples, {} fail, {} rules without one", report.run, report.failures.len(), report.without.len());
    match report.failures.len() {
        0 => Ok(Exit::Done),
        n => Err(Failure::Message(format!("{n} examples do not come out as they say"))),
    }
}

fn explain(wanted: &str, sources: &RuleSources) -> Result<Exit, Failure> {
    let rules = judgement::rules(&sources.rules)?;
    let lower = wanted.to_lowercase();
    let all = each(&rules);
    let exact: Vec<_> =
        all.iter().filter(|i| name(i).eq_ignore_ascii_case(wanted) || i.id.eq_ignore_ascii_case(wanted)).collect();
    let found =
        if exact.is_empty() { all.iter().filter(|i| i.title.to_lowercase().contains(&lower)).collect() } else { exact };
    if found.is_empty() {
        return Err(Failure::Message(format!("there is no rule {wanted:?}; `emotrace rules list` shows them")));
    }
    print(&found.iter().map(|i| full(i, &rules)).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Done)
}

fn full(info: &RuleInfo, rules: &RuleSet) -> String {
    let mut text = format!("{}  {}\n", name(info), info.title);
    if let Some(title) = &info.title_ja {
        let _ = writeln!(text, "{title}");
    }
    let _ = writeln!(text, "\n{}\n", info.description);
    let mut line = |what: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "{what:16} {value}");
        }
    };
    line("identifier", info.id.clone());
    line("status", info.status.clone());
    line("level", format!("{:?}", info.level).to_lowercase());
    line("stage", info.stage.map_or(String::new(), |s| s.name().to_owned()));
    line("points", info.weight.to_string());
    line("class", info.class.map_or(String::new(), |c| format!("{c:?}")));
    let day = |t: Option<emotrace_core::model::Timestamp>| t.map_or(String::new(), |t| t.to_string()[..10].to_owned());
    line(
        "period",
        info.periods.iter().map(|p| format!("{}..{}", day(p.from), day(p.until))).collect::<Vec<_>>().join(", "),
    );
    line("time means", info.time_meaning.clone().unwrap_or_default());
    line("tags", info.tags.join(", "));
    let (waits_for, code) = rules.waits_for(info);
    line("waits for", waits_for.join(", "));
    line("done by code", code.unwrap_or_default().to_owned());
    line("file", info.file.clone());
    for innocent in &info.false_positives {
        line("false positives", innocent.clone());
    }
    for reference in &info.references {
        line("reference", reference.clone());
    }
    text
}
