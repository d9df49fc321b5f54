//! What a Sigma logsource means here: which events, and what Sigma's field names are called in them.
//!
//! The mapping is data, `rules/mapping.yaml`; its own head explains its form. Here it is read and applied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::{Place, RuleError};
use super::sigma::{LogSource, fold};
use super::yaml::{self, Kind, Node};
use crate::model::{Descriptor, Event, Meaning, Schema, Value};

/// How a value is brought into the form that Sigma rules are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// NT device paths become paths with a drive letter: `\VOLUME{…}\WINDOWS` and `\Device\HarddiskVolume2\Windows` →
    /// `C:\Windows`, `\SystemRoot\x` → `C:\Windows\x`, `\??\C:\x` → `C:\x`, `\Users\x` → `C:\Users\x`. Which letter a volume had is not known here;
    /// rules only ever ask for the system drive's folders.
    Path,
    /// `HKEY_LOCAL_MACHINE\…` → `HKLM\…` and the like, as Sysmon writes keys.
    RegistryKey,
    /// The folder of a path: what stands before the last backslash.
    Folder,
    /// Numbers as `DWORD (0x00000001)`, bytes as `Binary Data`, as Sysmon writes registry data.
    RegistryData,
}

/// Where a field's value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Getter {
    /// A field, or a value inside a map field; `@user`, `@state`, `@path` are the event's own; `item` is the item of a
    /// list that stands for an event of its own.
    Path(Vec<String>, Option<Form>),
    /// The first that is there.
    First(Vec<Getter>),
    /// Texts and values joined; absent if any value is.
    Joined(Vec<Piece>, Option<Form>),
    /// In a text of lines `name=value`, the value of that name.
    Line(Vec<String>, String),
    /// Always the same.
    Fixed(Value),
}

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    Value(Vec<String>),
}

/// One kind of event under Sigma's names.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) descriptor: String,
    /// The event must have one of the accepted values in each of these fields.
    pub(crate) when: Vec<Accepted>,
    pub(crate) meaning: Option<Meaning>,
    pub(crate) fields: Vec<(String, Getter)>,
    /// Maps in which every name that `fields` does not give is looked up by itself. Empty: what `fields` does not give
    /// is not known for this kind of event, and no test on it is ever decided.
    pub(crate) open: Vec<String>,
    /// A list field each item of which is held against the rules by itself.
    pub(crate) each: Option<String>,
    place: Place,
}

/// The values that a field may have.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) path: Vec<String>,
    /// Folded.
    pub(crate) texts: Vec<String>,
    numbers: Vec<u64>,
}

impl Accepted {
    fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Number(n) => self.numbers.contains(n),
            Value::Text(text) if text.is_ascii() => self.texts.iter().any(|a| a.eq_ignore_ascii_case(text)),
            Value::Text(text) => self.texts.contains(&fold(text)),
            Value::List(items) => items.iter().any(|item| self.holds(item)),
            other => self.texts.contains(&other.to_string()),
        }
    }
}

impl Source {
    pub(crate) fn getter(&self, field: &str) -> Option<&Getter> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, getter)| getter)
    }

    /// True if the event is of this kind.
    pub(crate) fn accepts(&self, event: &Event) -> bool {
        self.meaning.is_none_or(|m| event.meaning.contains(m))
            && self.when.iter().all(|a| at_path(event, None, &a.path).is_some_and(|value| a.holds(&value)))
    }
}

/// Which events a Sigma logsource means, and what fields are called there.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    pub(crate) sources: Vec<Source>,
    logsources: Vec<(LogSource, Vec<usize>)>,
    file: String,
}

