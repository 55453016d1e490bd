//! A maker says what data of a product line's devices is for (PR-2).

use super::super::{
    consents::{Said, said},
    form, sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section,
    i18n::Locale,
    ui::{Empty, Field, Icon},
};
use admission::{Basis, DataPurpose};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{OrganisationId, ProductId};
use policy::Action;
use serde::Deserialize;
use service::{Page, PurposeView};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/purposes", get(list))
        .route("/products/{maker}/{id}/purposes/new", get(ask).post(declare))
        .route("/products/{maker}/{id}/purposes/end", get(ask_end).post(end))
}

type Line = (OrganisationId, ProductId);

fn line((maker, id): (String, String)) -> Result<Line, Failure> {
    let maker = OrganisationId::new(&maker).map_err(|_| Failure::not_found())?;
    Ok((maker, ProductId::new(&id).map_err(|_| Failure::not_found())?))
}

fn here((maker, id): &Line) -> String {
    format!("/products/{maker}/{id}/purposes")
}

#[derive(Template)]
#[template(path = "products/purposes.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    product: String,
    product_href: String,
    here: String,
    may: bool,
    rows: Vec<Said>,
    empty: Empty,
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
) -> Answer {
    let of = line(of)?;
    let product = console.service.product(member.caller(), &of.0, &of.1).await?;
    let found = console.service.purposes(member.caller(), &of.0, &of.1).await?;
    let t = member.t;
    let page = ListPage {
        t,
        frame: member.frame(Section::Products, t.text("purposes-title")),
        product: product.name,
        product_href: format!("/products/{}/{}", of.0, of.1),
        here: here(&of),
        may: words::may(&member, Action::DeclarePurposes, &of.0),
        rows: found.into_iter().map(|it| said(t, it)).collect(),
        empty: Empty::new(Icon::Approval, t.text("purposes-empty"), t.text("purposes-empty-hint")),
    };
    Ok(member.page(&page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    name: String,
    title_en: String,
    title_ja: String,
    explanation_en: String,
    explanation_ja: String,
    topics: String,
    legal_basis: String,
    recipients: String,
    retention_days: String,
}

impl Form {
    fn of(view: PurposeView) -> Self {
        let says = view.says;
        Self {
            name: view.name.to_string(),
            title_en: says.title_en,
            title_ja: says.title_ja,
            explanation_en: says.explanation_en,
            explanation_ja: says.explanation_ja,
            topics: says.topics.join("\n"),
            legal_basis: match says.basis {
                Basis::Consent => String::new(),
                Basis::Necessary(basis) => basis,
            },
            recipients: says.recipients.join("\n"),
            retention_days: says.retention_days.to_string(),
        }
    }

    fn page(&self, member: &Member, of: &Line) -> form::FormPage {
        let (t, here) = (member.t, here(of));
        let text = |name: &str, key: &str, value: &str, most: u32| {
            Field::text(t, name, t.text(key)).value(value).most(most).required()
        };
        let area = |name: &str, key: &str, value: &str| {
            Field::area(t, name, t.text(key)).value(value).most(2000).required()
        };
        let lines = |name: &str, key: &str, hint: &str, value: &str| {
            Field::area(t, name, t.text(key))
                .hint(t.text(hint))
                .value(value)
                .most(16_400)
                .required()
        };
        let fields = vec![
            text("name", "purposes-name", &self.name, 64).hint(t.text("purposes-name-hint")),
            text("title_ja", "purposes-title-ja", &self.title_ja, 200),
            text("title_en", "purposes-title-en", &self.title_en, 200),
            area("explanation_ja", "purposes-explanation-ja", &self.explanation_ja),
            area("explanation_en", "purposes-explanation-en", &self.explanation_en),
            lines("topics", "consents-topics", "purposes-topics-hint", &self.topics),
            lines(
                "recipients",
                "consents-recipients",
                "purposes-recipients-hint",
                &self.recipients,
            ),
            Field::number(t, "retention_days", t.text("purposes-days"))
                .value(&self.retention_days)
                .required(),
            Field::text(t, "legal_basis", t.text("consents-basis"))
                .hint(t.text("purposes-basis-hint"))
                .value(&self.legal_basis)
                .most(200)
                .optional(),
        ];
        form::FormPage::new(
            member,
            Section::Products,
            t.text("purposes-declare"),
            &format!("{here}/new"),
            &here,
        )
        .crumb(here.as_str(), t.text("purposes-title"))
        .lead(t.text("purposes-declare-lead"))
        .fields(fields)
        .button(t.text("purposes-declare"))
    }

    fn says(&self) -> DataPurpose {
        let lines = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let basis = self.legal_basis.trim();
        DataPurpose {
            title_en: self.title_en.clone(),
            title_ja: self.title_ja.clone(),
            explanation_en: self.explanation_en.clone(),
            explanation_ja: self.explanation_ja.clone(),
            topics: lines(&self.topics),
            basis: match basis {
                "" => Basis::Consent,
                basis => Basis::Necessary(basis.to_owned()),
            },
            recipients: lines(&self.recipients),
            // What is no number is outside of what may be chosen, and said to be so.
            retention_days: self.retention_days.trim().parse().unwrap_or(0),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

fn may(member: &Member, of: &Line) -> Result<(), Failure> {
    let may = words::may(member, Action::DeclarePurposes, &of.0);
    may.then_some(()).ok_or_else(Failure::forbidden)
}

/// The newest version of a purpose.
async fn known(
    console: &Console,
    member: &Member,
    of: &Line,
    name: &str,
) -> Result<PurposeView, Failure> {
    let page = Page { after: None, limit: 1 };
    let found = console.service.purpose_versions(member.caller(), (&of.0, &of.1), name, &page);
    found.await?.items.pop().ok_or_else(Failure::not_found)
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Asked(from): Asked<Named>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    let form = match from.name.as_str() {
        "" => Form::default(),
        name => Form::of(known(&console, &member, &of, name).await?),
    };
    form.page(&member, &of).show(&member)
}

async fn declare(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Posted(form): Posted<Form>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    let name = form.name.trim();
    let done =
        console.service.declare_purpose(member.caller(), (&of.0, &of.1), name, form.says()).await;
    match done {
        Ok(_) => Ok(member.done(&here(&of), "purpose-declared")),
        Err(error) => {
            let places = [("purpose-name", "name"), ("purpose-topics", "topics")];
            let at = format!("{}/new", here(&of));
            form::refused(&member, error, &at, &places, || form.page(&member, &of))
        }
    }
}

async fn ask_end(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Asked(from): Asked<Named>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    let view = known(&console, &member, &of, &from.name).await?;
    let (t, name) = (member.t, view.name.to_string());
    let crumbs = vec![(here(&of), t.text("purposes-title").to_string())];
    let page = form::ConfirmPage::new(
        &member,
        Section::Products,
        crumbs,
        said(t, view).title,
        t.text("purposes-end").to_string(),
    )
    .with(|confirm| confirm.effect(t.text("purposes-end-effect")).hidden("name", &name));
    Ok(member.page(&page))
}

async fn end(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Posted(said): Posted<Named>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    match console.service.end_purpose(member.caller(), (&of.0, &of.1), &said.name).await {
        Ok(_) => Ok(member.done(&here(&of), "purpose-ended")),
        Err(error) => sensitive::answer(&member, error, &here(&of)),
    }
}
