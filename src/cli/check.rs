//! `check`: reads and validates exports in place, sends nothing.

use super::{print, say, shown};
use crate::config::{Config, Run, Severity};
use crate::domain::{ContentDigest, Digester, FORMS, Form, Purpose, mask_people};
use crate::error::{Error, Exit, Result};
use crate::intake::{
    Access, Checked, Export, ExportFingerprint, Finding, IntakeError, Options, Rejects, Settler, Stop, Summary,
    Verdict, read,
};
use crate::outputs::Outputs;
use crate::pipeline::preflight::{Of, State, preflight};
use clap::Args;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Validates exports without sending anything.
///
/// Reads every record in place against schema and official rules, and looks across records for repeats, corrections
/// and removals. With settings it also looks at the installation's key and register, at keys, certificates and their
/// dates, and shakes hands with each gateway. An export in another encoding than UTF-8 is turned into UTF-8 in a file
/// without a name that vanishes with the process.
///
/// Ends with 0 when no finding is an error, 1 when there are errors, 65 when an export or a record cannot be read, 78
/// when the settings are wrong, 69 when a gateway refuses us.
#[derive(Debug, Args)]
pub struct Check {
    /// Exports of kontrolluppgifter, read in this order.
    #[arg(required = true, value_name = "EXPORT")]
    exports: Vec<PathBuf>,
    /// Settings: their limits are used, and keys, certificates and gateways are checked.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Writes the findings to a file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
    /// Writes the errors to a file for a spreadsheet, tab-separated: ordinal, employer, form, specifikationsnummer,
    /// rule, label, meaning, export, offset.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Adds the recipients' identities to the rejects, after the meaning. The log says who did it.
    #[arg(long, requires = "rejects")]
    unmask: bool,
    /// Prints the result as JSON (testdata/schemas/check.json).
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Reads the exports and prints what they came to.
    pub fn run(self) -> Result<Exit> {
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let mut tally = Tally::new(&self, config.as_ref())?;
        for (number, path) in (0..).zip(&self.exports) {
            tally.export(number, path)?;
        }
        let mut report = tally.finish()?;
        let mut exit = report.exit();
        if let Some(config) = &config {
            let gateways = gateways(config)?;
            if gateways.exit != Exit::Done {
                exit = if exit == Exit::Done { gateways.exit } else { exit };
            }
            report.settings = gateways.lines;
        }
        if self.json {
            let json = serde_json::to_string_pretty(&report);
            let json = json.map_err(|error| Error::because(Exit::Storage, "cannot write the result", error))?;
            print(&format!("{json}\n"))?;
        } else {
            print(&report.text())?;
        }
        for export in &report.exports {
            if let Some(error) = &export.error {
                say(&format!("utskick: {error}"));
            }
        }
        Ok(exit)
    }
}

/// What the settings came to: a line each, and the exit code that they mean.
#[derive(Debug)]
pub struct Gateways {
    /// What was looked at and how it is.
    pub lines: Vec<String>,
    /// [`Exit::Done`], or what is wrong.
    pub exit: Exit,
}

/// Looks at what the settings name beside the exports.
fn gateways(config: &Config) -> Result<Gateways> {
    let mut lines = vec![format!("settings {} are read", config.file.display())];
    let checked = preflight(config)?;
    lines.extend(checked.iter().map(|at| format!("{}: {} {}", at.state, at.what, at.detail)));
    let wrong = |of: Of| checked.iter().any(|at| at.state == State::Wrong && at.of == of);
    let exit = match (wrong(Of::Settings), wrong(Of::Gateway)) {
        (true, _) => Exit::Settings,
        (false, true) => Exit::Refused,
        (false, false) => Exit::Done,
    };
    Ok(Gateways { lines, exit })
}

/// Digests with a key of the moment: they only tell equal from different within this process.
#[derive(Clone, Copy)]
struct Momentary(u64);

impl Digester for Momentary {
    fn digest(&self, _: Purpose, bytes: &[u8]) -> [u8; 16] {
        xxhash_rust::xxh3::xxh3_128_with_seed(bytes, self.0).to_be_bytes()
    }
}

/// Reads single records again once all exports are read.
struct Again<'a> {
    exports: &'a [ExportReport],
    digester: Momentary,
    /// The exports read last, by their numbers.
    open: HashMap<u16, Export>,
}

