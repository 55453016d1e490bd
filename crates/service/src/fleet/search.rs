//! Use case: search the devices of an organisation, page by page, forwards and backwards.

use super::{LastVerdict, text};
use crate::{
    DeviceRelation, DeviceView, Page, Service, ServiceError,
    store::{
        device as devices, fleet as store,
        named::named,
        search::{self, Found, Last, Order, Place, Relation, TextFilter, Wanted},
    },
};
use device::{OrganisationId, Outcome, Phase, ProductId, StandingKind, scan::ScanPolicy};
use policy::{Action, Caller, Resource};

/// Most days that *expiring* and *stale* look ahead or back.
const DAYS_MAX: u32 = 3650;

/// Which devices are wanted; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceSearch {
    /// those that the organisation owns, made, is shared or is offered
    pub relation: DeviceRelation,
    /// of one product line: its maker and its id
    pub product: Option<(OrganisationId, ProductId)>,
    /// in one phase
    pub phase: Option<Phase>,
    /// of one standing
    pub standing: Option<StandingKind>,
    /// by the last verdict
    pub verdict: Option<VerdictFilter>,
    /// owned by this organisation
    pub owner: Option<OrganisationId>,
    /// that need attention
    pub attention: Option<Attention>,
    /// management number, device id or its first 6 digits, fingerprint of a key or certificate,
    /// serial number of a certificate, or the device's serial number: its beginning, or any part
    /// where none begins so
    pub text: Option<String>,
    /// that said last that they run one of these versions; empty: whatever they run
    pub runs: Vec<String>,
    /// order of the list
    pub order: DeviceOrder,
}

/// Most versions of one search.
pub(crate) const RUNS_MAX: usize = 1_000;

impl DeviceSearch {
    /// All conditions, by the names that they have in addresses.
    pub(crate) fn in_words(&self) -> String {
        // One more condition is one more line here.
        let Self {
            relation,
            product,
            phase,
            standing,
            verdict,
            owner,
            attention,
            text,
            runs,
            order: _,
        } = self;
        let relation = match relation {
            DeviceRelation::Owner => "owner",
            DeviceRelation::Maker => "maker",
            DeviceRelation::Shared => "shared",
            DeviceRelation::Offered => "offered",
        };
        let mut words = vec![format!("relation={relation}")];
        words.extend(product.as_ref().map(|(maker, id)| format!("product={maker}/{id}")));
        words.extend(phase.map(|phase| format!("phase={}", phase.name())));
        words.extend(standing.map(|standing| format!("standing={}", standing.name())));
        words.extend(verdict.map(|verdict| match verdict {
            VerdictFilter::Outcome(outcome) => format!("verdict={}", outcome.name()),
            VerdictFilter::Never => "verdict=never".to_owned(),
        }));
        words.extend(owner.as_ref().map(|owner| format!("owner={owner}")));
        words.extend(attention.map(|attention| match attention {
            Attention::Expiring { days }
            | Attention::Stale { days }
            | Attention::Support { days } => {
                format!("attention={} days={days}", attention.name())
            }
            Attention::Suspect | Attention::Suspended | Attention::Alarm | Attention::Scans => {
                format!("attention={}", attention.name())
            }
        }));
        words.extend(runs.iter().map(|version| format!("runs={}", quoted(version))));
        // The last, as a JSON string: it is anybody's text.
        words.extend(text.as_deref().map(|text| format!("text={}", quoted(text))));
        words.join(" ")
    }
}

/// A JSON string in which everything that does not show itself is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\'' => out.push(character),
            shown if shown.escape_debug().len() == 1 => out.push(shown),
            hidden => {
                for unit in hidden.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

/// By the last verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictFilter {
    /// it was this
    Outcome(Outcome),
    /// there is none
    Never,
}

/// Why a device needs attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// a working certificate, the newest of its kind, ends within so many days
    Expiring {
        /// days from now
        days: u32,
    },
    /// the last verdict was *suspect* or *rejected*
    Suspect,
    /// neither a verdict nor a proof of possession for so many days
    Stale {
        /// days until now
        days: u32,
    },
    /// its standing is *suspended*
    Suspended,
    /// its history holds an alarm: a copied key, a part in two devices, back after its end
    Alarm,
    /// look-ups of its number suggest that the label was copied
    Scans,
    /// it is in the field, and its product's support ends within so many days or has ended
    Support {
        /// days from now; 0: has ended
        days: u32,
    },
}

impl Attention {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expiring { .. } => "expiring",
            Self::Suspect => "suspect",
            Self::Stale { .. } => "stale",
            Self::Suspended => "suspended",
            Self::Alarm => "alarm",
            Self::Scans => "scans",
            Self::Support { .. } => "support",
        }
    }

    /// Reads a stable name; `days` counts where the kind has any.
    pub fn from_name(name: &str, days: u32) -> Option<Self> {
        match name {
            "expiring" => Some(Self::Expiring { days }),
            "suspect" => Some(Self::Suspect),
            "stale" => Some(Self::Stale { days }),
            "suspended" => Some(Self::Suspended),
            "alarm" => Some(Self::Alarm),
            "scans" => Some(Self::Scans),
            "support" => Some(Self::Support { days }),
            _ => None,
        }
    }
}

