//! What stands before the records: root, Avsandare and Blankettgemensamt.
//!
//! In: the beginning of an export in UTF-8. Out: its version, how it writes names, whom it lists, where the first
//! record begins, and what the schema has against it. It is read by the strict reader whatever it looks like.

use super::findings::{Fault, Faults};
use super::lexical::{Remark, Simple};
use super::parse::Dialect;
use super::split::is_record;
use super::validate::explain;
use super::xml::{Binding, Element, Malformed, Reader, Space, Token, forbidden, is_space};
use crate::domain::{SchemaVersion, Type};

/// The largest head that is read. A thousand uppgiftslämnare need half a megabyte.
const HEAD_LIMIT: usize = 64 << 20;

/// The head of an export.
#[derive(Debug)]
pub struct Head {
    /// Version and names.
    pub dialect: Dialect,
    /// The identities of the Uppgiftslamnare, sorted.
    pub listed: Vec<String>,
    /// What the schema has against it; offsets from the start of the export.
    pub faults: Vec<Fault>,
    /// Where the records begin, or where the root ended without any.
    pub records: Records,
}

/// Where the records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// The first one's `<`.
    From(usize),
    /// There is none; the root ended here.
    None(usize),
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Not well-formed, or refused.
    Malformed(Malformed),
    /// Not a file of kontrolluppgifter, or of a version that is not read.
    Foreign(String),
}

impl From<Malformed> for HeadError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Reads the head of an export that begins, after mark and XML declaration, at `start`.
pub fn read(bytes: &[u8], start: usize) -> Result<Head, HeadError> {
    let all = bytes.len().min(start.saturating_add(HEAD_LIMIT));
    let mut end = all.min(start.saturating_add(64 * 1024));
    loop {
        let last = end == all;
        match attempt(bytes.get(start..end).unwrap_or_default(), start) {
            Err(HeadError::Malformed(_)) if !last => end = all.min(end.saturating_mul(16)),
            Err(HeadError::Malformed(malformed)) if all < bytes.len() && malformed.at + 16 >= all => {
                return Err(
                    Malformed::refused(start, "a head (Avsandare, Blankettgemensamt) larger than 64 MiB").into()
                );
            }
            other => return other,
        }
    }
}

fn attempt(bytes: &[u8], start: usize) -> Result<Head, HeadError> {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
    };
    let read = Walk {
        reader: Reader::new(valid, &[]),
        version: SchemaVersion::V8,
        listed: Vec::new(),
        faults: Faults::default(),
    }
    .head();
    // The reader saw only what is valid; what is not explains whatever it stumbled on.
    let seen = match &read {
        Ok((_, Records::From(at) | Records::None(at))) => *at,
        Err(_) => bytes.len(),
    };
    let broken = forbidden(bytes.get(..seen).unwrap_or_default());
    let (mut head, records) = match (read, broken) {
        (Err(HeadError::Malformed(malformed)), Some(broken))
            if malformed.at < broken.at && !(malformed.what.starts_with("the end ")) =>
        {
            return Err(malformed.shifted(start).into());
        }
        (Err(foreign @ HeadError::Foreign(_)), _) => return Err(foreign),
        (_, Some(broken)) => return Err(broken.shifted(start).into()),
        (Err(HeadError::Malformed(malformed)), None) => return Err(malformed.shifted(start).into()),
        (Ok(read), None) => read,
    };
    let shift = u32::try_from(start).unwrap_or(u32::MAX);
    head.faults.iter_mut().for_each(|fault| fault.at = fault.at.saturating_add(shift));
    head.records = match records {
        Records::From(at) => Records::From(at + start),
        Records::None(at) => Records::None(at + start),
    };
    Ok(head)
}

