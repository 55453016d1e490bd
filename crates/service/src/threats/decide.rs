//! Use cases: what people decide about threats, kept beside the model by the threats' stable ids.

use super::{damaged, decision_of, model::kept, rule_book};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    names::shows_what_it_is,
    store::threat::{self as store, DecisionRow},
};
use assessment::{
    Day,
    threat::{Analysis, Cause, Verdict},
};
use crypto::UnixTime;
use device::{OrganisationId, ProductId};
use policy::{Action, Caller};
use std::collections::BTreeSet;

/// Longest reason, in characters.
const REASON_MAX: usize = 500;
/// Longest time for which somebody bears a threat, in seconds: a year.
const BORNE_MAX_S: i64 = 366 * 86_400;
/// Threats of one product that somebody decided about.
const DECIDED_MAX: u64 = 10_000;

/// A decision about a threat.
#[derive(Debug, Clone)]
pub struct NewThreatDecision {
    /// the version of the decision that was read; 0 where there was none
    pub version: u64,
    /// what is decided; `None` takes the decision back
    pub verdict: Option<Verdict>,
    /// why
    pub reason: String,
    /// last day on which it counts; needed for what is accepted or transferred
    pub until: Option<Day>,
    /// measures that are decided; with [`Verdict::Measures`] only
    pub measures: Vec<String>,
    /// likelihood as people see it, 1 to 5
    pub likelihood: Option<u8>,
    /// impact as people see it, 1 to 5; counts only where it is not below safety
    pub impact: Option<u8>,
}

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreatDecisionView {
    /// the threat
    pub threat: String,
    /// counts the decisions about it
    pub version: u64,
    /// what was decided; `None`: the decision before was taken back
    pub verdict: Option<Verdict>,
    /// why
    pub reason: String,
    /// last day on which it counts
    pub until: Option<Day>,
    /// measures that are decided
    pub measures: Vec<String>,
    /// likelihood as people see it
    pub likelihood: Option<u8>,
    /// impact as people see it
    pub impact: Option<u8>,
    /// who
    pub by: String,
    /// when
    pub at: UnixTime,
}

