//! The history engine: takes a signed event into a device's history, with everything that must
//! happen in the same commit (LC-1, LC-2, LC-4, LC-5).

use crate::{
    ServiceError,
    live::{HOLD, found},
    service::Platform,
    store::{
        Tx, access,
        certificate::{self as certificates, CertificateRow, Status},
        device::{self as devices, DeviceChange, DeviceRow},
        event::{self as events, NewEvent},
        organisation::{self as organisations, OrganisationRow},
    },
};
use crypto::{Sha256, UnixTime, random};
use device::{
    Cause, Context, DeviceId, Event, EventKind, IllegalMove, IllegalMoveCode, Language,
    ManagementNumber, OnBehalf, OrganisationId, Roles, SignedEvent, State,
    state::{Alarms, EndedAccess},
};
use ledger::Commitment;
use pki::crl::RevocationReason;
use std::sync::Arc;

/// Where an event went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// the device
    pub device: DeviceId,
    /// place in the device's history
    pub sequence: u64,
    /// index of its leaf in the ledger
    pub leaf: u64,
    /// what the ledger holds there
    pub commitment: Commitment,
    /// what was drawn for the commitment; who has it and the event can check the proof
    pub salt: [u8; 32],
}

/// An event whose signature was verified, with the organisation that it belongs to.
pub(crate) struct VerifiedEvent {
    pub(crate) event: Event,
    pub(crate) bytes: Vec<u8>,
    pub(crate) salt: [u8; 32],
    pub(crate) commitment: Commitment,
    pub(crate) reporter: OrganisationRow,
}

impl VerifiedEvent {
    /// `signed` must have been verified with a key of `reporter`.
    pub(crate) fn new(signed: &SignedEvent, reporter: OrganisationRow) -> Self {
        let salt = random::bytes();
        Self {
            event: signed.unverified().clone(),
            bytes: signed.as_bytes().to_vec(),
            commitment: signed.commitment(&salt),
            salt,
            reporter,
        }
    }

    fn roles(&self) -> Roles {
        Roles::from_bits(self.reporter.roles.into()).unwrap_or(Roles::NONE)
    }
}

/// What came of an event.
pub(crate) struct Applied {
    pub(crate) recorded: Recorded,
    pub(crate) state: State,
}

