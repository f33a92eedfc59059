//! The fast writer: a tagged PDF/UA-1 document from laid-out pages.
//!
//! Two letters of the same shape (the same items on the same pages, the same title, the same font) differ only in their
//! content streams. All their other objects are a *frame*, made once for a shape, deflated together in one object
//! stream, and kept, with the MD5 up to there: a letter then costs a copy of font and frame, its content streams and a
//! cross-reference stream.
//! Content streams are not deflated, since that costs more than all the rest.
//!
//! ```text
//! header · font file · ToUnicode                        <- one of three fonts
//! XMP · object stream                                   <- the frame
//! content stream of each page · cross-reference stream  <- the letter
//! ```
//!
//! *Source*: ISO 32000-1 (PDF 1.7), ISO 14289-1 (PDF/UA-1). The same words give the same bytes; there are no dates.

use super::face::{FILES, Prepared};
use super::layout::{PAGE, Page, RULE, Role, Style, Tenths};
use super::structure::{Tag, structure};
use crate::domain::Begun;
use md5::{Digest as _, Md5};
use miniz_oxide::deflate::compress_to_vec_zlib;
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
    /// Where those stand, for objects 1 to 3; the last is only there with wide characters.
    offsets: [Option<usize>; 3],
    /// Base name with the subset's tag.
    name: String,
    /// Widths of codes 32 to 255.
    widths: String,
    /// Widths of characters without such a code.
    wide: Option<String>,
}

/// What letters of a shape share.
struct Frame {
    /// Metadata and object stream, objects 4 and 5.
    tail: Vec<u8>,
    /// Where those stand after the font.
    offsets: [usize; 2],
    /// How many objects the object stream has, from 6.
    compressed: usize,
    /// MD5 of font and tail.
    begun: Begun,
}

impl Writer {
    /// Deflates the fonts. *Cost*: some milliseconds, once.
    pub(super) fn new(prepared: &Prepared) -> Self {
        let mut tiers = 0..;
        let fonts = FILES.map(|file| Font::new(tiers.next().unwrap_or_default(), file, prepared));
        Self { fonts, frames: RwLock::default() }
    }

