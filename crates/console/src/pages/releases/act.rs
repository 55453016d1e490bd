//! Publish, withdraw, discard: each a page that says what will happen, and asks.

use super::id;
use crate::{
    Answer, Console, Failure, Member, Posted, Section,
    pages::{form::ConfirmPage, sensitive, words},
    ui::{ButtonKind, Field},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use crypto::Sha256;
use policy::Action;
use serde::Deserialize;
use service::{ReleaseSeen, ReleaseState, ReleaseView};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/releases/{id}/publish", get(ask_publish).post(publish))
        .route("/releases/{id}/withdraw", get(ask_withdraw).post(withdraw))
        .route("/releases/{id}/discard", get(ask_discard).post(discard))
}

/// Longest reason, in characters.
const REASON_CHARS_MAX: u32 = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    reason: String,
    overrule: String,
    /// digest of what the page was about
    contents: String,
    /// items of the gate that it showed as open
    open: String,
}

/// The release, where it can be done now and by this visitor; and the page that asks.
async fn ask(
    console: &Console,
    member: &Member,
    text: &str,
    (act, action, wanted): (&str, Action, ReleaseState),
) -> Result<(ReleaseView, ConfirmPage), Failure> {
    let release = console.service.release(member.caller(), &id(text)?).await?;
    if !words::may(member, action, &release.organisation) {
        return Err(Failure::forbidden());
    }
    if release.state != wanted {
        return Err(Failure::conflict());
    }
    let t = member.t;
    let title = t
        .text("releases-one")
        .arg("product", release.product.as_str())
        .arg("version", &release.version)
        .to_string();
    let crumbs = vec![
        ("/releases".to_owned(), t.text("releases-title").to_string()),
        (format!("/releases/{}", release.id), title.clone()),
    ];
    let question = t.word("release-question", act);
    let page = ConfirmPage::new(member, Section::Releases, crumbs, title, question);
    Ok((release, page))
}

async fn ask_publish(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let wanted = ("publish", Action::PublishRelease, ReleaseState::Draft);
    let (release, page) = ask(&console, &member, &text, wanted).await?;
    let seen = console.service.release_seen(member.caller(), &release.id).await?;
    let items = console.service.check_release(member.caller(), &release.id).await?;
    let open: Vec<_> = items.iter().filter(|item| !item.met).collect();
    let t = member.t;
    let may_overrule = words::may(&member, Action::OverruleGate, &release.organisation);
    let hopeless = open.iter().any(|item| !item.overrulable) || (!open.is_empty() && !may_overrule);
    let page = page.with(|mut confirm| {
        let shown: Vec<&str> = open.iter().map(|item| item.code).collect();
        confirm = confirm.hidden("contents", &seen.contents.to_string());
        confirm = confirm.hidden("open", &shown.join(" "));
        for item in &open {
            let name = t.word("gate-item", item.code).to_string();
            confirm = confirm.effect(t.text("releases-publish-open").arg("item", name).to_string());
        }
        if hopeless {
            // What cannot be done is not asked for: the button leads to the gate's own refusal.
            confirm = confirm.effect(t.text("releases-publish-refused").to_string());
            return confirm.button(ButtonKind::Primary, t.word("release-do", "publish"));
        }
        confirm = confirm
            .effect(t.text("releases-publish-fixed").to_string())
            .effect(t.text("releases-publish-log").to_string())
            .effect(t.text("releases-publish-signed").to_string());
        if open.is_empty() {
            return confirm.button(ButtonKind::Primary, t.word("release-do", "publish"));
        }
        let reason = Field::text(t, "reason", t.text("releases-overrule-reason"))
            .hint(t.text("releases-overrule-hint"))
            .required()
            .most(REASON_CHARS_MAX);
        confirm
            .field(reason)
            .hidden("overrule", "yes")
            .button(ButtonKind::Danger, t.text("releases-overrule"))
    });
    Ok(member.page(&page))
}

async fn publish(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let id = id(&text)?;
    let back = format!("/releases/{id}");
    let reason = said.reason.trim();
    let overrule = (said.overrule == "yes").then_some(reason);
    let seen = Sha256::from_hex(&said.contents).map(|contents| ReleaseSeen {
        contents,
        open: said.open.split_whitespace().map(str::to_owned).collect(),
    });
    let caller = member.caller();
    match console.service.publish_release_as_seen(caller, &id, overrule, seen.as_ref()).await {
        Ok(_) => Ok(member.done(&back, "release-published")),
        Err(error) => sensitive::answer(&member, error, &format!("{back}/publish")),
    }
}

async fn ask_withdraw(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let wanted = ("withdraw", Action::ManageRelease, ReleaseState::Published);
    let (_, page) = ask(&console, &member, &text, wanted).await?;
    let t = member.t;
    let reason = Field::text(t, "reason", t.text("releases-reason"))
        .hint(t.text("releases-reason-hint"))
        .required()
        .most(REASON_CHARS_MAX);
    let page = page.with(|confirm| {
        confirm
            .effect(t.text("releases-withdraw-stops").to_string())
            .effect(t.text("releases-withdraw-keep").to_string())
            .effect(t.text("releases-withdraw-final").to_string())
            .field(reason)
            .button(ButtonKind::Danger, t.word("release-do", "withdraw"))
    });
    Ok(member.page(&page))
}

async fn withdraw(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let id = id(&text)?;
    let back = format!("/releases/{id}");
    match console.service.withdraw_release(member.caller(), &id, said.reason.trim()).await {
        Ok(_) => Ok(member.done(&back, "release-withdrawn")),
        Err(error) => sensitive::answer(&member, error, &format!("{back}/withdraw")),
    }
}

async fn ask_discard(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let wanted = ("discard", Action::ManageRelease, ReleaseState::Draft);
    let (_, page) = ask(&console, &member, &text, wanted).await?;
    let t = member.t;
    let page = page.with(|confirm| {
        confirm
            .effect(t.text("releases-discard-gone").to_string())
            .effect(t.text("releases-discard-files").to_string())
            .button(ButtonKind::Danger, t.word("release-do", "discard"))
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
    match console.service.discard_release(member.caller(), &id).await {
        Ok(()) => Ok(member.done("/releases", "release-discarded")),
        Err(error) => sensitive::answer(&member, error, &format!("/releases/{id}/discard")),
    }
}
