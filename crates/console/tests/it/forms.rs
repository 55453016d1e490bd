//! Forms that make and change organisations, product lines and what buyers see; labels.

use crate::{
    stage::{Stage, is_sound},
    world::{id, product},
};
use device::Language;
use http::StatusCode;
use service::{AuditQuery, LabelScheme, Page};

/// The organisation wants a second person, by word of the machine itself.
async fn want_two(stage: &Stage, organisation: &str, act: policy::Act) {
    let service = &stage.world.service;
    let machine = service.local_administrator();
    service.set_approval_policy(&machine, &id(organisation), act, true).await.unwrap();
}

/// A form's page in both languages for who may; a refusal for everybody else.
async fn is_shown(stage: &Stage, who: &str, path: &str, refused: &[(&str, StatusCode)]) {
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in(who, language, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
        is_sound(&page, path);
    }
    for (who, status) in refused {
        assert_eq!(stage.get(who, path).await.status, *status, "{path} for {who}");
    }
}

#[tokio::test]
async fn an_organisation_is_created_and_its_first_administrator_invited() {
    let stage = Stage::new().await;
    let new = "/organisations/new";
    let forbidden = StatusCode::FORBIDDEN;
    let refused = [("maker-admin", forbidden), ("platform-auditor", forbidden)];
    is_shown(&stage, "platform-admin", new, &refused).await;
    let fields = "id=tokyo-works&name=%E6%9D%B1%E4%BA%AC&roles=maker&roles=recycler";
    for (who, _) in refused {
        assert_eq!(stage.post(who, new, fields).await.status, StatusCode::FORBIDDEN, "{who}");
    }
    assert_eq!(stage.post_raw("platform-admin", new, fields).await.status, StatusCode::FORBIDDEN);

    // What is wrong stands at its field, and what was typed stays.
    for (fields, field, typed) in [
        ("id=Not+An+Id&name=Kept", "id", "value=\"Not An Id\""),
        ("id=maker&name=Kept", "id", "value=\"maker\""),
        ("id=fine&name=+", "name", "value=\"fine\""),
    ] {
        let page = stage.post("platform-admin", new, fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields}");
        assert!(page.html.contains(&format!("id=\"{field}-error\"")), "{}", page.html);
        assert!(page.html.contains(typed) && page.html.contains("Nothing was saved"), "{fields}");
        is_sound(&page, new);
    }
    let emperor = stage.post("platform-admin", new, "id=fine&name=a&roles=platform").await;
    assert_eq!(emperor.status, StatusCode::BAD_REQUEST, "roles that are not offered");

    let made = stage.post("platform-admin", new, fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    assert_eq!(made.header("location"), "/organisations/tokyo-works");
    let page = stage.get("platform-admin", "/organisations/tokyo-works").await;
    is_sound(&page, "/organisations/tokyo-works");
    assert!(page.html.contains("maker, recycler"), "{}", page.html);
    let invite = "/organisations/tokyo-works/administrator";
    assert!(page.html.contains(&format!("href=\"{invite}\"")));
    assert!(
        !stage.get("platform-auditor", "/organisations/tokyo-works").await.html.contains(invite)
    );

    is_shown(&stage, "platform-admin", invite, &[("stranger", StatusCode::NOT_FOUND)]).await;
    let wrong = stage.post("platform-admin", invite, "handle=NO&name=Ichiro").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.html.contains("id=\"handle-error\"") && wrong.html.contains("value=\"Ichiro\""));
    let foreign = stage.post("stranger", invite, "handle=ichiro&name=Ichiro").await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let invited = stage.post("platform-admin", invite, "handle=ichiro&name=Ichiro").await;
    assert_eq!(invited.status, StatusCode::OK, "{}", invited.html);
    is_sound(&invited, invite);
    let link = |html: &str| {
        let (_, rest) = html.split_once("https://console.example/invitation/").unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let first = link(&invited.html);
    // The first link is lost: another one, once more.
    let page = stage.get("platform-admin", "/organisations/tokyo-works").await;
    assert!(page.html.contains("Ichiro") && !page.html.contains(&first));
    let again = stage.post("platform-admin", &format!("{invite}/again"), "").await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.html);
    assert_ne!(link(&again.html), first);
    assert!(stage.world.service.open_link(&service::Visitor::default(), &first).await.is_err());
    let second = stage.post("platform-admin", invite, "handle=jiro&name=Jiro").await;
    assert_eq!(second.status, StatusCode::FORBIDDEN, "the second is not the platform's");

    // An organisation that manages itself: the platform learns no more than that.
    let full = stage.get("platform-admin", "/organisations/maker/administrator").await;
    assert_eq!(
        (full.status, full.header("location")),
        (StatusCode::SEE_OTHER, "/organisations/maker")
    );
    let invited = stage
        .post("platform-admin", "/organisations/maker/administrator", "handle=spy&name=Spy")
        .await;
    assert_eq!(invited.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_authority_is_confirmed_by_another_administrator() {
    let stage = Stage::new().await;
    let fields = "id=bureau&name=Bureau&roles=authority";
    let made = stage.post("platform-admin", "/organisations/new", fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    let path = "/organisations/bureau/authority";
    let page = stage.get("platform-admin-2", "/organisations/bureau").await;
    assert!(page.html.contains(path) && page.html.contains("It waits to become"), "{}", page.html);
    let refused =
        [("stranger", StatusCode::NOT_FOUND), ("platform-auditor", StatusCode::FORBIDDEN)];
    is_shown(&stage, "platform-admin-2", path, &refused).await;
    let own = stage.post("platform-admin", path, "").await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "{}", own.html);
    let done = stage.post("platform-admin-2", path, "").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let view = stage.world.service.organisation(&stage.world.platform_admin, &id("bureau")).await;
    assert!(view.unwrap().roles.has(device::Roles::AUTHORITY));
    let again = stage.post("platform-admin-2", path, "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_product_line_is_created() {
    let stage = Stage::new().await;
    let new = "/products/new";
    let forbidden = StatusCode::FORBIDDEN;
    let refused = [("maker-operator", forbidden), ("platform-auditor", forbidden)];
    is_shown(&stage, "maker-admin", new, &refused).await;
    let good = "id=sensor-2&name=Sensor&model=S2&kind=device&root_of_trust=tpm";
    assert_eq!(stage.post("maker-operator", new, good).await.status, forbidden);
    // Everything that is wrong is said at once.
    let bad = "id=S&name=Kept&model=S2&kind=robot&root_of_trust=&support_end=tomorrow&days=0";
    let page = stage.post("maker-admin", new, bad).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    is_sound(&page, new);
    for field in ["id", "kind", "root_of_trust", "support_end", "days"] {
        assert!(page.html.contains(&format!("id=\"{field}-error\"")), "{field}: {}", page.html);
    }
    assert!(page.html.contains("value=\"Kept\"") && page.html.contains("value=\"tomorrow\""));
    let taken = "id=gate&name=Gate&model=G&kind=device&root_of_trust=tpm";
    let page = stage.post("maker-admin", new, taken).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.html.contains("id=\"id-error\""));
    // Who is no maker has no product lines.
    let page = stage.post("stranger", new, good).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);

    let good = format!("{good}&support_end=2031-03-31&days=90");
    let made = stage.post("maker-admin", new, &good).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    assert_eq!(made.header("location"), "/products/maker/sensor-2");
    let service = &stage.world.service;
    let view = service.product(&stage.maker.admin, &id("maker"), &product("sensor-2")).await;
    let view = view.unwrap();
    assert_eq!(view.support_end.unwrap().to_string(), "2031-03-31T00:00:00Z");
    assert_eq!(view.ldevid_validity_s, Some(90 * 86_400));
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-admin", language, "/products/maker/sensor-2").await;
        is_sound(&page, "/products/maker/sensor-2");
        assert!(page.html.contains("/products/maker/sensor-2/public"));
    }
}

