//! TransIds as they are kept: most are UUIDs, sixteen bytes instead of thirty-six.

use std::fmt;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// The receipt that an operator has given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransId {
    /// A UUID as RFC 9562 writes it (§4: lower case, with hyphens).
    Uuid([u8; 16]),
    /// Any other text.
    Text(String),
}

impl TransId {
    /// The bytes of one that is a UUID; `None` of every other text, also where it is a UUID written otherwise.
    pub(super) fn uuid(text: &str) -> Option<[u8; 16]> {
        let uuid = Uuid::try_parse_ascii(text.as_bytes()).ok()?;
        let mut usual = [0; Hyphenated::LENGTH];
        (uuid.hyphenated().encode_lower(&mut usual) == text).then(|| uuid.into_bytes())
    }
}

impl From<String> for TransId {
    fn from(text: String) -> Self {
        Self::uuid(&text).map_or(Self::Text(text), Self::Uuid)
    }
}

/// What the operator has given, letter by letter.
impl fmt::Display for TransId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(bytes) => Uuid::from_bytes(*bytes).hyphenated().fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_uuid_is_its_bytes(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(TransId::from(TransId::Uuid(bytes).to_string()), TransId::Uuid(bytes));
        }

        /// A receipt is quoted letter by letter.
        #[test]
        fn what_comes_back_is_what_came(
            text in "[0-9a-fA-F{}:urnid-]{0,46}|[0-9a-f]{32}|[0-9A-Fa-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|.{0,100}",
        ) {
            prop_assert_eq!(TransId::from(text.clone()).to_string(), text);
        }
    }

    #[test]
    fn a_uuid_written_otherwise_is_a_text() {
        let usual = "3832352f-fa74-4c17-ab6a-a6e3ab8324f3";
        assert!(TransId::uuid(usual).is_some());
        let cut = usual.get(1..).unwrap();
        let braced = format!("{{{usual}}}");
        for other in
            [&usual.to_uppercase(), &usual.replace('-', ""), &braced, &format!("urn:uuid:{usual}"), cut, "T-1", ""]
        {
            assert_eq!(TransId::uuid(other), None, "{other}");
        }
    }
}
