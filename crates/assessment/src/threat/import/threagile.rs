//! Threagile 1 (its JSON Schema, MIT).

use super::{Intake, clean, flag, inside, protocol, text, texts, threat};
use crate::{
    Threat,
    threat::{
        Asset, AssetKind, Authentication, Element, ElementKind, Encryption, Flow, Identity, Place,
        Protocol, Purpose, Rating, Trait, Zone,
    },
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub(super) fn convert(root: &mut Map<String, Value>, intake: &mut Intake) {
    text(root, "threagile_version");
    intake.model.name = clean(&text(root, "title").unwrap_or_default(), "import");
    let summary = inside(root, "business_overview").and_then(|one| text(one, "description"));
    intake.model.summary = summary.map(|one| clean(&one, "-"));
    for (title, asset) in named(root, "data_assets") {
        data_asset(title, asset, intake);
    }
    // Names first: links go to assets that stand below.
    for (title, one) in named(root, "technical_assets") {
        let source = one.get("id").and_then(Value::as_str).unwrap_or(title).to_owned();
        intake.name("element", &source, title);
        intake.names.insert(("flow", intake.find("element", &source).unwrap_or_default()));
    }
    for (title, one) in named(root, "technical_assets") {
        technical_asset(title, one, intake);
    }
    for (title, one) in named(root, "trust_boundaries") {
        boundary(title, one, intake);
    }
    for (title, one) in named(root, "individual_risk_categories") {
        category(title, one, intake);
    }
}

/// The named objects of a field, to take from.
fn named<'a>(
    from: &'a mut Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = (&'a String, &'a mut Map<String, Value>)> {
    let all = from.get_mut(field).and_then(Value::as_object_mut);
    all.into_iter().flatten().filter_map(|(name, one)| Some((name, one.as_object_mut()?)))
}

fn confidentiality(word: &str) -> Option<u8> {
    let words = ["public", "internal", "restricted", "confidential", "strictly-confidential"];
    words.iter().zip(1..).find(|(one, _)| **one == word).map(|(_, level)| level)
}

fn criticality(word: &str) -> Option<u8> {
    let words = ["archive", "operational", "important", "critical", "mission-critical"];
    words.iter().zip(1..).find(|(one, _)| **one == word).map(|(_, level)| level)
}

fn data_asset(title: &str, one: &mut Map<String, Value>, intake: &mut Intake) {
    let source = text(one, "id").unwrap_or_else(|| title.to_owned());
    let id = intake.name("asset", &source, title);
    let mut rated = |name: &str, of: fn(&str) -> Option<u8>| {
        let level = one.get(name).and_then(Value::as_str).and_then(of);
        level.inspect(|_| drop(one.remove(name)))
    };
    let (c, i, a) = (
        rated("confidentiality", confidentiality),
        rated("integrity", criticality),
        rated("availability", criticality),
    );
    let rating = c.zip(i).zip(a).map(|((confidentiality, integrity), availability)| {
        let safety = confidentiality.max(integrity).max(availability);
        Rating { safety, confidentiality, integrity, availability }
    });
    intake.lost("/data_assets/*", "safety is not rated there; the greatest of the others counts");
    let title = clean(title, &id);
    intake.model.assets.push(Asset { id, title, kind: AssetKind::Other, rating, line: 0 });
}

fn technical_asset(title: &str, one: &mut Map<String, Value>, intake: &mut Intake) {
    let source = text(one, "id").unwrap_or_else(|| title.to_owned());
    let Some(id) = intake.find("element", &source) else { return };
    let technology = text(one, "technology").unwrap_or_default();
    let kind = kind(&text(one, "type").unwrap_or_default(), &technology);
    intake.lost("/technical_assets/*/technology", format!("{technology}: taken as {kind}"));
    let mut traits = BTreeSet::new();
    for (mark, what) in [("internet", Trait::InternetFacing), ("multi_tenant", Trait::MultiTenant)]
    {
        if flag(one, mark) {
            traits.insert(what);
        }
    }
    let mut measures = BTreeSet::new();
    match one.get("encryption").and_then(Value::as_str) {
        Some("none") => drop(one.remove("encryption")),
        // What is not known is not claimed, and listed. Transparent encryption gives everything to who is in the system.
        Some(
            "data-with-symmetric-shared-key"
            | "data-with-asymmetric-shared-key"
            | "data-with-end-user-individual-key"
            | "data-with-enduser-individual-key",
        ) => {
            measures.insert("storage-encryption".to_owned());
            one.remove("encryption");
        }
        _ => {}
    }
    let mut held = texts(one, "data_assets_stored");
    held.extend(texts(one, "data_assets_processed"));
    let holds = intake.find_all("asset", "/technical_assets/*/data_assets", &held);
    intake.model.elements.push(Element {
        title: clean(title, &id),
        kind,
        zone: None,
        part_of: None,
        place: match kind {
            ElementKind::Device | ElementKind::Gateway => Place::Public,
            _ => Place::Guarded,
        },
        identity: Identity::None,
        traits,
        holds,
        interfaces: Vec::new(),
        support_until: None,
        measures,
        planned: BTreeSet::new(),
        line: 0,
        id: id.clone(),
    });
    for (name, link) in named(one, "communication_links") {
        communication(name, link, &id, intake);
    }
}

