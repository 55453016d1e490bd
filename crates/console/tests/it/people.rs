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
    assert!(stage.get("maker-admin", &request).await.html.contains("repeats the act now"));
    let link = stage.post("maker-admin", "/people/invite", invite).await;
    assert!(link.html.contains("/invitation/"), "{}", link.html);
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
