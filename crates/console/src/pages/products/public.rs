//! What buyers are told of a product line: the form of all its public fields.

use super::create::{day, support_end};
use crate::{
    Answer, Console, Failure, Fields, Member, Section,
    i18n::{Locale, Zone},
    pages::{
        form::{self, FormPage, Mistakes},
        words,
    },
    ui::Field,
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use crypto::Sha256;
use device::{Gtin, OrganisationId, ProductId};
use policy::Action;
use service::{
    Firmware, LABELS_MAX, LabelScheme, ProductChange, ProductPublic, ProductView, SecurityLabel,
};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/products/{maker}/{id}/public", get(ask).post(change))
}

/// The form's texts: what is there now, or what was typed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Texts {
    support_end: String,
    gtin: String,
    name_ja: String,
    name_en: String,
    contact_url: String,
    firmware: String,
    firmware_digest: String,
    labels: Vec<LabelTexts>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct LabelTexts {
    scheme: String,
    level: String,
    number: String,
    url: String,
    until: String,
}

const LABEL_FIELDS: [&str; 5] = ["scheme", "level", "number", "url", "until"];

fn label_field(place: usize, name: &str) -> String {
    format!("label-{place}-{name}")
}

impl Texts {
    fn of(product: &ProductView, public: &ProductPublic) -> Self {
        let day = |time| Zone::UTC.day(time);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let firmware = public.firmware.as_ref();
        let digest = firmware.and_then(|firmware| firmware.digest);
        Self {
            support_end: product.support_end.map(day).unwrap_or_default(),
            gtin: public.gtin.map(|gtin| gtin.to_string()).unwrap_or_default(),
            name_ja: text(&public.name_ja),
            name_en: text(&public.name_en),
            contact_url: text(&public.contact_url),
            firmware: firmware.map(|firmware| firmware.version.clone()).unwrap_or_default(),
            firmware_digest: digest.map(|digest| digest.to_string()).unwrap_or_default(),
            labels: public
                .labels
                .iter()
                .map(|label| LabelTexts {
                    scheme: label.scheme.name().to_owned(),
                    level: text(&label.level),
                    number: text(&label.number),
                    url: text(&label.url),
                    until: label.valid_until.map(day).unwrap_or_default(),
                })
                .collect(),
        }
    }

    fn typed(form: &Fields) -> Self {
        let get = |name: &str| form.get(name).trim().to_owned();
        let labels = (0..LABELS_MAX)
            .map(|place| {
                let [scheme, level, number, url, until] =
                    LABEL_FIELDS.map(|name| get(&label_field(place, name)));
                LabelTexts { scheme, level, number, url, until }
            })
            .collect();
        Self {
            support_end: get("support_end"),
            gtin: get("gtin"),
            name_ja: get("name_ja"),
            name_en: get("name_en"),
            contact_url: get("contact_url"),
            firmware: get("firmware"),
            firmware_digest: get("firmware_digest"),
            labels,
        }
    }

