//! Extensions that Explorer and the logon screen load, and commands that a user's own classes give to kinds of files and protocols.
//!
//! | key | values |
//! |---|---|
//! | `…\CurrentVersion\ShellServiceObjectDelayLoad`, `…\Explorer\SharedTaskScheduler`, `…\Explorer\ShellExecuteHooks` | a class in name or data |
//! | `…\Explorer\ShellServiceObjects\{…}`, `…\Explorer\Browser Helper Objects\{…}` | a class in the key's name |
//! | `…\Explorer\ShellIconOverlayIdentifiers\<name>`, `Classes\<class>\shellex\…Handlers\<name>`, `…Handler` | a class in the default value, else in the key's name |
//! | `…\Shell Extensions\Approved` (user) | a class in the value's name |
//! | `…\Authentication\Credential Providers\{…}`, `…\Credential Provider Filters\{…}`, `…\PLAP Providers\{…}` | a class in the key's name |
//! | `UsrClass.dat`: `<class>\shell\<verb>\command` | default value, `DelegateExecute` |
//!
//! The library of a class stands in `CLSID\{…}\InprocServer32` of the machine's or the user's classes; where the same
//! hive has it, it is told.
//!
//! Source: Microsoft's documentation of shell extensions; MITRE ATT&CK T1176, T1546.001, T1548.002.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{AUTOSTART, KeyValues, Place, ends_like, give_autostarts, value_record};
use crate::formats::regf::Key;
use crate::model::{Descriptor, Field, Host, Kind};

static EXTENSION: Descriptor = Descriptor {
    name: "windows:registry:shell_extension",
    doc: "Explorer, the logon screen or Internet Explorer loads a class; set at the latest when the key was last written.",
    message: "{mechanism} {class}[ ({title})][ of {subject}][: {library}]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("mechanism", Kind::Text, "What loads it"),
        Field::new("class", Kind::Text, "Identifier of the class"),
        Field::new("title", Kind::Text, "Its title"),
        Field::new("subject", Kind::Text, "The class of files or folders that it is for"),
        Field::new("library", Kind::Text, "Its library, where the same hive names it"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "shell_extensions",
    doc: "Extensions of Explorer are classes that it loads at logon or when files are opened: delayed service \
objects, shared tasks, execute hooks, icon overlays, handlers of menus, property sheets and copying, and browser helper \
objects of Internet Explorer; credential providers are loaded by the logon screen. Beside them stand the commands \
that a user's own classes give to a kind of file or a protocol, which Explorer runs when the user opens one.\n\n\
It proves that the extension or command was set. The time of a row is the last write of the KEY: it dates the last \
change of any of its values.\n\n\
It does not prove that it was loaded or run: execute hooks and shared tasks are dead since Windows Vista and 8. \
Programs that are installed for one user set many commands. A command for ms-settings, mscfile or exefile in a user's \
classes has no harmless reason: it is used to get around the consent prompt.\n\n\
It lives until somebody removes it.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/shell/handlers",
        "https://attack.mitre.org/techniques/T1546/001/",
        "https://attack.mitre.org/techniques/T1548/002/",
    ],
    emits: &[&EXTENSION, &AUTOSTART],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\ShellServiceObjectDelayLoad",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\ShellServiceObjects\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\SharedTaskScheduler",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\ShellExecuteHooks",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\Browser Helper Objects\*",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\ShellServiceObjectDelayLoad",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Explorer\ShellServiceObjects\*",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Explorer\SharedTaskScheduler",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Explorer\ShellExecuteHooks",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Explorer\Browser Helper Objects\*",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\ShellServiceObjectDelayLoad",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ShellServiceObjects\*",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\Browser Helper Objects\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\ShellIconOverlayIdentifiers\*",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Explorer\ShellIconOverlayIdentifiers\*",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Explorer\ShellIconOverlayIdentifiers\*",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Shell Extensions\Approved",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Provider Filters\*",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\PLAP Providers\*",
    r"SOFTWARE\Classes\*\shellex\*Handler",
    r"SOFTWARE\Classes\*\shellex\*Handlers\*",
    r"SOFTWARE\Classes\Directory\Background\shellex\*Handlers\*",
    r"USRCLASS\*\shellex\*Handler",
    r"USRCLASS\*\shellex\*Handlers\*",
    r"USRCLASS\Directory\Background\shellex\*Handlers\*",
    r"NTUSER\Software\Classes\*\shellex\*Handler",
    r"NTUSER\Software\Classes\*\shellex\*Handlers\*",
    r"USRCLASS\*\shell\*\command",
    r"NTUSER\Software\Classes\*\shell\*\command",
];

static COMMANDS: &[Place] =
    &[Place { tail: r"*\shell\*\command", values: &["", "DelegateExecute"], mechanism: "Command of a user's class" }];

