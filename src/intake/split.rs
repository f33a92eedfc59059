//! Where the records are: spans over the export, found by SIMD search.
//!
//! A record is taken to end at the next end tag that is written like the first record's. That is wrong only where such
//! a tag stands inside CDATA, a comment, an instruction, an attribute or a nested Blankett, or where it is written
//! otherwise; whoever cannot read a span the fast way therefore asks [`careful_end`], which knows markup, and has the
//! splitter go on from there. What stands between records is looked at byte by byte; where that is no XML, the splitter
//! goes on at the next record, so that none is passed by.

use super::parse::Dialect;
use super::xml::{self, Malformed, Reader, Token, comment, forbidden, instruction};
use crate::domain::XML_SPACE;
use memchr::arch::all::packedpair::HeuristicFrequencyRank;
use memchr::memmem::{Finder, FinderBuilder};
use std::ops::Range;

/// What the splitter finds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A record.
    Record(Range<usize>, Certainty),
    /// Another element than Blankett where a record should be.
    Foreign(Range<usize>),
    /// Text where a record should be.
    Text(usize),
    /// What is no XML where a record should be; the next piece is the next record.
    Broken(Malformed),
    /// The end of the export, its tail looked at.
    End,
}

/// What is known of a record's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The first end tag: to be confirmed by who reads the record.
    Likely,
    /// Found by knowing markup.
    Certain,
    /// The record has no end of its own; it was cut where the next begins.
    Unfinished,
    /// Larger than the limit.
    TooLarge,
}

/// Walks over an export.
pub struct Splitter<'a> {
    bytes: &'a [u8],
    at: usize,
    limit: usize,
    dialect: &'a Dialect,
    /// Where the piece that is looked at begins.
    began: usize,
    /// `<ku:Blankett`, as the first record writes it.
    start: Vec<u8>,
    end: Finder<'static>,
    ended: bool,
}

impl<'a> Splitter<'a> {
    /// A splitter from the first record on; `ended` where the root has none.
    pub fn new(bytes: &'a [u8], at: usize, ended: bool, limit: usize, dialect: &'a Dialect) -> Self {
        let name = bytes.get(at..).and_then(|rest| name_after(rest, 1)).filter(|name| is_record(name));
        let name = name.unwrap_or(b"Blankett");
        let end = [b"</", name, b">"].concat();
        Self {
            bytes,
            at,
            limit,
            dialect,
            began: at,
            start: [b"<", name].concat(),
            end: FinderBuilder::new().build_forward_with_ranker_owned(Rare, end),
            ended,
        }
    }

    /// Where it stands.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The next piece. After [`Piece::End`] there is none.
    ///
    /// *Errors*: no XML, and no record after it; or something that is refused.
    pub fn next(&mut self) -> Result<Piece, Malformed> {
        let piece = self.piece();
        self.or_next_record(piece)
    }

    fn piece(&mut self) -> Result<Piece, Malformed> {
        loop {
            self.space();
            self.began = self.at;
            if self.ended {
                match self.tail()? {
                    Some(piece) => return Ok(piece),
                    None => continue,
                }
            }
            match self.rest() {
                [] => return Err(Malformed::new(self.at, "the end of the file inside Skatteverket: it is truncated")),
                [b'<', b'!', ..] => {
                    if let Some(text) = self.bang()? {
                        return Ok(text);
                    }
                }
                [b'<', b'?', ..] => self.instruction()?,
                [b'<', b'/', ..] => self.root_end()?,
                [b'<', ..] => return self.element(),
                _ => {
                    if let Some(text) = self.text()? {
                        return Ok(text);
                    }
                }
            }
        }
    }

    /// Goes back to the record that begins at `at`, whose end was not where it seemed, and takes it with care.
    pub fn again(&mut self, at: usize) -> Result<Piece, Malformed> {
        (self.at, self.began) = (at, at);
        self.ended = false;
        let piece = self.careful();
        self.or_next_record(piece)
    }

