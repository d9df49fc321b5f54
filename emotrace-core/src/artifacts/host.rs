//! What the registry says of the machine itself: name, Windows, accounts, time zone, networks.
//!
//! | fact | where |
//! |---|---|
//! | control set | `SYSTEM\Select`, `Current` |
//! | computer name | `SYSTEM\ControlSet…\Control\ComputerName\ComputerName`, else the host name of TCP/IP |
//! | time zone | `…\Control\TimeZoneInformation` |
//! | last shutdown | `…\Control\Windows`, `ShutdownTime`, a FILETIME |
//! | interfaces | `…\Services\Tcpip\Parameters\Interfaces\{…}`, names in `…\Control\Network\{4D36E972-…}` |
//! | product, build, install time, owner | `SOFTWARE\Microsoft\Windows NT\CurrentVersion` |
//! | scheduled tasks | `SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache`, `Tree` and `Tasks` |
//! | profiles | `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\<SID>` |
//! | networks | `SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\{…}` |
//! | domain or work group, SIDs of machine and domain | `SECURITY\Policy`, `PolPrDmN`, `PolAcDmS`, `PolPrDmS` |
//! | local accounts | `SAM\SAM\Domains\Account\Users\<RID>`, `F` and `V` |
//!
//! Each fact is looked for on its own: a key that is missing or damaged costs that fact and no other.
//!
//! `F` of an account, little-endian: last logon (8), password set (24), expires (32), last failed logon (40), all
//! FILETIMEs; RID (48), flags (56), logon count (66). `V`: from 12 on, for each text its offset and length, offsets counted
//! from 204: name (12), full name (24), comment (36). `V` of `Account` ends with the machine's SID.
//! Sources: Windows' own headers (`ntsam.h`, the USER_ACCOUNT_CODES of MS-SAMR 2.2.1.12); Brendan Dolan-Gavitt and
//! Harlan Carvey on the SAM, held against the SAM hives of the test corpus.

use std::collections::BTreeMap;

use crate::bytes::text::from_utf16le;
use crate::formats::regf::{Hive, HiveKind, Key};
use crate::model::{Host, Interface, Network, Timestamp, User};

const CURRENT_VERSION: &str = r"Microsoft\Windows NT\CurrentVersion";
/// Class of network adapters.
const ADAPTERS: &str = "{4D36E972-E325-11CE-BFC1-08002BE10318}";
/// From this build on Windows is Windows 11.
const WINDOWS_11: u32 = 22_000;
/// Where the offsets in an account's `V` count from.
const V_TEXTS: usize = 0xcc;

/// Bits of an account's flags and their names (MS-SAMR 2.2.1.12).
const ACCOUNT_FLAGS: &[(u16, &str)] = &[
    (0x0001, "disabled"),
    (0x0002, "home_directory_required"),
    (0x0004, "password_not_required"),
    (0x0008, "temporary_duplicate"),
    (0x0010, "normal"),
    (0x0020, "mns_logon"),
    (0x0040, "interdomain_trust"),
    (0x0080, "workstation_trust"),
    (0x0100, "server_trust"),
    (0x0200, "password_does_not_expire"),
    (0x0400, "auto_locked"),
];

/// Accounts that every Windows has, by their fixed SIDs (MS-DTYP 2.4.2.4).
const WELL_KNOWN: &[(&str, &str)] =
    &[("S-1-5-18", "SYSTEM"), ("S-1-5-19", "LOCAL SERVICE"), ("S-1-5-20", "NETWORK SERVICE")];

/// Gathers what the hives of one Windows say. Where two hives of a kind are given (`config` and `RegBack`), each fact
/// comes from the first that has it.
pub fn read_host(hives: &[(HiveKind, &Hive)]) -> Host {
    let mut host = Host::default();
    let of_kind = |kind: HiveKind| hives.iter().filter(move |(k, _)| *k == kind).map(|(_, hive)| *hive);
    for hive in of_kind(HiveKind::System) {
        from_system(hive, &mut host);
    }
    for hive in of_kind(HiveKind::Software) {
        from_software(hive, &mut host);
    }
    for hive in of_kind(HiveKind::Security) {
        from_security(hive, &mut host);
    }
    set_variables(&mut host);
    let mut users = BTreeMap::new();
    for hive in of_kind(HiveKind::Software) {
        profiles(hive, &host, &mut users);
    }
    for hive in of_kind(HiveKind::Sam) {
        accounts(hive, &mut host, &mut users);
    }
    for hive in of_kind(HiveKind::Software) {
        domain_names(hive, &mut users);
    }
    for (sid, name) in WELL_KNOWN {
        if let Some(user) = users.get_mut(*sid) {
            user.name.get_or_insert_with(|| (*name).to_owned());
        }
    }
    host.users = users.into_values().collect();
    host
}

