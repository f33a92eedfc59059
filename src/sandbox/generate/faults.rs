//! Faults on request: each breaks one official rule, or the schema, and nothing else.

use super::draft::{Draft, Oddity, carriers};
use super::people::{Employer, with_check_digit};
use crate::domain::{Form, Identity, IdentityKind};

/// The name under which breaches of the schema are counted; all others are counted under the rule they break.
pub const SCHEMA: &str = "schema";

/// Breaks a draft: tells what was broken, or `None` and leaves it as it was where the fault does not fit.
type Fault = fn(&mut Draft, &Employer) -> Option<&'static str>;

/// Breaks one thing in a record; `turn` chooses which, the next that fits it is taken. Tells the rule, or [`SCHEMA`].
pub(super) fn spoil(draft: &mut Draft, employer: &Employer, turn: u64) -> &'static str {
    let from = (turn % FAULTS.len() as u64) as usize;
    let (before, after) = FAULTS.split_at(from);
    after.iter().chain(before).find_map(|fault| fault(draft, employer)).unwrap_or_else(|| {
        // The number of another form: fits every record, and so is always found above.
        draft.nummer = "0000";
        "1003"
    })
}

const FAULTS: &[Fault] = &[
    // The envelope.
    |draft, _| {
        draft.nummer = if draft.form == Form::KU18 { Form::KU19.nummer() } else { Form::KU18.nummer() };
        Some("1003")
    },
    |draft, _| {
        draft.period -= 1;
        Some("1004")
    },
    |draft, employer| {
        let own = employer.id.identity();
        let others = ["16202100653", "16202100654"].map(|eleven| with_check_digit(eleven.to_owned()));
        draft.arendeagare = others.into_iter().find(|other| other != own.expose())?;
        Some("1005")
    },
    |draft, _| {
        let identity = text(draft, 215)?;
        let last = identity.pop()?;
        identity.push(if last == '9' { '0' } else { char::from(last as u8 + 1) });
        Some("1002")
    },
    // The recipient.
    |draft, _| {
        draft.of_recipient(215)?;
        draft.recipient.retain(|(faltkod, _)| *faltkod != 215);
        Some("056")
    },
    |draft, _| {
        draft.recipient.iter().any(|(faltkod, _)| *faltkod == 252).then_some(())?;
        draft.recipient.retain(|(faltkod, _)| *faltkod != 76);
        Some("045")
    },
    |draft, _| {
        if draft.of_recipient(252).is_some() {
            draft.recipient.retain(|(faltkod, _)| *faltkod != 252);
        } else {
            draft.recipient.push((76, "NO".into()));
        }
        Some("066")
    },
    |draft, _| {
        if draft.of_recipient(230).is_some() {
            draft.recipient.retain(|(faltkod, _)| *faltkod != 221);
        } else if draft.of_recipient(221).is_some() {
            return None;
        } else {
            draft.recipient.push((230, "bakom kyrkan i Östra Ryd".into()));
        }
        Some("166")
    },
    |draft, _| {
        (is_person(draft) && [216, 217, 218, 219, 220].iter().all(|faltkod| draft.of_recipient(*faltkod).is_some()))
            .then(|| draft.recipient.push((222, "19541231001".into())))?;
        Some("063")
    },
    |draft, _| {
        (is_person(draft) && draft.of_recipient(216).is_some())
            .then(|| draft.recipient.push((226, "Öbergs Bygg AB".into())))?;
        Some("065")
    },
    |draft, _| without(draft, &[(216, "142"), (217, "143")], IdentityKind::Samordningsnummer),
    |draft, _| without(draft, &[(219, "145"), (220, "146"), (218, "144")], IdentityKind::Samordningsnummer),
    |draft, _| {
        draft.of_recipient(222)?;
        draft.recipient.retain(|(faltkod, _)| *faltkod != 217);
        Some("058")
    },
    |draft, _| {
        draft.of_recipient(224)?;
        draft.recipient.retain(|(faltkod, _)| !matches!(faltkod, 216 | 217 | 226));
        Some("151")
    },
    |draft, _| {
        draft.of_recipient(224).and(draft.of_recipient(218))?;
        draft.recipient.retain(|(faltkod, _)| *faltkod != 218);
        Some("152")
    },
    // The statement.
    |draft, _| {
        // Identifiers of the work and the ship stay: they are no amounts.
        draft.body.retain(|(faltkod, _)| matches!(faltkod, 203 | 570 | 60 | 61 | 90 | 91 | 92 | 26 | 27 | 28 | 223));
        Some(match draft.form {
            Form::KU10 => "010",
            Form::KU13 => "011",
            Form::KU14 => "012",
            Form::KU16 => "013",
            Form::KU17 => "014",
            _ => "001",
        })
    },
    |draft, _| {
        draft.body.push((205, "1".into()));
        Some("055")
    },
    |draft, _| {
        let fits = is_pay(draft.form) && is_person(draft) && !draft.has_any(&[11, 93]);
        fits.then(|| draft.body.push((11, "335000".into())))?;
        Some("183")
    },
    |draft, employer| {
        let fits = is_pay(draft.form) && !employer.agreement && !draft.has_any(&[93, 25]);
        fits.then(|| draft.body.push((93, "1".into())))?;
        Some("190")
    },
    |draft, _| {
        let fits = matches!(draft.form, Form::KU10 | Form::KU14) && draft.has_any(&[93]);
        fits.then(|| draft.body.push((25, "12000".into())))?;
        Some("139")
    },
    |draft, _| {
        let fits = matches!(draft.form, Form::KU10 | Form::KU14) && !draft.has_any(&[12, 31, 25]);
        fits.then(|| draft.body.push((41, "1".into())))?;
        Some("015")
    },
    |draft, _| {
        let fits = matches!(draft.form, Form::KU10 | Form::KU14) && !draft.has_any(&[12, 31, 25]);
        fits.then(|| draft.body.push((22, "3000".into())))?;
        Some("017")
    },
    |draft, _| {
        let fits = matches!(draft.form, Form::KU10 | Form::KU14) && !draft.has_any(&[12, 13]);
        fits.then(|| draft.body.push((49, "1".into())))?;
        Some("040")
    },
    |draft, _| {
        let organisation = kind(draft) == Some(IdentityKind::Organisationsnummer);
        (draft.form == Form::KU10 && organisation && !draft.has_any(&[93]))
            .then(|| draft.body.push((25, "10".into())))?;
        Some("173")
    },
    |draft, _| lacks(draft, Form::KU14, 92, "050"),
    |draft, _| lacks(draft, Form::KU16, 26, "031").or_else(|| lacks(draft, Form::KU17, 27, "032")),
    |draft, _| lacks(draft, Form::KU16, 28, "033").or_else(|| lacks(draft, Form::KU17, 223, "064")),
    |draft, _| lacks(draft, Form::KU18, 4, "007").or_else(|| lacks(draft, Form::KU19, 5, "008")),
    // The schema.
    |draft, _| {
        // More than any Belopp takes.
        let amount = draft.body.iter_mut().find(|(faltkod, _)| carriers(Form::KU10).contains(faltkod))?;
        amount.1 = "10000000000".into();
        Some(SCHEMA)
    },
    |draft, _| {
        let amount = draft.body.iter_mut().find(|(faltkod, _)| matches!(faltkod, 5 | 11 | 31))?;
        amount.1 = format!("{},50", amount.1).into();
        Some(SCHEMA)
    },
    |draft, _| {
        draft.body.retain(|(faltkod, _)| *faltkod != 570);
        Some(SCHEMA)
    },
    |draft, _| {
        draft.body.push((570, "1".into()));
        Some(SCHEMA)
    },
    |draft, _| {
        is_person(draft).then_some(())?;
        let number = if kind(draft) == Some(IdentityKind::Samordningsnummer) { "19510290980" } else { "19510230980" };
        *text(draft, 215)? = with_check_digit(number.to_owned());
        Some(SCHEMA)
    },
    |draft, _| {
        text(draft, 216)?.clear();
        Some(SCHEMA)
    },
    |draft, _| {
        *text(draft, 219)? = "SE-114 55 X".to_owned();
        Some(SCHEMA)
    },
    |draft, _| {
        draft.oddity = Some(Oddity::NoFaltkod);
        Some(SCHEMA)
    },
    |draft, _| {
        draft.oddity = Some(Oddity::WrongFaltkod);
        Some(SCHEMA)
    },
    |draft, _| {
        draft.oddity = Some(Oddity::Rattelse);
        Some(SCHEMA)
    },
];

