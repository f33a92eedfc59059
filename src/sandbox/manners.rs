//! Bad manners on request: which requests and connections go wrong, and how.
//!
//! In: a scenario (TOML) and the seed. Out: for the n-th request or connection of a gateway, the play if there is one.
//! It decides; `server` plays.
//!
//! A scenario is a list of rules; for each request, and for each connection, the first rule that fits is played:
//!
//! ```toml
//! [[rule]]
//! at = "operators"         # far, a, b, c, an organisation number, operators, or all
//! play = "503"             # see PLAYS
//! share = 0.05             # of the requests; or nth = [1, 7], or every = 100; none of them: all
//! about = 0.02             # only requests about one of this share of recipients
//! from = 1000              # first request that it holds for, counted from 1 per gateway; default 1
//! to = 2000                # last one; default no end
//! after = "10s"            # not before this time from the sandbox's start
//! before = "1m"            # nor from this time on
//! retry_after = "3"        # seconds, "date+3" (an HTTP date so far ahead), "date-3", or any text as it is
//! accepted = true          # whether the message is taken all the same; also a share, as 0.5
//! delay = "30s"            # of plays that wait
//! text = "no {recipient}"  # what faults say, their CallId too; {recipient} is the id (at FaR the first) asked about
//! ```

use super::SandboxError;
use super::draw::share;
use super::population::OPERATORS;
use serde::{Deserialize, Deserializer, de};
use std::path::Path;
use std::time::Duration;

/// Where a request arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// FaR.
    Far,
    /// An operator, from 0.
    Operator(usize),
}

/// A scenario file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Rules in order.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// One rule of a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which gateways.
    pub at: At,
    /// What is played.
    pub play: Play,
    /// Share of requests.
    pub share: Option<f64>,
    /// These requests, counted from 1.
    pub nth: Option<Vec<u64>>,
    /// Every so many requests.
    pub every: Option<u64>,
    /// Requests about one of this share of recipients: of FaR's calls, those that ask about one among others.
    pub about: Option<f64>,
    /// First request that the rule holds for.
    #[serde(default = "Rule::first")]
    pub from: u64,
    /// Last request that it holds for.
    pub to: Option<u64>,
    /// Time from the sandbox's start before which the rule does not hold.
    #[serde(default, deserialize_with = "delay")]
    pub after: Option<Duration>,
    /// Time from the sandbox's start from which on it holds no more.
    #[serde(default, deserialize_with = "delay")]
    pub before: Option<Duration>,
    /// Retry-After of 429 and 503.
    pub retry_after: Option<String>,
    /// Whether the message is accepted before the fault is played; the default depends on the play.
    pub accepted: Option<Accepted>,
    /// How long plays wait that wait.
    #[serde(default, deserialize_with = "delay")]
    pub delay: Option<Duration>,
    /// What faults say, their CallId too; `{recipient}` becomes the recipient's id, at FaR the first one.
    pub text: Option<String>,
}

/// Which gateways a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// FaR and operators.
    All,
    /// All operators.
    Operators,
    /// One gateway.
    One(Place),
}

