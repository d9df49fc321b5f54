//! USB devices that were ever plugged in.
//!
//! `SYSTEM\…\Enum\USBSTOR\<device>\<instance>` for disks, `…\Enum\USB\<device>\<instance>` for every device. The
//! instance is the device's own serial number, with `&<n>` behind it under USBSTOR; one with `&` in second place was
//! made up by Windows for a device that has none. Below the instance lie the properties of the set
//! `{83da6326-97a6-4088-9453-a1923f573b29}`, each a FILETIME:
//!
//! | property | what |
//! |---|---|
//! | 0064 | driver last installed (DEVPKEY_Device_InstallDate) |
//! | 0065 | driver first installed (DEVPKEY_Device_FirstInstallDate) |
//! | 0066 | last plugged in (DEVPKEY_Device_LastArrivalDate), from Windows 8 on |
//! | 0067 | last taken away (DEVPKEY_Device_LastRemovalDate), from Windows 8 on |
//!
//! From Windows 8 on a property is the default value of the key `Properties\{set}\0064`, in Windows 7 the value `Data`
//! of `Properties\{set}\00000064\00000000`.
//!
//! Source: Microsoft, devpkey.h; compared with RegRipper's usbstor on a hive of Windows 10.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads};
use super::key_values::KeyValues;
use crate::bytes::fields::u64_at;
use crate::formats::regf::Key;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, Timestamp};

