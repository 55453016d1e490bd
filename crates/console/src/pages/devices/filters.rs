//! The filters of the list, as they stand in the address.

use super::words;
use crate::{Failure, i18n::Locale, pages::listing, ui::Field};
use device::{OrganisationId, Outcome, Phase, ProductId, StandingKind};
use serde::Deserialize;
use service::{Attention, DeviceOrder, DeviceRelation, DeviceSearch, VerdictFilter};

/// Days that *expiring* looks ahead where nobody says otherwise.
const EXPIRING_DAYS: u32 = 30;
/// Days that the end of *support* is looked for ahead, where nobody says otherwise.
const SUPPORT_DAYS: u32 = 180;
/// Days without a sign of life after which a device is *stale*, where nobody says otherwise.
const STALE_DAYS: u32 = 90;

/// All filters; an empty text is none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::pages) struct Filters {
    pub(super) text: String,
    pub(super) relation: String,
    pub(super) product: String,
    pub(super) phase: String,
    pub(super) standing: String,
    pub(super) verdict: String,
    pub(super) attention: String,
    pub(super) days: String,
    pub(super) owner: String,
    pub(super) runs: String,
    pub(super) order: String,
    pub(super) after: String,
}

const RELATIONS: &[&str] = &["owner", "maker", "shared", "offered"];
const ATTENTIONS: &[&str] =
    &["suspect", "expiring", "stale", "suspended", "alarm", "scans", "support"];

fn given<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Failure> {
    match text {
        "" => Ok(None),
        // What is not understood is not left out: the list would show something else than asked.
        text => read(text).map(Some).ok_or_else(Failure::bad_request),
    }
}

/// Versions separated by commas.
pub(in crate::pages) fn versions(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}

impl Filters {
    /// Whether somebody typed an owner that no organisation can be called: nothing fits it.
    pub(super) fn wrong_owner(&self) -> bool {
        !self.owner.is_empty() && OrganisationId::new(&self.owner).is_err()
    }

    /// As the service takes them.
    pub(super) fn search(&self) -> Result<DeviceSearch, Failure> {
        let relation = given(&self.relation, |text| match text {
            "owner" => Some(DeviceRelation::Owner),
            "maker" => Some(DeviceRelation::Maker),
            "shared" => Some(DeviceRelation::Shared),
            "offered" => Some(DeviceRelation::Offered),
            _ => None,
        })?;
        let usual = match self.attention.as_str() {
            "stale" => STALE_DAYS,
            "support" => SUPPORT_DAYS,
            _ => EXPIRING_DAYS,
        };
        let days = given(&self.days, |text| text.parse().ok())?.unwrap_or(usual);
        Ok(DeviceSearch {
            relation: relation.unwrap_or_default(),
            product: given(&self.product, |text| {
                let (maker, id) = text.split_once('/')?;
                Some((OrganisationId::new(maker).ok()?, ProductId::new(id).ok()?))
            })?,
            phase: given(&self.phase, |text| text.parse::<Phase>().ok())?,
            standing: given(&self.standing, |text| text.parse::<StandingKind>().ok())?,
            verdict: given(&self.verdict, |text| match text {
                "never" => Some(VerdictFilter::Never),
                text => text.parse::<Outcome>().ok().map(VerdictFilter::Outcome),
            })?,
            owner: given(&self.owner, |text| OrganisationId::new(text).ok())?,
            attention: given(&self.attention, |text| Attention::from_name(text, days))?,
            text: (!self.text.is_empty()).then(|| self.text.clone()),
            runs: versions(&self.runs),
            order: given(&self.order, |text| match text {
                "newest" => Some(DeviceOrder::Newest),
                "serial" => Some(DeviceOrder::Serial),
                _ => None,
            })?
            .unwrap_or_default(),
        })
    }

