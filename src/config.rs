//! The settings: one TOML file, as types with units and ranges. An unknown key is refused.
//!
//! Paths in the file are relative to the file's own folder. Secrets are named by file, never written here.

use crate::domain::{Form, Organisation, Windows};
use crate::error::{Error, Exit, Result};
use serde::{Deserialize, Deserializer, de};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All settings of a sender.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The installation: what outlives a run.
    pub installation: Installation,
    /// Limits and habits of a run.
    #[serde(default)]
    pub run: Run,
    /// Keys and certificates.
    pub keys: Keys,
    /// Förmedlingsadressregistret.
    pub far: Far,
    /// Mailbox operators that may be sent to.
    #[serde(default)]
    pub operators: Vec<Operator>,
    /// Who the letters are from, per uppgiftslämnare.
    pub senders: Senders,
    /// Which channel, per uppgiftslämnare and form.
    #[serde(default)]
    pub channels: Channels,
    /// Which forms are letters.
    #[serde(default)]
    pub forms: Forms,
    /// The print supplier; without it nothing goes on paper.
    pub paper: Option<Paper>,
    /// A file of identities, one a line, that are held back whatever the policy says.
    pub protected: Option<PathBuf>,
    /// Where the settings were read.
    #[serde(skip)]
    pub file: PathBuf,
}

/// What outlives a run: register, locks and the installation's key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// Folder of the register and the locks; mode 0700.
    pub state: PathBuf,
    /// 32 random bytes as 64 hexadecimal digits, mode 0600. Made at first use where the file is missing.
    pub key_file: PathBuf,
}

/// Limits and habits of a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// When everything must have left, RFC 3339 with zone, `"2027-01-31T23:59:00+01:00"`; reports tell whether it will hold.
    #[serde(deserialize_with = "deadline")]
    pub deadline: Option<jiff::Timestamp>,
    /// A FaR answer older than this is asked again before sending. Default 24 h.
    #[serde(deserialize_with = "duration")]
    pub lookup_max_age: Duration,
    /// Share of rejected statements above which nothing is sent without `--accept-rejects`. Default 0.02.
    pub max_rejected_share: f64,
    /// Greatest size of one record in bytes. Default 65 536.
    pub record_limit_bytes: u32,
    /// Greatest size of a whole request in bytes, from 65 536 to 2 000 000, the default (the infrastructure's 2 MB, counted
    /// strictly).
    pub message_limit_bytes: usize,
    /// Keeps the staged copy of the export after the run. Default false.
    pub keep_export: bool,
    /// CPU threads for intake and prepare, 1 to 1024; default: all.
    pub threads: Option<usize>,
    /// What a finding across records is (a repeat in one file, an unlisted Arendeagare, the wrong year): default
    /// warnings.
    pub cross_record: Severity,
}

/// Whether a finding stops its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Told, and the statement goes on.
    Warning,
    /// Told, and the statement is rejected.
    Error,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            deadline: None,
            lookup_max_age: Duration::from_secs(24 * 3600),
            max_rejected_share: 0.02,
            record_limit_bytes: 64 * 1024,
            message_limit_bytes: 2_000_000,
            keep_export: false,
            threads: None,
            cross_record: Severity::Warning,
        }
    }
}

/// Keys and certificates. Signing keys are RSA; all may be the same file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Signs the inner SignedDelivery (avsändare).
    pub sender: KeySource,
    /// Signs the outer SealedDelivery (förmedlare).
    pub mediator: KeySource,
    /// Client certificate towards FaR and operators.
    pub tls: KeySource,
    /// PEM bundle of the certificate authorities that FaR and operators are trusted by. The system's store is not used.
    pub trusted_roots: PathBuf,
}

/// Where a key and its certificate are: a PKCS#12 file, or two PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum KeySource {
    /// PKCS#12.
    Pkcs12 {
        /// The file.
        pkcs12: PathBuf,
        /// A file that holds the password, a last newline ignored.
        password_file: PathBuf,
    },
    /// PEM: certificate (and its chain after it) and private key (PKCS#8, or PKCS#8 encrypted with a password).
    Pem {
        /// Certificate, chain after it.
        certificate: PathBuf,
        /// Private key.
        private_key: PathBuf,
        /// Password of an encrypted private key.
        password_file: Option<PathBuf>,
    },
}