    /// Goes on at the next record after a place that is no XML, if there is one.
    fn or_next_record(&mut self, piece: Result<Piece, Malformed>) -> Result<Piece, Malformed> {
        let malformed = match piece {
            Err(malformed) if !malformed.refused => malformed,
            other => return other,
        };
        // After an end of the root that came too early, the record may stand right here.
        let behind = self.began + usize::from(!self.ended);
        let rest = self.bytes.get(behind..).unwrap_or_default();
        let starts = memchr::memmem::find_iter(rest, &self.start);
        let ends_name = |byte: Option<&u8>| byte.is_some_and(|byte| b" \t\r\n>/".contains(byte));
        match starts.map(|at| behind + at).find(|at| ends_name(self.bytes.get(at + self.start.len()))) {
            Some(record) => {
                (self.at, self.ended) = (record, false);
                Ok(Piece::Broken(malformed))
            }
            None => Err(malformed),
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn element(&mut self) -> Result<Piece, Malformed> {
        let rest = self.rest();
        let usual = rest.strip_prefix(self.start.as_slice()).and_then(|rest| rest.first());
        if usual.is_some_and(|next| matches!(next, b' ' | b'>' | b'\t' | b'\n' | b'\r')) {
            let most = rest.len().min(self.limit);
            if let Some(found) = self.end.find(rest.get(..most).unwrap_or_default()) {
                let start = self.at;
                self.at += found + self.end.needle().len();
                return Ok(Piece::Record(start..self.at, Certainty::Likely));
            }
        }
        self.careful()
    }

    fn careful(&mut self) -> Result<Piece, Malformed> {
        let start = self.at;
        let rest = self.rest();
        let name = name_after(rest, 1).ok_or(Malformed::new(start, "`<` without a name"))?;
        let (length, certainty) =
            careful_end(rest, self.limit, &self.dialect.root).map_err(|error| error.shifted(start))?;
        self.at = start + length;
        let span = start..self.at;
        if is_record(name) {
            return Ok(Piece::Record(span, certainty));
        }
        Ok(self.foreign(start).map_or_else(Piece::Broken, |()| Piece::Foreign(span)))
    }

    /// Sees that another element than Blankett is at least XML.
    fn foreign(&self, start: usize) -> Result<(), Malformed> {
        let mut reader = Reader::new(self.characters(start)?, &self.dialect.bindings);
        while reader.next().map_err(|error| error.shifted(start))? != Token::Eof {}
        Ok(())
    }

    /// Text where none should be; space written as references is space.
    fn text(&mut self) -> Result<Option<Piece>, Malformed> {
        let start = self.at;
        self.at += memchr::memchr(b'<', self.rest()).unwrap_or(self.rest().len());
        let mut rest = self.characters(start)?.trim_start_matches(XML_SPACE);
        while let Some((reference, after)) = rest.strip_prefix('&').and_then(|rest| rest.split_once(';')) {
            if !xml::reference(reference).is_some_and(|c| XML_SPACE.contains(&c)) {
                break;
            }
            rest = after.trim_start_matches(XML_SPACE);
        }
        Ok((!rest.is_empty()).then_some(Piece::Text(start)))
    }

    /// A comment is passed over, CDATA is text, a document type is refused.
    fn bang(&mut self) -> Result<Option<Piece>, Malformed> {
        let (start, rest) = (self.at, self.rest());
        if rest.starts_with(b"<!--") {
            let end = memchr::memmem::find(rest.get(4..).unwrap_or_default(), b"-->");
            self.at += 7 + end.ok_or(Malformed::new(start, "a comment without an end"))?;
            comment(self.characters(start)?).map_err(|error| error.shifted(start))?;
            return Ok(None);
        }
        if rest.starts_with(b"<![CDATA[") && !self.ended {
            let end = memchr::memmem::find(rest, b"]]>");
            self.at += 3 + end.ok_or(Malformed::new(start, "a CDATA section without an end"))?;
            self.characters(start)?;
            return Ok(Some(Piece::Text(start)));
        }
        if rest.starts_with(b"<!DOCTYPE") {
            return Err(Malformed::refused(start, "a DOCTYPE: document types and entities are refused"));
        }
        Err(Malformed::new(start, "unknown markup after `<!`"))
    }

    fn instruction(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let end = memchr::memmem::find(self.rest(), b"?>");
        self.at += 2 + end.ok_or(Malformed::new(start, "a processing instruction without an end"))?;
        instruction(self.characters(start)?).map_err(|error| error.shifted(start))
    }

    /// What was passed over, as text.
    fn characters(&self, start: usize) -> Result<&'a str, Malformed> {
        let passed = self.bytes.get(start..self.at).unwrap_or_default();
        if let Some(malformed) = forbidden(passed) {
            return Err(malformed.shifted(start));
        }
        std::str::from_utf8(passed).map_err(|_| Malformed::new(start, "bytes that are not UTF-8"))
    }

    fn root_end(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let root = self.dialect.root.as_bytes();
        let after = self.rest().get(2..).and_then(|rest| rest.strip_prefix(root));
        let close = after.and_then(|rest| Some((rest, rest.iter().position(|byte| !b" \t\r\n".contains(byte))?)));
        match close {
            Some((after, place)) if after.get(place) == Some(&b'>') => {
                self.at += 2 + root.len() + place + 1;
                self.ended = true;
                Ok(())
            }
            _ => Err(Malformed::new(start, "an end tag that does not match")),
        }
    }

    /// After the root: comments and instructions only; `None` where one was passed over.
    fn tail(&mut self) -> Result<Option<Piece>, Malformed> {
        match self.rest() {
            [] => Ok(Some(Piece::End)),
            [b'<', b'!', b'-', ..] => self.bang(),
            [b'<', b'?', ..] => self.instruction().map(|()| None),
            [b'<', next, ..] if next.is_ascii_alphabetic() => {
                Err(Malformed::new(self.at, "a second root element: the export ended before it"))
            }
            _ => Err(Malformed::new(self.at, "something after the end of the root element")),
        }
    }
}

/// Which bytes to look for: a `B` with a `>` at the right distance is hardly anything but the end of a Blankett.
struct Rare;

impl HeuristicFrequencyRank for Rare {
    fn rank(&self, byte: u8) -> u8 {
        match byte {
            b'B' => 1,
            b'>' => 2,
            _ => 100,
        }
    }
}

/// Whether an element of this name is a record: its local name is Blankett, whatever the namespace.
pub fn is_record(name: &[u8]) -> bool {
    name.strip_suffix(b"Blankett").is_some_and(|prefix| {
        prefix.is_empty() || (prefix.ends_with(b":") && memchr::memchr(b':', prefix) == Some(prefix.len() - 1))
    })
}

fn name_after(rest: &[u8], skip: usize) -> Option<&[u8]> {
    let rest = rest.get(skip..)?;
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'>' | b'/' | b'<'))?;
    rest.get(..end).filter(|name| !name.is_empty())
}

