//! What do others need for the same work?
//!
//! Signing: the same letters, an HTML body and an attachment, signed twice (SignedDelivery by the avsändare, then
//! SealedDelivery by the förmedlare) with RSA-2048, by the JDK's `javax.xml.crypto` (`Sign.java`), by python-xmlsec
//! (`sign.py`) and by ours. The others read the unsigned document as XML, sign it, put it beside the seal, sign that and
//! write both; ours makes the whole request from its parts, base64 and checksums included. One output of each is verified
//! with xmlsec1 where it is there. `bare RSA` is the floor: the two signatures alone.
//!
//! Reading: the same export by lxml's `iterparse` (`read.py`), the crate `kontrolluppgift` (of its own workspace), by
//! `xmllint --stream --schema`, and by `utskick check`. They do unequal work: lxml makes a dictionary of the fields, the
//! crate typed values, xmllint holds the schema but not the official rules; ours holds both and looks across records.
//!
//! Each is a process of its own, run with a fifth of the work and with all of it; what is told is processor time (user and
//! system, all threads) of the difference, so that start-up does not count. A statement per second and core is its
//! reciprocal; the ratio is to ours in the same run. `benches/peers/run` prepares what is missing and starts this;
//! `--json FILE` writes the table for machines, `--letters N` and `--statements N` change the amount of work.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, missing_docs)]

use letter::with_letter;
use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use utskick::config::KeySource;
use utskick::prepare::envelope::{Documents, seal, seal_with_documents};
use utskick::prepare::keys::Credential;
use utskick::prepare::sign::{KeySigner, Signer};
use utskick::sandbox::generate;

#[path = "../support/letter.rs"]
mod letter;

/// The argument by which this program does our own part in a process of its own.
const OURS: &str = "--ours";
const SEALED_ON: &str = "2027-01-31";
const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/vectors");
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const BUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    if let Some(what) = after(OURS) {
        let folder = PathBuf::from(after("--folder").unwrap());
        return ours(&what, &folder, after("--count").unwrap().parse().unwrap());
    }
    let number = |name, usual| after(name).map_or(usual, |count| count.parse().unwrap());
    let (letters, statements) = (number("--letters", 1_000), number("--statements", 100_000));
    let folder = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    for bytes in [6 * 1024, 25 * 1024] {
        rows.extend(signing(&folder.path().join(bytes.to_string()), bytes, letters));
    }
    rows.extend(reading(folder.path(), statements));
    println!("{}", table(&rows));
    if let Some(file) = after("--json") {
        std::fs::write(file, json(&rows)).unwrap();
    }
}

/// One line of the table.
struct Row {
    task: String,
    who: &'static str,
    result: Result<Cost, String>,
}

struct Cost {
    /// Processor time a statement.
    seconds: f64,
    /// What was seen of the result.
    remark: &'static str,
}

fn signing(folder: &Path, bytes: usize, letters: u64) -> Vec<Row> {
    prepare(folder, bytes, letters);
    let task = format!("sign twice, {} kB", bytes / 1024);
    let measure = |who: &'static str, command: &dyn Fn(u64) -> Option<Command>, verified: Option<&str>| {
        let cost = slope(letters, command)
            .map(|seconds| Cost { seconds, remark: verified.map_or("", |name| verify(folder, name)) });
        Row { task: task.clone(), who, result: cost }
    };
    let our = |what: &'static str| move |count: u64| Some(ourselves(what, folder, count));
    let java = |count: u64| {
        let mut command = found("java")?;
        command.arg(format!("{HERE}/Sign.java")).arg(folder).arg(count.to_string());
        Some(command)
    };
    let python = |count: u64| {
        let mut command = python("xmlsec")?;
        command.arg(format!("{HERE}/sign.py")).arg(folder).arg(count.to_string());
        Some(command)
    };
    vec![
        measure("bare RSA (floor)", &our("rsa"), None),
        measure("utskick", &our("sign"), Some("utskick")),
        measure("python-xmlsec", &python, Some("python")),
        measure("JDK javax.xml.crypto", &java, Some("java")),
    ]
}

