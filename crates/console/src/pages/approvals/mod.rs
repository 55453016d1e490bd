//! What waits for a second person, and which acts want one.

mod go_on;

use super::{listing, sensitive, words};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Icon, Message, Pager, Tab, Tabs, Tone},
};
use askama::Template;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    routing::{get, post},
};
use device::Language;
use policy::{Act, Action};
use serde::Deserialize;
use service::{ApprovalDevice, ApprovalId, ApprovalQuery, ApprovalState, ApprovalView, Page};

/// Devices of a request that its page shows; the file has them all.
const SHOWN: u32 = 50;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/approvals", get(list))
        .route("/approvals/policy", get(policy_page).post(set_policy))
        .route("/approvals/{id}", get(one))
        .route("/approvals/{id}/devices.csv", get(devices))
        .route("/approvals/{id}/approve", post(approve))
        .route("/approvals/{id}/reject", post(reject))
        .route("/approvals/{id}/withdraw", post(withdraw))
        .merge(go_on::router())
}

fn act(t: Locale, act: Act) -> &'static str {
    match t.language {
        Language::En => act.english(),
        Language::Ja => act.japanese(),
    }
}

fn state(t: Locale, state: ApprovalState) -> Badge {
    let tone = match state {
        ApprovalState::Waiting => Tone::Busy,
        ApprovalState::Approved => Tone::Info,
        ApprovalState::Done => Tone::Good,
        ApprovalState::Failed => Tone::Bad,
        ApprovalState::Rejected => Tone::Held,
        ApprovalState::Withdrawn | ApprovalState::Expired => Tone::Neutral,
    };
    Badge::new(tone, t.word("approval-state", state.name()))
}

