//! A small document of a request: elements with their namespaces and prefixes, text, and the canonical form.
//!
//! In: the bytes of a request. Out: a tree that remembers how it was written, since the strict verifier asks for that.
//! It does not know the contract, and shares nothing with the writer of envelopes that it judges.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::PrefixDeclaration;
use quick_xml::reader::Reader;
use std::sync::Arc;

/// Deepest nesting that is read; the contract needs 13.
const DEPTH: usize = 64;

/// Why bytes are no document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}")]
    Encoding(usize),
    /// The XML declaration names another encoding or version.
    #[error("the XML declaration asks for something else than XML 1.0 in UTF-8")]
    Declaration,
    /// Not well-formed.
    #[error("not well-formed XML at byte {offset}: {what}")]
    Malformed {
        /// Byte offset.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A document type declaration, which SOAP forbids.
    #[error("a document type declaration, which SOAP forbids")]
    Doctype,
}

/// An element.
#[derive(Debug)]
pub(crate) struct Element {
    /// The prefix that it was written with; empty for the default namespace.
    pub prefix: String,
    /// Its local name.
    pub local: String,
    /// Its namespace; empty for none.
    pub namespace: Arc<str>,
    /// Namespaces declared on it: prefix (empty for the default) and name.
    pub declarations: Vec<(String, Arc<str>)>,
    /// Attributes that are no declarations.
    pub attributes: Vec<Attribute>,
    /// What is inside, adjacent text merged; comments and processing instructions are only remembered.
    pub children: Vec<Node>,
    /// Whether a comment stood directly inside.
    pub comments: bool,
    /// Whether a processing instruction stood directly inside.
    pub instructions: bool,
}

/// An attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// Its namespace; empty for none.
    pub namespace: Arc<str>,
    /// Its local name.
    pub local: String,
    /// Its normalised value.
    pub value: String,
}

/// What an element holds.
#[derive(Debug)]
pub(crate) enum Node {
    /// An element.
    Element(Element),
    /// Text.
    Text(Text),
}

/// Text between tags.
#[derive(Debug)]
pub(crate) struct Text {
    /// The characters, references resolved.
    pub value: String,
    /// Whether it was written plainly: no reference and no CDATA section.
    pub plain: bool,
}

impl Element {
    /// Whether it has this expanded name.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && *self.namespace == *namespace
    }

    /// The elements inside.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element inside with this name.
    pub fn child(&self, namespace: &str, local: &str) -> Option<&Element> {
        self.elements().find(|element| element.is(namespace, local))
    }

    /// The first element along a path of names in one namespace.
    pub fn descend(&self, namespace: &str, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, local| element.child(namespace, local))
    }

    /// All text directly inside.
    pub fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|node| if let Node::Text(text) = node { Some(&*text.value) } else { None })
            .collect()
    }

    /// An attribute without namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.local == local && attribute.namespace.is_empty())
            .map(|attribute| &*attribute.value)
    }

    /// Whether the element or anything in it fails the test.
    pub fn any(&self, test: &dyn Fn(&Element) -> bool) -> bool {
        test(self) || self.elements().any(|element| element.any(test))
    }

    /// Writes the canonical octets of the protocol sheet §2.2: the element as a document of its own, prefixes dropped,
    /// each namespace declared as the default where it differs from the parent's.
    ///
    /// `name` replaces namespace and local name of the root; `without` is left out.
    pub fn canonical(&self, name: Option<(&str, &str)>, without: Option<&Element>) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 * 1024);
        self.write(&mut out, "", name, without);
        out
    }

    fn write(&self, out: &mut Vec<u8>, around: &str, name: Option<(&str, &str)>, without: Option<&Element>) {
        let (namespace, local) = name.unwrap_or((&self.namespace, &self.local));
        out.push(b'<');
        out.extend_from_slice(local.as_bytes());
        if namespace != around {
            out.extend_from_slice(b" xmlns=\"");
            escape(out, namespace, true);
            out.push(b'"');
        }
        let mut attributes: Vec<&Attribute> = self.attributes.iter().collect();
        attributes.sort_by(|a, b| (&a.namespace, &a.local).cmp(&(&b.namespace, &b.local)));
        for attribute in attributes {
            out.push(b' ');
            out.extend_from_slice(attribute.local.as_bytes());
            out.extend_from_slice(b"=\"");
            escape(out, &attribute.value, true);
            out.push(b'"');
        }
        out.push(b'>');
        // A root renamed into another namespace keeps its children where they are.
        for node in &self.children {
            match node {
                Node::Text(text) => escape(out, &text.value, false),
                Node::Element(element) if without.is_some_and(|without| std::ptr::eq(without, element)) => {}
                Node::Element(element) => element.write(out, namespace, None, without),
            }
        }
        out.extend_from_slice(b"</");
        out.extend_from_slice(local.as_bytes());
        out.push(b'>');
    }
}

