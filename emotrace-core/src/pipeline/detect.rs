//! From the timeline to an assessment: one pass for rules and EmoCheck's facts, a second one for what those made worth
//! looking for (names, the true times of files, the facts beside findings).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use md5::Md5;
use sha2::{Digest, Sha256};

use super::evidence::Evidence as Opened;
use super::extract::{Extraction, RunError};
use super::progress::Progress;
use super::run::Options;
use crate::artifacts;
use crate::detect::emocheck::{self, Scanner};
use crate::detect::{Detector, RuleError, RuleSet, exposure, indicators, judge, story};
use crate::model::{
    Assessment, Event, Evidence, Finding, Host, Indicator, Meaning, RuleCounts, RuleInfo, Shows, Timestamp, Value,
    Verdict,
};

/// Most findings of one rule that are kept; what comes later is counted.
const MAX_OF_A_RULE: usize = 500;
/// Most findings of a run.
const MAX_FINDINGS: usize = 50_000;
/// How near to a finding a fact must lie to stand in the story, in ticks of 100 ns.
const BESIDE: u64 = 2 * 60 * 10_000_000;
/// Most such facts.
const MAX_BESIDE: usize = 200;
const STEP: u64 = 4096;

/// Events that say what a user or a program did, for the story.
const FACTS: &[&str] = &[
    "windows:prefetch:execution",
    "windows:zone_identifier:mark",
    "windows:recycle_bin:deletion",
    "windows:jump_list:entry",
    "windows:user_assist:program",
    "windows:registry:bam",
    "windows:office:recent_file",
    "windows:office:trust_record",
];

/// Why no assessment could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssessError {
    /// Mistakes in the project's own rules or mapping.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Rules(Vec<RuleError>),
    /// Reading the timeline back failed, or the run was cancelled.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// How to judge.
#[derive(Clone, Debug, Default)]
pub struct Judging {
    /// The system volume's serial number, where the examiner knows better than the boot sector (a cloned disk).
    pub serial: Option<u32>,
}

