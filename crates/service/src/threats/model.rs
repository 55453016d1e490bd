//! Use cases: a product's threat model: kept, changed, looked at before it is changed, with its history.

use super::{TEXTS_KEPT, THREATS_MAX, damaged, read_model, rule_book, with_decisions};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    names::shows_what_it_is,
    store::{
        organisation::ProductRow,
        threat::{self as store, ModelRow},
    },
};
use assessment::{
    Bilingual, Day,
    threat::{Analysis, Band, Cause, Gap, Model, State, ThreatInstance},
};
use crypto::{Sha256, UnixTime};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use std::collections::BTreeMap;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Longest note about a change, in characters.
const NOTE_MAX: usize = 200;

/// A version of a model without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreatModelVersion {
    /// counts from 1
    pub version: u64,
    /// SHA-256 of the text
    pub digest: Sha256,
    /// what the change was about
    pub note: Option<String>,
    /// who
    pub by: String,
    /// when
    pub at: UnixTime,
}

/// A version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreatModelView {
    /// which version, by whom, when
    pub version: ThreatModelVersion,
    /// the file; `None` where it was dropped because there are many newer ones
    pub text: Option<String>,
}

/// A model to be kept.
#[derive(Debug, Clone)]
pub struct NewThreatModel {
    /// the version that was read; 0 where there was none
    pub version: u64,
    /// the file
    pub text: String,
    /// what the change is about
    pub note: Option<String>,
}

/// A threat that a change brings or takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreatChange {
    /// stable id
    pub id: String,
    /// the rule, or the finding
    pub cause: String,
    /// what is threatened
    pub subject: String,
    /// its title in both languages
    pub title: Bilingual,
    /// where its treatment is
    pub state: State,
    /// residual risk, 1 to 25
    pub score: u8,
    /// its band
    pub band: Band,
}

/// A threat that stays, and stands otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreatMoved {
    /// as it stands after the change
    pub after: ThreatChange,
    /// where its treatment was before
    pub state_before: State,
    /// residual risk before, 1 to 25
    pub score_before: u8,
}

/// What a change of a model does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreatChanges {
    /// threats that were not there
    pub appeared: Vec<ThreatChange>,
    /// threats that are not there any more
    pub vanished: Vec<ThreatChange>,
    /// threats that stand otherwise
    pub moved: Vec<ThreatMoved>,
    /// threats that stand as before
    pub same: usize,
    /// decisions that find no threat any more: they stay, and count again when it comes back
    pub without_threat: Vec<String>,
    /// decisions of the file itself, which do not count here
    pub ignored_decisions: usize,
    /// what the model does not say, so that the worst is assumed: kind and place
    pub assumptions: Vec<(&'static str, String)>,
}

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreatPreview {
    /// the version that it would follow; 0 where there is none
    pub version: u64,
    /// what it does
    pub changes: ThreatChanges,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreatModelPut {
    /// the version that counts now
    pub version: ThreatModelVersion,
    /// what it does; nothing where the text is the same
    pub changes: ThreatChanges,
}

/// A model as it stands today, with what people decided.
#[derive(Debug)]
pub struct ThreatsLooked<'a> {
    /// which version
    pub version: &'a ThreatModelVersion,
    /// what threatens the product
    pub analysis: &'a Analysis<'a>,
    /// versions of the decisions about threats, by their ids; 0 for those that are not there
    pub decided: &'a BTreeMap<String, u64>,
    /// decisions of the file itself, which do not count here
    pub ignored_decisions: usize,
}

/// A model as it is kept, read.
pub(super) struct Kept {
    pub(super) version: ThreatModelVersion,
    pub(super) model: Model,
    pub(super) decided: BTreeMap<String, u64>,
    pub(super) ignored: usize,
}

