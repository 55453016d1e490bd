//! Use cases: look at requests, approve, reject, withdraw; carry approved acts out.

use super::{ApprovalId, Intent, Slip, second::read_arguments};
use crate::{
    DeviceAct, ErrorKind, OperationPolicy, Page, Paged, Service, ServiceError, fault,
    live::found,
    names::same_name,
    organisation_standing::Change,
    people::{NO_SESSION, still_stands},
    store::{
        approval::{self as store, ApprovalRow},
        organisation as organisations, person as people,
    },
};
use crypto::{Sha256, UnixTime};
use device::{DeviceId, Language, OrganisationId, ProductId};
use policy::{Act, Action, Caller, Resource};

/// Approved acts that one round of recovery carries out.
const RECOVERY_BATCH: usize = 100;

/// What another person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Decision {
    /// do it
    Approved = 1,
    /// do not
    Rejected = 2,
    /// the requester took it back
    Withdrawn = 3,
}

impl Decision {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [Self::Approved, Self::Rejected, Self::Withdrawn]
            .into_iter()
            .find(|decision| *decision as u8 == number)
    }
}

/// Where a request is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// waits for a second person
    Waiting,
    /// approved; the requester can go on, or the act is being carried out
    Approved,
    /// the act is done
    Done,
    /// approved, but the act could not be done: `outcome` says why
    Failed,
    /// another person said no
    Rejected,
    /// the requester took it back
    Withdrawn,
    /// nobody decided, or nobody used it, in time
    Expired,
}

impl ApprovalState {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// A request for a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalView {
    /// its id
    pub id: ApprovalId,
    /// the organisation whose policy wants a second person, and whose administrators decide
    pub organisation: OrganisationId,
    /// the act
    pub act: Act,
    /// its arguments, as JSON
    pub arguments: String,
    /// devices that it is about, where it names many ([`Service::approval_devices`])
    pub devices: u64,
    /// what would be done, in English
    pub summary: String,
    /// the same in Japanese
    pub summary_ja: String,
    /// why, in the words of who asked; gone once the request is over
    pub reason: Option<String>,
    /// who asked: name within `requester_of`
    pub requester: String,
    /// the requester's organisation
    pub requester_of: OrganisationId,
    /// when
    pub requested_at: UnixTime,
    /// until when it can be decided; once approved, until when it can be used
    pub expires_at: UnixTime,
    /// where it is in its life
    pub state: ApprovalState,
    /// what another person said
    pub decision: Option<Decision>,
    /// who said it
    pub decided_by: Option<String>,
    /// when
    pub decided_at: Option<UnixTime>,
    /// when the act was done or failed
    pub finished_at: Option<UnixTime>,
    /// `done`, or the code of what stood in the way
    pub outcome: Option<String>,
    /// whether the requester must ask again after approval, to get its link, certificate or file
    pub requester_continues: bool,
    /// whether the caller asked for it and can go on from it now: [`Service::continue_request`]
    pub can_continue: bool,
    /// whether the caller may approve it now
    pub can_approve: bool,
    /// whether the caller may reject it now: also one that is approved and not done
    pub can_reject: bool,
    /// whether the caller asked for it and may take it back now
    pub can_withdraw: bool,
}

/// Which requests are wanted.
#[derive(Debug, Clone, Default)]
pub struct ApprovalQuery {
    /// only those that wait or are approved and not used
    pub open: bool,
}

