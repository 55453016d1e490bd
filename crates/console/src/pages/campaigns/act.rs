//! Start, pause, resume, roll back, cancel: each a page that says what will happen, and asks.

use super::id;
use crate::{
    Answer, Console, Failure, Fields, Member, Section,
    pages::{form::ConfirmPage, sensitive, words},
    ui::ButtonKind,
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use policy::Action;
use service::{CampaignView, TRIAL_MEMBERS_MAX};
use update::campaign::State as Stands;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/campaigns/{id}/{act}", get(ask).post(perform))
}

/// What can be done to a campaign in its state, the likeliest first.
pub(super) fn possible(view: &CampaignView) -> Vec<(&'static str, ButtonKind)> {
    let mut acts = match view.state {
        Stands::Draft => vec![("start", ButtonKind::Primary)],
        Stands::Running => vec![("pause", ButtonKind::Primary)],
        Stands::Paused => vec![("resume", ButtonKind::Primary)],
        Stands::RollingBack => Vec::new(),
        Stands::Finished | Stands::RolledBack | Stands::Cancelled => return Vec::new(),
    };
    if view.roll_back_to.is_some() && matches!(view.state, Stands::Running | Stands::Paused) {
        acts.push(("roll-back", ButtonKind::Grave));
    }
    acts.push(("cancel", ButtonKind::Grave));
    acts
}

/// The right that an act takes.
pub(super) fn needs(act: &str) -> Action {
    match act {
        "pause" | "cancel" => Action::SteerCampaign,
        _ => Action::StartCampaign,
    }
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path((text, act)): Path<(String, String)>,
) -> Answer {
    let view = console.service.campaign(member.caller(), &id(&text)?).await?;
    if !crate::i18n::family_has("campaign-do", &act) {
        return Err(Failure::not_found());
    }
    if !words::may(&member, needs(&act), &view.organisation) {
        return Err(Failure::forbidden());
    }
    if !possible(&view).iter().any(|(name, _)| *name == act) {
        return Err(Failure::conflict());
    }
    let t = member.t;
    let crumbs = vec![
        ("/campaigns".to_owned(), t.text("campaigns-title").to_string()),
        (format!("/campaigns/{}", view.id), view.name.clone()),
    ];
    let question = t.word("campaign-question", &act);
    let page = ConfirmPage::new(&member, Section::Campaigns, crumbs, &view.name, question);
    let page = page.with(|confirm| {
        let effect = t.word("campaign-effect", &act).arg("count", view.members);
        let mut confirm = confirm.effect(effect.to_string());
        if act == "start" && view.members > TRIAL_MEMBERS_MAX {
            confirm = confirm.effect(t.text("campaigns-approval-says").to_string());
        }
        let kind = match act.as_str() {
            "cancel" | "roll-back" => ButtonKind::Danger,
            _ => ButtonKind::Primary,
        };
        confirm.button(kind, t.word("campaign-do", &act))
    });
    Ok(member.page(&page))
}

async fn perform(
    State(console): State<Console>,
    member: Member,
    Path((text, act)): Path<(String, String)>,
    _form: Fields,
) -> Answer {
    let id = id(&text)?;
    let back = format!("/campaigns/{id}");
    let (service, caller) = (&console.service, member.caller());
    let (done, notice) = match act.as_str() {
        "start" => (service.start_campaign(caller, &id).await, "campaign-start"),
        "pause" => (service.pause_campaign(caller, &id).await, "campaign-pause"),
        "resume" => (service.resume_campaign(caller, &id).await, "campaign-resume"),
        "roll-back" => (service.roll_back_campaign(caller, &id).await, "campaign-roll-back"),
        "cancel" => (service.cancel_campaign(caller, &id).await, "campaign-cancel"),
        _ => return Err(Failure::not_found()),
    };
    match done {
        Ok(_) => Ok(member.done(&back, notice)),
        Err(error) => sensitive::answer(&member, error, &format!("{back}/{act}")),
    }
}
