//! A small run and what can happen to it.

use super::*;
use crate::config;
use crate::domain::{ContentDigest, Form, MessageId, Outcome, PersonDigest, RecordDigest, Span, StatementKey};
use crate::track::halves::{Digital, OnPaper, outcome};
use crate::track::summed;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(in crate::track) struct Place {
    pub folder: tempfile::TempDir,
    pub installation: Installation,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { installation: Installation::open(&settings(folder.path())).unwrap(), folder }
    }

    pub fn settings(&self) -> config::Installation {
        settings(self.folder.path())
    }

    pub fn run(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn create(&self, name: &str) -> Journal {
        Journal::create(&self.run(name), &self.installation, &header(name)).unwrap()
    }

    pub fn open(&self, name: &str) -> Journal {
        Journal::open(&self.run(name), &self.installation).unwrap()
    }

    /// A released run of statements with these fates, ordinals from 1.
    pub fn released(&self, name: &str, fates: &[Fate]) -> Journal {
        let journal = self.create(name);
        journal.admit(fates.iter().enumerate().map(|(at, fate)| row(at as u64 + 1, *fate)).collect()).unwrap();
        journal.release(vec![export(fates.len() as u64)]).unwrap();
        journal
    }
}

fn settings(folder: &Path) -> config::Installation {
    config::Installation { state: folder.join("state"), key_file: folder.join("installation.key") }
}

pub(in crate::track) fn header(run_id: &str) -> RunHeader {
    let operator = |id: &str, name: &str| RunOperator { id: id.into(), name: name.into(), rate_per_s: Some(20.0) };
    RunHeader {
        run_id: run_id.into(),
        created: "2027-01-12T20:00:00Z".parse().unwrap(),
        config_file: "/etc/utskick.toml".into(),
        protected_file: None,
        exports: Vec::new(),
        operators: vec![operator("165021680250", "Kivra"), operator("162021003898", "Min myndighetspost")],
        deadline: None,
        remembered: serde_json::json!({"accept_rejects": false}),
    }
}

pub(in crate::track) fn export(statements: u64) -> RunExport {
    RunExport { fingerprint: serde_json::json!({"path": "export.xml"}), first_ordinal: 1, statements }
}

pub(in crate::track) const ELSE_PAPER: Fate = Fate::Send { digital: Half::Waiting, paper: Half::Fallback };
pub(in crate::track) const AND_PAPER: Fate = Fate::Send { digital: Half::Waiting, paper: Half::Waiting };
pub(in crate::track) const PAPER: Fate = Fate::Send { digital: Half::Off, paper: Half::Waiting };
pub(in crate::track) const MINOR: Fate =
    Fate::Send { digital: Half::Unreachable(Reason::Minor), paper: Half::Fallback };

pub(in crate::track) fn digest(kind: u8, number: u64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    // Spread over the whole range, as digests are.
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes
}

pub(in crate::track) fn row(ordinal: u64, fate: Fate) -> StatementRow {
    StatementRow {
        span: Span { ordinal, offset: ordinal * 2000, length: 1900 },
        export: 0,
        record: RecordDigest(digest(1, ordinal)),
        form: Some(if ordinal.is_multiple_of(3) { Form::KU14 } else { Form::KU10 }),
        uppgiftslamnare: Some(Organisation::parse("165021680250").unwrap()),
        person: Some(PersonDigest(digest(2, ordinal / 2))),
        also: if ordinal.is_multiple_of(5) { vec![PersonDigest(digest(9, ordinal))] } else { Vec::new() },
        key: Some(StatementKey(digest(3, ordinal))),
        content: Some(ContentDigest(digest(4, ordinal))),
        correction: ordinal.is_multiple_of(7),
        fate,
    }
}

pub(in crate::track) fn now() -> Timestamp {
    "2027-01-12T21:00:00Z".parse().unwrap()
}

pub(in crate::track) fn mailbox(ordinal: u64, operator: u16) -> RouteRow {
    let found = Found::Mailbox { operator, address: format!("https://operator{operator}.example/mm") };
    RouteRow { ordinal, looked_up: now(), found }
}

pub(in crate::track) fn unreachable(ordinal: u64, reason: Reason) -> RouteRow {
    RouteRow { ordinal, looked_up: now(), found: Found::Unreachable(reason) }
}

pub(in crate::track) fn intent(ordinal: u64, attempt: u32, operator: u16) -> Intent {
    Intent {
        ordinal,
        attempt,
        operator,
        address: format!("https://operator{operator}.example/mm"),
        at: now(),
        seal_date: "2027-01-12".into(),
        sender_cert: [1; 32],
        mediator_cert: [2; 32],
        renderer: 1,
        content_secrets: Some(b"content key, iv and wrapped key".to_vec()),
        request_digest: [ordinal as u8; 32],
        message_id: MessageId(digest(5, ordinal)),
    }
}

pub(in crate::track) fn end(ordinal: u64, attempt: u32, end: End) -> DigitalEnd {
    DigitalEnd { ordinal, attempt, at: now(), end, fault_code: None, call_id: None, detail: None }
}

pub(in crate::track) fn delivered(ordinal: u64) -> End {
    End::Delivered { trans_id: format!("T-{ordinal}") }
}

pub(in crate::track) fn over(ordinal: u64, attempt: u32) -> AttemptOver {
    AttemptOver {
        ordinal,
        attempt,
        cause: "503".into(),
        fault_code: None,
        call_id: Some("call".into()),
        not_before: Some(now()),
    }
}

pub(in crate::track) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn ordinals(work: &[Work]) -> Vec<u64> {
    work.iter().map(|work| work.span.ordinal).collect()
}

fn counted(journal: &Journal) -> BTreeMap<(Outcome, Reason), u64> {
    journal.counts().unwrap().by
}

