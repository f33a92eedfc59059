//! The fast writer: a tagged PDF/UA-1 document from laid-out pages.
//!
//! Two letters of the same shape (the same items on the same pages, the same title, the same font) differ only in their
//! content streams. All their other objects are a *frame*, made once for a shape, deflated together in one object stream,
//! and kept, with the MD5 up to there: a letter then costs a copy of font and frame, its content streams and what they
//! add to the frame's cross-reference stream. Content streams are not deflated, since that costs more than all the rest.
//!
//! ```text
//! header · font file · ToUnicode                        <- one of three fonts
//! XMP · object stream · cross-reference stream          <- the frame
//! content stream of each page · cross-reference stream  <- the letter
//! ```
//!
//! A font is a bare CFF file that is used under WinAnsiEncoding and, with letters beyond that, once more under its own
//! encoding, so that every code is a byte.
//!
//! *Source*: ISO 32000-1 (PDF 1.7), ISO 14289-1 (PDF/UA-1). The same words give the same bytes; there are no dates.

use super::face::{FILES, Prepared};
use super::layout::{PAGE, Page, RULE, Role, Style, Tenths};
use super::structure::{Tag, structure};
use crate::domain::Begun;
use md5::{Digest as _, Md5};
use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

/// Frames that are kept, some 3 kB each. Shapes are few: rows of each table times page breaks, years and fonts. What comes
/// after the limit is made anew each time.
const FRAMES: usize = 4096;

/// Writes documents.
pub(super) struct Writer {
    fonts: [Font; 3],
    frames: RwLock<HashMap<Vec<u8>, Arc<Frame>>>,
}

/// A prepared font.
struct Font {
    /// The file's header, and the streams of the font.
    head: Vec<u8>,
    /// MD5 of those.
    md5: Md5,
    /// Where those stand, for objects 1 to 3; the last is only there with codes of the file's own.
    offsets: [Option<usize>; 3],
    /// Base name with the subset's tag.
    name: String,
    /// Its codes in WinAnsiEncoding.
    win_ansi: Option<Codes>,
    /// Its codes in the file's own encoding, for other characters.
    own: Option<Codes>,
}

/// The codes of an encoding that a font has.
struct Codes {
    first: u8,
    last: u8,
    /// Of all from the first to the last, with blanks between.
    widths: String,
}

/// What letters of a shape share.
struct Frame {
    /// Metadata, object stream and cross-reference stream.
    tail: Vec<u8>,
    /// Where the last of them stands in the document.
    cross_reference: usize,
    /// Number of the first page's content stream.
    contents: usize,
    /// MD5 of font and tail.
    begun: Begun,
}

impl Writer {
    /// Deflates the fonts. *Cost*: some milliseconds, once.
    pub(super) fn new(prepared: &Prepared) -> Self {
        let mut places = 0..;
        let fonts = FILES.map(|file| Font::new(places.next().unwrap_or_default(), file, prepared));
        Self { fonts, frames: RwLock::default() }
    }

