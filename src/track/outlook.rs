//! When a running send will have ended, and what limits it.
//!
//! In: the operators' queues and what was delivered in the last minute, the [`Pulse`] of the running process, and the orders
//! that stand, which hold before there is a pulse. Out: an expected end for each operator and for the run, and words. The time left comes from the limits that hold, not from
//! history alone: what waits at an operator over the lesser of its rate in force and what it has lately done, counted in
//! the time that its delivery windows are open. What waits for its look-up will spread as what has been looked up.

use super::control::{FAR, Standing};
use super::pulse::{GatewayPulse, Pulse};
use super::status::OperatorStatus;
use crate::domain::Windows;
use jiff::Timestamp;

/// What is expected of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outlook {
    /// When it will have ended; `None` where nothing tells.
    pub end: Option<Timestamp>,
    /// What sets that time, in words.
    pub limited_by: Option<String>,
    /// When everything will have been looked up; `None` where nothing tells, or nothing waits for it.
    pub look_ups_end: Option<Timestamp>,
    /// What holds look-ups up.
    pub look_ups_limited_by: Option<String>,
}

/// Fills in what is expected of each operator, and gives what is expected of the run.
///
/// `look_up` and `paper` are how many statements wait for them.
pub(super) fn outlook(
    operators: &mut [OperatorStatus],
    look_up: u64,
    paper: u64,
    pulse: Option<&Pulse>,
    standing: &Standing,
    now: Timestamp,
) -> Outlook {
    let far_paused = standing.pauses(FAR);
    let look_ups = look_ups(look_up, far_paused, pulse, now);
    let far_limit = || match far_paused {
        true => Some(paused_by_order("FaR")),
        false => pulse.and_then(|pulse| pulse.far.limit("FaR", pulse.cpu_share)),
    };
    let look_ups_limited_by =
        Some(look_up).filter(|count| *count > 0).and_then(|_| far_limit()).map(|limit| format!("look-ups: {limit}"));
    let had = |of: &OperatorStatus| of.queued + of.in_flight + of.delivered + of.failed + of.in_doubt;
    let all: u64 = operators.iter().map(had).sum();
    for of in operators.iter_mut() {
        let to_come = if all == 0 { 0.0 } else { look_up as f64 * had(of) as f64 / all as f64 };
        let gateway = pulse.and_then(|pulse| pulse.operators.iter().find(|gateway| gateway.id == of.id));
        of.paused = standing.pauses(&of.id);
        see(of, gateway, pulse.map_or(0.0, |pulse| pulse.cpu_share));
        let own = end((of.queued + of.in_flight) as f64 + to_come, of, gateway, now);
        of.expected_end = match (own, look_ups) {
            (Some(own), Some(looked_up)) if to_come > 0.0 => Some(own.max(looked_up)),
            (Some(_), None) if to_come > 0.0 => None,
            (own, _) => own,
        };
        of.left_s = of.expected_end.map(|end| end.duration_since(now).as_secs_f64().max(0.0));
    }
    let waits = |of: &&OperatorStatus| of.queued + of.in_flight > 0;
    let unknown = operators.iter().filter(waits).find(|of| of.expected_end.is_none());
    let slowest = operators.iter().filter(waits).max_by_key(|of| of.expected_end);
    let end = match (unknown, look_up) {
        (Some(_), _) => None,
        (None, 0) => operators.iter().filter_map(|of| of.expected_end).max(),
        (None, _) => look_ups.and_then(|looked_up| {
            operators
                .iter()
                .map(|of| of.expected_end)
                .chain([Some(looked_up)])
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .max()
        }),
    };
    // An operator that has less waiting than it can have under way waits for look-ups itself.
    let starved = |of: &OperatorStatus| look_up > 0 && of.queued <= of.concurrency;
    let stopped = operators.iter().find(|of| of.stopped);
    let limited_by = match stopped.or(unknown).or(slowest) {
        Some(of) if of.stopped => of.limited_by.clone(),
        Some(of) if !starved(of) || look_ups_limited_by.is_none() => of.limited_by.clone().or_else(|| Some(takes(of))),
        Some(_) => look_ups_limited_by.clone(),
        None if look_up > 0 => look_ups_limited_by.clone().or_else(|| Some("look-ups in FaR".into())),
        None if paper > 0 => Some("print bundles".into()),
        None => None,
    };
    Outlook { end, limited_by, look_ups_end: look_ups.filter(|_| look_up > 0), look_ups_limited_by }
}

