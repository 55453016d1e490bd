//! Use cases: a product line enters operation only when its required items are verified (AS-6). Until
//! then enrolment gives its devices prototype certificates, which are short-lived and marked.
//!
//! An organisation chooses to ask for it. Asking for less, and entering operation although something
//! is open, always take a second person.

use super::{
    DiagnosisId, check_sheet, damaged,
    stored::{Loaded, load},
};
use crate::{
    Page, Paged, Service, ServiceError,
    approvals::{Intent, Slip},
    names::shows_what_it_is,
    store::{
        Effect, Tx, approval,
        diagnosis::{self as diagnoses, State as RowState},
        operation::{self as store, LogRow, OperationRow, PolicyRow},
        organisation::ProductRow,
        person,
    },
};
use assessment::{Day, State};
use crypto::UnixTime;
use device::{OrganisationId, ProductId};
use policy::{Act, Action, Caller, Resource};
use rusqlite::Connection;

/// How long a prototype's certificates work, in seconds: 30 days.
pub(crate) const PROTOTYPE_S: i64 = 30 * 86_400;
/// organizationalUnitName in a prototype's certificates.
pub(crate) const PROTOTYPE: &str = "PROTOTYPE";
/// Longest time for which open items can be overruled, in seconds: a year.
const OVERRULED_MAX_S: i64 = 366 * 86_400;
/// Longest reason, in characters.
const REASON_MAX: usize = 500;
/// The greatest weight of an item.
const WEIGHT_MAX: u8 = 5;
/// Items that a policy may name beside those by weight.
const ITEMS_MAX: usize = 500;
/// Open items that a refusal names.
const NAMED_MAX: usize = 20;
/// Diagnoses of a product among which the one that counts is looked for.
const LOOKED_AT: usize = 50;

/// What an organisation asks of its product lines before operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationPolicy {
    /// whether anything is asked
    pub required: bool,
    /// items of this weight or more must be verified; 6 for none by weight
    pub weight: u8,
    /// and these items
    pub items: Vec<String>,
    /// of a diagnosis that two people signed
    pub signed: bool,
}

impl Default for OperationPolicy {
    fn default() -> Self {
        Self { required: false, weight: 5, items: Vec::new(), signed: true }
    }
}

impl OperationPolicy {
    /// Whether no item of the check sheet can stand in the way.
    fn asks_nothing(&self) -> bool {
        self.weight > WEIGHT_MAX && self.items.is_empty()
    }

    /// Whether it asks for less than `other` in any way.
    fn is_weaker_than(&self, other: &Self) -> bool {
        other.required
            && (!self.required
                || self.weight > other.weight
                || (other.signed && !self.signed)
                || other.items.iter().any(|item| !self.items.contains(item)))
    }
}

/// Where a product line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// its organisation asks for nothing
    Free,
    /// its devices get prototype certificates
    Prototype,
    /// its required items were verified when it entered operation
    Operating,
    /// in operation until a day, although items were open
    Overruled,
}

impl OperationState {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Prototype => "prototype",
            Self::Operating => "operating",
            Self::Overruled => "overruled",
        }
    }
}

/// A product line and what stands in the way of its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationView {
    /// where it stands
    pub state: OperationState,
    /// since when
    pub since: Option<UnixTime>,
    /// until when, where it was overruled
    pub until: Option<UnixTime>,
    /// why it was overruled
    pub reason: Option<String>,
    /// who let it enter operation
    pub by: Option<String>,
    /// who approved what was overruled
    pub approved_by: Option<String>,
    /// the diagnosis that counts today
    pub diagnosis: Option<DiagnosisId>,
    /// required items that are not verified today, and how they stand
    pub open: Vec<(String, State)>,
    /// required items in all
    pub required: u32,
    /// items that were open when it was overruled
    pub overruled: Vec<String>,
}

