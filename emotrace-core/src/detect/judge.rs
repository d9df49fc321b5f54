//! From findings to a verdict.
//!
//! [`judge`] is a pure function: the same findings, coverage and policy always give the same verdict, and every point in it
//! says where it comes from. The numbers are data, `rules/verdict.yaml`, which also explains them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::error::{Place, RuleError};
use super::said::Said;
use super::sigma::{fold, ticks};
use super::yaml::{self, Kind, Node};
use crate::model::{
    Bonus, Conclusion, Coverage, CoverageLine, Evidence, EvidenceClass, Finding, HostState, Near, Period, Point, Shows,
    Stage, StageScore, State, Timestamp, Verdict, Window,
};

/// How findings are weighed: `verdict.yaml` as values.
#[derive(Clone, Debug, Default)]
pub struct VerdictPolicy {
    confidence: BTreeMap<String, f64>,
    artifact_confidence: BTreeMap<String, f64>,
    near_days: u64,
    near: f64,
    far: f64,
    stage_cap: BTreeMap<Stage, f64>,
    score_max: f64,
    chain: (f64, u64, Vec<Vec<Stage>>),
    same_path: (f64, usize),
    second_user: f64,
    common_folders: Vec<String>,
    stage_class: Option<EvidenceClass>,
    conclusions: Vec<(Conclusion, Vec<Clause>)>,
    blocked_unless: Vec<Stage>,
    reached: Vec<(String, Vec<Stage>)>,
    state_without_events: Vec<String>,
    window_gap: u64,
    window_lead: u64,
    window_without: Vec<Stage>,
    window_without_rules: Vec<String>,
    users_without: Vec<Stage>,
    users_without_rules: Vec<String>,
    coverage: Vec<Source>,
}

/// A kind of evidence and the artifacts that read it.
#[derive(Clone, Debug, Default)]
struct Source {
    name: String,
    name_ja: String,
    weight: f64,
    artifacts: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Clause {
    score: Option<f64>,
    coverage: Option<f64>,
    stages: Option<usize>,
    class: Option<EvidenceClass>,
    confidence: Option<f64>,
    class_in: Vec<Stage>,
    other_stages: Option<usize>,
}

/// Reads the parts of the policy; the first mistake ends it.
struct Reader<'a> {
    file: &'a str,
    root: &'a Node,
}

impl Reader<'_> {
    fn error(&self, place: Place, message: impl Into<String>) -> RuleError {
        RuleError::new(self.file, place, message)
    }

    fn node(&self, name: &str) -> Result<&Node, RuleError> {
        self.root.get(name).ok_or_else(|| self.error(self.root.place, format!("The policy lacks '{name}'.")))
    }

    fn number(&self, node: &Node) -> Result<f64, RuleError> {
        let number = match &node.kind {
            Kind::Int(n) => Some(*n as f64),
            Kind::Text(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        };
        number.ok_or_else(|| self.error(node.place, "A number is needed here."))
    }

    fn number_in(&self, node: &Node, name: &str) -> Result<f64, RuleError> {
        match node.get(name) {
            Some(n) => self.number(n),
            None => Err(self.error(node.place, format!("'{name}' is missing."))),
        }
    }

    fn whole(&self, node: &Node, name: &str) -> Result<usize, RuleError> {
        Ok(self.number_in(node, name)?.clamp(0.0, 1e9) as usize)
    }

    fn span(&self, node: &Node) -> Result<u64, RuleError> {
        node.text()
            .and_then(|t| ticks(&t))
            .ok_or_else(|| self.error(node.place, "A time span like 30m is needed here."))
    }

    fn stage(&self, node: &Node) -> Result<Stage, RuleError> {
        self.stage_named(&node.text().unwrap_or_default(), node.place)
    }

    fn stage_named(&self, name: &str, place: Place) -> Result<Stage, RuleError> {
        let found = Stage::ALL.iter().find(|(_, n)| *n == name).map(|(s, _)| *s);
        found.ok_or_else(|| {
            let e = self.error(place, format!("There is no stage '{name}'."));
            e.suggest(name, Stage::ALL.iter().map(|(_, n)| *n))
        })
    }

    fn stages(&self, node: Option<&Node>) -> Result<Vec<Stage>, RuleError> {
        node.map_or(&[][..], Node::items).iter().map(|n| self.stage(n)).collect()
    }

    fn class(&self, node: &Node) -> Result<EvidenceClass, RuleError> {
        match node.text().unwrap_or_default().as_str() {
            "D" => Ok(EvidenceClass::D),
            "S" => Ok(EvidenceClass::S),
            "M" => Ok(EvidenceClass::M),
            "W" => Ok(EvidenceClass::W),
            other => Err(self.error(node.place, format!("'{other}' is not one of D, S, M, W."))),
        }
    }

    fn numbers(&self, name: &str) -> Result<BTreeMap<String, f64>, RuleError> {
        self.node(name)?.entries().iter().map(|(k, n)| Ok((k.text.clone(), self.number(n)?))).collect()
    }

    fn clause(&self, node: &Node) -> Result<Clause, RuleError> {
        let known = ["score", "coverage", "stages", "class", "confidence", "class_in", "other_stages"];
        if let Some((key, _)) = node.entries().iter().find(|(k, _)| !known.contains(&k.text.as_str())) {
            return Err(self.error(key.place, format!("A clause has no '{}'.", key.text)).suggest(&key.text, known));
        }
        let number = |name: &str| node.get(name).map(|n| self.number(n)).transpose();
        let whole = |name: &str| node.get(name).map(|_| self.whole(node, name)).transpose();
        Ok(Clause {
            score: number("score")?,
            coverage: number("coverage")?,
            stages: whole("stages")?,
            class: node.get("class").map(|n| self.class(n)).transpose()?,
            confidence: number("confidence")?,
            class_in: self.stages(node.get("class_in"))?,
            other_stages: whole("other_stages")?,
        })
    }
}

