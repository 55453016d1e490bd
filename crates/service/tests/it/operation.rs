//! The gate of operation as enrolment keeps it, and live evidence as diagnoses take it.

use crate::{
    diagnoses::{answer, code, opened, second},
    releases::{new_release, upload},
    world::{Org, World, config, csr, product},
};
use assessment::{Answer, CheckVerdict, Collector, Day, Entry, Evidence, Outcome, State};
use crypto::UnixTime;
use device::{Build, DeviceKind, EventKind};
use pki::{Certificate, Subject};
use service::{
    ApprovalState, Caller, EnrolRequest, Enrolled, EvidenceView, ItemQuery, NewArtifact,
    NewEvidence, OperationPolicy, OperationState, Page,
};

const ITEM: &str = "DEV-MFG-02";

async fn maker() -> (World, Org, Caller) {
    let world = World::with(config()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = second(&world, &maker).await;
    (world, maker, other)
}

/// What one item asks for.
fn one_item(signed: bool) -> OperationPolicy {
    OperationPolicy { required: true, weight: 6, items: vec![ITEM.into()], signed }
}

fn unit(certificate: &Certificate) -> String {
    Subject::from_name(&certificate.subject()).organisational_unit
}

async fn verify(world: &World, maker: &Org) {
    let one = opened(world, maker, "1.0").await;
    let on = Day::of(UnixTime(crate::world::NOW)).unwrap();
    let piece = Evidence { what: "trial T-1".into(), sha256: None, on, until: None };
    let met = Answer { evidence: vec![piece], ..answer(Outcome::Met) };
    let service = &world.service;
    service
        .answer_diagnosis(&maker.admin, &one.id, ITEM, 0, Some(Entry::Answer(met)))
        .await
        .unwrap();
}

#[tokio::test]
async fn until_the_items_are_verified_devices_are_prototypes() {
    let (world, maker, other) = maker().await;
    let owner = world.owner("owner").await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    // Nobody asked for anything: as ever.
    let free = world.made(&maker, "gate", Vec::new()).await;
    let idevid = world.idevid(&maker, "gate", &free).await;
    assert_eq!(
        (unit(&idevid.certificate), idevid.certificate.not_after()),
        (String::new(), UnixTime::NEVER)
    );
    assert_eq!(service.operation(admin, of, &line).await.unwrap().state, OperationState::Free);
    assert_eq!(code(service.enter_operation(admin, of, &line).await), "gate-off");
    let ldevid = join(&world, &maker, &owner, &free, &idevid).await;
    assert_eq!(unit(&ldevid.certificate), "");

    service.set_operation_policy(admin, of, one_item(false)).await.unwrap();
    let refused = service.enter_operation(admin, of, &line).await.unwrap_err();
    assert_eq!(refused.code(), "operation-gate");
    assert!(refused.to_string().contains("DEV-MFG-02 (open)"), "{refused}");
    assert!(refused.message_ja().unwrap().contains("DEV-MFG-02"));
    let prototype = world.made(&maker, "gate", Vec::new()).await;
    let marked = world.idevid(&maker, "gate", &prototype).await;
    assert_eq!(unit(&marked.certificate), "PROTOTYPE");
    assert_eq!(marked.certificate.not_after(), UnixTime(crate::world::NOW + 30 * 86_400));
    // What is in the field goes on: renewal of what was no prototype is none.
    world.clock.advance(60 * 86_400);
    let caller = service.identify_certificate(&ldevid.certificate).await.unwrap();
    let renewed = service.reenrol_device(&caller, &again(&free, &ldevid), None).await.unwrap();
    assert_eq!(unit(&renewed.certificate), "");

    verify(&world, &maker).await;
    let entered = service.enter_operation(admin, of, &line).await.unwrap();
    assert_eq!(
        (entered.state, entered.open.len(), entered.required),
        (OperationState::Operating, 0, 1)
    );
    assert_eq!(code(service.enter_operation(admin, of, &line).await), "in-operation");
    let product_made = world.made(&maker, "gate", Vec::new()).await;
    let good = world.idevid(&maker, "gate", &product_made).await;
    assert_eq!(
        (unit(&good.certificate), good.certificate.not_after()),
        (String::new(), UnixTime::NEVER)
    );
    assert_eq!(code(service.leave_operation(&maker.reader, of, &line, "x").await), "role");
    let left = service.leave_operation(admin, of, &line, "a fault was found").await.unwrap();
    assert_eq!(left.state, OperationState::Prototype);
    let last = world.made(&maker, "gate", Vec::new()).await;
    assert_eq!(unit(&world.idevid(&maker, "gate", &last).await.certificate), "PROTOTYPE");
    let history = service.operation_history(&maker.reader, of, &Page::default()).await.unwrap();
    let words: Vec<&str> = history.items.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(words, ["left", "entered", "policy"]);
    // Less is asked by two, and the change opens the gate at once.
    let less = OperationPolicy { required: false, ..one_item(false) };
    let asked = service.set_operation_policy(admin, of, less.clone()).await.unwrap_err();
    assert_eq!(asked.code(), "needs-second-person");
    let approval = asked.approval().unwrap();
    assert_eq!(code(service.approve(admin, &approval).await), "own-request");
    let done = service.approve(&other, &approval).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done, "{done:?}");
    assert_eq!(service.operation_policy(admin, of).await.unwrap(), less);
    let free = world.made(&maker, "gate", Vec::new()).await;
    assert_eq!(unit(&world.idevid(&maker, "gate", &free).await.certificate), "");
}

