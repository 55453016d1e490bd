//! A maker says what data of its product line's devices is for.

use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        Effect,
        purpose::{self as store, PurposeRow},
    },
};
use admission::{Basis, DataPurpose, PURPOSES_MAX, PurposeError, PurposeName, TopicFilter};
use audit::{Kind, Outcome, Severity};
use crypto::UnixTime;
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// Versions of a purpose: each is a text that somebody may have agreed to, and stays.
const VERSIONS_MAX: u64 = 1000;
/// Versions of a purpose within a day: each takes back what owners agreed to, and has devices looked up anew.
const VERSIONS_DAY_MAX: u64 = 24;
const DAY_S: i64 = 86_400;
/// Owners that are told that topics are open now.
const TOLD_MAX: usize = 1000;

/// A purpose as it stands, or a version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeView {
    /// what it is called
    pub name: PurposeName,
    /// number of the version
    pub version: u64,
    /// what it says
    pub says: DataPurpose,
    /// whether the maker has ended it: nobody can agree to it, and its topics stay closed
    pub ended: bool,
    /// who declared it
    pub made_by: String,
    /// when
    pub made_at: UnixTime,
}

impl PurposeView {
    pub(super) fn of(row: PurposeRow) -> Result<Self, ServiceError> {
        let damaged = |_| ServiceError::fatal("store-damaged", "a purpose's row is damaged");
        Ok(Self {
            name: PurposeName::new(&row.name).map_err(damaged)?,
            version: row.version,
            says: row.says,
            ended: row.ended,
            made_by: row.made_by,
            made_at: row.made_at,
        })
    }
}

fn wrong(error: &PurposeError) -> ServiceError {
    let (code, japanese) = match error {
        PurposeError::Name => (
            "purpose-name",
            "目的の名前は英小文字で始まる64文字以内の英小文字・数字・ハイフンにしてください",
        ),
        PurposeError::Topics | PurposeError::Topic(_) => (
            "purpose-topics",
            "トピックは機器が送信する領域内のフィルターを1〜16個書いてください（例: up/location/#）",
        ),
        PurposeError::Retention => ("purpose", "保存期間は1日から36525日までにしてください"),
        PurposeError::Recipients => ("purpose", "受領者を1〜16個書いてください"),
        PurposeError::Line(_) => {
            ("purpose", "題名・受領者・法的根拠は1行200文字以内で必ず書いてください")
        }
        PurposeError::Explanation(_) => ("purpose", "説明は2000文字以内で必ず書いてください"),
    };
    ServiceError::malformed(code, error.to_string()).in_japanese(japanese)
}

/// A purpose's name, or what is wrong with it.
pub(super) fn name_of(name: &str) -> Result<PurposeName, ServiceError> {
    PurposeName::new(name).map_err(|error| wrong(&error))
}

