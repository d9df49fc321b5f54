//! How long do 2,400 Sigma rules take over event-log records?
//!
//! `EMOTRACE_EVENTS` names a file of records, one JSON object per line with `channel`, `event_id`, `provider`, `data` and
//! `user_data`; without it 20,000 made-up records are used. `EMOTRACE_RULES` names a folder of rules; without it 2,400
//! made-up rules in the proportions of SigmaHQ's `rules/windows` are used. `EMOTRACE_ROUNDS` repeats the records.
//! `EMOTRACE_HITS` names a file for one line per hit: the rule's id and the number of the record's line, from 1.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use emotrace_core::detect::{Detector, RuleSet};
use emotrace_core::model::{
    Descriptor, Event, Field, Kind, Locator, Meaning, Origin, Schema, State, Timestamp, Value, Values,
};

static RECORD: Descriptor = Descriptor {
    name: "windows:evtx:record",
    doc: "A record.",
    message: "{provider} {event_id}",
    data_type: None,
    fields: &[
        Field::new("summary", Kind::Text, ""),
        Field::new("event_id", Kind::Number, ""),
        Field::new("provider", Kind::Text, ""),
        Field::new("provider_guid", Kind::Text, ""),
        Field::new("channel", Kind::Text, ""),
        Field::new("computer", Kind::Text, ""),
        Field::new("level", Kind::Number, ""),
        Field::new("level_name", Kind::Text, ""),
        Field::new("task", Kind::Number, ""),
        Field::new("opcode", Kind::Number, ""),
        Field::new("keywords", Kind::Text, ""),
        Field::new("version", Kind::Number, ""),
        Field::new("record_id", Kind::Number, ""),
        Field::new("user_sid", Kind::Text, ""),
        Field::new("process_id", Kind::Number, ""),
        Field::new("thread_id", Kind::Number, ""),
        Field::new("activity_id", Kind::Text, ""),
        Field::new("data", Kind::Map, ""),
        Field::new("user_data", Kind::Map, ""),
    ],
};

