//! Across records: the same statement given twice, corrected, or removed, within the run.
//!
//! In: every record of the run, in the order of the ordinals. Out: which of them end without being sent, and the
//! findings that say so. Only digests are kept: 32 bytes a statement, 64 MB at 2,000,000, in one growing array that
//! [`Settler::finish`] sorts in place, on all cores. The content of a record is asked for only where its key stands
//! twice, unless it is known already. What earlier runs sent is the register's matter, not this one's.
//!
//! Of records with one key only the last counts, as at Skatteverket, where a record replaces the earlier one whole: an
//! equal one ends as repeated, a different one as corrected, one that a Borttag follows as removed. Where the settings
//! call findings across records errors, none of the statements of such a key is sent.

use super::findings::Finding;
use super::read::{Checked, Verdict};
use crate::config::Severity;
use crate::domain::{ContentDigest, Form, Outcome, Reason};
use rayon::prelude::*;

/// A record whose end is decided by another record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Which.
    pub ordinal: u64,
    /// [`Outcome::Replaced`] or [`Outcome::Rejected`].
    pub outcome: Outcome,
    /// [`Reason::Repeated`], [`Reason::Corrected`], [`Reason::RemovedLater`] or [`Reason::Faulty`].
    pub reason: Reason,
}

/// Remembers the keys of a run.
#[derive(Debug)]
pub struct Settler {
    severity: Severity,
    seen: Vec<Seen>,
}

/// What is kept of a record: 96 bits of its key and 48 of its content, both keyed digests. Two keys of 2,000,000
/// collide with a probability of 3 in 10^17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    key: [u8; 12],
    ordinal: [u8; 5],
    content: [u8; 6],
    place: [u8; 6],
    export: [u8; 2],
    /// The form's place, and flags.
    form: u8,
}

/// The record is a removal.
const REMOVAL: u8 = 128;
/// The content is not known yet.
const UNREAD: u8 = 64;

impl Seen {
    fn ordinal(&self) -> u64 {
        number(&self.ordinal)
    }

    const fn is_removal(&self) -> bool {
        self.form & REMOVAL != 0
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The last bytes of a number, the greatest where it does not fit (an ordinal beyond 10^12, an offset beyond 280 TB).
fn tail<const N: usize>(number: u64) -> [u8; N] {
    let bytes = number.min((1 << (8 * N)) - 1).to_be_bytes();
    std::array::from_fn(|at| bytes.get(8 - N + at).copied().unwrap_or(0))
}

fn head<const N: usize>(digest: &[u8; 16]) -> [u8; N] {
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or(0))
}

impl Settler {
    /// Bytes kept of each statement.
    pub const BYTES_PER_STATEMENT: usize = size_of::<Seen>();

    /// A settler that remembers nothing yet.
    pub const fn new(severity: Severity) -> Self {
        Self { severity, seen: Vec::new() }
    }

    /// Takes a record in; rejected ones neither replace nor are replaced.
    pub fn push(&mut self, export: u16, checked: &Checked) {
        let (Some(key), Some(form)) = (checked.key, checked.form) else { return };
        let removal = match checked.fate {
            Verdict::Rejected => return,
            Verdict::Valid => 0,
            Verdict::Removal => REMOVAL,
        };
        let unread = if checked.content.is_some() { 0 } else { UNREAD };
        self.seen.push(Seen {
            key: head(&key.0),
            ordinal: tail(checked.span.ordinal),
            content: checked.content.map_or([0; 6], |content| head(&content.0)),
            place: tail(checked.place),
            export: export.to_be_bytes(),
            form: form as u8 | removal | unread,
        });
    }

