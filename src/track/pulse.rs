//! The pulse of a running send: what each gateway did in the last seconds, and where its statements waited.
//!
//! The running process writes one every few seconds into the journal, where the last one stays; `status` reads it. From
//! it comes what limits a gateway, in words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The last seconds of a running send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// When it was taken.
    pub at: Timestamp,
    /// Over how many seconds it was measured.
    pub over_s: f64,
    /// Share of all processors that the process used, 0 to 1.
    pub cpu_share: f64,
    /// Recipients that FaR answered for, a second.
    pub looked_up_per_s: f64,
    /// FaR.
    pub far: GatewayPulse,
    /// The operators of the settings.
    pub operators: Vec<GatewayPulse>,
}

/// One gateway in the last seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayPulse {
    /// The operator's organisation number, or `far`.
    pub id: String,
    /// Agreed rate in requests a second; `null`: unlimited.
    pub agreed_per_s: Option<f64>,
    /// The rate in force: the agreed one, a lower one that somebody ordered, or what the gateway takes without pushing
    /// back; `null`: unlimited.
    pub limit_per_s: Option<f64>,
    /// Somebody ordered this rate.
    pub ordered_per_s: Option<f64>,
    /// Requests that may be under way at once now.
    pub concurrency: u64,
    /// Requests that left, a second.
    pub requests_per_s: f64,
    /// Mean time until an answer came, in seconds; `null` where none came.
    pub answer_s: Option<f64>,
    /// How many statements waited where, on average.
    pub waiting: Waiting,
    /// Its delivery windows as in the settings, joined by `; `, or `always`.
    pub windows: String,
    /// Its delivery window is closed until then.
    pub closed_until: Option<Timestamp>,
    /// It has asked that nothing comes before then.
    pub asked_to_wait_until: Option<Timestamp>,
    /// It does not answer; it is asked from time to time whether it is back.
    pub silent: bool,
}

/// How many statements waited at each edge, on average over the pulse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// For the gateway to be opened: a window, or the end of a pause.
    pub window: f64,
    /// For their letter to be made.
    pub letters: f64,
    /// For a connection: as many requests as may be are under way.
    pub concurrency: f64,
    /// For a slot of the rate.
    pub permit: f64,
    /// For their intent to be on disk.
    pub journal: f64,
    /// For an answer.
    pub answers: f64,
}

impl GatewayPulse {
    /// What holds this gateway up, in words; `None` where nothing does.
    pub fn limit(&self, name: &str, cpu_share: f64) -> Option<String> {
        if let Some(opens) = self.closed_until {
            return Some(format!("{name}'s delivery window, closed until {opens}"));
        }
        if self.silent {
            return Some(format!("{name} does not answer"));
        }
        if let Some(until) = self.asked_to_wait_until {
            return Some(format!("{name} asks to wait until {until}"));
        }
        let Waiting { letters, concurrency, permit, journal, answers, .. } = self.waiting;
        if let Some(limit) = self.limit_per_s
            // More than a letter at a time waits for the rate, or nearly all of it is used.
            && (permit > 0.6 || self.requests_per_s > limit * 0.95)
        {
            let limit = round(limit);
            return Some(match (self.agreed_per_s, self.ordered_per_s) {
                (_, Some(ordered)) if round(ordered) == limit => format!("the rate of {limit}/s ordered for {name}"),
                (Some(agreed), _) if round(agreed) > limit => {
                    format!("{name}, which pushes back: {limit}/s of the agreed {agreed}/s")
                }
                _ => format!("{name}'s agreed rate of {limit}/s"),
            });
        }
        if concurrency > 0.6 || answers > 0.9 * self.concurrency as f64 {
            let answer = self.answer_s.map_or_else(String::new, |answer| format!(", {} s each", round(answer)));
            return Some(format!("{name}'s answers: {} at a time{answer}", self.concurrency));
        }
        let most = letters.max(journal).max(answers);
        if most < 0.5 {
            return None;
        }
        Some(if most == journal {
            "the disk, which intents wait for".into()
        } else if most == letters {
            format!("making and signing letters (processors at {:.0} %)", cpu_share * 100.0)
        } else {
            format!("{name}'s answers, {} s each", round(self.answer_s.unwrap_or_default()))
        })
    }
}

/// Three figures are enough for people.
fn round(value: f64) -> f64 {
    if value >= 100.0 { value.round() } else { (value * 100.0).round() / 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest() -> GatewayPulse {
        GatewayPulse { agreed_per_s: Some(20.0), limit_per_s: Some(20.0), concurrency: 16, ..GatewayPulse::default() }
    }

    #[test]
    fn what_limits_is_said_in_words() {
        let until: Timestamp = "2027-01-20T17:00:00Z".parse().unwrap();
        let waiting = |waiting| GatewayPulse { waiting, answer_s: Some(0.8), ..at_rest() };
        let cases = [
            (at_rest(), None),
            (
                waiting(Waiting { permit: 15.0, concurrency: 16.0, ..Waiting::default() }),
                Some("X's agreed rate of 20/s"),
            ),
            (
                GatewayPulse { limit_per_s: Some(7.5), ..waiting(Waiting { permit: 3.0, ..Waiting::default() }) },
                Some("X, which pushes back: 7.5/s of the agreed 20/s"),
            ),
            (
                GatewayPulse {
                    limit_per_s: Some(5.0),
                    ordered_per_s: Some(5.0),
                    ..waiting(Waiting { permit: 3.0, ..Waiting::default() })
                },
                Some("the rate of 5/s ordered for X"),
            ),
            (
                waiting(Waiting { answers: 15.8, concurrency: 12.0, ..Waiting::default() }),
                Some("X's answers: 16 at a time, 0.8 s each"),
            ),
            (
                waiting(Waiting { letters: 12.0, answers: 2.0, ..Waiting::default() }),
                Some("making and signing letters (processors at 97 %)"),
            ),
            (waiting(Waiting { journal: 4.0, ..Waiting::default() }), Some("the disk, which intents wait for")),
            (
                GatewayPulse { closed_until: Some(until), ..at_rest() },
                Some("X's delivery window, closed until 2027-01-20T17:00:00Z"),
            ),
            (GatewayPulse { silent: true, ..at_rest() }, Some("X does not answer")),
            (
                GatewayPulse { asked_to_wait_until: Some(until), ..at_rest() },
                Some("X asks to wait until 2027-01-20T17:00:00Z"),
            ),
        ];
        for (pulse, expected) in cases {
            assert_eq!(pulse.limit("X", 0.97).as_deref(), expected, "{pulse:?}");
        }
    }
}
