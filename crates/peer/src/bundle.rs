//! The bundle: the platform's signed statement, the contents that it commits to, and the certificates of
//! who signed.

use crate::{Contents, Statement};
use crypto::{Verified, cose::CoseError, sha256};
use device::{DeviceId, OrganisationId, ProductId, file::PASSPORT_SIGNER_COMMON_NAME};
use minicbor::{Decode, Encode, bytes::ByteVec};
use permission::Policies;
use pki::{
    Certificate, KP_DOCUMENT_SIGNING, KeyUsage,
    validate::{Anchors, Options, Purpose, validate},
};
use std::collections::HashMap;

/// Largest bundle, in bytes: contents, statement and certificates.
pub const BUNDLE_BYTES_MAX: usize = crate::CONTENTS_BYTES_MAX + 128 * 1024;
/// Its media type.
pub const MEDIA_TYPE: &str = "application/vnd.tegata.trust-bundle+cbor";
const MAGIC: &str = "tegata trust bundle";
/// Certificates of who signed: its own, and those above it.
const CERTIFICATES_MAX: usize = 8;

/// Why a bundle is none, or is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// it cannot be read
    #[error("not a trust bundle: {0}")]
    Malformed(&'static str),
    /// more than it may hold
    #[error("a trust bundle has at most {1} {0}")]
    TooLarge(&'static str, usize),
    /// a certificate in it is none
    #[error("not a trust bundle: certificate of an authority: {0}")]
    Authority(String),
    /// its statement's envelope is damaged, or its signature does not hold
    #[error("trust bundle, statement: {0}")]
    Cose(#[from] CoseError),
    /// who signed is not the platform, as far as the trusted roots say
    #[error("trust bundle: who signed it is not trusted: {0}")]
    Signer(String),
    /// its contents are not those that were signed
    #[error("trust bundle: its contents are not those that were signed")]
    Contents,
    /// its policies cannot be read
    #[error("trust bundle: its policies cannot be read: {0}")]
    Policies(String),
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    magic: String,
    #[n(1)]
    statement: ByteVec,
    #[n(2)]
    contents: ByteVec,
    #[n(3)]
    certificates: Vec<ByteVec>,
}

/// Puts a bundle together: the statement as it was signed, the contents that it commits to, and the
/// certificates of who signed, its own first, without the root.
///
/// # Errors
/// [`BundleError`], where it could not be read again.
pub fn assemble(
    statement: &[u8],
    contents: &[u8],
    certificates: &[Certificate],
) -> Result<Vec<u8>, BundleError> {
    let wire = Wire {
        magic: MAGIC.to_owned(),
        statement: statement.to_vec().into(),
        contents: contents.to_vec().into(),
        certificates: certificates.iter().map(|one| one.der().to_vec().into()).collect(),
    };
    let bytes = minicbor::to_vec(wire).unwrap_or_default();
    let parts = Parts::parse(&bytes)?;
    let (claimed, _) = Statement::claimed(&parts.statement)?;
    if sha256(&parts.contents) != claimed.contents {
        return Err(BundleError::Contents);
    }
    Ok(bytes)
}

struct Parts {
    statement: ByteVec,
    contents: ByteVec,
    certificates: Vec<Certificate>,
}

impl Parts {
    fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let wrong = BundleError::Malformed;
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge("bytes", BUNDLE_BYTES_MAX));
        }
        let wire: Wire = minicbor::decode(bytes).map_err(|_| wrong("it has another form"))?;
        if wire.magic != MAGIC {
            return Err(wrong("it does not begin as one"));
        }
        if minicbor::to_vec(&wire).ok().as_deref() != Some(bytes) {
            return Err(wrong("its encoding is not deterministic"));
        }
        if wire.certificates.is_empty() || wire.certificates.len() > CERTIFICATES_MAX {
            return Err(wrong("it has no or more than 8 certificates of who signed"));
        }
        let read = |der: &ByteVec| {
            Certificate::from_der(der).map_err(|error| BundleError::Signer(error.to_string()))
        };
        let certificates = wire.certificates.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { statement: wire.statement, contents: wire.contents, certificates })
    }
}