/// An agreed rate of requests. It has no default: a number or the word `"unlimited"` must be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// At most so many a second.
    PerSecond(f64),
    /// No limit agreed.
    Unlimited,
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Word(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(rate) if rate.is_finite() && rate > 0.0 && rate <= 100_000.0 => Ok(Self::PerSecond(rate)),
            Raw::Word(word) if word == "unlimited" => Ok(Self::Unlimited),
            _ => Err(de::Error::custom("a rate is a number above 0 and at most 100000, or \"unlimited\"")),
        }
    }
}

/// FaR.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Far {
    /// Address of Recipient v3, https.
    pub address: String,
    /// Agreed rate of calls.
    pub rate_per_s: Rate,
    /// When it may be asked: days and hours in Europe/Stockholm, `["mon-fri 18:00-06:00", "sat,sun 00:00-24:00"]`.
    /// Absent: always.
    #[serde(default, deserialize_with = "windows")]
    pub windows: Windows,
    /// Calls under way at once, at most 10 000. Default 4.
    #[serde(default = "Far::concurrency")]
    pub concurrency: usize,
    /// Ids in one call, 1 to 1000 (the contract's limit, and the default).
    #[serde(default = "Far::batch")]
    pub batch: usize,
    /// Longest wait for an answer. Default 30 s.
    #[serde(default = "Far::timeout", deserialize_with = "duration")]
    pub timeout: Duration,
    /// How long it may fail without a single success before its questions are left for a resume. Default 30 min.
    #[serde(default = "give_up_after", deserialize_with = "duration")]
    pub give_up_after: Duration,
}

impl Far {
    const fn concurrency() -> usize {
        4
    }
    const fn batch() -> usize {
        1000
    }
    const fn timeout() -> Duration {
        Duration::from_secs(30)
    }
}

/// A mailbox operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Its organisation number in FaR (`16…`, ServiceSupplier/Id).
    #[serde(deserialize_with = "organisation")]
    pub id: Organisation,
    /// Its name in reports and orders; no other operator's, and not `far`.
    pub name: String,
    /// Where it is known to be: `check` shakes hands with it there. Letters go where FaR says.
    pub service_address: Option<String>,
    /// Agreed rate of deliveries.
    pub rate_per_s: Rate,
    /// When letters may leave to it: days and hours in Europe/Stockholm, as in `[far]`. Absent: always.
    #[serde(default, deserialize_with = "windows")]
    pub windows: Windows,
    /// Requests under way at once, at most 10 000: also the most that a kill can leave in doubt. Default 16.
    #[serde(default = "Operator::concurrency")]
    pub concurrency: usize,
    /// Longest wait for a connection. Default 5 s.
    #[serde(default = "Operator::connect_timeout", deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// Longest wait for an answer once the request is written. Default 120 s.
    #[serde(default = "Operator::timeout", deserialize_with = "duration")]
    pub timeout: Duration,
    /// How long it may fail without a single success before its statements are left for a resume. Default 30 min.
    #[serde(default = "give_up_after", deserialize_with = "duration")]
    pub give_up_after: Duration,
    /// Attempts that reached the operator before a statement is given up, at least 1. Default 8.
    #[serde(default = "Operator::attempts")]
    pub attempts: u32,
    /// What becomes of a statement whose answer is unknown. Default `hold`.
    #[serde(default)]
    pub in_doubt: InDoubt,
    /// Certificate (PEM) that attachments are encrypted to; without it they go as they are, as the public contract has
    /// it.
    pub encryption_certificate: Option<PathBuf>,
}

impl Operator {
    const fn concurrency() -> usize {
        16
    }
    const fn connect_timeout() -> Duration {
        Duration::from_secs(5)
    }
    const fn timeout() -> Duration {
        Duration::from_secs(120)
    }
    const fn attempts() -> u32 {
        8
    }
}

/// Policy for statements in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InDoubt {
    /// Stays in doubt until a person settles it.
    #[default]
    Hold,
    /// The same bytes with the same id are sent again; the report marks the risk of a duplicate.
    Resend,
}

