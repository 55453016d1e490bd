//! Jobs: what is done to many devices, how far it is, and its result.

use super::{
    devices,
    listing::{self, Place},
    sensitive,
};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Button, ButtonKind, Empty, Icon, Pager, Tone},
};
use askama::Template;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    routing::{get, post},
};
use service::{JobId, JobState, JobView};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/jobs", get(list))
        .route("/jobs/{id}", get(one))
        .route("/jobs/{id}/cancel", post(cancel))
        .route("/jobs/{id}/result", get(result))
}

struct Row {
    id: String,
    act: String,
    reason: String,
    by: String,
    state: Badge,
    over: bool,
    total: u64,
    done: u64,
    figures: String,
    failed: String,
    asked: Moment,
    finished: Option<Moment>,
    note: Option<String>,
}

impl Row {
    fn new(t: Locale, job: &JobView) -> Self {
        let tone = match job.state {
            JobState::Preparing | JobState::Waiting | JobState::Running => Tone::Busy,
            JobState::Done if job.failed > 0 => Tone::Warn,
            JobState::Done => Tone::Good,
            JobState::Cancelled => Tone::Neutral,
            JobState::Failed => Tone::Bad,
        };
        Self {
            id: job.id.to_string(),
            act: t.word("bulk-name", &job.act).to_string(),
            reason: job.reason.clone(),
            by: job.started_by.clone(),
            state: Badge::new(tone, t.word("job-state", job.state.name())),
            over: job.state.is_over(),
            total: job.total,
            done: job.done,
            figures: format!("{} / {}", t.number(job.done), t.number(job.total)),
            failed: t.number(job.failed),
            asked: t.time(job.created_at),
            finished: job.finished_at.map(|at| t.time(at)),
            note: job.note.clone(),
        }
    }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let own = &member.signed().organisation;
    let page = listing::page(&place.after);
    let found = console.service.jobs(member.caller(), own, &page).await?;
    let t = member.t;
    let pager = listing::pager(t, "/jobs", &[], &place.after, found.next.as_deref());
    let empty = Empty::new(Icon::Jobs, t.text("jobs-empty"), t.text("jobs-empty-hint"))
        .action(Button::new(ButtonKind::Secondary, t.text("jobs-to-devices")).link("/devices"));
    let page = ListPage {
        t,
        frame: member.frame(Section::Jobs, t.text("jobs-title")),
        rows: found.items.iter().map(|job| Row::new(t, job)).collect(),
        pager,
        empty,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "jobs/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}

fn id(text: &str) -> Result<JobId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

async fn one(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let job = console.service.job(member.caller(), &id(&text)?).await?;
    let t = member.t;
    let row = Row::new(t, &job);
    let frame = member.frame(Section::Jobs, t.text("jobs-one").arg("act", &row.act));
    Ok(member.page(&OnePage { t, frame, job: row }))
}

#[derive(Template)]
#[template(path = "jobs/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    job: Row,
}

async fn cancel(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    console.service.cancel_job(member.caller(), &id(&text)?).await?;
    Ok(member.done(&format!("/jobs/{text}"), "job-cancelled"))
}

async fn result(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let id = id(&text)?;
    let result = match console.service.job_result(member.caller(), &id, true).await {
        Ok(result) => result,
        Err(error) => return sensitive::answer(&member, error, &member.path),
    };
    let pieces = futures_util::stream::unfold(result, async |mut result| {
        let piece = result.next().await?;
        Some((piece, result))
    });
    Ok(devices::csv(&format!("job-{id}.csv"), Body::from_stream(pieces)))
}
