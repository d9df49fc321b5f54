//! Network interfaces as TCP/IP was set up for them, with their DHCP leases.
//!
//! `SYSTEM\…\Services\Tcpip\Parameters\Interfaces\{…}`, and one level below for a wireless network of its own:
//! addresses, name servers, `DhcpServer`, and the lease's times in seconds since 1970, UTC: `LeaseObtainedTime`, `T1`,
//! `T2`, `LeaseTerminatesTime`.
//!
//! Source: Microsoft, "TCP/IP and NBT configuration parameters".

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::KeyValues;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, Timestamp};

static INTERFACE: Descriptor = Descriptor {
    name: "windows:registry:interface",
    doc: "A network interface, with the addresses that it had and the lease that it had them by.",
    message: "Network interface {interface}[ ({name})][, address {addresses}][, DHCP server {dhcp_server}]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("interface", Kind::Text, "Identifier of the interface"),
        Field::new("name", Kind::Text, "Name of the connection, of the control set in use"),
        Field::new("dhcp", Kind::Bool, "The address comes from DHCP"),
        Field::new("addresses", Kind::List, "Addresses; 0.0.0.0 left out"),
        Field::new("gateways", Kind::List, "Routers"),
        Field::new(
            "gateway_hardware",
            Kind::Text,
            "DhcpGatewayHardware: address and hardware address of the router, hex",
        ),
        Field::new("name_servers", Kind::List, "Name servers, set by hand or by DHCP"),
        Field::new("domain", Kind::Text, "DNS domain"),
        Field::new("dhcp_server", Kind::Text, "DHCP server that gave the lease"),
        Field::new("network_hint", Kind::Text, "DhcpNetworkHint turned into text: name of the wireless network"),
        Field::new("lease_obtained", Kind::Time, "When the lease was obtained or last renewed, to the second"),
        Field::new("lease_ends", Kind::Time, "When the lease ends, to the second"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "interfaces",
    doc: "Each network interface has a key with its addresses, routers and name servers, and where they come from \
DHCP, the server and the times of the lease.\n\n\
It proves that the machine had that address from that server: recorded is when the lease was obtained or last \
renewed, expired when it ends. It helps to tell the machine in logs of a network. key_written is the last write of \
the KEY, which dates the last change of any of its values.\n\n\
It does not prove that the machine was connected all through the lease. The clock is the machine's own. Name servers \
that differ from the DHCP server's (NameServer beside DhcpNameServer) may have been set by malware.\n\n\
It lives until the next lease overwrites it; wireless networks of their own have keys of their own that stay.",
    references: &[
        "https://learn.microsoft.com/en-us/troubleshoot/windows-client/networking/tcpip-and-nbt-configuration-parameters",
    ],
    emits: &[&INTERFACE],
    reads: Reads::RegKeys {
        keys: &[
            r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces\*",
            r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces\*\*",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    if values.iter().next().is_none() {
        return Ok(Completion::Complete);
    }
    let list = |names: [&str; 2]| {
        let texts = names.into_iter().filter_map(|name| values.texts(name)).flatten();
        let single = texts.flat_map(|text| text.split([' ', ',']).map(str::to_owned).collect::<Vec<_>>());
        let mut list: Vec<String> = single.filter(|text| !text.is_empty() && text != "0.0.0.0").collect();
        list.dedup();
        (!list.is_empty()).then_some(list)
    };
    let seconds = |name| values.number(name).filter(|n| *n != 0).and_then(|n| i64::try_from(n).ok());
    let time = |name| seconds(name).and_then(Timestamp::from_unix_seconds);
    let (obtained, ends) = (time("LeaseObtainedTime"), time("LeaseTerminatesTime"));
    let above = input.key.parent().map(|key| key.name()).unwrap_or_default();
    let interface = if above.eq_ignore_ascii_case("Interfaces") { input.key.name() } else { above };
    let known = host.interfaces.iter().find(|known| known.id.eq_ignore_ascii_case(&interface));
    let hardware = values.data("DhcpGatewayHardware").map(|data| crate::model::Value::Bytes(data).to_string());
    out.give(
        values
            .record(&INTERFACE, input)
            .set("interface", interface)
            .set_some("name", known.and_then(|known| known.name.clone()))
            .set_some("dhcp", values.number("EnableDHCP").map(|n| n != 0))
            .set_some("addresses", list(["IPAddress", "DhcpIPAddress"]))
            .set_some("gateways", list(["DefaultGateway", "DhcpDefaultGateway"]))
            .set_some("gateway_hardware", hardware)
            .set_some("name_servers", list(["NameServer", "DhcpNameServer"]))
            .set_some("domain", values.text("Domain").or_else(|| values.text("DhcpDomain")))
            .set_some("dhcp_server", values.text("DhcpServer").filter(|text| text != "255.255.255.255"))
            .set_some("network_hint", values.text("DhcpNetworkHint").and_then(|hint| network_name(&hint)))
            .set_some("lease_obtained", obtained)
            .set_some("lease_ends", ends)
            .time(Meaning::RECORDED, obtained)
            .time(Meaning::EXPIRED, ends),
    );
    Ok(Completion::Complete)
}

/// The name is stored as hex digits, the two of each byte swapped: `561434` for "eAC" begins with 0x65.
fn network_name(hint: &str) -> Option<String> {
    let digits = hint.chars().map(|c| c.to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes = pairs.iter().map(|[low, high]| u8::try_from(high << 4 | low).ok()).collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/interfaces/system.hve");

    #[test]
    fn a_lease_and_its_times() {
        let key = r"ControlSet001\Services\Tcpip\Parameters\Interfaces\{11111111-2222-3333-4444-555555555555}";
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &[key]);
        let times: Vec<_> = sink.events.iter().map(|e| (e.meaning, e.time.unwrap().to_string())).collect();
        assert_eq!(times[1], (Meaning::RECORDED, "2020-08-26T05:00:00.0000000Z".to_owned()));
        assert_eq!(times[2], (Meaning::EXPIRED, "2020-08-27T05:00:00.0000000Z".to_owned()));
        let event = &sink.events[0];
        assert_eq!(text(event, "addresses").as_deref(), Some("192.168.1.23"));
        assert_eq!(text(event, "name_servers").as_deref(), Some("192.168.1.1; 8.8.8.8"));
        assert_eq!(text(event, "network_hint").as_deref(), Some("Cafe"));
    }

    #[test]
    fn a_network_hint_is_swapped_digits() {
        assert_eq!(network_name("34166656").as_deref(), Some("Cafe"));
        assert_eq!((network_name("3"), network_name("xy")), (None, None));
    }
}
