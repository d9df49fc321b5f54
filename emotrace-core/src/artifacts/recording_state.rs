//! What Windows was told to record, or not to record.
//!
//! | key | value | records |
//! |---|---|---|
//! | `SOFTWARE\…\WINEVT\Channels\<channel>` | `Enabled` (0 off), `Type` (0 admin, 1 operational, 2 analytic, 3 debug) | event log |
//! | `SYSTEM\…\Memory Management\PrefetchParameters` | `EnablePrefetcher`: bit 1 programs, bit 2 boot | prefetch files |
//! | `SYSTEM\…\Control\FileSystem` | `NtfsDisableLastAccessUpdate`: bit 1 off | last access of files |
//! | `SYSTEM\…\Services\EventLog`, `DPS`, `SysMain`, `bam` | `Start`: 4 never | event logs, SRUM, prefetch, BAM |
//! | `SYSTEM\…\WMI\Autologger\EventLog-…` | `Start`: 0 off | event logs |
//! | `SYSTEM\…\Control\MiniNt` | the key itself | while it is there the Security log stays empty |
//! | `SOFTWARE\…\Policies\System\Audit` | `ProcessCreationIncludeCmdLine_Enabled` | command lines in event 4688 |
//! | `…\Policies\Microsoft\Windows\PowerShell\…` | `EnableScriptBlockLogging` and its like | PowerShell's logs |
//! | `SECURITY\Policy\PolAdtEv` | default: see below | which kinds of event the Security log has |
//! | `SOFTWARE\…\SystemRestore` | `DisableSR`: 1 off | restore points |
//! | `NTUSER\…\Explorer\Advanced`, `…\Policies\Explorer` | `Start_TrackProgs`, `NoRecentDocsHistory` … | traces of the user |
//!
//! `PolAdtEv` from Windows Vista on: offset of the counts (8, u32), then from 12 on 16 bits for each subcategory, bit 1
//! success, bit 2 failure; at the offset the number of subcategories of each category, 16 bits each. New subcategories were
//! always added at the end of their category, so the counts tell which are there.
//!
//! Source: Microsoft's documentation of each, ntsecapi.h for the order of the subcategories; MITRE ATT&CK T1562.002.
//! Compared with RegRipper's auditpol.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, ends_like, is_listed, value_record};
use crate::bytes::fields::{u16_at, u32_at};
use crate::model::{Descriptor, Field, Host, Kind};

static STATE: Descriptor = Descriptor {
    name: "windows:registry:recording_state",
    doc: "A switch says whether Windows records something; set at the latest when its key was last written.",
    message: "{what}[ {subject}], recorded: {recorded} ({key_path}[, {name}][ = {data}])",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("what", Kind::Text, "What is recorded or not"),
        Field::new("subject", Kind::Text, "The event log's channel or session, where it is about one"),
        Field::new("name", Kind::Text, "Name of the value; absent where the key itself is the switch"),
        Field::new("data", Kind::Text, "Its data as text"),
        Field::new("recorded", Kind::Bool, "The switch lets it be recorded"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "recording_state",
    doc: "Switches in the registry that say what Windows records: event logs and their channels, prefetch files, \
SRUM, last access times of files, command lines in the Security log, PowerShell's logs, restore points, and traces of \
what a user opened.\n\n\
It proves that the switch stood so when the evidence was taken. What was not recorded is not missing: its absence \
says nothing. The time of a row is the last write of the KEY: it dates the last change of any of its values.\n\n\
It does not prove who set the switch, nor that it stood so before. Many are off by default: a server without SysMain \
has no prefetch, last access is off from Windows Vista to Windows 10 1803 and depends on the size of the disk since, \
PowerShell and command lines are logged only where somebody wants them. Of the channels only those for administrators \
and operation that are off give a row; analytic and debug channels are off everywhere.\n\n\
Coverage and verdict name what is off in the registry as it is now, so that an artifact that was never written is not \
taken for one that is missing.\n\n\
It lives until somebody changes it; policies come back when they are applied again.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/wes/eventmanifestschema-channeltype-complextype",
        "https://attack.mitre.org/techniques/T1562/002/",
    ],
    emits: &[&STATE],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Channels\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Audit",
    r"SECURITY\Policy\PolAdtEv",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\SystemRestore",
    r"SOFTWARE\Policies\Microsoft\Windows NT\SystemRestore",
    r"SOFTWARE\Policies\Microsoft\Windows\PowerShell\*",
    r"SOFTWARE\WOW6432Node\Policies\Microsoft\Windows\PowerShell\*",
    r"SOFTWARE\Policies\Microsoft\PowerShellCore\*",
    r"NTUSER\Software\Policies\Microsoft\Windows\PowerShell\*",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\Advanced",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Policies\Explorer",
    r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters",
    r"SYSTEM\CurrentControlSet\Control\FileSystem",
    r"SYSTEM\CurrentControlSet\Control\MiniNt",
    r"SYSTEM\CurrentControlSet\Control\WMI\Autologger\EventLog-*",
    r"SYSTEM\CurrentControlSet\Services\EventLog",
    r"SYSTEM\CurrentControlSet\Services\DPS",
    r"SYSTEM\CurrentControlSet\Services\SysMain",
    r"SYSTEM\CurrentControlSet\Services\bam",
];

