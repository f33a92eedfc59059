//! A forecast from volumes instead of exports: how many documents a year go digitally, and what that saves.
//!
//! In: a TOML file of volumes and costs. Out: [`Forecast`], whole numbers throughout: documents, people, and öre. Where
//! the source of the volumes prints a figure of its own, both are shown, and where they differ that is said.

use crate::error::{Error, Exit, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// An amount in öre. In files it is kronor: a whole number, or text with two decimals, `"6.50"`. Never a fraction in
/// binary, so that sums come out to the öre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ore(pub i64);

/// A share in hundredths of a per cent, from 0 to 10 000. In files it is text: `"12.5 %"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

/// Volumes and costs, as a file gives them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volumes {
    /// Whose.
    pub title: String,
    /// Where the figures are from.
    pub source: Option<String>,
    /// Documents that an employee gets in a year.
    pub documents_per_head: u64,
    /// By year.
    #[serde(default)]
    pub years: Vec<Year>,
    /// What sending digitally saves in a year.
    pub savings: Option<Savings>,
}

/// One year's volumes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Year {
    /// Which.
    pub year: i16,
    /// Employees whose documents are sent.
    pub employees: u64,
    /// Those of them who can be reached digitally; or `digital_share`.
    pub reachable: Option<u64>,
    /// Their share; or `reachable`.
    pub digital_share: Option<Share>,
    /// What the source prints.
    #[serde(default)]
    pub printed: PrintedYear,
}

/// A year's figures as the source prints them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrintedYear {
    /// Documents in all.
    pub documents: Option<u64>,
    /// Documents sent digitally.
    pub digital: Option<u64>,
}

/// What is saved.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Savings {
    /// Of one letter.
    pub postage: Ore,
    /// Of internal time.
    pub kronor_per_minute: Ore,
    /// Of sending digitally, a year.
    #[serde(default)]
    pub running_cost: Ore,
    /// Of the project, once.
    pub project_cost: Option<Ore>,
    /// By category of document.
    pub categories: Vec<Category>,
    /// What the source prints.
    #[serde(default)]
    pub printed: PrintedSavings,
}

/// A kind of document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// What it is.
    pub name: String,
    /// How many a year.
    pub documents: u64,
    /// Whether each is a letter with postage today. Default true.
    #[serde(default = "posted")]
    pub posted: bool,
    /// Internal minutes that each takes today. Default 0.
    #[serde(default)]
    pub minutes: u64,
    /// Internal cost of each where the source's table has another than its minutes give; the table's is used, and both
    /// are said.
    pub internal_each: Option<Ore>,
    /// What the source prints as its total.
    pub printed_total: Option<Ore>,
}

/// Sums as the source prints them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrintedSavings {
    /// Documents in all.
    pub documents: Option<u64>,
    /// Before the running cost.
    pub total: Option<Ore>,
    /// After it.
    pub net: Option<Ore>,
}

const fn posted() -> bool {
    true
}

/// What the volumes come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Whose.
    pub title: String,
    /// Where the figures are from.
    pub source: Option<String>,
    /// By year, in the file's order.
    pub years: Vec<YearForecast>,
    /// What is saved in a year.
    pub savings: Option<SavingsForecast>,
    /// Where the source's figures differ from each other, or from what its own figures give: a sentence each.
    pub disagreements: Vec<String>,
}

/// A year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct YearForecast {
    /// Which.
    pub year: i16,
    /// Employees.
    pub employees: u64,
    /// Who can be reached digitally.
    pub reachable: u64,
    /// Their share of the employees, in hundredths of a per cent.
    pub digital_share: Share,
    /// Documents in all: employees times documents a head.
    pub documents: u64,
    /// Documents sent digitally: the reachable times documents a head.
    pub digital: u64,
    /// Documents in all, as the source prints them.
    pub printed_documents: Option<u64>,
    /// Documents sent digitally, as the source prints them.
    pub printed_digital: Option<u64>,
}

