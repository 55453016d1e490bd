//! `cargo xtask tidy`: rules that a compiler does not check.
//!
//! The rules themselves, as data, are in `rules.rs`; ARCHITECTURE.md gives the reasons.

mod claims;
mod direction;
mod documents;
mod rules;
mod sources;
mod vendored;

use crate::process::{command, output};
use anyhow::Result;
use std::{fmt, fs};
pub(crate) use vendored::RELEASED as RELEASED_DIGESTS;

/// Something to mend.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    what: String,
    hint: String,
}

impl Finding {
    fn new(file: &str, line: usize, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, what, hint } = self;
        write!(f, "tidy: {file}:{line}: {what}; hint: {hint}")
    }
}

/// A text file of the repository.
struct Source {
    path: String,
    text: String,
}

/// Checks everything but the documents' commands; prints the findings and gives their number.
pub(crate) fn run() -> Result<usize> {
    let files = files()?;
    let mut findings = direction::check()?;
    findings.extend(sources::check(&files));
    findings.extend(documents::check(&files));
    findings.extend(claims::check(&files));
    findings.extend(vendored::check()?);
    for finding in &findings {
        println!("{finding}");
    }
    for (path, lines) in sources::long(&files) {
        eprintln!("tidy: note: {path} has {lines} lines; hint: is there a second concept in it?");
    }
    Ok(findings.len())
}

/// Checks that each command in the documents exists; gives the numbers of findings and commands.
pub(crate) fn commands() -> Result<(usize, usize)> {
    let (findings, checked) = documents::commands(&files()?);
    for finding in &findings {
        println!("{finding}");
    }
    Ok((findings.len(), checked))
}

/// Every text file of ours that git tracks or would track.
fn files() -> Result<Vec<Source>> {
    let listed = output(&mut command(
        "git",
        &["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    ))?;
    let mut files = Vec::new();
    let ours = |path: &&str| !path.is_empty() && !path.starts_with(vendored::TREE);
    for path in listed.split('\0').filter(ours) {
        // A path that is gone from the tree, or a file that is not text, has nothing to check.
        if let Ok(text) = fs::read_to_string(path) {
            files.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(files)
}
