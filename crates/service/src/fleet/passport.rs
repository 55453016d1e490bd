//! Use cases: what a passport's page shows: parts as a tree, the life as a timeline, owners.

use super::LastVerdict;
use crate::{
    Page, Paged, Service, ServiceError, record,
    store::{device as devices, event as events, fleet as store},
};
use crypto::UnixTime;
use device::{
    DeviceId, DeviceKind, Event, Kind, OrganisationId, Part, Phase, SignedEvent, StandingKind,
    State,
};
use policy::{Action, Caller};
use std::collections::BTreeSet;

/// Deepest level of a tree of parts.
pub const PARTS_DEPTH_MAX: usize = 8;
/// Most parts of a tree.
pub const PARTS_SHOWN_MAX: usize = 2_000;
/// Most events that are looked through for owners.
const EVENTS_MAX: u64 = 16_384;

/// A part and its own parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartNode {
    /// the part
    pub device: DeviceId,
    /// what it is
    pub kind: DeviceKind,
    /// where in its life it is; `None` where it is not on record or has no history
    pub phase: Option<Phase>,
    /// its standing; `None` where it is not on record
    pub standing: Option<StandingKind>,
    /// its serial number, where the caller may see the part itself
    pub serial_number: Option<String>,
    /// the last verdict on it, where the caller may see the part itself
    pub verdict: Option<LastVerdict>,
    /// how many other devices claim it: more than none is an alarm
    pub claimed_elsewhere: u64,
    /// its own parts, where the caller may see the part itself
    pub parts: Vec<Self>,
    /// whether it has parts that are not shown, for depth or number
    pub cut: bool,
}

/// How far the proof of an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProofState {
    /// durable, and in the next checkpoint
    Waiting,
    /// in a signed checkpoint
    InCheckpoint,
    /// in a checkpoint that as many witnesses have cosigned as readers ask for
    Cosigned,
}

impl ProofState {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InCheckpoint => "in-checkpoint",
            Self::Cosigned => "cosigned",
        }
    }
}

/// An event of a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// place in the history
    pub sequence: u64,
    /// index of its leaf in the ledger
    pub leaf: u64,
    /// what happened
    pub kind: Kind,
    /// when, by the reporter's account
    pub at: UnixTime,
    /// when it was recorded
    pub recorded_at: UnixTime,
    /// who signed it
    pub reporter: OrganisationId,
    /// the whole event, with actor, place, details, evidence and for whom the platform signed;
    /// `None` once erased
    pub event: Option<Event>,
    /// how far its proof has come
    pub proof: ProofState,
}

/// Who owned a device from when on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerSince {
    /// the owner; `None` where the event was erased
    pub owner: Option<OrganisationId>,
    /// since when, by the account of who reported it
    pub since: UnixTime,
    /// the event that says so
    pub sequence: u64,
}

/// What a tree has left to show.
struct Left {
    nodes: usize,
    seen: BTreeSet<DeviceId>,
}

