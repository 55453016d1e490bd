//! Versions: put in, tested, in force.

use super::force::digest_of;
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{Effect, organisation::OrganisationRow, policy_set as store},
};
use audit::{Kind, Outcome, Severity};
use crypto::UnixTime;
use device::OrganisationId;
use permission::{Cases, Policies, Problems, Report};
use policy::{Action, Caller, Resource};

/// Versions of an organisation that never were in force and are kept.
pub const POLICY_DRAFTS_MAX: usize = 100;
/// Activations that are shown with a list.
const ACTIVATIONS_SHOWN: usize = 50;

/// A version to be put in.
#[derive(Debug, Clone)]
pub struct NewPolicySet {
    /// the policies, in Cedar
    pub policies: String,
    /// the cases that try them, in YAML or JSON
    pub cases: String,
    /// why, in the words of who puts them in
    pub reason: String,
}

/// How far a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicySetState {
    /// its cases were not tried, or some did not come out as expected
    Draft,
    /// all of its cases came out as expected
    Tested,
    /// it is in force
    Active,
    /// it was in force before
    Former,
}

impl PolicySetState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Tested, Self::Active, Self::Former];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Tested => "tested",
            Self::Active => "active",
            Self::Former => "former",
        }
    }
}

/// A version on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySetView {
    /// its number
    pub version: u64,
    /// how far it is
    pub state: PolicySetState,
    /// why it was put in
    pub reason: String,
    /// by whom
    pub made_by: String,
    /// when
    pub made_at: UnixTime,
    /// how many cases it has
    pub cases: u64,
    /// when they were tried last, by whom, and how many did not come out as expected
    pub tested: Option<(UnixTime, String, u64)>,
}

/// What a policy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEffect {
    /// its id
    pub id: String,
    /// whether it permits; it forbids otherwise
    pub permits: bool,
}

/// What a version says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySetTexts {
    /// which
    pub view: PolicySetView,
    /// the policies
    pub policies: String,
    /// the cases
    pub cases: String,
    /// its policies one by one
    pub effects: Vec<PolicyEffect>,
    /// what looks like a mistake in it
    pub warnings: Vec<String>,
    /// what comes of the cases, where they can be tried
    pub report: Option<Report>,
}

/// What came of testing a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySetTested {
    /// the version, as it stands now
    pub view: PolicySetView,
    /// what came of its cases
    pub report: Report,
}

/// What was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyActivation {
    /// the version; `None`: none is in force since
    pub version: Option<u64>,
    /// why
    pub reason: String,
    /// by whom
    pub by: String,
    /// when
    pub at: UnixTime,
}

pub(super) fn unreadable(what: &'static str, problems: &Problems) -> ServiceError {
    let japanese = match what {
        "policies" => "ポリシーを読み取れません",
        _ => "テストケースを読み取れません",
    };
    let code = if what == "policies" { "policies" } else { "policy-cases" };
    ServiceError::malformed(code, problems.to_string())
        .in_japanese(format!("{japanese}: {problems}"))
}

fn gone() -> ServiceError {
    ServiceError::not_found("version of the policies")
}

impl Service {
    /// The caller's own organisation, where it may do that with its policies.
    pub(crate) fn for_policies(
        &self,
        caller: &Caller,
        action: Action,
    ) -> Result<(OrganisationId, OrganisationRow), ServiceError> {
        let Some(own) = caller.organisation() else {
            let _permit = self.authorize(caller, action, &Resource::unknown())?;
            return Err(ServiceError::not_found("organisation"));
        };
        let _permit = self.authorize(caller, action, &Resource::organisation(own))?;
        let row = self.organisation_row(own.as_str())?;
        Ok((own.clone(), row))
    }

    /// Puts a version in: a draft, which is in force nowhere.
    ///
    /// # Errors
    /// `policies` and `policy-cases` with places and hints, `reason`, `role`.
    pub async fn put_policy_set(
        &self,
        caller: &Caller,
        new: NewPolicySet,
    ) -> Result<PolicySetView, ServiceError> {
        let (own, row) = self.for_policies(caller, Action::ManagePolicies)?;
        let reason = needed(&new.reason)?;
        // Some milliseconds of one core for the largest there may be.
        let (policies, cases) = (new.policies, new.cases);
        Policies::parse(&policies).map_err(|it| unreadable("policies", &it))?;
        let count = cases_for(&own, &cases)?.count();
        let digest = digest_of(&policies, &cases);
        let set = store::NewSet {
            organisation: row.id,
            digest: *digest.as_bytes(),
            policies,
            cases,
            reason,
            made_by: caller.to_string(),
            made_at: self.now(),
            case_count: u64::try_from(count).unwrap_or(u64::MAX),
        };
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .detail("what", "policies-put")
            .detail("digest", &digest.to_string());
        let made = self
            .commit(move |tx| {
                let version = store::insert(tx, &set, POLICY_DRAFTS_MAX)?;
                tx.audit(&event.detail("version", &version.to_string()))?;
                store::set(tx, set.organisation, version)
            })
            .await?;
        Ok(view(found(made, "version of the policies")?, None, false))
    }

