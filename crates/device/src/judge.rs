//! The one function that gives the verdict. Pure: the same facts at the same time give the same
//! verdict, on the platform and offline.

use crate::{
    Evidence, Layer, Moment, OrganisationId, Passport, Phase, Reason, ReasonCode as Code,
    RootOfTrust, Severity, Standing, StandingKind, State, Strength, Verdict,
    event::{Build, CredentialProfile},
    named::named,
    passport::{CertificateFact, Chain, History, PartFact, ProofFact, ProofRefusal, Revocation},
};
use crypto::{Sha256, UnixTime};

named! {
    /// What the verdict is wanted for.
    pub enum Purpose: "purpose" {
        /// is it genuine? Any living phase will do.
        Inspect = 1 "inspect",
        /// may it work now? It must be onboarded or in operation.
        Operate = 2 "operate",
    }
}

/// What is asked of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgePolicy {
    /// what the verdict is wanted for
    pub purpose: Purpose,
    /// whether a device without a proof of possession is rejected
    pub possession_required: bool,
    /// weakest root of trust that is not suspect
    pub root_of_trust_min: Strength,
    /// fewest bits of security strength of a key that is not suspect (SP 800-57)
    pub strength_bits_min: u32,
    /// oldest evidence that is not stale, in seconds
    pub evidence_age_seconds_max: i64,
    /// how far clocks may differ, in seconds
    pub clock_tolerance_seconds: i64,
    /// longest that a verdict may be relied upon, in seconds
    pub verdict_seconds_max: i64,
    /// reasons that weigh more than by themselves; less is not possible
    pub raised: Vec<(Code, Severity)>,
}

impl Default for JudgePolicy {
    fn default() -> Self {
        Self {
            purpose: Purpose::Inspect,
            possession_required: false,
            root_of_trust_min: Strength::SiliconBound,
            strength_bits_min: 112,
            evidence_age_seconds_max: 24 * 3600,
            clock_tolerance_seconds: 300,
            verdict_seconds_max: 3600,
            raised: Vec::new(),
        }
    }
}

/// Judges a passport.
pub fn judge(passport: &Passport, policy: &JudgePolicy, now: UnixTime) -> Verdict {
    let mut judge = Judge { passport, policy, now, reasons: passport.findings.clone() };
    match &passport.history {
        History::Unknown => {
            judge.add(Code::UnknownDevice, Layer::Device, vec![Evidence::Device(passport.device)]);
        }
        History::Unusable => judge.unusable(),
        History::Known(state) if state.device() != passport.device => {
            let evidence =
                vec![Evidence::Device(state.device()), Evidence::Device(passport.device)];
            judge.add(Code::HistoryForeign, Layer::Device, evidence);
        }
        History::Known(state) => judge.history(state),
    }
    for certificate in &passport.certificates {
        judge.certificate(certificate);
    }
    judge.proof();
    for part in &passport.parts {
        judge.part(part);
    }
    judge.hosts();
    judge.freshness();
    judge.conclude()
}

struct Judge<'a> {
    passport: &'a Passport,
    policy: &'a JudgePolicy,
    now: UnixTime,
    reasons: Vec<Reason>,
}

