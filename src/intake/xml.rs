//! A strict XML reader over a piece of UTF-8 text: quick-xml finds the markup, this holds it to XML 1.0 and Namespaces.
//!
//! quick-xml is lenient by design (names, attributes, references, depth); a kontrolluppgift must be read as every
//! conforming parser reads it, so what those refuse is refused here, with the offset. Comments and processing
//! instructions are checked and passed over. Limits bound depth, attributes and namespace declarations.

use crate::domain::SchemaVersion;
use quick_xml::events::Event;
use std::borrow::Cow;

/// The deepest nesting that is read; the format needs six levels.
const DEPTH: usize = 64;
/// The most attributes of one element; the format needs two, and namespace declarations.
const ATTRIBUTES: usize = 64;
/// The most namespace declarations in scope.
const BINDINGS: usize = 128;

/// What a namespace name is to this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// No namespace.
    None,
    /// The root's; `None` for a version that is not known.
    Instans(Option<SchemaVersion>),
    /// Everything else's.
    Komponent(Option<SchemaVersion>),
    /// `http://www.w3.org/2001/XMLSchema-instance`.
    Xsi,
    /// `http://www.w3.org/XML/1998/namespace`.
    Xml,
    /// Any other.
    Other,
}

impl Space {
    fn of(uri: &str) -> Self {
        const BASE: &str = "http://xmls.skatteverket.se/se/skatteverket/ai/";
        let role = uri.strip_prefix(BASE).and_then(|rest| rest.split_once("/infoForBeskattning/"));
        match (role, uri) {
            (Some(("instans", version)), _) => Self::Instans(SchemaVersion::parse(version)),
            (Some(("komponent", version)), _) => Self::Komponent(SchemaVersion::parse(version)),
            (_, "") => Self::None,
            (_, "http://www.w3.org/2001/XMLSchema-instance") => Self::Xsi,
            (_, "http://www.w3.org/XML/1998/namespace") => Self::Xml,
            _ => Self::Other,
        }
    }
}

/// A namespace declaration in scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Empty for the default namespace.
    pub prefix: String,
    /// The namespace name.
    pub uri: String,
    /// What it is.
    pub space: Space,
}

impl Binding {
    /// A declaration of this name.
    pub fn new(prefix: &str, uri: &str) -> Self {
        Self { prefix: prefix.to_owned(), uri: uri.to_owned(), space: Space::of(uri) }
    }
}

/// An element's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Name as written, prefix included.
    pub name: &'a str,
    /// Name without prefix.
    pub local: &'a str,
    /// Its namespace.
    pub space: Space,
    /// Offset of its `<`.
    pub at: usize,
}

/// An attribute, namespace declarations left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Name without prefix.
    pub local: &'a str,
    /// Its namespace; none without a prefix.
    pub space: Space,
    /// Its value, normalised.
    pub value: Cow<'a, str>,
    /// Offset of its name.
    pub at: usize,
}

impl Attribute<'_> {
    /// Whether the schema has nothing against it anywhere: `xsi:schemaLocation` and `xsi:noNamespaceSchemaLocation`.
    pub fn is_location(&self) -> bool {
        self.space == Space::Xsi && matches!(self.local, "schemaLocation" | "noNamespaceSchemaLocation")
    }
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A start tag; an empty element gives an end right after it.
    Start(Element<'a>),
    /// An end tag.
    End,
    /// Character data, references resolved and line ends normalised; one text may come in several pieces.
    Text(Cow<'a, str>),
    /// The end of the piece.
    Eof,
}

/// Where and why the text is no XML that is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    /// Offset in the piece.
    pub at: usize,
    /// Lower case, no values of the document.
    pub what: &'static str,
    /// Whether it is refused by policy or limit rather than by XML itself.
    pub refused: bool,
}

impl Malformed {
    /// Something that XML forbids.
    pub const fn new(at: usize, what: &'static str) -> Self {
        Self { at, what, refused: false }
    }

    /// Something that is not read although XML allows it.
    pub const fn refused(at: usize, what: &'static str) -> Self {
        Self { at, what, refused: true }
    }

