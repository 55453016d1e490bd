//! What people do with profiles.

use super::{BehaviourDevice, BehaviourProfile, refused, watch::Scope};
use crate::{
    Service, ServiceError,
    live::found,
    store::behaviour::{self as store},
};
use ::behaviour::{Accepted, Aspect, Phase, ProductProfile, Settings};
use audit::{Kind, Outcome, SecurityEvent};
use device::{DeviceId, OrganisationId};
use policy::{Action, Caller, Resource};
use std::collections::HashSet;

/// Where a profile is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileChange {
    /// it forgets what it learned and learns anew, for so many seconds from now on
    Learn(Option<u32>),
    /// learning ends; what was not learned deviates
    Watch,
    /// as that, and new devices learn nothing of their own
    Freeze,
    /// nothing is learned, nothing deviates
    Off,
}

impl ProfileChange {
    fn name(self) -> &'static str {
        match self {
            Self::Learn(_) => "learning",
            Self::Watch => "watching",
            Self::Freeze => "frozen",
            Self::Off => "off",
        }
    }
}

impl Service {
    /// Has a profile learn, watch, freeze or be off. What was counted until now is learned first.
    ///
    /// # Errors
    /// `role`, `not-found`; `profile-empty` where nothing was learned that could be watched;
    /// `behaviour-settings`.
    pub async fn change_behaviour(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: &str,
        change: ProfileChange,
    ) -> Result<BehaviourProfile, ServiceError> {
        let work = move |profile: &mut ProductProfile, now: crypto::UnixTime| {
            let phase = match change {
                ProfileChange::Off => Phase::Off,
                ProfileChange::Learn(seconds) => {
                    let mut settings = profile.settings().clone();
                    settings.learn_s = seconds.unwrap_or(settings.learn_s);
                    let settings = settings.checked().map_err(|error| refused(&error))?;
                    let until = now.plus(settings.learn_s.into());
                    profile.choose(settings);
                    Phase::Learning { until }
                }
                ProfileChange::Watch | ProfileChange::Freeze => {
                    if profile.devices() == 0 && profile.accepted().next().is_none() {
                        return Err(ServiceError::refused(
                            "profile-empty",
                            "nothing was learned yet, so everything would deviate; let it learn first",
                        )
                        .in_japanese(
                            "まだ何も学習していないため、すべてが逸脱になります。先に学習させてください",
                        ));
                    }
                    if change == ProfileChange::Watch { Phase::Watching } else { Phase::Frozen }
                }
            };
            profile.enter(phase, now);
            Ok(())
        };
        self.change_profile(caller, (organisation, line), (change.name(), None), work).await
    }

    /// Chooses how a profile learns and what it watches.
    ///
    /// # Errors
    /// `role`, `not-found`, `behaviour-settings`.
    pub async fn set_behaviour(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: &str,
        settings: Settings,
    ) -> Result<BehaviourProfile, ServiceError> {
        let settings = settings.checked().map_err(|error| refused(&error))?;
        let work = move |profile: &mut ProductProfile, _| {
            profile.choose(settings);
            Ok(())
        };
        self.change_profile(caller, (organisation, line), ("settings", None), work).await
    }

    /// Says that something is ordinary from now on for all devices of a product line, or that it is not.
    ///
    /// # Errors
    /// `role`, `not-found`, `behaviour-value`, `too-many-accepted`.
    pub async fn accept_behaviour(
        &self,
        caller: &Caller,
        (organisation, line): (&OrganisationId, &str),
        (aspect, value): (Aspect, &str),
        accept: bool,
    ) -> Result<BehaviourProfile, ServiceError> {
        let (by, text) = (caller.to_string(), value.to_owned());
        let work = move |profile: &mut ProductProfile, now| {
            if !accept {
                return found(profile.take_back(aspect, &text).then_some(()), "accepted value");
            }
            let how = Accepted { at: now, by };
            profile.accept(aspect, &text, how).map(|_| ()).map_err(|error| refused(&error))
        };
        let what = if accept { "accepted" } else { "taken-back" };
        self.change_profile(caller, (organisation, line), (what, Some((aspect, value))), work).await
    }

