//! The hawkBit DDI door, as its clients use it.

use crate::world::{Member, Org, World, id, product, refused};
use api::{
    Identity,
    client::{Answer, Call},
};
use crypto::{Sha256, sha256};
use device::DeviceId;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use service::{
    AttachmentKind, CampaignView, DeviceSearch, NewArtifact, NewAttachment, NewCampaign,
    NewRelease, NewUpload, UpdateDoor,
};
use update::campaign::{Plan, Stage, State};

const IMAGE: &[u8] = b"0123456789 image of a barrier gate";
const SBOM: &[u8] = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":
    {"component":{"type":"firmware","name":"gate","version":"2.0"}},"components":[{"type":"library",
    "name":"zlib","version":"1.3","purl":"pkg:generic/zlib@1.3"}]}"#;

struct Site {
    world: World,
    maker: Org,
    campaign: CampaignView,
    devices: Vec<(DeviceId, Identity)>,
}

async fn upload(world: &World, by: &Member, bytes: &[u8]) -> Sha256 {
    let (service, by, sha256) = (&world.service, &by.caller, sha256(bytes));
    let length = u64::try_from(bytes.len()).unwrap();
    let new = NewUpload { organisation: id("maker"), sha256, length };
    let begun = service.begin_blob(by, new).await.unwrap();
    if begun.received < length {
        let mut writer = service.append_blob(by, &begun.id, begun.received).await.unwrap();
        writer.write(bytes.to_vec()).await.unwrap();
        writer.close().await.unwrap();
    }
    service.finish_blob(by, &begun.id).await.unwrap();
    sha256
}

impl Site {
    /// Devices of a maker's own, and a campaign over them that runs.
    async fn new(devices: usize, confirm: bool) -> Self {
        let world = World::new().await;
        let maker = world.maker("maker", "gate").await;
        let mut all = Vec::new();
        for _ in 0..devices {
            let thing = world.made(&maker, "gate").await;
            let idevid = world.idevid(&maker, "gate", &thing).await;
            all.push((thing.id, idevid));
        }
        let by = &maker.admin;
        // The devices' updater closes after its restart.
        let door = UpdateDoor { closed_confirms: true, ..UpdateDoor::default() };
        world.service.set_update_door(&by.caller, &id("maker"), door).await.unwrap();
        let release = NewRelease {
            organisation: id("maker"),
            product: product("gate"),
            version: "2.0".into(),
            security_version: 1,
            release_counter: None,
            hardware_ids: vec!["gate-bg1".into()],
            notes: String::new(),
        };
        let service = &world.service;
        let release = service.create_release(&by.caller, release).await.unwrap().id;
        let sha256 = upload(&world, by, IMAGE).await;
        let image = NewArtifact { name: "gate.swu".into(), sha256, hardware_ids: Vec::new() };
        service.add_artifact(&by.caller, &release, image).await.unwrap();
        let sha256 = upload(&world, by, SBOM).await;
        let sbom = NewAttachment { kind: AttachmentKind::Sbom, name: "sbom.json".into(), sha256 };
        service.attach(&by.caller, &release, sbom).await.unwrap();
        service.publish_release(&by.caller, &release, None).await.unwrap();
        let stage = Stage { share: 10_000, success_percent: 1, error_percent: 100, soak_s: 0 };
        let mut plan = Plan::new(vec![stage]).unwrap();
        plan.deadline_s = 3600;
        plan.confirm = confirm;
        let new = NewCampaign {
            organisation: id("maker"),
            name: "update".into(),
            release,
            roll_back_to: None,
            search: DeviceSearch::default(),
            plan,
        };
        let campaign = service.create_campaign(&by.caller, new).await.unwrap();
        let campaign = service.start_campaign(&by.caller, &campaign.id).await.unwrap();
        assert_eq!(campaign.state, State::Running);
        Self { world, maker, campaign, devices: all }
    }

    fn base(&self, device: usize) -> String {
        format!("/maker/controller/v1/{}", self.devices[device].0)
    }

    async fn ask(&self, device: usize, method: Method, path: &str, body: Option<Value>) -> Answer {
        let client = self.world.client(Some(&self.devices[device].1));
        let call = Call::new(method, path);
        let call = match body {
            Some(body) => call.json(&body).unwrap(),
            None => call,
        };
        client.send(call).await.unwrap()
    }