impl Mapping {
    /// Reads a mapping file.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, RuleError> {
        let documents = yaml::parse(file, text)?;
        let error = |place, message: &str| RuleError::new(file, place, message);
        let Some(root) = documents.first() else { return Err(error(Place::default(), "The mapping is empty.")) };
        let mut mapping = Self { file: file.to_owned(), ..Self::default() };
        for (name, node) in root.get("sources").map_or(&[][..], Node::entries) {
            let source = mapping.source(&name.text, node)?;
            mapping.sources.push(source);
        }
        for node in root.get("logsources").map_or(&[][..], Node::items) {
            let part = |name: &str| node.get(name).and_then(Node::text);
            let logsource =
                LogSource { category: part("category"), product: part("product"), service: part("service") };
            let mut sources = Vec::new();
            for item in node.get("sources").map_or(&[][..], Node::items) {
                let name = item.text().unwrap_or_default();
                let Some(at) = mapping.sources.iter().position(|s| s.name == name) else {
                    let names = mapping.sources.iter().map(|s| s.name.as_str());
                    return Err(error(item.place, &format!("There is no source '{name}'.")).suggest(&name, names));
                };
                sources.push(at);
            }
            mapping.logsources.push((logsource, sources));
        }
        Ok(mapping)
    }

    fn source(&self, name: &str, node: &Node) -> Result<Source, RuleError> {
        let error = |place, message: String| RuleError::new(&self.file, place, message);
        let known = ["event", "like", "when", "meaning", "fields", "open", "each"];
        if let Some((key, _)) = node.entries().iter().find(|(k, _)| !known.contains(&k.text.as_str())) {
            return Err(error(key.place, format!("A source has no '{}'.", key.text)).suggest(&key.text, known));
        }
        let mut source = match node.get("like") {
            None => Source {
                name: name.to_owned(),
                descriptor: String::new(),
                when: Vec::new(),
                meaning: None,
                fields: Vec::new(),
                open: Vec::new(),
                each: None,
                place: node.place,
            },
            Some(like) => {
                let of = like.text().unwrap_or_default();
                let Some(base) = self.sources.iter().find(|s| s.name == of) else {
                    let names = self.sources.iter().map(|s| s.name.as_str());
                    return Err(error(like.place, format!("There is no source '{of}' above.")).suggest(&of, names));
                };
                Source { name: name.to_owned(), place: node.place, ..base.clone() }
            }
        };
        if let Some(event) = node.get("event").and_then(Node::text) {
            source.descriptor = event;
        }
        if source.descriptor.is_empty() {
            return Err(error(node.place, format!("The source '{name}' names no event.")));
        }
        for (key, accepted) in node.get("when").map_or(&[][..], Node::entries) {
            let path = path(&key.text);
            let texts: Vec<String> = accepted.items().iter().filter_map(Node::text).map(|t| fold(&t)).collect();
            let numbers = texts.iter().filter_map(|t| t.parse().ok()).collect();
            source.when.retain(|a| a.path != path);
            source.when.push(Accepted { path, texts, numbers });
        }
        if let Some(meaning) = node.get("meaning") {
            let name = meaning.text().unwrap_or_default();
            let found = Meaning::ALL.iter().find(|(_, n)| *n == name).map(|(m, _)| *m);
            source.meaning = Some(found.ok_or_else(|| {
                error(meaning.place, format!("There is no meaning '{name}'."))
                    .suggest(&name, Meaning::ALL.iter().map(|(_, n)| *n))
            })?);
        }
        if let Some(open) = node.get("open") {
            source.open = open.items().iter().filter_map(Node::text).collect();
        }
        if let Some(each) = node.get("each") {
            source.each = each.text();
        }
        for (key, value) in node.get("fields").map_or(&[][..], Node::entries) {
            let getter = getter(value).map_err(|message| error(value.place, message))?;
            source.fields.retain(|(field, _)| *field != key.text);
            source.fields.push((key.text.clone(), getter));
        }
        Ok(source)
    }

    /// The kinds of events that a rule's logsource means, as places in `sources`. None if the logsource is unknown.
    pub(crate) fn resolve(&self, wanted: &LogSource) -> Option<&[usize]> {
        let fits = |want: &Option<String>, have: &Option<String>| match (want, have) {
            (_, None) => true,
            (Some(want), Some(have)) => want.eq_ignore_ascii_case(have),
            (None, Some(_)) => false,
        };
        self.logsources
            .iter()
            .filter(|(have, _)| {
                fits(&wanted.category, &have.category)
                    && fits(&wanted.product, &have.product)
                    && fits(&wanted.service, &have.service)
            })
            // What the rule says and the entry does not narrows the meaning, except beside a category: there a service
            // only says who usually writes that category.
            .filter(|(have, _)| have.category.is_some() == wanted.category.is_some())
            .filter(|(have, _)| have.category.is_some() || have.service.is_some() == wanted.service.is_some())
            .max_by_key(|(have, _)| {
                [&have.category, &have.product, &have.service].into_iter().filter(|p| p.is_some()).count()
            })
            .map(|(_, sources)| sources.as_slice())
    }

    /// Every logsource as text, for "did you mean".
    pub(crate) fn logsource_names(&self) -> Vec<String> {
        self.logsources.iter().map(|(logsource, _)| logsource.to_string()).collect()
    }

    /// Holds the mapping against the events that there are: every field it reads must be declared. Sources whose event no
    /// parser gives are left out and named in the first list; mistakes are in the second.
    pub(crate) fn check(&self, schema: &Schema) -> (Vec<String>, Vec<RuleError>) {
        let mut missing = Vec::new();
        let mut errors = Vec::new();
        for source in &self.sources {
            let Some(descriptor) = schema.descriptors.iter().find(|d| d.name == source.descriptor) else {
                missing.push(source.name.clone());
                continue;
            };
            for field in source.reads() {
                if descriptor.field(&field).is_none() {
                    let message = format!("The event '{}' has no field '{field}'.", descriptor.name);
                    let names = descriptor.fields.iter().map(|f| f.name);
                    errors.push(RuleError::new(&self.file, source.place, message).suggest(&field, names));
                }
            }
        }
        (missing, errors)
    }

    /// Every event that the mapping names, with the fields it reads from it. For making examples into events where no
    /// parser declares the event yet.
    pub(crate) fn events(&self) -> BTreeMap<String, Vec<String>> {
        let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for source in &self.sources {
            let fields = events.entry(source.descriptor.clone()).or_default();
            fields.extend(source.reads());
            fields.sort();
            fields.dedup();
        }
        events
    }
}

