//! People, roles, approvals and the policy of second persons.

use crate::{
    site::{ask, form},
    stage::{Stage, is_sound},
};
use axum::body::Body;
use device::Language;
use http::{Method, StatusCode, header};

/// What stands between two marks, the first time.
fn between<'a>(html: &'a str, before: &str, after: &str) -> Option<&'a str> {
    html.split_once(before)?.1.split(after).next()
}

fn person(html: &str) -> String {
    html.split("href=\"/people/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|id| id.len() == 32)
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_person_is_invited_by_a_link_that_is_shown_once() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("maker-reader", "/people").await.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.get("maker-auditor", "/people/invite").await.status, StatusCode::FORBIDDEN);
    for language in Language::ALL.iter().copied() {
        for path in ["/people", "/people/invite", "/approvals", "/approvals/policy"] {
            let page = stage.get_in("maker-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            is_sound(&page, path);
        }
    }
    let fields = "handle=hanako&name=%3Cscript%3Ealert(1)%3C%2Fscript%3E&roles=reader";
    for (fields, status) in [
        ("handle=Not+A+Handle&name=a&roles=reader", StatusCode::UNPROCESSABLE_ENTITY),
        ("handle=hanako&name=a", StatusCode::UNPROCESSABLE_ENTITY),
        ("handle=hanako&name=a&roles=emperor", StatusCode::BAD_REQUEST),
    ] {
        let page = stage.post("maker-admin", "/people/invite", fields).await;
        assert_eq!(page.status, status, "{fields}");
    }
    assert_eq!(
        stage.post_raw("maker-admin", "/people/invite", fields).await.status,
        StatusCode::FORBIDDEN,
        "without the token"
    );
    assert_eq!(
        stage.post("maker-auditor", "/people/invite", fields).await.status,
        StatusCode::FORBIDDEN
    );
    let page = stage.post("maker-admin", "/people/invite", fields).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    is_sound(&page, "/people/invite");
    let link = between(&page.html, "https://console.example/invitation/", "<").unwrap().to_owned();
    assert!(link.len() > 20);
    let list = stage.get("maker-admin", "/people").await;
    is_sound(&list, "/people");
    assert!(list.html.contains("invited"));
    let path = format!("/people/{}", person(&list.html));
    let one = stage.get("maker-admin", &path).await;
    is_sound(&one, &path);
    for page in [&list, &one] {
        assert!(!page.html.contains(&link), "the link is shown again");
    }
    assert_eq!(stage.get("stranger", &path).await.status, StatusCode::NOT_FOUND);
    let foreign = stage.post("stranger", &format!("{path}/roles"), "roles=reader").await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let again = stage.post("maker-admin", "/people/invite", fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "the handle is taken");

    let changed = stage.post("maker-admin", &format!("{path}/roles"), "roles=auditor").await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.html);
    // Where there are two administrators, it takes two.
    let request = changed.header("location").to_owned();
    assert!(request.starts_with("/approvals/"), "{request}");
    let approved = stage.post("maker-second", &format!("{request}/approve"), "").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.html);
    assert!(stage.get("maker-admin", &path).await.html.contains("<dd>Auditor</dd>"));
    let renewed = stage.post("maker-admin", &format!("{path}/invite"), "").await;
    let other = between(&renewed.html, "https://console.example/invitation/", "<").unwrap();
    assert_ne!(other, link);
    let said = stage.get("maker-admin", &format!("{path}/remove")).await;
    is_sound(&said, &path);
    assert!(said.html.contains("This will happen"));
    let removed = stage.post("maker-admin", &format!("{path}/remove"), "").await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER, "{}", removed.html);
    assert!(!stage.get("maker-admin", "/people").await.html.contains("hanako"));
}

