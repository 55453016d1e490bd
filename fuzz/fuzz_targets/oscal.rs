//! OSCAL documents: any bytes are an error or a document that comes through whole.
#![no_main]

use assessment::{
    Library,
    oscal::{Document, OscalExport, diagnosis_from, diagnosis_results},
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
    let Ok(found) = diagnosis_from(&document, &LIBRARY) else { return };
    // Whatever it says is a diagnosis like any other, and goes out and comes back as it is.
    let export =
        OscalExport { library: &LIBRARY, on: found.diagnosis.on, language: device::Language::En };
    let written = diagnosis_results(export, &found.diagnosis);
    let back = diagnosis_from(&written, &LIBRARY).expect("what we write can be read");
    assert_eq!(back.diagnosis, found.diagnosis);
});
