//! Acts on behalf, bulk jobs, export, overview.

use crate::world::{Org, TestClock, Thing, World, config, id, open, product};
use device::{
    Cause, DeviceKind, EventKind, Kind, Language, Outcome, PassportFile, Phase, SignedEvent,
    StandingKind, VerifyOptions,
};
use policy::{Role, Roles};
use service::{
    Attention, BulkAct, Caller, Clock as _, Config, Consequence, DeviceAct, DeviceSearch, JobState,
    JobView, NewDevice, Page, Selection, Service, VerifyRequest, fault,
};
use std::{
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

const SUSPEND: DeviceAct = DeviceAct::Suspend { cause: Cause::Recall };

fn codes(consequences: &[Consequence]) -> Vec<&'static str> {
    consequences.iter().map(Consequence::code).collect()
}

#[tokio::test]
async fn a_sale_from_two_desks_ends_the_sellers_access_and_verifies_offline() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let seller = world.owner("seller").await;
    let buyer = world.owner("buyer").await;
    let working = world.working(&maker, "gate", &seller).await;
    let device = &working.thing.id;
    let service = &world.service;
    let offer = DeviceAct::OfferTransfer { to: buyer.id.clone() };

    // Who has nothing to do with it learns nothing, who sees it only may not.
    let stranger = service.preview_act(&buyer.admin, device, &offer).await;
    assert_eq!(stranger.unwrap_err().code(), "not-found");
    let by_maker = service.preview_act(&maker.admin, device, &offer).await.unwrap();
    assert!(!by_maker.allowed() && by_maker.consequences.is_empty());
    assert_eq!(service.perform_act(&maker.admin, device, &offer).await.unwrap_err().code(), "role");
    let reader = service.preview_act(&seller.reader, device, &offer).await.unwrap();
    assert_eq!(reader.refusal.unwrap().code, "role");
    let nobody = DeviceAct::OfferTransfer { to: id("nobody-here") };
    assert_eq!(
        service.perform_act(&seller.admin, device, &nobody).await.unwrap_err().code(),
        "not-found"
    );

    let preview = service.preview_act(&seller.admin, device, &offer).await.unwrap();
    assert_eq!(codes(&preview.consequences), ["offer-is-open", "signed-on-behalf-of"]);
    service.perform_act(&seller.admin, device, &offer).await.unwrap();
    let accept = DeviceAct::AcceptTransfer;
    assert_eq!(
        service.perform_act(&seller.admin, device, &accept).await.unwrap_err().code(),
        "not-entitled"
    );
    let preview = service.preview_act(&buyer.admin, device, &accept).await.unwrap();
    let expected = [
        "cannot-be-undone",
        "former-owner-loses-access",
        "certificates-revoked",
        "shares-and-codes-end",
        "phase-becomes",
        "must-be-onboarded-again",
        "signed-on-behalf-of",
    ];
    assert_eq!(codes(&preview.consequences), expected);
    for consequence in &preview.consequences {
        let (ja, en) = (consequence.text(Language::Ja), consequence.text(Language::En));
        assert!(!ja.is_ascii() && en != ja, "{ja} {en}");
    }
    service.identify_certificate(&working.ldevid.certificate).await.unwrap();
    service.perform_act(&buyer.admin, device, &accept).await.unwrap();
    let ended = service.identify_certificate(&working.ldevid.certificate).await.unwrap_err();
    assert_eq!(ended.code(), "certificate-revoked");
    assert_eq!(service.device(&seller.admin, device).await.unwrap_err().code(), "not-found");
    assert_eq!(service.device(&buyer.admin, device).await.unwrap().owner, buyer.id);

    // The history says who signed for whom, and outsiders can check it.
    let history = service.history(&buyer.admin, device, &Page::default()).await.unwrap();
    let last = history.items.last().unwrap();
    let signed = SignedEvent::parse(last.cose.as_ref().unwrap()).unwrap();
    let event = signed.unverified();
    assert_eq!((last.kind, last.reporter.as_str()), (Kind::TransferAccepted, "platform"));
    assert_eq!(event.principal(), &buyer.id);
    assert_eq!(event.actor.as_deref(), Some("member buyer/admin"));
    service.integrate_now().await.unwrap();
    let request = VerifyRequest::default();
    let verdict = service.verify_device(&buyer.admin, device, request).await.unwrap();
    assert_ne!(verdict.outcome, Outcome::Rejected, "{:?}", verdict.reasons);
    let bytes = service.export_passport(&buyer.admin, device).await.unwrap();
    let file = PassportFile::parse(&bytes).unwrap();
    let anchors = crate::verdict::trust(&world).await;
    let offline = file.verify(&anchors, &VerifyOptions::default(), world.clock.now());
    assert_eq!(offline.outcome, verdict.outcome, "{:?}", offline.reasons);

    // Its end.
    let dispose = DeviceAct::Dispose { erasure_proof: None };
    let early = service.preview_act(&buyer.admin, device, &dispose).await.unwrap();
    assert_eq!(early.refusal.unwrap().code, "phase-forbids");
    let retire = DeviceAct::Retire { cause: Cause::EndOfLife };
    service.perform_act(&buyer.admin, device, &retire).await.unwrap();
    let preview = service.preview_act(&buyer.admin, device, &dispose).await.unwrap();
    assert!(codes(&preview.consequences).contains(&"history-closes"));
    service.perform_act(&buyer.admin, device, &dispose).await.unwrap();
    assert_eq!(service.device(&buyer.admin, device).await.unwrap().phase, Some(Phase::Disposed));
    let again = service.perform_act(&buyer.admin, device, &retire).await.unwrap_err();
    assert_eq!(again.code(), "history-closed");
}

