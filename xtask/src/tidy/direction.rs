//! Which crate depends on which, from `cargo metadata`.

use super::{Finding, rules};
use crate::process::{cargo, output};
use anyhow::{Context as _, Result};
use serde_json::Value;

/// A crate of the workspace with its direct dependencies: (name, whether for tests only).
struct Package {
    name: String,
    manifest: String,
    dependencies: Vec<(String, bool)>,
}

pub(super) fn check() -> Result<Vec<Finding>> {
    let json = output(&mut cargo(&["metadata", "--format-version=1", "--no-deps", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&json).context("cargo metadata")?;
    Ok(packages(&metadata).iter().flat_map(check_package).collect())
}

fn packages(metadata: &Value) -> Vec<Package> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = list(&metadata["packages"]);
    packages
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            manifest: format!("crates/{}/Cargo.toml", text(&package["name"])),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(|dependency| (text(&dependency["name"]), dependency["kind"] == "dev"))
                .collect(),
        })
        .filter(|package| package.name != "xtask")
        .collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let place = |name: &str| rules::LAYERS.iter().position(|layer| *layer == name);
    let name = package.name.as_str();
    let Some(own) = place(name) else {
        return vec![Finding::new(
            &package.manifest,
            1,
            format!("crate {name} has no place in the order of dependencies"),
            "add it to LAYERS in xtask/src/tidy/rules.rs and to ARCHITECTURE.md",
        )];
    };
    let mut findings = Vec::new();
    let mut find = |what: String, hint: String| {
        findings.push(Finding::new(&package.manifest, 1, what, hint));
    };
    for (dependency, for_tests) in &package.dependencies {
        let dependency = dependency.as_str();
        if place(dependency).is_some_and(|theirs| theirs >= own) {
            find(
                format!("{name} depends on {dependency}, which stands above it"),
                "move the shared part down, or pass it in".to_owned(),
            );
        }
        let forbidden =
            rules::FORBIDDEN_EDGES.iter().find(|(from, to, _)| *from == name && *to == dependency);
        if let Some((_, _, why)) = forbidden {
            find(format!("{name} depends on {dependency}"), (*why).to_owned());
        }
        let alone = rules::SHIPPED_ALONE.iter().find(|(shipped, _)| *shipped == name);
        let carried = alone.is_some_and(|(_, ours)| !ours.contains(&dependency));
        if carried && !for_tests && place(dependency).is_some() {
            find(
                format!("{name} depends on {dependency}, which is of the server's side"),
                "a device must not carry it; move the shared part down".to_owned(),
            );
        }
        let banned = rules::FORBIDDEN_DEPENDENCIES
            .iter()
            .any(|(banned, except)| *banned == dependency && !except.contains(&name));
        if banned && !for_tests && rules::DOMAIN.contains(&name) {
            find(
                format!("domain crate {name} depends on {dependency}"),
                "domain crates do no I/O; take the bytes, the time or the result as an argument"
                    .to_owned(),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(name: &str, dependencies: &[(&str, bool)]) -> Vec<String> {
        let package = Package {
            name: name.into(),
            manifest: "Cargo.toml".into(),
            dependencies: dependencies
                .iter()
                .map(|(name, for_tests)| ((*name).into(), *for_tests))
                .collect(),
        };
        check_package(&package).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn edges_point_down_only() {
        assert!(
            whats("device", &[("crypto", false), ("pki", false), ("proptest", true)]).is_empty()
        );
        assert_eq!(
            whats("pki", &[("device", false)]),
            ["pki depends on device, which stands above it"]
        );
        assert_eq!(whats("api", &[("service", false)]), ["api depends on service"]);
        assert_eq!(whats("ledger", &[("tokio", false)]), ["domain crate ledger depends on tokio"]);
        assert!(whats("ledger", &[("tokio", true)]).is_empty());
        assert_eq!(
            whats("agent", &[("service", false), ("update", false), ("server", true)]),
            ["agent depends on service, which is of the server's side"]
        );
        assert!(whats("crypto", &[("rustls", false)]).is_empty());
        assert_eq!(whats("common", &[]).len(), 1);
    }
}
