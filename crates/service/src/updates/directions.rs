//! Use case: a device reads what its director says to it. Signed when it asks, and kept until what is
//! to be said changes or half of its life is over: one write for each version, none for each answer.

use super::director::{Online, damaged};
use crate::{
    Service, ServiceError,
    keys::Use,
    live::found,
    store::{
        campaign::Polled,
        certificate,
        director::{self as store, Given},
    },
};
use crypto::{Sha256, UnixTime, sha256_of};
use device::OrganisationId;
use pki::Certificate;
use policy::Caller;
use std::sync::Arc;
use update::{
    RoleName, TargetPath, TopRole, Version,
    director::{Addressee, AssignmentId, Directed, Issued, Order, issue},
};

/// What was signed for a device.
#[derive(Debug)]
pub(crate) struct Directions {
    digest: Sha256,
    newest: Issued,
    /// the version before, for a device that is in the middle
    before: Option<Issued>,
}

impl Service {
    /// A metadata file of an organisation's director, for the device that asks and for no other:
    /// `timestamp.json`, `N.snapshot.json`, `N.targets.json`, `N.root.json`.
    ///
    /// # Errors
    /// `not-found` also where the director is neither the maker's nor the owner's, and for tokens,
    /// which have no key that could be spoken to; `role`, `director-spent`.
    pub async fn director_metadata(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<Vec<u8>, ServiceError> {
        let device = self.updating_device(caller)?;
        let missing = || ServiceError::not_found("metadata file");
        let row = self.organisation_row(organisation.as_str()).map_err(|_| missing())?.id;
        if row != device.maker && row != device.owner {
            return Err(missing());
        }
        let online = self.online(row)?.ok_or_else(missing)?;
        let versioned = |role: TopRole| {
            let number =
                name.strip_suffix(".json")?.strip_suffix(role.name())?.strip_suffix('.')?;
            let version = number.parse().ok().and_then(Version::new)?;
            // One name for each file: 01.root.json is none.
            (RoleName::from(role).file_name(Some(version)) == name).then_some(version)
        };
        if let Some(version) = versioned(TopRole::Root) {
            let version = version.number();
            return found(self.read(|connection| store::root(connection, row, version))?, "root");
        }
        let order = self.order(caller, &device, organisation)?;
        let directions = self.directions(row, &device, &order, &online).await?;
        if name == "timestamp.json" {
            return Ok(directions.newest.timestamp.clone());
        }
        let both = [Some(&directions.newest), directions.before.as_ref()];
        let of = |version: Version| {
            both.into_iter().flatten().find(|issued| issued.version == version).ok_or_else(missing)
        };
        if let Some(version) = versioned(TopRole::Snapshot) {
            return Ok(of(version)?.snapshot.clone());
        }
        match versioned(TopRole::Targets) {
            Some(version) => Ok(of(version)?.targets.clone()),
            None => Err(missing()),
        }
    }

    /// Whose director speaks to a device: its maker's, with whose root it left the factory, else its
    /// owner's.
    pub(super) fn director_of(
        &self,
        device: &Polled,
    ) -> Result<Option<OrganisationId>, ServiceError> {
        for organisation in [device.maker, device.owner] {
            if self.online(organisation)?.is_some() {
                return self.organisation_id(organisation).map(Some);
            }
        }
        Ok(None)
    }

    /// What is to be said to a device now.
    fn order(
        &self,
        caller: &Caller,
        device: &Polled,
        director: &OrganisationId,
    ) -> Result<Order, ServiceError> {
        let Caller::Device { device: id, credential, certificate, .. } = caller else {
            return Err(ServiceError::not_found("metadata file"));
        };
        if credential.is_token() {
            return Err(ServiceError::not_found("metadata file"));
        }
        let key = self.key_of(certificate)?;
        let now = self.now();
        let standing = self.read(|connection| self.standing(connection, device, now))?;
        let Some((assignment, said)) = standing else {
            return Ok(nothing(*id, director, key));
        };
        let mut files = assignment.artifacts.into_iter();
        // Several files for one kind of hardware, or a device that does not say what it is: nobody
        // knows which one it shall run.
        let (Some(file), None, Some(hardware_id)) = (files.next(), files.next(), said.hardware_id)
        else {
            return Ok(nothing(*id, director, key));
        };
        let path = TargetPath::new(file.path)
            .map_err(|error| ServiceError::fatal("store-damaged", error.to_string()))?;
        let run = Some(Directed {
            path,
            length: file.length,
            sha256: file.sha256,
            hardware_id,
            version: assignment.version,
            security_version: assignment.security_version,
            release_counter: assignment.release_counter,
            assignment: AssignmentId {
                action: assignment.action,
                campaign: *assignment.campaign.as_bytes(),
                release: *assignment.release.as_bytes(),
            },
        });
        Ok(Order { run, ..nothing(*id, director, key) })
    }

    /// The order as signed files: from memory where they are there, else signed, under a version
    /// that was durable before.
    async fn directions(
        &self,
        organisation: i64,
        device: &Polled,
        order: &Order,
        online: &Online,
    ) -> Result<Arc<Directions>, ServiceError> {
        let now = self.now();
        let root = online.root_version.number().to_be_bytes();
        let digest = sha256_of(&[order.digest().as_bytes(), &root]);
        let place = (organisation, device.id);
        let fresh = move |expires: UnixTime, life_s: i64| {
            // Not so far off either: the clock may have been wrong.
            (now.plus(life_s / 2)..=now.plus(life_s)).contains(&expires)
        };
        let kept = self.live.directed.get(&place);
        if let Some(kept) = &kept
            && kept.digest == digest
            && fresh(kept.newest.expires, online.life_s)
        {
            return Ok(Arc::clone(kept));
        }
        let life_s = online.life_s;
        let stands = move |given: &Given| given.digest == digest && fresh(given.expires, life_s);
        let known = self.read(|connection| store::given(connection, organisation, device.id))?;
        let given = match known.filter(stands) {
            Some(given) => given,
            None => {
                let (id, keys) = (device.id, online.rows.clone());
                self.commit(move |tx| {
                    let last = store::given(tx, organisation, id)?;
                    if let Some(given) = last.filter(stands) {
                        return Ok(given);
                    }
                    let version = match last {
                        None => Some(Version::FIRST),
                        Some(last) => Version::new(last.version).and_then(Version::next),
                    };
                    let version = version.ok_or_else(|| {
                        let text = "no version follows; change the director's keys and its root";
                        ServiceError::fatal("director-spent", text)
                    })?;
                    let given = Given {
                        version: version.number(),
                        digest,
                        expires: now.plus(life_s),
                        issued_at: now,
                    };
                    store::set_given(tx, organisation, id, &given)?;
                    for key in keys {
                        tx.count_key_use(key, Use::Metadata as u8, now);
                    }
                    Ok(given)
                })
                .await?
            }
        };
        let version = Version::new(given.version)
            .ok_or_else(|| ServiceError::fatal("store-damaged", "a version is damaged"))?;
        let newest =
            issue(order, version, given.expires, &online.keys).map_err(|error| damaged(&error))?;
        let before = kept.map(|kept| kept.newest.clone()).filter(|last| last.version < version);
        let directions = Arc::new(Directions { digest, newest, before });
        self.live.directed.put(place, Arc::clone(&directions));
        Ok(directions)
    }

    /// Fingerprint of the key of a certificate that the platform issued.
    fn key_of(&self, fingerprint: &Sha256) -> Result<Sha256, ServiceError> {
        self.live.device_keys.get_or_load(*fingerprint, || {
            let row = self.read(|connection| {
                certificate::certificate_by_fingerprint(connection, fingerprint)
            })?;
            let row = found(row, "metadata file")?;
            let parsed = Certificate::from_der(&row.der)
                .map_err(|error| ServiceError::fatal("store-damaged", error.to_string()))?;
            Ok(crypto::sha256(parsed.spki_der()))
        })
    }
}

fn nothing(device: device::DeviceId, director: &OrganisationId, key: Sha256) -> Order {
    Order { to: Addressee { director: director.clone(), device, key }, run: None }
}
