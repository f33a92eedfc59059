//! The fast writer: a tagged PDF/UA-1 document from laid-out pages.
//!
//! Two letters of the same shape (the same items on the same pages, the same title, the same font) differ only in their
//! content streams. Everything else of the file is a *frame*, made once for a shape, its objects deflated together in
//! one object stream, and kept: a letter then costs a copy of the frame, its content streams and a cross-reference
//! stream. Content streams are not deflated, since that costs more than all the rest.
//!
//! ```text
//! header · font file, ToUnicode, XMP (streams) · object stream     <- the frame
//! content stream of each page · cross-reference stream             <- the letter
//! ```
//!
//! *Source*: ISO 32000-1 (PDF 1.7), ISO 14289-1 (PDF/UA-1). The same words give the same bytes; there are no dates.

use super::face::{FILES, Prepared};
use super::layout::{PAGE, Page, RULE, Role, Style, Tenths};
use super::structure::{Tag, structure};
use miniz_oxide::deflate::compress_to_vec_zlib;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

/// Frames that are kept. Shapes are few: rows of the form times pages, years and fonts. What comes after the limit is made
/// anew each time.
const FRAMES: usize = 4096;

/// Writes documents.
pub(super) struct Writer {
    fonts: Vec<Font>,
    frames: RwLock<HashMap<Vec<u8>, Arc<Frame>>>,
}

/// A prepared font with what its dictionaries say.
struct Font {
    /// Deflated font program and its length before.
    file: Vec<u8>,
    file_length: usize,
    /// Base name with the subset's tag.
    name: String,
    /// Widths of codes 32 to 255.
    widths: String,
    /// Deflated ToUnicode map of the single-byte codes.
    to_unicode: Vec<u8>,
    /// Widths and deflated ToUnicode map of characters without such a code.
    wide: Option<(String, Vec<u8>)>,
}

/// All of a file but its content streams.
struct Frame {
    /// Header to object stream.
    head: Vec<u8>,
    /// Offsets of the streams in `head`, by object number from `compressed + 1`; the object stream is the last.
    streams: Vec<usize>,
    /// Objects 1 to this are in the object stream, in order.
    compressed: usize,
}

impl Writer {
    /// Deflates the fonts. *Cost*: some milliseconds, once.
    pub(super) fn new(prepared: &Prepared) -> Self {
        let fonts = FILES.iter().enumerate().map(|(tier, file)| Font::new(tier, file, prepared)).collect();
        Self { fonts, frames: RwLock::default() }
    }

