//! Windows Firewall: its rules, and whether it is on.
//!
//! `SYSTEM\…\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules` (and by policy
//! `SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules`): one value for each rule,
//! `v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=445|App=…|Name=…|`. A part may come several times (`LPort`,
//! `Profile`, `RA4` …). `…\DomainProfile`, `StandardProfile`, `PublicProfile`: `EnableFirewall` and other switches;
//! Windows XP has lists of programs and ports below them.
//!
//! Source: MS-GPFAS 2.2.2.19; compared with the rules of a hive of Windows 10.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, ends_like, is_listed, named, value_record};
use crate::model::{Descriptor, Field, Host, Kind};

static RULE: Descriptor = Descriptor {
    name: "windows:registry:firewall_rule",
    doc: "A rule of the firewall; set at the latest when the key that has all rules was last written.",
    message: "Firewall rule {title}[: {action}][ {direction}][ {protocol}][ port {local_ports}][ for {app}][ (active: {active})]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("title", Kind::Text, "Name shown to users, as stored; @… is a reference to a resource"),
        Field::new("version", Kind::Text, "Version of the rule's syntax"),
        Field::new("action", Kind::Text, "Allow, Block or ByPass"),
        Field::new("active", Kind::Bool, "The rule is in force"),
        Field::new("direction", Kind::Text, "In or Out"),
        Field::new("protocol", Kind::Text, "TCP, UDP, ICMP …; another number as it is"),
        Field::new("profiles", Kind::List, "Profiles that it holds for; absent for all"),
        Field::new("local_ports", Kind::List, "Ports of this machine"),
        Field::new("remote_ports", Kind::List, "Ports of the other side"),
        Field::new("local_addresses", Kind::List, "Addresses of this machine"),
        Field::new("remote_addresses", Kind::List, "Addresses of the other side"),
        Field::new("app", Kind::Text, "Program"),
        Field::new("service", Kind::Text, "Service"),
        Field::new("package", Kind::Text, "Package of an app"),
        Field::new("owner", Kind::Text, "SID of the user that it is for"),
        Field::new("rule", Kind::Text, "The rule as stored"),
    ],
};

