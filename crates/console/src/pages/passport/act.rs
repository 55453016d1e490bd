//! Acts on a device: each is a page that says beforehand what will happen, and a form.

use super::{id, link, words};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section, failure,
    i18n::Locale,
    pages::{listing, sensitive},
    ui::{Button, ButtonKind, Choice, Confirm, Field, Message, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{Cause, DeviceId, OrganisationId};
use http::StatusCode;
use policy::Action;
use serde::Deserialize;
use service::{DeviceAct, DeviceView, REASON_CHARS_MAX};

/// The act that is none of the life cycle's: contents are erased, commitments remain.
const ERASE: &str = "erase";

pub(super) fn router() -> Router<Console> {
    Router::new().route("/devices/{id}/act/{act}", get(ask).post(perform))
}

/// What an act still needs to be known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cause: String,
    to: String,
    reason: String,
}

/// As the buttons stand: what can be taken back first, what ends a life last.
const IN_ORDER: &[&str] = &[
    "accept-transfer",
    "release",
    "suspend",
    "offer-transfer",
    "cancel-transfer",
    "retire",
    "dispose",
    "revoke",
];

/// Which acts would be done now: those that the page offers.
pub(super) async fn offered(
    console: &Console,
    member: &Member,
    view: &DeviceView,
) -> Result<Vec<Button>, Failure> {
    let t = member.t;
    let mut buttons = Vec::new();
    let own = &member.signed().organisation;
    for name in IN_ORDER {
        let offers = *name == "offer-transfer";
        let allowed = if offers {
            // To whom is not known yet.
            *own == view.owner
                && view.phase.is_some()
                && words::may(member, Action::TransferDevice, own)
        } else {
            match DeviceAct::from_name(name, Some(Cause::Anomaly), None) {
                Some(act) => {
                    let preview = console.service.preview_act(member.caller(), &view.id, &act);
                    preview.await?.allowed()
                }
                None => false,
            }
        };
        if allowed {
            buttons.push(button(t, &view.id, name));
        }
    }
    if *own == view.owner && view.events > 0 && words::may(member, Action::EraseDevice, own) {
        buttons.push(button(t, &view.id, ERASE));
    }
    Ok(buttons)
}

fn kind(name: &str) -> ButtonKind {
    match name {
        "revoke" | "dispose" | "retire" | ERASE => ButtonKind::Danger,
        _ => ButtonKind::Secondary,
    }
}

/// As it stands on its own page: the one thing to do there.
fn on_page(name: &str) -> ButtonKind {
    match kind(name) {
        ButtonKind::Danger => ButtonKind::Danger,
        _ => ButtonKind::Primary,
    }
}

fn button(t: Locale, id: &DeviceId, name: &str) -> Button {
    // On the passport no act stands out by a ground of its own: the page that follows warns.
    let kind = match kind(name) {
        ButtonKind::Danger => ButtonKind::Grave,
        kind => kind,
    };
    link(kind, t.word("act-name", name).to_string(), format!("/devices/{id}/act/{name}"))
}

/// Whether an act wants a cause.
fn wants_cause(name: &str) -> bool {
    matches!(name, "suspend" | "revoke" | "retire")
}

/// The act with what is known so far; `None` where something is missing or wrong.
fn read(name: &str, details: &Details) -> Option<DeviceAct> {
    let cause = details.cause.parse().ok();
    DeviceAct::from_name(name, cause, OrganisationId::new(details.to.trim()).ok())
}

fn causes(t: Locale) -> Vec<Choice> {
    // None is chosen beforehand: it stands in the history for good.
    let none = Choice::new("", t.text("act-cause-choose"));
    let all = Cause::ALL.iter().map(|cause| Choice::new(cause.name(), t.of(cause.text())));
    [none].into_iter().chain(all).collect()
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path((text, name)): Path<(String, String)>,
    Asked(details): Asked<Details>,
) -> Answer {
    let id = id(&text)?;
    let view = console.service.device(member.caller(), &id).await?;
    show(&console, &member, &view, &name, &details, None).await
}

