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
//! | `SOFTWARE\…\SystemRestore` | `DisableSR`: 1 off | restore points |
//! | `NTUSER\…\Explorer\Advanced`, `…\Policies\Explorer` | `Start_TrackProgs`, `NoRecentDocsHistory` … | traces of the user |
//!
//! Source: Microsoft's documentation of each; MITRE ATT&CK T1562.002.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, ends_like, value_record};
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

/// One switch: how its key's path ends, its value, what it is about, and when that is recorded.
struct Switch {
    tail: &'static str,
    value: &'static str,
    what: &'static str,
    recorded: fn(u64) -> bool,
}

const fn switch(tail: &'static str, value: &'static str, what: &'static str, recorded: fn(u64) -> bool) -> Switch {
    Switch { tail, value, what, recorded }
}

const NOT_ZERO: fn(u64) -> bool = |n| n != 0;
const ZERO: fn(u64) -> bool = |n| n == 0;
const NOT_DISABLED: fn(u64) -> bool = |n| n != 4;
const FIRST_BIT: fn(u64) -> bool = |n| n & 1 != 0;
const NOT_FIRST_BIT: fn(u64) -> bool = |n| n & 1 == 0;

static SWITCHES: &[Switch] = &[
    switch(r"System\Audit", "ProcessCreationIncludeCmdLine_Enabled", "command lines in event 4688", NOT_ZERO),
    switch("SystemRestore", "DisableSR", "restore points", ZERO),
    switch(r"PowerShell\ScriptBlockLogging", "EnableScriptBlockLogging", "PowerShell script blocks", NOT_ZERO),
    switch(r"PowerShell\ModuleLogging", "EnableModuleLogging", "PowerShell modules", NOT_ZERO),
    switch(r"PowerShell\Transcription", "EnableTranscripting", "PowerShell transcripts", NOT_ZERO),
    switch(r"PowerShellCore\ScriptBlockLogging", "EnableScriptBlockLogging", "PowerShell script blocks", NOT_ZERO),
    switch(r"PowerShellCore\ModuleLogging", "EnableModuleLogging", "PowerShell modules", NOT_ZERO),
    switch(r"PowerShellCore\Transcription", "EnableTranscripting", "PowerShell transcripts", NOT_ZERO),
    switch(r"Explorer\Advanced", "Start_TrackProgs", "programs that the user starts", NOT_ZERO),
    switch(r"Explorer\Advanced", "Start_TrackDocs", "documents that the user opens", NOT_ZERO),
    switch(r"Policies\Explorer", "NoRecentDocsHistory", "documents that the user opens", ZERO),
    switch(r"Policies\Explorer", "ClearRecentDocsOnExit", "documents that the user opens, beyond logoff", ZERO),
    switch(r"Policies\Explorer", "NoInstrumentation", "programs that the user starts", ZERO),
    switch("PrefetchParameters", "EnablePrefetcher", "prefetch of programs", FIRST_BIT),
    switch(r"Control\FileSystem", "NtfsDisableLastAccessUpdate", "last access of files", NOT_FIRST_BIT),
    switch(r"Autologger\*", "Start", "event log session", NOT_ZERO),
    switch(r"Services\EventLog", "Start", "event logs", NOT_DISABLED),
    switch(r"Services\DPS", "Start", "SRUM", NOT_DISABLED),
    switch(r"Services\SysMain", "Start", "prefetch", NOT_DISABLED),
    switch(r"Services\bam", "Start", "background activity (BAM)", NOT_DISABLED),
];

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    if let Some(channel) = ends_like(&input.path, r"WINEVT\Channels\*").flatten() {
        give_channel(&values, channel, input, out);
    } else if ends_like(&input.path, r"Control\MiniNt").is_some() {
        out.give(values.record(&STATE, input).set("what", "Security event log").set("recorded", false));
    }
    for switch in SWITCHES {
        let Some(subject) = ends_like(&input.path, switch.tail) else { continue };
        let Some(value) = values.get(switch.value) else { continue };
        let Some(number) = value.number() else { continue };
        out.give(
            value_record(&STATE, input, value)
                .set("what", switch.what)
                .set_some("subject", subject)
                .set("name", value.name())
                .set("data", number.to_string())
                .set("recorded", (switch.recorded)(number)),
        );
    }
    Ok(Completion::Complete)
}

/// A channel for administrators or operation that is off.
fn give_channel(values: &KeyValues<'_>, channel: String, input: &KeyInput<'_>, out: &mut Out<'_>) {
    let Some(value) = values.get("Enabled").filter(|value| value.number() == Some(0)) else { return };
    if values.number("Type").is_some_and(|kind| kind > 1) {
        return;
    }
    out.give(
        value_record(&STATE, input, value)
            .set("what", "event log channel")
            .set("subject", channel)
            .set("name", value.name())
            .set("data", "0")
            .set("recorded", false),
    );
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
