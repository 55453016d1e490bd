//! What a device's certificate says of its usage description (RFC 8520 section 11).

use crate::{
    Certificate, CertificateError, Extensions, IssueError, Name,
    error::In as _,
    oid,
    profile::uri_problem,
    strict::{DerError, only, tag},
    write::Writer,
};

/// Longest URL of a usage description that is written, or read, in bytes.
pub const MUD_URL_BYTES_MAX: usize = 253;
/// Longest name of its signer, in bytes of DER.
pub const MUD_SIGNER_BYTES_MAX: usize = 1_024;

/// Where a device's maker says what the device connects to: `id-pe-mud-url`, and whose signature that has:
/// `id-pe-mudsigner`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MudReference {
    url: String,
    signer: Option<Vec<u8>>,
}

impl MudReference {
    /// A reference. The signer is the subject of the certificate that signs the file.
    ///
    /// # Errors
    /// [`IssueError::AlternativeName`] where the URL is none, or does not begin with `https://` (section 3.2).
    pub fn new(url: &str, signer: Option<&Certificate>) -> Result<Self, IssueError> {
        let refused = |name: &str, rule| IssueError::AlternativeName {
            kind: "MUD URL",
            name: name.chars().take(80).collect(),
            rule,
        };
        if let Some(rule) = url_problem(url).or_else(|| host_problem(url)) {
            return Err(refused(url, rule));
        }
        let signer = signer.map(|it| it.subject_der().to_vec());
        match &signer {
            Some(der) if der.len() > MUD_SIGNER_BYTES_MAX => {
                Err(refused(url, "has a signer whose name is longer than 1,024 bytes"))
            }
            Some(der) if Name::parse(der).is_ok_and(|name| name.is_empty()) => {
                Err(refused(url, "has a signer without a name"))
            }
            _ => Ok(Self { url: url.to_owned(), signer }),
        }
    }

    /// A reference as it was kept: a URL, and a name in DER.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`]
    pub fn kept(url: &str, signer: Option<&[u8]>) -> Result<Self, CertificateError> {
        if let Some(problem) = url_problem(url) {
            return Err(DerError(problem)).in_field(URL);
        }
        let signer = signer.map(signer_name).transpose().in_field(SIGNER)?;
        Ok(Self { url: url.to_owned(), signer })
    }

    /// Where the file is
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of who signs it
    pub fn signer(&self) -> Option<Name<'_>> {
        self.signer.as_deref().and_then(|der| Name::parse(der).ok())
    }

    /// The same in DER
    pub fn signer_der(&self) -> Option<&[u8]> {
        self.signer.as_deref()
    }

    /// Both extensions, neither of them critical (section 11).
    pub(crate) fn write(&self, w: &mut Writer) {
        w.extension(&oid::PE_MUD_URL, false, |w| w.tlv(tag::IA5_STRING, self.url.as_bytes()));
        if let Some(signer) = &self.signer {
            w.extension(&oid::PE_MUD_SIGNER, false, |w| w.raw(signer));
        }
    }
}

const URL: &str = "id-pe-mud-url";
const SIGNER: &str = "id-pe-mudsigner";

/// What is wrong with a URL of a usage description.
fn url_problem(url: &str) -> Option<&'static str> {
    let Some(rest) = url.strip_prefix("https://") else {
        return Some("does not begin with https:// (RFC 8520 section 3.2)");
    };
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return Some("names no host");
    }
    if url.len() > MUD_URL_BYTES_MAX {
        return Some("is longer than 253 bytes");
    }
    uri_problem(url)
}

/// What is wrong with the place that a URL names: people read it, and it lasts as long as the device. Others'
/// certificates are read as they are.
fn host_problem(url: &str) -> Option<&'static str> {
    let place = url.strip_prefix("https://")?.split(['/', '?', '#']).next()?;
    if place.contains('@') {
        return Some("has a user before its host, which reads as another host");
    }
    place.starts_with(':').then_some("names no host")
}

fn signer_name(der: &[u8]) -> Result<Vec<u8>, DerError> {
    if der.len() > MUD_SIGNER_BYTES_MAX {
        return Err(DerError("is longer than 1,024 bytes"));
    }
    match Name::parse(der)?.is_empty() {
        true => Err(DerError("is an empty name")),
        false => Ok(der.to_vec()),
    }
}

impl Extensions {
    /// What they say of the device's usage description; `None` where they say nothing. A certificate is what it
    /// is with or without it: what is malformed here is an error here alone.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`] names the extension and what is wrong with it.
    pub fn mud(&self) -> Option<Result<MudReference, CertificateError>> {
        let url = self.find(&oid::PE_MUD_URL)?;
        let read = || {
            let text = only(&url.value, tag::IA5_STRING).in_field(URL)?.value;
            let text = std::str::from_utf8(text)
                .map_err(|_| DerError("has characters outside IA5String"))
                .in_field(URL)?;
            let signer = self.find(&oid::PE_MUD_SIGNER).map(|it| it.value.as_slice());
            MudReference::kept(text, signer)
        };
        Some(read())
    }
}