#[test]
fn a_run_goes_its_way() {
    let place = Place::new();
    let journal = place.released(
        "run",
        &[ELSE_PAPER, ELSE_PAPER, PAPER, MINOR, Fate::Ended(Outcome::Rejected, Reason::Faulty), AND_PAPER],
    );
    assert_eq!(ordinals(&journal.to_look_up(0, 10).unwrap()), [1, 2, 6]);
    assert_eq!(ordinals(&journal.to_look_up(1, 1).unwrap()), [2]);
    assert_eq!(ordinals(&journal.paper_waiting(0, 10).unwrap()), [3, 4], "6 may still turn out protected");
    let work = &journal.to_look_up(0, 1).unwrap()[0];
    let admitted = row(1, ELSE_PAPER);
    assert_eq!(
        (work.span, work.record, Some(work.form), Some(work.uppgiftslamnare), Some(work.key), Some(work.content)),
        (admitted.span, admitted.record, admitted.form, admitted.uppgiftslamnare, admitted.key, admitted.content)
    );
    wait(async {
        journal.route(vec![mailbox(1, 0), unreachable(2, Reason::OptedOut), mailbox(6, 1)]).await.unwrap();
        assert_eq!(ordinals(&journal.paper_waiting(0, 10).unwrap()), [2, 3, 4]);
        let routed = journal.routed(0, 0, 10).unwrap();
        assert_eq!(routed.len(), 1);
        assert_eq!((routed[0].attempts, routed[0].address.as_str()), (0, "https://operator0.example/mm"));
        journal.intend(intent(1, 1, 0)).await.unwrap();
        assert!(journal.routed(0, 0, 10).unwrap().is_empty(), "it is under way");
        assert_eq!(journal.checkpoint().unwrap().through, 0);
        journal.attempt_over(over(1, 1)).await.unwrap();
        let routed = journal.routed(0, 0, 10).unwrap();
        assert_eq!((routed[0].attempts, routed[0].not_before), (1, Some(now())));
        journal.intend(intent(1, 2, 0)).await.unwrap();
        journal.end_digital(end(1, 2, delivered(1))).await.unwrap();
        journal.intend(intent(6, 1, 1)).await.unwrap();
        journal.end_digital(end(6, 1, delivered(6))).await.unwrap();
        assert_eq!(ordinals(&journal.paper_waiting(0, 10).unwrap()), [2, 3, 4, 6]);
        assert_eq!(journal.checkpoint().unwrap(), super::super::Checkpoint { statements: 6, through: 1, beyond: 1 });
        assert_eq!(journal.finish().unwrap(), Phase::Released, "paper still waits");
        let rows = [2, 3, 4, 6].map(|ordinal| PaperEnd { ordinal, end: PaperFate::Bundled { bundle: 1 } });
        let bundle = BundleRow { number: 1, file_name: "1.zip.cms".into(), sha256: [0; 32], letters: 4, bytes: 1000 };
        journal.end_paper(rows.to_vec(), Some(bundle)).await.unwrap();
    });
    let wanted = BTreeMap::from([
        ((Outcome::Delivered, Reason::None), 1),
        ((Outcome::Paper, Reason::OptedOut), 1),
        ((Outcome::Paper, Reason::None), 1),
        ((Outcome::Paper, Reason::Minor), 1),
        ((Outcome::Rejected, Reason::Faulty), 1),
        ((Outcome::DeliveredAndPaper, Reason::None), 1),
    ]);
    assert_eq!(counted(&journal), wanted);
    assert_eq!(journal.last_bundle().unwrap(), 1);
    assert_eq!(journal.finish().unwrap(), Phase::Finished);
    drop(journal);
    let journal = place.open("run");
    assert_eq!((journal.phase(), counted(&journal)), (Phase::Finished, wanted));
    assert_eq!(journal.header().exports, [export(6)]);
    assert_eq!(journal.header().remembered, header("run").remembered);
}

#[test]
fn what_does_not_wait_is_refused_and_nothing_is_written_for_it() {
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER, ELSE_PAPER, Fate::Ended(Outcome::Removal, Reason::None)]);
    wait(async {
        let refused = |result: Result<(), TrackError>| matches!(result, Err(TrackError::NotWaiting { .. }));
        assert!(refused(journal.intend(intent(1, 1, 0)).await), "it has no route");
        assert!(refused(journal.route(vec![mailbox(1, 0), mailbox(3, 0)]).await), "3 has its outcome");
        assert_eq!(ordinals(&journal.to_look_up(0, 9).unwrap()), [1, 2], "all rows or none");
        journal.route(vec![mailbox(1, 0), mailbox(2, 1)]).await.unwrap();
        assert!(refused(journal.intend(intent(1, 1, 1)).await), "it waits at another operator");
        journal.intend(intent(1, 1, 0)).await.unwrap();
        assert!(refused(journal.intend(intent(1, 2, 0)).await), "it is under way");
        assert!(refused(journal.route(vec![mailbox(1, 1)]).await), "it is under way");
        assert!(refused(journal.end_digital(end(1, 2, delivered(1))).await), "another attempt");
        journal.end_digital(end(1, 1, delivered(1))).await.unwrap();
        assert!(refused(journal.end_digital(end(1, 1, delivered(1))).await), "it has ended");
        assert!(refused(journal.intend(intent(1, 2, 0)).await), "it was delivered");
        assert!(refused(journal.end_digital(end(2, 0, delivered(2))).await), "nothing has left");
        assert!(refused(journal.end_digital(end(2, 0, End::InDoubt(Reason::TimedOut))).await), "nothing has left");
        journal.end_digital(end(2, 0, End::Held(Reason::Protected))).await.unwrap();
        let paper = PaperEnd { ordinal: 2, end: PaperFate::Bundled { bundle: 1 } };
        assert!(refused(journal.end_paper(vec![paper], None).await), "protected is never paper");
    });
    let counts = journal.counts().unwrap();
    assert_eq!((counts.of(Outcome::Delivered), counts.of(Outcome::Held), counts.statements()), (1, 1, 3));
}

#[test]
fn a_new_look_up_replaces_the_route_and_keeps_the_attempts() {
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER]);
    wait(async {
        journal.route(vec![mailbox(1, 0)]).await.unwrap();
        journal.route(vec![mailbox(1, 1)]).await.unwrap();
        assert!(journal.routed(0, 0, 9).unwrap().is_empty());
        journal.intend(intent(1, 1, 1)).await.unwrap();
        journal.look_up_again(over(1, 1)).await.unwrap();
        assert_eq!(ordinals(&journal.to_look_up(0, 9).unwrap()), [1]);
        journal.route(vec![mailbox(1, 0)]).await.unwrap();
        let routed = &journal.routed(0, 0, 9).unwrap()[0];
        assert_eq!((routed.attempts, routed.not_delivered), (1, 1));
        journal.route(vec![unreachable(1, Reason::NoMailbox)]).await.unwrap();
        assert_eq!(ordinals(&journal.paper_waiting(0, 9).unwrap()), [1]);
    });
}

#[test]
fn in_doubt_is_resent_only_with_the_same_bytes() {
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER, AND_PAPER]);
    wait(async {
        journal.route(vec![mailbox(1, 0), mailbox(2, 0)]).await.unwrap();
        for ordinal in [1, 2] {
            journal.intend(intent(ordinal, 1, 0)).await.unwrap();
            journal.end_digital(end(ordinal, 1, End::InDoubt(Reason::TimedOut))).await.unwrap();
        }
        let doubt = journal.in_doubt(0, 9).unwrap();
        assert_eq!(
            doubt.iter().map(|of| (of.intent.clone(), of.reason)).collect::<Vec<_>>(),
            [(intent(1, 1, 0), Reason::TimedOut), (intent(2, 1, 0), Reason::TimedOut)]
        );
        assert_eq!(journal.in_doubt(1, 9).unwrap().len(), 1);
        let other = Intent { request_digest: [9; 32], ..intent(1, 2, 0) };
        assert!(matches!(journal.intend(other).await, Err(TrackError::BytesDiffer { ordinal: 1 })));
        let other = Intent { message_id: MessageId([9; 16]), ..intent(1, 2, 0) };
        assert!(matches!(journal.intend(other).await, Err(TrackError::BytesDiffer { ordinal: 1 })));
        assert!(matches!(journal.intend(intent(1, 1, 0)).await, Err(TrackError::NotWaiting { .. })), "attempt used");
        assert_eq!(journal.counts().unwrap().of(Outcome::InDoubt), 2);
        journal.intend(intent(1, 2, 0)).await.unwrap();
        assert_eq!(journal.counts().unwrap().of(Outcome::InDoubt), 1);
        assert!(journal.in_doubt(0, 9).unwrap().len() == 1);
        journal.end_digital(end(1, 2, delivered(1))).await.unwrap();
        let paper = PaperEnd { ordinal: 2, end: PaperFate::Bundled { bundle: 1 } };
        let early = journal.end_paper(vec![paper], None).await;
        assert!(matches!(early, Err(TrackError::NotWaiting { ordinal: 2 })), "paper waits for the doubt to be settled");
        let refused = journal.settle(vec![2, 1], Settlement::Resend, "never".into()).await;
        assert!(matches!(refused, Err(TrackError::NotWaiting { ordinal: 1 })), "all or none");
        assert_eq!((journal.counts().unwrap().of(Outcome::InDoubt), journal.events_of("settled").unwrap()), (1, 0));
        journal.settle(vec![2], Settlement::Delivered, "told".into()).await.unwrap();
        assert_eq!(journal.events_of("settled").unwrap(), 1);
        journal.end_paper(vec![paper], None).await.unwrap();
    });
    let counts = journal.counts().unwrap();
    assert_eq!((counts.of(Outcome::Delivered), counts.of(Outcome::DeliveredAndPaper)), (1, 1));
}

