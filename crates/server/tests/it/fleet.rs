//! The fleet over REST: search and its pages, acts, jobs, CSV.

use crate::world::{World, problem};
use api::{
    client::Call,
    wire::{ActPreview, DeviceList, Job, JobPreview, Overview, SavedView},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn search_act_job_and_result() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let mut things = Vec::new();
    for _ in 0..5 {
        things.push(world.made(&maker, "gate").await);
    }
    let client = world.client(Some(&maker.admin.identity));
    let get = async |path: &str| client.send(Call::get(path)).await.unwrap();
    let post = async |path: &str, body: Value| {
        client.send(Call::new(Method::POST, path).json(&body).unwrap()).await.unwrap()
    };

    let first: DeviceList = get("/v1/devices/search?limit=2").await.json().unwrap();
    assert_eq!((first.items.len(), first.partial, first.previous.is_none()), (2, false, true));
    let path = format!("/v1/devices/search?limit=2&after={}", first.next.unwrap());
    let second: DeviceList = get(&path).await.json().unwrap();
    let path = format!("/v1/devices/search?limit=2&after={}", second.previous.unwrap());
    let again: DeviceList = get(&path).await.json().unwrap();
    assert_eq!(again.items[0].device.id, first.items[0].device.id);
    let text = &things[3].serial;
    let path = format!("/v1/devices/search?text={text}&phase=mass-production&verdict=never");
    let found: DeviceList = get(&path).await.json().unwrap();
    assert_eq!(found.items.len(), 1);
    for bad in ["verdict=good", "attention=all", "order=size", "attention=stale&days=0", "after=x"]
    {
        let answer = get(&format!("/v1/devices/search?{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        problem(&answer);
    }

    let device = things[0].id;
    let act = format!("/v1/devices/{device}/acts");
    let body = json!({"act": "suspend", "cause": "lost"});
    let preview: ActPreview = post(&format!("{act}/preview"), body.clone()).await.json().unwrap();
    assert!(preview.allowed);
    assert!(preview.consequences.iter().any(|c| c.code == "signed-on-behalf-of"));
    assert_eq!(post(&act, body.clone()).await.status, StatusCode::OK);
    let preview: ActPreview = post(&format!("{act}/preview"), body).await.json().unwrap();
    assert_eq!(preview.refusal.unwrap().code, "standing-forbids");
    for bad in
        [json!({"act": "suspend"}), json!({"act": "explode"}), json!({"act": "retire", "to": "x"})]
    {
        assert!(post(&act, bad).await.status.is_client_error());
    }

    let job = json!({"act": "suspend", "cause": "recall", "search": "standing=good&phase=mass-production"});
    let preview: JobPreview = post("/v1/jobs/preview", job.clone()).await.json().unwrap();
    assert_eq!((preview.devices, preview.allowed), (4, 4));
    assert!(post("/v1/jobs", job.clone()).await.status.is_client_error(), "without a reason");
    let mut job = job;
    job["reason"] = "recall".into();
    let answer = post("/v1/jobs", job).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let started: Job = answer.json().unwrap();
    let mut now = started.clone();
    for _ in 0..100 {
        if now.state == "done" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        now = get(&format!("/v1/jobs/{}", started.id)).await.json().unwrap();
    }
    assert_eq!((now.state.as_str(), now.done, now.failed), ("done", 4, 0));
    let result = get(&format!("/v1/jobs/{}/result?bom=true", started.id)).await;
    let text = String::from_utf8(result.body.to_vec()).unwrap();
    assert_eq!((text.starts_with('\u{feff}'), text.lines().count()), (true, 5));
    let over =
        client.send(Call::new(Method::POST, format!("/v1/jobs/{}/cancel", started.id))).await;
    assert_eq!(over.unwrap().status, StatusCode::CONFLICT);

    let export = get("/v1/devices/export?standing=suspended").await;
    let kind = export.headers.get("content-type").unwrap().to_str().unwrap();
    assert!(kind.starts_with("text/csv"), "{kind}");
    let text = String::from_utf8(export.body.to_vec()).unwrap();
    assert_eq!(text.lines().count(), 6);

    let overview: Overview = get("/v1/overview").await.json().unwrap();
    assert_eq!(overview.devices, 5);
    let view = json!({"name": "suspended ones", "query": "standing=suspended"});
    assert_eq!(post("/v1/views", view).await.status, StatusCode::CREATED);
    let views: Vec<SavedView> = get("/v1/views").await.json().unwrap();
    assert_eq!(views[0].query, "standing=suspended");
    let gone = client.send(Call::new(Method::DELETE, "/v1/views/suspended%20ones")).await.unwrap();
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
}
