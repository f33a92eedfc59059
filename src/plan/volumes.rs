//! How many statements of an export go which way: per form, employer and operator.
//!
//! In: what pass 1 found of each statement, in the order of their ordinals; later, what other records or FaR say of some.
//! Out: [`Counted`] for people, [`Load`] for the simulation. Six bytes a statement are kept until the end.

use super::model::Load;
use crate::config::Senders;
use crate::domain::{Form, Organisation};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Which way a statement goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is looked up, and goes on paper where it has no mailbox.
    LookUp,
    /// It is looked up, and goes on paper in any case.
    Both,
    /// On paper.
    Paper,
    /// Held back by policy or protection.
    Held,
    /// Rejected.
    Rejected,
    /// Nothing is sent: a removal, replaced by a later record, of a form that is not a letter.
    NotSent,
}

/// What FaR said of a statement that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A mailbox at an operator, by its place in the settings.
    Mailbox(u8),
    /// None.
    NoMailbox,
    /// Nothing: it stays pending.
    Silent,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    employer: u16,
    form: u16,
    way: Way,
    answer: Option<Answer>,
}

/// Counts statements as they come.
#[derive(Debug, Default)]
pub struct Counter {
    rows: Vec<Row>,
    employers: Vec<Organisation>,
    by_employer: HashMap<Organisation, u16>,
}

/// Statements of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// All of them.
    pub statements: u64,
    /// Looked up.
    pub looked_up: u64,
    /// On paper without a look-up.
    pub paper: u64,
    /// Held back.
    pub held: u64,
    /// Rejected.
    pub rejected: u64,
    /// Not sent.
    pub not_sent: u64,
    /// By operator, in the order of the settings, where FaR was asked.
    pub known: Vec<u64>,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Everything.
    pub all: Part,
    /// By form; `unknown` where a record has none.
    pub by_form: BTreeMap<&'static str, Part>,
    /// By employer, masked where it is a person; `unknown` where a record has none.
    pub by_employer: BTreeMap<String, Part>,
}

/// No employer, or more employers than fit.
const NONE: u16 = u16::MAX;

impl Counter {
    /// The next statement.
    pub fn push(&mut self, form: Option<Form>, employer: Option<Organisation>, way: Way) {
        let employer = employer.map_or(NONE, |employer| {
            *self.by_employer.entry(employer).or_insert_with(|| {
                let number = u16::try_from(self.employers.len()).unwrap_or(NONE);
                if number != NONE {
                    self.employers.push(employer);
                }
                number
            })
        });
        self.rows.push(Row { employer, form: form.map_or(0, Form::number), way, answer: None });
    }

    /// What another record says of a statement.
    pub fn amend(&mut self, ordinal: u64, way: Way) {
        self.row(ordinal).into_iter().for_each(|row| row.way = way);
    }

    /// What FaR says of a statement.
    pub fn answer(&mut self, ordinal: u64, answer: Answer) {
        self.row(ordinal).into_iter().for_each(|row| row.answer = Some(answer));
    }

    /// Ordinals of what is looked up, with their employers, in their order.
    pub fn to_look_up(&self) -> impl Iterator<Item = (u64, Organisation)> + '_ {
        (1..)
            .zip(&self.rows)
            .filter(|(_, row)| row.is_looked_up())
            .filter_map(|(ordinal, row)| Some((ordinal, *self.employers.get(usize::from(row.employer))?)))
    }

    /// What the statements come to: in numbers, and as calls to FaR of at most so many ids, made for so many statements
    /// at a time. A call is about one sender.
    pub fn finish(&self, senders: &Senders, together: usize, batch: usize, operators: usize) -> (Counted, Load) {
        let mut counted = Counted::default();
        let employers: Vec<String> = self.employers.iter().map(ToString::to_string).collect();
        let mut load = Load { statements: self.rows.len() as u64, ..Load::default() };
        let mut window: BTreeMap<Organisation, u32> = BTreeMap::new();
        let mut in_window = 0;
        for row in &self.rows {
            let form = Form::by_number(row.form).map_or("unknown", Form::element);
            let employer = employers.get(usize::from(row.employer)).map_or("unknown", String::as_str);
            row.count(&mut counted.all, operators);
            row.count(counted.by_form.entry(form).or_default(), operators);
            match counted.by_employer.get_mut(employer) {
                Some(part) => row.count(part, operators),
                None => row.count(counted.by_employer.entry(employer.to_owned()).or_default(), operators),
            }
            load.paper += u64::from(row.way == Way::Paper);
            load.both += u64::from(row.way == Way::Both);
            if !row.is_looked_up() {
                continue;
            }
            let Some(employer) = self.employers.get(usize::from(row.employer)) else { continue };
            *window.entry(senders.id_of(employer)).or_default() += 1;
            in_window += 1;
            if in_window == together {
                load.questions.push(calls(&window, batch));
                window.clear();
                in_window = 0;
            }
        }
        if in_window > 0 {
            load.questions.push(calls(&window, batch));
        }
        (counted, load)
    }

    fn row(&mut self, ordinal: u64) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(ordinal.checked_sub(1)?).ok()?)
    }
}

impl Row {
    const fn is_looked_up(&self) -> bool {
        matches!(self.way, Way::LookUp | Way::Both)
    }

    fn count(&self, part: &mut Part, operators: usize) {
        part.statements += 1;
        match self.way {
            Way::LookUp | Way::Both => part.looked_up += 1,
            Way::Paper => part.paper += 1,
            Way::Held => part.held += 1,
            Way::Rejected => part.rejected += 1,
            Way::NotSent => part.not_sent += 1,
        }
        if let Some(answer) = self.answer {
            part.known.resize(operators, 0);
            if let Answer::Mailbox(operator) = answer {
                part.known.get_mut(usize::from(operator)).into_iter().for_each(|count| *count += 1);
            }
        }
    }
}

/// Sizes of the calls about these many recipients of each sender.
fn calls(window: &BTreeMap<Organisation, u32>, batch: usize) -> Vec<u32> {
    let batch = u32::try_from(batch.max(1)).unwrap_or(u32::MAX);
    let of = |count: u32| (0..count.div_ceil(batch)).map(move |call| batch.min(count - call * batch));
    window.values().flat_map(|count| of(*count)).collect()
}
