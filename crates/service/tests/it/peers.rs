//! Trust between devices (AU-6): what an owner chooses, and the bundle of each device.

use crate::world::{Org, Working, World, id, product};
use admission::CommandName;
use audit::Kind;
use device::{Cause, DeviceKind, EventKind};
use peer::{AuthorityKind, Code, Side, TrustBundle};
use pki::{crl::RevocationReason, validate::Anchors};
use policy::Caller;
use service::{
    AuditQuery, CertificateId, ErrorKind, NewPeerTrust, NewPolicySet, Page, PeerBundleView,
    Service, ServiceError,
};

const POLICIES: &str = r#"
@id("gates-open") permit(principal in Product::"maker/gate", action == Action::"peer",
    resource in Product::"smith/lock") when { context.operation == "open" };
@id("doors-alone") permit(principal, action == Action::"receive", resource)
when { resource.path == "up/nobody-elses" };
"#;
const CASES: &str = r#"{"organisation": "owner", "devices": {"one": {}},
    "cases": [{"name": "own", "by": "one", "does": "publish", "topic": "me/up/x", "expect": "allowed"}]}"#;

fn chosen(hours: i64, makers: &[&str], organisations: &[&str]) -> NewPeerTrust {
    NewPeerTrust {
        life_s: hours * 3600,
        makers: makers.iter().map(|it| id(it)).collect(),
        organisations: organisations.iter().map(|it| id(it)).collect(),
        products: Vec::new(),
    }
}

struct Plant {
    world: World,
    maker: Org,
    smith: Org,
    owner: Org,
    other: Org,
    lock: Working,
    gate: Working,
}

impl Plant {
    async fn new() -> Self {
        let world = World::new().await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let smith = world.maker("smith", "lock", DeviceKind::Device).await;
        let (owner, other) = (world.owner("owner").await, world.owner("other").await);
        let lock = world.working(&smith, "lock", &owner).await;
        let gate = world.working(&maker, "gate", &owner).await;
        Self { world, maker, smith, owner, other, lock, gate }
    }

    fn service(&self) -> &Service {
        &self.world.service
    }

    async fn opened(&self) {
        let service = self.service();
        let (policies, cases) = (POLICIES.into(), CASES.into());
        let new = NewPolicySet { policies, cases, reason: "test".into() };
        let made = service.put_policy_set(&self.owner.admin, new).await.unwrap();
        service.test_policy_set(&self.owner.admin, made.version).await.unwrap();
        let version = Some(made.version);
        service.activate_policy_set(&self.owner.admin, version, "test").await.unwrap();
        service.set_peer_trust(&self.owner.admin, chosen(2, &[], &[])).await.unwrap();
    }

    async fn itself(&self, device: &Working) -> Caller {
        self.service().identify_certificate(&device.ldevid.certificate).await.unwrap()
    }

    /// The bundle that a device fetches, believed as the device does.
    async fn fetched(&self, device: &Working) -> Result<TrustBundle, ServiceError> {
        let caller = self.itself(device).await;
        let made = self.service().trust_bundle(&caller, &device.thing.id, None).await?;
        let roots: Anchors = [self.world.root.certificate().clone()].into_iter().collect();
        let bytes = made.bytes.unwrap();
        let bundle = TrustBundle::verify(&bytes, &roots).unwrap().into_inner();
        assert_eq!(bundle.statement().number, made.number);
        Ok(bundle)
    }

    async fn code(&self, device: &Working, of: &Working) -> Code {
        let bundle = self.fetched(device).await.unwrap();
        let open = CommandName::new("open").unwrap();
        let now = bundle.statement().issued_at;
        let chain = [of.ldevid.certificate.clone()];
        bundle.judge(&chain, Side::Serves, &open, now).code
    }

    async fn listed(&self) -> Vec<PeerBundleView> {
        let page = Page::default();
        self.service().peer_bundles(&self.owner.admin, &page).await.unwrap().items
    }
}