/// Whether a message is accepted under a fault.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Accepted {
    /// Always or never.
    Fixed(bool),
    /// This share of them.
    Share(f64),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// An HTTP status with an HTML page: `401`, `403`, `404`, `413`, `429`, `500`, `502`, `503`, `504`.
    Status(u16),
    /// HTTP 500 with an applicationFault of this code: `fault-5001`.
    Fault(u32),
    /// The same with HTTP 200: `ok-fault-5000`.
    OkFault(u32),
    /// HTTP 500 with a SOAP fault that has no detail: `fault-without-detail`.
    FaultWithoutDetail,
    /// The answer breaks off in the middle: `truncated`.
    Truncated,
    /// The answer ends too early for its XML, but rightly for HTTP: `half`.
    Half,
    /// The first half of the answer, then nothing more: `half-silent`.
    HalfSilent,
    /// Bytes that are no XML: `garbage`.
    Garbage,
    /// No body: `empty`.
    Empty,
    /// 64 MiB of answer: `huge`.
    Huge,
    /// A byte, then a wait, and so on: `slow`, one second a byte unless `delay` says otherwise.
    Slow,
    /// The right answer as text/html: `wrong-type`.
    WrongType,
    /// Delivered = false: `delivered-false`.
    NotDelivered,
    /// The answer is about another recipient: `other-recipient`.
    OtherRecipient,
    /// Reset before the body is read: `reset-before`.
    ResetBefore,
    /// Reset after a part of the body: `reset-during`.
    ResetDuring,
    /// Reset after the whole request: `reset-after`.
    ResetAfter,
    /// Never an answer: `silent`.
    Silent,
    /// Closed without an answer: `close`.
    Close,
    /// A right answer as HTTP/1.0, which ends the connection: `http-1.0`.
    Http10,
    /// A right answer with `Connection: close`: `close-after`.
    CloseAfter,
    /// Closed once idle after a right answer, without a word: `close-idle`, after `delay`.
    CloseIdle,
    /// A right answer, `delay` (30 s) late: `stall`.
    Stall,
    /// Nothing for `delay` (30 s), then a reset: `stall-reset`.
    StallReset,
    /// FaR leaves out every third id: `omit`.
    Omit,
    /// FaR answers every third id twice: `repeat`.
    Repeat,
    /// FaR answers in another order: `reorder`.
    Reorder,
    /// A connection is reset as soon as it stands: `reset-connect`.
    ResetConnect,
    /// A connection is closed as soon as it stands: `close-connect`.
    CloseConnect,
    /// The handshake is never answered: `stall-connect`, closed after `delay` (10 minutes).
    StallConnect,
    /// The handshake ends with a fatal alert: `tls-alert`.
    TlsAlert,
    /// The server's certificate has ended: `expired`.
    Expired,
    /// The server's certificate is not valid yet: `not-yet-valid`.
    NotYetValid,
    /// The server's certificate is for another name: `wrong-name`.
    WrongName,
    /// The server's certificate is by another authority: `wrong-authority`.
    WrongAuthority,
    /// Our client certificate is refused: `client-refused`.
    ClientRefused,
}

/// Plays by name, for messages and help; `fault-N` and `ok-fault-N` come beside.
pub const PLAYS: &[(&str, Play)] = &[
    ("401", Play::Status(401)),
    ("403", Play::Status(403)),
    ("404", Play::Status(404)),
    ("413", Play::Status(413)),
    ("429", Play::Status(429)),
    ("500", Play::Status(500)),
    ("502", Play::Status(502)),
    ("503", Play::Status(503)),
    ("504", Play::Status(504)),
    ("fault-without-detail", Play::FaultWithoutDetail),
    ("truncated", Play::Truncated),
    ("half", Play::Half),
    ("half-silent", Play::HalfSilent),
    ("garbage", Play::Garbage),
    ("empty", Play::Empty),
    ("huge", Play::Huge),
    ("slow", Play::Slow),
    ("wrong-type", Play::WrongType),
    ("delivered-false", Play::NotDelivered),
    ("other-recipient", Play::OtherRecipient),
    ("reset-before", Play::ResetBefore),
    ("reset-during", Play::ResetDuring),
    ("reset-after", Play::ResetAfter),
    ("silent", Play::Silent),
    ("close", Play::Close),
    ("http-1.0", Play::Http10),
    ("close-after", Play::CloseAfter),
    ("close-idle", Play::CloseIdle),
    ("stall", Play::Stall),
    ("stall-reset", Play::StallReset),
    ("omit", Play::Omit),
    ("repeat", Play::Repeat),
    ("reorder", Play::Reorder),
    ("reset-connect", Play::ResetConnect),
    ("close-connect", Play::CloseConnect),
    ("stall-connect", Play::StallConnect),
    ("tls-alert", Play::TlsAlert),
    ("expired", Play::Expired),
    ("not-yet-valid", Play::NotYetValid),
    ("wrong-name", Play::WrongName),
    ("wrong-authority", Play::WrongAuthority),
    ("client-refused", Play::ClientRefused),
];

