//! What the platform says of a run: messages that it holds, alerts that it raised.

use super::{
    attack::AttackAtWork,
    fleet::{Play, locked, mark},
};
use crate::remote::Remote;
use api::{
    client::percent_encode,
    wire::{Alert, DeviceMessage, DoorTraffic, Page},
};
use device::{DeviceId, OrganisationId};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

/// A device keeps 10,000 messages; of one that sent more the newest are looked for.
const LOOKED_FOR_MAX: usize = 9000;
/// How long alerts and figures may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);
/// Figures of doors are in spans of so many seconds.
const SPAN_S: i64 = 300;

/// What the platform said before anything was played.
pub struct Before {
    /// the newest message of devices that are looked at
    newest: HashMap<usize, u64>,
    /// admitted messages of the organisation in the span that was running
    admitted: u64,
    /// the beginning of that span
    since: i64,
    /// alerts and how much of them came
    alerts: HashMap<u64, u64>,
}

/// What it holds afterwards.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Held {
    /// devices whose messages were looked for, one by one
    pub devices: u64,
    /// acknowledged messages that were looked for
    pub looked_for: u64,
    /// of these, not there
    pub missing: u64,
    /// acknowledged messages of all devices, as they saw it
    pub acknowledged: u64,
    /// admitted messages of the organisation, as the platform counts, without those of attackers
    pub admitted: u64,
    /// acknowledged and not held: what is missing, or what lacks in the platform's count beyond one
    /// message of each lost connection
    pub lost: u64,
}

/// An alert that was raised, or went on, meanwhile.
#[derive(Debug, Clone, Serialize)]
pub struct Raised {
    /// its number
    pub alert: u64,
    /// the rule
    pub rule: String,
    /// whom it is about
    pub about: String,
    /// the device, where it is about one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// the attacker who had that device; none where nobody had it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attacker: Option<String>,
    /// whether it is about a device of the fleet that nobody attacked
    pub other: bool,
}

/// Asks the platform about a run.
pub struct Judge<'a> {
    /// REST, as the operator
    pub remote: &'a Remote,
    /// whose devices
    pub organisation: &'a OrganisationId,
    /// what is played
    pub play: &'a Play,
}