/// Canonical escapes of text, and of attribute values.
fn escape(out: &mut Vec<u8>, text: &str, attribute: bool) {
    let mut rest = text.as_bytes();
    while let Some(place) =
        rest.iter().position(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\r' | b'\n' | b'\t'))
    {
        let (before, from) = rest.split_at(place);
        out.extend_from_slice(before);
        let Some((byte, after)) = from.split_first() else { break };
        match (byte, attribute) {
            (b'&', _) => out.extend_from_slice(b"&amp;"),
            (b'<', _) => out.extend_from_slice(b"&lt;"),
            (b'>', false) => out.extend_from_slice(b"&gt;"),
            (b'"', true) => out.extend_from_slice(b"&quot;"),
            (b'\r', _) => out.extend_from_slice(b"&#xD;"),
            (b'\n', true) => out.extend_from_slice(b"&#xA;"),
            (b'\t', true) => out.extend_from_slice(b"&#x9;"),
            (other, _) => out.push(*other),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Reads a document and gives its root element.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    let text = std::str::from_utf8(bytes).map_err(|error| XmlError::Encoding(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    reader.config_mut().expand_empty_elements = true;
    let mut scope: Vec<(String, Arc<str>)> =
        vec![("xml".into(), "http://www.w3.org/XML/1998/namespace".into()), (String::new(), "".into())];
    let mut open: Vec<(Element, usize)> = Vec::new();
    let mut root = None;
    loop {
        let offset = reader.buffer_position();
        let malformed = |what: String| XmlError::Malformed { offset, what };
        match reader.read_event().map_err(|error| malformed(error.to_string()))? {
            Event::Start(start) => {
                if root.is_some() {
                    return Err(malformed("a second root element".into()));
                }
                if open.len() == DEPTH {
                    return Err(malformed(format!("nested deeper than {DEPTH}")));
                }
                let outer = scope.len();
                let element = element(&start, &mut scope).map_err(malformed)?;
                open.push((element, outer));
            }
            Event::End(_) => {
                let Some((element, outer)) = open.pop() else { return Err(malformed("an end without a start".into())) };
                scope.truncate(outer);
                match open.last_mut() {
                    Some((parent, _)) => parent.children.push(Node::Element(element)),
                    None => root = Some(element),
                }
            }
            Event::Text(text) => push(&mut open, &text.xml10_content(), true).map_err(malformed)?,
            Event::CData(text) => push(&mut open, &text.xml10_content(), false).map_err(malformed)?,
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().map_err(|error| malformed(error.to_string()))? {
                    Some(character) => character,
                    None => match &*reference.into_inner() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return Err(malformed("an entity that is not declared".into())),
                    },
                };
                push(&mut open, resolved.encode_utf8(&mut [0; 4]), false).map_err(malformed)?;
            }
            Event::Comment(_) => open.last_mut().into_iter().for_each(|(element, _)| element.comments = true),
            Event::PI(_) => open.last_mut().into_iter().for_each(|(element, _)| element.instructions = true),
            Event::Decl(declaration) => {
                let utf8 = declaration.encoding().is_none_or(|encoding| {
                    encoding
                        .is_ok_and(|name| name.eq_ignore_ascii_case("UTF-8") || name.eq_ignore_ascii_case("US-ASCII"))
                });
                if !utf8 || offset != 0 || !declaration.version().is_ok_and(|version| &*version == "1.0") {
                    return Err(XmlError::Declaration);
                }
            }
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Empty(_) => return Err(malformed("an empty element that was not expanded".into())),
            Event::Eof => {
                return match (root, open.is_empty()) {
                    (Some(root), true) => Ok(root),
                    _ => Err(malformed("the document ends too early".into())),
                };
            }
        }
    }
}

/// Adds text to the innermost open element, merged with text before it.
fn push(open: &mut [(Element, usize)], value: &str, plain: bool) -> Result<(), String> {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    if !value.chars().all(legal) {
        return Err("a character that XML forbids".into());
    }
    let Some((element, _)) = open.last_mut() else {
        return if value.trim_matches([' ', '\t', '\r', '\n']).is_empty() && plain {
            Ok(())
        } else {
            Err("text outside the root element".into())
        };
    };
    if let Some(Node::Text(text)) = element.children.last_mut() {
        text.value.push_str(value);
        text.plain &= plain;
    } else {
        element.children.push(Node::Text(Text { value: value.to_owned(), plain }));
    }
    Ok(())
}

fn element(start: &BytesStart<'_>, scope: &mut Vec<(String, Arc<str>)>) -> Result<Element, String> {
    let mut declarations = Vec::new();
    let mut plain = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|error| error.to_string())?;
        match attribute.key.as_namespace_binding() {
            Some(PrefixDeclaration::Default) => declarations.push((String::new(), Arc::from(&*value))),
            Some(PrefixDeclaration::Named(prefix)) if !value.is_empty() => {
                declarations.push((prefix.to_owned(), Arc::from(&*value)));
            }
            Some(PrefixDeclaration::Named(_)) => return Err("a prefix declared as no namespace".into()),
            None => plain.push((attribute.key.as_ref().to_owned(), value.into_owned())),
        }
    }
    scope.extend(declarations.iter().cloned());
    let resolve =
        |prefix: &str| scope.iter().rev().find(|(known, _)| known == prefix).map(|(_, namespace)| namespace.clone());
    let split = |name: &str| match name.split_once(':') {
        Some((prefix, local)) if !prefix.is_empty() && !local.is_empty() && !local.contains(':') => {
            Ok((prefix.to_owned(), local.to_owned()))
        }
        Some(_) => Err("a name that namespaces do not allow".to_owned()),
        None => Ok((String::new(), name.to_owned())),
    };
    let (prefix, local) = split(start.name().as_ref())?;
    if local.is_empty() || local.contains(['<', '&', '"', '\'', '/', '=']) {
        return Err("a name that XML does not allow".into());
    }
    let namespace = resolve(&prefix).ok_or("a prefix that is not declared")?;
    let mut attributes = Vec::with_capacity(plain.len());
    for (name, value) in plain {
        let (prefix, local) = split(&name)?;
        let namespace =
            if prefix.is_empty() { "".into() } else { resolve(&prefix).ok_or("a prefix that is not declared")? };
        attributes.push(Attribute { namespace, local, value });
    }
    Ok(Element {
        prefix,
        local,
        namespace,
        declarations,
        attributes,
        children: Vec::new(),
        comments: false,
        instructions: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_drops_prefixes_and_declares_defaults() {
        let root = parse(
            "<?xml version=\"1.0\"?>\n<p:a xmlns:p=\"urn:a\" xmlns:q=\"urn:b\"><q:b z=\"1\" a='\"&lt;&#9;'/><p:c>å&amp;&gt;\"\
             &#13;<![CDATA[<x>]]></p:c></p:a>"
                .as_bytes(),
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(root.canonical(None, None)).unwrap(),
            "<a xmlns=\"urn:a\"><b xmlns=\"urn:b\" a=\"&quot;&lt;&#x9;\" z=\"1\"></b><c>å&amp;&gt;\"&#xD;&lt;x&gt;</c></a>"
        );
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for bad in [
            "",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "x<a/>",
            "<p:a/>",
            "<a xmlns:p=''/>",
            "<a>&e;</a>",
            "<a>\u{1}</a>",
            "<!DOCTYPE a []><a/>",
            "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
            "<a b='1' b='2'/>",
            "<a>&#0;</a>",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
        assert!(parse("<a>".repeat(100_000).as_bytes()).is_err());
    }
}
