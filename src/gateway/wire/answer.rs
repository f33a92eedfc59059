//! Answers of FaR and of operators.

use super::ordinary;
use super::{COMMON_V3, RECIPIENT, RECIPIENT_V3, SERVICE, SERVICE_V3, SOAP};
use crate::domain::{Identity, mask_identities};
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;
use std::borrow::Cow;
use std::rc::Rc;

/// Deepest nesting that an answer may have; real ones have eight.
const DEPTH_LIMIT: usize = 64;

/// Why an answer could not be understood. Never carries text of the answer, which may name people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not well-formed, cut off, or with a DOCTYPE.
    #[error("the answer is not well-formed XML at byte {0}")]
    Malformed(u64),
    /// Nested deeper than any real answer.
    #[error("the answer is nested too deeply at byte {0}")]
    TooDeep(u64),
    /// Well-formed, but not the answer that the contract has.
    #[error("the answer lacks {0}")]
    Lacks(&'static str),
}

/// What an operator or FaR can say in a SOAP body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// The operation's response.
    Response(T),
    /// A fault.
    Fault(Fault),
}

/// A SOAP fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// applicationFault/ErrorCode, where the fault has a detail.
    pub code: Option<u32>,
    /// applicationFault/CallId, at most 50 characters of it, printable ASCII only.
    pub call_id: Option<String>,
}

/// DeliveryResult of deliverSecure (Service v3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryResult {
    /// The operator's receipt number, at most 100 characters, printable ASCII only.
    pub trans_id: String,
    /// Whom the status is about.
    pub recipient: Option<Identity>,
    /// Whether the message is in the mailbox.
    pub delivered: bool,
}

/// AccountStatus/Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxType {
    /// A mailbox for secure messages.
    Secure,
    /// Another kind of mailbox.
    Anonymous,
    /// No mailbox.
    Not,
}

/// One ReachabilityStatus of isReachable (Recipient v3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachability {
    /// Whom it is about.
    pub recipient: Identity,
    /// Kind of mailbox.
    pub mailbox: MailboxType,
    /// Registration not finished.
    pub pending: bool,
    /// Whether the recipient takes messages of this sender.
    pub sender_accepted: bool,
    /// The operator.
    pub supplier: Option<ServiceSupplier>,
}

/// ServiceSupplier of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSupplier {
    /// Organisation number, `16…`.
    pub id: String,
    /// Where deliverSecure is posted; may be blank.
    pub service_address: String,
}

/// Reads the answer to deliverSecure.
pub fn delivery(body: &[u8]) -> Result<Answer<DeliveryResult>, WireError> {
    match ordinary::delivery(body) {
        Some(result) => Ok(Answer::Response(result)),
        None => delivery_by_tree(body),
    }
}

/// Reads any answer to deliverSecure.
pub(super) fn delivery_by_tree(body: &[u8]) -> Result<Answer<DeliveryResult>, WireError> {
    let tree = Tree::read(body)?;
    if let Some(fault) = tree.fault() {
        return Ok(Answer::Fault(fault));
    }
    let result = tree
        .said()
        .filter(|said| said.is(SERVICE_V3, "deliverSecureResponse"))
        .and_then(|response| response.child(SERVICE_V3, "return"))
        .ok_or(WireError::Lacks("a single deliverSecureResponse/return"))?;
    let trans_id = result.child(SERVICE, "TransId").ok_or(WireError::Lacks("a single TransId"))?.printable(100);
    // One in v3.
    let status = result.child(SERVICE, "Status").ok_or(WireError::Lacks("a single Status"))?;
    let delivered = status
        .child(SERVICE, "Delivered")
        .and_then(Node::boolean)
        .ok_or(WireError::Lacks("a single Status/Delivered"))?;
    let recipient = status.child(SERVICE, "RecipientId").and_then(|id| Identity::pattern(id.text.trim()).ok());
    Ok(Answer::Response(DeliveryResult { trans_id, recipient, delivered }))
}