impl Play {
    /// The name that scenario files and ledgers have.
    pub fn name(self) -> String {
        match self {
            Self::Fault(code) => format!("fault-{code}"),
            Self::OkFault(code) => format!("ok-fault-{code}"),
            other => {
                PLAYS.iter().find(|(_, play)| *play == other).map_or_else(String::new, |(name, _)| (*name).to_owned())
            }
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        let code = |digits: &str| digits.parse().ok().filter(|code| (1..9999).contains(code));
        if let Some(digits) = name.strip_prefix("ok-fault-") {
            return code(digits).map(Self::OkFault);
        }
        if let Some(found) = PLAYS.iter().find(|(known, _)| *known == name) {
            return Some(found.1);
        }
        name.strip_prefix("fault-").and_then(code).map(Self::Fault)
    }

    /// Whether it is about a connection and not about a request.
    pub const fn at_connection(self) -> bool {
        matches!(
            self,
            Self::ResetConnect
                | Self::CloseConnect
                | Self::StallConnect
                | Self::TlsAlert
                | Self::Expired
                | Self::NotYetValid
                | Self::WrongName
                | Self::WrongAuthority
                | Self::ClientRefused
        )
    }

    /// Whether only FaR can play it.
    const fn at_far_only(self) -> bool {
        matches!(self, Self::Omit | Self::Repeat | Self::Reorder)
    }

    /// Whether only an operator can play it.
    const fn at_operators_only(self) -> bool {
        matches!(self, Self::NotDelivered)
    }

    /// Whether the message is taken all the same unless the rule says otherwise: where the sender cannot know.
    const fn accepts(self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 500 | 502 | 504),
            Self::Fault(_) | Self::OkFault(_) | Self::FaultWithoutDetail | Self::NotDelivered => false,
            Self::ResetBefore | Self::ResetDuring => false,
            _ => !self.at_connection(),
        }
    }
}

/// What one request is to suffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub play: Play,
    /// Only where the request is about one of this share of recipients.
    pub about: Option<f64>,
    /// Whether the message is taken all the same.
    pub accepted: bool,
    pub delay: Option<Duration>,
    pub retry_after: Option<String>,
    pub text: Option<String>,
}

impl Turn {
    /// Whether it is meant for a request with this body: its recipients are the ids that follow the first one, the
    /// sender's.
    pub(crate) fn is_for(&self, seed: u64, body: &[u8]) -> bool {
        let Some(of) = self.about else { return true };
        let words = body.split(|byte| !byte.is_ascii_digit()).filter(|word| word.len() == 12);
        words.skip(1).any(|id| share(seed, &[b"about", id]) < of)
    }
}

impl Scenario {
    /// Reads a scenario file.
    pub fn read(file: &Path) -> Result<Self, SandboxError> {
        let text = std::fs::read_to_string(file).map_err(SandboxError::io("read", file))?;
        Self::parse(&text).map_err(|error| SandboxError::Scenario(format!("{}: {error}", file.display())))
    }

