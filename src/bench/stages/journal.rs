//! The journal: what a statement costs it, from its row to its outcome, without the stages around it.
//!
//! The rows are synthetic: a journal sees ordinals and digests, never a statement.

use super::super::clock::{Whose, median};
use super::super::interrupt::Interrupt;
use super::ROUNDS;
use crate::config;
use crate::domain::{ContentDigest, Form, MessageId, Organisation, PersonDigest, RecordDigest, Span, StatementKey};
use crate::error::{Error, Exit};
use crate::track::{
    DigitalEnd, End, Fate, Found, Half, HandedOver, Installation, Intent, Journal, RouteRow, RunExport, RunHeader,
    RunOperator, StatementRow, TrackError,
};
use std::collections::VecDeque;
use std::path::Path;

/// Requests under way at once: the sum of the operators' concurrency bounds in a usual set-up.
pub const UNDER_WAY: usize = 64;
/// Outcomes on their way at most, by each place: as many as come while a group is written.
const OUTCOMES: usize = 4;
/// Operators of the synthetic run.
pub const OPERATORS: u16 = 3;
/// Rows that pass 1 admits together.
const PASS_ONE_BATCH: u64 = 2000;
/// Rows that a call to FaR routes.
const LOOK_UP_BATCH: u64 = 1000;

/// What a statement costs the journal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Costs {
    /// Its row in pass 1, and its release.
    pub release_s: f64,
    /// Where it goes.
    pub route_s: f64,
    /// Intent, outcome, and its part in closing the run.
    pub send_s: f64,
}

/// Measures runs of so many statements.
pub fn measure(folder: &Path, statements: u64, interrupt: &Interrupt) -> crate::error::Result<Costs> {
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        interrupt.check()?;
        rounds.push(run(&folder.join(format!("journal-{round}")), statements)?);
    }
    let middle = |of: fn(&Costs) -> f64| median(rounds.iter().map(of));
    Ok(Costs {
        release_s: middle(|costs| costs.release_s),
        route_s: middle(|costs| costs.route_s),
        send_s: middle(|costs| costs.send_s),
    })
}

/// Takes a run from its first row to its end, in a folder of its own with a register of its own.
pub fn run(folder: &Path, statements: u64) -> crate::error::Result<Costs> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::because(Exit::Storage, format!("cannot make {}", folder.display()), error))?;
    let installation = installation(folder)?;
    let journal = Journal::create(&folder.join("run"), &installation, &header("bench".into()))?;
    let each = |work: &dyn Fn() -> Result<(), TrackError>| -> crate::error::Result<f64> {
        let (done, took) = Whose::Process.time(work);
        done?;
        Ok(took.cpu_s / statements.max(1) as f64)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::because(Exit::Storage, "cannot start the runtime", error))?;
    let release_s = each(&|| admit(&journal, statements).and_then(|()| release(&journal, statements)))?;
    let route_s = each(&|| runtime.block_on(route(&journal, statements)))?;
    let send_s = each(&|| runtime.block_on(send_all(&journal, statements)))?;
    let finish_s = each(&|| journal.finish().map(drop))?;
    drop(journal);
    // It goes with the folder around it in any case.
    let _ = std::fs::remove_dir_all(folder);
    Ok(Costs { release_s, route_s, send_s: send_s + finish_s })
}

/// An installation in this folder.
pub fn installation(folder: &Path) -> Result<Installation, TrackError> {
    Installation::open(&config::Installation { state: folder.join("state"), key_file: folder.join("installation.key") })
}

/// The header of a run with this id.
pub fn header(run_id: String) -> RunHeader {
    let operators = (0..OPERATORS).map(|number| RunOperator {
        id: format!("16{number:010}"),
        name: format!("{number}"),
        rate_per_s: None,
    });
    RunHeader {
        run_id,
        created: jiff::Timestamp::now(),
        config_file: "utskick.toml".into(),
        protected_file: None,
        exports: Vec::new(),
        operators: operators.collect(),
        deadline: None,
        remembered: serde_json::Value::Null,
    }
}

