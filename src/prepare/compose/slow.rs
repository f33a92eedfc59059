//! The slow writer: letters with characters that the prepared fonts do not have, drawn by krilla.
//!
//! Same words, same pages, same structure as the fast writer's, with wider fonts that are cut down anew for each letter.
//! A character that no font has is written as its code point (`U+4E2D`), so that nothing is lost without a trace; the
//! HTML body has the character itself. Milliseconds a letter; the fonts are read when the first such letter comes.

use super::ComposeError;
use super::layout::{Envelope, Face, PAGE, Page, RULE, Role, Style, Tenths};
use super::structure::{Element, Tag, structure};
use super::words::{Block, Row, Words, clean};
use krilla::SerializeSettings;
use krilla::color::luma;
use krilla::configure::{Accessibility, ConfigurationBuilder, PdfVersion};
use krilla::destination::XyzDestination;
use krilla::error::KrillaError;
use krilla::geom::{PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node, TableHeaderScope, Tag as PdfTag, TagGroup, TagKind, TagTree,
};
use krilla::text::{Font, GlyphId, KrillaGlyph};
use krilla::{Data, Document};
use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};
use std::borrow::Cow;
use std::num::NonZeroU16;
use std::sync::OnceLock;

/// Fonts by preference; `font/README.md` says how they were made.
static FILES: [&[u8]; 2] = [include_bytes!("font/wide.ttf"), include_bytes!("font/emoji.ttf")];

/// More unknown characters than these in a text stand as replacement characters each: the longest names are 50 long.
const MOST_CODES: usize = 50;

/// Below this byte no character of UTF-8 begins that the fonts lack and a letter shows: U+0378 is the first.
pub(super) const FIRST_LACKING: u8 = 0xcd;

/// Whether the fonts have every character of a text as a letter shows it, so that no code point stands in its place.
pub(super) fn draws(text: &str) -> bool {
    static MAPS: OnceLock<Vec<Charmap<'static>>> = OnceLock::new();
    let maps = MAPS.get_or_init(|| {
        FILES.into_iter().filter_map(|file| FontRef::new(file).ok()).map(|reader| reader.charmap()).collect()
    });
    let has = |c| maps.iter().any(|map| map.map(c).is_some_and(|id| id.to_u32() != 0));
    clean(text).chars().all(|c| has(c) || is_joiner(c))
}

/// Draws letters.
pub(super) struct Slow {
    fonts: Vec<Loaded>,
}

struct Loaded {
    font: Font,
    map: Charmap<'static>,
    widths: skrifa::metrics::GlyphMetrics<'static>,
    units: f32,
}

/// A character in one of the fonts.
struct Glyph {
    font: usize,
    id: GlyphId,
    /// As a share of the size.
    advance: f32,
}

