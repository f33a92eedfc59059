//! Pass 1 over an export: split, parse, validate and key every record, on all cores, in the order of the ordinals.
//!
//! The splitter fills a group of spans while the workers judge the group before it and the caller takes the results
//! of the one before that; three groups are the most that is in memory. A record that cannot be read the fast way has
//! its boundary confirmed first; where it is not what it seemed, what was split after it is thrown away and splitting
//! begins again there.

use super::findings::{Fault, Faults, Finding};
use super::parse::{self, Dialect, FormSets, Parsed, Record, Scratch};
use super::split::{Certainty, Piece, Splitter, careful_end};
use super::validate::{Context, Employers, Recipient, sound, validate};
use super::xml::Malformed;
use super::{Export, IntakeError, Result, head::Records};
use crate::config::Severity;
use crate::domain::{
    Batch, ContentDigest, Digester, FieldIndex, Form, Identities, Identity, IdentityKind, Kontrolluppgift,
    Organisation, PersonDigest, Purpose, RecordDigest, Span, StatementKey, Type, XML_SPACE, faltkod,
};
use crate::watch::crash;
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// How pass 1 goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Greatest size of one record in bytes.
    pub record_limit_bytes: u32,
    /// What an unlisted Arendeagare and another year than the version's are.
    pub cross_record: Severity,
    /// Threads of its own pool; `None` takes the process's.
    pub threads: Option<usize>,
    /// Whether the digests of person, record and content are wanted. `check` does without: the statement key is always
    /// made, and [`super::Export::content`] tells the content of the few records that share one.
    pub digests: bool,
}

/// What pass 1 found of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Where it lies in the staged export.
    pub span: Span,
    /// Where it begins in the original.
    pub place: u64,
    /// Its form, where it has one that the version knows.
    pub form: Option<Form>,
    /// Fältkod 201, where it is a valid identity.
    pub uppgiftslamnare: Option<Organisation>,
    /// What becomes of it so far.
    pub fate: Verdict,
    /// What makes it one and the same statement; `None` when it is rejected.
    pub key: Option<StatementKey>,
    /// Its normalised content; `None` when it is rejected. Without digests only where it could not be read again
    /// later, since the original is in another encoding than UTF-8.
    pub content: Option<ContentDigest>,
    /// Whichever of 215, 222 and 224 it gives first; `None` without digests, without any, or when it cannot be read.
    pub person: Option<PersonDigest>,
    /// The other identities that it gives ([`Identities::further`]); mostly none.
    pub further: Vec<PersonDigest>,
    /// Of its bytes; zero without digests.
    pub record: RecordDigest,
    /// How the recipient is identified.
    pub recipient: RecipientKind,
}

impl Checked {
    /// Everything that its recipient is known by.
    pub fn people(&self) -> impl Iterator<Item = &PersonDigest> {
        self.person.iter().chain(&self.further)
    }
}

/// What a record is worth by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No finding of severity error.
    Valid,
    /// At least one.
    Rejected,
    /// Valid, and a Borttag.
    Removal,
}

/// How a recipient is identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientKind {
    /// By 215, which can be looked up.
    Addressable(IdentityKind),
    /// By födelsetid (222) alone.
    Fodelsetid,
    /// By another id (224) alone.
    AnnatId,
    /// Not at all, or not validly.
    None,
}

/// Why the receiver of the batches stopped the reading.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stop(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What an export came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records (Blankett), whatever became of them; ordinals run from the first ordinal given.
    pub records: u64,
    /// Without an error, removals not counted.
    pub valid: u64,
    /// With an error.
    pub rejected: u64,
    /// Valid removals.
    pub removals: u64,
    /// Errors of the export itself: its head, or what stands between records. Skatteverket would refuse such a file
    /// whole, so nothing of it should be sent.
    pub faults_of_export: u64,
    /// Records that are no XML, are cut off or too large; they are among the rejected.
    pub unreadable: u64,
    /// The first of them: its offset in the original, and why.
    pub first_unreadable: Option<(u64, String)>,
    /// Records that took the slow way.
    pub slow: u64,
    /// Bytes of the original.
    pub bytes: u64,
    /// What is no XML outside the records, for the first time; what came after it was read all the same, as far as
    /// there are records. Such an export is not sent: see [`Summary::whole`].
    pub broken: Option<Malformed>,
}

impl Summary {
    /// The summary of an export that is XML from its beginning to its end.
    ///
    /// *Errors*: one that is not.
    pub fn whole(self, export: &Export) -> Result<Self> {
        match &self.broken {
            Some(malformed) => Err(export.refused(malformed)),
            None => Ok(self),
        }
    }
}

/// Records of one group at most, and bytes of one group at most.
const GROUP: (usize, usize) = (8192, 16 << 20);
/// Records of the group after one that was cut: what is split in vain is thrown away.
const FEW: usize = 64;
/// Records that one worker takes at a time.
const CHUNK: usize = 128;
/// The rule of what is no XML.
const NOT_XML: &str = "schema.not-well-formed";
/// The rule of what is not read although it may be XML.
const REFUSED: &str = "utskick.refused";

