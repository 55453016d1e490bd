//! Threat models of products, decisions about threats, the trace from threats to verdicts.

use super::{
    extract::{Json, JsonBody, Lang, Path, Query, Raw, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{
        self, BothLanguages, DecideThreat, DrawingQuery, Page, PageQuery, ProductThreat,
        ProductTrace, RiskLevel, StandingDecision, ThreatAssumption, ThreatChange, ThreatChanges,
        ThreatDecision, ThreatDecisionQuery, ThreatModelQuery, ThreatModelVersion, ThreatQuery,
        ThreatVersionQuery, TraceCount, TraceGap, TracedCheck, TracedControl, TracedEvidence,
        TracedRequirement, TracedThreat,
        scalar::{Digest, OrganisationRef, ProductRef},
    },
};
use assessment::{
    Bilingual, Day,
    threat::{
        Band, Cause, Level, State as ThreatState, Theme, ThreatInstance, Tree, Verdict, diagram,
    },
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use device::Language;
use http::{HeaderValue, header};
use service::{NewThreatDecision, NewThreatModel, TraceLooked};
use std::collections::BTreeMap;

/// Media type of YAML (RFC 9512).
const YAML: &str = "application/yaml";
/// Ids of threats and names of assets, in bytes.
const NAME_MAX: usize = 64;

/// The file of a product's threat model, as it was handed in
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/threat-model",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ThreatVersionQuery),
    responses((status = 200, content((String = "application/yaml")))))]
pub(super) async fn model(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<ThreatVersionQuery>,
) -> Result<Response, Fault> {
    let (of, line) = (&organisation.0, &product.0);
    let found = app.service.threat_model(&caller, of, line, query.version).await?;
    let Some(text) = found.text else {
        let gone = "the text of this version was dropped; its digest is in the history";
        return Err(Fault::new(Code::NotFound).detail(gone));
    };
    let mut response = file(text, YAML, "threat-model.yaml");
    let version = HeaderValue::from(found.version.version);
    response.headers_mut().insert("tegata-version", version);
    Ok(response)
}

/// Keeps a product's threat model, or says what it would change
///
/// With `apply` it is kept; without, the answer shows which threats would appear, vanish and move.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/products/{product}/threat-model",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ThreatModelQuery),
    request_body(content((String = "application/yaml"))),
    responses((status = 200, body = ThreatChanges)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<ThreatModelQuery>,
    request: axum::extract::Request,
) -> Result<Json<ThreatChanges>, Fault> {
    let (service, of, line) = (&app.service, &organisation.0, &product.0);
    // Asked before the body is read: nobody who may not sends much.
    service.may_change_threat_model(&caller, of, line)?;
    let raw =
        <Raw<{ body::BATCH }> as axum::extract::FromRequest<App>>::from_request(request, &app)
            .await?;
    if raw.media_type != YAML {
        return Err(
            Fault::new(Code::UnsupportedMediaType).hint("send Content-Type: application/yaml")
        );
    }
    let text = String::from_utf8(raw.bytes.to_vec())
        .map_err(|_| Fault::new(Code::Malformed).detail("a model is UTF-8"))?;
    let changes = match query.apply {
        None => {
            let found = service.preview_threat_model(&caller, of, line, text).await?;
            changes(found.version, false, found.changes)
        }
        Some(version) => {
            let new = NewThreatModel { version, text, note: query.note };
            let put = service.put_threat_model(&caller, of, line, new).await?;
            changes(put.version.version, true, put.changes)
        }
    };
    Ok(Json(changes))
}