static SETTING: Descriptor = Descriptor {
    name: "windows:registry:firewall_setting",
    doc: "A switch of the firewall; set at the latest when its key was last written.",
    message: "Firewall, {profile}: {name} is {data}",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("profile", Kind::Text, "Profile: DomainProfile, StandardProfile (private) or PublicProfile"),
        Field::new("name", Kind::Text, "Name of the value: EnableFirewall, or a program or port of Windows XP"),
        Field::new("data", Kind::Text, "Its data as text"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "firewall_rules",
    doc: "The rules of Windows Firewall, the machine's own and those of a group policy, and for each kind of network \
whether the firewall is on.\n\n\
It proves that the rule was set. The time of a row is the last write of the KEY, and all rules lie in one key: it \
dates the last change of any of them. For when a single rule came see events 2004 to 2006 of the firewall's log.\n\n\
It does not prove that a program listened or was reached, nor who set the rule: Windows has hundreds, and installers \
add theirs. A rule that is not active does nothing.\n\n\
It lives until the rule is removed; policies come back when they are applied again.",
    references: &[
        "https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-gpfas/",
        "https://attack.mitre.org/techniques/T1562/004/",
    ],
    emits: &[&RULE, &SETTING],
    reads: Reads::RegKeys { keys: KEYS, parse },
};

const KEYS: &[&str] = &[
    r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules",
    r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\RestrictedServices\**",
    r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\*Profile",
    r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\*Profile\AuthorizedApplications\List",
    r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\*Profile\GloballyOpenPorts\List",
    r"SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules",
    r"SOFTWARE\Policies\Microsoft\WindowsFirewall\*Profile",
    r"SOFTWARE\Policies\Microsoft\WindowsFirewall\*Profile\AuthorizedApplications\List",
    r"SOFTWARE\Policies\Microsoft\WindowsFirewall\*Profile\GloballyOpenPorts\List",
];

const SWITCHES: &[&str] = &[
    "EnableFirewall",
    "DisableNotifications",
    "DoNotAllowExceptions",
    "DefaultInboundAction",
    "DefaultOutboundAction",
    "DisableUnicastResponsesToMulticastBroadcast",
];

const PROTOCOLS: &[(u64, &str)] = &[
    (1, "ICMP"),
    (2, "IGMP"),
    (6, "TCP"),
    (17, "UDP"),
    (41, "IPv6"),
    (43, "IPv6-Route"),
    (44, "IPv6-Frag"),
    (47, "GRE"),
    (58, "ICMPv6"),
    (112, "VRRP"),
    (113, "PGM"),
    (115, "L2TP"),
];

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let values = KeyValues::read(&input.key, out);
    let of_list = ends_like(&input.path, r"*\*\List").flatten();
    let profile = of_list.clone().or_else(|| Some(input.key.name()).filter(|name| name.ends_with("Profile")));
    for value in values.iter() {
        let (name, data) = (value.name(), value.to_value().to_string());
        if let Some(profile) = &profile {
            if of_list.is_some() || is_listed(&name, SWITCHES) {
                let record = value_record(&SETTING, input, value).set("profile", profile.clone());
                out.give(record.set("name", name).set("data", data));
            }
            continue;
        }
        let parts: Vec<(&str, &str)> = data.split('|').filter_map(|part| part.split_once('=')).collect();
        let first = |key: &str| parts.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| (*v).to_owned());
        let all = |keys: &[&str]| {
            let found = parts.iter().filter(|(k, _)| keys.iter().any(|key| key.eq_ignore_ascii_case(k)));
            let list: Vec<String> = found.map(|(_, v)| (*v).to_owned()).collect();
            (!list.is_empty()).then_some(list)
        };
        // What is no rule lies here too, for example a key's own default value.
        if first("Action").is_none() {
            continue;
        }
        out.give(
            value_record(&RULE, input, value)
                .set("title", first("Name").unwrap_or_else(|| name.clone()))
                .set("name", name)
                .set_some("version", data.split('|').next().map(str::to_owned))
                .set_some("action", first("Action"))
                .set_some("active", first("Active").map(|text| text.eq_ignore_ascii_case("TRUE")))
                .set_some("direction", first("Dir"))
                .set_some("protocol", first("Protocol").map(|text| text.parse().map_or(text, |n| named(PROTOCOLS, n))))
                .set_some("profiles", all(&["Profile"]))
                .set_some("local_ports", all(&["LPort", "LPort2_10", "LPort2_20", "LPort2_24"]))
                .set_some("remote_ports", all(&["RPort", "RPort2_10", "RPort2_25"]))
                .set_some("local_addresses", all(&["LA4", "LA6"]))
                .set_some("remote_addresses", all(&["RA4", "RA6", "RA42", "RA62"]))
                .set_some("app", first("App"))
                .set_some("service", first("Svc"))
                .set_some("package", first("AppPkgId"))
                .set_some("owner", first("LUOwn").or_else(|| first("LUAuth")))
                .set("rule", data),
        );
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/firewall_rules/system.hve");
    const POLICY: &str = r"ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy";

    #[test]
    fn rules_switches_and_lists() {
        let keys = [
            format!(r"{POLICY}\FirewallRules"),
            format!(r"{POLICY}\StandardProfile"),
            format!(r"{POLICY}\StandardProfile\AuthorizedApplications\List"),
        ];
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &[&keys[0], &keys[1], &keys[2]]);
        let messages: Vec<_> = sink.events.iter().map(crate::model::Event::message).collect();
        assert_eq!(
            messages,
            [
                r"Firewall rule evil: Allow In TCP port 80; 443 for C:\Users\Public\evil.exe (active: true)",
                "Firewall, StandardProfile: EnableFirewall is 0",
                r"Firewall, StandardProfile: C:\old.exe is C:\old.exe:*:Enabled:old",
            ]
        );
        assert_eq!(text(&sink.events[0], "profiles").as_deref(), Some("Private; Public"));
    }
}
