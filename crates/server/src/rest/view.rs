//! From the service's facts to documents of the interface.

use super::problem::Fault;
use api::{
    problem::Code,
    wire::{
        self, AuthorityKind, OrganisationRole, Outcome, Outcomes,
        scalar::{
            Base64, CertificatePem, DeviceRef, Digest, EventKindName, KindName, NumberText,
            OrganisationRef, PhaseName, ProductRef, RoleName, RootOfTrustName, StandingName,
        },
    },
};
use device::{Language, Roles};
use pki::crl::RevocationReason;
use policy::Caller;
use service::{CaKind, CertificateStatus, DeviceRelation, ServiceError};

pub(super) fn paged<A, B>(page: service::Paged<A>, each: impl Fn(A) -> B) -> wire::Page<B> {
    wire::Page { items: page.items.into_iter().map(each).collect(), next: page.next }
}

pub(super) fn outcomes<A, B>(
    results: Vec<Result<A, ServiceError>>,
    language: Language,
    each: impl Fn(A) -> B,
) -> Outcomes<B> {
    let outcome = |result: Result<A, ServiceError>| match result {
        Ok(done) => Outcome { done: Some(each(done)), refused: None },
        Err(error) => Outcome { done: None, refused: Some(Fault::from(error).problem(language)) },
    };
    Outcomes { items: results.into_iter().map(outcome).collect() }
}

fn roles(roles: impl IntoIterator<Item = policy::Role>) -> Vec<RoleName> {
    roles.into_iter().map(RoleName).collect()
}

pub(super) fn who(caller: &Caller) -> wire::WhoAmI {
    wire::WhoAmI {
        name: caller.to_string(),
        organisation: caller.organisation().cloned().map(OrganisationRef),
        roles: match caller {
            Caller::Member { roles: held, .. } | Caller::Person { roles: held, .. } => {
                roles(held.iter())
            }
            _ => Vec::new(),
        },
        device: match caller {
            Caller::Device { device, .. } => Some(DeviceRef(*device)),
            _ => None,
        },
    }
}

pub(super) fn trust_bundle(store: service::TrustStore) -> wire::TrustBundle {
    wire::TrustBundle {
        platform: OrganisationRef(store.platform),
        roots: chain(store.roots),
        log_key: store.log_key,
        witness_keys: store.witness_keys,
        quorum: store.quorum,
    }
}

fn chain(certificates: Vec<pki::Certificate>) -> Vec<CertificatePem> {
    certificates.into_iter().map(CertificatePem).collect()
}

pub(super) fn organisation(view: service::OrganisationView) -> wire::Organisation {
    wire::Organisation {
        id: OrganisationRef(view.id),
        name: view.name,
        roles: organisation_roles(view.roles),
        proposed: organisation_roles(view.proposed),
        created: view.created_at.into(),
        suspended: view.suspended_at.map(Into::into),
    }
}

const ORGANISATION_ROLES: [(OrganisationRole, Roles); 4] = [
    (OrganisationRole::Maker, Roles::MAKER),
    (OrganisationRole::Recycler, Roles::RECYCLER),
    (OrganisationRole::Authority, Roles::AUTHORITY),
    (OrganisationRole::Platform, Roles::PLATFORM),
];

fn organisation_roles(held: Roles) -> Vec<OrganisationRole> {
    ORGANISATION_ROLES.iter().filter(|(_, bit)| held.has(*bit)).map(|(role, _)| *role).collect()
}

pub(super) fn roles_of(named: &[OrganisationRole]) -> Roles {
    ORGANISATION_ROLES
        .iter()
        .filter(|(role, _)| named.contains(role))
        .fold(Roles::NONE, |held, (_, bit)| held.and(*bit))
}

pub(super) fn member(view: service::MemberView) -> wire::Member {
    wire::Member {
        organisation: OrganisationRef(view.organisation),
        name: view.name,
        roles: roles(view.roles.iter()),
        fingerprint: view.fingerprint.into(),
        added: view.added_at.into(),
        removed: view.removed_at.map(Into::into),
        chain: chain(std::iter::once(view.certificate).chain(view.chain).collect()),
    }
}

