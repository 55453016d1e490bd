//! A diagnosis as a file. What is written is read as the same diagnosis, and written again as the
//! same bytes; people sign for these bytes.

use crate::{Answer, Diagnosis, diagnosis::FORM, text::prints};
use std::fmt::{Display, Write as _};

impl Diagnosis {
    /// The canonical file.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        line(&mut out, 0, "tegata", FORM);
        line(&mut out, 0, "product", &self.product);
        line(&mut out, 0, "subject", &self.subject);
        line(&mut out, 0, "on", self.on);
        heading(&mut out, "absent", self.absent.is_empty());
        for (feature, reason) in &self.absent {
            line(&mut out, 2, feature.as_str(), reason);
        }
        heading(&mut out, "answers", self.answers.is_empty());
        for (item, answer) in &self.answers {
            one(&mut out, item, answer);
        }
        heading(&mut out, "clauses", self.clauses.is_empty());
        for (record, answer) in &self.clauses {
            one(&mut out, record, answer);
        }
        heading(&mut out, "signatures", self.signatures.is_empty());
        for signature in &self.signatures {
            out.push_str("  - ");
            line(&mut out, 0, "by", &signature.by);
            line(&mut out, 4, "on", signature.on);
            line(&mut out, 4, "content", signature.content);
        }
        out
    }
}

fn one(out: &mut String, key: &dyn Display, answer: &Answer) {
    out.push_str("  ");
    quoted(out, key);
    out.push_str(":\n");
    line(out, 4, "answer", answer.outcome);
    if let Some(reason) = &answer.reason {
        line(out, 4, "reason", reason);
    }
    if !answer.evidence.is_empty() {
        out.push_str("    evidence:\n");
    }
    for piece in &answer.evidence {
        out.push_str("      - ");
        line(out, 0, "what", &piece.what);
        if let Some(sha256) = &piece.sha256 {
            line(out, 8, "sha256", sha256);
        }
        line(out, 8, "on", piece.on);
        if let Some(until) = &piece.until {
            line(out, 8, "until", until);
        }
    }
    for (name, text) in [("owner", &answer.owner), ("comment", &answer.comment)] {
        if let Some(text) = text {
            line(out, 4, name, text);
        }
    }
    if let Some(due) = &answer.due {
        line(out, 4, "due", due);
    }
}

/// An empty mapping or list is left out: there is one way to write each diagnosis.
pub(crate) fn heading(out: &mut String, name: &str, empty: bool) {
    if !empty {
        out.push_str(name);
        out.push_str(":\n");
    }
}

pub(crate) fn line(out: &mut String, indent: usize, name: &str, value: impl Display) {
    let _ = write!(out, "{:indent$}{name}: ", "");
    quoted(out, value);
    out.push('\n');
}

/// A double-quoted YAML text. Texts that were read hold no control characters but line breaks
/// (`text::fault`); what others bring is escaped, to be refused where it is read.
pub(crate) fn quoted(out: &mut String, value: impl Display) {
    out.push('"');
    for c in value.to_string().chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if prints(c) => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
}
