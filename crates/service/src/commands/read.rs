//! What an owner sees of its commands.

use super::ErasureView;
use crate::{Page, Paged, Service, ServiceError, store::command as store};
use admission::CommandId;
use crypto::UnixTime;
use device::DeviceId;
use policy::{Action, Caller};

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandState {
    /// no door has had the device to give it to
    Waiting,
    /// a door gave it to the device, which has not answered
    Sent,
    /// the device will do it, or has begun
    Accepted,
    /// the device has done it
    Done,
    /// the device tried and could not
    Failed,
    /// the device will not do it
    Rejected,
    /// it was taken back before the device had answered
    Cancelled,
    /// its time was over before the device had answered
    Expired,
}

impl CommandState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Sent,
        Self::Accepted,
        Self::Done,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Whether it can be taken back.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Sent | Self::Accepted)
    }
}

/// A command on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandView {
    /// its id
    pub id: CommandId,
    /// what to do
    pub name: String,
    /// with what: a JSON object in one line
    pub parameters: String,
    /// why
    pub reason: String,
    /// who gave it
    pub issued_by: String,
    /// when
    pub issued_at: UnixTime,
    /// until when the device must have begun
    pub expires_at: UnixTime,
    /// how far it is
    pub state: CommandState,
    /// when a door first gave it to the device
    pub sent_at: Option<UnixTime>,
    /// when the device last said something to it
    pub answered_at: Option<UnixTime>,
    /// what it said
    pub detail: Option<String>,
    /// its proof that its keys are erased
    pub erasure: Option<ErasureView>,
}

pub(super) fn view(row: store::CommandRow, now: UnixTime) -> CommandView {
    let over = row.expires_at <= now;
    let state = match row.state {
        store::State::Waiting | store::State::Sent | store::State::Accepted if over => {
            CommandState::Expired
        }
        store::State::Waiting => CommandState::Waiting,
        store::State::Sent => CommandState::Sent,
        store::State::Accepted => CommandState::Accepted,
        store::State::Done => CommandState::Done,
        store::State::Failed => CommandState::Failed,
        store::State::Rejected => CommandState::Rejected,
        store::State::Cancelled => CommandState::Cancelled,
    };
    CommandView {
        id: CommandId(row.reference),
        name: row.name,
        parameters: row.parameters,
        reason: row.reason,
        issued_by: row.issued_by,
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        state,
        sent_at: row.sent_at,
        answered_at: row.answered_at,
        detail: row.detail,
        erasure: row.proof.and_then(ErasureView::of),
    }
}

impl Service {
    /// Commands that a device was given by its present owner, the newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn commands(
        &self,
        caller: &Caller,
        device: &DeviceId,
        page: &Page,
    ) -> Result<Paged<CommandView>, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let now = self.now();
        let rows = self.read(|connection| {
            store::commands(connection, (row.id, row.owner), before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| Ok(view(row, now)))
    }

    /// One of them.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn command(
        &self,
        caller: &Caller,
        device: &DeviceId,
        command: &CommandId,
    ) -> Result<CommandView, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let found =
            self.read(|connection| store::command(connection, (row.id, row.owner), &command.0))?;
        found.map(|row| view(row, self.now())).ok_or_else(|| ServiceError::not_found("command"))
    }
}