/// Order of a list of devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceOrder {
    /// newest entry first
    #[default]
    Newest,
    /// by product line, then serial number
    Serial,
}

/// A device in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLine {
    /// the device
    pub device: DeviceView,
    /// the last verdict under the installation's own policy
    pub verdict: Option<LastVerdict>,
    /// to whom ownership is offered
    pub offered_to: Option<OrganisationId>,
    /// whether its history holds an alarm
    pub alarm: bool,
}

/// A page of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceList {
    /// the devices
    pub items: Vec<DeviceLine>,
    /// for the next page; `None` at the end
    pub next: Option<String>,
    /// for the page before; `None` at the beginning
    pub previous: Option<String>,
    /// The search stopped before the page was full, because few devices fit: `next` (or `previous`,
    /// when reading backwards) goes on from there. The page may even be empty.
    pub partial: bool,
}

impl Service {
    /// A page of an organisation's devices. `page.after` is a `next` or `previous` of an earlier
    /// page; devices that are registered meanwhile appear before the first page and move no other.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`, `text`, `days`, `too-many-searches`.
    pub async fn search_devices(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        wanted: &DeviceSearch,
        page: &Page,
    ) -> Result<DeviceList, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        let order = wanted.order.into();
        let place = page.after.as_deref().map(|text| Cursor::parse(text, order));
        let cursor = place.transpose().map_err(|()| page.misplaced())?;
        let limit = page.count(self.config.limits.page);
        let who = self.organisation_row(organisation.as_str())?.id;
        let (organisation, wanted) = (organisation.clone(), wanted.clone());
        self.at_desk(who, move |service, _| {
            let wanted = service.wanted(&organisation, &wanted)?;
            service.list(&wanted, order, cursor, limit)
        })
        .await
    }

    fn list(
        &self,
        wanted: &Wanted,
        order: Order,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<DeviceList, ServiceError> {
        let back = cursor.as_ref().is_some_and(|cursor| cursor.back);
        let from = cursor.as_ref().map(|cursor| &cursor.place);
        let (found, lines) = self.read(|connection| {
            let found = search::search(connection, wanted, order, from, back, limit)?;
            let mut lines = Vec::with_capacity(found.hits.len());
            for (id, _) in &found.hits {
                let Some(row) = devices::device_by_row(connection, *id)? else { continue };
                lines.push((row, store::line(connection, *id)?));
            }
            Ok((found, lines))
        })?;
        let mut items = lines
            .into_iter()
            .map(|(row, line)| {
                Ok(DeviceLine {
                    device: self.device_view(row)?,
                    verdict: line.verdict.as_ref().map(LastVerdict::from_row).transpose()?,
                    offered_to: line.offered_to.map(|to| self.organisation_id(to)).transpose()?,
                    alarm: line.alarm,
                })
            })
            .collect::<Result<Vec<_>, ServiceError>>()?;
        if back {
            items.reverse();
        }
        let (next, previous, partial) = places(&found, cursor);
        Ok(DeviceList { items, next, previous, partial })
    }

    /// A search as the store takes it. A text is looked up, which takes time: see `at_desk`.
    pub(crate) fn wanted(
        &self,
        organisation: &OrganisationId,
        search: &DeviceSearch,
    ) -> Result<Wanted, ServiceError> {
        let who = self.organisation_row(organisation.as_str())?.id;
        let now = self.now();
        let relation = match search.relation {
            DeviceRelation::Owner => Relation::Owner,
            DeviceRelation::Maker => Relation::Maker,
            DeviceRelation::Shared => Relation::Shared,
            DeviceRelation::Offered => Relation::Offered,
        };
        let mut wanted = Wanted {
            organisation: who,
            relation,
            phase: search.phase.map(Phase::code),
            standing: search.standing.map(StandingKind::code),
            now,
            ..Wanted::default()
        };
        if let Some((maker, product)) = &search.product {
            wanted.product = Some(self.product_row(maker, product)?.id);
        }
        if search.runs.len() > RUNS_MAX {
            return Err(ServiceError::malformed(
                "search",
                format!("at most {RUNS_MAX} versions; search for them in parts"),
            ));
        }
        wanted.runs.clone_from(&search.runs);
        if let Some(owner) = &search.owner {
            wanted.owner = Some(self.organisation_row(owner.as_str())?.id);
        }
        wanted.last = search.verdict.map(|verdict| match verdict {
            VerdictFilter::Outcome(outcome) => Last::Outcome(outcome.code()),
            VerdictFilter::Never => Last::Never,
        });
        match search.attention {
            None => {}
            Some(Attention::Expiring { days }) => {
                wanted.expiring = Some(now.plus(seconds(days)?));
            }
            Some(Attention::Stale { days }) => {
                wanted.stale = Some(now.plus(seconds(days)?.saturating_neg()));
            }
            Some(Attention::Alarm) => wanted.alarm = true,
            Some(Attention::Scans) => {
                wanted.scans = Some(now.plus(-ScanPolicy::default().window_s));
            }
            Some(Attention::Support { days: 0 }) => wanted.support = Some(now),
            Some(Attention::Support { days }) => wanted.support = Some(now.plus(seconds(days)?)),
            Some(Attention::Suspect) => match wanted.last {
                None => wanted.last = Some(Last::Bad),
                // Narrower already, or a contradiction that nothing fits.
                Some(Last::Outcome(outcome)) if outcome != Outcome::Genuine.code() => {}
                Some(_) => wanted.text = Some(TextFilter::Devices(Vec::new())),
            },
            Some(Attention::Suspended) => match wanted.standing {
                None => wanted.standing = Some(StandingKind::Suspended.code()),
                Some(standing) if standing == StandingKind::Suspended.code() => {}
                Some(_) => wanted.text = Some(TextFilter::Devices(Vec::new())),
            },
        }
        let nothing = wanted.text.is_some();
        if let Some(text) = search.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            if text.chars().count() > text::TEXT_MAX || text.chars().any(char::is_control) {
                return Err(ServiceError::malformed(
                    "text",
                    "a search text has at most 200 characters and no control characters",
                ));
            }
            if !nothing {
                let recognised = text::recognise(text);
                let text = self.read(|connection| named(connection, &recognised, &wanted))?;
                wanted.text = Some(text);
            }
        }
        Ok(wanted)
    }
}

