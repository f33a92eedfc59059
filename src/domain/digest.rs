//! Digests that stand for what may not be written down.

/// Computes keyed digests, so that neither identities nor contents can be guessed from them.
///
/// In a run it is keyed by the installation (the same statement has the same digest in every run); `check` uses a
/// key of the moment. *Shape*: 128 bits. *Cost*: called about three times a record in pass 1.
pub trait Digester: Send + Sync {
    /// The digest of these bytes for this purpose.
    fn digest(&self, purpose: Purpose, bytes: &[u8]) -> [u8; 16];
}

/// What a digest is for; digests of different purposes never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A person or organisation, for `find`.
    Person,
    /// The statement key.
    Statement,
    /// The content of a statement, normalised.
    Content,
}

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);
    )*};
}

digests! {
    /// Keyed digest of one of a recipient's identities ([`super::Identities`]).
    PersonDigest;
    /// Keyed digest of what makes a statement one and the same: uppgiftslämnare, income year, form, recipient's
    /// identity and normalised specifikationsnummer.
    StatementKey;
    /// Keyed digest of a statement's normalised content: two records with the same key and content are repeats.
    ContentDigest;
    /// First half of the SHA-256 of the record's bytes in the staged export: checked before a letter is made.
    RecordDigest;
}
