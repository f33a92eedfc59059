//! What has left of a run, by key: what other runs of the installation are told of it.
//!
//! While the run goes on, [`JournalReader::statements_by_key`] tells it from the journal. When it has finished, what
//! [`JournalReader::left`] gives goes into the register, sorted. Both read the same logs, once, and then the statements,
//! which have the keys.

use super::super::error::TrackError;
use super::super::register::{Dispatch, Receipt, halves_left};
use super::JournalReader;
use super::ends::{self, Ended, PaperEnded};
use super::log;
use super::pages::unreadable;
use super::places::{self, At};
use super::schema::kind;
use super::statements;
use crate::domain::{ContentDigest, StatementKey};
use crate::track::trans_id::TransId;
use std::ops::ControlFlow;

/// A statement of a released run that has left or waits to.
pub(in crate::track) struct KeyState {
    pub key: StatementKey,
    pub content: ContentDigest,
    /// Bits of [`halves_left`].
    pub halves: u8,
}

/// What has left of a run, by its logs: 26 bytes a statement.
pub(in crate::track) struct Left<'a> {
    journal: &'a JournalReader,
    by_ordinal: Vec<Dispatch>,
}

/// A half that has left, or may have, as its log says.
struct HalfLeft {
    ordinal: u64,
    /// One of [`halves_left`].
    half: u8,
    at_ms: Option<i64>,
    trans_id: Option<TransId>,
}

/// Statements that are sorted together at least: 48 bytes each, 24 MB.
const SORTED_TOGETHER: usize = 500_000;
/// Parts that a run is sorted in at most. Each reads all statements, which costs more than to sort them; with six, sorting
/// takes 8 bytes of memory for each statement of a large run, beside its 26.
const PARTS: usize = 6;

impl JournalReader {
    /// Gives every statement that has left, or waits to, in the order of ordinals. *Cost*: reads all logs, and a byte
    /// of memory a statement.
    pub(in crate::track) fn statements_by_key(&self, sink: &mut dyn FnMut(KeyState)) -> Result<(), TrackError> {
        let mut query = || -> rusqlite::Result<()> {
            let mut halves = vec![0_u8; statements::most(&self.conn)? as usize + 1];
            let mut mark = |ordinal: u64, mark: u8| {
                if let Some(of) = halves.get_mut(ordinal as usize) {
                    *of |= mark;
                }
            };
            self.each_half(&mut |of| {
                mark(of.ordinal, of.half);
                Ok(())
            })?;
            let mut waits = self.conn.prepare("SELECT ordinal FROM paper_queue")?;
            let mut rows = waits.query([])?;
            while let Some(row) = rows.next()? {
                mark(row.get::<_, i64>(0)? as u64, halves_left::WAITS);
            }
            places::each(&self.conn, 0, |ordinal, place| {
                match place.at() {
                    At::UnderWay(_) => mark(ordinal, halves_left::WAITS | halves_left::DOUBT),
                    _ => mark(ordinal, halves_left::WAITS),
                }
                ControlFlow::Continue(())
            })?;
            let halves = |ordinal: u64| halves.get(ordinal as usize).copied().unwrap_or_default();
            self.keys_of(|ordinal| halves(ordinal) != 0, &mut |ordinal, key, content| {
                sink(KeyState { key, content, halves: halves(ordinal) });
            })
        };
        self.at_once(|_| query().map_err(unreadable("the statements")))
    }