/// Reads an export from the first record to the last.
///
/// Batches arrive in the order of the ordinals, none missing, each with the findings of its records; findings of the
/// export itself have ordinal 0 and come with the batch that is read then.
///
/// An export that is no XML outside its records, or stops being it, is read as far as there are records, and
/// [`Summary::broken`] tells. *Errors*: an export that changes. [`IntakeError::Stopped`] when `sink` says so.
pub fn read(
    export: &Export,
    number: u16,
    first_ordinal: u64,
    options: &Options,
    digester: &dyn Digester,
    sink: &mut dyn FnMut(Batch<Checked>, Vec<Finding>) -> Result<(), Stop>,
) -> Result<Summary> {
    let pool = match options.threads {
        Some(threads) => {
            Some(rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(IntakeError::Threads)?)
        }
        None => None,
    };
    let (at, ended) = match export.head.records {
        Records::From(at) => (at, false),
        Records::None(at) => (at, true),
    };
    let dialect = &export.head.dialect;
    let limit = options.record_limit_bytes as usize;
    let mut splitter = Splitter::new(export.bytes(), at, ended, limit, dialect);
    let work = Work {
        export,
        number,
        dialect,
        limit,
        context: Context {
            version: export.version(),
            listed: export.head.listed.clone(),
            cross_record: options.cross_record,
        },
        digests: options.digests,
        contents: options.digests || !export.is_found_again(),
        digester,
    };
    let mut summary = Summary { bytes: export.fingerprint.size, ..Summary::default() };
    let mut ready = Ready { checked: Vec::new(), findings: work.of_export() };
    let mut most = GROUP.0;
    let mut group = gather(&mut splitter, first_ordinal, None, most);
    loop {
        let (mut chunks, mut following, mut taken) = (Vec::new(), None, Ok(()));
        beside(
            pool.as_ref(),
            || chunks = work.judge(&group),
            || {
                if group.end.is_none() {
                    following = Some(gather(&mut splitter, group.next_ordinal(), None, most));
                }
            },
            || taken = deliver(&mut ready, number, &mut summary, sink),
        );
        taken.map_err(IntakeError::Stopped)?;
        let cut = ready.fill(chunks, &group, &work, &mut summary);
        most = if cut.is_some() { FEW } else { GROUP.0.min(most * 2) };
        group = match (cut, group.end, following) {
            (Some((ordinal, at)), ..) => gather(&mut splitter, ordinal, Some(at), most),
            (None, None, Some(following)) => following,
            _ => {
                deliver(&mut ready, number, &mut summary, sink).map_err(IntakeError::Stopped)?;
                export.unchanged()?;
                return Ok(summary);
            }
        };
    }
}

/// Does two things on the pool, and a third here, which need not be fit for other threads.
fn beside<'s>(
    pool: Option<&'s rayon::ThreadPool>,
    one: impl FnOnce() + Send + 's,
    two: impl FnOnce() + Send + 's,
    here: impl FnOnce(),
) {
    let body = |scope: &rayon::Scope<'s>| {
        scope.spawn(|_| one());
        scope.spawn(|_| two());
        here();
    };
    match pool {
        Some(pool) => pool.in_place_scope(body),
        None => rayon::in_place_scope(body),
    }
}

