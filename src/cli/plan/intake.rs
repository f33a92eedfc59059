//! Pass 1 without a journal: what an export holds, and which way each statement would go.

use crate::config::Config;
use crate::domain::{Digester, Outcome, PersonDigest, Purpose, Span};
use crate::error::{Error, Exit, Result};
use crate::intake::{Access, Checked, Export, IntakeError, Options, Settler, Stop, read};
use crate::pipeline;
use crate::plan::volumes::{Counter, Way};
use crate::track::{Fate, Half};
use std::collections::HashSet;
use std::path::PathBuf;

/// What was read.
pub(super) struct Intake {
    /// The exports, for whoever asks about their recipients.
    pub(super) exports: Vec<Export>,
    /// By statement: which way it goes.
    pub(super) counter: Counter,
    /// By statement: its place, with the number of its export; kept only where FaR is asked.
    pub(super) spans: Vec<(u16, Span)>,
    /// Of all exports.
    pub(super) bytes: u64,
    /// Faults of the exports outside their records.
    pub(super) faults_of_exports: u64,
    /// Records that are no XML, cut off or too large.
    pub(super) unreadable: u64,
    /// Findings of severity error.
    pub(super) errors: u64,
}

/// Digests with a key of the moment: they only tell equal from different within this process.
#[derive(Clone, Copy)]
struct Momentary(u64);

impl Digester for Momentary {
    fn digest(&self, purpose: Purpose, bytes: &[u8]) -> [u8; 16] {
        let seed = self.0.wrapping_add(purpose as u64);
        xxhash_rust::xxh3::xxh3_128_with_seed(bytes, seed).to_be_bytes()
    }
}

/// Reads exports in place, as a send would.
///
/// *Errors*: exit 65 where one cannot be read to its end, 78 where the list of protected recipients cannot.
pub(super) fn take_in(
    paths: &[PathBuf],
    config: &Config,
    protected: Option<&PathBuf>,
    keep_spans: bool,
) -> Result<Intake> {
    let digester = Momentary(fastrand::u64(..));
    let protected = pipeline::protected(config.protected.iter().chain(protected), &digester)?;
    let options = Options {
        record_limit_bytes: config.run.record_limit_bytes,
        cross_record: config.run.cross_record,
        threads: config.run.threads,
        // Persons are only compared with those who are protected.
        digests: !protected.is_empty(),
    };
    let mut intake = Intake {
        exports: Vec::new(),
        counter: Counter::default(),
        spans: Vec::new(),
        bytes: 0,
        faults_of_exports: 0,
        unreadable: 0,
        errors: 0,
    };
    let mut settler = Settler::new(config.run.cross_record);
    let mut next_ordinal = 1;
    for (number, path) in (0..).zip(paths) {
        let export = Export::open(path, &Access::InPlace).map_err(IntakeError::into_error)?;
        let summary = read(&export, number, next_ordinal, &options, &digester, &mut |batch, findings| {
            for checked in &batch.items {
                settler.push(number, checked);
                intake.counter.push(checked.form, checked.uppgiftslamnare, way(config, &protected, checked));
            }
            if keep_spans {
                intake.spans.extend(batch.items.iter().map(|checked| (number, checked.span)));
            }
            intake.errors += findings.iter().filter(|finding| finding.is_error()).count() as u64;
            Ok::<(), Stop>(())
        })
        .and_then(|summary| summary.whole(&export))
        .map_err(IntakeError::into_error)?;
        next_ordinal += summary.records;
        intake.bytes += export.size();
        intake.faults_of_exports += summary.faults_of_export;
        intake.unreadable += summary.unreadable;
        intake.exports.push(export);
    }
    let exports = &intake.exports;
    let (amendments, findings) = settler.finish(|export, ordinal, place| match exports.get(usize::from(export)) {
        Some(export) => export.content(ordinal, place, &digester).map_err(IntakeError::into_error),
        None => Err(Error::new(Exit::Input, "an export is no longer open")),
    })?;
    intake.errors += findings.iter().filter(|finding| finding.is_error()).count() as u64;
    for amendment in amendments {
        intake.counter.amend(amendment.ordinal, ended(amendment.outcome));
    }
    Ok(intake)
}

impl Intake {
    /// How `check` would end.
    pub(super) const fn exit(&self) -> Exit {
        if self.unreadable > 0 {
            Exit::Input
        } else if self.errors > 0 {
            Exit::LookAt
        } else {
            Exit::Done
        }
    }
}

fn way(config: &Config, protected: &HashSet<PersonDigest>, checked: &Checked) -> Way {
    match pipeline::fate(config, protected, checked) {
        Fate::Ended(outcome, _) => ended(outcome),
        Fate::Send { digital: Half::Waiting, paper: Half::Waiting } => Way::Both,
        Fate::Send { digital: Half::Waiting, .. } => Way::LookUp,
        Fate::Send { paper: Half::Waiting, .. } => Way::Paper,
        Fate::Send { .. } => Way::Held,
    }
}

const fn ended(outcome: Outcome) -> Way {
    match outcome {
        Outcome::Rejected => Way::Rejected,
        Outcome::Held => Way::Held,
        _ => Way::NotSent,
    }
}

/// A number of operators that a byte holds; more are refused.
pub(super) fn operators(config: &Config) -> Result<u8> {
    u8::try_from(config.operators.len()).map_err(|_| Error::new(Exit::Settings, "there are more than 255 operators"))
}
