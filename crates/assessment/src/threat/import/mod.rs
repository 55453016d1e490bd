//! Models of other tools. What cannot be carried over is listed, never silently dropped: whatever
//! a converter does not take out of the document is left over, and leftovers are counted by place.

mod dragon;
mod otm;
mod threagile;

use crate::{
    AssessmentError, Threat,
    named::words,
    text::{TEXT_CHARACTERS_MAX, prints},
    threat::{Finding, Harm, Model, Protocol, RuleBook, model_read::NAME_BYTES_MAX},
    yaml::parse,
};
use crypto::sha256;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// Whose form a model has.
    Foreign {
        /// Open Threat Model 0.1, 0.2 (JSON or YAML).
        Otm "otm" "Open Threat Model" "Open Threat Model",
        /// OWASP Threat Dragon 2 (JSON).
        ThreatDragon "threat-dragon" "Threat Dragon" "Threat Dragon",
        /// Threagile 1 (YAML).
        Threagile "threagile" "Threagile" "Threagile",
    }
}

/// Something of the source that the model does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// where: a JSON pointer, with `*` for any member of a list
    pub place: String,
    /// how often
    pub count: usize,
    /// the first value, shortened, or what was done instead
    pub detail: String,
}

/// A model of another tool, as ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// whose form it had
    pub from: Foreign,
    /// the model; its file can be read
    pub model: Model,
    /// what it does not hold
    pub losses: Vec<Loss>,
}

/// Reads a model of another tool; `file` is its name in errors.
///
/// # Errors
/// [`AssessmentError::Malformed`] for what is none of the [`Foreign`] forms, or holds so much or so
/// little that our form cannot take it; [`AssessmentError::TooLarge`] beyond a limit.
pub fn import(file: &str, text: &str, book: &RuleBook) -> Result<Imported, AssessmentError> {
    let value: Value = match parse(file, text) {
        // JSON that writes characters as pairs of surrogates is no YAML.
        Err(error @ AssessmentError::Malformed { .. }) if text.contains("\\ud") => {
            serde_json::from_str(text).map_err(|_| error)?
        }
        read => read?,
    };
    let unknown = |detail: &str| AssessmentError::Malformed {
        file: file.to_owned(),
        line: 1,
        column: 1,
        detail: detail.into(),
    };
    let Value::Object(mut root) = value else {
        return Err(unknown("no model: the document is a list or a single value"));
    };
    let mut intake = Intake::default();
    let from = if root.contains_key("otmVersion") {
        otm::convert(&mut root, &mut intake);
        Foreign::Otm
    } else if root.contains_key("threagile_version") || root.contains_key("technical_assets") {
        threagile::convert(&mut root, &mut intake);
        Foreign::Threagile
    } else if root.get("detail").is_some_and(|detail| detail.get("diagrams").is_some()) {
        dragon::convert(&mut root, &mut intake).map_err(unknown)?;
        Foreign::ThreatDragon
    } else {
        let detail = "neither Open Threat Model (`otmVersion`), Threat Dragon 2 (`detail.diagrams`) \
                      nor Threagile (`technical_assets`)";
        return Err(unknown(detail));
    };
    leftovers(&Value::Object(root), "", &mut intake.losses);
    if intake.model.name.is_empty() {
        intake.model.name = "import".to_owned();
    }
    // What we hand on keeps every rule of our own form.
    let model = Model::parse(file, &intake.model.to_yaml(), book)?;
    let losses = intake
        .losses
        .into_iter()
        .map(|(place, (count, detail))| Loss { place, count, detail })
        .collect();
    Ok(Imported { from, model, losses })
}

