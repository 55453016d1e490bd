use crate::{broken, check, compile, wrong};
use admission::FormatError;
use schema::{Broken, Kind};

const READING: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["celsius", "at"],
  "properties": {
    "celsius": {"type": "number", "minimum": -40, "maximum": 125},
    "at": {"type": "string", "format": "date-time"},
    "children": {"type": "array", "items": {"$ref": "#"}},
    "unit/~": {"enum": ["K", "C"]}
  },
  "additionalProperties": false
}"##;

#[test]
fn what_is_wrong_is_told_with_its_place_and_its_rule() {
    let schema = compile(Kind::JsonSchema, READING.as_bytes());
    let good = r#"{"celsius": 21, "at": "2026-11-22T10:00:00Z", "unit/~": "K",
        "children": [{"celsius": 1.5, "at": "2026-11-22T10:00:00Z"}]}"#;
    assert_eq!(broken(&schema, good.as_bytes()), None);
    for (payload, place, rule) in [
        ("[]", "", "/type"),
        (r#"{"at": "2026-11-22T10:00:00Z"}"#, "/celsius", "/required"),
        (
            r#"{"celsius": 126, "at": "2026-11-22T10:00:00Z"}"#,
            "/celsius",
            "/properties/celsius/maximum",
        ),
        (r#"{"celsius": 1, "at": "today"}"#, "/at", "/properties/at/format"),
        (
            r#"{"celsius": 1, "at": "2026-11-22T10:00:00Z", "unit/~": "F"}"#,
            "/unit~1~0",
            "/properties/unit~1~0/enum",
        ),
        (
            r#"{"celsius": 1, "at": "2026-11-22T10:00:00Z", "more": 1}"#,
            "/more",
            "/additionalProperties",
        ),
        (
            r#"{"celsius": 1, "at": "2026-11-22T10:00:00Z", "children": [{"celsius": "hot", "at": "2026-11-22T10:00:00Z"}]}"#,
            "/children/0/celsius",
            "/properties/celsius/type",
        ),
    ] {
        let found = broken(&schema, payload.as_bytes());
        assert_eq!(found, Some((place.to_owned(), rule.to_owned())), "{payload}");
    }
    for (payload, why) in
        [("{", FormatError::Malformed), (r#"{"celsius": 1, "celsius": 2}"#, FormatError::Duplicate)]
    {
        assert_eq!(check(&schema, payload.as_bytes()), Err(Broken::Format(why)), "{payload}");
    }
}

#[test]
fn a_schema_that_cannot_be_used_is_told_where_and_why() {
    for (text, expected) in [
        ("{", "line 1"),
        ("[]", "this is no schema"),
        (r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#, "this edition"),
        (
            r#"{"properties": {"a": {"type": "float"}}}"#,
            "/properties/a/type: there is no such type",
        ),
        (r#"{"$ref": "https://example.org/schema.json"}"#, "nothing outside"),
        (r#"{"$ref": "file:///etc/passwd"}"#, "nothing outside"),
        (r##"{"$ref": "#/$defs/none"}"##, "no schema is there"),
        (r##"{"$ref": "#none"}"##, "no schema has that name"),
        (r##"{"$ref": "#"}"##, "refers to itself about the same value"),
        (
            r##"{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}}"##,
            "refers to itself",
        ),
        (r#"{"properties": {"a": {"$id": "https://example.org/x"}}}"#, "one document"),
        (r#"{"pattern": "(?=a)b"}"#, "/pattern"),
        (r#"{"pattern": "(a)\\1"}"#, "/pattern"),
        (r#"{"pattern": "((a{1000}){1000}){1000}"}"#, "does not compile, or is too large"),
        (r#"{"format": "regex"}"#, "would not be looked at"),
        (r#"{"multipleOf": 0}"#, "above zero"),
        (r#"{"maxLength": -1}"#, "no count"),
        (r#"{"required": "a"}"#, "no list"),
        (r#"{"type": "string", "type": "number"}"#, "a name twice"),
        (r#"{"$defs": {"unused": {"minimum": "1"}}}"#, "/$defs/unused/minimum"),
    ] {
        let found = wrong(Kind::JsonSchema, text.as_bytes());
        assert!(found.contains(expected), "{text}: {found}");
    }
    let deep = format!("{}true{}", r#"{"not":"#.repeat(33), "}".repeat(33));
    assert!(wrong(Kind::JsonSchema, deep.as_bytes()).contains("within each other"));
    let many: Vec<_> = (0..2_001).map(|at| format!(r#""{at}":{{}}"#)).collect();
    let many = format!(r#"{{"properties":{{{}}}}}"#, many.join(","));
    assert!(wrong(Kind::JsonSchema, many.as_bytes()).contains("more than 2000 subschemas"));
    // Each keeps where it stands, with a long name in it.
    let below: Vec<String> = (0..1900).map(|number| format!("\"{number}\": true")).collect();
    let name = "~".repeat(20_000);
    let long =
        format!(r#"{{"properties": {{"{name}": {{"properties": {{{}}}}}}}}}"#, below.join(", "));
    assert!(wrong(Kind::JsonSchema, long.as_bytes()).contains("names are too long"));
    let patterns: Vec<_> = (0..33).map(|at| format!(r#"{{"pattern":"{at}"}}"#)).collect();
    let patterns = format!(r#"{{"anyOf":[{}]}}"#, patterns.join(","));
    assert!(wrong(Kind::JsonSchema, patterns.as_bytes()).contains("more than 32 patterns"));
    let schema = compile(Kind::JsonSchema, br#"{"propertees": {}}"#);
    assert_eq!(schema.warnings(), ["/propertees: the word is not known and says nothing"]);
}

#[test]
fn media_types_belong_to_kinds() {
    for (kind, named, taken) in [
        (Kind::JsonSchema, Some("application/json; charset=utf-8"), true),
        (Kind::JsonSchema, None, true),
        (Kind::JsonSchema, Some("application/cbor"), false),
        (Kind::Cddl, Some("Application/CBOR"), true),
        (Kind::Cddl, Some("application/senml+cbor"), true),
        (Kind::JsonSchema, Some("application/senml+json"), true),
        (Kind::Protobuf, Some("application/x+json"), false),
        (Kind::Protobuf, Some("application/x-protobuf"), true),
        (Kind::Protobuf, Some("application/protobuf"), true),
        (Kind::Protobuf, Some(""), false),
    ] {
        assert_eq!(kind.takes(named), taken, "{kind:?} {named:?}");
    }
}
