use super::{
    Answer, BASIC_RESPONSE, CertId, CertStatus, ErrorStatus, OcspError, at, nonce_among,
    response::check_delegate,
};
use crate::{
    Certificate, Name,
    certificate::range,
    crl::RevocationReason,
    strict::{DerError, Reader, only, tag},
    time,
    write::tag::ENUMERATED,
};
use crypto::{SignatureScheme, UnixTime, Verified};
use std::ops::Range;

/// Largest response read, in bytes: ML-DSA-87 with its delegate's certificate stays below 24 KiB.
pub const RESPONSE_BYTES_MAX: usize = 128 * 1024;
const CERTIFICATES_MAX: usize = 8;

/// A successful response as received: parsed, not verified.
#[derive(Clone, Debug)]
pub struct OcspResponse {
    der: Vec<u8>,
    tbs: Range<usize>,
    signature: Range<usize>,
    scheme: SignatureScheme,
    responder: ResponderId,
    produced_at: UnixTime,
    answers: Vec<Answer>,
    nonce: Option<Vec<u8>>,
    certificates: Vec<Certificate>,
}

#[derive(Clone, Debug)]
enum ResponderId {
    Name(Vec<u8>),
    Key(Vec<u8>),
}

impl ResponderId {
    fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Name(der) => {
                Name::parse(der).is_ok_and(|name| name.matches(&certificate.subject()))
            }
            Self::Key(hash) => {
                certificate.public_key().is_ok_and(|key| *hash == key.sha1_identifier())
            }
        }
    }
}

impl OcspResponse {
    /// Reads a response in DER.
    ///
    /// # Errors
    /// [`OcspError::Status`] where the responder answered with an error, else why it cannot be
    /// read.
    pub fn parse(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > RESPONSE_BYTES_MAX {
            return Err(at("response")(DerError("is longer than 128 KiB")));
        }
        let mut outer = Reader::new(only(der, tag::SEQUENCE).map_err(at("response"))?.value);
        let status = outer.expect(ENUMERATED).map_err(at("responseStatus"))?.value;
        match status {
            [0] => {}
            [code] => {
                let unknown = || at("responseStatus")(DerError("does not exist"));
                let status = ErrorStatus::from_code(*code).ok_or_else(unknown)?;
                return Err(OcspError::Status(status));
            }
            _ => return Err(at("responseStatus")(DerError("does not exist"))),
        }
        let bytes = outer.expect(tag::constructed(0)).map_err(at("responseBytes"))?.value;
        outer.finish().map_err(at("response"))?;
        let mut bytes = Reader::new(only(bytes, tag::SEQUENCE).map_err(at("responseBytes"))?.value);
        if bytes.oid().map_err(at("responseType"))? != BASIC_RESPONSE {
            return Err(at("responseType")(DerError("is not id-pkix-ocsp-basic")));
        }
        let basic = bytes.expect(tag::OCTET_STRING).map_err(at("response"))?.value;
        bytes.finish().map_err(at("responseBytes"))?;
        parse_basic(der, basic)
    }

    /// The response as received.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// When it was signed. Unverified until [`Self::verify`] succeeded, as everything here.
    pub fn produced_at(&self) -> UnixTime {
        self.produced_at
    }

    /// Every answer in it.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// The nonce that it echoes.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The answer about `id`.
    pub fn answer(&self, id: &CertId) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.id == *id)
    }

    /// The answer about `certificate`, by whichever hash its issuer is named.
    pub fn answer_about(&self, certificate: &Certificate, issuer: &Certificate) -> Option<&Answer> {
        let key = issuer.public_key().ok()?;
        super::IssuerHash::both(certificate.issuer_der(), key)
            .into_iter()
            .find_map(|issuer| self.answer(&CertId { issuer, serial: *certificate.serial() }))
    }

    /// Checks that `issuer`, or a delegate that `issuer` itself certified and that is valid at
    /// `now`, signed it (RFC 6960 sections 3.2 and 4.2.2.2). Whether `issuer` is to be believed is
    /// [`crate::validate`]'s matter; whether the answer is recent, [`Answer::is_current`]'s.
    ///
    /// # Errors
    /// [`OcspError::Responder`], [`OcspError::Key`].
    pub fn verify(
        &self,
        issuer: &Certificate,
        now: UnixTime,
    ) -> Result<Verified<&Self>, OcspError> {
        let signer = if self.responder.names(issuer) {
            issuer
        } else {
            let delegate = self
                .certificates
                .iter()
                .find(|certificate| self.responder.names(certificate))
                .ok_or(OcspError::Responder("its certificate is not in the response"))?;
            check_delegation(delegate, issuer, now)?;
            delegate
        };
        let slice = |range: &Range<usize>| self.der.get(range.clone()).unwrap_or_default();
        signer
            .public_key()
            .map_err(|error| OcspError::Key(error.clone()))?
            .verify(self.scheme, slice(&self.tbs), slice(&self.signature))
            .map_err(OcspError::Key)?;
        Ok(Verified::assertion(self))
    }
}

fn check_delegation(
    delegate: &Certificate,
    issuer: &Certificate,
    now: UnixTime,
) -> Result<(), OcspError> {
    check_delegate(delegate)?;
    if !delegate.issuer().matches(&issuer.subject()) {
        return Err(OcspError::Responder("its certificate is another issuer's"));
    }
    let scheme = delegate.signature_scheme().map_err(|error| OcspError::Scheme(error.clone()))?;
    issuer
        .public_key()
        .map_err(|error| OcspError::Key(error.clone()))?
        .verify(scheme, delegate.tbs_der(), delegate.signature())
        .map_err(|_| OcspError::Responder("its certificate is not signed by the issuer"))?;
    if !delegate.is_valid_at(now) {
        return Err(OcspError::Responder("its certificate is not valid at this time"));
    }
    Ok(())
}