    /// Tries a version's cases. What came of it stays with the version.
    ///
    /// # Errors
    /// `not-found`, `role`, `policies` and `policy-cases` where it cannot be read any more.
    pub async fn test_policy_set(
        &self,
        caller: &Caller,
        version: u64,
    ) -> Result<PolicySetTested, ServiceError> {
        let (own, row) = self.for_policies(caller, Action::ManagePolicies)?;
        let report = self.try_cases(&own, row.id, version).await?;
        let failures = u64::try_from(report.failures()).unwrap_or(u64::MAX);
        let (by, at, organisation) = (caller.to_string(), self.now(), row.id);
        let outcome = if failures == 0 { Outcome::Success } else { Outcome::Failure };
        let event = self
            .event(caller, Kind::ConfigurationChange, outcome)
            .detail("what", "policies-tested")
            .detail("version", &version.to_string())
            .detail("failures", &failures.to_string());
        let view = self
            .commit(move |tx| {
                if !store::set_tested(tx, (organisation, version), (&by, at), failures)? {
                    return Err(gone());
                }
                tx.audit(&event)?;
                view_of(tx, organisation, version)
            })
            .await?;
        Ok(PolicySetTested { view, report })
    }

    /// Puts a version in force, at every door at once: one that was tested, or an older one again.
    /// `None`: none, so that each device has its own space.
    ///
    /// # Errors
    /// `not-found`, `role`, `reason`; `policies-untested`, `policies-failed` where its cases were not
    /// tried or do not come out as expected.
    pub async fn activate_policy_set(
        &self,
        caller: &Caller,
        version: Option<u64>,
        reason: &str,
    ) -> Result<PolicyActivation, ServiceError> {
        let (own, row) = self.for_policies(caller, Action::ActivatePolicies)?;
        let reason = needed(reason)?;
        let organisation = row.id;
        if let Some(version) = version {
            let known = self.read(|connection| store::set(connection, organisation, version))?;
            if known.ok_or_else(gone)?.tested_at.is_none() {
                return Err(ServiceError::refused(
                    "policies-untested",
                    "the version was not tested; test it first, and see what comes of its cases",
                )
                .in_japanese("この版はまだテストされていません。先にテストを実行してください"));
            }
            // Tried again: the program that tested it may have been another one.
            let report = self.try_cases(&own, organisation, version).await?;
            if !report.passed() {
                return Err(ServiceError::refused(
                    "policies-failed",
                    format!(
                        "{} of the version's cases do not come out as expected; put a mended version in",
                        report.failures()
                    ),
                )
                .in_japanese("テストケースの結果が期待と異なります。修正した版を登録してください"));
            }
        }
        let (by, at) = (caller.to_string(), self.now());
        let named = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .severity(Severity::Medium)
            .detail("what", "policies-activated")
            .detail("version", &named)
            .detail("reason", &reason);
        let done = PolicyActivation { version, reason: reason.clone(), by: by.clone(), at };
        self.commit(move |tx| {
            if let Some(version) = version {
                store::set(tx, organisation, version)?.ok_or_else(gone)?;
            }
            let before = store::in_force(tx, organisation)?;
            let before = before.map_or_else(|| "none".to_owned(), |before| before.to_string());
            store::activate(tx, (organisation, version), (&by, at), &reason)?;
            tx.audit(&event.detail("before", &before))?;
            tx.effect(Effect::Policies(organisation));
            Ok(())
        })
        .await?;
        Ok(done)
    }

    /// Versions of the organisation, the newest first.
    ///
    /// # Errors
    /// `role`, `page`.
    pub async fn policy_sets(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Paged<PolicySetView>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let (rows, now, were) = self.read(|connection| {
            let rows = store::sets(connection, row.id, before, limit.saturating_add(1))?;
            Ok((
                rows,
                store::in_force(connection, row.id)?,
                store::were_in_force(connection, row.id)?,
            ))
        })?;
        Paged::cut(rows, limit, |row| row.version.to_string())
            .try_map(|row| Ok(view_with(row, now, &were)))
    }

