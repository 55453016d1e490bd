use crate::token::same_bytes;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Secret, Sha256, sha256_of};

/// What a bearer secret opens. Each kind has its own prefix, by which scanners find one that was
/// left behind, and its own domain, so that one is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BearerKind {
    /// a person's session: the value of a cookie
    Session,
    /// a one-time link: first administrator, invitation, recovery
    Link,
    /// what a browser holds between opening a link and registering its passkey
    Ticket,
    /// stands in for a device's certificate at the hawkBit DDI door (`TargetToken`)
    UpdateTarget,
    /// the same for a gateway that speaks for devices (`GatewayToken`)
    UpdateGateway,
}

impl BearerKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Session, Self::Link, Self::Ticket, Self::UpdateTarget, Self::UpdateGateway];

    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "tgs_",
            Self::Link => "tgi_",
            Self::Ticket => "tgk_",
            Self::UpdateTarget => "tgu_",
            Self::UpdateGateway => "tgg_",
        }
    }

    fn domain(self) -> &'static [u8] {
        match self {
            Self::Session => b"tegata/session/v1\0",
            Self::Link => b"tegata/link/v1\0",
            Self::Ticket => b"tegata/ticket/v1\0",
            Self::UpdateTarget => b"tegata/update-target/v1\0",
            Self::UpdateGateway => b"tegata/update-gateway/v1\0",
        }
    }
}

/// The text of a bearer secret, given to its holder once: a prefix and 43 characters of base64url,
/// which hold 32 random bytes. Only its digest is kept.
pub struct BearerText(Secret);

impl BearerText {
    /// Makes one from 32 fresh random bytes, with the digest under which it is kept; `None` where
    /// the bytes are not random: no secret that others could have can be made.
    pub fn make(kind: BearerKind, random: [u8; 32]) -> Option<(Self, Sha256)> {
        if same_bytes(&random) {
            return None;
        }
        let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random));
        Some((Self(Secret::new(text.into_bytes())), digest(kind, &random)))
    }

    /// Shows the text.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl std::fmt::Debug for BearerText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerText(..)")
    }
}

/// The digest under which a presented secret is kept; `None` where it has not the form of its kind.
pub fn bearer_digest(kind: BearerKind, presented: &str) -> Option<Sha256> {
    let bytes = presented
        .strip_prefix(kind.prefix())
        .filter(|rest| rest.len() == 43)
        .and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok())
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())?;
    Some(digest(kind, &bytes))
}

fn digest(kind: BearerKind, bytes: &[u8; 32]) -> Sha256 {
    sha256_of(&[kind.domain(), bytes])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_secret_comes_from_a_generator_that_stands_still() {
        for kind in BearerKind::ALL {
            assert!(BearerText::make(kind, [7; 32]).is_none());
        }
    }

    proptest! {
        #[test]
        fn a_secret_opens_its_own_kind_only(random: [u8; 32]) {
            prop_assume!(!same_bytes(&random));
            let mut digests = Vec::new();
            for kind in BearerKind::ALL {
                let (text, kept) = BearerText::make(kind, random).unwrap();
                for other in BearerKind::ALL {
                    let found = bearer_digest(other, text.expose());
                    prop_assert_eq!(found, (other == kind).then_some(kept));
                }
                prop_assert_eq!(format!("{text:?}"), "BearerText(..)");
                digests.push(kept);
            }
            digests.dedup();
            prop_assert_eq!(digests.len(), BearerKind::ALL.len());
        }

        #[test]
        fn any_text_is_read_without_harm(text in ".{0,80}") {
            for kind in BearerKind::ALL {
                if bearer_digest(kind, &text).is_some() {
                    prop_assert!(text.starts_with(kind.prefix()) && text.len() == 47);
                }
            }
        }
    }
}