#[tokio::test]
async fn a_bundle_holds_what_its_owner_may_know_and_nothing_of_others() {
    let plant = Plant::new().await;
    let service = plant.service();
    let foreign = plant.world.working(&plant.maker, "gate", &plant.other).await;
    let off = plant.fetched(&plant.lock).await.unwrap_err();
    assert_eq!(off.code(), "peer-trust-off");
    plant.opened().await;
    let bundle = plant.fetched(&plant.lock).await.unwrap();
    let contents = bundle.contents();
    assert_eq!(bundle.statement().owner, plant.owner.id);
    let names = |bundle: &TrustBundle| -> Vec<_> {
        let all = &bundle.contents().authorities;
        all.iter().map(|it| (it.kind, it.organisation.to_string())).collect()
    };
    assert_eq!(names(&bundle), [(AuthorityKind::Owner, "owner".to_owned())]);
    let lines: Vec<_> = contents
        .lines
        .iter()
        .map(|line| (line.product.clone().unwrap().1, line.devices.clone()))
        .collect();
    let (gate, lock) = (plant.gate.thing.id, plant.lock.thing.id);
    assert_eq!(lines, [(product("gate"), vec![gate]), (product("lock"), vec![lock])]);
    assert!(contents.policies.contains("gates-open") && contents.version > 0);
    assert!(!contents.policies.contains("nobody-elses"), "{}", contents.policies);
    let bytes = contents.encode().unwrap();
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|it| it == what);
    assert!(holds(gate.as_bytes()) && !holds(foreign.thing.id.as_bytes()));
    assert!(!holds(foreign.ldevid.certificate.serial().as_bytes()) && !holds(b"other"));
    // Another owner's device is unknown until the owner names that one, and may nothing even then.
    assert_eq!(plant.code(&plant.lock, &foreign).await, Code::UnknownAuthority);
    assert_eq!(plant.code(&plant.lock, &plant.gate).await, Code::Permitted);
    let named = chosen(2, &["smith"], &["other"]);
    service.set_peer_trust(&plant.owner.admin, named).await.unwrap();
    let bundle = plant.fetched(&plant.lock).await.unwrap();
    assert_eq!(names(&bundle).len(), 3);
    assert_eq!(plant.code(&plant.lock, &foreign).await, Code::NoPolicy);
    // Of its devices nothing but what its public list has, and nothing before.
    let serial = *foreign.ldevid.certificate.serial();
    let other = |bundle: &TrustBundle| {
        let all = &bundle.contents().authorities;
        all.iter().find(|it| it.organisation == plant.other.id).unwrap().clone()
    };
    assert_eq!(other(&bundle).revoked.len() + other(&bundle).suspended.len(), 0);
    let certificate = CertificateId { ca: "other".into(), serial };
    let reason = RevocationReason::KeyCompromise;
    service.revoke_certificate(&plant.other.admin, &certificate, reason).await.unwrap();
    let bundle = plant.fetched(&plant.lock).await.unwrap();
    assert_eq!(other(&bundle).revoked, [Box::from(serial.as_bytes())]);
    assert_eq!(plant.code(&plant.lock, &foreign).await, Code::CertificateRevoked);
    // The other organisation is told nothing of it, and has chosen nothing.
    assert!(service.peer_trust(&plant.other.admin).await.unwrap().is_none());
    assert!(
        service.peer_bundles(&plant.other.admin, &Page::default()).await.unwrap().items.is_empty()
    );
}

