//! CycloneDX in XML, turned into the shape of its JSON, so that one reader reads both.

use super::{SBOM_BYTES_MAX, Sbom, SbomFormat, cyclonedx};
use crate::{AdvisoryError, json::DEPTH_MAX, text};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

const EXPECTED: &str = "CycloneDX in XML";
/// Most nodes of a document: bounds memory.
const NODES_MAX: u32 = 6_000_000;

/// Elements that are arrays of their children in JSON.
const LISTS: &[&str] = &[
    "affects",
    "annotations",
    "authors",
    "components",
    "compositions",
    "dependencies",
    "externalReferences",
    "hashes",
    "patches",
    "properties",
    "ratings",
    "references",
    "resolves",
    "responses",
    "services",
    "tools",
    "versions",
    "vulnerabilities",
];

pub(super) fn read(bytes: &[u8]) -> Result<Sbom, AdvisoryError> {
    let bad = |detail: &str| AdvisoryError::malformed(EXPECTED, detail);
    if bytes.len() > SBOM_BYTES_MAX {
        return Err(bad("too long"));
    }
    let source = std::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
    // INVARIANT: no document type, hence no entities that grow.
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(source, options).map_err(|error| bad(&error.to_string()))?;
    let root = document.root_element();
    let namespace = root.tag_name().namespace().unwrap_or_default();
    let version = namespace.strip_prefix("http://cyclonedx.org/schema/bom/");
    let (Some(version), "bom") = (version, root.tag_name().name()) else {
        return Err(AdvisoryError::Unsupported(
            "XML whose root is not a CycloneDX bom; SPDX in RDF/XML is not read".to_owned(),
        ));
    };
    let mut value = object(root, 0)?;
    if let Value::Object(map) = &mut value {
        map.insert("specVersion".to_owned(), version.into());
    }
    cyclonedx::read(&value, SbomFormat::CycloneDxXml(text::line(version, 10)))
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// All text below a node's own level.
fn text_of(node: Node<'_, '_>) -> String {
    node.children().filter_map(|child| child.text()).collect::<String>().trim().to_owned()
}

fn convert(node: Node<'_, '_>, depth: usize) -> Result<Value, AdvisoryError> {
    if depth > DEPTH_MAX {
        return Err(AdvisoryError::malformed(EXPECTED, format!("nested deeper than {DEPTH_MAX}")));
    }
    let name = node.tag_name().name();
    match name {
        "assemblies" => Ok(elements(node).filter_map(|child| child.attribute("ref")).collect()),
        "licenses" => elements(node)
            .map(|child| {
                let key = child.tag_name().name();
                let value = if key == "expression" {
                    text_of(child).into()
                } else {
                    object(child, depth + 1)?
                };
                Ok(Value::Object(Map::from_iter([(key.to_owned(), value)])))
            })
            .collect(),
        "hash" => {
            let mut map = Map::new();
            map.insert("alg".to_owned(), node.attribute("alg").unwrap_or_default().into());
            map.insert("content".to_owned(), text_of(node).into());
            Ok(Value::Object(map))
        }
        "dependency" => {
            let on: Value = elements(node)
                .filter(|child| child.tag_name().name() == "dependency")
                .filter_map(|child| child.attribute("ref"))
                .collect();
            let mut map = Map::new();
            map.insert("ref".to_owned(), node.attribute("ref").unwrap_or_default().into());
            map.insert("dependsOn".to_owned(), on);
            Ok(Value::Object(map))
        }
        // Up to 1.4 tools are a list of tool; since 1.5 they hold components.
        "tools" if elements(node).any(|child| child.tag_name().name() == "components") => {
            object(node, depth)
        }
        _ if LISTS.contains(&name) => {
            elements(node).map(|child| convert(child, depth + 1)).collect()
        }
        // In a list of versions, an element with parts; in a component, text.
        _ if elements(node).next().is_none() && node.attributes().len() == 0 => {
            Ok(text_of(node).into())
        }
        _ => object(node, depth),
    }
}

fn object(node: Node<'_, '_>, depth: usize) -> Result<Value, AdvisoryError> {
    let mut map = Map::new();
    for attribute in node.attributes() {
        map.insert(attribute.name().to_owned(), attribute.value().into());
    }
    for child in elements(node) {
        let name = match child.tag_name().name() {
            // One name in both forms.
            "responses" => "response",
            other => other,
        };
        let value = convert(child, depth + 1)?;
        if map.insert(name.to_owned(), value).is_some() && LISTS.contains(&name) {
            let detail = format!("{name:?} stands twice in one element");
            return Err(AdvisoryError::malformed(EXPECTED, detail));
        }
    }
    Ok(Value::Object(map))
}
