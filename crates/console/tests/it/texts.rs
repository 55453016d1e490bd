//! Texts are whole in both languages: no key is missing, unknown, unused or differs in its arguments.

use console::i18n::{AREAS, FAMILIES};
use fluent_syntax::{
    ast::{Entry, Expression, InlineExpression, Pattern, PatternElement},
    parser,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Texts that are the same in both languages for a reason: names and abbreviations.
const SAME: &[&str] =
    &["frame-brand", "traffic-door-coap", "traffic-door-http", "traffic-door-mqtt"];

/// Key to the text's arguments and its source form.
type Texts = BTreeMap<String, (BTreeSet<String>, String)>;

fn read(sources: impl Iterator<Item = (&'static str, &'static str)>) -> Texts {
    let mut texts = Texts::new();
    for (area, source) in sources {
        let resource = parser::parse(source).unwrap_or_else(|(_, errors)| {
            panic!("{area}.ftl cannot be read: {errors:?}");
        });
        for entry in resource.body {
            match entry {
                Entry::Message(message) => {
                    let key = message.id.name.to_owned();
                    let pattern = message.value.unwrap_or_else(|| panic!("{key} has no text"));
                    assert!(
                        message.attributes.is_empty(),
                        "{key} has attributes, which nobody reads"
                    );
                    let mut variables = BTreeSet::new();
                    let mut text = String::new();
                    walk(&pattern, &mut variables, &mut text);
                    let old = texts.insert(key.clone(), (variables, text));
                    assert!(old.is_none(), "{area}.ftl: {key} is there twice");
                }
                Entry::Junk { content } => panic!("{area}.ftl: {content:?}"),
                _ => {}
            }
        }
    }
    texts
}

fn walk(pattern: &Pattern<&str>, variables: &mut BTreeSet<String>, text: &mut String) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => text.push_str(value),
            PatternElement::Placeable { expression } => match expression {
                Expression::Inline(inline) => variable(inline, variables),
                Expression::Select { selector, variants } => {
                    variable(selector, variables);
                    for variant in variants {
                        walk(&variant.value, variables, text);
                    }
                }
            },
        }
    }
}

fn variable(inline: &InlineExpression<&str>, variables: &mut BTreeSet<String>) {
    if let InlineExpression::VariableReference { id } = inline {
        variables.insert(id.name.to_owned());
    }
}

fn english() -> Texts {
    read(AREAS.iter().map(|(area, en, _)| (*area, *en)))
}

fn japanese() -> Texts {
    read(AREAS.iter().map(|(area, _, ja)| (*area, *ja)))
}

/// Every template and source file, without tests and comments.
fn sources() -> Vec<(PathBuf, String)> {
    fn gather(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, into);
            } else {
                let text = code(&std::fs::read_to_string(&path).unwrap());
                into.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    gather(&root.join("src"), &mut found);
    gather(&root.join("templates"), &mut found);
    found
}

/// Code before the tests at the end of a file, without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).fold(
        String::new(),
        |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        },
    )
}

/// Keys given to `.text("…")` or `.markup("…")`, with the file, and whether as markup.
fn asked(sources: &[(PathBuf, String)]) -> Vec<(String, PathBuf, bool)> {
    let mut asked = Vec::new();
    for (path, text) in sources {
        for (call, markup) in [(".text(\"", false), (".markup(\"", true)] {
            for rest in text.split(call).skip(1) {
                let key = rest.split('"').next().unwrap();
                asked.push((key.to_owned(), path.clone(), markup));
            }
        }
    }
    asked
}

/// Keys that values of families make.
fn of_families() -> BTreeSet<String> {
    FAMILIES
        .iter()
        .flat_map(|(family, values)| values.iter().map(move |value| format!("{family}-{value}")))
        .collect()
}

#[test]
fn both_languages_have_the_same_keys_with_the_same_arguments() {
    let (english, japanese) = (english(), japanese());
    let keys = |texts: &Texts| texts.keys().cloned().collect::<BTreeSet<_>>();
    let (en, ja) = (keys(&english), keys(&japanese));
    let lacking: Vec<_> = en.difference(&ja).collect();
    assert!(lacking.is_empty(), "not in Japanese: {lacking:?}");
    let lacking: Vec<_> = ja.difference(&en).collect();
    assert!(lacking.is_empty(), "not in English: {lacking:?}");
    for (key, (variables, _)) in &english {
        assert_eq!(variables, &japanese[key].0, "{key}: the arguments differ");
    }
}

#[test]
fn japanese_is_japanese() {
    let (english, japanese) = (english(), japanese());
    for (key, (_, text)) in &japanese {
        let same = text.trim() == english[key].1.trim() && text.chars().any(char::is_alphabetic);
        assert_eq!(same, SAME.contains(&key.as_str()), "{key}: {text:?} in both languages");
        let ours = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}');
        assert!(
            same || !text.chars().any(char::is_alphabetic) || text.chars().any(ours),
            "{key}: {text:?} has no Japanese character"
        );
    }
    for (key, (_, text)) in &english {
        assert!(text.chars().all(|c| !matches!(c, '\u{3000}'..='\u{9fff}')), "{key}: {text:?}");
    }
}

#[test]
fn every_key_that_is_asked_for_exists_and_every_key_is_asked_for() {
    let english = english();
    let sources = sources();
    let asked = asked(&sources);
    for (key, path, _) in &asked {
        assert!(english.contains_key(key), "{}: no text {key:?}", path.display());
    }
    for key in of_families() {
        assert!(english.contains_key(&key), "a family lists {key:?}, which has no text");
    }
    // A key may also stand in a table, as the navigation's do.
    let whole: String = sources.iter().map(|(_, text)| text.as_str()).collect();
    let families = of_families();
    let unused: Vec<_> = english
        .keys()
        .filter(|key| !families.contains(*key) && !whole.contains(&format!("\"{key}\"")))
        .collect();
    assert!(unused.is_empty(), "texts that nobody shows: {unused:?}");
}

#[test]
fn families_list_each_value_that_has_a_text() {
    let english = english();
    let sources = sources();
    for (path, text) in &sources {
        for rest in text.split(".word(\"").skip(1) {
            let family = rest.split('"').next().unwrap();
            assert!(
                FAMILIES.iter().any(|(name, _)| *name == family),
                "{}: the family {family:?} is not listed",
                path.display()
            );
        }
    }
    for (family, values) in FAMILIES {
        let prefix = format!("{family}-");
        for key in english.keys().filter_map(|key| key.strip_prefix(&prefix)) {
            assert!(values.contains(&key), "{prefix}{key} is a text that its family does not list");
        }
    }
}

#[test]
fn texts_with_markup_are_shown_as_markup_only() {
    let english = english();
    for (key, path, markup) in asked(&sources()) {
        let has = english[&key].1.contains(['<', '>']);
        assert_eq!(has, markup, "{}: {key} is shown the wrong way", path.display());
    }
}

#[test]
fn a_lacking_argument_is_found() {
    // The checks above can fail: a text of each kind of mistake is seen as one.
    let texts = read([("x", "a = { $count } x\nb = <b>y</b>\n")].into_iter());
    assert_eq!(texts["a"].0, BTreeSet::from(["count".to_owned()]));
    assert!(texts["b"].1.contains('<'));
}
