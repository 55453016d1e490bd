//! Use cases: what people do to a device from a desk, without a signing key at hand. The platform
//! signs for their organisation and says so in the event; the state machine judges it as theirs.

use crate::{
    Problem, Recorded, Service, ServiceError,
    approvals::{Intent, Slip, owner_is_asked},
    events::KnownDevice,
    live::found,
    record,
    store::{
        certificate::{self as certificates, Status},
        device as devices, organisation as organisations,
    },
};
use crypto::Sha256;
use device::{
    Cause, Context, DeviceId, Event, EventKind, IllegalMove, IllegalMoveCode, Language, OnBehalf,
    OrganisationId, Phase, Roles, State,
};
use policy::{Action, Caller, Resource};
use std::sync::Arc;

/// What can be done to a device on behalf of the caller's organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceAct {
    /// not to be trusted for the time being
    Suspend {
        /// why
        cause: Cause,
    },
    /// the suspension ends
    Release,
    /// never to be trusted again
    Revoke {
        /// why
        cause: Cause,
    },
    /// ownership is offered
    OfferTransfer {
        /// to whom
        to: OrganisationId,
    },
    /// the offer is accepted
    AcceptTransfer,
    /// the offer is withdrawn or declined
    CancelTransfer,
    /// out of use for good
    Retire {
        /// why
        cause: Cause,
    },
    /// destroyed; the history closes
    Dispose {
        /// digest of the device's proof that its keys are erased, where it gave one
        erasure_proof: Option<Sha256>,
    },
}

impl DeviceAct {
    /// Names of all acts.
    pub const NAMES: &'static [&'static str] = &[
        "suspend",
        "release",
        "revoke",
        "offer-transfer",
        "accept-transfer",
        "cancel-transfer",
        "retire",
        "dispose",
    ];

    /// Stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Suspend { .. } => "suspend",
            Self::Release => "release",
            Self::Revoke { .. } => "revoke",
            Self::OfferTransfer { .. } => "offer-transfer",
            Self::AcceptTransfer => "accept-transfer",
            Self::CancelTransfer => "cancel-transfer",
            Self::Retire { .. } => "retire",
            Self::Dispose { .. } => "dispose",
        }
    }

    /// Reads a name with what the act needs to be known: a cause for *suspend*, *revoke* and
    /// *retire*, the organisation for *offer-transfer*. `None` for another name or a gap.
    pub fn from_name(name: &str, cause: Option<Cause>, to: Option<OrganisationId>) -> Option<Self> {
        Some(match name {
            "suspend" => Self::Suspend { cause: cause? },
            "release" => Self::Release,
            "revoke" => Self::Revoke { cause: cause? },
            "offer-transfer" => Self::OfferTransfer { to: to? },
            "accept-transfer" => Self::AcceptTransfer,
            "cancel-transfer" => Self::CancelTransfer,
            "retire" => Self::Retire { cause: cause? },
            "dispose" => Self::Dispose { erasure_proof: None },
            _ => return None,
        })
    }

    /// What the caller must be allowed.
    pub fn action(&self) -> Action {
        match self {
            Self::Suspend { .. } => Action::SuspendDevice,
            Self::Release => Action::ReleaseDevice,
            Self::Revoke { .. } => Action::RevokeDevice,
            Self::OfferTransfer { .. } | Self::CancelTransfer => Action::TransferDevice,
            Self::AcceptTransfer => Action::AcceptTransfer,
            Self::Retire { .. } | Self::Dispose { .. } => Action::RetireDevice,
        }
    }

    fn kind(&self, state: &State) -> EventKind {
        match self {
            Self::Suspend { cause } => EventKind::Suspended { cause: *cause },
            Self::Release => EventKind::Released,
            Self::Revoke { cause } => EventKind::Revoked { cause: *cause },
            Self::OfferTransfer { to } => EventKind::TransferOffered { to: to.clone() },
            Self::AcceptTransfer => EventKind::TransferAccepted { from: state.owner().clone() },
            Self::CancelTransfer => EventKind::TransferCancelled,
            Self::Retire { cause } => EventKind::Retired { cause: *cause },
            Self::Dispose { erasure_proof } => {
                EventKind::Disposed { erasure_proof: *erasure_proof }
            }
        }
    }
}

