//! Bills of materials against a list of approved components.

use crate::{Purl, Sbom};
use std::collections::HashMap;

/// Components of `sbom` that nobody approved, by name. A component without a package URL cannot be
/// found on the list, and what the document itself describes need not be on it.
pub fn unapproved(sbom: &Sbom, approved: &[Purl]) -> Vec<String> {
    // By version too: a list may have thousands of one package, and a document as many of it.
    let mut listed: HashMap<(String, Option<&str>), Vec<&Purl>> = HashMap::new();
    for one in approved {
        let key = (one.package().to_string(), one.version.as_deref());
        listed.entry(key).or_default().push(one);
    }
    sbom.components
        .iter()
        .enumerate()
        .filter(|(place, _)| sbom.subject != Some(*place))
        .filter(|(_, component)| {
            !component.purl.as_ref().is_some_and(|purl| {
                let package = purl.package().to_string();
                let any = listed.get(&(package.clone(), None));
                let own = purl.version.as_deref().and_then(|own| listed.get(&(package, Some(own))));
                any.into_iter().chain(own).flatten().any(|one| purl.is_a(one))
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

    /// Compared each with each this takes a minute and more.
    #[test]
    fn a_package_in_thousands_of_versions_is_looked_up() {
        let many = 10_000;
        let of = |place: usize| format!("pkg:cargo/serde@1.0.{place}");
        let list: Vec<Purl> = (0..many).map(|place| of(place).parse().unwrap()).collect();
        let component = |place: usize| {
            let purl = of(place);
            format!(
                r#"{{"type":"library","name":"serde","version":"1.0.{place}","purl":"{purl}"}}"#
            )
        };
        let components: Vec<String> = (1..=many).map(component).collect();
        let text = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}]}}"#,
            components.join(",")
        );
        let sbom = Sbom::parse(text.as_bytes()).unwrap();
        assert_eq!(unapproved(&sbom, &list), [format!("serde@1.0.{many}")]);
    }
}