#[tokio::test]
async fn offers_are_withdrawn_and_declined_from_a_desk() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let buyer = world.owner("buyer").await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let service = &world.service;
    let offer = DeviceAct::OfferTransfer { to: buyer.id.clone() };
    let cancel = DeviceAct::CancelTransfer;
    let none = service.perform_act(&maker.admin, &thing.id, &cancel).await.unwrap_err();
    assert_eq!(none.code(), "no-transfer-pending");
    service.perform_act(&maker.admin, &thing.id, &offer).await.unwrap();
    service.perform_act(&maker.admin, &thing.id, &cancel).await.unwrap();
    let late = service.perform_act(&buyer.admin, &thing.id, &DeviceAct::AcceptTransfer).await;
    assert_eq!(late.unwrap_err().code(), "not-found");
}

async fn registered(world: &World, maker: &Org, count: usize) {
    let new = (0..count).map(|n| NewDevice { id: None, serial_number: format!("-{n:04}") });
    let done = world
        .service
        .register_devices(&maker.station, &maker.id, &product("gate"), new.collect())
        .await
        .unwrap();
    assert!(done.iter().all(Result::is_ok));
}

pub(crate) async fn over(service: &Service, caller: &Caller, job: &JobView) -> JobView {
    for _ in 0..300 {
        let job = service.job(caller, &job.id).await.unwrap();
        if job.state.is_over() {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the job does not end");
}

pub(crate) async fn result(service: &Service, caller: &Caller, job: &JobView) -> Vec<String> {
    let mut result = service.job_result(caller, &job.id, false).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = result.next().await {
        bytes.extend(piece.unwrap());
    }
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

fn everything() -> Selection {
    Selection::Search(Box::default())
}

async fn made(world: &World, maker: &Org, count: usize) -> Vec<Thing> {
    let mut things = Vec::new();
    for _ in 0..count {
        things.push(world.made(maker, "gate", Vec::new()).await);
    }
    things
}

#[tokio::test]
async fn a_job_does_each_device_once_and_says_what_came_of_it() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let things = made(&world, &maker, 25).await;
    registered(&world, &maker, 1).await;
    let foreign = world.made(&other, "gate", Vec::new()).await;
    let service = &world.service;
    service.suspend_device(&maker.admin, &things[0].id, Cause::Lost).await.unwrap();
    let act = BulkAct::Device(SUSPEND);

    let preview = service.preview_bulk(&maker.admin, &maker.id, &act, &everything()).await.unwrap();
    assert_eq!((preview.devices, preview.tried, preview.allowed), (26, 26, 24));
    let mut refusals: Vec<_> = preview.refusals.iter().map(|(p, n)| (p.code, *n)).collect();
    refusals.sort_unstable();
    assert_eq!(refusals, [("not-begun", 1), ("standing-forbids", 1)]);

    let start = async |caller: &Caller, org: &Org, selection: &Selection, reason: &str| {
        service.start_bulk(caller, &org.id, &act, selection, reason).await
    };
    let refused = async |caller: &Caller, org: &Org, selection: &Selection, reason: &str| {
        start(caller, org, selection, reason).await.unwrap_err().code()
    };
    let all = everything();
    assert_eq!(refused(&maker.reader, &maker, &all, "x").await, "role");
    assert_eq!(refused(&other.admin, &maker, &all, "x").await, "not-found");
    assert_eq!(refused(&maker.admin, &maker, &all, " ").await, "reason");
    let mixed = Selection::Devices(vec![things[1].id, foreign.id]);
    assert_eq!(refused(&maker.admin, &maker, &mixed, "x").await, "not-found");
    assert_eq!(
        refused(&maker.admin, &maker, &Selection::Devices(Vec::new()), "x").await,
        "selection"
    );
    let many = Selection::Devices(vec![things[1].id; 10_001]);
    assert_eq!(refused(&maker.admin, &maker, &many, "x").await, "selection-too-large");

    let job = start(&maker.admin, &maker, &all, "回収 2026-11").await.unwrap();
    assert_eq!((job.total, job.act.as_str()), (26, "suspend"));
    let job = over(service, &maker.admin, &job).await;
    assert_eq!((job.state, job.done, job.failed), (JobState::Done, 26, 2));
    assert_eq!(job.started_by, "member maker/admin");
    let lines = result(service, &maker.admin, &job).await;
    assert_eq!(lines.len(), 27);
    assert_eq!(lines[0], "device,management_number,serial_number,outcome,code,text");
    let of = |text: &str| lines.iter().find(|line| line.contains(text)).unwrap().clone();
    assert!(of(&things[0].id.to_string()).contains(",refused,standing-forbids,"));
    assert!(of(&things[1].id.to_string()).ends_with(",done,done,"));
    // A serial number that begins like a formula is a text.
    assert!(of("-0000").contains(",\"'-0000\",refused,not-begun,"));
    for thing in &things {
        let device = service.device(&maker.admin, &thing.id).await.unwrap();
        assert_eq!((device.standing, device.events), (StandingKind::Suspended, 2));
    }
    assert_eq!(
        service.device(&other.admin, &foreign.id).await.unwrap().standing,
        StandingKind::Good
    );

    // Nobody else sees it.
    for answer in [
        service.job(&other.admin, &job.id).await.map(drop),
        service.cancel_job(&other.admin, &job.id).await.map(drop),
        service.job_result(&other.admin, &job.id, false).await.map(drop),
        service.jobs(&other.admin, &maker.id, &Page::default()).await.map(drop),
    ] {
        assert_eq!(answer.unwrap_err().code(), "not-found");
    }
    assert_eq!(service.cancel_job(&maker.reader, &job.id).await.unwrap_err().code(), "role");
    assert_eq!(service.cancel_job(&maker.admin, &job.id).await.unwrap_err().code(), "job-over");
    let jobs = service.jobs(&maker.reader, &maker.id, &Page::default()).await.unwrap();
    assert_eq!(jobs.items, [job]);
}

#[tokio::test]
async fn released_codes_are_in_the_result_and_nowhere_else() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    registered(&world, &maker, 3).await;
    let act = BulkAct::ReleaseCodes { lifetime_s: 3600 };
    let service = &world.service;
    let job = service
        .start_bulk(&maker.admin, &maker.id, &act, &everything(), "first batch")
        .await
        .unwrap();
    let job = over(service, &maker.admin, &job).await;
    assert_eq!((job.done, job.failed), (3, 0));
    let lines = result(service, &maker.admin, &job).await;
    assert!(lines[0].ends_with(",enrolment_code"));
    let code = lines[1].rsplit(',').next().unwrap().to_owned();
    let device = lines[1].split(',').next().unwrap();
    service.identify_code(device, &code).await.unwrap();
    let read = service.job_result(&maker.reader, &job.id, false).await;
    assert_eq!(read.unwrap_err().code(), "role");
    service.integrate_now().await.unwrap();
    for file in ["tegata.db", "tegata.db-wal"] {
        let bytes = std::fs::read(world.path().join(file)).unwrap();
        let found = bytes.windows(code.len()).any(|window| window == code.as_bytes());
        assert!(!found, "{file} holds a code");
    }
    let too_long = BulkAct::ReleaseCodes { lifetime_s: i64::MAX };
    let refused = service.start_bulk(&maker.admin, &maker.id, &too_long, &everything(), "x").await;
    assert_eq!(refused.unwrap_err().code(), "act");
}

#[tokio::test]
async fn a_job_ends_with_the_rights_of_who_started_it_and_when_it_is_cancelled() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    made(&world, &maker, 90).await;
    let service = &world.service;
    let (operator, certificate) =
        world.member(&maker.id, "operator", Roles::of(&[Role::Operator])).await;
    let act = BulkAct::Device(SUSPEND);
    let job = service.start_bulk(&operator, &maker.id, &act, &everything(), "x").await.unwrap();
    service.remove_member(&maker.admin, &maker.id, &certificate.fingerprint()).await.unwrap();
    let job = over(service, &maker.admin, &job).await;
    assert_eq!(job.state, JobState::Failed, "{job:?}");
    assert!(job.done < 90 && job.note.unwrap().contains("may not do this any more"));

    let act = BulkAct::Device(DeviceAct::Revoke { cause: Cause::Recall });
    let job = service.start_bulk(&maker.admin, &maker.id, &act, &everything(), "x").await.unwrap();
    let job = service.cancel_job(&maker.admin, &job.id).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let later = service.job(&maker.admin, &job.id).await.unwrap();
    assert!(later.done < 90 && later.done == job.done, "{later:?}");
    let lines = result(service, &maker.admin, &later).await;
    let open = lines.iter().filter(|line| line.contains(",open,")).count() as u64;
    assert_eq!(open, 90 - later.done);
}

