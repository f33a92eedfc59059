//! Where a statement can end, and why.

use std::fmt;

/// The one end of every statement of the exports; reports count by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// An operator answered Delivered = true.
    Delivered = 1,
    /// Its print bundle is on disk.
    Paper = 2,
    /// Both, where the policy asks for both.
    DeliveredAndPaper = 3,
    /// Kept back by policy, protection, or for want of an address; the reason tells.
    Held = 4,
    /// It breaks the schema or a rule.
    Rejected = 5,
    /// A Borttag record, which is no letter.
    Removal = 6,
    /// A later record of the run replaces it.
    Replaced = 7,
    /// A form that is not sent.
    NotForSending = 8,
    /// Sent by an earlier run of the installation.
    AlreadySent = 9,
    /// Refused for good, or given up.
    Failed = 10,
    /// A request left and its answer is unknown.
    InDoubt = 11,
    /// Not yet.
    Pending = 12,
}

macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal,)* }) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [$type] = &[$($type::$variant),*];

            /// As written in reports and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $name,)* }
            }

            /// The value with this number.
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| *value as u8 == number)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

names!(Outcome {
    Delivered => "delivered",
    Paper => "paper",
    DeliveredAndPaper => "delivered_and_paper",
    Held => "held",
    Rejected => "rejected",
    Removal => "removal",
    Replaced => "replaced",
    NotForSending => "not_for_sending",
    AlreadySent => "already_sent",
    Failed => "failed",
    InDoubt => "in_doubt",
    Pending => "pending",
});

/// Why a statement ended as it did, or went to paper, or waits.
///
/// Numbers are stored in journals and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Nothing to explain.
    None = 0,

    // Not reachable digitally (protocol sheet §1.5): paper, where the policy has it.
    /// FaR: Type = Not.
    NoMailbox = 1,
    /// FaR: SenderAccepted = false with a mailbox.
    OptedOut = 2,
    /// FaR: Pending = true.
    RegistrationPending = 3,
    /// FaR names an operator or address that the settings do not know.
    UnknownOperator = 4,
    /// FaR gives a mailbox with a blank ServiceAdress, or none.
    BlankAddress = 5,
    /// A person under eighteen.
    Minor = 6,
    /// FaR: Type is neither Secure nor Not.
    MailboxNotSecure = 7,
    /// The recipient is given by födelsetid or annat id, which FaR does not take.
    NotAddressable = 8,
    /// The operator answered Delivered = false, twice with a new look-up between.
    NotDelivered = 9,

    // Held.
    /// The channel policy is `hold`.
    PolicyHold = 20,
    /// The recipient is protected: by list or by fault 6006.
    Protected = 21,
    /// Paper was the channel and there is neither a usable address nor a supplier that addresses by id.
    NoAddress = 22,
    /// Another unfinished run of the installation has this statement.
    OtherRun = 23,
    /// Paper was the channel and the settings name no print supplier.
    NoPrintSupplier = 24,

    // Rejected, replaced, not sent.
    /// A schema or rule fault; the findings tell which.
    Faulty = 30,
    /// The same statement with the same content stands later in the run.
    Repeated = 31,
    /// A later record of the run corrects it.
    Corrected = 32,
    /// A later record of the run removes it.
    RemovedLater = 33,
    /// The form is not listed for sending.
    FormNotListed = 34,
    /// The message would be larger than the infrastructure takes.
    TooLarge = 35,

    // Failed.
    /// The operator's fault says that this message is refused for good.
    RefusedForGood = 40,
    /// Attempts are used up.
    AttemptsUsedUp = 41,
    /// The statement could not be prepared.
    PrepareFailed = 42,

    // In doubt.
    /// The process ended between intent and outcome.
    Interrupted = 50,
    /// Timeout after the first byte.
    TimedOut = 51,
    /// The connection broke after the first byte.
    ConnectionLost = 52,
    /// The answer could not be understood, or was about somebody else.
    UnclearAnswer = 53,
    /// A resend would not have been the same bytes.
    BytesDiffer = 54,

    // Pending.
    /// FaR has not answered for this recipient.
    FarSilent = 60,
    /// The operator's queue is stopped: it refuses our credentials.
    OperatorStopped = 61,
    /// The run was stopped before its turn.
    NotYet = 62,
}

names!(Reason {
    None => "none",
    NoMailbox => "no_mailbox",
    OptedOut => "opted_out",
    RegistrationPending => "registration_pending",
    UnknownOperator => "unknown_operator",
    BlankAddress => "blank_address",
    Minor => "minor",
    MailboxNotSecure => "mailbox_not_secure",
    NotAddressable => "not_addressable",
    NotDelivered => "not_delivered",
    PolicyHold => "policy_hold",
    Protected => "protected",
    NoAddress => "no_address",
    OtherRun => "other_run",
    NoPrintSupplier => "no_print_supplier",
    Faulty => "faulty",
    Repeated => "repeated",
    Corrected => "corrected",
    RemovedLater => "removed_later",
    FormNotListed => "form_not_listed",
    TooLarge => "too_large",
    RefusedForGood => "refused_for_good",
    AttemptsUsedUp => "attempts_used_up",
    PrepareFailed => "prepare_failed",
    Interrupted => "interrupted",
    TimedOut => "timed_out",
    ConnectionLost => "connection_lost",
    UnclearAnswer => "unclear_answer",
    BytesDiffer => "bytes_differ",
    FarSilent => "far_silent",
    OperatorStopped => "operator_stopped",
    NotYet => "not_yet",
});
