//! Revocation status by OCSP (RFC 6960, RFC 5019): answers are signed once, kept in memory by CA
//! and serial number, and forgotten in the commit that changes them.

use crate::{Service, ServiceError, ca::CaEntry, keys::Use, live::HOLD, store};
use crypto::UnixTime;
use pki::{
    Serial,
    crl::RevocationReason,
    ocsp::{
        Answer, Caching, CertId, CertStatus, ErrorStatus, IssuerHash, OcspRequest, Presigned,
        Responder,
    },
};
use std::sync::Arc;

/// Under what an answer is kept: the hash function is part of the answer's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AnswerKey {
    ca: i64,
    serial: Box<[u8]>,
    sha256: bool,
}

impl AnswerKey {
    pub(crate) fn new(ca: i64, serial: &[u8], sha256: bool) -> Self {
        Self { ca, serial: serial.into(), sha256 }
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct OcspAnswer {
    /// OCSPResponse in DER
    pub der: Arc<[u8]>,
    /// what it is where it was signed ahead, and when it was asked for
    kept: Option<(Arc<Presigned>, UnixTime)>,
}

impl OcspAnswer {
    fn new(der: impl Into<Arc<[u8]>>) -> Self {
        Self { der: der.into(), kept: None }
    }

    /// HTTP caching headers; `None` where nobody may keep it: errors, nonces, unknown certificates.
    /// They cost a hash of the answer.
    pub fn caching(&self) -> Option<Caching> {
        self.kept.as_ref().map(|(answer, now)| answer.caching(*now))
    }
}

impl Service {
    /// Answers an OCSP request in DER. Public. What cannot be answered becomes an OCSP error
    /// response, as the protocol has it.
    ///
    /// # Errors
    /// None that a client could mend; `Unavailable` and `Fatal` where the store fails.
    pub async fn ocsp_answer(&self, request: &[u8]) -> Result<OcspAnswer, ServiceError> {
        let error = |status: ErrorStatus| OcspAnswer::new(status.to_der());
        let request = match OcspRequest::parse(request) {
            Ok(request) => request,
            Err(bad) => return Ok(error(bad.status())),
        };
        let index = self.ca_index()?;
        let Some(ca) = request.ids.first().and_then(|id| index.by_hash(&id.issuer)) else {
            return Ok(error(ErrorStatus::Unauthorized));
        };
        // One response has one signer: a request across issuers is not answered.
        let same = |id: &CertId| index.by_hash(&id.issuer).is_some_and(|other| other.id == ca.id);
        if !request.ids.iter().all(same) {
            return Ok(error(ErrorStatus::Unauthorized));
        }
        let now = self.now();
        match (request.ids.as_slice(), &request.nonce) {
            ([id], None) => self.presigned(ca, id, now),
            (ids, nonce) => {
                let answers =
                    ids.iter().map(|id| self.status(ca, id, now)).collect::<Result<Vec<_>, _>>()?;
                let der = self.sign_answers(ca, &answers, nonce.as_deref(), now)?;
                Ok(OcspAnswer::new(der))
            }
        }
    }

    fn presigned(
        &self,
        ca: &Arc<CaEntry>,
        id: &CertId,
        now: UnixTime,
    ) -> Result<OcspAnswer, ServiceError> {
        let sha256 = matches!(id.issuer, IssuerHash::Sha256 { .. });
        let key = AnswerKey::new(ca.id, id.serial.as_bytes(), sha256);
        let cached = self.live.ocsp.get_or_load(key.clone(), || self.presign(ca, id, now))?;
        let answer = if cached.is_current(now) {
            cached
        } else {
            self.live.ocsp.forget(&key);
            self.live.ocsp.get_or_load(key.clone(), || self.presign(ca, id, now))?
        };
        // An unknown serial number may be issued in the next moment.
        let unknown = answer.next_update().is_none();
        if unknown {
            self.live.ocsp.forget(&key);
        }
        let der = Arc::clone(answer.der());
        Ok(OcspAnswer { der, kept: (!unknown).then_some((answer, now)) })
    }

    fn presign(
        &self,
        ca: &Arc<CaEntry>,
        id: &CertId,
        now: UnixTime,
    ) -> Result<Arc<Presigned>, ServiceError> {
        let answer = self.status(ca, id, now)?;
        let (responder, key) = responder(ca, now)?;
        let signer = self.read(|connection| self.keys.signer(connection, key))?;
        let signed = responder.presign(&answer, now, signer.as_ref()).map_err(failed)?;
        self.account(key, now);
        Ok(Arc::new(signed))
    }

    fn sign_answers(
        &self,
        ca: &Arc<CaEntry>,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<Vec<u8>, ServiceError> {
        let (responder, key) = responder(ca, now)?;
        let signer = self.read(|connection| self.keys.signer(connection, key))?;
        let der = responder.prepare(answers, nonce, now).sign(signer.as_ref()).map_err(failed)?;
        self.account(key, now);
        Ok(der)
    }

    /// Counted without waiting: an answer tells nobody anything that it must not.
    fn account(&self, key: i64, now: UnixTime) {
        self.store.writer.queue_quietly(move |tx| {
            store::key::count_key_use(tx, key, Use::OcspAnswer as u8, now, 1)
        });
    }

    fn status(
        &self,
        ca: &Arc<CaEntry>,
        id: &CertId,
        now: UnixTime,
    ) -> Result<Answer, ServiceError> {
        let serial = id.serial.as_bytes();
        let status = match self.live.revoked(ca.id, serial) {
            Some(revoked) => CertStatus::Revoked { at: revoked.at, reason: reason(revoked.reason) },
            None => {
                use store::certificate::Status;
                let row = self.read(|connection| {
                    store::certificate::certificate(connection, ca.id, serial)
                })?;
                match row.map(|row| row.status) {
                    Some(Status::Good) => CertStatus::Good,
                    // Between its commit and memory, for microseconds.
                    Some(Status::Revoked | Status::Suspended | Status::Abandoned) => {
                        CertStatus::Revoked { at: now, reason: RevocationReason::Unspecified }
                    }
                    None => CertStatus::Unknown,
                }
            }
        };
        let known = status != CertStatus::Unknown;
        let next_update = known.then(|| now.plus(self.config.ocsp_validity_s));
        Ok(Answer { id: *id, status, this_update: now, next_update })
    }
}

/// A stored reason.
pub(crate) fn reason(code: u8) -> RevocationReason {
    debug_assert!(RevocationReason::CertificateHold.code() == HOLD);
    RevocationReason::from_code(code).unwrap_or(RevocationReason::Unspecified)
}

/// A stored serial number.
pub(crate) fn serial(bytes: &[u8]) -> Result<Serial, ServiceError> {
    Serial::from_be_bytes(bytes)
        .ok_or_else(|| ServiceError::fatal("store-damaged", "a serial number is damaged"))
}

/// The delegate, while its certificate is valid; else the CA itself.
fn responder(ca: &CaEntry, now: UnixTime) -> Result<(Responder, i64), ServiceError> {
    match &ca.ocsp {
        Some((key, certificate)) if certificate.is_valid_at(now) => {
            Ok((Responder::delegated(certificate).map_err(failed)?, *key))
        }
        _ => Ok((Responder::issuer(ca.issuer.public_key()), ca.key)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn failed(error: pki::ocsp::OcspError) -> ServiceError {
    ServiceError::fatal("ocsp-signer", error.to_string())
}
