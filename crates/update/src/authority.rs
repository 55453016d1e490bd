use crate::{
    MetadataError,
    fields::Fields,
    json::{Object, Value},
    key::{Key, KeyId},
    limits::{KEYS_MAX, ROLE_KEYS_MAX},
    role::{RoleName, TopRole},
    root::Root,
    signed::{Signature, number},
    targets::Targets,
};
use crypto::Verified;
use std::collections::BTreeMap;

/// Which keys sign for a role, and how many of them must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleKeys {
    /// the keys, by id, in the order of the file
    pub key_ids: Vec<KeyId>,
    /// how many distinct ones must sign, at least 1
    pub threshold: usize,
    /// other members, preserved
    pub other: Object,
}

impl RoleKeys {
    /// So many of these keys.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] unless 1 ≤ threshold ≤ number of keys ≤ 64.
    pub fn new(key_ids: Vec<KeyId>, threshold: usize) -> Result<Self, MetadataError> {
        if key_ids.is_empty() || key_ids.len() > ROLE_KEYS_MAX {
            return Err(MetadataError::malformed("keyids", "must be 1 to 64 keys"));
        }
        if !(1..=key_ids.len()).contains(&threshold) {
            let reason = format!("must be 1 to {}, the number of keys", key_ids.len());
            return Err(MetadataError::malformed("threshold", reason));
        }
        Ok(Self { key_ids, threshold, other: Object::new() })
    }

    /// Reads `keyids` and `threshold`.
    pub(crate) fn take(fields: &mut Fields) -> Result<Self, MetadataError> {
        let ids = fields.strings("keyids")?;
        if ids.len() > ROLE_KEYS_MAX {
            let reason = format!("has more than {ROLE_KEYS_MAX} entries");
            return Err(MetadataError::malformed("keyids", reason));
        }
        let mut key_ids = Vec::new();
        for id in ids {
            let id = KeyId::new(id)?;
            if key_ids.contains(&id) {
                return Err(MetadataError::malformed("keyids", "names a key twice"));
            }
            key_ids.push(id);
        }
        let threshold = usize::try_from(fields.number("threshold")?).unwrap_or(usize::MAX);
        if threshold == 0 {
            return Err(MetadataError::malformed("threshold", "must be at least 1"));
        }
        Ok(Self { key_ids, threshold, other: Object::new() })
    }

    pub(crate) fn put(&self, object: &mut Object) {
        let ids: Vec<Value> = self.key_ids.iter().map(|id| id.as_str().into()).collect();
        object.insert("keyids", ids);
        object.insert("threshold", number(u64::try_from(self.threshold).unwrap_or(u64::MAX)));
    }
}

/// Keys that one file names, by their ids.
pub type Keys = BTreeMap<KeyId, Key>;

/// Who may sign for a role, according to metadata that was verified itself.
#[derive(Clone, Debug)]
pub struct Authority {
    role: RoleName,
    keys: Vec<(KeyId, Key)>,
    threshold: usize,
}

impl Authority {
    /// Who signs for a top role, according to a verified root.
    pub fn of_top_role(root: &Verified<Root>, role: TopRole) -> Self {
        Self::named_by(root, role)
    }

    /// Who signs for a delegated role, according to a verified targets file.
    ///
    /// # Errors
    /// [`MetadataError::NoAuthority`] where the file does not delegate to it.
    pub fn of_delegation(
        delegator: &Verified<Targets>,
        role: &RoleName,
    ) -> Result<Self, MetadataError> {
        Self::delegated_by(delegator, role)
    }

    /// Who would sign according to a root that nobody verified: to show how far a draft is, and to
    /// check that a new root signs itself.
    pub(crate) fn named_by(root: &Root, role: TopRole) -> Self {
        Self::new(role.into(), root.role(role), &root.keys)
    }

    /// As [`Self::of_delegation`], according to a draft.
    pub(crate) fn delegated_by(
        delegator: &Targets,
        role: &RoleName,
    ) -> Result<Self, MetadataError> {
        delegator
            .delegation(role)
            .map(|delegation| Self::new(role.clone(), &delegation.keys, &delegator.keys))
            .ok_or_else(|| MetadataError::NoAuthority(role.clone()))
    }

    fn new(role: RoleName, role_keys: &RoleKeys, keys: &Keys) -> Self {
        let known = |id: &KeyId| keys.get(id).map(|key| (id.clone(), key.clone()));
        Self {
            role,
            keys: role_keys.key_ids.iter().filter_map(known).collect(),
            threshold: role_keys.threshold,
        }
    }

    /// The role.
    pub fn role(&self) -> &RoleName {
        &self.role
    }

    /// How many distinct keys must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The keys that may sign.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &Key)> {
        self.keys.iter().map(|(id, key)| (id, key))
    }

    /// The keys whose signature is good, each public key once under whatever ids it goes.
    pub(crate) fn good(&self, message: &[u8], signatures: &[Signature]) -> Vec<KeyId> {
        let mut counted = Vec::new();
        let mut good = Vec::new();
        for signature in signatures {
            let known = self.keys.iter().find(|(id, _)| *id == signature.key);
            let Some((id, key)) = known else { continue };
            let Some(public) = key.public_key() else { continue };
            if !counted.contains(&public) && key.verifies(message, &signature.bytes) {
                counted.push(public);
                good.push(id.clone());
            }
        }
        good
    }
}

/// Reads an object of keys.
pub(crate) fn read_keys(object: Object, field: &str) -> Result<Keys, MetadataError> {
    if object.len() > KEYS_MAX {
        let reason = format!("has more than {KEYS_MAX} keys");
        return Err(MetadataError::malformed(field, reason));
    }
    object.into_iter().map(|(id, key)| Ok((KeyId::new(id)?, Key::from_json(key)?))).collect()
}

pub(crate) fn write_keys(keys: &Keys) -> Object {
    keys.iter().map(|(id, key)| (id.as_str(), key.to_json())).collect()
}