/// A model that grows, with the names that were given and what was lost.
#[derive(Default)]
struct Intake {
    model: Model,
    losses: BTreeMap<String, (usize, String)>,
    names: BTreeSet<(&'static str, String)>,
    /// from the id of the source to ours, by kind
    known: BTreeMap<(&'static str, String), String>,
}

impl Intake {
    /// Notes that something is not, or not quite, carried over.
    fn lost(&mut self, place: &str, detail: impl Into<String>) {
        note(&mut self.losses, place, &detail.into());
    }

    /// A new name of ours for `source`, from what it is called there.
    fn name(&mut self, kind: &'static str, source: &str, called: &str) -> String {
        let slug = slug(called);
        let mut id = slug.clone();
        let mut number = 2;
        while !self.names.insert((kind, id.clone())) {
            let tail = format!("-{number}");
            let head: String = slug.chars().take(NAME_BYTES_MAX - tail.len()).collect();
            id = format!("{head}{tail}");
            number += 1;
        }
        self.known.insert((kind, source.to_owned()), id.clone());
        id
    }

    /// Our name for what the source calls so.
    fn find(&self, kind: &'static str, source: &str) -> Option<String> {
        self.known.get(&(kind, source.to_owned())).cloned()
    }

    /// Our names for some; what does not exist is noted.
    fn find_all(
        &mut self,
        kind: &'static str,
        place: &str,
        sources: &[String],
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for source in sources {
            match self.find(kind, source) {
                Some(id) => drop(found.insert(id)),
                None => self.lost(place, format!("no {kind} {source:?}")),
            }
        }
        found
    }

    /// A finding about an element or flow.
    fn finding(
        &mut self,
        subject: &str,
        source: &str,
        title: &str,
        text: &str,
        threat: Threat,
        likelihood: u8,
    ) {
        let id = self.name("finding", source, &format!("{subject}-{title}"));
        self.model.findings.push(Finding {
            id,
            title: clean(title, "finding"),
            text: (!text.trim().is_empty()).then(|| clean(text, "-")),
            threat,
            subject: subject.to_owned(),
            likelihood,
            harms: harms(threat),
            line: 0,
        });
    }
}

fn note(losses: &mut BTreeMap<String, (usize, String)>, place: &str, detail: &str) {
    let detail: String = clean(detail, "-").replace('\n', " ").chars().take(120).collect();
    losses.entry(place.to_owned()).or_insert((0, detail)).0 += 1;
}

/// What nobody took. Nothing, the empty text and `false` say nothing.
fn leftovers(value: &Value, place: &str, losses: &mut BTreeMap<String, (usize, String)>) {
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::String(text) if text.trim().is_empty() => {}
        Value::Object(fields) => {
            for (name, inner) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leftovers(inner, &format!("{place}/{name}"), losses);
            }
        }
        Value::Array(members) => {
            for inner in members {
                leftovers(inner, &format!("{place}/*"), losses);
            }
        }
        Value::String(text) => note(losses, place, text),
        other => note(losses, place, &other.to_string()),
    }
}

/// Takes a text out; numbers and truth values are texts, too.
fn text(from: &mut Map<String, Value>, field: &str) -> Option<String> {
    match from.remove(field)? {
        Value::String(text) => (!text.trim().is_empty()).then_some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(one) => Some(one.to_string()),
        Value::Null => None,
        other => {
            from.insert(field.to_owned(), other);
            None
        }
    }
}

/// Takes a number out.
fn number(from: &mut Map<String, Value>, field: &str) -> Option<f64> {
    let found = from.get(field)?.as_f64()?;
    from.remove(field);
    Some(found)
}

/// Takes a truth value out.
fn flag(from: &mut Map<String, Value>, field: &str) -> bool {
    let found = from.get(field).and_then(Value::as_bool);
    if found.is_some() {
        from.remove(field);
    }
    found.unwrap_or(false)
}

/// Takes the texts of a list out; what is no text stays.
fn texts(from: &mut Map<String, Value>, field: &str) -> Vec<String> {
    let Some(Value::Array(members)) = from.get_mut(field) else { return Vec::new() };
    let mut found = Vec::new();
    members.retain(|one| match one.as_str() {
        Some(text) => {
            found.push(text.to_owned());
            false
        }
        None => true,
    });
    found
}

/// An object inside, to take from.
fn inside<'a>(from: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Map<String, Value>> {
    from.get_mut(field).and_then(Value::as_object_mut)
}

/// The objects of a list, to take from.
fn members<'a>(
    from: &'a mut Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let all = from.get_mut(field).and_then(Value::as_array_mut);
    all.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// What people called something as an id: what is no Latin letter or digit becomes a hyphen; names
