//! What does a statement cost from the export to the journal, against the two bare signatures that it needs in any case?
//!
//! Each iteration is a process of its own that takes 3,000 statements to a sandbox in another: `pass-1` reads, validates,
//! keys and journals them and holds them all; `send` delivers them, `send-encrypted` with encrypted attachments. What the
//! first 300 take is taken off: starting, and meeting letters of new shapes. `floor` is two bare RSA-2048 signatures for
//! each statement, made by all processors at once as in a send.
//!
//! All figures are processor time of the sending process, and throughput is statements a second of it, so that the ratio
//! to the floor is what the pipeline adds. `utskick bench` shows the same by thread and size, each send between signatures
//! of the same seconds, which a shared machine needs.

#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{Criterion, Throughput};
use std::path::Path;
use std::time::Duration;
use support::ProcessorTime;
use utskick::bench::Interrupt;
use utskick::bench::floors::AllAtOnce;
use utskick::bench::whole::{Mix, Place};

mod support;

/// Statements of the larger send, and of the smaller one that is taken off it.
const SIZES: [u64; 2] = [3_000, 300];

fn main() {
    let folder = std::env::var("CARGO_TARGET_TMPDIR").map_or_else(|_| tempfile::tempdir(), tempfile::tempdir_in);
    let (folder, interrupt) = (folder.unwrap(), Interrupt::heard().unwrap());
    let program = Path::new(env!("CARGO_BIN_EXE_utskick"));
    let place = Place { program, folder: folder.path(), interrupt: &interrupt };
    let mut criterion = Criterion::default()
        .with_measurement(ProcessorTime)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(8))
        .configure_from_args();
    let mut group = criterion.benchmark_group("pipeline");
    let statements = SIZES[0] - SIZES[1];
    group.throughput(Throughput::Elements(statements));

    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut keys = AllAtOnce::new(threads).unwrap();
    group.bench_function("floor", |bencher| {
        bencher.iter_custom(|times| {
            let took = |_| Duration::from_secs_f64(2.0 * statements as f64 * keys.sign());
            (0..times).map(took).sum()
        });
    });

    let sandbox = place.start(Mix::Digital).unwrap();
    let exports = SIZES.map(|size| (size, place.export(size).unwrap()));
    for (name, mix) in [("pass-1", Mix::Held), ("send", Mix::Digital), ("send-encrypted", Mix::Encrypted)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let took = |_| {
                    let [whole, start] = [&exports[0], &exports[1]]
                        .map(|(size, export)| place.send(&sandbox, mix, export, *size, threads).unwrap().cpu_s);
                    Duration::from_secs_f64((whole - start).max(0.0))
                };
                (0..times).map(took).sum()
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
