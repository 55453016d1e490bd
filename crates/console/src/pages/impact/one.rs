//! One form of a product: where it stands, and what its answers come to.

use super::{About, may, ratings, standing};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    pages::listing,
    ui::{Badge, Message, Pager, Tile, Tone},
};
use askama::Template;
use assessment::threat::{Band, Holds, Impact, State as ThreatState};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use service::{ImpactLooked, Page};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/impact/{form}", get(one))
        .route("/products/{maker}/{id}/impact/{form}/history", get(history))
}

/// Threats that the page names.
const THREATS: usize = 50;

struct StepRow {
    href: String,
    title: String,
    state: Badge,
    answers: Vec<(String, Option<String>, bool)>,
}

struct DutyRow {
    state: Badge,
    title: String,
    text: String,
    law: String,
    document: String,
    records: String,
}

struct ThreatRow {
    href: String,
    title: String,
    subject: String,
    risk: Badge,
    state: Badge,
    questions: String,
}

struct Seen {
    title: String,
    state: Badge,
    version: u64,
    changed: Option<(String, Moment)>,
    concluded: Option<(String, Moment)>,
    open: usize,
    complete: bool,
    begun: bool,
    go_on: Option<String>,
    steps: Vec<StepRow>,
    tiles: Vec<Tile>,
    follows: Vec<(String, String)>,
    duties: Vec<DutyRow>,
    against: Vec<Message>,
    threats: Vec<ThreatRow>,
    more: usize,
    requirements: Vec<(String, String)>,
    modelled: bool,
    rates: bool,
}

fn seen(t: Locale, about: &Where, looked: &ImpactLooked<'_>, form: &str) -> Option<Seen> {
    let analysis = looked.analysis;
    let form = analysis.book.form(form)?;
    let (answers, stands) = (looked.answers.get(&form.id)?, looked.standing.get(&form.id)?);
    let impact = Impact::of(form, answers, analysis);
    let language = t.language;
    let here = format!("{}/{}", about.impact, form.id);
    let library = service::check_sheet().ok()?;
    let steps: Vec<StepRow> = impact
        .steps
        .iter()
        .filter(|(_, questions)| !questions.is_empty())
        .map(|(step, questions)| {
            let done = questions.iter().filter(|one| answers.contains_key(&one.id)).count();
            let (tone, count) = match done == questions.len() {
                true => (Tone::Good, t.text("impact-step-done").to_string()),
                false => {
                    let text = t.text("impact-step-open").arg("done", done);
                    (Tone::Busy, text.arg("asked", questions.len()).to_string())
                }
            };
            StepRow {
                href: format!("{here}/step/{}", step.id),
                title: step.title.of(language).to_owned(),
                state: Badge::new(tone, count),
                answers: questions
                    .iter()
                    .map(|one| {
                        let said = answers.get(&one.id).map(|said| one.shown(said, language));
                        let from_file = stands.from_file.contains(&one.id);
                        (one.ask.of(language).to_owned(), said, from_file)
                    })
                    .collect(),
            }
        })
        .collect();
    let go_on = impact.steps.iter().find_map(|(step, questions)| {
        let open = questions.iter().any(|one| !answers.contains_key(&one.id));
        open.then(|| format!("{here}/step/{}", step.id))
    });
    let duties = impact
        .duties
        .iter()
        .map(|(duty, holds)| DutyRow {
            state: match holds {
                Holds::Yes => Badge::new(Tone::Warn, t.text("impact-applies")),
                Holds::Open | Holds::No => Badge::new(Tone::Neutral, t.text("impact-may-apply")),
            },
            title: duty.title.of(language).to_owned(),
            text: duty.text.of(language).to_owned(),
            law: duty.law.of(language).to_owned(),
            document: duty.document.of(language).to_owned(),
            records: duty.records.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        })
        .collect();
    let denied = impact.denied.iter().map(|(question, choice, what)| {
        let joint = if t.tag() == "ja" { "、" } else { ", " };
        let text = t
            .text("impact-denied")
            .arg("choice", choice.title.of(language))
            .arg("what", what.join(joint));
        Message::new(Tone::Bad, text).title(question.ask.of(language))
    });
    let underrated = impact.underrated.iter().map(|(harm, level)| {
        let text = t.text("impact-underrated").arg("level", u64::from(*level));
        Message::new(Tone::Warn, text).title(harm.title(language))
    });
    let threats: Vec<ThreatRow> = impact
        .threats
        .iter()
        .filter(|(threat, _)| threat.state != ThreatState::Dismissed)
        .map(|(threat, questions)| ThreatRow {
            href: format!("{}/threats/one/{}", about.product, threat.id),
            title: threat.title(language).to_owned(),
            subject: threat.subject.title(analysis.model),
            risk: {
                let level = threat.risk.residual;
                let tone = match level.band() {
                    Band::Critical => Tone::Bad,
                    Band::High => Tone::Warn,
                    Band::Medium => Tone::Info,
                    Band::Low | Band::Minimal => Tone::Neutral,
                };
                Badge::new(tone, format!("{} {}", level.score(), level.band().title(language)))
            },
            state: crate::pages::threats::state(t, threat.state),
            questions: questions
                .iter()
                .map(|one| one.ask.of(language))
                .collect::<Vec<_>>()
                .join(" "),
        })
        .collect();
    let more = threats.len().saturating_sub(THREATS);
    Some(Seen {
        title: form.title.of(language).to_owned(),
        state: standing(t, stands, &impact),
        version: stands.version,
        changed: stands.changed.clone().map(|(by, at)| (by, t.time(at))),
        concluded: stands.concluded.clone().map(|(by, at)| (by, t.time(at))),
        open: impact.open.len(),
        complete: impact.is_complete(),
        begun: !answers.is_empty(),
        go_on,
        steps,
        tiles: ratings(t, &about.impact, analysis, looked.answers),
        follows: impact
            .follows
            .iter()
            .filter_map(|(_, choice)| {
                let then = choice.then.as_ref()?;
                Some((choice.title.of(language).to_owned(), then.of(language).to_owned()))
            })
            .collect(),
        duties,
        against: denied.chain(underrated).collect(),
        threats: threats.into_iter().take(THREATS).collect(),
        more,
        requirements: impact
            .requirements
            .iter()
            .filter_map(|reference| {
                let record = library.record(reference)?;
                Some((reference.to_string(), record.title.of(language).to_owned()))
            })
            .collect(),
        modelled: looked.version.is_some(),
        rates: form.questions().any(|one| !one.rates.is_empty()),
    })
}