impl Service {
    /// Requests of an organisation, newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn approvals(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        query: &ApprovalQuery,
        page: &Page,
    ) -> Result<Paged<ApprovalView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadApprovals, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        let open = query.open.then(|| self.now());
        let rows =
            self.read(|connection| store::approvals(connection, row, open, before, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string())
            .try_map(|row| self.approval_view(caller, &row))
    }

    /// One request: its organisation's, or one's own.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn approval(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<ApprovalView, ServiceError> {
        self.approval_view(caller, &self.approval_to_read(caller, id)?)
    }

    /// A request of one's own, or one of an organisation whose requests one may read.
    pub(super) fn approval_to_read(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<ApprovalRow, ServiceError> {
        let row = self.read(|connection| store::approval(connection, id.as_bytes()))?;
        match row {
            Some(row) if is_requester(caller, &row) => {
                self.organisation_works(caller, Action::ReadApprovals)?;
                Ok(row)
            }
            row => self.approval_for(caller, Action::ReadApprovals, row),
        }
    }

    /// Approves a request of another person and carries its act out, in the requester's name and
    /// with the rights that the requester has now. What became of it stands in the answer.
    ///
    /// # Errors
    /// `own-request`, `approval-decided`, `approval-expired`, `not-found`, `role`,
    /// `reauthenticate`. That the act itself is refused is no error but an outcome.
    pub async fn approve(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<ApprovalView, ServiceError> {
        let row = self.decide(caller, id, Decision::Approved).await?;
        self.faults.point(fault::BEFORE_ACT)?;
        self.carry_out(&row).await?;
        let row = self.read(|connection| store::approval(connection, id.as_bytes()))?;
        self.approval_view(caller, &found(row, "approval")?)
    }

    /// Says no to a request of another person; also to one that is approved, by oneself or somebody
    /// else, as long as the act is not done.
    ///
    /// # Errors
    /// `own-request`, `approval-decided`, `approval-expired`, `not-found`, `role`,
    /// `reauthenticate`.
    pub async fn reject(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<ApprovalView, ServiceError> {
        let row = self.decide(caller, id, Decision::Rejected).await?;
        self.approval_view(caller, &row)
    }

    /// Takes one's own request back, approved or not, as long as the act is not done.
    ///
    /// # Errors
    /// `not-found` where it is not one's own, `approval-decided`, `approval-expired`.
    pub async fn withdraw_request(
        &self,
        caller: &Caller,
        id: &ApprovalId,
    ) -> Result<ApprovalView, ServiceError> {
        let row = self.read(|connection| store::approval(connection, id.as_bytes()))?;
        let Some(row) = row.filter(|row| is_requester(caller, row)) else {
            let unknown = Resource::unknown();
            let _permit = self.authorize(caller, Action::ReadApprovals, &unknown)?;
            return Err(ServiceError::not_found("request"));
        };
        let row = self.commit_decision(caller, &row, Decision::Withdrawn).await?;
        self.approval_view(caller, &row)
    }

    async fn decide(
        &self,
        caller: &Caller,
        id: &ApprovalId,
        decision: Decision,
    ) -> Result<ApprovalRow, ServiceError> {
        let row = self.read(|connection| store::approval(connection, id.as_bytes()))?;
        let row = self.approval_for(caller, Action::Approve, row)?;
        let organisation = self.organisation_id(row.organisation)?;
        // Who approves an act must have the right to it.
        if let Some(act) = Act::from_name(&row.act) {
            let resource = Resource::organisation(&organisation);
            let _permit = self.authorize(caller, act.action(), &resource)?;
        }
        self.fresh(caller)?;
        if self.same_human(caller, &row)? {
            self.note(
                self.event(caller, audit::Kind::Approval, audit::Outcome::Failure)
                    .organisation(organisation.as_str())
                    .subject(&id.to_string())
                    .severity(audit::Severity::High)
                    .detail("what", "own-request")
                    .detail("act", &row.act),
            );
            return Err(ServiceError::forbidden(
                "own-request",
                "you asked for this yourself; another administrator must decide",
            )
            .in_japanese(
                "自分の依頼は自分で承認・却下できません。別の管理者が判断する必要があります",
            ));
        }
        self.commit_decision(caller, &row, decision).await
    }

    async fn commit_decision(
        &self,
        caller: &Caller,
        row: &ApprovalRow,
        decision: Decision,
    ) -> Result<ApprovalRow, ServiceError> {
        let now = self.now();
        let organisation = self.organisation_id(row.organisation)?;
        let mut event = self
            .event(caller, audit::Kind::Approval, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&ApprovalId::from_bytes(row.approval_id).to_string())
            .detail("what", decision.name())
            .detail("act", &row.act)
            .detail("requester", &row.requester)
            .detail("summary", &row.summary);
        if matches!(caller, Caller::Platform { .. }) {
            event = event.door(audit::Door::Command).severity(audit::Severity::High);
        }
        let expires_at = match decision {
            Decision::Approved => now.plus(self.config.people.approved_s),
            Decision::Rejected | Decision::Withdrawn => row.expires_at,
        };
        let by = store::Decider {
            name: caller.to_string(),
            person: match caller {
                Caller::Person { person, .. } => Some(*person.as_bytes()),
                _ => None,
            },
            certificate: match caller {
                Caller::Member { certificate, .. } => Some(*certificate),
                _ => None,
            },
        };
        let (id, caller) = (row.id, caller.clone());
        self.commit(move |tx| {
            still_stands(tx, &caller)?;
            if !store::decide(tx, id, decision as u8, &by, now, expires_at)? {
                let row = found(store::approval_by_row(tx, id)?, "request")?;
                return Err(match row.decision {
                    Some(_) => ServiceError::conflict(
                        "approval-decided",
                        "somebody has decided this request already; look at it again",
                    ),
                    None => ServiceError::conflict(
                        "approval-expired",
                        "the request has expired; its requester can ask again",
                    ),
                });
            }
            tx.audit(&event)?;
            found(store::approval_by_row(tx, id)?, "request")
        })
        .await
    }

    /// Whether the caller is the human who asked: the same passkey account, the same certificate,
    /// or the same name in the same organisation, by whichever door.
    fn same_human(&self, caller: &Caller, row: &ApprovalRow) -> Result<bool, ServiceError> {
        if is_requester(caller, row) {
            return Ok(true);
        }
        let Some((name, organisation)) = caller.name().zip(caller.organisation()) else {
            return Ok(false);
        };
        let same_organisation =
            self.organisation_row(organisation.as_str())?.id == row.requester_of;
        Ok(same_organisation && same_name(name, &row.requester))
    }

    fn approval_for(
        &self,
        caller: &Caller,
        action: Action,
        row: Option<ApprovalRow>,
    ) -> Result<ApprovalRow, ServiceError> {
        match row {
            Some(row) => {
                let organisation = self.organisation_id(row.organisation)?;
                let resource = Resource::organisation(&organisation);
                let _permit = self.authorize(caller, action, &resource)?;
                Ok(row)
            }
            None => {
                let _permit = self.authorize(caller, action, &Resource::unknown())?;
                Err(ServiceError::not_found("request"))
            }
        }
    }

    /// Carries out what was approved and not done when the process ended.
    pub(crate) async fn carry_out_approved(&self) -> Result<(), ServiceError> {
        let now = self.now();
        let (mut after, mut failed) = (0, Ok(()));
        loop {
            let rows = self.read(|c| store::approved(c, now, after, RECOVERY_BATCH))?;
            let Some(last) = rows.last() else { return failed };
            after = last.id;
            for row in &rows {
                // What cannot be done now does not hold up the others.
                if let Err(error) = self.carry_out(row).await {
                    if error.kind() == ErrorKind::Fatal {
                        return Err(error);
                    }
                    failed = failed.and(Err(error));
                }
            }
        }
    }

    /// Carries out an approved act. What the act refuses is its outcome; what only time can mend
    /// is tried again later.
    async fn carry_out(&self, row: &ApprovalRow) -> Result<(), ServiceError> {
        let outcome = match read_arguments(&row.arguments) {
            Ok((_, intent)) if !intent.is_carried_out() => return Ok(()),
            Ok((organisation, intent)) => match self.requester(row).await {
                Ok(requester) => {
                    self.perform(&requester, &organisation, intent, Slip::Approved(row.id)).await
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { return Ok(()) };
        if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Fatal) {
            return Err(error);
        }
        let now = self.now();
        let event = audit::SecurityEvent::new(now, audit::Kind::Approval, audit::Outcome::Failure)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&ApprovalId::from_bytes(row.approval_id).to_string())
            .detail("what", "act-refused")
            .detail("act", &row.act)
            .detail("reason", error.code());
        let (id, code) = (row.id, error.code());
        self.commit(move |tx| {
            // Not where somebody else has carried it out meanwhile.
            if store::finish(tx, id, code, now)? {
                tx.audit(&event)?;
            }
            Ok(())
        })
        .await
    }

    /// The requester as it stands now: gone, it asks for nothing any more.
    async fn requester(&self, row: &ApprovalRow) -> Result<Caller, ServiceError> {
        let gone =
            || ServiceError::refused("requester-gone", "who asked for this is no member any more");
        if let Some(person) = &row.person {
            let person = self.read(|connection| people::person(connection, person))?;
            let person = person.filter(|person| person.removed_at.is_none()).ok_or_else(gone)?;
            return self.person_caller(&person, NO_SESSION, row.requested_at);
        }
        let certificate = row.certificate.ok_or_else(gone)?;
        let member = self.read(|connection| organisations::member(connection, &certificate))?;
        let member = member.ok_or_else(gone)?;
        let certificate = pki::Certificate::from_der(&member.certificate).map_err(|_| gone())?;
        self.identify_certificate(&certificate).await.map_err(|_| gone())
    }

    async fn perform(
        &self,
        requester: &Caller,
        organisation: &OrganisationId,
        intent: Intent,
        slip: Slip,
    ) -> Result<(), ServiceError> {
        let damaged = || ServiceError::refused("approval-damaged", "the request cannot be read");
        let device = |text: &str| text.parse::<DeviceId>().map_err(|_| damaged());
        match intent {
            Intent::ChangeRoles { person, before, roles } => {
                let person = person.id.parse().map_err(|_| damaged())?;
                let change = (before, roles.parse().map_err(|_| damaged())?);
                self.perform_change_roles(requester, organisation, &person, change, slip)
                    .await
                    .map(|_| ())
            }
            Intent::RemovePerson { person, roles } => {
                let person = person.id.parse().map_err(|_| damaged())?;
                self.perform_remove_person(requester, organisation, &person, &roles, slip).await
            }
            Intent::RemoveMember { certificate, .. } => {
                let certificate = Sha256::from_hex(&certificate).ok_or_else(damaged)?;
                self.perform_remove_member(requester, organisation, &certificate, slip).await
            }
            Intent::ChangePolicy { act, required } => {
                let act = Act::from_name(&act).ok_or_else(damaged)?;
                self.perform_set_policy(requester, organisation, act, required, slip).await
            }
            Intent::ChangeOrganisation { organisation: id, change, said, .. } => {
                let id = OrganisationId::new(&id).map_err(|_| damaged())?;
                let change = Change::from_name(&change).ok_or_else(damaged)?;
                self.perform_change_organisation(requester, &id, change, &said, slip)
                    .await
                    .map(|_| ())
            }
            Intent::RetireCa { ca } => {
                self.perform_retire_ca(requester, &ca, slip).await.map(|_| ())
            }
            Intent::RevokeDevice { device: id, cause, reason, .. } => {
                let id = device(&id)?;
                let cause = cause.parse().map_err(|_| damaged())?;
                let act = DeviceAct::Revoke { cause };
                self.perform_act_with(requester, &id, &act, reason, slip).await.map(|_| ())
            }
            Intent::PublishRelease { release, contents, overruled, reason, .. } => {
                let release = release.parse().map_err(|_| damaged())?;
                let contents = Sha256::from_hex(&contents).ok_or_else(damaged)?;
                let overruled = (overruled.as_slice(), reason.as_deref());
                self.perform_publish_release(requester, &release, contents, overruled, slip)
                    .await
                    .map(|_| ())
            }
            Intent::StartCampaign { campaign, .. } => {
                let campaign = campaign.parse().map_err(|_| damaged())?;
                self.perform_start_campaign(requester, &campaign, slip).await.map(|_| ())
            }
            Intent::OverruleOperation { product, open, reason, until } => {
                let product = ProductId::new(&product).map_err(|_| damaged())?;
                let exception = (open, reason.as_str(), UnixTime(until));
                self.perform_overrule_operation(requester, organisation, &product, exception, slip)
                    .await
                    .map(|_| ())
            }
            Intent::RelaxOperation {
                organisation: of,
                before,
                required,
                weight,
                items,
                signed,
            } => {
                let of = OrganisationId::new(&of).map_err(|_| damaged())?;
                let wanted = OperationPolicy { required, weight, items, signed };
                let step = (Some(before), wanted);
                self.perform_operation_policy(requester, &of, step, slip).await.map(|_| ())
            }
            Intent::SignDiagnosis { diagnosis, content, .. } => {
                let diagnosis = diagnosis.parse().map_err(|_| damaged())?;
                let content = Sha256::from_hex(&content).ok_or_else(damaged)?;
                self.perform_sign_diagnosis(requester, &diagnosis, content, slip).await.map(|_| ())
            }
            Intent::Invite { .. }
            | Intent::InviteAgain { .. }
            | Intent::Recover { .. }
            | Intent::AddMember { .. }
            | Intent::InstallCa { .. }
            | Intent::LowerGate { .. }
            | Intent::RevokeByEvent { .. }
            | Intent::ChangeCertificate { .. }
            | Intent::EraseEvents { .. }
            | Intent::ErasePerson { .. }
            | Intent::ResetDevice { .. }
            | Intent::Export { .. }
            | Intent::ExportResult { .. }
            | Intent::RevokeMany { .. } => Ok(()),
        }
    }

    fn approval_view(
        &self,
        caller: &Caller,
        row: &ApprovalRow,
    ) -> Result<ApprovalView, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "an approval's row is damaged");
        let now = self.now();
        let decision = row.decision.map(|number| Decision::from_number(number).ok_or_else(damaged));
        let decision = decision.transpose()?;
        let late = now >= row.expires_at;
        let state = match (decision, row.outcome.as_deref()) {
            (None, _) if late => ApprovalState::Expired,
            (None, _) => ApprovalState::Waiting,
            (Some(Decision::Rejected), _) => ApprovalState::Rejected,
            (Some(Decision::Withdrawn), _) => ApprovalState::Withdrawn,
            (Some(Decision::Approved), Some(super::second::DONE)) => ApprovalState::Done,
            (Some(Decision::Approved), Some(_)) => ApprovalState::Failed,
            (Some(Decision::Approved), None) if late => ApprovalState::Expired,
            (Some(Decision::Approved), None) => ApprovalState::Approved,
        };
        let organisation = self.organisation_id(row.organisation)?;
        let act = Act::from_name(&row.act).ok_or_else(damaged)?;
        let read = read_arguments(&row.arguments).ok();
        let (devices, name) = self.read(|connection| store::attached(connection, row.id))?;
        let summary = |language| {
            let intent = read.as_ref().map(|(_, intent)| intent.summary(language, name.as_deref()));
            intent.unwrap_or_else(|| row.summary.clone())
        };
        let may = |action| {
            let resource = Resource::organisation(&organisation);
            policy::authorize(caller, action, &resource).is_ok()
        };
        let open = matches!(state, ApprovalState::Waiting | ApprovalState::Approved);
        let can_reject =
            open && may(Action::Approve) && may(act.action()) && !self.same_human(caller, row)?;
        Ok(ApprovalView {
            id: ApprovalId::from_bytes(row.approval_id),
            act,
            arguments: row.arguments.clone(),
            devices,
            summary: summary(Language::En),
            summary_ja: summary(Language::Ja),
            reason: read.as_ref().and_then(|(_, intent)| intent.reason().map(str::to_owned)),
            requester: row.requester.clone(),
            requester_of: self.organisation_id(row.requester_of)?,
            requested_at: row.requested_at,
            expires_at: row.expires_at,
            state,
            decision,
            decided_by: row.decided_by.clone(),
            decided_at: row.decided_at,
            finished_at: row.finished_at,
            outcome: row.outcome.clone(),
            requester_continues: read.as_ref().is_some_and(|(_, intent)| !intent.is_carried_out()),
            can_continue: state == ApprovalState::Approved
                && is_requester(caller, row)
                && read.as_ref().is_some_and(|(_, intent)| intent.goes_on()),
            can_approve: can_reject && state == ApprovalState::Waiting,
            can_reject,
            can_withdraw: open && is_requester(caller, row),
            organisation,
        })
    }
}

/// Whether the caller is the account that asked.
pub(super) fn is_requester(caller: &Caller, row: &ApprovalRow) -> bool {
    match caller {
        Caller::Person { person, .. } => row.person.as_ref() == Some(person.as_bytes()),
        Caller::Member { certificate, .. } => row.certificate.as_ref() == Some(certificate),
        _ => false,
    }
}
