//! The ordinary answers to deliverSecure and isReachable, read in one scan without a tree.
//!
//! A subset of what [`super::delivery`] and [`super::reachability`] understand, and never anything else: UTF-8, at most an
//! empty header, the elements of the contract in their order with blanks between them, no attributes but namespaces, no
//! character references, comments or CDATA. For anything else it says nothing, and the tree is asked. Property tests hold
//! the two together.

use super::answer::{DeliveryResult, MailboxType, Reachability, ServiceSupplier, printable};
use super::{RECIPIENT, RECIPIENT_V3, SERVICE, SERVICE_V3, SOAP};
use crate::domain::Identity;
use arrayvec::ArrayVec;

/// Namespaces in scope; real answers have three to six.
const SCOPE: usize = 16;
/// Elements open at once.
const DEPTH: usize = 8;
/// White space of XML.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
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
    let mut scan = Scan::of(body)?;
    scan.start(SERVICE_V3, "deliverSecureResponse")?;
    scan.start(SERVICE_V3, "return")?;
    let trans_id = scan.word(SERVICE, "TransId")?;
    scan.start(SERVICE, "Status")?;
    let recipient = scan.word(SERVICE, "RecipientId")?;
    let delivered = scan.boolean(SERVICE, "Delivered")?;
    scan.finish()?;
    Some(DeliveryResult { trans_id: printable(trans_id, 100), recipient: Identity::pattern(recipient).ok(), delivered })
}

/// What an ordinary answer says of recipients; `None` where the answer is not ordinary.
pub(super) fn reachability(body: &[u8]) -> Option<Vec<Reachability>> {
    let mut scan = Scan::of(body)?;
    let mut entries = Vec::new();
    if scan.tag(RECIPIENT_V3, "isReachableResponse")? {
        while scan.ahead()? == "return" {
            entries.extend(scan.reachability()?);
        }
    }
    scan.finish()?;
    Some(entries)
}

struct Scan<'a> {
    rest: &'a str,
    /// Prefix, namespace.
    scope: ArrayVec<(&'a str, &'a str), SCOPE>,
    /// Qualified names, and how many namespaces were in scope before each.
    open: ArrayVec<(&'a str, usize), DEPTH>,
}

impl<'a> Scan<'a> {
    /// An answer, up to what its SOAP body says.
    fn of(body: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let text = DECLARATIONS.iter().find_map(|start| text.strip_prefix(start)).unwrap_or(text);
        let mut scan = Self { rest: text, scope: ArrayVec::new(), open: ArrayVec::new() };
        scan.start(SOAP, "Envelope")?;
        if scan.ahead()? == "Header" && scan.tag(SOAP, "Header")? {
            scan.close()?;
        }
        scan.start(SOAP, "Body")?;
        Some(scan)
    }

    /// The ends of all that is open, and nothing after them.
    fn finish(&mut self) -> Option<()> {
        while !self.open.is_empty() {
            self.close()?;
        }
        self.blanks();
        self.rest.is_empty().then_some(())
    }

    /// A `return` of isReachable; nothing where it is about no identity.
    fn reachability(&mut self) -> Option<Option<Reachability>> {
        self.start(RECIPIENT_V3, "return")?;
        self.start(RECIPIENT, "AccountStatus")?;
        let recipient = Identity::pattern(self.word(RECIPIENT, "RecipientId")?).ok();
        let mailbox = match self.word(RECIPIENT, "Type")? {
            "Secure" => MailboxType::Secure,
            "Anonymous" => MailboxType::Anonymous,
            "Not" => MailboxType::Not,
            _ => return None,
        };
        let pending = self.boolean(RECIPIENT, "Pending")?;
        let supplier = match self.ahead()? {
            "ServiceSupplier" => Some(self.supplier()?),
            _ => None,
        };
        self.pass(RECIPIENT, "LastRegistration")?;
        self.close()?;
        let sender_accepted = self.boolean(RECIPIENT, "SenderAccepted")?;
        self.pass(RECIPIENT, "LastSenderAcceptChange")?;
        self.close()?;
        Some(recipient.map(|recipient| Reachability { recipient, mailbox, pending, sender_accepted, supplier }))
    }

