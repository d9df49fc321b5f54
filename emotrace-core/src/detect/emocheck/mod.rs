//! The five ways in which JPCERT/CC's EmoCheck knows Emotet, as calculations on plain values.
//!
//! EmoCheck looks at a running machine and reports a candidate only when a process runs from it. On a dead disk there are
//! no processes; here stand the calculations that make candidates, each free of any place and artifact. What they are
//! fed with, and how sure a candidate is, is the matter of the caller.
//!
//! | generation | period | what it knows |
//! |---|---|---|
//! | [`v1_name`] | to 2020-02-05 | the program's name follows from the volume's serial number |
//! | [`v2_decode`] | 2020-02-06 to 2020-08 | the name is kept, XORed with the serial, in a value of Explorer's key |
//! | [`v3_candidate`] | 2020-08 to 2020-12 | folder and program bear names of System32's files |
//! | [`v4_candidate`] | 2020-12 on | a PE of a made-up extension in a made-up folder, run by rundll32 |
//! | [`v5_candidate`] | 2020-12 on | the PE was last written exactly seven days before its folder |
//!
//! Source: JPCERTCC/EmoCheck 2.0.0 (BSD-3-Clause), commit 36f2ec6, as facts; the source of later versions is not public.

mod findings;
mod scan;

use std::collections::BTreeSet;

use super::sigma::fold;
use crate::model::Timestamp;

pub use findings::{findings, forged_times};
pub use scan::{Scanner, Traces};

/// The words of the first generation, in the order and form in which the table is indexed: by character, not by word.
const WORDS: &str = "duck,mfidl,targets,ptr,khmer,purge,metrics,acc,inet,msra,symbol,driver,sidebar,restore,msg,volume,\
cards,shext,query,roam,etw,mexico,basic,url,createa,blb,pal,cors,send,devices,radio,bid,format,thrd,taskmgr,timeout,vmd,\
ctl,bta,shlp,avi,exce,dbt,pfx,rtp,edge,mult,clr,wmistr,ellipse,vol,cyan,ses,guid,wce,wmp,dvb,elem,channel,space,digital,\
pdeft,violet,thunk";

/// The program's name without extension that the first generation makes from a volume serial number (the low 32 bits).
pub fn v1_name(serial: u32) -> String {
    let length = WORDS.len() as u32;
    let (quotient, first) = (serial / length, serial % length);
    let second = (u32::MAX - quotient) % length;
    format!("{}{}", word(first as usize), word(second as usize))
}

/// The word around a place in the table. A comma belongs to the word after it; inside the first word there is no comma to
/// the left, and EmoCheck then takes the rest of the word from that place on.
fn word(at: usize) -> &'static str {
    let start = match WORDS[..=at].rfind(',') {
        Some(comma) => comma + 1,
        None => at,
    };
    WORDS[start..].split(',').next().unwrap_or_default()
}

/// The name of the value that the second generation keeps in Explorer's key.
pub fn v2_value_name(serial: u32) -> String {
    format!("{serial:x}")
}

/// What the second generation's value holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A program's name without extension: 3 to 20 letters and digits.
    Name(String),
    /// The value bears the right name but does not decode to a program's name: the "EmoCrash" vaccine left such values, and
    /// damage may. Not a sign of an infection.
    VaccineOrDamaged(String),
}

/// Decodes the data of the value that [`v2_value_name`] names. Only `REG_BINARY` counts; the caller sees to that.
pub fn v2_decode(data: &[u8], serial: u32) -> Decoded {
    let key = serial.to_le_bytes();
    let plain = data.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    let text: String = plain.filter(|b| (0x21..0x7e).contains(b)).map(char::from).collect();
    let bare = ["exe", "dll"].iter().find_map(|e| text.strip_suffix(&format!(".{e}"))).unwrap_or(&text);
    if (3..=20).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Decoded::Name(bare.to_owned())
    } else {
        Decoded::VaccineOrDamaged(text)
    }
}

/// The base names of the programs and libraries that lie directly in a system folder, for [`v3_candidate`].
#[derive(Clone, Debug, Default)]
pub struct SystemNames(BTreeSet<String>);

