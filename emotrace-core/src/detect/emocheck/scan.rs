//! The five generations on a dead disk: facts are collected from events, then candidates are made of them.
//!
//! A live EmoCheck reports a candidate only when a process runs from it. Here candidates are graded by what else the disk
//! says: a name that follows from the serial number is sure, a folder and a file with borrowed names is not.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Decoded, SystemNames, v1_name, v2_decode, v2_value_name, v3_candidate, v4_candidate, v4_runs, v5_candidate,
};
use crate::detect::said::Said;
use crate::detect::sigma::fold;
use crate::model::{EmoCheck, EmoCheckHit, Event, Evidence, Host, Meaning, ScannerResult, State, Timestamp, Value};

/// Most facts of one kind that are kept. System folders of real hosts hold some ten thousand files in all.
const MAX_FACTS: usize = 500_000;
/// Most traces of names that are kept.
const MAX_TRACES: usize = 2_000;
/// Most runs of one candidate that are kept.
const MAX_RUNS: usize = 20;
/// A hit of this confidence or more makes the answer "infected".
const INFECTED: f64 = 0.6;

/// Events that show that a program was run, or what it loaded.
const RUNS: &[&str] = &["windows:prefetch:execution", "windows:registry:bam", "windows:user_assist:program"];

/// Extensions under which Windows and vendors keep program files, beside those that EmoCheck leaves out. The program's own was
/// made of three letters by chance, and hardly ever is one of them.
const PLUGINS: &[&str] = &[
    "sys", "mui", "ocx", "cpl", "ime", "tsp", "acm", "drv", "ax", "com", "scr", "efi", "tlb", "nls", "rll", "msc",
    "fon", "tmp", "xll", "pyd", "bpl", "api", "olb",
];

/// Extensions of files that are no programs. Where a deleted file bears one, the bytes at its place may be those of a program
/// that was written there since.
const DOCUMENTS: &[&str] = &[
    "log", "txt", "dat", "bin", "ini", "inf", "xml", "csv", "etl", "dmp", "wer", "bak", "old", "idx", "ldb", "sst",
    "edb", "jfm", "jrs", "chk", "pma", "zip", "cab", "rar", "msi", "msp", "mst", "jar", "iso", "png", "jpg", "gif",
    "bmp", "ico", "svg", "wav", "avi", "htm", "css", "url", "lnk", "pdf", "doc", "xls", "ppt", "rtf", "one", "pst",
    "ost", "eml", "msg", "bat", "cmd", "vbs", "reg", "ttf", "cat", "cer", "cfg", "pak", "rbf", "pdb",
];

/// What is kept of one file directly in a folder that may be Emotet's.
#[derive(Debug, Default)]
struct FileFact {
    /// Path as the evidence writes it.
    path: String,
    size: Option<u64>,
    /// `$SI` modified.
    written: Option<(Timestamp, Evidence)>,
    /// `$SI` created.
    created: Option<(Timestamp, Evidence)>,
    /// `$FN` created.
    named: Option<(Timestamp, Evidence)>,
    pe: Option<Evidence>,
    state: State,
    /// Modified as the folder's index has it.
    index: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct FolderFact {
    /// Path as the evidence writes it.
    path: String,
    /// The shadow copy that it lies in.
    snapshot: Option<u32>,
    written: Option<(Timestamp, Evidence)>,
    /// Modified as the index of the folder above has it.
    index: Option<Timestamp>,
    /// By folded name.
    files: BTreeMap<String, FileFact>,
}

/// A Run value or a service.
#[derive(Debug)]
struct Autorun {
    service: bool,
    name: String,
    command: String,
    key: String,
    evidence: Evidence,
}

/// Where a path lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    /// A user's local application data.
    Local,
    /// That of the system account.
    SystemLocal,
    System32,
    SysWow64,
}

/// Collects facts of one volume in one pass over the timeline.
#[derive(Debug)]
pub struct Scanner {
    volume: Option<String>,
    serial: Option<u32>,
    serial_source: Said,
    folders: BTreeMap<String, FolderFact>,
    system32: SystemNames,
    syswow64: SystemNames,
    sizes: BTreeMap<String, u64>,
    /// Names of folders below Roaming and Program Files.
    allowed: BTreeSet<String>,
    autoruns: Vec<Autorun>,
    values: Vec<(String, String, Vec<u8>, u64, Evidence)>,
    facts: usize,
    overflow: bool,
    has_amd64: bool,
    names_seen: bool,
    index_read: bool,
    traces: Vec<EmoCheckHit>,
    trace_keys: BTreeMap<(String, &'static str, String), usize>,
    /// Folded paths without drive of the candidates among files, with the runs of them that were seen.
    runs: BTreeMap<String, Vec<Evidence>>,
    /// Serial numbers that prefetch files name, with how many of them do.
    prefetch_serials: BTreeMap<u32, usize>,
}

/// The key under which a folder's facts are kept: the same folder in a shadow copy is another one.
fn folder_key(snapshot: Option<u32>, path: &str) -> String {
    match snapshot {
        Some(number) => format!("{number}|{}", fold(path)),
        None => fold(path),
    }
}

/// A program's name that is looked for everywhere.
#[derive(Clone, Debug)]
struct Name {
    method: &'static str,
    /// Folded, without extension.
    base: String,
}

impl Scanner {
    /// For the volume of that label; the serial is what the boot sector says, or what the examiner gave.
    pub fn new(volume: Option<String>, serial: Option<u32>, source: (&str, &str)) -> Self {
        Self {
            volume,
            serial,
            serial_source: Said::new(source.0, source.1),
            folders: BTreeMap::new(),
            system32: SystemNames::default(),
            syswow64: SystemNames::default(),
            sizes: BTreeMap::new(),
            allowed: BTreeSet::new(),
            autoruns: Vec::new(),
            values: Vec::new(),
            facts: 0,
            overflow: false,
            has_amd64: false,
            names_seen: false,
            index_read: false,
            traces: Vec::new(),
            trace_keys: BTreeMap::new(),
            runs: BTreeMap::new(),
            prefetch_serials: BTreeMap::new(),
        }
    }

    /// True if the event is of this scanner's volume.
    fn concerns(&self, event: &Event) -> bool {
        self.volume.is_none() || event.origin.locator.volume.is_none() || event.origin.locator.volume == self.volume
    }

