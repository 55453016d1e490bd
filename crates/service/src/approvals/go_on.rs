//! Use cases: go on with what another person approved, from the request itself: nothing is selected
//! or typed again, and nothing can be another than what was approved.

use super::{ApprovalId, Intent, decide::is_requester, second::read_arguments};
use crate::{
    Invited, JobView, NewPerson, Problem, Recorded, Service, ServiceError,
    store::approval::{self as store, ApprovalRow},
};
use device::{DeviceId, OrganisationId};
use policy::{Action, Caller, Resource};

/// What became of an approved request that its requester went on with.
#[derive(Debug)]
pub enum Continued {
    /// a job was started
    Job(Box<JobView>),
    /// a one-time link was made, shown this once
    Link(Box<Invited>),
    /// an event was recorded
    Recorded(Recorded),
}

/// What would become of it now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Continuation {
    /// devices that were approved, where there are many
    pub devices: u64,
    /// of these, how many were tried out
    pub tried: u64,
    /// of these, how many would be done
    pub allowed: u64,
    /// why others would be refused, and how many; most frequent first
    pub refusals: Vec<(Problem, u64)>,
    /// those of the devices tried out that would be refused now
    pub refused: Vec<(DeviceId, Problem)>,
}

impl Intent {
    /// Whether the requester goes on from the request itself. The rest asks for something that a
    /// request does not hold (a file's place in the browser, a signed event, a certificate) and is
    /// repeated.
    pub(super) fn goes_on(&self) -> bool {
        matches!(
            self,
            Self::Invite { .. }
                | Self::InviteAgain { .. }
                | Self::Recover { .. }
                | Self::EraseEvents { .. }
                | Self::ErasePerson { .. }
                | Self::RevokeMany { .. }
        )
    }
}

impl Service {
    /// What going on with one's own approved request would bring about now. Changes nothing.
    ///
    /// # Errors
    /// As [`Self::continue_request`], but for `reauthenticate`.
    pub async fn preview_continuation(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<Continuation, ServiceError> {
        let (row, organisation, intent) = self.to_go_on_with(caller, id)?;
        if !matches!(intent, Intent::RevokeMany { .. }) {
            return Ok(Continuation::default());
        }
        let (preview, refused) =
            self.preview_approved(caller, &organisation, row.id, &intent).await?;
        Ok(Continuation {
            devices: preview.devices,
            tried: preview.tried,
            allowed: preview.allowed,
            refusals: preview.refusals,
            refused,
        })
    }

    /// Goes on with one's own request that another person approved, once: a job over the very
    /// devices that were approved, a link, an erasure. The caller's rights are those of now.
    ///
    /// # Errors
    /// `not-found` where it is not one's own; `not-approved`, `approval-decided`,
    /// `approval-expired`, `approval-used`; `repeat-the-act` where the request does not hold all
    /// that the act needs; `needs-second-person` where what was approved is not what would be done
    /// any more (another request waits then); `reauthenticate` and the errors of the act.
    pub async fn continue_request(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<Continued, ServiceError> {
        let (row, organisation, intent) = self.to_go_on_with(caller, id)?;
        let damaged = || ServiceError::refused("approval-damaged", "the request cannot be read");
        match &intent {
            Intent::RevokeMany { .. } => {
                let job = self.begin_approved(caller, &organisation, row.id, &intent).await?;
                Ok(Continued::Job(Box::new(job)))
            }
            // The use cases look for the approval of the very same question themselves.
            Intent::Invite { handle, name, roles } => {
                let new = NewPerson {
                    organisation,
                    handle: handle.clone(),
                    display_name: name.clone(),
                    roles: roles.parse().map_err(|_| damaged())?,
                };
                let invited = self.invite_person(caller, new).await?;
                Ok(Continued::Link(Box::new(invited)))
            }
            Intent::InviteAgain { person, .. } => {
                let person = person.id.parse().map_err(|_| damaged())?;
                let invited = self.invite_again(caller, &organisation, &person).await?;
                Ok(Continued::Link(Box::new(invited)))
            }
            Intent::Recover { person, .. } => {
                let person = person.id.parse().map_err(|_| damaged())?;
                let invited = self.request_recovery(caller, &organisation, &person).await?;
                Ok(Continued::Link(Box::new(invited)))
            }
            Intent::EraseEvents { device, all, sequences } => {
                let device = device.parse().map_err(|_| damaged())?;
                let recorded = match all {
                    true => self.erase_device(caller, &device).await?,
                    false => self.erase_events(caller, &device, sequences.clone()).await?,
                };
                Ok(Continued::Recorded(recorded))
            }
            Intent::ErasePerson { .. } => {
                let (_, name) = self.read(|connection| store::attached(connection, row.id))?;
                let name = name.ok_or_else(damaged)?;
                let job = self.erase_person(caller, &organisation, &name).await?;
                Ok(Continued::Job(Box::new(job)))
            }
            _ => Err(repeat()),
        }
    }

    /// One's own request, if it is approved and was not used.
    fn to_go_on_with(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<(ApprovalRow, OrganisationId, Intent), ServiceError> {
        let row = self.read(|connection| store::approval(connection, id.as_bytes()))?;
        let Some(row) = row.filter(|row| is_requester(caller, row)) else {
            let unknown = Resource::unknown();
            let _permit = self.authorize(caller, Action::ReadApprovals, &unknown)?;
            return Err(ServiceError::not_found("request"));
        };
        if row.finished_at.is_some() {
            return Err(ServiceError::conflict(
                "approval-used",
                "the approval was used already; ask again",
            )
            .in_japanese("この承認は使用済みです。必要な場合は、あらためて依頼してください"));
        }
        if row.expires_at <= self.now() {
            return Err(ServiceError::conflict(
                "approval-expired",
                "the request has expired; its requester can ask again",
            ));
        }
        match row.decision {
            None => {
                return Err(ServiceError::conflict(
                    "not-approved",
                    "nobody has approved this yet; wait for another administrator",
                )
                .in_japanese("まだ承認されていません。別の管理者の承認を待ってください"));
            }
            Some(1) => {}
            Some(_) => {
                return Err(ServiceError::conflict(
                    "approval-decided",
                    "somebody has decided this request already; look at it again",
                ));
            }
        }
        let (organisation, intent) = read_arguments(&row.arguments)?;
        if !intent.goes_on() {
            return Err(repeat());
        }
        Ok((row, organisation, intent))
    }
}

fn repeat() -> ServiceError {
    ServiceError::refused(
        "repeat-the-act",
        "this is approved; repeat what you asked for to go on: the request does not hold all that \
         it needs",
    )
    .in_japanese(
        "承認済みです。依頼だけでは実行に必要な情報が揃わないため、同じ操作をもう一度行ってください",
    )
}
