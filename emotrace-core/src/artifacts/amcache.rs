//! Amcache: the inventory of programs, their files, drivers and shortcuts that Windows keeps from 8 on (7 with updates).
//!
//! `AMCACHE\Root\…`, one key for each item:
//!
//! | key | Windows | item |
//! |---|---|---|
//! | `File\{volume}\<file reference>` | 8 to 10 1607 | a file, values with numbers for names |
//! | `Programs\<program>` | 8 to 10 1607 | an installed program, values with numbers for names |
//! | `InventoryApplicationFile\<name and hash>` | 10 1607 on | a file |
//! | `InventoryApplication\<program>` | 10 1607 on | an installed program or package |
//! | `InventoryDriverBinary\<path>` | 10 1607 on | a driver |
//! | `InventoryApplicationShortcut\<name and hash>` | 10 1709 on | a shortcut of the Start menu |
//!
//! Sources: Blanche Lagny (ANSSI), "Analysis of the AmCache" (2019); libyal winreg-kb, "AMCache". Names and types were
//! compared with hives of Windows 8.1, 10 and 11.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::formats::regf::{Key, KeyValue};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State, Timestamp, Value};

static FILE: Descriptor = Descriptor {
    name: "windows:amcache:file",
    doc: "Windows entered a file into its inventory of programs.",
    message: "{path} stands in the inventory[, SHA-1 {sha1}]",
    data_type: Some("windows:registry:amcache"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path of the file as stored (lower case in newer versions)"),
        Field::new("name", Kind::Text, "Name of the file as stored"),
        Field::new(
            "sha1",
            Kind::Text,
            "SHA-1 of the first 31,457,280 bytes of the file, from FileId without its leading 0000",
        ),
        Field::new(
            "sha1_of_all",
            Kind::Bool,
            "True if the file was no longer than that, so that it is the SHA-1 of all of it",
        ),
        Field::new("size", Kind::Number, "Size of the file in bytes"),
        Field::new(
            "link_time",
            Kind::Time,
            "Time in the file's PE header; set by the linker, and often forged or a hash",
        ),
        Field::new("product", Kind::Text, "Product name of the version resource"),
        Field::new("product_version", Kind::Text, "Product version of the version resource"),
        Field::new("publisher", Kind::Text, "Company of the version resource"),
        Field::new("version", Kind::Text, "File version of the version resource"),
        Field::new("description", Kind::Text, "File description of the version resource"),
        Field::new("original_name", Kind::Text, "Original file name of the version resource"),
        Field::new("binary_type", Kind::Text, "pe32_i386, pe64_amd64, …"),
        Field::new("language", Kind::Number, "Language of the version resource"),
        Field::new("os_component", Kind::Bool, "Windows takes the file for a part of itself"),
        Field::new("package", Kind::Text, "Full name of the packaged app that the file belongs to"),
        Field::new("program_id", Kind::Text, "Identifier of the program that the file belongs to"),
        Field::new("usn", Kind::Number, "Number in the change journal at the time of the inventory"),
        Field::new("volume", Kind::Text, "GUID of the volume (8 to 10 1607)"),
        Field::new(
            "file_reference",
            Kind::Text,
            "Sequence number and MFT record in hex, the key's name (8 to 10 1607)",
        ),
        Field::new("pe_checksum", Kind::Number, "Checksum in the PE header (8 to 10 1607)"),
    ],
};

static PROGRAM: Descriptor = Descriptor {
    name: "windows:amcache:program",
    doc: "Windows entered an installed program or package into its inventory.",
    message: "Program {name}[ {version}][ of {publisher}] stands in the inventory",
    data_type: Some("windows:registry:amcache:programs"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the program"),
        Field::new("version", Kind::Text, "Version"),
        Field::new("publisher", Kind::Text, "Publisher"),
        Field::new("program_id", Kind::Text, "Identifier of the program, the key's name"),
        Field::new(
            "source",
            Kind::Text,
            "Where the inventory knows it from: AddRemoveProgram, Msi, AppxPackage, File …",
        ),
        Field::new("root_folder", Kind::Text, "Folder of the program"),
        Field::new(
            "install_date",
            Kind::Text,
            "InstallDate as stored, MM/DD/YYYY HH:MM:SS; its zone is not documented",
        ),
        Field::new("uninstall_command", Kind::Text, "Command line that removes it"),
        Field::new("uninstall_key", Kind::List, "Registry keys of its uninstall entry"),
        Field::new("package", Kind::Text, "Full name of a packaged app"),
        Field::new("msi_product", Kind::Text, "MSI product code"),
        Field::new("msi_package", Kind::Text, "MSI package code"),
        Field::new("hidden", Kind::Bool, "Not shown in the list of installed programs"),
        Field::new("user_sid", Kind::Text, "SID of the user it is installed for (Windows 11)"),
    ],
};