    /// Reads what has left, or may have. What stands for a TransId is the caller's to say.
    ///
    /// *Errors*: the journal's, and the caller's.
    pub(in crate::track) fn left(
        &self,
        receipt: &mut dyn FnMut(TransId) -> rusqlite::Result<Receipt>,
    ) -> rusqlite::Result<Left<'_>> {
        let mut by_ordinal = vec![Dispatch::default(); statements::most(&self.conn)? as usize + 1];
        self.each_half(&mut |half| {
            let receipt = half.trans_id.map(&mut *receipt).transpose()?;
            if let Some(of) = by_ordinal.get_mut(half.ordinal as usize) {
                of.join(Dispatch::new(half.half, half.at_ms, receipt));
            }
            Ok(())
        })?;
        Ok(Left { journal: self, by_ordinal })
    }

    /// Gives each half that has left, or may have: the digital ones, then those on paper, then those in doubt.
    fn each_half(&self, sink: &mut dyn FnMut(HalfLeft) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        let mut flow = Ok(());
        log::each(&self.conn, false, |number, ended: Ended| {
            if ended.kind == kind::DELIVERED {
                let (ordinal, at_ms) = (ended.ordinal, Some(ended.at));
                flow = ends::trans_id(&self.conn, number, &ended)
                    .and_then(|trans_id| sink(HalfLeft { ordinal, half: halves_left::DIGITAL, at_ms, trans_id }));
            }
            go_on_where(&flow)
        })?;
        std::mem::replace(&mut flow, Ok(()))?;
        log::each(&self.conn, false, |_, ended: PaperEnded| {
            if ended.kind == kind::BUNDLED {
                let (ordinal, at_ms) = (ended.ordinal, Some(ended.at));
                flow = sink(HalfLeft { ordinal, half: halves_left::PAPER, at_ms, trans_id: None });
            }
            go_on_where(&flow)
        })?;
        flow?;
        let mut doubts = self.conn.prepare("SELECT ordinal FROM doubt")?;
        let mut rows = doubts.query([])?;
        while let Some(row) = rows.next()? {
            let ordinal = row.get::<_, i64>(0)? as u64;
            sink(HalfLeft { ordinal, half: halves_left::DOUBT, at_ms: None, trans_id: None })?;
        }
        Ok(())
    }

    /// Gives key and content of these statements, in the order of ordinals. *Errors*: one of them has none.
    fn keys_of(
        &self,
        these: impl Fn(u64) -> bool,
        sink: &mut dyn FnMut(u64, StatementKey, ContentDigest),
    ) -> rusqlite::Result<()> {
        let mut whole = Ok(());
        self.each_statement(|ordinal, entry| {
            if these(ordinal) {
                match entry.key.zip(entry.content) {
                    Some((key, content)) => sink(ordinal, key, content),
                    None => whole = Err(statements::lacks(ordinal, "key or content")),
                }
            }
            go_on_where(&whole)
        })?;
        whole
    }
}

fn go_on_where(well: &rusqlite::Result<()>) -> ControlFlow<()> {
    if well.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

impl Left<'_> {
    /// How many statements are best sorted together, by the size of the run.
    pub(in crate::track) fn together(&self) -> usize {
        SORTED_TOGETHER.max(self.by_ordinal.len() / PARTS)
    }

    /// Gives each key and content of what has left once, in ascending order.
    ///
    /// About `together` of them are sorted at a time: keys are digests, so a part of their range is as much of the
    /// statements. *Cost*: a reading of all statements for each part. *Errors*: the journal's, and the caller's.
    pub(in crate::track) fn by_key(
        &self,
        together: usize,
        sink: &mut dyn FnMut(StatementKey, ContentDigest, Dispatch) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let dispatch = |ordinal: u64| self.by_ordinal.get(ordinal as usize).copied().unwrap_or_default();
        let count = self.by_ordinal.iter().filter(|of| !of.is_none()).count();
        let parts = count.div_ceil(together.max(1));
        let mut sorted = Vec::with_capacity(count.min(together));
        for part in 0..parts {
            sorted.clear();
            self.journal.keys_of(|ordinal| !dispatch(ordinal).is_none(), &mut |ordinal, key, content| {
                if part_of(&key, parts) == part {
                    // The digital half's time goes before the paper half's, also where they are two statements'.
                    sorted.push((
                        u128::from_be_bytes(key.0),
                        u128::from_be_bytes(content.0),
                        !dispatch(ordinal).is_digital(),
                        ordinal,
                    ));
                }
            })?;
            sorted.sort_unstable();
            for same in sorted.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
                let Some((key, content, ..)) = same.first() else { continue };
                let mut joined = Dispatch::default();
                same.iter().for_each(|(.., ordinal)| joined.join(dispatch(*ordinal)));
                sink(StatementKey(key.to_be_bytes()), ContentDigest(content.to_be_bytes()), joined)?;
            }
        }
        Ok(())
    }
}

