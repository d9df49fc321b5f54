//! Through which proxy a user's programs reach the Internet, and which sites are trusted.
//!
//! `NTUSER.DAT`, `Software\Microsoft\Windows\CurrentVersion\Internet Settings`: `ProxyEnable`, `ProxyServer`,
//! `ProxyOverride`, `AutoConfigURL`. Its key `Connections` has the same for each connection as bytes: version (0, u32),
//! count of changes (4, u32), flags (8, u32: 1 direct, 2 proxy, 4 script, 8 detect), then three texts, each a u32
//! length and one-byte characters: proxy, exceptions, address of the script. `ZoneMap\Domains\<domain>[\<host>]` and
//! `ZoneMap\Ranges\<n>`: a value for each protocol with the zone's number.
//!
//! Source: Microsoft, INTERNET_PER_CONN_OPTION (wininet.h), "Internet Explorer security zones registry entries".

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, ends_like, named, value_record};
use crate::bytes::{Cursor, FormatError, text};
use crate::model::{Descriptor, Field, Host, Kind};

static PROXY: Descriptor = Descriptor {
    name: "windows:registry:proxy",
    doc: "How programs reach the Internet; set at the latest when the key was last written.",
    message: "Proxy[ of {connection}][: {server}][, script {script}][ (on: {enabled})]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("connection", Kind::Text, "Connection that it is for; absent for the settings as such"),
        Field::new("enabled", Kind::Bool, "The proxy is used"),
        Field::new("server", Kind::Text, "The proxy, as stored"),
        Field::new("exceptions", Kind::Text, "What goes past the proxy"),
        Field::new("script", Kind::Text, "Address of the automatic configuration script"),
        Field::new("flags", Kind::List, "direct, proxy, script, detect"),
        Field::new("changes", Kind::Number, "How often the connection's settings were changed"),
    ],
};

static ZONE: Descriptor = Descriptor {
    name: "windows:registry:zone_site",
    doc: "A site was put into a security zone; at the latest when the key was last written.",
    message: "{site}[ ({protocol})] is in the zone {zone}",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("site", Kind::Text, "Domain, host in a domain, or range of addresses"),
        Field::new("protocol", Kind::Text, "Protocol; * is all"),
        Field::new("zone", Kind::Text, "computer, intranet, trusted, internet or restricted; another number as it is"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "proxy_settings",
    doc: "The Internet settings of a user or of the machine say through which proxy programs reach the Internet, \
where an automatic configuration script lies, and which sites were put into a security zone.\n\n\
It proves that it was set. The time of a row is the last write of the KEY: it dates the last change of any of its \
values, and Windows writes Internet Settings often.\n\n\
It does not prove that the proxy was used: programs may have settings of their own. A proxy on the machine itself \
(127.0.0.1) or a script of a foreign site can mean that traffic was read on its way. Settings without proxy and \
script give no row.\n\n\
It lives until somebody changes it.",
    references: &[
        "https://learn.microsoft.com/en-us/windows/win32/api/wininet/ns-wininet-internet_per_conn_optionw",
        "https://attack.mitre.org/techniques/T1090/",
    ],
    emits: &[&PROXY, &ZONE],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Internet Settings",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
    r"NTUSER\Software\Microsoft\Windows\CurrentVersion\Internet Settings\ZoneMap\**",
    r"NTUSER\Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\ZoneMap\**",
    r"SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings",
];

const FLAGS: &[(u32, &str)] = &[(1, "direct"), (2, "proxy"), (4, "script"), (8, "detect")];
const ZONES: &[(u64, &str)] = &[(0, "computer"), (1, "intranet"), (2, "trusted"), (3, "internet"), (4, "restricted")];

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    if ends_like(&input.path, r"Internet Settings\Connections").is_some() {
        give_connections(&values, input, out);
    } else if input.path.to_ascii_lowercase().contains(r"\zonemap") {
        give_zones(&values, input, out);
    } else {
        let enabled = values.number("ProxyEnable").map(|n| n != 0);
        let (server, script) = (values.text("ProxyServer"), values.text("AutoConfigURL"));
        if enabled == Some(true) || server.is_some() || script.is_some() {
            out.give(
                values
                    .record(&PROXY, input)
                    .set_some("enabled", enabled)
                    .set_some("server", server)
                    .set_some("exceptions", values.text("ProxyOverride"))
                    .set_some("script", script),
            );
        }
    }
    Ok(Completion::Complete)
}

