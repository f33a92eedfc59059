//! What a file is, by its first bytes: XML in which encoding, or what else.
//!
//! Nothing is guessed: an encoding is what the byte order mark and the declaration say, and where they disagree with
//! each other or with the bytes, the file is refused with what it looks like.

use super::xml::Malformed;

/// How many bytes are looked at.
pub const HEAD: usize = 4096;

/// Encodings that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, and ASCII as its part.
    Utf8,
    /// ISO-8859-1.
    Latin1,
    /// windows-1252.
    Windows1252,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

impl Encoding {
    /// As in an XML declaration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Windows1252 => "windows-1252",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
        }
    }
}

/// What the beginning says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The encoding.
    pub encoding: Encoding,
    /// Bytes of the byte order mark.
    pub mark: usize,
}

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not XML; what it looks like.
    #[error("it looks like {0}")]
    NotXml(&'static str),
    /// XML whose encoding is wrong or not read.
    #[error("{0}")]
    Encoding(String),
    /// XML that does not begin as it must.
    #[error("{0}")]
    Malformed(Malformed),
}

/// Looks at the first bytes of a file, at most [`HEAD`] of them.
pub fn sniff(head: &[u8]) -> Result<Beginning, Unreadable> {
    let (mark, encoding) = match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [b'<', 0, 0, 0, ..] | [0, 0, 0, b'<', ..] => {
            return Err(Unreadable::Encoding("UTF-32 is not read; write the export as UTF-8".into()));
        }
        [0xef, 0xbb, 0xbf, ..] => (3, Some(Encoding::Utf8)),
        [0xff, 0xfe, ..] => (2, Some(Encoding::Utf16Le)),
        [0xfe, 0xff, ..] => (2, Some(Encoding::Utf16Be)),
        [b'<', 0, ..] => (0, Some(Encoding::Utf16Le)),
        [0, b'<', ..] => (0, Some(Encoding::Utf16Be)),
        _ => (0, None),
    };
    let body = head.get(mark..).unwrap_or_default();
    let wide = matches!(encoding, Some(Encoding::Utf16Le | Encoding::Utf16Be));
    let narrow: Vec<u8> = match encoding {
        // The declaration is of ASCII; anything else ends it.
        Some(Encoding::Utf16Le) => body.chunks_exact(2).map(|pair| ascii(pair.first(), pair.last())).collect(),
        Some(Encoding::Utf16Be) => body.chunks_exact(2).map(|pair| ascii(pair.last(), pair.first())).collect(),
        _ => body.to_vec(),
    };
    if let Some(what) = other_than_xml(&narrow, wide) {
        return Err(Unreadable::NotXml(what));
    }
    let declared = declaration(&narrow).map_err(Unreadable::Malformed)?;
    let name = declared.as_ref().and_then(|declared| declared.encoding.as_deref());
    let encoding = agreed(encoding, mark > 0, name)?;
    Ok(Beginning { encoding, mark })
}

fn ascii(low: Option<&u8>, high: Option<&u8>) -> u8 {
    match (low, high) {
        (Some(low), Some(0)) if low.is_ascii() => *low,
        _ => 0xff,
    }
}

fn agreed(seen: Option<Encoding>, marked: bool, declared: Option<&str>) -> Result<Encoding, Unreadable> {
    let Some(name) = declared else {
        return match seen {
            Some(Encoding::Utf16Le | Encoding::Utf16Be) if !marked => Err(Unreadable::Encoding(
                "it looks like UTF-16, but has neither a byte order mark nor a declared encoding".into(),
            )),
            seen => Ok(seen.unwrap_or(Encoding::Utf8)),
        };
    };
    let wide = |encoding| matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be);
    let declared = match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => Encoding::Utf8,
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1" => Encoding::Latin1,
        "windows-1252" | "cp1252" | "cp-1252" | "x-cp1252" => Encoding::Windows1252,
        "utf-16" | "utf16" => match seen {
            Some(seen) if wide(seen) => seen,
            _ => Encoding::Utf16Le,
        },
        "utf-16le" => Encoding::Utf16Le,
        "utf-16be" => Encoding::Utf16Be,
        _ => {
            let name: String = name.chars().filter(char::is_ascii_graphic).take(40).collect();
            return Err(Unreadable::Encoding(format!(
                "it declares the encoding `{name}`; UTF-8, ISO-8859-1, windows-1252 and UTF-16 are read"
            )));
        }
    };
    let looks = match seen {
        Some(seen) if wide(seen) => "UTF-16",
        Some(_) => "UTF-8 with a byte order mark",
        None => "an encoding of one byte a character, or UTF-8",
    };
    let agree = match seen {
        Some(seen) => seen == declared,
        None => !wide(declared),
    };
    if agree {
        Ok(declared)
    } else {
        Err(Unreadable::Encoding(format!("it declares {}, but looks like {looks}", declared.name())))
    }
}

