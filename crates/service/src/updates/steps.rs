//! Steps of campaigns within a transaction: what a device or a person does, what follows from it by
//! itself, and what the log is told.

use super::{content::is_given_out, terms::Terms};
use crate::{
    Service, ServiceError, fault,
    live::found,
    record,
    store::{
        Tx,
        campaign::{self as store, ActionRow, CampaignRow, Heard, Polled},
        device as devices, organisation as organisations, release as releases,
    },
};
use crypto::{UnixTime, random};
use device::{DeviceId, EventKind, NamedRelease, OnBehalf, Roles, UpdateResult};
use rusqlite::Connection;
use update::campaign::{
    Campaign, CampaignStatement, Change, OnFailure, Outcome, Plan, Purpose, Reason, Record, State,
    Told,
};

/// What every step needs.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) service: Service,
    pub(super) now: UnixTime,
}

/// A campaign that moves within a transaction.
pub(super) struct Moving {
    pub(super) row: CampaignRow,
    pub(super) plan: Plan,
    before: Campaign,
}

impl Moving {
    /// Reads a campaign.
    pub(super) fn load(connection: &Connection, id: i64) -> Result<Self, ServiceError> {
        let row = store::campaign(connection, id)?
            .ok_or_else(|| ServiceError::fatal("store-damaged", "a campaign is missing"))?;
        let (plan, _) = Terms::read(&row.terms)?;
        let before = row.stands.clone();
        Ok(Self { row, plan, before })
    }

    /// The release that a purpose leads to.
    pub(super) fn release_for(&self, purpose: Purpose) -> i64 {
        match purpose {
            Purpose::Update => self.row.release,
            Purpose::RollBack => self.row.back.unwrap_or(self.row.release),
        }
    }

    /// Takes up what follows by itself, and writes where the campaign stands now.
    pub(super) fn settle(mut self, tx: &mut Tx<'_>, around: &Around) -> Result<(), ServiceError> {
        let back = self.row.back.filter(|_| self.plan.on_failure == OnFailure::RollBack);
        if let Some(back) = back
            && !is_given_out(tx, back)?
        {
            // Nobody can be led back to what is not given out any more: people decide.
            self.plan.on_failure = OnFailure::Pause;
        }
        let changes = self.row.stands.settle(&self.plan, around.now);
        self.write(tx, around, &changes)
    }

    /// Writes where the campaign stands, with changes that are known.
    pub(super) fn write(
        &self,
        tx: &mut Tx<'_>,
        around: &Around,
        changes: &[Change],
    ) -> Result<(), ServiceError> {
        store::update_campaign(tx, self.row.id, &self.before, &self.row.stands, around.now)?;
        for change in changes {
            let (what, told) = match change {
                Change::Opened(_) => ("stage-opened", None),
                Change::Paused(_) => ("campaign-paused", Some(Told::Paused)),
                Change::RollingBack => ("campaign-rolling-back", Some(Told::RolledBack)),
                Change::Finished => ("campaign-finished", Some(Told::Finished)),
                Change::RolledBack => ("campaign-rolled-back", Some(Told::Finished)),
            };
            match change {
                Change::Opened(1..) => around.service.faults.point(fault::IN_STAGE)?,
                Change::RollingBack => around.service.faults.point(fault::IN_ROLL_BACK)?,
                _ => {}
            }
            let organisation =
                found(organisations::organisation_by_id(tx, self.row.organisation)?, "campaign")?;
            let alarm = matches!(change, Change::Paused(_) | Change::RollingBack);
            let outcome = if alarm { audit::Outcome::Failure } else { audit::Outcome::Success };
            let mut event = audit::SecurityEvent::new(around.now, audit::Kind::Update, outcome)
                .organisation(&organisation.slug)
                .subject(&hex::encode(self.row.reference))
                .detail("what", what);
            match change {
                Change::Opened(stage) => {
                    event = event.detail("stage", &stage.saturating_add(1).to_string());
                }
                Change::Paused(cause) => event = event.detail("cause", cause.name()),
                _ => {}
            }
            tx.audit(&event)?;
            if let Some(told) = told {
                self.tell(tx, around, told)?;
            }
        }
        Ok(())
    }

    /// Commits to the log what happened to the campaign.
    pub(super) fn tell(
        &self,
        tx: &mut Tx<'_>,
        around: &Around,
        told: Told,
    ) -> Result<(), ServiceError> {
        let organisation =
            found(organisations::organisation_by_id(tx, self.row.organisation)?, "campaign")?;
        let purpose = match self.row.stands.state {
            State::Running => Some(Purpose::Update),
            State::RollingBack => Some(Purpose::RollBack),
            _ => None,
        };
        let release = purpose.map(|purpose| self.release_for(purpose));
        let reference = match release {
            None => None,
            Some(row) => Some(found(releases::release_by_row(tx, row)?, "release")?.reference),
        };
        let number = store::next_statement(tx, self.row.id)?;
        let statement = CampaignStatement {
            campaign: self.row.reference,
            number,
            organisation: organisation.slug,
            told,
            members: self.row.members,
            root: self.row.root,
            release: reference,
            at: around.now,
        };
        let bytes = statement
            .to_bytes()
            .map_err(|error| ServiceError::fatal("statement", error.to_string()))?;
        let salt = random::bytes();
        let leaf = tx.append_leaf(&::ledger::commit(&salt, &bytes))?;
        releases::insert_statement(tx, leaf, releases::CAMPAIGN, &salt, &bytes)?;
        store::insert_statement(tx, self.row.id, number, leaf, release)
    }

