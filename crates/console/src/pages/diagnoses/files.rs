//! A diagnosis as a file, reports of it, and answers from a file: first what they would change, then
//! the change. The file goes along in the preview, so that nothing is kept in between.

use super::{Audience, answer_page::said, head};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section, failure,
    i18n::{Locale, own_name},
    pages::{
        sensitive,
        upload::{Shape, Uploaded},
    },
    ui::{Button, ButtonKind, Choice, Field, Icon, Message, Tone},
};
use askama::Template;
use assessment::{TopicChange, oscal};
use axum::{
    Router,
    extract::{Path, Request, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use device::Language;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use service::{
    DiagnosisImport, DiagnosisImported, DiagnosisView, ErrorKind, ImportForm, OscalWanted,
    check_sheet,
};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses/{id}/files", get(show))
        .route("/diagnoses/{id}/file", get(download))
        .route("/diagnoses/{id}/import", post(import))
}

/// Most bytes of a file: a workbook of the whole check sheet has about 100 KB. The preview carries it on in
/// base64.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
const SHAPE: Shape = Shape {
    long: &[("carried", FILE_BYTES_MAX.div_ceil(3) * 4)],
    fields: &["form", "replace", "version"],
    files: &[("file", FILE_BYTES_MAX)],
};

/// Changes that a preview lists.
const SHOWN: usize = 300;
/// Findings about unknown controls that are named.
const NAMED: usize = 20;

async fn show(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let view = head::found(&console, &member, &text).await?;
    page(&member, &view, None, None)
}

/// A change, as the preview shows it.
struct Row {
    topic: String,
    about: String,
    before: String,
    after: String,
}

fn row(t: Locale, change: &TopicChange) -> Row {
    let library = check_sheet().ok();
    let topic = change.topic.to_string();
    let about = library.and_then(|library| library.item(&topic));
    Row {
        about: about.map(|item| item.criterion.of(t.language).to_owned()).unwrap_or_default(),
        before: said(t, change.before.as_ref()),
        after: said(t, change.after.as_ref()),
        topic,
    }
}

/// What a file would change, and the file.
struct Preview {
    lead: String,
    rows: Vec<Row>,
    more: usize,
    messages: Vec<Message>,
    hidden: Vec<(&'static str, String)>,
    changes: bool,
}

/// What was sent: form, file, whether it replaces.
struct Sent {
    form: ImportForm,
    bytes: Vec<u8>,
    replace: bool,
}

const fn word(form: ImportForm) -> &'static str {
    match form {
        ImportForm::Yaml => "yaml",
        ImportForm::Xlsx => "xlsx",
        ImportForm::Oscal => "oscal",
    }
}

fn form_of(word: &str) -> Option<ImportForm> {
    match word {
        "yaml" => Some(ImportForm::Yaml),
        "xlsx" => Some(ImportForm::Xlsx),
        "oscal" => Some(ImportForm::Oscal),
        _ => None,
    }
}

/// The form of a file by its name.
fn form_of_name(name: &str) -> Option<ImportForm> {
    let (_, end) = name.rsplit_once('.')?;
    match end.to_ascii_lowercase().as_str() {
        "xlsx" => Some(ImportForm::Xlsx),
        "json" => Some(ImportForm::Oscal),
        "yaml" | "yml" => Some(ImportForm::Yaml),
        _ => None,
    }
}

impl Preview {
    fn new(t: Locale, sent: &Sent, found: &DiagnosisImported) -> Self {
        let mut messages = Vec::new();
        if let Some(foreign) = &found.foreign {
            messages.push(Message::new(
                Tone::Info,
                t.text("diagnoses-oscal-about").arg("about", &foreign.about),
            ));
            let lists = [
                ("diagnoses-oscal-unknown", &foreign.unknown),
                ("diagnoses-oscal-contradicted", &foreign.contradicted),
            ];
            for (key, list) in lists {
                if !list.is_empty() {
                    let named: Vec<_> = list.iter().take(NAMED).map(String::as_str).collect();
                    let text = t.text(key).arg("count", list.len()).arg("names", named.join(", "));
                    messages.push(Message::new(Tone::Warn, text));
                }
            }
        }
        Self {
            lead: t.text("diagnoses-import-lead").arg("count", found.changes.len()).to_string(),
            rows: found.changes.iter().take(SHOWN).map(|change| row(t, change)).collect(),
            more: found.changes.len().saturating_sub(SHOWN),
            messages,
            hidden: vec![
                ("carried", STANDARD.encode(&sent.bytes)),
                ("form", word(sent.form).to_owned()),
                ("replace", if sent.replace { "yes" } else { "" }.to_owned()),
                ("version", found.version.to_string()),
            ],
            changes: !found.changes.is_empty(),
        }
    }
}

/// What was sent, whether from the first form or from the preview; `Err` with what is wrong.
fn sent(t: Locale, form: &Uploaded) -> Result<Sent, String> {
    let replace = form.get("replace") == "yes";
    if let Some((name, bytes)) = form.file("file") {
        let Some(kind) = form_of_name(name) else {
            return Err(t.text("diagnoses-import-name").to_string());
        };
        return Ok(Sent { form: kind, bytes: bytes.to_owned(), replace });
    }
    let kind = form_of(form.get("form"));
    let bytes = STANDARD.decode(form.get("carried")).ok().filter(|bytes| !bytes.is_empty());
    match (kind, bytes) {
        (Some(form), Some(bytes)) => Ok(Sent { form, bytes, replace }),
        _ => Err(t.text("diagnoses-import-none").to_string()),
    }
}

async fn import(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    request: Request,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &text).await?;
    // Nobody who may not sends much.
    console.service.may_import_answers(member.caller(), &view.id)?;
    let form = Uploaded::read(&member, request, &SHAPE).await?;
    let sent = match sent(t, &form) {
        Ok(sent) => sent,
        Err(why) => return page(&member, &view, None, Some(why)),
    };
    let apply = match form.get("version") {
        "" => None,
        version => Some(version.parse().map_err(|_| Failure::bad_request())?),
    };
    let import = DiagnosisImport {
        form: sent.form,
        bytes: sent.bytes.clone(),
        replace: sent.replace,
        apply,
    };
    let here = format!("/diagnoses/{}/files", view.id);
    match console.service.import_answers(member.caller(), &view.id, import).await {
        Ok(found) if found.applied => {
            Ok(member.done(&format!("/diagnoses/{}", view.id), "answers-imported"))
        }
        Ok(found) => page(&member, &view, Some(Preview::new(t, &sent, &found)), None),
        Err(error) => match error.kind() {
            ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict => {
                let why = failure::said(t.language, error.problem());
                page(&member, &view, None, Some(why))
            }
            _ => sensitive::answer(&member, error, &here),
        },
    }
}