/// The operator may yet say that the recipient is protected: nothing of what is in doubt is printed before a person has
/// settled it.
#[test]
fn what_is_in_doubt_goes_on_paper_once_it_is_settled_as_delivered() {
    let place = Place::new();
    let journal = place.released("run", &[AND_PAPER, AND_PAPER, AND_PAPER]);
    wait(async {
        journal.route((1..=3).map(|ordinal| mailbox(ordinal, 0)).collect()).await.unwrap();
        for ordinal in 1..=3 {
            journal.intend(intent(ordinal, 1, 0)).await.unwrap();
            journal.end_digital(end(ordinal, 1, End::InDoubt(Reason::TimedOut))).await.unwrap();
        }
    });
    assert!(journal.paper_waiting(0, 9).unwrap().is_empty());
    assert_eq!(journal.counts().unwrap().of(Outcome::InDoubt), 3);
    assert_eq!(journal.finish().unwrap(), Phase::Finished, "nothing waits but for a person");
    drop(journal);
    let journal = place.open("run");
    wait(journal.settle(vec![1], Settlement::Delivered, String::new())).unwrap();
    assert_eq!(journal.phase(), Phase::Released, "a letter is still to be printed");
    assert_eq!(ordinals(&journal.paper_waiting(0, 9).unwrap()), [1]);
    wait(journal.settle(vec![2], Settlement::NotDelivered, String::new())).unwrap();
    wait(async {
        journal.route(vec![mailbox(2, 0)]).await.unwrap();
        journal.intend(intent(2, 2, 0)).await.unwrap();
        journal.end_digital(end(2, 2, End::Held(Reason::Protected))).await.unwrap();
    });
    assert_eq!(ordinals(&journal.paper_waiting(0, 9).unwrap()), [1], "who is protected is not printed");
}

/// What one answer tells of a person keeps all that person's letters off paper that are not printed yet.
#[test]
fn who_is_found_to_be_protected_goes_on_no_paper() {
    let place = Place::new();
    // 2 and 3 are about the same person, 1 and 4 about others.
    let journal = place.released("run", &[PAPER, ELSE_PAPER, PAPER, PAPER]);
    let protected = |journal: &Journal| {
        let waiting = journal.paper_waiting(0, 9).unwrap();
        waiting.iter().map(|work| (work.span.ordinal, work.protected)).collect::<Vec<_>>()
    };
    assert_eq!(protected(&journal), [(1, false), (3, false), (4, false)]);
    wait(journal.route(vec![mailbox(2, 0)])).unwrap();
    wait(journal.intend(intent(2, 1, 0))).unwrap();
    wait(journal.end_digital(end(2, 1, End::Held(Reason::Protected)))).unwrap();
    assert_eq!(protected(&journal), [(1, false), (3, true), (4, false)]);
}

/// A place stands nowhere else: one that is changed on disk would be a statement that is never sent, or sent again.
#[test]
fn a_changed_place_is_noticed() {
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER; 5]);
    wait(journal.route(vec![mailbox(2, 0), mailbox(3, 1), mailbox(4, 1)])).unwrap();
    wait(journal.intend(intent(4, 1, 1))).unwrap();
    drop(journal);
    let file = place.run("run").join("journal.sqlite");
    let conn = Connection::open(&file).unwrap();
    let places: Vec<u8> = conn.query_row("SELECT places FROM place", [], |row| row.get(0)).unwrap();
    let mut noticed = 0;
    for bit in 0..6 * 32 {
        let mut changed = places.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        conn.execute("UPDATE place SET places = ?1", [&changed]).unwrap();
        let opened = Journal::open(&place.run("run"), &place.installation);
        assert!(matches!(opened, Err(TrackError::Storage { .. })), "bit {bit}");
        // Not on the disk, but before it was written.
        changed.truncate(places.len() - 4);
        summed::add(0, &mut changed);
        conn.execute("UPDATE place SET places = ?1", [&changed]).unwrap();
        match Journal::open(&place.run("run"), &place.installation) {
            Err(TrackError::Damaged { .. } | TrackError::Storage { .. }) => noticed += 1,
            Err(other) => panic!("{other}"),
            // Why it waits for its look-up, the wish for paper, or whether it was tried.
            Ok(journal) => {
                let waiting = journal.to_look_up(0, 9).unwrap().len() + journal.open_intents().unwrap().len();
                assert_eq!(waiting, 3, "bit {bit}");
                drop(journal);
            }
        }
    }
    assert!(noticed > 6 * 2, "{noticed}");
    conn.execute("UPDATE place SET places = ?1", [&places]).unwrap();
    assert_eq!(ordinals(&place.open("run").to_look_up(0, 9).unwrap()), [1, 5]);
}

#[test]
fn a_person_is_found_by_every_identity_of_the_record() {
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER; 6]);
    drop(journal);
    let reader = JournalReader::open(&place.run("run")).unwrap();
    let by = |person| {
        let found = reader.find(&PersonDigest(person), &place.installation).unwrap();
        found.iter().map(|of| of.seen.ordinal).collect::<Vec<_>>()
    };
    assert_eq!(by(digest(2, 2)), [4, 5]);
    assert_eq!(by(digest(9, 5)), [5]);
    assert!(by(digest(9, 4)).is_empty());
}