/// What an act brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// there is no way back
    CannotBeUndone,
    /// every verdict on the device is *rejected* from now on
    VerdictsReject,
    /// so many certificates are revoked
    CertificatesRevoked(u64),
    /// so many certificates do not work until the suspension ends
    CertificatesSuspended(u64),
    /// so many certificates work again
    CertificatesRestored(u64),
    /// the organisation loses its access, in the same moment
    FormerOwnerLosesAccess(OrganisationId),
    /// shares and an unused enrolment code end
    SharesAndCodesEnd,
    /// the phase changes
    PhaseBecomes(Phase),
    /// the new owner must onboard the device again
    MustBeOnboardedAgain,
    /// the pending offer ends
    OfferEnds,
    /// the organisation sees the device and may accept it; until then nothing changes
    OfferIsOpen(OrganisationId),
    /// nothing more can be reported about the device
    HistoryCloses,
    /// the platform signs the event in the name of the organisation
    SignedOnBehalfOf(OrganisationId),
}

impl Consequence {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CannotBeUndone => "cannot-be-undone",
            Self::VerdictsReject => "verdicts-reject",
            Self::CertificatesRevoked(_) => "certificates-revoked",
            Self::CertificatesSuspended(_) => "certificates-suspended",
            Self::CertificatesRestored(_) => "certificates-restored",
            Self::FormerOwnerLosesAccess(_) => "former-owner-loses-access",
            Self::SharesAndCodesEnd => "shares-and-codes-end",
            Self::PhaseBecomes(_) => "phase-becomes",
            Self::MustBeOnboardedAgain => "must-be-onboarded-again",
            Self::OfferEnds => "offer-ends",
            Self::OfferIsOpen(_) => "offer-is-open",
            Self::HistoryCloses => "history-closes",
            Self::SignedOnBehalfOf(_) => "signed-on-behalf-of",
        }
    }

    /// The consequence for people.
    pub fn text(&self, language: Language) -> String {
        let both = |ja: String, en: String| match language {
            Language::Ja => ja,
            Language::En => en,
        };
        let s = |count: &u64| if *count == 1 { "" } else { "s" };
        match self {
            Self::CannotBeUndone => {
                both("この操作は取り消せません".into(), "this cannot be undone".into())
            }
            Self::VerdictsReject => both(
                "以後、この機器の判定はすべて「拒否」になります".into(),
                "every verdict on the device will be “rejected” from now on".into(),
            ),
            Self::CertificatesRevoked(n) => both(
                format!("証明書{n}件が失効し、二度と使えません"),
                format!("{n} certificate{} will be revoked for good", s(n)),
            ),
            Self::CertificatesSuspended(n) => both(
                format!("証明書{n}件が、解除するまで使えなくなります"),
                format!("{n} certificate{} will not work until the device is released", s(n)),
            ),
            Self::CertificatesRestored(n) => both(
                format!("証明書{n}件が再び使えるようになります"),
                format!("{n} certificate{} will work again", s(n)),
            ),
            Self::FormerOwnerLosesAccess(who) => both(
                format!("現在の所有者「{who}」は、直ちにこの機器を参照・操作できなくなります"),
                format!("the present owner, {who}, loses access to the device in the same moment"),
            ),
            Self::SharesAndCodesEnd => both(
                "他組織との共有と、未使用の登録コードは無効になります".into(),
                "shares with other organisations and an unused enrolment code end".into(),
            ),
            Self::PhaseBecomes(phase) => both(
                format!("段階が「{}」に変わります", phase.text().of(Language::Ja)),
                format!("its phase becomes “{}”", phase.text().of(Language::En)),
            ),
            Self::MustBeOnboardedAgain => both(
                "新しい所有者は、あらためて導入(オンボーディング)を行う必要があります".into(),
                "the new owner has to onboard the device again".into(),
            ),
            Self::OfferEnds => both(
                "手続き中の所有権移転は終了します".into(),
                "the pending offer of ownership ends".into(),
            ),
            Self::OfferIsOpen(to) => both(
                format!(
                    "「{to}」はこの機器を参照し、受諾できるようになります。受諾されるまで所有者は変わりません"
                ),
                format!(
                    "{to} can see the device and accept it; until then the owner stays the same"
                ),
            ),
            Self::HistoryCloses => both(
                "履歴が閉じられ、以後は何も記録できません".into(),
                "the history closes: nothing more can be reported".into(),
            ),
            Self::SignedOnBehalfOf(who) => both(
                format!("プラットフォームが「{who}」に代わって署名し、その旨が履歴に残ります"),
                format!("the platform signs on behalf of {who}, and the history says so"),
            ),
        }
    }
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActPreview {
    /// why it would be refused; `None` where it is allowed
    pub refusal: Option<Problem>,
    /// what it would bring about; empty where it is refused
    pub consequences: Vec<Consequence>,
}

