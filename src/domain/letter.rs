//! What a statement becomes on its way: letter, then sealed message.

use std::fmt;

/// The id of a message, the same in every run and not guessable: HMAC of statement key and content, in UUID form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(pub [u8; 16]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A composed letter, before it is addressed, encrypted or signed. Debug shows sizes, never text.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Neutral subject: no name, amount or identity; at most 255 characters.
    pub subject: String,
    /// The message itself.
    pub body: Body,
    /// The same message as a document; `None` where a bare body is wanted.
    pub attachment: Option<Attachment>,
}

/// The body of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// `text/html` or `text/plain`.
    pub content_type: &'static str,
    /// The text itself, UTF-8.
    pub text: String,
}

/// A document that goes with a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// `application/pdf`, or `application/pkcs7-mime` where it is encrypted.
    pub content_type: &'static str,
    /// File name shown to the recipient, free of personal data.
    pub filename: String,
    /// The document.
    pub bytes: Vec<u8>,
    /// What is known of its checksum.
    pub begun: Option<Begun>,
}

/// MD5 of a document's first bytes, which it shares with others: the contract's Checksum goes on from here.
#[derive(Clone)]
pub struct Begun {
    /// After those bytes.
    pub md5: md5::Md5,
    /// How many they are.
    pub length: usize,
}

impl PartialEq for Begun {
    fn eq(&self, other: &Self) -> bool {
        use md5::Digest as _;
        self.length == other.length && self.md5.clone().finalize() == other.md5.clone().finalize()
    }
}

impl Eq for Begun {}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("length", &self.length).finish_non_exhaustive()
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attachment = self.attachment.as_ref().map(|attachment| attachment.bytes.len());
        f.debug_struct("Letter")
            .field("body_bytes", &self.body.text.len())
            .field("attachment_bytes", &attachment)
            .finish_non_exhaustive()
    }
}

/// A sealed message as it goes over the wire: a whole SOAP envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The request body, UTF-8 XML.
    pub bytes: Vec<u8>,
    /// A digest that tells these bytes from all others.
    pub digest: [u8; 32],
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}