    /// As [`Self::accept_behaviour`], for one device.
    ///
    /// # Errors
    /// As there.
    pub async fn accept_device_behaviour(
        &self,
        caller: &Caller,
        device: &DeviceId,
        (aspect, value): (Aspect, &str),
        accept: bool,
    ) -> Result<BehaviourDevice, ServiceError> {
        let what = if accept { "accepted" } else { "taken-back" };
        let (by, text) = (caller.to_string(), value.to_owned());
        let of = (what, Some((aspect, value)));
        self.change_device(caller, device, of, move |row, _, now| {
            if !accept {
                return found(row.take_back(aspect, &text).then_some(()), "accepted value");
            }
            let how = Accepted { at: now, by };
            row.accept(aspect, &text, how).map(|_| ()).map_err(|error| refused(&error))
        })
        .await
    }

    /// Forgets what was learned of a device; it learns anew what the product says nothing about.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn relearn_device_behaviour(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<BehaviourDevice, ServiceError> {
        self.change_device(caller, device, ("relearn", None), |row, product, now| {
            row.relearn(product, now);
            Ok(())
        })
        .await
    }

    async fn change_profile(
        &self,
        caller: &Caller,
        (organisation, line): (&OrganisationId, &str),
        (what, value): (&'static str, Option<(Aspect, &str)>),
        work: impl FnOnce(&mut ProductProfile, crypto::UnixTime) -> Result<(), ServiceError>,
    ) -> Result<BehaviourProfile, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        self.settle_scope(Scope::Line(owner, line)).await?;
        let _turn = self.behaviour.turn.lock().await;
        let now = self.now();
        let known = self.read(|connection| store::product(connection, owner, line))?;
        // It is there since the first message: nobody makes more of them than there are products.
        let mut profile = found(known, "profile")?;
        work(&mut profile, now)?;
        let event = change_event(self, caller, organisation, (line, what), value);
        let (kept, key) = (profile.clone(), line.to_owned());
        self.commit(move |tx| {
            store::put_product(tx, (owner, &key), &kept)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.behaviour.changed();
        Ok(BehaviourProfile { organisation: organisation.clone(), line: line.to_owned(), profile })
    }

    async fn change_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
        (what, value): (&'static str, Option<(Aspect, &str)>),
        work: impl FnOnce(
            &mut ::behaviour::DeviceProfile,
            &mut ProductProfile,
            crypto::UnixTime,
        ) -> Result<(), ServiceError>,
    ) -> Result<BehaviourDevice, ServiceError> {
        let known = self.device_for(caller, Action::ManageAlertRules, device)?.row;
        self.settle_scope(Scope::Device(known.id)).await?;
        let turn = self.behaviour.turn.lock().await;
        let now = self.now();
        let (mut row, line) = self.behaviour_rows(known.id, known.owner)?;
        let product = self.read(|connection| store::product(connection, known.owner, &line))?;
        let mut product = found(product, "profile")?;
        work(&mut row.profile, &mut product, now)?;
        let organisation = self.organisation_id(known.owner)?;
        let event = change_event(self, caller, &organisation, (&line, what), value)
            .subject(&device.to_string());
        let hourly = row.profile.learned(&product).hourly;
        self.commit(move |tx| {
            store::put_product(tx, (known.owner, &line), &product)?;
            store::put_device(tx, &row, hourly)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.behaviour.forget(&HashSet::from([known.id]));
        drop(turn);
        self.device_behaviour(caller, device).await
    }
}

fn change_event(
    service: &Service,
    caller: &Caller,
    organisation: &OrganisationId,
    (line, what): (&str, &str),
    value: Option<(Aspect, &str)>,
) -> SecurityEvent {
    let event = service
        .event(caller, Kind::ConfigurationChange, Outcome::Success)
        .organisation(organisation.as_str())
        .detail("what", "behaviour-profile")
        .detail("profile", line)
        .detail("change", what);
    match value {
        Some((aspect, value)) => event.detail("aspect", aspect.name()).detail("value", value),
        None => event,
    }
}
