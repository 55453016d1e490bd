//! Open a diagnosis, adopt the check sheet of now, sign, discard: each a page that asks.

use super::{head, id, percent};
use crate::{
    Answer, Asked, Console, Failure, Member, Posted, Section,
    pages::{form, form::ConfirmPage, sensitive, words},
    ui::{ButtonKind, Choice, Field},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use crypto::Sha256;
use device::ProductId;
use policy::Action;
use serde::Deserialize;
use service::{DiagnosisState, DiagnosisView, NewDiagnosis, Page};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses/new", get(ask_new).post(open))
        .route("/diagnoses/{id}/sign", get(ask_sign).post(sign))
        .route("/diagnoses/{id}/adopt", get(ask_adopt).post(adopt))
        .route("/diagnoses/{id}/discard", get(ask_discard).post(discard))
}

/// Characters of a subject.
const SUBJECT_MAX: u32 = 100;
/// Diagnoses to begin from that are offered.
const EARLIER: u32 = 20;

/// What is to be opened, from the address or the form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct New {
    product: String,
    subject: String,
    from: String,
}

async fn new_form(
    console: &Console,
    member: &Member,
    new: &New,
) -> Result<form::FormPage, Failure> {
    let t = member.t;
    let own = &member.signed().organisation;
    if !words::may(member, Action::AnswerDiagnosis, own) {
        return Err(Failure::forbidden());
    }
    let title = t.text("diagnoses-new").to_string();
    let back = match new.product.as_str() {
        "" => "/diagnoses".to_owned(),
        product => format!("/products/{own}/{product}/diagnoses"),
    };
    let mut page = form::FormPage::new(member, Section::Diagnoses, title, "/diagnoses/new", &back)
        .crumb("/diagnoses", t.text("diagnoses-title"))
        .lead(t.text("diagnoses-new-lead"))
        .button(t.text("diagnoses-new-do"));
    let subject = Field::text(t, "subject", t.text("diagnoses-subject"))
        .hint(t.text("diagnoses-subject-hint"))
        .value(&new.subject)
        .most(SUBJECT_MAX)
        .required();
    let mut fields = Vec::new();
    if new.product.is_empty() {
        let products = crate::pages::releases::products(console, member).await?;
        let choices = products.into_iter().map(|(id, name)| Choice::new(id, name)).collect();
        fields.push(Field::select(t, "product", t.text("releases-product"), choices).required());
        fields.push(subject);
    } else {
        let product = ProductId::new(&new.product).map_err(|_| Failure::not_found())?;
        let part = Page { after: None, limit: EARLIER };
        let service = &console.service;
        let known = service.product(member.caller(), own, &product).await?;
        let earlier = service.diagnoses(member.caller(), own, Some(&product), &part).await?;
        page = page.hidden("product", &new.product).crumb(&back, &known.name);
        fields.push(subject);
        if !earlier.items.is_empty() {
            let values = earlier.items.iter().map(|view| {
                let state = t.word("diagnosis-state", view.state.name());
                (view.id.to_string(), format!("{} ({state})", view.subject))
            });
            let choices = words::choices(t.text("diagnoses-from-none"), values);
            fields.push(
                Field::select(t, "from", t.text("diagnoses-from"), choices)
                    .hint(t.text("diagnoses-from-hint"))
                    .value(&new.from),
            );
        }
    }
    Ok(page.fields(fields))
}

async fn ask_new(State(console): State<Console>, member: Member, Asked(new): Asked<New>) -> Answer {
    new_form(&console, &member, &new).await?.show(&member)
}

async fn open(State(console): State<Console>, member: Member, Posted(new): Posted<New>) -> Answer {
    let from = match new.from.as_str() {
        "" => None,
        from => Some(id(from)?),
    };
    let wanted = NewDiagnosis {
        organisation: member.signed().organisation.clone(),
        product: ProductId::new(&new.product).map_err(|_| Failure::not_found())?,
        subject: new.subject.trim().to_owned(),
        from,
    };
    match console.service.open_diagnosis(member.caller(), wanted).await {
        Ok(view) => Ok(member.done(&format!("/diagnoses/{}", view.id), "diagnosis-opened")),
        Err(error) => {
            let page = new_form(&console, &member, &new).await?;
            let places = [("subject", "subject"), ("other-product", "from")];
            form::refused(&member, error, "/diagnoses/new", &places, || page)
        }
    }
}

