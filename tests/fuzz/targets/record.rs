//! The fast way and the slow way agree: a comment that says nothing sends a record down the slow way, and its verdict,
//! its findings and its digests must stay the same.
#![no_main]

mod common;

use libfuzzer_sys::Corpus;

libfuzzer_sys::fuzz_target!(|record: &str| -> Corpus {
    let Some(at) = first_tag(record) else { return Corpus::Reject };
    let (start, rest) = record.split_at(at);
    let usual = common::read_bytes([common::head(), record, common::TAIL].concat().as_bytes());
    let slow = common::read_bytes([common::head(), start, "<!---->", rest, common::TAIL].concat().as_bytes());
    // Near the limit of a record the comment alone can decide.
    if record.len() > 4000 {
        return Corpus::Reject;
    }
    assert_eq!(usual.checked.len(), slow.checked.len());
    for (usual, slow) in usual.checked.iter().zip(&slow.checked) {
        assert_eq!(
            (usual.form, usual.uppgiftslamnare, usual.fate, usual.key, usual.content, usual.person, usual.recipient),
            (slow.form, slow.uppgiftslamnare, slow.fate, slow.key, slow.content, slow.person, slow.recipient),
        );
    }
    let rules = |seen: &common::Seen| -> Vec<_> {
        seen.findings.iter().map(|finding| (finding.ordinal, finding.rule.clone(), finding.faltkod)).collect()
    };
    assert_eq!(rules(&usual), rules(&slow));
    assert_eq!(usual.summary.is_ok(), slow.summary.is_ok());
    Corpus::Keep
});

/// Where the start tag of the record ends, if it is an ordinary one.
fn first_tag(record: &str) -> Option<usize> {
    let rest = record.strip_prefix("<ku:Blankett nummer=\"")?;
    let quote = rest.find(['"', '<', '>', '&'])?;
    let after = rest.get(quote..)?.strip_prefix("\">")?;
    Some(record.len() - after.len())
}
