use crate::{
    MetadataError,
    authority::{Authority, Keys, RoleKeys, read_keys, write_keys},
    fields::Fields,
    json::{Object, Value},
    key::{Key, KeyId},
    limits::{Limits, ROLE_KEYS_MAX},
    role::TopRole,
    signed::{Header, Metadata, Signed, sealed::Contents},
};
use crypto::{UnixTime, Verified};

/// The root: who may sign for the four top roles (section 4.3 of the specification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// version, expiry
    pub header: Header,
    /// whether files carry their version or hash in their names; always in what is made here
    pub consistent_snapshot: bool,
    /// the keys that the roles name
    pub keys: Keys,
    root: RoleKeys,
    snapshot: RoleKeys,
    targets: RoleKeys,
    timestamp: RoleKeys,
    /// roles that nobody here knows, such as `mirrors`, preserved
    other_roles: Object,
    /// other members, preserved
    other: Object,
}

/// The keys of a role when a root is made.
#[derive(Clone, Debug)]
pub struct Signers {
    /// the public keys
    pub keys: Vec<Key>,
    /// how many of them must sign
    pub threshold: usize,
}

impl Root {
    /// A first root. `signers` gives the keys of each role; one key may not serve two roles, since
    /// whoever steals it would have both.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`], [`MetadataError::Key`].
    pub fn new(
        expires: UnixTime,
        signers: impl Fn(TopRole) -> Signers,
    ) -> Result<Self, MetadataError> {
        let mut keys = Keys::new();
        let mut role = |role: TopRole| -> Result<RoleKeys, MetadataError> {
            let Signers { keys: named, threshold } = signers(role);
            let mut ids = Vec::new();
            for key in named {
                let id = usable(&key)?;
                if keys.insert(id.clone(), key).is_some() {
                    return Err(twice(&id));
                }
                ids.push(id);
            }
            RoleKeys::new(ids, threshold)
        };
        Ok(Self {
            header: Header::first(expires),
            consistent_snapshot: true,
            root: role(TopRole::Root)?,
            snapshot: role(TopRole::Snapshot)?,
            targets: role(TopRole::Targets)?,
            timestamp: role(TopRole::Timestamp)?,
            keys,
            other_roles: Object::new(),
            other: Object::new(),
        })
    }

    /// The keys of a role.
    pub fn role(&self, role: TopRole) -> &RoleKeys {
        match role {
            TopRole::Root => &self.root,
            TopRole::Snapshot => &self.snapshot,
            TopRole::Targets => &self.targets,
            TopRole::Timestamp => &self.timestamp,
        }
    }

    fn role_mut(&mut self, role: TopRole) -> &mut RoleKeys {
        match role {
            TopRole::Root => &mut self.root,
            TopRole::Snapshot => &mut self.snapshot,
            TopRole::Targets => &mut self.targets,
            TopRole::Timestamp => &mut self.timestamp,
        }
    }

    /// Lets `key` sign for `role`.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] where the key has a role already; [`MetadataError::Key`] where
    /// it cannot be used.
    pub fn add_key(&mut self, role: TopRole, key: &Key) -> Result<KeyId, MetadataError> {
        let id = usable(key)?;
        let taken = self.keys.values().any(|other| other.public_key() == key.public_key());
        if taken || self.keys.contains_key(&id) {
            return Err(twice(&id));
        }
        if self.role(role).key_ids.len() >= ROLE_KEYS_MAX {
            return Err(MetadataError::malformed("keyids", "must be 1 to 64 keys"));
        }
        self.role_mut(role).key_ids.push(id.clone());
        self.keys.insert(id.clone(), key.clone());
        Ok(id)
    }

    /// Takes a key from `role`. The threshold stays: see [`Self::set_threshold`].
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] where the role does not have the key.
    pub fn remove_key(&mut self, role: TopRole, id: &KeyId) -> Result<(), MetadataError> {
        if !self.role(role).key_ids.contains(id) {
            let reason = format!("does not have the key {id}");
            return Err(MetadataError::malformed(format!("role {role}"), reason));
        }
        self.role_mut(role).key_ids.retain(|other| other != id);
        let named = TopRole::ALL.iter().any(|role| self.role(*role).key_ids.contains(id));
        if !named {
            self.keys.remove(id);
        }
        Ok(())
    }

    /// Says how many keys of `role` must sign.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] unless 1 ≤ threshold ≤ number of keys.
    pub fn set_threshold(&mut self, role: TopRole, threshold: usize) -> Result<(), MetadataError> {
        let ids = self.role(role).key_ids.clone();
        self.role_mut(role).threshold = RoleKeys::new(ids, threshold)?.threshold;
        Ok(())
    }

    /// Whether every role can still reach its threshold.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] naming the role.
    pub fn require_reachable(&self) -> Result<(), MetadataError> {
        for role in TopRole::ALL {
            let keys = self.role(role);
            let reachable = Authority::named_by(self, role).keys().count();
            if reachable < keys.threshold {
                let reason = format!("has {reachable} keys and a threshold of {}", keys.threshold);
                return Err(MetadataError::malformed(format!("role {role}"), reason));
            }
        }
        Ok(())
    }

    /// Whether some public key is named by both: two repositories that are to check each other must
    /// not, or a file of one could be shown as a file of the other.
    pub fn shares_a_key_with(&self, other: &Self) -> bool {
        let named = |root: &Self| -> Vec<crypto::PublicKey> {
            root.keys.values().filter_map(|key| key.public_key().cloned()).collect()
        };
        let ours = named(self);
        named(other).iter().any(|key| ours.contains(key))
    }

    /// Whether some public key signs roots for both.
    pub fn shares_a_root_key_with(&self, other: &Self) -> bool {
        let signing = |root: &Self| -> Vec<crypto::PublicKey> {
            let ids = &root.role(TopRole::Root).key_ids;
            let keys = ids.iter().filter_map(|id| root.keys.get(id));
            keys.filter_map(|key| key.public_key().cloned()).collect()
        };
        let ours = signing(self);
        signing(other).iter().any(|key| ours.contains(key))
    }

    /// Whether keys or threshold of `role` differ from `other`'s: then what was signed under the
    /// other root is not built upon (section 5.3.11).
    pub fn rotates(&self, other: &Self, role: TopRole) -> bool {
        let set = |root: &Self| {
            let keys = root.role(role);
            let mut ids = keys.key_ids.clone();
            ids.sort();
            (ids, keys.threshold)
        };
        set(self) != set(other)
    }
}

