//! What whole pages cost: through the router, with session, layout, texts and escaping.

use super::{Bench, machine, world::World};
use anyhow::Context as _;
use console::{Origin, Resuming, Sessions, Setup, SignedIn};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tower::ServiceExt as _;

const ORIGIN: &str = "http://localhost:8081";
/// The secret of the one session.
const SECRET: &str = "bench";
/// Requests per page.
const REQUESTS: usize = 200;

/// One person, signed in all the time.
struct One(SignedIn);

impl Sessions for One {
    fn resume<'a>(&'a self, secret: &'a str) -> Resuming<'a> {
        Box::pin(std::future::ready((secret == SECRET).then(|| self.0.clone())))
    }
}

/// Path and query of a page, another one each time.
pub(super) type Path<'a> = Box<dyn Fn() -> anyhow::Result<String> + Send + Sync + 'a>;

/// Pages of the fleet.
const FLEET: [(&str, &str); 4] = [
    ("overview as a page", "/?lang=ja"),
    ("list as a page", "/devices?lang=ja"),
    ("search as a page", "/devices?text=zz-no-such"),
    ("filters as a page", "/devices?relation=maker&standing=suspended&order=serial"),
];

pub(super) fn fleet() -> Vec<(&'static str, Path<'static>)> {
    let fixed = |path: &'static str| Box::new(move || Ok(path.to_owned())) as Path<'static>;
    FLEET.into_iter().map(|(what, path)| (what, fixed(path))).collect()
}

/// Pages with their times in milliseconds. What a path is, is asked for each request, so that not one
/// product alone is looked at again and again.
pub(super) async fn times<'n>(
    bench: &Bench,
    world: &World,
    paths: &[(&'n str, Path<'_>)],
) -> anyhow::Result<Vec<(&'n str, Vec<f64>)>> {
    let maker = world.maker();
    let signed = SignedIn {
        caller: maker.caller.clone(),
        organisation: maker.organisation.clone(),
        organisation_name: "Bench".to_owned(),
        name: "Bench".to_owned(),
        language: None,
        theme: None,
        authenticated_at: world.service().now(),
    };
    let router = console::router(Setup {
        service: world.service().clone(),
        origin: Origin::parse(ORIGIN)?,
        sessions: Arc::new(One(signed)),
    });
    let mut all = Vec::new();
    for (what, path) in paths {
        let bar = bench.progress(REQUESTS, "requests of a page");
        let mut times = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let path = path()?;
            let request = Request::get(&path)
                .header(header::HOST, "localhost:8081")
                .header(header::COOKIE, format!("tegata={SECRET}"))
                .body(String::new())?;
            let start = machine::clock();
            let response = router.clone().oneshot(request).await.context("a page")?;
            let status = response.status();
            let page = response.into_body().collect().await?.to_bytes();
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            anyhow::ensure!(status == StatusCode::OK, "{path} answers {status}");
            std::hint::black_box(page);
            bar.inc(1);
        }
        bar.finish_and_clear();
        all.push((*what, times));
    }
    Ok(all)
}