impl SystemNames {
    /// Takes the name of a file of the system folder. Others than `.exe` and `.dll` are left out.
    pub fn add(&mut self, file: &str) {
        if let Some((base, extension)) = file.rsplit_once('.')
            && (extension.eq_ignore_ascii_case("exe") || extension.eq_ignore_ascii_case("dll"))
        {
            self.0.insert(fold(base));
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&fold(name))
    }
}

/// True if a file `<folder>\<file>`, with `folder` directly in Local AppData or a system folder, fits the third generation:
/// both names are those of system files, and the file is no copy of the system's. `original` is the size of the system
/// folder's file of that name, if there is one. Names are compared without case, as NTFS does; EmoCheck minds case.
pub fn v3_candidate(names: &SystemNames, folder: &str, file: &str, size: u64, original: Option<u64>) -> bool {
    let Some((base, extension)) = file.rsplit_once('.') else { return false };
    extension.eq_ignore_ascii_case("exe")
        && names.has(folder)
        && names.has(base)
        && size >= 10_000
        && original.is_none_or(|original| original != size)
}

/// True if a file `<folder>\<file>` fits the fourth generation's names: a folder of 4 to 16 letters, a file of 3 to 15
/// letters with an extension of 3 letters other than `.exe` and `.dll`. The file must also begin with `MZ`; the caller sees
/// to that, and to the list of innocent folders.
pub fn v4_candidate(folder: &str, file: &str) -> bool {
    let letters = |text: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic())
    };
    file.split_once('.').is_some_and(|(base, extension)| {
        letters(folder, 4, 16)
            && letters(base, 3, 15)
            && letters(extension, 3, 3)
            && !matches!(extension, "exe" | "dll")
    })
}

/// True if a Run value or a service runs the fourth generation's `file`: its name is the file's, or (a Run value) 7 to 16
/// letters, and its command is `rundll32.exe …,<export>` and names the file.
pub fn v4_runs(file: &str, name: &str, command: &str, service: bool) -> bool {
    let named =
        name == file || (!service && (7..=16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic()));
    let Some((_, after)) = command.split_once("rundll32.exe") else { return false };
    // At least four letters in a row somewhere after a comma: what the export's pattern comes to.
    let export = after
        .split_once(',')
        .is_some_and(|(_, export)| export.split(|c: char| !c.is_ascii_alphabetic()).any(|letters| letters.len() >= 4));
    named && export && command.contains(file)
}

/// A tenth of a second in 100 ns ticks.
const TENTH: i128 = 1_000_000;

