SPDXVersion: SPDX-2.3
PackageName: a
SPDXID: SPDXRef-a
ExternalRef: PACKAGE-MANAGER purl pkg:cargo/a@0.9.0
Relationship: SPDXRef-a CONTAINS SPDXRef-a