fn seconds(days: u32) -> Result<i64, ServiceError> {
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(ServiceError::malformed("days", "from 1 to 3650 days"));
    }
    Ok(i64::from(days).saturating_mul(86_400))
}

impl From<DeviceOrder> for Order {
    fn from(order: DeviceOrder) -> Self {
        match order {
            DeviceOrder::Newest => Self::Newest,
            DeviceOrder::Serial => Self::Serial,
        }
    }
}

/// `next` and `previous` of a page, and whether the search stopped early.
fn places(found: &Found, cursor: Option<Cursor>) -> (Option<String>, Option<String>, bool) {
    let back = cursor.as_ref().is_some_and(|cursor| cursor.back);
    let partial = found.stopped.is_some();
    let last = found.hits.last().map(|(_, place)| place.clone());
    // Onwards in the direction of reading.
    let onwards = found.stopped.clone().or(last.filter(|_| found.more));
    let onwards = onwards.map(|place| Cursor { place, back }.to_string());
    // Back to where this page came from.
    let first = found.hits.first().map(|(_, place)| place.clone());
    let whence = cursor.map(|cursor| match first {
        Some(place) => Cursor { place, back: !back }.to_string(),
        None => Cursor { place: cursor.place.beside(back), back: !back }.to_string(),
    });
    if back { (whence, onwards, partial) } else { (onwards, whence, partial) }
}

/// A place in a list and the direction of reading: what `next` and `previous` hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    place: Place,
    back: bool,
}

impl Cursor {
    /// `n12`, `p12` in the order of entry; `n12.<hex>` by product line and serial number.
    fn parse(text: &str, order: Order) -> Result<Self, ()> {
        let back = match text.as_bytes().first() {
            Some(b'n') => false,
            Some(b'p') => true,
            _ => return Err(()),
        };
        let rest = text.get(1..).ok_or(())?;
        let number = |text: &str| -> Result<i64, ()> {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if plain { text.parse().map_err(|_| ()) } else { Err(()) }
        };
        let place = match order {
            Order::Newest => Place::Row(number(rest)?),
            Order::Serial => {
                let (product, serial) = rest.split_once('.').ok_or(())?;
                let serial = String::from_utf8(hex::decode(serial).map_err(|_| ())?);
                Place::Serial(number(product)?, serial.map_err(|_| ())?)
            }
        };
        Ok(Self { place, back })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.back { "p" } else { "n" })?;
        match &self.place {
            Place::Row(row) => write!(f, "{row}"),
            Place::Serial(product, serial) => write!(f, "{product}.{}", hex::encode(serial)),
        }
    }
}

impl Place {
    /// The place from which turning round does not leave this one out.
    fn beside(self, back: bool) -> Self {
        match self {
            Self::Row(row) if back => Self::Row(row.saturating_add(1)),
            Self::Row(row) => Self::Row(row.saturating_sub(1).max(0)),
            other @ Self::Serial(..) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_show_itself_is_escaped() {
        assert_eq!(quoted("SN 1あ'"), "\"SN 1あ'\"");
        assert_eq!(quoted("\u{202e}\n\"\\"), r#""\u202e\u000a\"\\""#);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,40}") {
            prop_assert_eq!(serde_json::from_str::<String>(&quoted(&text)).ok(), Some(text));
        }
    }
}