    /// The document. `tier`: the font that has every character of the pages.
    pub(super) fn write(&self, title: &str, pages: &[Page<'_>], tier: u8, prepared: &Prepared) -> Vec<u8> {
        let frame = self.frame(title, pages, tier);
        let mut out = Vec::with_capacity(frame.head.len() + 6 * 1024);
        out.extend_from_slice(&frame.head);
        let mut offsets = Vec::with_capacity(pages.len());
        let mut content = Vec::with_capacity(5 * 1024);
        for (place, page) in pages.iter().enumerate() {
            content.clear();
            write_page(&mut content, page, prepared);
            offsets.push(out.len());
            let number = frame.compressed + frame.streams.len() + 1 + place;
            push(&mut out, format_args!("{number} 0 obj<</Length {}>>stream\n", content.len()));
            out.extend_from_slice(&content);
            out.extend_from_slice(b"\nendstream endobj\n");
        }
        frame.finish(out, &offsets)
    }

    fn frame(&self, title: &str, pages: &[Page<'_>], tier: u8) -> Arc<Frame> {
        let mut shape = Vec::with_capacity(192);
        shape.push(tier);
        for page in pages {
            shape.extend(page.items.iter().map(|item| item.role as u8));
            shape.push(u8::MAX);
        }
        shape.extend_from_slice(title.as_bytes());
        let known = self.frames.read().unwrap_or_else(PoisonError::into_inner).get(&shape).cloned();
        known.unwrap_or_else(|| {
            let font = self.fonts.get(usize::from(tier)).or_else(|| self.fonts.last());
            let frame = Arc::new(Frame::new(title, pages, font));
            let mut frames = self.frames.write().unwrap_or_else(PoisonError::into_inner);
            if frames.len() < FRAMES {
                frames.insert(shape, Arc::clone(&frame));
            }
            frame
        })
    }
}

impl Font {
    fn new(tier: usize, file: &[u8], prepared: &Prepared) -> Self {
        let has = |c: char| prepared.glyph(c).filter(|glyph| usize::from(glyph.tier) <= tier);
        let mut widths = [0_u16; 224];
        let mut single = Vec::new();
        let mut wide = Vec::new();
        for (c, _) in prepared.all() {
            let Some(glyph) = has(c) else { continue };
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
        let wide = (!wide.is_empty()).then(|| {
            let widths: String = wide.iter().map(|(glyph, _)| format!("{}[{}]", glyph.id, glyph.advance)).collect();
            (widths, to_unicode(2, wide.iter().map(|(glyph, c)| (glyph.id, *c))))
        });
        let tag = ["UTSKIA", "UTSKIB", "UTSKIC"].get(tier).copied().unwrap_or("UTSKIX");
        Self {
            file: compress_to_vec_zlib(file, 10),
            file_length: file.len(),
            name: format!("{tag}+NotoSans-Regular"),
            widths: widths.map(|width| width.to_string()).join(" "),
            to_unicode: to_unicode(1, single.into_iter()),
            wide,
        }
    }
}

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
    compress_to_vec_zlib(map.as_bytes(), 10)
}

/// Object numbers of the frame, from 1. Pages come after them, then structure elements, then streams.
mod number {
    pub(super) const CATALOG: usize = 1;
    pub(super) const INFO: usize = 2;
    pub(super) const PAGES: usize = 3;
    pub(super) const STRUCTURE: usize = 4;
    pub(super) const PARENTS: usize = 5;
    pub(super) const FONT: usize = 6;
    pub(super) const DESCRIPTOR: usize = 7;
    pub(super) const WIDE_FONT: usize = 8;
    pub(super) const WIDE_DESCENDANT: usize = 9;
    pub(super) const COLUMN_SCOPE: usize = 10;
    pub(super) const ROW_SCOPE: usize = 11;
    pub(super) const FIRST_PAGE: usize = 12;
}

impl Frame {
    fn new(title: &str, pages: &[Page<'_>], font: Option<&Font>) -> Self {
        let elements = structure(pages);
        let first_element = number::FIRST_PAGE + pages.len();
        let compressed = first_element + elements.len() - 1;
        let stream = |place: usize| compressed + 1 + place;
        let (metadata, file, unicode, wide_unicode) = (stream(0), stream(1), stream(2), stream(3));
        let wide = font.and_then(|font| font.wide.as_ref());
        let mut streams: Vec<(String, Vec<u8>)> = vec![(
            "/Type/Metadata/Subtype/XML/Filter/FlateDecode".into(),
            compress_to_vec_zlib(xmp(title).as_bytes(), 10),
        )];
        if let Some(font) = font {
            let filter = "/Filter/FlateDecode";
            streams.push((format!("{filter}/Length1 {}", font.file_length), font.file.clone()));
            streams.push((filter.into(), font.to_unicode.clone()));
            streams.extend(wide.map(|(_, map)| (filter.into(), map.clone())));
        }

        let title = pdf_string(title);
        let mut objects: Vec<String> = Vec::with_capacity(compressed);
        objects.push(format!(
            "<</Type/Catalog/Pages {} 0 R/Lang(sv-SE)/MarkInfo<</Marked true>>/ViewerPreferences<</DisplayDocTitle \
             true>>/StructTreeRoot {} 0 R/Metadata {metadata} 0 R>>",
            number::PAGES,
            number::STRUCTURE
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
        let (name, widths) = font.map_or(("NotoSans-Regular", ""), |font| (&font.name, &font.widths));
        objects.push(format!(
            "<</Type/Font/Subtype/TrueType/BaseFont/{name}/FirstChar 32/LastChar 255/Widths[{widths}]/Encoding\
             /WinAnsiEncoding/FontDescriptor {} 0 R/ToUnicode {unicode} 0 R>>",
            number::DESCRIPTOR
        ));
        // Ascent, descent, heights and box of Noto Sans Regular, in thousandths. Flags: non-symbolic.
        objects.push(format!(
            "<</Type/FontDescriptor/FontName/{name}/Flags 32/FontBBox[-621 -389 2800 1067]/ItalicAngle 0/Ascent 1069\
             /Descent -293/CapHeight 714/XHeight 536/StemV 80/FontFile2 {file} 0 R>>"
        ));
        if let Some((widths, _)) = wide {
            objects.push(format!(
                "<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{} 0 R]/ToUnicode \
                 {wide_unicode} 0 R>>",
                number::WIDE_DESCENDANT
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
        let fonts = match wide {
            Some(_) => format!("/F1 {} 0 R/F2 {} 0 R", number::FONT, number::WIDE_FONT),
            None => format!("/F1 {} 0 R", number::FONT),
        };
        let contents = compressed + streams.len() + 2; // after the object stream
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

        let mut head = Vec::with_capacity(16 * 1024);
        head.extend_from_slice(b"%PDF-1.7\n%\xe5\xe4\xf6\xe9\n");
        let mut index = String::new();
        let mut body = String::new();
        for (place, object) in objects.iter().enumerate() {
            let _ = write!(index, "{} {} ", place + 1, body.len());
            body.push_str(object);
            body.push('\n');
        }
        let dictionary = format!("/Type/ObjStm/N {}/First {}/Filter/FlateDecode", objects.len(), index.len());
        streams.push((dictionary, compress_to_vec_zlib((index + &body).as_bytes(), 10)));
        let mut offsets = Vec::with_capacity(streams.len());
        for (place, (dictionary, bytes)) in streams.iter().enumerate() {
            offsets.push(head.len());
            push(&mut head, format_args!("{} 0 obj<<{dictionary}/Length {}>>stream\n", stream(place), bytes.len()));
            head.extend_from_slice(bytes);
            head.extend_from_slice(b"\nendstream endobj\n");
        }
        Self { head, streams: offsets, compressed }
    }

    /// Adds the cross-reference stream.
    fn finish(&self, mut out: Vec<u8>, contents: &[usize]) -> Vec<u8> {
        let at = out.len();
        let object_stream = self.compressed + self.streams.len();
        let itself = object_stream + contents.len() + 1;
        // Bytes of an offset (or of the object stream's number) and of a place in the object stream.
        let (wide, narrow) = (if at < 1 << 16 { 2 } else { 4 }, if self.compressed <= 1 << 8 { 1 } else { 2 });
        let row_bytes = 1 + wide + narrow;
        push(
            &mut out,
            format_args!(
                "{itself} 0 obj<</Type/XRef/W[1 {wide} {narrow}]/Size {}/Root {} 0 R/Info {} 0 R/Length {}>>stream\n",
                itself + 1,
                number::CATALOG,
                number::INFO,
                row_bytes * (itself + 1)
            ),
        );
        let mut row = |kind: u8, second: usize, third: usize| {
            out.push(kind);
            out.extend(second.to_be_bytes().into_iter().skip(size_of::<usize>() - wide));
            out.extend(third.to_be_bytes().into_iter().skip(size_of::<usize>() - narrow));
        };
        row(0, 0, usize::MAX);
        (0..self.compressed).for_each(|place| row(2, object_stream, place));
        self.streams.iter().chain(contents).chain([&at]).for_each(|offset| row(1, *offset, 0));
        push(&mut out, format_args!("\nendstream endobj\nstartxref\n{at}\n%%EOF\n"));
        out
    }
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

fn integer(out: &mut Vec<u8>, number: i32) {
    push(out, format_args!("{number}"));
}

/// Tenths of a point as points: `62`, `-12.8`, `.5`.
fn tenths(out: &mut Vec<u8>, value: Tenths) {
    if value < 0 {
        out.push(b'-');
    }
    let (whole, part) = (value.unsigned_abs() / 10, value.unsigned_abs() % 10);
    if whole > 0 || part == 0 {
        push(out, format_args!("{whole}"));
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
