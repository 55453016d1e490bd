//! Organisations, products, authorities, audit log, log.

use crate::{
    stage::{CAST, Stage, is_sound},
    world::id,
};
use device::Language;
use http::StatusCode;
use service::NewOrganisation;

/// Pages and who gets them; everybody else may not.
const PAGES: &[(&str, &[&str])] = &[
    ("/organisations/maker", &["maker", "platform-admin", "platform-auditor"]),
    ("/organisations/maker/members", &["maker-admin", "maker-auditor", "maker-second"]),
    ("/organisations/maker/signers", &["maker", "platform-admin", "platform-auditor"]),
    ("/organisations/maker/message-keys", &["maker", "platform-admin", "platform-auditor"]),
    ("/products", &["maker", "owner", "stranger", "platform"]),
    ("/products/maker/gate", &["maker"]),
    ("/authorities", &["maker", "owner", "stranger", "platform"]),
    ("/authorities/keys", &["platform"]),
    ("/authorities/uses", &["platform"]),
    (
        "/audit",
        &["maker-admin", "maker-auditor", "maker-second", "owner-admin", "stranger", "platform"],
    ),
    ("/audit?organisation=maker", &["maker-admin", "maker-auditor", "maker-second"]),
    ("/log", &["maker", "owner", "stranger", "platform"]),
];

#[tokio::test]
async fn each_page_is_shown_to_whom_it_concerns_in_both_languages_and_to_nobody_else() {
    let stage = Stage::new().await;
    for (path, whose) in PAGES {
        for (who, ..) in CAST {
            let expected = whose.iter().any(|prefix| who.starts_with(prefix));
            for language in Language::ALL.iter().copied() {
                let page = stage.get_in(who, language, path).await;
                let shown = page.status == StatusCode::OK;
                assert_eq!(shown, expected, "{path} for {who}: {}", page.status);
                assert!(page.html.contains(&format!("<html lang=\"{}\"", language.name())));
                is_sound(&page, path);
            }
        }
    }
}

#[tokio::test]
async fn what_belongs_to_strangers_is_not_there() {
    let stage = Stage::new().await;
    for path in [
        "/organisations/maker",
        "/organisations/maker/members",
        "/organisations/no-such",
        "/organisations/..",
        "/products/maker/gate",
        "/products/maker/no-such",
        "/audit?organisation=maker",
        "/audit?organisation=no-such",
        "/log/tile/0/../../store",
        "/log/tile/9/999",
    ] {
        let page = stage.get("stranger", path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/audit?kind=no-such", "/audit?from=yesterday", "/audit?after=-1"] {
        let page = stage.get("maker-admin", path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn the_navigation_shows_what_the_roles_reach() {
    let stage = Stage::new().await;
    let reader = stage.get("maker-reader", "/products").await.html;
    assert!(reader.contains("href=\"/products\"") && !reader.contains("href=\"/audit\""));
    let auditor = stage.get("maker-auditor", "/products").await.html;
    assert!(auditor.contains("href=\"/audit\""));
    // One's own organisation is the list for those who are not the platform.
    let own = stage.get("owner-reader", "/organisations").await;
    assert_eq!(
        (own.status, own.header("location")),
        (StatusCode::SEE_OTHER, "/organisations/owner")
    );
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let stage = Stage::new().await;
    let new = NewOrganisation {
        id: id("hostile"),
        name: "<script>alert(1)</script>\"'&".to_owned(),
        roles: device::Roles::NONE,
    };
    stage.world.service.create_organisation(&stage.world.platform_admin, new).await.unwrap();
    for path in ["/organisations", "/organisations/hostile"] {
        let page = stage.get("platform-admin", path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.html.contains("&#60;script&#62;alert(1)"), "{path}: {}", page.html);
        is_sound(&page, path);
    }
}

#[tokio::test]
async fn the_audit_log_is_read_backwards_page_by_page_and_verified() {
    let stage = Stage::new().await;
    for _ in 0..60 {
        stage.world.service.check_log(&stage.maker.admin).await.unwrap();
    }
    let first = stage.get("platform-admin", "/audit").await;
    let numbers = |html: &str| -> Vec<u64> {
        html.split("no. ")
            .skip(1)
            .map(|rest| {
                let digits: String =
                    rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
                digits.replace(',', "").parse().unwrap()
            })
            .collect()
    };
    let mut seen = numbers(&first.html);
    assert_eq!(seen.len(), 50);
    let mut html = first.html;
    while let Some((_, rest)) = html.split_once("rel=\"next\" href=\"") {
        let href = rest.split('"').next().unwrap().replace("&#38;", "&");
        html = stage.get("platform-admin", &href).await.html;
        seen.extend(numbers(&html));
    }
    let newest = seen[0];
    let expected: Vec<u64> = (1..=newest).rev().collect();
    assert_eq!(seen, expected, "every event once, newest first");

    let of_kind = stage.get("platform-admin", "/audit?kind=certificate-issued").await.html;
    let kinds = numbers(&of_kind).len();
    assert!(kinds > 0 && kinds < seen.len());
    // The clock of this world stands at 2027-01-15.
    for (range, some) in [
        ("from=2027-01-15&until=2027-01-15", true),
        ("until=2027-01-14", false),
        ("from=2027-01-16", false),
    ] {
        let html = stage.get("platform-admin", &format!("/audit?{range}")).await.html;
        assert_eq!(!numbers(&html).is_empty(), some, "{range}");
    }
    let own = stage.get("maker-auditor", "/audit").await.html;
    assert!(!own.contains("<code>owner</code>") && own.contains("<code>maker</code>"));

    let checked = stage.post("platform-auditor", "/audit/verify", "").await;
    assert_eq!(checked.status, StatusCode::OK);
    assert!(checked.html.contains("The chain is whole"), "{}", checked.html);
    is_sound(&checked, "/audit/verify");
    // Others verify the same chain, and are told of their own events.
    let events = |html: &str| {
        let (_, rest) = html.split_once("<dd>").unwrap();
        rest.split('<').next().unwrap().replace(',', "").parse::<u64>().unwrap()
    };
    let own = stage.post("maker-auditor", "/audit/verify", "").await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.html);
    is_sound(&own, "/audit/verify");
    assert!(own.html.contains("The chain is whole"), "{}", own.html);
    assert!((1..events(&checked.html)).contains(&events(&own.html)), "{}", own.html);
    let refused = stage.post("maker-operator", "/audit/verify", "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let foreign = stage.post_raw("platform-auditor", "/audit/verify", "csrf=00").await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_log_is_checked_and_its_files_are_there() {
    let stage = Stage::new().await;
    let maker = &stage.maker;
    stage.world.made(maker, "gate", Vec::new()).await;
    stage.world.service.integrate_now().await.unwrap();
    let page = stage.get("maker-operator", "/log").await;
    is_sound(&page, "/log");
    let (_, rest) = page.html.split_once("href=\"/log/tile/0/").unwrap();
    let tile = format!("/log/tile/0/{}", rest.split('"').next().unwrap());
    assert_eq!(stage.get("maker-reader", &tile).await.status, StatusCode::OK);
    let checkpoint = stage.get("maker-reader", "/log/checkpoint").await;
    assert!(checkpoint.html.starts_with("test.example/log\n"));
    let checked = stage.post("maker-operator", "/log/check", "").await;
    assert!(checked.html.contains("The log is whole"), "{}", checked.html);
    assert_eq!(stage.post("maker-reader", "/log/check", "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        stage.post_raw("maker-operator", "/log/check", "").await.status,
        StatusCode::FORBIDDEN
    );
}
