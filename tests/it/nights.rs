//! Nights in which something fails: many runs against one sandbox, each with an installation of its own, and the account
//! that every one of them is held to in the end, by our journal and by the gateways' ledger.

use crate::logs;
use crate::run::utskick;
use crate::world::World;
use rusqlite::{Connection, OpenFlags};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use utskick::domain::Outcome;
use utskick::sandbox::ledger;
use utskick::track::halves::{Digital, OnPaper};
use utskick::track::{JournalReader, Report};

/// Of each of the three operators.
pub const CONCURRENCY: u64 = 4;
/// Small, so that a night has several bundles.
const LETTERS_PER_BUNDLE: usize = 6;

/// What becomes of a request whose answer is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Hold,
    Resend,
}

/// A sandbox, an export, and what an undisturbed night makes of it.
pub struct Season {
    world: World,
    export: PathBuf,
    /// Outcomes by ordinal, from 1.
    undisturbed: Vec<Outcome>,
    /// How often each crash point was passed, by `send` and by `report`.
    pub passed: [BTreeMap<String, u64>; 2],
    /// How long the undisturbed night took.
    pub took: Duration,
    supplier: (Vec<u8>, Vec<u8>),
    /// Message ids of all nights: nothing else may stand in the ledger.
    ids: Mutex<BTreeSet<String>>,
}

/// A run of the season's export.
pub struct Night<'s> {
    season: &'s Season,
    name: String,
    policy: Policy,
    /// How often the process has died.
    pub deaths: u64,
}

impl Season {
    /// Serves, generates an export of this size with everything in it, and sends it once, undisturbed.
    pub fn new(statements: u64, sandbox: &[&str]) -> Self {
        let world = World::new(sandbox);
        let export = world.export("export.xml", statements, &["--faulty", "0.02", "--removals", "0.03"]);
        let pki = world.path("sandbox/pki");
        let supplier = (
            CertificateDer::from_pem_file(pki.join("print-supplier.pem")).unwrap().to_vec(),
            PrivateKeyDer::from_pem_file(pki.join("print-supplier.key.pem")).unwrap().secret_der().to_vec(),
        );
        let ids = Mutex::default();
        let (undisturbed, passed, took) = (Vec::new(), Default::default(), Duration::ZERO);
        let mut season = Self { world, export, undisturbed, passed, took, supplier, ids };
        let began = Instant::now();
        let night = season.night("undisturbed", Policy::Hold);
        let sent = night.send().env("UTSKICK_CRASH", "count").output().expect("send starts");
        assert!(matches!(sent.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&sent.stderr));
        let took = began.elapsed();
        let reported = night.report().env("UTSKICK_CRASH", "count").output().expect("report starts");
        assert!(night.report_file().exists(), "{}", String::from_utf8_lossy(&reported.stderr));
        let passed = [passings(&sent), passings(&reported)];
        let outcomes = night.outcomes().into_iter().map(|(outcome, ..)| outcome).collect();
        (season.undisturbed, season.passed, season.took) = (outcomes, passed, took);
        let found: BTreeSet<u8> = season.undisturbed.iter().map(|outcome| *outcome as u8).collect();
        use Outcome::{Delivered, DeliveredAndPaper, Paper, Rejected, Removal};
        for needed in [Delivered, DeliveredAndPaper, Paper, Rejected, Removal] {
            assert!(found.contains(&(needed as u8)), "the export has nothing that ends as {needed}");
        }
        let night = season.night("undisturbed", Policy::Hold);
        night.hold_to_account();
        season
    }

