//! Any bytes as an export: reading ends with a verdict, spans tile the records in order, nothing panics.
#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // As they are, and in the place of the records of a good export.
    judge(bytes);
    judge(&[common::head().as_bytes(), bytes, common::TAIL.as_bytes()].concat());
});

fn judge(bytes: &[u8]) {
    let seen = common::read_bytes(bytes);
    let transcoded = bytes.len() as u64 * 3;
    let mut last = 0;
    for (checked, ordinal) in seen.checked.iter().zip(1..) {
        let (start, end) = (checked.span.offset, checked.span.offset + u64::from(checked.span.length));
        assert_eq!(checked.span.ordinal, ordinal);
        assert!(last <= start && start < end && end <= transcoded, "spans ascend and do not overlap");
        last = end;
        let rejected = seen.findings.iter().any(|finding| finding.ordinal == ordinal && finding.is_error());
        assert_eq!(rejected, checked.key.is_none(), "rejected with a reason, and only then");
    }
    if let Ok(summary) = seen.summary {
        assert_eq!(summary.records, seen.checked.len() as u64);
        assert_eq!(summary.valid + summary.rejected + summary.removals, summary.records);
    }
}