    /// Reads a scenario.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (number, rule) in scenario.rules.iter().enumerate() {
            rule.check().map_err(|error| format!("rule {}: {error}", number + 1))?;
        }
        Ok(scenario)
    }

    /// The turn of the `n`-th request (or connection) at a gateway, counted from 1, at a time from the start.
    pub(crate) fn turn(&self, seed: u64, place: Place, n: u64, at: Duration, connection: bool) -> Option<Turn> {
        let (number, rule) =
            self.rules.iter().enumerate().find(|(number, rule)| {
                rule.play.at_connection() == connection && rule.fits(seed, *number, place, n, at)
            })?;
        let about: &[&[u8]] = &[b"accepted", &place.bytes(), &n.to_le_bytes(), &(number as u64).to_le_bytes()];
        let accepted = match rule.accepted {
            None => rule.play.accepts(),
            Some(Accepted::Fixed(accepted)) => accepted,
            Some(Accepted::Share(of)) => share(seed, about) < of,
        };
        Some(Turn {
            play: rule.play,
            about: rule.about,
            accepted,
            delay: rule.delay,
            retry_after: rule.retry_after.clone(),
            text: rule.text.clone(),
        })
    }

    /// Whether any rule plays this.
    pub(crate) fn plays(&self, test: impl Fn(Play) -> bool) -> bool {
        self.rules.iter().any(|rule| test(rule.play))
    }
}

impl Rule {
    const fn first() -> u64 {
        1
    }

    /// A rule that plays for a share of an operator's requests.
    pub fn share(play: Play, share: f64) -> Self {
        Self {
            at: At::Operators,
            play,
            share: Some(share),
            nth: None,
            every: None,
            about: None,
            from: 1,
            to: None,
            after: None,
            before: None,
            retry_after: None,
            accepted: None,
            delay: None,
            text: None,
        }
    }

    fn check(&self) -> Result<(), String> {
        let given = [self.share.is_some(), self.nth.is_some(), self.every.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err("one of share, nth and every".into());
        }
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        if !self.share.is_none_or(is_share)
            || !self.about.is_none_or(is_share)
            || matches!(self.accepted, Some(Accepted::Share(share)) if !is_share(share))
        {
            return Err("a share is from 0 to 1".into());
        }
        if self.every == Some(0) || self.from == 0 || self.nth.iter().flatten().any(|n| *n == 0) {
            return Err("requests are counted from 1".into());
        }
        if self.about.is_some() && self.play.at_connection() {
            return Err("about goes with plays on requests".into());
        }
        if self.play.at_far_only() && self.at != At::One(Place::Far) {
            return Err(format!("{} is for at = \"far\"", self.play.name()));
        }
        if self.play.at_operators_only() && matches!(self.at, At::All | At::One(Place::Far)) {
            return Err(format!("{} is for operators", self.play.name()));
        }
        if self.retry_after.is_some() && !matches!(self.play, Play::Status(429 | 503)) {
            return Err("retry_after goes with 429 and 503".into());
        }
        let speaks = matches!(self.play, Play::Fault(_) | Play::OkFault(_) | Play::FaultWithoutDetail);
        if self.text.is_some() && !speaks {
            return Err("text goes with faults".into());
        }
        Ok(())
    }

    fn fits(&self, seed: u64, number: usize, place: Place, n: u64, at: Duration) -> bool {
        let here = match self.at {
            At::All => true,
            At::Operators => matches!(place, Place::Operator(_)),
            At::One(one) => one == place,
        };
        here && n >= self.from
            && self.to.is_none_or(|to| n <= to)
            && self.after.is_none_or(|after| at >= after)
            && self.before.is_none_or(|before| at < before)
            && self.nth.as_ref().is_none_or(|nth| nth.contains(&n))
            && self.every.is_none_or(|every| n.is_multiple_of(every))
            && self.share.is_none_or(|of| {
                share(seed, &[b"turn", &place.bytes(), &n.to_le_bytes(), &(number as u64).to_le_bytes()]) < of
            })
    }
}

