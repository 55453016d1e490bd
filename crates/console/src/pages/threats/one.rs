//! One threat: what it is, what stands against it, its attack tree, and what was decided.

use super::{About, band, state};
use crate::{
    Answer, Console, Failure, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    pages::{
        form::{self, FormPage, Mistakes},
        words,
    },
    ui::{Badge, Choice, Field, Tone},
};
use askama::Template;
use assessment::{
    Day,
    threat::{Analysis, Cause, Theme, ThreatInstance, Tree, Verdict, silence_words},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use policy::Action;
use serde::Deserialize;
use service::{NewThreatDecision, Page, ThreatDecisionView, ThreatsLooked};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/threats/one/{threat}", get(one))
        .route("/products/{maker}/{id}/threats/one/{threat}/decide", get(ask).post(decide))
        .route("/products/{maker}/{id}/threats/asset/{asset}", get(asset))
}

/// Longest reason, in characters.
const REASON_MAX: u32 = 500;
/// Decisions that the page shows.
const DECISIONS: u32 = 20;

/// A decision as it is shown.
pub(super) struct Decided {
    pub(super) threat: String,
    pub(super) verdict: Badge,
    pub(super) reason: String,
    pub(super) until: String,
    pub(super) measures: String,
    pub(super) by: String,
    pub(super) at: Moment,
}

pub(super) fn decided(t: Locale, one: &ThreatDecisionView) -> Decided {
    let verdict = match one.verdict {
        None => Badge::new(Tone::Neutral, t.text("threats-taken-back")),
        Some(verdict) => Badge::new(Tone::Held, verdict.title(t.language)),
    };
    Decided {
        threat: one.threat.clone(),
        verdict,
        reason: one.reason.clone(),
        until: one.until.map(|day| day.to_string()).unwrap_or_default(),
        measures: one.measures.join(" "),
        by: one.by.clone(),
        at: t.time(one.at),
    }
}

struct MeasureRow {
    id: String,
    title: String,
    standing: Badge,
    requirements: Vec<(String, String)>,
    items: Vec<(String, String)>,
}

/// What the page shows of a threat.
struct Seen {
    title: String,
    text: String,
    state: Badge,
    facts: Vec<(String, String)>,
    risks: Vec<(String, Badge)>,
    measures: Vec<MeasureRow>,
    silence: Option<String>,
    tree: String,
    left_out: usize,
}

fn measures(t: Locale, analysis: &Analysis<'_>, one: &ThreatInstance<'_>) -> Vec<MeasureRow> {
    let library = service::check_sheet().ok();
    let rows = one.in_place.iter().chain(&one.planned).chain(&one.missing);
    rows.filter_map(|id| analysis.book.measure(id))
        .map(|measure| {
            let id = measure.id.as_str();
            let standing = if one.in_place.contains(id) {
                Badge::new(Tone::Good, t.text("threats-in-place"))
            } else if one.planned.contains(id) {
                Badge::new(Tone::Busy, t.text("threats-planned"))
            } else {
                Badge::new(Tone::Neutral, t.text("threats-missing"))
            };
            let title = |reference: &assessment::RecordRef| {
                let record = library.and_then(|library| library.record(reference));
                record.map_or("", |record| record.title.of(t.language)).to_owned()
            };
            let criterion = |item: &String| {
                let item = library.and_then(|library| library.item(item));
                item.map_or("", |item| item.criterion.of(t.language)).to_owned()
            };
            MeasureRow {
                id: id.to_owned(),
                title: measure.title.of(t.language).to_owned(),
                standing,
                requirements: measure
                    .requirements
                    .iter()
                    .map(|reference| (reference.to_string(), title(reference)))
                    .collect(),
                items: measure.items.iter().map(|item| (item.clone(), criterion(item))).collect(),
            }
        })
        .collect()
}

