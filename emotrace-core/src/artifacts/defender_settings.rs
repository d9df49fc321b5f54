//! Settings of Microsoft Defender: what it leaves out, and what was switched off.
//!
//! `SOFTWARE\Microsoft\Windows Defender` and, by group policy, `SOFTWARE\Policies\Microsoft\Windows Defender`:
//!
//! | subkey | values |
//! |---|---|
//! | (itself) | `DisableAntiSpyware`, `DisableAntiVirus`, `PUAProtection` … |
//! | `Exclusions\Paths`, `Processes`, `Extensions`, `IpAddresses`, `TemporaryPaths` | the NAME of each value is what is left out |
//! | `Real-Time Protection`, `Features`, `Spynet`, `Scan`, `Signature Updates`, `MpEngine`, `UX Configuration`, `Reporting` | switches |
//! | `Windows Defender Exploit Guard\ASR\…`, `Controlled Folder Access`, `Network Protection` | rules and switches |
//! | `Threats\ThreatIDDefaultAction`, `ThreatSeverityDefaultAction` | 6 allows, 9 ignores |
//!
//! Source: Microsoft, "Configure Microsoft Defender Antivirus exclusions", WindowsDefender.admx.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, is_listed, value_record};
use crate::model::{Descriptor, Field, Host, Kind};

static EXCLUSION: Descriptor = Descriptor {
    name: "windows:registry:defender_exclusion",
    doc: "Defender leaves something out; set at the latest when the key was last written.",
    message: "Defender leaves out the {kind} {item}[ (by policy: {by_policy})]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("kind", Kind::Text, "path, process, extension, address, or the name of another subkey"),
        Field::new("item", Kind::Text, "What is left out, as stored"),
        Field::new("by_policy", Kind::Bool, "A group policy set it (or a program that wrote the policy's key)"),
    ],
};

static SETTING: Descriptor = Descriptor {
    name: "windows:registry:defender_setting",
    doc: "A setting of Defender; set at the latest when the key was last written.",
    message: "Defender: [{section}, ]{name} is {data}[ (weakens it: {weakens})]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("section", Kind::Text, "Subkey of Defender's key"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("data", Kind::Text, "Its data as text"),
        Field::new("by_policy", Kind::Bool, "A group policy set it (or a program that wrote the policy's key)"),
        Field::new(
            "weakens",
            Kind::Bool,
            "True if it switches off or narrows protection; absent where that is not known",
        ),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "defender_settings",
    doc: "The settings of Microsoft Defender in the registry, the machine's own and those of a group policy: what it \
leaves out (exclusions), whether real-time protection and its parts are on, what it reports, and what it does with \
threats.\n\n\
It proves that the setting stands there. The time of a row is the last write of the KEY: it dates the last change of \
any of its values. The key of exclusions is written when one is added or removed, so for the exclusion that came last \
it is the exact time.\n\n\
It does not prove who set it, nor that Defender heeded it: with tamper protection on, DisableAntiSpyware and the like \
do nothing, and since August 2020 Defender ignores DisableAntiSpyware on clients. Defender keeps the key locked while \
it runs, so an offline change is telling. Event 5007 of Defender's log tells each change with its time.\n\n\
It lives until somebody changes it; policies come back when they are applied again.",
    references: &[
        "https://learn.microsoft.com/en-us/defender-endpoint/configure-exclusions-microsoft-defender-antivirus",
        "https://attack.mitre.org/techniques/T1562/001/",
    ],
    emits: &[&EXCLUSION, &SETTING],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"SOFTWARE\Microsoft\Windows Defender",
    r"SOFTWARE\Microsoft\Windows Defender\Exclusions\*",
    r"SOFTWARE\Microsoft\Windows Defender\Real-Time Protection",
    r"SOFTWARE\Microsoft\Windows Defender\Features",
    r"SOFTWARE\Microsoft\Windows Defender\Spynet",
    r"SOFTWARE\Microsoft\Windows Defender\Scan",
    r"SOFTWARE\Microsoft\Windows Defender\Signature Updates",
    r"SOFTWARE\Microsoft\Windows Defender\UX Configuration",
    r"SOFTWARE\Microsoft\Windows Defender\Threats\ThreatIDDefaultAction",
    r"SOFTWARE\Microsoft\Windows Defender\Threats\ThreatSeverityDefaultAction",
    r"SOFTWARE\Microsoft\Windows Defender\Windows Defender Exploit Guard\**",
    r"SOFTWARE\Policies\Microsoft\Windows Defender",
    r"SOFTWARE\Policies\Microsoft\Windows Defender\*",
    r"SOFTWARE\Policies\Microsoft\Windows Defender\Exclusions\*",
    r"SOFTWARE\Policies\Microsoft\Windows Defender\Threats\*",
    r"SOFTWARE\Policies\Microsoft\Windows Defender\Windows Defender Exploit Guard\*\**",
    r"SOFTWARE\Policies\Microsoft\Microsoft Antimalware\Exclusions\*",
    r"SOFTWARE\Microsoft\Microsoft Antimalware\Exclusions\*",
];

const KINDS: &[(&str, &str)] = &[
    ("Paths", "path"),
    ("TemporaryPaths", "path"),
    ("Processes", "process"),
    ("Extensions", "extension"),
    ("IpAddresses", "address"),
];