    /// The document, and the MD5 of what it shares with others. `tier`: the font that has every character of the pages.
    pub(super) fn write(&self, title: &str, pages: &[Page<'_>], tier: u8, prepared: &Prepared) -> (Vec<u8>, Begun) {
        let [base, win_ansi, full] = &self.fonts;
        let font = [base, win_ansi].get(usize::from(tier)).copied().unwrap_or(full);
        let frame = self.frame(title, pages, tier, font);
        let mut out = Vec::with_capacity(font.head.len() + frame.tail.len() + 8 * 1024);
        out.extend_from_slice(&font.head);
        out.extend_from_slice(&frame.tail);
        let mut contents = Vec::with_capacity(pages.len());
        let mut content = Vec::with_capacity(6 * 1024);
        for page in pages {
            content.clear();
            write_page(&mut content, page, prepared);
            let number = number::CATALOG + frame.compressed + contents.len();
            contents.push(stream(&mut out, number, "", &content));
        }
        (finish(out, font, &frame, &contents), frame.begun.clone())
    }

    fn frame(&self, title: &str, pages: &[Page<'_>], tier: u8, font: &Font) -> Arc<Frame> {
        let mut shape = Vec::with_capacity(192);
        shape.push(tier);
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
    fn new(tier: u8, file: &[u8], prepared: &Prepared) -> Self {
        let mut widths = [0_u16; 224];
        let mut single = Vec::new();
        let mut wide = Vec::new();
        for (c, glyph) in prepared.all().filter(|(_, glyph)| glyph.tier <= tier) {
            match widths.get_mut(usize::from(glyph.code).wrapping_sub(32)) {
                Some(width) => {
                    *width = glyph.advance;
                    single.push((u16::from(glyph.code), c));
                }
                None => wide.push((glyph, c)),
            }
        }
        single.sort_unstable();
        wide.sort_unstable_by_key(|(glyph, _)| glyph.id);
        let mut head = Vec::with_capacity(16 * 1024);
        head.extend_from_slice(b"%PDF-1.7\n%\xe5\xe4\xf6\xe9\n");
        let dictionary = format!("{DEFLATED}/Length1 {}", file.len());
        let file = stream(&mut head, number::FONT_FILE, &dictionary, &compress_to_vec_zlib(file, SMALLEST));
        let map = to_unicode(1, single.into_iter());
        let map = stream(&mut head, number::TO_UNICODE, DEFLATED, &map);
        let mut offsets = [Some(file), Some(map), None];
        let mut wide_widths = None;
        if !wide.is_empty() {
            wide_widths = Some(wide.iter().map(|(glyph, _)| format!("{}[{}]", glyph.id, glyph.advance)).collect());
            let map = to_unicode(2, wide.iter().map(|(glyph, c)| (glyph.id, *c)));
            offsets[2] = Some(stream(&mut head, number::WIDE_TO_UNICODE, DEFLATED, &map));
        }
        let tag = ["UTSKIA", "UTSKIB", "UTSKIC"].get(usize::from(tier)).copied().unwrap_or("UTSKIX");
        Self {
            head,
            offsets,
            name: format!("{tag}+NotoSans-Regular"),
            widths: widths.map(|width| width.to_string()).join(" "),
            wide: wide_widths,
        }
    }
}

/// Level of the fonts, which are deflated once.
const SMALLEST: u8 = 10;
/// Level of frames, which are deflated once for each shape: a seventieth larger, at a third of the cost.
const QUICK: u8 = 6;

/// A deflated ToUnicode CMap of codes of so many bytes.
fn to_unicode(bytes: usize, codes: impl Iterator<Item = (u16, char)>) -> Vec<u8> {
    let digits = bytes * 2;
    let mut map = format!(
        "/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)\
         /Supplement 0>>def/CMapName/Adobe-Identity-UCS def/CMapType 2 def 1 begincodespacerange<{:0digits$X}>\
         <{:0digits$X}>endcodespacerange\n",
        0,
        (1_u32 << (8 * bytes)) - 1,
    );
    // Runs of codes whose characters follow each other; a run stays inside one high byte, as the format wants.
    let mut runs: Vec<(u16, u16, char)> = Vec::new();
    for (code, c) in codes {
        match runs.last_mut() {
            Some((first, last, from))
                if *last + 1 == code
                    && !code.is_multiple_of(256)
                    && *from as u32 + u32::from(code - *first) == c as u32
                    && !(c as u32).is_multiple_of(256) =>
            {
                *last = code;
            }
            _ => runs.push((code, code, c)),
        }
    }
    for part in runs.chunks(100) {
        let _ = writeln!(map, "{} beginbfrange", part.len());
        for (first, last, c) in part {
            let _ = write!(map, "<{first:0digits$X}><{last:0digits$X}><");
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(map, "{unit:04X}");
            }
            map.push_str(">\n");
        }
        map.push_str("endbfrange\n");
    }
    map.push_str("endcmap CMapName currentdict/CMap defineresource pop end end");
    compress_to_vec_zlib(map.as_bytes(), SMALLEST)
}

/// Object numbers. Streams come first, then the object stream's, then contents and the cross-reference stream.
mod number {
    pub(super) const FONT_FILE: usize = 1;
    pub(super) const TO_UNICODE: usize = 2;
    pub(super) const WIDE_TO_UNICODE: usize = 3;
    pub(super) const METADATA: usize = 4;
    pub(super) const OBJECTS: usize = 5;
    // In the object stream, in this order; the first page after them, then structure elements.
    pub(super) const CATALOG: usize = 6;
    pub(super) const INFO: usize = 7;
    pub(super) const PAGES: usize = 8;
    pub(super) const STRUCTURE: usize = 9;
    pub(super) const PARENTS: usize = 10;
    pub(super) const FONT: usize = 11;
    pub(super) const DESCRIPTOR: usize = 12;
    pub(super) const WIDE_FONT: usize = 13;
    pub(super) const WIDE_DESCENDANT: usize = 14;
    pub(super) const COLUMN_SCOPE: usize = 15;
    pub(super) const ROW_SCOPE: usize = 16;
    pub(super) const FIRST_PAGE: usize = 17;
}

impl Frame {
    fn new(title: &str, pages: &[Page<'_>], font: &Font) -> Self {
        let elements = structure(pages);
        let first_element = number::FIRST_PAGE + pages.len();
        let contents = first_element + elements.len();
        let metadata = compress_to_vec_zlib(xmp(title).as_bytes(), QUICK);

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
        objects.push(format!(
            "<</Type/StructTreeRoot/K[{first_element} 0 R]/ParentTree {} 0 R/ParentTreeNextKey {}>>",
            number::PARENTS,
            pages.len()
        ));
        let mut parents = String::from("<</Nums[");
        for page in 0..pages.len() {
            let leaves = elements.iter().enumerate();
            let leaves = leaves.filter(|(_, element)| element.content.is_some_and(|(on, _)| on == page));
            let _ = write!(parents, "{page}[{}]", list(leaves.map(|(place, _)| first_element + place)));
        }
        objects.push(parents + "]>>");
        let Font { name, widths, .. } = font;
        objects.push(format!(
            "<</Type/Font/Subtype/TrueType/BaseFont/{name}/FirstChar 32/LastChar 255/Widths[{widths}]/Encoding\
             /WinAnsiEncoding/FontDescriptor {} 0 R/ToUnicode {} 0 R>>",
            number::DESCRIPTOR,
            number::TO_UNICODE
        ));
        // Ascent, descent, heights and box of Noto Sans Regular, in thousandths. Flags: non-symbolic.
        objects.push(format!(
            "<</Type/FontDescriptor/FontName/{name}/Flags 32/FontBBox[-621 -389 2800 1067]/ItalicAngle 0/Ascent 1069\
             /Descent -293/CapHeight 714/XHeight 536/StemV 80/FontFile2 {} 0 R>>",
            number::FONT_FILE
        ));
        if let Some(widths) = &font.wide {
            objects.push(format!(
                "<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{} 0 R]/ToUnicode \
                 {} 0 R>>",
                number::WIDE_DESCENDANT,
                number::WIDE_TO_UNICODE
            ));
            objects.push(format!(
                "<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)\
                 /Supplement 0>>/FontDescriptor {} 0 R/CIDToGIDMap/Identity/DW 0/W[{widths}]>>",
                number::DESCRIPTOR
            ));
        } else {
            objects.extend(["null".to_owned(), "null".to_owned()]);
        }
        objects.push("<</O/Table/Scope/Column>>".into());
        objects.push("<</O/Table/Scope/Row>>".into());
        let fonts = match &font.wide {
            Some(_) => format!("/F1 {} 0 R/F2 {} 0 R", number::FONT, number::WIDE_FONT),
            None => format!("/F1 {} 0 R", number::FONT),
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
        let dictionary = format!("/Type/ObjStm/N {}/First {}{DEFLATED}", objects.len(), index.len());
        let mut tail = Vec::with_capacity(4 * 1024);
        let xmp = format!("/Type/Metadata/Subtype/XML{DEFLATED}");
        let offsets = [
            stream(&mut tail, number::METADATA, &xmp, &metadata),
            stream(&mut tail, number::OBJECTS, &dictionary, &compress_to_vec_zlib((index + &body).as_bytes(), QUICK)),
        ];
        let md5 = Md5::new().chain_update(&font.head).chain_update(&tail);
        let begun = Begun { md5, length: font.head.len() + tail.len() };
        Self { tail, offsets, compressed: objects.len(), begun }
    }
}

/// Adds the cross-reference stream.
fn finish(mut out: Vec<u8>, font: &Font, frame: &Frame, contents: &[usize]) -> Vec<u8> {
    let at = out.len();
    let itself = number::CATALOG + frame.compressed + contents.len();
    // Bytes of an offset, and of a place in the object stream.
    let (wide, narrow) = (if at < 1 << 16 { 2 } else { 4 }, if frame.compressed <= 1 << 8 { 1 } else { 2 });
    push(
        &mut out,
        format_args!(
            "{itself} 0 obj<</Type/XRef/W[1 {wide} {narrow}]/Size {}/Root {} 0 R/Info {} 0 R/Length {}>>stream\n",
            itself + 1,
            number::CATALOG,
            number::INFO,
            (1 + wide + narrow) * (itself + 1)
        ),
    );
    let mut row = |kind: u8, second: usize, third: usize| {
        out.push(kind);
        out.extend(second.to_be_bytes().into_iter().skip(size_of::<usize>() - wide));
        out.extend(third.to_be_bytes().into_iter().skip(size_of::<usize>() - narrow));
    };
    row(0, 0, usize::MAX);
    for offset in font.offsets {
        row(u8::from(offset.is_some()), offset.unwrap_or_default(), 0);
    }
    frame.offsets.iter().for_each(|offset| row(1, font.head.len() + offset, 0));
    (0..frame.compressed).for_each(|place| row(2, number::OBJECTS, place));
    contents.iter().chain([&at]).for_each(|offset| row(1, *offset, 0));
    push(&mut out, format_args!("\nendstream endobj\nstartxref\n{at}\n%%EOF\n"));
    out
}

/// A page's content stream.
fn write_page(out: &mut Vec<u8>, page: &Page<'_>, prepared: &Prepared) {
    out.extend_from_slice(b"/Artifact BMC .55 G .5 w\n");
    for (y, strong) in &page.rules {
        if !strong {
            rule(out, *y);
        }
    }
    out.extend_from_slice(b"S 0 G .8 w\n");
    for (y, strong) in &page.rules {
        if *strong {
            rule(out, *y);
        }
    }
    out.extend_from_slice(b"S EMC BT .35 w\n");
    let mut pen = Pen { at: (0, 0), style: Style { size: 0, bold: false } };
    let mut id = 0;
    for item in &page.items {
        let tag: &[u8] = match item.role {
            Role::H1 => b"/H1<</MCID ",
            Role::H2 => b"/H2<</MCID ",
            Role::P => b"/P<</MCID ",
            Role::FirstColumn | Role::SecondColumn | Role::Label => b"/TH<</MCID ",
            Role::Value => b"/TD<</MCID ",
            Role::Artifact => b"/Artifact BMC ",
        };
        out.extend_from_slice(tag);
        if item.role != Role::Artifact {
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
            out.extend_from_slice(b"/F1 ");
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

/// Shows a text: literal strings of single-byte codes, hexadecimal ones of the second font between them.
fn show(out: &mut Vec<u8>, text: &str, size: Tenths, prepared: &Prepared) {
    out.push(b'(');
    for c in text.chars() {
        if (' '..='~').contains(&c) {
            if matches!(c, '(' | ')' | '\\') {
                out.push(b'\\');
            }
            out.push(c as u8);
            continue;
        }
        match prepared.glyph(c) {
            Some(glyph) if glyph.code != 0 => out.push(glyph.code),
            Some(glyph) => {
                out.extend_from_slice(b")Tj/F2 ");
                tenths(out, size);
                push(out, format_args!(" Tf<{:04X}>Tj/F1 ", glyph.id));
                tenths(out, size);
                out.extend_from_slice(b" Tf(");
            }
            None => {}
        }
    }
    out.extend_from_slice(b")Tj ");
}

fn rule(out: &mut Vec<u8>, y: Tenths) {
    for (x, operator) in [(RULE.0, b" m "), (RULE.1, b" l\n")] {
        tenths(out, x);
        out.push(b' ');
        tenths(out, y);
        out.extend_from_slice(operator);
    }
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

/// The document's metadata: title, language, and that it is PDF/UA-1.
fn xmp(title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:pdfuaid=\"http://www.aiim.org/pdfua/ns/id/\">\
         <pdfuaid:part>1</pdfuaid:part><dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{title}</rdf:li></rdf:Alt>\
         </dc:title><dc:language><rdf:Bag><rdf:li>sv-SE</rdf:li></rdf:Bag></dc:language></rdf:Description></rdf:RDF>\
         </x:xmpmeta><?xpacket end=\"r\"?>"
    )
}
