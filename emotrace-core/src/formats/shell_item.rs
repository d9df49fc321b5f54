//! Shell items: how the Windows shell names a thing inside its tree of folders. Links, jump lists and shellbags hold
//! lists of them.
//!
//! A list is a row of items and ends with a size of 0. Each item begins alike:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 2 | size of the item with this field |
//! | 2 | 1 | class type |
//! | 3 | … | by class |
//! | size − 2 | 2 | if the item has extension blocks: where the first one begins, counted from the item's start |
//!
//! | class | item | fields (offsets from the item's start) |
//! |---|---|---|
//! | 1f | root folder | class identifier at 4 |
//! | 20–2f | volume | bit 0 set: name at 3 (ANSI); else class identifier at 4 |
//! | 30–3f, b0–bf | file entry | size 4, FAT date and time 8, attributes 12, name at 14 (UTF-16 with bit 2); then either extension blocks (XP and later) or the short name |
//! | 40–4f, c0–cf | network location | flags 4, name at 5, description (flag 80), comments (flag 40) |
//! | 52 | compressed folder | |
//! | 61 | URI | flags 3 (80: UTF-16), size of data 4, URI behind the data |
//! | 71 | control panel item | class identifier at 14 |
//! | 00, 01 | by a signature at 4 or 6 | property views, games, control panel files and categories, portable devices |
//! | any | delegate | data size 4, data, then `5e591a74-df96-48d3-8d67-1733bcee28ba`, then a class identifier |
//!
//! | offset | size | extension block |
//! |---|---|---|
//! | 0 | 2 | size |
//! | 2 | 2 | version |
//! | 4 | 4 | signature beef____ |
//!
//! | offset | size | file entry extension (beef0004) |
//! |---|---|---|
//! | 8 | 4 | created, FAT date and time |
//! | 12 | 4 | accessed, FAT date and time |
//! | 20 | 8 | from version 7: MFT reference |
//! | 18 / 36 | 2 | version 3 / from 7: offset of the localized name behind the long name, 0 for none |
//! | 20 / 38 / 42 / 46 | … | version 3 / 7 / 8 / 9: long name (UTF-16), then the localized name (ANSI in version 3) |
//!
//! The format is not documented by Microsoft. Source: J. Metz, "Windows Shell Item format specification" (libfwsi);
//! layouts of 38-byte beef0025 and of unterminated UTF-16 names as met in real links.

use std::fmt;

use super::property_store::{self, Property};
use super::shell_names;
use crate::bytes::fields::{array_at, u8_at, u16_at, u32_at, u64_at};
use crate::bytes::{FormatError, text};
use crate::model::{FileReference, SmolStr, Timestamp, Value};

/// `5e591a74-df96-48d3-8d67-1733bcee28ba` as stored: behind the data of a delegate item.
const DELEGATE: [u8; 16] =
    [0x74, 0x1a, 0x59, 0x5e, 0x96, 0xdf, 0xd3, 0x48, 0x8d, 0x67, 0x17, 0x33, 0xbc, 0xee, 0x28, 0xba];

/// A FAT date and time: 2 s resolution, no zone.
///
/// The format does not tell the zone. Windows fills shell items from FILETIMEs without a conversion to local time, so the
/// value is UTC as a rule (libfwsi's documentation says so too): in 499 of 507 real links of Windows XP to 11 it equals the
/// link's own UTC time of the target, and in none of the other eight do the two differ by whole hours. It stays a text all
/// the same, because an item of a camera or of another maker's shell extension may hold local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FatTime {
    date: u16,
    time: u16,
}

impl FatTime {
    /// From the two on-disk words. `None` for the empty value 0 and for dates that no calendar has.
    pub fn new(date: u16, time: u16) -> Option<Self> {
        let this = Self { date, time };
        let (month, day) = (this.month(), this.day());
        let days = match month {
            2 if this.year().is_multiple_of(4) && this.year() != 2100 => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        let valid = (1..=days).contains(&day) && this.hour() < 24 && this.minute() < 60 && this.second() < 60;
        valid.then_some(this)
    }

    /// From four bytes: date, then time.
    fn from_bytes(bytes: [u8; 4]) -> Option<Self> {
        let [a, b, c, d] = bytes;
        Self::new(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
    }

    const fn year(self) -> u16 {
        (self.date >> 9).saturating_add(1980)
    }
    const fn month(self) -> u16 {
        (self.date >> 5) & 15
    }
    const fn day(self) -> u16 {
        self.date & 31
    }
    const fn hour(self) -> u16 {
        self.time >> 11
    }
    const fn minute(self) -> u16 {
        (self.time >> 5) & 63
    }
    const fn second(self) -> u16 {
        (self.time & 31).saturating_mul(2)
    }
}

/// `2020-08-26T05:09:32`, without a zone.
impl fmt::Display for FatTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.year(), self.month(), self.day());
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", self.hour(), self.minute(), self.second())
    }
}

