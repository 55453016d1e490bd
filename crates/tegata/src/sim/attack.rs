//! Attackers: each does one thing, again and again, with devices that it has, or with none.

use super::{
    figures::Reasons,
    fleet::{GroupAtWork, Play, home},
    net::{Credential, From},
    scenario::{Attack, Attacker, Door, Format},
    session::{Saying, Sent, Session, why},
};
use crate::{
    clock,
    demo::rogue::RogueCa,
    mqtt::{Message, Welcome},
    remote::Remote,
};
use anyhow::{Context as _, bail};
use api::wire::{ActWanted, Recorded, RefusedMessages, scalar::CauseName};
use device::{Cause, DeviceId};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

/// Messages of a flood that are written at once.
const BURST: u32 = 400;
/// How long bytes that are no MQTT may go unanswered.
const UNANSWERED_MAX: Duration = Duration::from_secs(15);
/// How long the platform takes to write down what it refused, with some to spare.
const WRITTEN_DOWN: Duration = Duration::from_millis(2500);
/// A body that nobody else sends.
const PAYLOAD: &[u8] = br#"{"attack":true}"#;

/// What came of an attack.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// how often it was tried
    pub attempts: u64,
    /// how often the platform took it
    pub admitted: u64,
    /// messages among them that the platform counts for certain
    pub messages: u64,
    /// how often it did not
    pub refused: u64,
    /// as the attacker saw it, or the platform where the attacker sees nothing
    pub reasons: Reasons,
    /// why it broke off, where it did
    pub error: Option<String>,
}

/// An attacker, what it has, and what came of it.
pub struct AttackAtWork {
    /// what it does
    pub attacker: Attacker,
    /// the group that its devices are of
    pub group: usize,
    /// the first of its devices in the group
    pub first: u32,
    /// what came of it
    pub outcome: Mutex<Outcome>,
}

impl AttackAtWork {
    /// The attackers of a scenario: each has devices of its own, from the end of their group.
    pub fn all(play: &Play) -> anyhow::Result<Vec<Self>> {
        let mut taken = vec![0; play.groups.len()];
        let mut all = Vec::new();
        for attacker in &play.scenario.attackers {
            let group = play.groups.iter().position(|at| at.group.name == attacker.group);
            let group = group.context("an attacker without a group")?;
            let (at, taken) = (play.groups.get(group), taken.get_mut(group));
            let (at, taken) = at.zip(taken).context("an attacker without a group")?;
            *taken += attacker.count;
            all.push(Self {
                group,
                first: at.group.count - *taken,
                attacker: attacker.clone(),
                outcome: Mutex::default(),
            });
        }
        Ok(all)
    }

    /// Its devices.
    pub fn devices(&self, play: &Play) -> anyhow::Result<Vec<DeviceId>> {
        let at = play.groups.get(self.group).context("no such group")?;
        let numbers = self.first..self.first + self.attacker.count;
        numbers.map(|number| Ok(play.place(at, number)?.id)).collect()
    }