    /// Names and values, without the place.
    pub(in crate::pages) fn pairs(&self) -> Vec<(&str, &str)> {
        [
            ("text", &self.text),
            ("relation", &self.relation),
            ("product", &self.product),
            ("phase", &self.phase),
            ("standing", &self.standing),
            ("verdict", &self.verdict),
            ("attention", &self.attention),
            ("days", &self.days),
            ("owner", &self.owner),
            ("runs", &self.runs),
            ("order", &self.order),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.as_str()))
        .collect()
    }

    /// Whether nothing is filtered.
    pub(super) fn is_plain(&self) -> bool {
        self.pairs().iter().all(|(name, _)| matches!(*name, "relation" | "order"))
    }

    /// The fields above the list.
    pub(super) fn fields(&self, t: Locale, products: Vec<(String, String)>) -> Vec<Field> {
        let all = || t.text("words-all");
        let word = |family: &'static str, names: &[&str]| {
            let values = names
                .iter()
                .map(|name| ((*name).to_owned(), t.word(family, name).to_string()))
                .collect::<Vec<_>>();
            words::choices(all(), values)
        };
        let phases =
            Phase::ALL.iter().map(|phase| (phase.name().to_owned(), t.of(phase.text()).to_owned()));
        let standings = StandingKind::ALL
            .iter()
            .map(|one| (one.name().to_owned(), t.of(one.text()).to_owned()));
        let never = ("never".to_owned(), t.text("devices-never-judged").to_string());
        let outcomes = Outcome::ALL
            .iter()
            .map(|one| (one.name().to_owned(), t.of(one.text()).to_owned()))
            .chain([never]);
        let relations = RELATIONS
            .iter()
            .map(|name| crate::ui::Choice::new(*name, t.word("relation", name).to_string()));
        let mut fields = vec![
            Field::search(t, "text", t.text("devices-text"))
                .value(&self.text)
                .hint(t.text("devices-text-hint"))
                .grow()
                .most(200),
            Field::select(t, "relation", t.text("devices-relation"), relations.collect())
                .value(if self.relation.is_empty() { "owner" } else { &self.relation }),
            Field::select(t, "phase", t.text("devices-phase"), words::choices(all(), phases))
                .value(&self.phase),
            Field::select(
                t,
                "standing",
                t.text("devices-standing"),
                words::choices(all(), standings),
            )
            .value(&self.standing),
            Field::select(t, "verdict", t.text("devices-verdict"), words::choices(all(), outcomes))
                .value(&self.verdict),
            Field::select(
                t,
                "attention",
                t.text("devices-attention"),
                word("attention", ATTENTIONS),
            )
            .value(&self.attention),
        ];
        let known = self.product.is_empty() || products.iter().any(|(id, _)| *id == self.product);
        let mut products = products;
        if !known {
            products.push((self.product.clone(), self.product.clone()));
        }
        if !products.is_empty() {
            let choices = words::choices(all(), products);
            fields.push(
                Field::select(t, "product", t.text("devices-product"), choices)
                    .value(&self.product),
            );
        }
        fields.push(Field::text(t, "owner", t.text("devices-owner")).value(&self.owner).most(40));
        fields.push(
            Field::text(t, "runs", t.text("devices-runs"))
                .value(&self.runs)
                .hint(t.text("devices-runs-hint"))
                .most(400),
        );
        let orders = ["newest", "serial"]
            .into_iter()
            .map(|name| crate::ui::Choice::new(name, t.word("order", name).to_string()));
        fields.push(
            Field::select(t, "order", t.text("devices-order"), orders.collect()).value(&self.order),
        );
        fields
    }

    /// What is filtered now, each with the address without it.
    pub(super) fn applied(&self, t: Locale) -> Vec<(String, String)> {
        let pairs = self.pairs();
        let shown = |name: &str, value: &str| -> Option<String> {
            Some(match name {
                "text" => format!("“{value}”"),
                "product" | "owner" | "runs" => value.to_owned(),
                "phase" => t.of(value.parse::<Phase>().ok()?.text()).to_owned(),
                "standing" => t.of(value.parse::<StandingKind>().ok()?.text()).to_owned(),
                "verdict" if value == "never" => t.text("devices-never-judged").to_string(),
                "verdict" => t.of(value.parse::<Outcome>().ok()?.text()).to_owned(),
                "attention" if ATTENTIONS.contains(&value) => {
                    t.word("attention", value).to_string()
                }
                _ => return None,
            })
        };
        pairs
            .iter()
            .filter_map(|(name, value)| {
                let label = shown(name, value)?;
                let rest: Vec<_> =
                    pairs.iter().filter(|(other, _)| other != name).copied().collect();
                Some((label, listing::address("/devices", &rest)))
            })
            .collect()
    }
}