impl Place {
    pub(crate) fn bytes(self) -> [u8; 1] {
        match self {
            Self::Far => [b'f'],
            Self::Operator(number) => [b'a'.wrapping_add(number as u8)],
        }
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let by_id =
            || super::OPERATOR_IDS.iter().position(|id| *id == text).map(|number| Self::One(Place::Operator(number)));
        match text.as_str() {
            "all" => Some(Self::All),
            "operators" => Some(Self::Operators),
            "far" => Some(Self::One(Place::Far)),
            "a" => Some(Self::One(Place::Operator(0))),
            "b" => Some(Self::One(Place::Operator(1))),
            "c" => Some(Self::One(Place::Operator(OPERATORS - 1))),
            _ => by_id(),
        }
        .ok_or_else(|| de::Error::custom("`at` is far, a, b, c, an operator's organisation number, operators or all"))
    }
}

impl<'de> Deserialize<'de> for Play {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::by_name(&text).ok_or_else(|| {
            let names: Vec<&str> = PLAYS.iter().map(|(name, _)| *name).collect();
            de::Error::custom(format!("`play` is fault-N, ok-fault-N, {}", names.join(", ")))
        })
    }
}

/// `"250ms"`, `"30s"`, `"5m"`.
fn delay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok();
    match (number, scale_ms) {
        (Some(number), Some(scale_ms)) => Ok(Some(Duration::from_millis(number.saturating_mul(scale_ms)))),
        _ => Err(de::Error::custom("a delay is a whole number and ms, s or m, as \"30s\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(text: &str, place: Place, at: Duration) -> Vec<u64> {
        let scenario = Scenario::parse(text).unwrap();
        (1..=1000).filter(|n| scenario.turn(1, place, *n, at, false).is_some()).collect()
    }

    #[test]
    fn rules_choose_by_place_number_time_and_share() {
        let rule = |rest: &str| format!("[[rule]]\nat = \"b\"\nplay = \"503\"\n{rest}\n");
        let (a, b, now) = (Place::Operator(0), Place::Operator(1), Duration::from_secs(5));
        assert_eq!(turns(&rule(""), a, now).len(), 0);
        assert_eq!(turns(&rule(""), b, now).len(), 1000);
        assert_eq!(turns(&rule("nth = [3, 999]"), b, now), [3, 999]);
        assert_eq!(turns(&rule("every = 300"), b, now), [300, 600, 900]);
        assert_eq!(turns(&rule("from = 10\nto = 12"), b, now), [10, 11, 12]);
        assert_eq!(turns(&rule("after = \"6s\""), b, now).len(), 0);
        assert_eq!(turns(&rule("after = \"5s\"\nbefore = \"6s\""), b, now).len(), 1000);
        assert_eq!(turns(&rule("before = \"5s\""), b, now).len(), 0);
        let some = turns(&rule("share = 0.25"), b, now);
        assert!((200..=300).contains(&some.len()), "{}", some.len());
        assert_eq!(some, turns(&rule("share = 0.25"), b, now));
        let by_number = rule("").replace("\"b\"", "\"165599000105\"");
        assert_eq!(turns(&by_number, b, now).len(), 1000);
    }

    #[test]
    fn whether_a_message_is_taken_can_be_said_or_drawn() {
        let taken = |rest: &str| {
            let scenario = Scenario::parse(&format!("[[rule]]\nat = \"a\"\nplay = \"502\"\n{rest}")).unwrap();
            let turn = |n| scenario.turn(1, Place::Operator(0), n, Duration::ZERO, false).unwrap();
            (1..=1000).filter(|n| turn(*n).accepted).count()
        };
        assert_eq!(taken(""), 1000);
        assert_eq!(taken("accepted = false"), 0);
        assert!((420..=580).contains(&taken("accepted = 0.5")));
    }

    #[test]
    fn every_play_has_a_name_that_is_read_back() {
        for (name, play) in PLAYS {
            assert_eq!(Play::by_name(name), Some(*play));
            assert_eq!(play.name(), *name);
        }
        assert_eq!(Play::by_name("fault-5014"), Some(Play::Fault(5014)));
        assert_eq!(Play::by_name("ok-fault-7").map(Play::name).as_deref(), Some("ok-fault-7"));
    }
}