    /// The document, and the MD5 of what it shares with others. `place`: of the font that has every character of the
    /// pages.
    pub(super) fn write(&self, title: &str, pages: &[Page<'_>], place: usize, prepared: &Prepared) -> (Vec<u8>, Begun) {
        let [.., last] = &self.fonts;
        let font = self.fonts.get(place).unwrap_or(last);
        let frame = self.frame(title, pages, place, font);
        let mut out = Vec::with_capacity(font.head.len() + frame.tail.len() + 8 * 1024);
        out.extend_from_slice(&font.head);
        out.extend_from_slice(&frame.tail);
        let mut contents = Vec::with_capacity(pages.len());
        let mut content = Vec::with_capacity(6 * 1024);
        for page in pages {
            content.clear();
            write_page(&mut content, page, prepared);
            contents.push(stream(&mut out, frame.contents + contents.len(), "", &content));
        }
        (finish(out, &frame, &contents), frame.begun.clone())
    }

    fn frame(&self, title: &str, pages: &[Page<'_>], place: usize, font: &Font) -> Arc<Frame> {
        let mut shape = Vec::with_capacity(192);
        shape.push(place as u8);
        for page in pages {
            shape.extend(page.items.iter().map(|item| item.role as u8));
            shape.push(u8::MAX);
        }
        shape.extend_from_slice(title.as_bytes());
        let known = self.frames.read().unwrap_or_else(PoisonError::into_inner).get(&shape).cloned();
        known.unwrap_or_else(|| {
            let frame = Arc::new(Frame::new(title, pages, font));
            let mut frames = self.frames.write().unwrap_or_else(PoisonError::into_inner);
            if frames.len() < FRAMES {
                frames.insert(shape, Arc::clone(&frame));
            }
            frame
        })
    }
}

/// Adds a stream; where it stands.
fn stream(out: &mut Vec<u8>, number: usize, dictionary: &str, bytes: &[u8]) -> usize {
    let at = out.len();
    push(out, format_args!("{number} 0 obj<<{dictionary}/Length {}>>stream\n", bytes.len()));
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\nendstream endobj\n");
    at
}

const DEFLATED: &str = "/Filter/FlateDecode";

impl Font {
    fn new(place: usize, file: &[u8], prepared: &Prepared) -> Self {
        let mut head = Vec::with_capacity(16 * 1024);
        head.extend_from_slice(b"%PDF-1.7\n%\xe5\xe4\xf6\xe9\n");
        let dictionary = format!("/Subtype/Type1C{DEFLATED}");
        let file = stream(&mut head, number::FONT_FILE, &dictionary, &deflate(file, SMALLEST));
        let mut codes = |win_ansi, number| {
            let glyphs = prepared.all().filter(|(_, glyph)| glyph.fonts.has(place) && glyph.win_ansi == win_ansi);
            let mut glyphs: Vec<(u8, char, u16)> = glyphs.map(|(c, glyph)| (glyph.code, c, glyph.advance)).collect();
            glyphs.sort_unstable();
            let (first, last) = (glyphs.first()?.0, glyphs.last()?.0);
            let width = |code| glyphs.iter().find(|glyph| glyph.0 == code).map_or(0, |glyph| glyph.2);
            let widths = (first..=last).map(|code| width(code).to_string()).collect::<Vec<_>>().join(" ");
            let map = to_unicode(glyphs.iter().map(|(code, c, _)| (*code, *c)));
            Some((stream(&mut head, number, DEFLATED, &map), Codes { first, last, widths }))
        };
        let (map, win_ansi) = codes(true, number::TO_UNICODE).unzip();
        let (own_map, own) = codes(false, number::OWN_TO_UNICODE).unzip();
        let tag = ["UTSKIA", "UTSKIB", "UTSKIC"].get(place).copied().unwrap_or("UTSKIX");
        let md5 = Md5::new().chain_update(&head);
        Self { head, md5, offsets: [Some(file), map, own_map], name: format!("{tag}+NotoSans-Regular"), win_ansi, own }
    }
}

/// Level of the fonts, which are deflated once.
const SMALLEST: u8 = 10;
/// Level of frames, which are deflated once for each shape: a hundredth larger, at two thirds of the cost.
const QUICK: u8 = 4;

/// Deflates, in zlib's format.
fn deflate(bytes: &[u8], level: u8) -> Vec<u8> {
    thread_local! {
        /// Kept, since a new one is some 300 kB that are first zeroed: dearer than to deflate a frame.
        static COMPRESSOR: RefCell<Box<CompressorOxide>> = RefCell::default();
    }
    let mut deflated = Vec::with_capacity(bytes.len() / 2 + 64);
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        compressor.set_format_and_level(DataFormat::Zlib, level);
        // It has room for all there is.
        compress_to_output(compressor, bytes, TDEFLFlush::Finish, |piece| {
            deflated.extend_from_slice(piece);
            true
        });
    });
    deflated
}

