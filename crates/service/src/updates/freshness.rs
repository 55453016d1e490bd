//! Use case: a device says which metadata it saw last, and learns which there are. A mirror that stands
//! still is noticed before what it gives out expires: by the device, which learns of a newer version by
//! a way that the mirror does not control, and by the platform, which learns that the device asked after
//! that version was out and still got an older one. docs/update-trust.md.

use crate::{
    Service, ServiceError,
    store::{
        campaign::Polled,
        director as directors,
        freshness::{self as store, FrozenRow},
    },
};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId};
use policy::Caller;

/// Most repositories that a device speaks of at once.
pub const SEEN_MAX: usize = 16;
/// How long a mirror may lag behind, in seconds: whoever sees an older version after that is fed by one
/// that stands still.
pub const FREEZE_TOLERANCE_S: i64 = 3600;

/// The newest timestamp of a repository that a device has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMetadata {
    /// whose repository
    pub organisation: OrganisationId,
    /// of its director, else of its image repository
    pub director: bool,
    /// version of the timestamp
    pub version: u64,
    /// how long ago it asked for the newest one, in seconds
    pub asked_s: u64,
}

/// A version of a timestamp that is out for longer than any mirror may lag behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMetadata {
    /// whose repository
    pub organisation: OrganisationId,
    /// of its director, else of its image repository
    pub director: bool,
    /// version of the timestamp
    pub version: u64,
}

/// A device that is fed older metadata than are given out.
#[derive(Debug)]
pub(crate) struct FrozenMetadata {
    pub(crate) organisation: OrganisationId,
    pub(crate) director: bool,
    pub(crate) version: u64,
    pub(crate) newest: u64,
    pub(crate) behind_since: UnixTime,
}

/// What a repository gives out.
struct Served {
    /// the newest version that is out for long enough
    known: Option<u64>,
    /// the newest at all
    newest: u64,
    /// since when there is something newer than what the device saw
    after: Option<UnixTime>,
}

impl Service {
    /// A device says which metadata it saw last; which it should have seen. Repositories that are not
    /// here are passed over.
    ///
    /// # Errors
    /// `metadata-seen`, `not-found`, `role`.
    pub async fn hear_metadata(
        &self,
        caller: &Caller,
        seen: &[SeenMetadata],
    ) -> Result<Vec<KnownMetadata>, ServiceError> {
        let device = self.updating_device(caller)?;
        let Caller::Device { device: id, .. } = caller else {
            return Err(ServiceError::not_found("device"));
        };
        if seen.len() > SEEN_MAX {
            return Err(ServiceError::malformed(
                "metadata-seen",
                "a device speaks of at most 16 repositories",
            ));
        }
        let now = self.now();
        let mut known = Vec::new();
        let mut changes = Vec::new();
        let noted = self.read(|connection| store::frozen(connection, device.id))?;
        for one in seen {
            let Ok(row) = self.organisation_row(one.organisation.as_str()).map(|row| row.id) else {
                continue;
            };
            let Some(served) = self.served(&device, row, one, now)? else { continue };
            if let Some(version) = served.known {
                known.push(KnownMetadata {
                    organisation: one.organisation.clone(),
                    director: one.director,
                    version,
                });
            }
            let age = i64::try_from(one.asked_s).unwrap_or(i64::MAX);
            let asked = UnixTime(now.0.saturating_sub(age));
            let behind = served.after.filter(|after| asked > after.plus(FREEZE_TOLERANCE_S));
            let before = noted
                .iter()
                .find(|note| (note.organisation, note.director) == (row, one.director))
                .filter(|note| note.owner == device.owner);
            match (behind, before) {
                (Some(behind_since), None) => changes.push((
                    one.clone(),
                    Some(FrozenRow {
                        organisation: row,
                        director: one.director,
                        owner: device.owner,
                        version: one.version,
                        newest: served.newest,
                        behind_since,
                        noted_at: now,
                    }),
                )),
                // It sees what is newer than what it was stuck at.
                (None, Some(before)) if one.version > before.version => {
                    changes.push((one.clone(), None));
                }
                _ => {}
            }
        }
        if !changes.is_empty() {
            self.note_frozen(&device, id, changes, now).await?;
        }
        Ok(known)
    }