#[tokio::test]
async fn what_buyers_see_is_changed_and_only_what_changed_is_recorded() {
    let stage = Stage::new().await;
    let path = "/products/maker/gate/public";
    let refused = [
        ("maker-operator", StatusCode::FORBIDDEN),
        ("stranger", StatusCode::NOT_FOUND),
        ("platform-admin", StatusCode::NOT_FOUND),
    ];
    is_shown(&stage, "maker-admin", path, &refused).await;
    let service = &stage.world.service;
    let now = async || {
        let (maker, line) = (id("maker"), product("gate"));
        service.product_public(&stage.maker.admin, &maker, &line).await.unwrap()
    };
    let digest = "ab".repeat(32);
    let fields = format!(
        "name_ja=%E9%96%80&name_en=Gate&gtin=9506000134352&support_end=2031-03-31\
         &contact_url=https%3A%2F%2Fmaker.example%2F&firmware=2.4.1&firmware_digest={digest}\
         &label-0-scheme=jc-star&label-0-level=%E2%98%851&label-0-number=12345\
         &label-0-until=2030-01-01&label-1-scheme="
    );
    for who in ["maker-operator", "stranger"] {
        let page = stage.post(who, path, &fields).await;
        assert!(matches!(page.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who}");
    }
    for (wrong, field) in [
        ("gtin=9506000134353", "gtin"),
        ("support_end=2031-02-30", "support_end"),
        ("firmware=1&firmware_digest=abc", "firmware_digest"),
        (&format!("firmware_digest={digest}"), "firmware"),
        ("contact_url=http%3A%2F%2Fplain.example%2F", "contact_url"),
        ("label-0-level=5", "label-0-scheme"),
        ("label-0-scheme=no-such", "label-0-scheme"),
        ("label-0-scheme=cls&label-0-until=soon", "label-0-until"),
    ] {
        let page = stage.post("maker-admin", path, wrong).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", page.html);
        assert!(page.html.contains(&format!("id=\"{field}-error\"")), "{wrong}: {}", page.html);
        is_sound(&page, path);
    }
    assert_eq!(now().await, service::ProductPublic::default(), "nothing was saved");

    let done = stage.post("maker-admin", path, &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let public = now().await;
    assert_eq!(public.name_ja.as_deref(), Some("門"));
    assert_eq!(public.labels[0].scheme, LabelScheme::JcStar);
    assert_eq!(public.firmware.as_ref().unwrap().digest.unwrap().to_string(), digest);

    // The form shows what is there; sent as it stands, it changes nothing.
    let page = stage.get("maker-admin", path).await;
    for value in
        ["value=\"門\"", "value=\"09506000134352\"", "value=\"2030-01-01\"", "label-1-scheme"]
    {
        assert!(page.html.contains(value), "{value}: {}", page.html);
    }
    let events = async || {
        let query = AuditQuery { organisation: Some(id("maker")), ..AuditQuery::default() };
        service.audit_trail(&stage.maker.admin, &query, &Page { after: None, limit: 1000 }).await
    };
    let before = events().await.unwrap().items.len();
    let same = stage.post("maker-admin", path, &fields).await;
    assert_eq!(same.status, StatusCode::SEE_OTHER);
    assert_eq!(events().await.unwrap().items.len(), before, "nothing changed, nothing recorded");
    // What is emptied goes.
    let cleared = stage.post("maker-admin", path, "name_en=Gate").await;
    assert_eq!(cleared.status, StatusCode::SEE_OTHER, "{}", cleared.html);
    let public = now().await;
    assert_eq!(
        (public.name_en.as_deref(), public.gtin, public.labels.len()),
        (Some("Gate"), None, 0)
    );
}

#[tokio::test]
async fn labels_are_printed_for_one_a_selection_and_a_search() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(stage.world.made(&stage.maker, "gate", Vec::new()).await.id);
    }
    let one = format!("device={}", ids[0]);
    let page = format!("/devices/labels?{one}");
    is_shown(&stage, "maker-reader", &page, &[("stranger", StatusCode::NOT_FOUND)]).await;
    let file = |query: &str| format!("/devices/labels/file?{query}");
    let all = "everything=yes&relation=maker&product=maker%2Fgate";
    for (query, media_type, begins) in [
        (format!("{one}&format=pdf"), "application/pdf", "%PDF-"),
        (format!("{one}&format=svg&sheet=roll-62x29"), "image/svg+xml", "<svg"),
        (format!("{one}&format=code-svg&code=datamatrix"), "image/svg+xml", "<svg"),
        (format!("{one}&format=code-png"), "image/png", "\u{fffd}PNG"),
        (
            format!("{one}&device={}&format=pdf&skip=3&line=Line+1", ids[1]),
            "application/pdf",
            "%PDF-",
        ),
        (format!("{all}&format=svg"), "image/svg+xml", "<svg"),
    ] {
        let answer = stage.get("maker-reader", &file(&query)).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.html);
        assert_eq!(answer.header("content-type"), media_type, "{query}");
        assert!(answer.header("content-disposition").starts_with("attachment"), "{query}");
        assert!(answer.html.starts_with(begins), "{query}: {:.20}", answer.html);
        assert_eq!(stage.get("stranger", &file(&one)).await.status, StatusCode::NOT_FOUND);
    }
    let number = |html: &str| html.matches("<text").count();
    let sheet = stage.get("maker-reader", &file(&format!("{all}&format=svg"))).await;
    let single = stage.get("maker-reader", &file(&format!("{one}&format=svg"))).await;
    assert_eq!(number(&sheet.html), 3 * number(&single.html), "a label for each device found");
    for (query, field) in [
        ("format=docx", "format"),
        ("sheet=a3", "sheet"),
        ("link=gs1", "link"),
        ("line=%E9%96%80", "line"),
        ("skip=99", "skip"),
        ("skip=-1", "skip"),
        ("format=svg&sheet=roll-62x29&device=DEVICE", "format"),
    ] {
        let query = format!("{one}&{}", query.replace("DEVICE", &ids[1].to_string()));
        let page = stage.get("maker-reader", &file(&query)).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", page.html);
        assert!(page.html.contains(&format!("id=\"{field}-error\"")), "{query}: {}", page.html);
        is_sound(&page, &query);
    }
    let none = stage.get("maker-reader", "/devices/labels").await;
    assert_eq!((none.status, none.header("location")), (StatusCode::SEE_OTHER, "/devices"));
    assert_eq!(
        stage.get("maker-reader", "/devices/labels?device=x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_ca_is_requested_certified_by_the_ceremony_and_retired() {
    let stage = Stage::new().await;
    let new = "/authorities/new";
    let refused =
        [("maker-operator", StatusCode::FORBIDDEN), ("maker-reader", StatusCode::FORBIDDEN)];
    is_shown(&stage, "maker-admin", new, &refused).await;
    is_shown(&stage, "maker-admin", "/authorities/install", &refused).await;
    for (fields, field) in [
        ("product=&name=+&algorithm=p256&years=10", "name"),
        ("product=&name=A&algorithm=rot13&years=10", "algorithm"),
        ("product=&name=A&algorithm=p256&years=99", "years"),
        ("product=no-such&name=A&algorithm=p256&years=10", "product"),
        ("product=gate&name=A&algorithm=p256&years=10", "product"),
    ] {
        let page = stage.post("maker-admin", new, fields).await;
        let status = page.status;
        // A product line that is not there is told as what is not there.
        assert!(matches!(status.as_u16(), 404 | 422), "{fields}: {status}");
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            assert!(
                page.html.contains(&format!("id=\"{field}-error\"")),
                "{fields}: {}",
                page.html
            );
            is_sound(&page, new);
        }
    }
    let good = "product=&name=Maker+owner+CA&algorithm=p384&years=5";
    assert_eq!(stage.post("maker-operator", new, good).await.status, StatusCode::FORBIDDEN);
    let made = stage.post("maker-admin", new, good).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    let path = made.header("location").to_owned();
    assert_eq!(path, "/authorities/ca/maker");
    is_shown(&stage, "maker-admin", &path, &[("stranger", StatusCode::NOT_FOUND)]).await;
    let page = stage.get("maker-admin", &path).await;
    assert!(page.html.contains("tegata ca sign") && page.html.contains("Maker owner CA"));
    let request = format!("{path}/request");
    assert_eq!(stage.get("stranger", &request).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get("maker-reader", &request).await.status, StatusCode::FORBIDDEN);
    let text = stage.get("maker-admin", &request).await;
    assert!(text.header("content-disposition").contains("maker.request"));
    let request = service::CaRequest::from_text(&text.html).unwrap();
    let now = stage.world.service.now();
    let signed = stage.world.root.sign_ca(&request, pki::Locations::default(), now).unwrap();

    let encoded = |pem: &str| serde_html_form::to_string([("certificate", pem)]).unwrap();
    let install = "/authorities/install";
    for wrong in ["", "no certificate", &stage.world.root.certificate().to_pem()] {
        let page = stage.post("maker-admin", install, &encoded(wrong)).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", page.html);
        assert!(page.html.contains("id=\"certificate-error\""), "{}", page.html);
        is_sound(&page, install);
    }
    let foreign = stage.post("stranger", install, &encoded(&signed.to_pem())).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY, "as if nobody had asked for it");
    let done = stage.post("maker-admin", install, &encoded(&signed.to_pem())).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, path.as_str()));
    let page = stage.get("maker-admin", &path).await;
    is_sound(&page, &path);
    assert!(page.html.contains("tegata ca import-crl") && page.html.contains("/retire"));
    assert!(!stage.get("maker-reader", &path).await.html.contains("/retire"));
    let pem = stage.get("maker-reader", &format!("{path}/certificate")).await;
    assert_eq!(pem.html, signed.to_pem());

    // Retiring it wants a second person where the organisation says so.
    want_two(&stage, "maker", policy::Act::RetireCa).await;
    let retire = format!("{path}/retire");
    is_shown(&stage, "maker-admin", &retire, &[("maker-reader", StatusCode::FORBIDDEN)]).await;
    let asked = stage.post("maker-admin", &retire, "").await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.html);
    let approval = asked.header("location").to_owned();
    assert!(approval.starts_with("/approvals/"), "{approval}");
    let view = stage.world.service.ca(&stage.maker.admin, "maker").await.unwrap();
    assert_eq!(view.retired_at, None, "nothing happened yet");
    let approved = stage.post("maker-second", &format!("{approval}/approve"), "").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.html);
    let view = stage.world.service.ca(&stage.maker.admin, "maker").await.unwrap();
    assert!(view.retired_at.is_some());
    for language in Language::ALL.iter().copied() {
        is_sound(&stage.get_in("maker-admin", language, &path).await, &path);
    }
    assert!(stage.get("maker-admin", "/authorities").await.html.contains("<span>retired</span>"));
}