    /// The same, with the offset counted from elsewhere.
    pub const fn shifted(mut self, by: usize) -> Self {
        self.at += by;
        self
    }
}

/// The reader. Offsets are those of the text it was given.
pub struct Reader<'a> {
    inner: quick_xml::Reader<&'a [u8]>,
    text: &'a str,
    base: &'a [Binding],
    bindings: Vec<(usize, Binding)>,
    attributes: Vec<Attribute<'a>>,
    depth: usize,
    ending: bool,
}

impl<'a> Reader<'a> {
    /// A reader of a text whose characters have been checked with [`forbidden`]; `base` are the declarations around it.
    pub fn new(text: &'a str, base: &'a [Binding]) -> Self {
        let mut inner = quick_xml::Reader::from_str(text);
        let config = inner.config_mut();
        config.check_end_names = true;
        config.allow_unmatched_ends = false;
        config.allow_dangling_amp = false;
        Self { inner, text, base, bindings: Vec::new(), attributes: Vec::new(), depth: 0, ending: false }
    }

    /// The offset behind what was read last.
    pub fn position(&self) -> usize {
        usize::try_from(self.inner.buffer_position()).unwrap_or(self.text.len())
    }

    /// The attributes of the last start tag.
    pub fn attributes(&self) -> &[Attribute<'a>] {
        &self.attributes
    }

    /// The declarations in scope, the nearest last.
    pub fn scope(&self) -> impl DoubleEndedIterator<Item = &Binding> {
        self.base.iter().chain(self.bindings.iter().map(|(_, binding)| binding))
    }

    /// The namespace name that a prefix stands for.
    pub fn uri(&self, prefix: &str) -> &str {
        self.scope().rev().find(|binding| binding.prefix == prefix).map_or("", |binding| &binding.uri)
    }

    /// The name of the start tag that comes next, behind space, comments and instructions, and its offset; it is not
    /// read. `None` where something else comes.
    pub fn peek(&self) -> Option<(&'a str, usize)> {
        let mut rest = self.text.get(self.position()..)?;
        loop {
            rest = rest.trim_start_matches(is_space);
            let passed = [("<!--", "-->"), ("<?", "?>")].into_iter().find(|(start, _)| rest.starts_with(start));
            let Some((_, end)) = passed else { break };
            rest = rest.split_once(end)?.1;
        }
        let tag = rest.strip_prefix('<')?;
        let name = tag.get(..tag.find(|c| is_space(c) || matches!(c, '>' | '/' | '<'))?)?;
        Some((name, self.text.len() - rest.len()))
    }

