//! Recycle Bin: files and folders that a user deleted in Explorer.

use crate::formats::recycle_bin::{self, DeletedItem};
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning};

use super::{Artifact, ArtifactError, Completion, FileInput, Neighbour, Out, Reads, Record};

static DELETION: Descriptor = Descriptor {
    name: "windows:recycle_bin:deletion",
    doc: "A file or folder was moved to the Recycle Bin.",
    message: "{original_path} was moved to the Recycle Bin[ ({size} bytes)][, now {bin_path}][ ({bin_state})]",
    data_type: Some("windows:metadata:deleted_item"),
    fields: &[
        Field::new("original_path", Kind::Text, "Where it lay"),
        Field::new("size", Kind::Number, "Size in bytes; for a folder the sum of what it held"),
        Field::new("sid", Kind::Text, "Account whose bin it is, from the bin's folder"),
        Field::new(
            "bin_path",
            Kind::Text,
            "Where its content lies in the bin, if it still does: the $R file beside the $I file, or Dc1.exe beside INFO2",
        ),
        Field::new(
            "bin_state",
            Kind::Text,
            "What the file system knows of that file or folder: live, deleted (its MFT record is left) or absent (no record bears that \
             name in that folder). Not known for a single file, and in a copy of files without $MFT",
        ),
        Field::new("bin_size", Kind::Number, "Length of that file in bytes"),
        Field::new("bin_directory", Kind::Bool, "That is a folder"),
        Field::new(
            "bin_recoverable",
            Kind::Text,
            "Of that file, if it is deleted, the content: resident (in the record), free (no cluster in use now), partly_reused, reused \
             or unknown",
        ),
        Field::new("index", Kind::Number, "Number of the record (INFO2)"),
        Field::new("drive", Kind::Text, "Drive letter (INFO2)"),
        Field::new("left_the_bin", Kind::Bool, "It was restored or finally deleted since (INFO2)"),
        Field::new("version", Kind::Number, "Version of the file that holds the record"),
    ],
};

/// `$I` files and `INFO2`.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "recycle_bin",
    doc: "When a user deletes something in Explorer, Windows moves it to a folder of that account in the volume's Recycle \
          Bin, under a random name that begins with $R, and writes a small file of the same name that begins with $I: \
          original path, size and time. Windows 98 to XP keep one file INFO2 with a record for each deletion.\n\n\
          It shows that the account whose SID names the folder deleted that file at that time, and that a file of that \
          size lay at that path.\n\n\
          It does not show what is deleted past the bin: with Shift, from a command line, by programs, from most sticks \
          and all shares. That the $I file is there does not show that the $R file is: bin_state says what the file system \
          knows of it. For a folder there is one record; what it held has none.\n\n\
          Records live until the bin is emptied or the file restored; then the $I file is deleted, and its MFT record \
          often still holds all of it, because it is small enough to lie there.",
    references: &[
        "J. Metz, Windows Recycle Bin file formats, https://github.com/libyal/dtformats",
        "Microsoft, How the Recycle Bin stores files (KB136517)",
    ],
    emits: &[&DELETION],
    reads: Reads::Files {
        paths: &[
            r"$Recycle.Bin\*\$I*",
            r"$Recycle.Bin\$I*",
            r"$Orphan\**\$I*",
            r"RECYCLER\*\INFO2",
            r"RECYCLER\INFO2",
            r"RECYCLED\INFO2",
            r"$Orphan\**\INFO2",
        ],
        recognise: |head| recycle_bin::recognise_i(head) || recycle_bin::recognise_info2(head),
        parse,
    },
};

