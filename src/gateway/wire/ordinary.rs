//! The ordinary answer to deliverSecure, read in one scan without a tree.
//!
//! A subset of what [`super::delivery`] understands, and never anything else: ASCII, at most an empty header, the elements
//! of the contract in their order with blanks between them, no attributes but namespaces, no character references, comments or CDATA. For
//! anything else it says nothing, and the tree is asked. A property test holds the two together.

use super::answer::{DeliveryResult, printable};
use super::{SERVICE, SERVICE_V3, SOAP};
use crate::domain::Identity;
use arrayvec::ArrayVec;

/// Namespaces in scope; real answers have three to six.
const SCOPE: usize = 16;
/// Elements open at once.
const DEPTH: usize = 8;
/// How an answer may begin.
const DECLARATIONS: [&str; 4] = [
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    "<?xml version='1.0' encoding='UTF-8'?>",
    r#"<?xml version="1.0"?>"#,
];
/// Names that no other prefix may be bound to.
const RESERVED: [&str; 2] = ["http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"];

/// The delivery that an ordinary answer tells of; `None` where the answer is not ordinary.
pub(super) fn delivery(body: &[u8]) -> Option<DeliveryResult> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.is_ascii())?;
    let text = DECLARATIONS.iter().find_map(|start| text.strip_prefix(start)).unwrap_or(text);
    let mut scan = Scan { rest: text, scope: ArrayVec::new(), open: ArrayVec::new() };
    scan.start(SOAP, "Envelope")?;
    scan.header()?;
    scan.start(SOAP, "Body")?;
    scan.start(SERVICE_V3, "deliverSecureResponse")?;
    scan.start(SERVICE_V3, "return")?;
    let trans_id = scan.leaf("TransId")?;
    scan.start(SERVICE, "Status")?;
    let recipient = scan.leaf("RecipientId")?;
    let delivered = match scan.leaf("Delivered")? {
        "true" | "1" => true,
        "false" | "0" => false,
        _ => return None,
    };
    while !scan.open.is_empty() {
        scan.blanks();
        scan.end()?;
    }
    scan.blanks();
    scan.rest.is_empty().then(|| DeliveryResult {
        trans_id: printable(trans_id, 100),
        recipient: Identity::pattern(recipient).ok(),
        delivered,
    })
}

struct Scan<'a> {
    rest: &'a str,
    /// Prefix, namespace.
    scope: ArrayVec<(&'a str, &'a str), SCOPE>,
    /// Qualified names, and how many namespaces were in scope before each.
    open: ArrayVec<(&'a str, usize), DEPTH>,
}

impl<'a> Scan<'a> {
    /// The SOAP header, empty, where there is one.
    fn header(&mut self) -> Option<()> {
        self.blanks();
        let tag = self.rest.get(1..)?.split([' ', '\t', '\r', '\n', '>', '/']).next()?;
        if tag.rsplit(':').next() != Some("Header") {
            return Some(());
        }
        if self.tag(SOAP, "Header")? {
            self.blanks();
            self.end()?;
        }
        Some(())
    }

    /// A start tag of this name, after blanks.
    fn start(&mut self, namespace: &str, name: &str) -> Option<()> {
        self.tag(namespace, name)?.then_some(())
    }

    /// A start tag of this name, after blanks; whether its end is still to come.
    fn tag(&mut self, namespace: &str, name: &str) -> Option<bool> {
        self.blanks();
        self.take("<")?;
        let tag = self.until(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'/'))?;
        let before = self.scope.len();
        let ended = loop {
            let blanks = self.blanks();
            if self.take(">").is_some() {
                break false;
            }
            if self.take("/>").is_some() {
                break true;
            }
            if !blanks {
                return None;
            }
            let declared = self.namespace()?;
            let here = self.scope.get(before..).unwrap_or_default();
            if here.iter().any(|(prefix, _)| *prefix == declared.0) {
                return None;
            }
            self.scope.try_push(declared).ok()?;
        };
        let (prefix, local) = tag.split_once(':').unwrap_or(("", tag));
        let bound = self.scope.iter().rev().find(|(known, _)| *known == prefix)?.1;
        if local != name || bound != namespace || !prefix.is_empty() && !is_name(prefix) {
            return None;
        }
        if ended {
            self.scope.truncate(before);
        } else {
            self.open.try_push((tag, before)).ok()?;
        }
        Some(!ended)
    }

    /// `xmlns="…"` or `xmlns:p="…"`: prefix and namespace.
    fn namespace(&mut self) -> Option<(&'a str, &'a str)> {
        self.take("xmlns")?;
        let prefix = match self.take(":") {
            Some(()) => {
                let prefix = self.until(|byte| byte == b'=')?;
                // Other prefixes that begin like this have a meaning of their own.
                if !is_name(prefix) || prefix.starts_with("xml") {
                    return None;
                }
                prefix
            }
            None => "",
        };
        self.take("=")?;
        let quote = if self.take("\"").is_some() { "\"" } else { self.take("'").map(|()| "'")? };
        let value = self.until(|byte| matches!(byte, b'"' | b'\'' | b'<' | b'&'))?;
        self.take(quote)?;
        (!value.is_empty() && !RESERVED.contains(&value)).then_some((prefix, value))
    }

    /// An element of the types of Service that holds one printable word.
    fn leaf(&mut self, name: &str) -> Option<&'a str> {
        self.start(SERVICE, name)?;
        let text = self.until(|byte| byte == b'<')?;
        let plain =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'&' | b'>'));
        self.end()?;
        plain.then_some(text)
    }

    fn end(&mut self) -> Option<()> {
        let (tag, before) = self.open.pop()?;
        self.take("</")?;
        self.take(tag)?;
        self.take(">")?;
        self.scope.truncate(before);
        Some(())
    }

    /// Skips blanks; whether there were any.
    fn blanks(&mut self) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let skipped = rest.len() < self.rest.len();
        self.rest = rest;
        skipped
    }

    fn take(&mut self, what: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    fn until(&mut self, end: impl Fn(u8) -> bool) -> Option<&'a str> {
        let at = self.rest.bytes().position(end)?;
        let (before, rest) = self.rest.split_at_checked(at)?;
        self.rest = rest;
        Some(before)
    }
}

