//! What goes over the wire, as pure functions: bytes in, values out, and the other way round.
//!
//! In: identities to ask about, bodies of answers. Out: request bodies, typed answers. No I/O and no clock. Answers are
//! read with their namespaces and whatever prefixes, unused declarations, empty headers and order of elements they have;
//! nothing here trusts them to be about the right recipient.

mod answer;
mod encoding;
mod ordinary;
mod request;

pub use answer::{
    Answer, DeliveryResult, Fault, MailboxType, Reachability, ServiceSupplier, WireError, delivery, fault, reachability,
};
pub use encoding::in_utf8;
pub use request::is_reachable;

/// Namespace of SOAP 1.1 envelopes.
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of Recipient v3.
pub const RECIPIENT_V3: &str = "http://minameddelanden.gov.se/schema/Recipient/v3";
/// Namespace of the types of Recipient.
pub const RECIPIENT: &str = "http://minameddelanden.gov.se/schema/Recipient";
/// Namespace of Service v3.
pub const SERVICE_V3: &str = "http://minameddelanden.gov.se/schema/Service/v3";
/// Namespace of the types of Service.
pub const SERVICE: &str = "http://minameddelanden.gov.se/schema/Service";
/// Namespace of applicationFault.
pub const COMMON_V3: &str = "http://minameddelanden.gov.se/schema/Common/v3";
