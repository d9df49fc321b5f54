//! What follows from the findings, with every point explained.

use serde::Serialize;

use super::{EvidenceClass, Stage, Timestamp};

/// The answer to "was this host infected?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Too little evidence could be read to say anything (判定不能).
    Inconclusive,
    /// Nothing of weight was found, and enough was read to say so (検出されず).
    NotDetected,
    /// Something fits, but not enough (疑いあり).
    Suspicious,
    /// Probably infected (感染の可能性が高い).
    Likely,
    /// Infected (感染確認).
    Confirmed,
}

impl Conclusion {
    /// Every conclusion with its name in `verdict.yaml` and in output.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Confirmed, "confirmed"),
        (Self::Likely, "likely"),
        (Self::Suspicious, "suspicious"),
        (Self::NotDetected, "not_detected"),
        (Self::Inconclusive, "inconclusive"),
    ];

    /// The name in `verdict.yaml` and in output.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(c, _)| *c == self).map_or("", |(_, name)| name)
    }
}

/// What is left of the infection on the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// No sign of an infection.
    None,
    /// A security product stopped it before it ran.
    Blocked,
    /// Only traces are left.
    Removed,
    /// The file is there, but nothing starts it.
    Dormant,
    /// The file and what starts it are there.
    Active,
}

/// One finding as it was weighed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Place of the finding in the list that was judged.
    pub finding: usize,
    /// The rule's short name or identifier.
    pub rule: String,
    /// The stage.
    pub stage: Stage,
    /// How far a hit proves the family.
    pub class: EvidenceClass,
    /// The rule's points.
    pub weight: f64,
    /// Factor for the state of the evidence.
    pub confidence: f64,
    /// Factor for the distance to the rule's period.
    pub period: f64,
    /// weight × confidence × period.
    pub points: f64,
    /// True if the points are in the sum; false for support and for what was left out.
    pub counted: bool,
    /// Every step of the calculation and why, in English.
    pub why: String,
    /// The same in Japanese.
    pub why_ja: String,
}

/// The sum of one stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageScore {
    /// The stage.
    pub stage: Stage,
    /// Sum of what counted.
    pub sum: f64,
    /// The most that the stage may give.
    pub cap: f64,
    /// The sum, cut at the cap.
    pub score: f64,
}

/// Points for how findings fit together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bonus {
    /// Its name in `verdict.yaml`.
    pub name: String,
    /// The points.
    pub points: f64,
    /// Why it was given.
    pub why: String,
    /// The same in Japanese.
    pub why_ja: String,
    /// The findings that it rests on.
    pub findings: Vec<usize>,
}

/// The time in which the infection happened, as far as the evidence tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// The first finding's instant.
    #[serde(serialize_with = "text")]
    pub from: Timestamp,
    /// The last finding's instant.
    #[serde(serialize_with = "text")]
    pub until: Timestamp,
    /// The finding that sets the start.
    pub first: usize,
    /// The finding that sets the end.
    pub last: usize,
}

fn text<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// One kind of evidence: was it there, and could it be read?
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoverageLine {
    /// Its name in `verdict.yaml`.
    pub source: String,
    /// Its share in the whole.
    pub weight: f64,
    /// How much of it was read: 0 to 1.
    pub read: f64,
    /// Why it is not 1, if it is not.
    pub why: Option<String>,
    /// Its name in Japanese.
    pub source_ja: String,
    /// The reason in Japanese.
    pub why_ja: Option<String>,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The answer.
    pub conclusion: Conclusion,
    /// Which clause of `verdict.yaml` gave the answer, as a sentence with the numbers that met it.
    pub because: String,
    /// The same in Japanese.
    pub because_ja: String,
    /// The sum of the stages and the bonuses.
    pub score: f64,
    /// By stage, in the order of an infection; stages without a finding are left out.
    pub stages: Vec<StageScore>,
    /// What was added for how findings fit together.
    pub bonuses: Vec<Bonus>,
    /// Every weighed finding, the heaviest first.
    pub points: Vec<Point>,
    /// Findings of rules that carry no weight, by place in the list that was judged.
    pub unweighed: Vec<usize>,
    /// The steps that the infection has reached, in order, with the finding that shows each.
    pub reached: Vec<(String, usize)>,
    /// What is left of it.
    pub state: HostState,
    /// When it happened.
    pub window: Option<Window>,
    /// Accounts that weighed findings name, the one that most of them name first.
    pub users: Vec<String>,
    /// Share of the evidence that could be read, 0 to 1.
    pub coverage: f64,
    /// By kind of evidence.
    pub coverage_lines: Vec<CoverageLine>,
}
