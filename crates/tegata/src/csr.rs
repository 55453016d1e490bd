//! Certificate requests of the command line and the demo.

use crypto::SoftwareKey;
use pki::{Subject, csr::CsrBuilder};

/// A request whose subject is a name only.
pub fn for_name(name: &str, key: &SoftwareKey) -> anyhow::Result<Vec<u8>> {
    Ok(CsrBuilder { subject: Subject::named(name), ..CsrBuilder::default() }.build(key)?)
}

/// A request of a device: its serial number in the subject (IEEE 802.1AR section 8.6).
pub fn for_device(
    serial_number: &str,
    challenge_password: Option<String>,
    key: &SoftwareKey,
) -> anyhow::Result<Vec<u8>> {
    let subject = Subject { serial_number: serial_number.to_owned(), ..Subject::default() };
    Ok(CsrBuilder { subject, challenge_password, ..CsrBuilder::default() }.build(key)?)
}
