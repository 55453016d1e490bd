//! The pipeline (GW-2): identity → state → policy → rate → freshness → format → consent.
//!
//! One function behind every door. It decides and counts; it neither reads nor writes anything but
//! the meters it is given. What it admits is not acknowledged before it is on disk: that is the
//! caller's part, as is the route.

use crate::{
    format::{FormatError, FormatRule},
    freshness::{FreshnessRule, ReplayWindow},
    payload::{PayloadAnswer, PayloadRule},
    rate::{Allowance, Meter, Shared, Ticks},
    refusal::Refusal,
    space::{Direction, Policy, Space, decide},
    topic::TopicName,
};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, Phase, ProductId, StandingKind};

/// What is known of a sender when its message arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// the device
    pub device: DeviceId,
    /// what the certificate opens
    pub identity: Identity,
    /// who owns it now
    pub owner: OrganisationId,
    /// whose issuing CA the certificate is from
    pub issuer: OrganisationId,
    /// its product line, where it has one
    pub product: Option<(OrganisationId, ProductId)>,
    /// where it is in its life
    pub phase: Phase,
    /// how it stands
    pub standing: StandingKind,
    /// whether it is in quarantine
    pub quarantined: bool,
    /// whether its owner's organisation may work
    pub organisation_works: bool,
}

/// What a certificate opens at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// the owner's local identity (LDevID): messages
    Operational,
    /// the maker's initial identity (IDevID): onboarding alone, unless the maker owns the device
    Initial,
    /// anything else
    Other,
}

impl Sender {
    /// Whether the sender may be here at all.
    ///
    /// # Errors
    /// The refusals that end a connection.
    pub fn stands(&self) -> Result<(), Refusal> {
        match self.identity {
            Identity::Operational => {}
            Identity::Initial if self.issuer == self.owner => {}
            Identity::Initial | Identity::Other => return Err(Refusal::Identity),
        }
        match self.standing {
            StandingKind::Good => {}
            StandingKind::Suspended => return Err(Refusal::Suspended),
            StandingKind::Revoked => return Err(Refusal::Revoked),
        }
        if matches!(self.phase, Phase::Retired | Phase::Disposed) {
            return Err(Refusal::Retired);
        }
        if self.quarantined {
            return Err(Refusal::Quarantined);
        }
        if self.issuer != self.owner {
            return Err(Refusal::WrongOwner);
        }
        if !self.organisation_works {
            return Err(Refusal::Organisation);
        }
        Ok(())
    }
}

/// A message as a door took it.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// where it goes, absolute
    pub topic: &'a TopicName,
    /// what it says
    pub payload: &'a [u8],
    /// when it was made, as it says
    pub made_at: Option<UnixTime>,
    /// its counter, where it has one
    pub counter: Option<u64>,
}

/// What is asked of the messages of a product line and a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// how new it must be
    pub freshness: FreshnessRule,
    /// what it must be
    pub format: FormatRule,
    /// whether the owner has agreed to what the topic is for; `true` where it is for nothing that
    /// needs consent
    pub consented: bool,
}

/// How much may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// by one device
    pub device: Allowance,
    /// by the devices of a product line together
    pub product: Allowance,
    /// by the devices of an organisation together
    pub organisation: Allowance,
    /// by all devices together
    pub platform: Allowance,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            device: Allowance::new(20, 100),
            product: Allowance::new(20_000, 20_000),
            organisation: Allowance::new(20_000, 20_000),
            platform: Allowance::new(50_000, 50_000),
        }
    }
}

/// What has been sent: the platform's amount shared among organisations, an organisation's among its
/// devices. One per process.
#[derive(Debug)]
pub struct Traffic {
    platform: Shared<OrganisationId>,
}

/// What an organisation's devices have sent.
#[derive(Debug)]
pub struct OrganisationTraffic {
    devices: Shared<DeviceId>,
    products: std::collections::HashMap<(OrganisationId, ProductId), Shared<DeviceId>>,
}

impl Traffic {
    /// Nothing yet.
    pub fn new(quotas: &Quotas) -> Self {
        Self { platform: Shared::new(quotas.platform) }
    }
}

impl OrganisationTraffic {
    /// Nothing yet.
    pub fn new(quotas: &Quotas) -> Self {
        Self { devices: Shared::new(quotas.organisation), products: Default::default() }
    }
}

/// The meters that a message runs past, the narrowest first.
#[derive(Debug)]
pub struct Meters<'a> {
    /// the device's own
    pub device: &'a mut Meter,
    /// its owner's
    pub organisation: &'a mut OrganisationTraffic,
    /// everybody's
    pub traffic: &'a mut Traffic,
}

