//! Fixed keys, names and generators.

use crypto::{Secret, Sha256, SoftwareKey, UnixTime};
use device::{
    Build, Cause, Credential, CredentialProfile, DeviceId, DeviceKind, Event, EventKind,
    EvidenceDigest, OnBehalf, OrganisationId, Part, ProductId, ReasonCode, Roles, RootOfTrust,
};
use proptest::{prelude::*, sample::select};

/// An Ed25519 key from a seed of equal bytes; for tests only.
pub(crate) fn key(seed: u8) -> SoftwareKey {
    let mut pkcs8 = hex::decode("302e020100300506032b657004220420").unwrap();
    pkcs8.extend([seed; 32]);
    SoftwareKey::from_pkcs8(&Secret::new(pkcs8)).unwrap()
}

pub(crate) fn org(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

pub(crate) fn product(name: &str) -> ProductId {
    ProductId::new(name).unwrap()
}

pub(crate) fn id(byte: u8) -> DeviceId {
    DeviceId::from_bytes([byte; 16])
}

pub(crate) const ORGANISATIONS: [&str; 7] =
    ["kairo", "barrier", "hakobu", "mamoru", "shuri", "kankyo", "tegata"];

/// kairo and barrier are makers, kankyo a recycler, mamoru owns, shuri is an authority.
pub(crate) fn roles(name: &OrganisationId) -> Roles {
    match name.as_str() {
        "kairo" | "barrier" => Roles::MAKER,
        "kankyo" => Roles::RECYCLER,
        "shuri" => Roles::AUTHORITY,
        "tegata" => Roles::PLATFORM,
        _ => Roles::NONE,
    }
}

pub(crate) fn organisations() -> impl Strategy<Value = OrganisationId> {
    select(&ORGANISATIONS[..]).prop_map(org)
}

pub(crate) fn devices() -> impl Strategy<Value = DeviceId> {
    (1u8..6).prop_map(id)
}

fn digests() -> impl Strategy<Value = Sha256> {
    (0u8..4).prop_map(|byte| Sha256([byte; 32]))
}

fn parts() -> impl Strategy<Value = Part> {
    (devices(), select(DeviceKind::ALL)).prop_map(|(device, kind)| Part { device, kind })
}

fn part_lists() -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::btree_map(devices(), select(DeviceKind::ALL), 0..4)
        .prop_map(|map| map.into_iter().map(|(device, kind)| Part { device, kind }).collect())
}

fn credentials() -> impl Strategy<Value = Credential> {
    (digests(), digests(), select(CredentialProfile::ALL), organisations(), 0i64..4000).prop_map(
        |(certificate, key, profile, organisation, not_after)| Credential {
            certificate,
            key,
            profile,
            organisation,
            not_after: UnixTime(not_after),
        },
    )
}

pub(crate) fn lines() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 ぁ-ん一-龠]{1,40}"
}

/// Events that begin a history.
pub(crate) fn beginnings() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        (
            select(Build::ALL),
            proptest::option::of(Just(product("gate-7"))),
            select(RootOfTrust::ALL),
            digests()
        )
            .prop_map(|(build, product, root_of_trust, key)| EventKind::ChipMade {
                build,
                product,
                root_of_trust,
                key
            }),
        (
            select(&[DeviceKind::Module, DeviceKind::Board, DeviceKind::Device][..]),
            select(Build::ALL),
            proptest::option::of(select(RootOfTrust::ALL)),
            proptest::option::of(digests()),
            part_lists(),
        )
            .prop_map(|(kind, build, root_of_trust, key, parts)| EventKind::Assembled {
                kind,
                build,
                product: product("gate-7"),
                root_of_trust,
                key,
                parts
            }),
    ]
}