/// Judges what was extracted.
///
/// # Errors
/// When the rules do not fit the events, the timeline can't be read back, or the run was cancelled.
pub fn assess(
    evidence: &Opened,
    extraction: &Extraction,
    rules: &RuleSet,
    judging: &Judging,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Assessment, AssessError> {
    let mut detector = Detector::new(rules, &artifacts::schema()).map_err(AssessError::Rules)?;
    let mut scanners = scanners(evidence, &extraction.hosts, judging);
    let mut kept = Kept::default();
    let mut exposed = exposure::Counter::default();
    pass(extraction, options, progress, "detecting", |event| {
        exposed.event(event);
        scanners.iter_mut().for_each(|s| s.event(event));
        kept.extend(detector.event(event));
    })?;
    kept.extend(detector.finish());

    for scanner in &mut scanners {
        read_index_times(evidence, scanner);
    }
    let mut second = Second::new(&kept.findings);
    {
        let mut traces: Vec<_> = scanners.iter_mut().map(Scanner::traces).collect();
        pass(extraction, options, progress, "looking closer", |event| {
            traces.iter_mut().for_each(|t| t.event(event));
            second.event(event);
        })?;
    }
    let host_of = |at: usize| extraction.hosts.get(at);
    let forged: Vec<_> = scanners.iter().flat_map(|s| emocheck::forged_times(s, rules)).collect();
    let emocheck: Vec<_> = scanners.into_iter().enumerate().map(|(at, s)| s.finish(host_of(at))).collect();
    let mut findings = second.correct(kept.findings);
    findings.extend(forged);
    let (exposure, stores) = exposed.finish(rules);
    findings.extend(stores);
    findings.extend(emocheck.iter().flat_map(|e| emocheck::findings(e, rules)));
    findings.iter_mut().for_each(|f| mark_missing(evidence, f));
    findings.iter_mut().flat_map(|f| &mut f.evidence).for_each(|e| attribute(e, &extraction.hosts));
    findings.sort_by_cached_key(order);
    let verdict = judge(&findings, &extraction.coverage, rules.policy());
    let beside = second.beside(&findings, &verdict, &extraction.hosts);
    let story = story::tell(&verdict, &findings, &beside);
    let mut indicators = indicators::indicators(&verdict, &findings, &emocheck);
    hash_files(evidence, options, &mut indicators)?;
    Ok(Assessment {
        indicators,
        exposure,
        rules: counts(rules, &detector),
        verdict,
        findings,
        left_out: kept.left_out,
        emocheck,
        story,
    })
}

/// One scanner for each installed system; without one, one for the first volume.
fn scanners(evidence: &Opened, hosts: &[Host], judging: &Judging) -> Vec<Scanner> {
    let serial = |label: Option<&str>| {
        let mounted = evidence.volumes.iter().find(|m| label.is_none() || m.label.as_deref() == label);
        let serial = mounted.and_then(|m| m.files.facts().serial).map(|s| s as u32);
        match (judging.serial, serial) {
            (Some(given), _) => (Some(given), ("given by the examiner", "調査者による指定")),
            (None, Some(serial)) => {
                (Some(serial), ("boot sector of the volume, low 32 bits", "ボリュームのブートセクタ(下位32ビット)"))
            }
            (None, None) => {
                (None, ("not known: the evidence holds no boot sector", "不明(証拠にブートセクタが含まれない)"))
            }
        }
    };
    if hosts.is_empty() {
        let label = evidence.volumes.first().and_then(|m| m.label.clone());
        let (serial, source) = serial(label.as_deref());
        return vec![Scanner::new(label, serial, source)];
    }
    let of_host = |host: &Host| {
        let (serial, source) = serial(host.volume.as_deref());
        Scanner::new(host.volume.clone(), serial, source)
    };
    hosts.iter().map(of_host).collect()
}

/// What starts a program that is gone shows no program: where no file that the entry names lies on the volume any more, the
/// finding says so and no longer counts for the host's state. A folder of copied files can't tell.
fn mark_missing(evidence: &Opened, finding: &mut Finding) {
    if finding.rule.shows != Some(Shows::Autorun) {
        return;
    }
    let volumes: Vec<_> = evidence.volumes.iter().filter(|m| m.label.is_some() && m.snapshot.is_none()).collect();
    let texts = finding.evidence.iter().flat_map(|e| &e.fields).map(|(_, text)| text.as_str());
    let paths: BTreeSet<&str> = texts.flat_map(indicators::own_paths).collect();
    let there = |path: &&str| {
        let Some((drive, rest)) = path.split_once(':') else { return false };
        let letter = drive.chars().next().map(|d| d.to_ascii_uppercase());
        let mut own = volumes.iter().filter(|m| m.letter == letter || m.letter.is_none());
        own.any(|m| m.files.lookup(rest).is_ok())
    };
    if volumes.is_empty() || paths.is_empty() || paths.iter().any(there) {
        return;
    }
    let gone = paths.into_iter().collect::<Vec<_>>().join(", ");
    finding.rule = Arc::new(RuleInfo { shows: None, ..(*finding.rule).clone() });
    if let Some(first) = finding.evidence.first_mut() {
        first.fields.push(("not on the volume any more".to_owned(), gone));
    }
}

/// Most folders whose indexes are read for the fifth generation.
const MAX_FOLDERS: usize = 2_000;

/// Gives the scanner what the folders' indexes say of programs and of the folders that they lie in.
fn read_index_times(evidence: &Opened, scanner: &mut Scanner) {
    let mut above = BTreeSet::new();
    let read = |scanner: &mut Scanner, folder: &str| {
        let Some((drive, path)) = folder.split_once(':') else { return };
        let letter = drive.chars().next().map(|d| d.to_ascii_uppercase());
        let live = |m: &&super::evidence::Mounted| m.snapshot.is_none() && (m.letter == letter || m.letter.is_none());
        let Some(mounted) = evidence.volumes.iter().find(live) else { return };
        let Ok(entry) = mounted.files.lookup(path) else { return };
        for (name, modified) in mounted.files.index_times(&entry) {
            scanner.index_times(&format!("{folder}\\{name}"), modified);
        }
    };
    for folder in scanner.folders_of_programs().into_iter().take(MAX_FOLDERS) {
        if let Some((parent, _)) = folder.rsplit_once('\\')
            && above.insert(folded(parent))
        {
            read(scanner, parent);
        }
        read(scanner, &folder);
    }
}

/// Files larger than this are not hashed: inflated ones of half a gigabyte still are.
const MAX_HASHED: u64 = 1 << 30;
/// Most files that are hashed.
const MAX_FILES: usize = 200;

/// Adds the hashes of files that are still there.
fn hash_files(evidence: &Opened, options: &Options, indicators: &mut [Indicator]) -> Result<(), RunError> {
    let mut buffer = vec![0; 1 << 20];
    for indicator in indicators.iter_mut().filter(|i| i.kind == "file").take(MAX_FILES) {
        let Some((drive, path)) = indicator.value.split_once(':') else { continue };
        let letter = drive.chars().next().map(|d| d.to_ascii_uppercase());
        let Some(mounted) = evidence.volumes.iter().find(|m| m.letter == letter || m.letter.is_none()) else {
            continue;
        };
        let Ok(entry) = mounted.files.lookup(path) else { continue };
        let Ok(data) = mounted.files.open(&entry, "") else { continue };
        if entry.directory || data.len() > MAX_HASHED {
            continue;
        }
        let (mut sha256, mut md5, mut at) = (Sha256::new(), Md5::new(), 0u64);
        let whole = loop {
            options.check()?;
            match data.read_at(at, &mut buffer) {
                Ok(0) => break true,
                Ok(n) => {
                    let read = buffer.get(..n).unwrap_or_default();
                    sha256.update(read);
                    md5.update(read);
                    at = at.saturating_add(n as u64);
                }
                Err(_) => break false,
            }
        };
        if whole {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            indicator.sha256 = Some(hex(&sha256.finalize()));
            indicator.md5 = Some(hex(&md5.finalize()));
            indicator.size = Some(at);
        }
    }
    Ok(())
}

fn pass(
    extraction: &Extraction,
    options: &Options,
    progress: &dyn Progress,
    name: &'static str,
    mut each: impl FnMut(&Event),
) -> Result<(), RunError> {
    progress.phase(name, extraction.timeline.len());
    for (n, event) in (1u64..).zip(extraction.timeline.events().map_err(RunError::Temporary)?) {
        each(&event.map_err(RunError::Temporary)?);
        if n % STEP == 0 {
            options.check()?;
            progress.advance(STEP);
        }
    }
    Ok(())
}

/// Findings, bounded.
#[derive(Default)]
struct Kept {
    findings: Vec<Finding>,
    of_rule: BTreeMap<String, usize>,
    left_out: u64,
}

impl Kept {
    fn extend(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            let count = self.of_rule.entry(finding.rule.id.clone()).or_default();
            *count += 1;
            if *count > MAX_OF_A_RULE || self.findings.len() >= MAX_FINDINGS {
                self.left_out += 1;
            } else {
                self.findings.push(finding);
            }
        }
    }
}

