use const_oid::ObjectIdentifier;
use crypto::UnixTime;

/// Why a certificate is not to be believed.
///
/// `subject` names the certificate at fault, `depth` its place in the path: 0 is the leaf, 1 its
/// issuer. Reasons other than [`Self::UnknownIssuer`], [`Self::BadSignature`],
/// [`Self::TooLong`] and [`Self::TooComplex`] are about paths whose every signature verified, so
/// that what they tell can be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// notAfter is past.
    #[error("certificate of {subject} expired at {not_after}; renew it")]
    Expired {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// last second of validity
        not_after: UnixTime,
    },
    /// notBefore is to come.
    #[error(
        "certificate of {subject} is not valid before {not_before}; check the clocks of both sides"
    )]
    NotYetValid {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// first second of validity
        not_before: UnixTime,
    },
    /// No trusted root was reached.
    #[error(
        "no trusted certificate of {issuer}, the issuer of {subject}; send the certificates in between, or trust that root"
    )]
    UnknownIssuer {
        /// whose issuer
        subject: String,
        /// place in the path
        depth: usize,
        /// who is missing
        issuer: String,
    },
    /// An issuer of the right name is known, and its key did not sign this.
    #[error(
        "signature on the certificate of {subject} does not verify; it is forged, damaged, or from another issuer of the same name"
    )]
    BadSignature {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
    },
    /// A key or signature algorithm is too weak.
    #[error("certificate of {subject} is too weak: {reason}")]
    Weak {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// what is weak about it
        reason: String,
    },
    /// A key or signature algorithm is not supported, or its encoding is wrong.
    #[error("certificate of {subject} cannot be checked: {reason}")]
    Algorithm {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// which and why
        reason: String,
    },
    /// It signed a certificate without being a CA.
    #[error(
        "{subject} signed a certificate and is not allowed to: {reason}; have it issued by a CA"
    )]
    NotCa {
        /// who
        subject: String,
        /// place in the path
        depth: usize,
        /// what it lacks
        reason: &'static str,
    },
    /// A CA in the place of an end entity.
    #[error(
        "certificate of {subject} is a CA's; a CA's key must not be used for anything but signing certificates"
    )]
    CaAsLeaf {
        /// whose
        subject: String,
    },
    /// pathLenConstraint is exceeded (RFC 5280 section 4.2.1.9).
    #[error("{subject} allows at most {path_len} issuing CAs below itself, and there are {found}")]
    PathLength {
        /// whose constraint
        subject: String,
        /// place in the path
        depth: usize,
        /// how many it allows
        path_len: u32,
        /// how many there are
        found: u32,
    },
    /// keyUsage forbids what the key is used for.
    #[error(
        "key of {subject} must not be used for {needed}: its certificate's keyUsage forbids it"
    )]
    KeyUsage {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// the usage asked for
        needed: String,
    },
    /// extKeyUsage forbids what the certificate is used for.
    #[error(
        "certificate of {subject} is not for {needed}: its extKeyUsage forbids it; use the certificate issued for this purpose"
    )]
    ExtendedKeyUsage {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// the purpose asked for
        needed: String,
    },
    /// A name lies where an issuer must not issue (RFC 5280 section 4.2.1.10).
    #[error("{by} may not issue certificates for {name}, as {subject} has it: {reason}")]
    NameConstraint {
        /// whose name
        subject: String,
        /// place in the path
        depth: usize,
        /// the name
        name: String,
        /// whose constraint
        by: String,
        /// how it is violated
        reason: &'static str,
    },
    /// A critical extension that is not understood.
    #[error(
        "certificate of {subject} has the critical extension {oid}, which is not understood; allow it where its meaning is known"
    )]
    CriticalExtension {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// type of the extension
        oid: ObjectIdentifier,
    },
    /// A rule of RFC 5280 for what CAs must issue is broken.
    #[error("certificate of {subject} breaks RFC 5280: {rule}; ask its issuer for a new one")]
    Nonconforming {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// which rule
        rule: &'static str,
    },
    /// No certificate policy is left that is acceptable (RFC 5280 section 6.1.5).
    #[error("path of {subject} has no acceptable certificate policy")]
    Policy {
        /// whose path
        subject: String,
        /// place in the path where no policy was left
        depth: usize,
    },
    /// The certificate is for other servers.
    #[error("certificate is not for {expected}; it is for {found}")]
    ServerName {
        /// name asked for
        expected: String,
        /// names in the certificate
        found: String,
    },
    /// Revoked by its issuer.
    #[error(
        "certificate of {subject} was revoked at {since}; its device or key must not be trusted"
    )]
    Revoked {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// when
        since: UnixTime,
    },
    /// Suspended by its issuer (certificateHold): it may come back.
    #[error("certificate of {subject} is suspended since {since}; ask its issuer")]
    Suspended {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// when
        since: UnixTime,
    },
    /// Whether it is revoked cannot be told.
    #[error(
        "cannot tell whether the certificate of {subject} is revoked: {reason}; fetch a current CRL of its issuer"
    )]
    RevocationUnknown {
        /// whose
        subject: String,
        /// place in the path
        depth: usize,
        /// why
        reason: String,
    },
    /// More intermediate certificates in a row than allowed.
    #[error("path has more than {most} issuing CAs between the leaf and a trusted root")]
    TooLong {
        /// how many are allowed
        most: usize,
    },
    /// Checking it would cost more than allowed: somebody may want to waste our time.
    #[error(
        "path is too complex: more than {most} {what}; send only the certificates between the leaf and a trusted root"
    )]
    TooComplex {
        /// limit
        most: usize,
        /// of what
        what: &'static str,
    },
}

impl PathError {
    /// Place in the path of the certificate at fault, where one is.
    pub fn depth(&self) -> Option<usize> {
        match self {
            Self::Expired { depth, .. }
            | Self::NotYetValid { depth, .. }
            | Self::UnknownIssuer { depth, .. }
            | Self::BadSignature { depth, .. }
            | Self::Weak { depth, .. }
            | Self::Algorithm { depth, .. }
            | Self::NotCa { depth, .. }
            | Self::PathLength { depth, .. }
            | Self::KeyUsage { depth, .. }
            | Self::ExtendedKeyUsage { depth, .. }
            | Self::NameConstraint { depth, .. }
            | Self::CriticalExtension { depth, .. }
            | Self::Nonconforming { depth, .. }
            | Self::Policy { depth, .. }
            | Self::Revoked { depth, .. }
            | Self::Suspended { depth, .. }
            | Self::RevocationUnknown { depth, .. } => Some(*depth),
            Self::CaAsLeaf { .. } | Self::ServerName { .. } => Some(0),
            Self::TooLong { .. } | Self::TooComplex { .. } => None,
        }
    }

    /// How much it tells: of several failed paths the most telling error is reported.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::UnknownIssuer { .. } => 0,
            Self::TooLong { .. } => 1,
            Self::BadSignature { .. } => 2,
            // Seen before signatures verified, or after all of them did.
            Self::Weak { .. } | Self::Algorithm { .. } => 3,
            _ => 4,
        }
    }
}
