//! File names of image sets: which files beside a given one belong to it, and in which order.
//!
//! | set | names |
//! |---|---|
//! | EWF (EnCase, FTK, linen) | `.E01` … `.E99`, `.EAA` … `.EZZ`, `.FAA` … `.ZZZ` |
//! | EWF (SMART) | `.s01` … `.s99`, `.saa` … `.zzz` |
//! | split raw, numbers | `.001` …, `.000` …, `.01` … (any width from 2) |
//! | split raw, letters | `.aa` `.ab` …, `.aaa` `.aab` … |
//!
//! Names only propose; for EWF the files' own headers decide. Source: libewf, "Expert Witness Compression Format",
//! segment file extensions; `split(1)` of GNU coreutils.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::file::folder_names;

/// Parts of a split raw image may be missing, but not so many that the numbers look like something else (a year).
const LONGEST_JUMP: u64 = 16;

/// A part of a split raw image, told by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawPart {
    /// Number in its set, from 0 for the first part.
    pub(super) number: u64,
    pub(super) path: PathBuf,
}

/// The segment number that the extension of an EWF file stands for, from 1. `None` for other extensions.
pub(super) fn ewf_number(path: &Path) -> Option<u64> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let [first, a, b] = *extension.as_bytes() else { return None };
    if !first.is_ascii_lowercase() {
        return None;
    }
    if a.is_ascii_digit() && b.is_ascii_digit() {
        let number = u64::from(a & 15).checked_mul(10)?.checked_add(u64::from(b & 15))?;
        return (number > 0).then_some(number);
    }
    // The third letter counts fastest; when the last two are used up, the first goes on from `e` or `s`.
    let base = if first >= b's' { b's' } else { b'e' };
    let letter = |c: u8, from: u8| c.is_ascii_lowercase().then(|| u64::from(c.wrapping_sub(from)));
    let rounds = u64::from(first.checked_sub(base)?);
    let place = letter(a, b'a')?.checked_mul(26)?.checked_add(letter(b, b'a')?)?;
    rounds.checked_mul(676)?.checked_add(place)?.checked_add(100)
}

/// True for names that nothing but a segment file has: `.E02`, `.s02`.
pub(super) fn is_numbered(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    matches!(extension.as_bytes(), [b'e' | b's', a, b] if a.is_ascii_digit() && b.is_ascii_digit())
}

/// The files beside `path` whose names could be segments of the same EWF set, `path` not among them, sorted by name.
pub(super) fn ewf_siblings(path: &Path) -> io::Result<Vec<PathBuf>> {
    if ewf_number(path).is_none() {
        return Ok(Vec::new());
    }
    Ok(same_stem(path)?.into_iter().filter(|p| ewf_number(p).is_some()).collect())
}

/// True if both names are equal up to the extension, upper and lower case taken as equal.
pub(super) fn equal_stem(a: &Path, b: &Path) -> bool {
    match (a.file_stem(), b.file_stem()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    }
}

/// The split raw set that `path` belongs to by its name: at least two parts, or one part that is plainly not the first.
/// `None` if the name is that of a whole image.
pub(super) fn raw_set(path: &Path) -> io::Result<Option<Vec<RawPart>>> {
    let Some((style, _)) = part_number(path) else { return Ok(None) };
    let mut parts: Vec<RawPart> = same_stem(path)?
        .into_iter()
        .chain([path.to_owned()])
        .filter_map(|p| match part_number(&p) {
            Some((s, number)) if s == style => Some(RawPart { number, path: p }),
            _ => None,
        })
        .collect();
    parts.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
    parts.dedup_by_key(|p| p.number);
    Ok(sequence(parts, style).filter(|parts| parts.iter().any(|p| p.path == path)))
}