fn summary(t: Locale, view: &ApprovalView) -> String {
    match t.language {
        Language::En => view.summary.clone(),
        Language::Ja => view.summary_ja.clone(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    all: String,
    after: String,
}

fn tabs(t: Locale, at: &str) -> Tabs {
    let tabs = [
        ("/approvals", t.text("approvals-open").to_string()),
        ("/approvals?all=yes", t.text("approvals-all").to_string()),
        ("/approvals/policy", t.text("approvals-policy").to_string()),
    ];
    let tabs = tabs.into_iter().map(|(href, label)| Tab {
        label,
        href: href.to_owned(),
        current: href == at,
        count: None,
    });
    Tabs::new(t.text("approvals-title"), tabs.collect())
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(which): Asked<Which>,
) -> Answer {
    let own = &member.signed().organisation;
    let t = member.t;
    let query = ApprovalQuery { open: which.all != "yes" };
    let page = listing::page(&which.after);
    let found = console.service.approvals(member.caller(), own, &query, &page).await?;
    let rows = found
        .items
        .iter()
        .map(|view| Row {
            id: view.id.to_string(),
            summary: summary(t, view),
            act: act(t, view.act),
            state: state(t, view.state),
            requester: view.requester.clone(),
            asked: t.time(view.requested_at),
            expires: t.ago(view.expires_at, member.now),
        })
        .collect();
    let pairs = [("all", which.all.as_str())];
    let page = ListPage {
        t,
        frame: member.frame(Section::Approvals, t.text("approvals-title")),
        tabs: tabs(t, if query.open { "/approvals" } else { "/approvals?all=yes" }),
        rows,
        empty: Empty::new(
            Icon::Approval,
            t.text("approvals-empty"),
            t.text("approvals-empty-hint"),
        ),
        pager: listing::pager(t, "/approvals", &pairs, &which.after, found.next.as_deref()),
    };
    Ok(member.page(&page))
}

struct Row {
    id: String,
    summary: String,
    act: &'static str,
    state: Badge,
    requester: String,
    asked: Moment,
    expires: Moment,
}

#[derive(Template)]
#[template(path = "approvals/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    tabs: Tabs,
    rows: Vec<Row>,
    empty: Empty,
    pager: Pager,
}

fn id(text: &str) -> Result<ApprovalId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

async fn one(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let view = console.service.approval(member.caller(), &id(&text)?).await?;
    let t = member.t;
    let shown = Page { after: None, limit: SHOWN };
    let listed = console.service.approval_devices(member.caller(), &view.id, &shown).await?;
    let goes_on = view.state == ApprovalState::Approved && view.requester_continues;
    let own = goes_on && view.can_withdraw;
    let repeat = if own && !view.can_continue { go_on::repeated_at(&view) } else { None };
    let page = OnePage {
        t,
        frame: member.frame(Section::Approvals, t.text("approvals-one")),
        summary: summary(t, &view),
        arguments: view.arguments.clone(),
        devices: listed.items,
        devices_title: t.text("approvals-devices").arg("count", view.devices).to_string(),
        devices_more: listed.next.is_some(),
        act: act(t, view.act),
        state: state(t, view.state),
        reason: view.reason.clone(),
        message: if own && (view.can_continue || repeat.is_some()) {
            Some(Message::new(Tone::Good, t.text("approvals-yours-goes-on")))
        } else if goes_on {
            Some(Message::new(Tone::Info, t.text("approvals-goes-on")))
        } else {
            // Who asked is told why there is no button for it.
            (view.can_withdraw && view.state == ApprovalState::Waiting)
                .then(|| Message::new(Tone::Info, t.text("approvals-own")))
        },
        may_continue: view.can_continue,
        repeat,
        may_approve: view.can_approve,
        // Who asked takes it back; another administrator says no.
        may_reject: view.can_reject,
        may_withdraw: view.can_withdraw,
        requester: view.requester.clone(),
        requester_of: view.requester_of.to_string(),
        asked: t.time(view.requested_at),
        expires: t.time(view.expires_at),
        decided: view.decided_at.map(|at| t.time(at)),
        decided_by: view.decided_by.clone(),
        outcome: view.outcome.clone().filter(|_| view.state == ApprovalState::Failed),
        id: view.id.to_string(),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "approvals/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    id: String,
    summary: String,
    arguments: String,
    devices: Vec<ApprovalDevice>,
    devices_title: String,
    devices_more: bool,
    act: &'static str,
    state: Badge,
    reason: Option<String>,
    message: Option<Message>,
    may_continue: bool,
    /// where the act is repeated
    repeat: Option<String>,
    may_approve: bool,
    may_reject: bool,
    may_withdraw: bool,
    requester: String,
    requester_of: String,
    asked: Moment,
    expires: Moment,
    decided: Option<Moment>,
    decided_by: Option<String>,
    outcome: Option<String>,
}

/// All devices of a request, as long as it is open.
async fn devices(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let id = id(&text)?;
    let file = console.service.approval_devices_file(member.caller(), &id, true).await?;
    let pieces = futures_util::stream::unfold(file, async |mut file| {
        let piece = file.next().await?;
        Some((piece, file))
    });
    Ok(super::devices::csv(&format!("approval-{id}.csv"), Body::from_stream(pieces)))
}

async fn approve(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let back = format!("/approvals/{text}");
    match console.service.approve(member.caller(), &id(&text)?).await {
        Ok(_) => Ok(member.done(&back, "approved")),
        Err(error) => sensitive::answer(&member, error, &back),
    }
}

async fn reject(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let back = format!("/approvals/{text}");
    match console.service.reject(member.caller(), &id(&text)?).await {
        Ok(_) => Ok(member.done(&back, "rejected")),
        Err(error) => sensitive::answer(&member, error, &back),
    }
}

async fn withdraw(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let back = format!("/approvals/{text}");
    match console.service.withdraw_request(member.caller(), &id(&text)?).await {
        Ok(_) => Ok(member.done(&back, "withdrawn")),
        Err(error) => sensitive::answer(&member, error, &back),
    }
}

struct Line {
    name: &'static str,
    text: &'static str,
    state: Badge,
    /// what the button would choose; `None` where nothing can be chosen
    other: Option<(&'static str, String)>,
    chosen: bool,
}

async fn policy_page(State(console): State<Console>, member: Member) -> Answer {
    let own = &member.signed().organisation;
    let t = member.t;
    let lines = console.service.approval_policy(member.caller(), own).await?;
    let may = words::may(&member, Action::ManageApprovalPolicy, own);
    let lines = lines
        .into_iter()
        .map(|line| Line {
            name: line.act.name(),
            text: act(t, line.act),
            state: if line.required {
                Badge::new(Tone::Good, t.text("approvals-needed"))
            } else {
                Badge::new(Tone::Neutral, t.text("approvals-not-needed"))
            },
            other: (may && line.changeable).then(|| {
                if line.required {
                    ("no", t.text("approvals-want-none").to_string())
                } else {
                    ("yes", t.text("approvals-want").to_string())
                }
            }),
            chosen: line.chosen,
        })
        .collect();
    let page = PolicyPage {
        t,
        frame: member.frame(Section::Approvals, t.text("approvals-policy-title")),
        tabs: tabs(t, "/approvals/policy"),
        lines,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "approvals/policy.html")]
struct PolicyPage {
    t: Locale,
    frame: Frame,
    tabs: Tabs,
    lines: Vec<Line>,
}

async fn set_policy(State(console): State<Console>, member: Member, form: Fields) -> Answer {
    let own = &member.signed().organisation;
    let act = Act::from_name(form.get("act")).ok_or_else(Failure::bad_request)?;
    let required = match form.get("required") {
        "yes" => true,
        "no" => false,
        _ => return Err(Failure::bad_request()),
    };
    match console.service.set_approval_policy(member.caller(), own, act, required).await {
        Ok(()) => Ok(member.done("/approvals/policy", "preferences-saved")),
        Err(error) => sensitive::answer(&member, error, "/approvals/policy"),
    }
}