/// Savings of a year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavingsForecast {
    /// By category, in the file's order.
    pub categories: Vec<CategoryForecast>,
    /// Documents of all categories.
    pub documents: u64,
    /// Postage saved, öre.
    pub postage: Ore,
    /// Internal time saved, öre.
    pub internal: Ore,
    /// Both, öre.
    pub total: Ore,
    /// What sending digitally costs, öre.
    pub running_cost: Ore,
    /// What is left, öre.
    pub net: Ore,
    /// Whole months until the project is paid back, counted up; `None` where it has no cost or saves nothing.
    pub paid_back_months: Option<u64>,
}

/// A kind of document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CategoryForecast {
    /// What it is.
    pub name: String,
    /// How many a year.
    pub documents: u64,
    /// Postage saved, öre.
    pub postage: Ore,
    /// Internal time saved, öre.
    pub internal: Ore,
    /// Both, öre.
    pub total: Ore,
}

impl Volumes {
    /// Reads a file of volumes.
    ///
    /// *Errors*: exit 65, with the line and key where it is wrong.
    pub fn read(file: &Path) -> Result<Self> {
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Error::because(Exit::Input, format!("cannot read the volumes {name}"), error))?;
        Self::parse(&text).map_err(|error| Error::because(Exit::Input, format!("in the volumes {name}"), error))
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let volumes: Self = toml::from_str(text)?;
        if volumes.years.is_empty() && volumes.savings.is_none() {
            return Err("there is nothing to compute: give [[years]], or [savings], or both".into());
        }
        if volumes.documents_per_head == 0 {
            return Err("documents_per_head is 0: who gets no documents needs no forecast".into());
        }
        let mut seen = BTreeSet::new();
        for year in &volumes.years {
            if !seen.insert(year.year) {
                return Err(format!("year {} is there twice", year.year).into());
            }
            if year.employees == 0 {
                return Err(format!("year {}: there are no employees", year.year).into());
            }
            match (year.reachable, year.digital_share) {
                (Some(reachable), None) if reachable > year.employees => {
                    return Err(format!("year {}: more can be reached than there are employees", year.year).into());
                }
                (Some(_), None) | (None, Some(_)) => {}
                _ => return Err(format!("year {}: give either reachable or digital_share", year.year).into()),
            }
        }
        Ok(volumes)
    }
}

impl Forecast {
    /// Computes what the volumes come to.
    ///
    /// *Errors*: exit 65 where a product is beyond what 64 bits hold.
    pub fn of(volumes: &Volumes) -> Result<Self> {
        let too_large = || Error::new(Exit::Input, "the volumes are too large to compute with");
        let mut disagreements = Vec::new();
        let years = volumes.years.iter().map(|year| year_of(volumes, year, &mut disagreements).ok_or_else(too_large));
        let years = years.collect::<Result<Vec<_>>>()?;
        let savings = volumes.savings.as_ref();
        let savings =
            savings.map(|savings| savings_of(savings, &mut disagreements).ok_or_else(too_large)).transpose()?;
        Ok(Self { title: volumes.title.clone(), source: volumes.source.clone(), years, savings, disagreements })
    }
}

fn year_of(volumes: &Volumes, year: &Year, disagreements: &mut Vec<String>) -> Option<YearForecast> {
    let per_head = volumes.documents_per_head;
    let reachable = match (year.reachable, year.digital_share) {
        (Some(reachable), _) => reachable,
        (None, Some(share)) => share.of(year.employees)?,
        (None, None) => return None,
    };
    let (documents, digital) = (year.employees.checked_mul(per_head)?, reachable.checked_mul(per_head)?);
    let mut compare = |what: &str, printed: Option<u64>, ours: u64, heads: u64| {
        if let Some(printed) = printed
            && printed != ours
        {
            disagreements.push(format!(
                "{}: the source prints {} {what}; {per_head} for each of {} are {}",
                year.year,
                Grouped(printed),
                Grouped(heads),
                Grouped(ours)
            ));
        }
    };
    compare("documents in all", year.printed.documents, documents, year.employees);
    compare("documents sent digitally", year.printed.digital, digital, reachable);
    Some(YearForecast {
        year: year.year,
        employees: year.employees,
        reachable,
        digital_share: Share::between(reachable, year.employees),
        documents,
        digital,
        printed_documents: year.printed.documents,
        printed_digital: year.printed.digital,
    })
}

