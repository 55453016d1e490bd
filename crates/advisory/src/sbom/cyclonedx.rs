//! CycloneDX 1.3 to 1.7 (ECMA-424), read tolerantly.

use super::{Builder, Component, Sbom, SbomFormat, name};
use crate::{
    AdvisoryError, Remarks, VulnerabilityId,
    json::Members as _,
    moment,
    remark::RemarkKind,
    text,
    vex::{Claim, Justification, Product, Statement, Status, VersionClaim},
};
use serde_json::Value;

/// Specification versions whose schemas were read when this was written.
const KNOWN: [&str; 6] = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"];

pub(super) fn read(document: &Value, format: SbomFormat) -> Result<Sbom, AdvisoryError> {
    let mut builder = Builder::new();
    let version = document.text("specVersion").unwrap_or("?");
    if !KNOWN.contains(&version) {
        let detail = format!("version {version:?} is read by the rules of 1.7");
        builder.remarks.add(RemarkKind::NotUsed, "specVersion", detail);
    }
    let metadata = document.get("metadata").unwrap_or(&Value::Null);
    let mut subject = None;
    if let Some(main) = metadata.get("component") {
        subject = component(&mut builder, main, None, "metadata.component")?;
    }
    for (index, item) in document.list("components").iter().enumerate() {
        component(&mut builder, item, None, &format!("components[{index}]"))?;
    }
    if document.get("components").is_some_and(|list| !list.is_array() && !list.is_null()) {
        builder.remarks.add(RemarkKind::Malformed, "components", "not an array");
    }
    for (index, service) in document.list("services").iter().enumerate() {
        let name = service.text("name").unwrap_or("?");
        let detail = format!("the service {name:?} is no component; it is not matched");
        builder.remarks.add(RemarkKind::NotUsed, format!("services[{index}]"), detail);
    }
    let mut dependencies = Vec::new();
    for (index, item) in document.list("dependencies").iter().enumerate() {
        let place = format!("dependencies[{index}]");
        let Some(from) = item.text("ref").and_then(|from| builder.resolve(from, &place)) else {
            continue;
        };
        let on = item.texts("dependsOn").filter_map(|on| builder.resolve(on, &place)).collect();
        dependencies.push((from, on));
    }
    let mut compositions = Vec::new();
    for item in document.list("compositions") {
        let members = item.list("assemblies").len() + item.list("dependencies").len();
        compositions
            .push((text::line(item.text("aggregate").unwrap_or("not_specified"), 60), members));
    }
    let mut creators = Vec::new();
    let mut creator = |item: &Value| {
        let words: Vec<&str> = ["vendor", "group", "name", "version"]
            .iter()
            .filter_map(|key| item.text(key))
            .collect();
        if !words.is_empty() && creators.len() < super::PER_COMPONENT_MAX {
            creators.push(text::line(&words.join(" "), 200));
        }
    };
    // An array up to 1.4, an object with components since 1.5.
    metadata.list("tools").iter().for_each(&mut creator);
    metadata
        .get("tools")
        .into_iter()
        .flat_map(|tools| tools.list("components"))
        .for_each(&mut creator);
    metadata.list("authors").iter().for_each(&mut creator);
    metadata.get("supplier").into_iter().for_each(&mut creator);
    let statements = statements(document, &mut builder);
    Ok(Sbom {
        format,
        name: name(metadata.get("component").and_then(|main| main.text("name"))),
        serial: name(document.text("serialNumber")),
        created: metadata.text("timestamp").and_then(moment::parse),
        creators,
        subject,
        components: builder.components,
        dependencies,
        compositions,
        statements,
        remarks: builder.remarks,
    })
}

fn component(
    builder: &mut Builder,
    item: &Value,
    parent: Option<usize>,
    place: &str,
) -> Result<Option<usize>, AdvisoryError> {
    let nested = item.list("components");
    let purl = builder.purl(item.text("purl"), &format!("{place}.purl"));
    let Some(given) =
        name(item.text("name")).or_else(|| purl.as_ref().map(|purl| purl.name.clone()))
    else {
        builder.remarks.add(RemarkKind::Malformed, place, "a component without a name; left out");
        // What it contains is still there.
        for (index, child) in nested.iter().enumerate() {
            component(builder, child, parent, &format!("{place}.components[{index}]"))?;
        }
        return Ok(None);
    };
    let mut out = Component {
        reference: name(item.text("bom-ref")).unwrap_or_default(),
        parent,
        kind: text::line(item.text("type").unwrap_or("library"), 40),
        group: name(item.text("group")),
        name: given,
        version: name(item.text("version")),
        supplier: ["supplier", "manufacturer"]
            .iter()
            .find_map(|key| name(item.get(key)?.text("name")))
            .or_else(|| name(item.text("publisher"))),
        purl,
        ..Component::default()
    };
    out.cpes.extend(builder.cpe(item.text("cpe"), &format!("{place}.cpe")));
    for hash in item.list("hashes") {
        let digest = hash.text("content").unwrap_or_default();
        if let Some(hash) = builder.hash(hash.text("alg").unwrap_or_default(), digest, place) {
            builder.push(&mut out.hashes, hash, place);
        }
    }
    for licence in item.list("licenses") {
        let inner = licence.get("license").unwrap_or(&Value::Null);
        let text = licence.text("expression").or(inner.text("id")).or(inner.text("name"));
        if let Some(text) = name(text) {
            builder.push(&mut out.licences, text, place);
        }
    }
    for reference in item.list("externalReferences") {
        if reference.text("type") == Some("vcs")
            && let Some(url) = name(reference.text("url"))
        {
            builder.push(&mut out.repositories, url, place);
        }
    }
    // Nothing of a nested component is lost when its depth is: JSON itself has a limit.
    let index = builder.add(out, place)?;
    for (child_index, child) in nested.iter().enumerate() {
        component(builder, child, Some(index), &format!("{place}.components[{child_index}]"))?;
    }
    Ok(Some(index))
}

