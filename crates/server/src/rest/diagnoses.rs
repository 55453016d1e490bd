//! Diagnoses of products by the check sheet.

use super::{
    extract::{Created, Json, JsonBody, Lang, Path, Query, Raw, page},
    problem::Fault,
    turn::turn,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{
        self, AnswerImportQuery, AtVersion, BothLanguages, ChangeAnswer, ClauseBasis,
        DiagnosedItem, DiagnosedItemQuery, DiagnosedTopic, Diagnosis, DiagnosisChange,
        DiagnosisComparison, DiagnosisComparisonQuery, DiagnosisEntry, DiagnosisEvidence,
        DiagnosisFigures, DiagnosisFileQuery, DiagnosisGap, DiagnosisHistoryQuery,
        DiagnosisImported, DiagnosisQuery, DiagnosisScore, ForeignResults, ItemMoved, JudgedClause,
        NewDiagnosis, Page, ReleaseProof, SignDiagnosis, TopicChange,
        scalar::{Base64, Digest, OrganisationRef, ProductRef},
    },
};
use assessment::{
    Answer, Basis, Bilingual, Day, Entry, Evidence, Outcome, Score, oscal::DocumentKind,
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use service::{DiagnosisId, DiagnosisImport, DiagnosisView, ImportForm, OscalWanted, check_sheet};

/// The word of a feature that is absent.
const ABSENT: &str = "absent";
/// Media type of OSCAL as we write it.
const JSON: &str = "application/json";
/// Media type of a workbook.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Media type of YAML (RFC 9512).
const YAML: &str = "application/yaml";

fn id(text: &str) -> Result<DiagnosisId, Fault> {
    text.parse().map_err(|_| Fault::parameter("diagnosis", "32 hexadecimal digits"))
}

/// Diagnoses of an organisation, or of one of its product lines, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/diagnoses", tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), DiagnosisQuery),
    responses((status = 200, body = Page<Diagnosis>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<DiagnosisQuery>,
) -> Result<Json<Page<Diagnosis>>, Fault> {
    let page = page(query.after, query.limit)?;
    let product = query.product.map(|product| product.0);
    let found = app.service.diagnoses(&caller, &organisation.0, product.as_ref(), &page).await?;
    Ok(Json(view::paged(found, diagnosis)))
}

/// A new diagnosis of a product against the check sheet of now
#[utoipa::path(post, path = "/v1/organisations/{organisation}/diagnoses", tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path)), request_body = NewDiagnosis,
    responses((status = 201, body = Diagnosis)))]
pub(super) async fn open(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewDiagnosis, { body::SMALL }>,
) -> Result<Created<Diagnosis>, Fault> {
    let new = service::NewDiagnosis {
        organisation: organisation.0,
        product: new.product.0,
        subject: new.subject,
        from: new.from.as_deref().map(id).transpose()?,
    };
    Ok(Created(diagnosis(app.service.open_diagnosis(&caller, new).await?)))
}

/// A diagnosis, counted by layer, phase and catalogue
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}", tag = "diagnoses",
    params(("diagnosis" = String, Path)),
    responses((status = 200, body = DiagnosisFigures)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
) -> Result<Json<DiagnosisFigures>, Fault> {
    let found = app.service.diagnosis_figures(&caller, &id(&of)?).await?;
    let library = check_sheet()?;
    Ok(Json(DiagnosisFigures {
        diagnosis: diagnosis(found.view),
        as_of: found.today.to_string(),
        content: Digest(found.content),
        layers: found
            .layers
            .iter()
            .map(|(layer, one)| wire::DiagnosisLayer {
                layer: layer.word().to_owned(),
                score: score(one),
            })
            .collect(),
        phases: found
            .phases
            .iter()
            .map(|(phase, one)| wire::DiagnosisPhase {
                phase: phase.word().to_owned(),
                score: score(one),
            })
            .collect(),
        cells: found
            .cells
            .iter()
            .map(|(layer, phase, one)| wire::DiagnosisCell {
                layer: layer.word().to_owned(),
                phase: phase.word().to_owned(),
                score: score(one),
            })
            .collect(),
        catalogues: found
            .catalogues
            .iter()
            .filter_map(|one| {
                let catalogue = library.catalogue(one.source.as_str())?;
                Some(wire::DiagnosisCatalogue {
                    catalogue: one.source.to_string(),
                    title: both(&catalogue.source.title),
                    clauses: one
                        .clauses
                        .iter()
                        .map(|(state, count)| wire::ClauseCount {
                            state: state.word().to_owned(),
                            count: u64::try_from(*count).unwrap_or(u64::MAX),
                        })
                        .collect(),
                })
            })
            .collect(),
        orphans: found.orphans,
    }))
}

