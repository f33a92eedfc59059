//! The power goes, at any write, in the middle of any sync, again while the run is opened after it: what was acknowledged
//! is there, and nothing else. And a disk that fails: nothing is acknowledged that is not there.
//!
//! A run is driven through journal, register and bundles on a disk that loses, tears and reorders what was not synced
//! (`failing_disk.rs`). Beside it stands what each acknowledged call has promised. `UTSKICK_ROUNDS` gives how many runs.

use crate::failing_disk::{FailingDisk, Plan};
use crate::logs;
use crate::nights::{seed, setting};
use crate::vectors;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use utskick::config;
use utskick::domain::{
    ContentDigest, Form, MessageId, Organisation, PersonDigest, Reason, RecordDigest, Span, StatementKey,
};
use utskick::prepare::bundle::{PaperLetter, write_bundle};
use utskick::prepare::encrypt::CmsRecipient;
use utskick::prepare::keys::Certificate;
use utskick::track::halves::{Digital, OnPaper};
use utskick::track::{
    AttemptOver, BundleRow, DigitalEnd, End, Fate, Found, Half, Installation, Intent, Journal, JournalReader, PaperEnd,
    PaperFate, Phase, Register, RouteRow, RunExport, RunHeader, RunOperator, TrackError, Verdict,
};

const STATEMENTS: u64 = 9;
/// A change of a life that comes to the end of the run is among the first so many.
const CHANGES: u64 = 260;

/// Where a statement is: what the journal must know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    digital: At,
    paper: Paper,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Off,
    LookUp,
    Routed { operator: u16 },
    Flying { operator: u16, attempt: u32 },
    InDoubt { operator: u16, attempt: u32 },
    Unreachable,
    Delivered,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paper {
    /// Not wanted, or not yet.
    No,
    Waiting,
    Bundled(u32),
}

/// How a statement is to go: the third of them with its paper half at once.
fn fate(ordinal: u64) -> Fate {
    match ordinal % 3 {
        0 => Fate::Send { digital: Half::Waiting, paper: Half::Waiting },
        1 => Fate::Send { digital: Half::Waiting, paper: Half::Fallback },
        _ if ordinal == 5 => Fate::Send { digital: Half::Off, paper: Half::Waiting },
        _ => Fate::Send { digital: Half::Waiting, paper: Half::Off },
    }
}

fn released(ordinal: u64) -> Place {
    match fate(ordinal) {
        Fate::Send { digital: Half::Off, .. } => Place { digital: At::Off, paper: Paper::Waiting },
        _ => Place { digital: At::LookUp, paper: Paper::No },
    }
}

/// Where the paper half is once the digital one has ended like this.
fn paper_after(ordinal: u64, digital: At, paper: Paper) -> Paper {
    match (fate(ordinal), digital, paper) {
        (Fate::Send { paper: Half::Waiting, .. }, _, Paper::No) => Paper::Waiting,
        (Fate::Send { paper: Half::Fallback, .. }, At::Unreachable, Paper::No) => Paper::Waiting,
        _ => paper,
    }
}

/// A call that changes one statement.
#[derive(Clone, Debug)]
enum Step {
    Route { operator: u16 },
    NoMailbox,
    Intend { operator: u16, attempt: u32 },
    Over { attempt: u32 },
    LookUpAgain { attempt: u32 },
    Deliver { attempt: u32 },
    Fail { attempt: u32 },
    Doubt { attempt: u32 },
}

impl Step {
    /// What may happen next to a statement.
    fn draw(at: At, used: u32, left: bool, random: &mut fastrand::Rng) -> Option<Self> {
        Some(match at {
            // Nobody waits for the answer any more.
            At::Flying { operator, .. } if left && random.bool() => Self::Intend { operator, attempt: used + 1 },
            At::Flying { attempt, .. } if left => Self::Doubt { attempt },
            At::LookUp if random.u8(0..4) == 0 => Self::NoMailbox,
            At::LookUp => Self::Route { operator: random.u16(0..2) },
            At::Routed { operator } => Self::Intend { operator, attempt: used + 1 },
            At::Flying { attempt, .. } => match random.u8(0..8) {
                0 => Self::Over { attempt },
                1 => Self::LookUpAgain { attempt },
                2 => Self::Fail { attempt },
                3 => Self::Doubt { attempt },
                _ => Self::Deliver { attempt },
            },
            At::InDoubt { operator, .. } if used < 4 => Self::Intend { operator, attempt: used + 1 },
            _ => return None,
        })
    }

