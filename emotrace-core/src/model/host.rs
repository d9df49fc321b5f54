//! What is known of the machine that the evidence comes from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::Timestamp;

/// As RFC 3339 text, like everywhere in output.
fn text<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(time),
        None => to.serialize_none(),
    }
}

/// An account with a profile or a SAM entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct User {
    /// `S-1-5-21-…-1001`; empty for a local account of which only the RID is known.
    pub sid: String,
    /// Account name, if known.
    pub name: Option<String>,
    /// Path of the profile as the registry gives it, `%SystemDrive%` and the like expanded.
    pub profile: Option<String>,
    /// Relative identifier of a local account.
    pub rid: Option<u32>,
    /// Full name of a local account.
    pub full_name: Option<String>,
    /// Comment on a local account.
    pub comment: Option<String>,
    /// Flags of a local account: `disabled`, `password_not_required`, `password_does_not_expire` …
    pub flags: Vec<&'static str>,
    /// Last logon of a local account.
    #[serde(serialize_with = "text")]
    pub last_logon: Option<Timestamp>,
    /// Last failed logon of a local account.
    #[serde(serialize_with = "text")]
    pub last_failed_logon: Option<Timestamp>,
    /// When the password of a local account was last set.
    #[serde(serialize_with = "text")]
    pub password_set: Option<Timestamp>,
    /// When a local account expires.
    #[serde(serialize_with = "text")]
    pub expires: Option<Timestamp>,
    /// Logons of a local account, counted modulo 65,536.
    pub logon_count: Option<u16>,
    /// When the profile was last loaded.
    #[serde(serialize_with = "text")]
    pub profile_loaded: Option<Timestamp>,
}

/// One network interface as TCP/IP was set up for it in the current control set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// `{…}`.
    pub id: String,
    /// Name of the connection, for example `Ethernet`.
    pub name: Option<String>,
    /// The address comes from DHCP.
    pub dhcp: Option<bool>,
    /// Addresses, `0.0.0.0` left out.
    pub addresses: Vec<String>,
    /// Routers.
    pub gateways: Vec<String>,
    /// Name servers.
    pub name_servers: Vec<String>,
    /// DNS domain.
    pub domain: Option<String>,
    /// The DHCP server that gave the address.
    pub dhcp_server: Option<String>,
    /// When the lease was obtained.
    #[serde(serialize_with = "text")]
    pub lease_obtained: Option<Timestamp>,
    /// When the lease ends.
    #[serde(serialize_with = "text")]
    pub lease_ends: Option<Timestamp>,
}

/// One network that the machine was connected to (`NetworkList\Profiles`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// `{…}`.
    pub id: String,
    /// Name, for example the SSID.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// First connection, in the machine's local time: no instant without knowing the zone of that day.
    pub first_connected_local: Option<String>,
    /// Last connection, in the machine's local time.
    pub last_connected_local: Option<String>,
}

