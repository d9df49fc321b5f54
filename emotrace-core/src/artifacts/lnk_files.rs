//! Shell links as files: `.lnk`.

use crate::bytes::{FormatError, read_up_to};
use crate::formats::lnk;
use crate::model::Host;

use super::shell_link::{ITEM, LINK, Place, REFERENCES, TRACKER, give};
use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads};

/// A link's own parts end far before this; what lies behind it can only be trailing data, whose length is known without
/// reading it. Droppers pad links to hundreds of megabytes so that scanners pass them over.
const MAX_READ: u64 = 16 << 20;

/// Link files.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "lnk_files",
    doc: "A shell link points to a file, a folder or something else that Explorer shows. Windows makes one in a user's \
          Recent folder when a document is opened from Explorer or a file dialog; programs, installers, users and \
          attackers make others. Besides the path it stores what the target was when the link was last written: size, \
          attributes, three times, volume serial number and label, the machine's name, object identifiers, and the MFT \
          reference of every folder on the way.\n\n\
          A link in Recent shows that a user account opened a file of that name at that place, also on a stick or a \
          share that is gone now; the link's own creation and modification times are about the first and the last \
          opening. A link with a script host and arguments as its target, or with data behind its end, is a way in: \
          Emotet used such links in 2022.\n\n\
          It does not show that the target was run, nor what it held. Times and size are those of the target when the \
          link was written and are not updated afterwards. Machine name and network card may be those of the machine \
          that made the link, not of this one: links travel. Times inside shell items have two seconds' resolution and \
          no zone; Windows writes them in UTC.\n\n\
          Recent holds about 150 links per user (Windows 10: one per name); they outlive their targets, and stay until \
          they are pushed out, cleared by the user or a cleaner.",
    references: REFERENCES,
    emits: &[&LINK, &TRACKER, &ITEM],
    reads: Reads::Files { paths: &[r"**\*.lnk"], recognise: lnk::recognise, parse },
};

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let file_len = input.data.len();
    let mut data = vec![0; usize::try_from(file_len.min(MAX_READ)).unwrap_or(0)];
    let n = read_up_to(input.data, 0, &mut data).map_err(|source| ArtifactError::Read { offset: 0, source })?;
    data.truncate(n);
    let link = match lnk::read(&data, 0) {
        Ok(link) => link,
        Err(FormatError::Signature { .. }) => return Ok(Completion::NotThisFormat),
        Err(error) => return Err(error.into()),
    };
    let trailing = link.trailing(&data, file_len);
    Ok(give(&link, trailing.as_ref(), &Place::default(), out))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Collect, Meaning, State, Value};

    /// A link of `testdata/make/lnk.py`.
    const RECHNUNG: &[u8] = include_bytes!("../../../testdata/artifacts/lnk_files/rechnung.lnk");

    fn run(data: &[u8]) -> (Completion, Collect) {
        let mut sink = Collect::default();
        let data = data.to_vec();
        let input = FileInput::alone(Arc::default(), &data);
        let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
        let completion = parse(&input, &Host::default(), &mut out).unwrap();
        (completion, sink)
    }

    fn text(sink: &Collect, event: usize, field: &str) -> Option<String> {
        sink.events[event].values.get(field).map(ToString::to_string)
    }

    /// Values as lnkinfo 20181227 prints them; the MAC address, the droid's time and the properties by Python's uuid
    /// module from the maker's input.
    #[test]
    fn a_link_of_explorer() {
        let (completion, sink) = run(RECHNUNG);
        assert_eq!(completion, Completion::Complete);
        assert_eq!(sink.issues, []);
        let rows: Vec<_> =
            sink.events.iter().map(|e| (e.descriptor.name, e.meaning, e.time.unwrap().to_string())).collect();
        assert_eq!(
            rows,
            [
                ("windows:lnk:link", Meaning::CREATED, "2020-08-26T05:07:41.1234560Z".to_owned()),
                ("windows:lnk:link", Meaning::MODIFIED, "2020-08-26T05:07:41.6543201Z".to_owned()),
                ("windows:lnk:link", Meaning::ACCESSED, "2020-08-26T05:08:54.5000000Z".to_owned()),
                ("windows:lnk:tracker", Meaning::IDENTIFIER_MADE, "2020-08-26T05:01:02.3456780Z".to_owned()),
            ]
        );
        let path = r"C:\Users\Clippy\Downloads\Rechnung_2020_08_7749.doc";
        for (field, value) in [
            ("target_path", path),
            ("target_source", "linkinfo"),
            ("id_list_path", path),
            ("file_size", "175616"),
            ("drive_type", "fixed"),
            ("drive_serial", "A1B2C3D4"),
            ("volume_label", "SYSTEM"),
            ("machine_id", "desktop-ripclip"),
            ("mac_address", "00:0c:29:ab:cd:ef"),
            ("droid_file", "23977a0c-e759-11ea-9234-000c29abcdef"),
            ("attributes", "archive"),
            ("working_directory", r"C:\Users\Clippy\Downloads"),
        ] {
            assert_eq!(text(&sink, 0, field).as_deref(), Some(value), "{field}");
        }
        let Some(Value::List(items)) = sink.events[0].values.get("id_list") else { panic!("no list") };
        let last = items.last().unwrap();
        assert_eq!(last.get("mft_reference"), Some(&Value::from("2422-7")));
        assert_eq!(last.get("modified"), Some(&Value::from("2020-08-26T05:07:42")));
        let properties = sink.events[0].values.get("properties").unwrap();
        let sid = properties.get("SID").unwrap();
        assert_eq!(sid, &Value::from("S-1-5-21-1111111111-2222222222-3333333333-1001"));
        assert_eq!(
            sink.events[0].message(),
            format!("Link to {path}, target on desktop-ripclip (drive A1B2C3D4 SYSTEM)")
        );
        let roles = Some("droid_file; birth_droid_file");
        assert_eq!(text(&sink, 3, "roles").as_deref(), roles);
    }

    /// No time in it: one undated event, with what lies behind the link's end.
    #[test]
    fn a_link_with_a_script_behind_its_end() {
        let bytes = include_bytes!("../../../testdata/artifacts/lnk_files/appended_script.lnk");
        let (completion, sink) = run(bytes);
        assert_eq!((completion, sink.events.len(), sink.issues.len()), (Completion::Complete, 1, 0));
        assert_eq!(sink.events[0].time, None);
        assert_eq!(text(&sink, 0, "target_path").as_deref(), Some(r"%windir%\system32\cmd.exe"));
        assert_eq!(text(&sink, 0, "arguments").as_deref(), Some("/v:on /c rem this link does nothing"));
        assert!(text(&sink, 0, "trailing_text").unwrap().starts_with("' This text stands behind"));
        let at = bytes.windows(3).position(|w| w == b"\r\n'").unwrap();
        assert_eq!(text(&sink, 0, "trailing_offset"), Some(at.to_string()));
        assert_eq!(text(&sink, 0, "trailing_length"), Some((bytes.len() - at).to_string()));
        assert_eq!(text(&sink, 0, "file_size"), None, "a size of 0 without times is no size");
    }

    #[test]
    fn a_broken_link_tells_what_it_can() {
        let (completion, sink) = run(include_bytes!("../../../testdata/artifacts/lnk_files/broken_info.lnk"));
        assert_eq!(completion, Completion::Truncated { at: 76 });
        assert_eq!(sink.issues.len(), 1);
        assert_eq!(text(&sink, 0, "machine_id").as_deref(), Some("other-machine"));
        assert_eq!(text(&sink, 0, "target_path").as_deref(), Some(r"D:\Docs\plan.txt"));
    }

    #[test]
    fn other_files_are_not_links() {
        assert_eq!(run(b"").0, Completion::NotThisFormat);
        assert_eq!(run(&[0; 4096]).0, Completion::NotThisFormat);
    }
}