fn reading(folder: &Path, statements: u64) -> Vec<Row> {
    let export = |count: u64| {
        let path = folder.join(format!("{count}.xml"));
        if !path.exists() {
            let mut file = BufWriter::new(File::create(&path).unwrap());
            let options = generate::Options { statements: count, ..Default::default() };
            generate::generate(&options, &mut file, &mut |_| ()).unwrap();
            file.flush().unwrap();
        }
        path
    };
    let task = format!("read {statements} statements");
    let measure = |who, command: &dyn Fn(u64) -> Option<Command>, remark| Row {
        task: task.clone(),
        who,
        result: slope(statements, command).map(|seconds| Cost { seconds, remark }),
    };
    let utskick = |count: u64| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_utskick"));
        command.arg("check").arg(export(count));
        Some(command)
    };
    let lxml = |count: u64| {
        let mut command = python("lxml")?;
        command.arg(format!("{HERE}/read.py")).arg(export(count));
        Some(command)
    };
    let typed = |count: u64| {
        let program = format!("{BUILT}/kontrolluppgift/release/utskick-peer-kontrolluppgift");
        let mut command = Path::new(&program).exists().then(|| Command::new(program))?;
        command.arg(export(count));
        Some(command)
    };
    let xmllint = |count: u64| {
        let shared = std::env::var_os("UTSKICK_SHARED")?;
        let schema = Path::new(&shared)
            .join("spec/kontrolluppgift/schemas/kontrolluppgifter_8.0/instans/Kontrolluppgifter_8.0.xsd");
        let mut command = schema.exists().then(|| found("xmllint"))??;
        command.args(["--noout", "--stream", "--schema"]).arg(schema).arg(export(count));
        Some(command)
    };
    vec![
        measure("utskick check", &utskick, "schema, rules, across records"),
        measure("kontrolluppgift 0.21", &typed, "typed values"),
        measure("lxml iterparse", &lxml, "a dictionary of fields"),
        measure("xmllint --stream --schema", &xmllint, "schema"),
    ]
}

/// Processor seconds of one statement: the difference between all of the work and a fifth of it. Median of three.
fn slope(count: u64, command: &dyn Fn(u64) -> Option<Command>) -> Result<f64, String> {
    let few = count / 5;
    let mut costs = Vec::new();
    for _ in 0..3 {
        let [less, more] = [few, count].map(|count| cost(command(count)));
        costs.push((more? - less?) / (count - few) as f64);
    }
    costs.sort_by(f64::total_cmp);
    Ok(costs[1])
}

/// Processor seconds of a child, which must succeed.
fn cost(command: Option<Command>) -> Result<f64, String> {
    let mut command = command.ok_or("not here")?;
    let before = of_children();
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("failed: {}", said.lines().last().unwrap_or_default()));
    }
    Ok(of_children() - before)
}

/// Processor seconds of all children that have ended: `cutime` and `cstime` of proc_pid_stat(5), which Linux counts in
/// hundredths of a second.
fn of_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_whitespace().skip(13).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

/// A program on the path.
fn found(name: &str) -> Option<Command> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists()).map(Command::new)
}

/// The Python that has a module: the one that `run` prepared, or the system's.
fn python(module: &str) -> Option<Command> {
    let prepared = PathBuf::from(format!("{BUILT}/venv/bin/python"));
    let system = found("python3").map(|command| PathBuf::from(command.get_program()));
    let has = |program: &PathBuf| {
        let output = Command::new(program).args(["-c", &format!("import {module}")]).output();
        output.is_ok_and(|output| output.status.success())
    };
    [Some(prepared), system].into_iter().flatten().find(has).map(Command::new)
}

fn ourselves(what: &str, folder: &Path, count: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([OURS, what, "--count", &count.to_string(), "--folder"]).arg(folder);
    command
}

/// Our own part, in a process of its own.
fn ours(what: &str, folder: &Path, count: u64) {
    let [sender, mediator] = ["sender", "mediator"].map(|name| signer(folder, name));
    let bytes = std::fs::read_to_string(folder.join("bytes")).unwrap().parse().unwrap();
    let mut signature = Vec::new();
    for number in 0..count {
        if what == "rsa" {
            for signer in [&sender, &mediator] {
                signer.sign_digest(black_box(&[7; 32]), &mut signature).unwrap();
            }
        } else {
            with_letter(bytes, number, |delivery| {
                black_box(seal(delivery, &sender, &mediator, SEALED_ON).unwrap());
            });
        }
    }
    println!("{count}");
}

