//! What does a statement cost from the export to the journal, against the two bare signatures that it needs in any case?
//!
//! Each iteration is a process of its own that takes 300 statements to a sandbox in another: `pass-1` reads, validates,
//! keys and journals them and holds them all; `send` delivers them, `send-encrypted` with encrypted attachments. What a
//! send of one statement takes is taken off: starting. `floor` is two bare RSA-2048 signatures for each statement.
//!
//! All figures are processor time of the sending process, and throughput is statements a second of it, so that the ratio
//! to the floor is what the pipeline adds. `utskick bench` shows the same by thread and size.

#![allow(clippy::unwrap_used, missing_docs)]

use aws_lc_rs::rsa::KeySize;
use criterion::{Criterion, Throughput};
use std::path::Path;
use std::time::Duration;
use support::ProcessorTime;
use utskick::bench::Interrupt;
use utskick::bench::floors::BareKey;
use utskick::bench::whole::{Mix, Place};

mod support;

const STATEMENTS: u64 = 300;

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
    group.throughput(Throughput::Elements(STATEMENTS));

    let mut key = BareKey::new(KeySize::Rsa2048).unwrap();
    group.bench_function("floor", |bencher| {
        bencher.iter(|| (0..2 * STATEMENTS).for_each(|_| key.sign()));
    });

    let sandbox = place.start(Mix::Digital).unwrap();
    let [one, all] = [1, STATEMENTS].map(|size| place.export(size).unwrap());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for (name, mix) in [("pass-1", Mix::Held), ("send", Mix::Digital), ("send-encrypted", Mix::Encrypted)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let took = |_| {
                    let start = place.send(&sandbox, mix, &one, 1, threads).unwrap();
                    let whole = place.send(&sandbox, mix, &all, STATEMENTS, threads).unwrap();
                    Duration::from_secs_f64((whole.cpu_s - start.cpu_s).max(0.0))
                };
                (0..times).map(took).sum()
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
