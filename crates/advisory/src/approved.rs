//! Bills of materials against a list of approved components.

use crate::{Purl, Sbom};
use std::collections::HashMap;

/// Components of `sbom` that nobody approved, by name. A component without a package URL cannot be
/// found on the list, and what the document itself describes need not be on it.
pub fn unapproved(sbom: &Sbom, approved: &[Purl]) -> Vec<String> {
    let mut by_package: HashMap<String, Vec<&Purl>> = HashMap::new();
    for one in approved {
        by_package.entry(one.package().to_string()).or_default().push(one);
    }
    sbom.components
        .iter()
        .enumerate()
        .filter(|(place, _)| sbom.subject != Some(*place))
        .filter(|(_, component)| {
            !component.purl.as_ref().is_some_and(|purl| {
                let listed = by_package.get(&purl.package().to_string());
                listed.is_some_and(|listed| listed.iter().any(|one| purl.is_a(one)))
            })
        })
        .map(|(_, component)| component.label())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_left_out_may_be_any() {
        let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.6",
            "metadata":{"component":{"type":"firmware","name":"gate","bom-ref":"g"}},
            "components":[
            {"type":"library","name":"serde","version":"1.0.1","purl":"pkg:cargo/serde@1.0.1"},
            {"type":"library","name":"ring","version":"0.17.8","purl":"pkg:cargo/ring@0.17.8"},
            {"type":"library","name":"busybox","version":"1.36"}]}"#;
        let sbom = Sbom::parse(text.as_bytes()).unwrap();
        let check = |list: &[&str], wanted: &[&str]| {
            let list: Vec<Purl> = list.iter().map(|one| one.parse().unwrap()).collect();
            assert_eq!(unapproved(&sbom, &list), wanted, "{list:?}");
        };
        check(&[], &["serde@1.0.1", "ring@0.17.8", "busybox@1.36"]);
        check(&["pkg:cargo/serde", "pkg:cargo/ring@0.17.8"], &["busybox@1.36"]);
        check(&["pkg:cargo/serde@1.0.2", "pkg:cargo/ring"], &["serde@1.0.1", "busybox@1.36"]);
        check(&["pkg:npm/serde"], &["serde@1.0.1", "ring@0.17.8", "busybox@1.36"]);
    }
}
