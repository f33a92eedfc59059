//! What the text of a value may be: the lexical rules of the schema's simple types.
//!
//! In: the text of an element, character references resolved, whitespace kept. Out: nothing, or what is wrong with it.
//! No value ever gets into a message. *Source*: kontrolluppgift 8.0, component and common schemas; XML Schema part 2.

use crate::domain::{Identity, IdentityError, KodLista, SchemaVersion, Type, XML_SPACE};
use regex_syntax::hir::{Class, ClassUnicode, HirKind};
use std::sync::LazyLock;

/// Why a text is not of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Not an integer.
    Integer,
    /// An integer outside the range.
    Range,
    /// Not one of `1`, `0`, `true`, `false`.
    Boolean,
    /// Not `20dd`.
    Year,
    /// Not an identity of twelve digits with a real date or an organisation's form.
    Identity,
    /// Not a födelsetid.
    BirthTime,
    /// Not a date of eight digits.
    Date,
    /// Not a date and time.
    DateTime,
    /// Not an ISIN.
    Isin,
    /// Not an id of an installation.
    InstallationId,
    /// Not three digits.
    BusinessArea,
    /// Not a decimal number of this shape and range.
    Decimal,
    /// Not in the code list.
    Code,
    /// Too short or too long.
    Length,
    /// Not an e-mail address of the schema's pattern.
    Email,
}

impl Wrong {
    /// The name of the rule.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Integer => "schema.integer",
            Self::Range => "schema.range",
            Self::Boolean => "schema.boolean",
            Self::Year => "schema.year",
            Self::Identity => "schema.identity",
            Self::BirthTime => "schema.birth-time",
            Self::Date => "schema.date",
            Self::DateTime => "schema.date-time",
            Self::Isin => "schema.isin",
            Self::InstallationId => "schema.installation-id",
            Self::BusinessArea => "schema.business-area",
            Self::Decimal => "schema.decimal",
            Self::Code => "schema.code",
            Self::Length => "schema.length",
            Self::Email => "schema.email",
        }
    }
}

/// What else is to be said of a text that the schema accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Nothing.
    None,
    /// A number with whitespace around it: valid, but not every reader takes it.
    Padded,
    /// Decimal digits outside ASCII: the schema's `\d` takes them, no check digit does.
    OtherDigits,
}

/// What a simple type of the envelope is; fields have [`Type`].
#[derive(Clone, Copy, Debug)]
pub enum Simple {
    /// As a field's type.
    Field(Type),
    /// An e-mail address.
    Email,
    /// `xs:dateTime`.
    DateTime,
}

impl Simple {
    /// Holds a text against it.
    pub fn check(self, text: &str, version: SchemaVersion) -> Result<Remark, Wrong> {
        match self {
            Self::Field(kind) => check(kind, text, version),
            Self::Email => email(text).then_some(Remark::None).ok_or(Wrong::Email),
            Self::DateTime => date_time(text).then_some(Remark::None).ok_or(Wrong::DateTime),
        }
    }
}

