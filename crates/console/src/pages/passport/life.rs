//! What happened to a device: who, what, when, and whether it is proven.

use crate::{
    Console, Failure, Member,
    i18n::{Locale, Moment},
    pages::words,
    ui::{Badge, Entry, Timeline, Tone},
};
use device::EventKind;
use service::{DeviceView, OwnerSince, ProofState, TimelineEntry};

/// Events shown at a time.
pub(super) const EVENTS: u64 = 50;

/// A part of a device's life, newest first.
pub(super) struct Life {
    pub(super) timeline: Timeline,
    pub(super) empty: bool,
    pub(super) owners: Vec<(String, Moment)>,
    pub(super) earlier: Option<String>,
    pub(super) later: Option<String>,
}

impl Life {
    /// `events` begin at the sequence number `from`.
    pub(super) async fn new(
        console: &Console,
        member: &Member,
        view: &DeviceView,
        from: u64,
        events: &[TimelineEntry],
    ) -> Result<Self, Failure> {
        let t = member.t;
        let owners = console.service.owners(member.caller(), &view.id).await?;
        let href = |from: u64| format!("/devices/{}?from={from}#life", view.id);
        let end = from.saturating_add(u64::try_from(events.len()).unwrap_or(u64::MAX));
        Ok(Self {
            timeline: Timeline::new(events.iter().map(|event| entry(t, event)).collect()),
            empty: events.is_empty(),
            owners: owned(t, owners),
            earlier: (from > 0).then(|| href(from.saturating_sub(EVENTS))),
            later: (end < view.events).then(|| href(end)),
        })
    }
}

/// Owners with the day since when.
pub(super) fn owned(t: Locale, owners: Vec<OwnerSince>) -> Vec<(String, Moment)> {
    let owners = owners.into_iter().map(|one| {
        let who =
            one.owner.map_or_else(|| t.text("life-erased").to_string(), |owner| owner.to_string());
        (who, t.date(one.since))
    });
    owners.collect()
}

/// An event with who, what it says and how far its proof has come.
pub(super) fn entry(t: Locale, view: &TimelineEntry) -> Entry {
    let event = view.event.as_ref();
    let mut entry =
        Entry::new(words::event_tone(view.kind), t.time(view.at), t.of(view.kind.text()));
    let principal = event.map_or(&view.reporter, |event| event.principal());
    let actor = event.and_then(|event| event.actor.as_deref());
    entry.who = Some(match actor {
        Some(actor) => format!("{principal} · {actor}"),
        None => principal.to_string(),
    });
    entry.badges.push(proof(t, view.proof));
    if let Some(event) = event {
        if event.on_behalf.is_some() {
            entry.badges.push(Badge::new(Tone::Info, t.text("life-on-behalf")));
        }
        entry.facts = facts(t, &event.kind);
        if let Some(reason) = &event.reason {
            entry.facts.push((t.text("life-reason").to_string(), reason.clone()));
        }
        if let Some(place) = &event.place {
            entry.facts.push((t.text("life-place").to_string(), place.clone()));
        }
        for evidence in &event.evidence {
            entry.facts.push((evidence.label.clone(), evidence.sha256.to_string()));
        }
    } else {
        entry.badges.push(Badge::new(Tone::Neutral, t.text("life-erased")));
    }
    let number = t.number(view.sequence);
    entry.facts.push((t.text("life-number").to_string(), number));
    entry
}

/// Whether anybody can be shown that the event is in the log.
fn proof(t: Locale, state: ProofState) -> Badge {
    match state {
        ProofState::Cosigned => Badge::new(Tone::Good, t.text("life-witnessed")),
        ProofState::InCheckpoint => Badge::new(Tone::Good, t.text("life-included")),
        ProofState::Waiting => Badge::new(Tone::Busy, t.text("life-pending")),
    }
}

/// What an event says beyond its kind.
fn facts(t: Locale, kind: &EventKind) -> Vec<(String, String)> {
    let cause = |cause: &device::Cause| {
        vec![(t.text("life-cause").to_string(), t.of(cause.text()).to_owned())]
    };
    let to = |to: &device::OrganisationId| vec![(t.text("life-to").to_string(), to.to_string())];
    let from =
        |from: &device::OrganisationId| vec![(t.text("life-from").to_string(), from.to_string())];
    let device =
        |device: &device::DeviceId| vec![(t.text("life-device").to_string(), device.to_string())];
    match kind {
        EventKind::Assembled { product, parts, .. } => vec![
            (t.text("life-product").to_string(), product.to_string()),
            (t.text("life-parts").to_string(), parts.len().to_string()),
        ],
        EventKind::PartInstalled { part } => device(&part.device),
        EventKind::PartRemoved { part } => device(part),
        EventKind::InstalledInto { host } | EventKind::RemovedFrom { host, .. } => device(host),
        EventKind::CredentialIssued(credential) => vec![
            (
                t.text("life-certificate").to_string(),
                t.word("profile", credential.profile.name()).to_string(),
            ),
            (t.text("life-ends").to_string(), t.date(credential.not_after).plain().to_owned()),
        ],
        EventKind::Tested { passed, standard } => {
            let result = if *passed { t.text("life-passed") } else { t.text("life-not-passed") };
            let mut facts = vec![(t.text("life-result").to_string(), result.to_string())];
            if let Some(standard) = standard {
                facts.push((t.text("life-standard").to_string(), standard.clone()));
            }
            facts
        }
        EventKind::Shipped { to: whom } | EventKind::TransferOffered { to: whom } => to(whom),
        EventKind::Received { from: whom } | EventKind::TransferAccepted { from: whom } => {
            from(whom)
        }
        EventKind::RepairStarted { repairer, fault } => {
            let mut facts = vec![(t.text("life-repairer").to_string(), repairer.to_string())];
            if let Some(fault) = fault {
                facts.push((t.text("life-fault").to_string(), fault.clone()));
            }
            facts
        }
        EventKind::PartExchanged { old, new } => vec![
            (t.text("life-old-part").to_string(), old.to_string()),
            (t.text("life-new-part").to_string(), new.device.to_string()),
        ],
        EventKind::Suspended { cause: why }
        | EventKind::Revoked { cause: why }
        | EventKind::Retired { cause: why }
        | EventKind::CredentialRevoked { cause: why, .. } => cause(why),
        EventKind::ProofRefused { reason, .. } => {
            vec![(t.text("life-cause").to_string(), t.of(reason.text()).to_owned())]
        }
        EventKind::PartSeenElsewhere { other, .. } => device(other),
        EventKind::Erased { sequences } => {
            let all: Vec<String> = sequences.iter().take(20).map(u64::to_string).collect();
            vec![(t.text("life-erased-events").to_string(), all.join(", "))]
        }
        _ => Vec::new(),
    }
}