/// Discards a diagnosis that is not signed
#[utoipa::path(delete, path = "/v1/diagnoses/{diagnosis}", tag = "diagnoses",
    params(("diagnosis" = String, Path)), responses((status = 204)))]
pub(super) async fn discard(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
) -> Result<StatusCode, Fault> {
    app.service.discard_diagnosis(&caller, &id(&of)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Items of the check sheet as they stand, in the order of the sheet
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/items", tag = "diagnoses",
    params(("diagnosis" = String, Path), DiagnosedItemQuery),
    responses((status = 200, body = Page<DiagnosedItem>)))]
pub(super) async fn items(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
    Query(query): Query<DiagnosedItemQuery>,
) -> Result<Json<Page<DiagnosedItem>>, Fault> {
    let page = page(query.after, query.limit)?;
    let wanted = service::ItemQuery {
        layer: word("layer", query.layer, assessment::Layer::of_word)?,
        phase: word("phase", query.phase, assessment::Phase::of_word)?,
        state: word("state", query.state, assessment::State::of_word)?,
        owner: query.owner,
        text: query.text,
    };
    let found = app.service.diagnosed_items(&caller, &id(&of)?, &wanted, &page).await?;
    let library = check_sheet()?;
    let items = found
        .items
        .into_iter()
        .filter_map(|one| {
            let item = library.item(&one.answer.topic.to_string())?;
            Some(DiagnosedItem {
                layer: item.layer.word().to_owned(),
                phase: item.phase.word().to_owned(),
                threat: item.threat.word().to_owned(),
                weight: item.weight,
                criterion: both(&item.criterion),
                state: one.state.word().to_owned(),
                absent: one.absent.map(|(feature, why)| format!("{feature}: {why}")),
                checks: one
                    .checks
                    .iter()
                    .map(|check| wire::ItemCheck {
                        collector: check.collector.word().to_owned(),
                        whole: check.share == assessment::Share::Whole,
                        verdict: check.verdict.word().to_owned(),
                        until: check.until.to_string(),
                    })
                    .collect(),
                answer: topic(one.answer),
            })
        })
        .collect();
    Ok(Json(Page { items, next: found.next }))
}

fn word<T>(
    name: &str,
    text: Option<String>,
    read: fn(&str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    text.map(|text| read(&text).ok_or_else(|| Fault::parameter(name, "no such word"))).transpose()
}

/// What stands under an item, a clause or a feature
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/topics/{topic}", tag = "diagnoses",
    params(("diagnosis" = String, Path), ("topic" = String, Path)),
    responses((status = 200, body = DiagnosedTopic)))]
pub(super) async fn answered(
    State(app): State<App>,
    caller: Authenticated,
    Path((of, name)): Path<(String, String)>,
) -> Result<Json<DiagnosedTopic>, Fault> {
    Ok(Json(topic(app.service.diagnosed(&caller, &id(&of)?, &name).await?)))
}

/// Changes what stands there; the version that was read goes with it
#[utoipa::path(put, path = "/v1/diagnoses/{diagnosis}/topics/{topic}", tag = "diagnoses",
    params(("diagnosis" = String, Path), ("topic" = String, Path)), request_body = ChangeAnswer,
    responses((status = 200, body = DiagnosedTopic)))]
pub(super) async fn answer(
    State(app): State<App>,
    caller: Authenticated,
    Path((of, name)): Path<(String, String)>,
    JsonBody(change): JsonBody<ChangeAnswer, { body::EVENT }>,
) -> Result<Json<DiagnosedTopic>, Fault> {
    let entry = change.entry.map(entry_of).transpose()?;
    let service = &app.service;
    Ok(Json(topic(
        service.answer_diagnosis(&caller, &id(&of)?, &name, change.version, entry).await?,
    )))
}

/// What somebody has to see to, the heaviest first
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/gaps", tag = "diagnoses",
    params(("diagnosis" = String, Path)),
    responses((status = 200, body = Vec<DiagnosisGap>)))]
pub(super) async fn gaps(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
) -> Result<Json<Vec<DiagnosisGap>>, Fault> {
    let found = app.service.diagnosis_gaps(&caller, &id(&of)?).await?;
    let library = check_sheet()?;
    let gap = |gap: assessment::Gap| {
        Some(DiagnosisGap {
            criterion: both(&library.item(gap.item.as_str())?.criterion),
            item: gap.item.to_string(),
            state: gap.state.word().to_owned(),
            weight: gap.weight,
            owner: gap.owner,
            due: gap.due.map(|due| due.to_string()),
            overdue: gap.overdue,
        })
    };
    Ok(Json(found.into_iter().filter_map(gap).collect()))
}

