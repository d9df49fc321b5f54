//! Actions of a scheduled task as the task cache keeps them: the registry value `Actions` of `TaskCache\Tasks\{…}`.
//!
//! | part | what |
//! |---|---|
//! | u16 | version: 3 from Windows 8 on, less before |
//! | text | version 3: the context, name of the principal (`Author`, `LocalSystem` …) |
//! | u16, text | each action: its kind and its identifier, then |
//! | 0x6666 | command, arguments, working directory; version 3: u16 flags |
//! | 0x7777 | class identifier (16 bytes), data |
//! | 0x8888 | from, to, cc, bcc, reply to, server, subject, body; u32 count of attachments, their names; u32 count of headers, their names and values |
//! | 0x9999 | title, text |
//!
//! A text is a u32 length in bytes and as much UTF-16LE. Of versions before 3 some writers are said to give a context and
//! some not, so the reading that ends with the last byte is taken.
//!
//! Source: G DATA Advanced Analytics, "Windows Registry Analysis: Tasks" and its description of the structure.

use crate::bytes::{Cursor, FormatError, text};

const WHAT: &str = "a task's actions";

/// The actions of one task, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskActions {
    /// Version of the structure.
    pub version: u16,
    /// Name of the principal that they run as.
    pub context: Option<String>,
    /// The actions up to the fault, if there is one.
    pub actions: Vec<TaskAction>,
    /// Where and why reading stopped early; what follows is lost.
    pub fault: Option<FormatError>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskAction {
    /// Runs a program.
    Execute {
        /// Program, as stored.
        command: String,
        /// Arguments.
        arguments: String,
        /// Working directory.
        working_directory: String,
    },
    /// Calls a COM object.
    ComHandler {
        /// Class, `{…}`.
        class: String,
        /// Data that it is given.
        data: String,
    },
    /// Sends a mail.
    Email {
        /// Sender.
        from: String,
        /// Receiver.
        to: String,
        /// Server.
        server: String,
        /// Subject.
        subject: String,
        /// Files that are sent.
        attachments: Vec<String>,
    },
    /// Shows a message.
    Message {
        /// Title.
        title: String,
        /// Text.
        text: String,
    },
}

impl TaskActions {
    /// Reads the value; `base` is its offset in the hive.
    ///
    /// # Errors
    /// When not even the head is there.
    pub fn parse(data: &[u8], base: u64) -> Result<Self, FormatError> {
        let version = Cursor::new(data, WHAT, base).u16()?;
        let with_context = Self::read(data, base, version, true);
        if version >= 3 || with_context.fault.is_none() {
            return Ok(with_context);
        }
        let without = Self::read(data, base, version, false);
        Ok(if without.fault.is_none() { without } else { with_context })
    }

    fn read(data: &[u8], base: u64, version: u16, has_context: bool) -> Self {
        let mut found = Self { version, ..Self::default() };
        let mut cursor = Cursor::new(data, WHAT, base);
        let _ = cursor.skip(2);
        if has_context {
            match string(&mut cursor) {
                Ok(context) => found.context = Some(context).filter(|text| !text.is_empty()),
                Err(error) => {
                    found.fault = Some(error);
                    return found;
                }
            }
        }
        // Each action takes at least its kind, so this ends.
        while cursor.remaining() > 0 {
            match action(&mut cursor, version) {
                Ok(action) => found.actions.push(action),
                Err(error) => {
                    found.fault = Some(error);
                    break;
                }
            }
        }
        found
    }
}

fn action(cursor: &mut Cursor<'_>, version: u16) -> Result<TaskAction, FormatError> {
    let offset = cursor.offset();
    let kind = cursor.u16()?;
    let _id = string(cursor)?;
    match kind {
        0x6666 => {
            let (command, arguments, working_directory) = (string(cursor)?, string(cursor)?, string(cursor)?);
            if version >= 3 {
                cursor.u16()?;
            }
            Ok(TaskAction::Execute { command, arguments, working_directory })
        }
        0x7777 => {
            let class = format!("{{{}}}", text::guid(&cursor.array()?));
            Ok(TaskAction::ComHandler { class, data: string(cursor)? })
        }
        0x8888 => {
            let (from, to) = (string(cursor)?, string(cursor)?);
            let [_cc, _bcc, _reply_to] = [string(cursor)?, string(cursor)?, string(cursor)?];
            let (server, subject, _body) = (string(cursor)?, string(cursor)?, string(cursor)?);
            let attachments = strings(cursor)?;
            // A header is a name and a value.
            let headers = cursor.u32()?;
            for _ in 0..headers {
                string(cursor)?;
                string(cursor)?;
            }
            Ok(TaskAction::Email { from, to, server, subject, attachments })
        }
        0x9999 => Ok(TaskAction::Message { title: string(cursor)?, text: string(cursor)? }),
        kind => Err(FormatError::Value { what: WHAT, offset, value: kind.into(), problem: "no kind of action" }),
    }
}