impl VerdictPolicy {
    /// Reads a policy file.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, RuleError> {
        let documents = yaml::parse(file, text)?;
        let Some(root) = documents.first() else {
            return Err(RuleError::new(file, Place::default(), "The policy is empty."));
        };
        let r = Reader { file, root };
        let period = r.node("period")?;
        let bonuses = r.node("bonuses")?;
        let bonus = |name: &str| {
            bonuses.get(name).ok_or_else(|| r.error(bonuses.place, format!("The bonus '{name}' is missing.")))
        };
        let chain = bonus("chain")?;
        let within = chain.get("within").map_or(Err(r.error(chain.place, "'within' is missing.")), |n| r.span(n))?;
        let order = chain.get("order").map_or(&[][..], Node::items).iter().map(|n| r.stages(Some(n)));
        let mut stage_cap = BTreeMap::new();
        for (key, node) in r.node("stage_cap")?.entries() {
            stage_cap.insert(r.stage_named(&key.text, key.place)?, r.number(node)?);
        }
        let mut conclusions = Vec::new();
        for node in r.node("conclusions")?.items() {
            let name = node.get("is").and_then(Node::text).unwrap_or_default();
            let Some((conclusion, _)) = Conclusion::ALL.iter().find(|(_, n)| *n == name) else {
                let e = r.error(node.place, format!("There is no conclusion '{name}'."));
                return Err(e.suggest(&name, Conclusion::ALL.iter().map(|(_, n)| *n)));
            };
            let clauses = node.get("any").map_or(&[][..], Node::items).iter().map(|n| r.clause(n));
            conclusions.push((*conclusion, clauses.collect::<Result<_, _>>()?));
        }
        let texts = |node: Option<&Node>| -> Vec<String> {
            node.map(|n| n.items().iter().filter_map(Node::text).collect()).unwrap_or_default()
        };
        let mut reached = Vec::new();
        for node in r.node("reached")?.items() {
            reached.push((node.get("step").and_then(Node::text).unwrap_or_default(), r.stages(node.get("stages"))?));
        }
        let mut coverage = Vec::new();
        for node in r.node("coverage")?.items() {
            let text = |name: &str| node.get(name).and_then(Node::text);
            let name = text("source").unwrap_or_default();
            coverage.push(Source {
                name_ja: text("ja").unwrap_or_else(|| name.clone()),
                name,
                weight: r.number_in(node, "weight")?,
                artifacts: texts(node.get("artifacts")),
            });
        }
        Ok(Self {
            confidence: r.numbers("confidence")?,
            artifact_confidence: r.numbers("artifact_confidence")?,
            near_days: r.whole(period, "near_days")? as u64,
            near: r.number_in(period, "near")?,
            far: r.number_in(period, "far")?,
            stage_cap,
            score_max: r.number(r.node("score_max")?)?,
            chain: (r.number_in(chain, "points")?, within, order.collect::<Result<_, _>>()?),
            same_path: (r.number_in(bonus("same_path")?, "points")?, r.whole(bonus("same_path")?, "artifacts")?),
            second_user: r.number_in(bonus("second_user")?, "points")?,
            common_folders: texts(root.get("common_folders")).iter().map(|f| fold(f)).collect(),
            stage_class: Some(r.class(r.node("stage_class")?)?),
            conclusions,
            blocked_unless: r.stages(r.node("blocked")?.get("unless"))?,
            reached,
            state_without_events: texts(root.get("state_without_events")),
            window_gap: r.span(r.node("window_gap")?)?,
            window_lead: r.span(r.node("window_lead")?)?,
            window_without: r.stages(Some(r.node("window_without")?))?,
            window_without_rules: texts(root.get("window_without_rules")),
            users_without: r.stages(Some(r.node("users_without")?))?,
            users_without_rules: texts(root.get("users_without_rules")),
            coverage,
        })
    }
}

const DAY: u64 = 864_000_000_000;

/// Weighs findings. See `rules/verdict.yaml` for what each number does.
pub fn judge(findings: &[Finding], coverage: &Coverage, policy: &VerdictPolicy) -> Verdict {
    let mut points: Vec<Point> =
        findings.iter().enumerate().filter_map(|(i, f)| weigh(i, f, findings, policy)).collect();
    choose(&mut points, findings);
    points
        .sort_by(|a, b| b.counted.cmp(&a.counted).then(b.points.total_cmp(&a.points)).then(a.finding.cmp(&b.finding)));
    let stages = stage_scores(&points, policy);
    let bonuses = bonuses(&points, findings, policy);
    let sum: f64 = stages.iter().map(|s| s.score).sum::<f64>() + bonuses.iter().map(|b| b.points).sum::<f64>();
    let score = round(sum.min(policy.score_max));
    let (share, coverage_lines) = coverage_share(coverage, policy);
    let strong: Vec<&Point> = points.iter().filter(|p| p.points > 0.0 && Some(p.class) >= policy.stage_class).collect();
    let met: BTreeSet<Stage> = strong.iter().map(|p| p.stage).collect();
    let (mut conclusion, mut because) = conclude(score, share, &points, &met, policy);
    let blocked = is_blocked(&strong, findings, policy);
    if blocked && conclusion > Conclusion::Suspicious {
        conclusion = Conclusion::Suspicious;
        because = Said::new(
            "A security product stopped it where mail and downloads land, and nothing shows that it ran; without that \
             the answer would have been more.",
            "メールやダウンロードの保存先で検知製品が阻止し、実行の痕跡がないため「疑いあり」にとどめた(阻止がなければより重い判定)。",
        );
    }
    // An infection that was not found has no steps, no state, no time and no accounts; what was found stands in `points`.
    let shown = if conclusion >= Conclusion::Suspicious { strong.as_slice() } else { &[] };
    Verdict {
        conclusion,
        because: because.en,
        because_ja: because.ja,
        score,
        reached: reached(shown, findings, blocked, policy),
        state: state(shown, findings, blocked, policy),
        window: window(shown, &points, findings, policy),
        users: users(shown, findings, blocked, policy),
        stages,
        bonuses,
        unweighed: (0..findings.len()).filter(|i| points.iter().all(|p| p.finding != *i)).collect(),
        points,
        coverage: share,
        coverage_lines,
    }
}

/// To one decimal: sums of products of decimal fractions else end in noise.
fn round(n: f64) -> f64 {
    // A sum of nothing is minus zero; adding zero makes it plain.
    (n * 10.0).round() / 10.0 + 0.0
}