/// Categories of the audit policy with their subcategories, in the order in which they are stored.
const AUDIT: &[(&str, &[&str])] = &[
    (
        "System",
        &[
            "Security State Change",
            "Security System Extension",
            "System Integrity",
            "IPsec Driver",
            "Other System Events",
        ],
    ),
    (
        "Logon/Logoff",
        &[
            "Logon",
            "Logoff",
            "Account Lockout",
            "IPsec Main Mode",
            "Special Logon",
            "IPsec Quick Mode",
            "IPsec Extended Mode",
            "Other Logon/Logoff Events",
            "Network Policy Server",
            "User / Device Claims",
            "Group Membership",
        ],
    ),
    (
        "Object Access",
        &[
            "File System",
            "Registry",
            "Kernel Object",
            "SAM",
            "Other Object Access Events",
            "Certification Services",
            "Application Generated",
            "Handle Manipulation",
            "File Share",
            "Filtering Platform Packet Drop",
            "Filtering Platform Connection",
            "Detailed File Share",
            "Removable Storage",
            "Central Policy Staging",
        ],
    ),
    ("Privilege Use", &["Sensitive Privilege Use", "Non Sensitive Privilege Use", "Other Privilege Use Events"]),
    (
        "Detailed Tracking",
        &[
            "Process Creation",
            "Process Termination",
            "DPAPI Activity",
            "RPC Events",
            "Plug and Play Events",
            "Token Right Adjusted Events",
        ],
    ),
    (
        "Policy Change",
        &[
            "Audit Policy Change",
            "Authentication Policy Change",
            "Authorization Policy Change",
            "MPSSVC Rule-Level Policy Change",
            "Filtering Platform Policy Change",
            "Other Policy Change Events",
        ],
    ),
    (
        "Account Management",
        &[
            "User Account Management",
            "Computer Account Management",
            "Security Group Management",
            "Distribution Group Management",
            "Application Group Management",
            "Other Account Management Events",
        ],
    ),
    (
        "DS Access",
        &[
            "Directory Service Access",
            "Directory Service Changes",
            "Directory Service Replication",
            "Detailed Directory Service Replication",
        ],
    ),
    (
        "Account Logon",
        &[
            "Credential Validation",
            "Kerberos Service Ticket Operations",
            "Other Account Logon Events",
            "Kerberos Authentication Service",
        ],
    ),
];

/// Subcategories of which coverage tells that they are off: logons, processes, services, tasks.
const TOLD_AUDIT: &[&str] = &["Logon", "Process Creation", "Security System Extension", "Other Object Access Events"];

/// One switch: how its key's path ends, its value, what it is about, when that is recorded, and which artifacts are then
/// not there. None are named where off is how Windows comes, and the artifact is there all the same.
struct Switch {
    tail: &'static str,
    value: &'static str,
    what: &'static str,
    recorded: fn(u64) -> bool,
    artifacts: &'static [&'static str],
}

const fn switch(tail: &'static str, value: &'static str, what: &'static str, recorded: fn(u64) -> bool) -> Switch {
    Switch { tail, value, what, recorded, artifacts: &[] }
}