/// The device's request with the subject of the certificate that it renews.
fn again(thing: &crate::world::Thing, old: &Enrolled) -> EnrolRequest {
    let subject = Subject::from_name(&old.certificate.subject());
    let builder = pki::CsrBuilder { subject, ..pki::CsrBuilder::default() };
    EnrolRequest { label: None, csr: builder.build(&thing.key).unwrap() }
}

/// Sells a device and gets it its owner's certificate.
async fn join(
    world: &World,
    maker: &Org,
    owner: &Org,
    thing: &crate::world::Thing,
    idevid: &Enrolled,
) -> Enrolled {
    world
        .report(maker, &thing.id, EventKind::Tested { passed: true, standard: None })
        .await
        .unwrap();
    world.sell(maker, owner, &thing.id).await;
    world.report(owner, &thing.id, EventKind::Onboarded { owner: owner.id.clone() }).await.unwrap();
    let caller = world.service.identify_certificate(&idevid.certificate).await.unwrap();
    let request = EnrolRequest { label: None, csr: csr(&thing.key, &thing.serial) };
    world.service.enrol_device(&caller, &request, None).await.unwrap()
}

#[tokio::test]
async fn an_exception_takes_two_a_reason_and_an_end() {
    let (world, maker, other) = maker().await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    service.set_operation_policy(admin, of, one_item(true)).await.unwrap();
    let until = UnixTime(crate::world::NOW + 10 * 86_400);
    let overrule = |reason: &'static str, until| {
        let (service, admin, line) = (service.clone(), admin.clone(), line.clone());
        let of = of.clone();
        async move { service.overrule_operation(&admin, &of, &line, reason, until).await }
    };
    assert_eq!(code(overrule("", until).await), "reason");
    assert_eq!(code(overrule("fair", UnixTime(crate::world::NOW)).await), "until");
    assert_eq!(code(overrule("fair", until.plus(400 * 86_400)).await), "until");
    let asked = overrule("fair", until).await.unwrap_err();
    let approval = asked.approval().unwrap();
    let view = service.approval(&other, &approval).await.unwrap();
    assert!(view.summary.contains(ITEM) && view.summary.contains("fair"), "{}", view.summary);
    assert!(view.summary_ja.contains(ITEM));
    let done = service.approve(&other, &approval).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done, "{done:?}");
    let stands = service.operation(admin, of, &line).await.unwrap();
    assert_eq!((stands.state, stands.until), (OperationState::Overruled, Some(until)));
    assert_eq!(stands.overruled, [ITEM]);
    assert_eq!(stands.approved_by.as_deref(), Some("member maker/second"));
    let thing = world.made(&maker, "gate", Vec::new()).await;
    assert_eq!(unit(&world.idevid(&maker, "gate", &thing).await.certificate), "");
    // It ends by itself.
    world.clock.advance(10 * 86_400);
    assert_eq!(service.operation(admin, of, &line).await.unwrap().state, OperationState::Prototype);
    let thing = world.made(&maker, "gate", Vec::new()).await;
    assert_eq!(unit(&world.idevid(&maker, "gate", &thing).await.certificate), "PROTOTYPE");
    let history = service.operation_history(admin, of, &Page::default()).await.unwrap();
    assert_eq!(history.items[0].what, "overruled");
    assert!(history.items[0].detail.contains("fair") && history.items[0].detail.contains(ITEM));
}