    /// Takes what it needs of an event. First pass.
    pub fn event(&mut self, event: &Event) {
        if !self.concerns(event) {
            return;
        }
        match event.descriptor.name {
            "windows:file:times" => self.file_times(event),
            "windows:file:name_times" => {
                self.names_seen = true;
                if event.meaning.contains(Meaning::CREATED) {
                    self.file_fact(event, |fact, event| {
                        let earlier = |(t, _): &(Timestamp, Evidence)| event.time.is_some_and(|new| new < *t);
                        if let Some(time) = event.time
                            && fact.named.as_ref().is_none_or(earlier)
                        {
                            fact.named = Some((time, Evidence::new(event, shown(event, &["path"]))));
                        }
                    });
                }
            }
            "windows:file:pe" => self.file_fact(event, |fact, event| {
                fact.pe = Some(Evidence::new(event, shown(event, &["path", "machine", "link_time"])));
            }),
            "windows:run_keys:program" => self.autorun(event, false),
            "windows:services:service" => self.autorun(event, true),
            "windows:explorer:hex_value" => self.value(event),
            "windows:prefetch:volume" => {
                if let Some(serial) = text(event, "serial").and_then(|s| u32::from_str_radix(s, 16).ok()) {
                    *self.prefetch_serials.entry(serial).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// The serial number that most prefetch files name, and how many do.
    fn prefetch_serial(&self) -> Option<(u32, usize)> {
        self.prefetch_serials.iter().map(|(serial, count)| (*serial, *count)).max_by_key(|(_, count)| *count)
    }

    /// Folders of the live volume in which programs lie, for [`Self::index_times`]: the times of their entries are what a
    /// live EmoCheck compares.
    pub fn folders_of_programs(&self) -> Vec<String> {
        let with_program =
            self.folders.values().filter(|f| f.snapshot.is_none() && f.files.values().any(|f| f.pe.is_some()));
        with_program.map(|f| f.path.clone()).filter(|p| !p.is_empty()).collect()
    }

    /// Takes what a folder's index says of an entry: the time at which it was last modified. `path` is the entry's.
    pub fn index_times(&mut self, path: &str, modified: Timestamp) {
        self.index_read = true;
        if let Some(folder) = self.folders.get_mut(&fold(path)) {
            folder.index = Some(modified);
        }
        if let Some((folder, name)) = path.rsplit_once('\\')
            && let Some(file) = self.folders.get_mut(&fold(folder)).and_then(|f| f.files.get_mut(&fold(name)))
        {
            file.index = Some(modified);
        }
    }

    fn room(&mut self) -> bool {
        self.facts += 1;
        self.overflow |= self.facts > MAX_FACTS;
        !self.overflow
    }

    fn file_times(&mut self, event: &Event) {
        let Some(path) = text(event, "path") else { return };
        let parts: Vec<&str> = path.split('\\').collect();
        let is = |at: usize, name: &str| parts.get(at).is_some_and(|p| p.eq_ignore_ascii_case(name));
        let directory = event.values.get("directory") == Some(&Value::Bool(true));
        if directory {
            let roaming = is(1, "Users") && is(3, "AppData") && is(4, "Roaming") && parts.len() > 5;
            let program = parts.get(1).is_some_and(|p| p.to_ascii_lowercase().starts_with("program files"));
            if (roaming || (program && parts.len() > 2))
                && let Some(name) = parts.last()
                && self.room()
            {
                self.allowed.insert((*name).to_owned());
            }
            if is(1, "Windows") && is(2, "SysWOW64") {
                self.has_amd64 = true;
            }
            if folder_root(&parts).is_some()
                && event.meaning.contains(Meaning::MODIFIED)
                && let Some(time) = event.time
                && self.room()
            {
                let evidence = Evidence::new(event, shown(event, &["path"]));
                self.folder(event, path).written = Some((time, evidence));
            }
            return;
        }
        if parts.len() == 4 && is(1, "Windows") && event.state == State::Live {
            let (name, wow) = (parts[3], is(2, "SysWOW64"));
            if wow {
                self.syswow64.add(name);
            } else if is(2, "System32") {
                self.system32.add(name);
            }
            if let Some(size) = event.values.get("size").and_then(Value::as_number)
                && (wow || is(2, "System32"))
            {
                self.sizes.insert(fold(path), size);
            }
        }
        self.file_fact(event, |fact, event| {
            fact.size = event.values.get("size").and_then(Value::as_number).or(fact.size);
            if let Some(time) = event.time.filter(|_| event.meaning.contains(Meaning::CREATED)) {
                fact.created = Some((time, Evidence::new(event, shown(event, &["path", "size"]))));
            }
            if let Some(time) = event.time.filter(|_| event.meaning.contains(Meaning::MODIFIED)) {
                fact.written = Some((time, Evidence::new(event, shown(event, &["path", "size"]))));
            }
        });
    }

    fn file_fact(&mut self, event: &Event, take: impl FnOnce(&mut FileFact, &Event)) {
        let Some(path) = text(event, "path") else { return };
        let parts: Vec<&str> = path.split('\\').collect();
        let Some((_, folder_parts)) = parts.split_last() else { return };
        if folder_root(folder_parts).is_none() || event.values.get("directory") == Some(&Value::Bool(true)) {
            return;
        }
        if !self.room() {
            return;
        }
        let folder = folder_parts.join("\\");
        let file = self.folder(event, &folder).files.entry(fold(parts[parts.len() - 1])).or_default();
        if file.path.is_empty() {
            path.clone_into(&mut file.path);
            file.state = event.state;
        }
        take(file, event);
    }

    fn folder(&mut self, event: &Event, path: &str) -> &mut FolderFact {
        let snapshot = event.origin.locator.snapshot;
        let folder = self.folders.entry(folder_key(snapshot, path)).or_default();
        if folder.path.is_empty() {
            (folder.path, folder.snapshot) = (path.to_owned(), snapshot);
        }
        folder
    }

    fn autorun(&mut self, event: &Event, service: bool) {
        let command = text(event, "command").or_else(|| text(event, if service { "image_path" } else { "data" }));
        let (Some(name), Some(command)) = (text(event, "name"), command) else { return };
        if self.autoruns.len() >= MAX_FACTS {
            self.overflow = true;
            return;
        }
        let key = text(event, "key_path").unwrap_or_default();
        let key = if service { key.to_owned() } else { format!("{key}\\{name}") };
        let (name, command) = (name.to_owned(), command.to_owned());
        let evidence = Evidence::new(event, shown(event, &["key_path", "name", "command", "image_path"]));
        self.autoruns.push(Autorun { service, name, command, key, evidence });
    }

    fn value(&mut self, event: &Event) {
        let (Some(name), Some(Value::Bytes(data))) = (text(event, "name"), event.values.get("data")) else { return };
        if self.values.len() < MAX_TRACES {
            let key = text(event, "key_path").unwrap_or_default().to_owned();
            let size = event.values.get("size").and_then(Value::as_number).unwrap_or(data.len() as u64);
            let evidence = Evidence::new(event, shown(event, &["key_path", "name", "data", "size"]));
            self.values.push((name.to_owned(), key, data.clone(), size, evidence));
        }
    }

    /// The names that the second pass looks for: of the first generation, and those that values of the second decode to.
    fn names(&self) -> Vec<Name> {
        let Some(serial) = self.serial else { return Vec::new() };
        let mut names = vec![Name { method: "v1", base: fold(&v1_name(serial)) }];
        for (value, _, data, ..) in &self.values {
            if value.eq_ignore_ascii_case(&v2_value_name(serial))
                && let Decoded::Name(name) = v2_decode(data, serial)
            {
                names.push(Name { method: "v2", base: fold(&name) });
            }
        }
        names
    }

    /// Starts the second pass, which looks for names everywhere, and for runs of the candidates among files.
    pub fn traces(&mut self) -> Traces<'_> {
        if self.serial.is_none()
            && let Some((serial, count)) = self.prefetch_serial()
        {
            self.serial = Some(serial);
            self.serial_source = Said::new(
                format!("prefetch files, {count} of which name it; the evidence holds no boot sector"),
                format!("プリフェッチ{count}件の記載による(証拠にブートセクタが含まれない)"),
            );
        }
        let (mut hits, mut notes) = (Vec::new(), Vec::new());
        self.files(&mut hits, &mut notes);
        let paths = hits.iter().filter_map(|h| h.image_path.get(2..)).map(fold);
        self.runs = paths.map(|path| (path, Vec::new())).collect();
        let names = self.names();
        Traces { scanner: self, names }
    }

    /// Keeps a run of a candidate that the event shows.
    fn run(&mut self, event: &Event) {
        let logged = event.descriptor.name == "windows:evtx:record"
            && matches!(event.values.get("event_id").and_then(Value::as_number), Some(1 | 4688));
        if self.runs.is_empty() || !(logged || RUNS.contains(&event.descriptor.name)) {
            return;
        }
        let mut found: Option<String> = None;
        for (_, value) in event.values.iter() {
            each_text(value, 0, &mut |text| {
                let text = fold(text);
                if let Some(path) = self.runs.keys().find(|path| text.contains(path.as_str())) {
                    found.get_or_insert_with(|| path.clone());
                }
            });
        }
        if let Some(path) = found
            && let Some(runs) = self.runs.get_mut(&path)
            && runs.len() < MAX_RUNS
        {
            runs.push(Evidence::new(event, Vec::new()));
        }
    }

    fn trace(&mut self, event: &Event, name: &Name, field: &str, value: &str) {
        // A file's own times can be forged and come four to a row: its name's creation speaks for it.
        if event.descriptor.name == "windows:file:times" && self.names_seen {
            return;
        }
        if event.descriptor.name == "windows:file:name_times" && !event.meaning.contains(Meaning::CREATED) {
            return;
        }
        let key = (name.base.clone(), event.descriptor.name, fold(value));
        if self.trace_keys.contains_key(&key) || self.traces.len() >= MAX_TRACES {
            return;
        }
        // A folder of that name is weaker than the program, a log's or a cache's line as good as the file's.
        let folder = event.values.get("directory") == Some(&Value::Bool(true));
        let confidence = state_confidence(event.state) * if folder { 0.7 } else { 1.0 };
        let meaning = meaning_of(event.descriptor.name, event.meaning);
        let base = &name.base;
        let why = match name.method {
            "v1" => Said::new(
                format!("the name {base} follows from the volume's serial number"),
                format!("{base}はボリュームシリアルから導かれる名前"),
            ),
            _ => Said::new(
                format!("the name {base} is kept in Explorer's key, XORed with the serial number"),
                format!("{base}はExplorerキーにシリアルとのXORで保存されていた名前"),
            ),
        };
        let hit = EmoCheckHit {
            process_name: format!("{}.exe", name.base),
            process_id: String::new(),
            image_path: value.to_owned(),
            registry_key: if event.artifact == "run_keys" || event.artifact == "services" {
                text(event, "key_path").unwrap_or_default().to_owned()
            } else {
                String::new()
            },
            method: name.method,
            artifact: event.artifact,
            offset: event.origin.offset,
            time: event.time,
            time_meaning: meaning.en,
            time_meaning_ja: meaning.ja,
            state: event.state.name(),
            user: event.user.clone(),
            confidence,
            as_emocheck: event.descriptor.name.starts_with("windows:file:") && event.state == State::Live && !folder,
            why: why.en,
            why_ja: why.ja,
            evidence: vec![Evidence::new(event, vec![(field.to_owned(), value.to_owned())])],
            runs: Vec::new(),
        };
        self.trace_keys.insert(key, self.traces.len());
        self.traces.push(hit);
    }

    /// Makes candidates of everything that was collected.
    pub fn finish(mut self, host: Option<&Host>) -> EmoCheck {
        let mut result = EmoCheck {
            volume: self.volume.clone(),
            hostname: host.and_then(|h| h.computer_name.clone()),
            serial: self.serial.map(|s| format!("{s:08X}")),
            serial_source: self.serial_source.en.clone(),
            serial_source_ja: self.serial_source.ja.clone(),
            v1_name: self.serial.map(|s| format!("{}.exe", v1_name(s))),
            v2_value: self.serial.map(v2_value_name),
            ..EmoCheck::default()
        };
        let mut hits: Vec<EmoCheckHit> = std::mem::take(&mut self.traces);
        let mut notes = Vec::new();
        self.v2(&mut hits, &mut notes);
        self.files(&mut hits, &mut notes);
        for hit in &mut hits {
            if let Some(runs) = hit.image_path.get(2..).and_then(|path| self.runs.get(&fold(path))) {
                hit.runs.clone_from(runs);
            }
        }
        if let (Some(serial), Some((other, count))) = (self.serial, self.prefetch_serial())
            && serial != other
            && count > 2
        {
            result.other_serial = Some(format!("{other:08X}"));
            notes.push(Said::new(
                format!(
                    "{count} prefetch files name another serial number, {other:08X}: the disk may have been copied or \
                     formatted anew. --serial {other:08X} looks for that one."
                ),
                format!(
                    "プリフェッチ{count}件が別のシリアル{other:08X}を示しています。ディスクの複製または再フォーマットの可能性があり、\
                     --serial {other:08X} を指定すると確認できます。"
                ),
            ));
        }
        if self.overflow {
            notes.push(Said::new(
                "There are more files than can be held; some were not looked at.",
                "ファイル数が上限を超えたため、一部は確認していません。",
            ));
        }
        hits.sort_by(|a, b| {
            a.method.cmp(b.method).then(b.confidence.total_cmp(&a.confidence)).then(a.time.cmp(&b.time))
        });
        result.infected = hits.iter().any(|h| h.confidence >= INFECTED);
        result.scanners = self.scanners(&hits);
        result.hits = hits;
        (result.notes, result.notes_ja) = notes.into_iter().map(|n| (n.en, n.ja)).unzip();
        result
    }

    /// Programs, by content or extension, in letters-only folders of Local AppData whose creation was set back by more than a day: the name's own
    /// creation tells. Installers and copies set both times alike. Each with its name's creation and both pieces of evidence.
    pub fn forged(&self) -> Vec<(Timestamp, Vec<Evidence>)> {
        const DAY: u64 = 864_000_000_000;
        let letters = |name: &str| name.bytes().all(|b| b.is_ascii_alphabetic());
        let mut forged = Vec::new();
        for file in self.folders.values().flat_map(|f| f.files.values()) {
            let parts: Vec<&str> = file.path.split('\\').collect();
            let Some((name, folder)) = parts.split_last() else { continue };
            let local = matches!(folder_root(folder), Some(Root::Local | Root::SystemLocal));
            let base = name.rsplit_once('.').map_or(*name, |(base, _)| base);
            let program = file.pe.is_some()
                || [".exe", ".dll"].iter().any(|e| name.len() > 4 && name.to_ascii_lowercase().ends_with(e));
            let plain = program && letters(base) && folder.last().is_some_and(|f| letters(f));
            if let (true, true, Some((set, a)), Some((named, b))) = (local, plain, &file.created, &file.named)
                && set.filetime().saturating_add(DAY) < named.filetime()
            {
                forged.push((*named, vec![b.clone(), a.clone()]));
            }
        }
        forged
    }

    fn v2(&self, hits: &mut Vec<EmoCheckHit>, notes: &mut Vec<Said>) {
        let Some(serial) = self.serial else { return };
        for (name, key, data, size, evidence) in &self.values {
            if !name.eq_ignore_ascii_case(&v2_value_name(serial)) {
                continue;
            }
            match v2_decode(data, serial) {
                Decoded::Name(program) => hits.push(EmoCheckHit {
                    process_name: format!("{program}.exe"),
                    process_id: String::new(),
                    image_path: String::new(),
                    registry_key: format!("{key}\\{name}"),
                    method: "v2",
                    artifact: evidence.artifact,
                    offset: evidence.offset,
                    time: evidence.time,
                    time_meaning: KEY_WRITTEN.0.to_owned(),
                    time_meaning_ja: KEY_WRITTEN.1.to_owned(),
                    state: evidence.state.name(),
                    user: evidence.user.clone(),
                    confidence: state_confidence(evidence.state),
                    as_emocheck: true,
                    why: format!("the value bears the serial number and decodes to {program}"),
                    why_ja: format!("値の名前がシリアルと一致し、復号結果は{program}"),
                    evidence: vec![evidence.clone()],
                    runs: Vec::new(),
                }),
                Decoded::VaccineOrDamaged(_) => notes.push(Said::new(
                    format!(
                        "{key}\\{name} ({size} bytes) bears the serial number but does not decode to a program's name: a \
                         vaccine (EmoCrash) or damage, no sign of an infection."
                    ),
                    format!(
                        "{key}\\{name}({size}バイト)は名前がシリアルと一致しますが、プログラム名に復号できません。ワクチン(EmoCrash)または\
                         破損であり、感染の証拠ではありません。"
                    ),
                )),
            }
        }
    }

    fn files(&self, hits: &mut Vec<EmoCheckHit>, notes: &mut Vec<Said>) {
        // Those of the live volume come first; the same file in a shadow copy adds nothing to its hit.
        let mut folders: Vec<&FolderFact> = self.folders.values().collect();
        folders.sort_by_key(|f| f.snapshot);
        for folder in folders {
            for file in folder.files.values() {
                let parts: Vec<&str> = file.path.split('\\').collect();
                let Some((root, folder_name)) =
                    folder_root(&parts[..parts.len() - 1]).zip(parts.get(parts.len().wrapping_sub(2)))
                else {
                    continue;
                };
                let name = parts[parts.len() - 1];
                let mut own = Vec::new();
                self.v3(root, folder_name, name, file, &mut own);
                self.v4(root, folder_name, name, file, &mut own, notes);
                self.v5(root, folder, file, &mut own);
                for mut hit in own {
                    let same = |h: &EmoCheckHit| h.method == hit.method && fold(&h.image_path) == fold(&hit.image_path);
                    if folder.snapshot.is_some() && hits.iter().any(same) {
                        continue;
                    }
                    if let Some(number) = folder.snapshot {
                        hit.why.push_str(&format!("; in shadow copy {number}"));
                        hit.why_ja.push_str(&format!("。シャドウコピー{number}内"));
                    }
                    hits.push(hit);
                }
            }
        }
    }

    fn v3(&self, root: Root, folder: &str, name: &str, file: &FileFact, hits: &mut Vec<EmoCheckHit>) {
        let Some(size) = file.size else { return };
        for (names, system) in [(&self.system32, "System32"), (&self.syswow64, "SysWOW64")] {
            let original = file.path.get(..2).map(|drive| fold(&format!("{drive}\\Windows\\{system}\\{name}")));
            let original = original.and_then(|path| self.sizes.get(&path)).copied();
            if v3_candidate(names, folder, name, size, original) {
                let run = self.autoruns.iter().find(|a| fold(&a.command).contains(&fold(&file.path)));
                let local = matches!(root, Root::Local | Root::SystemLocal);
                let base = match (local, run.is_some()) {
                    (true, true) => 1.0,
                    (true, false) => 0.8,
                    (false, true) => 0.6,
                    (false, false) => 0.4,
                };
                let beside =
                    original.map_or("there is no file of that name".to_owned(), |o| format!("that file has {o}"));
                let beside_ja =
                    original.map_or("に同名ファイルなし".to_owned(), |o| format!("の同名ファイルは{o}バイト"));
                let why = Said::new(
                    format!("folder and file bear names of {system}; the file has {size} bytes, in {system} {beside}"),
                    format!(
                        "フォルダ名とファイル名が{system}の実在名と一致。ファイルは{size}バイト、{system}{beside_ja}"
                    ),
                );
                hits.push(self.hit("v3", file, base, run, why, root != Root::System32 || !self.has_amd64));
                return;
            }
        }
    }

    fn v4(
        &self,
        root: Root,
        folder: &str,
        name: &str,
        file: &FileFact,
        hits: &mut Vec<EmoCheckHit>,
        notes: &mut Vec<Said>,
    ) {
        if !v4_candidate(folder, name) || file.pe.is_none() {
            return;
        }
        if self.allowed.contains(folder) {
            notes.push(Said::new(
                format!(
                    "{} fits the fourth generation's names, but Roaming or Program Files hold a folder of that name too; \
                     EmoCheck leaves it out.",
                    file.path
                ),
                format!(
                    "{}は第4世代の命名に合致しますが、RoamingまたはProgram Filesに同名フォルダがあるため、EmoCheckと同じく除外しました。",
                    file.path
                ),
            ));
            return;
        }
        let normal = |text: &str| text.replace('"', "").to_ascii_lowercase();
        let path = normal(&file.path);
        let system = matches!(root, Root::System32 | Root::SysWow64);
        let starts = |a: &&Autorun| {
            let command = a.command.replace("\"", "").replace("RUNDLL32.EXE", "rundll32.exe");
            v4_runs(name, &a.name, &command, a.service)
                || (normal(&command).contains("regsvr32") && normal(&command).contains(&path))
        };
        let run = self.autoruns.iter().find(starts);
        let extension = name.rsplit('.').next().unwrap_or_default();
        let one_of = |list: &[&str]| list.iter().any(|p| p.eq_ignore_ascii_case(extension));
        let plugin = one_of(PLUGINS);
        if run.is_none() && system && plugin {
            return;
        }
        let (base, why) = match run {
            Some(run) => (
                1.0,
                Said::new(
                    format!("a program under a made-up name in a made-up folder, started by {}", run.key),
                    format!("乱数名フォルダ内の乱数名プログラム。起動元: {}", run.key),
                ),
            ),
            None if system => (
                0.4,
                Said::new(
                    "a program under a made-up name in a folder of the system folder",
                    "システムフォルダ内の乱数名プログラム",
                ),
            ),
            None if plugin => (
                0.4,
                Said::new(
                    "a program in a folder whose name is letters alone; its extension is one that vendors use, and nothing \
                     that starts it was found",
                    "英字のみの名前のフォルダ内のプログラム(拡張子はベンダーも使用するもので、起動設定は見つからない)",
                ),
            ),
            None if file.state == State::Deleted && one_of(DOCUMENTS) => (
                0.4,
                Said::new(
                    "a deleted file in a folder whose name is letters alone; a program lies at its place, which may be \
                     another file's by now",
                    "英字のみの名前のフォルダから削除されたファイル。その位置にプログラムがあるが、別ファイルの可能性がある",
                ),
            ),
            None => (
                0.5,
                Said::new(
                    "a program under a made-up name in a made-up folder; nothing that starts it was found",
                    "乱数名フォルダ内の乱数名プログラム(起動設定は見つからない)",
                ),
            ),
        };
        hits.push(self.hit("v4", file, base, run, why, run.is_some() && (root != Root::System32 || !self.has_amd64)));
    }

    fn v5(&self, root: Root, folder: &FolderFact, file: &FileFact, hits: &mut Vec<EmoCheckHit>) {
        let (Some((written, evidence)), Some(_)) = (&file.written, &file.pe) else { return };
        let Some((folder_written, folder_evidence)) = &folder.written else { return };
        // A live EmoCheck compares what the indexes say; the record's own times may be newer.
        let of_folder = [("$SI", Some(*folder_written)), ("$I30", folder.index)];
        let of_file = [("$SI", Some(*written)), ("$I30", file.index)];
        let pairs = of_folder.iter().flat_map(|a| of_file.iter().map(move |b| (a, b)));
        let fits: Vec<_> = pairs
            .filter_map(|((a, folder), (b, file))| Some((*a, (*folder)?, *b, (*file)?)))
            .filter(|(_, folder, _, file)| v5_candidate(*folder, *file))
            .collect();
        let Some((_, folder_time, _, file_time)) = fits.first() else { return };
        let run = self.autoruns.iter().find(|a| fold(&a.command).contains(&fold(&file.path)));
        let ticks = i128::from(folder_time.filetime()) - i128::from(file_time.filetime());
        let combinations: Vec<String> = fits.iter().map(|(a, _, b, _)| format!("{a}/{b}")).collect();
        let (over, combinations) = (ticks - 6_048_000_000_000, combinations.join(", "));
        let why = Said::new(
            format!(
                "the folder was last written {folder_time}, the file {file_time}: {ticks} ticks of 100 ns, seven days and \
                 {over} (folder/file times that fit: {combinations})"
            ),
            format!(
                "フォルダの最終更新{folder_time}、ファイルの最終更新{file_time}、差は{ticks}(100ナノ秒単位)で7日と{over}\
                 (一致した時刻の組 フォルダ/ファイル: {combinations})"
            ),
        );
        let base = if run.is_some() { 1.0 } else { 0.9 };
        let mut hit = self.hit("v5", file, base, run, why, root != Root::System32 || !self.has_amd64);
        hit.evidence.push(evidence.clone());
        hit.evidence.push(folder_evidence.clone());
        hits.push(hit);
    }

    fn hit(
        &self,
        method: &'static str,
        file: &FileFact,
        base: f64,
        run: Option<&Autorun>,
        why: Said,
        as_emocheck: bool,
    ) -> EmoCheckHit {
        let name = file.path.rsplit('\\').next().unwrap_or_default();
        let named = file.named.as_ref();
        let best = named.or(file.written.as_ref());
        let evidence = best.map(|(_, e)| e).or(file.pe.as_ref());
        let confidence = (base * state_confidence(file.state) * 100.0).round() / 100.0;
        let meaning = if named.is_some() { NAME_MADE } else { SI_WRITTEN };
        EmoCheckHit {
            process_name: name.to_owned(),
            process_id: String::new(),
            image_path: file.path.clone(),
            registry_key: run.map(|r| r.key.clone()).unwrap_or_default(),
            method,
            artifact: evidence.map_or("file_times", |e| e.artifact),
            offset: evidence.and_then(|e| e.offset),
            time: best.map(|(time, _)| *time),
            time_meaning: meaning.0.to_owned(),
            time_meaning_ja: meaning.1.to_owned(),
            state: file.state.name(),
            user: user_of(&file.path),
            confidence,
            as_emocheck,
            why: why.en,
            why_ja: why.ja,
            evidence: evidence.cloned().into_iter().chain(run.map(|r| r.evidence.clone())).collect(),
            runs: Vec::new(),
        }
    }

    fn scanners(&self, hits: &[EmoCheckHit]) -> Vec<ScannerResult> {
        let no_serial = self
            .serial
            .is_none()
            .then(|| Said::new("the volume's serial number is not known", "ボリュームシリアルが不明"));
        let no_files = self.folders.is_empty().then(|| {
            Said::new("no file of the folders that it looks at was read", "対象フォルダのファイルを読み取れていない")
        });
        let line = |method, period, what, what_ja, limits: Option<Said>| {
            let own: Vec<f64> = hits.iter().filter(|h| h.method == method).map(|h| h.confidence).collect();
            let confidence = own.iter().copied().fold(0.0, f64::max);
            let (limits, limits_ja) = limits.map(|l| (l.en, l.ja)).unzip();
            ScannerResult { method, period, what, what_ja, hits: own.len(), confidence, limits, limits_ja }
        };
        vec![
            line("v1", "..2020-02-05", "name from the volume serial", "ボリュームシリアル由来の名前", no_serial.clone()),
            line(
                "v2",
                "2020-02-06..2020-08",
                "name in Explorer's registry key",
                "Explorerレジストリ値に保存された名前",
                no_serial,
            ),
            line(
                "v3",
                "2020-08..2020-12",
                "folder and program named after System32 files",
                "System32のファイル名を借りたフォルダとEXE",
                no_files.clone(),
            ),
            line(
                "v4",
                "2020-12..2022-05",
                "program of a made-up extension, run by rundll32",
                "乱数名・乱数拡張子のPEとrundll32による起動",
                no_files.clone(),
            ),
            line(
                "v5",
                "2020-12..",
                "file written seven days before its folder",
                "フォルダの7日前の更新時刻を持つPE",
                no_files.or_else(|| {
                    (!self.index_read).then(|| {
                        Said::new(
                            "only the times of $STANDARD_INFORMATION were compared; those in the folder's index ($I30), \
                             which a live EmoCheck reads, are not available",
                            "$STANDARD_INFORMATIONの時刻のみを比較(実機のEmoCheckが参照するフォルダ索引($I30)の時刻は未取得)",
                        )
                    })
                }),
            ),
        ]
    }
}

/// The second pass: names are looked for in every event.
#[derive(Debug)]
pub struct Traces<'s> {
    scanner: &'s mut Scanner,
    names: Vec<Name>,
}

impl Traces<'_> {
    /// Looks for the names in one event.
    pub fn event(&mut self, event: &Event) {
        if !self.scanner.concerns(event) {
            return;
        }
        self.scanner.run(event);
        // That a file is a program is no further trace of it; when a volume was made or a program linked is no time of it here.
        if self.names.is_empty()
            || matches!(event.descriptor.name, "windows:file:pe" | "windows:prefetch:volume")
            || matches!(event.meaning, Meaning::LINKED | Meaning::IDENTIFIER_MADE)
        {
            return;
        }
        // Of a file its path says all.
        let file = event.descriptor.name.starts_with("windows:file:");
        for name in &self.names {
            // One row is one trace: a path that ends in the program tells most, then the longest text.
            let rank = |text: &str| (ends_in_program(text, &name.base), text.len());
            let mut best: Option<(&str, String)> = None;
            for (field, value) in event.values.iter().filter(|(field, _)| !file || *field == "path") {
                each_text(value, 0, &mut |text| {
                    let folder = || text.rsplit('\\').next().is_some_and(|last| last.eq_ignore_ascii_case(&name.base));
                    if !(names_program(text, &name.base) || file && folder()) {
                        return;
                    }
                    let place = if text.len() > 300 { event.origin.locator.path.as_str() } else { text };
                    if best.as_ref().is_none_or(|(_, old)| rank(place) > rank(old)) {
                        best = Some((field, place.to_owned()));
                    }
                });
            }
            if let Some((field, place)) = best {
                self.scanner.trace(event, name, field, &place);
            }
        }
    }
}

/// Every text in a value. Lists and maps of logs are not nested deeper than this.
fn each_text(value: &Value, depth: usize, look: &mut impl FnMut(&str)) {
    match value {
        Value::Text(text) => look(text),
        Value::List(items) if depth < 8 => items.iter().for_each(|item| each_text(item, depth + 1, look)),
        Value::Map(entries) if depth < 8 => entries.iter().for_each(|(_, v)| each_text(v, depth + 1, look)),
        _ => {}
    }
}

/// True if the text is the program's name, or holds `name.exe` or `\name\` as a whole word.
fn names_program(text: &str, base: &str) -> bool {
    if text.len() < base.len() {
        return false;
    }
    if text.eq_ignore_ascii_case(base) {
        return true;
    }
    let is = |part: Option<&[u8]>, wanted: &[u8]| part.is_some_and(|part| part.eq_ignore_ascii_case(wanted));
    // A dot follows the name wherever it counts, and there are few dots.
    text.match_indices('.').any(|(dot, _)| {
        let (before, after) = text.as_bytes().split_at(dot);
        let Some(at) = before.len().checked_sub(base.len()) else { return false };
        let begins = before.get(..at).and_then(<[u8]>::last).is_none_or(|b| !b.is_ascii_alphanumeric() && *b < 0x80);
        begins
            && is(before.get(at..), base.as_bytes())
            && is(after.get(..4), b".exe")
            && after.get(4).is_none_or(|after| !after.is_ascii_alphanumeric())
    })
}

/// True if the text ends in `\name.exe`.
fn ends_in_program(text: &str, base: &str) -> bool {
    let tail = text.len().checked_sub(base.len().saturating_add(5)).and_then(|at| text.get(at..));
    let name = tail.and_then(|tail| tail.strip_prefix('\\')).and_then(|tail| tail.rsplit_once('.'));
    name.is_some_and(|(name, extension)| name.eq_ignore_ascii_case(base) && extension.eq_ignore_ascii_case("exe"))
}

/// The root that a folder lies directly in.
fn folder_root(parts: &[&str]) -> Option<Root> {
    let is = |at: usize, name: &str| parts.get(at).is_some_and(|p| p.eq_ignore_ascii_case(name));
    let windows = is(1, "Windows");
    match parts.len() {
        6 if is(1, "Users") && is(3, "AppData") && is(4, "Local") => Some(Root::Local),
        4 if windows && is(2, "System32") => Some(Root::System32),
        4 if windows && is(2, "SysWOW64") => Some(Root::SysWow64),
        8 if windows && is(3, "config") && is(4, "systemprofile") && is(5, "AppData") && is(6, "Local") => {
            Some(Root::SystemLocal)
        }
        _ => None,
    }
}

/// The account whose profile a path lies in.
fn user_of(path: &str) -> Option<String> {
    let mut parts = path.split('\\').skip(1);
    let first = parts.next()?;
    first.eq_ignore_ascii_case("Users").then(|| parts.next().map(str::to_owned)).flatten()
}

fn text<'e>(event: &'e Event, field: &str) -> Option<&'e str> {
    event.values.get(field).and_then(Value::as_text)
}

