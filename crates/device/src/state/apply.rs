use super::{
    ALARMS_MAX, Alarms, CREDENTIALS_MAX, IllegalMove, IllegalMoveCode as Code, PARTS_MAX, Party,
    Phase, Repair, Roles, RunningSoftware, Standing, StandingKind, State, rule,
};
use crate::{
    DeviceId, OrganisationId, ReasonCode,
    event::{Build, Credential, CredentialProfile, Event, EventKind, Kind, Part},
};
use crypto::{Sha256, UnixTime};
use ledger::Commitment;

/// What the platform may sign for somebody who may report it.
pub const ON_BEHALF: &[Kind] = &[
    Kind::TransferOffered,
    Kind::TransferAccepted,
    Kind::TransferCancelled,
    Kind::Suspended,
    Kind::Released,
    Kind::Revoked,
    Kind::Retired,
    Kind::Disposed,
    Kind::Updated,
];

/// How far clocks of organisations may differ, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: i64 = 300;

/// What an event is judged by beside the device's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// the present time
    pub now: UnixTime,
    /// the reporter's roles
    pub roles: Roles,
    /// how far clocks may differ, in seconds
    pub tolerance_seconds: i64,
}

impl Context {
    /// A context with the usual tolerance.
    pub fn new(now: UnixTime, roles: Roles) -> Self {
        Self { now, roles, tolerance_seconds: CLOCK_TOLERANCE_SECONDS }
    }
}

/// What must end in the same commit as an event (LC-4, LC-5).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EndedAccess {
    /// credentials that must stop working
    pub credentials: Vec<Credential>,
    /// the former owner, where ownership changed: its access to the device and its data ends
    pub former_owner: Option<OrganisationId>,
}

impl State {
    /// Begins a history with its first event.
    ///
    /// `commitment` is the ledger's commitment to the signed event.
    ///
    /// # Errors
    /// [`IllegalMove`] where the event cannot begin a history or its reporter is no maker.
    pub fn start(
        event: &Event,
        commitment: Commitment,
        context: &Context,
    ) -> Result<Self, IllegalMove> {
        let refuse = |code| refusal(code, event, None);
        let (kind, build, product, root_of_trust, key, parts) = match &event.kind {
            EventKind::ChipMade { build, product, root_of_trust, key } => (
                crate::DeviceKind::Chip,
                *build,
                product.clone(),
                Some(*root_of_trust),
                Some(*key),
                Vec::new(),
            ),
            EventKind::Assembled { kind, build, product, root_of_trust, key, parts } => {
                (*kind, *build, Some(product.clone()), *root_of_trust, *key, parts.clone())
            }
            _ => return Err(refuse(Code::NotBegun)),
        };
        if event.sequence != 0 {
            return Err(refuse(Code::WrongSequence));
        }
        if event.previous.is_some() {
            return Err(refuse(Code::WrongPrevious));
        }
        if event.at > context.now.plus(context.tolerance_seconds) {
            return Err(refuse(Code::TimeInFuture));
        }
        if !context.roles.has(Roles::MAKER) || event.on_behalf.is_some() {
            return Err(refuse(Code::NotEntitled));
        }
        if parts.iter().any(|part| part.device == event.device) {
            return Err(refuse(Code::OwnPart));
        }
        Ok(Self {
            device: event.device,
            kind,
            build,
            product,
            root_of_trust,
            key,
            maker: event.reporter.clone(),
            owner: event.reporter.clone(),
            holder: event.reporter.clone(),
            shipped_to: None,
            pending_transfer: None,
            phase: match build {
                Build::Prototype => Phase::Prototype,
                Build::MassProduction => Phase::MassProduction,
            },
            phase_since: 0,
            repair: None,
            standing: Standing::Good,
            parts,
            installed_in: None,
            credentials: Vec::new(),
            alarms: Alarms::default(),
            sequence: 0,
            head: commitment,
            last_at: event.at,
            software: None,
            failed_update: None,
        })
    }

    /// The state after `event`. `commitment` is the ledger's commitment to the signed event.
    ///
    /// That the event was signed by its reporter is checked before, by
    /// [`crate::SignedEvent::verify`].
    ///
    /// # Errors
    /// [`IllegalMove`] says which rule is broken.
    pub fn apply(
        &self,
        event: &Event,
        commitment: Commitment,
        context: &Context,
    ) -> Result<Self, IllegalMove> {
        self.check(event, context).map_err(|code| refusal(code, event, Some(self)))?;
        let mut next = self.clone();
        next.sequence = event.sequence;
        next.head = commitment;
        next.last_at = self.last_at.max(event.at);
        next.credentials.retain(|credential| credential.not_after >= next.last_at);
        let (principal, roles) = principal(event, context);
        next.perform(event, principal, roles).map_err(|code| refusal(code, event, Some(self)))?;
        if next.phase != self.phase {
            next.phase_since = event.sequence;
        }
        Ok(next)
    }