    /// Reads on.
    pub fn next(&mut self) -> Result<Token<'a>, Malformed> {
        if self.ending {
            self.ending = false;
            return Ok(self.close());
        }
        loop {
            let before = self.position();
            let event = match self.inner.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.explain(&error, before)),
            };
            let raw = self.text.get(before..self.position()).unwrap_or_default();
            match event {
                Event::Start(_) => {
                    let content = raw.get(1..raw.len() - 1).unwrap_or_default();
                    return self.open(content, before + 1).map(Token::Start);
                }
                Event::Empty(_) => {
                    let content = raw.get(1..raw.len() - 2).unwrap_or_default();
                    self.ending = true;
                    return self.open(content, before + 1).map(Token::Start);
                }
                Event::End(_) => return Ok(self.close()),
                Event::Text(_) => {
                    if let Some(at) = memchr::memmem::find(raw.as_bytes(), b"]]>") {
                        return Err(Malformed::new(before + at, "`]]>` in character data"));
                    }
                    return Ok(Token::Text(line_ends(raw)));
                }
                Event::CData(_) => {
                    return Ok(Token::Text(line_ends(raw.get(9..raw.len() - 3).unwrap_or_default())));
                }
                Event::GeneralRef(_) => {
                    let name = raw.get(1..raw.len() - 1).unwrap_or_default();
                    let c =
                        reference(name).ok_or(Malformed::new(before, "a reference to no known character or entity"))?;
                    return Ok(Token::Text(Cow::Owned(c.to_string())));
                }
                Event::Comment(_) => comment(raw).map_err(|error| error.shifted(before))?,
                Event::PI(_) => instruction(raw).map_err(|error| error.shifted(before))?,
                Event::Decl(_) => return Err(Malformed::new(before, "an XML declaration that is not at the start")),
                Event::DocType(_) => return Err(doctype(before)),
                Event::Eof if self.depth > 0 => return Err(Malformed::new(before, "the end inside an element")),
                Event::Eof => return Ok(Token::Eof),
            }
        }
    }

    fn close(&mut self) -> Token<'a> {
        while self.bindings.last().is_some_and(|(depth, _)| *depth >= self.depth) {
            self.bindings.pop();
        }
        self.depth = self.depth.saturating_sub(1);
        Token::End
    }

    /// Reads the inside of a start tag that begins at `at`.
    fn open(&mut self, content: &'a str, at: usize) -> Result<Element<'a>, Malformed> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Malformed::refused(at - 1, "elements nested deeper than 64 levels"));
        }
        self.attributes.clear();
        let name_end = content.find(is_space).unwrap_or(content.len());
        let name = content.get(..name_end).unwrap_or_default();
        let (prefix, local) = qualified(name).ok_or(Malformed::new(at, "an element name that XML does not allow"))?;
        let mut pending: Vec<(&'a str, &'a str)> = Vec::new(); // prefix and local name, resolved below
        let mut rest = content.get(name_end..).unwrap_or_default();
        let offset = |rest: &str| at + content.len() - rest.len();
        loop {
            let trimmed = rest.trim_start_matches(is_space);
            if trimmed.is_empty() {
                break;
            }
            if trimmed.len() == rest.len() {
                return Err(Malformed::new(offset(rest), "no space between attributes"));
            }
            let here = offset(trimmed);
            let equals = trimmed.find('=').ok_or(Malformed::new(here, "an attribute without a value"))?;
            let (name, after) = trimmed.split_at(equals);
            let name = name.trim_end_matches(is_space);
            let after = after.get(1..).unwrap_or_default().trim_start_matches(is_space);
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let quote = quote.ok_or(Malformed::new(offset(after), "an attribute value without quotes"))?;
            let after = after.get(1..).unwrap_or_default();
            let end = after.find(quote).ok_or(Malformed::new(offset(after), "an attribute value without an end"))?;
            let (raw, after) = after.split_at(end);
            let (prefix, local) =
                qualified(name).ok_or(Malformed::new(here, "an attribute name that XML does not allow"))?;
            let value = attribute_value(raw).ok_or(Malformed::new(
                offset(raw),
                "an attribute value with `<` or a reference to no known character or entity",
            ))?;
            rest = after.get(1..).unwrap_or_default();
            let declares = match (prefix, local) {
                ("xmlns", declared) => Some(declared),
                ("", "xmlns") => Some(""),
                _ => None,
            };
            if let Some(declared) = declares {
                self.declare(declared, &value, here)?;
            } else {
                if pending.contains(&(prefix, local)) {
                    return Err(Malformed::new(here, "an attribute given twice"));
                }
                if pending.len() >= ATTRIBUTES {
                    return Err(Malformed::refused(here, "an element with more than 64 attributes"));
                }
                pending.push((prefix, local));
                self.attributes.push(Attribute { local, space: Space::None, value, at: here });
            }
        }
        let space = self.resolve(prefix).ok_or(Malformed::new(at, "a namespace prefix that is not declared"))?;
        for place in 0..pending.len() {
            let Some((prefix, _)) = pending.get(place).filter(|(prefix, _)| !prefix.is_empty()) else { continue };
            let space = self.resolve(prefix).ok_or(Malformed::new(at, "a namespace prefix that is not declared"))?;
            let uri = self.uri(prefix).to_owned();
            let twice = pending.iter().take(place).zip(&self.attributes).any(|((other, _), attribute)| {
                !other.is_empty()
                    && self.attributes.get(place).is_some_and(|this| this.local == attribute.local)
                    && self.uri(other) == uri
            });
            if twice {
                return Err(Malformed::new(at, "an attribute given twice"));
            }
            if let Some(attribute) = self.attributes.get_mut(place) {
                attribute.space = space;
            }
        }
        Ok(Element { name, local, space, at: at - 1 })
    }

    fn declare(&mut self, prefix: &str, uri: &str, at: usize) -> Result<(), Malformed> {
        let depth = self.depth;
        if self.bindings.iter().any(|(level, binding)| *level == depth && binding.prefix == prefix) {
            return Err(Malformed::new(at, "an attribute given twice"));
        }
        if self.bindings.len() >= BINDINGS {
            return Err(Malformed::refused(at, "more than 128 namespace declarations in scope"));
        }
        let binding = Binding::new(prefix, uri);
        let xml = binding.space == Space::Xml;
        if prefix == "xmlns" || xml != (prefix == "xml") || uri == "http://www.w3.org/2000/xmlns/" {
            return Err(Malformed::new(at, "a namespace declaration that XML reserves"));
        }
        if uri.is_empty() && !prefix.is_empty() {
            return Err(Malformed::new(at, "a namespace prefix declared as nothing"));
        }
        self.bindings.push((depth, binding));
        Ok(())
    }

    fn resolve(&self, prefix: &str) -> Option<Space> {
        match self.scope().rev().find(|binding| binding.prefix == prefix) {
            Some(binding) => Some(binding.space),
            None if prefix.is_empty() => Some(Space::None),
            None if prefix == "xml" => Some(Space::Xml),
            None => None,
        }
    }

    fn explain(&self, error: &quick_xml::Error, before: usize) -> Malformed {
        use quick_xml::errors::{IllFormedError, SyntaxError};
        let what = match error {
            quick_xml::Error::Syntax(syntax) => match syntax {
                SyntaxError::InvalidBangMarkup => "unknown markup after `<!`",
                SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl => "a processing instruction without an end",
                SyntaxError::UnclosedComment => "a comment without an end",
                SyntaxError::UnclosedDoctype => return doctype(before),
                SyntaxError::UnclosedCData => "a CDATA section without an end",
                _ => "a tag without an end",
            },
            quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => "an end tag that does not match",
            quick_xml::Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "an end tag without a start",
            quick_xml::Error::IllFormed(IllFormedError::MissingDoctypeName) => return doctype(before),
            quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => "`&` without a reference",
            _ => "markup that is not well-formed",
        };
        let at = usize::try_from(self.inner.error_position()).unwrap_or(before);
        Malformed::new(at.max(before), what)
    }
}