#[tokio::test]
async fn the_reason_of_an_act_is_shown_in_the_life_and_to_the_second_person() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing;
    let path = format!("/devices/{}", device.id);
    let act = format!("{path}/act/suspend");
    let long = format!("cause=lost&reason={}", "a".repeat(301));
    let page = stage.post("owner-operator", &act, &long).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.html.contains("id=\"reason-error\"")
            && page.html.contains("<option value=\"lost\" selected")
    );
    is_sound(&page, &act);
    let said = "cause=lost&reason=left+on+the+%3Cb%3Etrain%3C%2Fb%3E";
    let done = stage.post("owner-operator", &act, said).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("owner-operator", language, &path).await;
        assert!(page.html.contains("left on the &#60;b&#62;train"), "{}", page.html);
        is_sound(&page, &path);
    }
    want_two(&stage, "owner", policy::Act::RevokeDevice).await;
    let revoke = format!("{path}/act/revoke");
    let asked = stage.post("owner-admin", &revoke, "cause=lost&reason=never+found").await;
    let request = asked.header("location").to_owned();
    assert!(request.starts_with("/approvals/"), "{}", asked.html);
    let page = stage.get("owner-admin", &request).await;
    is_sound(&page, &request);
    assert!(page.html.contains("never found"));
}