/// The named fields that are there, as a finding keeps them.
fn shown(event: &Event, fields: &[&str]) -> Vec<(String, String)> {
    fields.iter().filter_map(|f| Some(((*f).to_owned(), event.values.get(f)?.to_string()))).collect()
}

/// The same factors as `verdict.yaml` gives the states of evidence.
fn state_confidence(state: State) -> f64 {
    match state {
        State::Live | State::LogReplayed => 1.0,
        State::Deleted => 0.8,
        State::Slack | State::Carved => 0.6,
    }
}

/// What times mean, in both languages.
const NAME_MADE: (&str, &str) =
    ("the file's name was created here ($FILE_NAME)", "ファイル名が作成された時刻($FILE_NAME)");
const SI_WRITTEN: (&str, &str) = (
    "the file was last written ($STANDARD_INFORMATION; programs can set this)",
    "ファイルの最終更新時刻($STANDARD_INFORMATION、プログラムから変更可能)",
);
const KEY_WRITTEN: (&str, &str) =
    ("the key was last written; the value was there by then", "キーの最終更新時刻(値はこの時点までに存在)");

fn meaning_of(event: &str, meaning: Meaning) -> Said {
    match event {
        "windows:file:name_times" => Said::new(NAME_MADE.0, NAME_MADE.1),
        _ if meaning.contains(Meaning::KEY_WRITTEN) => Said::new(KEY_WRITTEN.0, KEY_WRITTEN.1),
        _ => {
            let names: Vec<&str> = meaning.names().collect();
            let japanese: Vec<&str> = meaning.names_ja().collect();
            Said::new(names.join(", "), japanese.join("、"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Descriptor, Field, Kind, Locator, Origin, Values};

    static TIMES: Descriptor = Descriptor {
        name: "windows:file:times",
        doc: "",
        message: "{path}",
        data_type: None,
        fields: &[Field::new("path", Kind::Text, "")],
    };
    static NAMED: Descriptor = Descriptor { name: "windows:file:name_times", fields: &[], ..TIMES_COPY };
    static PE: Descriptor = Descriptor { name: "windows:file:pe", ..TIMES_COPY };
    static RUN: Descriptor = Descriptor { name: "windows:run_keys:program", ..TIMES_COPY };
    static HEX: Descriptor = Descriptor { name: "windows:explorer:hex_value", ..TIMES_COPY };
    const TIMES_COPY: Descriptor = Descriptor { name: "", doc: "", message: "{path}", data_type: None, fields: &[] };

    fn event(descriptor: &'static Descriptor, time: &str, meaning: Meaning, fields: &[(&'static str, Value)]) -> Event {
        let mut values = Values::new();
        fields.iter().for_each(|(name, value)| values.set(name, value.clone()));
        Event {
            time: Timestamp::parse(time),
            meaning,
            artifact: "test",
            descriptor,
            values,
            user: None,
            state: State::Live,
            origin: Origin { locator: Arc::new(Locator::default()), offset: None, also_in: Vec::new() },
        }
    }

    fn file(path: &str, size: u64, time: &str) -> Vec<Event> {
        let fields = [("path", Value::from(path)), ("size", size.into()), ("directory", false.into())];
        vec![
            event(&TIMES, time, Meaning::MODIFIED, &fields),
            event(&NAMED, "2022-11-02T08:57:35Z", Meaning::CREATED, &fields[..1]),
            event(&PE, "", Meaning::default(), &fields[..1]),
        ]
    }

    fn folder(path: &str, time: &str) -> Event {
        event(&TIMES, time, Meaning::MODIFIED, &[("path", path.into()), ("directory", true.into())])
    }

    fn run(name: &str, command: &str) -> Event {
        let fields = [("name", Value::from(name)), ("command", command.into()), ("key_path", "HKU\\Run".into())];
        event(&RUN, "2022-11-02T09:00:00Z", Meaning::KEY_WRITTEN, &fields)
    }

    fn scan(events: &[Event]) -> EmoCheck {
        let mut scanner = Scanner::new(None, Some(0x0c5d_7f3a), ("test", "test"));
        events.iter().for_each(|e| scanner.event(e));
        let mut traces = scanner.traces();
        events.iter().for_each(|e| traces.event(e));
        scanner.finish(None)
    }

    fn found(events: &[Event]) -> Vec<(&'static str, String, f64)> {
        scan(events).hits.into_iter().map(|h| (h.method, h.process_name, h.confidence)).collect()
    }

    #[test]
    fn the_first_generation_is_found_in_any_event() {
        let path = r"C:\Users\u\AppData\Local\thunkviolet\thunkviolet.exe";
        assert_eq!(found(&[run("x", path)]), [("v1", "thunkviolet.exe".to_owned(), 1.0)]);
        assert_eq!(found(&[run("ThunkViolet", "x")]).len(), 1, "a value may bear the bare name");
        assert!(found(&[run("x", r"C:\xthunkviolet.exe")]).is_empty());
        assert!(found(&[run("x", r"C:\thunkviolet.exes")]).is_empty());
    }

    #[test]
    fn a_vaccine_is_no_infection() {
        let value = |data: &[u8]| {
            let fields = [
                ("name", Value::from("c5d7f3a")),
                ("data", Value::Bytes(data.to_vec())),
                ("key_path", "HKU\\E".into()),
            ];
            event(&HEX, "2020-03-01T00:00:00Z", Meaning::KEY_WRITTEN, &fields)
        };
        // The name `symbolcards` under this serial number.
        let infected = scan(&[value(&[0x49, 0x06, 0x30, 0x6e, 0x55, 0x13, 0x3e, 0x6d, 0x48, 0x1b, 0x2e])]);
        assert!(infected.infected);
        assert_eq!(infected.hits[0].process_name, "symbolcards.exe");
        let vaccine = scan(&[value(&[0x41; 832])]);
        assert!(!vaccine.infected && vaccine.hits.is_empty());
        assert!(vaccine.notes[0].contains("vaccine"));
    }

    #[test]
    fn a_program_is_named_as_a_whole_word() {
        for (text, named) in [
            ("rundll", true),
            (r"C:\a\RunDLL.EXE", true),
            ("start rundll.exe,b", true),
            ("rundll.rundll.exe", true),
            ("xrundll.exe", false),
            ("\u{e9}rundll.exe", false),
            ("rundll.exex", false),
            ("rundll.dll", false),
            ("rundll.ex", false),
            (".exe", false),
            ("", false),
        ] {
            assert_eq!(names_program(text, "rundll"), named, "{text}");
        }
    }

    /// A name is made from the serial number of the day; after the disk was copied the boot sector has another one.
    #[test]
    fn another_serial_in_the_prefetch_files_is_told() {
        static PREFETCH: Descriptor = Descriptor { name: "windows:prefetch:volume", ..TIMES_COPY };
        let ran = |serial: &'static str| event(&PREFETCH, "", Meaning::default(), &[("serial", Value::from(serial))]);
        let result = scan(&[ran("12345678"), ran("12345678"), ran("12345678"), ran("0C5D7F3A")]);
        assert_eq!(result.other_serial.as_deref(), Some("12345678"));
        assert!(result.notes[0].contains("--serial 12345678"), "{:?}", result.notes);
        assert_eq!(scan(&[ran("12345678"), ran("0C5D7F3A"), ran("0C5D7F3A")]).other_serial, None);
    }

    #[test]
    fn borrowed_names_are_graded_by_what_starts_them() {
        let mut events = vec![];
        for name in ["d3d11on12.dll", "mscpxl32.dll"] {
            events.extend(file(&format!(r"C:\Windows\System32\{name}"), 5000, "2019-01-01T00:00:00Z"));
        }
        let path = r"C:\Users\u\AppData\Local\d3d11on12\mscpxl32.exe";
        events.extend(file(path, 57_344, "2020-10-26T00:00:00Z"));
        assert_eq!(found(&events), [("v3", "mscpxl32.exe".to_owned(), 0.8)]);
        events.push(run("mscpxl32", path));
        assert_eq!(found(&events), [("v3", "mscpxl32.exe".to_owned(), 1.0)]);
    }

    #[test]
    fn the_allow_list_and_the_run_value_of_the_fourth() {
        let path = r"C:\Users\u\AppData\Local\Ckqnwifzsyx\ialkqzoob.czi";
        let mut events = file(path, 70_000, "2021-01-13T00:00:00Z");
        assert_eq!(found(&events), [("v4", "ialkqzoob.czi".to_owned(), 0.5)]);
        let command = format!(r#"C:\Windows\SysWOW64\rundll32.exe "{path}",Control_RunDLL"#);
        events.push(run("ialkqzoob.czi", &command));
        assert_eq!(found(&events), [("v4", "ialkqzoob.czi".to_owned(), 1.0)]);
        events.push(folder(r"C:\Users\u\AppData\Roaming\Ckqnwifzsyx", "2021-01-01T00:00:00Z"));
        assert!(found(&events).is_empty(), "a folder of that name in Roaming");
        assert!(found(&file(r"C:\Windows\System32\drivers\bam.sys", 9, "2021-01-01T00:00:00Z")).is_empty());
        // Vendors keep parts of their programs there under extensions that mean something.
        let path = r"C:\Users\u\AppData\Local\Speech\Voice.ocx";
        let mut events = file(path, 70_000, "2021-01-13T00:00:00Z");
        assert_eq!(found(&events), [("v4", "Voice.ocx".to_owned(), 0.4)]);
        events.push(run("Voice.ocx", &format!(r#"rundll32.exe "{path}",Control_RunDLL"#)));
        assert_eq!(found(&events), [("v4", "Voice.ocx".to_owned(), 1.0)]);
        for (name, confidence) in [("cbunaw.zia", 0.4), ("debug.log", 0.32)] {
            let path = format!(r"C:\Users\u\AppData\Local\Kfichjgq\{name}");
            let mut events = file(&path, 70_000, "2022-04-26T00:00:00Z");
            events.iter_mut().for_each(|e| e.state = State::Deleted);
            assert_eq!(found(&events), [("v4", name.to_owned(), confidence)]);
        }
    }

    #[test]
    fn seven_days_between_file_and_folder() {
        let path = r"C:\Users\u\AppData\Local\QmVtzKdRoyHe\xLwTbNqfUcsGj.dll";
        let mut events = file(path, 74_240, "2022-10-26T08:57:35.1039843Z");
        events.push(folder(r"C:\Users\u\AppData\Local\QmVtzKdRoyHe", "2022-11-02T08:57:35.2274410Z"));
        let result = scan(&events);
        assert_eq!(result.hits[0].method, "v5");
        assert_eq!(result.hits[0].time.unwrap().to_string(), "2022-11-02T08:57:35.0000000Z", "not the forged time");
        assert!(result.hits[0].why.contains("6048001234567"));
        events.push(folder(r"C:\Users\u\AppData\Local\QmVtzKdRoyHe", "2022-11-02T09:57:35Z"));
        assert!(scan(&events).hits.is_empty(), "a folder that was written again no longer tells");
    }
}