/// When everything will have been looked up: now where nothing waits for it.
fn look_ups(look_up: u64, paused: bool, pulse: Option<&Pulse>, now: Timestamp) -> Option<Timestamp> {
    if look_up == 0 {
        return Some(now);
    }
    if paused {
        return None;
    }
    let Some(pulse) = pulse else { return Some(now) };
    if pulse.far.silent {
        return None;
    }
    // At its opening it will be as quick as it was; where it was not asked yet, look-ups are quicker than deliveries.
    let seconds = if pulse.looked_up_per_s > 0.0 { look_up as f64 / pulse.looked_up_per_s } else { 0.0 };
    let from = pulse.far.asked_to_wait_until.map_or(now, |until| until.max(now));
    windows(&pulse.far.windows).after_open(from, seconds)
}

/// Takes over what the pulse tells of an operator.
fn see(of: &mut OperatorStatus, gateway: Option<&GatewayPulse>, cpu_share: f64) {
    if of.stopped {
        of.limited_by = Some(format!("{} refuses our credentials; its queue is stopped", of.name));
    }
    if of.limited_by.is_none() && of.paused && of.queued + of.in_flight > 0 {
        of.limited_by = Some(paused_by_order(&of.name));
    }
    let Some(gateway) = gateway else { return };
    of.limit_per_s = gateway.limit_per_s;
    of.concurrency = gateway.concurrency;
    of.closed_until = gateway.closed_until;
    of.windows = Some(gateway.windows.clone());
    of.waiting = Some(gateway.waiting);
    if of.limited_by.is_none() && of.queued + of.in_flight > 0 {
        of.limited_by = gateway.limit(&of.name, cpu_share);
    }
}

fn end(left: f64, of: &OperatorStatus, gateway: Option<&GatewayPulse>, now: Timestamp) -> Option<Timestamp> {
    if left == 0.0 {
        return Some(now);
    }
    if of.stopped || of.paused || gateway.is_some_and(|gateway| gateway.silent) {
        return None;
    }
    let limit = if gateway.is_some() { of.limit_per_s } else { of.rate_per_s };
    // While nothing may leave, what has lately left says nothing.
    let shut = gateway.is_some_and(|at| at.closed_until.is_some() || at.asked_to_wait_until.is_some());
    let measured = Some(of.delivered_per_s).filter(|rate| *rate > 0.0 && !shut);
    let rate = match (limit, measured) {
        (Some(limit), Some(measured)) => limit.min(measured),
        (limit, measured) => limit.or(measured)?,
    };
    let from = gateway.and_then(|at| at.asked_to_wait_until).map_or(now, |until| until.max(now));
    gateway.map_or_else(Windows::default, |at| windows(&at.windows)).after_open(from, left / rate)
}

fn paused_by_order(name: &str) -> String {
    format!("{name} is paused by order")
}

/// What an operator does, where nothing else is known of it.
fn takes(of: &OperatorStatus) -> String {
    match of.rate_per_s {
        // Within a twentieth of the agreed rate: the agreement is what limits.
        Some(agreed) if of.delivered_per_s >= agreed * 0.95 => format!("{}'s agreed rate of {agreed}/s", of.name),
        _ => format!("{}, which takes {:.1}/s", of.name, of.delivered_per_s),
    }
}