/// Keeps what is there already.
fn fill<T>(field: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if field.is_none() {
        *field = value();
    }
}

/// A text value that says something.
fn text(key: Option<&Key<'_>>, name: &str) -> Option<String> {
    key?.value(name)?.text().filter(|text| !text.is_empty())
}

/// Texts of a REG_MULTI_SZ, or of a REG_SZ apart by spaces or commas: Windows writes addresses both ways.
fn texts(key: &Key<'_>, name: &str) -> Vec<String> {
    let Some(value) = key.value(name) else { return Vec::new() };
    let all = match (value.multi_text(), value.text()) {
        (Some(texts), _) => texts,
        (None, Some(text)) => text.split([' ', ',']).map(str::to_owned).collect(),
        (None, None) => Vec::new(),
    };
    all.into_iter().filter(|text| !text.is_empty() && text != "0.0.0.0").collect()
}

fn number(key: Option<&Key<'_>>, name: &str) -> Option<u64> {
    key?.value(name)?.number()
}

/// A FILETIME stored as REG_BINARY or REG_QWORD.
fn filetime(key: Option<&Key<'_>>, name: &str) -> Option<Timestamp> {
    let data = key?.value(name)?.data().ok()?;
    Timestamp::from_filetime_field(u64::from_le_bytes((*data).try_into().ok()?))
}

/// Seconds since 1970; 0 and all ones mean none.
fn unix_time(key: Option<&Key<'_>>, name: &str) -> Option<Timestamp> {
    let seconds = number(key, name).filter(|n| *n != 0 && *n != u64::from(u32::MAX))?;
    Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?)
}

fn from_system(hive: &Hive, host: &mut Host) {
    let select = number(hive.find("Select").as_ref(), "Current").and_then(|n| u32::try_from(n).ok());
    fill(&mut host.control_set, || select.filter(|n| *n != 0));
    let Some(set) = control_set(hive, select) else { return };
    let at = |path: &str| hive.find(&format!("{set}\\{path}"));

    let tcpip = at(r"Services\Tcpip\Parameters");
    fill(&mut host.computer_name, || {
        text(at(r"Control\ComputerName\ComputerName").as_ref(), "ComputerName")
            .or_else(|| text(at(r"Control\ComputerName\ActiveComputerName").as_ref(), "ComputerName"))
            .or_else(|| text(tcpip.as_ref(), "NV Hostname"))
            .or_else(|| text(tcpip.as_ref(), "Hostname"))
    });
    fill(&mut host.domain, || text(tcpip.as_ref(), "NV Domain").or_else(|| text(tcpip.as_ref(), "Domain")));
    fill(&mut host.product_type, || text(at(r"Control\ProductOptions").as_ref(), "ProductType"));
    fill(&mut host.last_shutdown, || filetime(at(r"Control\Windows").as_ref(), "ShutdownTime"));

    let zone = at(r"Control\TimeZoneInformation");
    fill(&mut host.time_zone, || {
        text(zone.as_ref(), "TimeZoneKeyName").or_else(|| text(zone.as_ref(), "StandardName"))
    });
    fill(&mut host.time_bias_minutes, || {
        let bias = number(zone.as_ref(), "ActiveTimeBias").or_else(|| number(zone.as_ref(), "Bias"))?;
        Some(u32::try_from(bias).ok()?.cast_signed())
    });

    let environment = at(r"Control\Session Manager\Environment");
    for value in environment.iter().flat_map(Key::values).flatten() {
        if let Some(text) = value.text() {
            host.variables.entry(value.name().to_ascii_uppercase()).or_insert(text);
        }
    }
    fill(&mut host.architecture, || text(environment.as_ref(), "PROCESSOR_ARCHITECTURE"));
    if host.interfaces.is_empty() {
        let names = at(&format!(r"Control\Network\{ADAPTERS}"));
        host.interfaces = interfaces(at(r"Services\Tcpip\Parameters\Interfaces"), names.as_ref());
    }
}

