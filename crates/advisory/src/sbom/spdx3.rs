//! SPDX 3.0 in JSON-LD: a graph of elements that point at each other. Software packages become
//! components; relationships of the Security profile become statements.

use super::{Builder, Component, Sbom, SbomFormat, name};
use crate::{
    AdvisoryError, VulnerabilityId,
    json::Members as _,
    moment,
    remark::RemarkKind,
    text,
    vex::{Claim, Justification, Product, Statement, Status},
};
use serde_json::Value;
use std::collections::HashMap;

pub(super) fn read(document: &Value) -> Result<Sbom, AdvisoryError> {
    let single = std::slice::from_ref(document);
    let graph = document.get("@graph").and_then(Value::as_array).map_or(single, Vec::as_slice);
    let elements = Elements::of(graph);
    let mut builder = Builder::new();
    let mut other = 0;
    for (index, item) in graph.iter().enumerate() {
        match kind(item) {
            "software_Package" => {
                package(&mut builder, item, &elements, &format!("@graph[{index}]"))?;
            }
            "software_File" | "software_Snippet" => other += 1,
            _ => {}
        }
    }
    if other > 0 {
        let detail = format!("{other} files and snippets are no packages; they are not matched");
        builder.remarks.add(RemarkKind::NotUsed, "@graph", detail);
    }
    let mut subjects = Vec::new();
    let mut dependencies = Vec::new();
    let mut statements = Vec::new();
    for (index, item) in graph.iter().enumerate() {
        let place = format!("@graph[{index}]");
        let from = item.text("from").unwrap_or_default();
        let to: Vec<&str> = item.texts("to").chain(item.text("to")).collect();
        match (kind(item), item.text("relationshipType").unwrap_or_default()) {
            ("SpdxDocument" | "software_Sbom" | "Bom", _) => {
                subjects
                    .extend(item.texts("rootElement").filter_map(|id| elements.root(id, &builder)));
            }
            (kind, _) if kind.starts_with("security_Vex") => {
                match statement(item, kind, &to, &elements, &builder) {
                    Ok(statement) => statements.push(statement),
                    Err(error) => {
                        builder.remarks.add(RemarkKind::Refused, &place, error.to_string());
                    }
                }
            }
            (_, "describes") => {
                subjects.extend(to.iter().filter_map(|id| builder.by_reference.get(*id)));
            }
            (_, "contains") => {
                let Some(whole) = builder.by_reference.get(from).copied() else { continue };
                for id in to {
                    let Some(part) = builder.by_reference.get(id).copied() else { continue };
                    if let Some(component) = builder.components.get_mut(part)
                        && component.parent.is_none()
                        && whole != part
                    {
                        component.parent = Some(whole);
                    }
                }
            }
            (_, "dependsOn" | "hasStaticLink" | "hasDynamicLink" | "hasPrerequisite") => {
                let Some(from) = builder.by_reference.get(from).copied() else { continue };
                let on = to.iter().filter_map(|id| builder.resolve(id, &place)).collect();
                dependencies.push((from, on));
            }
            _ => {}
        }
    }
    let made = graph.iter().find(|item| kind(item) == "CreationInfo").unwrap_or(&Value::Null);
    let about = graph.iter().find(|item| kind(item) == "SpdxDocument").unwrap_or(&Value::Null);
    if builder.components.is_empty() && about.is_null() {
        return Err(AdvisoryError::Unsupported(
            "JSON-LD without SpdxDocument and software_Package".to_owned(),
        ));
    }
    let version = text::line(made.text("specVersion").unwrap_or("3.0"), 10);
    if !version.starts_with("3.0") {
        let detail = format!("version {version:?} is read by the rules of 3.0");
        builder.remarks.add(RemarkKind::NotUsed, "specVersion", detail);
    }
    Ok(Sbom {
        format: SbomFormat::Spdx3(version),
        name: name(about.text("name")),
        serial: name(id(about)),
        created: made.text("created").and_then(moment::parse),
        creators: made
            .texts("createdBy")
            .filter_map(|id| {
                name(elements.get(id).and_then(|agent| agent.text("name")).or(Some(id)))
            })
            .take(super::PER_COMPONENT_MAX)
            .collect(),
        subject: subjects.first().copied(),
        components: builder.components,
        dependencies,
        compositions: Vec::new(),
        statements,
        remarks: builder.remarks,
    })
}

fn kind(item: &Value) -> &str {
    let kind = item.text("type").or_else(|| item.text("@type")).unwrap_or_default();
    // Expanded documents spell types as IRIs: …/terms/Software/Package
    match kind.rsplit_once("/terms/").map(|(_, kind)| kind) {
        Some("Software/Package") => "software_Package",
        Some("Core/Relationship") => "Relationship",
        _ => kind,
    }
}

fn id(item: &Value) -> Option<&str> {
    item.text("spdxId").or_else(|| item.text("@id"))
}

/// Elements by id.
struct Elements<'a>(HashMap<&'a str, &'a Value>);

impl<'a> Elements<'a> {
    fn of(graph: &'a [Value]) -> Self {
        Self(graph.iter().filter_map(|item| Some((id(item)?, item))).collect())
    }

