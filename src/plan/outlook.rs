//! What a plan says of a send: when it ends, with a range; whether the deadline holds; what limits it; and what if.

use super::bottleneck::Bottleneck;
use super::model::{Model, Nanos};
use super::sensitivity::{POINTS, Row, sensitivity};
use super::simulate::{Keep, Simulated, simulate};
use jiff::{SignedDuration, Timestamp};

/// How far what is not known may be from what is expected: factors and shares for the best and the worst case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spreads {
    /// Processor costs, as factors.
    pub costs: (f64, f64),
    /// Answers, as factors.
    pub latency: (f64, f64),
    /// Shares of attempts that are answered with a request to try again.
    pub retries: (f64, f64),
    /// Points of the digital share to either side; 0 where FaR was asked.
    pub points: f64,
}

impl Spreads {
    /// What is stated and used: costs measured here may be a fifth less or half as much again, others half or double;
    /// answers half or double; retries none, or two points more; the digital share ten points to either side.
    pub fn new(measured_here: bool, retries: f64, asked: bool) -> Self {
        Self {
            costs: if measured_here { (0.8, 1.5) } else { (0.5, 2.0) },
            latency: (0.5, 2.0),
            retries: (0.0, retries + 0.02),
            points: if asked { 0.0 } else { POINTS },
        }
    }
}

/// What is to be expected of a send.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// When it starts.
    pub start: Timestamp,
    /// When everything must have left.
    pub deadline: Option<Timestamp>,
    /// As expected.
    pub likely: Simulated,
    /// The earliest end within the spreads; `None`: never.
    pub best: Option<Nanos>,
    /// The latest; `None`: never.
    pub worst: Option<Nanos>,
    /// What limits it.
    pub bottleneck: Bottleneck,
    /// What if.
    pub sensitivity: Vec<Row>,
}

impl Outlook {
    /// Simulates a send as expected, at its best and worst, without each of its limits, and with what may change.
    pub fn of(model: &Model, start: Timestamp, deadline: Option<Timestamp>, spreads: Spreads) -> Self {
        let likely = simulate(model, Keep { series: true, sends: false });
        let share = model.digital() as f64 / model.looked_up().max(1) as f64;
        let case = |costs: f64, latency: f64, retries: f64, points: f64| {
            let mut case = model.clone().with_costs(costs).with_latency(latency);
            if points != 0.0 {
                case = case.with_digital_share(share + points);
            }
            case.desks.iter_mut().for_each(|desk| desk.retries = retries);
            simulate(&case, Keep::default()).end
        };
        let Spreads { costs, latency, retries, points } = spreads;
        // Fewer letters are not always faster: what is not digital goes on paper. So both ends of that are tried.
        let ends = [
            likely.end,
            case(costs.0, latency.0, retries.0, -points),
            case(costs.0, latency.0, retries.0, points),
            case(costs.1, latency.1, retries.1, -points),
            case(costs.1, latency.1, retries.1, points),
        ];
        let never = |end: &Option<Nanos>| end.unwrap_or(Nanos::MAX);
        let (best, worst) = (ends.iter().min_by_key(|end| never(end)), ends.iter().max_by_key(|end| never(end)));
        let (best, worst) = (best.copied().flatten(), worst.copied().flatten());
        let since = deadline.map(|deadline| Nanos::try_from(deadline.duration_since(start).as_nanos()).unwrap_or(0));
        let bottleneck = Bottleneck::of(model, &likely, since);
        Self { start, deadline, likely, best, worst, bottleneck, sensitivity: sensitivity(model) }
    }

    /// The time of day of a moment of the send; where it is beyond the calendar, the calendar's end.
    pub fn at(&self, nanos: Nanos) -> Timestamp {
        let since = SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX));
        self.start.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// From an end to the deadline, negative where it is missed; `None` without a deadline.
    pub fn margin(&self, end: Option<Nanos>) -> Option<SignedDuration> {
        let deadline = self.deadline?;
        Some(end.map_or(SignedDuration::MIN, |end| deadline.duration_since(self.at(end))))
    }
}
