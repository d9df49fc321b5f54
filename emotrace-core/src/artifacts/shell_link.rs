//! What a shell link says, as events. Not an artifact by itself: link files and jump lists both hold links.

use crate::bytes::FormatError;
use crate::formats::lnk::{Droid, ShellLink, Trailing};
use crate::formats::property_store::Property;
use crate::formats::shell_item::{self, ItemList};
use crate::formats::shell_names;
use crate::model::{Descriptor, Field, Kind, Loss, Meaning, Value};

use super::{Completion, Out, Record};

/// Where the specification and its reading are.
pub(super) const REFERENCES: &[&str] = &[
    "Microsoft, MS-SHLLINK: Shell Link (.LNK) Binary File Format",
    "Microsoft, MS-PROPSTORE: Property Store Binary File Format",
    "Microsoft, MS-DLTW: Distributed Link Tracking, Workstation Protocol",
    "J. Metz, Windows Shell Item format specification, https://github.com/libyal/libfwsi",
];

/// A link with the times of its target.
pub(super) static LINK: Descriptor = Descriptor {
    name: "windows:lnk:link",
    doc: "A shell link, at each time that it stores of its target: when the target was created, last written and last \
          read, as Windows saw it when the link was last updated.",
    message: "Link[ to {target_path}][ with arguments {arguments}][, target on {machine_id}][ (drive {drive_serial} \
              {volume_label})][, {trailing_length} bytes behind its end]",
    data_type: Some("windows:lnk:link"),
    fields: &[
        Field::new("target_path", Kind::Text, "Path of the target, from the first of the sources that gives one"),
        Field::new(
            "target_source",
            Kind::Text,
            "Where target_path comes from: linkinfo, network, id_list, environment or relative",
        ),
        Field::new("arguments", Kind::Text, "Command line arguments; a NUL inside is kept"),
        Field::new("working_directory", Kind::Text, "Directory that the target starts in"),
        Field::new("relative_path", Kind::Text, "Path of the target, seen from the link"),
        Field::new("description", Kind::Text, "Description (NAME_STRING)"),
        Field::new("icon_location", Kind::Text, "File that holds the icon"),
        Field::new("icon_index", Kind::Number, "Index of the icon in its file, where it is not 0"),
        Field::new("local_path", Kind::Text, "Path on the local volume (LinkInfo)"),
        Field::new("network_path", Kind::Text, "Path on a share (LinkInfo)"),
        Field::new("network_device", Kind::Text, "Drive letter that the share was mapped to"),
        Field::new("network_provider", Kind::Text, "Network provider, WNNC_NET_*, 8 hex digits"),
        Field::new("environment_path", Kind::Text, "Target path with environment variables"),
        Field::new("icon_environment_path", Kind::Text, "Icon path with environment variables"),
        Field::new("id_list_path", Kind::Text, "Path that the list of shell items spells"),
        Field::new(
            "id_list",
            Kind::List,
            "The shell items: kind, name, short name, size, FAT times (no zone is stored; Windows writes UTC), MFT \
             reference, identifiers, properties",
        ),
        Field::new("vista_id_list", Kind::List, "A second list of shell items, as Vista and later write"),
        Field::new("file_size", Kind::Number, "Size of the target in bytes, low 32 bits"),
        Field::new("attributes", Kind::List, "Attributes of the target by name"),
        Field::new("attribute_bits", Kind::Text, "Attributes of the target as stored, 8 hex digits"),
        Field::new("drive_type", Kind::Text, "Kind of drive: fixed, removable, remote, cd-rom …"),
        Field::new("drive_serial", Kind::Text, "Serial number of the target's volume, 8 hex digits in upper case"),
        Field::new("volume_label", Kind::Text, "Label of the target's volume"),
        Field::new("machine_id", Kind::Text, "NetBIOS name of the machine that the target was last seen on"),
        Field::new("mac_address", Kind::Text, "Network card of that machine, from the file droid"),
        Field::new("droid_volume", Kind::Text, "Object identifier of the target's volume"),
        Field::new("droid_file", Kind::Text, "Object identifier of the target"),
        Field::new("birth_droid_volume", Kind::Text, "Object identifier of the volume at the target's birth"),
        Field::new("birth_droid_file", Kind::Text, "Object identifier of the target at its birth"),
        Field::new("known_folder", Kind::Text, "Known folder that the target lies in, by name or identifier"),
        Field::new("special_folder", Kind::Number, "Special folder that the target lies in, CSIDL number"),
        Field::new("darwin_id", Kind::Text, "Windows Installer descriptor of an advertised program"),
        Field::new("shim_layer", Kind::Text, "Compatibility layer that the target runs with"),
        Field::new("console", Kind::Map, "Console window: font, sizes in characters, place, full screen"),
        Field::new("console_code_page", Kind::Number, "Code page of the console"),
        Field::new("hot_key", Kind::Text, "Keys that open the link: Ctrl+Alt+K"),
        Field::new("show_command", Kind::Text, "How the window opens: normal, maximized or minimized"),
        Field::new("flags", Kind::Text, "Link flags as stored, 8 hex digits"),
        Field::new("properties", Kind::Map, "Properties by canonical name, or by format identifier and number"),
        Field::new("unknown_blocks", Kind::List, "Extra blocks that the format does not name: signature and size"),
        Field::new("trailing_offset", Kind::Number, "Where the bytes behind the link's end begin"),
        Field::new("trailing_length", Kind::Number, "How many bytes lie behind the link's end"),
        Field::new("trailing_text", Kind::Text, "The first 4 KiB of them, if they are text"),
        Field::new("trailing_bytes", Kind::Bytes, "The first 4 KiB of them, if they are not text"),
        Field::new("entry", Kind::Text, "In a jump list: the entry that holds this link"),
        Field::new("app_id", Kind::Text, "In a jump list: identifier of the application"),
    ],
};

