//! The disk is full, or broken, under the real program: it stops at once with exit code 74, claims nothing that is not
//! on disk, and a resume finishes the run. And a disk with too little room is found before anything is copied or sent.

use crate::nights::{Night, Policy, Season, seed, setting};
use crate::{referee, run};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

const STATEMENTS: u64 = 60;

/// Which call fails, with what, on which file of the night, from which time on.
#[derive(Clone, Debug)]
struct Fault {
    call: &'static str,
    error: &'static str,
    file: &'static str,
    from: u64,
    /// Only once, or until somebody has mended it.
    once: bool,
}

/// The files that a run writes, with the calls that SQLite and we make on them.
const FILES: &[(&str, &[&str])] = &[
    ("run/journal.sqlite-wal", &["pwrite64", "fdatasync"]),
    ("run/journal.sqlite", &["pwrite64", "fdatasync"]),
    ("run/journal.draft", &["pwrite64", "fsync"]),
    ("run/findings.ndjson", &["fsync"]),
    ("run/rejects.tsv", &["write", "fsync"]),
    ("run", &["fsync"]),
    ("run/exports", &["fsync"]),
    ("run/paper", &["fsync"]),
    ("state/register.sqlite-wal", &["pwrite64", "fdatasync"]),
];

#[test]
fn a_full_or_broken_disk_stops_the_run_and_a_resume_finishes_it() {
    let Some(mut strace) = referee::command("strace") else { return };
    let may = strace.args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine lets nobody trace a process");
        return;
    }
    let mut random = fastrand::Rng::with_seed(seed());
    let season = Season::new(STATEMENTS, &["--latency", "4", "--jitter", "4"]);
    let mut faults = Vec::new();
    for (file, calls) in FILES {
        for call in *calls {
            for round in 0..setting("UTSKICK_ROUNDS", 1) {
                // The first such call, and one somewhere in the run.
                for from in [1, random.u64(2..12)] {
                    let error = if random.bool() { "ENOSPC" } else { "EIO" };
                    faults.push((round, Fault { call, error, file, from, once: random.bool() }));
                }
            }
        }
    }
    let (stopped, went_on) = (AtomicU64::new(0), AtomicU64::new(0));
    season.side_by_side(faults.into_iter().enumerate().collect(), |(number, (_, fault))| {
        let policy = if number % 3 == 0 { Policy::Resend } else { Policy::Hold };
        let mut night = season.night(&format!("fault-{number}"), policy);
        let output = injected(&night, &fault).output().expect("strace starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(74) => {
                assert!(stderr.contains("utskick: cannot"), "{fault:?}: {stderr}");
                stopped.fetch_add(1, Ordering::Relaxed);
                // What was under way then is in doubt, as after a kill.
                night.deaths = 1;
                if night.folder().join("journal.sqlite").exists() {
                    let report = run::utskick(["report", "--json"]).arg(night.folder()).output().expect("starts");
                    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("a report");
                    assert_eq!(report["balanced"], true, "{fault:?}");
                }
            }
            // The run did not come to that call, or it was one that can be done without.
            Some(0 | 1) => _ = went_on.fetch_add(1, Ordering::Relaxed),
            _ => panic!("{fault:?}: {}: {stderr}", output.status),
        }
        night.settle();
        night.hold_to_account();
        night.clear();
    });
    let (stopped, went_on) = (stopped.into_inner(), went_on.into_inner());
    eprintln!("{stopped} runs were stopped by a fault, {went_on} were not");
    assert!(stopped >= FILES.len() as u64, "{stopped} of {}", stopped + went_on);
    season.close();
}

/// The night's `send`, with a fault in it.
fn injected(night: &Night<'_>, fault: &Fault) -> Command {
    let send = night.send();
    let mut strace = Command::new("strace");
    let plus = if fault.once { "" } else { "+" };
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-P"])
        .arg(night.home().join(fault.file))
        .args(["-e", &format!("trace={}", fault.call)])
        .args(["-e", &format!("inject={}:error={}:when={}{plus}", fault.call, fault.error, fault.from)])
        .arg(send.get_program())
        .args(send.get_args())
        .stdout(Stdio::null());
    strace
}

#[test]
fn too_little_room_is_found_before_anything_is_copied() {
    let season = Season::new(STATEMENTS, &[]);
    let night = season.night("small", Policy::Hold);
    // An export of a size that no disk here has room for, without a byte of content.
    let export: PathBuf = night.home().join("large.xml");
    let made = std::fs::File::create(&export).and_then(|file| file.set_len(15 << 40));
    if made.is_err() {
        eprintln!("skipped: this file system takes no file of 15 TiB");
        return;
    }
    let mut command = run::utskick(["send"]);
    command.arg(&export).arg("--config").arg(night.config()).arg("--run").arg(night.folder());
    let output = command.output().expect("starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{stderr}");
    assert!(stderr.contains("needs about") && stderr.contains("MB are free"), "{stderr}");
    assert!(stderr.contains(&night.folder().display().to_string()), "it says where: {stderr}");
    assert!(!night.folder().exists(), "something was copied");
}
