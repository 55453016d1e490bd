use crate::{
    CertificateError, Name,
    error::In as _,
    oid,
    strict::{self, DerError, Reader, Result, only, tag},
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
    pub fn from_der(der: &[u8]) -> std::result::Result<Self, CertificateError> {
        const FIELD: &str = "extensions";
        let mut list = Reader::new(only(der, tag::SEQUENCE).in_field(FIELD)?.value);
        if list.is_empty() {
            return Err(DerError("is an empty SEQUENCE")).in_field(FIELD);
        }
        let mut out = Self::default();
        while !list.is_empty() {
            let extension = one(&mut list).in_field(FIELD)?;
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

    fn understand(&mut self, extension: &Extension) -> std::result::Result<(), CertificateError> {
        let value = &extension.value;
        match extension.oid {
            oid::BASIC_CONSTRAINTS => {
                self.basic_constraints =
                    Some(basic_constraints(value).in_field("basicConstraints")?);
            }
            oid::KEY_USAGE => self.key_usage = Some(key_usage(value).in_field("keyUsage")?),
            oid::EXT_KEY_USAGE => {
                self.extended_key_usage = Some(oids(value).in_field("extKeyUsage")?);
            }
            oid::SUBJECT_ALT_NAME => {
                self.subject_alt_names =
                    Some(general_names(value, Use::Name).in_field("subjectAltName")?);
            }
            oid::ISSUER_ALT_NAME => {
                general_names(value, Use::Name).in_field("issuerAltName")?;
            }
            oid::SUBJECT_KEY_IDENTIFIER => {
                let tlv = only(value, tag::OCTET_STRING).in_field("subjectKeyIdentifier")?;
                self.subject_key_identifier = Some(tlv.value.to_vec());
            }
            oid::AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key_identifier =
                    Some(authority_key_identifier(value).in_field("authorityKeyIdentifier")?);
            }
            oid::CRL_DISTRIBUTION_POINTS => {
                self.crl_distribution_points =
                    distribution_points(value).in_field("cRLDistributionPoints")?;
            }
            oid::AUTHORITY_INFO_ACCESS => {
                self.authority_info_access =
                    access_descriptions(value).in_field("authorityInfoAccess")?;
            }
            oid::SUBJECT_INFO_ACCESS => {
                access_descriptions(value).in_field("subjectInfoAccess")?;
            }
            oid::CERTIFICATE_POLICIES => {
                self.certificate_policies = Some(policies(value).in_field("certificatePolicies")?);
            }
            oid::POLICY_MAPPINGS => {
                self.policy_mappings = mappings(value).in_field("policyMappings")?;
            }
            oid::POLICY_CONSTRAINTS => {
                self.policy_constraints =
                    Some(policy_constraints(value).in_field("policyConstraints")?);
            }
            oid::INHIBIT_ANY_POLICY => {
                let skip = only(value, tag::INTEGER).and_then(|tlv| strict::small(tlv.value));
                self.inhibit_any_policy = Some(skip.in_field("inhibitAnyPolicy")?);
            }
            oid::NAME_CONSTRAINTS => {
                self.name_constraints = Some(name_constraints(value).in_field("nameConstraints")?);
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

fn one(list: &mut Reader<'_>) -> Result<Extension> {
    let mut entry = list.sequence()?;
    let oid = entry.oid()?;
    let critical = entry.default_false()?;
    let value = entry.expect(tag::OCTET_STRING)?.value.to_vec();
    entry.finish()?;
    Ok(Extension { oid, critical, value })
}

/// Contents of a SEQUENCE (SIZE 1..MAX) that is all of `value`.
fn entries(value: &[u8]) -> Result<Reader<'_>> {
    let entries = Reader::new(only(value, tag::SEQUENCE)?.value);
    if entries.is_empty() { Err(DerError("is an empty SEQUENCE")) } else { Ok(entries) }
}

fn basic_constraints(value: &[u8]) -> Result<BasicConstraints> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let ca = fields.default_false()?;
    let path_len = match fields.optional(tag::INTEGER)? {
        Some(tlv) => Some(strict::small(tlv.value)?),
        None => None,
    };
    fields.finish()?;
    if path_len.is_some() && !ca {
        return Err(DerError("limits the path of a subject that is not a CA"));
    }
    Ok(BasicConstraints { ca, path_len })
}

fn key_usage(value: &[u8]) -> Result<KeyUsage> {
    named_bits(only(value, tag::BIT_STRING)?.value).map(KeyUsage)
}

/// A BIT STRING of named bits in DER: without trailing zeros (X.690 section 11.2.2), not empty.
fn named_bits(contents: &[u8]) -> Result<u16> {
    const FORM: DerError = DerError("has bits that are not in DER");
    let (unused, bytes) = match contents {
        [0] | [_, 0] => return Err(DerError("allows nothing")),
        [unused @ 0..=7, bytes @ ..] if (1..=2).contains(&bytes.len()) => (*unused, bytes),
        _ => return Err(FORM),
    };
    let last = bytes.last().copied().unwrap_or(0);
    if last.trailing_zeros() != u32::from(unused) {
        return Err(FORM);
    }
    let mut bits = 0;
    for (byte, shift) in bytes.iter().zip([0, 8]) {
        bits |= u16::from(byte.reverse_bits()) << shift;
    }
    if bits >> 9 != 0 { Err(DerError("has bits that nobody defined")) } else { Ok(bits) }
}

fn oids(value: &[u8]) -> Result<Vec<ObjectIdentifier>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        out.push(list.oid()?);
    }
    Ok(out)
}

/// Where a general name stands: its form differs in name constraints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Name,
    Constraint,
}