static DRIVER: Descriptor = Descriptor {
    name: "windows:amcache:driver",
    doc: "Windows entered a driver into its inventory.",
    message: "Driver {name}[ ({path})] stands in the inventory[, SHA-1 {sha1}]",
    data_type: Some("windows:registry:amcache"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the driver's file"),
        Field::new("path", Kind::Text, "Path of the file, where the key's name gives it"),
        Field::new("sha1", Kind::Text, "SHA-1 of the first 31,457,280 bytes, from DriverId or the key's name"),
        Field::new("service", Kind::Text, "Name of the service"),
        Field::new("company", Kind::Text, "Company of the version resource"),
        Field::new("product", Kind::Text, "Product name of the version resource"),
        Field::new("product_version", Kind::Text, "Product version of the version resource"),
        Field::new("version", Kind::Text, "Version of the driver"),
        Field::new("link_time", Kind::Time, "Time in the PE header; in reproducible builds a hash, no time"),
        Field::new(
            "last_write",
            Kind::Text,
            "DriverLastWriteTime as stored, MM/DD/YYYY HH:MM:SS; its zone is not documented",
        ),
        Field::new("signed", Kind::Bool, "The driver is signed"),
        Field::new("in_box", Kind::Bool, "The driver came with Windows"),
        Field::new("kernel_mode", Kind::Bool, "The driver runs in the kernel"),
        Field::new("image_size", Kind::Number, "Size of the loaded image in bytes"),
        Field::new("pe_checksum", Kind::Number, "Checksum in the PE header"),
        Field::new("inf", Kind::Text, "INF file"),
    ],
};

