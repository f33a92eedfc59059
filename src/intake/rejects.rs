//! The rejects as a file that a person can act on: a line for each finding, tab-separated, for a spreadsheet.
//!
//! Columns: `ordinal`, `employer`, `form`, `specifikationsnummer`, `rule`, `label`, `meaning`, with `--unmask` the
//! recipient's identity as `recipient`, then `export` and `offset`, as findings have them. Without `--unmask` no line holds the number or name of a person; an employer that is a
//! person is masked, and so is a specifikationsnummer that is the number of one.

use super::findings::Finding;
use super::{Export, read::Checked};
use crate::domain::{FieldIndex, Kontrolluppgift, Organisation, faltkod, mask_people};
use std::io::{self, Write};
use std::ops::RangeInclusive;

/// What a specifikationsnummer can be (fältkod 570).
const NUMBERS: RangeInclusive<i64> = 1..=9_999_999_999;

/// Writes rejects.
#[derive(Debug)]
pub struct Rejects<W> {
    to: W,
    unmask: bool,
}

impl<W: Write> Rejects<W> {
    /// Begins a file; with `unmask`, which whoever asks for it must write to the audit log, recipients are named.
    pub fn new(mut to: W, unmask: bool) -> io::Result<Self> {
        to.write_all(b"ordinal\temployer\tform\tspecifikationsnummer\trule\tlabel\tmeaning")?;
        to.write_all(if unmask { b"\trecipient" } else { b"" })?;
        // Last, where they move no other column.
        to.write_all(b"\texport\toffset\n")?;
        Ok(Self { to, unmask })
    }

    /// Writes the lines of one batch; `findings` are those that came with it.
    pub fn write(&mut self, export: &Export, batch: &[Checked], findings: &[Finding]) -> io::Result<()> {
        for finding in findings.iter().filter(|finding| finding.is_error()) {
            let checked = batch
                .binary_search_by_key(&finding.ordinal, |checked| checked.span.ordinal)
                .ok()
                .and_then(|place| batch.get(place));
            let statement = checked.and_then(|checked| export.record(&checked.span).ok());
            self.line(statement.as_ref(), finding)?;
        }
        Ok(())
    }

    /// Writes the lines of what was found across records, which are not at hand any more: without employer and number.
    pub fn write_across(&mut self, findings: &[Finding]) -> io::Result<()> {
        findings.iter().filter(|finding| finding.is_error()).try_for_each(|finding| self.line(None, finding))
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }

    fn line(&mut self, statement: Option<&Kontrolluppgift<'_>>, finding: &Finding) -> io::Result<()> {
        let text = |field| statement.and_then(|statement| statement.text(field)).unwrap_or_default();
        let ordinal = if finding.ordinal == 0 { String::new() } else { finding.ordinal.to_string() };
        let employer = Organisation::parse(text(faltkod::UPPGIFTSLAMNAR_ID)).map(|id| id.to_string());
        let number = statement.and_then(|statement| statement.integer(faltkod::SPECIFIKATIONSNUMMER));
        // What is out of range may be anything.
        let number = number.filter(|number| NUMBERS.contains(number)).map(|number| number.to_string());
        let number = number.unwrap_or_default();
        let field = finding.faltkod.and_then(FieldIndex::of);
        let place = field.zip(finding.form).and_then(|(field, form)| form.table().place(field));
        let label = place.map(|place| place.label).or(field.map(|field| field.field().label)).unwrap_or_default();
        write!(
            self.to,
            "{ordinal}\t{}\t{}\t{}\t{}\t{label}\t{}",
            employer.unwrap_or_default(),
            finding.form.map(|form| form.element()).unwrap_or_default(),
            mask_people(&number),
            finding.rule,
            finding.message,
        )?;
        if self.unmask {
            let fields = [faltkod::INKOMSTTAGARE, faltkod::FODELSETID, faltkod::ANNAT_ID_NR];
            let recipient = fields.into_iter().map(text).find(|text| !text.is_empty()).unwrap_or_default();
            // A cell of a spreadsheet: nothing that parts cells or lines.
            let recipient: String = recipient.chars().filter(|c| !c.is_control()).take(40).collect();
            write!(self.to, "\t{recipient}")?;
        }
        writeln!(self.to, "\t{}\t{}", u32::from(finding.export) + 1, finding.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::testing::{TAIL, head, read_bytes, record};
    use crate::intake::{Access, Export};

    /// The specifikationsnummer of a faulty record with this one.
    fn told(number: &str) -> String {
        let faulty = record(7, "").replace(">7<", &format!(">{number}<"));
        let bytes = format!("{}{faulty}{TAIL}", head()).into_bytes();
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&bytes).expect("written");
        let export = Export::open(file.path(), &Access::InPlace).expect("an export");
        let seen = read_bytes(&bytes);
        let mut rejects = Rejects::new(Vec::new(), false).expect("begun");
        rejects.write(&export, &seen.checked, &seen.findings).expect("written");
        let lines = String::from_utf8(rejects.finish().expect("ended")).expect("text");
        lines.lines().nth(1).and_then(|line| line.split('\t').nth(3)).expect("a line").to_owned()
    }

    #[test]
    fn a_line_names_its_export_and_the_place_in_it() {
        for (unmask, recipient) in [(false, None), (true, Some("195111232079"))] {
            let mut rejects = Rejects::new(Vec::new(), unmask).expect("begun");
            let mut offsets = Vec::new();
            for (number, ordinal) in [(0, 1), (1, 2)] {
                let bytes = format!("{}{}{TAIL}", head(), record(7, "")).into_bytes();
                let mut file = tempfile::NamedTempFile::new().expect("a file");
                file.write_all(&bytes).expect("written");
                let export = Export::open(file.path(), &Access::InPlace).expect("an export");
                let mut seen = read_bytes(&bytes);
                for finding in &mut seen.findings {
                    (finding.export, finding.ordinal) = (number, ordinal);
                }
                seen.checked.iter_mut().for_each(|checked| checked.span.ordinal = ordinal);
                offsets.extend(seen.findings.iter().map(|finding| finding.offset.to_string()));
                rejects.write(&export, &seen.checked, &seen.findings).expect("written");
            }
            let lines = String::from_utf8(rejects.finish().expect("ended")).expect("text");
            let lines: Vec<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
            let [head, first, second] = &lines[..] else { panic!("{lines:?}") };
            assert_eq!(head[..7], ["ordinal", "employer", "form", "specifikationsnummer", "rule", "label", "meaning"]);
            assert_eq!(head[head.len() - 2..], ["export", "offset"]);
            for (line, ordinal, offset) in [(first, "1", &offsets[0]), (second, "2", &offsets[1])] {
                assert_eq!((line.len(), line[0]), (head.len(), ordinal));
                assert_eq!(line[line.len() - 2..], [ordinal, offset.as_str()]);
                assert_eq!(line.get(7).copied().filter(|_| unmask), recipient);
            }
        }
    }

    #[test]
    fn a_number_of_a_person_is_not_told_whatever_field_it_stands_in() {
        assert_eq!(told("7"), "7");
        assert_eq!(told("9999999998"), "9999999998");
        assert_eq!(told("5111232079"), "**********");
        for out_of_range in ["195111232079", "195111232078", "0", "-5111232079"] {
            assert_eq!(told(out_of_range), "", "{out_of_range}");
        }
    }
}