impl Service {
    /// Declares a purpose of a product line, or changes what it says: a new version, to which owners have
    /// to agree anew. The same text again changes nothing.
    ///
    /// # Errors
    /// `not-found`, `role`; `purpose`, `purpose-name`, `purpose-topics`, `too-many-purposes`.
    pub async fn declare_purpose(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        name: &str,
        says: DataPurpose,
    ) -> Result<PurposeView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::DeclarePurposes, &resource)?;
        let name = name_of(name)?;
        let says = says.checked().map_err(|error| wrong(&error))?;
        let row = self.product_row(organisation, product)?;
        let (by, at) = (caller.to_string(), self.now());
        let event = self.purpose_event(caller, organisation, (product, &name), "declared");
        // For owners: what they read here needs no consent of theirs any more.
        let told = self
            .event(
                &Caller::Platform { task: "purposes" },
                Kind::ConfigurationChange,
                Outcome::Success,
            )
            .severity(Severity::Medium)
            .detail("what", "purpose")
            .detail("product", &format!("{organisation}/{product}"))
            .detail("purpose", name.as_str())
            .detail("change", "topics are open without consent");
        let basis = match &says.basis {
            Basis::Consent => "consent",
            Basis::Necessary(_) => "necessary",
        };
        let made = self
            .commit(move |tx| {
                let all = store::of_product(tx, row.id)?;
                let known = all.iter().find(|it| it.name == name.as_str());
                if let Some(known) = known.filter(|it| !it.ended && it.says == says) {
                    return Ok(Some(known.clone()));
                }
                if known.is_none() && all.len() >= PURPOSES_MAX {
                    let message = format!(
                        "a product line has {PURPOSES_MAX} purposes at most, ended ones included; \
                         declare one of them anew"
                    );
                    return Err(ServiceError::conflict("too-many-purposes", message)
                        .in_japanese("製品ラインの目的は終了したものを含めて32個までです"));
                }
                if known.is_some_and(|known| known.version >= VERSIONS_MAX) {
                    let message = format!(
                        "the purpose has {VERSIONS_MAX} versions; declare another one, and end this"
                    );
                    return Err(ServiceError::conflict("too-many-purposes", message).in_japanese(
                        "この目的の版数が上限に達しています。別の目的を宣言してください",
                    ));
                }
                if let Some(known) = known {
                    let day = UnixTime(at.0.saturating_sub(DAY_S));
                    if store::versions_since(tx, known.purpose, day)? >= VERSIONS_DAY_MAX {
                        let message = format!(
                            "the purpose has had {VERSIONS_DAY_MAX} versions within a day; declare the next \
                             tomorrow"
                        );
                        return Err(ServiceError::conflict("too-many-purposes", message)
                            .in_japanese("この目的は1日に24版までです。明日宣言してください"));
                    }
                    let opened = opened(known, &says);
                    if !opened.is_empty() {
                        for owner in store::owners_of(tx, row.id, TOLD_MAX)? {
                            let event = told.clone().organisation(&owner);
                            tx.audit(&event.detail("topics", &opened.join(" ")))?;
                        }
                    }
                }
                store::insert(tx, (row.id, name.as_str()), &says, false, (&by, at))?;
                let made = found(store::newest(tx, row.id, name.as_str())?, "purpose")?;
                let event = event.detail("version", &made.version.to_string());
                tx.audit(&event.detail("basis", basis))?;
                tx.effect(Effect::Purposes(row.id));
                Ok(Some(made))
            })
            .await?;
        PurposeView::of(found(made, "purpose")?)
    }

    /// Ends a purpose: nobody can agree to it any more. Its topics stay closed, so that what was not
    /// agreed to does not flow because nobody names it.
    ///
    /// # Errors
    /// `not-found`, `role`; `purpose-name`.
    pub async fn end_purpose(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        name: &str,
    ) -> Result<PurposeView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::DeclarePurposes, &resource)?;
        let name = name_of(name)?;
        let row = self.product_row(organisation, product)?;
        let (by, at) = (caller.to_string(), self.now());
        let event = self.purpose_event(caller, organisation, (product, &name), "ended");
        let ended = self
            .commit(move |tx| {
                let known = found(store::newest(tx, row.id, name.as_str())?, "purpose")?;
                if known.ended {
                    return Ok(Some(known));
                }
                store::insert(tx, (row.id, name.as_str()), &known.says, true, (&by, at))?;
                tx.audit(&event)?;
                tx.effect(Effect::Purposes(row.id));
                store::newest(tx, row.id, name.as_str())
            })
            .await?;
        PurposeView::of(found(ended, "purpose")?)
    }

    /// The purposes of a product line, for its maker.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn purposes(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<Vec<PurposeView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?;
        let rows = self.read(|connection| store::of_product(connection, row.id))?;
        rows.into_iter().map(PurposeView::of).collect()
    }

    /// Versions of a purpose, the newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`; `purpose-name`.
    pub async fn purpose_versions(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        name: &str,
        page: &Page,
    ) -> Result<Paged<PurposeView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let name = name_of(name)?;
        let row = self.product_row(organisation, product)?;
        let known = self.read(|connection| store::newest(connection, row.id, name.as_str()))?;
        let purpose = found(known, "purpose")?.purpose;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self.read(|connection| {
            store::versions(connection, purpose, before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.version.to_string()).try_map(PurposeView::of)
    }

    fn purpose_event(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        (product, name): (&ProductId, &PurposeName),
        change: &str,
    ) -> audit::SecurityEvent {
        self.event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(organisation.as_str())
            .severity(Severity::Medium)
            .subject(product.as_str())
            .detail("what", "purpose")
            .detail("purpose", name.as_str())
            .detail("change", change)
    }
}

/// Topics that were closed without consent, and that another version opens: it no longer names them, or no
/// longer asks for consent.
fn opened(known: &PurposeRow, says: &DataPurpose) -> Vec<String> {
    if known.says.basis != Basis::Consent && !known.ended {
        return Vec::new();
    }
    let read = |topic: &String| TopicFilter::new(topic.as_str()).ok();
    let closed: Vec<TopicFilter> = match says.basis {
        Basis::Consent => says.topics.iter().filter_map(read).collect(),
        Basis::Necessary(_) => Vec::new(),
    };
    let stays = |topic: &String| {
        read(topic).is_some_and(|topic| closed.iter().any(|closed| closed.covers(&topic)))
    };
    known.says.topics.iter().filter(|topic| !stays(topic)).cloned().collect()
}
