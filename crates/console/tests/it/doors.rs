//! What goes with every answer, and what is refused before any page.

use crate::site::{ORIGIN, Site, ask, cookie, form};
use axum::body::Body;
use http::{Method, StatusCode, header};

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let site = Site::new();
    for path in ["/guide", "/sign-in", "/no-such-page", "/assets/0/none.css", "/preferences"] {
        let page = site.get(path).await;
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(page.header(name), value, "{path}: {name}");
        }
        assert!(!page.html.contains("style="), "{path}: a style attribute");
        assert!(!page.html.contains("<style"), "{path}: an inline style");
        assert!(!page.html.contains("<script>"), "{path}: an inline script");
        for event in [" onclick=", " onload=", " onerror=", " onsubmit=", "javascript:"] {
            assert!(!page.html.contains(event), "{path}: {event}");
        }
    }
}

#[tokio::test]
async fn a_link_is_opened_by_people_and_tells_nobody_its_secret() {
    /// What somebody is told whose link is none.
    const LOOKED_UP: &str = "link does not work";
    let site = Site::new();
    let path = format!("/invitation/tgi_{}", "x".repeat(43));
    let by = async |mode: &str, dest: &str| {
        let request = ask(Method::GET, &path)
            .header("sec-fetch-mode", mode)
            .header("sec-fetch-dest", dest)
            .header("sec-fetch-site", "cross-site");
        site.send(request.body(Body::empty()).unwrap()).await
    };
    // Another site's pictures and frames are refused before they count as anybody's attempt.
    for _ in 0..100 {
        for (mode, dest) in [("no-cors", "image"), ("navigate", "iframe"), ("cors", "empty")] {
            let page = by(mode, dest).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{mode} {dest}");
            assert!(!page.html.contains(LOOKED_UP), "{mode} {dest}: it was looked up");
        }
    }
    let opened = by("navigate", "document").await;
    assert!(opened.html.contains(LOOKED_UP), "{} {}", opened.status, opened.html);
    assert_eq!(opened.header("referrer-policy"), "no-referrer");
    assert_eq!(site.get("/invitation").await.header("referrer-policy"), "same-origin");
}

