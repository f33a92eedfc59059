//! The progress line: renewed in place on a terminal, one line a minute elsewhere.

use super::progress::Progress;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the line is renewed on a terminal.
const FRAME: Duration = Duration::from_millis(250);
/// How often it is written where nobody watches.
const MINUTE: Duration = Duration::from_secs(60);

/// Shows progress until it is dropped.
#[derive(Debug)]
pub struct Line {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts to show progress on stderr.
pub fn show(progress: Arc<Progress>) -> Line {
    let (stop, stopped) = sync_channel::<()>(0);
    let terminal = std::io::stderr().is_terminal();
    let every = if terminal { FRAME } else { MINUTE };
    let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            let line = progress.line(Instant::now());
            let mut stderr = std::io::stderr().lock();
            // Nobody to show it to is no reason to stop.
            let _ = if terminal { write!(stderr, "\r\x1b[K{line}") } else { writeln!(stderr, "{line}") };
            let _ = stderr.flush();
        }
        if terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    });
    Line { stop: Some(stop), thread: thread.ok() }
}

impl Drop for Line {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A progress line that panicked has nothing left to tell.
            let _ = thread.join();
        }
    }
}