    /// Settles everything that was taken in; both lists ascend by ordinal.
    ///
    /// `content` tells the content of a record (export, ordinal, where it begins in the original), and is asked for those
    /// that were taken in without one.
    ///
    /// *Errors*: those of `content`.
    pub fn finish<E>(
        self,
        mut content: impl FnMut(u16, u64, u64) -> Result<ContentDigest, E>,
    ) -> Result<(Vec<Amendment>, Vec<Finding>), E> {
        let Self { severity, mut seen } = self;
        seen.par_sort_unstable();
        let (mut amendments, mut findings) = (Vec::new(), Vec::new());
        for same in seen.chunk_by_mut(|a, b| a.key == b.key).filter(|same| same.len() > 1) {
            for seen in same.iter_mut().filter(|seen| seen.form & UNREAD != 0) {
                let export = u16::from_be_bytes(seen.export);
                seen.content = head(&content(export, seen.ordinal(), number(&seen.place))?.0);
            }
            settle(severity, same, &mut amendments, &mut findings);
        }
        amendments.sort_unstable_by_key(|amendment| amendment.ordinal);
        findings.sort_by_key(|finding| finding.ordinal);
        Ok((amendments, findings))
    }
}

fn settle(severity: Severity, same: &[Seen], amendments: &mut Vec<Amendment>, findings: &mut Vec<Finding>) {
    for (earlier, later) in same.iter().zip(same.iter().skip(1)) {
        let (rule, what, reason) = match (earlier.is_removal(), later.is_removal()) {
            (true, true) => ("utskick.repeated", "the removal stands again as record", None),
            (true, false) => (
                "utskick.removal-and-new",
                "the removal is followed by a new statement with the same identifiers, which is sent: record",
                None,
            ),
            (false, true) => (
                "utskick.removed-later",
                "the statement is not sent, since it is removed by record",
                Some(Reason::RemovedLater),
            ),
            (false, false) if earlier.content == later.content => (
                "utskick.repeated",
                "the statement is sent once, since it stands again as record",
                Some(Reason::Repeated),
            ),
            (false, false) => (
                "utskick.corrected",
                "the statement is not sent, since one with the same identifiers and another content replaces it: record",
                Some(Reason::Corrected),
            ),
        };
        if let Some(reason) = reason.filter(|_| severity == Severity::Warning) {
            amendments.push(Amendment { ordinal: earlier.ordinal(), outcome: Outcome::Replaced, reason });
        }
        findings.push(finding(severity, earlier, rule, format!("{what} {}", later.ordinal())));
    }
    if severity == Severity::Error {
        for seen in same.iter().filter(|seen| !seen.is_removal()) {
            amendments.push(Amendment { ordinal: seen.ordinal(), outcome: Outcome::Rejected, reason: Reason::Faulty });
        }
        if let Some(last) = same.last() {
            let what = "the statement stands more than once in the run, which the settings call an error".to_owned();
            findings.push(finding(severity, last, "utskick.repeated-key", what));
        }
    }
}

fn finding(severity: Severity, seen: &Seen, rule: &'static str, message: String) -> Finding {
    Finding {
        export: u16::from_be_bytes(seen.export),
        ordinal: seen.ordinal(),
        form: Form::all().nth(usize::from(seen.form & !(REMOVAL | UNREAD))),
        rule: rule.into(),
        faltkod: Some(570),
        offset: number(&seen.place),
        message: message.into(),
        severity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ContentDigest, RecordDigest, Span, StatementKey};
    use crate::intake::RecipientKind;
    use proptest::prelude::*;

    fn checked(ordinal: u64, key: u8, content: u8, fate: Verdict) -> Checked {
        Checked {
            span: Span { ordinal, offset: ordinal * 1000, length: 900 },
            place: ordinal * 1000,
            form: Some(Form::KU14),
            uppgiftslamnare: None,
            fate,
            key: Some(StatementKey([key; 16])),
            content: Some(ContentDigest([content; 16])),
            person: None,
            further: Vec::new(),
            record: RecordDigest([0; 16]),
            recipient: RecipientKind::None,
        }
    }

    type Settled = (Vec<(u64, Outcome, Reason)>, Vec<(u64, String)>);

    fn settled(severity: Severity, records: &[(u8, u8, Verdict)]) -> Settled {
        let mut settler = Settler::new(severity);
        for (ordinal, (key, content, fate)) in (1..).zip(records) {
            settler.push(0, &checked(ordinal, *key, *content, *fate));
        }
        let (amendments, findings) = settler.finish(|_, _, _| Err(())).expect("every content is known");
        (
            amendments.iter().map(|a| (a.ordinal, a.outcome, a.reason)).collect(),
            findings.iter().map(|f| (f.ordinal, f.rule.to_string())).collect(),
        )
    }

    #[test]
    fn the_last_of_a_key_counts() {
        use Verdict::{Rejected, Removal, Valid};
        let (amendments, findings) = settled(
            Severity::Warning,
            &[
                (1, 1, Valid),
                (2, 1, Valid),
                (1, 1, Valid),
                (1, 2, Valid),
                (2, 0, Removal),
                (2, 5, Valid),
                (1, 9, Rejected),
                (3, 1, Valid),
            ],
        );
        assert_eq!(
            amendments,
            [
                (1, Outcome::Replaced, Reason::Repeated),
                (2, Outcome::Replaced, Reason::RemovedLater),
                (3, Outcome::Replaced, Reason::Corrected),
            ]
        );
        let rules: Vec<_> = findings.iter().map(|(ordinal, rule)| (*ordinal, rule.as_str())).collect();
        assert_eq!(
            rules,
            [
                (1, "utskick.repeated"),
                (2, "utskick.removed-later"),
                (3, "utskick.corrected"),
                (5, "utskick.removal-and-new")
            ]
        );
    }

    #[test]
    fn as_errors_none_of_a_key_is_sent() {
        use Verdict::Valid;
        let (amendments, _) = settled(Severity::Error, &[(1, 1, Valid), (2, 2, Valid), (1, 1, Valid)]);
        assert_eq!(amendments, [(1, Outcome::Rejected, Reason::Faulty), (3, Outcome::Rejected, Reason::Faulty)]);
    }

    #[test]
    fn a_statement_takes_32_bytes() {
        assert_eq!(Settler::BYTES_PER_STATEMENT, 32);
        assert_eq!((number(&tail::<5>(0x12_3456_789a)), number(&tail::<6>(u64::MAX))), (0x12_3456_789a, (1 << 48) - 1));
    }

    #[test]
    fn content_is_asked_for_only_where_a_key_stands_twice() {
        let settle = |known: bool| {
            let mut settler = Settler::new(Severity::Warning);
            for (ordinal, key, content) in [(1, 1, 7), (2, 2, 8), (3, 1, 7), (4, 3, 9), (5, 1, 6)] {
                let whole = checked(ordinal, key, content, Verdict::Valid);
                settler.push(3, &Checked { content: whole.content.filter(|_| known), ..whole });
            }
            let mut asked = Vec::new();
            let settled = settler.finish(|export, ordinal, place| {
                asked.push((export, ordinal, place));
                Ok::<_, ()>(ContentDigest([if ordinal == 5 { 6 } else { 7 }; 16]))
            });
            (settled, asked)
        };
        let (known, lazily) = (settle(true), settle(false));
        assert_eq!(known.0, lazily.0);
        assert_eq!(known.1, []);
        assert_eq!(lazily.1, [(3, 1, 1000), (3, 3, 3000), (3, 5, 5000)]);
    }

    proptest! {
        #[test]
        fn exactly_one_record_of_a_key_survives_unless_it_is_removed(
            records in proptest::collection::vec((0u8..4, 0u8..3, 0u8..3), 0..40)
        ) {
            let verdicts = [Verdict::Valid, Verdict::Removal, Verdict::Rejected];
            let records: Vec<_> = records.iter().map(|(k, c, v)| (*k, *c, verdicts[*v as usize])).collect();
            let (amendments, _) = settled(Severity::Warning, &records);
            for key in 0..4u8 {
                let of_key: Vec<_> = (1u64..).zip(&records).filter(|(_, r)| r.0 == key && r.2 != Verdict::Rejected).collect();
                let sent: Vec<u64> = of_key.iter()
                    .filter(|(_, r)| r.2 == Verdict::Valid)
                    .map(|(ordinal, _)| *ordinal)
                    .filter(|ordinal| amendments.iter().all(|a| a.0 != *ordinal))
                    .collect();
                let expected: Vec<u64> = of_key.last().filter(|(_, r)| r.2 == Verdict::Valid).map(|(o, _)| *o).into_iter().collect();
                prop_assert_eq!(sent, expected);
            }
        }
    }
}
