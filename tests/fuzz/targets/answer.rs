//! Any bytes as the answer of FaR or an operator: read or refused, never a panic.
#![no_main]

use utskick::gateway::wire;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = wire::delivery(bytes);
    let _ = wire::reachability(bytes);
    let _ = wire::fault(bytes);
});
