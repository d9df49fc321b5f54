//! Which volume bore which drive letter.
//!
//! `SYSTEM\MountedDevices`: one value for each drive letter (`\DosDevices\C:`), volume (`\??\Volume{…}`) and mount
//! point of a user (`#{…}`). Its data is one of:
//!
//! | data | what |
//! |---|---|
//! | 12 bytes | MBR disk signature (0, u32), start of the partition in bytes (4, u64) |
//! | `DMIO:ID:` and 16 bytes | identifier of a GPT partition |
//! | UTF-16 | device path, for removable media with the device's serial number |
//!
//! Source: Microsoft KB 234048; compared with RegRipper's mountdev2.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::{KeyValues, value_record};
use crate::bytes::fields::{u32_at, u64_at};
use crate::bytes::text;
use crate::model::{Descriptor, Field, Host, Kind};

static DEVICE: Descriptor = Descriptor {
    name: "windows:registry:mounted_device",
    doc: "A volume bears a drive letter or identifier; set at the latest when the key was last written.",
    message: "{name} is[ the partition {partition}][ the partition at {offset} of the disk {disk_signature}][ {device}]",
    data_type: None,
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("name", Kind::Text, "Name of the value"),
        Field::new("drive_letter", Kind::Text, "Drive letter with its colon"),
        Field::new("volume", Kind::Text, "Identifier of the volume"),
        Field::new("disk_signature", Kind::Text, "Signature in the disk's MBR, hex"),
        Field::new("offset", Kind::Number, "Start of the partition in bytes"),
        Field::new("partition", Kind::Text, "Identifier of a GPT partition"),
        Field::new("device", Kind::Text, "Device path"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "mounted_devices",
    doc: "Windows remembers which volume bore which drive letter, and an identifier for every volume that was ever \
mounted. A fixed disk is told by its signature and the place of the partition, removable media by a device path with \
the serial number.\n\n\
It proves that the volume was mounted on this machine, and that the drive letter belonged last to the volume named. \
With the serial number it joins a drive letter to a USB device, and with the disk's signature to a disk at hand.\n\n\
It does not prove when: the time of a row is the last write of the one KEY that has all of them, so it dates the last \
change of any. An earlier volume of the same drive letter is not kept under the letter.\n\n\
It lives until somebody removes the value (mountvol /r); nothing ages it.",
    references: &["https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-volume"],
    emits: &[&DEVICE],
    reads: Reads::RegKeys { keys: &[r"SYSTEM\MountedDevices"], parse },
};

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    for value in KeyValues::read(&input.key, out).iter() {
        let Some(data) = out.keep(value.data()) else { continue };
        let name = value.name();
        let volume = name.find('{').and_then(|start| name.get(start..)).map(str::to_owned);
        let record = value_record(&DEVICE, input, value)
            .set_some("drive_letter", name.strip_prefix(r"\DosDevices\").map(str::to_owned))
            .set_some("volume", volume)
            .set("name", name);
        let partition = data.strip_prefix(b"DMIO:ID:").and_then(|id| id.first_chunk());
        out.give(match (partition, data.len()) {
            (Some(id), _) => record.set("partition", format!("{{{}}}", text::guid(id))),
            (None, 12) => record
                .set_some("disk_signature", u32_at(&data, 0).map(|signature| format!("{signature:08x}")))
                .set_some("offset", u64_at(&data, 4)),
            (None, 0) => record,
            (None, _) => record.set("device", text::from_utf16le(&data)),
        });
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::read;
    use super::*;
    use crate::model::Event;

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/mounted_devices/system.hve");

    #[test]
    fn the_three_kinds() {
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &["MountedDevices"]);
        let messages: Vec<_> = sink.events.iter().map(Event::message).collect();
        assert_eq!(
            messages,
            [
                r"\DosDevices\C: is the partition at 1048576 of the disk df4546ae",
                r"\??\Volume{11111111-2222-3333-4444-555555555555} is the partition {04030201-0605-0807-090a-0b0c0d0e0f10}",
                r"\DosDevices\E: is _??_USBSTOR#Disk&Ven_Evil&Prod_Stick&Rev_1.0#0123456789&0#{53f56307-b6bf-11d0-94f2-00a0c91efb8b}",
            ]
        );
    }
}