/// Name of the control set to read: the current one, or else the first that is there.
fn control_set(hive: &Hive, current: Option<u32>) -> Option<String> {
    let named = current.map(|n| format!("ControlSet{n:03}")).filter(|name| hive.find(name).is_some());
    named.or_else(|| {
        let keys = hive.root()?.subkeys();
        keys.into_iter()
            .flatten()
            .map(|key| key.name())
            .find(|name| name.get(..10).is_some_and(|head| head.eq_ignore_ascii_case("ControlSet")) && name.len() == 13)
    })
}

fn interfaces(list: Option<Key<'_>>, names: Option<&Key<'_>>) -> Vec<Interface> {
    let mut interfaces: Vec<_> = list
        .iter()
        .flat_map(Key::subkeys)
        .flatten()
        .map(|key| {
            let id = key.name();
            let connection = names.and_then(|names| names.subkey(&id)?.subkey("Connection"));
            let first = |first: Vec<String>, other: &str| if first.is_empty() { texts(&key, other) } else { first };
            let key_ref = Some(&key);
            Interface {
                name: text(connection.as_ref(), "Name"),
                dhcp: number(key_ref, "EnableDHCP").map(|n| n != 0),
                addresses: [texts(&key, "IPAddress"), texts(&key, "DhcpIPAddress")].concat(),
                gateways: first(texts(&key, "DefaultGateway"), "DhcpDefaultGateway"),
                name_servers: first(texts(&key, "NameServer"), "DhcpNameServer"),
                domain: text(key_ref, "Domain").or_else(|| text(key_ref, "DhcpDomain")),
                dhcp_server: text(key_ref, "DhcpServer").filter(|server| server != "255.255.255.255"),
                lease_obtained: unix_time(key_ref, "LeaseObtainedTime"),
                lease_ends: unix_time(key_ref, "LeaseTerminatesTime"),
                id,
            }
        })
        .collect();
    interfaces.sort_by(|a, b| a.id.cmp(&b.id));
    interfaces
}

fn from_software(hive: &Hive, host: &mut Host) {
    let version = hive.find(CURRENT_VERSION);
    let version = version.as_ref();
    let build = text(version, "CurrentBuildNumber").or_else(|| text(version, "CurrentBuild"));
    fill(&mut host.product, || {
        let product = text(version, "ProductName")?;
        let eleven = build.as_ref().and_then(|build| build.parse::<u32>().ok()).is_some_and(|n| n >= WINDOWS_11);
        Some(if eleven { product.replacen("Windows 10", "Windows 11", 1) } else { product })
    });
    fill(&mut host.build, || {
        let revision = number(version, "UBR");
        build.map(|build| revision.map_or(build.clone(), |revision| format!("{build}.{revision}")))
    });
    fill(&mut host.release, || text(version, "DisplayVersion").or_else(|| text(version, "ReleaseId")));
    fill(&mut host.service_pack, || text(version, "CSDVersion"));
    fill(&mut host.installed, || filetime(version, "InstallTime").or_else(|| unix_time(version, "InstallDate")));
    fill(&mut host.owner, || text(version, "RegisteredOwner"));
    fill(&mut host.organization, || text(version, "RegisteredOrganization"));
    fill(&mut host.system_root, || text(version, "SystemRoot").or_else(|| text(version, "PathName")));
    fill(&mut host.system_drive, || drive_of(host.system_root.as_deref()?));
    let logon = hive.find(r"Microsoft\Windows\CurrentVersion\Authentication\LogonUI");
    fill(&mut host.last_logged_on, || text(logon.as_ref(), "LastLoggedOnUser"));

    let folders = hive.find(r"Microsoft\Windows\CurrentVersion");
    let list = hive.find(&format!(r"{CURRENT_VERSION}\ProfileList"));
    for (variable, key, name) in [
        ("PROGRAMFILES", &folders, "ProgramFilesDir"),
        ("PROGRAMFILES(X86)", &folders, "ProgramFilesDir (x86)"),
        ("PROGRAMW6432", &folders, "ProgramW6432Dir"),
        ("COMMONPROGRAMFILES", &folders, "CommonFilesDir"),
        ("COMMONPROGRAMFILES(X86)", &folders, "CommonFilesDir (x86)"),
        ("PROGRAMDATA", &list, "ProgramData"),
        ("ALLUSERSPROFILE", &list, "ProgramData"),
        ("PUBLIC", &list, "Public"),
    ] {
        if let Some(path) = text(key.as_ref(), name) {
            host.variables.entry(variable.to_owned()).or_insert(path);
        }
    }
    fill(&mut host.cached_tasks, || cached_tasks(hive));
    if host.networks.is_empty() {
        host.networks = networks(hive.find(&format!(r"{CURRENT_VERSION}\NetworkList\Profiles")));
    }
}