/// Spans that are judged together.
#[derive(Debug, Default)]
struct Group {
    first_ordinal: u64,
    records: Vec<(Range<usize>, Certainty)>,
    /// What is wrong between records: before which of them, which rule, where, and what.
    around: Vec<(usize, &'static str, Malformed)>,
    /// The export ended after these records, well or not.
    end: Option<()>,
}

impl Group {
    const fn next_ordinal(&self) -> u64 {
        self.first_ordinal + self.records.len() as u64
    }
}

/// Splits on until a group has so many records; `again` is a record whose end was not where it seemed.
fn gather(splitter: &mut Splitter<'_>, first_ordinal: u64, again: Option<usize>, most: usize) -> Group {
    let mut group = Group { first_ordinal, ..Group::default() };
    let start = again.unwrap_or(splitter.at());
    let mut piece = match again {
        Some(at) => splitter.again(at),
        None => splitter.next(),
    };
    loop {
        let before = group.records.len();
        let mut tell = |rule, what| group.around.push((before, rule, what));
        match piece {
            Ok(Piece::Record(span, certainty)) => group.records.push((span, certainty)),
            Ok(Piece::Foreign(span)) => tell(
                "schema.unknown-element",
                Malformed::new(span.start, "an element other than Blankett among the records"),
            ),
            Ok(Piece::Text(at)) => tell("schema.text", Malformed::new(at, "text between elements")),
            Ok(Piece::Broken(malformed)) => tell(NOT_XML, malformed),
            Ok(Piece::End) => group.end = Some(()),
            Err(malformed) => {
                tell(if malformed.refused { REFUSED } else { NOT_XML }, malformed);
                group.end = Some(());
            }
        }
        if group.end.is_some() {
            return group;
        }
        let full = group.records.len() + group.around.len() >= most || splitter.at() - start >= GROUP.1;
        if full {
            return group;
        }
        piece = splitter.next();
    }
}

/// Results that wait for the caller.
struct Ready {
    checked: Vec<Checked>,
    findings: Vec<Finding>,
}

impl Ready {
    /// Takes a group's results up to the first record whose boundary was wrong; gives back that one's ordinal and place.
    fn fill(
        &mut self,
        chunks: Vec<Chunk>,
        group: &Group,
        work: &Work<'_>,
        summary: &mut Summary,
    ) -> Option<(u64, usize)> {
        let mut cut = None;
        for chunk in chunks {
            self.checked.extend(chunk.checked);
            self.findings.extend(chunk.findings);
            summary.slow += chunk.slow;
            summary.unreadable += chunk.unreadable;
            if summary.first_unreadable.is_none() {
                summary.first_unreadable = chunk.first_unreadable;
            }
            if chunk.cut {
                let place = self.checked.len();
                cut = group.records.get(place).map(|(span, _)| (group.first_ordinal + place as u64, span.start));
                break;
            }
        }
        let certain = self.checked.len();
        for (before, rule, malformed) in &group.around {
            let Malformed { at, what, .. } = *malformed;
            if *before <= certain && (cut.is_none() || *before < certain || cut.is_some_and(|(_, start)| at < start)) {
                self.findings.push(work.finding_of_export(at, rule, what.into(), Severity::Error));
                if [NOT_XML, REFUSED].contains(rule) {
                    summary.broken.get_or_insert_with(|| malformed.clone());
                }
            }
        }
        cut
    }
}

fn deliver(
    ready: &mut Ready,
    number: u16,
    summary: &mut Summary,
    sink: &mut dyn FnMut(Batch<Checked>, Vec<Finding>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let (items, findings) = (std::mem::take(&mut ready.checked), std::mem::take(&mut ready.findings));
    if items.is_empty() && findings.is_empty() {
        return Ok(());
    }
    summary.records += items.len() as u64;
    for checked in &items {
        match checked.fate {
            Verdict::Valid => summary.valid += 1,
            Verdict::Rejected => summary.rejected += 1,
            Verdict::Removal => summary.removals += 1,
        }
    }
    summary.faults_of_export +=
        findings.iter().filter(|finding| finding.ordinal == 0 && finding.is_error()).count() as u64;
    sink(Batch { export: number, items }, findings)
}

/// What a worker found of some records.
#[derive(Default)]
struct Chunk {
    checked: Vec<Checked>,
    findings: Vec<Finding>,
    slow: u64,
    unreadable: u64,
    first_unreadable: Option<(u64, String)>,
    /// The record after the last one here does not end where the splitter thought.
    cut: bool,
}

/// What every worker needs.
struct Work<'a> {
    export: &'a Export,
    number: u16,
    dialect: &'a Dialect,
    context: Context,
    limit: usize,
    digests: bool,
    contents: bool,
    digester: &'a dyn Digester,
}

/// What a worker keeps between records.
#[derive(Default)]
struct Desk {
    scratch: Scratch,
    employers: Employers,
    faults: Faults,
    bytes: Vec<u8>,
}

thread_local! {
    /// One a thread, so that what it learned of an export's layout is there for the next chunk. No result depends on it.
    static DESK: RefCell<Desk> = RefCell::default();
}

fn to_span(ordinal: u64, range: &Range<usize>) -> Span {
    Span { ordinal, offset: range.start as u64, length: u32::try_from(range.len()).unwrap_or(u32::MAX) }
}

impl Work<'_> {
    fn judge(&self, group: &Group) -> Vec<Chunk> {
        let chunks = group.records.par_chunks(CHUNK).enumerate();
        chunks
            .map(|(place, spans)| {
                DESK.with(|desk| {
                    self.chunk(group.first_ordinal + (place * CHUNK) as u64, spans, &mut desk.borrow_mut())
                })
            })
            .collect()
    }

    fn chunk(&self, first: u64, spans: &[(Range<usize>, Certainty)], desk: &mut Desk) -> Chunk {
        let mut chunk = Chunk { checked: Vec::with_capacity(spans.len()), ..Chunk::default() };
        let mut record = Record::empty();
        desk.employers.of(self.dialect.id);
        // Text all at once where it is that: the records stand side by side.
        let all = match spans {
            [(first, _), .., (last, _)] => first.start..last.end,
            [(only, _)] => only.clone(),
            [] => 0..0,
        };
        let start = all.start;
        let text = self.export.bytes().get(all).and_then(|bytes| simdutf8::basic::from_utf8(bytes).ok());
        for (ordinal, (span, certainty)) in (first..).zip(spans) {
            let usual = *certainty == Certainty::Likely || *certainty == Certainty::Certain;
            let text = match text {
                Some(text) => text.get(span.start - start..span.end - start),
                None => self.export.bytes().get(span.clone()).and_then(|bytes| simdutf8::basic::from_utf8(bytes).ok()),
            };
            let text = text.filter(|_| usual);
            let read = text.and_then(|text| parse::fast(text, self.dialect, &mut desk.scratch, &mut record));
            crash::point("parsed");
            if read.is_some() {
                let checked = self.judged(to_span(ordinal, span), &record, desk, &mut chunk);
                chunk.checked.push(checked);
            } else if !self.unusual(ordinal, span.clone(), *certainty, desk, &mut chunk) {
                chunk.cut = true;
                break;
            }
        }
        chunk
    }