/// Holds a text against a field's type. *Cost*: a few nanoseconds for ordinary values.
pub fn check(kind: Type, text: &str, version: SchemaVersion) -> Result<Remark, Wrong> {
    let need = |holds: bool, wrong: Wrong| if holds { Ok(Remark::None) } else { Err(wrong) };
    match kind {
        Type::Belopp { min, max } | Type::Antal { min, max } => {
            if let Some(value) = plain(text) {
                return need((min..=max).contains(&value), Wrong::Range);
            }
            let bare = text.trim_matches(XML_SPACE);
            let value = integer(bare).ok_or(Wrong::Integer)?;
            if !(i128::from(min)..=i128::from(max)).contains(&value) {
                return Err(Wrong::Range);
            }
            Ok(padded(bare, text))
        }
        Type::Kryss if text == "1" => Ok(Remark::None),
        Type::Kryss => {
            let bare = text.trim_matches(XML_SPACE);
            need(matches!(bare, "1" | "0" | "true" | "false"), Wrong::Boolean)?;
            Ok(padded(bare, text))
        }
        Type::Inkomstar if matches!(text.as_bytes(), [b'2', b'0', b'0'..=b'9', b'0'..=b'9']) => Ok(Remark::None),
        Type::Inkomstar => {
            let bare = text.trim_matches(XML_SPACE);
            need(matches!(bare.as_bytes(), [b'2', b'0', b'0'..=b'9', b'0'..=b'9']), Wrong::Year)?;
            Ok(padded(bare, text))
        }
        Type::Identitet => match Identity::pattern(text) {
            Ok(_) => Ok(Remark::None),
            Err(IdentityError::Shape) if organisation_of_other_digits(text) => Ok(Remark::OtherDigits),
            Err(_) => Err(Wrong::Identity),
        },
        Type::Fodelsetid => need(text.len() == 11 && digits(text) && date(text, 18), Wrong::BirthTime),
        Type::Datum => need(text.len() == 8 && digits(text) && date(text, 19), Wrong::Date),
        Type::Isin => isin(text),
        Type::AnlId => need(text.len() == 18 && digits(text) && text.starts_with("735999"), Wrong::InstallationId),
        Type::Verksamhetsomrade => need(text.len() == 3 && digits(text), Wrong::BusinessArea),
        Type::Decimal { max_hundredths } => {
            let bare = text.trim_matches(XML_SPACE);
            need(decimal(bare, max_hundredths), Wrong::Decimal)?;
            Ok(padded(bare, text))
        }
        Type::Kod(list) => code(list, text.trim_matches(XML_SPACE), text, version),
        Type::Text { min, max } => {
            // Bytes are at least as many as code points, and at most four times as many.
            let bytes = text.len();
            let fits = bytes <= max && (min <= 1 && bytes >= min);
            need(fits || (min..=max).contains(&text.chars().count()), Wrong::Length)
        }
    }
}

/// The value of one to eighteen digits and nothing else, as nearly every number is written.
fn plain(text: &str) -> Option<i64> {
    if !(1..=18).contains(&text.len()) {
        return None;
    }
    text.bytes().try_fold(0i64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then_some(value * 10 + i64::from(digit))
    })
}

/// The value of an `xs:integer`: an optional sign and ASCII digits; `None` when it is none. Values beyond any range of
/// the schema come out as the largest of their sign.
fn integer(bare: &str) -> Option<i128> {
    let (negative, digits) = match bare.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = (value * 10 + i128::from(digit)).min(i128::from(i64::MAX)); // beyond every range of the schema
    }
    Some(if negative { -value } else { value })
}

fn padded(bare: &str, text: &str) -> Remark {
    if bare.len() == text.len() { Remark::None } else { Remark::Padded }
}

fn code(list: KodLista, bare: &str, text: &str, version: SchemaVersion) -> Result<Remark, Wrong> {
    let values = list.values(version);
    let found = if list.is_integer() {
        let value = integer(bare).ok_or(Wrong::Integer)?;
        values.iter().any(|listed| integer(listed) == Some(value))
    } else {
        values.binary_search(&bare).is_ok()
    };
    if found { Ok(padded(bare, text)) } else { Err(Wrong::Code) }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the first eight digits are a date of a century from `first` to 20.
fn date(text: &str, first: u16) -> bool {
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u16>().ok()).unwrap_or(0);
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    (first * 100..2100).contains(&year) && (1..=crate::domain::days_in(year, month)).contains(&day)
}

/// `16\d{2}[2-9]\d{7}` where `\d` is any decimal digit of Unicode, and one of them is not of ASCII.
fn organisation_of_other_digits(text: &str) -> bool {
    !text.is_ascii()
        && text.chars().count() == 12
        && text.chars().enumerate().all(|(place, c)| match place {
            0 => c == '1',
            1 => c == '6',
            4 => ('2'..='9').contains(&c),
            _ => is_decimal_digit(c),
        })
}

