//! Package URLs, CPE names, ranges and versions: any text is an error or has one canonical form, and
//! every order is one.
#![no_main]

use advisory::{Cpe, CpeRelation, Purl, Scheme, Score, Vers, Version};
use libfuzzer_sys::fuzz_target;
use std::cmp::Ordering;

fuzz_target!(|text: &str| {
    if let Ok(purl) = text.parse::<Purl>() {
        assert_eq!(purl.to_string().parse(), Ok(purl), "one package, one form");
    }
    if let Ok(cpe) = text.parse::<Cpe>() {
        assert_eq!(cpe.to_string().parse::<Cpe>(), Ok(cpe.clone()), "one name, one form");
        assert_eq!(cpe.relation(&cpe), CpeRelation::Covers);
    }
    if let Ok(range) = text.parse::<Vers>() {
        let _ = range.includes("1.0");
    }
    if let Some(score) = Score::parse(text) {
        assert!(score.tenths <= 100);
    }
    for scheme in Scheme::ALL {
        let read: Vec<Version> =
            text.split(' ').take(3).filter_map(|word| Version::parse(scheme, word).ok()).collect();
        for a in &read {
            for b in &read {
                assert_eq!(a.compare(b), b.compare(a).map(Ordering::reverse));
                for c in &read {
                    if a.compare(b) == Some(Ordering::Less) && b.compare(c) == Some(Ordering::Less)
                    {
                        let order = a.compare(c);
                        let open = scheme == Scheme::Generic && order.is_none();
                        assert!(open || order == Some(Ordering::Less), "{scheme:?} {a} {b} {c}");
                    }
                }
            }
        }
    }
});