/// Who letters are from.
#[derive(Clone, Debug)]
pub struct Senders {
    /// The sender of an uppgiftslämnare that is not listed.
    pub default: Sender,
    /// By the uppgiftslämnare's twelve digits.
    pub by_uppgiftslamnare: BTreeMap<String, Sender>,
}

impl<'de> Deserialize<'de> for Senders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut by_uppgiftslamnare = BTreeMap::<String, Sender>::deserialize(deserializer)?;
        let mut default = by_uppgiftslamnare.remove("default").ok_or_else(|| de::Error::missing_field("default"))?;
        default.names = default.id;
        for (number, sender) in &mut by_uppgiftslamnare {
            sender.names = Organisation::parse(number).ok();
        }
        Ok(Self { default, by_uppgiftslamnare })
    }
}

/// A sender as Mina meddelanden knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// Sender id, `16` + organisation number. Absent: the uppgiftslämnare's own.
    #[serde(default, deserialize_with = "organisation_or_none")]
    pub id: Option<Organisation>,
    /// Name shown to the recipient, 2 to 256 characters.
    pub name: String,
    /// The one uppgiftslämnare whose name this is, by its number: that of its table, the default sender's own `id`. A letter
    /// says of no other that it is called so.
    #[serde(skip)]
    pub names: Option<Organisation>,
    /// Whom to ask, at most 1024 characters.
    pub support_text: String,
    /// Web address for questions, http or https, at most 255 characters.
    pub support_url: Option<String>,
    /// Telephone for questions.
    pub support_phone: Option<String>,
    /// E-mail for questions.
    pub support_email: Option<String>,
}

impl Senders {
    /// The sender of an uppgiftslämnare.
    pub fn of(&self, uppgiftslamnare: &Organisation) -> &Sender {
        self.by_uppgiftslamnare.get(uppgiftslamnare.identity().expose()).unwrap_or(&self.default)
    }

    /// The sender id of an uppgiftslämnare: the setting, or its own number.
    pub fn id_of(&self, uppgiftslamnare: &Organisation) -> Organisation {
        self.of(uppgiftslamnare).id.unwrap_or(*uppgiftslamnare)
    }
}

/// How a statement leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// To the mailbox, and on paper where there is none.
    #[default]
    DigitalElsePaper,
    /// To the mailbox where there is one, and on paper in any case.
    DigitalAndPaper,
    /// On paper only.
    Paper,
    /// Not at all.
    Hold,
}

/// Channel policies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Channels {
    /// Where no rule fits.
    pub default: Policy,
    /// Rules; the first that fits decides. One that can never decide is refused.
    pub rules: Vec<ChannelRule>,
}

/// One rule: both conditions hold where given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelRule {
    /// Twelve digits.
    #[serde(default, deserialize_with = "organisation_or_none")]
    pub uppgiftslamnare: Option<Organisation>,
    /// `KU10`.
    #[serde(default, deserialize_with = "form_or_none")]
    pub form: Option<Form>,
    /// What then.
    pub policy: Policy,
}

impl ChannelRule {
    /// Whether it fits whatever the other one fits.
    fn takes_all_of(&self, other: &Self) -> bool {
        (self.uppgiftslamnare.is_none() || self.uppgiftslamnare == other.uppgiftslamnare)
            && (self.form.is_none() || self.form == other.form)
    }
}

impl Channels {
    /// The policy for a statement.
    pub fn policy(&self, uppgiftslamnare: &Organisation, form: Form) -> Policy {
        self.rules
            .iter()
            .find(|rule| {
                rule.uppgiftslamnare.is_none_or(|id| id == *uppgiftslamnare) && rule.form.is_none_or(|of| of == form)
            })
            .map_or(self.default, |rule| rule.policy)
    }
}

/// Which forms are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forms {
    /// Default: the employer forms KU10, 13, 14, 16, 17, 18, 19.
    #[serde(deserialize_with = "forms")]
    pub send: BTreeSet<Form>,
}

impl Default for Forms {
    fn default() -> Self {
        Self { send: Form::EMPLOYER.into() }
    }
}

/// The print supplier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Certificate (PEM) that bundles are encrypted to.
    pub supplier_certificate: PathBuf,
    /// Whether the supplier finds addresses by person id itself. Default false.
    #[serde(default)]
    pub supplier_addresses: bool,
    /// Letters in one bundle. Default 500.
    #[serde(default = "Paper::letters_per_bundle")]
    pub letters_per_bundle: usize,
    /// Where bundles are written; default `paper` in the run's folder.
    pub folder: Option<PathBuf>,
}