    /// A night of this name; settings, key and state of its own.
    pub fn night(&self, name: &str, policy: Policy) -> Night<'_> {
        let night = Night { season: self, name: name.into(), policy, deaths: 0 };
        let settings = std::fs::read_to_string(self.world.config()).expect("settings");
        let home = self.world.path(&format!("nights/{name}"));
        std::fs::create_dir_all(&home).expect("made");
        let in_doubt = match policy {
            Policy::Hold => "hold",
            Policy::Resend => "resend",
        };
        let settings = settings
            .replace("state = \"state\"", &format!("state = \"{}\"", home.join("state").display()))
            .replace("\"installation.key\"", &format!("\"{}\"", home.join("installation.key").display()))
            .replace(
                "\nservice_address",
                &format!("\nin_doubt = \"{in_doubt}\"\nconcurrency = {CONCURRENCY}\nservice_address"),
            )
            .replace("\n[paper]", &format!("\n[paper]\nletters_per_bundle = {LETTERS_PER_BUNDLE}"))
            .replace(
                "\n[paper]",
                "\n[[channels.rules]]\nform = \"KU18\"\npolicy = \"digital-and-paper\"\n\
                 [[channels.rules]]\nform = \"KU14\"\npolicy = \"paper\"\n\n[paper]",
            );
        std::fs::write(night.config(), settings).expect("written");
        night
    }

    /// Nothing was accepted but what some night had written an intent for.
    pub fn close(self) {
        let ids = self.ids.lock().unwrap();
        for line in self.ledger() {
            // A request that broke off has no id to be read.
            let known = ids.contains(&line.message_id) || line.message_id.is_empty() && !line.accepted;
            assert!(known, "{} left without an intent", line.message_id);
        }
    }

    fn ledger(&self) -> Vec<ledger::Line> {
        ledger::read(&self.world.path("sandbox/ledger.ndjson")).expect("a ledger")
    }

    /// Runs cases side by side, as many as there are processors.
    pub fn side_by_side<C: Send>(&self, cases: Vec<C>, run: impl Fn(C) + Sync) {
        let cases = Mutex::new(cases.into_iter());
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let case = cases.lock().unwrap().next();
                        let Some(case) = case else { break };
                        run(case);
                    }
                });
            }
        });
    }
}

/// `name times` on lines of stderr.
fn passings(output: &Output) -> BTreeMap<String, u64> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(name, times)| Some((name.to_owned(), times.parse().ok()?))).collect()
}

