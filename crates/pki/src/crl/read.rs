use super::{
    CRL_BYTES_MAX, CRL_NUMBER, CrlError, DELTA_CRL_INDICATOR, INVALIDITY_DATE,
    ISSUING_DISTRIBUTION_POINT, REASON_CODE, RevocationReason, RevokedEntry,
};
use crate::{
    Certificate, GeneralName, KeyUsage, Name, ObjectIdentifier, Serial,
    certificate::range,
    oid,
    strict::{self, DerError, Reader, only},
    time,
    write::tag,
};
use crypto::{SignatureScheme, UnixTime, Verified};
use std::{ops::Range, sync::Arc};

/// A list as received: parsed, not verified. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Crl(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    der: Vec<u8>,
    tbs: Range<usize>,
    issuer: Range<usize>,
    signature: Range<usize>,
    scheme: SignatureScheme,
    this_update: UnixTime,
    next_update: UnixTime,
    // sorted by serial number
    entries: Vec<RevokedEntry>,
    extensions: ListExtensions,
}

#[derive(Debug, Default)]
struct ListExtensions {
    number: Option<u64>,
    base_number: Option<u64>,
    authority_key_identifier: Option<Vec<u8>>,
    // URLs of issuingDistributionPoint; `None` where the list has none
    point: Option<Vec<GeneralName>>,
    only_user_certificates: bool,
    only_ca_certificates: bool,
}

impl Crl {
    /// Reads a list in DER. Indirect lists and lists by reason or for attribute certificates are
    /// refused: they would need other rules.
    ///
    /// # Errors
    /// [`CrlError`]
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        parse(der).map(|inner| Self(Arc::new(inner)))
    }

    /// The list as received.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Issuer's name.
    pub fn issuer(&self) -> Name<'_> {
        Name::trusted(self.slice(&self.0.issuer))
    }

    /// When it was made.
    pub fn this_update(&self) -> UnixTime {
        self.0.this_update
    }

    /// When the next one comes at the latest.
    pub fn next_update(&self) -> UnixTime {
        self.0.next_update
    }

    /// Whether it may be relied on at `now`.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.0.this_update <= now && now <= self.0.next_update
    }

    /// crlNumber.
    pub fn number(&self) -> Option<u64> {
        self.0.extensions.number
    }

    /// For a delta CRL: the crlNumber of the list that it changes.
    pub fn base_number(&self) -> Option<u64> {
        self.0.extensions.base_number
    }

    /// Everything revoked or suspended, sorted by serial number.
    pub fn entries(&self) -> &[RevokedEntry] {
        &self.0.entries
    }

    /// Checks that `issuer` made it: its name, its key identifier, its right to sign lists, the
    /// signature. Whether `issuer` itself is to be believed is [`crate::validate`]'s matter.
    ///
    /// # Errors
    /// [`CrlError::OtherIssuer`], [`CrlError::Key`].
    pub fn verify(&self, issuer: &Certificate) -> Result<Verified<&Self>, CrlError> {
        let refuse = |why| Err(CrlError::OtherIssuer(why));
        if !self.issuer().matches(&issuer.subject()) {
            return refuse("its name is another one");
        }
        let extensions = issuer.extensions();
        if let (Some(theirs), Some(own)) =
            (&self.0.extensions.authority_key_identifier, extensions.subject_key_identifier())
            && theirs != own
        {
            return refuse("its key identifier is another one");
        }
        if extensions.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::CRL_SIGN)) {
            return refuse("its key may not sign CRLs");
        }
        let key = issuer.public_key().map_err(|error| CrlError::Key(error.clone()))?;
        let (tbs, signature) = (self.slice(&self.0.tbs), self.slice(&self.0.signature));
        key.verify(self.0.scheme, tbs, signature).map_err(CrlError::Key)?;
        Ok(Verified::assertion(self))
    }

    /// Whether this list is the one that would name `certificate` (RFC 5280 section 6.3.3 steps
    /// b.1 and b.2): the same issuer, a distribution point in common, the right kind of subject.
    pub fn covers(&self, certificate: &Certificate) -> bool {
        let scope = &self.0.extensions;
        let kind = if certificate.is_ca() {
            !scope.only_user_certificates
        } else {
            !scope.only_ca_certificates
        };
        let points = certificate.extensions().crl_distribution_points();
        let point = match &scope.point {
            // Nothing names the list: it stands for the issuer's whole.
            None => true,
            Some(names) => names.is_empty() || names.iter().any(|name| points.contains(name)),
        };
        kind && point && self.issuer().matches(&certificate.issuer())
    }

    /// The entry of `serial` in this list alone.
    pub fn entry(&self, serial: &Serial) -> Option<&RevokedEntry> {
        let entries = &self.0.entries;
        let at = entries.binary_search_by_key(serial, |entry| entry.serial).ok()?;
        entries.get(at)
    }

    /// Whether `serial` is revoked or suspended by this list alone.
    pub fn is_revoked(&self, serial: &Serial) -> bool {
        self.entry(serial).is_some_and(|entry| entry.reason != RevocationReason::RemoveFromCrl)
    }

    /// The entry of `serial` in this list as `delta` changes it (RFC 5280 section 5.2.4): an entry
    /// of the delta wins, and removeFromCRL takes a suspension back.
    ///
    /// # Errors
    /// [`CrlError::Refused`] where the two do not belong together.
    pub fn entry_with_delta<'a>(
        &'a self,
        delta: &'a Self,
        serial: &Serial,
    ) -> Result<Option<&'a RevokedEntry>, CrlError> {
        let (ours, changes) = (&self.0.extensions, &delta.0.extensions);
        let fits = match (ours.number, changes.base_number, changes.number) {
            (Some(number), Some(base), Some(after)) => base <= number && number < after,
            _ => false,
        };
        let same_scope = ours.point == changes.point
            && ours.only_user_certificates == changes.only_user_certificates
            && ours.only_ca_certificates == changes.only_ca_certificates
            && ours.authority_key_identifier == changes.authority_key_identifier
            && self.issuer().matches(&delta.issuer());
        if !fits || !same_scope || ours.base_number.is_some() {
            return Err(CrlError::Refused("the delta CRL does not belong to this CRL"));
        }
        Ok(match delta.entry(serial) {
            Some(entry) if entry.reason == RevocationReason::RemoveFromCrl => None,
            Some(entry) => Some(entry),
            None => self.entry(serial),
        })
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.0.der.get(range.clone()).unwrap_or_default()
    }
}

