//! One CA: request it, bring its certificate back from the ceremony, retire it. The root's key is
//! offline: what it signs is done with commands, which the page gives to be copied.

use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    pages::{
        form::{self, ConfirmPage, FormPage, Mistakes},
        listing, sensitive, words,
    },
    ui::{Badge, ButtonKind, Choice, Command, Field, Fingerprint, Message, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::IntoResponse as _,
    routing::get,
};
use crypto::KeyAlgorithm;
use device::ProductId;
use http::header;
use pki::Certificate;
use policy::Action;
use serde::Deserialize;
use service::{CaKind, CaSpec, CaView, Page};

const NEW: &str = "/authorities/new";
const INSTALL: &str = "/authorities/install";
/// Most years that are offered; 0 is as long as the root.
const YEARS_MAX: u16 = 50;
const YEARS_USUAL: &str = "10";
/// Product lines offered.
const PRODUCTS: u32 = 1000;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route(NEW, get(ask).post(request))
        .route(INSTALL, get(ask_install).post(install))
        .route("/authorities/ca/{ca}", get(one))
        .route("/authorities/ca/{ca}/request", get(download_request))
        .route("/authorities/ca/{ca}/certificate", get(download_certificate))
        .route("/authorities/ca/{ca}/retire", get(ask_retire).post(retire))
}

/// Whether the visitor requests CAs for its own organisation.
pub(super) fn may_create(member: &Member) -> bool {
    words::may(member, Action::CreateIssuingCa, &member.signed().organisation)
}

fn crumb(member: &Member) -> (String, String) {
    ("/authorities".to_owned(), member.t.text("authorities-title").to_string())
}

/// What is shown above what is asked.
fn address(ca: &CaView) -> String {
    format!("/authorities/ca/{}", ca.slug)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct New {
    /// product line; empty for owners' identities
    product: String,
    name: String,
    algorithm: String,
    years: String,
}

impl New {
    async fn page(&self, console: &Console, member: &Member) -> Result<FormPage, Failure> {
        let t = member.t;
        let own = &member.signed().organisation;
        let page = Page { after: None, limit: PRODUCTS };
        let lines = console.service.products(member.caller(), own, &page).await?;
        let lines = lines.items.into_iter().map(|line| (line.id.to_string(), line.name));
        let issues = words::choices(t.text("authorities-for-owner"), lines);
        let algorithms = KeyAlgorithm::GENERATED
            .iter()
            .map(|algorithm| Choice::new(algorithm.to_string(), algorithm.to_string()))
            .collect();
        let usual = KeyAlgorithm::EcdsaP256.to_string();
        let or = |text: &str, usual: &str| if text.is_empty() { usual } else { text }.to_owned();
        let (href, label) = crumb(member);
        let title = t.text("authorities-new");
        Ok(FormPage::new(member, Section::Authorities, title, NEW, "/authorities")
            .crumb(href, label)
            .lead(t.text("authorities-new-lead"))
            .fields(vec![
                Field::select(t, "product", t.text("authorities-for"), issues)
                    .hint(t.text("authorities-for-hint"))
                    .value(&self.product),
                Field::text(t, "name", t.text("authorities-common-name"))
                    .hint(t.text("authorities-common-name-hint"))
                    .value(&self.name)
                    .required()
                    .most(64),
                Field::select(t, "algorithm", t.text("authorities-algorithm"), algorithms)
                    .hint(t.text("authorities-algorithm-hint"))
                    .value(or(&self.algorithm, &usual)),
                Field::number(t, "years", t.text("authorities-years"))
                    .hint(t.text("authorities-years-hint"))
                    .value(or(&self.years, YEARS_USUAL)),
            ])
            .button(t.text("authorities-new")))
    }

    fn read(&self, member: &Member, mistakes: &mut Mistakes) -> Option<CaSpec> {
        let t = member.t;
        let read = |text: &str| match text {
            "" => Some(None),
            text => ProductId::new(text).ok().map(Some),
        };
        let product = mistakes.read("product", &self.product, read, t.text("forms-choose"));
        let read = |text: &str| {
            let found = text.parse::<KeyAlgorithm>().ok();
            found.filter(|found| KeyAlgorithm::GENERATED.contains(found))
        };
        let algorithm = mistakes.read("algorithm", &self.algorithm, read, t.text("forms-choose"));
        let read = |text: &str| text.parse().ok().filter(|years| *years <= YEARS_MAX);
        let wrong = t.text("authorities-years-wrong").arg("years", u32::from(YEARS_MAX));
        let years = mistakes.read("years", self.years.trim(), read, wrong);
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            mistakes.add("name", t.text("authorities-common-name-wrong"));
        }
        let product = product?;
        Some(CaSpec {
            organisation: member.signed().organisation.clone(),
            kind: if product.is_some() { CaKind::Device } else { CaKind::Owner },
            product,
            name: name.to_owned(),
            algorithm: algorithm?,
            years: years?,
        })
    }

    /// The page with this form, filled in as it is.
    fn address(&self) -> String {
        listing::address(
            NEW,
            &[
                ("product", &self.product),
                ("name", &self.name),
                ("algorithm", &self.algorithm),
                ("years", &self.years),
            ],
        )
    }
}