    /// What must end in the same commit, when this state is followed by `next`.
    pub fn ended_by(&self, next: &Self) -> EndedAccess {
        let kept = |credential: &&Credential| {
            !next.credentials.iter().any(|other| other.certificate == credential.certificate)
        };
        EndedAccess {
            credentials: self.credentials.iter().filter(kept).cloned().collect(),
            former_owner: (self.owner != next.owner).then(|| self.owner.clone()),
        }
    }

    /// Whether `organisation` with `roles` may act in a capacity.
    pub fn is_party(&self, party: Party, organisation: &OrganisationId, roles: Roles) -> bool {
        match party {
            Party::Maker => self.maker == *organisation,
            Party::Owner => self.owner == *organisation,
            Party::Holder => self.holder == *organisation,
            Party::Addressee => self.shipped_to.as_ref() == Some(organisation),
            Party::Offeree => self.pending_transfer.as_ref() == Some(organisation),
            Party::Repairer => {
                self.repair.as_ref().is_some_and(|repair| repair.repairer == *organisation)
            }
            Party::Recycler => roles.has(Roles::RECYCLER) && self.holder == *organisation,
            Party::Suspender => {
                matches!(&self.standing, Standing::Suspended { by, .. } if by == organisation)
            }
            Party::Authority => roles.has(Roles::AUTHORITY),
            Party::Platform => roles.has(Roles::PLATFORM),
        }
    }

    /// The rules that hold for every event.
    fn check(&self, event: &Event, context: &Context) -> Result<(), Code> {
        if event.device != self.device {
            return Err(Code::OtherDevice);
        }
        if matches!(event.kind.kind(), Kind::ChipMade | Kind::Assembled) {
            return Err(Code::AlreadyBegun);
        }
        if self.sequence.checked_add(1) != Some(event.sequence) {
            return Err(Code::WrongSequence);
        }
        if event.previous != Some(self.head) {
            return Err(Code::WrongPrevious);
        }
        if event.at < self.last_at.plus(context.tolerance_seconds.saturating_neg()) {
            return Err(Code::TimeRunsBack);
        }
        if event.at > context.now.plus(context.tolerance_seconds) {
            return Err(Code::TimeInFuture);
        }
        let rule = rule(event.kind.kind());
        if !rule.phases.contains(&self.phase) {
            let closed = self.phase == Phase::Disposed;
            return Err(if closed { Code::HistoryClosed } else { Code::PhaseForbids });
        }
        if !rule.standings.contains(&self.standing.kind()) {
            return Err(Code::StandingForbids);
        }
        // Where the right depends on a shipment or an offer, its absence is the better explanation.
        match event.kind.kind() {
            Kind::Received if self.shipped_to.is_none() => return Err(Code::NotInTransit),
            Kind::TransferAccepted | Kind::TransferCancelled if self.pending_transfer.is_none() => {
                return Err(Code::NoTransferPending);
            }
            _ => {}
        }
        let behalf = event.on_behalf.as_ref();
        let lent = behalf.is_none_or(|behalf| {
            context.roles.has(Roles::PLATFORM)
                && !behalf.roles.has(Roles::PLATFORM)
                && ON_BEHALF.contains(&event.kind.kind())
        });
        let (principal, roles) = principal(event, context);
        let entitled = |party: &Party| lent && self.is_party(*party, principal, roles);
        if rule.parties.iter().any(entitled) { Ok(()) } else { Err(Code::NotEntitled) }
    }