/// What a file is that does not begin as XML.
fn other_than_xml(head: &[u8], wide: bool) -> Option<&'static str> {
    let trimmed = head.trim_ascii_start();
    let begins = |text: &str| trimmed.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text.as_bytes()));
    if begins("<!doctype html") || begins("<html") {
        return Some("HTML, perhaps an error page saved in place of the export");
    }
    if trimmed.starts_with(b"<") {
        return None;
    }
    if trimmed.is_empty() && !head.is_empty() {
        return Some("a file of white space");
    }
    let kured = ["#FIL", "#DATA", "#MEDIA", "#PRODUKT", "#POST", "#TECKENPROV", "#KU", "#UP", "#UG", "#INFO"];
    Some(match head {
        [b'P', b'K', 3 | 5 | 7, ..] => "a zip archive; unpack it first",
        [0x1f, 0x8b, ..] => "a gzip file; unpack it first",
        [b'7', b'z', 0xbc, 0xaf, ..] => "a 7z archive; unpack it first",
        [b'B', b'Z', b'h', ..] => "a bzip2 file; unpack it first",
        [0xfd, b'7', b'z', b'X', ..] => "an xz file; unpack it first",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd file; unpack it first",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "an old Office document",
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => "a picture",
        [0x7f, b'E', b'L', b'F', ..] => "a program",
        [0x30, 0x80..=0x84, ..] => "DER, perhaps an encrypted or signed file",
        _ if begins("-----BEGIN") => "PEM, perhaps a key or certificate",
        _ if kured.iter().any(|key| begins(key)) => {
            "a KURED text file, the format of kontrolluppgifter before income year 2015"
        }
        _ if begins("{") || begins("[") => "JSON",
        _ if head.contains(&0) && !wide => "a binary file",
        _ => "plain text, not XML",
    })
}

/// An XML declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The encoding it names.
    pub encoding: Option<String>,
    /// Where it ends.
    pub end: usize,
}

