//! Issuance in two steps around one signature: [`prepare`] writes and lints the TBSCertificate
//! (RFC 5280 section 4.1), [`Prepared::sign`] signs it. Between them the caller records the intent,
//! and [`Prepared::from_tbs`] takes it up again after a crash.

use crate::{
    AlternativeName, Certificate, CertificateError, HardwareModuleName, PolicyViolation, Profile,
    Request,
    issuer::has_key_identifier,
    lint::{self, Finding, Outline, Severity},
    oid,
    write::{Writer, tag},
};
use crypto::{KeyAlgorithm, KeyError, PublicKey, SignError, SignatureScheme, Signer, UnixTime};

pub use crate::issuer::{IssuerInfo, Locations};

/// Why nothing is issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// No such name of a profile.
    #[error(
        "no profile is called {0:?}; choose root, issuing-ca, chip, idevid, ldevid, service, organisation-signer, software-signer, operator or ocsp-signer"
    )]
    UnknownProfile(String),
    /// A field of the subject's name breaks its rule.
    #[error("subject: {field} {rule}")]
    Subject {
        /// which field
        field: &'static str,
        /// its rule
        rule: &'static str,
    },
    /// An alternative name or URL breaks its rule.
    #[error("{kind} {name:?} {rule}")]
    AlternativeName {
        /// which kind of name
        kind: &'static str,
        /// the name, at most 80 characters of it
        name: String,
        /// its rule
        rule: &'static str,
    },
    /// The request does not fit the profile.
    #[error("a certificate of profile {profile} {rule}")]
    Profile {
        /// which profile
        profile: Profile,
        /// what it needs or forbids
        rule: &'static str,
    },
    /// The validity is empty or cannot be written.
    #[error(
        "validity from {not_before} to {not_after} is not possible; it must begin before it ends, between 1950 and 9999"
    )]
    Validity {
        /// first second
        not_before: UnixTime,
        /// last second
        not_after: UnixTime,
    },
    /// The certificate would not nest within its issuer's.
    #[error(
        "validity from {not_before} to {not_after} is not within the issuer's, {issuer_from} to {issuer_to}; shorten it, or for a certificate without an end use an issuer without an end"
    )]
    OutlivesIssuer {
        /// first second
        not_before: UnixTime,
        /// last second
        not_after: UnixTime,
        /// issuer's first second
        issuer_from: UnixTime,
        /// issuer's last second
        issuer_to: UnixTime,
    },
    /// The issuer may not issue this.
    #[error("the issuer cannot issue this: {0}")]
    Issuer(&'static str),
    /// A rule of the key policy (KM-7).
    #[error(transparent)]
    Policy(#[from] PolicyViolation),
    /// A key is not accepted.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The linter found errors; nothing was signed.
    #[error("the certificate would break its rules and was not signed: {}", list(.0))]
    Lint(Vec<Finding>),
    /// The key at hand is not the one that the certificate names as its issuer's.
    #[error("the signing key is not the key of the issuer that the certificate names")]
    OtherSigner,
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What was signed is no certificate that anybody here reads: it is too large.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A TBSCertificate that passed the linter and waits for its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    tbs: Vec<u8>,
    outline: Outline,
    findings: Vec<Finding>,
}

/// Writes the TBSCertificate that `request` asks for by the rules of `profile`, and lints it.
///
/// # Errors
/// [`IssueError`] names the rule that the request breaks.
pub fn prepare(
    profile: Profile,
    issuer: &IssuerInfo,
    request: &Request,
) -> Result<Prepared, IssueError> {
    check_validity(issuer, request)?;
    check_profile(profile, issuer, request)?;
    issuer.key_policy().check(
        profile,
        request.public_key.algorithm(),
        request.not_before,
        request.not_after,
    )?;
    let subject = request.subject.to_der()?;
    if profile == Profile::Root
        && (subject != issuer.name_der() || request.public_key != *issuer.public_key())
    {
        return Err(IssueError::Issuer("a root's subject and key are its issuer's"));
    }
    for name in &request.alternative_names {
        name.check()?;
    }
    let tbs = write_tbs(profile, issuer, request, &subject);
    Prepared::checked(Some(profile), tbs, Some(&request.public_key))
}

impl Prepared {
    /// Takes up a TBSCertificate that was recorded before it was signed; lints it again, by RFC
    /// 5280 alone because nothing says its profile.
    ///
    /// # Errors
    /// [`IssueError::Lint`].
    pub fn from_tbs(tbs: Vec<u8>) -> Result<Self, IssueError> {
        Self::checked(None, tbs, None)
    }

    /// [`Self::from_tbs`] where the profile was recorded too: lints by its rules.
    ///
    /// # Errors
    /// [`IssueError::Lint`].
    pub fn from_tbs_as(profile: Profile, tbs: Vec<u8>) -> Result<Self, IssueError> {
        Self::checked(Some(profile), tbs, None)
    }

    fn checked(
        profile: Option<Profile>,
        tbs: Vec<u8>,
        key: Option<&PublicKey>,
    ) -> Result<Self, IssueError> {
        let (outline, findings) = lint::examine(&tbs, profile, key);
        match outline {
            Some(outline) if !findings.iter().any(|f| f.severity == Severity::Error) => {
                Ok(Self { tbs, outline, findings })
            }
            _ => Err(IssueError::Lint(findings)),
        }
    }

    /// The bytes to be signed, to be recorded before that.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The scheme by which they will be signed.
    pub fn scheme(&self) -> SignatureScheme {
        self.outline.scheme
    }

    /// What the linter remarked; no errors among it.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Signs.
    ///
    /// # Errors
    /// [`IssueError::OtherSigner`] where `signer` is not the issuer that the certificate names,
    /// [`IssueError::Sign`] where signing fails.
    pub fn sign(self, signer: &dyn Signer) -> Result<Certificate, IssueError> {
        let Self { tbs, outline, .. } = self;
        let key = signer.public_key();
        // Checked first: no key is used for what it should not sign (KM-1).
        let ours = match &outline.issuer_key_identifier {
            Some(id) => has_key_identifier(key, id),
            None => *key == outline.public_key,
        };
        if !ours {
            return Err(IssueError::OtherSigner);
        }
        let signature = signer.sign(outline.scheme, &tbs)?;
        // The linter has read what is in it; around it come the algorithm, which is the one inside,
        // and the signature.
        let lint::Outline { scheme, public_key, contents, .. } = outline;
        Ok(Certificate::assemble(&tbs, contents, public_key, scheme, &signature)?)
    }
}

/// First second of 1950: UTCTime cannot write earlier ones.
const YEAR_1950: UnixTime = UnixTime(-631_152_000);

fn check_validity(issuer: &IssuerInfo, request: &Request) -> Result<(), IssueError> {
    let (not_before, not_after) = (request.not_before, request.not_after);
    if not_before > not_after || not_before < YEAR_1950 || not_after > UnixTime::NEVER {
        return Err(IssueError::Validity { not_before, not_after });
    }
    let (issuer_from, issuer_to) = (issuer.not_before(), issuer.not_after());
    if not_before < issuer_from || not_after > issuer_to {
        return Err(IssueError::OutlivesIssuer { not_before, not_after, issuer_from, issuer_to });
    }
    Ok(())
}

fn check_profile(
    profile: Profile,
    issuer: &IssuerInfo,
    request: &Request,
) -> Result<(), IssueError> {
    let refuse = |rule| Err(IssueError::Profile { profile, rule });
    if issuer.is_self_signed() != (profile == Profile::Root) {
        return Err(IssueError::Issuer("roots, and nothing else, are their own issuers"));
    }
    match (profile, issuer.path_length()) {
        (Profile::IssuingCa, Some(0)) => {
            return Err(IssueError::Issuer("its pathLenConstraint allows no CA below it"));
        }
        (Profile::IssuingCa, Some(limit))
            if u32::from(request.path_length.unwrap_or(0)) >= limit =>
        {
            return Err(IssueError::Issuer("its pathLenConstraint allows no path as long"));
        }
        _ => {}
    }
    if request.path_length.is_some() && !profile.is_ca() {
        return refuse("has no path length: it is not a CA");
    }
    let has_serial = !request.subject.serial_number.is_empty();
    let module = request.hardware_module.as_ref();
    match profile {
        Profile::Idevid if !has_serial => {
            return refuse("needs a serialNumber in its subject (IEEE 802.1AR section 8.6)");
        }
        Profile::Idevid if module.is_none() => {
            return refuse("needs a hardware module name (IEEE 802.1AR section 8.10.4)");
        }
        Profile::Chip if !has_serial => return refuse("needs a serialNumber in its subject"),
        Profile::Chip | Profile::Idevid | Profile::Ldevid => {}
        _ if module.is_some() => return refuse("has no hardware module name"),
        Profile::MessageRecipient if request.public_key.algorithm() != KeyAlgorithm::EcdsaP256 => {
            return refuse("has a key on P-256");
        }
        _ => {}
    }
    if request.mud.is_some() && profile != Profile::Idevid {
        return refuse("has no MUD URL: that is the maker's to say (RFC 8520 section 11)");
    }
    if module.is_some_and(|name| name.hw_serial_num.is_empty() || name.hw_serial_num.len() > 64) {
        return refuse("has a hardware module's serial number of 1 to 64 bytes");
    }
    let named = request
        .alternative_names
        .iter()
        .any(|name| matches!(name, AlternativeName::Dns(_) | AlternativeName::Ip(_)));
    match profile {
        Profile::Service if !named => refuse("needs a DNS name or an IP address (RFC 9525)"),
        Profile::Root
        | Profile::IssuingCa
        | Profile::OcspSigner
        | Profile::SoftwareSigner
        | Profile::MessageRecipient
            if !request.alternative_names.is_empty() =>
        {
            refuse("has no alternative names")
        }
        _ if request.alternative_names.len() > 100 => refuse("has at most 100 alternative names"),
        _ => Ok(()),
    }
}

fn write_tbs(profile: Profile, issuer: &IssuerInfo, request: &Request, subject: &[u8]) -> Vec<u8> {
    let key = &request.public_key;
    let mut writer = Writer::with_capacity(1024 + key.spki().len());
    writer.sequence(|w| {
        w.raw(b"\xa0\x03\x02\x01\x02"); // version 3
        w.unsigned(request.serial.as_bytes());
        w.raw(issuer.scheme().algorithm_identifier());
        w.raw(issuer.name_der());
        w.sequence(|w| {
            w.time(request.not_before);
            w.time(request.not_after);
        });
        w.raw(subject);
        w.raw(key.spki());
        w.nested(tag::constructed(3), |w| {
            w.sequence(|w| write_extensions(profile, issuer, request, w));
        });
    });
    writer.finish()
}

fn write_extensions(profile: Profile, issuer: &IssuerInfo, request: &Request, w: &mut Writer) {
    // In roots too: RFC 5280 allows to leave it out there, but nobody minds one rule for all.
    w.raw(issuer.authority_key_identifier());
    w.extension(&oid::SUBJECT_KEY_IDENTIFIER, false, |w| {
        w.octet_string(&request.public_key.key_identifier());
    });
    w.extension(&oid::KEY_USAGE, true, |w| w.named_bits(profile.key_usage().0));
    if profile.is_ca() {
        let path_length = match profile {
            Profile::IssuingCa => Some(request.path_length.unwrap_or(0)),
            _ => request.path_length,
        };
        w.extension(&oid::BASIC_CONSTRAINTS, true, |w| {
            w.sequence(|w| {
                w.yes();
                if let Some(length) = path_length {
                    w.number(u64::from(length));
                }
            });
        });
    }
    if !request.policies.is_empty() {
        w.extension(&oid::CERTIFICATE_POLICIES, false, |w| {
            w.sequence(|w| {
                for policy in &request.policies {
                    w.sequence(|w| w.oid(policy));
                }
            });
        });
    }
    let usages = profile.extended_key_usage();
    if !usages.is_empty() {
        w.extension(&oid::EXT_KEY_USAGE, false, |w| {
            w.sequence(|w| usages.iter().for_each(|usage| w.oid(usage)));
        });
    }
    write_alternative_names(request, w);
    if let Some(mud) = &request.mud {
        mud.write(w);
    }
    match profile {
        Profile::Root => {}
        Profile::OcspSigner => {
            w.extension(&oid::OCSP_NOCHECK, false, |w| w.tlv(tag::NULL, &[]));
        }
        _ => {
            issuer.write_crl_distribution_point(&request.serial, w);
            w.raw(issuer.authority_info_access());
        }
    }
}

fn write_alternative_names(request: &Request, w: &mut Writer) {
    if !request.alternative_names.is_empty() || request.hardware_module.is_some() {
        w.extension(&oid::SUBJECT_ALT_NAME, false, |w| {
            write_general_names(w, request.hardware_module.as_ref(), &request.alternative_names);
        });
    }
}

/// `GeneralNames` (RFC 5280 section 4.2.1.6), a hardware module's name among them as otherName
/// (RFC 4108 section 5).
pub(crate) fn write_general_names(
    w: &mut Writer,
    module: Option<&HardwareModuleName>,
    names: &[AlternativeName],
) {
    w.sequence(|w| {
        if let Some(module) = module {
            w.nested(tag::constructed(0), |w| {
                w.oid(&oid::ON_HARDWARE_MODULE_NAME);
                w.nested(tag::constructed(0), |w| {
                    w.sequence(|w| {
                        w.oid(&module.hw_type);
                        w.octet_string(&module.hw_serial_num);
                    });
                });
            });
        }
        names.iter().for_each(|name| name.write(w));
    });
}