    /// The rules and effects of each kind of event; `reporter` is whose act it is.
    fn perform(
        &mut self,
        event: &Event,
        reporter: &OrganisationId,
        roles: Roles,
    ) -> Result<(), Code> {
        match &event.kind {
            EventKind::ChipMade { .. } | EventKind::Assembled { .. } => {
                return Err(Code::AlreadyBegun);
            }
            EventKind::PartInstalled { part } => self.add_part(*part)?,
            EventKind::PartRemoved { part } => self.remove_part(*part)?,
            EventKind::PartExchanged { old, new } => {
                self.remove_part(*old)?;
                self.add_part(*new)?;
            }
            EventKind::InstalledInto { host } => {
                self.need_settled()?;
                if *host == self.device {
                    return Err(Code::OwnPart);
                }
                self.installed_in = Some(*host);
                self.phase = Phase::Installed;
            }
            EventKind::RemovedFrom { host, holder } => {
                if self.installed_in != Some(*host) {
                    return Err(Code::OtherHost);
                }
                self.installed_in = None;
                self.holder = holder.clone();
                self.phase = Phase::Distribution;
            }
            EventKind::CredentialIssued(credential) => {
                self.add_credential(credential, reporter, roles)?;
            }
            EventKind::CredentialRevoked { certificate, .. } => {
                let before = self.credentials.len();
                self.credentials.retain(|credential| credential.certificate != *certificate);
                if self.credentials.len() == before {
                    return Err(Code::CredentialAbsent);
                }
            }
            EventKind::Tested { .. } => {}
            EventKind::Updated { result, release, .. } => {
                use crate::event::UpdateResult as R;
                if *result != R::Failed {
                    self.software = Some(RunningSoftware {
                        release: release.clone(),
                        since: event.sequence,
                        at: event.at,
                        from: reporter.clone(),
                    });
                }
                let bad = matches!(result, R::Failed | R::Regressed);
                self.failed_update = bad.then_some(event.sequence);
            }
            EventKind::Erased { sequences } => {
                if sequences.iter().any(|sequence| *sequence >= event.sequence) {
                    return Err(Code::NoSuchEvent);
                }
            }
            EventKind::Shipped { to } => {
                // What was sent to a wrong address, or to one that never answers, can be sent on or
                // called back: else little but its end would ever be legal again.
                if self.shipped_to.as_ref() == Some(to) {
                    return Err(Code::InTransit);
                }
                if self.shipped_to.is_none() && *to == self.holder {
                    return Err(Code::ToItself);
                }
                self.shipped_to = Some(to.clone());
                if matches!(self.phase, Phase::Prototype | Phase::MassProduction) {
                    self.phase = Phase::Distribution;
                }
            }
            EventKind::Received { from } => {
                if *from != self.holder {
                    return Err(Code::OtherOrganisation);
                }
                self.holder = reporter.clone();
                self.shipped_to = None;
            }
            EventKind::Onboarded { owner } => {
                self.need_settled()?;
                if *owner != self.owner {
                    return Err(Code::OtherOrganisation);
                }
                self.phase = Phase::Onboarded;
            }
            EventKind::OperationStarted => {
                self.need_settled()?;
                self.phase = Phase::Operation;
            }
            EventKind::TransferOffered { to } => {
                if self.pending_transfer.is_some() {
                    return Err(Code::TransferPending);
                }
                if *to == self.owner {
                    return Err(Code::ToItself);
                }
                self.pending_transfer = Some(to.clone());
            }
            EventKind::TransferAccepted { from } => {
                if *from != self.owner {
                    return Err(Code::OtherOrganisation);
                }
                self.change_owner(reporter);
            }
            EventKind::TransferCancelled => self.pending_transfer = None,
            EventKind::RepairStarted { repairer, .. } => {
                self.repair = Some(Repair { repairer: repairer.clone(), resume: self.phase });
                self.phase = Phase::Repair;
            }
            EventKind::RepairFinished => {
                self.need_settled()?;
                if let Some(repair) = self.repair.take() {
                    self.phase = repair.resume;
                }
            }
            EventKind::Suspended { cause } => {
                let ruler = roles.has(Roles::AUTHORITY) || roles.has(Roles::PLATFORM);
                if self.standing.kind() == StandingKind::Suspended && !ruler {
                    return Err(Code::StandingForbids);
                }
                self.standing = Standing::Suspended {
                    cause: *cause,
                    by: reporter.clone(),
                    sequence: event.sequence,
                };
            }
            EventKind::Released => self.standing = Standing::Good,
            EventKind::Revoked { cause } => {
                self.standing = Standing::Revoked {
                    cause: *cause,
                    by: reporter.clone(),
                    sequence: event.sequence,
                };
                self.credentials.clear();
            }
            EventKind::Retired { .. } => {
                self.pending_transfer = None;
                self.repair = None;
                self.installed_in = None;
                self.end_owners_credentials();
                self.phase = Phase::Retired;
            }
            EventKind::Disposed { .. } => {
                self.shipped_to = None;
                self.credentials.clear();
                self.phase = Phase::Disposed;
            }
            EventKind::Reappeared { .. } => {
                self.alarms.reappeared.get_or_insert(event.sequence);
            }
            EventKind::ProofRefused { reason, key, .. } => {
                if let (ReasonCode::KeyCopied, Some(key)) = (reason, key) {
                    self.note_copied_key(*key, event.sequence);
                }
            }
            EventKind::PartSeenElsewhere { part, other } => {
                self.note_duplicate(*part, *other, event.sequence)?;
            }
        }
        Ok(())
    }

