//! Statements in each of the three forms.

use super::{Claim, DocumentInfo, Product, Statement, Status, VersionClaim};
use crate::AdvisoryError;
use serde_json::{Map, Value, json};

fn claims(statements: &[Statement]) -> impl Iterator<Item = &Claim> {
    statements.iter().map(Statement::claim)
}

fn object(entries: Vec<(&str, Option<Value>)>) -> Value {
    let present = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(Map::from_iter(present))
}

/// Words that keep what a form has no field for.
fn words(claim: &Claim, more: Option<&String>) -> Option<Value> {
    let expiry = claim.expires.map(|at| format!("to be looked at again before {at}"));
    let all: Vec<String> =
        [more.cloned(), claim.detail.clone(), expiry].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; ").into())
}

/// Whether CSAF 2.0 takes it for the id of a CVE (section 3.2.3.2): a year and four digits at least.
/// Everything else is an id among others.
fn is_cve(id: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    id.strip_prefix("CVE-").and_then(|rest| rest.split_once('-')).is_some_and(|(year, number)| {
        year.len() == 4 && digits(year) && number.len() >= 4 && digits(number)
    })
}

/// Every product with each of its single versions as a package URL; ranges have no place there.
fn versioned(product: &Product) -> Vec<Product> {
    let exact: Vec<&String> = product
        .versions
        .iter()
        .filter_map(|claim| match claim {
            VersionClaim::Exact(version) => Some(version),
            VersionClaim::Range(_) => None,
        })
        .collect();
    if exact.is_empty() || product.purl.as_ref().is_none_or(|purl| purl.version.is_some()) {
        return vec![product.clone()];
    }
    exact
        .into_iter()
        .map(|version| {
            let mut one = product.clone();
            if let Some(purl) = &mut one.purl {
                purl.version = Some(version.clone());
            }
            one
        })
        .collect()
}

/// OpenVEX 0.2.0.
pub(super) fn openvex(info: &DocumentInfo, statements: &[Statement]) -> Value {
    let product = |product: &Product| {
        let identifiers = object(vec![
            ("purl", product.purl.as_ref().map(|purl| purl.to_string().into())),
            ("cpe23", product.cpe.as_ref().map(|cpe| cpe.to_string().into())),
        ]);
        let id = product
            .purl
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| product.reference.clone())
            .or_else(|| product.cpe.as_ref().map(ToString::to_string));
        let hashes: Map<String, Value> = product
            .hashes
            .iter()
            .map(|(name, digest)| (name.clone(), digest.clone().into()))
            .collect();
        let identified = identifiers.as_object().is_some_and(|map| !map.is_empty());
        object(vec![
            ("@id", id.map(Value::from)),
            ("identifiers", identified.then_some(identifiers)),
            ("hashes", (!hashes.is_empty()).then_some(Value::Object(hashes))),
        ])
    };
    let list: Vec<Value> = claims(statements)
        .map(|claim| {
            let (justification, impact, action) = match &claim.status {
                Status::NotAffected { justification, impact } => {
                    (justification.map(|word| word.openvex().into()), impact.clone(), None)
                }
                // The form wants an action of every affected product.
                Status::Affected { action } => {
                    let action =
                        action.clone().unwrap_or_else(|| "no action is known yet".to_owned());
                    (None, None, Some(action))
                }
                Status::Fixed | Status::UnderInvestigation => (None, None, None),
            };
            let products: Vec<Value> = claim
                .products
                .iter()
                .flat_map(versioned)
                .map(|whole| {
                    let mut value = product(&whole);
                    let parts: Vec<Value> = whole
                        .subcomponents
                        .iter()
                        .flat_map(versioned)
                        .map(|part| product(&part))
                        .collect();
                    if let (Value::Object(map), false) = (&mut value, parts.is_empty()) {
                        map.insert("subcomponents".to_owned(), parts.into());
                    }
                    value
                })
                .collect();
            let aliases: Vec<&str> = claim.aliases.iter().map(|alias| alias.as_str()).collect();
            object(vec![
                (
                    "vulnerability",
                    Some(object(vec![
                        ("name", Some(claim.vulnerability.as_str().into())),
                        ("aliases", (!aliases.is_empty()).then(|| aliases.into())),
                    ])),
                ),
                ("timestamp", claim.at.map(|at| at.to_string().into())),
                ("supplier", (claim.author != info.author).then(|| claim.author.clone().into())),
                ("products", Some(products.into())),
                ("status", Some(claim.status.name().into())),
                ("justification", justification),
                ("impact_statement", impact.map(Value::from)),
                ("action_statement", action.map(Value::from)),
                ("status_notes", words(claim, None)),
            ])
        })
        .collect();
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": info.id,
        "author": info.author,
        "timestamp": info.at.to_string(),
        "version": 1,
        "statements": list,
    })
}