/// Tasks by the tree, and those that the tree no longer names by their own path.
fn cached_tasks(hive: &Hive) -> Option<BTreeMap<String, String>> {
    let cache = hive.find(&format!(r"{CURRENT_VERSION}\Schedule\TaskCache"))?;
    let mut tasks = BTreeMap::new();
    for key in cache.subkey("Tasks").iter().flat_map(Key::subkeys).flatten() {
        if let Some(path) = text(Some(&key), "Path") {
            tasks.insert(path.to_lowercase(), key.name());
        }
    }
    // A tree of a hive has no circles, and every key in it is one step nearer to its end.
    let mut folders: Vec<(String, Key<'_>)> =
        cache.subkey("Tree").map(|tree| (String::new(), tree)).into_iter().collect();
    while let Some((path, folder)) = folders.pop() {
        for key in folder.subkeys().into_iter().flatten() {
            let path = format!("{path}\\{}", key.name().to_lowercase());
            if let Some(id) = text(Some(&key), "Id") {
                tasks.insert(path.clone(), id);
            }
            folders.push((path, key));
        }
    }
    Some(tasks)
}

fn drive_of(path: &str) -> Option<char> {
    let mut characters = path.chars();
    let letter = characters.next().filter(char::is_ascii_alphabetic)?;
    (characters.next() == Some(':')).then(|| letter.to_ascii_uppercase())
}

fn networks(list: Option<Key<'_>>) -> Vec<Network> {
    let mut networks: Vec<_> = list
        .iter()
        .flat_map(Key::subkeys)
        .flatten()
        .map(|key| Network {
            id: key.name(),
            name: text(Some(&key), "ProfileName"),
            description: text(Some(&key), "Description"),
            first_connected_local: system_time(&key, "DateCreated"),
            last_connected_local: system_time(&key, "DateLastConnected"),
        })
        .collect();
    networks.sort_by(|a, b| a.id.cmp(&b.id));
    networks
}

/// A SYSTEMTIME (eight 16-bit numbers) as text without a zone.
fn system_time(key: &Key<'_>, name: &str) -> Option<String> {
    let data = key.value(name)?.data().ok()?;
    let parts: Vec<u16> = data.as_chunks::<2>().0.iter().map(|part| u16::from_le_bytes(*part)).collect();
    let [year, month, _, day, hour, minute, second, millis] = parts.as_slice() else { return None };
    (*year != 0).then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}"))
}

/// The variables that Windows makes itself, then those that name others.
fn set_variables(host: &mut Host) {
    if let Some(drive) = host.system_drive {
        host.variables.insert("SYSTEMDRIVE".to_owned(), format!("{drive}:"));
    }
    if let Some(root) = host.system_root.clone() {
        host.variables.insert("SYSTEMROOT".to_owned(), root.clone());
        host.variables.insert("WINDIR".to_owned(), root);
    }
    // TEMP of the machine is the system's own, not a user's.
    let expanded: Vec<_> = host.variables.iter().map(|(name, text)| (name.clone(), host.expand(text, None))).collect();
    host.variables.extend(expanded);
}

