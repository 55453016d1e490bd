use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::Secret;

/// Longest Authorization value read, in bytes.
pub const BASIC_BYTES_MAX: usize = 512;

/// Why an Authorization value is not read. It is never repeated back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BasicError {
    /// Another scheme.
    #[error("the Authorization header must be: Basic base64(device id or serial number:code)")]
    NotBasic,
    /// Basic, but malformed.
    #[error("the Authorization header is not base64 of a user name, a colon and a code")]
    Malformed,
}

/// HTTP Basic (RFC 7617) as it carries a one-time code: the user name is the device id or serial
/// number, the password is the code (RFC 7030 section 3.2.3).
pub struct BasicCredential {
    user: String,
    password: Secret,
}

impl BasicCredential {
    /// A credential to send. The user name has no colon.
    ///
    /// # Errors
    /// [`BasicError::Malformed`].
    pub fn new(user: &str, password: &str) -> Result<Self, BasicError> {
        if user.is_empty() || user.contains(':') || user.len() + password.len() > 300 {
            return Err(BasicError::Malformed);
        }
        Ok(Self { user: user.to_owned(), password: Secret::new(password.as_bytes().to_vec()) })
    }

    /// Reads the value of an Authorization header.
    ///
    /// # Errors
    /// [`BasicError`].
    pub fn parse(value: &str) -> Result<Self, BasicError> {
        let (scheme, rest) = value.split_once(' ').ok_or(BasicError::NotBasic)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(BasicError::NotBasic);
        }
        if value.len() > BASIC_BYTES_MAX {
            return Err(BasicError::Malformed);
        }
        let bytes = STANDARD.decode(rest.trim_ascii()).map_err(|_| BasicError::Malformed)?;
        let bytes = Secret::new(bytes);
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| BasicError::Malformed)?;
        let (user, password) = text.split_once(':').ok_or(BasicError::Malformed)?;
        if user.is_empty() || password.is_empty() {
            return Err(BasicError::Malformed);
        }
        Ok(Self { user: user.to_owned(), password: Secret::new(password.as_bytes().to_vec()) })
    }

    /// The value of an Authorization header.
    pub fn header(&self) -> Secret {
        let mut plain = self.user.clone().into_bytes();
        plain.push(b':');
        plain.extend_from_slice(self.password.expose());
        let plain = Secret::new(plain);
        Secret::new(format!("Basic {}", STANDARD.encode(plain.expose())).into_bytes())
    }

    /// The user name: device id or serial number, as sent.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password: the code, as typed.
    pub fn password(&self) -> &str {
        std::str::from_utf8(self.password.expose()).unwrap_or_default()
    }
}

impl std::fmt::Debug for BasicCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BasicCredential({}, ..)", self.user)
    }
}
