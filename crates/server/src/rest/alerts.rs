//! Alerts and their rules (docs/alerts.md).

use super::{
    extract::{Json, JsonBody, Lang, Path, Query, page, parsed},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{
        self, Alert, AlertCount, AlertDetail, AlertNote, AlertQuery, AlertReceiver,
        AlertReceiverPut, AlertReceiverRetried, AlertRule, AlertRuleStands, AlertSettings,
        AlertWords, NewAlertReceiver, Page,
        scalar::{DeviceRef, OrganisationRef},
    },
};
use axum::extract::State;
use device::Language;
use http::StatusCode;
use service::{AlertRuleOrigin, AlertRuleView, AlertState, AlertView, AutomaticQuarantine};

/// A rule, and what stands around it.
const RULE_BYTES_MAX: usize = alert::RULE_BYTES_MAX;
/// Roots, and what stands around them.
const RECEIVER_BYTES_MAX: usize = 96 * 1024;

/// An organisation's alerts, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/alerts", tag = "alerts",
    params(("organisation" = OrganisationRef, Path), AlertQuery),
    responses((status = 200, body = Page<Alert>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<AlertQuery>,
) -> Result<Json<Page<Alert>>, Fault> {
    let page = page(query.after, query.limit)?;
    let wanted = service::AlertQuery {
        state: query.state.map(|state| match state {
            wire::AlertState::Open => AlertState::Open,
            wire::AlertState::Acknowledged => AlertState::Acknowledged,
            wire::AlertState::Closed => AlertState::Closed,
        }),
        at_work: query.at_work.unwrap_or(false),
        severity: query.severity.map(severity_of),
        rule: query.rule,
        device: parsed("device", query.device)?,
    };
    let found = app.service.alerts(&caller, &organisation.0, &wanted, &page).await?;
    Ok(Json(view::paged(found, |alert| shown(alert, language))))
}

/// One alert, with what it rests on
#[utoipa::path(get, path = "/v1/organisations/{organisation}/alerts/{alert}", tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("alert" = u64, Path, description = "its number")),
    responses((status = 200, body = AlertDetail)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, alert)): Path<(OrganisationRef, u64)>,
) -> Result<Json<AlertDetail>, Fault> {
    let found = app.service.alert(&caller, &organisation.0, alert).await?;
    Ok(Json(detail(found, language)))
}

/// Says that somebody looks at an alert
#[utoipa::path(post, path = "/v1/organisations/{organisation}/alerts/{alert}/acknowledge",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("alert" = u64, Path, description = "its number")),
    request_body = AlertWords, responses((status = 200, body = AlertDetail)))]
pub(super) async fn acknowledge(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, alert)): Path<(OrganisationRef, u64)>,
    JsonBody(words): JsonBody<AlertWords, { body::SMALL }>,
) -> Result<Json<AlertDetail>, Fault> {
    let note = words.note.as_deref();
    let found = app.service.acknowledge_alert(&caller, &organisation.0, alert, note).await?;
    Ok(Json(detail(found, language)))
}

/// Closes an alert
///
/// The same counts from nothing then, and raises a new alert when it is too much again.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/alerts/{alert}/close",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("alert" = u64, Path, description = "its number")),
    request_body = AlertWords, responses((status = 200, body = AlertDetail)))]
pub(super) async fn close(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, alert)): Path<(OrganisationRef, u64)>,
    JsonBody(words): JsonBody<AlertWords, { body::SMALL }>,
) -> Result<Json<AlertDetail>, Fault> {
    let note = words.note.as_deref();
    let found = app.service.close_alert(&caller, &organisation.0, alert, note).await?;
    Ok(Json(detail(found, language)))
}

/// Puts the device that an alert is about into quarantine
///
/// It is suspended for an anomaly: its certificates do not work and its sessions end, until a person
/// releases it.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/alerts/{alert}/quarantine",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("alert" = u64, Path, description = "its number")),
    request_body = AlertWords, responses((status = 200, body = AlertDetail)))]
pub(super) async fn quarantine(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, alert)): Path<(OrganisationRef, u64)>,
    JsonBody(words): JsonBody<AlertWords, { body::SMALL }>,
) -> Result<Json<AlertDetail>, Fault> {
    let note = words.note.as_deref();
    app.service.quarantine_for_alert(&caller, &organisation.0, alert, note).await?;
    let found = app.service.alert(&caller, &organisation.0, alert).await?;
    Ok(Json(detail(found, language)))
}

/// Releases the device that an alert is about from quarantine
#[utoipa::path(post, path = "/v1/organisations/{organisation}/alerts/{alert}/release",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("alert" = u64, Path, description = "its number")),
    request_body = AlertWords, responses((status = 200, body = AlertDetail)))]
pub(super) async fn release(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, alert)): Path<(OrganisationRef, u64)>,
    JsonBody(words): JsonBody<AlertWords, { body::SMALL }>,
) -> Result<Json<AlertDetail>, Fault> {
    let note = words.note.as_deref();
    app.service.release_for_alert(&caller, &organisation.0, alert, note).await?;
    let found = app.service.alert(&caller, &organisation.0, alert).await?;
    Ok(Json(detail(found, language)))
}