fn doctype(at: usize) -> Malformed {
    Malformed::refused(at, "a DOCTYPE: document types and entities are refused")
}

/// White space of XML.
pub const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Checks a whole comment, `<!--` to `-->`.
pub fn comment(raw: &str) -> Result<(), Malformed> {
    let content = raw.get(4..raw.len().saturating_sub(3)).unwrap_or_default();
    match content.find("--") {
        Some(at) => Err(Malformed::new(4 + at, "`--` in a comment")),
        None if content.ends_with('-') => Err(Malformed::new(raw.len() - 4, "`--` in a comment")),
        None => Ok(()),
    }
}

/// Checks a whole processing instruction, `<?` to `?>`.
pub fn instruction(raw: &str) -> Result<(), Malformed> {
    let content = raw.get(2..raw.len().saturating_sub(2)).unwrap_or_default();
    let target = content.split(is_space).next().unwrap_or_default();
    if !is_name(target) || target.contains(':') {
        return Err(Malformed::new(2, "a processing instruction whose target XML does not allow"));
    }
    if target.eq_ignore_ascii_case("xml") {
        return Err(Malformed::new(0, "an XML declaration that is not at the start"));
    }
    Ok(())
}

/// Where bytes hold what XML 1.0 forbids: invalid UTF-8, control characters, U+FFFE and U+FFFF.
///
/// *Cost*: one pass that the compiler turns into vector code; the rest only where a byte asks for it.
pub fn forbidden(bytes: &[u8]) -> Option<Malformed> {
    let mut seen = 0u8;
    for &byte in bytes {
        let control = byte < 0x20 && byte != b'\t' && byte != b'\n' && byte != b'\r';
        seen |= (byte & 0x80) | u8::from(control);
    }
    if seen == 0 {
        return None;
    }
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    let control = bytes.iter().position(control).map(|at| {
        let nul = bytes.get(at) == Some(&0);
        Malformed::new(at, if nul { "a NUL byte" } else { "a control character that XML forbids" })
    });
    let broken = match std::str::from_utf8(bytes) {
        Err(error) => {
            Some(Malformed::new(error.valid_up_to(), not_utf8(bytes.get(error.valid_up_to()..).unwrap_or_default())))
        }
        // U+FFFE and U+FFFF begin with this byte; hardly any other text does.
        Ok(_) if memchr::memchr(0xef, bytes).is_none() => None,
        Ok(text) => text
            .char_indices()
            .find(|(_, c)| matches!(c, '\u{fffe}' | '\u{ffff}'))
            .map(|(at, _)| Malformed::new(at, "a character that XML forbids")),
    };
    [control, broken].into_iter().flatten().min_by_key(|malformed| malformed.at)
}

