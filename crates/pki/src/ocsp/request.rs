use super::{CertId, OcspError, at, nonce_among, write_nonce};
use crate::{
    strict::{DerError, Reader, only, tag},
    write::fragment,
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Largest request read, in bytes: [`REQUESTS_MAX`] certificates and a signature nobody needs.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// Most certificates asked for at once. Most clients ask for one (RFC 5019 section 2.1.1).
pub const REQUESTS_MAX: usize = 16;
/// Longest nonce (RFC 9654 section 2.1), in bytes.
pub const NONCE_BYTES_MAX: usize = 128;

/// A request (RFC 6960 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    /// the certificates asked for, 1 to [`REQUESTS_MAX`]
    pub ids: Vec<CertId>,
    /// to be echoed, which needs a response signed live
    pub nonce: Option<Vec<u8>>,
}

impl OcspRequest {
    /// Reads the body of a POST. A signature is passed over: everybody may ask.
    ///
    /// # Errors
    /// [`OcspError`]; [`OcspError::status`] is what to answer.
    pub fn parse(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > REQUEST_BYTES_MAX {
            return Err(at("request")(DerError("is longer than 8 KiB")));
        }
        let mut outer = Reader::new(only(der, tag::SEQUENCE).map_err(at("request"))?.value);
        let mut fields = outer.sequence().map_err(at("tbsRequest"))?;
        outer.optional(tag::constructed(0)).map_err(at("optionalSignature"))?;
        outer.finish().map_err(at("request"))?;
        if let Some(version) = fields.optional(tag::constructed(0)).map_err(at("version"))? {
            // DER leaves the default out; some clients write it, and nothing depends on it.
            if version.value != [2, 1, 0] {
                return Err(at("version")(DerError("is not 1")));
            }
        }
        fields.optional(tag::constructed(1)).map_err(at("requestorName"))?;
        let mut list = fields.sequence().map_err(at("requestList"))?;
        let mut ids = Vec::with_capacity(1);
        while !list.is_empty() {
            let mut request = list.sequence().map_err(at("request"))?;
            if ids.len() >= REQUESTS_MAX {
                return Err(at("requestList")(DerError("has more than 16 entries")));
            }
            ids.push(CertId::read(&mut request)?);
            if let Some(single) =
                request.optional(tag::constructed(0)).map_err(at("singleRequestExtensions"))?
            {
                nonce_among(single.value)?;
            }
            request.finish().map_err(at("request"))?;
        }
        if ids.is_empty() {
            return Err(at("requestList")(DerError("is empty")));
        }
        let nonce = match fields.optional(tag::constructed(2)).map_err(at("requestExtensions"))? {
            Some(extensions) => nonce_among(extensions.value)?,
            None => None,
        };
        fields.finish().map_err(at("tbsRequest"))?;
        Ok(Self { ids, nonce })
    }

    /// Reads what follows the responder's URL in a GET (RFC 6960 appendix A.1): base64, then
    /// percent-encoded. Slashes may be left as they are; both alphabets are read, with or without
    /// padding.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_get_path(path: &str) -> Result<Self, OcspError> {
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        if path.len() > 3 * REQUEST_BYTES_MAX {
            return Err(at("GET path")(DerError("is too long")));
        }
        let text = percent_decoded(path.strip_prefix('/').unwrap_or(path))
            .ok_or(DerError("is not percent-encoded base64"))
            .map_err(at("GET path"))?;
        let der = LENIENT
            .decode(text)
            .map_err(|_| at("GET path")(DerError("is not percent-encoded base64")))?;
        Self::parse(&der)
    }

    /// The request in DER.
    pub fn to_der(&self) -> Vec<u8> {
        fragment(|w| {
            w.sequence(|w| {
                w.sequence(|w| {
                    w.sequence(|w| self.ids.iter().for_each(|id| w.sequence(|w| id.write(w))));
                    if let Some(nonce) = &self.nonce {
                        w.nested(tag::constructed(2), |w| write_nonce(w, nonce));
                    }
                });
            });
        })
    }
}

/// Percent-decodes, and maps the URL-safe alphabet onto the standard one.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        };
        out.push(match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Serial,
        ocsp::{ErrorStatus, IssuerHash},
    };
    use proptest::prelude::*;

    fn request(count: u8, nonce: usize) -> OcspRequest {
        let issuer = IssuerHash::Sha1 { name: [0xfb; 20], key: [0xff; 20] };
        let ids = (1..=count)
            .map(|number| CertId { issuer, serial: Serial::from_be_bytes(&[number]).unwrap() })
            .collect();
        OcspRequest { ids, nonce: (nonce > 0).then(|| vec![7; nonce]) }
    }

    #[test]
    fn limits_hold() {
        let check = |count, nonce, want: Option<ErrorStatus>| {
            let read = OcspRequest::parse(&request(count, nonce).to_der());
            assert_eq!(read.as_ref().err().map(OcspError::status), want, "{count} {nonce}");
        };
        check(1, 0, None);
        check(16, 128, None);
        check(17, 0, Some(ErrorStatus::MalformedRequest));
        check(0, 0, Some(ErrorStatus::MalformedRequest));
        check(1, 129, Some(ErrorStatus::MalformedRequest));
    }

    #[test]
    fn every_form_of_get_is_read() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let want = request(1, 16);
        let der = want.to_der();
        let plain = STANDARD.encode(&der);
        let escaped = plain.replace('/', "%2F").replace('+', "%2b").replace('=', "%3D");
        for path in [plain.clone(), format!("/{plain}"), escaped, URL_SAFE_NO_PAD.encode(&der)] {
            assert_eq!(OcspRequest::from_get_path(&path).as_ref(), Ok(&want), "{path}");
        }
        for bad in ["", "%", "%4", "%zz", "====", "MAA"] {
            assert!(OcspRequest::from_get_path(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(count in 1u8..=16, nonce in 0usize..=128) {
            let want = request(count, nonce);
            prop_assert_eq!(OcspRequest::parse(&want.to_der()), Ok(want));
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>, path: String) {
            let _ = OcspRequest::parse(&bytes);
            let _ = OcspRequest::from_get_path(&path);
        }

        #[test]
        fn no_damage_panics(at: prop::sample::Index, value: u8) {
            let mut der = request(2, 8).to_der();
            let at = at.index(der.len());
            der[at] = value;
            let _ = OcspRequest::parse(&der);
        }
    }
}