fn windows(text: &str) -> Windows {
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::control::{Order, What};
    use super::*;
    use proptest::prelude::*;

    fn operator(id: &str, queued: u64, rate_per_s: f64) -> OperatorStatus {
        let (id, name) = (id.to_owned(), format!("Operator {id}"));
        OperatorStatus { id, name, queued, rate_per_s: Some(rate_per_s), ..OperatorStatus::default() }
    }

    fn pulse(operators: Vec<GatewayPulse>) -> Pulse {
        let far = GatewayPulse { id: "far".into(), windows: "always".into(), ..GatewayPulse::default() };
        Pulse { at: Timestamp::UNIX_EPOCH, over_s: 2.0, cpu_share: 0.1, looked_up_per_s: 0.0, far, operators }
    }

    fn gateway(id: &str, limit_per_s: f64, windows: &str) -> GatewayPulse {
        GatewayPulse {
            id: id.into(),
            agreed_per_s: Some(limit_per_s),
            limit_per_s: Some(limit_per_s),
            windows: windows.into(),
            concurrency: 16,
            ..GatewayPulse::default()
        }
    }

    #[test]
    fn windows_count_in_the_end() {
        // A Friday evening: 3600 letters at 1/s in nights of an hour take this night's half hour and half of the next.
        let now: Timestamp = "2027-01-15T18:30+01".parse().unwrap();
        let mut operators = [operator("A", 3600, 1.0)];
        let pulse = pulse(vec![gateway("A", 1.0, "mon-fri 18:00-19:00")]);
        let seen = outlook(&mut operators, 0, 0, Some(&pulse), &Standing::default(), now);
        assert_eq!(seen.end, Some("2027-01-18T18:30+01".parse().unwrap()), "Monday");
    }

    #[test]
    fn a_closed_window_is_what_limits() {
        let now: Timestamp = "2027-01-15T12:00+01".parse().unwrap();
        let opens: Timestamp = "2027-01-15T18:00+01".parse().unwrap();
        let mut operators = [operator("A", 100, 10.0), operator("B", 100, 10.0)];
        let closed = GatewayPulse { closed_until: Some(opens), ..gateway("A", 10.0, "fri 18:00-19:00") };
        let seen = outlook(
            &mut operators,
            0,
            0,
            Some(&pulse(vec![closed, gateway("B", 10.0, "always")])),
            &Standing::default(),
            now,
        );
        assert_eq!(seen.end, Some("2027-01-15T18:00:10+01".parse().unwrap()));
        assert!(seen.limited_by.unwrap().contains("delivery window, closed until"));
    }

    /// A pause has no end, of an operator, of FaR, or of the run, and whether or not there is a pulse yet.
    #[test]
    fn what_is_paused_has_no_expected_end() {
        let now: Timestamp = "2027-01-15T12:00+01".parse().unwrap();
        let pulse = pulse(vec![gateway("A", 10.0, "always"), gateway("B", 10.0, "always")]);
        for pulse in [None, Some(&pulse)] {
            for (whom, look_up) in
                [(None, 0), (None, 50), (Some("B"), 0), (Some("B"), 50), (Some(FAR), 50), (Some(FAR), 0)]
            {
                let mut operators = [operator("A", 100, 10.0), operator("B", 100, 10.0)];
                let order = Order::now(What::Pause, whom.map(str::to_owned));
                let standing = Standing::of(&[order]);
                let seen = outlook(&mut operators, look_up, 0, pulse, &standing, now);
                let paused = [&operators[0], &operators[1]].map(|of| of.paused);
                assert_eq!(paused, [whom.is_none(), whom != Some(FAR)], "{whom:?}");
                assert_eq!(seen.end.is_none(), whom != Some(FAR) || look_up > 0, "{whom:?} {look_up}");
                assert!(operators.iter().all(|of| !of.paused || of.expected_end.is_none()), "{operators:?}");
                let by = operators
                    .iter()
                    .filter(|of| of.limited_by.as_deref() == Some(&format!("{} is paused by order", of.name)));
                assert_eq!(by.count(), paused.iter().filter(|paused| **paused).count(), "{operators:?}");
                let look_ups = seen.look_ups_limited_by.as_deref() == Some("look-ups: FaR is paused by order");
                assert_eq!(look_ups, look_up > 0 && whom != Some("B"), "{seen:?}");
            }
        }
    }

    proptest! {
        /// The run ends with its last operator, and never before any; a lower rate never ends it sooner.
        #[test]
        fn the_last_operator_ends_the_run(
            queues in proptest::collection::vec((0u64..5000, 1f64..100.0), 1..5),
            look_up in prop_oneof![Just(0u64), 1u64..5000],
            share in 0.1f64..1.0,
        ) {
            let now: Timestamp = "2027-01-15T12:00+01".parse().unwrap();
            let ends = |share: f64| {
                let mut operators: Vec<_> =
                    queues.iter().enumerate().map(|(id, (queued, rate))| operator(&id.to_string(), *queued, *rate)).collect();
                let gateways = queues.iter().enumerate();
                let gateways = gateways.map(|(id, (_, rate))| gateway(&id.to_string(), rate * share, "mon-sun 08:00-16:00"));
                let seen = outlook(&mut operators, look_up, 0, Some(&pulse(gateways.collect())), &Standing::default(), now);
                (seen.end.unwrap(), operators)
            };
            let (end, operators) = ends(1.0);
            prop_assert!(operators.iter().all(|of| of.expected_end.unwrap() <= end));
            prop_assert!(end >= now);
            prop_assert!(ends(share).0 >= end);
        }
    }
}
