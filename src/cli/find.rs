//! `find`: customer service's question about one person.

use super::report::{as_json, moment, spaced};
use super::{print, say};
use crate::config::Config;
use crate::domain::{Outcome, Reason, as_typed, compared, mask_identities};
use crate::error::{Error, Exit, Result};
use crate::track::halves::{Digital, OnPaper};
use crate::track::{Earlier, Installation, JournalReader, Phase, Register, StatementSeen};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Say what became of a person's statements
///
/// Was it sent, when, where, with which TransId, or why not. Works while the run goes on, and after. The journal knows
/// people by keyed digests only, so the installation's key is needed; the run knows its settings, which name it. Each
/// question is noted in the installation's audit log, without the identity.
///
/// Exit code 0: found. 1: the run has no statement about this person.
#[derive(Debug, Args)]
pub struct Find {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    run: PathBuf,
    /// Personnummer, samordningsnummer or organisationsnummer: twelve digits, or ten with - or +; else a födelsetid or
    /// other id as the export has it. `-` reads it from standard input, so that it stays out of the shell's history
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    person_id: PersonId,
    /// Settings that name the installation's key; by default those of the run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// An identity as typed: wiped, and never printed.
#[derive(Clone)]
struct PersonId(Zeroizing<String>);

impl std::str::FromStr for PersonId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl std::fmt::Debug for PersonId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonId(************)")
    }
}

#[derive(Serialize)]
struct Answer {
    run: String,
    phase: &'static str,
    found: bool,
    statements: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    ordinal: u64,
    form: Option<&'static str>,
    employer: Option<String>,
    correction: bool,
    outcome: &'static str,
    reason: &'static str,
    /// The answer in plain words.
    answer: String,
    message_id: Option<String>,
    delivered: Option<Delivered>,
    paper: Option<Paper>,
    /// What other runs of the installation know of the same statement, where that is why this one did not send it.
    other_runs: Vec<OtherRun>,
    history: Vec<Step>,
}

#[derive(Serialize)]
struct OtherRun {
    run: String,
    /// `null` where that run has still to send it, or is not finished.
    at: Option<Timestamp>,
    trans_id: Option<String>,
}

#[derive(Serialize)]
struct Delivered {
    operator: String,
    operator_name: String,
    at: Timestamp,
    /// `null` where a person settled it after the operator's word.
    trans_id: Option<String>,
}

#[derive(Serialize)]
struct Paper {
    bundle: u32,
    file_name: String,
    at: Timestamp,
}

#[derive(Serialize)]
struct Step {
    at: Option<Timestamp>,
    attempt: u32,
    operator: Option<String>,
    what: &'static str,
    reason: &'static str,
    fault_code: Option<u32>,
    call_id: Option<String>,
    detail: Option<String>,
}

impl Find {
    pub(super) fn run(self) -> Result<Exit> {
        let typed = self.typed()?;
        let candidates =
            candidates(&typed, i32::from(Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).year()))?;
        let reader = JournalReader::open(&self.run)?;
        let config = match &self.config {
            Some(file) => Config::read(file)?,
            None => Config::read(&reader.header().config_file).map_err(|error| {
                error.remedy("name the settings with --config where they have moved since the run was started")
            })?,
        };
        let installation = Installation::existing(&config.installation)?;
        reader.check_key(&installation)?;
        let employers = reader.employers()?;
        let running = reader.is_running();
        let seen = reader.at_once(|reader| {
            let mut seen = BTreeMap::new();
            for candidate in &candidates {
                // As the record has its first identity, and as its others are compared.
                for id in [candidate, &compared(candidate)] {
                    let person = installation.person_digest(id);
                    seen.extend(reader.find(&person, &installation)?.into_iter().map(|of| (of.seen.ordinal, of)));
                }
            }
            Ok(seen)
        })?;
        let statements: Vec<Found> =
            seen.into_values().map(|of| found(of, &reader, &employers, &installation, running)).collect();
        let asked = format!("find: {} statements in run {}", statements.len(), reader.run_id());
        if installation.audit(&asked).is_err() {
            say("utskick: the state folder cannot be written, so this question is not in the audit log");
        }
        let phase = reader.phase()?;
        let answer = Answer {
            run: reader.run_id().to_owned(),
            phase: phase.as_str(),
            found: !statements.is_empty(),
            statements,
        };
        print(&if self.json { format!("{}\n", as_json(&answer)?) } else { text(&answer) })?;
        Ok(match phase {
            _ if answer.found => Exit::Done,
            Phase::Intake => Exit::Pending,
            Phase::Released | Phase::Finished => Exit::LookAt,
        })
    }

    fn typed(&self) -> Result<Zeroizing<String>> {
        if self.person_id.0.as_str() != "-" {
            return Ok(self.person_id.0.clone());
        }
        let mut line = Zeroizing::new(String::new());
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Error::because(Exit::Usage, "cannot read the person id from standard input", error))?;
        Ok(line)
    }
}

