//! Synthetic exports: schema-valid and rule-valid kontrolluppgifter of all employer forms, for trying, measuring and
//! demonstrating.
//!
//! In: [`Options`]. Out: an export, byte for byte the same for the same options on any machine, and a [`Summary`] of
//! what is in it. Records are functions of the seed and their number, so that memory does not grow with the export;
//! arithmetic is on integers, since mathematical libraries differ. People, addresses and employers are invented;
//! personnummer have individual numbers 980 to 999.
//!
//! What it does not do: well-formedness faults and odd lexical forms, which are tests of the reader's own.

mod draft;
mod faults;
mod mill;
mod names;
mod people;
mod write;

pub use faults::SCHEMA;
pub use people::{Employer, Kind, PROTECTED_ONE_IN, RARE_ONE_IN};
pub use write::Encoding;

use crate::domain::{Form, Identity, SchemaVersion};
use mill::Mill;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use write::Writer;

/// How much a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// One amount; name and address only where a rule demands them.
    Lean,
    /// One to three amounts, now and then a box; names always, addresses mostly.
    Typical,
    /// Everything that may stand together, in any order.
    Full,
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records (Blankett) of the export, corrections and removals included; at least 1.
    pub statements: u64,
    /// Same seed, same bytes.
    pub seed: u64,
    /// Forms in the mix, employer forms only; weighted as in the default mix of all seven.
    pub forms: Vec<Form>,
    /// How much a record holds.
    pub profile: Profile,
    /// Share of records that break one rule or the schema, 0 to 1.
    pub faulty: f64,
    /// Share of records that correct an earlier one of the export: same key, other amounts.
    pub corrections: f64,
    /// Share of records that are removals (Borttag) of statements not in this export.
    pub removals: f64,
    /// Whether every recipient can have a mailbox: nobody is a minor, or known by födelsetid or a foreign id alone.
    pub addressable: bool,
    /// Employers (uppgiftslämnare), 1 to [`MAX_EMPLOYERS`]; the first is the largest.
    pub employers: u32,
    /// Schema version, and with it the income year.
    pub version: SchemaVersion,
    /// Character encoding.
    pub encoding: Encoding,
}

/// The most employers of an export: as many organisationsnummer of each sort can be told apart.
pub const MAX_EMPLOYERS: u32 = 10_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            statements: 10_000,
            seed: 1,
            forms: Form::EMPLOYER.to_vec(),
            profile: Profile::Typical,
            faulty: 0.0,
            corrections: 0.0,
            removals: 0.0,
            addressable: false,
            employers: 4,
            version: SchemaVersion::V8,
            encoding: Encoding::Utf8,
        }
    }
}

/// What is in an export.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// Records.
    pub statements: u64,
    /// Bytes of the export.
    pub bytes: u64,
    /// The seed.
    pub seed: u64,
    /// Version in the namespaces.
    pub schema_version: &'static str,
    /// Income year of every record.
    pub income_year: u16,
    /// Encoding, as declared.
    pub encoding: Encoding,
    /// The profile.
    pub profile: Profile,
    /// Records by form.
    pub forms: BTreeMap<&'static str, u64>,
    /// Records by what identifies their recipient.
    pub recipients: BTreeMap<Kind, u64>,
    /// Records with a postal address.
    pub with_address: u64,
    /// The employers and how many records each has.
    pub employers: Vec<Employer>,
    /// Records that correct an earlier one.
    pub corrections: u64,
    /// Removals.
    pub removals: u64,
    /// Records that break something; sum of `faults`.
    pub faulty: u64,
    /// Records by the official rule that they break, or [`SCHEMA`].
    pub faults: BTreeMap<&'static str, u64>,
    /// Recipients with protected data: one person in [`PROTECTED_ONE_IN`], at least one.
    #[serde(serialize_with = "count")]
    pub protected: BTreeSet<Identity>,
}

fn count<S: serde::Serializer>(ids: &BTreeSet<Identity>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(ids.len() as u64)
}