/// CycloneDX 1.6.
pub(super) fn cyclonedx(info: &DocumentInfo, statements: &[Statement]) -> Value {
    let mut components: Vec<Value> = Vec::new();
    let mut known: Vec<Product> = Vec::new();
    let mut reference = |product: &Product| {
        // A BOM link needs no component here.
        if let Some(link) = product.reference.as_ref().filter(|link| link.starts_with("urn:cdx:")) {
            return link.clone();
        }
        let bare = Product { versions: Vec::new(), subcomponents: Vec::new(), ..product.clone() };
        let index = known.iter().position(|other| *other == bare).unwrap_or_else(|| {
            let index = known.len();
            let purl = bare.purl.as_ref();
            let name = purl
                .map(|purl| purl.name.clone())
                .or_else(|| bare.cpe.as_ref()?.product().text().map(str::to_owned))
                .or_else(|| bare.reference.clone())
                .unwrap_or_else(|| "unnamed".to_owned());
            let hashes: Vec<Value> = bare
                .hashes
                .iter()
                .map(|(name, digest)| json!({"alg": name.to_ascii_uppercase(), "content": digest}))
                .collect();
            components.push(object(vec![
                ("type", Some("application".into())),
                ("bom-ref", Some(format!("product-{index}").into())),
                ("name", Some(name.into())),
                ("version", purl.and_then(|purl| purl.version.clone()).map(Value::from)),
                ("cpe", bare.cpe.as_ref().map(|cpe| cpe.to_string().into())),
                ("purl", purl.map(|purl| purl.to_string().into())),
                ("hashes", (!hashes.is_empty()).then(|| hashes.into())),
            ]));
            known.push(bare);
            index
        });
        format!("product-{index}")
    };
    let mut list = Vec::new();
    for claim in claims(statements) {
        let (state, justification, detail) = match &claim.status {
            Status::NotAffected { justification, impact } => {
                ("not_affected", justification.map(|word| word.cyclonedx().into()), impact.as_ref())
            }
            Status::Affected { action } => ("exploitable", None, action.as_ref()),
            Status::Fixed => ("resolved", None, None),
            Status::UnderInvestigation => ("in_triage", None, None),
        };
        let versions_status = if claim.status.silences() { "unaffected" } else { "affected" };
        let mut affects = Vec::new();
        for product in &claim.products {
            // The form has no parts of products: the parts are what is affected or not.
            let named = if product.subcomponents.is_empty() {
                std::slice::from_ref(product)
            } else {
                &product.subcomponents
            };
            for product in named {
                let versions: Vec<Value> = product
                    .versions
                    .iter()
                    .map(|version| match version {
                        VersionClaim::Exact(version) => {
                            json!({"version": version, "status": versions_status})
                        }
                        VersionClaim::Range(range) => {
                            json!({"range": range, "status": versions_status})
                        }
                    })
                    .collect();
                affects.push(object(vec![
                    ("ref", Some(reference(product).into())),
                    ("versions", (!versions.is_empty()).then(|| versions.into())),
                ]));
            }
        }
        let aliases: Vec<Value> = claim
            .aliases
            .iter()
            .map(|alias| json!({"id": alias.as_str(), "source": {"name": "alias"}}))
            .collect();
        list.push(object(vec![
            ("id", Some(claim.vulnerability.as_str().into())),
            ("references", (!aliases.is_empty()).then(|| aliases.into())),
            (
                "analysis",
                Some(object(vec![
                    ("state", Some(state.into())),
                    ("justification", justification),
                    ("detail", words(claim, detail)),
                    ("lastUpdated", claim.at.map(|at| at.to_string().into())),
                ])),
            ),
            ("affects", Some(affects.into())),
        ]));
    }
    let serial = Some(info.id.as_str()).filter(|id| id.starts_with("urn:uuid:"));
    object(vec![
        ("bomFormat", Some("CycloneDX".into())),
        ("specVersion", Some("1.6".into())),
        ("serialNumber", serial.map(Value::from)),
        ("version", Some(1.into())),
        (
            "metadata",
            Some(json!({"timestamp": info.at.to_string(), "supplier": {"name": info.author}})),
        ),
        ("components", Some(components.into())),
        ("vulnerabilities", Some(list.into())),
    ])
}

