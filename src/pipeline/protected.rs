//! The lists of protected recipients, whose statements are held.

use crate::domain::{Digester, PersonDigest, Purpose, as_typed, compared, swedish_numbers};
use crate::error::{Error, Exit, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Characters of the longest id that a record can give (`AnnatIDNr` and `TIN`, kontrolluppgift 8.0).
const LONGEST: usize = 20;

/// Digests of the identities in the lists of protected recipients: one a line, in every way that people write them;
/// what follows a `#` is a remark, and what follows a `=` an id as it stands. An identity whose century is open counts with
/// each. Each is in the form that [`compared`] gives, as those of a record are ([`crate::intake::Checked::people`]).
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
    for (number, whole) in (1..).zip(text.lines()) {
        // What follows a `#` is a remark.
        let line = whole.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |why: &dyn std::fmt::Display| {
            let message = format!("line {number} of the protected recipients {} is {why}", file.display());
            Error::new(Exit::Settings, message).remedy(
                "write one identity a line and nothing beside it: a personnummer, samordningsnummer or \
                 organisationsnummer with twelve or ten digits, a födelsetid with eleven, or `=ID` for another id, which \
                 is taken as it stands",
            )
        };
        let mut insert = |id: &str| {
            digests.insert(PersonDigest(digester.digest(Purpose::Person, compared(id).as_bytes())));
        };
        if let Some(exact) = line.strip_prefix('=').filter(|exact| !compared(exact).is_empty()) {
            if exact.chars().any(char::is_control) || exact.trim().chars().count() > LONGEST {
                return Err(wrong(
                    &"no id that an export can have: it is longer than 20 characters, or has a tab in it",
                ));
            }
            // A `#` may belong to the id: it counts with what may be a remark and without.
            let rest = whole.split_once('=').map_or("", |(_, rest)| rest);
            for at in rest.match_indices('#').map(|(at, _)| at).chain([rest.len()]) {
                insert(rest.get(..at).unwrap_or_default());
            }
            // Twelve digits with a check digit are nobody else's; ten may be another country's.
            if exact.bytes().filter(u8::is_ascii_digit).count() == 12 {
                for identity in swedish_numbers(exact) {
                    insert(identity.expose());
                }
            }
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
            return Err(wrong(&"not written as a Swedish identity is, nor marked as another id with `=`"));
        }
        // With a `-` somebody may be over a hundred all the same: rather one too many than one too few.
        let open = if separated && digits.len() == 10 { digits.as_str() } else { line };
        for identity in as_typed(open, year).map_err(|mistyped| wrong(&mistyped))? {
            insert(&identity);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check_digit_holds;
    use crate::intake::testing::{Plain, TAIL, head, read_bytes, record};
    use crate::intake::{Checked, Verdict};
    use proptest::prelude::*;

    fn listed(text: &str) -> Result<HashSet<PersonDigest>> {
        let mut digests = HashSet::new();
        add(text, Path::new("list"), &Plain, &mut digests).map(|()| digests)
    }

    fn person(identity: &str) -> PersonDigest {
        PersonDigest(Plain.digest(Purpose::Person, identity.as_bytes()))
    }

    /// What pass 1 makes of a record with these fields of its recipient.
    fn checked(identities: &str) -> Checked {
        let given =
            record(1, "N").replace("<ku:Inkomsttagare faltkod=\"215\">195111232079</ku:Inkomsttagare>", identities);
        let given = given.replace(
            "</ku:Fornamn>",
            "</ku:Fornamn><ku:Efternamn faltkod=\"217\">E</ku:Efternamn><ku:FriAdress faltkod=\"230\">F</ku:FriAdress>\
             <ku:LandskodPostort faltkod=\"221\">DK</ku:LandskodPostort>",
        );
        let mut seen = read_bytes(format!("{}{given}{TAIL}", head()).as_bytes());
        assert_eq!(seen.summary.map(|summary| summary.records).ok(), Some(1));
        let checked = seen.checked.remove(0);
        assert_eq!(checked.fate, Verdict::Valid, "{identities}: {:?}", seen.findings);
        checked
    }

    fn is_held(identities: &str, list: &str) -> bool {
        let protected = listed(list).expect("a list");
        checked(identities).people().any(|person| protected.contains(person))
    }

    fn pnr(id: &str) -> String {
        format!("<ku:Inkomsttagare faltkod=\"215\">{id}</ku:Inkomsttagare>")
    }

    fn birth(id: &str) -> String {
        format!("<ku:Fodelsetid faltkod=\"222\">{id}</ku:Fodelsetid>")
    }

    fn other(id: &str) -> String {
        format!("<ku:AnnatIDNr faltkod=\"224\">{id}</ku:AnnatIDNr>")
    }

    fn tin(country: &str, id: &str) -> String {
        format!("<ku:LandskodTIN faltkod=\"076\">{country}</ku:LandskodTIN><ku:TIN faltkod=\"252\">{id}</ku:TIN>")
    }

    #[test]
    fn every_identity_of_a_record_is_compared() {
        let held = |identities: &str, list: &str| assert!(is_held(identities, list), "{identities} by {list}");
        held(&(pnr("195111232079") + &other("SE-99")), "=SE-99");
        held(&(pnr("195111232079") + &other("SE-99")), "SE-99");
        held(&(pnr("195111232079") + &other(" se-99 ")), "= Se-99 # a remark");
        held(&(birth("19511123207") + &other("SE-98")), "=SE-98");
        held(&(birth("19511123207") + &other("SE-98")), "19511123207");
        for written in ["195111232079", "19511123-2079", "511123-2079", "511123+2079", "5111232079"] {
            for line in ["195111232079", "19511123-2079", "511123-2079", "511123+2079", "5111232079"] {
                held(&other(written), line);
                held(&(birth("19000101001") + &tin("SE", written)), line);
            }
            held(&other(written), &format!("={written}"));
            held(&(birth("19000101001") + &tin("DK", written)), &format!("={written}"));
        }
        held(&pnr("195111232079"), "=19511123-2079");
        held(&(pnr("195111232079") + &tin("DK", "dk-7")), "=DK-7");
        held(&other("A#1"), "=A#1");
        held(&other("A #1"), "=A #1 # a remark");
    }

    #[test]
    fn what_is_another_country_s_is_nobody_here() {
        assert!(!is_held(&pnr("195111232079"), "=5111232079"));
        assert!(!is_held(&(birth("19000101001") + &tin("DK", "5111232079")), "195111232079"));
        assert!(!is_held(&other("195111232078"), "195111232079"));
    }

    /// One identity as a record gives it, the lines of a list that mean it, and what tells it from all others.
    #[derive(Clone, Debug)]
    struct Given {
        field: String,
        lines: Vec<String>,
        alone: String,
    }

    fn number() -> impl Strategy<Value = String> {
        (1930..2020, 1..=12, prop_oneof![1..=28, 61..=88], 1..=999).prop_map(|(year, month, day, serial)| {
            let number = |check| format!("{year}{month:02}{day:02}{serial:03}{check}");
            (0..10).map(number).find(|id| check_digit_holds(id)).expect("one digit of ten")
        })
    }

    /// Every way to write a number.
    fn ways(number: &str) -> [String; 5] {
        let (first, last) = number.split_at(8);
        let (_, short) = first.split_at(2);
        [
            number.to_owned(),
            format!("{first}-{last}"),
            format!("{short}{last}"),
            format!("{short}-{last}"),
            format!("{short}+{last}"),
        ]
    }

    fn of_number(number: &str, field: String) -> Given {
        let lines = ways(number).into_iter().chain([format!("={number}")]).collect();
        Given { field, lines, alone: number.split_at(2).1.to_owned() }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[A-Za-z]{2}-[0-9]{1,6}", "[A-Za-z]{3}/[0-9]{1,3}"]
    }

    fn of_text(text: &str, field: String) -> Given {
        let lines = vec![text.to_owned(), format!("={text}"), format!("= {} # a remark", text.to_lowercase())];
        Given { field, lines, alone: text.to_uppercase() }
    }

    fn by_215_or_222() -> impl Strategy<Value = Given> {
        prop_oneof![
            number().prop_map(|number| of_number(&number, pnr(&number))),
            (1930..2020, 1..=12, 1..=28, 0..=999).prop_map(|(year, month, day, more)| {
                let id = format!("{year}{month:02}{day:02}{more:03}");
                Given { field: birth(&id), lines: vec![id.clone(), format!("={id}")], alone: id }
            }),
        ]
    }

    fn by_224() -> impl Strategy<Value = Given> {
        prop_oneof![
            text().prop_map(|text| of_text(&text, other(&text))),
            (number(), 0..5usize).prop_map(|(number, way)| of_number(&number, other(&ways(&number)[way]))),
        ]
    }

    fn by_252() -> impl Strategy<Value = Given> {
        prop_oneof![
            text().prop_map(|text| of_text(&text, tin("DK", &text))),
            (number(), 0..5usize).prop_map(|(number, way)| of_number(&number, tin("SE", &ways(&number)[way]))),
        ]
    }

    fn recipient() -> impl Strategy<Value = Vec<Given>> {
        let first = prop_oneof![
            by_215_or_222().prop_map(|one| vec![one]),
            by_224().prop_map(|one| vec![one]),
            (by_215_or_222(), by_224()).prop_map(|(one, two)| vec![one, two]),
        ];
        (first, prop::option::of(by_252())).prop_map(|(first, tin)| first.into_iter().chain(tin).collect())
    }

    const FORMS: [&str; 6] =
        ["196406659877", "19640665-9877", "6406659877", "640665-9877", "640665+9877", "\u{a0}196406659877 "];

    proptest! {
        /// Whatever a record gives, in whatever order, and however one of it is listed: it is held. By somebody else it is not.
        #[test]
        fn whoever_is_listed_by_any_identity_is_held(
            mut recipient in recipient(),
            somebody in recipient(),
            pick in any::<prop::sample::Index>(),
            line in any::<prop::sample::Index>(),
            backwards in any::<bool>(),
        ) {
            let meant = line.get(&pick.get(&recipient).lines).clone();
            let elsewhere = line.get(&pick.get(&somebody).lines).clone();
            prop_assume!(recipient.iter().all(|given| somebody.iter().all(|of| of.alone != given.alone)));
            if backwards {
                recipient.reverse();
            }
            let fields: String = recipient.iter().map(|given| given.field.as_str()).collect();
            prop_assert!(is_held(&fields, &format!("# remark\n{meant}\n")), "{} by {}", fields, meant);
            prop_assert!(!is_held(&fields, &elsewhere), "{} by {}", fields, elsewhere);
        }

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

        /// What may be another id is told how to be written, in every line that is refused.
        #[test]
        fn a_line_that_may_be_another_id_is_told_how_to_write_it(line in "[A-Z]{0,2}[0-9]{1,3}|x|FR[0-9]{9}|=|=[a-z]{21}|=a\tb") {
            prop_assume!(line.bytes().any(|byte| !byte.is_ascii_digit()));
            let error = listed(&line).expect_err("refused");
            let remedy = format!("{error:?}");
            prop_assert!(remedy.contains("`=ID`") && remedy.contains("twelve or ten digits"), "{}", remedy);
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