/// Numbers under Defender's key itself that are settings; the rest is its own book-keeping.
const TOP: &[&str] = &[
    "DisableAntiSpyware",
    "DisableAntiVirus",
    "DisableRoutinelyTakingAction",
    "DisableLocalAdminMerge",
    "PUAProtection",
    "ServiceKeepAlive",
    "AllowFastServiceStartup",
    "HideExclusionsFromLocalAdmins",
    "PassiveMode",
    "ForceDefenderPassiveMode",
    "ProductStatus",
    "IsServiceRunning",
    "HybridModeEnabled",
];

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let path = input.key.path();
    let by_policy = path.get(..9).is_some_and(|head| head.eq_ignore_ascii_case(r"Policies\"));
    let components: Vec<&str> = path.split('\\').collect();
    let product =
        |name: &&str| ["Windows Defender", "Microsoft Antimalware"].iter().any(|p| p.eq_ignore_ascii_case(name));
    let below = components.iter().position(product).map_or(0, |at| at.saturating_add(1));
    let section = components.get(below..).unwrap_or_default().join("\\");
    let parent = input.key.parent().map(|key| key.name()).unwrap_or_default();
    for value in KeyValues::read(&input.key, out).iter() {
        let (name, data) = (value.name(), value.to_value().to_string());
        if name.is_empty() {
            continue;
        }
        if parent.eq_ignore_ascii_case("Exclusions") {
            let folder = input.key.name();
            let kind = KINDS.iter().find(|(key, _)| key.eq_ignore_ascii_case(&folder)).map(|(_, kind)| *kind);
            out.give(
                value_record(&EXCLUSION, input, value)
                    .set("kind", kind.map_or(folder, str::to_owned))
                    .set("item", name)
                    .set("by_policy", by_policy),
            );
        } else if !section.is_empty() || TOP.iter().any(|top| top.eq_ignore_ascii_case(&name)) {
            out.give(
                value_record(&SETTING, input, value)
                    .set_some("section", (!section.is_empty()).then(|| section.clone()))
                    .set_some("weakens", weakens(&section, &name, &data))
                    .set("name", name)
                    .set("data", data)
                    .set("by_policy", by_policy),
            );
        }
    }
    Ok(Completion::Complete)
}

/// Switches that take protection away when they are set, wherever they lie.
const SWITCHED_OFF: &[&str] = &[
    "DisableAntiSpyware",
    "DisableAntiVirus",
    "DisableRoutinelyTakingAction",
    "DisableArchiveScanning",
    "DisableBlockAtFirstSeen",
    "DisableHeuristics",
    "DisablePackedExeScanning",
];

/// Whether a setting takes protection away, for settings of which that is known.
fn weakens(section: &str, name: &str, data: &str) -> Option<bool> {
    let is = |text: &str| name.eq_ignore_ascii_case(text);
    let off = data == "0";
    // Other switches of that kind are on by default (scans of network drives, for example), or make it stronger
    // (DisableLocalAdminMerge).
    let real_time = section.eq_ignore_ascii_case("Real-Time Protection");
    if real_time && is_listed(name, &["Disable*"]) || is_listed(name, SWITCHED_OFF) {
        return Some(!off);
    }
    if section.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("Threats")) && !is("Threats_ThreatIdDefaultAction")
    {
        // 6 allow, 9 ignore; the other actions are clean, quarantine, remove, block.
        return Some(matches!(data, "6" | "9"));
    }
    match () {
        // 0, 2 and 4 are off, 1 and 5 are on.
        () if is("TamperProtection") => Some(matches!(data, "0" | "2" | "4")),
        () if is("SpynetReporting") || is("PUAProtection") || is("EnableNetworkProtection") => Some(off),
        () if is("EnableControlledFolderAccess") => Some(off),
        // Never send.
        () if is("SubmitSamplesConsent") => Some(data == "2"),
        () if is("Notification_Suppress") => Some(!off),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;
    use crate::model::Event;

    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/defender_settings/software.hve");

    #[test]
    fn exclusions_of_machine_and_policy() {
        let keys = [
            r"Microsoft\Windows Defender\Exclusions\Paths",
            r"Microsoft\Windows Defender\Exclusions\Extensions",
            r"Policies\Microsoft\Windows Defender\Exclusions\Processes",
        ];
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let rows: Vec<_> =
            sink.events.iter().map(|e| [text(e, "kind"), text(e, "item"), text(e, "by_policy")]).collect();
        let row = |kind: &str, item: &str, policy: &str| [kind, item, policy].map(|text| Some(text.to_owned()));
        assert_eq!(
            rows,
            [
                row("path", r"C:\Users\Public", "false"),
                row("extension", "exe", "false"),
                row("process", "run.exe", "true")
            ]
        );
        assert_eq!(sink.events[0].time.unwrap().to_string(), "2020-08-26T05:09:52.0000000Z");
    }

    #[test]
    fn nothing_is_said_of_settings_that_are_not_known() {
        assert_eq!(weakens("", "DisableLocalAdminMerge", "1"), None);
        assert_eq!(weakens("Scan", "DisableScanningNetworkFiles", "1"), None);
        assert_eq!(weakens("Real-Time Protection", "DisableBehaviorMonitoring", "0"), Some(false));
        assert_eq!(weakens(r"Threats\ThreatSeverityDefaultAction", "4", "6"), Some(true));
        assert_eq!(weakens("Features", "TamperProtection", "4"), Some(true));
    }

    #[test]
    fn switches_and_what_they_weaken() {
        let keys = [
            r"Microsoft\Windows Defender",
            r"Microsoft\Windows Defender\Real-Time Protection",
            r"Microsoft\Windows Defender\Features",
        ];
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let messages: Vec<_> = sink.events.iter().map(Event::message).collect();
        assert_eq!(
            messages,
            [
                "Defender: DisableAntiSpyware is 1 (weakens it: true)",
                "Defender: Real-Time Protection, DisableRealtimeMonitoring is 1 (weakens it: true)",
                "Defender: Features, TamperProtection is 5 (weakens it: false)",
            ]
        );
    }
}