impl Service {
    /// A device's parts and theirs, each with its standing. Of parts that the caller may not see
    /// by themselves there is only what the verdict on the whole shows anyway.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn parts_tree(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<PartNode>, ServiceError> {
        let known = self.device_for(caller, Action::ReadDevice, device)?;
        let parts = known.state.map(|state| state.parts().to_vec()).unwrap_or_default();
        let mut left = Left { nodes: PARTS_SHOWN_MAX, seen: BTreeSet::from([*device]) };
        self.nodes(caller, known.row.id, &parts, 1, &mut left).map(|(nodes, _cut)| nodes)
    }

    fn nodes(
        &self,
        caller: &Caller,
        whole: i64,
        parts: &[Part],
        depth: usize,
        left: &mut Left,
    ) -> Result<(Vec<PartNode>, bool), ServiceError> {
        let mut nodes = Vec::new();
        for part in parts {
            if left.nodes == 0 {
                return Ok((nodes, true));
            }
            left.nodes -= 1;
            nodes.push(self.node(caller, whole, *part, depth, left)?);
        }
        Ok((nodes, false))
    }

    fn node(
        &self,
        caller: &Caller,
        whole: i64,
        part: Part,
        depth: usize,
        left: &mut Left,
    ) -> Result<PartNode, ServiceError> {
        let id = part.device;
        let (row, others) = self.read(|connection| {
            let others = devices::wholes_of(connection, id.as_bytes())?;
            let others = others.iter().filter(|(other, _)| *other != whole).count();
            Ok((devices::device(connection, id.as_bytes())?, others as u64))
        })?;
        let mut node = PartNode {
            device: id,
            kind: part.kind,
            phase: None,
            standing: None,
            serial_number: None,
            verdict: None,
            claimed_elsewhere: others,
            parts: Vec::new(),
            cut: false,
        };
        let Some(row) = row else { return Ok(node) };
        node.phase = Phase::from_code(row.phase.into());
        node.standing = StandingKind::from_code(row.standing.into());
        let Ok(known) = self.quietly(caller, Action::ReadDevice, &id) else { return Ok(node) };
        node.serial_number = Some(row.serial_number.clone());
        let verdict = self.read(|connection| store::last_verdict(connection, row.id))?;
        node.verdict = verdict.as_ref().map(LastVerdict::from_row).transpose()?;
        let own: Vec<Part> = known.state.as_ref().map(State::parts).unwrap_or_default().to_vec();
        if own.is_empty() {
            return Ok(node);
        }
        // A part that contains itself would be a lie, and endless.
        if depth >= PARTS_DEPTH_MAX || !left.seen.insert(id) {
            node.cut = true;
            return Ok(node);
        }
        (node.parts, node.cut) = self.nodes(caller, row.id, &own, depth.saturating_add(1), left)?;
        Ok(node)
    }

    /// A device's life, newest first, each event with how far its proof has come.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn timeline(
        &self,
        caller: &Caller,
        device: &DeviceId,
        page: &Page,
    ) -> Result<Paged<TimelineEntry>, ServiceError> {
        let row = self.device_for(caller, Action::ReadHistory, device)?.row;
        let (place, limit) = page.numbered(self.config.limits.page)?;
        let before = if page.after.is_some() { place.min(row.events) } else { row.events };
        let from = before.saturating_sub(limit as u64);
        let count = usize::try_from(before.saturating_sub(from)).unwrap_or(limit);
        let rows = self.read(|connection| events::events(connection, row.id, from, count))?;
        let log = self.report_log().await?;
        let items = rows
            .into_iter()
            .rev()
            .map(|row| {
                let view = self.event_view(row)?;
                let event = view.cose.as_deref().and_then(|cose| SignedEvent::parse(cose).ok());
                Ok(TimelineEntry {
                    sequence: view.sequence,
                    leaf: view.leaf,
                    kind: view.kind,
                    at: view.at,
                    recorded_at: view.recorded_at,
                    reporter: view.reporter,
                    event: event.map(|event| event.unverified().clone()),
                    proof: log.proof(view.leaf),
                })
            })
            .collect::<Result<Vec<_>, ServiceError>>()?;
        Ok(Paged { items, next: (from > 0).then(|| from.to_string()) })
    }

    /// Who owned a device, oldest first.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn owners(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<OwnerSince>, ServiceError> {
        let row = self.device_for(caller, Action::ReadHistory, device)?.row;
        let mut owners = Vec::new();
        let mut from = 0;
        while from < row.events.min(EVENTS_MAX) {
            let rows = self.read(|connection| events::events(connection, row.id, from, 512))?;
            let Some(last) = rows.last() else { break };
            from = last.sequence.saturating_add(1);
            for event in rows {
                let begins = event.sequence == 0;
                if !begins && event.kind != Kind::TransferAccepted.code() {
                    continue;
                }
                let signed = event
                    .contents
                    .as_ref()
                    .and_then(|(_, cose)| SignedEvent::parse(cose).ok())
                    .map(|signed| signed.unverified().principal().clone());
                // Who begins a history is its maker and first owner, erased or not; what an erased
                // sale left behind is in the state after it.
                let after =
                    event.state_after.as_deref().and_then(|state| State::decode(state).ok());
                owners.push(OwnerSince {
                    owner: signed.or_else(|| after.map(|state| state.owner().clone())),
                    since: event.at,
                    sequence: event.sequence,
                });
            }
        }
        Ok(owners)
    }
}

/// The present state of a device as its history has it, for pages that need more than lists do:
/// holder, where it is on its way to, repair, alarms, credentials.
impl Service {
    /// The state of a device; `None` before its history begins.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn device_state(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Option<State>, ServiceError> {
        let known = self.device_for(caller, Action::ReadHistory, device)?;
        record::state_of(&known.row)
    }
}