fn parse(input: &FileInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let data = input.read_whole()?;
    let path = input.locator.path.as_str();
    let (folder, name) = path.rsplit_once('\\').unwrap_or(("", path));
    let sid = folder.rsplit('\\').find(|part| part.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("S-1-")));
    if recycle_bin::recognise_info2(&data) {
        let (items, cut) = recycle_bin::read_info2(&data)?;
        for item in &items {
            let content = recycle_bin::info2_bin_name(item).map(|name| Content::of(input, folder, &name));
            give(item, sid, content, host, out);
        }
        return Ok(completion(cut, out));
    }
    // Anything may bear such a name; only a file that says a version of the format is one.
    if !matches!(data.first_chunk().map(|v| u64::from_le_bytes(*v)), Some(1..=9)) {
        return Ok(Completion::NotThisFormat);
    }
    let (item, cut) = recycle_bin::read_i(&data)?;
    let partner = name.get(..2).filter(|p| p.eq_ignore_ascii_case("$I")).and(name.get(2..));
    let content = partner.map(|rest| Content::of(input, folder, &format!("$R{rest}")));
    give(&item, sid, content, host, out);
    Ok(completion(cut, out))
}

/// What was moved to the bin, there.
struct Content {
    path: String,
    /// `None` where the evidence can't tell, else what the file system knows of it, if it knows anything.
    known: Option<Option<Neighbour>>,
}

impl Content {
    fn of(input: &FileInput<'_>, folder: &str, name: &str) -> Self {
        let path = if folder.is_empty() { name.to_owned() } else { format!(r"{folder}\{name}") };
        // A file that somebody named like a record of the bin has no content that Windows named.
        let beside = input.beside.filter(|_| recycle_bin::is_content_name(name));
        Self { path, known: beside.map(|beside| beside.find(name)) }
    }

    fn state(&self) -> Option<&'static str> {
        self.known.map(|found| match found {
            None => "absent",
            Some(Neighbour { deleted: true, .. }) => "deleted",
            Some(Neighbour { deleted: false, .. }) => "live",
        })
    }
}

fn completion(cut: Option<u64>, out: &mut Out<'_>) -> Completion {
    let Some(at) = cut else { return Completion::Complete };
    out.issue(Some(at), Loss::Rest, "the file ends inside a record");
    Completion::Truncated { at }
}

