use super::body::{self, BodyError, CERTS_ONLY, PKCS8};
use crypto::{Secret, Sha256, sha256_of};

/// Most headers of a part, and longest header line, in bytes.
const HEADERS_MAX: usize = 16;
const HEADER_BYTES_MAX: usize = 512;

/// Why bytes are not the answer to serverkeygen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// Not `multipart/mixed` with a boundary.
    #[error("the media type is not multipart/mixed with a boundary")]
    MediaType,
    /// Parts, boundaries or headers are not as they must be.
    #[error("the multipart body is malformed: {0}")]
    Malformed(&'static str),
    /// A part's contents.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// The answer to serverkeygen (RFC 7030 section 4.4.2): a private key and its certificate.
#[derive(Debug)]
pub struct ServerKey {
    /// PKCS#8 in DER
    pub private_key: Secret,
    /// certs-only message in DER
    pub certs_only: Vec<u8>,
}

impl ServerKey {
    /// Content-Type and body. The boundary is derived from the certificates, so the same answer
    /// has the same bytes; no boundary can occur in base64.
    pub fn encode(&self) -> (String, Secret) {
        let Sha256(digest) = sha256_of(&[b"tegata/est-boundary/v1\0", &self.certs_only]);
        let tag: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let boundary = format!("tegata-{tag}");
        let mut out = Vec::new();
        for (media_type, der) in
            [(PKCS8, self.private_key.expose()), (CERTS_ONLY, self.certs_only.as_slice())]
        {
            let contents = Secret::new(body::encode_lines(der));
            let head = format!(
                "--{boundary}\r\nContent-Type: {media_type}\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n"
            );
            // One allocation for each part, so that growing leaves no copy of the key behind.
            let mut next =
                Vec::with_capacity(out.len() + head.len() + contents.expose().len() + 64);
            let before = Secret::new(std::mem::take(&mut out));
            next.extend_from_slice(before.expose());
            next.extend_from_slice(head.as_bytes());
            next.extend_from_slice(contents.expose());
            out = next;
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        (format!("multipart/mixed; boundary={boundary}"), Secret::new(out))
    }

    /// Reads an answer: two parts in either order, whatever stands before the first and after the
    /// last boundary.
    ///
    /// # Errors
    /// [`MultipartError`].
    pub fn parse(content_type: &str, body: &[u8]) -> Result<Self, MultipartError> {
        if body.len() > body::RESPONSE_BYTES_MAX {
            let (found, most) = (body.len(), body::RESPONSE_BYTES_MAX);
            return Err(BodyError::TooLong { found, most }.into());
        }
        let boundary = boundary_of(content_type).ok_or(MultipartError::MediaType)?;
        let bad = MultipartError::Malformed;
        let text = std::str::from_utf8(body).map_err(|_| bad("not text"))?;
        let (mut key, mut certs_only) = (None, None);
        for part in parts_of(text, &boundary)? {
            let (media_type, contents) = part_of(part)?;
            if body::check_type(Some(media_type), PKCS8).is_ok() && key.is_none() {
                key = Some(body::decode_secret(contents.as_bytes())?);
            } else if body::check_type(Some(media_type), CERTS_ONLY).is_ok() && certs_only.is_none()
            {
                let most = body::RESPONSE_BYTES_MAX;
                certs_only = Some(body::decode_at_most(contents.as_bytes(), most)?);
            } else {
                return Err(bad("a part that is neither the key nor its certificate"));
            }
        }
        Ok(Self {
            private_key: key.ok_or(bad("no private key"))?,
            certs_only: certs_only.ok_or(bad("no certificate"))?,
        })
    }
}

/// The boundary of a `multipart/mixed` Content-Type (RFC 2046 section 5.1.1).
pub fn boundary_of(content_type: &str) -> Option<String> {
    let mut fields = content_type.split(';').map(str::trim_ascii);
    if !fields.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let boundary = fields.find_map(|field| {
        let (name, value) = field.split_once('=')?;
        name.trim_ascii().eq_ignore_ascii_case("boundary").then_some(value.trim_ascii())
    })?;
    let boundary = match boundary.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => boundary,
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let good = (1..=70).contains(&boundary.len())
        && boundary.bytes().all(allowed)
        && !boundary.ends_with(' ');
    good.then(|| boundary.to_owned())
}

/// What stands between the boundary lines; lines end with CRLF or LF.
fn parts_of<'a>(text: &'a str, boundary: &str) -> Result<Vec<&'a str>, MultipartError> {
    let bad = MultipartError::Malformed;
    let mut parts = Vec::new();
    let mut began: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (begins, next) = (at, at + line.len());
        at = next;
        let Some(rest) = line.strip_prefix("--").and_then(|rest| rest.strip_prefix(boundary))
        else {
            continue;
        };
        let last = match rest.trim_ascii_end() {
            "" => false,
            "--" => true,
            _ => continue,
        };
        if let Some(start) = began.replace(next) {
            parts.push(text.get(start..begins).ok_or(bad("boundaries"))?);
        }
        if last {
            return Ok(parts);
        }
        if parts.len() > 2 {
            return Err(bad("more than two parts"));
        }
    }
    Err(bad("the last boundary is missing"))
}

/// Media type and contents of a part.
fn part_of(part: &str) -> Result<(&str, &str), MultipartError> {
    let bad = MultipartError::Malformed;
    let mut rest = part;
    let mut media_type = None;
    for _ in 0..HEADERS_MAX {
        let (line, after) = rest.split_once('\n').ok_or(bad("headers do not end"))?;
        rest = after;
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return Ok((media_type.ok_or(bad("a part without Content-Type"))?, rest));
        }
        if line.len() > HEADER_BYTES_MAX {
            return Err(bad("a header is too long"));
        }
        let (name, value) = line.split_once(':').ok_or(bad("a header without colon"))?;
        if name.eq_ignore_ascii_case("content-type") {
            media_type = Some(value.trim_ascii());
        }
    }
    Err(bad("too many headers"))
}
