//! The catalogues that come with Tegata.

use assessment::{Library, RecordRef};
use std::collections::{BTreeMap, BTreeSet};

/// How many records each document has; a record lost or added by accident shows here.
const RECORDS: &[(&str, usize)] = &[
    ("etsi-en-303-645", 78),
    ("jc-star-1", 16),
    ("japan-34-10", 6),
    ("california-sb-327", 2),
    ("eu-cra-annex-i", 22),
    ("nistir-8425", 10),
    ("owasp-iot-top-10", 10),
    ("nist-sp-800-171r3", 97),
    ("iec-62443-4-1", 47),
    ("iec-62443-4-2", 126),
    ("fips-140-3", 12),
    ("csa-13-steps", 13),
    ("nisc-iot-framework", 6),
];

#[test]
fn every_document_is_whole() {
    let library = Library::embedded().unwrap();
    let found: Vec<(&str, usize)> = library
        .catalogues()
        .iter()
        .map(|one| (one.source.id.as_str(), one.records.len()))
        .collect();
    assert_eq!(found, RECORDS);
}

/// The parser insists on languages, source and licence class; this looks once more at the result.
#[test]
fn every_record_has_both_languages_a_source_and_a_licence_class() {
    let library = Library::embedded().unwrap();
    for catalogue in library.catalogues() {
        assert!(catalogue.source.url.starts_with("https://"), "{}", catalogue.source.id);
        for record in &catalogue.records {
            let at = &record.reference;
            assert_eq!(record.licence, catalogue.source.licence, "{at}");
            assert_eq!(record.reference.source(), &catalogue.source.id);
            for text in [&record.title, &record.text].into_iter().chain(&record.condition) {
                assert!(text.en.trim().len() > 2 && text.ja.chars().count() > 1, "{at}");
            }
            assert!(record.text.ja.ends_with('。'), "{at}: a sentence ends with 。");
            assert!(record.text.en.ends_with('.'), "{at}: a sentence ends with a full stop");
            assert!(!record.title.ja.ends_with('。') && !record.title.en.ends_with('.'), "{at}");
            // Nobody has compared any record with its original so far; a claim needs a name.
            assert_eq!(record.checked, None, "{at}");
        }
    }
}

#[test]
fn no_two_records_of_a_document_say_the_same() {
    let library = Library::embedded().unwrap();
    for catalogue in library.catalogues() {
        let mut seen = BTreeMap::<&str, &RecordRef>::new();
        for record in &catalogue.records {
            for text in [record.text.en.as_str(), record.text.ja.as_str()] {
                if let Some(other) = seen.insert(text, &record.reference) {
                    panic!("{other} and {} have the same text", record.reference);
                }
            }
        }
    }
}

#[test]
fn every_group_and_every_feature_is_used() {
    let library = Library::embedded().unwrap();
    for catalogue in library.catalogues() {
        let used: BTreeSet<&str> =
            catalogue.records.iter().map(|record| record.group.as_str()).collect();
        for (group, _) in &catalogue.groups {
            assert!(used.contains(group.as_str()), "{}: {group}", catalogue.source.id);
        }
    }
}

#[test]
fn mappings_are_seen_from_both_sides() {
    let library = Library::embedded().unwrap();
    assert!(!library.mappings().is_empty());
    for mapping in library.mappings() {
        assert!(
            library.neighbours(&mapping.from).contains(&(mapping.relation, mapping.to.clone()))
        );
        let back = (mapping.relation.inverse(), mapping.from.clone());
        assert!(library.neighbours(&mapping.to).contains(&back));
    }
}
