//! What went through the doors, for those who look after an organisation's devices.

use super::take::MessageDoor;
use crate::{
    Service, ServiceError,
    store::traffic::{self as store, TrafficRow},
};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// Length of a span that is counted by itself, in seconds.
pub const TRAFFIC_SPAN_S: i64 = 300;
/// How long counts are kept, in seconds.
pub const TRAFFIC_KEPT_S: i64 = 14 * 86_400;
/// Rows that are forgotten in one commit.
const PURGE_BATCH: usize = 1000;

/// Messages at a door in one span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorTraffic {
    /// when the span began, by the platform's clock
    pub at: UnixTime,
    /// which door
    pub door: MessageDoor,
    /// messages that were admitted
    pub admitted: u64,
    /// messages that were refused, for whatever reason
    pub refused: u64,
}

/// The span that a time is in.
pub(super) fn span(at: UnixTime) -> UnixTime {
    UnixTime(at.0.div_euclid(TRAFFIC_SPAN_S).saturating_mul(TRAFFIC_SPAN_S))
}

impl Service {
    /// Messages of an organisation's devices at each door in the last hours, in spans of five minutes,
    /// oldest first; spans and doors without any are left out. What came in the last second may not be
    /// counted yet.
    ///
    /// # Errors
    /// `role`, `not-found`; `hours` where it is none, or more than is kept.
    pub async fn door_traffic(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        hours: u32,
    ) -> Result<Vec<DoorTraffic>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadMessages, &resource)?;
        let seconds = i64::from(hours).saturating_mul(3600);
        if !(1..=TRAFFIC_KEPT_S).contains(&seconds) {
            let most = TRAFFIC_KEPT_S / 3600;
            return Err(ServiceError::malformed(
                "hours",
                format!("counts are kept for {most} hours; ask for 1 to {most}"),
            )
            .in_japanese(format!(
                "件数は{most}時間分だけ残ります。1から{most}までを指定してください"
            )));
        }
        let owner = self.organisation_row(organisation.as_str())?.id;
        let from = span(UnixTime(self.now().0.saturating_sub(seconds)));
        let rows = self.read(|connection| store::since(connection, owner, from))?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let door = MessageDoor::from_code(row.door)?;
                let TrafficRow { at, admitted, refused, .. } = row;
                Some(DoorTraffic { at, door, admitted, refused })
            })
            .collect())
    }

    /// Writes down what was counted, and forgets what is old. Nothing is written where nothing is to be.
    pub(super) async fn settle_traffic(&self) -> Result<(), ServiceError> {
        let now = self.now();
        let rows = self.traffic.lock().take_counted(span(now));
        let before = UnixTime(now.0.saturating_sub(TRAFFIC_KEPT_S));
        let stale = self.read(|connection| store::is_stale(connection, before))?;
        if rows.is_empty() && !stale {
            return Ok(());
        }
        self.commit(move |tx| {
            for row in &rows {
                store::add(tx, row)?;
            }
            if stale {
                let _more = store::purge(tx, before, PURGE_BATCH)?;
            }
            Ok(())
        })
        .await
    }
}