#[tokio::test]
async fn a_job_goes_on_where_it_stood_whichever_way_a_commit_failed() {
    for point in [fault::BEFORE_COMMIT, fault::AFTER_COMMIT] {
        let armed = Arc::new(AtomicBool::new(false));
        let passed = Arc::new(AtomicU64::new(0));
        let (trigger, count) = (armed.clone(), passed.clone());
        let faults = fault::Faults::injected(move |name| {
            name == point
                && trigger.load(Ordering::SeqCst)
                && count.fetch_add(1, Ordering::SeqCst) == 7
        });
        let world = World::with(Config { faults: Some(faults), ..config() }).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let things = made(&world, &maker, 70).await;
        armed.store(true, Ordering::SeqCst);
        let act = BulkAct::Device(SUSPEND);
        let started =
            world.service.start_bulk(&maker.admin, &maker.id, &act, &everything(), "x").await;
        let job = started.unwrap();
        for _ in 0..100 {
            if passed.load(Ordering::SeqCst) > 7 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(passed.load(Ordering::SeqCst) > 7, "{point} was not passed often enough");
        world.service.close();
        let service = open(world.path(), config(), &world.clock);
        whole(&service, &maker, &things, &job).await;
        service.close();
    }
}

/// Every device was suspended exactly once, and the job knows.
async fn whole(service: &Service, maker: &Org, things: &[Thing], job: &JobView) {
    let job = over(service, &maker.admin, job).await;
    let total = things.len() as u64;
    assert_eq!((job.state, job.done, job.failed), (JobState::Done, total, 0));
    for thing in things {
        let device = service.device(&maker.admin, &thing.id).await.unwrap();
        assert_eq!((device.standing, device.events), (StandingKind::Suspended, 2));
    }
    service.integrate_now().await.unwrap();
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert!(check.problems.is_empty(), "{:?}", check.problems);
}

const DIRECTORY: &str = "TEGATA_TEST_JOB_DIRECTORY";

/// What the next test runs in a process of its own and kills; by itself it does nothing.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(DIRECTORY) else { return };
    let world = World::at(Path::new(&dir), config()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    made(&world, &maker, 100).await;
    let act = BulkAct::Device(SUSPEND);
    let job =
        world.service.start_bulk(&maker.admin, &maker.id, &act, &everything(), "x").await.unwrap();
    std::fs::write(Path::new(&dir).join("job"), job.id.to_string()).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_job_survives_the_end_of_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["jobs::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let read = |sql: &str| -> Option<i64> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let path = dir.path().join("tegata.db");
        let connection = rusqlite::Connection::open_with_flags(path, flags).ok()?;
        connection.query_row(sql, [], |row| row.get(0)).ok()
    };
    let done = || read("SELECT done FROM job");
    for _ in 0..1200 {
        if done().is_some_and(|done| done >= 20) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = done().unwrap();
    assert!((20..100).contains(&before), "{before}");
    let service = open(dir.path(), config(), &TestClock::new());
    for _ in 0..400 {
        if read("SELECT state FROM job") == Some(3) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    service.integrate_now().await.unwrap();
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert!(check.problems.is_empty(), "{:?}", check.problems);
    service.close();
    let connection = rusqlite::Connection::open(dir.path().join("tegata.db")).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT count(*) FROM job WHERE state = 3 AND done = 100 AND failed = 0"), 1);
    assert_eq!(number("SELECT count(*) FROM device WHERE standing = 2 AND sequence = 2"), 100);
    assert_eq!(number("SELECT count(*) FROM event WHERE kind = 20"), 100);
}

#[tokio::test]
async fn an_export_has_every_device_once() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    registered(&world, &maker, 1200).await;
    let wanted = DeviceSearch::default();
    let mut export =
        world.service.export_devices(&maker.admin, &maker.id, &wanted, true).await.unwrap();
    let (mut text, mut pieces) = (String::new(), 0);
    while let Some(piece) = export.next().await {
        text.push_str(&String::from_utf8(piece.unwrap()).unwrap());
        pieces += 1;
    }
    assert!(pieces >= 3, "in pieces");
    assert!(text.starts_with("\u{feff}device,management_number,"));
    let serials: std::collections::BTreeSet<&str> =
        text.lines().skip(1).map(|line| line.split(',').nth(3).unwrap()).collect();
    assert_eq!((serials.len(), text.lines().count()), (1200, 1201));
    assert!(serials.contains("\"'-0007\""), "no formula");
    let foreign = world.service.export_devices(&other.admin, &maker.id, &wanted, false).await;
    assert_eq!(foreign.unwrap_err().code(), "not-found");
}

#[tokio::test]
async fn a_file_ends_with_the_rights_of_who_asked_for_it() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    registered(&world, &maker, 1200).await;
    let service = &world.service;
    let roles = Roles::of(&[Role::Operator]);
    let wanted = DeviceSearch::default();
    let (operator, certificate) = world.member(&maker.id, "operator", roles).await;
    let mut export = service.export_devices(&operator, &maker.id, &wanted, false).await.unwrap();
    let act = BulkAct::ReleaseCodes { lifetime_s: 3600 };
    let job = service.start_bulk(&operator, &maker.id, &act, &everything(), "x").await.unwrap();
    let mut codes = service.job_result(&operator, &job.id, false).await.unwrap();
    let mut read = service.job_result(&maker.admin, &job.id, false).await.unwrap();
    export.next().await.unwrap().unwrap();
    codes.next().await.unwrap().unwrap();
    read.next().await.unwrap().unwrap();
    service.remove_member(&maker.admin, &maker.id, &certificate.fingerprint()).await.unwrap();
    assert_eq!(export.next().await.unwrap().unwrap_err().code(), "starter-gone");
    assert!(export.next().await.is_none());
    assert_eq!(codes.next().await.unwrap().unwrap_err().code(), "starter-gone");
    assert!(codes.next().await.is_none());
    assert!(read.next().await.unwrap().is_ok(), "others read on");
    assert!(read.next().await.is_none());
    service.cancel_job(&maker.admin, &job.id).await.unwrap();
}

#[tokio::test]
async fn a_job_is_filled_in_though_nobody_waits_for_it() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    registered(&world, &maker, 2_500).await;
    let (service, all, act) = (&world.service, everything(), BulkAct::Device(SUSPEND));
    let jobs = async |service: &Service| {
        service.jobs(&maker.admin, &maker.id, &Page::default()).await.unwrap().items
    };
    // Whoever asked hangs up as soon as the job is on record.
    let mut start = Box::pin(service.start_bulk(&maker.admin, &maker.id, &act, &all, "x"));
    while jobs(service).await.is_empty() {
        tokio::select! {
            biased;
            started = &mut start => {
                started.unwrap();
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
    drop(start);
    let job = jobs(service).await.remove(0);
    assert_eq!(job.total, 2_500);
    // And the process ends before it is filled in, or soon after.
    world.service.close();
    let service = open(world.path(), config(), &world.clock);
    let mut state = JobState::Preparing;
    for _ in 0..600 {
        state = jobs(&service).await.remove(0).state;
        if state != JobState::Preparing {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(matches!(state, JobState::Waiting | JobState::Running), "{state:?}");
    let job = service.cancel_job(&maker.admin, &job.id).await.unwrap();
    let lines = result(&service, &maker.admin, &job).await;
    let devices: std::collections::BTreeSet<&str> =
        lines.iter().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((lines.len(), devices.len()), (2_501, 2_500));
    let audit = service
        .audit(&maker.admin, Some(&maker.id), None, &Page { after: None, limit: 200 })
        .await
        .unwrap();
    let text = format!("{audit:?}");
    assert!(text.contains("job-started") && text.contains("2500"), "{text}");
    // What is left of the selection is nobody's.
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let left = connection
        .query_row("SELECT count(*) FROM job_selection", [], |row| row.get::<_, i64>(0))
        .unwrap();
    assert_eq!(left, 0);
    service.close();
}

#[tokio::test]
async fn an_overview_counts_what_lists_show() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let held = world.made(&maker, "gate", Vec::new()).await;
    registered(&world, &maker, 2).await;
    let service = &world.service;
    service.suspend_device(&maker.admin, &held.id, Cause::Lost).await.unwrap();
    let request = VerifyRequest::default();
    service.verify_device(&maker.admin, &held.id, request).await.unwrap();
    for _ in 0..100 {
        let wanted =
            DeviceSearch { attention: Some(Attention::Suspect), ..DeviceSearch::default() };
        let page = Page::default();
        let list = service.search_devices(&maker.admin, &maker.id, &wanted, &page).await.unwrap();
        if !list.items.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let overview = service.overview(&maker.admin, &maker.id).await.unwrap();
    assert_eq!(overview.devices, 3);
    assert_eq!(overview.as_of, world.clock.now());
    assert!(overview.phases.contains(&(None, 2)));
    assert!(overview.phases.contains(&(Some(Phase::MassProduction), 1)));
    let standings = [(StandingKind::Good, 2), (StandingKind::Suspended, 1)];
    assert_eq!(overview.standings, standings);
    assert_eq!(overview.outcomes, [(Some(Outcome::Rejected), 1), (None, 2)]);
    let today = overview.verdicts.last().unwrap();
    assert_eq!((overview.verdicts.len(), today.rejected, today.genuine), (30, 1, 0));
    let count = |kind: &str| {
        let found = overview.attention.iter().find(|(attention, _)| attention.name() == kind);
        let (_, counted) = found.unwrap();
        assert!(!counted.at_least);
        counted.count
    };
    assert_eq!((count("suspect"), count("suspended"), count("alarm")), (1, 1, 0));
    assert_eq!((count("stale"), count("expiring")), (0, 0));
    let newest = &overview.newest[0];
    assert_eq!((newest.device, newest.kind), (held.id, Kind::Suspended));
    assert!(newest.on_behalf && newest.principal == maker.id);
    assert_eq!(newest.actor.as_deref(), Some("member maker/admin"));
    assert!(overview.newest.iter().all(|event| event.device != working.thing.id), "sold");

    assert_eq!(service.overview(&owner.admin, &maker.id).await.unwrap_err().code(), "not-found");
    let whole = service.overview(&world.platform_admin, &id("platform")).await.unwrap();
    assert_eq!(whole.devices, 4);
    assert!(whole.newest.is_empty() && whole.attention.is_empty(), "no devices of others");
    let kind = EventKind::Tested { passed: true, standard: None };
    world.report(&maker, &held.id, kind).await.unwrap();
    let kept = service.overview(&maker.admin, &maker.id).await.unwrap();
    assert_eq!(kept.as_of, overview.as_of);
    world.clock.advance(121);
    let fresh = service.overview(&maker.admin, &maker.id).await.unwrap();
    assert_eq!((fresh.as_of, fresh.newest[0].kind), (world.clock.now(), Kind::Tested));
}

#[tokio::test]
async fn a_passport_page_has_parts_life_and_owners() {
    let world = World::new().await;
    let chips = world.maker("chips", "lsi", DeviceKind::Chip).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let stranger = world.owner("stranger").await;
    let board = world.made(&maker, "gate", Vec::new()).await;
    let unknown = device::DeviceId::from_bytes([9; 16]);
    let mut parts = vec![
        device::Part { device: board.id, kind: DeviceKind::Board },
        device::Part { device: unknown, kind: DeviceKind::Chip },
    ];
    parts.sort_unstable();
    let service = &world.service;
    let thing = world.made(&maker, "gate", parts.clone()).await;
    service.suspend_device(&maker.admin, &board.id, Cause::Vulnerability).await.unwrap();
    let tree = service.parts_tree(&maker.admin, &thing.id).await.unwrap();
    assert_eq!(tree.len(), 2);
    let of = |id| tree.iter().find(|node| node.device == id).unwrap();
    assert_eq!(of(board.id).standing, Some(StandingKind::Suspended));
    assert_eq!(of(board.id).serial_number.as_ref(), Some(&board.serial));
    assert_eq!((of(unknown).phase, of(unknown).standing), (None, None));
    assert_eq!(of(board.id).claimed_elsewhere, 0);
    world.made(&maker, "gate", parts).await;
    let tree = service.parts_tree(&maker.admin, &thing.id).await.unwrap();
    assert!(tree.iter().all(|node| node.claimed_elsewhere == 1), "{tree:?}");
    let alarm = DeviceSearch { attention: Some(Attention::Alarm), ..DeviceSearch::default() };
    let page = Page::default();
    let found = service.search_devices(&maker.admin, &maker.id, &alarm, &page).await.unwrap();
    assert_eq!(found.items.len(), 2);

    let sale = world.made(&maker, "gate", Vec::new()).await;
    world.sell(&maker, &owner, &sale.id).await;
    service.integrate_now().await.unwrap();
    let page = Page { after: None, limit: 2 };
    let newest = service.timeline(&owner.admin, &sale.id, &page).await.unwrap();
    let kinds: Vec<Kind> = newest.items.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Kind::TransferAccepted, Kind::TransferOffered]);
    assert!(newest.items.iter().all(|entry| entry.proof == service::ProofState::InCheckpoint));
    let event = newest.items[0].event.as_ref().unwrap();
    assert_eq!(event.actor.as_deref(), Some("Taro Yamada"));
    let page = Page { after: newest.next, limit: 2 };
    let rest = service.timeline(&owner.admin, &sale.id, &page).await.unwrap();
    assert_eq!((rest.items.len(), rest.items[0].sequence, rest.next), (1, 0, None));
    let owners = service.owners(&owner.admin, &sale.id).await.unwrap();
    let names: Vec<&str> = owners.iter().map(|o| o.owner.as_ref().unwrap().as_str()).collect();
    assert_eq!(names, ["maker", "owner"]);
    for answer in [
        service.parts_tree(&stranger.admin, &thing.id).await.map(drop),
        service.timeline(&chips.admin, &sale.id, &Page::default()).await.map(drop),
        service.owners(&stranger.admin, &sale.id).await.map(drop),
        service.device_state(&stranger.admin, &sale.id).await.map(drop),
    ] {
        assert_eq!(answer.unwrap_err().code(), "not-found");
    }
}
