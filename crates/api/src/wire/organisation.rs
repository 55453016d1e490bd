use super::scalar::{
    AlgorithmName, Base64, CertificatePem, CsrPem, Digest, KindName, OrganisationRef, ProductRef,
    RoleName, RootOfTrustName, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An organisation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Organisation {
    /// Identifier.
    pub id: OrganisationRef,
    /// Name, as people write it.
    pub name: String,
    /// What it is entitled to beyond what follows from a device's history.
    pub roles: Vec<OrganisationRole>,
    /// What it will be entitled to once another administrator of the platform confirms it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub proposed: Vec<OrganisationRole>,
    /// When it joined.
    pub created: Timestamp,
    /// Since when it is suspended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suspended: Option<Timestamp>,
}

/// Why an organisation is suspended or resumed, or a key of it destroyed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationReason {
    /// In words, for the audit log.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub reason: String,
}

/// What an organisation is called from now on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationName {
    /// Name, as people write it.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub name: String,
}

/// An organisation that is to join.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganisation {
    /// Identifier, chosen for ever.
    pub id: OrganisationRef,
    /// Name, as people write it.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub name: String,
    /// What it is entitled to beyond what follows from a device's history. An authority is
    /// proposed first.
    #[serde(default)]
    #[schema(max_items = 3)]
    pub roles: Vec<OrganisationRole>,
}

/// What an organisation is entitled to beyond what follows from a device's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrganisationRole {
    /// may begin histories: chip and device makers
    Maker,
    /// may dispose of devices that it holds
    Recycler,
    /// may suspend, revoke and retire: market surveillance, courts
    Authority,
    /// the platform itself; cannot be given
    Platform,
}

/// A person, station or program that acts for an organisation with a client certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Organisation.
    pub organisation: OrganisationRef,
    /// Name.
    pub name: String,
    /// What it may do.
    pub roles: Vec<RoleName>,
    /// SHA-256 of its certificate.
    pub fingerprint: Digest,
    /// Since when.
    pub added: Timestamp,
    /// Until when it was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub removed: Option<Timestamp>,
    /// Its certificate and the CAs above it.
    pub chain: Vec<CertificatePem>,
}

/// A member to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Name of the person, station or program.
    #[schema(min_length = 1, max_length = 60, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub name: String,
    /// What it may do.
    #[schema(min_items = 1, max_items = 5)]
    pub roles: Vec<RoleName>,
    /// Certificate request, signed by the key that the member keeps.
    pub csr: CsrPem,
}

/// A key that signs life events for an organisation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventSigner {
    /// SHA-256 of the SubjectPublicKeyInfo; signed events name it.
    pub key: Digest,
    /// Algorithm.
    pub algorithm: String,
    /// SubjectPublicKeyInfo in DER.
    pub public_key: Base64,
    /// Its certificate, by which outsiders verify.
    pub certificate: CertificatePem,
    /// Since when.
    pub not_before: Timestamp,
    /// Until when events signed by it are taken.
    pub not_after: Timestamp,
    /// When it was retired, where it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retired: Option<Timestamp>,
}

/// A signing key to be registered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEventSigner {
    /// SubjectPublicKeyInfo in DER.
    #[schema(max_length = 8192)]
    pub public_key: Base64,
    /// COSE_Sign1 by that key over the organisation's identifier: the proof of its possession.
    #[schema(max_length = 16384)]
    pub proof: Base64,
}

/// A certification authority.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Authority {
    /// Its name in the URLs of its CRL and certificate.
    pub id: String,
    /// Whose it is.
    pub organisation: OrganisationRef,
    /// What it issues.
    pub issues: AuthorityKind,
    /// Common name.
    pub name: String,
    /// Its certificate, once the ceremony has answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<CertificatePem>,
    /// Certificate of its OCSP signer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ocsp_certificate: Option<CertificatePem>,
    /// When its key was made.
    pub created: Timestamp,
}

/// A certification authority to be made: its key is generated and sealed at the server, and the
/// request is taken to the ceremony where the root signs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAuthority {
    /// The product line that it is for, where it is for one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<ProductRef>,
    /// What it will issue.
    pub issues: AuthorityKind,
    /// Common name in its certificate.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub name: String,
    /// Algorithm of its key.
    pub algorithm: AlgorithmName,
    /// Years of validity; 0 for as long as the root.
    #[schema(minimum = 0, maximum = 50)]
    pub years: u16,
}

/// What a certification authority issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthorityKind {
    /// the platform's: members, signers, services
    Platform,
    /// a product line's: chip certificates and IDevIDs
    Device,
    /// an owner's: LDevIDs
    Owner,
}

/// A request to the root's ceremony.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuthorityRequest {
    /// Name of the authority.
    pub id: String,
    /// The request in its armoured form, as `tegata ca sign` reads it.
    pub request: String,
    /// What the people present should read before they agree.
    pub summary: String,
}

/// A certificate that comes back from the ceremony.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateUpload {
    /// The certificate.
    pub certificate: CertificatePem,
}

/// A product line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Product {
    /// Whose it is.
    pub organisation: OrganisationRef,
    /// Identifier.
    pub id: ProductRef,
    /// Name.
    pub name: String,
    /// Model, as printed on it.
    pub model: String,
    /// Kind of device.
    pub kind: KindName,
    /// What keeps the private keys of its devices.
    pub root_of_trust: RootOfTrustName,
    /// Until when it is supported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub support_end: Option<Timestamp>,
    /// Seconds for which an owner's certificates (LDevID) of its devices are valid; the platform's
    /// where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 2, maximum = 315_360_000)]
    pub ldevid_validity_s: Option<u32>,
}

/// A product line to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    /// Identifier, chosen for ever.
    pub id: ProductRef,
    /// Name.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub name: String,
    /// Model, as printed on it.
    #[schema(min_length = 1, max_length = 60, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub model: String,
    /// Kind of device.
    pub kind: KindName,
    /// What keeps the private keys of its devices.
    pub root_of_trust: RootOfTrustName,
    /// Until when it is supported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub support_end: Option<Timestamp>,
    /// Seconds for which an owner's certificates (LDevID) of its devices are valid; the platform's
    /// where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 2, maximum = 315_360_000)]
    pub ldevid_validity_s: Option<u32>,
}

/// A person whose traces in events are to be erased (PR-4).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonErasure {
    /// The actor, as events of the organisation name it.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub actor: String,
}
