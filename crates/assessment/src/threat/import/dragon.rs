//! OWASP Threat Dragon 2 (its JSON Schema, Apache-2.0).

use super::{Intake, clean, flag, inside, members, number, protocol, text, threat};
use crate::{
    Threat,
    threat::{
        Asset, AssetKind, Authentication, Element, ElementKind, Encryption, Flow, Identity, Place,
        Protocol, Purpose, Zone,
    },
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Where a box lies in its diagram: left, top, right, bottom.
type Frame = (f64, f64, f64, f64);

pub(super) fn convert(
    root: &mut Map<String, Value>,
    intake: &mut Intake,
) -> Result<(), &'static str> {
    if let Some(summary) = inside(root, "summary") {
        intake.model.name = clean(&text(summary, "title").unwrap_or_default(), "import");
        intake.model.summary = text(summary, "description").map(|one| clean(&one, "-"));
    }
    let Some(detail) = inside(root, "detail") else { return Ok(()) };
    for diagram in members(detail, "diagrams") {
        if diagram.contains_key("diagramJson") {
            return Err("Threat Dragon 1; open it with Threat Dragon 2 and save it again");
        }
        let zones = boundaries(diagram, intake);
        for cell in members(diagram, "cells") {
            element(cell, intake, &zones);
        }
    }
    let elements: Vec<String> = intake.model.elements.iter().map(|one| one.id.clone()).collect();
    for id in elements {
        intake.names.insert(("flow", id));
    }
    for diagram in members(detail, "diagrams") {
        for cell in members(diagram, "cells") {
            flow(cell, intake);
        }
    }
    Ok(())
}

fn kind_of(cell: &Map<String, Value>) -> String {
    let data = cell.get("data").and_then(|data| data.get("type")).and_then(Value::as_str);
    let shape = cell.get("shape").and_then(Value::as_str);
    match (data, shape) {
        (Some(kind), _) => kind.to_owned(),
        (None, Some("actor")) => "tm.Actor".to_owned(),
        (None, Some("process")) => "tm.Process".to_owned(),
        (None, Some("store")) => "tm.Store".to_owned(),
        (None, Some("flow")) => "tm.Flow".to_owned(),
        (None, Some("trust-boundary-box")) => "tm.BoundaryBox".to_owned(),
        _ => String::new(),
    }
}

fn frame(cell: &Map<String, Value>) -> Option<Frame> {
    let at = |of: &str, name: &str| cell.get(of)?.get(name)?.as_f64();
    let (x, y) = (at("position", "x")?, at("position", "y")?);
    Some((x, y, x + at("size", "width")?, y + at("size", "height")?))
}

/// Boxes become zones. A curve has no inside: it stays behind, and is listed.
fn boundaries(diagram: &mut Map<String, Value>, intake: &mut Intake) -> Vec<(String, Frame)> {
    let mut zones = Vec::new();
    for cell in members(diagram, "cells") {
        if kind_of(cell) != "tm.BoundaryBox" {
            continue;
        }
        let Some(frame) = frame(cell) else { continue };
        let source = text(cell, "id").unwrap_or_default();
        text(cell, "shape");
        let mut title = String::new();
        if let Some(data) = inside(cell, "data") {
            title = text(data, "name").unwrap_or_default();
            text(data, "type");
            flag(data, "isTrustBoundary");
        }
        let id = intake.name("zone", &source, &title);
        intake.lost("trust of zones", "is not said there; 3 was taken");
        zones.push((id.clone(), frame));
        let title = clean(&title, &id);
        intake.model.zones.push(Zone {
            id,
            title,
            trust: 3,
            target: None,
            capability: None,
            line: 0,
        });
    }
    zones
}