impl Switch {
    /// Off, it keeps these artifacts from being written.
    const fn keeps(mut self, artifacts: &'static [&'static str]) -> Self {
        self.artifacts = artifacts;
        self
    }
}

const NOT_ZERO: fn(u64) -> bool = |n| n != 0;
const ZERO: fn(u64) -> bool = |n| n == 0;
const NOT_DISABLED: fn(u64) -> bool = |n| n != 4;
const FIRST_BIT: fn(u64) -> bool = |n| n & 1 != 0;
const NOT_FIRST_BIT: fn(u64) -> bool = |n| n & 1 == 0;

static SWITCHES: &[Switch] = &[
    switch(r"System\Audit", "ProcessCreationIncludeCmdLine_Enabled", "command lines in event 4688", NOT_ZERO),
    switch("SystemRestore", "DisableSR", "restore points", ZERO).keeps(&["shadow_copies"]),
    switch(r"PowerShell\ScriptBlockLogging", "EnableScriptBlockLogging", "PowerShell script blocks", NOT_ZERO),
    switch(r"PowerShell\ModuleLogging", "EnableModuleLogging", "PowerShell modules", NOT_ZERO),
    switch(r"PowerShell\Transcription", "EnableTranscripting", "PowerShell transcripts", NOT_ZERO),
    switch(r"PowerShellCore\ScriptBlockLogging", "EnableScriptBlockLogging", "PowerShell script blocks", NOT_ZERO),
    switch(r"PowerShellCore\ModuleLogging", "EnableModuleLogging", "PowerShell modules", NOT_ZERO),
    switch(r"PowerShellCore\Transcription", "EnableTranscripting", "PowerShell transcripts", NOT_ZERO),
    switch(r"Explorer\Advanced", "Start_TrackProgs", "programs that the user starts", NOT_ZERO).keeps(PROGRAMS),
    switch(r"Explorer\Advanced", "Start_TrackDocs", "documents that the user opens", NOT_ZERO).keeps(DOCUMENTS),
    switch(r"Policies\Explorer", "NoRecentDocsHistory", "documents that the user opens", ZERO).keeps(DOCUMENTS),
    switch(r"Policies\Explorer", "ClearRecentDocsOnExit", "documents that the user opens, beyond logoff", ZERO)
        .keeps(DOCUMENTS),
    switch(r"Policies\Explorer", "NoInstrumentation", "programs that the user starts", ZERO).keeps(PROGRAMS),
    switch("PrefetchParameters", "EnablePrefetcher", "prefetch of programs", FIRST_BIT).keeps(&["prefetch"]),
    switch(r"Control\FileSystem", "NtfsDisableLastAccessUpdate", "last access of files", NOT_FIRST_BIT),
    switch(r"Autologger\*", "Start", "event log session", NOT_ZERO).keeps(&["event_log"]),
    switch(r"Services\EventLog", "Start", "event logs", NOT_DISABLED).keeps(&["event_log"]),
    switch(r"Services\DPS", "Start", "SRUM", NOT_DISABLED).keeps(&["srum"]),
    switch(r"Services\SysMain", "Start", "prefetch", NOT_DISABLED).keeps(&["prefetch"]),
    switch(r"Services\bam", "Start", "background activity (BAM)", NOT_DISABLED).keeps(&["bam"]),
];

const PROGRAMS: &[&str] = &["user_assist"];
const DOCUMENTS: &[&str] = &["recent_docs", "jump_lists", "lnk_files"];

