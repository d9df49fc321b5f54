//! Shell links (`.lnk`): where a link leads, what its target was when the link was last written, and on which machine.
//!
//! | part | present if | layout |
//! |---|---|---|
//! | header | always | 76 bytes, see below |
//! | LinkTargetIDList | flag 0 | size (2), shell items |
//! | LinkInfo | flag 1 | size (4), … |
//! | name, relative path, working directory, arguments, icon location | flags 2–6 | count of characters (2), text; UTF-16 with flag 7 |
//! | extra blocks | | size (4), signature (4), data; a size below 4 ends them |
//! | trailing data | | not part of the format: Windows ignores it, droppers put scripts there |
//!
//! | offset | size | header |
//! |---|---|---|
//! | 0 | 4 | 0x4c |
//! | 4 | 16 | class identifier 00021401-0000-0000-c000-000000000046 |
//! | 20 | 4 | flags |
//! | 24 | 4 | the target's attributes |
//! | 28, 36, 44 | 8 | the target's times: created, accessed, written (FILETIME, UTC) |
//! | 52 | 4 | the target's size, low 32 bits |
//! | 56 | 4 | icon index |
//! | 60 | 4 | show command |
//! | 64 | 2 | hot key |
//!
//! | offset | size | LinkInfo (offsets count from its start) |
//! |---|---|---|
//! | 0, 4 | 4 | size; size of its header |
//! | 8 | 4 | flags: 1 volume and local path, 2 network |
//! | 12, 16, 20, 24 | 4 | offsets of VolumeID, local path, network link, common suffix (ANSI) |
//! | 28, 32 | 4 | if the header is 0x24 or longer: offsets of local path and suffix in UTF-16 |
//!
//! Source: Microsoft, MS-SHLLINK; droid identifiers: MS-DLTW 2.2; RFC 4122 4.1 (version 1 UUIDs).
//!
//! **What the crate `lnk` 0.6 does here.** It reads the header's flags, attributes, size, icon and hot key, and it is the
//! oracle of the tests for every section. The other sections are read by our own code, because the crate's readers lose
//! evidence: they refuse a section for one field outside the specification (a drive type, an attribute of a cloud file, an unknown
//! extra block, a lone surrogate, an offset), lose most of a text from 32,768 characters on (its length in bytes overflows), read label, share and device name where
//! they happen to stand instead of at their offsets, keep the tracker's fields private, give times in microseconds, and
//! panic on a `VistaAndAboveIDList` above 65,535 bytes and on some truncated lists. The header is made harmless before
//! the crate sees it (its times zeroed, unknown bits masked), so that it can neither refuse nor panic; the masked values
//! are kept beside it.

use std::fmt::Write;
use std::io;

use binrw::BinRead;
use lnk::{FileAttributeFlags, LinkFlags, ShellLinkHeader};

use super::guard::guarded;
use super::property_store::{self, PropertyStore};
use super::shell_item::{self, ItemList};
use crate::bytes::fields::{array_at, u16_at, u32_at, u64_at};
use crate::bytes::{FormatError, text};
use crate::model::Timestamp;

/// Header size, then the class identifier.
const SIGNATURE: [u8; 20] = [0x4c, 0, 0, 0, 1, 0x14, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
const HEADER_LEN: usize = 76;
/// Bytes of trailing data that are kept.
const TRAILING_KEPT: usize = 4096;
/// 100 ns ticks from 1582-10-15, where UUID times begin, to 1601-01-01, where FILETIMEs begin: 6,653 days.
const UUID_EPOCH_GAP: u64 = 5_748_192_000_000_000;

/// True if the bytes begin like a link.
pub fn recognise(head: &[u8]) -> bool {
    head.starts_with(&SIGNATURE)
}

/// The header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Flags, as stored.
    pub flags: u32,
    /// The target's file attributes, as stored.
    pub attributes: u32,
    /// Names of the attributes that the format knows, in lower case: `readonly`, `directory` …
    pub attribute_names: Vec<String>,
    /// When the target was created, as the link's writer saw it. 100 ns, UTC.
    pub created: Option<Timestamp>,
    /// When the target was last read.
    pub accessed: Option<Timestamp>,
    /// When the target was last written.
    pub modified: Option<Timestamp>,
    /// The target's size in bytes, low 32 bits.
    pub file_size: u32,
    /// Index into the icon file.
    pub icon_index: i32,
    /// 1 normal, 3 maximized, 7 minimized; anything else is treated as normal by Windows.
    pub show_command: u32,
    /// Key in the low byte, modifiers in the high one; 0 for none.
    pub hot_key: u16,
}

impl Header {
    /// True if all bits of `mask` are set in the flags.
    const fn has(&self, mask: LinkFlags) -> bool {
        self.flags & mask.bits() == mask.bits()
    }

    /// How the target's window opens.
    pub fn show_command_name(&self) -> String {
        match self.show_command {
            1 => "normal".to_owned(),
            3 => "maximized".to_owned(),
            7 => "minimized".to_owned(),
            other => other.to_string(),
        }
    }

    /// `Ctrl+Alt+K`; absent if there is no key. A key that the format does not name is given by its number.
    pub fn hot_key_name(&self) -> Option<String> {
        let [key, modifiers] = self.hot_key.to_le_bytes();
        if self.hot_key == 0 {
            return None;
        }
        let mut name = String::new();
        for (bit, modifier) in [(2, "Ctrl+"), (4, "Alt+"), (1, "Shift+")] {
            if modifiers & bit != 0 {
                name.push_str(modifier);
            }
        }
        // Writing to a String can't fail.
        let _ = match key {
            b'0'..=b'9' | b'A'..=b'Z' => write!(name, "{}", char::from(key)),
            0x70..=0x87 => write!(name, "F{}", key.saturating_sub(0x6f)),
            0x90 => write!(name, "NumLock"),
            0x91 => write!(name, "ScrollLock"),
            other => write!(name, "{other:#04x}"),
        };
        Some(name)
    }
}