    /// Judges a record that is not read the fast way; `false` when its end is not where the splitter thought.
    fn unusual(
        &self,
        ordinal: u64,
        range: Range<usize>,
        certainty: Certainty,
        desk: &mut Desk,
        chunk: &mut Chunk,
    ) -> bool {
        let all = self.export.bytes();
        let bytes = all.get(range.clone()).unwrap_or_default();
        let span = to_span(ordinal, &range);
        desk.faults.clear();
        chunk.slow += 1;
        if certainty == Certainty::Likely {
            let rest = all.get(range.start..).unwrap_or_default();
            match careful_end(rest, self.limit, &self.dialect.root) {
                Ok((length, Certainty::Certain)) if length == bytes.len() => {}
                _ => return false,
            }
        }
        let parsed = match certainty {
            Certainty::TooLarge => {
                let what =
                    format!("the record is larger than {} bytes, the limit (run.record_limit_bytes)", self.limit);
                self.unreadable(chunk, desk, range.start, 0, "utskick.record-too-large", what);
                Parsed::None(None)
            }
            Certainty::Unfinished => {
                let what = "the record has no end of its own; it was cut where the next one begins".to_owned();
                self.unreadable(chunk, desk, range.start, bytes.len(), NOT_XML, what);
                Parsed::None(None)
            }
            _ => parse::slow(bytes, self.dialect, &mut desk.faults),
        };
        let checked = match parsed {
            Parsed::Record(record) => self.judged(span, &record, desk, chunk),
            Parsed::None(form) => self.rejected(span, form, desk, chunk),
            Parsed::Malformed(malformed) => {
                let rule = if malformed.refused { REFUSED } else { NOT_XML };
                self.unreadable(chunk, desk, range.start, malformed.at, rule, malformed.what.to_owned());
                self.rejected(span, None, desk, chunk)
            }
        };
        chunk.checked.push(checked);
        true
    }

    fn unreadable(
        &self,
        chunk: &mut Chunk,
        desk: &mut Desk,
        start: usize,
        at: usize,
        rule: &'static str,
        what: String,
    ) {
        chunk.unreadable += 1;
        if chunk.first_unreadable.is_none() {
            chunk.first_unreadable = Some((self.export.place((start + at) as u64), what.clone()));
        }
        desk.faults.structure(rule, None, at, what);
    }

    fn judged(&self, span: Span, record: &Record<'_>, desk: &mut Desk, chunk: &mut Chunk) -> Checked {
        let statement = &record.statement;
        let mut checked = self.bare(span, Some(statement.form));
        let sender = statement.text(faltkod::UPPGIFTSLAMNAR_ID);
        let employer = sender.and_then(|id| desk.employers.find(id, &self.context));
        let sound = employer.and_then(|employer| sound(record, &self.context, &employer));
        if sound.is_none() {
            validate(record, &self.context, &mut desk.faults);
        }
        let faulty = desk.faults.any_error();
        checked.uppgiftslamnare = employer.map(|employer| Organisation::new(employer.identity));
        if self.digests {
            // Of faulty records too: whoever asks about a person is told that theirs was rejected.
            let identities = Identities::of(statement);
            let digest = |id: &str| PersonDigest(self.digester.digest(Purpose::Person, id.as_bytes()));
            checked.person = identities.first().map(digest);
            checked.further = identities.further().map(digest).collect();
        }
        if faulty {
            checked.fate = Verdict::Rejected;
        } else {
            checked.fate = if statement.is_removal() { Verdict::Removal } else { Verdict::Valid };
            checked.recipient = match sound {
                Some(Recipient(Some(identity))) => RecipientKind::Addressable(identity.kind()),
                _ => recipient(statement),
            };
            statement_key(statement, &mut desk.bytes);
            checked.key = Some(StatementKey(self.digester.digest(Purpose::Statement, &desk.bytes)));
            if self.contents {
                content(statement, &mut desk.bytes);
                checked.content = Some(ContentDigest(self.digester.digest(Purpose::Content, &desk.bytes)));
            }
        }
        self.tell(&span, Some(statement.form), desk, chunk);
        checked
    }

    fn rejected(&self, span: Span, form: Option<Form>, desk: &mut Desk, chunk: &mut Chunk) -> Checked {
        self.tell(&span, form, desk, chunk);
        self.bare(span, form)
    }

    /// A record of which nothing is known yet; rejected until something better is.
    fn bare(&self, span: Span, form: Option<Form>) -> Checked {
        let start = usize::try_from(span.offset).unwrap_or(usize::MAX);
        let bytes = self.export.bytes().get(start..start.saturating_add(span.length as usize)).unwrap_or_default();
        Checked {
            span,
            place: self.export.place(span.offset),
            form,
            uppgiftslamnare: None,
            fate: Verdict::Rejected,
            key: None,
            content: None,
            person: None,
            further: Vec::new(),
            record: if self.digests { record_digest(bytes) } else { RecordDigest([0; 16]) },
            recipient: RecipientKind::None,
        }
    }

    fn tell(&self, span: &Span, form: Option<Form>, desk: &mut Desk, chunk: &mut Chunk) {
        if desk.faults.is_empty() {
            return;
        }
        let findings = desk.faults.drain().map(|Fault { rule, faltkod, at, message, severity }| Finding {
            export: self.number,
            ordinal: span.ordinal,
            form,
            rule: rule.into(),
            faltkod,
            offset: self.export.place(span.offset + u64::from(at)),
            message,
            severity,
        });
        chunk.findings.extend(findings);
    }

    /// What is to be said of the export as a whole before its records.
    fn of_export(&self) -> Vec<Finding> {
        let head = self.export.head.faults.iter();
        let mut findings: Vec<_> = head
            .map(|fault| self.finding_of_export(fault.at as usize, fault.rule, fault.message.clone(), fault.severity))
            .collect();
        if self.context.version.borrows_tables() {
            let what = format!(
                "schema version {} is judged by the tables of 8.0, since its own are not published",
                self.context.version.as_str()
            );
            findings.push(self.finding_of_export(0, "utskick.borrowed-tables", what.into(), Severity::Warning));
        }
        if self.export.looks_windows_1252 {
            let what =
                "it declares ISO-8859-1 but has bytes 0x80 to 0x9f, which are letters and quotes only in windows-1252";
            findings.push(self.finding_of_export(0, "utskick.encoding", what.into(), Severity::Warning));
        }
        findings
    }

