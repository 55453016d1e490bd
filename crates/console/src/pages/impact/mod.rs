//! Impact assessments of a product: what it comes to, and guided forms, step by step.

mod act;
mod one;
mod step;

use super::words;
use crate::{
    Answer, Console, Failure, Frame, Member, Section,
    i18n::Locale,
    ui::{Badge, Tile, Tone},
};
use askama::Template;
use assessment::threat::{Analysis, FormAnswers, Harm, Impact, RatedBy, scia};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{OrganisationId, ProductId};
use policy::Action;
use service::{FormStanding, ImpactLooked};
use std::collections::BTreeMap;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/impact", get(overview))
        .merge(act::router())
        .merge(one::router())
        .merge(step::router())
}

/// Whose product the pages are about.
struct About {
    maker: OrganisationId,
    id: ProductId,
    /// its name for people
    name: String,
}

impl About {
    async fn of(
        console: &Console,
        member: &Member,
        maker: &str,
        id: &str,
    ) -> Result<Self, Failure> {
        let maker = OrganisationId::new(maker).map_err(|_| Failure::not_found())?;
        let id = ProductId::new(id).map_err(|_| Failure::not_found())?;
        let product = console.service.product(member.caller(), &maker, &id).await?;
        Ok(Self { maker, id, name: product.name })
    }

    fn product(&self) -> String {
        format!("/products/{}/{}", self.maker, self.id)
    }

    fn impact(&self) -> String {
        format!("{}/impact", self.product())
    }

    fn form(&self, form: &str) -> String {
        format!("{}/{form}", self.impact())
    }

    /// Pages above.
    fn crumbs(&self, t: Locale) -> Vec<(String, String)> {
        vec![
            ("/products".to_owned(), t.text("products-title").to_string()),
            (self.product(), self.name.clone()),
            (self.impact(), t.text("impact-title").to_string()),
        ]
    }
}

/// Where a form stands.
fn standing(t: Locale, standing: &FormStanding, impact: &Impact<'_>) -> Badge {
    if standing.concluded.is_some() {
        return Badge::new(Tone::Good, t.text("impact-concluded"));
    }
    if standing.reopened {
        return Badge::new(Tone::Warn, t.text("impact-reopened"));
    }
    match impact.answers.is_empty() {
        true => Badge::new(Tone::Neutral, t.text("impact-not-begun")),
        false => Badge::new(Tone::Busy, t.text("impact-draft")),
    }
}

/// Safety, confidentiality, integrity, availability of the product, with what rates it so.
fn ratings(
    t: Locale,
    about: &str,
    analysis: &Analysis<'_>,
    answers: &BTreeMap<String, FormAnswers>,
) -> Vec<Tile> {
    let tile = |(harm, level, by): (Harm, u8, Vec<RatedBy<'_>>)| {
        let tone = match level {
            5 => Tone::Bad,
            4 => Tone::Warn,
            _ => Tone::Neutral,
        };
        let value = match level {
            0 => "–".to_owned(),
            level => t.text("impact-of-five").arg("level", u64::from(level)).to_string(),
        };
        let question = by.iter().find_map(|one| match one {
            RatedBy::Question(form, question) => Some((form, question)),
            RatedBy::Asset(_) => None,
        });
        let note = match (question, by.first()) {
            (Some((_, question)), _) => question.ask.of(t.language).to_owned(),
            (None, Some(RatedBy::Asset(asset))) => {
                t.text("impact-by-asset").arg("asset", asset.title.as_str()).to_string()
            }
            _ => t.text("impact-not-rated").to_string(),
        };
        let mut tile = Tile::new(harm.title(t.language), value).tone(tone).note(note);
        if let Some((form, _)) = question {
            tile = tile.link(format!("{about}/{}", form.id));
        }
        tile
    };
    scia(analysis.model, analysis.book, answers).into_iter().map(tile).collect()
}

struct FormRow {
    href: String,
    title: String,
    what: String,
    state: Badge,
    answered: usize,
    asked: usize,
    duties: usize,
    contradictions: usize,
}

struct Seen {
    tiles: Vec<Tile>,
    rows: Vec<FormRow>,
    version: Option<u64>,
}

async fn overview(
    State(console): State<Console>,
    member: Member,
    Path((maker, id)): Path<(String, String)>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, &maker, &id).await?;
    let here = about.impact();
    let base = here.clone();
    let look = move |looked: &ImpactLooked<'_>| {
        let row = |form| {
            let form: &assessment::threat::Form = form;
            let (answers, stands) = (looked.answers.get(&form.id)?, looked.standing.get(&form.id)?);
            let impact = Impact::of(form, answers, looked.analysis);
            let asked = impact.steps.iter().map(|(_, questions)| questions.len()).sum();
            Some(FormRow {
                href: format!("{base}/{}", form.id),
                title: form.title.of(t.language).to_owned(),
                what: t.word("impact-what", &form.id).to_string(),
                state: standing(t, stands, &impact),
                answered: asked - impact.open.len(),
                asked,
                duties: impact.duties.len(),
                contradictions: impact.denied.len() + impact.underrated.len(),
            })
        };
        Seen {
            tiles: ratings(t, &base, looked.analysis, looked.answers),
            rows: looked.analysis.book.forms().iter().filter_map(row).collect(),
            version: looked.version.map(|version| version.version),
        }
    };
    let seen =
        console.service.look_at_impact(member.caller(), &about.maker, &about.id, look).await?;
    let mut crumbs = about.crumbs(t);
    crumbs.pop();
    let page = OverviewPage {
        t,
        frame: member
            .frame(Section::Products, t.text("impact-of").arg("product", &about.name).to_string()),
        crumbs,
        threats: format!("{}/threats", about.product()),
        seen,
    };
    Ok(member.page(&page))
}

/// Whether the visitor may answer, and whether it may conclude.
fn may(member: &Member, about: &About) -> (bool, bool) {
    (
        words::may(member, Action::ChangeThreatModel, &about.maker),
        words::may(member, Action::DecideThreat, &about.maker),
    )
}

#[derive(Template)]
#[template(path = "impact/overview.html")]
struct OverviewPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    threats: String,
    seen: Seen,
}
