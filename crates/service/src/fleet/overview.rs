//! Use case: an organisation's fleet at a glance. Figures are counted when first asked for and kept
//! up to date in the background while somebody looks; the answer says as of when they are.

use super::search::{Attention, DeviceSearch};
use crate::{
    DeviceRelation, Service, ServiceError,
    store::{
        fleet as store, organisation as organisations,
        search::{self, Order},
    },
};
use crypto::UnixTime;
use device::{
    DeviceId, Kind, OrganisationId, Outcome, Phase, ProductId, SignedEvent, StandingKind,
};
use policy::{Action, Caller, Resource};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Days of verdicts that are shown.
pub const DAYS: i64 = 30;
/// Days within which a certificate must end, and for which a device must be silent, to be counted.
pub const ATTENTION_DAYS: u32 = 30;
/// Days before the end of support from which a product line is watched; it is told apart which of
/// them remain.
pub const SUPPORT_DAYS: [u32; 3] = [30, 90, 180];
/// Product lines that are shown whose support ends.
pub const SUPPORT_SHOWN_MAX: usize = 20;
/// The longest of [`SUPPORT_DAYS`].
const SUPPORT_DAYS_MAX: u32 = 180;
/// Newest events that are shown.
const NEWEST: usize = 10;
/// Events that are looked at to find them.
const LOOKED_AT: usize = 2_000;
/// Most devices that a count looks for.
const COUNTED_MAX: u64 = 10_000;
/// Steps of a search that a first count may take, and one in the background.
const STEPS: (usize, usize) = (6, 200);
/// Age from which figures are counted anew in the background, in seconds.
const STALE_S: i64 = 15;
/// Age from which nobody is shown them any more, in seconds.
const OLD_S: i64 = 120;
/// Organisations whose figures are kept.
const KEPT_MAX: usize = 1_000;

/// A fleet at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// when the counts were taken
    pub as_of: UnixTime,
    /// devices that the organisation owns; all there are, for the platform's own organisation
    pub devices: u64,
    /// devices by phase; `None` before their history begins
    pub phases: Vec<(Option<Phase>, u64)>,
    /// devices by standing
    pub standings: Vec<(StandingKind, u64)>,
    /// devices by the last verdict; `None` without one
    pub outcomes: Vec<(Option<Outcome>, u64)>,
    /// verdicts per day (UTC), oldest first, [`DAYS`] of them
    pub verdicts: Vec<DayOfVerdicts>,
    /// what needs attention; empty for the platform's own organisation, which sees no devices
    pub attention: Vec<(Attention, Counted)>,
    /// the organisation's product lines whose support ends soon or has ended, while devices are in
    /// the field: what ends last comes first, [`SUPPORT_SHOWN_MAX`] of them
    pub support: Vec<SupportWatch>,
    /// newest events of the organisation's devices, among the newest of the platform
    pub newest: Vec<NewestEvent>,
    /// metadata of the organisation's image repository that end soon, as of now
    pub repository: Vec<crate::RoleState>,
    /// the root of the organisation's director where it ends soon, as of now
    pub director: Vec<crate::RoleState>,
    /// the log, as of now
    pub log: LogHealth,
}

/// A product line whose support is about to end, or has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportWatch {
    /// the product line
    pub product: ProductId,
    /// its name
    pub name: String,
    /// when support ends
    pub end: UnixTime,
    /// devices that are neither retired nor disposed of
    pub devices: Counted,
}

/// Verdicts of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayOfVerdicts {
    /// its beginning
    pub day: UnixTime,
    /// *genuine*
    pub genuine: u64,
    /// *suspect*
    pub suspect: u64,
    /// *rejected*
    pub rejected: u64,
}

/// A count that may have been broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// how many
    pub count: u64,
    /// whether there may be more
    pub at_least: bool,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestEvent {
    /// the device
    pub device: DeviceId,
    /// place in its history
    pub sequence: u64,
    /// what happened
    pub kind: Kind,
    /// when, by the reporter's account
    pub at: UnixTime,
    /// whose act it was
    pub principal: OrganisationId,
    /// person, station or program; `None` where unknown or erased
    pub actor: Option<String>,
    /// whether the platform signed it for them
    pub on_behalf: bool,
}

/// How the log does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHealth {
    /// leaves in the newest checkpoint
    pub size: u64,
    /// leaves that wait for the next
    pub waiting: u64,
    /// when leaves were last put into a checkpoint
    pub checkpoint_at: Option<UnixTime>,
    /// what the last attempt failed with
    pub failure: Option<String>,
    /// the same in Japanese
    pub failure_ja: Option<String>,
    /// witnesses that are asked for cosignatures
    pub witnesses: Vec<WitnessHealth>,
}

/// What is known of a witness since the service started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessHealth {
    /// its name
    pub name: String,
    /// when it last cosigned
    pub cosigned_at: Option<UnixTime>,
    /// how many leaves it cosigned then
    pub size: u64,
}

/// What is kept between requests.
#[derive(Default)]
pub(crate) struct Overviews {
    kept: Mutex<HashMap<i64, Kept>>,
    witnessed: Mutex<HashMap<String, (UnixTime, u64)>>,
}

