//! What a schema and a payload may cost together, whoever wrote them.

use crate::{compile, protobuf};
use proptest::prelude::*;
use schema::{Broken, Definition, Kind, STEPS_MAX, Schema, Steps};
use std::fmt::Write as _;

/// Alternatives of alternatives: what is tried doubles with each level of the payload.
const FORKS: &str = r##"{"anyOf": [
    {"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}},
    {"const": 7}]}"##;

fn worst() -> Vec<(&'static str, Schema, Vec<u8>)> {
    let deep = format!("{}1{}", "[".repeat(30), "]".repeat(30)).into_bytes();
    let diamonds: Vec<_> = (0..14)
        .map(|at| {
            format!(
                r##""{at}":{{"allOf":[{{"$ref":"#/$defs/{}"}},{{"$ref":"#/$defs/{}"}}]}}"##,
                at + 1,
                at + 1
            )
        })
        .collect();
    let diamonds = format!(
        r##"{{"$ref":"#/$defs/0","$defs":{{{},"14":{{"type":"array"}}}}}}"##,
        diamonds.join(",")
    );
    let unlike: Vec<_> = (0..16_000).map(|at| format!("{at}.5")).collect();
    let unlike = format!("[{}]", unlike[..9_000].join(",")).into_bytes();
    let lists: Vec<_> = (0..9_000).map(|_| "[[]]").collect();
    let text = format!("\"{}\"", "a".repeat(60_000)).into_bytes();
    let mut names = String::from("{");
    for at in 0..6_000 {
        let _ = write!(names, "{}\"k{at}\":1", if at > 0 { "," } else { "" });
    }
    let many: Vec<_> = (0..30).map(|at| format!(r#""[a-z]{{1,40}}x{at}$":{{}}"#)).collect();
    let seen: Vec<_> = (0..30).map(|at| format!(r#"{{"properties":{{"p{at}":true}}}}"#)).collect();
    let cbor_deep: Vec<u8> = (0..31).map(|at| if at < 30 { 0x81 } else { 0 }).collect();
    let mut cbor_map = vec![0xb9, 0x2e, 0xe0];
    for at in 0..12_000_u16 {
        cbor_map.push(0x19);
        cbor_map.extend_from_slice(&(at + 1_000).to_be_bytes());
        cbor_map.push(0);
    }
    let members: Vec<_> = (0..400).map(|at| format!("? {at} => int")).collect();
    vec![
        ("forks", compile(Kind::JsonSchema, FORKS.as_bytes()), deep),
        ("diamonds", compile(Kind::JsonSchema, diamonds.as_bytes()), b"[]".to_vec()),
        ("unlike items", compile(Kind::JsonSchema, br#"{"uniqueItems": true}"#), unlike),
        (
            "unlike lists",
            compile(Kind::JsonSchema, br##"{"uniqueItems": true, "items": {"$ref": "#"}}"##),
            format!("[{}]", lists.join(",")).into_bytes(),
        ),
        (
            "a pattern that never fits",
            compile(Kind::JsonSchema, br#"{"pattern": "(a|a|a|a|a|b){1,80}c"}"#),
            text,
        ),
        (
            "names and patterns",
            compile(
                Kind::JsonSchema,
                format!(r#"{{"patternProperties":{{{}}}}}"#, many.join(",")).as_bytes(),
            ),
            format!("{names}}}").into_bytes(),
        ),
        (
            "members that nobody looked at",
            compile(
                Kind::JsonSchema,
                format!(r#"{{"anyOf":[{}],"unevaluatedProperties":true}}"#, seen.join(","))
                    .as_bytes(),
            ),
            format!("{names}}}").into_bytes(),
        ),
        ("forks of CBOR", compile(Kind::Cddl, b"a = [a] / [a] / [a] / tstr"), cbor_deep),
        (
            "a map and many keys",
            compile(Kind::Cddl, format!("a = {{ {} }}", members.join(", ")).as_bytes()),
            cbor_map,
        ),
        (
            "fields",
            Schema::compile(&protobuf::definition("proto3")).unwrap(),
            [0x30, 0x02].repeat(32_000),
        ),
    ]
}

/// The budget holds, and where it is exhausted that is what is said.
#[test]
fn the_worst_there_is_ends_within_the_budget() {
    for (what, schema, payload) in worst() {
        assert!(payload.len() <= 65_536, "{what}: {}", payload.len());
        let mut steps = Steps::new(STEPS_MAX);
        let found = schema.check(&payload, &mut steps);
        println!(
            "{what}: {} bytes, {} steps, {}",
            payload.len(),
            steps.used(),
            match &found {
                Ok(()) => "accepted".to_owned(),
                Err(broken) => broken.to_string(),
            }
        );
        assert!(steps.used() <= STEPS_MAX, "{what}");
        assert!(!matches!(found, Err(Broken::Format(_))), "{what}: {found:?}");
        // With fewer steps the verdict is the same, or there is none.
        for most in [0, 1, 10, 1_000] {
            let mut few = Steps::new(most);
            let again = schema.check(&payload, &mut few);
            assert!(again == found || again == Err(Broken::Costly), "{what} {again:?}");
            assert!(few.used() <= most, "{what}");
        }
    }
}

#[test]
fn forks_exhaust_the_budget_and_not_the_machine() {
    let (_, schema, payload) = worst().swap_remove(0);
    assert_eq!(schema.check(&payload, &mut Steps::new(STEPS_MAX)), Err(Broken::Costly));
    let cbor = worst().into_iter().find(|(what, ..)| *what == "forks of CBOR");
    let (_, schema, payload) = cbor.unwrap();
    assert_eq!(schema.check(&payload, &mut Steps::new(STEPS_MAX)), Err(Broken::Costly));
}

/// What nests as deep as it may leaves the stack of a thread alone, in builds without optimisation too.
#[test]
fn the_deepest_there_is_fits_on_a_stack() {
    let nested = format!(
        "{}{{\"items\": {{\"$ref\": \"#\"}}}}{}",
        "{\"allOf\":[".repeat(18),
        "]}".repeat(18)
    );
    let schema = compile(Kind::JsonSchema, nested.as_bytes());
    let deep = format!("{}{}", "[".repeat(31), "]".repeat(31));
    let found = schema.check(deep.as_bytes(), &mut Steps::new(STEPS_MAX));
    assert_eq!(found, Err(Broken::Costly));
    let rules: Vec<_> = (0..240).map(|at| format!("r{at} = (r{})", at + 1)).collect();
    let chain = compile(Kind::Cddl, format!("{}\nr240 = [* r0]", rules.join("\n")).as_bytes());
    let deep: Vec<u8> = (0..31).map(|at| if at < 30 { 0x81 } else { 0x80 }).collect();
    assert_eq!(chain.check(&deep, &mut Steps::new(STEPS_MAX)), Err(Broken::Costly));
    let groups: Vec<_> = (0..240).map(|at| format!("g{at} = (? int, g{})", at + 1)).collect();
    let groups = format!("a = [g0]\n{}\ng240 = (? tstr, ? a)", groups.join("\n"));
    let groups = compile(Kind::Cddl, groups.as_bytes());
    assert_eq!(groups.check(&deep, &mut Steps::new(STEPS_MAX)), Err(Broken::Costly));
}

fn json_schema() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just(r##"{"items": {"$ref": "#"}}"##.to_owned()),
        Just(r##"{"properties": {"a": {"$ref": "#"}}}"##.to_owned()),
        "[a-z]{0,6}".prop_map(|text| format!(r#"{{"pattern": "{text}"}}"#)),
        (-5..5_i32).prop_map(|number| format!(r#"{{"minimum": {number}, "multipleOf": 0.5}}"#)),
        Just(r#"{"type": ["object", "integer"], "uniqueItems": true}"#.to_owned()),
        Just(r#"{"enum": [1, "a", [], {}], "format": "date-time"}"#.to_owned()),
        "[ -~]{0,20}",
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3)
                .prop_map(|all| format!(r#"{{"anyOf": [{}]}}"#, all.join(","))),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| format!(
                r#"{{"oneOf": [{}], "unevaluatedProperties": false}}"#,
                all.join(",")
            )),
            inner.clone().prop_map(|it| format!(r#"{{"not": {it}, "contains": {it}}}"#)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!(
                r#"{{"if": {a}, "then": {b}, "properties": {{"b": {a}}}}}"#
            )),
            (inner.clone(), inner).prop_map(|(a, b)| format!(
                r#"{{"prefixItems": [{a}], "items": {b}, "unevaluatedItems": {a}}}"#
            )),
        ]
    })
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("2.5".to_owned()),
        Just("\"a\"".to_owned()),
        Just("null".to_owned()),
        "[ -~]{0,6}",
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(","))),
            (inner.clone(), inner).prop_map(|(a, b)| format!(r#"{{"a":{a},"b":{b}}}"#)),
        ]
    })
}

fn cddl() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("int".to_owned()),
        Just("tstr".to_owned()),
        Just("a".to_owned()),
        Just("1..3".to_owned()),
        Just("any".to_owned()),
        Just("b<int>".to_owned()),
        Just("g".to_owned()),
        Just("~m".to_owned()),
        Just("\"x\"".to_owned()),
        "[ -~]{0,8}",
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|it| format!("[* {it}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, ? {b} // + {a}]")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{{? x: {a}, * tstr => {b}}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} / {b})")),
            inner.clone().prop_map(|it| format!("#6.1({it})")),
            inner.prop_map(|it| format!("({it}) .size 2")),
        ]
    })
    .prop_map(|of| {
        format!("a = [* {of}] / {of}\nb<t> = [* t]\ng = (int, ? tstr)\nm = {{* int => any}}")
    })
}

fn tried(definition: &Definition, payload: &[u8]) -> Result<(), TestCaseError> {
    let Ok(schema) = Schema::compile(definition) else { return Ok(()) };
    let most = 20_000;
    let mut steps = Steps::new(most);
    let found = schema.check(payload, &mut steps);
    prop_assert!(steps.used() <= most);
    let again = schema.check(payload, &mut Steps::new(most));
    prop_assert_eq!(found, again);
    Ok(())
}

proptest! {
    #[test]
    fn no_schema_of_json_panics_or_exceeds_its_budget(text in json_schema(), payload in json()) {
        tried(&Definition::new(Kind::JsonSchema, text.into_bytes()), payload.as_bytes())?;
    }

    #[test]
    fn no_schema_of_cbor_panics_or_exceeds_its_budget(
        text in cddl(),
        payload in prop::collection::vec(prop_oneof![Just(0x81_u8), Just(0x82), Just(0xa1), Just(0x61), Just(0x78), any::<u8>()], 0..40),
    ) {
        tried(&Definition::new(Kind::Cddl, text.into_bytes()), &payload)?;
    }

    #[test]
    fn no_payload_of_protobuf_panics(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        tried(&protobuf::definition("proto3"), &payload)?;
    }

    #[test]
    fn no_bytes_are_a_schema_that_panics(source in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in Kind::ALL {
            tried(&Definition::new(kind, source.clone()), b"{}")?;
        }
    }
}
