//! Jump lists: what each application opened last.

use crate::bytes::FormatError;
use crate::formats::cfb::{self, CompoundFile};
use crate::formats::jump_list::{self, CustomLink, DestList, DestListEntry};
use crate::formats::lnk::{self, ShellLink};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning};

use super::shell_link::{self, ITEM, LINK, Place, TRACKER};
use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};

static ENTRY: Descriptor = Descriptor {
    name: "windows:jump_list:entry",
    doc: "An entry of an application's list of recent items, at the time when the item was last used.",
    message: "{path} was opened[ with {application}][ ({uses} times in all)][ on {host_name}]",
    data_type: Some("olecf:dest_list:entry"),
    fields: &[
        Field::new("path", Kind::Text, "Path or address of the item"),
        Field::new("app_id", Kind::Text, "Identifier of the application: the begin of the file's name"),
        Field::new("application", Kind::Text, "The application, if its identifier is widely known"),
        Field::new("entry", Kind::Text, "Number of the entry in hex: the name of the stream that holds its link"),
        Field::new("mru_position", Kind::Number, "Place in the list: 0 is the item used last"),
        Field::new("uses", Kind::Number, "How often the item was used"),
        Field::new("score", Kind::Text, "Figure that Windows sorts frequent items by"),
        Field::new("pinned", Kind::Bool, "The user pinned the item"),
        Field::new("pin_position", Kind::Number, "Place among the pinned items, from 0"),
        Field::new("host_name", Kind::Text, "NetBIOS name of the machine that the item lay on"),
        Field::new("mac_address", Kind::Text, "Network card of that machine, from the file droid"),
        Field::new("droid_volume", Kind::Text, "Object identifier of the item's volume"),
        Field::new("droid_file", Kind::Text, "Object identifier of the item"),
        Field::new("birth_droid_volume", Kind::Text, "Object identifier of the volume at the item's birth"),
        Field::new("birth_droid_file", Kind::Text, "Object identifier of the item at its birth"),
        Field::new("list_version", Kind::Number, "Version of the list: 1 Windows 7 and 8, 3 and 4 Windows 10 and 11"),
    ],
};

/// Real jump lists have some hundred kilobytes.
const MAX_FILE: u64 = 64 << 20;

/// Automatic and custom jump lists.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "jump_lists",
    doc: "Windows 7 and later keep for each application and user a list of the items that it opened, shown on the taskbar \
          and in the Start menu. Automatic lists are kept by Windows: for each item path, machine, time of the last use, \
          count of uses (Windows 10: of its own, before: as a score), pinning, and a whole shell link with the target's \
          times, volume and MFT references. Custom lists are written by the applications themselves and hold links.\n\n\
          An entry shows that the application opened that path in this user's session, the last time at that instant. \
          It often outlives the file, the stick and the entry in the user's Recent folder.\n\n\
          It does not show what the item held, nor each single use. The application is told by an identifier that \
          depends on its path; for an unknown one only the path of its list is known. In custom lists the entries \
          may be tasks that nobody ever used.\n\n\
          A list keeps the last items of its application (settings of the Start menu say how many are shown, far more \
          are kept). It lives until the user clears it, switches recent items off, or the profile goes.",
    references: &[
        "J. Metz, Jump lists format, https://github.com/libyal/dtformats",
        "Microsoft, MS-CFB: Compound File Binary File Format",
        "Microsoft, MS-SHLLINK: Shell Link (.LNK) Binary File Format",
    ],
    emits: &[&ENTRY, &LINK, &TRACKER, &ITEM],
    reads: Reads::Files { paths: &[r"**\*.automaticDestinations-ms", r"**\*.customDestinations-ms"], recognise, parse },
};

/// Many things are compound files; only one with a stream `DestList` is a jump list.
fn recognise(head: &[u8]) -> bool {
    let name: Vec<u8> = "DestList".encode_utf16().flat_map(u16::to_le_bytes).collect();
    jump_list::recognise_custom(head)
        || cfb::recognise(head) && head.windows(name.len()).any(|window| window == name.as_slice())
}

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let value = input.data.len();
    if value > MAX_FILE {
        return Err(FormatError::Limit { what: "the jump list", offset: 0, value, limit: MAX_FILE }.into());
    }
    let data = input.read_whole()?;
    let name = input.locator.path.rsplit('\\').next().unwrap_or_default();
    let app_id = name.split('.').next().filter(|id| !id.is_empty());
    if cfb::recognise(&data) {
        return Ok(automatic(&CompoundFile::open(&data)?, data.len(), app_id, out));
    }
    if jump_list::recognise_custom(&data) {
        return custom(&data, app_id, out);
    }
    Ok(Completion::NotThisFormat)
}

