//! What lay open to a program that ran as the user: mail stores, address books, saved passwords.
//!
//! Emotet's modules take addresses and whole messages from mail programs, and passwords from mail programs and browsers. Their
//! work leaves almost no trace on a disk, so what counts is what was there to be taken. Files are counted by kind and account,
//! with their sizes; what stands inside them is not read, and `NOT_COUNTED` says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rule_set::RuleSet;
use super::sigma::fold;
use crate::model::{Event, Evidence, Exposure, Finding, Meaning, State, StoreGroup, Value};

/// Most files that are named of one kind and account.
const MAX_NAMED: usize = 50;

/// A kind of store: its name, what it is in both languages, and the test on the folded path.
struct StoreKind {
    name: &'static str,
    en: &'static str,
    ja: &'static str,
    fits: fn(&str) -> bool,
}

const KINDS: &[StoreKind] = &[
    StoreKind {
        name: "outlook_store",
        en: "Outlook data files (messages, contacts)",
        ja: "Outlookデータファイル(メール・連絡先)",
        fits: |path| path.ends_with(".pst") || path.ends_with(".ost"),
    },
    StoreKind {
        name: "outlook_autocomplete",
        en: "Outlook address completion",
        ja: "Outlookのアドレス補完",
        fits: |path| path.contains(r"\roamcache\stream_autocomplete_") || path.ends_with(".nk2"),
    },
    StoreKind {
        name: "thunderbird_mail",
        en: "Thunderbird mailboxes",
        ja: "Thunderbirdのメールボックス",
        fits: |path| {
            let name = path.rsplit('\\').next().unwrap_or_default();
            path.contains(r"\thunderbird\profiles\")
                && (path.contains(r"\imapmail\") || path.contains(r"\mail\"))
                && !name.contains('.')
        },
    },
    StoreKind {
        name: "address_book",
        en: "Address books and contacts",
        ja: "アドレス帳・連絡先",
        fits: |path| {
            path.ends_with(".contact")
                || path.ends_with(".wab")
                || (path.contains(r"\thunderbird\profiles\")
                    && (path.ends_with(r"\abook.sqlite")
                        || path.ends_with(r"\history.sqlite")
                        || path.ends_with(r"\abook.mab")))
        },
    },
    StoreKind {
        name: "windows_mail",
        en: "Windows Mail and Live Mail",
        ja: "Windowsメール・Live Mail",
        fits: |path| {
            path.contains(r"\windows live mail\")
                || path.ends_with(r"\comms\unistoredb\store.vol")
                || path.contains(r"\microsoft.windowscommunicationsapps_8wekyb3d8bbwe\localstate\files\")
        },
    },
    StoreKind {
        name: "loose_mail",
        en: "Messages saved as files",
        ja: "ファイルとして保存されたメール",
        fits: |path| path.ends_with(".eml") || path.ends_with(".msg"),
    },
    StoreKind {
        name: "browser_passwords",
        en: "Browsers' saved passwords",
        ja: "ブラウザの保存パスワード",
        fits: |path| {
            path.ends_with(r"\login data")
                || (path.contains(r"\profiles\")
                    && (path.ends_with(r"\logins.json") || path.ends_with(r"\signons.sqlite")))
        },
    },
    StoreKind {
        name: "browser_cards",
        en: "Browsers' form data and payment cards",
        ja: "ブラウザのフォームデータ・カード情報",
        fits: |path| path.contains(r"\user data\") && path.ends_with(r"\web data"),
    },
    StoreKind {
        name: "windows_credentials",
        en: "Windows' saved credentials",
        ja: "Windowsの保存資格情報",
        fits: |path| path.contains(r"\microsoft\credentials\") || path.contains(r"\microsoft\vault\"),
    },
];

/// What is not counted, in both languages.
const NOT_COUNTED: &[(&str, &str)] = &[
    (
        "Messages, addresses and attachments inside the stores: no store is opened. The number of persons has to be counted \
         in the mail program or with a tool that reads the store.",
        "ストア内のメール件数、アドレス、添付ファイル(ストアの中身は開いていません)。本人の数は、メールソフトまたは専用ツールで集計してください。",
    ),
    (
        "Mail that lies on a server alone (webmail, IMAP without a copy, Exchange Online), and stores on other drives or \
         machines.",
        "サーバー上のみにあるメール(Webメール、コピーのないIMAP、Exchange Online)、および他のドライブ・端末のストア。",
    ),
    (
        "Which passwords were saved: that the file is there does not say that it holds any.",
        "保存されていたパスワードの内容(ファイルの存在は、保存の有無を示すものではありません)。",
    ),
    (
        "What was taken: theft of mail leaves almost no trace on a disk.",
        "実際に窃取された内容(メールの窃取はディスク上にほとんど痕跡を残しません)。",
    ),
];

/// Counts stores in one pass over the timeline.
#[derive(Debug, Default)]
pub struct Counter {
    /// By kind and account.
    groups: BTreeMap<(usize, Option<String>), (StoreGroup, Evidence)>,
    /// Folded paths that were counted: a file has several times, and so several rows.
    seen: std::collections::BTreeSet<String>,
    files_seen: bool,
}

impl Counter {
    /// Takes what it needs of an event.
    pub fn event(&mut self, event: &Event) {
        if event.descriptor.name != "windows:file:times" {
            return;
        }
        self.files_seen = true;
        let live = event.state == State::Live && event.origin.locator.snapshot.is_none();
        let directory = event.values.get("directory") == Some(&Value::Bool(true));
        let Some(path) = event.values.get("path").and_then(Value::as_text).filter(|_| live && !directory) else {
            return;
        };
        let folded = fold(path);
        let Some(kind) = KINDS.iter().position(|kind| (kind.fits)(&folded)) else { return };
        let user = user_of(path);
        let modified = event.time.filter(|_| event.meaning.contains(Meaning::MODIFIED));
        let size = event.values.get("size").and_then(Value::as_number).unwrap_or_default();
        let entry = self.groups.entry((kind, user.clone())).or_insert_with(|| {
            let StoreKind { name, en, ja, .. } = KINDS[kind];
            let group = StoreGroup {
                kind: name,
                title: en,
                title_ja: ja,
                user,
                files: 0,
                bytes: 0,
                newest: None,
                paths: Vec::new(),
            };
            (group, Evidence::new(event, vec![("path".to_owned(), path.to_owned())]))
        });
        entry.0.newest = entry.0.newest.max(modified);
        if self.seen.insert(folded) {
            entry.0.files += 1;
            entry.0.bytes = entry.0.bytes.saturating_add(size);
            if entry.0.paths.len() < MAX_NAMED {
                entry.0.paths.push(path.to_owned());
            }
        }
    }

    /// What was counted, and a finding for each kind and account.
    pub fn finish(self, rules: &RuleSet) -> (Exposure, Vec<Finding>) {
        let mut findings = Vec::new();
        let mut stores = Vec::new();
        let info = rules.infos().find(|i| i.name.as_deref() == Some("EMO-COL-004")).map(|i| Arc::new(i.clone()));
        for (group, mut evidence) in self.groups.into_values() {
            if let Some(rule) = &info {
                evidence.message = format!("{}: {} file(s), {} bytes", group.title, group.files, group.bytes);
                evidence.user.clone_from(&group.user);
                findings.push(Finding {
                    rule: Arc::clone(rule),
                    weight: 0,
                    outcome: None,
                    time: None,
                    evidence: vec![evidence],
                    count: group.files,
                });
            }
            stores.push(group);
        }
        let (not_counted, not_counted_ja) =
            NOT_COUNTED.iter().map(|(en, ja)| ((*en).to_owned(), (*ja).to_owned())).unzip();
        (Exposure { looked: self.files_seen, stores, not_counted, not_counted_ja }, findings)
    }
}

/// The account whose profile a path lies in.
fn user_of(path: &str) -> Option<String> {
    let mut parts = path.split('\\').skip(1);
    let first = parts.next()?;
    first.eq_ignore_ascii_case("Users").then(|| parts.next().map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &str) -> Option<&'static str> {
        let path = fold(path);
        KINDS.iter().find(|k| (k.fits)(&path)).map(|k| k.name)
    }

    #[test]
    fn stores_are_known_by_their_paths() {
        for (path, expected) in [
            (r"C:\Users\a\AppData\Local\Microsoft\Outlook\a@example.test.ost", Some("outlook_store")),
            (r"C:\Users\a\Documents\Outlook Files\archive.PST", Some("outlook_store")),
            (
                r"C:\Users\a\AppData\Local\Microsoft\Outlook\RoamCache\Stream_Autocomplete_0_1A.dat",
                Some("outlook_autocomplete"),
            ),
            (
                r"C:\Users\a\AppData\Roaming\Thunderbird\Profiles\x.default\ImapMail\imap.example.test\INBOX",
                Some("thunderbird_mail"),
            ),
            (r"C:\Users\a\AppData\Roaming\Thunderbird\Profiles\x.default\ImapMail\imap.example.test\INBOX.msf", None),
            (r"C:\Users\a\AppData\Roaming\Thunderbird\Profiles\x.default\abook.sqlite", Some("address_book")),
            (r"C:\Users\a\AppData\Local\Google\Chrome\User Data\Default\Login Data", Some("browser_passwords")),
            (r"C:\Users\a\AppData\Roaming\Mozilla\Firefox\Profiles\x\logins.json", Some("browser_passwords")),
            (r"C:\Users\a\AppData\Local\Microsoft\Edge\User Data\Default\Web Data", Some("browser_cards")),
            (r"C:\Users\a\mail.eml", Some("loose_mail")),
            (r"C:\Users\a\AppData\Local\Microsoft\Credentials\0123", Some("windows_credentials")),
            (r"C:\Users\a\notes.txt", None),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
        assert_eq!(user_of(r"C:\Users\a\mail.eml").as_deref(), Some("a"));
        assert_eq!(user_of(r"C:\mail.eml"), None);
    }
}
