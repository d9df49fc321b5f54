//! Remote Desktop client: machines that a user connected to.
//!
//! `Terminal Server Client\Default` has the values `MRU0` (the newest) to `MRU9` with a machine each; `Servers\<machine>` has
//! `UsernameHint` (the account last used) and `CertHash` (SHA-1 of an accepted certificate).

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use super::mru;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State, Value};

static RECENT: Descriptor = Descriptor {
    name: "windows:registry:rdp_recent",
    doc: "The user entered a machine in the Remote Desktop client; dated only for the newest.",
    message: "Remote Desktop to {server}[, place {position} in the list]",
    data_type: Some("windows:registry:mstsc:mru"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("server", Kind::Text, "Name or address of the machine, with a port if one was given"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest"),
    ],
};

static SERVER: Descriptor = Descriptor {
    name: "windows:registry:rdp_server",
    doc: "The Remote Desktop client keeps settings for a machine, last written at this instant.",
    message: "Remote Desktop to {server}[ as {username}]",
    data_type: Some("windows:registry:mstsc:connection"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("server", Kind::Text, "Name or address of the machine"),
        Field::new("username", Kind::Text, "Account that was last used there (UsernameHint)"),
        Field::new("certificate", Kind::Bytes, "SHA-1 of the certificate that the user accepted (CertHash)"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "rdp_client",
    doc: "The Remote Desktop client (mstsc) keeps the machines that a user entered (Default), and per machine the account that \
was used and the certificate that was accepted (Servers).\n\n\
It proves that a connection from this machine to the named one was tried under this account; an entry below Servers \
with an account says that the connection got as far as asking for credentials. The newest entry of Default is dated by the \
last write of the key; entries below Servers have each their own key and so their own time.\n\n\
It does not prove that a logon succeeded, nor how often one was tried.\n\n\
It lives until newer entries push it out of Default (10 entries); Servers is not aged.",
    references: &[
        "https://learn.microsoft.com/en-us/troubleshoot/windows-server/remote/remove-entries-from-remote-desktop-connection-computer",
        "https://attack.mitre.org/techniques/T1021/001/",
    ],
    emits: &[&RECENT, &SERVER],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Terminal Server Client\Default",
            r"NTUSER\Software\Microsoft\Terminal Server Client\Servers\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    if input.key.parent().is_some_and(|parent| parent.name().eq_ignore_ascii_case("Servers")) {
        server(input, out);
        return Ok(Completion::Complete);
    }
    for (name, value, _) in mru::values(input, out) {
        // The first is MRU0 here.
        let position = name.get(3..).filter(|_| name.starts_with("MRU")).and_then(|number| number.parse::<u64>().ok());
        if position.is_none() {
            continue;
        }
        out.give(
            mru::record(&RECENT, input, &value)
                .set("server", value.to_value().to_string())
                .set("name", name)
                .set_some("position", position)
                .time(Meaning::KEY_WRITTEN, input.key.last_write().filter(|_| position == Some(0))),
        );
    }
    Ok(Completion::Complete)
}

fn server(input: &KeyInput<'_>, out: &mut Out<'_>) {
    for value in input.key.values() {
        out.keep(value.and_then(|value| value.data().map(|_| ())));
    }
    let certificate = input.key.value("CertHash").and_then(|value| Some(Value::Bytes(value.data().ok()?.into_owned())));
    let mut record = Record::new(&SERVER)
        .set("key_path", input.path.clone())
        .set("server", input.key.name())
        .set_some("username", input.key.value("UsernameHint").and_then(|value| value.text()))
        .set_some("certificate", certificate)
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() {
        record = record.state(State::LogReplayed);
    }
    out.give(record);
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/rdp_client/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Terminal Server Client";

    #[test]
    fn machines_and_accounts() {
        let found = read(&ARTIFACT, NTUSER, &format!(r"{KEY}\Default"));
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "server").unwrap(), time(e).is_some())).collect();
        assert_eq!(rows, [("10.0.0.5:63389", true), ("dc01", false)]);
        let found = read(&ARTIFACT, NTUSER, &format!(r"{KEY}\Servers\dc01"));
        assert_eq!(field(&found.events[0], "username"), Some(r"CORP\admin"));
        assert_eq!(found.events[0].values.get("certificate").unwrap().to_string(), "0102ff");
        assert_eq!(time(&found.events[0]).as_deref(), Some("2020-01-10T08:00:00.1234567Z"));
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, &format!(r"{KEY}\Default"));
    }
}