/// `DestList` with its links, then the links that no entry names.
fn automatic(file: &CompoundFile<'_>, len: usize, app_id: Option<&str>, out: &mut Out<'_>) -> Completion {
    for fault in &file.faults {
        out.issue(Some(fault.offset()), Loss::Record, fault);
    }
    let mut list = DestList::default();
    match file.stream("DestList") {
        None if file.streams.is_empty() => out.issue(None, Loss::Whole, "the compound file has no streams"),
        None => out.issue(None, Loss::Record, "there is no stream DestList: only the links can be read"),
        Some(stream) => {
            let (bytes, fault) = file.read(stream);
            let read = jump_list::read_dest_list(&bytes).map(|read| list = read);
            let faults = [fault, list.fault.clone(), read.err()];
            for fault in faults.into_iter().flatten() {
                out.issue(None, Loss::Record, format!("in DestList: {fault}"));
            }
        }
    }
    // Streams may claim the same sectors over and over: what is read of all of them together is bounded.
    let mut budget = len.saturating_mul(4);
    let mut links: Vec<(&str, Vec<u8>)> = Vec::new();
    for stream in file.streams.iter().filter(|s| u32::from_str_radix(&s.name, 16).is_ok()) {
        let (bytes, fault) = file.read(stream);
        if let Some(fault) = fault {
            out.issue(None, Loss::Record, fault);
        }
        match budget.checked_sub(bytes.len()) {
            Some(left) => budget = left,
            None => {
                out.issue(None, Loss::Rest, "the streams claim more bytes than the file can hold");
                break;
            }
        }
        links.push((&stream.name, bytes));
    }
    for (position, entry) in list.entries.iter().enumerate() {
        let name = format!("{:x}", entry.number);
        let at = links.iter().position(|(stream, _)| stream.eq_ignore_ascii_case(&name));
        let bytes = at.map(|at| links.swap_remove(at).1);
        let link = bytes.as_deref().and_then(|bytes| read_link(bytes, &name, out));
        give_entry(entry, position as u64, list.version, app_id, out);
        // The entry's droids are those of its link; they stand for themselves only where it has none.
        let tracked = link.as_ref().is_some_and(|l| l.extra.tracker.is_some());
        if !tracked {
            let droids = [
                ("droid_volume", &entry.droid_volume),
                ("droid_file", &entry.droid_file),
                ("birth_droid_volume", &entry.birth_droid_volume),
                ("birth_droid_file", &entry.birth_droid_file),
            ];
            let place = Place { in_stream: true, ..Place::default() };
            shell_link::give_droids(droids, entry.host_name.as_deref(), entry.path.as_deref(), &place, out);
        }
        if let Some(link) = link {
            give_link(&link, bytes.as_deref().unwrap_or_default(), &format!("entry {name}"), app_id, out);
        }
    }
    links.sort_by(|a, b| a.0.cmp(b.0));
    for (name, bytes) in links {
        if let Some(link) = read_link(&bytes, name, out) {
            give_link(&link, &bytes, &format!("stream {name}, which no entry names"), app_id, out);
        }
    }
    Completion::Complete
}

fn read_link(bytes: &[u8], stream: &str, out: &mut Out<'_>) -> Option<ShellLink> {
    lnk::read(bytes, 0).inspect_err(|fault| out.issue(None, Loss::Record, format!("in stream {stream}: {fault}"))).ok()
}

fn give_link(link: &ShellLink, bytes: &[u8], entry: &str, app_id: Option<&str>, out: &mut Out<'_>) {
    let trailing = link.trailing(bytes, bytes.len() as u64);
    let place = Place { entry: Some(entry), app_id, in_stream: true, offset: None };
    // How far the link could be read is told by its issues; the list itself goes on.
    let _ = shell_link::give(link, trailing.as_ref(), &place, out);
}

fn give_entry(entry: &DestListEntry, position: u64, version: u32, app_id: Option<&str>, out: &mut Out<'_>) {
    let id = |droid: &Option<lnk::Droid>| droid.as_ref().map(|d| d.id.clone());
    out.give(
        Record::new(&ENTRY)
            .time(Meaning::OPENED, entry.last_used)
            .set_some("path", entry.path.clone())
            .set_some("app_id", app_id)
            .set_some("application", app_id.and_then(jump_list::application))
            .set("entry", format!("{:x}", entry.number))
            .set("mru_position", position)
            .set_some("uses", entry.uses)
            .set_some("score", entry.score.map(|s| s.to_string()))
            .set("pinned", entry.pin.is_some())
            .set_some("pin_position", entry.pin)
            .set_some("host_name", entry.host_name.clone())
            .set_some("mac_address", entry.droid_file.as_ref().and_then(|d| d.mac.clone()))
            .set_some("droid_volume", id(&entry.droid_volume))
            .set_some("droid_file", id(&entry.droid_file))
            .set_some("birth_droid_volume", id(&entry.birth_droid_volume))
            .set_some("birth_droid_file", id(&entry.birth_droid_file))
            .set("list_version", version),
    );
}

