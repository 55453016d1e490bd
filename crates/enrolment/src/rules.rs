//! Who may enrol and re-enrol (EN-2, EN-4), as pure functions over facts that the service gathers.
//!
//! Two things hold throughout: a device gets certificates only for itself, and it gets none by
//! nobody's leave: a certificate, a one-time code or a factory station vouches for it.

use crate::renewal::{RenewalPhase, RenewalWindow};
use crypto::{UnixTime, Verified};
use device::DeviceId;
use pki::{AlternativeName, Certificate, Csr, HardwareModuleName};

/// Renewals before the window that are answered in a day; clients that lost a key need some.
pub const EARLY_PER_DAY_MAX: u32 = 8;

/// How long after its LDevID ended a device can come back through its IDevID, by default: 90 days.
pub const GRACE_SECONDS: i64 = 90 * 86_400;

/// What vouches for the device in this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Voucher {
    /// its chip's certificate
    Chip,
    /// its maker's initial identity
    Idevid,
    /// its owner's local identity
    Ldevid,
    /// a one-time code
    Code,
    /// a factory station of its maker
    Station,
}

/// How the device stands, from its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// may have certificates
    Active,
    /// suspended for now
    Suspended,
    /// revoked, retired or disposed of
    Ended,
}

/// The device that was authenticated, as the platform knows it. Nothing here comes from the
/// request.
#[derive(Debug, Clone)]
pub struct Applicant<'a> {
    /// the device
    pub device: DeviceId,
    /// its serial number; certificates carry it as serialNumber of the subject
    pub serial_number: &'a str,
    /// its hardware module's name, where it has one
    pub hardware_module: Option<&'a HardwareModuleName>,
    /// names that its owner allows it besides
    pub names: &'a [AlternativeName],
    /// what vouches for it
    pub voucher: Voucher,
    /// how it stands
    pub standing: Standing,
}

/// Its present local identity.
#[derive(Debug, Clone)]
pub struct Renewed<'a> {
    /// the newest LDevID of the same device, which is renewed
    pub certificate: &'a Certificate,
    /// whether it was revoked
    pub revoked: bool,
    /// SHA-256 of the certificate that authenticated the connection
    pub shown: crypto::Sha256,
    /// certificates issued to the device in the last 24 hours
    pub issued_in_a_day: u32,
    /// how long after its end the device can come back through its IDevID, in seconds
    pub grace_seconds: i64,
}

/// Leave to issue one certificate. Not cloneable.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a grant that is not used grants nothing"]
pub struct Grant {
    /// for which device
    pub device: DeviceId,
    /// first certificate or renewal
    pub kind: GrantKind,
}

/// Which enrolment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// the first certificate of its kind
    First,
    /// renewal in time
    Renewal,
    /// renewal before the window: counted
    EarlyRenewal,
    /// return through the IDevID after the LDevID ended
    Return,
}

/// Why no certificate is issued. The texts are for the caller: they tell nothing that it does not
/// know by having authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The device is suspended.
    #[error("the device is suspended; its owner can release it")]
    Suspended,
    /// The device has come to its end.
    #[error("the device has been revoked or retired; it gets no certificates any more")]
    Ended,
    /// The subject names another device.
    #[error(
        "the request's subject has another serialNumber than the device that authenticated; a device gets certificates only for itself"
    )]
    OtherDevice,
    /// The request names another hardware module.
    #[error("the request names another hardware module than the device that authenticated")]
    OtherModule,
    /// A name that the device may not have.
    #[error(
        "the request asks for an alternative name that the device's owner has not allowed; leave it out or have it allowed"
    )]
    Name,
    /// An LDevID at simpleenroll.
    #[error("the device has a certificate of this kind; renew it with simplereenroll")]
    UseReenroll,
    /// Neither LDevID nor IDevID at simplereenroll.
    #[error(
        "renewal needs the certificate that is renewed, or the device's IDevID once that has ended; use simpleenroll for a first certificate"
    )]
    UseEnroll,
    /// An old LDevID.
    #[error("the device has a newer certificate than the one shown; renew with the newest")]
    Superseded,
    /// The LDevID was revoked.
    #[error("the certificate to renew was revoked; enrol the device anew")]
    Revoked,
    /// The IDevID is shown though the LDevID is still good.
    #[error("the certificate to renew is still valid; renew with it and not with the IDevID")]
    StillValid,
    /// The LDevID ended too long ago.
    #[error(
        "the certificate to renew ended too long ago; enrol the device anew with its IDevID or a one-time code"
    )]
    GraceOver,
    /// Subject or alternative names changed.
    #[error(
        "subject and subjectAltName must be those of the certificate that is renewed (RFC 7030 section 4.2.2)"
    )]
    Changed,
    /// Too many early renewals.
    #[error("the certificate was renewed often today and is not due; try again later")]
    TooEarly {
        /// when the device's own window begins
        due: UnixTime,
    },
}

