//! Secrets that a browser presents: any text is refused or has exactly the form of one kind, and
//! never opens another; ids of people are read in exactly one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{BearerKind, PersonId, bearer_digest};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let opened: Vec<_> =
        BearerKind::ALL.into_iter().filter_map(|kind| bearer_digest(kind, text)).collect();
    assert!(opened.len() <= 1, "one secret, two kinds");
    if !opened.is_empty() {
        assert_eq!(text.len(), 47);
    }
    if let Ok(id) = text.parse::<PersonId>() {
        assert_eq!(id.to_string(), text);
    }
});
