//! Nobody is named: whatever is logged, reported, refused or written down, who the statements are about stays sealed.

use crate::run::utskick;
use crate::world::{World, count};
use memchr::memmem;
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What every name, address and free text of an export begins with.
const WORD: &str = "Qzkanarie";
/// What every amount is.
const AMOUNT: &str = "9486713";

/// Texts of an export by the names of their elements.
const NAMES: [&str; 15] = [
    "Programnamn",
    "Namn",
    "Telefon",
    "Epostadress",
    "Sakomrade",
    "Gatuadress",
    "Gatuadress2",
    "Efternamn",
    "Fornamn",
    "Postort",
    "NamnUppgiftslamnare",
    "OrgNamn",
    "FriAdress",
    "AnnatIDNr",
    "FartygetsNamn",
];
/// Numbers of an export that are no amounts.
const NO_AMOUNTS: [&str; 6] =
    ["Inkomstar", "Specifikationsnummer", "Postnummer", "Arbetsstallenummer", "Inkomsttagare", "UppgiftslamnarId"];

/// An export whose every name, address, free text and amount can be told, named after its first recipient.
struct Canaries {
    export: PathBuf,
    people: BTreeSet<String>,
}

impl Canaries {
    fn new(world: &World, statements: u64, seed: &str) -> Self {
        let more = ["--profile", "full", "--faulty", "0.05", "--removals", "0.03", "--seed", seed];
        let plain = world.export("plain.xml", statements, &more);
        let text = std::fs::read_to_string(&plain).unwrap();
        let (mut out, mut people, mut number) = (String::with_capacity(text.len()), BTreeSet::new(), 0_u32);
        let mut rest = text.as_str();
        // Element by element: what stands between a start tag and the next tag.
        while let Some(open) = rest.find('<') {
            let close = open + rest[open..].find('>').unwrap() + 1;
            let tag = &rest[open..close];
            out.push_str(&rest[..close]);
            rest = &rest[close..];
            let end = rest.find('<').unwrap_or(rest.len());
            let content = &rest[..end];
            let name = tag[1..tag.len() - 1].split([' ', '/']).next().unwrap();
            let name = name.rsplit(':').next().unwrap();
            if tag.starts_with("</") || content.trim().is_empty() {
                out.push_str(content);
            } else if NAMES.contains(&name) {
                number += 1;
                let unique: String =
                    format!("{number:04}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
                match name {
                    "Epostadress" => out.push_str(&format!("{WORD}{unique}@{WORD}.se")),
                    _ => out.push_str(&format!("{WORD}{unique}")),
                }
            } else if tag.contains("faltkod=") && is_number(content) && content.len() > 3 && !NO_AMOUNTS.contains(&name)
            {
                out.push_str(AMOUNT);
            } else {
                if name == "Inkomsttagare" && content.len() == 12 && is_number(content) {
                    people.insert(content.to_owned());
                }
                out.push_str(content);
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        people.retain(|id| !id.starts_with("16"));
        // What is looked for is there to be found.
        assert!(people.len() > 20 && out.matches(AMOUNT).count() > 100 && out.matches(WORD).count() > 100);
        let export = world.path(&format!("ku_{}.xml", people.first().unwrap()));
        std::fs::write(&export, out).unwrap();
        for made in [&plain, &world.path("plain.xml.protected")] {
            std::fs::remove_file(made).unwrap();
        }
        Self { export, people }
    }

    /// Every spelling of every canary that must not be seen.
    fn spellings(&self) -> Vec<String> {
        let mut all = Vec::new();
        let grouped = |by: &str| format!("{}{by}{}{by}{}", &AMOUNT[..1], &AMOUNT[1..4], &AMOUNT[4..]);
        all.extend([" ", "\u{a0}", "&nbsp;", ".", ","].map(grouped));
        all.extend(spelled(self.people.iter().map(|id| id[2..].to_owned()).chain([WORD.into(), AMOUNT.into()])));
        all
    }
}

/// Every spelling of these texts.
fn spelled(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(base64_at_every_alignment(&text));
        all.push(text.bytes().map(|byte| format!("{byte:02x}")).collect());
        all.push(text.bytes().map(|byte| format!("%{byte:02X}")).collect());
        if is_number(&text) && text.len() == 10 {
            all.extend(["-", "+", "%2D", "%2d", "%2B", " "].map(|by| format!("{}{by}{}", &text[..6], &text[6..])));
        }
        all.push(text);
    }
    all
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What base64 makes of a text wherever it stands: the characters that depend on it alone.
fn base64_at_every_alignment(text: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let mut bytes = vec![b'x'; before];
        bytes.extend_from_slice(text.as_bytes());
        let whole = base64_simd::STANDARD_NO_PAD.encode_to_string(&bytes);
        let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        whole[start..end].to_owned()
    })
}

/// Nothing of what must not be seen is in these bytes.
#[track_caller]
fn silent(spellings: &[String], what: &str, bytes: &[u8]) {
    for spelling in spellings {
        if let Some(at) = memmem::find(bytes, spelling.as_bytes()) {
            let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 200)];
            panic!("{spelling} in {what}: …{}…", String::from_utf8_lossy(around));
        }
    }
}