/// What an element may hold.
enum Content {
    Simple(Simple),
    Sequence(&'static [Part]),
    All(&'static [Part]),
}

/// A child element and how often it stands.
struct Part {
    name: &'static str,
    least: usize,
    most: usize,
    content: Content,
}

const fn text(min: usize, max: usize) -> Content {
    Content::Simple(Simple::Field(Type::Text { min, max }))
}

const fn part(name: &'static str, least: usize, most: usize, content: Content) -> Part {
    Part { name, least, most, content }
}

const MANY: usize = usize::MAX;
const IDENTITY: Content = Content::Simple(Simple::Field(Type::Identitet));

static ROOT: [Part; 2] = [
    part(
        "Avsandare",
        1,
        1,
        Content::Sequence(&[
            part("Programnamn", 1, 1, text(1, 50)),
            part("Organisationsnummer", 1, 1, IDENTITY),
            part(
                "TekniskKontaktperson",
                1,
                1,
                Content::All(&[
                    part("Namn", 1, 1, text(1, 50)),
                    part("Telefon", 1, 1, text(1, 20)),
                    part("Epostadress", 1, 1, Content::Simple(Simple::Email)),
                    part("Utdelningsadress1", 0, 1, text(0, 50)),
                    part("Utdelningsadress2", 0, 1, text(0, 50)),
                    part("Postnummer", 0, 1, text(1, 9)),
                    part("Postort", 0, 1, text(1, 30)),
                ]),
            ),
            part("Skapad", 1, 1, Content::Simple(Simple::DateTime)),
        ]),
    ),
    part(
        "Blankettgemensamt",
        1,
        1,
        Content::Sequence(&[part(
            "Uppgiftslamnare",
            1,
            MANY,
            Content::Sequence(&[
                part("UppgiftslamnarePersOrgnr", 1, 1, IDENTITY),
                part(
                    "Kontaktperson",
                    1,
                    MANY,
                    Content::All(&[
                        part("Namn", 1, 1, text(1, 50)),
                        part("Telefon", 1, 1, text(1, 20)),
                        part("Epostadress", 1, 1, Content::Simple(Simple::Email)),
                        part("Sakomrade", 0, 1, text(1, 50)),
                    ]),
                ),
            ]),
        )]),
    ),
];

struct Walk<'a> {
    reader: Reader<'a>,
    version: SchemaVersion,
    listed: Vec<String>,
    faults: Faults,
}

type Walked<T = ()> = Result<T, HeadError>;

impl<'a> Walk<'a> {
    fn head(mut self) -> Walked<(Head, Records)> {
        let root = self.root()?;
        let bindings: Vec<Binding> = self.reader.scope().cloned().collect();
        let mut seen = [0usize; ROOT.len()];
        let mut told = false;
        let (records, record_name) = loop {
            let before = self.reader.position();
            let next = self.reader.peek();
            match self.reader.next() {
                Ok(Token::Start(child)) if child.local == "Blankett" => {
                    self.agrees(child)?;
                    break (Records::From(child.at), child.name);
                }
                Err(malformed) => match next {
                    // The first record's own fault is no other than any record's.
                    Some((name, at)) if is_record(name.as_bytes()) => break (Records::From(at), name),
                    _ => return Err(malformed.into()),
                },
                Ok(Token::Start(child)) => self.child(&ROOT, true, &mut seen, child, "Skatteverket")?,
                Ok(Token::Text(text)) => self.text_between(&text, before, &mut told),
                Ok(Token::End | Token::Eof) => {
                    self.faults.error("schema.missing-element", None, root.at, "Blankett is missing");
                    break (Records::None(self.reader.position()), "Blankett");
                }
            }
        };
        self.missing(&ROOT, &seen, root.at);
        self.listed.sort_unstable();
        self.listed.dedup();
        let dialect = Dialect::new(self.version, bindings, root.name.to_owned(), record_name);
        let faults = self.faults.drain().collect();
        Ok((Head { dialect, listed: self.listed, faults, records }, records))
    }

    fn root(&mut self) -> Walked<Element<'a>> {
        let root = loop {
            let before = self.reader.position();
            match self.reader.next()? {
                Token::Start(root) => break root,
                Token::Text(text) if text.chars().all(is_space) => {}
                Token::Text(_) => return Err(Malformed::new(before, "text before the root element").into()),
                Token::End | Token::Eof => return Err(Malformed::new(before, "the end before any element").into()),
            }
        };
        match root.space {
            Space::Instans(Some(version)) if root.local == "Skatteverket" => self.version = version,
            Space::Instans(None) if root.local == "Skatteverket" => {
                let prefix = root.name.split_once(':').map_or("", |(prefix, _)| prefix);
                let version = self.reader.uri(prefix).rsplit('/').next().unwrap_or_default();
                let version: String = version.chars().filter(|c| c.is_ascii_graphic()).take(10).collect();
                return Err(HeadError::Foreign(format!(
                    "the root's namespace has schema version `{version}`; 7.0 to 12.0 are read"
                )));
            }
            _ => {
                return Err(HeadError::Foreign(
                    "not a file of kontrolluppgifter: the root is not Skatteverket in the instans namespace of Skatteverket".into(),
                ));
            }
        }
        let mut omrade = false;
        let attributes = self.reader.attributes().to_vec();
        for attribute in attributes {
            if attribute.space == Space::None && attribute.local == "omrade" {
                omrade = true;
            } else if !attribute.is_location() {
                self.faults.error(
                    "schema.attribute",
                    None,
                    attribute.at,
                    "an attribute that Skatteverket does not have",
                );
            }
        }
        if !omrade {
            self.faults.error("schema.attribute", None, root.at, "Skatteverket without the attribute omrade");
        }
        Ok(root)
    }