fn give(item: &DeletedItem, sid: Option<&str>, content: Option<Content>, host: &Host, out: &mut Out<'_>) {
    let info2 = item.info2.as_ref();
    let state = content.as_ref().and_then(Content::state);
    let found = content.as_ref().and_then(|content| content.known.flatten());
    out.give(
        Record::new(&DELETION)
            .at(item.offset)
            .user(sid.map(|sid| host.account(sid)))
            .time(Meaning::DELETED, item.deleted)
            .set_some("original_path", item.original_path.clone())
            .set("size", item.size)
            .set_some("sid", sid)
            .set_some("bin_path", content.map(|content| content.path))
            .set_some("bin_state", state)
            .set_some("bin_size", found.and_then(|found| found.size))
            .set_some("bin_directory", found.and_then(|found| found.directory))
            .set_some("bin_recoverable", found.and_then(|found| found.recoverable).map(|grade| grade.name()))
            .set_some("index", info2.map(|i| i.index))
            .set_some("drive", info2.and_then(|i| i.drive).map(String::from))
            .set_some("left_the_bin", info2.map(|i| i.left_the_bin))
            .set("version", item.version),
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::artifacts::Beside;
    use crate::model::{Collect, Locator, Recoverability, State, User};

    fn run(path: &str, data: &[u8]) -> (Result<Completion, ArtifactError>, Collect) {
        run_beside(path, data, None)
    }

    fn run_beside(path: &str, data: &[u8], beside: Option<&Beside>) -> (Result<Completion, ArtifactError>, Collect) {
        let mut sink = Collect::default();
        let data = data.to_vec();
        let locator = Arc::new(Locator { path: path.to_owned(), ..Locator::default() });
        let input = FileInput { beside, ..FileInput::alone(Arc::clone(&locator), &data) };
        let clippy = User { sid: "S-1-5-21-1-2-3-1001".to_owned(), name: Some("Clippy".to_owned()), ..User::default() };
        let host = Host { users: vec![clippy], ..Host::default() };
        let mut out = Out::new(&mut sink, ARTIFACT.name, locator, State::Live);
        let done = parse(&input, &host, &mut out);
        (done, sink)
    }

    #[test]
    fn the_folder_names_the_account_and_the_partner() {
        let data = include_bytes!("../../../testdata/artifacts/recycle_bin/version2.bin");
        let (done, sink) = run(r"C:\$Recycle.Bin\S-1-5-21-1-2-3-1001\$I7Q2XK1.doc", data);
        assert_eq!(done.unwrap(), Completion::Complete);
        let event = &sink.events[0];
        assert_eq!(event.user.as_deref(), Some("Clippy"));
        assert_eq!(event.time.unwrap().to_string(), "2020-08-26T05:12:44.0000000Z");
        let field = |name: &str| event.values.get(name).unwrap().to_string();
        assert_eq!(field("original_path"), r"C:\Users\Clippy\Downloads\Rechnung_2020_08_7749.doc");
        assert_eq!(field("bin_path"), r"C:\$Recycle.Bin\S-1-5-21-1-2-3-1001\$R7Q2XK1.doc");
        assert_eq!(field("sid"), "S-1-5-21-1-2-3-1001");
        assert_eq!(field("size"), "175616");
    }

    /// What is said of the content is what the file system knows of that very name in that very folder.
    #[test]
    fn what_has_become_of_the_content() {
        let data = include_bytes!("../../../testdata/artifacts/recycle_bin/version2.bin");
        let told = |path: &str, beside: Option<&Beside>| {
            let (_, sink) = run_beside(path, data, beside);
            let value = |name: &str| sink.events[0].values.get(name).map(ToString::to_string).unwrap_or_default();
            ["bin_state", "bin_size", "bin_directory", "bin_recoverable"].map(value)
        };
        let path = r"C:\$Recycle.Bin\S-1-5-21-1-2-3-1001\$I7Q2XK1.doc";
        let beside = |content: &[Neighbour]| {
            let mut beside = Beside::default();
            content.iter().for_each(|content| beside.add("$R7Q2XK1.doc", *content));
            beside.sort();
            beside
        };
        let file = Neighbour { directory: Some(false), size: Some(7), ..Neighbour::default() };
        let deleted = Neighbour { deleted: true, recoverable: Some(Recoverability::Free), ..file };
        let folder = Neighbour { directory: Some(true), ..Neighbour::default() };
        assert_eq!(told(path, None), ["", "", "", ""]);
        assert_eq!(told(path, Some(&beside(&[]))), ["absent", "", "", ""]);
        assert_eq!(told(path, Some(&beside(&[file]))), ["live", "7", "false", ""]);
        assert_eq!(told(path, Some(&beside(&[folder]))), ["live", "", "true", ""]);
        assert_eq!(told(path, Some(&beside(&[deleted]))), ["deleted", "7", "false", "free"]);
        assert_eq!(told(path, Some(&beside(&[deleted, file]))), ["live", "7", "false", ""]);
        assert_eq!(told(path, Some(&beside(&[deleted, deleted]))), ["deleted", "", "", ""]);
        // The walk keeps no such names, so that nothing is known of them.
        assert_eq!(told(r"C:\$Recycle.Bin\$Inotes.txt", Some(&beside(&[]))), ["", "", "", ""]);
    }

    #[test]
    fn an_unknown_account_stays_a_sid() {
        let data = include_bytes!("../../../testdata/artifacts/recycle_bin/info2.bin");
        let (done, sink) = run(r"C:\RECYCLER\S-1-5-21-9-9-9-500\INFO2", data);
        assert_eq!(done.unwrap(), Completion::Complete);
        assert_eq!(sink.events.len(), 2);
        assert_eq!(sink.events[0].user.as_deref(), Some("S-1-5-21-9-9-9-500"));
        let bin = sink.events[1].values.get("bin_path").unwrap().to_string();
        assert_eq!(bin, r"C:\RECYCLER\S-1-5-21-9-9-9-500\Dc2.txt");
        assert_eq!(sink.events[1].values.get("left_the_bin").unwrap().to_string(), "true");
    }

    #[test]
    fn other_files_of_such_a_name() {
        assert_eq!(run("$Imy.txt", b"hello").0.unwrap(), Completion::NotThisFormat);
        assert_eq!(run("$Imy.txt", b"").0.unwrap(), Completion::NotThisFormat);
        assert!(run("$Imy.txt", &[2, 0, 0, 0, 0, 0, 0, 0, 1]).0.is_err());
    }
}
