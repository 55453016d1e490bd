//! When a device renews: a point of time within a window, the same at every asking, different from
//! device to device, so that a fleet enrolled in one hour does not come back in one hour.

use crypto::{Sha256, UnixTime, sha256_of};
use device::DeviceId;

/// When a certificate is to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewalWindow {
    /// the device's own point of time: renew from here on
    pub from: UnixTime,
    /// until when the renewal should be done; then the certificate is soon to end
    pub until: UnixTime,
    /// when the certificate ends
    pub expires: UnixTime,
}

/// Where an instant lies with respect to the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RenewalPhase {
    /// before the device's own time
    Early,
    /// renew now
    Due,
    /// renewal was missed; somebody should look
    Late,
    /// over
    Expired,
}

impl RenewalWindow {
    /// The window of a certificate: own times are spread evenly over the sixth of its lifetime that
    /// begins after two thirds; the last sixth is for trying again. A certificate without an end
    /// ([`UnixTime::NEVER`]) is never due.
    pub fn of(device: DeviceId, not_before: UnixTime, not_after: UnixTime) -> Self {
        if not_after >= UnixTime::NEVER {
            let never = UnixTime::NEVER;
            return Self { from: never, until: never, expires: never };
        }
        let lifetime = not_after.since(not_before).max(0);
        let sixth = lifetime / 6;
        let start = not_before.plus(lifetime / 3).plus(lifetime / 3);
        let Sha256(digest) =
            sha256_of(&[b"tegata/renewal/v1\0", device.as_bytes(), &not_before.0.to_be_bytes()]);
        let [a, b, c, d, ..] = digest;
        // sixth × fraction, where the fraction is 32 bits of the hash: within i128 by far.
        let fraction = i128::from(u32::from_be_bytes([a, b, c, d]));
        let jitter = (i128::from(sixth) * fraction) >> 32;
        let jitter = i64::try_from(jitter).unwrap_or(0);
        Self { from: start.plus(jitter), until: start.plus(sixth), expires: not_after }
    }

    /// Where `now` lies. A certificate is valid through its notAfter (RFC 5280 section 4.1.2.5).
    pub fn phase(&self, now: UnixTime) -> RenewalPhase {
        if now > self.expires {
            RenewalPhase::Expired
        } else if now > self.until {
            RenewalPhase::Late
        } else if now >= self.from {
            RenewalPhase::Due
        } else {
            RenewalPhase::Early
        }
    }
}
