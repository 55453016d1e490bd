//! The gate of a sensitive act.

use super::{ApprovalId, Intent, policy::required};
use crate::{
    Service, ServiceError,
    store::{
        Tx,
        approval::{self as store, ApprovalRow, Attached},
    },
};
use crypto::{Sha256, UnixTime, random, sha256_of};
use device::{Language, OrganisationId};
use policy::{Act, Caller};

/// Requests of one requester that may wait at a time.
const WAITING_MAX: i64 = 100;
/// Longest arguments kept, in bytes.
const ARGUMENTS_BYTES_MAX: usize = 64 * 1024;
/// Requests of everybody in one other organisation that may wait in an organisation.
const WAITING_PER_OUTSIDER_MAX: i64 = 20;
/// Requests of all outsiders that may wait in an organisation.
const WAITING_OUTSIDERS_MAX: i64 = 200;
/// What an approved request's outcome says where its approver is none any more.
const GONE: &str = "approver-gone";
/// What an approved request's outcome says once its act is done.
pub(super) const DONE: &str = "done";

/// What a second person is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) act: Act,
    /// what it is at the same time: one of them that needs a second person is enough
    pub(crate) others: &'a [Act],
    pub(crate) intent: &'a Intent,
    /// what the other person sees besides, as long as the request is open
    pub(crate) attached: Option<Attached>,
}

impl<'a> Question<'a> {
    pub(crate) fn new(act: Act, intent: &'a Intent) -> Self {
        Self { act, others: &[], intent, attached: None }
    }
}

/// Leave to do a sensitive act once. Not cloneable: the act takes it by value.
#[derive(Debug)]
#[must_use = "a slip that is not spent in the act's transaction can be spent again"]
pub(crate) enum Slip {
    /// no second person is wanted
    NotNeeded,
    /// another person approved this request
    Approved(i64),
}

impl Slip {
    /// Spends the slip, in the transaction of the act.
    pub(crate) fn consume(self, tx: &mut Tx<'_>, now: UnixTime) -> Result<(), ServiceError> {
        let Self::Approved(id) = self else { return Ok(()) };
        if let Some(row) = store::approval_by_row(tx, id)?
            && !store::approver_stands(tx, &row, now)?
        {
            return Err(ServiceError::conflict(
                GONE,
                "who approved this may not do so any more; ask again",
            )
            .in_japanese(
                "承認した人は、もう承認できる立場にありません。あらためて依頼してください",
            ));
        }
        if store::finish(tx, id, DONE, now)? {
            return Ok(());
        }
        Err(ServiceError::conflict(
            "approval-used",
            "the approval was used already, was taken back or has expired; look at the request",
        ))
    }
}

impl Service {
    /// The gate of a sensitive act in an organisation: a slip where none is needed or another
    /// person approved this very request, else the request is recorded and the caller told so.
    /// The caller's right to the act is looked at before; a person must have shown its passkey
    /// within the last minutes.
    ///
    /// # Errors
    /// `needs-second-person`, `reauthenticate`, `too-many-requests-waiting`.
    pub(crate) async fn second_person(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: Act,
        intent: &Intent,
    ) -> Result<Slip, ServiceError> {
        self.second_person_for(caller, organisation, &Question::new(act, intent)).await
    }

    /// What was approved, where a slip comes from an approval: it may be older than what is asked
    /// for now, and is what is done.
    pub(crate) fn approved_intent(&self, slip: &Slip) -> Result<Option<Intent>, ServiceError> {
        let Slip::Approved(id) = slip else { return Ok(None) };
        let row = self.read(|connection| store::approval_by_row(connection, *id))?;
        row.map(|row| read_arguments(&row.arguments).map(|(_, intent)| intent)).transpose()
    }

    /// Whether an act of this caller in an organisation needs a second person now, and whose.
    pub(crate) fn wants_second_person(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        acts: &[Act],
    ) -> Result<Option<i64>, ServiceError> {
        let Some(own) = caller.organisation() else { return Ok(None) };
        let now = self.now();
        let owner = self.organisation_row(organisation.as_str())?.id;
        let requester_of = self.organisation_row(own.as_str())?.id;
        let platform = self.platform.organisation.id;
        // The organisation that the thing belongs to may want it, or the caller's own.
        self.read(|connection| {
            for row in [owner, requester_of] {
                for act in acts {
                    if required(connection, row, row == platform, *act, now)? {
                        return Ok(Some(row));
                    }
                }
            }
            Ok(None)
        })
    }

