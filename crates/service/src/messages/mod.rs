//! Use cases: messages of devices (GW-1, GW-2, GW-5). A door says who sends and what; `admission`
//! judges; what is admitted is on disk before the door acknowledges it. docs/gateway.md.

mod changes;
mod presence;
mod rates;
mod read;
mod sender;
mod signed;
mod take;
mod traffic;

pub use changes::StandingChanges;
pub(crate) use changes::{Change, Changes};
pub use presence::DeviceHere;
pub(crate) use presence::Presence;
pub use rates::{DoorTraffic, TRAFFIC_KEPT_S, TRAFFIC_SPAN_S};
pub use read::{MessageView, RefusedView};
pub use sender::DoorSender;
pub use signed::{SignedTaken, SignedTopics};
pub use take::{IncomingMessage, MessageDoor, MessageRefused, RetainedMessage};
pub(crate) use traffic::{Beside, TrafficState};