fn parse(der: &[u8]) -> Result<Inner, CrlError> {
    let at = |field| move |DerError(reason)| CrlError::Malformed { field, reason };
    let refuse = |field, reason| Err(CrlError::Malformed { field, reason });
    if der.len() > CRL_BYTES_MAX {
        return refuse("list", "is longer than 16 MiB");
    }
    let mut outer = Reader::new(only(der, tag::SEQUENCE).map_err(at("certificateList"))?.value);
    let tbs = outer.expect(tag::SEQUENCE).map_err(at("tbsCertList"))?;
    let algorithm = outer.expect(tag::SEQUENCE).map_err(at("signatureAlgorithm"))?;
    let signature = outer.whole_bits().map_err(at("signatureValue"))?;
    outer.finish().map_err(at("certificateList"))?;

    let mut fields = Reader::new(tbs.value);
    // Version 1 has no extensions and so no crlNumber: nobody makes it today.
    if fields.expect(tag::INTEGER).map_err(at("version"))?.value != [1] {
        return refuse("version", "is not 2");
    }
    if fields.expect(tag::SEQUENCE).map_err(at("signature"))?.whole != algorithm.whole {
        return refuse("signature", "is another algorithm than outside of the signed part");
    }
    let scheme =
        SignatureScheme::from_algorithm_identifier(algorithm.whole).map_err(CrlError::Scheme)?;
    let issuer = fields.expect(tag::SEQUENCE).map_err(at("issuer"))?;
    Name::parse(issuer.whole).map_err(at("issuer"))?;
    let this_update = time::read(&mut fields).map_err(at("thisUpdate"))?.at;
    if !matches!(fields.peek(), Some(tag::UTC_TIME | tag::GENERALIZED_TIME)) {
        return refuse("nextUpdate", "is missing");
    }
    let next_update = time::read(&mut fields).map_err(at("nextUpdate"))?.at;
    let list = fields.optional(tag::SEQUENCE).map_err(at("revokedCertificates"))?;
    let extensions = fields.expect(tag::constructed(0)).map_err(at("crlExtensions"))?;
    fields.finish().map_err(at("tbsCertList"))?;
    let extensions = parse_extensions(extensions.value)?;

    let mut list = Reader::new(list.map_or(&[][..], |tlv| tlv.value));
    let mut entries = Vec::new();
    while !list.is_empty() {
        let entry = parse_entry(list.sequence().map_err(at("revokedCertificates"))?)?;
        if entry.reason == RevocationReason::RemoveFromCrl && extensions.base_number.is_none() {
            return refuse("reasonCode", "is removeFromCRL outside of a delta CRL");
        }
        entries.push(entry);
    }
    entries.sort_unstable_by_key(|entry: &RevokedEntry| entry.serial);
    if entries.windows(2).any(|pair| matches!(pair, [a, b] if a.serial == b.serial)) {
        return refuse("revokedCertificates", "has a serial number twice");
    }
    Ok(Inner {
        tbs: range(der, tbs.whole),
        issuer: range(der, issuer.whole),
        signature: range(der, signature),
        scheme,
        this_update,
        next_update,
        entries,
        extensions,
        der: der.to_vec(),
    })
}

