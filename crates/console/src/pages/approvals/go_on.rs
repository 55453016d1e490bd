//! Going on with what another person approved: nothing is selected or typed again.

use super::{id, summary};
use crate::{
    Answer, Console, Fields, Frame, Member, Section, failure,
    i18n::Locale,
    pages::{listing, people::link_page, sensitive},
    ui::{ButtonKind, Confirm, Message, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use policy::Act;
use service::{ApprovalView, Continued};

/// Devices that do not qualify any more, as shown.
const SHOWN: usize = 50;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/approvals/{id}/continue", get(ask).post(go_on))
}

/// Where an approved act is repeated that its request does not hold all of: a file, or a form.
pub(super) fn repeated_at(view: &ApprovalView) -> Option<String> {
    let (_, intent): (String, serde_json::Value) = serde_json::from_str(&view.arguments).ok()?;
    let text = |name: &str| intent.get(name).and_then(|value| value.as_str());
    match text("do")? {
        "export" => Some(export_address(text("filter")?)),
        "export-result" => {
            let job: service::JobId = text("job")?.parse().ok()?;
            Some(format!("/jobs/{job}/result"))
        }
        "install-ca" => Some("/authorities/install".to_owned()),
        _ => None,
    }
}

/// The file of the very search that was approved: its conditions have the names of the address, and
/// the text, which may hold anything, is the last, as a JSON string.
fn export_address(filter: &str) -> String {
    let (words, text) = match filter.split_once("text=") {
        Some((words, text)) => (words, serde_json::from_str::<String>(text).ok()),
        None => (filter, None),
    };
    let mut pairs: Vec<(&str, &str)> =
        words.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    pairs.extend(text.as_deref().map(|text| ("text", text)));
    listing::address("/devices/export", &pairs)
}

async fn ask(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let id = id(&text)?;
    let view = console.service.approval(member.caller(), &id).await?;
    let found = console.service.preview_continuation(member.caller(), &id).await?;
    let t = member.t;
    let frame = member.frame(Section::Approvals, t.text("approvals-continue-title"));
    let back = format!("/approvals/{id}");
    let mut confirm = Confirm::new(&frame, &member.path, summary(t, &view), &back);
    if found.devices > 0 {
        let devices = t.text("approvals-continue-devices").arg("count", found.devices);
        let allowed =
            t.text("bulk-allowed").arg("allowed", found.allowed).arg("tried", found.tried);
        confirm = confirm.effect(devices.to_string()).effect(allowed.to_string());
    }
    let danger = matches!(view.act, Act::BulkRevoke | Act::Erase);
    let kind = if danger { ButtonKind::Danger } else { ButtonKind::Primary };
    let confirm = confirm
        .effect(t.text("approvals-continue-once").to_string())
        .button(kind, t.text("approvals-continue").to_string());
    let changed = !found.refused.is_empty();
    let page = GoOnPage {
        t,
        frame,
        back,
        message: match (changed, found.tried > 0 && found.allowed == 0) {
            (_, true) => Some(Message::new(Tone::Warn, t.text("bulk-none"))),
            (true, _) => Some(Message::new(Tone::Warn, t.text("approvals-continue-changed"))),
            (false, _) => None,
        },
        confirm,
        more: found.refused.len() > SHOWN,
        refused: found
            .refused
            .into_iter()
            .take(SHOWN)
            .map(|(device, problem)| (device.to_string(), failure::said(t.language, &problem)))
            .collect(),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "approvals/continue.html")]
struct GoOnPage {
    t: Locale,
    frame: Frame,
    back: String,
    message: Option<Message>,
    confirm: Confirm,
    refused: Vec<(String, String)>,
    more: bool,
}

async fn go_on(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let back = format!("/approvals/{text}");
    let done = console.service.continue_request(member.caller(), &id(&text)?).await;
    match done {
        Ok(Continued::Job(job)) => Ok(member.done(&format!("/jobs/{}", job.id), "job-started")),
        Ok(Continued::Link(invited)) => {
            // An organisation's first administrator is none of the visitor's own people.
            let own = invited.person.organisation == member.signed().organisation;
            let back = (!own).then(|| format!("/organisations/{}", invited.person.organisation));
            Ok(link_page(&console, &member, &invited, Section::Approvals, back))
        }
        Ok(Continued::Recorded(_)) => Ok(member.done(&back, "act-done")),
        Err(error) => sensitive::answer(&member, error, &format!("{back}/continue")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_approved_search_is_at_its_address() {
        for (filter, address) in [
            ("relation=owner", "/devices/export?relation=owner"),
            (
                "relation=maker product=maker/gate attention=stale days=90",
                "/devices/export?relation=maker&product=maker%2Fgate&attention=stale&days=90",
            ),
            (
                "relation=owner text=\"a=b text=\\\"&あ\"",
                "/devices/export?relation=owner&text=a%3Db+text%3D%22%26%E3%81%82",
            ),
        ] {
            assert_eq!(export_address(filter), address);
        }
    }
}