/// Orders files that were given together as the parts of one raw image. `None` if the names tell no order.
pub(super) fn order_raw(paths: &[PathBuf]) -> Option<Vec<RawPart>> {
    let names: Vec<String> = paths.iter().map(|p| lower_name(p)).collect();
    let common = names.iter().skip(1).fold(names.first()?.as_str(), |prefix, name| common_prefix(prefix, name));
    // A number must not be torn: `img.009` and `img.010` share the `0`.
    let prefix = common.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let letters = names.iter().map(|n| n.get(common.len()..)).collect::<Option<Vec<_>>>()?;
    let digits = names.iter().map(|n| n.get(prefix..)).collect::<Option<Vec<_>>>()?;
    let mut parts: Vec<RawPart> = if digits.iter().all(|d| leading_number(d).is_some()) {
        let numbers = digits.iter().filter_map(|d| leading_number(d));
        numbers.zip(paths).map(|(number, path)| RawPart { number, path: path.clone() }).collect()
    } else {
        if !letters.iter().all(|l| !l.is_empty() && l.len() <= 4 && l.bytes().all(|b| b.is_ascii_alphabetic())) {
            return None;
        }
        let mut sorted: Vec<_> = letters.iter().zip(paths).collect();
        sorted.sort();
        sorted.into_iter().zip(0..).map(|((_, path), number)| RawPart { number, path: path.clone() }).collect()
    };
    parts.sort_by_key(|p| p.number);
    let first = parts.first()?.number;
    let doubled = parts.windows(2).any(|pair| matches!(pair, [a, b] if a.number == b.number));
    let torn = parts.windows(2).any(|pair| matches!(pair, [a, b] if b.number.saturating_sub(a.number) > LONGEST_JUMP));
    if doubled || torn {
        return None;
    }
    let origin = if first <= 1 { first } else { 1 };
    for part in &mut parts {
        part.number = part.number.saturating_sub(origin);
    }
    Some(parts)
}

/// How a part's extension counts, with its width: sets of other styles or widths are other sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Numbers(usize),
    Letters(usize),
}

/// The number in a part's extension.
fn part_number(path: &Path) -> Option<(Style, u64)> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let width = extension.len();
    if (2..=9).contains(&width) && extension.bytes().all(|b| b.is_ascii_digit()) {
        return Some((Style::Numbers(width), extension.parse().ok()?));
    }
    if (2..=4).contains(&width) && extension.bytes().all(|b| b.is_ascii_lowercase()) {
        let mut number = 0u64;
        for b in extension.bytes() {
            number = number.checked_mul(26)?.checked_add(u64::from(b.wrapping_sub(b'a')))?;
        }
        return Some((Style::Letters(width), number));
    }
    None
}

/// The parts that follow each other from the first one, numbers counted from 0.
fn sequence(parts: Vec<RawPart>, style: Style) -> Option<Vec<RawPart>> {
    let first = parts.first()?.number;
    let origin = match style {
        // `disk.dd` and `disk.img` end in letters too, so a set of letters must show its first part.
        Style::Letters(_) if first > 0 => return None,
        Style::Numbers(_) if first > 0 => 1,
        _ => 0,
    };
    // A lone `.003` is part of a set; a lone `.2024` or `.20` is a name.
    if first > 1 && style != Style::Numbers(3) {
        return None;
    }
    let mut found: Vec<RawPart> = Vec::new();
    for part in parts {
        let number = part.number.saturating_sub(origin);
        let before = found.last().map_or(0, |p| p.number);
        if number.saturating_sub(before) > LONGEST_JUMP {
            break;
        }
        found.push(RawPart { number, path: part.path });
    }
    (found.len() > 1 || first > 1).then_some(found)
}

/// All files beside `path` with the same stem, `path` not among them, sorted.
fn same_stem(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for name in folder_names(folder)? {
        let other = path.with_file_name(&name);
        if Some(name.as_os_str()) != path.file_name() && equal_stem(path, &other) {
            found.push(other);
        }
    }
    found.sort();
    Ok(found)
}