/// True if the folder was last written seven days after the file, as the fifth generation leaves them: the difference in
/// whole tenths of a second is 6,047,997 to 6,048,002, from 0.3 s less than seven days to just below 0.3 s more.
pub fn v5_candidate(folder: Timestamp, file: Timestamp) -> bool {
    let difference = i128::from(folder.filetime()) - i128::from(file.filetime());
    (6_047_997..=6_048_002).contains(&(difference / TENTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Witness: an independent loop over the table in another language, published with the project's sources.
    #[test]
    fn v1_names() {
        assert_eq!((WORDS.len(), WORDS.split(',').count()), (356, 64));
        for (serial, name) in [
            (0x1234_5678, "ptrthunk"),
            (0xdead_beef, "etwwce"),
            (0x0000_0001, "uckelem"),
            (0xffff_ffff, "elemvol"),
            (0x0, "duckelem"),
            (0x4, "mfidlelem"),
            (0x5, "mfidlelem"),
            (0x163, "thunkelem"),
            (0x164, "duckelem"),
        ] {
            assert_eq!(v1_name(serial), name, "{serial:#x}");
        }
        for serial in (0..=u32::MAX).step_by(65_521) {
            assert!(v1_name(serial).len() >= 2);
        }
    }

    /// The four published encodings of `khmerdriver`.
    #[test]
    fn v2_values() {
        for (serial, value, data) in [
            (0x1234_5678, "12345678", "133e59770a32467b0e3346"),
            (0xdead_beef, "deadbeef", "84d6c0bb9ddadfb799dbdf"),
            (0x0000_0001, "1", "6a686d65736472697765 72"),
            (0xffff_ffff, "ffffffff", "9497929a8d9b8d96899a8d"),
        ] {
            let hex: String = data.split(' ').collect();
            let bytes: Vec<u8> =
                (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
            assert_eq!(v2_value_name(serial), value);
            assert_eq!(v2_decode(&bytes, serial), Decoded::Name("khmerdriver".to_owned()));
        }
        let padded: Vec<u8> =
            b"khmer.exe\0\0\0".iter().zip([0x78, 0x56, 0x34, 0x12].iter().cycle()).map(|(a, k)| a ^ k).collect();
        assert_eq!(v2_decode(&padded, 0x1234_5678), Decoded::Name("khmer".to_owned()));
        assert!(matches!(v2_decode(&[], 1), Decoded::VaccineOrDamaged(t) if t.is_empty()));
        assert!(matches!(v2_decode(&[0x41; 840], 0x1234_5678), Decoded::VaccineOrDamaged(_)));
    }

    /// Known cases from published indicator lists.
    #[test]
    fn v3_cases() {
        let mut names = SystemNames::default();
        for file in
            ["d3d11on12.dll", "mscpxl32.dll", "KBDSMSNO.DLL", "spwizeng.dll", "SyncHost.exe", "subst.exe", "a.txt"]
        {
            names.add(file);
        }
        assert!(v3_candidate(&names, "d3d11on12", "mscpxl32.exe", 200_000, None));
        assert!(v3_candidate(&names, "KBDSMSNO", "spwizeng.exe", 200_000, None));
        assert!(v3_candidate(&names, "SyncHost", "subst.exe", 200_000, Some(17_408)));
        assert!(!v3_candidate(&names, "SyncHost", "subst.exe", 17_408, Some(17_408)), "a copy of the system's own");
        assert!(!v3_candidate(&names, "SyncHost", "subst.exe", 9_999, None), "too small");
        assert!(!v3_candidate(&names, "SyncHost", "subst.dll", 200_000, None));
        assert!(!v3_candidate(&names, "a", "subst.exe", 200_000, None), "only programs and libraries give names");
    }

    #[test]
    fn v4_cases() {
        for (folder, file, expected) in [
            ("Aibevs", "jbcss.nfg", true),
            ("Ckninfwzsiyqxydc", "ialkquzoobkioba.czi", true),
            ("Abc", "jbcss.nfg", false),
            ("Aibevs", "jb.nfg", false),
            ("Aibevs", "jbcss.exe", false),
            ("Aibevs", "jbcss.EXE", true),
            ("Aibevs", "jbcss.tar.nfg", false),
            ("Aib3vs", "jbcss.nfg", false),
        ] {
            assert_eq!(v4_candidate(folder, file), expected, "{folder}\\{file}");
        }
        let command = r#"C:\Windows\SysWOW64\rundll32.exe "C:\Users\a\AppData\Local\Aibevs\jbcss.nfg",Control_RunDLL"#;
        assert!(v4_runs("jbcss.nfg", "jbcss.nfg", command, false));
        assert!(v4_runs("jbcss.nfg", "Qwertyu", command, false));
        assert!(!v4_runs("jbcss.nfg", "Qwertyu", command, true), "a service must bear the file's name");
        assert!(!v4_runs("other.nfg", "Qwertyu", command, false));
        assert!(!v4_runs("jbcss.nfg", "jbcss.nfg", r"C:\jbcss.nfg", false));
    }

    /// Both edges of the window, in ticks: 6,047,997,000,000 ≤ d ≤ 6,048,002,999,999.
    #[test]
    fn v5_window() {
        let file = Timestamp::parse("2021-01-01T00:00:00Z").unwrap();
        let folder = |ticks: i64| Timestamp::from_filetime(file.filetime().wrapping_add_signed(ticks));
        for (ticks, expected) in [
            (6_048_000_000_000, true),
            (6_047_997_000_000, true),
            (6_047_996_999_999, false),
            (6_048_002_999_999, true),
            (6_048_003_000_000, false),
            (0, false),
            (-6_048_000_000_000, false),
        ] {
            assert_eq!(v5_candidate(folder(ticks), file), expected, "{ticks}");
        }
        assert!(!v5_candidate(Timestamp::from_filetime(u64::MAX), Timestamp::from_filetime(0)));
    }
}