pub(super) fn person(view: service::PersonView) -> wire::Person {
    wire::Person {
        handle: view.handle,
        organisation: OrganisationRef(view.organisation),
        name: view.display_name,
        roles: roles(view.roles.iter()),
        state: view.state.name().to_owned(),
        passkeys: u32::try_from(view.passkeys).unwrap_or(u32::MAX),
        added: view.added_at.into(),
        registered: view.registered_at.map(Into::into),
    }
}

pub(super) fn invitation(
    service: &service::Service,
    invited: service::Invited,
) -> wire::Invitation {
    wire::Invitation {
        link: service.link_url(&invited.link),
        expires: invited.link.expires_at.into(),
        person: person(invited.person),
    }
}

pub(super) fn session(view: service::SessionView) -> wire::Session {
    wire::Session {
        id: view.id.into(),
        since: view.created_at.into(),
        last_seen: view.last_seen.into(),
        expires: view.expires_at.into(),
        label: view.label,
        network: view.network,
    }
}

pub(super) fn approval(view: service::ApprovalView) -> wire::Approval {
    wire::Approval {
        id: view.id.to_string(),
        organisation: OrganisationRef(view.organisation),
        act: view.act.name().to_owned(),
        summary: view.summary,
        summary_ja: view.summary_ja,
        reason: view.reason,
        arguments: view.arguments,
        devices: view.devices,
        requester: view.requester,
        requester_of: OrganisationRef(view.requester_of),
        requested: view.requested_at.into(),
        expires: view.expires_at.into(),
        state: view.state.name().to_owned(),
        decided_by: view.decided_by,
        decided: view.decided_at.map(Into::into),
        finished: view.finished_at.map(Into::into),
        outcome: view.outcome,
        requester_continues: view.requester_continues,
        can_continue: view.can_continue,
        can_approve: view.can_approve,
    }
}

pub(super) fn approval_device(device: service::ApprovalDevice) -> wire::ApprovalDevice {
    wire::ApprovalDevice {
        device: DeviceRef(device.id),
        management_number: device.management_number,
        serial_number: device.serial_number,
    }
}

pub(super) fn approval_rule(line: service::PolicyLine) -> wire::ApprovalRule {
    wire::ApprovalRule {
        act: line.act.name().to_owned(),
        required: line.required,
        chosen: line.chosen,
        changeable: line.changeable,
    }
}

pub(super) fn signer(view: &service::SignerView) -> wire::EventSigner {
    wire::EventSigner {
        key: view.key.fingerprint().into(),
        algorithm: view.key.algorithm().to_string(),
        public_key: Base64(view.key.spki().to_vec()),
        certificate: CertificatePem(view.certificate.clone()),
        not_before: view.not_before.into(),
        not_after: view.not_after.into(),
        retired: view.retired_at.map(Into::into),
    }
}

pub(super) fn ca_kind(kind: AuthorityKind) -> CaKind {
    match kind {
        AuthorityKind::Platform => CaKind::Platform,
        AuthorityKind::Device => CaKind::Device,
        AuthorityKind::Owner => CaKind::Owner,
    }
}

pub(super) fn authority_request(request: &service::CaRequest) -> wire::AuthorityRequest {
    wire::AuthorityRequest {
        id: request.slug.clone(),
        request: request.to_text(),
        summary: request.summary(),
    }
}

pub(super) fn authority(view: service::CaView) -> wire::Authority {
    wire::Authority {
        id: view.slug,
        organisation: OrganisationRef(view.organisation),
        issues: match view.kind {
            CaKind::Platform => AuthorityKind::Platform,
            CaKind::Device => AuthorityKind::Device,
            CaKind::Owner => AuthorityKind::Owner,
        },
        name: view.name,
        certificate: view.certificate.map(CertificatePem),
        ocsp_certificate: view.ocsp_certificate.map(CertificatePem),
        created: view.created_at.into(),
    }
}