/// Opens a link as another site's page makes a browser do it: the ticket that comes back.
async fn ticket(stage: &Stage, link: &str) -> String {
    let path = format!("/invitation/{link}");
    let opened = stage.send(ask(Method::GET, &path).body(Body::empty()).unwrap()).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.html);
    let mut cookies = opened.headers.get_all(header::SET_COOKIE).iter();
    let cookie = cookies.find_map(|cookie| cookie.to_str().unwrap().strip_prefix("__Host-ticket="));
    cookie.unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_that_is_opened_meanwhile_takes_no_registration_over() {
    let stage = Stage::new().await;
    let mut tickets = Vec::new();
    for handle in ["hanako", "mallory"] {
        let fields = format!("handle={handle}&name={handle}&roles=reader");
        let page = stage.post("maker-admin", "/people/invite", &fields).await;
        let link = between(&page.html, "https://console.example/invitation/", "<").unwrap();
        tickets.push(ticket(&stage, link).await);
    }
    let with = |request: http::request::Builder, ticket: &str| {
        request.header(header::COOKIE, format!("__Host-ticket={ticket}"))
    };
    let page = with(ask(Method::GET, "/invitation"), &tickets[0]).body(Body::empty()).unwrap();
    let page = stage.send(page).await;
    assert!(page.html.contains("hanako"), "{}", page.html);
    is_sound(&page, "/invitation");
    let mark = between(&page.html, "name=\"mark\" value=\"", "\"").unwrap();
    assert!(!page.html.contains(&tickets[0]), "the ticket stays in its cookie");
    let begin = async |ticket: &str, mark: &str| {
        let body = format!("passkey=Laptop&mark={mark}");
        let request =
            with(form("/invitation/begin"), ticket).header(header::ACCEPT, "application/json");
        stage.send(request.body(Body::from(body)).unwrap()).await
    };
    // The page of one ticket does not go on with another's, nor does one without a mark.
    for (ticket, mark) in [(&tickets[1], mark), (&tickets[1], ""), (&tickets[0], "")] {
        let refused = begin(ticket, mark).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
        assert!(refused.html.contains("nother link was opened"), "{}", refused.html);
    }
    let begun = begin(&tickets[0], mark).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.html);
    assert!(begun.html.contains("hanako"), "{}", begun.html);
}

#[tokio::test]
async fn the_policy_is_chosen_and_a_second_person_decides() {
    let stage = Stage::new().await;
    let fields = "act=change-roles&required=yes";
    for who in ["maker-operator", "maker-auditor"] {
        let refused = stage.post(who, "/approvals/policy", fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
    }
    for wrong in ["act=no-such&required=yes", "act=change-roles&required=maybe"] {
        let page = stage.post("maker-admin", "/approvals/policy", wrong).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
    }
    let chosen = stage.post("maker-admin", "/approvals/policy", fields).await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{}", chosen.html);
    assert!(
        stage.get("maker-admin", "/approvals/policy").await.html.contains("second person needed")
    );

    // Inviting an administrator now leads to a request.
    let invite = "handle=taro&name=Taro&roles=administrator";
    let asked = stage.post("maker-admin", "/people/invite", invite).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.html);
    let request = asked.header("location").to_owned();
    assert!(request.starts_with("/approvals/"), "{request}");
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-admin", language, &request).await;
        assert_eq!(page.status, StatusCode::OK);
        is_sound(&page, &request);
        assert!(!page.html.contains(&format!("{request}/approve")), "nobody approves his own");
        assert!(page.html.contains(&format!("{request}/withdraw")));
    }
    let own = stage.post("maker-admin", &format!("{request}/approve"), "").await;
    assert!(own.status.is_client_error(), "{}", own.status);
    assert_eq!(stage.get("stranger", &request).await.status, StatusCode::NOT_FOUND);
    let foreign = stage.post("stranger", &format!("{request}/approve"), "").await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let list = stage.get("maker-auditor", "/approvals").await;
    is_sound(&list, "/approvals");
    assert!(list.html.contains(&request));

    let second = stage.get("maker-second", &request).await;
    assert!(second.html.contains(&format!("{request}/approve")), "{}", second.html);
    let approved = stage.post("maker-second", &format!("{request}/approve"), "").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.html);
    // Who asked goes on without typing anything again; nobody else does.
    let go_on = format!("{request}/continue");
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-admin", language, &request).await;
        assert!(page.html.contains(&format!("href=\"{go_on}\"")), "{}", page.html);
        let page = stage.get_in("maker-admin", language, &go_on).await;
        assert_eq!(page.status, StatusCode::OK);
        is_sound(&page, &go_on);
        assert!(page.html.contains("taro") && page.html.contains(&format!("action=\"{go_on}\"")));
    }
    for (who, status) in [("maker-second", 404), ("maker-auditor", 404), ("stranger", 404)] {
        assert_eq!(stage.get(who, &go_on).await.status.as_u16(), status, "{who}");
        assert_eq!(stage.post(who, &go_on, "").await.status.as_u16(), status, "{who}");
    }
    let link = stage.post("maker-admin", &go_on, "").await;
    assert!(link.html.contains("/invitation/"), "{}", link.html);
    let again = stage.post("maker-admin", &go_on, "").await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.html);
    assert!(stage.get("maker-admin", &request).await.html.contains("<span>done</span>"));
    let again = stage.post("maker-second", &format!("{request}/reject"), "").await;
    assert!(again.status.is_client_error());
}

