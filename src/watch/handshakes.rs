//! How many TLS handshakes a gateway took: connections that live long need few, and a resumed one costs a fraction.

use serde::Serialize;

/// Handshakes with one gateway. In a run's events as text, one a process and gateway; [`Handshakes::read`] reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Handshakes {
    /// With certificates and signatures: each costs more than a letter's signature. A rise without a change of gateway
    /// means that connections are closed early.
    pub full: u64,
    /// That resumed a session.
    pub resumed: u64,
}

impl Handshakes {
    /// Kind of the event.
    pub const EVENT: &str = "handshakes";

    /// What the event says.
    pub fn text(self, gateway: &str) -> String {
        format!("{} full, {} resumed: {gateway}", self.full, self.resumed)
    }

    /// The gateway and its handshakes, from the text of an event.
    pub fn read(text: &str) -> Option<(&str, Self)> {
        let (numbers, gateway) = text.split_once(": ")?;
        let (full, resumed) = numbers.split_once(" full, ")?;
        let resumed = resumed.strip_suffix(" resumed")?.parse().ok()?;
        Some((gateway, Self { full: full.parse().ok()?, resumed }))
    }
}

impl std::ops::AddAssign for Handshakes {
    fn add_assign(&mut self, other: Self) {
        self.full += other.full;
        self.resumed += other.resumed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let seen = Handshakes { full: 12, resumed: 300 };
        for name in ["Sandlådan Ett", "a: 1 full, 2 resumed: b", ""] {
            assert_eq!(Handshakes::read(&seen.text(name)), Some((name, seen)));
        }
        assert_eq!(Handshakes::read("FaR: 3, 1 of them resumed"), None);
    }
}