impl Source {
    /// The event's fields that are read, without what lies inside them.
    fn reads(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut add = |path: &[String]| {
            if let Some(first) = path.first().filter(|f| !f.starts_with('@') && (*f != "item" || self.each.is_none())) {
                names.push(first.clone());
            }
        };
        self.when.iter().for_each(|a| add(&a.path));
        self.open.iter().chain(&self.each).for_each(|name| add(std::slice::from_ref(name)));
        fn walk(getter: &Getter, add: &mut impl FnMut(&[String])) {
            match getter {
                Getter::Path(path, _) | Getter::Line(path, _) => add(path),
                Getter::First(getters) => getters.iter().for_each(|g| walk(g, add)),
                Getter::Joined(pieces, _) => pieces.iter().for_each(|p| {
                    if let Piece::Value(path) = p {
                        add(path);
                    }
                }),
                Getter::Fixed(_) => {}
            }
        }
        self.fields.iter().for_each(|(_, getter)| walk(getter, &mut add));
        names.sort();
        names.dedup();
        names
    }
}

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

fn getter(node: &Node) -> Result<Getter, String> {
    match &node.kind {
        Kind::List(items) => Ok(Getter::First(items.iter().map(getter).collect::<Result<_, _>>()?)),
        Kind::Map(_) => {
            let text = |name: &str| node.get(name).and_then(Node::text);
            let form = match text("as").as_deref() {
                None => None,
                Some("path") => Some(Form::Path),
                Some("folder") => Some(Form::Folder),
                Some("registry_key") => Some(Form::RegistryKey),
                Some("registry_data") => Some(Form::RegistryData),
                Some(other) => return Err(format!("There is no form '{other}'.")),
            };
            match (text("from"), text("join"), text("is"), text("line")) {
                (Some(from), None, None, None) => Ok(Getter::Path(path(&from), form)),
                (Some(from), None, None, Some(line)) => Ok(Getter::Line(path(&from), line)),
                (None, Some(template), None, None) => Ok(Getter::Joined(pieces(&template)?, form)),
                (None, None, Some(fixed), None) => Ok(Getter::Fixed(Value::from(fixed))),
                _ => Err("A field is 'from' a field, a 'join' of several, or 'is' a fixed text.".to_owned()),
            }
        }
        _ => match node.text() {
            Some(text) => Ok(Getter::Path(path(&text), None)),
            None => Err("A field needs the name of the event's field.".to_owned()),
        },
    }
}