impl ActPreview {
    /// Whether it would be done.
    pub fn allowed(&self) -> bool {
        self.refusal.is_none()
    }
}

impl Service {
    /// Does an act on behalf of the caller's organisation; the platform signs the event and the
    /// event says so. What must end with it ends in the same commit.
    ///
    /// # Errors
    /// `not-found`, `role`; the state machine's refusals by their codes; `needs-second-person` and
    /// `reauthenticate` for *revoke*.
    pub async fn perform_act(
        &self,
        caller: &Caller,
        device: &DeviceId,
        act: &DeviceAct,
    ) -> Result<Recorded, ServiceError> {
        self.perform_act_because(caller, device, act, None).await
    }

    /// As [`Self::perform_act`], with the reason in the words of who does it. It stands in the
    /// event and goes with its contents when they are erased; it is in no other log.
    ///
    /// # Errors
    /// As [`Self::perform_act`]; `reason`.
    pub async fn perform_act_because(
        &self,
        caller: &Caller,
        device: &DeviceId,
        act: &DeviceAct,
        reason: Option<&str>,
    ) -> Result<Recorded, ServiceError> {
        let known = self.device_for(caller, act.action(), device)?;
        let reason = super::reason::read(reason)?;
        let slip = match act {
            DeviceAct::Revoke { cause } => {
                let owner = self.organisation_id(known.row.owner)?;
                let intent = Intent::RevokeDevice {
                    device: device.to_string(),
                    serial_number: known.row.serial_number.clone(),
                    cause: cause.name().to_owned(),
                    reason: reason.clone(),
                };
                self.second_person(caller, &owner, policy::Act::RevokeDevice, &intent).await?
            }
            _ => Slip::NotNeeded,
        };
        self.perform_act_with(caller, device, act, reason, slip).await
    }

    pub(crate) async fn perform_act_with(
        &self,
        caller: &Caller,
        device: &DeviceId,
        act: &DeviceAct,
        reason: Option<String>,
        slip: Slip,
    ) -> Result<Recorded, ServiceError> {
        self.device_for(caller, act.action(), device)?;
        let doing = Doing { reason, ..self.doing(caller, device, act) };
        let now = self.now();
        self.commit(move |tx| {
            slip.consume(tx, now)?;
            doing.perform(tx)
        })
        .await
    }