#[track_caller]
fn says_nothing(spellings: &[String], what: &str, output: &Output) {
    silent(spellings, &format!("stdout of {what}"), &output.stdout);
    silent(spellings, &format!("stderr of {what}"), &output.stderr);
}

/// Every file below a folder, with its facts; files may vanish meanwhile.
fn walk(folder: &Path) -> Vec<(PathBuf, std::fs::Metadata)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(facts) = entry.metadata() else { continue };
            if facts.is_dir() {
                folders.push(entry.path());
            }
            found.push((entry.path(), facts));
        }
    }
    found
}

/// The raw bytes of everything that a run and its installation leave, but for the exports themselves.
#[track_caller]
fn folders_are_silent(world: &World, run: &str, spellings: &[String]) -> usize {
    let mut files = 0;
    for (path, facts) in walk(&world.path(run)).into_iter().chain(walk(&world.path("sandbox/state"))) {
        silent(spellings, "a file name", path.strip_prefix(world.path("")).unwrap().to_str().unwrap().as_bytes());
        if facts.is_file() && !path.starts_with(world.path(run).join("exports")) {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            silent(spellings, &path.display().to_string(), &bytes);
            files += 1;
        }
    }
    files
}

fn scenario(world: &World) -> PathBuf {
    let mut rules = String::new();
    let mut rule = |at: &str, play: &str, more: &str| {
        rules.push_str(&format!("[[rule]]\nat = \"{at}\"\nplay = \"{play}\"\n{more}\n"));
    };
    let text = "text = \"no {recipient} here\"\n";
    rule("far", "fault-5000", &format!("nth = [1]\n{text}"));
    rule("far", "ok-fault-5011", &format!("nth = [2]\n{text}"));
    rule("far", "fault-without-detail", &format!("nth = [3]\n{text}"));
    for (play, share) in [
        ("fault-5001", 0.06),
        ("fault-5000", 0.06),
        ("ok-fault-6006", 0.06),
        ("fault-5017", 0.06),
        ("fault-without-detail", 0.06),
    ] {
        rule("operators", play, &format!("share = {share}\n{text}"));
    }
    for play in ["other-recipient", "delivered-false", "garbage", "truncated", "429", "close"] {
        rule("operators", play, "share = 0.04\n");
    }
    rule("c", "fault-5014", &format!("from = 6\n{text}"));
    let file = world.path("scenario.toml");
    std::fs::write(&file, rules).unwrap();
    file
}

