//! Whatever is given as an export, the program says what is wrong with it, where, and ends as it promises.

use crate::{run, shape};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const INSTANS: &str = "http://xmls.skatteverket.se/se/skatteverket/ai/instans/infoForBeskattning/8.0";
const KOMPONENT: &str = "http://xmls.skatteverket.se/se/skatteverket/ai/komponent/infoForBeskattning/8.0";

fn head() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Skatteverket xmlns=\"{INSTANS}\" xmlns:ku=\"{KOMPONENT}\" omrade=\"Kontrolluppgifter\">\n\
         <ku:Avsandare><ku:Programnamn>P</ku:Programnamn><ku:Organisationsnummer>163021231224</ku:Organisationsnummer>\
         <ku:TekniskKontaktperson><ku:Namn>N</ku:Namn><ku:Telefon>1</ku:Telefon><ku:Epostadress>a@b.se</ku:Epostadress></ku:TekniskKontaktperson>\
         <ku:Skapad>2023-01-01T00:00:00</ku:Skapad></ku:Avsandare>\n\
         <ku:Blankettgemensamt><ku:Uppgiftslamnare><ku:UppgiftslamnarePersOrgnr>163021231224</ku:UppgiftslamnarePersOrgnr>\
         <ku:Kontaktperson><ku:Namn>N</ku:Namn><ku:Telefon>1</ku:Telefon><ku:Epostadress>a@b.se</ku:Epostadress></ku:Kontaktperson>\
         </ku:Uppgiftslamnare></ku:Blankettgemensamt>\n"
    )
}

fn record(number: u64, name: &str) -> String {
    format!(
        "<ku:Blankett nummer=\"2300\"><ku:Arendeinformation><ku:Arendeagare>163021231224</ku:Arendeagare><ku:Period>2022</ku:Period></ku:Arendeinformation>\
         <ku:Blankettinnehall><ku:KU10><ku:ErsEjSocAvg faltkod=\"031\">335000</ku:ErsEjSocAvg><ku:Inkomstar faltkod=\"203\">2022</ku:Inkomstar>\
         <ku:Specifikationsnummer faltkod=\"570\">{number}</ku:Specifikationsnummer><ku:InkomsttagareKU10><ku:Inkomsttagare faltkod=\"215\">195111232079</ku:Inkomsttagare>\
         <ku:Fornamn faltkod=\"216\">{name}</ku:Fornamn></ku:InkomsttagareKU10><ku:UppgiftslamnareKU10><ku:UppgiftslamnarId faltkod=\"201\">163021231224</ku:UppgiftslamnarId></ku:UppgiftslamnareKU10>\
         </ku:KU10></ku:Blankettinnehall></ku:Blankett>\n"
    )
}

fn export(records: &[String]) -> String {
    format!("{}{}</Skatteverket>\n", head(), records.concat())
}

/// A folder for one test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Runs `check --json`; gives the exit code, the result, and what was said.
fn check(file: &Path) -> (i32, serde_json::Value, String) {
    let output = run::utskick(["check", "--json", file.to_str().unwrap()]).output().unwrap();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    shape::holds("check.json", &result);
    (output.status.code().expect("not killed"), result, String::from_utf8(output.stderr).unwrap())
}

/// The exit code is 65, the words are there, and the offset is that of `at` in the file.
#[track_caller]
fn unreadable_at(bytes: impl AsRef<[u8]>, at: usize, words: &str) {
    let place = Place::new();
    let (exit, _, said) = check(&place.file("export.xml", bytes));
    assert_eq!(exit, 65, "{said}");
    assert!(said.contains(words), "{said}");
    assert!(said.contains(&format!("at byte {at}:")), "expected byte {at}: {said}");
}

fn find(text: &str, what: &str) -> usize {
    text.find(what).unwrap()
}

#[test]
fn document_types_and_entities_are_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let text = export(&[record(1, "A")]).replacen("\n<Skatteverket", &format!("\n{bomb}<Skatteverket"), 1);
    unreadable_at(&text, find(&text, "<!DOCTYPE"), "DOCTYPE");
    let outside = text.replace(bomb, "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">");
    unreadable_at(&outside, find(&outside, "<!DOCTYPE"), "DOCTYPE");
    let between = export(&[record(1, "A"), "<!DOCTYPE x>".into(), record(2, "B")]);
    unreadable_at(&between, find(&between, "<!DOCTYPE"), "DOCTYPE");
    let entity = export(&[record(1, "&b;")]);
    unreadable_at(&entity, find(&entity, "&b;"), "reference");
}

