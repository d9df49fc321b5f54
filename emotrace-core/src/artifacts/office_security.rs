//! How far Office was set to trust documents: macro policy, Protected View, trusted locations.
//!
//! A setting is a value below `Security` of a program (`Word`, `Excel`, `Common` …) and a version. The user's own choice lies in
//! `Software\Microsoft\Office`, a policy in `Software\Policies\Microsoft\Office`, each for one user (`NTUSER`) or for all
//! (`SOFTWARE`). A policy wins over a choice, and a policy for one user wins over one for all where Office reads both.
//! Trusted locations are keys below `Trusted Locations`. Sources: the Office administrative templates (ADMX), as Microsoft
//! publishes them, and Microsoft's pages named below.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use super::mru;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State, Timestamp, Value};

static SETTING: Descriptor = Descriptor {
    name: "windows:office:security_setting",
    doc: "A security setting of Office had this value, at the latest when its key was last written.",
    message: "{application}: {setting} = {value}[: {meaning}][ ({scope})]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("setting", Kind::Text, "Name of the value"),
        Field::new("value", Kind::Text, "Its data"),
        Field::new("meaning", Kind::Text, "What it says in words; absent for settings without a word here"),
        Field::new("application", Kind::Text, "Word, Excel …; Common is for all programs"),
        Field::new("version", Kind::Text, "Version of Office; absent where the setting holds for all"),
        Field::new("scope", Kind::Text, "Who set it: user choice, user policy, machine choice or machine policy"),
    ],
};

static LOCATION: Descriptor = Descriptor {
    name: "windows:office:trusted_location",
    doc: "Documents in a folder run their macros without a question, at the latest since its key was last written.",
    message: "{application} trusts documents in {path}[, subfolders too: {subfolders}]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "The folder, %variables% replaced where the evidence tells them"),
        Field::new("data", Kind::Text, "The folder as stored"),
        Field::new("subfolders", Kind::Bool, "Folders below it are trusted too"),
        Field::new("description", Kind::Text, "Description; Office's own locations have a number or a text of Office"),
        Field::new("date", Kind::Text, "Date of the entry as the user's Windows wrote it: local, in the user's format"),
        Field::new("application", Kind::Text, "Word, Excel …; Common is for all programs"),
        Field::new("version", Kind::Text, "Version of Office"),
        Field::new("scope", Kind::Text, "Who set it: user choice, user policy, machine choice or machine policy"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "office_security",
    doc: "Office's security settings in the registry: whether macros run, ask or are blocked (VBAWarnings), whether macros of \
files from the Internet are blocked, which files open in Protected View, and the folders whose documents are trusted without \
a question. Per program and version, as the user chose or as a policy says, for one user or for the machine.\n\n\
It proves how Office was set when the key was last written, which is the row's time: the moment at which the last of the \
key's values was added, changed or removed. An attacker's document in a trusted location, or VBAWarnings 1, explains why no \
trust record was made.\n\n\
It does not prove who set it, or that a macro ran. A setting that is not there has Office's default of that version; a \
policy wins over the user's choice, and cloud policies lie elsewhere. Every other value of the key can be much older than \
the row's time.\n\n\
It lives until somebody changes it; nothing ages it.",
    references: &[
        "https://learn.microsoft.com/en-us/deployoffice/security/internet-macros-blocked",
        "https://learn.microsoft.com/en-us/deployoffice/security/trusted-locations",
        "Microsoft, Administrative Template files (ADMX/ADML) for Microsoft Office",
        "https://attack.mitre.org/techniques/T1137/",
    ],
    emits: &[&SETTING, &LOCATION],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Office\*\Security",
            r"NTUSER\Software\Microsoft\Office\*\*\Security",
            r"NTUSER\Software\Microsoft\Office\*\*\Security\*",
            r"NTUSER\Software\Microsoft\Office\*\*\Security\Trusted Locations\*",
            r"NTUSER\Software\Policies\Microsoft\Office\*\Security",
            r"NTUSER\Software\Policies\Microsoft\Office\*\*\Security",
            r"NTUSER\Software\Policies\Microsoft\Office\*\*\Security\*",
            r"NTUSER\Software\Policies\Microsoft\Office\*\*\Security\Trusted Locations\*",
            r"SOFTWARE\Microsoft\Office\*\*\Security",
            r"SOFTWARE\Microsoft\Office\*\*\Security\*",
            r"SOFTWARE\Microsoft\Office\*\*\Security\Trusted Locations\*",
            r"SOFTWARE\WOW6432Node\Microsoft\Office\*\*\Security",
            r"SOFTWARE\WOW6432Node\Microsoft\Office\*\*\Security\*",
            r"SOFTWARE\WOW6432Node\Microsoft\Office\*\*\Security\Trusted Locations\*",
            r"SOFTWARE\Policies\Microsoft\Office\*\Security",
            r"SOFTWARE\Policies\Microsoft\Office\*\*\Security",
            r"SOFTWARE\Policies\Microsoft\Office\*\*\Security\*",
            r"SOFTWARE\Policies\Microsoft\Office\*\*\Security\Trusted Locations\*",
        ],
        parse,
    },
};

