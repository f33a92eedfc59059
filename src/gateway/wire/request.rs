//! Request bodies that need no signature.

use super::{RECIPIENT_V3, SOAP};
use crate::domain::{Identity, Organisation};

/// The isReachable request (Recipient v3) of one sender for up to 1000 recipients.
///
/// *Source*: protocol sheet §1.5; identities are digits, so that nothing needs escaping.
pub fn is_reachable(sender: &Organisation, recipients: &[Identity]) -> Vec<u8> {
    let mut body = String::with_capacity(300 + recipients.len() * 50);
    body.push_str(r#"<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap=""#);
    body.push_str(SOAP);
    body.push_str(r#"" xmlns:r3=""#);
    body.push_str(RECIPIENT_V3);
    body.push_str(r#""><soap:Body><r3:isReachable><r3:senderOrgNr>"#);
    body.push_str(sender.identity().expose());
    body.push_str("</r3:senderOrgNr>");
    for recipient in recipients {
        body.push_str("<r3:recipientId>");
        body.push_str(recipient.expose());
        body.push_str("</r3:recipientId>");
    }
    body.push_str("</r3:isReachable></soap:Body></soap:Envelope>");
    body.into_bytes()
}
