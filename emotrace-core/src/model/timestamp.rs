//! An instant as Windows stores it.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};
use serde::{Deserialize, Serialize, Serializer};

/// Seconds between 1601-01-01 (the FILETIME epoch) and 1970-01-01 (the POSIX epoch).
const EPOCH_GAP_SECONDS: i64 = 11_644_473_600;
const TICKS_PER_SECOND: u64 = 10_000_000;

/// An instant in UTC: a count of 100 ns ticks since 1601-01-01T00:00:00Z, which is a FILETIME kept without loss.
///
/// Coarser sources (POSIX seconds, microseconds) are converted exactly. Times without a zone, like FAT times, are
/// not instants and never become a `Timestamp` by themselves.
///
/// Source of the format: Microsoft, `FILETIME` structure (minwinbase.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Timestamp(u64);

/// As RFC 3339 in formats for people, as ticks in others.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_u64(self.0) }
    }
}

impl Timestamp {
    /// Keeps the ticks as they are.
    pub const fn from_filetime(ticks: u64) -> Self {
        Self(ticks)
    }

    /// Reads a FILETIME field in which Windows writes 0, all ones or the largest positive value for "no time".
    pub const fn from_filetime_field(ticks: u64) -> Option<Self> {
        match ticks {
            0 | 0x7fff_ffff_ffff_ffff | u64::MAX => None,
            ticks => Some(Self(ticks)),
        }
    }

    /// Whole seconds since 1970. `None` if the instant lies outside the FILETIME range.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        Self::from_unix_parts(seconds, 0)
    }

    /// Microseconds since 1970. `None` if the instant lies outside the FILETIME range.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let ticks = u64::try_from(micros.rem_euclid(1_000_000)).ok()?.checked_mul(10)?;
        Self::from_unix_parts(micros.div_euclid(1_000_000), ticks)
    }

    /// Seconds since 1970 and nanoseconds; what is finer than 100 ns is cut off.
    pub fn from_unix_nanos(seconds: i64, nanos: u32) -> Option<Self> {
        Self::from_unix_parts(seconds, u64::from(nanos / 100))
    }

    fn from_unix_parts(seconds: i64, ticks: u64) -> Option<Self> {
        let seconds = u64::try_from(seconds.checked_add(EPOCH_GAP_SECONDS)?).ok()?;
        Some(Self(seconds.checked_mul(TICKS_PER_SECOND)?.checked_add(ticks)?))
    }

    /// The ticks of 100 ns since 1601.
    pub const fn filetime(self) -> u64 {
        self.0
    }

    /// Microseconds since 1970, rounded down; negative before 1970.
    pub fn unix_micros(self) -> i64 {
        i64::try_from(self.0 / 10).unwrap_or(i64::MAX).saturating_sub(EPOCH_GAP_SECONDS.saturating_mul(1_000_000))
    }

    /// Seconds since 1970, rounded down; negative before 1970.
    pub fn unix_seconds(self) -> i64 {
        i64::try_from(self.0 / TICKS_PER_SECOND).unwrap_or(i64::MAX).saturating_sub(EPOCH_GAP_SECONDS)
    }

    /// The ticks of 100 ns within the second, 0 to 9,999,999.
    pub const fn subsecond_ticks(self) -> u32 {
        (self.0 % TICKS_PER_SECOND) as u32
    }

    /// The same instant as a chrono value.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.unix_seconds(), self.subsecond_ticks().saturating_mul(100)).unwrap_or_default()
    }

    /// Reads RFC 3339 (`2020-08-26T05:09:33.5046471Z`), or a date or a date and time without zone, taken as UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(text)
            .map(|t| t.with_timezone(&Utc))
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|t| t.and_utc()))
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map(|t| t.and_utc()))
            .or_else(|_| {
                NaiveDateTime::parse_from_str(&format!("{text}T00:00:00"), "%Y-%m-%dT%H:%M:%S").map(|t| t.and_utc())
            })
            .ok()?;
        Self::from_unix_nanos(at.timestamp(), at.timestamp_subsec_nanos())
    }
}

/// RFC 3339 in UTC with all seven digits of the second's fraction.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.to_datetime();
        let (year, ticks) = (at.year(), self.subsecond_ticks());
        let Some(short) = u32::try_from(year).ok().filter(|year| *year < 10_000) else {
            return write!(f, "{year:04}-{}.{ticks:07}Z", at.format("%m-%dT%H:%M:%S"));
        };
        // Every row has such texts, and the standard library's formatting took a tenth of the time of writing them.
        let mut text = *b"0000-00-00T00:00:00.0000000Z";
        let fields = [
            (0..4, short),
            (5..7, at.month()),
            (8..10, at.day()),
            (11..13, at.hour()),
            (14..16, at.minute()),
            (17..19, at.second()),
            (20..27, ticks),
        ];
        for (place, mut number) in fields {
            for digit in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
                *digit = b'0' | (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Witness: the published last run time of plaso's PING.EXE-B29F6629.pf and Microsoft's epoch difference.
    #[test]
    fn known_instants() {
        assert_eq!(Timestamp::from_unix_seconds(0).unwrap().filetime(), 116_444_736_000_000_000);
        let t = Timestamp::parse("2012-04-06T19:00:55.9329556Z").unwrap();
        assert_eq!(t.to_string(), "2012-04-06T19:00:55.9329556Z");
        assert_eq!(t.filetime(), 129_782_124_559_329_556);
        assert_eq!(t.unix_micros(), 1_333_738_855_932_955);
        assert_eq!(Timestamp::from_filetime(0).to_string(), "1601-01-01T00:00:00.0000000Z");
    }

    /// As chrono writes them, behind the year 9999 too.
    #[test]
    fn written_like_chrono() {
        for ticks in
            (0..u64::MAX).step_by(0x0123_4567_89ab_cdef).chain([132_428_952_000_000_007, 2_650_467_743_999_999_999])
        {
            let t = Timestamp::from_filetime(ticks);
            let at = t.to_datetime();
            let expected = format!("{:04}{}.{:07}Z", at.year(), at.format("-%m-%dT%H:%M:%S"), t.subsecond_ticks());
            assert_eq!(t.to_string(), expected);
        }
    }

    #[test]
    fn no_instant_is_invented_for_an_empty_field() {
        for empty in [0, i64::MAX as u64, u64::MAX] {
            assert_eq!(Timestamp::from_filetime_field(empty), None);
        }
    }

    #[test]
    fn extremes_do_not_panic() {
        for ticks in [0, 1, i64::MAX as u64, u64::MAX] {
            let t = Timestamp::from_filetime(ticks);
            assert!(t.to_string().ends_with('Z'));
            let _ = (t.unix_micros(), t.unix_seconds());
        }
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), None);
        assert_eq!(Timestamp::from_unix_seconds(i64::MIN), None);
    }

    #[test]
    fn dates_without_zone_are_utc() {
        assert_eq!(Timestamp::parse("2020-08-26").unwrap().to_string(), "2020-08-26T00:00:00.0000000Z");
        assert_eq!(Timestamp::parse("2020-08-26T05:09:33+09:00").unwrap().to_string(), "2020-08-25T20:09:33.0000000Z");
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