    /// Waits for its time, and attacks with all its devices at once.
    pub async fn run(self: &Arc<Self>, play: &Arc<Play>, remote: &Remote) {
        let mut tasks = tokio::task::JoinSet::new();
        for number in self.first..self.first + self.attacker.count {
            let (own, play, remote) = (self.clone(), play.clone(), remote.clone());
            tasks.spawn(async move {
                let one = One { at_work: &own, play: &play, remote: &remote, number };
                if let Err(error) = one.attack().await {
                    let text = format!("{error:#}");
                    super::fleet::locked(&own.outcome).error.get_or_insert(text);
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// An attack with one device.
struct One<'a> {
    at_work: &'a AttackAtWork,
    play: &'a Play,
    remote: &'a Remote,
    number: u32,
}

impl One<'_> {
    async fn attack(&self) -> anyhow::Result<()> {
        self.pause(self.at_work.attacker.start.0).await;
        match self.at_work.attacker.kind {
            Attack::StolenCertificate => self.stolen_certificate().await,
            Attack::Flood => self.flood().await,
            Attack::Replay => self.replay().await,
            Attack::Malformed => self.malformed().await,
            Attack::TopicProbing => self.topic_probing().await,
            Attack::UnknownCertificate => self.unknown_certificate().await,
            Attack::Suspended => self.unwanted("suspend", Cause::Anomaly).await,
            Attack::Revoked => self.unwanted("revoke", Cause::KeyCompromise).await,
            Attack::Retired => self.unwanted("retire", Cause::EndOfUse).await,
            Attack::FirmwareRegression => self.firmware_regression().await,
        }
    }

    fn group(&self) -> anyhow::Result<&GroupAtWork> {
        self.play.groups.get(self.at_work.group).context("no such group")
    }

    fn device(&self) -> anyhow::Result<(DeviceId, String, Credential)> {
        self.play.credential(self.group()?, self.number)
    }

    fn home(&self) -> anyhow::Result<From> {
        Ok(From::Home(home(self.group()?, self.number)))
    }

    /// The door of its group, or MQTT where another way is meant.
    fn mqtt_door(&self) -> anyhow::Result<Door> {
        Ok(match self.group()?.group.door {
            door if door.listens() => door,
            _ => Door::Mqtt,
        })
    }

    fn attempts(&self) -> u32 {
        self.at_work.attacker.attempts()
    }

    fn stopped(&self) -> bool {
        self.play.stopped.load(Ordering::Relaxed)
    }

    async fn pause(&self, time: Duration) {
        let until = clock::instant() + time;
        while clock::instant() < until && !self.stopped() {
            let left = until.saturating_duration_since(clock::instant());
            tokio::time::sleep(left.min(Duration::from_millis(200))).await;
        }
    }

    async fn between(&self) {
        self.pause(self.at_work.attacker.every.0).await;
    }

    fn count(&self, admitted: bool, reason: &str) {
        let mut outcome = super::fleet::locked(&self.at_work.outcome);
        outcome.attempts += 1;
        match admitted {
            true => outcome.admitted += 1,
            false => {
                outcome.refused += 1;
                outcome.reasons.add(reason);
            }
        }
    }

    fn count_sent(&self, said: &anyhow::Result<Sent>) {
        match said {
            Ok(Sent::Acknowledged) => {
                self.count(true, "");
                super::fleet::locked(&self.at_work.outcome).messages += 1;
            }
            Ok(Sent::Refused(reason)) => self.count(false, reason),
            Err(error) => self.count(false, &why(error)),
        }
    }

    fn saying<'a>(topic: &'a str, counter: Option<u64>) -> Saying<'a> {
        Saying { topic, payload: PAYLOAD, format: Format::Json, counter }
    }

    /// The device is here, and somebody else comes with its certificate from somewhere else.
    async fn stolen_certificate(&self) -> anyhow::Result<()> {
        let (id, _, credential) = self.device()?;
        let door = self.mqtt_door()?;
        let doors = &self.play.doors;
        let mut here =
            Session::open(doors, door, &credential, &id.to_string(), self.home()?).await?;
        here.send(&Self::saying("me/up/attack", None)).await?;
        for _ in 0..self.attempts() {
            if self.stopped() {
                break;
            }
            let opened = Session::open(doors, door, &credential, "thief", From::Elsewhere).await;
            match opened {
                Ok(mut thief) => {
                    let said = thief.send(&Self::saying("me/up/attack", None)).await;
                    self.count_sent(&said);
                    // As long as it takes to be seen in two places.
                    self.pause(Duration::from_millis(500)).await;
                    thief.close().await;
                }
                Err(error) => self.count(false, &why(&error)),
            }
            self.between().await;
        }
        here.close().await;
        Ok(())
    }

    /// More than a device may send, written as fast as the platform reads. Nothing of it is acknowledged
    /// (QoS 0): what came of it is asked of the platform.
    async fn flood(&self) -> anyhow::Result<()> {
        let (id, _, credential) = self.device()?;
        let before = self.refused_so_far(id).await?;
        let door = self.mqtt_door()?;
        let name = id.to_string();
        let mut left = self.attempts();
        let (mut sent, mut read) = (0, 0);
        while left > 0 && !self.stopped() {
            let earlier = sent;
            let opened = self.play.doors.mqtt(door, &credential, &name, self.home()?).await?;
            let Welcome::Yes(mut client) = opened else { break };
            while left > 0 && !self.stopped() {
                let some = left.min(BURST);
                let mut packets = Vec::new();
                let message = Message {
                    topic: "me/up/attack",
                    payload: PAYLOAD,
                    counter: None,
                    acknowledged: false,
                };
                for _ in 0..some {
                    client.write_message(&mut packets, &message)?;
                }
                if client.write_raw(&packets).await.is_err() {
                    break;
                }
                (left, sent) = (left - some, sent + u64::from(some));
                self.between().await;
            }
            // Behind everything: when this is answered, all of it was read.
            let last = Message {
                topic: "me/up/attack",
                payload: PAYLOAD,
                counter: None,
                acknowledged: true,
            };
            if client.publish(&last).await.is_ok() {
                let answer =
                    tokio::time::timeout(Duration::from_secs(120), client.acknowledged()).await;
                if matches!(answer, Ok(Ok(_))) {
                    read += sent - earlier;
                }
            }
            let _gone = client.disconnect().await;
        }
        self.pause(WRITTEN_DOWN).await;
        let after = self.refused_so_far(id).await?;
        let mut outcome = super::fleet::locked(&self.at_work.outcome);
        let mut refused = 0;
        for (reason, count) in after {
            let was = before.iter().find(|(other, _)| *other == reason);
            let more = count.saturating_sub(was.map_or(0, |(_, count)| *count));
            if more > 0 {
                outcome.reasons.add_many(&format!("the platform says {reason}"), more);
            }
            refused += more;
        }
        outcome.attempts += sent;
        outcome.refused += refused.min(sent);
        outcome.admitted += sent.saturating_sub(refused);
        outcome.messages += read.saturating_sub(refused);
        Ok(())
    }

    async fn refused_so_far(&self, id: DeviceId) -> anyhow::Result<Vec<(String, u64)>> {
        let path = format!("/v1/devices/{id}/messages/refused");
        let lines: Vec<RefusedMessages> = self.remote.get(&path).await?;
        let one = |line: RefusedMessages| (format!("{} by {}", line.reason, line.door), line.count);
        Ok(lines.into_iter().map(one).collect())
    }

    /// A message that was heard comes again, byte for byte.
    async fn replay(&self) -> anyhow::Result<()> {
        let (id, _, credential) = self.device()?;
        let door = self.group()?.group.door;
        let (doors, name) = (&self.play.doors, id.to_string());
        let saying = Self::saying("me/up/attack", Some(self.play.counter(0)));
        let mut open = Session::open(doors, door, &credential, &name, self.home()?).await?;
        if open.send(&saying).await? != Sent::Acknowledged {
            bail!("the message that is to be repeated was refused");
        }
        for _ in 0..self.attempts() {
            if self.stopped() {
                break;
            }
            let said = open.send(&saying).await;
            self.count_sent(&said);
            if said.is_err() {
                open = Session::open(doors, door, &credential, &name, self.home()?).await?;
            }
            self.between().await;
        }
        open.close().await;
        Ok(())
    }

    /// Bytes that are no MQTT, after a proper beginning. Refused is what ends the connection.
    async fn malformed(&self) -> anyhow::Result<()> {
        // A length without end; a packet type that the client may not send; a QoS that does not exist; a
        // topic that is no UTF-8; a packet that a server alone sends.
        const NOISE: [&[u8]; 5] = [
            b"\xf0\xff\xff\xff\xff\xff\xff",
            b"\x00\x00",
            b"\x36\x07\x00\x01a\x00\x01\x00x",
            b"\x32\x07\x00\x01\xff\x00\x01\x00x",
            b"\x20\x03\x00\x00\x00",
        ];
        let (id, _, credential) = self.device()?;
        let (door, name) = (self.mqtt_door()?, id.to_string());
        for (noise, _) in NOISE.iter().cycle().zip(0..self.attempts()) {
            if self.stopped() {
                break;
            }
            match self.play.doors.mqtt(door, &credential, &name, self.home()?).await {
                Ok(Welcome::Yes(mut client)) => {
                    let _written = client.write_raw(noise).await;
                    let ended = tokio::time::timeout(UNANSWERED_MAX, client.ended()).await;
                    self.count(ended.is_err(), "the connection ended");
                }
                Ok(Welcome::No(code)) => self.count(false, &format!("CONNACK {code:#04x}")),
                Err(error) => self.count(false, &why(&error)),
            }
            self.between().await;
        }
        Ok(())
    }

    /// Topics of another device.
    async fn topic_probing(&self) -> anyhow::Result<()> {
        let (id, _, credential) = self.device()?;
        let group = self.group()?;
        let other = self.play.place(group, 0)?.id;
        let (doors, name) = (&self.play.doors, id.to_string());
        let door = group.group.door;
        let mut open = None;
        for number in 0..self.attempts() {
            if self.stopped() {
                break;
            }
            let mut session = match open.take() {
                Some(session) => session,
                None => Session::open(doors, door, &credential, &name, self.home()?).await?,
            };
            let topic = format!("d/{other}/up/{number}");
            let said = session.send(&Self::saying(&topic, None)).await;
            self.count_sent(&said);
            if said.is_ok() {
                open = Some(session);
            }
            self.between().await;
        }
        if let Some(session) = open {
            session.close().await;
        }
        Ok(())
    }

    /// Certificates in the device's name, of a CA that nobody trusts.
    async fn unknown_certificate(&self) -> anyhow::Result<()> {
        let (id, serial, _) = self.device()?;
        let rogue = RogueCa::new(clock::now().plus(-60))?;
        let door = self.group()?.group.door;
        for _ in 0..self.attempts() {
            if self.stopped() {
                break;
            }
            let forged = rogue.forge(id, "sim", &serial)?;
            let credential = Credential::of(&forged);
            self.try_in(door, &credential, &id.to_string()).await;
            self.between().await;
        }
        Ok(())
    }

    /// Connects and sends; admitted is what was acknowledged.
    async fn try_in(&self, door: Door, credential: &Credential, name: &str) {
        let said = async {
            let mut session =
                Session::open(&self.play.doors, door, credential, name, self.home()?).await?;
            session.send(&Self::saying("me/up/attack", None)).await
        }
        .await;
        self.count_sent(&said);
    }

    /// The owner says that the device may not be here any more; it comes all the same. Who was suspended is
    /// released at the end; who was revoked or retired is gone for good.
    async fn unwanted(&self, act: &str, cause: Cause) -> anyhow::Result<()> {
        let (id, _, credential) = self.device()?;
        let gone = act != "suspend";
        if gone {
            self.play.store.bury(id)?;
        }
        self.act(id, act, Some(cause)).await?;
        let door = self.group()?.group.door;
        for _ in 0..self.attempts() {
            if self.stopped() {
                break;
            }
            self.try_in(door, &credential, &id.to_string()).await;
            self.between().await;
        }
        if !gone {
            self.act(id, "release", None).await?;
        }
        Ok(())
    }

    async fn act(&self, id: DeviceId, act: &str, cause: Option<Cause>) -> anyhow::Result<()> {
        let wanted = ActWanted {
            act: act.to_owned(),
            cause: cause.map(CauseName),
            to: None,
            reason: Some("a drill of the simulator".to_owned()),
        };
        let _: Recorded = self.remote.post(&format!("/v1/devices/{id}/acts"), &wanted).await?;
        Ok(())
    }

    /// The device says that it runs an older release than it said before. Its word is taken: what counts is
    /// that somebody hears of it.
    async fn firmware_regression(&self) -> anyhow::Result<()> {
        let (_, _, credential) = self.device()?;
        for _ in 0..self.attempts() {
            let mut http = self.play.doors.http(&credential, self.home()?).await?;
            for (version, counter) in [("2.0", 7), ("1.0", 3)] {
                let body = json!({
                    "hardware_id": "sim", "version": version, "release_counter": counter,
                    "confirmed": true,
                });
                let body = body.to_string();
                let status =
                    http.post("/v1/update/poll", "application/json", body.as_bytes()).await?;
                if counter == 3 {
                    self.count((200..300).contains(&status), &format!("HTTP {status}"));
                } else if !(200..300).contains(&status) {
                    bail!("a poll for updates is answered with {status}");
                }
            }
            self.between().await;
        }
        Ok(())
    }
}
