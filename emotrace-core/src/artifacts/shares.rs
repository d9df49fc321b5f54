//! Folders that the machine shares with the network.
//!
//! `SYSTEM\…\Services\LanmanServer\Shares`: one value (REG_MULTI_SZ) for each share, with lines `Path=…`,
//! `ShareName=…`, `Type=…`, `Remark=…`, `MaxUses=…`, `Permissions=…`, `CSCFlags=…`. Type: 0 folder, 1 printer, 3
//! interprocess. Administrative shares (`C$`) are made at each start and do not stand here.
//!
//! Source: Microsoft, SHARE_INFO_502; compared with RegRipper's shares.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, named, value_record};
use crate::model::{Descriptor, Field, Host, Kind};

static SHARE: Descriptor = Descriptor {
    name: "windows:registry:share",
    doc: "The machine shares a folder or printer; set at the latest when the key was last written.",
    message: "Share {name}[ of {path}][ ({remark})]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the share"),
        Field::new("path", Kind::Text, "What is shared"),
        Field::new("kind", Kind::Text, "folder, printer, device or ipc; another number as it is"),
        Field::new("remark", Kind::Text, "Remark"),
        Field::new("max_uses", Kind::Text, "Most users at a time; 4294967295 is no limit"),
        Field::new("lines", Kind::List, "All lines as stored"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "shares",
    doc: "Folders and printers that the machine shares with the network, with their paths.\n\n\
It proves that the share was set up. The time of a row is the last write of the KEY that has all shares: it dates the \
last change of any of them.\n\n\
It does not prove that anybody used it (see events 5140 and 5145). Administrative shares (C$, ADMIN$) are not listed \
although they are there, unless AutoShareWks or AutoShareServer is 0.\n\n\
It lives until the share is removed.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/api/lmshare/ns-lmshare-share_info_502",
        "https://attack.mitre.org/techniques/T1021/002/",
    ],
    emits: &[&SHARE],
    reads: Reads::RegKeys { keys: &[r"SYSTEM\CurrentControlSet\Services\LanmanServer\Shares"], parse },
};

const KINDS: &[(u64, &str)] = &[(0, "folder"), (1, "printer"), (2, "device"), (3, "ipc")];

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    for value in values.iter() {
        let name = value.name();
        let lines = values.texts(&name).unwrap_or_default();
        let line = |wanted: &str| {
            let found =
                lines.iter().filter_map(|line| line.split_once('=')).find(|(key, _)| key.eq_ignore_ascii_case(wanted));
            found.map(|(_, text)| text.to_owned()).filter(|text| !text.is_empty())
        };
        let record = value_record(&SHARE, input, value)
            .set("name", line("ShareName").unwrap_or(name))
            .set_some("path", line("Path"))
            .set_some("kind", line("Type").and_then(|kind| Some(named(KINDS, kind.parse().ok()?))))
            .set_some("remark", line("Remark"))
            .set_some("max_uses", line("MaxUses"));
        out.give(record.set("lines", lines));
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/shares/system.hve");

    #[test]
    fn a_share() {
        let key = r"ControlSet001\Services\LanmanServer\Shares";
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &[key]);
        assert_eq!(sink.events.len(), 1);
        assert_eq!(sink.events[0].message(), r"Share Public of C:\Users\Public (a=b)");
        assert_eq!(text(&sink.events[0], "kind").as_deref(), Some("folder"));
    }
}
