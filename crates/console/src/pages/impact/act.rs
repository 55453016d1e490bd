//! Concluding a form: what it means is said beforehand.

use super::{About, may};
use crate::{
    Answer, Console, Failure, Member, Posted, Section,
    pages::form::{self, FormPage},
};
use assessment::threat::{Form, Impact};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use service::{ImpactLooked, rule_book};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/products/{maker}/{id}/impact/{form}/conclude", get(ask).post(done))
}

#[derive(Debug, Deserialize)]
struct Read {
    version: u64,
}

fn page(member: &Member, about: &About, form: &Form, version: u64) -> FormPage {
    let t = member.t;
    let title = form.title.of(t.language);
    let (here, back) = (format!("{}/conclude", about.form(&form.id)), about.form(&form.id));
    let heading = t.text("impact-conclude-of").arg("form", title).to_string();
    let mut page = FormPage::new(member, Section::Products, heading, &here, &back);
    for (href, label) in about.crumbs(t) {
        page = page.crumb(href, label);
    }
    page.crumb(&back, title)
        .lead(t.text("impact-conclude-lead"))
        .hidden("version", &version.to_string())
        .button(t.text("impact-conclude"))
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, form)): Path<(String, String, String)>,
) -> Answer {
    let about = About::of(&console, &member, &maker, &id).await?;
    if !may(&member, &about).1 {
        return Err(Failure::forbidden());
    }
    let form = rule_book()?.form(&form).ok_or_else(Failure::not_found)?;
    let look = move |looked: &ImpactLooked<'_>| {
        let answers = looked.answers.get(&form.id)?;
        let complete = Impact::of(form, answers, looked.analysis).is_complete();
        Some((looked.standing.get(&form.id)?.version, complete))
    };
    let found =
        console.service.look_at_impact(member.caller(), &about.maker, &about.id, look).await?;
    let (version, complete) = found.ok_or_else(Failure::not_found)?;
    if !complete {
        // The page before says what is missing.
        return Ok(member.go(&about.form(&form.id)));
    }
    page(&member, &about, form, version).show(&member)
}

async fn done(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, form)): Path<(String, String, String)>,
    Posted(read): Posted<Read>,
) -> Answer {
    let about = About::of(&console, &member, &maker, &id).await?;
    let form = rule_book()?.form(&form).ok_or_else(Failure::not_found)?;
    let (service, caller) = (&console.service, member.caller());
    let here = format!("{}/conclude", about.form(&form.id));
    match service.conclude_impact(caller, &about.maker, &about.id, &form.id, read.version).await {
        Ok(()) => Ok(member.done(&about.form(&form.id), "impact-concluded")),
        Err(error) => {
            form::refused(&member, error, &here, &[], || page(&member, &about, form, read.version))
        }
    }
}
