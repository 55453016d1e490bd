use super::{Path, PathError};
use crate::{
    Certificate, Crl,
    crl::{CrlError, RevocationReason, RevokedEntry},
};
use crypto::UnixTime;

/// Applies CRLs to every certificate of `path` but the anchor (RFC 5280 section 6.3).
///
/// Each needs a complete CRL that its issuer's key of the path signed, that covers it and that is
/// current at `time`; a delta CRL that fits is applied. `crls` may be in any order and hold others.
///
/// # Errors
/// [`PathError::Revoked`], [`PathError::Suspended`], or [`PathError::RevocationUnknown`] where no
/// such CRL is at hand. The certificate nearest to the anchor is told first.
pub fn check_crls(path: &Path, crls: &[Crl], time: UnixTime) -> Result<(), PathError> {
    let issued: Vec<_> = path.issued().enumerate().collect();
    for (depth, (certificate, issuer)) in issued.into_iter().rev() {
        let subject = || certificate.subject().to_string();
        match entry(certificate, issuer, crls, time) {
            Ok(None) => {}
            Ok(Some(entry)) => {
                let (subject, since) = (subject(), entry.at);
                return Err(match entry.reason {
                    RevocationReason::CertificateHold => {
                        PathError::Suspended { subject, depth, since }
                    }
                    _ => PathError::Revoked { subject, depth, since },
                });
            }
            Err(reason) => {
                return Err(PathError::RevocationUnknown { subject: subject(), depth, reason });
            }
        }
    }
    Ok(())
}

/// The newest entry of `certificate`, or why none can be told.
fn entry(
    certificate: &Certificate,
    issuer: &Certificate,
    crls: &[Crl],
    time: UnixTime,
) -> Result<Option<RevokedEntry>, String> {
    let mut problem: Option<String> = None;
    let mut usable = Vec::new();
    for crl in crls.iter().filter(|crl| crl.covers(certificate)) {
        let refused = if crl.is_current(time) {
            crl.verify(issuer).err().map(|error: CrlError| error.to_string())
        } else {
            Some(format!(
                "its CRL is for the time from {} to {}",
                crl.this_update(),
                crl.next_update()
            ))
        };
        match refused {
            None => usable.push(crl),
            Some(reason) => problem = Some(reason),
        }
    }
    let age = |crl: &&Crl| (crl.this_update(), crl.number());
    let serial = certificate.serial();
    let complete = usable
        .iter()
        .copied()
        .filter(|crl| crl.base_number().is_none())
        .max_by_key(age)
        .ok_or_else(|| problem.unwrap_or_else(|| "no CRL covers it".to_owned()))?;
    // A delta that does not belong to the complete list changes nothing.
    let changed = usable
        .iter()
        .copied()
        .filter(|crl| crl.base_number().is_some())
        .filter_map(|delta| Some((delta, complete.entry_with_delta(delta, serial).ok()?)))
        .max_by_key(|(delta, _)| age(delta));
    let entry = changed.map_or_else(|| complete.entry(serial), |(_, entry)| entry);
    Ok(entry.copied())
}