impl Service {
    /// A product's threat model: the newest version, or another one.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn threat_model(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        version: Option<u64>,
    ) -> Result<ThreatModelView, ServiceError> {
        let product = self.modelled(caller, Action::ReadThreatModel, organisation, product)?;
        let row = self.read(|connection| match version {
            None => store::newest(connection, product.id),
            Some(version) => store::version(connection, product.id, version),
        })?;
        let mut row = found(row, "threat model")?;
        let text = row.text.take();
        Ok(ThreatModelView { version: version_of(row), text })
    }

    /// Versions of a product's threat model, newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn threat_model_history(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        page: &Page,
    ) -> Result<Paged<ThreatModelVersion>, ServiceError> {
        let product = self.modelled(caller, Action::ReadThreatModel, organisation, product)?;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        let rows = self.read(|c| store::versions(c, product.id, before, limit + 1))?;
        Paged::cut(rows, limit, |row| row.version.to_string()).try_map(|row| Ok(version_of(row)))
    }

    /// Whether the caller may change a product's threat model, asked before a large body is read.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub fn may_change_threat_model(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<(), ServiceError> {
        self.modelled(caller, Action::ChangeThreatModel, organisation, product).map(|_| ())
    }

    /// What a change of a product's threat model would do. Nothing is kept.
    ///
    /// # Errors
    /// `threat-model` with line and column, `threat-model-large`, `not-found`, `role`.
    pub async fn preview_threat_model(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        text: String,
    ) -> Result<ThreatPreview, ServiceError> {
        let product = self.modelled(caller, Action::ChangeThreatModel, organisation, product)?;
        let (service, today) = (self.clone(), self.today()?);
        let _turn = turn().await?;
        let work = move || service.changes(&product, &text, today);
        let (version, changes) = self.pool.begin(work).outcome().await??;
        Ok(ThreatPreview { version, changes })
    }

    /// Keeps a threat model. The version is that which the caller read, 0 where there was none: who
    /// comes second is told so. The same text again makes no new version.
    ///
    /// # Errors
    /// `threat-model` with line and column, `threat-model-large`, `threat-model-changed`,
    /// `threat-note`, `not-found`, `role`.
    pub async fn put_threat_model(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        new: NewThreatModel,
    ) -> Result<ThreatModelPut, ServiceError> {
        let row = self.modelled(caller, Action::ChangeThreatModel, organisation, product)?;
        if let Some(note) = &new.note
            && (!(1..=NOTE_MAX).contains(&note.chars().count())
                || note.trim() != note
                || !shows_what_it_is(note))
        {
            return Err(ServiceError::malformed(
                "threat-note",
                "a note has 1 to 200 characters of one line",
            ));
        }
        let (service, today, of, text) =
            (self.clone(), self.today()?, row.clone(), new.text.clone());
        let turn = turn().await?;
        let work = move || service.changes(&of, &text, today);
        let (_, changes) = self.pool.begin(work).outcome().await??;
        drop(turn);
        let (now, by) = (self.now(), caller.to_string());
        let digest = crypto::sha256(new.text.as_bytes());
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .detail("what", "threat-model-changed")
            .detail("sha256", &digest.to_string())
            .detail("appeared", &changes.appeared.len().to_string())
            .detail("vanished", &changes.vanished.len().to_string());
        let (put, same) = self
            .commit(move |tx| {
                let newest = store::newest(tx, row.id)?;
                let present = newest.as_ref().map_or(0, |row| row.version);
                if present != new.version {
                    let who = newest.map_or_else(|| "nobody".to_owned(), |row| row.by);
                    return Err(ServiceError::conflict(
                        "threat-model-changed",
                        format!(
                            "the model is at version {present} by {who}, not {}; look at it again",
                            new.version
                        ),
                    ));
                }
                if let Some(newest) = newest.filter(|row| row.digest == digest) {
                    return Ok((version_of(newest), true));
                }
                let next = ModelRow {
                    organisation: row.organisation,
                    product: row.id,
                    version: present.saturating_add(1),
                    digest,
                    text: Some(new.text),
                    note: new.note,
                    by,
                    at: now,
                };
                store::insert(tx, &next, TEXTS_KEPT)?;
                tx.audit(&event.detail("version", &next.version.to_string()))?;
                Ok((version_of(next), false))
            })
            .await?;
        let changes = if same { ThreatChanges::default() } else { changes };
        Ok(ThreatModelPut { version: put, changes })
    }

    /// Looks at what threatens a product today, with what people decided. The work is done beside
    /// other callers' requests.
    ///
    /// # Errors
    /// `not-found`, also where there is no model; `role`.
    pub async fn look_at_threats<T: Send + 'static>(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        look: impl FnOnce(&ThreatsLooked<'_>) -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let product = self.modelled(caller, Action::ReadThreatModel, organisation, product)?;
        let (service, today) = (self.clone(), self.today()?);
        let work = move || {
            let kept = service.read(|connection| kept(connection, product.id))?;
            let kept = found(kept, "threat model")?;
            let analysis = Analysis::of(&kept.model, rule_book()?, today);
            Ok(look(&ThreatsLooked {
                version: &kept.version,
                analysis: &analysis,
                decided: &kept.decided,
                ignored_decisions: kept.ignored,
            }))
        };
        self.pool.begin(work).outcome().await?
    }

    /// The product, where the caller may do this with its model.
    pub(super) fn modelled(
        &self,
        caller: &Caller,
        action: Action,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<ProductRow, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, action, &resource)?;
        self.product_row(organisation, product)
    }

    /// The version that a text would follow, and what it would change.
    fn changes(
        &self,
        product: &ProductRow,
        text: &str,
        today: Day,
    ) -> Result<(u64, ThreatChanges), ServiceError> {
        let (before, version, rows) = self.read(|connection| {
            let before = match kept(connection, product.id) {
                // It named what a newer platform does not know any more: this text mends it.
                Err(error) if error.code() == "threat-model" => None,
                other => other?,
            };
            let version = store::newest(connection, product.id)?.map_or(0, |row| row.version);
            Ok((before, version, store::decisions(connection, product.id)?))
        })?;
        let (after, ignored) = with_decisions(read_model(text)?, &rows)?;
        let book = rule_book()?;
        let analysis = Analysis::of(&after, book, today);
        if analysis.threats.len() > THREATS_MAX {
            return Err(ServiceError::refused(
                "threat-model-large",
                format!(
                    "{} threats follow from this model, at most {THREATS_MAX} are kept; model the \
                     parts of the product apart",
                    analysis.threats.len()
                ),
            ));
        }
        let mut changes = ThreatChanges {
            without_threat: analysis.stale.iter().map(|(id, _)| (*id).to_owned()).collect(),
            ignored_decisions: ignored,
            assumptions: after.gaps().into_iter().map(assumption).collect(),
            ..ThreatChanges::default()
        };
        let old = before.as_ref().map(|kept| Analysis::of(&kept.model, book, today));
        let mut gone: BTreeMap<&str, &ThreatInstance<'_>> = old
            .as_ref()
            .into_iter()
            .flat_map(|analysis| &analysis.threats)
            .map(|one| (one.id.as_str(), one))
            .collect();
        for one in &analysis.threats {
            match gone.remove(one.id.as_str()) {
                None => changes.appeared.push(change(one)),
                Some(was) if was.state == one.state && was.risk == one.risk => changes.same += 1,
                Some(was) => changes.moved.push(ThreatMoved {
                    after: change(one),
                    state_before: was.state,
                    score_before: was.risk.residual.score(),
                }),
            }
        }
        changes.vanished = gone.into_values().map(change).collect();
        Ok((version, changes))
    }
}