#[test]
fn a_settled_statement_that_was_not_delivered_goes_anew() {
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER]);
    wait(async {
        journal.route(vec![mailbox(1, 0)]).await.unwrap();
        journal.intend(intent(1, 1, 0)).await.unwrap();
        journal.end_digital(end(1, 1, End::InDoubt(Reason::ConnectionLost))).await.unwrap();
        assert_eq!(journal.finish().unwrap(), Phase::Finished);
        assert!(matches!(journal.route(vec![mailbox(1, 0)]).await, Err(TrackError::Phase { .. })));
        journal.settle(vec![1], Settlement::NotDelivered, String::new()).await.unwrap();
        assert_eq!(journal.phase(), Phase::Released);
        assert!(journal.settle(vec![1], Settlement::Delivered, String::new()).await.is_err(), "settled once");
        journal.route(vec![mailbox(1, 0)]).await.unwrap();
        // The letter may differ now: the operator said that it has none.
        journal.intend(Intent { request_digest: [7; 32], ..intent(1, 2, 0) }).await.unwrap();
        journal.end_digital(end(1, 2, delivered(1))).await.unwrap();
        assert_eq!(journal.finish().unwrap(), Phase::Finished);
    });
    assert_eq!(journal.counts().unwrap().of(Outcome::Delivered), 1);
}

#[test]
fn what_a_kill_leaves_open_is_told_and_may_be_sent_again() {
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER, ELSE_PAPER, ELSE_PAPER]);
    wait(async {
        journal.route((1..=3).map(|ordinal| mailbox(ordinal, 0)).collect()).await.unwrap();
        for ordinal in [1, 2] {
            journal.intend(intent(ordinal, 1, 0)).await.unwrap();
        }
    });
    drop(journal);
    let journal = place.open("run");
    let open = journal.open_intents().unwrap();
    assert_eq!(open.iter().map(|open| open.intent.clone()).collect::<Vec<_>>(), [intent(1, 1, 0), intent(2, 1, 0)]);
    assert_eq!(open[0].work, journal_work(&open[0].work));
    wait(async {
        assert!(journal.attempt_over(over(1, 1)).await.is_err(), "nobody knows that it was not accepted");
        journal.end_digital(end(1, 1, End::InDoubt(Reason::Interrupted))).await.unwrap();
        let other = Intent { request_digest: [9; 32], ..intent(2, 2, 0) };
        assert!(matches!(journal.intend(other).await, Err(TrackError::BytesDiffer { .. })));
        journal.intend(intent(2, 2, 0)).await.unwrap();
        assert!(journal.intend(intent(2, 3, 0)).await.is_err(), "now it is under way");
        journal.end_digital(end(2, 2, delivered(2))).await.unwrap();
    });
    assert!(journal.open_intents().unwrap().is_empty());
    let counts = journal.counts().unwrap();
    assert_eq!((counts.of(Outcome::InDoubt), counts.of(Outcome::Delivered), counts.of(Outcome::Pending)), (1, 1, 1));
}

fn journal_work(work: &Work) -> Work {
    let of = row(work.span.ordinal, ELSE_PAPER);
    Work {
        span: of.span,
        export: 0,
        record: of.record,
        form: of.form.unwrap(),
        uppgiftslamnare: of.uppgiftslamnare.unwrap(),
        key: of.key.unwrap(),
        content: of.content.unwrap(),
        correction: of.correction,
        protected: false,
    }
}

#[test]
fn a_run_has_one_writer_and_its_files_are_private() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let journal = place.released("run", &[ELSE_PAPER]);
    assert!(matches!(Journal::open(&place.run("run"), &place.installation), Err(TrackError::Locked { .. })));
    assert!(matches!(
        Journal::create(&place.run("run"), &place.installation, &header("run")),
        Err(TrackError::Locked { .. })
    ));
    assert_eq!(std::fs::metadata(place.run("run")).unwrap().mode() & 0o777, 0o700);
    for file in std::fs::read_dir(place.run("run")).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", file.path());
    }
    drop(journal);
    assert!(matches!(
        Journal::create(&place.run("run"), &place.installation, &header("run")),
        Err(TrackError::Exists { .. })
    ));
    let names: Vec<_> = std::fs::read_dir(place.run("run")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "closed tidily, journal, mark and lock: {names:?}");
}

#[test]
fn another_format_another_key_and_rubbish_are_refused() {
    let place = Place::new();
    drop(place.released("run", &[ELSE_PAPER]));
    let other = Place::new();
    assert!(matches!(Journal::open(&place.run("run"), &other.installation), Err(TrackError::KeyOther { .. })));
    let file = place.run("run").join(schema::FILE);
    for format in [1, 2, 3, 5] {
        Connection::open(&file).unwrap().execute_batch(&format!("PRAGMA user_version = {format}")).unwrap();
        assert!(matches!(Journal::open(&place.run("run"), &place.installation), Err(TrackError::Format { .. })));
        assert!(matches!(JournalReader::open(&place.run("run")), Err(TrackError::Format { .. })));
    }
    std::fs::write(&file, "this is no database, though it is quite long enough to be looked at").unwrap();
    assert!(Journal::open(&place.run("run"), &place.installation).is_err());
    assert!(matches!(Journal::open(&place.run("nothing"), &place.installation), Err(TrackError::NoRun { .. })));
}

/// What is missing or unreadable of a statement is told by whoever needs it, and not passed over.
#[test]
fn a_statement_that_cannot_be_read_is_told() {
    let changes = [
        "DELETE FROM statement",
        "UPDATE statement SET entries = zeroblob(4009)",
        "UPDATE statement SET entries = substr(entries, 2)",
        "UPDATE statement SET block = 95443717",
        // Another outcome, and a digest of another person.
        "UPDATE statement SET entries = CAST(substr(entries, 1, 87) || x'01' || substr(entries, 89) AS BLOB)",
        "UPDATE statement SET entries = CAST(substr(entries, 1, 37) || x'99' || substr(entries, 39) AS BLOB)",
    ];
    for change in changes {
        let place = Place::new();
        drop(place.released("run", &[ELSE_PAPER, PAPER].repeat(25)));
        let make = |change: &str| {
            let conn = Connection::open(place.run("run").join(schema::FILE)).unwrap();
            assert_eq!(conn.execute(change, []).unwrap(), 1, "{change}");
        };
        make(&format!("{change} WHERE block = 0"));
        let reader = JournalReader::open(&place.run("run")).unwrap();
        assert!(reader.find(&PersonDigest(digest(2, 0)), &place.installation).is_err(), "{change}");
        assert!(reader.statements_seen(&mut |_| ()).is_err(), "{change}");
        assert!(reader.statements_by_key(&mut |_| ()).is_err(), "{change}");
        drop(reader);
        match Journal::open(&place.run("run"), &place.installation) {
            Ok(journal) => {
                let error = journal.to_look_up(0, 9).unwrap_err();
                assert!(matches!(error, TrackError::Storage { .. }), "{change}");
                let told = crate::error::Error::from(error).to_string();
                assert!(!told.contains("then resume") && told.contains("keep it as it is"), "{told}");
                assert!(journal.paper_waiting(0, 9).is_err(), "{change}");
            }
            // Memory is taken by the last ordinal.
            Err(error) => {
                assert!(change.contains("95443717") && matches!(error, TrackError::Damaged { .. }), "{error}");
            }
        }
        // And where it is the last.
        if !change.contains("95443717") {
            make(&format!("{change} WHERE block = 1"));
            let opened = Journal::open(&place.run("run"), &place.installation);
            assert!(matches!(opened, Err(TrackError::Damaged { .. })), "{change}");
        }
    }
}