/// A deflated ToUnicode CMap of codes in ascending order.
///
/// WinAnsiEncoding alone would do for PDF/UA-1 (7.21.7), but then readers take the no-break space for a space.
fn to_unicode(codes: impl Iterator<Item = (u8, char)>) -> Vec<u8> {
    // Runs of codes that are as far apart as their characters. Codes between that the font lacks do no harm.
    let mut runs: Vec<(u8, u8, u32)> = Vec::new();
    for (code, c) in codes {
        let c = u32::from(c);
        match runs.last_mut() {
            // A run stays inside one high byte, as the format wants.
            Some((first, last, from)) if *from + u32::from(code - *first) == c && *from >> 8 == c >> 8 => *last = code,
            _ => runs.push((code, code, c)),
        }
    }
    let mut map = format!(
        "/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)\
         /Supplement 0>>def/CMapName/Adobe-Identity-UCS def/CMapType 2 def 1 begincodespacerange<00><FF>\
         endcodespacerange\n{} beginbfrange\n",
        runs.len()
    );
    for (first, last, c) in runs {
        let _ = writeln!(map, "<{first:02X}><{last:02X}><{c:04X}>");
    }
    map.push_str("endbfrange\nendcmap CMapName currentdict/CMap defineresource pop end end");
    deflate(map.as_bytes(), SMALLEST)
}

/// Object numbers. Streams come first, then the object stream's, then content streams, and the cross-reference stream
/// that adds those.
mod number {
    pub(super) const FONT_FILE: usize = 1;
    pub(super) const TO_UNICODE: usize = 2;
    pub(super) const OWN_TO_UNICODE: usize = 3;
    pub(super) const METADATA: usize = 4;
    pub(super) const OBJECTS: usize = 5;
    pub(super) const CROSS_REFERENCE: usize = 6;
    // In the object stream, in this order; the first page after them, then structure elements.
    pub(super) const CATALOG: usize = 7;
    pub(super) const INFO: usize = 8;
    pub(super) const PAGES: usize = 9;
    pub(super) const STRUCTURE: usize = 10;
    pub(super) const PARENTS: usize = 11;
    pub(super) const FONT: usize = 12;
    pub(super) const DESCRIPTOR: usize = 13;
    pub(super) const OWN_FONT: usize = 14;
    pub(super) const OWN_DESCRIPTOR: usize = 15;
    pub(super) const COLUMN_SCOPE: usize = 16;
    pub(super) const ROW_SCOPE: usize = 17;
    pub(super) const FIRST_PAGE: usize = 18;
}