fn is_pay(form: Form) -> bool {
    !matches!(form, Form::KU18 | Form::KU19)
}

fn kind(draft: &Draft) -> Option<IdentityKind> {
    Some(Identity::parse(draft.of_recipient(215)?).ok()?.kind())
}

fn is_person(draft: &Draft) -> bool {
    kind(draft).is_some_and(|kind| kind != IdentityKind::Organisationsnummer)
}

/// The text of a field of the recipient, to be changed.
fn text(draft: &mut Draft, faltkod: u16) -> Option<&mut String> {
    draft.recipient.iter_mut().find(|(present, _)| *present == faltkod).map(|(_, text)| text.to_mut())
}

/// Takes away the first of these fields that a recipient of this kind has.
fn without(draft: &mut Draft, rules: &[(u16, &'static str)], wanted: IdentityKind) -> Option<&'static str> {
    (kind(draft) == Some(wanted)).then_some(())?;
    let (faltkod, rule) = rules.iter().find(|(faltkod, _)| draft.of_recipient(*faltkod).is_some())?;
    draft.recipient.retain(|(present, _)| present != faltkod);
    Some(rule)
}

/// Takes away a field that a form demands.
fn lacks(draft: &mut Draft, form: Form, faltkod: u16, rule: &'static str) -> Option<&'static str> {
    (draft.form == form).then(|| draft.body.retain(|(present, _)| *present != faltkod))?;
    Some(rule)
}