/// CSAF 2.0, profile 5.
pub(super) fn csaf(info: &DocumentInfo, statements: &[Statement]) -> Result<Value, AdvisoryError> {
    let mut tree = Tree::default();
    let mut vulnerabilities: Vec<(String, Vec<&Claim>)> = Vec::new();
    for claim in claims(statements) {
        let id = claim.vulnerability.as_str();
        match vulnerabilities.iter_mut().find(|(other, _)| other == id) {
            Some((_, list)) => list.push(claim),
            None => vulnerabilities.push((id.to_owned(), vec![claim])),
        }
    }
    let mut out = Vec::new();
    for (id, claims) in vulnerabilities {
        let mut status: Map<String, Value> = Map::new();
        let (mut flags, mut threats, mut remediations) = (Vec::new(), Vec::new(), Vec::new());
        let mut aliases: Vec<&str> = Vec::new();
        let mut notes = Vec::new();
        for claim in claims {
            let mut ids = Vec::new();
            for product in &claim.products {
                tree.add(product, &mut ids)?;
            }
            aliases.extend(claim.aliases.iter().map(|alias| alias.as_str()));
            let key = match &claim.status {
                Status::NotAffected { justification, impact } => {
                    if let Some(word) = justification {
                        flags.push(json!({"label": word.openvex(), "product_ids": ids}));
                    }
                    if let Some(impact) = impact {
                        threats.push(
                            json!({"category": "impact", "details": impact, "product_ids": ids}),
                        );
                    }
                    "known_not_affected"
                }
                Status::Affected { action } => {
                    // The profile wants a remediation of every affected product (4.5).
                    let (category, details) = match action {
                        Some(action) => ("mitigation", action.clone()),
                        None => ("none_available", "no action is known yet".to_owned()),
                    };
                    remediations.push(
                        json!({"category": category, "details": details, "product_ids": ids}),
                    );
                    "known_affected"
                }
                Status::Fixed => "fixed",
                Status::UnderInvestigation => "under_investigation",
            };
            let list = status.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                for id in ids {
                    let id = Value::from(id);
                    if !list.contains(&id) {
                        list.push(id);
                    }
                }
            }
            notes.extend(words(claim, None));
        }
        contradiction(&id, &status)?;
        let cve = is_cve(&id);
        if !cve {
            aliases.insert(0, &id);
        }
        aliases.sort_unstable();
        aliases.dedup();
        let ids: Vec<Value> =
            aliases.iter().map(|alias| json!({"system_name": "id", "text": alias})).collect();
        let notes: Vec<Value> = if notes.is_empty() {
            vec![json!({"category": "general", "text": "See product_status."})]
        } else {
            notes.into_iter().map(|text| json!({"category": "details", "text": text})).collect()
        };
        let list = |values: Vec<Value>| (!values.is_empty()).then(|| values.into());
        out.push(object(vec![
            ("cve", cve.then(|| id.clone().into())),
            ("ids", list(ids)),
            ("notes", Some(notes.into())),
            ("product_status", Some(Value::Object(status))),
            ("flags", list(flags)),
            ("threats", list(threats)),
            ("remediations", list(remediations)),
        ]));
    }
    let at = info.at.to_string();
    Ok(json!({
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "title": format!("VEX of {}", info.author),
            "publisher": {"category": "vendor", "name": info.author, "namespace": info.author_url},
            "tracking": {
                "id": info.id,
                "status": "final",
                "version": "1",
                "initial_release_date": at,
                "current_release_date": at,
                "revision_history": [{"date": at, "number": "1", "summary": "first version"}],
            },
        },
        "product_tree": tree.value(),
        "vulnerabilities": out,
    }))
}