/// Texts that nobody has looked at yet are read one after the other, so that large ones do not take
/// every worker from those who verify devices.
async fn turn() -> Result<SemaphorePermit<'static>, ServiceError> {
    static ONE: Semaphore = Semaphore::const_new(1);
    ONE.acquire().await.map_err(|_| ServiceError::stopped())
}

/// The newest version of a product's model, read, with what people decided.
pub(super) fn kept(
    connection: &rusqlite::Connection,
    product: i64,
) -> Result<Option<Kept>, ServiceError> {
    let Some(mut row) = store::newest(connection, product)? else { return Ok(None) };
    let rows = store::decisions(connection, product)?;
    let text = row.text.take().ok_or_else(damaged)?;
    // A rule or a measure may have gone with a new version of the platform since the model was kept.
    let (model, ignored) = with_decisions(read_model(&text)?, &rows)?;
    let decided = rows.into_iter().map(|row| (row.threat, row.version)).collect();
    Ok(Some(Kept { version: version_of(row), model, decided, ignored }))
}

fn version_of(row: ModelRow) -> ThreatModelVersion {
    ThreatModelVersion {
        version: row.version,
        digest: row.digest,
        note: row.note,
        by: row.by,
        at: row.at,
    }
}

fn change(one: &ThreatInstance<'_>) -> ThreatChange {
    let title = match one.cause {
        Cause::Rule(rule) => rule.title.clone(),
        // What people wrote is in one language.
        Cause::Finding(finding) => {
            Bilingual { en: finding.title.clone(), ja: finding.title.clone() }
        }
    };
    ThreatChange {
        id: one.id.to_string(),
        cause: one.cause_id().to_owned(),
        subject: one.subject.to_string(),
        title,
        state: one.state,
        score: one.risk.residual.score(),
        band: one.risk.residual.band(),
    }
}

/// Kind and place of what a model does not say.
fn assumption(gap: Gap<'_>) -> (&'static str, String) {
    match gap {
        Gap::NoCategory => ("no-category", "category".to_owned()),
        Gap::Unrated(one) => ("unrated", one.id.clone()),
        Gap::NoZone(one) => ("no-zone", one.id.clone()),
        Gap::CarriesNothing(one) => ("carries-nothing", one.id.clone()),
        Gap::Nowhere(one) => ("nowhere", one.id.clone()),
    }
}