async fn show(
    console: &Console,
    member: &Member,
    view: &DeviceView,
    name: &str,
    details: &Details,
    wrong: Option<String>,
) -> Answer {
    let t = member.t;
    let refused = wrong.is_some();
    let id = view.id;
    let here = format!("/devices/{id}/act/{name}");
    let back = format!("/devices/{id}");
    let known = name == ERASE || DeviceAct::NAMES.contains(&name);
    if !known {
        return Err(Failure::not_found());
    }
    let frame = member.frame(Section::Devices, t.word("act-title", name));
    let mut page = ActPage {
        t,
        frame,
        back: back.clone(),
        serial: view.serial_number.clone(),
        refusal: None,
        whom: None,
        confirm: None,
    };
    if name == "offer-transfer" && OrganisationId::new(details.to.trim()).is_err() {
        let missing = (!details.to.is_empty()).then(|| t.text("act-to-wrong").to_string());
        let field = Field::text(t, "to", t.text("act-to"))
            .hint(t.text("act-to-hint"))
            .value(&details.to)
            .error(missing)
            .required()
            .most(40);
        page.whom = Some((here, field));
        return Ok(member.page(&page));
    }
    let mut confirm = Confirm::new(&page.frame, &here, &view.serial_number, &back);
    if name == ERASE {
        let own = &member.signed().organisation;
        if *own != view.owner || !words::may(member, Action::EraseDevice, own) {
            return Err(Failure::forbidden());
        }
        confirm = confirm
            .effect(t.text("act-erase-contents").arg("count", view.events).to_string())
            .effect(t.text("act-erase-commitments").to_string())
            .effect(t.text("act-erase-final").to_string());
    } else {
        // What will happen does not depend on the cause; the form asks for it.
        let cause = details.cause.parse().unwrap_or(Cause::Anomaly);
        let to = OrganisationId::new(details.to.trim()).ok();
        let act = DeviceAct::from_name(name, Some(cause), to).ok_or_else(Failure::bad_request)?;
        let preview = console.service.preview_act(member.caller(), &id, &act).await?;
        if let Some(problem) = &preview.refusal {
            page.refusal = Some(
                Message::new(Tone::Bad, failure::said(t.language, problem))
                    .title(t.text("act-not-possible")),
            );
            return Ok(member.page(&page));
        }
        for consequence in &preview.consequences {
            confirm = confirm.effect(failure::sentence(&consequence.text(t.language), t.language));
        }
        if wants_cause(name) {
            let mut field = Field::select(t, "cause", t.text("act-cause"), causes(t)).required();
            if let Ok(cause) = details.cause.parse::<Cause>() {
                field = field.value(cause.name());
            }
            confirm = confirm.field(field);
        }
        if let DeviceAct::OfferTransfer { to } = &act {
            confirm = confirm.hidden("to", to.as_str());
        }
        let reason = Field::text(t, "reason", t.text("act-reason"))
            .hint(t.text("act-reason-hint"))
            .value(&details.reason)
            .optional()
            .most(u32::try_from(REASON_CHARS_MAX).unwrap_or(u32::MAX));
        confirm = confirm.field(reason.error(wrong));
    }
    page.confirm = Some(confirm.button(on_page(name), t.word("act-name", name)));
    let status = if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(member.page_with(status, &page))
}

async fn perform(
    State(console): State<Console>,
    member: Member,
    Path((text, name)): Path<(String, String)>,
    Posted(details): Posted<Details>,
) -> Answer {
    let id = id(&text)?;
    let back = format!("/devices/{id}");
    let here = listing::address(
        &format!("{back}/act/{name}"),
        &[("cause", &details.cause), ("to", &details.to), ("reason", &details.reason)],
    );
    let done = if name == ERASE {
        console.service.erase_device(member.caller(), &id).await
    } else {
        let act = read(&name, &details).ok_or_else(Failure::bad_request)?;
        let reason = Some(details.reason.as_str());
        console.service.perform_act_because(member.caller(), &id, &act, reason).await
    };
    match done {
        // Who gave a device away may not see it any more.
        Ok(_) => match console.service.device(member.caller(), &id).await {
            Ok(_) => Ok(member.done(&back, "act-done")),
            Err(_) => Ok(member.done("/devices", "act-done")),
        },
        Err(error) if error.code() == "reason" => {
            let wrong = failure::said(member.t.language, error.problem());
            let view = console.service.device(member.caller(), &id).await?;
            show(&console, &member, &view, &name, &details, Some(wrong)).await
        }
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

#[derive(Template)]
#[template(path = "passport/act.html")]
struct ActPage {
    t: Locale,
    frame: Frame,
    back: String,
    serial: String,
    refusal: Option<Message>,
    whom: Option<(String, Field)>,
    confirm: Option<Confirm>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_has_its_place() {
        let mut ordered = IN_ORDER.to_vec();
        ordered.sort_unstable();
        let mut all = DeviceAct::NAMES.to_vec();
        all.sort_unstable();
        assert_eq!(ordered, all);
    }
}