/// How long the element is that `bytes` begin with, by knowing markup.
///
/// Elements of the same name are counted, nothing else: a record whose inner tags do not match still ends where it
/// says so. Where no end comes within `limit`, the record is cut at the next one's start. What is broken off (a tag, a
/// comment, a section) ends where the next tag begins: it never hides the start of another record. *Cost*: linear in
/// what it passes, and it passes at most `limit` bytes that do not belong to the record.
pub fn careful_end(bytes: &[u8], limit: usize, root: &str) -> Result<(usize, Certainty), Malformed> {
    let name = name_after(bytes, 1).ok_or(Malformed::new(0, "`<` without a name"))?;
    let (mut at, mut depth) = (0usize, 0usize);
    let mut next_record = None;
    loop {
        if at > limit
            && let Some(cut) = next_record
        {
            return Ok((cut, Certainty::Unfinished));
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'<', rest) else {
            return match next_record {
                Some(cut) => Ok((cut, Certainty::Unfinished)),
                None => Err(Malformed::new(bytes.len(), "the end of the file inside a record: it is truncated")),
            };
        };
        at += found;
        let rest = bytes.get(at..).unwrap_or_default();
        let cut = |at: usize| (next_record.unwrap_or(at), Certainty::Unfinished);
        if let Some(length) = passed_over(rest, limit) {
            at += length;
            continue;
        }
        let endless = next_record.map(|cut| (cut, Certainty::Unfinished));
        let endless = endless.ok_or(Malformed::new(at, "a tag without an end"));
        if let Some(tag) = rest.strip_prefix(b"</") {
            let closed = name_after(rest, 2).unwrap_or_default();
            if closed == root.as_bytes() && closed != name {
                return Ok(cut(at));
            }
            let Some(end) = memchr::memchr2(b'>', b'<', tag) else { return endless };
            at += 2 + end + usize::from(tag.get(end) == Some(&b'>'));
            if closed == name {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok((at, certainty(at, limit)));
                }
            }
            continue;
        }
        let opened = name_after(rest, 1).unwrap_or_default();
        if at > 0 && is_record(opened) {
            if at > limit {
                return Ok(cut(at));
            }
            next_record = next_record.or(Some(at));
        }
        let Some(length) = tag_length(rest) else { return endless };
        let empty = rest.get(..length).is_some_and(|tag| tag.ends_with(b"/>"));
        if opened == name && !empty {
            depth += 1;
        } else if at == 0 {
            return Ok((length, certainty(length, limit))); // an empty element
        }
        at += length;
    }
}

