//! What does not fit together is refused, with the place.

use crate::world::{catalogue, item, library};
use assessment::{AssessmentError, Catalogue};
use proptest::prelude::*;

fn refused(text: &str) -> AssessmentError {
    Catalogue::parse("c.yaml", text).unwrap_err()
}

/// The line of `text` that holds `what` for the last time.
fn line_of(text: &str, what: &str) -> u64 {
    text.lines().zip(1..).filter(|(line, _)| line.contains(what)).last().unwrap().1
}

fn line(error: &AssessmentError) -> u64 {
    match error {
        AssessmentError::Malformed { line, .. } | AssessmentError::Inconsistent { line, .. } => {
            *line
        }
        other => panic!("no line: {other}"),
    }
}

#[test]
fn a_catalogue_without_a_language_licence_source_or_checker_is_refused() {
    let whole = catalogue("a", &["1"]);
    assert!(Catalogue::parse("c.yaml", &whole).is_ok());
    for line in whole.lines().filter(|line| {
        ["title:", "licence:", "checked:", "publisher:", "url:", "edition:", "text:"]
            .iter()
            .any(|field| line.trim_start().starts_with(field))
    }) {
        let without = whole.replacen(&format!("{line}\n"), "", 1);
        let error = refused(&without);
        assert!(matches!(error, AssessmentError::Malformed { .. }), "{line}: {error}");
    }
    let one_language = whole.replace(", ja: 本文1", "");
    assert_eq!(line(&refused(&one_language)), line_of(&one_language, "text:"));
    let english_only = whole.replace("本文1", "Text of 1");
    assert_eq!(line(&refused(&english_only)), line_of(&english_only, "id:"));
}

#[test]
fn unknown_words_are_refused_with_their_line() {
    let whole = catalogue("a", &["1"]);
    for (from, to, place) in [
        ("licence: free", "licence: mine", "licence:"),
        ("    group: g", "    group: g\n    colour: red", "colour:"),
        ("    group: g", "    group: h", "- id: '1'"),
        ("    group: g", "    group: g\n    security_level: 5", "- id: '1'"),
        ("Text of 1", "\"Text \\u001b[2J\"", "- id: '1'"),
    ] {
        let text = whole.replace(from, to);
        assert_ne!(text, whole);
        let error = refused(&text);
        assert_eq!(line(&error), line_of(&text, place), "{error}");
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    let twice = catalogue("a", &["1", "1"]);
    assert_eq!(line(&refused(&twice)), line_of(&twice, "- id: '1'"));
    let catalogues = [catalogue("a", &["1"]), catalogue("a", &["2"])];
    assert!(library(&catalogues, "", &[]).is_err());
    let catalogues = [catalogue("a", &["1"]), catalogue("b", &["1"])];
    let both_ways = "  - {from: 'a:1', equal: ['b:1']}\n  - {from: 'b:1', subset: ['a:1']}\n";
    let error = library(&catalogues, both_ways, &[]).unwrap_err();
    assert!(matches!(error, AssessmentError::Inconsistent { line: 3, .. }), "{error}");
    let items = [item("DEV-SWD-01", &["'a:1'"]), item("DEV-SWD-01", &["'a:1'"])];
    assert!(library(&catalogues, "", &items).is_err());
    assert!(library(&catalogues, "", &[item("DEV-SWD-01", &["'a:1'", "'a:1 equal'"])]).is_err());
}

#[test]
fn references_resolve_or_are_refused() {
    let catalogues = [catalogue("a", &["1"]), catalogue("b", &["1"])];
    let error = library(&catalogues, "  - {from: 'a:1', equal: ['b:2']}\n", &[]).unwrap_err();
    assert_eq!(error.to_string(), "m.yaml:2: no record b:2");
    let error = library(&catalogues, "", &[item("DEV-SWD-01", &["'a:9'"])]).unwrap_err();
    assert_eq!(error.to_string(), "s.yaml:2: DEV-SWD-01: no record a:9");
    assert!(library(&catalogues, "", &[item("DEV-SWD-01", &["'a:1 similar'"])]).is_err());
    assert!(library(&catalogues, "", &[item("DEV-SWD-01", &[])]).is_err());
    assert!(library(&catalogues, "", &[item("DEV-SWD-01", &["'a:1 superset'"])]).is_ok());
}

proptest! {
    /// Any text is an error or a catalogue; no text panics.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Catalogue::parse("c.yaml", &text);
    }

    /// A file cut or damaged anywhere is an error or a catalogue.
    #[test]
    fn damaged_files_are_read_or_refused(at in 0usize..600, with in "[\\PC\n]{0,3}") {
        let whole = catalogue("a", &["1", "2"]);
        let at = whole.char_indices().map(|(at, _)| at).find(|place| *place >= at).unwrap_or(0);
        let text = format!("{}{with}{}", &whole[..at], &whole[at..]);
        let _ = Catalogue::parse("c.yaml", &text);
        let _ = Catalogue::parse("c.yaml", &whole[..at]);
    }
}
