//! A model as a file: what imports write. What is written is read as the same model.

use crate::{
    diagnosis_file::{heading, line, quoted},
    threat::{Element, Flow, Interface, Model, model_read::FORM},
};
use std::fmt::{Display, Write as _};

impl Model {
    /// The file, in the form of `docs/threat-model.md`.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        line(&mut out, 0, "tegata", FORM);
        line(&mut out, 0, "name", &self.name);
        if let Some(summary) = &self.summary {
            line(&mut out, 0, "summary", summary);
        }
        list(&mut out, 0, "category", &self.category);
        heading(&mut out, "zones", self.zones.is_empty());
        for one in &self.zones {
            entry(&mut out, 2, &one.id, &one.title);
            number(&mut out, 4, "trust", one.trust);
            for (name, levels) in [("target", one.target), ("capability", one.capability)] {
                if let Some(levels) = levels {
                    let _ = writeln!(out, "    {name}: {levels:?}");
                }
            }
        }
        heading(&mut out, "assets", self.assets.is_empty());
        for one in &self.assets {
            entry(&mut out, 2, &one.id, &one.title);
            line(&mut out, 4, "kind", one.kind);
            if let Some(rating) = &one.rating {
                let (s, c, i, a) =
                    (rating.safety, rating.confidentiality, rating.integrity, rating.availability);
                let _ = writeln!(
                    out,
                    "    rating: {{safety: {s}, confidentiality: {c}, integrity: {i}, availability: {a}}}"
                );
            }
        }
        heading(&mut out, "elements", self.elements.is_empty());
        for one in &self.elements {
            element(&mut out, one);
        }
        heading(&mut out, "flows", self.flows.is_empty());
        for one in &self.flows {
            flow(&mut out, one);
        }
        list(&mut out, 0, "measures", &self.measures);
        list(&mut out, 0, "planned", &self.planned);
        self.judgements(&mut out);
        out
    }

    fn judgements(&self, out: &mut String) {
        heading(out, "findings", self.findings.is_empty());
        for one in &self.findings {
            entry(out, 2, &one.id, &one.title);
            if let Some(text) = &one.text {
                line(out, 4, "text", text);
            }
            line(out, 4, "threat", one.threat);
            line(out, 4, "subject", &one.subject);
            number(out, 4, "likelihood", one.likelihood);
            list(out, 4, "harms", &one.harms);
        }
        heading(out, "vulnerabilities", self.vulnerabilities.is_empty());
        for one in &self.vulnerabilities {
            entry(out, 2, &one.id, &one.title);
            list(out, 4, "elements", &one.elements);
            if one.elements.is_empty() {
                out.push_str("    elements: []\n");
            }
            line(out, 4, "cvss", &one.score.vector);
            if let Some(day) = one.fixed_on {
                line(out, 4, "fixed_on", day);
            }
        }
        heading(out, "decisions", self.decisions.is_empty());
        for (threat, one) in &self.decisions {
            out.push_str("  - ");
            line(out, 0, "threat", threat);
            line(out, 4, "verdict", one.verdict);
            line(out, 4, "reason", &one.reason);
            line(out, 4, "by", &one.by);
            line(out, 4, "on", one.on);
            if let Some(until) = one.until {
                line(out, 4, "until", until);
            }
            list(out, 4, "measures", &one.measures);
            for (name, value) in [("likelihood", one.likelihood), ("impact", one.impact)] {
                if let Some(value) = value {
                    number(out, 4, name, value);
                }
            }
        }
        let answered = self.forms.values().any(|answers| !answers.is_empty());
        heading(out, "forms", !answered);
        for (form, answers) in self.forms.iter().filter(|(_, answers)| !answers.is_empty()) {
            let _ = writeln!(out, "  {form}:");
            for (question, answer) in answers {
                line(out, 4, question, answer);
            }
        }
    }
}

fn element(out: &mut String, one: &Element) {
    entry(out, 2, &one.id, &one.title);
    line(out, 4, "kind", one.kind);
    for (name, value) in [("zone", &one.zone), ("part_of", &one.part_of)] {
        if let Some(value) = value {
            line(out, 4, name, value);
        }
    }
    line(out, 4, "place", one.place);
    line(out, 4, "identity", one.identity);
    list(out, 4, "traits", &one.traits);
    list(out, 4, "holds", &one.holds);
    if !one.interfaces.is_empty() {
        out.push_str("    interfaces:\n");
    }
    for way in &one.interfaces {
        interface(out, way);
    }
    if let Some(day) = one.support_until {
        line(out, 4, "support_until", day);
    }
    list(out, 4, "measures", &one.measures);
    list(out, 4, "planned", &one.planned);
}

fn interface(out: &mut String, one: &Interface) {
    entry(out, 6, &one.id, &one.title);
    line(out, 8, "kind", one.kind);
    line(out, 8, "purpose", one.purpose);
    list(out, 8, "measures", &one.measures);
    list(out, 8, "planned", &one.planned);
}

fn flow(out: &mut String, one: &Flow) {
    entry(out, 2, &one.id, &one.title);
    line(out, 4, "from", &one.from);
    line(out, 4, "to", &one.to);
    list(out, 4, "via", &one.via);
    line(out, 4, "purpose", one.purpose);
    line(out, 4, "protocol", one.protocol);
    line(out, 4, "authentication", one.authentication);
    line(out, 4, "encryption", one.encryption);
    list(out, 4, "carries", &one.carries);
    list(out, 4, "measures", &one.measures);
    list(out, 4, "planned", &one.planned);
}

/// The first lines of a member of a list.
fn entry(out: &mut String, indent: usize, id: &str, title: &str) {
    let _ = write!(out, "{:indent$}- ", "");
    line(out, 0, "id", id);
    line(out, indent + 2, "title", title);
}

fn number(out: &mut String, indent: usize, name: &str, value: u8) {
    let _ = writeln!(out, "{:indent$}{name}: {value}", "");
}

/// An empty list is left out.
fn list<T: Display>(
    out: &mut String,
    indent: usize,
    name: &str,
    values: impl IntoIterator<Item = T>,
) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return;
    }
    let _ = write!(out, "{:indent$}{name}: [", "");
    let mut first = true;
    for value in values {
        if !std::mem::take(&mut first) {
            out.push_str(", ");
        }
        quoted(out, value);
    }
    out.push_str("]\n");
}
