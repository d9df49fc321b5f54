//! What the page shows, as plain values for its template.

use serde_json::{Value, json};

use crate::model::{Assessment, Conclusion, Evidence, Finding, HostState, ParseIssue, Stage, Step, Story};

const fn conclusion(conclusion: Conclusion) -> (&'static str, &'static str, &'static str) {
    match conclusion {
        Conclusion::Confirmed => ("Infection confirmed", "感染確認", "The host was infected with Emotet."),
        Conclusion::Likely => ("Infection likely", "感染の可能性が高い", "The host was probably infected with Emotet."),
        Conclusion::Suspicious => ("Suspicious", "疑いあり", "Some evidence fits Emotet, but not enough."),
        Conclusion::NotDetected => {
            ("Not detected", "検出されず", "Nothing of weight was found, and enough was read to say so.")
        }
        Conclusion::Inconclusive => {
            ("Inconclusive", "判定不能", "Too little of the evidence could be read to say anything.")
        }
    }
}

const fn conclusion_ja(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Confirmed => "この端末はEmotetに感染していました。",
        Conclusion::Likely => "この端末はEmotetに感染していた可能性が高いと判断します。",
        Conclusion::Suspicious => "Emotetに合致する証拠がありますが、判断には不十分です。",
        Conclusion::NotDetected => "重要な証拠は見つからず、判断に足る範囲を調査できました。",
        Conclusion::Inconclusive => "調査できた証拠が少なく、判断できません。",
    }
}

const fn state(state: HostState) -> (&'static str, &'static str) {
    match state {
        HostState::None => ("No sign of an infection", "感染の痕跡なし"),
        HostState::Blocked => ("Blocked: a security product stopped it", "検知製品により阻止"),
        HostState::Removed => ("Removed: only traces are left", "除去済み(痕跡のみ)"),
        HostState::Dormant => {
            ("Dormant: the file is there, nothing that starts it was found", "ファイルは残存、起動設定なし")
        }
        HostState::Active => ("Active: the file and what starts it are there", "活動可能(ファイルと起動設定が残存)"),
    }
}

/// The steps that an infection goes through, with their Japanese names.
const STEPS: &[(&str, &str, &str)] = &[
    ("delivered", "delivered", "配信"),
    ("opened", "opened", "開封"),
    ("executed", "executed", "実行"),
    ("installed", "installed", "設置"),
    ("persistent", "persistent", "永続化"),
    ("communicated", "communicated", "通信"),
    ("data_access", "data access", "情報参照"),
    ("spread", "spread", "拡散"),
];

pub(super) fn verdict(assessment: &Assessment) -> Value {
    let v = &assessment.verdict;
    let (name, name_ja, text) = conclusion(v.conclusion);
    let (state, state_ja) = state(v.state);
    let steps: Vec<Value> = STEPS
        .iter()
        .map(|(step, name, ja)| {
            let reached = v.reached.iter().find(|(r, _)| r == step);
            json!({"name": name, "ja": ja, "finding": reached.map(|(_, f)| f)})
        })
        .collect();
    let reasons: Vec<Value> = v
        .points
        .iter()
        .filter(|p| p.counted)
        .take(5)
        .filter_map(|p| {
            let f = assessment.findings.get(p.finding)?;
            let message = f.evidence.first().map(|e| e.message.as_str());
            let window = v.window.as_ref();
            // What a security product says later belongs to the infection all the same.
            let later = matches!(p.stage, Stage::Av | Stage::Antiforensics);
            let outside = f.time.zip(window).is_some_and(|(t, w)| t < w.from || (t > w.until && !later));
            Some(json!({
                "finding": p.finding, "rule": p.rule, "points": plain(p.points), "outside": outside, "title": f.rule.title, "title_ja": f.rule.title_ja,
                "time": f.time, "message": message,
            }))
        })
        .collect();
    let stages: Vec<Value> = v
        .stages
        .iter()
        .map(|s| json!({"name": s.stage.name(), "en": s.stage.title(), "ja": s.stage.title_ja(), "sum": plain(s.sum), "cap": plain(s.cap), "score": plain(s.score)}))
        .collect();
    json!({
        "key": v.conclusion.name(), "name": name, "name_ja": name_ja, "text": text, "text_ja": conclusion_ja(v.conclusion),
        "because": v.because, "because_ja": v.because_ja, "score": plain(v.score), "state": state, "state_ja": state_ja, "steps": steps, "reasons": reasons,
        "stages": stages, "bonuses": v.bonuses, "window": v.window, "users": v.users,
        "coverage": plain((v.coverage * 100.0).floor()), "coverage_lines": v.coverage_lines,
    })
}

/// Findings with their evidence, the weighed ones first.
pub(super) fn findings(assessment: &Assessment, most: usize) -> Value {
    let weighed: Vec<usize> = assessment.verdict.points.iter().map(|p| p.finding).collect();
    let rest = assessment.verdict.unweighed.iter().copied();
    let list: Vec<Value> = weighed
        .iter()
        .copied()
        .chain(rest)
        .take(most)
        .filter_map(|at| Some((at, assessment.findings.get(at)?)))
        .map(|(at, f)| finding(assessment, at, f))
        .collect();
    Value::Array(list)
}

