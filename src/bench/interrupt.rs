//! Ctrl-C and SIGTERM: they end the measuring between two of its steps, so that folders and processes go with it.

use crate::error::{Error, Exit, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Hears signals from here on, on a thread of its own.
    ///
    /// *Errors*: signals cannot be heard; then nothing should be started that a signal would leave behind.
    pub fn heard() -> Result<Self> {
        let interrupt = Self::default();
        let failed = |error| Error::because(Exit::Storage, "cannot listen to signals", error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let entered = runtime.enter();
        let mut asked = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut told = signal(SignalKind::terminate()).map_err(failed)?;
        drop(entered);
        let seen = interrupt.clone();
        let hear = move || {
            runtime.block_on(async {
                tokio::select! { _ = asked.recv() => {}, _ = told.recv() => {} }
            });
            seen.0.store(true, Ordering::Relaxed);
        };
        std::thread::Builder::new().name("signals".into()).spawn(hear).map_err(failed)?;
        Ok(interrupt)
    }

    /// Goes on, or ends the command with [`Exit::Interrupted`].
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Error::new(Exit::Interrupted, "stopped before there was a result"));
        }
        Ok(())
    }
}
