//! What the organisation says about vulnerabilities in its products (VEX), and a campaign out of one.

use super::{address, status};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    pages::{
        form::{self, FormPage, Mistakes},
        listing::{self, Place},
        sensitive, words,
    },
    ui::{Badge, Choice, Empty, Field, Icon, Pager},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use device::{OrganisationId, ProductId};
use policy::Action;
use serde::Deserialize;
use service::{ExposureStatus, FleetSide, NewStatement, StatementView, VulnerabilityCampaign};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/statements", get(list))
        .route("/statements/{id}/withdraw", post(withdraw))
        .route("/vulnerabilities/{id}/say", get(ask).post(say))
        .route("/vulnerabilities/{id}/campaign", post(campaign))
}

/// OpenVEX's words for why something is not affected.
const JUSTIFICATIONS: &[&str] = &[
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];
/// Versions that can be chosen from.
const VERSIONS: usize = 500;
/// Longest text, in characters.
const WORDS_MAX: u32 = 1_000;

/// A justification in words; one that is of another form as it is.
pub(super) fn justification(t: Locale, word: &str) -> String {
    if crate::i18n::family_has("justification", word) {
        t.word("justification", word).to_string()
    } else {
        word.to_owned()
    }
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Said {
    about: String,
    status: String,
    justification: String,
    words: String,
    component: String,
    expires: String,
}

async fn page(
    console: &Console,
    member: &Member,
    id: &str,
    said: &Said,
) -> Result<FormPage, Failure> {
    let t = member.t;
    let own = &member.signed().organisation;
    if !words::may(member, Action::JudgeVulnerability, own) {
        return Err(Failure::forbidden());
    }
    let detail = console.service.vulnerability_in(member.caller(), own, id, VERSIONS).await?;
    let name = detail.line.name.clone();
    let mut about = Vec::new();
    let mut products: Vec<&ProductId> = detail.exposures.iter().map(|one| &one.product).collect();
    products.sort();
    products.dedup();
    for product in products {
        let label = t.text("vulnerabilities-say-every").arg("product", product.as_str());
        about.push(Choice::new(format!("{product}/"), label.to_string()));
    }
    for one in detail.exposures.iter().filter(|one| one.closed_at.is_none()) {
        let label = format!("{} {}", one.product, one.version);
        about.push(Choice::new(format!("{}/{}", one.product, one.version), label));
    }
    let statuses = ExposureStatus::ALL
        .iter()
        .map(|status| Choice::new(status.name(), t.word("exposure", status.name()).to_string()))
        .collect();
    let mut reasons = vec![Choice::new("", t.text("vulnerabilities-say-none"))];
    reasons.extend(
        JUSTIFICATIONS
            .iter()
            .map(|word| Choice::new(*word, t.word("justification", word).to_string())),
    );
    let here = address(&name);
    let title = t.text("vulnerabilities-say-title").arg("name", &name).to_string();
    Ok(FormPage::new(member, Section::Vulnerabilities, title, &format!("{here}/say"), &here)
        .crumb("/vulnerabilities", t.text("vulnerabilities-title"))
        .crumb(&here, &name)
        .lead(t.text("vulnerabilities-say-lead"))
        .fields(vec![
            Field::select(t, "about", t.text("vulnerabilities-say-about"), about)
                .value(&said.about)
                .required(),
            Field::radios(t, "status", t.text("vulnerabilities-status"), statuses)
                .value(&said.status)
                .required(),
            Field::select(t, "justification", t.text("vulnerabilities-say-why"), reasons)
                .value(&said.justification)
                .hint(t.text("vulnerabilities-say-why-hint")),
            Field::text(t, "words", t.text("vulnerabilities-say-words"))
                .value(&said.words)
                .hint(t.text("vulnerabilities-say-words-hint"))
                .optional()
                .most(WORDS_MAX),
            Field::text(t, "component", t.text("vulnerabilities-say-component"))
                .value(&said.component)
                .hint(t.text("vulnerabilities-say-component-hint"))
                .optional()
                .most(WORDS_MAX),
            Field::date(t, "expires", t.text("vulnerabilities-say-expires"))
                .value(&said.expires)
                .hint(t.text("vulnerabilities-say-expires-hint"))
                .optional(),
        ])
        .button(t.text("vulnerabilities-say-do")))
}

async fn ask(State(console): State<Console>, member: Member, Path(id): Path<String>) -> Answer {
    page(&console, &member, &id, &Said::default()).await?.show(&member)
}

async fn say(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let t = member.t;
    let mut mistakes = Mistakes::default();
    let about = mistakes.read(
        "about",
        &said.about,
        |text| {
            let (product, version) = text.split_once('/')?;
            let version = (!version.is_empty()).then(|| version.to_owned());
            Some((ProductId::new(product).ok()?, version))
        },
        t.text("vulnerabilities-say-choose"),
    );
    let known = mistakes.read(
        "status",
        &said.status,
        ExposureStatus::from_name,
        t.text("vulnerabilities-say-choose"),
    );
    let expires = match said.expires.as_str() {
        "" => None,
        day => mistakes.read(
            "expires",
            day,
            |day| t.zone.midnight(day),
            t.text("vulnerabilities-say-date"),
        ),
    };
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let (Some((product, version)), Some(known), true) = (about, known, mistakes.is_empty()) else {
        return Ok(page(&console, &member, &id, &said).await?.refuse(&member, mistakes));
    };
    let silent = known == ExposureStatus::NotAffected;
    let new = NewStatement {
        organisation: member.signed().organisation.clone(),
        product,
        version,
        vulnerability: id.clone(),
        component: given(&said.component),
        status: known.name().to_owned(),
        justification: given(&said.justification).filter(|_| silent),
        impact: given(&said.words).filter(|_| silent),
        action: given(&said.words).filter(|_| known == ExposureStatus::Affected),
        expires,
    };
    let here = format!("{}/say", address(&id));
    match console.service.make_statement(member.caller(), new).await {
        Ok(_) => Ok(member.done(&address(&id), "statement-made")),
        Err(error) => {
            let places = &[
                ("vex-refused", "justification"),
                ("vex-component", "component"),
                ("component", "component"),
                ("impact", "words"),
                ("action", "words"),
                ("expires", "expires"),
                ("version", "about"),
            ];
            let page = page(&console, &member, &id, &said).await?;
            form::refused(&member, error, &here, places, || page)
        }
    }
}

struct Row {
    id: String,
    href: String,
    vulnerability: String,
    about: String,
    status: Badge,
    why: Vec<String>,
    who: String,
    at: Moment,
    until: Option<Moment>,
    withdrawn: Option<Moment>,
    may_withdraw: bool,
}

impl Row {
    fn new(t: Locale, view: &StatementView, may_withdraw: bool) -> Self {
        let about = match &view.version {
            Some(version) => format!("{} {version}", view.product),
            None => t
                .text("vulnerabilities-say-every")
                .arg("product", view.product.as_str())
                .to_string(),
        };
        let mut why: Vec<String> =
            view.justification.iter().map(|word| justification(t, word)).collect();
        why.extend(view.words.clone());
        let known = ExposureStatus::from_name(&view.status);
        Self {
            id: view.id.to_string(),
            href: address(&view.vulnerability),
            vulnerability: view.vulnerability.clone(),
            about,
            status: status(t, known.unwrap_or(ExposureStatus::UnderInvestigation)),
            why,
            who: if view.own { view.said_by.clone() } else { view.author.clone() },
            at: t.time(view.said_at),
            until: view.expires.map(|at| t.date(at)),
            withdrawn: view.withdrawn_at.map(|at| t.time(at)),
            may_withdraw: may_withdraw && view.withdrawn_at.is_none(),
        }
    }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let page = listing::page(&place.after);
    let found = console.service.statements(member.caller(), own, &page).await?;
    let may = words::may(&member, Action::JudgeVulnerability, own);
    let page = StatementsPage {
        t,
        frame: member.frame(Section::Vulnerabilities, t.text("vulnerabilities-statements")),
        rows: found.items.iter().map(|view| Row::new(t, view, may)).collect(),
        pager: listing::pager(t, "/statements", &[], &place.after, found.next.as_deref()),
        empty: Empty::new(
            Icon::Audit,
            t.text("vulnerabilities-no-statements"),
            t.text("vulnerabilities-no-statements-hint"),
        ),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "vulnerabilities/statements.html")]
struct StatementsPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}