#[tokio::test]
async fn who_is_suspended_revoked_or_sold_is_gone_with_the_next_bundle() {
    let plant = Plant::new().await;
    plant.opened().await;
    let (service, owner) = (plant.service(), &plant.owner);
    assert_eq!(plant.code(&plant.lock, &plant.gate).await, Code::Permitted);
    let gate = plant.gate.thing.id;
    service.suspend_device(&owner.admin, &gate, Cause::Lost).await.unwrap();
    assert_eq!(plant.code(&plant.lock, &plant.gate).await, Code::CertificateSuspended);
    service.release_device(&owner.admin, &gate).await.unwrap();
    assert_eq!(plant.code(&plant.lock, &plant.gate).await, Code::Permitted);
    // Sold: the former owner's devices know it no more, and it is given nothing of the former owner's.
    let was = plant.itself(&plant.gate).await;
    plant.world.sell(owner, &plant.other, &gate).await;
    assert!(matches!(
        plant.code(&plant.lock, &plant.gate).await,
        Code::CertificateRevoked | Code::DeviceUnknown
    ));
    let refused = service.trust_bundle(&was, &gate, None).await.unwrap_err();
    assert!(matches!(refused.code(), "operational-identity" | "not-found"), "{refused}");
    assert!(!plant.listed().await.iter().any(|it| it.device == gate));
    // Out of use: nothing is given to it any more.
    let lock = plant.itself(&plant.lock).await;
    service.suspend_device(&owner.admin, &plant.lock.thing.id, Cause::Lost).await.unwrap();
    let refused = service.trust_bundle(&lock, &plant.lock.thing.id, None).await.unwrap_err();
    assert_eq!(refused.code(), "device-standing");
}

#[tokio::test]
async fn a_number_is_given_once_and_grows_whoever_owns_the_device() {
    let plant = Plant::new().await;
    plant.opened().await;
    let (service, owner) = (plant.service(), &plant.owner);
    let caller = plant.itself(&plant.lock).await;
    let lock = plant.lock.thing.id;
    let made = |known| service.trust_bundle(&caller, &lock, known);
    let first = made(None).await.unwrap();
    assert_eq!(made(None).await.unwrap(), first);
    assert_eq!(made(Some(first.number)).await.unwrap().bytes, None);
    let listed = plant.listed().await;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].newest && listed[0].fetched_at.is_some() && listed[0].number == 1);
    // Half of its time is over.
    plant.world.clock.advance(3601);
    let second = made(Some(first.number)).await.unwrap();
    assert!(second.number > first.number && second.bytes.is_some());
    // Something has changed: the list says so before the device has asked.
    service.set_peer_trust(&owner.admin, chosen(3, &["maker"], &[])).await.unwrap();
    assert!(!plant.listed().await[0].newest);
    // At once, from two sides: two numbers, or one, and never the same for other bytes.
    let (one, two) = tokio::join!(made(None), made(None));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.number > second.number && two.number > second.number);
    assert!(one.number != two.number || one.bytes == two.bytes);
    let newest = one.number.max(two.number);
    assert_eq!(made(None).await.unwrap().number, newest);
    // The next owner's goes on where this one's ended.
    plant.world.sell(owner, &plant.other, &lock).await;
    service.set_peer_trust(&plant.other.admin, chosen(1, &[], &[])).await.unwrap();
    let theirs = service.trust_bundle(&plant.other.admin, &lock, None).await.unwrap();
    assert!(theirs.number > newest);
    let claimed = TrustBundle::claimed(&theirs.bytes.unwrap()).unwrap();
    assert_eq!(claimed.owner, plant.other.id);
    // Made by hand it is on record, each time that it leaves.
    service.trust_bundle(&plant.other.admin, &lock, None).await.unwrap();
    let query = AuditQuery {
        organisation: Some(plant.other.id.clone()),
        kind: Some(Kind::CredentialChange),
        ..AuditQuery::default()
    };
    let page = Page::default();
    let events = service.audit_trail(&plant.other.admin, &query, &page).await.unwrap().items;
    let made = events.iter().filter(|it| format!("{it:?}").contains("trust-bundle"));
    assert_eq!(made.count(), 2);
}