impl Frame {
    fn new(title: &str, pages: &[Page<'_>], font: &Font) -> Self {
        let elements = structure(pages);
        let first_element = number::FIRST_PAGE + pages.len();
        let contents = first_element + elements.len();
        let metadata = deflate(xmp(title).as_bytes(), QUICK);

        let title = pdf_string(title);
        let mut objects: Vec<String> = Vec::with_capacity(contents);
        objects.push(format!(
            "<</Type/Catalog/Pages {} 0 R/Lang(sv-SE)/MarkInfo<</Marked true>>/ViewerPreferences<</DisplayDocTitle \
             true>>/StructTreeRoot {} 0 R/Metadata {} 0 R>>",
            number::PAGES,
            number::STRUCTURE,
            number::METADATA
        ));
        objects.push(format!("<</Title{title}/Producer(utskick)>>"));
        let kids = list((0..pages.len()).map(|page| number::FIRST_PAGE + page));
        objects.push(format!("<</Type/Pages/Count {}/Kids[{kids}]>>", pages.len()));
        objects.push(format!("<</Type/StructTreeRoot/K[{first_element} 0 R]/ParentTree {} 0 R>>", number::PARENTS));
        let mut parents = String::from("<</Nums[");
        for page in 0..pages.len() {
            let leaves = elements.iter().enumerate();
            let leaves = leaves.filter(|(_, element)| element.content.is_some_and(|(on, _)| on == page));
            let _ = write!(parents, "{page}[{}]", list(leaves.map(|(place, _)| first_element + place)));
        }
        objects.push(parents + "]>>");
        // Flags: 32 for the standard Latin characters, 4 for others.
        for (codes, encoding, descriptor, to_unicode, flags) in [
            (&font.win_ansi, "/Encoding/WinAnsiEncoding", number::DESCRIPTOR, number::TO_UNICODE, 32),
            (&font.own, "", number::OWN_DESCRIPTOR, number::OWN_TO_UNICODE, 4),
        ] {
            let Some(Codes { first, last, widths }) = codes else {
                objects.extend(["null".to_owned(), "null".to_owned()]);
                continue;
            };
            let name = &font.name;
            objects.push(format!(
                "<</Type/Font/Subtype/Type1/BaseFont/{name}/FirstChar {first}/LastChar {last}/Widths[{widths}]{encoding}\
                 /FontDescriptor {descriptor} 0 R/ToUnicode {to_unicode} 0 R>>"
            ));
            // Ascent, descent, heights and box of Noto Sans Regular, in thousandths.
            objects.push(format!(
                "<</Type/FontDescriptor/FontName/{name}/Flags {flags}/FontBBox[-621 -389 2800 1067]/ItalicAngle 0/Ascent \
                 1069/Descent -293/CapHeight 714/XHeight 536/StemV 80/FontFile3 {} 0 R>>",
                number::FONT_FILE
            ));
        }
        objects.push("<</O/Table/Scope/Column>>".into());
        objects.push("<</O/Table/Scope/Row>>".into());
        let fonts = match &font.own {
            Some(_) => format!("/F {} 0 R/G {} 0 R", number::FONT, number::OWN_FONT),
            None => format!("/F {} 0 R", number::FONT),
        };
        for page in 0..pages.len() {
            objects.push(format!(
                "<</Type/Page/Parent {} 0 R/MediaBox[0 0 {} {}]/Resources<</Font<<{fonts}>>>>/Contents {} 0 R\
                 /StructParents {page}/Tabs/S>>",
                number::PAGES,
                points(PAGE.0),
                points(PAGE.1),
                contents + page
            ));
        }
        for element in &elements {
            let parent = element.parent.map_or(number::STRUCTURE, |parent| first_element + parent);
            let kids = match element.content {
                Some((page, id)) => format!("/Pg {} 0 R/K {id}", number::FIRST_PAGE + page),
                None => format!("/K[{}]", list(element.kids.iter().map(|kid| first_element + kid))),
            };
            let (tag, scope) = match element.tag {
                Tag::Document => ("Document", None),
                Tag::H1 => ("H1", None),
                Tag::H2 => ("H2", None),
                Tag::P => ("P", None),
                Tag::Table => ("Table", None),
                Tag::Row => ("TR", None),
                Tag::ColumnHead => ("TH", Some(number::COLUMN_SCOPE)),
                Tag::RowHead => ("TH", Some(number::ROW_SCOPE)),
                Tag::Cell => ("TD", None),
            };
            let scope = scope.map(|scope| format!("/A {scope} 0 R")).unwrap_or_default();
            objects.push(format!("<</S/{tag}/P {parent} 0 R{kids}{scope}>>"));
        }

        let mut index = String::new();
        let mut body = String::new();
        for (place, object) in objects.iter().enumerate() {
            let _ = write!(index, "{} {} ", number::CATALOG + place, body.len());
            body.push_str(object);
            body.push('\n');
        }
        let objects_dictionary = format!("/Type/ObjStm/N {}/First {}{DEFLATED}", objects.len(), index.len());
        let deflated = deflate((index + &body).as_bytes(), QUICK);
        let mut tail = Vec::with_capacity(4 * 1024);
        let metadata_dictionary = format!("/Type/Metadata/Subtype/XML{DEFLATED}");
        let start = font.head.len();
        let metadata = start + stream(&mut tail, number::METADATA, &metadata_dictionary, &metadata);
        let packed = start + stream(&mut tail, number::OBJECTS, &objects_dictionary, &deflated);
        let cross_reference = start + tail.len();

        let mut entries = vec![entry(0, 0, usize::MAX)];
        entries.extend(font.offsets.map(|at| entry(u8::from(at.is_some()), at.unwrap_or_default(), 0)));
        entries.extend([metadata, packed, cross_reference].map(|at| entry(1, at, 0)));
        entries.extend((0..objects.len()).map(|place| entry(2, number::OBJECTS, place)));
        // Each as its difference from the one above it (predictor 12), which deflates to next to nothing.
        let mut above = [0; ENTRY];
        let mut rows = Vec::with_capacity(entries.len() * (1 + ENTRY));
        for entry in entries {
            rows.push(2);
            rows.extend(entry.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(above)));
            above = entry;
        }
        let dictionary = format!(
            "/Type/XRef/W[1 3 2]/Size {contents}/Root {} 0 R{DEFLATED}/DecodeParms<</Predictor 12/Columns {ENTRY}>>",
            number::CATALOG
        );
        stream(&mut tail, number::CROSS_REFERENCE, &dictionary, &deflate(&rows, QUICK));
        let md5 = font.md5.clone().chain_update(&tail);
        let begun = Begun { md5, length: font.head.len() + tail.len() };
        Self { tail, cross_reference, contents, begun }
    }
}