/// Reads the answer to isReachable. Entries whose RecipientId is no identity are left out: nobody asked for them. So are
/// those that lack something, have a word of their own for it, or say it twice: they say nothing, and the others hold.
pub fn reachability(body: &[u8]) -> Result<Answer<Vec<Reachability>>, WireError> {
    match ordinary::reachability(body) {
        Some(entries) => Ok(Answer::Response(entries)),
        None => reachability_by_tree(body),
    }
}

/// Reads any answer to isReachable.
pub(super) fn reachability_by_tree(body: &[u8]) -> Result<Answer<Vec<Reachability>>, WireError> {
    let tree = Tree::read(body)?;
    if let Some(fault) = tree.fault() {
        return Ok(Answer::Fault(fault));
    }
    let response = tree
        .said()
        .filter(|said| said.is(RECIPIENT_V3, "isReachableResponse"))
        .ok_or(WireError::Lacks("isReachableResponse"))?;
    Ok(Answer::Response(response.children(RECIPIENT_V3, "return").filter_map(one_reachability).collect()))
}

/// What an entry says once.
const ONCE: [&str; 8] =
    ["AccountStatus", "RecipientId", "Pending", "Type", "ServiceSupplier", "Id", "ServiceAdress", "SenderAccepted"];

fn one_reachability(entry: &Node) -> Option<Reachability> {
    if entry.says_twice(RECIPIENT, &ONCE) {
        return None;
    }
    let status = entry.child(RECIPIENT, "AccountStatus")?;
    let recipient = Identity::pattern(status.child(RECIPIENT, "RecipientId")?.text.trim()).ok()?;
    let mailbox = match status.child(RECIPIENT, "Type")?.text.trim() {
        "Secure" => MailboxType::Secure,
        "Anonymous" => MailboxType::Anonymous,
        "Not" => MailboxType::Not,
        _ => return None,
    };
    let pending = status.child(RECIPIENT, "Pending").and_then(Node::boolean)?;
    let sender_accepted = entry.child(RECIPIENT, "SenderAccepted").and_then(Node::boolean)?;
    let text = |node: &Node, name| node.child(RECIPIENT, name).map(|at| at.text.trim().to_owned()).unwrap_or_default();
    let supplier = status
        .child(RECIPIENT, "ServiceSupplier")
        .map(|supplier| ServiceSupplier { id: text(supplier, "Id"), service_address: text(supplier, "ServiceAdress") });
    Some(Reachability { recipient, mailbox, pending, sender_accepted, supplier })
}

/// Reads a fault, if the body is one: of any SOAP envelope, whatever the HTTP status.
pub fn fault(body: &[u8]) -> Option<Fault> {
    // No element can have the name without its letters; most answers are none, and need no tree to tell.
    memchr::memmem::find(body, b"Fault")?;
    Tree::read(body).ok()?.fault()
}

/// An element of an answer with its namespace, its own text and its children.
#[derive(Debug, Default)]
struct Node {
    namespace: Rc<str>,
    name: Rc<str>,
    text: String,
    children: Vec<Node>,
}

/// A whole answer. Answers are small and bounded by the reader of the body, so that a tree is the clearest form.
struct Tree(Node);

/// Names and namespaces of an answer, each kept once: a thousand recipients have the same ten.
#[derive(Default)]
struct Names(Vec<Rc<str>>);

impl Names {
    /// More than any real answer has. An answer with more pays for them.
    const KEPT: usize = 32;

    fn of(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Rc::clone(known);
        }
        let new = Rc::from(name);
        if self.0.len() < Self::KEPT {
            self.0.push(Rc::clone(&new));
        }
        new
    }
}