    fn after(&self, ordinal: u64, from: Place) -> Place {
        let operator = match from.digital {
            At::Routed { operator } | At::Flying { operator, .. } | At::InDoubt { operator, .. } => operator,
            _ => 0,
        };
        let digital = match *self {
            Self::Route { operator } => At::Routed { operator },
            Self::NoMailbox => At::Unreachable,
            Self::Intend { attempt, .. } => At::Flying { operator, attempt },
            Self::Over { .. } => At::Routed { operator },
            Self::LookUpAgain { .. } => At::LookUp,
            Self::Deliver { .. } => At::Delivered,
            Self::Fail { .. } => At::Failed,
            Self::Doubt { attempt } => At::InDoubt { operator, attempt },
        };
        let waits = matches!(digital, At::LookUp | At::Routed { .. } | At::Flying { .. });
        let ended = !waits && !matches!(digital, At::InDoubt { .. });
        let paper = if ended { paper_after(ordinal, digital, from.paper) } else { from.paper };
        Place { digital, paper }
    }

    async fn run(&self, journal: &Journal, ordinal: u64) -> Result<(), TrackError> {
        let at = jiff::Timestamp::now();
        let address = "https://operator.example/".to_owned();
        let end =
            |attempt, end| DigitalEnd { ordinal, attempt, at, end, fault_code: None, call_id: None, detail: None };
        let over = |attempt| AttemptOver {
            ordinal,
            attempt,
            cause: "503".into(),
            fault_code: None,
            call_id: None,
            not_before: None,
        };
        let route = |found| vec![RouteRow { ordinal, looked_up: at, found }];
        match *self {
            Self::Route { operator } => journal.route(route(Found::Mailbox { operator, address })).await,
            Self::NoMailbox => journal.route(route(Found::Unreachable(Reason::NoMailbox))).await,
            Self::Intend { operator, attempt } => journal.intend(intent(ordinal, operator, attempt)).await,
            Self::Over { attempt } => journal.attempt_over(over(attempt)).await,
            Self::LookUpAgain { attempt } => journal.look_up_again(over(attempt)).await,
            Self::Deliver { attempt } => {
                journal.end_digital(end(attempt, End::Delivered { trans_id: format!("T-{ordinal}") })).await
            }
            Self::Fail { attempt } => journal.end_digital(end(attempt, End::Failed(Reason::RefusedForGood))).await,
            Self::Doubt { attempt } => journal.end_digital(end(attempt, End::InDoubt(Reason::TimedOut))).await,
        }
    }
}