fn custom(data: &[u8], app_id: Option<&str>, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let list = jump_list::read_custom(data)?;
    for CustomLink { offset, category, link } in &list.links {
        let entry = category.as_deref().map_or("link outside any category".to_owned(), |c| format!("category {c}"));
        let place = Place { entry: Some(&entry), app_id, offset: Some(*offset), in_stream: false };
        let _ = shell_link::give(link, None, &place, out);
    }
    Ok(match list.fault {
        None => Completion::Complete,
        Some(fault) => {
            out.issue(Some(fault.offset()), Loss::Rest, &fault);
            Completion::Truncated { at: fault.offset() }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Collect, Locator, State};

    const AUTOMATIC: &[u8] = include_bytes!("../../../testdata/artifacts/jump_lists/version4.automaticDestinations-ms");
    const CUSTOM: &[u8] = include_bytes!("../../../testdata/artifacts/jump_lists/tasks.customDestinations-ms");

    fn run(name: &str, data: &[u8]) -> (Completion, Collect) {
        let mut sink = Collect::default();
        let data = data.to_vec();
        let locator = Arc::new(Locator { path: format!(r"C:\x\{name}"), ..Locator::default() });
        let input = FileInput::alone(Arc::clone(&locator), &data);
        let mut out = Out::new(&mut sink, ARTIFACT.name, locator, State::Live);
        let completion = parse(&input, &Host::default(), &mut out).unwrap();
        (completion, sink)
    }

    #[test]
    fn entries_with_their_links_and_one_that_no_entry_names() {
        let (completion, sink) = run("f01b4d95cf55d32a.automaticDestinations-ms", AUTOMATIC);
        assert_eq!((completion, &sink.issues[..]), (Completion::Complete, &[][..]));
        let entries: Vec<_> = sink.events.iter().filter(|e| e.descriptor == &ENTRY).collect();
        assert_eq!(entries[0].time.unwrap().to_string(), "2020-08-26T05:09:00.0000000Z");
        assert_eq!(entries[0].meaning, Meaning::OPENED);
        assert_eq!(
            entries[0].message(),
            r"C:\Windows\System32\cmd.exe was opened with Windows Explorer (8 and later) (3 times in all) on desktop-ripclip"
        );
        assert_eq!(entries[1].values.get("pin_position").unwrap().as_number(), Some(0));
        let places: Vec<_> = sink
            .events
            .iter()
            .filter(|e| e.descriptor == &LINK && e.meaning == Meaning::CREATED)
            .map(|e| e.values.get("entry").unwrap().to_string())
            .collect();
        assert_eq!(places, ["entry 2", "entry 1", "stream 7, which no entry names"]);
        // Each link has its tracker: no droid is told twice.
        assert_eq!(sink.events.iter().filter(|e| e.descriptor == &TRACKER).count(), 2);
    }

    #[test]
    fn a_custom_list() {
        let (completion, sink) = run("5afe4de1b92fc382.customDestinations-ms", CUSTOM);
        assert_eq!((completion, &sink.issues[..]), (Completion::Complete, &[][..]));
        let entry = |at: usize| sink.events[at].values.get("entry").unwrap().to_string();
        assert_eq!(
            (sink.events.len(), entry(0), entry(3)),
            (9, "category Nützlich".to_owned(), "category Tasks".to_owned())
        );
        assert!(sink.events[0].origin.offset.is_some());
    }

    #[test]
    fn damage_is_named_and_other_files_are_told_apart() {
        let (_, sink) = run("a.automaticDestinations-ms", &AUTOMATIC[..1500]);
        assert!(!sink.issues.is_empty());
        assert_eq!(run("a.customDestinations-ms", b"hello").0, Completion::NotThisFormat);
        assert!(recognise(CUSTOM));
        let (completion, sink) = run("a.customDestinations-ms", &CUSTOM[..CUSTOM.len() - 6]);
        assert!(matches!(completion, Completion::Truncated { .. }) && !sink.issues.is_empty());
    }
}
