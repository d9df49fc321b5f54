//! Legacy scheduled tasks (`.job`, Windows 2000 to 7 and programs that still use the old interface).
//!
//! | offset | length | content |
//! |---|---|---|
//! | 0 | 2 | product version (0x0601: Windows 7) |
//! | 2 | 2 | file version, 1 |
//! | 4 | 16 | GUID of the task |
//! | 20 | 2 | offset of the application's name |
//! | 22 | 2 | offset of the triggers |
//! | 24 | 8 | error retry count, error retry interval (minutes), idle deadline, idle wait (minutes), u16 each |
//! | 32 | 4 | priority |
//! | 36 | 4 | longest run time, milliseconds |
//! | 40 | 4 | exit code of the last run |
//! | 44 | 4 | status |
//! | 48 | 4 | flags |
//! | 52 | 16 | last run, SYSTEMTIME in local time; zeros: never run |
//! | 68 | 2 | running instances |
//! | | | application, parameters, working directory, author, comment: units u16 with NUL, UTF-16 |
//! | | | user data, reserved data: length u16, bytes |
//! | | | number of triggers u16, triggers of 48 bytes |
//!
//! Source: Microsoft, MS-TSCH 2.4.

use crate::bytes::{Cursor, FormatError, text};

/// Flag: the task does not run.
pub const DISABLED: u32 = 0x4;
/// Flag: the task is not shown to users.
pub const HIDDEN: u32 = 0x200;
/// Most triggers in one task; Windows allows 48 in the newer format.
const MAX_TRIGGERS: u16 = 512;

/// A time of the local clock without its zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalTime {
    /// Year, month, day.
    pub date: (u16, u16, u16),
    /// Hour, minute, second, millisecond.
    pub time: (u16, u16, u16, u16),
}

impl LocalTime {
    /// As text: `2013-08-24T12:42:00.112`, without zone. `None` for zeros.
    pub fn text(&self) -> Option<String> {
        let ((year, month, day), (hour, minute, second, millisecond)) = (self.date, self.time);
        if year == 0 {
            return None;
        }
        let fraction = if millisecond == 0 { String::new() } else { format!(".{millisecond:03}") };
        Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}"))
    }
}

/// One trigger of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// First day and time at which it fires, local time.
    pub begin: LocalTime,
    /// Last day, local time; absent if it has no end.
    pub end: Option<LocalTime>,
    /// For how many minutes it repeats.
    pub duration_minutes: u32,
    /// Every how many minutes it repeats.
    pub interval_minutes: u32,
    /// Bit 0: has an end; bit 2: disabled.
    pub flags: u32,
    /// 0 once, 1 daily, 2 weekly, 3 monthly by date, 4 monthly by weekday, 5 on idle, 6 at system start, 7 at logon.
    pub kind: u32,
    /// What the kind needs: interval of days or weeks, days of the week or of the month, months.
    pub specific: [u16; 3],
}

impl Trigger {
    /// Name of the kind.
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            0 => "once",
            1 => "daily",
            2 => "weekly",
            3 => "monthly",
            4 => "monthly by weekday",
            5 => "on idle",
            6 => "at system start",
            7 => "at logon",
            _ => "unknown",
        }
    }
}

/// A legacy task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Version of Windows that wrote it, `0x0601` for Windows 7.
    pub product_version: u16,
    /// GUID of the task, without braces.
    pub id: String,
    /// Exit code of the last run.
    pub exit_code: u32,
    /// Status, an HRESULT such as `0x00041303` (never run).
    pub status: u32,
    /// Flags: [`DISABLED`], [`HIDDEN`] and others of MS-TSCH.
    pub flags: u32,
    /// Last run in local time; absent if it never ran.
    pub last_run: Option<LocalTime>,
    /// Program.
    pub application: String,
    /// Its parameters.
    pub parameters: String,
    /// Its working directory.
    pub working_directory: String,
    /// Author, as a rule the account that made the task.
    pub author: String,
    /// Comment.
    pub comment: String,
    /// Triggers, as many as could be read.
    pub triggers: Vec<Trigger>,
}

