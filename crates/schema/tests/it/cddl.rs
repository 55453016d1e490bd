use crate::{broken, compile, wrong};
use schema::{Definition, Kind, Schema};

const READING: &str = r#"
; a reading of a sensor
reading = {
  celsius: -40.0..125.0 / int,
  ? at: time,
  ? 1 => tstr .size (1..8),
  * extra,
}
extra = (tstr .regexp "x-[a-z]+" => any)
"#;

fn hex(text: &str) -> Vec<u8> {
    hex_of(&text.replace(' ', ""))
}

fn hex_of(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_its_rule() {
    let schema = compile(Kind::Cddl, READING.as_bytes());
    for good in [
        "a1 67 63656c73697573 15",
        "a1 67 63656c73697573 fb 4035800000000000",
        "a2 67 63656c73697573 15 01 63 616263",
        "a2 67 63656c73697573 15 62 6174 c1 1a 655d2a00",
        "a2 67 63656c73697573 15 64 782d6162 80",
        "bf 67 63656c73697573 15 ff",
    ] {
        assert_eq!(broken(&schema, &hex(good)), None, "{good}");
    }
    for (bad, place, rule) in [
        ("80", "", "reading: a map"),
        ("a0", "/celsius", "reading: this must be there"),
        ("a1 67 63656c73697573 61 31", "/celsius", "reading: a number of the range"),
        ("a2 67 63656c73697573 15 01 60", "/1", "reading: a number of the range"),
        ("a2 67 63656c73697573 15 62 6174 01", "/at", "reading: tag 1"),
        ("a2 67 63656c73697573 15 61 79 01", "/y", "reading: nothing of that name"),
    ] {
        let found = broken(&schema, &hex(bad)).expect(bad);
        assert_eq!(found, (place.to_owned(), rule.to_owned()), "{bad}");
    }
}

/// Schema, items that follow it, items that do not.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("a = int", &["00", "3903e7"], &["f90000", "6130", "c100"]),
    ("a = uint .size 2", &["00", "19ffff"], &["1a00010000", "20"]),
    ("a = 1..5", &["01", "05"], &["00", "06", "f93c00"]),
    ("a = 1...5", &["04"], &["05"]),
    ("a = float32", &["fa47c35000"], &["f93c00", "fb3ff199999999999a"]),
    ("a = bool / nil", &["f4", "f5", "f6"], &["f7", "00"]),
    ("a = \"on\" / \"off\"", &["626f6e", "636f6666"], &["6161"]),
    ("a = h'00ff'", &["4200ff"], &["4100"]),
    ("a = [* int]", &["80", "820102", "9f01ff"], &["816130", "a0"]),
    ("a = [1*2 int, tstr]", &["820161 61", "83010261 61"], &["8161 61", "8401020361 61"]),
    ("a = [x: int, ? y: int]", &["8101", "820102"], &["80", "83010203"]),
    (
        "a = [+ pair]\npair = (int, tstr)",
        &["820161 61", "840161 610261 62"],
        &["80", "8101", "830161 6102"],
    ),
    ("a = [int // tstr, tstr]", &["8101", "8261 6161 62"], &["8161 61"]),
    (
        "a = { a: int, ? b: int }",
        &["a1616101", "a261610161 6202"],
        &["a0", "a1616201", "a1616161 61"],
    ),
    (
        "a = { (a: int // b: tstr), ? c: int }",
        &["a1616101", "a1616261 61", "a2616101616301"],
        &["a1616201", "a0"],
    ),
    (
        "a = { 1 => int, * tstr => int }",
        &["a10102", "a2010261 6103"],
        &["a1616103", "a2010261 6161 61"],
    ),
    ("a = { common, b: int }\ncommon = (a: int)", &["a2616101616201"], &["a1616201"]),
    ("a = { ~base, b: int }\nbase = { a: int }", &["a2616101616201"], &["a1616201"]),
    ("a = list<int>\nlist<t> = [* t]", &["80", "8101"], &["8161 61"]),
    (
        "a = pair<int, list<tstr>>\npair<x, y> = [x, y]\nlist<x> = [* x]",
        &["820180", "82018161 61"],
        &["82018101", "826161 80"],
    ),
    ("a = tree\ntree = [int, * tree]", &["8101", "8301 8102 8103"], &["80", "8201 80"]),
    ("a = #6.32(tstr)", &["d82061 61"], &["6161", "d82161 61"]),
    ("a = uri", &["d82061 61"], &["6161"]),
    ("a = tstr .regexp \"[A-Z]{2}\"", &["624142"], &["6141", "6361 4142"]),
    ("a = tstr .size (2..3)", &["626161", "63616161"], &["6161", "6461616161"]),
    ("a = bytes .cbor [int]", &["428101"], &["4101", "41ff"]),
    ("a = int .lt 5 / int .ge 10", &["04", "0a"], &["05", "09"]),
    ("a = int .ne 0", &["01"], &["00"]),
    ("a = &(on: 1, off: 2)", &["01", "02"], &["03"]),
    ("a = &colours\ncolours = (red: 1, green: 2)", &["02"], &["03"]),
    ("a = int\na /= tstr", &["01", "6161"], &["80"]),
    ("a = { g }\ng //= (a: int)\ng //= (b: int)", &["a1616101", "a1616201"], &["a1616301"]),
    ("a = any", &["00", "a0", "f7", "d82061 61"], &[]),
    ("a = number", &["01", "f93c00"], &["6161"]),
    ("a = [~tdate]", &["8161 61"], &["81c06161"]),
    ("a = {* tstr => any, ? 1 => int}", &["a0", "a1616101"], &["a102 01"]),
    ("a = { a: int / tstr .size 1 }", &["a1616101", "a161616161"], &["a16161626161"]),
];