fn pieces(template: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('{') {
        let Some((name, after)) = from.split_once('}') else { return Err("A '}' is missing.".to_owned()) };
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Value(path(name)));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

/// The value at a path of an event.
pub(crate) fn at_path<'e>(event: &'e Event, item: Option<&'e Value>, path: &[String]) -> Option<Cow<'e, Value>> {
    let (first, inner) = path.split_first()?;
    let text = |t: &str| Some(Cow::Owned(Value::from(t.to_owned())));
    let mut value = match first.as_str() {
        "@user" => return event.user.as_deref().and_then(text),
        "@state" => return text(event.state.name()),
        "@path" => return text(&event.origin.locator.path),
        // Only where a list is taken item by item; else it is a field like any other.
        "item" if item.is_some() => item?,
        name => event.values.get(name)?,
    };
    for name in inner {
        value = value.get(name)?;
    }
    Some(Cow::Borrowed(value))
}

impl Getter {
    /// The field's value in that event.
    pub(crate) fn get<'e>(&self, event: &'e Event, item: Option<&'e Value>) -> Option<Cow<'e, Value>> {
        match self {
            Self::Path(path, form) => {
                let value = at_path(event, item, path)?;
                Some(match form {
                    None => value,
                    Some(form) => Cow::Owned(in_form(&value, *form)),
                })
            }
            Self::First(getters) => getters.iter().find_map(|g| g.get(event, item)),
            Self::Joined(pieces, form) => {
                let mut joined = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => joined.push_str(text),
                        Piece::Value(path) => joined.push_str(&at_path(event, item, path)?.to_string()),
                    }
                }
                let value = Value::from(joined);
                Some(Cow::Owned(match form {
                    None => value,
                    Some(form) => in_form(&value, *form),
                }))
            }
            Self::Line(path, name) => {
                let value = at_path(event, item, path)?;
                let mut found = None;
                super::sigma_each(&value, &mut |text| {
                    for line in text.lines() {
                        if let Some((key, value)) = line.split_once('=')
                            && found.is_none()
                            && key.trim() == name
                        {
                            found = Some(Value::from(value.trim().to_owned()));
                        }
                    }
                });
                found.map(Cow::Owned)
            }
            Self::Fixed(value) => Some(Cow::Owned(value.clone())),
        }
    }
}

fn in_form(value: &Value, form: Form) -> Value {
    match (value, form) {
        (Value::List(items), Form::Path | Form::RegistryKey) => {
            Value::List(items.iter().map(|item| in_form(item, form)).collect())
        }
        (Value::Text(text), Form::Path) => Value::from(drive_path(text)),
        (Value::Text(text), Form::Folder) => {
            Value::from(drive_path(text).rsplit_once('\\').map_or("", |(folder, _)| folder).to_owned())
        }
        (Value::Text(text), Form::RegistryKey) => Value::from(short_hive(text)),
        (Value::Number(n), Form::RegistryData) if *n <= u64::from(u32::MAX) => {
            Value::from(format!("DWORD (0x{n:08x})"))
        }
        (Value::Number(n), Form::RegistryData) => {
            Value::from(format!("QWORD (0x{:08x}-0x{:08x})", n >> 32, n & u64::from(u32::MAX)))
        }
        (Value::Bytes(_), Form::RegistryData) => Value::from("Binary Data".to_owned()),
        (value, _) => value.clone(),
    }
}

/// See [`Form::Path`].
fn drive_path(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let after = |prefix: &str| lower.starts_with(prefix).then(|| &text[prefix.len()..]);
    if let Some(rest) = after(r"\??\").or_else(|| after(r"\\?\")) {
        return rest.to_owned();
    }
    if let Some(rest) = after(r"\systemroot\") {
        return format!(r"C:\Windows\{rest}");
    }
    if let Some(rest) = after(r"\device\harddiskvolume").or_else(|| after(r"\volume{"))
        && let Some((_, path)) = rest.split_once('\\')
    {
        return format!(r"C:\{path}");
    }
    // A path from the root of its volume, as the change journal gives it.
    if text.starts_with('\\') && !text.starts_with(r"\\") {
        return format!("C:{text}");
    }
    text.to_owned()
}

