//! Threat models and what is imported as one: any text is an error or a model; what was read is
//! written and read again with the same threats.
#![no_main]

use assessment::{
    Day, Library,
    threat::{Analysis, Model, RuleBook, import},
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static BOOK: LazyLock<RuleBook> = LazyLock::new(|| {
    let library = Library::embedded().expect("the tests have seen these files");
    RuleBook::embedded(&library).expect("the tests have seen these files")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = import("m.yaml", text, &BOOK);
    let on = Day::parse("2026-11-21").expect("a day");
    let Ok(model) = Model::parse("m.yaml", text, &BOOK) else { return };
    let again = Model::parse("m.yaml", &model.to_yaml(), &BOOK).expect("what we write can be read");
    let ids = |model: &Model| -> Vec<_> {
        let analysis = Analysis::of(model, &BOOK, on);
        analysis.threats.iter().map(|one| (one.id.clone(), one.state)).collect()
    };
    assert_eq!(ids(&again), ids(&model));
});