/// Exports that are kept open to read single records again.
const KEPT_OPEN: usize = 64;

impl Again<'_> {
    fn content(&mut self, number: u16, ordinal: u64, place: u64) -> Result<ContentDigest> {
        if self.open.len() >= KEPT_OPEN && !self.open.contains_key(&number) {
            self.open.clear();
        }
        let export = match self.open.entry(number) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                let was = self.exports.get(usize::from(number)).and_then(|report| report.fingerprint.clone());
                let path = was.as_ref().map(|was| was.path.clone()).unwrap_or_default();
                let export = Export::open(&path, &Access::InPlace).map_err(IntakeError::into_error)?;
                if was != Some(export.fingerprint()) {
                    return Err(IntakeError::Changed { path }.into_error());
                }
                place.insert(export)
            }
        };
        export.content(ordinal, place, &self.digester).map_err(IntakeError::into_error)
    }
}

/// Counts while exports are read.
struct Tally {
    options: Options,
    digester: Momentary,
    settler: Settler,
    findings: Option<(PathBuf, BufWriter<File>)>,
    rejects: Option<(PathBuf, Rejects<BufWriter<File>>)>,
    /// By form, in the order of the enum; records without one come last.
    forms: [Counts; FORMS.len() + 1],
    rules: BTreeMap<(Cow<'static, str>, bool), RuleCount>,
    exports: Vec<ExportReport>,
    next_ordinal: u64,
    started: Instant,
}

/// Records by what became of them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    records: u64,
    valid: u64,
    rejected: u64,
    removals: u64,
}

impl Counts {
    fn count(&mut self, fate: Verdict) {
        self.records += 1;
        match fate {
            Verdict::Valid => self.valid += 1,
            Verdict::Rejected => self.rejected += 1,
            Verdict::Removal => self.removals += 1,
        }
    }
}

#[derive(Debug)]
struct RuleCount {
    count: u64,
    first: Place,
    message: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Place {
    export: u32,
    ordinal: Option<u64>,
    offset: u64,
}

/// The result, as JSON has it.
#[derive(Debug, Serialize)]
struct Report {
    records: u64,
    valid: u64,
    rejected: u64,
    removals: u64,
    replaced: u64,
    unreadable: u64,
    faults_of_export: u64,
    bytes: u64,
    seconds: f64,
    records_per_s: f64,
    bytes_per_s: f64,
    by_form: BTreeMap<&'static str, Counts>,
    by_rule: Vec<RuleReport>,
    exports: Vec<ExportReport>,
    settings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RuleReport {
    rule: Cow<'static, str>,
    severity: &'static str,
    count: u64,
    message: Cow<'static, str>,
    first: Place,
}

#[derive(Debug, Serialize)]
struct ExportReport {
    /// As it was named, identities of people masked.
    path: String,
    bytes: u64,
    encoding: Option<String>,
    version: Option<&'static str>,
    first_ordinal: u64,
    records: u64,
    valid: u64,
    rejected: u64,
    removals: u64,
    slow: u64,
    unreadable: u64,
    faults_of_export: u64,
    /// Why it could not be read to its end.
    error: Option<String>,
    #[serde(skip)]
    exit: Option<Exit>,
    /// What the file was when it was read.
    #[serde(skip)]
    fingerprint: Option<ExportFingerprint>,
}

impl Tally {
    fn new(check: &Check, config: Option<&Config>) -> Result<Self> {
        let defaults = Run::default();
        let run = config.map_or(&defaults, |config| &config.run);
        let mut outputs = Outputs::beside(&check.exports).and(config);
        let mut create = |path: &Path| outputs.create(path).map(BufWriter::new);
        let findings = check.findings.as_deref().map(|path| create(path).map(|file| (path.to_path_buf(), file)));
        let findings = findings.transpose()?;
        let rejects = check.rejects.as_deref().map(|path| {
            let rejects = Rejects::new(create(path)?, check.unmask).map_err(|error| unwritable(path, error))?;
            Ok::<_, Error>((path.to_path_buf(), rejects))
        });
        if check.unmask {
            tracing::warn!(target: "audit", uid = rustix::process::getuid().as_raw(), "rejects are written with the recipients' identities");
            say("utskick: audit: the rejects are written with the recipients' identities");
        }
        Ok(Self {
            options: Options {
                record_limit_bytes: run.record_limit_bytes,
                cross_record: run.cross_record,
                threads: run.threads,
                digests: false,
            },
            digester: Momentary(fastrand::u64(..)),
            settler: Settler::new(run.cross_record),
            findings,
            rejects: rejects.transpose()?,
            forms: [Counts::default(); FORMS.len() + 1],
            rules: BTreeMap::new(),
            exports: Vec::new(),
            next_ordinal: 1,
            started: Instant::now(),
        })
    }

