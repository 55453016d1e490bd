use super::{Answer, BASIC_RESPONSE, CertStatus, OcspError, write_nonce};
use crate::{
    Certificate, KeyUsage,
    crl::RevocationReason,
    oid,
    write::{Writer, fragment, tag},
};
use crypto::{PublicKey, SignatureScheme, Signer, UnixTime, sha256};
use std::{fmt::Write as _, sync::Arc};

/// Who signs responses: the issuer itself, or a delegate that it certified for that.
#[derive(Clone, Debug)]
pub struct Responder {
    key: PublicKey,
    scheme: SignatureScheme,
    // Fragment: ResponderID byKey
    id: Vec<u8>,
    // Fragment: `[0] certs`, empty where the issuer itself signs
    certificates: Vec<u8>,
}

impl Responder {
    /// The issuer itself.
    pub fn issuer(key: &PublicKey) -> Self {
        Self::new(key, Vec::new())
    }

    /// A delegate, whose certificate goes into every response (RFC 6960 section 4.2.2.2).
    ///
    /// # Errors
    /// [`OcspError::Responder`] where its certificate does not delegate, [`OcspError::Key`].
    pub fn delegated(certificate: &Certificate) -> Result<Self, OcspError> {
        check_delegate(certificate)?;
        let key = certificate.public_key().map_err(|error| OcspError::Key(error.clone()))?;
        let certificates = fragment(|w| {
            w.nested(tag::constructed(0), |w| w.sequence(|w| w.raw(certificate.der())));
        });
        Ok(Self::new(key, certificates))
    }

    fn new(key: &PublicKey, certificates: Vec<u8>) -> Self {
        let id = fragment(|w| {
            w.nested(tag::constructed(2), |w| w.octet_string(&key.sha1_identifier()));
        });
        Self { key: key.clone(), scheme: key.default_scheme(), id, certificates }
    }

    /// Writes the ResponseData of a response with `answers`, at least one.
    pub fn prepare(
        &self,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        produced_at: UnixTime,
    ) -> PreparedResponse<'_> {
        let mut writer = Writer::with_capacity(256);
        writer.sequence(|w| {
            w.raw(&self.id);
            w.generalized_time(produced_at);
            w.sequence(|w| answers.iter().for_each(|answer| write_answer(w, answer)));
            if let Some(nonce) = nonce {
                w.nested(tag::constructed(1), |w| write_nonce(w, nonce));
            }
        });
        PreparedResponse { responder: self, tbs: writer.finish() }
    }

    /// Makes the response for one certificate ahead of the requests for it.
    ///
    /// # Errors
    /// As [`PreparedResponse::sign`].
    pub fn presign(
        &self,
        answer: &Answer,
        produced_at: UnixTime,
        signer: &dyn Signer,
    ) -> Result<Presigned, OcspError> {
        let der = self.prepare(std::slice::from_ref(answer), None, produced_at).sign(signer)?;
        Ok(Presigned {
            der: der.into(),
            this_update: answer.this_update,
            next_update: answer.next_update,
        })
    }
}

/// A delegate's certificate says so: OCSPSigning and the right to sign.
pub(super) fn check_delegate(certificate: &Certificate) -> Result<(), OcspError> {
    let extensions = certificate.extensions();
    let purposes = extensions.extended_key_usage().unwrap_or_default();
    if !purposes.contains(&oid::KP_OCSP_SIGNING) {
        return Err(OcspError::Responder("its certificate is not for OCSP signing"));
    }
    if extensions.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
        return Err(OcspError::Responder("its key may not sign"));
    }
    Ok(())
}

/// A ResponseData that waits for its signature.
#[derive(Clone, Debug)]
pub struct PreparedResponse<'a> {
    responder: &'a Responder,
    tbs: Vec<u8>,
}

impl PreparedResponse<'_> {
    /// The bytes to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Signs; returns the complete OCSPResponse in DER.
    ///
    /// # Errors
    /// [`OcspError::Responder`] where `signer` is another key, [`OcspError::Sign`].
    pub fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, OcspError> {
        let Self { responder, tbs } = self;
        if *signer.public_key() != responder.key {
            return Err(OcspError::Responder("the signing key is another one"));
        }
        let signature = signer.sign(responder.scheme, &tbs)?;
        let certificates = &responder.certificates;
        let mut w = Writer::with_capacity(tbs.len() + signature.len() + certificates.len() + 96);
        w.sequence(|w| {
            w.enumerated(0); // successful
            w.nested(tag::constructed(0), |w| {
                w.sequence(|w| {
                    w.oid(&BASIC_RESPONSE);
                    w.nested(tag::OCTET_STRING, |w| {
                        w.sequence(|w| {
                            w.raw(&tbs);
                            w.raw(responder.scheme.algorithm_identifier());
                            w.bit_string(&signature);
                            w.raw(certificates);
                        });
                    });
                });
            });
        });
        Ok(w.finish())
    }
}