/// What bytes that are not UTF-8 look like.
fn not_utf8(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xc0 | 0xc1, ..] | [0xe0, 0x80..=0x9f, ..] | [0xf0, 0x80..=0x8f, ..] => "an overlong UTF-8 sequence",
        [0xed, 0xa0..=0xbf, ..] => "a surrogate in UTF-8",
        // å, ä, ö, é, ü and their capitals where one byte is one character.
        [0xe5 | 0xe4 | 0xf6 | 0xc5 | 0xc4 | 0xd6 | 0xe9 | 0xc9 | 0xfc | 0xdc, ..] => {
            "bytes that are not UTF-8; they look like ISO-8859-1 or windows-1252, which the export must then declare"
        }
        [0x86 | 0x84 | 0x94 | 0x8f | 0x8e | 0x99, ..] => "bytes that are not UTF-8; they look like CP850",
        _ => "bytes that are not UTF-8",
    }
}

/// A general reference's name without `&` and `;`: a character reference to what XML allows, or one of the five.
pub fn reference(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "apos" => Some('\''),
            "quot" => Some('"'),
            _ => None,
        };
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if significant.len() > 7 {
        return None;
    }
    let c = char::from_u32(u32::from_str_radix(significant, radix).ok()?)?;
    let allowed = matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    allowed.then_some(c)
}

/// An attribute's value, normalised as XML 1.0 §3.3.3 has it for CDATA; `None` where it is not well-formed.
fn attribute_value(raw: &str) -> Option<Cow<'_, str>> {
    if raw.contains('<') {
        return None;
    }
    if !raw.contains(['&', '\t', '\n', '\r']) {
        return Some(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        let (before, from) = rest.split_at(at);
        value.push_str(before);
        if let Some(from) = from.strip_prefix('&') {
            let (name, after) = from.split_once(';')?;
            value.push(reference(name)?);
            rest = after;
        } else {
            value.push(' ');
            rest = from.strip_prefix("\r\n").or_else(|| from.get(1..)).unwrap_or_default();
        }
    }
    value.push_str(rest);
    Some(Cow::Owned(value))
}

/// Line ends as XML 1.0 §2.11 has them.
fn line_ends(raw: &str) -> Cow<'_, str> {
    if raw.contains('\r') { Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(raw) }
}

/// Prefix and local name of a qualified name.
fn qualified(name: &str) -> Option<(&str, &str)> {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let prefix_holds = prefix.is_empty() != name.contains(':') && (prefix.is_empty() || is_name(prefix));
    (prefix_holds && is_name(local) && !local.contains(':')).then_some((prefix, local))
}

