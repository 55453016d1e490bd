//! A passport on paper: in a language of its own, for whom the passport is, whole in one file.

use crate::stage::{CAST, Stage, is_sound};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use device::{DeviceKind, Language, Part};
use http::StatusCode;

#[tokio::test]
async fn a_report_has_a_language_of_its_own_and_leaves_the_readers_alone() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    stage.world.service.integrate_now().await.unwrap();
    let path = format!("/devices/{}/report", device.id);
    for reader in Language::ALL.iter().copied() {
        for report in Language::ALL.iter().copied() {
            let asked = format!("{path}?lang={}", report.name());
            let page = stage.get_in("owner-admin", reader, &asked).await;
            assert_eq!(page.status, StatusCode::OK);
            is_sound(&page, &asked);
            assert!(page.html.contains(&format!("<html lang=\"{}\"", report.name())));
            assert_eq!(page.header("content-language"), report.name());
            assert!(!page.headers.contains_key("set-cookie"), "the reader's language is changed");
            let (here, elsewhere) = match report {
                Language::En => (["Verdict", "genuine", " UTC<"], ["判定", "真正", " JST<"]),
                Language::Ja => (["判定", "真正", " JST<"], ["Verdict", ">genuine<", " UTC<"]),
            };
            for text in here {
                assert!(page.html.contains(text), "{text} in {}", page.html);
            }
            for text in elsewhere {
                assert!(!page.html.contains(text), "{text} in a report in {}", report.name());
            }
        }
        let own = stage.get_in("owner-admin", reader, &path).await;
        assert_eq!(own.header("content-language"), reader.name(), "without a choice, the reader's");
        // The choice stands on the passport, one's own language first.
        let passport = stage.get_in("owner-admin", reader, &path.replace("/report", "")).await.html;
        let choice = passport.split("id=\"report-lang\"").nth(1).unwrap();
        let first = choice.split("value=\"").nth(1).unwrap();
        assert!(first.starts_with(reader.name()), "{first:.20}");
    }
    for wrong in ["fr", "EN%00", "ja%20", "-"] {
        let page = stage.get("owner-admin", &format!("{path}?lang={wrong}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn a_report_is_for_whom_the_passport_is() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    let path = format!("/devices/{}", device.id);
    let report = format!("{path}/report?lang=ja");
    for (who, ..) in CAST {
        let passport = stage.get(who, &path).await.status;
        let page = stage.get(who, &report).await;
        assert_eq!(page.status, passport, "{who}");
        if page.status != StatusCode::OK {
            assert!(!page.html.contains(&device.serial), "{who} learns the serial number");
            // What is refused is refused in the reader's language.
            assert!(page.html.contains("<html lang=\"en\""), "{who}");
        }
    }
    // A station reads no histories: there are none in its report, and it says so.
    let station = stage.get("maker-station", &format!("{path}/report?lang=en")).await.html;
    assert!(station.contains("role does not read histories"), "{station}");
    assert!(!station.contains("assembled"), "{station}");
    let reader = stage.get("maker-reader", &format!("{path}/report?lang=en")).await.html;
    assert!(reader.contains("assembled") && !reader.contains("does not read"), "{reader}");
    for wrong in ["/devices/nonsense/report", "/devices/00000000000000000000000000000000/report"] {
        assert_eq!(stage.get("owner-admin", wrong).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_report_is_whole_and_can_do_nothing() {
    let stage = Stage::new().await;
    let part = stage.world.made(&stage.maker, "gate", Vec::new()).await;
    let parts = vec![Part { device: part.id, kind: DeviceKind::Module }];
    let device = stage.world.made(&stage.maker, "gate", parts).await;
    let service = &stage.world.service;
    service.integrate_now().await.unwrap();
    let page = stage.get("maker-admin", &format!("/devices/{}/report?lang=en", device.id)).await;
    let html = &page.html;

    // Everything that the passport says.
    let view = service.device(&stage.maker.admin, &device.id).await.unwrap();
    let verdict = service
        .verify_device(&stage.maker.admin, &device.id, service::VerifyRequest::default())
        .await
        .unwrap();
    let checkpoint = String::from_utf8(service.checkpoint().to_vec()).unwrap();
    let mut wanted = vec![
        view.management_number.to_string(),
        view.id.to_string(),
        view.head.unwrap().0.to_string(),
        part.serial.clone(),
        "maker/maker-admin".to_owned(),
        verdict.outcome.text().en.to_owned(),
        "assembled".to_owned(),
        "in the log".to_owned(),
        checkpoint.lines().nth(2).unwrap().to_owned(),
        format!("tegata verify {}.tegata", device.id),
    ];
    wanted.extend(verdict.reasons.iter().map(|reason| reason.code.name().to_owned()));
    for text in wanted {
        assert!(html.replace("&#43;", "+").contains(&text), "{text} is missing in {html}");
    }

    // Nothing is loaded from anywhere, and nothing leads anywhere.
    for wrong in
        ["<script", "<form", "<a ", "<img", " src=", "url(", "@import", "http://", "https://"]
    {
        assert!(!html.contains(wrong), "{wrong}");
    }
    // Header and page name the style that is there, and nothing else that would be allowed.
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = STANDARD.encode(crypto::sha256(style.as_bytes()).as_bytes());
    let policy = page.header("content-security-policy");
    let inside = html.split("content=\"default-src").nth(1).unwrap().split('"').next().unwrap();
    let inside = inside.replace("&#39;", "'").replace("&#43;", "+");
    for policy in [policy, &format!("default-src{inside}")] {
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
    }
    assert!(policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("cache-control"), "no-store");
}