fn page(
    member: &Member,
    view: &DiagnosisView,
    preview: Option<Preview>,
    wrong: Option<String>,
) -> Result<Response, Failure> {
    let t = member.t;
    let here = format!("/diagnoses/{}", view.id);
    let file = |format: &str, name: &'static str| {
        Button::new(ButtonKind::Secondary, t.text(name))
            .icon(Icon::Download)
            .link(format!("{here}/file?format={format}"))
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let title = format!("{} – {}", t.text("diagnoses-files"), head::title(t, view));
    let page = FilesPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(member, view, "files"),
        files: vec![
            file("xlsx", "diagnoses-file-xlsx"),
            file("yaml", "diagnoses-file-yaml"),
            file("oscal", "diagnoses-file-oscal"),
            file("poam", "diagnoses-file-poam"),
            file("component", "diagnoses-file-component"),
        ],
        reports: report_fields(t),
        import: head::can_answer(member, view).then(|| format!("{here}/import")),
        preview,
        wrong: wrong.map(|text| {
            Message::new(Tone::Bad, text).title(t.text("forms-nothing-saved").to_string())
        }),
        here,
    };
    Ok(member.page_with(status, &page))
}

/// Which report: for whom, in which language, the reader's own first.
fn report_fields(t: Locale) -> Vec<Field> {
    let audiences = Audience::ALL
        .iter()
        .map(|one| Choice::new(one.name(), t.word("dreport-title", one.name()).to_string()));
    let mut languages: Vec<Language> = Language::ALL.to_vec();
    languages.sort_by_key(|language| *language != t.language);
    let languages =
        languages.into_iter().map(|one| Choice::new(one.name(), own_name(one))).collect();
    let formats = vec![
        Choice::new("html", t.text("dreport-as-page")),
        Choice::new("pdf", t.text("dreport-as-pdf")),
    ];
    vec![
        Field::select(t, "audience", t.text("dreport-audience"), audiences.collect()),
        Field::select(t, "lang", t.text("dreport-language"), languages),
        Field::select(t, "format", t.text("dreport-format"), formats),
    ]
}

#[derive(Template)]
#[template(path = "diagnoses/files.html")]
struct FilesPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    files: Vec<Button>,
    reports: Vec<Field>,
    import: Option<String>,
    preview: Option<Preview>,
    wrong: Option<Message>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Format {
    format: String,
}

async fn download(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(wanted): Asked<Format>,
) -> Answer {
    let id = super::id(&text)?;
    let language = member.t.language;
    let service = &console.service;
    let model = |model| {
        let wanted = OscalWanted { model, catalogue: None };
        service.diagnosis_oscal(member.caller(), &id, wanted, language)
    };
    let (bytes, kind, name) = match wanted.format.as_str() {
        "yaml" => (
            service.diagnosis_file(member.caller(), &id).await?,
            "application/yaml",
            "diagnosis.yaml",
        ),
        "xlsx" => (
            service.diagnosis_workbook(member.caller(), &id, language).await?,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "diagnosis.xlsx",
        ),
        "oscal" => (
            model(oscal::DocumentKind::Results).await?,
            "application/json",
            "assessment-results.json",
        ),
        "poam" => (
            model(oscal::DocumentKind::ActionPlan).await?,
            "application/json",
            "plan-of-action-and-milestones.json",
        ),
        "component" => (
            model(oscal::DocumentKind::Component).await?,
            "application/json",
            "component-definition.json",
        ),
        _ => return Err(Failure::bad_request()),
    };
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .map_err(|_| Failure::internal())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, bytes).into_response())
}