#[test]
fn a_statement_is_admitted_once() {
    let place = Place::new();
    let journal = place.create("run");
    journal.admit((1..=60).map(|ordinal| row(ordinal, ELSE_PAPER)).collect()).unwrap();
    journal.sync().unwrap();
    journal.admit((61..=70).map(|ordinal| row(ordinal, ELSE_PAPER)).collect()).unwrap();
    journal.sync().unwrap();
    journal.admit(vec![row(50, ELSE_PAPER)]).unwrap();
    assert!(matches!(journal.sync(), Err(TrackError::Storage { .. })));
}

#[test]
fn release_wants_every_ordinal() {
    let place = Place::new();
    let journal = place.create("run");
    journal.admit(vec![row(1, ELSE_PAPER), row(3, ELSE_PAPER)]).unwrap();
    assert!(matches!(journal.release(vec![export(2)]), Err(TrackError::Unbalanced { exports: 2, journal: 2 })));
    journal.restart_intake().unwrap();
    journal.admit(vec![row(2, ELSE_PAPER)]).unwrap();
    journal.admit(vec![row(1, ELSE_PAPER)]).unwrap();
    assert!(matches!(journal.release(vec![export(3)]), Err(TrackError::Unbalanced { exports: 3, journal: 2 })));
    journal.amend(vec![Amend { ordinal: 2, outcome: Outcome::Replaced, reason: Reason::Corrected }]).unwrap();
    journal.release(vec![export(2)]).unwrap();
    assert_eq!(ordinals(&journal.to_look_up(0, 9).unwrap()), [1]);
    assert_eq!(journal.counts().unwrap().of(Outcome::Replaced), 1);
    assert!(matches!(journal.restart_intake(), Err(TrackError::Phase { .. })));
}

#[test]
fn a_killed_intake_starts_again() {
    let place = Place::new();
    let journal = place.create("run");
    journal.admit((1..=10).map(|ordinal| row(ordinal, ELSE_PAPER)).collect()).unwrap();
    drop(journal);
    let journal = place.open("run");
    assert_eq!((journal.phase(), journal.counts().unwrap().statements()), (Phase::Intake, 10));
    journal.restart_intake().unwrap();
    journal.admit(vec![row(1, PAPER)]).unwrap();
    journal.release(vec![export(1)]).unwrap();
    assert_eq!(journal.counts().unwrap().statements(), 1);
}

#[test]
fn operators_keep_their_numbers() {
    let place = Place::new();
    let journal = place.create("run");
    let known = journal.header().operators.clone();
    let new = RunOperator { id: "165560000000".into(), name: "Ny".into(), rate_per_s: None };
    let faster = RunOperator { rate_per_s: Some(50.0), ..known[1].clone() };
    let all = journal.know_operators(&[new.clone(), faster.clone()]).unwrap();
    assert_eq!(all, [known[0].clone(), faster, new]);
    drop(journal);
    assert_eq!(place.open("run").header().operators, all);
}

/// Who has handed its outcome over gives its place up at once: no commit then shows more intents without an outcome
/// than there are places, on however many threads. What is handed over is written also where nobody waits for it.
#[test]
fn open_intents_never_exceed_the_places_that_outcomes_on_their_way_give_up() {
    let place = Place::new();
    let (statements, bound) = (200, 3);
    let journal = place.released("run", &vec![ELSE_PAPER; statements]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        journal.route((1..=statements as u64).map(|ordinal| mailbox(ordinal, 0)).collect()).await.unwrap();
        let places = Arc::new(Semaphore::new(bound));
        let mut sends = tokio::task::JoinSet::new();
        for ordinal in 1..=statements as u64 {
            let (journal, places) = (journal.clone(), places.clone());
            sends.spawn(async move {
                let held = places.acquire_owned().await.unwrap();
                journal.intend(intent(ordinal, 1, 0)).await.unwrap();
                let open = journal.open_intents().unwrap().len();
                let outcome = journal.hand_over(end(ordinal, 1, delivered(ordinal))).await.unwrap();
                drop(held);
                if ordinal % 2 == 0 {
                    outcome.durable().await.unwrap();
                }
                open
            });
        }
        let open = sends.join_all().await;
        assert!(open.iter().all(|open| *open <= bound), "{open:?}");
        assert!(open.iter().any(|open| *open > 1), "several were under way at once");
    });
    drop(journal);
    assert_eq!(place.open("run").counts().unwrap().of(Outcome::Delivered), statements as u64);
}

#[test]
fn a_storage_error_is_final_and_claims_nothing() {
    let place = Place::new();
    let statements = 4000;
    let journal = place.released("run", &vec![ELSE_PAPER; statements]);
    wait(async {
        journal.route(vec![mailbox(1, 0)]).await.unwrap();
        journal.intend(intent(1, 1, 0)).await.unwrap();
        journal.ask(Bulk::Full).unwrap();
        // A route for each, which no longer finds room.
        let found = |ordinal| Found::Mailbox { operator: 0, address: format!("https://operator0.example/{ordinal}") };
        let row = |ordinal| RouteRow { ordinal, looked_up: now(), found: found(ordinal) };
        let rows = (2..=statements as u64).map(row).collect();
        let more = journal.end_digital(end(1, 1, delivered(1)));
        let (full, more) = tokio::join!(journal.route(rows), more);
        assert!(matches!(full, Err(TrackError::Storage { .. })), "{full:?}");
        assert!(matches!(more, Err(TrackError::Storage { .. })), "its group was never committed");
        assert!(journal.failure().is_some());
        assert!(matches!(journal.intend(intent(1, 2, 0)).await, Err(TrackError::Storage { .. })), "and ever after");
        assert!(matches!(journal.note("end", ""), Err(TrackError::Storage { .. })));
        assert!(matches!(journal.finish(), Err(TrackError::Storage { .. })));
    });
    drop(journal);
    let journal = place.open("run");
    assert_eq!(journal.open_intents().unwrap().len(), 1, "what was acknowledged is there");
    assert_eq!(journal.counts().unwrap().of(Outcome::Delivered), 0);
}

/// The states that a run goes through, one acknowledged change after the other: how long the WAL was, and how many
/// statements had been delivered.
fn acknowledged(journal: &Journal, wal: &Path, statements: u64) -> Vec<(u64, u64)> {
    let length = || std::fs::metadata(wal).unwrap().len();
    wait(async {
        let mut states = vec![(length(), 0)];
        for ordinal in 1..=statements {
            journal.route(vec![mailbox(ordinal, 0)]).await.unwrap();
            journal.intend(intent(ordinal, 1, 0)).await.unwrap();
            states.push((length(), ordinal - 1));
            journal.end_digital(end(ordinal, 1, delivered(ordinal))).await.unwrap();
            states.push((length(), ordinal));
        }
        states
    })
}

/// A copy of a run as a machine would find it that lost power: the database, and as much of the WAL as had reached
/// the disk.
fn copy_cut(from: &Path, to: &Path, wal: &[u8]) {
    std::fs::create_dir(to).unwrap();
    std::fs::copy(from.join(schema::FILE), to.join(schema::FILE)).unwrap();
    std::fs::write(to.join("journal.sqlite-wal"), wal).unwrap();
}

