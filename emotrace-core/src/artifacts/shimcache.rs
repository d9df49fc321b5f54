//! ShimCache: the files that Windows looked at to see whether they need a compatibility fix.
//!
//! `SYSTEM\ControlSet…\Control\Session Manager\AppCompatCache` (XP: `AppCompatibility`), value `AppCompatCache`. The layouts
//! are those of [`crate::formats::shimcache`].

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::formats::shimcache::{Entry, Shimcache};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning, State};

static FILE: Descriptor = Descriptor {
    name: "windows:shimcache:file",
    doc: "Windows looked at a file that could be run; the instant is the last modification of the FILE, no run.",
    message: "{path} was last modified, as the compatibility cache keeps it[ (executed: {executed})]",
    data_type: Some("windows:registry:appcompatcache"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new(
            "path",
            Kind::Text,
            "Path of the file; \\??\\ left out, SYSVOL as the system drive where it is known",
        ),
        Field::new("stored_path", Kind::Text, "The path as stored, where it differs"),
        Field::new("position", Kind::Number, "Place in the cache from 0; what was added or used last comes first"),
        Field::new("version", Kind::Text, "Windows whose layout the cache has"),
        Field::new("control_set", Kind::Text, "The control set that the key lies in"),
        Field::new("current", Kind::Bool, "That control set is the one in use; absent where the hive does not say"),
        Field::new("executed", Kind::Bool, "The file was run as a process; only Vista to 7 and their servers say so"),
        Field::new("insert_flags", Kind::Number, "Flags of the entry as stored (Vista to 8.1)"),
        Field::new("size", Kind::Number, "Size of the file in bytes (XP and 2003)"),
        Field::new(
            "package",
            Kind::Text,
            "Package of a packaged app: as stored (8.0 and 8.1), or its full name put together from an entry that has a package \
in place of a path (10 and 11)",
        ),
        Field::new("key_written", Kind::Time, "Last write of the key: the cache is written when Windows shuts down"),
        Field::new("entry_offset", Kind::Number, "Offset of the entry in the value"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "shimcache",
    doc: "The application compatibility cache (ShimCache) lists the files that Windows looked at to find out whether they need \
a compatibility fix, with path and last modification of the file, newest entry first. Windows keeps it in memory and writes \
it to the registry when it shuts down.\n\n\
It proves that a file with this path and this modification time was there and was looked at, at the latest when the key was \
last written: the order of the entries is the order in which that happened, so two entries of known time enclose what lies \
between them. In Vista, 7 and their servers the field executed tells that a process was made of it. On XP a second row gives \
when the entry was last updated.\n\n\
It does not prove a run: Explorer showing a folder is enough to enter its files. The time of a row is that of the FILE as the \
file system had it; it can be older than the file's arrival, and it can be forged. In Windows 8 and later no flag says whether \
a file ran; none is given here for them. What happened since the last shutdown is missing, and all of it after a crash.\n\n\
It lives until newer entries push it out (96 in XP, 512 in 2003 and Vista, 1,024 since 7), which takes days to months. \
Deleting the file does not remove its entry.",
    references: &[
        "https://cloud.google.com/blog/topics/threat-intelligence/caching-out-the-val",
        "https://github.com/libyal/winreg-kb/blob/main/docs/sources/system-keys/Application-compatibility-cache.md",
    ],
    emits: &[&FILE],
    reads: Reads::RegKeys {
        keys: &[
            r"SYSTEM\CurrentControlSet\Control\Session Manager\AppCompatCache",
            r"SYSTEM\CurrentControlSet\Control\Session Manager\AppCompatibility",
        ],
        parse,
    },
};

/// The insert flag that means "a process was made".
const EXECUTED: u32 = 2;

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let Some(value) = input.key.value("AppCompatCache") else { return Ok(Completion::Complete) };
    let Some(data) = out.keep(value.data()) else { return Ok(Completion::Complete) };
    let cache = match Shimcache::parse(&data) {
        Ok(cache) => cache,
        Err(error) => {
            out.issue(Some(value.offset()), Loss::Whole, error);
            return Ok(Completion::Complete);
        }
    };
    for fault in &cache.faults {
        // Their offsets count from the start of the value.
        out.issue(Some(value.offset()), Loss::Record, fault);
    }
    let path = input.key.path();
    let set = path.split('\\').next().unwrap_or_default();
    let number: Option<u32> = set.get(10..).and_then(|digits| digits.parse().ok());
    let current = host.control_set.and_then(|current| Some(current == number?));
    let executed = |entry: &Entry| entry.insert_flags.filter(|_| cache.tells_execution()).map(|n| n & EXECUTED != 0);
    for entry in &cache.entries {
        let path = clear(&entry.path, host);
        let mut record = Record::new(&FILE)
            .set("key_path", input.path.clone())
            .set_some("stored_path", (path != entry.path).then(|| entry.path.clone()))
            .set("path", path)
            .set("position", u64::from(entry.position))
            .set("version", cache.version.name())
            .set("control_set", set)
            .set_some("current", current)
            .set_some("executed", executed(entry))
            .set_some("insert_flags", entry.insert_flags.map(u64::from))
            .set_some("size", entry.size)
            .set_some("package", entry.package.clone().or_else(|| package(&entry.path)))
            .set_some("key_written", input.key.last_write())
            .set("entry_offset", entry.offset)
            .time(Meaning::MODIFIED, entry.modified)
            .time(Meaning::RECORDED, entry.updated)
            .at(value.offset());
        if value.from_log() {
            record = record.state(State::LogReplayed);
        }
        out.give(record);
    }
    Ok(Completion::Complete)
}

/// The full name of a package, of an entry that has no path but, with tabs between: flags, version, version of Windows,
/// processor, name, identifier of the publisher, and the resource, if it is one.
fn package(stored: &str) -> Option<String> {
    let mut parts = stored.trim_end_matches('\0').split('\t');
    let (flags, version, _windows, processor) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (name, publisher) = (parts.next()?, parts.next()?);
    if flags.len() != 8 || version.len() != 16 || name.is_empty() {
        return None;
    }
    let number = |at: usize| u16::from_str_radix(version.get(at..at.checked_add(4)?)?, 16).ok();
    let version = [number(0)?, number(4)?, number(8)?, number(12)?].map(|n| n.to_string()).join(".");
    let processor = match processor {
        "8664" => "x64",
        "014c" | "14c" => "x86",
        "aa64" => "arm64",
        "01c4" | "1c4" => "arm",
        "ffff" | "0000" => "neutral",
        other => other,
    };
    Some(format!("{name}_{version}_{processor}_{}_{publisher}", parts.next().unwrap_or_default()))
}

/// The path as an analyst writes it.
fn clear(stored: &str, host: &Host) -> String {
    let path = stored.trim_end_matches('\0');
    let path = path.strip_prefix(r"\??\").unwrap_or(path);
    if let Some(share) = path.strip_prefix(r"UNC\") {
        return format!(r"\\{share}");
    }
    match (path.strip_prefix(r"SYSVOL\"), host.system_drive) {
        (Some(rest), Some(drive)) => format!(r"{drive}:\{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Value};

    /// The second is `Microsoft.Windows.Photos` 2018.18021.12420.0, as its folder below WindowsApps is called.
    #[test]
    fn packages_in_place_of_paths() {
        assert_eq!(package(r"C:\Windows\x.exe"), None);
        assert_eq!(
            package("00000009\t07e2466530840000\t000a00003fab0000\t8664\tMicrosoft.Windows.Photos\t8wekyb3d8bbwe\t")
                .as_deref(),
            Some("Microsoft.Windows.Photos_2018.18021.12420.0_x64__8wekyb3d8bbwe")
        );
        assert_eq!(package("00000009\tzz\t\t\t\t"), None);
    }

    fn read(set: &str, bytes: &[u8]) -> Collect {
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let path = format!(r"{set}\Control\Session Manager\AppCompatCache");
        let key = hive.find(&path).unwrap();
        let input = KeyInput { locator: Arc::default(), hive: HiveKind::System, key, path, user: None };
        let host = Host { control_set: Some(1), ..Host::default() };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        assert_eq!(parse(&input, &host, &mut out).unwrap(), Completion::Complete);
        sink
    }

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/shimcache/system.hve");

    #[test]
    fn the_time_is_the_files() {
        let ten = read("ControlSet001", SYSTEM);
        let [evil, cmd] = ten.events.as_slice() else { panic!("{:?}", ten.events) };
        assert_eq!(
            (evil.meaning, evil.time.unwrap().to_string()),
            (Meaning::MODIFIED, "2020-08-26T05:09:52.0000000Z".into())
        );
        assert_eq!(evil.values.get("path").and_then(Value::as_text), Some(r"C:\Users\Clippy\AppData\Local\evil.exe"));
        // Windows 10 does not say whether it ran.
        assert_eq!((evil.values.get("executed"), evil.values.get("position")), (None, Some(&Value::Number(0))));
        assert_eq!(cmd.values.get("current"), Some(&Value::Bool(true)));
        assert_eq!(ten.issues, []);
    }

    #[test]
    fn windows_7_says_whether_it_ran() {
        let seven = read("ControlSet002", SYSTEM);
        let ran: Vec<_> = seven.events.iter().map(|event| event.values.get("executed")).collect();
        assert_eq!(ran, [Some(&Value::Bool(true)), Some(&Value::Bool(false))]);
        assert_eq!(
            seven.events[0].values.get("stored_path").and_then(Value::as_text),
            Some(r"\??\C:\Windows\System32\cmd.exe")
        );
    }

    #[test]
    fn paths() {
        let host = Host { system_drive: Some('C'), ..Host::default() };
        assert_eq!(clear(r"SYSVOL\Windows\x.exe", &host), r"C:\Windows\x.exe");
        assert_eq!(clear(r"SYSVOL\Windows\x.exe", &Host::default()), r"SYSVOL\Windows\x.exe");
        assert_eq!(clear(r"\??\UNC\server\share\x.exe", &host), r"\\server\share\x.exe");
    }
}
