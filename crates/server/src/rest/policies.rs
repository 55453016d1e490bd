//! An organisation's policies for the doors (docs/policies.md).

use super::{
    extract::{Created, Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use ::admission::Direction;
use api::wire::{
    ActivatePolicies, NewPolicySet, Page, PageQuery, PolicyAction, PolicyActivation,
    PolicyDecision, PolicyEffect, PolicyQuestion, PolicyReport, PolicySet, PolicySetDetail,
    PolicySetTest, PolicySetTested, TriedPolicyCase,
};
use axum::extract::State;
use service::PolicySetView;

/// Policies and cases, written as widely as JSON allows within reason.
const SET_BYTES_MAX: usize = 512 * 1024;
const ACTIVATE_BYTES_MAX: usize = 4 * 1024;

/// Puts a version of the organisation's policies in
///
/// A draft: it is in force nowhere until its cases were tried and somebody activates it. What is wrong
/// with it is told with line and column.
#[utoipa::path(post, path = "/v1/policies/versions", tag = "messages", request_body = NewPolicySet,
    responses((status = 201, body = PolicySet)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewPolicySet, SET_BYTES_MAX>,
) -> Result<Created<PolicySet>, Fault> {
    let NewPolicySet { policies, cases, reason } = new;
    let new = service::NewPolicySet { policies, cases, reason };
    Ok(Created(shown(app.service.put_policy_set(&caller, new).await?)))
}

/// Versions of the organisation's policies, newest first
#[utoipa::path(get, path = "/v1/policies/versions", tag = "messages", params(PageQuery),
    responses((status = 200, body = Page<PolicySet>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<PolicySet>>, Fault> {
    let page = page(query.after, query.limit)?;
    Ok(Json(view::paged(app.service.policy_sets(&caller, &page).await?, shown)))
}

/// A version with its policies and cases, and what comes of them
#[utoipa::path(get, path = "/v1/policies/versions/{set}", tag = "messages",
    params(("set" = u64, Path, minimum = 1, description = "number of the version")),
    responses((status = 200, body = PolicySetDetail)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(version): Path<u64>,
) -> Result<Json<PolicySetDetail>, Fault> {
    let found = app.service.policy_set(&caller, version).await?;
    Ok(Json(PolicySetDetail {
        set: shown(found.view),
        policies: found.policies,
        cases: found.cases,
        effects: found
            .effects
            .into_iter()
            .map(|effect| PolicyEffect { id: effect.id, permits: effect.permits })
            .collect(),
        warnings: found.warnings,
        report: found.report.map(report),
    }))
}

/// Tries the cases of a version
///
/// What came of them stays with the version; one of which all came out as expected may be activated.
#[utoipa::path(post, path = "/v1/policies/versions/{set}/test", tag = "messages",
    params(("set" = u64, Path, minimum = 1, description = "number of the version")),
    responses((status = 200, body = PolicySetTest)))]
pub(super) async fn test(
    State(app): State<App>,
    caller: Authenticated,
    Path(version): Path<u64>,
) -> Result<Json<PolicySetTest>, Fault> {
    let tested = app.service.test_policy_set(&caller, version).await?;
    Ok(Json(PolicySetTest { set: shown(tested.view), report: report(tested.report) }))
}

/// What was put in force, newest first: the first of them is
#[utoipa::path(get, path = "/v1/policies/activations", tag = "messages", params(PageQuery),
    responses((status = 200, body = Page<PolicyActivation>)))]
pub(super) async fn activations(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<PolicyActivation>>, Fault> {
    let page = page(query.after, query.limit)?;
    Ok(Json(view::paged(app.service.policy_activations(&caller, &page).await?, activation)))
}

/// Puts a version in force at every door, for open sessions too
///
/// An older version is put in force again in the same way; without a version none is, and each device
/// has its own space.
#[utoipa::path(post, path = "/v1/policies/activations", tag = "messages",
    request_body = ActivatePolicies, responses((status = 201, body = PolicyActivation)))]
pub(super) async fn activate(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(wanted): JsonBody<ActivatePolicies, ACTIVATE_BYTES_MAX>,
) -> Result<Created<PolicyActivation>, Fault> {
    let done = app.service.activate_policy_set(&caller, wanted.version, &wanted.reason).await?;
    Ok(Created(activation(done)))
}

/// Whether a device may do something at a door, and which policies say so
#[utoipa::path(get, path = "/v1/policies/decision", tag = "messages", params(PolicyQuestion),
    responses((status = 200, body = PolicyDecision)))]
pub(super) async fn explain(
    State(app): State<App>,
    caller: Authenticated,
    Query(question): Query<PolicyQuestion>,
) -> Result<Json<PolicyDecision>, Fault> {
    let question = service::PolicyQuestion {
        device: question.device.0,
        direction: match question.action {
            PolicyAction::Publish => Direction::Publish,
            PolicyAction::Subscribe => Direction::Subscribe,
            PolicyAction::Receive => Direction::Receive,
        },
        topic: question.topic,
        version: question.version,
    };
    let found = app.service.explain_policy(&caller, &question).await?;
    Ok(Json(PolicyDecision {
        allowed: found.allowed,
        because: found.because,
        topic: found.topic,
        version: found.version,
        failed: found.failed,
        broken: found.broken,
    }))
}

fn shown(view: PolicySetView) -> PolicySet {
    PolicySet {
        version: view.version,
        state: view.state.name().to_owned(),
        reason: view.reason,
        made_by: view.made_by,
        made: view.made_at.into(),
        cases: view.cases,
        tested: view.tested.map(|(at, by, failures)| PolicySetTested {
            at: at.into(),
            by,
            failures,
        }),
    }
}

fn report(report: permission::Report) -> PolicyReport {
    PolicyReport {
        passed: report.passed(),
        cases: report
            .cases
            .into_iter()
            .map(|case| TriedPolicyCase {
                name: case.name,
                passed: case.passed,
                allowed: case.allowed,
                because: case.because,
                instead: case.instead,
            })
            .collect(),
        untried: report.untried,
    }
}

fn activation(done: service::PolicyActivation) -> PolicyActivation {
    PolicyActivation { version: done.version, reason: done.reason, by: done.by, at: done.at.into() }
}
