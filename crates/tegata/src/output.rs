//! What people and programs read: tables or JSON on stdout, everything else on stderr.

use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// one JSON document, or one object per line for lists
    pub json: bool,
}

impl Output {
    /// Prints one thing: JSON as it is, else the lines of `text`.
    pub fn one<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        let line = if self.json { serde_json::to_string(value)? } else { text(value) };
        self.line(&line)
    }

    /// Prints a list: one JSON object per line, or a table with `head` and a row each.
    pub fn list<T: Serialize>(
        self,
        values: &[T],
        head: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<()> {
        if self.json {
            for value in values {
                self.line(&serde_json::to_string(value)?)?;
            }
            return Ok(());
        }
        if values.is_empty() {
            eprintln!("nothing to show");
            return Ok(());
        }
        self.line(&table(head, values.iter().map(row)))
    }

    /// Prints one line to stdout. A closed pipe ends the program quietly.
    pub fn line(self, text: &str) -> anyhow::Result<()> {
        let mut stdout = std::io::stdout().lock();
        match writeln!(stdout, "{text}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => Ok(other?),
        }
    }
}

/// A plain table without colours: its meaning survives a pipe.
pub fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(comfy_table::ContentArrangement::Disabled)
        .set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}

/// A progress bar on stderr; silent where nobody looks.
pub fn progress(length: u64, what: &'static str, quiet: bool) -> indicatif::ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let style =
        indicatif::ProgressStyle::with_template("{msg:28} [{bar:30}] {pos}/{len} {per_sec} {eta}")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
    indicatif::ProgressBar::new(length).with_style(style.progress_chars("=> ")).with_message(what)
}