/// `Name` of XML 1.0, fifth edition.
fn is_name(name: &str) -> bool {
    let starts = |c: char| {
        c.is_ascii_alphabetic()
            || matches!(c, ':' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
                | '\u{37f}'..='\u{1fff}' | '\u{200c}' | '\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
                | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let continues = |c: char| {
        starts(c)
            || c.is_ascii_digit()
            || matches!(c, '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}')
    };
    let mut chars = name.chars();
    chars.next().is_some_and(starts) && chars.all(continues)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, Malformed> {
        let mut reader = Reader::new(text, &[]);
        let mut seen = Vec::new();
        loop {
            match reader.next()? {
                Token::Start(element) => {
                    let attributes: Vec<_> =
                        reader.attributes().iter().map(|a| format!(" {}={}", a.local, a.value)).collect();
                    seen.push(format!("<{}{}", element.local, attributes.concat()));
                }
                Token::End => seen.push(">".into()),
                Token::Text(text) => seen.push(text.into_owned()),
                Token::Eof => return Ok(seen),
            }
        }
    }

    #[test]
    fn reads_what_xml_allows() {
        assert_eq!(
            read("<a b='&#x41;\r\n>' c=\"'\"><!-- - --><?p q?>x\r\ny<![CDATA[<&]]>&amp;<å/></a>").expect("well-formed"),
            ["<a b=A > c='", "x\ny", "<&", "&", "<å", ">", ">"]
        );
    }

    #[test]
    fn refuses_what_xml_forbids() {
        for bad in [
            "<a",
            "<a>",
            "<a></b>",
            "</a>",
            "<a b></a>",
            "<a b=c></a>",
            "<a b='1'c='2'/>",
            "<a b='1' b='2'/>",
            "<a b='<'/>",
            "<a b='&x;'/>",
            "<a>&nbsp;</a>",
            "<a>&</a>",
            "<a>&#1;</a>",
            "<a>&#xFFFE;</a>",
            "<a>&#xD800;</a>",
            "<a>&#+9;</a>",
            "<a>]]></a>",
            "<a><!-- -- --></a>",
            "<a><!-- ---></a>",
            "<a><?xml version='1.0'?></a>",
            "<a><?XML x?></a>",
            "<a><??></a>",
            "<1a/>",
            "<a:b/>",
            "<a xmlns:p=''/>",
            "<a:b:c xmlns:a='x'/>",
            "<a x:y='1'/>",
            "<a / >",
            "<a><![CDATA[</a>",
            "<!DOCTYPE a><a/>",
            "<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
            "<a xmlns='a' xmlns='b'/>",
            "<a><!ELEMENT b></a>",
            "< a/>",
            "<a></ a>",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn floods_are_bounded() {
        let refused = |text: String| read(&text).expect_err("too much").refused;
        assert!(refused("<a>".repeat(1_000_000)));
        assert!(refused(format!("<a {}/>", (0..100_000).map(|n| format!("x{n}='' ")).collect::<String>())));
        assert!(refused(format!("<a {}/>", (0..100_000).map(|n| format!("xmlns:x{n}='u' ")).collect::<String>())));
    }

    #[test]
    fn namespaces_end_with_their_element() {
        let mut reader = Reader::new(
            "<a><p:b xmlns:p='http://xmls.skatteverket.se/se/skatteverket/ai/komponent/infoForBeskattning/8.0'/><p:c/></a>",
            &[],
        );
        assert!(reader.next().is_ok());
        let Ok(Token::Start(element)) = reader.next() else { panic!("an element") };
        assert_eq!(element.space, Space::Komponent(Some(SchemaVersion::V8)));
        assert_eq!(reader.next(), Ok(Token::End));
        assert!(reader.next().is_err());
    }

    #[test]
    fn characters_that_xml_forbids_are_found() {
        assert_eq!(forbidden("å\t\r\n \u{7f}\u{85}ok".as_bytes()), None);
        for (bytes, at) in [
            (&b"ab\0"[..], 2),
            (b"\x1f", 0),
            (b"a\xc0\xafb", 1),
            (b"a\xed\xa0\x80", 1),
            (b"a\xef\xbf\xbf", 1),
            (b"f\xf6r\x01", 1),
            (b"\x01\xf6", 0),
        ] {
            assert_eq!(forbidden(bytes).map(|malformed| malformed.at), Some(at), "{bytes:?}");
        }
    }
}