/// `ProfileList`: whose profile lies where.
fn profiles(hive: &Hive, host: &Host, users: &mut BTreeMap<String, User>) {
    let list = hive.find(&format!(r"{CURRENT_VERSION}\ProfileList"));
    for key in list.iter().flat_map(Key::subkeys).flatten() {
        let name = key.name();
        // Windows puts a profile aside as `<SID>.bak` when it can't load it.
        let sid = name.strip_suffix(".bak").unwrap_or(&name);
        let user = users.entry(sid.to_owned()).or_default();
        sid.clone_into(&mut user.sid);
        fill(&mut user.rid, || local_rid(sid));
        fill(&mut user.profile, || Some(host.expand(&text(Some(&key), "ProfileImagePath")?, None)));
        fill(&mut user.profile_loaded, || {
            let high =
                number(Some(&key), "LocalProfileLoadTimeHigh").or_else(|| number(Some(&key), "ProfileLoadTimeHigh"))?;
            let low =
                number(Some(&key), "LocalProfileLoadTimeLow").or_else(|| number(Some(&key), "ProfileLoadTimeLow"))?;
            Timestamp::from_filetime_field(high.checked_shl(32)? | low)
        });
    }
}

/// The last part of a machine's or a domain's SID.
fn local_rid(sid: &str) -> Option<u32> {
    sid.strip_prefix("S-1-5-21-")?.rsplit_once('-')?.1.parse().ok()
}

/// The policy of the local security authority: to which domain the machine belongs.
fn from_security(hive: &Hive, host: &mut Host) {
    let data = |name: &str| hive.find(&format!(r"Policy\{name}"))?.value("")?.data().ok().map(|data| data.into_owned());
    fill(&mut host.machine_sid, || machine_sid(&data("PolAcDmS")?));
    fill(&mut host.domain_sid, || machine_sid(&data("PolPrDmS")?));
    fill(&mut host.logon_domain, || counted_text(&data("PolPrDmN")?));
}

/// Length in bytes (0, u16), offset (4, u32), and the text there.
fn counted_text(data: &[u8]) -> Option<String> {
    let length = usize::from(u16::from_le_bytes(*data.first_chunk()?));
    let start = usize::try_from(u32::from_le_bytes(*data.get(4..)?.first_chunk()?)).ok()?;
    let text = from_utf16le(data.get(start..start.checked_add(length)?)?);
    (!text.is_empty()).then_some(text)
}

/// The SAM's local accounts.
fn accounts(hive: &Hive, host: &mut Host, users: &mut BTreeMap<String, User>) {
    let account = hive.find(r"SAM\Domains\Account");
    let machine = account.as_ref().and_then(|key| machine_sid(&key.value("V")?.data().ok()?));
    fill(&mut host.machine_sid, || machine.clone());
    let keys = account.and_then(|key| key.subkey("Users"));
    for key in keys.iter().flat_map(Key::subkeys).flatten() {
        let name = key.name();
        let Some(rid) = (name.len() == 8).then(|| u32::from_str_radix(&name, 16).ok()).flatten() else { continue };
        // Without the machine's SID: the one profile whose SID ends with this RID.
        let sid = match &machine {
            Some(machine) => Some(format!("{machine}-{rid}")),
            None => {
                let mut same = users.keys().filter(|sid| local_rid(sid) == Some(rid));
                same.next().filter(|_| same.next().is_none()).cloned()
            }
        };
        let user = users.entry(sid.clone().unwrap_or_else(|| name.clone())).or_default();
        user.sid = sid.unwrap_or_default();
        user.rid = Some(rid);
        if let Some(v) = key.value("V").and_then(|value| value.data().ok()) {
            fill(&mut user.name, || v_text(&v, 12));
            fill(&mut user.full_name, || v_text(&v, 24));
            fill(&mut user.comment, || v_text(&v, 36));
        }
        if let Some(f) = key.value("F").and_then(|value| value.data().ok()) {
            let time = |at: usize| {
                let ticks = f.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b))?;
                Timestamp::from_filetime_field(ticks)
            };
            let short = |at: usize| f.get(at..)?.first_chunk().map(|b| u16::from_le_bytes(*b));
            fill(&mut user.last_logon, || time(8));
            fill(&mut user.password_set, || time(24));
            fill(&mut user.expires, || time(32));
            fill(&mut user.last_failed_logon, || time(40));
            fill(&mut user.logon_count, || short(66));
            if let (true, Some(flags)) = (user.flags.is_empty(), short(56)) {
                user.flags = ACCOUNT_FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
            }
        }
    }
    // `Names\<name>` has the RID as the type of its default value: a name even where `V` is gone.
    let names = hive.find(r"SAM\Domains\Account\Users\Names");
    for key in names.iter().flat_map(Key::subkeys).flatten() {
        let Some(crate::formats::regf::ValueKind::Unknown(rid)) = key.value("").map(|value| value.kind()) else {
            continue;
        };
        // An account of a domain may have the same RID: only the machine's own account is meant.
        let own = |user: &&mut User| match &machine {
            Some(machine) => user.sid == format!("{machine}-{rid}"),
            None => user.rid == Some(rid),
        };
        if let Some(user) = users.values_mut().find(own).filter(|user| user.name.is_none()) {
            user.name = Some(key.name());
        }
    }
}

