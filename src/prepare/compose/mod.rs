//! Letters: a statement as a message with a body and a document, and as paper.
//!
//! In: a kontrolluppgift and its sender's settings. Out: a [`Letter`] (HTML body and a tagged PDF beside it), a letter to
//! print, or a neutral body. Words come from `words`, pages from `layout`; `html`, `pdf` and `slow` draw them. Nothing here
//! reads a clock or a random number: the same statement, settings and [`RENDERER_VERSION`] give the same bytes.
//!
//! `pdf` draws letters whose characters are in the prepared fonts, which is nearly all. Any other character sends its
//! letter to `slow`, which lays fonts in anew; [`Composer::slow_letters`] counts those.

mod countries;
mod face;
mod html;
mod layout;
mod pdf;
mod slow;
mod structure;
mod words;

use crate::config::Sender;
use crate::domain::{Attachment, Begun, Body, Kontrolluppgift, Letter};
use face::Prepared;
use layout::Envelope;
use slow::Slow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use words::{Block, Words};

/// Version of the renderer; recorded with every intent, since a letter is the same bytes only for the same version.
pub const RENDERER_VERSION: u32 = 5;

/// File name of the document: free of personal data.
const FILE_NAME: &str = "kontrolluppgift.pdf";

/// What a letter is made from.
#[derive(Clone, Copy)]
pub struct Sheet<'a> {
    /// The record.
    pub statement: &'a Kontrolluppgift<'a>,
    /// Whom it comes from.
    pub sender: &'a Sender,
    /// Whether it replaces one that was sent before.
    pub correction: bool,
}

/// Why a statement became no letter. Free of personal data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The record takes an earlier one away.
    #[error("a removal (fältkod 205) is not a letter")]
    Removal,
    /// The document could not be written.
    #[error("cannot write the letter as PDF/UA: {0}")]
    Document(&'static str),
}

/// Composes letters. One for all threads.
pub struct Composer {
    prepared: Prepared,
    writer: pdf::Writer,
    slow: OnceLock<Slow>,
    slow_letters: AtomicU64,
}

impl Default for Composer {
    fn default() -> Self {
        Self::new()
    }
}

impl Composer {
    /// Reads and deflates the fonts. *Cost*: some milliseconds, once a run.
    pub fn new() -> Self {
        let prepared = Prepared::new();
        let writer = pdf::Writer::new(&prepared);
        Self { prepared, writer, slow: OnceLock::new(), slow_letters: AtomicU64::new(0) }
    }

    /// The letter of a statement: subject, HTML body, PDF.
    ///
    /// *Errors*: [`ComposeError::Removal`] for a record with Borttag. *Cost*: some tens of microseconds; milliseconds where
    /// a character is in none of the prepared fonts.
    pub fn letter(&self, sheet: &Sheet<'_>) -> Result<Letter, ComposeError> {
        let words = words_of(sheet)?;
        let (bytes, begun) = self.document(&words, None)?;
        Ok(Letter {
            subject: words::subject(sheet.correction).to_owned(),
            body: Body { content_type: "text/html", text: html::page(&words) },
            attachment: Some(Attachment {
                content_type: "application/pdf",
                filename: FILE_NAME.to_owned(),
                bytes,
                begun,
            }),
        })
    }

    /// The letter as a PDF to print, with the recipient's address where a right-hand window of a C5 or C6/5 envelope
    /// shows it; without one where the record has no full address (the print supplier then finds it).
    ///
    /// *Errors*: as [`Composer::letter`].
    pub fn paper(&self, sheet: &Sheet<'_>) -> Result<Vec<u8>, ComposeError> {
        let words = words_of(sheet)?;
        let envelope = Envelope {
            sender: words::clean(&sheet.sender.name),
            address: words::address(sheet.statement).unwrap_or_default(),
        };
        self.document(&words, Some(&envelope)).map(|(bytes, _)| bytes)
    }

    /// How many letters had characters outside the prepared fonts.
    pub fn slow_letters(&self) -> u64 {
        self.slow_letters.load(Ordering::Relaxed)
    }

    /// The document, and its checksum as far as it shares its bytes with others.
    fn document(
        &self,
        words: &Words<'_>,
        envelope: Option<&Envelope<'_>>,
    ) -> Result<(Vec<u8>, Option<Begun>), ComposeError> {
        let Some(font) = self.font(words, envelope) else {
            self.slow_letters.fetch_add(1, Ordering::Relaxed);
            let slow = self.slow.get_or_init(Slow::new);
            let words = slow.shown(words);
            let envelope = envelope.map(|envelope| slow.shown_envelope(envelope));
            let pages = layout::pages(&words, envelope.as_ref(), slow);
            return slow.write(&words.title, &pages).map(|bytes| (bytes, None));
        };
        let pages = layout::pages(words, envelope, &self.prepared);
        let (bytes, begun) = self.writer.write(&words.title, &pages, font, &self.prepared);
        Ok((bytes, Some(begun)))
    }

