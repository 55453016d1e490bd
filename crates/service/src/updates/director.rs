//! Directors, as their organisations manage them: the root is signed where its keys are, the
//! platform keeps the keys that sign for devices. docs/director.md has the chain of trust.
//!
//! A director's keys are none of the image repository's: who has those of one chooses nothing alone.

use super::repository::{OnlineKey, RoleState};
use crate::{
    Service, ServiceError,
    keys::Purpose,
    live::found,
    store::{director as store, key as key_store, repository as images},
};
use crypto::{KeyAlgorithm, Signer, UnixTime, Verified};
use device::OrganisationId;
use policy::{Action, Caller, Resource};
use std::sync::Arc;
use update::{
    Key, Limits, RoleName, Root, Signed, TopRole, Version, director::SigningKeys,
    repository::notice_s, require_current,
};

/// For how long what is signed is good, in seconds, unless another time is chosen.
const LIFE_S: i64 = 86_400;
/// Bounds of it: shorter, and a device that is off for a night comes back to nothing it may use;
/// longer, and a mirror that stands still is not noticed.
const LIFE_S_BOUNDS: std::ops::RangeInclusive<i64> = 3600..=14 * 86_400;
/// Keys of a role that wait to be named by a root, or are named.
const KEYS_MAX: usize = 8;
const ROLES: [(u8, TopRole); 3] =
    [(1, TopRole::Targets), (2, TopRole::Snapshot), (3, TopRole::Timestamp)];

/// A director.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorView {
    /// whose
    pub organisation: OrganisationId,
    /// since when
    pub created_at: UnixTime,
    /// for how long what it signs is good, in seconds
    pub life_s: i64,
    /// public keys that work online: *targets*, *snapshot*, *timestamp*
    pub keys: Vec<OnlineKey>,
    /// its root; nothing before the first
    pub root: Option<RoleState>,
}

/// What signs for devices now.
#[derive(Debug)]
pub(crate) struct Online {
    pub(super) root_version: Version,
    pub(super) life_s: i64,
    pub(super) keys: SigningKeys,
    /// rows of the keys that sign
    pub(super) rows: Vec<i64>,
}

