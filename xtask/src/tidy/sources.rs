//! What source files say.

use super::{Finding, Source, rules};

pub(super) fn check(files: &[Source]) -> Vec<Finding> {
    files
        .iter()
        .flat_map(|file| {
            let mut findings = foreign_words(file);
            findings.extend(unfinished(file));
            findings.extend(crate_root(file));
            findings.extend(manifest(file));
            findings.extend(mentions(file));
            findings.extend(sql(file));
            findings
        })
        .collect()
}

/// Files that deserve a second look for their length.
pub(super) fn long(files: &[Source]) -> Vec<(&str, usize)> {
    files
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .map(|file| (file.path.as_str(), file.text.lines().count()))
        .filter(|(_, lines)| *lines > rules::LINES_MAX)
        .collect()
}

/// Lines with their numbers.
fn lines(file: &Source) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// Lines of code before the tests at the end of a file, without comments.
fn code(file: &Source) -> impl Iterator<Item = (usize, &str)> {
    lines(file)
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn foreign_words(file: &Source) -> Vec<Finding> {
    if rules::GENERATED.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, line) in lines(file) {
        for (word, what) in rules::FOREIGN_WORDS {
            if line.contains(word) {
                findings.push(Finding::new(
                    &file.path,
                    at,
                    format!("{word:?} is {what}"),
                    "use a path from the root, or the registry's plain name",
                ));
            }
        }
    }
    findings
}

/// Nothing lands half done.
fn unfinished(file: &Source) -> Vec<Finding> {
    if !file.path.ends_with(".rs") && !file.path.ends_with(".py") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, line) in lines(file) {
        for (mark, hint) in rules::UNFINISHED {
            if line.contains(mark) && !line.contains(rules::STARTED_BY_ANOTHER) {
                findings.push(Finding::new(&file.path, at, format!("{mark:?}"), *hint));
            }
        }
    }
    findings
}

/// A crate's root opens with its documentation.
fn crate_root(file: &Source) -> Option<Finding> {
    let mut parts = file.path.split('/');
    let root = (parts.next(), parts.nth(1), parts.next(), parts.next());
    let (Some("crates"), Some("src"), Some("lib.rs" | "main.rs"), None) = root else {
        return None;
    };
    // A binary beside a library is documented there.
    if file.text.starts_with("//!") {
        return None;
    }
    Some(Finding::new(&file.path, 1, "the crate has no documentation", "open the file with `//!`"))
}

/// Every crate takes the workspace's lints, and these hold what we rely on.
fn manifest(file: &Source) -> Vec<Finding> {
    if file.path == "Cargo.toml" {
        return rules::REQUIRED_LINTS
            .iter()
            .filter(|lint| !file.text.lines().any(|line| line.starts_with(*lint)))
            .map(|lint| Finding::new(&file.path, 1, format!("lint {lint} is off"), "set it"))
            .collect();
    }
    let member = file.path.starts_with("crates/") || file.path.starts_with("xtask/");
    if !member || !file.path.ends_with("Cargo.toml") {
        return Vec::new();
    }
    if file.text.contains("[lints]\nworkspace = true") {
        return Vec::new();
    }
    vec![Finding::new(
        &file.path,
        1,
        "the crate does not take the workspace's lints",
        "add `[lints]` with `workspace = true`",
    )]
}

/// Domain crates do no I/O, read no clock and draw no randomness (invariant 1).
fn mentions(file: &Source) -> Vec<Finding> {
    let of_domain =
        rules::DOMAIN.iter().any(|name| file.path.starts_with(&format!("crates/{name}/src/")));
    if !of_domain {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, line) in code(file) {
        for mention in rules::FORBIDDEN_MENTIONS {
            let allowed = rules::ALLOWED_MENTIONS
                .iter()
                .any(|(path, what, _)| file.path.starts_with(path) && what == mention);
            if line.contains(mention) && !allowed {
                findings.push(Finding::new(
                    &file.path,
                    at,
                    format!("a domain crate mentions {mention}"),
                    "take it as an argument, or list the place with its reason in \
                     xtask/src/tidy/rules.rs",
                ));
            }
        }
    }
    findings
}

/// SQL stands in the store only.
fn sql(file: &Source) -> Vec<Finding> {
    let elsewhere = !rules::SQL_PLACES.iter().any(|place| file.path.starts_with(place));
    if !elsewhere || !file.path.ends_with(".rs") {
        return Vec::new();
    }
    code(file)
        .filter(|(_, line)| rules::SQL_MARKS.iter().any(|mark| line.contains(mark)))
        .map(|(at, _)| {
            Finding::new(
                &file.path,
                at,
                "SQL outside the store",
                "add a typed function to crates/service/src/store and call it",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(path: &str, text: &str) -> Vec<(usize, String)> {
        let file = Source { path: path.into(), text: text.into() };
        check(&[file]).into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn finds_io_in_domain_code_but_not_in_comments_or_tests() {
        let text = "//! x\n// std::fs is fine here\nuse std::fs;\n#[cfg(test)]\nuse std::net;\n";
        let found = whats("crates/pki/src/lib.rs", text);
        assert_eq!(found, [(3, "a domain crate mentions std::fs".into())]);
        assert!(whats("crates/server/src/lib.rs", text).is_empty());
        assert!(whats("crates/ledger/src/files.rs", "use std::fs;\n").is_empty());
    }

    #[test]
    fn finds_sql_outside_the_store() {
        let text = "//! x\nlet rows = \"SELECT id FROM device\";\n";
        assert_eq!(whats("crates/server/src/x.rs", text), [(2, "SQL outside the store".into())]);
        assert!(whats("crates/service/src/store/device.rs", text).is_empty());
    }

    #[test]
    fn finds_crates_without_documentation_or_lints_and_words_of_one_machine() {
        assert_eq!(whats("crates/pki/src/lib.rs", "mod x;\n").len(), 1);
        assert_eq!(whats("crates/pki/Cargo.toml", "[package]\n").len(), 1);
        let path = concat!("cd /roo", "t/x\n");
        assert_eq!(whats("README.md", path).len(), 1);
        assert!(whats("Cargo.lock", path).is_empty());
        assert_eq!(whats("crates/pki/src/x.rs", concat!("// FIX", "ME later\n")).len(), 1);
    }
}
