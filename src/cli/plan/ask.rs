//! Asks FaR who has a mailbox, at its agreed rate, for a plan that knows instead of assuming. Nothing else leaves.

use super::intake::Intake;
use crate::cli::say;
use crate::config::Config;
use crate::domain::{Identity, Organisation, stockholm};
use crate::error::{Error, Exit, Result};
use crate::gateway::Tls;
use crate::intake::IntakeError;
use crate::lookup::{self, Far, Found};
use crate::pipeline::LOOKED_UP_TOGETHER;
use crate::plan::volumes::Answer;
use crate::prepare::keys::Credential;
use crate::track::Installation;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Ordinals by recipient, of one sender: what one call is about.
type Question = (Organisation, BTreeMap<Identity, Vec<u64>>);

/// Asks about every statement that would be looked up, and notes the answers.
///
/// FaR's lock of the installation is held meanwhile, so that a running send and this never double the agreed rate.
///
/// *Errors*: keys and settings, 78; FaR refuses us, does not answer or is closed, 69; a send is under way, as `send`
/// has it.
pub(super) fn ask(intake: &mut Intake, config: &Config) -> Result<()> {
    let now = Timestamp::now();
    if !config.far.windows.is_open(now) {
        let opens = config.far.windows.next_open(now).map_or("never".into(), |at| at.to_string());
        return Err(Error::new(Exit::Refused, format!("FaR may not be asked now; its window opens {opens}"))
            .remedy("plan then, or without --ask-far"));
    }
    let installation = Installation::open(&config.installation)?;
    let _lock = installation.lock_gateways(&["far"])?;
    let far = far(config, now)?;
    let day = now.to_zoned_datetime(stockholm()).date();
    let wanted: Vec<(u64, Organisation)> = intake.counter.to_look_up().collect();
    say(&format!("asking FaR about {} statements", wanted.len()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::because(Exit::Storage, "cannot start the runtime", error))?;
    for window in wanted.chunks(LOOKED_UP_TOGETHER) {
        let (questions, known) = questions(intake, config, window, day)?;
        for ordinal in known {
            intake.counter.answer(ordinal, Answer::NoMailbox);
        }
        for (ordinal, answer) in runtime.block_on(answers(&far, questions))? {
            intake.counter.answer(ordinal, answer);
        }
    }
    Ok(())
}

fn far(config: &Config, now: Timestamp) -> Result<Far> {
    let until = config.run.deadline.map_or(now, |deadline| deadline.max(now));
    let wrong = |error| Error::because(Exit::Settings, "the tls key", error);
    let credential = Credential::load(&config.keys.tls).map_err(wrong)?;
    credential.validity(now, until).map_err(wrong)?;
    let tls = Tls::new(credential.certified_key().map_err(wrong)?, &config.keys.trusted_roots)
        .map_err(|error| Error::because(Exit::Settings, "TLS", error))?;
    Far::new(config, tls)
}

/// A window's statements as calls, and those about whom nobody need be asked.
fn questions(
    intake: &Intake,
    config: &Config,
    window: &[(u64, Organisation)],
    day: jiff::civil::Date,
) -> Result<(Vec<Question>, Vec<u64>)> {
    let mut by_sender: BTreeMap<Organisation, Vec<BTreeMap<Identity, Vec<u64>>>> = BTreeMap::new();
    let mut known = Vec::new();
    for (ordinal, employer) in window {
        let place = usize::try_from(ordinal - 1).ok().and_then(|place| intake.spans.get(place));
        let Some((export, span)) = place else { continue };
        let Some(export) = intake.exports.get(usize::from(*export)) else { continue };
        let recipient = export.record(span).map_err(IntakeError::into_error)?.recipient();
        let Some(recipient) = recipient.filter(|recipient| !lookup::is_minor(recipient, day)) else {
            known.push(*ordinal);
            continue;
        };
        let calls = by_sender.entry(config.senders.id_of(employer)).or_default();
        if calls.last().is_none_or(|call| call.len() >= config.far.batch) {
            calls.push(BTreeMap::new());
        }
        if let Some(call) = calls.last_mut() {
            call.entry(recipient).or_default().push(*ordinal);
        }
    }
    let calls = by_sender.into_iter().flat_map(|(sender, calls)| calls.into_iter().map(move |call| (sender, call)));
    Ok((calls.collect(), known))
}

async fn answers(far: &Far, questions: Vec<Question>) -> Result<Vec<(u64, Answer)>> {
    let mut answers = Vec::new();
    let mut asked: FuturesUnordered<_> = FuturesUnordered::new();
    let mut waiting = questions.into_iter();
    loop {
        while asked.len() < far.gateway.settings().concurrency
            && let Some((sender, recipients)) = waiting.next()
        {
            asked.push(async move {
                let ids: Vec<Identity> = recipients.keys().copied().collect();
                (far.ask(&sender, &ids).await, recipients)
            });
        }
        let Some((found, recipients)) = asked.next().await else { return Ok(answers) };
        let found = found.map_err(|error| Error::because(Exit::Refused, "FaR cannot be asked", error))?;
        for (recipient, ordinals) in recipients {
            let answer = match found.get(&recipient) {
                Some(Found::Mailbox { operator, .. }) => Answer::Mailbox(u8::try_from(*operator).unwrap_or(u8::MAX)),
                Some(Found::Unreachable(_)) => Answer::NoMailbox,
                // Neither sent nor put on paper.
                Some(Found::Refused(..)) | None => Answer::Silent,
            };
            answers.extend(ordinals.into_iter().map(|ordinal| (ordinal, answer)));
        }
    }
}