impl Meters<'_> {
    fn pass(&mut self, sender: &Sender, quotas: &Quotas, now: Ticks) -> Result<(), Refusal> {
        if !self.device.pass(quotas.device, now) {
            return Err(Refusal::DeviceRate);
        }
        if let Some(product) = &sender.product {
            let products = &mut self.organisation.products;
            let line = match products.get_mut(product) {
                Some(line) => line,
                None => products.entry(product.clone()).or_insert(Shared::new(quotas.product)),
            };
            if !line.pass(&sender.device, now) {
                return Err(Refusal::ProductRate);
            }
        }
        if !self.organisation.devices.pass(&sender.device, now) {
            return Err(Refusal::OrganisationRate);
        }
        if !self.traffic.platform.pass(&sender.owner, now) {
            return Err(Refusal::PlatformRate);
        }
        Ok(())
    }
}

/// A message that is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// the counters that were heard, with this one; to be kept in the commit that keeps the message
    pub window: ReplayWindow,
    /// ids of the policies that let it in
    pub because: Vec<String>,
}

/// What surrounds a message: whose it is, by which rules, and when.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// who sends it
    pub sender: &'a Sender,
    /// the sender's own space
    pub space: &'a Space,
    /// what the organisation's policies say
    pub policy: &'a dyn Policy,
    /// what the organisation's schemas say
    pub payload: &'a dyn PayloadRule,
    /// what is asked of it
    pub rules: &'a Rules,
    /// how much may be sent
    pub quotas: &'a Quotas,
    /// the counters that were heard of the device
    pub window: &'a ReplayWindow,
    /// the time of day
    pub now: UnixTime,
    /// the time of the meters
    pub ticks: Ticks,
}