fn seen(t: Locale, looked: &ThreatsLooked<'_>, id: &str) -> Option<Seen> {
    let analysis = looked.analysis;
    let one = analysis.threat(id)?;
    let (tree, left_out) = Tree::of_threat(analysis, id, t.language)?;
    let actors: Vec<&str> =
        Analysis::actors(one).iter().map(|actor| actor.title(t.language)).collect();
    let text = |key: &'static str| t.text(key).to_string();
    let mut facts = vec![
        (text("threats-id"), one.id.to_string()),
        (text("threats-subject"), one.subject.title(analysis.model)),
        (text("threats-kind"), one.threat().title(t.language).to_owned()),
        (text("threats-rule"), one.cause_id().to_owned()),
    ];
    if !actors.is_empty() {
        facts.push((text("threats-actors"), actors.join(t.text("words-and").to_string().as_str())));
    }
    let silence = match one.cause {
        Cause::Rule(rule) => Some(silence_words(rule, analysis.book, t.language)),
        Cause::Finding(_) => None,
    };
    Some(Seen {
        title: one.title(t.language).to_owned(),
        text: one.text(t.language).to_owned(),
        state: state(t, one.state),
        facts,
        risks: vec![
            (text("threats-inherent"), band(t, one.risk.inherent)),
            (text("threats-residual"), band(t, one.risk.residual)),
            (text("threats-target"), band(t, one.risk.target)),
        ],
        measures: measures(t, analysis, one),
        silence,
        tree: tree.to_svg(Theme::Light, t.language),
        left_out,
    })
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, threat)): Path<(String, String, String)>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, (maker, id)).await?;
    let (service, caller) = (&console.service, member.caller());
    let wanted = threat.clone();
    let look = move |looked: &ThreatsLooked<'_>| seen(t, looked, &wanted);
    let found = service.look_at_threats(caller, &about.maker, &about.id, look).await?;
    let first = Page { after: None, limit: DECISIONS };
    let decisions =
        service.threat_decisions(caller, &about.maker, &about.id, Some(&threat), &first).await?;
    // A threat that is gone is still told about, where somebody decided about it.
    if found.is_none() && decisions.items.is_empty() {
        return Err(Failure::not_found());
    }
    let title = found.as_ref().map_or_else(|| threat.clone(), |seen| seen.title.clone());
    let page = OnePage {
        t,
        frame: member.frame(Section::Products, title),
        crumbs: about.crumbs(t),
        trace: format!("{}/{}", about.trace(), crate::pages::listing::segment(&threat)),
        decide: words::may(&member, Action::ChangeThreatModel, &about.maker)
            .then(|| format!("{}/decide", about.threat(&threat))),
        seen: found,
        decisions: decisions.items.iter().map(|one| decided(t, one)).collect(),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "threats/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    seen: Option<Seen>,
    trace: String,
    decide: Option<String>,
    decisions: Vec<Decided>,
}

async fn asset(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, asset)): Path<(String, String, String)>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, (maker, id)).await?;
    let look = move |looked: &ThreatsLooked<'_>| {
        let (tree, left_out) = Tree::of_asset(looked.analysis, &asset, t.language)?;
        Some((tree.title.clone(), tree.to_svg(Theme::Light, t.language), left_out))
    };
    let found =
        console.service.look_at_threats(member.caller(), &about.maker, &about.id, look).await?;
    let (title, tree, left_out) = found.ok_or_else(Failure::not_found)?;
    let page = AssetPage {
        t,
        frame: member.frame(Section::Products, title),
        crumbs: about.crumbs(t),
        tree,
        left_out,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "threats/asset.html")]
struct AssetPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    tree: String,
    left_out: usize,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Said {
    version: u64,
    verdict: String,
    reason: String,
    until: String,
    measures: Vec<String>,
    likelihood: String,
    impact: String,
}

/// The word of the choice that takes a decision back.
const TAKEN_BACK: &str = "taken-back";

