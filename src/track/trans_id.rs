//! TransIds as they are kept: most are UUIDs, sixteen bytes instead of thirty-six.

use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// The bytes of a TransId that is a UUID as RFC 9562 writes it (§4: lower case, with hyphens); `None` of every other text.
pub(super) fn uuid(trans_id: &str) -> Option<[u8; 16]> {
    let uuid = Uuid::try_parse_ascii(trans_id.as_bytes()).ok()?;
    let mut usual = [0; Hyphenated::LENGTH];
    (uuid.hyphenated().encode_lower(&mut usual) == trans_id).then(|| uuid.into_bytes())
}

/// The TransId of these bytes.
pub(super) fn text(uuid: [u8; 16]) -> String {
    Uuid::from_bytes(uuid).hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_uuid_comes_back(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(uuid(&text(bytes)), Some(bytes));
        }

        /// What comes back is what came, or nothing: a receipt is quoted letter by letter.
        #[test]
        fn nothing_comes_back_changed(text_ in "[0-9a-fA-F{}:urnid-]{0,46}|[0-9a-f]{32}|[0-9A-Fa-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}") {
            if let Some(bytes) = uuid(&text_) {
                prop_assert_eq!(text(bytes), text_);
            }
        }
    }

    #[test]
    fn other_ways_to_write_one_are_texts() {
        let usual = "3832352f-fa74-4c17-ab6a-a6e3ab8324f3";
        assert!(uuid(usual).is_some());
        for other in [
            usual.to_uppercase(),
            usual.replace('-', ""),
            format!("{{{usual}}}"),
            format!("urn:uuid:{usual}"),
            "T-1".into(),
        ] {
            assert_eq!(uuid(&other), None, "{other}");
        }
    }
}
