//! What is claimed is shown: every requirement that the list claims names tests, and they exist.

use super::{Finding, Source, rules};
use std::collections::BTreeMap;

pub(super) fn check(files: &[Source]) -> Vec<Finding> {
    let of = |path: &str| files.iter().find(|file| file.path == path);
    let (Some(list), Some(traced)) = (of(rules::REQUIREMENTS), of(rules::TRACED)) else {
        return vec![Finding::new(
            rules::TRACED,
            1,
            "is missing",
            "name tests for what is claimed",
        )];
    };
    let claims: BTreeMap<&str, (usize, bool)> = rows(list)
        .map(|(line, cells)| (cells.first().copied().unwrap_or(""), (line, claimed(&cells))))
        .collect();
    let mut findings = Vec::new();
    let mut shown: Vec<&str> = Vec::new();
    for (line, cells) in rows(traced) {
        let id = cells.first().copied().unwrap_or("");
        let mut fail = |what: String, hint: &str| {
            findings.push(Finding::new(rules::TRACED, line, what, hint));
        };
        match claims.get(id) {
            None => fail(format!("{id} is no requirement"), "correct the id"),
            Some((_, false)) => {
                fail(
                    format!("{id} is not claimed"),
                    "say in the list what answers it, or drop the row",
                );
            }
            Some((_, true)) if shown.contains(&id) => fail(format!("{id} twice"), "join the rows"),
            Some((_, true)) => shown.push(id),
        }
        let tests: Vec<&str> = cells.get(1).map(|cell| quoted(cell)).unwrap_or_default();
        if tests.is_empty() {
            fail(format!("{id} names no test"), "name one as `path::test`");
        }
        for test in tests {
            if !exists(files, test) {
                fail(format!("there is no test {test}"), "correct the path or the name");
            }
        }
    }
    for (id, (line, claimed)) in claims {
        if claimed && !shown.contains(&id) {
            findings.push(Finding::new(
                rules::REQUIREMENTS,
                line,
                format!("{id} is claimed and no test shows it"),
                format!("name a test in {}", rules::TRACED),
            ));
        }
    }
    findings
}

/// Rows of tables whose first cell is the id of a requirement: line from 1, cells.
fn rows(file: &Source) -> impl Iterator<Item = (usize, Vec<&str>)> {
    file.text.lines().enumerate().filter_map(|(at, line)| {
        let inner = line.strip_prefix("| ")?.strip_suffix('|')?;
        let cells: Vec<&str> = inner.split(" |").map(str::trim).collect();
        let (family, number) = cells.first()?.split_once('-')?;
        let is_id = rules::REQUIREMENT_FAMILIES.contains(&family)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then_some((at + 1, cells))
    })
}

/// Whether the third cell says what answers the requirement.
fn claimed(cells: &[&str]) -> bool {
    cells.get(2).is_some_and(|cell| !cell.is_empty())
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether `path::test` is there: in Rust a function with an attribute that makes it a test, in Python
/// a function of that name.
fn exists(files: &[Source], test: &str) -> bool {
    let Some((path, name)) = test.split_once("::") else { return false };
    let Some(file) = files.iter().find(|file| file.path == path) else { return false };
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    if path.ends_with(".py") {
        return file.text.lines().any(|line| line.starts_with(&format!("def {name}(")));
    }
    let (plain, waiting) = (format!("fn {name}("), format!("async fn {name}("));
    lines.iter().enumerate().any(|(at, line)| {
        (line.starts_with(&plain) || line.starts_with(&waiting))
            && lines
                .get(..at)
                .unwrap_or_default()
                .iter()
                .rev()
                .take_while(|line| line.starts_with('#') || line.starts_with("//"))
                .any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_without_tests_and_tests_that_are_gone_are_found() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let id = |number: u8| format!("{}-{number}", "TR");
        let list = format!(
            "| {} | a | here |\n| {} | b |  |\n| {} | c | there |\n| {} | d | there |\n",
            id(1),
            id(2),
            id(3),
            id(4)
        );
        let traced = format!(
            "| {} | `a.rs::works`, `a.py::shows` |\n| {} | `a.rs::works` |\n| {} | `a.rs::helper` |\n| {} | `a.rs::works` |\n",
            id(1),
            id(2),
            id(3),
            id(9)
        );
        let files = [
            source(rules::REQUIREMENTS, &list),
            source(rules::TRACED, &traced),
            source("a.rs", "#[tokio::test]\n#[cfg(unix)]\nasync fn works() {}\nfn helper() {}\n"),
            source("a.py", "def shows():\n    pass\n"),
        ];
        let whats: Vec<String> = check(&files).into_iter().map(|found| found.what).collect();
        assert_eq!(
            whats,
            [
                format!("{} is not claimed", id(2)),
                "there is no test a.rs::helper".to_owned(),
                format!("{} is no requirement", id(9)),
                format!("{} is claimed and no test shows it", id(4)),
            ]
        );
    }
}