/// Rules of an organisation's alerts: those that are built in, changed, and its own
#[utoipa::path(get, path = "/v1/organisations/{organisation}/alert-rules", tag = "alerts",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Page<AlertRuleStands>)))]
pub(super) async fn rules(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Page<AlertRuleStands>>, Fault> {
    let found = app.service.alert_rules(&caller, &organisation.0).await?;
    let items = found.into_iter().map(stands).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: None }))
}

/// A rule
#[utoipa::path(get, path = "/v1/organisations/{organisation}/alert-rules/{rule}", tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("rule" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    responses((status = 200, body = AlertRuleStands)))]
pub(super) async fn rule(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, rule)): Path<(OrganisationRef, String)>,
) -> Result<Json<AlertRuleStands>, Fault> {
    Ok(Json(stands(app.service.alert_rule(&caller, &organisation.0, &rule).await?)?))
}

/// Puts a rule in: a changed copy of one that is built in, or one of the organisation's own
#[utoipa::path(put, path = "/v1/organisations/{organisation}/alert-rules/{rule}", tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("rule" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    request_body = AlertRule, responses((status = 200, body = AlertRuleStands)))]
pub(super) async fn put_rule(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, name)): Path<(OrganisationRef, String)>,
    JsonBody(rule): JsonBody<AlertRule, RULE_BYTES_MAX>,
) -> Result<Json<AlertRuleStands>, Fault> {
    let json = serde_json::to_string(&rule).unwrap_or_default();
    let put = app.service.put_alert_rule(&caller, &organisation.0, &name, &json).await?;
    Ok(Json(stands(put)?))
}

/// Takes back what was changed of a rule that is built in, or removes one of the organisation's own
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/alert-rules/{rule}",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("rule" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    responses((status = 204, description = "it is as it was built in, or gone")))]
pub(super) async fn reset_rule(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, rule)): Path<(OrganisationRef, String)>,
) -> Result<StatusCode, Fault> {
    app.service.reset_alert_rule(&caller, &organisation.0, &rule).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an organisation chose about alerts
#[utoipa::path(get, path = "/v1/organisations/{organisation}/alert-settings", tag = "alerts",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = AlertSettings)))]
pub(super) async fn settings(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<AlertSettings>, Fault> {
    let found = app.service.alert_settings(&caller, &organisation.0).await?;
    Ok(Json(AlertSettings { quarantine_per_hour: found.quarantine_per_hour }))
}

/// Chooses how many devices may go into quarantine by themselves
#[utoipa::path(put, path = "/v1/organisations/{organisation}/alert-settings", tag = "alerts",
    params(("organisation" = OrganisationRef, Path)),
    request_body = AlertSettings, responses((status = 200, body = AlertSettings)))]
pub(super) async fn set_settings(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(settings): JsonBody<AlertSettings, { body::SMALL }>,
) -> Result<Json<AlertSettings>, Fault> {
    let chosen = service::AlertSettings { quarantine_per_hour: settings.quarantine_per_hour };
    app.service.set_alert_settings(&caller, &organisation.0, chosen).await?;
    Ok(Json(settings))
}

/// Where an organisation's alerts go
#[utoipa::path(get, path = "/v1/organisations/{organisation}/alert-receivers", tag = "alerts",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Page<AlertReceiver>)))]
pub(super) async fn receivers(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Page<AlertReceiver>>, Fault> {
    let found = app.service.alert_receivers(&caller, &organisation.0).await?;
    Ok(Json(Page { items: found.into_iter().map(receiver).collect(), next: None }))
}

/// Makes a receiver of alerts, or changes it
///
/// The key of a web hook is answered once, where one was made.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/alert-receivers/{receiver}",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("receiver" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    request_body = NewAlertReceiver, responses((status = 200, body = AlertReceiverPut)))]
pub(super) async fn put_receiver(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, name)): Path<(OrganisationRef, String)>,
    JsonBody(new): JsonBody<NewAlertReceiver, RECEIVER_BYTES_MAX>,
) -> Result<Json<AlertReceiverPut>, Fault> {
    let new = service::NewAlertReceiver {
        target: new.target,
        mail_from: new.mail_from,
        mail_to: new.mail_to,
        language: match new.language {
            wire::AlertLanguage::En => Language::En,
            wire::AlertLanguage::Ja => Language::Ja,
        },
        severity: severity_of(new.severity),
        roots: new.roots,
        secret: new.secret.map(|text| crypto::Secret::new(text.into_bytes())),
        paused: new.paused,
    };
    let put = app.service.put_alert_receiver(&caller, &organisation.0, &name, new).await?;
    let text = |key: crypto::Secret| String::from_utf8_lossy(key.expose()).into_owned();
    Ok(Json(AlertReceiverPut { receiver: receiver(put.view), secret: put.secret.map(text) }))
}

