//! What the targets share: an export in memory, read as `check` reads a file.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use utskick::config::Severity;
use utskick::domain::{Digester, Purpose};
use utskick::intake::{Access, Checked, Export, Finding, IntakeError, Options, Summary, read};

struct Plain;

impl Digester for Plain {
    fn digest(&self, _: Purpose, bytes: &[u8]) -> [u8; 16] {
        // Equal for equal bytes is all that is asked for; the length helps to tell others apart.
        let mut state = [0u8; 16];
        for (at, byte) in bytes.iter().enumerate() {
            state[at % 16] = state[at % 16].rotate_left(3) ^ byte;
        }
        state[0] ^= bytes.len() as u8;
        state
    }
}

/// What reading gave.
pub struct Seen {
    pub checked: Vec<Checked>,
    pub findings: Vec<Finding>,
    pub summary: Result<Summary, IntakeError>,
}

/// Reads bytes as an export; also reads again every record that was found valid.
pub fn read_bytes(bytes: &[u8]) -> Seen {
    let memory = rustix::fs::memfd_create("export", rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let mut file = File::from(memory);
    file.write_all(bytes).expect("written");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let options = Options { record_limit_bytes: 4096, cross_record: Severity::Warning, threads: None, digests: true };
    let (mut checked, mut findings) = (Vec::new(), Vec::new());
    let summary = Export::open(path.as_ref(), &Access::InPlace).and_then(|export| {
        let summary = read(&export, 0, 1, &options, &Plain, &mut |batch, found| {
            for checked in &batch.items {
                if checked.key.is_some() {
                    export.record(&checked.span).expect("a valid record is read again");
                }
            }
            checked.extend(batch.items);
            findings.extend(found);
            Ok(())
        });
        // Places beyond the end would be lies.
        assert!(findings.iter().all(|finding| finding.offset <= bytes.len() as u64));
        summary
    });
    Seen { checked, findings, summary }
}

/// The head of a good export.
pub fn head() -> &'static str {
    include_str!("../seeds/head.xml")
}

/// Its end.
pub const TAIL: &str = "</Skatteverket>\n";