/// The making of an object identifier.
pub(super) static TRACKER: Descriptor = Descriptor {
    name: "windows:lnk:tracker",
    doc: "The making of an object identifier that a link's tracker block names: its version 1 UUID holds the time and the \
          network card of the machine. The clock is that machine's, and NTFS makes identifiers in advance: the time is \
          often that of the machine's start, not that of the file.",
    message: "Object identifier {identifier} was made[ on {machine_id}][ with network card {mac_address}]\
              [, known from a link to {target_path}]",
    data_type: Some("windows:distributed_link_tracking:creation"),
    fields: &[
        Field::new("identifier", Kind::Text, "The identifier, lower case"),
        Field::new(
            "roles",
            Kind::List,
            "What it names: droid_volume, droid_file, birth_droid_volume, birth_droid_file",
        ),
        Field::new("mac_address", Kind::Text, "Node of the identifier: a network card, or random"),
        Field::new("sequence", Kind::Number, "Clock sequence"),
        Field::new(
            "machine_id",
            Kind::Text,
            "Machine that the link names; not always the one that made the identifier",
        ),
        Field::new("target_path", Kind::Text, "Target of the link"),
    ],
};

/// An item of a link's list that holds full times.
pub(super) static ITEM: Descriptor = Descriptor {
    name: "windows:lnk:item",
    doc: "A file or folder on the way to a link's target, at each time that its shell item holds with a zone and 100 ns.",
    message: "Shell item {path}",
    data_type: Some("windows:shell_item:file_entry"),
    fields: &[
        Field::new("path", Kind::Text, "Path as far as this item"),
        Field::new("item", Kind::Map, "The item: kind, name, size, FAT times, MFT reference …"),
    ],
};

/// Where a link lies, for its events.
#[derive(Default)]
pub(super) struct Place<'a> {
    /// Offset of the link in the file, where it is one.
    pub(super) offset: Option<u64>,
    /// Entry of a jump list.
    pub(super) entry: Option<&'a str>,
    /// Application of a jump list.
    pub(super) app_id: Option<&'a str>,
    /// The link lies in a stream of a compound file: offsets in it are not offsets in the file.
    pub(super) in_stream: bool,
}