/// The clauses of a catalogue, with what their states rest on
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/coverage/{catalogue}", tag = "diagnoses",
    params(("diagnosis" = String, Path), ("catalogue" = String, Path)),
    responses((status = 200, body = Vec<JudgedClause>)))]
pub(super) async fn coverage(
    State(app): State<App>,
    caller: Authenticated,
    Path((of, catalogue)): Path<(String, String)>,
) -> Result<Json<Vec<JudgedClause>>, Fault> {
    let found = app.service.diagnosis_coverage(&caller, &id(&of)?, &catalogue).await?;
    let library = check_sheet()?;
    let judged = |clause: assessment::ClauseCoverage| {
        Some(JudgedClause {
            title: both(&library.record(&clause.record)?.title),
            clause: clause.record.to_string(),
            state: clause.state.word().to_owned(),
            basis: clause.basis.iter().map(basis).collect(),
        })
    };
    Ok(Json(found.into_iter().filter_map(judged).collect()))
}

fn basis(basis: &Basis) -> ClauseBasis {
    let of = |kind: &str, of: Option<String>| ClauseBasis {
        kind: kind.to_owned(),
        of,
        relation: None,
        state: None,
    };
    match basis {
        Basis::Answer(state) => {
            ClauseBasis { state: Some(state.word().to_owned()), ..of("answer", None) }
        }
        Basis::Item(item, relation, state) => ClauseBasis {
            relation: Some(relation.word().to_owned()),
            state: Some(state.word().to_owned()),
            ..of("item", Some(item.to_string()))
        },
        Basis::Record(record, relation, state) => ClauseBasis {
            relation: Some(relation.word().to_owned()),
            state: Some(state.word().to_owned()),
            ..of("clause", Some(record.to_string()))
        },
        Basis::Absent(why) => of(ABSENT, Some(why.clone())),
    }
}

/// Who changed what, newest first
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/history", tag = "diagnoses",
    params(("diagnosis" = String, Path), DiagnosisHistoryQuery),
    responses((status = 200, body = Page<DiagnosisChange>)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
    Query(query): Query<DiagnosisHistoryQuery>,
) -> Result<Json<Page<DiagnosisChange>>, Fault> {
    let page = page(query.after, query.limit)?;
    let service = &app.service;
    let found =
        service.diagnosis_history(&caller, &id(&of)?, query.topic.as_deref(), &page).await?;
    Ok(Json(view::paged(found, |one| DiagnosisChange {
        version: one.version,
        topic: one.topic,
        how: one.how,
        before: one.before.map(entry),
        after: one.after.map(entry),
        by: one.by,
        at: one.at.into(),
    })))
}

/// What changed since another diagnosis of the product
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/comparison", tag = "diagnoses",
    params(("diagnosis" = String, Path), DiagnosisComparisonQuery),
    responses((status = 200, body = DiagnosisComparison)))]
pub(super) async fn comparison(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
    Query(query): Query<DiagnosisComparisonQuery>,
) -> Result<Json<DiagnosisComparison>, Fault> {
    let with = query.with.as_deref().map(id).transpose()?;
    let found = app.service.compare_diagnoses(&caller, &id(&of)?, with.as_ref()).await?;
    Ok(Json(DiagnosisComparison {
        before: found.before.to_string(),
        before_total: score(&found.before_total),
        after_total: score(&found.after_total),
        changes: found
            .changes
            .into_iter()
            .map(|change| ItemMoved {
                item: change.item.to_string(),
                weight: change.weight,
                before: change.before.word().to_owned(),
                after: change.after.word().to_owned(),
                direction: change.direction.word().to_owned(),
            })
            .collect(),
    }))
}

/// The diagnosis as a file; of a signed one the very bytes that were signed for
///
/// YAML, workbook and OSCAL assessment results can be imported again: a round trip changes nothing. The
/// other models of OSCAL, and results of one catalogue, are for other tools.
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/file", tag = "diagnoses",
    params(("diagnosis" = String, Path), DiagnosisFileQuery),
    responses((status = 200, content(
        (String = "application/yaml"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (serde_json::Value = "application/json")))))]
