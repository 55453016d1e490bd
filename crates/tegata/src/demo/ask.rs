//! Questions about devices: to the platform, and to a passport file.

use crate::{
    demo::{
        people::Organisation,
        thing::{Thing, answer},
        world::World,
    },
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Identity,
    wire::{
        Challenge, Verdict, VerificationRequest,
        scalar::{Base64, CertificatePem, OrganisationRef, PurposeName},
    },
};
use crypto::UnixTime;
use device::{DeviceId, JudgePolicy, OrganisationId, PassportFile, Purpose, VerifyOptions};

/// A question to the platform.
pub(super) struct Question<'w> {
    desk: &'w Remote,
    device: DeviceId,
    request: VerificationRequest,
}

impl<'w> Question<'w> {
    /// Asked by an organisation: is it genuine?
    pub(super) fn new(asker: &'w Organisation, device: DeviceId) -> Self {
        Self { desk: &asker.desk, device, request: VerificationRequest::default() }
    }

    /// May it work now, presented as its own by `presenter`?
    pub(super) fn at_work_for(mut self, presenter: &OrganisationId) -> Self {
        self.request.purpose = Some(PurposeName(Purpose::Operate));
        self.presented_by(presenter)
    }

    /// Presented by an organisation as its own.
    pub(super) fn presented_by(mut self, presenter: &OrganisationId) -> Self {
        self.request.presented_by = Some(OrganisationRef(presenter.clone()));
        self
    }

    /// The certificates that the device shows.
    pub(super) fn showing(mut self, identity: &Identity) -> Self {
        self.request.presented = identity.chain.iter().cloned().map(CertificatePem).collect();
        self
    }

    /// With an answer to a challenge.
    pub(super) fn proof(mut self, proof: Vec<u8>) -> Self {
        self.request.proof = Some(Base64(proof));
        self
    }

    /// A fresh challenge for the device.
    pub(super) async fn challenge(&self) -> anyhow::Result<[u8; 32]> {
        challenge(self.desk, self.device).await
    }

    /// The thing itself shows its certificate and answers a fresh challenge.
    pub(super) async fn answered_by(self, thing: &mut Thing) -> anyhow::Result<Self> {
        let nonce = self.challenge().await?;
        let proof = thing.prove(nonce)?;
        Ok(self.showing(thing.identity()?).proof(proof))
    }

    /// Somebody answers with a key, a counter and a clock of choice.
    pub(super) async fn answered_with(
        self,
        identity: &Identity,
        counter: u64,
        device_time: UnixTime,
    ) -> anyhow::Result<Self> {
        let nonce = self.challenge().await?;
        let proof = answer(identity.key.as_ref(), self.device, nonce, counter, device_time)?;
        Ok(self.proof(proof))
    }

    /// The platform's answer.
    pub(super) async fn verdict(&self) -> anyhow::Result<Verdict> {
        let path = format!("/v1/devices/{}/verifications", self.device);
        let verdict: Verdict = self.desk.post(&path, &self.request).await?;
        anyhow::ensure!(verdict.device.0 == self.device, "a verdict on another device came back");
        Ok(verdict)
    }
}

/// A fresh challenge for a device.
pub(super) async fn challenge(desk: &Remote, device: DeviceId) -> anyhow::Result<[u8; 32]> {
    let challenge: Challenge = desk.post_empty(&format!("/v1/devices/{device}/challenges")).await?;
    challenge.nonce.0.as_slice().try_into().context("a challenge that is not 32 bytes")
}

/// The passport file of a device, as its owner gets it.
pub(super) async fn export(owner: &Organisation, device: DeviceId) -> anyhow::Result<Vec<u8>> {
    owner
        .desk
        .bytes(&format!("/v1/devices/{device}/passport"))
        .await
        .with_context(|| format!("passport of {device}"))
}

/// What an offline verifier is asked.
pub(super) fn options(device: DeviceId, purpose: Purpose) -> VerifyOptions {
    VerifyOptions {
        policy: JudgePolicy { purpose, ..JudgePolicy::default() },
        device: Some(device),
        ..VerifyOptions::default()
    }
}

/// Exports the passport, keeps it beside the others, and judges it with nothing but the trusted
/// roots and keys.
pub(super) async fn offline(
    world: &World,
    owner: &Organisation,
    device: DeviceId,
    purpose: Purpose,
) -> anyhow::Result<device::Verdict> {
    let bytes = export(owner, device).await?;
    let path = world.site.dir.join("passports").join(format!("{device}.tegata"));
    let anchors = world.anchors()?;
    tokio::task::spawn_blocking(move || {
        std::fs::write(&path, &bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let file = PassportFile::parse(&bytes)?;
        Ok(file.verify(&anchors, &options(device, purpose), crate::clock::now()))
    })
    .await?
}