impl Signed<Root> {
    /// Takes a root into trust that came by a way which is trusted itself: with the device, from
    /// a ceremony. It must be signed by its own threshold (section 5.2).
    ///
    /// # Errors
    /// [`MetadataError::Threshold`].
    pub fn trust_first(self) -> Result<Verified<Root>, MetadataError> {
        self.require(&self.own_authority())?;
        Ok(Verified::assertion(self.into_content()))
    }

    /// Checks that this is the root after `trusted`: signed by the old threshold and by the new one,
    /// its version the next (section 5.3).
    ///
    /// # Errors
    /// [`MetadataError::Threshold`], [`MetadataError::NotNext`].
    pub fn follow(self, trusted: &Verified<Root>) -> Result<Verified<Root>, MetadataError> {
        self.require(&Authority::of_top_role(trusted, TopRole::Root))?;
        self.require(&self.own_authority())?;
        let found = self.unverified().header.version;
        match trusted.header.version.next() {
            Some(expected) if expected == found => Ok(Verified::assertion(self.into_content())),
            next => Err(MetadataError::NotNext {
                found,
                expected: next.unwrap_or(trusted.header.version),
            }),
        }
    }

    /// The root's own keys, according to itself: shows how far a draft is signed.
    pub fn own_authority(&self) -> Authority {
        self.draft_authority(TopRole::Root)
    }

    /// The keys of a role according to a root that nobody verified: for those who work on drafts.
    /// What such an authority verifies is as good as the draft.
    pub fn draft_authority(&self, role: TopRole) -> Authority {
        Authority::named_by(self.unverified(), role)
    }
}

impl Metadata for Root {
    const TYPE: &'static str = "root";

    fn header(&self) -> &Header {
        &self.header
    }

    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl Contents for Root {
    fn bytes_max(limits: &Limits) -> u64 {
        limits.root_bytes_max
    }

    fn read(mut fields: Fields, header: Header) -> Result<Self, MetadataError> {
        let consistent_snapshot = fields.optional_bool("consistent_snapshot")?.unwrap_or(false);
        let keys = read_keys(fields.object("keys")?, "signed.keys")?;
        let mut roles = Fields::new(fields.value("roles")?, "signed.roles")?;
        let mut role = |role: TopRole| -> Result<RoleKeys, MetadataError> {
            let place = format!("signed.roles.{role}");
            let mut fields = Fields::new(roles.value(role.name())?, place)?;
            let keys = RoleKeys::take(&mut fields)?;
            Ok(RoleKeys { other: fields.rest(), ..keys })
        };
        Ok(Self {
            header,
            consistent_snapshot,
            keys,
            root: role(TopRole::Root)?,
            snapshot: role(TopRole::Snapshot)?,
            targets: role(TopRole::Targets)?,
            timestamp: role(TopRole::Timestamp)?,
            other_roles: roles.rest(),
            other: fields.rest(),
        })
    }

    fn write(&self, object: &mut Object) {
        for (name, value) in self.other.iter() {
            object.insert(name, value.clone());
        }
        object.insert("consistent_snapshot", self.consistent_snapshot);
        object.insert("keys", write_keys(&self.keys));
        let mut roles = self.other_roles.clone();
        for role in TopRole::ALL {
            let keys = self.role(role);
            let mut object = keys.other.clone();
            keys.put(&mut object);
            roles.insert(role.name(), Value::Object(object));
        }
        object.insert("roles", roles);
    }
}

/// The id of a key that can verify something.
pub(crate) fn usable(key: &Key) -> Result<KeyId, MetadataError> {
    let id = key.computed_id();
    match key.fault() {
        None => Ok(id),
        Some(reason) => Err(MetadataError::Key { id: id.to_string(), reason: reason.to_owned() }),
    }
}

fn twice(id: &KeyId) -> MetadataError {
    let reason = "serves a role already; make a key of its own for each role";
    MetadataError::malformed(format!("key {}", id.short()), reason)
}
