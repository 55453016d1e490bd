//! What the device says of itself, on its way out: as it is, or signed, and encrypted for its owner, where the
//! configuration wants that (GW-4). docs/cose.md.
//!
//! INVARIANT: a counter is on disk before anybody hears it, and is never given twice. A sample that is said again
//! because its answer was lost has the one that it had, and the platform takes it once; but where more than 64
//! others were answered meanwhile, the platform would take it for too old, and it has another. Everything else the
//! platform takes once by what it says.

use super::line::{Line, Taken};
use crate::{Agent, Failure, clock, config::Messages, fault, identity::Credential, log};
use admission::{Recipient, SIGNED_UP, SignedMessage, TopicName};
use crypto::UnixTime;
use device::DeviceId;
use pki::{Certificate, validate::Anchors};

/// Seconds after which the owner's key is asked for again.
const KEY_EVERY_S: u64 = 3600;

/// Something that the device says.
pub(crate) struct Saying<'a> {
    /// below the device's space
    pub(crate) topic: &'a str,
    pub(crate) media_type: &'static str,
    pub(crate) payload: &'a [u8],
    /// its number and time, where it is a sample
    pub(crate) sample: Option<(u64, UnixTime)>,
}

/// Who signs.
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    credential: Credential,
    leaf: Certificate,
    device: DeviceId,
    wanted: Messages,
}

impl Speaker {
    /// Nobody where nothing is to be signed.
    pub(super) fn new(
        wanted: Messages,
        shown: &Credential,
        configured: Option<DeviceId>,
    ) -> Result<Option<Self>, Failure> {
        if !wanted.sign {
            return Ok(None);
        }
        let leaf = shown.chain.first().cloned();
        let leaf = leaf.ok_or_else(|| Failure::fatal("identity", "a chain without certificate"))?;
        // The platform's id stands in its certificates.
        let device = leaf.common_name().and_then(|name| name.parse().ok()).or(configured);
        let device = device.ok_or_else(|| {
            let detail = "the certificate does not name the device; set identity.device";
            Failure::malformed("configuration", detail)
        })?;
        Ok(Some(Self { credential: shown.clone(), leaf, device, wanted }))
    }
}

impl Agent {
    /// Says something, in the form that the configuration wants.
    ///
    /// # Errors
    /// Where it may be taken later; `no-message-key` and `message-key` where it is to be encrypted and there is
    /// nobody to encrypt for: nothing is said openly instead.
    pub(crate) fn say(
        &mut self,
        line: &mut Line<'_>,
        saying: &Saying<'_>,
    ) -> Result<Taken, Failure> {
        let Some(speaker) = line.speaker().cloned() else {
            let more = saying.sample.map(|(number, at)| format!("&counter={number}&time={at}"));
            let more = more.unwrap_or_default();
            return line.send(saying.topic, saying.media_type, saying.payload, &more);
        };
        let failed = |error: String| Failure::fatal("message", error);
        // Before the counter: none is used up where there is nobody to encrypt for.
        let recipient = match speaker.wanted.encrypt {
            true => Some(self.recipient(line, &speaker, false)?),
            false => None,
        };
        let sample = saying.sample.map(|(number, _)| number);
        let counter = self.telemetry.number(&self.store, sample)?;
        fault::point("message-numbered");
        let message = SignedMessage {
            device: speaker.device,
            certificate: speaker.leaf.fingerprint(),
            counter,
            made_at: saying.sample.map(|(_, at)| at),
            topic: TopicName::new(saying.topic).map_err(|error| failed(error.to_string()))?,
            media_type: Some(saying.media_type.to_owned()),
            payload: saying.payload.to_vec(),
        };
        let signed = message.sign(&*speaker.credential.key);
        let signed = signed.map_err(|error| failed(error.to_string()))?;
        let taken = match recipient {
            None => line.send(SIGNED_UP, "application/cose", &signed, "")?,
            Some(known) => self.say_encrypted(line, &speaker, &known, &signed)?,
        };
        self.telemetry.answered(counter);
        Ok(taken)
    }

    fn say_encrypted(
        &mut self,
        line: &mut Line<'_>,
        speaker: &Speaker,
        known: &Recipient,
        signed: &[u8],
    ) -> Result<Taken, Failure> {
        let failed =
            |error: admission::EncryptedError| Failure::fatal("message", error.to_string());
        let bytes = known.encrypt(signed).map_err(failed)?;
        let taken = line.send(SIGNED_UP, "application/cose", &bytes, "")?;
        if taken == Taken::Kept {
            return Ok(taken);
        }
        // The owner may have another key meanwhile, and have destroyed this one.
        let now = self.recipient(line, speaker, true)?;
        if now.name() == known.name() {
            return Ok(taken);
        }
        let bytes = now.encrypt(signed).map_err(failed)?;
        line.send(SIGNED_UP, "application/cose", &bytes, "")
    }

    /// Asks whether there is somebody to encrypt for, where that is to be done.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub(super) fn can_say(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        match line.speaker().cloned() {
            Some(speaker) if speaker.wanted.encrypt => {
                self.recipient(line, &speaker, true).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The key of the device's owner, as the platform says and its certificate proves.
    fn recipient(
        &mut self,
        line: &mut Line<'_>,
        speaker: &Speaker,
        anew: bool,
    ) -> Result<Recipient, Failure> {
        let (now_s, now) = (clock::uptime_s(), clock::wall().max(speaker.leaf.not_before()));
        let owner = speaker.leaf.organization().unwrap_or_default();
        if let Some((known, of, asked_s)) = &self.recipient
            && !anew
            && *of == owner
            && now_s.saturating_sub(*asked_s) < KEY_EVERY_S
            && known.not_after() > now
        {
            return Ok(known.clone());
        }
        let chain = line.message_key()?;
        let anchors: Anchors = crate::identity::roots(&self.config)?.into_iter().collect();
        let recipient = Recipient::of(&chain, &anchors, &owner, now)
            .map_err(|error| Failure::refused("message-key", error.to_string()))?;
        if self.recipient.as_ref().is_none_or(|(known, ..)| known.name() != recipient.name()) {
            log::info("message-key", &format!("messages are encrypted for {}", recipient.name()));
        }
        self.recipient = Some((recipient.clone(), owner, now_s));
        Ok(recipient)
    }
}
