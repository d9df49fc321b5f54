//! What is known of the machine that the evidence comes from.

use serde::Serialize;

/// An account with a profile or a SAM entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct User {
    /// `S-1-5-21-…-1001`.
    pub sid: String,
    /// Account name, if known.
    pub name: Option<String>,
    /// Path of the profile as the registry gives it, `%SystemDrive%` and the like expanded.
    pub profile: Option<String>,
}

/// One installed Windows. Every field is absent until the evidence tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Label of the volume that holds the Windows folder.
    pub volume: Option<String>,
    /// Computer name.
    pub computer_name: Option<String>,
    /// For example `Windows 10 Pro`.
    pub product: Option<String>,
    /// For example `19045.3803`.
    pub build: Option<String>,
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
    /// Accounts.
    pub users: Vec<User>,
}

impl Host {
    /// The account with that SID.
    pub fn user_by_sid(&self, sid: &str) -> Option<&User> {
        self.users.iter().find(|u| u.sid.eq_ignore_ascii_case(sid))
    }

    /// How output names the account with that SID: its name, or the SID where no name is known.
    pub fn account(&self, sid: &str) -> String {
        self.user_by_sid(sid).and_then(|u| u.name.clone()).unwrap_or_else(|| sid.to_owned())
    }
}
