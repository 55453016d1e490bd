//! A schema and a payload of JSON, whoever wrote them: neither panics, and no more is spent than there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schema::{Broken, Cases, Definition, Kind, Schema, Steps};

const MOST: u64 = 20_000;

fuzz_target!(|input: (&str, &str)| {
    let (text, payload) = input;
    let _ = Cases::parse(text);
    let definition = Definition::new(Kind::JsonSchema, text.as_bytes().to_vec());
    let Ok(schema) = Schema::compile(&definition) else { return };
    let mut steps = Steps::new(MOST);
    let found = schema.check(payload.as_bytes(), &mut steps);
    assert!(steps.used() <= MOST);
    // With fewer steps the verdict is the same, or there is none.
    let few = schema.check(payload.as_bytes(), &mut Steps::new(MOST / 10));
    assert!(few == found || few == Err(Broken::Costly));
});