#[test]
fn characters_that_xml_forbids_have_a_place() {
    for (bad, words) in [
        (&b"\0"[..], "NUL"),
        (b"\x08", "control character"),
        (b"\xe5", "look like ISO-8859-1 or windows-1252"),
        (b"\x86", "look like CP850"),
        (b"\xc0\xaf", "overlong"),
        (b"\xe0\x80\xaf", "overlong"),
        (b"\xed\xa0\x80", "surrogate"),
        (b"\xef\xbf\xbf", "forbids"),
        (b"&#0;", "reference"),
        (b"&#xD800;", "reference"),
        (b"&#x110000;", "reference"),
        (b"]]>", "`]]>`"),
    ] {
        let text = export(&[record(1, "A"), record(2, "#HERE#"), record(3, "C")]);
        let at = find(&text, "#HERE#");
        let mut bytes = text.into_bytes();
        bytes.splice(at..at + 6, bad.iter().copied());
        unreadable_at(&bytes, at, words);
        // The neighbours are judged all the same.
        let place = Place::new();
        let (_, result, _) = check(&place.file("export.xml", &bytes));
        assert_eq!((&result["records"], &result["valid"], &result["rejected"]), (&3.into(), &2.into(), &1.into()));
        // In the head nothing can be saved.
        let text = export(&[record(1, "A")]).replace("<ku:Programnamn>P", "<ku:Programnamn>#HERE#");
        let at = find(&text, "#HERE#");
        let mut bytes = text.into_bytes();
        bytes.splice(at..at + 6, bad.iter().copied());
        unreadable_at(&bytes, at, words);
    }
}

#[test]
fn floods_are_refused_in_little_memory() {
    let attributes: String = (0..1_000_000).map(|n| format!(" a{n}=''")).collect();
    let namespaces: String = (0..100_000).map(|n| format!(" xmlns:n{n}='u'")).collect();
    let deep = format!("{}{}", "<a>".repeat(1_000_000), "</a>".repeat(1_000_000));
    let huge = "x".repeat(30_000_000);
    let inside = [
        record(2, &deep),
        record(2, &huge),
        record(2, &format!("<![CDATA[{huge}]]>")),
        record(2, &format!("<!--{huge}-->")),
        record(2, "B").replace("nummer=\"2300\"", &format!("nummer=\"{huge}\"")),
        record(2, "B").replace("nummer=\"2300\"", &format!("nummer=\"2300\"{attributes}")),
        record(2, "B").replace("nummer=\"2300\"", &format!("nummer=\"2300\"{namespaces}")),
        // Under the limit of a record, over those of one element.
        record(2, "B").replace("nummer=\"2300\"", &format!("nummer=\"2300\"{}", &attributes[..30_008])),
        record(2, "B").replace("nummer=\"2300\"", &format!("nummer=\"2300\"{}", &namespaces[..30_006])),
        record(2, &"<a>".repeat(5000)),
    ];
    for flood in inside {
        let place = Place::new();
        let file = place.file("export.xml", export(&[record(1, "A"), flood, record(3, "C")]));
        let output = bounded(&["check", "--json", file.to_str().unwrap()]);
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&result["records"], &result["valid"]), (&3.into(), &2.into()), "{result:#}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.contains("at byte"), "{said}");
    }
    for flood in [attributes, namespaces] {
        let place = Place::new();
        let file = place.file("export.xml", export(&[]).replace(" omrade=", &format!("{flood} omrade=")));
        let output = bounded(&["check", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(65));
        assert!(String::from_utf8(output.stderr).unwrap().contains("refused at byte"));
    }
}

/// Runs the binary with 256 MB of data at most.
fn bounded(arguments: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -d 262144 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_utskick")]).args(arguments);
    shell.output().unwrap()
}

