//! Answers as real gateways write them: random prefixes, namespaces that nothing uses, an empty header, chunks.
//!
//! In: what is to be said, and a draw that decides how it is written. Out: bytes, and a body that can also be slow,
//! short, or never end.

use super::contract::ns::{C3, R1, R3, S1, S3, SE, SOAP};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How an answer is written; a pure function of a draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style(u64);

impl Style {
    pub const fn new(draw: u64) -> Self {
        Self(draw)
    }

    /// Some bits of the draw as one of `count` choices.
    const fn choice(self, place: u32, count: u64) -> u64 {
        (self.0 >> (place * 8)) % count
    }

    fn prefix(self, namespace: &str) -> &'static str {
        let pick = |names: [&'static str; 4]| {
            let [a, b, c, d] = names;
            match self.choice(0, 4) {
                0 => a,
                1 => b,
                2 => c,
                _ => d,
            }
        };
        match namespace {
            SOAP => pick(["S", "soap", "SOAP-ENV", "soapenv"]),
            S3 | R3 => pick(["ns2", "v3", "tns", "a"]),
            S1 | R1 => pick(["ns5", "v1", "m", "S1"]),
            C3 => pick(["ns4", "c3", "fault", "x"]),
            _ => pick(["ns9", "q", "other", "b"]),
        }
    }

    /// Whether the payload declares its namespaces as defaults instead of using prefixes.
    const fn defaults(self) -> bool {
        self.choice(1, 8) == 0
    }

    /// Whether the answer goes in chunks of unknown number.
    pub const fn chunked(self) -> bool {
        self.choice(2, 2) == 0
    }

    /// The media type as it is written.
    pub const fn content_type(self) -> &'static str {
        match self.choice(3, 3) {
            0 => "text/xml;charset=UTF-8",
            1 => "text/xml; charset=utf-8",
            _ => "text/xml",
        }
    }
}

/// Writes a SOAP answer.
#[derive(Debug)]
pub(crate) struct Writer {
    style: Style,
    out: String,
    /// Open elements: tag as written, and the default namespace inside.
    open: Vec<(String, &'static str)>,
}

impl Writer {
    /// Begins an envelope and its body.
    pub fn new(style: Style) -> Self {
        let mut writer = Self { style, out: String::with_capacity(1024), open: Vec::new() };
        if style.choice(4, 2) == 0 {
            writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
            if style.choice(4, 4) == 0 {
                writer.out.push('\n');
            }
        }
        let soap = style.prefix(SOAP);
        writer.out.push_str(&format!("<{soap}:Envelope xmlns:{soap}=\"{SOAP}\""));
        if style.choice(5, 2) == 0 {
            for (prefix, namespace) in [
                ("ns3", "http://minameddelanden.gov.se/schema/Message/v3"),
                ("ns6", "http://minameddelanden.gov.se/schema/Common"),
                ("ns7", "http://minameddelanden.gov.se/schema/Authority"),
                ("dsig", "http://www.w3.org/2000/09/xmldsig#"),
                ("xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            ] {
                writer.out.push_str(&format!(" xmlns:{prefix}=\"{namespace}\""));
            }
        }
        if !style.defaults() && style.choice(6, 2) == 0 {
            for namespace in [S3, S1, C3, SE] {
                writer.out.push_str(&format!(" xmlns:{}=\"{namespace}\"", style.prefix(namespace)));
            }
        }
        writer.out.push('>');
        writer.open.push((format!("{soap}:Envelope"), ""));
        match style.choice(7, 3) {
            0 => writer.out.push_str(&format!("<{soap}:Header/>")),
            1 => writer.out.push_str(&format!("<{soap}:Header></{soap}:Header>")),
            _ => {}
        }
        writer.out.push_str(&format!("<{soap}:Body>"));
        writer.open.push((format!("{soap}:Body"), ""));
        writer
    }

    pub fn start(&mut self, namespace: &'static str, local: &str) -> &mut Self {
        let around = self.open.last().map_or("", |(_, namespace)| *namespace);
        let (tag, inside) = if namespace.is_empty() {
            (local.to_owned(), around)
        } else if self.style.defaults() {
            (local.to_owned(), namespace)
        } else {
            (format!("{}:{local}", self.style.prefix(namespace)), around)
        };
        self.out.push('<');
        self.out.push_str(&tag);
        if self.style.defaults() && inside != around {
            self.out.push_str(&format!(" xmlns=\"{inside}\""));
        } else if !self.style.defaults() && !namespace.is_empty() && self.open.len() == 2 {
            // The body's child declares what it and its children use.
            for namespace in [namespace, Self::inner(namespace)] {
                self.out.push_str(&format!(" xmlns:{}=\"{namespace}\"", self.style.prefix(namespace)));
            }
        } else if !self.style.defaults() && namespace == C3 && local == "applicationFault" {
            self.out.push_str(&format!(" xmlns:{}=\"{C3}\"", self.style.prefix(C3)));
        }
        self.out.push('>');
        self.open.push((tag, inside));
        self
    }

    /// The namespace of what a payload of this namespace holds.
    fn inner(namespace: &str) -> &'static str {
        match namespace {
            R3 => R1,
            _ => S1,
        }
    }