async fn ask(State(console): State<Console>, member: Member, Asked(new): Asked<New>) -> Answer {
    if !may_create(&member) {
        return Err(Failure::forbidden());
    }
    new.page(&console, &member).await?.show(&member)
}

async fn request(
    State(console): State<Console>,
    member: Member,
    Posted(new): Posted<New>,
) -> Answer {
    if !may_create(&member) {
        return Err(Failure::forbidden());
    }
    let mut mistakes = Mistakes::default();
    let spec = new.read(&member, &mut mistakes).filter(|_| mistakes.is_empty());
    let page = new.page(&console, &member).await?;
    let Some(spec) = spec else { return Ok(page.refuse(&member, mistakes)) };
    match console.service.request_ca(member.caller(), spec).await {
        Ok(request) => {
            Ok(member.done(&format!("/authorities/ca/{}", request.slug), "ca-requested"))
        }
        Err(error) => {
            let places = &[
                ("ca-exists", "product"),
                ("ca-kind", "product"),
                ("not-found", "product"),
                ("certificate-refused", "name"),
            ];
            form::refused(&member, error, &new.address(), places, || page)
        }
    }
}

async fn one(State(console): State<Console>, member: Member, Path(ca): Path<String>) -> Answer {
    let view = console.service.ca(member.caller(), &ca).await?;
    let t = member.t;
    let may = |action| words::may(&member, action, &view.organisation);
    let waits = match &view.certificate {
        None if may(Action::CreateIssuingCa) => {
            let request = console.service.ca_request(member.caller(), &ca).await?;
            let slug = &view.slug;
            Some(Waits {
                summary: request.summary(),
                sign: Command::new(
                    t,
                    format!(
                        "tegata ca sign --root root --passphrase-file root.pass \\\n  \
                         --request {slug}.request --out {slug}.pem"
                    ),
                ),
                install: Command::new(t, format!("tegata ca install --certificate {slug}.pem")),
            })
        }
        _ => None,
    };
    let slug = &view.slug;
    let revoke = view.certificate.is_some() && may(Action::RetireIssuingCa);
    let revoke = revoke.then(|| {
        Command::new(
            t,
            format!(
                "tegata ca crl --root root --passphrase-file root.pass \\\n  --revoked {slug}.pem \
                 --out root.crl\ntegata ca import-crl --crl root.crl"
            ),
        )
    });
    let state = match (&view.certificate, view.retired_at) {
        (_, Some(_)) => Badge::new(Tone::Neutral, t.text("authorities-retired-ca")),
        (Some(certificate), None) => words::validity(t, certificate.not_after(), member.now),
        (None, None) => Badge::new(Tone::Busy, t.text("authorities-waits")),
    };
    let page = OnePage {
        t,
        frame: member.frame(Section::Authorities, &view.name),
        kind: t.word("ca-kind", view.kind.name()).to_string(),
        state,
        since: t.date(view.created_at),
        retired: view.retired_at.map(|at| t.date(at)),
        certificate: view.certificate.as_ref().map(|certificate| Issued::new(t, certificate)),
        may_retire: view.retired_at.is_none() && may(Action::RetireIssuingCa),
        message: waits.as_ref().map(|_| {
            Message::new(Tone::Busy, t.text("authorities-waits-text"))
                .title(t.text("authorities-waits"))
        }),
        waits,
        revoke,
        view,
    };
    Ok(member.page(&page))
}

/// What the ceremony needs.
struct Waits {
    summary: String,
    sign: Command,
    install: Command,
}

struct Issued {
    subject: String,
    algorithm: Option<String>,
    begins: Moment,
    ends: Moment,
    serial: String,
    fingerprint: Fingerprint,
}

