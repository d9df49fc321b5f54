//! Shell links: 1,045 real ones of Windows XP to 11, and those of published test sets.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use emotrace_core::bytes::text;
use emotrace_core::formats::lnk;

pub(crate) const CASES: &[super::Case] = &[
    ("lnk_every_link_is_read", every_link_is_read),
    ("lnk_values_that_plaso_publishes", plaso),
    ("lnk_values_that_lnkparse3_publishes", lnkparse3),
    ("lnk_the_crate_agrees_where_it_reads", the_crate_agrees),
];

/// All files below a folder, in the order of their paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() { open.push(entry) } else { found.push(entry) }
        }
    }
    found.sort();
    found
}

/// LnkParse3 keeps its samples in Base64.
fn content(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if !bytes.starts_with(b"TAAA") {
        return bytes;
    }
    let digit = |b: u8| match b {
        b'A'..=b'Z' => Some(b - b'A'),
        b'a'..=b'z' => Some(b - b'a' + 26),
        b'0'..=b'9' => Some(b - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = bytes.into_iter().filter_map(digit).collect();
    let mut out = Vec::new();
    for group in digits.chunks(4) {
        let word = group.iter().fold(0u32, |word, d| word << 6 | u32::from(*d)) << (6 * (4 - group.len()));
        out.extend(&word.to_be_bytes()[1..group.len()]);
    }
    out
}

fn read(corpus: &Path, path: &str) -> lnk::ShellLink {
    lnk::read(&content(&corpus.join("lnk").join(path)), 0).unwrap()
}

/// lnkinfo and LnkParse3 were run over the same files: both agree with us on every time, size, path, argument, serial
/// number, machine and droid, apart from the two files that lnkinfo refuses.
fn every_link_is_read(corpus: &Path) {
    let all = files(&corpus.join("lnk"));
    assert_eq!(all.len(), 1045);
    let mut faulty: Vec<String> = Vec::new();
    let mut items = 0;
    for path in &all {
        let link = lnk::read(&content(path), 0).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        items += link.id_list.as_ref().map_or(0, |l| l.items.len());
        if !link.faults.is_empty() {
            faulty.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    // A file cut inside an extra block; one whose working directory claims 1,693 characters.
    assert_eq!(faulty, ["extra_data", "padded_cli_arguments"]);
    // 3,235 in those that lnkinfo reads.
    assert!(items >= 3235, "{items}");
}

/// Source: plaso, tests/parsers/winlnk.py.
fn plaso(corpus: &Path) {
    let link = read(corpus, "plaso/example.lnk");
    assert_eq!(link.header.created.unwrap().to_string(), "2009-07-13T23:29:02.8491310Z");
    assert_eq!(link.header.accessed.unwrap().to_string(), "2009-07-13T23:29:02.8491310Z");
    assert_eq!(link.header.modified.unwrap().to_string(), "2009-07-14T01:39:18.2200000Z");
    assert_eq!(link.header.file_size, 544_768);
    assert_eq!(link.name.as_deref(), Some(r"@%windir%\system32\migwiz\wet.dll,-590"));
    assert_eq!(link.relative_path.as_deref(), Some(r".\migwiz\migwiz.exe"));
    assert_eq!(link.working_directory.as_deref(), Some(r"%windir%\system32\migwiz"));
    assert_eq!(link.icon_location.as_deref(), Some(r"%windir%\system32\migwiz\migwiz.exe"));
    assert_eq!(link.extra.environment.as_deref(), Some(r"%windir%\system32\migwiz\migwiz.exe"));
    let tracker = link.extra.tracker.unwrap();
    assert_eq!(tracker.birth_droid_file.as_ref().unwrap().id, "846ee3bb-7039-11de-9d20-001d09fa5a1c");
    let droid = tracker.droid_file.unwrap();
    assert_eq!(droid.mac.as_deref(), Some("00:1d:09:fa:5a:1c"));
    assert_eq!(&droid.made.unwrap().to_string()[..26], "2009-07-14T05:45:20.500012");

    let link = read(corpus, "plaso/NeroInfoTool.lnk");
    let info = link.info.unwrap();
    let volume = info.volume.as_ref().unwrap();
    assert_eq!((volume.drive_type, volume.serial, volume.label.as_deref()), (3, 0x70ec_fa33, Some("OS")));
    let path = r"C:\Program Files (x86)\Nero\Nero 9\Nero InfoTool\InfoTool.exe";
    assert_eq!(info.local_path().as_deref(), Some(path));
    assert_eq!(link.arguments.as_deref(), Some("-ScParameter=30002  "));
    assert_eq!(link.header.file_size, 4_635_160);
    let list = link.id_list.unwrap();
    assert_eq!(list.path().as_deref(), Some(path));
    let file = list.target().unwrap().file.as_ref().unwrap();
    assert_eq!(file.reference.unwrap().to_string(), "81349-1");
    assert_eq!(file.modified.unwrap().to_string(), "2009-06-05T20:13:20");

    // The crate refuses this one; a lone surrogate stays what it is.
    let link = read(corpus, "plaso/unpaired_surrogate.lnk");
    let path = link.info.unwrap().local_path().unwrap();
    assert!(text::to_utf16(&path).contains(&0xd800), "{path}");
    assert_eq!(link.id_list.unwrap().file_system_path(), Some(path));
}

/// Source: LnkParse3, tests/json (values of its samples). The trailing data's length is that of its `TERMINAL_BLOCK` less
/// the four bytes of the block itself.
fn lnkparse3(corpus: &Path) {
    let link = read(corpus, "lnkparse3/padded_cli_arguments");
    let arguments = link.arguments.unwrap();
    assert!(arguments.starts_with(r#"/c "set PATH=%windir%\system32;%PATH%"#), "{arguments}");
    assert_eq!(link.icon_location.as_deref(), Some(r"C:\Windows\System32\shell32.dll"));

    let bytes = content(&corpus.join("lnk/lnkparse3/unknown_target"));
    let link = lnk::read(&bytes, 0).unwrap();
    assert_eq!(link.trailing(&bytes, bytes.len() as u64).unwrap().len, 67_649);
}

/// Strings, item sizes, size and LinkInfo of the crate `lnk`, for the files that it can read.
fn the_crate_agrees(corpus: &Path) {
    let mut compared = 0;
    for path in files(&corpus.join("lnk")) {
        let open = || ::lnk::ShellLink::open(&path, ::lnk::encoding::WINDOWS_1252).ok();
        let Some(theirs) = catch_unwind(open).ok().flatten() else { continue };
        let ours = lnk::read(&content(&path), 0).unwrap();
        if ours.faults.iter().any(|f| f.to_string().contains("text of a shell link")) {
            continue;
        }
        compared += 1;
        let place = path.display();
        let strings = theirs.string_data();
        let whole = |text: &Option<String>| {
            text.as_deref().map(|t| t.trim_end_matches('\0').to_owned()).filter(|t| !t.is_empty())
        };
        assert_eq!(whole(strings.name_string()), ours.name, "{place}");
        assert_eq!(whole(strings.relative_path()), ours.relative_path, "{place}");
        assert_eq!(whole(strings.working_dir()), ours.working_directory, "{place}");
        assert_eq!(whole(strings.command_line_arguments()), ours.arguments, "{place}");
        assert_eq!(whole(strings.icon_location()), ours.icon_location, "{place}");
        assert_eq!(*theirs.header().file_size(), ours.header.file_size, "{place}");
        let sizes = theirs.linktarget_id_list().as_ref().map(|l| l.id_list().iter().map(|i| *i.size()).collect());
        let our_sizes: Option<Vec<u16>> = ours.id_list.map(|l| l.items.iter().map(|i| i.size).collect());
        assert_eq!(sizes, our_sizes, "{place}");
        let base = theirs
            .link_info()
            .as_ref()
            .and_then(|i| i.local_base_path_unicode().clone().or_else(|| i.local_base_path().map(str::to_owned)));
        assert_eq!(base.filter(|b| !b.is_empty()), ours.info.and_then(|i| i.local_base_path), "{place}");
    }
    assert!(compared > 900, "{compared}");
}
