//! What is used of a gateway: the agreed rate, a lower one that somebody ordered, or less where the gateway pushes back.

use super::adapt::{Adapt, Change, Said};
use super::pace::Pacer;
use super::places::Places;
use crate::config::Rate;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Changes that nobody has taken note of yet: beyond it the oldest are dropped, which are in the log as well.
const NOTED: usize = 64;

#[derive(Debug)]
pub(super) struct Throttle {
    agreed: Rate,
    concurrency: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ordered_per_s: Option<f64>,
    adapt: Adapt,
    changes: Vec<String>,
}

impl Throttle {
    pub(super) fn new(agreed: Rate, concurrency: usize, now: Instant) -> Self {
        let adapt = Adapt::new(ceiling(agreed, None).unwrap_or(concurrency as f64), now);
        Self { agreed, concurrency, state: Mutex::new(State { ordered_per_s: None, adapt, changes: Vec::new() }) }
    }

    /// The rate in force; `None`: unlimited.
    pub(super) fn limit_per_s(&self) -> Option<f64> {
        let state = self.state();
        ceiling(self.agreed, state.ordered_per_s).map(|_| state.adapt.used())
    }

    /// The rate that somebody ordered.
    pub(super) fn ordered_per_s(&self) -> Option<f64> {
        self.state().ordered_per_s
    }

    /// Orders a rate, which holds where it is below the agreed one; `None` takes the order back.
    pub(super) fn order(&self, per_s: Option<f64>, pacer: &Pacer, places: &Places) {
        let now = Instant::now();
        let mut state = self.state();
        if state.ordered_per_s == per_s {
            return;
        }
        state.ordered_per_s = per_s;
        state.adapt = Adapt::new(ceiling(self.agreed, per_s).unwrap_or(self.concurrency as f64), now);
        self.apply(&state, now, pacer, places);
    }

    /// Learns from an attempt.
    pub(super) fn learn(&self, name: &str, began: Instant, said: Said, pacer: &Pacer, places: &Places) {
        let now = Instant::now();
        let mut state = self.state();
        let Some(Change { from, to, cause }) = state.adapt.learn(began, now, said) else { return };
        let by_rate = ceiling(self.agreed, state.ordered_per_s).is_some();
        let text = if by_rate {
            format!("{name}: {from:.2}/s to {to:.2}/s, {cause}")
        } else {
            format!("{name}: {:.0} to {:.0} requests at once, {cause}", from.round(), to.round().max(1.0))
        };
        if to < from {
            tracing::warn!(gateway = name, from, to, %cause, "slower, since the gateway takes less");
        } else {
            tracing::info!(gateway = name, from, to, %cause, "faster, up to what was agreed");
        }
        if state.changes.len() == NOTED {
            state.changes.remove(0);
        }
        state.changes.push(text);
        self.apply(&state, now, pacer, places);
    }

    /// Changes since this was asked last, in words.
    pub(super) fn take_changes(&self) -> Vec<String> {
        std::mem::take(&mut self.state().changes)
    }

    fn apply(&self, state: &State, now: Instant, pacer: &Pacer, places: &Places) {
        let used = state.adapt.used();
        if ceiling(self.agreed, state.ordered_per_s).is_some() {
            pacer.set_rate(Rate::PerSecond(used), now);
            places.set_bound(self.concurrency);
        } else {
            pacer.set_rate(Rate::Unlimited, now);
            places.set_bound(used.round() as usize);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lesser of what was agreed and what is ordered; `None`: no rate at all.
fn ceiling(agreed: Rate, ordered_per_s: Option<f64>) -> Option<f64> {
    match (agreed, ordered_per_s) {
        (Rate::PerSecond(agreed), Some(ordered)) => Some(agreed.min(ordered)),
        (Rate::PerSecond(agreed), None) => Some(agreed),
        (Rate::Unlimited, ordered) => ordered,
    }
}