async fn withdraw(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let id = text.parse().map_err(|_| Failure::not_found())?;
    let own = &member.signed().organisation;
    match console.service.withdraw_statement(member.caller(), own, &id).await {
        Ok(_) => Ok(member.done("/statements", "statement-withdrawn")),
        Err(error) => sensitive::answer(&member, error, "/statements"),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    side: String,
    product: String,
}

/// A campaign over exactly the devices that run an affected version.
async fn campaign(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Posted(wanted): Posted<Wanted>,
) -> Answer {
    let side = super::side(&wanted.side)?;
    let product = wanted.product.split_once('/').and_then(|(maker, product)| {
        Some((OrganisationId::new(maker).ok()?, ProductId::new(product).ok()?))
    });
    let wanted = VulnerabilityCampaign {
        organisation: member.signed().organisation.clone(),
        side,
        vulnerability: id.clone(),
        product: product.ok_or_else(Failure::bad_request)?,
        name: None,
        plan: None,
    };
    let mut back = address(&id);
    if side == FleetSide::Owner {
        back.push_str("?side=owner");
    }
    match console.service.propose_from_vulnerability(member.caller(), wanted).await {
        Ok(view) => Ok(member.done(&format!("/campaigns/{}", view.id), "campaign-proposed")),
        Err(error) => sensitive::answer(&member, error, &back),
    }
}
