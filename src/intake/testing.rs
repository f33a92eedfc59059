//! Exports for the tests of this folder.

use super::{Access, Checked, Export, Finding, Options, Result, Summary, read};
use crate::config::Severity;
use crate::domain::{Digester, Purpose};
use proptest::prelude::*;
use std::io::Write;

pub const INSTANS: &str = "http://xmls.skatteverket.se/se/skatteverket/ai/instans/infoForBeskattning/8.0";
pub const KOMPONENT: &str = "http://xmls.skatteverket.se/se/skatteverket/ai/komponent/infoForBeskattning/8.0";

/// Head of a good export with the prefix `ku`.
pub fn head() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Skatteverket xmlns=\"{INSTANS}\" xmlns:ku=\"{KOMPONENT}\" omrade=\"Kontrolluppgifter\">\n\
         <ku:Avsandare><ku:Programnamn>P</ku:Programnamn><ku:Organisationsnummer>163021231224</ku:Organisationsnummer>\
         <ku:TekniskKontaktperson><ku:Namn>N</ku:Namn><ku:Telefon>1</ku:Telefon><ku:Epostadress>a@b.se</ku:Epostadress></ku:TekniskKontaktperson>\
         <ku:Skapad>2023-01-01T00:00:00</ku:Skapad></ku:Avsandare>\
         <ku:Blankettgemensamt><ku:Uppgiftslamnare><ku:UppgiftslamnarePersOrgnr>163021231224</ku:UppgiftslamnarePersOrgnr>\
         <ku:Kontaktperson><ku:Namn>N</ku:Namn><ku:Telefon>1</ku:Telefon><ku:Epostadress>a@b.se</ku:Epostadress></ku:Kontaktperson>\
         </ku:Uppgiftslamnare></ku:Blankettgemensamt>\n"
    )
}

pub const TAIL: &str = "\n</Skatteverket>\n";

/// A valid record with this specifikationsnummer; `name` goes into the recipient's first name as it is.
pub fn record(number: u64, name: &str) -> String {
    format!(
        "<ku:Blankett nummer=\"2300\">\n  <ku:Arendeinformation>\n    <ku:Arendeagare>163021231224</ku:Arendeagare>\n    <ku:Period>2022</ku:Period>\n  </ku:Arendeinformation>\n\
         <ku:Blankettinnehall><ku:KU10>\n<ku:ErsEjSocAvg faltkod=\"031\">335000</ku:ErsEjSocAvg>\n<ku:Inkomstar faltkod=\"203\">2022</ku:Inkomstar>\
         <ku:Specifikationsnummer faltkod=\"570\">{number}</ku:Specifikationsnummer><ku:InkomsttagareKU10><ku:Inkomsttagare faltkod=\"215\">195111232079</ku:Inkomsttagare>\
         <ku:Fornamn faltkod=\"216\">{name}</ku:Fornamn></ku:InkomsttagareKU10><ku:UppgiftslamnareKU10><ku:UppgiftslamnarId faltkod=\"201\">163021231224</ku:UppgiftslamnarId></ku:UppgiftslamnareKU10>\
         </ku:KU10></ku:Blankettinnehall></ku:Blankett>"
    )
}

/// Digests without a key, for tests only.
pub struct Plain;

impl Digester for Plain {
    fn digest(&self, _: Purpose, bytes: &[u8]) -> [u8; 16] {
        xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes()
    }
}

/// Options of `check`.
pub fn options() -> Options {
    Options { record_limit_bytes: 65_536, cross_record: Severity::Warning, threads: None, digests: true }
}

/// What reading gave.
pub struct Seen {
    pub checked: Vec<Checked>,
    pub findings: Vec<Finding>,
    pub summary: Result<Summary>,
}

impl Seen {
    /// The spans as ranges.
    pub fn spans(&self) -> Vec<(usize, usize)> {
        let spans = self.checked.iter().map(|checked| checked.span);
        spans.map(|span| (span.offset as usize, span.offset as usize + span.length as usize)).collect()
    }

    /// Rules found of a record.
    pub fn rules(&self, ordinal: u64) -> Vec<&str> {
        self.findings.iter().filter(|finding| finding.ordinal == ordinal).map(|finding| finding.rule.as_ref()).collect()
    }
}

/// Reads an export given as bytes.
pub fn read_bytes(bytes: &[u8]) -> Seen {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    let (mut checked, mut findings) = (Vec::new(), Vec::new());
    let summary = Export::open(file.path(), &Access::InPlace).and_then(|export| {
        read(&export, 0, 1, &options(), &Plain, &mut |batch, found| {
            checked.extend(batch.items);
            findings.extend(found);
            Ok(())
        })
        .and_then(|summary| summary.whole(&export))
    });
    Seen { checked, findings, summary }
}

/// Pieces that make trouble inside a value or between elements.
pub fn trouble() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "<!-- </ku:Blankett> -->",
        "<![CDATA[</ku:Blankett><ku:Blankett>]]>",
        "<?p </ku:Blankett> ?>",
        "<![CDATA[<!--]]>",
        "<!-- <![CDATA[ -->",
        "&lt;/ku:Blankett&gt;",
        "&#60;",
        "'",
        "\"",
        ">",
        "å",
        "😀",
        "\r\n",
        " ",
        "a",
        "]]",
        "</Skatteverket",
        "\u{1}",
        "\u{fffe}",
        "\t",
        "&amp;",
        "&#1;",
        "&x;",
    ]);
    prop_oneof![9 => fixed.prop_map(str::to_owned), 1 => "[a-zåäö ]{0,20}".prop_map(|text| text)]
}
