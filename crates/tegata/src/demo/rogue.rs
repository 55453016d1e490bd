//! Counterfeiters' tools: a CA of their own, keys of their own.

use api::Identity;
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime, random};
use device::DeviceId;
use pki::{Certificate, IssuerInfo, Locations, Profile, Request, Serial, Subject, prepare};
use std::sync::Arc;

const YEAR: i64 = 31_556_952;

/// A root and an issuing CA that look like ours, and that nobody trusts.
pub struct RogueCa {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look at it"))]
    root: Certificate,
    issuing: Certificate,
    key: SoftwareKey,
    now: UnixTime,
}

impl RogueCa {
    pub fn new(now: UnixTime) -> anyhow::Result<Self> {
        let (root_key, key) = (new_key()?, new_key()?);
        let subject = Subject {
            organisation: "tegata.local".to_owned(),
            ..Subject::named("tegata.local root")
        };
        let end = now.plus(20 * YEAR);
        let issuer = IssuerInfo::self_signed(&subject, root_key.public_key(), now, end)?;
        let request = Request::new(serial(), subject, root_key.public_key().clone(), (now, end));
        let root = prepare(Profile::Root, &issuer, &request)?.sign(&root_key)?;
        let subject = Subject {
            organisation: "kawa-waterworks".to_owned(),
            ..Subject::named("kawa-waterworks owner CA")
        };
        let issuer = IssuerInfo::from_certificate(&root, Locations::default())?;
        let mut request = Request::new(serial(), subject, key.public_key().clone(), (now, end));
        request.path_length = Some(0);
        let issuing = prepare(Profile::IssuingCa, &issuer, &request)?.sign(&root_key)?;
        Ok(Self { root, issuing, key, now })
    }

    /// Its root, which nobody trusts.
    #[cfg(test)]
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// A certificate in the name of any device, with a fresh key.
    pub fn forge(
        &self,
        device: DeviceId,
        owner: &str,
        serial_number: &str,
    ) -> anyhow::Result<Identity> {
        let key = new_key()?;
        let subject = Subject {
            organisation: owner.to_owned(),
            serial_number: serial_number.to_owned(),
            ..Subject::named(device.to_string())
        };
        let issuer = IssuerInfo::from_certificate(&self.issuing, Locations::default())?;
        let times = (self.now, self.now.plus(YEAR));
        let request = Request::new(serial(), subject, key.public_key().clone(), times);
        let leaf = prepare(Profile::Ldevid, &issuer, &request)?.sign(&self.key)?;
        Ok(Identity { chain: vec![leaf, self.issuing.clone()], key: Arc::new(key) })
    }
}

/// A key that nobody certified.
pub fn new_key() -> anyhow::Result<SoftwareKey> {
    Ok(SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?)
}

fn serial() -> Serial {
    Serial::from_random(random::bytes())
}