struct Kept {
    organisation: OrganisationId,
    overview: Arc<Overview>,
    /// somebody looked since it was counted
    wanted: bool,
}

impl Overviews {
    /// A witness has cosigned.
    pub(crate) fn note_cosignature(&self, witness: &str, at: UnixTime, size: u64) {
        let mut witnessed = self.witnessed.lock().unwrap_or_else(PoisonError::into_inner);
        witnessed.insert(witness.to_owned(), (at, size));
    }
}

impl Service {
    /// An organisation's fleet at a glance. Counts may be up to two minutes old: see
    /// [`Overview::as_of`].
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn overview(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Overview, ServiceError> {
        let platform = *organisation == self.platform.id;
        if platform {
            // Counts over everybody's devices are the platform's to see, the devices are not.
            let action = Action::ReadPlatformStatus;
            let _permit = self.authorize(caller, action, &Resource::platform())?;
        } else {
            let resource = Resource::organisation(organisation);
            let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        }
        let row = self.organisation_row(organisation.as_str())?.id;
        let now = self.now();
        let kept = {
            let mut kept = self.overviews.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get_mut(&row).map(|kept| {
                kept.wanted = true;
                Arc::clone(&kept.overview)
            })
        };
        let overview = match kept.filter(|kept| now.0.saturating_sub(kept.as_of.0) < OLD_S) {
            Some(kept) => kept,
            None => {
                let (service, organisation) = (self.clone(), organisation.clone());
                let counted = self.pool.begin(move || service.count(row, &organisation, STEPS.0));
                counted.outcome().await??
            }
        };
        let repository = self.repository_warnings(organisation);
        let director = self.director_warnings(organisation);
        let log = self.log_health();
        Ok(Overview { log, repository, director, ..Overview::clone(&overview) })
    }

    /// Counts anew what somebody looked at. On a thread of its own.
    pub(crate) fn refresh_overviews(&self) {
        let now = self.now();
        let due: Vec<(i64, OrganisationId)> = {
            let mut kept = self.overviews.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.retain(|_, kept| now.0.saturating_sub(kept.overview.as_of.0) < OLD_S);
            kept.iter()
                .filter(|(_, kept)| {
                    kept.wanted && now.0.saturating_sub(kept.overview.as_of.0) >= STALE_S
                })
                .map(|(row, kept)| (*row, kept.organisation.clone()))
                .collect()
        };
        for (row, organisation) in due {
            if let Err(error) = self.count(row, &organisation, STEPS.1) {
                tracing::warn!(%error, "an overview could not be brought up to date");
            }
        }
    }

    fn count(
        &self,
        row: i64,
        organisation: &OrganisationId,
        steps: usize,
    ) -> Result<Arc<Overview>, ServiceError> {
        let now = self.now();
        let whole = *organisation == self.platform.id;
        let today = now.0.div_euclid(86_400);
        let first = today.saturating_sub(DAYS - 1);
        let damaged = || ServiceError::fatal("store-damaged", "a device's row is damaged");
        let of = (!whole).then_some(row);
        let (phases, bad, judged, days) = self.read(|connection| {
            Ok((
                store::count_phases(connection, of)?,
                store::count_not_good(connection, of)?,
                store::count_outcomes(connection, of)?,
                store::count_days(connection, of, first)?,
            ))
        })?;
        let devices: u64 = phases.iter().map(|(_, count)| count).sum();
        let not_good: u64 = bad.iter().map(|(_, count)| count).sum();
        let mut standings = vec![(StandingKind::Good, devices.saturating_sub(not_good))];
        for (standing, count) in bad {
            standings.push((StandingKind::from_code(standing.into()).ok_or_else(damaged)?, count));
        }
        let known: u64 = judged.iter().map(|(_, count)| count).sum();
        let mut outcomes = Vec::new();
        for (outcome, count) in judged {
            outcomes.push((Some(Outcome::from_code(outcome.into()).ok_or_else(damaged)?), count));
        }
        outcomes.push((None, devices.saturating_sub(known)));
        let verdicts = (first..=today)
            .map(|day| {
                let of = |outcome: Outcome| {
                    let found = days.iter().find(|(d, o, _)| (*d, *o) == (day, outcome.code()));
                    found.map_or(0, |(_, _, count)| *count)
                };
                DayOfVerdicts {
                    day: UnixTime(day.saturating_mul(86_400)),
                    genuine: of(Outcome::Genuine),
                    suspect: of(Outcome::Suspect),
                    rejected: of(Outcome::Rejected),
                }
            })
            .collect();
        let (mut attention, mut newest) = (Vec::new(), Vec::new());
        let mut support = Vec::new();
        if !whole {
            support = self.support(row, organisation, steps)?;
            for kind in [
                Attention::Suspect,
                Attention::Suspended,
                Attention::Alarm,
                Attention::Scans,
                Attention::Support { days: SUPPORT_DAYS_MAX },
                Attention::Expiring { days: ATTENTION_DAYS },
                Attention::Stale { days: ATTENTION_DAYS },
            ] {
                let search = DeviceSearch { attention: Some(kind), ..DeviceSearch::default() };
                attention.push((kind, self.counted(organisation, &search, steps)?));
            }
            newest = self.newest(row)?;
        }
        let overview = Arc::new(Overview {
            as_of: now,
            devices,
            phases: phases
                .into_iter()
                .map(|(phase, count)| (Phase::from_code(phase.into()), count))
                .collect(),
            standings,
            outcomes,
            verdicts,
            attention,
            support,
            newest,
            repository: Vec::new(),
            director: Vec::new(),
            log: self.log_health(),
        });
        let mut kept = self.overviews.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX && !kept.contains_key(&row) {
            kept.clear();
        }
        let entry = Kept {
            organisation: organisation.clone(),
            overview: Arc::clone(&overview),
            wanted: steps == STEPS.0,
        };
        kept.insert(row, entry);
        Ok(overview)
    }

    /// Counts what a list would show, in steps, so that no reader is held for long.
    fn counted(
        &self,
        organisation: &OrganisationId,
        search: &DeviceSearch,
        steps: usize,
    ) -> Result<Counted, ServiceError> {
        let wanted = self.wanted(organisation, search)?;
        let mut from = None;
        let mut counted = Counted::default();
        for _ in 0..steps {
            let found = self.read(|connection| {
                search::search(connection, &wanted, Order::Newest, from.as_ref(), false, 4_000)
            })?;
            counted.count = counted.count.saturating_add(found.hits.len() as u64);
            let last = found.hits.last().map(|(_, place)| place.clone());
            match found.stopped.or(last.filter(|_| found.more)) {
                None => return Ok(counted),
                Some(_) if counted.count >= COUNTED_MAX => break,
                Some(place) => from = Some(place),
            }
        }
        Ok(Counted { at_least: true, ..counted })
    }

    /// Product lines whose support ends, with those of their devices that are in the field.
    fn support(
        &self,
        row: i64,
        organisation: &OrganisationId,
        steps: usize,
    ) -> Result<Vec<SupportWatch>, ServiceError> {
        let by = self.now().plus(i64::from(SUPPORT_DAYS_MAX) * 86_400);
        let lines = self.read(|connection| {
            organisations::products_supported_until(connection, row, by, SUPPORT_SHOWN_MAX)
        })?;
        let mut watched = Vec::new();
        for line in lines {
            let product = ProductId::new(&line.slug)
                .map_err(|_| ServiceError::fatal("store-damaged", "a product's row is damaged"))?;
            let search = DeviceSearch {
                relation: DeviceRelation::Maker,
                product: Some((organisation.clone(), product.clone())),
                attention: Some(Attention::Support { days: SUPPORT_DAYS_MAX }),
                ..DeviceSearch::default()
            };
            let devices = self.counted(organisation, &search, steps)?;
            if let Some(end) = line.support_end.filter(|_| devices.count > 0 || devices.at_least) {
                watched.push(SupportWatch { product, name: line.name, end, devices });
            }
        }
        Ok(watched)
    }

    fn newest(&self, row: i64) -> Result<Vec<NewestEvent>, ServiceError> {
        let rows = self.read(|connection| store::newest(connection, row, LOOKED_AT, NEWEST))?;
        rows.into_iter()
            .map(|row| {
                let signed = row.cose.as_deref().and_then(|cose| SignedEvent::parse(cose).ok());
                let event = signed.as_ref().map(SignedEvent::unverified);
                let reporter = self.organisation_id(row.reporter)?;
                Ok(NewestEvent {
                    device: DeviceId::from_bytes(row.device),
                    sequence: row.sequence,
                    kind: Kind::from_code(row.kind.into()).ok_or_else(|| {
                        ServiceError::fatal("store-damaged", "an event's row is damaged")
                    })?,
                    at: row.at,
                    principal: event.map_or(reporter, |event| event.principal().clone()),
                    actor: event.and_then(|event| event.actor.clone()),
                    on_behalf: event.is_some_and(|event| event.on_behalf.is_some()),
                })
            })
            .collect()
    }

    pub(crate) fn log_health(&self) -> LogHealth {
        let health = self.health();
        let witnessed = self.overviews.witnessed.lock().unwrap_or_else(PoisonError::into_inner);
        let witnesses = self
            .config
            .witnesses
            .iter()
            .map(|client| {
                // A verification key of signed-note: name+hash+key.
                let name = client.key().split('+').next().unwrap_or_default().to_owned();
                let last = witnessed.get(&name);
                WitnessHealth {
                    cosigned_at: last.map(|(at, _)| *at),
                    size: last.map_or(0, |(_, size)| *size),
                    name,
                }
            })
            .collect();
        LogHealth {
            size: health.tree_size,
            waiting: health.waiting,
            checkpoint_at: health.integrated_at,
            failure: health.integration,
            failure_ja: health.integration_ja,
            witnesses,
        }
    }
}

/// How often figures that somebody looks at are looked after.
pub(crate) const REFRESH: Duration = Duration::from_secs(5);
