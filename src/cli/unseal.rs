//! `unseal`: takes a message apart and says what our own verifier says of it.

use super::print;
use crate::error::{Error, Exit, Result};
use crate::sandbox::certificate::Trust;
use crate::sandbox::verify::{Envelope, Signature};
use clap::Args;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Take a SOAP message apart, and verify it.
///
/// Writes the SignedDelivery and the SealedDelivery as documents of their own in the form that was signed, which other
/// tools verify (xmlsec1, the JDK), as FILE's name with .SignedDelivery.xml and .SealedDelivery.xml. Says what the
/// sandbox's verifier says of both signatures. Exit code 0 where they hold, 1 where not.
#[derive(Debug, Args)]
pub struct Unseal {
    /// The message: a whole SOAP envelope, as it went over the wire
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder for the two documents; by default FILE's
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// PEM bundle of authorities that the certificates must chain to; without it trust is not checked
    #[arg(long, value_name = "FILE")]
    trusted_roots: Option<PathBuf>,
    /// Also ask for the form that Kivra's verifier needs
    #[arg(long)]
    strict: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    verified: bool,
    /// Why the structure breaks the contract.
    structure_fault: Option<String>,
    /// What Kivra's verifier would stumble over.
    strict_fault: Option<&'static str>,
    signed_delivery: Option<Part>,
    sealed_delivery: Option<Part>,
}

#[derive(Serialize)]
struct Part {
    file: PathBuf,
    verified: bool,
    fault: Option<String>,
    trust_checked: bool,
    subject: Option<String>,
    organisation: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
}

impl Unseal {
    /// Writes the documents and prints the verdict.
    pub fn run(self) -> Result<Exit> {
        let unreadable = |path: &Path, error: Box<dyn std::error::Error + Send + Sync>| {
            Error::because(Exit::Input, format!("cannot read {}", path.display()), error)
        };
        let bytes = fs::read(&self.file).map_err(|error| unreadable(&self.file, error.into()))?;
        let trust = match &self.trusted_roots {
            None => None,
            Some(path) => {
                let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
                    .and_then(Iterator::collect)
                    .map_err(|error| unreadable(path, error.into()))?;
                Some(Trust::new(roots).map_err(|error| unreadable(path, error.into()))?)
            }
        };
        let envelope = Envelope::read(&bytes).map_err(|error| unreadable(&self.file, error.into()))?;
        let report = match envelope.delivery() {
            Err(violation) => Report {
                verified: false,
                structure_fault: Some(violation.to_string()),
                strict_fault: None,
                signed_delivery: None,
                sealed_delivery: None,
            },
            Ok(delivery) => {
                let now = UnixTime::now();
                let inner = delivery.inner(trust.as_ref(), now);
                let outer = delivery.outer(trust.as_ref(), now);
                let strict_fault = delivery.strict_fault();
                let signed = self.write("SignedDelivery", &delivery.signed_delivery())?;
                let sealed = self.write("SealedDelivery", &delivery.sealed_delivery())?;
                Report {
                    verified: inner.fault.is_none()
                        && outer.fault.is_none()
                        && (!self.strict || strict_fault.is_none()),
                    structure_fault: None,
                    strict_fault,
                    signed_delivery: Some(part(signed, &inner, trust.is_some())),
                    sealed_delivery: Some(part(sealed, &outer, trust.is_some())),
                }
            }
        };
        if self.json {
            let json = serde_json::to_string_pretty(&report)
                .map_err(|error| Error::because(Exit::Storage, "cannot write the report", error))?;
            print(&format!("{json}\n"))?;
        } else {
            print(&words(&report))?;
        }
        Ok(if report.verified { Exit::Done } else { Exit::LookAt })
    }

    fn write(&self, what: &str, document: &[u8]) -> Result<PathBuf> {
        let mut name = self.file.file_stem().unwrap_or_default().to_owned();
        name.push(format!(".{what}.xml"));
        let path = self.out.as_deref().or(self.file.parent()).unwrap_or(Path::new("")).join(name);
        let failed = |error| Error::because(Exit::Storage, format!("cannot write {}", path.display()), error);
        if let Some(out) = &self.out {
            fs::create_dir_all(out).map_err(failed)?;
        }
        // The same mode as everything that holds a letter.
        crate::sandbox::pki::write_private(&path, document)
            .map_err(|error| Error::because(Exit::Storage, "cannot write what was unsealed", error))?;
        Ok(path)
    }
}

fn part(file: PathBuf, signature: &Signature, trust_checked: bool) -> Part {
    let facts = signature.certificate.as_ref();
    Part {
        file,
        verified: signature.fault.is_none(),
        fault: signature.fault.as_ref().map(ToString::to_string),
        trust_checked,
        subject: facts.map(|facts| facts.subject.clone()),
        organisation: facts.and_then(|facts| facts.organisation.clone()),
        not_before: facts.map(|facts| facts.not_before.to_string()),
        not_after: facts.map(|facts| facts.not_after.to_string()),
    }
}

fn words(report: &Report) -> String {
    let mut text = String::new();
    if let Some(fault) = &report.structure_fault {
        text.push_str(&format!("structure: {fault}\n"));
    }
    for (name, part) in [("SignedDelivery", &report.signed_delivery), ("SealedDelivery", &report.sealed_delivery)] {
        let Some(part) = part else { continue };
        text.push_str(&format!(
            "{name}: {}\n  written to {}\n",
            part.fault.as_deref().unwrap_or("the signature holds"),
            part.file.display()
        ));
        if let (Some(subject), Some(from), Some(to)) = (&part.subject, &part.not_before, &part.not_after) {
            text.push_str(&format!("  by {subject}, certificate from {from} to {to}"));
            text.push_str(if part.trust_checked { "\n" } else { " (issuer not checked: --trusted-roots)\n" });
        }
    }
    if report.structure_fault.is_none() {
        text.push_str(&format!("form for Kivra's verifier: {}\n", report.strict_fault.unwrap_or("suits it")));
    }
    text.push_str(if report.verified { "verified\n" } else { "not verified\n" });
    text
}