    fn finding_of_export(
        &self,
        at: usize,
        rule: &'static str,
        message: std::borrow::Cow<'static, str>,
        severity: Severity,
    ) -> Finding {
        Finding {
            export: self.number,
            ordinal: 0,
            form: None,
            rule: rule.into(),
            faltkod: None,
            offset: self.export.place(at as u64),
            message,
            severity,
        }
    }
}

/// Reads a valid record again.
pub fn statement<'a>(bytes: &'a [u8], dialect: &'a Dialect) -> Option<Kontrolluppgift<'a>> {
    DESK.with(|desk| {
        let desk = &mut *desk.borrow_mut();
        match parse::parse(bytes, dialect, &mut desk.scratch, &mut Faults::default()) {
            Parsed::Record(record) => Some(record.statement),
            _ => None,
        }
    })
}

/// The digest of a valid record's content, as [`Checked::content`] has it.
pub fn content_digest(statement: &Kontrolluppgift<'_>, digester: &dyn Digester) -> ContentDigest {
    let mut bytes = Vec::new();
    content(statement, &mut bytes);
    ContentDigest(digester.digest(Purpose::Content, &bytes))
}

/// The first half of the SHA-256 of a record's bytes.
pub fn record_digest(bytes: &[u8]) -> RecordDigest {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut half = [0; 16];
    half.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    RecordDigest(half)
}

fn recipient(statement: &Kontrolluppgift<'_>) -> RecipientKind {
    if let Some(identity) = statement.text(faltkod::INKOMSTTAGARE).and_then(|id| Identity::parse(id).ok()) {
        RecipientKind::Addressable(identity.kind())
    } else if statement.present().contains(faltkod::FODELSETID) {
        RecipientKind::Fodelsetid
    } else if statement.present().contains(faltkod::ANNAT_ID_NR) {
        RecipientKind::AnnatId
    } else {
        RecipientKind::None
    }
}

/// A byte that no text of XML holds parts what is digested.
const PART: u8 = 0x1f;

/// What makes two records the same statement: uppgiftslämnare, income year, form, the identities as given, and the
/// specifikationsnummer; for KupongS ISIN, redovisningsnummer and the paying company in place of the last two.
fn statement_key(statement: &Kontrolluppgift<'_>, bytes: &mut Vec<u8>) {
    const PERSON: [FieldIndex; 6] = [
        faltkod::UPPGIFTSLAMNAR_ID,
        faltkod::INKOMSTAR,
        faltkod::INKOMSTTAGARE,
        faltkod::FODELSETID,
        faltkod::ANNAT_ID_NR,
        faltkod::SPECIFIKATIONSNUMMER,
    ];
    const KUPONG: [FieldIndex; 5] = [
        faltkod::UPPGIFTSLAMNAR_ID,
        faltkod::INKOMSTAR,
        FieldIndex::of_const(572),
        FieldIndex::of_const(851),
        FieldIndex::of_const(890),
    ];
    bytes.clear();
    bytes.extend_from_slice(&FormSets::of(statement.form).number.to_be_bytes());
    let fields: &[FieldIndex] = if statement.form == Form::KupongS { &KUPONG } else { &PERSON };
    for field in fields {
        bytes.push(PART);
        if let Some(text) = statement.text(*field) {
            normalised(*field, text, bytes);
        }
    }
}

/// A statement's fields, ascending by fältkod, each value in one form whatever the record's.
fn content(statement: &Kontrolluppgift<'_>, bytes: &mut Vec<u8>) {
    let mut places = [0u8; crate::domain::FIELDS.len()];
    for ((field, _), at) in statement.values().zip(0..) {
        if let Some(place) = places.get_mut(field.place()) {
            *place = at;
        }
    }
    bytes.clear();
    bytes.extend_from_slice(&FormSets::of(statement.form).number.to_be_bytes());
    for field in statement.present().iter() {
        let place = places.get(field.place()).copied().unwrap_or(0);
        if let Some((_, text)) = statement.value_at(usize::from(place)) {
            bytes.extend_from_slice(&[PART, field.place() as u8]); // a place is below 176
            normalised(field, text, bytes);
        }
    }
}