/// Bytes of an entry of a cross-reference stream.
const ENTRY: usize = 6;

/// An entry: a byte of kind, three of an offset or of a stream's number, two of a place in that stream.
fn entry(kind: u8, second: usize, third: usize) -> [u8; ENTRY] {
    let ([.., a, b, c], [.., d, e]) = (second.to_be_bytes(), third.to_be_bytes());
    [kind, a, b, c, d, e]
}

/// Adds a cross-reference stream for the contents and itself; the frame's is the one before it.
fn finish(mut out: Vec<u8>, frame: &Frame, contents: &[usize]) -> Vec<u8> {
    let at = out.len();
    let itself = frame.contents + contents.len();
    push(
        &mut out,
        format_args!(
            "{itself} 0 obj<</Type/XRef/W[1 3 2]/Index[{} {}]/Size {}/Root {} 0 R/Info {} 0 R/Prev {}/Length {}>>stream\n",
            frame.contents,
            contents.len() + 1,
            itself + 1,
            number::CATALOG,
            number::INFO,
            frame.cross_reference,
            ENTRY * (contents.len() + 1)
        ),
    );
    contents.iter().chain([&at]).for_each(|at| out.extend_from_slice(&entry(1, *at, 0)));
    push(&mut out, format_args!("\nendstream endobj\nstartxref\n{at}\n%%EOF\n"));
    out
}

/// A page's content stream.
fn write_page(out: &mut Vec<u8>, page: &Page<'_>, prepared: &Prepared) {
    out.extend_from_slice(b"/Artifact BMC .55 g\n");
    for (y, strong) in &page.rules {
        if !strong {
            rule(out, *y, THIN);
        }
    }
    out.extend_from_slice(b"f 0 g\n");
    for (y, strong) in &page.rules {
        if *strong {
            rule(out, *y, STRONG);
        }
    }
    out.extend_from_slice(b"f EMC BT .35 w\n");
    let mut pen = Pen { at: (0, 0), style: Style { size: 0, bold: false } };
    let mut id = 0;
    for item in &page.items {
        if item.role == Role::Artifact {
            out.extend_from_slice(b"/Artifact BMC ");
        } else {
            // The structure element says what it is; this tag decides nothing.
            out.extend_from_slice(b"/P<</MCID ");
            integer(out, id);
            id += 1;
            out.extend_from_slice(b">>BDC ");
        }
        for line in page.lines.get(item.lines.clone()).unwrap_or_default() {
            pen.set(out, line.style);
            pen.go(out, (line.x, line.y));
            show(out, &line.text, line.style.size, prepared);
        }
        out.extend_from_slice(b"EMC\n");
    }
    out.extend_from_slice(b"ET");
}

/// Where the last line began, and how it was drawn.
struct Pen {
    at: (Tenths, Tenths),
    style: Style,
}

impl Pen {
    fn set(&mut self, out: &mut Vec<u8>, style: Style) {
        if style.size != self.style.size {
            out.extend_from_slice(b"/F ");
            tenths(out, style.size);
            out.extend_from_slice(b" Tf ");
        }
        if style.bold != self.style.bold {
            // Filled and stroked: heavier, without a second font.
            out.extend_from_slice(if style.bold { b"2 Tr " } else { b"0 Tr " });
        }
        self.style = style;
    }