/// Addresses, for what is worked out beside the request.
struct Where {
    product: String,
    impact: String,
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, form)): Path<(String, String, String)>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, &maker, &id).await?;
    let places = Where { product: about.product(), impact: about.impact() };
    let named = form.clone();
    let look = move |looked: &ImpactLooked<'_>| seen(t, &places, looked, &named);
    let found =
        console.service.look_at_impact(member.caller(), &about.maker, &about.id, look).await?;
    let seen = found.ok_or_else(Failure::not_found)?;
    let (may_answer, may_conclude) = may(&member, &about);
    let page = OnePage {
        t,
        frame: member.frame(Section::Products, format!("{} – {}", seen.title, about.name)),
        crumbs: about.crumbs(t),
        here: about.form(&form),
        threats: format!("{}/threats", about.product()),
        may_answer,
        may_conclude,
        seen,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "impact/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    here: String,
    threats: String,
    may_answer: bool,
    may_conclude: bool,
    seen: Seen,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    after: String,
}

struct Line {
    question: String,
    answer: Option<String>,
    version: u64,
    by: String,
    at: Moment,
}

async fn history(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, form)): Path<(String, String, String)>,
    Asked(from): Asked<From>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, &maker, &id).await?;
    let known = service::rule_book()?.form(&form).ok_or_else(Failure::not_found)?;
    let after = (!from.after.is_empty()).then(|| from.after.clone());
    let part = Page { after, limit: listing::ROWS };
    let found = console
        .service
        .impact_history(member.caller(), &about.maker, &about.id, &form, &part)
        .await?;
    let here = format!("{}/history", about.form(&form));
    let pager = listing::pager(t, &here, &[], &from.after, found.next.as_deref());
    let rows = found
        .items
        .into_iter()
        .map(|one| {
            let question = known.question(&one.question);
            Line {
                answer: match (question, one.answer) {
                    (Some(question), Some(answer)) => Some(question.shown(&answer, t.language)),
                    (_, answer) => answer,
                },
                question: question
                    .map_or(one.question, |question| question.ask.of(t.language).to_owned()),
                version: one.version,
                by: one.by,
                at: t.time(one.at),
            }
        })
        .collect();
    let title = known.title.of(t.language);
    let mut crumbs = about.crumbs(t);
    crumbs.push((about.form(&form), title.to_owned()));
    let heading = t.text("impact-history-of").arg("form", title).to_string();
    let page =
        HistoryPage { t, frame: member.frame(Section::Products, heading), crumbs, rows, pager };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "impact/history.html")]
struct HistoryPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    rows: Vec<Line>,
    pager: Pager,
}
