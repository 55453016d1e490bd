//! What is a policy set, and what is wrong with what is none.

use permission::{
    DEPTH_MAX, NESTED_MAX, OPERATORS_MAX, POLICIES_MAX, Policies, SCHEMA, TEXT_BYTES_MAX,
};
use proptest::prelude::*;

fn policy(id: &str, when: &str) -> String {
    format!("@id(\"{id}\")\npermit(principal, action, resource) when {{ {when} }};\n")
}

#[test]
fn the_schema_is_the_one_that_is_published() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policies.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(SCHEMA), "docs/policies.md should contain\n{SCHEMA}");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_to_do() {
    for (text, line, told) in [
        ("permit(principal, action, resource);", 1, "no id"),
        ("@id(\"a\")\npermit(principal, action, resource)", 2, "unexpected end"),
        (
            "@id(\"a\") permit(principal, action, resource);\n@id(\"a\") permit(principal, action, resource);",
            2,
            "twice",
        ),
        ("@id(\"A b\")\npermit(principal, action, resource);", 1, "cannot be used"),
        ("@id(\"own-space\")\npermit(principal, action, resource);", 1, "own space"),
        ("@id(\"a\")\npermit(principal, action == Action::\"fly\", resource);", 2, "fly"),
        ("@id(\"a\")\npermit(principal is Plane, action, resource);", 2, "Plane"),
        (
            "@id(\"a\")\npermit(principal, action == Action::\"publish\", resource)\nwhen { resource.colour == \"red\" };",
            3,
            "colour",
        ),
        (
            "@id(\"a\")\npermit(principal, action == Action::\"publish\", resource)\nwhen { resource.path == 3 };",
            3,
            "type",
        ),
        ("@id(\"a\")\npermit(principal == ?principal, action, resource);", 0, "templates"),
        (
            "@id(\"a\")\npermit(principal, action, resource) when { ip(\"10.0.0\").isIpv4() };",
            2,
            "IP address",
        ),
        (
            "@id(\"a\")\nforbid(principal, action, resource) when { resource.device == principal };",
            2,
            "device",
        ),
    ] {
        let Err(problems) = Policies::parse(text) else { panic!("{text}") };
        let first = &problems.0[0];
        assert_eq!(first.line, line, "{text}: {problems}");
        assert!(problems.to_string().contains(told), "{text}: {problems}");
        assert!(!first.hint.is_empty() && first.message.lines().count() == 1, "{problems}");
    }
}

#[test]
fn an_empty_set_says_nothing_and_is_one() {
    for text in ["", "  // nothing yet\n"] {
        assert!(Policies::parse(text).unwrap().ids().is_empty());
    }
}

/// Cedar's parser calls itself: what it is given is bounded before. These would overflow the stack of a
/// thread, were they not refused; at the limit all goes through, on a stack like that of any worker.
#[test]
fn what_is_too_long_too_deep_or_too_much_is_refused_before_it_is_parsed() {
    let many =
        |count: usize| (0..count).map(|n| policy(&format!("p{n}"), "true")).collect::<String>();
    let deep = |depth: usize| {
        // Two brackets are the policy's own.
        let inner = depth.saturating_sub(1);
        policy("p", &format!("{}true{}", "(".repeat(inner), ")".repeat(inner)))
    };
    let ands = |count: usize| policy("p", &format!("true{}", " && true".repeat(count / 2)));
    let nots = |count: usize| policy("p", &format!("true{}", " || !true".repeat(count)));
    let ifs =
        |count: usize| policy("p", &format!("{}true", "if true then true else ".repeat(count)));
    let dots = |count: usize| policy("p", &format!("context{} == 1", ".a".repeat(count)));
    let sets = |depth: usize| {
        policy("p", &format!("{}1{} == 1", "[".repeat(depth - 1), "]".repeat(depth - 1)))
    };
    for good in [
        many(POLICIES_MAX),
        deep(DEPTH_MAX),
        ands(OPERATORS_MAX - 2),
        nots(NESTED_MAX),
        ifs(NESTED_MAX),
    ] {
        let read = Policies::parse(&good);
        assert!(read.is_ok(), "{read:?}: {} bytes", good.len());
    }
    // Parsed, whatever the schema says to it.
    for parsed in [dots(OPERATORS_MAX - 4), sets(DEPTH_MAX)] {
        let _ = Policies::parse(&parsed);
    }
    for (bad, told) in [
        (many(POLICIES_MAX + 1), "more than 100 policies"),
        (deep(DEPTH_MAX + 1), "brackets nest"),
        (deep(20_000), "brackets nest"),
        (ands(OPERATORS_MAX * 2), "operators"),
        (ands(16_000), "operators"),
        (nots(NESTED_MAX + 1), "if, ! and -"),
        (ifs(NESTED_MAX + 1), "if, ! and -"),
        (ifs(2_000), "if, ! and -"),
        (dots(20_000), "operators"),
        (format!("// {}", "x".repeat(TEXT_BYTES_MAX)), "bytes"),
        // A comment ends with a carriage return for Cedar.
        (policy("p", &format!("//x\r{}true", "(".repeat(20_000))), "brackets nest"),
        (policy("p", "(true"), "not closed"),
        (policy("p", &like(200)), "a pattern"),
        (many_likes(), "the patterns"),
    ] {
        let problems = Policies::parse(&bad).unwrap_err();
        assert!(problems.to_string().contains(told), "{told}: {problems}");
    }
}

/// More patterns than a set may have, in policies that are few enough.
fn many_likes() -> String {
    (0..50).map(|at| policy(&format!("p{at}"), &like(100))).collect()
}

/// A pattern of so many bytes that costs much and never fits.
fn like(bytes: usize) -> String {
    format!("resource.path like \"*{}b\"", "a".repeat(bytes.saturating_sub(2)))
}

/// What the guard takes for a string or a comment is one for Cedar, too: otherwise it would count
/// something else than what is parsed.
#[test]
fn what_stands_in_strings_and_comments_is_not_counted() {
    let text =
        policy("p", r#"resource has path || "\"((((((((((((((((" == "a;b" // (((((((((((((((("#);
    let text = text.replace(" };", "\n};");
    let text = text.replace("resource has path", "true");
    assert_eq!(Policies::parse(&text).unwrap().ids(), ["p"]);
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "@id(\"a\")",
        "permit",
        "forbid",
        "(",
        ")",
        "principal",
        "action",
        "resource",
        ",",
        ";",
        "when",
        "unless",
        "{",
        "}",
        "[",
        "]",
        "==",
        "&&",
        "||",
        "!",
        "-",
        "in",
        "has",
        "like",
        "is",
        "if",
        "then",
        "else",
        "\"*\"",
        "\"",
        "\\",
        "//",
        "\n",
        "\r",
        "Action::\"publish\"",
        ".path",
        "Device",
        "::",
        "true",
        "9223372036854775807",
        "+",
        "*",
        "温度",
        "?principal",
        "context",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in pieces(), noise in ".{0,60}") {
        for text in [text, noise] {
            match Policies::parse(&text) {
                Ok(set) => prop_assert_eq!(set.ids().len(), set.effects().len()),
                Err(problems) => prop_assert!(!problems.0.is_empty()),
            }
        }
    }
}
