//! Use cases: suspend an organisation, resume it, change its name. Only the platform does: names are
//! what buyers read, and a suspension is for an organisation whose people cannot be trusted for now.
//! docs/organisations.md says what a suspension means at each door.

use crate::{
    OrganisationView, Service, ServiceError,
    approvals::{Intent, Slip},
    live::found,
    names::shows_what_it_is,
    organisations::{check_name, organisation_view},
    store::{Effect, organisation as store},
};
use device::OrganisationId;
use policy::{Act, Action, Caller, Resource};

/// Longest reason, in characters.
const REASON_MAX: usize = 200;

/// What is changed of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// nobody of it may do anything
    Suspend,
    /// they may again
    Resume,
    /// it is called otherwise
    Rename,
}

impl Change {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Rename => "rename",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Suspend, Self::Resume, Self::Rename].into_iter().find(|it| it.name() == name)
    }
}

impl Service {
    /// Suspends an organisation: its people and members can do nothing and sign nobody in, its
    /// stations and codes enrol nothing, its jobs break off, its campaigns pause. Its devices keep
    /// their certificates, and what was recorded stays.
    ///
    /// # Errors
    /// `not-found`, `role`, `reason`, `organisation-suspended`, `platform-organisation`;
    /// `needs-second-person`, `reauthenticate`.
    pub async fn suspend_organisation(
        &self,
        caller: &Caller,
        id: &OrganisationId,
        reason: &str,
    ) -> Result<OrganisationView, ServiceError> {
        self.change_organisation(caller, id, Change::Suspend, reason.trim()).await
    }

    /// Ends a suspension.
    ///
    /// # Errors
    /// As [`Self::suspend_organisation`]; `organisation-works` where it is not suspended.
    pub async fn resume_organisation(
        &self,
        caller: &Caller,
        id: &OrganisationId,
        reason: &str,
    ) -> Result<OrganisationView, ServiceError> {
        self.change_organisation(caller, id, Change::Resume, reason.trim()).await
    }

    /// Changes what an organisation is called by people; its id stays for ever.
    ///
    /// # Errors
    /// `not-found`, `role`, `name`, `nothing-changed`; `needs-second-person`, `reauthenticate`.
    pub async fn rename_organisation(
        &self,
        caller: &Caller,
        id: &OrganisationId,
        name: &str,
    ) -> Result<OrganisationView, ServiceError> {
        self.change_organisation(caller, id, Change::Rename, name).await
    }

    async fn change_organisation(
        &self,
        caller: &Caller,
        id: &OrganisationId,
        change: Change,
        said: &str,
    ) -> Result<OrganisationView, ServiceError> {
        let platform = Resource::platform();
        let _permit = self.authorize(caller, Action::SuspendOrganisation, &platform)?;
        match change {
            Change::Rename => check_name(said)?,
            Change::Suspend | Change::Resume => check_reason(said)?,
        }
        let row = self.organisation_row(id.as_str())?;
        if change == Change::Suspend && *id == self.platform.id {
            return Err(ServiceError::refused(
                "platform-organisation",
                "the organisation that runs the platform cannot be suspended",
            )
            .in_japanese("プラットフォームを運営する組織は停止できません"));
        }
        fits(change, row.suspended_at.is_some(), row.name == said)?;
        let intent = Intent::ChangeOrganisation {
            organisation: id.to_string(),
            change: change.name().to_owned(),
            before: row.name,
            said: said.to_owned(),
        };
        let act = Act::SuspendOrganisation;
        let slip = self.second_person(caller, &self.platform.id.clone(), act, &intent).await?;
        self.perform_change_organisation(caller, id, change, said, slip).await
    }

    pub(crate) async fn perform_change_organisation(
        &self,
        caller: &Caller,
        id: &OrganisationId,
        change: Change,
        said: &str,
        slip: Slip,
    ) -> Result<OrganisationView, ServiceError> {
        let platform = Resource::platform();
        let _permit = self.authorize(caller, Action::SuspendOrganisation, &platform)?;
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .subject(id.as_str())
            .severity(match change {
                Change::Suspend | Change::Resume => audit::Severity::High,
                Change::Rename => audit::Severity::Medium,
            })
            .detail("what", &format!("organisation-{}", change.name()));
        let (slug, said, service) = (id.clone(), said.to_owned(), self.clone());
        let row = self
            .commit(move |tx| {
                let row = found(store::organisation(tx, slug.as_str())?, "organisation")?;
                fits(change, row.suspended_at.is_some(), row.name == said)?;
                slip.consume(tx, now)?;
                let event = match change {
                    Change::Suspend => {
                        store::set_suspended(tx, row.id, Some(now))?;
                        service.hold_campaigns(tx, row.id, now)?;
                        event.detail("reason", &said)
                    }
                    Change::Resume => {
                        store::set_suspended(tx, row.id, None)?;
                        event.detail("reason", &said)
                    }
                    Change::Rename => {
                        store::rename(tx, row.id, &said)?;
                        event.detail("before", &row.name).detail("after", &said)
                    }
                };
                tx.effect(Effect::Directory);
                tx.audit(&event)?;
                found(store::organisation(tx, slug.as_str())?, "organisation")
            })
            .await?;
        organisation_view(row)
    }

    /// Refuses who belongs to a suspended organisation. Its devices go on being who they are, and
    /// get nothing new in its name.
    ///
    /// # Errors
    /// `organisation-suspended`.
    pub(crate) fn organisation_works(
        &self,
        caller: &Caller,
        action: Action,
    ) -> Result<(), ServiceError> {
        let Some(own) = caller.organisation().filter(|own| **own != self.platform.id) else {
            return Ok(());
        };
        let concerned = match caller {
            Caller::Device { .. } => matches!(
                action,
                Action::EnrolDevice | Action::ReenrolDevice | Action::GenerateDeviceKey
            ),
            _ => action != Action::ReadPublic,
        };
        match self.organisation_row(own.as_str()) {
            Ok(row) if concerned && row.suspended_at.is_some() => Err(suspended()),
            // Who belongs to none is refused where that matters.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == crate::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What a member of a suspended organisation is told.
pub(crate) fn suspended() -> ServiceError {
    ServiceError::forbidden(
        "organisation-suspended",
        "your organisation is suspended; ask the operator of the platform",
    )
    .in_japanese("所属組織の利用が停止されています。プラットフォームの運営者に問い合わせてください")
}

fn fits(change: Change, is_suspended: bool, same_name: bool) -> Result<(), ServiceError> {
    match (change, is_suspended) {
        (Change::Suspend, true) => Err(ServiceError::conflict(
            "organisation-suspended",
            "the organisation is suspended already",
        )
        .in_japanese("この組織はすでに停止されています")),
        (Change::Resume, false) => {
            Err(ServiceError::conflict("organisation-works", "the organisation is not suspended")
                .in_japanese("この組織は停止されていません"))
        }
        (Change::Rename, _) if same_name => Err(ServiceError::conflict(
            "nothing-changed",
            "the organisation is called that already",
        )
        .in_japanese("名称は変わっていません")),
        _ => Ok(()),
    }
}

fn check_reason(reason: &str) -> Result<(), ServiceError> {
    if (1..=REASON_MAX).contains(&reason.chars().count()) && shows_what_it_is(reason) {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "reason",
        "say why, in 1 to 200 characters without hidden or control characters",
    )
    .in_japanese("理由を1〜200文字で入力してください（制御文字や見えない文字は使えません）"))
}
