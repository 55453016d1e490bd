//! A new product line.

use crate::{
    Answer, Asked, Console, Failure, Member, Posted, Section,
    i18n::Zone,
    pages::{
        form::{self, FormPage, Mistakes},
        listing, words,
    },
    ui::{Choice, Field},
};
use axum::{Router, extract::State, routing::get};
use device::{DeviceKind, ProductId, RootOfTrust};
use policy::Action;
use serde::Deserialize;
use service::NewProduct;

const NEW: &str = "/products/new";
const DAY_S: u32 = 86_400;
/// Longest validity of owners' certificates that is offered, in days: ten years.
const DAYS_MAX: u32 = 3_653;

pub(super) fn router() -> Router<Console> {
    Router::new().route(NEW, get(ask).post(create))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct New {
    id: String,
    name: String,
    model: String,
    kind: String,
    root_of_trust: String,
    support_end: String,
    days: String,
}

impl New {
    fn page(&self, member: &Member) -> FormPage {
        let t = member.t;
        let kinds = DeviceKind::ALL
            .iter()
            .map(|kind| Choice::new(kind.name(), words::device_kind(t, *kind)))
            .collect();
        let roots = RootOfTrust::ALL
            .iter()
            .map(|root| Choice::new(root.name(), words::root_of_trust(t, *root)))
            .collect();
        let kind = if self.kind.is_empty() { DeviceKind::Device.name() } else { &self.kind };
        FormPage::new(member, Section::Products, t.text("products-new"), NEW, "/products")
            .crumb("/products", t.text("products-title"))
            .lead(t.text("products-new-lead"))
            .fields(vec![
                Field::text(t, "name", t.text("products-name"))
                    .value(&self.name)
                    .required()
                    .most(64),
                Field::text(t, "model", t.text("products-model"))
                    .value(&self.model)
                    .required()
                    .most(64),
                Field::text(t, "id", t.text("products-id"))
                    .hint(t.text("forms-id-hint"))
                    .value(&self.id)
                    .required()
                    .most(40),
                Field::select(t, "kind", t.text("products-kind"), kinds).value(kind).required(),
                Field::select(t, "root_of_trust", t.text("products-root"), roots)
                    .hint(t.text("products-root-hint"))
                    .value(&self.root_of_trust)
                    .required(),
                support_end(member, &self.support_end),
                Field::number(t, "days", t.text("products-validity"))
                    .hint(t.text("products-validity-hint"))
                    .value(&self.days)
                    .optional(),
            ])
            .button(t.text("products-new"))
    }

    /// The page with this form, filled in as it is.
    fn address(&self) -> String {
        listing::address(
            NEW,
            &[
                ("id", &self.id),
                ("name", &self.name),
                ("model", &self.model),
                ("kind", &self.kind),
                ("root_of_trust", &self.root_of_trust),
                ("support_end", &self.support_end),
                ("days", &self.days),
            ],
        )
    }

    fn read(&self, member: &Member, mistakes: &mut Mistakes) -> Option<NewProduct> {
        let t = member.t;
        let id = mistakes.read(
            "id",
            self.id.trim(),
            |text| ProductId::new(text).ok(),
            t.text("forms-id-wrong"),
        );
        let kind = mistakes.read(
            "kind",
            &self.kind,
            |text| text.parse::<DeviceKind>().ok(),
            t.text("forms-choose"),
        );
        let root_of_trust = mistakes.read(
            "root_of_trust",
            &self.root_of_trust,
            |text| text.parse::<RootOfTrust>().ok(),
            t.text("forms-choose"),
        );
        let support_end =
            mistakes.read("support_end", &self.support_end, day, t.text("forms-day-wrong"));
        let validity = mistakes.read(
            "days",
            self.days.trim(),
            |text| match text {
                "" => Some(None),
                text => {
                    let days = text.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days))?;
                    Some(days.checked_mul(DAY_S))
                }
            },
            t.text("products-validity-wrong").arg("days", DAYS_MAX),
        );
        Some(NewProduct {
            organisation: member.signed().organisation.clone(),
            id: id?,
            name: self.name.trim().to_owned(),
            model: self.model.trim().to_owned(),
            kind: kind?,
            root_of_trust: root_of_trust?,
            support_end: support_end?,
            ldevid_validity_s: validity?,
        })
    }
}

/// The field of a day on which support ends.
pub(super) fn support_end(member: &Member, value: &str) -> Field {
    let t = member.t;
    Field::date(t, "support_end", t.text("products-support-end"))
        .hint(t.text("products-support-end-hint"))
        .value(value)
        .optional()
}

/// A day, or none: kept as its first second in UTC, which is the same day in Japan.
pub(super) fn day(text: &str) -> Option<Option<crypto::UnixTime>> {
    match text.trim() {
        "" => Some(None),
        text => Zone::UTC.midnight(text).map(Some),
    }
}

async fn ask(member: Member, Asked(new): Asked<New>) -> Answer {
    if !words::may(&member, Action::CreateProduct, &member.signed().organisation) {
        return Err(Failure::forbidden());
    }
    new.page(&member).show(&member)
}

async fn create(
    State(console): State<Console>,
    member: Member,
    Posted(new): Posted<New>,
) -> Answer {
    let mut mistakes = Mistakes::default();
    let wanted = new.read(&member, &mut mistakes).filter(|_| mistakes.is_empty());
    let Some(wanted) = wanted else { return Ok(new.page(&member).refuse(&member, mistakes)) };
    match console.service.create_product(member.caller(), wanted).await {
        Ok(product) => {
            let to = format!("/products/{}/{}", product.organisation, product.id);
            Ok(member.done(&to, "product-created"))
        }
        Err(error) => {
            let places = &[("product-exists", "id"), ("ldevid-validity", "days")];
            form::refused(&member, error, &new.address(), places, || new.page(&member))
        }
    }
}