#[test]
fn verdicts_of_a_table() {
    for (text, good, bad) in TABLE {
        let schema = compile(Kind::Cddl, text.as_bytes());
        for payload in *good {
            assert_eq!(broken(&schema, &hex(payload)), None, "{text}: {payload}");
        }
        for payload in *bad {
            assert!(broken(&schema, &hex(payload)).is_some(), "{text}: {payload}");
        }
    }
}

#[test]
fn a_schema_that_cannot_be_used_is_told_where_and_why() {
    for (text, expected) in [
        ("", "there is no rule"),
        ("a = ", "line 1, column 5"),
        ("a = [int", "line 1"),
        ("a = b", "no rule is called b"),
        ("a = int\na = tstr", "line 2, column 1: the rule a stands twice"),
        ("a = a", "made of itself"),
        ("a = b / int\nb = a", "made of itself"),
        ("a = (b: int)", "no type"),
        ("a = list<int, int>\nlist<t> = [t]", "takes 1 types"),
        ("a = tstr .pcre \"x\"", "not known"),
        ("a = tstr .regexp \"(x{1000}){1000}\"", "too large"),
        ("a = \"x", "does not end"),
        ("a = 99999999999999999999", "no number"),
        ("int = tstr", "stands twice"),
        ("a = ยง", "sign is not known"),
        ("a = #0.1", "no such type"),
    ] {
        let found = wrong(Kind::Cddl, text.as_bytes());
        assert!(found.contains(expected), "{text}: {found}");
    }
    let deep = format!("a = {}int{}", "[".repeat(17), "]".repeat(17));
    assert!(wrong(Kind::Cddl, deep.as_bytes()).contains("nest more than 16 deep"));
    let mut named = Definition::new(Kind::Cddl, b"a = int\nb = tstr".to_vec());
    named.root = Some("b".to_owned());
    let schema = Schema::compile(&named).unwrap();
    assert_eq!(broken(&schema, &hex("6161")), None);
    assert!(broken(&schema, &hex("01")).is_some());
    named.root = Some("c".to_owned());
    assert!(Schema::compile(&named).unwrap_err().to_string().contains("no rule is called c"));
}
