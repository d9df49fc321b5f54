//! Registry keys: the last write of every key of every hive, as a timeline of its own. Not read unless it is named: a hive
//! has hundreds of thousands of keys.

use super::artifact::{Artifact, ArtifactError, Completion, KeyInput, Out, Reads, Record};
use crate::model::{Descriptor, Field, Host, Kind, Meaning, State};

static KEY: Descriptor = Descriptor {
    name: "windows:registry_keys:key",
    doc: "A registry key was last written.",
    message: "{key_path} was last written",
    data_type: Some("windows:registry:key_value"),
    fields: &[
        Field::new("key_path", Kind::Text, "Full path of the key"),
        Field::new("hive", Kind::Text, "Kind of the hive: SOFTWARE, NTUSER …"),
        Field::new("values", Kind::List, "Names of the values; the default value's is empty"),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "registry_keys",
    doc: "Every key of the Windows Registry carries the time at which it was last written. This artifact gives one row for each \
key of each hive. It is optional: it is read only when it is named (--artifact registry_keys).\n\n\
A row proves that at this moment a value or a direct subkey of the key was added, changed or removed, or its permissions were \
set. Keys that were written at the same moment as something else in the timeline can show what that did.\n\n\
It does not tell which value was changed, who did it, nor of any earlier write. A program can set the time of a key as it \
likes. Updates and installations write many thousand keys at once.\n\n\
It lives until the next write of the key.",
    references: &[
        "https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md",
        "https://learn.microsoft.com/en-us/windows/win32/api/winreg/nf-winreg-regqueryinfokeyw",
    ],
    emits: &[&KEY],
    reads: Reads::RegKeys {
        keys: &[
            r"NTUSER\**",
            r"USRCLASS\**",
            r"SOFTWARE\**",
            r"SYSTEM\**",
            r"SAM\**",
            r"SECURITY\**",
            r"AMCACHE\**",
            r"BBI\**",
            r"SETTINGS\**",
            r"BCD\**",
            r"COMPONENTS\**",
            r"DRIVERS\**",
            r"ELAM\**",
            r"OTHER\**",
        ],
        parse,
    },
};

fn parse(input: &KeyInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    // What can't be read of the values is told once, with the hive.
    let values: Vec<String> = input.key.values().into_iter().flatten().map(|value| value.name()).collect();
    let mut record = Record::new(&KEY)
        .set("key_path", input.path.clone())
        .set("hive", input.hive.name())
        .set_some("values", (!values.is_empty()).then_some(values))
        .time(Meaning::KEY_WRITTEN, input.key.last_write())
        .at(input.key.offset());
    if input.key.from_log() {
        record = record.state(State::LogReplayed);
    }
    out.give(record);
    Ok(Completion::Complete)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::formats::regf::{Hive, HiveKind, HiveOptions};
    use crate::model::{Collect, Value};

    #[test]
    fn one_row_for_each_key() {
        let bytes = include_bytes!("../../../testdata/artifacts/registry_keys/software.hve");
        let hive = Hive::parse(bytes.to_vec(), &[], HiveOptions::default()).unwrap();
        let mut sink = Collect::default();
        for key in hive.keys() {
            let path = key.path();
            let input = KeyInput { locator: Arc::default(), hive: HiveKind::Software, key, path, user: None };
            let mut out = Out::new(&mut sink, ARTIFACT.name, Arc::default(), State::Live);
            assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        }
        // The root, Microsoft, Windows and Windows NT with CurrentVersion each, Run.
        assert_eq!(sink.events.len(), 7);
        let run = sink.events.iter().find(|event| event.values.get("values").is_some()).unwrap();
        assert_eq!(run.time.unwrap().to_string(), "2020-08-26T05:09:52.3456789Z");
        assert_eq!(run.values.get("values"), Some(&Value::List(vec!["a".into(), "".into()])));
    }

    /// Every kind of hive has a pattern.
    #[test]
    fn no_hive_is_left_out() {
        let Reads::RegKeys { keys, .. } = ARTIFACT.reads else { panic!() };
        // NTUSER stands for DEFAULT too.
        for kind in ["NTUSER.DAT", "UsrClass.dat", "SOFTWARE", "SYSTEM", "SAM", "SECURITY", "Amcache.hve", "BBI"] {
            let kind = HiveKind::from_path(kind).unwrap();
            assert!(keys.contains(&format!(r"{}\**", kind.name()).as_str()), "{}", kind.name());
        }
        assert!(keys.contains(&r"OTHER\**") && crate::artifacts::OPTIONAL.contains(&ARTIFACT.name));
    }
}