/// A line of the history of operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationChange {
    /// the product line; `None`: what the organisation asks for
    pub product: Option<ProductId>,
    /// `policy`, `entered`, `overruled`, `left`
    pub what: String,
    /// what exactly, in words
    pub detail: String,
    /// who
    pub by: String,
    /// when
    pub at: UnixTime,
}

/// What enrolment needs to know of a product line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gated {
    required: bool,
    entered: bool,
    until: Option<UnixTime>,
}

impl Gated {
    fn is_open(self, now: UnixTime) -> bool {
        !self.required || (self.entered && self.until.is_none_or(|until| now < until))
    }
}

/// What is open of what is required.
struct Judged {
    diagnosis: Option<(i64, [u8; 16])>,
    open: Vec<(String, State)>,
    required: u32,
}

impl Service {
    /// What an organisation asks of its product lines before operation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn operation_policy(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<OperationPolicy, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        self.read(|connection| policy_of(connection, row))
    }

    /// Changes what an organisation asks for. Less than before takes a second person.
    ///
    /// # Errors
    /// `operation-policy`, `no-second-administrator`, `needs-second-person`, `reauthenticate`,
    /// `not-found`, `role`.
    pub async fn set_operation_policy(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        mut wanted: OperationPolicy,
    ) -> Result<OperationPolicy, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageOperationGate, &resource)?;
        let library = check_sheet()?;
        wanted.items.sort();
        wanted.items.dedup();
        let known = |item: &String| library.item(item).is_some();
        if !(1..=6).contains(&wanted.weight)
            || wanted.items.len() > ITEMS_MAX
            || !wanted.items.iter().all(known)
        {
            return Err(ServiceError::malformed(
                "operation-policy",
                "a weight is 1 to 6, and items are those of the check sheet",
            ));
        }
        if wanted.required && wanted.asks_nothing() {
            return Err(ServiceError::malformed(
                "operation-policy",
                "this requires nothing: lower the weight, or name items",
            )
            .in_japanese("必須の項目が一つもありません。重みを下げるか、項目を指定してください"));
        }
        let row = self.organisation_row(organisation.as_str())?.id;
        let now = self.now();
        let (present, administrators) = self.read(|connection| {
            Ok((policy_of(connection, row)?, person::administrators(connection, row, now)?.len()))
        })?;
        if wanted.required && administrators < 2 {
            return Err(ServiceError::refused(
                "no-second-administrator",
                "what is asked for once takes two administrators to relax, and there is one: make \
                 somebody else one first",
            ));
        }
        let weaker = wanted.is_weaker_than(&present);
        let before = weaker.then(|| exactly(&present));
        let slip = if weaker {
            let intent = Intent::RelaxOperation {
                organisation: organisation.to_string(),
                before: exactly(&present),
                required: wanted.required,
                weight: wanted.weight,
                items: wanted.items.clone(),
                signed: wanted.signed,
            };
            self.second_person(caller, organisation, Act::RelaxOperation, &intent).await?
        } else {
            Slip::NotNeeded
        };
        self.perform_operation_policy(caller, organisation, (before, wanted), slip).await
    }

    pub(crate) async fn perform_operation_policy(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        (before, wanted): (Option<String>, OperationPolicy),
        slip: Slip,
    ) -> Result<OperationPolicy, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageOperationGate, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (now, by) = (self.now(), caller.to_string());
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(organisation.as_str())
            .severity(audit::Severity::Medium)
            .detail("what", "operation-policy")
            .detail("policy", &words(&wanted));
        let policy = wanted.clone();
        self.commit(move |tx| {
            let present = policy_of(tx, row)?;
            // As it stands in this very transaction: nobody relaxes it by two steps.
            if wanted.is_weaker_than(&present) && matches!(slip, Slip::NotNeeded) {
                return Err(super::changed_meanwhile("the policy was changed since"));
            }
            // What was approved is the step from what both saw, not from anything.
            if before.is_some_and(|before| before != exactly(&present)) {
                return Err(ServiceError::conflict(
                    "operation-policy-changed",
                    "the policy was changed since this was asked for; look at it and ask again",
                ));
            }
            slip.consume(tx, now)?;
            if wanted == present {
                return Ok(());
            }
            let new = PolicyRow {
                required: wanted.required,
                weight: wanted.weight,
                items: texts(&wanted.items)?,
                signed: wanted.signed,
                changed_by: by.clone(),
                changed_at: now,
            };
            store::set_policy(tx, row, &new)?;
            let line = LogRow {
                id: 0,
                product: None,
                at: now,
                by,
                what: "policy".to_owned(),
                detail: words(&wanted),
            };
            store::log(tx, row, &line)?;
            tx.effect(Effect::Operations);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(policy)
    }

    /// Where a product line stands, and what is open today.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn operation(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<OperationView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let row = self.product_row(organisation, product)?;
        self.operation_view(&row)
    }

    /// Lets a product line enter operation. Where its organisation asks for nothing there is nothing
    /// to enter: devices get their certificates as ever.
    ///
    /// # Errors
    /// `operation-gate` names the items that are open; `in-operation`, `not-found`, `role`.
    pub async fn enter_operation(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<OperationView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::EnterOperation, &resource)?;
        let row = self.product_row(organisation, product)?;
        let (service, today) = (self.clone(), self.today()?);
        let entered = Entered {
            product: row.clone(),
            now: self.now(),
            by: caller.to_string(),
            event: self
                .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
                .organisation(organisation.as_str())
                .subject(product.as_str())
                .severity(audit::Severity::Medium)
                .detail("what", "operation-entered"),
        };
        let label = format!("{organisation}/{product}");
        let refused = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Failure)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .detail("what", "operation-entered")
            .detail("reason", "operation-gate");
        self.commit(move |tx| {
            let now = entered.now;
            let policy = policy_of(tx, entered.product.organisation)?;
            not_entered(tx, &entered.product)?;
            let judged = service.judge_operation(tx, &entered.product, &label, &policy, today)?;
            if !judged.open.is_empty() {
                tx.on_refusal(refused);
                return Err(gate(&judged));
            }
            let row = OperationRow {
                since: now,
                until: None,
                diagnosis: judged.diagnosis.map(|(row, _)| row),
                open: texts(&[])?,
                reason: None,
                by: entered.by.clone(),
                approved_by: None,
            };
            entered.commit(tx, &row, "entered", "every required item is verified")
        })
        .await?;
        self.operation_view(&row)
    }

    /// Lets a product line enter operation until a day although items are open. It always takes a
    /// second person, who is told which.
    ///
    /// # Errors
    /// `reason`, `until`, `in-operation`, `nothing-open`, `needs-second-person`, `reauthenticate`,
    /// `not-found`, `role`.
    pub async fn overrule_operation(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        reason: &str,
        until: UnixTime,
    ) -> Result<OperationView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::OverruleOperation, &resource)?;
        let row = self.product_row(organisation, product)?;
        check_reason(reason)?;
        let now = self.now();
        if until <= now || until > now.plus(OVERRULED_MAX_S) {
            return Err(ServiceError::malformed(
                "until",
                "an exception ends: choose a time within a year from now",
            ));
        }
        let label = format!("{organisation}/{product}");
        let today = self.today()?;
        let judged = self.read(|connection| {
            not_entered(connection, &row)?;
            let policy = policy_of(connection, row.organisation)?;
            self.judge_operation(connection, &row, &label, &policy, today)
        })?;
        if judged.open.is_empty() {
            return Err(ServiceError::refused(
                "nothing-open",
                "nothing stands in the way; let it enter operation without an exception",
            ));
        }
        let intent = Intent::OverruleOperation {
            product: product.to_string(),
            open: judged.open.iter().map(|(item, _)| item.clone()).collect(),
            reason: reason.to_owned(),
            until: until.0,
        };
        let slip =
            self.second_person(caller, organisation, Act::OverruleOperation, &intent).await?;
        let allowed: Vec<String> = judged.open.into_iter().map(|(item, _)| item).collect();
        self.perform_overrule_operation(
            caller,
            organisation,
            product,
            (allowed, reason, until),
            slip,
        )
        .await
    }

    pub(crate) async fn perform_overrule_operation(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        (allowed, reason, until): (Vec<String>, &str, UnixTime),
        slip: Slip,
    ) -> Result<OperationView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::OverruleOperation, &resource)?;
        let row = self.product_row(organisation, product)?;
        let (service, today) = (self.clone(), self.today()?);
        let entered = Entered {
            product: row.clone(),
            now: self.now(),
            by: caller.to_string(),
            event: self
                .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
                .organisation(organisation.as_str())
                .subject(product.as_str())
                .severity(audit::Severity::High)
                .detail("what", "operation-overruled")
                .detail("open", &named(&allowed))
                .detail("until", &until.to_string())
                .detail("reason", reason),
        };
        let (label, reason) = (format!("{organisation}/{product}"), reason.to_owned());
        self.commit(move |tx| {
            let now = entered.now;
            not_entered(tx, &entered.product)?;
            if until <= now {
                return Err(ServiceError::conflict("until", "the exception has ended meanwhile"));
            }
            let policy = policy_of(tx, entered.product.organisation)?;
            let judged = service.judge_operation(tx, &entered.product, &label, &policy, today)?;
            if let Some((more, _)) = judged.open.iter().find(|(item, _)| !allowed.contains(item)) {
                return Err(super::changed_meanwhile(&format!("meanwhile {more} is open, too")));
            }
            // One alone never overrules, whichever way the caller came.
            let Slip::Approved(request) = &slip else {
                return Err(ServiceError::refused(
                    "needs-second-person",
                    "an exception takes two people; ask for it over REST or in the console",
                ));
            };
            let approved_by =
                approval::approval_by_row(tx, *request)?.and_then(|row| row.decided_by);
            slip.consume(tx, now)?;
            let detail = format!("until {until}, because “{reason}”; open: {}", named(&allowed));
            let row = OperationRow {
                since: now,
                until: Some(until),
                diagnosis: judged.diagnosis.map(|(row, _)| row),
                open: texts(&allowed)?,
                reason: Some(reason),
                by: entered.by.clone(),
                approved_by: Some(approved_by.ok_or_else(damaged)?),
            };
            entered.commit(tx, &row, "overruled", &detail)
        })
        .await?;
        self.operation_view(&row)
    }

    /// Takes a product line out of operation: from now on its devices get prototype certificates.
    ///
    /// # Errors
    /// `reason`, `not-in-operation`, `not-found`, `role`.
    pub async fn leave_operation(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        reason: &str,
    ) -> Result<OperationView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::EnterOperation, &resource)?;
        let row = self.product_row(organisation, product)?;
        check_reason(reason)?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .severity(audit::Severity::Medium)
            .detail("what", "operation-left")
            .detail("reason", reason);
        let (now, by, detail, left) =
            (self.now(), caller.to_string(), reason.to_owned(), row.clone());
        self.commit(move |tx| {
            if !store::leave(tx, left.id)? {
                return Err(ServiceError::conflict(
                    "not-in-operation",
                    "this product line is not in operation",
                ));
            }
            let line =
                LogRow { id: 0, product: Some(left.id), at: now, by, what: "left".into(), detail };
            store::log(tx, left.organisation, &line)?;
            tx.effect(Effect::Operations);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.operation_view(&row)
    }

    /// What became of operation in an organisation, newest first: what it asks for, who entered, what
    /// was overruled.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn operation_history(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<OperationChange>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        let rows = self.read(|c| store::history(c, row, before, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| {
            let product = row.product.map(|product| self.product_names(product)).transpose()?;
            Ok(OperationChange {
                product: product.map(|(_, product)| product),
                what: row.what,
                detail: row.detail,
                by: row.by,
                at: row.at,
            })
        })
    }

    /// Whether devices of a product line get prototype certificates now. Asked at every enrolment, so
    /// it is kept in memory and forgotten with every change.
    pub(crate) fn is_prototype(&self, product: Option<i64>) -> Result<bool, ServiceError> {
        let Some(product) = product else { return Ok(false) };
        let gated = self.live.operations.get_or_load(product, || {
            self.read(|connection| {
                let row = crate::store::organisation::product_by_id(connection, product)?;
                let row = row.ok_or_else(damaged)?;
                let policy = store::policy(connection, row.organisation)?;
                let entered = store::operation(connection, product)?;
                Ok(Gated {
                    required: policy.is_some_and(|policy| policy.required),
                    entered: entered.is_some(),
                    until: entered.and_then(|row| row.until),
                })
            })
        })?;
        Ok(!gated.is_open(self.now()))
    }

    fn operation_view(&self, product: &ProductRow) -> Result<OperationView, ServiceError> {
        let (organisation, slug) = self.product_names(product.id)?;
        let label = format!("{organisation}/{slug}");
        let (now, today) = (self.now(), self.today()?);
        self.read(|connection| {
            let policy = policy_of(connection, product.organisation)?;
            let entered = store::operation(connection, product.id)?;
            let judged = self.judge_operation(connection, product, &label, &policy, today)?;
            let stands = entered.filter(|row| row.until.is_none_or(|until| now < until));
            let state = state_of(&policy, stands.as_ref());
            let overruled = match &stands {
                Some(row) => serde_json::from_str(&row.open).map_err(|_| damaged())?,
                None => Vec::new(),
            };
            Ok(OperationView {
                state,
                since: stands.as_ref().map(|row| row.since),
                until: stands.as_ref().and_then(|row| row.until),
                reason: stands.as_ref().and_then(|row| row.reason.clone()),
                by: stands.as_ref().map(|row| row.by.clone()),
                approved_by: stands.as_ref().and_then(|row| row.approved_by.clone()),
                diagnosis: judged.diagnosis.map(|(_, reference)| DiagnosisId(reference)),
                open: judged.open,
                required: judged.required,
                overruled,
            })
        })
    }

    /// What is open of what the policy asks for, by the diagnosis that counts: the newest, and where
    /// two people must stand for it, the newest that is signed.
    fn judge_operation(
        &self,
        connection: &Connection,
        product: &ProductRow,
        label: &str,
        policy: &OperationPolicy,
        today: Day,
    ) -> Result<Judged, ServiceError> {
        let rows = diagnoses::of_product(connection, product.id, i64::MAX, LOOKED_AT)?;
        let row = rows.into_iter().find(|row| !policy.signed || row.state == RowState::Signed);
        let library = check_sheet()?;
        let loaded: Option<Loaded> = match &row {
            None => None,
            Some(row) => {
                let mut loaded = load(connection, row, label)?;
                let checks = super::evidence::checks(connection, product.id, &row.subject)?;
                loaded.diagnosis.take_checks(library, &checks);
                Some(loaded)
            }
        };
        let required = library.items().iter().filter(|item| {
            item.weight >= policy.weight || policy.items.iter().any(|one| one == item.id.as_str())
        });
        let (mut open, mut count) = (Vec::new(), 0);
        for item in required {
            count += 1;
            let state = match &loaded {
                None => State::Open,
                Some(loaded) => loaded.diagnosis.state(item, today),
            };
            if state.is_gap() {
                open.push((item.id.to_string(), state));
            }
        }
        Ok(Judged { diagnosis: row.map(|row| (row.id, row.reference)), open, required: count })
    }
}

