//! The rules of a run: the project's own, and those of folders that the user names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::engine::knows;
use super::error::{Place, RuleError};
use super::judge::VerdictPolicy;
use super::mapping::Mapping;
use super::sigma::{self, Body, Context, Rule};
use crate::model::RuleInfo;

/// The project's own rule files with their names. `rules/index.rs` lists them; a test holds it against the folder.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/", $name)))),*]
    };
}
static BUILTIN: &[(&str, &str)] = include!("../../rules/index.rs");
static MAPPING: &str = include_str!("../../rules/mapping.yaml");
static VERDICT: &str = include_str!("../../rules/verdict.yaml");

/// Largest rule file that is read. The largest public ones have some 50 KB.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Rules, the mapping of their logsources, and the policy by which their findings are weighed.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    mapping: Mapping,
    policy: VerdictPolicy,
    rejected: Vec<RuleError>,
    placeholders: BTreeMap<String, Vec<String>>,
    digest: Sha256,
}

impl RuleSet {
    /// The project's own rules.
    ///
    /// # Errors
    /// Mistakes in them; there are none in a release.
    pub fn builtin() -> Result<Self, Vec<RuleError>> {
        let mut set = Self::empty()?;
        let mut errors = Vec::new();
        for (name, text) in BUILTIN {
            if let Err(e) = set.add_text(name, text, true) {
                errors.push(e);
            }
        }
        errors.extend(set.check_own());
        if errors.is_empty() { Ok(set) } else { Err(errors) }
    }

    /// The project's own rules and those of the folders (`*.yml`, `*.yaml`, with all folders inside). What can't be read
    /// is in [`RuleSet::rejected`]; the rest is there.
    ///
    /// # Errors
    /// Mistakes in the project's own rules.
    pub fn load(folders: &[PathBuf]) -> Result<Self, Vec<RuleError>> {
        let mut set = Self::builtin()?;
        for folder in folders {
            set.add_folder(folder);
        }
        Ok(set)
    }

    /// No rules yet, with the project's mapping and policy. For runs with other rules alone.
    ///
    /// # Errors
    /// Mistakes in the project's mapping or policy.
    pub fn empty() -> Result<Self, Vec<RuleError>> {
        let one = |e: RuleError| vec![e];
        Ok(Self {
            mapping: Mapping::parse("mapping.yaml", MAPPING).map_err(one)?,
            policy: VerdictPolicy::parse("verdict.yaml", VERDICT).map_err(one)?,
            ..Self::default()
        })
    }

    /// Values for the placeholder `%name%` in rules that are added from now on.
    pub fn set_placeholder(&mut self, name: &str, values: Vec<String>) {
        self.placeholders.insert(name.to_owned(), values);
    }

    /// Adds the rules of a folder, or of one file.
    pub fn add_folder(&mut self, folder: &Path) {
        for path in rule_files(folder, &mut self.rejected) {
            let name = path.display().to_string();
            let too_large = std::fs::metadata(&path).is_ok_and(|m| m.len() > MAX_FILE);
            let result = match std::fs::read(&path) {
                _ if too_large => Err(RuleError::new(&name, Place::default(), "The file is too large for a rule.")),
                Ok(bytes) => match String::from_utf8(bytes) {
                    Ok(text) => self.add_text(&name, &text, false),
                    Err(_) => Err(RuleError::new(&name, Place::default(), "The file is not UTF-8.")),
                },
                Err(e) => Err(RuleError::new(&name, Place::default(), format!("The file can't be read: {e}."))),
            };
            if let Err(e) = result {
                self.rejected.push(e);
            }
        }
    }

    /// Adds the rules of one file's text. `own` rules may name nothing that is unknown.
    ///
    /// # Errors
    /// What is wrong in the text; then none of its rules is added.
    pub fn add_text(&mut self, file: &str, text: &str, own: bool) -> Result<(), RuleError> {
        let context = Context { file, placeholders: &self.placeholders, strict: own };
        let rules = sigma::parse_file(&context, text)?;
        self.rules.extend(rules);
        self.digest.update(text.as_bytes());
        Ok(())
    }

    /// Rule files that could not be read, and why.
    pub fn rejected(&self) -> &[RuleError] {
        &self.rejected
    }

    /// What is known of each rule, in the order in which they were loaded.
    pub fn infos(&self) -> impl Iterator<Item = &RuleInfo> {
        self.rules.iter().map(|r| &*r.info)
    }

    /// SHA-256 in hex over the mapping, the policy and every rule file in the order in which they were added.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(MAPPING);
        digest.update(VERDICT);
        digest.update(self.digest.clone().finalize());
        digest.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// How findings are weighed.
    pub fn policy(&self) -> &VerdictPolicy {
        &self.policy
    }

