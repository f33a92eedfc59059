//! A journal whose bytes were damaged: every reader tells what it knows or what is wrong, never a panic.
//!
//! The input is a list of edits of a real journal: two bytes of place, one byte of value; the first byte of all says
//! how much of the file is left.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use utskick::config;
use utskick::domain::{ContentDigest, Form, Organisation, PersonDigest, Reason, RecordDigest, Span, StatementKey};
use utskick::track::{Fate, Half, Installation, Journal, JournalReader, Report, RunExport, RunHeader, StatementRow, Status};

struct Base {
    folder: PathBuf,
    installation: Installation,
    journal: Vec<u8>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("utskick-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let settings = config::Installation { state: folder.join("state"), key_file: folder.join("key") };
    let installation = Installation::open(&settings).expect("an installation");
    let run = folder.join("good");
    let header = RunHeader {
        run_id: "fuzz".into(),
        created: "2027-01-12T20:00:00Z".parse().expect("a time"),
        config_file: "/etc/utskick.toml".into(),
        protected_file: None,
        exports: Vec::new(),
        operators: Vec::new(),
        deadline: None,
        remembered: Default::default(),
    };
    let journal = Journal::create(&run, &installation, &header).expect("a journal");
    let fates = [
        Fate::Send { digital: Half::Waiting, paper: Half::Fallback },
        Fate::Send { digital: Half::Unreachable(Reason::Minor), paper: Half::Fallback },
        Fate::Send { digital: Half::Off, paper: Half::Waiting },
    ];
    let rows = (1u8..=60).map(|number| StatementRow {
        span: Span { ordinal: number.into(), offset: u64::from(number) * 2000, length: 1900 },
        export: 0,
        record: RecordDigest([number; 16]),
        form: Some(Form::KU10),
        uppgiftslamnare: Organisation::parse("165021680250").ok(),
        person: Some(PersonDigest([number; 16])),
        also: Vec::new(),
        key: Some(StatementKey([number; 16])),
        content: Some(ContentDigest([number; 16])),
        correction: false,
        fate: fates[usize::from(number) % fates.len()],
    });
    journal.admit(rows.collect()).expect("admitted");
    let export = RunExport { fingerprint: "export.xml".into(), first_ordinal: 1, statements: 60 };
    journal.release(vec![export]).expect("released");
    drop(journal);
    // What is left in the log beside the database belongs to it: fold it in.
    Journal::open(&run, &installation).expect("opened again");
    let bytes = std::fs::read(run.join("journal.sqlite")).expect("the journal");
    Base { folder, installation, journal: bytes }
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let base = &*BASE;
    let Some((left, edits)) = input.split_first() else { return };
    let mut bytes = base.journal.clone();
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[place] = edit[2];
    }
    if *left < 200 {
        bytes.truncate(bytes.len() * usize::from(*left) / 200);
    }
    let run = base.folder.join("damaged");
    let _ = std::fs::remove_dir_all(&run);
    std::fs::create_dir_all(&run).expect("a folder");
    std::fs::write(run.join("journal.sqlite"), &bytes).expect("written");
    if let Ok(reader) = JournalReader::open(&run) {
        let _ = reader.counts();
        let _ = reader.checkpoint();
        let _ = reader.tally();
        let _ = reader.events(10);
        let _ = reader.in_doubt(false);
        let _ = reader.statements_seen(&mut |_| {});
        let _ = reader.find(&PersonDigest([7; 16]), &base.installation);
    }
    let _ = Report::read(&run);
    let _ = Status::read(&run);
    if let Ok(journal) = Journal::open(&run, &base.installation) {
        let _ = journal.counts();
        let _ = journal.to_look_up(0, 100);
        let _ = journal.paper_waiting(0, 100);
        let _ = journal.open_intents();
    }
});
