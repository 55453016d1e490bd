//! Enter operation, enter it although items are open, leave it: each a page that asks.

use super::{address, product_of};
use crate::{
    Answer, Console, Failure, Member, Posted, Section,
    pages::{form, form::ConfirmPage, sensitive, words},
    ui::{ButtonKind, Field},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{OrganisationId, ProductId};
use policy::Action;
use serde::Deserialize;
use service::OperationView;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/operation/{maker}/{product}/enter", get(ask_enter).post(enter))
        .route("/operation/{maker}/{product}/overrule", get(ask_overrule).post(overrule))
        .route("/operation/{maker}/{product}/leave", get(ask_leave).post(leave))
}

/// Longest reason, in characters.
const REASON_MAX: u32 = 500;
/// Open items that a page names.
const NAMED: usize = 12;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    reason: String,
    until: String,
}

/// What an act is about.
struct About {
    maker: OrganisationId,
    product: ProductId,
    name: String,
    view: OperationView,
}

async fn about(
    console: &Console,
    member: &Member,
    (maker, product): (String, String),
    action: Action,
) -> Result<About, Failure> {
    let (maker, product) = product_of(&maker, &product)?;
    let known = console.service.product(member.caller(), &maker, &product).await?;
    if !words::may(member, action, &maker) {
        return Err(Failure::forbidden());
    }
    let view = console.service.operation(member.caller(), &maker, &product).await?;
    Ok(About { maker, product, name: known.name, view })
}

fn confirm(member: &Member, about: &About, question: String) -> ConfirmPage {
    let t = member.t;
    let crumbs = vec![
        ("/products".to_owned(), t.text("products-title").to_string()),
        (address(&about.maker, &about.product), about.name.clone()),
    ];
    ConfirmPage::new(member, Section::Products, crumbs, about.name.clone(), question)
}

async fn ask_enter(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
) -> Answer {
    let about = about(&console, &member, of, Action::EnterOperation).await?;
    let t = member.t;
    let question = t.text("operation-enter-question").to_string();
    let page = confirm(&member, &about, question).with(|confirm| {
        confirm
            .effect(t.text("operation-enter-certificates").to_string())
            .effect(t.text("operation-recorded").to_string())
            .button(ButtonKind::Primary, t.text("operation-enter"))
    });
    Ok(member.page(&page))
}

async fn enter(
    State(console): State<Console>,
    member: Member,
    Path((maker, product)): Path<(String, String)>,
    Posted(_): Posted<Said>,
) -> Answer {
    let (maker, product) = product_of(&maker, &product)?;
    let here = address(&maker, &product);
    match console.service.enter_operation(member.caller(), &maker, &product).await {
        Ok(_) => Ok(member.done(&here, "operation-entered")),
        Err(error) => sensitive::answer(&member, error, &format!("{here}/enter")),
    }
}

fn overrule_form(member: &Member, about: &About, said: &Said) -> form::FormPage {
    let t = member.t;
    let here = address(&about.maker, &about.product);
    let open = &about.view.open;
    let named: Vec<_> = open.iter().take(NAMED).map(|(item, _)| item.as_str()).collect();
    let mut items = named.join(", ");
    if open.len() > NAMED {
        items.push_str(" …");
    }
    let lead = t.text("operation-overrule-lead").arg("count", open.len()).arg("items", items);
    let fields = vec![
        Field::text(t, "reason", t.text("operation-reason"))
            .hint(t.text("operation-reason-hint"))
            .value(&said.reason)
            .most(REASON_MAX)
            .required(),
        Field::date(t, "until", t.text("operation-until"))
            .hint(t.text("operation-until-hint"))
            .value(&said.until)
            .required(),
    ];
    let title = t.text("operation-overrule-question").to_string();
    form::FormPage::new(member, Section::Products, title, &format!("{here}/overrule"), &here)
        .crumb("/products", t.text("products-title"))
        .crumb(&here, &about.name)
        .lead(lead)
        .fields(fields)
        .button(t.text("operation-overrule-do"))
}

async fn ask_overrule(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
) -> Answer {
    let about = about(&console, &member, of, Action::OverruleOperation).await?;
    overrule_form(&member, &about, &Said::default()).show(&member)
}

async fn overrule(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Posted(said): Posted<Said>,
) -> Answer {
    let about = about(&console, &member, of, Action::OverruleOperation).await?;
    let t = member.t;
    let here = address(&about.maker, &about.product);
    let mut mistakes = form::Mistakes::default();
    // The day that is named still counts: the exception ends with it.
    let midnight = |day: &str| t.zone.midnight(day.trim()).map(|at| at.plus(86_400));
    let until = mistakes.read("until", &said.until, midnight, t.text("operation-until-wrong"));
    let (true, Some(until)) = (mistakes.is_empty(), until) else {
        return Ok(overrule_form(&member, &about, &said).refuse(&member, mistakes));
    };
    let service = &console.service;
    let done = service
        .overrule_operation(
            member.caller(),
            &about.maker,
            &about.product,
            said.reason.trim(),
            until,
        )
        .await;
    match done {
        Ok(_) => Ok(member.done(&here, "operation-overruled")),
        Err(error) => {
            let places = [("reason", "reason"), ("until", "until")];
            form::refused(&member, error, &format!("{here}/overrule"), &places, || {
                overrule_form(&member, &about, &said)
            })
        }
    }
}

async fn ask_leave(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
) -> Answer {
    let about = about(&console, &member, of, Action::EnterOperation).await?;
    let t = member.t;
    let reason = Field::text(t, "reason", t.text("operation-reason"))
        .hint(t.text("operation-reason-hint"))
        .most(REASON_MAX)
        .required();
    let question = t.text("operation-leave-question").to_string();
    let page = confirm(&member, &about, question).with(|confirm| {
        confirm
            .effect(t.text("operation-leave-certificates").to_string())
            .effect(t.text("operation-leave-devices").to_string())
            .effect(t.text("operation-recorded").to_string())
            .field(reason)
            .button(ButtonKind::Danger, t.text("operation-leave"))
    });
    Ok(member.page(&page))
}

async fn leave(
    State(console): State<Console>,
    member: Member,
    Path((maker, product)): Path<(String, String)>,
    Posted(said): Posted<Said>,
) -> Answer {
    let (maker, product) = product_of(&maker, &product)?;
    let here = address(&maker, &product);
    let reason = said.reason.trim();
    match console.service.leave_operation(member.caller(), &maker, &product, reason).await {
        Ok(_) => Ok(member.done(&here, "operation-left")),
        Err(error) => sensitive::answer(&member, error, &format!("{here}/leave")),
    }
}