    /// Artifacts that a rule waits for, and the code that does its work where it is no pattern.
    pub fn waits_for(&self, info: &RuleInfo) -> (&[String], Option<&str>) {
        let rule = self.rules.iter().find(|r| std::ptr::eq(&*r.info, info) || *r.info.id == info.id);
        rule.map_or((&[], None), |r| (&r.waits_for, r.detector.as_deref()))
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(crate) fn clone_without_rules(&self) -> Self {
        Self { mapping: self.mapping.clone(), policy: self.policy.clone(), ..Self::default() }
    }

    pub(crate) fn push(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// What is wrong in the project's own rules beyond their syntax: logsources and fields that the mapping does not
    /// know, rules that correlations name and that are not there, and identifiers that stand twice.
    fn check_own(&self) -> Vec<RuleError> {
        let mut errors = Vec::new();
        for (at, rule) in self.rules.iter().enumerate().filter(|(_, r)| r.strict) {
            let file = rule.info.file.as_str();
            let twice = |other: &Rule| {
                (!rule.info.id.is_empty() && other.info.id == rule.info.id)
                    // One file may hold several conditions for one rule, each over another logsource.
                    || (rule.info.name.is_some() && other.info.name == rule.info.name && other.info.file != rule.info.file)
            };
            if let Some(other) = self.rules[..at].iter().find(|r| twice(r)) {
                let message = format!("The identifier is also that of a rule in {}.", other.info.file);
                errors.push(RuleError::new(file, rule.place, message));
            }
            match &rule.body {
                Body::Event { logsource, condition } => {
                    let Some(sources) = self.mapping.resolve(logsource) else {
                        let names = self.mapping.logsource_names();
                        let e = RuleError::new(file, rule.place, format!("There is no logsource '{logsource}'."));
                        errors.push(e.suggest(&logsource.to_string(), names.iter().map(String::as_str)));
                        continue;
                    };
                    let sources: Vec<_> = sources.iter().map(|s| &self.mapping.sources[*s]).collect();
                    condition.tests(&mut |test| {
                        if let Some(field) = &test.field
                            && !sources.iter().any(|s| knows(s, field))
                        {
                            let names = sources.iter().flat_map(|s| s.fields.iter().map(|(n, _)| n.as_str()));
                            let message = format!("The events of '{logsource}' have no field '{field}'.");
                            errors.push(RuleError::new(file, test.place, message).suggest(field, names));
                        }
                    });
                }
                Body::Correlation(correlation) => {
                    for (name, place) in &correlation.rules {
                        let names = || {
                            let of = |r: &'_ Rule| [r.sigma_name.clone(), r.info.name.clone(), Some(r.info.id.clone())];
                            self.rules.iter().flat_map(of).flatten().collect::<Vec<_>>()
                        };
                        if !names().contains(name) {
                            let e = RuleError::new(file, *place, format!("There is no rule '{name}'."));
                            errors.push(e.suggest(name, names().iter().map(String::as_str)));
                        }
                    }
                }
                Body::Filter(_) | Body::None => {}
            }
        }
        errors
    }
}

/// The rule files in a folder and the folders inside, in the order of their names. Links to folders are not followed.
fn rule_files(folder: &Path, rejected: &mut Vec<RuleError>) -> Vec<PathBuf> {
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) => {
                let message = format!("The folder can't be read: {e}.");
                rejected.push(RuleError::new(&folder.display().to_string(), Place::default(), message));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_rule =
                path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yml") || e.eq_ignore_ascii_case("yaml"));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if is_rule => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use sha1::{Digest, Sha1};

    use super::*;
    use crate::model::Schema;

    fn builtin() -> RuleSet {
        RuleSet::builtin().unwrap_or_else(|errors| {
            panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })
    }

    #[test]
    fn the_index_lists_every_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let files = rule_files(&folder, &mut Vec::new());
        let names = |p: &PathBuf| p.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let there: Vec<_> = files.iter().map(names).filter(|n| n != "mapping.yaml" && n != "verdict.yaml").collect();
        let listed: Vec<_> = BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, there, "rules/index.rs must list the rule files in the order of their names");
    }