#[test]
fn nobody_is_named_anywhere_whatever_happens() {
    let mut world = World::new(&[]);
    let canaries = Canaries::new(&world, 240, "11");
    let spellings = canaries.spellings();
    let scenario = scenario(&world);
    world.restart_sandbox(&["--latency", "40", "--scenario", scenario.to_str().unwrap()]);

    let export = canaries.export.to_str().unwrap();
    let [findings, rejects] = ["findings", "rejects"].map(|name| world.path(name));
    let checked = utskick(["--log", "trace", "check", export, "--json", "--config"])
        .arg(world.config())
        .args(["--findings", findings.to_str().unwrap(), "--rejects", rejects.to_str().unwrap()])
        .output()
        .unwrap();
    says_nothing(&spellings, "check --json", &checked);
    assert!(String::from_utf8_lossy(&checked.stdout).contains("ku_************.xml"));
    says_nothing(&spellings, "check", &utskick(["check", export]).output().unwrap());
    for file in [&findings, &rejects] {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.is_empty());
        silent(&spellings, &file.display().to_string(), &bytes);
    }

    // The log as lines, then as JSON; the run's files while it goes on, and after.
    let logs = ["out.1", "err.1"].map(|name| world.path(name));
    let [out, err] = logs.clone().map(|path| std::fs::File::create(path).unwrap());
    let mut sending = world.send_command(&canaries.export, "run");
    sending.args(["--log", "trace", "--accept-rejects"]).stdout(out).stderr(err);
    let mut sending = sending.spawn().unwrap();
    let mut looks = 0;
    let code = loop {
        let ended = sending.try_wait().unwrap();
        folders_are_silent(&world, "run", &spellings);
        let status = utskick(["status", "--json"]).arg(world.path("run")).output().unwrap();
        says_nothing(&spellings, "status", &status);
        looks += 1;
        if let Some(status) = ended {
            break status.code();
        }
    };
    assert!(looks > 1, "it was looked at while it went on");
    for log in &logs {
        silent(&spellings, &log.display().to_string(), &std::fs::read(log).unwrap());
    }
    let log = std::fs::read_to_string(&logs[1]).unwrap();
    assert!(log.contains("DEBUG") && log.contains("ERROR"), "the log says what went wrong: {log}");
    assert_eq!(code, Some(69), "an operator refused us: {log} {}", std::fs::read_to_string(&logs[0]).unwrap());
    let resumed =
        utskick(["--log", "trace", "--log-json", "resume", "--json"]).arg(world.path("run")).output().unwrap();
    says_nothing(&spellings, "resume", &resumed);
    assert!(String::from_utf8_lossy(&resumed.stderr).lines().next().is_some_and(|line| line.starts_with('{')));
    assert!(folders_are_silent(&world, "run", &spellings) > 5);

    let report = world.report_of(utskick(["report", "--json"]).arg(world.path("run")).output().unwrap(), 2);
    for outcome in ["delivered", "paper", "rejected", "failed", "in_doubt", "pending", "held"] {
        assert!(count(&report, outcome) > 0, "{outcome}: {report}");
    }
    let page = world.path("report.html");
    let told = utskick(["report", "--html", page.to_str().unwrap()]).arg(world.path("run")).output().unwrap();
    says_nothing(&spellings, "report", &told);
    silent(&spellings, "report --json", report.to_string().as_bytes());
    silent(&spellings, "report --html", &std::fs::read(&page).unwrap());
    for person in canaries.people.iter().take(8) {
        let mut find = utskick(["--log", "trace", "find", "--person-id", "-"])
            .arg(world.path("run"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        find.stdin.take().unwrap().write_all(person.as_bytes()).unwrap();
        let found = find.wait_with_output().unwrap();
        assert_eq!(found.status.code(), Some(0), "the question was understood");
        says_nothing(&spellings, "find", &found);
    }

    // Orders and settlements, also with a person where a name or an id belongs.
    let person = canaries.people.first().unwrap();
    let ids = world.path("ids");
    std::fs::write(&ids, format!("{person}\n")).unwrap();
    let ids = ids.to_str().unwrap();
    for (code, command, arguments) in [
        (0, "control", &["pause"][..]),
        (64, "control", &["pause", "--operator", person]),
        (0, "resolve", &["--list"]),
        (64, "resolve", &["--as", "delivered", "--ids", ids]),
        (64, "resolve", &["--as", "delivered", "--operator", person]),
        (0, "resolve", &["--as", "delivered"]),
    ] {
        let told = utskick(["--log", "trace", command]).arg(world.path("run")).args(arguments).output().unwrap();
        let said = format!("{command} {}: {}", arguments[0], String::from_utf8_lossy(&told.stderr));
        says_nothing(&spellings, &said, &told);
        assert_eq!(told.status.code(), Some(code), "{said}");
    }
    let timeline = world.path("timeline.svg");
    for shape in [&["--svg", timeline.to_str().unwrap()][..], &["--json", "--ask-far"]] {
        let planned = utskick(["--log", "trace", "plan", export, "--config"]).arg(world.config()).args(shape).output();
        let planned = planned.unwrap();
        says_nothing(&spellings, "plan", &planned);
        assert!(!planned.stdout.is_empty(), "{}", String::from_utf8_lossy(&planned.stderr));
    }
    silent(&spellings, "plan --svg", &std::fs::read(&timeline).unwrap());
    assert!(folders_are_silent(&world, "run", &spellings) > 5);
}

/// The people of `bench` are made up, and its logs name none of them all the same.
#[test]
fn a_bench_names_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let [export, place, out, svg] = ["export.xml", "place", "out.json", "out.svg"].map(|name| folder.path().join(name));
    std::fs::create_dir(&place).unwrap();
    // Its exports are those of `generate`: the same people.
    let mut people = BTreeSet::new();
    for statements in ["1", "3", "10", "30"] {
        let made = utskick(["generate", "--addressable", "--statements", statements, "--out"]).arg(&export).output();
        assert!(made.unwrap().status.success());
        let text = std::fs::read_to_string(&export).unwrap();
        let ids = text.split("faltkod=\"215\">").skip(1).map(|after| after[..12].to_owned());
        people.extend(ids.filter(|id| is_number(id)));
    }
    assert!(people.len() >= 20, "{}", people.len());
    let spellings = spelled(people.iter().map(|id| id[2..].to_owned()));

    let bench = |shape: &[&str]| {
        let mut bench = utskick(["--log", "trace", "bench", "--statements", "30", "--dir"]);
        bench.arg(&place).arg("--out").arg(&out).arg("--svg").arg(&svg).args(shape);
        let [printed, said] = ["printed", "said"].map(|name| folder.path().join(name));
        let [to, talk] = [&printed, &said].map(|path| std::fs::File::create(path).unwrap());
        let mut bench = bench.stdout(to).stderr(talk).spawn().unwrap();
        let (mut exports, mut logs) = (0, 0);
        let code = loop {
            let ended = bench.try_wait().unwrap();
            // What its processes say meanwhile; the exports are there, and hold the people who are looked for.
            for (path, _) in walk(&place) {
                let Ok(bytes) = std::fs::read(&path) else { continue };
                match path.extension().and_then(|kind| kind.to_str()) {
                    Some("log" | "out" | "json" | "tsv") => {
                        silent(&spellings, &path.display().to_string(), &bytes);
                        logs += 1;
                    }
                    Some("xml") => {
                        exports += usize::from(people.iter().any(|id| memmem::find(&bytes, id.as_bytes()).is_some()))
                    }
                    _ => {}
                }
            }
            if let Some(status) = ended {
                break status.code();
            }
        };
        assert_eq!(code, Some(0), "{}", std::fs::read_to_string(&said).unwrap());
        assert!(exports > 0 && logs > 0, "its files were seen: {exports} and {logs}");
        for file in [&printed, &said, &out, &svg] {
            let bytes = std::fs::read(file).unwrap();
            assert!(!bytes.is_empty());
            silent(&spellings, &file.display().to_string(), &bytes);
        }
    };
    bench(&["--json"]);
    bench(&[]);
}

