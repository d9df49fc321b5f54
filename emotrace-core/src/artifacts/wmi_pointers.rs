//! What the registry tells of WMI: where its repository lies, which MOF files fill it, and which namespaces have events.
//!
//! | key of `SOFTWARE\Microsoft\WBEM` | value |
//! |---|---|
//! | `CIMOM` | `Autorecover MOFs`: files that are compiled anew when the repository is rebuilt; `Autorecover MOFs timestamp` |
//! | `CIMOM` | `Repository Directory`, `Working Directory`, `Logging Directory`, `MOF Self-Install Directory` |
//! | `ESS\//./<namespace>\<provider>` | a provider of events that a subscription of the namespace uses |
//!
//! The subscriptions themselves (filter, consumer, binding) lie in the repository, `System32\wbem\Repository\OBJECTS.DATA`,
//! not in the registry. The time of the list is a FILETIME in decimal digits.
//!
//! Source: Microsoft, "pragma autorecover", "MOF Self-Install Directory"; MITRE ATT&CK T1546.003.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, ends_like, value_record};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, Timestamp};

static MOF: Descriptor = Descriptor {
    name: "windows:registry:wmi_mof",
    doc: "A MOF file is compiled into the WMI repository whenever that is rebuilt; listed at the latest when the key was last \
written.",
    message: "WMI compiles {command} when its repository is rebuilt",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("data", Kind::Text, "Path of the file as stored"),
        Field::new("command", Kind::Text, "Path with %variables% replaced where the evidence tells them"),
        Field::new("listed", Kind::Time, "When the list was last written, as the key says beside it"),
    ],
};

static DIRECTORY: Descriptor = Descriptor {
    name: "windows:registry:wmi_directory",
    doc: "Where WMI keeps its repository or its logs, or takes MOF files from; set at the latest when the key was last written.",
    message: "WMI: {name} is {path}",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("data", Kind::Text, "The folder as stored"),
        Field::new("path", Kind::Text, "The folder with %variables% replaced where the evidence tells them"),
    ],
};

static PROVIDER: Descriptor = Descriptor {
    name: "windows:registry:wmi_event_provider",
    doc: "The event system of WMI loaded a provider of events for a namespace; the time is the last write of its key.",
    message: "WMI has events[ of {provider}] in the namespace {namespace}",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("namespace", Kind::Text, "Namespace"),
        Field::new("provider", Kind::Text, "Provider of events; absent for the namespace's own key"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "wmi_pointers",
    doc: "Windows Management Instrumentation keeps classes and event subscriptions in its repository. The registry points at \
it: the folders, the MOF files that fill the repository when it is rebuilt, and the providers whose events some \
subscription of a namespace uses.\n\n\
It proves that the file was listed, and that the provider was used for events. A MOF file outside of System32\\wbem and \
the folders of installed programs, and above all one in a folder of a user, deserves a look. Win32ClockProvider below \
root/CIMV2 is used by subscriptions that wait for a time. The time of a row is the last write of the KEY; that of the \
list of MOF files stands beside it as well.\n\n\
It does not prove what a subscription does, nor that there is one now: they lie in the repository (OBJECTS.DATA), and in \
the log Microsoft-Windows-WMI-Activity/Operational, event 5861. Management software uses them too.\n\n\
The list lives until somebody changes it, the providers' keys until the namespace goes.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/wmisdk/pragma-autorecover",
        "https://attack.mitre.org/techniques/T1546/003/",
    ],
    emits: &[&MOF, &DIRECTORY, &PROVIDER],
    reads: Reads::RegKeys {
        keys: &[
            r"SOFTWARE\Microsoft\WBEM\CIMOM",
            r"SOFTWARE\WOW6432Node\Microsoft\WBEM\CIMOM",
            r"SOFTWARE\Microsoft\WBEM\ESS\*",
            r"SOFTWARE\Microsoft\WBEM\ESS\*\*",
        ],
        parse,
    },
};

const MOFS: &str = "Autorecover MOFs";
const DIRECTORIES: &[&str] =
    &["Repository Directory", "Working Directory", "Logging Directory", "MOF Self-Install Directory"];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    if ends_like(&input.path, r"WBEM\CIMOM").is_some() {
        give_list(&values, input, host, out);
        give_directories(&values, input, host, out);
    } else if let Some(namespace) = ends_like(&input.path, r"ESS\*").flatten() {
        out.give(values.record(&PROVIDER, input).set("namespace", bare(&namespace)));
    } else if let Some(above) = input.key.parent() {
        let record = values.record(&PROVIDER, input).set("namespace", bare(&above.name()));
        out.give(record.set("provider", input.key.name()));
    }
    Ok(Completion::Complete)
}

/// `root/CIMV2` of `//./root/CIMV2`.
fn bare(namespace: &str) -> String {
    namespace.strip_prefix("//./").unwrap_or(namespace).to_owned()
}

fn give_list(values: &KeyValues<'_>, input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) {
    let Some(value) = values.get(MOFS) else { return };
    let digits = values.text("Autorecover MOFs timestamp").and_then(|digits| digits.parse().ok());
    let listed = digits.and_then(Timestamp::from_filetime_field);
    for path in values.texts(MOFS).unwrap_or_default() {
        out.give(
            value_record(&MOF, input, value)
                .set("name", value.name())
                .set("command", host.expand(&path, None))
                .set("data", path)
                .set_some("listed", listed)
                .time(Meaning::MODIFIED, listed),
        );
    }
}

fn give_directories(values: &KeyValues<'_>, input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) {
    for name in DIRECTORIES {
        let (Some(value), Some(data)) = (values.get(name), values.text(name)) else { continue };
        out.give(
            value_record(&DIRECTORY, input, value)
                .set("name", value.name())
                .set("path", host.expand(&data, None))
                .set("data", data),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/wmi_pointers/software.hve");

    #[test]
    fn files_folders_and_providers() {
        let ess = r"Microsoft\WBEM\ESS\//./root/CIMV2";
        let keys = [r"Microsoft\WBEM\CIMOM", ess, &format!(r"{ess}\Win32ClockProvider")];
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &keys);
        let of = |name: &'static str| sink.events.iter().filter(move |event| event.descriptor.name == name);
        // Two times, so two rows for each file.
        let files: Vec<_> = of(MOF.name).filter_map(|event| text(event, "data")).collect();
        assert_eq!(files.len(), 4);
        assert!(files.contains(&r"C:\Users\Public\evil.mof".to_owned()));
        let folders: Vec<_> = of(DIRECTORY.name).filter_map(|event| text(event, "path")).collect();
        assert_eq!(folders, [r"%systemroot%\system32\wbem\Repository"]);
        let providers: Vec<_> =
            of(PROVIDER.name).map(|event| (text(event, "namespace"), text(event, "provider"))).collect();
        let namespace = || Some("root/CIMV2".to_owned());
        assert_eq!(providers, [(namespace(), None), (namespace(), Some("Win32ClockProvider".to_owned()))]);
    }
}