/// What an item stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A folder of the shell's own tree, known by its class identifier.
    RootFolder,
    /// A drive.
    Volume,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// Network, domain, server or share.
    Network,
    /// A member of a ZIP folder.
    CompressedFolder,
    /// A web address.
    Uri,
    /// Control Panel: an item, a category or a `.cpl` file.
    ControlPanel,
    /// Described by properties: libraries, known folders, apps.
    PropertyView,
    /// A game.
    Game,
    /// Volume or file of a portable device.
    PortableDevice,
    /// An item for another shell extension whose data is not decoded.
    Delegate,
    /// None of these.
    Unknown,
}

impl ItemKind {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RootFolder => "root folder",
            Self::Volume => "volume",
            Self::File => "file",
            Self::Directory => "directory",
            Self::Network => "network",
            Self::CompressedFolder => "compressed folder",
            Self::Uri => "uri",
            Self::ControlPanel => "control panel",
            Self::PropertyView => "property view",
            Self::Game => "game",
            Self::PortableDevice => "portable device",
            Self::Delegate => "delegate",
            Self::Unknown => "unknown",
        }
    }
}

/// What a file entry says of its file or directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileItem {
    /// Low 32 bits of the size in bytes; 0 for directories.
    pub size: u32,
    /// File attributes, low 16 bits.
    pub attributes: u16,
    /// Last modification.
    pub modified: Option<FatTime>,
    /// Creation, from the extension block.
    pub created: Option<FatTime>,
    /// Last access, from the extension block.
    pub accessed: Option<FatTime>,
    /// The name in the item itself: the short name as a rule.
    pub primary_name: String,
    /// The other name, before Windows XP.
    pub secondary_name: Option<String>,
    /// The long name, from the extension block.
    pub long_name: Option<String>,
    /// The resource that gives the name shown to the user, `@shell32.dll,-21781`.
    pub localized_name: Option<String>,
    /// The MFT record, from version 7 of the extension block. Absent where no sequence number is given: then the file
    /// does not lie on NTFS.
    pub reference: Option<FileReference>,
}