    /// The smallest prepared font for every character of a letter; headings and labels are in all of them.
    fn font(&self, words: &Words<'_>, envelope: Option<&Envelope<'_>>) -> Option<usize> {
        let mut fonts = self.prepared.fonts(&words.title);
        let mut needs = |text: &str| fonts = fonts.and(self.prepared.fonts(text));
        for block in &words.blocks {
            match block {
                Block::Heading(_) => {}
                Block::Paragraph(text) => needs(text),
                Block::Link(_, url) => needs(url),
                Block::Table(rows) => rows.iter().for_each(|row| needs(&row.value)),
            }
        }
        for line in envelope.into_iter().flat_map(|envelope| envelope.address.iter().chain([&envelope.sender])) {
            needs(line);
        }
        fonts.first()
    }
}

/// The body of a message whose attachment is encrypted: neutral words and whom to ask, nothing of the statement.
pub fn neutral_body(sheet: &Sheet<'_>) -> Body {
    Body { content_type: "text/html", text: html::page(&words::neutral(sheet)) }
}

/// Whether a letter shows every character of a field. Where the fonts lack one, document and paper have its code point
/// (`U+0645`) in its place, and the HTML body has the character itself.
///
/// *Cost*: a scan of the bytes, unless the text has characters beyond Latin and its marks.
#[inline]
pub fn is_drawn(text: &str) -> bool {
    text.bytes().all(|byte| byte < slow::FIRST_LACKING) || slow::draws(text)
}

fn words_of<'a>(sheet: &Sheet<'a>) -> Result<Words<'a>, ComposeError> {
    if sheet.statement.is_removal() {
        return Err(ComposeError::Removal);
    }
    Ok(words::letter(sheet))
}

#[cfg(test)]
mod tests {
    use super::face::Fonts;
    use super::*;
    use crate::domain::{FIELDS, FORMS, Form};
    use std::borrow::Cow;

    #[test]
    fn what_letters_say_by_themselves_is_in_every_font() {
        let composer = Composer::new();
        let labels = FORMS.iter().flat_map(|form| [form.sender, form.recipient, form.body]).flatten();
        let labels = labels.map(|place| place.label).chain(FIELDS.iter().map(|field| field.label));
        for label in labels.chain(layout_words()) {
            assert_eq!(composer.prepared.fonts(label), Fonts::ALL, "{label}");
        }
        let sender = Sender {
            id: None,
            name: "A".into(),
            names: None,
            support_text: "A".into(),
            support_url: None,
            support_phone: None,
            support_email: None,
        };
        for form in Form::all() {
            let text = |text| Cow::Borrowed(text);
            let mut statement = Kontrolluppgift::new(form, text(form.nummer()), text("165021680250"), text("2022"));
            for (correction, numbered) in [(false, false), (true, false), (false, true), (true, true)] {
                if numbered {
                    statement.insert(crate::domain::faltkod::UPPGIFTSLAMNAR_ID, text("165021680250"));
                }
                let words = words_of(&Sheet { statement: &statement, sender: &sender, correction }).unwrap();
                assert_eq!(composer.font(&words, None), Some(0), "{form}");
                for block in &words.blocks {
                    if let Block::Heading(heading) = block {
                        assert_eq!(composer.prepared.fonts(heading), Fonts::ALL, "{heading}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_text_leaves_the_page() {
        let composer = Composer::new();
        let slow = Slow::new();
        let sender = Sender {
            id: None,
            name: "N".repeat(256),
            names: None,
            support_text: "W".repeat(1024),
            support_url: Some("w".repeat(255)),
            support_phone: Some("0".repeat(255)),
            support_email: Some("@".repeat(256)),
        };
        for c in ['W', '王', '🦊', 'Ж', '‱', '\n', ' ', '-', '\u{fdfd}'] {
            let mut statement = Kontrolluppgift::new(Form::KU14, "2303".into(), "165021680250".into(), "2022".into());
            for place in [Form::KU14.table().recipient, Form::KU14.table().body].into_iter().flatten() {
                if let crate::domain::Type::Text { max, .. } = place.index().field().kind {
                    statement.insert(place.index(), Cow::Owned(c.to_string().repeat(max)));
                }
            }
            let sheet = Sheet { statement: &statement, sender: &sender, correction: true };
            let words = slow.shown(&words_of(&sheet).unwrap());
            let envelope = Envelope {
                sender: words::clean(&sender.name),
                address: words::address(&statement).unwrap_or_default(),
            };
            let envelope = slow.shown_envelope(&envelope);
            for envelope in [None, Some(&envelope)] {
                for page in layout::pages(&words, envelope, &slow) {
                    for line in &page.lines {
                        let right = line.x + layout::Face::width(&slow, line.text.trim_end(), line.style.size);
                        assert!(line.y >= 300 && line.y < layout::PAGE.1 - 300, "{c:?} {} {}", line.y, line.text);
                        assert!(line.x > 0 && right < layout::PAGE.0 - 300, "{c:?} {right} {}", line.text);
                    }
                }
            }
            assert!(composer.letter(&sheet).is_ok() && composer.paper(&sheet).is_ok(), "{c:?}");
        }
    }

    fn layout_words() -> impl Iterator<Item = &'static str> {
        words::COLUMNS.into_iter().chain(["Sida 1 av 2", "Uppgiftslämnare", "Inkomsttagare"])
    }
}
