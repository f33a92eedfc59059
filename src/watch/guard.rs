//! What the process forbids itself before anything else: to leave personal data where nobody looks after it.
//!
//! No core dump, no other process that reads its memory, no file that others than its owner can open, and no panic that
//! quotes what it stumbled on. All of it holds for every command. Nor does it end by a signal that has nothing to do with
//! what it does: a file that may not grow is a full disk.

use super::log::Masked;
use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask};
use std::any::Any;
use std::io::Write;
use std::panic::Location;
use tokio::signal::unix::{SignalKind, signal};

/// Core dumps off, memory closed, files 0600 and folders 0700 whatever the shell's umask, and panics that say where and
/// not what. Once, at the start of the process, before a second thread.
pub fn guard() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        say(&words(panic.location(), thread.name(), panic.payload()));
    }));
    umask(Mode::RWXG | Mode::RWXO);
    // The write that a limit of file sizes forbids then fails, as on a full disk.
    disarm(SignalKind::from_raw(libc::SIGXFSZ));
    // The hard limit too: nothing that is started from here may dump either.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    let closed = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let (Err(error), Err(_)) = (limited, closed)
        && getrlimit(Resource::Core).current != Some(0)
    {
        say(&format!("utskick: core dumps cannot be turned off ({error}): a crash could leave personal data on disk"));
    }
}

/// A terminal that is closed ends the process no more (SIGHUP): for commands that send.
pub fn outlive_terminal() {
    disarm(SignalKind::hangup());
}

/// Takes from a signal the power to end the process.
fn disarm(kind: SignalKind) {
    let heard = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        // Its handler stays for good, also when nobody listens any more.
        signal(kind).map(drop)
    };
    if let Err(error) = heard() {
        say(&format!("utskick: signal {} cannot be heeded, and ends the process ({error})", kind.as_raw_value()));
    }
}

fn say(text: &str) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(Masked(std::io::stderr()), "{text}");
}

/// What a panic says: where it was, and its message only where that is a text of the program itself. A message that was
/// put together may quote a record.
fn words(location: Option<&Location<'_>>, thread: Option<&str>, payload: &(dyn Any + Send)) -> String {
    let place = location.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = thread.unwrap_or("unnamed");
    let what =
        payload.downcast_ref::<&'static str>().copied().unwrap_or("its message is withheld: it may quote a record");
    format!(
        "utskick: a defect of the program, at {place} in thread {thread}: {what}\n  \
         what the journal has acknowledged is safe; report the place, and resume"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_where_and_never_quotes() {
        let name = "Åsa Qzkanarie 195111232079";
        let payload = std::panic::catch_unwind(|| name[1..].len()).expect_err("not at a boundary");
        assert!(payload.downcast_ref::<String>().is_some_and(|said| said.contains("Qzkanarie")), "it quotes by itself");
        let said = words(Some(Location::caller()), Some("prepare-1"), &*payload);
        assert!(!said.contains("Qzkanarie") && !said.contains("2079"), "{said}");
        assert!(said.contains("guard.rs:") && said.contains("prepare-1"), "{said}");
        let own = std::panic::catch_unwind(|| panic!("more than two sets")).expect_err("always");
        assert!(words(None, None, &*own).contains("more than two sets"));
    }
}
