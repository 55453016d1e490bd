mod parse;

use crate::{
    CertificateError, Name,
    error::In as _,
    oid,
    strict::{self, DerError, Reader, only, tag},
};
use const_oid::ObjectIdentifier;
use std::{fmt, net::IpAddr};

/// An extension as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// type
    pub oid: ObjectIdentifier,
    /// whether who does not know it must refuse the certificate
    pub critical: bool,
    /// contents of extnValue
    pub value: Vec<u8>,
}

/// basicConstraints (RFC 5280 section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BasicConstraints {
    /// whether the subject may sign certificates
    pub ca: bool,
    /// how many issuing CAs may follow below this one
    pub path_len: Option<u32>,
}

/// keyUsage (RFC 5280 section 4.2.1.3): bit n is the standard's bit n.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// digitalSignature
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// nonRepudiation, also called contentCommitment
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    /// keyEncipherment
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// dataEncipherment
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// keyAgreement
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// keyCertSign
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// cRLSign
    pub const CRL_SIGN: Self = Self(1 << 6);

    const NAMES: [&'static str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];

    /// Whether every usage in `other` is allowed.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = (0..)
            .zip(Self::NAMES)
            .filter(|(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, n)| n)
            .collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyUsage({self})")
    }
}

/// A name of any kind (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneralName {
    /// otherName: type and value, the value in DER
    Other {
        /// what kind of name
        type_id: ObjectIdentifier,
        /// the value in DER
        value: Vec<u8>,
    },
    /// rfc822Name
    Email(String),
    /// dNSName
    Dns(String),
    /// directoryName in DER, see [`GeneralName::directory`]
    Directory(Vec<u8>),
    /// uniformResourceIdentifier
    Uri(String),
    /// iPAddress: 4 or 16 bytes, in name constraints followed by as many of mask
    Ip(Vec<u8>),
    /// registeredID
    RegisteredId(ObjectIdentifier),
    /// x400Address or ediPartyName, which nobody uses: its tag number
    Unsupported(u8),
}

impl GeneralName {
    /// The distinguished name, where it is one.
    pub fn directory(&self) -> Option<Name<'_>> {
        match self {
            Self::Directory(der) => Name::parse(der).ok(),
            _ => None,
        }
    }

    /// The address, where it is one without mask.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(bytes) => <[u8; 4]>::try_from(bytes.as_slice())
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
                .ok(),
            _ => None,
        }
    }
}

/// authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityKeyIdentifier {
    /// subjectKeyIdentifier of the issuer
    pub key_identifier: Option<Vec<u8>>,
    /// names of the issuer's issuer
    pub issuer: Option<Vec<GeneralName>>,
    /// contents octets of the issuer's serial number
    pub serial: Option<Vec<u8>>,
}

/// One entry of authorityInfoAccess or subjectInfoAccess (RFC 5280 section 4.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDescription {
    /// [`oid::AD_OCSP`], [`oid::AD_CA_ISSUERS`], …
    pub method: ObjectIdentifier,
    /// where
    pub location: GeneralName,
}

/// nameConstraints (RFC 5280 section 4.2.1.10); minimum and maximum do not occur.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    /// names of these kinds must lie in one of these
    pub permitted: Vec<GeneralName>,
    /// no name may lie in any of these
    pub excluded: Vec<GeneralName>,
}

/// policyConstraints (RFC 5280 section 4.2.1.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyConstraints {
    /// certificates to skip before a policy is required
    pub require_explicit: Option<u32>,
    /// certificates to skip before mapping is forbidden
    pub inhibit_mapping: Option<u32>,
}

/// The extensions of a certificate or request: those that Tegata knows typed, all as received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    all: Vec<Extension>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<Vec<ObjectIdentifier>>,
    subject_alt_names: Option<Vec<GeneralName>>,
    subject_key_identifier: Option<Vec<u8>>,
    authority_key_identifier: Option<AuthorityKeyIdentifier>,
    crl_distribution_points: Vec<GeneralName>,
    authority_info_access: Vec<AccessDescription>,
    certificate_policies: Option<Vec<ObjectIdentifier>>,
    policy_mappings: Vec<(ObjectIdentifier, ObjectIdentifier)>,
    policy_constraints: Option<PolicyConstraints>,
    inhibit_any_policy: Option<u32>,
    name_constraints: Option<NameConstraints>,
}

impl Extensions {
    /// Every extension in order, as received.
    pub fn all(&self) -> &[Extension] {
        &self.all
    }

    /// The extension of type `oid`, as received.
    pub fn find(&self, oid: &ObjectIdentifier) -> Option<&Extension> {
        self.all.iter().find(|extension| extension.oid == *oid)
    }

    /// Whether the extension of type `oid` is there and critical.
    pub fn is_critical(&self, oid: &ObjectIdentifier) -> bool {
        self.find(oid).is_some_and(|extension| extension.critical)
    }

