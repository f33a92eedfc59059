//! Answers in other encodings than UTF-8: XML and HTTP allow them, and faults have Swedish words.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use hyper::body::Bytes;

/// How far into a body its declaration is looked for.
const HEAD: usize = 200;

/// A body in UTF-8. What it is in is said by its byte order mark, by its media type's charset, or by its XML declaration,
/// the first of them that fits the bytes; what fits none of them is given as it is.
///
/// *Source*: RFC 7303 §3; XML 1.0 appendix F.
pub fn in_utf8(body: Bytes, content_type: &str) -> Bytes {
    let (said, mark) = match (Encoding::for_bom(&body), body.as_ref()) {
        (Some((encoding, mark)), _) => ([Some(encoding), None], mark),
        (None, [b'<', 0, ..]) => ([Some(UTF_16LE), None], 0),
        (None, [0, b'<', ..]) => ([Some(UTF_16BE), None], 0),
        // Who says UTF-16 of a text whose characters are bytes has had it in such strings once.
        _ => ([charset(content_type), declared(&body)].map(|said| said.map(of_bytes)), 0),
    };
    let mut said = said.into_iter().flatten().peekable();
    if said.peek().is_none_or(|first| *first == UTF_8) && simdutf8::basic::from_utf8(&body).is_ok() {
        return body;
    }
    let text = body.get(mark..).unwrap_or_default();
    let decoded = said.find_map(|encoding| encoding.decode_without_bom_handling_and_without_replacement(text));
    decoded.map_or(body.clone(), |text| Bytes::from(text.into_owned()))
}

fn of_bytes(said: &'static Encoding) -> &'static Encoding {
    if [UTF_16LE, UTF_16BE].contains(&said) { UTF_8 } else { said }
}

fn charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| Encoding::for_label(value.as_bytes()))?
    })
}

/// By the declaration, which is in ASCII here.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let head = body.get(..HEAD).unwrap_or(body).strip_prefix(b"<?xml")?;
    let declaration = head.get(..memchr::memmem::find(head, b"?>")?)?;
    let at = memchr::memmem::find(declaration, b"encoding")?;
    let value = declaration.get(at..)?.split(|byte| matches!(byte, b'"' | b'\'')).nth(1)?;
    Encoding::for_label(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<a>åäö</a>";

    fn wide(text: &str, bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[track_caller]
    fn is(body: impl Into<Vec<u8>>, content_type: &str, text: &str) {
        assert_eq!(in_utf8(Bytes::from(body.into()), content_type), text.as_bytes());
    }

    #[test]
    fn what_it_is_in_is_said_in_three_places() {
        let narrow = b"<a>\xe5\xe4\xf6</a>";
        is(TEXT, "text/xml", TEXT);
        is(TEXT, "text/xml; charset=utf-8", TEXT);
        for content_type in ["text/xml;charset=ISO-8859-1", "text/xml; action=\"\"; Charset = \"latin1\""] {
            is(narrow, content_type, TEXT);
        }
        for declaration in
            ["<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>", "<?xml version='1.0' encoding = 'windows-1252' ?>"]
        {
            // A server says UTF-8 of everything: the bytes decide.
            for content_type in ["text/xml", "text/xml; charset=utf-8"] {
                is([declaration.as_bytes(), narrow].concat(), content_type, &format!("{declaration}{TEXT}"));
            }
        }
        let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{TEXT}");
        for body in [declared.clone(), format!("{declared} ")] {
            is(body.clone(), "text/xml", &body);
            is(body.clone(), "text/xml; charset=utf-16", &body);
        }
        for mark in ["", "\u{feff}"] {
            is(wide(&format!("{mark}{declared}"), u16::to_le_bytes), "text/xml; charset=utf-16", &declared);
            is(wide(&format!("{mark}{declared}"), u16::to_be_bytes), "text/xml", &declared);
        }
    }

    #[test]
    fn what_fits_nothing_stays_as_it_is() {
        for (body, content_type) in [
            (&b"<a>\xff</a>"[..], "text/xml; charset=utf-8"),
            (b"<a>\xff</a>", "text/xml"),
            (b"", "text/xml; charset=klingon"),
            (b"\xfe\xff\0", "text/xml"),
            (b"<?xml encoding", ""),
        ] {
            assert_eq!(in_utf8(Bytes::from_static(body), content_type), body);
        }
    }
}