/// Letters, digits and what else is in the names of real prefixes; not beginning with what no name begins with.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Answer, delivery_by_tree};
    use super::*;
    use proptest::prelude::*;

    /// The answer with these prefixes, blanks, declaration and texts.
    fn answer(prefixes: [&str; 3], blank: &str, start: &str, header: &str, texts: [&str; 3], inner: bool) -> String {
        let [soap, service, types] = prefixes;
        let [trans_id, recipient, delivered] = texts;
        let colon = |prefix: &str| if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
        let xmlns = |prefix: &str, namespace: &str| match prefix {
            "" => format!(" xmlns=\"{namespace}\""),
            prefix => format!(" xmlns:{prefix}='{namespace}'"),
        };
        let (s, v, t) = (colon(soap), colon(service), colon(types));
        let header = header.replace('%', &s);
        let (outer, here) = (xmlns(types, SERVICE), String::new());
        let (outer, here) = if inner { (here, outer) } else { (outer, here) };
        format!(
            "{start}<{s}Envelope{}>{blank}{header}<{s}Body>{blank}<{v}deliverSecureResponse{}{outer}>{blank}<{v}return>\
             <{t}TransId{here}>{trans_id}</{t}TransId>{blank}<{t}Status{here}><{t}RecipientId>{recipient}\
             </{t}RecipientId>{blank}<{t}Delivered>{delivered}</{t}Delivered></{t}Status>{blank}</{v}return>\
             </{v}deliverSecureResponse></{s}Body>{blank}</{s}Envelope>{blank}",
            xmlns(soap, SOAP),
            xmlns(service, SERVICE_V3),
        )
    }

    /// What the scan says, the tree says too.
    fn agrees(body: &[u8]) -> Result<bool, TestCaseError> {
        let Some(scanned) = delivery(body) else { return Ok(false) };
        prop_assert_eq!(delivery_by_tree(body), Ok(Answer::Response(scanned)), "{}", String::from_utf8_lossy(body));
        Ok(true)
    }

    #[test]
    fn ordinary_answers_are_read_without_a_tree() {
        let texts = ["3832352f-fa74-4c17-ab6a-a6e3ab8324f3", "191212121212", "true"];
        for start in DECLARATIONS.into_iter().chain(["", "\n"]) {
            for prefixes in [["S", "s3", "s1"], ["SOAP-ENV", "ns2", ""], ["", "a", "b"]] {
                for header in ["", "<%Header/>", "<%Header></%Header>", "<%Header xmlns:q='u' >\n</%Header>\n"] {
                    let body = answer(prefixes, "\n  ", start, header, texts, true);
                    let read = delivery(body.as_bytes());
                    assert!(read.is_some_and(|read| read.delivered && read.recipient.is_some()), "{body}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_scan_and_the_tree_agree(
            prefixes in prop::array::uniform3(prop_oneof![Just(""), Just("S"), Just("ns2"), Just("s-1"), Just("xmla"), Just("1"), Just("é")]),
            blank in prop_oneof![Just(""), Just("\n "), Just("\u{a0}"), Just("<!-- -->"), Just("x")],
            start in prop_oneof![Just(""), Just(DECLARATIONS[0]), Just(DECLARATIONS[2]), Just("\u{feff}"), Just("<?xml version='1.0' encoding='UTF-16'?>"), Just("<!DOCTYPE a>")],
            header in prop_oneof![Just(""), Just("<%Header/>"), Just("<%Header xmlns='q'></%Header>"), Just("<Header/>"), Just("<%Header>x</%Header>"), Just("<%Header/><%Header/>"), Just("<%Header><a/></%Header>"), Just("<%Body/>")],
            trans_id in "[ -~å&<]{0,40}",
            recipient in prop_oneof![Just("191212121212".to_owned()), "[0-9]{12}", "[ 0-9a-z]{0,14}"],
            delivered in prop_oneof![Just("true"), Just("false"), Just("1"), Just("0"), Just(" true"), Just("TRUE"), Just("")],
            inner: bool,
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(None), any::<u8>().prop_map(Some), prop::sample::select(b"<>/&:='\" x".to_vec()).prop_map(Some)], any::<bool>()), 0..3),
        ) {
            let mut body = answer(prefixes, blank, start, header, [&trans_id, &recipient, delivered], inner).into_bytes();
            agrees(&body)?;
            for (place, byte, insert) in changes {
                let at = place.index(body.len());
                match (byte, insert) {
                    (None, _) => _ = body.remove(at),
                    (Some(byte), true) => body.insert(at, byte),
                    (Some(byte), false) => body[at] = byte,
                }
                agrees(&body)?;
            }
        }
    }
}