/// An extension block, decoded or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// beef____.
    pub signature: u32,
    /// Version.
    pub version: u16,
    /// Size in bytes.
    pub size: u16,
}

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub struct ShellItem {
    /// Where it lies in its stream.
    pub offset: u64,
    /// Size in bytes.
    pub size: u16,
    /// Class type, as stored.
    pub class_type: u8,
    /// What it stands for.
    pub kind: ItemKind,
    /// Its part of the path as the shell would write it; absent if it can't be told.
    pub name: Option<String>,
    /// Class or known folder identifier, a GUID in lower case.
    pub folder_id: Option<String>,
    /// Facts of the file, for file entries.
    pub file: Option<FileItem>,
    /// FILETIMEs (UTC, 100 ns) with what they mean: `created`, `modified`, `accessed`, or `time1` … where that is not known.
    pub times: Vec<(&'static str, Timestamp)>,
    /// All extension blocks.
    pub extensions: Vec<Extension>,
    /// Properties of a property view.
    pub properties: Vec<Property>,
    /// What was wrong with it.
    pub faults: Vec<FormatError>,
}

impl ShellItem {
    fn new(offset: u64, size: u16, class_type: u8) -> Self {
        Self {
            offset,
            size,
            class_type,
            kind: ItemKind::Unknown,
            name: None,
            folder_id: None,
            file: None,
            times: Vec::new(),
            extensions: Vec::new(),
            properties: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Takes the identifier and the folder's name, or the identifier in braces where no name is known.
    fn named_folder(&mut self, guid: [u8; 16]) {
        let id = text::guid(&guid);
        self.name = Some(shell_names::folder(&id).map_or_else(|| format!("{{{id}}}"), str::to_owned));
        self.folder_id = Some(id);
    }
}

/// A list of items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemList {
    /// The items in their order.
    pub items: Vec<ShellItem>,
    /// What was wrong with the list. Faults of an item stand with the item.
    pub faults: Vec<FormatError>,
    /// Bytes that the list takes up, its ending size field included if there is one.
    pub len: usize,
}

impl ItemList {
    /// Full path as the shell shows it: `C:\Users\x`, `\\server\share\x`, `Control Panel\Mouse`.
    /// `My Computer` before a drive and network folders before a UNC path are left out.
    pub fn path(&self) -> Option<String> {
        path(&self.items)
    }

    /// The path, if it is one of a file system: a drive or a share, then directories and files.
    pub fn file_system_path(&self) -> Option<String> {
        let start = self.items.iter().rposition(|i| {
            let name = i.name.as_deref().unwrap_or_default();
            i.kind == ItemKind::Volume && name.contains(':') || i.kind == ItemKind::Network && name.starts_with(r"\\")
        })?;
        let (_, tail) = self.items.split_at(start);
        let plain = tail.iter().skip(1).all(|i| matches!(i.kind, ItemKind::File | ItemKind::Directory));
        if plain { path(tail) } else { None }
    }

    /// The last item: what the list stands for.
    pub fn target(&self) -> Option<&ShellItem> {
        self.items.last()
    }
}

/// Full path of a row of items, as [`ItemList::path`] gives it.
pub fn path(items: &[ShellItem]) -> Option<String> {
    let mut path = String::new();
    for item in items {
        let name = item.name.as_deref().unwrap_or("?");
        let drive = item.kind == ItemKind::Volume && name.get(1..2) == Some(":");
        if drive || item.kind == ItemKind::Uri || name.starts_with(r"\\") {
            path.clear();
        }
        if !path.is_empty() && !path.ends_with('\\') {
            path.push('\\');
        }
        path.push_str(name);
    }
    if path.is_empty() { None } else { Some(path) }
}

/// Reads a list that begins at the start of `data`. `base` is the offset of `data` in its stream.
pub fn read_list(data: &[u8], base: u64) -> ItemList {
    let mut list = ItemList::default();
    // Every round takes at least the two bytes of a size field.
    while let Some(size) = u16_at(data, list.len) {
        let offset = base.saturating_add(list.len as u64);
        if size == 0 {
            list.len = list.len.saturating_add(2);
            return list;
        }
        let rest = data.get(list.len..).unwrap_or_default();
        if size < 3 {
            let problem = "a shell item can't be smaller than its size and class";
            list.faults.push(FormatError::Value { what: "shell item", offset, value: size.into(), problem });
            return list;
        }
        let item = match rest.get(..usize::from(size)) {
            Some(item) => item,
            None => {
                let (needed, available) = (size.into(), rest.len() as u64);
                list.faults.push(FormatError::Short { what: "shell item", offset, needed, available });
                rest
            }
        };
        list.items.push(read_item(item, offset));
        list.len = list.len.saturating_add(item.len());
    }
    list
}

/// Reads one item with its size field. What an item does not hold stays absent; nothing here fails as a whole.
pub fn read_item(data: &[u8], offset: u64) -> ShellItem {
    let class = u8_at(data, 2).unwrap_or(0);
    let mut item = ShellItem::new(offset, u16::try_from(data.len()).unwrap_or(u16::MAX), class);
    let blocks = extension_start(data);
    // The item's own part ends where its extension blocks begin.
    let body = data.get(..blocks.unwrap_or(data.len())).unwrap_or(data);
    if let Some((inner, class_id)) = delegate(data) {
        read_delegate(inner, class_id, &mut item);
    } else {
        match class {
            0x1f => {
                item.kind = ItemKind::RootFolder;
                array_at(data, 4).into_iter().for_each(|guid| item.named_folder(guid));
            }
            0x20..=0x2f => read_volume(body, &mut item),
            0x30..=0x3f | 0xb0..=0xbf => read_file(body, blocks.is_some(), &mut item),
            0x40..=0x4f | 0xc0..=0xcf => read_network(body, &mut item),
            0x52 => read_compressed(body, &mut item),
            0x61 => read_uri(body, &mut item),
            0x71 => {
                item.kind = ItemKind::ControlPanel;
                array_at(data, 14).into_iter().for_each(|guid| item.named_folder(guid));
            }
            0x00 | 0x01 => read_by_signature(body, &mut item),
            _ => {}
        }
    }
    if let Some(start) = blocks {
        read_extensions(data, start, &mut item);
    }
    if let Some(file) = &item.file {
        item.name = file.long_name.clone().or(item.name).or_else(|| Some(file.primary_name.clone()));
    }
    item
}

/// Where the extension blocks begin: the last two bytes of an item say so, if a block is there indeed.
fn extension_start(data: &[u8]) -> Option<usize> {
    let start = usize::from(u16_at(data, data.len().checked_sub(2)?)?);
    let signature = u32_at(data, start.checked_add(4)?)?;
    (start >= 3 && signature >> 16 == 0xbeef).then_some(start)
}

/// The data of a delegate item, and the class that it is meant for.
fn delegate(data: &[u8]) -> Option<(&[u8], [u8; 16])> {
    let end = usize::from(u16_at(data, 4)?).checked_add(6)?;
    if array_at::<16>(data, end)? != DELEGATE {
        return None;
    }
    Some((data.get(6..end)?, array_at(data, end.checked_add(16)?)?))
}

fn read_delegate(inner: &[u8], class_id: [u8; 16], item: &mut ShellItem) {
    item.kind = ItemKind::Delegate;
    // A file entry in the user's folder: "CFSF", size, then an entry without its size field.
    if inner.starts_with(b"CFSF")
        && let Some(entry) = inner.get(4..)
    {
        // The two bytes before the entry stand where an item has its size, so the offsets are those of an item.
        read_file(entry, true, item);
    } else if item.class_type == 0x1f || item.class_type == 0x00 {
        read_property_view(inner, item);
    }
    let id = text::guid(&class_id);
    if item.name.is_none() && item.file.is_none() {
        item.name = shell_names::folder(&id).map(str::to_owned);
    }
    item.folder_id.get_or_insert(id);
}

fn read_volume(data: &[u8], item: &mut ShellItem) {
    item.kind = ItemKind::Volume;
    if item.class_type & 1 == 0 {
        array_at(data, 4).into_iter().for_each(|guid| item.named_folder(guid));
        item.kind = ItemKind::RootFolder;
        return;
    }
    let name = text::from_ansi_until_nul(data.get(3..data.len().min(23)).unwrap_or_default());
    item.name = Some(name).filter(|n| !n.is_empty());
    if let Some(guid) = array_at::<16>(data, 25).filter(|guid| *guid != [0; 16]) {
        item.folder_id = Some(text::guid(&guid));
    }
}

/// `data` ends where the extension blocks begin; without them the short name follows the name.
fn read_file(data: &[u8], extended: bool, item: &mut ShellItem) {
    let class = u8_at(data, 2).unwrap_or(0);
    let mut file = FileItem {
        size: u32_at(data, 4).unwrap_or(0),
        modified: array_at(data, 8).and_then(FatTime::from_bytes),
        attributes: u16_at(data, 12).unwrap_or(0),
        ..FileItem::default()
    };
    // Directories are told by the class; the attribute speaks where the class says neither.
    let directory = class & 1 != 0 || class & 3 == 0 && file.attributes & 0x10 != 0;
    item.kind = if directory { ItemKind::Directory } else { ItemKind::File };
    let names = data.get(14..).unwrap_or_default();
    let (primary, rest) = split_name(names, class & 4 != 0);
    file.primary_name = primary;
    if !extended {
        let (secondary, _) = split_name(rest, class & 4 != 0);
        file.secondary_name = Some(secondary).filter(|name| !name.is_empty());
    }
    item.file = Some(file);
}

/// A name up to its NUL or the end, and what follows it.
fn split_name(data: &[u8], wide: bool) -> (String, &[u8]) {
    if wide {
        let (name, rest) = split_wide(data);
        (text::from_utf16le(name), rest)
    } else {
        let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
        (text::from_ansi_until_nul(data), data.get(end.saturating_add(1)..).unwrap_or_default())
    }
}

/// The bytes of a UTF-16 text up to its NUL or the end, and what follows it.
fn split_wide(data: &[u8]) -> (&[u8], &[u8]) {
    let units = data.as_chunks::<2>().0;
    let end = units.iter().position(|u| *u == [0, 0]).unwrap_or(units.len()).saturating_mul(2);
    (data.get(..end).unwrap_or_default(), data.get(end.saturating_add(2)..).unwrap_or_default())
}

fn read_network(data: &[u8], item: &mut ShellItem) {
    item.kind = ItemKind::Network;
    // 4c is an item of Web Folders with another layout.
    if item.class_type != 0x4c {
        let name = text::from_ansi_until_nul(data.get(5..).unwrap_or_default());
        item.name = Some(name).filter(|n| !n.is_empty());
    }
}

/// Four counted texts behind a head of 46 bytes. The first is the name in the archive.
fn read_compressed(data: &[u8], item: &mut ShellItem) {
    item.kind = ItemKind::CompressedFolder;
    if data.get(3..6) == Some(&[0x67, 0xb1, 0xac]) {
        item.name = counted_wide(data, 46, 50);
    }
}

fn read_uri(data: &[u8], item: &mut ShellItem) {
    item.kind = ItemKind::Uri;
    let wide = u8_at(data, 3).unwrap_or(0) & 0x80 != 0;
    let skip = usize::from(u16_at(data, 4).unwrap_or(0)).max(2);
    let uri = data.get(skip.saturating_add(6)..).unwrap_or_default();
    let (uri, _) = split_name(uri, wide);
    item.name = Some(uri).filter(|n| !n.is_empty());
}

fn read_by_signature(data: &[u8], item: &mut ShellItem) {
    match (u32_at(data, 4), u32_at(data, 6)) {
        // "GFSI"
        (Some(0x4953_4647), _) => {
            item.kind = ItemKind::Game;
            array_at(data, 8).into_iter().for_each(|guid| item.named_folder(guid));
        }
        // A .cpl file: its path; UTF-16 or ANSI.
        (Some(0xffff_ff38), _) => {
            item.kind = ItemKind::ControlPanel;
            item.name = data.get(24..).map(text::from_utf16le_until_nul).filter(|n| !n.is_empty());
        }
        (Some(0xffff_ffff), _) if item.class_type == 0 => {
            item.kind = ItemKind::ControlPanel;
            item.name = data.get(12..).map(text::from_ansi_until_nul).filter(|n| !n.is_empty());
        }
        (Some(0x39de_2184), _) => {
            item.kind = ItemKind::ControlPanel;
            item.name = u32_at(data, 8).and_then(control_panel_category).map(str::to_owned);
        }
        (_, Some(0x1031_2005)) => {
            item.kind = ItemKind::PortableDevice;
            item.name = counted_wide(data, 38, 54);
        }
        (_, Some(0x0719_2006)) => {
            item.kind = ItemKind::PortableDevice;
            item.name = counted_wide(data, 62, 74);
            for (meaning, at) in [("modified", 26), ("created", 34)] {
                item.times.extend(filetime_at(data, at).map(|time| (meaning, time)));
            }
        }
        _ => {
            let size = usize::from(u16_at(data, 4).unwrap_or(0));
            let inner = size.checked_add(6).and_then(|end| data.get(6..end.min(data.len()))).unwrap_or_default();
            read_property_view(inner, item);
        }
    }
}

/// Signature, size of a property store, size of an identifier, identifier, store. Leaves an item of another layout alone.
fn read_property_view(inner: &[u8], item: &mut ShellItem) {
    /// The identifier is that of a known folder.
    const KNOWN_FOLDER: u32 = 0x23fe_bbee;
    let (Some(signature), Some(store_size), Some(id_size)) = (u32_at(inner, 0), u16_at(inner, 4), u16_at(inner, 6))
    else {
        return;
    };
    let store_at = 8usize.saturating_add(id_size.into());
    let store = inner.get(store_at..).unwrap_or_default();
    let store = store.get(..store.len().min(store_size.into())).unwrap_or_default();
    let has_store = store.get(4..8) == Some(b"1SPS");
    if signature == KNOWN_FOLDER && id_size == 16 {
        array_at(inner, 8).into_iter().for_each(|guid| item.named_folder(guid));
    } else if !has_store {
        return;
    }
    item.kind = ItemKind::PropertyView;
    if has_store {
        let head = item.offset.saturating_add(6).saturating_add(store_at as u64);
        let read = property_store::read(store, head);
        item.faults.extend(read.faults);
        item.properties = read.properties;
        let text = |name: &str| {
            let found = item.properties.iter().find(|p| p.name() == name);
            found.and_then(|p| p.value.as_text()).filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let shown = text("System.ItemNameDisplay");
        item.name = item
            .name
            .take()
            .or(shown)
            .or_else(|| text("System.AppUserModel.ID"))
            .or_else(|| text("System.ParsingName"));
    }
}

/// Source: `CLSID_ControlPanel` category numbers (libfwsi documentation, "Control panel categories").
const fn control_panel_category(number: u32) -> Option<&'static str> {
    Some(match number {
        0 => "All Control Panel Items",
        1 => "Appearance and Personalization",
        2 => "Hardware and Sound",
        3 => "Network and Internet",
        4 => "Sounds, Speech, and Audio Devices",
        5 => "System and Security",
        6 => "Clock, Language, and Region",
        7 => "Ease of Access",
        8 => "Programs",
        9 => "User Accounts",
        10 => "Security Center",
        11 => "Mobile PC",
        _ => return None,
    })
}

fn read_extensions(data: &[u8], start: usize, item: &mut ShellItem) {
    let mut at = start;
    // Every block takes at least eight bytes.
    while let (Some(size), Some(version), Some(signature)) =
        (u16_at(data, at), u16_at(data, at.saturating_add(2)), u32_at(data, at.saturating_add(4)))
    {
        if size < 8 || signature >> 16 != 0xbeef {
            break;
        }
        let end = at.saturating_add(size.into());
        if end > data.len() {
            item.faults.push(FormatError::Short {
                what: "shell item extension",
                offset: item.offset.saturating_add(at as u64),
                needed: size.into(),
                available: data.len().saturating_sub(at) as u64,
            });
        }
        let block = data.get(at..end.min(data.len())).unwrap_or_default();
        item.extensions.push(Extension { signature, version, size });
        match signature {
            0xbeef_0003 => item.folder_id = array_at(block, 8).map(|guid| text::guid(&guid)),
            0xbeef_0004 => read_file_extension(block, version, item),
            0xbeef_0025 => read_extension_times(block, &["time1", "time2", "time3"], item),
            0xbeef_0026 => read_extension_times(block, &["created", "modified", "accessed"], item),
            _ => {}
        }
        at = end;
    }
}

fn read_file_extension(block: &[u8], version: u16, item: &mut ShellItem) {
    let file = item.file.get_or_insert_default();
    file.created = array_at(block, 8).and_then(FatTime::from_bytes);
    file.accessed = array_at(block, 12).and_then(FatTime::from_bytes);
    let (localized_at, name_at) = match version {
        0..3 => return,
        3..7 => (18, 20),
        7 => (36, 38),
        8 => (36, 42),
        _ => (36, 46),
    };
    if version >= 7
        && let Some(raw) = u64_at(block, 20)
    {
        let reference = FileReference::from_u64(raw);
        file.reference = Some(reference).filter(|r| r.sequence != 0);
    }
    // The last two bytes are the block's place in the item.
    let names = block.get(name_at..block.len().saturating_sub(2)).unwrap_or_default();
    let (long, rest) = split_wide(names);
    file.long_name = Some(text::from_utf16le(long)).filter(|n| !n.is_empty());
    if u16_at(block, localized_at).unwrap_or(0) != 0 {
        let (localized, _) = split_name(rest, version >= 7);
        file.localized_name = Some(localized).filter(|n| !n.is_empty());
    }
}

/// beef0025 and beef0026: FILETIMEs behind a word of flags, as many as the block has room for.
fn read_extension_times(block: &[u8], meanings: &[&'static str; 3], item: &mut ShellItem) {
    for (meaning, at) in meanings.iter().zip([12usize, 20, 28]) {
        // The last two bytes are the block's place in the item.
        if at.saturating_add(10) <= block.len() {
            item.times.extend(filetime_at(block, at).map(|time| (*meaning, time)));
        }
    }
}

/// What shellbags and links say of an item, as values under fixed names. A part that is not there is left out.
pub fn describe(item: &ShellItem) -> Value {
    let mut map: Vec<(SmolStr, Value)> = Vec::new();
    let mut put = |name: &str, value: Option<Value>| map.extend(value.map(|v| (name.into(), v)));
    put("kind", Some(item.kind.name().into()));
    put("name", item.name.clone().map(Value::from));
    put("folder_id", item.folder_id.clone().map(Value::from));
    if let Some(file) = &item.file {
        let fat = |time: Option<FatTime>| time.map(|t| Value::from(t.to_string()));
        let other = Some(&file.primary_name).filter(|n| !n.is_empty() && Some(*n) != item.name.as_ref());
        put("short_name", other.or(file.secondary_name.as_ref()).cloned().map(Value::from));
        put("localized_name", file.localized_name.clone().map(Value::from));
        put("size", (item.kind == ItemKind::File).then_some(Value::Number(file.size.into())));
        put("attributes", Some(Value::Number(file.attributes.into())));
        put("modified", fat(file.modified));
        put("created", fat(file.created));
        put("accessed", fat(file.accessed));
        put("mft_reference", file.reference.map(|r| Value::from(r.to_string())));
    }
    for (meaning, time) in &item.times {
        put(&format!("{meaning}_utc"), Some(Value::Time(*time)));
    }
    for property in &item.properties {
        put(&property.name(), Some(property.value.clone()));
    }
    // What is told above by its content needs no word of its own.
    let known = [0xbeef_0003, 0xbeef_0004, 0xbeef_0025, 0xbeef_0026];
    let others: Vec<String> = item
        .extensions
        .iter()
        .filter(|e| !known.contains(&e.signature))
        .map(|e| format!("{:08x} version {}, {} bytes", e.signature, e.version, e.size))
        .collect();
    put("extensions", (!others.is_empty()).then(|| others.into()));
    if item.kind == ItemKind::Unknown {
        put("class_type", Some(Value::from(format!("{:02x}", item.class_type))));
        put("size", Some(Value::Number(item.size.into())));
    }
    Value::Map(map)
}

/// A UTF-16 text at `at` whose count of units (with its NUL) stands at `count_at`.
fn counted_wide(data: &[u8], count_at: usize, at: usize) -> Option<String> {
    let bytes = usize::try_from(u32_at(data, count_at)?).ok()?.checked_mul(2)?;
    let found = text::from_utf16le_until_nul(data.get(at..at.checked_add(bytes)?)?);
    Some(found).filter(|t| !t.is_empty())
}

fn filetime_at(data: &[u8], at: usize) -> Option<Timestamp> {
    Timestamp::from_filetime_field(u64_at(data, at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    fn item(body: &[u8]) -> Vec<u8> {
        let mut out = (body.len() as u16 + 2).to_le_bytes().to_vec();
        out.extend(body);
        out
    }

    /// My Computer, 20d04fe0-3aea-1069-a2d8-08002b30309d.
    fn my_computer() -> Vec<u8> {
        item(&[
            0x1f, 0x50, 0xe0, 0x4f, 0xd0, 0x20, 0xea, 0x3a, 0x69, 0x10, 0xa2, 0xd8, 0x08, 0x00, 0x2b, 0x30, 0x30, 0x9d,
        ])
    }

    fn drive(name: &str) -> Vec<u8> {
        let mut body = vec![0x2f];
        body.extend(name.as_bytes());
        body.resize(23, 0);
        item(&body)
    }

    /// A file entry with beef0004 of that version. Times: 20 August 2004 01:16:48 (14 31 18 0a), as lnkinfo reads them.
    fn entry(class: u8, short: &[u8], version: u16, long: &str, localized: &[u8]) -> Vec<u8> {
        let mut body = vec![class, 0];
        body.extend(0x1234u32.to_le_bytes());
        body.extend([0x14, 0x31, 0x18, 0x0a]);
        body.extend(if class & 1 != 0 { [0x10, 0] } else { [0x20, 0] });
        body.extend(short);
        if body.len() % 2 == 1 {
            body.push(0);
        }
        let start = body.len() as u16 + 2;
        let mut block = vec![0; 4];
        block[2..4].copy_from_slice(&version.to_le_bytes());
        block.extend(0xbeef_0004u32.to_le_bytes());
        block.extend([0x14, 0x31, 0x18, 0x0a, 0, 0, 0, 0]);
        let name_at = match version {
            3 => 20,
            7 => 38,
            8 => 42,
            _ => 46,
        };
        block.extend([0x14, 0]);
        if version >= 7 {
            block.extend([0, 0]);
            block.extend((42u64 | 7 << 48).to_le_bytes());
            block.extend([0; 8]);
        }
        let long = wide(long);
        let localized_at = if localized.is_empty() { 0 } else { name_at as u16 + long.len() as u16 };
        block.extend(localized_at.to_le_bytes());
        block.resize(name_at, 0);
        block.extend(&long);
        block.extend(localized);
        block.extend(start.to_le_bytes());
        let size = block.len() as u16;
        block[..2].copy_from_slice(&size.to_le_bytes());
        body.extend(block);
        item(&body)
    }

    fn list(items: &[Vec<u8>]) -> Vec<u8> {
        let mut out = items.concat();
        out.extend([0, 0]);
        out
    }

    #[test]
    fn fat_times() {
        assert_eq!(FatTime::new(0x3114, 0x0a18).unwrap().to_string(), "2004-08-20T01:16:48");
        assert_eq!(FatTime::new(0, 0), None);
        assert_eq!(FatTime::new(0x0040, 0), None, "day 0");
        assert_eq!(FatTime::new(1 << 9 | 2 << 5 | 29, 0), None, "29 February 1981");
        assert_eq!(FatTime::new(0x3114, 0xc000), None, "24 o'clock");
    }

    #[test]
    fn every_version_of_the_file_extension() {
        for version in [3u16, 7, 8, 9] {
            let localized = if version == 3 { b"@shell32.dll,-1\0".to_vec() } else { wide("@shell32.dll,-1") };
            let bytes =
                list(&[my_computer(), drive("C:\\"), entry(0x31, b"LONGNA~1\0", version, "Long näme", &localized)]);
            let read = read_list(&bytes, 0x4e);
            assert_eq!(read.len, bytes.len());
            assert_eq!(read.faults, []);
            let folder = read.target().unwrap();
            assert_eq!(folder.offset, 0x4e + 20 + 25);
            assert_eq!(folder.kind, ItemKind::Directory);
            let file = folder.file.as_ref().unwrap();
            assert_eq!(file.long_name.as_deref(), Some("Long näme"), "version {version}");
            assert_eq!(file.localized_name.as_deref(), Some("@shell32.dll,-1"), "version {version}");
            assert_eq!(file.primary_name, "LONGNA~1");
            assert_eq!(file.created.unwrap().to_string(), "2004-08-20T01:16:48");
            assert_eq!(file.accessed, None);
            let reference = (version >= 7).then_some(FileReference { record: 42, sequence: 7 });
            assert_eq!(file.reference, reference);
            assert_eq!(read.path().as_deref(), Some(r"C:\Long näme"));
            assert_eq!(read.file_system_path(), read.path());
        }
    }

    /// Real links of a French Windows XP hold a UTF-16 name that fills its field without a NUL; libfwsi reads on into
    /// the extension block.
    #[test]
    fn an_unterminated_name_ends_where_the_extension_begins() {
        let short: Vec<u8> = "Échantill".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let read = read_item(&entry(0x35, &short, 3, "Échantillons", b""), 0);
        assert_eq!(read.file.unwrap().primary_name, "Échantill");
    }

    /// Before Windows XP there is no extension block: the short name follows.
    #[test]
    fn two_names_before_windows_xp() {
        let mut body = vec![0x32, 0];
        body.extend(9u32.to_le_bytes());
        body.extend([0x14, 0x31, 0x18, 0x0a, 0x20, 0]);
        body.extend(b"Long Name.txt\0LONGNA~1.TXT\0");
        let read = read_item(&item(&body), 0);
        let file = read.file.as_ref().unwrap();
        assert_eq!((file.primary_name.as_str(), file.size), ("Long Name.txt", 9));
        assert_eq!(file.secondary_name.as_deref(), Some("LONGNA~1.TXT"));
        assert_eq!(describe(&read).get("short_name"), Some(&Value::from("LONGNA~1.TXT")));
    }

    #[test]
    fn shares_addresses_and_folders() {
        let mut share = vec![0xc3, 0x00, 0xd5];
        share.extend(b"\\\\server\\d$\0Microsoft Network\0");
        let mut whole = vec![0x47, 0x00, 0x12];
        whole.extend(b"Entire Network\0");
        let network = list(&[item(&whole), item(&share), entry(0x32, b"a.txt\0", 9, "a.txt", b"")]);
        let read = read_list(&network, 0);
        assert_eq!(read.path().as_deref(), Some(r"\\server\d$\a.txt"));
        assert_eq!(read.file_system_path(), read.path());

        let mut uri = vec![0x61, 0x80, 0, 0, 0, 0];
        uri.extend(wide("http://example.org/"));
        let read = read_list(&list(&[my_computer(), item(&uri)]), 0);
        assert_eq!(read.path().as_deref(), Some("http://example.org/"));
        assert_eq!(read.file_system_path(), None);
        assert_eq!(read_list(&list(&[my_computer()]), 0).path().as_deref(), Some("My Computer"));
    }

    /// AppData below the user's folder, as Windows 10 writes it: an entry inside a delegate item.
    #[test]
    fn a_file_entry_inside_a_delegate_item() {
        let sub: Vec<u8> = [&[0x31, 0, 0, 0, 0, 0, 0x14, 0x31, 0x18, 0x0a, 0x12, 0][..], b"AppData\0\0\0"].concat();
        let mut inner = b"CFSF".to_vec();
        inner.extend((sub.len() as u16).to_le_bytes());
        inner.extend(&sub);
        let mut body = vec![0x74, 0];
        body.extend((inner.len() as u16).to_le_bytes());
        body.extend(&inner);
        body.extend(DELEGATE);
        body.extend([0xc5; 16]);
        let read = read_item(&item(&body), 0);
        assert_eq!(read.kind, ItemKind::Directory);
        assert_eq!(read.name.as_deref(), Some("AppData"));
        assert_eq!(read.file.unwrap().modified.unwrap().to_string(), "2004-08-20T01:16:48");
    }

    #[test]
    fn known_folders_and_times_of_extensions() {
        // Downloads, 374de290-123f-4565-9164-39c4925e467b, with a 38-byte beef0025.
        let mut body = vec![0x2e, 0x80, 0x90, 0xe2, 0x4d, 0x37, 0x3f, 0x12, 0x65, 0x45];
        body.extend([0x91, 0x64, 0x39, 0xc4, 0x92, 0x5e, 0x46, 0x7b]);
        let start = body.len() as u16 + 2;
        body.extend([38, 0, 1, 0, 0x25, 0, 0xef, 0xbe, 0x11, 0, 0, 0]);
        for ticks in [5u64, 0, 7] {
            body.extend(ticks.to_le_bytes());
        }
        body.extend(start.to_le_bytes());
        let read = read_item(&item(&body), 0);
        assert_eq!(read.name.as_deref(), Some("Downloads"));
        let at = Timestamp::from_filetime;
        assert_eq!(read.times, [("time1", at(5)), ("time3", at(7))]);
        assert_eq!(read.extensions, [Extension { signature: 0xbeef_0025, version: 1, size: 38 }]);

        // A known folder in a property view: Music, 4bd8d571-6d19-48d3-be97-422220080e43.
        let mut view = vec![0, 0, 0x1a, 0, 0xee, 0xbb, 0xfe, 0x23, 0, 0, 16, 0];
        view.extend([0x71, 0xd5, 0xd8, 0x4b, 0x19, 0x6d, 0xd3, 0x48, 0xbe, 0x97, 0x42, 0x22, 0x20, 0x08, 0x0e, 0x43]);
        view.extend([0, 0]);
        let read = read_item(&item(&view), 0);
        assert_eq!((read.kind, read.name.as_deref()), (ItemKind::PropertyView, Some("Music")));
    }

    #[test]
    fn an_unknown_item_is_named_by_class_and_size() {
        let read = read_item(&item(&[0x99, 1, 2, 3]), 0);
        assert_eq!(read.kind, ItemKind::Unknown);
        assert_eq!(describe(&read).get("class_type"), Some(&Value::from("99")));
        assert_eq!(path(&[read]).as_deref(), Some("?"));
    }

    #[test]
    fn a_cut_list_keeps_what_is_there() {
        let bytes = list(&[my_computer(), drive("C:\\"), entry(0x32, b"A.TXT\0", 9, "a.txt", b"")]);
        let read = read_list(&bytes[..bytes.len() - 20], 0);
        assert_eq!(read.items.len(), 3);
        assert_eq!(read.faults.len(), 1);
        assert_eq!(read.path().as_deref(), Some(r"C:\A.TXT"));
    }

    #[test]
    fn damage_does_no_harm() {
        let good = list(&[
            my_computer(),
            drive("C:\\"),
            entry(0x31, b"USERS\0", 8, "Users", &wide("@shell32.dll,-21813")),
            entry(0x32, b"A.TXT\0", 3, "a.txt", b"@x\0"),
        ]);
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..4000 {
            let mut bytes = good.clone();
            for _ in 0..4 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % bytes.len();
                bytes[at] = (seed >> 20) as u8;
            }
            if seed & 1 == 0 {
                bytes.truncate((seed >> 40) as usize % bytes.len());
            }
            let read = read_list(&bytes, u64::MAX - 5);
            assert!(read.len <= bytes.len() + 2 && read.items.len() <= bytes.len() / 3 + 1);
            read.items.iter().for_each(|i| drop(describe(i)));
        }
    }
}
