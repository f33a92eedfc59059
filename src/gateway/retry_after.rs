//! Retry-After, in both its forms, and dates in all three of theirs.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The longest wait that is believed; a gateway that asks for more is asked again after this.
const LONGEST: Duration = Duration::from_secs(3600);

/// A two-digit year is the nearest in the past where it would be further ahead than this (RFC 9110 §5.6.7).
const YEARS_AHEAD: i16 = 50;

/// How long to wait by a Retry-After header: seconds, or an HTTP date against `now`.
///
/// *Source*: RFC 9110 §10.2.3. Absurd values are bounded to an hour; what cannot be read is `None`.
pub fn retry_after(header: &str, now: jiff::Timestamp) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is more than the longest.
        return Some(header.parse().map_or(LONGEST, |seconds| Duration::from_secs(seconds).min(LONGEST)));
    }
    let wait = match jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header) {
        Ok(date) => date.duration_since(now),
        Err(_) => {
            let now = TimeZone::UTC.to_datetime(now);
            http_date(header, now)?.duration_since(now)
        }
    };
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LONGEST))
}

/// An HTTP date in any of its three forms, in GMT. Its day of the week says nothing that the date does not.
///
/// *Source*: RFC 9110 §5.6.7. The first form is here for the last days of the year 9999, which a time stamp cannot hold.
fn http_date(text: &str, now: DateTime) -> Option<DateTime> {
    let (_, date) = text.split_once(' ')?;
    let read = |form| strtime::parse(form, date).and_then(|read| read.to_datetime()).ok();
    read("%d %b %Y %H:%M:%S GMT")
        .or_else(|| read("%d-%b-%y %H:%M:%S GMT").and_then(|date| in_century(date, now)))
        .or_else(|| read("%b %e %H:%M:%S %Y"))
}

/// A date of which only the last two digits of the year are known.
fn in_century(date: DateTime, now: DateTime) -> Option<DateTime> {
    let year = now.year() - now.year().rem_euclid(100) + date.year().rem_euclid(100);
    let year = if year > now.year() + YEARS_AHEAD { year - 100 } else { year };
    date.with().year(year).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_absurd_ones() {
        let now: jiff::Timestamp = "2027-01-20T12:00:00Z".parse().expect("a time");
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(LONGEST));
        assert_eq!(retry_after("Wed, 20 Jan 2027 12:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Wed, 20 Jan 2027 11:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("Sat, 20 Jan 2029 11:00:00 GMT", now), Some(LONGEST));
        for odd in ["", "soon", "-3", "1.5", "7 s"] {
            assert_eq!(retry_after(odd, now), None, "{odd:?}");
        }
    }

    #[test]
    fn dates_in_all_three_forms_and_the_last_ones_of_all() {
        let now: jiff::Timestamp = "2027-02-06T08:49:00Z".parse().expect("a time");
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (date, wait) in [
            ("Sat, 06 Feb 2027 08:49:37 GMT", seconds(37)),
            ("Saturday, 06-Feb-27 08:49:37 GMT", seconds(37)),
            ("Sat Feb  6 08:49:37 2027", seconds(37)),
            ("Tue Feb 16 08:49:37 2027", Some(LONGEST)),
            // Of the past, and an hour ahead.
            ("Sunday, 06-Nov-94 08:49:37 GMT", seconds(0)),
            ("Sun Nov  6 08:49:37 1994", seconds(0)),
            ("Saturday, 06-Feb-27 23:49:37 GMT", Some(LONGEST)),
            // 2077 is not more than fifty years ahead, and 2078 is 1978.
            ("Saturday, 06-Feb-77 08:49:37 GMT", Some(LONGEST)),
            ("Monday, 06-Feb-78 08:49:37 GMT", seconds(0)),
            // Another day of the week than the date has.
            ("Mon, 06 Feb 2027 08:49:37 GMT", seconds(37)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST)),
            ("Fri Dec 31 23:59:59 9999", Some(LONGEST)),
        ] {
            assert_eq!(retry_after(date, now), wait, "{date:?}");
        }
        for odd in
            ["Saturday, 06-Feb-27", "Sat Feb  6 08:49:37", "Saturday, 31-Feb-27 08:49:37 GMT", "Sat, 06 Feb 2027"]
        {
            assert_eq!(retry_after(odd, now), None, "{odd:?}");
        }
    }
}
