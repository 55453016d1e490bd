use crate::{Caller, Roles};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Secret, Sha256, UnixTime, constant_time_eq, sha256_of};
use device::OrganisationId;

/// Longest life of a token: 15 minutes. Whoever needs longer asks again with the certificate.
pub const TOKEN_SECONDS_MAX: i64 = 900;

const PREFIX: &str = "tgt_";
const DOMAIN: &[u8] = b"tegata/token/v1\0";

/// Clocks of one machine may be set back a little.
const CLOCK_SECONDS: i64 = 5;

/// The text of a token, given to its holder once: `tgt_` and 43 characters of base64url. The prefix
/// lets scanners of source code find one that was left behind.
pub struct TokenText(Secret);

impl TokenText {
    /// Shows the text.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl std::fmt::Debug for TokenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenText(..)")
    }
}

/// Why no token is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Only a member that shows its certificate is granted one: a token grants no further token.
    #[error("ask for a token with your client certificate, not with a token")]
    NotWithCertificate,
    /// Roles asked for that the member does not have.
    #[error("a token can carry only roles that you have; ask for fewer")]
    MoreRoles,
    /// No role.
    #[error("name at least one role that the token shall carry")]
    NoRole,
    /// Lifetime out of bounds.
    #[error("a token lives 1 to 900 seconds")]
    Lifetime,
    /// The random bytes are not random: no token that others could have can be made.
    #[error("the random generator gave no random bytes; nothing was granted")]
    Random,
}

/// What is stored of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// SHA-256 of the token, with a domain tag
    pub digest: Sha256,
    /// organisation of its holder
    pub organisation: OrganisationId,
    /// member that holds it
    pub member: String,
    /// SHA-256 of the client certificate that it is bound to (`x5t#S256`, RFC 8705 section 3.1)
    pub certificate: Sha256,
    /// what it may do at most
    pub roles: Roles,
    /// since when
    pub granted_at: UnixTime,
    /// until when, exclusive
    pub expires_at: UnixTime,
}

/// A token as a caller presented it, parsed; its digest finds the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentedToken(Sha256);

/// Why a token is not accepted. The text may be told to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Not a token at all.
    #[error("not a token of this platform: a token begins with tgt_ and has 47 characters")]
    Malformed,
    /// No record, or the record of another.
    #[error("the token is not known here; get a new one with your client certificate")]
    Unknown,
    /// Too old.
    #[error("the token has expired; get a new one with your client certificate")]
    Expired,
    /// Granted in the future: the clock is wrong.
    #[error("the token is not valid yet; the platform's clock was set back")]
    NotYetValid,
    /// No client certificate on the connection, or another's.
    #[error("the token is bound to another client certificate; show the one it was granted to")]
    Certificate,
    /// The member has none of the token's roles any more.
    #[error("the token carries no role that you still have; get a new one")]
    NoRole,
}

impl TokenRecord {
    /// Grants `caller` a token from 32 fresh random bytes. Roles only narrow.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn grant(
        random: [u8; 32],
        caller: &Caller,
        roles: Roles,
        seconds: i64,
        now: UnixTime,
    ) -> Result<(TokenText, Self), TokenError> {
        let Caller::Member { organisation, name, roles: own, certificate, token: None } = caller
        else {
            return Err(TokenError::NotWithCertificate);
        };
        if roles.is_empty() {
            return Err(TokenError::NoRole);
        }
        if !roles.is_within(*own) {
            return Err(TokenError::MoreRoles);
        }
        if !(1..=TOKEN_SECONDS_MAX).contains(&seconds) {
            return Err(TokenError::Lifetime);
        }
        if same_bytes(&random) {
            return Err(TokenError::Random);
        }
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let record = Self {
            digest: digest_of(&random),
            organisation: organisation.clone(),
            member: name.clone(),
            certificate: *certificate,
            roles,
            granted_at: now,
            expires_at: now.plus(seconds),
        };
        Ok((TokenText(Secret::new(text.into_bytes())), record))
    }

    /// Checks a presented token against its record, the connection's client certificate and the
    /// roles that the member has now.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub fn check(
        &self,
        presented: &PresentedToken,
        certificate: Option<&Sha256>,
        roles_now: Roles,
        now: UnixTime,
    ) -> Result<Caller, TokenRefusal> {
        if !constant_time_eq(&self.digest.0, &presented.0.0) {
            return Err(TokenRefusal::Unknown);
        }
        if now >= self.expires_at {
            return Err(TokenRefusal::Expired);
        }
        // INVARIANT: no record lives longer than the limit, whoever wrote it.
        if self.expires_at.since(self.granted_at) > TOKEN_SECONDS_MAX {
            return Err(TokenRefusal::Expired);
        }
        if self.granted_at.since(now) > CLOCK_SECONDS {
            return Err(TokenRefusal::NotYetValid);
        }
        if !certificate.is_some_and(|shown| constant_time_eq(&shown.0, &self.certificate.0)) {
            return Err(TokenRefusal::Certificate);
        }
        let roles = self.roles.and(roles_now);
        if roles.is_empty() {
            return Err(TokenRefusal::NoRole);
        }
        Ok(Caller::Member {
            organisation: self.organisation.clone(),
            name: self.member.clone(),
            roles,
            certificate: self.certificate,
            token: Some(self.digest),
        })
    }
}

impl PresentedToken {
    /// Reads the text of a token.
    ///
    /// # Errors
    /// [`TokenRefusal::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TokenRefusal> {
        let bytes = text
            .strip_prefix(PREFIX)
            .filter(|rest| rest.len() == 43)
            .and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok())
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or(TokenRefusal::Malformed)?;
        Ok(Self(digest_of(&bytes)))
    }

    /// The digest under which the record is stored.
    pub fn digest(&self) -> Sha256 {
        self.0
    }
}

fn digest_of(token: &[u8; 32]) -> Sha256 {
    sha256_of(&[DOMAIN, token])
}

/// Whether all bytes are equal, as from a generator that was never started.
pub(crate) fn same_bytes(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}
