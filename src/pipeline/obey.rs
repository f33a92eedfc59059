//! Orders of `utskick control`, taken up by the sending process: pauses, rates, drain.

use super::deliver::Desk;
use super::open::Run;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::track::control::{self, CONTROL_EVENT, FAR, Standing, What};
use crate::watch::Stage;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often the run's folder is looked at for new orders.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// Takes orders up as they come.
#[derive(Debug)]
pub(super) struct Orders {
    /// The file when it was last read.
    stamp: Option<(u64, SystemTime)>,
    /// Orders that have their event.
    noted: usize,
    /// Orders that were there when the process started: a drain among them was for another one.
    known: usize,
}

impl Orders {
    /// Takes up what stands when the process starts. *Errors*: the orders cannot be read.
    pub(super) fn start(run: &Run, desks: &[Arc<Desk>]) -> Result<Self, Error> {
        let noted = usize::try_from(run.journal.events_of(CONTROL_EVENT)?).unwrap_or(usize::MAX);
        let mut orders = Self { stamp: None, noted, known: run.orders_before };
        orders.take_up(run, desks)?;
        Ok(orders)
    }

    /// Takes up what was ordered since. Orders that cannot be read change nothing, and are told.
    pub(super) fn look(&mut self, run: &Run, desks: &[Arc<Desk>]) {
        if control::stamp(&run.folder) == self.stamp {
            return;
        }
        if let Err(error) = self.take_up(run, desks) {
            tracing::error!(%error, "an order cannot be read; what stood before it stands");
            self.stamp = control::stamp(&run.folder);
        }
    }

    fn take_up(&mut self, run: &Run, desks: &[Arc<Desk>]) -> Result<(), Error> {
        let stamp = control::stamp(&run.folder);
        let orders = control::read(&run.folder)?;
        self.stamp = stamp;
        let standing = Standing::of(&orders);
        for desk in desks {
            apply(&standing, &desk.gateway, &desk.settings.id.to_string());
        }
        apply(&standing, &run.far.gateway, FAR);
        run.play.pause(standing.paused.is_some());
        for order in orders.iter().skip(self.noted) {
            let told = order.told(&run.journal.header().operators);
            tracing::warn!(order = told, "an order is taken up");
            run.note(CONTROL_EVENT, &told);
        }
        self.noted = self.noted.max(orders.len());
        if orders.iter().skip(self.known).any(|order| order.what == What::Drain) {
            run.progress.enter(Stage::Draining);
            run.play.drain.cancel();
        }
        Ok(())
    }
}

fn apply(standing: &Standing, gateway: &Gateway, id: &str) {
    let pause = standing.pauses(id);
    if gateway.pacer().gate().is_paused() != pause {
        gateway.pacer().gate().pause(pause);
    }
    gateway.order_rate(standing.rate(id));
}
