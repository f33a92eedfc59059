//! Orders to a running send: `control.ndjson` in the run's folder, one JSON object a line, only ever appended to.
//!
//! The sending process has the run's lock; an order needs none of it. Each is one line (when, who, what), written with
//! one write under a lock of the file and synced. The file is what holds across restarts: whatever stands at its end is in
//! force, also in the next process. A line that a full disk or a kill broke off was acknowledged to nobody: the next order
//! takes its place. Each line becomes an event of the journal when a process takes it up, in the order of
//! the file, so the number of such events tells how many have been.

use super::error::TrackError;
use super::journal::RunOperator;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Kind of the events that tell of orders taken up.
pub const CONTROL_EVENT: &str = "control";

/// How FaR is named in orders.
pub const FAR: &str = "far";

/// An order, and who gave it when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// When.
    pub at: Timestamp,
    /// Who: the user of the operating system.
    pub who: String,
    /// What.
    pub what: What,
    /// Whom it is about: an operator's organisation number, or [`FAR`]; absent: the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Nothing leaves any more.
    Pause,
    /// A pause is over.
    Resume,
    /// The process ends after what is under way.
    Drain,
    /// No more than so many requests a second; `None`: as agreed.
    Rate(Option<f64>),
}

impl Order {
    /// An order of now, by the user whom this process belongs to.
    pub fn now(what: What, gateway: Option<String>) -> Self {
        Self { at: Timestamp::now(), who: user(), what, gateway }
    }

    /// Adds it to the run's orders. Returns how many there are now. *Errors*: storage; nothing of it is left then, unless
    /// only the sync failed.
    pub fn give(&self, run: &Path) -> Result<usize, TrackError> {
        let file = file(run);
        let failed = |error| TrackError::storage(format!("write the order to {}", file.display()), error);
        let mut text = serde_json::to_string(self).map_err(|error| failed(error.into()))?;
        text.push('\n');
        let mut out = OpenOptions::new().append(true).create(true).mode(0o600).open(&file).map_err(failed)?;
        out.lock().map_err(failed)?;
        let bytes = std::fs::read(&file).map_err(failed)?;
        // Behind a line that was broken off, the order would be none.
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end as u64 + 1);
        if whole < bytes.len() as u64 {
            tracing::warn!(file = %file.display(), "an order that was not written whole is taken away; nobody was told that it stands");
            out.set_len(whole).map_err(failed)?;
        }
        let before = read(run)?.len();
        if let Err(error) = out.write_all(text.as_bytes()) {
            // Where this fails too, the next order does it.
            let _ = out.set_len(whole);
            return Err(failed(error));
        }
        out.sync_all().map_err(failed)?;
        File::open(run).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(before + 1)
    }
}

impl Order {
    /// It in words, with the names of operators.
    pub fn told(&self, operators: &[RunOperator]) -> String {
        let gateway = match self.gateway.as_deref() {
            None => "the run",
            Some(FAR) => "FaR",
            Some(id) => operators.iter().find(|of| of.id == id).map_or(id, |of| of.name.as_str()),
        };
        format!("{} for {gateway}, ordered by {} at {}", self.what, self.who, self.at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Drain => f.write_str("drain"),
            Self::Rate(Some(per_s)) => write!(f, "rate {per_s}/s"),
            Self::Rate(None) => f.write_str("rate as agreed"),
        }
    }
}

/// The orders of a run, oldest first. A line that is being written is not there yet; one that cannot be read is passed
/// over with a warning, and what stands around it stands.
///
/// *Errors*: storage.
pub fn read(run: &Path) -> Result<Vec<Order>, TrackError> {
    let file = file(run);
    let bytes = match std::fs::read(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| TrackError::storage(format!("read the orders in {}", file.display()), error))?,
    };
    // Bytes, since the line that is being written may end within a character.
    let (whole, _) = bytes.split_at(memchr::memrchr(b'\n', &bytes).unwrap_or_default());
    let lines = (!whole.is_empty()).then(|| whole.split(|byte| *byte == b'\n'));
    let mut orders = Vec::new();
    for (number, line) in lines.into_iter().flatten().enumerate() {
        let order = serde_json::from_slice(line).ok();
        if order.is_none() {
            let file = file.display();
            tracing::warn!(%file, line = number + 1, "a line is no order, and is passed over: see `utskick status` for what stands");
        }
        orders.extend(order.or_else(|| behind_a_torn_one(line)));
    }
    Ok(orders)
}

/// The order that an earlier version wrote, and acknowledged, behind a line that had been broken off.
fn behind_a_torn_one(line: &[u8]) -> Option<Order> {
    let start = memchr::memmem::rfind(line, b"{\"at\":").filter(|start| *start > 0)?;
    serde_json::from_slice(line.get(start..)?).ok()
}

/// Size and time of the orders' file, which tell whether there are new ones.
pub fn stamp(run: &Path) -> Option<(u64, SystemTime)> {
    let facts = std::fs::metadata(file(run)).ok()?;
    Some((facts.len(), facts.modified().ok()?))
}

fn file(run: &Path) -> PathBuf {
    run.join("control.ndjson")
}

/// What stands after all orders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The pause of the whole run.
    pub paused: Option<Order>,
    /// Pauses of single gateways.
    pub paused_gateways: Vec<Order>,
    /// Rates of single gateways.
    pub rates: Vec<Order>,
}

