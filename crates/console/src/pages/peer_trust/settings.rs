//! An organisation chooses which devices its own trust without the platform.

use super::HERE;
use crate::{
    Answer, Console, Failure, Fields, Member, Posted, Section,
    i18n::Locale,
    pages::{
        form::{self, ConfirmPage, FormPage, Mistakes},
        sensitive, words,
    },
    ui::{ButtonKind, Field},
};
use ::peer::{LIFE_S_MAX, LIFE_S_MIN};
use axum::{Router, extract::State, routing::get};
use device::{OrganisationId, ProductId};
use policy::Action;
use serde::Deserialize;
use service::NewPeerTrust;

const SETTINGS: &str = "/peer-trust/settings";
const END: &str = "/peer-trust/end";
const HOUR_S: i64 = 3600;
/// What is offered to whoever chooses for the first time.
const HOURS: &str = "72";

pub(super) fn router() -> Router<Console> {
    Router::new().route(SETTINGS, get(ask).post(set)).route(END, get(ask_end).post(end))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    hours: String,
    makers: String,
    organisations: String,
    products: String,
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn organisations(text: &str) -> Option<Vec<OrganisationId>> {
    lines(text).map(|line| OrganisationId::new(line).ok()).collect()
}

fn products(text: &str) -> Option<Vec<(OrganisationId, ProductId)>> {
    let read = |line: &str| {
        let (maker, product) = line.split_once('/')?;
        Some((OrganisationId::new(maker).ok()?, ProductId::new(product).ok()?))
    };
    lines(text).map(read).collect()
}

impl Form {
    fn of(chosen: &NewPeerTrust) -> Self {
        let text = |names: &[OrganisationId]| {
            names.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let line = |(maker, product): &(OrganisationId, ProductId)| format!("{maker}/{product}");
        Self {
            // What a program chose between two hours is chosen anew, and not rounded.
            hours: match chosen.life_s % HOUR_S {
                0 => (chosen.life_s / HOUR_S).to_string(),
                _ => String::new(),
            },
            makers: text(&chosen.makers),
            organisations: text(&chosen.organisations),
            products: chosen.products.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    }

    fn page(&self, member: &Member) -> FormPage {
        let t = member.t;
        let area = |name: &str, label: &str, hint: &str, value: &str| {
            Field::area(t, name, t.text(label))
                .hint(t.text(hint))
                .value(value)
                .most(4_000)
                .optional()
        };
        let fields = vec![
            Field::number(t, "hours", t.text("peer-life"))
                .hint(t.text("peer-hours-hint"))
                .value(&self.hours)
                .required(),
            area("makers", "peer-makers", "peer-makers-hint", &self.makers),
            area(
                "organisations",
                "peer-organisations",
                "peer-organisations-hint",
                &self.organisations,
            ),
            area("products", "peer-products", "peer-products-hint", &self.products),
        ];
        FormPage::new(member, Section::Policies, t.text("peer-choose"), SETTINGS, HERE)
            .crumb("/policies", t.text("policies-title"))
            .crumb(HERE, t.text("peer-title"))
            .lead(t.text("peer-choose-lead"))
            .fields(fields)
    }

    fn read(&self, t: Locale, mistakes: &mut Mistakes) -> Option<NewPeerTrust> {
        let hours = |text: &str| {
            let life_s = text.parse::<i64>().ok()?.checked_mul(HOUR_S)?;
            (LIFE_S_MIN..=LIFE_S_MAX).contains(&life_s).then_some(life_s)
        };
        let life_s = mistakes.read("hours", self.hours.trim(), hours, t.text("peer-hours-wrong"));
        let wrong = t.text("peer-names-wrong").to_string();
        let makers = mistakes.read("makers", &self.makers, organisations, &wrong);
        let known = mistakes.read("organisations", &self.organisations, organisations, &wrong);
        let lines =
            mistakes.read("products", &self.products, products, t.text("peer-products-wrong"));
        Some(NewPeerTrust {
            life_s: life_s?,
            makers: makers?,
            organisations: known?,
            products: lines?,
        })
    }
}

fn may(member: &Member) -> Result<(), Failure> {
    let may = words::may(member, Action::ManagePeerTrust, &member.signed().organisation);
    may.then_some(()).ok_or_else(Failure::forbidden)
}

async fn ask(State(console): State<Console>, member: Member) -> Answer {
    may(&member)?;
    let form = match console.service.peer_trust(member.caller()).await? {
        Some(view) => Form::of(&view.chosen),
        None => Form { hours: HOURS.to_owned(), ..Form::default() },
    };
    form.page(&member).show(&member)
}

async fn set(State(console): State<Console>, member: Member, Posted(form): Posted<Form>) -> Answer {
    may(&member)?;
    let mut mistakes = Mistakes::default();
    let Some(new) = form.read(member.t, &mut mistakes) else {
        return Ok(form.page(&member).refuse(&member, mistakes));
    };
    match console.service.set_peer_trust(member.caller(), new).await {
        Ok(_) => Ok(member.done(HERE, "peer-chosen")),
        Err(error) => form::refused(&member, error, SETTINGS, &[], || form.page(&member)),
    }
}

async fn ask_end(State(console): State<Console>, member: Member) -> Answer {
    may(&member)?;
    if console.service.peer_trust(member.caller()).await?.is_none() {
        return Err(Failure::not_found());
    }
    let t = member.t;
    let crumbs = vec![
        ("/policies".to_owned(), t.text("policies-title").to_string()),
        (HERE.to_owned(), t.text("peer-title").to_string()),
    ];
    let own = member.signed().organisation.to_string();
    let question = t.text("peer-end-question");
    let page =
        ConfirmPage::new(&member, Section::Policies, crumbs, own, question).with(|confirm| {
            confirm
                .effect(t.text("peer-end-effect").to_string())
                .button(ButtonKind::Danger, t.text("peer-end"))
        });
    Ok(member.page(&page))
}

async fn end(State(console): State<Console>, member: Member, _form: Fields) -> Answer {
    may(&member)?;
    match console.service.end_peer_trust(member.caller()).await {
        Ok(()) => Ok(member.done(HERE, "peer-ended")),
        Err(error) => sensitive::answer(&member, error, HERE),
    }
}
