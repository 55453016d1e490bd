//! Whose certificate it is, and whether one device may ask that of the other.

use crate::{Authority, AuthorityKind, TrustBundle};
use admission::{CommandName, Says};
use crypto::{Sha256, UnixTime};
use device::DeviceId;
use permission::{PeerFacts, Question};
use pki::{
    Certificate, Serial,
    oid::KP_CLIENT_AUTH,
    validate::{Options, PathError, validate},
};

/// By so much the clock of a device may be behind the platform's, in seconds.
pub const CLOCK_TOLERANCE_S: i64 = 300;
/// Most certificates that a peer may show.
const SHOWN_MAX: usize = 8;

/// Declares the codes once: variant, stable name, text.
macro_rules! codes {
    ($($variant:ident $name:literal $text:literal,)+) => {
        /// Why a decision is as it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $text] $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, and what to do.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    Permitted "permitted" "a policy of the owner permits it",
    NoPolicy "no-policy" "no policy permits it; the owner has to write one that names Action::\"peer\", for devices of others Action::\"peer-foreign\"",
    Forbidden "forbidden" "a policy of the owner forbids it",
    PolicyFailed "policy-failed" "a policy failed while it was asked, so that none permits anything; mend it",
    BundleExpired "bundle-expired" "the trust bundle has ended; fetch a new one",
    ClockBehind "clock-behind" "the clock is behind what the device has seen already; set it",
    UnknownAuthority "unknown-authority" "no authority of the trust bundle issued the certificate; the owner has to name its organisation",
    CertificateExpired "certificate-expired" "the certificate is not valid now; its device has to renew it",
    CertificateRevoked "certificate-revoked" "the certificate was revoked",
    CertificateSuspended "certificate-suspended" "the certificate is suspended",
    CertificateWrong "certificate-wrong" "the certificate is not one that a device shows, or its path does not hold",
    DeviceUnknown "device-unknown" "the device is not among the owner's that stand well, as far as the trust bundle says; fetch a new one where the device is new",
    SameDevice "same-device" "the other device shows this device's own identity",
}

/// Which certificate a device showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// its owner's
    Ldevid,
    /// its maker's
    Idevid,
}

impl Credential {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ldevid => "ldevid",
            Self::Idevid => "idevid",
        }
    }
}

/// What the device that decides does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// it asks the other for something
    Asks,
    /// it is asked
    Serves,
}

/// A device whose certificate leads to an authority of the bundle, and is held against nothing in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// as policies know it
    pub facts: PeerFacts,
    /// what it showed
    pub credential: Credential,
    /// SHA-256 of that
    pub certificate: Sha256,
}

/// Why a certificate does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .code.name())]
pub struct Refused {
    /// the reason
    pub code: Code,
    /// in words
    pub detail: String,
}

impl Refused {
    fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    fn plain(code: Code) -> Self {
        Self::new(code, code.text())
    }
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// whether it may be
    pub permitted: bool,
    /// the reason
    pub code: Code,
    /// in words
    pub detail: String,
    /// ids of the policies that decided; empty where none did
    pub because: Vec<String>,
    /// the other device, where it is known
    pub peer: Option<Peer>,
}

impl From<Refused> for Decision {
    fn from(refused: Refused) -> Self {
        let Refused { code, detail } = refused;
        Self { permitted: false, code, detail, because: Vec::new(), peer: None }
    }
}

impl TrustBundle {
    /// Whether a decision may rest on this bundle at that time.
    ///
    /// # Errors
    /// [`Code::BundleExpired`], [`Code::ClockBehind`].
    pub fn require_good(&self, now: UnixTime) -> Result<(), Refused> {
        let statement = self.statement();
        if now > statement.expires {
            let detail =
                format!("{}; it ended at {}", Code::BundleExpired.text(), statement.expires);
            return Err(Refused::new(Code::BundleExpired, detail));
        }
        if now < statement.issued_at.plus(-CLOCK_TOLERANCE_S) {
            let detail = format!(
                "{}: the trust bundle was made at {}",
                Code::ClockBehind.text(),
                statement.issued_at
            );
            return Err(Refused::new(Code::ClockBehind, detail));
        }
        Ok(())
    }

