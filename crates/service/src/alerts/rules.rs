//! Rules of organisations: those that are built in, changed, switched off, or their own.

use crate::{
    Service, ServiceError,
    live::found,
    store::{
        Effect,
        alert_rule::{self as store, AlertRuleRow},
    },
};
use alert::{AlertError, RULES_MAX, Rule, builtin};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Action, Caller, Resource};
use std::sync::Arc;

/// Devices of an organisation that go into quarantine by themselves within an hour, where it chose no
/// other number; and the greatest it may choose.
pub const QUARANTINE_PER_HOUR: u32 = 5;
/// See [`QUARANTINE_PER_HOUR`].
pub const QUARANTINE_PER_HOUR_MAX: u32 = 1_000;

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertRuleOrigin {
    /// it is built in, and nobody changed it
    Builtin,
    /// it is built in, and the organisation changed it
    Changed,
    /// it is the organisation's
    Own,
}

impl AlertRuleOrigin {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Changed => "changed",
            Self::Own => "own",
        }
    }
}

/// A rule as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRuleView {
    /// the rule
    pub rule: Rule,
    /// where it comes from
    pub origin: AlertRuleOrigin,
    /// which change of it this is; 0 where nobody changed it
    pub revision: u64,
    /// when it was changed, and by whom
    pub changed: Option<(UnixTime, String)>,
}

/// What an organisation chose about alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertSettings {
    /// devices that go into quarantine by themselves within an hour, at most
    pub quarantine_per_hour: u32,
}

fn refused(error: &AlertError) -> ServiceError {
    ServiceError::malformed("alert-rule", error.to_string())
        .in_japanese(format!("規則を読み取れません: {error}"))
}

fn view(row: &AlertRuleRow) -> Result<AlertRuleView, ServiceError> {
    let damaged = |_| ServiceError::fatal("store-damaged", "the row of a rule is damaged");
    let known = builtin().iter().any(|rule| rule.name == row.name);
    Ok(AlertRuleView {
        rule: Rule::parse(&row.rule).map_err(damaged)?,
        origin: if known { AlertRuleOrigin::Changed } else { AlertRuleOrigin::Own },
        revision: row.revision,
        changed: Some((row.changed_at, row.changed_by.clone())),
    })
}

fn merged(rows: &[AlertRuleRow]) -> Result<Vec<AlertRuleView>, ServiceError> {
    let changed: Vec<AlertRuleView> = rows.iter().map(view).collect::<Result<_, _>>()?;
    let untouched = |rule: &&Rule| !changed.iter().any(|it| it.rule.name == rule.name);
    let mut all: Vec<AlertRuleView> = builtin()
        .iter()
        .filter(untouched)
        .map(|rule| AlertRuleView {
            rule: rule.clone(),
            origin: AlertRuleOrigin::Builtin,
            revision: 0,
            changed: None,
        })
        .collect();
    all.extend(changed);
    all.sort_by(|a, b| a.rule.name.cmp(&b.rule.name));
    Ok(all)
}

impl Service {
    /// The rules of an organisation, from memory.
    pub(crate) fn live_alert_rules(
        &self,
        organisation: &str,
    ) -> Result<Arc<Vec<Rule>>, ServiceError> {
        self.live.alert_rules.get_or_load(organisation.to_owned(), || {
            let row = match self.organisation_row(organisation) {
                Ok(row) => row,
                Err(error) if error.kind() == crate::ErrorKind::NotFound => {
                    return Ok(Arc::new(Vec::new()));
                }
                Err(error) => return Err(error),
            };
            let rows = self.read(|connection| store::rules(connection, row.id))?;
            // One that cannot be read must not end the watch over everybody: it is left out, and said.
            let whole = |row: &AlertRuleRow| {
                let read = view(row);
                if let Err(error) = &read {
                    tracing::error!(%error, organisation, rule = row.name, "a rule is left out");
                }
                read.is_ok()
            };
            let rows: Vec<AlertRuleRow> = rows.into_iter().filter(whole).collect();
            let rules = merged(&rows)?.into_iter().map(|view| view.rule);
            Ok(Arc::new(rules.filter(|rule| !rule.off).collect()))
        })
    }

    /// Every rule of an organisation, by name.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn alert_rules(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<AlertRuleView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        merged(&self.read(|connection| store::rules(connection, owner))?)
    }

    /// One rule.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn alert_rule(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<AlertRuleView, ServiceError> {
        let all = self.alert_rules(caller, organisation).await?;
        found(all.into_iter().find(|view| view.rule.name == name), "rule")
    }

    /// Puts a rule in: a changed copy of one that is built in, or one of the organisation's own.
    ///
    /// # Errors
    /// `role`, `not-found`, `alert-rule`, `too-many-rules`.
    pub async fn put_alert_rule(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        json: &str,
    ) -> Result<AlertRuleView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let rule = Rule::parse(json).map_err(|error| refused(&error))?;
        if rule.name != name {
            return Err(ServiceError::malformed(
                "alert-rule",
                "the rule has another name than the one it is put under; give it the same",
            )
            .in_japanese("規則の名前が、登録先の名前と異なります。同じ名前にしてください"));
        }
        let row = AlertRuleRow {
            name: rule.name.clone(),
            rule: rule.json(),
            revision: 0,
            changed_at: self.now(),
            changed_by: caller.to_string(),
        };
        let event = self
            .rule_event(caller, organisation, (name, if rule.off { "off" } else { "put" }))
            .detail("automatic", rule.automatic.name());
        self.commit(move |tx| {
            let known = store::rules(tx, owner)?;
            let others = merged(&known)?.iter().filter(|it| it.rule.name != row.name).count();
            if others >= RULES_MAX {
                return Err(ServiceError::refused(
                    "too-many-rules",
                    "an organisation has 64 rules at most; remove one of its own first",
                )
                .in_japanese("規則は組織ごとに64までです。先に1つ削除してください"));
            }
            store::put_rule(tx, owner, &row)?;
            tx.effect(Effect::AlertRules);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.alert_rule(caller, organisation, name).await
    }

    /// Takes back what was changed of a rule that is built in, or removes one of the organisation's own.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn reset_alert_rule(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let event = self.rule_event(caller, organisation, (name, "reset"));
        let name = name.to_owned();
        self.commit(move |tx| {
            found(store::delete_rule(tx, owner, &name)?.then_some(()), "rule")?;
            tx.effect(Effect::AlertRules);
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// What an organisation chose about alerts.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn alert_settings(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<AlertSettings, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let chosen = self.read(|connection| store::quarantine_per_hour(connection, owner))?;
        Ok(AlertSettings { quarantine_per_hour: chosen.unwrap_or(QUARANTINE_PER_HOUR) })
    }

    /// Chooses it.
    ///
    /// # Errors
    /// `role`, `not-found`, `alert-settings`.
    pub async fn set_alert_settings(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        settings: AlertSettings,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let most = settings.quarantine_per_hour;
        if most > QUARANTINE_PER_HOUR_MAX {
            return Err(ServiceError::malformed(
                "alert-settings",
                "0 to 1,000 devices go into quarantine by themselves within an hour",
            )
            .in_japanese("1時間に自動で隔離する機器は0～1,000台です"));
        }
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", "alert-settings")
            .detail("quarantine_per_hour", &most.to_string());
        let (now, by) = (self.now(), caller.to_string());
        self.commit(move |tx| {
            store::set_quarantine_per_hour(tx, owner, most, (now, &by))?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    fn rule_event(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        (name, change): (&str, &str),
    ) -> audit::SecurityEvent {
        self.event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", "alert-rule")
            .detail("rule", name)
            .detail("change", change)
    }
}