impl Tree {
    fn read(body: &[u8]) -> Result<Self, WireError> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let mut reader = NsReader::from_reader(body);
        let at = |reader: &NsReader<&[u8]>| reader.buffer_position();
        // The document itself is the bottom of the stack.
        let mut open = vec![Node::default()];
        let mut names = Names::default();
        loop {
            let (resolved, event) = reader.read_resolved_event().map_err(|_| WireError::Malformed(0))?;
            let namespace = match resolved {
                ResolveResult::Bound(namespace) => names.of(namespace.as_ref()),
                ResolveResult::Unbound => names.of(""),
                ResolveResult::Unknown(_) => return Err(WireError::Malformed(at(&reader))),
            };
            match event {
                Event::Start(start) => {
                    if open.len() > DEPTH_LIMIT {
                        return Err(WireError::TooDeep(at(&reader)));
                    }
                    open.push(Node::named(namespace, names.of(start.local_name().as_ref())));
                }
                Event::Empty(empty) => {
                    let node = Node::named(namespace, names.of(empty.local_name().as_ref()));
                    open.last_mut().ok_or(WireError::Malformed(0))?.children.push(node);
                }
                Event::End(_) => {
                    let node = open.pop().ok_or(WireError::Malformed(0))?;
                    open.last_mut().ok_or(WireError::Malformed(at(&reader)))?.children.push(node);
                }
                Event::Text(text) => {
                    let text = unescape(&text).map_err(|_| WireError::Malformed(at(&reader)))?;
                    open.last_mut().ok_or(WireError::Malformed(0))?.text.push_str(&text);
                }
                Event::CData(data) => {
                    open.last_mut().ok_or(WireError::Malformed(0))?.text.push_str(&data);
                }
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(character)) => character.to_string(),
                        Ok(None) => match reference.as_ref() {
                            "amp" => "&".into(),
                            "lt" => "<".into(),
                            "gt" => ">".into(),
                            "quot" => "\"".into(),
                            "apos" => "'".into(),
                            _ => return Err(WireError::Malformed(at(&reader))),
                        },
                        Err(_) => return Err(WireError::Malformed(at(&reader))),
                    };
                    open.last_mut().ok_or(WireError::Malformed(0))?.text.push_str(&resolved);
                }
                Event::DocType(_) => return Err(WireError::Malformed(at(&reader))),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        match (open.pop(), open.is_empty()) {
            // One element, and nothing said beside it.
            (Some(document), true) if document.children.len() == 1 && document.text.trim_ascii().is_empty() => {
                Ok(Self(document))
            }
            _ => Err(WireError::Malformed(body.len() as u64)),
        }
    }

    /// What the body says: one thing. A body that says two, as a response and a fault, says nothing.
    fn said(&self) -> Option<&Node> {
        match self.0.child(SOAP, "Envelope")?.child(SOAP, "Body")?.children.as_slice() {
            [said] => Some(said),
            _ => None,
        }
    }

    fn fault(&self) -> Option<Fault> {
        let fault = self.said().filter(|said| said.is(SOAP, "Fault"))?;
        // `detail` has no namespace in SOAP 1.1; some stacks give it the envelope's.
        let detail = fault.children.iter().find(|child| &*child.name == "detail");
        let application = detail.and_then(|detail| detail.child(COMMON_V3, "applicationFault"));
        Some(Fault {
            code: application
                .and_then(|at| at.child(COMMON_V3, "ErrorCode"))
                .and_then(|code| code.text.trim().parse().ok()),
            call_id: application.and_then(|at| at.child(COMMON_V3, "CallId")).map(|id| id.printable(50)),
        })
    }
}

impl Node {
    /// Whether anywhere in it one of these names stands beside itself.
    fn says_twice(&self, namespace: &str, once: &[&str]) -> bool {
        once.iter().any(|name| self.children(namespace, name).count() > 1)
            || self.children.iter().any(|child| child.says_twice(namespace, once))
    }

    fn named(namespace: Rc<str>, name: Rc<str>) -> Self {
        Self { namespace, name, ..Self::default() }
    }

    fn is(&self, namespace: &str, name: &str) -> bool {
        *self.name == *name && *self.namespace == *namespace
    }