impl Service {
    /// Decides about a threat of a product's model, or takes a decision back. To decide on measures is
    /// for those who change the model; to accept, transfer, dismiss, rate or explain a threat, and to
    /// replace such a decision, takes the right to decide.
    ///
    /// # Errors
    /// `threat-decision` for a reason, an end or measures that are missing or too much,
    /// `threat-decided` where somebody decided since, `too-many-decisions`, `not-found`, `role`.
    pub async fn decide_threat(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        threat: &str,
        new: NewThreatDecision,
    ) -> Result<ThreatDecisionView, ServiceError> {
        let row = self.modelled(caller, Action::ChangeThreatModel, organisation, product)?;
        let present = self.read(|connection| store::decision(connection, row.id, threat))?;
        let plans = |verdict: Option<&str>| {
            verdict.is_none_or(|verdict| verdict == Verdict::Measures.word())
        };
        let replaced = present.as_ref().and_then(|row| row.verdict.as_deref());
        let wanted = new.verdict.map(Verdict::word);
        if !plans(replaced) || !plans(wanted) {
            let _row = self.modelled(caller, Action::DecideThreat, organisation, product)?;
        }
        let (now, today) = (self.now(), self.today()?);
        check(&new, today, Day::of(now.plus(BORNE_MAX_S)).ok_or_else(damaged)?)?;
        if let Some(verdict) = new.verdict {
            let (service, id, measures) = (self.clone(), threat.to_owned(), new.measures.clone());
            let of = row.id;
            let work = move || service.fits(of, &id, verdict, &measures, today);
            self.pool.begin(work).outcome().await??;
        } else if replaced.is_none() {
            return Err(ServiceError::not_found("decision"));
        }
        let measures: BTreeSet<&String> = new.measures.iter().collect();
        let next = DecisionRow {
            id: 0,
            organisation: row.organisation,
            product: row.id,
            threat: threat.to_owned(),
            version: new.version.saturating_add(1),
            verdict: wanted.map(str::to_owned),
            reason: new.reason,
            until: new.until.map(|day| day.to_string()),
            likelihood: new.likelihood,
            impact: new.impact,
            measures: serde_json::to_string(&measures).map_err(|_| damaged())?,
            by: caller.to_string(),
            at: now,
        };
        let mut event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .severity(audit::Severity::Medium)
            .detail("what", "threat-decided")
            .detail("threat", threat)
            .detail("verdict", wanted.unwrap_or("taken-back"))
            .detail("reason", &next.reason);
        if let Some(until) = &next.until {
            event = event.detail("until", until);
        }
        let kept = next.clone();
        self.commit(move |tx| {
            let present = store::decision(tx, kept.product, &kept.threat)?;
            let version = present.as_ref().map_or(0, |row| row.version);
            if version.saturating_add(1) != kept.version {
                let who = present.map_or_else(|| "nobody".to_owned(), |row| row.by);
                return Err(ServiceError::conflict(
                    "threat-decided",
                    format!("{who} decided about this threat since; look at it again"),
                ));
            }
            if present.is_none() && store::count_decided(tx, kept.product)? >= DECIDED_MAX {
                return Err(ServiceError::too_many(
                    "too-many-decisions",
                    "too many threats of this product have decisions",
                ));
            }
            store::decide(tx, &kept)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        view(&next)
    }

    /// Decisions about the threats of a product, or about one of them, newest first; those that were
    /// replaced or taken back, and those whose threat is gone, included.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn threat_decisions(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        threat: Option<&str>,
        page: &Page,
    ) -> Result<Paged<ThreatDecisionView>, ServiceError> {
        let product = self.modelled(caller, Action::ReadThreatModel, organisation, product)?;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        let rows = self.read(|c| store::decided(c, product.id, threat, before, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| view(&row))
    }

    /// Whether a decision fits the threat: it is there, and the measures are some that it knows.
    fn fits(
        &self,
        product: i64,
        threat: &str,
        verdict: Verdict,
        measures: &[String],
        today: Day,
    ) -> Result<(), ServiceError> {
        let kept = self.read(|connection| kept(connection, product))?;
        let kept = found(kept, "threat model")?;
        let book = rule_book()?;
        let analysis = Analysis::of(&kept.model, book, today);
        let Some(one) = analysis.threat(threat) else {
            return Err(ServiceError::not_found("threat"));
        };
        if verdict != Verdict::Measures {
            return Ok(());
        }
        let named: BTreeSet<&str> = match one.cause {
            Cause::Rule(rule) => rule.silence.measures().into_iter().collect(),
            Cause::Finding(_) => book.measures().iter().map(|one| one.id.as_str()).collect(),
        };
        match measures.iter().find(|id| !named.contains(id.as_str())) {
            None => Ok(()),
            Some(unknown) => {
                let shown: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
                let some: Vec<&str> = named.into_iter().take(20).collect();
                Err(refused(format!(
                    "{shown} does nothing against this threat; name some of {}",
                    some.join(", ")
                )))
            }
        }
    }
}

fn refused(why: impl Into<std::borrow::Cow<'static, str>>) -> ServiceError {
    ServiceError::malformed("threat-decision", why)
}

/// What a decision must say, whatever the threat.
fn check(new: &NewThreatDecision, today: Day, latest: Day) -> Result<(), ServiceError> {
    let reason = (1..=REASON_MAX).contains(&new.reason.chars().count())
        && !new.reason.trim().is_empty()
        && shows_what_it_is(&new.reason);
    if !reason {
        return Err(refused("say why, in 1 to 500 characters of one line, none of them invisible"));
    }
    let Some(verdict) = new.verdict else {
        let nothing = new.until.is_none()
            && new.measures.is_empty()
            && new.likelihood.is_none()
            && new.impact.is_none();
        return match nothing {
            true => Ok(()),
            false => Err(refused("what takes a decision back has a reason and nothing else")),
        };
    };
    match new.until {
        None if verdict.ends() => {
            return Err(refused("who accepts or transfers a threat says until which day"));
        }
        Some(until) if until < today || until > latest => {
            return Err(refused("a decision ends between today and a year from now"));
        }
        _ => {}
    }
    if (verdict == Verdict::Measures) == new.measures.is_empty() {
        return Err(refused("measures are named with `measures`, and with nothing else"));
    }
    if new.measures.len() > assessment::threat::NAMES_MAX {
        return Err(refused("at most 128 measures"));
    }
    let scale = |value: Option<u8>| value.is_none_or(|value| (1..=5).contains(&value));
    if !scale(new.likelihood) || !scale(new.impact) {
        return Err(refused("likelihood and impact are 1 to 5"));
    }
    if verdict == Verdict::Rated && new.likelihood.is_none() && new.impact.is_none() {
        return Err(refused("rated anew comes with likelihood or impact, 1 to 5"));
    }
    Ok(())
}

fn view(row: &DecisionRow) -> Result<ThreatDecisionView, ServiceError> {
    let decided = decision_of(row)?.map(|(_, decision)| decision);
    Ok(ThreatDecisionView {
        threat: row.threat.clone(),
        version: row.version,
        verdict: decided.as_ref().map(|one| one.verdict),
        reason: row.reason.clone(),
        until: decided.as_ref().and_then(|one| one.until),
        measures: decided.map(|one| one.measures.into_iter().collect()).unwrap_or_default(),
        likelihood: row.likelihood,
        impact: row.impact,
        by: row.by.clone(),
        at: row.at,
    })
}