    /// What an act would bring about, or why it would be refused. Changes nothing.
    ///
    /// # Errors
    /// `not-found`; what would refuse the act is no error but part of the answer.
    pub async fn preview_act(
        &self,
        caller: &Caller,
        device: &DeviceId,
        act: &DeviceAct,
    ) -> Result<ActPreview, ServiceError> {
        let refused = |error: &ServiceError| ActPreview {
            refusal: Some(error.problem().clone()),
            consequences: Vec::new(),
        };
        let KnownDevice { row, state } = self.device_for(caller, Action::ReadDevice, device)?;
        // Asking is no attempt: a refusal is not put down as one.
        let may = self.stand(caller, &row, state.as_ref(), |resource: &Resource<'_>| {
            policy::authorize(caller, act.action(), resource).map(|_permit| ())
        })?;
        if let Err(denied) = may {
            return Ok(refused(&ServiceError::forbidden("role", denied.to_string())));
        }
        let Some(state) = state else { return Ok(refused(&record::not_begun())) };
        let now = self.now();
        let on_behalf = self.behalf(caller)?;
        let event = Event {
            device: *device,
            sequence: state.events(),
            previous: Some(state.head()),
            kind: act.kind(&state),
            at: now,
            reporter: self.platform.id.clone(),
            actor: None,
            place: None,
            evidence: Vec::new(),
            on_behalf: on_behalf.clone(),
            reason: None,
        };
        let next = match state.apply(&event, state.head(), &Context::new(now, Roles::PLATFORM)) {
            Ok(next) => next,
            Err(illegal) => return Ok(refused(&refusal(&illegal))),
        };
        let rows = self.read(|connection| certificates::certificates_of(connection, row.id))?;
        let of = |status| rows.iter().filter(|c| c.status == status && c.not_after >= now).count();
        let working = (of(Status::Good) as u64, of(Status::Suspended) as u64);
        let ended = state.ended_by(&next);
        let ends = ended.credentials.iter().filter(|c| c.not_after >= now).count() as u64;
        let mut consequences = consequences(act, &state, &next, working, ends);
        if let Some(behalf) = on_behalf {
            consequences.push(Consequence::SignedOnBehalfOf(behalf.organisation));
        }
        Ok(ActPreview { refusal: None, consequences })
    }

    /// An act that was authorised, ready for the writer.
    pub(crate) fn doing(&self, caller: &Caller, device: &DeviceId, act: &DeviceAct) -> Doing {
        Doing {
            platform: Arc::clone(&self.platform),
            by: caller.organisation().cloned(),
            actor: caller.to_string(),
            device: *device,
            act: act.clone(),
            reason: None,
            now: self.now(),
            job_of: None,
        }
    }

    /// For whom the platform signs; `None` where it acts by itself.
    fn behalf(&self, caller: &Caller) -> Result<Option<OnBehalf>, ServiceError> {
        let Some(organisation) = caller.organisation() else { return Ok(None) };
        let row = self.organisation_row(organisation.as_str())?;
        Ok(behalf_of(organisation, row.roles))
    }
}

/// The platform's own members act for the platform itself, which needs no proxy.
fn behalf_of(organisation: &OrganisationId, roles: u8) -> Option<OnBehalf> {
    if organisation.as_str() == policy::PLATFORM {
        return None;
    }
    let roles = Roles::from_bits(roles.into())
        .filter(|roles| !roles.has(Roles::PLATFORM))
        .unwrap_or(Roles::NONE);
    Some(OnBehalf { organisation: organisation.clone(), roles })
}

/// An act on its way to the writer.
pub(crate) struct Doing {
    platform: Arc<crate::service::Platform>,
    by: Option<OrganisationId>,
    actor: String,
    device: DeviceId,
    act: DeviceAct,
    /// why, in the words of who does it
    pub(super) reason: Option<String>,
    now: crypto::UnixTime,
    /// row of the organisation whose job this belongs to
    job_of: Option<i64>,
}

impl Doing {
    /// Puts a device into quarantine in the name of its owner, whose rule said so.
    pub(crate) fn quarantine(
        platform: &Arc<crate::service::Platform>,
        owner: OrganisationId,
        device: DeviceId,
        why: String,
        now: crypto::UnixTime,
    ) -> Self {
        Self {
            platform: Arc::clone(platform),
            by: Some(owner),
            actor: "platform alerts".to_owned(),
            device,
            act: DeviceAct::Suspend { cause: Cause::Anomaly },
            reason: Some(why),
            now,
            job_of: None,
        }
    }

    /// As part of a job, which its own organisation's second person has approved where one is
    /// wanted, and nobody else's.
    pub(crate) fn in_job_of(mut self, organisation: i64) -> Self {
        self.job_of = Some(organisation);
        self
    }

