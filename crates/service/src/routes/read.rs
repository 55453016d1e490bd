//! What people see of routes: how each stands, what is dead, the rows of tables.

use super::{QueuedMessage, RouteTarget};
use crate::{
    Page, Paged, Service, ServiceError,
    store::{
        route::{self as store, RouteRow},
        route_queue::{self as queue, Place, QueuedRow, Wanted},
    },
};
use admission::{TopicFilter, TopicName};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId};
use policy::{Action, Caller, Resource};

/// Rows that are looked at for a page whose filter likes few of them.
const LOOKED_MAX: usize = 20_000;

/// A route and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteView {
    /// whose
    pub organisation: OrganisationId,
    /// its name
    pub name: String,
    /// messages of one product line only
    pub product: Option<String>,
    /// messages of some topics only
    pub filter: Option<String>,
    /// messages of which this holds only
    pub condition: Option<String>,
    /// messages of one purpose of the product line only, where it stands
    pub purpose: Option<String>,
    /// where they go
    pub target: String,
    /// kind of the target
    pub kind: &'static str,
    /// CAs of the receiver
    pub roots: Option<String>,
    /// nothing is sent for now
    pub paused: bool,
    /// the oldest go when the queue is full
    pub drops: bool,
    /// most messages in the queue or the table
    pub count_max: u64,
    /// most bytes in them
    pub bytes_max: u64,
    /// attempts before a message is dead
    pub attempts_max: u32,
    /// days that rows of a table stay
    pub retention_days: u32,
    /// since when there is the route
    pub created_at: UnixTime,
    /// who made it
    pub created_by: String,
    /// when it was changed last
    pub changed_at: UnixTime,
    /// by whom
    pub changed_by: String,
    /// messages that wait
    pub waiting: u64,
    /// dead messages
    pub dead: u64,
    /// rows of the table
    pub rows: u64,
    /// bytes of all of them
    pub bytes: u64,
    /// messages that were delivered, or became rows
    pub delivered: u64,
    /// messages that went because the queue was full
    pub dropped: u64,
    /// messages that were not sent because consent was withdrawn
    pub withheld: u64,
    /// when messages were delivered last
    pub delivered_at: Option<UnixTime>,
    /// since when delivery fails
    pub failing_since: Option<UnixTime>,
    /// why
    pub failure: Option<String>,
}

impl RouteView {
    pub(super) fn of(row: RouteRow, organisation: &OrganisationId) -> Self {
        let kind = RouteTarget::parse(&row.target).map_or("unknown", |target| target.kind());
        let table = kind == "table";
        let waiting = row.state.count.saturating_sub(row.state.dead);
        Self {
            organisation: organisation.clone(),
            name: row.name,
            product: row.product,
            filter: row.filter,
            condition: row.condition,
            purpose: row.purpose,
            target: row.target,
            kind,
            roots: row.roots,
            paused: row.paused,
            drops: row.drops,
            count_max: row.count_max,
            bytes_max: row.bytes_max,
            attempts_max: row.attempts_max,
            retention_days: row.retention_days,
            created_at: row.created_at,
            created_by: row.created_by,
            changed_at: row.changed_at,
            changed_by: row.changed_by,
            waiting: if table { 0 } else { waiting },
            dead: row.state.dead,
            rows: if table { row.state.count } else { 0 },
            bytes: row.state.bytes,
            delivered: row.state.delivered,
            dropped: row.state.dropped,
            withheld: row.state.withheld,
            delivered_at: row.state.delivered_at,
            failing_since: row.state.failing_since,
            failure: row.state.failure,
        }
    }
}

/// A message that a receiver did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMessage {
    /// the message
    pub message: QueuedMessage,
    /// since when
    pub dead_at: UnixTime,
    /// why
    pub why: String,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutedRow {
    /// the message
    pub message: QueuedMessage,
}

/// Which rows of a table are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteRowQuery {
    /// of one device
    pub device: Option<DeviceId>,
    /// of topics below the device's space
    pub filter: Option<TopicFilter>,
    /// that came at this time or later
    pub from: Option<UnixTime>,
    /// that came before this time
    pub until: Option<UnixTime>,
}

impl Service {
    /// The routes of an organisation.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn routes(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<RouteView>, ServiceError> {
        let _permit =
            self.authorize(caller, Action::ReadRoutes, &Resource::organisation(organisation))?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let rows = self.read(|connection| store::routes(connection, owner))?;
        Ok(rows.into_iter().map(|row| RouteView::of(row, organisation)).collect())
    }

    /// A route.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn route(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<RouteView, ServiceError> {
        let row = self.route_for(caller, Action::ReadRoutes, (organisation, name))?;
        Ok(RouteView::of(row, organisation))
    }

    /// Messages of a route that its receiver did not take, newest first.
    ///
    /// # Errors
    /// `role`, `not-found`, `page`.
    pub async fn dead_messages(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        page: &Page,
    ) -> Result<Paged<DeadMessage>, ServiceError> {
        let row = self.route_for(caller, Action::ReadRoutes, (organisation, name))?;
        let query = RouteRowQuery::default();
        let found = self.kept(row.id, Place::Dead, query, page).await?;
        found.try_map(|row| {
            Ok(DeadMessage {
                dead_at: row.dead_at.unwrap_or(row.received_at),
                why: row.why.clone().unwrap_or_default(),
                message: QueuedMessage::of(row),
            })
        })
    }

    /// Rows of a route whose target is a table, newest first.
    ///
    /// # Errors
    /// `role`, `not-found`, `page`; `route-no-table`.
    pub async fn route_rows(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        query: RouteRowQuery,
        page: &Page,
    ) -> Result<Paged<RoutedRow>, ServiceError> {
        let row = self.route_for(caller, Action::ReadRoutes, (organisation, name))?;
        if row.target != "table" {
            return Err(ServiceError::refused(
                "route-no-table",
                "only a route to a table has rows; what this one sent is with its receiver",
            )
            .in_japanese("行があるのは宛先が表のルートだけです"));
        }
        let found = self.kept(row.id, Place::Row, query, page).await?;
        found.try_map(|row| Ok(RoutedRow { message: QueuedMessage::of(row) }))
    }

    async fn kept(
        &self,
        route: i64,
        place: Place,
        query: RouteRowQuery,
        page: &Page,
    ) -> Result<Paged<QueuedRow>, ServiceError> {
        let before = page.after.as_deref().map(|text| {
            let (at, id) = text.split_once('-').filter(|_| text.len() <= 40)?;
            let read = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
            Some((read(at)?, read(id)?))
        });
        let before = match before {
            Some(None) => return Err(page.misplaced()),
            Some(place) => place,
            None => None,
        };
        let limit = page.count(self.config.limits.page);
        let service = self.clone();
        let work = move || {
            let device = query.device.as_ref().map(|device| device.as_bytes());
            let wanted = Wanted { place, device, from: query.from, until: query.until, before };
            let fits = |row: &QueuedRow| match &query.filter {
                None => true,
                Some(filter) => {
                    TopicName::new(row.topic.clone()).is_ok_and(|topic| filter.matches(&topic))
                }
            };
            service.read(|c| queue::list(c, route, &wanted, (limit, LOOKED_MAX), fits))
        };
        let (items, next) = self.pool.begin(work).outcome().await??;
        Ok(Paged { items, next: next.map(|(at, id)| format!("{at}-{id}")) })
    }
}