/// Versions of a product's threat model, newest first
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/products/{product}/threat-model/history",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), PageQuery),
    responses((status = 200, body = Page<ThreatModelVersion>)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ThreatModelVersion>>, Fault> {
    let page = page(query.after, query.limit)?;
    let service = &app.service;
    let found = service.threat_model_history(&caller, &organisation.0, &product.0, &page).await?;
    Ok(Json(view::paged(found, |one| ThreatModelVersion {
        version: one.version,
        sha256: Digest(one.digest),
        note: one.note,
        by: one.by,
        at: one.at.into(),
    })))
}

/// Threats to a product today, the greatest residual risk first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/threats",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), ThreatQuery),
    responses((status = 200, body = Page<ProductThreat>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<ThreatQuery>,
) -> Result<Json<Page<ProductThreat>>, Fault> {
    let page = page(query.after, query.limit)?;
    let state = word("state", query.state.as_deref(), ThreatState::of_word)?;
    let band = word("band", query.band.as_deref(), Band::of_word)?;
    let place: usize = match page.after.as_deref() {
        None => 0,
        Some(text) => {
            text.parse().map_err(|_| Fault::parameter("after", "not the next of a page"))?
        }
    };
    let limit = usize::try_from(page.limit).unwrap_or(1);
    let look = move |looked: &service::ThreatsLooked<'_>| {
        let mut items = Vec::new();
        let mut next = None;
        for (at, one) in looked.analysis.threats.iter().enumerate().skip(place) {
            let wanted = state.is_none_or(|state| state == one.state)
                && band.is_none_or(|band| band == one.risk.residual.band());
            if !wanted {
                continue;
            }
            if items.len() == limit {
                next = Some(at.to_string());
                break;
            }
            items.push(threat(looked.analysis.model, one, looked.decided));
        }
        Page { items, next }
    };
    Ok(Json(app.service.look_at_threats(&caller, &organisation.0, &product.0, look).await?))
}

/// One threat to a product
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/threats/{threat}",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("threat" = String, Path)),
    responses((status = 200, body = ProductThreat)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, id)): Path<(OrganisationRef, ProductRef, String)>,
) -> Result<Json<ProductThreat>, Fault> {
    let look = move |looked: &service::ThreatsLooked<'_>| {
        let one = looked.analysis.threat(&id)?;
        Some(threat(looked.analysis.model, one, looked.decided))
    };
    let found = app.service.look_at_threats(&caller, &organisation.0, &product.0, look).await?;
    found.map(Json).ok_or_else(no_threat)
}

/// Decides about a threat, or takes a decision back
///
/// Decisions are kept beside the model by the stable id of the threat, and survive edits of the model.
/// To accept, transfer, dismiss, rate or explain takes an administrator.
#[utoipa::path(put,
    path = "/v1/organisations/{organisation}/products/{product}/threats/{threat}/decision",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("threat" = String, Path)),
    request_body = DecideThreat, responses((status = 200, body = ThreatDecision)))]
pub(super) async fn decide(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, id)): Path<(OrganisationRef, ProductRef, String)>,
    JsonBody(new): JsonBody<DecideThreat, { body::SMALL }>,
) -> Result<Json<ThreatDecision>, Fault> {
    let verdict = match new.verdict.as_deref() {
        None => None,
        Some(text) => Some(Verdict::of_word(text).ok_or_else(|| {
            Fault::field(
                "verdict",
                "one of accepted, transferred, measures, handled, dismissed, rated",
            )
        })?),
    };
    let until = match new.until.as_deref() {
        None => None,
        Some(text) => {
            Some(Day::parse(text).ok_or_else(|| Fault::field("until", "a day, as 2027-01-31"))?)
        }
    };
    let new = NewThreatDecision {
        version: new.version,
        verdict,
        reason: new.reason,
        until,
        measures: new.measures,
        likelihood: new.likelihood,
        impact: new.impact,
    };
    let service = &app.service;
    let made = service.decide_threat(&caller, &organisation.0, &product.0, &id, new).await?;
    Ok(Json(decision(made)))
}

/// Decisions about the threats of a product, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/threat-decisions",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ThreatDecisionQuery),
    responses((status = 200, body = Page<ThreatDecision>)))]
pub(super) async fn decisions(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<ThreatDecisionQuery>,
) -> Result<Json<Page<ThreatDecision>>, Fault> {
    let page = page(query.after, query.limit)?;
    let (service, about) = (&app.service, query.threat.as_deref());
    let found =
        service.threat_decisions(&caller, &organisation.0, &product.0, about, &page).await?;
    Ok(Json(view::paged(found, decision)))
}

/// The model drawn, the attack tree of a threat or an asset, or the way of a threat to its verdict
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/threat-drawing",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), DrawingQuery),
    responses((status = 200, content((String = "image/svg+xml")))))]
