//! Diagnosis files and catalogues: any text is an error or a diagnosis, and what was read is
//! written and read again as the same, with the same sign-off.
#![no_main]

use assessment::{Catalogue, Coverage, Diagnosis, Library};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::embedded().expect("the tests have seen these files"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Catalogue::parse("c.yaml", text);
    let Ok(diagnosis) = Diagnosis::parse("d.yaml", text, &LIBRARY) else { return };
    let again = Diagnosis::parse("d.yaml", &diagnosis.to_yaml(), &LIBRARY)
        .expect("what we write can be read");
    assert_eq!(again, diagnosis);
    assert_eq!(again.sign_off(), diagnosis.sign_off());
    let _ = Coverage::of(&LIBRARY, &diagnosis, diagnosis.on);
});