/// Reads the XML declaration that a text may begin with.
pub fn declaration(text: &[u8]) -> Result<Option<Declaration>, Malformed> {
    let Some(rest) = text.strip_prefix(b"<?xml") else { return Ok(None) };
    if !rest.first().is_some_and(|byte| b" \t\r\n".contains(byte)) {
        return Ok(None); // another instruction, as xml-stylesheet
    }
    let wrong = Malformed::new(0, "an XML declaration that XML does not allow");
    let end = memchr::memmem::find(rest, b"?>").ok_or(Malformed::new(0, "an XML declaration without an end"))?;
    let inside = rest.get(..end).and_then(|inside| std::str::from_utf8(inside).ok()).ok_or(wrong.clone())?;
    let mut pairs = Vec::new();
    let mut left = inside;
    while !left.trim_start().is_empty() {
        let trimmed = left.trim_start_matches(super::xml::is_space);
        if trimmed.len() == left.len() {
            return Err(wrong);
        }
        let (name, after) = trimmed.split_once('=').ok_or(wrong.clone())?;
        let after = after.trim_start_matches(super::xml::is_space);
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or(wrong.clone())?;
        let (value, after) = after.get(1..).and_then(|after| after.split_once(quote)).ok_or(wrong.clone())?;
        pairs.push((name.trim_end_matches(super::xml::is_space), value));
        left = after;
    }
    let (version, others) = match pairs.as_slice() {
        [("version", version), others @ ..] => (*version, others),
        _ => return Err(wrong),
    };
    if version != "1.0" {
        return Err(Malformed::refused(0, "another version of XML than 1.0"));
    }
    let standalone = |value: &str| matches!(value, "yes" | "no");
    let named = |value: &str| {
        value.starts_with(|c: char| c.is_ascii_alphabetic())
            && value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let encoding = match others {
        [] => None,
        [("encoding", name)] if named(name) => Some((*name).to_owned()),
        [("standalone", value)] if standalone(value) => None,
        [("encoding", name), ("standalone", value)] if named(name) && standalone(value) => Some((*name).to_owned()),
        _ => return Err(wrong),
    };
    Ok(Some(Declaration { encoding, end: b"<?xml".len() + end + 2 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(head: &[u8]) -> Encoding {
        sniff(head).expect("XML").encoding
    }

    #[test]
    fn encodings_are_what_mark_and_declaration_say() {
        assert_eq!(encoding(b"<a/>"), Encoding::Utf8);
        assert_eq!(encoding(b"\xef\xbb\xbf<?xml version='1.0' encoding=\"utf-8\"?><a/>"), Encoding::Utf8);
        assert_eq!(encoding(b"<?xml version='1.0' encoding='ISO-8859-1' standalone='no'?><a/>"), Encoding::Latin1);
        assert_eq!(encoding(b"<?xml version=\"1.0\" encoding=\"Windows-1252\"?>"), Encoding::Windows1252);
        let wide: Vec<u8> =
            "<?xml version='1.0' encoding='UTF-16'?><å/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(encoding(&wide), Encoding::Utf16Le);
        assert_eq!(encoding(&[&[0xff, 0xfe], wide.as_slice()].concat()), Encoding::Utf16Le);
        let big: Vec<u8> = "\u{feff}<a/>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(encoding(&big), Encoding::Utf16Be);
    }

    #[test]
    fn disagreement_says_what_it_looks_like() {
        let says = |head: &[u8]| sniff(head).expect_err("refused").to_string();
        assert!(says(b"<?xml version='1.0' encoding='UTF-16'?><a/>").contains("one byte a character"));
        assert!(says(b"\xef\xbb\xbf<?xml version='1.0' encoding='ISO-8859-1'?><a/>").contains("looks like UTF-8"));
        assert!(says(b"<?xml version='1.0' encoding='EBCDIC-X'?><a/>").contains("EBCDIC-X"));
        assert!(says(b"<\0\0\0").contains("UTF-32"));
        let bare: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(says(&bare).contains("UTF-16"));
    }

    #[test]
    fn other_files_are_named() {
        let says = |head: &[u8]| sniff(head).expect_err("refused").to_string();
        assert!(says(b"PK\x03\x04abc").contains("zip"));
        assert!(says(b"%PDF-1.7").contains("PDF"));
        assert!(says(b"#DATA_START\r\n#POST_START UGNR").contains("KURED"));
        assert!(says(b"  \n").contains("white space"));
        assert!(says(b"hello").contains("plain text"));
        assert!(says(b"<!DOCTYPE html><html>").contains("HTML"));
    }

    #[test]
    fn declarations_are_held_to_xml() {
        for bad in [
            "<?xml version='1.1'?>",
            "<?xml?x?>",
            "<?xml encoding='UTF-8'?>",
            "<?xml version='1.0'",
            "<?xml version='1.0'encoding='UTF-8'?>",
            "<?xml version='1.0' standalone='no' encoding='UTF-8'?>",
            "<?xml version=1.0?>",
        ] {
            assert!(declaration(bad.as_bytes()).is_err() || bad.starts_with("<?xml?"), "{bad}");
        }
        assert_eq!(declaration(b"<?xml-stylesheet href='x'?>"), Ok(None));
    }
}
