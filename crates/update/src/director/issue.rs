//! The director's side: three files for one device.

use super::Order;
use crate::{
    MetadataError,
    authority::Authority,
    key::{Key, KeyId},
    role::{RoleName, TopRole, Version},
    root::Root,
    signed::{Header, Metadata, SPEC_VERSION, Signed},
    snapshot::{MetaFile, Snapshot, Timestamp},
};
use crypto::{Signer, UnixTime, Verified};
use std::sync::Arc;

/// A key that works online.
#[derive(Clone)]
pub struct SigningKey {
    id: KeyId,
    key: Key,
    signer: Arc<dyn Signer>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// The keys of a director that work online: those that its root names.
#[derive(Clone, Debug)]
pub struct SigningKeys {
    targets: Vec<SigningKey>,
    snapshot: Vec<SigningKey>,
    timestamp: Vec<SigningKey>,
}

impl SigningKeys {
    /// Those of `signers` that the root names, by role.
    ///
    /// # Errors
    /// [`MetadataError::Threshold`] where a role has too few of them.
    pub fn new(root: &Verified<Root>, signers: &[Arc<dyn Signer>]) -> Result<Self, MetadataError> {
        let named = |role: TopRole| {
            let authority = Authority::of_top_role(root, role);
            let keys: Vec<SigningKey> = authority
                .keys()
                .filter_map(|(id, key)| {
                    let public = key.public_key()?;
                    let signer = signers.iter().find(|signer| signer.public_key() == public)?;
                    Some(SigningKey { id: id.clone(), key: key.clone(), signer: signer.clone() })
                })
                .collect();
            if keys.len() >= authority.threshold() {
                return Ok(keys);
            }
            Err(MetadataError::Threshold {
                role: RoleName::from(role),
                found: keys.len(),
                needed: authority.threshold(),
            })
        };
        Ok(Self {
            targets: named(TopRole::Targets)?,
            snapshot: named(TopRole::Snapshot)?,
            timestamp: named(TopRole::Timestamp)?,
        })
    }
}

/// What a device is given: its files, as they are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// version of all three
    pub version: Version,
    /// end of all three
    pub expires: UnixTime,
    /// `timestamp.json`
    pub timestamp: Vec<u8>,
    /// `VERSION.snapshot.json`
    pub snapshot: Vec<u8>,
    /// `VERSION.targets.json`
    pub targets: Vec<u8>,
}

/// Signs an order. With Ed25519 keys the same order, version and end give the same bytes, so that
/// nothing but these needs to be kept.
///
/// # Errors
/// [`MetadataError::Sign`].
pub fn issue(
    order: &Order,
    version: Version,
    expires: UnixTime,
    keys: &SigningKeys,
) -> Result<Issued, MetadataError> {
    let header = || Header { spec_version: SPEC_VERSION.to_owned(), version, expires };
    let targets = sign(order.targets(version, expires), &keys.targets)?;
    let listed = RoleName::from(TopRole::Targets).listed_as();
    let snapshot = Snapshot {
        header: header(),
        meta: [(listed, MetaFile::of(version, &targets))].into(),
        other: Default::default(),
    };
    let snapshot = sign(snapshot, &keys.snapshot)?;
    let timestamp = Timestamp {
        header: header(),
        snapshot: MetaFile::of(version, &snapshot),
        other: Default::default(),
    };
    let timestamp = sign(timestamp, &keys.timestamp)?;
    Ok(Issued { version, expires, timestamp, snapshot, targets })
}

fn sign<R: Metadata>(content: R, keys: &[SigningKey]) -> Result<Vec<u8>, MetadataError> {
    let mut signed = Signed::draft(content);
    for key in keys {
        signed.sign(&key.id, &key.key, key.signer.as_ref())?;
    }
    signed.to_bytes()
}