/// Setting, number, what it says.
#[rustfmt::skip]
const WORDS: &[(&str, u64, &str)] = &[
    ("VBAWarnings", 1, "all macros run without a question"),
    ("VBAWarnings", 2, "macros are disabled, the user is asked"),
    ("VBAWarnings", 3, "only digitally signed macros run"),
    ("VBAWarnings", 4, "macros are disabled without a question"),
    ("BlockContentExecutionFromInternet", 0, "macros in files from the Internet are not blocked"),
    ("BlockContentExecutionFromInternet", 1, "macros in files from the Internet are blocked"),
    ("AccessVBOM", 0, "programs may not change macro projects"),
    ("AccessVBOM", 1, "programs may change macro projects"),
    ("DisableInternetFilesInPV", 0, "files from the Internet open in Protected View"),
    ("DisableInternetFilesInPV", 1, "files from the Internet open without Protected View"),
    ("DisableAttachmentsInPV", 0, "attachments open in Protected View"),
    ("DisableAttachmentsInPV", 1, "attachments open without Protected View"),
    ("DisableUnsafeLocationsInPV", 0, "files in unsafe locations open in Protected View"),
    ("DisableUnsafeLocationsInPV", 1, "files in unsafe locations open without Protected View"),
    ("DisableTrustedDocuments", 0, "a decision to trust a document is remembered"),
    ("DisableTrustedDocuments", 1, "a decision to trust a document is not remembered: no trust records"),
    ("DisableNetworkTrustedDocuments", 0, "documents on the network can be trusted documents"),
    ("DisableNetworkTrustedDocuments", 1, "documents on the network can't be trusted documents"),
    ("AllLocationsDisabled", 0, "trusted locations count"),
    ("AllLocationsDisabled", 1, "no trusted location counts"),
    ("AllowNetworkLocations", 0, "locations on the network can't be trusted"),
    ("AllowNetworkLocations", 1, "locations on the network can be trusted"),
    ("Allow User Locations", 0, "only the policy's trusted locations count"),
    ("Allow User Locations", 1, "trusted locations of user and policy count"),
    ("MacroRuntimeScanScope", 0, "running macros are not scanned (AMSI)"),
    ("MacroRuntimeScanScope", 1, "running macros of documents of low trust are scanned (AMSI)"),
    ("MacroRuntimeScanScope", 2, "running macros of all documents are scanned (AMSI)"),
    ("XL4MacroOff", 0, "Excel 4.0 macros may run"),
    ("XL4MacroOff", 1, "Excel 4.0 macros are disabled"),
    ("DisableAllActiveX", 0, "ActiveX controls may run"),
    ("DisableAllActiveX", 1, "ActiveX controls are disabled"),
    ("DisableAllAddins", 0, "add-ins may run"),
    ("DisableAllAddins", 1, "add-ins are disabled"),
    ("RequireAddinSig", 0, "add-ins need no signature"),
    ("RequireAddinSig", 1, "add-ins need a signature"),
];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let place = Place::of(&input.path);
    let last = input.path.rsplit('\\').next().unwrap_or_default();
    let above = input.path.rsplit('\\').nth(1).unwrap_or_default();
    if above.eq_ignore_ascii_case("Trusted Locations") {
        location(input, &place, host, out);
        return Ok(Completion::Complete);
    }
    // A program may itself be called Security; then this is no settings key of ours, but nothing is lost by reading it.
    let purge = last.eq_ignore_ascii_case("Trusted Documents");
    for (name, value, _) in mru::values(input, out) {
        let data = value.to_value();
        let meaning = match (&data, purge && name.eq_ignore_ascii_case("LastPurgeTime")) {
            (Value::Number(minutes), true) => purged(*minutes),
            (Value::Number(number), false) => words(&name, *number).map(str::to_owned),
            _ => None,
        };
        out.give(
            mru::record(&SETTING, input, &value)
                .set("setting", name)
                .set("value", data.to_string())
                .set_some("meaning", meaning)
                .set_some("application", place.application)
                .set_some("version", place.version)
                .set("scope", place.scope)
                .time(Meaning::KEY_WRITTEN, input.key.last_write()),
        );
    }
    Ok(Completion::Complete)
}

fn words(setting: &str, number: u64) -> Option<&'static str> {
    let same = |(name, n, _): &&(&str, u64, &str)| name.eq_ignore_ascii_case(setting) && *n == number;
    WORDS.iter().find(same).map(|(_, _, words)| *words)
}