impl Service {
    /// Begins an organisation's director: makes the keys that work online. The organisation names
    /// their public halves in a root.
    ///
    /// # Errors
    /// `director-exists`, `not-found`, `role`.
    pub async fn begin_director(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<DirectorView, ServiceError> {
        let row = self.managed(caller, organisation)?;
        let made = self.director_keys_made()?;
        let event = self.director_event(caller, organisation, "director-begun");
        let now = self.now();
        self.commit(move |tx| {
            if store::director(tx, row)?.is_some() {
                return Err(ServiceError::conflict(
                    "director-exists",
                    "the organisation has a director already",
                ));
            }
            store::insert_director(tx, row, LIFE_S, now)?;
            for (new, (role, _)) in made.iter().zip(ROLES) {
                let key = key_store::insert_key(tx, new)?;
                store::insert_key(tx, row, key, role, now)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.director(caller, organisation).await
    }

    /// Makes new keys that work online, beside the present ones: the next root names them, and once
    /// it is there those that it names no more are destroyed.
    ///
    /// # Errors
    /// `director-keys` where too many wait already, `not-found`, `role`.
    pub async fn rotate_director_keys(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<DirectorView, ServiceError> {
        let row = self.managed(caller, organisation)?;
        let made = self.director_keys_made()?;
        let event = self.director_event(caller, organisation, "director-keys");
        let now = self.now();
        self.commit(move |tx| {
            found(store::director(tx, row)?, "director")?;
            if store::keys(tx, row)?.len() >= ROLES.len() * KEYS_MAX {
                return Err(ServiceError::too_many(
                    "director-keys",
                    "new keys wait to be named by a root; name them first",
                ));
            }
            for (new, (role, _)) in made.iter().zip(ROLES) {
                let key = key_store::insert_key(tx, new)?;
                store::insert_key(tx, row, key, role, now)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.director(caller, organisation).await
    }

    /// Chooses for how long what the director signs is good, in seconds: 1 hour to 14 days.
    ///
    /// # Errors
    /// `director-life`, `not-found`, `role`.
    pub async fn set_director_life(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        life_s: i64,
    ) -> Result<DirectorView, ServiceError> {
        let row = self.managed(caller, organisation)?;
        if !LIFE_S_BOUNDS.contains(&life_s) {
            return Err(ServiceError::malformed(
                "director-life",
                "what a director signs is good for 1 hour to 14 days",
            ));
        }
        let event = self
            .director_event(caller, organisation, "director-life")
            .detail("life_s", &life_s.to_string());
        self.commit(move |tx| {
            if found(store::director(tx, row)?, "director")?.life_s == life_s {
                return Ok(());
            }
            store::set_life(tx, row, life_s)?;
            tx.effect(crate::store::Effect::Directors);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.director(caller, organisation).await
    }

    /// Takes in a root that was signed offline. The first one is trusted as an administrator hands
    /// it in; later ones must follow it (section 5.3 of the specification).
    ///
    /// # Errors
    /// `director-refused` with what is held against it, `director-changed` where another came in
    /// between, `not-found`, `role`.
    pub async fn push_director_root(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        bytes: Vec<u8>,
    ) -> Result<DirectorView, ServiceError> {
        self.take_director_root(caller, organisation, bytes, false).await
    }

    /// Takes in a root that does not follow the one before, because the keys that would have to sign it
    /// were stolen or lost: signed by its own keys alone, none of which signed roots before. Devices
    /// refuse it until they are given it by the way the first one came.
    ///
    /// # Errors
    /// As [`Self::push_director_root`]; `director-refused` where there was no root before.
    pub async fn begin_director_anew(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        bytes: Vec<u8>,
    ) -> Result<DirectorView, ServiceError> {
        self.take_director_root(caller, organisation, bytes, true).await
    }

    async fn take_director_root(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        bytes: Vec<u8>,
        anew: bool,
    ) -> Result<DirectorView, ServiceError> {
        let row = self.managed(caller, organisation)?;
        let now = self.now();
        let (before, image_roots, keys) = self.read(|connection| {
            found(store::director(connection, row)?, "director")?;
            let images = images::files(connection, row)?;
            let roots = images.into_iter().filter(|(name, _)| name.ends_with(".root.json"));
            let roots: Vec<Vec<u8>> = roots.map(|(_, bytes)| bytes).collect();
            Ok((store::newest_root(connection, row)?, roots, store::keys(connection, row)?))
        })?;
        let root = match anew {
            true => another_root(before.as_deref(), &bytes)?,
            false => next_root(before.as_deref(), &bytes)?,
        };
        require_current(&root, &TopRole::Root.into(), now).map_err(|error| refused(&error))?;
        root.require_reachable().map_err(|error| refused(&error))?;
        if !root.consistent_snapshot {
            return Err(refused(&"consistent_snapshot must be true"));
        }
        for bytes in &image_roots {
            let images =
                Signed::<Root>::parse(bytes, &Limits::DEFAULT).map_err(|error| damaged(&error))?;
            if root.shares_a_key_with(images.unverified()) {
                return Err(refused(
                    &"it names a key that the image repository's root names too; a thief of it \
                      would have both: make keys of its own",
                ));
            }
        }
        let signers = keys
            .iter()
            .map(|key| self.signer(key.key))
            .collect::<Result<Vec<Arc<dyn Signer>>, _>>()?;
        SigningKeys::new(&root, &signers).map_err(|error| {
            refused(&format!(
                "{error}; name the director's own keys (`tegata release director keys`)"
            ))
        })?;
        let idle = idle(&root, &keys, &signers);
        let version = root.header.version.number();
        let event = self
            .director_event(caller, organisation, "director-root")
            .detail("version", &version.to_string())
            .detail("anew", if anew { "yes" } else { "no" });
        self.commit(move |tx| {
            if store::newest_root(tx, row)? != before {
                return Err(ServiceError::conflict(
                    "director-changed",
                    "somebody else handed in a root meanwhile; look at it and repeat",
                ));
            }
            store::insert_root(tx, row, version, &bytes, now)?;
            for key in &idle {
                key_store::destroy_key(tx, *key, now)?;
            }
            tx.effect(crate::store::Effect::Directors);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.director(caller, organisation).await
    }

    /// An organisation's director.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn director(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<DirectorView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadRelease, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (kept, root, keys) = self.read(|connection| {
            let kept = found(store::director(connection, row)?, "director")?;
            Ok((kept, store::newest_root(connection, row)?, store::keys(connection, row)?))
        })?;
        let root = root.map(|bytes| own_root(&bytes)).transpose()?;
        let keys = keys
            .into_iter()
            .map(|key| {
                let signer = self.signer(key.key)?;
                let role = top_role(key.role);
                let public =
                    Key::from_public(signer.public_key()).map_err(|error| damaged(&error))?;
                let named = root
                    .as_ref()
                    .is_some_and(|root| super::publication::names(root, role, signer.public_key()));
                let text = update::json::file_form(&public.to_json());
                Ok(OnlineKey {
                    role: role.name(),
                    id: public.computed_id().as_str().to_owned(),
                    public: String::from_utf8(text).unwrap_or_default(),
                    named,
                })
            })
            .collect::<Result<_, ServiceError>>()?;
        let root = root.map(|root| self.state_of(&root));
        Ok(DirectorView {
            organisation: organisation.clone(),
            created_at: kept.created_at,
            life_s: kept.life_s,
            keys,
            root,
        })
    }

    /// A root of the director, for the machines that sign the next and for devices that are made.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn director_root(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        version: u64,
    ) -> Result<Vec<u8>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadRelease, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        found(self.read(|connection| store::root(connection, row, version))?, "root")
    }

    /// What signs for devices in an organisation's name; `None` before the first root.
    pub(super) fn online(&self, organisation: i64) -> Result<Option<Arc<Online>>, ServiceError> {
        self.live.directors.get_or_load(organisation, || {
            let (kept, root, keys) = self.read(|connection| {
                let kept = store::director(connection, organisation)?;
                let root = store::newest_root(connection, organisation)?;
                Ok((kept, root, store::keys(connection, organisation)?))
            })?;
            let (Some(kept), Some(root)) = (kept, root) else { return Ok(None) };
            let root = own_root(&root)?;
            let signers = keys
                .iter()
                .map(|key| self.signer(key.key))
                .collect::<Result<Vec<Arc<dyn Signer>>, _>>()?;
            let rows = keys
                .iter()
                .zip(&signers)
                .filter(|(key, signer)| {
                    super::publication::names(&root, top_role(key.role), signer.public_key())
                })
                .map(|(key, _)| key.key)
                .collect();
            let keys = SigningKeys::new(&root, &signers).map_err(|error| damaged(&error))?;
            let root_version = root.header.version;
            Ok(Some(Arc::new(Online { root_version, life_s: kept.life_s, keys, rows })))
        })
    }

    fn state_of(&self, root: &Root) -> RoleState {
        let notice = notice_s(&RoleName::from(TopRole::Root));
        RoleState {
            role: TopRole::Root.name().to_owned(),
            version: root.header.version.number(),
            expires: root.header.expires,
            ends_soon: root.header.expires <= self.now().plus(notice),
        }
    }

    /// The root of an organisation's director where it ends soon: nobody can sign the next one but its
    /// people, and devices obey none that has ended.
    pub(crate) fn director_warnings(&self, organisation: &OrganisationId) -> Vec<RoleState> {
        let root = self.organisation_row(organisation.as_str()).and_then(|row| {
            let bytes = self.read(|connection| store::newest_root(connection, row.id))?;
            bytes.map(|bytes| own_root(&bytes)).transpose()
        });
        match root {
            Ok(root) => root
                .map(|root| self.state_of(&root))
                .filter(|root| root.ends_soon)
                .into_iter()
                .collect(),
            Err(error) => {
                tracing::warn!(%error, "a director cannot be looked at");
                Vec::new()
            }
        }
    }

    fn managed(&self, caller: &Caller, organisation: &OrganisationId) -> Result<i64, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageRepository, &resource)?;
        Ok(self.organisation_row(organisation.as_str())?.id)
    }

    /// A key for each role. Ed25519: the same is signed twice with the same bytes.
    fn director_keys_made(&self) -> Result<Vec<key_store::KeyRow>, ServiceError> {
        let make = |_| {
            self.keys
                .generate(Purpose::Update, KeyAlgorithm::Ed25519, self.now(), UnixTime::NEVER)
                .map(|(_, row)| row)
        };
        ROLES.iter().map(make).collect()
    }

    fn director_event(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        what: &str,
    ) -> audit::SecurityEvent {
        self.event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", what)
    }
}

fn top_role(number: u8) -> TopRole {
    ROLES.into_iter().find(|(known, _)| *known == number).map_or(TopRole::Timestamp, |(_, r)| r)
}

/// Keys that were rotated away: the root names a newer one of their role. Newer ones wait.
fn idle(root: &Root, keys: &[store::KeyOfRole], signers: &[Arc<dyn Signer>]) -> Vec<i64> {
    let named = |key: &store::KeyOfRole, signer: &Arc<dyn Signer>| {
        super::publication::names(root, top_role(key.role), signer.public_key())
    };
    let newest = |role: u8| {
        let all = keys.iter().zip(signers).filter(|(key, _)| key.role == role);
        all.filter(|(key, signer)| named(key, signer)).map(|(key, _)| key.key).max()
    };
    keys.iter()
        .zip(signers)
        .filter(|(key, signer)| !named(key, signer))
        .filter(|(key, _)| newest(key.role).is_some_and(|newest| key.key < newest))
        .map(|(key, _)| key.key)
        .collect()
}

/// The root that comes next, verified.
fn next_root(before: Option<&[u8]>, bytes: &[u8]) -> Result<Verified<Root>, ServiceError> {
    let next = Signed::<Root>::parse(bytes, &Limits::DEFAULT).map_err(|error| refused(&error))?;
    match before {
        Some(before) => next.follow(&own_root(before)?).map_err(|error| refused(&error)),
        None => {
            let first = next.trust_first().map_err(|error| refused(&error))?;
            if first.header.version != Version::FIRST {
                return Err(refused(&"the first root has version 1"));
            }
            Ok(first)
        }
    }
}

/// A root that takes the place of one whose keys cannot or must not vouch for it.
fn another_root(before: Option<&[u8]>, bytes: &[u8]) -> Result<Verified<Root>, ServiceError> {
    let before =
        before.ok_or_else(|| refused(&"there is no root before it; push it as the first"))?;
    let before = own_root(before)?;
    let root = Signed::<Root>::parse(bytes, &Limits::DEFAULT)
        .and_then(Signed::trust_first)
        .map_err(|error| refused(&error))?;
    if Some(root.header.version) != before.header.version.next() {
        return Err(refused(&format!(
            "it has version {}, and the one before {}; the next number is needed",
            root.header.version, before.header.version
        )));
    }
    if root.shares_a_root_key_with(&before) {
        return Err(refused(
            &"a key that signed roots before signs this one, too; make new keys, all of them",
        ));
    }
    Ok(root)
}

/// A root that was taken in.
fn own_root(bytes: &[u8]) -> Result<Verified<Root>, ServiceError> {
    Signed::<Root>::parse(bytes, &Limits::DEFAULT)
        .and_then(Signed::trust_first)
        .map_err(|error| damaged(&error))
}

fn refused(why: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::refused("director-refused", why.to_string())
}

pub(super) fn damaged(error: &update::MetadataError) -> ServiceError {
    tracing::error!(%error, "a director is damaged");
    ServiceError::unavailable(
        "director-damaged",
        "the director cannot be read; tell the platform's operator",
    )
}
