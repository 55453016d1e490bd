//! Releases, campaigns, vulnerabilities, cases.

use crate::{
    site::Page,
    stage::{CAST, Stage, is_sound},
    world::{World, id, product},
};
use crypto::{Sha256, UnixTime, sha256};
use device::{DeviceId, Language};
use http::StatusCode;
use serde_json::json;
use service::{
    AttachmentKind, Caller, CampaignId, DeviceRelation, DeviceSearch, DeviceSoftware, Execution,
    Feedback, NewArtifact, NewAttachment, NewCampaign, NewRelease, NewUpload, Poll, ReleaseId,
    ReleaseView, Service, UpdateDecision,
};
use std::time::Duration;
use update::campaign::{Plan, Stage as Part};

async fn upload(service: &Service, caller: &Caller, bytes: &[u8]) -> Sha256 {
    let sha256 = sha256(bytes);
    let length = u64::try_from(bytes.len()).unwrap();
    let new = NewUpload { organisation: id("maker"), sha256, length };
    let upload = service.begin_blob(caller, new).await.unwrap();
    if usize::try_from(upload.received).unwrap() < bytes.len() {
        let mut writer = service.append_blob(caller, &upload.id, upload.received).await.unwrap();
        writer.write(bytes.to_vec()).await.unwrap();
        writer.close().await.unwrap();
    }
    service.finish_blob(caller, &upload.id).await.unwrap();
    sha256
}

/// A bill of materials of the product `gate`, with one package of crates.io in it.
fn sbom(version: &str, serde: &str) -> Vec<u8> {
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "firmware", "name": "gate", "version": version}},
        "components": [{"type": "library", "name": "serde", "version": serde,
            "purl": format!("pkg:cargo/serde@{serde}")}]})
    .to_string()
    .into_bytes()
}

/// A draft with a file, and with an SBOM where `serde` is the version of that package.
async fn draft(world: &World, caller: &Caller, version: &str, serde: Option<&str>) -> ReleaseId {
    let service = &world.service;
    let new = NewRelease {
        organisation: id("maker"),
        product: product("gate"),
        version: version.into(),
        security_version: 1,
        release_counter: None,
        hardware_ids: vec!["gate-bg1".into()],
        notes: "<b>改善</b>".into(),
    };
    let release = service.create_release(caller, new).await.unwrap().id;
    let sha256 = upload(service, caller, format!("image {version}").as_bytes()).await;
    let image = NewArtifact { name: "fw.img".into(), sha256, hardware_ids: Vec::new() };
    service.add_artifact(caller, &release, image).await.unwrap();
    if let Some(serde) = serde {
        let sha256 = upload(service, caller, &sbom(version, serde)).await;
        let new = NewAttachment { kind: AttachmentKind::Sbom, name: "bom.json".into(), sha256 };
        service.attach(caller, &release, new).await.unwrap();
    }
    release
}

async fn published(world: &World, caller: &Caller, version: &str, serde: &str) -> ReleaseView {
    let release = draft(world, caller, version, Some(serde)).await;
    world.service.publish_release(caller, &release, None).await.unwrap()
}

