//! What an answer to deliverSecure means.

use crate::domain::{Identity, Reason};
use crate::gateway::wire::{self, Answer, Fault};
use crate::gateway::{CallError, Reply, Worth};
use std::time::Duration;

/// What an attempt came to. Split by what is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// In the mailbox.
    Delivered {
        /// The operator's receipt number.
        trans_id: String,
    },
    /// The operator has taken nothing: the recipient has no mailbox there. FaR is asked again, once.
    NotDelivered,
    /// Surely not accepted, and may be tried again.
    Again {
        /// What happened, in words without personal data.
        cause: String,
        /// The fault code, where there was one.
        code: Option<u32>,
        /// The fault's CallId.
        call_id: Option<String>,
        /// How long the operator asks everyone to wait.
        wait: Option<Duration>,
        /// Whether the request reached the operator: only then it counts against the statement's attempts.
        counts: bool,
    },
    /// Refused for good: this message will never be taken.
    Refused {
        /// Which outcome it has.
        reason: Reason,
        /// The fault code, where there was one.
        code: Option<u32>,
        /// The fault's CallId.
        call_id: Option<String>,
    },
    /// The recipient is protected (fault 6006).
    Protected {
        /// The fault's CallId.
        call_id: Option<String>,
    },
    /// The operator does not accept us, or is not who it should be. Its queue stops; the statement stays pending.
    Stop {
        /// Why, for operations.
        cause: String,
        /// The fault code, where there was one.
        code: Option<u32>,
        /// The fault's CallId.
        call_id: Option<String>,
    },
    /// The request left, and whether it was accepted is unknown.
    InDoubt(Reason),
}

fn of_reply(recipient: &Identity, reply: &Reply) -> Verdict {
    let status = reply.status.as_u16();
    if status != 200 && says_delivered(reply) {
        return Verdict::InDoubt(Reason::UnclearAnswer);
    }
    // What the HTTP status says alone, whatever else the body.
    match status {
        429 | 503 => return Verdict::again(format!("HTTP {status}"), reply.retry_after, true),
        401 | 403 => return Verdict::stop(format!("HTTP {status}: the operator does not accept us")),
        404 | 405 | 410 | 300..=399 => {
            return Verdict::stop(format!("HTTP {status}: this is not the address of a delivery service"));
        }
        _ => {}
    }
    let fault = reply.body.as_ref().ok().and_then(|body| wire::fault(body));
    if let Some(Fault { code: Some(code), call_id }) = fault {
        return of_fault(code, call_id, reply.retry_after);
    }
    match status {
        200 => of_body(recipient, reply),
        413 => Verdict::Refused { reason: Reason::TooLarge, code: None, call_id: None },
        400 | 415 | 422 => Verdict::Refused { reason: Reason::RefusedForGood, code: None, call_id: None },
        _ => Verdict::InDoubt(Reason::UnclearAnswer),
    }
}

/// Whether the body tells of a delivery, to whomever: under a status that says otherwise, that is two things.
fn says_delivered(reply: &Reply) -> bool {
    reply
        .body
        .as_ref()
        .is_ok_and(|body| matches!(wire::delivery(body), Ok(Answer::Response(result)) if result.delivered))
}

fn of_body(recipient: &Identity, reply: &Reply) -> Verdict {
    let Ok(body) = &reply.body else { return Verdict::InDoubt(Reason::UnclearAnswer) };
    if !reply.is_xml() {
        return Verdict::InDoubt(Reason::UnclearAnswer);
    }
    match wire::delivery(body) {
        Ok(Answer::Response(result)) if result.recipient != Some(*recipient) => Verdict::InDoubt(Reason::UnclearAnswer),
        Ok(Answer::Response(result)) if result.delivered => Verdict::Delivered { trans_id: result.trans_id },
        Ok(Answer::Response(_)) => Verdict::NotDelivered,
        // A fault without a code of the contract says nothing sure.
        Ok(Answer::Fault(_)) | Err(_) => Verdict::InDoubt(Reason::UnclearAnswer),
    }
}

/// The meaning of an applicationFault's code.
fn of_fault(code: u32, call_id: Option<String>, wait: Option<Duration>) -> Verdict {
    match code {
        // This message, for good: INVALID_INPUT (both ranges), NULL_VALUE, UNSUPPORTED_MIME_TYPE, company form not
        // supported, NOT_EXIST_IDENTITY.
        1 | 5001 | 5016 | 5019 | 6004 | 6007 => {
            Verdict::Refused { reason: Reason::RefusedForGood, code: Some(code), call_id }
        }
        // MAX_EXCEEDED: this message is too large.
        5005 => Verdict::Refused { reason: Reason::TooLarge, code: Some(code), call_id },
        // PROTECTED_IDENTITY.
        6006 => Verdict::Protected { call_id },
        // CERTIFICATE_ERROR, NOT_AUTHORIZED, ACCESS_DENIED, SIGNATURE_ERROR, UNKNOWN_SENDER, DISPATCHER_NOT_APPROVED:
        // the same for every message, until somebody acts.
        3 | 5 | 5002 | 5012 | 5014 | 6005 => {
            Verdict::Stop { cause: format!("fault {code}: the operator does not accept us"), code: Some(code), call_id }
        }
        // Everything else is transient, unknown codes included; attempts have an end.
        _ => Verdict::Again { cause: format!("fault {code}"), code: Some(code), call_id, wait, counts: true },
    }
}

impl Verdict {
    /// Judges an answer to an attempt for this recipient, and what it is worth.
    ///
    /// *Source*: architecture, path of one statement, step 8; fault codes of the protocol sheet §4.2 and §4.3.
    pub fn judge(recipient: &Identity, reply: &Reply) -> (Self, Worth) {
        let verdict = of_reply(recipient, reply);
        let worth = if matches!(verdict, Self::InDoubt(_)) { Worth::Unclear } else { Worth::Clear };
        (verdict, worth)
    }