fn lower_name(path: &Path) -> String {
    path.file_name().unwrap_or(OsStr::new("")).to_string_lossy().to_lowercase()
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let len: usize = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    a.get(..len).unwrap_or_default()
}

/// The number that a text begins with.
fn leading_number(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).map_or(text, |end| text.get(..end).unwrap_or_default());
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn set(given: &str, files: &[&str]) -> Option<Vec<(u64, String)>> {
        let folder = tempfile::tempdir().unwrap();
        for f in files {
            fs::write(folder.path().join(f), b"x").unwrap();
        }
        let parts = raw_set(&folder.path().join(given)).unwrap()?;
        Some(parts.into_iter().map(|p| (p.number, p.path.file_name().unwrap().to_str().unwrap().to_owned())).collect())
    }

    fn numbers(set: Option<Vec<(u64, String)>>) -> Vec<u64> {
        set.unwrap_or_default().into_iter().map(|(n, _)| n).collect()
    }

    #[test]
    fn ewf_extensions_count_on_after_99() {
        let number = |name: &str| ewf_number(Path::new(name));
        assert_eq!(number("a.E01"), Some(1));
        assert_eq!(number("a.e99"), Some(99));
        assert_eq!(number("a.EAA"), Some(100));
        assert_eq!(number("a.EAZ"), Some(125));
        assert_eq!(number("a.EBA"), Some(126));
        assert_eq!(number("a.FAA"), Some(776));
        assert_eq!(number("a.s01"), Some(1));
        assert_eq!(number("a.saa"), Some(100));
        assert_eq!(number("a.E00"), None);
        assert_eq!(number("a.txt1"), None);
        assert_eq!(number("a.001"), None);
    }

    #[test]
    fn numbered_parts_are_found_from_any_of_them() {
        assert_eq!(numbers(set("d.001", &["d.001", "d.002", "d.003", "e.004", "d.txt"])), [0, 1, 2]);
        assert_eq!(numbers(set("d.002", &["d.000", "d.001", "d.002"])), [0, 1, 2]);
        assert_eq!(numbers(set("d.003", &["d.001", "d.003"])), [0, 2]);
        assert_eq!(numbers(set("d.003", &["d.003"])), [2]);
    }

    #[test]
    fn lettered_parts_need_their_first() {
        assert_eq!(numbers(set("d.ab", &["d.aa", "d.ab", "d.ac", "d.dd"])), [0, 1, 2]);
        assert_eq!(numbers(set("D.AB", &["D.AA", "D.AB"])), [0, 1]);
        assert_eq!(set("d.dd", &["d.aa", "d.ab", "d.dd"]), None);
        assert_eq!(set("d.img", &["d.img", "d.raw"]), None);
    }

    #[test]
    fn a_year_is_no_part() {
        assert_eq!(set("disk.2024", &["disk.2024", "disk.2023"]), None);
        assert_eq!(set("disk.001", &["disk.001"]), None);
    }

    #[test]
    fn given_parts_are_ordered_by_what_differs() {
        let order = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
            order_raw(&paths).map(|parts| {
                parts.into_iter().map(|p| (p.number, p.path.to_str().unwrap().to_owned())).collect::<Vec<_>>()
            })
        };
        let names = |list: &[(u64, &str)]| Some(list.iter().map(|(n, s)| (*n, (*s).to_owned())).collect::<Vec<_>>());
        assert_eq!(order(&["i.010", "i.009", "i.008"]), names(&[(7, "i.008"), (8, "i.009"), (9, "i.010")]));
        assert_eq!(order(&["xab", "xaa"]), names(&[(0, "xaa"), (1, "xab")]));
        assert_eq!(order(&["p2.dd", "p10.dd", "p1.dd"]), names(&[(0, "p1.dd"), (1, "p2.dd"), (9, "p10.dd")]));
        assert_eq!(order(&["first.bin", "other.bin"]), None);
        assert_eq!(order(&["a/x.001", "b/x.001"]), None);
    }
}