/// The volume that the target lay on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeId {
    /// `GetDriveType` number: 2 removable, 3 fixed, 4 remote, 5 CD-ROM, 6 RAM disk.
    pub drive_type: u32,
    /// Serial number, low 32 bits as `vol` prints them.
    pub serial: u32,
    /// Label.
    pub label: Option<String>,
}

impl VolumeId {
    /// The drive type in words, or its number where there is no word.
    pub fn drive_type_name(&self) -> String {
        match self.drive_type {
            0 => "unknown",
            1 => "no root directory",
            2 => "removable",
            3 => "fixed",
            4 => "remote",
            5 => "cd-rom",
            6 => "ram disk",
            other => return other.to_string(),
        }
        .to_owned()
    }
}

/// The share that the target lay on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkLink {
    /// `\\server\share`.
    pub share: Option<String>,
    /// Drive letter that the share was mapped to, `Z:`.
    pub device: Option<String>,
    /// Network provider, `WNNC_NET_*`.
    pub provider: Option<u32>,
}

/// Where the target lay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkInfo {
    /// The volume.
    pub volume: Option<VolumeId>,
    /// Local path without the common suffix, UTF-16 form if there is one.
    pub local_base_path: Option<String>,
    /// The share.
    pub network: Option<NetworkLink>,
    /// What follows the local path or the share.
    pub common_suffix: Option<String>,
}

impl LinkInfo {
    /// Full local path.
    pub fn local_path(&self) -> Option<String> {
        self.local_base_path.as_deref().map(|base| join(base, self.common_suffix.as_deref(), false))
    }

    /// Full path on the share.
    pub fn network_path(&self) -> Option<String> {
        let share = self.network.as_ref()?.share.as_deref()?;
        Some(join(share, self.common_suffix.as_deref(), true))
    }
}

fn join(base: &str, suffix: Option<&str>, separate: bool) -> String {
    match suffix {
        Some(suffix) if !suffix.is_empty() => {
            let gap = if separate && !base.ends_with('\\') && !suffix.starts_with('\\') { "\\" } else { "" };
            format!("{base}{gap}{suffix}")
        }
        _ => base.to_owned(),
    }
}

/// A UUID with what version 1 tells of its making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Droid {
    /// The identifier, lower case.
    pub id: String,
    /// When it was made, if it is of version 1. 100 ns, UTC, the clock of the machine that made it.
    pub made: Option<Timestamp>,
    /// Node of a version 1 UUID: the MAC address of a network card, or random if the lowest bit of the first byte is set.
    pub mac: Option<String>,
    /// Clock sequence of a version 1 UUID.
    pub sequence: Option<u16>,
}

impl Droid {
    /// From 16 bytes as Windows stores a GUID. `None` for the empty one.
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        if bytes == [0; 16] {
            return None;
        }
        let id = text::guid(&bytes);
        let [a, b, c, d, e, f, g, h, i, j, node @ ..] = bytes;
        if h >> 4 != 1 || i >> 6 != 0b10 {
            return Some(Self { id, made: None, mac: None, sequence: None });
        }
        let ticks = u64::from_le_bytes([a, b, c, d, e, f, g, h & 0x0f]);
        let mut mac = String::new();
        for (at, byte) in node.iter().enumerate() {
            let gap = if at == 0 { "" } else { ":" };
            // Writing to a String can't fail.
            let _ = write!(mac, "{gap}{byte:02x}");
        }
        Some(Self {
            id,
            made: ticks.checked_sub(UUID_EPOCH_GAP).map(Timestamp::from_filetime),
            mac: Some(mac),
            sequence: Some(u16::from_be_bytes([i & 0x3f, j])),
        })
    }
}

/// The distributed link tracker's block: on which machine and volume the target lay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracker {
    /// NetBIOS name of the machine.
    pub machine_id: Option<String>,
    /// The volume's object identifier when the link was last resolved.
    pub droid_volume: Option<Droid>,
    /// The file's object identifier.
    pub droid_file: Option<Droid>,
    /// The volume's object identifier when the file's was made.
    pub birth_droid_volume: Option<Droid>,
    /// The file's object identifier when it was made.
    pub birth_droid_file: Option<Droid>,
}

/// Settings of a console window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// Text and background colour, `FillAttributes`.
    pub fill: u16,
    /// Columns and rows of the buffer.
    pub buffer: (u16, u16),
    /// Columns and rows of the window.
    pub window: (u16, u16),
    /// Place of the window on the screen.
    pub origin: (u16, u16),
    /// Name of the font.
    pub face: String,
    /// Runs in full screen.
    pub full_screen: bool,
}

/// A folder, and where its part of the item list ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRef<T> {
    /// Number (`CSIDL_*`) or known folder identifier.
    pub id: T,
    /// Offset in the item list of the first item below the folder.
    pub offset: Option<u32>,
}

/// A block that is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownBlock {
    /// Where it lies.
    pub offset: u64,
    /// Size as stored.
    pub size: u32,
    /// Signature.
    pub signature: u32,
}

/// All extra blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    /// Target path with environment variables.
    pub environment: Option<String>,
    /// Icon path with environment variables.
    pub icon_environment: Option<String>,
    /// Windows Installer descriptor: the link installs or repairs its program when it is opened.
    pub darwin: Option<String>,
    /// Compatibility layer.
    pub shim: Option<String>,
    /// Console window.
    pub console: Option<Console>,
    /// Code page of the console.
    pub console_code_page: Option<u32>,
    /// Special folder that the target lies in.
    pub special_folder: Option<FolderRef<u32>>,
    /// Known folder that the target lies in.
    pub known_folder: Option<FolderRef<String>>,
    /// Link tracker.
    pub tracker: Option<Tracker>,
    /// Properties.
    pub properties: Option<PropertyStore>,
    /// The item list that Vista and later use instead of the link's own.
    pub vista_id_list: Option<ItemList>,
    /// Blocks with a signature that the format does not name.
    pub unknown: Vec<UnknownBlock>,
}

/// What lies behind the end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailing {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// Its first 4 KiB.
    pub head: Vec<u8>,
}

