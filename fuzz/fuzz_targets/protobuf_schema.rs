//! A descriptor set and a payload of Protobuf: neither panics, and no more is spent than there is. Beside
//! the set that the input brings, the payload is held against one that is always the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schema::{Definition, Kind, Schema, Steps};
use std::sync::LazyLock;

const MOST: u64 = 20_000;

/// `package t; message M { double a = 1; repeated M b = 2; repeated sint64 c = 3; string d = 4; }`
const SET: &[u8] = b"\x0aK\x0a\x07t.proto\x12\x01t\x225\x0a\x01M\x12\x09\x0a\x01a\x18\x01 \x01(\x01\x12\x0f\x0a\x01b\x18\x02 \x03(\x0b2\x04.t.M\x12\x09\x0a\x01c\x18\x03 \x03(\x12\x12\x09\x0a\x01d\x18\x04 \x01(\x09b\x06proto3";

static FIXED: LazyLock<Option<Schema>> = LazyLock::new(|| compile(SET, "t.M"));

fn compile(set: &[u8], root: &str) -> Option<Schema> {
    let root = Some(root.to_owned());
    Schema::compile(&Definition { root, ..Definition::new(Kind::Protobuf, set.to_vec()) }).ok()
}

fuzz_target!(|input: (&[u8], &str, &[u8])| {
    let (set, root, payload) = input;
    let brought = compile(set, root);
    for schema in brought.iter().chain(FIXED.iter()) {
        let mut steps = Steps::new(MOST);
        let found = schema.check(payload, &mut steps);
        assert!(steps.used() <= MOST);
        assert_eq!(found, schema.check(payload, &mut Steps::new(MOST)));
    }
});
