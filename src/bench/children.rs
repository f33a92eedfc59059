//! Processes of our own program, and what the system says of them while they run.
//!
//! A child is killed and waited for when its handle is dropped, whatever the way out. Each has a process group of its
//! own, so that Ctrl-C at the terminal reaches us alone, and we end them.

use super::interrupt::Interrupt;
use super::noise::TICKS_PER_S;
use crate::error::{Error, Exit, Result};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a child is looked at: often enough that a thread that ends has not run long unseen.
const LOOK: Duration = Duration::from_millis(10);
/// How long a child may take until it is ready; keys are made meanwhile.
const READY: Duration = Duration::from_secs(60);

/// A child that does not outlive its handle.
struct Guard(Child);

impl Guard {
    fn spawn(command: &mut Command) -> Result<Self> {
        let failed = |error| Error::because(Exit::Storage, "cannot start a process of this program", error);
        command.process_group(0).spawn().map(Self).map_err(failed)
    }

    /// Whether it has ended; it stays to be looked at until it is waited for.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        id.is_none_or(|id| !matches!(waitid(WaitId::Pid(id), options), Ok(None)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Either may say that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sandbox, serving.
pub struct Sandbox(Guard);

impl Sandbox {
    /// Starts it in a folder, and waits until it is ready.
    pub fn start(program: &Path, folder: &Path, arguments: &[&str], interrupt: &Interrupt) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["sandbox", "--trusting", "--until-stdin-closes", "--dir"]).arg(folder).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut sandbox = Self(Guard::spawn(&mut command)?);
        let (tell, told) = crossbeam_channel::bounded(1);
        if let Some(stdout) = sandbox.0.0.stdout.take() {
            let listen = move || {
                let ready =
                    BufReader::new(stdout).lines().map_while(std::io::Result::ok).any(|it| it.contains("ready"));
                // Whoever waited may have been interrupted.
                let _ = tell.send(ready);
            };
            std::thread::Builder::new()
                .name("sandbox-ready".into())
                .spawn(listen)
                .map_err(|error| Error::because(Exit::Storage, "cannot start a thread", error))?;
        }
        let until = Instant::now() + READY;
        loop {
            interrupt.check()?;
            match told.recv_timeout(LOOK) {
                Ok(true) => return Ok(sandbox),
                Err(crossbeam_channel::RecvTimeoutError::Timeout) if Instant::now() < until => {}
                _ => {
                    return Err(Error::new(Exit::Storage, "the sandbox was not ready in time, or ended before it was"));
                }
            }
        }
    }

    /// Its processor time so far.
    pub fn cpu_s(&self) -> f64 {
        let folder = format!("/proc/{}/task", self.0.0.id());
        threads(&folder).map_or(0.0, |threads| threads.values().map(|thread| thread.cpu_s).sum())
    }
}

/// What a child took, from its start to its end.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// Time on the wall.
    pub wall_s: f64,
    /// Processor time, user and system, of all its threads.
    pub cpu_s: f64,
    /// The same by the threads' names; what ended unseen is `other`. Sums to `cpu_s`.
    pub cpu_s_by_thread: BTreeMap<String, f64>,
    /// Most anonymous and shared memory.
    pub peak_bytes: u64,
}

/// Runs a command of our program to its end, and watches it.
pub fn run(program: &Path, arguments: &[&Path], out: File, talk: File, interrupt: &Interrupt) -> Result<Ran> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(talk);
    let start = Instant::now();
    let mut child = Guard::spawn(&mut command)?;
    let (id, tasks) = (child.0.id(), format!("/proc/{}/task", child.0.id()));
    let (mut seen, mut peak_bytes) = (BTreeMap::new(), 0);
    loop {
        let ended = child.has_ended();
        if let Some(now) = threads(&tasks) {
            for (thread, is) in now {
                // A name is given a moment after the start; the last one counts. An ended process keeps its main thread.
                let was: &mut Thread = seen.entry(thread).or_default();
                *was = Thread { cpu_s: is.cpu_s.max(was.cpu_s), name: is.name };
            }
        }
        if ended {
            break;
        }
        peak_bytes = peak_bytes.max(memory(id));
        interrupt.check()?;
        std::thread::sleep(LOOK);
    }
    let wall_s = start.elapsed().as_secs_f64();
    let total = stat(&id.to_string()).map_or(0.0, |stat| stat.own_s);
    let status = child.0.wait().map_err(|error| Error::because(Exit::Storage, "cannot wait for a process", error))?;
    let mut cpu_s_by_thread = BTreeMap::new();
    for (thread, Thread { name, cpu_s }) in &seen {
        *cpu_s_by_thread.entry(role(name, *thread == id)).or_default() += cpu_s;
    }
    // The system counts the process in hundredths of a second, and threads exactly.
    let by_thread: f64 = cpu_s_by_thread.values().sum();
    let unseen = total - by_thread;
    if unseen > 0.0 {
        *cpu_s_by_thread.entry("other".to_owned()).or_default() += unseen;
    }
    Ok(Ran { status, wall_s, cpu_s: total.max(by_thread), cpu_s_by_thread, peak_bytes })
}