/// True if these first bytes look like a legacy task: a known version of Windows, and the name at its usual place.
pub fn recognise(start: &[u8]) -> bool {
    let known = |version: u16| matches!(version, 0x0400 | 0x0500..=0x0502 | 0x0600..=0x0604 | 0x0a00);
    matches!(start, [a, b, 1, 0, rest @ ..] if known(u16::from_le_bytes([*a, *b])) && rest.get(16..18) == Some(&[0x46, 0]))
}

/// Reads a legacy task, and what is wrong with its triggers.
///
/// # Errors
/// When the file is no legacy task, or ends before its comment.
pub fn read(data: &[u8]) -> Result<(Job, Option<FormatError>), FormatError> {
    let mut at = Cursor::new(data, "a legacy task", 0);
    let product_version = at.u16()?;
    let file_version = at.u16()?;
    if file_version != 1 {
        return Err(FormatError::Value {
            what: "the file version of a legacy task",
            offset: 2,
            value: file_version.into(),
            problem: "only version 1 is known",
        });
    }
    let id = text::guid(&at.array()?);
    let application_offset = at.u16()?;
    let triggers_offset = at.u16()?;
    at.skip(16)?;
    let exit_code = at.u32()?;
    let status = at.u32()?;
    let flags = at.u32()?;
    let [year, month, _, day, hour, minute, second, millisecond] = u16s(&mut at)?;
    let last_run = LocalTime { date: (year, month, day), time: (hour, minute, second, millisecond) };
    at.seek(application_offset.into());
    let mut string = || -> Result<String, FormatError> {
        let units = at.u16()?;
        Ok(text::from_utf16le_until_nul(at.take(usize::from(units).saturating_mul(2))?))
    };
    let (application, parameters, working_directory) = (string()?, string()?, string()?);
    let (author, comment) = (string()?, string()?);
    let mut triggers = Vec::new();
    let error = read_triggers(data, triggers_offset.into(), &mut triggers).err();
    let last_run = Some(last_run).filter(|t| t.date.0 != 0);
    Ok((
        Job {
            product_version,
            id,
            exit_code,
            status,
            flags,
            last_run,
            application,
            parameters,
            working_directory,
            author,
            comment,
            triggers,
        },
        error,
    ))
}

fn read_triggers(data: &[u8], offset: usize, triggers: &mut Vec<Trigger>) -> Result<(), FormatError> {
    let mut at = Cursor::new(data, "a trigger of a legacy task", 0);
    at.seek(offset);
    let count = at.u16()?;
    if count > MAX_TRIGGERS {
        return Err(FormatError::Limit {
            what: "the number of triggers",
            offset: offset as u64,
            value: count.into(),
            limit: MAX_TRIGGERS.into(),
        });
    }
    for _ in 0..count {
        let start = at.position();
        let size = usize::from(at.u16()?);
        if size < 48 {
            return Err(FormatError::Value {
                what: "the length of a trigger",
                offset: start as u64,
                value: size as u64,
                problem: "it is shorter than its fields",
            });
        }
        at.skip(2)?;
        let [y1, m1, d1, y2, m2, d2, hour, minute] = u16s(&mut at)?;
        let (duration_minutes, interval_minutes, flags, kind) = (at.u32()?, at.u32()?, at.u32()?, at.u32()?);
        let specific = u16s(&mut at)?;
        triggers.push(Trigger {
            begin: LocalTime { date: (y1, m1, d1), time: (hour, minute, 0, 0) },
            end: Some(LocalTime { date: (y2, m2, d2), time: (0, 0, 0, 0) }).filter(|_| flags & 1 != 0),
            duration_minutes,
            interval_minutes,
            flags,
            kind,
            specific,
        });
        at.seek(start.saturating_add(size));
    }
    Ok(())
}