#[test]
fn what_is_no_export_is_named() {
    let place = Place::new();
    let says = |path: &Path, words: &str| {
        let (exit, _, said) = check(path);
        assert_eq!(exit, 65, "{said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    says(&place.file("empty", ""), "is empty");
    says(place.0.path(), "is a folder");
    says(&place.0.path().join("nowhere"), "cannot read");
    says(Path::new("/dev/null"), "is a device");
    let pipe = place.0.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    says(&pipe, "pipe");
    says(&place.file("zip", b"PK\x03\x04\x14\0\0\0"), "zip archive");
    says(&place.file("pdf", "%PDF-1.7\n"), "PDF");
    says(&place.file("kured", "#DATA_START\r\n#POST_START UGNR\r\n"), "KURED");
    says(&place.file("text", "namn;lön\n"), "plain text");
    says(&place.file("html", "<!DOCTYPE html><html></html>"), "HTML");
    says(&place.file("other", "<paxml/>"), "not a file of kontrolluppgifter");
    says(&place.file("latin", "<?xml version='1.0' encoding='EBCDIC-SE'?><a/>"), "EBCDIC-SE");
    let good = export(&[record(1, "Åsa")]);
    says(&place.file("v13", good.replace("/8.0", "/13.0")), "schema version `13.0`");
    says(
        &place.file("mixed", good.replacen("komponent/infoForBeskattning/8.0", "komponent/infoForBeskattning/9.0", 1)),
        "disagree",
    );
    says(&place.file("declared", good.replace("encoding=\"UTF-8\"", "encoding=\"ISO-8859-1\"")), "its bytes are UTF-8");
    says(&place.file("wide", good.replace("encoding=\"UTF-8\"", "encoding=\"UTF-16\"")), "one byte a character");
    says(&place.file("xml11", good.replace("version=\"1.0\"", "version=\"1.1\"")), "another version of XML");
    says(&place.file("two", format!("{good}{}", &good[good.find("<Skatteverket").unwrap()..])), "second root element");
    says(&place.file("garbage", format!("{good}garbage")), "after the end of the root");
    // A mark in the middle is a character like another: text where no text may stand.
    let (exit, result, _) = check(&place.file("bom", good.replacen("<ku:Blankett ", "\u{feff}<ku:Blankett ", 1)));
    assert_eq!((exit, &result["by_rule"][0]["rule"], &result["valid"]), (1, &"schema.text".into(), &1.into()));
}

#[test]
fn encodings_that_are_declared_right_are_read_and_places_are_those_of_the_file() {
    let place = Place::new();
    let text = export(&[record(1, "Åsa"), record(2, "Ö").replace(">335000<", ">x<")]);
    let latin = |text: &str| -> Vec<u8> { text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect() };
    let wide =
        |text: &str| -> Vec<u8> { format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let declared = |name: &str| text.replace("encoding=\"UTF-8\"", &format!("encoding=\"{name}\""));
    let element = "<ku:ErsEjSocAvg faltkod=\"031\">x";
    let cases: [(&str, Vec<u8>, usize); 4] = [
        ("utf8", text.clone().into_bytes(), find(&text, element)),
        ("mark", [b"\xef\xbb\xbf", text.as_bytes()].concat(), find(&text, element) + 3),
        (
            "latin1",
            latin(&declared("ISO-8859-1")),
            declared("ISO-8859-1")[..find(&declared("ISO-8859-1"), element)].chars().count(),
        ),
        (
            "utf16",
            wide(&declared("UTF-16")),
            2 + 2 * declared("UTF-16")[..find(&declared("UTF-16"), element)].encode_utf16().count(),
        ),
    ];
    for (name, bytes, at) in cases {
        let (exit, result, said) = check(&place.file(name, &bytes));
        assert_eq!(exit, 1, "{name}: {said} {result:#}");
        assert_eq!(result["by_rule"][0]["rule"], "schema.integer", "{name}");
        assert_eq!(result["by_rule"][0]["first"]["offset"], at, "{name}");
        assert_eq!(result["bytes"], bytes.len(), "{name}");
    }
}

#[test]
fn an_export_cut_short_says_so() {
    let text = export(&[record(1, "A"), record(2, "B")]);
    let end = find(&text, "</Skatteverket>") + "</Skatteverket>".len();
    for at in [1, 30, 60, 300, 900, find(&text, "<ku:Blankett ") + 5, text.len() - 400, end - 20, end - 1] {
        let place = Place::new();
        let (exit, _, said) = check(&place.file("export.xml", &text[..at]));
        assert_eq!(exit, 65, "{at}: {said}");
        assert!(said.contains("at byte"), "{at}: {said}");
    }
}

/// A file that others write to while it is read in place must not kill the program with a bare signal.
#[test]
fn an_export_truncated_while_it_is_read_ends_with_74_and_its_name() {
    let place = Place::new();
    let (file, child, reader) = paused(&place);
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(4096).unwrap();
    drain(reader);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("export.xml") && said.contains("truncated"), "{said}");
}

#[test]
fn an_export_that_grows_while_it_is_read_is_not_decided_on() {
    let place = Place::new();
    let (file, child, reader) = paused(&place);
    std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b" ").unwrap();
    drain(reader);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("changed while it was read"), "{said}");
}

/// A check that waits in the middle of an export, since nobody reads its findings yet.
fn paused(place: &Place) -> (PathBuf, std::process::Child, std::fs::File) {
    let records: Vec<_> = (1..=60_000).map(|number| record(number, "")).collect();
    let file = place.file("export.xml", export(&records));
    let pipe = place.0.path().join("findings");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = run::utskick(["check", "--findings", pipe.to_str().unwrap(), file.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A first finding: it is under way, and soon waits for the pipe to be emptied.
    let mut reader = std::fs::File::open(&pipe).unwrap();
    reader.read_exact(&mut [0; 1]).unwrap();
    (file, child, reader)
}

/// Reads the findings to their end.
fn drain(mut reader: std::fs::File) {
    std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
}
