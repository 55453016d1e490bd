//! An organisation suspended, resumed, renamed: by the platform's administrators.

use super::id;
use crate::{
    Answer, Console, Failure, Member, Posted, Section,
    pages::{
        form::{self, ConfirmPage, FormPage},
        words,
    },
    ui::{ButtonKind, Field},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use policy::Action;
use serde::Deserialize;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/organisations/{id}/suspend", get(ask_suspend).post(suspend))
        .route("/organisations/{id}/resume", get(ask_resume).post(resume))
        .route("/organisations/{id}/name", get(ask_name).post(rename))
}

/// Whether the visitor is offered any of it.
pub(super) fn may(member: &Member) -> bool {
    let own = &member.signed().organisation;
    own.as_str() == policy::PLATFORM && words::may(member, Action::SuspendOrganisation, own)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    reason: String,
    name: String,
}

async fn ask_suspend(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    ask(&console, &member, &text, true).await
}

async fn ask_resume(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    ask(&console, &member, &text, false).await
}

async fn ask(console: &Console, member: &Member, text: &str, suspend: bool) -> Answer {
    if !may(member) {
        return Err(Failure::forbidden());
    }
    let view = console.service.organisation(member.caller(), &id(text)?).await?;
    let t = member.t;
    let crumbs = vec![
        ("/organisations".to_owned(), t.text("organisations-title").to_string()),
        (format!("/organisations/{}", view.id), view.name.clone()),
    ];
    let what = if suspend { "suspend" } else { "resume" };
    let question = t.word("organisation-question", what);
    let page = ConfirmPage::new(member, Section::Organisations, crumbs, &view.name, question);
    let reason = Field::text(t, "reason", t.text("organisations-reason"))
        .hint(t.text("organisations-reason-hint"))
        .required()
        .most(200);
    let page = page.with(|confirm| {
        let confirm = match suspend {
            true => confirm
                .effect(t.text("organisations-suspend-people").to_string())
                .effect(t.text("organisations-suspend-enrolment").to_string())
                .effect(t.text("organisations-suspend-jobs").to_string())
                .effect(t.text("organisations-suspend-devices").to_string()),
            false => confirm.effect(t.text("organisations-resume-people").to_string()),
        };
        let kind = if suspend { ButtonKind::Danger } else { ButtonKind::Primary };
        confirm.field(reason).button(kind, t.word("organisation-do", what))
    });
    Ok(member.page(&page))
}

async fn suspend(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let (id, back) = (id(&text)?, format!("/organisations/{text}"));
    match console.service.suspend_organisation(member.caller(), &id, &said.reason).await {
        Ok(_) => Ok(member.done(&back, "organisation-suspended")),
        Err(error) => crate::pages::sensitive::answer(&member, error, &format!("{back}/suspend")),
    }
}

async fn resume(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let (id, back) = (id(&text)?, format!("/organisations/{text}"));
    match console.service.resume_organisation(member.caller(), &id, &said.reason).await {
        Ok(_) => Ok(member.done(&back, "organisation-resumed")),
        Err(error) => crate::pages::sensitive::answer(&member, error, &format!("{back}/resume")),
    }
}

fn name_page(member: &Member, view: &service::OrganisationView, name: &str) -> FormPage {
    let t = member.t;
    let back = format!("/organisations/{}", view.id);
    let title = t.text("organisations-rename");
    FormPage::new(member, Section::Organisations, title, &format!("{back}/name"), &back)
        .crumb("/organisations", t.text("organisations-title"))
        .crumb(&back, &view.name)
        .lead(t.text("organisations-rename-lead"))
        .fields(vec![
            Field::text(t, "name", t.text("organisations-name")).value(name).required().most(64),
        ])
        .button(t.text("organisations-rename"))
}

async fn ask_name(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    if !may(&member) {
        return Err(Failure::forbidden());
    }
    let view = console.service.organisation(member.caller(), &id(&text)?).await?;
    name_page(&member, &view, &view.name).show(&member)
}

async fn rename(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let (id, back) = (id(&text)?, format!("/organisations/{text}"));
    match console.service.rename_organisation(member.caller(), &id, said.name.trim()).await {
        Ok(_) => Ok(member.done(&back, "organisation-renamed")),
        Err(error) => {
            let view = console.service.organisation(member.caller(), &id).await;
            // Whose form it is not is told what stood in the way.
            let Ok(view) = view else {
                return crate::pages::sensitive::answer(&member, error, &back);
            };
            let places = &[("name", "name"), ("nothing-changed", "name")];
            form::refused(&member, error, &format!("{back}/name"), places, || {
                name_page(&member, &view, &said.name)
            })
        }
    }
}