static DEVICE: Descriptor = Descriptor {
    name: "windows:registry:usb_device",
    doc: "A USB device was plugged in: its name, its serial number, and when.",
    message: "USB device {device}[ ({friendly_name})][, serial number {serial}]",
    data_type: Some("windows:registry:usbstor"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("bus", Kind::Text, "USBSTOR (disks) or USB (every device)"),
        Field::new("device", Kind::Text, "Name of the device's key"),
        Field::new("instance", Kind::Text, "Name of the instance's key"),
        Field::new("serial", Kind::Text, "Serial number that the device itself has; absent where Windows made one up"),
        Field::new("vendor", Kind::Text, "Vendor: Ven_… or the number VID_…"),
        Field::new("product", Kind::Text, "Product: Prod_… or the number PID_…"),
        Field::new("revision", Kind::Text, "Revision"),
        Field::new("friendly_name", Kind::Text, "Name shown to users"),
        Field::new("description", Kind::Text, "Description by its driver"),
        Field::new("service", Kind::Text, "Driver service"),
        Field::new("location", Kind::Text, "Port and hub"),
        Field::new("container", Kind::Text, "Identifier that all functions of one device share"),
        Field::new("manufacturer", Kind::Text, "Manufacturer as its driver says"),
        Field::new(
            "disk_id",
            Kind::Text,
            "Identifier of the disk (Partmgr, DiskId), which other keys and event logs name too",
        ),
        Field::new("parent_prefix", Kind::Text, "ParentIdPrefix, which links to other keys up to Windows XP"),
        Field::new("first_installed", Kind::Time, "Property 0065"),
        Field::new("last_installed", Kind::Time, "Property 0064"),
        Field::new("last_arrival", Kind::Time, "Property 0066"),
        Field::new("last_removal", Kind::Time, "Property 0067"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "usb_devices",
    doc: "For each USB device Windows keeps a key from the first time that it was plugged in: disks under USBSTOR, \
every device under USB. The name tells vendor and product, and mostly the serial number. Properties tell when its \
driver was first and last installed, and from Windows 8 on when it was last plugged in and last taken away.\n\n\
It proves that a device with that name and serial number was plugged in. A row stands at each of the times: \
first_seen is the first installation, installed the last one, connected the last arrival, disconnected the last \
removal; key_written is the last write of the KEY, which dates the last change of any of its values and says little \
here: an update of Windows writes all of them.\n\n\
It does not prove who plugged it in (see MountPoints2 of the users) nor what was copied. A device can lie about name \
and serial number. Only the first and the last time are kept.\n\n\
It lives long; Windows 8 to early Windows 10 remove devices that were not seen for some 30 days. Older times stand in \
setupapi.dev.log and in the event logs.",
    references: &[
        "https://learn.microsoft.com/en-us/windows-hardware/drivers/install/devpkey-device-lastarrivaldate",
        "https://attack.mitre.org/techniques/T1091/",
    ],
    emits: &[&DEVICE],
    reads: Reads::RegKeys {
        keys: &[r"SYSTEM\CurrentControlSet\Enum\USBSTOR\*\*", r"SYSTEM\CurrentControlSet\Enum\USB\*\*"],
        parse,
    },
};

const PROPERTIES: &str = "{83da6326-97a6-4088-9453-a1923f573b29}";

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let Some(device_key) = input.key.parent() else { return Ok(Completion::Complete) };
    let values = KeyValues::read(&input.key, out);
    let (device, instance) = (device_key.name(), input.key.name());
    let part = |starts: [&str; 2]| {
        device.split('&').find_map(|part| starts.iter().find_map(|start| part.strip_prefix(start))).map(str::to_owned)
    };
    let properties = input.key.subkey("Properties").and_then(|key| key.subkey(PROPERTIES));
    let time = |property: &str| properties.as_ref().and_then(|set| property_time(set, property));
    let (installed, first) = (time("0064"), time("0065"));
    let (arrival, removal) = (time("0066"), time("0067"));
    out.give(
        values
            .record(&DEVICE, input)
            .set_some("bus", device_key.parent().map(|bus| bus.name()))
            .set_some("vendor", part(["Ven_", "VID_"]).filter(|text| !text.is_empty()))
            .set_some("product", part(["Prod_", "PID_"]).filter(|text| !text.is_empty()))
            .set_some("revision", part(["Rev_", "REV_"]).filter(|text| !text.is_empty()))
            .set_some("serial", serial(&instance))
            .set("device", device)
            .set("instance", instance)
            .set_some("friendly_name", values.text("FriendlyName"))
            .set_some("description", values.text("DeviceDesc"))
            .set_some("service", values.text("Service"))
            .set_some("location", values.text("LocationInformation"))
            .set_some("container", values.text("ContainerID"))
            .set_some("manufacturer", values.text("Mfg"))
            .set_some("disk_id", disk_id(&input.key))
            .set_some("parent_prefix", values.text("ParentIdPrefix"))
            .set_some("first_installed", first)
            .set_some("last_installed", installed)
            .set_some("last_arrival", arrival)
            .set_some("last_removal", removal)
            .time(Meaning::FIRST_SEEN, first)
            .time(Meaning::INSTALLED, installed)
            .time(Meaning::CONNECTED, arrival)
            .time(Meaning::DISCONNECTED, removal),
    );
    Ok(Completion::Complete)
}

/// What the partition manager calls the disk.
fn disk_id(key: &Key<'_>) -> Option<String> {
    key.subkey("Device Parameters")?.subkey("Partmgr")?.value("DiskId")?.text()
}

/// The serial number, if the device has one of its own.
fn serial(instance: &str) -> Option<String> {
    if instance.chars().nth(1) == Some('&') {
        return None;
    }
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let number = instance.rsplit_once('&').filter(|(_, n)| digits(n)).map_or(instance, |(number, _)| number);
    (!number.is_empty()).then(|| number.to_owned())
}

fn property_time(set: &Key<'_>, property: &str) -> Option<Timestamp> {
    let value = match set.subkey(property) {
        Some(key) => key.value(""),
        None => set.subkey(&format!("0000{property}"))?.subkey("00000000")?.value("Data"),
    };
    u64_at(&value?.data().ok()?, 0).and_then(Timestamp::from_filetime_field)
}

#[cfg(test)]
mod tests {
    use super::super::key_values::tests::{read, text};
    use super::*;

    const SYSTEM: &[u8] = include_bytes!("../../../testdata/artifacts/usb_devices/system.hve");

    #[test]
    fn times_of_windows_10_and_of_windows_7() {
        let disk = r"ControlSet001\Enum\USBSTOR\Disk&Ven_Evil&Prod_Stick&Rev_1.0\0123456789&0";
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &[disk]);
        let times: Vec<_> = sink.events.iter().map(|e| (e.meaning, e.time.unwrap().to_string())).collect();
        let at = |text: &str| format!("2020-08-26T{text}Z");
        assert_eq!(
            times,
            [
                (Meaning::KEY_WRITTEN, "2020-01-10T08:00:00.0000000Z".to_owned()),
                (Meaning::INSTALLED | Meaning::FIRST_SEEN, at("05:01:00.5000000")),
                (Meaning::CONNECTED, at("05:02:00.5000000")),
                (Meaning::DISCONNECTED, at("05:03:00.5000000")),
            ]
        );
        let event = &sink.events[0];
        let fields = ["bus", "vendor", "product", "revision", "serial"].map(|name| text(event, name).unwrap());
        assert_eq!(fields, ["USBSTOR", "Evil", "Stick", "1.0", "0123456789"]);
        let seven = r"ControlSet001\Enum\USB\VID_0781&PID_5530\7&1234&0&2";
        let sink = read(&ARTIFACT, &Host::default(), SYSTEM, "HKLM", &[seven]);
        assert_eq!(sink.events[1].meaning, Meaning::FIRST_SEEN);
        assert_eq!(
            (text(&sink.events[0], "serial"), text(&sink.events[0], "product").as_deref()),
            (None, Some("5530"))
        );
    }
}
