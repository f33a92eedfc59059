//! `generate`: writes a synthetic export.

use super::{print, say};
use crate::domain::{Form, SchemaVersion};
use crate::error::{Error, Exit, Result};
use crate::sandbox::generate::{self, Encoding, GenerateError, Options, Profile, Summary};
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

/// Write a synthetic export of kontrolluppgifter, to try and to measure with.
///
/// The export is valid by the schema and the official rules, but for the share of --faulty. The same options give the
/// same bytes on any machine, and memory does not grow with the number of statements. People and employers are
/// invented; personnummer have individual numbers 980 to 999.
///
/// Recipients have a personnummer, a samordningsnummer, an organisationsnummer, a födelsetid or another identity, with
/// and without address; about one in a hundred is a minor. One person in 50 has a name with letters of Latin
/// Extended-A (Łukasz Wiśniewski), one in 2,000 a name in Cyrillic or with an emoji. One person in 200, but at least
/// one, has protected data: OUT.protected lists them, one id a line.
///
/// Both files appear whole or not at all; files of these names are replaced.
#[derive(Debug, Args)]
pub struct Generate {
    /// Statements (records) of the export, corrections and removals included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    statements: u64,
    /// The export; OUT.protected is written beside it
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    /// Same seed, same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Forms in the mix, of KU10, KU13, KU14, KU16, KU17, KU18 and KU19: by default all, four fifths of them KU10
    #[arg(long, value_name = "FORMS", value_delimiter = ',', value_parser = form)]
    forms: Vec<Form>,
    /// How much a statement holds
    #[arg(long, value_enum, default_value_t = Profile::Typical)]
    profile: Profile,
    /// Share of statements that break an official rule or the schema, from 0 to 1; the summary counts them by rule
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    faulty: f64,
    /// Share of statements that correct an earlier one of the export: same key, other amounts
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    corrections: f64,
    /// Share of removals (Borttag) of statements that are not in the export
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    removals: f64,
    /// Only recipients that can have a mailbox: nobody is a minor, or known by födelsetid or a foreign id alone
    #[arg(long)]
    addressable: bool,
    /// Employers (uppgiftslämnare), at most 10000: the first has most statements, every fourth is foreign with a
    /// socialavgiftsavtal
    #[arg(long, value_name = "E", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=i64::from(generate::MAX_EMPLOYERS)))]
    employers: u32,
    /// Schema version, 7.0 to 12.0, and with it the income year, 2021 to 2026
    #[arg(long, value_name = "VERSION", default_value = "8.0", value_parser = version)]
    schema_version: SchemaVersion,
    /// Character encoding of the export
    #[arg(long, value_enum, default_value_t = Encoding::Utf8)]
    encoding: Encoding,
    /// Print the summary as JSON to standard output
    #[arg(long)]
    json: bool,
}

impl Generate {
    /// Writes the export and tells what is in it.
    pub fn run(self) -> Result<Exit> {
        let options = Options {
            statements: self.statements,
            seed: self.seed,
            forms: if self.forms.is_empty() { Form::EMPLOYER.to_vec() } else { self.forms },
            profile: self.profile,
            faulty: self.faulty,
            corrections: self.corrections,
            removals: self.removals,
            addressable: self.addressable,
            employers: self.employers,
            version: self.schema_version,
            encoding: self.encoding,
        };
        let begun = Instant::now();
        let mut progress = Progress { shown: std::io::stderr().is_terminal(), total: self.statements };
        let (summary, protected) =
            generate::to_file(&options, &self.out, &mut |done| progress.tell(done)).map_err(|error| match error {
                GenerateError::Options(_) => Error::because(Exit::Usage, "cannot generate such an export", error),
                _ => Error::because(Exit::Storage, "the export is not written", error)
                    .remedy("choose a folder that exists, may be written to and has room"),
            })?;
        let seconds = begun.elapsed().as_secs_f64();
        say(&tell(&summary, seconds, &self.out.display().to_string(), &protected.display().to_string()));
        if self.json {
            let mut json = serde_json::to_value(&summary)
                .map_err(|error| Error::because(Exit::Storage, "cannot write the summary", error))?;
            if let Some(object) = json.as_object_mut() {
                object.insert("file".into(), self.out.to_string_lossy().into());
                object.insert("protected_file".into(), protected.to_string_lossy().into());
            }
            print(&format!("{json:#}\n"))?;
        }
        Ok(Exit::Done)
    }
}

fn form(text: &str) -> Result<Form, String> {
    Form::by_element(text)
        .filter(|form| form.is_employer())
        .ok_or_else(|| "not one of KU10, KU13, KU14, KU16, KU17, KU18, KU19".to_owned())
}

fn version(text: &str) -> Result<SchemaVersion, String> {
    SchemaVersion::parse(text).ok_or_else(|| "not one of 7.0, 8.0, 9.0, 10.0, 11.0, 12.0".to_owned())
}

/// The line on a terminal while it works.
struct Progress {
    shown: bool,
    total: u64,
}

impl Progress {
    fn tell(&mut self, done: u64) {
        use std::io::Write;
        if self.shown {
            let end = if done == self.total { "\r\x1b[K" } else { "" };
            // Nobody to tell is no reason to stop.
            let _ = write!(std::io::stderr(), "\r{done} of {} statements{end}", self.total);
        }
    }
}

fn tell(summary: &Summary, seconds: f64, file: &str, protected: &str) -> String {
    let list = |counts: Vec<(String, u64)>| {
        counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    };
    let forms = list(summary.forms.iter().map(|(form, count)| ((*form).to_owned(), *count)).collect());
    let mut lines = vec![
        format!(
            "{file}: {} statements, {} bytes, in {seconds:.1} s ({:.0} MB/s)",
            summary.statements,
            summary.bytes,
            summary.bytes as f64 / seconds.max(0.001) / 1e6
        ),
        format!("  forms: {forms}; income year {}, schema {}", summary.income_year, summary.schema_version),
        format!("  employers: {}", summary.employers.len()),
    ];
    if summary.corrections + summary.removals > 0 {
        lines.push(format!("  {} corrections, {} removals", summary.corrections, summary.removals));
    }
    if summary.faulty > 0 {
        let faults = list(summary.faults.iter().map(|(rule, count)| (format!("of {rule}"), *count)).collect());
        lines.push(format!("  faulty: {} ({faults})", summary.faulty));
    }
    lines.push(format!("{protected}: {} recipients", summary.protected.len()));
    lines.join("\n")
}