fn digest(kind: u8, number: u64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    for (to, from) in bytes.iter_mut().zip(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()) {
        *to = from;
    }
    bytes
}

fn row(ordinal: u64, employer: Option<Organisation>) -> StatementRow {
    StatementRow {
        span: Span { ordinal, offset: ordinal * 1500, length: 1450 },
        export: 0,
        record: RecordDigest(digest(1, ordinal)),
        form: Some(Form::KU10),
        uppgiftslamnare: employer,
        person: Some(PersonDigest(digest(2, ordinal))),
        also: Vec::new(),
        key: Some(StatementKey(digest(3, ordinal))),
        content: Some(ContentDigest(digest(4, ordinal))),
        correction: false,
        fate: Fate::Send { digital: Half::Waiting, paper: Half::Fallback },
    }
}

/// Pass 1's rows, durable.
pub fn admit(journal: &Journal, statements: u64) -> Result<(), TrackError> {
    let employer = Organisation::parse("165021680250").ok();
    let mut next = 1;
    while next <= statements {
        let last = statements.min(next + PASS_ONE_BATCH - 1);
        journal.admit((next..=last).map(|ordinal| row(ordinal, employer)).collect())?;
        next = last + 1;
    }
    journal.sync()
}

/// The end of pass 1.
pub fn release(journal: &Journal, statements: u64) -> Result<(), TrackError> {
    journal.release(vec![RunExport { fingerprint: serde_json::Value::Null, first_ordinal: 1, statements }])
}

/// Where each goes: to the operators in turn.
pub async fn route(journal: &Journal, statements: u64) -> Result<(), TrackError> {
    let at = jiff::Timestamp::now();
    let mut next = 1;
    while next <= statements {
        let last = statements.min(next + LOOK_UP_BATCH - 1);
        let rows = (next..=last).map(|ordinal| RouteRow {
            ordinal,
            looked_up: at,
            found: Found::Mailbox {
                operator: (ordinal % u64::from(OPERATORS)) as u16,
                address: "https://operator.example/service/v3".into(),
            },
        });
        journal.route(rows.collect()).await?;
        next = last + 1;
    }
    Ok(())
}

/// Intent of one, and its outcome on the way: whose place it has may then send.
async fn send(journal: &Journal, ordinal: u64) -> Result<HandedOver, TrackError> {
    let at = jiff::Timestamp::now();
    let intent = Intent {
        ordinal,
        attempt: 1,
        operator: (ordinal % u64::from(OPERATORS)) as u16,
        address: "https://operator.example/service/v3".into(),
        at,
        seal_date: "2027-01-12".into(),
        sender_cert: [1; 32],
        mediator_cert: [2; 32],
        renderer: 1,
        content_secrets: None,
        request_digest: [3; 32],
        message_id: MessageId(digest(5, ordinal)),
    };
    journal.intend(intent).await?;
    let end = End::Delivered { trans_id: "00000000-0000-4000-8000-000000000000".into() };
    let end = DigitalEnd { ordinal, attempt: 1, at, end, fault_code: None, call_id: None, detail: None };
    journal.hand_over(end).await
}

/// Intent and outcome of all, [`UNDER_WAY`] at once.
pub async fn send_all(journal: &Journal, statements: u64) -> Result<(), TrackError> {
    let places = (1..=UNDER_WAY as u64).map(|first| place(journal, first, statements));
    futures::future::try_join_all(places).await.map(drop)
}

/// What has one place at an operator, one after the other: every statement that is as many places on.
async fn place(journal: &Journal, first: u64, statements: u64) -> Result<(), TrackError> {
    let mut on_their_way: VecDeque<HandedOver> = VecDeque::with_capacity(OUTCOMES);
    for ordinal in (first..=statements).step_by(UNDER_WAY) {
        if on_their_way.len() == OUTCOMES
            && let Some(outcome) = on_their_way.pop_front()
        {
            outcome.durable().await?;
        }
        on_their_way.push_back(send(journal, ordinal).await?);
    }
    for outcome in on_their_way {
        outcome.durable().await?;
    }
    Ok(())
}