/// The settings of one connection.
struct Connection {
    changes: u32,
    flags: u32,
    texts: [String; 3],
}

impl Connection {
    /// The last texts may be missing: WinHTTP has no script.
    fn parse(data: &[u8], base: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(data, "the settings of a connection", base);
        let (_version, changes, flags) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let mut texts: [String; 3] = Default::default();
        for slot in &mut texts {
            if cursor.remaining() < 4 {
                break;
            }
            let length = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
            *slot = text::from_ansi(cursor.take(length)?);
        }
        Ok(Self { changes, flags, texts })
    }
}

fn give_connections(values: &KeyValues<'_>, input: &KeyInput<'_>, out: &mut Out<'_>) {
    for value in values.iter() {
        let Some(data) = out.keep(value.data()) else { continue };
        let Some(Connection { changes, flags, texts }) = out.keep(Connection::parse(&data, value.offset())) else {
            continue;
        };
        let [server, exceptions, script] = texts.map(|text| (!text.is_empty()).then_some(text));
        if server.is_none() && script.is_none() {
            continue;
        }
        let names = FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| (*name).to_owned());
        out.give(
            value_record(&PROXY, input, value)
                .set("connection", value.name())
                .set("enabled", flags & 2 != 0)
                .set_some("server", server)
                .set_some("exceptions", exceptions)
                .set_some("script", script)
                .set("flags", names.collect::<Vec<_>>())
                .set("changes", changes),
        );
    }
}

fn give_zones(values: &KeyValues<'_>, input: &KeyInput<'_>, out: &mut Out<'_>) {
    let path = input.path.as_str();
    let domains = ["Domains", "EscDomains"];
    let domain = domains.iter().find_map(|name| ends_like(path, &format!(r"ZoneMap\{name}\*")).flatten());
    let host = || {
        let domain = domains.iter().find_map(|name| ends_like(path, &format!(r"ZoneMap\{name}\*\*")).flatten())?;
        Some(format!("{}.{domain}", input.key.name()))
    };
    let range = || ends_like(path, r"ZoneMap\Ranges\*").and_then(|_| values.text(":Range"));
    let Some(site) = domain.or_else(host).or_else(range) else { return };
    for value in values.iter() {
        let Some(zone) = value.number() else { continue };
        out.give(
            value_record(&ZONE, input, value)
                .set("site", site.clone())
                .set("protocol", value.name())
                .set("zone", named(ZONES, zone)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const NTUSER: &[u8] = include_bytes!("../../../testdata/artifacts/proxy_settings/ntuser.hve");

    #[test]
    fn settings_connections_and_zones() {
        let base = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings";
        let keys = ["", r"\Connections", r"\ZoneMap\Domains\evil.example\www", r"\ZoneMap\Ranges\Range1"]
            .map(|key| format!("{base}{key}"));
        let sink = read(&ARTIFACT, &Host::default(), NTUSER, "HKU", &[&keys[0], &keys[1], &keys[2], &keys[3]]);
        let messages: Vec<_> = sink.events.iter().map(crate::model::Event::message).collect();
        assert_eq!(
            messages,
            [
                "Proxy: 127.0.0.1:8080, script http://evil.example/p.pac (on: true)",
                "Proxy of DefaultConnectionSettings: 127.0.0.1:8080, script http://evil.example/p.pac (on: true)",
                "www.evil.example (http) is in the zone trusted",
                "10.0.0.1-10.0.0.9 (*) is in the zone intranet",
            ]
        );
        assert_eq!(text(&sink.events[1], "flags").as_deref(), Some("direct; proxy; script"));
        // The second connection is cut.
        assert_eq!(sink.issues.len(), 1);
    }

    #[test]
    fn damage_never_panics() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..2000 {
            let mut data = [0x46u8, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0, 0, 0, 0, 0];
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(seed >> 33).unwrap() % data.len();
            data[at] ^= 1 << (seed >> 60 & 7);
            let cut = usize::try_from(seed >> 20 & 31).unwrap().min(data.len());
            if let Ok(found) = Connection::parse(&data[..cut], 0) {
                assert!(found.texts.iter().map(String::len).sum::<usize>() <= 3 * cut);
            }
        }
    }
}