/// An open diagnosis that the visitor may do this with, and the page that asks.
async fn ask(
    console: &Console,
    member: &Member,
    text: &str,
    action: Action,
    question: String,
) -> Result<(DiagnosisView, ConfirmPage), Failure> {
    let view = head::found(console, member, text).await?;
    if !words::may(member, action, &view.organisation) {
        return Err(Failure::forbidden());
    }
    if view.state != DiagnosisState::Open {
        return Err(Failure::conflict());
    }
    let title = head::title(member.t, &view);
    let mut crumbs = head::crumbs(member.t, &view);
    crumbs.push((format!("/diagnoses/{}", view.id), view.subject.clone()));
    let page = ConfirmPage::new(member, Section::Diagnoses, crumbs, title, question);
    Ok((view, page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    content: String,
    version: u64,
}

async fn ask_sign(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let t = member.t;
    let question = t.text("diagnoses-sign-question").to_string();
    let (view, page) = ask(&console, &member, &text, Action::SignDiagnosis, question).await?;
    let figures = console.service.diagnosis_figures(member.caller(), &view.id).await?;
    let gaps = console.service.diagnosis_gaps(member.caller(), &view.id).await?;
    let content = figures.content.to_string();
    let stands = t
        .text("diagnoses-sign-stands")
        .arg("fulfilled", percent(view.total.fulfilled_percent()))
        .arg("claimed", percent(view.total.claimed_percent()))
        .arg("gaps", gaps.len())
        .to_string();
    let page = page.with(|confirm| {
        confirm
            .effect(stands)
            .effect(t.text("diagnoses-sign-content").arg("content", content.as_str()).to_string())
            .effect(t.text("diagnoses-sign-second").to_string())
            .effect(t.text("diagnoses-sign-final").to_string())
            .hidden("content", &content)
            .button(ButtonKind::Primary, t.text("diagnoses-sign-do"))
    });
    Ok(member.page(&page))
}

async fn sign(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let id = id(&text)?;
    let content = Sha256::from_hex(&said.content).ok_or_else(Failure::bad_request)?;
    let back = format!("/diagnoses/{id}");
    match console.service.sign_diagnosis(member.caller(), &id, content).await {
        Ok(_) => Ok(member.done(&back, "diagnosis-signed")),
        Err(error) => sensitive::answer(&member, error, &format!("{back}/sign")),
    }
}

async fn ask_adopt(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let t = member.t;
    let question = t.text("diagnoses-adopt-question").to_string();
    let (view, page) = ask(&console, &member, &text, Action::AnswerDiagnosis, question).await?;
    let figures = console.service.diagnosis_figures(member.caller(), &view.id).await?;
    let page = page.with(|mut confirm| {
        if !figures.orphans.is_empty() {
            let topics = figures.orphans.join(", ");
            let gone = t.text("diagnoses-adopt-gone").arg("topics", topics);
            confirm = confirm.effect(gone.to_string());
        }
        confirm
            .effect(t.text("diagnoses-adopt-new").to_string())
            .hidden("version", &view.version.to_string())
            .button(ButtonKind::Primary, t.text("diagnoses-adopt-do"))
    });
    Ok(member.page(&page))
}

async fn adopt(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let id = id(&text)?;
    let back = format!("/diagnoses/{id}");
    match console.service.adopt_sheet(member.caller(), &id, said.version).await {
        Ok(_) => Ok(member.done(&back, "sheet-adopted")),
        Err(error) => sensitive::answer(&member, error, &format!("{back}/adopt")),
    }
}

async fn ask_discard(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let t = member.t;
    let question = t.text("diagnoses-discard-question").to_string();
    let (_, page) = ask(&console, &member, &text, Action::AnswerDiagnosis, question).await?;
    let page = page.with(|confirm| {
        confirm
            .effect(t.text("diagnoses-discard-gone").to_string())
            .button(ButtonKind::Danger, t.text("diagnoses-discard"))
    });
    Ok(member.page(&page))
}

async fn discard(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(_): Posted<Said>,
) -> Answer {
    let id = id(&text)?;
    match console.service.discard_diagnosis(member.caller(), &id).await {
        Ok(()) => Ok(member.done("/diagnoses", "diagnosis-discarded")),
        Err(error) => sensitive::answer(&member, error, &format!("/diagnoses/{id}/discard")),
    }
}