/// Rules of simpleenroll and serverkeygen: chip certificate, IDevID, one-time code or factory
/// station. Possession of the key is proved by the type of `csr`.
///
/// # Errors
/// [`Refusal`].
pub fn enroll(applicant: &Applicant<'_>, csr: &Verified<Csr>) -> Result<Grant, Refusal> {
    standing(applicant.standing)?;
    if applicant.voucher == Voucher::Ldevid {
        return Err(Refusal::UseReenroll);
    }
    own_names(applicant, csr)?;
    Ok(Grant { device: applicant.device, kind: GrantKind::First })
}

/// Rules of simplereenroll: by the newest LDevID, or by the IDevID within a grace period after that
/// has ended. A device that never had an LDevID and shows its chip certificate or IDevID gets its
/// first certificate by the rules of [`enroll`]: strongSwan knows only simplereenroll where it has a
/// certificate to show.
///
/// # Errors
/// [`Refusal`].
pub fn reenroll(
    applicant: &Applicant<'_>,
    renewed: Option<&Renewed<'_>>,
    csr: &Verified<Csr>,
    now: UnixTime,
) -> Result<Grant, Refusal> {
    standing(applicant.standing)?;
    let renewed = match (applicant.voucher, renewed) {
        (Voucher::Idevid | Voucher::Ldevid, Some(renewed)) => renewed,
        (Voucher::Idevid | Voucher::Chip, None) => return enroll(applicant, csr),
        _ => return Err(Refusal::UseEnroll),
    };
    let old = renewed.certificate;
    // INVARIANT: the certificate that is renewed is the device's own, whatever the service found.
    if old.serial_number_attribute().as_deref() != Some(applicant.serial_number) {
        return Err(Refusal::OtherDevice);
    }
    if renewed.revoked {
        return Err(Refusal::Revoked);
    }
    own_serial(applicant, csr)?;
    if !same_names(old, csr) {
        return Err(Refusal::Changed);
    }
    let window = RenewalWindow::of(applicant.device, old.not_before(), old.not_after());
    let phase = window.phase(now);
    let kind = if applicant.voucher == Voucher::Idevid {
        if phase != RenewalPhase::Expired {
            return Err(Refusal::StillValid);
        }
        if now.since(old.not_after()) > renewed.grace_seconds {
            return Err(Refusal::GraceOver);
        }
        GrantKind::Return
    } else {
        if renewed.shown != old.fingerprint() {
            return Err(Refusal::Superseded);
        }
        match phase {
            RenewalPhase::Early if renewed.issued_in_a_day >= EARLY_PER_DAY_MAX => {
                return Err(Refusal::TooEarly { due: window.from });
            }
            RenewalPhase::Early => GrantKind::EarlyRenewal,
            RenewalPhase::Due | RenewalPhase::Late => GrantKind::Renewal,
            // No valid connection can be made with it; kept for doors that are not TLS.
            RenewalPhase::Expired => return Err(Refusal::UseEnroll),
        }
    };
    Ok(Grant { device: applicant.device, kind })
}

fn standing(standing: Standing) -> Result<(), Refusal> {
    match standing {
        Standing::Active => Ok(()),
        Standing::Suspended => Err(Refusal::Suspended),
        Standing::Ended => Err(Refusal::Ended),
    }
}

/// What the request says of itself must be the device's own; it may say nothing.
fn own_names(applicant: &Applicant<'_>, csr: &Csr) -> Result<(), Refusal> {
    own_serial(applicant, csr)?;
    if csr.hardware_module_name().is_some_and(|module| applicant.hardware_module != Some(&module)) {
        return Err(Refusal::OtherModule);
    }
    let known = csr.alternative_names();
    let modules = usize::from(csr.hardware_module_name().is_some());
    if known.len() + modules != csr.extensions().subject_alt_names().len()
        || known.iter().any(|name| !applicant.names.contains(name))
    {
        return Err(Refusal::Name);
    }
    Ok(())
}

/// Every serialNumber in the subject must be the device's: with two, one could hide behind the
/// other.
fn own_serial(applicant: &Applicant<'_>, csr: &Csr) -> Result<(), Refusal> {
    let serial_number = pki::oid::SERIAL_NUMBER;
    let own = csr
        .subject()
        .attributes()
        .filter(|attribute| attribute.oid == serial_number)
        .all(|attribute| attribute.text().as_deref() == Some(applicant.serial_number));
    if own { Ok(()) } else { Err(Refusal::OtherDevice) }
}

/// Subject and subjectAltName are identical (RFC 7030 section 4.2.2); the order of alternative
/// names does not count.
fn same_names(old: &Certificate, csr: &Csr) -> bool {
    let names = |names: &[pki::GeneralName]| {
        let mut names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        names.sort_unstable();
        names
    };
    old.subject().matches(&csr.subject())
        && names(old.extensions().subject_alt_names())
            == names(csr.extensions().subject_alt_names())
}