    /// What a repository gives out; `None` where it is none of this device's.
    fn served(
        &self,
        device: &Polled,
        organisation: i64,
        seen: &SeenMetadata,
        now: UnixTime,
    ) -> Result<Option<Served>, ServiceError> {
        let long_ago = now.plus(-FREEZE_TOLERANCE_S);
        if !seen.director {
            return self.read(|connection| {
                let Some(newest) = store::served_by(connection, organisation, now)? else {
                    return Ok(None);
                };
                let known = store::served_by(connection, organisation, long_ago)?;
                let after = store::served_after(connection, organisation, seen.version)?;
                Ok(Some(Served { known, newest, after }))
            });
        }
        if organisation != device.maker && organisation != device.owner {
            return Ok(None);
        }
        let given =
            self.read(|connection| directors::given(connection, organisation, device.id))?;
        let Some(given) = given else { return Ok(None) };
        // What was given last is given anew when half of its life is over: who asks after that and gets
        // the same did not ask here.
        let half = given.issued_at.plus(given.expires.since(given.issued_at) / 2);
        let after = match seen.version.cmp(&given.version) {
            std::cmp::Ordering::Less => Some(given.issued_at),
            std::cmp::Ordering::Equal => Some(half).filter(|half| *half <= now),
            std::cmp::Ordering::Greater => None,
        };
        let known = (given.issued_at <= long_ago).then_some(given.version);
        Ok(Some(Served { known, newest: given.version, after }))
    }

    async fn note_frozen(
        &self,
        device: &Polled,
        id: &DeviceId,
        changes: Vec<(SeenMetadata, Option<FrozenRow>)>,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let owner = self.organisation_id(device.owner)?;
        let mut events = Vec::new();
        for (seen, frozen) in &changes {
            let outcome = match frozen {
                Some(_) => audit::Outcome::Failure,
                None => audit::Outcome::Success,
            };
            let what = if frozen.is_some() { "metadata-frozen" } else { "metadata-fresh" };
            let role = if seen.director { "director" } else { "images" };
            let mut event = audit::SecurityEvent::new(now, audit::Kind::Update, outcome)
                .organisation(owner.as_str())
                .subject(&id.to_string())
                .detail("what", what)
                .detail("repository", seen.organisation.as_str())
                .detail("role", role)
                .detail("version", &seen.version.to_string());
            if let Some(frozen) = frozen {
                event = event
                    .severity(audit::Severity::High)
                    .detail("newest", &frozen.newest.to_string())
                    .detail("behind_since", &frozen.behind_since.0.to_string());
            }
            events.push(event);
        }
        let rows: Vec<(i64, bool, Option<FrozenRow>)> = changes
            .into_iter()
            .map(|(seen, frozen)| {
                let row = self.organisation_row(seen.organisation.as_str())?.id;
                Ok((row, seen.director, frozen))
            })
            .collect::<Result<_, ServiceError>>()?;
        let device = device.id;
        self.commit(move |tx| {
            for (organisation, director, frozen) in &rows {
                match frozen {
                    Some(row) => store::set_frozen(tx, device, row)?,
                    None => store::forget_frozen(tx, device, *organisation, *director)?,
                }
            }
            for event in &events {
                tx.audit(event)?;
            }
            Ok(())
        })
        .await
    }

    /// Which repositories' metadata a device sees frozen, as far as it is about its present owner's time.
    pub(crate) fn frozen_of(
        &self,
        device: i64,
        owner: i64,
    ) -> Result<Vec<FrozenMetadata>, ServiceError> {
        let rows = self.read(|connection| store::frozen(connection, device))?;
        rows.into_iter()
            .filter(|row| row.owner == owner)
            .map(|row| {
                Ok(FrozenMetadata {
                    organisation: self.organisation_id(row.organisation)?,
                    director: row.director,
                    version: row.version,
                    newest: row.newest,
                    behind_since: row.behind_since,
                })
            })
            .collect()
    }
}