/// One link.
#[derive(Clone, Debug, PartialEq)]
pub struct ShellLink {
    /// The header.
    pub header: Header,
    /// The target as a list of shell items.
    pub id_list: Option<ItemList>,
    /// The target's place.
    pub info: Option<LinkInfo>,
    /// Description.
    pub name: Option<String>,
    /// Path from the link to the target.
    pub relative_path: Option<String>,
    /// Directory that the target starts in.
    pub working_directory: Option<String>,
    /// Command line behind the target.
    pub arguments: Option<String>,
    /// File that holds the icon.
    pub icon_location: Option<String>,
    /// Extra blocks.
    pub extra: Extra,
    /// What could not be read.
    pub faults: Vec<FormatError>,
    /// Where reading lost its way, if it did: sections behind it may be missing. Extra blocks are looked for behind it.
    pub lost_at: Option<u64>,
    /// Bytes that the link takes up.
    pub len: usize,
}

impl ShellLink {
    /// What lies behind the link in a file of `file_len` bytes of which `data` is the begin. Absent where the link's own
    /// end could not be found.
    pub fn trailing(&self, data: &[u8], file_len: u64) -> Option<Trailing> {
        let offset = self.len as u64;
        let len = file_len.checked_sub(offset).filter(|len| *len > 0 && self.lost_at.is_none())?;
        let rest = data.get(self.len..).unwrap_or_default();
        Some(Trailing { offset, len, head: rest.get(..rest.len().min(TRAILING_KEPT)).unwrap_or_default().to_vec() })
    }
}

/// Reads a link that begins at the start of `data`. `base` is the offset of `data` in its stream.
///
/// # Errors
/// When the header is not that of a link. Anything else that is wrong is in [`ShellLink::faults`], beside what could be read.
pub fn read(data: &[u8], base: u64) -> Result<ShellLink, FormatError> {
    let header = read_header(data, base)?;
    let mut link = ShellLink {
        header,
        id_list: None,
        info: None,
        name: None,
        relative_path: None,
        working_directory: None,
        arguments: None,
        icon_location: None,
        extra: Extra::default(),
        faults: Vec::new(),
        lost_at: None,
        len: HEADER_LEN,
    };
    match read_sections(data, base, &mut link) {
        Ok(at) => link.len = read_extra(data, at, base, &mut link),
        Err(fault) => {
            link.lost_at = Some(fault.offset());
            link.faults.push(fault);
            // The machine, the droids and the properties stand in blocks that can be told by their head.
            if let Some(at) = find_extra(data, link.len) {
                link.len = read_extra(data, at, base, &mut link);
            }
        }
    }
    Ok(link)
}

fn short(what: &'static str, offset: u64, needed: u64, available: usize) -> FormatError {
    FormatError::Short { what, offset, needed, available: available as u64 }
}

