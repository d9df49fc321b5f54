//! Names of deleted and moved files in the unused parts of directories' indexes (`$I30`).

use std::sync::Arc;

use super::artifact::{Artifact, ArtifactError, Completion, Out, Reads, Record, VolumeInput};
use super::file_times::{attribute_names, with_times};
use crate::model::{Descriptor, Field, Host, Kind, Locator, Loss, SlackName, SlackPlace, State};

/// The artifact.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "index_slack",
    doc: "\
A folder of an NTFS volume keeps its names in an index ($I30): each entry is a copy of the file's $FILE_NAME with its size and \
the four times of $STANDARD_INFORMATION as they were when the entry was last written. When a file is deleted, moved or renamed, \
the entries behind its own move up, and what stood at the end stays in the unused part of the block until something is \
written over it. It is read only when it is asked for: --artifact index_slack, or --artifact all.

It proves that a file of that name, size and times lay in that folder once, also when its MFT record has been used again. \
Where the head of the old entry is whole, it names the MFT record too, and whether that still is the file.

It does not prove that the file was deleted: a rename, a move, a change of its size or a split of the index leave old copies as \
well. Entries that equal one in use are left out. Times and sizes are those of the moment at which the copy was left.

It lasts until the block is filled again: for years in folders that change little, minutes in busy ones.",
    references: &[
        "Microsoft, Master File Table (MULTI_SECTOR_HEADER, FILE_NAME), learn.microsoft.com",
        "B. Carrier, File System Forensic Analysis, chapters 12 and 13 (NTFS indexes)",
    ],
    emits: &[&NAME],
    reads: Reads::Volume { parse },
};

static NAME: Descriptor = Descriptor {
    name: "windows:file:index_slack",
    doc: "A name that the index of a folder held once.",
    message: "{path}[ ({size} bytes)] (slack of the index of {directory})",
    data_type: None,
    fields: &[
        Field::new("path", Kind::Text, "Path by the parent that the entry names; below \\$Orphan if that is gone."),
        Field::new("name", Kind::Text, "The name alone."),
        Field::new("namespace", Kind::Text, "win32, dos, win32+dos or posix."),
        Field::new("directory", Kind::Text, "Path of the folder in whose index it lies."),
        Field::new("directory_deleted", Kind::Bool, "That folder is deleted itself."),
        Field::new("parent", Kind::Text, "MFT record of the parent that the entry names, as record-sequence."),
        Field::new("size", Kind::Number, "Length of the main stream in bytes, as the entry says."),
        Field::new("allocated", Kind::Number, "Bytes that it took on the volume."),
        Field::new("modified", Kind::Time, "When content was modified."),
        Field::new("accessed", Kind::Time, "When content was last read."),
        Field::new("changed", Kind::Time, "When the MFT record was changed."),
        Field::new("created", Kind::Time, "When the file was created."),
        Field::new("attributes", Kind::List, "File attributes by their Windows names."),
        Field::new("is_directory", Kind::Bool, "It is a folder."),
        Field::new("file_reference", Kind::Text, "MFT record of the file, as record-sequence."),
        Field::new("record_state", Kind::Text, "That record now: same (still is that file), deleted, or reused."),
        Field::new(
            "place",
            Kind::Text,
            "block (behind the entries of an index block), free_block (a block out of use) or record (the folder's MFT record).",
        ),
        Field::new("orphan", Kind::Bool, "The parent that it names is gone."),
        Field::new("bad_fixup", Kind::Bool, "The block was torn or damaged; values may be wrong."),
    ],
};

/// Bit of a directory in the attributes of `$FILE_NAME`.
const DIRECTORY: u32 = 0x1000_0000;

fn parse(input: &VolumeInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    input.volume.index_slack(&mut |found| match found {
        Ok(found) => out.give(record(input, &found)),
        Err(error) => out.issue(None, Loss::Record, error),
    });
    Ok(Completion::Complete)
}

