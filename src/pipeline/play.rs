//! What the desks of pass 2 share: who still has work, and that it is time to stop.

use crate::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// The shared state of pass 2.
#[derive(Debug)]
pub(super) struct Play {
    state: Mutex<State>,
    /// Something changed that a waiting desk may want to know.
    changed: Notify,
    /// Whether somebody ordered that nothing leaves, paper included.
    paused: watch::Sender<bool>,
    /// Nothing new starts.
    pub(super) drain: CancellationToken,
    /// Every digital half has its end, or waits for a resume.
    pub(super) settled: CancellationToken,
    /// By desk: nothing new starts there, since the run drains or the desk is stopped.
    closing: Vec<CancellationToken>,
    fatal: Mutex<Option<Error>>,
}

#[derive(Debug)]
struct State {
    looked_up: bool,
    desks: Vec<Desk>,
    refusals: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Desk {
    /// The lowest ordinal that was routed here since the desk last looked.
    routed_from: Option<u64>,
    idle: bool,
    stopped: bool,
}

impl Play {
    pub(super) fn new(desks: usize) -> Self {
        let drain = CancellationToken::new();
        Self {
            closing: (0..desks).map(|_| drain.child_token()).collect(),
            state: Mutex::new(State { looked_up: false, desks: vec![Desk::default(); desks], refusals: Vec::new() }),
            changed: Notify::new(),
            paused: watch::Sender::new(false),
            drain,
            settled: CancellationToken::new(),
            fatal: Mutex::default(),
        }
    }

    /// Statements from this ordinal on were routed to a desk.
    pub(super) fn routed(&self, desk: usize, ordinal: u64) {
        if let Some(desk) = self.state().desks.get_mut(desk) {
            desk.routed_from = Some(desk.routed_from.map_or(ordinal, |earlier| earlier.min(ordinal)));
            desk.idle = false;
        }
        self.changed.notify_waiters();
    }

    /// Where a desk should look next, if anything was routed to it since.
    pub(super) fn take_routed(&self, desk: usize) -> Option<u64> {
        self.state().desks.get_mut(desk)?.routed_from.take()
    }

    /// A desk has nothing to do and nothing under way.
    pub(super) fn idle(&self, desk: usize) {
        let mut state = self.state();
        if let Some(desk) = state.desks.get_mut(desk) {
            desk.idle = desk.routed_from.is_none();
        }
        self.see(state);
    }

    /// A desk stops for this run: what waits at it stays pending. Tells whether it is the first to say so.
    pub(super) fn stop_desk(&self, desk: usize, why: String) -> bool {
        let mut first = false;
        self.change(|state| {
            if let Some(desk) = state.desks.get_mut(desk)
                && !desk.stopped
            {
                (desk.stopped, first) = (true, true);
                state.refusals.push(why);
            }
        });
        if let Some(closing) = self.closing.get(desk) {
            closing.cancel();
        }
        first
    }

    /// Cancelled when nothing new may start at a desk. A desk that is not known never starts anything.
    pub(super) fn closing(&self, desk: usize) -> &CancellationToken {
        self.closing.get(desk).unwrap_or(&self.drain)
    }

    /// Whether a desk is stopped.
    pub(super) fn is_stopped(&self, desk: usize) -> bool {
        self.state().desks.get(desk).is_none_or(|desk| desk.stopped)
    }

    /// Every statement has been looked up, or cannot be.
    pub(super) fn looked_up(&self, refused: Option<String>) {
        self.change(|state| {
            state.looked_up = true;
            state.refusals.extend(refused);
        });
    }

    /// Who refused us, and why.
    pub(super) fn refusals(&self) -> Vec<String> {
        self.state().refusals.clone()
    }

    /// Ends the run with an error; the first one counts.
    pub(super) fn fail(&self, error: Error) {
        // A later error is a consequence of the first.
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.drain.cancel();
        self.changed.notify_waiters();
    }

    /// The error that ended the run.
    pub(super) fn take_fatal(&self) -> Option<Error> {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Orders a pause of everything, or lifts it.
    pub(super) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Waits until no pause of everything stands.
    pub(super) async fn going(&self) {
        // The sender lives as long as we do.
        let _ = self.paused.subscribe().wait_for(|paused| !paused).await;
    }

    /// Waits until something may have changed.
    pub(super) fn change_seen(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        self.see(state);
        self.changed.notify_waiters();
    }

    /// Looks whether all is settled now.
    fn see(&self, state: MutexGuard<'_, State>) {
        if state.looked_up && state.desks.iter().all(|desk| desk.stopped || desk.idle) {
            drop(state);
            self.settled.cancel();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
