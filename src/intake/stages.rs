//! The stages of pass 1 one by one on one thread, for benches: what each costs by itself. A run goes through [`super::read()`].

use super::findings::Faults;
use super::head::Records;
use super::parse::{self, Record, Scratch};
use super::split::{Piece, Splitter};
use super::validate::{Context, Employers, sound, validate};
use super::{Export, Result};
use crate::config::Severity;
use crate::domain::{FieldIndex, faltkod};
use std::ops::Range;

/// An export whose records are known.
#[derive(Debug)]
pub struct Stages<'a> {
    export: &'a Export,
    context: Context,
    spans: Vec<Range<usize>>,
    scratch: Scratch,
    employers: Employers,
}

impl<'a> Stages<'a> {
    /// Splits an export.
    ///
    /// *Errors*: an export that is not well-formed between its records.
    pub fn new(export: &'a Export) -> Result<Self> {
        let (listed, version) = (export.head.listed.clone(), export.version());
        let context = Context { version, listed, cross_record: Severity::Warning };
        let (scratch, employers) = (Scratch::default(), Employers::default());
        let mut stages = Self { export, context, spans: Vec::new(), scratch, employers };
        stages.split()?;
        Ok(stages)
    }

    /// Finds the records; how many.
    ///
    /// *Errors*: as [`Stages::new`].
    pub fn split(&mut self) -> Result<usize> {
        let (at, ended) = match self.export.head.records {
            Records::From(at) => (at, false),
            Records::None(at) => (at, true),
        };
        let mut splitter = Splitter::new(self.export.bytes(), at, ended, usize::MAX, &self.export.head.dialect);
        self.spans.clear();
        loop {
            match splitter.next().map_err(|malformed| self.export.refused(&malformed))? {
                Piece::Record(span, _) => self.spans.push(span),
                Piece::End => return Ok(self.spans.len()),
                Piece::Foreign(_) | Piece::Text(_) => {}
                Piece::Broken(malformed) => return Err(self.export.refused(&malformed)),
            }
        }
    }

    /// Reads every record the fast way; the sum of their fields, of those that it took.
    pub fn fast(&mut self) -> usize {
        let (export, dialect) = (self.export, &self.export.head.dialect);
        let mut record = Record::empty();
        let mut fields = 0;
        for span in &self.spans {
            let text = simdutf8::basic::from_utf8(export.bytes().get(span.clone()).unwrap_or_default()).ok();
            if text.and_then(|text| parse::fast(text, dialect, &mut self.scratch, &mut record)).is_some() {
                fields += record.places.len();
            }
        }
        fields
    }

    /// Reads every record the slow way; the sum of their fields, of those that are well-formed.
    pub fn slow(&self) -> usize {
        let mut faults = Faults::default();
        let read = self.spans.iter().map(|span| {
            faults.clear();
            let bytes = self.export.bytes().get(span.clone()).unwrap_or_default();
            match parse::slow(bytes, &self.export.head.dialect, &mut faults) {
                parse::Parsed::Record(record) => record.places.len(),
                _ => 0,
            }
        });
        read.sum()
    }

    /// Reads every record the fast way and judges it, as a run does; how many have nothing told of them.
    pub fn judge(&mut self) -> usize {
        self.judged(true)
    }

    /// As [`Stages::judge`], each record in full, whether it is plainly sound or not.
    pub fn judge_in_full(&mut self) -> usize {
        self.judged(false)
    }

    fn judged(&mut self, plainly: bool) -> usize {
        const SENDER: FieldIndex = faltkod::UPPGIFTSLAMNAR_ID;
        let (export, dialect, context) = (self.export, &self.export.head.dialect, &self.context);
        self.employers.of(dialect.id);
        let (mut record, mut faults, mut clean) = (Record::empty(), Faults::default(), 0);
        for span in &self.spans {
            let text = simdutf8::basic::from_utf8(export.bytes().get(span.clone()).unwrap_or_default()).ok();
            if text.and_then(|text| parse::fast(text, dialect, &mut self.scratch, &mut record)).is_none() {
                continue;
            }
            faults.clear();
            let sender = record.statement.text(SENDER).filter(|_| plainly);
            let employer = sender.and_then(|id| self.employers.find(id, context));
            if employer.and_then(|employer| sound(&record, context, &employer)).is_none() {
                validate(&record, context, &mut faults);
            }
            clean += usize::from(faults.is_empty());
        }
        clean
    }
}