fn read_header(data: &[u8], base: u64) -> Result<Header, FormatError> {
    const WHAT: &str = "shell link header";
    if !recognise(data) {
        let actual = data.get(..data.len().min(SIGNATURE.len())).unwrap_or_default().to_vec();
        return Err(FormatError::Signature { what: WHAT, offset: base, expected: SIGNATURE.to_vec(), actual });
    }
    let cut = || short(WHAT, base, HEADER_LEN as u64, data.len());
    let raw: [u8; HEADER_LEN] = array_at(data, 0).ok_or_else(cut)?;
    let time = |at| u64_at(&raw, at).and_then(Timestamp::from_filetime_field);
    let flags = u32_at(&raw, 20).unwrap_or(0);
    let attributes = u32_at(&raw, 24).unwrap_or(0);

    let mut harmless = raw;
    let known = [
        (20, flags & LinkFlags::all().bits()),
        (24, attributes & FileAttributeFlags::all().bits()),
        // ShowNormal: the crate knows three values only.
        (60, 1),
    ];
    for (at, value) in known {
        harmless.iter_mut().skip(at).zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
    // Times, then modifiers of the hot key and reserved fields: zero.
    for zero in [28..52, 65..76] {
        harmless.get_mut(zero).unwrap_or_default().fill(0);
    }
    let parsed = guarded(|| ShellLinkHeader::read_le(&mut io::Cursor::new(harmless)))
        .and_then(|parsed| parsed.map_err(|error| error.to_string()))
        .map_err(|problem| FormatError::Other { what: WHAT, offset: base, problem })?;
    let attribute_names = parsed
        .file_attributes()
        .iter_names()
        .map(|(name, _)| name.trim_start_matches("FILE_ATTRIBUTE_").to_ascii_lowercase())
        .collect();
    Ok(Header {
        flags,
        attributes,
        attribute_names,
        created: time(28),
        accessed: time(36),
        modified: time(44),
        file_size: *parsed.file_size(),
        icon_index: *parsed.icon_index(),
        show_command: u32_at(&raw, 60).unwrap_or(0),
        hot_key: u16_at(&raw, 64).unwrap_or(0),
    })
}

/// Reads what lies between header and extra blocks, and gives the place where these begin. Fails where the place of the
/// next section can't be told; `link.len` is then the last place that was sure.
fn read_sections(data: &[u8], base: u64, link: &mut ShellLink) -> Result<usize, FormatError> {
    if link.header.has(LinkFlags::HAS_LINK_TARGET_ID_LIST) {
        let at = link.len;
        let offset = base.saturating_add(at as u64);
        let left = data.len().saturating_sub(at);
        let size = u16_at(data, at).ok_or_else(|| short("LinkTargetIDList", offset, 2, left))?;
        let start = at.saturating_add(2);
        let end = start.saturating_add(size.into());
        let body = data.get(start..end.min(data.len())).unwrap_or_default();
        let list = shell_item::read_list(body, offset.saturating_add(2));
        link.faults.extend(list.faults.iter().cloned());
        link.id_list = Some(list);
        if end > data.len() {
            return Err(short("LinkTargetIDList", offset, u64::from(size).saturating_add(2), left));
        }
        link.len = end;
    }
    // ForceNoLinkInfo only tells Windows to ignore the section; it is there all the same.
    if link.header.has(LinkFlags::HAS_LINK_INFO) {
        let at = link.len;
        let offset = base.saturating_add(at as u64);
        let rest = data.get(at..).unwrap_or_default();
        let size = u32_at(rest, 0).ok_or_else(|| short("LinkInfo", offset, 4, rest.len()))?;
        if size < 4 {
            let problem = "LinkInfo can't be smaller than its size field";
            return Err(FormatError::Value { what: "LinkInfo", offset, value: size.into(), problem });
        }
        let size_there = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        link.info = Some(read_info(rest.get(..size_there).unwrap_or_default(), offset, &mut link.faults));
        if size_there as u64 != u64::from(size) {
            return Err(short("LinkInfo", offset, size.into(), rest.len()));
        }
        link.len = at.saturating_add(size_there);
    }
    // Windows reads 260 characters at most of name, relative path and working directory, whatever their counts say, and
    // the next text begins there. Links with such counts hide their arguments from tools that believe the count. Source:
    // LnkParse3; a link that was met in the wild in 2023 makes sense only so. The reading that leads to sound extra
    // blocks wins, this one if both do or neither does.
    let believed = read_texts(data, link.len, &link.header, usize::MAX);
    let texts = if believed.longest > SHORT_TEXT {
        let capped = read_texts(data, link.len, &link.header, SHORT_TEXT);
        link.faults.push(FormatError::Limit {
            what: "text of a shell link",
            offset: base.saturating_add(link.len as u64),
            value: believed.longest as u64,
            limit: SHORT_TEXT as u64,
        });
        if believed.fits(data) && !capped.fits(data) { believed } else { capped }
    } else {
        believed
    };
    link.len = texts.end;
    [link.name, link.relative_path, link.working_directory, link.arguments, link.icon_location] = texts.texts;
    match texts.cut {
        Some(needed) => {
            let offset = base.saturating_add(texts.end as u64);
            Err(short("text of a shell link", offset, needed, data.len().saturating_sub(texts.end)))
        }
        None => Ok(texts.end),
    }
}

/// Longest name, relative path and working directory that Windows reads, in characters.
const SHORT_TEXT: usize = 260;

/// The five texts between LinkInfo and the extra blocks.
#[derive(Default)]
struct Texts {
    texts: [Option<String>; 5],
    /// Place behind the last whole text.
    end: usize,
    /// Bytes that the text at `end` should have, if it is cut.
    cut: Option<u64>,
    /// Highest count of the first three.
    longest: usize,
}

impl Texts {
    /// True if what follows looks like extra blocks, or the end.
    fn fits(&self, data: &[u8]) -> bool {
        let rest = data.get(self.end..).unwrap_or_default();
        let size = u32_at(rest, 0).unwrap_or(0);
        self.cut.is_none() && (size < 4 || u32_at(rest, 4).is_some_and(|signature| signature >> 8 == 0x00a0_0000))
    }
}

fn read_texts(data: &[u8], start: usize, header: &Header, limit: usize) -> Texts {
    let wide = header.has(LinkFlags::IS_UNICODE);
    let flags = [
        LinkFlags::HAS_NAME,
        LinkFlags::HAS_RELATIVE_PATH,
        LinkFlags::HAS_WORKING_DIR,
        LinkFlags::HAS_ARGUMENTS,
        LinkFlags::HAS_ICON_LOCATION,
    ];
    let mut found = Texts { end: start, ..Texts::default() };
    for (at, (flag, text)) in flags.into_iter().zip(found.texts.iter_mut()).enumerate() {
        if !header.has(flag) {
            continue;
        }
        let rest = data.get(found.end..).unwrap_or_default();
        let short = at < 3;
        if short {
            found.longest = found.longest.max(u16_at(rest, 0).unwrap_or(0).into());
        }
        // What is there of a cut text is evidence too.
        let (read, needed) = read_string(rest, wide, if short { limit } else { usize::MAX });
        *text = read;
        if needed > rest.len() {
            found.cut = Some(needed as u64);
            break;
        }
        found.end = found.end.saturating_add(needed);
    }
    found
}

/// A counted text as far as it is there, and the bytes that it should take up. An empty one is no text.
fn read_string(data: &[u8], wide: bool, limit: usize) -> (Option<String>, usize) {
    let Some(count) = u16_at(data, 0) else { return (None, 2) };
    let bytes = usize::from(count).min(limit).saturating_mul(if wide { 2 } else { 1 });
    let body = data.get(2..).unwrap_or_default();
    let body = body.get(..bytes.min(body.len())).unwrap_or_default();
    let mut found = if wide { text::from_utf16le(body) } else { text::from_ansi(body) };
    // The text needs no NUL, but some writers count one. A NUL inside stays: something may be hidden behind it.
    found.truncate(found.trim_end_matches('\0').len());
    (Some(found).filter(|t| !t.is_empty()), bytes.saturating_add(2))
}

/// `info` is the section from its size field on.
fn read_info(info: &[u8], offset: u64, faults: &mut Vec<FormatError>) -> LinkInfo {
    let mut found = LinkInfo::default();
    let (Some(header_len), Some(flags)) = (u32_at(info, 4), u32_at(info, 8)) else {
        faults.push(short("LinkInfo", offset, 28, info.len()));
        return found;
    };
    if header_len < 0x1c {
        let problem = "LinkInfo's head can't be smaller than 28 bytes";
        let offset = offset.saturating_add(4);
        faults.push(FormatError::Value { what: "LinkInfo", offset, value: header_len.into(), problem });
    }
    let wide_header = header_len >= 0x24;
    let mut field = |what: &'static str, at: usize| -> Option<&[u8]> {
        let place = u32_at(info, at).filter(|place| *place != 0)?;
        let part = usize::try_from(place).ok().and_then(|p| info.get(p..)).filter(|part| !part.is_empty());
        if part.is_none() {
            let problem = "the offset lies outside the section";
            let offset = offset.saturating_add(at as u64);
            faults.push(FormatError::Value { what, offset, value: place.into(), problem });
        }
        part
    };
    if flags & 1 != 0 {
        found.volume = field("VolumeID", 12).map(read_volume);
        let wide = if wide_header { field("local path (UTF-16)", 28) } else { None };
        found.local_base_path = wide.and_then(wide_text).or_else(|| field("local path", 16).and_then(ansi_text));
    }
    if flags & 2 != 0 {
        found.network = field("network link", 20).map(read_network);
    }
    let wide = if wide_header { field("common path suffix (UTF-16)", 32) } else { None };
    found.common_suffix = wide.and_then(wide_text).or_else(|| field("common path suffix", 24).and_then(ansi_text));
    found
}