/// `[A-Z]{2}[A-Z0-9]{9}\d`.
fn isin(text: &str) -> Result<Remark, Wrong> {
    let mut chars = text.chars();
    let head = chars.by_ref().take(11).enumerate().fold((0, true), |(count, holds), (place, c)| {
        (count + 1, holds && (c.is_ascii_uppercase() || (place >= 2 && c.is_ascii_digit())))
    });
    match (head, chars.next(), chars.next()) {
        ((11, true), Some(last), None) if last.is_ascii_digit() => Ok(Remark::None),
        ((11, true), Some(last), None) if is_decimal_digit(last) => Ok(Remark::OtherDigits),
        _ => Err(Wrong::Isin),
    }
}

/// `\d{1,n}(\.\d{1,2})?` with n of 2, or 3 where 100 is allowed; from 0.01.
fn decimal(bare: &str, max_hundredths: u32) -> bool {
    let most = if max_hundredths >= 10_000 { 3 } else { 2 };
    let (whole, fraction) = match bare.split_once('.') {
        Some((whole, fraction)) if (1..=2).contains(&fraction.len()) => (whole, fraction),
        Some(_) => return false,
        None => (bare, ""),
    };
    if !(1..=most).contains(&whole.len()) || !digits(whole) || !digits(fraction) {
        return false;
    }
    let hundredths = match fraction.len() {
        0 => 0,
        1 => fraction.parse::<u32>().unwrap_or(0) * 10,
        _ => fraction.parse().unwrap_or(0),
    };
    (1..=max_hundredths).contains(&(whole.parse::<u32>().unwrap_or(0) * 100 + hundredths))
}

/// `xs:dateTime` of XML Schema 1.0: `-?YYYY-MM-DDThh:mm:ss(.s+)?(Z|±hh:mm)?`, no year 0000, 24:00:00 allowed.
fn date_time(text: &str) -> bool {
    let bare = text.trim_matches(XML_SPACE);
    let Some((date, time)) = bare.split_once('T') else { return false };
    let date = date.strip_prefix('-').unwrap_or(date);
    let Some((rest, day)) = date.rsplit_once('-') else { return false };
    let Some((year, month)) = rest.rsplit_once('-') else { return false };
    let two = |part: &str| (part.len() == 2 && digits(part)).then(|| part.parse::<u16>().unwrap_or(0));
    let (Some(month), Some(day)) = (two(month), two(day)) else { return false };
    if year.len() < 4 || !digits(year) || (year.len() > 4 && year.starts_with('0')) || year.bytes().all(|b| b == b'0') {
        return false;
    }
    // Four hundred years are a cycle of the calendar.
    let last = |count: usize| year.get(year.len() - count..).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    let (cycle, century) = (last(4), last(2));
    let leap = cycle % 4 == 0 && (century != 0 || cycle % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    if !(1..=days).contains(&day) {
        return false;
    }
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let zone_holds = zone == "Z"
        || zone.get(1..).and_then(|zone| zone.split_once(':')).is_some_and(|(hours, minutes)| {
            match (two(hours), two(minutes)) {
                (Some(14), Some(0)) => true,
                (Some(hours), Some(minutes)) => hours < 14 && minutes < 60,
                _ => false,
            }
        });
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':').map(two);
    let (Some(Some(hours)), Some(Some(minutes)), Some(Some(seconds)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let midnight = hours == 24 && minutes == 0 && seconds == 0 && fraction.bytes().all(|b| b == b'0');
    zone_holds && !fraction.is_empty() && digits(fraction) && (midnight || (hours < 24 && minutes < 60 && seconds < 60))
}

/// The schema's pattern: a word, then words and `-+.'_`, `@`, words parted by `-` or `.` with at least one `.`; at
/// most 254 characters.
fn email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    if text.chars().count() > 254 {
        return false;
    }
    let mut local = local.chars();
    let local_holds =
        local.next().is_some_and(is_word) && local.all(|c| is_word(c) || matches!(c, '-' | '+' | '.' | '\'' | '_'));
    let labels_hold = domain.split(['-', '.']).all(|label| !label.is_empty() && label.chars().all(is_word));
    local_holds && labels_hold && domain.contains('.')
}

/// `\d` of XML Schema: category Nd.
fn is_decimal_digit(c: char) -> bool {
    static CLASS: LazyLock<Option<ClassUnicode>> = LazyLock::new(|| class(r"\p{Nd}"));
    c.is_ascii_digit() || (!c.is_ascii() && is_in(c, CLASS.as_ref()))
}

/// `\w` of XML Schema: every character but those of the categories P (punctuation), Z (separators) and C (others).
fn is_word(c: char) -> bool {
    static CLASS: LazyLock<Option<ClassUnicode>> = LazyLock::new(|| class(r"[\p{L}\p{M}\p{N}\p{S}]"));
    // These two were symbols when XML Schema was written; Unicode 6.1 made them punctuation.
    c.is_ascii_alphanumeric() || matches!(c, '§' | '¶') || is_in(c, CLASS.as_ref())
}

fn class(pattern: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(pattern).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        _ => None,
    }
}