#[tokio::test]
async fn one_administrator_alone_cannot_close_a_gate_that_nobody_could_open() {
    let world = World::with(config()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let set = world.service.set_operation_policy(&maker.admin, &maker.id, one_item(true)).await;
    assert_eq!(code(set), "no-second-administrator");
    let nothing = OperationPolicy { items: Vec::new(), ..one_item(true) };
    let set = world.service.set_operation_policy(&maker.admin, &maker.id, nothing).await;
    assert_eq!(code(set), "operation-policy", "a gate that asks for nothing is none");
    let wrong = OperationPolicy { items: vec!["NO-SUCH-01".into()], ..one_item(true) };
    let set = world.service.set_operation_policy(&maker.admin, &maker.id, wrong).await;
    assert_eq!(code(set), "operation-policy");
}

fn found(all: &[EvidenceView], collector: Collector) -> &EvidenceView {
    all.iter().find(|one| one.collector == collector).unwrap()
}

#[tokio::test]
async fn the_running_platform_answers_and_reopens() {
    let (world, maker, _) = maker().await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    let one = opened(&world, &maker, "1.0").await;
    let state = async |item: &str| {
        let (query, page) = (ItemQuery::default(), Page { after: None, limit: 1000 });
        let items = service.diagnosed_items(admin, &one.id, &query, &page).await.unwrap().items;
        items.into_iter().find(|found| found.answer.topic.to_string() == item).unwrap()
    };
    assert_eq!(state("DEV-ARC-04").await.state, State::Open);
    assert_eq!(code(service.collect_evidence(&maker.reader, of, &line).await), "role");
    let all = service.collect_evidence(admin, of, &line).await.unwrap();
    assert_eq!(all.len(), 13);
    // Nothing was made yet: nothing is shown by it.
    assert_eq!(found(&all, Collector::UniqueCredentials).verdict, CheckVerdict::Inconclusive);
    assert_eq!(found(&all, Collector::RootOfTrust).verdict, CheckVerdict::Pass);
    assert_eq!(found(&all, Collector::TwoPerson).verdict, CheckVerdict::Fail, "nothing is guarded");
    assert_eq!(
        found(&all, Collector::SupportEnd).verdict,
        CheckVerdict::Fail,
        "nothing is promised"
    );
    // The platform sees all of this item, so that nobody has to say it; and here it says otherwise.
    assert_eq!(state("DEV-ARC-04").await.state, State::Met);
    let said = Entry::Answer(answer(Outcome::Met));
    service.answer_diagnosis(admin, &one.id, "PLT-SWD-02", 0, Some(said)).await.unwrap();
    assert_eq!(state("PLT-SWD-02").await.state, State::NotMet, "a failing check beats words");
    // Lists count the same as figures.
    let figures = service.diagnosis_figures(admin, &one.id).await.unwrap();
    let layers: u32 = figures.layers.iter().map(|(_, score)| score.fulfilled_halves).sum();
    assert_eq!(layers, figures.view.total.fulfilled_halves);
    assert!(layers > 0);
    // It runs out, and does not pass any more.
    world.clock.advance(8 * 86_400);
    assert_eq!(state("DEV-ARC-04").await.state, State::Expired);
    assert_eq!(state("PLT-SWD-02").await.state, State::NotMet, "a failure does not go by itself");
    // A device without a credential is found, and with one it is not.
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let all = service.collect_evidence(admin, of, &line).await.unwrap();
    assert_eq!(found(&all, Collector::UniqueCredentials).verdict, CheckVerdict::Fail);
    world.idevid(&maker, "gate", &thing).await;
    let all = service.collect_evidence(admin, of, &line).await.unwrap();
    let unique = found(&all, Collector::UniqueCredentials);
    assert_eq!(unique.verdict, CheckVerdict::Pass);
    assert_eq!(unique.figures, [("devices".into(), "1".into()), ("with-own".into(), "1".into())]);
    let secrets = found(&all, Collector::SharedSecrets);
    assert_eq!(secrets.verdict, CheckVerdict::Pass, "{:?}", secrets.figures);
    let keys = found(&all, Collector::Algorithms);
    assert_eq!(keys.figures[0], ("used".into(), "p256:1".into()));
    let history = service.evidence_history(admin, of, &line, &Page::default()).await.unwrap();
    assert_eq!(history.items.len(), 39);
    assert_eq!(history.items.iter().filter(|one| one.replaced_at.is_none()).count(), 13);
    // Prototypes that stay with their maker are no products.
    let kind = EventKind::Assembled {
        kind: DeviceKind::Device,
        build: Build::Prototype,
        product: line.clone(),
        root_of_trust: None,
        key: None,
        parts: Vec::new(),
    };
    let new = service::NewDevice { id: None, serial_number: "P-1".into() };
    let views = service.register_devices(&maker.station, of, &line, vec![new]).await.unwrap();
    let view = views.into_iter().next().unwrap().unwrap();
    world.report(&maker, &view.id, kind).await.unwrap();
    let all = service.collect_evidence(admin, of, &line).await.unwrap();
    assert_eq!(found(&all, Collector::UniqueCredentials).verdict, CheckVerdict::Pass);
}

#[tokio::test]
async fn documents_count_for_their_version_and_are_held_against_lists() {
    let (world, maker, _) = maker().await;
    let (service, admin, of) = (&world.service, &maker.admin, &maker.id);
    let add = async |collector, subject: &str, bytes: &[u8]| {
        let new = NewEvidence {
            organisation: of.clone(),
            product: product("gate"),
            subject: subject.into(),
            collector,
            name: "ci".into(),
            bytes: bytes.to_vec(),
        };
        service.add_evidence(&maker.station, new).await
    };
    let one = opened(&world, &maker, "1.0").await;
    let state = async || {
        let figures = service.diagnosis_gaps(admin, &one.id).await.unwrap();
        figures.into_iter().find(|gap| gap.item.as_str() == "DEV-SWV-07").map(|gap| gap.state)
    };
    let said = Entry::Answer(answer(Outcome::Met));
    service.answer_diagnosis(admin, &one.id, "DEV-SWV-07", 0, Some(said)).await.unwrap();
    assert_eq!(state().await, Some(State::Claimed));
    let good = b"<testsuite><testcase name='a'/></testsuite>";
    let bad = b"<testsuite><testcase name='a'><failure/></testcase></testsuite>";
    add(Collector::Tests, "2.0", good).await.unwrap();
    assert_eq!(state().await, Some(State::Claimed), "it is about another version");
    let added = add(Collector::Tests, "1.0", good).await.unwrap();
    assert_eq!((added.verdict, added.digest), (CheckVerdict::Pass, crypto::sha256(good)));
    assert_eq!(state().await, None);
    assert_eq!(add(Collector::Tests, "1.0", bad).await.unwrap().verdict, CheckVerdict::Fail);
    assert_eq!(state().await, Some(State::NotMet));
    add(Collector::Tests, "1.0", good).await.unwrap();
    assert_eq!(state().await, None);

    let lcov = b"SF:a.c\nDA:1,1\nDA:2,0\nend_of_record\n";
    assert_eq!(
        add(Collector::Coverage, "1.0", lcov).await.unwrap().verdict,
        CheckVerdict::Inconclusive
    );
    let sarif = br#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[{"level":"error"}]}]}"#;
    assert_eq!(add(Collector::Findings, "1.0", sarif).await.unwrap().verdict, CheckVerdict::Fail);
    let bom = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library",
        "name":"serde","version":"1.0.1","purl":"pkg:cargo/serde@1.0.1"}]}"#;
    assert_eq!(
        add(Collector::Components, "1.0", bom).await.unwrap().verdict,
        CheckVerdict::Inconclusive
    );
    let approve = |list: &[&str]| {
        let list = list.iter().map(|one| (*one).to_owned()).collect();
        service.approve_components(admin, of, list)
    };
    approve(&["pkg:cargo/ring"]).await.unwrap();
    let found = add(Collector::Components, "1.0", bom).await.unwrap();
    assert_eq!(found.verdict, CheckVerdict::Fail);
    assert!(found.figures.contains(&("first".into(), "serde@1.0.1".into())), "{:?}", found.figures);
    approve(&["pkg:cargo/serde"]).await.unwrap();
    assert_eq!(add(Collector::Components, "1.0", bom).await.unwrap().verdict, CheckVerdict::Pass);
    assert_eq!(code(approve(&["serde"]).await), "component");
    for (collector, bytes) in [
        (Collector::Tests, &b"x"[..]),
        (Collector::Coverage, b"x"),
        (Collector::Findings, b"{}"),
        (Collector::Components, b"{}"),
        (Collector::Provenance, b"{}"),
        (Collector::TwoPerson, b"{}"),
    ] {
        assert_eq!(code(add(collector, "1.0", bytes).await), "evidence", "{collector}");
    }
    assert_eq!(code(add(Collector::Tests, "", good).await), "evidence-name");
    let stranger = world.maker("stranger", "lamp", DeviceKind::Device).await;
    let spy = &stranger.admin;
    assert_eq!(code(service.evidence(spy, of, &product("gate")).await), "not-found");
    assert_eq!(code(service.operation(spy, of, &product("gate")).await), "not-found");
    assert_eq!(code(service.approved_components(spy, of).await), "not-found");
}