async fn page(
    console: &Console,
    member: &Member,
    about: &About,
    threat: &str,
    said: &Said,
) -> Result<FormPage, Failure> {
    let t = member.t;
    let may_decide = words::may(member, Action::DecideThreat, &about.maker);
    if !words::may(member, Action::ChangeThreatModel, &about.maker) {
        return Err(Failure::forbidden());
    }
    let wanted = threat.to_owned();
    let look = move |looked: &ThreatsLooked<'_>| {
        let one = looked.analysis.threat(&wanted)?;
        let named = one.planned.iter().chain(&one.missing);
        let measures: Vec<(String, String)> = named
            .filter_map(|id| looked.analysis.book.measure(id))
            .map(|one| (one.id.clone(), one.title.of(t.language).to_owned()))
            .collect();
        Some((one.title(t.language).to_owned(), measures))
    };
    let caller = member.caller();
    let found = console.service.look_at_threats(caller, &about.maker, &about.id, look).await?;
    // A decision whose threat is gone can still be taken back.
    let (name, measures) = found.unwrap_or_else(|| (threat.to_owned(), Vec::new()));
    let mut choices: Vec<Choice> = Verdict::ALL
        .iter()
        .filter(|one| may_decide || **one == Verdict::Measures)
        .filter(|one| **one != Verdict::Measures || !measures.is_empty())
        .map(|one| Choice::new(one.word(), one.title(t.language)))
        .collect();
    if said.version > 0 {
        choices.push(Choice::new(TAKEN_BACK, t.text("threats-take-back")));
    }
    let back = about.threat(threat);
    let mut fields = vec![
        Field::radios(t, "verdict", t.text("threats-decision"), choices)
            .value(&said.verdict)
            .required(),
        Field::area(t, "reason", t.text("threats-reason"))
            .value(&said.reason)
            .most(REASON_MAX)
            .required(),
        Field::date(t, "until", t.text("threats-until"))
            .value(&said.until)
            .hint(t.text("threats-until-hint"))
            .optional(),
    ];
    if !measures.is_empty() {
        let choices = measures.into_iter().map(|(id, title)| Choice::new(id, title)).collect();
        let mut field = Field::checkboxes(t, "measures", t.text("threats-measures"), choices)
            .hint(t.text("threats-measures-hint"));
        for one in &said.measures {
            field = field.value(one);
        }
        fields.push(field);
    }
    if may_decide {
        let scale = || {
            let mut choices = vec![Choice::new("", t.text("threats-as-rule"))];
            choices.extend((1..=5).map(|n: u8| Choice::new(n.to_string(), n.to_string())));
            choices
        };
        fields.push(
            Field::select(t, "likelihood", t.text("threats-likelihood"), scale())
                .value(&said.likelihood),
        );
        fields.push(
            Field::select(t, "impact", t.text("threats-impact"), scale())
                .value(&said.impact)
                .hint(t.text("threats-impact-hint")),
        );
    }
    let title = t.text("threats-decide-on").arg("threat", &name).to_string();
    let mut page =
        FormPage::new(member, Section::Products, title, &format!("{back}/decide"), &back);
    for (href, label) in about.crumbs(t) {
        page = page.crumb(href, label);
    }
    Ok(page
        .crumb(&back, &name)
        .lead(t.text("threats-decide-lead"))
        .hidden("version", &said.version.to_string())
        .fields(fields)
        .button(t.text("threats-decide-do")))
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, threat)): Path<(String, String, String)>,
) -> Answer {
    let about = About::of(&console, &member, (maker, id)).await?;
    let first = Page { after: None, limit: 1 };
    let newest = console
        .service
        .threat_decisions(member.caller(), &about.maker, &about.id, Some(&threat), &first)
        .await?;
    let version = newest.items.first().map_or(0, |one| one.version);
    let said = Said { version, ..Said::default() };
    page(&console, &member, &about, &threat, &said).await?.show(&member)
}

async fn decide(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, threat)): Path<(String, String, String)>,
    Posted(said): Posted<Said>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, (maker, id)).await?;
    let mut mistakes = Mistakes::default();
    let verdict = match said.verdict.as_str() {
        TAKEN_BACK => Some(None),
        word => {
            mistakes.read("verdict", word, Verdict::of_word, t.text("threats-choose")).map(Some)
        }
    };
    let until = match said.until.as_str() {
        "" => None,
        day => mistakes.read("until", day, Day::parse, t.text("threats-no-day")),
    };
    let mut scale = |name: &str, text: &str| match text {
        "" => None,
        text => mistakes.read(
            name,
            text,
            |text| text.parse().ok().filter(|value| (1..=5).contains(value)),
            t.text("threats-choose"),
        ),
    };
    let likelihood: Option<u8> = scale("likelihood", &said.likelihood);
    let impact: Option<u8> = scale("impact", &said.impact);
    let (Some(verdict), true) = (verdict, mistakes.is_empty()) else {
        let page = page(&console, &member, &about, &threat, &said).await?;
        return Ok(page.refuse(&member, mistakes));
    };
    let new = NewThreatDecision {
        version: said.version,
        verdict,
        reason: said.reason.trim().to_owned(),
        until,
        measures: match verdict {
            Some(Verdict::Measures) => said.measures.clone(),
            _ => Vec::new(),
        },
        likelihood,
        impact,
    };
    let back = about.threat(&threat);
    let (service, caller) = (&console.service, member.caller());
    match service.decide_threat(caller, &about.maker, &about.id, &threat, new).await {
        Ok(_) => Ok(member.done(&back, "threat-decided")),
        Err(error) => {
            let page = page(&console, &member, &about, &threat, &said).await?;
            form::refused(&member, error, &format!("{back}/decide"), &[], || page)
        }
    }
}