fn wide_text(data: &[u8]) -> Option<String> {
    Some(text::from_utf16le_until_nul(data)).filter(|t| !t.is_empty())
}

fn ansi_text(data: &[u8]) -> Option<String> {
    Some(text::from_ansi_until_nul(data)).filter(|t| !t.is_empty())
}

/// The text at an offset which stands at `at`.
fn text_at(data: &[u8], at: usize, read: fn(&[u8]) -> Option<String>) -> Option<String> {
    let place = u32_at(data, at).filter(|place| *place != 0)?;
    read(data.get(usize::try_from(place).ok()?..)?)
}

/// Size (4), drive type (4), serial (4), offset of the label (4): 0x14 if a UTF-16 label's offset follows.
fn read_volume(rest: &[u8]) -> VolumeId {
    let data = sized(rest);
    let wide = u32_at(data, 12) == Some(0x14);
    VolumeId {
        drive_type: u32_at(data, 4).unwrap_or(0),
        serial: u32_at(data, 8).unwrap_or(0),
        label: if wide { text_at(data, 16, wide_text) } else { text_at(data, 12, ansi_text) },
    }
}

/// Size (4), flags (4: 1 device, 2 provider), offsets of share and device name (4, 4), provider (4); if the share's
/// offset is above 0x14, offsets of both names in UTF-16 (4, 4).
fn read_network(rest: &[u8]) -> NetworkLink {
    let data = sized(rest);
    let flags = u32_at(data, 4).unwrap_or(0);
    let wide = u32_at(data, 8).is_some_and(|at| at > 0x14);
    let name = |wide_at, at| {
        let found = if wide { text_at(data, wide_at, wide_text) } else { None };
        found.or_else(|| text_at(data, at, ansi_text))
    };
    NetworkLink {
        share: name(20, 8),
        device: if flags & 1 != 0 { name(24, 12) } else { None },
        provider: u32_at(data, 16).filter(|_| flags & 2 != 0),
    }
}

/// The part that a size field at its start takes up; all that is there if that is less.
fn sized(rest: &[u8]) -> &[u8] {
    let size = u32_at(rest, 0).and_then(|size| usize::try_from(size).ok()).unwrap_or(rest.len());
    rest.get(..size.min(rest.len())).unwrap_or_default()
}

/// Reads blocks from `at` on and gives the place behind the last one.
fn read_extra(data: &[u8], mut at: usize, base: u64, link: &mut ShellLink) -> usize {
    // Every round takes at least four bytes.
    loop {
        let rest = data.get(at..).unwrap_or_default();
        let offset = base.saturating_add(at as u64);
        let Some(size) = u32_at(rest, 0) else {
            // Very old links end without the ending block.
            if !rest.is_empty() {
                link.faults.push(short("extra block", offset, 4, rest.len()));
                link.lost_at.get_or_insert(offset);
            }
            return at.saturating_add(rest.len());
        };
        if size < 4 {
            return at.saturating_add(4);
        }
        let there = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        let block = rest.get(..there).unwrap_or_default();
        let cut = there as u64 != u64::from(size);
        if cut || size < 8 {
            link.faults.push(short("extra block", offset, u64::from(size).max(8), there));
            link.lost_at.get_or_insert(offset);
        }
        read_block(block, size, offset, link);
        at = at.saturating_add(there);
        if cut {
            return at;
        }
    }
}

fn read_block(block: &[u8], size: u32, offset: u64, link: &mut ShellLink) {
    let Some(signature) = u32_at(block, 4) else { return };
    let extra = &mut link.extra;
    let body = block.get(8..).unwrap_or_default();
    let body_offset = offset.saturating_add(8);
    match signature {
        0xa000_0001 => extra.environment = two_forms(body),
        0xa000_0002 => extra.console = Some(read_console(body)),
        0xa000_0003 => extra.tracker = Some(read_tracker(body)),
        0xa000_0004 => extra.console_code_page = u32_at(body, 0),
        0xa000_0005 => {
            extra.special_folder = u32_at(body, 0).map(|id| FolderRef { id, offset: u32_at(body, 4) });
        }
        0xa000_0006 => extra.darwin = two_forms(body),
        0xa000_0007 => extra.icon_environment = two_forms(body),
        0xa000_0008 => extra.shim = wide_text(body),
        0xa000_0009 => {
            let store = property_store::read(body, body_offset);
            link.faults.extend(store.faults.iter().cloned());
            extra.properties = Some(store);
        }
        0xa000_000b => {
            extra.known_folder =
                array_at(body, 0).map(|id| FolderRef { id: text::guid(&id), offset: u32_at(body, 16) });
        }
        0xa000_000c => {
            let list = shell_item::read_list(body, body_offset);
            link.faults.extend(list.faults.iter().cloned());
            extra.vista_id_list = Some(list);
        }
        _ => extra.unknown.push(UnknownBlock { offset, size, signature }),
    }
}

/// A text in 260 ANSI bytes, then the same in 520 bytes of UTF-16.
fn two_forms(body: &[u8]) -> Option<String> {
    let wide = body.get(260..).and_then(|b| b.get(..b.len().min(520))).and_then(wide_text);
    wide.or_else(|| ansi_text(body.get(..body.len().min(260)).unwrap_or_default()))
}