fn general_names(value: &[u8], place: Use) -> Result<Vec<GeneralName>> {
    list_of_names(entries(value)?, place)
}

fn list_of_names(mut list: Reader<'_>, place: Use) -> Result<Vec<GeneralName>> {
    if list.is_empty() {
        return Err(DerError("is an empty SEQUENCE"));
    }
    let mut out = Vec::new();
    while !list.is_empty() {
        out.push(general_name(&mut list, place)?);
    }
    Ok(out)
}

fn general_name(reader: &mut Reader<'_>, place: Use) -> Result<GeneralName> {
    const OTHER: u8 = tag::constructed(0);
    const EMAIL: u8 = tag::context(1);
    const DNS: u8 = tag::context(2);
    const X400: u8 = tag::constructed(3);
    const DIRECTORY: u8 = tag::constructed(4);
    const EDI_PARTY: u8 = tag::constructed(5);
    const URI: u8 = tag::context(6);
    const IP: u8 = tag::context(7);
    const REGISTERED_ID: u8 = tag::context(8);
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(DerError("has a name that is not ASCII")),
    };
    let tlv = reader.any()?;
    Ok(match tlv.tag {
        OTHER => {
            let mut other = Reader::new(tlv.value);
            let type_id = other.oid()?;
            let value = other.expect(tag::constructed(0))?.value;
            other.finish()?;
            let mut inner = Reader::new(value);
            inner.any()?;
            inner.finish()?;
            GeneralName::Other { type_id, value: value.to_vec() }
        }
        EMAIL => GeneralName::Email(text(tlv.value)?),
        DNS => GeneralName::Dns(text(tlv.value)?),
        DIRECTORY => GeneralName::Directory(Name::parse(tlv.value)?.der().to_vec()),
        URI => GeneralName::Uri(text(tlv.value)?),
        IP => match (place, tlv.value.len()) {
            (Use::Name, 4 | 16) => GeneralName::Ip(tlv.value.to_vec()),
            (Use::Constraint, 8 | 32) if is_network(tlv.value) => {
                GeneralName::Ip(tlv.value.to_vec())
            }
            _ => return Err(DerError("has a malformed IP address")),
        },
        REGISTERED_ID => GeneralName::RegisteredId(strict::oid(tlv.value)?),
        X400 | EDI_PARTY => GeneralName::Unsupported(tlv.tag & 0x1f),
        _ => return Err(DerError("has a name of a kind that does not exist")),
    })
}