    async fn get(&self, device: usize, path: &str) -> Value {
        let answer = self.ask(device, Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn say(&self, device: usize, path: &str, body: Value) -> StatusCode {
        self.ask(device, Method::POST, path, Some(body)).await.status
    }

    async fn campaign(&self) -> CampaignView {
        self.world.service.campaign(&self.maker.admin.caller, &self.campaign.id).await.unwrap()
    }

    /// How many devices of the campaign succeeded and failed.
    async fn results(&self) -> (u64, u64) {
        let counts = self.campaign().await.counts;
        counts
            .iter()
            .fold((0, 0), |(good, bad), stage| (good + stage.succeeded, bad + stage.failed))
    }
}

/// The path behind a link.
fn path(value: &Value) -> String {
    let href = value["href"].as_str().unwrap();
    let rest = href.strip_prefix("https://").unwrap();
    format!("/{}", rest.split_once('/').unwrap().1)
}

/// The number of the action behind a link to its deployment.
fn number(deployment: &str) -> u64 {
    let name = deployment.split('?').next().unwrap().rsplit('/').next().unwrap();
    name.parse().unwrap()
}

fn feedback(id: &Value, execution: &str, finished: &str) -> Value {
    json!({"id": id, "status": {"execution": execution, "result": {"finished": finished},
        "details": ["one", "two"]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_from_poll_to_confirmed_boot() {
    let site = Site::new(2, false).await;
    // What it ran before is known of it.
    let tell = format!("{}/configData", site.base(0));
    let data = json!({"mode": "merge", "data": {"version": "0.9", "release_counter": "0"}});
    assert_eq!(site.ask(0, Method::PUT, &tell, Some(data)).await.status, StatusCode::OK);
    let base = site.get(0, &site.base(0)).await;
    assert!(base["config"]["polling"]["sleep"].as_str().unwrap().starts_with("00:0"), "{base}");
    let deployment = path(&base["_links"]["deploymentBase"]);
    let body = site.get(0, &deployment).await;
    let action: u64 = body["id"].as_str().unwrap().parse().unwrap();
    let artifact = &body["deployment"]["chunks"][0]["artifacts"][0];
    assert_eq!(body["deployment"]["chunks"][0]["version"], "2.0");
    assert_eq!(artifact["filename"], "gate.swu");
    assert_eq!(artifact["size"], IMAGE.len());
    assert_eq!(artifact["hashes"]["sha256"], sha256(IMAGE).to_string());
    let sha1 = hex::encode(crypto::sha1_for_identifiers(IMAGE));
    assert_eq!(artifact["hashes"]["sha1"], sha1);

    // The file: whole, in ranges, under conditions.
    let file = path(&artifact["_links"]["download"]);
    let client = site.world.client(Some(&site.devices[0].1));
    let part = async |fields: &[(HeaderName, &str)]| {
        let call = fields.iter().fold(Call::get(&file), |call, (name, value)| {
            call.header(name.clone(), HeaderValue::from_str(value).unwrap())
        });
        client.send(call).await.unwrap()
    };
    let whole = part(&[]).await;
    assert_eq!((whole.status, &whole.body[..]), (StatusCode::OK, IMAGE));
    let tag = whole.headers[header::ETAG].to_str().unwrap().to_owned();
    let some = part(&[(header::RANGE, "bytes=11-15"), (header::IF_RANGE, &tag)]).await;
    assert_eq!((some.status, &some.body[..]), (StatusCode::PARTIAL_CONTENT, b"image".as_slice()));
    assert_eq!(some.headers[header::CONTENT_RANGE], format!("bytes 11-15/{}", IMAGE.len()));
    let rest = part(&[(header::RANGE, "bytes=30-")]).await;
    assert_eq!(&rest.body[..], &IMAGE[30..]);
    let none = part(&[(header::RANGE, "bytes=900-")]).await;
    assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let other = part(&[(header::RANGE, "bytes=1-2"), (header::IF_RANGE, "\"old\"")]).await;
    assert_eq!((other.status, other.body.len()), (StatusCode::OK, IMAGE.len()));

    // Success is the end, and nothing before it is.
    let say = format!("{}/feedback", deployment.split('?').next().unwrap());
    for (id, execution) in
        [(json!(action), "proceeding"), (json!(action.to_string()), "downloaded")]
    {
        assert_eq!(site.say(0, &say, feedback(&id, execution, "none")).await, StatusCode::OK);
        assert_eq!(site.results().await, (0, 0), "{execution}");
    }
    let other = feedback(&json!(action + 1), "closed", "success");
    assert_eq!(site.say(0, &say, other).await, StatusCode::BAD_REQUEST);
    let odd = site.say(0, &say, feedback(&json!(action), "elated", "none")).await;
    assert_eq!(odd, StatusCode::BAD_REQUEST);
    let done = feedback(&json!(action), "closed", "success");
    assert_eq!(site.say(0, &say, done.clone()).await, StatusCode::OK);
    assert_eq!(site.results().await, (1, 0));
    // That is what it runs from now on, although it named nothing; whoever names no more than its
    // hardware takes nothing of that back, and it is not held for fallen behind.
    let tell = format!("{}/configData", site.base(0));
    let data = json!({"mode": "merge", "data": {"hardware_id": "gate-bg1"}});
    assert_eq!(site.ask(0, Method::PUT, &tell, Some(data)).await.status, StatusCode::OK);
    site.get(0, &site.base(0)).await;
    // Said again it is no news; the file is not given any more.
    assert_eq!(site.say(0, &say, done).await, StatusCode::OK);
    assert_eq!(site.results().await, (1, 0));
    assert_eq!(site.ask(0, Method::GET, &file, None).await.status, StatusCode::NOT_FOUND);
    let quiet = site.get(0, &site.base(0)).await;
    assert!(quiet["_links"].get("deploymentBase").is_none(), "{quiet}");

    // The other one fails, and says so.
    let base = site.get(1, &site.base(1)).await;
    let deployment = path(&base["_links"]["deploymentBase"]);
    let say = format!("{}/feedback", deployment.split('?').next().unwrap());
    assert_eq!(
        site.say(1, &say, feedback(&json!(number(&deployment).to_string()), "closed", "failure"))
            .await,
        StatusCode::OK
    );
    assert_eq!(site.results().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_nobody_but_itself() {
    let site = Site::new(2, false).await;
    let base = site.get(0, &site.base(0)).await;
    let deployment = path(&base["_links"]["deploymentBase"]);
    let file = path(
        &site.get(0, &deployment).await["deployment"]["chunks"][0]["artifacts"][0]["_links"]["download"],
    );
    let say = format!("{}/feedback", deployment.split('?').next().unwrap());
    // By its management number, too.
    let seen = site.world.service.device(&site.maker.admin.caller, &site.devices[0].0).await;
    let other_name = seen.unwrap().management_number.to_string();
    site.get(0, &format!("/maker/controller/v1/{other_name}")).await;

    let nobody = site.world.client(None);
    for path in [&site.base(0), &deployment, &file] {
        // Another device, another tenant, a member, nobody.
        let answer = site.ask(1, Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        let elsewhere = path.replacen("/maker/", "/platform/", 1);
        let answer = site.ask(0, Method::GET, &elsewhere, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{elsewhere}");
        let member = site.world.client(Some(&site.maker.admin.identity));
        assert_eq!(member.send(Call::get(path)).await.unwrap().status, StatusCode::FORBIDDEN);
        assert_eq!(nobody.send(Call::get(path)).await.unwrap().status, StatusCode::UNAUTHORIZED);
    }
    let lie = feedback(&json!(number(&deployment)), "closed", "success");
    assert_eq!(site.say(1, &say, lie.clone()).await, StatusCode::NOT_FOUND);
    let own = say.replacen(&site.devices[0].0.to_string(), &site.devices[1].0.to_string(), 1);
    // The action of another under one's own name.
    assert_eq!(site.say(1, &own, lie).await, StatusCode::NOT_FOUND);
    assert_eq!(site.results().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_is_stopped_by_its_device() {
    let site = Site::new(1, false).await;
    let base = site.get(0, &site.base(0)).await;
    let deployment = path(&base["_links"]["deploymentBase"]);
    let say = format!("{}/feedback", deployment.split('?').next().unwrap());
    assert_eq!(
        site.say(0, &say, feedback(&json!(number(&deployment)), "proceeding", "none")).await,
        StatusCode::OK
    );
    let by = &site.maker.admin.caller;
    site.world.service.cancel_campaign(by, &site.campaign.id).await.unwrap();
    let base = site.get(0, &site.base(0)).await;
    assert!(base["_links"].get("deploymentBase").is_none(), "{base}");
    let cancel = path(&base["_links"]["cancelAction"]);
    let body = site.get(0, &cancel).await;
    assert_eq!(body["id"], body["cancelAction"]["stopId"]);
    let answer = site.ask(0, Method::GET, &deployment, None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let stopped = feedback(&body["id"], "closed", "success");
    assert_eq!(site.say(0, &format!("{cancel}/feedback"), stopped).await, StatusCode::OK);
    let base = site.get(0, &site.base(0)).await;
    assert!(base["_links"].get("cancelAction").is_none(), "{base}");
    assert_eq!(site.results().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_at_the_device_agrees_first() {
    let site = Site::new(2, true).await;
    for (device, word, then) in [(0, "confirmed", "deploymentBase"), (1, "denied", "configData")] {
        let base = site.get(device, &site.base(device)).await;
        let confirmation = path(&base["_links"]["confirmationBase"]);
        let body = site.get(device, &confirmation).await;
        let chunks = &body["confirmation"]["chunks"];
        assert_eq!(chunks[0]["artifacts"][0]["filename"], "gate.swu");
        // Not before.
        let early = confirmation.replace("confirmationBase", "deploymentBase");
        let answer = site.ask(device, Method::GET, &early, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let file = path(&chunks[0]["artifacts"][0]["_links"]["download"]);
        let answer = site.ask(device, Method::GET, &file, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let say = format!("{confirmation}/feedback");
        let odd = site.say(device, &say, json!({"confirmation": "perhaps"})).await;
        assert_eq!(odd, StatusCode::BAD_REQUEST);
        assert_eq!(site.say(device, &say, json!({"confirmation": word})).await, StatusCode::OK);
        let base = site.get(device, &site.base(device)).await;
        assert!(base["_links"].get(then).is_some(), "{base}");
        assert_eq!(
            site.say(device, &say, json!({"confirmation": word})).await,
            StatusCode::NOT_FOUND
        );
    }
    assert_eq!(site.results().await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_closed_is_no_boot_the_device_names_its_software() {
    let site = Site::new(1, false).await;
    let by = &site.maker.admin.caller;
    let door = UpdateDoor::default();
    assert!(!door.closed_confirms, "nobody has vouched for the updater");
    site.world.service.set_update_door(by, &id("maker"), door).await.unwrap();
    let base = site.get(0, &site.base(0)).await;
    let deployment = path(&base["_links"]["deploymentBase"]);
    let say = format!("{}/feedback", deployment.split('?').next().unwrap());
    let all = json!({"id": number(&deployment), "status": {"execution": "proceeding",
        "result": {"finished": "none", "progress": {"cnt": 3, "of": 3}}}});
    assert_eq!(site.say(0, &say, all).await, StatusCode::OK);
    assert_eq!(path(&site.get(0, &site.base(0)).await["_links"]["deploymentBase"]), deployment);
    let done = feedback(&json!(number(&deployment)), "closed", "success");
    assert_eq!(site.say(0, &say, done).await, StatusCode::OK);
    assert_eq!(site.results().await, (0, 0));
    // It is asked what it runs, not to install it again.
    let base = site.get(0, &site.base(0)).await;
    assert!(base["_links"].get("deploymentBase").is_none(), "{base}");
    assert!(base["_links"].get("configData").is_some(), "{base}");
    let tell = format!("{}/configData", site.base(0));
    let data = json!({"mode": "merge", "data": {"version": "2.0", "release_counter": "x"}});
    assert_eq!(site.ask(0, Method::PUT, &tell, Some(data)).await.status, StatusCode::BAD_REQUEST);
    let counter = site.campaign().await.release_counter.to_string();
    let data = json!({"mode": "merge", "data": {"version": "2.0", "release_counter": counter,
        "hardware_id": "gate-bg1", "mood": "good"}});
    assert_eq!(site.ask(0, Method::PUT, &tell, Some(data)).await.status, StatusCode::OK);
    assert_eq!(site.results().await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_for_one_device_where_the_organisation_wants_them() {
    let site = Site::new(3, false).await;
    let (service, by) = (&site.world.service, &site.maker.admin.caller);
    let nobody = site.world.client(None);
    let with = async |kind: &str, token: &str, path: String| {
        let value = HeaderValue::from_str(&format!("{kind} {token}")).unwrap();
        nobody.send(Call::get(path).header(header::AUTHORIZATION, value)).await.unwrap().status
    };
    let (first, second, third) = (site.devices[0].0, site.devices[1].0, site.devices[2].0);
    // Off unless switched on.
    let off = service.issue_target_token(by, &first, 30).await.unwrap_err();
    assert_eq!(off.code(), "update-tokens-off");
    let door = UpdateDoor { tokens: true, ..UpdateDoor::default() };
    service.set_update_door(by, &id("maker"), door).await.unwrap();
    let reader = &site.maker.reader.caller;
    assert_eq!(service.issue_target_token(reader, &first, 30).await.unwrap_err().code(), "role");

    let old = service.issue_target_token(by, &first, 30).await.unwrap();
    let new = service.issue_target_token(by, &first, 30).await.unwrap();
    let (old, token) = (old.token.expose().to_owned(), new.token.expose().to_owned());
    assert_eq!(with("TargetToken", &token, site.base(0)).await, StatusCode::OK);
    assert_eq!(with("TargetToken", &old, site.base(0)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with("TargetToken", &token, site.base(1)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with("GatewayToken", &token, site.base(0)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with("Bearer", &token, site.base(0)).await, StatusCode::UNAUTHORIZED);
    // It opens updates and nothing else.
    let elsewhere = format!("/v1/devices/{first}");
    assert_eq!(with("TargetToken", &token, elsewhere).await, StatusCode::UNAUTHORIZED);

    let gateway =
        service.issue_gateway_token(by, &id("maker"), "north", &[first, second], 30).await;
    let gateway = gateway.unwrap().token.expose().to_owned();
    for (device, expected) in
        [(0, StatusCode::OK), (1, StatusCode::OK), (2, StatusCode::UNAUTHORIZED)]
    {
        assert_eq!(with("GatewayToken", &gateway, site.base(device)).await, expected, "{device}");
    }
    let bad = service.issue_gateway_token(by, &id("maker"), "x", &[], 30).await.unwrap_err();
    assert_eq!(bad.code(), "gateway");
    for days in [0, 367] {
        let bad = service.issue_target_token(by, &third, days).await.unwrap_err();
        assert_eq!(bad.code(), "token-days");
    }

    // A suspended device is let in by no token; a sold one leaves its former owner's behind.
    let cause = service::DeviceAct::Suspend { cause: device::Cause::Recall };
    service.perform_act(by, &second, &cause).await.unwrap();
    assert_eq!(with("GatewayToken", &gateway, site.base(1)).await, StatusCode::UNAUTHORIZED);
    let owner = site.world.owner("owner").await;
    site.world.sell(&site.maker, &owner, &first).await;
    assert_eq!(with("TargetToken", &token, site.base(0)).await, StatusCode::UNAUTHORIZED);
    let sold = format!("/owner/controller/v1/{first}");
    assert_eq!(with("TargetToken", &token, sold.clone()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with("GatewayToken", &gateway, sold).await, StatusCode::UNAUTHORIZED);

    // Ended, one by one and all at once.
    let page = service::Page::default();
    let kept = service.update_tokens(by, &id("maker"), &page).await.unwrap();
    let names: Vec<_> = kept.items.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["north"], "the sold device's own token is gone");
    service.revoke_update_token(by, &kept.items[0].id).await.unwrap();
    let again = service.revoke_update_token(by, &kept.items[0].id).await.unwrap_err();
    assert_eq!(again.code(), "not-found");
    let token = service.issue_target_token(by, &third, 1).await.unwrap();
    let token = token.token.expose().to_owned();
    assert_eq!(with("TargetToken", &token, site.base(2)).await, StatusCode::OK);
    service.set_update_door(by, &id("maker"), UpdateDoor::default()).await.unwrap();
    assert_eq!(with("TargetToken", &token, site.base(2)).await, StatusCode::UNAUTHORIZED);
    assert!(service.update_tokens(by, &id("maker"), &page).await.unwrap().items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_tokens_must_wait() {
    let site = Site::new(1, false).await;
    let nobody = site.world.client(None);
    let guess = format!("TargetToken tgu_{}", "A".repeat(43));
    let mut waits = false;
    for _ in 0..200 {
        let value = HeaderValue::from_str(&guess).unwrap();
        let call = Call::get(site.base(0)).header(header::AUTHORIZATION, value);
        let (status, _) = refused(&nobody, call).await;
        assert!(status == 401 || status == 429, "{status}");
        waits |= status == 429;
    }
    assert!(waits, "two hundred guesses were answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_to_be_done_devices_ask_as_often_as_their_owner_says() {
    let site = Site::new(1, false).await;
    let (service, admin) = (&site.world.service, &site.maker.admin.caller);
    service.cancel_campaign(admin, &site.campaign.id).await.unwrap();
    for (poll_s, sleep) in
        [(20, "00:00:20"), (300, "00:05:00"), (3_601, "01:00:01"), (86_399, "23:59:59")]
    {
        let door = UpdateDoor { poll_s, ..UpdateDoor::default() };
        service.set_update_door(admin, &id("maker"), door).await.unwrap();
        let base = site.get(0, &site.base(0)).await;
        assert_eq!(base["config"]["polling"]["sleep"], sleep);
    }
}