impl Place<'_> {
    fn at(&self, record: Record, offset: Option<u64>) -> Record {
        match offset.filter(|_| !self.in_stream) {
            Some(offset) => record.at(offset),
            None => record,
        }
    }

    fn issue(&self, out: &mut Out<'_>, loss: Loss, fault: &FormatError) {
        let place = if self.in_stream { self.entry } else { None };
        match place {
            Some(entry) => out.issue(None, loss, format!("in {entry}: {fault}")),
            None => out.issue(Some(fault.offset()), loss, fault),
        }
    }
}

/// Path of the target and the source that gives it. The link's own order: what Windows tries first comes first.
pub(super) fn target(link: &ShellLink) -> Option<(String, &'static str)> {
    let info = link.info.as_ref();
    let lists = || [&link.id_list, &link.extra.vista_id_list].into_iter().flatten();
    info.and_then(|i| i.local_path())
        .map(|path| (path, "linkinfo"))
        .or_else(|| info.and_then(|i| i.network_path()).map(|path| (path, "network")))
        .or_else(|| lists().find_map(ItemList::file_system_path).map(|path| (path, "id_list")))
        .or_else(|| link.extra.environment.clone().map(|path| (path, "environment")))
        .or_else(|| lists().find_map(ItemList::path).map(|path| (path, "id_list")))
        .or_else(|| link.relative_path.clone().map(|path| (path, "relative")))
}

/// Gives all events of a link, and an issue for each of its faults.
pub(super) fn give(link: &ShellLink, trailing: Option<&Trailing>, place: &Place<'_>, out: &mut Out<'_>) -> Completion {
    let target = target(link);
    let target_path = target.as_ref().map(|(path, _)| path.clone());
    give_link(link, trailing, place, target, out);
    if let Some(tracker) = &link.extra.tracker {
        let droids = [
            ("droid_volume", &tracker.droid_volume),
            ("droid_file", &tracker.droid_file),
            ("birth_droid_volume", &tracker.birth_droid_volume),
            ("birth_droid_file", &tracker.birth_droid_file),
        ];
        give_droids(droids, tracker.machine_id.as_deref(), target_path.as_deref(), place, out);
    }
    for list in [&link.id_list, &link.extra.vista_id_list].into_iter().flatten() {
        give_items(list, place, out);
    }
    for fault in &link.faults {
        let loss = if link.lost_at == Some(fault.offset()) { Loss::Rest } else { Loss::Record };
        place.issue(out, loss, fault);
    }
    link.lost_at.map_or(Completion::Complete, |at| Completion::Truncated { at })
}