/// Channels of which coverage tells that they are off: what an examiner of an intrusion asks for. Windows comes with
/// hundreds of others off.
const TOLD_CHANNELS: &[&str] = &[
    "Security",
    "System",
    "Application",
    "Setup",
    "ForwardedEvents",
    "Windows PowerShell",
    "PowerShellCore/Operational",
    "OAlerts",
    "Microsoft-Windows-Application-Experience/Program-Inventory",
    "Microsoft-Windows-Application-Experience/Program-Telemetry",
    "Microsoft-Windows-AppLocker/*",
    "Microsoft-Windows-Bits-Client/Operational",
    "Microsoft-Windows-CodeIntegrity/Operational",
    "Microsoft-Windows-DNS-Client/Operational",
    "Microsoft-Windows-NetworkProfile/Operational",
    "Microsoft-Windows-PowerShell/Operational",
    "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational",
    "Microsoft-Windows-SMBServer/*",
    "Microsoft-Windows-SmbClient/*",
    "Microsoft-Windows-Sysmon/Operational",
    "Microsoft-Windows-TaskScheduler/Operational",
    "Microsoft-Windows-TerminalServices-*",
    "Microsoft-Windows-WMI-Activity/Operational",
    "Microsoft-Windows-Windows Defender/Operational",
    "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",
    "Microsoft-Windows-WinRM/Operational",
];

/// True if the key says how the machine is now: not a backup of the hive, and not a control set that is not in use.
fn in_force(input: &KeyInput<'_>, host: &Host) -> bool {
    let backup = input.locator.path.to_ascii_lowercase().contains(r"\regback\");
    let set = input.path.split('\\').find_map(|part| {
        let (name, number) = part.split_at_checked(10)?;
        name.eq_ignore_ascii_case("ControlSet").then(|| number.parse::<u32>().ok())?
    });
    !backup && set.is_none_or(|set| host.control_set.is_none_or(|current| current == set))
}

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let in_force = in_force(input, host);
    let account = input.user.and_then(|user| user.name.as_deref().or(user.profile.as_deref()));
    let of_user = account.map(|name| format!(" for {name}")).unwrap_or_default();
    let tell = |out: &mut Out<'_>, artifacts: &[&'static str], what: &str, why: String| {
        for artifact in artifacts.iter().filter(|_| in_force) {
            out.switched_off(artifact, format!("{what}{of_user}: {why}"));
        }
    };
    let values = KeyValues::read(&input.key, out);
    if let Some(channel) = ends_like(&input.path, r"WINEVT\Channels\*").flatten() {
        if give_channel(&values, &channel, input, out) && is_listed(&channel, TOLD_CHANNELS) {
            tell(out, &["event_log"], &format!("channel {channel}"), "Enabled is 0".to_owned());
        }
    } else if ends_like(&input.path, r"Policy\PolAdtEv").is_some() {
        for (subcategory, none) in give_audit(&values, input, out) {
            if none && TOLD_AUDIT.contains(&subcategory) {
                tell(out, &["event_log"], &format!("Security log, audit of {subcategory}"), "none".to_owned());
            }
        }
    } else if ends_like(&input.path, r"Control\MiniNt").is_some() {
        tell(out, &["event_log"], "channel Security", "the key Control\\MiniNt is there".to_owned());
        out.give(values.record(&STATE, input).set("what", "Security event log").set("recorded", false));
    }
    for switch in SWITCHES {
        let Some(subject) = ends_like(&input.path, switch.tail) else { continue };
        let Some(value) = values.get(switch.value) else { continue };
        let Some(number) = value.number() else { continue };
        let recorded = (switch.recorded)(number);
        if !recorded {
            let subject = subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
            let key = input.path.rsplit('\\').next().unwrap_or_default();
            tell(
                out,
                switch.artifacts,
                &format!("{}{subject}", switch.what),
                format!("{key}, {} is {number}", switch.value),
            );
        }
        out.give(
            value_record(&STATE, input, value)
                .set("what", switch.what)
                .set_some("subject", subject)
                .set("name", value.name())
                .set("data", number.to_string())
                .set("recorded", recorded),
        );
    }
    Ok(Completion::Complete)
}

