//! Writes drafts as XML, in the layout of the official examples: prefix `ku:`, an element a line.

use super::draft::{Draft, Entry, Oddity};
use super::people::Employer;
use crate::domain::{FIELDS, Form, SchemaVersion};
use std::fmt::Write as _;

/// Character encoding of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
pub enum Encoding {
    /// UTF-8 without byte order mark.
    #[value(name = "utf-8")]
    #[serde(rename = "UTF-8")]
    Utf8,
    /// ISO-8859-1; other characters as character references.
    #[value(name = "iso-8859-1")]
    #[serde(rename = "ISO-8859-1")]
    Latin1,
    /// windows-1252; other characters as character references.
    #[value(name = "windows-1252")]
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// UTF-16, little-endian, with byte order mark.
    #[value(name = "utf-16")]
    #[serde(rename = "UTF-16")]
    Utf16,
}

impl Encoding {
    fn declared(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Windows1252 => "windows-1252",
            Self::Utf16 => "UTF-16",
        }
    }
}

/// Writes an export piece by piece.
pub(super) struct Writer {
    encoding: Encoding,
    /// Opening and closing tag of every field, by fältkod.
    tags: Vec<(String, String)>,
    text: String,
    encoded: Vec<u8>,
}

impl Writer {
    pub(super) fn new(encoding: Encoding) -> Self {
        let last = FIELDS.iter().map(|field| usize::from(field.faltkod)).max().unwrap_or_default();
        let mut tags = vec![(String::new(), String::new()); last + 1];
        for field in &FIELDS {
            if let Some(tag) = tags.get_mut(usize::from(field.faltkod)) {
                *tag = (
                    format!("<ku:{} faltkod=\"{:03}\">", field.element, field.faltkod),
                    format!("</ku:{}>\n", field.element),
                );
            }
        }
        Self { encoding, tags, text: String::with_capacity(8192), encoded: Vec::with_capacity(16384) }
    }

    /// Everything before the first record.
    pub(super) fn head(&mut self, version: SchemaVersion, employers: &[Employer]) -> &[u8] {
        let namespace = |role| {
            format!("http://xmls.skatteverket.se/se/skatteverket/ai/{role}/infoForBeskattning/{}", version.as_str())
        };
        let sender = employers.first().map(|employer| employer.id.identity().expose().to_owned()).unwrap_or_default();
        self.text.clear();
        if self.encoding == Encoding::Utf16 {
            self.text.push('\u{feff}');
        }
        let text = &mut self.text;
        // Writing to a String does not fail.
        let _ = write!(
            text,
            r#"<?xml version="1.0" encoding="{}" standalone="no"?>
<Skatteverket xmlns="{}" xmlns:gm="{}" xmlns:ku="{}" omrade="Kontrolluppgifter">
  <ku:Avsandare>
    <ku:Programnamn>utskick generate</ku:Programnamn>
    <ku:Organisationsnummer>{sender}</ku:Organisationsnummer>
    <ku:TekniskKontaktperson>
      <ku:Namn>Åsa Öberg</ku:Namn>
      <ku:Telefon>08-465 004 00</ku:Telefon>
      <ku:Epostadress>lon@example.se</ku:Epostadress>
    </ku:TekniskKontaktperson>
    <ku:Skapad>{}-01-10T13:52:48</ku:Skapad>
  </ku:Avsandare>
  <ku:Blankettgemensamt>
"#,
            self.encoding.declared(),
            namespace("instans"),
            namespace("gemensamt"),
            namespace("komponent"),
            version.income_year() + 1,
        );
        for employer in employers {
            let _ = write!(
                text,
                "    <ku:Uppgiftslamnare>
      <ku:UppgiftslamnarePersOrgnr>{}</ku:UppgiftslamnarePersOrgnr>
      <ku:Kontaktperson>
        <ku:Namn>Siv Karlsson</ku:Namn>
        <ku:Telefon>08-465 004 01</ku:Telefon>
        <ku:Epostadress>siv.karlsson@example.se</ku:Epostadress>
        <ku:Sakomrade>Lön</ku:Sakomrade>
      </ku:Kontaktperson>
    </ku:Uppgiftslamnare>
",
                employer.id.identity().expose(),
            );
        }
        text.push_str("  </ku:Blankettgemensamt>\n");
        self.encode()
    }