#[test]
fn a_journal_cut_anywhere_recovers_to_what_was_acknowledged_before() {
    let place = Place::new();
    let statements = 12;
    let journal = place.released("run", &vec![ELSE_PAPER; statements as usize]);
    let run = place.run("run");
    let wal = run.join("journal.sqlite-wal");
    let states = acknowledged(&journal, &wal, statements);
    let bytes = std::fs::read(&wal).unwrap();
    assert_eq!(bytes.len() as u64, states.last().unwrap().0);
    let mut random = fastrand::Rng::new();
    println!("seed {}", random.get_seed());
    let edges = states.iter().flat_map(|(length, _)| [length.saturating_sub(1), *length, length + 1]);
    let cuts: Vec<u64> = edges.chain((0..24).map(|_| random.u64(0..=bytes.len() as u64))).collect();
    for (number, cut) in cuts.into_iter().enumerate() {
        let cut = cut.min(bytes.len() as u64);
        let mut wal = bytes[..cut as usize].to_vec();
        // What lies beyond a torn write may be anything.
        if number % 2 == 1 {
            wal.extend((0..random.usize(0..9000)).map(|_| random.u8(..)));
        }
        let copy = place.run(&format!("cut-{number}"));
        copy_cut(&run, &copy, &wal);
        // Twice: recovery is idempotent.
        for _ in 0..2 {
            let recovered = Journal::open(&copy, &place.installation).unwrap();
            let delivered = recovered.counts().unwrap().of(Outcome::Delivered);
            let wanted = states.iter().rev().find(|(length, _)| *length <= cut).map_or(0, |(_, delivered)| *delivered);
            assert_eq!(delivered, wanted, "cut at {cut}");
            assert_eq!(recovered.counts().unwrap().statements(), statements);
        }
    }
}

#[test]
fn a_journal_with_a_flipped_bit_recovers_to_a_prefix_or_is_refused() {
    let place = Place::new();
    let statements = 8;
    let journal = place.released("run", &vec![ELSE_PAPER; statements as usize]);
    let run = place.run("run");
    let wal = run.join("journal.sqlite-wal");
    let states = acknowledged(&journal, &wal, statements);
    let bytes = std::fs::read(&wal).unwrap();
    let mut random = fastrand::Rng::new();
    println!("seed {}", random.get_seed());
    for number in 0..32 {
        let at = random.usize(..bytes.len());
        let mut wal = bytes.clone();
        wal[at] ^= 1 << random.u8(..8);
        let copy = place.run(&format!("flip-{number}"));
        copy_cut(&run, &copy, &wal);
        let recovered = Journal::open(&copy, &place.installation).unwrap();
        // Everything before the frame that was hit, and nothing after it.
        let wanted =
            states.iter().rev().find(|(length, _)| *length <= at as u64).map_or(0, |(_, delivered)| *delivered);
        assert_eq!(recovered.counts().unwrap().of(Outcome::Delivered), wanted, "flipped at {at}");
    }
}

/// Whatever became of the write-ahead log: a journal that lacks what was acknowledged is refused to whoever reads it or
/// would go on with it, also a second time, and nothing is written to it.
#[test]
fn a_journal_that_lost_what_was_acknowledged_is_refused() {
    let place = Place::new();
    let statements = 8;
    let journal = place.released("run", &vec![ELSE_PAPER; statements as usize]);
    let run = place.run("run");
    let wal = run.join("journal.sqlite-wal");
    acknowledged(&journal, &wal, statements);
    let bytes = std::fs::read(&wal).unwrap();
    let mut random = fastrand::Rng::new();
    println!("seed {}", random.get_seed());
    let flips = (0..24).map(|_| random.usize(..bytes.len())).map(|at| {
        let mut wal = bytes.clone();
        wal[at] ^= 1 << (at % 8);
        wal
    });
    let cuts = [0, 31, 32, bytes.len() / 2, bytes.len() - 1].map(|length| bytes[..length].to_vec());
    let copies = flips.chain(cuts).map(Some).chain([None]).enumerate();
    for (number, wal) in copies {
        let copy = place.run(&format!("lost-{number}"));
        copy_cut(&run, &copy, wal.as_deref().unwrap_or_default());
        if wal.is_none() {
            std::fs::remove_file(copy.join("journal.sqlite-wal")).unwrap();
        }
        std::fs::copy(run.join("journal.mark"), copy.join("journal.mark")).unwrap();
        for _ in 0..2 {
            let read = JournalReader::open(&copy).err();
            assert!(matches!(read, Some(TrackError::Damaged { .. })), "{number}: {read:?}");
            let opened = Journal::open(&copy, &place.installation).err();
            assert!(matches!(opened, Some(TrackError::Damaged { .. })), "{number}: {opened:?}");
            assert_eq!(
                std::fs::read(copy.join("journal.sqlite-wal")).unwrap_or_default(),
                wal.clone().unwrap_or_default()
            );
        }
    }
    // As it is, it is whole: the mark is never ahead.
    let copy = place.run("whole");
    copy_cut(&run, &copy, &bytes);
    std::fs::copy(run.join("journal.mark"), copy.join("journal.mark")).unwrap();
    let recovered = Journal::open(&copy, &place.installation).unwrap();
    assert_eq!(recovered.counts().unwrap().of(Outcome::Delivered), statements);
}

/// Requests under way in the child that is killed.
const UNDER_WAY: usize = 8;

