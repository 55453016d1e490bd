//! OpenVEX 0.2.0; 0.0.1 as far as it names its things in the same way.

use super::{Claim, Justification, Product, Statement, Status};
use crate::{
    Remarks, VulnerabilityId, json::Members as _, moment, remark::RemarkKind, sbom::hash_name, text,
};
use serde_json::Value;

pub(super) fn read(document: &Value) -> (Vec<Statement>, Remarks) {
    let mut remarks = Remarks::default();
    let mut statements = Vec::new();
    let author = document.text("author").unwrap_or("unknown");
    let made = ["last_updated", "timestamp"].iter().find_map(|key| document.text(key));
    for (index, item) in document.list("statements").iter().enumerate() {
        let place = format!("statements[{index}]");
        let vulnerability = item.get("vulnerability").unwrap_or(&Value::Null);
        let name = vulnerability.text("name").or(vulnerability.as_str());
        let Some(id) = name.and_then(VulnerabilityId::new) else {
            remarks.add(
                RemarkKind::Malformed,
                &place,
                "no vulnerability that can be used; left out",
            );
            continue;
        };
        let justification = item.text("justification").and_then(Justification::from_openvex);
        if let (Some(word), None) = (item.text("justification"), justification) {
            let detail = format!("{word:?} is no justification of OpenVEX");
            remarks.add(RemarkKind::Malformed, &place, detail);
        }
        let words = |key: &str| item.text(key).map(|text| text::line(text, 1_000));
        let status = match item.text("status") {
            Some("not_affected") => {
                Status::NotAffected { justification, impact: words("impact_statement") }
            }
            Some("affected") => Status::Affected { action: words("action_statement") },
            Some("fixed") => Status::Fixed,
            Some("under_investigation") => Status::UnderInvestigation,
            other => {
                remarks.add(
                    RemarkKind::Malformed,
                    &place,
                    format!("the status {other:?}; left out"),
                );
                continue;
            }
        };
        let mut products = Vec::new();
        for item in item.list("products") {
            products.extend(product(item, true, &place, &mut remarks));
        }
        let at = ["last_updated", "timestamp"].iter().find_map(|key| item.text(key));
        let claim = Claim {
            vulnerability: id,
            aliases: vulnerability.texts("aliases").filter_map(VulnerabilityId::new).collect(),
            products,
            status,
            author: text::line(item.text("supplier").unwrap_or(author), 200),
            at: at.or(made).and_then(moment::parse),
            expires: None,
            detail: words("status_notes"),
        };
        match Statement::new(claim) {
            Ok(statement) => statements.push(statement),
            Err(error) => remarks.add(RemarkKind::Refused, &place, error.to_string()),
        }
    }
    (statements, remarks)
}

/// A product or subcomponent: its id, its identifiers, its hashes.
fn product(item: &Value, whole: bool, place: &str, remarks: &mut Remarks) -> Option<Product> {
    let mut out = Product::default();
    let id = item.text("@id").or(item.as_str());
    let identifiers = item.get("identifiers").unwrap_or(&Value::Null);
    for text in [identifiers.text("purl"), id].into_iter().flatten() {
        if out.purl.is_none() && text.starts_with("pkg:") {
            match text.parse() {
                Ok(purl) => out.purl = Some(purl),
                Err(error) => {
                    let error: crate::AdvisoryError = error;
                    remarks.add(RemarkKind::Malformed, place, error.to_string());
                    return None;
                }
            }
        }
    }
    for key in ["cpe23", "cpe22"] {
        if let Some(text) = identifiers.text(key).filter(|_| out.cpe.is_none()) {
            match text.parse() {
                Ok(cpe) => out.cpe = Some(cpe),
                Err(error) => {
                    let error: crate::AdvisoryError = error;
                    remarks.add(RemarkKind::Malformed, place, error.to_string());
                    return None;
                }
            }
        }
    }
    if let Some(hashes) = item.get("hashes").and_then(Value::as_object) {
        out.hashes = hashes
            .iter()
            .filter_map(|(name, digest)| {
                Some((hash_name(name), digest.as_str()?.trim().to_ascii_lowercase()))
            })
            .take(16)
            .collect();
    }
    // An IRI that is no package URL names the product as its SBOM does.
    if out.purl.is_none() && out.cpe.is_none() && out.hashes.is_empty() {
        out.reference = id.map(|id| text::line(id, 500));
    }
    if whole {
        let parts = item.list("subcomponents");
        out.subcomponents =
            parts.iter().filter_map(|part| product(part, false, place, remarks)).collect();
        // Parts that cannot be read must not become "all parts".
        if out.subcomponents.len() < parts.len() {
            remarks.add(
                RemarkKind::Malformed,
                place,
                "subcomponents that cannot be read; left out",
            );
            if out.subcomponents.is_empty() {
                return None;
            }
        }
    }
    let named = out.purl.is_some()
        || out.cpe.is_some()
        || !out.hashes.is_empty()
        || out.reference.is_some();
    named.then_some(out)
}