impl Night<'_> {
    /// Folder of everything that is this night's own.
    pub fn home(&self) -> PathBuf {
        self.season.world.path(&format!("nights/{}", self.name))
    }

    /// Its settings.
    pub fn config(&self) -> PathBuf {
        self.season.world.path(&format!("sandbox/{}.toml", self.name))
    }

    /// Folder of the run.
    pub fn folder(&self) -> PathBuf {
        self.season.world.path(&format!("nights/{}/run", self.name))
    }

    fn report_file(&self) -> PathBuf {
        self.season.world.path(&format!("nights/{}/report.html", self.name))
    }

    /// `send` of the export.
    pub fn send(&self) -> Command {
        let mut command = utskick(["send"]);
        command.arg(&self.season.export).arg("--config").arg(self.config()).arg("--run").arg(self.folder());
        command
    }

    /// Goes on as an operator would: `resume`, or `send` again where there is no run yet.
    pub fn go_on(&self) -> Command {
        if !self.folder().join("journal.sqlite").exists() {
            return self.send();
        }
        let mut command = utskick(["resume"]);
        command.arg(self.folder());
        command
    }

    /// `report --html`.
    pub fn report(&self) -> Command {
        let mut command = utskick(["report"]);
        command.arg(self.folder()).arg("--html").arg(self.report_file());
        command
    }

    /// Runs a command to its end and tells whether it died, by abort or kill. Any other end must be one of a run.
    #[track_caller]
    pub fn died(&mut self, mut command: Command) -> bool {
        self.ended(command.stdout(Stdio::null()).output().expect("starts"))
    }

    /// Tells whether a process died, by abort or kill. Any other end must be one of a run.
    #[track_caller]
    pub fn ended(&mut self, output: Output) -> bool {
        let died = matches!(output.status.signal(), Some(libc::SIGABRT | libc::SIGKILL));
        let ended = matches!(output.status.code(), Some(0..=2));
        assert!(died || ended, "{}: {}: {}", self.name, output.status, String::from_utf8_lossy(&output.stderr));
        self.deaths += u64::from(died);
        died
    }

    /// How many intents the journal has; none where there is no journal yet.
    pub fn requests(&self) -> u64 {
        JournalReader::open(&self.folder())
            .and_then(|journal| journal.attempts())
            .map_or(0, |attempts| attempts.intended)
    }

    /// Goes on, undisturbed, until everything is settled.
    #[track_caller]
    pub fn settle(&mut self) {
        let output = self.go_on().output().expect("starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}: {}: {stderr}", self.name, output.status);
    }

    /// Outcome, whether a letter is on paper, and whether the digital half was delivered, by ordinal from 1.
    fn outcomes(&self) -> Vec<(Outcome, bool, bool)> {
        let journal = JournalReader::open(&self.folder()).expect("a journal");
        let mut outcomes = Vec::new();
        let mut take = |seen: utskick::track::Seen| {
            assert_eq!(seen.ordinal, outcomes.len() as u64 + 1);
            let delivered = seen.digital == Digital::Delivered;
            outcomes.push((seen.outcome, seen.paper == OnPaper::Bundled, delivered));
        };
        journal.statements_seen(&mut take).expect("read");
        outcomes
    }

    /// Holds the journal to the undisturbed night, to the gateways' ledger and to the bundles. Gives how many statements
    /// are in doubt.
    #[track_caller]
    pub fn hold_to_account(&self) -> usize {
        let name = &self.name;
        let outcomes = self.outcomes();
        let report = Report::read(&self.folder()).expect("a report");
        assert!(report.balanced, "{name}");
        assert_eq!(report.outcomes.values().sum::<u64>(), self.season.undisturbed.len() as u64, "{name}");

        // None is missing, and none ends otherwise than in a night without failures, but for doubt.
        assert_eq!(outcomes.len(), self.season.undisturbed.len(), "{name}");
        let mut in_doubt = BTreeSet::new();
        for (place, ((outcome, ..), undisturbed)) in outcomes.iter().zip(&self.season.undisturbed).enumerate() {
            let digital = matches!(undisturbed, Outcome::Delivered | Outcome::DeliveredAndPaper);
            if *outcome == Outcome::InDoubt && digital {
                in_doubt.insert(place as u64 + 1);
            } else {
                assert_eq!(outcome, undisturbed, "{name}: statement {}", place + 1);
            }
        }
        let named: BTreeSet<u64> = report.in_doubt.iter().map(|of| of.ordinal).collect();
        assert_eq!(named, in_doubt, "{name}: what is in doubt is named");
        match self.policy {
            Policy::Hold => {
                let bound = self.deaths * 3 * CONCURRENCY;
                assert!(in_doubt.len() as u64 <= bound, "{name}: {} in doubt, bound {bound}", in_doubt.len());
            }
            Policy::Resend => assert!(in_doubt.is_empty(), "{name}: {in_doubt:?} in doubt"),
        }
        self.hold_to_ledger(&outcomes, &in_doubt);
        self.hold_to_bundles(&outcomes);
        let leftovers = self.folder().join("exports").exists();
        assert_eq!(
            leftovers,
            !in_doubt.is_empty(),
            "{name}: private copies stay for what is in doubt, and only for it"
        );
        in_doubt.len()
    }

    fn hold_to_ledger(&self, outcomes: &[(Outcome, bool, bool)], in_doubt: &BTreeSet<u64>) {
        let name = &self.name;
        let mut accepted: BTreeMap<String, u32> = BTreeMap::new();
        let intents = self.intents();
        let own: BTreeMap<&str, u64> = intents.iter().map(|(ordinal, id, _)| (id.as_str(), *ordinal)).collect();
        assert_eq!(own.len(), intents.len(), "{name}: an id has one request");
        let mut sent: BTreeMap<&str, String> = BTreeMap::new();
        let statements: BTreeSet<u64> = own.values().copied().collect();
        assert_eq!(own.len(), statements.len(), "{name}: a statement has one id");
        for line in self.season.ledger() {
            let Some((id, ordinal)) = own.get_key_value(line.message_id.as_str()) else { continue };
            assert_eq!(
                line.sha256,
                *sent.entry(id).or_insert_with(|| line.sha256.clone()),
                "{name}: statement {ordinal} was sent with other bytes"
            );
            assert!(!line.again || self.policy == Policy::Resend, "{name}: statement {ordinal} was sent twice");
            *accepted.entry(line.message_id).or_default() += u32::from(line.accepted);
        }
        for (id, ordinal) in &own {
            let times = accepted.get(*id).copied().unwrap_or(0);
            let (_, _, delivered) = outcomes[*ordinal as usize - 1];
            match self.policy {
                Policy::Hold => assert!(times <= 1, "{name}: statement {ordinal} was accepted {times} times"),
                Policy::Resend => assert!(u64::from(times) <= 1 + self.deaths, "{name}: statement {ordinal}: {times}"),
            }
            if delivered {
                assert!(times >= 1, "{name}: statement {ordinal} is called delivered and was not accepted");
            } else if !in_doubt.contains(ordinal) {
                assert_eq!(times, 0, "{name}: statement {ordinal} was accepted and nobody says so");
            }
        }
        for (place, (_, _, delivered)) in outcomes.iter().enumerate() {
            assert!(!delivered || statements.contains(&(place as u64 + 1)), "{name}: {} without an intent", place + 1);
        }
        self.season.ids.lock().unwrap().extend(own.keys().map(|id| (*id).to_owned()));
    }

    /// Ordinal, message id and digest of the request, of every intent.
    fn intents(&self) -> Vec<(u64, String, String)> {
        let mut all = std::collections::BTreeSet::new();
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        JournalReader::open(&self.folder())
            .unwrap()
            .requests(&mut |ordinal, id, digest| _ = all.insert((ordinal, id.to_string(), hex(digest))))
            .unwrap();
        all.into_iter().collect()
    }

    /// Opens every bundle: each letter on paper is in the one that the journal names, once, and no other file is there.
    fn hold_to_bundles(&self, outcomes: &[(Outcome, bool, bool)]) {
        let name = &self.name;
        let conn = self.journal();
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "{name}");
        let mut select = conn.prepare("SELECT number, file_name, sha256, letters FROM bundle ORDER BY number").unwrap();
        let bundles: Vec<(u32, String, [u8; 32], u32)> = select
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let folder = self.folder().join("paper");
        let files: BTreeSet<String> = std::fs::read_dir(&folder)
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        let named: BTreeSet<String> = bundles.iter().map(|(_, file, ..)| file.clone()).collect();
        assert_eq!(files, named, "{name}: bundles on disk and in the journal");
        let mut letters = BTreeMap::new();
        for (number, file, sha256, count) in bundles {
            let bytes = std::fs::read(folder.join(&file)).unwrap();
            assert_eq!(
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref(),
                sha256,
                "{name}: {file}"
            );
            let ordinals = self.open_bundle(&bytes);
            assert_eq!(ordinals.len(), count as usize, "{name}: {file}");
            for ordinal in ordinals {
                assert_eq!(letters.insert(ordinal, number), None, "{name}: {ordinal} is in two bundles");
            }
        }
        let recorded: BTreeMap<u64, u32> = logs::bundled(&conn).into_iter().collect();
        assert_eq!(letters, recorded, "{name}: letters in bundles and in the journal");
        for (place, (_, on_paper, _)) in outcomes.iter().enumerate() {
            assert_eq!(*on_paper, letters.contains_key(&(place as u64 + 1)), "{name}: statement {}", place + 1);
        }
    }

    /// Ordinals of a bundle's letters, by its manifest; each letter is there, whole.
    fn open_bundle(&self, bytes: &[u8]) -> Vec<u64> {
        let (certificate, key) = &self.season.supplier;
        let zip = utskick::sandbox::cms::open(bytes, certificate, key).expect("decrypts");
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("a zip");
        let mut manifest = String::new();
        archive.by_name("manifest.csv").unwrap().read_to_string(&mut manifest).unwrap();
        let ordinals: Vec<u64> = manifest
            .lines()
            .skip(1)
            .map(|line| {
                let columns: Vec<&str> = line.split(',').collect();
                let mut pdf = Vec::new();
                archive.by_name(columns[2]).expect("the letter").read_to_end(&mut pdf).unwrap();
                assert!(pdf.starts_with(b"%PDF") && pdf.ends_with(b"%%EOF\n"), "{}: a letter is cut", self.name);
                columns[3].parse().unwrap()
            })
            .collect();
        assert_eq!(archive.len(), ordinals.len() + 1, "{}", self.name);
        ordinals
    }

    fn journal(&self) -> Connection {
        read_only(&self.folder().join("journal.sqlite"))
    }

    /// The night is over: its folder may go.
    pub fn clear(self) {
        let home = self.season.world.path(&format!("nights/{}", self.name));
        std::fs::remove_dir_all(home).expect("removed");
    }

    /// Reports it, and sees that the page is whole.
    #[track_caller]
    pub fn reports_whole(&mut self) {
        assert!(!self.died(self.report()), "{}", self.name);
        let page = std::fs::read_to_string(self.report_file()).expect("a page");
        assert!(page.trim_end().ends_with("</html>"), "{}: the page is cut", self.name);
    }
}

fn read_only(file: &Path) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a journal")
}

/// A number of an environment variable, or the default.
pub fn setting(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// A seed that is printed, and can be given again as `UTSKICK_SEED`.
pub fn seed() -> u64 {
    let seed = setting("UTSKICK_SEED", fastrand::u64(..));
    eprintln!("UTSKICK_SEED={seed}");
    seed
}