    /// Refuses an export whose namespaces are of two versions.
    fn agrees(&self, element: Element<'a>) -> Walked {
        match element.space {
            Space::Komponent(version) if version != Some(self.version) => Err(HeadError::Foreign(format!(
                "the namespaces disagree: the root is of schema version {}, its elements are not; instans and komponent must have the same version",
                self.version.as_str()
            ))),
            _ => Ok(()),
        }
    }

    fn child(
        &mut self,
        parts: &'static [Part],
        ordered: bool,
        seen: &mut [usize],
        child: Element<'a>,
        parent: &'static str,
    ) -> Walked {
        self.agrees(child)?;
        let found = parts.iter().position(|part| part.name == child.local);
        let Some((place, part)) = found.and_then(|place| Some((place, parts.get(place)?))) else {
            self.faults.error(
                "schema.unknown-element",
                None,
                child.at,
                format!("an element that {parent} does not have"),
            );
            return self.skip();
        };
        if child.space != Space::Komponent(Some(self.version)) {
            let message = "an element outside the komponent namespace of the export's version";
            self.faults.error("schema.namespace", None, child.at, message);
            return self.skip();
        }
        if ordered && seen.iter().skip(place + 1).any(|count| *count > 0) {
            self.faults.error("schema.order", None, child.at, format!("{} stands too late in {parent}", part.name));
        }
        if let Some(count) = seen.get_mut(place) {
            *count += 1;
            if *count > part.most {
                self.faults.error(
                    "schema.doubled-element",
                    None,
                    child.at,
                    format!("{} given twice in {parent}", part.name),
                );
            }
        }
        for place in 0..self.reader.attributes().len() {
            let Some(attribute) = self.reader.attributes().get(place).filter(|a| !a.is_location()) else { continue };
            let at = attribute.at;
            self.faults.error("schema.attribute", None, at, format!("an attribute that {} does not have", part.name));
        }
        match &part.content {
            Content::Simple(simple) => self.simple(part.name, *simple, child),
            Content::Sequence(parts) => self.children(parts, true, child, part.name),
            Content::All(parts) => self.children(parts, false, child, part.name),
        }
    }

    fn children(&mut self, parts: &'static [Part], ordered: bool, parent: Element<'a>, name: &'static str) -> Walked {
        let mut seen = [0usize; 8]; // no element of the head has more kinds of children
        let mut told = false;
        loop {
            let before = self.reader.position();
            match self.reader.next()? {
                Token::Start(child) => self.child(parts, ordered, &mut seen, child, name)?,
                Token::Text(text) => self.text_between(&text, before, &mut told),
                Token::End | Token::Eof => break,
            }
        }
        self.missing(parts, &seen, parent.at);
        Ok(())
    }

    fn simple(&mut self, name: &'static str, simple: Simple, element: Element<'a>) -> Walked {
        let mut value = String::new();
        loop {
            match self.reader.next()? {
                Token::Text(text) => value.push_str(&text),
                Token::Start(child) => {
                    self.faults.error("schema.unknown-element", None, child.at, "an element inside a value");
                    self.skip()?;
                }
                Token::End | Token::Eof => break,
            }
        }
        match simple.check(&value, self.version) {
            Ok(Remark::OtherDigits) => {
                self.faults.error(
                    "utskick.ascii-digits",
                    None,
                    element.at,
                    format!("{name}: digits that are not 0 to 9"),
                );
            }
            Ok(_) => {}
            Err(wrong) => {
                let kind = if let Simple::Field(kind) = simple { kind } else { Type::Kryss };
                self.faults.error(wrong.rule(), None, element.at, format!("{name}: {}", explain(wrong, kind)));
            }
        }
        if name == "UppgiftslamnarePersOrgnr" {
            self.listed.push(value);
        }
        Ok(())
    }

    fn missing(&mut self, parts: &'static [Part], seen: &[usize], at: usize) {
        for (part, count) in parts.iter().zip(seen) {
            if *count < part.least {
                self.faults.error("schema.missing-element", None, at, format!("{} is missing", part.name));
            }
        }
    }