fn main() {
    let events = events();
    let schema = Schema { artifacts: vec!["event_log"], descriptors: vec![&RECORD] };
    let start = Instant::now();
    let mut rules = RuleSet::empty().expect("the project's mapping is whole");
    match std::env::var_os("EMOTRACE_RULES") {
        Some(folder) => rules.add_folder(&PathBuf::from(folder)),
        None => (0..2400).for_each(|n| rules.add_text("made up", &rule(n), false).expect("made-up rules are whole")),
    }
    let read = start.elapsed();
    let start = Instant::now();
    let mut detector = Detector::new(&rules, &schema).expect("the mapping fits the record");
    let compiled = start.elapsed();
    println!("{} rules: read in {read:.1?}, compiled in {compiled:.1?}", rules.infos().count());
    println!(
        "{} rejected, {} can't be evaluated on event logs",
        rules.rejected().len(),
        detector.not_evaluated().len()
    );
    let rounds: usize = std::env::var("EMOTRACE_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(1);
    let start = Instant::now();
    let mut findings = 0;
    let mut hits = String::new();
    for _ in 0..rounds {
        for (line, event) in events.iter().enumerate() {
            for finding in detector.event(event) {
                findings += 1;
                hits.push_str(&format!("{} {}\n", finding.rule.id, line + 1));
            }
        }
    }
    let took = start.elapsed();
    let count = events.len() * rounds;
    let each = took.as_secs_f64() * 1e6 / count.max(1) as f64;
    println!("{count} records, {findings} findings: {took:.2?}, {each:.1} µs per record");
    if let Some(path) = std::env::var_os("EMOTRACE_HITS") {
        std::fs::write(path, hits).expect("the file of hits can be written");
    }
}

fn events() -> Vec<Event> {
    let locator = Arc::new(Locator::default());
    let Some(path) = std::env::var_os("EMOTRACE_EVENTS") else {
        return (0..20_000).map(|n| made_up(n, &locator)).collect();
    };
    let text = std::fs::read_to_string(path).expect("the file of records can be read");
    text.lines().map(|line| event(&serde_json::from_str(line).expect("each line is JSON"), &locator)).collect()
}

fn event(json: &serde_json::Value, locator: &Arc<Locator>) -> Event {
    let mut values = Values::new();
    for field in RECORD.fields {
        if let Some(json) = json.get(field.name).filter(|v| !v.is_null()) {
            values.set(field.name, value(json));
        }
    }
    let time = json.get("time").and_then(|t| t.as_str()).and_then(|t| Timestamp::parse(t.trim_end_matches('Z')));
    row(time, values, locator)
}

fn row(time: Option<Timestamp>, values: Values, locator: &Arc<Locator>) -> Event {
    Event {
        time,
        meaning: Meaning::LOGGED,
        artifact: "event_log",
        descriptor: &RECORD,
        values,
        user: None,
        state: State::Live,
        origin: Origin { locator: Arc::clone(locator), offset: None, also_in: Vec::new() },
    }
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(n) => n.as_u64().map_or_else(|| Value::from(n.to_string()), Value::Number),
        serde_json::Value::String(s) => Value::from(s.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(o) => Value::Map(o.iter().map(|(k, v)| (k.into(), value(v))).collect()),
    }
}

/// A number that depends on its two seeds alone (splitmix64).
fn dice(a: usize, b: usize) -> usize {
    let mut z =
        (a as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add((b as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as usize
}

const PROGRAMS: &[&str] = &[
    "powershell.exe",
    "cmd.exe",
    "rundll32.exe",
    "regsvr32.exe",
    "wscript.exe",
    "cscript.exe",
    "mshta.exe",
    "certutil.exe",
    "bitsadmin.exe",
    "schtasks.exe",
    "net.exe",
    "net1.exe",
    "sc.exe",
    "reg.exe",
    "wmic.exe",
    "msiexec.exe",
    "svchost.exe",
    "taskhostw.exe",
    "explorer.exe",
    "vssadmin.exe",
    "bcdedit.exe",
    "netsh.exe",
    "whoami.exe",
    "nltest.exe",
    "ping.exe",
    "msbuild.exe",
    "installutil.exe",
    "cmstp.exe",
    "odbcconf.exe",
    "forfiles.exe",
    "ftp.exe",
    "curl.exe",
    "tar.exe",
];
const PIECES: &[&str] = &[
    " -e ",
    " /c ",
    "http",
    ".dll",
    "\\Temp\\",
    "\\AppData\\",
    " -enc ",
    "IEX",
    "Invoke-",
    "DownloadString",
    "-nop",
    " -w hidden",
    "\\Users\\Public\\",
    ".ps1",
    "/create",
    "/tn ",
    "add ",
    "delete ",
    "\\CurrentVersion\\Run",
    "FromBase64String",
    ">",
    "&&",
    "javascript:",
    "shell32",
    "comsvcs",
    "MiniDump",
    "lsass",
    "sekurlsa",
    "\\Startup\\",
    "%appdata%",
    "query ",
    "stop ",
    "-urlcache",
];

fn word(a: usize, b: usize) -> String {
    (0..4 + dice(a, b) % 8).map(|i| char::from(b'a' + (dice(a + i, b) % 26) as u8)).collect()
}

/// Rule number `n`: its logsource and its shape in the proportions of SigmaHQ's `rules/windows`, where a rule has some two
/// selections and two filters, most lists are short, and one in ten has dozens of texts.
fn rule(n: usize) -> String {
    let program = |i: usize| match dice(n, i) % 3 {
        0 => PROGRAMS[dice(n, i + 1) % PROGRAMS.len()].to_owned(),
        _ => format!("{}.exe", word(n, i)),
    };
    let piece = |i: usize| match dice(n, i) % 3 {
        0 => PIECES[dice(n, i + 1) % PIECES.len()].to_owned(),
        _ => word(n, i + 7),
    };
    let length = |from: usize| match dice(n, from) % 10 {
        0 => 20 + dice(n, from + 1) % 60,
        short => 1 + short % 6,
    };
    let list = |from: usize, f: &dyn Fn(usize) -> String, form: &dyn Fn(String) -> String| {
        (0..length(from)).map(|i| format!("      - '{}'\n", form(f(from + 10 * i)))).collect::<String>()
    };
    let exe = |p: String| format!("\\{p}");
    let plain = |p: String| p;
    let filters: String = (0..dice(n, 98) % 5)
        .map(|i| {
            let text = match dice(n, 99 + i) % 6 {
                0 => "ParentImage|startswith: 'C:\\Program Files\\'".to_owned(),
                1 => "User|contains: [AUTHORI, AUTORI]".to_owned(),
                2 => format!("Image: 'C:\\Windows\\System32\\{}'", program(900 + i)),
                3 => "ParentImage: null".to_owned(),
                4 => format!("CommandLine|contains|all: ['{}', '{}']", piece(910 + i), word(n, 920 + i)),
                _ => format!("Image|endswith: '\\{}'\n    ParentImage|contains: ':\\Windows\\'", program(930 + i)),
            };
            format!("  filter_main_{i}:\n    {text}\n")
        })
        .collect();
    let command_line = match dice(n, 97) % 12 {
        0..6 => format!("    CommandLine|contains:\n{}", list(500, &piece, &plain)),
        6..9 => format!("    CommandLine|contains|all:\n      - '{}'\n      - '{}'\n", piece(600), word(n, 610)),
        9 => format!("    CommandLine|contains|windash: ' -{} '\n", word(n, 620)),
        10 => format!("    CommandLine|re: '{}.{{1,5}}{}'\n", word(n, 630), word(n, 640)),
        _ => (0..2 + dice(n, 96) % 12)
            .map(|i| format!("    - CommandLine|contains|all: ['{}', '{}']\n", word(n, 700 + i), piece(720 + 5 * i)))
            .collect(),
    };
    let (source, detection) = match dice(n, 0) % 100 {
        0..40 => (
            "category: process_creation",
            format!(
                "  selection_img:\n    - Image|endswith:\n{}    - OriginalFileName: '{}'\n  selection_cli:\n{command_line}",
                list(100, &program, &exe).replace("      - ", "        - "),
                program(300),
            ),
        ),
        40..54 => (
            "category: process_creation",
            format!(
                "  selection:\n    ParentImage|endswith: '\\{}'\n    Image|endswith:\n{}",
                program(301),
                list(100, &program, &exe)
            ),
        ),
        54..62 => (
            "category: registry_set",
            format!(
                "  selection:\n    TargetObject|contains:\n{}    Details|contains:\n{}",
                list(100, &piece, &|p| format!("\\{p}\\")),
                list(500, &piece, &plain)
            ),
        ),
        62..71 => (
            "category: ps_script",
            format!(
                "  selection:\n    ScriptBlockText|contains:\n{}",
                list(100, &piece, &|p| format!("{p}{}", word(n, 3)))
            ),
        ),
        71..79 => (
            "category: file_event",
            format!("  selection:\n    TargetFilename|endswith:\n{}", list(100, &piece, &|p| format!("\\{p}.exe"))),
        ),
        79..84 => (
            "category: image_load",
            format!("  selection:\n    ImageLoaded|endswith:\n{}", list(100, &program, &|p| format!("\\{p}.dll"))),
        ),
        84..88 => (
            "category: network_connection",
            format!(
                "  selection:\n    Image|endswith:\n{}    DestinationPort: {}\n  filter_main_net:\n    DestinationIp|cidr: [10.0.0.0/8, 'fc00::/7']\n",
                list(100, &program, &exe),
                dice(n, 4) % 9000
            ),
        ),
        88..95 => (
            "service: security",
            format!(
                "  selection:\n    EventID: {}\n    TargetUserName|contains:\n{}",
                4624 + dice(n, 4) % 120,
                list(100, &piece, &plain)
            ),
        ),
        95..99 => (
            "service: system",
            format!(
                "  selection:\n    Provider_Name: Service Control Manager\n    EventID: 7045\n    ImagePath|contains:\n{}",
                list(100, &piece, &plain)
            ),
        ),
        _ => ("service: application", format!("  selection:\n    - '{}'\n    - '{}'\n", word(n, 1), word(n, 2))),
    };
    format!(
        "title: Made up {n}\nid: {n}\nlogsource:\n  product: windows\n  {source}\ndetection:\n{detection}{filters}  condition: all of selection* and not 1 of filter_*\n"
    )
}

/// A made-up record: half of them new processes.
fn made_up(n: usize, locator: &Arc<Locator>) -> Event {
    let text = |s: String| Value::from(s);
    let program = PROGRAMS[dice(n, 1) % PROGRAMS.len()];
    let line = (0..8).map(|i| {
        if dice(n, i).is_multiple_of(5) { PIECES[dice(n, i + 50) % PIECES.len()].to_owned() } else { word(n, i) }
    });
    let line = format!("{program} {}", line.collect::<Vec<_>>().join(" "));
    let mut values = Values::new();
    let guid = || format!("{{{:08x}-0000-0000-0000-{:012x}}}", dice(n, 5) as u32, dice(n, 6) & 0xffff_ffff_ffff);
    let (channel, id, data) = match n % 4 {
        0 | 1 => (
            "Microsoft-Windows-Sysmon/Operational",
            1u64,
            vec![
                ("RuleName", "-".to_owned()),
                ("UtcTime", "2020-09-13 12:26:40.000".to_owned()),
                ("ProcessGuid", guid()),
                ("ProcessId", (n % 9999).to_string()),
                ("Image", format!("C:\\Windows\\System32\\{program}")),
                ("FileVersion", "10.0.19041.1 (WinBuild.160101.0800)".to_owned()),
                ("Description", word(n, 11)),
                ("Product", "Microsoft® Windows® Operating System".to_owned()),
                ("Company", "Microsoft Corporation".to_owned()),
                ("OriginalFileName", program.to_owned()),
                ("CommandLine", line),
                ("CurrentDirectory", "C:\\Windows\\system32\\".to_owned()),
                ("User", "HOST\\someone".to_owned()),
                ("LogonGuid", guid()),
                ("LogonId", "0x3e7".to_owned()),
                ("TerminalSessionId", "1".to_owned()),
                ("IntegrityLevel", "Medium".to_owned()),
                ("Hashes", format!("SHA256={:064x},IMPHASH={:032x}", dice(n, 7), dice(n, 8))),
                ("ParentProcessGuid", guid()),
                ("ParentProcessId", "4242".to_owned()),
                ("ParentImage", "C:\\Windows\\explorer.exe".to_owned()),
                ("ParentCommandLine", "C:\\Windows\\Explorer.EXE".to_owned()),
            ],
        ),
        2 => (
            "Security",
            4624,
            vec![
                ("SubjectUserSid", "S-1-5-18".to_owned()),
                ("SubjectUserName", "HOST$".to_owned()),
                ("TargetUserName", word(n, 3)),
                ("LogonType", "3".to_owned()),
                ("LogonProcessName", "NtLmSsp".to_owned()),
                ("WorkstationName", word(n, 4)),
                ("IpAddress", "10.0.0.7".to_owned()),
                ("ProcessName", format!("C:\\Windows\\System32\\{program}")),
            ],
        ),
        _ => ("System", 7036, vec![("param1", word(n, 3)), ("param2", "running".to_owned())]),
    };
    values.set("channel", channel);
    values.set("event_id", id);
    values.set("data", Value::Map(data.into_iter().map(|(k, v)| (k.into(), text(v))).collect()));
    row(Timestamp::from_unix_seconds(1_600_000_000 + n as i64), values, locator)
}