/// The statements of a CycloneDX document that is given as VEX.
pub(crate) fn statements_of(document: &Value) -> Result<(Vec<Statement>, Remarks), AdvisoryError> {
    let sbom = read(document, SbomFormat::CycloneDxJson(String::new()))?;
    Ok((sbom.statements, sbom.remarks))
}

fn statements(document: &Value, builder: &mut Builder) -> Vec<Statement> {
    let metadata = document.get("metadata").unwrap_or(&Value::Null);
    let author = ["supplier", "manufacturer", "manufacture"]
        .iter()
        .find_map(|key| metadata.get(key)?.text("name"))
        .or_else(|| metadata.list("authors").first()?.text("name"))
        .or_else(|| metadata.get("component")?.get("supplier")?.text("name"))
        .unwrap_or("unknown");
    let made = metadata.text("timestamp").and_then(moment::parse);
    let mut statements = Vec::new();
    for (index, item) in document.list("vulnerabilities").iter().enumerate() {
        let place = format!("vulnerabilities[{index}]");
        let Some(vulnerability) = item.text("id").and_then(VulnerabilityId::new) else {
            builder.remarks.add(RemarkKind::Malformed, &place, "no id that can be used; left out");
            continue;
        };
        // A vulnerability without analysis is a scanner's finding, not a statement.
        let Some(analysis) = item.get("analysis").filter(|analysis| analysis.is_object()) else {
            let detail = format!("{vulnerability} is listed without an analysis: no statement");
            builder.remarks.add(RemarkKind::NotUsed, &place, detail);
            continue;
        };
        let Some(status) = status(analysis) else {
            let state = analysis.text("state").unwrap_or("none");
            let detail =
                format!("the analysis of {vulnerability} has the state {state:?}; left out");
            builder.remarks.add(RemarkKind::Malformed, &place, detail);
            continue;
        };
        let mut products = Vec::new();
        for affected in item.list("affects") {
            products.extend(affected_product(affected, &status, builder, &place));
        }
        let updated = ["lastUpdated", "firstIssued"].iter().find_map(|key| analysis.text(key));
        let claim = Claim {
            aliases: item
                .list("references")
                .iter()
                .filter_map(|reference| reference.text("id").and_then(VulnerabilityId::new))
                .collect(),
            vulnerability,
            products,
            status,
            author: text::line(author, 200),
            at: updated.or(item.text("updated")).and_then(moment::parse).or(made),
            expires: None,
            detail: name(item.text("recommendation")),
        };
        match Statement::new(claim) {
            Ok(statement) => statements.push(statement),
            Err(error) => builder.remarks.add(RemarkKind::Refused, &place, error.to_string()),
        }
    }
    statements
}

fn status(analysis: &Value) -> Option<Status> {
    let detail = name(analysis.text("detail"));
    let justification = analysis.text("justification").and_then(Justification::from_cyclonedx);
    Some(match analysis.text("state")? {
        "not_affected" | "false_positive" => Status::NotAffected { justification, impact: detail },
        "exploitable" => Status::Affected {
            action: detail.or_else(|| {
                let all: Vec<&str> = analysis.texts("response").collect();
                name(Some(all.join(", ")).as_deref())
            }),
        },
        "resolved" | "resolved_with_pedigree" => Status::Fixed,
        "in_triage" => Status::UnderInvestigation,
        _ => return None,
    })
}

fn affected_product(
    affected: &Value,
    status: &Status,
    builder: &mut Builder,
    place: &str,
) -> Option<Product> {
    let reference = affected.text("ref")?;
    let mut product = Product::default();
    if let Some(index) = builder.by_reference.get(reference).copied() {
        if let Some(component) = builder.components.get(index) {
            product.purl = component.purl.clone();
            product.cpe = component.cpes.first().cloned();
            product.reference = Some(component.reference.clone());
        }
    } else if let Ok(purl) = reference.parse() {
        product.purl = Some(purl);
    } else if reference.starts_with("urn:cdx:") {
        product.reference = name(Some(reference));
    } else {
        let detail = format!("{reference:?} names no component of this document; left out");
        builder.remarks.add(RemarkKind::Dangling, place, detail);
        return None;
    }
    for version in affected.list("versions") {
        let state = version.text("status").unwrap_or("affected");
        let fits = match status {
            Status::NotAffected { .. } | Status::Fixed => state == "unaffected",
            Status::Affected { .. } | Status::UnderInvestigation => state != "unaffected",
        };
        let claim = match (version.text("version"), version.text("range")) {
            (Some(version), _) => Some(VersionClaim::Exact(text::line(version, 256))),
            (None, Some(range)) => Some(VersionClaim::Range(text::line(range, 2_000))),
            (None, None) => None,
        };
        match claim.filter(|_| fits) {
            Some(claim) => product.versions.push(claim),
            None => {
                let detail =
                    format!("versions with the status {state:?} are not what the analysis says");
                builder.remarks.add(RemarkKind::NotUsed, place, detail);
            }
        }
    }
    // All that the list says is of the other kind: nothing is left that the statement is about.
    if product.versions.is_empty() && !affected.list("versions").is_empty() {
        return None;
    }
    Some(product)
}
