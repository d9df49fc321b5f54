//! What Office programs load by themselves: add-ins, start-up files and folders, and pages that Outlook shows.
//!
//! | key | values |
//! |---|---|
//! | `…\Office\[version\]<program>\Addins\<name>` | `FriendlyName`, `Description`, `LoadBehavior`, `Manifest` |
//! | `…\Office\<version>\Excel\Options` | `OPEN`, `OPEN1` …, `AltStartup` |
//! | `…\Office\<version>\Word\Options` | `STARTUP-PATH`, `PersonalTemplates` |
//! | `…\Office\<version>\PowerPoint\AddIns\<name>` | `Path`, `AutoLoad` |
//! | `…\Office\<version>\Outlook\WebView\<folder>`, `…\Outlook\Today` | `URL`, `UserDefinedUrl` |
//! | `…\Office test\Special\Perf` | default value: a library that every Office program loads |
//!
//! `LoadBehavior`: bit 1 loaded, bit 2 at start, bit 8 on demand, bit 16 first time.
//!
//! Source: Microsoft, "Registry entries for VSTO Add-ins"; MITRE ATT&CK T1137.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{AUTOSTART, KeyValues, Place, ends_like, give_autostarts};
use crate::model::{Descriptor, Field, Host, Kind};

static ADDIN: Descriptor = Descriptor {
    name: "windows:registry:office_addin",
    doc: "An Office program loads an add-in; set at the latest when its key was last written.",
    message: "{program} has the add-in {name}[ ({friendly_name})][: {manifest}][, load behavior {load_behavior}]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("program", Kind::Text, "Office program"),
        Field::new("name", Kind::Text, "Name of the add-in: the key's own name, usually a class by its name"),
        Field::new("friendly_name", Kind::Text, "Name shown to users"),
        Field::new("description", Kind::Text, "Description"),
        Field::new("manifest", Kind::Text, "Where the add-in's manifest or file lies"),
        Field::new("load_behavior", Kind::Number, "LoadBehavior; 3 is loaded at start"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "office_addins",
    doc: "Office programs load add-ins at their start, open the files that OPEN values name, and load all that lies \
in their start-up folders; Outlook can show a web page in place of a folder. All of it is set in the registry, for \
one user or for all.\n\n\
It proves that it was set. The time of a row is the last write of the KEY: it dates the last change of any of its \
values; Office rewrites LoadBehavior when an add-in fails or is slow.\n\n\
It does not prove that the add-in was loaded or is bad: most machines have several. The add-in's file stands in the \
class of its name, or in Manifest. A page in place of an Outlook folder, and a library under Office test, have no \
harmless reason today.\n\n\
It lives until somebody removes it.",
    references: &[
        "https://learn.microsoft.com/en-us/visualstudio/vsto/registry-entries-for-vsto-add-ins",
        "https://attack.mitre.org/techniques/T1137/",
    ],
    emits: &[&ADDIN, &AUTOSTART],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"NTUSER\Software\Microsoft\Office\*\Addins\*",
    r"NTUSER\Software\Microsoft\Office\*\*\Addins\*",
    r"NTUSER\Software\Microsoft\Office\*\Excel\Options",
    r"NTUSER\Software\Microsoft\Office\*\Word\Options",
    r"NTUSER\Software\Microsoft\Office\*\Outlook\WebView\*",
    r"NTUSER\Software\Microsoft\Office\*\Outlook\Today",
    r"NTUSER\Software\Microsoft\Office test\Special\Perf",
    r"SOFTWARE\Microsoft\Office\*\Addins\*",
    r"SOFTWARE\Microsoft\Office\*\*\Addins\*",
    r"SOFTWARE\Microsoft\Office test\Special\Perf",
    r"SOFTWARE\WOW6432Node\Microsoft\Office\*\Addins\*",
    r"SOFTWARE\WOW6432Node\Microsoft\Office\*\*\Addins\*",
    r"SOFTWARE\WOW6432Node\Microsoft\Office test\Special\Perf",
];

static PLACES: &[Place] = &[
    Place { tail: r"Excel\Options", values: &["OPEN*", "AltStartup"], mechanism: "Excel start-up file" },
    Place { tail: r"Word\Options", values: &["STARTUP-PATH"], mechanism: "Word start-up folder" },
    Place { tail: r"Outlook\WebView\*", values: &["URL"], mechanism: "Outlook folder page" },
    Place { tail: r"Outlook\Today", values: &["UserDefinedUrl"], mechanism: "Outlook Today page" },
    Place { tail: r"Office test\Special\Perf", values: &[""], mechanism: "Office test library" },
];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    give_autostarts(PLACES, input, host, out);
    let addins = input.key.parent().filter(|_| ends_like(&input.path, r"Addins\*").is_some());
    let Some(program) = addins.and_then(|addins| Some(addins.parent()?.name())) else {
        return Ok(Completion::Complete);
    };
    let values = KeyValues::read(&input.key, out);
    out.give(
        values
            .record(&ADDIN, input)
            .set("program", program)
            .set("name", input.key.name())
            .set_some("friendly_name", values.text("FriendlyName"))
            .set_some("description", values.text("Description"))
            .set_some("manifest", values.text("Manifest").or_else(|| values.text("Path")))
            .set_some("load_behavior", values.number("LoadBehavior")),
    );
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::read;
    use super::*;
    use crate::model::Event;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/office_addins/ntuser.hve");

    #[test]
    fn addins_start_up_files_and_pages() {
        let office = r"Software\Microsoft\Office";
        let keys = [r"Word\Addins\Evil.Addin", r"16.0\Excel\Options", r"16.0\Outlook\WebView\Inbox"]
            .map(|key| format!(r"{office}\{key}"));
        let sink = read(&ARTIFACT, &Host::default(), NTUSER, "HKU", &[&keys[0], &keys[1], &keys[2]]);
        let messages: Vec<_> = sink.events.iter().map(Event::message).collect();
        assert_eq!(
            messages,
            [
                "Word has the add-in Evil.Addin (Helper): file:///C:/x.vsto|vstolocal, load behavior 3".to_owned(),
                format!(r#"Excel start-up file: /R "C:\x.xll" (HKU\{}, value OPEN)"#, keys[1]),
                format!(r"Outlook folder page of Inbox: http://evil.example/x.html (HKU\{}, value URL)", keys[2]),
            ]
        );
    }
}