const fn certainty(length: usize, limit: usize) -> Certainty {
    if length > limit { Certainty::TooLarge } else { Certainty::Certain }
}

/// How much of `rest` is a comment, a CDATA section or an instruction; `None` where it begins with none of them.
///
/// One without an end, or whose end is another's while a record begins in between, is broken off: then its mark alone.
fn passed_over(rest: &[u8], limit: usize) -> Option<usize> {
    let marks: [(&[u8], &[u8], &[u8]); 3] =
        [(b"<!--", b"-->", b"--"), (b"<![CDATA[", b"]]>", b"<![CDATA["), (b"<?", b"?>", b"<?")];
    let (start, end, broken) = marks.into_iter().find(|(start, ..)| rest.starts_with(start))?;
    let within = rest.get(start.len()..rest.len().min(limit.saturating_add(start.len()))).unwrap_or_default();
    let inner = memchr::memmem::find(within, end).and_then(|at| within.get(..at));
    let whole = inner.filter(|inner| {
        memchr::memmem::find(inner, b"Blankett").is_none() || memchr::memmem::find(inner, broken).is_none()
    });
    Some(whole.map_or(start.len(), |inner| start.len() + inner.len() + end.len()))
}

/// Length of the tag that `rest` begins with, quotes minded.
///
/// A tag that another one begins in is broken off, and ends there.
///
/// A `<` in an attribute value is never well-formed. Where the value then still ends like one, it is taken as meant;
/// otherwise a quote is missing, and the tag ends at that `<`, so that one lost quote does not swallow what follows.
fn tag_length(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let here = rest.get(at..)?;
        let found = memchr::memchr3(b'>', b'"', b'\'', here);
        if let Some(next) = memchr::memchr(b'<', here.get(..found.unwrap_or(here.len()))?) {
            return Some(at + next);
        }
        let found = found?;
        at += found + 1;
        let quote = *here.get(found)?;
        if quote == b'>' {
            return Some(at);
        }
        let value = rest.get(at..)?;
        let end = memchr::memchr2(quote, b'<', value)?;
        if value.get(end) == Some(&quote) {
            at += end + 1;
            continue;
        }
        let closing = memchr::memchr(quote, value)
            .filter(|closing| matches!(value.get(closing + 1), Some(b' ' | b'\t' | b'\n' | b'\r' | b'>' | b'/')));
        match closing {
            Some(closing) => at += closing + 1,
            None => return Some(at + end),
        }
    }
}