fn give_link(
    link: &ShellLink,
    trailing: Option<&Trailing>,
    place: &Place<'_>,
    target: Option<(String, &'static str)>,
    out: &mut Out<'_>,
) {
    let header = &link.header;
    let extra = &link.extra;
    let info = link.info.as_ref();
    let volume = info.and_then(|i| i.volume.as_ref());
    let network = info.and_then(|i| i.network.as_ref());
    let tracker = extra.tracker.as_ref();
    let droid = |of: fn(&crate::formats::lnk::Tracker) -> &Option<Droid>| tracker.and_then(|t| of(t).as_ref());
    let hex = |bits: u32| format!("{bits:08x}");
    let (target_path, target_source) = target.unzip();
    // A link without a file behind it holds zeros; a size of 0 counts only beside a time.
    let sized = header.file_size != 0 || header.modified.is_some();

    let mut record = Record::new(&LINK)
        .time(Meaning::CREATED, header.created)
        .time(Meaning::MODIFIED, header.modified)
        .time(Meaning::ACCESSED, header.accessed)
        .set_some("target_path", target_path)
        .set_some("target_source", target_source)
        .set_some("arguments", link.arguments.clone())
        .set_some("working_directory", link.working_directory.clone())
        .set_some("relative_path", link.relative_path.clone())
        .set_some("description", link.name.clone())
        .set_some("icon_location", link.icon_location.clone())
        .set_some("icon_index", (header.icon_index != 0).then_some(i64::from(header.icon_index)))
        .set_some("local_path", info.and_then(|i| i.local_path()))
        .set_some("network_path", info.and_then(|i| i.network_path()))
        .set_some("network_device", network.and_then(|n| n.device.clone()))
        .set_some("network_provider", network.and_then(|n| n.provider).map(hex))
        .set_some("environment_path", extra.environment.clone())
        .set_some("icon_environment_path", extra.icon_environment.clone())
        .set_some("id_list_path", link.id_list.as_ref().and_then(ItemList::path))
        .set_some("id_list", link.id_list.as_ref().and_then(items))
        .set_some("vista_id_list", extra.vista_id_list.as_ref().and_then(items))
        .set_some("file_size", sized.then_some(header.file_size))
        .set_some("attributes", (header.attributes != 0).then(|| header.attribute_names.clone()))
        .set_some("attribute_bits", (header.attributes != 0).then(|| hex(header.attributes)))
        .set_some("drive_type", volume.map(|v| v.drive_type_name()))
        .set_some("drive_serial", volume.filter(|v| v.serial != 0).map(|v| format!("{:08X}", v.serial)))
        .set_some("volume_label", volume.and_then(|v| v.label.clone()))
        .set_some("machine_id", tracker.and_then(|t| t.machine_id.clone()))
        .set_some("mac_address", droid(|t| &t.droid_file).and_then(|d| d.mac.clone()))
        .set_some("droid_volume", droid(|t| &t.droid_volume).map(|d| d.id.clone()))
        .set_some("droid_file", droid(|t| &t.droid_file).map(|d| d.id.clone()))
        .set_some("birth_droid_volume", droid(|t| &t.birth_droid_volume).map(|d| d.id.clone()))
        .set_some("birth_droid_file", droid(|t| &t.birth_droid_file).map(|d| d.id.clone()))
        .set_some("known_folder", extra.known_folder.as_ref().map(|f| folder_name(&f.id)))
        .set_some("special_folder", extra.special_folder.as_ref().map(|f| f.id))
        .set_some("darwin_id", extra.darwin.clone())
        .set_some("shim_layer", extra.shim.clone())
        .set_some("console", extra.console.as_ref().map(console))
        .set_some("console_code_page", extra.console_code_page)
        .set_some("hot_key", header.hot_key_name())
        .set("show_command", header.show_command_name())
        .set("flags", hex(header.flags))
        .set_some("properties", extra.properties.as_ref().and_then(|p| properties(&p.properties)))
        .set_some("unknown_blocks", unknown_blocks(link))
        .set_some("entry", place.entry)
        .set_some("app_id", place.app_id);
    if let Some(trailing) = trailing {
        record = record.set("trailing_offset", trailing.offset).set("trailing_length", trailing.len);
        record = match as_text(&trailing.head) {
            Some(text) => record.set("trailing_text", text),
            None => record.set("trailing_bytes", trailing.head.clone()),
        };
    }
    out.give(place.at(record, place.offset));
}

/// One event for each identifier that tells its time, however many roles it plays.
pub(super) fn give_droids(
    droids: [(&str, &Option<Droid>); 4],
    machine_id: Option<&str>,
    target: Option<&str>,
    place: &Place<'_>,
    out: &mut Out<'_>,
) {
    let mut done: Vec<&str> = Vec::new();
    for (_, droid) in droids {
        let Some(droid) = droid.as_ref().filter(|d| d.made.is_some() && !done.contains(&d.id.as_str())) else {
            continue;
        };
        done.push(&droid.id);
        let same = droids.iter().filter(|(_, other)| other.as_ref().is_some_and(|o| o.id == droid.id));
        let roles: Vec<String> = same.map(|(role, _)| (*role).to_owned()).collect();
        let record = Record::new(&TRACKER)
            .time(Meaning::IDENTIFIER_MADE, droid.made)
            .set("identifier", droid.id.as_str())
            .set("roles", roles)
            .set_some("mac_address", droid.mac.clone())
            .set_some("sequence", droid.sequence)
            .set_some("machine_id", machine_id)
            .set_some("target_path", target);
        out.give(place.at(record, place.offset));
    }
}

/// Items with times whose meaning is known. FAT times are no instants and stay in the item's map.
fn give_items(list: &ItemList, place: &Place<'_>, out: &mut Out<'_>) {
    for (at, item) in list.items.iter().enumerate() {
        let meanings =
            [("created", Meaning::CREATED), ("modified", Meaning::MODIFIED), ("accessed", Meaning::ACCESSED)];
        let known = |name: &str| meanings.iter().find(|(n, _)| *n == name).map(|(_, meaning)| *meaning);
        let mut record = place.at(Record::new(&ITEM), Some(item.offset));
        let mut dated = false;
        for (name, time) in &item.times {
            if let Some(meaning) = known(name) {
                record = record.time(meaning, Some(*time));
                dated = true;
            }
        }
        if dated {
            let path = list.items.get(..=at).and_then(shell_item::path);
            out.give(record.set_some("path", path).set("item", shell_item::describe(item)));
        }
        for fault in &item.faults {
            place.issue(out, Loss::Record, fault);
        }
    }
}

fn items(list: &ItemList) -> Option<Value> {
    let items: Vec<Value> = list.items.iter().map(shell_item::describe).collect();
    if items.is_empty() { None } else { Some(Value::List(items)) }
}

fn properties(properties: &[Property]) -> Option<Value> {
    let map: Vec<_> = properties.iter().map(|p| (p.name().into(), p.value.clone())).collect();
    if map.is_empty() { None } else { Some(Value::Map(map)) }
}

fn folder_name(id: &str) -> String {
    shell_names::folder(id).map_or_else(|| format!("{{{id}}}"), str::to_owned)
}

fn console(console: &crate::formats::lnk::Console) -> Value {
    let pair = |(x, y): (u16, u16)| Value::from(format!("{x}x{y}"));
    Value::Map(vec![
        ("face".into(), console.face.as_str().into()),
        ("buffer".into(), pair(console.buffer)),
        ("window".into(), pair(console.window)),
        ("origin".into(), pair(console.origin)),
        ("full_screen".into(), console.full_screen.into()),
    ])
}

fn unknown_blocks(link: &ShellLink) -> Option<Vec<String>> {
    let unknown = &link.extra.unknown;
    let blocks = unknown.iter().map(|b| format!("{:08x}, {} bytes", b.signature, b.size));
    (!unknown.is_empty()).then(|| blocks.collect())
}

/// The bytes as text, if nearly all of them are: UTF-16 if every second byte is zero as a rule, else ANSI. Padding before
/// and behind is left out.
fn as_text(bytes: &[u8]) -> Option<String> {
    let odd = bytes.iter().skip(1).step_by(2);
    let wide = odd.clone().filter(|b| **b == 0).count().saturating_mul(2) > odd.count();
    let text = if wide { crate::bytes::text::from_utf16le(bytes) } else { crate::bytes::text::from_ansi(bytes) };
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    let readable = |c: &char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
    let total = text.chars().count();
    let good = text.chars().filter(readable).count();
    (total > 0 && good.saturating_mul(10) >= total.saturating_mul(9)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_bytes() {
        assert_eq!(as_text(b"\0\0  Set x = 1\r\n\0").as_deref(), Some("Set x = 1"));
        let wide: Vec<u8> = "Option Explicit".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(as_text(&wide).as_deref(), Some("Option Explicit"));
        assert_eq!(as_text(&[1, 2, 3, 0x41, 5, 6]), None);
        assert_eq!(as_text(&[0; 64]), None);
    }
}
