//! What a rule found.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{Event, Locator, Meaning, State, Timestamp};

/// How bad a hit of a rule is, as Sigma grades it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Of use as context.
    Informational,
    /// Notable, rarely an incident.
    Low,
    /// Should be reviewed.
    #[default]
    Medium,
    /// Likely an incident.
    High,
    /// An incident.
    Critical,
}

/// How far a hit proves the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum EvidenceClass {
    /// Impact data, never scored.
    X,
    /// Weak, or of use as context only.
    W,
    /// Moderate: behaviour shared with other families.
    M,
    /// Strong: documented behaviour with few innocent causes.
    S,
    /// Definitive: specific to the family by construction.
    D,
}

macro_rules! stages {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)+) => {
        /// The part of an infection that a hit belongs to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Stage { $($(#[doc = $doc])+ $variant,)+ }
        impl Stage {
            /// Every stage with its name in rules and output, in the order of an infection.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $name)),+];
        }
    };
}

stages! {
    /// How it came.
    Delivery = "delivery";
    /// Code was run.
    Execution = "execution";
    /// A file was put in place.
    Install = "install";
    /// It starts again by itself.
    Persistence = "persistence";
    /// The program's own content.
    Binary = "binary";
    /// It spoke with its operators.
    C2 = "c2";
    /// Data was gathered.
    Collection = "collection";
    /// It went on to other hosts.
    Lateral = "lateral";
    /// A security product spoke.
    Av = "av";
    /// Other malware followed.
    Followon = "followon";
    /// Traces were removed or forged.
    Antiforensics = "antiforensics";
    /// Mail was misused.
    Mail = "mail";
    /// What could have been read.
    Exposure = "exposure";
}

impl Stage {
    /// The name in rules and output.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage == self).map_or("", |(_, name)| name)
    }

    /// The name as a reader of English knows it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Execution => "execution",
            Self::Install => "installation",
            Self::Persistence => "persistence",
            Self::Binary => "program's content",
            Self::C2 => "C2 traffic",
            Self::Collection => "collection",
            Self::Lateral => "lateral movement",
            Self::Av => "security product",
            Self::Followon => "follow-on malware",
            Self::Antiforensics => "anti-forensics",
            Self::Mail => "mail misuse",
            Self::Exposure => "exposure",
        }
    }

    /// The name in Japanese.
    pub const fn title_ja(self) -> &'static str {
        match self {
            Self::Delivery => "配信",
            Self::Execution => "実行",
            Self::Install => "設置",
            Self::Persistence => "永続化",
            Self::Binary => "検体",
            Self::C2 => "C2通信",
            Self::Collection => "情報収集",
            Self::Lateral => "横展開",
            Self::Av => "検知製品",
            Self::Followon => "後続マルウェア",
            Self::Antiforensics => "痕跡の隠蔽",
            Self::Mail => "メール悪用",
            Self::Exposure => "影響範囲",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a hit on live evidence shows to be there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shows {
    /// The program's file.
    File,
    /// What starts the program by itself.
    Autorun,
}

/// A span of days in which a behaviour was seen. Either end may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// First instant.
    pub from: Option<Timestamp>,
    /// First instant after the span.
    pub until: Option<Timestamp>,
}

/// A hit counts only near another hit that stands on its own feet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Near {
    /// How long before the other hit it may lie, in 100 ns ticks.
    pub before: u64,
    /// How long after the other hit it may lie, in 100 ns ticks.
    pub after: u64,
    /// The other hit must name a file of the same folder.
    pub same_folder: bool,
}

/// What is known of a rule without its condition.
#[derive(Clone, Debug, Serialize)]
pub struct RuleInfo {
    /// Sigma's identifier, a UUID. Empty if the file gives none.
    pub id: String,
    /// The short name: `EMO-PER-001` for the project's own rules, else Sigma's `name` if there is one.
    pub name: Option<String>,
    /// Title in English.
    pub title: String,
    /// Title in Japanese.
    pub title_ja: Option<String>,
    /// What it looks for.
    pub description: String,
    /// Sigma's status (`stable`, `test` …), or `builtin` for rules that are code.
    pub status: String,
    /// How bad a hit is.
    pub level: Level,
    /// Sigma's tags, `attack.t1547.001` among them.
    pub tags: Vec<String>,
    /// Innocent causes.
    pub false_positives: Vec<String>,
    /// The same in Japanese; empty for rules that have none.
    pub false_positives_ja: Vec<String>,
    /// Where the knowledge comes from.
    pub references: Vec<String>,
    /// The part of an infection; absent for rules that are not weighed.
    pub stage: Option<Stage>,
    /// Points of a hit before any factor; 0 for rules that are not weighed.
    pub weight: u32,
    /// How far a hit proves the family.
    pub class: Option<EvidenceClass>,
    /// Hits of one group are the same fact seen several times; only the heaviest counts.
    pub group: Option<String>,
    /// When the behaviour was seen; empty for "at any time".
    pub periods: Vec<Period>,
    /// What the times of a hit mean.
    pub time_meaning: Option<String>,
    /// Name of the step that an infection has reached with a hit, where it isn't the stage's own.
    pub reached: Option<String>,
    /// What a hit on live evidence shows to be there now.
    pub shows: Option<Shows>,
    /// Counts only near another hit.
    pub near: Option<Near>,
    /// The rule file.
    pub file: String,
}

/// One event that made a rule hit.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// The instant; absent for undated evidence.
    #[serde(serialize_with = "time_text")]
    pub time: Option<Timestamp>,
    /// What happened at that instant.
    #[serde(serialize_with = "meaning_names")]
    pub meaning: Meaning,
    /// Name of the event's descriptor.
    pub event: &'static str,
    /// Name of the artifact that gave the event.
    pub artifact: &'static str,
    /// In what state the evidence was found.
    pub state: State,
    /// The account that the evidence names.
    pub user: Option<String>,
    /// The byte stream.
    pub locator: Arc<Locator>,
    /// Byte offset of the record in the stream.
    pub offset: Option<u64>,
    /// The event's text.
    pub message: String,
    /// The fields that the rule looked at, with their values as text (cut where they are very long).
    pub fields: Vec<(String, String)>,
}

/// Longest text of one field that is kept in a finding, in bytes.
const MAX_FIELD: usize = 4096;

impl Evidence {
    /// Takes from an event what a finding keeps.
    pub fn new(event: &Event, fields: Vec<(String, String)>) -> Self {
        Self {
            time: event.time,
            meaning: event.meaning,
            event: event.descriptor.name,
            artifact: event.artifact,
            state: event.state,
            user: event.user.clone(),
            locator: Arc::clone(&event.origin.locator),
            offset: event.origin.offset,
            message: cut(event.message()),
            fields: fields.into_iter().map(|(name, value)| (name, cut(value))).collect(),
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_FIELD {
        let end = (0..=MAX_FIELD).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A hit of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// The rule's points for this hit, before any factor.
    pub weight: u32,
    /// What the hit itself tells of the outcome: `blocked` when a security product stopped what it found, `seen` when it
    /// only names what it found at such a place.
    pub outcome: Option<String>,
    /// The instant of the event, of the first event for a rule over several; absent for undated evidence.
    #[serde(serialize_with = "time_text")]
    pub time: Option<Timestamp>,
    /// The events, in order. For a rule that counts, the first and the last of them.
    pub evidence: Vec<Evidence>,
    /// How many events the hit is made of; more than `evidence` holds for a rule that counts.
    pub count: u64,
}

fn time_text<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

fn meaning_names<S: Serializer>(meaning: &Meaning, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(meaning.names())
}