#[test]
fn refusals_name_files_and_arguments_without_the_people_in_them() {
    let world = World::new(&[]);
    let canaries = Canaries::new(&world, 60, "12");
    let spellings = canaries.spellings();
    let person = canaries.people.first().unwrap();
    let dashed = format!("{}-{}", &person[2..8], &person[8..]);
    let text = std::fs::read_to_string(&canaries.export).unwrap();
    let broken = world.path(&format!("brutet {dashed}.xml"));
    std::fs::write(&broken, &text[..text.len() / 2]).unwrap();
    let missing = world.path(&format!("{person}.xml"));
    let list = world.path("protected");
    std::fs::write(&list, format!("{person}\n{person} {person}\n")).unwrap();
    let refused = |code: i32, mut command: Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty());
        says_nothing(&spellings, &format!("{code}"), &output);
        String::from_utf8(output.stderr).unwrap()
    };
    for (file, run) in [(&broken, "broken"), (&missing, "missing")] {
        let mut check = utskick(["check", "--json"]);
        check.arg(file);
        refused(65, check);
        let said = refused(65, world.send_command(file, run));
        assert!(said.contains(".xml"), "it says which: {said}");
    }
    let mut settings = utskick(["send", "export.xml", "--run", "run", "--config"]);
    settings.arg(&missing);
    refused(78, settings);
    for arguments in [["find", "run", &dashed], ["find", person, "--person"], ["check", "--unknown", person]] {
        refused(64, utskick(arguments));
    }
    let mut protected = world.send_command(&canaries.export, "run");
    protected.arg("--protected").arg(&list);
    let said = refused(78, protected);
    assert!(said.contains("line 2"), "{said}");
}