    /// What was put in force, the newest first.
    ///
    /// # Errors
    /// `role`, `page`.
    pub async fn policy_activations(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Paged<PolicyActivation>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let limit = limit.min(ACTIVATIONS_SHOWN);
        let rows = self.read(|connection| {
            store::activations(connection, row.id, before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| {
            let store::ActivationRow { version, reason, by, at, .. } = row;
            Ok(PolicyActivation { version, reason, by, at })
        })
    }

    /// A version with its texts, and what comes of its cases.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn policy_set(
        &self,
        caller: &Caller,
        version: u64,
    ) -> Result<PolicySetTexts, ServiceError> {
        let (own, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let (view, texts) = self.read(|connection| {
            Ok((view_of(connection, row.id, version)?, store::texts(connection, row.id, version)?))
        })?;
        let (policies, cases, _) = texts.ok_or_else(gone)?;
        let mut shown = PolicySetTexts {
            view,
            policies,
            cases,
            effects: Vec::new(),
            warnings: Vec::new(),
            report: None,
        };
        match Policies::parse(&shown.policies) {
            Ok(set) => {
                let effects = set.effects().into_iter();
                shown.effects = effects.map(|(id, permits)| PolicyEffect { id, permits }).collect();
                shown.warnings = set.warnings().iter().map(ToString::to_string).collect();
                shown.report = self.try_cases(&own, row.id, version).await.ok();
            }
            Err(problems) => shown.warnings = vec![problems.to_string()],
        }
        Ok(shown)
    }

    /// Tries the cases of a version, beside the threads that answer.
    async fn try_cases(
        &self,
        own: &OrganisationId,
        organisation: i64,
        version: u64,
    ) -> Result<Report, ServiceError> {
        let texts = self.read(|connection| store::texts(connection, organisation, version))?;
        let (text, cases, _) = texts.ok_or_else(gone)?;
        let own = own.clone();
        let work = move || {
            let set = Policies::parse(&text).map_err(|it| unreadable("policies", &it))?;
            Ok(cases_for(&own, &cases)?.run(&set))
        };
        self.pool.begin(work).outcome().await?
    }
}

/// The cases, which are this organisation's.
fn cases_for(own: &OrganisationId, text: &str) -> Result<Cases, ServiceError> {
    let cases = Cases::parse(text).map_err(|it| unreadable("cases", &it))?;
    if cases.organisation() == own {
        return Ok(cases);
    }
    Err(ServiceError::malformed(
        "policy-cases",
        format!("the cases are for {}, not for {own}; change organisation", cases.organisation()),
    )
    .in_japanese(format!("テストケースの organisation が {own} ではありません")))
}

pub(crate) fn needed(text: &str) -> Result<String, ServiceError> {
    crate::fleet::reason(Some(text))?.ok_or_else(|| {
        ServiceError::malformed("reason", "say why: whoever looks at the policies later asks")
            .in_japanese("理由を書いてください。後でポリシーを確認する人に必要です")
    })
}

fn view_of(
    connection: &rusqlite::Connection,
    organisation: i64,
    version: u64,
) -> Result<PolicySetView, ServiceError> {
    let row = store::set(connection, organisation, version)?.ok_or_else(gone)?;
    let (now, were) = (
        store::in_force(connection, organisation)?,
        store::were_in_force(connection, organisation)?,
    );
    Ok(view_with(row, now, &were))
}

fn view_with(
    row: store::SetRow,
    now: Option<u64>,
    were: &std::collections::BTreeSet<u64>,
) -> PolicySetView {
    let was = were.contains(&row.version);
    view(row, now, was)
}

fn view(row: store::SetRow, now: Option<u64>, was: bool) -> PolicySetView {
    let state = if now == Some(row.version) {
        PolicySetState::Active
    } else if was {
        PolicySetState::Former
    } else if row.failures == Some(0) {
        PolicySetState::Tested
    } else {
        PolicySetState::Draft
    };
    let tested = row.tested_at.zip(row.tested_by).zip(row.failures);
    PolicySetView {
        version: row.version,
        state,
        reason: row.reason,
        made_by: row.made_by,
        made_at: row.made_at,
        cases: row.case_count,
        tested: tested.map(|((at, by), failures)| (at, by, failures)),
    }
}
