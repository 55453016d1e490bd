//! Impact assessments of products: guided forms, answered and concluded.

use super::{
    extract::{Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::problem::Code;
use api::wire::{
    AnswerImpact, BothLanguages, ConcludeImpact, ImpactAnswer, ImpactAnswered, ImpactAssessment,
    ImpactChoice, ImpactContradiction, ImpactDuty, ImpactQuestion, ImpactRating, ImpactThreat,
    Page, PageQuery,
    scalar::{OrganisationRef, ProductRef},
};
use assessment::{
    Bilingual, RecordRef,
    threat::{Impact, QuestionKind, RatedBy, scia},
};
use axum::extract::State;
use device::Language;
use service::{ImpactLooked, NewImpactAnswers};

/// An impact assessment of a product: questions, answers, and what they come to
///
/// The forms are `safety`, `privacy` and `framework`.
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/impact/{form}",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("form" = String, Path)),
    responses((status = 200, body = ImpactAssessment)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, form)): Path<(OrganisationRef, ProductRef, String)>,
) -> Result<Json<ImpactAssessment>, Fault> {
    assessment(&app, &caller, &organisation, &product, form).await.map(Json)
}

/// Answers questions of an impact assessment, or takes answers back
#[utoipa::path(put, path = "/v1/organisations/{organisation}/products/{product}/impact/{form}",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("form" = String, Path)),
    request_body = AnswerImpact, responses((status = 200, body = ImpactAnswered)))]
pub(super) async fn answer(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, form)): Path<(OrganisationRef, ProductRef, String)>,
    JsonBody(new): JsonBody<AnswerImpact, { body::BATCH }>,
) -> Result<Json<ImpactAnswered>, Fault> {
    let new = NewImpactAnswers { version: new.version, answers: new.answers };
    let (of, line) = (&organisation.0, &product.0);
    let version = app.service.answer_impact(&caller, of, line, &form, new).await?;
    Ok(Json(ImpactAnswered { version }))
}

/// Concludes an impact assessment: an administrator stands for the answers that were read
#[utoipa::path(put,
    path = "/v1/organisations/{organisation}/products/{product}/impact/{form}/conclusion",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("form" = String, Path)),
    request_body = ConcludeImpact, responses((status = 200, body = ImpactAssessment)))]
pub(super) async fn conclude(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, form)): Path<(OrganisationRef, ProductRef, String)>,
    JsonBody(read): JsonBody<ConcludeImpact, { body::SMALL }>,
) -> Result<Json<ImpactAssessment>, Fault> {
    let (of, line) = (&organisation.0, &product.0);
    app.service.conclude_impact(&caller, of, line, &form, read.version).await?;
    assessment(&app, &caller, &organisation, &product, form).await.map(Json)
}

/// Answers of an impact assessment, newest first
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/products/{product}/impact/{form}/history",
    tag = "threats",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("form" = String, Path), PageQuery),
    responses((status = 200, body = Page<ImpactAnswer>)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, form)): Path<(OrganisationRef, ProductRef, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ImpactAnswer>>, Fault> {
    let page = page(query.after, query.limit)?;
    let (of, line) = (&organisation.0, &product.0);
    let found = app.service.impact_history(&caller, of, line, &form, &page).await?;
    Ok(Json(view::paged(found, |one| ImpactAnswer {
        question: one.question,
        version: one.version,
        answer: one.answer,
        by: one.by,
        at: one.at.into(),
    })))
}

async fn assessment(
    app: &App,
    caller: &Authenticated,
    organisation: &OrganisationRef,
    product: &ProductRef,
    form: String,
) -> Result<ImpactAssessment, Fault> {
    let look = move |looked: &ImpactLooked<'_>| shown(looked, &form);
    let service = &app.service;
    let found = service.look_at_impact(caller, &organisation.0, &product.0, look).await?;
    found.ok_or_else(|| Fault::new(Code::NotFound).detail("there is no such form"))
}

fn shown(looked: &ImpactLooked<'_>, form: &str) -> Option<ImpactAssessment> {
    let analysis = looked.analysis;
    let form = analysis.book.form(form)?;
    let (answers, standing) = (looked.answers.get(&form.id)?, looked.standing.get(&form.id)?);
    let impact = Impact::of(form, answers, analysis);
    let questions = impact.steps.iter().flat_map(|(step, questions)| {
        questions.iter().map(|question| ImpactQuestion {
            id: question.id.clone(),
            step: step.id.clone(),
            ask: both(&question.ask),
            help: both(&question.help),
            example: both(&question.example),
            choices: question
                .choices()
                .iter()
                .map(|one| ImpactChoice {
                    word: one.word.clone(),
                    title: both(&one.title),
                    level: one.level,
                    then: one.then.as_ref().map(both),
                })
                .collect(),
            several: matches!(question.kind, QuestionKind::Several(_)),
            answer: answers.get(&question.id).cloned(),
            from_file: standing.from_file.contains(&question.id),
        })
    });
    let denied = impact.denied.iter().map(|(question, _, what)| ImpactContradiction {
        kind: "denied".to_owned(),
        at: question.id.clone(),
        what: what.iter().map(|one| (*one).to_owned()).collect(),
    });
    let underrated = impact.underrated.iter().map(|(harm, level)| ImpactContradiction {
        kind: "underrated".to_owned(),
        at: harm.word().to_owned(),
        what: vec![level.to_string()],
    });
    Some(ImpactAssessment {
        form: form.id.clone(),
        title: both(&form.title),
        version: standing.version,
        model_version: looked.version.map(|version| version.version),
        changed_by: standing.changed.as_ref().map(|(by, _)| by.clone()),
        changed_at: standing.changed.as_ref().map(|(_, at)| (*at).into()),
        concluded_by: standing.concluded.as_ref().map(|(by, _)| by.clone()),
        concluded_at: standing.concluded.as_ref().map(|(_, at)| (*at).into()),
        reopened: standing.reopened,
        questions: questions.collect(),
        open: u64::try_from(impact.open.len()).unwrap_or(u64::MAX),
        ratings: scia(analysis.model, analysis.book, looked.answers)
            .into_iter()
            .map(|(harm, level, by)| ImpactRating {
                harm: harm.word().to_owned(),
                level,
                by: by.iter().map(rated_by).collect(),
            })
            .collect(),
        duties: impact
            .duties
            .iter()
            .map(|(duty, holds)| ImpactDuty {
                id: duty.id.clone(),
                state: holds.word().to_owned(),
                law: both(&duty.law),
                title: both(&duty.title),
                text: both(&duty.text),
                document: both(&duty.document),
                requirements: duty.records.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        contradictions: denied.chain(underrated).collect(),
        threats: impact
            .threats
            .iter()
            .map(|(threat, about)| ImpactThreat {
                id: threat.id.to_string(),
                title: BothLanguages {
                    en: threat.title(Language::En).to_owned(),
                    ja: threat.title(Language::Ja).to_owned(),
                },
                state: threat.state.word().to_owned(),
                score: threat.risk.residual.score(),
                questions: about.iter().map(|one| one.id.clone()).collect(),
            })
            .collect(),
        requirements: impact.requirements.iter().copied().map(RecordRef::to_string).collect(),
    })
}

fn rated_by(by: &RatedBy<'_>) -> String {
    match by {
        RatedBy::Asset(asset) => asset.id.clone(),
        RatedBy::Question(form, question) => format!("{}/{}", form.id, question.id),
    }
}

fn both(text: &Bilingual) -> BothLanguages {
    BothLanguages { en: text.en.clone(), ja: text.ja.clone() }
}