/// Events that continue a history.
pub(crate) fn continuations() -> impl Strategy<Value = EventKind> {
    let causes = || select(Cause::ALL);
    prop_oneof![
        parts().prop_map(|part| EventKind::PartInstalled { part }),
        devices().prop_map(|part| EventKind::PartRemoved { part }),
        devices().prop_map(|host| EventKind::InstalledInto { host }),
        (devices(), organisations())
            .prop_map(|(host, holder)| EventKind::RemovedFrom { host, holder }),
        credentials().prop_map(EventKind::CredentialIssued),
        (digests(), causes())
            .prop_map(|(certificate, cause)| EventKind::CredentialRevoked { certificate, cause }),
        (any::<bool>(), proptest::option::of(lines()))
            .prop_map(|(passed, standard)| EventKind::Tested { passed, standard }),
        organisations().prop_map(|to| EventKind::Shipped { to }),
        organisations().prop_map(|from| EventKind::Received { from }),
        organisations().prop_map(|owner| EventKind::Onboarded { owner }),
        Just(EventKind::OperationStarted),
        organisations().prop_map(|to| EventKind::TransferOffered { to }),
        organisations().prop_map(|from| EventKind::TransferAccepted { from }),
        Just(EventKind::TransferCancelled),
        (organisations(), proptest::option::of(lines()))
            .prop_map(|(repairer, fault)| EventKind::RepairStarted { repairer, fault }),
        (devices(), parts()).prop_map(|(old, new)| EventKind::PartExchanged { old, new }),
        Just(EventKind::RepairFinished),
        causes().prop_map(|cause| EventKind::Suspended { cause }),
        Just(EventKind::Released),
        causes().prop_map(|cause| EventKind::Revoked { cause }),
        causes().prop_map(|cause| EventKind::Retired { cause }),
        proptest::option::of(digests())
            .prop_map(|erasure_proof| EventKind::Disposed { erasure_proof }),
        proptest::option::of(digests()).prop_map(|key| EventKind::Reappeared { key }),
        (
            select(ReasonCode::ALL),
            proptest::option::of(digests()),
            proptest::option::of(any::<(u64, u64)>())
        )
            .prop_map(|(reason, key, counters)| EventKind::ProofRefused {
                reason,
                key,
                counters
            }),
        (devices(), devices())
            .prop_map(|(part, other)| EventKind::PartSeenElsewhere { part, other }),
        (
            select(device::UpdateResult::ALL),
            lines(),
            any::<(u64, u64)>(),
            proptest::option::of(any::<[u8; 16]>()),
            proptest::option::of(lines()),
        )
            .prop_map(|(result, version, (counter, security), campaign, reason)| {
                let version = version.chars().take(30).collect();
                let release = device::NamedRelease {
                    version,
                    release_counter: counter,
                    security_version: security,
                };
                EventKind::Updated { result, release, campaign, reason }
            }),
        proptest::collection::btree_set(0u64..40, 1..4)
            .prop_map(|set| EventKind::Erased { sequences: set.into_iter().collect() }),
    ]
}

pub(crate) fn events() -> impl Strategy<Value = Event> {
    let rest = (
        proptest::option::of(lines()),
        proptest::option::of(lines()),
        proptest::collection::vec((lines(), digests()), 0..4),
        proptest::option::of((organisations(), 0u64..8)),
        proptest::option::of("[^\\p{Cc}]{1,300}"),
    );
    (
        devices(),
        any::<u32>(),
        any::<[u8; 32]>(),
        prop_oneof![beginnings(), continuations()],
        any::<i64>(),
        organisations(),
        rest,
    )
        .prop_map(|(device, sequence, previous, kind, at, reporter, rest)| {
            let (actor, place, evidence, behalf, reason) = rest;
            Event {
                device,
                sequence: sequence.into(),
                previous: (sequence > 0).then_some(ledger::Commitment(Sha256(previous))),
                kind,
                at: UnixTime(at),
                reporter,
                actor,
                place,
                evidence: evidence
                    .into_iter()
                    .map(|(label, sha256)| EvidenceDigest { label, sha256 })
                    .collect(),
                on_behalf: behalf.map(|(organisation, roles)| OnBehalf {
                    organisation,
                    roles: Roles::from_bits(roles).unwrap(),
                }),
                reason,
            }
        })
}