impl Judge<'_> {
    fn add(&mut self, code: Code, layer: Layer, evidence: Vec<Evidence>) {
        self.reasons.push(Reason::new(code, layer, evidence));
    }

    fn event(&self, sequence: u64) -> Evidence {
        let events = &self.passport.events;
        let place = events
            .binary_search_by(|event| event.sequence.cmp(&sequence))
            .ok()
            .and_then(|at| events.get(at));
        Evidence::Event {
            sequence,
            index: place.map(|place| place.index),
            commitment: place.map(|place| place.commitment),
        }
    }

    fn alive(&self) -> bool {
        matches!(self.passport.proof, ProofFact::Valid { .. })
    }

    /// Whoever could not use the history says why in the findings. Where nothing there rejects, the
    /// lack itself does: a history that is missing is never a pass.
    fn unusable(&mut self) {
        if !self.reasons.iter().any(|reason| reason.severity == Severity::Reject) {
            let why = Evidence::Detail("the history cannot be used, and nothing says why".into());
            self.add(Code::HistoryIncomplete, Layer::Device, vec![why]);
        }
    }

    fn history(&mut self, state: &State) {
        self.standing(state);
        self.end(state);
        self.owner(state);
        let since = self.event(state.phase_since());
        let working = matches!(state.phase(), Phase::Onboarded | Phase::Operation);
        let ended = matches!(state.phase(), Phase::Retired | Phase::Disposed);
        if self.policy.purpose == Purpose::Operate && !working && !ended {
            let detail = format!("phase is {}, not onboarded or operation", state.phase());
            self.add(Code::IllegalState, Layer::Device, vec![since, Evidence::Detail(detail)]);
        }
        if state.build() == Build::Prototype && working {
            let first = self.event(0);
            self.add(Code::Prototype, Layer::Device, vec![first]);
        }
        // A device without a key of its own has nothing to keep. What keeps the key of another must
        // be stated, or it is no better than the weakest.
        let weak = match state.root_of_trust() {
            Some(root) => root.strength() < self.policy.root_of_trust_min,
            None => state.key().is_some() && self.policy.root_of_trust_min > Strength::Software,
        };
        if weak {
            let root = state.root_of_trust().map_or("not stated", RootOfTrust::name);
            let detail = Evidence::Detail(format!("root of trust is {root}"));
            let first = self.event(0);
            self.add(Code::WeakRootOfTrust, layer_of(state), vec![first, detail]);
        }
        for part in state.parts() {
            if !self.passport.parts.iter().any(|fact| fact.part.device == part.device) {
                let why = Evidence::Detail("nothing is known of a part in the history".into());
                let evidence = vec![Evidence::Device(part.device), why];
                self.add(Code::PartUnknown, layer_of_kind(part.kind), evidence);
            }
        }
        for (part, other, sequence) in &state.alarms().duplicated_parts {
            let event = self.event(*sequence);
            let evidence = vec![event, Evidence::Device(*part), Evidence::Device(*other)];
            self.add(Code::PartDuplicated, Layer::Board, evidence);
        }
        self.software(state);
        if let Some(to) = state.pending_transfer() {
            let organisations =
                Evidence::Organisations { found: to.clone(), expected: state.owner().clone() };
            self.add(Code::TransferPending, Layer::Owner, vec![organisations]);
        }
    }

    /// What runs, against what its maker has published, and what came of the last update.
    fn software(&mut self, state: &State) {
        if let Some(sequence) = state.failed_update() {
            let event = self.event(sequence);
            self.add(Code::UpdateFailed, Layer::Firmware, vec![event]);
        }
        let Some((runs, known)) = state.software().zip(self.passport.newest_release.as_ref())
        else {
            return;
        };
        let since = self.event(runs.since);
        let versions = Evidence::Detail(format!(
            "runs {}, the newest is {}",
            runs.release.version, known.newest.version
        ));
        let (code, found, expected) = if runs.release.security_version < known.security_floor {
            let found = runs.release.security_version;
            (Code::BelowSecurityFloor, found, known.security_floor)
        } else if runs.release.release_counter < known.newest.release_counter {
            let found = runs.release.release_counter;
            (Code::SoftwareOutdated, found, known.newest.release_counter)
        } else {
            return;
        };
        let evidence = vec![since, Evidence::Count { found, expected }, versions];
        self.add(code, Layer::Firmware, evidence);
    }

    fn standing(&mut self, state: &State) {
        let (code, cause, sequence) = match state.standing() {
            Standing::Good => return,
            Standing::Suspended { cause, sequence, .. } => (Code::Suspended, cause, *sequence),
            Standing::Revoked { cause, sequence, .. } => (Code::Revoked, cause, *sequence),
        };
        let evidence = vec![self.event(sequence), Evidence::Detail(format!("cause {cause}"))];
        self.add(code, layer_of(state), evidence);
    }

    fn end(&mut self, state: &State) {
        let (quiet, loud) = match state.phase() {
            Phase::Retired => (Code::Retired, Code::RetiredReappeared),
            Phase::Disposed => (Code::Disposed, Code::DisposedReappeared),
            Phase::Prototype
            | Phase::MassProduction
            | Phase::Distribution
            | Phase::Installed
            | Phase::Onboarded
            | Phase::Operation
            | Phase::Repair => return,
        };
        let mut evidence = vec![self.event(state.phase_since())];
        if let Some(sequence) = state.alarms().reappeared {
            evidence.push(self.event(sequence));
        }
        let loudly = self.alive() || state.alarms().reappeared.is_some();
        self.add(if loudly { loud } else { quiet }, layer_of(state), evidence);
    }

    fn owner(&mut self, state: &State) {
        if let Some(presenter) = &self.passport.presented_by
            && !may_present(presenter, state)
        {
            self.wrong_owner(presenter.clone(), state, Vec::new());
        }
    }

    fn wrong_owner(&mut self, found: OrganisationId, state: &State, mut evidence: Vec<Evidence>) {
        evidence.push(Evidence::Organisations { found, expected: state.owner().clone() });
        self.add(Code::WrongOwner, Layer::Owner, evidence);
    }

    fn certificate(&mut self, certificate: &CertificateFact) {
        let layer = certificate.layer;
        let named = Evidence::Certificate {
            fingerprint: certificate.fingerprint,
            serial: certificate.serial.clone(),
        };
        let time = |moment, at| Evidence::Time { moment, at };
        let detail = |detail: &String| Evidence::Detail(detail.clone());
        match &certificate.chain {
            Chain::Trusted => {}
            Chain::UnknownIssuer => self.add(Code::UnknownMaker, layer, vec![named.clone()]),
            Chain::Broken(why) => {
                self.add(Code::ChainBroken, layer, vec![named.clone(), detail(why)]);
            }
            Chain::Weak(why) => {
                let reason =
                    Reason::new(Code::WeakAlgorithm, layer, vec![named.clone(), detail(why)]);
                self.reasons.push(reason.at_least(Severity::Reject));
            }
        }
        if self.now > certificate.not_after {
            let at = time(Moment::NotAfter, certificate.not_after);
            self.add(Code::Expired, layer, vec![named.clone(), at]);
        }
        if self.now.plus(self.policy.clock_tolerance_seconds) < certificate.not_before {
            let at = time(Moment::NotBefore, certificate.not_before);
            self.add(Code::NotYetValid, layer, vec![named.clone(), at]);
        }
        match certificate.revocation {
            Revocation::Good { as_of } => {
                if self.is_old(as_of) {
                    let at = time(Moment::AsOf, as_of);
                    self.add(Code::StaleEvidence, layer, vec![named.clone(), at]);
                }
            }
            Revocation::Revoked { at } => {
                let at = time(Moment::RevokedAt, at);
                self.add(Code::Revoked, layer, vec![named.clone(), at]);
            }
            Revocation::Suspended { at } => {
                let at = time(Moment::RevokedAt, at);
                self.add(Code::Suspended, layer, vec![named.clone(), at]);
            }
            Revocation::Unknown => {
                self.add(Code::RevocationUnknown, layer, vec![named.clone()]);
            }
        }
        if certificate.algorithm.strength_bits() < self.policy.strength_bits_min {
            let why = Evidence::Detail(format!("key is {}", certificate.algorithm));
            self.add(Code::WeakAlgorithm, layer, vec![named.clone(), why]);
        }
        if let History::Known(state) = &self.passport.history {
            self.listed(certificate, state, named);
        }
    }

    /// Whether the history knows the certificate, and for whom.
    fn listed(&mut self, certificate: &CertificateFact, state: &State, named: Evidence) {
        let Some(profile) = certificate.profile else { return };
        if let (CredentialProfile::Ldevid, Some(organisation)) =
            (profile, &certificate.organisation)
            && organisation != state.owner()
        {
            return self.wrong_owner(organisation.clone(), state, vec![named]);
        }
        // What the history has ended on purpose is explained by another reason.
        let ended = state.standing().kind() == StandingKind::Revoked
            || matches!(state.phase(), Phase::Retired | Phase::Disposed)
            || !matches!(certificate.revocation, Revocation::Good { .. } | Revocation::Unknown)
            || certificate.not_after < state.last_at()
            || certificate.chain != Chain::Trusted;
        let listed = state
            .credentials()
            .iter()
            .any(|credential| credential.certificate == certificate.fingerprint);
        if !ended && !listed {
            self.add(Code::CredentialUnlisted, certificate.layer, vec![named]);
        }
    }

    fn proof(&mut self) {
        let layer = self.passport.state().map_or(Layer::Device, layer_of);
        match &self.passport.proof {
            ProofFact::NotAsked => {
                let weight =
                    if self.policy.possession_required { Severity::Reject } else { Severity::Note };
                let reason = Reason::new(Code::PossessionUnproven, layer, Vec::new());
                self.reasons.push(reason.at_least(weight));
            }
            ProofFact::Refused { cause, key } => {
                let (code, why) = match cause {
                    ProofRefusal::Silent => (Code::NoPossession, "no answer to the challenge"),
                    ProofRefusal::WrongKey => {
                        (Code::NoPossession, "the answer is not signed by the certificate's key")
                    }
                    ProofRefusal::Late => (Code::NoPossession, "the answer came too late"),
                    ProofRefusal::Unreadable => (Code::NoPossession, "the answer is not a proof"),
                    ProofRefusal::Replayed => (Code::Replayed, "answers another challenge"),
                };
                let mut evidence: Vec<Evidence> = key.iter().copied().map(Evidence::Key).collect();
                evidence.push(Evidence::Detail(why.into()));
                self.add(code, layer, evidence);
            }
            ProofFact::Valid { key, counter, highest, device_time, received_at } => {
                self.valid_proof(layer, *key, (*counter, *highest), *device_time, *received_at);
            }
        }
        self.copied_keys(layer);
    }

    fn valid_proof(
        &mut self,
        layer: Layer,
        key: Sha256,
        (counter, highest): (u64, Option<u64>),
        device_time: Option<UnixTime>,
        received_at: UnixTime,
    ) {
        // A certificate of a person or service is no device's, whatever name it bears.
        let of_device =
            |certificate: &CertificateFact| certificate.profile.is_some() && certificate.key == key;
        if !self.passport.certificates.iter().any(of_device) {
            let why = Evidence::Detail("no certificate of the device has this key".into());
            self.add(Code::NoPossession, layer, vec![Evidence::Key(key), why]);
        }
        if let Some(highest) = highest
            && counter <= highest
        {
            let counters = Evidence::Counters { highest, presented: counter };
            self.add(Code::KeyCopied, layer, vec![Evidence::Key(key), counters]);
        }
        if let Some(device_time) = device_time
            && device_time.since(received_at).saturating_abs() > self.policy.clock_tolerance_seconds
        {
            let evidence = vec![
                Evidence::Time { moment: Moment::DeviceClock, at: device_time },
                Evidence::Time { moment: Moment::ReceivedAt, at: received_at },
            ];
            self.add(Code::ClockUntrusted, Layer::Device, evidence);
        }
        if self.is_old(received_at) {
            let at = Evidence::Time { moment: Moment::ReceivedAt, at: received_at };
            self.add(Code::StaleEvidence, layer, vec![at]);
        }
    }

    /// A fork that is on record holds until the key is given up.
    fn copied_keys(&mut self, layer: Layer) {
        let Some(state) = self.passport.state() else { return };
        let in_use = |key: &Sha256| {
            let proven =
                matches!(&self.passport.proof, ProofFact::Valid { key: k, .. } if k == key);
            proven || self.passport.certificates.iter().any(|c| c.key == *key)
        };
        let copied: Vec<_> =
            state.alarms().copied_keys.iter().filter(|(key, _)| in_use(key)).copied().collect();
        for (key, sequence) in copied {
            let evidence = vec![self.event(sequence), Evidence::Key(key)];
            self.add(Code::KeyCopied, layer, evidence);
        }
    }

    fn part(&mut self, fact: &PartFact) {
        let part = fact.part.device;
        let layer = layer_of_kind(fact.part.kind);
        let on_record = |state: &State, other: &crate::DeviceId| {
            state.alarms().duplicated_parts.iter().any(|(p, o, _)| *p == part && o == other)
        };
        for other in &fact.elsewhere {
            if *other != self.passport.device
                && !self.passport.state().is_some_and(|state| on_record(state, other))
            {
                let evidence = vec![Evidence::Device(part), Evidence::Device(*other)];
                self.add(Code::PartDuplicated, layer, evidence);
            }
        }
        let code = match fact.status {
            None => Some(Code::PartUnknown),
            Some((_, StandingKind::Revoked)) => Some(Code::PartRevoked),
            Some((_, StandingKind::Suspended)) => Some(Code::PartSuspended),
            Some((Phase::Retired | Phase::Disposed, StandingKind::Good)) => Some(Code::PartRetired),
            Some((_, StandingKind::Good)) => None,
        };
        if let Some(code) = code {
            self.add(code, layer, vec![Evidence::Device(part)]);
        }
    }

    /// This device as a part: more than one host, or another than on record.
    fn hosts(&mut self) {
        let layer = self.passport.state().map_or(Layer::Device, layer_of);
        let on_record = self.passport.state().and_then(State::installed_in);
        let claims = self.passport.hosts.len();
        let other = self.passport.hosts.iter().any(|host| on_record.is_some_and(|r| r != *host));
        if claims > 1 || other {
            let mut evidence = vec![Evidence::Device(self.passport.device)];
            evidence.extend(self.passport.hosts.iter().copied().map(Evidence::Device));
            self.add(Code::PartDuplicated, layer, evidence);
        }
    }

    fn is_old(&self, as_of: UnixTime) -> bool {
        self.now.since(as_of) > self.policy.evidence_age_seconds_max
    }

    fn freshness(&mut self) {
        let as_of = self.passport.as_of;
        let time = |moment, at| Evidence::Time { moment, at };
        if self.is_old(as_of) {
            self.add(Code::StaleEvidence, Layer::Service, vec![time(Moment::AsOf, as_of)]);
        }
        if let Some(until) = self.passport.fresh_until
            && self.now >= until
        {
            self.add(Code::StaleEvidence, Layer::Service, vec![time(Moment::FreshUntil, until)]);
        }
        if as_of > self.now.plus(self.policy.clock_tolerance_seconds) {
            let evidence = vec![time(Moment::VerifierClock, self.now), time(Moment::AsOf, as_of)];
            self.add(Code::ClockUntrusted, Layer::Service, evidence);
        }
    }

    fn conclude(mut self) -> Verdict {
        for reason in &mut self.reasons {
            for (code, severity) in &self.policy.raised {
                if *code == reason.code {
                    reason.severity = reason.severity.max(*severity);
                }
            }
        }
        let own = [
            self.now.plus(self.policy.verdict_seconds_max),
            self.passport.as_of.plus(self.policy.evidence_age_seconds_max),
        ];
        // A verdict never outlives a certificate that it relies upon.
        let ends = self.passport.certificates.iter().map(|certificate| certificate.not_after);
        let expires =
            own.into_iter().chain(self.passport.fresh_until).chain(ends).min().unwrap_or(self.now);
        Verdict::conclude(self.passport.device, self.reasons, self.now, expires)
    }
}

/// At work a device is its owner's alone. Before, in repair and at its end whoever has it in custody
/// may ask about it as well.
fn may_present(presenter: &OrganisationId, state: &State) -> bool {
    let at_work = matches!(state.phase(), Phase::Onboarded | Phase::Operation);
    let repairs = state.repair().is_some_and(|repair| repair.repairer == *presenter);
    presenter == state.owner() || !at_work && (presenter == state.holder() || repairs)
}

fn layer_of(state: &State) -> Layer {
    layer_of_kind(state.kind())
}

fn layer_of_kind(kind: crate::DeviceKind) -> Layer {
    match kind {
        crate::DeviceKind::Chip => Layer::Chip,
        crate::DeviceKind::Module | crate::DeviceKind::Board => Layer::Board,
        crate::DeviceKind::Device => Layer::Device,
    }
}