    /// Whose certificate that is: `chain` begins with it; what follows may be in any order, unneeded or
    /// hostile. The caller has seen, or will see, that the other holds its key.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn authenticate(&self, chain: &[Certificate], now: UnixTime) -> Result<Peer, Refused> {
        self.require_good(now)?;
        let wrong = |detail: &str| Refused::new(Code::CertificateWrong, detail);
        let (leaf, above) = chain.split_first().ok_or_else(|| wrong("no certificate was shown"))?;
        if chain.len() > SHOWN_MAX {
            return Err(wrong("more than 8 certificates were shown"));
        }
        let path = validate(leaf, above, &self.anchors, &Options::client(now))
            .map_err(|it| refused(&it))?;
        let contents = self.contents();
        let authority = contents.authorities.iter().find(|it| it.certificate == *path.anchor());
        // No authority of these has others below it: what they would issue nobody could take back.
        let (Some(authority), 2) = (authority, path.certificates().len()) else {
            return Err(wrong("no authority of the trust bundle issued it itself"));
        };
        require_not_revoked(authority, leaf.serial())?;
        let (credential, facts) = self.facts(authority, leaf)?;
        if facts.device == self.statement().device {
            return Err(Refused::plain(Code::SameDevice));
        }
        Ok(Peer { facts, credential, certificate: leaf.fingerprint() })
    }

    /// Whether one of the two may ask that of the other, by the owner's policies. Nothing is permitted that
    /// no policy permits.
    pub fn decide(
        &self,
        peer: &Peer,
        side: Side,
        operation: &CommandName,
        now: UnixTime,
    ) -> Decision {
        if let Err(refused) = self.require_good(now) {
            return Decision { peer: Some(peer.clone()), ..refused.into() };
        }
        let statement = self.statement();
        let own = PeerFacts {
            device: statement.device,
            owner: Some(statement.owner.clone()),
            product: self.line_of(&statement.device).flatten().cloned(),
        };
        let (by, to) = match side {
            Side::Asks => (&own, &peer.facts),
            Side::Serves => (&peer.facts, &own),
        };
        let of = &statement.owner;
        let verdict = self.policies.ask(&Question::Peer { of, by, to, operation });
        let code = match verdict.answer.says {
            Says::Permit => Code::Permitted,
            Says::Forbid => Code::Forbidden,
            Says::Nothing if verdict.failed.is_empty() => Code::NoPolicy,
            Says::Nothing => Code::PolicyFailed,
        };
        let detail = match verdict.failed.first() {
            Some(failed) => format!("{}: {failed}", code.text()),
            None => code.text().to_owned(),
        };
        Decision {
            permitted: code == Code::Permitted,
            code,
            detail,
            because: verdict.answer.because,
            peer: Some(peer.clone()),
        }
    }

    /// Both at once, for whoever authenticated the other by itself.
    pub fn judge(
        &self,
        chain: &[Certificate],
        side: Side,
        operation: &CommandName,
        now: UnixTime,
    ) -> Decision {
        match self.authenticate(chain, now) {
            Ok(peer) => self.decide(&peer, side, operation, now),
            Err(refused) => refused.into(),
        }
    }

    /// What the certificate and the bundle say of the device.
    fn facts(
        &self,
        authority: &Authority,
        leaf: &Certificate,
    ) -> Result<(Credential, PeerFacts), Refused> {
        let wrong = |detail: &str| Refused::new(Code::CertificateWrong, detail);
        let name = leaf.common_name().unwrap_or_default();
        let device: DeviceId =
            name.parse().map_err(|_| wrong("it does not name a device in its commonName"))?;
        if leaf.organization().as_deref() != Some(authority.organisation.as_str()) {
            return Err(wrong("it names another organisation than its authority's"));
        }
        let usages = leaf.extensions().extended_key_usage();
        let ours = self.line_of(&device);
        match authority.kind {
            AuthorityKind::Owner => {
                // An owner's authority issues for servers and applications, too.
                if usages != Some(&[KP_CLIENT_AUTH]) {
                    return Err(wrong("it is not a device's: its usage is another"));
                }
                let own = authority.organisation == self.statement().owner;
                let product = match (own, ours) {
                    (true, None) => return Err(Refused::plain(Code::DeviceUnknown)),
                    (true, Some(product)) => product.cloned(),
                    (false, Some(_)) => {
                        return Err(wrong(
                            "another organisation calls a device of the owner's its own",
                        ));
                    }
                    (false, None) => None,
                };
                let owner = Some(authority.organisation.clone());
                Ok((Credential::Ldevid, PeerFacts { device, owner, product }))
            }
            AuthorityKind::Maker => {
                if usages.is_some() {
                    return Err(wrong("it is not a maker's for a device: it names usages"));
                }
                let product =
                    authority.product.clone().map(|it| (authority.organisation.clone(), it));
                // A maker vouches for its own line alone, whatever its authority says of others.
                let owner = match ours {
                    None => None,
                    Some(line) if line == product.as_ref() => Some(self.statement().owner.clone()),
                    Some(_) => {
                        return Err(wrong(
                            "it names a device of the owner's of another product line",
                        ));
                    }
                };
                Ok((Credential::Idevid, PeerFacts { device, owner, product }))
            }
        }
    }
}

fn require_not_revoked(authority: &Authority, serial: &Serial) -> Result<(), Refused> {
    let on = |list: &[Box<[u8]>]| list.binary_search_by(|it| (**it).cmp(serial.as_bytes())).is_ok();
    if on(&authority.revoked) {
        return Err(Refused::plain(Code::CertificateRevoked));
    }
    if on(&authority.suspended) {
        return Err(Refused::plain(Code::CertificateSuspended));
    }
    Ok(())
}

fn refused(error: &PathError) -> Refused {
    let code = match error {
        PathError::Expired { .. } | PathError::NotYetValid { .. } => Code::CertificateExpired,
        PathError::UnknownIssuer { .. } => Code::UnknownAuthority,
        _ => Code::CertificateWrong,
    };
    Refused::new(code, error.to_string())
}