fn record(input: &VolumeInput<'_>, found: &SlackName) -> Record {
    // Offsets count in the index itself, or in $MFT.
    let stream = (found.place != SlackPlace::Record).then(|| "$I30".to_owned());
    let locator = Locator {
        path: found.directory_path.clone(),
        stream,
        record: Some(found.directory),
        ..(*input.locator).clone()
    };
    let name = &found.name;
    let record = Record::new(&NAME)
        .set("path", name.path.as_str())
        .set("name", name.name.as_str())
        .set("namespace", name.namespace.name())
        .set("directory", found.directory_path.as_str())
        .set_some("directory_deleted", found.directory_deleted.then_some(true))
        .set_some("parent", (!found.parent_lost).then(|| name.parent.to_string()))
        .set("size", found.size)
        .set("allocated", found.allocated)
        .set("attributes", attribute_names(found.attributes))
        .set("is_directory", found.attributes & DIRECTORY != 0)
        .set_some("file_reference", found.file.map(|(reference, _)| reference.to_string()))
        .set_some("record_state", found.file.and_then(|(_, state)| state).map(|state| state.name()))
        .set("place", found.place.name())
        .set_some("orphan", name.orphan.then_some(true))
        .set_some("bad_fixup", found.bad_fixup.then_some(true))
        .state(State::Slack)
        .place(Arc::new(locator))
        .at(found.offset);
    with_times(record, &name.times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::{Limits, VolumeView};
    use crate::bytes::ReadAt;
    use crate::model::{Collect, FileName, FileReference, MacbTimes, Namespace, RecordState, Timestamp};

    struct View;

    impl VolumeView for View {
        fn open(&self, _: &str, _: &str) -> Option<Arc<dyn ReadAt>> {
            None
        }
        fn path_of(&self, _: FileReference) -> Option<String> {
            None
        }
        fn index_slack(&self, give: &mut dyn FnMut(Result<SlackName, String>)) {
            let t = Some(Timestamp::from_filetime(0x01d0_0000_0000_0000));
            let directory = FileReference { record: 30, sequence: 2 };
            let mut found = SlackName {
                directory,
                directory_path: r"C:\dir".into(),
                directory_deleted: false,
                file: Some((FileReference { record: 40, sequence: 7 }, Some(RecordState::Reused))),
                name: FileName {
                    name: "a.exe".into(),
                    path: r"C:\dir\a.exe".into(),
                    parent: directory,
                    namespace: Namespace::Win32AndDos,
                    times: MacbTimes { modified: t, accessed: t, changed: t, created: None },
                    orphan: false,
                },
                parent_lost: false,
                size: 5,
                allocated: 8,
                attributes: 0x22,
                place: SlackPlace::Block,
                offset: 0x1080,
                bad_fixup: false,
            };
            give(Ok(found.clone()));
            give(Err("block 4 is damaged".into()));
            (found.file, found.parent_lost, found.place) = (None, true, SlackPlace::Record);
            give(Ok(found));
        }
    }

    #[test]
    fn a_name_with_its_place_and_record() {
        let mut sink = Collect::default();
        let locator = Arc::new(Locator { volume: Some("p1".into()), ..Locator::default() });
        let mut out = Out::new(&mut sink, "index_slack", Arc::clone(&locator), State::Live);
        let input = VolumeInput { locator, volume: &View, limits: Limits::default() };
        assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        assert_eq!((sink.events.len(), sink.issues.len()), (2, 1));
        let event = &sink.events[0];
        let text = |event: &crate::model::Event, field: &str| event.values.get(field).map(ToString::to_string);
        assert_eq!((event.state, event.meaning.macb().as_str()), (State::Slack, "MAC."));
        assert_eq!(text(event, "file_reference").as_deref(), Some("40-7"));
        assert_eq!(text(event, "record_state").as_deref(), Some("reused"));
        let origin = &event.origin;
        assert_eq!((origin.locator.path.as_str(), origin.locator.stream.as_deref()), (r"C:\dir", Some("$I30")));
        assert_eq!((origin.locator.volume.as_deref(), origin.offset), (Some("p1"), Some(0x1080)));
        let bare = &sink.events[1];
        assert_eq!(
            (text(bare, "file_reference"), text(bare, "record_state"), text(bare, "parent")),
            (None, None, None)
        );
        assert_eq!(bare.origin.locator.stream, None);
    }
}