static SHORTCUT: Descriptor = Descriptor {
    name: "windows:amcache:shortcut",
    doc: "Windows entered a shortcut of the Start menu into its inventory.",
    message: "Shortcut {path}[ to {target}] stands in the inventory",
    data_type: Some("windows:registry:amcache"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("path", Kind::Text, "Path of the shortcut"),
        Field::new("target", Kind::Text, "Path that it leads to (newer versions)"),
        Field::new("program_id", Kind::Text, "Identifier of the program (newer versions)"),
        Field::new("app_id", Kind::Text, "Application user model ID (newer versions)"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "amcache",
    doc: "Amcache.hve is the inventory of programs that Windows' compatibility service keeps: executable files with path, hash \
and version, installed programs, drivers, shortcuts. A scheduled task and the start of unknown programs fill it.\n\n\
It proves that the file lay at this path, with this hash, at the latest when its key was last written (the row with the \
meaning recorded). The SHA-1 covers only the first 31,457,280 bytes: for a larger file it is not the hash of the file, and no \
list of hashes will know it. The time in the PE header gives a row of its own (linked). In 8 to 10 1607 the file's own \
creation and modification times are kept too.\n\n\
It does not prove that the file ran: the task enters files it finds in program folders, and libraries. The key's last write is \
when the inventory was made or brought up to date, not when the file came. Times in PE headers are what the author of the \
program wrote there; many are hashes (reproducible builds).\n\n\
It lives long: entries stay for months after the file is gone, until the inventory of its program is renewed.",
    references: &[
        "https://cyber.gouv.fr/sites/default/files/2019/01/anssi-coriin_2019-analysis_amcache.pdf",
        "https://github.com/libyal/winreg-kb/blob/main/docs/sources/application-keys/AMCache.md",
    ],
    emits: &[&FILE, &PROGRAM, &DRIVER, &SHORTCUT],
    reads: Reads::RegKeys {
        keys: &[
            r"AMCACHE\Root\File\*\*",
            r"AMCACHE\Root\Programs\*",
            r"AMCACHE\Root\InventoryApplicationFile\*",
            r"AMCACHE\Root\InventoryApplication\*",
            r"AMCACHE\Root\InventoryDriverBinary\*",
            r"AMCACHE\Root\InventoryApplicationShortcut\*",
        ],
        parse,
    },
};

/// As far as the hash goes: 30 MiB.
const HASHED: u64 = 31_457_280;

fn parse(input: &KeyInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let path = input.key.path();
    let values = Values::read(&input.key, out);
    let record = match path.split('\\').nth(1).unwrap_or_default().to_ascii_lowercase().as_str() {
        "file" => old_file(&path, &values),
        "programs" => old_program(&values),
        "inventoryapplicationfile" => file(&values),
        "inventoryapplication" => program(&values, host),
        "inventorydriverbinary" => driver(&input.key.name(), &values),
        "inventoryapplicationshortcut" => shortcut(&values),
        _ => None,
    };
    // A key without the values of an item is a leaf of the tree, no item.
    let Some(record) = record else { return Ok(Completion::Complete) };
    let mut record = record
        .set("key_path", input.path.clone())
        .time(Meaning::RECORDED, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() || values.0.iter().any(KeyValue::from_log) {
        record = record.state(State::LogReplayed);
    }
    out.give(record);
    Ok(Completion::Complete)
}

/// The values of one key, read once.
struct Values<'h>(Vec<KeyValue<'h>>);

impl<'h> Values<'h> {
    /// What can't be read becomes an issue.
    fn read(key: &Key<'h>, out: &mut Out<'_>) -> Self {
        Self(key.values().into_iter().filter_map(|value| out.keep(value)).collect())
    }
    fn get(&self, name: &str) -> Option<&KeyValue<'h>> {
        self.0.iter().find(|value| value.name().eq_ignore_ascii_case(name))
    }
    fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.text().filter(|text| !text.is_empty())
    }
    fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.get(name)?.multi_text().filter(|texts| !texts.is_empty())
    }
    /// Early versions wrote numbers as text, sizes in hex.
    fn number(&self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        value.number().or_else(|| {
            let text = value.text()?;
            match text.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).ok(),
                None => text.parse().ok(),
            }
        })
    }
    /// 0 and 1, or `true` and `false`.
    fn flag(&self, name: &str) -> Option<bool> {
        let text = self.text(name);
        match text.as_deref() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => self.number(name).map(|n| n != 0),
        }
    }
    fn filetime(&self, name: &str) -> Option<Timestamp> {
        self.number(name).and_then(Timestamp::from_filetime_field)
    }
    fn unix(&self, name: &str) -> Option<Timestamp> {
        let seconds = self.number(name).filter(|seconds| *seconds != 0)?;
        Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?)
    }
}

/// The hash in an identifier of a file: `0000` and 40 digits.
fn sha1(id: &str) -> Option<String> {
    let digits = id.strip_prefix("0000").filter(|rest| rest.len() == 40)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| digits.to_ascii_lowercase())
}

/// True if the hash is that of the whole file; only with a hash and a size.
fn hash_of_all(sha1: Option<&String>, size: Option<u64>) -> Option<bool> {
    sha1?;
    Some(size? <= HASHED)
}

/// `MM/DD/YYYY HH:MM:SS`, UTC.
fn link_date(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(' ')?;
    let mut parts = date.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{time}Z"))
}

fn with_link_time(record: Record, time: Option<Timestamp>) -> Record {
    record.set_some("link_time", time.map(Value::Time)).time(Meaning::LINKED, time)
}

fn old_file(path: &str, values: &Values<'_>) -> Option<Record> {
    let (volume, reference) = (path.split('\\').nth(2)?, path.split('\\').nth(3)?);
    let sha1 = values.text("101").as_deref().and_then(sha1);
    let file = values.text("15");
    if file.is_none() && sha1.is_none() {
        return None;
    }
    let size = values.number("6");
    let (modified, other) = (values.filetime("11"), values.filetime("17"));
    let record = Record::new(&FILE)
        .set_some("path", file)
        .set_some("sha1_of_all", hash_of_all(sha1.as_ref(), size))
        .set_some("sha1", sha1)
        .set_some("size", size)
        .set_some("product", values.text("0"))
        .set_some("publisher", values.text("1"))
        .set_some("version", values.text("5"))
        .set_some("description", values.text("c"))
        .set_some("language", values.number("3"))
        .set_some("pe_checksum", values.number("9"))
        .set_some("program_id", values.text("100"))
        .set("volume", volume)
        .set("file_reference", reference)
        .time(Meaning::MODIFIED, modified)
        .time(Meaning::CREATED, values.filetime("12"))
        // Both are times of modification; only one row where they agree.
        .time(Meaning::MODIFIED, other.filter(|time| Some(*time) != modified));
    Some(with_link_time(record, values.unix("f")))
}

