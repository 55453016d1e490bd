//! A console over a new installation, with people of its own.

use axum::{Router, body::Body};
use console::{Origin, Resuming, Sessions, Setup, SignedIn, Source};
use crypto::{Secret, UnixTime, sealed::Unlock};
use device::OrganisationId;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use policy::{Caller, Roles};
use service::{Clock, Config, Service};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use tower::ServiceExt as _;

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);
pub(crate) const ORIGIN: &str = "https://console.example";
/// The secret of the one session that there is.
pub(crate) const SECRET: &str = "session-of-hanako";

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> UnixTime {
        NOW
    }
}

/// One person, an administrator of the platform's organisation.
struct Hanako;

impl Sessions for Hanako {
    fn resume<'a>(&'a self, secret: &'a str) -> Resuming<'a> {
        let organisation = OrganisationId::new(policy::PLATFORM).unwrap();
        let signed = SignedIn {
            caller: Caller::member(
                organisation.clone(),
                "hanako",
                Roles::ALL,
                crypto::sha256(b"a certificate"),
            ),
            organisation,
            organisation_name: "Yamato <Devices> & Co".to_owned(),
            name: "山田 花子".to_owned(),
            language: None,
            theme: None,
            authenticated_at: NOW,
        };
        Box::pin(std::future::ready((secret == SECRET).then_some(signed)))
    }
}

pub(crate) struct Site {
    _dir: tempfile::TempDir,
    pub(crate) service: Service,
    router: Router,
}

/// What came back.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Page {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The token in its forms.
    pub(crate) fn token(&self) -> &str {
        let (_, rest) = self.html.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = Secret::new((0..32).collect());
        let unlock = Unlock::KeyFile(&key);
        let setup = service::Setup {
            origin: "log.example/tegata".to_owned(),
            platform: OrganisationId::new(policy::PLATFORM).unwrap(),
            platform_name: "Platform".to_owned(),
            witness_keys: Vec::new(),
            quorum: 0,
        };
        Service::create(dir.path(), &unlock, &setup, &Fixed).unwrap();
        let service =
            Service::open(dir.path(), &unlock, Config::default(), Arc::new(Fixed)).unwrap();
        let router = console::router(Setup {
            service: service.clone(),
            origin: Origin::parse(ORIGIN).unwrap(),
            sessions: Arc::new(Hanako),
        });
        Self { _dir: dir, service, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let html = String::from_utf8(bytes.to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, html }
    }

    /// A page, as a visitor who is not signed in.
    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(ask(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    /// A page, as Hanako.
    pub(crate) async fn get_signed(&self, path: &str) -> Page {
        let request = ask(Method::GET, path).header(header::COOKIE, cookie());
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A form, as Hanako, from our own page; the token is put before the fields.
    pub(crate) async fn post_signed(&self, path: &str, fields: &str) -> Page {
        let token = self.get_signed("/guide").await.token().to_owned();
        let request = form(path).header(header::COOKIE, cookie());
        self.send(request.body(Body::from(format!("csrf={token}&{fields}"))).unwrap()).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.service.clone().close();
    }
}

/// A request as a browser sends it.
pub(crate) fn ask(method: Method, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "console.example")
        .header("sec-fetch-site", "same-origin")
        .extension(Source(IpAddr::V4(Ipv4Addr::LOCALHOST).into()))
}

/// A form from one of our pages.
pub(crate) fn form(path: &str) -> http::request::Builder {
    ask(Method::POST, path)
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

pub(crate) fn cookie() -> String {
    format!("__Host-tegata={SECRET}")
}