    fn get(&self, id: &str) -> Option<&'a Value> {
        self.0.get(id).copied()
    }

    /// The package at the root: an SPDX document's root may be the SBOM, whose root is the package.
    fn root(&self, id: &str, builder: &Builder) -> Option<usize> {
        if let Some(index) = builder.by_reference.get(id) {
            return Some(*index);
        }
        let inner = self.get(id)?.texts("rootElement").next()?;
        builder.by_reference.get(inner).copied()
    }
}

fn package(
    builder: &mut Builder,
    item: &Value,
    elements: &Elements<'_>,
    place: &str,
) -> Result<(), AdvisoryError> {
    let mut purl =
        builder.purl(item.text("software_packageUrl"), &format!("{place}.software_packageUrl"));
    let Some(given) =
        name(item.text("name")).or_else(|| purl.as_ref().map(|purl| purl.name.clone()))
    else {
        builder.remarks.add(RemarkKind::Malformed, place, "a package without a name; left out");
        return Ok(());
    };
    let mut out = Component {
        reference: name(id(item)).unwrap_or_default(),
        kind: text::line(item.text("software_primaryPurpose").unwrap_or("library"), 40),
        name: given,
        version: name(item.text("software_packageVersion")),
        supplier: item.text("suppliedBy").and_then(|id| name(elements.get(id)?.text("name"))),
        ..Component::default()
    };
    for (index, external) in item.list("externalIdentifier").iter().enumerate() {
        let place = format!("{place}.externalIdentifier[{index}]");
        let text = external.text("identifier");
        match external.text("externalIdentifierType") {
            Some("packageUrl" | "purl") if purl.is_none() => purl = builder.purl(text, &place),
            Some("cpe23" | "cpe22") => {
                if let Some(cpe) = builder.cpe(text, &place) {
                    builder.push(&mut out.cpes, cpe, &place);
                }
            }
            _ => {}
        }
    }
    out.purl = purl;
    for hash in item.list("verifiedUsing") {
        // By value, or by reference to a blank node.
        let hash = hash.as_str().and_then(|id| elements.get(id)).unwrap_or(hash);
        let digest = hash.text("hashValue").unwrap_or_default();
        if let Some(hash) = builder.hash(hash.text("algorithm").unwrap_or_default(), digest, place)
        {
            builder.push(&mut out.hashes, hash, place);
        }
    }
    for key in ["software_downloadLocation", "software_sourceInfo"] {
        if let Some(url) = name(item.text(key))
            && (url.starts_with("git") || url.contains(".git"))
        {
            builder.push(&mut out.repositories, url, place);
        }
    }
    builder.add(out, place).map(|_| ())
}

fn statement(
    item: &Value,
    kind: &str,
    to: &[&str],
    elements: &Elements<'_>,
    builder: &Builder,
) -> Result<Statement, AdvisoryError> {
    let refused = |why: &str| AdvisoryError::Refused(why.to_owned());
    let vulnerability = item
        .text("from")
        .and_then(|from| elements.get(from))
        .ok_or_else(|| refused("`from` names no vulnerability of this document"))?;
    let mut ids: Vec<VulnerabilityId> = vulnerability
        .list("externalIdentifier")
        .iter()
        .filter_map(|external| external.text("identifier"))
        .chain(vulnerability.text("name"))
        // Identifiers may be URLs that end with the id.
        .filter_map(|text| VulnerabilityId::new(text.rsplit('/').next().unwrap_or(text)))
        .collect();
    ids.sort();
    ids.dedup();
    let (first, aliases) =
        ids.split_first().ok_or_else(|| refused("a vulnerability without id"))?;
    let status = match kind {
        "security_VexNotAffectedVulnAssessmentRelationship" => Status::NotAffected {
            justification: item
                .text("security_justificationType")
                .and_then(Justification::from_spdx),
            impact: name(item.text("security_impactStatement")),
        },
        "security_VexAffectedVulnAssessmentRelationship" => {
            Status::Affected { action: name(item.text("security_actionStatement")) }
        }
        "security_VexFixedVulnAssessmentRelationship" => Status::Fixed,
        "security_VexUnderInvestigationVulnAssessmentRelationship" => Status::UnderInvestigation,
        other => return Err(refused(&format!("{other:?} is no kind of VEX statement"))),
    };
    let products = to
        .iter()
        .filter_map(|id| builder.components.get(*builder.by_reference.get(*id)?))
        .map(|component| Product {
            purl: component.purl.clone(),
            cpe: component.cpes.first().cloned(),
            reference: Some(component.reference.clone()),
            ..Product::default()
        })
        .collect();
    let creation = item.get("creationInfo").unwrap_or(&Value::Null);
    let creation = creation.as_str().and_then(|id| elements.get(id)).unwrap_or(creation);
    let author = item.text("suppliedBy").or_else(|| creation.texts("createdBy").next());
    let author =
        author.map(|id| elements.get(id).and_then(|agent| agent.text("name")).unwrap_or(id));
    let at =
        ["security_modifiedTime", "security_publishedTime"].iter().find_map(|key| item.text(key));
    Statement::new(Claim {
        vulnerability: first.clone(),
        aliases: aliases.to_vec(),
        products,
        status,
        author: text::line(author.unwrap_or("unknown"), 200),
        at: at.or(creation.text("created")).and_then(moment::parse),
        expires: None,
        detail: name(item.text("security_statusNotes")),
    })
}