pub(super) async fn drawing(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<DrawingQuery>,
) -> Result<Response, Fault> {
    let theme = word("theme", query.theme.as_deref(), Theme::of_word)?.unwrap_or(Theme::Light);
    for (name, value) in [("threat", &query.threat), ("asset", &query.asset)] {
        if value.as_ref().is_some_and(|value| value.len() > NAME_MAX) {
            return Err(Fault::parameter(name, "an id of the model"));
        }
    }
    let (service, of, line) = (&app.service, &organisation.0, &product.0);
    let drawn = match (query.what.as_deref(), query.threat, query.asset) {
        (None | Some("model"), None, None) => {
            let look = move |looked: &service::ThreatsLooked<'_>| {
                Some(diagram(looked.analysis, theme, language))
            };
            service.look_at_threats(&caller, of, line, look).await?
        }
        (Some("tree"), Some(id), None) => {
            let look = move |looked: &service::ThreatsLooked<'_>| {
                let (tree, _) = Tree::of_threat(looked.analysis, &id, language)?;
                Some(tree.to_svg(theme, language))
            };
            service.look_at_threats(&caller, of, line, look).await?
        }
        (Some("tree"), None, Some(id)) => {
            let look = move |looked: &service::ThreatsLooked<'_>| {
                let (tree, _) = Tree::of_asset(looked.analysis, &id, language)?;
                Some(tree.to_svg(theme, language))
            };
            service.look_at_threats(&caller, of, line, look).await?
        }
        (Some("trace"), Some(id), None) => {
            let look = move |looked: &TraceLooked<'_>| {
                looked.trace.graph(&id, theme, language).map(|graph| graph.svg)
            };
            service.look_at_trace(&caller, of, line, look).await?
        }
        _ => {
            return Err(Fault::parameter(
                "what",
                "model, tree with a threat or an asset, or trace with a threat",
            ));
        }
    };
    drawn.map(|svg| file(svg, "image/svg+xml", "drawing.svg")).ok_or_else(no_threat)
}