/// Writes what the peers sign: the unsigned SignedDelivery of each letter, the SealedDelivery without it, and the keys.
fn prepare(folder: &Path, bytes: usize, letters: u64) {
    std::fs::create_dir_all(folder.join("letters")).unwrap();
    std::fs::write(folder.join("bytes"), bytes.to_string()).unwrap();
    for name in ["sender", "mediator"] {
        std::fs::copy(format!("{VECTORS}/{name}.crt.pem"), folder.join(format!("{name}.crt.pem"))).unwrap();
        let base64 = std::fs::read_to_string(format!("{VECTORS}/{name}.key.pkcs8.b64")).unwrap();
        let label = "PRIVATE KEY";
        let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64.trim());
        std::fs::write(folder.join(format!("{name}.key.pem")), pem).unwrap();
    }
    let [sender, mediator] = ["sender", "mediator"].map(|name| signer(folder, name));
    for number in 0..letters {
        with_letter(bytes, number, |delivery| {
            let (_, documents) = seal_with_documents(delivery, &sender, &mediator, SEALED_ON).unwrap();
            let Documents { inner_octets, outer_octets, signed_delivery, sealed_delivery, .. } = documents;
            std::fs::write(folder.join(format!("letters/{number}.xml")), inner_octets).unwrap();
            if number + 1 == letters {
                let outer = String::from_utf8(outer_octets).unwrap();
                let (start, rest) = outer.split_once("<SignedDelivery>").unwrap();
                let (_, end) = rest.split_once("</SignedDelivery>").unwrap();
                std::fs::write(folder.join("seal.xml"), format!("{start}{end}")).unwrap();
                std::fs::write(folder.join("SignedDelivery.utskick.xml"), signed_delivery).unwrap();
                std::fs::write(folder.join("SealedDelivery.utskick.xml"), sealed_delivery).unwrap();
            }
        });
    }
}

fn signer(folder: &Path, name: &str) -> KeySigner {
    let source = KeySource::Pem {
        certificate: folder.join(format!("{name}.crt.pem")),
        private_key: folder.join(format!("{name}.key.pem")),
        password_file: None,
    };
    Credential::load(&source).unwrap().signer().unwrap()
}

/// What xmlsec1 says of both signatures.
fn verify(folder: &Path, who: &str) -> &'static str {
    let mut verified = true;
    for document in ["SignedDelivery", "SealedDelivery"] {
        let Some(mut xmlsec1) = found("xmlsec1") else { return "not verified: no xmlsec1" };
        xmlsec1.args(["--verify", "--trusted-pem"]).arg(format!("{VECTORS}/ca.crt.pem"));
        xmlsec1.args(["--node-xpath", "/*/*[local-name()='Signature']"]);
        let output = xmlsec1.arg(folder.join(format!("{document}.{who}.xml"))).output();
        verified &= output.is_ok_and(|output| output.status.success());
    }
    if verified { "both verified by xmlsec1" } else { "NOT VERIFIED by xmlsec1" }
}

/// The cost of ours in a task.
fn ours_in(rows: &[Row], task: &str) -> Option<f64> {
    let row = rows.iter().find(|row| row.task == task && row.who.starts_with("utskick"))?;
    row.result.as_ref().ok().map(|cost| cost.seconds)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| task | who | µs a statement | statements/s a core | ratio to ours | |\n|---|---|---|---|---|---|\n",
    );
    for Row { task, who, result } in rows {
        let _ = match (result, ours_in(rows, task)) {
            (Ok(Cost { seconds, remark }), Some(ours)) => writeln!(
                text,
                "| {task} | {who} | {:.1} | {:.0} | {:.2} | {remark} |",
                seconds * 1e6,
                1.0 / seconds,
                seconds / ours
            ),
            (Ok(_), None) => writeln!(text, "| {task} | {who} | | | | ours failed |"),
            (Err(why), _) => writeln!(text, "| {task} | {who} | | | | {why} |"),
        };
    }
    text
}

fn json(rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|Row { task, who, result }| match result {
            Ok(Cost { seconds, remark }) => serde_json::json!({
                "task": task, "who": who, "cpu_s_per_statement": seconds,
                "ratio_to_ours": ours_in(rows, task).map(|ours| seconds / ours), "remark": remark,
            }),
            Err(why) => serde_json::json!({ "task": task, "who": who, "missing": why }),
        })
        .collect();
    serde_json::to_string_pretty(&rows).unwrap() + "\n"
}
