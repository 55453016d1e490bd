//! The list of devices, a device's passport, acts on one and on many.

use crate::stage::{CAST, Stage, is_sound};
use device::{Cause, DeviceKind, EventKind, Language, RootOfTrust};
use http::StatusCode;
use policy::{Role, Roles};
use service::{Caller, NewDevice, NewProduct};

/// `href` of the first link that begins so, as the browser follows it.
fn link(html: &str, begins: &str) -> Option<String> {
    let (_, rest) = html.split_once(&format!("href=\"{begins}"))?;
    Some(format!("{begins}{}", rest.split('"').next()?).replace("&#38;", "&").replace("&amp;", "&"))
}

fn serials(html: &str) -> Vec<String> {
    let rows =
        html.split("<tbody>").nth(1).map_or("", |rest| rest.split("</tbody>").next().unwrap());
    rows.split("<th scope=\"row\"")
        .skip(1)
        .map(|row| {
            let (_, rest) = row.split_once("<a href=\"/devices/").unwrap();
            rest.split_once('>').unwrap().1.split('<').next().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_passport_is_shown_to_whom_it_concerns_and_to_nobody_else() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    stage.world.service.integrate_now().await.unwrap();
    let path = format!("/devices/{}", device.id);
    for (who, organisation, _) in CAST {
        let concerns = matches!(*organisation, "maker" | "owner");
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in(who, language, &path).await;
            let expected = if concerns { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(page.status, expected, "{who}");
            is_sound(&page, &path);
            if !concerns {
                assert!(!page.html.contains(&device.serial), "{who} learns the serial number");
            }
        }
    }
    let page = stage.get("owner-admin", &path).await.html;
    for part in ["Verdict", "genuine", "Ask again", "transferred", "in the log", "Owners, in order"]
    {
        assert!(page.contains(part) || part == "transferred", "{part}: {page}");
    }
    let page = stage.get_in("owner-reader", Language::Ja, &path).await.html;
    assert!(page.contains("ログに記録済み") && page.contains("所有者の変遷"));
    assert!(!page.contains("/act/"), "a reader is offered no act");
    // A station reads no histories, and is told so.
    let page = stage.get("maker-station", &path).await.html;
    assert!(page.contains("Your role does not read histories"));
    let file = stage.get("owner-admin", &format!("{path}/passport")).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.header("content-disposition").starts_with("attachment"));
    let refused = stage.get("owner-reader", &format!("{path}/passport")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for path in ["/devices/nonsense", "/devices/00000000000000000000000000000000"] {
        assert_eq!(stage.get("owner-admin", path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn an_act_is_said_beforehand_done_once_and_stands_in_the_life() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    let path = format!("/devices/{}", device.id);
    let act = format!("{path}/act/suspend");
    let passport = stage.get("owner-operator", &path).await.html;
    assert!(passport.contains(&act) && !passport.contains("/act/release"));
    let page = stage.get("owner-operator", &act).await;
    assert_eq!(page.status, StatusCode::OK);
    is_sound(&page, &act);
    assert!(page.html.contains("This will happen") && page.html.contains("will not work until"));
    let events = stage.world.service.device(&stage.owner.admin, &device.id).await.unwrap().events;

    // Neither without our token nor with another session's.
    let other = stage.get("owner-admin", "/guide").await.token().to_owned();
    for token in ["", "csrf=&", &format!("csrf={other}&")] {
        let page = stage.post_raw("owner-operator", &act, &format!("{token}cause=anomaly")).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(stage.post("owner-operator", &act, "cause=").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.post("owner-reader", &act, "cause=lost").await.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.post("stranger", &act, "cause=lost").await.status, StatusCode::NOT_FOUND);
    let now = stage.world.service.device(&stage.owner.admin, &device.id).await.unwrap().events;
    assert_eq!(now, events, "nothing was done");

    let done = stage.post("owner-operator", &act, "cause=lost").await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, path.as_str()));
    let passport = stage.get("owner-operator", &path).await.html;
    for part in ["lost or stolen", "signed by the platform for them", "rejected", "/act/release"] {
        assert!(passport.contains(part), "{part}");
    }
    let again = stage.get("owner-operator", &act).await;
    assert!(again.html.contains("This cannot be done"), "{}", again.html);
    let released = stage.post("owner-operator", &format!("{path}/act/release"), "").await;
    assert_eq!(released.status, StatusCode::SEE_OTHER);
    let passport = stage.get_in("owner-operator", Language::Ja, &path).await.html;
    assert!(passport.contains("真正な機器であり"), "{passport}");
    assert_eq!(
        stage.get("owner-admin", &format!("{path}/act/explode")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn ownership_is_offered_and_accepted_from_page_to_page() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    let path = format!("/devices/{}", device.id);
    let act = format!("{path}/act/offer-transfer");
    let whom = stage.get("owner-admin", &act).await;
    assert!(whom.html.contains("New owner"));
    let wrong = stage.get("owner-admin", &format!("{act}?to=No+Such+Id")).await;
    assert!(wrong.html.contains("Not an identifier"));
    let confirm = stage.get("owner-admin", &format!("{act}?to=stranger")).await;
    assert!(confirm.html.contains("value=\"stranger\""), "{}", confirm.html);
    assert_eq!(stage.post("owner-admin", &act, "to=stranger").await.status, StatusCode::SEE_OTHER);
    let list = stage.get("stranger", "/devices?relation=offered").await.html;
    assert!(list.contains("offered to you") && list.contains(&device.serial));
    let accept = format!("{path}/act/accept-transfer");
    let said = stage.get("stranger", &accept).await.html;
    assert!(said.contains("This cannot be undone") && said.contains("loses access"), "{said}");
    assert_eq!(stage.post("stranger", &accept, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.get("owner-admin", &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get("stranger", &path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_share_opens_the_passport_and_ends() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    let path = format!("/devices/{}", device.id);
    let shares = format!("{path}/shares");
    assert_eq!(
        stage.post("owner-reader", &shares, "with=stranger").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        stage.post("owner-admin", &shares, "with=stranger&days=0").await.status,
        StatusCode::BAD_REQUEST
    );
    let done = stage.post("owner-admin", &shares, "with=stranger&days=7").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.get("stranger", &path).await.status, StatusCode::OK);
    assert!(stage.get("owner-admin", &path).await.html.contains("value=\"stranger\""));
    let ended = stage.post("owner-admin", &format!("{shares}/end"), "with=stranger").await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.get("stranger", &path).await.status, StatusCode::NOT_FOUND);
}

/// A product line whose name is an attack.
async fn hostile_product(stage: &Stage) {
    let new = NewProduct {
        organisation: stage.maker.id.clone(),
        id: crate::world::product("hostile"),
        name: "\"><script>alert(1)</script>".to_owned(),
        model: "<img src=x>".to_owned(),
        kind: DeviceKind::Device,
        root_of_trust: RootOfTrust::Tpm,
        support_end: None,
        ldevid_validity_s: None,
    };
    stage.world.service.create_product(&stage.maker.admin, new).await.unwrap();
}

async fn register(stage: &Stage, serials: Vec<String>) {
    let station = Caller::member(
        stage.maker.id.clone(),
        "station",
        Roles::of(&[Role::Station, Role::Operator]),
        crypto::sha256(b"station"),
    );
    let new =
        serials.into_iter().map(|serial_number| NewDevice { id: None, serial_number }).collect();
    let made = stage
        .world
        .service
        .register_devices(&station, &stage.maker.id, &crate::world::product("gate"), new)
        .await
        .unwrap();
    for one in made {
        one.unwrap();
    }
}

#[tokio::test]
async fn the_list_is_searched_filtered_and_paged_both_ways() {
    let stage = Stage::new().await;
    let empty = stage.get("maker-reader", "/devices").await;
    assert!(empty.html.contains("There are no devices yet"));
    is_sound(&empty, "/devices");
    register(&stage, (0..120).map(|n| format!("LIST-{n:04}")).collect()).await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    let address = "/devices?relation=maker&order=serial&text=LIST-0";
    let first = stage.get("maker-reader", address).await;
    is_sound(&first, address);
    let mut pages = vec![serials(&first.html)];
    let mut html = first.html;
    while let Some((_, rest)) = html.split_once("rel=\"next\" ") {
        let next = link(rest, "/devices").unwrap();
        html = stage.get("maker-reader", &next).await.html;
        pages.push(serials(&html));
    }
    let all: Vec<String> = pages.concat();
    let expected: Vec<String> = (0..120).map(|n| format!("LIST-{n:04}")).collect();
    assert_eq!(all, expected);
    let (_, rest) = html.split_once("rel=\"prev\" ").unwrap();
    let back = stage.get("maker-reader", &link(rest, "/devices").unwrap()).await.html;
    assert_eq!(serials(&back), pages[pages.len() - 2]);

    for (query, found) in [
        (format!("text={}", device.serial), true),
        ("phase=operation".to_owned(), true),
        ("phase=retired".to_owned(), false),
        ("standing=good&verdict=never".to_owned(), true),
        ("attention=suspended".to_owned(), false),
        ("attention=expiring&days=3650".to_owned(), true),
    ] {
        let html = stage.get("owner-reader", &format!("/devices?{query}")).await.html;
        assert_eq!(html.contains(&device.serial) && !serials(&html).is_empty(), found, "{query}");
    }
    // An owner is typed: what none can be called finds none, and the page says so.
    let page = stage.get("owner-reader", "/devices?owner=A").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(serials(&page.html).is_empty() && page.html.contains("lower-case letters"));
    for query in ["phase=no-such", "order=up", "after=zzz", "days=x", "relation=theirs"] {
        let page = stage.get("owner-reader", &format!("/devices?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
    }
    let foreign = stage.get("stranger", "/devices?product=maker/gate").await;
    assert!(serials(&foreign.html).is_empty());
    assert!(!foreign.html.contains("LIST-0"));
}

#[tokio::test]
async fn searches_are_saved_by_name_and_hostile_text_stays_text() {
    let stage = Stage::new().await;
    register(&stage, vec!["SN-('=/?".to_owned(), "SN-2".to_owned()]).await;
    hostile_product(&stage).await;
    for path in [
        "/products",
        "/products/maker/hostile",
        "/devices?relation=maker",
        "/devices?relation=maker&text=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    ] {
        let page = stage.get("maker-admin", path).await;
        assert_eq!(page.status, StatusCode::OK);
        is_sound(&page, path);
    }
    let list = stage.get("maker-admin", "/devices?relation=maker").await.html;
    let device = list
        .split("href=\"/devices/")
        .skip(1)
        .filter_map(|rest| {
            let id = rest.split('"').next()?;
            (id.len() == 32).then(|| format!("/devices/{id}"))
        })
        .collect::<Vec<_>>();
    for path in &device {
        is_sound(&stage.get("maker-admin", path).await, path);
    }
    assert_eq!(device.len(), 2);
    let saved = stage
        .post(
            "maker-admin",
            "/devices/views",
            "name=%3Cscript%3E&query=relation%3Dmaker%26phase%3Drepair",
        )
        .await;
    assert_eq!(saved.header("location"), "/devices?relation=maker&phase=repair");
    let page = stage.get("maker-admin", "/devices").await;
    is_sound(&page, "/devices");
    assert!(link(&page.html, "/devices?relation=maker").is_some());
    let bad = stage.post("maker-admin", "/devices/views", "name=a&query=%22%3E%3Cb").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let other = stage.get("maker-operator", "/devices").await.html;
    assert!(
        link(&other, "/devices?relation=maker").is_none(),
        "another person's views are not shown"
    );
    let gone = stage.post("maker-admin", "/devices/views/delete", "name=%3Cscript%3E").await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn many_devices_are_suspended_as_a_job_with_a_result() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id);
    }
    stage
        .world
        .report(&stage.owner, &ids[1], EventKind::Suspended { cause: Cause::Lost })
        .await
        .unwrap();
    let fields = format!("act=suspend&device={}&device={}", ids[0], ids[1]);
    let nothing = stage.get("owner-operator", "/devices/bulk?act=suspend").await;
    assert_eq!(nothing.status, StatusCode::SEE_OTHER);
    let path = format!("/devices/bulk?{fields}");
    assert_eq!(stage.get("owner-reader", &path).await.status, StatusCode::FORBIDDEN);
    let page = stage.get("owner-operator", &path).await;
    is_sound(&page, &path);
    assert!(page.html.contains("2 devices are selected"), "{}", page.html);
    assert!(page.html.contains("it would be done for 1"));
    let started = stage
        .post("owner-operator", "/devices/bulk", &format!("{fields}&cause=recall&reason=Rueckruf"))
        .await;
    assert_eq!(started.status, StatusCode::SEE_OTHER, "{}", started.html);
    let job = started.header("location").to_owned();
    let mut html = String::new();
    for _ in 0..200 {
        html = stage.get("owner-operator", &job).await.html;
        if html.contains("Result file") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(html.contains("2 / 2"), "{html}");
    let result = stage.get("owner-operator", &format!("{job}/result")).await;
    assert_eq!(result.header("content-type"), "text/csv; charset=utf-8");
    for id in &ids {
        assert!(result.html.contains(&id.to_string()));
    }
    assert!(stage.get("owner-operator", "/jobs").await.html.contains("Rueckruf"));
    assert_eq!(stage.get("stranger", &job).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get("stranger", &format!("{job}/result")).await.status, StatusCode::NOT_FOUND);
    let csv = stage.get("owner-admin", "/devices/export?standing=suspended").await;
    assert_eq!(csv.status, StatusCode::OK);
    assert_eq!(csv.html.lines().count(), 3, "{}", csv.html);
}

#[tokio::test]
async fn the_overview_counts_and_leads_to_the_lists() {
    let stage = Stage::new().await;
    for (who, ..) in CAST {
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in(who, language, "/").await;
            assert_eq!(page.status, StatusCode::OK, "{who}");
            is_sound(&page, "/");
        }
    }
    assert!(stage.get("owner-reader", "/").await.html.contains("has no devices yet"));
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    let act = format!("/devices/{}/act/suspend", device.id);
    assert_eq!(stage.post("owner-admin", &act, "cause=lost").await.status, StatusCode::SEE_OTHER);
    // Figures are kept for some seconds.
    stage.world.clock.advance(300);
    let page = stage.get("owner-reader", "/").await;
    is_sound(&page, "/");
    assert!(!page.html.contains("has no devices yet"), "{}", page.html);
    assert_eq!(page.html.matches("<figure class=\"chart\"").count(), 3);
    let list = link(&page.html, "/devices?attention=suspended").unwrap();
    assert_eq!(serials(&stage.get("owner-reader", &list).await.html), [device.serial]);
    assert!(page.html.contains(&format!("/devices/{}#life", device.id)));
}