    fn need_settled(&self) -> Result<(), Code> {
        if self.shipped_to.is_some() { Err(Code::InTransit) } else { Ok(()) }
    }

    fn add_part(&mut self, part: Part) -> Result<(), Code> {
        if part.device == self.device {
            return Err(Code::OwnPart);
        }
        if self.parts.len() >= PARTS_MAX {
            return Err(Code::TooManyParts);
        }
        match self.parts.binary_search_by(|other| other.device.cmp(&part.device)) {
            Ok(_) => Err(Code::PartPresent),
            Err(at) => {
                self.parts.insert(at, part);
                Ok(())
            }
        }
    }

    fn remove_part(&mut self, part: DeviceId) -> Result<(), Code> {
        let at = self
            .parts
            .binary_search_by(|other| other.device.cmp(&part))
            .map_err(|_| Code::PartAbsent)?;
        self.parts.remove(at);
        self.alarms.duplicated_parts.retain(|(other, ..)| *other != part);
        Ok(())
    }

    /// Makers issue for themselves, owners for themselves; the platform for either.
    fn add_credential(
        &mut self,
        credential: &Credential,
        reporter: &OrganisationId,
        roles: Roles,
    ) -> Result<(), Code> {
        let principal = match credential.profile {
            CredentialProfile::Chip | CredentialProfile::Idevid => &self.maker,
            CredentialProfile::Ldevid => &self.owner,
        };
        if credential.organisation != *principal {
            return Err(Code::OtherOrganisation);
        }
        if reporter != principal && !roles.has(Roles::PLATFORM) {
            return Err(Code::NotEntitled);
        }
        if self.credentials.iter().any(|other| other.certificate == credential.certificate) {
            return Err(Code::CredentialPresent);
        }
        if self.credentials.len() >= CREDENTIALS_MAX {
            return Err(Code::TooManyCredentials);
        }
        self.credentials.push(credential.clone());
        Ok(())
    }

    fn end_owners_credentials(&mut self) {
        self.credentials.retain(|credential| credential.profile != CredentialProfile::Ldevid);
    }

    /// INVARIANT: the only place where the owner changes.
    fn change_owner(&mut self, to: &OrganisationId) {
        if matches!(self.phase, Phase::Onboarded | Phase::Operation) {
            // Sold where it stands: it goes into the new owner's hands and must be onboarded anew.
            if self.holder == self.owner {
                self.holder = to.clone();
            }
            self.phase = Phase::Distribution;
        }
        self.owner = to.clone();
        self.pending_transfer = None;
        self.end_owners_credentials();
    }

    fn note_copied_key(&mut self, key: Sha256, sequence: u64) {
        let known = self.alarms.copied_keys.iter().any(|(other, _)| *other == key);
        if !known && self.alarms.copied_keys.len() < ALARMS_MAX {
            self.alarms.copied_keys.push((key, sequence));
        }
    }

    fn note_duplicate(
        &mut self,
        part: DeviceId,
        other: DeviceId,
        sequence: u64,
    ) -> Result<(), Code> {
        if part != self.device && !self.parts.iter().any(|own| own.device == part) {
            return Err(Code::PartAbsent);
        }
        let known = &mut self.alarms.duplicated_parts;
        if !known.iter().any(|(p, o, _)| *p == part && *o == other) && known.len() < ALARMS_MAX {
            known.push((part, other, sequence));
        }
        Ok(())
    }
}

/// Whose act an event is, and its roles. The platform's signature lends no rights: what it signs
/// for somebody is judged as theirs.
fn principal<'a>(event: &'a Event, context: &Context) -> (&'a OrganisationId, Roles) {
    match &event.on_behalf {
        Some(behalf) => (&behalf.organisation, behalf.roles),
        None => (&event.reporter, context.roles),
    }
}

fn refusal(code: Code, event: &Event, state: Option<&State>) -> IllegalMove {
    IllegalMove {
        code,
        kind: event.kind.kind(),
        reporter: event.reporter.clone(),
        phase: state.map(State::phase),
        standing: state.map_or(StandingKind::Good, |state| state.standing.kind()),
    }
}