    /// Reads one export; what makes it unreadable is part of the result, and the next one is read all the same.
    fn export(&mut self, number: u16, path: &Path) -> Result<()> {
        let mut report = ExportReport {
            path: shown(path),
            bytes: std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or(0),
            encoding: None,
            version: None,
            first_ordinal: self.next_ordinal,
            records: 0,
            valid: 0,
            rejected: 0,
            removals: 0,
            slow: 0,
            unreadable: 0,
            faults_of_export: 0,
            error: None,
            exit: None,
            fingerprint: None,
        };
        let export = match Export::open(path, &Access::InPlace) {
            Ok(export) => export,
            Err(error) => return self.unreadable(report, error),
        };
        report.encoding = Some(export.encoding().to_owned());
        report.version = Some(export.version().as_str());
        report.fingerprint = Some(export.fingerprint());
        let (first, options) = (self.next_ordinal, self.options.clone());
        let digester = self.digester;
        let mut counts = Counts::default();
        let summary = read(&export, number, first, &options, &digester, &mut |batch, findings| {
            batch.items.iter().for_each(|checked| counts.count(checked.fate));
            self.take(&export, number, &batch.items, &findings).map_err(|error| Stop(Box::new(error)))
        });
        self.next_ordinal += counts.records;
        (report.records, report.valid, report.rejected, report.removals) =
            (counts.records, counts.valid, counts.rejected, counts.removals);
        match summary {
            Ok(Summary { slow, unreadable, first_unreadable, faults_of_export, broken, .. }) => {
                (report.slow, report.unreadable, report.faults_of_export) = (slow, unreadable, faults_of_export);
                if let Some((offset, what)) = first_unreadable {
                    report.exit = Some(Exit::Input);
                    report.error = Some(format!(
                        "{}: {unreadable} of its records cannot be read; the first at byte {offset}: {what}",
                        report.path
                    ));
                }
                match broken {
                    Some(malformed) => self.unreadable(report, export.refused(&malformed)),
                    None => {
                        self.exports.push(report);
                        Ok(())
                    }
                }
            }
            Err(error) => self.unreadable(report, error),
        }
    }

    fn unreadable(&mut self, mut report: ExportReport, error: IntakeError) -> Result<()> {
        if error.exit() != Exit::Input {
            return Err(error.into_error());
        }
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        report.exit = Some(Exit::Input);
        let text = mask_people(&text).into_owned();
        report.error = Some(match report.error.take() {
            Some(before) => format!("{text}; {before}"),
            None => text,
        });
        self.exports.push(report);
        Ok(())
    }

    fn take(&mut self, export: &Export, number: u16, batch: &[Checked], findings: &[Finding]) -> Result<()> {
        for checked in batch {
            let place = checked.form.map_or(FORMS.len(), |form| form as usize);
            if let Some(counts) = self.forms.get_mut(place) {
                counts.count(checked.fate);
            }
            self.settler.push(number, checked);
        }
        if let Some((path, rejects)) = &mut self.rejects {
            rejects.write(export, batch, findings).map_err(|error| unwritable(path, error))?;
        }
        self.findings(findings)
    }