/// A bundle: what a device decides by.
pub struct TrustBundle {
    statement: Statement,
    contents: Contents,
    /// the authorities, as path validation wants them
    pub(crate) anchors: Anchors,
    pub(crate) policies: Policies,
    /// product lines of the owner's devices, by place in the contents
    devices: HashMap<DeviceId, usize>,
}

impl std::fmt::Debug for TrustBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustBundle").field("statement", &self.statement).finish_non_exhaustive()
    }
}

impl TrustBundle {
    /// What a bundle says of itself. Unverified: to show it, and to compare numbers.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn claimed(bytes: &[u8]) -> Result<Statement, BundleError> {
        let parts = Parts::parse(bytes)?;
        Ok(Statement::claimed(&parts.statement)?.0)
    }

    /// Reads a bundle that the platform signed, whose certificate leads to one of `roots`. Whether it is
    /// for this device, new enough, and good now, is for the caller and [`Self::decide`].
    ///
    /// The certificate of who signed counts at the moment of the signature: a bundle ends on its own, and
    /// before the certificate of who signed it need not.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn verify(bytes: &[u8], roots: &Anchors) -> Result<Verified<Self>, BundleError> {
        let parts = Parts::parse(bytes)?;
        let (claimed, message) = Statement::claimed(&parts.statement)?;
        let untrusted = |why: &str| BundleError::Signer(why.to_owned());
        let (signer, above) = parts
            .certificates
            .split_first()
            .ok_or_else(|| untrusted("its certificate is missing"))?;
        let options = Options {
            purpose: Purpose::Usages(vec![KP_DOCUMENT_SIGNING]),
            require_extended_key_usage: true,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            allow_ca_leaf: false,
            // What is signed in the first second of a certificate may be dated before it.
            ..Options::any(claimed.issued_at.max(signer.not_before()))
        };
        validate(signer, above, roots, &options)
            .map_err(|error| BundleError::Signer(error.to_string()))?;
        // Below a root there are other signers: of organisations, which say nothing of trust.
        if signer.common_name().as_deref() != Some(PASSPORT_SIGNER_COMMON_NAME)
            || signer.organization().as_deref() != Some(claimed.platform.as_str())
        {
            return Err(untrusted("its certificate is not the platform's"));
        }
        let key = signer.public_key().map_err(|error| untrusted(&error.to_string()))?;
        let statement = Statement::verified(&message, key)?;
        if sha256(&parts.contents) != statement.contents {
            return Err(BundleError::Contents);
        }
        Self::of(statement, Contents::decode(&parts.contents)?).map(Verified::assertion)
    }

    /// A bundle of what the caller made itself, such as the platform that looks at its own.
    ///
    /// # Errors
    /// [`BundleError::Policies`].
    pub fn of(statement: Statement, contents: Contents) -> Result<Self, BundleError> {
        let policies = Policies::parse(&contents.policies)
            .map_err(|problems| BundleError::Policies(problems.to_string()))?;
        let anchors = contents.authorities.iter().map(|it| it.certificate.clone()).collect();
        let lines = contents.lines.iter().enumerate();
        let devices =
            lines.flat_map(|(at, line)| line.devices.iter().map(move |id| (*id, at))).collect();
        Ok(Self { statement, contents, anchors, policies, devices })
    }

    /// What was signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// What it holds.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The product line of one of the owner's devices; `None` where the device is none of them.
    pub(crate) fn line_of(
        &self,
        device: &DeviceId,
    ) -> Option<Option<&(OrganisationId, ProductId)>> {
        let line = self.contents.lines.get(*self.devices.get(device)?)?;
        Some(line.product.as_ref())
    }
}
