//! A console over a world with makers, owners and devices, and a person for each role.

use crate::{
    site::{Page, ask, form},
    world::{Org, World, id},
};
use axum::{Router, body::Body};
use console::{Origin, Resuming, Sessions, Setup, SignedIn};
use device::{DeviceKind, Language};
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use policy::{Caller, PersonId, Role, Roles};
use service::Config;
use std::{collections::HashMap, sync::Arc};
use tower::ServiceExt as _;

/// Who is signed in under which secret.
struct Cast(HashMap<String, SignedIn>);

impl Sessions for Cast {
    fn resume<'a>(&'a self, secret: &'a str) -> Resuming<'a> {
        Box::pin(std::future::ready(self.0.get(secret).cloned()))
    }
}

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) maker: Org,
    pub(crate) owner: Org,
    router: Router,
}

/// Everybody on the stage: secret, organisation, roles.
pub(crate) const CAST: &[(&str, &str, &[Role])] = &[
    ("platform-admin", "platform", &[Role::Administrator]),
    ("platform-admin-2", "platform", &[Role::Administrator]),
    ("platform-auditor", "platform", &[Role::Auditor]),
    ("maker-admin", "maker", &[Role::Administrator, Role::Operator]),
    ("maker-operator", "maker", &[Role::Operator]),
    ("maker-station", "maker", &[Role::Station]),
    ("maker-auditor", "maker", &[Role::Auditor]),
    ("maker-reader", "maker", &[Role::Reader]),
    ("maker-second", "maker", &[Role::Administrator, Role::Auditor]),
    ("owner-admin", "owner", &[Role::Administrator, Role::Operator]),
    ("owner-operator", "owner", &[Role::Operator]),
    ("owner-reader", "owner", &[Role::Reader]),
    ("stranger", "stranger", &[Role::Administrator, Role::Operator, Role::Auditor]),
];

impl Stage {
    pub(crate) async fn new() -> Self {
        let config =
            Config { console_url: Some(crate::site::ORIGIN.to_owned()), ..crate::world::config() };
        let world = World::with(config).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        world.org("stranger", device::Roles::NONE).await;
        let mut cast = HashMap::new();
        for (secret, organisation, roles) in CAST {
            let (caller, _) = world.member(&id(organisation), secret, Roles::of(roles)).await;
            for language in Language::ALL.iter().copied() {
                let signed = SignedIn {
                    caller: caller.clone(),
                    organisation: id(organisation),
                    organisation_name: (*organisation).to_owned(),
                    name: "<b>花子</b>".to_owned(),
                    language: Some(language),
                    theme: None,
                    authenticated_at: world.service.now(),
                };
                cast.insert(format!("{secret}.{}", language.name()), signed);
            }
        }
        // A person whose passkey was shown long ago.
        let old = world.service.now().plus(-3600);
        let stale = SignedIn {
            caller: Caller::Person {
                organisation: id("maker"),
                person: PersonId::from_bytes([7; 16]),
                name: "stale".to_owned(),
                roles: Roles::ALL,
                session: crypto::sha256(b"a session"),
                authenticated_at: old,
            },
            organisation: id("maker"),
            organisation_name: "maker".to_owned(),
            name: "stale".to_owned(),
            language: Some(Language::En),
            theme: None,
            authenticated_at: old,
        };
        cast.insert("maker-stale.en".to_owned(), stale);
        let router = console::router(Setup {
            service: world.service.clone(),
            origin: Origin::parse(crate::site::ORIGIN).unwrap(),
            sessions: Arc::new(Cast(cast)),
        });
        Self { world, maker, owner, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let html = String::from_utf8_lossy(&bytes).into_owned();
        Page { status: parts.status, headers: parts.headers, html }
    }

    /// A page in English.
    pub(crate) async fn get(&self, who: &str, path: &str) -> Page {
        self.get_in(who, Language::En, path).await
    }

    pub(crate) async fn get_in(&self, who: &str, language: Language, path: &str) -> Page {
        let cookie = format!("__Host-tegata={who}.{}", language.name());
        let request = ask(Method::GET, path).header(header::COOKIE, cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A file.
    pub(crate) async fn get_bytes(&self, who: &str, path: &str) -> Vec<u8> {
        let cookie = format!("__Host-tegata={who}.en");
        let request = ask(Method::GET, path).header(header::COOKIE, cookie);
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), http::StatusCode::OK, "{path}");
        response.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    /// A form from one of our pages, with its token.
    pub(crate) async fn post(&self, who: &str, path: &str, fields: &str) -> Page {
        let token = self.get(who, "/guide").await.token().to_owned();
        self.post_raw(who, path, &format!("csrf={token}&{fields}")).await
    }

    /// A form as it stands.
    /// A form from a page in a language.
    pub(crate) async fn post_in(
        &self,
        who: &str,
        language: Language,
        path: &str,
        fields: &str,
    ) -> Page {
        let token = self.get_in(who, language, "/guide").await.token().to_owned();
        let cookie = format!("__Host-tegata={who}.{}", language.name());
        let request = form(path).header(header::COOKIE, cookie);
        self.send(request.body(Body::from(format!("csrf={token}&{fields}"))).unwrap()).await
    }

    pub(crate) async fn post_raw(&self, who: &str, path: &str, body: &str) -> Page {
        let request = form(path).header(header::COOKIE, format!("__Host-tegata={who}.en"));
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

/// What every page must hold, whatever it shows.
pub(crate) fn is_sound(page: &Page, path: &str) {
    let html = &page.html;
    for wrong in ["<script>", "javascript:", " style=", " onclick", " onload", " onerror"] {
        assert!(!html.contains(wrong), "{path}: {wrong:?}");
    }
    assert_eq!(html.matches("<h1").count(), 1, "{path}: one heading of the first rank");
    for table in html.split("<table").skip(1) {
        let table = table.split("</table>").next().unwrap();
        assert!(table.contains("<caption"), "{path}: a table without caption");
        for cell in table.split("<th").skip(1).filter(|cell| !cell.starts_with("ead")) {
            let tag = cell.split('>').next().unwrap();
            assert!(tag.contains("scope="), "{path}: a heading without scope: {tag}");
        }
    }
    for form in html.split("<form").skip(1) {
        let form = form.split("</form>").next().unwrap();
        let posts = form.split('>').next().unwrap().contains("method=\"post\"");
        assert_eq!(posts, form.contains("name=\"csrf\""), "{path}: {form}");
    }
    // A text that is missing shows its key.
    for prefix in [
        "passport-",
        "messages-",
        "device-log-",
        "routes-",
        "traffic-",
        "command-",
        "policies-",
        "policy-",
        "devices-",
        "overview-",
        "jobs-",
        "act-",
        "bulk-",
        "life-",
        "evidence-",
        "organisations-",
        "products-",
        "authorities-",
        "audit-",
        "log-",
        "words-",
        "forms-",
        "labels-",
        "report-",
        "label-",
        "releases-",
        "release-",
        "campaigns-",
        "campaign-",
        "vulnerabilities-",
        "exposure-",
        "cases-",
        "case-",
        "diagnoses-",
        "diagnosis-",
        "operation-",
        "threats-",
    ] {
        for hit in html.split(&format!(">{prefix}")).skip(1) {
            assert!(
                !hit.starts_with(|c: char| c.is_ascii_lowercase()),
                "{path}: {prefix}{hit:.20}"
            );
        }
    }
}