/// Where a product line stands, by what is asked for and what of its operation has not ended.
pub(super) fn state_of(policy: &OperationPolicy, stands: Option<&OperationRow>) -> OperationState {
    match stands {
        _ if !policy.required => OperationState::Free,
        None => OperationState::Prototype,
        Some(row) if row.until.is_some() => OperationState::Overruled,
        Some(_) => OperationState::Operating,
    }
}

/// A product line that enters operation.
struct Entered {
    product: ProductRow,
    now: UnixTime,
    by: String,
    event: audit::SecurityEvent,
}

impl Entered {
    fn commit(
        self,
        tx: &mut Tx<'_>,
        row: &OperationRow,
        what: &str,
        detail: &str,
    ) -> Result<(), ServiceError> {
        store::enter(tx, self.product.id, row)?;
        let line = LogRow {
            id: 0,
            product: Some(self.product.id),
            at: self.now,
            by: self.by,
            what: what.to_owned(),
            detail: detail.to_owned(),
        };
        store::log(tx, self.product.organisation, &line)?;
        tx.effect(Effect::Operations);
        tx.audit(&self.event).map(|_| ())
    }
}

/// Refuses where a product line is in operation without an exception, or nothing is asked for.
fn not_entered(connection: &Connection, product: &ProductRow) -> Result<(), ServiceError> {
    let entered = store::operation(connection, product.id)?;
    // An exception can be followed by the real thing, or by another exception.
    let stands = entered.is_some_and(|row| row.until.is_none());
    if !policy_of(connection, product.organisation)?.required {
        return Err(ServiceError::refused(
            "gate-off",
            "the organisation asks for nothing before operation; product lines are in operation \
             without entering it",
        ));
    }
    if stands {
        return Err(ServiceError::conflict(
            "in-operation",
            "this product line is in operation already",
        ));
    }
    Ok(())
}