fn digest(kind: u8, ordinal: u64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[..8].copy_from_slice(&ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes
}

fn intent(ordinal: u64, operator: u16, attempt: u32) -> Intent {
    Intent {
        ordinal,
        attempt,
        operator,
        address: "https://operator.example/".into(),
        at: jiff::Timestamp::now(),
        seal_date: "2027-01-12".into(),
        sender_cert: [1; 32],
        mediator_cert: [2; 32],
        renderer: 1,
        content_secrets: Some(b"content key, iv and wrapped key".to_vec()),
        request_digest: [ordinal as u8; 32],
        message_id: MessageId(digest(5, ordinal)),
    }
}

/// A run on a disk that fails, and what it has been promised.
struct Voyage {
    disk: Arc<FailingDisk>,
    _home: tempfile::TempDir,
    root: PathBuf,
    random: fastrand::Rng,
    settings: config::Installation,
    key_check: Option<String>,
    promised: Phase,
    /// Whether the journal's making was acknowledged.
    made: bool,
    places: BTreeMap<u64, Place>,
    /// Where a statement may be instead: a call about it was not answered.
    perhaps: BTreeMap<u64, Place>,
    perhaps_phase: Option<Phase>,
    /// Attempts of each statement so far, acknowledged or not.
    used: BTreeMap<u64, u32>,
    /// Under way when the run was opened.
    left: BTreeSet<u64>,
    supplier: Arc<Supplier>,
    trail: Vec<String>,
}

/// The print supplier's certificate and key.
struct Supplier {
    recipient: CmsRecipient,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Supplier {
    fn new() -> Self {
        use rustls_pki_types::pem::PemObject;
        let file = vectors::file("mediator.crt.pem");
        let folder = tempfile::tempdir().unwrap();
        let key = vectors::key_pem(&folder, "mediator");
        Self {
            recipient: CmsRecipient::new(&Certificate::read_pem(&file).unwrap()).unwrap(),
            certificate: rustls_pki_types::CertificateDer::from_pem_file(file).unwrap().to_vec(),
            key: rustls_pki_types::PrivateKeyDer::from_pem_file(key).unwrap().secret_der().to_vec(),
        }
    }
}

/// How a life of the process ended.
#[derive(Debug, PartialEq, Eq)]
enum Life {
    /// Everything has its end, and the run is finished.
    Finished,
    /// The disk failed.
    Died,
}

impl Voyage {
    fn new(seed: u64, supplier: &Arc<Supplier>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        Self {
            disk: FailingDisk::new(&root, seed),
            settings: config::Installation {
                state: root.join("var/state"),
                key_file: root.join("etc/keys/installation.key"),
            },
            _home: home,
            root,
            random: fastrand::Rng::with_seed(seed ^ 1),
            key_check: None,
            promised: Phase::Intake,
            made: false,
            places: BTreeMap::new(),
            perhaps: BTreeMap::new(),
            perhaps_phase: None,
            used: BTreeMap::new(),
            left: BTreeSet::new(),
            supplier: Arc::clone(supplier),
            trail: vec![format!("UTSKICK_SEED={seed}")],
        }
    }

    fn run_folder(&self) -> PathBuf {
        self.root.join("srv/runs/night")
    }

    fn paper(&self) -> PathBuf {
        self.run_folder().join("paper")
    }

    fn say(&mut self, what: impl Into<String>) {
        self.trail.push(what.into());
    }

    /// One life of a process, until the run is finished or the disk fails. `hurry`: it only opens the run.
    fn live(&mut self, hurry: bool) -> Life {
        let life = self.try_live(hurry);
        let failures = self.disk.failures();
        self.say(failures);
        match life {
            Ok(life) => life,
            Err(error) => {
                self.say(format!("died: {error}, change {}", self.disk.changes()));
                Life::Died
            }
        }
    }

    fn try_live(&mut self, hurry: bool) -> Result<Life, TrackError> {
        let installation = Installation::open_on(Arc::clone(&self.disk) as _, &self.settings)?;
        let key = self.key_check.get_or_insert_with(|| installation.key_check().to_owned());
        assert_eq!(key, installation.key_check(), "another key: {:#?}", self.trail);
        let folder = self.run_folder();
        let journal = if Journal::exists(&folder)? {
            Journal::open(&folder, &installation)?
        } else {
            assert!(!self.made, "the journal is gone: {:#?}", self.trail);
            Journal::create(&folder, &installation, &header())?
        };
        self.made = true;
        self.see(&journal, &installation)?;
        if hurry {
            return Ok(Life::Died);
        }
        if journal.phase() == Phase::Intake {
            self.release(&journal)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut more = true;
        while more {
            more = runtime.block_on(self.go_on(&journal)).inspect_err(|_| self.stays_stopped(&journal, &runtime))?
                | self.bundle(&journal, &installation, &runtime)?;
        }
        self.perhaps_phase = Some(Phase::Finished);
        assert_eq!(journal.finish()?, Phase::Finished, "{:#?}", self.trail);
        (self.promised, self.perhaps_phase) = (Phase::Finished, None);
        self.say("finished");
        Ok(Life::Finished)
    }

    /// After the first failure nothing is acknowledged, whether the disk works again or not.
    fn stays_stopped(&self, journal: &Journal, runtime: &tokio::runtime::Runtime) {
        let plan = self.disk.plan(Plan::Nothing);
        for ordinal in 1..=STATEMENTS {
            let told = runtime.block_on(Step::Intend { operator: 0, attempt: 1000 }.run(journal, ordinal));
            assert!(matches!(told, Err(TrackError::Storage { .. })), "{told:?}: {:#?}", self.trail);
        }
        self.disk.plan(plan);
    }

    fn release(&mut self, journal: &Journal) -> Result<(), TrackError> {
        journal.restart_intake()?;
        for ordinals in [1..=STATEMENTS / 2, STATEMENTS / 2 + 1..=STATEMENTS] {
            journal.admit(ordinals.map(row).collect())?;
        }
        self.perhaps_phase = Some(Phase::Released);
        journal.release(vec![RunExport {
            fingerprint: serde_json::Value::Null,
            first_ordinal: 1,
            statements: STATEMENTS,
        }])?;
        (self.promised, self.perhaps_phase) = (Phase::Released, None);
        self.places = (1..=STATEMENTS).map(|ordinal| (ordinal, released(ordinal))).collect();
        self.say("released");
        Ok(())
    }

    /// Several statements go on at once; `false` where none has anything to do.
    async fn go_on(&mut self, journal: &Journal) -> Result<bool, TrackError> {
        let mut calls = Vec::new();
        for (ordinal, place) in self.places.clone() {
            if self.random.u8(0..3) == 0 {
                continue;
            }
            let used = self.used.entry(ordinal).or_default();
            if let Some(step) = Step::draw(place.digital, *used, self.left.contains(&ordinal), &mut self.random) {
                if let Step::Intend { attempt, .. } = step {
                    *used = attempt;
                }
                self.perhaps.insert(ordinal, step.after(ordinal, place));
                calls.push((ordinal, step));
            }
        }
        let answers = join_all(calls.iter().map(|(ordinal, step)| step.run(journal, *ordinal))).await;
        let mut failed = None;
        for ((ordinal, step), answer) in calls.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    self.say(format!("{ordinal}: {step:?}"));
                    let place = self.perhaps.remove(&ordinal).unwrap();
                    self.places.insert(ordinal, place);
                    self.left.remove(&ordinal);
                }
                Err(error) => {
                    assert!(
                        matches!(error, TrackError::Storage { .. }),
                        "{ordinal} {step:?}: {error}: {:#?}",
                        self.trail
                    );
                    self.say(format!("{ordinal}: {step:?} was not acknowledged"));
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => {
                let used = |ordinal| self.used.get(ordinal).copied().unwrap_or(0);
                let random = &mut self.random.clone();
                Ok(self.places.iter().any(|(of, place)| Step::draw(place.digital, used(of), false, random).is_some()))
            }
        }
    }

    /// Some letters go into a bundle; `false` where none waits.
    fn bundle(
        &mut self,
        journal: &Journal,
        installation: &Installation,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<bool, TrackError> {
        let mut waiting: Vec<u64> = self
            .places
            .iter()
            .filter(|(_, place)| place.paper == Paper::Waiting)
            .map(|(ordinal, _)| *ordinal)
            .collect();
        waiting.truncate(self.random.usize(1..=4));
        if waiting.is_empty() {
            return Ok(false);
        }
        let number = journal.last_bundle()? + 1;
        let letters: Vec<PaperLetter<'_>> = waiting
            .iter()
            .map(|ordinal| PaperLetter {
                ordinal: *ordinal,
                message_id: MessageId(digest(5, *ordinal)),
                form: Form::KU10,
                recipient_id: None,
                pdf: b"%PDF-1.7 a letter",
            })
            .collect();
        let written =
            write_bundle(installation.disk(), &self.paper(), number, "night", &letters, &self.supplier.recipient);
        let bundle = match written {
            Ok(bundle) => bundle,
            Err(error) => {
                self.say(format!("bundle {number}: {error}"));
                // As the paper desk does: the run ends.
                return Err(TrackError::NoRun { run: self.run_folder() });
            }
        };
        let rows =
            waiting.iter().map(|ordinal| PaperEnd { ordinal: *ordinal, end: PaperFate::Bundled { bundle: number } });
        let row = BundleRow {
            number,
            file_name: bundle.file_name,
            sha256: bundle.sha256,
            letters: bundle.letters,
            bytes: bundle.bytes,
        };
        for ordinal in &waiting {
            let place = Place { paper: Paper::Bundled(number), ..self.places[ordinal] };
            self.perhaps.insert(*ordinal, place);
        }
        runtime.block_on(journal.end_paper(rows.collect(), Some(row)))?;
        for ordinal in &waiting {
            let place = self.perhaps.remove(ordinal).unwrap();
            self.places.insert(*ordinal, place);
        }
        self.say(format!("bundle {number}: {waiting:?}"));
        Ok(true)
    }

    /// Holds a run that was just opened to what was promised; what it says of calls that were not answered counts from
    /// now on.
    fn see(&mut self, journal: &Journal, installation: &Installation) -> Result<(), TrackError> {
        let phase = journal.phase();
        assert!(
            phase == self.promised || Some(phase) == self.perhaps_phase,
            "{phase}, promised {}: {:#?}",
            self.promised,
            self.trail
        );
        if phase != Phase::Intake && self.promised == Phase::Intake {
            self.places = (1..=STATEMENTS).map(|ordinal| (ordinal, released(ordinal))).collect();
        }
        (self.promised, self.perhaps_phase) = (phase, None);
        if phase == Phase::Intake {
            return Ok(());
        }
        let seen = self.places_in(journal);
        for (ordinal, place) in &seen {
            let promised = self.places[ordinal];
            let perhaps = self.perhaps.get(ordinal);
            assert!(
                *place == promised || Some(place) == perhaps,
                "{ordinal} is {place:?}, promised {promised:?} or {perhaps:?}: {:#?}",
                self.trail
            );
        }
        assert_eq!(seen.len() as u64, STATEMENTS);
        let flying = seen.iter().filter(|(_, place)| matches!(place.digital, At::Flying { .. }));
        self.left = flying.map(|(ordinal, _)| *ordinal).collect();
        self.places = seen;
        self.perhaps.clear();
        let counts = journal.counts().unwrap();
        assert_eq!(counts.statements(), STATEMENTS);
        let sound: String = reader(journal.run()).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "{:#?}", self.trail);
        let report = utskick::track::Report::read(journal.run()).unwrap();
        assert!(report.balanced, "{:#?}", self.trail);
        self.see_bundles(journal);
        self.say(format!("opened: {phase}"));
        self.see_register(installation)
    }

    /// Where each statement is, by the pages that a run works from.
    fn places_in(&self, journal: &Journal) -> BTreeMap<u64, Place> {
        let mut places = BTreeMap::new();
        let mut take = |seen: utskick::track::Seen| {
            let digital = match seen.digital {
                Digital::Off => At::Off,
                Digital::Unreachable(_) => At::Unreachable,
                Digital::Delivered => At::Delivered,
                Digital::Failed(_) => At::Failed,
                Digital::InDoubt(_) => At::InDoubt { operator: 0, attempt: 0 },
                Digital::Waiting => At::LookUp,
                Digital::Held(_) => panic!("held"),
            };
            let paper = if seen.paper == OnPaper::Bundled { Paper::Bundled(0) } else { Paper::No };
            places.insert(seen.ordinal, Place { digital, paper });
        };
        JournalReader::open(journal.run()).unwrap().statements_seen(&mut take).unwrap();
        let mut put = |ordinal: u64, digital: At| places.get_mut(&ordinal).unwrap().digital = digital;
        let waiting: BTreeSet<u64> = journal.to_look_up(0, 100).unwrap().iter().map(|work| work.span.ordinal).collect();
        for operator in 0..2 {
            for routed in journal.routed(operator, 0, 100).unwrap() {
                put(routed.work.span.ordinal, At::Routed { operator });
            }
        }
        for open in journal.open_intents().unwrap() {
            let Intent { ordinal, operator, attempt, .. } = open.intent;
            let sent = intent(ordinal, operator, attempt);
            assert_eq!((open.intent.request_digest, open.intent.message_id), (sent.request_digest, sent.message_id));
            assert_eq!(open.intent.content_secrets, sent.content_secrets);
            put(ordinal, At::Flying { operator, attempt });
        }
        for open in journal.in_doubt(0, 100).unwrap() {
            let Intent { ordinal, operator, attempt, .. } = open.intent;
            put(ordinal, At::InDoubt { operator, attempt });
        }
        for (ordinal, place) in &places {
            assert_eq!(place.digital == At::LookUp, waiting.contains(ordinal), "{ordinal}: {:#?}", self.trail);
        }
        for work in journal.paper_waiting(0, 100).unwrap() {
            places.get_mut(&work.span.ordinal).unwrap().paper = Paper::Waiting;
        }
        let conn = reader(journal.run());
        for (ordinal, bundle) in logs::bundled(&conn) {
            places.get_mut(&ordinal).unwrap().paper = Paper::Bundled(bundle);
        }
        places
    }

    /// A bundle is whole or not there, and the journal names none that is not.
    fn see_bundles(&self, journal: &Journal) {
        let conn = reader(journal.run());
        let mut select = conn.prepare("SELECT file_name, sha256, letters FROM bundle").unwrap();
        let named: BTreeMap<PathBuf, ([u8; 32], u32)> = select
            .query_map([], |row| Ok((self.paper().join(row.get::<_, String>(0)?), (row.get(1)?, row.get(2)?))))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let files: Vec<PathBuf> =
            self.disk.files_in(&self.paper()).into_iter().filter(|file| file.extension().unwrap() == "p7m").collect();
        for file in &files {
            let bytes = std::fs::read(file).unwrap();
            let opened = utskick::sandbox::cms::open(&bytes, &self.supplier.certificate, &self.supplier.key);
            assert!(opened.is_ok(), "{} is torn: {:#?}", file.display(), self.trail);
        }
        for (file, (sha256, letters)) in named {
            assert!(files.contains(&file), "{} is gone: {:#?}", file.display(), self.trail);
            let bytes = std::fs::read(&file).unwrap();
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
            assert_eq!(digest.as_ref(), sha256, "{} is another: {:#?}", file.display(), self.trail);
            let of = |place: &&Place| matches!(place.paper, Paper::Bundled(number) if file.to_string_lossy().contains(&format!("-{number:05}.")));
            assert_eq!(self.places.values().filter(of).count(), letters as usize);
        }
    }

    /// Another run is told of everything that may have left.
    fn see_register(&self, installation: &Installation) -> Result<(), TrackError> {
        let register = Register::open(installation)?;
        let mut statements: Vec<_> = (1..=STATEMENTS)
            .map(|ordinal| (StatementKey(digest(3, ordinal)), ContentDigest(digest(4, ordinal)), ordinal))
            .collect();
        statements.sort_unstable();
        let asked: Vec<_> = statements.iter().map(|(key, content, _)| (*key, *content)).collect();
        let verdicts = register.judge("another", &asked)?;
        for ((_, _, ordinal), verdict) in statements.iter().zip(verdicts) {
            let place = self.places[ordinal];
            let left = matches!(place.digital, At::Flying { .. } | At::InDoubt { .. } | At::Delivered);
            if left || matches!(place.paper, Paper::Bundled(_)) {
                assert_ne!(verdict, Verdict::New, "{ordinal} {place:?}: {:#?}", self.trail);
            }
            if place.digital == At::Delivered {
                assert_eq!(verdict, Verdict::AlreadySent, "{ordinal}: {:#?}", self.trail);
            }
        }
        Ok(())
    }

    fn power_cycle(&mut self) {
        self.disk.power_off();
        self.disk.power_on();
        self.say("power lost");
    }
}

fn reader(run: &Path) -> rusqlite::Connection {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    rusqlite::Connection::open_with_flags(run.join("journal.sqlite"), flags).unwrap()
}

fn header() -> RunHeader {
    let operator = |id: &str| RunOperator { id: id.into(), name: id.into(), rate_per_s: None };
    RunHeader {
        run_id: "night".into(),
        created: jiff::Timestamp::now(),
        config_file: "/etc/utskick.toml".into(),
        protected_file: None,
        exports: Vec::new(),
        operators: vec![operator("165567849594"), operator("162021003898")],
        deadline: None,
        remembered: serde_json::Value::Null,
    }
}

fn row(ordinal: u64) -> utskick::track::StatementRow {
    utskick::track::StatementRow {
        span: Span { ordinal, offset: ordinal * 2000, length: 1900 },
        export: 0,
        record: RecordDigest(digest(1, ordinal)),
        form: Some(Form::KU10),
        uppgiftslamnare: Some(Organisation::parse("165021680250").unwrap()),
        person: Some(PersonDigest(digest(2, ordinal))),
        also: Vec::new(),
        key: Some(StatementKey(digest(3, ordinal))),
        content: Some(ContentDigest(digest(4, ordinal))),
        correction: false,
        fate: fate(ordinal),
    }
}

/// Runs voyages side by side: they mostly wait for the journal's groups.
fn voyages(count: u64, run: impl Fn(u64, Voyage) + Sync) {
    let supplier = Arc::new(Supplier::new());
    let first = seed();
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    run(number, Voyage::new(first.wrapping_add(number), &supplier));
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_survives_a_power_failure_and_nothing_else_is_there() {
    let losses = std::sync::atomic::AtomicU64::new(0);
    voyages(setting("UTSKICK_ROUNDS", 100), |_, mut voyage| {
        for _ in 0..20 {
            let at = voyage.random.u64(1..=CHANGES);
            voyage.disk.plan(Plan::PowerOff(at));
            let life = voyage.live(false);
            voyage.power_cycle();
            losses.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // The power may go again while the run is opened after it.
            for _ in 0..voyage.random.u8(0..3) {
                let at = voyage.random.u64(1..=20);
                voyage.disk.plan(Plan::PowerOff(at));
                voyage.live(true);
                voyage.power_cycle();
            }
            if life == Life::Finished {
                break;
            }
        }
        voyage.live(false);
        assert_eq!(voyage.promised, Phase::Finished, "{:#?}", voyage.trail);
        // What is finished says the same however often it is opened.
        let places = voyage.places.clone();
        voyage.power_cycle();
        voyage.live(true);
        assert_eq!(voyage.places, places);
    });
    eprintln!("{} power failures", losses.into_inner());
}

#[test]
fn a_disk_that_fails_stops_the_run_at_once_and_nothing_is_claimed_that_is_not_there() {
    let stopped = std::sync::atomic::AtomicU64::new(0);
    // The failure comes at every change of a run in turn: a third of them, or all.
    let wide = setting("UTSKICK_ROUNDS", 0);
    let (count, stride) = if wide == 0 { (CHANGES / 3, 3) } else { (wide, 1) };
    voyages(count, |number, mut voyage| {
        let from = (number * stride + voyage.random.u64(0..stride)) % CHANGES + 1;
        let errno = if voyage.random.bool() { libc::ENOSPC } else { libc::EIO };
        // Once, or until somebody makes room or changes the disk.
        let to = if voyage.random.bool() { from } else { u64::MAX };
        let plan = Plan::Fail { from, to, errno };
        voyage.say(format!("{plan:?}"));
        voyage.disk.plan(plan);
        if voyage.live(false) == Life::Died {
            stopped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        voyage.disk.plan(Plan::Nothing);
        // What a failed sync has left in memory looks whole: it is gone with the power, at once or some time later.
        match voyage.random.u8(0..3) {
            0 => voyage.power_cycle(),
            1 => {
                let at = voyage.random.u64(1..=60);
                voyage.disk.plan(Plan::PowerOff(at));
                voyage.live(false);
                voyage.power_cycle();
            }
            _ => {}
        }
        voyage.live(false);
        assert_eq!(voyage.promised, Phase::Finished, "{:#?}", voyage.trail);
        voyage.power_cycle();
        voyage.live(true);
    });
    let stopped = stopped.into_inner();
    eprintln!("{stopped} runs were stopped");
    assert!(stopped > 0);
}
