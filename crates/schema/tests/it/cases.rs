use crate::compile;
use schema::{Cases, Kind};

#[test]
fn cases_are_tried_one_by_one() {
    let schema = compile(Kind::JsonSchema, br#"{"properties": {"a": {"type": "integer"}}}"#);
    let cases = Cases::parse(
        "
cases:
  - { name: whole, text: '{\"a\": 1}', expect: accepted }
  - { name: half, text: '{\"a\": 1.5}', expect: refused, at: /a }
  - { name: elsewhere, text: '{\"a\": 1.5}', expect: refused, at: /b }
  - { name: bytes, hex: '7b 7d', expect: refused }
  - { name: coded, base64: e30=, expect: accepted }
",
    )
    .unwrap();
    assert_eq!(cases.count(), 5);
    let report = cases.run(&schema);
    let passed: Vec<_> = report.cases.iter().map(|case| case.passed).collect();
    assert_eq!(passed, [true, true, false, false, true]);
    assert_eq!((report.failures(), report.passed()), (2, false));
    assert_eq!(report.cases[1].why.as_deref(), Some("/a: /properties/a/type"));
    assert_eq!(report.cases[2].instead.as_deref(), Some("refused at /b"));
}

#[test]
fn cases_that_say_nothing_are_refused() {
    for (text, expected) in [
        ("cases: []", "there are 0 cases"),
        ("cases: [{ name: a, text: '1', expect: accepted }]", "expects a payload to be refused"),
        ("cases: [{ name: a, text: '1', expect: refused }]", "expects a payload to be accepted"),
        ("cases: [{ name: a, expect: refused }]", "no payload"),
        ("cases: [{ name: a, text: '1', hex: '31', expect: refused }]", "no payload"),
        ("cases: [{ name: a, hex: 'x', expect: refused }]", "no payload"),
        ("cases: [{ name: a, text: '1', expect: accepted, at: /a }]", "fails nowhere"),
        ("cases: [{ name: '', text: '1', expect: refused }]", "name cannot be used"),
        ("cases: [{ name: a, text: '1', expect: maybe }]", "line 1"),
        ("cases: [{ name: a, text: '1', expect: refused, more: 1 }]", "more"),
    ] {
        let found = Cases::parse(text).unwrap_err().to_string();
        assert!(found.contains(expected), "{text}: {found}");
    }
}