#[tokio::test]
async fn who_may_and_what_can_be_chosen() {
    let plant = Plant::new().await;
    plant.opened().await;
    let (service, owner) = (plant.service(), &plant.owner);
    let lock = plant.lock.thing.id;
    let gate = plant.itself(&plant.gate).await;
    // No other device, no other organisation, nobody who only reads, and no maker's certificate.
    for caller in [&gate, &plant.other.admin] {
        let refused = service.trust_bundle(caller, &lock, None).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused}");
    }
    let refused = service.trust_bundle(&owner.reader, &lock, None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    let initial = service.identify_certificate(&plant.lock.idevid.certificate).await.unwrap();
    let refused = service.trust_bundle(&initial, &lock, None).await.unwrap_err();
    assert_eq!(refused.code(), "operational-identity");
    let refused = service.set_peer_trust(&owner.reader, chosen(2, &[], &[])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    let check = |new: NewPeerTrust| service.set_peer_trust(&owner.admin, new);
    for (hours, code) in [(0, "peer-trust"), (90 * 24 + 1, "peer-trust")] {
        assert_eq!(check(chosen(hours, &[], &[])).await.unwrap_err().code(), code);
    }
    // Whoever vouches for no device, and who is nobody, look alike.
    for new in [chosen(1, &["owner"], &[]), chosen(1, &["nobody"], &[]), chosen(1, &[], &["maker"])]
    {
        assert_eq!(check(new).await.unwrap_err().code(), "peer-authority");
    }
    let many: Vec<String> = (0..33).map(|at| format!("maker-{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(check(chosen(1, &many, &[])).await.unwrap_err().code(), "peer-trust");
    // Product lines bound what the devices learn of each other.
    let line = vec![(id("smith"), product("lock"))];
    let narrow = NewPeerTrust { products: line, ..chosen(1, &[], &[]) };
    check(narrow.clone()).await.unwrap();
    assert_eq!(service.peer_trust(&owner.admin).await.unwrap().unwrap().chosen, narrow);
    let bundle = plant.fetched(&plant.lock).await.unwrap();
    let devices: Vec<_> =
        bundle.contents().lines.iter().flat_map(|it| it.devices.clone()).collect();
    assert_eq!(devices, [lock]);
    assert_eq!(plant.code(&plant.lock, &plant.gate).await, Code::DeviceUnknown);
    service.end_peer_trust(&owner.admin).await.unwrap();
    assert_eq!(plant.fetched(&plant.lock).await.unwrap_err().code(), "peer-trust-off");
    let again = service.end_peer_trust(&owner.admin).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
    let _ = (&plant.smith, EventKind::OperationStarted);
}

#[tokio::test]
async fn an_owner_sees_what_its_next_bundle_holds_and_who_has_it() {
    let plant = Plant::new().await;
    let (service, owner) = (plant.service(), &plant.owner);
    let counts = async || service.peer_bundle_counts(&owner.admin).await.unwrap();
    let off = service.peer_trust_contents(&owner.admin).await.unwrap_err();
    assert_eq!((off.code(), counts().await.without), ("peer-trust-off", 2));
    plant.opened().await;
    let bundle = plant.fetched(&plant.lock).await.unwrap();
    let found = service.peer_trust_contents(&owner.admin).await.unwrap();
    assert_eq!((found.digest, found.life_s), (bundle.statement().contents, 2 * 3600));
    assert_eq!(found.policies, bundle.contents().policies);
    let whose: Vec<_> = found.authorities.iter().map(|it| it.organisation.to_string()).collect();
    assert_eq!(whose, ["owner"]);
    let line = |name: &str| (Some(name.to_owned()), 1);
    assert_eq!(found.lines, [line("maker/gate"), line("smith/lock")]);
    let of =
        |it: service::PeerBundleCounts| [it.newest, it.waiting, it.behind, it.ended, it.without];
    assert_eq!(of(counts().await), [1, 0, 0, 0, 1]);
    // Carried there, or not asked for yet.
    service.trust_bundle(&owner.admin, &plant.gate.thing.id, None).await.unwrap();
    assert_eq!(of(counts().await), [1, 1, 0, 0, 0]);
    // Another version of what is chosen: both are behind, and then over.
    service.set_peer_trust(&owner.admin, chosen(2, &["smith"], &[])).await.unwrap();
    assert_eq!(of(counts().await), [0, 0, 2, 0, 0]);
    plant.world.clock.advance(2 * 3600);
    assert_eq!(of(counts().await), [0, 0, 0, 2, 0]);
    // Each sees its own, and who may not read policies sees nothing.
    assert_eq!(of(service.peer_bundle_counts(&plant.other.admin).await.unwrap()), [0; 5]);
    let refused = service.peer_trust_contents(&owner.reader).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    let refused = service.peer_bundle_counts(&owner.reader).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
}
