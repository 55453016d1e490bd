//! What can be done to a passport file, and what an offline verifier says to it.

use crate::demo::{
    ask::{export, options},
    life::Life,
    log,
    rogue::new_key,
    rows::{Expected, Row},
    thing::answer,
    world::World,
};
use anyhow::Context as _;
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime};
use device::{
    Challenge, Event, EventKind, PassportFile, Purpose, ReasonCode as Code, SignedEvent,
    TrustAnchors, VerifyOptions,
    file::{EventContents, EventEntry, SignedStatement},
};
use ledger::{LogKey, SignedCheckpoint};

const DAY: i64 = 86_400;

/// Takes the passports of two genuine devices and does everything to the first that a forger would.
pub(super) async fn play(world: &World, life: &Life, other: &Life) -> anyhow::Result<Vec<Row>> {
    log::settle(world).await?;
    let bytes = export(life.owner(world)?, life.thing.id).await?;
    let foreign = export(other.owner(world)?, other.thing.id).await?;
    let forger = Forger {
        file: PassportFile::parse(&bytes)?,
        foreign: PassportFile::parse(&foreign)?,
        anchors: world.anchors()?,
        now: crate::clock::now(),
        rows: Vec::new(),
    };
    let life = life.clone();
    tokio::task::spawn_blocking(move || forger.play(&life)).await?
}

struct Forger {
    file: PassportFile,
    foreign: PassportFile,
    anchors: TrustAnchors,
    now: UnixTime,
    rows: Vec<Row>,
}

impl Forger {
    fn play(mut self, life: &Life) -> anyhow::Result<Vec<Row>> {
        self.events()?;
        self.surroundings()?;
        self.times()?;
        self.challenges(life)?;
        Ok(self.rows)
    }

    /// Events altered, dropped, moved, borrowed, cut off.
    fn events(&mut self) -> anyhow::Result<()> {
        let events = self.file.events().to_vec();
        let middle = events.len() / 2;
        anyhow::ensure!(middle >= 2, "the passport has too few events");
        self.judge("untouched", Expected::GENUINE, events.clone())?;

        let forged = self.rewritten(&events, middle)?;
        self.judge("an event rewritten", Expected::rejected(Code::HistoryAltered), forged)?;

        let mut damaged = events.clone();
        if let Some(EventEntry { contents: EventContents::Present { salt, .. }, .. }) =
            damaged.get_mut(middle)
        {
            salt[0] ^= 1;
        }
        self.judge("one bit flipped", Expected::rejected(Code::HistoryAltered), damaged)?;

        let mut dropped = events.clone();
        dropped.remove(middle);
        self.judge("an event dropped", Expected::rejected(Code::HistoryIncomplete), dropped)?;

        let mut swapped = events.clone();
        swapped.swap(middle, middle - 1);
        self.judge("two events exchanged", Expected::rejected(Code::HistoryAltered), swapped)?;

        let mut borrowed = events.clone();
        let theirs = self.foreign.events().get(middle).cloned();
        if let (Some(place), Some(theirs)) = (borrowed.get_mut(middle), theirs) {
            *place = theirs;
        }
        self.judge(
            "an event of another device",
            Expected::rejected(Code::HistoryForeign),
            borrowed,
        )?;

        let mut cut = events;
        cut.pop();
        self.judge("the last event cut off", Expected::rejected(Code::HistoryIncomplete), cut)
    }

    /// An event that says something else, signed by somebody else.
    fn rewritten(&self, events: &[EventEntry], at: usize) -> anyhow::Result<Vec<EventEntry>> {
        let mut forged = events.to_vec();
        let entry = forged.get_mut(at).context("no such event")?;
        let EventContents::Present { bytes, .. } = &mut entry.contents else {
            anyhow::bail!("the event is erased");
        };
        let event = SignedEvent::parse(bytes)?.unverified().clone();
        let event = Event {
            kind: EventKind::Tested { passed: true, standard: Some("never done".to_owned()) },
            ..event
        };
        *bytes = SignedEvent::sign(&new_key()?, &event)?.as_bytes().to_vec();
        Ok(forged)
    }

    /// The statement, the log and the witnesses.
    fn surroundings(&mut self) -> anyhow::Result<()> {
        let claimed = self.file.statement().unverified().clone();
        let statement = claimed.sign(&new_key()?)?;
        let forged = self.with(statement, self.file.checkpoint().clone());
        let expected = Expected::rejected(Code::StatementUntrusted);
        self.row("the platform's statement forged", expected, &forged, self.now)?;

        let other = self.foreign.statement().clone();
        let forged = self.with(other, self.file.checkpoint().clone());
        let expected = Expected::rejected(Code::HistoryForeign);
        self.row("the statement of another device", expected, &forged, self.now)?;

        let alone = without_witnesses(&self.file, &self.anchors)?;
        let forged = self.with(self.file.statement().clone(), alone);
        let expected = Expected::suspect(Code::WitnessesMissing);
        self.row("a log that no witness confirms", expected, &forged, self.now)?;

        let file = self.file.clone();
        let key = SoftwareKey::generate(KeyAlgorithm::Ed25519)?;
        let origin = &self.file.checkpoint().claimed().origin;
        let strange = TrustAnchors {
            logs: vec![LogKey::new(origin, key.public_key())?],
            ..self.anchors.clone()
        };
        let trusted = std::mem::replace(&mut self.anchors, strange);
        let expected = Expected::rejected(Code::LogUnverified);
        self.row("signed by another log than trusted", expected, &file, self.now)?;
        self.anchors = trusted;
        Ok(())
    }