    fn go(&mut self, out: &mut Vec<u8>, to: (Tenths, Tenths)) {
        tenths(out, to.0 - self.at.0);
        out.push(b' ');
        tenths(out, to.1 - self.at.1);
        out.extend_from_slice(b" Td");
        self.at = to;
    }
}

/// Shows a text: strings of codes, each in the encoding that has them.
fn show(out: &mut Vec<u8>, text: &str, size: Tenths, prepared: &Prepared) {
    let choose = |out: &mut Vec<u8>, font: &[u8]| {
        out.extend_from_slice(font);
        tenths(out, size);
        out.extend_from_slice(b" Tf");
    };
    let mut win_ansi = true;
    out.push(b'(');
    for c in text.chars() {
        // Nearly all.
        if win_ansi && matches!(c, ' '..='\'' | '*'..='[' | ']'..='~') {
            out.push(c as u8);
            continue;
        }
        let Some(glyph) = prepared.glyph(c) else { continue };
        if glyph.win_ansi != win_ansi {
            win_ansi = glyph.win_ansi;
            choose(out, if win_ansi { b")Tj/F " } else { b")Tj/G " });
            out.push(b'(');
        }
        if matches!(glyph.code, b'(' | b')' | b'\\') {
            out.push(b'\\');
        }
        out.push(glyph.code);
    }
    out.extend_from_slice(b")Tj ");
    if !win_ansi {
        choose(out, b"/F ");
        out.push(b' ');
    }
}

/// How thick rules are.
const THIN: Tenths = 5;
const STRONG: Tenths = 8;

/// A rule: as a rectangle, which is shorter to say than a line.
fn rule(out: &mut Vec<u8>, y: Tenths, thick: Tenths) {
    for number in [RULE.0, y - thick / 2, RULE.1 - RULE.0, thick] {
        tenths(out, number);
        out.push(b' ');
    }
    out.extend_from_slice(b"re\n");
}

/// A number in decimal digits; formatting machinery would be a third of a letter's cost.
fn integer(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Tenths of a point as points: `62`, `-12.8`, `.5`.
fn tenths(out: &mut Vec<u8>, value: Tenths) {
    if value < 0 {
        out.push(b'-');
    }
    let (whole, part) = (value.unsigned_abs() / 10, value.unsigned_abs() % 10);
    if whole > 0 || part == 0 {
        integer(out, whole);
    }
    if part > 0 {
        out.extend_from_slice(&[b'.', b'0' + part as u8]);
    }
}

fn points(value: Tenths) -> String {
    let mut out = Vec::new();
    tenths(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = out.write_fmt(text);
}

/// References, blank between.
fn list(numbers: impl Iterator<Item = usize>) -> String {
    let mut out = String::new();
    for number in numbers {
        let _ = write!(out, "{number} 0 R ");
    }
    out.truncate(out.trim_end().len());
    out
}

/// A text string: UTF-16 with a byte order mark, in hexadecimal.
fn pdf_string(text: &str) -> String {
    let mut out = String::from("<FEFF");
    for unit in text.encode_utf16() {
        let _ = write!(out, "{unit:04X}");
    }
    out.push('>');
    out
}

/// The document's metadata: title, and that it is PDF/UA-1.
fn xmp(title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:pdfuaid=\"http://www.aiim.org/pdfua/ns/id/\">\
         <pdfuaid:part>1</pdfuaid:part><dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{title}</rdf:li></rdf:Alt>\
         </dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec_zlib;
    use proptest::prelude::*;

    /// A letter that may have arrived is sent again with the same bytes, by another process that made others before it.
    #[test]
    fn what_was_deflated_before_leaves_no_trace() {
        let text = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..3000),
            prop::collection::vec(prop_oneof![Just(b'/'), Just(b'S'), b'0'..=b'9'], 0..9000),
        ];
        proptest!(|(texts in prop::collection::vec((text, prop_oneof![Just(QUICK), Just(SMALLEST)]), 1..6))| {
            for (text, level) in &texts {
                prop_assert_eq!(deflate(text, *level), compress_to_vec_zlib(text, *level));
            }
        });
    }
}