/// Whether the second half is a contiguous mask (RFC 4632).
fn is_network(bytes: &[u8]) -> bool {
    let (_, mask) = bytes.split_at(bytes.len() / 2);
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let leading: u32 = {
        let full = mask.iter().take_while(|byte| **byte == 0xff).count();
        let next = mask.get(full).map_or(0, |byte| byte.leading_ones());
        u32::try_from(full).unwrap_or(0) * 8 + next
    };
    ones == leading && mask.iter().map(|byte| byte.count_ones()).sum::<u32>() == leading
}

fn authority_key_identifier(value: &[u8]) -> Result<AuthorityKeyIdentifier> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let key_identifier = fields.optional(tag::context(0))?.map(|tlv| tlv.value.to_vec());
    let issuer = match fields.optional(tag::constructed(1))? {
        Some(tlv) => Some(list_of_names(Reader::new(tlv.value), Use::Name)?),
        None => None,
    };
    let serial = match fields.optional(tag::context(2))? {
        Some(tlv) => Some(strict::integer(tlv.value)?.to_vec()),
        None => None,
    };
    fields.finish()?;
    Ok(AuthorityKeyIdentifier { key_identifier, issuer, serial })
}

fn distribution_points(value: &[u8]) -> Result<Vec<GeneralName>> {
    let mut points = entries(value)?;
    let mut out = Vec::new();
    while !points.is_empty() {
        let mut point = points.sequence()?;
        let name = point.optional(tag::constructed(0))?;
        if let Some(name) = name {
            let mut choice = Reader::new(name.value);
            match choice.any()? {
                full if full.tag == tag::constructed(0) => {
                    out.extend(list_of_names(Reader::new(full.value), Use::Name)?);
                }
                relative if relative.tag == tag::constructed(1) => {}
                _ => return Err(DerError("has a name of a kind that does not exist")),
            }
            choice.finish()?;
        }
        if let Some(reasons) = point.optional(tag::context(1))? {
            named_bits(reasons.value)?;
        }
        let issuer = point.optional(tag::constructed(2))?;
        if let Some(issuer) = issuer {
            list_of_names(Reader::new(issuer.value), Use::Name)?;
        }
        point.finish()?;
        // RFC 5280 section 4.2.1.13: a point must not consist of reasons only.
        if name.is_none() && issuer.is_none() {
            return Err(DerError("has a point without a name"));
        }
    }
    Ok(out)
}

fn access_descriptions(value: &[u8]) -> Result<Vec<AccessDescription>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence()?;
        let method = entry.oid()?;
        let location = general_name(&mut entry, Use::Name)?;
        entry.finish()?;
        out.push(AccessDescription { method, location });
    }
    Ok(out)
}

fn policies(value: &[u8]) -> Result<Vec<ObjectIdentifier>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence()?;
        let policy = entry.oid()?;
        if let Some(qualifiers) = entry.optional(tag::SEQUENCE)? {
            let mut qualifiers = entries(qualifiers.whole)?;
            while !qualifiers.is_empty() {
                let mut qualifier = qualifiers.sequence()?;
                qualifier.oid()?;
                qualifier.any()?;
                qualifier.finish()?;
            }
        }
        entry.finish()?;
        // RFC 5280 section 4.2.1.4
        if out.contains(&policy) {
            return Err(DerError("names the same policy twice"));
        }
        if out.len() >= POLICIES_MAX {
            return Err(DerError("has more than 64 policies"));
        }
        out.push(policy);
    }
    Ok(out)
}

/// Most policies or mappings of one certificate.
const POLICIES_MAX: usize = 64;

