//! Which acts need a second person: each organisation chooses.
//!
//! Two acts follow from the others. Who could make an administrator alone could make its own second
//! person, so `change-roles` needs one wherever a second person guards anything: as soon as any
//! other act does, and, because recovery always does, as soon as there are two administrators to
//! ask. And what the policy protects, it protects from being switched off.

use super::{Intent, Slip};
use crate::{
    Service, ServiceError,
    store::{approval as store, person},
};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Act, Action, Caller, Resource};
use rusqlite::Connection;

/// Administrators that there must be before a second one can be wanted.
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
                    let follows =
                        *act == Act::ChangeRoles && guards_roles(connection, row, platform, now)?;
                    Ok(PolicyLine {
                        act: *act,
                        required: required(connection, row, platform, *act, now)?,
                        chosen: act.is_chosen() && chosen && !follows,
                        changeable: act.is_chosen() && !follows,
                    })
                })
                .collect()
        })
    }

    /// Chooses whether an act needs a second person. Where any act does, this one does too.
    ///
    /// # Errors
    /// `not-chosen`; `roles-guard-the-rest` where `change-roles` follows from what else is guarded;
    /// `no-second-administrator` where nobody could approve; `not-found`, `role`,
    /// `reauthenticate`, `needs-second-person`.
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
        let (now, row) = (self.now(), self.organisation_row(organisation.as_str())?.id);
        let (platform, alone) = (self.platform.organisation.id, is_machine(caller));
        self.read(|c| can_be_chosen(c, row, row == platform, act, required, alone, now))?;
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
        let (platform, alone) = (self.platform.organisation.id, is_machine(caller));
        self.commit(move |tx| {
            can_be_chosen(tx, row, row == platform, act, required, alone, now)?;
            slip.consume(tx, now)?;
            store::set_policy(tx, row, act.name(), required)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }
}

/// Whether an act needs a second person now.
pub(crate) fn required(
    connection: &Connection,
    organisation: i64,
    platform: bool,
    act: Act,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let chosen = store::policy_of(connection, organisation, act.name())?;
    match act {
        _ if act.is_always_guarded() => Ok(true),
        // What runs on a fleet is nobody's decision alone, as soon as there is a second one.
        Act::StartCampaign => has_two(connection, organisation, now),
        // Whatever the policy protects, it protects itself.
        Act::ChangePolicy => {
            let roles = store::policy_of(connection, organisation, Act::ChangeRoles.name())?;
            Ok(roles == Some(true) || guards_anything(connection, organisation, platform, now)?)
        }
        Act::ChangeRoles => {
            Ok(chosen == Some(true) || guards_roles(connection, organisation, platform, now)?)
        }
        // Until it is chosen, the platform's administrators retire no CA alone.
        Act::RetireCa if platform && chosen.is_none() => has_two(connection, organisation, now),
        _ => Ok(chosen == Some(true)),
    }
}

/// Refuses to revoke a device of another organisation within a job, where that organisation wants a
/// second person for a revocation, one or many: a job asks only its own organisation's.
///
/// # Errors
/// `needs-second-person`, without a request.
pub(crate) fn owner_is_asked(
    connection: &Connection,
    owner: i64,
    platform: bool,
    now: UnixTime,
) -> Result<(), ServiceError> {
    for act in [Act::RevokeDevice, Act::BulkRevoke] {
        if required(connection, owner, platform, act, now)? {
            return Err(ServiceError::refused(
                "needs-second-person",
                "the device belongs to another organisation, which wants a second person for \
                 this: revoke the device by itself, and its owner is asked",
            )
            .in_japanese(
                "別の組織が所有する機器で、その組織が二人目の承認を求めています。この機器を単独で失効させると、\
                 所有者に承認が依頼されます",
            ));
        }
    }
    Ok(())
}

/// Whether `change-roles` needs a second person whatever was chosen for it.
fn guards_roles(
    connection: &Connection,
    organisation: i64,
    platform: bool,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    Ok(has_two(connection, organisation, now)?
        || guards_anything(connection, organisation, platform, now)?)
}

/// Whether any act that is chosen needs a second person, but for `change-roles` itself.
fn guards_anything(
    connection: &Connection,
    organisation: i64,
    platform: bool,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    for act in Act::ALL.iter().filter(|act| act.is_chosen() && **act != Act::ChangeRoles) {
        if required(connection, organisation, platform, *act, now)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_two(
    connection: &Connection,
    organisation: i64,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    Ok(person::administrators(connection, organisation, now)?.len() >= ADMINISTRATORS_MIN)
}

/// Refuses a choice that would undo the others, and one that nobody could ever approve.
fn can_be_chosen(
    connection: &Connection,
    organisation: i64,
    platform: bool,
    act: Act,
    wanted: bool,
    machine: bool,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let follows = act == Act::ChangeRoles && !wanted;
    if follows && guards_roles(connection, organisation, platform, now)? {
        return Err(ServiceError::refused(
            "roles-guard-the-rest",
            "who makes administrators alone makes its own second person: change-roles needs one as \
             long as any other act does, or there are two administrators",
        )
        .in_japanese(
            "管理者を一人で追加できると、承認者も自分で作れてしまいます。ほかの操作に二人目の承認が必要な間、\
             または管理者が二人以上いる間は、change-roles の承認を外せません",
        ));
    }
    if wanted && !machine && !has_two(connection, organisation, now)? {
        return Err(ServiceError::refused(
            "no-second-administrator",
            "you are the only administrator: nobody could approve; make somebody else one first",
        )
        .in_japanese(
            "管理者があなた一人のため、承認できる人がいません。先に別の人を管理者にしてください",
        ));
    }
    Ok(())
}

fn is_machine(caller: &Caller) -> bool {
    matches!(caller, Caller::Platform { .. })
}