impl Slow {
    /// Reads the fonts.
    pub(super) fn new() -> Self {
        let load = |file: &'static [u8]| {
            let reader = FontRef::new(file).ok()?;
            let font = Font::new(Data::from(file), 0)?;
            let units = font.units_per_em();
            let widths = reader.glyph_metrics(Size::unscaled(), LocationRef::default());
            Some(Loaded { font, map: reader.charmap(), widths, units })
        };
        Self { fonts: FILES.into_iter().filter_map(load).collect() }
    }

    /// The document of words that are [`Slow::shown`].
    ///
    /// *Errors*: what krilla's PDF/UA-1 validator finds, by kind alone, since its own words carry text of the letter.
    pub(super) fn write(&self, title: &str, pages: &[Page<'_>]) -> Result<Vec<u8>, ComposeError> {
        let configuration = ConfigurationBuilder::new()
            .with_version(PdfVersion::Pdf17)
            .with_accessibility_validator(Accessibility::UA1)
            .finish()
            .map_err(|_| ComposeError::Document("PDF/UA-1 does not go with PDF 1.7"))?;
        let mut document = Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
        let mut outline = Outline::new();
        let mut identifiers = Vec::with_capacity(pages.len());
        for (place, page) in pages.iter().enumerate() {
            let (width, height) = (points(PAGE.0), points(PAGE.1));
            let settings =
                PageSettings::from_wh(width, height).ok_or(ComposeError::Document("the page has no size"))?;
            let mut sheet = document.start_page_with(settings);
            let mut surface = sheet.surface();
            identifiers.push(self.draw(&mut surface, page));
            surface.finish();
            sheet.finish();
            for item in page.items.iter().filter(|item| matches!(item.role, Role::H1 | Role::H2)) {
                let lines = page.lines.get(item.lines.clone()).unwrap_or_default();
                if let Some(first) = lines.first() {
                    let text: String = lines.iter().map(|line| line.text.as_ref()).collect();
                    let above = Point::from_xy(points(first.x), points(PAGE.1 - first.y - first.style.size));
                    outline.push_child(OutlineNode::new(text, XyzDestination::new(place, above)));
                }
            }
        }
        document.set_outline(outline);
        document.set_metadata(Metadata::new().title(title.to_owned()).language("sv-SE".to_owned()));
        document.set_tag_tree(tree(pages, identifiers));
        document.finish().map_err(|error| ComposeError::Document(kind(&error)))
    }

    /// Draws a page; the identifiers of its items that are not decoration.
    fn draw(&self, surface: &mut Surface<'_>, page: &Page<'_>) -> Vec<Identifier> {
        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
        for (y, strong) in &page.rules {
            let mut path = PathBuilder::new();
            let height = points(PAGE.1 - y);
            path.move_to(points(RULE.0), height);
            path.line_to(points(RULE.1), height);
            if let Some(path) = path.finish() {
                let (shade, width) = if *strong { (0, 0.8) } else { (140, 0.5) };
                surface.set_fill(None);
                surface.set_stroke(Some(Stroke { paint: luma::Color::new(shade).into(), width, ..Stroke::default() }));
                surface.draw_path(&path);
            }
        }
        surface.end_tagged();
        surface.set_fill(Some(Fill {
            paint: luma::Color::new(0).into(),
            opacity: NormalizedF32::ONE,
            rule: krilla::paint::FillRule::default(),
        }));
        let mut identifiers = Vec::with_capacity(page.items.len());
        for item in &page.items {
            let decoration = item.role == Role::Artifact;
            let identifier = surface.start_tagged(match decoration {
                true => ContentTag::Artifact(Artifact::with_kind(ArtifactType::PaginationOther)),
                false => ContentTag::Other,
            });
            for line in page.lines.get(item.lines.clone()).unwrap_or_default() {
                self.line(surface, (line.x, line.y), line.style, &line.text);
            }
            surface.end_tagged();
            if !decoration {
                identifiers.push(identifier);
            }
        }
        identifiers
    }

    /// Draws a line, a run for each stretch of one font.
    fn line(&self, surface: &mut Surface<'_>, at: (Tenths, Tenths), style: Style, text: &str) {
        let size = points(style.size);
        // Filled and stroked: heavier, as the fast writer has it.
        let bold = style.bold.then(|| Stroke { width: 0.35, ..Stroke::default() });
        surface.set_stroke(bold);
        let mut x = points(at.0);
        let y = points(PAGE.1 - at.1);
        let mut run: (usize, Vec<KrillaGlyph>) = (0, Vec::new());
        let mut begins = x;
        let mut flush = |(font, glyphs): &mut (usize, Vec<KrillaGlyph>), begins: f32| {
            if let Some(loaded) = self.fonts.get(*font).filter(|_| !glyphs.is_empty()) {
                surface.draw_glyphs(Point::from_xy(begins, y), glyphs, loaded.font.clone(), text, size, false);
                glyphs.clear();
            }
        };
        for (place, c) in text.char_indices() {
            let Some(glyph) = self.glyph(c) else { continue };
            if glyph.font != run.0 {
                flush(&mut run, begins);
                (run.0, begins) = (glyph.font, x);
            }
            run.1.push(KrillaGlyph {
                glyph_id: glyph.id,
                text_range: place..place + c.len_utf8(),
                x_advance: glyph.advance,
                x_offset: 0.0,
                y_offset: 0.0,
                y_advance: 0.0,
                location: None,
            });
            x += glyph.advance * size;
        }
        flush(&mut run, begins);
    }

    fn glyph(&self, c: char) -> Option<Glyph> {
        self.fonts.iter().enumerate().find_map(|(font, loaded)| {
            let id = loaded.map.map(c).filter(|id| id.to_u32() != 0)?;
            let advance = loaded.widths.advance_width(id).unwrap_or_default() / loaded.units;
            Some(Glyph { font, id: GlyphId::new(id.to_u32()), advance })
        })
    }

    /// The words with what no font has written as code points, and what is not drawn left out.
    pub(super) fn shown<'a>(&self, words: &Words<'a>) -> Words<'a> {
        let blocks = words.blocks.iter().map(|block| match block {
            Block::Heading(text) => Block::Heading(text),
            Block::Paragraph(text) => Block::Paragraph(self.drawable(text)),
            Block::Link(before, url) => Block::Link(before, self.drawable(url)),
            Block::Table(rows) => {
                Block::Table(rows.iter().map(|row| Row { value: self.drawable(&row.value), ..*row }).collect())
            }
        });
        Words { title: self.drawable(&Cow::Borrowed(&words.title)).into_owned(), blocks: blocks.collect() }
    }

    /// The same for what stands above a paper letter.
    pub(super) fn shown_envelope<'a>(&self, envelope: &Envelope<'a>) -> Envelope<'a> {
        Envelope {
            sender: self.drawable(&envelope.sender),
            address: envelope.address.iter().map(|line| self.drawable(line)).collect(),
        }
    }

    fn drawable<'a>(&self, text: &Cow<'a, str>) -> Cow<'a, str> {
        if text.chars().all(|c| c == '\n' || self.glyph(c).is_some()) {
            return text.clone();
        }
        // Code points by the dozen are not read by anyone, and a free address of them would not fit on a page.
        let unknown = text.chars().filter(|c| self.glyph(*c).is_none() && !is_joiner(*c)).count();
        let mut out = String::with_capacity(text.len() + 16);
        let mut coded = false;
        for c in text.chars() {
            if is_joiner(c) {
                continue;
            }
            let known = c == '\n' || self.glyph(c).is_some();
            if unknown > MOST_CODES && !known {
                out.push(char::REPLACEMENT_CHARACTER);
                continue;
            }
            if coded && c != ' ' && c != '\n' {
                out.push(' ');
            }
            match known {
                true => out.push(c),
                false => out.push_str(&format!("U+{:04X}", u32::from(c))),
            }
            coded = !known;
        }
        Cow::Owned(out)
    }
}

