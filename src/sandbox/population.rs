//! Who has a mailbox, and where: a pure function of the seed and the recipient, so that a test can tell it beforehand.

use super::draw::{draw, share};

/// Mailbox operators of the sandbox.
pub const OPERATORS: usize = 3;

/// Shares of recipients that cannot simply be delivered to; the rest have a mailbox.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// No mailbox at all. Default 0.2.
    pub no_mailbox: f64,
    /// A mailbox, but the sender is not accepted. Default 0.02.
    pub opted_out: f64,
    /// Registration is pending. Default 0.01.
    pub pending: f64,
    /// The mailbox is at an operator that the settings do not list. Default 0.005.
    pub unknown_operator: f64,
    /// FaR has a mailbox without a usable address. Default 0.005.
    pub blank_address: f64,
    /// The mailbox is of type Anonymous. Default 0.
    pub anonymous: f64,
    /// The operator answers fault 6006, protected identity. Default 0.
    pub protected: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            no_mailbox: 0.2,
            opted_out: 0.02,
            pending: 0.01,
            unknown_operator: 0.005,
            blank_address: 0.005,
            anonymous: 0.0,
            protected: 0.0,
        }
    }
}

impl Shares {
    /// Everyone has a mailbox.
    pub const NONE: Self = Self {
        no_mailbox: 0.0,
        opted_out: 0.0,
        pending: 0.0,
        unknown_operator: 0.0,
        blank_address: 0.0,
        anonymous: 0.0,
        protected: 0.0,
    };

    fn in_order(&self) -> [f64; 7] {
        [
            self.no_mailbox,
            self.opted_out,
            self.pending,
            self.unknown_operator,
            self.blank_address,
            self.anonymous,
            self.protected,
        ]
    }

    /// Whether each is from 0 to 1 and they sum to at most 1.
    pub fn hold(&self) -> bool {
        let shares = self.in_order();
        shares.iter().all(|share| (0.0..=1.0).contains(share)) && shares.iter().sum::<f64>() <= 1.0 + 1e-9
    }
}

/// What the sandbox knows of a recipient. Operators are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailbox {
    /// FaR: Type = Not.
    None,
    /// FaR: SenderAccepted = false.
    OptedOut(usize),
    /// FaR: Pending = true.
    Pending(usize),
    /// FaR names an operator that is not in the settings.
    UnknownOperator,
    /// FaR gives a blank ServiceAdress, or no ServiceSupplier.
    BlankAddress(usize),
    /// FaR: Type = Anonymous.
    Anonymous(usize),
    /// FaR gives the mailbox; the operator refuses with fault 6006.
    Protected(usize),
    /// An ordinary mailbox.
    At(usize),
}

impl Mailbox {
    /// The state of a recipient, twelve digits.
    pub fn of(seed: u64, shares: &Shares, recipient: &str) -> Self {
        let recipient = recipient.as_bytes();
        let operator = (draw(seed, &[b"operator", recipient]) % OPERATORS as u64) as usize;
        let place = share(seed, &[b"mailbox", recipient]);
        let mut edge = 0.0;
        let kind = shares.in_order().iter().position(|share| {
            edge += share;
            place < edge
        });
        match kind {
            Some(0) => Self::None,
            Some(1) => Self::OptedOut(operator),
            Some(2) => Self::Pending(operator),
            Some(3) => Self::UnknownOperator,
            Some(4) => Self::BlankAddress(operator),
            Some(5) => Self::Anonymous(operator),
            Some(6) => Self::Protected(operator),
            _ => Self::At(operator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_out_as_asked() {
        let shares = Shares { anonymous: 0.01, protected: 0.01, ..Shares::default() };
        let people: Vec<String> = (0..20_000).map(|n| format!("19{n:010}")).collect();
        let share_of = |test: &dyn Fn(Mailbox) -> bool| {
            people.iter().filter(|person| test(Mailbox::of(7, &shares, person))).count() as f64 / people.len() as f64
        };
        // Four standard deviations at 20,000 draws.
        let near = |found: f64, wanted: f64| (found - wanted).abs() < 4.0 * (wanted * (1.0 - wanted) / 20_000.0).sqrt();
        assert!(near(share_of(&|m| m == Mailbox::None), 0.2));
        assert!(near(share_of(&|m| matches!(m, Mailbox::OptedOut(_))), 0.02));
        assert!(near(share_of(&|m| matches!(m, Mailbox::Pending(_))), 0.01));
        assert!(near(share_of(&|m| m == Mailbox::UnknownOperator), 0.005));
        assert!(near(share_of(&|m| matches!(m, Mailbox::BlankAddress(_))), 0.005));
        assert!(near(share_of(&|m| matches!(m, Mailbox::Anonymous(_))), 0.01));
        assert!(near(share_of(&|m| matches!(m, Mailbox::Protected(_))), 0.01));
        for operator in 0..OPERATORS {
            assert!(near(share_of(&|m| m == Mailbox::At(operator)), 0.74 / 3.0));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_people() {
        // Written down once: scenario files and tests elsewhere count on it.
        let state =
            |seed| (0..6).map(|n| Mailbox::of(seed, &Shares::default(), &format!("19{n:010}"))).collect::<Vec<_>>();
        assert_eq!(state(1), state(1));
        assert_ne!(state(1), state(2));
        assert!(!Shares { no_mailbox: 0.9, opted_out: 0.2, ..Shares::NONE }.hold());
        assert!(Shares { no_mailbox: 1.0, ..Shares::NONE }.hold());
    }
}
