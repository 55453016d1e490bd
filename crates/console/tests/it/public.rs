//! The page behind a printed number, as a phone sees it, and GS1 Digital Link.

use crate::site::{Page, Site, ask};
use axum::body::Body;
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, ManagementNumber, OrganisationId, ProductId,
    RootOfTrust, SignedEvent,
};
use http::{Method, StatusCode, header};
use pki::{CsrBuilder, Locations, Subject};
use policy::{Role, Roles};
use service::{
    CaKind, CaRequest, CaSpec, Caller, Firmware, LabelScheme, NewDevice, NewMember,
    NewOrganisation, NewProduct, NewSigner, ProductChange, SecurityLabel, Service,
    ceremony::{Root, RootSpec},
    signer_proof,
};

const GTIN: &str = "09506000134352";

struct Made {
    number: ManagementNumber,
    device: DeviceId,
    serial: String,
    admin: Caller,
}

fn csr() -> Vec<u8> {
    let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    CsrBuilder { subject: Subject::named("any"), ..CsrBuilder::default() }.build(&key).unwrap()
}

/// A maker with a product line and one device whose history has begun.
async fn made(service: &Service) -> Made {
    let local = service.local_administrator();
    let now = service.now();
    let spec = RootSpec {
        common_name: "Root".into(),
        organisation: "Test".into(),
        algorithm: KeyAlgorithm::EcdsaP256,
        years: 0,
    };
    let root = Root::create(&spec, now).unwrap();
    service.import_root(&local, root.certificate().clone()).await.unwrap();
    let platform = OrganisationId::new(policy::PLATFORM).unwrap();
    let spec = CaSpec {
        organisation: platform,
        product: None,
        kind: CaKind::Platform,
        name: "Platform CA".into(),
        algorithm: KeyAlgorithm::EcdsaP256,
        years: 0,
    };
    let request = service.request_ca(&local, spec).await.unwrap();
    let request = CaRequest::from_text(&request.to_text()).unwrap();
    let certificate = root.sign_ca(&request, Locations::default(), now).unwrap();
    service.install_ca(&local, certificate).await.unwrap();

    let maker = OrganisationId::new("maker").unwrap();
    let new = NewOrganisation {
        id: maker.clone(),
        name: "Kairo <Works>".into(),
        roles: device::Roles::MAKER,
    };
    service.create_organisation(&local, new).await.unwrap();
    let roles = Roles::of(&[Role::Administrator, Role::Operator, Role::Station]);
    let new = NewMember { organisation: maker.clone(), name: "admin".into(), roles, csr: csr() };
    let member = service.add_member(&local, new).await.unwrap();
    let admin = service.identify_certificate(&member.certificate).await.unwrap();
    let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let new = NewSigner {
        organisation: maker.clone(),
        spki: signer.public_key().spki().to_vec(),
        proof: signer_proof(&signer, &maker).unwrap(),
    };
    service.register_signer(&admin, new).await.unwrap();
    let line = ProductId::new("gate").unwrap();
    let new = NewProduct {
        organisation: maker.clone(),
        id: line.clone(),
        name: "Gate".into(),
        model: "G4".into(),
        kind: DeviceKind::Device,
        root_of_trust: RootOfTrust::SecureElement,
        support_end: Some(now.plus(86_400 * 365)),
        ldevid_validity_s: None,
    };
    service.create_product(&admin, new).await.unwrap();
    let change = ProductChange {
        gtin: Some(Some(GTIN.parse().unwrap())),
        name_ja: Some(Some("ドアセンサー".into())),
        contact_url: Some(Some("https://maker.example/help?a=1&b=2".into())),
        firmware: Some(Some(Firmware { version: "2.4.1".into(), digest: None })),
        labels: Some(vec![SecurityLabel {
            scheme: LabelScheme::JcStar,
            level: Some("★1".into()),
            number: Some("4711".into()),
            url: Some("https://labels.example/4711".into()),
            valid_until: Some(now.plus(-86_400)),
        }]),
        ..ProductChange::default()
    };
    service.change_product(&admin, &maker, &line, change).await.unwrap();
    let new = NewDevice { id: None, serial_number: "SN-SECRET-1".into() };
    let view = service
        .register_devices(&admin, &maker, &line, vec![new])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let event = Event {
        device: view.id,
        sequence: 0,
        previous: None,
        kind: EventKind::Assembled {
            kind: DeviceKind::Device,
            build: Build::MassProduction,
            product: line,
            root_of_trust: Some(RootOfTrust::SecureElement),
            key: Some(key.public_key().fingerprint()),
            parts: Vec::new(),
        },
        at: now,
        reporter: maker,
        actor: Some("Taro Yamada".into()),
        place: Some("Osaka".into()),
        on_behalf: None,
        reason: None,
        evidence: Vec::new(),
    };
    let cose = SignedEvent::sign(&signer, &event).unwrap().as_bytes().to_vec();
    service.record_event(&admin, cose).await.unwrap();
    Made { number: view.management_number, device: view.id, serial: view.serial_number, admin }
}