/// The points of one finding. `None` for rules that carry no weight.
fn weigh(at: usize, finding: &Finding, all: &[Finding], policy: &VerdictPolicy) -> Option<Point> {
    let rule = &finding.rule;
    let (stage, class) = (rule.stage?, rule.class?);
    if finding.weight == 0 || class == EvidenceClass::X {
        return None;
    }
    let weight = f64::from(finding.weight);
    let (confidence, why_confidence) = confidence(finding, policy);
    let (period, why_period) = period_factor(finding, &rule.periods, policy);
    let mut points = round(weight * confidence * period);
    let mut why = Said::new(
        format!("weight {weight} × {confidence} ({}) × {period} ({}) = {points}", why_confidence.en, why_period.en),
        format!("重み{weight} × {confidence}({}) × {period}({}) = {points}", why_confidence.ja, why_period.ja),
    );
    if let Some(near) = rule.near {
        match other_near(at, finding, near, all) {
            Some(other) => {
                why.en.push_str(&format!("; counts because it lies near {}", name(&all[other])));
                why.ja.push_str(&format!("。{}の近くにあるため算入", name(&all[other])));
            }
            None => {
                points = 0.0;
                why.en.push_str("; left out: it counts only near another strong finding, and there is none");
                why.ja.push_str("。他の強い検出の近くでのみ算入する規則であり、該当がないため除外");
            }
        }
    }
    let rule = name(finding);
    let Said { en: why, ja: why_ja } = why;
    Some(Point { finding: at, rule, stage, class, weight, confidence, period, points, counted: false, why, why_ja })
}

fn name(finding: &Finding) -> String {
    finding.rule.name.clone().unwrap_or_else(|| finding.rule.id.clone())
}

/// The weakest of the evidence decides.
fn confidence(finding: &Finding, policy: &VerdictPolicy) -> (f64, Said) {
    let mut worst = (1.0, Said::new("evidence in use", "現存する証拠"));
    for evidence in &finding.evidence {
        let state = policy.confidence.get(evidence.state.name()).copied().unwrap_or(1.0);
        let artifact = policy.artifact_confidence.get(evidence.artifact).copied().unwrap_or(1.0);
        if state < worst.0 {
            let name = match evidence.state {
                State::Live => "現存する証拠",
                State::LogReplayed => "トランザクションログから復元した証拠",
                State::Deleted => "削除済みの証拠",
                State::Slack => "スラック領域の証拠",
                State::Carved => "カービングした証拠",
            };
            worst = (state, Said::new(format!("evidence {}", evidence.state.name()), name));
        }
        if artifact < worst.0 {
            let name = evidence.artifact;
            worst = (artifact, Said::new(format!("artifact {name}"), format!("アーティファクト {name}")));
        }
    }
    worst
}

fn period_factor(finding: &Finding, periods: &[Period], policy: &VerdictPolicy) -> (f64, Said) {
    let Some(time) = finding.time else { return (1.0, Said::new("no time", "時刻なし")) };
    let outside = |p: &Period| {
        let before = p.from.map_or(0, |from| from.filetime().saturating_sub(time.filetime()));
        let after = p.until.map_or(0, |until| (time.filetime() + 1).saturating_sub(until.filetime()));
        before.max(after)
    };
    let days = |gap: u64| {
        let days = gap.div_ceil(DAY);
        Said::new(format!("{days} days outside"), format!("対象時期から{days}日外"))
    };
    match periods.iter().map(outside).min() {
        None => (1.0, Said::new("seen at any time", "時期を問わない")),
        Some(0) => (1.0, Said::new("inside the rule's period", "規則の対象時期内")),
        Some(gap) if gap <= policy.near_days * DAY => (policy.near, days(gap)),
        Some(gap) => (policy.far, days(gap)),
    }
}

/// A strong finding that stands on its own and near which `finding` lies.
fn other_near(at: usize, finding: &Finding, near: Near, all: &[Finding]) -> Option<usize> {
    let time = finding.time?.filetime();
    all.iter().enumerate().position(|(i, other)| {
        i != at
            && other.rule.near.is_none()
            && other.weight > 0
            && other.rule.class >= Some(EvidenceClass::S)
            && other.time.is_some_and(|t| {
                let t = t.filetime();
                time >= t.saturating_sub(near.before) && time <= t.saturating_add(near.after)
            })
            && (!near.same_folder || same_folder(finding, other))
    })
}

/// True if both name a file of one folder, the whole path apart from the drive compared without case.
fn same_folder(a: &Finding, b: &Finding) -> bool {
    let folders = |finding: &Finding| -> BTreeSet<String> {
        let pattern = PATH.as_ref();
        let texts = finding.evidence.iter().flat_map(|e| &e.fields).map(|(_, text)| text);
        let paths = texts.flat_map(|text| pattern.into_iter().flat_map(move |p| p.find_iter(text)));
        paths.filter_map(|path| Some(fold(path.as_str().rsplit_once('\\')?.0))).collect()
    };
    !folders(a).is_disjoint(&folders(b))
}

/// Of each group the finding with the most points counts; equal ones in the order in which they came.
fn choose(points: &mut [Point], findings: &[Finding]) {
    let group = |p: &Point| findings[p.finding].rule.group.clone().unwrap_or_else(|| p.rule.clone());
    let mut best: BTreeMap<String, usize> = BTreeMap::new();
    for (i, point) in points.iter().enumerate() {
        let entry = best.entry(group(point)).or_insert(i);
        if point.points > points[*entry].points {
            *entry = i;
        }
    }
    for i in 0..points.len() {
        let chosen = best.get(&group(&points[i])).copied().unwrap_or(i);
        if chosen == i {
            points[i].counted = points[i].points > 0.0;
        } else if points[i].points > 0.0 {
            let other = points[chosen].rule.clone();
            let group = group(&points[i]);
            points[i].why.push_str(&format!("; support: in the group '{group}' the heavier {other} counts"));
            points[i].why_ja.push_str(&format!("。補強証拠(同一事実のグループ「{group}」では最も重い{other}のみ算入)"));
        }
    }
}

fn stage_scores(points: &[Point], policy: &VerdictPolicy) -> Vec<StageScore> {
    Stage::ALL
        .iter()
        .filter(|(stage, _)| points.iter().any(|p| p.stage == *stage))
        .map(|&(stage, _)| {
            let sum = round(points.iter().filter(|p| p.stage == stage && p.counted).map(|p| p.points).sum());
            let cap = policy.stage_cap.get(&stage).copied().unwrap_or(0.0);
            StageScore { stage, sum, cap, score: sum.min(cap) }
        })
        .collect()
}