fn u16s<const N: usize>(at: &mut Cursor<'_>) -> Result<[u16; N], FormatError> {
    let mut values = [0; N];
    for value in &mut values {
        *value = at.u16()?;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Built by hand from the table above.
    fn job() -> Vec<u8> {
        let mut data = vec![0x01, 0x06, 1, 0];
        data.extend([7; 16]);
        data.extend([70, 0, 0, 0]); // offset of the triggers: below
        data.extend([0; 8]);
        data.extend(32u32.to_le_bytes());
        data.extend(0u32.to_le_bytes());
        data.extend(5u32.to_le_bytes());
        data.extend(0x0004_1300u32.to_le_bytes());
        data.extend((DISABLED | HIDDEN).to_le_bytes());
        for part in [2013u16, 8, 6, 24, 12, 42, 0, 112] {
            data.extend(part.to_le_bytes());
        }
        data.extend([0; 2]);
        for text in ["C:\\x.exe", "/a", "", "Brian", "é"] {
            let units: Vec<u16> = text.encode_utf16().chain((!text.is_empty()).then_some(0)).collect();
            data.extend((units.len() as u16).to_le_bytes());
            data.extend(units.iter().flat_map(|u| u.to_le_bytes()));
        }
        data.extend([0, 0]);
        data.extend([8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let triggers = data.len() as u16;
        data[22..24].copy_from_slice(&triggers.to_le_bytes());
        data.extend(1u16.to_le_bytes());
        data.extend([48, 0, 0, 0]);
        for part in [2013u16, 7, 12, 0, 0, 0, 15, 42] {
            data.extend(part.to_le_bytes());
        }
        for part in [1440u32, 60, 0, 1] {
            data.extend(part.to_le_bytes());
        }
        data.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        data
    }

    #[test]
    fn all_fields() {
        let data = job();
        assert!(recognise(&data));
        let (job, error) = read(&data).unwrap();
        assert_eq!(error, None);
        assert_eq!(job.id, "07070707-0707-0707-0707-070707070707");
        assert_eq!((job.exit_code, job.status, job.flags), (5, 0x0004_1300, DISABLED | HIDDEN));
        assert_eq!(job.last_run.unwrap().text().unwrap(), "2013-08-24T12:42:00.112");
        assert_eq!((job.application.as_str(), job.parameters.as_str()), ("C:\\x.exe", "/a"));
        assert_eq!((job.working_directory.as_str(), job.author.as_str(), job.comment.as_str()), ("", "Brian", "é"));
        let [trigger] = &job.triggers[..] else { panic!() };
        assert_eq!(trigger.begin.text().unwrap(), "2013-07-12T15:42:00");
        assert_eq!((trigger.kind_name(), trigger.duration_minutes, trigger.interval_minutes), ("daily", 1440, 60));
        assert_eq!((trigger.end, trigger.specific), (None, [1, 0, 0]));
    }

    #[test]
    fn cut_triggers_do_not_lose_the_task() {
        let data = job();
        let (job, error) = read(&data[..data.len() - 20]).unwrap();
        assert_eq!((job.application.as_str(), job.triggers.len()), ("C:\\x.exe", 0));
        assert!(matches!(error, Some(FormatError::Short { .. })));
        assert!(read(&data[..100]).is_err());
        assert!(read(b"").is_err());
    }

    #[test]
    fn a_task_that_never_ran_has_no_last_run() {
        let mut data = job();
        data[52..68].fill(0);
        assert_eq!(read(&data).unwrap().0.last_run, None);
    }

    #[test]
    fn damage() {
        let whole = job();
        let mut state = 1u64;
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut data = whole.clone();
            let at = (state >> 33) as usize % data.len();
            data[at] = (state >> 24) as u8;
            if state & 8 == 0 {
                data.truncate(at);
            }
            if let Ok((job, _)) = read(&data) {
                assert!(job.triggers.len() <= data.len() / 48);
            }
        }
    }
}
