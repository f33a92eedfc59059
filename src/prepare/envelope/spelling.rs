//! Every element and frame of the envelope in its two spellings, on the wire and canonical, as constants.

/// An element in its two spellings.
pub(super) struct Element {
    pub(super) name: &'static str,
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    pub(super) canonical_open: &'static str,
    pub(super) canonical_close: &'static str,
}

macro_rules! soap {
    () => {
        "http://schemas.xmlsoap.org/soap/envelope/"
    };
}
macro_rules! s3 {
    () => {
        "http://minameddelanden.gov.se/schema/Service/v3"
    };
}
macro_rules! m1 {
    () => {
        "http://minameddelanden.gov.se/schema/Message"
    };
}
macro_rules! m2 {
    () => {
        "http://minameddelanden.gov.se/schema/Message/v2"
    };
}
macro_rules! m3 {
    () => {
        "http://minameddelanden.gov.se/schema/Message/v3"
    };
}
macro_rules! se {
    () => {
        "http://minameddelanden.gov.se/schema/Sender"
    };
}
macro_rules! ds {
    () => {
        "http://www.w3.org/2000/09/xmldsig#"
    };
}

/// `NAME = prefix "Element", declares namespace;` where the namespace differs from the parent's and so is declared in the
/// canonical form.
macro_rules! elements {
    ($($constant:ident = $prefix:literal $name:literal $(, declares $namespace:ident)?;)*) => {$(
        pub(super) const $constant: Element = Element {
            name: $name,
            open: concat!("<", $prefix, ":", $name, ">"),
            close: concat!("</", $prefix, ":", $name, ">"),
            canonical_open: concat!("<", $name $(, " xmlns=\"", $namespace!(), "\"")?, ">"),
            canonical_close: concat!("</", $name, ">"),
        };
    )*};
}

// A local element has the namespace of the schema file that defines its type, not of its parent.
elements! {
    DELIVERY = "m3" "Delivery";
    HEADER = "m3" "Header";
    SENDER = "m2" "Sender", declares m2;
    SENDER_ID = "se" "Id", declares se;
    SENDER_NAME = "se" "Name", declares se;
    SENDER_ATTENTION = "se" "Attention", declares se;
    RECIPIENT = "m2" "Recipient", declares m2;
    REFERENCE = "m2" "Reference", declares m2;
    CORRELATION_ID = "m2" "CorrelationId", declares m2;
    ATTENTION = "m2" "Attention", declares m2;
    MESSAGE = "m3" "Message";
    ID = "m3" "Id";
    SUBJECT = "m3" "Subject";
    SUPPORTINFO = "m3" "Supportinfo";
    TEXT = "m3" "Text";
    URL = "m3" "URL";
    PHONE_NUMBER = "m3" "PhoneNumber";
    EMAIL_ADRESS = "m3" "EmailAdress";
    METADATA = "m3" "Metadata";
    TAG = "m1" "Tag", declares m1;
    VALUE = "m1" "Value", declares m1;
    LANGUAGE = "m3" "Language";
    REPLY = "m3" "Reply";
    RECEIPT_REQUEST = "m3" "ReceiptRequest";
    BODY = "m3" "Body";
    CONTENT_TYPE = "m1" "ContentType", declares m1;
    CONTENT = "m1" "Body", declares m1;
    ATTACHMENT = "m3" "Attachment";
    CHECKSUM = "m1" "Checksum", declares m1;
    FILENAME = "m1" "Filename", declares m1;
    SEAL = "m3" "Seal";
    RECEIVED_TIME = "m1" "ReceivedTime", declares m1;
    SIGNATURES_OK = "m1" "SignaturesOK", declares m1;
}

/// Everything before the Delivery on the wire: all prefixes are declared here, the form that every receiver takes.
pub(super) const WIRE_OPEN: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns:soap=\"",
    soap!(),
    "\" xmlns:s3=\"",
    s3!(),
    "\" xmlns:m1=\"",
    m1!(),
    "\" xmlns:m2=\"",
    m2!(),
    "\" xmlns:m3=\"",
    m3!(),
    "\" xmlns:se=\"",
    se!(),
    "\" xmlns:ds=\"",
    ds!(),
    "\"><soap:Body><s3:deliverSecure><s3:deliverSecure><m3:SignedDelivery>"
);
pub(super) const WIRE_CLOSE: &str = "</s3:deliverSecure></s3:deliverSecure></soap:Body></soap:Envelope>";

pub(super) const INNER_OPEN: &str = concat!("<SignedDelivery xmlns=\"", m3!(), "\">");
pub(super) const INNER_CLOSE: &str = "</SignedDelivery>";
/// The root is SealedDelivery of Message/v3 here, whatever the wire says.
pub(super) const OUTER_OPEN: &str = concat!("<SealedDelivery xmlns=\"", m3!(), "\"><SignedDelivery>");
pub(super) const OUTER_CLOSE: &str = "</SealedDelivery>";

macro_rules! signed_info_start {
    ($p:literal) => {
        concat!(
            "<",
            $p,
            "CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></",
            $p,
            "CanonicalizationMethod><",
            $p,
            "SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></",
            $p,
            "SignatureMethod><",
            $p,
            "Reference URI=\"\"><",
            $p,
            "Transforms><",
            $p,
            "Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></",
            $p,
            "Transform></",
            $p,
            "Transforms><",
            $p,
            "DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></",
            $p,
            "DigestMethod><",
            $p,
            "DigestValue>"
        )
    };
}

pub(super) const SIGNATURE: &str = concat!("<Signature xmlns=\"", ds!(), "\">");
pub(super) const SIGNATURE_WIRE: &str = "<ds:Signature>";
/// SignedInfo as the root of what is signed.
pub(super) const SIGNED_INFO_APEX: &str = concat!("<SignedInfo xmlns=\"", ds!(), "\">");
pub(super) const SIGNED_INFO: &str = "<SignedInfo>";
pub(super) const SIGNED_INFO_WIRE: &str = "<ds:SignedInfo>";
pub(super) const SIGNED_INFO_START: &str = signed_info_start!("");
pub(super) const SIGNED_INFO_START_WIRE: &str = signed_info_start!("ds:");
pub(super) const SIGNED_INFO_END: &str = "</DigestValue></Reference></SignedInfo>";
pub(super) const SIGNED_INFO_END_WIRE: &str = "</ds:DigestValue></ds:Reference></ds:SignedInfo>";
pub(super) const SIGNATURE_VALUE: &str = "<SignatureValue>";
pub(super) const SIGNATURE_VALUE_WIRE: &str = "<ds:SignatureValue>";