fn finding(assessment: &Assessment, at: usize, f: &Finding) -> Value {
    let point = assessment
        .verdict
        .points
        .iter()
        .find(|p| p.finding == at)
        .map(|p| json!({"points": plain(p.points), "counted": p.counted, "why": p.why, "why_ja": p.why_ja}));
    json!({
        "id": at, "rule": f.rule.name.as_deref().unwrap_or(&f.rule.id), "title": f.rule.title, "title_ja": f.rule.title_ja,
        "stage": f.rule.stage.map(Stage::name), "stage_en": f.rule.stage.map(Stage::title),
        "stage_ja": f.rule.stage.map(Stage::title_ja), "class": f.rule.class,
        "level": f.rule.level, "time": f.time, "count": f.count, "point": point, "description": f.rule.description,
        "false_positives": f.rule.false_positives, "false_positives_ja": f.rule.false_positives_ja, "references": f.rule.references, "time_meaning": f.rule.time_meaning,
        "techniques": techniques(&f.rule.tags), "file": f.rule.file,
        "evidence": f.evidence.iter().map(evidence).collect::<Vec<_>>(),
    })
}

/// A number without the fraction that it does not have.
fn plain(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e9 { json!(number as i64) } else { json!(number) }
}

/// Why a rule could not be evaluated, in Japanese.
pub(super) fn waits(why: &str) -> String {
    const SENTENCES: &[(&str, &str)] = &[
        ("it waits for evidence that is not parsed yet: ", "未対応の証拠を必要とする: "),
        ("nothing here gives the events ", "該当イベントを出力するアーティファクトがない: "),
    ];
    SENTENCES.iter().fold(why.to_owned(), |text, (english, japanese)| text.replace(english, japanese))
}

/// ATT&CK techniques among a rule's tags: `T1218.010`.
fn techniques(tags: &[String]) -> Vec<String> {
    let technique = |tag: &String| tag.strip_prefix("attack.t").map(|t| format!("T{}", t.to_uppercase()));
    tags.iter().filter_map(technique).collect()
}

fn evidence(e: &Evidence) -> Value {
    json!({
        "time": e.time, "meaning": e.meaning.names().collect::<Vec<_>>().join(", "), "event": e.event,
        "meaning_ja": e.meaning.names_ja().collect::<Vec<_>>().join("、"), "artifact": e.artifact, "state": e.state.name(), "user": e.user, "place": e.locator.to_string(), "offset": e.offset,
        "message": e.message, "fields": e.fields,
    })
}

pub(super) fn issue(i: &ParseIssue) -> Value {
    json!({
        "artifact": i.artifact, "place": i.locator.to_string(), "offset": i.offset, "loss": i.loss.name(),
        "error": i.error,
    })
}

fn step(s: &Step) -> Value {
    json!({
        "time": s.time, "stage": s.stage.map(Stage::name), "stage_en": s.stage.map(Stage::title), "stage_ja": s.stage.map(Stage::title_ja), "title": s.title,
        "title_ja": s.title_ja, "text": s.text, "artifact": s.artifact, "finding": s.finding, "also": s.also.len(),
        "hours": s.after_gap.map(|seconds| (seconds as f64 / 360.0).round() / 10.0),
    })
}

pub(super) fn story(story: &Story) -> Value {
    let chains: Vec<Value> = story
        .chains
        .iter()
        .map(|c| json!({"user": c.user, "steps": c.steps.iter().map(step).collect::<Vec<_>>()}))
        .collect();
    json!({"chains": chains, "elsewhere": story.elsewhere.iter().map(step).collect::<Vec<_>>(), "gaps": story.gaps})
}

/// One point of the picture for each dated finding, and for the facts of the story.
pub(super) fn timeline(assessment: &Assessment) -> Value {
    let mut points = Vec::new();
    for (at, f) in assessment.findings.iter().enumerate() {
        let (Some(time), Some(first)) = (f.time, f.evidence.first()) else { continue };
        let weight = assessment.verdict.points.iter().find(|p| p.finding == at).map_or(0.0, |p| p.points);
        points.push(json!({
            "t": time.unix_micros() / 1000, "time": time, "stage": f.rule.stage.map(Stage::name).unwrap_or("fact"),
            "user": f.evidence.iter().find_map(|e| e.user.as_deref()).map(shorten), "artifact": first.artifact, "title": f.rule.title,
            "title_ja": f.rule.title_ja, "text": shorten(&first.message), "id": at, "w": weight,
        }));
    }
    for chain in &assessment.story.chains {
        for s in chain.steps.iter().filter(|s| s.finding.is_none()) {
            let Some(time) = s.time else { continue };
            points.push(json!({
                "t": time.unix_micros() / 1000, "time": time, "stage": "fact", "user": chain.user.as_deref().map(shorten), "artifact": s.artifact,
                "title": s.title, "text": shorten(&s.text), "w": 0,
            }));
        }
    }
    let used = |stage: &Stage| assessment.findings.iter().any(|f| f.time.is_some() && f.rule.stage == Some(*stage));
    let mut lanes: Vec<Value> = Stage::ALL
        .iter()
        .filter(|(s, _)| used(s))
        .map(|(s, name)| json!({"key": name, "en": s.title(), "ja": s.title_ja()}))
        .collect();
    if points.iter().any(|p| p["stage"] == "fact") {
        lanes.push(json!({"key": "fact", "en": "other facts", "ja": "関連する事実"}));
    }
    let ms = |t: crate::model::Timestamp| t.unix_micros() / 1000;
    let window = assessment.verdict.window.as_ref().map(|w| [ms(w.from), ms(w.until)]);
    json!({"points": points, "lanes": lanes, "window": window})
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(300).collect();
    super::escape::visible(&short).into_owned()
}