fn write_answer(w: &mut Writer, answer: &Answer) {
    w.sequence(|w| {
        answer.id.write(w);
        match answer.status {
            CertStatus::Good => w.tlv(tag::context(0), &[]),
            CertStatus::Unknown => w.tlv(tag::context(2), &[]),
            CertStatus::Revoked { at, reason } => w.nested(tag::constructed(1), |w| {
                w.generalized_time(at);
                // "unspecified" is said by saying nothing, as in CRLs.
                if reason != RevocationReason::Unspecified {
                    w.nested(tag::constructed(0), |w| w.enumerated(reason.code()));
                }
            }),
        }
        w.generalized_time(answer.this_update);
        if let Some(next) = answer.next_update {
            w.nested(tag::constructed(0), |w| w.generalized_time(next));
        }
    });
}

/// A response made ahead of its requests. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    der: Arc<[u8]>,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
}

impl Presigned {
    /// The complete OCSPResponse in DER.
    pub fn der(&self) -> &Arc<[u8]> {
        &self.der
    }

    /// When there will be newer information at the latest.
    pub fn next_update(&self) -> Option<UnixTime> {
        self.next_update
    }

    /// Whether it may still be given out at `now`.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.this_update <= now && self.next_update.is_some_and(|next| now < next)
    }

    /// The headers that let caches keep it.
    pub fn caching(&self, now: UnixTime) -> Caching {
        Caching::of(&self.der, self.this_update, self.next_update.unwrap_or(now), now)
    }
}

/// HTTP caching headers of a response (RFC 5019 section 6.2), as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caching {
    /// `Cache-Control: max-age=…, public, no-transform, must-revalidate`, in seconds
    pub max_age_s: u32,
    /// `ETag`, quotes included: SHA-256 of the response
    pub etag: String,
    /// `Last-Modified`: thisUpdate
    pub last_modified: UnixTime,
    /// `Expires`: nextUpdate
    pub expires: UnixTime,
}

impl Caching {
    /// Headers of something that is right from `this_update` until `next_update`; CRLs too.
    pub fn of(bytes: &[u8], this_update: UnixTime, next_update: UnixTime, now: UnixTime) -> Self {
        Self {
            max_age_s: u32::try_from(next_update.since(now).max(0)).unwrap_or(u32::MAX),
            etag: format!("\"{}\"", sha256(bytes)),
            last_modified: this_update,
            expires: next_update,
        }
    }

    /// Value of `Cache-Control`.
    pub fn cache_control(&self) -> String {
        format!("max-age={}, public, no-transform, must-revalidate", self.max_age_s)
    }

    /// Value of `Last-Modified`.
    pub fn last_modified(&self) -> String {
        http_date(self.last_modified)
    }

    /// Value of `Expires`.
    pub fn expires(&self) -> String {
        http_date(self.expires)
    }
}

/// IMF-fixdate (RFC 9110 section 5.6.7).
fn http_date(time: UnixTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, hour, minute, second) =
        time.civil().unwrap_or((9999, 12, 31, 23, 59, 59));
    let weekday = usize::try_from(time.0.div_euclid(86_400).rem_euclid(7)).unwrap_or(0);
    let weekday = DAYS.get(weekday).copied().unwrap_or("Thu");
    let month = MONTHS.get(usize::from(month.saturating_sub(1))).copied().unwrap_or("Jan");
    let mut out = String::with_capacity(29);
    // Writing to a String does not fail.
    let _ = write!(out, "{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates() {
        // the example of RFC 9110 section 5.6.7
        assert_eq!(http_date(UnixTime(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(UnixTime(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn caching_ends_with_the_answer() {
        let check = |now, max_age_s| {
            let caching = Caching::of(b"response", UnixTime(1000), UnixTime(2000), UnixTime(now));
            assert_eq!(caching.max_age_s, max_age_s);
            assert_eq!((caching.last_modified.0, caching.expires.0), (1000, 2000));
        };
        check(1000, 1000);
        check(1999, 1);
        check(2500, 0);
    }
}
