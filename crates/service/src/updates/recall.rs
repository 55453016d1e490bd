//! What stops campaigns from outside: their release is withdrawn or falls below its product's floor,
//! their organisation is suspended. Within the transaction of whoever decides that.

use super::{
    content::is_given_out,
    steps::{Around, Moving},
};
use crate::{
    Service, ServiceError,
    live::found,
    store::{Tx, campaign as store, organisation as organisations},
};
use crypto::UnixTime;
use update::campaign::{Change, PauseCause, State, Told};

impl Service {
    /// Stops what gives out releases of a product that are not to be given out any more: campaigns to
    /// them pause and take back what they gave; those that lead back to them end.
    pub(super) fn recall(
        &self,
        tx: &mut Tx<'_>,
        product: i64,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let around = Around { service: self.clone(), now };
        for id in store::under_way_of_product(tx, product)? {
            let mut moving = Moving::load(tx, id)?;
            if moving.row.stands.state == State::RollingBack {
                let back = moving.row.back;
                let stays = back.map_or(Ok(false), |back| is_given_out(tx, back))?;
                if !stays && moving.row.stands.cancel().is_ok() {
                    let event = event(tx, &moving, now, "campaign-cancelled")?;
                    tx.audit(&event.detail("cause", PauseCause::Release.name()))?;
                    moving.tell(tx, &around, Told::Cancelled)?;
                    moving.write(tx, &around, &[])?;
                }
            } else if !is_given_out(tx, moving.row.release)?
                && moving.row.stands.hold(PauseCause::Release)
            {
                moving.write(tx, &around, &[Change::Paused(PauseCause::Release)])?;
            }
        }
        Ok(())
    }

    /// Pauses what a suspended organisation runs: its people, who could, are not let in.
    pub(crate) fn hold_campaigns(
        &self,
        tx: &mut Tx<'_>,
        organisation: i64,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let around = Around { service: self.clone(), now };
        for (id, _) in store::under_way(tx, organisation)? {
            let mut moving = Moving::load(tx, id)?;
            if moving.row.stands.hold(PauseCause::Suspended) {
                moving.write(tx, &around, &[Change::Paused(PauseCause::Suspended)])?;
            }
        }
        Ok(())
    }
}

fn event(
    tx: &Tx<'_>,
    moving: &Moving,
    now: UnixTime,
    what: &str,
) -> Result<audit::SecurityEvent, ServiceError> {
    let organisation =
        found(organisations::organisation_by_id(tx, moving.row.organisation)?, "campaign")?;
    Ok(audit::SecurityEvent::new(now, audit::Kind::Update, audit::Outcome::Failure)
        .organisation(&organisation.slug)
        .subject(&hex::encode(moving.row.reference))
        .detail("what", what))
}
