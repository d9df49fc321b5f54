//! Image file execution options: what Windows does when a program of a given name starts or ends.
//!
//! `SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\<program>`: `Debugger` is started instead
//! of the program, `VerifierDlls` are loaded into it, `GlobalFlag` 0x200 watches its end.
//! `…\SilentProcessExit\<program>`: `MonitorProcess` is started when it ends. Keys below the program's narrow it to one
//! path (`FilterFullPath`).
//!
//! Source: Microsoft, "Image File Execution Options", "Monitoring silent process exit"; MITRE ATT&CK T1546.012.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, named};
use crate::model::{Descriptor, Field, Host, Kind};

static OPTION: Descriptor = Descriptor {
    name: "windows:registry:image_option",
    doc: "The start or end of a program is changed; set at the latest when the key was last written.",
    message: "When {program} runs[: {debugger} is started instead][, {monitor} is started at its end][, {verifier_dlls} is \
loaded][, GlobalFlag {global_flag}]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("program", Kind::Text, "Name of the program's file"),
        Field::new("filter_path", Kind::Text, "Full path that the options are narrowed to"),
        Field::new("debugger", Kind::Text, "Program that is started instead, with the original command line behind it"),
        Field::new("monitor", Kind::Text, "Program that is started when it ends (MonitorProcess)"),
        Field::new(
            "reporting_mode",
            Kind::Text,
            "What is done at its end: bits 1 start the monitor, 2 local dump, 4 notification",
        ),
        Field::new("verifier_dlls", Kind::Text, "Libraries that are loaded into it"),
        Field::new("global_flag", Kind::Text, "GlobalFlag as stored; bit 0x200 watches the end of the program"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "image_options",
    doc: "Image file execution options are meant for debugging: by the name of a program they say what to start in \
its place (Debugger), what to load into it (VerifierDlls), and what to start when it ends (SilentProcessExit, \
MonitorProcess).\n\n\
It proves that the options were set. The time of a row is the last write of the KEY: it dates the last change of any \
of its values.\n\n\
It does not prove that the program was run, and so that the other one was. Some tools for developers and Process \
Explorer (in place of the task manager) set a debugger too; keys with other values only (mitigations, for example) \
give no row.\n\n\
It lives until somebody removes it.",
    references: &[
        "https://learn.microsoft.com/en-us/windows-hardware/drivers/debugger/registry-entries-for-silent-process-exit",
        "https://attack.mitre.org/techniques/T1546/012/",
    ],
    emits: &[&OPTION],
    reads: Reads::RegKeys {
        keys: &[
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\*",
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\*\*",
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\SilentProcessExit\*",
            r"SOFTWARE\WOW6432Node\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\*",
            r"SOFTWARE\WOW6432Node\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\*\*",
            r"SOFTWARE\WOW6432Node\Microsoft\Windows NT\CurrentVersion\SilentProcessExit\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    let number = |name| values.number(name).map(|flags| format!("{flags:#x}")).or_else(|| values.text(name));
    let told =
        [values.text("Debugger"), values.text("MonitorProcess"), values.text("VerifierDlls"), number("GlobalFlag")];
    if told.iter().all(Option::is_none) {
        return Ok(Completion::Complete);
    }
    let [debugger, monitor, verifier_dlls, global_flag] = told;
    // A narrowed key lies below the program's own.
    let above = input.key.parent().map(|key| key.name()).unwrap_or_default();
    let topmost =
        ["Image File Execution Options", "SilentProcessExit"].iter().any(|name| name.eq_ignore_ascii_case(&above));
    out.give(
        values
            .record(&OPTION, input)
            .set("program", if topmost { input.key.name() } else { above })
            .set_some("filter_path", values.text("FilterFullPath"))
            .set_some("debugger", debugger)
            .set_some("monitor", monitor)
            .set_some("reporting_mode", values.number("ReportingMode").map(|n| named(&[], n)))
            .set_some("verifier_dlls", verifier_dlls)
            .set_some("global_flag", global_flag),
    );
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/image_options/software.hve");
    const NT: &str = r"Microsoft\Windows NT\CurrentVersion";

    #[test]
    fn debugger_filter_and_monitor() {
        let keys = [
            format!(r"{NT}\Image File Execution Options\sethc.exe"),
            format!(r"{NT}\Image File Execution Options\notepad.exe"),
            format!(r"{NT}\Image File Execution Options\notepad.exe\0"),
            format!(r"{NT}\Image File Execution Options\harmless.exe"),
            format!(r"{NT}\SilentProcessExit\notepad.exe"),
        ];
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let messages: Vec<_> = sink.events.iter().map(crate::model::Event::message).collect();
        assert_eq!(
            messages,
            [
                r"When sethc.exe runs: C:\Windows\System32\cmd.exe is started instead",
                "When notepad.exe runs, GlobalFlag 0x200",
                "When notepad.exe runs: x.exe is started instead",
                r"When notepad.exe runs, C:\evil.exe is started at its end",
            ]
        );
        assert_eq!(text(&sink.events[2], "filter_path").as_deref(), Some(r"C:\Windows\notepad.exe"));
    }
}