/// Ends a receiver of alerts; what waits for it goes with it
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/alert-receivers/{receiver}",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("receiver" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    responses((status = 204, description = "it has ended")))]
pub(super) async fn end_receiver(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, name)): Path<(OrganisationRef, String)>,
) -> Result<StatusCode, Fault> {
    app.service.end_alert_receiver(&caller, &organisation.0, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has wait again what a receiver of alerts did not take
#[utoipa::path(post, path = "/v1/organisations/{organisation}/alert-receivers/{receiver}/retry",
    tag = "alerts",
    params(("organisation" = OrganisationRef, Path),
        ("receiver" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    responses((status = 200, body = AlertReceiverRetried)))]
pub(super) async fn retry_receiver(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, name)): Path<(OrganisationRef, String)>,
) -> Result<Json<AlertReceiverRetried>, Fault> {
    let count = app.service.retry_alert_receiver(&caller, &organisation.0, &name).await?;
    Ok(Json(AlertReceiverRetried { count }))
}

fn receiver(view: service::AlertReceiverView) -> AlertReceiver {
    AlertReceiver {
        name: view.name,
        target: view.target,
        mail_from: view.mail_from,
        mail_to: view.mail_to,
        language: match view.language {
            Language::En => wire::AlertLanguage::En,
            Language::Ja => wire::AlertLanguage::Ja,
        },
        severity: severity_shown(view.severity),
        paused: view.paused,
        changed: view.changed_at.into(),
        changed_by: view.changed_by,
        waiting: view.waiting,
        dead: view.dead,
        delivered: view.delivered,
        dropped: view.dropped,
        delivered_at: view.delivered_at.map(Into::into),
        failing_since: view.failing_since.map(Into::into),
        failure: view.failure,
    }
}

fn severity_shown(severity: audit::Severity) -> wire::AlertSeverity {
    match severity {
        audit::Severity::Informational => wire::AlertSeverity::Informational,
        audit::Severity::Low => wire::AlertSeverity::Low,
        audit::Severity::Medium => wire::AlertSeverity::Medium,
        audit::Severity::High => wire::AlertSeverity::High,
        audit::Severity::Critical => wire::AlertSeverity::Critical,
    }
}

fn severity_of(severity: wire::AlertSeverity) -> audit::Severity {
    match severity {
        wire::AlertSeverity::Informational => audit::Severity::Informational,
        wire::AlertSeverity::Low => audit::Severity::Low,
        wire::AlertSeverity::Medium => audit::Severity::Medium,
        wire::AlertSeverity::High => audit::Severity::High,
        wire::AlertSeverity::Critical => audit::Severity::Critical,
    }
}

fn shown(view: AlertView, language: Language) -> Alert {
    Alert {
        id: view.id,
        organisation: OrganisationRef(view.organisation),
        rule: view.rule,
        title: view.title,
        title_ja: view.title_ja,
        severity: severity_shown(view.severity),
        suggest: view.suggest.code().to_owned(),
        suggestion: match language {
            Language::Ja => view.suggest.japanese(),
            Language::En => view.suggest.english(),
        }
        .to_owned(),
        device: view.about.device().copied().map(DeviceRef),
        about: view.about.to_string(),
        state: match view.state {
            AlertState::Open => wire::AlertState::Open,
            AlertState::Acknowledged => wire::AlertState::Acknowledged,
            AlertState::Closed => wire::AlertState::Closed,
        },
        count: view.count,
        first: view.first_at.into(),
        last: view.last_at.into(),
        raised: view.raised_at.into(),
        closed: view.closed_at.map(Into::into),
        quarantine: match view.quarantine {
            AutomaticQuarantine::NotAsked => wire::AlertQuarantine::NotAsked,
            AutomaticQuarantine::Done => wire::AlertQuarantine::Done,
            AutomaticQuarantine::HeldBack => wire::AlertQuarantine::HeldBack,
            AutomaticQuarantine::Impossible => wire::AlertQuarantine::Impossible,
        },
    }
}

fn detail(found: service::AlertDetail, language: Language) -> AlertDetail {
    AlertDetail {
        standing: found.device.map(|device| device.standing.into()),
        alert: shown(found.view, language),
        evidence: found.evidence.into_iter().map(view::audit_event).collect(),
        counts: found
            .counts
            .into_iter()
            .map(|(from, count)| AlertCount { from: from.into(), count })
            .collect(),
        notes: found
            .notes
            .into_iter()
            .map(|it| AlertNote { at: it.at.into(), who: it.who, what: it.what, note: it.note })
            .collect(),
    }
}

fn stands(view: AlertRuleView) -> Result<AlertRuleStands, Fault> {
    // Both are the same document (docs/alerts.md).
    let rule = serde_json::from_str(&view.rule.json()).map_err(|_| Fault::new(Code::Internal))?;
    let (changed, changed_by) = view.changed.unzip();
    Ok(AlertRuleStands {
        rule,
        origin: match view.origin {
            AlertRuleOrigin::Builtin => wire::AlertRuleOrigin::Builtin,
            AlertRuleOrigin::Changed => wire::AlertRuleOrigin::Changed,
            AlertRuleOrigin::Own => wire::AlertRuleOrigin::Own,
        },
        revision: view.revision,
        changed: changed.map(Into::into),
        changed_by,
    })
}