fn tests_of(of: &Org, subject: &str, bytes: &[u8]) -> NewEvidence {
    NewEvidence {
        organisation: of.id.clone(),
        product: product("gate"),
        subject: subject.into(),
        collector: Collector::Tests,
        name: "ci".into(),
        bytes: bytes.to_vec(),
    }
}

#[tokio::test]
async fn what_is_about_old_versions_makes_room() {
    let (world, maker, _) = maker().await;
    let (service, by) = (&world.service, &maker.station);
    opened(&world, &maker, "1.0").await;
    let good = b"<testsuite><testcase name='a'/></testsuite>";
    let bad = b"<testsuite><testcase name='a'><failure/></testcase></testsuite>";
    // The oldest is a failure of a version that somebody looks at; another failure is nobody's.
    service.add_evidence(by, tests_of(&maker, "1.0", bad)).await.unwrap();
    service.add_evidence(by, tests_of(&maker, "nightly-0", bad)).await.unwrap();
    for night in 1..999 {
        let new = tests_of(&maker, &format!("nightly-{night}"), good);
        service.add_evidence(by, new).await.unwrap();
    }
    let counting = async || {
        let all = service.evidence(by, &maker.id, &product("gate")).await.unwrap();
        assert_eq!(all.len(), 1_000);
        let about = |subject: &str| all.iter().any(|one| one.subject == subject);
        (about("1.0"), about("nightly-0"), about("nightly-1"), about("nightly-2"))
    };
    assert_eq!(counting().await, (true, true, true, true));
    service.add_evidence(by, tests_of(&maker, "2.0", good)).await.unwrap();
    assert_eq!(counting().await, (true, false, true, true));
    service.add_evidence(by, tests_of(&maker, "2.1", good)).await.unwrap();
    assert_eq!(counting().await, (true, false, false, true));
}