    fn page(&self, member: &Member, product: &ProductView) -> FormPage {
        let t = member.t;
        let back = format!("/products/{}/{}", product.organisation, product.id);
        let action = format!("{back}/public");
        let title = t.text("products-public-title").arg("name", &product.name);
        let text = |name: &'static str, key: &'static str, hint: &'static str, value: &str| {
            Field::text(t, name, t.text(key)).hint(t.text(hint)).value(value).optional()
        };
        let mut page = FormPage::new(member, Section::Products, title, &action, &back)
            .crumb("/products", t.text("products-title"))
            .crumb(&back, &product.name)
            .lead(t.text("products-public-lead"))
            .fields(vec![
                text("name_ja", "products-name-ja", "products-name-hint", &self.name_ja).most(100),
                text("name_en", "products-name-en", "products-name-hint", &self.name_en).most(100),
                text("gtin", "products-gtin", "products-gtin-hint", &self.gtin).most(14),
                support_end(member, &self.support_end),
                text("contact_url", "products-contact", "products-contact-hint", &self.contact_url)
                    .most(500),
            ])
            .group(
                t.text("products-firmware"),
                Some(t.text("products-firmware-hint").to_string()),
                vec![
                    Field::text(t, "firmware", t.text("products-firmware-version"))
                        .value(&self.firmware)
                        .optional()
                        .most(64),
                    text(
                        "firmware_digest",
                        "products-firmware-digest",
                        "products-firmware-digest-hint",
                        &self.firmware_digest,
                    )
                    .most(64),
                ],
            );
        let empty = LabelTexts::default();
        // Those there are, and one to add; a form without script cannot grow.
        let filled = self.labels.iter().filter(|label| **label != empty).count();
        for place in 0..LABELS_MAX.min(filled.saturating_add(1)) {
            let label = self.labels.get(place).unwrap_or(&empty);
            let title = t.text("products-label").arg("number", place.saturating_add(1));
            let hint = (place == filled).then(|| t.text("products-label-hint").to_string());
            page = page.group(title, hint, label.fields(t, place));
        }
        page.button(t.text("products-public-do"))
    }

    fn read(&self, t: Locale, mistakes: &mut Mistakes) -> Option<ProductPublicForm> {
        let support_end =
            mistakes.read("support_end", &self.support_end, day, t.text("forms-day-wrong"));
        let gtin = mistakes.read(
            "gtin",
            &self.gtin,
            |text| none_or(text, |text| text.parse::<Gtin>().ok()),
            t.text("products-gtin-wrong"),
        );
        let digest = mistakes.read(
            "firmware_digest",
            &self.firmware_digest,
            |text| none_or(text, Sha256::from_hex),
            t.text("products-firmware-digest-wrong"),
        );
        let digest = digest?;
        if digest.is_some() && self.firmware.is_empty() {
            mistakes.add("firmware", t.text("products-firmware-wrong"));
        }
        let mut labels = Vec::new();
        for (place, label) in self.labels.iter().enumerate() {
            labels.extend(label.read(t, place, mistakes));
        }
        Some(ProductPublicForm {
            support_end: support_end?,
            public: ProductPublic {
                gtin: gtin?,
                name_ja: some(&self.name_ja),
                name_en: some(&self.name_en),
                contact_url: some(&self.contact_url),
                firmware: some(&self.firmware).map(|version| Firmware { version, digest }),
                labels,
            },
        })
    }
}

impl LabelTexts {
    fn fields(&self, t: Locale, place: usize) -> Vec<Field> {
        let title = |scheme: LabelScheme| match scheme {
            LabelScheme::Other => t.text("products-label-other").to_string(),
            scheme => scheme.title().to_owned(),
        };
        let schemes = LabelScheme::ALL
            .iter()
            .map(|scheme| (scheme.name().to_owned(), title(*scheme)))
            .collect::<Vec<_>>();
        let name = |field: &str| label_field(place, field);
        vec![
            Field::select(
                t,
                &name("scheme"),
                t.text("products-label-scheme"),
                words::choices(t.text("products-label-none"), schemes),
            )
            .value(&self.scheme),
            Field::text(t, &name("level"), t.text("products-label-level"))
                .value(&self.level)
                .optional()
                .most(64),
            Field::text(t, &name("number"), t.text("products-label-number"))
                .value(&self.number)
                .optional()
                .most(64),
            Field::text(t, &name("url"), t.text("products-label-url"))
                .value(&self.url)
                .optional()
                .most(500),
            Field::date(t, &name("until"), t.text("products-label-until"))
                .value(&self.until)
                .optional(),
        ]
    }

    fn read(&self, t: Locale, place: usize, mistakes: &mut Mistakes) -> Option<SecurityLabel> {
        let field = |name: &str| label_field(place, name);
        if self.scheme.is_empty() {
            if *self != Self::default() {
                mistakes.add(field("scheme"), t.text("products-label-scheme-wrong"));
            }
            return None;
        }
        let read = |text: &str| text.parse::<LabelScheme>().ok();
        let scheme = mistakes.read(&field("scheme"), &self.scheme, read, t.text("forms-choose"));
        let until = mistakes.read(&field("until"), &self.until, day, t.text("forms-day-wrong"));
        Some(SecurityLabel {
            scheme: scheme?,
            level: some(&self.level),
            number: some(&self.number),
            url: some(&self.url),
            valid_until: until?,
        })
    }
}