/// Whether a message is admitted.
///
/// A message that the policy refuses counts against its device's rate as any other: who probes
/// topics uses itself up.
///
/// # Errors
/// The first [`Refusal`] in the order of the pipeline.
pub fn admit(
    message: &Message<'_>,
    around: &Surroundings<'_>,
    meters: &mut Meters<'_>,
) -> Result<Admitted, Refusal> {
    let sender = around.sender;
    sender.stands()?;
    let decision = decide(around.space, around.policy, Direction::Publish, message.topic.as_str());
    if !decision.allowed {
        let room = meters.device.pass(around.quotas.device, around.ticks);
        return Err(if room { Refusal::Topic } else { Refusal::DeviceRate });
    }
    meters.pass(sender, around.quotas, around.ticks)?;
    let window = around
        .rules
        .freshness
        .check(message.made_at, message.counter, around.window, around.now)
        .map_err(Refusal::from)?;
    around.rules.format.check(message.payload).map_err(|why| match why {
        FormatError::TooLarge => Refusal::TooLarge,
        FormatError::TooDeep | FormatError::TooMany => Refusal::TooComplex,
        FormatError::Malformed | FormatError::Duplicate | FormatError::Name => Refusal::Malformed,
    })?;
    if let PayloadAnswer::Refused(refusal) = around.payload.ask(message) {
        return Err(refusal);
    }
    if !around.rules.consented {
        return Err(Refusal::Consent);
    }
    Ok(Admitted { window, because: decision.because })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{format::Encoding, space::OwnSpaceOnly};

    const NOW: UnixTime = UnixTime(1_795_000_000);

    type Change = fn(&mut Sender);
    type Setting = fn(&mut Quotas, Allowance);

    fn sender() -> Sender {
        let owner: OrganisationId = "plant".parse().unwrap();
        Sender {
            device: DeviceId::from_bytes([7; 16]),
            identity: Identity::Operational,
            owner: owner.clone(),
            issuer: owner,
            product: Some(("maker-a".parse().unwrap(), "sensor".parse().unwrap())),
            phase: Phase::Operation,
            standing: StandingKind::Good,
            quarantined: false,
            organisation_works: true,
        }
    }

    struct World {
        sender: Sender,
        rules: Rules,
        quotas: Quotas,
        window: ReplayWindow,
        device: Meter,
        organisation: OrganisationTraffic,
        traffic: Traffic,
        payload: PayloadAnswer,
    }

    impl World {
        fn new() -> Self {
            let quotas = Quotas::default();
            Self {
                sender: sender(),
                rules: Rules { consented: true, ..Rules::default() },
                quotas,
                window: ReplayWindow::default(),
                device: Meter::default(),
                organisation: OrganisationTraffic::new(&quotas),
                traffic: Traffic::new(&quotas),
                payload: PayloadAnswer::Nothing,
            }
        }

        fn send(&mut self, topic: &str, payload: &[u8]) -> Result<Admitted, Refusal> {
            self.send_marked(topic, payload, None, None)
        }

        fn send_marked(
            &mut self,
            topic: &str,
            payload: &[u8],
            made_at: Option<UnixTime>,
            counter: Option<u64>,
        ) -> Result<Admitted, Refusal> {
            let space = Space::of(&self.sender.device);
            let topic = space.absolute(TopicName::new(topic).unwrap()).unwrap();
            let message = Message { topic: &topic, payload, made_at, counter };
            let around = Surroundings {
                sender: &self.sender,
                space: &space,
                policy: &OwnSpaceOnly,
                payload: &self.payload,
                rules: &self.rules,
                quotas: &self.quotas,
                window: &self.window,
                now: NOW,
                ticks: Ticks(0),
            };
            let mut meters = Meters {
                device: &mut self.device,
                organisation: &mut self.organisation,
                traffic: &mut self.traffic,
            };
            let admitted = admit(&message, &around, &mut meters);
            if let Ok(admitted) = &admitted {
                self.window = admitted.window;
            }
            admitted
        }
    }

    #[test]
    fn who_may_not_be_here_is_told_apart_in_the_log() {
        let other: OrganisationId = "former".parse().unwrap();
        let cases: [(Change, Refusal); 8] = [
            (|s| s.identity = Identity::Other, Refusal::Identity),
            (|s| s.identity = Identity::Initial, Refusal::Identity),
            (|s| s.standing = StandingKind::Suspended, Refusal::Suspended),
            (|s| s.standing = StandingKind::Revoked, Refusal::Revoked),
            (|s| s.phase = Phase::Retired, Refusal::Retired),
            (|s| s.phase = Phase::Disposed, Refusal::Retired),
            (|s| s.quarantined = true, Refusal::Quarantined),
            (|s| s.organisation_works = false, Refusal::Organisation),
        ];
        for (change, expected) in cases {
            let mut world = World::new();
            change(&mut world.sender);
            // A maker's own devices work with their IDevID; this one is somebody else's.
            if expected == Refusal::Identity {
                world.sender.issuer = other.clone();
            }
            assert_eq!(world.send("me/up/x", b"1"), Err(expected));
        }
        let mut world = World::new();
        world.sender.issuer = other;
        assert_eq!(world.send("me/up/x", b"1"), Err(Refusal::WrongOwner));
        let mut world = World::new();
        world.sender.identity = Identity::Initial;
        assert!(world.send("me/up/x", b"1").is_ok());
        assert_eq!(world.send("me/up/x", b"1").unwrap().because, ["own-space"]);
    }

    #[test]
    fn the_first_reason_in_the_order_of_the_pipeline_is_given() {
        let mut world = World::new();
        world.rules.format = FormatRule { encoding: Encoding::Json, bytes_max: 10, depth_max: 1 };
        world.rules.freshness = FreshnessRule { age_s: Some(60), ahead_s: 5, counter: true };
        world.rules.consented = false;
        let now = Some(NOW);
        assert_eq!(world.send("plant/x", b"["), Err(Refusal::Topic));
        assert_eq!(world.send("me/up/x", b"["), Err(Refusal::Unmarked));
        let old = Some(UnixTime(NOW.0 - 61));
        assert_eq!(world.send_marked("me/up/x", b"[", old, Some(1)), Err(Refusal::Stale));
        assert_eq!(world.send_marked("me/up/x", b"[", now, Some(1)), Err(Refusal::Malformed));
        let large = world.send_marked("me/up/x", b"[1,2,3,4,5]", now, Some(1));
        assert_eq!(large, Err(Refusal::TooLarge));
        let deep = world.send_marked("me/up/x", b"[[1]]", now, Some(1));
        assert_eq!(deep, Err(Refusal::TooComplex));
        world.payload = PayloadAnswer::Refused(Refusal::Schema);
        assert_eq!(world.send_marked("me/up/x", b"[1]", now, Some(1)), Err(Refusal::Schema));
        world.payload = PayloadAnswer::Fits;
        assert_eq!(world.send_marked("me/up/x", b"[1]", now, Some(1)), Err(Refusal::Consent));
        world.rules.consented = true;
        // What was refused was not heard: its counter may come again.
        assert!(world.send_marked("me/up/x", b"[1]", now, Some(1)).is_ok());
        let again = world.send_marked("me/up/x", b"[1]", now, Some(1));
        assert_eq!(again, Err(Refusal::Replayed));
    }

    #[test]
    fn who_probes_topics_uses_itself_up() {
        let mut world = World::new();
        world.quotas.device = Allowance::new(1, 5);
        for _ in 0..5 {
            assert_eq!(world.send("d/somebody/up", b"x"), Err(Refusal::Topic));
        }
        assert_eq!(world.send("d/somebody/up", b"x"), Err(Refusal::DeviceRate));
        assert_eq!(world.send("me/up/x", b"x"), Err(Refusal::DeviceRate));
    }

    #[test]
    fn each_level_of_the_rates_says_so() {
        let tiny = Allowance::new(1, 1);
        let cases: [(Setting, Refusal); 4] = [
            (|q, tiny| q.device = tiny, Refusal::DeviceRate),
            (|q, tiny| q.product = tiny, Refusal::ProductRate),
            (|q, tiny| q.organisation = tiny, Refusal::OrganisationRate),
            (|q, tiny| q.platform = tiny, Refusal::PlatformRate),
        ];
        for (set, expected) in cases {
            let mut world = World::new();
            set(&mut world.quotas, tiny);
            world.organisation = OrganisationTraffic::new(&world.quotas);
            world.traffic = Traffic::new(&world.quotas);
            assert!(world.send("me/up/x", b"x").is_ok());
            assert_eq!(world.send("me/up/x", b"x"), Err(expected));
        }
    }
}