/// What a thread of a sender is for, by its name.
fn role(name: &str, is_first: bool) -> String {
    if is_first {
        return "main".to_owned();
    }
    match name.trim_end_matches(|last: char| last.is_ascii_digit() || last == '-') {
        "tokio-rt-worker" => "network".to_owned(),
        // Threads without a name of their own have the program's: those of the intake.
        "utskick" => "read".to_owned(),
        name => name.to_owned(),
    }
}

#[derive(Clone, Debug, Default)]
struct Thread {
    name: String,
    cpu_s: f64,
}

/// The threads of a process by number; `None` when it is no more.
fn threads(folder: &str) -> Option<BTreeMap<u32, Thread>> {
    let mut threads = BTreeMap::new();
    for entry in std::fs::read_dir(folder).ok()? {
        let Some(number) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse().ok()) else { continue };
        if let Some(thread) = thread(&format!("{folder}/{number}")) {
            threads.insert(number, thread);
        }
    }
    Some(threads)
}

/// A thread that may end while it is read.
fn thread(folder: &str) -> Option<Thread> {
    let stat = std::fs::read_to_string(format!("{folder}/stat")).ok()?;
    let stat = Stat::parse(&stat)?;
    // Nanoseconds on a processor, where the kernel counts them for all; else ticks.
    let exact = std::fs::read_to_string(format!("{folder}/schedstat")).ok();
    let exact = exact.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    Some(Thread { cpu_s: exact.map_or(stat.own_s, |nanoseconds| nanoseconds / 1e9), name: stat.name })
}

/// What `/proc/PID/stat` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Stat {
    name: String,
    /// Processor time, user and system.
    pub own_s: f64,
    /// That of the children that were waited for, and theirs.
    pub children_s: f64,
}

impl Stat {
    /// *Source*: proc_pid_stat(5); the name stands in parentheses, and may hold some itself.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        // After the name: state, parent, …; user time is field 14 of all, counted from 1.
        let mut ticks = after.split_whitespace().skip(11).map(|field| field.parse::<f64>().ok());
        let mut two = || Some((ticks.next()?? + ticks.next()??) / TICKS_PER_S);
        Some(Self { name: name.to_owned(), own_s: two()?, children_s: two()? })
    }
}

/// Processor time of a process by its number, or `self`.
pub fn stat(process: &str) -> Option<Stat> {
    Stat::parse(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// RssAnon + RssShmem of a process.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kibibytes = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    status
        .lines()
        .filter(|line| line.starts_with("RssAnon:") || line.starts_with("RssShmem:"))
        .filter_map(kibibytes)
        .sum::<u64>()
        * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_line_is_read_whatever_the_name() {
        let line = "4456 (a) b (c) S 1 4446 31719 0 -1 4194304 100 0 0 0 150 50 7 3 20 0 1 0 1382356 3133440 386";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(stat, Stat { name: "a) b (c".into(), own_s: 2.0, children_s: 0.1 });
        assert_eq!(Stat::parse("4456 (cat"), None);
    }

    #[test]
    fn threads_are_known_by_what_they_do() {
        for (name, first, expected) in [
            ("utskick", true, "main"),
            ("utskick", false, "read"),
            ("prepare-12", false, "prepare"),
            ("tokio-rt-worker", false, "network"),
            ("journal", false, "journal"),
        ] {
            assert_eq!(role(name, first), expected);
        }
    }

    #[test]
    fn a_child_is_counted_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let arguments = ["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3"].map(Path::new);
        let ran = run(Path::new("/bin/sh"), &arguments, file("out"), file("talk"), &Interrupt::default()).unwrap();
        assert_eq!(ran.status.code(), Some(3));
        assert!(ran.peak_bytes > 0 && ran.cpu_s > 0.0);
        let sum: f64 = ran.cpu_s_by_thread.values().sum();
        assert!((sum - ran.cpu_s).abs() < 1e-9, "{ran:?}");
    }
}
