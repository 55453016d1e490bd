//! Open Threat Model 0.1 and 0.2 (iriusrisk/OpenThreatModel, Apache-2.0).

use super::{Intake, clean, flag, inside, members, number, scale, text, texts, threat};
use crate::{
    Threat,
    threat::{
        Asset, AssetKind, Authentication, Element, ElementKind, Encryption, Flow, Identity, Place,
        Protocol, Purpose, Rating, Zone,
    },
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A threat of the list, for the places that name it.
struct Known {
    title: String,
    text: String,
    threat: Threat,
    likelihood: u8,
}

pub(super) fn convert(root: &mut Map<String, Value>, intake: &mut Intake) {
    text(root, "otmVersion");
    if let Some(project) = inside(root, "project") {
        intake.model.name = clean(&text(project, "name").unwrap_or_default(), "import");
        intake.model.summary = text(project, "description").map(|one| clean(&one, "-"));
        text(project, "id");
    }
    for zone in members(root, "trustZones") {
        let title = text(zone, "name").unwrap_or_default();
        let source = text(zone, "id").unwrap_or_else(|| title.clone());
        let trust = inside(zone, "risk").and_then(|risk| number(risk, "trustRating"));
        let id = intake.name("zone", &source, &title);
        intake.model.zones.push(Zone {
            title: clean(&title, &id),
            id,
            trust: trust.map_or(1, scale),
            target: None,
            capability: None,
            line: 0,
        });
    }
    for asset in members(root, "assets") {
        let title = text(asset, "name").unwrap_or_default();
        let source = text(asset, "id").unwrap_or_else(|| title.clone());
        let id = intake.name("asset", &source, &title);
        let rating = inside(asset, "risk").and_then(|risk| {
            let mut rated = |name| number(risk, name).map(scale);
            let (c, i, a) = (rated("confidentiality"), rated("integrity"), rated("availability"));
            let (confidentiality, integrity, availability) = (c?, i?, a?);
            let safety = confidentiality.max(integrity).max(availability);
            Some(Rating { safety, confidentiality, integrity, availability })
        });
        intake
            .lost("/assets/*/risk", "safety is not rated there; the greatest of the others counts");
        intake.model.assets.push(Asset {
            title: clean(&title, &id),
            id,
            kind: AssetKind::Other,
            rating,
            line: 0,
        });
    }
    let mitigations = mitigations(root);
    let threats = threats(root, intake);
    components(root, intake, &threats, &mitigations);
    flows(root, intake, &threats, &mitigations);
}

/// Mitigations by id, as texts for the findings that name them.
fn mitigations(root: &mut Map<String, Value>) -> BTreeMap<String, String> {
    members(root, "mitigations")
        .filter_map(|one| {
            let id = text(one, "id")?;
            let name = text(one, "name").unwrap_or_default();
            let about = text(one, "description").unwrap_or_default();
            Some((id, format!("{name}: {about}")))
        })
        .collect()
}

fn threats(root: &mut Map<String, Value>, intake: &mut Intake) -> BTreeMap<String, Known> {
    let mut known = BTreeMap::new();
    for one in members(root, "threats") {
        let Some(id) = text(one, "id") else { continue };
        let mut categories = texts(one, "categories");
        let kind = categories.iter().find_map(|word| threat(word));
        let taken = categories.iter().position(|word| threat(word).is_some());
        if let Some(taken) = taken {
            categories.remove(taken);
        }
        for more in categories {
            intake.lost("/threats/*/categories/*", more);
        }
        let likelihood = inside(one, "risk").and_then(|risk| number(risk, "likelihood"));
        known.insert(
            id,
            Known {
                title: text(one, "name").unwrap_or_default(),
                text: text(one, "description").unwrap_or_default(),
                threat: kind.unwrap_or(Threat::Tampering),
                likelihood: likelihood.map_or(3, scale),
            },
        );
    }
    known
}

fn components(
    root: &mut Map<String, Value>,
    intake: &mut Intake,
    threats: &BTreeMap<String, Known>,
    mitigations: &BTreeMap<String, String>,
) {
    // Names first: a component may stand before what it is a part of.
    for one in members(root, "components") {
        let called = one.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let source = one.get("id").and_then(Value::as_str).unwrap_or(&called).to_owned();
        intake.name("element", &source, &called);
    }
    for one in members(root, "components") {
        let title = text(one, "name").unwrap_or_default();
        let source = text(one, "id").unwrap_or_else(|| title.clone());
        let Some(id) = intake.find("element", &source) else { continue };
        let word = text(one, "type").unwrap_or_default();
        let kind = kind(&word).unwrap_or_else(|| {
            intake.lost("/components/*/type", format!("{word}: taken as a service"));
            ElementKind::Service
        });
        let (mut zone, mut part_of) = (None, None);
        if let Some(parent) = inside(one, "parent") {
            if let Some(name) = text(parent, "trustZone") {
                zone = intake.find("zone", &name);
                if zone.is_none() {
                    intake.lost("/components/*/parent/trustZone", name);
                }
            }
            if let Some(name) = text(parent, "component") {
                part_of = intake.find("element", &name);
                if part_of.is_none() {
                    intake.lost("/components/*/parent/component", name);
                }
            }
        }
        let mut held = Vec::new();
        if let Some(assets) = inside(one, "assets") {
            held.extend(texts(assets, "stored"));
            held.extend(texts(assets, "processed"));
        }
        let holds = intake.find_all("asset", "/components/*/assets", &held);
        intake.model.elements.push(Element {
            title: clean(&title, &id),
            kind,
            zone,
            part_of,
            place: match kind {
                ElementKind::Device | ElementKind::Gateway | ElementKind::Part => Place::Public,
                _ => Place::Guarded,
            },
            identity: Identity::None,
            traits: BTreeSet::new(),
            holds,
            interfaces: Vec::new(),
            support_until: None,
            measures: BTreeSet::new(),
            planned: BTreeSet::new(),
            line: 0,
            id: id.clone(),
        });
        findings(one, intake, &id, threats, mitigations);
    }
    inherit_zones(intake);
}

/// A part without a zone is in the zone of what it is a part of.
fn inherit_zones(intake: &mut Intake) {
    let above: BTreeMap<String, (Option<String>, Option<String>)> = intake
        .model
        .elements
        .iter()
        .map(|one| (one.id.clone(), (one.zone.clone(), one.part_of.clone())))
        .collect();
    for one in &mut intake.model.elements {
        let mut at = one.part_of.clone();
        for _ in 0..above.len() {
            let Some((zone, next)) = at.as_ref().and_then(|id| above.get(id)) else { break };
            if one.zone.is_none() {
                one.zone.clone_from(zone);
            }
            at.clone_from(next);
        }
    }
}

fn kind(word: &str) -> Option<ElementKind> {
    let word = word.to_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    Some(if any(&["gateway", "router", "hub"]) {
        ElementKind::Gateway
    } else if any(&["iot", "device", "embedded", "sensor", "plc", "controller"]) {
        ElementKind::Device
    } else if any(&["database", "storage", "store", "bucket", "sql", "queue"]) {
        ElementKind::Store
    } else if any(&["client", "mobile", "browser", "desktop", "app-"]) {
        ElementKind::App
    } else if any(&["user", "actor", "person", "human"]) {
        ElementKind::Person
    } else if any(&["service", "server", "api", "function", "backend", "web"]) {
        ElementKind::Service
    } else if any(&["external", "third-party", "saas"]) {
        ElementKind::External
    } else {
        return None;
    })
}

fn flows(
    root: &mut Map<String, Value>,
    intake: &mut Intake,
    threats: &BTreeMap<String, Known>,
    mitigations: &BTreeMap<String, String>,
) {
    let taken: Vec<String> = intake.model.elements.iter().map(|one| one.id.clone()).collect();
    for id in taken {
        intake.names.insert(("flow", id));
    }
    for one in members(root, "dataflows") {
        let title = text(one, "name").unwrap_or_default();
        let source = text(one, "id").unwrap_or_else(|| title.clone());
        let (from, to) = (text(one, "source"), text(one, "destination"));
        let end =
            |name: &Option<String>| name.as_ref().and_then(|name| intake.find("element", name));
        let (Some(from), Some(to)) = (end(&from), end(&to)) else {
            let ends = format!("{title}: an end is no component ({from:?}, {to:?})");
            intake.lost("/dataflows/*", ends);
            continue;
        };
        let assets = texts(one, "assets");
        let carries = intake.find_all("asset", "/dataflows/*/assets", &assets);
        let id = intake.name("flow", &source, &title);
        let flow = Flow {
            title: clean(&title, &id),
            id: id.clone(),
            from,
            to,
            via: Vec::new(),
            purpose: Purpose::Data,
            protocol: Protocol::Other,
            authentication: Authentication::None,
            encryption: Encryption::None,
            carries,
            measures: BTreeSet::new(),
            planned: BTreeSet::new(),
            line: 0,
        };
        if flag(one, "bidirectional") {
            let back = intake.name("flow", &format!("{source} back"), &format!("{id} back"));
            let (from, to) = (flow.to.clone(), flow.from.clone());
            intake.model.flows.push(Flow { id: back, from, to, ..flow.clone() });
        }
        intake.model.flows.push(flow);
        findings(one, intake, &id, threats, mitigations);
    }
}

fn findings(
    one: &mut Map<String, Value>,
    intake: &mut Intake,
    subject: &str,
    threats: &BTreeMap<String, Known>,
    mitigations: &BTreeMap<String, String>,
) {
    for threat in members(one, "threats") {
        let Some(id) = text(threat, "threat") else { continue };
        let Some(known) = threats.get(&id) else {
            intake.lost("/components/*/threats/*/threat", format!("no threat {id:?}"));
            continue;
        };
        let mut about = known.text.clone();
        if let Some(state) = text(threat, "state") {
            about.push_str(&format!("\nState in the source: {state}."));
        }
        for mitigation in members(threat, "mitigations") {
            let id = text(mitigation, "mitigation").unwrap_or_default();
            let state = text(mitigation, "state").unwrap_or_default();
            let known = mitigations.get(&id).map_or(id.as_str(), String::as_str);
            about.push_str(&format!("\nMitigation ({state}): {known}"));
        }
        let source = format!("{subject} {id}");
        intake.finding(subject, &source, &known.title, &about, known.threat, known.likelihood);
    }
}