/// Records one event: state machine, leaf, event, and what must end with it.
pub(crate) fn apply(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<Applied, ServiceError> {
    let row = devices::device(tx, verified.event.device.as_bytes())?;
    let old = row.as_ref().map(state_of).transpose()?.flatten();
    apply_to(tx, platform, row, old.as_ref(), verified, now)
}

/// As [`apply`], and nothing stays of an event that is refused. Most events can be refused only
/// before anything is written; the others run in a savepoint, which costs a copy of every page that
/// they touch.
///
/// # Errors
/// Within: the event is refused, and nothing was changed. Without: the batch is lost.
pub(crate) fn apply_alone(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<Result<Applied, ServiceError>, ServiceError> {
    let row = devices::device(tx, verified.event.device.as_bytes())?;
    let old = row.as_ref().map(state_of).transpose()?.flatten();
    let new = match legal(tx, row.as_ref(), old.as_ref(), verified, now) {
        Ok(new) => new,
        Err(error) if error.is_store_lost() => return Err(error),
        Err(error) => return Ok(Err(error)),
    };
    match (row, &old) {
        // Only a new owner and other parts can fail later: both name others than this device.
        (Some(row), Some(old)) if old.owner() == new.owner() && old.parts() == new.parts() => {
            let encoded = new.encode();
            commit(tx, platform, &row, Some(old), (new, encoded), verified, now).map(Ok)
        }
        (row, _) => {
            let work = |tx: &mut Tx<'_>| write(tx, platform, row, old.as_ref(), new, verified, now);
            match tx.attempt(work) {
                Err(error) if error.is_store_lost() => Err(error),
                outcome => Ok(outcome),
            }
        }
    }
}

/// As [`apply`], where the device's row and state were read in this transaction. Refuses before it
/// changes anything, where the event names no other device and no other organisation.
fn apply_to(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    row: Option<DeviceRow>,
    old: Option<&State>,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<Applied, ServiceError> {
    let new = legal(tx, row.as_ref(), old, verified, now)?;
    write(tx, platform, row, old, new, verified, now)
}

/// The state after an event, where it is legal as the next one of its device.
fn legal(
    tx: &Tx<'_>,
    row: Option<&DeviceRow>,
    old: Option<&State>,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<State, ServiceError> {
    let event = &verified.event;
    let context = Context::new(now, verified.roles());
    if let (Some(row), Some(state)) = (row, old) {
        visible(tx, row, state, verified, now)?;
    }
    match old {
        Some(state) => state.apply(event, verified.commitment, &context),
        None => State::start(event, verified.commitment, &context),
    }
    .map_err(|illegal| refusal(&illegal))
}

/// Writes a legal event; its first one begins a device's history, or registers the device.
fn write(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    row: Option<DeviceRow>,
    old: Option<&State>,
    new: State,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<Applied, ServiceError> {
    let row = match row {
        Some(row) if old.is_none() => begin(tx, row, &new, verified)?,
        Some(row) => row,
        None => create(tx, &new, verified, now)?,
    };
    let encoded = new.encode();
    commit(tx, platform, &row, old, (new, encoded), verified, now)
}

/// Writes an event that is legal after `old`, and the state `new` after it, in both forms.
fn commit(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    row: &DeviceRow,
    old: Option<&State>,
    (new, encoded): (State, Vec<u8>),
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<Applied, ServiceError> {
    let event = &verified.event;
    let leaf = tx.append_leaf(&verified.commitment)?;
    events::insert_event(
        tx,
        &NewEvent {
            leaf,
            device: row.id,
            sequence: event.sequence,
            previous: row.last_leaf,
            kind: event.kind.kind().code(),
            at: event.at,
            recorded_at: now,
            reporter: verified.reporter.id,
            salt: &verified.salt,
            cose: &verified.bytes,
        },
    )?;
    devices::update_device(
        tx,
        &DeviceChange {
            id: row.id,
            moved: row.phase != new.phase().code() || row.standing != new.standing().kind().code(),
            phase: new.phase().code(),
            standing: new.standing().kind().code(),
            state: &encoded,
            events: new.events(),
            head: new.head().as_bytes(),
            last_leaf: leaf,
        },
    )?;
    let recorded = Recorded {
        device: event.device,
        sequence: event.sequence,
        leaf,
        commitment: verified.commitment,
        salt: verified.salt,
    };
    follow(tx, row, old, &new, verified, now)?;
    marks(tx, row, old, &new)?;
    let state = parts(tx, platform, row, old, new, (leaf, event.principal()), now)?;
    Ok(Applied { recorded, state })
}

/// Records an event that the platform itself reports, signed here, on the writer's thread.
pub(crate) fn apply_platform(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    device: &DeviceId,
    kind: &EventKind,
    actor: Option<&str>,
    now: UnixTime,
) -> Result<Applied, ServiceError> {
    let row = found(devices::device(tx, device.as_bytes())?, "device")?;
    apply_platform_to(tx, platform, row, kind, Said::by(actor), now)
}

/// What an event of the platform says of who had it reported: which are a person's data.
#[derive(Clone, Copy, Default)]
pub(crate) struct Said<'a> {
    /// who
    pub(crate) actor: Option<&'a str>,
    /// why, in the words of that person
    pub(crate) reason: Option<&'a str>,
}

impl<'a> Said<'a> {
    /// Who, and nothing else.
    pub(crate) fn by(actor: Option<&'a str>) -> Self {
        Self { actor, reason: None }
    }
}

/// As [`apply_platform`], where the device's row was read in this transaction.
pub(crate) fn apply_platform_to(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    row: DeviceRow,
    kind: &EventKind,
    said: Said<'_>,
    now: UnixTime,
) -> Result<Applied, ServiceError> {
    let state = state_of(&row)?.ok_or_else(not_begun)?;
    let next = Next::sign(platform, row, state, kind, said, now)?;
    next.apply(tx, platform, now)
}

/// An event of the platform that is signed and legal as the next one of a device.
pub(crate) struct Next {
    row: DeviceRow,
    old: State,
    new: (State, Vec<u8>),
    verified: VerifiedEvent,
}

impl Next {
    /// Signs an event that follows `state`; needs no transaction.
    pub(crate) fn sign(
        platform: &Platform,
        row: DeviceRow,
        state: State,
        kind: &EventKind,
        said: Said<'_>,
        now: UnixTime,
    ) -> Result<Self, ServiceError> {
        let verified = sign_platform(platform, &state, kind, said, now)?;
        let context = Context::new(now, verified.roles());
        let new = state
            .apply(&verified.event, verified.commitment, &context)
            .map_err(|illegal| refusal(&illegal))?;
        let encoded = new.encode();
        Ok(Self { row, old: state, new: (new, encoded), verified })
    }

    /// The last commitment of the device's history that the event follows.
    pub(crate) fn follows(&self) -> Commitment {
        self.old.head()
    }

    /// Records it. The caller made sure in this transaction that the device's history still ends
    /// where the event [`Self::follows`].
    pub(crate) fn apply(
        self,
        tx: &mut Tx<'_>,
        platform: &Arc<Platform>,
        now: UnixTime,
    ) -> Result<Applied, ServiceError> {
        let Self { row, old, new, verified } = self;
        let applied = commit(tx, platform, &row, Some(&old), new, &verified, now)?;
        tx.count_key_use(platform.keys.events().row, crate::keys::Use::Event as u8, now);
        Ok(applied)
    }
}

/// Records what the platform signs for an organisation, which must be entitled to it itself.
pub(crate) fn apply_on_behalf(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    row: DeviceRow,
    kind: &EventKind,
    on_behalf: OnBehalf,
    said: Said<'_>,
    now: UnixTime,
) -> Result<Applied, ServiceError> {
    let state = state_of(&row)?.ok_or_else(not_begun)?;
    let verified = sign(platform, &state, kind, said, Some(on_behalf), now)?;
    let applied = apply_to(tx, platform, Some(row), Some(&state), &verified, now)?;
    tx.count_key_use(platform.keys.events().row, crate::keys::Use::Event as u8, now);
    Ok(applied)
}

/// Signs an event in the platform's name that follows `state`.
fn sign_platform(
    platform: &Platform,
    state: &State,
    kind: &EventKind,
    said: Said<'_>,
    now: UnixTime,
) -> Result<VerifiedEvent, ServiceError> {
    sign(platform, state, kind, said, None, now)
}

fn sign(
    platform: &Platform,
    state: &State,
    kind: &EventKind,
    said: Said<'_>,
    on_behalf: Option<OnBehalf>,
    now: UnixTime,
) -> Result<VerifiedEvent, ServiceError> {
    let event = Event {
        device: state.device(),
        sequence: state.events(),
        previous: Some(state.head()),
        kind: kind.clone(),
        at: now,
        reporter: platform.id.clone(),
        actor: said.actor.map(|actor| actor.chars().take(60).collect()),
        place: None,
        evidence: Vec::new(),
        on_behalf,
        reason: said.reason.map(str::to_owned),
    };
    let signed = SignedEvent::sign(platform.keys.events().signer.as_ref(), &event)
        .map_err(|error| ServiceError::unavailable("signing-failed", error.to_string()))?;
    Ok(VerifiedEvent::new(&signed, platform.organisation.clone()))
}

/// The state that a row holds; `None` before the history begins.
pub(crate) fn state_of(row: &DeviceRow) -> Result<Option<State>, ServiceError> {
    row.state
        .as_deref()
        .map(State::decode)
        .transpose()
        .map_err(|_| ServiceError::fatal("store-damaged", "a device's state is damaged"))
}

pub(crate) fn not_begun() -> ServiceError {
    ServiceError::refused(
        "not-begun",
        "the device's history has not begun; its maker reports chip-made or assembled first",
    )
}

/// The state machine's refusal in our words: what a fresh look would mend is a conflict.
pub(crate) fn refusal(illegal: &IllegalMove) -> ServiceError {
    let (code, text) = (illegal.code.name(), illegal.explain(Language::En));
    let error = match illegal.code {
        IllegalMoveCode::WrongSequence | IllegalMoveCode::WrongPrevious => {
            ServiceError::conflict(code, text)
        }
        _ => ServiceError::refused(code, text),
    };
    error.in_japanese(illegal.explain(Language::Ja))
}

/// A reporter that has nothing to do with a device is told what it is told of one that does not
/// exist.
fn visible(
    tx: &Tx<'_>,
    row: &DeviceRow,
    state: &State,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let roles = verified.roles();
    if state.concerns(&verified.event.reporter)
        || roles.has(Roles::PLATFORM)
        || roles.has(Roles::AUTHORITY)
        || access::is_shared(tx, row.id, verified.reporter.id, now)?
    {
        Ok(())
    } else {
        Err(ServiceError::not_found("device"))
    }
}

/// Begins the history of a device that was registered before.
fn begin(
    tx: &Tx<'_>,
    row: DeviceRow,
    state: &State,
    verified: &VerifiedEvent,
) -> Result<DeviceRow, ServiceError> {
    if row.maker != verified.reporter.id {
        return Err(ServiceError::not_found("device"));
    }
    let product = product_row(tx, state, verified)?;
    if row.kind != state.kind().code() || row.product != product {
        return Err(ServiceError::refused(
            "not-as-registered",
            "kind or product of the event is not the one that the device was registered with",
        ));
    }
    Ok(row)
}

/// Registers a device with its first event.
fn create(
    tx: &mut Tx<'_>,
    state: &State,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<DeviceRow, ServiceError> {
    let product = product_row(tx, state, verified)?;
    let mut row = DeviceRow {
        id: 0,
        device_id: *verified.event.device.as_bytes(),
        management: ManagementNumber::from_random(random::bytes()).to_string(),
        product,
        serial_number: verified.event.device.to_string(),
        kind: state.kind().code(),
        maker: verified.reporter.id,
        owner: verified.reporter.id,
        phase: state.phase().code(),
        standing: state.standing().kind().code(),
        state: None,
        events: 0,
        head: None,
        last_leaf: None,
        created_at: now,
    };
    row.id = devices::insert_device(tx, &row)?;
    Ok(row)
}

fn product_row(
    tx: &Tx<'_>,
    state: &State,
    verified: &VerifiedEvent,
) -> Result<Option<i64>, ServiceError> {
    let Some(product) = state.product() else { return Ok(None) };
    match organisations::product(tx, verified.reporter.id, product.as_str())? {
        Some(product) => Ok(Some(product.id)),
        None => Err(ServiceError::refused(
            "no-product",
            format!("no product line is called {product}; create it first"),
        )),
    }
}

/// What must happen with an event: credentials end, the former owner's access ends.
fn follow(
    tx: &mut Tx<'_>,
    row: &DeviceRow,
    old: Option<&State>,
    new: &State,
    verified: &VerifiedEvent,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let kind = &verified.event.kind;
    let ended = old.map(|old| old.ended_by(new)).unwrap_or_default();
    end_credentials(tx, row, &ended, reason_of(kind), now)?;
    match kind {
        EventKind::Suspended { .. } => {
            for certificate in working(tx, row.id, Status::Good)? {
                certificates::revoke(tx, &certificate, Status::Suspended, HOLD, now)?;
            }
        }
        EventKind::Released => {
            // Those that were suspended one by one before the device was stay so.
            let since = events::suspended_since(tx, row.id, verified.event.sequence)?;
            for certificate in working(tx, row.id, Status::Suspended)? {
                if certificates::revoked_at(tx, &certificate)? >= since {
                    certificates::release(tx, &certificate)?;
                }
            }
        }
        EventKind::Revoked { .. } | EventKind::Disposed { .. } => {
            // Also those that the history has forgotten because they expired or were suspended.
            for status in [Status::Good, Status::Suspended] {
                for certificate in working(tx, row.id, status)? {
                    let reason = reason_of(kind).code();
                    certificates::revoke(tx, &certificate, Status::Revoked, reason, now)?;
                }
            }
            access::end_access(tx, row.id)?;
        }
        _ => {}
    }
    if old.is_some_and(|old| old.owner() != new.owner()) {
        let owner = found(organisations::organisation(tx, new.owner().as_str())?, "organisation")?;
        devices::set_owner(tx, row.id, owner.id, now)?;
        crate::store::purpose::end_device(tx, row.id, now)?;
        access::end_access(tx, row.id)?;
    }
    let standing = old.is_some_and(|old| {
        old.standing() != new.standing()
            || old.owner() != new.owner()
            || (old.phase() != new.phase()
                && matches!(new.phase(), device::Phase::Retired | device::Phase::Disposed))
    });
    if standing {
        tx.effect(crate::store::Effect::Device(row.id));
        let mut event =
            audit::SecurityEvent::new(now, audit::Kind::DeviceStanding, audit::Outcome::Success)
                .organisation(new.owner().as_str())
                .subject(&new.device().to_string())
                .detail("event", kind.kind().name())
                .detail("reporter", verified.event.principal().as_str());
        if let Some(actor) = &verified.event.actor {
            event = event.actor(actor);
        }
        tx.audit(&event)?;
    }
    Ok(())
}

/// Keeps what lists look for in tables of its own: offers and alarms are rare.
fn marks(
    tx: &mut Tx<'_>,
    row: &DeviceRow,
    old: Option<&State>,
    new: &State,
) -> Result<(), ServiceError> {
    let offered = new.pending_transfer();
    if old.and_then(State::pending_transfer) != offered {
        // An offer may name an organisation that is not here: nobody can look for it then.
        let to = match offered {
            Some(to) => organisations::organisation(tx, to.as_str())?.map(|to| to.id),
            None => None,
        };
        devices::set_offer(tx, row.id, to)?;
    }
    let alarm = *new.alarms() != Alarms::default();
    if old.is_some_and(|old| *old.alarms() != Alarms::default()) != alarm {
        devices::set_alarm(tx, row.id, alarm)?;
    }
    Ok(())
}

fn working(tx: &Tx<'_>, device: i64, status: Status) -> Result<Vec<CertificateRow>, ServiceError> {
    let mut rows = certificates::certificates_of(tx, device)?;
    rows.retain(|row| row.status == status);
    Ok(rows)
}

/// Revokes the certificates that the history ended. Those that expired by themselves need not be.
fn end_credentials(
    tx: &mut Tx<'_>,
    row: &DeviceRow,
    ended: &EndedAccess,
    reason: RevocationReason,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let ended: Vec<Sha256> = ended
        .credentials
        .iter()
        .filter(|credential| credential.not_after >= now)
        .map(|credential| credential.certificate)
        .collect();
    if ended.is_empty() {
        return Ok(());
    }
    for certificate in certificates::certificates_of(tx, row.id)? {
        let live = matches!(certificate.status, Status::Good | Status::Suspended);
        if live && ended.contains(&crypto::sha256(&certificate.der)) {
            certificates::revoke(tx, &certificate, Status::Revoked, reason.code(), now)?;
        }
    }
    Ok(())
}

/// CRLReason (RFC 5280 section 5.3.1) of what an event ends.
fn reason_of(kind: &EventKind) -> RevocationReason {
    use RevocationReason as R;
    match kind {
        EventKind::TransferAccepted { .. } => R::AffiliationChanged,
        EventKind::CredentialRevoked { cause, .. }
        | EventKind::Revoked { cause }
        | EventKind::Retired { cause } => match cause {
            Cause::KeyCompromise | Cause::Lost => R::KeyCompromise,
            Cause::Superseded => R::Superseded,
            Cause::Broken | Cause::EndOfLife | Cause::EndOfUse => R::CessationOfOperation,
            Cause::Counterfeit
            | Cause::Vulnerability
            | Cause::Recall
            | Cause::Order
            | Cause::Anomaly => R::PrivilegeWithdrawn,
        },
        _ => R::CessationOfOperation,
    }
}

/// Keeps the table of parts, and raises the alarm where a part turns up in a second device
/// (TR-3). It is recorded in the histories of those whose claim has no better evidence than the
/// other's: a stranger's claim accuses the stranger alone. Returns the state after that.
fn parts(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    row: &DeviceRow,
    old: Option<&State>,
    new: State,
    (leaf, reporter): (u64, &OrganisationId),
    now: UnixTime,
) -> Result<State, ServiceError> {
    let before = old.map(State::parts).unwrap_or_default();
    if before == new.parts() {
        return Ok(new);
    }
    for gone in before.iter().filter(|part| !new.parts().contains(part)) {
        devices::delete_part(tx, gone.device.as_bytes(), row.id)?;
    }
    let added: Vec<DeviceId> =
        new.parts().iter().filter(|part| !before.contains(part)).map(|part| part.device).collect();
    let mut state = new;
    for part in added {
        let vouched = in_hands_of(tx, &part, reporter)?;
        let claims = devices::claims_on(tx, part.as_bytes())?;
        devices::insert_part(tx, part.as_bytes(), row.id, leaf, vouched)?;
        for claim in claims.iter().filter(|claim| claim.whole != row.id) {
            let other = DeviceId::from_bytes(claim.device);
            let this = state.device();
            let alarm =
                audit::SecurityEvent::new(now, audit::Kind::Verdict, audit::Outcome::Failure)
                    .organisation(state.owner().as_str())
                    .subject(&this.to_string())
                    .detail("reason", "part-duplicated")
                    .detail("part", &part.to_string());
            tx.audit(&alarm)?;
            if claim.vouched || !vouched {
                let here = EventKind::PartSeenElsewhere { part, other };
                state = apply_platform(tx, platform, &this, &here, None, now)?.state;
            }
            if vouched || !claim.vouched {
                let there = EventKind::PartSeenElsewhere { part, other: this };
                apply_platform(tx, platform, &other, &there, None, now)?;
            }
        }
    }
    Ok(state)
}

/// Whether a part is in an organisation's hands as its own history says: its holder, its owner, or
/// whom it is on its way to.
fn in_hands_of(
    tx: &Tx<'_>,
    part: &DeviceId,
    organisation: &OrganisationId,
) -> Result<bool, ServiceError> {
    let Some(row) = devices::device(tx, part.as_bytes())? else { return Ok(false) };
    let state = state_of(&row)?;
    Ok(state.is_some_and(|state| {
        [state.holder(), state.owner()].contains(&organisation)
            || state.shipped_to() == Some(organisation)
    }))
}
