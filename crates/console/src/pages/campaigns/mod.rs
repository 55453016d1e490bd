//! Campaigns that the visitor's organisation runs.

mod act;
mod new;
mod one;

pub(super) use new::filled;

use super::{
    listing::{self, Place},
    words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Button, ButtonKind, Empty, Icon, Pager, Tone},
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use policy::Action;
use service::{CampaignId, CampaignView};
use update::campaign::{Counts, State as Stands};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/campaigns", get(list))
        .merge(new::router())
        .merge(one::router())
        .merge(act::router())
}

fn id(text: &str) -> Result<CampaignId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

fn state(t: Locale, state: Stands) -> Badge {
    let tone = match state {
        Stands::Draft => Tone::Info,
        Stands::Running => Tone::Busy,
        Stands::Paused => Tone::Held,
        Stands::RollingBack => Tone::Warn,
        Stands::Finished => Tone::Good,
        Stands::RolledBack | Stands::Cancelled => Tone::Neutral,
    };
    Badge::new(tone, t.word("campaign-state", state.name()))
}

/// All stages together.
fn sum(view: &CampaignView) -> Counts {
    let mut sum = Counts::default();
    for counts in &view.counts {
        sum.total += counts.total;
        sum.open += counts.open;
        sum.succeeded += counts.succeeded;
        sum.failed += counts.failed;
        sum.skipped += counts.skipped;
        sum.cancelled += counts.cancelled;
        sum.rolling_back += counts.rolling_back;
        sum.rolled_back += counts.rolled_back;
        sum.stranded += counts.stranded;
    }
    sum
}

struct Row {
    href: String,
    name: String,
    release: String,
    state: Badge,
    stage: String,
    done: u64,
    total: u64,
    figures: String,
    failed: String,
    created: Moment,
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let page = listing::page(&place.after);
    let found = console.service.campaigns(member.caller(), own, &page).await?;
    let rows = found
        .items
        .iter()
        .map(|view| {
            let sum = sum(view);
            let stages = view.plan.stages().len();
            Row {
                href: format!("/campaigns/{}", view.id),
                name: view.name.clone(),
                release: format!("{} {}", view.product.1, view.version),
                state: state(t, view.state),
                stage: match view.state {
                    Stands::Draft => "–".to_owned(),
                    _ => format!("{} / {stages}", view.stage.saturating_add(1)),
                },
                done: sum.succeeded,
                total: view.members.max(1),
                figures: format!("{} / {}", t.number(sum.succeeded), t.number(view.members)),
                failed: t.number(sum.failed),
                created: t.time(view.created_at),
            }
        })
        .collect();
    let may_propose = words::may(&member, Action::ProposeCampaign, own);
    let mut empty =
        Empty::new(Icon::Campaign, t.text("campaigns-empty"), t.text("campaigns-empty-hint"));
    if may_propose {
        let new = Button::new(ButtonKind::Primary, t.text("campaigns-new"));
        empty = empty.action(new.link("/campaigns/new"));
    }
    let page = ListPage {
        t,
        frame: member.frame(Section::Campaigns, t.text("campaigns-title")),
        rows,
        pager: listing::pager(t, "/campaigns", &[], &place.after, found.next.as_deref()),
        empty,
        may_propose,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "campaigns/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
    may_propose: bool,
}