impl Paper {
    const fn letters_per_bundle() -> usize {
        500
    }
}

impl Config {
    /// Reads and checks a settings file.
    ///
    /// *Errors*: exit 78, with the line and key where it is wrong.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Error::because(Exit::Settings, format!("cannot read the settings {}", file.display()), error)
        })?;
        let mut config: Config = toml::from_str(&text)
            .map_err(|error| Error::because(Exit::Settings, format!("in the settings {}", file.display()), error))?;
        config.file = file.to_path_buf();
        // Before paths are joined: an empty one would become the file's own folder.
        config.check()?;
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        config.paths().into_iter().for_each(|path| *path = folder.join(&*path));
        Ok(config)
    }

    /// The settings' own file and all that they name; folders too.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut named = self.clone();
        named.paths().into_iter().map(std::mem::take).chain([self.file.clone()]).collect()
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths =
            vec![&mut self.installation.state, &mut self.installation.key_file, &mut self.keys.trusted_roots];
        for key in [&mut self.keys.sender, &mut self.keys.mediator, &mut self.keys.tls] {
            match key {
                KeySource::Pkcs12 { pkcs12, password_file } => paths.extend([pkcs12, password_file]),
                KeySource::Pem { certificate, private_key, password_file } => {
                    paths.extend([certificate, private_key]);
                    paths.extend(password_file);
                }
            }
        }
        paths.extend(self.operators.iter_mut().filter_map(|operator| operator.encryption_certificate.as_mut()));
        if let Some(paper) = &mut self.paper {
            paths.push(&mut paper.supplier_certificate);
            paths.extend(&mut paper.folder);
        }
        paths.extend(&mut self.protected);
        paths
    }

    fn check(&self) -> Result<()> {
        let wrong =
            |what: String| Err(Error::new(Exit::Settings, format!("in the settings {}: {what}", self.file.display())));
        let folder = self.paper.as_ref().and_then(|paper| paper.folder.as_ref());
        let paths = [
            ("installation.state", Some(&self.installation.state)),
            ("installation.key_file", Some(&self.installation.key_file)),
            ("paper.folder", folder),
            ("protected", self.protected.as_ref()),
        ];
        for (key, path) in paths {
            if path.is_some_and(|path| path.to_string_lossy().trim().is_empty()) {
                return wrong(format!("{key} is empty; name a path"));
            }
        }
        if !(1..=1000).contains(&self.far.batch) {
            return wrong("far.batch is from 1 to 1000".into());
        }
        if !(1..=MOST_AT_ONCE).contains(&self.far.concurrency) {
            return wrong(format!("far.concurrency is from 1 to {MOST_AT_ONCE}"));
        }
        if !(0.0..=1.0).contains(&self.run.max_rejected_share) {
            return wrong("run.max_rejected_share is from 0 to 1".into());
        }
        if !(1024..=16 * 1024 * 1024).contains(&self.run.record_limit_bytes) {
            return wrong("run.record_limit_bytes is from 1024 to 16777216".into());
        }
        if !(LEAST_MESSAGE_BYTES..=MOST_MESSAGE_BYTES).contains(&self.run.message_limit_bytes) {
            return wrong(format!("run.message_limit_bytes is from {LEAST_MESSAGE_BYTES} to {MOST_MESSAGE_BYTES}"));
        }
        if self.run.threads.is_some_and(|threads| !(1..=MOST_THREADS).contains(&threads)) {
            return wrong(format!("run.threads is from 1 to {MOST_THREADS}; without it all processors are used"));
        }
        if self.paper.as_ref().is_some_and(|paper| paper.letters_per_bundle == 0) {
            return wrong("paper.letters_per_bundle is at least 1".into());
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.operators.iter().find(|operator| !seen.insert(operator.id)) {
            return wrong(format!("operator {} is listed twice", twice.id));
        }
        // Orders name operators by name or number, whatever the case.
        let mut names: BTreeSet<String> = self.operators.iter().map(|operator| operator.id.to_string()).collect();
        for operator in &self.operators {
            let (id, name) = (operator.id, operator.name.trim());
            if name.is_empty() {
                return wrong(format!("operator {id} has no name"));
            }
            if name.eq_ignore_ascii_case("far") {
                return wrong(format!("operator {id} is named {name:?}, as FaR is in orders; name it otherwise"));
            }
            if *name != *id.to_string() && !names.insert(name.to_lowercase()) {
                return wrong(format!("operator {id} is named {name:?}, as another operator is; name it otherwise"));
            }
            if !(1..=MOST_AT_ONCE).contains(&operator.concurrency) {
                return wrong(format!("the concurrency of operator {name} ({id}) is from 1 to {MOST_AT_ONCE}"));
            }
            if operator.attempts == 0 {
                return wrong(format!("the attempts of operator {name} ({id}) are at least 1"));
            }
        }
        for (place, rule) in self.channels.rules.iter().enumerate() {
            let before = self.channels.rules.iter().take(place).position(|before| before.takes_all_of(rule));
            if let Some(before) = before {
                return wrong(format!(
                    "rule {} of channels.rules never applies: rule {} takes all that it would, and the first that fits \
                     decides",
                    place + 1,
                    before + 1
                ));
            }
        }
        for (key, sender) in
            self.senders.by_uppgiftslamnare.iter().chain([(&"default".to_owned(), &self.senders.default)])
        {
            // As an organisation shows itself: the number of a person is masked.
            let table = match Organisation::parse(key) {
                Ok(number) => format!("senders.{number}"),
                Err(_) if key == "default" => "senders.default".to_owned(),
                Err(_) => {
                    return wrong("a key under [senders] is neither `default` nor a valid twelve-digit number".into());
                }
            };
            let limits = [
                ("name", 2, 256, Some(&sender.name)),
                ("support_text", 1, 1024, Some(&sender.support_text)),
                ("support_url", 1, 255, sender.support_url.as_ref()),
                ("support_phone", 1, 255, sender.support_phone.as_ref()),
                ("support_email", 5, 256, sender.support_email.as_ref()),
            ];
            for (key, least, most, value) in limits {
                // Blanks around it are no part of what is read.
                let fits = |value: &String| value.trim().chars().count() >= least && value.chars().count() <= most;
                if !value.is_none_or(fits) {
                    return wrong(format!("{table}.{key} has from {least} to {most} characters, and not only blanks"));
                }
            }
            if !sender.support_url.as_deref().is_none_or(is_web_address) {
                return wrong(format!(
                    "{table}.support_url is a web address without blanks or letters beyond ASCII, as \
                     \"https://www.example.se/kontrolluppgift\""
                ));
            }
        }
        Ok(())
    }
}