fn savings_of(savings: &Savings, disagreements: &mut Vec<String>) -> Option<SavingsForecast> {
    let mut categories = Vec::new();
    let mut by_minutes = Vec::new();
    let mut more = Ore(0);
    for category in &savings.categories {
        let postage = if category.posted { savings.postage.times(category.documents)? } else { Ore(0) };
        let minutes = savings.kronor_per_minute.times(category.minutes)?;
        let each = category.internal_each.unwrap_or(minutes);
        let internal = each.times(category.documents)?;
        if each != minutes {
            by_minutes.push(format!("{} ({} minutes are {minutes}, not {each})", category.name, category.minutes));
            more = more.plus(minutes.minus(each)?.times(category.documents)?)?;
        }
        let total = postage.plus(internal)?;
        if let Some(printed) = category.printed_total
            && printed != total
        {
            disagreements.push(format!("{}: the source prints {printed}; its figures give {total}", category.name));
        }
        categories.push(CategoryForecast {
            name: category.name.clone(),
            documents: category.documents,
            postage,
            internal,
            total,
        });
    }
    let sum = |of: fn(&CategoryForecast) -> Ore| categories.iter().map(of).try_fold(Ore(0), |sum, next| sum.plus(next));
    let (postage, internal, total) = (sum(|at| at.postage)?, sum(|at| at.internal)?, sum(|at| at.total)?);
    let net = total.minus(savings.running_cost)?;
    let documents = categories.iter().try_fold(0_u64, |sum, category| sum.checked_add(category.documents))?;
    if !by_minutes.is_empty() {
        disagreements.push(format!(
            "the source's minutes at {} a minute give another cost than its table has for {}; the table is followed, and \
             with the minutes the net would be {}",
            savings.kronor_per_minute,
            by_minutes.join(", "),
            net.plus(more)?
        ));
    }
    let PrintedSavings { documents: printed_documents, total: printed_total, net: printed_net } = savings.printed;
    let mut compare = |what: &str, printed: Option<String>, ours: String| {
        if let Some(printed) = printed.filter(|printed| *printed != ours) {
            disagreements.push(format!("{what}: the source prints {printed}; its figures give {ours}"));
        }
    };
    compare("documents", printed_documents.map(|at| Grouped(at).to_string()), Grouped(documents).to_string());
    compare("savings", printed_total.map(|at| at.to_string()), total.to_string());
    compare("net", printed_net.map(|at| at.to_string()), net.to_string());
    let paid_back_months = match savings.project_cost {
        Some(Ore(cost)) if net.0 > 0 && cost >= 0 => {
            Some(u64::try_from(cost.checked_mul(12)?).ok()?.div_ceil(u64::try_from(net.0).ok()?))
        }
        _ => None,
    };
    let running_cost = savings.running_cost;
    Some(SavingsForecast { categories, documents, postage, internal, total, running_cost, net, paid_back_months })
}

impl Ore {
    fn times(self, count: u64) -> Option<Self> {
        self.0.checked_mul(i64::try_from(count).ok()?).map(Self)
    }

    fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Kronor with at most two decimals.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches("kr").trim_end();
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 2 || text.ends_with('.') {
            return None;
        }
        let ore: i64 = if part.is_empty() { 0 } else { format!("{part:0<2}").parse().ok()? };
        whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(ore).map(Self)
    }
}

/// `1 117 935 kr`, `6.50 kr`.
impl fmt::Display for Ore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (kronor, ore) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        let text = match ore {
            0 => format!("{sign}{} kr", Grouped(kronor)),
            _ => format!("{sign}{}.{ore:02} kr", Grouped(kronor)),
        };
        f.pad(&text)
    }
}

impl Serialize for Ore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Ore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Kronor(i64),
            Text(String),
        }
        let amount = match Raw::deserialize(deserializer) {
            Ok(Raw::Kronor(kronor)) if kronor >= 0 => kronor.checked_mul(100).map(Self),
            Ok(Raw::Text(text)) => Self::parse(&text),
            _ => None,
        };
        amount.ok_or_else(|| de::Error::custom("an amount is kronor from 0: a whole number, or \"6.50\" in quotes"))
    }
}

impl Share {
    /// So many of these, rounded to the nearest.
    fn of(self, whole: u64) -> Option<u64> {
        Some(whole.checked_mul(u64::from(self.0))?.checked_add(5_000)? / 10_000)
    }