/// The identities that a typed id can mean.
fn candidates(typed: &str, year: i32) -> Result<Vec<Zeroizing<String>>> {
    as_typed(typed, year).map_err(|wrong| {
        Error::new(Exit::Usage, format!("the person id is {wrong}"))
            .remedy("twelve digits as in 195001012384, or ten as in 500101-2384")
    })
}

fn found(
    of: StatementSeen,
    reader: &JournalReader,
    employers: &[String],
    installation: &Installation,
    running: bool,
) -> Found {
    let seen = of.seen;
    let operator = |place: u16| reader.header().operators.get(usize::from(place));
    let (outcome, reason) = if seen.under_way && !running {
        crate::track::halves::outcome(seen.left(), seen.paper)
    } else {
        (seen.outcome, seen.reason)
    };
    let delivered = of.attempts.iter().rev().find(|step| step.digital == Digital::Delivered).and_then(|step| {
        let known = operator(step.operator?)?;
        Some(Delivered {
            operator: known.id.clone(),
            operator_name: known.name.clone(),
            at: step.at?,
            trans_id: step.trans_id.clone(),
        })
    });
    let asks_others = matches!((outcome, reason), (Outcome::AlreadySent, _) | (Outcome::Held, Reason::OtherRun));
    let other_runs: Vec<OtherRun> = match of.keys.filter(|_| asks_others) {
        Some((key, _)) => Register::open(installation)
            .and_then(|register| register.earlier(reader.run_id(), &key))
            .unwrap_or_else(|error| {
                // The answer stands without it, but not in silence.
                say(&format!("warning: the register does not tell which run has it: {}", Error::from(error)));
                Vec::new()
            })
            .into_iter()
            .map(|Earlier { run, at, trans_id, .. }| OtherRun { run, at, trans_id })
            .collect(),
        None => Vec::new(),
    };
    let paper = of.bundle.map(|(bundle, at)| Paper { bundle: bundle.number, file_name: bundle.file_name, at });
    let history = of.attempts.into_iter().map(|step| Step {
        at: step.at,
        attempt: step.attempt,
        operator: step.operator.and_then(operator).map(|of| of.name.clone()),
        what: match step.digital {
            Digital::Waiting | Digital::Off if step.again => "sent again",
            Digital::Waiting | Digital::Off if step.ordered => "to be sent again, by order",
            Digital::Waiting | Digital::Off => "not accepted, to be tried again",
            Digital::Unreachable(_) => "not reachable",
            Digital::Delivered => "delivered",
            Digital::Failed(_) => "failed",
            Digital::InDoubt(_) => "in doubt",
            Digital::Held(_) => "held",
        },
        reason: match step.digital {
            Digital::Unreachable(why) | Digital::Failed(why) | Digital::InDoubt(why) | Digital::Held(why) => {
                why.as_str()
            }
            _ => Reason::None.as_str(),
        },
        fault_code: step.fault_code,
        call_id: step.call_id,
        detail: step.detail.map(|detail| mask_identities(&detail).into_owned()),
    });
    Found {
        ordinal: seen.ordinal,
        form: seen.form.map(|form| form.element()),
        employer: seen.employer.and_then(|number| employers.get(number)).cloned(),
        correction: of.correction,
        outcome: outcome.as_str(),
        reason: reason.as_str(),
        answer: answer(outcome, reason, delivered.as_ref(), paper.as_ref(), seen.operator.and_then(operator))
            + waits_for_that(outcome, seen.paper)
            + &elsewhere(&other_runs),
        message_id: of.keys.map(|(key, content)| installation.message_id(&key, &content).to_string()),
        history: history.collect(),
        delivered,
        paper,
        other_runs,
    }
}