/// Least size that requests may be limited to: an ordinary one has some 26,000 bytes, and with a smaller limit every letter
/// would fail.
const LEAST_MESSAGE_BYTES: usize = 65_536;
/// Greatest size that requests may be limited to: the infrastructure takes no larger ones.
const MOST_MESSAGE_BYTES: usize = 2_000_000;
/// Most requests under way at once: each is a connection of its own, and at a second an answer this is more than any
/// machine signs.
const MOST_AT_ONCE: usize = 10_000;
/// Most CPU threads: more than any machine that this is for has processors.
const MOST_THREADS: usize = 1024;

const fn give_up_after() -> Duration {
    Duration::from_secs(30 * 60)
}

/// `"30s"`, `"5m"`, `"24h"`, `"7d"`, `"250ms"`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let amount: Option<u64> = number.parse().ok();
    match amount.and_then(|amount| amount.checked_mul(scale_ms)) {
        Some(total_ms) if total_ms > 0 => Ok(Duration::from_millis(total_ms)),
        _ => Err(de::Error::custom("a time is a whole number above 0 and ms, s, m, h or d, as \"30s\"")),
    }
}

fn deadline<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<jiff::Timestamp>, D::Error> {
    let text = String::deserialize(deserializer).ok();
    let moment = text.and_then(|text| text.parse().ok());
    moment.map(Some).ok_or_else(|| {
        de::Error::custom("a deadline is a date, a time and a zone in quotes, as \"2027-01-31T23:59:00+01:00\"")
    })
}