/// From the threats of a product to verdicts, and what has no next link
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/trace",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = ProductTrace)))]
pub(super) async fn trace(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<ProductTrace>, Fault> {
    Ok(Json(app.service.look_at_trace(&caller, &organisation.0, &product.0, traced).await?))
}

fn no_threat() -> Fault {
    Fault::new(Code::NotFound).detail("the model has no such threat or asset")
}

/// A file that a browser does not show as a page of ours.
fn file(text: String, kind: &'static str, name: &'static str) -> Response {
    let mut response = Body::from(text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

fn word<T>(
    name: &str,
    value: Option<&str>,
    of: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    match value {
        None => Ok(None),
        Some(text) => of(text)
            .map(Some)
            .ok_or_else(|| Fault::parameter(name, "one of the words that the description names")),
    }
}

fn both(text: &Bilingual) -> BothLanguages {
    BothLanguages { en: text.en.clone(), ja: text.ja.clone() }
}

fn titles(one: &ThreatInstance<'_>) -> (BothLanguages, BothLanguages) {
    match one.cause {
        Cause::Rule(rule) => (both(&rule.title), both(&rule.text)),
        Cause::Finding(_) => {
            let same = |text: &str| BothLanguages { en: text.to_owned(), ja: text.to_owned() };
            (same(one.title(Language::En)), same(one.text(Language::En)))
        }
    }
}

fn level(level: Level) -> RiskLevel {
    RiskLevel {
        likelihood: level.likelihood,
        impact: level.impact,
        score: level.score(),
        band: level.band().word().to_owned(),
    }
}

fn owned<'a>(some: impl IntoIterator<Item = &'a &'a str>) -> Vec<String> {
    some.into_iter().map(|one| (*one).to_owned()).collect()
}

fn threat(
    model: &assessment::threat::Model,
    one: &ThreatInstance<'_>,
    decided: &BTreeMap<String, u64>,
) -> ProductThreat {
    let (title, text) = titles(one);
    ProductThreat {
        id: one.id.to_string(),
        cause: match one.cause {
            Cause::Rule(_) => "rule".to_owned(),
            Cause::Finding(_) => "finding".to_owned(),
        },
        rule: one.cause_id().to_owned(),
        threat: one.threat().word().to_owned(),
        subject: one.subject.to_string(),
        subject_title: one.subject.title(model),
        title,
        text,
        state: one.state.word().to_owned(),
        inherent: level(one.risk.inherent),
        residual: level(one.risk.residual),
        target: level(one.risk.target),
        in_place: owned(&one.in_place),
        planned: owned(&one.planned),
        missing: owned(&one.missing),
        decision: one.decision.map(|decision| StandingDecision {
            verdict: decision.verdict.word().to_owned(),
            reason: decision.reason.clone(),
            by: decision.by.clone(),
            on: decision.on.to_string(),
            until: decision.until.map(|day| day.to_string()),
        }),
        decision_version: decided.get(one.id.as_str()).copied().unwrap_or(0),
    }
}

fn decision(view: service::ThreatDecisionView) -> ThreatDecision {
    ThreatDecision {
        threat: view.threat,
        version: view.version,
        verdict: view.verdict.map(|verdict| verdict.word().to_owned()),
        reason: view.reason,
        until: view.until.map(|day| day.to_string()),
        measures: view.measures,
        likelihood: view.likelihood,
        impact: view.impact,
        by: view.by,
        at: view.at.into(),
    }
}

fn changes(version: u64, applied: bool, found: service::ThreatChanges) -> ThreatChanges {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let plain = |one: service::ThreatChange| ThreatChange {
        id: one.id,
        cause: one.cause,
        subject: one.subject,
        title: both(&one.title),
        state: one.state.word().to_owned(),
        score: one.score,
        band: one.band.word().to_owned(),
        state_before: None,
        score_before: None,
    };
    ThreatChanges {
        version,
        applied,
        appeared: found.appeared.into_iter().map(plain).collect(),
        vanished: found.vanished.into_iter().map(plain).collect(),
        moved: found
            .moved
            .into_iter()
            .map(|one| ThreatChange {
                state_before: Some(one.state_before.word().to_owned()),
                score_before: Some(one.score_before),
                ..plain(one.after)
            })
            .collect(),
        same: count(found.same),
        without_threat: found.without_threat,
        ignored_decisions: count(found.ignored_decisions),
        assumptions: found
            .assumptions
            .into_iter()
            .map(|(kind, at)| ThreatAssumption { kind: kind.to_owned(), at })
            .collect(),
    }
}

fn traced(looked: &TraceLooked<'_>) -> ProductTrace {
    let trace = looked.trace;
    ProductTrace {
        as_of: trace.on.to_string(),
        model_version: looked.version.version,
        diagnosis: looked.diagnosis.map(|id| id.to_string()),
        subject: looked.subject.map(str::to_owned),
        verdicts: trace
            .count()
            .into_iter()
            .map(|(verdict, count)| TraceCount {
                verdict: verdict.word().to_owned(),
                threats: u64::try_from(count).unwrap_or(u64::MAX),
            })
            .collect(),
        threats: trace
            .threats
            .iter()
            .map(|one| TracedThreat {
                id: one.threat.id.to_string(),
                title: titles(one.threat).0,
                subject: one.threat.subject.to_string(),
                state: one.threat.state.word().to_owned(),
                verdict: one.verdict.word().to_owned(),
                score: one.threat.risk.residual.score(),
                requirements: one.requirements.iter().map(ToString::to_string).collect(),
                in_place: owned(&one.threat.in_place),
                planned: owned(&one.threat.planned),
                missing: owned(&one.threat.missing),
                gaps: one.gaps.iter().map(|gap| gap.word().to_owned()).collect(),
            })
            .collect(),
        requirements: trace
            .requirements
            .iter()
            .map(|(id, one)| TracedRequirement {
                id: id.to_string(),
                title: both(&one.record.title),
                state: one.state.map(|state| state.word().to_owned()),
            })
            .collect(),
        controls: trace
            .controls
            .values()
            .map(|one| TracedControl {
                id: one.measure.id.clone(),
                title: both(&one.measure.title),
                requirements: one.measure.requirements.iter().map(ToString::to_string).collect(),
                checks: one.checks.iter().map(ToString::to_string).collect(),
                verdict: one.verdict.word().to_owned(),
            })
            .collect(),
        checks: trace.checks.values().map(check).collect(),
        gaps: trace
            .gaps
            .iter()
            .map(|gap| TraceGap {
                kind: gap.kind.word().to_owned(),
                title: BothLanguages {
                    en: gap.kind.title(Language::En).to_owned(),
                    ja: gap.kind.title(Language::Ja).to_owned(),
                },
                at: gap.at.clone(),
                threats: gap.threats.iter().map(ToString::to_string).collect(),
            })
            .collect(),
    }
}

fn check(one: &assessment::TracedCheck<'_>) -> TracedCheck {
    TracedCheck {
        id: one.item.id.to_string(),
        criterion: both(&one.item.criterion),
        state: one.state.word().to_owned(),
        answered_by: one.answered_by.clone(),
        evidence: one
            .evidence
            .iter()
            .map(|piece| TracedEvidence {
                what: piece.what.clone(),
                collector: piece.collector.map(|(collector, _)| collector.word().to_owned()),
                sha256: piece.sha256.map(wire::scalar::Digest),
                by: piece.by.clone(),
                on: piece.on.to_string(),
                until: piece.until.map(|day| day.to_string()),
                subject: piece.subject.clone(),
                standing: piece.standing.word().to_owned(),
            })
            .collect(),
        gap: one.gap.map(|gap| gap.word().to_owned()),
    }
}