#[tokio::test]
async fn provenance_of_files_that_changed_shows_nothing() {
    let (world, maker, _) = maker().await;
    let (service, admin) = (&world.service, &maker.admin);
    let draft = service.create_release(admin, new_release("1.0", 1)).await.unwrap().id;
    let add = async |name: &str, bytes: &[u8]| {
        let sha256 = upload(service, admin, "maker", bytes).await.unwrap();
        let file = NewArtifact { name: name.into(), sha256, hardware_ids: Vec::new() };
        service.add_artifact(admin, &draft, file).await.unwrap();
        sha256
    };
    let digest = add("fw.img", b"image").await;
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"fw.img",
        "digest":{{"sha256":"{digest}"}}}}],"predicateType":"https://slsa.dev/provenance/v1",
        "predicate":{{"buildDefinition":{{}},"runDetails":{{"builder":{{"id":"b"}}}}}}}}"#
    );
    let new = NewEvidence {
        collector: Collector::Provenance,
        ..tests_of(&maker, "1.0", statement.as_bytes())
    };
    let added = service.add_evidence(&maker.station, new).await.unwrap();
    assert_eq!(added.verdict, CheckVerdict::Pass);
    let verdict = async || {
        let all = service.evidence(admin, &maker.id, &product("gate")).await.unwrap();
        found(&all, Collector::Provenance).verdict
    };
    assert_eq!(verdict().await, CheckVerdict::Pass);
    let one = opened(&world, &maker, "1.0").await;
    let item = Collector::Provenance.items()[0].0;
    let checks = async || {
        let query = ItemQuery::default();
        let page = Page { after: None, limit: 1000 };
        let found = service.diagnosed_items(admin, &one.id, &query, &page).await.unwrap();
        let found = found.items.into_iter().find(|one| one.answer.topic.to_string() == item);
        let checks = found.unwrap().checks;
        checks.iter().find(|one| one.collector == Collector::Provenance).unwrap().verdict
    };
    assert_eq!(checks().await, CheckVerdict::Pass);
    add("more.img", b"of unknown origin").await;
    assert_eq!(verdict().await, CheckVerdict::Inconclusive);
    assert_eq!(checks().await, CheckVerdict::Inconclusive);
    service.remove_artifact(admin, &draft, "more.img").await.unwrap();
    assert_eq!(checks().await, CheckVerdict::Pass);
}