fn short_hive(text: &str) -> String {
    for (long, short) in [
        ("HKEY_LOCAL_MACHINE", "HKLM"),
        ("HKEY_CURRENT_USER", "HKCU"),
        ("HKEY_USERS", "HKU"),
        ("HKEY_CLASSES_ROOT", "HKCR"),
    ] {
        if let Some(start) = text.get(..long.len())
            && start.eq_ignore_ascii_case(long)
        {
            return format!("{short}{}", &text[long.len()..]);
        }
    }
    text.to_owned()
}

/// A descriptor of that name and fields, made for examples. It lives as long as the program.
pub(crate) fn leaked_descriptor(name: &str, fields: &[String]) -> &'static Descriptor {
    use crate::model::{Field, Kind};
    let fields = fields
        .iter()
        .map(|f| Field::new(Box::leak(f.clone().into_boxed_str()), Kind::Text, "An example's field."))
        .collect::<Vec<_>>();
    Box::leak(Box::new(Descriptor {
        name: Box::leak(name.to_owned().into_boxed_str()),
        doc: "An example's event.",
        message: "",
        data_type: None,
        fields: Box::leak(fields.into_boxed_slice()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (from, to) in [
            (r"\VOLUME{01d0abc-a1b2c3d4}\WINDOWS\SYSTEM32\CMD.EXE", r"C:\WINDOWS\SYSTEM32\CMD.EXE"),
            (r"\Device\HarddiskVolume3\Windows\x.exe", r"C:\Windows\x.exe"),
            (r"\SystemRoot\System32\drivers\a.sys", r"C:\Windows\System32\drivers\a.sys"),
            (r"\??\C:\x", r"C:\x"),
            (r"\Users\a\x.dll", r"C:\Users\a\x.dll"),
            (r"\\server\share\x", r"\\server\share\x"),
            (r"D:\x", r"D:\x"),
        ] {
            assert_eq!(drive_path(from), to);
        }
        assert_eq!(short_hive(r"HKEY_LOCAL_MACHINE\SOFTWARE"), r"HKLM\SOFTWARE");
    }

    #[test]
    fn the_narrowest_logsource_wins() {
        let text = "sources:\n  a: {event: e}\n  b: {event: e}\n  c: {event: e}\nlogsources:\n\
            - {product: windows, category: process_creation, sources: [a]}\n\
            - {product: windows, service: security, sources: [b]}\n- {product: windows, sources: [c]}\n";
        let mapping = Mapping::parse("m.yml", text).unwrap();
        let of = |category: Option<&str>, product: Option<&str>, service: Option<&str>| {
            let text = |t: Option<&str>| t.map(str::to_owned);
            let l = LogSource { category: text(category), product: text(product), service: text(service) };
            mapping.resolve(&l).map(<[usize]>::to_vec)
        };
        assert_eq!(of(Some("process_creation"), Some("windows"), None), Some(vec![0]));
        assert_eq!(of(Some("process_creation"), Some("windows"), Some("sysmon")), Some(vec![0]));
        assert_eq!(of(None, Some("windows"), Some("security")), Some(vec![1]));
        assert_eq!(of(None, Some("windows"), None), Some(vec![2]));
        assert_eq!(of(Some("process_creation"), Some("linux"), None), None);
        assert_eq!(of(None, Some("windows"), Some("unknown")), None);
        assert_eq!(of(Some("unknown"), Some("windows"), None), None);
    }

    #[test]
    fn mistakes_are_named() {
        let e = Mapping::parse("m.yml", "sources:\n  a: {event: e}\nlogsources:\n- {product: w, sources: [aa]}\n")
            .unwrap_err();
        assert_eq!(e.did_you_mean.as_deref(), Some("a"));
    }
}