fn mappings(value: &[u8]) -> Result<Vec<(ObjectIdentifier, ObjectIdentifier)>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence()?;
        let pair = (entry.oid()?, entry.oid()?);
        entry.finish()?;
        // RFC 5280 section 4.2.1.5
        if pair.0 == oid::ANY_POLICY || pair.1 == oid::ANY_POLICY {
            return Err(DerError("maps anyPolicy"));
        }
        if out.len() >= POLICIES_MAX {
            return Err(DerError("has more than 64 mappings"));
        }
        out.push(pair);
    }
    Ok(out)
}

fn policy_constraints(value: &[u8]) -> Result<PolicyConstraints> {
    let mut fields = entries(value)?;
    let mut skip = |number| match fields.optional(tag::context(number))? {
        Some(tlv) => strict::small(tlv.value).map(Some),
        None => Ok(None),
    };
    let out = PolicyConstraints { require_explicit: skip(0)?, inhibit_mapping: skip(1)? };
    fields.finish()?;
    Ok(out)
}

fn name_constraints(value: &[u8]) -> Result<NameConstraints> {
    let mut fields = entries(value)?;
    let mut subtrees = |number| match fields.optional(tag::constructed(number))? {
        Some(tlv) => general_subtrees(Reader::new(tlv.value)),
        None => Ok(Vec::new()),
    };
    let out = NameConstraints { permitted: subtrees(0)?, excluded: subtrees(1)? };
    fields.finish()?;
    Ok(out)
}

fn general_subtrees(mut list: Reader<'_>) -> Result<Vec<GeneralName>> {
    if list.is_empty() {
        return Err(DerError("is an empty SEQUENCE"));
    }
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut subtree = list.sequence()?;
        out.push(general_name(&mut subtree, Use::Constraint)?);
        // RFC 5280 section 4.2.1.10: minimum is 0 (and so not written), maximum is absent.
        if !subtree.is_empty() {
            return Err(DerError("has a minimum or maximum"));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_usage_is_read_and_shown() {
        let usage = key_usage(b"\x03\x02\x01\x06").unwrap();
        assert_eq!(usage, KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN));
        assert_eq!(usage.to_string(), "keyCertSign, cRLSign");
        assert_eq!(key_usage(b"\x03\x03\x07\x00\x80").unwrap().to_string(), "decipherOnly");
        for bad in [
            &b"\x03\x02\x00\x06"[..],    // trailing zero counted as used
            b"\x03\x02\x02\x06",         // bit lost
            b"\x03\x01\x00",             // nothing
            b"\x03\x02\x00\x00",         // nothing, written out
            b"\x03\x04\x00\x01\x01\x01", // too long
            b"\x03\x03\x06\x00\x40",     // bit 9
            b"\x03\x00",
        ] {
            assert!(key_usage(bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn basic_constraints_are_strict() {
        let check = |value: &[u8], ca, path_len| {
            assert_eq!(basic_constraints(value), Ok(BasicConstraints { ca, path_len }));
        };
        check(b"\x30\x00", false, None);
        check(b"\x30\x03\x01\x01\xff", true, None);
        check(b"\x30\x06\x01\x01\xff\x02\x01\x03", true, Some(3));
        for bad in [
            &b"\x30\x03\x01\x01\x00"[..],
            b"\x30\x03\x02\x01\x03",
            b"\x30\x06\x01\x01\xff\x02\x01\xff",
            b"\x30\x00\x00",
        ] {
            assert!(basic_constraints(bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn masks_are_contiguous() {
        assert!(is_network(&[192, 0, 2, 0, 255, 255, 255, 0]));
        assert!(is_network(&[0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(is_network(&[10, 0, 0, 0, 255, 240, 0, 0]));
        assert!(!is_network(&[10, 0, 0, 0, 255, 0, 255, 0]));
        assert!(!is_network(&[10, 0, 0, 0, 0, 255, 0, 0]));
        assert!(!is_network(&[10, 0, 0, 0, 0b1010_0000, 0, 0, 0]));
    }
}
