//! Which acts need a second person: each organisation chooses.

use super::{Intent, Slip};
use crate::{
    Service, ServiceError,
    store::{approval as store, person},
};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Act, Action, Caller, Resource};
use rusqlite::Connection;

/// Administrators that there must be before the defaults want a second one.
const ADMINISTRATORS_MIN: usize = 2;

/// What an organisation wants for an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyLine {
    /// the act
    pub act: Act,
    /// whether it needs a second person now
    pub required: bool,
    /// whether the organisation has said so; otherwise it is the default
    pub chosen: bool,
    /// whether the organisation can choose at all
    pub changeable: bool,
}

impl Service {
    /// Which acts need a second person in an organisation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn approval_policy(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<PolicyLine>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadApprovals, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (now, platform) = (self.now(), row == self.platform.organisation.id);
        self.read(|connection| {
            Act::ALL
                .iter()
                .map(|act| {
                    let chosen = store::policy_of(connection, row, act.name())?.is_some();
                    Ok(PolicyLine {
                        act: *act,
                        required: required(connection, row, platform, *act, now)?,
                        chosen: act.is_chosen() && chosen,
                        changeable: act.is_chosen(),
                    })
                })
                .collect()
        })
    }

    /// Chooses whether an act needs a second person. Where any act does, this one does too.
    ///
    /// # Errors
    /// `not-chosen`, `not-found`, `role`, `reauthenticate`, `needs-second-person`.
    pub async fn set_approval_policy(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: Act,
        required: bool,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageApprovalPolicy, &resource)?;
        if !act.is_chosen() {
            return Err(ServiceError::refused(
                "not-chosen",
                format!("whether {act} needs a second person is not a choice; it does"),
            ));
        }
        let intent = Intent::ChangePolicy { act: act.name().to_owned(), required };
        let slip = self.second_person(caller, organisation, Act::ChangePolicy, &intent).await?;
        self.perform_set_policy(caller, organisation, act, required, slip).await
    }

    pub(super) async fn perform_set_policy(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: Act,
        required: bool,
        slip: Slip,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageApprovalPolicy, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(act.name())
            .severity(audit::Severity::Medium)
            .detail("what", "approval-policy")
            .detail("required", if required { "yes" } else { "no" });
        let now = self.now();
        self.commit(move |tx| {
            slip.consume(tx, now)?;
            store::set_policy(tx, row, act.name(), required)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }
}

/// Whether an act needs a second person now.
pub(super) fn required(
    connection: &Connection,
    organisation: i64,
    platform: bool,
    act: Act,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    match act {
        Act::RecoverPerson => return Ok(true),
        // Whatever the policy protects, it protects itself.
        Act::ChangePolicy => {
            for act in Act::ALL.iter().filter(|act| act.is_chosen()) {
                if required(connection, organisation, platform, *act, now)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        _ => {}
    }
    if let Some(chosen) = store::policy_of(connection, organisation, act.name())? {
        return Ok(chosen);
    }
    let guarded = platform && matches!(act, Act::RetireCa | Act::ChangeRoles);
    Ok(guarded
        && person::administrators(connection, organisation, now)?.len() >= ADMINISTRATORS_MIN)
}