fn kind(kind: &str, technology: &str) -> ElementKind {
    match (kind, technology) {
        (_, "iot-device") => ElementKind::Device,
        (_, "gateway" | "service-mesh" | "reverse-proxy" | "load-balancer" | "waf") => {
            ElementKind::Gateway
        }
        (_, "browser" | "desktop" | "mobile-app" | "client-system" | "cli") => ElementKind::App,
        ("datastore", _) => ElementKind::Store,
        ("external-entity", _) => ElementKind::External,
        _ => ElementKind::Service,
    }
}

fn communication(name: &str, link: &mut Map<String, Value>, from: &str, intake: &mut Intake) {
    let target = text(link, "target").unwrap_or_default();
    let Some(to) = intake.find("element", &target) else {
        let place = "/technical_assets/*/communication_links/*/target";
        intake.lost(place, format!("{name}: no technical asset {target:?}"));
        return;
    };
    let word = text(link, "protocol").unwrap_or_default();
    let known = protocol(&word);
    if known.is_none() {
        let place = "/technical_assets/*/communication_links/*/protocol";
        intake.lost(place, format!("{word}: taken as other"));
    }
    let (protocol, encrypted) = known.unwrap_or((Protocol::Other, false));
    let authentication = match text(link, "authentication").as_deref() {
        Some("credentials") => Authentication::Password,
        Some("session-id" | "token") => Authentication::Token,
        Some("client-certificate") => Authentication::MutualCertificate,
        Some("two-factor") => Authentication::MultiFactor,
        None | Some("none") => Authentication::None,
        Some(other) => {
            let place = "/technical_assets/*/communication_links/*/authentication";
            intake.lost(place, format!("{other}: taken as none"));
            Authentication::None
        }
    };
    let (sent, received) = (texts(link, "data_assets_sent"), texts(link, "data_assets_received"));
    let place = "/technical_assets/*/communication_links/*/data_assets";
    let sent = intake.find_all("asset", place, &sent);
    let received = intake.find_all("asset", place, &received);
    let id = intake.name("flow", &format!("{from} {name}"), &format!("{from} {name}"));
    let mut measures = BTreeSet::new();
    if flag(link, "ip_filtered") {
        measures.insert("zone-filter".to_owned());
    }
    let flow = Flow {
        title: clean(name, &id),
        from: from.to_owned(),
        to,
        via: Vec::new(),
        purpose: Purpose::Data,
        protocol,
        authentication,
        encryption: if encrypted { Encryption::Transport } else { Encryption::None },
        carries: sent,
        measures,
        planned: BTreeSet::new(),
        line: 0,
        id: id.clone(),
    };
    if !received.is_empty() {
        let back = intake.name("flow", &format!("{from} {name} back"), &format!("{id} back"));
        let (from, to) = (flow.to.clone(), flow.from.clone());
        intake.model.flows.push(Flow { id: back, from, to, carries: received, ..flow.clone() });
    }
    intake.model.flows.push(flow);
}

fn boundary(title: &str, one: &mut Map<String, Value>, intake: &mut Intake) {
    let source = text(one, "id").unwrap_or_else(|| title.to_owned());
    let id = intake.name("zone", &source, title);
    intake.lost("trust of zones", "is not said there; 3 was taken");
    let within = texts(one, "technical_assets_inside");
    let within = intake.find_all("element", "/trust_boundaries/*/technical_assets_inside", &within);
    for element in &mut intake.model.elements {
        if within.contains(&element.id) {
            element.zone = Some(id.clone());
        }
    }
    let title = clean(title, &id);
    intake.model.zones.push(Zone { id, title, trust: 3, target: None, capability: None, line: 0 });
}

/// Risks that people identified there become findings.
fn category(title: &str, one: &mut Map<String, Value>, intake: &mut Intake) {
    let kind = one.get("stride").and_then(Value::as_str).and_then(threat);
    let about = text(one, "description").unwrap_or_default();
    let mut placed = 0;
    for (name, risk) in named(one, "risks_identified") {
        let at = ["most_relevant_technical_asset", "most_relevant_communication_link"]
            .iter()
            .find_map(|field| {
                let source = risk.get(*field).and_then(Value::as_str)?.to_owned();
                let found = intake.find("element", &source)?;
                risk.remove(*field);
                Some(found)
            });
        let Some(subject) = at else {
            intake.lost("/individual_risk_categories/*/risks_identified/*", name.clone());
            continue;
        };
        let word = text(risk, "exploitation_likelihood").unwrap_or_default();
        let likelihood = match word.as_str() {
            "unlikely" => 2,
            "very-likely" => 4,
            "frequent" => 5,
            _ => 3,
        };
        let source = format!("{title} {name}");
        let plain: String = name.replace("<b>", "").replace("</b>", "");
        intake.finding(
            &subject,
            &source,
            &plain,
            &about,
            kind.unwrap_or(Threat::Tampering),
            likelihood,
        );
        placed += 1;
    }
    if placed > 0 && kind.is_some() {
        one.remove("stride");
    }
    if placed == 0 && !about.is_empty() {
        intake.lost("/individual_risk_categories/*", title);
    }
}