/// A value of its type in the type's canonical form.
fn normalised(field: FieldIndex, text: &str, bytes: &mut Vec<u8>) {
    let trimmed = || text.trim_matches(XML_SPACE);
    let integer = |bytes: &mut Vec<u8>| {
        // The value is an integer, so between a digit and a digit there are only digits.
        if matches!(text.as_bytes(), [b'1'..=b'9'] | [b'1'..=b'9', .., b'0'..=b'9']) {
            return bytes.extend_from_slice(text.as_bytes());
        }
        let bare = trimmed();
        let (negative, digits) = match bare.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, bare.strip_prefix('+').unwrap_or(bare)),
        };
        let digits = digits.trim_start_matches('0');
        if negative && !digits.is_empty() {
            bytes.push(b'-');
        }
        bytes.extend_from_slice(if digits.is_empty() { b"0" } else { digits.as_bytes() });
    };
    match field.field().kind {
        Type::Belopp { .. } | Type::Antal { .. } => integer(bytes),
        Type::Kod(list) if list.is_integer() => integer(bytes),
        Type::Kryss => bytes.push(if matches!(trimmed(), "1" | "true") { b'1' } else { b'0' }),
        Type::Inkomstar | Type::Kod(_) | Type::Decimal { .. } => bytes.extend_from_slice(trimmed().as_bytes()),
        _ => bytes.extend_from_slice(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::testing::{TAIL, head, read_bytes, record, trouble};
    use proptest::prelude::*;

    /// An export of these records with these gaps before them, and where the records are.
    fn export(records: &[String], gaps: &[String]) -> (String, Vec<(usize, usize)>) {
        let mut text = head();
        let mut spans = Vec::new();
        for (place, record) in records.iter().enumerate() {
            text.push_str(gaps.get(place).map_or("\n", String::as_str));
            spans.push((text.len(), text.len() + record.len()));
            text.push_str(record);
        }
        text.push_str(TAIL);
        (text, spans)
    }

    #[test]
    fn ordinals_and_verdicts_follow_the_file() {
        let records = [
            record(1, "A"),
            record(2, ""),
            record(1, "A")
                .replace(
                    "<ku:ErsEjSocAvg faltkod=\"031\">335000</ku:ErsEjSocAvg>",
                    "<ku:Borttag faltkod=\"205\">1</ku:Borttag>",
                )
                .replace("<ku:Fornamn faltkod=\"216\">A</ku:Fornamn>", ""),
        ];
        let (text, spans) = export(&records, &[]);
        let seen = read_bytes(text.as_bytes());
        assert_eq!(seen.spans(), spans);
        let fates: Vec<_> = seen.checked.iter().map(|checked| checked.fate).collect();
        assert_eq!(fates, [Verdict::Valid, Verdict::Rejected, Verdict::Removal], "{:?}", seen.findings);
        assert_eq!(seen.rules(2), ["schema.length"]);
        assert_eq!(seen.checked[0].key, seen.checked[2].key);
        assert_ne!(seen.checked[0].content, seen.checked[2].content);
        let summary = seen.summary.expect("readable");
        assert_eq!((summary.records, summary.valid, summary.rejected, summary.removals, summary.slow), (3, 1, 1, 1, 0));
    }

    #[test]
    fn a_character_that_letters_cannot_print_is_a_warning_of_the_first_field_that_has_one() {
        // A removal is no letter, whatever else is wrong with it.
        let removed = record(5, "علي").replace(
            "<ku:ErsEjSocAvg faltkod=\"031\">335000</ku:ErsEjSocAvg>",
            "<ku:Borttag faltkod=\"205\">1</ku:Borttag>",
        );
        let twice = record(4, "中").replace(
            "</ku:Fornamn></ku:InkomsttagareKU10>",
            "</ku:Fornamn><ku:Efternamn faltkod=\"217\">文</ku:Efternamn></ku:InkomsttagareKU10>",
        );
        let records = [record(1, "Åsa Żółć"), record(2, "Анна Ελένη – 🦊"), record(3, "Åsa مريم"), twice, removed];
        let (text, spans) = export(&records, &[]);
        let seen = read_bytes(text.as_bytes());
        let told: Vec<_> = seen
            .findings
            .iter()
            .filter(|of| of.rule != "055")
            .map(|of| (of.ordinal, of.rule.as_ref(), of.faltkod, of.offset as usize, of.severity))
            .collect();
        let rule = "utskick.character-not-printed";
        let at = |place: usize, field: &str| spans[place].0 + records[place].find(field).expect("there");
        assert_eq!(
            told,
            [
                (3, rule, Some(216), at(2, "<ku:Fornamn"), Severity::Warning),
                (4, rule, Some(216), at(3, "<ku:Fornamn"), Severity::Warning)
            ]
        );
        assert!(!seen.findings.iter().any(|finding| finding.message.contains(['م', '中'])));
        let summary = seen.summary.expect("readable");
        assert_eq!((summary.valid, summary.rejected, summary.slow), (4, 1, 0));
    }

    #[test]
    fn content_and_key_do_not_depend_on_how_values_are_written() {
        let usual = record(7, "Åsa");
        let odd = usual
            .replace(">335000<", "> +00335<!-- -->000\n<")
            .replace(">7<", ">007<")
            .replace("Åsa", "&#xC5;<![CDATA[sa]]>")
            .replace("<ku:ErsEjSocAvg", "<p:ErsEjSocAvg xmlns:p='http://xmls.skatteverket.se/se/skatteverket/ai/komponent/infoForBeskattning/8.0'")
            .replace("</ku:ErsEjSocAvg", "</p:ErsEjSocAvg");
        let seen = read_bytes(export(&[usual, odd], &[]).0.as_bytes());
        assert_eq!((seen.checked[0].key, seen.checked[0].content), (seen.checked[1].key, seen.checked[1].content));
        assert_eq!(seen.summary.as_ref().expect("readable").slow, 1);
        assert_eq!(seen.rules(2), ["utskick.whitespace"]);
    }

    #[test]
    fn a_broken_record_does_not_spoil_its_neighbours() {
        let whole = || record(1, "A");
        for broken in [
            record(2, "<b>"),
            record(2, "</ku:Fornamn>"),
            record(2, "a & b"),
            record(2, "a < b"),
            record(2, "\u{1}"),
            record(2, "]]>"),
            record(2, "&nbsp;"),
            record(2, "<!DOCTYPE x>"),
            record(2, "<x y=\"</ku:Blankett>\">"),
            record(2, "B").replace("faltkod=\"216\"", "faltkod=\"216"),
            record(2, "B").replace("faltkod=\"216\"", "faltkod=216"),
            record(2, "B").replace("faltkod=\"216\"", "faltkod=\"216\" faltkod=\"216\""),
            record(2, "B").replace("</ku:Fornamn>", ""),
            record(2, "B").replace("nummer=\"2300\"", "nummer=\"</ku:Blankett>\""),
            record(2, "B").replace("nummer=\"2300\"", "nummer='</ku:Blankett><ku:Blankett nummer=\"2300\">'"),
            "<ku:Blankett>".to_owned() + &record(2, "B") + "</ku:Blankett>",
            "<ku:Blankett nummer='2300'/>".to_owned(),
            "<ku:Blankett nummer='2300'></ku:Blankett >".to_owned(),
            "<Blankett/>".to_owned(),
            record(2, &"x".repeat(70_000)),
            record(2, &"<a>".repeat(1000)),
        ] {
            let (text, spans) = export(&[whole(), broken.clone(), whole()], &[]);
            let seen = read_bytes(text.as_bytes());
            assert_eq!(seen.spans(), spans, "{broken:.300}\n{:?}", seen.summary);
            let fates: Vec<_> = seen.checked.iter().map(|checked| checked.fate).collect();
            assert_eq!(fates, [Verdict::Valid, Verdict::Rejected, Verdict::Valid], "{broken:.300}");
            assert!(seen.findings.iter().all(|finding| finding.ordinal == 2), "{broken:.300}");
        }
    }

    #[test]
    fn a_record_without_an_end_is_cut_where_the_next_begins() {
        let unfinished = record(2, "B").replace("</ku:Blankett>", "");
        let (text, spans) = export(&[record(1, "A"), unfinished, record(3, "C")], &[]);
        let seen = read_bytes(text.as_bytes());
        assert_eq!(seen.checked.len(), 3);
        assert_eq!(seen.spans()[2], spans[2]);
        assert_eq!(seen.rules(2), ["schema.not-well-formed"]);
        assert_eq!(seen.checked[2].fate, Verdict::Valid);
    }

    /// Whoever wrote the export died in the middle of a record, and went on with the next.
    #[test]
    fn a_record_that_is_broken_off_anywhere_hides_no_other() {
        let records: Vec<String> = (1..=6).map(|number| record(number, "A<!-- c --><![CDATA[d]]><?p q?>")).collect();
        let broken = &records[2];
        let name = "<ku:Blankett".len();
        for at in (1..broken.len()).filter(|at| broken.is_char_boundary(*at)) {
            for rest in ["\n", " ", "", "\0", "&"] {
                let mut with = records.clone();
                with[2] = broken[..at].to_owned() + rest;
                let (text, spans) = export(&with, &[]);
                let seen = read_bytes(text.as_bytes());
                let whole = |ordinal: usize| spans[ordinal - 1];
                let valid: Vec<_> = seen
                    .checked
                    .iter()
                    .filter(|checked| checked.fate == Verdict::Valid)
                    .map(|of| (of.span.offset as usize, of.span.offset as usize + of.span.length as usize))
                    .collect();
                let place = format!("{at} {rest:?}: {:?}", seen.summary);
                assert_eq!(valid, [1, 2, 4, 5, 6].map(whole), "{place}");
                // What does not even begin as a record is a fault of the export; `<ku:Blankett` of Blankettinnehall begins as one.
                match at > name || (at == name && rest != "\0" && rest != "&") {
                    true => {
                        let begun = at > name && broken[..at].ends_with("<ku:Blankett");
                        assert!(seen.checked.len() == 6 || begun && seen.checked.len() == 7, "{place}");
                        assert_eq!(seen.rules(3), [NOT_XML], "{place}");
                    }
                    false => assert!(seen.rules(0).contains(&NOT_XML) && seen.summary.is_err(), "{place}"),
                }
            }
        }
    }

    /// What is no XML between records costs none of them, and the export is told of as no XML.
    #[test]
    fn what_is_no_xml_between_records_hides_none() {
        for gap in [
            "\u{1}",
            "\0",
            "<!-- a -- b -->",
            "<!-- a",
            "<?xml version=\"1.0\"?>",
            "<?p",
            "<![CDATA[",
            "<",
            "< ",
            "<>",
            "<!x>",
            "</ku:Foo>",
            "</ku:Blankett>",
            "</Skatteverket>",
            "</Skatteverket><Skatteverket>",
            "<ku:Foo><a></b></ku:Foo>",
            "<ku:Bl'ankett>",
            "<ku:Foo",
        ] {
            for place in 1..3 {
                let mut gaps = vec!["\n".to_owned(); 4];
                gaps[place] = format!("\n{gap}\n");
                let (text, spans) = export(&[1, 2, 3, 4].map(|number| record(number, "<!-- c -->A")), &gaps);
                let seen = read_bytes(text.as_bytes());
                assert_eq!(seen.spans(), spans, "{gap:?} {:?}", seen.summary);
                assert!(seen.checked.iter().all(|checked| checked.fate == Verdict::Valid), "{gap:?}");
                assert!(seen.rules(0).contains(&NOT_XML), "{gap:?}: {:?}", seen.findings);
                assert!(matches!(seen.summary, Err(IntakeError::Malformed { .. })), "{gap:?}");
            }
        }
    }

    /// The first record's start tag is read where the head ends; its faults are its own all the same.
    #[test]
    fn a_fault_of_the_first_record_is_its_own() {
        for (tag, before) in [
            ("<ku:Blankett nummer=\"2300>", ""),
            ("<ku:Blankett nummer=2300>", "<!-- c -->"),
            ("<ku:Blankett nummer=\"2300\" nummer=\"2300\">", ""),
            ("<ku:Blankett nummer=\"&x;\">", "<?p q?>"),
            ("<ku:Blankett nummer=\"2300\" xmlns:ku=\"\">", ""),
        ] {
            let broken = record(1, "A").replace("<ku:Blankett nummer=\"2300\">", tag);
            assert_ne!(broken, record(1, "A"));
            let (text, spans) = export(&[broken, record(2, "B"), record(3, "C")], &[before.to_owned()]);
            let seen = read_bytes(text.as_bytes());
            assert_eq!(seen.spans(), spans, "{tag} {:?}", seen.summary);
            let fates: Vec<_> = seen.checked.iter().map(|checked| checked.fate).collect();
            assert_eq!(fates, [Verdict::Rejected, Verdict::Valid, Verdict::Valid], "{tag}");
        }
    }

    #[test]
    fn what_stands_between_records_belongs_to_the_export() {
        let gaps = [
            "x".to_owned(),
            " &#10;<!-- </ku:Blankett> --><?p?>&#x20;\n".to_owned(),
            "<ku:Other><a/></ku:Other>".to_owned(),
        ];
        let (text, spans) = export(&[record(1, "A"), record(2, "B"), record(3, "C")], &gaps);
        let seen = read_bytes(text.as_bytes());
        assert_eq!(seen.spans(), spans);
        assert_eq!(seen.rules(0), ["schema.text", "schema.unknown-element"], "{:?}", seen.summary);
        assert_eq!(seen.summary.expect("readable").faults_of_export, 2);
    }

    #[test]
    fn faults_between_many_records_are_told_once_each() {
        let records: Vec<_> = (1..=3000)
            .map(|number| record(number, if number % 7 == 0 { "<!-- </ku:Blankett> -->x" } else { "A" }))
            .collect();
        let gaps: Vec<_> =
            (1..=3000).map(|number| if number % 500 == 0 { "text".to_owned() } else { "\n".to_owned() }).collect();
        let (text, spans) = export(&records, &gaps);
        let seen = read_bytes(text.as_bytes());
        assert_eq!(seen.spans(), spans);
        assert!(seen.checked.iter().all(|checked| checked.fate == Verdict::Valid));
        assert_eq!(seen.rules(0).len(), 6);
        assert!(seen.checked.iter().zip(1..).all(|(checked, ordinal)| checked.span.ordinal == ordinal));
    }

    #[test]
    fn a_file_cut_at_any_byte_is_told_as_cut() {
        let (text, spans) =
            export(&[record(1, "Å"), record(2, "<!-- c --><![CDATA[d]]>&amp;")], &["<?p q?>".to_owned()]);
        let end = text.trim_end().len();
        for at in 1..text.len() {
            let seen = read_bytes(&text.as_bytes()[..at]);
            match seen.summary {
                Ok(summary) => assert!(at >= end && summary.rejected == 0, "{at}"),
                Err(IntakeError::Malformed { offset, .. } | IntakeError::Encoding { offset, .. }) => {
                    assert!(at < end && offset <= at as u64, "{at} {offset}");
                }
                Err(IntakeError::NotXml { .. } | IntakeError::Foreign { .. }) if at < spans[0].0 => {}
                Err(other) => panic!("{at}: {other}"),
            }
            assert!(
                seen.checked.iter().all(|checked| checked.fate == Verdict::Valid),
                "{at}: a half record was judged"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Spans tile the file: they are exactly the records, whatever well-formed trouble is in and between them.
        #[test]
        fn spans_are_the_records(
            names in proptest::collection::vec(proptest::collection::vec(trouble(), 0..5), 1..12),
            comments in proptest::collection::vec("[a-z<>&/\"' ]{0,30}", 0..12),
        ) {
            let records: Vec<_> = (1..).zip(&names).map(|(number, name)| {
                let name = name.concat().replace("</Skatteverket", "&lt;/Skatteverket");
                record(number, &name)
            }).collect();
            let gaps: Vec<_> = comments.iter().map(|comment| format!("\n<!--{comment}-->\t")).collect();
            let (text, spans) = export(&records, &gaps);
            let seen = read_bytes(text.as_bytes());
            prop_assert_eq!(seen.spans(), spans, "{:?}", seen.summary);
            prop_assert!(seen.summary.is_ok());
        }

        /// Whatever is done to the bytes, reading ends, spans ascend without overlap, and ordinals have no gap.
        #[test]
        fn any_bytes_end_in_order(
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..40), 0..6),
            pieces in proptest::collection::vec((any::<prop::sample::Index>(), trouble()), 0..4),
        ) {
            let (text, _) = export(&[record(1, "A"), record(2, "B"), record(3, "C")], &[]);
            let mut bytes = text.into_bytes();
            for (at, piece) in &pieces {
                let at = at.index(bytes.len());
                bytes.splice(at..at, piece.bytes());
            }
            for (at, byte, cut) in &edits {
                let at = at.index(bytes.len());
                let end = (at + cut).min(bytes.len());
                bytes.splice(at..end, [*byte]);
            }
            let seen = read_bytes(&bytes);
            let mut last = 0;
            for ((start, end), ordinal) in seen.spans().into_iter().zip(1..) {
                prop_assert!(last <= start && start < end && end <= bytes.len());
                last = end;
                prop_assert_eq!(seen.checked[ordinal - 1].span.ordinal, ordinal as u64);
            }
            prop_assert!(seen.findings.iter().all(|finding| finding.offset <= bytes.len() as u64));
        }
    }
}