    fn text_between(&mut self, text: &str, at: usize, told: &mut bool) {
        if !*told && !text.chars().all(is_space) {
            *told = true;
            self.faults.error("schema.text", None, at, "text between elements");
        }
    }

    fn skip(&mut self) -> Walked {
        let mut depth = 1usize;
        while depth > 0 {
            match self.reader.next()? {
                Token::Start(_) => depth += 1,
                Token::End => depth -= 1,
                Token::Text(_) => {}
                Token::Eof => return Ok(()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANS: &str = "http://xmls.skatteverket.se/se/skatteverket/ai/instans/infoForBeskattning/";
    const KOMPONENT: &str = "http://xmls.skatteverket.se/se/skatteverket/ai/komponent/infoForBeskattning/";

    fn export(root: &str, komponent: &str, email: &str) -> String {
        format!(
            "<Skatteverket xmlns='{INSTANS}{root}' xmlns:ku='{KOMPONENT}{komponent}' omrade='Kontrolluppgifter'>\
             <ku:Avsandare><ku:Programnamn>P</ku:Programnamn><ku:Organisationsnummer>165021680250</ku:Organisationsnummer>\
             <ku:TekniskKontaktperson><ku:Telefon>1</ku:Telefon><ku:Namn>N</ku:Namn><ku:Epostadress>{email}</ku:Epostadress></ku:TekniskKontaktperson>\
             <ku:Skapad>2023-01-01T00:00:00</ku:Skapad></ku:Avsandare>\
             <ku:Blankettgemensamt><ku:Uppgiftslamnare><ku:UppgiftslamnarePersOrgnr>165021680250</ku:UppgiftslamnarePersOrgnr>\
             <ku:Kontaktperson><ku:Namn>N</ku:Namn><ku:Telefon>1</ku:Telefon><ku:Epostadress>a@b.se</ku:Epostadress></ku:Kontaktperson>\
             </ku:Uppgiftslamnare></ku:Blankettgemensamt><ku:Blankett nummer='2300'>"
        )
    }

    #[test]
    fn a_good_head_is_read_up_to_the_first_record() {
        let text = export("8.0", "8.0", "a@b.se");
        let head = read(text.as_bytes(), 0).expect("a head");
        assert_eq!(head.faults, []);
        assert_eq!(head.listed, ["165021680250"]);
        assert_eq!(head.records, Records::From(text.find("<ku:Blankett ").expect("there")));
    }

    #[test]
    fn versions_must_be_known_and_agree() {
        assert!(
            matches!(read(export("13.0", "13.0", "a@b.se").as_bytes(), 0), Err(HeadError::Foreign(what)) if what.contains("13.0"))
        );
        assert!(
            matches!(read(export("8.0", "9.0", "a@b.se").as_bytes(), 0), Err(HeadError::Foreign(what)) if what.contains("disagree"))
        );
        assert_eq!(
            read(export("12.0", "12.0", "a@b.se").as_bytes(), 0).expect("a head").dialect.version,
            SchemaVersion::V12
        );
    }

    #[test]
    fn faults_of_the_head_are_told() {
        let rules = |text: String| -> Vec<_> {
            read(text.as_bytes(), 0).expect("a head").faults.iter().map(|fault| fault.rule).collect()
        };
        assert_eq!(rules(export("8.0", "8.0", "nobody")), ["schema.email"]);
        assert_eq!(
            rules(export("8.0", "8.0", "a@b.se").replace(" omrade='Kontrolluppgifter'", "")),
            ["schema.attribute"]
        );
        assert_eq!(
            rules(export("8.0", "8.0", "a@b.se").replace("<ku:Programnamn>P</ku:Programnamn>", "")),
            ["schema.missing-element"]
        );
        assert_eq!(
            rules(export("8.0", "8.0", "a@b.se").replace(">165021680250</ku:Org", ">16502168025٠</ku:Org")),
            ["utskick.ascii-digits"]
        );
    }

    #[test]
    fn truncation_and_doctype_have_an_offset() {
        let text = export("8.0", "8.0", "å@b.se");
        for end in 0..text.len() - "<ku:Blankett nummer='2300'>".len() {
            assert!(
                matches!(read(text.as_bytes().get(..end).expect("shorter"), 0), Err(HeadError::Malformed(_))),
                "{end}"
            );
        }
        let doctype = format!("<!DOCTYPE x [<!ENTITY a 'b'>]>{text}");
        assert!(matches!(read(doctype.as_bytes(), 0), Err(HeadError::Malformed(m)) if m.refused && m.at == 0));
    }
}
