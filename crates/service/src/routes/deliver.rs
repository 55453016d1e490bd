//! For whoever delivers: what is due, and what became of it.

use super::{RouteTarget, plain};
use crate::{
    Service, ServiceError,
    live::found,
    messages::MessageDoor,
    purposes::Served,
    store::{
        route::{self as store, RouteRow},
        route_queue::{self as queue, QueuedRow},
    },
    streams::read_roots,
};
use admission::route::{Envelope, RoutedMessage};
use crypto::{Secret, UnixTime};
use device::{DeviceId, OrganisationId};
use pki::Certificate;
use policy::{Action, Caller, Resource};
use std::{collections::HashSet, path::PathBuf};

/// Messages of a device that are taken at a time, and their bytes.
const LANE: (usize, usize) = (16, 256 * 1024);

/// A route for whoever delivers. `revision` changes with its settings.
#[derive(Debug)]
pub struct OpenedRoute {
    /// identifies it, also against a later one of the same name
    pub id: i64,
    /// changes with its settings
    pub revision: u64,
    /// whose
    pub organisation: OrganisationId,
    /// its name
    pub name: String,
    /// where messages go
    pub target: RouteTarget,
    /// CAs of the receiver; those of the machine where there are none
    pub roots: Vec<Certificate>,
    /// key of the web hook, or how the platform logs in at the broker
    pub secret: Option<Secret>,
    /// row of the organisation
    owner: i64,
    /// the purpose that it serves
    serves: Option<Served>,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMessage {
    /// its number within all routes
    pub id: u64,
    /// who sent it
    pub device: DeviceId,
    /// of which product line
    pub product: Option<String>,
    /// topic below the device's space
    pub topic: String,
    /// through which door it came
    pub door: &'static str,
    /// its media type, where the device named one
    pub media_type: Option<String>,
    /// what it says
    pub payload: Vec<u8>,
    /// when it came
    pub received_at: UnixTime,
}

impl QueuedMessage {
    pub(super) fn of(row: QueuedRow) -> Self {
        Self {
            id: row.id.unsigned_abs(),
            device: DeviceId::from_bytes(row.device),
            product: row.product,
            topic: row.topic,
            door: MessageDoor::from_code(row.door).map_or("unknown", MessageDoor::name),
            media_type: row.media_type,
            payload: row.payload,
            received_at: row.received_at,
        }
    }

    /// What a receiver tells by that it was sent something twice: it never changes.
    pub fn delivery(&self) -> String {
        format!("msg_{:016x}", self.id)
    }

    /// What a receiver gets: one JSON object on one line.
    pub fn json(&self, route: &str) -> String {
        Envelope::of(&RoutedMessage {
            device: self.device,
            product: self.product.as_deref(),
            topic: &self.topic,
            door: self.door,
            received_at: self.received_at,
            media_type: self.media_type.as_deref(),
            payload: &self.payload,
        })
        .sent(&self.delivery(), route)
    }
}

/// What is due of one device, in its order.
#[derive(Debug)]
pub struct Lane {
    /// which device, by its row
    pub device: i64,
    /// how often the first message was tried
    pub attempts: u32,
    /// the first messages
    pub messages: Vec<QueuedMessage>,
    /// messages before or among them that may not be sent any more: consent was withdrawn
    pub withheld: Vec<u64>,
}

/// What became of a lane.
#[derive(Debug, Default)]
pub struct LaneOutcome {
    /// messages that the receiver has
    pub delivered: Vec<u64>,
    /// messages that it will never take, and why
    pub dead: Vec<(u64, String)>,
    /// messages that may not be sent any more
    pub withheld: Vec<u64>,
    /// what ended it before its end
    pub failed: Option<LaneFailure>,
}

/// What kept a message from being delivered, for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneFailure {
    /// which message
    pub message: u64,
    /// in how many seconds to try again
    pub pause_s: u32,
    /// why
    pub why: String,
}