    /// As [`Self::second_person`], with more about what is asked.
    pub(crate) async fn second_person_for(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        asked: &Question<'_>,
    ) -> Result<Slip, ServiceError> {
        let Question { act, others, intent, .. } = *asked;
        self.fresh(caller)?;
        let (person, certificate) = match caller {
            Caller::Person { person, .. } => (Some(*person.as_bytes()), None),
            Caller::Member { certificate, .. } => (None, Some(*certificate)),
            // The machine's own commands and schedules: who has the data directory and its
            // passphrase is asked by nobody. What they do is in the log under their name.
            Caller::Platform { .. } => return Ok(Slip::NotNeeded),
            // The gate of rights lets none of these through to a sensitive act; neither does this.
            Caller::Anonymous | Caller::Device { .. } | Caller::Code { .. } => {
                return Err(ServiceError::forbidden(
                    "role",
                    "this act is for people and members of an organisation",
                ));
            }
        };
        let Some((name, own)) = caller.name().zip(caller.organisation()) else {
            return Err(ServiceError::not_found("thing"));
        };
        let now = self.now();
        let requester_of = self.organisation_row(own.as_str())?.id;
        let acts: Vec<Act> = std::iter::once(act).chain(others.iter().copied()).collect();
        let wants = self.wants_second_person(caller, organisation, &acts)?;
        let Some(wants) = wants else { return Ok(Slip::NotNeeded) };
        let arguments = arguments_of(intent, organisation)?;
        let digest = digest(act, &arguments_of(&intent.question(), organisation)?);
        let same = |row: &ApprovalRow| {
            row.person == person
                && row.certificate == certificate
                && row.requester_of == requester_of
        };
        let open = self.read(|c| store::open_approvals(c, wants, &digest, now))?;
        let (mut stale, mut waits) = (Vec::new(), None);
        for row in open.iter().filter(|row| same(row)) {
            if row.decision.is_none() {
                waits = waits.or(Some(row.approval_id));
            } else if self.read(|c| store::approver_stands(c, row, now))? {
                return Ok(Slip::Approved(row.id));
            } else {
                stale.push(row.id);
            }
        }
        if let Some(id) = waits {
            return Err(needed(&id));
        }
        let row = ApprovalRow {
            id: 0,
            approval_id: random::bytes(),
            organisation: wants,
            act: act.name().to_owned(),
            arguments,
            digest,
            summary: intent.summary(Language::En, None),
            requester: name.to_owned(),
            requester_of,
            person,
            certificate,
            requested_at: now,
            expires_at: now.plus(self.config.people.approval_s),
            decision: None,
            decided_by: None,
            decided_at: None,
            decider: None,
            decider_certificate: None,
            carried_out: intent.is_carried_out(),
            finished_at: None,
            outcome: None,
        };
        let id = row.approval_id;
        let event = self
            .event(caller, audit::Kind::Approval, audit::Outcome::Success)
            .organisation(self.organisation_id(wants)?.as_str())
            .subject(&ApprovalId::from_bytes(id).to_string())
            .detail("what", "requested")
            .detail("act", act.name())
            .detail("summary", &row.summary);
        let attached = asked.attached.clone();
        self.commit(move |tx| {
            store::drop_expired_attachments(tx, now)?;
            for id in stale {
                store::finish(tx, id, GONE, now)?;
            }
            let requester = (row.requester_of, row.requester.as_str());
            let waiting = store::count_waiting(tx, wants, requester, now)?;
            let outside = row.requester_of != wants;
            if waiting.own >= WAITING_MAX
                || (outside && waiting.organisation >= WAITING_PER_OUTSIDER_MAX)
                || (outside && waiting.outsiders >= WAITING_OUTSIDERS_MAX)
            {
                return Err(ServiceError::too_many(
                    "too-many-requests-waiting",
                    "too many requests wait for a second person; withdraw some, or wait until \
                     they are decided",
                ));
            }
            let id = store::insert_approval(tx, &row)?;
            if let Some(attached) = attached {
                store::attach(tx, id, &attached)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Err(needed(&id))
    }
}

/// The canonical arguments: the intent, and whose thing it is about.
fn arguments_of(intent: &Intent, organisation: &OrganisationId) -> Result<String, ServiceError> {
    let whole = (organisation.as_str(), intent);
    let text = serde_json::to_string(&whole)
        .map_err(|_| ServiceError::unavailable("approval", "the request cannot be written"))?;
    if text.len() > ARGUMENTS_BYTES_MAX {
        return Err(ServiceError::too_many(
            "too-much-at-once",
            "the request is too long for a second person to look at; ask for less at a time",
        ));
    }
    Ok(text)
}

/// What [`arguments_of`] wrote.
pub(super) fn read_arguments(text: &str) -> Result<(OrganisationId, Intent), ServiceError> {
    let damaged = || ServiceError::refused("approval-damaged", "the request cannot be read");
    let (organisation, intent): (String, Intent) =
        serde_json::from_str(text).map_err(|_| damaged())?;
    Ok((OrganisationId::new(&organisation).map_err(|_| damaged())?, intent))
}

fn digest(act: Act, arguments: &str) -> Sha256 {
    sha256_of(&[b"tegata/approval/v1\0", act.name().as_bytes(), b"\0", arguments.as_bytes()])
}

fn needed(id: &[u8; 16]) -> ServiceError {
    let id = ApprovalId::from_bytes(*id);
    ServiceError::refused(
        "needs-second-person",
        format!(
            "this act needs a second person: request {id} waits for another administrator to \
             approve it"
        ),
    )
    .in_japanese(format!(
        "この操作には二人目の承認が必要です。依頼 {id} は別の管理者の承認を待っています"
    ))
    .with_approval(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_has_the_same_bytes_and_another_has_others() {
        let organisation = OrganisationId::new("maker").unwrap();
        let intent = Intent::RetireCa { ca: "maker.gate".into() };
        let text = arguments_of(&intent, &organisation).unwrap();
        assert_eq!(read_arguments(&text), Ok((organisation.clone(), intent)));
        let other = Intent::RetireCa { ca: "maker.lamp".into() };
        let other = arguments_of(&other, &organisation).unwrap();
        assert_ne!(digest(Act::ChangeRoles, &text), digest(Act::ChangeRoles, &other));
        assert_ne!(digest(Act::ChangeRoles, &text), digest(Act::Erase, &text));
        let long = Intent::Export { filter: "b".repeat(70_000) };
        assert_eq!(arguments_of(&long, &organisation).unwrap_err().code(), "too-much-at-once");
    }
}