fn file(values: &Values<'_>) -> Option<Record> {
    let path = values.text("LowerCaseLongPath")?;
    let (sha1, size) = (values.text("FileId").as_deref().and_then(sha1), values.number("Size"));
    let record = Record::new(&FILE)
        .set("path", path)
        .set_some("name", values.text("Name"))
        .set_some("sha1_of_all", hash_of_all(sha1.as_ref(), size))
        .set_some("sha1", sha1)
        .set_some("size", size)
        .set_some("product", values.text("ProductName"))
        .set_some("product_version", values.text("ProductVersion"))
        .set_some("publisher", values.text("Publisher"))
        .set_some("version", values.text("Version"))
        .set_some("original_name", values.text("OriginalFileName"))
        .set_some("binary_type", values.text("BinaryType"))
        .set_some("language", values.number("Language"))
        .set_some("os_component", values.flag("IsOsComponent"))
        .set_some("package", values.text("AppxPackageFullName"))
        .set_some("program_id", values.text("ProgramId"))
        .set_some("usn", values.number("Usn"));
    Some(with_link_time(record, values.text("LinkDate").as_deref().and_then(link_date)))
}

fn old_program(values: &Values<'_>) -> Option<Record> {
    let record = Record::new(&PROGRAM)
        .set("name", values.text("0")?)
        .set_some("version", values.text("1"))
        .set_some("publisher", values.text("2"))
        .set_some("source", values.text("6"))
        .set_some("uninstall_key", values.texts("7"))
        .set_some("root_folder", values.texts("d").map(|folders| folders.join("; ")))
        .set_some("msi_product", values.text("f"))
        .set_some("msi_package", values.text("10"))
        .time(Meaning::INSTALLED, values.unix("a"))
        .time(Meaning::DELETED, values.unix("b"));
    Some(record)
}

fn program(values: &Values<'_>, host: &Host) -> Option<Record> {
    let sid = values.text("UserSid");
    let record = Record::new(&PROGRAM)
        .set("name", values.text("Name")?)
        .set_some("version", values.text("Version"))
        .set_some("publisher", values.text("Publisher"))
        .set_some("program_id", values.text("ProgramId"))
        .set_some("source", values.text("Source"))
        .set_some("root_folder", values.text("RootDirPath"))
        .set_some("install_date", values.text("InstallDate"))
        .set_some("uninstall_command", values.text("UninstallString"))
        .set_some("uninstall_key", values.text("RegistryKeyPath").map(|key| vec![key]))
        .set_some("package", values.text("PackageFullName"))
        .set_some("msi_product", values.text("MsiProductCode"))
        .set_some("msi_package", values.text("MsiPackageCode"))
        .set_some("hidden", values.flag("HiddenArp"))
        .user(sid.as_deref().map(|sid| host.account(sid)))
        .set_some("user_sid", sid);
    Some(record)
}

fn driver(key_name: &str, values: &Values<'_>) -> Option<Record> {
    let path = key_name.contains('/').then(|| key_name.replace('/', "\\"));
    let record = Record::new(&DRIVER)
        .set("name", values.text("DriverName")?)
        .set_some("path", path)
        .set_some("sha1", values.text("DriverId").as_deref().and_then(sha1).or_else(|| sha1(key_name)))
        .set_some("service", values.text("Service"))
        .set_some("company", values.text("DriverCompany"))
        .set_some("product", values.text("Product"))
        .set_some("product_version", values.text("ProductVersion"))
        .set_some("version", values.text("DriverVersion"))
        .set_some("last_write", values.text("DriverLastWriteTime"))
        .set_some("signed", values.flag("DriverSigned"))
        .set_some("in_box", values.flag("DriverInBox"))
        .set_some("kernel_mode", values.flag("DriverIsKernelMode"))
        .set_some("image_size", values.number("ImageSize"))
        .set_some("pe_checksum", values.number("DriverCheckSum"))
        .set_some("inf", values.text("Inf"));
    Some(with_link_time(record, values.unix("DriverTimeStamp")))
}