/// without any become a digest, so that they stay the same.
fn slug(called: &str) -> String {
    let mut out = String::new();
    for c in called.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => out.push(c),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    out.truncate(NAME_BYTES_MAX);
    let out = out.trim_end_matches('-').to_owned();
    if !out.is_empty() {
        return out;
    }
    let digest = sha256(called.as_bytes()).to_string();
    format!("x-{}", digest.get(..8).unwrap_or_default())
}

/// A text that our form takes.
fn clean(text: &str, otherwise: &str) -> String {
    let kept = text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| prints(*c));
    let kept: String = kept.take(TEXT_CHARACTERS_MAX).collect();
    if kept.trim().is_empty() { otherwise.to_owned() } else { kept }
}

/// 0 to 100 as 1 to 5; 0 to 20 is 1.
fn scale(percent: f64) -> u8 {
    match percent {
        value if value > 80.0 => 5,
        value if value > 60.0 => 4,
        value if value > 40.0 => 3,
        value if value > 20.0 => 2,
        _ => 1,
    }
}

/// The kind of threat behind a word of STRIDE, or of what others call it.
fn threat(word: &str) -> Option<Threat> {
    let word = word.to_lowercase();
    let all = [
        ("spoof", Threat::Spoofing),
        ("tamper", Threat::Tampering),
        ("repudiat", Threat::Repudiation),
        ("disclos", Threat::Disclosure),
        ("denial", Threat::Denial),
        ("elevat", Threat::Elevation),
        ("confidential", Threat::Disclosure),
        ("integrity", Threat::Tampering),
        ("availab", Threat::Denial),
        ("link", Threat::Privacy),
        ("identif", Threat::Privacy),
        ("detect", Threat::Privacy),
        ("unaware", Threat::Privacy),
        ("compliance", Threat::Governance),
    ];
    all.iter().find(|(part, _)| word.contains(part)).map(|(_, threat)| *threat)
}

fn harms(threat: Threat) -> Vec<Harm> {
    match threat {
        Threat::Disclosure | Threat::Privacy => vec![Harm::Confidentiality],
        Threat::Denial => vec![Harm::Availability],
        Threat::Safety => vec![Harm::Safety],
        Threat::Spoofing | Threat::Elevation | Threat::Physical => {
            vec![Harm::Confidentiality, Harm::Integrity]
        }
        _ => vec![Harm::Integrity],
    }
}

/// A protocol by its name, and whether that name says that it is encrypted.
fn protocol(name: &str) -> Option<(Protocol, bool)> {
    let name = name.to_lowercase();
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Some(same) = Protocol::of_word(&name) {
        return Some((same, matches!(same, Protocol::Https | Protocol::Ssh)));
    }
    Some(match plain.as_str() {
        "https"
        | "httptls"
        | "webhttps"
        | "tls"
        | "ssl"
        | "reversproxywebprotocolencrypted"
        | "reverseproxywebprotocolencrypted" => (Protocol::Https, true),
        "http2" | "http3" | "rest" | "grpc" => (Protocol::Http, false),
        "reverseproxywebprotocol" => (Protocol::Http, false),
        "ws" | "websockets" => (Protocol::Websocket, false),
        "wss" => (Protocol::Websocket, true),
        "mqtts" => (Protocol::Mqtt, true),
        "coaps" => (Protocol::Coap, true),
        "amqps" => (Protocol::Amqp, true),
        "sftp" | "scp" | "sshtunnel" => (Protocol::Ssh, true),
        "ftps" => (Protocol::Ftp, true),
        "bluetooth" | "bluetoothle" | "btle" => (Protocol::Ble, false),
        "zwaveplus" => (Protocol::Zwave, false),
        "gps" => (Protocol::Gnss, false),
        "jdbc" | "odbc" | "sqlaccessprotocol" | "nosqlaccessprotocol" => (Protocol::Sql, false),
        "jdbcencrypted"
        | "odbcencrypted"
        | "sqlaccessprotocolencrypted"
        | "nosqlaccessprotocolencrypted" => (Protocol::Sql, true),
        other => return other.ends_with("encrypted").then_some((Protocol::Other, true)),
    })
}
