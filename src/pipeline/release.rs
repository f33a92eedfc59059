//! Pass 1: every record of every export gets its row in the journal; nothing leaves.

use super::open::{Run, unreadable};
use super::space::Load;
use crate::config::{Config, Policy};
use crate::domain::{Batch, Outcome, PersonDigest, Reason};
use crate::error::{Error, Exit, Result};
use crate::intake::{self, Checked, Export, Finding, RecipientKind, Rejects, Settler, Stop, Verdict};
use crate::track::{self, AWAITS_ACCEPTANCE, Amend, Fate, Half, Register, RunExport, StatementRow};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Findings of a run, one JSON object a line.
pub const FINDINGS: &str = "findings.ndjson";
/// The rejected statements of a run for a person to act on: a table, a line a fault, without person ids.
pub const REJECTS: &str = "rejects.tsv";

/// What pass 1 found.
#[derive(Debug, Default)]
pub(super) struct Released {
    statements: u64,
    rejected: u64,
    /// Faults of an export itself, outside its records: Skatteverket would refuse the whole file.
    faults_of_exports: u64,
    /// What will leave, at most.
    pub(super) load: Load,
    /// The exports with their numbers.
    pub(super) exports: Vec<RunExport>,
}

/// Reads all exports into the journal, without releasing them.
pub(super) fn read(run: &Run) -> Result<Released> {
    run.journal.restart_intake()?;
    let mut findings = FindingsFiles::create(&run.folder)?;
    let mut settler = Settler::new(run.config.run.cross_record);
    let mut released = Released { exports: run.journal.header().exports.clone(), ..Released::default() };
    let mut next_ordinal = 1;
    for (number, export) in run.exports.iter().enumerate() {
        let number = number as u16;
        let mut take = |batch: Batch<Checked>, found: Vec<Finding>| -> Result<()> {
            findings.write(export, &batch.items, &found)?;
            let rows: Vec<StatementRow> = batch.items.iter().map(|checked| row(run, number, checked)).collect();
            for (checked, row) in batch.items.iter().zip(&rows) {
                settler.push(number, checked);
                released.statements += 1;
                released.rejected += u64::from(row.fate == REJECTED);
                if let Fate::Send { digital, paper } = row.fate {
                    let sure = paper == Half::Waiting || paper == Half::Fallback && digital != Half::Waiting;
                    released.load.statements += 1;
                    released.load.on_paper += u64::from(sure);
                    released.load.perhaps_on_paper += u64::from(paper == Half::Fallback && !sure);
                }
            }
            run.progress.records.fetch_add(rows.len() as u64, Ordering::Relaxed);
            let end = batch.items.last().map_or(0, |last| last.span.offset + u64::from(last.span.length));
            run.progress.bytes_read.fetch_max(run.bytes_before(number) + end, Ordering::Relaxed);
            Ok(run.journal.admit(rows)?)
        };
        let summary =
            intake::read(export, number, next_ordinal, &run.intake, &*run.installation, &mut |batch, found| {
                take(batch, found).map_err(|error| Stop(error.into()))
            })
            .and_then(|summary| summary.whole(export))
            .map_err(unreadable)?;
        if let Some(entry) = released.exports.get_mut(usize::from(number)) {
            (entry.first_ordinal, entry.statements) = (next_ordinal, summary.records);
        }
        released.faults_of_exports += summary.faults_of_export;
        next_ordinal += summary.records;
    }
    let (amendments, found) = settler.finish(|export, ordinal, place| match run.exports.get(usize::from(export)) {
        Some(export) => export.content(ordinal, place, &*run.installation).map_err(intake::IntakeError::into_error),
        None => Err(Error::new(Exit::Storage, "an export is no longer open")),
    })?;
    findings.write_across(&found)?;
    findings.finish()?;
    run.installation.disk().sync_folder(&run.folder).map_err(unwritable)?;
    let amendments: Vec<Amend> = amendments
        .into_iter()
        .map(|amendment| Amend { ordinal: amendment.ordinal, outcome: amendment.outcome, reason: amendment.reason })
        .collect();
    released.rejected += amendments.iter().filter(|amend| amend.outcome == Outcome::Rejected).count() as u64;
    run.journal.amend(amendments)?;
    Ok(released)
}

/// Statements that earlier runs are asked about together, about 40 MB of them. The register is read in the order of
/// its keys and the journal of an unfinished run once through, so larger is cheaper.
const ASKED_TOGETHER: usize = 500_000;

/// Settles what earlier runs of the installation know: what was sent is not sent again, what another run has is left to
/// it, and what was sent with another content is a correction.
pub(super) fn settle_earlier(run: &Run, again: bool) -> Result<()> {
    let register = Register::open(&run.installation)?;
    let run_id = run.journal.header().run_id.clone();
    let mut after = 0;
    loop {
        let mut together = run.journal.leaving(after, ASKED_TOGETHER)?;
        let Some((last, ..)) = together.last() else { return Ok(()) };
        after = *last;
        together.sort_unstable_by_key(|(_, key, _)| *key);
        let statements: Vec<_> = together.iter().map(|(_, key, content)| (*key, *content)).collect();
        let verdicts = register.judge(&run_id, &statements)?;
        let (mut ended, mut corrections) = (Vec::new(), Vec::new());
        for ((ordinal, ..), verdict) in together.iter().zip(verdicts) {
            let end = |outcome, reason| Amend { ordinal: *ordinal, outcome, reason };
            match verdict {
                track::Verdict::New => {}
                track::Verdict::AlreadySent | track::Verdict::InDoubt if again => {}
                track::Verdict::AlreadySent => ended.push(end(Outcome::AlreadySent, Reason::None)),
                // To send it would be to send it twice, perhaps; to settle it is the other run's.
                track::Verdict::InDoubt | track::Verdict::OtherRun => ended.push(end(Outcome::Held, Reason::OtherRun)),
                track::Verdict::Correction => corrections.push(*ordinal),
            }
        }
        // In the order of the journal's pages.
        ended.sort_unstable_by_key(|end| end.ordinal);
        corrections.sort_unstable();
        run.journal.amend(ended)?;
        run.journal.correct(corrections)?;
    }
}

