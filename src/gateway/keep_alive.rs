//! How long a connection may be used again after an answer.

use std::time::Duration;

/// Where the gateway does not say: less than the five seconds of servers that close early.
pub(super) const UNSAID: Duration = Duration::from_secs(4);
/// The longest that is believed: what stands between us and a gateway forgets connections without a word.
const LONGEST: Duration = Duration::from_secs(60);
/// What a request needs at most to arrive.
const MARGIN: Duration = Duration::from_secs(1);

/// How long by a Keep-Alive header (`timeout=5, max=100`): so much less than it says that a request surely arrives.
///
/// *Source*: RFC 2068 §19.7.1.1. What names no time is `None`.
pub(super) fn keep_alive(header: &str) -> Option<Duration> {
    let timeout = header.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then_some(value.trim())
    })?;
    let said = Duration::from_secs(timeout.parse().ok()?).min(LONGEST);
    Some(said.saturating_sub(MARGIN).max(said.min(MARGIN) / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_it_says() {
        for (header, seconds) in [
            ("timeout=5, max=100", 4.0),
            ("max=100,Timeout = 15", 14.0),
            ("timeout=60", 59.0),
            ("timeout=7200", 59.0),
            ("timeout=1", 0.5),
            ("timeout=0", 0.0),
        ] {
            assert_eq!(keep_alive(header), Some(Duration::from_secs_f64(seconds)), "{header:?}");
        }
        for odd in ["", "max=100", "timeout", "timeout=soon", "timeout=-1", "x-timeout=5"] {
            assert_eq!(keep_alive(odd), None, "{odd:?}");
        }
    }
}
