//! What documents claim: requirements that exist, links that lead somewhere, commands that run.

use super::{Finding, Source, rules};
use crate::{arguments, process};
use std::{collections::BTreeSet, path::Path};

pub(super) fn check(files: &[Source]) -> Vec<Finding> {
    let listed = files.iter().find(|file| file.path == rules::REQUIREMENTS).map(|file| {
        let first = |line: &str| line.strip_prefix("| ")?.split(' ').next().map(str::to_owned);
        file.text.lines().filter_map(first).collect::<BTreeSet<String>>()
    });
    let Some(listed) = listed else {
        return vec![Finding::new(rules::REQUIREMENTS, 1, "is missing", "list the requirements")];
    };
    let mut findings = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            for id in requirements(line).filter(|id| !listed.contains(*id)) {
                findings.push(Finding::new(
                    &file.path,
                    at + 1,
                    format!("{id} is cited but not listed"),
                    format!("correct it, or add it to {}", rules::REQUIREMENTS),
                ));
            }
        }
        if file.path.ends_with(".md") {
            findings.extend(links(file));
        }
    }
    findings.extend(index(files));
    findings
}

/// Every page stands in the index.
fn index(files: &[Source]) -> Vec<Finding> {
    let index = files.iter().find(|file| file.path == rules::INDEX);
    let listed = index.map_or("", |file| file.text.as_str());
    files
        .iter()
        .filter(|file| file.path != rules::INDEX && file.path.ends_with(".md"))
        .filter_map(|file| Some((file, file.path.strip_prefix("docs/")?)))
        .filter(|(_, page)| !listed.contains(&format!("]({page})")))
        .map(|(file, page)| {
            Finding::new(
                &file.path,
                1,
                "the index does not name this page",
                format!("add a line with [{page}]({page}) to {}", rules::INDEX),
            )
        })
        .collect()
}

/// Ids of requirements in a line: a family, a hyphen, a number, on word boundaries.
fn requirements(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| {
        word.split_once('-').is_some_and(|(family, number)| {
            rules::REQUIREMENT_FAMILIES.contains(&family)
                && !number.is_empty()
                && number.len() <= 2
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

/// Links between documents lead to files that exist.
fn links(file: &Source) -> Vec<Finding> {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || folder.join(target).exists() {
                continue;
            }
            findings.push(Finding::new(
                &file.path,
                at + 1,
                format!("links to {target}, which does not exist"),
                "correct the link",
            ));
        }
    }
    findings
}

/// Asks the program itself whether each command of the documents exists: with `--help` added it
/// must succeed, and it does only when every word before is understood.
pub(super) fn commands(files: &[Source]) -> (Vec<Finding>, usize) {
    let mut findings = Vec::new();
    let mut checked = 0;
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, line) in shell_lines(&file.text) {
            let Some(known) = exists(&words(&line)) else { continue };
            checked += 1;
            if !known {
                findings.push(Finding::new(
                    &file.path,
                    at,
                    format!("command does not exist: {line}"),
                    "run it with --help and correct the document",
                ));
            }
        }
    }
    (findings, checked)
}

/// Lines of the fenced blocks marked `sh`, continuation lines joined, with their numbers.
fn shell_lines(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut inside, mut continued) = (false, false);
    for (at, line) in text.lines().enumerate() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            inside = !inside && fence.trim() == "sh";
            continue;
        }
        if !inside {
            continue;
        }
        let (part, more) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match found.last_mut().filter(|_| continued) {
            Some((_, command)) => command.push_str(part),
            None => found.push((at + 1, part.trim_start().to_owned())),
        }
        continued = more;
    }
    found
}

/// A line's words up to the first that a shell would not pass on.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '|' | '>' | '<' | ';' | '&' | '#') => break,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the command exists; `None` for a command that is not ours.
fn exists(words: &[String]) -> Option<bool> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["cargo", "xtask", rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
            Some(arguments::parse(&rest).is_ok())
        }
        ["cargo", "run", rest @ ..] => {
            let after = rest.iter().position(|word| *word == "--")?;
            Some(understood(rest.get(after + 1..)?))
        }
        ["tegata" | "target/release/tegata", rest @ ..] => Some(understood(rest)),
        _ => None,
    }
}

fn understood(arguments: &[&str]) -> bool {
    // A variable of the shell stands for a device in our documents.
    let of_shell =
        |word: &&str| if word.starts_with('$') { "00".repeat(16) } else { (*word).to_owned() };
    let arguments: Vec<String> = arguments.iter().map(of_shell).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = process::command("target/debug/tegata", &arguments);
    process::succeeds(command.arg("--help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_requirements_that_are_not_listed_and_links_that_lead_nowhere() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let known = "TR";
        let files = [
            source(rules::REQUIREMENTS, &format!("| {known}-1 | identity |\n")),
            source("README.md", &format!("{known}-1 and {known}-99, KMS-1, [x](gone.md)\n")),
        ];
        let whats: Vec<String> = check(&files).into_iter().map(|found| found.what).collect();
        assert_eq!(
            whats,
            [
                format!("{known}-99 is cited but not listed"),
                "links to gone.md, which does not exist".into(),
                "the index does not name this page".into(),
            ]
        );
    }

    #[test]
    fn reads_shell_blocks_and_words() {
        let text = "```sh\ntegata ca \\\n  list\n```\n```text\ntegata no\n```\n";
        assert_eq!(shell_lines(text), [(2, "tegata ca   list".into())]);
        assert_eq!(words("tegata log 'a b' --x | grep y"), ["tegata", "log", "a b", "--x"]);
        assert_eq!(exists(&words("ls -l")), None);
        assert_eq!(exists(&words("cargo xtask test --only tidy")), Some(true));
        assert_eq!(exists(&words("cargo xtask tests")), Some(false));
    }
}