/// Not a test of its own: the process that [`a_killed_process_keeps_what_it_acknowledged`] kills. Says on standard output
/// what was acknowledged, after it was.
#[test]
#[ignore = "it is the process that another test kills"]
fn child_that_is_killed() {
    use futures::StreamExt;
    use std::io::Write;
    let Ok(folder) = std::env::var("UTSKICK_TEST_CHILD") else { return };
    let folder = PathBuf::from(folder);
    let settings = config::Installation { state: folder.join("state"), key_file: folder.join("installation.key") };
    let installation = Installation::open(&settings).unwrap();
    let journal = Journal::open(&folder.join("run"), &installation).unwrap();
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).unwrap();
    };
    // The harness has begun a line of its own.
    say("\n".into());
    wait(async {
        for open in journal.open_intents().unwrap() {
            let (ordinal, attempt) = (open.intent.ordinal, open.intent.attempt);
            journal.end_digital(end(ordinal, attempt, End::InDoubt(Reason::Interrupted))).await.unwrap();
            say(format!("doubt {ordinal}\n"));
        }
        let work = journal.to_look_up(0, usize::MAX >> 1).unwrap();
        if !work.is_empty() {
            let rows = work.iter().map(|work| mailbox(work.span.ordinal, (work.span.ordinal % 2) as u16));
            journal.route(rows.collect()).await.unwrap();
        }
        say("ready\n".into());
        let routed = [0, 1].map(|operator| journal.routed(operator, 0, usize::MAX >> 1).unwrap()).concat();
        futures::stream::iter(routed)
            .map(|routed| {
                let (journal, say) = (&journal, &say);
                async move {
                    let ordinal = routed.work.span.ordinal;
                    journal.intend(intent(ordinal, routed.attempts + 1, (ordinal % 2) as u16)).await.unwrap();
                    say(format!("intent {ordinal}\n"));
                    journal.end_digital(end(ordinal, routed.attempts + 1, delivered(ordinal))).await.unwrap();
                    say(format!("delivered {ordinal}\n"));
                }
            })
            .buffer_unordered(UNDER_WAY)
            .collect::<()>()
            .await;
    });
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged() {
    use std::collections::BTreeSet;
    use std::io::BufRead;
    let place = Place::new();
    let statements = 400;
    drop(place.released("run", &vec![ELSE_PAPER; statements]));
    let mut random = fastrand::Rng::new();
    println!("seed {}", random.get_seed());
    let (mut intended, mut done, mut doubted) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let kills = 5;
    for round in 0..=kills {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "track::journal::tests::child_that_is_killed", "--ignored", "--nocapture"])
            .env("UTSKICK_TEST_CHILD", place.folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut left = if round == kills { usize::MAX } else { random.usize(1..120) };
        for line in lines {
            let line = line.unwrap();
            let mut words = line.split(' ');
            let (word, ordinal) = (words.next(), words.next().and_then(|ordinal| ordinal.parse::<u64>().ok()));
            match (word, ordinal) {
                (Some("intent"), Some(ordinal)) => assert!(intended.insert(ordinal), "{ordinal} was sent twice"),
                (Some("delivered"), Some(ordinal)) => assert!(done.insert(ordinal)),
                (Some("doubt"), Some(ordinal)) => assert!(doubted.insert(ordinal)),
                _ => continue,
            }
            left -= 1;
            if left == 0 {
                // Goes on reading: what was said before the kill was acknowledged before it.
                child.kill().unwrap();
                left = usize::MAX;
            }
        }
        child.wait().unwrap();
        let journal = place.open("run");
        let open: BTreeSet<u64> = journal.open_intents().unwrap().iter().map(|open| open.intent.ordinal).collect();
        assert!(open.len() <= UNDER_WAY, "{} are in doubt after one kill", open.len());
        let reader = JournalReader::open(&place.run("run")).unwrap();
        let mut delivered = BTreeSet::new();
        reader
            .statements_seen(&mut |seen| {
                if seen.outcome == Outcome::Delivered {
                    delivered.insert(seen.ordinal);
                }
            })
            .unwrap();
        assert!(done.is_subset(&delivered), "an acknowledged outcome is lost");
        for ordinal in intended.difference(&done) {
            let known = open.contains(ordinal) || delivered.contains(ordinal) || doubted.contains(ordinal);
            assert!(known, "the acknowledged intent of {ordinal} is lost");
        }
        // Ends whose acknowledgement was not heard count all the same.
        done.extend(&delivered);
    }
    let journal = place.open("run");
    let counts = journal.counts().unwrap();
    assert_eq!(counts.of(Outcome::Pending), 0);
    assert_eq!(counts.of(Outcome::Delivered) + counts.of(Outcome::InDoubt), statements as u64);
    assert!(counts.of(Outcome::InDoubt) <= kills as u64 * UNDER_WAY as u64);
}

#[test]
fn nothing_personal_stands_in_the_files() {
    let place = Place::new();
    let canary = "195111232079";
    let journal = place.create("run");
    let private = Organisation::parse(canary).unwrap();
    let mut of_private = row(1, ELSE_PAPER);
    of_private.uppgiftslamnare = Some(private);
    of_private.person = Some(place.installation.person_digest(canary));
    journal.admit(vec![of_private]).unwrap();
    let fingerprint = serde_json::json!({"path": format!("lön-{canary}.xml")});
    journal.release(vec![RunExport { fingerprint: fingerprint.clone(), first_ordinal: 1, statements: 1 }]).unwrap();
    journal.note("fault", &format!("nothing for {canary} or 511123-2079 here")).unwrap();
    wait(async {
        journal.route(vec![mailbox(1, 0)]).await.unwrap();
        let secrets = format!("key of {canary}").into_bytes();
        journal.intend(Intent { content_secrets: Some(secrets), ..intent(1, 1, 0) }).await.unwrap();
        journal.attempt_over(AttemptOver { cause: format!("no {canary}"), ..over(1, 1) }).await.unwrap();
        journal.intend(intent(1, 2, 0)).await.unwrap();
        let detail = Some(format!("unknown recipient 19511123-2079 and {canary}"));
        let fault = DigitalEnd { detail, ..end(1, 2, End::Failed(Reason::RefusedForGood)) };
        journal.end_digital(fault).await.unwrap();
    });
    assert_eq!(journal.to_look_up(0, 9).unwrap().len(), 0);
    let mut folders = vec![place.folder.path().to_path_buf()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            seen += bytes.len();
            for form in [canary, "19511123-2079", "5111232079", "511123-2079", "MTk1MTExMjMyMDc5"] {
                let found = memchr::memmem::find(&bytes, form.as_bytes());
                assert!(found.is_none(), "{form} in {}", path.display());
            }
        }
    }
    assert!(seen > 10_000, "the files were read");
    drop(journal);
    let journal = place.open("run");
    assert_eq!(journal.header().exports[0].fingerprint, fingerprint, "and it opens for us");
    let reader = JournalReader::open(&place.run("run")).unwrap();
    assert_eq!(reader.employers().unwrap(), ["************ (1)"]);
    let found = reader.find(&place.installation.person_digest(canary), &place.installation).unwrap();
    assert_eq!(found[0].attempts[0].detail.as_deref(), Some("no 195111232079"));
}

/// What a statement can be told to do, in the words of the model below.
#[derive(Clone, Copy, Debug)]
enum Move {
    Route(u16),
    Unreachable,
    Intend,
    Over,
    Again,
    Deliver,
    Fail,
    Doubt,
    Hold,
    Bundle,
    NoAddress,
    Restart,
    Settle(Settlement),
}