fn is_in(c: char, class: Option<&ClassUnicode>) -> bool {
    class.is_some_and(|class| {
        class
            .ranges()
            .binary_search_by(|range| {
                if range.end() < c {
                    std::cmp::Ordering::Less
                } else if range.start() > c {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(kind: Type, text: &str) -> bool {
        check(kind, text, SchemaVersion::V8).is_ok()
    }

    #[test]
    fn integers_have_the_lexical_space_of_xs_long() {
        let belopp = Type::Belopp { min: 0, max: 9_999_999_999 };
        for good in ["0", "+335000", "000335000", "-0", " 1 ", "\n9999999999\t", &format!("{}7", "0".repeat(500))] {
            assert!(holds(belopp, good), "{good}");
        }
        for bad in
            ["", " ", "+", "-", "5.0", "1e3", "1 2", "--1", "٣", "-1", "10000000000", "\u{a0}1", &"9".repeat(500)]
        {
            assert!(!holds(belopp, bad), "{bad}");
        }
        let negative = Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 };
        assert!(holds(negative, "-99999999999") && !holds(negative, "-100000000000"));
        assert_eq!(check(belopp, " 1 ", SchemaVersion::V8), Ok(Remark::Padded));
    }

    #[test]
    fn year_pattern_applies_after_collapse() {
        assert!(holds(Type::Inkomstar, " 2022 "));
        for bad in ["1999", "+2022", "02022", "20222", "20٣٤", "202"] {
            assert!(!holds(Type::Inkomstar, bad), "{bad}");
        }
    }

    #[test]
    fn identities_follow_the_pattern_and_not_the_check_digit() {
        for good in
            ["195111232078", "200002292079", "197010632391", "165021680250", "18960229001X".replace('X', "0").as_str()]
        {
            assert!(holds(Type::Identitet, good), "{good}");
        }
        for bad in ["5111232079", "19511123-2079", " 195111232079", "190002292079", "195111230009", "161011680250"] {
            assert!(!holds(Type::Identitet, bad), "{bad}");
        }
        assert_eq!(check(Type::Identitet, "16502168025٠", SchemaVersion::V8), Ok(Remark::OtherDigits));
        assert!(!holds(Type::Identitet, "1650٢168025٠1"));
        assert!(!holds(Type::Identitet, "1650٢1680250"), "the third digit is of ASCII");
    }

    #[test]
    fn codes_are_values_or_tokens() {
        let code = Type::Kod(KodLista::Ersattningskod);
        assert!(holds(code, "100") && holds(code, "+0100") && holds(code, " 999 ") && !holds(code, "102"));
        assert!(check(code, "102", SchemaVersion::V7).is_ok());
        assert!(holds(Type::Kod(KodLista::Landskod), "\tSE ") && !holds(Type::Kod(KodLista::Landskod), "se"));
    }

    #[test]
    fn lengths_count_code_points() {
        let name = Type::Text { min: 1, max: 50 };
        assert!(holds(name, &"😀".repeat(50)) && !holds(name, &"😀".repeat(51)) && !holds(name, ""));
        assert!(
            holds(name, "  Anna ")
                && holds(Type::Text { min: 4, max: 4 }, "ÅÄÖ1")
                && !holds(Type::Text { min: 4, max: 4 }, "ÅÄ")
        );
        assert!(holds(Type::Text { min: 0, max: 50 }, ""));
    }

    #[test]
    fn other_patterns() {
        assert!(
            holds(Type::Isin, "SE0000108656")
                && !holds(Type::Isin, "SE000010865")
                && !holds(Type::Isin, "se0000108656")
        );
        assert_eq!(check(Type::Isin, "SE000010865٦", SchemaVersion::V8), Ok(Remark::OtherDigits));
        assert!(holds(Type::Fodelsetid, "20000229000") && !holds(Type::Fodelsetid, "19000229000"));
        assert!(holds(Type::Datum, "20240229") && !holds(Type::Datum, "18240229"));
        let share = Type::Decimal { max_hundredths: 9999 };
        assert!(holds(share, "0.01") && holds(share, "99.99") && holds(share, " 5 ") && holds(share, "05.5"));
        for bad in ["0", "0.00", "100", "5.", ".5", "+5", "5.123", "٥"] {
            assert!(!holds(share, bad), "{bad}");
        }
        assert!(
            holds(Type::Decimal { max_hundredths: 10_000 }, "100.00")
                && !holds(Type::Decimal { max_hundredths: 10_000 }, "100.01")
        );
    }

    #[test]
    fn e_mail_has_the_words_of_xml_schema() {
        for good in ["siv.karlsson@example.se", "å+ö@ä-b.se", "a=b$c^@x.y", "o'_-x@a.b-c.d", "²@x.ỹ", "§@x.y"] {
            assert!(email(good), "{good}");
        }
        for bad in [
            "siv@localhost",
            "_a@b.c",
            "a@b..c",
            "a@b.c-",
            "a@b_c.d",
            "a@@b.c",
            "a b@c.d",
            "",
            "@b.c",
            "a@.c",
            "a@b.c\n",
        ] {
            assert!(!email(bad), "{bad}");
        }
        assert!(!email(&format!("{}@b.c", "a".repeat(251))) && email(&format!("{}@b.c", "a".repeat(250))));
    }

    #[test]
    fn date_times_of_xml_schema() {
        for good in [
            "2022-01-01T00:00:00",
            " 2022-02-28T23:59:59.999+01:00 ",
            "2024-02-29T24:00:00Z",
            "-0004-02-29T00:00:00-14:00",
            "12024-02-29T00:00:00",
        ] {
            assert!(date_time(good), "{good}");
        }
        for bad in [
            "2022-01-01",
            "2022-01-01 00:00:00",
            "2022-02-29T00:00:00",
            "0000-01-01T00:00:00",
            "2022-01-01T24:00:01",
            "2022-01-01T00:00",
            "2022-01-01T00:60:00",
            "2022-01-01T00:00:00.",
            "2022-01-01T00:00:00+15:00",
            "2022-1-01T00:00:00",
            "+2022-01-01T00:00:00",
            "2022-01-01T00:00:00+1:00",
            "02022-01-01T00:00:00",
            "2022-01-01T00:00:00z",
        ] {
            assert!(!date_time(bad), "{bad}");
        }
    }
}