pub(super) fn product(view: service::ProductView) -> wire::Product {
    wire::Product {
        organisation: OrganisationRef(view.organisation),
        id: ProductRef(view.id),
        name: view.name,
        model: view.model,
        kind: KindName(view.kind),
        root_of_trust: RootOfTrustName(view.root_of_trust),
        support_end: view.support_end.map(Into::into),
        ldevid_validity_s: view.ldevid_validity_s,
    }
}

pub(super) fn device(view: service::DeviceView) -> wire::Device {
    wire::Device {
        id: DeviceRef(view.id),
        management_number: NumberText(view.management_number),
        maker: OrganisationRef(view.maker),
        product: view.product.map(ProductRef),
        kind: KindName(view.kind),
        serial_number: view.serial_number,
        owner: OrganisationRef(view.owner),
        phase: view.phase.map(PhaseName),
        standing: StandingName(view.standing),
        events: view.events,
        head: view.head.map(|head| head.0.into()),
        created: view.created_at.into(),
    }
}

pub(super) fn public_device(view: service::PublicDeviceView) -> wire::PublicDevice {
    wire::PublicDevice {
        management_number: NumberText(view.management_number),
        maker: view.maker,
        product: view.product,
        model: view.model,
        phase: view.phase.map(PhaseName),
        standing: StandingName(view.standing),
        support_end: view.support_end.map(Into::into),
    }
}

pub(super) fn relation(relation: Option<wire::Relation>) -> DeviceRelation {
    match relation {
        None | Some(wire::Relation::Owner) => DeviceRelation::Owner,
        Some(wire::Relation::Maker) => DeviceRelation::Maker,
        Some(wire::Relation::Shared) => DeviceRelation::Shared,
        Some(wire::Relation::Offered) => DeviceRelation::Offered,
    }
}

pub(super) fn code(released: &service::ReleasedCode) -> wire::ReleasedCode {
    wire::ReleasedCode {
        device: DeviceRef(released.device),
        code: released.code.expose().to_owned(),
        expires: released.expires_at.into(),
    }
}

pub(super) fn enrolled(enrolled: service::Enrolled) -> wire::Enrolled {
    let fingerprint = enrolled.certificate.fingerprint().into();
    let mut certificates = vec![enrolled.certificate];
    certificates.extend(enrolled.chain);
    wire::Enrolled {
        device: DeviceRef(enrolled.device),
        fingerprint,
        chain: chain(certificates),
        recorded: recorded(enrolled.recorded),
    }
}

pub(super) fn recorded(recorded: service::Recorded) -> wire::Recorded {
    wire::Recorded {
        device: DeviceRef(recorded.device),
        sequence: recorded.sequence,
        leaf: recorded.leaf,
        commitment: recorded.commitment.0.into(),
        salt: Base64(recorded.salt.to_vec()),
    }
}

pub(super) fn event(view: service::EventView) -> wire::HistoryEvent {
    wire::HistoryEvent {
        sequence: view.sequence,
        leaf: view.leaf,
        commitment: view.commitment.map(|commitment| commitment.0.into()),
        recorded: view.recorded_at.into(),
        erased: view.cose.is_none(),
        kind: EventKindName(view.kind),
        at: view.at.into(),
        reporter: OrganisationRef(view.reporter),
        cose: view.cose.map(Base64),
        salt: view.salt.map(|salt| Base64(salt.to_vec())),
        proof: None,
    }
}

pub(super) fn challenge(view: &device::Challenge) -> wire::Challenge {
    wire::Challenge { nonce: Base64(view.nonce.to_vec()), expires: view.expires.into() }
}

fn status_of(status: CertificateStatus) -> wire::CertificateStatus {
    match status {
        CertificateStatus::Good => wire::CertificateStatus::Good,
        CertificateStatus::Suspended => wire::CertificateStatus::Suspended,
        CertificateStatus::Revoked => wire::CertificateStatus::Revoked,
    }
}

pub(super) fn certificate_status(status: wire::CertificateStatus) -> CertificateStatus {
    match status {
        wire::CertificateStatus::Good => CertificateStatus::Good,
        wire::CertificateStatus::Suspended => CertificateStatus::Suspended,
        wire::CertificateStatus::Revoked => CertificateStatus::Revoked,
    }
}

