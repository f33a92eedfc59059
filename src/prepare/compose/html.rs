//! The body of a message: the letter as accessible HTML.
//!
//! Valid HTML 5 that is well-formed XML at the same time: every element closed by name, void elements by a slash. No
//! scripts, images or outside resources; the one link is the sender's own. Operators are known to refuse a body with
//! the letters `script` in a row, so that a name that has them is written with a character reference.

use super::words::{Block, COLUMNS, Row, Words};
use crate::config::is_web_address;
use std::fmt::Write as _;

/// The page, UTF-8.
pub(super) fn page(words: &Words<'_>) -> String {
    let mut out = String::with_capacity(6 * 1024);
    out.push_str(concat!(
        "<!DOCTYPE html>\n<html lang=\"sv\">\n<head>\n<meta charset=\"utf-8\"/>\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
    ));
    text(&mut out, &words.title);
    out.push_str("</title>\n<style>\n");
    out.push_str(STYLE);
    out.push_str("</style>\n</head>\n<body>\n<main>\n<h1>");
    text(&mut out, &words.title);
    out.push_str("</h1>\n");
    let mut heading = 0_u8;
    for block in &words.blocks {
        match block {
            Block::Heading(words) => {
                heading = heading.saturating_add(1);
                out.push_str("<h2 id=\"");
                id(&mut out, heading);
                out.push_str("\">");
                text(&mut out, words);
                out.push_str("</h2>\n");
            }
            Block::Paragraph(words) => {
                out.push_str("<p>");
                text(&mut out, words);
                out.push_str("</p>\n");
            }
            Block::Link(before, url) => link(&mut out, before, url),
            Block::Table(rows) => table(&mut out, heading, rows),
        }
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Readable at any width and with any colours: sizes are relative, and nothing is told by colour.
const STYLE: &str = "body{font-family:sans-serif;line-height:1.5;margin:1em auto;max-width:44em;padding:0 1em}\n\
table{border-collapse:collapse;width:100%}\n\
th,td{border-bottom:1px solid #767676;padding:.3em .5em .3em 0;text-align:left;vertical-align:top;\
overflow-wrap:anywhere}\n\
th:first-child{width:60%}\n\
tbody th{font-weight:normal}\n\
.n{text-align:right;white-space:nowrap}\n";

fn id(out: &mut String, heading: u8) {
    out.push('h');
    // Writing to a string does not fail.
    let _ = write!(out, "{heading}");
}

fn link(out: &mut String, before: &str, url: &str) {
    out.push_str("<p>");
    text(out, before);
    if is_web_address(url) {
        out.push_str("<a href=\"");
        text(out, url);
        out.push_str("\">");
        text(out, url);
        out.push_str("</a>");
    } else {
        text(out, url);
    }
    out.push_str("</p>\n");
}

fn table(out: &mut String, heading: u8, rows: &[Row<'_>]) {
    out.push_str("<table aria-labelledby=\"");
    id(out, heading);
    out.push_str("\">\n<thead>\n<tr>");
    let [_, _, value] = COLUMNS;
    for column in ["Ruta och uppgift", value] {
        out.push_str("<th scope=\"col\">");
        out.push_str(column);
        out.push_str("</th>");
    }
    out.push_str("</tr>\n</thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr><th scope=\"row\">");
        out.push_str(&row.code);
        text(out, row.label);
        out.push_str(if row.number { "</th><td class=\"n\">" } else { "</th><td>" });
        for (place, line) in row.value.split('\n').enumerate() {
            if place > 0 {
                out.push_str("<br/>");
            }
            text(out, line);
        }
        out.push_str("</td></tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

/// Text and attribute values: `& < > "` escaped, and `script` never in a row.
fn text(out: &mut String, words: &str) {
    let mut rest = words;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'c' | b'C')) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (special, after) = from.split_at(1);
        match special {
            "&" => out.push_str("&amp;"),
            "<" => out.push_str("&lt;"),
            ">" => out.push_str("&gt;"),
            "\"" => out.push_str("&quot;"),
            c if is_script(before, after) => out.push_str(if c == "c" { "&#99;" } else { "&#67;" }),
            c => out.push_str(c),
        }
        rest = after;
    }
    out.push_str(rest);
}

/// Whether a `c` stands between `s` and `ript`.
fn is_script(before: &str, after: &str) -> bool {
    let ends = before.as_bytes().last().is_some_and(|byte| byte.eq_ignore_ascii_case(&b's'));
    ends && after.as_bytes().get(..4).is_some_and(|bytes| bytes.eq_ignore_ascii_case(b"ript"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(words: &str) -> String {
        let mut out = String::new();
        text(&mut out, words);
        out
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(written("<a b=\"&\">'"), "&lt;a b=&quot;&amp;&quot;&gt;'");
    }

    #[test]
    fn the_word_that_gateways_refuse_is_never_there() {
        assert_eq!(written("Manuscript AB"), "Manus&#99;ript AB");
        assert_eq!(written("SCRIPTA scc Script cript"), "S&#67;RIPTA scc S&#99;ript cript");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert!(is_web_address("https://statenssc.se/fragor?om=ku&ar=2022"));
        for other in ["javascript:alert(1)", "https://", "http://a b", "ftp://x", "https://å.se", "statenssc.se"] {
            assert!(!is_web_address(other), "{other}");
        }
    }
}