pub(super) fn policy_of(
    connection: &Connection,
    organisation: i64,
) -> Result<OperationPolicy, ServiceError> {
    let Some(row) = store::policy(connection, organisation)? else {
        return Ok(OperationPolicy::default());
    };
    Ok(OperationPolicy {
        required: row.required,
        weight: row.weight,
        items: serde_json::from_str(&row.items).map_err(|_| damaged())?,
        signed: row.signed,
    })
}

fn gate(judged: &Judged) -> ServiceError {
    let items: Vec<String> =
        judged.open.iter().map(|(item, state)| format!("{item} ({state})")).collect();
    let list = named(&items);
    let missing = match judged.diagnosis {
        Some(_) => "",
        None => "there is no diagnosis that counts; ",
    };
    ServiceError::refused(
        "operation-gate",
        format!(
            "{missing}{} of {} required items are not verified: {list}; until then devices get \
             prototype certificates",
            judged.open.len(),
            judged.required
        ),
    )
    .in_japanese(format!(
        "必須{}項目のうち{}項目が確認されていません: {list}。それまで機器には試作用の証明書だけが発行されます",
        judged.required,
        judged.open.len()
    ))
}

/// The first of them, and how many more there are.
fn named(items: &[String]) -> String {
    let shown: Vec<&str> = items.iter().take(NAMED_MAX).map(String::as_str).collect();
    match items.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} … +{more}", shown.join(", ")),
    }
}

/// All of a policy: what is approved is the step from this to another one.
fn exactly(policy: &OperationPolicy) -> String {
    if !policy.required {
        return words(policy);
    }
    let signed = if policy.signed { ", signed by two" } else { "" };
    format!("weight {} and more, items [{}]{signed}", policy.weight, policy.items.join(", "))
}

fn words(policy: &OperationPolicy) -> String {
    if !policy.required {
        return "nothing is required".to_owned();
    }
    let signed = if policy.signed { ", signed by two" } else { "" };
    format!("items of weight {} and more, and {} others{signed}", policy.weight, policy.items.len())
}

fn texts(items: &[String]) -> Result<String, ServiceError> {
    serde_json::to_string(items).map_err(|_| damaged())
}

fn check_reason(reason: &str) -> Result<(), ServiceError> {
    let good = (1..=REASON_MAX).contains(&reason.chars().count())
        && !reason.trim().is_empty()
        && shows_what_it_is(reason);
    if good {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "reason",
        "say why, in 1 to 500 characters of one line, none of them invisible",
    ))
}