    /// One record.
    pub(super) fn record(&mut self, draft: &Draft) -> &[u8] {
        self.text.clear();
        let form = draft.form.element();
        let _ = write!(
            self.text,
            "  <ku:Blankett nummer=\"{}\">
    <ku:Arendeinformation>
      <ku:Arendeagare>{}</ku:Arendeagare>
      <ku:Period>{}</ku:Period>
    </ku:Arendeinformation>
    <ku:Blankettinnehall>
      <ku:{form}>
",
            draft.nummer, draft.arendeagare, draft.period,
        );
        self.fields(&draft.body, "        ");
        self.oddity(draft);
        self.part("Inkomsttagare", draft.form, &draft.recipient);
        self.part("Uppgiftslamnare", draft.form, &draft.sender);
        let _ = write!(self.text, "      </ku:{form}>\n    </ku:Blankettinnehall>\n  </ku:Blankett>\n");
        self.encode()
    }

    /// Everything after the last record.
    pub(super) fn foot(&mut self) -> &[u8] {
        self.text.clear();
        self.text.push_str("</Skatteverket>\n");
        self.encode()
    }

    fn part(&mut self, role: &str, form: Form, entries: &[Entry]) {
        let form = form.element();
        for piece in ["        <ku:", role, form, ">\n"] {
            self.text.push_str(piece);
        }
        self.fields(entries, "          ");
        for piece in ["        </ku:", role, form, ">\n"] {
            self.text.push_str(piece);
        }
    }

    fn fields(&mut self, entries: &[Entry], indent: &str) {
        for (faltkod, value) in entries {
            let Some((open, close)) = self.tags.get(usize::from(*faltkod)) else { continue };
            self.text.push_str(indent);
            self.text.push_str(open);
            escape(&mut self.text, value);
            self.text.push_str(close);
        }
    }

    fn oddity(&mut self, draft: &Draft) {
        let first = draft.body.first().and_then(|(faltkod, _)| self.tags.get(usize::from(*faltkod)));
        let attribute = first.and_then(|(open, _)| open.get(open.find(' ')?..open.len() - 1));
        match draft.oddity {
            Some(Oddity::NoFaltkod) => self.text = self.text.replacen(attribute.unwrap_or_default(), "", 1),
            Some(Oddity::WrongFaltkod) => {
                self.text = self.text.replacen(attribute.unwrap_or_default(), " faltkod=\"999\"", 1);
            }
            Some(Oddity::Rattelse) => self.text.push_str("        <ku:Rattelse faltkod=\"210\">1</ku:Rattelse>\n"),
            None => {}
        }
    }

    fn encode(&mut self) -> &[u8] {
        self.encoded.clear();
        match self.encoding {
            Encoding::Utf8 => return self.text.as_bytes(),
            Encoding::Utf16 => self.encoded.extend(self.text.encode_utf16().flat_map(u16::to_le_bytes)),
            Encoding::Windows1252 => {
                // Characters it does not have become decimal character references.
                self.encoded.extend_from_slice(&encoding_rs::WINDOWS_1252.encode(&self.text).0);
            }
            Encoding::Latin1 => {
                for character in self.text.chars() {
                    match u8::try_from(u32::from(character)) {
                        Ok(byte) => self.encoded.push(byte),
                        Err(_) => self.encoded.extend(format!("&#{};", u32::from(character)).bytes()),
                    }
                }
            }
        }
        &self.encoded
    }
}

fn escape(out: &mut String, value: &str) {
    for piece in value.split_inclusive(['&', '<', '>']) {
        let entity = match piece.as_bytes().last() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            _ => {
                out.push_str(piece);
                continue;
            }
        };
        out.push_str(piece.get(..piece.len() - 1).unwrap_or_default());
        out.push_str(entity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(encoding: Encoding, text: &str) -> Vec<u8> {
        let mut writer = Writer::new(encoding);
        escape(&mut writer.text, text);
        writer.encode().to_vec()
    }

    fn resolved(text: &str) -> String {
        quick_xml::escape::unescape(text).expect("references that resolve").into_owned()
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_in_every_encoding(text in "[\u{20}-\u{7e}\u{a0}-\u{17f}А-я🦊]*") {
            prop_assert_eq!(resolved(std::str::from_utf8(&written(Encoding::Utf8, &text)).unwrap()), text.clone());
            let latin: String = written(Encoding::Latin1, &text).into_iter().map(char::from).collect();
            prop_assert_eq!(resolved(&latin), text.clone());
            let windows = written(Encoding::Windows1252, &text);
            prop_assert_eq!(resolved(&encoding_rs::WINDOWS_1252.decode_without_bom_handling(&windows).0), text.clone());
            let wide = written(Encoding::Utf16, &text);
            prop_assert_eq!(resolved(&encoding_rs::UTF_16LE.decode_without_bom_handling(&wide).0), text);
        }
    }
}