#[tokio::test]
async fn a_relaxation_is_approved_from_what_both_saw() {
    let (world, maker, other) = maker().await;
    let (service, admin, of) = (&world.service, &maker.admin, &maker.id);
    let policy = |weight, items: &[&str]| OperationPolicy {
        required: true,
        weight,
        items: items.iter().map(|one| (*one).to_owned()).collect(),
        signed: false,
    };
    let lines = async || {
        let history = service.operation_history(admin, of, &Page::default()).await.unwrap();
        history.items.len()
    };
    service.set_operation_policy(admin, of, policy(4, &[ITEM])).await.unwrap();
    // The same again is no change, and nobody reads of one.
    service.set_operation_policy(admin, of, policy(4, &[ITEM])).await.unwrap();
    assert_eq!(lines().await, 1);
    let relaxed = policy(5, &["DEV-SWD-01"]);
    let asked = service.set_operation_policy(admin, of, relaxed.clone()).await.unwrap_err();
    let approval = asked.approval().unwrap();
    let view = service.approval(&other, &approval).await.unwrap();
    assert!(view.summary.contains(ITEM), "what goes is named: {}", view.summary);
    // After an incident more is asked for; what was asked before is not from there.
    service.set_operation_policy(admin, of, policy(3, &[ITEM, "DEV-SWD-02"])).await.unwrap();
    let done = service.approve(&other, &approval).await.unwrap();
    assert_eq!(
        (done.state, done.outcome.as_deref()),
        (ApprovalState::Failed, Some("operation-policy-changed"))
    );
    let stands = service.operation_policy(admin, of).await.unwrap();
    assert_eq!((stands.weight, stands.items.len()), (3, 2));
    // Asked again, from what it is now.
    let asked = service.set_operation_policy(admin, of, relaxed.clone()).await.unwrap_err();
    let done = service.approve(&other, &asked.approval().unwrap()).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done, "{done:?}");
    assert_eq!(service.operation_policy(admin, of).await.unwrap(), relaxed);
}
