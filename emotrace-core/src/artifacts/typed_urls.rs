//! TypedURLs: what a user typed into the address bar of Internet Explorer or the old Edge.
//!
//! `TypedURLs` has the values `url1` (the newest) to `url50`. Since Internet Explorer 10, `TypedURLsTime` beside it has a FILETIME
//! under the same names, 0 for none; the old Edge has `TypedURLsVisitCount` too.

use std::collections::HashMap;

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::mru;
use crate::bytes::fields::u64_at;
use crate::formats::regf::KeyValue;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, Timestamp};

static URL: Descriptor = Descriptor {
    name: "windows:registry:typed_url",
    doc: "The user typed an address into the browser.",
    message: "{url} was typed into {browser}[, place {position} in the list]",
    data_type: Some("windows:registry:typedurls"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("url", Kind::Text, "What was typed: an address or a search"),
        Field::new("browser", Kind::Text, "Internet Explorer or Edge (the old one)"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("position", Kind::Number, "Place in the list, 0 for the newest"),
        Field::new("visits", Kind::Number, "How often, where the browser counts"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "typed_urls",
    doc: "TypedURLs is the list of addresses and searches that a user typed or pasted into Internet Explorer or the old Edge, \
50 at most.\n\n\
It proves that the address was entered under that account; a click on a link leaves nothing here. From Internet Explorer 10 \
on each entry has its own time, the last time it was entered ('opened'). Without it the newest entry is dated by the last \
write of the key, and the others are undated.\n\n\
It does not prove that the page was loaded. A few entries come with Windows (http://go.microsoft.com/fwlink/…). A program \
can write the list too.\n\n\
It lives until newer entries push it out or the user clears the history. Chrome, Firefox and the new Edge do not use it.",
    references: &[
        "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/winreg_plugins/typedurls.py",
        "https://github.com/keydet89/RegRipper3.0/blob/master/plugins/typedurlstime.pl",
    ],
    emits: &[&URL],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\Software\Microsoft\Internet Explorer\TypedURLs",
            r"USRCLASS\Local Settings\Software\Microsoft\Windows\CurrentVersion\AppContainer\Storage\*\MicrosoftEdge\TypedURLs",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let times = beside(input, "TypedURLsTime", |value| u64_at(&value.data().ok()?, 0));
    let visits = beside(input, "TypedURLsVisitCount", |value| value.number());
    let parent = input.key.parent().map(|parent| parent.name()).unwrap_or_default();
    let browser = if parent.eq_ignore_ascii_case("MicrosoftEdge") { "Edge" } else { "Internet Explorer" };
    for (name, value, _) in mru::values(input, out) {
        let position = mru::numbered(&name, "url");
        let id = name.to_ascii_lowercase();
        let typed = times.get(&id).and_then(|ticks| Timestamp::from_filetime_field(*ticks));
        let written = input.key.last_write().filter(|_| typed.is_none() && position == Some(0));
        out.give(
            mru::record(&URL, input, &value)
                .set("url", value.to_value().to_string())
                .set("browser", browser)
                .set("name", name)
                .set_some("position", position)
                .set_some("visits", visits.get(&id).copied())
                .time(Meaning::OPENED, typed)
                .time(Meaning::KEY_WRITTEN, written),
        );
    }
    Ok(Completion::Complete)
}

/// Numbers that a key beside this one holds under the same names.
fn beside(input: &KeyInput<'_>, name: &str, number: fn(&KeyValue<'_>) -> Option<u64>) -> HashMap<String, u64> {
    let key = input.key.parent().and_then(|parent| parent.subkey(name));
    let values = key.map(|key| key.values()).unwrap_or_default();
    values.into_iter().flatten().filter_map(|v| Some((v.name().to_ascii_lowercase(), number(&v)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::mru::tests::{damage, field, read, time};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/typed_urls/ntuser.hve");
    const KEY: &str = r"Software\Microsoft\Internet Explorer\TypedURLs";

    #[test]
    fn each_has_its_own_time() {
        let found = read(&ARTIFACT, NTUSER, KEY);
        let rows: Vec<_> = found.events.iter().map(|e| (field(e, "url").unwrap(), time(e))).collect();
        assert_eq!(
            rows,
            [
                ("http://example.com/a.doc", Some("2020-08-26T05:07:40.1000000Z".to_owned())),
                ("http://no.time/", None),
                ("http://zero.time/", None),
            ]
        );
        assert_eq!(
            (found.events[0].meaning, field(&found.events[0], "browser")),
            (Meaning::OPENED, Some("Internet Explorer"))
        );
    }

    #[test]
    fn damage_never_panics() {
        damage(&ARTIFACT, NTUSER, KEY);
    }
}
