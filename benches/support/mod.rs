//! What benches share.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use std::time::Duration;
use utskick::bench::clock::Whose;

/// Measures the processor time of the thread instead of the time on the wall: what a shared machine does beside it does
/// not count. Only for work that stays on its thread.
pub struct ProcessorTime;

/// As [`ProcessorTime`], of all threads of the process together: what the work costs, on however many cores.
#[allow(dead_code)] // not every bench has work on several threads
pub struct ProcessTime;

macro_rules! measurements {
    ($($name:ident: $clock:ident;)*) => {$(
impl Measurement for $name {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Whose::$clock.now()
    }

    fn end(&self, start: Duration) -> Duration {
        Whose::$clock.now() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, time: &Duration) -> f64 {
        WallTime.to_f64(time)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Formatter
    }
}
    )*};
}

measurements! {
    ProcessorTime: Thread;
    ProcessTime: Process;
}

/// As criterion shows the time on the wall.
struct Formatter;

impl ValueFormatter for Formatter {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_throughputs(typical, throughput, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
