//! What a device's owner sees of its messages.

use super::take::MessageDoor;
use crate::{Page, Paged, Service, ServiceError, store::message as store};
use admission::Refusal;
use crypto::UnixTime;
use device::DeviceId;
use policy::{Action, Caller};

/// A message on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// its number; a later message has a higher one
    pub id: u64,
    /// through which door it came
    pub door: &'static str,
    /// topic below the space that it is in
    pub topic: String,
    /// the device in whose space it is, where that is another's
    pub space: Option<DeviceId>,
    /// media type, where the device named one
    pub media_type: Option<String>,
    /// what it says
    pub payload: Vec<u8>,
    /// when it came, by the platform's clock
    pub received_at: UnixTime,
    /// SHA-256 of the certificate by whose key the device signed it, where it did
    pub signed_by: Option<crypto::Sha256>,
    /// the device that carried it, where that is another
    pub carrier: Option<DeviceId>,
    /// whether it came encrypted for its owner
    pub encrypted: bool,
}

/// What was refused of a device for one reason at one door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedView {
    /// why
    pub reason: Refusal,
    /// at which door
    pub door: &'static str,
    /// how often
    pub count: u64,
    /// when last
    pub last_at: UnixTime,
    /// the topic of the first of the last second in which that was so
    pub last_topic: String,
    /// the policies that refused it, where policies did
    pub last_policies: Option<String>,
    /// what exactly was wrong with it: the schema, where in the payload, and which rule
    pub last_detail: Option<String>,
}

impl Service {
    /// Messages of a device that came while it belonged to its present owner, the newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn messages(
        &self,
        caller: &Caller,
        device: &DeviceId,
        page: &Page,
    ) -> Result<Paged<MessageView>, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self
            .read(|connection| store::messages(connection, row.id, row.owner, before, limit + 1))?;
        let paged = Paged::cut(rows, limit, |row| row.id.to_string());
        paged.try_map(|row| {
            Ok(MessageView {
                id: row.id.unsigned_abs(),
                door: MessageDoor::from_code(row.door).map_or("unknown", MessageDoor::name),
                topic: row.topic,
                space: row.space.map(DeviceId::from_bytes),
                media_type: row.media_type,
                payload: row.payload,
                received_at: row.received_at,
                signed_by: row.signed.map(crypto::Sha256),
                carrier: row.carrier.map(DeviceId::from_bytes),
                encrypted: row.encrypted,
            })
        })
    }

    /// What was refused of a device while it belonged to its present owner.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn refused_messages(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<RefusedView>, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let rows = self.read(|connection| store::refused(connection, row.id, row.owner))?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                Some(RefusedView {
                    reason: Refusal::from_code(&row.reason)?,
                    door: MessageDoor::from_code(row.door).map_or("unknown", MessageDoor::name),
                    count: row.count,
                    last_at: row.last_at,
                    last_topic: row.last_topic,
                    last_policies: row.last_policies,
                    last_detail: row.last_detail,
                })
            })
            .collect())
    }
}