/// Keys whose values name classes: the mechanism, and whether the class is the value's name (else its data).
const IN_VALUES: &[(&str, &str, bool)] = &[
    (r"ShellServiceObjectDelayLoad", "Delayed service object", false),
    (r"Explorer\SharedTaskScheduler", "Shared task", true),
    (r"Explorer\ShellExecuteHooks", "Execute hook", true),
    (r"Shell Extensions\Approved", "Approved extension", true),
];
const IN_KEYS: &[(&str, &str)] = &[
    (r"Explorer\ShellServiceObjects\*", "Service object"),
    (r"Explorer\Browser Helper Objects\*", "Browser helper object"),
    (r"Authentication\Credential Providers\*", "Credential provider"),
    (r"Authentication\Credential Provider Filters\*", "Credential provider filter"),
    (r"Authentication\PLAP Providers\*", "Provider before logon"),
];

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    give_autostarts(COMMANDS, input, host, out);
    let values = KeyValues::read(&input.key, out);
    for (_, mechanism, class_is_name) in IN_VALUES.iter().filter(|(tail, ..)| ends_like(&input.path, tail).is_some()) {
        for value in values.iter() {
            let (name, data) = (value.name(), value.to_value().to_string());
            let (class, title) = if *class_is_name { (name, data) } else { (data, name) };
            out.give(
                value_record(&EXTENSION, input, value)
                    .set("mechanism", *mechanism)
                    .set_some("library", library(&input.key, &class))
                    .set("class", class)
                    .set_some("title", (!title.is_empty()).then_some(title)),
            );
        }
    }
    for (_, mechanism) in IN_KEYS.iter().filter(|(tail, _)| ends_like(&input.path, tail).is_some()) {
        let class = input.key.name();
        out.give(
            values
                .record(&EXTENSION, input)
                .set("mechanism", *mechanism)
                .set_some("library", library(&input.key, &class))
                .set("class", class)
                .set_some("title", values.text("")),
        );
    }
    give_handler(&values, input, out);
    Ok(Completion::Complete)
}

/// A key whose default value is the class, or whose own name is it where the value is none.
fn give_handler(values: &KeyValues<'_>, input: &KeyInput<'_>, out: &mut Out<'_>) {
    let parts: Vec<&str> = input.path.rsplitn(5, '\\').collect();
    let (mechanism, subject) = match parts.as_slice() {
        [_, overlays, ..] if overlays.eq_ignore_ascii_case("ShellIconOverlayIdentifiers") => ("Icon overlay", None),
        [_, kind, shellex, class, ..] if shellex.eq_ignore_ascii_case("shellex") => (*kind, Some(*class)),
        [kind, shellex, class, ..] if shellex.eq_ignore_ascii_case("shellex") => (*kind, Some(*class)),
        _ => return,
    };
    let (name, named) = (input.key.name(), values.text("").filter(|text| text.starts_with('{')));
    let Some((class, title)) = named.map(|class| (class, Some(name.trim().to_owned()))).or_else(|| {
        let name = input.key.name();
        name.starts_with('{').then_some((name, None))
    }) else {
        return;
    };
    out.give(
        values
            .record(&EXTENSION, input)
            .set("mechanism", mechanism)
            .set_some("library", library(&input.key, &class))
            .set_some("title", title.filter(|title| !title.is_empty() && title != mechanism))
            .set_some("subject", subject)
            .set("class", class),
    );
}

/// Most levels between these keys and the hive's root.
const MAX_DEPTH: usize = 16;

/// The library of a class, if the same hive names it.
fn library(key: &Key<'_>, class: &str) -> Option<String> {
    let mut root = key.clone();
    for _ in 0..MAX_DEPTH {
        let Some(above) = root.parent() else { break };
        root = above;
    }
    let server =
        |classes: &Key<'_>| classes.subkey("CLSID")?.subkey(class)?.subkey("InprocServer32")?.value("")?.text();
    let wow = || root.subkey("Classes")?.subkey("WOW6432Node");
    root.subkey("Classes").and_then(|classes| server(&classes)).or_else(|| server(&wow()?))
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::read;
    use super::*;
    use crate::model::Event;

    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/shell_extensions/software.hve");
    const USRCLASS: &[u8] = include_bytes!("../../../testdata/artifacts/shell_extensions/usrclass.hve");
    const CURRENT: &str = r"Microsoft\Windows\CurrentVersion";

    #[test]
    fn classes_in_names_data_and_keys() {
        let keys = [
            format!(r"{CURRENT}\ShellServiceObjectDelayLoad"),
            format!(r"{CURRENT}\Explorer\ShellExecuteHooks"),
            format!(r"{CURRENT}\Explorer\Browser Helper Objects\{{b}}"),
        ];
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &[&keys[0], &keys[1], &keys[2]]);
        let messages: Vec<_> = sink.events.iter().map(Event::message).collect();
        assert_eq!(
            messages,
            [
                r"Delayed service object {a} (WebCheck): C:\evil.dll",
                "Execute hook {c} (URL Exec Hook)",
                "Browser helper object {b}",
            ]
        );
    }

    #[test]
    fn commands_of_a_users_classes() {
        let sink = read(&ARTIFACT, &Host::default(), USRCLASS, "HKU", &[r"ms-settings\shell\open\command"]);
        assert_eq!(sink.events.len(), 1);
        assert_eq!(
            sink.events[0].message(),
            r"Command of a user's class of ms-settings: C:\evil.exe (HKU\ms-settings\shell\open\command)"
        );
    }
}