fn element(cell: &mut Map<String, Value>, intake: &mut Intake, zones: &[(String, Frame)]) {
    let kind = match kind_of(cell).as_str() {
        "tm.Actor" => ElementKind::External,
        "tm.Process" => ElementKind::Service,
        "tm.Store" => ElementKind::Store,
        _ => return,
    };
    let zone = frame(cell).and_then(|(left, top, right, bottom)| {
        let (x, y) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        // The smallest box around its middle.
        let around =
            zones.iter().filter(|(_, (l, t, r, b))| *l <= x && x <= *r && *t <= y && y <= *b);
        let area = |(l, t, r, b): Frame| (r - l) * (b - t);
        around.min_by(|a, b| area(a.1).total_cmp(&area(b.1))).map(|(id, _)| id.clone())
    });
    let source = text(cell, "id").unwrap_or_default();
    text(cell, "shape");
    let Some(data) = inside(cell, "data") else { return };
    let title = text(data, "name").unwrap_or_default().replace('\n', " ");
    let id = intake.name("element", &source, &title);
    text(data, "type");
    flag(data, "hasOpenThreats");
    let (mut holds, mut measures) = (BTreeSet::new(), BTreeSet::new());
    for (mark, kind, name) in [
        ("isALog", AssetKind::Log, "log"),
        ("storesCredentials", AssetKind::Credential, "credentials"),
    ] {
        if flag(data, mark) {
            let asset = intake.name("asset", &format!("{source} {name}"), &format!("{id} {name}"));
            let title = format!("{}: {name}", clean(&title, &id));
            intake.model.assets.push(Asset {
                id: asset.clone(),
                title,
                kind,
                rating: None,
                line: 0,
            });
            holds.insert(asset);
        }
    }
    if kind == ElementKind::Store && flag(data, "isEncrypted") {
        measures.insert("storage-encryption".to_owned());
    }
    intake.model.elements.push(Element {
        title: clean(&title, &id),
        kind,
        zone,
        part_of: None,
        place: Place::Guarded,
        identity: Identity::None,
        traits: BTreeSet::new(),
        holds,
        interfaces: Vec::new(),
        support_until: None,
        measures,
        planned: BTreeSet::new(),
        line: 0,
        id: id.clone(),
    });
    findings(data, intake, &id);
}

fn flow(cell: &mut Map<String, Value>, intake: &mut Intake) {
    if kind_of(cell) != "tm.Flow" {
        return;
    }
    let mut end = |name: &str| {
        let end = inside(cell, name)?;
        let source = end.get("cell").and_then(Value::as_str)?.to_owned();
        let found = intake.find("element", &source)?;
        end.remove("cell");
        Some(found)
    };
    let (from, to) = (end("source"), end("target"));
    let title = cell.get("data").and_then(|data| data.get("name")).and_then(Value::as_str);
    let title = title.unwrap_or_default().replace('\n', " ");
    let (Some(from), Some(to)) = (from, to) else {
        intake.lost("/detail/diagrams/*/cells/*", format!("flow {title:?} has a loose end"));
        return;
    };
    let source = text(cell, "id").unwrap_or_default();
    text(cell, "shape");
    let id = intake.name("flow", &source, &title);
    let Some(data) = inside(cell, "data") else { return };
    text(data, "name");
    text(data, "type");
    flag(data, "hasOpenThreats");
    let named = text(data, "protocol");
    let known = named.as_deref().and_then(protocol);
    if let (Some(name), None) = (&named, known) {
        intake.lost("/detail/diagrams/*/cells/*/data/protocol", format!("{name}: taken as other"));
    }
    let encrypted = flag(data, "isEncrypted");
    let flow = Flow {
        title: clean(&title, &id),
        id: id.clone(),
        from,
        to,
        via: Vec::new(),
        purpose: Purpose::Data,
        protocol: known.map_or(Protocol::Other, |(protocol, _)| protocol),
        authentication: Authentication::None,
        encryption: if encrypted { Encryption::Transport } else { Encryption::None },
        carries: BTreeSet::new(),
        measures: BTreeSet::new(),
        planned: BTreeSet::new(),
        line: 0,
    };
    if flag(data, "isBidirectional") {
        let back = intake.name("flow", &format!("{source} back"), &format!("{id} back"));
        let (from, to) = (flow.to.clone(), flow.from.clone());
        intake.model.flows.push(Flow { id: back, from, to, ..flow.clone() });
    }
    intake.model.flows.push(flow);
    findings(data, intake, &id);
}

fn findings(data: &mut Map<String, Value>, intake: &mut Intake, subject: &str) {
    for one in members(data, "threats") {
        let title = text(one, "title").unwrap_or_default();
        let source = text(one, "id").unwrap_or_else(|| format!("{subject} {title}"));
        let mut about = text(one, "description").unwrap_or_default();
        for (name, said) in [("Mitigation", "mitigation"), ("Status in the source", "status")] {
            if let Some(value) = text(one, said) {
                about.push_str(&format!("\n{name}: {value}"));
            }
        }
        let word = text(one, "type").unwrap_or_default();
        let kind = threat(&word);
        if kind.is_none() {
            let place = "/detail/diagrams/*/cells/*/data/threats/*/type";
            intake.lost(place, format!("{word}: taken as tampering"));
        }
        let severity = text(one, "severity").unwrap_or_default();
        let likelihood = match severity.to_lowercase().as_str() {
            "critical" => 5,
            "high" => 4,
            "low" => 2,
            _ => 3,
        };
        about.push_str(&format!("\nSeverity in the source: {severity}"));
        number(one, "number");
        text(one, "modelType");
        intake.finding(
            subject,
            &source,
            &title,
            &about,
            kind.unwrap_or(Threat::Tampering),
            likelihood,
        );
    }
}
