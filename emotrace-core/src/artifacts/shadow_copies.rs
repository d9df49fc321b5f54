//! Volume shadow copies: when the volume was kept as it was.

use super::{Artifact, ArtifactError, Completion, Out, Reads, Record, VolumeInput};
use crate::model::{Descriptor, Field, Host, Kind, Meaning};

/// Volume shadow copies.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "shadow_copies",
    doc: "\
The catalogue of a volume's shadow copies (System Volume Information). Windows makes a copy before updates and installations, by \
a daily or weekly task, and for backups; from then on it keeps the old content of every block that is written over.

It proves that the volume was copied at that time, and that what the copy holds was on the volume then.

It does not prove that there were no other copies: deleted ones leave no entry here. Ransomware deletes them (vssadmin delete \
shadows); an empty catalogue on a system that has been in use for long asks for the reason. Blocks of files that Windows is told \
to leave out, and blocks that were not in use, are not kept.

Copies live until their share of the volume is full, oldest first out: days to months.",
    references: &[
        "libvshadow, Volume Shadow Snapshot (VSS) format, https://github.com/libyal/libvshadow/tree/main/documentation",
        "Microsoft, _VSS_VOLUME_SNAPSHOT_ATTRIBUTES (vss.h)",
    ],
    emits: &[&SNAPSHOT],
    reads: Reads::Volume { parse },
};

static SNAPSHOT: Descriptor = Descriptor {
    name: "windows:vss:snapshot",
    doc: "A shadow copy of the volume was made.",
    message: "shadow copy {number} was made[ on {operating_machine}]",
    data_type: None,
    fields: &[
        Field::new("number", Kind::Number, "Number by age among those that are left, 1 for the oldest"),
        Field::new("copy_id", Kind::Text, "Identifier of the copy, as `vssadmin list shadows` shows it"),
        Field::new("set_id", Kind::Text, "Identifier of the set: copies of several volumes that were made at once"),
        Field::new("store_id", Kind::Text, "Identifier of its store, a part of the file's name"),
        Field::new("operating_machine", Kind::Text, "Machine that it was made on"),
        Field::new("service_machine", Kind::Text, "Machine that the service ran on"),
        Field::new("attributes", Kind::Number, "_VSS_VOLUME_SNAPSHOT_ATTRIBUTES"),
        Field::new("sequence", Kind::Number, "Sequence number in the catalogue"),
        Field::new("volume_size", Kind::Number, "Length of the volume then, in bytes"),
    ],
};

fn parse(input: &VolumeInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    for copy in input.volume.shadow_copies() {
        out.give(
            Record::new(&SNAPSHOT)
                .at(copy.offset)
                .time(Meaning::SNAPSHOT, copy.created)
                .set("number", copy.number)
                .set_some("copy_id", copy.copy_id.as_deref())
                .set_some("set_id", copy.set_id.as_deref())
                .set("store_id", copy.store_id.as_str())
                .set_some("operating_machine", copy.operating_machine.as_deref())
                .set_some("service_machine", copy.service_machine.as_deref())
                .set_some("attributes", copy.attributes)
                .set("sequence", copy.sequence)
                .set("volume_size", copy.size),
        );
    }
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Limits, VolumeView};
    use super::*;
    use crate::bytes::ReadAt;
    use crate::model::{Collect, FileReference, ShadowCopy, State, Timestamp};

    struct Volume(Vec<ShadowCopy>);

    impl VolumeView for Volume {
        fn open(&self, _: &str, _: &str) -> Option<Arc<dyn ReadAt>> {
            None
        }
        fn path_of(&self, _: FileReference) -> Option<String> {
            None
        }
        fn shadow_copies(&self) -> &[ShadowCopy] {
            &self.0
        }
    }

    /// A copy whose store's header is lost is told all the same, without what stood there.
    #[test]
    fn each_copy_is_an_event() {
        let created = Timestamp::parse("2013-12-03T06:35:09.7363787Z");
        let machine = Some("INFINITY".to_owned());
        let known = ShadowCopy { number: 2, created, operating_machine: machine, offset: 0x4080, ..Default::default() };
        let lost = ShadowCopy { number: 1, ..ShadowCopy::default() };
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, "shadow_copies", Arc::default(), State::Live);
        let volume = Volume(vec![lost, known]);
        let input = VolumeInput { locator: Arc::default(), volume: &volume, limits: Limits::default() };
        assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        let rows: Vec<_> = sink.events.iter().map(|e| (e.time, e.message(), e.origin.offset)).collect();
        let texts = ["shadow copy 1 was made", "shadow copy 2 was made on INFINITY"].map(str::to_owned);
        let [first, second] = texts;
        assert_eq!(rows, [(None, first, Some(0)), (created, second, Some(0x4080))]);
        assert!(sink.events[0].values.get("copy_id").is_none());
    }
}