    pub fn end(&mut self) -> &mut Self {
        if let Some((tag, _)) = self.open.pop() {
            self.out.push_str(&format!("</{tag}>"));
        }
        self
    }

    pub fn leaf(&mut self, namespace: &'static str, local: &str, text: &str) -> &mut Self {
        self.start(namespace, local);
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                other => self.out.push(other),
            }
        }
        self.end()
    }

    pub fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.end();
        }
        self.out.into_bytes()
    }
}

/// A SOAP fault; with an application fault in its detail where there is a code.
pub(crate) fn fault(style: Style, code: Option<u32>, text: &str, call_id: &str) -> Vec<u8> {
    let mut writer = Writer::new(style);
    let soap = style.prefix(SOAP);
    writer.out.push_str(&format!("<{soap}:Fault>"));
    writer.open.push((format!("{soap}:Fault"), ""));
    // faultcode, faultstring and detail have no namespace (SOAP 1.1 §4.4).
    writer.leaf("", "faultcode", &format!("{soap}:Server")).leaf("", "faultstring", text);
    if let Some(code) = code {
        writer.start("", "detail").start(C3, "applicationFault");
        writer.leaf(C3, "ErrorCode", &code.to_string()).leaf(C3, "Description", text).leaf(C3, "CallId", call_id);
    }
    writer.finish()
}

/// A deliverSecureResponse.
pub(crate) fn delivery(style: Style, trans_id: &str, recipient: &str, delivered: bool) -> Vec<u8> {
    let mut writer = Writer::new(style);
    writer.start(S3, "deliverSecureResponse").start(S3, "return").leaf(S1, "TransId", trans_id).start(S1, "Status");
    writer.leaf(S1, "RecipientId", recipient).leaf(S1, "Delivered", if delivered { "true" } else { "false" });
    writer.finish()
}

/// A UUID made of two draws.
pub(crate) fn uuid(high: u64, low: u64) -> String {
    let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
    crate::domain::MessageId(bytes).to_string()
}

/// What the body does after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Ends as HTTP has it.
    Clean,
    /// Breaks off: the connection is closed without the end of the message.
    Broken,
    /// Never ends.
    Silent,
}

/// A body of pieces with waits between them.
pub(crate) struct AnswerBody {
    pieces: VecDeque<(Duration, Bytes)>,
    waiting: Option<Pin<Box<tokio::time::Sleep>>>,
    known_length: Option<u64>,
    ending: Ending,
    after: Vec<Box<dyn FnOnce() + Send>>,
}

impl AnswerBody {
    /// Everything at once, with Content-Length or in chunks.
    pub fn whole(bytes: Vec<u8>, chunked: bool) -> Self {
        let bytes = Bytes::from(bytes);
        if !chunked {
            let known_length = Some(bytes.len() as u64);
            return Self {
                pieces: [(Duration::ZERO, bytes)].into(),
                waiting: None,
                known_length,
                ending: Ending::Clean,
                after: Vec::new(),
            };
        }
        let half = bytes.len() / 2;
        let pieces = [(Duration::ZERO, bytes.slice(..half)), (Duration::ZERO, bytes.slice(half..))].into();
        Self { pieces, waiting: None, known_length: None, ending: Ending::Clean, after: Vec::new() }
    }

    /// Pieces with a wait before each.
    pub fn pieces(pieces: VecDeque<(Duration, Bytes)>, known_length: Option<u64>, ending: Ending) -> Self {
        Self { pieces, waiting: None, known_length, ending, after: Vec::new() }
    }

    /// Calls this, too, when the connection is done with the body.
    pub fn then(mut self, after: impl FnOnce() + Send + 'static) -> Self {
        self.after.push(Box::new(after));
        self
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        for after in self.after.drain(..) {
            after();
        }
    }
}

/// The body breaks off on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the answer is broken off on purpose")]
pub(crate) struct BrokenOff;

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        let Some((wait, _)) = this.pieces.front() else {
            return match this.ending {
                Ending::Clean => Poll::Ready(None),
                Ending::Broken => Poll::Ready(Some(Err(BrokenOff))),
                Ending::Silent => Poll::Pending,
            };
        };
        if !wait.is_zero() {
            let sleep = this.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(*wait)));
            std::task::ready!(sleep.as_mut().poll(cx));
            this.waiting = None;
        }
        Poll::Ready(this.pieces.pop_front().map(|(_, bytes)| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.ending == Ending::Clean
    }

    fn size_hint(&self) -> SizeHint {
        self.known_length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