    /// Writes a new record of a member: over an action of its, or as an action of its own.
    #[expect(clippy::too_many_arguments, reason = "each is a fact of its own")]
    pub(super) fn record(
        &self,
        tx: &mut Tx<'_>,
        around: &Around,
        member: &Polled,
        stage: u8,
        action: Option<&ActionRow>,
        record: &Record,
        heard: Option<&Heard>,
        now: UnixTime,
    ) -> Result<i64, ServiceError> {
        let id = match action {
            Some(action) => {
                store::update_action(tx, action.id, record, heard, now)?;
                action.id
            }
            None => store::insert_action(tx, self.row.id, member.id, stage, record, now)?,
        };
        if let Some(leaf) = self.tell_history(tx, around, member, record)? {
            store::set_leaf(tx, id, leaf)?;
        }
        Ok(id)
    }

    /// Puts a result into the device's history, signed by the platform for the campaign's
    /// organisation. A history that takes no such event any more, or not from this organisation,
    /// takes nothing from the result.
    fn tell_history(
        &self,
        tx: &mut Tx<'_>,
        around: &Around,
        member: &Polled,
        record: &Record,
    ) -> Result<Option<u64>, ServiceError> {
        let Record::Over { purpose, outcome, reason } = record else { return Ok(None) };
        if !is_result(record) {
            return Ok(None);
        }
        let content = around.service.content(self.release_for(*purpose))?;
        let mut release = NamedRelease {
            version: content.target.version.clone(),
            release_counter: content.target.release_counter,
            security_version: content.target.security_version,
        };
        let result = match (outcome, purpose, reason) {
            (Outcome::Succeeded, Purpose::Update, _) => UpdateResult::Installed,
            (Outcome::Succeeded, Purpose::RollBack, _) => UpdateResult::RolledBack,
            (_, _, Reason::Regressed) => {
                let runs = store::software(tx, member.id)?.map(|row| row.software);
                let known = runs.and_then(|runs| {
                    Some(NamedRelease {
                        version: runs.version?,
                        release_counter: runs.release_counter?,
                        security_version: runs.security_version?,
                    })
                });
                match known {
                    Some(known) => {
                        release = known;
                        UpdateResult::Regressed
                    }
                    None => UpdateResult::Failed,
                }
            }
            _ => UpdateResult::Failed,
        };
        let organisation =
            found(organisations::organisation_by_id(tx, self.row.organisation)?, "campaign")?;
        let roles = Roles::from_bits(organisation.roles.into())
            .unwrap_or(Roles::NONE)
            .without(Roles::PLATFORM);
        let behalf = OnBehalf { organisation: crate::service::slug(&organisation.slug)?, roles };
        let kind = EventKind::Updated {
            result,
            release,
            campaign: Some(self.row.reference),
            reason: (*outcome != Outcome::Succeeded).then(|| reason.name().to_owned()),
        };
        let row = found(devices::device_by_row(tx, member.id)?, "device")?;
        let actor = format!("campaign {}", hex::encode(self.row.reference));
        let platform = &around.service.platform;
        let told = tx.attempt(|tx| {
            let said = record::Said::by(Some(&actor));
            record::apply_on_behalf(tx, platform, row, &kind, behalf, said, around.now)
        });
        match told {
            Ok(applied) => Ok(Some(applied.recorded.leaf)),
            Err(error) if error.is_store_lost() => Err(error),
            Err(error) => {
                tracing::info!(%error, "a result did not enter a device's history");
                Ok(None)
            }
        }
    }
}

/// Whether a device is the campaign's to update: its organisation owns the device now, or made it and
/// the owner agreed; and the device is not at its end.
pub(super) fn is_entitled(
    connection: &Connection,
    organisation: i64,
    device: &Polled,
) -> Result<bool, ServiceError> {
    /// Retired, disposed.
    const ENDED: u8 = 8;
    if device.phase >= ENDED {
        return Ok(false);
    }
    if device.owner == organisation {
        return Ok(true);
    }
    match device.product {
        Some(product) if device.maker == organisation => {
            store::consents(connection, device.owner, product)
        }
        _ => Ok(false),
    }
}

/// A member as its slice holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) device: DeviceId,
    pub(super) row: i64,
    pub(super) stage: u8,
}

/// Bytes of a member in a slice.
pub(super) const MEMBER_BYTES: usize = 25;

impl Member {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.row.to_be_bytes());
        out.extend_from_slice(self.device.as_bytes());
        out.push(self.stage);
    }

    /// The members of a slice.
    pub(super) fn read_all(slice: &[u8]) -> impl Iterator<Item = Self> + '_ {
        let (members, _) = slice.as_chunks::<MEMBER_BYTES>();
        members.iter().filter_map(|bytes| {
            let (row, rest) = bytes.split_first_chunk::<8>()?;
            let (device, rest) = rest.split_first_chunk::<16>()?;
            Some(Self {
                device: DeviceId::from_bytes(*device),
                row: i64::from_be_bytes(*row),
                stage: *rest.first()?,
            })
        })
    }
}

/// The stage of a device in a campaign, where it is a member.
pub(super) fn stage_of(
    connection: &Connection,
    campaign: i64,
    device: i64,
) -> Result<Option<u8>, ServiceError> {
    let slice = store::slice_of(connection, campaign, device)?;
    Ok(slice.and_then(|(_, members)| {
        Member::read_all(&members).find(|member| member.row == device).map(|member| member.stage)
    }))
}

/// Whether a record is a result that a device's history tells: something was assigned, and the
/// device did something about it or did not.
pub(super) fn is_result(record: &Record) -> bool {
    matches!(
        record,
        Record::Over { outcome: Outcome::Succeeded | Outcome::Failed, reason, .. }
            if *reason != Reason::NeverAsked
    )
}