/// Which of so many equal parts of their range a key is in; ascending with the key.
fn part_of(key: &StatementKey, parts: usize) -> usize {
    let [a, b, c, d, e, f, g, h, ..] = key.0;
    let leading = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    ((u128::from(leading) * parts as u128) >> u64::BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::super::tests::{
        AND_PAPER, ELSE_PAPER, Place, digest, end, export, intent, mailbox, now, row, unreachable, wait,
    };
    use super::super::{End, Fate, Journal, PaperEnd, PaperFate, StatementRow};
    use super::*;
    use crate::domain::{Outcome, Reason};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What becomes of a statement.
    #[derive(Clone, Copy, Debug)]
    enum Became {
        Delivered,
        InDoubt,
        OnPaper,
        Both,
        Failed,
        Held,
    }

    use Became::*;

    fn became() -> impl Strategy<Value = Became> {
        prop_oneof![
            3 => Just(Delivered), 2 => Just(InDoubt), 2 => Just(OnPaper), 2 => Just(Both), 1 => Just(Failed),
            1 => Just(Held),
        ]
    }

    fn key(number: u8) -> StatementKey {
        // The ends of the range are among them, where parts begin and end.
        StatementKey([number * 85, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number])
    }

    fn trans_id_of(ordinal: u64) -> String {
        if ordinal.is_multiple_of(2) {
            format!("T-{ordinal}")
        } else {
            format!("00000000-0000-4000-8000-{ordinal:012}")
        }
    }

    fn content(number: u8) -> ContentDigest {
        ContentDigest([number; 16])
    }

    /// A run in which all of it has happened, a second apart.
    fn run(place: &Place, statements: &[(Option<u8>, u8, Became)]) -> Journal {
        let journal = place.create("run");
        let numbered = || (1_u64..).zip(statements);
        let rows = numbered().map(|(ordinal, (of, says, became))| {
            let fate = match became {
                // What cannot be read has no key, and ends at once.
                _ if of.is_none() => Fate::Ended(Outcome::Rejected, Reason::None),
                Both => AND_PAPER,
                _ => ELSE_PAPER,
            };
            let (key, content) = (of.map(key), of.map(|_| content(*says)));
            StatementRow { key, content, ..row(ordinal, fate) }
        });
        journal.admit(rows.collect()).unwrap();
        journal.release(vec![export(statements.len() as u64)]).unwrap();
        let sendable = || numbered().filter(|(_, (of, ..))| of.is_some());
        wait(async {
            let routes = sendable().map(|(ordinal, (.., became))| match became {
                OnPaper => unreachable(ordinal, Reason::NoMailbox),
                _ => mailbox(ordinal, 0),
            });
            journal.route(routes.collect()).await.unwrap();
            let sent = sendable().filter(|(_, (.., became))| !matches!(became, OnPaper | Held));
            for (ordinal, _) in sent.clone() {
                journal.intend(intent(ordinal, 1, 0)).await.unwrap();
            }
            // Not in the order of ordinals, as answers come.
            for (ordinal, (.., became)) in sent.collect::<Vec<_>>().into_iter().rev() {
                let how = match became {
                    Delivered | Both => End::Delivered { trans_id: trans_id_of(ordinal) },
                    Failed => End::Failed(Reason::RefusedForGood),
                    _ => End::InDoubt(Reason::TimedOut),
                };
                let mut end = end(ordinal, 1, how);
                end.at += jiff::SignedDuration::from_secs(ordinal as i64);
                journal.end_digital(end).await.unwrap();
            }
            for (ordinal, _) in sendable().filter(|(_, (.., became))| matches!(became, Held)) {
                journal.end_digital(end(ordinal, 0, End::Held(Reason::Protected))).await.unwrap();
            }
            let letters = sendable().filter(|(_, (.., became))| matches!(became, OnPaper | Both));
            let ends: Vec<_> =
                letters.map(|(ordinal, _)| PaperEnd { ordinal, end: PaperFate::Bundled { bundle: 1 } }).collect();
            if !ends.is_empty() {
                journal.end_paper(ends, None).await.unwrap();
            }
        });
        journal
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However many are sorted together: each key and content that has left is given once, ascending, with all that
        /// is known of it; and the statements by their ordinals say the same.
        #[test]
        fn what_has_left_is_given_by_key(
            statements in proptest::collection::vec((prop::option::weighted(0.9, 0_u8..4), 0_u8..3, became()), 1..30),
            together in 1_usize..9,
        ) {
            let place = Place::new();
            drop(run(&place, &statements));
            let journal = JournalReader::open(&place.run("run")).unwrap();
            let mut trans_ids = Vec::new();
            let left = journal.left(&mut |trans_id| match trans_id {
                TransId::Uuid(uuid) => Ok(Receipt::Uuid(uuid)),
                TransId::Text(text) => {
                    trans_ids.push(text);
                    Ok(Receipt::Numbered(trans_ids.len() as u64 - 1))
                }
            }).unwrap();
            let mut found = Vec::new();
            left.by_key(together, &mut |key, content, dispatch| {
                found.push(((key, content), dispatch));
                Ok(())
            }).unwrap();
            prop_assert!(found.is_sorted_by(|a, b| a.0 < b.0));

            // Halves, and by ordinal what was delivered.
            let mut wanted: BTreeMap<_, (u8, Option<u64>)> = BTreeMap::new();
            for (ordinal, (of, says, became)) in (1..).zip(&statements) {
                let Some(of) = of else { continue };
                let halves = match became {
                    Delivered => halves_left::DIGITAL,
                    InDoubt => halves_left::DOUBT,
                    OnPaper => halves_left::PAPER,
                    Both => halves_left::DIGITAL | halves_left::PAPER,
                    Failed | Held => continue,
                };
                let known = wanted.entry((key(*of), content(*says))).or_default();
                known.0 |= halves;
                if halves & halves_left::DIGITAL != 0 {
                    known.1.get_or_insert(ordinal);
                }
            }
            prop_assert_eq!(found.len(), wanted.len());
            for ((of, dispatch), (wanted_of, (halves, ordinal))) in found.into_iter().zip(&wanted) {
                prop_assert_eq!((of, dispatch.halves()), (*wanted_of, *halves));
                let trans_id = match dispatch.receipt() {
                    Some(Receipt::Numbered(number)) => Some(trans_ids[number as usize].clone()),
                    Some(Receipt::Uuid(uuid)) => Some(TransId::Uuid(uuid).to_string()),
                    None => None,
                };
                prop_assert_eq!(trans_id, ordinal.map(trans_id_of));
                match ordinal {
                    Some(ordinal) => {
                        let at = now().as_millisecond() + *ordinal as i64 * 1000;
                        prop_assert_eq!(dispatch.at_ms(), Some(at));
                    }
                    None => prop_assert_eq!(dispatch.at_ms().is_some(), halves & halves_left::PAPER != 0),
                }
            }

            let mut told: BTreeMap<_, u8> = BTreeMap::new();
            journal.statements_by_key(&mut |state| {
                *told.entry((state.key, state.content)).or_default() |= state.halves & !halves_left::WAITS;
            }).unwrap();
            told.retain(|_, halves| *halves != 0);
            prop_assert_eq!(told, wanted.into_iter().map(|(of, (halves, _))| (of, halves)).collect::<BTreeMap<_, _>>());
        }

        #[test]
        fn parts_ascend_and_cover_the_range(mut keys in proptest::collection::vec(any::<[u8; 16]>(), 1..40), parts in 1_usize..40) {
            keys.extend([[0; 16], [0xff; 16]]);
            keys.sort_unstable();
            let of: Vec<usize> = keys.iter().map(|key| part_of(&StatementKey(*key), parts)).collect();
            prop_assert!(of.is_sorted());
            prop_assert_eq!((of.first(), of.last()), (Some(&0), Some(&(parts - 1))));
        }
    }

    /// So that a part is what memory was meant for.
    #[test]
    fn parts_of_digests_are_alike() {
        let mut count = [0; 7];
        (0..70_000).for_each(|number| count[part_of(&StatementKey(digest(3, number)), 7)] += 1);
        assert!(count.iter().all(|count| (9_500..10_500).contains(count)), "{count:?}");
    }
}