#[tokio::test]
async fn files_are_kept_for_ever_under_their_hash() {
    let site = Site::new();
    let page = site.get("/guide").await;
    for name in ["console.css", "console.js", "htmx.js", "favicon.svg"] {
        let at = page.html.find(&format!("/{name}\"")).unwrap();
        let start = page.html[..at].rfind("/assets/").unwrap();
        let path = format!("{}/{name}", &page.html[start..at]);
        let file = site.get(&path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert_eq!(file.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
    }
    assert_eq!(site.get("/assets/0011223344556677/console.css").await.status, 404);
}

#[tokio::test]
async fn pages_of_the_navigation_are_there_and_need_a_session_or_not() {
    let site = Site::new();
    for (_, items) in console::NAVIGATION {
        for item in *items {
            let page = site.get_signed(item.href).await;
            assert_eq!(page.status, StatusCode::OK, "{}", item.href);
            assert!(page.html.contains("aria-current=\"page\""), "{} is not marked", item.href);
            assert!(page.html.contains("Yamato &#60;Devices&#62; &#38; Co"), "{}", item.href);
        }
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing() {
    let site = Site::new();
    let token = site.get_signed("/guide").await.token().to_owned();
    let good = format!("csrf={token}&theme=dark&to=/guide");
    let send = |request: http::request::Builder, body: &str| {
        let request = request.header(header::COOKIE, cookie());
        site.send(request.body(Body::from(body.to_owned())).unwrap())
    };

    let page = send(form("/preferences"), &good).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(page.header(header::SET_COOKIE).starts_with("theme=dark;"));
    assert_eq!(page.header(header::LOCATION), "/guide");

    let post = || {
        ask(Method::POST, "/preferences")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
    };
    let naked = || {
        http::Request::builder()
            .method(Method::POST)
            .uri("/preferences")
            .header(header::HOST, "console.example")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
    };
    for (request, body, what) in [
        (form("/preferences"), "theme=dark".to_owned(), "no token"),
        (form("/preferences"), good.replace(&token, &"0".repeat(64)), "another token"),
        (post().header(header::ORIGIN, "https://evil.example"), good.clone(), "another origin"),
        (post().header(header::ORIGIN, "null"), good.clone(), "a sandbox"),
        (naked(), good.clone(), "neither origin nor site"),
        (naked().header("sec-fetch-site", "cross-site"), good.clone(), "another site"),
        (naked().header("sec-fetch-site", "same-site"), good.clone(), "a neighbour"),
        (
            naked().header("sec-fetch-site", "same-origin").header("sec-fetch-site", "same-origin"),
            good.clone(),
            "two answers",
        ),
    ] {
        let page = send(request, &body).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{what}");
        assert_eq!(page.header(header::SET_COOKIE), "", "{what}");
    }
    let old = naked().header(header::ORIGIN, ORIGIN);
    assert_eq!(send(old, &good).await.status, StatusCode::SEE_OTHER, "a browser of old");
}

#[tokio::test]
async fn forms_have_limits() {
    let site = Site::new();
    let long = format!("to=/{}", "a".repeat(console::FORM_BYTES_MAX));
    let page = site.send(form("/preferences").body(Body::from(long)).unwrap()).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = ask(Method::POST, "/preferences")
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(site.send(json).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn other_host_names_are_sent_away() {
    let site = Site::new();
    for (host, status) in [
        ("console.example", StatusCode::OK),
        ("CONSOLE.example:443", StatusCode::OK),
        ("console.example:8080", StatusCode::MISDIRECTED_REQUEST),
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = http::Request::get("/guide").header(header::HOST, host);
        let page = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(page.status, status, "{host:?}");
        if status != StatusCode::OK {
            assert!(page.html.contains(ORIGIN), "it says where the console is");
        }
    }
}

#[tokio::test]
async fn one_is_sent_back_to_our_own_pages_only() {
    let site = Site::new();
    for to in ["//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aX:1"] {
        let fields = format!("theme=dark&to={}", to.replace('%', "%25"));
        let page = site.post_signed("/preferences", &fields).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        let location = page.header(header::LOCATION);
        assert!(!location.contains("evil.example") && location.starts_with('/'), "{location}");
    }
    let page = site.get("/sign-in?to=//evil.example").await;
    assert!(page.html.contains("name=\"to\" value=\"/\""), "{}", page.html);
}

#[tokio::test]
async fn language_follows_link_cookie_and_header() {
    let site = Site::new();
    let get = |path: &'static str, cookie: &'static str, accept: &'static str| {
        let request = ask(Method::GET, path)
            .header(header::COOKIE, cookie)
            .header(header::ACCEPT_LANGUAGE, accept);
        site.send(request.body(Body::empty()).unwrap())
    };
    for (path, cookie, accept, tag) in [
        ("/guide", "", "", "en"),
        ("/guide", "", "ja,en;q=0.5", "ja"),
        ("/guide", "lang=ja", "en", "ja"),
        ("/guide?lang=en", "lang=ja", "ja", "en"),
        ("/guide", "lang=xx", "ja", "ja"),
        ("/no-such-page", "", "ja", "ja"),
    ] {
        let page = get(path, cookie, accept).await;
        assert!(page.html.contains(&format!("<html lang=\"{tag}\"")), "{path} {cookie} {accept}");
        assert_eq!(page.header(header::CONTENT_LANGUAGE), tag);
    }
}

#[tokio::test]
async fn a_notice_is_said_once_and_is_one_of_ours() {
    let site = Site::new();
    let get = |cookie: &'static str| {
        site.send(
            ask(Method::GET, "/guide").header(header::COOKIE, cookie).body(Body::empty()).unwrap(),
        )
    };
    let page = get("notice=signed-out").await;
    assert!(page.html.contains("You are signed out."), "{}", page.html);
    assert!(page.header(header::SET_COOKIE).starts_with("notice=; "));
    let page = get("notice=anything-else").await;
    assert!(!page.html.contains("anything-else"));
}