    /// The same file, read at another time.
    fn times(&mut self) -> anyhow::Result<()> {
        let file = self.file.clone();
        let later = self.now.plus(3 * DAY);
        let expected = Expected::suspect(Code::StaleEvidence);
        self.row("an old file, read three days later", expected, &file, later)?;
        let earlier = self.now.plus(-DAY);
        let expected = Expected::rejected(Code::ClockUntrusted);
        self.row("the verifier's clock is a day behind", expected, &file, earlier)
    }

    /// The verifier asks the device itself, with nobody else around.
    fn challenges(&mut self, life: &Life) -> anyhow::Result<()> {
        let device = life.thing.id;
        let nonce = crypto::random::bytes();
        let challenge = Challenge { device, nonce, expires: self.now.plus(60) };
        let counter = life.thing.counter + 1;
        let own = life.thing.identity()?;
        let right = answer(own.key.as_ref(), device, nonce, counter, self.now)?;
        self.challenged("asked offline, and answers", Expected::GENUINE, challenge, right)?;
        let wrong = answer(&new_key()?, device, nonce, counter, self.now)?;
        let expected = Expected::rejected(Code::NoPossession);
        self.challenged("asked offline, and has not the key", expected, challenge, wrong)?;
        let old = answer(own.key.as_ref(), device, crypto::random::bytes(), counter, self.now)?;
        let expected = Expected::rejected(Code::Replayed);
        self.challenged("asked offline, and sends an old answer", expected, challenge, old)
    }

    fn challenged(
        &mut self,
        story: &str,
        expected: Expected,
        challenge: Challenge,
        answer: Vec<u8>,
    ) -> anyhow::Result<()> {
        let options = VerifyOptions {
            challenge: Some((challenge, answer)),
            ..options(challenge.device, Purpose::Operate)
        };
        let verdict = self.file.verify(&self.anchors, &options, self.now);
        let row = Row::attack(challenge.device, format!("file: {story}"), expected);
        self.rows.push(row.offline((&verdict).into()));
        Ok(())
    }

    fn with(&self, statement: SignedStatement, checkpoint: SignedCheckpoint) -> PassportFile {
        let (events, certificates) = (self.file.events(), self.file.certificates());
        PassportFile::new(statement, events.to_vec(), checkpoint, certificates.to_vec(), None)
    }

    /// Judges the file with other events.
    fn judge(
        &mut self,
        story: &str,
        expected: Expected,
        events: Vec<EventEntry>,
    ) -> anyhow::Result<()> {
        let mut certificates = self.file.certificates().to_vec();
        certificates.extend_from_slice(self.foreign.certificates());
        certificates.sort_by_key(pki::Certificate::fingerprint);
        certificates.dedup_by_key(|certificate| certificate.fingerprint());
        let forged = PassportFile::new(
            self.file.statement().clone(),
            events,
            self.file.checkpoint().clone(),
            certificates,
            None,
        );
        self.row(story, expected, &forged, self.now)
    }

    /// Judges a file as it would come: as bytes.
    fn row(
        &mut self,
        story: &str,
        expected: Expected,
        file: &PassportFile,
        now: UnixTime,
    ) -> anyhow::Result<()> {
        let device = self.file.device();
        let read = PassportFile::parse(&file.encode())?;
        let verdict = read.verify(&self.anchors, &options(device, Purpose::Operate), now);
        let row = Row::attack(device, format!("file: {story}"), expected);
        self.rows.push(row.offline((&verdict).into()));
        Ok(())
    }
}

/// The checkpoint with the log's own signature only.
fn without_witnesses(
    file: &PassportFile,
    anchors: &TrustAnchors,
) -> anyhow::Result<SignedCheckpoint> {
    let text = std::str::from_utf8(file.checkpoint().bytes())?;
    let cosigned = |line: &str| {
        anchors.witnesses.iter().any(|key| {
            line.strip_prefix("— ")
                .is_some_and(|rest| rest.starts_with(&format!("{} ", key.name())))
        })
    };
    let alone: String = text.split_inclusive('\n').filter(|line| !cosigned(line)).collect();
    anyhow::ensure!(alone != text, "the checkpoint has no cosignature to take away");
    Ok(SignedCheckpoint::parse(alone.as_bytes())?)
}
