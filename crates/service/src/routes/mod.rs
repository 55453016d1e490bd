//! Use cases: routes (GW-5). Rules send admitted messages of devices on. docs/routes.md.
//!
//! A message is put into the queues of the routes that take it in the transaction that keeps it, so
//! that what a door acknowledges reaches every receiver or stays visible as what did not. Rules are
//! held against it before, in memory. Connections are the server's.

mod deliver;
mod put;
mod read;
mod take;
mod target;
mod trial;

pub use deliver::{Lane, LaneFailure, LaneOutcome, OpenedRoute, QueuedMessage};
pub use put::{NewRoute, PutRoute, ROUTE_LIMITS, ROUTES_MAX, RouteLimits};
pub use read::{DeadMessage, RouteRowQuery, RouteView, RoutedRow};
pub(crate) use take::{LiveRoute, Routed, going, put, refusal};
pub use target::{RouteTarget, TargetError};
pub(crate) use target::{signing_key, signing_key_text};
pub use trial::{SAMPLES_MAX, Sample, TriedMessage, read_rule};

use crate::{
    Service, ServiceError,
    live::found,
    store::route::{self as store, RouteRow},
};
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// Longest text that says why something failed, in characters.
const WHY_CHARS_MAX: usize = 300;

/// A text of somebody else's, as it may be kept and shown.
fn plain(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).take(WHY_CHARS_MAX).collect()
}

impl Service {
    /// A route of an organisation, for who may do that with it.
    fn route_for(
        &self,
        caller: &Caller,
        action: Action,
        (organisation, name): (&OrganisationId, &str),
    ) -> Result<RouteRow, ServiceError> {
        let _permit = self.authorize(caller, action, &Resource::organisation(organisation))?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        found(self.read(|connection| store::route(connection, owner, name))?, "route")
    }

    fn route_event(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        (name, change): (&str, &str),
    ) -> audit::SecurityEvent {
        self.event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", "route")
            .detail("route", name)
            .detail("change", change)
    }
}

/// What is told of a target outside: of an address who it is, not the path and query, in which web hooks
/// have their tokens.
pub(crate) fn told_of(target: &str) -> &str {
    let Some(rest) = target.strip_prefix("https://") else { return target };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    target.get(..end.saturating_add("https://".len())).unwrap_or("https")
}

#[cfg(test)]
mod tests {
    use super::told_of;

    #[test]
    fn the_token_of_a_web_hook_is_not_told() {
        assert_eq!(
            told_of("https://hooks.example:8443/T0/secret?x=1"),
            "https://hooks.example:8443"
        );
        assert_eq!(told_of("https://hooks.example?token=1"), "https://hooks.example");
        assert_eq!(told_of("https://hooks.example"), "https://hooks.example");
        assert_eq!(told_of("table"), "table");
    }
}
