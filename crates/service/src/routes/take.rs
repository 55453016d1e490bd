//! Which routes a message goes by.

use crate::{
    Service, ServiceError,
    purposes::{MessageUses, Served},
    store::{
        Tx,
        message::NewMessage,
        route as store,
        route_queue::{self as queue, Going},
    },
};
use admission::{
    Refusal,
    route::{Candidate, RouteRule, RoutedMessage},
};
use audit::{Kind, Outcome, SecurityEvent};
use std::sync::Arc;

/// A route as a door asks it.
#[derive(Debug)]
pub(crate) struct LiveRoute {
    going: Going,
    rule: RouteRule,
    /// the purpose that it serves
    purpose: Option<Served>,
}

/// The routes that take a message.
pub(crate) fn going(
    routes: &[LiveRoute],
    uses: &MessageUses,
    message: &RoutedMessage<'_>,
) -> Vec<Going> {
    let candidate = Candidate::new(message);
    routes
        .iter()
        .filter(|route| uses.goes_by(route.purpose.as_ref()) && route.rule.takes(&candidate))
        .map(|route| route.going.clone())
        .collect()
}

impl Service {
    /// The routes of an organisation, from memory.
    pub(crate) fn live_routes_of(
        &self,
        organisation: i64,
    ) -> Result<Arc<Vec<LiveRoute>>, ServiceError> {
        self.live.routes.get_or_load(organisation, || {
            let rows = self.read(|connection| store::routes(connection, organisation))?;
            let live = rows.iter().map(|row| {
                Ok(LiveRoute {
                    going: Going { route: row.id, table: row.target == "table", drops: row.drops },
                    purpose: self.purpose_served(row)?,
                    // What was put was read: a row that says something else is damaged, and a message
                    // that would go nowhere for it is not to be acknowledged.
                    rule: super::read_rule(
                        row.product.as_deref(),
                        row.filter.as_deref(),
                        row.condition.as_deref(),
                    )
                    .map_err(|_| {
                        ServiceError::fatal("store-damaged", "a route's row is damaged")
                    })?,
                })
            });
            live.collect::<Result<Vec<_>, ServiceError>>().map(Arc::new)
        })
    }

    /// The purpose that a route serves.
    pub(super) fn purpose_served(
        &self,
        row: &store::RouteRow,
    ) -> Result<Option<Served>, ServiceError> {
        let Some(purpose) = &row.purpose else { return Ok(None) };
        let damaged = || ServiceError::fatal("store-damaged", "a route's row is damaged");
        let product = row.product.as_deref().and_then(|it| it.split_once('/'));
        let (maker, product) = product.ok_or_else(damaged)?;
        let maker = maker.parse().map_err(|_| damaged())?;
        let product = product.parse().map_err(|_| damaged())?;
        match self.product_row(&maker, &product) {
            Ok(line) => Ok(Some((line.id, purpose.clone()))),
            // Nothing serves a purpose of what is no more: no row has this number.
            Err(error) if error.kind() == crate::ErrorKind::NotFound => {
                Ok(Some((0, purpose.clone())))
            }
            Err(error) => Err(error),
        }
    }

    /// A product line as routes name it: `MAKER/PRODUCT`.
    pub(super) fn product_name(
        &self,
        device: &device::DeviceId,
    ) -> Result<Option<String>, ServiceError> {
        use crate::store::{message::sender, organisation::product_by_id};
        let found = self.read(|connection| sender(connection, device.as_bytes()))?;
        let Some((maker, product)) = found.and_then(|row| Some((row.maker, row.product?))) else {
            return Ok(None);
        };
        let row = self.live.products_by_id.get_or_load(product, || {
            let row = self.read(|connection| product_by_id(connection, product))?;
            Ok(row.map(Arc::new))
        })?;
        let maker = self.organisation_of(maker)?;
        Ok(row.map(|row| format!("{}/{}", maker.slug, row.slug)))
    }
}

/// A message as routes take it.
#[derive(Debug)]
pub(crate) struct Routed {
    pub(crate) going: Vec<Going>,
    pub(crate) product: Option<String>,
    pub(crate) message: NewMessage,
}

/// A reason where the queue of one of a message's routes has no room and drops nothing. Nothing is
/// changed.
pub(crate) fn refusal(
    tx: &Tx<'_>,
    routed: Option<&Routed>,
) -> Result<Option<Refusal>, ServiceError> {
    let Some(routed) = routed else { return Ok(None) };
    Ok(queue::is_full(tx, &routed.going, &routed.message)?.then_some(Refusal::Route))
}

/// Puts a message into the queues of its routes.
pub(crate) fn put(tx: &mut Tx<'_>, routed: Option<&Routed>) -> Result<(), ServiceError> {
    let Some(Routed { going, product, message }) = routed else { return Ok(()) };
    for one in going {
        let Some(overflow) = queue::put(tx, one, message, product.as_deref())? else { continue };
        let Some(row) = store::route_of_id(tx, overflow.route)? else { continue };
        let owner = crate::store::organisation::organisation_by_id(tx, row.organisation)?;
        let Some(owner) = owner else { continue };
        let event = SecurityEvent::new(message.received_at, Kind::Delivery, Outcome::Failure)
            .organisation(&owner.slug)
            .actor("platform (route)")
            .detail("route", &row.name)
            .detail("reason", "the queue is full; the oldest messages go")
            .detail("dropped", &overflow.dropped.to_string());
        tx.audit(&event)?;
    }
    Ok(())
}