fn bonuses(points: &[Point], findings: &[Finding], policy: &VerdictPolicy) -> Vec<Bonus> {
    let strong: Vec<&Point> = points.iter().filter(|p| p.points > 0.0 && Some(p.class) >= policy.stage_class).collect();
    let mut bonuses = Vec::new();
    if let Some(chain) = chain(&strong, findings, policy) {
        let names: Vec<_> = chain.iter().map(|i| name(&findings[*i])).collect();
        let minutes = policy.chain.1 / 600_000_000;
        bonuses.push(Bonus {
            name: "chain".to_owned(),
            points: policy.chain.0,
            why: format!("{} follow one another inside {minutes} minutes", names.join(" → ")),
            why_ja: format!("{}が{minutes}分以内に順に発生", names.join(" → ")),
            findings: chain,
        });
    }
    if let Some((path, artifacts, from)) = same_path(points, findings, policy) {
        bonuses.push(Bonus {
            name: "same_path".to_owned(),
            points: policy.same_path.0,
            why: format!("{} name the same file {path}", artifacts.join(", ")),
            why_ja: format!("{}が同一ファイル{path}を示す", artifacts.join("、")),
            findings: from,
        });
    }
    let mut users = users(&strong, findings, false, policy);
    // A SID that no profile and no account of this machine bears may be another name of one that is.
    users.retain(|user| !user.starts_with("S-1-5-"));
    if users.len() > 1 {
        bonuses.push(Bonus {
            name: "second_user".to_owned(),
            points: policy.second_user,
            why: format!("findings name the accounts {}", users.join(", ")),
            why_ja: format!("複数のアカウント({})に検出あり", users.join("、")),
            findings: strong.iter().map(|p| p.finding).collect(),
        });
    }
    bonuses
}

/// One finding of each step, in the order of time, first to last inside the span.
fn chain(strong: &[&Point], findings: &[Finding], policy: &VerdictPolicy) -> Option<Vec<usize>> {
    let (_, within, order) = &policy.chain;
    let mut timed: Vec<(Timestamp, usize, Stage)> =
        strong.iter().filter_map(|p| Some((findings[p.finding].time?, p.finding, p.stage))).collect();
    timed.sort_by_key(|(time, finding, _)| (*time, *finding));
    let first = order.first()?;
    timed.iter().enumerate().filter(|(_, (_, _, stage))| first.contains(stage)).find_map(|(i, (start, ..))| {
        let mut chain = Vec::new();
        let mut next = i;
        for stages in order {
            let found = timed.iter().enumerate().skip(next).find(|(_, (_, _, stage))| stages.contains(stage))?;
            let (at, (time, finding, _)) = found;
            if time.filetime() - start.filetime() > *within {
                return None;
            }
            chain.push(*finding);
            next = at + 1;
        }
        Some(chain)
    })
}

