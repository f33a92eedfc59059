//! Room on the disk: what a run will need is estimated, and too little is found before anything is sent.
//!
//! Asked twice, before the exports are copied and, with what pass 1 has counted, before the first statement leaves. The
//! estimate is meant to be somewhat too large: a run that fills the disk all the same stops, and is resumed when there is
//! room again.

use super::open::Order;
use crate::config::Config;
use crate::disk::folder_of;
use crate::error::{Error, Exit, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The journal of a statement that is sent, encrypted to its operator. Measured: 380 bytes on average where a third
/// are.
const JOURNAL_BYTES: u64 = 700;
/// What SQLite keeps beside the journal, and the findings.
const BESIDE_BYTES: u64 = 32 << 20;
/// The least that a statement takes in an export: so many there may be before they are counted.
const RECORD_BYTES: u64 = 1_000;
/// A letter in a print bundle. Measured: 11 to 12 kB.
const LETTER_BYTES: u64 = 16_000;
/// The share of those who may have a mailbox and are taken to have none.
const WITHOUT_MAILBOX: f64 = 0.3;

/// How many statements will be sent, and how many of them go on paper.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// All that leave.
    pub(super) statements: u64,
    /// On paper, whatever FaR says.
    pub(super) on_paper: u64,
    /// On paper if they have no mailbox.
    pub(super) perhaps_on_paper: u64,
}

/// Before the exports are copied, by their sizes alone.
pub(super) fn before_copying(order: &Order, config: &Config) -> Result<()> {
    // One that cannot be read is told of when it is opened.
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |facts| facts.len());
    let exports: u64 = order.exports.iter().map(size).sum();
    let copies = if order.in_place { 0 } else { exports };
    let journal = exports / RECORD_BYTES * JOURNAL_BYTES + BESIDE_BYTES;
    enough(&[(order.run.clone(), copies + journal), (config.installation.state.clone(), BESIDE_BYTES)])
}

/// Before so many bytes of exports are copied once more.
pub(super) fn before_copying_again(run: &Path, bytes: u64) -> Result<()> {
    enough(&[(run.to_path_buf(), bytes)]).map_err(|error| error.remedy("make room, and resume"))
}

/// Before anything leaves, by what pass 1 has counted.
pub(super) fn before_release(run: &Path, paper: &Path, load: Load) -> Result<()> {
    let letters = load.on_paper + (load.perhaps_on_paper as f64 * WITHOUT_MAILBOX) as u64;
    let needs = [(run, load.statements * JOURNAL_BYTES + BESIDE_BYTES), (paper, letters * LETTER_BYTES)];
    enough(&needs.map(|(folder, bytes)| (folder.to_path_buf(), bytes)))
}

/// Free bytes of a file system, and which it is.
#[derive(Clone, Copy, Debug)]
struct Free {
    device: u64,
    bytes: u64,
}

fn enough(needs: &[(PathBuf, u64)]) -> Result<()> {
    let free = |folder: &Path| -> Option<Free> {
        use std::os::unix::fs::MetadataExt;
        let facts = rustix::fs::statvfs(folder).ok()?;
        let device = std::fs::metadata(folder).ok()?.dev();
        Some(Free { device, bytes: facts.f_bavail.saturating_mul(facts.f_frsize) })
    };
    match wanting(needs, &free) {
        None => Ok(()),
        Some((folder, needed, free)) => {
            let (needed, free) = (megabytes(needed), megabytes(free));
            let message =
                format!("the run needs about {needed} MB in {}, and {free} MB are free there", folder.display());
            Err(Error::new(Exit::Storage, message)
                .remedy("make room, or name folders of another disk (--run, paper.folder); nothing was sent"))
        }
    }
}

/// The first file system with too little room: a folder on it, what is needed, what is free. A file system that does
/// not say counts as having room.
fn wanting(needs: &[(PathBuf, u64)], free: &dyn Fn(&Path) -> Option<Free>) -> Option<(PathBuf, u64, u64)> {
    let mut by_device: BTreeMap<u64, (PathBuf, u64, u64)> = BTreeMap::new();
    for (folder, bytes) in needs {
        // The folder itself may not be there yet.
        let mut at = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        while !at.exists() && at.parent().is_some() {
            at = folder_of(&at).to_path_buf();
        }
        if let Some(free) = free(&at) {
            let entry = by_device.entry(free.device).or_insert_with(|| (folder.clone(), 0, free.bytes));
            entry.1 = entry.1.saturating_add(*bytes);
        }
    }
    by_device.into_values().find(|(_, needed, free)| needed > free)
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_one_disk_is_needed_together() {
        let home = tempfile::tempdir().unwrap();
        let (run, paper) = (home.path().join("not/there/run"), home.path().join("paper"));
        std::fs::create_dir(&paper).unwrap();
        let needs = [(run.clone(), 60), (paper.clone(), 50)];
        let one = |_: &Path| Some(Free { device: 1, bytes: 100 });
        assert_eq!(wanting(&needs, &one), Some((run.clone(), 110, 100)));
        let two = |folder: &Path| Some(Free { device: u64::from(folder.ends_with("paper")), bytes: 100 });
        assert_eq!(wanting(&needs, &two), None);
        let small = |folder: &Path| Some(Free { device: u64::from(folder.ends_with("paper")), bytes: 55 });
        assert_eq!(wanting(&needs, &small), Some((run, 60, 55)));
        assert_eq!(wanting(&needs, &|_: &Path| None), None);
        assert_eq!(wanting(&[(paper, u64::MAX), (home.path().into(), 1)], &one).unwrap().1, u64::MAX);
    }
}