impl Found {
    /// The outcome, or where that is the paper half's alone, both.
    fn headline(&self) -> String {
        let outcome = spaced(self.outcome);
        match self.outcome {
            "held" | "failed" | "pending" if self.delivered.is_some() => format!("delivered, on paper {outcome}"),
            _ => outcome,
        }
    }
}

fn elsewhere(runs: &[OtherRun]) -> String {
    let told = runs.iter().map(|of| match (&of.at, &of.trans_id) {
        (Some(at), Some(trans_id)) => format!(" Run {} sent it on {} (TransId {trans_id}).", of.run, moment(*at)),
        (Some(at), None) => format!(" Run {} sent it on {}.", of.run, moment(*at)),
        (None, _) => format!(" Ask run {}, which is not finished.", of.run),
    });
    told.collect()
}

/// What is to go both ways is printed once it is known what became of the message.
const fn waits_for_that(outcome: Outcome, paper: OnPaper) -> &'static str {
    match (outcome, paper) {
        (Outcome::InDoubt, OnPaper::Waiting) => " Its letter on paper waits until that is settled.",
        _ => "",
    }
}

/// The answer in a sentence or two that can be read to the person who asks.
fn answer(
    outcome: Outcome,
    reason: Reason,
    delivered: Option<&Delivered>,
    paper: Option<&Paper>,
    operator: Option<&crate::track::RunOperator>,
) -> String {
    let mut parts = Vec::new();
    if let Some(of) = delivered {
        let receipt = match &of.trans_id {
            Some(trans_id) => format!("TransId {trans_id}"),
            None => "by the operator's word".into(),
        };
        parts.push(format!("Delivered to {} on {} ({receipt}).", of.operator_name, moment(of.at)));
    }
    if let Some(of) = paper {
        parts.push(format!("In print bundle {} ({}) since {}.", of.bundle, of.file_name, moment(of.at)));
    }
    let at = operator.map_or_else(String::new, |of| format!(" at {}", of.name));
    let why = because(reason);
    match outcome {
        Outcome::Delivered | Outcome::DeliveredAndPaper => {}
        Outcome::Paper if reason == Reason::None => {}
        Outcome::Paper => parts.push(format!("On paper since {why}.")),
        // The paper half names the outcome. It is the last to end: nothing is told so of a mailbox.
        Outcome::Held | Outcome::Failed if delivered.is_some() => parts.push(format!("Not on paper: {why}.")),
        Outcome::Pending if delivered.is_some() => parts.push(format!("Not on paper yet: {why}.")),
        Outcome::Held => parts.push(format!("Held back, not sent: {why}.")),
        Outcome::Rejected => parts.push("Not sent: the record breaks a rule; the findings tell which.".into()),
        Outcome::Removal => parts.push("Not sent: the record removes an earlier one.".into()),
        Outcome::Replaced => parts.push(format!("Not sent: {why}.")),
        Outcome::NotForSending => parts.push("Not sent: this form is not one that is sent.".into()),
        Outcome::AlreadySent => parts.push("Not sent again: an earlier run sent the same statement.".into()),
        Outcome::Failed => parts.push(format!("Failed{at}: {why}.")),
        Outcome::InDoubt => {
            parts.push(format!("It may have arrived{at}: {why}. Ask the operator about the message id."));
        }
        Outcome::Pending => parts.push(format!("Not sent yet, waits{at}: {why}.")),
    }
    parts.join(" ")
}

fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::None => "no reason is noted",
        Reason::NoMailbox => "the recipient has no digital mailbox",
        Reason::OptedOut => "the recipient does not take digital mail from this sender",
        Reason::RegistrationPending => "the recipient's mailbox is not open yet",
        Reason::UnknownOperator => "the recipient's mailbox is at an operator that the settings do not know",
        Reason::BlankAddress => "the recipient's mailbox has no address",
        Reason::Minor => "the recipient is under eighteen",
        Reason::MailboxNotSecure => "the recipient's mailbox is not a secure one",
        Reason::NotAddressable => "the recipient is given by an id that cannot have a mailbox",
        Reason::NotDelivered => "the operator twice answered that it could not deliver it",
        Reason::PolicyHold => "the channel policy holds it",
        Reason::Protected => "the recipient is protected",
        Reason::NoAddress => "there is no usable postal address",
        Reason::NoPrintSupplier => "paper was the channel and the settings name no print supplier",
        Reason::OtherRun => "another run has it, or may have sent it",
        Reason::Faulty => "the record breaks a rule",
        Reason::Repeated => "the same statement stands later in the run",
        Reason::Corrected => "a later record of the run corrects it",
        Reason::RemovedLater => "a later record of the run removes it",
        Reason::FormNotListed => "the form is not one that is sent",
        Reason::TooLarge => "the message would be too large",
        Reason::RefusedForGood => "it was refused for good",
        Reason::AttemptsUsedUp => "all attempts were used up",
        Reason::PrepareFailed => "the letter could not be made",
        Reason::Interrupted => "the process ended while the request was under way",
        Reason::TimedOut => "no answer came in time",
        Reason::ConnectionLost => "the connection broke before the answer",
        Reason::UnclearAnswer => "the answer could not be understood",
        Reason::BytesDiffer => "it could not be sent again with the same bytes",
        Reason::FarSilent => "the address register has not answered for this recipient",
        Reason::OperatorStopped => "the operator refuses our credentials",
        Reason::NotYet => "its turn has not come",
    }
}

fn text(answer: &Answer) -> String {
    if !answer.found && answer.phase == Phase::Intake.as_str() {
        return format!(
            "Run {} has not read its exports to the end: whether a statement is about this person is not known yet.\n",
            answer.run
        );
    }
    if !answer.found {
        return format!(
            "Run {} has no statement about this person.\nA record that could not be read is known by its ordinal only: \
             see the findings.\n",
            answer.run
        );
    }
    let mut lines = Vec::new();
    for of in &answer.statements {
        let correction = if of.correction { ", a correction" } else { "" };
        lines.push(format!(
            "{} from {} (ordinal {}{correction}): {}",
            of.form.unwrap_or("Statement"),
            of.employer.as_deref().unwrap_or("an unknown employer"),
            of.ordinal,
            of.headline()
        ));
        lines.push(format!("  {}", of.answer));
        if let Some(id) = of.message_id.as_ref().filter(|_| !of.history.is_empty()) {
            lines.push(format!("  Message id {id}"));
        }
        for step in &of.history {
            let mut line = format!("  {}  {}", step.at.map(moment).unwrap_or_default(), step.what);
            let facts = [
                step.operator.as_ref().map(|operator| format!("at {operator}")),
                (step.attempt > 0).then(|| format!("attempt {}", step.attempt)),
                (step.reason != "none").then(|| spaced(step.reason)),
                step.fault_code.map(|code| format!("fault {code}")),
                step.call_id.as_ref().map(|id| format!("CallId {id}")),
                step.detail.clone(),
            ];
            for fact in facts.into_iter().flatten() {
                line.push_str(", ");
                line.push_str(&fact);
            }
            lines.push(line);
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_identities_are_told_without_repeating_them() {
        for typed in ["195111232078", "511123-2078", "191313132079", ""] {
            let error = candidates(typed, 2027).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(typed.is_empty() || !error.to_string().contains(typed), "{error}");
        }
    }
}