/// Paths in a text: a drive letter, folders, and a name with an extension.
static PATH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)[a-z]:\\(?:[^\\/:*?"<>|\r\n]+\\)*[^\\/:*?"<>|\r\n]*?\.[a-z0-9]{2,4}\b"#).ok());

fn same_path(
    points: &[Point],
    findings: &[Finding],
    policy: &VerdictPolicy,
) -> Option<(String, Vec<String>, Vec<usize>)> {
    let pattern = PATH.as_ref()?;
    let mut named: BTreeMap<String, (BTreeSet<&str>, BTreeSet<usize>)> = BTreeMap::new();
    for point in points.iter().filter(|p| p.points > 0.0) {
        for evidence in &findings[point.finding].evidence {
            for found in evidence.fields.iter().flat_map(|(_, text)| pattern.find_iter(text)) {
                let path = fold(found.as_str());
                let folder = path.rsplit_once('\\').map_or("", |(folder, _)| folder);
                if policy.common_folders.iter().any(|f| f == folder) {
                    continue;
                }
                let entry = named.entry(path).or_default();
                entry.0.insert(evidence.artifact);
                entry.1.insert(point.finding);
            }
        }
    }
    let (path, (artifacts, from)) =
        named.into_iter().find(|(_, (artifacts, _))| artifacts.len() >= policy.same_path.1)?;
    Some((path, artifacts.into_iter().map(str::to_owned).collect(), from.into_iter().collect()))
}

/// The first conclusion one of whose clauses holds, and the clause with its numbers as a sentence.
fn conclude(
    score: f64,
    coverage: f64,
    points: &[Point],
    met: &BTreeSet<Stage>,
    policy: &VerdictPolicy,
) -> (Conclusion, Said) {
    for (conclusion, clauses) in &policy.conclusions {
        if let Some(why) = clauses.iter().find_map(|c| clause_holds(c, score, coverage, points, met)) {
            return (*conclusion, why);
        }
    }
    (Conclusion::Inconclusive, Said::new("No clause of the policy holds.", "判定基準のいずれにも該当しない。"))
}

fn clause_holds(clause: &Clause, score: f64, coverage: f64, points: &[Point], met: &BTreeSet<Stage>) -> Option<Said> {
    let mut why: Vec<Said> = Vec::new();
    let titles = |stages: &mut dyn Iterator<Item = &Stage>| {
        let (en, ja): (Vec<_>, Vec<_>) = stages.map(|s| (s.title(), s.title_ja())).unzip();
        (en.join(", "), ja.join("、"))
    };
    if let Some(limit) = clause.score {
        let said = Said::new(format!("score {score} of at least {limit}"), format!("評価点{score}(基準{limit}以上)"));
        why.push((score >= limit).then_some(said)?);
    }
    if let Some(limit) = clause.stages {
        let (en, ja) = titles(&mut met.iter());
        let said = Said::new(
            format!("{} stages ({en}), {limit} needed", met.len()),
            format!("{}段階({ja})に検出(基準{limit}段階以上)", met.len()),
        );
        why.push((met.len() >= limit).then_some(said)?);
    }
    if let Some(class) = clause.class {
        let fits = |p: &&Point| {
            let others = met.iter().filter(|s| **s != p.stage).count();
            p.points > 0.0
                && p.class >= class
                && clause.confidence.is_none_or(|c| p.confidence >= c)
                && (clause.class_in.is_empty() || clause.class_in.contains(&p.stage))
                && clause.other_stages.is_none_or(|n| others >= n)
        };
        let point = points.iter().find(fits)?;
        let mut said = Said::new(
            format!(
                "{} (class {:?}, stage {}, confidence {})",
                point.rule,
                point.class,
                point.stage.title(),
                point.confidence
            ),
            format!(
                "{}(クラス{:?}、{}段階、確度{})",
                point.rule,
                point.class,
                point.stage.title_ja(),
                point.confidence
            ),
        );
        if clause.other_stages.is_some() {
            let (en, ja) = titles(&mut met.iter().filter(|s| **s != point.stage));
            said.en.push_str(&format!(" and findings in {en}"));
            said.ja.push_str(&format!("のほか、{ja}の段階にも検出"));
        }
        why.push(said);
    }
    if let Some(limit) = clause.coverage {
        let said = Said::new(
            format!("nothing of weight was found, and {coverage:.2} of the evidence was read, {limit} needed"),
            format!("重要な検出がなく、証拠の{coverage:.2}を調査できた(基準{limit}以上)"),
        );
        why.push((coverage >= limit).then_some(said)?);
    }
    if why.is_empty() {
        why.push(Said::new(
            format!("nothing of weight was found, but only {coverage:.2} of the evidence could be read"),
            format!("重要な検出はないが、調査できた証拠は{coverage:.2}にとどまる"),
        ));
    }
    let (en, ja): (Vec<_>, Vec<_>) = why.into_iter().map(|s| (s.en, s.ja)).unzip();
    let mut text = en.join("; ");
    text.push('.');
    Some(Said { en: text[..1].to_uppercase() + &text[1..], ja: ja.join("。") + "。" })
}

/// True if a product stopped it where mail lands, and nothing speaks of more.
fn is_blocked(strong: &[&Point], findings: &[Finding], policy: &VerdictPolicy) -> bool {
    let stopped = |p: &&&Point| findings[p.finding].outcome.as_deref() == Some("blocked");
    let seen = |p: &&&Point| findings[p.finding].outcome.as_deref() == Some("seen");
    strong.iter().any(|p| stopped(&p))
        && strong
            .iter()
            .all(|p| !policy.blocked_unless.contains(&p.stage) && (p.stage != Stage::Av || stopped(&p) || seen(&p)))
}

fn state(strong: &[&Point], findings: &[Finding], blocked: bool, policy: &VerdictPolicy) -> HostState {
    if strong.is_empty() {
        return HostState::None;
    }
    if blocked {
        return HostState::Blocked;
    }
    let there = |e: &Evidence| {
        matches!(e.state, State::Live | State::LogReplayed)
            && e.locator.snapshot.is_none()
            && !policy.state_without_events.iter().any(|event| event == e.event)
    };
    // The carrier lies there: that tells something only while nothing came of it.
    let only_delivered = strong.iter().all(|p| p.stage == Stage::Delivery);
    let shows = |what: Shows| {
        strong.iter().any(|p| {
            let finding = &findings[p.finding];
            // What other programs share does not show that the program itself is there, unless more speaks of the same folder.
            let sure = |p: &&Point| p.class >= EvidenceClass::S;
            let beside = || {
                strong.iter().filter(|other| sure(other)).any(|other| same_folder(finding, &findings[other.finding]))
            };
            finding.rule.shows == Some(what)
                && (p.stage != Stage::Delivery || only_delivered)
                && (sure(p) || (what == Shows::File && beside()))
                && match what {
                    Shows::Autorun => finding.evidence.iter().all(there),
                    // The file is there though a value beside it, which started it, was deleted.
                    Shows::File => finding.evidence.iter().any(there),
                }
        })
    };
    match (shows(Shows::Autorun), shows(Shows::File)) {
        (true, _) => HostState::Active,
        (false, true) => HostState::Dormant,
        (false, false) => HostState::Removed,
    }
}

fn reached(strong: &[&Point], findings: &[Finding], blocked: bool, policy: &VerdictPolicy) -> Vec<(String, usize)> {
    let shows = |step: &str, stages: &[Stage], p: &Point| match &findings[p.finding].rule.reached {
        Some(own) => own == step,
        // What was stopped where mail and downloads land had come that far.
        None if blocked && p.stage == Stage::Av => stages.contains(&Stage::Delivery),
        None => stages.contains(&p.stage),
    };
    policy
        .reached
        .iter()
        .filter_map(|(step, stages)| {
            let point = strong.iter().find(|p| shows(step, stages, p))?;
            Some((step.clone(), point.finding))
        })
        .collect()
}

/// Accounts that the findings name. Where a security product stopped it, the account that it came to.
fn users(strong: &[&Point], findings: &[Finding], blocked: bool, policy: &VerdictPolicy) -> Vec<String> {
    let machine = |user: &str| {
        let name = user.rsplit('\\').next().unwrap_or(user).to_uppercase();
        matches!(
            name.as_str(),
            "" | "-" | "SYSTEM" | "LOCAL SERVICE" | "NETWORK SERVICE" | "S-1-5-18" | "S-1-5-19" | "S-1-5-20"
        )
    };
    let own = strong.iter().filter(|p| {
        (!policy.users_without.contains(&p.stage) || (blocked && p.stage == Stage::Av))
            && !policy.users_without_rules.contains(&p.rule)
    });
    let named = own.flat_map(|p| &findings[p.finding].evidence).filter_map(|e| e.user.clone());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for user in named.filter(|u| !machine(u)) {
        *counts.entry(user).or_default() += 1;
    }
    let mut users: Vec<_> = counts.into_iter().collect();
    users.sort_by_key(|(user, count)| (user.starts_with("S-1-5-"), std::cmp::Reverse(*count)));
    users.into_iter().map(|(user, _)| user).collect()
}

/// See `window_gap` in `verdict.yaml`.
fn window(strong: &[&Point], all: &[Point], findings: &[Finding], policy: &VerdictPolicy) -> Option<Window> {
    let mut timed: Vec<(Timestamp, Timestamp, &Point)> = strong
        .iter()
        .filter(|p| !policy.window_without.contains(&p.stage) && !policy.window_without_rules.contains(&p.rule))
        .filter_map(|p| {
            let finding = &findings[p.finding];
            // Only a finding of several events lasts; beside a single one stands other evidence with times of its own.
            let last = finding.evidence.iter().filter_map(|e| e.time).max().filter(|_| finding.count > 1);
            Some((finding.time?, last.max(finding.time)?, *p))
        })
        .collect();
    timed.sort_by_key(|(time, _, p)| (*time, p.finding));
    let mut best: Option<(f64, Window)> = None;
    let mut run: Option<(f64, Window)> = None;
    for (time, last, point) in timed {
        let points = if point.counted { point.points } else { 0.0 };
        let near =
            run.as_ref().is_some_and(|(_, w)| time.filetime().saturating_sub(w.until.filetime()) <= policy.window_gap);
        match &mut run {
            Some((sum, window)) if near => {
                *sum += points;
                if last > window.until {
                    (window.until, window.last) = (last, point.finding);
                }
            }
            _ => {
                let window = Window { from: time, until: last, first: point.finding, last: point.finding };
                run = Some((points, window));
            }
        }
        if let Some((sum, window)) = &run
            && best.as_ref().is_none_or(|(b, w)| sum > b || (sum == b && w.from == window.from))
        {
            best = Some((*sum, window.clone()));
        }
    }
    let (_, mut window) = best?;
    // How it came is weak evidence by itself and does not open a window; just before one, it is where it begins.
    let before = all.iter().filter(|p| p.stage == Stage::Delivery && p.points > 0.0).filter_map(|p| {
        let time = findings[p.finding].time?;
        let lead = window.from.filetime().checked_sub(time.filetime())?;
        (lead <= policy.window_lead).then_some((time, p.finding))
    });
    if let Some((time, finding)) = before.min() {
        (window.from, window.first) = (time, finding);
    }
    Some(window)
}

fn coverage_share(coverage: &Coverage, policy: &VerdictPolicy) -> (f64, Vec<CoverageLine>) {
    let mut lines = Vec::new();
    let (mut sum, mut of) = (0.0, 0.0);
    for Source { name: source, name_ja, weight, artifacts } in &policy.coverage {
        let known: Vec<_> = artifacts.iter().filter_map(|a| coverage.artifacts.get_key_value(a.as_str())).collect();
        let mut line = CoverageLine {
            source: source.clone(),
            weight: *weight,
            read: 0.0,
            why: None,
            source_ja: name_ja.clone(),
            why_ja: None,
        };
        let mut why = None;
        if known.is_empty() {
            line.weight = 0.0;
            line.why = Some("this version has no parser for it; not counted".to_owned());
            line.why_ja = Some("本バージョンでは未対応のため算入しない".to_owned());
            lines.push(line);
            continue;
        }
        let (mut read, mut found) = (0.0, 0.0);
        let off: Vec<&str> = known.iter().flat_map(|(_, a)| &a.switched_off).map(String::as_str).collect();
        for (name, artifact) in known {
            // A file that lies in the right place but holds something else is not this evidence.
            found += artifact.found.saturating_sub(artifact.other_format) as f64;
            read += artifact.complete as f64 + 0.5 * artifact.truncated as f64;
            if let Some(reason) = &artifact.not_available {
                why = Some(Said::new(format!("{name}: {reason}"), format!("{name}: 利用不可({reason})")));
            } else if artifact.truncated + artifact.failed > 0 {
                let (part, not) = (artifact.truncated, artifact.failed);
                why = Some(Said::new(
                    format!("{name}: {part} read in part, {not} not at all"),
                    format!("{name}: {part}件は一部のみ、{not}件は読み取り不可"),
                ));
            }
        }
        line.read = if found > 0.0 { (read / found).min(1.0) } else { 0.0 };
        if found == 0.0 && why.is_none() {
            why = Some(Said::new("not found on this evidence", "この証拠には存在しない"));
        }
        // What was never recorded is not missing. It still does not speak for the machine: its weight counts as not read.
        if !off.is_empty() {
            let off = off.join("; ");
            why = Some(match why {
                Some(_) if found == 0.0 => Said::new(
                    format!("switched off on this machine, so it is not missing: {off}"),
                    format!("この機器では記録が無効(欠落ではない): {off}"),
                ),
                Some(Said { en, ja }) => {
                    Said::new(format!("{en}; switched off: {off}"), format!("{ja}、記録が無効: {off}"))
                }
                None => Said::new(format!("switched off in part: {off}"), format!("一部の記録が無効: {off}")),
            });
        }
        (line.why, line.why_ja) = why.map(|w| (w.en, w.ja)).unzip();
        sum += weight * line.read;
        of += weight;
        lines.push(line);
    }
    (if of > 0.0 { sum / of } else { 0.0 }, lines)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::detect::RuleSet;
    use crate::model::{ArtifactCoverage, Level, Locator, Meaning, RuleInfo};

    /// A finding as one line says it: stage class weight group, time, state, artifact, user and a field.
    struct Make {
        name: &'static str,
        stage: Stage,
        class: EvidenceClass,
        weight: u32,
        group: &'static str,
        time: &'static str,
        state: State,
        artifact: &'static str,
        user: Option<&'static str>,
        path: &'static str,
    }

    fn base(name: &'static str, stage: Stage, class: EvidenceClass, weight: u32) -> Make {
        Make {
            name,
            stage,
            class,
            weight,
            group: name,
            time: "2020-08-26T05:00:00Z",
            state: State::Live,
            artifact: "a",
            user: None,
            path: "",
        }
    }

    fn make(m: &Make, change: impl Fn(&mut RuleInfo)) -> Finding {
        let mut info = RuleInfo {
            id: m.name.to_owned(),
            name: Some(m.name.to_owned()),
            title: m.name.to_owned(),
            title_ja: None,
            description: String::new(),
            status: "test".to_owned(),
            level: Level::High,
            tags: Vec::new(),
            false_positives: Vec::new(),
            false_positives_ja: Vec::new(),
            references: Vec::new(),
            stage: Some(m.stage),
            weight: m.weight,
            class: Some(m.class),
            group: Some(m.group.to_owned()),
            periods: Vec::new(),
            time_meaning: None,
            reached: None,
            shows: None,
            near: None,
            file: String::new(),
        };
        change(&mut info);
        let time = Timestamp::parse(m.time);
        let evidence = Evidence {
            time,
            meaning: Meaning::LOGGED,
            event: "e",
            artifact: m.artifact,
            state: m.state,
            user: m.user.map(str::to_owned),
            locator: Arc::new(Locator::default()),
            offset: None,
            message: String::new(),
            fields: vec![("f".to_owned(), m.path.to_owned())],
        };
        Finding { rule: Arc::new(info), weight: m.weight, outcome: None, time, evidence: vec![evidence], count: 1 }
    }

    fn plain(m: &Make) -> Finding {
        make(m, |_| {})
    }

    fn policy() -> VerdictPolicy {
        RuleSet::empty().unwrap().policy().clone()
    }

    fn covered(all: bool) -> Coverage {
        let mut coverage = Coverage::default();
        for name in ["mft", "usn", "run_keys", "event_log", "prefetch", "lnk_files"] {
            let found = u64::from(all);
            *coverage.of(name) = ArtifactCoverage { found, complete: found, ..ArtifactCoverage::default() };
        }
        coverage
    }

    fn conclusion(findings: &[Finding], all: bool) -> (Conclusion, f64) {
        let verdict = judge(findings, &covered(all), &policy());
        (verdict.conclusion, verdict.score)
    }

    use EvidenceClass::{D, M, S, W};
    use Stage::{Av, Delivery, Execution, Install, Persistence};

    /// Expected values follow section "verdict" of `verdict.yaml`, worked out by hand.
    #[test]
    fn conclusions() {
        let d = || plain(&base("D", Install, D, 70));
        let s = |name, stage, weight| plain(&base(name, stage, S, weight));
        let w = || plain(&base("W", Delivery, W, 5));
        for (findings, all, expected, score) in [
            (vec![], true, Conclusion::NotDetected, 0.0),
            (vec![], false, Conclusion::Inconclusive, 0.0),
            (vec![w()], true, Conclusion::NotDetected, 5.0),
            (vec![w()], false, Conclusion::Inconclusive, 5.0),
            (vec![plain(&base("M", Persistence, M, 15))], true, Conclusion::NotDetected, 15.0),
            (vec![s("S", Execution, 20)], true, Conclusion::Suspicious, 20.0),
            (vec![s("S", Execution, 20)], false, Conclusion::Suspicious, 20.0),
            (vec![d()], true, Conclusion::Suspicious, 70.0),
            (vec![d(), w()], true, Conclusion::Suspicious, 75.0),
            (vec![plain(&base("P", Install, D, 90))], true, Conclusion::Likely, 90.0),
            (vec![d(), s("S", Execution, 35)], true, Conclusion::Confirmed, 105.0),
            (vec![s("A", Execution, 35), s("B", Persistence, 60)], true, Conclusion::Likely, 95.0),
            (vec![s("A", Execution, 70), s("B", Execution, 70)], true, Conclusion::Suspicious, 70.0),
        ] {
            let names: Vec<_> = findings.iter().map(|f| f.rule.id.clone()).collect();
            assert_eq!(conclusion(&findings, all), (expected, score), "{names:?}");
        }
        // 45 (delivery, cut) + 35 + 60 = 140 and the chain's 15; three stages, a strong hit in persistence.
        let three = [s("A", Delivery, 55), s("B", Execution, 35), s("C", Persistence, 60)];
        assert_eq!(conclusion(&three, true), (Conclusion::Confirmed, 155.0));
    }

    #[test]
    fn the_state_of_the_evidence_and_the_period_count() {
        let mut deleted = base("X", Install, D, 70);
        deleted.state = State::Carved;
        let other = plain(&base("Y", Execution, M, 15));
        let verdict = judge(&[plain(&deleted), other], &covered(true), &policy());
        assert_eq!(verdict.points[0].points, 42.0, "70 × 0.6");
        assert_ne!(verdict.conclusion, Conclusion::Confirmed, "a definitive hit needs a confidence of 0.8");
        for (from, until, factor) in
            [("2020-08-01", "2020-09-01", 1.0), ("2020-09-01", "2021-01-01", 0.8), ("2022-01-01", "2023-01-01", 0.5)]
        {
            let period = Period { from: Timestamp::parse(from), until: Timestamp::parse(until) };
            let finding = make(&base("X", Install, S, 40), |i| i.periods = vec![period]);
            let verdict = judge(&[finding], &covered(true), &policy());
            assert_eq!((verdict.points[0].period, verdict.points[0].points), (factor, 40.0 * factor), "{from}");
        }
    }

    /// Where nothing of weight was found, nothing is said of an infection's state, time and accounts.
    #[test]
    fn no_infection_has_no_state_and_no_window() {
        let weak = plain(&Make { user: Some("taro"), ..base("M", Delivery, M, 12) });
        for all in [true, false] {
            let verdict = judge(std::slice::from_ref(&weak), &covered(all), &policy());
            assert!(matches!(verdict.conclusion, Conclusion::NotDetected | Conclusion::Inconclusive));
            assert_eq!((verdict.state, &verdict.window), (HostState::None, &None));
            assert!(verdict.users.is_empty() && verdict.reached.is_empty());
            assert_eq!(verdict.points.len(), 1, "what was found is listed all the same");
        }
    }

    /// Every finding is there with its reason, whether it counts or not.
    #[test]
    fn one_fact_counts_once_and_every_point_is_explained() {
        let mut a = base("A", Persistence, S, 60);
        let mut b = base("B", Persistence, S, 45);
        (a.group, b.group) = ("run", "run");
        let context = make(&base("C", Stage::Antiforensics, M, 15), |i| {
            i.near = Some(Near { before: 0, after: DAY, same_folder: false })
        });
        let far = make(&Make { time: "2021-08-26T05:00:00Z", ..base("F", Stage::Antiforensics, M, 15) }, |i| {
            i.near = Some(Near { before: 0, after: DAY, same_folder: false })
        });
        let verdict = judge(&[plain(&b), plain(&a), context, far], &covered(true), &policy());
        let point = |name: &str| verdict.points.iter().find(|p| p.rule == name).unwrap();
        assert!(point("A").counted && !point("B").counted && point("C").counted && !point("F").counted);
        assert!(point("A").why.contains("60 × 1 (evidence in use)"), "{}", point("A").why);
        assert!(point("B").why.contains("support: in the group 'run' the heavier A counts"));
        assert!(point("C").why.contains("it lies near"));
        assert!(point("F").why.contains("left out"));
        assert_eq!(verdict.score, 75.0);
        let sum: f64 =
            verdict.stages.iter().map(|s| s.score).sum::<f64>() + verdict.bonuses.iter().map(|b| b.points).sum::<f64>();
        assert_eq!(sum, verdict.score, "the parts make the sum");
    }

    #[test]
    fn bonuses() {
        let at = |name, stage, time, artifact, user, path| {
            plain(&Make { time, artifact, user, path, ..base(name, stage, S, 10) })
        };
        let path = r"C:\Users\a\AppData\Local\x\y.dll";
        let quoted = r#"regsvr32.exe /s "c:\users\a\appdata\local\X\Y.dll""#;
        let findings = [
            at("E", Execution, "2020-08-26T05:10:00Z", "event_log", Some("a"), quoted),
            at("D", Delivery, "2020-08-26T05:00:00Z", "mft", Some("a"), path),
            at("I", Install, "2020-08-26T05:20:00Z", "prefetch", Some("b"), path),
        ];
        let verdict = judge(&findings, &covered(true), &policy());
        let names: Vec<_> = verdict.bonuses.iter().map(|b| (b.name.as_str(), b.points)).collect();
        assert_eq!(names, [("chain", 15.0), ("same_path", 10.0), ("second_user", 5.0)]);
        assert_eq!(verdict.bonuses[0].findings, [1, 0, 2]);
        assert_eq!(verdict.users, ["a", "b"]);
        let late = at("I", Install, "2020-08-26T05:31:00Z", "prefetch", Some("SYSTEM"), r"C:\Windows\System32\cmd.exe");
        let verdict = judge(&[findings[0].clone(), findings[1].clone(), late], &covered(true), &policy());
        assert!(verdict.bonuses.is_empty(), "{:?}", verdict.bonuses);
    }

    #[test]
    fn blocked_is_not_infected() {
        let mut stopped = plain(&base("AV", Av, S, 20));
        stopped.outcome = Some("blocked".to_owned());
        let document = plain(&base("DEL", Delivery, S, 60));
        let verdict = judge(&[stopped.clone(), document.clone()], &covered(true), &policy());
        assert_eq!((verdict.conclusion, verdict.state), (Conclusion::Suspicious, HostState::Blocked));
        let ran = plain(&base("EXE", Execution, S, 50));
        let verdict = judge(&[stopped, document, ran], &covered(true), &policy());
        assert_eq!(verdict.conclusion, Conclusion::Likely);
        assert_ne!(verdict.state, HostState::Blocked);
    }

    #[test]
    fn state_reached_and_window() {
        let autorun = make(&base("RUN", Persistence, S, 60), |i| i.shows = Some(Shows::Autorun));
        let file = make(&base("FILE", Install, S, 35), |i| i.shows = Some(Shows::File));
        let mut gone = base("FILE", Install, S, 35);
        gone.state = State::Deleted;
        let gone = make(&gone, |i| i.shows = Some(Shows::File));
        let opened = make(&base("DOC", Delivery, M, 15), |i| i.reached = Some("opened".to_owned()));
        let state = |f: &[Finding]| judge(f, &covered(true), &policy()).state;
        assert_eq!(state(&[autorun.clone(), file.clone()]), HostState::Active);
        assert_eq!(state(std::slice::from_ref(&file)), HostState::Dormant);
        assert_eq!(state(&[gone]), HostState::Removed);
        assert_eq!(state(&[]), HostState::None);
        let mut logged = autorun.clone();
        logged.evidence[0].event = "windows:evtx:record";
        assert_eq!(state(&[logged]), HostState::Removed, "a log tells what was, not what is");
        // The file lies there, the value that started it was deleted.
        let mut stopped = file.clone();
        stopped.evidence.push(Evidence { state: State::Deleted, ..autorun.evidence[0].clone() });
        assert_eq!(state(&[stopped]), HostState::Dormant);
        // Names that others use too show the file only together with surer evidence of its folder.
        let dll = r"C:\Users\u\AppData\Local\VqYnTzKb\hGtWqPz.dll";
        let named = make(&Make { path: dll, ..base("NAMES", Install, M, 20) }, |i| i.shows = Some(Shows::File));
        let ran = plain(&Make { path: dll, ..base("RAN", Execution, S, 50) });
        let elsewhere = plain(&base("RAN", Execution, S, 50));
        assert_eq!(state(&[named.clone(), ran]), HostState::Dormant);
        assert_eq!(state(&[named, elsewhere]), HostState::Removed);
        let mut link = make(&base("LNK", Delivery, S, 55), |i| i.shows = Some(Shows::File));
        assert_eq!(state(std::slice::from_ref(&link)), HostState::Dormant, "it came, and was never opened");
        assert_eq!(state(&[link.clone(), plain(&base("RAN", Execution, S, 50))]), HostState::Removed);
        link.evidence[0].state = State::Deleted;
        assert_eq!(state(&[link]), HostState::Removed);
        let mut half = autorun.clone();
        half.evidence.push(Evidence { state: State::Deleted, ..autorun.evidence[0].clone() });
        assert_eq!(state(&[half]), HostState::Removed, "what starts it must be there as a whole");
        let old = plain(&Make { time: "2019-01-01T00:00:00Z", ..base("OLD", Execution, M, 15) });
        let end = plain(&Make { time: "2020-08-30T05:00:00Z", ..base("END", Execution, M, 15) });
        let verdict = judge(&[old, opened, autorun, file, end], &covered(true), &policy());
        let steps: Vec<_> = verdict.reached.iter().map(|(step, _)| step.as_str()).collect();
        assert_eq!(steps, ["opened", "executed", "installed", "persistent"]);
        let window = verdict.window.unwrap();
        assert_eq!(&window.from.to_string()[..10], "2020-08-26");
        assert_eq!(&window.until.to_string()[..10], "2020-08-30");
    }

    #[test]
    fn coverage_counts_only_what_has_a_parser() {
        let mut coverage = covered(true);
        *coverage.of("prefetch") = ArtifactCoverage { found: 4, complete: 2, failed: 2, ..ArtifactCoverage::default() };
        let verdict = judge(&[], &coverage, &policy());
        let line = |name: &str| verdict.coverage_lines.iter().find(|l| l.source.starts_with(name)).unwrap();
        assert_eq!(line("prefetch").read, 0.5);
        assert_eq!(line("network use").weight, 0.0);
        // 90 + 90 + 80 + 90 + 70 / 2 + 20 of 440
        assert!((verdict.coverage - 405.0 / 440.0).abs() < 1e-9, "{}", verdict.coverage);
    }

    #[test]
    fn the_same_input_gives_the_same_verdict() {
        let findings: Vec<_> = (0..50)
            .map(|i| plain(&base(["A", "B", "C"][i % 3], Stage::ALL[i % 13].0, [S, M, W][i % 3], (i % 40) as u32)))
            .collect();
        let first = judge(&findings, &covered(true), &policy());
        assert!((0..5).all(|_| judge(&findings, &covered(true), &policy()) == first));
    }
}