/// The SID `S-1-5-21-a-b-c` at the end of the bytes.
fn machine_sid(v: &[u8]) -> Option<String> {
    let sid = v.get(v.len().checked_sub(24)?..)?;
    let (head, parts) = sid.split_at_checked(8)?;
    if head != [1, 4, 0, 0, 0, 0, 0, 5] {
        return None;
    }
    let parts = parts.as_chunks::<4>().0.iter().map(|part| u32::from_le_bytes(*part).to_string());
    Some(format!("S-1-5-{}", parts.collect::<Vec<_>>().join("-")))
}

/// A text of an account's `V` by the place of its offset and length.
fn v_text(v: &[u8], at: usize) -> Option<String> {
    let field = |at: usize| v.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b));
    let start = usize::try_from(field(at)?).ok()?.checked_add(V_TEXTS)?;
    let length = usize::try_from(field(at.checked_add(4)?)?).ok()?;
    let text = from_utf16le(v.get(start..start.checked_add(length)?)?);
    (!text.is_empty()).then_some(text)
}

/// Names of accounts that are not local, where the logon screen kept them.
fn domain_names(hive: &Hive, users: &mut BTreeMap<String, User>) {
    let sessions = hive.find(r"Microsoft\Windows\CurrentVersion\Authentication\LogonUI\SessionData");
    let cache = hive.find(r"Microsoft\IdentityStore\Cache");
    let from_sessions = sessions.iter().flat_map(Key::subkeys).flatten().filter_map(|key| {
        let name = text(Some(&key), "LoggedOnSAMUser").or_else(|| text(Some(&key), "LoggedOnUser"))?;
        Some((text(Some(&key), "LoggedOnUserSID")?, name))
    });
    let from_cache = cache.iter().flat_map(Key::subkeys).flatten().filter_map(|key| {
        let sid = key.name();
        let name = text(key.subkey("IdentityCache")?.subkey(&sid).as_ref(), "UserName")?;
        Some((sid, name))
    });
    for (sid, name) in from_sessions.chain(from_cache) {
        if let Some(user) = users.get_mut(&sid) {
            // The account's name alone, as SAM gives it too.
            user.name.get_or_insert_with(|| name.rsplit('\\').next().unwrap_or(&name).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::regf::HiveOptions;

    /// Made by `testdata/make/make_hives.py`.
    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/services/system.hve");
    const SOFTWARE: &[u8] = include_bytes!("../../../testdata/hives/software.hve");
    const SAM: &[u8] = include_bytes!("../../../testdata/hives/sam.hve");

    fn hive(bytes: &[u8]) -> Hive {
        Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap()
    }

    fn time(text: &str) -> Option<Timestamp> {
        Some(Timestamp::parse(text).unwrap())
    }

    fn all() -> Host {
        let (system, software, sam) = (hive(SYSTEM), hive(SOFTWARE), hive(SAM));
        read_host(&[(HiveKind::Sam, &sam), (HiveKind::Software, &software), (HiveKind::System, &system)])
    }

    #[test]
    fn the_machine() {
        let host = all();
        assert_eq!(host.computer_name.as_deref(), Some("DESKTOP-RIPCLIP"));
        assert_eq!(host.control_set, Some(1));
        assert_eq!(host.product.as_deref(), Some("Windows 11 Pro"));
        assert_eq!(host.build.as_deref(), Some("22631.3155"));
        assert_eq!(host.release.as_deref(), Some("23H2"));
        // 1,578,643,200 s; `date -u -d @1578643200`.
        assert_eq!(host.installed, time("2020-01-10T08:00:00Z"));
        assert_eq!(host.last_shutdown, time("2020-08-25T21:00:00.5Z"));
        assert_eq!(host.time_zone.as_deref(), Some("Tokyo Standard Time"));
        assert_eq!(host.time_bias_minutes, Some(-540));
        assert_eq!(host.architecture.as_deref(), Some("AMD64"));
        assert_eq!((host.system_drive, host.system_root.as_deref()), (Some('D'), Some("D:\\Windows")));
        assert_eq!(host.last_logged_on.as_deref(), Some("CORP\\domainuser"));
        assert_eq!(
            host.expand("%windir%|%ProgramData%|%ProgramFiles%", None),
            "D:\\Windows|D:\\ProgramData|D:\\Program Files"
        );
        assert_eq!(host.networks[0].first_connected_local.as_deref(), Some("2020-08-26T14:09:52.345"));
        let [interface] = host.interfaces.as_slice() else { panic!() };
        assert_eq!(interface.name.as_deref(), Some("Ethernet"));
        assert_eq!(interface.dhcp, Some(true));
        assert_eq!(interface.addresses, ["192.168.1.23"]);
        assert_eq!(interface.name_servers, ["192.168.1.1", "8.8.8.8"]);
        assert_eq!(interface.gateways, ["192.168.1.1"]);
        assert_eq!(interface.lease_obtained, time("2020-08-26T05:00:00Z"));
    }

    #[test]
    fn the_accounts() {
        let host = all();
        let sids: Vec<_> = host.users.iter().map(|user| user.sid.as_str()).collect();
        let expected = ["S-1-5-18", "S-1-5-21-111-222-333-1001", "S-1-5-21-111-222-333-500", "S-1-5-21-9-9-9-1105"];
        assert_eq!(sids, expected);
        let clippy = host.user_by_sid("S-1-5-21-111-222-333-1001").unwrap();
        assert_eq!(clippy.name.as_deref(), Some("Clippy"));
        assert_eq!(clippy.full_name.as_deref(), Some("Clippy the Clip"));
        assert_eq!(clippy.comment, None);
        assert_eq!(clippy.profile.as_deref(), Some("D:\\Users\\Clippy"));
        assert_eq!(clippy.last_logon, time("2020-08-26T05:00:00.7654321Z"));
        assert_eq!(clippy.password_set, time("2020-01-10T08:10:00Z"));
        assert_eq!((clippy.expires, clippy.last_failed_logon), (None, None));
        assert_eq!(clippy.flags, ["password_not_required", "normal", "password_does_not_expire"]);
        assert_eq!(clippy.logon_count, Some(23));
        let administrator = host.user_by_sid("S-1-5-21-111-222-333-500").unwrap();
        assert_eq!((administrator.last_logon, administrator.flags.first()), (None, Some(&"disabled")));
        assert_eq!(host.account("S-1-5-18"), "SYSTEM");
        assert_eq!(host.account("S-1-5-21-9-9-9-1105"), "domainuser");
        assert_eq!(host.user_by_sid(""), None);
    }

    /// Each hive alone gives its own facts, and a SAM without profiles still names its accounts.
    #[test]
    fn nothing_depends_on_another_hive() {
        assert_eq!(read_host(&[]), Host::default());
        let sam = hive(SAM);
        let host = read_host(&[(HiveKind::Sam, &sam)]);
        assert_eq!(host.account("S-1-5-21-111-222-333-1001"), "Clippy");
        let system = hive(SYSTEM);
        assert_eq!(read_host(&[(HiveKind::System, &system)]).computer_name.as_deref(), Some("DESKTOP-RIPCLIP"));
    }

    /// Without `Select` the first control set is read, but which one was in use is not claimed.
    #[test]
    fn a_missing_key_costs_one_fact() {
        let mut bytes = SYSTEM.to_vec();
        let select = usize::try_from(hive(SYSTEM).find("Select").unwrap().offset()).unwrap();
        bytes[select + 4] = 0;
        let damaged = hive(&bytes);
        let host = read_host(&[(HiveKind::System, &damaged)]);
        assert_eq!(host.control_set, None);
        assert_eq!(host.computer_name.as_deref(), Some("DESKTOP-RIPCLIP"));
        assert_eq!(host.time_bias_minutes, Some(-540));
    }
}