/// As many texts as the count says; each takes four bytes at least, so a false count ends at the end of the data.
fn strings(cursor: &mut Cursor<'_>) -> Result<Vec<String>, FormatError> {
    let count = cursor.u32()?;
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(string(cursor)?);
    }
    Ok(texts)
}

fn string(cursor: &mut Cursor<'_>) -> Result<String, FormatError> {
    let length = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
    Ok(text::from_utf16le(cursor.take(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Vec<u8> {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [u32::try_from(units.len()).unwrap().to_le_bytes().to_vec(), units].concat()
    }

    fn strings(texts: &[&str]) -> Vec<u8> {
        texts.iter().flat_map(|text| string(text)).collect()
    }

    /// Version 3: a program, a COM object, a mail with one attachment and one header, a message.
    fn every_kind() -> Vec<u8> {
        let mut data = [3u16.to_le_bytes().to_vec(), string("Author")].concat();
        data.extend([0x66, 0x66]);
        data.extend(strings(&["", r"C:\a.exe", "/x", r"C:\w"]));
        data.extend([0, 0, 0x77, 0x77]);
        data.extend(string("id"));
        data.extend(1u8..=16);
        data.extend(string("data"));
        data.extend([0x88, 0x88]);
        data.extend(strings(&["", "from", "to", "", "", "", "server", "subject", "body"]));
        data.extend(1u32.to_le_bytes());
        data.extend(string("file"));
        data.extend(1u32.to_le_bytes());
        data.extend(strings(&["name", "value"]));
        data.extend([0x99, 0x99]);
        data.extend(strings(&["", "title", "text"]));
        data
    }

    #[test]
    fn every_kind_of_action() {
        let found = TaskActions::parse(&every_kind(), 0).unwrap();
        assert_eq!((found.version, found.context.as_deref(), found.fault), (3, Some("Author"), None));
        let [execute, com, mail, message] = found.actions.as_slice() else { panic!("{:?}", found.actions) };
        let (command, arguments, working_directory) = (r"C:\a.exe".into(), "/x".into(), r"C:\w".into());
        assert_eq!(*execute, TaskAction::Execute { command, arguments, working_directory });
        let class = "{04030201-0605-0807-090a-0b0c0d0e0f10}".to_owned();
        assert_eq!(*com, TaskAction::ComHandler { class, data: "data".into() });
        assert!(matches!(mail, TaskAction::Email { attachments, .. } if attachments == &["file"]));
        assert_eq!(*message, TaskAction::Message { title: "title".into(), text: "text".into() });
    }

    #[test]
    fn before_version_3_with_and_without_a_context() {
        for context in [Some("Author"), None] {
            let mut data = 1u16.to_le_bytes().to_vec();
            data.extend(context.map(string).unwrap_or_default());
            data.extend([0x66, 0x66]);
            data.extend(strings(&["", "a.exe", "", ""]));
            let found = TaskActions::parse(&data, 0).unwrap();
            assert_eq!((found.context.as_deref(), found.actions.len(), found.fault), (context, 1, None));
        }
    }

    #[test]
    fn what_stands_before_the_damage_is_kept() {
        let mut data = every_kind();
        data.truncate(data.len() - 3);
        let found = TaskActions::parse(&data, 100).unwrap();
        assert_eq!(found.actions.len(), 3);
        assert!(found.fault.unwrap().offset() > 100);
        assert!(TaskActions::parse(&[3], 0).is_err());
    }

    #[test]
    fn damage_never_panics() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        for _ in 0..4000 {
            let mut data = every_kind();
            data.truncate(random(data.len()) + 1);
            for _ in 0..random(4) {
                let at = random(data.len());
                data[at] ^= 1 << random(8);
            }
            if let Ok(found) = TaskActions::parse(&data, 0) {
                assert!(found.actions.len() <= data.len());
            }
        }
    }
}