fn read_console(body: &[u8]) -> Console {
    let word = |at| u16_at(body, at).unwrap_or(0);
    let face = body.get(36..).and_then(|b| b.get(..b.len().min(64))).unwrap_or_default();
    Console {
        fill: word(0),
        buffer: (word(4), word(6)),
        window: (word(8), word(10)),
        origin: (word(12), word(14)),
        face: text::from_utf16le_until_nul(face),
        full_screen: u32_at(body, 104).is_some_and(|v| v != 0),
    }
}

/// Length (4), version (4), machine (16), volume and file droid (32), both at birth (32).
fn read_tracker(body: &[u8]) -> Tracker {
    let droid = |at| array_at(body, at).and_then(Droid::new);
    let machine = body.get(8..).and_then(|b| b.get(..b.len().min(16))).unwrap_or_default();
    Tracker {
        machine_id: ansi_text(machine),
        droid_volume: droid(24),
        droid_file: droid(40),
        birth_droid_volume: droid(56),
        birth_droid_file: droid(72),
    }
}

/// The first place from `from` on that looks like the head of a block whose size the format fixes, or of a property store.
fn find_extra(data: &[u8], from: usize) -> Option<usize> {
    let rest = data.get(from..)?;
    let at = rest.windows(12).position(|head| {
        let (size, signature) = (u32_at(head, 0).unwrap_or(0), u32_at(head, 4).unwrap_or(0));
        match signature {
            0xa000_0001 | 0xa000_0006 | 0xa000_0007 => size == 0x314,
            0xa000_0002 => size == 0xcc,
            0xa000_0003 => size == 0x60,
            0xa000_0004 => size == 0x0c,
            0xa000_0005 => size == 0x10,
            0xa000_000b => size == 0x1c,
            0xa000_0009 => (0x0c..0x0100_0000).contains(&size),
            _ => false,
        }
    })?;
    Some(from.saturating_add(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u32) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend(flags.to_le_bytes());
        out.extend(0x0010_0021u32.to_le_bytes());
        for ticks in [129_782_124_559_329_556u64, 0, 129_782_124_559_329_557] {
            out.extend(ticks.to_le_bytes());
        }
        out.extend(4711u32.to_le_bytes());
        out.extend((-5i32).to_le_bytes());
        out.extend(7u32.to_le_bytes());
        out.extend([b'K', 6]);
        out.resize(HEADER_LEN, 0);
        out
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn string(text: &str) -> Vec<u8> {
        let mut out = (text.encode_utf16().count() as u16).to_le_bytes().to_vec();
        out.extend(wide(text));
        out
    }

    fn block(signature: u32, body: &[u8]) -> Vec<u8> {
        let mut out = (body.len() as u32 + 8).to_le_bytes().to_vec();
        out.extend(signature.to_le_bytes());
        out.extend(body);
        out
    }

    /// 535e8e00-e75a-11ea-9234-000c29abcdef, made with Python's `uuid` for 2020-08-26T05:09:32Z, clock sequence 0x1234.
    const DROID: [u8; 16] =
        [0x00, 0x8e, 0x5e, 0x53, 0x5a, 0xe7, 0xea, 0x11, 0x92, 0x34, 0x00, 0x0c, 0x29, 0xab, 0xcd, 0xef];

    fn tracker() -> Vec<u8> {
        let mut body = 0x58u32.to_le_bytes().to_vec();
        body.extend([0; 4]);
        body.extend(b"desktop-ripclip\0");
        body.extend([9; 16]);
        body.extend(DROID);
        body.extend([0; 16]);
        body.extend(DROID);
        block(0xa000_0003, &body)
    }

    /// VolumeID with a label, local path and suffix, in ANSI.
    fn info() -> Vec<u8> {
        let mut volume = vec![0; 16];
        volume[4] = 3;
        volume[8..12].copy_from_slice(&0xa1b2_c3d4u32.to_le_bytes());
        volume[12] = 16;
        volume.extend(b"SYSTEM\0");
        volume[0] = volume.len() as u8;
        let mut out = vec![0; 28];
        out[4] = 28;
        out[8] = 1;
        out[12] = 28;
        out.extend(&volume);
        out[16] = out.len() as u8;
        out.extend(b"C:\\Temp\\\0");
        out[24] = out.len() as u8;
        out.extend(b"a.exe\0");
        out[0] = out.len() as u8;
        out
    }

    const UNICODE: u32 = 0x80;

    fn whole() -> Vec<u8> {
        let mut out = header(0x02 | 0x10 | 0x20 | UNICODE);
        out.extend(info());
        out.extend(string(r"C:\Temp"));
        out.extend(string("/c start"));
        out.extend(tracker());
        out.extend([0; 4]);
        out
    }

    #[test]
    fn every_part_of_a_whole_link() {
        let bytes = whole();
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.faults, []);
        assert_eq!((link.len, link.lost_at), (bytes.len(), None));
        let h = &link.header;
        assert_eq!(h.created.unwrap().to_string(), "2012-04-06T19:00:55.9329556Z");
        assert_eq!(h.modified.unwrap().to_string(), "2012-04-06T19:00:55.9329557Z", "100 ns, not microseconds");
        assert_eq!(h.accessed, None);
        assert_eq!((h.file_size, h.icon_index), (4711, -5));
        assert_eq!(h.attributes, 0x0010_0021, "bits that the crate does not know are kept");
        assert_eq!(h.attribute_names, ["readonly", "archive"]);
        assert_eq!(h.hot_key_name().as_deref(), Some("Ctrl+Alt+K"));
        assert_eq!(h.show_command_name(), "minimized");
        let info = link.info.as_ref().unwrap();
        assert_eq!(info.local_path().as_deref(), Some(r"C:\Temp\a.exe"));
        let volume = info.volume.as_ref().unwrap();
        assert_eq!((volume.drive_type_name().as_str(), volume.serial), ("fixed", 0xa1b2_c3d4));
        assert_eq!(volume.label.as_deref(), Some("SYSTEM"));
        assert_eq!(link.working_directory.as_deref(), Some(r"C:\Temp"));
        assert_eq!(link.arguments.as_deref(), Some("/c start"));
        let tracker = link.extra.tracker.as_ref().unwrap();
        assert_eq!(tracker.machine_id.as_deref(), Some("desktop-ripclip"));
        let droid = tracker.droid_file.as_ref().unwrap();
        assert_eq!(droid.made.unwrap().to_string(), "2020-08-26T05:09:32.0000000Z");
        assert_eq!((droid.mac.as_deref(), droid.sequence), (Some("00:0c:29:ab:cd:ef"), Some(0x1234)));
        assert_eq!(tracker.droid_volume.as_ref().unwrap().made, None, "not of version 1");
        assert_eq!(tracker.birth_droid_volume, None);
        assert_eq!(link.trailing(&bytes, bytes.len() as u64), None);
    }

    #[test]
    fn what_lies_behind_the_end_is_kept() {
        let mut bytes = whole();
        let end = bytes.len() as u64;
        bytes.extend(b"' harmless text");
        bytes.resize(bytes.len() + 10_000, b'x');
        let link = read(&bytes, 0).unwrap();
        let trailing = link.trailing(&bytes, bytes.len() as u64 + 7).unwrap();
        assert_eq!((trailing.offset, trailing.len), (end, 10_022));
        assert_eq!(trailing.head.len(), 4096);
        assert!(trailing.head.starts_with(b"' harmless"));
    }

    /// The crate refuses a link for any of these; Windows does not.
    #[test]
    fn odd_headers_are_read() {
        let mut bytes = header(UNICODE | 0x8000_0000);
        bytes[60] = 2;
        bytes[65] = 0xff;
        bytes[66..].fill(0xee);
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.header.flags, 0x8000_0080);
        assert_eq!(link.header.show_command_name(), "2");
        assert_eq!(link.faults, []);
        assert!(matches!(read(b"MZ", 0), Err(FormatError::Signature { .. })));
        assert!(matches!(read(&bytes[..70], 5), Err(FormatError::Short { offset: 5, .. })));
    }

    /// A LinkInfo that is zeros behind its size says that it is damaged.
    #[test]
    fn a_link_info_without_a_head_is_told() {
        let mut bytes = header(0x02 | UNICODE);
        bytes.extend(0x20u32.to_le_bytes());
        bytes.extend([0; 0x1c]);
        bytes.extend([0; 4]);
        let faults: Vec<_> = read(&bytes, 0).unwrap().faults.iter().map(FormatError::offset).collect();
        assert_eq!(faults, [80]);
    }

    /// Texts of 32,768 characters and more: the crate's count of bytes overflows.
    #[test]
    fn long_arguments_are_read_whole() {
        let mut bytes = header(0x20 | UNICODE);
        let arguments = format!("{}-enc AAAA", " ".repeat(40_000));
        bytes.extend(string(&arguments));
        bytes.extend([0; 4]);
        assert_eq!(read(&bytes, 0).unwrap().arguments.unwrap(), arguments);
    }

    /// Padding hides the arguments from whoever believes the working directory's count. As in a link of LnkParse3's tests,
    /// which liblnk refuses.
    #[test]
    fn arguments_behind_an_overlong_working_directory() {
        let mut bytes = header(0x10 | 0x20 | UNICODE);
        let mut directory = string(&format!("C:\\{}", " ".repeat(257)));
        directory[..2].copy_from_slice(&1693u16.to_le_bytes());
        bytes.extend(directory);
        bytes.extend(string("/c hidden"));
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.arguments.as_deref(), Some("/c hidden"));
        assert_eq!((link.lost_at, link.len), (None, bytes.len()));
        assert!(matches!(link.faults[..], [FormatError::Limit { value: 1693, .. }]));

        // A text that really is that long, in a link that is sound only so.
        let mut bytes = header(0x08 | 0x20 | UNICODE);
        let long = "..\\".repeat(110);
        bytes.extend(string(&long));
        bytes.extend(string("-x"));
        bytes.extend(tracker());
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.relative_path, Some(long));
        assert_eq!(link.arguments.as_deref(), Some("-x"));
        assert_eq!(link.lost_at, None);
    }

    #[test]
    fn a_lone_surrogate_and_a_hidden_tail_are_kept() {
        let mut bytes = header(0x04 | 0x20 | UNICODE);
        bytes.extend([2, 0, 0x41, 0, 0x3d, 0xd8]);
        bytes.extend(string("a\0hidden"));
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(text::to_utf16(&link.name.unwrap()), [0x41, 0xd83d]);
        assert_eq!(link.arguments.as_deref(), Some("a\0hidden"));
    }

    #[test]
    fn ansi_texts() {
        let mut bytes = header(0x04);
        bytes.extend([3, 0, b'a', 0xe9, b'b', 0, 0, 0, 0]);
        assert_eq!(read(&bytes, 0).unwrap().name.as_deref(), Some("aéb"));
    }

    #[test]
    fn unicode_paths_labels_and_shares() {
        let mut info = vec![0; 0x24];
        info[4] = 0x24;
        info[8] = 3;
        info[12] = info.len() as u8;
        let mut volume = vec![0; 20];
        volume[4] = 2;
        volume[12] = 0x14;
        volume[16] = 20;
        volume.extend(wide("Übung\0"));
        volume[0] = volume.len() as u8;
        info.extend(volume);
        info[28] = info.len() as u8;
        info.extend(wide("E:\\Ünder\\\0"));
        info[20] = info.len() as u8;
        let mut network = vec![0; 28];
        network[4] = 3;
        network[16..20].copy_from_slice(&0x0002_0000u32.to_le_bytes());
        network[8] = 28;
        network.extend(b"\\\\srv\\d\0");
        network[12] = network.len() as u8;
        network.extend(b"Z:\0");
        network[20] = network.len() as u8;
        network.extend(wide("\\\\srv\\dö\0"));
        network[24] = network.len() as u8;
        network.extend(wide("Z:\0"));
        network[0] = network.len() as u8;
        info.extend(network);
        info[32] = info.len() as u8;
        info.extend(wide("x.txt\0"));
        info[0] = info.len() as u8;
        let mut bytes = header(2 | UNICODE);
        bytes.extend(info);
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.faults, []);
        let info = link.info.unwrap();
        assert_eq!(info.volume.as_ref().unwrap().label.as_deref(), Some("Übung"));
        assert_eq!(info.local_path().as_deref(), Some(r"E:\Ünder\x.txt"));
        assert_eq!(info.network_path().as_deref(), Some(r"\\srv\dö\x.txt"));
        let network = info.network.unwrap();
        assert_eq!((network.device.as_deref(), network.provider), (Some("Z:"), Some(0x2_0000)));
    }

    #[test]
    fn extra_blocks() {
        let mut bytes = header(UNICODE);
        let mut two = vec![0; 780];
        two[..8].copy_from_slice(b"%TEMP%\\a");
        let unicode = wide("%TEMP%\\ä\0");
        two[260..260 + unicode.len()].copy_from_slice(&unicode);
        bytes.extend(block(0xa000_0001, &two));
        bytes.extend(block(0xa000_0004, &932u32.to_le_bytes()));
        bytes.extend(block(0xa000_0005, &[36, 0, 0, 0, 0x9a, 0, 0, 0]));
        bytes.extend(block(0xa000_0008, &wide("WIN98\0")));
        bytes.extend(block(0xa000_000b, &[[0x11; 16].as_slice(), &[7, 0, 0, 0]].concat()));
        bytes.extend(block(0xa000_000c, &vec![0; 70_000]));
        bytes.extend(block(0xa000_00ff, &[1, 2, 3]));
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.faults, []);
        let extra = link.extra;
        assert_eq!(extra.environment.as_deref(), Some("%TEMP%\\ä"));
        assert_eq!(extra.console_code_page, Some(932));
        assert_eq!(extra.special_folder, Some(FolderRef { id: 36, offset: Some(0x9a) }));
        assert_eq!(extra.shim.as_deref(), Some("WIN98"));
        assert_eq!(extra.known_folder.unwrap().id, "11111111-1111-1111-1111-111111111111");
        assert_eq!(extra.vista_id_list.unwrap().items, [], "a block that makes the crate panic");
        assert_eq!(extra.unknown.len(), 1);
        assert_eq!((extra.unknown[0].signature, extra.unknown[0].size), (0xa000_00ff, 11));
    }

    /// One bad section does not lose the rest.
    #[test]
    fn the_tracker_survives_a_bad_section() {
        let mut bytes = header(0x02 | 0x10 | UNICODE);
        let mut bad = info();
        bad[1] = 0x7f;
        bytes.extend(bad);
        bytes.extend(string("C:\\"));
        bytes.extend(tracker());
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.lost_at, Some(HEADER_LEN as u64));
        assert_eq!(link.info.unwrap().local_path().as_deref(), Some(r"C:\Temp\a.exe"));
        assert_eq!(link.extra.tracker.unwrap().machine_id.as_deref(), Some("desktop-ripclip"));

        // An offset outside the section: the section's other fields stay, the sections behind it too.
        let mut bytes = header(0x02 | 0x10 | UNICODE);
        let mut bad = info();
        bad[16] = 0xff;
        bytes.extend(bad);
        bytes.extend(string("C:\\"));
        bytes.extend([0; 4]);
        let link = read(&bytes, 0).unwrap();
        assert_eq!((link.faults.len(), link.lost_at), (1, None));
        assert_eq!(link.info.unwrap().volume.unwrap().serial, 0xa1b2_c3d4);
        assert_eq!(link.working_directory.as_deref(), Some("C:\\"));
    }

    #[test]
    fn a_cut_text_is_kept_as_far_as_it_is_there() {
        let mut bytes = header(0x20 | UNICODE);
        bytes.extend(string("powershell -nop"));
        bytes.truncate(bytes.len() - 8);
        let link = read(&bytes, 0).unwrap();
        assert_eq!(link.arguments.as_deref(), Some("powershell "));
        assert!(link.lost_at.is_some());
    }

    /// Where the crate can read a section, it reads the same.
    #[test]
    fn the_crate_agrees() {
        let mut bytes = whole();
        // The crate refuses the whole link for this attribute (a cloud file that is not pinned).
        bytes[26] = 0;
        let ours = read(&bytes, 0).unwrap();
        let mut cursor = io::Cursor::new(&bytes);
        let theirs = ShellLinkHeader::read_le(&mut cursor).unwrap();
        assert_eq!(*theirs.file_size(), ours.header.file_size);
        let mut cursor = io::Cursor::new(&bytes[HEADER_LEN..]);
        let info = lnk::LinkInfo::read_le_args(&mut cursor, (lnk::encoding::WINDOWS_1252,)).unwrap();
        let ours_info = ours.info.as_ref().unwrap();
        assert_eq!(info.local_base_path(), ours_info.local_base_path.as_deref());
        assert_eq!(info.volume_id().as_ref().unwrap().volume_label(), "SYSTEM");
    }

    #[test]
    fn damage_does_no_harm() {
        let mut good = whole();
        let store = [&[0x19, 0, 0, 0][..], b"1SPS", &[7; 16], &[0; 5]].concat();
        good.truncate(good.len() - 4);
        good.extend(block(0xa000_0009, &store));
        good.extend([0; 4]);
        assert_eq!(read(&good, 0).unwrap().extra.properties.unwrap().properties, []);
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        for round in 0..6000 {
            let mut bytes = good.clone();
            for _ in 0..1 + round % 4 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // The first 20 bytes decide whether it is a link at all.
                let at = 20 + (seed >> 33) as usize % (bytes.len() - 20);
                bytes[at] = (seed >> 20) as u8;
            }
            if seed & 3 == 0 {
                bytes.truncate((seed >> 40) as usize % bytes.len());
            }
            if let Ok(link) = read(&bytes, u64::MAX - 10) {
                assert!(link.len <= bytes.len() + 4);
                let _ = (link.trailing(&bytes, bytes.len() as u64), link.header.hot_key_name());
            }
        }
    }
}