/// One product must not stand in two groups that contradict each other (CSAF 2.0 section 6.1.6).
fn contradiction(id: &str, status: &Map<String, Value>) -> Result<(), AdvisoryError> {
    let mut seen: Vec<&Value> = Vec::new();
    for product in status.values().filter_map(Value::as_array).flatten() {
        if seen.contains(&product) {
            return Err(AdvisoryError::Refused(format!(
                "two statements about {id} contradict each other for one product; CSAF holds one"
            )));
        }
        seen.push(product);
    }
    Ok(())
}

#[derive(Default)]
struct Tree {
    products: Vec<Product>,
    relations: Vec<(usize, usize)>,
}

impl Tree {
    /// Adds a product; the ids that stand for it.
    fn add(&mut self, product: &Product, ids: &mut Vec<String>) -> Result<(), AdvisoryError> {
        for whole in versioned(product) {
            let parts = whole.subcomponents.clone();
            let whole = self.plain(&whole)?;
            if parts.is_empty() {
                ids.push(format!("P{whole}"));
            }
            for part in parts.iter().flat_map(versioned) {
                let part = self.plain(&part)?;
                if !self.relations.contains(&(part, whole)) {
                    self.relations.push((part, whole));
                }
                ids.push(format!("P{part}-P{whole}"));
            }
        }
        Ok(())
    }

    fn plain(&mut self, product: &Product) -> Result<usize, AdvisoryError> {
        let product = Product { subcomponents: Vec::new(), ..product.clone() };
        if product.purl.is_none() && product.cpe.is_none() && product.hashes.is_empty() {
            return Err(AdvisoryError::Refused(format!(
                "CSAF names products by package URL, CPE or hash, not by {:?}",
                product.reference.unwrap_or_default()
            )));
        }
        Ok(self.products.iter().position(|other| *other == product).unwrap_or_else(|| {
            self.products.push(product);
            self.products.len() - 1
        }))
    }

    fn value(&self) -> Value {
        let full = |id: String, product: &Product| {
            let name = product
                .purl
                .as_ref()
                .map(ToString::to_string)
                .or_else(|| product.cpe.as_ref().map(ToString::to_string))
                .unwrap_or_else(|| id.clone());
            let hashes: Vec<Value> = product
                .hashes
                .iter()
                .map(|(algorithm, digest)| json!({"algorithm": algorithm.replace('-', ""), "value": digest}))
                .collect();
            let helper = object(vec![
                ("purl", product.purl.as_ref().map(|purl| purl.to_string().into())),
                ("cpe", product.cpe.as_ref().map(|cpe| cpe.to_string().into())),
                (
                    "hashes",
                    (!hashes.is_empty())
                        .then(|| json!([{"filename": name.clone(), "file_hashes": hashes}])),
                ),
            ]);
            json!({"name": name, "product_id": id, "product_identification_helper": helper})
        };
        let mut branches = Vec::new();
        let mut names = Vec::new();
        for (index, product) in self.products.iter().enumerate() {
            let id = format!("P{index}");
            let range = product.versions.iter().find_map(|version| match version {
                VersionClaim::Range(range) => Some(range),
                VersionClaim::Exact(_) => None,
            });
            match range {
                Some(range) => branches.push(json!({
                    "category": "product_version_range",
                    "name": range,
                    "product": full(id, product),
                })),
                None => names.push(full(id, product)),
            }
        }
        let relations: Vec<Value> = self
            .relations
            .iter()
            .map(|(part, whole)| {
                json!({
                    "category": "default_component_of",
                    "product_reference": format!("P{part}"),
                    "relates_to_product_reference": format!("P{whole}"),
                    "full_product_name": {
                        "name": format!("P{part} in P{whole}"),
                        "product_id": format!("P{part}-P{whole}"),
                    },
                })
            })
            .collect();
        let list = |values: Vec<Value>| (!values.is_empty()).then(|| values.into());
        object(vec![
            ("branches", list(branches)),
            ("full_product_names", list(names)),
            ("relationships", list(relations)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::is_cve;

    #[test]
    fn csaf_takes_four_digits_for_a_cve() {
        for (id, expected) in [
            ("CVE-2026-0001", true),
            ("CVE-2026-123456", true),
            ("CVE-2026-1", false),
            ("CVE-26-0001", false),
            ("CVE-2026-", false),
            ("CVE-2026-000x", false),
            ("GHSA-aaaa-bbbb-cccc", false),
            ("CVE-", false),
        ] {
            assert_eq!(is_cve(id), expected, "{id}");
        }
    }
}