/// Refuses to go on when so many statements are rejected that the export itself must be wrong.
pub(super) fn brake(run: &Run, released: &Released, accept_rejects: bool) -> Result<()> {
    if accept_rejects {
        return Ok(());
    }
    let remedy = format!(
        "look at {}; if the statements that are valid are to be sent all the same, run again with --accept-rejects",
        run.folder.join(REJECTS).display()
    );
    let stop = |message: String| {
        // Who asks for the run is told so too.
        futures::executor::block_on(run.journal.note_durably(AWAITS_ACCEPTANCE, &message))?;
        Err(Error::new(Exit::LookAt, message).remedy(remedy))
    };
    if released.faults_of_exports > 0 {
        let message = format!(
            "the exports have {} faults outside their records, and would be refused whole: nothing is sent",
            released.faults_of_exports
        );
        return stop(message);
    }
    let limit = run.config.run.max_rejected_share;
    let share = released.rejected as f64 / released.statements.max(1) as f64;
    if share <= limit {
        return Ok(());
    }
    let message = format!(
        "{} of {} statements are rejected ({:.1} %), more than {:.1} %: nothing is sent",
        released.rejected,
        released.statements,
        share * 100.0,
        limit * 100.0
    );
    stop(message)
}

const REJECTED: Fate = Fate::Ended(Outcome::Rejected, Reason::Faulty);

fn row(run: &Run, export: u16, checked: &Checked) -> StatementRow {
    StatementRow {
        span: checked.span,
        export,
        record: checked.record,
        form: checked.form,
        uppgiftslamnare: checked.uppgiftslamnare,
        person: checked.person,
        key: checked.key,
        content: checked.content,
        also: checked.further.clone(),
        correction: false,
        fate: fate(&run.config, &run.protected, checked),
    }
}

/// What becomes of a statement, by its verdict, its form, who is protected, and the channel policy.
pub fn fate(config: &Config, protected: &HashSet<PersonDigest>, checked: &Checked) -> Fate {
    match checked.fate {
        Verdict::Rejected => return REJECTED,
        Verdict::Removal => return Fate::Ended(Outcome::Removal, Reason::None),
        Verdict::Valid => {}
    }
    // A valid statement has both, and a key; without them it could not be sent or found again.
    let (Some(form), Some(uppgiftslamnare)) = (checked.form, checked.uppgiftslamnare) else { return REJECTED };
    if !config.forms.send.contains(&form) {
        return Fate::Ended(Outcome::NotForSending, Reason::FormNotListed);
    }
    if checked.people().any(|person| protected.contains(person)) {
        return Fate::Ended(Outcome::Held, Reason::Protected);
    }
    let addressable = matches!(checked.recipient, RecipientKind::Addressable(_));
    let digital = if addressable { Half::Waiting } else { Half::Unreachable(Reason::NotAddressable) };
    let (digital, paper) = match config.channels.policy(&uppgiftslamnare, form) {
        Policy::Hold => return Fate::Ended(Outcome::Held, Reason::PolicyHold),
        Policy::DigitalElsePaper if addressable => (digital, Half::Fallback),
        Policy::DigitalElsePaper | Policy::DigitalAndPaper => (digital, Half::Waiting),
        Policy::Paper => (Half::Off, Half::Waiting),
    };
    Fate::Send { digital, paper }
}

/// What pass 1 finds, written as it comes: for programs and for people.
struct FindingsFiles {
    findings: BufWriter<File>,
    rejects: Rejects<BufWriter<File>>,
}

impl FindingsFiles {
    fn create(folder: &Path) -> Result<Self> {
        let rejects = create(&folder.join(REJECTS))?;
        Ok(Self {
            findings: create(&folder.join(FINDINGS))?,
            rejects: Rejects::new(rejects, false).map_err(unwritable)?,
        })
    }

    fn write(&mut self, export: &Export, batch: &[Checked], found: &[Finding]) -> Result<()> {
        self.write_findings(found)?;
        self.rejects.write(export, batch, found).map_err(unwritable)
    }

    fn write_across(&mut self, found: &[Finding]) -> Result<()> {
        self.write_findings(found)?;
        self.rejects.write_across(found).map_err(unwritable)
    }

    fn write_findings(&mut self, found: &[Finding]) -> Result<()> {
        for finding in found {
            serde_json::to_writer(&mut self.findings, finding).map_err(|error| unwritable(error.into()))?;
            self.findings.write_all(b"\n").map_err(unwritable)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        for file in [self.findings, self.rejects.finish().map_err(unwritable)?] {
            let file = file.into_inner().map_err(|error| unwritable(error.into_error()))?;
            file.sync_all().map_err(unwritable)?;
        }
        Ok(())
    }
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    let file =
        file.map_err(|error| Error::because(Exit::Storage, format!("cannot write {}", path.display()), error))?;
    Ok(BufWriter::new(file))
}

fn unwritable(error: std::io::Error) -> Error {
    Error::because(Exit::Storage, "cannot write the findings", error)
}