pub(super) async fn file(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(of): Path<String>,
    Query(query): Query<DiagnosisFileQuery>,
) -> Result<Response, Fault> {
    let of = id(&of)?;
    let service = &app.service;
    let (bytes, kind, name) = match query.format.as_deref() {
        None | Some("yaml") => {
            (service.diagnosis_file(&caller, &of).await?, YAML, "diagnosis.yaml")
        }
        Some("xlsx") => {
            (service.diagnosis_workbook(&caller, &of, language).await?, XLSX, "diagnosis.xlsx")
        }
        Some("oscal") => {
            let known = [
                (DocumentKind::Results, "assessment-results.json"),
                (DocumentKind::ActionPlan, "plan-of-action-and-milestones.json"),
                (DocumentKind::Component, "component-definition.json"),
                (DocumentKind::Profile, "profile.json"),
            ];
            let word = query.model.as_deref().unwrap_or(DocumentKind::Results.word());
            let (model, name) =
                known.into_iter().find(|(kind, _)| kind.word() == word).ok_or_else(|| {
                    let words = known.map(|(kind, _)| kind.word()).join(", ");
                    Fault::parameter("model", format!("one of {words}"))
                })?;
            let wanted = OscalWanted { model, catalogue: query.catalogue };
            (service.diagnosis_oscal(&caller, &of, wanted, language).await?, JSON, name)
        }
        Some(_) => return Err(Fault::parameter("format", "one of yaml, xlsx, oscal")),
    };
    let mut response = Body::from(bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Answers from a file: what would change, or the change itself
///
/// YAML as `application/yaml`, a workbook by its own media type, OSCAL assessment results as
/// `application/json`.
#[utoipa::path(post, path = "/v1/diagnoses/{diagnosis}/file", tag = "diagnoses",
    params(("diagnosis" = String, Path), AnswerImportQuery),
    request_body(content(
        (String = "application/yaml"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (serde_json::Value = "application/json"))),
    responses((status = 200, body = DiagnosisImported)))]
pub(super) async fn import(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
    Query(query): Query<AnswerImportQuery>,
    request: axum::extract::Request,
) -> Result<Json<DiagnosisImported>, Fault> {
    let of = id(&of)?;
    // Asked before the body is read: nobody who may not sends much.
    let turn = turn(&app.service.may_import_answers(&caller, &of)?).await?;
    let raw =
        <Raw<{ body::BATCH }> as axum::extract::FromRequest<App>>::from_request(request, &app)
            .await?;
    let form = match raw.media_type.as_str() {
        YAML => ImportForm::Yaml,
        XLSX => ImportForm::Xlsx,
        JSON => ImportForm::Oscal,
        _ => {
            return Err(Fault::new(Code::UnsupportedMediaType).hint(
                "send Content-Type: application/yaml, that of an XLSX workbook, or application/json \
                 for OSCAL assessment results",
            ));
        }
    };
    let import = DiagnosisImport {
        form,
        bytes: raw.bytes.to_vec(),
        replace: query.replace.unwrap_or(false),
        apply: query.apply,
    };
    let (service, caller) = (app.service.clone(), (*caller).clone());
    let done = turn.keep(async move { service.import_answers(&caller, &of, import).await });
    let done = done.await??;
    Ok(Json(DiagnosisImported {
        version: done.version,
        applied: done.applied,
        changes: done
            .changes
            .into_iter()
            .map(|change| TopicChange {
                topic: change.topic.to_string(),
                before: change.before.map(entry),
                after: change.after.map(entry),
            })
            .collect(),
        foreign: done.foreign.map(|foreign| ForeignResults {
            about: foreign.about,
            unknown: foreign.unknown,
            contradicted: foreign.contradicted,
        }),
    }))
}

/// Goes on against the check sheet of now
#[utoipa::path(post, path = "/v1/diagnoses/{diagnosis}/sheet", tag = "diagnoses",
    params(("diagnosis" = String, Path)), request_body = AtVersion,
    responses((status = 200, body = Diagnosis)))]
pub(super) async fn adopt(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
    JsonBody(at): JsonBody<AtVersion, { body::SMALL }>,
) -> Result<Json<Diagnosis>, Fault> {
    Ok(Json(diagnosis(app.service.adopt_sheet(&caller, &id(&of)?, at.version).await?)))
}

/// Signs a diagnosis; it always takes a second person
#[utoipa::path(post, path = "/v1/diagnoses/{diagnosis}/sign", tag = "diagnoses",
    params(("diagnosis" = String, Path)), request_body = SignDiagnosis,
    responses((status = 200, body = Diagnosis)))]
pub(super) async fn sign(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
    JsonBody(what): JsonBody<SignDiagnosis, { body::SMALL }>,
) -> Result<Json<Diagnosis>, Fault> {
    let signed = app.service.sign_diagnosis(&caller, &id(&of)?, what.content.0).await?;
    Ok(Json(diagnosis(signed)))
}