/// Gives each subcategory of the audit policy; says which are off.
fn give_audit(values: &KeyValues<'_>, input: &KeyInput<'_>, out: &mut Out<'_>) -> Vec<(&'static str, bool)> {
    let mut told = Vec::new();
    let Some((value, data)) = values.get("").zip(values.data("")) else { return told };
    let short = |at: usize| u16_at(&data, at);
    let Some(counts) = u32_at(&data, 8).and_then(|at| usize::try_from(at).ok()) else { return told };
    let mut at = 12usize;
    for (n, (category, names)) in AUDIT.iter().enumerate() {
        let Some(count) = n.checked_mul(2).and_then(|n| short(counts.checked_add(n)?)) else { break };
        for place in 0..usize::from(count) {
            let stored = short(at).filter(|_| at < counts);
            at = at.saturating_add(2);
            let (Some(stored), Some(name)) = (stored, names.get(place)) else { continue };
            let words = match stored & 3 {
                0 => "none",
                1 => "success",
                2 => "failure",
                _ => "success and failure",
            };
            out.give(
                value_record(&STATE, input, value)
                    .set("what", format!("Security log, {category}"))
                    .set("subject", *name)
                    .set("data", words)
                    .set("recorded", stored & 3 != 0),
            );
            told.push((*name, stored & 3 == 0));
        }
    }
    told
}

/// Gives a channel for administrators or operation that is off; true if it is one.
fn give_channel(values: &KeyValues<'_>, channel: &str, input: &KeyInput<'_>, out: &mut Out<'_>) -> bool {
    let Some(value) = values.get("Enabled").filter(|value| value.number() == Some(0)) else { return false };
    if values.number("Type").is_some_and(|kind| kind > 1) {
        return false;
    }
    out.give(
        value_record(&STATE, input, value)
            .set("what", "event log channel")
            .set("subject", channel)
            .set("name", value.name())
            .set("data", "0")
            .set("recorded", false),
    );
    true
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/recording_state/software.hve");
    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/recording_state/system.hve");

    #[test]
    fn channels_and_policies() {
        let channels = r"Microsoft\Windows\CurrentVersion\WINEVT\Channels";
        let keys = [
            format!(r"{channels}\Microsoft-Windows-PowerShell/Operational"),
            format!(r"{channels}\Some/Debug"),
            format!(r"{channels}\Some/On"),
            r"Policies\Microsoft\Windows\PowerShell\ScriptBlockLogging".to_owned(),
        ];
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let rows: Vec<_> =
            sink.events.iter().map(|e| [text(e, "what"), text(e, "subject"), text(e, "recorded")]).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            rows,
            [
                [some("event log channel"), some("Microsoft-Windows-PowerShell/Operational"), some("false")],
                [some("PowerShell script blocks"), None, some("true")],
            ]
        );
    }

    #[test]
    fn audit_policy_by_its_counts() {
        const SECURITY: &[u8] = include_bytes!("../../../testdata/artifacts/recording_state/security.hve");
        let sink = read(&ARTIFACT, &Host::default(), SECURITY, "HKLM", &[r"Policy\PolAdtEv"]);
        assert_eq!(sink.events.len(), 57, "two categories are shorter than they are today");
        let row = |name: &str| {
            let event = sink.events.iter().find(|e| text(e, "subject").as_deref() == Some(name)).unwrap();
            (text(event, "what").unwrap(), text(event, "data").unwrap(), text(event, "recorded").unwrap())
        };
        let is = |what: &str, data: &str, recorded: &str| (what.to_owned(), data.to_owned(), recorded.to_owned());
        assert_eq!(row("Logon"), is("Security log, Logon/Logoff", "success and failure", "true"));
        assert_eq!(row("Process Creation"), is("Security log, Detailed Tracking", "none", "false"));
        assert_eq!(row("Audit Policy Change"), is("Security log, Policy Change", "success", "true"));
        assert_eq!(row("Kerberos Authentication Service"), is("Security log, Account Logon", "failure", "true"));
    }

    #[test]
    fn switches_of_the_system() {
        let keys = [
            r"ControlSet001\Control\Session Manager\Memory Management\PrefetchParameters",
            r"ControlSet001\Control\FileSystem",
            r"ControlSet001\Control\MiniNt",
            r"ControlSet001\Services\DPS",
        ];
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &keys);
        let rows: Vec<_> =
            sink.events.iter().map(|e| [text(e, "what"), text(e, "recorded")].map(Option::unwrap)).collect();
        let row = |what: &str, recorded: &str| [what.to_owned(), recorded.to_owned()];
        assert_eq!(
            rows,
            [
                // Boot alone (2) leaves no prefetch files of programs.
                row("prefetch of programs", "false"),
                row("last access of files", "true"),
                row("Security event log", "false"),
                row("SRUM", "false"),
            ]
        );
    }
}