/// What the second pass gathers.
struct Second {
    /// Folded paths of files whose settable times made a finding: when their names were made.
    named: BTreeMap<String, Option<Timestamp>>,
    /// Instants of findings, sorted.
    instants: Vec<u64>,
    facts: Vec<Evidence>,
}

impl Second {
    fn new(findings: &[Finding]) -> Self {
        let settable = findings.iter().flat_map(|f| &f.evidence).filter(|e| settable_time(e.event));
        let named = settable.map(|e| (folded(&e.locator.path), None)).collect();
        let weighed = findings.iter().filter(|f| f.weight > 0);
        let mut instants: Vec<u64> = weighed.filter_map(|f| f.time).map(Timestamp::filetime).collect();
        instants.sort_unstable();
        Self { named, instants, facts: Vec::new() }
    }

    fn event(&mut self, event: &Event) {
        if event.descriptor.name == "windows:file:name_times" {
            if event.meaning.contains(Meaning::CREATED)
                && let Some(slot) = self.named.get_mut(&folded(&event.origin.locator.path))
            {
                *slot = match (*slot, event.time) {
                    (Some(old), Some(new)) => Some(old.min(new)),
                    (old, new) => old.or(new),
                };
            }
        } else if let Some(time) = event.time
            && FACTS.contains(&event.descriptor.name)
            && self.facts.len() < MAX_BESIDE
            && self.near(time.filetime())
        {
            self.facts.push(Evidence::new(event, fields(event)));
        }
    }