    fn children<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| child.is(namespace, name))
    }

    /// The only child of this name: of two that differ nobody knows which one is meant.
    fn child<'a>(&'a self, namespace: &'a str, name: &'a str) -> Option<&'a Node> {
        let mut children = self.children(namespace, name);
        children.next().filter(|_| children.next().is_none())
    }

    fn boolean(&self) -> Option<bool> {
        match self.text.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    fn printable(&self, most: usize) -> String {
        printable(&self.text, most)
    }
}

/// A text, printable ASCII only and at most so many characters: what we are willing to write down of what others sent.
/// Digits that look like an identity are masked: a gateway may echo what it should not.
pub(super) fn printable(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    match mask_identities(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(masked) => masked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE: &str = r#"<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><s3:deliverSecureResponse xmlns:s3="http://minameddelanden.gov.se/schema/Service/v3" xmlns:s1="http://minameddelanden.gov.se/schema/Service"><s3:return><s1:TransId>3832352f-fa74-4c17-ab6a-a6e3ab8324f3</s1:TransId><s1:Status><s1:RecipientId>191212121212</s1:RecipientId><s1:Delivered>true</s1:Delivered></s1:Status></s3:return></s3:deliverSecureResponse></S:Body></S:Envelope>"#;

    #[test]
    fn a_delivery_is_read_whatever_its_prefixes() {
        let default_namespaces = r#"<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/" xmlns:unused="urn:x"><Header/><Body>
            <deliverSecureResponse xmlns="http://minameddelanden.gov.se/schema/Service/v3"><return>
            <TransId xmlns="http://minameddelanden.gov.se/schema/Service">3832352f-fa74-4c17-ab6a-a6e3ab8324f3</TransId>
            <x:Status xmlns:x="http://minameddelanden.gov.se/schema/Service"><x:RecipientId>191212121212</x:RecipientId><x:Delivered> 1 </x:Delivered></x:Status>
            </return></deliverSecureResponse></Body></Envelope>"#;
        assert_eq!(delivery(TRUE.as_bytes()), delivery(default_namespaces.as_bytes()));
        let Ok(Answer::Response(result)) = delivery(TRUE.as_bytes()) else { panic!("no response") };
        assert!(result.delivered);
        assert_eq!(result.recipient, Identity::pattern("191212121212").ok());
        assert_eq!(result.trans_id, "3832352f-fa74-4c17-ab6a-a6e3ab8324f3");
    }

    #[test]
    fn an_answer_that_says_two_things_says_nothing() {
        const BODY: &str = "<S:Body>";
        let fault = "<S:Fault><faultcode>S:Server</faultcode><faultstring>x</faultstring></S:Fault>";
        let inside = |from: &str, to: &str| {
            let start = TRUE.find(from).expect("a start");
            let end = TRUE.find(to).expect("an end") + to.len();
            (start, end)
        };
        let twice = |from: &str, to: &str| {
            let (start, end) = inside(from, to);
            let again = TRUE[start..end].replace(">true<", ">false<");
            [TRUE[..end].to_owned() + &again + &TRUE[end..], TRUE[..start].to_owned() + &again + &TRUE[start..]]
        };
        let mut doubled =
            vec![TRUE.replace(BODY, &format!("{BODY}{fault}")), format!("{TRUE}<x/>"), format!("{TRUE}x")];
        doubled.push(TRUE.replace("</S:Body>", &format!("{fault}</S:Body>")));
        for (from, to) in [
            (BODY, "</S:Body>"),
            ("<s3:deliverSecureResponse", "</s3:deliverSecureResponse>"),
            ("<s3:return>", "</s3:return>"),
            ("<s1:TransId>", "</s1:TransId>"),
            ("<s1:Status>", "</s1:Status>"),
            ("<s1:Delivered>", "</s1:Delivered>"),
        ] {
            doubled.extend(twice(from, to));
        }
        for answer in doubled {
            assert!(delivery(answer.as_bytes()).is_err(), "{answer}");
            assert_eq!(super::fault(answer.as_bytes()), None, "{answer}");
        }
        let after = format!("{TRUE}\r\n<!-- nothing -->\n");
        assert_eq!(delivery(after.as_bytes()), delivery(TRUE.as_bytes()));
    }

    #[test]
    fn a_delivery_cut_anywhere_is_no_answer() {
        for cut in 0..TRUE.len() {
            assert!(delivery(&TRUE.as_bytes()[..cut]).is_err(), "cut at {cut} was understood");
        }
    }

    #[test]
    fn faults_with_and_without_detail() {
        let with = r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Server</faultcode><faultstring>191212121212</faultstring><detail><c3:applicationFault xmlns:c3="http://minameddelanden.gov.se/schema/Common/v3"><c3:ErrorCode>5001</c3:ErrorCode><c3:Description>about 191212121212</c3:Description><c3:CallId>0f0e0d0c-0b0a-4908-8706-050403020100</c3:CallId></c3:applicationFault></detail></S:Fault></S:Body></S:Envelope>"#;
        let read = fault(with.as_bytes()).expect("a fault");
        assert_eq!(read.code, Some(5001));
        assert_eq!(read.call_id.as_deref(), Some("0f0e0d0c-0b0a-4908-8706-050403020100"));
        let without = r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Server</faultcode><faultstring>x</faultstring></S:Fault></S:Body></S:Envelope>"#;
        assert_eq!(fault(without.as_bytes()), Some(Fault { code: None, call_id: None }));
        assert_eq!(fault(b"<html><body>502</body></html>"), None);
    }

    #[test]
    fn identities_in_what_others_send_are_masked() {
        let named = TRUE.replace("3832352f-fa74-4c17-ab6a-a6e3ab8324f3", "for 19121212-1212, 191212121212");
        let Ok(Answer::Response(result)) = delivery(named.as_bytes()) else { panic!("no response") };
        assert!(!result.trans_id.contains("1212"), "{}", result.trans_id);
    }

    #[test]
    fn an_entry_that_cannot_be_read_says_nothing_and_the_others_hold() {
        let entry = |id: &str| {
            format!(
                "<r3:return><AccountStatus><RecipientId>{id}</RecipientId><Type>Not</Type><Pending>false</Pending>\
                 </AccountStatus><SenderAccepted>false</SenderAccepted></r3:return>"
            )
        };
        let [first, odd, last] = ["191212121212", "162021004748", "192705178354"];
        let of = |entries: &str| {
            let body = format!(
                r#"<S:Envelope xmlns:S="{SOAP}"><S:Body><r3:isReachableResponse xmlns:r3="{RECIPIENT_V3}" xmlns="{RECIPIENT}">{entries}</r3:isReachableResponse></S:Body></S:Envelope>"#
            );
            let Ok(Answer::Response(entries)) = reachability(body.as_bytes()) else { panic!("unreadable: {body}") };
            entries.iter().map(|entry| entry.recipient.expose().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(&[first, odd, last].map(entry).concat()), [first, odd, last]);
        for (from, to) in [
            ("<Type>Not</Type>", "<Type>Company</Type>"),
            ("<Type>Not</Type>", ""),
            ("<Pending>false</Pending>", ""),
            ("<Pending>false</Pending>", "<Pending>maybe</Pending>"),
            ("<SenderAccepted>false</SenderAccepted>", ""),
            ("<SenderAccepted>false</SenderAccepted>", "<SenderAccepted/>"),
            ("<RecipientId>162021004748</RecipientId>", ""),
            ("AccountStatus>", "Account>"),
        ] {
            let changed = entry(odd).replace(from, to);
            assert_ne!(changed, entry(odd));
            assert_eq!(of(&(entry(first) + &changed + &entry(last))), [first, last], "{to}");
        }
    }

    #[test]
    fn doctype_and_depth_are_refused() {
        assert!(delivery(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>").is_err());
        let deep = "<a>".repeat(100_000);
        assert!(matches!(delivery(deep.as_bytes()), Err(WireError::TooDeep(_))));
    }
}