impl Face for Slow {
    fn advance(&self, c: char) -> i32 {
        self.glyph(c).map_or(0, |glyph| (glyph.advance * 1000.0).round() as i32)
    }
}

/// Characters that only say how others are drawn together.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

/// The tree that krilla writes.
fn tree(pages: &[Page<'_>], identifiers: Vec<Vec<Identifier>>) -> TagTree {
    let elements = structure(pages);
    let mut identifiers: Vec<Vec<Option<Identifier>>> =
        identifiers.into_iter().map(|page| page.into_iter().map(Some).collect()).collect();
    let kids = elements.first().map(|document| document.kids.as_slice()).unwrap_or_default();
    let mut tree = TagTree::from(groups(pages, &elements, kids, &mut identifiers));
    tree.lang = Some("sv-SE".to_owned());
    tree
}

fn groups(
    pages: &[Page<'_>],
    elements: &[Element],
    kids: &[usize],
    identifiers: &mut [Vec<Option<Identifier>>],
) -> Vec<Node> {
    let mut nodes = Vec::with_capacity(kids.len());
    for element in kids.iter().filter_map(|kid| elements.get(*kid)) {
        let children = match element.content {
            Some((page, id)) => {
                let identifier = identifiers.get_mut(page).and_then(|page| page.get_mut(id)).and_then(Option::take);
                identifier.map(Node::Leaf).into_iter().collect()
            }
            None => groups(pages, elements, &element.kids, identifiers),
        };
        nodes.push(Node::Group(TagGroup::with_children(tag(pages, element), children)));
    }
    nodes
}

fn tag(pages: &[Page<'_>], element: &Element) -> TagKind {
    match element.tag {
        Tag::H1 => PdfTag::Hn(NonZeroU16::MIN, Some(text(pages, element))).into(),
        Tag::H2 => PdfTag::Hn(NonZeroU16::MIN.saturating_add(1), Some(text(pages, element))).into(),
        Tag::P | Tag::Document => PdfTag::P.into(),
        Tag::Table => PdfTag::Table.into(),
        Tag::Row => PdfTag::TR.into(),
        Tag::ColumnHead => PdfTag::TH(TableHeaderScope::Column).into(),
        Tag::RowHead => PdfTag::TH(TableHeaderScope::Row).into(),
        Tag::Cell => PdfTag::TD.into(),
    }
}

/// The text of a leaf.
fn text(pages: &[Page<'_>], element: &Element) -> String {
    let lines = element.content.and_then(|(page, id)| {
        let page = pages.get(page)?;
        let item = page.items.iter().filter(|item| item.role != Role::Artifact).nth(id)?;
        page.lines.get(item.lines.clone())
    });
    lines.unwrap_or_default().iter().map(|line| line.text.as_ref()).collect()
}

fn points(tenths: Tenths) -> f32 {
    tenths as f32 / 10.0
}

/// What went wrong, without the letter's text.
fn kind(error: &KrillaError) -> &'static str {
    match error {
        KrillaError::Font(..) => "a font cannot be embedded",
        KrillaError::Validation(_) => "the document breaks a rule of PDF/UA-1",
        KrillaError::Limit(_) => "the document is beyond a limit of PDF",
        _ => "the document cannot be written",
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_drawn;
    use super::*;

    #[test]
    fn what_is_not_drawn_is_known_of_every_character() {
        let slow = Slow::new();
        let mut lacking = 0;
        for c in '\0'..=char::MAX {
            // Between letters, so that blanks stay and nothing combines with its neighbour.
            let text = format!("a{c}b");
            let shown = slow.drawable(&clean(&text)).into_owned();
            let coded = shown.contains("U+") || shown.contains(char::REPLACEMENT_CHARACTER) && c != '\u{fffd}';
            assert_eq!(is_drawn(&text), !coded, "U+{:04X}", u32::from(c));
            lacking += usize::from(coded);
        }
        assert!(lacking > 1_000_000);
        assert!(
            is_drawn("Åsa Öberg Łukasz Анна Ελένη 🦊") && !is_drawn("Åsa مريم") && !is_drawn("王") && !is_drawn("ნინო")
        );
    }
}
