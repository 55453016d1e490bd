//! A schema in CDDL and a payload of CBOR: neither panics, and no more is spent than there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schema::{Broken, Definition, Kind, Schema, Steps};

const MOST: u64 = 20_000;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, payload) = input;
    let definition = Definition::new(Kind::Cddl, text.as_bytes().to_vec());
    let Ok(schema) = Schema::compile(&definition) else { return };
    let mut steps = Steps::new(MOST);
    let found = schema.check(payload, &mut steps);
    assert!(steps.used() <= MOST);
    let few = schema.check(payload, &mut Steps::new(MOST / 10));
    assert!(few == found || few == Err(Broken::Costly));
});