/// Why an export could not be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The options contradict themselves; the text says how.
    #[error("{0}")]
    Options(&'static str),
    /// The export could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes an export to a file, and its protected recipients, one id a line, to a file beside it of the same name with
/// `.protected` added.
///
/// Both appear whole, under their names, or not at all; files of these names are replaced. Returns the summary and
/// the second path. *Errors*: [`GenerateError`].
pub fn to_file(
    options: &Options,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(Summary, PathBuf), GenerateError> {
    let mut protected_path = path.as_os_str().to_owned();
    protected_path.push(".protected");
    let protected_path = PathBuf::from(protected_path);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| GenerateError::Write { path, source }
    };

    let export = Replacement::create(path).map_err(failed(path))?;
    let mut out = BufWriter::with_capacity(1 << 20, &export.file);
    let summary = generate(options, &mut out, progress).map_err(|error| match error {
        Failure::Options(text) => GenerateError::Options(text),
        Failure::Write(source) => failed(path)(source),
    })?;
    out.flush().map_err(failed(path))?;
    drop(out);

    let protected = Replacement::create(&protected_path).map_err(failed(&protected_path))?;
    let lines: String = summary.protected.iter().flat_map(|id| [id.expose(), "\n"]).collect();
    (&protected.file).write_all(lines.as_bytes()).map_err(failed(&protected_path))?;
    protected.finish().map_err(failed(&protected_path))?;
    export.finish().map_err(failed(path))?;
    Ok((summary, protected_path))
}

/// Why [`generate`] stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The options contradict themselves; the text says how.
    #[error("{0}")]
    Options(&'static str),
    /// The writer failed.
    #[error("cannot write the export")]
    Write(#[from] io::Error),
}

/// Writes an export. Progress is told in records, now and then.
///
/// *Cost*: memory does not depend on the number of statements (the protected recipients are bounded by the pools of
/// persons); time a few microseconds a statement.
pub fn generate(options: &Options, out: &mut impl Write, progress: &mut dyn FnMut(u64)) -> Result<Summary, Failure> {
    options.check().map_err(Failure::Options)?;
    let mut mill = Mill::new(options);
    let mut writer = Writer::new(options.encoding);
    let mut put = |bytes: &[u8]| out.write_all(bytes).map(|()| bytes.len() as u64);

    let mut bytes = put(writer.head(options.version, &mill.summary.employers))?;
    for record in 0..options.statements {
        bytes += put(writer.record(&mill.next(record)))?;
        if record % 8192 == 8191 {
            progress(record + 1);
        }
    }
    bytes += put(writer.foot())?;
    progress(options.statements);
    Ok(mill.finish(bytes))
}

impl Options {
    fn check(&self) -> Result<(), &'static str> {
        let shares = [self.faulty, self.corrections, self.removals];
        if self.statements == 0 {
            Err("an export has at least one statement")
        } else if !(1..=MAX_EMPLOYERS).contains(&self.employers) {
            Err("an export has 1 to 10000 employers")
        } else if self.forms.is_empty() || !self.forms.iter().all(|form| form.is_employer()) {
            Err("forms are KU10, KU13, KU14, KU16, KU17, KU18 and KU19")
        } else if !shares.iter().all(|share| (0.0..=1.0).contains(share)) || shares.iter().sum::<f64>() > 1.0 {
            Err("a share is a number from 0 to 1, and faulty, corrections and removals together are at most 1")
        } else {
            Ok(())
        }
    }
}

/// A file that takes its name only when it is whole.
struct Replacement<'a> {
    path: &'a Path,
    temporary: PathBuf,
    file: File,
}

impl<'a> Replacement<'a> {
    fn create(path: &'a Path) -> io::Result<Self> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = PathBuf::from(temporary);
        Ok(Self { path, file: File::create(&temporary)?, temporary })
    }

    fn finish(self) -> io::Result<()> {
        std::fs::rename(&self.temporary, self.path)
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        // Gone already where it took its name.
        let _ = std::fs::remove_file(&self.temporary);
    }
}
