//! Containers that look like an image and are not one that can be read here. They are named, with a way out, and never
//! read as raw: their bytes are not the disk's bytes.
//!
//! Source of the signatures: the formats' own specifications (Microsoft VHD and VHDX, QEMU qcow2, VMware virtual disk
//! format 5.0, VirtualBox, AFFLIB, libewf's EWF2 and AD encryption notes).

use crate::bytes::{ReadAt, read_up_to};

/// What a file is, and what to do with it.
pub(super) struct Container {
    pub(super) what: &'static str,
    pub(super) advice: &'static str,
}

const QEMU: &str = "convert it first: qemu-img convert -O raw IN OUT.raw";
const LIBEWF: &str = "export it as raw or E01 with the tool that made it";
const UNPACK: &str = "unpack it first and give the image inside";
const AFF: &str = "convert it first: affconvert -r IN";

/// Offset, signature, name, advice.
const SIGNATURES: &[(u64, &[u8], &str, &str)] = &[
    (0, b"EVF2\r\n\x81\0", "an EWF2 image (Ex01)", LIBEWF),
    (0, b"LEF2\r\n\x81\0", "an EWF2 logical evidence file (Lx01)", LIBEWF),
    (0, b"LVF\t\r\n\xff\0", "an EWF logical evidence file (L01)", "export its files and give the folder"),
    (0, b"ADCRYPT\0", "an image with AD encryption", "decrypt it first in FTK Imager"),
    (0, b"AFF10\r\n\0", "an AFF image", AFF),
    (0, b"KDMV", "a VMDK virtual disk", QEMU),
    (0, b"COWD", "a VMDK virtual disk (ESX)", QEMU),
    (0, b"# Disk DescriptorFile", "a VMDK descriptor, a text that names the files of a virtual disk", QEMU),
    (0, b"conectix", "a VHD virtual disk", QEMU),
    (0, b"vhdxfile", "a VHDX virtual disk", QEMU),
    (0, b"QFI\xfb", "a QCOW2 virtual disk", QEMU),
    (0x40, b"\x7f\x10\xda\xbe", "a VDI virtual disk (VirtualBox)", QEMU),
    (0, b"WithoutFreeSpace", "a Parallels virtual disk", QEMU),
    (0, b"WithouFreSpacExt", "a Parallels virtual disk", QEMU),
    (0, b"\x1f\x8b\x08", "a gzip file", UNPACK),
    (0, b"\xfd7zXZ\0", "an xz file", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file", UNPACK),
    (4, b"1AY&SY", "a bzip2 file", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
];

/// Names the container, `None` if it may be a raw image.
pub(super) fn recognise(file: &impl ReadAt) -> Option<Container> {
    let mut head = [0u8; 512];
    let n = read_up_to(file, 0, &mut head).ok()?;
    let head = head.get(..n)?;
    for &(offset, signature, what, advice) in SIGNATURES {
        let place = head.get(usize::try_from(offset).ok()?..);
        if place.is_some_and(|bytes| bytes.starts_with(signature)) {
            return Some(Container { what, advice });
        }
    }
    if head.starts_with(b"PK\x03\x04") {
        // An AFF4 volume is a ZIP archive; its writers put the member `container.description` first.
        let aff4 = head.get(30..).is_some_and(|name| name.starts_with(b"container.description"));
        let (what, advice) =
            if aff4 { ("an AFF4 image", "export it as raw with an AFF4 tool") } else { ("a ZIP archive", UNPACK) };
        return Some(Container { what, advice });
    }
    // A DMG is known by its last sector.
    let mut footer = [0u8; 4];
    if let Some(place) = file.len().checked_sub(512)
        && read_up_to(file, place, &mut footer).ok()? == footer.len()
        && &footer == b"koly"
    {
        return Some(Container { what: "a DMG disk image (Apple)", advice: QEMU });
    }
    None
}

/// Length of the footer behind a fixed VHD. Such a file is the disk's bytes and this footer, so it is read as raw without
/// it. (A dynamic VHD begins with a copy of its footer and is refused above.)
pub(super) const VHD_FOOTER: u64 = 512;

/// True if a sector is the footer of a fixed VHD: `conectix`, disk type 2 at 60, and at 64 the complement of the sum of
/// all other bytes. Source: Microsoft, "Virtual Hard Disk Image Format Specification".
pub(super) fn is_fixed_vhd_footer(sector: &[u8; 512]) -> bool {
    let stored = sector.get(64..68).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_be_bytes(*b));
    let others = sector.iter().enumerate().filter(|(i, _)| !(64..68).contains(i));
    let sum = others.fold(0u32, |sum, (_, byte)| sum.wrapping_add(u32::from(*byte)));
    sector.starts_with(b"conectix") && sector.get(60..64) == Some(&[0, 0, 0, 2]) && stored == Some(!sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: Vec<u8>) -> Option<&'static str> {
        recognise(&bytes).map(|c| c.what)
    }

    #[test]
    fn containers_are_named() {
        let padded = |start: &[u8]| [start, &[0; 1024]].concat();
        assert_eq!(name(padded(b"KDMV\x01\0\0\0")), Some("a VMDK virtual disk"));
        assert_eq!(name(padded(b"EVF2\r\n\x81\0")), Some("an EWF2 image (Ex01)"));
        assert_eq!(name(padded(b"PK\x03\x04")), Some("a ZIP archive"));
        assert_eq!(name(padded(b"conectix")), Some("a VHD virtual disk"));
        let mut aff4 = padded(b"PK\x03\x04");
        aff4[30..51].copy_from_slice(b"container.description");
        assert_eq!(name(aff4), Some("an AFF4 image"));
    }

    #[test]
    fn a_disk_and_a_short_file_are_not_containers() {
        let mut disk = vec![0; 4096];
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(name(disk), None);
        assert_eq!(name(b"K".to_vec()), None);
        assert_eq!(name(Vec::new()), None);
    }
}
