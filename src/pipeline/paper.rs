//! The paper desk: letters that go on paper, into bundles for the print supplier.
//!
//! A bundle is closed when it is full, and at the end of the run. A statement is on paper only when its bundle is on
//! disk and the journal says so; a file that a killed run left without a row in the journal is made anew.

use super::open::Run;
use crate::domain::{MessageId, Reason};
use crate::error::{Error, Exit};
use crate::prepare::bundle::{PaperLetter, write_bundle};
use crate::track::{BundleRow, PaperEnd, PaperFate, Work};
use rayon::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// Runs until no statement waits for paper and none can come to wait any more.
pub(super) async fn run(run: &Arc<Run>) {
    if let Err(error) = bundle_everything(run).await {
        run.play.fail(error);
    }
}

async fn bundle_everything(run: &Arc<Run>) -> Result<(), Error> {
    let full = run.config.paper.as_ref().map_or(1000, |paper| paper.letters_per_bundle);
    loop {
        tokio::select! {
            () = run.play.going() => {}
            () = run.play.drain.cancelled() => return Ok(()),
        }
        // Asked before looking: what is settled now has its row already.
        let last_round = run.play.settled.is_cancelled();
        let waiting = run.on_pool(move |run| run.journal.paper_waiting(0, full)).await?;
        if waiting.len() >= full || (last_round && !waiting.is_empty()) {
            let (rows, bundle) = run.on_pool(move |run| bundled(run, &waiting)).await?;
            finish(run, rows, bundle).await?;
        } else if last_round || run.play.drain.is_cancelled() {
            return Ok(());
        } else {
            tokio::select! {
                () = run.paper_waits.notified() => tokio::time::sleep(Duration::from_millis(200)).await,
                () = run.play.settled.cancelled() => {}
                () = run.play.drain.cancelled() => {}
            }
        }
    }
}

/// A statement on its way to paper.
enum Sheet {
    Letter { ordinal: u64, message_id: MessageId, work: Work, recipient_id: Option<String>, pdf: Vec<u8> },
    Ends(PaperEnd),
}

/// Letters and their bundle, on disk: how each statement ends, and the bundle's row. On a thread of the CPU pool.
fn bundled(run: &Run, waiting: &[Work]) -> Result<(Vec<PaperEnd>, Option<BundleRow>), Error> {
    let Some(printer) = run.printer() else {
        let rows = waiting.iter().map(|work| held(work, Reason::NoPrintSupplier)).collect();
        return Ok((rows, None));
    };
    let sheets = waiting.par_iter().map(|work| sheet(run, work)).collect::<Result<Vec<_>, Error>>()?;
    let letters: Vec<PaperLetter<'_>> = sheets
        .iter()
        .filter_map(|sheet| match sheet {
            Sheet::Letter { ordinal, message_id, work, recipient_id, pdf } => Some(PaperLetter {
                ordinal: *ordinal,
                message_id: *message_id,
                form: work.form,
                recipient_id: recipient_id.as_deref(),
                pdf,
            }),
            Sheet::Ends(_) => None,
        })
        .collect();
    let bundle = if letters.is_empty() {
        None
    } else {
        let number = run.next_bundle();
        let run_id = &run.journal.header().run_id;
        let bundle = write_bundle(run.installation.disk(), &run.paper_folder, number, run_id, &letters, &printer)
            .map_err(|error| Error::because(Exit::Storage, "cannot write a print bundle", error))?;
        Some(BundleRow {
            number,
            file_name: bundle.file_name,
            sha256: bundle.sha256,
            letters: bundle.letters,
            bytes: bundle.bytes,
        })
    };
    let number = bundle.as_ref().map_or(0, |bundle| bundle.number);
    let rows = sheets
        .iter()
        .map(|sheet| match sheet {
            Sheet::Letter { ordinal, .. } => PaperEnd { ordinal: *ordinal, end: PaperFate::Bundled { bundle: number } },
            Sheet::Ends(end) => *end,
        })
        .collect();
    Ok((rows, bundle))
}

async fn finish(run: &Run, rows: Vec<PaperEnd>, bundle: Option<BundleRow>) -> Result<(), Error> {
    let ended = rows.len() as u64;
    run.journal.end_paper(rows, bundle).await?;
    run.progress.ended(ended);
    Ok(())
}

fn held(work: &Work, reason: Reason) -> PaperEnd {
    PaperEnd { ordinal: work.span.ordinal, end: PaperFate::Held(reason) }
}

fn sheet(run: &Run, work: &Work) -> Result<Sheet, Error> {
    let ordinal = work.span.ordinal;
    if work.protected {
        return Ok(Sheet::Ends(held(work, Reason::Protected)));
    }
    let statement = run.statement(work)?;
    let supplier_addresses = run.config.paper.as_ref().is_some_and(|paper| paper.supplier_addresses);
    let recipient_id = statement.recipient().filter(|_| supplier_addresses);
    if !statement.has_postal_address() && recipient_id.is_none() {
        return Ok(Sheet::Ends(held(work, Reason::NoAddress)));
    }
    match run.workshop.paper(&statement, run.config.senders.of(&work.uppgiftslamnare), work.correction) {
        Ok(pdf) => Ok(Sheet::Letter {
            ordinal,
            message_id: run.installation.message_id(&work.key, &work.content),
            work: work.clone(),
            recipient_id: recipient_id.map(|id| id.expose().to_owned()),
            pdf,
        }),
        Err(error) => {
            tracing::error!(ordinal, %error, "the letter cannot be made for paper");
            Ok(Sheet::Ends(PaperEnd { ordinal, end: PaperFate::Failed(Reason::PrepareFailed) }))
        }
    }
}