    fn near(&self, time: u64) -> bool {
        let from = self.instants.partition_point(|t| *t < time.saturating_sub(BESIDE));
        self.instants.get(from).is_some_and(|t| *t <= time.saturating_add(BESIDE))
    }

    /// A finding on a time that programs can set is dated by the creation of the file's name, or left out where that
    /// creation is a finding itself.
    fn correct(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let key = |f: &Finding| f.evidence.first().map(|e| (f.rule.id.clone(), folded(&e.locator.path)));
        let by_name: BTreeSet<_> = findings
            .iter()
            .filter(|f| f.evidence.first().is_some_and(|e| e.event == "windows:file:name_times"))
            .filter_map(key)
            .collect();
        findings
            .into_iter()
            .filter(|f| {
                let settable = f.evidence.len() == 1 && f.evidence.iter().all(|e| e.event == "windows:file:times");
                !settable || key(f).is_none_or(|k| !by_name.contains(&k))
            })
            .map(|mut f| {
                if f.evidence.len() == 1
                    && let Some(e) = f.evidence.first_mut().filter(|e| settable_time(e.event))
                    && let Some(Some(named)) = self.named.get(&folded(&e.locator.path))
                    && Some(*named) != f.time
                {
                    e.fields.push(("$FILE_NAME created".to_owned(), named.to_string()));
                    f.time = Some(*named);
                }
                f
            })
            .collect()
    }

    /// The facts beside findings of weight, each under its account.
    fn beside(&self, findings: &[Finding], verdict: &Verdict, hosts: &[Host]) -> Vec<Evidence> {
        let strong = verdict.points.iter().filter(|p| p.points > 0.0).filter_map(|p| findings[p.finding].time);
        let instants: BTreeSet<u64> = strong.map(Timestamp::filetime).collect();
        let near = |e: &&Evidence| {
            e.time.is_some_and(|t| {
                let t = t.filetime();
                instants.range(t.saturating_sub(BESIDE)..=t.saturating_add(BESIDE)).next().is_some()
            })
        };
        let mut facts: Vec<Evidence> = self.facts.iter().filter(near).cloned().collect();
        facts.iter_mut().for_each(|e| attribute(e, hosts));
        facts
    }
}

/// Events whose time does not say when the file came: `$SI` can be set, a link's times are those of its target.
fn settable_time(event: &str) -> bool {
    matches!(event, "windows:file:times" | "windows:lnk:link")
}