    fn between(part: u64, whole: u64) -> Self {
        let share = (u128::from(part) * 10_000 + u128::from(whole / 2)) / u128::from(whole.max(1));
        Self(u32::try_from(share).unwrap_or(u32::MAX))
    }
}

/// `12.50 %`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02} %", self.0 / 100, self.0 % 100))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Hundredths of a per cent are written as öre of kronor are.
        let share = text.trim().strip_suffix('%').and_then(Ore::parse).and_then(|Ore(share)| u32::try_from(share).ok());
        share
            .filter(|share| *share <= 10_000)
            .map(Self)
            .ok_or_else(|| de::Error::custom("a share is text from \"0 %\" to \"100 %\", with at most two decimals"))
    }
}

/// Digits in groups of three.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn volumes(rest: &str) -> Result<Volumes, Box<dyn std::error::Error + Send + Sync>> {
        Volumes::parse(&format!("title = \"t\"\ndocuments_per_head = 13\n{rest}"))
    }

    #[test]
    fn amounts_are_read_to_the_ore() {
        for (text, ore) in [("6.50", 650), ("6.5", 650), ("20", 2000), ("0.05", 5), ("1117935 kr", 111_793_500)] {
            assert_eq!(Ore::parse(text), Some(Ore(ore)), "{text}");
        }
        for text in ["", ".5", "6.", "6.505", "-1", "6,50", "1e3", "kr"] {
            assert_eq!(Ore::parse(text), None, "{text}");
        }
        assert_eq!(Ore(111_793_500).to_string(), "1 117 935 kr");
        assert_eq!(Ore(-650).to_string(), "-6.50 kr");
    }

    #[test]
    fn what_cannot_be_computed_exactly_is_refused() {
        let savings = |postage: &str| {
            format!("[savings]\npostage = {postage}\nkronor_per_minute = \"6.00\"\ncategories = []\nrunning_cost = 0\n")
        };
        assert!(volumes(&savings("\"6.50\"")).is_ok());
        assert!(volumes(&savings("6.50")).unwrap_err().to_string().contains("in quotes"));
        let year = |rest: &str| format!("[[years]]\nyear = 2027\nemployees = 100\n{rest}\n");
        assert!(volumes(&year("digital_share = \"12.5 %\"")).is_ok());
        assert!(volumes(&year("reachable = 1").repeat(2)).unwrap_err().to_string().contains("2027 is there twice"));
        assert!(volumes("").unwrap_err().to_string().contains("give [[years]]"));
        assert!(volumes(&year("reachable = 0").replace("100", "0")).unwrap_err().to_string().contains("no employees"));
        for wrong in ["", "digital_share = 0.125", "digital_share = \"101 %\"", "reachable = 101"] {
            assert!(volumes(&year(wrong)).is_err(), "{wrong}");
        }
        let vast = volumes(&year("reachable = 100").replace("100", "9000000000000000000")).unwrap();
        assert_eq!(Forecast::of(&vast).unwrap_err().exit(), Exit::Input);
    }

    proptest! {
        /// Sums are sums, and what is printed right is not said to disagree.
        #[test]
        fn the_table_balances(documents in proptest::collection::vec(0u64..10_000_000, 1..8), postage in 0i64..2000, minutes in 0u64..30) {
            let mut text = format!("[savings]\npostage = \"{}.{:02}\"\nkronor_per_minute = 6\nrunning_cost = 50000\n", postage / 100, postage % 100);
            for (place, count) in documents.iter().enumerate() {
                text.push_str(&format!("[[savings.categories]]\nname = \"{place}\"\ndocuments = {count}\nminutes = {minutes}\n"));
            }
            let forecast = Forecast::of(&volumes(&text).unwrap()).unwrap();
            let savings = forecast.savings.unwrap();
            let all: u64 = documents.iter().sum();
            prop_assert_eq!(savings.documents, all);
            prop_assert_eq!(savings.total.0, all as i64 * (postage + 600 * minutes as i64));
            prop_assert_eq!(savings.net.0, savings.total.0 - 5_000_000);
            prop_assert_eq!(forecast.disagreements.len(), 0);
        }
    }
}