/// That the log holds a signed diagnosis
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/proof", tag = "diagnoses",
    params(("diagnosis" = String, Path)),
    responses((status = 200, body = ReleaseProof)))]
pub(super) async fn proof(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<String>,
) -> Result<Json<ReleaseProof>, Fault> {
    let found = app.service.diagnosis_proof(&caller, &id(&of)?).await?;
    Ok(Json(ReleaseProof {
        statement: Base64(found.statement),
        salt: Base64(found.salt.to_vec()),
        inclusion: view::inclusion(&found.proof, &found.checkpoint)?,
    }))
}

pub(super) fn both(text: &Bilingual) -> BothLanguages {
    BothLanguages { en: text.en.clone(), ja: text.ja.clone() }
}

fn score(score: &Score) -> DiagnosisScore {
    DiagnosisScore {
        items: score.items,
        not_applicable: score.not_applicable,
        weight: score.weight,
        fulfilled_percent: score.fulfilled_percent(),
        claimed_percent: score.claimed_percent(),
        answered_percent: score.answered_percent(),
    }
}

fn diagnosis(view: DiagnosisView) -> Diagnosis {
    Diagnosis {
        id: view.id.to_string(),
        organisation: OrganisationRef(view.organisation),
        product: ProductRef(view.product),
        subject: view.subject,
        state: view.state.name().to_owned(),
        version: view.version,
        sheet: Digest(view.sheet),
        sheet_current: view.sheet_current,
        opened_by: view.opened_by,
        opened: view.opened_at.into(),
        changed: view.changed_at.into(),
        signed: view.signed.map(|signed| wire::DiagnosisSignOff {
            by: signed.by,
            approved_by: signed.approved_by,
            at: signed.at.into(),
            content: Digest(signed.content),
            leaf: signed.leaf,
        }),
        total: score(&view.total),
    }
}

fn topic(view: service::AnswerView) -> DiagnosedTopic {
    DiagnosedTopic {
        topic: view.topic.to_string(),
        entry: view.entry.map(entry),
        version: view.version,
        changed_by: view.changed_by,
        changed: view.changed_at.map(Into::into),
    }
}

fn entry(entry: Entry) -> DiagnosisEntry {
    match entry {
        Entry::Absent(reason) => DiagnosisEntry {
            answer: ABSENT.to_owned(),
            reason: Some(reason),
            evidence: Vec::new(),
            owner: None,
            due: None,
            comment: None,
        },
        Entry::Answer(answer) => DiagnosisEntry {
            answer: answer.outcome.word().to_owned(),
            reason: answer.reason,
            evidence: answer
                .evidence
                .into_iter()
                .map(|piece| DiagnosisEvidence {
                    what: piece.what,
                    sha256: piece.sha256.map(Digest),
                    on: piece.on.to_string(),
                    until: piece.until.map(|until| until.to_string()),
                })
                .collect(),
            owner: answer.owner,
            due: answer.due.map(|due| due.to_string()),
            comment: answer.comment,
        },
    }
}

fn entry_of(entry: DiagnosisEntry) -> Result<Entry, Fault> {
    let day = |name: &str, text: &str| {
        Day::parse(text).ok_or_else(|| Fault::field(name, "a day is YYYY-MM-DD"))
    };
    if entry.answer == ABSENT {
        let other = !entry.evidence.is_empty()
            || entry.owner.is_some()
            || entry.due.is_some()
            || entry.comment.is_some();
        return match entry.reason {
            Some(reason) if !other => Ok(Entry::Absent(reason)),
            _ => Err(Fault::field("entry", "an absent feature has a reason and nothing else")),
        };
    }
    let outcome = Outcome::of_word(&entry.answer).ok_or_else(|| {
        Fault::field("answer", "one of met, partly, not-met, not-applicable, absent")
    })?;
    let evidence = entry
        .evidence
        .into_iter()
        .map(|piece| {
            Ok(Evidence {
                on: day("on", &piece.on)?,
                until: piece.until.as_deref().map(|text| day("until", text)).transpose()?,
                what: piece.what,
                sha256: piece.sha256.map(|digest| digest.0),
            })
        })
        .collect::<Result<_, Fault>>()?;
    Ok(Entry::Answer(Answer {
        outcome,
        reason: entry.reason,
        evidence,
        owner: entry.owner,
        due: entry.due.as_deref().map(|text| day("due", text)).transpose()?,
        comment: entry.comment,
    }))
}
