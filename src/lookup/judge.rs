//! What an answer of FaR means for one recipient.

use crate::domain::{Identity, Organisation, Reason, mask_people};
use crate::gateway::Address;
use crate::gateway::wire::{Fault, MailboxType, Reachability};

/// Where a recipient's letter goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// To a mailbox.
    Mailbox {
        /// Which operator: its place in the settings.
        operator: usize,
        /// Where deliverSecure is posted.
        address: Address,
    },
    /// Not digitally.
    Unreachable(Reason),
    /// Nowhere: FaR answers the question about this recipient alone with a fault. The reason is [`Reason::Protected`],
    /// [`Reason::RefusedForGood`] or [`Reason::AttemptsUsedUp`].
    Refused(Reason, Fault),
}

/// Judges one entry: a letter may be sent only if SenderAccepted, not Pending, Type = Secure, and a ServiceSupplier with
/// an address is given, at an operator that the settings know. An address that names a person is none of an operator's.
///
/// *Source*: protocol sheet §1.5.
pub fn judge(entry: &Reachability, operators: &[Organisation]) -> Found {
    Found::Unreachable(match (entry.mailbox, &entry.supplier) {
        (MailboxType::Not, _) => Reason::NoMailbox,
        (MailboxType::Anonymous, _) => Reason::MailboxNotSecure,
        (MailboxType::Secure, _) if entry.pending => Reason::RegistrationPending,
        (MailboxType::Secure, _) if !entry.sender_accepted => Reason::OptedOut,
        (MailboxType::Secure, None) => Reason::BlankAddress,
        (MailboxType::Secure, Some(supplier)) if supplier.service_address.is_empty() => Reason::BlankAddress,
        (MailboxType::Secure, Some(supplier)) => {
            let known = operators.iter().position(|operator| operator.identity().expose() == supplier.id);
            // An operator has one address. One with a person's number in it would stand in the journal and in others' logs.
            let names_somebody = mask_people(&supplier.service_address) != supplier.service_address.as_str();
            match (known, Address::parse(&supplier.service_address)) {
                (Some(operator), Some(address)) if !names_somebody => return Found::Mailbox { operator, address },
                _ => Reason::UnknownOperator,
            }
        }
    })
}

/// Whether a recipient is a person under eighteen on this day; an organisation never is.
pub fn is_minor(recipient: &Identity, today: jiff::civil::Date) -> bool {
    let Some((year, month, day)) = recipient.birth_date() else { return false };
    // A birthday on 29 February is kept on 1 March, which the comparison of parts gives.
    let eighteenth = (i32::from(year) + 18, i32::from(month), i32::from(day));
    eighteenth > (i32::from(today.year()), i32::from(today.month()), i32::from(today.day()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::wire::ServiceSupplier;

    fn reachable() -> Reachability {
        Reachability {
            recipient: Identity::parse("191212121212").expect("an identity"),
            mailbox: MailboxType::Secure,
            pending: false,
            sender_accepted: true,
            supplier: Some(ServiceSupplier {
                id: "165568402266".into(),
                service_address: "https://operator.test/v3".into(),
            }),
        }
    }

    fn of(change: impl FnOnce(&mut Reachability)) -> Found {
        let mut entry = reachable();
        change(&mut entry);
        judge(&entry, &[Organisation::parse("165568402266").expect("an operator")])
    }

    #[test]
    fn every_reason_has_its_name() {
        assert!(matches!(of(|_| {}), Found::Mailbox { operator: 0, .. }));
        let supplier = |entry: &mut Reachability, id: &str, address: &str| {
            entry.supplier = Some(ServiceSupplier { id: id.into(), service_address: address.into() });
        };
        assert_eq!(of(|e| e.mailbox = MailboxType::Not), Found::Unreachable(Reason::NoMailbox));
        assert_eq!(of(|e| e.mailbox = MailboxType::Anonymous), Found::Unreachable(Reason::MailboxNotSecure));
        assert_eq!(of(|e| e.pending = true), Found::Unreachable(Reason::RegistrationPending));
        assert_eq!(of(|e| e.sender_accepted = false), Found::Unreachable(Reason::OptedOut));
        assert_eq!(of(|e| e.supplier = None), Found::Unreachable(Reason::BlankAddress));
        assert_eq!(of(|e| supplier(e, "165568402266", "")), Found::Unreachable(Reason::BlankAddress));
        assert_eq!(of(|e| supplier(e, "162021004748", "https://x.test/")), Found::Unreachable(Reason::UnknownOperator));
        assert_eq!(of(|e| supplier(e, "165568402266", "http://x.test/")), Found::Unreachable(Reason::UnknownOperator));
        let own = "https://operator.test/5568402266/v3";
        assert!(matches!(of(|e| supplier(e, "165568402266", own)), Found::Mailbox { .. }));
        for person in ["?brevlada=191212121212", "/121212-1212", "/1212121212/v3"] {
            let address = format!("https://operator.test/v3{person}");
            assert_eq!(of(|e| supplier(e, "165568402266", &address)), Found::Unreachable(Reason::UnknownOperator));
        }
    }

    #[test]
    fn eighteen_on_the_day() {
        let born = Identity::parse("200001010107").or(Identity::pattern("200001010107")).expect("an identity");
        let on = |year, month, day| is_minor(&born, jiff::civil::date(year, month, day));
        assert!(on(2017, 12, 31));
        assert!(!on(2018, 1, 1));
        let organisation = Identity::parse("162021004748").expect("an identity");
        assert!(!is_minor(&organisation, jiff::civil::date(2018, 1, 1)));
    }
}