fn shortcut(values: &Values<'_>) -> Option<Record> {
    let record = Record::new(&SHORTCUT)
        .set("path", values.text("ShortcutPath")?)
        .set_some("target", values.text("ShortcutTargetPath"))
        .set_some("program_id", values.text("ShortcutProgramId"))
        .set_some("app_id", values.text("ShortcutAumid"));
    Some(record)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Event};

    const AMCACHE: &[u8] = include_bytes!("../../../testdata/artifacts/amcache/amcache.hve");

    fn read(below: &str) -> Vec<Event> {
        let hive = Hive::parse(AMCACHE.to_vec(), &[], HiveOptions::default()).unwrap();
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        for key in hive.find(&format!("Root\\{below}")).unwrap().subkeys() {
            let key = key.unwrap();
            let path = key.path();
            let input = KeyInput { locator: Arc::default(), hive: HiveKind::Amcache, key, path, user: None };
            assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        }
        assert_eq!(sink.issues, []);
        sink.events
    }

    fn times(events: &[Event]) -> Vec<(String, String)> {
        events.iter().map(|e| (e.meaning.to_string(), e.time.unwrap().to_string())).collect()
    }

    fn time(meaning: &str, time: &str) -> (String, String) {
        (meaning.to_owned(), time.to_owned())
    }

    #[test]
    fn a_file_of_windows_10() {
        let events = read("InventoryApplicationFile");
        let (evil, large): (Vec<Event>, Vec<Event>) =
            events.into_iter().partition(|e| e.values.get("name").and_then(Value::as_text) == Some("evil.exe"));
        let expected =
            [time("linked", "2020-08-20T11:12:13.0000000Z"), time("recorded", "2020-08-26T05:09:52.3456789Z")];
        assert_eq!(times(&evil), expected);
        assert_eq!(
            evil[0].message(),
            r"c:\users\clippy\appdata\local\evil.exe stands in the inventory, SHA-1 da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
        assert_eq!(evil[0].values.get("sha1_of_all"), Some(&Value::Bool(true)));
        // The hash of a large file is not the file's.
        assert_eq!(large[0].values.get("sha1_of_all"), Some(&Value::Bool(false)));
    }

    #[test]
    fn a_file_of_windows_8() {
        let events = read(r"File\{11111111-2222-3333-4444-555555555555}");
        let expected = [
            time("linked", "2013-01-01T00:00:00.0000000Z"),
            time("created", "2014-02-03T04:05:06.1234567Z"),
            time("modified", "2014-02-03T04:05:07.0000000Z"),
            time("recorded", "2020-08-26T05:09:52.3456789Z"),
        ];
        assert_eq!(times(&events), expected);
        assert_eq!(events[0].values.get("file_reference").and_then(Value::as_text), Some("20000667bc"));
    }

    #[test]
    fn programs_drivers_shortcuts() {
        let old = read("Programs");
        assert_eq!(times(&old)[0], time("installed", "2017-08-01T13:14:28.0000000Z"));
        assert_eq!(old[0].message(), "Program 7-Zip 16.04 (x64) 16.04 of Igor Pavlov stands in the inventory");
        let program = read("InventoryApplication");
        assert_eq!(program[0].user.as_deref(), Some("S-1-5-21-111-222-333-1001"));
        assert_eq!(program[0].values.get("hidden"), Some(&Value::Bool(false)));
        let drivers = read("InventoryDriverBinary");
        assert_eq!(drivers[0].values.get("path").and_then(Value::as_text), Some(r"c:\windows\system32\drivers\x.sys"));
        assert_eq!(times(&drivers)[0], time("linked", "2020-01-02T03:04:05.0000000Z"));
        assert_eq!(read("InventoryApplicationShortcut").len(), 1);
    }

    #[test]
    fn odd_values() {
        assert_eq!(sha1("0000da39"), None);
        assert_eq!(sha1("0101f76432f43eb8c227ac3ce8d9ac05c2ec0853e259"), None);
        assert_eq!(link_date("08/20/2020 11:12:13").unwrap().to_string(), "2020-08-20T11:12:13.0000000Z");
        assert_eq!((link_date(""), link_date("20.08.2020 1:2"), link_date("13/40/2020 11:12:13")), (None, None, None));
    }
}