struct ProductPublicForm {
    support_end: Option<crypto::UnixTime>,
    public: ProductPublic,
}

impl ProductPublicForm {
    /// What differs from what is there: the audit log names what was changed and nothing else.
    fn change(
        self,
        product: &ProductView,
        old: &ProductPublic,
        unchanged_end: bool,
    ) -> ProductChange {
        fn differs<T: PartialEq>(new: T, old: &T) -> Option<T> {
            (new != *old).then_some(new)
        }
        let mut new = self.public;
        // What is said to the second stays as it is while its day stays the same.
        for label in &mut new.labels {
            let same = old.labels.iter().find(|old| {
                old.scheme == label.scheme
                    && old.number == label.number
                    && old.valid_until.map(|end| Zone::UTC.day(end))
                        == label.valid_until.map(|end| Zone::UTC.day(end))
            });
            if let Some(same) = same {
                label.valid_until = same.valid_until;
            }
        }
        ProductChange {
            support_end: differs(self.support_end, &product.support_end).filter(|_| !unchanged_end),
            gtin: differs(new.gtin, &old.gtin),
            name_ja: differs(new.name_ja, &old.name_ja),
            name_en: differs(new.name_en, &old.name_en),
            contact_url: differs(new.contact_url, &old.contact_url),
            firmware: differs(new.firmware, &old.firmware),
            labels: differs(new.labels, &old.labels),
        }
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn none_or<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        "" => Some(None),
        text => read(text).map(Some),
    }
}

/// A product line that the visitor may change, with what buyers are told now.
async fn found(
    console: &Console,
    member: &Member,
    (maker, id): (String, String),
) -> Result<(ProductView, ProductPublic), Failure> {
    let maker = OrganisationId::new(&maker).map_err(|_| Failure::not_found())?;
    let id = ProductId::new(&id).map_err(|_| Failure::not_found())?;
    let product = console.service.product(member.caller(), &maker, &id).await?;
    if !words::may(member, Action::ChangeProduct, &maker) {
        return Err(Failure::forbidden());
    }
    let public = console.service.product_public(member.caller(), &maker, &id).await?;
    Ok((product, public))
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path(path): Path<(String, String)>,
) -> Answer {
    let (product, public) = found(&console, &member, path).await?;
    Texts::of(&product, &public).page(&member, &product).show(&member)
}

async fn change(
    State(console): State<Console>,
    member: Member,
    Path(path): Path<(String, String)>,
    form: Fields,
) -> Answer {
    let (product, public) = found(&console, &member, path).await?;
    let typed = Texts::typed(&form);
    let mut mistakes = Mistakes::default();
    let read = typed.read(member.t, &mut mistakes).filter(|_| mistakes.is_empty());
    let Some(read) = read else {
        return Ok(typed.page(&member, &product).refuse(&member, mistakes));
    };
    // A promise to the second stays as it is while its day stays the same.
    let unchanged_end = typed.support_end == Texts::of(&product, &public).support_end;
    let change = read.change(&product, &public, unchanged_end);
    let (maker, id) = (&product.organisation, &product.id);
    let back = format!("/products/{maker}/{id}");
    if change == ProductChange::default() {
        return Ok(member.done(&back, "nothing-changed"));
    }
    match console.service.change_product(member.caller(), maker, id, change).await {
        Ok(_) => Ok(member.done(&back, "product-changed")),
        Err(error) => {
            let places = &[("firmware", "firmware"), ("url", "contact_url")];
            let here = format!("{back}/public");
            form::refused(&member, error, &here, places, || typed.page(&member, &product))
        }
    }
}