    /// What an attempt without an answer came to.
    pub fn without_answer(error: CallError) -> Self {
        match error {
            CallError::NotSent(cause) => Self::again(cause, None, false),
            CallError::Untrusted(_) | CallError::CertificateRefused(_) => Self::stop(error.to_string()),
            CallError::Unclear(reason) => Self::InDoubt(reason),
        }
    }

    pub(super) fn again(cause: String, wait: Option<Duration>, counts: bool) -> Self {
        Self::Again { cause, code: None, call_id: None, wait, counts }
    }

    fn stop(cause: String) -> Self {
        Self::Stop { cause, code: None, call_id: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::StatusCode;
    use hyper::body::Bytes;

    fn recipient() -> Identity {
        Identity::parse("191212121212").expect("an identity")
    }

    fn reply(status: u16, media_type: &str, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).expect("a status"),
            media_type: media_type.into(),
            retry_after: None,
            body: Ok(Bytes::from(body.to_owned())),
        }
    }

    fn answer(recipient: &str, delivered: &str) -> String {
        format!(
            r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><s3:deliverSecureResponse xmlns:s3="http://minameddelanden.gov.se/schema/Service/v3" xmlns:s1="http://minameddelanden.gov.se/schema/Service"><s3:return><s1:TransId>t</s1:TransId><s1:Status><s1:RecipientId>{recipient}</s1:RecipientId><s1:Delivered>{delivered}</s1:Delivered></s1:Status></s3:return></s3:deliverSecureResponse></S:Body></S:Envelope>"#
        )
    }

    fn faulted(code: u32) -> String {
        format!(
            r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Server</faultcode><faultstring>x</faultstring><detail><c3:applicationFault xmlns:c3="http://minameddelanden.gov.se/schema/Common/v3"><c3:ErrorCode>{code}</c3:ErrorCode><c3:Description>x</c3:Description><c3:CallId>0f0e0d0c-0b0a-4908-8706-050403020100</c3:CallId></c3:applicationFault></detail></S:Fault></S:Body></S:Envelope>"#
        )
    }

    fn of(status: u16, media_type: &str, body: &str) -> Verdict {
        let (verdict, worth) = Verdict::judge(&recipient(), &reply(status, media_type, body));
        assert_eq!(worth == Worth::Unclear, matches!(verdict, Verdict::InDoubt(_)), "{verdict:?}");
        verdict
    }

    #[test]
    fn only_a_whole_answer_about_the_recipient_is_a_delivery() {
        let good = answer("191212121212", "true");
        assert_eq!(of(200, "text/xml", &good), Verdict::Delivered { trans_id: "t".into() });
        assert_eq!(of(200, "text/xml", &answer("191212121212", "false")), Verdict::NotDelivered);
        let unclear = Verdict::InDoubt(Reason::UnclearAnswer);
        assert_eq!(of(200, "text/xml", &answer("192705178354", "true")), unclear);
        assert_eq!(of(200, "text/html", &good), unclear);
        assert_eq!(of(200, "text/xml", &good[..good.len() - 20]), unclear);
        assert_eq!(of(200, "text/xml", ""), unclear);
        for status in [202, 204, 301, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504] {
            assert_eq!(of(status, "text/xml", &good), unclear, "{status}");
            assert_eq!(of(status, "text/html", &good), unclear, "{status}");
        }
    }

    #[test]
    fn every_code_of_the_protocol_sheet_has_its_class() {
        for status in [200, 500] {
            for code in [1, 5001, 5016, 5019, 6004, 6007] {
                assert!(
                    matches!(
                        of(status, "text/xml", &faulted(code)),
                        Verdict::Refused { reason: Reason::RefusedForGood, .. }
                    ),
                    "{code}"
                );
            }
            for code in [3, 5, 5002, 5012, 5014, 6005] {
                assert!(matches!(of(status, "text/xml", &faulted(code)), Verdict::Stop { .. }), "{code}");
            }
            for code in [2, 7, 5000, 5004, 5011, 5017, 5018, 777] {
                assert!(
                    matches!(of(status, "text/xml", &faulted(code)), Verdict::Again { counts: true, .. }),
                    "{code}"
                );
            }
            assert!(matches!(
                of(status, "text/xml", &faulted(5005)),
                Verdict::Refused { reason: Reason::TooLarge, .. }
            ));
            assert!(matches!(of(status, "text/xml", &faulted(6006)), Verdict::Protected { .. }));
        }
    }

    #[test]
    fn statuses_that_speak_for_themselves() {
        for status in [429, 503] {
            for body in ["<html>", "", &answer("191212121212", "false"), &faulted(6006)] {
                assert!(matches!(of(status, "text/html", body), Verdict::Again { counts: true, .. }), "{body}");
            }
        }
        for status in [301, 401, 403, 404] {
            assert!(matches!(of(status, "text/html", "<html>"), Verdict::Stop { .. }));
        }
        assert!(matches!(of(413, "", ""), Verdict::Refused { reason: Reason::TooLarge, .. }));
    }

    #[test]
    fn errors_of_the_connection() {
        let of = Verdict::without_answer;
        assert!(matches!(of(CallError::NotSent("x".into())), Verdict::Again { counts: false, .. }));
        assert!(matches!(of(CallError::CertificateRefused("x".into())), Verdict::Stop { .. }));
        assert!(matches!(of(CallError::Untrusted("x".into())), Verdict::Stop { .. }));
        assert_eq!(of(CallError::Unclear(Reason::TimedOut)), Verdict::InDoubt(Reason::TimedOut));
    }
}