    fn supplier(&mut self) -> Option<ServiceSupplier> {
        self.start(RECIPIENT, "ServiceSupplier")?;
        let id = self.word(RECIPIENT, "Id")?.to_owned();
        self.pass(RECIPIENT, "Name")?;
        self.pass(RECIPIENT, "Logo")?;
        let service_address = self.text(RECIPIENT, "ServiceAdress")?.trim_matches(BLANKS);
        let plain = service_address.bytes().all(|byte| byte.is_ascii_graphic());
        let service_address = plain.then(|| service_address.to_owned())?;
        self.pass(RECIPIENT, "UIAdress")?;
        self.pass(RECIPIENT, "InternalServiceAdress")?;
        self.close()?;
        Some(ServiceSupplier { id, service_address })
    }

    /// The name, without its prefix, of the tag that comes next; empty where that is an end.
    fn ahead(&mut self) -> Option<&'a str> {
        self.blanks();
        let tag = self.rest.strip_prefix('<')?;
        let end = tag.bytes().position(ends_a_name)?;
        let tag = tag.get(..end)?;
        Some(tag.split_once(':').map_or(tag, |(_, local)| local))
    }

    /// Passes over an element that holds text, where there is one.
    fn pass(&mut self, namespace: &str, name: &str) -> Option<()> {
        if self.ahead()? == name {
            self.text(namespace, name)?;
        }
        Some(())
    }

    /// An end tag, after blanks.
    fn close(&mut self) -> Option<()> {
        self.blanks();
        self.end()
    }

    /// A start tag of this name, after blanks.
    fn start(&mut self, namespace: &str, name: &str) -> Option<()> {
        self.tag(namespace, name)?.then_some(())
    }

    /// A start tag of this name, after blanks; whether its end is still to come.
    fn tag(&mut self, namespace: &str, name: &str) -> Option<bool> {
        self.blanks();
        self.take("<")?;
        let tag = self.until(ends_a_name)?;
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
        let (prefix, local) = match tag.split_once(':') {
            // No name begins with a colon.
            Some(("", _)) => return None,
            Some(parts) => parts,
            None => ("", tag),
        };
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

    /// An element that holds one printable word.
    fn word(&mut self, namespace: &str, name: &str) -> Option<&'a str> {
        let text = self.text(namespace, name)?;
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
    }

    fn boolean(&mut self, namespace: &str, name: &str) -> Option<bool> {
        match self.text(namespace, name)? {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// An element that holds text, or nothing.
    fn text(&mut self, namespace: &str, name: &str) -> Option<&'a str> {
        if !self.tag(namespace, name)? {
            return Some("");
        }
        let text = self.until(|byte| matches!(byte, b'<' | b'&' | b'>'))?;
        self.end()?;
        Some(text)
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
        let rest = self.rest.trim_start_matches(BLANKS);
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

fn ends_a_name(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'/')
}

/// Letters, digits and what else is in the names of real prefixes; not beginning with what no name begins with.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Answer, delivery_by_tree, reachability_by_tree};
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
    fn agrees(body: &[u8]) -> Result<(), TestCaseError> {
        let Some(scanned) = delivery(body) else { return Ok(()) };
        prop_assert_eq!(delivery_by_tree(body), Ok(Answer::Response(scanned)), "{}", String::from_utf8_lossy(body));
        Ok(())
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

    #[test]
    fn a_colon_without_a_prefix_is_no_name() {
        let texts = ["t", "191212121212", "true"];
        let body = answer(["S", "v", ""], "", "", "", texts, true);
        assert!(delivery(body.as_bytes()).is_some());
        let colon = body.replace("<TransId", "<:TransId").replace("</TransId", "</:TransId");
        assert_ne!(colon, body);
        assert_eq!(delivery(colon.as_bytes()), None);
    }

    /// A `return` of isReachable with these prefixes, blanks and texts.
    fn entry(prefixes: [&str; 2], blank: &str, texts: &[String; 5], supplier: &[String]) -> String {
        let [r, t] = prefixes.map(|prefix| if prefix.is_empty() { String::new() } else { format!("{prefix}:") });
        let leaf = |name: &str, text: &str| match text {
            "-" => String::new(),
            "" => format!("<{t}{name} />{blank}"),
            text => format!("<{t}{name}>{text}</{t}{name}>{blank}"),
        };
        let [id, kind, pending, accepted, dated] = texts;
        let names = ["Id", "Name", "Logo", "ServiceAdress", "UIAdress", "InternalServiceAdress"];
        let supplier: String = names.iter().zip(supplier).map(|(name, text)| leaf(name, text)).collect();
        let supplier = match supplier.is_empty() {
            true => supplier,
            false => format!("<{t}ServiceSupplier>{blank}{supplier}</{t}ServiceSupplier>"),
        };
        format!(
            "{blank}<{r}return>{blank}<{t}AccountStatus>{}{}{}{supplier}{}</{t}AccountStatus>{blank}{}{}</{r}return>",
            leaf("RecipientId", id),
            leaf("Type", kind),
            leaf("Pending", pending),
            leaf("LastRegistration", dated),
            leaf("SenderAccepted", accepted),
            leaf("LastSenderAcceptChange", dated),
        )
    }

    fn reachable(prefixes: [&str; 2], blank: &str, start: &str, entries: &str) -> String {
        let [r, t] = prefixes;
        let colon = |prefix: &str| if prefix.is_empty() { String::new() } else { format!(":{prefix}") };
        let name = if r.is_empty() { String::new() } else { format!("{r}:") };
        format!(
            "{start}<S:Envelope xmlns:S='{SOAP}'>{blank}<S:Header/><S:Body><{name}isReachableResponse \
             xmlns{}='{RECIPIENT_V3}' xmlns{}=\"{RECIPIENT}\">{entries}{blank}</{name}isReachableResponse>\
             </S:Body>{blank}</S:Envelope>",
            colon(r),
            colon(t),
        )
    }

    #[test]
    fn ordinary_reachability_is_read_without_a_tree() {
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let texts = |id: &str, kind: &str, yes: &str| {
            [id, kind, "false", yes, "2016-10-30T15:38:49.517+01:00"].map(str::to_owned)
        };
        let address = "https://operator-a.test:8443/service/v3";
        let suppliers = [
            text(&["165568402266", "Kivra", "-", address, "https://operator-a.test", ""]),
            text(&["165568402266", "Sandlådan Ett", "https://a.test/l.png", "  ", "-", ""]),
            text(&["165568402266", "Kivra", "-", "", "-", "-"]),
            text(&[]),
        ];
        for start in DECLARATIONS.into_iter().chain(["", "\n"]) {
            for (prefixes, blank) in [(["r3", "r1"], ""), (["", "ns2"], "\n  "), (["ns3", ""], "\n")] {
                let entries: String = suppliers
                    .iter()
                    .map(|supplier| entry(prefixes, blank, &texts("191212121212", "Secure", "true"), supplier))
                    .chain([entry(
                        prefixes,
                        blank,
                        &texts("no identity", "Not", "false").map(|at| at.replace(' ', "-")),
                        &[],
                    )])
                    .collect();
                let body = reachable(prefixes, blank, start, &entries);
                let read = reachability(body.as_bytes()).unwrap_or_else(|| panic!("not ordinary: {body}"));
                let addresses: Vec<_> =
                    read.iter().map(|at| at.supplier.as_ref().map(|at| at.service_address.as_str())).collect();
                assert_eq!(addresses, [Some(address), Some(""), Some(""), None], "{body}");
                assert_eq!(reachability_by_tree(body.as_bytes()), Ok(Answer::Response(read)), "{body}");
            }
        }
    }

    /// A place, and what it becomes: nothing, or this byte, before what was there or instead of it.
    type Change = (prop::sample::Index, Option<u8>, bool);

    fn any_change() -> impl Strategy<Value = Change> {
        let byte = prop_oneof![
            Just(None),
            any::<u8>().prop_map(Some),
            prop::sample::select(b"<>/&:='\" x".to_vec()).prop_map(Some),
        ];
        (any::<prop::sample::Index>(), byte, any::<bool>())
    }

    /// Holds of the answer, and after each change.
    fn changed(
        mut body: Vec<u8>,
        changes: Vec<Change>,
        holds: impl Fn(&[u8]) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        holds(&body)?;
        for (place, byte, insert) in changes {
            let at = place.index(body.len());
            match (byte, insert) {
                (None, _) => _ = body.remove(at),
                (Some(byte), true) => body.insert(at, byte),
                (Some(byte), false) => body[at] = byte,
            }
            holds(&body)?;
        }
        Ok(())
    }

    /// Mostly one of these, now and then something of this pattern.
    fn usual(texts: &'static [&'static str], unusual: &'static str) -> impl Strategy<Value = String> {
        prop_oneof![12 => prop::sample::select(texts).prop_map(str::to_owned), 1 => unusual]
    }

    proptest! {
        // An answer with one thing wrong in an entry is rare: by default it was met too seldom to tell a scan that takes it.
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_scan_and_the_tree_agree_on_reachability(
            prefixes in prop_oneof![
                9 => prop::sample::select(vec![["r3", "r1"], ["", "a"], ["b", ""]]),
                1 => prop::sample::select(vec![["r", "r"], ["", ""], ["xmlb", "r1"]]),
            ],
            blank in usual(&["", "\n ", "\r\n", "\t"], "\u{a0}|<!-- -->|x"),
            start in usual(&["", DECLARATIONS[0], DECLARATIONS[2]], "\u{feff}|<\\?xml version='1.0' encoding='latin1'\\?>"),
            entries in prop::collection::vec((
                (
                    usual(&["191212121212", "162021004748"], "[ 0-9a-z\u{a0}]{0,14}"),
                    usual(&["Secure", "Anonymous", "Not"], " ?[Ss]ecure|-|"),
                    usual(&["true", "false", "1", "0"], "\n?true|yes|-|"),
                    usual(&["true", "false", "1", "0"], "\n?true|yes|-|"),
                    usual(&["-", "2024-02-29T08:00:00Z"], "a]]>b|å\u{1}|"),
                ).prop_map(|(id, kind, pending, accepted, dated)| [id, kind, pending, accepted, dated]),
                prop_oneof![
                    4 => Just(Vec::new()),
                    8 => (
                        usual(&["165568402266"], "[ -~]{0,12}|-"),
                        prop::collection::vec(usual(&["https://a.test/v3", "", "  "], "[ -~åÅ\u{a0}]{0,20}|-"), 5),
                    ).prop_map(|(id, others)| [vec![id], others].concat()),
                    1 => prop::collection::vec(usual(&["https://a.test/v3", "-"], "[ -~]{0,20}"), 0..7),
                ],
                usual(&["", "\n"], "<r3:return/>|<x/>|text|<r1:Id>1</r1:Id>"),
            ), 0..4),
            changes in prop::collection::vec(any_change(), 0..3),
        ) {
            let entries: String = entries
                .iter()
                .map(|(texts, supplier, beside)| entry(prefixes, &blank, texts, supplier) + beside)
                .collect();
            let body = reachable(prefixes, &blank, &start, &entries).into_bytes();
            let agrees = |body: &[u8]| -> Result<(), TestCaseError> {
                let Some(scanned) = reachability(body) else { return Ok(()) };
                let shown = String::from_utf8_lossy(body);
                prop_assert_eq!(reachability_by_tree(body), Ok(Answer::Response(scanned)), "{}", shown);
                // A fault is asked for first: an answer of which both could be read would be read as one or the other.
                prop_assert_eq!(super::super::fault(body), None, "{}", shown);
                Ok(())
            };
            changed(body, changes, agrees)?;
        }

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
            changes in prop::collection::vec(any_change(), 0..3),
        ) {
            let body = answer(prefixes, blank, start, header, [&trans_id, &recipient, delivered], inner).into_bytes();
            changed(body, changes, agrees)?;
        }
    }
}