fn moves() -> impl Strategy<Value = Vec<(u64, Move)>> {
    use Move::*;
    let one = prop_oneof![
        4 => (0_u16..2).prop_map(Route), 2 => Just(Unreachable), 6 => Just(Intend), 1 => Just(Over), 1 => Just(Again),
        3 => Just(Deliver), 1 => Just(Fail), 2 => Just(Doubt), 1 => Just(Hold), 3 => Just(Bundle), 1 => Just(NoAddress),
        1 => Just(Restart),
        2 => prop_oneof![Just(Settlement::Delivered), Just(Settlement::NotDelivered)].prop_map(Settle)
    ];
    proptest::collection::vec((1_u64..=8, one), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order, refused moves included: counts, queues and checkpoint are those of a plain
    /// model of two halves a statement.
    #[test]
    fn journal_agrees_with_the_plain_model(moves in moves()) {
        let fates = [ELSE_PAPER, AND_PAPER, PAPER, MINOR, ELSE_PAPER, AND_PAPER, ELSE_PAPER,
            Fate::Ended(Outcome::Rejected, Reason::Faulty)];
        let place = Place::new();
        let mut journal = place.released("run", &fates);
        // (digital, paper, where the digital half waits, attempts, under way), and whether the digital half has ended
        let mut has_ended = [false; 8];
        let mut model: Vec<(Digital, OnPaper, Option<u16>, u32, bool)> = fates.iter().map(|fate| match *fate {
            ELSE_PAPER => (Digital::Waiting, OnPaper::Fallback, None, 0, false),
            AND_PAPER => (Digital::Waiting, OnPaper::Waiting, None, 0, false),
            PAPER => (Digital::Off, OnPaper::Waiting, None, 0, false),
            _ => (Digital::Unreachable(Reason::Minor), OnPaper::Fallback, None, 0, false),
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (ordinal, step) in moves {
            let rejected = ordinal == 8;
            let (digital, paper, at, attempts, flying) = &mut model[ordinal as usize - 1];
            let waits = *digital == Digital::Waiting && !*flying && !rejected;
            let both = fates[ordinal as usize - 1] == AND_PAPER;
            let on_paper = !rejected && ((*paper == OnPaper::Waiting && (!both || has_ended[ordinal as usize - 1]))
                || (*paper == OnPaper::Fallback && matches!(digital, Digital::Unreachable(_))));
            let (allowed, result) = match step {
                Move::Restart => {
                    drop(journal);
                    journal = place.open("run");
                    for open in journal.open_intents().unwrap() {
                        let ordinal = open.intent.ordinal;
                        let doubt = end(ordinal, open.intent.attempt, End::InDoubt(Reason::Interrupted));
                        runtime.block_on(journal.end_digital(doubt)).unwrap();
                        let of = &mut model[ordinal as usize - 1];
                        prop_assert!(of.4, "only what was under way is open");
                        (of.0, of.4) = (Digital::InDoubt(Reason::Interrupted), false);
                    }
                    continue;
                }
                Move::Route(operator) => {
                    if waits { *at = Some(operator) }
                    (waits, runtime.block_on(journal.route(vec![mailbox(ordinal, operator)])))
                }
                Move::Unreachable => {
                    if waits {
                        *digital = Digital::Unreachable(Reason::NoMailbox);
                        has_ended[ordinal as usize - 1] = true;
                    }
                    (waits, runtime.block_on(journal.route(vec![unreachable(ordinal, Reason::NoMailbox)])))
                }
                Move::Intend => {
                    let doubt = matches!(digital, Digital::InDoubt(_)) && !rejected;
                    let allowed = (waits && at.is_some()) || doubt;
                    let result = runtime.block_on(journal.intend(intent(ordinal, *attempts + 1, at.unwrap_or(0))));
                    if allowed { (*digital, *flying, *attempts) = (Digital::Waiting, true, *attempts + 1) }
                    (allowed, result)
                }
                Move::Over => {
                    let result = runtime.block_on(journal.attempt_over(over(ordinal, *attempts)));
                    (std::mem::take(flying), result)
                }
                Move::Again => {
                    let result = runtime.block_on(journal.look_up_again(over(ordinal, *attempts)));
                    if *flying { *at = None }
                    (std::mem::take(flying), result)
                }
                Move::Deliver | Move::Fail | Move::Doubt | Move::Hold => {
                    let (kind, state) = match step {
                        Move::Deliver => (delivered(ordinal), Digital::Delivered),
                        Move::Fail => (End::Failed(Reason::RefusedForGood), Digital::Failed(Reason::RefusedForGood)),
                        Move::Doubt => (End::InDoubt(Reason::TimedOut), Digital::InDoubt(Reason::TimedOut)),
                        _ => (End::Held(Reason::Protected), Digital::Held(Reason::Protected)),
                    };
                    let allowed = *flying || (waits && matches!(step, Move::Fail | Move::Hold));
                    if allowed {
                        (*digital, *flying) = (state, false);
                        // Paper does not follow what is in doubt: a person settles that first.
                        has_ended[ordinal as usize - 1] |= !matches!(step, Move::Doubt);
                        if let (Digital::Held(reason), OnPaper::Waiting) = (state, *paper) {
                            *paper = OnPaper::Held(reason);
                        }
                    }
                    (allowed, runtime.block_on(journal.end_digital(end(ordinal, *attempts, kind))))
                }
                Move::Settle(settlement) => {
                    let doubt = matches!(digital, Digital::InDoubt(_)) && !rejected;
                    let result = runtime.block_on(journal.settle(vec![ordinal], settlement, String::new()));
                    if doubt && settlement == Settlement::Delivered {
                        *digital = Digital::Delivered;
                        has_ended[ordinal as usize - 1] = true;
                    } else if doubt {
                        (*digital, *at) = (Digital::Waiting, None);
                    }
                    (doubt, result)
                }
                Move::Bundle | Move::NoAddress => {
                    let (kind, state) = if matches!(step, Move::Bundle) {
                        (PaperFate::Bundled { bundle: 1 }, OnPaper::Bundled)
                    } else {
                        (PaperFate::Held(Reason::NoAddress), OnPaper::Held(Reason::NoAddress))
                    };
                    if on_paper { *paper = state }
                    (on_paper, runtime.block_on(journal.end_paper(vec![PaperEnd { ordinal, end: kind }], None)))
                }
            };
            prop_assert_eq!(result.is_ok(), allowed, "{} {:?}: {:?}", ordinal, step, result);
        }
        let mut wanted = BTreeMap::new();
        let mut pending = Vec::new();
        for (at, of) in model.iter().enumerate() {
            let end = if at == 7 { (Outcome::Rejected, Reason::Faulty) } else { outcome(of.0, of.1) };
            *wanted.entry(end).or_default() += 1;
            if end.0 == Outcome::Pending { pending.push(at as u64 + 1) }
        }
        prop_assert_eq!(counted(&journal), wanted.clone());
        // The rows themselves say the same, queues included, which is what a report counts.
        let report = crate::track::Report::read(&place.run("run")).unwrap();
        prop_assert!(report.balanced);
        let ended = |by: &BTreeMap<(Outcome, Reason), u64>| {
            by.iter().filter(|of| of.0.0 != Outcome::Pending).map(|(of, count)| (*of, *count)).collect::<Vec<_>>()
        };
        prop_assert_eq!(ended(&report.counts().by), ended(&wanted));
        prop_assert_eq!(report.outcomes["pending"], pending.len() as u64);
        let through = pending.first().map_or(8, |first| first - 1);
        prop_assert_eq!(journal.checkpoint().unwrap(), super::super::Checkpoint {
            statements: 8, through, beyond: 8 - pending.len() as u64 - through
        });
        let paper: Vec<u64> = (1..=7).filter(|at| {
            let of = &model[*at as usize - 1];
            let both = fates[*at as usize - 1] == AND_PAPER;
            (of.1 == OnPaper::Waiting && (!both || has_ended[*at as usize - 1])) || (of.1 == OnPaper::Fallback && matches!(of.0, Digital::Unreachable(_)))
        }).collect();
        prop_assert_eq!(ordinals(&journal.paper_waiting(0, 99).unwrap()), paper);
        prop_assert_eq!(journal.finish().unwrap() == Phase::Finished, pending.is_empty());
    }
}