    fn findings(&mut self, findings: &[Finding]) -> Result<()> {
        for finding in findings {
            let place = Place {
                export: u32::from(finding.export) + 1,
                ordinal: (finding.ordinal != 0).then_some(finding.ordinal),
                offset: finding.offset,
            };
            let rule = self.rules.entry((finding.rule.clone(), finding.is_error())).or_insert_with(|| RuleCount {
                count: 0,
                first: place,
                message: finding.message.clone(),
            });
            rule.count += 1;
            if let Some((path, file)) = &mut self.findings {
                let path = path.clone();
                serde_json::to_writer(&mut *file, finding)
                    .map_err(std::io::Error::from)
                    .and_then(|()| file.write_all(b"\n"))
                    .map_err(|error| unwritable(&path, error))?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Report> {
        let settler = std::mem::replace(&mut self.settler, Settler::new(Severity::Warning));
        let mut again = Again { exports: &self.exports, digester: self.digester, open: HashMap::new() };
        let (amendments, findings) = settler.finish(|export, ordinal, place| again.content(export, ordinal, place))?;
        self.findings(&findings)?;
        if let Some((path, mut file)) = self.findings.take() {
            file.flush().map_err(|error| unwritable(&path, error))?;
        }
        if let Some((path, mut rejects)) = self.rejects.take() {
            rejects.write_across(&findings).map_err(|error| unwritable(&path, error))?;
            rejects.finish().map_err(|error| unwritable(&path, error))?;
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let sum = |of: fn(&ExportReport) -> u64| self.exports.iter().map(of).sum::<u64>();
        let (records, bytes) = (sum(|export| export.records), sum(|export| export.bytes));
        let rules = self.rules.into_iter().map(|((rule, error), count)| RuleReport {
            rule,
            severity: if error { "error" } else { "warning" },
            count: count.count,
            message: count.message,
            first: count.first,
        });
        let names = Form::all().map(Form::element).chain(["unknown"]);
        Ok(Report {
            records,
            valid: sum(|export| export.valid),
            rejected: sum(|export| export.rejected),
            removals: sum(|export| export.removals),
            replaced: amendments.len() as u64,
            unreadable: sum(|export| export.unreadable),
            faults_of_export: sum(|export| export.faults_of_export),
            bytes,
            seconds,
            records_per_s: per_second(records, seconds),
            bytes_per_s: per_second(bytes, seconds),
            by_form: names.zip(self.forms).filter(|(_, counts)| counts.records > 0).collect(),
            by_rule: rules.collect(),
            exports: self.exports,
            settings: Vec::new(),
        })
    }
}

impl Report {
    fn exit(&self) -> Exit {
        if self.exports.iter().any(|export| export.exit == Some(Exit::Input)) {
            Exit::Input
        } else if self.by_rule.iter().any(|rule| rule.severity == "error") {
            Exit::LookAt
        } else {
            Exit::Done
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for export in &self.exports {
            let _ = writeln!(
                text,
                "{}: {} records, {}, schema {}, {}",
                export.path,
                export.records,
                size(export.bytes),
                export.version.unwrap_or("unknown"),
                export.encoding.as_deref().unwrap_or("unknown encoding")
            );
            if let Some(error) = &export.error {
                let _ = writeln!(text, "    {error}");
            }
        }
        let _ = writeln!(text, "\n{:<10}{:>12}{:>12}{:>12}{:>12}", "form", "records", "valid", "rejected", "removals");
        let total =
            Counts { records: self.records, valid: self.valid, rejected: self.rejected, removals: self.removals };
        for (form, counts) in self.by_form.iter().chain([(&"all", &total)]) {
            let Counts { records, valid, rejected, removals } = counts;
            let _ = writeln!(text, "{form:<10}{records:>12}{valid:>12}{rejected:>12}{removals:>12}");
        }
        if self.replaced > 0 {
            let _ = writeln!(text, "{} are settled by a later record of the same statement", self.replaced);
        }
        if self.by_rule.is_empty() {
            let read = self.exports.iter().all(|export| export.error.is_none());
            text.push_str(if read { "\nno findings\n" } else { "\nno findings in what could be read\n" });
        } else {
            let _ = writeln!(text, "\n{:<30}{:>10}  {:<9}first", "rule", "findings", "severity");
            for rule in &self.by_rule {
                let first = match rule.first.ordinal {
                    Some(ordinal) => format!("record {ordinal}, byte {}", rule.first.offset),
                    None => format!("export {}, byte {}", rule.first.export, rule.first.offset),
                };
                let _ = writeln!(text, "{:<30}{:>10}  {:<9}{first}", rule.rule, rule.count, rule.severity);
                let _ = writeln!(text, "    {}", rule.message);
            }
        }
        for line in &self.settings {
            let _ = writeln!(text, "{line}");
        }
        let _ = writeln!(
            text,
            "\n{:.2} s, {:.0} records/s, {}/s",
            self.seconds,
            self.records_per_s,
            size(self.bytes_per_s as u64)
        );
        text
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::because(Exit::Storage, format!("cannot write {}", path.display()), error)
}