/// Whether a text can stand as a link: http or https and only characters of a URL.
pub fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte))
    })
}

fn windows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Windows, D::Error> {
    Windows::parse(&Vec::<String>::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn organisation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Organisation, D::Error> {
    let text = String::deserialize(deserializer)?;
    Organisation::parse(&text).map_err(|error| de::Error::custom(format!("an organisation is twelve digits: {error}")))
}

fn organisation_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Organisation>, D::Error> {
    organisation(deserializer).map(Some)
}

fn form<E: de::Error>(text: &str) -> Result<Form, E> {
    Form::by_element(text).ok_or_else(|| de::Error::custom("a form is KU10, KU13, … or KupongS"))
}

fn form_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Form>, D::Error> {
    form(&String::deserialize(deserializer)?).map(Some)
}

fn forms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Form>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| form(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = r#"
        [installation]
        state = "state"
        key_file = "key"
        [run]
        # run
        [keys]
        trusted_roots = "roots"
        sender = { pkcs12 = "a", password_file = "b" }
        mediator = { pkcs12 = "a", password_file = "b" }
        tls = { pkcs12 = "a", password_file = "b" }
        [far]
        address = "https://far"
        rate_per_s = 5
        [[operators]]
        id = "165021680250"
        name = "Operatör Ett"
        rate_per_s = 5
        # first
        [[operators]]
        id = "162021003898"
        name = "Operatör Två"
        rate_per_s = 5
        [senders.default]
        name = "Kommun"
        support_text = "Fråga"
        # sender
        [senders.165021680250]
        name = "Bolag"
        support_text = "Fråga"
        # listed
        [channels]
        default = "paper"
        # rules
    "#;

    /// What is said of the settings with something replaced.
    fn said(from: &str, to: &str) -> Option<String> {
        let text = SETTINGS.replacen(from, to, 1);
        assert!(from == to || text != SETTINGS, "{from} is not there");
        said_of(&text)
    }

    fn said_of(text: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let error = Config::read(file.path()).err()?;
        assert_eq!(error.exit(), Exit::Settings);
        let said = error.to_string();
        assert!(said.contains(file.path().to_str().unwrap()), "{said}");
        Some(said)
    }

    #[test]
    fn what_no_run_could_do_with_is_refused_by_name() {
        assert_eq!(said("", ""), None);
        for fits in [
            "threads = 1024",
            "message_limit_bytes = 65536",
            "message_limit_bytes = 2000000",
            "deadline = \"2027-01-31T23:59:00+01:00\"",
        ] {
            assert_eq!(said("# run", fits), None, "{fits}");
        }
        assert_eq!(said("# first", "attempts = 1"), None);
        for (from, to, words) in [
            ("# run", "threads = 0", "run.threads is from 1 to 1024"),
            ("# run", "threads = 1025", "run.threads is from 1 to 1024"),
            ("# run", "message_limit_bytes = 65535", "run.message_limit_bytes is from 65536 to 2000000"),
            ("# run", "message_limit_bytes = 2000001", "run.message_limit_bytes is from 65536 to 2000000"),
            ("# first", "attempts = 0", "attempts of operator Operatör Ett (165021680250)"),
            ("# first", "concurrency = 0", "concurrency of operator Operatör Ett (165021680250)"),
            ("Operatör Två", "operatör ETT", "operator 162021003898 is named \"operatör ETT\", as another"),
            ("Operatör Två", "165021680250", "operator 162021003898 is named \"165021680250\", as another"),
            ("Operatör Två", "FaR", "operator 162021003898 is named \"FaR\", as FaR is"),
            ("Operatör Två", " ", "operator 162021003898 has no name"),
            ("162021003898", "165021680250", "operator 165021680250 is listed twice"),
        ] {
            let said = said(from, to).expect(to);
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(said("162021003898", "far").is_some());
    }

    #[test]
    fn what_could_not_be_meant_is_refused_by_name() {
        let rule = |conditions: &str| format!("[[channels.rules]]\n{conditions}\npolicy = \"hold\"\n");
        let rules = |of: &[&str]| of.iter().map(|conditions| rule(conditions)).collect::<String>();
        let (form, other) = ("form = \"KU10\"", "form = \"KU13\"");
        let (who, one) = ("uppgiftslamnare = \"165021680250\"", "uppgiftslamnare = \"165021680250\"\nform = \"KU10\"");
        let never = "rule 2 of channels.rules never applies: rule 1 takes all";
        let sender = "senders.165021680250.";
        let url = format!("{sender}support_url is a web address");
        for fits in ["support_url = \"https://www.example.se/a?b=c\"", "support_url = \"http://example.se\""] {
            assert_eq!(said("# listed", fits), None, "{fits}");
        }
        assert_eq!(said("# first", "concurrency = 10000"), None);
        assert_eq!(said("# rules", &rules(&[one, who, form, other, ""])), None);
        let wrong = [
            ("\"state\"", "\"\"", "installation.state is empty"),
            ("\"key\"", "\" \"", "installation.key_file is empty"),
            ("# listed", "[paper]\nsupplier_certificate = \"a\"\nfolder = \"\"", "paper.folder is empty"),
            (
                "# first",
                "concurrency = 10001",
                "concurrency of operator Operatör Ett (165021680250) is from 1 to 10000",
            ),
            ("rate_per_s = 5", "rate_per_s = 5\nconcurrency = 10001", "far.concurrency is from 1 to 10000"),
            ("\"Kommun\"", "\"K\"", "senders.default.name has from 2 to 256 characters"),
            ("\"Kommun\"", "\"\\u00a0   \"", "senders.default.name has from 2 to 256 characters, and not only blanks"),
            ("\"Bolag\"", "\"  B \"", "senders.165021680250.name has from 2 to 256 characters"),
            ("# listed", "support_phone = \" \"", "senders.165021680250.support_phone has from 1"),
            ("# listed", "support_url = \"www.example.se\"", &url),
            ("# listed", "support_url = \"ftp://example.se\"", &url),
            ("# listed", "support_url = \"https://\"", &url),
            ("# listed", "support_url = \"https:///a\"", &url),
            ("# listed", "support_url = \"https://exa mple.se\"", &url),
            ("# rules", &rules(&[form, form]), never),
            ("# rules", &rules(&["", who]), never),
            ("# rules", &rules(&[who, one]), never),
            ("# rules", &rules(&[other, who, "", one]), "rule 4 of channels.rules never applies: rule 2 takes all"),
        ];
        for (from, to, words) in wrong {
            let said = said(from, to).expect(to);
            assert!(said.contains(words), "{words}: {said}");
        }
        // The number of a person is not told.
        let person = SETTINGS.replace("[senders.165021680250]", "[senders.195111232079]").replace("\"Bolag\"", "\" \"");
        let said = said_of(&person).unwrap();
        assert!(said.contains("senders.************.name") && !said.contains("195111232079"), "{said}");
    }

    #[test]
    fn a_deadline_is_shown_how_it_is_written() {
        for wrong in ["\"2027-01-31\"", "\"2027-01-31 23:59\"", "2027-01-31T23:59:00+01:00", "\"tonight\"", "5"] {
            let text = SETTINGS.replace("# run", &format!("deadline = {wrong}"));
            let line = 1 + text.lines().position(|line| line.contains("deadline")).unwrap();
            let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
            let told = error.contains("as \"2027-01-31T23:59:00+01:00\"") && error.contains(&format!("line {line},"));
            assert!(told, "{wrong}: {error}");
        }
    }

    #[test]
    fn a_fault_of_a_sender_is_told_at_its_own_table() {
        let begins = |text: &str| 1 + text.lines().position(|line| line.contains("[senders.165021680250]")).unwrap();
        let text = SETTINGS.replacen("name = \"Bolag\"\n        support_text = \"Fråga\"", "name = \"Bolag\"", 1);
        assert_ne!(text, SETTINGS);
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        let told =
            error.contains("missing field `support_text`") && error.contains(&format!("line {},", begins(&text)));
        assert!(told, "{error}");
        let text = SETTINGS.replacen("# listed", "telephone = \"1\"", 1);
        let line = 1 + text.lines().position(|line| line.contains("telephone")).unwrap();
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        assert!(error.contains("telephone") && error.contains(&format!("line {line},")), "{error}");
        let text = SETTINGS.replacen("[senders.default]", "[senders.162021003898]", 1);
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        assert!(error.contains("missing field `default`"), "{error}");
    }
}
