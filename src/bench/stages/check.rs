//! Reading, validating and keying, as a send does it, and the private copy before it.

use super::super::clock::{Whose, median};
use super::super::interrupt::Interrupt;
use super::{Known, ROUNDS};
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::intake::{self, Access, Checked, Export, IntakeError, RecipientKind, Verdict};
use crate::track::Installation;
use std::path::Path;

/// How long a measurement lasts at least: a small export is read several times over.
const AT_LEAST_S: f64 = 0.1;

/// What reading costs, and what was read.
pub struct Check {
    /// The export, open.
    pub export: Export,
    /// Its statements.
    pub statements: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The valid ones that can be sent.
    pub known: Vec<Known>,
    /// Reading, validating and keying.
    pub check_s_per_byte: f64,
    /// Taking the private copy and its digest.
    pub copy_s_per_byte: f64,
}

/// Measures.
pub fn measure(
    path: &Path,
    config: &Config,
    installation: &Installation,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Check> {
    let export = Export::open(path, &Access::InPlace).map_err(IntakeError::into_error)?;
    let mut all = Vec::new();
    read(&export, config, installation, &mut |one| all.push(one.clone()))?;
    let statements = all.len() as u64;
    let mut sendable = Vec::new();
    for one in &all {
        sendable.extend(known(&export, one)?);
    }
    let mut took = Vec::new();
    let mut copies = Vec::new();
    for round in 0..ROUNDS {
        let (mut spent, mut bytes) = (0.0, 0);
        while spent < AT_LEAST_S {
            interrupt.check()?;
            let (done, time) = Whose::Process.time(|| read(&export, config, installation, &mut |_| {}));
            done?;
            spent += time.cpu_s;
            bytes += export.size();
        }
        took.push(spent / bytes.max(1) as f64);
        let place = folder.join(format!("copy-{round}"));
        std::fs::create_dir(&place)
            .map_err(|error| Error::because(Exit::Storage, format!("cannot make {}", place.display()), error))?;
        let (copy, time) = Whose::Process.time(|| Export::open(path, &Access::Staged(place.clone())));
        copy.map_err(IntakeError::into_error)?;
        copies.push(time.cpu_s / export.size().max(1) as f64);
        // It goes with the folder in any case.
        let _ = std::fs::remove_dir_all(place);
    }
    let (check_s_per_byte, copy_s_per_byte) = (median(took), median(copies));
    Ok(Check { statements, bytes: export.size(), export, known: sendable, check_s_per_byte, copy_s_per_byte })
}

/// Reads an export through.
fn read(export: &Export, config: &Config, installation: &Installation, tell: &mut dyn FnMut(&Checked)) -> Result<()> {
    let options = intake::Options {
        record_limit_bytes: config.run.record_limit_bytes,
        cross_record: config.run.cross_record,
        threads: config.run.threads,
        digests: true,
    };
    let read = intake::read(export, 0, 1, &options, installation, &mut |batch, _| {
        batch.items.iter().for_each(&mut *tell);
        Ok(())
    });
    read.map(drop).map_err(IntakeError::into_error)
}

/// A statement as pass 2 knows it, if it is valid and its recipient can be addressed.
fn known(export: &Export, one: &Checked) -> Result<Option<Known>> {
    let sendable = one.fate == Verdict::Valid && matches!(one.recipient, RecipientKind::Addressable(_));
    let whole = one.uppgiftslamnare.zip(one.key).zip(one.content).filter(|_| sendable);
    let Some(((uppgiftslamnare, key), content)) = whole else { return Ok(None) };
    let recipient = export.record(&one.span).map_err(IntakeError::into_error)?.recipient();
    Ok(recipient.map(|recipient| Known { span: one.span, uppgiftslamnare, key, content, recipient }))
}