/// Reasons in the order of RFC 5280; those of delta CRLs and attribute authorities do not occur.
const REASONS: [(wire::RevocationReason, RevocationReason); 8] = [
    (wire::RevocationReason::Unspecified, RevocationReason::Unspecified),
    (wire::RevocationReason::KeyCompromise, RevocationReason::KeyCompromise),
    (wire::RevocationReason::CaCompromise, RevocationReason::CaCompromise),
    (wire::RevocationReason::AffiliationChanged, RevocationReason::AffiliationChanged),
    (wire::RevocationReason::Superseded, RevocationReason::Superseded),
    (wire::RevocationReason::CessationOfOperation, RevocationReason::CessationOfOperation),
    (wire::RevocationReason::CertificateHold, RevocationReason::CertificateHold),
    (wire::RevocationReason::PrivilegeWithdrawn, RevocationReason::PrivilegeWithdrawn),
];

pub(super) fn revocation_reason(given: wire::RevocationReason) -> RevocationReason {
    REASONS
        .iter()
        .find(|(name, _)| *name == given)
        .map_or(RevocationReason::Unspecified, |(_, reason)| *reason)
}

pub(super) fn certificate(view: service::CertificateView) -> wire::CertificateView {
    let reason = |why: RevocationReason| {
        REASONS.iter().find(|(_, reason)| *reason == why).map(|(name, _)| *name)
    };
    let mud = view.certificate.extensions().mud().and_then(Result::ok);
    wire::CertificateView {
        mud_url: mud.as_ref().map(|mud| mud.url().to_owned()),
        mud_signer: mud.as_ref().and_then(|mud| Some(mud.signer()?.to_string())),
        authority: view.id.ca,
        serial: view.id.serial.to_string(),
        fingerprint: view.certificate.fingerprint().into(),
        organisation: OrganisationRef(view.organisation),
        profile: view.profile.name().to_owned(),
        device: view.device.map(DeviceRef),
        not_before: view.certificate.not_before().into(),
        not_after: view.certificate.not_after().into(),
        status: status_of(view.status),
        revoked: view.revoked.map(|(at, _)| at.into()),
        reason: view.revoked.and_then(|(_, why)| reason(why)),
        certificate: Some(CertificatePem(view.certificate)),
    }
}

/// As in lists: without the certificate itself.
pub(super) fn listed_certificate(view: service::CertificateView) -> wire::CertificateView {
    wire::CertificateView { certificate: None, ..certificate(view) }
}

pub(super) fn inclusion(
    proof: &ledger::InclusionProof,
    checkpoint: &[u8],
) -> Result<wire::InclusionProof, Fault> {
    let checkpoint =
        String::from_utf8(checkpoint.to_vec()).map_err(|_| Fault::new(Code::Internal))?;
    Ok(wire::InclusionProof {
        leaf: proof.index,
        size: proof.size,
        hashes: proof.hashes.iter().copied().map(Digest).collect(),
        checkpoint,
    })
}

pub(super) fn log_check(check: service::LogCheck) -> wire::LogCheck {
    wire::LogCheck {
        entries: check.entries,
        root: check.root.into(),
        pending: check.pending,
        events_checked: check.events_checked,
        events_erased: check.events_erased,
        audit_heads_checked: check.audit_heads_checked,
        problems: check.problems,
    }
}

pub(super) fn issued_token(issued: &service::IssuedToken) -> wire::IssuedToken {
    wire::IssuedToken {
        id: issued.id.into(),
        token: issued.token.expose().to_owned(),
        expires: issued.expires_at.into(),
    }
}

pub(super) fn token(view: service::TokenView) -> wire::Token {
    wire::Token {
        id: view.id.into(),
        member: view.member,
        certificate: view.certificate.into(),
        roles: roles(view.roles.iter()),
        granted: view.granted_at.into(),
        expires: view.expires_at.into(),
    }
}