impl Judge<'_> {
    /// Looks before anything is played, and chooses the devices that are looked at closely.
    pub async fn before(&self) -> anyhow::Result<Before> {
        let mut newest = HashMap::new();
        for at in &self.play.groups {
            let count = at.group.sample.min(at.honest);
            for place in 0..count {
                // Evenly over the group.
                let number = u64::from(place) * u64::from(at.honest) / u64::from(count.max(1));
                let number = u32::try_from(number)?;
                let id = self.play.place(at, number)?.id;
                let page: Page<DeviceMessage> =
                    self.remote.get(&format!("/v1/devices/{id}/messages?limit=1")).await?;
                let last = page.items.first().map_or(0, |message| message.id);
                newest.insert(at.first + usize::try_from(number)?, last);
            }
        }
        locked(&self.play.witnessed).extend(newest.keys().map(|key| (*key, Vec::new())));
        let since = self.play.began_at - self.play.began_at.rem_euclid(SPAN_S);
        let admitted = self.admitted(since).await?;
        let alerts = self.alerts().await?.into_iter().map(|it| (it.id, it.count)).collect();
        Ok(Before { newest, admitted, since, alerts })
    }

    async fn admitted(&self, since: i64) -> anyhow::Result<u64> {
        let hours = (crate::clock::now().0 - since) / 3600 + 1;
        let path = format!(
            "/v1/organisations/{}/traffic?hours={}",
            percent_encode(self.organisation.as_str()),
            hours.clamp(1, 336)
        );
        let spans: Vec<DoorTraffic> = self.remote.get(&path).await?;
        Ok(spans.iter().filter(|span| span.at.0.0 >= since).map(|span| span.admitted).sum())
    }

    async fn alerts(&self) -> anyhow::Result<Vec<Alert>> {
        let organisation = percent_encode(self.organisation.as_str());
        self.remote.all(&format!("/v1/organisations/{organisation}/alerts?limit=1000")).await
    }

    /// Looks for what was acknowledged.
    pub async fn held(
        &self,
        before: &Before,
        attacks: &[std::sync::Arc<AttackAtWork>],
    ) -> anyhow::Result<Held> {
        let mut held = Held::default();
        let (mut broken, mut unanswered) = (0, 0);
        for at in &self.play.groups {
            let figures = locked(&at.figures);
            held.acknowledged += figures.acknowledged;
            broken += figures.reconnects;
            unanswered += figures.unanswered;
        }
        let witnessed = std::mem::take(&mut *locked(&self.play.witnessed));
        for at in &self.play.groups {
            for number in 0..at.honest {
                let key = at.first + usize::try_from(number)?;
                let Some(marks) = witnessed.get(&key) else { continue };
                let marks = marks.get(marks.len().saturating_sub(LOOKED_FOR_MAX)..);
                let marks = marks.unwrap_or_default();
                let id = self.play.place(at, number)?.id;
                let newest = before.newest.get(&key).copied().unwrap_or(0);
                let topic = format!("up/{}", at.group.topic);
                let found = self.messages(id, newest, &topic).await?;
                held.devices += 1;
                held.looked_for += u64::try_from(marks.len())?;
                held.missing += missing(marks, found);
            }
        }
        let until = crate::clock::instant() + PATIENCE;
        loop {
            // What attackers got in makes up for nothing.
            let theirs: u64 = attacks.iter().map(|it| locked(&it.outcome).messages).sum();
            let all = self.admitted(before.since).await?.saturating_sub(before.admitted);
            held.admitted = all.saturating_sub(theirs);
            // It is written down once a second.
            if held.admitted >= held.acknowledged || crate::clock::instant() >= until {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        // A platform that was restarted meanwhile does not know what it counted last (docs/gateway.md);
        // what it holds it knows.
        held.lost = lost(&held, broken.max(unanswered));
        Ok(held)
    }

    /// How often which payload is there, of those newer than one.
    async fn messages(
        &self,
        id: DeviceId,
        newest: u64,
        topic: &str,
    ) -> anyhow::Result<HashMap<[u8; 8], u64>> {
        let mut found = HashMap::new();
        let base = format!("/v1/devices/{id}/messages?limit=1000");
        let mut path = base.clone();
        loop {
            let page: Page<DeviceMessage> = self.remote.get(&path).await?;
            let old = page.items.iter().any(|message| message.id <= newest);
            for message in page.items {
                if message.id > newest && message.topic == topic {
                    *found.entry(mark(&message.payload.0)).or_default() += 1;
                }
            }
            match page.next {
                Some(next) if !old => path = format!("{base}&after={}", percent_encode(&next)),
                _ => return Ok(found),
            }
        }
    }

    /// Alerts that came, or went on, meanwhile. Waits for those that are expected.
    pub async fn raised(
        &self,
        before: &Before,
        attacks: &[std::sync::Arc<AttackAtWork>],
    ) -> anyhow::Result<Vec<Raised>> {
        let mut victims: HashMap<DeviceId, String> = HashMap::new();
        let mut wanted: Vec<(String, Option<DeviceId>)> =
            self.play.scenario.expect.alerts.iter().map(|rule| (rule.clone(), None)).collect();
        for attack in attacks {
            for id in attack.devices(self.play)? {
                victims.insert(id, attack.attacker.name.clone());
                wanted.extend(
                    attack.attacker.expect.alert.iter().map(|rule| (rule.clone(), Some(id))),
                );
            }
        }
        let until = crate::clock::instant() + PATIENCE;
        let new = loop {
            let mut new = self.alerts().await?;
            new.retain(|it| before.alerts.get(&it.id).is_none_or(|count| it.count > *count));
            let there = |(rule, device): &(String, Option<DeviceId>)| {
                new.iter().any(|it| {
                    it.rule == *rule
                        && device.is_none_or(|id| it.device.as_ref().is_some_and(|it| it.0 == id))
                })
            };
            if wanted.iter().all(there) || crate::clock::instant() >= until {
                break new;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let others = self.honest(&new)?;
        Ok(new
            .into_iter()
            .map(|it| {
                let id = it.device.as_ref().map(|device| device.0);
                Raised {
                    alert: it.id,
                    rule: it.rule,
                    about: it.about,
                    device: id.map(|id| id.to_string()),
                    attacker: id.and_then(|id| victims.get(&id).cloned()),
                    other: id.is_some_and(|id| others.contains(&id)),
                }
            })
            .collect())
    }

    /// Of the devices that alerts are about, those of the fleet that nobody attacked.
    fn honest(&self, alerts: &[Alert]) -> anyhow::Result<HashSet<DeviceId>> {
        let about: HashSet<DeviceId> =
            alerts.iter().filter_map(|it| it.device.as_ref().map(|device| device.0)).collect();
        let mut found = HashSet::new();
        if about.is_empty() {
            return Ok(found);
        }
        for at in &self.play.groups {
            for number in 0..at.honest {
                let id = self.play.place(at, number)?.id;
                if about.contains(&id) {
                    found.insert(id);
                }
            }
        }
        Ok(found)
    }
}

/// What is not held: more than what is missing one by one, where the count of all lacks more than is in
/// doubt.
fn lost(held: &Held, in_doubt: u64) -> u64 {
    let lacking = held.acknowledged.saturating_sub(held.admitted);
    held.missing.max(lacking.saturating_sub(in_doubt))
}

/// How many of what was acknowledged are not among what was found: as often as each.
fn missing(marks: &[[u8; 8]], mut found: HashMap<[u8; 8], u64>) -> u64 {
    let mut wanted: BTreeMap<[u8; 8], u64> = BTreeMap::new();
    for mark in marks {
        *wanted.entry(*mark).or_default() += 1;
    }
    wanted
        .into_iter()
        .map(|(mark, count)| count.saturating_sub(found.remove(&mark).unwrap_or(0)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_excuses_one_message_and_no_more() {
        let held = |acknowledged, admitted, missing| Held {
            acknowledged,
            admitted,
            missing,
            ..Held::default()
        };
        assert_eq!(lost(&held(10, 10, 0), 0), 0);
        assert_eq!(lost(&held(10, 9, 0), 0), 1);
        assert_eq!(lost(&held(10, 9, 0), 1), 0);
        assert_eq!(lost(&held(10, 2, 0), 1), 7);
        assert_eq!(lost(&held(10, 12, 3), 1), 3);
    }

    #[test]
    fn what_is_not_there_is_missing_as_often_as_it_was_acknowledged() {
        let (a, b) = ([1; 8], [2; 8]);
        let found = |list: &[([u8; 8], u64)]| list.iter().copied().collect();
        assert_eq!(missing(&[a, b, a], found(&[(a, 2), (b, 1)])), 0);
        assert_eq!(missing(&[a, b, a], found(&[(a, 1), (b, 5)])), 1);
        assert_eq!(missing(&[a, b, a], found(&[])), 3);
    }
}