#[tokio::test]
async fn an_old_sign_in_is_asked_for_the_passkey_again() {
    let stage = Stage::new().await;
    let page = stage.post("maker-stale", "/people/invite", "handle=a1&name=A&roles=reader").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    assert_eq!(page.header("location"), "/confirm?to=%2Fpeople%2Finvite");
}

#[tokio::test]
async fn an_approved_act_on_many_goes_on_without_selecting_again() {
    let stage = Stage::new().await;
    let mut devices = Vec::new();
    for _ in 0..2 {
        devices.push(stage.world.made(&stage.maker, "gate", Vec::new()).await);
    }
    let chosen =
        stage.post("maker-admin", "/approvals/policy", "act=bulk-revoke&required=yes").await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{}", chosen.html);
    let ids: Vec<String> = devices.iter().map(|device| format!("device={}", device.id)).collect();
    let fields = format!("act=revoke&cause=recall&reason=lot+7&{}", ids.join("&"));
    let asked = stage.post("maker-admin", "/devices/bulk", &fields).await;
    let request = asked.header("location").to_owned();
    assert!(request.starts_with("/approvals/"), "{request} {}", asked.html);
    let go_on = format!("{request}/continue");
    let early = stage.get("maker-admin", &go_on).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "{}", early.html);
    let approved = stage.post("maker-second", &format!("{request}/approve"), "").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.html);
    let service = &stage.world.service;
    service.revoke_device(&stage.maker.admin, &devices[0].id, device::Cause::Lost).await.unwrap();
    for (language, changed) in [(Language::En, "Do not qualify any more"), (Language::Ja, "対象外")]
    {
        let page = stage.get_in("maker-admin", language, &go_on).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, &go_on);
        assert!(page.html.contains(changed), "{}", page.html);
        let refused = page.html.split("id=\"refused\"").nth(1).unwrap();
        assert!(refused.contains(&devices[0].id.to_string()), "{refused}");
        assert!(!refused.contains(&devices[1].id.to_string()), "{refused}");
        assert!(!page.html.contains("name=\"reason\""), "it is typed again");
    }
    // What the form says besides changes nothing.
    let done = stage.post("maker-admin", &go_on, "device=00000000000000000000000000000000").await;
    assert!(done.header("location").starts_with("/jobs/"), "{}", done.html);
    let job = stage.get("maker-admin", done.header("location")).await.html;
    assert!(job.contains("lot 7") && job.contains("/ 2"), "{job}");
    assert_eq!(stage.post("maker-admin", &go_on, "").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_approved_file_is_at_its_own_address() {
    let stage = Stage::new().await;
    stage.world.made(&stage.maker, "gate", Vec::new()).await;
    stage.post("maker-admin", "/approvals/policy", "act=export&required=yes").await;
    let file = "/devices/export?relation=maker&text=SN%26%3D";
    let asked = stage.get("maker-admin", file).await;
    let request = asked.header("location").to_owned();
    assert!(request.starts_with("/approvals/"), "{request} {}", asked.html);
    stage.post("maker-second", &format!("{request}/approve"), "").await;
    let page = stage.get("maker-admin", &request).await.html;
    let link = page.split("href=\"/devices/export").nth(1).unwrap().split('"').next().unwrap();
    let link = format!("/devices/export{}", link.replace("&#38;", "&"));
    let given = stage.get("maker-admin", &link).await;
    assert_eq!(given.status, StatusCode::OK, "{link} {}", given.html);
    assert_eq!(given.header("content-type"), "text/csv; charset=utf-8");
    let again = stage.get("maker-admin", &link).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "once");
}