    /// basicConstraints
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.basic_constraints
    }

    /// keyUsage
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// extKeyUsage, where present; never an empty list
    pub fn extended_key_usage(&self) -> Option<&[ObjectIdentifier]> {
        self.extended_key_usage.as_deref()
    }

    /// subjectAltName; empty where absent
    pub fn subject_alt_names(&self) -> &[GeneralName] {
        self.subject_alt_names.as_deref().unwrap_or_default()
    }

    /// subjectKeyIdentifier
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.subject_key_identifier.as_deref()
    }

    /// authorityKeyIdentifier
    pub fn authority_key_identifier(&self) -> Option<&AuthorityKeyIdentifier> {
        self.authority_key_identifier.as_ref()
    }

    /// Every fullName of cRLDistributionPoints
    pub fn crl_distribution_points(&self) -> &[GeneralName] {
        &self.crl_distribution_points
    }

    /// authorityInfoAccess
    pub fn authority_info_access(&self) -> &[AccessDescription] {
        &self.authority_info_access
    }

    /// certificatePolicies: identifiers only, without qualifiers
    pub fn certificate_policies(&self) -> Option<&[ObjectIdentifier]> {
        self.certificate_policies.as_deref()
    }

    /// policyMappings: (issuer's, subject's)
    pub fn policy_mappings(&self) -> &[(ObjectIdentifier, ObjectIdentifier)] {
        &self.policy_mappings
    }

    /// policyConstraints
    pub fn policy_constraints(&self) -> Option<PolicyConstraints> {
        self.policy_constraints
    }

    /// inhibitAnyPolicy: certificates to skip
    pub fn inhibit_any_policy(&self) -> Option<u32> {
        self.inhibit_any_policy
    }

    /// nameConstraints
    pub fn name_constraints(&self) -> Option<&NameConstraints> {
        self.name_constraints.as_ref()
    }

    /// Types of critical extensions that are not among those this crate understands.
    pub fn unknown_critical(&self) -> impl Iterator<Item = ObjectIdentifier> + '_ {
        self.all.iter().filter(|e| e.critical && !UNDERSTOOD.contains(&e.oid)).map(|e| e.oid)
    }

    /// Reads a `SEQUENCE OF Extension` in DER, header included. Each type may occur once.
    ///
    /// # Errors
    /// [`CertificateError`] names the extension and what is wrong with it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        const FIELD: &str = "extensions";
        let mut list = Reader::new(only(der, tag::SEQUENCE).in_field(FIELD)?.value);
        if list.is_empty() {
            return Err(DerError("is an empty SEQUENCE")).in_field(FIELD);
        }
        let mut out = Self::default();
        while !list.is_empty() {
            let extension = parse::one(&mut list).in_field(FIELD)?;
            if out.find(&extension.oid).is_some() {
                return Err(CertificateError::DuplicateExtension(extension.oid));
            }
            out.understand(&extension)?;
            out.all.push(extension);
            if out.all.len() > EXTENSIONS_MAX {
                return Err(DerError("has more than 64 entries")).in_field(FIELD);
            }
        }
        Ok(out)
    }

    fn understand(&mut self, extension: &Extension) -> Result<(), CertificateError> {
        let value = &extension.value;
        match extension.oid {
            oid::BASIC_CONSTRAINTS => {
                self.basic_constraints =
                    Some(parse::basic_constraints(value).in_field("basicConstraints")?);
            }
            oid::KEY_USAGE => self.key_usage = Some(parse::key_usage(value).in_field("keyUsage")?),
            oid::EXT_KEY_USAGE => {
                self.extended_key_usage = Some(parse::oids(value).in_field("extKeyUsage")?);
            }
            oid::SUBJECT_ALT_NAME => {
                self.subject_alt_names =
                    Some(parse::general_names(value, parse::Use::Name).in_field("subjectAltName")?);
            }
            oid::ISSUER_ALT_NAME => {
                parse::general_names(value, parse::Use::Name).in_field("issuerAltName")?;
            }
            oid::SUBJECT_KEY_IDENTIFIER => {
                let tlv = only(value, tag::OCTET_STRING).in_field("subjectKeyIdentifier")?;
                self.subject_key_identifier = Some(tlv.value.to_vec());
            }
            oid::AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key_identifier = Some(
                    parse::authority_key_identifier(value).in_field("authorityKeyIdentifier")?,
                );
            }
            oid::CRL_DISTRIBUTION_POINTS => {
                self.crl_distribution_points =
                    parse::distribution_points(value).in_field("cRLDistributionPoints")?;
            }
            oid::AUTHORITY_INFO_ACCESS => {
                self.authority_info_access =
                    parse::access_descriptions(value).in_field("authorityInfoAccess")?;
            }
            oid::SUBJECT_INFO_ACCESS => {
                parse::access_descriptions(value).in_field("subjectInfoAccess")?;
            }
            oid::CERTIFICATE_POLICIES => {
                self.certificate_policies =
                    Some(parse::policies(value).in_field("certificatePolicies")?);
            }
            oid::POLICY_MAPPINGS => {
                self.policy_mappings = parse::mappings(value).in_field("policyMappings")?;
            }
            oid::POLICY_CONSTRAINTS => {
                self.policy_constraints =
                    Some(parse::policy_constraints(value).in_field("policyConstraints")?);
            }
            oid::INHIBIT_ANY_POLICY => {
                let skip = only(value, tag::INTEGER).and_then(|tlv| strict::small(tlv.value));
                self.inhibit_any_policy = Some(skip.in_field("inhibitAnyPolicy")?);
            }
            oid::NAME_CONSTRAINTS => {
                self.name_constraints =
                    Some(parse::name_constraints(value).in_field("nameConstraints")?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Most extensions that a certificate may have.
const EXTENSIONS_MAX: usize = 64;

/// Extensions that path validation processes (RFC 5280 section 4.2), so that they may be critical.
const UNDERSTOOD: [ObjectIdentifier; 12] = [
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXT_KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::NAME_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::POLICY_MAPPINGS,
    oid::POLICY_CONSTRAINTS,
    oid::INHIBIT_ANY_POLICY,
    // Revocation is checked by the callers' sets and CRLs.
    oid::CRL_DISTRIBUTION_POINTS,
];