impl Standing {
    /// What these orders come to.
    pub fn of(orders: &[Order]) -> Self {
        let mut standing = Self::default();
        for order in orders {
            let same = |other: &Order| other.gateway == order.gateway;
            match (order.what, &order.gateway) {
                (What::Pause, None) => standing.paused = standing.paused.or_else(|| Some(order.clone())),
                (What::Pause, Some(_)) => {
                    if !standing.paused_gateways.iter().any(same) {
                        standing.paused_gateways.push(order.clone());
                    }
                }
                (What::Resume, None) => {
                    standing.paused = None;
                    standing.paused_gateways.clear();
                }
                (What::Resume, Some(_)) => standing.paused_gateways.retain(|other| !same(other)),
                (What::Rate(per_s), _) => {
                    standing.rates.retain(|other| !same(other));
                    standing.rates.extend(per_s.map(|_| order.clone()));
                }
                (What::Drain, _) => {}
            }
        }
        standing
    }

    /// Whether nothing may leave to this gateway.
    pub fn pauses(&self, gateway: &str) -> bool {
        self.paused.is_some() || self.paused_gateways.iter().any(|order| order.gateway.as_deref() == Some(gateway))
    }

    /// The rate ordered for this gateway.
    pub fn rate(&self, gateway: &str) -> Option<f64> {
        let order = self.rates.iter().find(|order| order.gateway.as_deref() == Some(gateway))?;
        match order.what {
            What::Rate(per_s) => per_s,
            _ => None,
        }
    }

    /// Everything that stands, oldest first.
    pub fn orders(&self) -> Vec<&Order> {
        let mut all: Vec<_> = self.paused.iter().chain(&self.paused_gateways).chain(&self.rates).collect();
        all.sort_by_key(|order| order.at);
        all
    }
}

/// The user whom this process belongs to, by name where the machine knows one.
pub fn user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, of) = (fields.next()?, fields.next()?, fields.next()?);
        (of.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_order() -> impl Strategy<Value = Order> {
        let gateway = proptest::option::of(prop_oneof![Just("A".to_owned()), Just(FAR.to_owned())]);
        let what = prop_oneof![
            Just(What::Pause),
            Just(What::Resume),
            Just(What::Drain),
            proptest::option::of(1u32..10_000)
                .prop_map(|hundredths| What::Rate(hundredths.map(|of| f64::from(of) / 100.0)))
        ];
        (what, gateway).prop_map(|(what, gateway)| {
            let gateway = if matches!(what, What::Rate(_)) { Some(gateway.unwrap_or("A".into())) } else { gateway };
            Order { at: Timestamp::UNIX_EPOCH, who: "anna (uid 1)".into(), what, gateway }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// What was ordered is read again in order, and what stands is what the last word about each gateway was.
        #[test]
        fn orders_are_kept_and_the_last_word_stands(orders in proptest::collection::vec(any_order(), 0..20)) {
            let run = tempfile::tempdir().unwrap();
            for (number, order) in orders.iter().enumerate() {
                prop_assert_eq!(order.give(run.path()).unwrap(), number + 1);
            }
            prop_assert_eq!(read(run.path()).unwrap(), orders.clone());
            let standing = Standing::of(&orders);
            for gateway in ["A", FAR] {
                let about = |order: &&Order| order.gateway.is_none() || order.gateway.as_deref() == Some(gateway);
                let (mut run_paused, mut own) = (false, false);
                let mut rate = None;
                for order in orders.iter().filter(about) {
                    match (order.what, order.gateway.is_some()) {
                        (What::Pause, false) => run_paused = true,
                        (What::Pause, true) => own = true,
                        (What::Resume, false) => (run_paused, own) = (false, false),
                        (What::Resume, true) => own = false,
                        (What::Rate(per_s), _) => rate = per_s,
                        (What::Drain, _) => {}
                    }
                }
                prop_assert_eq!(standing.pauses(gateway), run_paused || own);
                prop_assert_eq!(standing.rate(gateway), rate);
            }
        }
    }

    #[test]
    fn a_line_that_is_not_whole_is_not_there_and_one_that_is_no_order_is_passed_over() {
        let run = tempfile::tempdir().unwrap();
        Order::now(What::Pause, None).give(run.path()).unwrap();
        let first = std::fs::read(file(run.path())).unwrap().len();
        Order::now(What::Pause, Some("Sandlådan".into())).give(run.path()).unwrap();
        let both = std::fs::read(file(run.path())).unwrap();
        // Wherever it is cut, within a character too.
        for end in first..both.len() {
            std::fs::write(file(run.path()), &both[..end]).unwrap();
            assert_eq!(read(run.path()).unwrap().len(), 1, "cut at {end}");
        }
        // One that was broken off makes room for the next order.
        for end in [first + 1, both.len() - 1] {
            std::fs::write(file(run.path()), &both[..end]).unwrap();
            assert_eq!(Order::now(What::Drain, None).give(run.path()).unwrap(), 2, "cut at {end}");
            let orders = read(run.path()).unwrap();
            assert_eq!(orders.iter().map(|order| order.what).collect::<Vec<_>>(), [What::Pause, What::Drain]);
            let text = std::fs::read_to_string(file(run.path())).unwrap();
            assert_eq!(text.lines().count(), 2, "{text}");
        }
        // One that cannot be read is passed over; what was acknowledged behind a broken one stands.
        let third = serde_json::to_vec(&Order::now(What::Drain, None)).unwrap();
        let damaged = [&both[..both.len() - 4], b"\n", &both[first..first + 30], &third, b"\n"].concat();
        std::fs::write(file(run.path()), damaged).unwrap();
        let orders = read(run.path()).unwrap();
        assert_eq!(orders.iter().map(|order| order.what).collect::<Vec<_>>(), [What::Pause, What::Drain]);
        assert_eq!(Order::now(What::Resume, None).give(run.path()).unwrap(), 3);
    }
}
