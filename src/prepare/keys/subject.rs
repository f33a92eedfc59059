//! Names of certificates: whose it is, and as X509SubjectName spells it.

use crate::domain::{IdentityKind, Organisation};
use std::fmt::Write as _;
use x509_parser::asn1_rs::ToDer;
use x509_parser::prelude::X509Name;

pub(super) fn organisation(subject: &X509Name<'_>) -> Option<Organisation> {
    /// id-at-serialNumber.
    const SERIAL_NUMBER: &str = "2.5.4.5";
    subject.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == SERIAL_NUMBER).find_map(
        |attribute| {
            let organisation = Organisation::parse(attribute.as_str().ok()?).ok()?;
            (organisation.identity().kind() == IdentityKind::Organisationsnummer).then_some(organisation)
        },
    )
}

/// A name as `openssl x509 -nameopt RFC2253` prints it: relative names and the attributes in them last to first.
pub(super) fn rfc2253(name: &X509Name<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut relative: Vec<_> = name.iter().collect();
    relative.reverse();
    for (place, attributes) in relative.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        let mut attributes: Vec<_> = attributes.iter().collect();
        attributes.reverse();
        for (place, attribute) in attributes.iter().enumerate() {
            if place > 0 {
                out.push('+');
            }
            let value = attribute.attr_value();
            let oid = attribute.attr_type().to_id_string();
            let short = SHORT_NAMES.iter().find(|(number, _)| *number == oid).map(|(_, short)| *short);
            out.push_str(short.unwrap_or(&oid));
            out.push('=');
            match short.and_then(|_| directory_string(value.header.tag().0, value.data)) {
                Some(text) => escape_2253(&text, &mut out),
                None => {
                    out.push('#');
                    let der = value.to_der_vec().map_err(|error| error.to_string())?;
                    der.iter().for_each(|byte| _ = write!(out, "{byte:02X}"));
                }
            }
        }
    }
    Ok(out)
}

/// The text of an ASN.1 string type by its tag; `None` for any other type, and where the bytes do not fit the type.
fn directory_string(tag: u32, bytes: &[u8]) -> Option<String> {
    match tag {
        12 => std::str::from_utf8(bytes).ok().map(str::to_owned), // UTF8String
        // NumericString, PrintableString, T61String (as Latin-1, like openssl), IA5String, VisibleString.
        18 | 19 | 20 | 22 | 26 => Some(bytes.iter().copied().map(char::from).collect()),
        // UniversalString, BMPString.
        28 => bytes.chunks(4).map(|c| char::from_u32(u32::from_be_bytes(c.try_into().ok()?))).collect(),
        30 => {
            let units: Option<Vec<u16>> = bytes.chunks(2).map(|c| c.try_into().ok().map(u16::from_be_bytes)).collect();
            String::from_utf16(&units?).ok()
        }
        _ => None,
    }
}

/// RFC 2253 section 2.4, and `\XX` for controls and bytes outside ASCII.
fn escape_2253(text: &str, out: &mut String) {
    let last = text.len().saturating_sub(1);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'#' if place == 0 => out.push_str("\\#"),
            b' ' if place == 0 || place == last => out.push_str("\\ "),
            0x20..0x7f => out.push(char::from(byte)),
            _ => _ = write!(out, "\\{byte:02X}"),
        }
    }
}

/// Short names of attributes, as openssl has them.
const SHORT_NAMES: [(&str, &str); 36] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.49", "distinguishedName"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
    ("2.5.4.97", "organizationIdentifier"),
    ("2.5.4.98", "c3"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];
