//! Giving commands, and taking them back.

use super::{CommandView, alive, because, moved, read::view};
use crate::{
    Service, ServiceError,
    approvals::{Intent, Slip},
    store::{Effect, command as store, device as devices},
};
use admission::{CommandId, CommandName, PARAMETERS_BYTES_MAX, canonical_object};
use audit::{Kind, Outcome};
use crypto::{UnixTime, random};
use device::DeviceId;
use policy::{Act, Action, Caller};

/// Commands of one device that may be open at a time.
pub const COMMANDS_OPEN_MAX: i64 = 32;
/// Commands of one device that are kept once they are over.
const KEPT: usize = 500;
/// Shortest time in which a device must have begun with a command, in seconds.
pub const COMMAND_LIFETIME_MIN_S: u32 = 60;
/// Longest, in seconds.
pub const COMMAND_LIFETIME_MAX_S: u32 = 30 * 86_400;

/// A command to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommand {
    /// what to do, such as `restart`
    pub name: String,
    /// with what: a JSON object
    pub parameters: String,
    /// why, in the words of who gives it
    pub reason: String,
    /// in how many seconds the device must have begun
    pub lifetime_s: u32,
}

impl Service {
    /// Gives a command to a device. It is handed over when the device listens or asks.
    ///
    /// *factory-reset* and *erase-keys* cannot be undone from afar: they need the right to
    /// `reset-device`, and a second person where the organisation wants one.
    ///
    /// # Errors
    /// `not-found`, `role`, `command`, `command-parameters`, `command-lifetime`, `reason`,
    /// `device-gone`, `too-many-commands`; `needs-second-person`, `reauthenticate`.
    pub async fn give_command(
        &self,
        caller: &Caller,
        device: &DeviceId,
        new: NewCommand,
    ) -> Result<CommandView, ServiceError> {
        let wrong = |error: admission::CommandError| {
            ServiceError::malformed("command", error.to_string()).in_japanese(
                "コマンド名は英小文字で始まる64文字以内の英小文字・数字・ハイフンにしてください",
            )
        };
        // Who may not even give a harmless one learns nothing of the others.
        let known = self.device_for(caller, Action::CommandDevice, device)?;
        let name = CommandName::new(&new.name).map_err(wrong)?;
        if name.is_final() {
            self.device_for(caller, Action::ResetDevice, device)?;
        }
        let parameters = canonical_object(new.parameters.as_bytes(), PARAMETERS_BYTES_MAX);
        let parameters = parameters.map_err(|error| {
            ServiceError::malformed("command-parameters", error.to_string()).in_japanese(
                "パラメーターは8KiB以内、16階層以内のJSONオブジェクトで、同じ名前は1回だけにしてください",
            )
        })?;
        let reason = because(&new.reason)?;
        if !(COMMAND_LIFETIME_MIN_S..=COMMAND_LIFETIME_MAX_S).contains(&new.lifetime_s) {
            return Err(ServiceError::malformed(
                "command-lifetime",
                format!(
                    "a command lives {COMMAND_LIFETIME_MIN_S} seconds to {COMMAND_LIFETIME_MAX_S} \
                     seconds (30 days)"
                ),
            )
            .in_japanese("有効期間は60秒から30日までにしてください"));
        }
        alive(&known.row)?;
        let owner = self.organisation_id(known.row.owner)?;
        let slip = match name.is_final() {
            true => {
                let intent = Intent::ResetDevice {
                    device: device.to_string(),
                    serial_number: known.row.serial_number.clone(),
                    command: name.as_str().to_owned(),
                    parameters: parameters.clone(),
                    reason: reason.clone(),
                };
                self.second_person(caller, &owner, Act::ResetDevice, &intent).await?
            }
            false => Slip::NotNeeded,
        };
        let now = self.now();
        let reference: [u8; 16] = random::bytes();
        let row = store::NewCommand {
            reference,
            device: known.row.id,
            owner: known.row.owner,
            name: name.as_str().to_owned(),
            parameters,
            reason,
            issued_by: caller.to_string(),
            issued_at: now,
            expires_at: UnixTime(now.0.saturating_add(i64::from(new.lifetime_s))),
        };
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(owner.as_str())
            .subject(&device.to_string())
            .detail("what", "command-given")
            .detail("command", &CommandId(reference).to_string())
            .detail("name", &row.name);
        let mine = (row.device, row.owner);
        let given = self
            .commit(move |tx| {
                slip.consume(tx, now)?;
                still_ours(tx, mine)?;
                if store::open_count(tx, mine.0, mine.1, now)? >= COMMANDS_OPEN_MAX {
                    return Err(ServiceError::too_many(
                        "too-many-commands",
                        format!(
                            "{COMMANDS_OPEN_MAX} commands wait for this device already; cancel some, \
                             or wait until it has answered"
                        ),
                    )
                    .in_japanese(
                        "この機器への未処理のコマンドが32件あります。取り消すか、機器の応答を待ってください",
                    ));
                }
                store::insert(tx, &row, KEPT, now)?;
                tx.audit(&event)?;
                tx.effect(Effect::Downlink(mine.0));
                store::command(tx, mine, &reference)
            })
            .await?;
        given.map(|row| view(row, now)).ok_or_else(moved)
    }

    /// Takes a command back. A device that has it already may do it all the same; what it says then
    /// is put on record.
    ///
    /// # Errors
    /// `not-found`, `role`, `command-over` where the device has answered, it was taken back before,
    /// or its time is over.
    pub async fn cancel_command(
        &self,
        caller: &Caller,
        device: &DeviceId,
        command: &CommandId,
    ) -> Result<CommandView, ServiceError> {
        let known = self.device_for(caller, Action::CommandDevice, device)?;
        let owner = self.organisation_id(known.row.owner)?;
        let (mine, reference, now) = ((known.row.id, known.row.owner), command.0, self.now());
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(owner.as_str())
            .subject(&device.to_string())
            .detail("what", "command-cancelled")
            .detail("command", &command.to_string());
        let row = self
            .commit(move |tx| {
                still_ours(tx, mine)?;
                let row = store::command(tx, mine, &reference)?
                    .ok_or_else(|| ServiceError::not_found("command"))?;
                let over = row.state.is_answered()
                    || row.state == store::State::Cancelled
                    || row.expires_at <= now;
                if over {
                    return Err(ServiceError::conflict(
                        "command-over",
                        "the command is answered, cancelled or expired; there is nothing to cancel",
                    )
                    .in_japanese(
                        "このコマンドは応答済み、取り消し済み、または期限切れです。取り消すものはありません",
                    ));
                }
                store::set_state(tx, row.id, store::State::Cancelled, None, now)?;
                tx.audit(&event)?;
                store::command(tx, mine, &reference)
            })
            .await?;
        row.map(|row| view(row, now)).ok_or_else(moved)
    }
}

/// That the device belongs to whom it did when the caller was judged.
pub(super) fn still_ours(
    connection: &rusqlite::Connection,
    (device, owner): (i64, i64),
) -> Result<(), ServiceError> {
    let row = devices::device_by_row(connection, device)?.filter(|row| row.owner == owner);
    alive(&row.ok_or_else(moved)?)
}