/// The fields of an event as a finding shows them, long lists left out.
fn fields(event: &Event) -> Vec<(String, String)> {
    let plain = event.values.iter().filter(|(_, v)| !matches!(v, Value::List(_) | Value::Map(_) | Value::Bytes(_)));
    plain.map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

/// Names the account whose profile the evidence speaks of, where the evidence itself names none or only the system's.
fn attribute(evidence: &mut Evidence, hosts: &[Host]) {
    let machine = |user: &str| {
        let name = user.rsplit('\\').next().unwrap_or(user).to_uppercase();
        matches!(name.as_str(), "" | "-" | "SYSTEM" | "LOCAL SERVICE" | "NETWORK SERVICE")
            || name.starts_with("S-1-5-1")
            || name == "S-1-5-20"
    };
    let known = |name: &str| {
        let named = |h: &&Host| h.users.iter().any(|u| u.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        hosts.iter().any(|h| named(&h))
    };
    let bare = evidence.user.as_deref().map(|u| u.rsplit('\\').next().unwrap_or(u).to_owned());
    // One account is written in one way: as the registry writes it, else as the folder of its profile is called.
    let written = |name: &str| {
        let leaf = |u: &crate::model::User| {
            let profile = u.profile.as_deref()?.trim_end_matches('\\');
            profile.rsplit('\\').next().filter(|leaf| !leaf.is_empty()).map(str::to_owned)
        };
        let same = |u: &&crate::model::User| {
            (!u.sid.is_empty() && u.sid.eq_ignore_ascii_case(name))
                || u.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name))
                || leaf(u).is_some_and(|l| l.eq_ignore_ascii_case(name))
        };
        let user = hosts.iter().flat_map(|h| &h.users).find(same)?;
        user.name.clone().or_else(|| leaf(user))
    };
    if let Some(name) = bare.filter(|n| !machine(n)) {
        evidence.user = written(&name).or(Some(name));
        return;
    }
    let own = evidence
        .fields
        .iter()
        .find(|(n, _)| n == "User" || n == "SubjectUserName")
        .map(|(_, v)| v.rsplit('\\').next().unwrap_or(v).to_owned());
    let texts =
        || evidence.fields.iter().map(|(_, v)| v.as_str()).chain([evidence.message.as_str(), &evidence.locator.path]);
    let profile = || texts().find_map(profile_of);
    // `DOMAIN\name` in a log record's text, where the record itself was logged by the system.
    let spoken = || {
        let names = hosts.iter().flat_map(|h| &h.users).filter_map(|u| u.name.as_deref()).filter(|n| !machine(n));
        names.filter(|name| says_account(&evidence.message, name)).max_by_key(|n| n.len()).map(str::to_owned)
    };
    if let Some(name) = own.filter(|n| known(n)).or_else(spoken).or_else(profile) {
        evidence.user = written(&name).or(Some(name));
    }
}

/// True if the text holds `\name` as a whole word, and not as the name of a profile's folder.
fn says_account(text: &str, name: &str) -> bool {
    let (text, wanted) = (text.to_lowercase(), format!("\\{}", name.to_lowercase()));
    text.match_indices(&wanted).any(|(at, _)| {
        let after = text.get(at + wanted.len()..).and_then(|rest| rest.chars().next());
        let whole = after.is_none_or(|c| !c.is_alphanumeric() && c != '\\' && c != '.' && c != '-' && c != '_');
        whole && text.get(..at).is_some_and(|before| !before.ends_with(r"\users"))
    })
}

/// The account in a path `…\Users\NAME\…`.
fn profile_of(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find(r"\users\")?;
    let (name, _) = text.get(at + 7..)?.split_once('\\')?;
    let shared = ["public", "default", "default user", "all users", "*", ""];
    (!shared.contains(&name.to_ascii_lowercase().as_str())).then(|| name.to_owned())
}

fn folded(path: &str) -> String {
    path.to_lowercase()
}

fn order(f: &Finding) -> (bool, Option<Timestamp>, String, String) {
    let place = f.evidence.first().map(|e| format!("{} {:?}", e.locator, e.offset)).unwrap_or_default();
    (f.time.is_none(), f.time, f.rule.name.clone().unwrap_or_else(|| f.rule.id.clone()), place)
}

fn counts(rules: &RuleSet, detector: &Detector) -> RuleCounts {
    let name = |i: &crate::model::RuleInfo| i.name.clone().unwrap_or_else(|| i.id.clone());
    // Rules that are code are done by EmoCheck's scanners.
    let not = detector.not_evaluated().iter().filter(|n| n.rule.status != "builtin");
    let not: Vec<_> = not.map(|n| (name(&n.rule), n.why.clone())).collect();
    let unsupported: BTreeSet<String> = rules.infos().filter(|i| i.status == "unsupported").map(name).collect();
    let left: BTreeSet<&String> = not.iter().map(|(name, _)| name).collect();
    let all: BTreeSet<String> = rules.infos().map(name).collect();
    RuleCounts {
        evaluated: all.iter().filter(|name| !left.contains(name)).count(),
        unsupported: unsupported.len(),
        not_evaluated: not,
        digest: rules.digest(),
    }
}