fn parse_entry(mut fields: Reader<'_>) -> Result<RevokedEntry, CrlError> {
    let at = |field| move |DerError(reason)| CrlError::Malformed { field, reason };
    let serial = fields
        .expect(tag::INTEGER)
        .and_then(|tlv| Serial::from_contents(tlv.value))
        .map_err(at("userCertificate"))?;
    let revoked_at = time::read(&mut fields).map_err(at("revocationDate"))?.at;
    let extensions = fields.optional(tag::SEQUENCE).map_err(at("crlEntryExtensions"))?;
    fields.finish().map_err(at("revokedCertificates"))?;
    let mut reason = RevocationReason::Unspecified;
    let mut list = Reader::new(extensions.map_or(&[][..], |tlv| tlv.value));
    let mut count = 0;
    while !list.is_empty() {
        let (oid, critical, value) = extension(&mut list).map_err(at("crlEntryExtensions"))?;
        count += 1;
        if count > 8 {
            return Err(at("crlEntryExtensions")(DerError("are more than 8")));
        }
        match oid {
            REASON_CODE => {
                let code = only(value, tag::ENUMERATED).map_err(at("reasonCode"))?.value;
                let known = match code {
                    [code] => RevocationReason::from_code(*code),
                    _ => None,
                };
                reason = known.ok_or(DerError("does not exist")).map_err(at("reasonCode"))?;
            }
            INVALIDITY_DATE => {}
            _ if critical => return Err(CrlError::CriticalExtension(oid)),
            _ => {}
        }
    }
    Ok(RevokedEntry { serial, at: revoked_at, reason })
}

fn parse_extensions(der: &[u8]) -> Result<ListExtensions, CrlError> {
    let at = |field| move |DerError(reason)| CrlError::Malformed { field, reason };
    // Twice the same extension, and a malformed AKI, are refused here.
    let all = crate::Extensions::from_der(der).map_err(CrlError::Extensions)?;
    let mut out = ListExtensions {
        authority_key_identifier: all
            .authority_key_identifier()
            .and_then(|id| id.key_identifier.clone()),
        ..ListExtensions::default()
    };
    for extension in all.all() {
        match extension.oid {
            // RFC 5280 section 5.2.3: never critical, always there.
            CRL_NUMBER if extension.critical => {
                return Err(at("crlNumber")(DerError("is critical")));
            }
            CRL_NUMBER => {
                out.number = Some(number(&extension.value).map_err(at("crlNumber"))?);
            }
            DELTA_CRL_INDICATOR => {
                out.base_number = Some(number(&extension.value).map_err(at("deltaCRLIndicator"))?);
            }
            ISSUING_DISTRIBUTION_POINT => {
                parse_issuing_distribution_point(&extension.value, &mut out)
                    .map_err(at("issuingDistributionPoint"))?;
            }
            oid::AUTHORITY_KEY_IDENTIFIER => {}
            unknown if extension.critical => return Err(CrlError::CriticalExtension(unknown)),
            _ => {}
        }
    }
    if out.number.is_none() {
        return Err(at("crlNumber")(DerError("is missing")));
    }
    Ok(out)
}

fn parse_issuing_distribution_point(
    value: &[u8],
    out: &mut ListExtensions,
) -> Result<(), DerError> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut names = Vec::new();
    if let Some(point) = fields.optional(tag::constructed(0))? {
        let mut full = Reader::new(only(point.value, tag::constructed(0))?.value);
        while !full.is_empty() {
            let name = full.any()?;
            if name.tag != tag::context(6) {
                return Err(DerError("has a name that is not a URL"));
            }
            let url = std::str::from_utf8(name.value).map_err(|_| DerError("has a bad URL"))?;
            names.push(GeneralName::Uri(url.to_owned()));
        }
    }
    out.point = Some(names);
    let mut flag = |number| match fields.optional(tag::context(number))? {
        None => Ok(false),
        Some(tlv) if tlv.value == [0xff] => Ok(true),
        Some(_) => Err(DerError("has a flag that is not TRUE")),
    };
    out.only_user_certificates = flag(1)?;
    out.only_ca_certificates = flag(2)?;
    // onlySomeReasons [3], indirectCRL [4], onlyContainsAttributeCerts [5]
    if !fields.is_empty() {
        return Err(DerError("restricts the CRL in a way that is not supported"));
    }
    Ok(())
}

fn extension<'a>(list: &mut Reader<'a>) -> Result<(ObjectIdentifier, bool, &'a [u8]), DerError> {
    let mut entry = list.sequence()?;
    let oid = entry.oid()?;
    let critical = entry.default_false()?;
    let value = entry.expect(tag::OCTET_STRING)?.value;
    entry.finish()?;
    Ok((oid, critical, value))
}

/// An INTEGER from 0 to 2^64 − 1.
fn number(der: &[u8]) -> Result<u64, DerError> {
    let contents = strict::integer(only(der, tag::INTEGER)?.value)?;
    let digits = contents.strip_prefix(&[0]).unwrap_or(contents);
    if contents.first().is_some_and(|byte| *byte >= 0x80) || digits.len() > 8 {
        return Err(DerError("is negative or above 2^64"));
    }
    Ok(digits.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}