/// Starts a send under a shell, so that what the shell sets is what the process inherits.
fn under_a_shell(world: &World, set: &str, export: &Path, run: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{set}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_utskick"), "send"]);
    shell.arg(export).arg("--config").arg(world.config()).arg("--run").arg(world.path(run)).stdout(Stdio::null());
    shell
}

#[test]
fn a_crash_leaves_no_core() {
    let world = World::new(&["--latency", "2000"]);
    let export = world.export("export.xml", 40, &[]);
    let mut sending = under_a_shell(&world, "ulimit -c unlimited 2>/dev/null", &export, "run");
    let mut sending = sending.current_dir(world.path("")).stderr(Stdio::null()).spawn().unwrap();
    while world.ledger().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let process = PathBuf::from(format!("/proc/{}", sending.id()));
    let limits = std::fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    // A process that must not be dumped belongs to root in /proc, whoever started it.
    assert_eq!(std::fs::metadata(process.join("maps")).unwrap().uid(), 0);
    assert!(Command::new("kill").args(["-ABRT", &sending.id().to_string()]).status().unwrap().success());
    let status = sending.wait().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
}

#[test]
fn files_are_private_whatever_the_umask() {
    for (number, umask) in ["0000", "0777"].into_iter().enumerate() {
        let world = World::new(&["--latency", "100"]);
        let export = world.export("export.xml", 60, &["--faulty", "0.01"]);
        let mut sending = under_a_shell(&world, &format!("umask {umask}"), &export, "run").spawn().unwrap();
        let mut kinds = BTreeSet::new();
        let code = loop {
            let ended = sending.try_wait().unwrap();
            for (path, facts) in walk(&world.path("run")).into_iter().chain(walk(&world.path("sandbox/state"))) {
                let mode = facts.permissions().mode() & 0o7777;
                let private = if facts.is_dir() { mode == 0o700 } else { matches!(mode, 0o600 | 0o400) };
                assert!(private, "{} has mode {mode:o} under umask {umask}", path.display());
                kinds.insert(path.extension().map(|kind| kind.to_string_lossy().into_owned()));
            }
            if let Some(status) = ended {
                break status.code();
            }
        };
        assert!(matches!(code, Some(0 | 1)), "{code:?} in round {number}");
        for kind in ["sqlite", "sqlite-wal", "sqlite-shm", "ndjson", "tsv", "xml"] {
            assert!(kinds.contains(&Some(kind.to_owned())), "{kind} was seen: {kinds:?}");
        }
        for folder in ["run", "run/paper", "sandbox/state"] {
            assert_eq!(std::fs::metadata(world.path(folder)).unwrap().permissions().mode() & 0o7777, 0o700, "{folder}");
        }
    }
}