/// Waits until everything is judged.
async fn judged(world: &World, caller: &Caller) {
    for _ in 0..6_000 {
        let known = world.service.advisory_knowledge(caller, &id("maker")).await.unwrap();
        if known.waiting == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is never judged");
}

async fn import(world: &World, document: serde_json::Value) {
    let bytes = vec![document.to_string().into_bytes()];
    let admin = &world.platform_admin;
    let platform = id("platform");
    world.service.import_advisories(admin, &platform, "test", bytes).await.unwrap();
}

/// A vulnerability of `serde` before 1.0.1, of high severity, and whether it is exploited.
async fn vulnerability(world: &World, exploited: bool) {
    import(
        world,
        json!({"schema_version": "1.7.0", "id": "CVE-2026-1",
            "modified": UnixTime(100).to_string(), "summary": "<i>serde</i> is broken",
            "severity": [{"type": "CVSS_V3",
                "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N"}],
            "affected": [{"package": {"ecosystem": "crates.io", "name": "serde"},
                "ranges": [{"type": "SEMVER",
                    "events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}]}]}),
    )
    .await;
    if exploited {
        import(
            world,
            json!({"catalogVersion": "1", "dateReleased": UnixTime(100).to_string(),
                "vulnerabilities": [{"cveID": "CVE-2026-1", "dateAdded": "2026-01-01"}]}),
        )
        .await;
    }
}

fn says(release: &ReleaseView) -> DeviceSoftware {
    DeviceSoftware {
        hardware_id: Some("gate-bg1".into()),
        version: Some(release.version.clone()),
        release_counter: Some(release.release_counter),
        security_version: Some(release.security_version),
        digest: None,
        confirmed: true,
    }
}

/// Devices of the maker that run a release, each with itself as caller.
async fn running(stage: &Stage, release: &ReleaseView, count: usize) -> Vec<(DeviceId, Caller)> {
    let world = &stage.world;
    let mut all = Vec::new();
    for _ in 0..count {
        let thing = world.made(&stage.maker, "gate", Vec::new()).await;
        let idevid = world.idevid(&stage.maker, "gate", &thing).await;
        let caller = world.service.identify_certificate(&idevid.certificate).await.unwrap();
        world.service.poll_update(&caller, &says(release)).await.unwrap();
        all.push((thing.id, caller));
    }
    all
}

fn action(poll: &Poll) -> u64 {
    match &poll.decision {
        UpdateDecision::Install(assignment) => assignment.action,
        other => panic!("{other:?}"),
    }
}

fn new_campaign(release: &ReleaseView) -> NewCampaign {
    let stage = |share| Part { share, success_percent: 100, error_percent: 100, soak_s: 0 };
    NewCampaign {
        organisation: id("maker"),
        name: "<b>November</b>".into(),
        release: release.id,
        roll_back_to: None,
        search: DeviceSearch { relation: DeviceRelation::Maker, ..DeviceSearch::default() },
        plan: Plan::new(vec![stage(10_000)]).unwrap(),
    }
}

/// Whether an address is about the visitor's own organisation, whoever that is.
fn is_at_home(path: &str) -> bool {
    path.starts_with("/vulnerabilities/") || path.starts_with("/cases/")
}

/// Where a form led to.
fn led(page: &Page) -> &str {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    page.header("location")
}

#[tokio::test]
async fn each_page_is_shown_to_whom_it_concerns_and_strangers_find_nothing() {
    let stage = Stage::new().await;
    let admin = &stage.maker.admin;
    vulnerability(&stage.world, true).await;
    let old = published(&stage.world, admin, "1.0", "1.0.0").await;
    let new = published(&stage.world, admin, "2.0", "1.0.1").await;
    let open = draft(&stage.world, admin, "3.0", None).await;
    judged(&stage.world, admin).await;
    let _fleet = running(&stage, &old, 1).await;
    let service = &stage.world.service;
    let campaign = service.create_campaign(admin, new_campaign(&new)).await.unwrap().id;
    let cases = service.cases(admin, &id("maker"), true, &service::Page::default()).await.unwrap();
    let case = cases.items[0].id;
    let all = ["maker-admin", "maker-operator", "maker-station", "maker-auditor", "maker-reader"];
    let people = ["maker-admin", "maker-operator", "maker-auditor", "maker-reader"];
    let who = |some: &[&'static str]| [some, &["maker-second"]].concat();
    let administrators = vec!["maker-admin", "maker-second"];
    let working = who(&["maker-admin", "maker-operator"]);
    let readers = who(&people);
    let duty = who(&["maker-admin", "maker-operator", "maker-auditor"]);
    let pages: Vec<(String, Vec<&str>)> = vec![
        (format!("/releases/{}", old.id), who(&all)),
        (format!("/releases/{open}"), who(&all)),
        (format!("/releases/{open}/publish"), working.clone()),
        (format!("/releases/{open}/discard"), working.clone()),
        (format!("/releases/{}/withdraw", old.id), working.clone()),
        (format!("/campaigns/{campaign}"), readers.clone()),
        (format!("/campaigns/{campaign}/start"), administrators),
        (format!("/campaigns/{campaign}/cancel"), working.clone()),
        ("/vulnerabilities/CVE-2026-1".to_owned(), readers.clone()),
        ("/vulnerabilities/CVE-2026-1?side=owner".to_owned(), readers),
        ("/vulnerabilities/CVE-2026-1/say".to_owned(), working.clone()),
        (format!("/cases/{case}"), duty.clone()),
        (format!("/cases/{case}/times"), working.clone()),
        (format!("/cases/{case}/close"), working),
    ];
    for (path, whose) in &pages {
        for (who, ..) in CAST {
            for language in Language::ALL.iter().copied() {
                let page = stage.get_in(who, language, path).await;
                let shown = page.status == StatusCode::OK;
                assert_eq!(shown, whose.contains(who), "{path} for {who}: {}", page.status);
                assert!(page.html.contains(&format!("<html lang=\"{}\"", language.name())));
                is_sound(&page, path);
                // Who may not at home either is told so; everybody else finds nothing.
                let nothing = page.status == StatusCode::NOT_FOUND
                    || (page.status == StatusCode::FORBIDDEN && is_at_home(path));
                assert!(who.starts_with("maker") || nothing, "{path} for {who}: {}", page.status);
            }
        }
    }
    // Lists are everybody's own; who may not read them is told so.
    for (path, without) in [
        ("/releases", &[][..]),
        ("/campaigns", &["maker-station"]),
        ("/vulnerabilities", &["maker-station"]),
        ("/vulnerabilities?side=owner", &["maker-station"]),
        ("/statements", &["maker-station"]),
        ("/cases", &["maker-station", "maker-reader", "owner-reader"]),
        ("/cases?all=yes", &["maker-station", "maker-reader", "owner-reader"]),
    ] {
        for (who, ..) in CAST {
            let page = stage.get(who, path).await;
            assert_eq!(page.status == StatusCode::OK, !without.contains(who), "{path}: {who}");
            is_sound(&page, path);
            let foreign = page.html.contains("<b>November") || page.html.contains("CVE-2026-1<");
            assert!(who.starts_with("maker") || !foreign, "{path}: {who} sees another's");
        }
    }
    for path in [
        "/releases/0123",
        "/releases/..",
        "/campaigns/0123",
        "/campaigns/00000000000000000000000000000000",
        "/vulnerabilities/CVE-2026-2",
        "/vulnerabilities/%00",
        "/cases/00000000000000000000000000000000",
        "/releases?product=no-such",
        "/vulnerabilities?product=no-such",
    ] {
        assert_eq!(stage.get("maker-admin", path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        "/releases?state=no-such".to_owned(),
        "/campaigns?after=x".to_owned(),
        format!("/campaigns/{campaign}?outcome=no-such"),
        "/vulnerabilities?state=no-such".to_owned(),
        "/vulnerabilities?side=no-such".to_owned(),
        format!("/cases/{case}?report=no-such"),
    ] {
        let page = stage.get("maker-admin", &path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
    }
    // A form without its token does nothing.
    for path in [
        format!("/releases/{open}/publish"),
        format!("/campaigns/{campaign}/start"),
        "/campaigns/new".to_owned(),
        "/vulnerabilities/CVE-2026-1/campaign".to_owned(),
        format!("/cases/{case}/submitted"),
    ] {
        let page = stage.post_raw("maker-admin", &path, "csrf=00").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_release_is_published_overruled_and_withdrawn() {
    let stage = Stage::new().await;
    let admin = &stage.maker.admin;
    let good = draft(&stage.world, admin, "1.0", Some("1.0.1")).await;
    let bare = draft(&stage.world, admin, "1.1", None).await;
    judged(&stage.world, admin).await;
    let list = stage.get("maker-reader", "/releases").await.html;
    assert!(list.contains(">1.0</a>") && list.contains("1 open") && list.contains(">met<"));
    let filtered = stage.get("maker-reader", "/releases?state=published").await.html;
    assert!(!filtered.contains(">1.0</a>"), "{filtered}");
    let page = stage.get("maker-admin", &format!("/releases/{good}")).await.html;
    for said in ["fw.img", "CycloneDX 1.6", "gate 1.0", "tegata release add", "&#60;b&#62;改善"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    // What is open is said before, with what overruling it takes.
    let ask = stage.get("maker-operator", &format!("/releases/{bare}/publish")).await.html;
    assert!(ask.contains("It will be refused") && !ask.contains("name=\"overrule\""), "{ask}");
    let refused = stage.post("maker-operator", &format!("/releases/{bare}/publish"), "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
    assert!(refused.html.contains("gate"), "{}", refused.html);
    let ask = stage.get("maker-admin", &format!("/releases/{bare}/publish")).await.html;
    assert!(ask.contains("name=\"overrule\""), "{ask}");
    let forged = "overrule=yes&reason=because";
    let refused = stage.post("maker-operator", &format!("/releases/{bare}/publish"), forged).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.html);
    let done = stage.post("maker-admin", &format!("/releases/{bare}/publish"), forged).await;
    assert_eq!(led(&done), format!("/releases/{bare}"));
    let page = stage.get("maker-reader", &format!("/releases/{bare}")).await.html;
    assert!(page.contains("overruled") && page.contains("because"), "{page}");
    let done = stage.post("maker-operator", &format!("/releases/{good}/publish"), "").await;
    assert_eq!(done.status, StatusCode::CONFLICT, "its counter is below that of 1.1");
    stage.world.service.integrate_now().await.unwrap();
    let page = stage.get("maker-reader", &format!("/releases/{bare}")).await.html;
    assert!(page.contains(">proved<") && page.contains("leaf "), "{page}");
    let empty = stage.post("maker-admin", &format!("/releases/{bare}/withdraw"), "reason=").await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST, "{}", empty.html);
    let gone = stage.post("maker-admin", &format!("/releases/{bare}/withdraw"), "reason=bad").await;
    assert_eq!(led(&gone), format!("/releases/{bare}"));
    let again = stage.get("maker-admin", &format!("/releases/{bare}/withdraw")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let gone = stage.post("maker-admin", &format!("/releases/{good}/discard"), "").await;
    assert_eq!(led(&gone), "/releases");
    let gone = stage.get("maker-admin", &format!("/releases/{good}")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

/// The fields of a form for a release over all devices, in one stage.
fn form(release: &ReleaseView, what: &str) -> String {
    format!(
        "what={what}&name=November&release={}&relation=maker&share1=10.5&success1=90&error1=5&\
         soak1=1&share2=89.50&success2=80&error2=10&soak2=0&deadline=24&attempts=3",
        release.id
    )
}

#[tokio::test]
async fn a_campaign_is_looked_at_proposed_started_watched_and_paused() {
    let stage = Stage::new().await;
    let admin = &stage.maker.admin;
    let old = published(&stage.world, admin, "1.0", "1.0.1").await;
    let new = published(&stage.world, admin, "2.0", "1.0.1").await;
    judged(&stage.world, admin).await;
    let fleet = running(&stage, &old, 4).await;
    let page = stage.get("maker-operator", &format!("/campaigns/new?release={}", new.id)).await;
    is_sound(&page, "/campaigns/new");
    let chosen = format!("<option value=\"{}\" selected>gate 2.0", new.id);
    assert!(page.html.contains(&chosen), "{}", page.html);
    let preview = stage.post("maker-operator", "/campaigns/new", &form(&new, "preview")).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.html);
    is_sound(&preview, "/campaigns/new");
    assert!(preview.html.contains("4 devices would get version 2.0"), "{}", preview.html);
    assert!(preview.html.contains("10.5% of the devices"), "{}", preview.html);
    // Nothing was proposed by looking.
    assert!(stage.get("maker-reader", "/campaigns").await.html.contains("There is no campaign"));
    for (wrong, field) in [
        (form(&new, "propose").replace("share1=10.5", "share1=10.555"), "share1"),
        (form(&new, "propose").replace("success1=90", "success1=x"), "success1"),
        (form(&new, "propose").replace("share1=10.5", "share1=10"), ""),
        (form(&new, "propose").replace("name=November", "name="), "name"),
        (format!("{}&zone=Nowhere/Else&day=1&from=22:00&to=04:00", form(&new, "x")), "zone"),
        (format!("{}&zone=Asia/Tokyo&day=1&from=25:00&to=04:00", form(&new, "x")), "from"),
        (format!("{}&other=0123", form(&new, "x")), "other"),
        (format!("{}&back={}", form(&old, "x"), new.id), "back"),
        (
            form(&new, "x").replace(&new.id.to_string(), "00000000000000000000000000000000"),
            "release",
        ),
    ] {
        let page = stage.post("maker-operator", "/campaigns/new", &wrong).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", page.html);
        is_sound(&page, "/campaigns/new");
        let marked = field.is_empty() || page.html.contains(&format!("id=\"{field}-error\""));
        assert!(marked, "{wrong}: {}", page.html);
    }
    let refused = stage.post("maker-reader", "/campaigns/new", &form(&new, "propose")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let windowed =
        format!("{}&zone=Asia/Tokyo&day=1&day=7&from=22:00&to=04:00", form(&new, "propose"));
    let proposed = stage.post("maker-operator", "/campaigns/new", &windowed).await;
    let path = led(&proposed).to_owned();
    let page = stage.get("maker-operator", &path).await;
    is_sound(&page, &path);
    assert!(page.html.contains("4 devices are chosen"), "{}", page.html);
    assert!(page.html.contains("Mon, Sun, 22:00 to 04:00 (Asia/Tokyo)"), "{}", page.html);
    assert!(!page.html.contains("/start\""), "an operator starts nothing: {}", page.html);
    let refused = stage.post("maker-operator", &format!("{path}/start"), "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let cancelled = stage.post("maker-operator", &format!("{path}/cancel"), "").await;
    assert_eq!(led(&cancelled), path);

    // All in one stage, at any time.
    let service = &stage.world.service;
    let view = service.create_campaign(admin, new_campaign(&new)).await.unwrap();
    let path = format!("/campaigns/{}", view.id);
    let started = stage.post("maker-admin", &format!("{path}/start"), "").await;
    assert_eq!(led(&started), path);
    for (at, (_, device)) in fleet.iter().enumerate() {
        stage.world.clock.advance(60);
        let poll = service.poll_update(device, &says(&old)).await.unwrap();
        let (execution, detail) = match at {
            0 => (Execution::Confirmed, None),
            1 => (Execution::Failed, Some("<script>no space</script>".to_owned())),
            2 => (Execution::Downloading, None),
            _ => continue,
        };
        let installed = (execution == Execution::Confirmed).then(|| says(&new));
        let feedback = Feedback { execution, progress: Some(40), detail, installed };
        service.update_feedback(device, action(&poll), &feedback).await.unwrap();
    }
    let page = stage.get("maker-reader", &path).await;
    is_sound(&page, &path);
    for said in [
        "hx-trigger=\"every 5s\"",
        "Load again",
        "<svg class=\"stages\"",
        "<svg class=\"over-time\"",
        "It reported a failure.",
        "&#60;script&#62;no space",
        "downloads 40%",
        "class=\"mark stops\"",
    ] {
        assert!(page.html.contains(said), "{said}: {}", page.html);
    }
    let failed = stage.get("maker-reader", &format!("{path}?outcome=failed")).await.html;
    assert!(failed.contains("It reported a failure") && !failed.contains("downloads 40%"));
    let japanese = stage.get_in("maker-reader", Language::Ja, &path).await;
    assert!(japanese.html.contains("機器が失敗を報告しました"), "{}", japanese.html);
    let paused = stage.post("maker-operator", &format!("{path}/pause"), "").await;
    assert_eq!(led(&paused), path);
    let page = stage.get("maker-operator", &path).await.html;
    assert!(page.contains("Somebody paused it") && !page.contains("/resume\""), "{page}");
    let page = stage.get("maker-admin", &path).await.html;
    assert!(page.contains("/resume\"") && page.contains("/cancel\""), "{page}");
    assert!(!page.contains("/roll-back\""), "there is no release before: {page}");
    for (act, status) in [
        ("start", StatusCode::CONFLICT),
        ("roll-back", StatusCode::CONFLICT),
        ("explode", StatusCode::NOT_FOUND),
    ] {
        let page = stage.get("maker-admin", &format!("{path}/{act}")).await;
        assert_eq!(page.status, status, "{act}");
    }
    let list = stage.get("maker-reader", "/campaigns").await.html;
    assert!(list.contains("&#60;b&#62;November") && list.contains("1 / 4"), "{list}");
}

#[tokio::test]
async fn many_devices_take_a_second_person() {
    let stage = Stage::new().await;
    let admin = &stage.maker.admin;
    let old = published(&stage.world, admin, "1.0", "1.0.1").await;
    let new = published(&stage.world, admin, "2.0", "1.0.1").await;
    let _fleet = running(&stage, &old, 11).await;
    let preview = stage.post("maker-admin", "/campaigns/new", &form(&new, "preview")).await;
    assert!(preview.html.contains("Another administrator must approve"), "{}", preview.html);
    let proposed = stage.post("maker-admin", "/campaigns/new", &form(&new, "propose")).await;
    let path = led(&proposed).to_owned();
    let waits = stage.post("maker-admin", &format!("{path}/start"), "").await;
    let approval = led(&waits).to_owned();
    assert!(approval.starts_with("/approvals/"), "{approval}");
    assert!(stage.get("maker-reader", &path).await.html.contains(">proposed<"));
    let own = stage.post("maker-admin", &format!("{approval}/approve"), "").await;
    assert_ne!(own.status, StatusCode::SEE_OTHER, "nobody approves what they asked for");
    let approved = stage.post("maker-second", &format!("{approval}/approve"), "").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.html);
    assert!(stage.get("maker-reader", &path).await.html.contains(">running<"));
}

#[tokio::test]
async fn from_a_vulnerability_to_a_campaign_over_exactly_its_devices() {
    let stage = Stage::new().await;
    let admin = &stage.maker.admin;
    vulnerability(&stage.world, false).await;
    let old = published(&stage.world, admin, "1.0", "1.0.0").await;
    judged(&stage.world, admin).await;
    let fleet = running(&stage, &old, 2).await;
    let path = "/vulnerabilities/CVE-2026-1";
    let page = stage.get("maker-operator", path).await;
    is_sound(&page, path);
    for said in [
        "&#60;i&#62;serde",
        "9.1 critical",
        "the version is in the affected range",
        "There is no release to go to.",
        "publish one with the fix",
    ] {
        assert!(page.html.contains(said), "{said}: {}", page.html);
    }
    assert!(!page.html.contains("Draft a campaign"), "{}", page.html);
    let fields = "side=maker&product=maker/gate";
    let refused = stage.post("maker-operator", &format!("{path}/campaign"), fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
    let fixed = published(&stage.world, admin, "2.0", "1.0.1").await;
    let _others = running(&stage, &fixed, 1).await;
    judged(&stage.world, admin).await;
    let page = stage.get("maker-operator", path).await.html;
    assert!(page.contains("2 devices run 1.0.") && page.contains("is 2.0"), "{page}");
    let reader = stage.get("maker-reader", path).await.html;
    assert!(reader.contains("2 devices run 1.0.") && !reader.contains("Draft a campaign<"));
    let refused = stage.post("maker-reader", &format!("{path}/campaign"), fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let proposed = stage.post("maker-operator", &format!("{path}/campaign"), fields).await;
    let campaign: CampaignId = led(&proposed).rsplit('/').next().unwrap().parse().unwrap();
    let view = stage.world.service.campaign(admin, &campaign).await.unwrap();
    assert_eq!((view.members, view.release), (2, fixed.id));
    // The form, filled in, finds the same.
    let (_, rest) = page.split_once("href=\"/campaigns/new?").unwrap();
    let filled = rest.split('"').next().unwrap().replace("&#38;", "&");
    let form = stage.get("maker-operator", &format!("/campaigns/new?{filled}")).await.html;
    assert!(form.contains("name=\"runs\" value=\"1.0\""), "{form}");
    let devices = stage.get("maker-reader", "/devices?relation=maker&runs=1.0").await.html;
    for (device, _) in &fleet {
        assert!(devices.contains(&format!("/devices/{device}\"")), "{devices}");
    }
    assert_eq!(devices.matches("<th scope=\"row\"").count(), 2, "{devices}");
    let file = stage.get("maker-reader", &format!("{path}/devices.csv")).await;
    assert_eq!(file.html.lines().count(), 3, "{}", file.html);
    let list = stage.get("maker-reader", "/vulnerabilities?exploited=yes").await.html;
    assert!(!list.contains("CVE-2026-1<"), "{list}");
    let list = stage.get("maker-reader", "/vulnerabilities?id=CVE-2026-1&rating=high").await.html;
    assert!(list.contains(">CVE-2026-1</a>") && list.contains("1 / 1"), "{list}");

    // What is stated holds, and can be taken back.
    let say = format!("{path}/say");
    let nothing = stage.post("maker-operator", &say, "about=gate/1.0&status=not_affected").await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", nothing.html);
    assert!(nothing.html.contains("id=\"justification-error\""), "{}", nothing.html);
    let wrong = "about=gate/1.0&status=fixed&expires=tomorrow";
    let wrong = stage.post("maker-operator", &say, wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = "about=gate/1.0&status=not_affected&\
                  justification=vulnerable_code_not_in_execute_path&words=&component=&expires=";
    let said = stage.post("maker-operator", &say, fields).await;
    assert_eq!(led(&said), path);
    judged(&stage.world, admin).await;
    let page = stage.get("maker-operator", path).await.html;
    assert!(page.contains("The vulnerable code is never run."), "{page}");
    assert!(page.contains("No device runs an affected version"), "{page}");
    let list = stage.get("maker-operator", "/statements").await.html;
    let (_, rest) = list.split_once("action=\"/statements/").unwrap();
    let withdraw = format!("/statements/{}", rest.split('"').next().unwrap());
    assert_eq!(led(&stage.post("maker-operator", &withdraw, "").await), "/statements");
    let again = stage.post("maker-operator", &withdraw, "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_duty_to_report_is_drafted_written_and_put_on_record() {
    let stage = Stage::new().await;
    let admin = &stage.maker.admin;
    let _old = published(&stage.world, admin, "1.0", "1.0.0").await;
    judged(&stage.world, admin).await;
    let empty = stage.get("maker-auditor", "/cases").await.html;
    assert!(empty.contains("Nothing is to be reported"), "{empty}");
    // Somebody becomes aware in the middle of a minute.
    stage.world.clock.advance(40);
    vulnerability(&stage.world, true).await;
    judged(&stage.world, admin).await;
    let list = stage.get("maker-auditor", "/cases").await.html;
    assert!(list.contains("24 h left") && list.contains("Early warning"), "{list}");
    let (_, rest) = list.split_once("href=\"/cases/").unwrap();
    let path = format!("/cases/{}", rest.split('"').next().unwrap());
    let page = stage.get("maker-operator", &path).await;
    is_sound(&page, &path);
    assert!(page.html.contains("Draft: Early warning"), "{}", page.html);
    let text = "words=ja&report=early-warning&member-states=ドイツ&description=<b>";
    let text = text.replace('<', "%3C").replace('>', "%3E");
    let saved = stage.post("maker-operator", &format!("{path}/text"), &text).await;
    assert_eq!(led(&saved), format!("{path}?report=early-warning&words=ja"));
    let page = stage.get("maker-operator", led(&saved)).await.html;
    assert!(page.contains(">ドイツ</textarea>"), "{page}");
    let refused = stage.post("maker-auditor", &format!("{path}/text"), &text).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let submitted = format!("{path}/submitted");
    let early = stage.post("maker-operator", &submitted, "report=notification&at=").await;
    assert_eq!(early.status, StatusCode::CONFLICT, "each after the one before");
    // Offered in that minute, sent in the next one.
    let (_, offered) = page.split_once("name=\"at\" value=\"").unwrap();
    let offered = offered.split('"').next().unwrap().replace(' ', "%20");
    stage.world.clock.advance(30);
    let minute = format!("report=early-warning&at={offered}");
    let done = stage.post("maker-operator", &submitted, &minute).await;
    assert_eq!(led(&done), path, "{}", done.html);
    let page = stage.get("maker-operator", &path).await.html;
    assert!(page.contains("Draft: Notification") && page.contains(">submitted<"), "{page}");
    let wrong = "title=x&aware=yesterday&corrected=";
    let wrong = stage.post("maker-operator", &format!("{path}/times"), wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.html.contains("id=\"aware-error\""), "{}", wrong.html);
    let shut = stage.post("maker-operator", &format!("{path}/close"), "why=mended").await;
    assert_eq!(led(&shut), path);
    assert!(stage.get("maker-operator", &path).await.html.contains("mended"));
    let later = stage.post("maker-operator", &format!("{path}/close"), "why=mended").await;
    assert_ne!(later.status, StatusCode::SEE_OTHER);
    let new = "kind=severe-incident&title=Intrusion&vulnerability=&aware=";
    let opened = stage.post("maker-operator", "/cases/new", new).await;
    let path = led(&opened).to_owned();
    assert!(stage.get("maker-operator", &path).await.html.contains("Severe incident"));
    let bad = stage.post("maker-operator", "/cases/new", "kind=none&title=x").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_device_that_found_itself_unfit_says_so_on_its_page() {
    let stage = Stage::new().await;
    let old = published(&stage.world, &stage.maker.admin, "1.0", "1.0.0").await;
    let fleet = running(&stage, &old, 1).await;
    let (device, caller) = &fleet[0];
    let path = format!("/devices/{device}");
    let before = stage.get("maker-admin", &path).await;
    assert!(!before.html.contains("id=\"self-test\"") && !before.html.contains("self-test-failed"));
    let finding = service::SelfTestFinding {
        test: "program".into(),
        outcome: service::SelfTestOutcome::Stop,
        code: "program-changed".into(),
        detail: "<i>not what was signed".into(),
    };
    assert!(!stage.world.service.hear_self_test(caller, vec![finding]).await.unwrap());
    for (language, words) in [(Language::En, "Self-test"), (Language::Ja, "自己診断")] {
        let page = stage.get_in("maker-admin", language, &path).await;
        is_sound(&page, &path);
        for part in [words, "program-changed", "self-test-failed"] {
            assert!(page.html.contains(part), "{part} in {}", page.html);
        }
        assert!(!page.html.contains("<i>not what was signed"));
    }
}