    /// Signs and records it.
    pub(crate) fn perform(&self, tx: &mut crate::store::Tx<'_>) -> Result<Recorded, ServiceError> {
        let row = found(devices::device(tx, self.device.as_bytes())?, "device")?;
        let state = record::state_of(&row)?.ok_or_else(record::not_begun)?;
        let kind = self.act.kind(&state);
        if let (DeviceAct::Revoke { .. }, Some(own)) = (&self.act, self.job_of)
            && own != row.owner
        {
            let platform = row.owner == self.platform.organisation.id;
            owner_is_asked(tx, row.owner, platform, self.now)?;
        }
        if let DeviceAct::OfferTransfer { to } = &self.act {
            // A signed event may name whom it likes; from a desk a wrong name is a mistake.
            found(organisations::organisation(tx, to.as_str())?, "organisation")?;
        }
        let behalf = match &self.by {
            None => None,
            Some(by) => {
                let row = found(organisations::organisation(tx, by.as_str())?, "organisation")?;
                behalf_of(by, row.roles)
            }
        };
        let said = record::Said { actor: Some(&self.actor), reason: self.reason.as_deref() };
        let applied = match behalf {
            Some(behalf) => {
                record::apply_on_behalf(tx, &self.platform, row, &kind, behalf, said, self.now)
            }
            None => record::apply_platform_to(tx, &self.platform, row, &kind, said, self.now),
        };
        applied.map(|applied| applied.recorded).map_err(|error| {
            // Who may see the device but not do this is told so as anywhere else.
            if error.code() == IllegalMoveCode::NotEntitled.name() {
                let ja = error.message_ja().unwrap_or_default().to_owned();
                ServiceError::forbidden(IllegalMoveCode::NotEntitled.name(), error.to_string())
                    .in_japanese(ja)
            } else {
                error
            }
        })
    }
}

fn refusal(illegal: &IllegalMove) -> ServiceError {
    record::refusal(illegal)
}

fn consequences(
    act: &DeviceAct,
    before: &State,
    after: &State,
    (good, suspended): (u64, u64),
    ended: u64,
) -> Vec<Consequence> {
    use Consequence as C;
    let mut all = Vec::new();
    let counted = |make: fn(u64) -> C, count: u64| (count > 0).then(|| make(count));
    match act {
        DeviceAct::Suspend { .. } => {
            all.push(C::VerdictsReject);
            all.extend(counted(C::CertificatesSuspended, good));
        }
        DeviceAct::Release => all.extend(counted(C::CertificatesRestored, suspended)),
        DeviceAct::Revoke { .. } => {
            all.extend([C::CannotBeUndone, C::VerdictsReject]);
            all.extend(counted(C::CertificatesRevoked, good.saturating_add(suspended)));
            all.push(C::SharesAndCodesEnd);
        }
        DeviceAct::OfferTransfer { to } => all.push(C::OfferIsOpen(to.clone())),
        DeviceAct::AcceptTransfer => {
            all.push(C::CannotBeUndone);
            all.push(C::FormerOwnerLosesAccess(before.owner().clone()));
            all.extend(counted(C::CertificatesRevoked, ended));
            all.push(C::SharesAndCodesEnd);
        }
        DeviceAct::CancelTransfer => all.push(C::OfferEnds),
        DeviceAct::Retire { .. } => {
            all.push(C::CannotBeUndone);
            all.extend(counted(C::CertificatesRevoked, ended));
        }
        DeviceAct::Dispose { .. } => {
            all.extend([C::CannotBeUndone, C::HistoryCloses]);
            all.extend(counted(C::CertificatesRevoked, good.saturating_add(suspended)));
            all.push(C::SharesAndCodesEnd);
        }
    }
    if before.phase() != after.phase() {
        all.push(C::PhaseBecomes(after.phase()));
        if matches!(act, DeviceAct::AcceptTransfer) {
            all.push(C::MustBeOnboardedAgain);
        }
    }
    let offered = before.pending_transfer().is_some() && after.pending_transfer().is_none();
    if offered && matches!(act, DeviceAct::Retire { .. }) {
        all.push(C::OfferEnds);
    }
    all
}
