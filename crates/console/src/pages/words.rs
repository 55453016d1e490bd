//! Words and badges of the domain's values: the same everywhere.

use crate::{
    Member,
    i18n::Locale,
    ui::{Badge, Choice, Tone},
};
use crypto::UnixTime;
use device::{
    DeviceKind, Kind, Language, OrganisationId, Outcome, Phase, RootOfTrust, Severity, StandingKind,
};
use policy::{Action, Resource};
use service::CertificateStatus;

/// Whether the visitor may do something in an organisation: for what is offered, never for what is
/// done, which the service decides.
pub(super) fn may(member: &Member, action: Action, organisation: &OrganisationId) -> bool {
    policy::authorize(member.caller(), action, &Resource::organisation(organisation)).is_ok()
}

/// What the service says in both languages, in the visitor's.
pub(super) fn told(t: Locale, english: &str, japanese: Option<&str>) -> String {
    match (t.language, japanese) {
        (Language::Ja, Some(japanese)) => japanese.to_owned(),
        _ => english.to_owned(),
    }
}

/// A phase; devices whose history has not begun are in none.
pub(super) fn phase(t: Locale, phase: Option<Phase>) -> String {
    match phase {
        Some(phase) => t.of(phase.text()).to_owned(),
        None => t.text("words-no-phase").to_string(),
    }
}

pub(super) fn standing(t: Locale, standing: StandingKind) -> Badge {
    let tone = match standing {
        StandingKind::Good => Tone::Good,
        StandingKind::Suspended => Tone::Held,
        StandingKind::Revoked => Tone::Bad,
    };
    Badge::new(tone, t.of(standing.text()))
}

pub(super) fn tone_of(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Genuine => Tone::Good,
        Outcome::Suspect => Tone::Warn,
        Outcome::Rejected => Tone::Bad,
    }
}

pub(super) fn outcome(t: Locale, outcome: Outcome) -> Badge {
    Badge::new(tone_of(outcome), t.of(outcome.text()))
}

/// How much a reason weighs.
pub(super) fn severity(t: Locale, severity: Severity) -> Badge {
    let tone = match severity {
        Severity::Note => Tone::Info,
        Severity::Suspect => Tone::Warn,
        Severity::Reject => Tone::Bad,
    };
    Badge::new(tone, t.word("weight", severity.name()))
}

/// How what happened to a device is meant.
pub(super) fn event_tone(kind: Kind) -> Tone {
    match kind {
        Kind::Suspended => Tone::Held,
        Kind::Revoked
        | Kind::CredentialRevoked
        | Kind::Reappeared
        | Kind::ProofRefused
        | Kind::PartSeenElsewhere => Tone::Bad,
        Kind::Released | Kind::Onboarded | Kind::OperationStarted | Kind::TransferAccepted => {
            Tone::Good
        }
        Kind::Updated => Tone::Info,
        Kind::Retired | Kind::Disposed | Kind::Erased | Kind::TransferCancelled => Tone::Neutral,
        Kind::RepairStarted | Kind::TransferOffered => Tone::Busy,
        _ => Tone::Info,
    }
}

pub(super) fn roles(t: Locale, roles: policy::Roles) -> String {
    let separator = t.text("words-and").to_string();
    roles
        .iter()
        .map(|role| t.word("role", role.name()).to_string())
        .collect::<Vec<_>>()
        .join(&separator)
}

/// What an organisation is registered as.
pub(super) fn registered_as(t: Locale, roles: device::Roles) -> String {
    let separator = t.text("words-and").to_string();
    let held: Vec<_> = [
        (device::Roles::MAKER, "maker"),
        (device::Roles::RECYCLER, "recycler"),
        (device::Roles::AUTHORITY, "authority"),
        (device::Roles::PLATFORM, "platform"),
    ]
    .into_iter()
    .filter(|(role, _)| roles.has(*role))
    .map(|(_, name)| t.word("registered-as", name).to_string())
    .collect();
    if held.is_empty() { t.text("words-member-only").to_string() } else { held.join(&separator) }
}

pub(super) fn device_kind(t: Locale, kind: DeviceKind) -> String {
    t.word("device-kind", kind.name()).to_string()
}

pub(super) fn root_of_trust(t: Locale, root: RootOfTrust) -> String {
    t.word("root-of-trust", root.name()).to_string()
}

/// A certificate's state, its dates included.
pub(super) fn certificate(
    t: Locale,
    status: CertificateStatus,
    not_after: UnixTime,
    now: UnixTime,
) -> Badge {
    match status {
        CertificateStatus::Good if not_after < now => {
            Badge::new(Tone::Neutral, t.text("words-expired"))
        }
        CertificateStatus::Good => Badge::new(Tone::Good, t.word("certificate-status", "good")),
        CertificateStatus::Suspended => {
            Badge::new(Tone::Held, t.word("certificate-status", "suspended"))
        }
        CertificateStatus::Revoked => {
            Badge::new(Tone::Bad, t.word("certificate-status", "revoked"))
        }
    }
}

/// How far an end of validity is away.
pub(super) fn validity(t: Locale, not_after: UnixTime, now: UnixTime) -> Badge {
    /// Ninety days: time enough to hold a ceremony.
    const SOON_S: i64 = 90 * 86_400;
    if not_after < now {
        Badge::new(Tone::Bad, t.text("words-expired"))
    } else if not_after.since(now) < SOON_S {
        Badge::new(Tone::Warn, t.text("words-ends-soon"))
    } else {
        Badge::new(Tone::Good, t.text("words-valid"))
    }
}

/// The choices of a filter: everything first, then the values.
pub(super) fn choices(
    all: impl Into<String>,
    values: impl IntoIterator<Item = (String, String)>,
) -> Vec<Choice> {
    let mut choices = vec![Choice::new("", all)];
    choices.extend(values.into_iter().map(|(value, label)| Choice::new(value, label)));
    choices
}
