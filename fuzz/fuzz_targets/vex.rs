//! VEX of every form: any bytes are an error or statements, and what was read can be written and
//! read again without becoming something else.
#![no_main]

use advisory::{DocumentInfo, Statement, Status, VexDocument, VexFormat};
use crypto::UnixTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = VexDocument::parse(bytes) else { return };
    let info = DocumentInfo {
        id: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79".to_owned(),
        author: "fuzz".to_owned(),
        author_url: "https://fuzz.example/".to_owned(),
        at: UnixTime(1_795_000_000),
    };
    for statement in &document.statements {
        let claim = statement.claim();
        if let Status::NotAffected { justification: None, impact } = &claim.status {
            assert!(impact.as_ref().is_some_and(|words| !words.trim().is_empty()));
        }
        for format in VexFormat::ALL {
            let Ok(text) = VexDocument::write(format, &info, std::slice::from_ref(statement))
            else {
                continue;
            };
            let back = VexDocument::parse(text.as_bytes()).expect("what we write can be read");
            let silent = |statement: &Statement| statement.claim().status.silences();
            assert!(back.statements.iter().all(|back| silent(back) == silent(statement)));
        }
    }
});
