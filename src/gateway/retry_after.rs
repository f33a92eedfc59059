//! Retry-After, in both its forms.

use std::time::Duration;

/// The longest wait that is believed; a gateway that asks for more is asked again after this.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long to wait by a Retry-After header: seconds, or an HTTP date against `now`.
///
/// *Source*: RFC 9110 §10.2.3. Absurd values are bounded to an hour; what cannot be read is `None`.
pub fn retry_after(header: &str, now: jiff::Timestamp) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is more than the longest.
        return Some(header.parse().map_or(LONGEST, |seconds| Duration::from_secs(seconds).min(LONGEST)));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    let wait = date.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LONGEST))
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
}
