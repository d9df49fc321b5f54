//! Networks that the machine was connected to.
//!
//! `SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\{…}`: `ProfileName`, `Description`, `Category` (0
//! public, 1 private, 2 domain), `NameType` (6 wired, 23 VPN, 71 wireless, 243 mobile), `Managed`, `DateCreated` and
//! `DateLastConnected` as SYSTEMTIME in LOCAL time. `…\Signatures\Managed|Unmanaged\<id>` with the same `ProfileGuid`:
//! `DefaultGatewayMac`, `DnsSuffix`, `FirstNetwork`.
//!
//! Source: Microsoft, SYSTEMTIME (minwinbase.h); compared with RegRipper's networklist, which prints the local times as
//! they are.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, named};
use crate::formats::regf::Key;
use crate::model::{Descriptor, Field, Host, Kind, Value};

static NETWORK: Descriptor = Descriptor {
    name: "windows:registry:network_profile",
    doc: "The machine was connected to a network.",
    message: "Network {name}[ ({kind})][: first connected {first_connected_local} local time][, last {last_connected_local} \
local time]",
    data_type: Some("windows:registry:network"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("profile", Kind::Text, "Identifier of the profile"),
        Field::new("name", Kind::Text, "Name, for example the SSID"),
        Field::new("description", Kind::Text, "Description"),
        Field::new("category", Kind::Text, "public, private or domain; another number as it is"),
        Field::new("kind", Kind::Text, "wired, vpn, wireless or mobile; another number as it is"),
        Field::new("managed", Kind::Bool, "The network has a domain"),
        Field::new(
            "first_connected_local",
            Kind::Text,
            "First connection in the machine's local time, to the millisecond; no instant without the zone of that day",
        ),
        Field::new(
            "last_connected_local",
            Kind::Text,
            "Last connection in the machine's local time, to the millisecond",
        ),
        Field::new("gateway_mac", Kind::Text, "Hardware address of the router, hex"),
        Field::new("dns_suffix", Kind::Text, "DNS suffix"),
        Field::new("first_network", Kind::Text, "Name that the network was first given"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "network_profiles",
    doc: "Windows keeps a profile for each network that the machine was connected to: its name (of a wireless \
network, the SSID), when it was first and last connected, and in a second key the hardware address of the router.\n\n\
It proves that the machine was connected to a network of that name, and with the router's hardware address to which. \
First and last connection are written in the machine's LOCAL time without its zone, so they are given as text: the \
zone of today may not be that of the day. The time of a row is the last write of the KEY in UTC; it is written at a \
connection and dates the last change of any of its values, so it is mostly the instant of the last connection, and \
its distance from the last connection's local time shows the zone then.\n\n\
It does not prove how long the connection lasted or what it was used for, and says nothing of the connections \
between.\n\n\
It lives until the profile is removed. The log Microsoft-Windows-NetworkProfile/Operational has each connection for a \
while.",
    references: &["https://learn.microsoft.com/en-us/windows/win32/nla/about-the-network-list-manager-api"],
    emits: &[&NETWORK],
    reads: Reads::RegKeys { keys: &[r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\*"], parse },
};

const CATEGORIES: &[(u64, &str)] = &[(0, "public"), (1, "private"), (2, "domain")];
const KINDS: &[(u64, &str)] = &[(6, "wired"), (23, "vpn"), (71, "wireless"), (243, "mobile")];

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    let id = input.key.name();
    let signature = input.key.parent().and_then(|key| signature(&key.parent()?.subkey("Signatures")?, &id));
    let of_signature = |name: &str| signature.as_ref()?.value(name)?.text().filter(|text| !text.is_empty());
    let mac = signature.as_ref().and_then(|key| Some(key.value("DefaultGatewayMac")?.data().ok()?.into_owned()));
    out.give(
        values
            .record(&NETWORK, input)
            .set("name", values.text("ProfileName").unwrap_or_else(|| id.clone()))
            .set("profile", id)
            .set_some("description", values.text("Description"))
            .set_some("category", values.number("Category").map(|n| named(CATEGORIES, n)))
            .set_some("kind", values.number("NameType").map(|n| named(KINDS, n)))
            .set_some("managed", values.number("Managed").map(|n| n != 0))
            .set_some("first_connected_local", values.data("DateCreated").and_then(|data| system_time(&data)))
            .set_some("last_connected_local", values.data("DateLastConnected").and_then(|data| system_time(&data)))
            .set_some("gateway_mac", mac.filter(|mac| !mac.is_empty()).map(|mac| Value::Bytes(mac).to_string()))
            .set_some("dns_suffix", of_signature("DnsSuffix"))
            .set_some("first_network", of_signature("FirstNetwork")),
    );
    Ok(Completion::Complete)
}

/// The signature that belongs to a profile.
fn signature<'h>(signatures: &Key<'h>, profile: &str) -> Option<Key<'h>> {
    let keys = ["Unmanaged", "Managed"].into_iter().filter_map(|name| signatures.subkey(name));
    keys.flat_map(|key| key.subkeys()).flatten().find(|key| {
        key.value("ProfileGuid").and_then(|value| value.text()).is_some_and(|id| id.eq_ignore_ascii_case(profile))
    })
}

/// Eight 16-bit numbers: year, month, weekday, day, hour, minute, second, millisecond.
fn system_time(data: &[u8]) -> Option<String> {
    let parts: Vec<u16> = data.as_chunks::<2>().0.iter().map(|part| u16::from_le_bytes(*part)).collect();
    let [year, month, _, day, hour, minute, second, millis] = parts.as_slice() else { return None };
    (*year != 0).then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}"))
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/artifacts/network_profiles/software.hve");

    #[test]
    fn a_profile_and_its_signature() {
        let key = r"Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\{A0000000-0000-0000-0000-000000000001}";
        let sink = read(&ARTIFACT, &Host::default(), SOFTWARE, "HKLM", &[key]);
        assert_eq!(sink.events.len(), 1, "local times are no instants");
        let event = &sink.events[0];
        assert_eq!(
            event.message(),
            "Network Cafe (wireless): first connected 2020-08-26T14:09:52.345 local time, last 2020-08-26T15:00:00.000 local time"
        );
        assert_eq!(text(event, "gateway_mac").as_deref(), Some("001122334455"));
        assert_eq!(text(event, "dns_suffix").as_deref(), Some("cafe.example"));
    }
}