#[tokio::test]
async fn support_that_ends_leads_to_the_devices_in_the_field() {
    let stage = Stage::new().await;
    stage.world.working(&stage.maker, "gate", &stage.owner).await;
    assert!(!stage.get("maker-reader", "/").await.html.contains("Support that ends"));
    // The clock of this world stands at 2027-01-15.
    let fields = "support_end=2027-03-01";
    let done = stage.post("maker-admin", "/products/maker/gate/public", fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    stage.world.clock.advance(300);
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-reader", language, "/").await;
        is_sound(&page, "/");
        assert!(page.html.contains("attention=support"), "{}", page.html);
    }
    let page = stage.get("maker-reader", "/").await.html;
    assert!(page.contains("within 90 days"), "{page}");
    let list = "/devices?relation=maker&product=maker%2Fgate&attention=support";
    assert!(page.contains(&list.replace('&', "&#38;")), "{page}");
    let page = stage.get("maker-reader", list).await;
    assert_eq!(page.html.matches("<tr><").count(), 2, "its heading and the device: {}", page.html);
    let none = stage.get("maker-reader", &format!("{list}&days=30")).await;
    assert_eq!(none.html.matches("<tr><").count(), 0, "{}", none.html);
    for days in ["0", "90"] {
        let page =
            stage.get("owner-reader", &format!("/devices?attention=support&days={days}")).await;
        assert_eq!(page.status, StatusCode::OK);
    }
    assert_eq!(stage.get("owner-reader", "/devices?attention=scans").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_organisation_is_suspended_resumed_and_renamed_by_the_platform() {
    let stage = Stage::new().await;
    let (forbidden, missing) = (StatusCode::FORBIDDEN, StatusCode::NOT_FOUND);
    let path = "/organisations/maker";
    for page in ["suspend", "resume", "name"] {
        let refused =
            [("maker-admin", forbidden), ("platform-auditor", forbidden), ("stranger", forbidden)];
        is_shown(&stage, "platform-admin", &format!("{path}/{page}"), &refused).await;
        let unknown = stage.get("platform-admin", &format!("/organisations/nobody/{page}")).await;
        assert_eq!(unknown.status, missing, "{page}");
    }
    assert!(!stage.get("maker-admin", path).await.html.contains("/suspend"));
    for who in ["maker-admin", "owner-admin", "platform-auditor"] {
        for (page, fields) in [("suspend", "reason=x"), ("resume", "reason=x"), ("name", "name=x")]
        {
            let refused = stage.post(who, &format!("{path}/{page}"), fields).await;
            assert_eq!(refused.status, forbidden, "{who} {page}");
        }
    }
    let wrong = stage.post("platform-admin", &format!("{path}/name"), "name=a++b").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.html.contains("id=\"name-error\""), "{}", wrong.html);
    let named = stage.post("platform-admin", &format!("{path}/name"), "name=Maker+K.K.").await;
    assert_eq!(named.status, StatusCode::SEE_OTHER, "{}", named.html);
    assert!(stage.get("maker-admin", path).await.html.contains("Maker K.K."));

    let done = stage.post("platform-admin", &format!("{path}/suspend"), "reason=stolen").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("platform-admin", language, path).await;
        is_sound(&page, path);
        assert!(page.html.contains("/organisations/maker/resume"), "{}", page.html);
    }
    for page in ["/", "/devices", "/people", "/audit", path] {
        let refused = stage.get("maker-admin", page).await;
        assert_eq!(refused.status, forbidden, "{page}");
        assert!(refused.html.contains("suspended"), "{}", refused.html);
    }
    assert_eq!(stage.get("owner-admin", "/devices").await.status, StatusCode::OK);
    let done = stage.post("platform-admin", &format!("{path}/resume"), "reason=mended").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    assert_eq!(stage.get("maker-admin", "/devices").await.status, StatusCode::OK);
}