impl Service {
    fn deliver_permit(&self, caller: &Caller) -> Result<policy::Permit, ServiceError> {
        self.authorize(caller, Action::ManageRoutes, &Resource::platform())
    }

    /// Every route that is not paused and has somebody to deliver to: its id and the revision of its
    /// settings.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn live_routes(&self, caller: &Caller) -> Result<Vec<(i64, u64)>, ServiceError> {
        let _permit = self.deliver_permit(caller)?;
        self.read(store::live)
    }

    /// A route with its secrets, for whoever delivers.
    ///
    /// # Errors
    /// `not-found` where it has ended.
    pub fn open_route(&self, caller: &Caller, id: i64) -> Result<OpenedRoute, ServiceError> {
        let _permit = self.deliver_permit(caller)?;
        let row = found(self.read(|connection| store::route_of_id(connection, id))?, "route")?;
        let damaged = || ServiceError::fatal("store-damaged", "a route's row is damaged");
        let organisation = self.organisation_id(row.organisation)?;
        Ok(OpenedRoute {
            id: row.id,
            revision: row.revision,
            target: RouteTarget::parse(&row.target).map_err(|_| damaged())?,
            owner: row.organisation,
            serves: self.purpose_served(&row)?,
            roots: row.roots.as_deref().map(read_roots).transpose()?.unwrap_or_default(),
            secret: self.open_route_secret(&organisation, &row)?,
            organisation,
            name: row.name,
        })
    }

    /// What is due of a route, of devices of which nothing is on its way. It may block for as long as
    /// a read takes.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn due_lanes(
        &self,
        caller: &Caller,
        id: i64,
        busy: &HashSet<i64>,
        most: usize,
    ) -> Result<Vec<Lane>, ServiceError> {
        let _permit = self.deliver_permit(caller)?;
        let now = self.now();
        let found = self.read(|connection| {
            // Those that are busy may be due as well, and are read over.
            let due = queue::due(connection, id, now, most.saturating_add(busy.len()))?;
            let mut lanes = Vec::new();
            for (device, attempts) in due.into_iter().filter(|(it, _)| !busy.contains(it)) {
                if lanes.len() >= most {
                    break;
                }
                let rows = queue::waiting(connection, (id, device), LANE.0, LANE.1)?;
                lanes.push((device, attempts, rows));
            }
            let route = store::route_of_id(connection, id)?;
            Ok((route, lanes))
        })?;
        let (Some(route), lanes) = found else { return Ok(Vec::new()) };
        let by = (route.organisation, self.purpose_served(&route)?);
        Ok(lanes.into_iter().map(|lane| self.sort_lane(&by, lane)).collect())
    }

    /// A lane without what its owner does not agree to any more. It is asked again for each message when that
    /// is sent: what cannot be known now stays in the lane, and fails there, alone.
    fn sort_lane(
        &self,
        by: &(i64, Option<Served>),
        (device, attempts, rows): (i64, u32, Vec<QueuedRow>),
    ) -> Lane {
        let mut lane = Lane { device, attempts, messages: Vec::new(), withheld: Vec::new() };
        for row in rows {
            let message = QueuedMessage::of(row);
            let goes = self.goes(by, device, (&message.topic, message.received_at));
            match goes.unwrap_or(true) {
                true => lane.messages.push(message),
                false => lane.withheld.push(message.id),
            }
        }
        lane
    }

    fn goes(
        &self,
        (owner, serves): &(i64, Option<Served>),
        device: i64,
        (topic, received_at): (&str, UnixTime),
    ) -> Result<bool, ServiceError> {
        let uses = self.message_uses_beside((device, *owner), topic, Some(received_at))?;
        Ok(uses.goes_by(serves.as_ref()))
    }

    /// Whether a message of a device, by its row, may be sent at this moment: to be asked just before it is,
    /// since a receiver may have been slow with those before it. From memory, but for the first time.
    ///
    /// # Errors
    /// Where it cannot be known; then it is not to be sent.
    pub fn may_go(
        &self,
        route: &OpenedRoute,
        device: i64,
        message: (&str, UnixTime),
    ) -> Result<bool, ServiceError> {
        self.goes(&(route.owner, route.serves.clone()), device, message)
    }

    /// Notes what became of a lane: in one commit. The first failure since the receiver took
    /// everything is a security event, and so is that it does again.
    ///
    /// # Errors
    /// Where the store cannot be written; then messages are sent again.
    pub async fn settle_lane(
        &self,
        caller: &Caller,
        id: i64,
        lane: (i64, u32),
        outcome: LaneOutcome,
    ) -> Result<(), ServiceError> {
        let _permit = self.deliver_permit(caller)?;
        let (now, caller) = (self.now(), caller.clone());
        let service = self.clone();
        self.commit(move |tx| {
            let Some(row) = store::route_of_id(tx, id)? else { return Ok(()) };
            let (device, tried) = lane;
            let number = |id: &u64| crate::store::to_i64(*id);
            let delivered: Vec<i64> = outcome.delivered.iter().map(number).collect();
            queue::delivered(tx, id, &delivered, now)?;
            let withheld: Vec<i64> = outcome.withheld.iter().map(number).collect();
            queue::withhold(tx, id, &withheld)?;
            let event = |outcome| service.delivery_event_of(&caller, &row, outcome);
            let bury = |tx: &mut crate::store::Tx<'_>, message: &u64, why: &str| {
                let why = plain(why);
                if queue::bury(tx, id, number(message), &why, now)? {
                    let event = event(audit::Outcome::Failure)?;
                    tx.audit(&event.detail("reason", "a message is dead").detail("why", &why))?;
                }
                Ok::<_, ServiceError>(())
            };
            for (message, why) in &outcome.dead {
                bury(tx, message, why)?;
            }
            let mut due = None;
            if let Some(failure) = &outcome.failed {
                // Whether it was the first: what went before it had the attempts that are counted.
                let before = |id: &u64| *id < failure.message;
                let fresh = !outcome.withheld.iter().any(before)
                    && delivered.is_empty()
                    && outcome.dead.is_empty();
                let attempts = if fresh { tried.saturating_add(1) } else { 1 };
                if attempts >= row.attempts_max {
                    let why = format!("{} attempts: {}", attempts, failure.why);
                    bury(tx, &failure.message, &why)?;
                } else {
                    due = Some((now.plus(i64::from(failure.pause_s)), attempts));
                }
                if queue::fail(tx, id, &plain(&failure.why), now)? {
                    let event = event(audit::Outcome::Failure)?;
                    tx.audit(&event.detail("why", &plain(&failure.why)))?;
                }
            }
            queue::go_on(tx, (id, device), due, now)?;
            let went = !delivered.is_empty() || !withheld.is_empty();
            if went && queue::recover(tx, id)? {
                tx.audit(&event(audit::Outcome::Success)?)?;
            }
            Ok(())
        })
        .await
    }

    /// Whether a device may hear messages of an organisation's route: it is its own.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn route_reaches(
        &self,
        organisation: &OrganisationId,
        device: &DeviceId,
    ) -> Result<bool, ServiceError> {
        let owner = self.organisation_row(organisation.as_str())?.id;
        self.owns(owner, device)
    }

    /// The file of a route whose target is one.
    pub fn route_file(&self, organisation: &OrganisationId, name: &str) -> PathBuf {
        self.dir.join("routes").join(organisation.as_str()).join(format!("{name}.jsonl"))
    }

    fn delivery_event_of(
        &self,
        caller: &Caller,
        row: &RouteRow,
        outcome: audit::Outcome,
    ) -> Result<audit::SecurityEvent, ServiceError> {
        let organisation = self.organisation_of(row.organisation)?;
        Ok(self
            .event(caller, audit::Kind::Delivery, outcome)
            .organisation(&organisation.slug)
            .detail("route", &row.name)
            .detail("target", super::told_of(&row.target)))
    }
}