/// Minutes since 1970 (UTC), like those of a trust record.
fn purged(minutes: u64) -> Option<String> {
    let time = Timestamp::from_unix_seconds(i64::try_from(minutes).ok()?.checked_mul(60)?)?;
    Some(format!("the list of trusted documents was last purged in the minute of {time}"))
}

fn location(input: &KeyInput<'_>, place: &Place<'_>, host: &Host, out: &mut Out<'_>) {
    for value in input.key.values() {
        out.keep(value.and_then(|value| value.data().map(|_| ())));
    }
    let text = |name| input.key.value(name).and_then(|value| value.text());
    let stored = text("Path");
    let mut record = Record::new(&LOCATION)
        .set("key_path", input.path.clone())
        .set_some("path", stored.as_ref().map(|path| host.expand(path, input.user)))
        .set_some("data", stored)
        .set_some("subfolders", input.key.value("AllowSubFolders").and_then(|v| v.number()).map(|n| n != 0))
        .set_some("description", text("Description"))
        .set_some("date", text("Date"))
        .set_some("application", place.application)
        .set_some("version", place.version)
        .set("scope", place.scope)
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() {
        record = record.state(State::LogReplayed);
    }
    out.give(record);
}

/// What the path of the key says.
struct Place<'p> {
    application: Option<&'p str>,
    version: Option<&'p str>,
    scope: &'static str,
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Self {
        let parts: Vec<&str> = path.split('\\').collect();
        let at = |name: &str| parts.iter().position(|part| part.eq_ignore_ascii_case(name));
        let policy = at("Policies").is_some();
        let machine = parts.first().is_some_and(|root| root.eq_ignore_ascii_case("HKEY_LOCAL_MACHINE"));
        let scope = match (machine, policy) {
            (false, false) => "user choice",
            (false, true) => "user policy",
            (true, false) => "machine choice",
            (true, true) => "machine policy",
        };
        // `Office\16.0\Word\Security`, or `Office\Common\Security` for all versions.
        let below = at("Office").and_then(|office| parts.get(office.saturating_add(1)..)).unwrap_or_default();
        let (version, application) = match below {
            [application, security, ..] if security.eq_ignore_ascii_case("Security") => (None, Some(*application)),
            [version, application, ..] => (Some(*version), Some(*application)),
            _ => (None, None),
        };
        Self { application, version, scope }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/office_security/ntuser.hve");
    const WORD: &str = r"Software\Microsoft\Office\16.0\Word\Security";

    #[test]
    fn settings_in_words() {
        let found = read(&ARTIFACT, NTUSER, WORD);
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "setting").unwrap(), field(e, "meaning"))).collect();
        let rows: Vec<_> =
            rows.into_iter().map(|(setting, meaning)| format!("{setting}: {}", meaning.unwrap_or("-"))).collect();
        assert_eq!(
            rows,
            [
                "VBAWarnings: all macros run without a question",
                "AccessVBOM: programs may change macro projects",
                "Other: -"
            ]
        );
        assert_eq!(field(&found.events[0], "scope"), Some("user choice"));
        assert_eq!(time(&found.events[0]).as_deref(), Some("2020-08-26T05:09:10.1234567Z"));
    }

    #[test]
    fn policies_and_settings_for_all_versions() {
        let found = read(&ARTIFACT, NTUSER, r"Software\Policies\Microsoft\Office\16.0\Excel\Security");
        assert_eq!(field(&found.events[0], "meaning"), Some("macros in files from the Internet are blocked"));
        assert_eq!(
            (field(&found.events[0], "scope"), field(&found.events[0], "version")),
            (Some("user policy"), Some("16.0"))
        );
        let found = read(&ARTIFACT, NTUSER, r"Software\Microsoft\Office\Common\Security");
        assert_eq!(
            (field(&found.events[0], "application"), field(&found.events[0], "version")),
            (Some("Common"), None)
        );
        let found = read(&ARTIFACT, NTUSER, &format!(r"{WORD}\ProtectedView"));
        assert_eq!(field(&found.events[0], "meaning"), Some("files from the Internet open without Protected View"));
        let found = read(&ARTIFACT, NTUSER, &format!(r"{WORD}\Trusted Documents"));
        let purged = "the list of trusted documents was last purged in the minute of 2012-04-02T13:36:00.0000000Z";
        assert_eq!(field(&found.events[0], "meaning"), Some(purged));
    }

    #[test]
    fn a_trusted_location_is_one_row() {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{WORD}\Trusted Locations\Location9"));
        let [location] = found.events.as_slice() else { panic!("{:?}", found.events) };
        assert_eq!(field(location, "path"), Some(r"C:\Users\Clippy\AppData\Roaming\Microsoft\Templates"));
        assert_eq!(location.values.get("subfolders"), Some(&Value::Bool(true)));
        assert_eq!(field(location, "application"), Some("Word"));
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, WORD);
        damage(&ARTIFACT, NTUSER, &format!(r"{WORD}\Trusted Locations\Location9"));
    }
}