async fn with(site: &Site, path: &str, headers: &[(&str, &str)]) -> Page {
    let mut request = ask(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_phone_sees_what_is_public_in_its_language() {
    let site = Site::new();
    let made = made(&site.service).await;
    let path = format!("/p/{}", made.number);
    let page = with(&site, &path, &[("accept-language", "ja")]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    for shown in [
        "この番号は真正な機器のものです",
        "ほぼ確かです",
        "Kairo &#60;Works&#62;",
        "ドアセンサー",
        "JC-STAR ★1",
        "期限切れ",
        "2.4.1",
        "複製",
        "https://maker.example/help?a=1&#38;b=2",
        "lang=\"ja\"",
    ] {
        assert!(page.html.contains(shown), "no {shown} in {}", page.html);
    }
    for secret in [made.serial.as_str(), &made.device.to_string(), "Taro", "Osaka", "csrf"] {
        assert!(!page.html.contains(secret), "{secret} in {}", page.html);
    }
    assert!(!page.html.contains("<script") && !page.html.contains("style="));
    // No cookie, whatever happens here.
    let english = with(&site, &format!("{path}?lang=en"), &[("accept-language", "ja")]).await;
    assert!(english.html.contains("This number belongs to a genuine device"));
    assert!(english.html.contains(">Gate<"), "without an English name, the product's own");
    for page in [&page, &english] {
        assert_eq!(page.header(header::SET_COOKIE), "");
        assert_eq!(page.header(header::CACHE_CONTROL), "private, max-age=60");
        assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("default-src 'none'"));
    }
    let tag = english.header(header::ETAG).to_owned();
    assert_ne!(tag, page.header(header::ETAG));
    let again = with(&site, &format!("{path}?lang=en"), &[("if-none-match", tag.as_str())]).await;
    assert_eq!((again.status, again.html.as_str()), (StatusCode::NOT_MODIFIED, ""));
}

#[tokio::test]
async fn numbers_are_forgiven_and_typing_errors_caught() {
    let site = Site::new();
    let made = made(&site.service).await;
    let number = made.number.to_string();
    let spaced = format!("{}-{}", &number[..2], &number[2..]).to_lowercase();
    let page = site.get(&format!("/p/{spaced}?lang=ja")).await;
    assert_eq!(page.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(page.header(header::LOCATION), format!("/p/{number}?lang=ja"));
    let page = site.get(&format!("/p?number=+{}", spaced.replace('-', "+"))).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(page.header(header::LOCATION), format!("/p/{number}"));
    // The language that was chosen goes along from the form to the page and on.
    let form = site.get("/p?lang=ja").await;
    assert!(
        form.html.contains("<input type=\"hidden\" name=\"lang\" value=\"ja\">"),
        "{}",
        form.html
    );
    let page = site.get(&format!("/p?lang=ja&number={number}")).await;
    assert_eq!(page.header(header::LOCATION), format!("/p/{number}?lang=ja"));
    let page = site.get(&format!("/p/{number}?lang=ja")).await;
    assert!(page.html.contains("href=\"/p?lang=ja\""), "{}", page.html);
    assert!(site.get(&format!("/p/{number}")).await.html.contains("href=\"/p\""));
    let last = number.chars().last().unwrap();
    let slip = format!("{}{}", &number[..22], if last == '0' { '1' } else { '0' });
    for path in [format!("/p/{slip}"), format!("/p?number={slip}")] {
        let page = site.get(&path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(page.html.contains("mistyped"), "{}", page.html);
        assert!(page.html.contains(&format!("value=\"{slip}\"")));
    }
    let page = site.get("/p?number=%3Cscript%3E").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(!page.html.contains("<script>"));
    let long = "a".repeat(3000);
    assert_eq!(site.get(&format!("/p/{long}")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(site.get("/p").await.status, StatusCode::OK);
}

#[tokio::test]
async fn unknown_numbers_look_alike_and_are_charged() {
    let site = Site::new();
    let made = made(&site.service).await;
    let unknown = ManagementNumber::from_random([1; 13]);
    let start = tokio::time::Instant::now();
    let page = site.get(&format!("/p/{unknown}")).await;
    assert!(start.elapsed() >= std::time::Duration::from_millis(40));
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.html.contains("No such device is on record"), "{}", page.html);
    let start = tokio::time::Instant::now();
    site.get(&format!("/p/{}", made.number)).await;
    assert!(start.elapsed() >= std::time::Duration::from_millis(40), "found takes as long");
    let mut refused = 0;
    for n in 2..20u8 {
        let number = ManagementNumber::from_random([n; 13]);
        let page = site.get(&format!("/p/{number}")).await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            refused += 1;
            let seconds: u64 = page.header(header::RETRY_AFTER).parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
    }
    assert!(refused >= 12, "{refused}");
}

#[tokio::test]
async fn digital_links_lead_to_the_page_and_list_what_there_is() {
    let site = Site::new();
    let made = made(&site.service).await;
    let serial = made.number.serial();
    let path = format!("/01/{GTIN}/21/{serial}");
    let page = with(&site, &path, &[("accept", "text/html,*/*")]).await;
    assert_eq!(page.status, StatusCode::TEMPORARY_REDIRECT, "{}", page.html);
    assert_eq!(page.header(header::LOCATION), format!("/p/{}", made.number));
    assert!(page.header(header::LINK).contains("rel=\"linkset\""));
    assert_eq!(page.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    let page = site.get(&format!("/01/9506000134352/21/{}", serial.to_lowercase())).await;
    assert_eq!(page.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(page.header(header::LOCATION), path);
    for page in [
        with(&site, &path, &[("accept", "application/linkset+json")]).await,
        site.get(&format!("{path}?linkType=linkset")).await,
        site.get(&format!("{path}?linkType=all")).await,
    ] {
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.header(header::CONTENT_TYPE), "application/linkset+json");
        let set: serde_json::Value = serde_json::from_str(&page.html).unwrap();
        let set = &set["linkset"][0];
        assert_eq!(set["anchor"], format!("https://console.example{path}"));
        let href = &set["https://gs1.org/voc/defaultLink"][0]["href"];
        assert_eq!(href, &format!("https://console.example/p/{}", made.number));
        assert_eq!(
            set["https://gs1.org/voc/certificationInfo"][0]["href"],
            "https://labels.example/4711"
        );
    }
    let support = site.get(&format!("{path}?linkType=gs1:support")).await;
    assert_eq!(support.header(header::LOCATION), "https://maker.example/help?a=1&b=2");
    let status = async |path: &str| site.get(path).await.status;
    assert_eq!(status(&format!("{path}?linkType=gs1:recipeInfo")).await, StatusCode::NOT_FOUND);
    let other = format!("/01/04912345678904/21/{serial}");
    assert_eq!(status(&other).await, StatusCode::NOT_FOUND, "another product's GTIN");
    let slip = format!("/01/09506000134353/21/{serial}");
    assert_eq!(status(&slip).await, StatusCode::BAD_REQUEST);
    let page = site.get(&format!("/01/{GTIN}")).await;
    assert_eq!(
        (page.status, page.header(header::LOCATION)),
        (StatusCode::TEMPORARY_REDIRECT, "/p")
    );
    let page = site.get("/.well-known/gs1resolver").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.html.contains("\"supportedPrimaryKeys\":[\"01\"]"));
}

#[tokio::test]
async fn only_real_visits_count() {
    let site = Site::new();
    let made = made(&site.service).await;
    let path = format!("/p/{}", made.number);
    with(&site, &path, &[("sec-purpose", "prefetch;prerender")]).await;
    site.send(ask(Method::HEAD, &path).body(Body::empty()).unwrap()).await;
    site.get(&format!("/01/{GTIN}/21/{}", made.number.serial())).await;
    let settle = async || {
        let line = ProductId::new("gate").unwrap();
        let maker = OrganisationId::new("maker").unwrap();
        let change = ProductChange { name_en: Some(None), ..ProductChange::default() };
        site.service.change_product(&made.admin, &maker, &line, change).await.unwrap();
        site.service.scans(&made.admin, &made.device).await.unwrap().report.sightings
    };
    assert_eq!(settle().await, 0);
    site.get(&path).await;
    assert_eq!(settle().await, 1);
    site.get(&path).await;
    assert_eq!(settle().await, 1, "the same network within the hour");
}

#[tokio::test]
async fn the_glossary_is_there_in_both_languages() {
    let site = Site::new();
    let page = site.get("/glossary?lang=ja").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.html.contains("id=\"passport\"") && page.html.contains("機器パスポート"));
    let page = site.get("/glossary?lang=ja&letter=%E3%81%9F").await;
    assert!(page.html.contains("id=\"tpm\"") && !page.html.contains("id=\"passport\""));
    let page = site.get("/glossary?q=proof+of+possession").await;
    assert!(page.html.contains("id=\"proof-of-possession\""));
    let page = site.get("/glossary?q=%3Cb%3E").await;
    assert!(!page.html.contains("<b>") && page.html.contains("No term holds"), "{}", page.html);
    let page = site.get("/glossary/ocsp").await;
    assert!(page.html.contains("<dfn>OCSP") && page.html.contains("おーしーえすぴー"));
    assert_eq!(site.get("/glossary/no-such-term").await.status, StatusCode::NOT_FOUND);
}