fn parse_basic(der: &[u8], basic: &[u8]) -> Result<OcspResponse, OcspError> {
    let mut outer = Reader::new(only(basic, tag::SEQUENCE).map_err(at("basicResponse"))?.value);
    let tbs = outer.expect(tag::SEQUENCE).map_err(at("responseData"))?;
    let algorithm = outer.expect(tag::SEQUENCE).map_err(at("signatureAlgorithm"))?;
    let signature = outer.whole_bits().map_err(at("signature"))?;
    let certs = outer.optional(tag::constructed(0)).map_err(at("certs"))?;
    outer.finish().map_err(at("basicResponse"))?;
    let scheme =
        SignatureScheme::from_algorithm_identifier(algorithm.whole).map_err(OcspError::Scheme)?;
    let mut certificates = Vec::new();
    if let Some(certs) = certs {
        let mut list = Reader::new(only(certs.value, tag::SEQUENCE).map_err(at("certs"))?.value);
        while !list.is_empty() {
            if certificates.len() >= CERTIFICATES_MAX {
                return Err(at("certs")(DerError("are more than 8")));
            }
            let tlv = list.expect(tag::SEQUENCE).map_err(at("certs"))?;
            certificates.push(Certificate::from_der(tlv.whole).map_err(OcspError::Certificate)?);
        }
    }

    let mut fields = Reader::new(tbs.value);
    if let Some(version) = fields.optional(tag::constructed(0)).map_err(at("version"))?
        && version.value != [2, 1, 0]
    {
        return Err(at("version")(DerError("is not 1")));
    }
    let id = fields.any().map_err(at("responderID"))?;
    let responder = match id.tag {
        _ if id.tag == tag::constructed(1) => {
            Name::parse(id.value).map_err(at("responderID"))?;
            ResponderId::Name(id.value.to_vec())
        }
        _ if id.tag == tag::constructed(2) => {
            let hash = only(id.value, tag::OCTET_STRING).map_err(at("responderID"))?;
            ResponderId::Key(hash.value.to_vec())
        }
        _ => return Err(at("responderID")(DerError("is neither a name nor a key"))),
    };
    let produced_at = generalized(&mut fields).map_err(at("producedAt"))?;
    let mut list = fields.sequence().map_err(at("responses"))?;
    let mut answers = Vec::new();
    while !list.is_empty() {
        if answers.len() >= super::REQUESTS_MAX {
            return Err(at("responses")(DerError("are more than 16")));
        }
        answers.push(parse_answer(list.sequence().map_err(at("singleResponse"))?)?);
    }
    let nonce = match fields.optional(tag::constructed(1)).map_err(at("responseExtensions"))? {
        Some(extensions) => nonce_among(extensions.value)?,
        None => None,
    };
    fields.finish().map_err(at("responseData"))?;
    Ok(OcspResponse {
        tbs: range(der, tbs.whole),
        signature: range(der, signature),
        scheme,
        responder,
        produced_at,
        answers,
        nonce,
        certificates,
        der: der.to_vec(),
    })
}

fn parse_answer(mut fields: Reader<'_>) -> Result<Answer, OcspError> {
    let id = CertId::read(&mut fields)?;
    let status = fields.any().map_err(at("certStatus"))?;
    let status = match status.tag {
        _ if status.tag == tag::context(0) && status.value.is_empty() => CertStatus::Good,
        _ if status.tag == tag::context(2) && status.value.is_empty() => CertStatus::Unknown,
        _ if status.tag == tag::constructed(1) => {
            let mut revoked = Reader::new(status.value);
            let since = generalized(&mut revoked).map_err(at("revocationTime"))?;
            let reason = match revoked.optional(tag::constructed(0)).map_err(at("reason"))? {
                None => RevocationReason::Unspecified,
                Some(tlv) => match only(tlv.value, ENUMERATED).map_err(at("reason"))?.value {
                    [code] => RevocationReason::from_code(*code)
                        .ok_or(DerError("does not exist"))
                        .map_err(at("reason"))?,
                    _ => return Err(at("reason")(DerError("does not exist"))),
                },
            };
            revoked.finish().map_err(at("revokedInfo"))?;
            CertStatus::Revoked { at: since, reason }
        }
        _ => return Err(at("certStatus")(DerError("is none of good, revoked, unknown"))),
    };
    let this_update = generalized(&mut fields).map_err(at("thisUpdate"))?;
    let next_update = match fields.optional(tag::constructed(0)).map_err(at("nextUpdate"))? {
        None => None,
        Some(tlv) => {
            let mut inner = Reader::new(tlv.value);
            let next = generalized(&mut inner).map_err(at("nextUpdate"))?;
            inner.finish().map_err(at("nextUpdate"))?;
            Some(next)
        }
    };
    if let Some(extensions) =
        fields.optional(tag::constructed(1)).map_err(at("singleExtensions"))?
    {
        nonce_among(extensions.value)?;
    }
    fields.finish().map_err(at("singleResponse"))?;
    Ok(Answer { id, status, this_update, next_update })
}

fn generalized(fields: &mut Reader<'_>) -> Result<UnixTime, DerError> {
    time::generalized(fields.expect(tag::GENERALIZED_TIME)?.value)
}