impl Issued {
    fn new(t: Locale, certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject().to_string(),
            algorithm: certificate.public_key().ok().map(|key| key.algorithm().to_string()),
            begins: t.date(certificate.not_before()),
            ends: t.date(certificate.not_after()),
            serial: certificate.serial().to_string(),
            fingerprint: Fingerprint::new(t, &certificate.fingerprint()),
        }
    }
}

#[derive(Template)]
#[template(path = "authorities/ca.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    view: CaView,
    kind: String,
    state: Badge,
    since: Moment,
    retired: Option<Moment>,
    certificate: Option<Issued>,
    message: Option<Message>,
    waits: Option<Waits>,
    revoke: Option<Command>,
    may_retire: bool,
}

fn file(name: &str, media_type: &'static str, text: String) -> Answer {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, text).into_response())
}

async fn download_request(
    State(console): State<Console>,
    member: Member,
    Path(ca): Path<String>,
) -> Answer {
    let request = console.service.ca_request(member.caller(), &ca).await?;
    let name = format!("{}.request", request.slug);
    file(&name, "text/plain; charset=utf-8", request.to_text())
}

async fn download_certificate(
    State(console): State<Console>,
    member: Member,
    Path(ca): Path<String>,
) -> Answer {
    let view = console.service.ca(member.caller(), &ca).await?;
    let certificate = view.certificate.ok_or_else(Failure::not_found)?;
    file(&format!("{}.pem", view.slug), "application/x-pem-file", certificate.to_pem())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Brought {
    certificate: String,
}

impl Brought {
    fn page(&self, member: &Member) -> FormPage {
        let t = member.t;
        let (href, label) = crumb(member);
        let title = t.text("authorities-install");
        FormPage::new(member, Section::Authorities, title, INSTALL, "/authorities")
            .crumb(href, label)
            .lead(t.text("authorities-install-lead"))
            .fields(vec![
                Field::area(t, "certificate", t.text("authorities-pem"))
                    .hint(t.text("authorities-pem-hint"))
                    .value(&self.certificate)
                    .required(),
            ])
            .button(t.text("authorities-install"))
    }
}

async fn ask_install(member: Member) -> Answer {
    if !may_create(&member) {
        return Err(Failure::forbidden());
    }
    Brought::default().page(&member).show(&member)
}

async fn install(
    State(console): State<Console>,
    member: Member,
    Posted(brought): Posted<Brought>,
) -> Answer {
    let mut mistakes = Mistakes::default();
    let read = |text: &str| Certificate::from_pem(text).ok();
    let wrong = member.t.text("authorities-pem-wrong");
    let certificate = mistakes.read("certificate", brought.certificate.trim(), read, wrong);
    let Some(certificate) = certificate else {
        return Ok(brought.page(&member).refuse(&member, mistakes));
    };
    match console.service.install_ca(member.caller(), certificate).await {
        Ok(view) => Ok(member.done(&address(&view), "ca-installed")),
        Err(error) if error.code() == "not-found" => {
            mistakes.add("certificate", member.t.text("authorities-pem-unknown"));
            Ok(brought.page(&member).refuse(&member, mistakes))
        }
        Err(error) => {
            let places = &[("ca-untrusted", "certificate")];
            form::refused(&member, error, INSTALL, places, || brought.page(&member))
        }
    }
}

async fn ask_retire(
    State(console): State<Console>,
    member: Member,
    Path(ca): Path<String>,
) -> Answer {
    let view = console.service.ca(member.caller(), &ca).await?;
    if !words::may(&member, Action::RetireIssuingCa, &view.organisation) {
        return Err(Failure::forbidden());
    }
    if view.retired_at.is_some() {
        return Ok(member.go(&address(&view)));
    }
    let t = member.t;
    let crumbs = vec![crumb(&member), (address(&view), view.name.clone())];
    let question = t.text("authorities-retire-question");
    let page = ConfirmPage::new(&member, Section::Authorities, crumbs, &view.name, question);
    Ok(member.page(&page.with(|confirm| {
        confirm
            .effect(t.text("authorities-retire-issues"))
            .effect(t.text("authorities-retire-goes-on"))
            .effect(t.text("authorities-retire-final"))
            .button(ButtonKind::Danger, t.text("authorities-retire"))
    })))
}

async fn retire(
    State(console): State<Console>,
    member: Member,
    Path(ca): Path<String>,
    _form: Fields,
) -> Answer {
    match console.service.retire_ca(member.caller(), &ca).await {
        Ok(view) => Ok(member.done(&address(&view), "ca-retired")),
        Err(error) => sensitive::answer(&member, error, &format!("/authorities/ca/{ca}/retire")),
    }
}
