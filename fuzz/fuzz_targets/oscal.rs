//! OSCAL documents: any bytes are an error or a document that comes through whole.
#![no_main]

use assessment::{
    Library,
    oscal::{Document, diagnosis_from},
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::embedded().expect("the tests have seen these files"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse("x.json", bytes) else { return };
    let again = Document::parse("x.json", document.to_json().as_bytes())
        .expect("what we write can be read");
    assert_eq!(again, document);
    let _ = diagnosis_from(&document, &LIBRARY);
});
