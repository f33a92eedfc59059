//! The lists of protected recipients, whose statements are held.

use crate::domain::{Digester, PersonDigest, Purpose, as_typed};
use crate::error::{Error, Exit, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Digests of the identities in the lists of protected recipients: one a line, in every way that people write them;
/// what follows a `#` is a remark, and what follows a `=` an id as it stands. An identity whose century is open counts with
/// each.
///
/// *Errors*: a line that is no identity is refused with its number: leaving one out would be a leak.
pub fn protected<'a>(
    files: impl Iterator<Item = &'a PathBuf>,
    digester: &dyn Digester,
) -> Result<HashSet<PersonDigest>> {
    let mut digests = HashSet::new();
    for file in files {
        let before = digests.len();
        let text = std::fs::read_to_string(file).map_err(|error| {
            Error::because(Exit::Settings, format!("cannot read the protected recipients {}", file.display()), error)
        })?;
        add(&text, file, digester, &mut digests)?;
        if digests.len() == before {
            tracing::warn!(file = %file.display(), "the list of protected recipients names nobody");
        }
    }
    Ok(digests)
}

fn add(text: &str, file: &Path, digester: &dyn Digester, digests: &mut HashSet<PersonDigest>) -> Result<()> {
    let year = i32::from(Timestamp::now().to_zoned_datetime(TimeZone::UTC).year());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        // What follows a `#` is a remark.
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |why: &dyn std::fmt::Display| {
            let message = format!("line {number} of the protected recipients {} is {why}", file.display());
            Error::new(Exit::Settings, message).remedy(
                "write one identity a line, twelve digits, and nothing beside it; `=` before an id of another country \
                 takes it as it stands",
            )
        };
        if let Some(exact) = line.strip_prefix('=').filter(|exact| !exact.is_empty()) {
            digests.insert(PersonDigest(digester.digest(Purpose::Person, exact.as_bytes())));
            continue;
        }
        if line.chars().any(|c| !c.is_ascii_alphanumeric() && !"-+/.".contains(c)) {
            return Err(wrong(&"no identity: it has other characters than letters, digits and separators"));
        }
        // Whoever is listed may be given by födelsetid or another id too: any plain word counts. But what is a
        // personnummer once all else is left out was meant as one, and stands here otherwise than it is read.
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        let plain = line.len() == digits.len();
        let separated = line.rsplit_once(['-', '+']).is_some_and(|(first, last)| {
            last.len() == 4 && matches!(first.len(), 6 | 8) && first.len() + 4 == digits.len()
        });
        if !plain && !separated && (matches!(digits.len(), 10 | 12) || digits.len() + 2 >= line.len()) {
            return Err(wrong(&"no identity: its digits are not written as one"));
        }
        // With a `-` somebody may be over a hundred all the same: rather one too many than one too few.
        let open = if separated && digits.len() == 10 { digits.as_str() } else { line };
        for identity in as_typed(open, year).map_err(|mistyped| wrong(&mistyped))? {
            digests.insert(PersonDigest(digester.digest(Purpose::Person, identity.as_bytes())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Plain;

    impl Digester for Plain {
        fn digest(&self, _: Purpose, bytes: &[u8]) -> [u8; 16] {
            xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes()
        }
    }

    fn listed(text: &str) -> Result<HashSet<PersonDigest>> {
        let mut digests = HashSet::new();
        add(text, Path::new("list"), &Plain, &mut digests).map(|()| digests)
    }

    fn person(identity: &str) -> PersonDigest {
        PersonDigest(Plain.digest(Purpose::Person, identity.as_bytes()))
    }

    const FORMS: [&str; 6] =
        ["196406659877", "19640665-9877", "6406659877", "640665-9877", "640665+9877", "\u{a0}196406659877 "];

    proptest! {
        /// However somebody is written, and whatever stands around: they are found.
        #[test]
        fn whoever_is_listed_is_found_however_they_are_written(
            form in prop::sample::select(FORMS.to_vec()),
            mark in prop::sample::select(vec!["", "\u{feff}"]),
            end in prop::sample::select(vec!["", "\n", "\r\n"]),
            before in prop::sample::select(vec!["", "# a remark\n", "\r\n", "20010203\n", "AB-123/4\n"]),
            remark in prop::sample::select(vec!["", " # Kalle"]),
        ) {
            let found = listed(&format!("{mark}{before}{form}{remark}{end}")).expect("a list");
            prop_assert!(found.contains(&person("196406659877")));
            prop_assert!(!before.starts_with("AB") || found.contains(&person("AB-123/4")), "as the export has it");
            let danish = listed("=0101901234").expect("an id of another country");
            prop_assert!(danish.contains(&person("0101901234")));
        }

        /// A line that says more than an identity, or a mistyped one, is refused by its number and not repeated.
        #[test]
        fn a_line_that_is_not_understood_is_refused(
            line in prop::sample::select(vec![
                "196406659877;Namn", "196406659877,196406659877", "\"196406659877\"", "'6406659877'", "196406659877 Namn",
                "196406659877\tNamn", "196406659878", "640665-9878", "191313132079", "id=196406659877",
                "19640665\u{2013}9877", "19640665\u{2011}9877", "19640665\u{ad}9877", "19640665.9877", "19640665/9877",
                "19640665_9877", "19640665:9877", "19640665--9877", "196406-659877", "1964-06-65-9877", "1964-06-659877",
                "\u{200b}196406659877", "196406659877\u{200e}", "196406659877-", "-196406659877", "*196406659877",
                "(196406659877)", "pnr:196406659877", "pnr196406659877", "196406659877.", "\u{ff11}96406659877",
            ]),
            before in 0usize..5,
        ) {
            let error = listed(&format!("{}{line}\n", "# a remark\n".repeat(before))).expect_err("not understood");
            let told = error.to_string();
            prop_assert!(told.contains(&format!("line {}", before + 1)), "{}", told);
            prop_assert!(!told.contains("9877") && !told.contains("9878"), "{}", told);
            prop_assert_eq!(error.exit(), Exit::Settings);
        }
    }
}