/// One installed Windows. Every field is absent until the evidence tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Label of the volume that holds the Windows folder.
    pub volume: Option<String>,
    /// Computer name.
    pub computer_name: Option<String>,
    /// DNS domain that the machine belongs to.
    pub domain: Option<String>,
    /// Short name of the domain or work group that the machine belongs to.
    pub logon_domain: Option<String>,
    /// SID of that domain; absent for a work group.
    pub domain_sid: Option<String>,
    /// SID of the machine: what the SIDs of its local accounts begin with.
    pub machine_sid: Option<String>,
    /// For example `Windows 10 Pro`. The registry of Windows 11 still says 10; from build 22000 on it is given as 11 here.
    pub product: Option<String>,
    /// For example `19045.3803`.
    pub build: Option<String>,
    /// For example `22H2`.
    pub release: Option<String>,
    /// For example `Service Pack 1`.
    pub service_pack: Option<String>,
    /// `WinNT` (workstation), `ServerNT` (server) or `LanmanNT` (domain controller).
    pub product_type: Option<String>,
    /// When this Windows was installed; an upgrade sets it anew.
    #[serde(serialize_with = "text")]
    pub installed: Option<Timestamp>,
    /// When it was last shut down in order.
    #[serde(serialize_with = "text")]
    pub last_shutdown: Option<Timestamp>,
    /// Registered owner.
    pub owner: Option<String>,
    /// Registered organization.
    pub organization: Option<String>,
    /// For example `AMD64`.
    pub architecture: Option<String>,
    /// Number of the control set in use (`Select\Current`).
    pub control_set: Option<u32>,
    /// Key name of the time zone, for example `Tokyo Standard Time`.
    pub time_zone: Option<String>,
    /// Minutes to add to local time to get UTC (`ActiveTimeBias`).
    pub time_bias_minutes: Option<i32>,
    /// Drive letter of the system volume, `C`.
    pub system_drive: Option<char>,
    /// `C:\Windows` as the registry gives it.
    pub system_root: Option<String>,
    /// Who logged on last at the console, as the logon screen keeps it.
    pub last_logged_on: Option<String>,
    /// Accounts, by SID.
    pub users: Vec<User>,
    /// Network interfaces, by identifier.
    pub interfaces: Vec<Interface>,
    /// Networks that the machine was connected to, by identifier.
    pub networks: Vec<Network>,
    /// The machine's environment variables, names in upper case.
    pub variables: BTreeMap<String, String>,
    /// Paths of the scheduled tasks that the registry knows (`TaskCache`), in lower case, with their identifiers; absent
    /// where the evidence holds no task cache.
    #[serde(skip)]
    pub cached_tasks: Option<BTreeMap<String, String>>,
    /// Paths of the scheduled tasks that have a file below `System32\Tasks`, in lower case; absent where that folder can't be
    /// read.
    #[serde(skip)]
    pub task_files: Option<BTreeSet<String>>,
}

impl Host {
    /// The account with that SID.
    pub fn user_by_sid(&self, sid: &str) -> Option<&User> {
        self.users.iter().find(|u| !sid.is_empty() && u.sid.eq_ignore_ascii_case(sid))
    }

    /// How output names the account with that SID: its name, or the SID where no name is known.
    pub fn account(&self, sid: &str) -> String {
        self.user_by_sid(sid).and_then(|u| u.name.clone()).unwrap_or_else(|| sid.to_owned())
    }

    /// Replaces `%NAME%` where the evidence tells what it stands for: the machine's variables, and with a user whose
    /// profile is known, `USERPROFILE`, `APPDATA`, `LOCALAPPDATA`, `TEMP` and `TMP` at their usual places in it. All else
    /// stays as it is.
    pub fn expand(&self, text: &str, user: Option<&User>) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            match after.split_once('%').and_then(|(name, tail)| Some((self.variable(name, user)?, tail))) {
                Some((value, tail)) => {
                    out.push_str(&value);
                    rest = tail;
                }
                None => {
                    out.push('%');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn variable(&self, name: &str, user: Option<&User>) -> Option<String> {
        let name = name.to_ascii_uppercase();
        let place = match name.as_str() {
            "USERPROFILE" => Some(""),
            "APPDATA" => Some("\\AppData\\Roaming"),
            "LOCALAPPDATA" => Some("\\AppData\\Local"),
            "TEMP" | "TMP" => Some("\\AppData\\Local\\Temp"),
            _ => None,
        };
        if let (Some(place), Some(user)) = (place, user) {
            return user.profile.as_ref().map(|profile| format!("{profile}{place}"));
        }
        self.variables.get(&name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_expanded() {
        let host = Host {
            variables: BTreeMap::from([("SYSTEMROOT".to_owned(), "C:\\Windows".to_owned())]),
            ..Host::default()
        };
        let user = User { profile: Some("C:\\Users\\A".to_owned()), ..User::default() };
        assert_eq!(host.expand("%systemroot%\\x.exe 100% %Foo% %", None), "C:\\Windows\\x.exe 100% %Foo% %");
        assert_eq!(host.expand("%APPDATA%\\x", Some(&user)), "C:\\Users\\A\\AppData\\Roaming\\x");
        assert_eq!(host.expand("%APPDATA%\\x", None), "%APPDATA%\\x");
        assert_eq!(host.expand("%Foo%systemroot%", None), "%FooC:\\Windows");
    }
}
