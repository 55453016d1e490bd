//! What each attacker does, and what should come of it.

use crate::demo::{
    ask::{Question, offline},
    doors::{ocsp_check, revoked_for},
    life::Life,
    log,
    people::{Line, Organisation, Who},
    refusals::{explained, knock, refused},
    rogue::{RogueCa, new_key},
    rows::{Check, Expected, Row},
    thing::{Thing, Tip, connect, fingerprint, report, request},
    world::World,
};
use anyhow::Context as _;
use api::{
    Identity,
    wire::{CauseGiven, Erasure, HistoryEvent, Recorded, scalar::CauseName},
};
use device::{Build, Cause, DeviceId, DeviceKind, EventKind, Part, Purpose, ReasonCode as Code};
use pki::{crl::RevocationReason, ocsp::CertStatus};
use std::{sync::Arc, time::Duration};

/// One attacker at work: what was expected, and what came.
pub(super) struct Stage<'w> {
    world: &'w World,
    rows: Vec<Row>,
    checks: Vec<Check>,
}

impl<'w> Stage<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self { world, rows: Vec::new(), checks: Vec::new() }
    }

    pub(super) fn outcome(self) -> (Vec<Row>, Vec<Check>) {
        (self.rows, self.checks)
    }

    fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    fn owner(&self, thing: &Thing) -> anyhow::Result<&'w Organisation> {
        self.world.of(thing.owner)
    }

    /// The device at hand, shown and proven by itself.
    async fn judged(&self, thing: &mut Thing) -> anyhow::Result<api::wire::Verdict> {
        let owner = self.owner(thing)?;
        let question = Question::new(owner, thing.id).at_work_for(&owner.id);
        question.answered_by(thing).await?.verdict().await
    }

    async fn offline(&self, thing: &Thing, purpose: Purpose) -> anyhow::Result<device::Verdict> {
        // Else the newest checkpoint may still be on its way to the witness.
        log::settle(self.world).await?;
        offline(self.world, self.owner(thing)?, thing.id, purpose).await
    }

    pub(super) async fn unknown_maker(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &life.thing;
        let owner = self.owner(thing)?;
        let ca = RogueCa::new(crate::clock::now())?;
        let forged = ca.forge(thing.id, owner.id.as_str(), &thing.serial_number)?;
        let verdict = Question::new(owner, thing.id)
            .showing(&forged)
            .answered_with(&forged, 1, crate::clock::now())
            .await?
            .verdict()
            .await?;
        let expected = Expected::rejected(Code::UnknownMaker);
        self.row(
            Row::attack(thing.id, "certificate by a CA of the counterfeiter's", expected)
                .online(&verdict),
        );
        let outcome = knock(self.world, &forged).await;
        self.checks.push(refused("EST with a certificate by an unknown CA", &outcome));

        let nobody = DeviceId::from_bytes(crypto::random::bytes());
        let verdict = Question::new(owner, nobody).verdict().await?;
        let expected = Expected::rejected(Code::UnknownDevice);
        self.row(Row::attack(nobody, "a device that nobody made", expected).online(&verdict));
        Ok(())
    }

    pub(super) async fn copied_certificate(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &life.thing;
        let copy = Identity { chain: thing.identity()?.chain.clone(), key: Arc::new(new_key()?) };
        let verdict = Question::new(self.owner(thing)?, thing.id)
            .showing(&copy)
            .answered_with(&copy, 1, crate::clock::now())
            .await?
            .verdict()
            .await?;
        let expected = Expected::rejected(Code::NoPossession);
        self.row(
            Row::attack(thing.id, "certificate copied without its key", expected).online(&verdict),
        );
        let verdict = self.judged(&mut life.thing).await?;
        self.row(
            Row::attack(
                life.thing.id,
                "the device whose certificate was copied",
                Expected::GENUINE,
            )
            .online(&verdict),
        );
        Ok(())
    }

    pub(super) async fn copied_key(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let mut clone = thing.clone();
        for _ in 0..3 {
            self.judged(thing).await?;
        }
        let verdict = self.judged(&mut clone).await?;
        let expected = Expected::rejected(Code::KeyCopied);
        self.row(
            Row::attack(clone.id, "key copied: its counter falls behind", expected)
                .online(&verdict),
        );
        // Nobody can tell which of the two is the original.
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        self.row(
            Row::attack(thing.id, "the device whose key was copied", expected)
                .online(&verdict)
                .offline((&offline).into()),
        );
        Ok(())
    }

    pub(super) async fn expired(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let end = thing.certificate()?.not_after();
        while crate::clock::now() <= end {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        let expected = Expected::rejected(Code::Expired);
        self.row(
            Row::attack(thing.id, "the owner's certificate has ended", expected)
                .online(&verdict)
                .offline((&offline).into()),
        );
        let old = thing.identity()?.clone();
        let outcome = knock(self.world, &old).await;
        self.checks.push(refused("EST with a certificate that has ended", &outcome));
        thing.come_back(self.world).await?;
        let verdict = self.judged(thing).await?;
        self.row(
            Row::attack(thing.id, "came back through its IDevID", Expected::GENUINE)
                .online(&verdict),
        );
        Ok(())
    }

    pub(super) async fn revoked(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let cause = CauseGiven { cause: CauseName(Cause::KeyCompromise), reason: None };
        let path = format!("/v1/devices/{}/revoke", thing.id);
        let _done: Recorded = self.owner(thing)?.administrator.post(&path, &cause).await?;
        let outcome = knock(self.world, thing.identity()?).await;
        self.checks.push(refused("EST with a certificate just revoked", &outcome));
        let compromised = |status: &_| revoked_for(status, RevocationReason::KeyCompromise);
        let (certificate, expected) = (thing.certificate()?, "revoked, keyCompromise");
        self.checks
            .push(ocsp_check(self.world, "revoked", certificate, expected, compromised).await);
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        self.row(
            Row::attack(thing.id, "revoked", Expected::rejected(Code::Revoked))
                .online(&verdict)
                .offline((&offline).into()),
        );
        Ok(())
    }

    pub(super) async fn suspended(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let desk = &self.owner(thing)?.desk;
        let cause = CauseGiven { cause: CauseName(Cause::Anomaly), reason: None };
        let path = format!("/v1/devices/{}/suspend", thing.id);
        let _done: Recorded = desk.post(&path, &cause).await?;
        let outcome = knock(self.world, thing.identity()?).await;
        self.checks.push(refused("EST with a certificate on hold", &outcome));
        let held = |status: &_| revoked_for(status, RevocationReason::CertificateHold);
        let (certificate, expected) = (thing.certificate()?, "revoked, certificateHold");
        self.checks.push(ocsp_check(self.world, "suspended", certificate, expected, held).await);
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        self.row(
            Row::attack(thing.id, "suspended", Expected::rejected(Code::Suspended))
                .online(&verdict)
                .offline((&offline).into()),
        );
        let _done: Recorded = desk.post_empty(&format!("/v1/devices/{}/release", thing.id)).await?;
        let good = |status: &CertStatus| matches!(status, CertStatus::Good);
        let certificate = thing.certificate()?;
        self.checks.push(ocsp_check(self.world, "released", certificate, "good", good).await);
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        self.row(
            Row::attack(thing.id, "released", Expected::GENUINE)
                .online(&verdict)
                .offline((&offline).into()),
        );
        Ok(())
    }

    pub(super) async fn wrong_owner(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let thief = self.world.of(Who::Hoshi)?;
        // The thief asks about it as its own; it has nothing to do with the device.
        let question = Question::new(thief, thing.id).at_work_for(&thief.id);
        let verdict = question.answered_by(thing).await?.verdict().await?;
        let expected = Expected::rejected(Code::WrongOwner);
        self.row(
            Row::attack(thing.id, "presented by somebody who is not its owner", expected)
                .online(&verdict),
        );
        Ok(())
    }

    pub(super) async fn former_owner(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let former = life.former.clone().context("it had no former owner")?;
        let outcome = knock(self.world, &former).await;
        self.checks.push(refused("EST with the certificate of a former owner", &outcome));
        let verdict = Question::new(self.owner(thing)?, thing.id)
            .showing(&former)
            .answered_with(&former, thing.counter + 1, crate::clock::now())
            .await?
            .verdict()
            .await?;
        let expected = Expected::rejected(Code::WrongOwner);
        self.row(
            Row::attack(thing.id, "shown with the certificate of a former owner", expected)
                .online(&verdict),
        );
        Ok(())
    }

    pub(super) async fn duplicated_part(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let expected = Expected::suspect(Code::PartDuplicated);
        let thing = &mut life.thing;
        let key = new_key()?;
        let around = |line: Line, chip: DeviceId| {
            anyhow::Ok(EventKind::Assembled {
                kind: DeviceKind::Device,
                build: Build::MassProduction,
                product: line.id()?,
                root_of_trust: Some(line.root_of_trust()),
                key: Some(fingerprint(&key)),
                parts: vec![Part { device: chip, kind: DeviceKind::Chip }],
            })
        };
        // Who never had the chip accuses itself alone.
        let kage = self.world.of(Who::Kage)?;
        let copy = DeviceId::from_bytes(crypto::random::bytes());
        report(kage, copy, Tip::BEGIN, around(Line::Shadow, thing.chip.id)?).await?;
        let verdict = Question::new(kage, copy).verdict().await?;
        let what = "a stranger claims the chip of another's device";
        self.row(Row::attack(copy, what, expected).online(&verdict));
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        self.row(
            Row::attack(thing.id, "whose chip a stranger claims", Expected::GENUINE)
                .online(&verdict)
                .offline((&offline).into()),
        );
        // Who had it in its hands may have put it into either.
        let yamato = self.world.of(Who::Yamato)?;
        let second = DeviceId::from_bytes(crypto::random::bytes());
        report(yamato, second, Tip::BEGIN, around(thing.line, thing.chip.id)?).await?;
        let verdict = Question::new(yamato, second).verdict().await?;
        let what = "assembled around the chip of another device";
        self.row(Row::attack(second, what, expected).online(&verdict));
        thing.tip = Tip::default();
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        self.row(
            Row::attack(thing.id, "the device whose chip is claimed", expected)
                .online(&verdict)
                .offline((&offline).into()),
        );
        let chip = thing.chip.id;
        let verdict = Question::new(self.world.of(Who::Kaede)?, chip).verdict().await?;
        self.row(Row::attack(chip, "the chip that is claimed twice", expected).online(&verdict));
        // Its chip vouches for nobody any more.
        let mut est = connect(self.world, Some(&thing.chip.identity()), None).await?;
        let csr = request("GATE-SEVEN", est.challenge_password(), &key)?;
        let outcome = est.enrol(&csr, None).await.map(|_| ());
        self.checks.push(refused("EST with a chip that two devices claim", &outcome));
        Ok(())
    }

    pub(super) async fn never_onboarded(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let owner = self.owner(thing)?;
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        let expected = Expected::rejected(Code::IllegalState);
        self.row(
            Row::attack(thing.id, "put to work without being onboarded", expected)
                .online(&verdict)
                .offline((&offline).into()),
        );
        let refusal = report(owner, thing.id, thing.tip, EventKind::OperationStarted).await;
        self.checks.push(explained(
            "operation started, reported before onboarding",
            "refused, with what to do",
            refusal,
        ));
        let stranger = self.world.of(Who::Hoshi)?;
        let refusal =
            report(stranger, thing.id, thing.tip, EventKind::Shipped { to: owner.id.clone() });
        self.checks.push(explained(
            "a shipment reported by a stranger",
            "refused, with what to do",
            refusal.await,
        ));
        let mut est = connect(self.world, thing.idevid.as_ref(), None).await?;
        let csr = request(&thing.serial_number, est.challenge_password(), &new_key()?)?;
        let outcome = est.enrol(&csr, None).await.map(|_| ());
        self.checks.push(refused("an owner's certificate that nobody vouched for", &outcome));
        Ok(())
    }

    /// Out of use on record, and yet it answers.
    pub(super) async fn back_again(&mut self, life: &mut Life, code: Code) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Inspect).await?;
        let story = if code == Code::RetiredReappeared {
            "retired, and answers all the same"
        } else {
            "disposed of on record, and answers all the same"
        };
        self.row(
            Row::attack(thing.id, story, Expected::rejected(code))
                .online(&verdict)
                .offline((&offline).into()),
        );
        let outcome = knock(self.world, thing.idevid.as_ref().context("no IDevID")?).await;
        self.checks.push(refused("EST with a device at its end", &outcome));
        Ok(())
    }

    pub(super) async fn suspect(&mut self, life: &mut Life, code: Code) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        let story = if code == Code::Prototype {
            "a prototype at work"
        } else {
            "keeps its key in software"
        };
        self.row(
            Row::attack(thing.id, story, Expected::suspect(code))
                .online(&verdict)
                .offline((&offline).into()),
        );
        Ok(())
    }

    pub(super) async fn wrong_clock(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        thing.counter += 1;
        let yesterday = crate::clock::now().plus(-86_400);
        let verdict = Question::new(self.owner(thing)?, thing.id)
            .showing(thing.identity()?)
            .answered_with(thing.identity()?, thing.counter, yesterday)
            .await?
            .verdict()
            .await?;
        let expected = Expected::suspect(Code::ClockUntrusted);
        self.row(
            Row::attack(thing.id, "the device's clock is a day behind", expected).online(&verdict),
        );
        let verdict = self.judged(thing).await?;
        self.row(
            Row::attack(thing.id, "the same, its clock set", Expected::GENUINE).online(&verdict),
        );
        Ok(())
    }

    pub(super) async fn replayed(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let owner = self.owner(thing)?;
        let question = Question::new(owner, thing.id).at_work_for(&owner.id);
        let question = question.answered_by(thing).await?;
        let first = question.verdict().await?;
        self.row(Row::attack(thing.id, "an answer, sent once", Expected::GENUINE).online(&first));
        let again = question.verdict().await?;
        let expected = Expected::rejected(Code::Replayed);
        self.row(Row::attack(thing.id, "the same answer, sent again", expected).online(&again));
        Ok(())
    }

    pub(super) async fn erased(&mut self, life: &mut Life) -> anyhow::Result<()> {
        let thing = &mut life.thing;
        let owner = self.owner(thing)?;
        let path = format!("/v1/devices/{}/erasures", thing.id);
        // What the maker said of its making is not the owner's to destroy.
        let making = Erasure { sequences: Some(vec![0]) };
        let refusal = owner.administrator.post::<_, Recorded>(&path, &making).await;
        self.checks.push(explained(
            "an owner erases what the maker reported before it owned the device",
            "refused, with what to do",
            refusal.map(|_| Tip::default()),
        ));
        let history = format!("/v1/devices/{}/events", thing.id);
        let events: Vec<HistoryEvent> = owner.administrator.all(&history).await?;
        let own = events.iter().filter(|event| event.reporter.0 == owner.id).take(2);
        let erasure = Erasure { sequences: Some(own.map(|event| event.sequence).collect()) };
        let _done: Recorded = self.owner(thing)?.administrator.post(&path, &erasure).await?;
        let verdict = self.judged(thing).await?;
        let offline = self.offline(thing, Purpose::Operate).await?;
        let noted = offline.has(Code::PayloadErased);
        self.row(
            Row::attack(
                thing.id,
                "contents of two events erased by due process",
                Expected::GENUINE,
            )
            .online(&verdict)
            .offline((&offline).into()),
        );
        let given = if noted { "a note in the verdict" } else { "nothing" };
        self.checks.push(Check::new(
            "erased contents are told from altered ones",
            "a note in the verdict",
            given,
            noted,
        ));
        Ok(())
    }
}