pub(super) fn audit_event(view: service::AuditView) -> wire::AuditEvent {
    let event = view.event;
    let text = |text: Option<&str>| text.map(str::to_owned);
    wire::AuditEvent {
        sequence: view.sequence,
        at: event.at().into(),
        kind: event.kind().name().to_owned(),
        outcome: event.outcome().name().to_owned(),
        severity: event.severity_of().name().to_owned(),
        door: event.door_of().name().to_owned(),
        organisation: text(event.organisation_of()),
        actor: text(event.actor_of()),
        subject: text(event.subject_of()),
        source: event.source_of().map(|address| address.to_string()),
        details: event.details().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        hash: view.hash.into(),
    }
}

pub(super) fn audit_check(check: service::AuditCheck) -> wire::AuditCheck {
    wire::AuditCheck {
        events: check.events,
        anchors: u64::try_from(check.anchors).unwrap_or(u64::MAX),
        broken: check.broken,
    }
}

pub(super) fn key_use(view: service::KeyUseView) -> wire::KeyUse {
    wire::KeyUse {
        key: view.key.into(),
        purpose: view.purpose.to_owned(),
        at: view.at.into(),
        what: view.what.to_owned(),
        subject: hex::encode(view.subject),
        by: view.by,
    }
}

pub(super) fn key_account(account: service::KeyAccount) -> wire::KeyAccount {
    wire::KeyAccount {
        key: account.key.into(),
        purpose: account.purpose.to_owned(),
        algorithm: account.algorithm,
        created: account.created_at.into(),
        not_after: account.not_after.into(),
        retired: account.retired_at.map(Into::into),
        destroyed: account.destroyed_at.map(Into::into),
        uses: account.uses.into_iter().map(|(what, count)| (what.to_owned(), count)).collect(),
    }
}

pub(super) fn key_notice(notice: pki::Notice) -> wire::KeyNotice {
    wire::KeyNotice {
        name: notice.name,
        rule: notice.rule,
        at: notice.at.into(),
        advice: notice.advice,
    }
}

pub(super) fn statistics(statistics: &service::Statistics) -> wire::Statistics {
    let in_phase = |(phase, devices): &(Option<device::Phase>, u64)| wire::InPhase {
        phase: phase.map(PhaseName),
        devices: *devices,
    };
    wire::Statistics {
        devices: statistics.devices.iter().map(|(_, devices)| devices).sum(),
        by_phase: statistics.devices.iter().map(in_phase).collect(),
        events: statistics.events,
        certificates: statistics.certificates,
        revoked: u64::try_from(statistics.revoked).unwrap_or(u64::MAX),
    }
}

pub(super) fn product_public(
    support_end: Option<crypto::UnixTime>,
    view: service::ProductPublic,
) -> wire::ProductPublic {
    let label = |label: service::SecurityLabel| wire::SecurityLabel {
        scheme: label.scheme.to_string(),
        level: label.level,
        number: label.number,
        url: label.url,
        valid_until: label.valid_until.map(Into::into),
    };
    wire::ProductPublic {
        support_end: support_end.map(Into::into),
        gtin: view.gtin.map(|gtin| gtin.to_string()),
        name_ja: view.name_ja,
        name_en: view.name_en,
        contact_url: view.contact_url,
        firmware: view.firmware.map(|firmware| wire::FirmwareVersion {
            version: firmware.version,
            digest: firmware.digest.map(Into::into),
        }),
        labels: view.labels.into_iter().map(label).collect(),
    }
}

pub(super) fn scans(view: &service::ScanView) -> wire::Scans {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    wire::Scans {
        sightings: count(view.report.sightings),
        networks: count(view.report.networks),
        journeys: count(view.report.journeys),
        concern: view.concern.map(|(concern, _, _)| concern.name().to_owned()),
        since: view.concern.map(|(_, since, _)| since.into()),
        last: view.concern.map(|(_, _, last)| last.into()),
    }
}

pub(super) fn scan_alarm(alarm: &service::ScanAlarm) -> wire::ScanAlarm {
    let text = alarm.concern.text();
    wire::ScanAlarm {
        device: DeviceRef(alarm.device),
        number: NumberText(alarm.number),
        concern: alarm.concern.name().to_owned(),
        en: text.en.to_owned(),
        ja: text.ja.to_owned(),
        since: alarm.since.into(),
        last: alarm.last.into(),
    }
}
