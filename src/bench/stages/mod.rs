//! What each stage costs by itself, in this process, on the statements of the export that is sent afterwards.
//!
//! The figures are processor time and not shares of a profile: each stage does what it does in a send, alone, with the
//! keys and gateways of the sandbox's settings.

pub mod check;
pub mod journal;
pub mod letters;
pub mod network;

use super::interrupt::Interrupt;
use crate::config::Config;
use crate::domain::{ContentDigest, Identity, Organisation, Span, StatementKey};
use crate::error::{Error, Exit, Result};
use crate::plan::Stages;
use crate::track::Installation;
use std::path::Path;

/// Statements that letters are made of: enough for every form to come.
const LETTERS: usize = 150;
/// Statements of the journal's own measurement.
const JOURNALLED: std::ops::RangeInclusive<u64> = 300..=5_000;
/// Repetitions; the middle one counts.
const ROUNDS: usize = 3;

/// A valid statement, as pass 2 knows it.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub(super) span: Span,
    pub(super) uppgiftslamnare: Organisation,
    pub(super) key: StatementKey,
    pub(super) content: ContentDigest,
    pub(super) recipient: Identity,
}

/// What the stages cost, and how large things are.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The costs.
    pub stages: Stages,
    /// Mean bytes of a statement in the export.
    pub statement_bytes: f64,
    /// Mean bytes of a request, unencrypted.
    pub message_bytes: f64,
    /// Mean bytes of an attachment.
    pub attachment_bytes: f64,
}

/// Measures all stages.
///
/// *Shape*: `export` has only recipients that can be addressed, `config` names gateways that answer, `folder` is ours.
pub fn measure(export: &Path, config: &Config, folder: &Path, interrupt: &Interrupt) -> Result<Measured> {
    let place = folder.join("stages");
    std::fs::create_dir(&place)
        .map_err(|error| Error::because(Exit::Storage, format!("cannot make {}", place.display()), error))?;
    let installation = Installation::open(&crate::config::Installation {
        state: place.join("state"),
        key_file: place.join("installation.key"),
    })?;
    let check = check::measure(export, config, &installation, &place, interrupt)?;
    let known: Vec<Known> = check.known.iter().take(LETTERS).copied().collect();
    let letters = letters::measure(&check.export, &known, config, &installation, &place, interrupt)?;
    let journal = journal::measure(&place, check.statements.clamp(*JOURNALLED.start(), *JOURNALLED.end()), interrupt)?;
    let network = network::measure(config, &check.known, &letters.requests, interrupt)?;
    let statement_bytes = check.bytes as f64 / check.statements.max(1) as f64;
    let stages = Stages {
        check_s_per_byte: check.check_s_per_byte,
        release_s_per_statement: check.copy_s_per_byte * statement_bytes + journal.release_s,
        lookup_s_per_statement: network.lookup_s + journal.route_s,
        compose_s: letters.compose_s,
        encrypt_s: letters.encrypt_s,
        sign_s: letters.sign_s,
        seal_s: letters.seal_s,
        submit_s_per_request: network.submit_s_per_request,
        submit_s_per_byte: network.submit_s_per_byte,
        journal_s_per_statement: journal.send_s,
        paper_s_per_statement: letters.paper_s,
    };
    Ok(Measured {
        stages,
        statement_bytes,
        message_bytes: letters.message_bytes,
        attachment_bytes: letters.attachment_bytes,
    })
}