    /// Nothing of the catalogue is silently absent: 96 rules, each with what a reader needs.
    #[test]
    fn the_catalogue_is_whole() {
        let set = builtin();
        let mut names: Vec<_> = set.infos().filter_map(|i| i.name.clone()).filter(|n| n.starts_with("EMO-")).collect();
        names.dedup();
        assert_eq!(names.len(), 96);
        let counts = [
            ("DEL", 17),
            ("EXE", 14),
            ("INS", 14),
            ("PER", 8),
            ("BIN", 7),
            ("C2", 10),
            ("COL", 4),
            ("LAT", 3),
            ("AV", 7),
            ("FOL", 5),
            ("AF", 2),
            ("MAIL", 5),
        ];
        let expected = counts.iter().flat_map(|(part, n)| (1..=*n).map(move |i| format!("EMO-{part}-{i:03}")));
        for name in expected {
            assert!(names.contains(&name), "{name} is absent");
        }
        for rule in set.rules().iter().filter(|r| r.info.name.as_deref().is_some_and(|n| n.starts_with("EMO-"))) {
            let info = &rule.info;
            let name = info.name.clone().unwrap_or_default();
            assert!(info.title_ja.is_some() && info.stage.is_some() && info.class.is_some(), "{name}");
            assert!(!info.false_positives.is_empty() && !info.references.is_empty(), "{name}");
            assert_eq!(info.false_positives.len(), info.false_positives_ja.len(), "{name}: in both languages");
            assert!(info.tags.iter().any(|t| t.starts_with("attack.t")), "{name}");
            let status = info.status.as_str();
            assert_eq!(
                status == "unsupported",
                !rule.waits_for.is_empty(),
                "{name}: unsupported rules say what they wait for"
            );
            assert_eq!(status == "builtin", rule.detector.is_some(), "{name}: builtin rules name their code");
        }
    }

    /// Identifiers are UUIDs of version 5 (RFC 9562, 5.5) over `urn:emotrace:rule:NAME` in the URL namespace, so that
    /// they never change.
    #[test]
    fn identifiers_are_made_from_names() {
        let uuid = |name: &str| {
            let namespace = 0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8_u128.to_be_bytes();
            let mut hash = Sha1::new();
            hash.update(namespace);
            hash.update(format!("urn:emotrace:rule:{name}"));
            let mut id: [u8; 16] = hash.finalize()[..16].try_into().unwrap();
            id[6] = id[6] & 0x0f | 0x50;
            id[8] = id[8] & 0x3f | 0x80;
            let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
            format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
        };
        let set = builtin();
        for rule in set.rules() {
            let name = rule.sigma_name.clone().or_else(|| rule.info.name.clone()).unwrap();
            let variants = (2..9).map(|n| uuid(&format!("{name}/{n}")));
            assert!(
                [uuid(&name)].into_iter().chain(variants).any(|u| u == rule.info.id),
                "{name}: expected {}",
                uuid(&name)
            );
        }
    }

    #[test]
    fn every_example_comes_out_as_it_says() {
        let report = builtin().test(&Schema::default());
        let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(report.run > 200, "{}", report.run);
        let set = builtin();
        for rule in set.rules().iter().filter(|r| !matches!(r.body, Body::None)) {
            let part = rule.info.title.starts_with("Part of");
            let (hits, misses) = (rule.examples.iter().any(|e| e.hits), rule.examples.iter().any(|e| !e.hits));
            assert!(part || (hits && misses), "{} lacks examples", rule.info.file);
        }
    }

    #[test]
    fn own_rules_may_name_nothing_unknown() {
        let mut set = RuleSet::empty().unwrap();
        let text = "title: T\nlogsource: {product: windows, category: shortcut}\ndetection:\n  s:\n    Argument|contains: x\n  condition: s\n";
        set.add_text("a.yml", text, true).unwrap();
        set.add_text("b.yml", &text.replace("shortcut", "shortcuts"), true).unwrap();
        let errors = set.check_own();
        assert_eq!((errors[0].place.line, errors[0].did_you_mean.as_deref()), (5, Some("Arguments")));
        assert_eq!(errors[1].did_you_mean.as_deref(), Some("product windows, category shortcut"));
    }

    /// Rule files come from anywhere: cut and flipped ones end in an error or a rule, never in a panic.
    #[test]
    fn damaged_rules_do_no_harm() {
        let mut seed = 7u64;
        let mut dice = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % n.max(1)
        };
        let mut set = RuleSet::empty().unwrap();
        let (mut whole, mut broken) = (0, 0);
        for _ in 0..2000 {
            let (_, text) = BUILTIN[dice(BUILTIN.len())];
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..1 + dice(3) {
                let at = dice(bytes.len());
                bytes[at] = b" \n:-'\"|[]{}*&!%0a\\"[dice(18)];
            }
            if dice(4) == 0 {
                bytes.truncate(dice(bytes.len()));
            }
            let text = String::from_utf8_lossy(&bytes);
            match set.add_text("damaged.yml", &text, dice(2) == 0) {
                Ok(()) => whole += 1,
                Err(e) => {
                    assert!(!e.message.is_empty());
                    broken += 1;
                }
            }
            set.rules.clear();
        }
        assert!(whole > 100 && broken > 100, "{whole} {broken}");
    }
}
