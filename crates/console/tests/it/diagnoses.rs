//! Diagnoses, check sheet, files, sign-off, the gate of operation.

use crate::{
    site::{Page, form},
    stage::{CAST, Stage, is_sound},
    world::{id, product},
};
use axum::body::Body;
use device::Language;
use http::{StatusCode, header};
use service::NewDiagnosis;

/// A diagnosis of the maker's product, by its administrator.
async fn opened(stage: &Stage, subject: &str) -> String {
    let new = NewDiagnosis {
        organisation: id("maker"),
        product: product("gate"),
        subject: subject.to_owned(),
        from: None,
    };
    stage.world.service.open_diagnosis(&stage.maker.admin, new).await.unwrap().id.to_string()
}

/// Where a form led to.
fn led(page: &Page) -> &str {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    page.header("location")
}

fn refused(page: &Page, says: &str) {
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
    assert!(page.html.contains(says), "{says}: {}", page.html);
}

/// The version that the form of a page carries.
fn version(page: &Page) -> &str {
    let (_, rest) = page.html.split_once("name=\"version\" value=\"").unwrap();
    rest.split_once('"').unwrap().0
}

impl Stage {
    /// A form with a file, as browsers send it.
    pub(crate) async fn upload(
        &self,
        who: &str,
        path: &str,
        parts: &[(&str, &str, &[u8])],
    ) -> Page {
        let mut body = Vec::new();
        for (name, file, bytes) in parts {
            let file = match *file {
                "" => String::new(),
                file => format!("; filename=\"{file}\""),
            };
            let head = format!(
                "--boundary\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--boundary--\r\n");
        let mut request = form(path).header(header::COOKIE, format!("__Host-tegata={who}.en"));
        let kind = "multipart/form-data; boundary=boundary";
        request.headers_mut().unwrap().insert(header::CONTENT_TYPE, kind.parse().unwrap());
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn token(&self, who: &str) -> String {
        self.get(who, "/guide").await.token().to_owned()
    }
}

#[tokio::test]
async fn each_page_is_shown_to_the_maker_and_nobody_else() {
    let stage = Stage::new().await;
    let of = opened(&stage, "<b>1.0</b>").await;
    let here = format!("/diagnoses/{of}");
    let all = ["maker-admin", "maker-operator", "maker-station", "maker-auditor", "maker-reader"];
    let all = [&all[..], &["maker-second"]].concat();
    let working = vec!["maker-admin", "maker-operator", "maker-second"];
    let administrators = vec!["maker-admin", "maker-second"];
    let mut pages: Vec<(String, Vec<&str>)> = [
        "",
        "/items",
        "/items?layer=device&phase=software-design&state=open&text=password",
        "/items/DEV-SWD-01",
        "/gaps",
        "/evidence",
        "/features",
        "/comparison",
        "/files",
        "/history",
        "/clauses/etsi-en-303-645",
        "/clauses/iec-62443-4-2",
    ]
    .into_iter()
    .map(|part| (format!("{here}{part}"), all.clone()))
    .collect();
    pages.push((format!("{here}/sign"), working.clone()));
    pages.push((format!("{here}/discard"), working.clone()));
    pages.push((format!("{here}/adopt"), working));
    pages.push(("/products/maker/gate/diagnoses".to_owned(), all.clone()));
    pages.push(("/operation/maker/gate".to_owned(), all.clone()));
    pages.push(("/operation/maker/gate/enter".to_owned(), administrators.clone()));
    pages.push(("/operation/maker/gate/overrule".to_owned(), administrators.clone()));
    pages.push(("/operation/maker/gate/leave".to_owned(), administrators));
    for (path, whose) in &pages {
        for (who, ..) in CAST {
            for language in Language::ALL.iter().copied() {
                let page = stage.get_in(who, language, path).await;
                let shown = page.status == StatusCode::OK;
                assert_eq!(shown, whose.contains(who), "{path} for {who}: {}", page.status);
                is_sound(&page, path);
                assert!(!page.html.contains("<b>1.0"), "{path}: {}", page.html);
                let nothing = page.status == StatusCode::NOT_FOUND;
                assert!(who.starts_with("maker") || nothing, "{path} for {who}: {}", page.status);
            }
        }
    }
    // Lists are everybody's own.
    for path in ["/diagnoses", "/operation"] {
        for (who, ..) in CAST {
            let page = stage.get(who, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {who}");
            is_sound(&page, path);
            assert_eq!(page.html.contains("1.0"), who.starts_with("maker") && path != "/operation");
        }
    }
    for path in ["/diagnoses/new?product=gate", "/diagnoses/new", "/operation/policy"] {
        let page = stage.get("maker-admin", path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        is_sound(&page, path);
        assert_eq!(stage.get("maker-reader", path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in [
        "/diagnoses/0123".to_owned(),
        "/diagnoses/00000000000000000000000000000000".to_owned(),
        format!("{here}/items/DEV-SWD-999"),
        format!("{here}/clauses/no-such"),
        "/diagnoses/new?product=no-such".to_owned(),
        "/products/maker/no-such/diagnoses".to_owned(),
        "/operation/maker/no-such".to_owned(),
    ] {
        assert_eq!(stage.get("maker-admin", &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        format!("{here}/items?layer=basement"),
        format!("{here}/items?after=x"),
        format!("{here}/history?after=x"),
        format!("{here}/file?format=docx"),
        "/diagnoses?after=x".to_owned(),
    ] {
        assert_eq!(stage.get("maker-admin", &path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    // A form without its token does nothing.
    for path in ["/items/DEV-SWD-01", "/items/DEV-SWD-01/evidence", "/features", "/sign"] {
        let page = stage.post_raw("maker-admin", &format!("{here}{path}"), "csrf=00").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn an_item_is_answered_with_evidence_and_nobody_overwrites_another() {
    let stage = Stage::new().await;
    let page = stage.post("maker-admin", "/diagnoses/new", "product=gate&subject=").await;
    refused(&page, "which version is looked at");
    let new = "product=gate&subject=firmware+1.0&from=";
    let here = led(&stage.post("maker-admin", "/diagnoses/new", new).await).to_owned();
    assert_eq!(
        stage.post("maker-reader", "/diagnoses/new", new).await.status,
        StatusCode::FORBIDDEN
    );
    let item = format!("{here}/items/DEV-SWD-01");
    let first = stage.get("maker-admin", &item).await;
    assert!(first.html.contains("Answer the item first"), "{}", first.html);
    assert_eq!(version(&first), "0");
    // Nothing is taken that cannot be; what was typed stays.
    let page = stage.post("maker-admin", &item, "version=0&comment=typed").await;
    refused(&page, "Choose an answer");
    assert!(page.html.contains("value=\"typed\""), "{}", page.html);
    let page = stage.post("maker-admin", &item, "version=0&answer=not-applicable").await;
    refused(&page, "reason");
    let page = stage.post("maker-admin", &item, "version=0&answer=met&due=tomorrow").await;
    refused(&page, "2026-11-21");
    let page = stage.post("maker-reader", &item, "version=0&answer=met").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let form = "version=0&answer=met&owner=%3Ci%3ESato&comment=two+devices";
    assert_eq!(led(&stage.post("maker-operator", &item, form).await), item);
    let second = stage.get("maker-admin", &item).await;
    assert!(second.html.contains("claimed without evidence"), "{}", second.html);
    assert!(second.html.contains("&#60;i&#62;Sato") && !second.html.contains("<i>Sato"));
    // Who comes second is told who was first.
    let page = stage.post("maker-admin", &item, "version=0&answer=not-met").await;
    refused(&page, "maker-operator");
    let now = version(&second).to_owned();
    let evidence = format!("{item}/evidence");
    for (fields, says) in [
        ("what=x&on=2000-01-01&sha256=12", "64 hexadecimal"),
        ("what=x&on=yesterday", "2026-11-21"),
        ("what=x&on=2099-01-01", "evidence of 2099"),
        ("what=&on=2000-01-01", "empty"),
    ] {
        let page = stage.post("maker-admin", &evidence, &format!("version={now}&{fields}")).await;
        refused(&page, says);
    }
    let digest = "ab".repeat(32);
    let fields =
        format!("version={now}&what=%3Cb%3Ereport&on=2000-01-01&until=2099-01-01&sha256={digest}");
    assert_eq!(
        led(&stage.post("maker-admin", &evidence, &fields).await),
        format!("{item}#evidence")
    );
    let third = stage.get("maker-admin", &item).await;
    assert!(third.html.contains("&#60;b&#62;report") && third.html.contains(&digest));
    assert!(third.html.contains("badge tone-good") && third.html.contains(">met<"));
    let now = version(&third).to_owned();
    let remove = format!("{evidence}/remove");
    let stale = stage.post("maker-admin", &remove, "version=1&at=0").await;
    refused(&stale, "look at it again");
    let none = stage.post("maker-admin", &remove, &format!("version={now}&at=7")).await;
    assert_eq!(none.status, StatusCode::CONFLICT);
    assert_eq!(
        stage.post("maker-admin", &remove, &format!("version={now}&at=0")).await.status,
        StatusCode::SEE_OTHER
    );
    let history = stage.get("maker-reader", &format!("{here}/history")).await;
    assert!(history.html.contains("DEV-SWD-01: met"), "{}", history.html);
    // The list finds it by words and by state.
    let found = stage.get("maker-reader", &format!("{here}/items?state=claimed")).await.html;
    assert!(found.contains("DEV-SWD-01") && !found.contains("DEV-SWD-02"), "{found}");
    let words = stage.get("maker-reader", &format!("{here}/items?text=two+DEVICES")).await.html;
    assert!(words.contains("DEV-SWD-01") && !words.contains("DEV-SWD-02"), "{words}");
    // What the product does not have answers what depends on it, unless it was answered otherwise.
    let features = format!("{here}/features");
    let page = stage.post("maker-admin", &features, "feature=password&reason=none").await;
    refused(&page, "DEV-SWD-01");
    let none = stage.post("maker-admin", &features, "feature=no-such&reason=none").await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    let page = stage.post("maker-admin", &features, "feature=removable-media&reason=closed").await;
    assert_eq!(led(&page), features);
    let shown = stage.get("maker-reader", &features).await;
    assert!(shown.html.contains("closed") && !shown.html.contains("name=\"back\""));
    let open = stage.get("maker-admin", &features).await;
    let (_, back) = open.html.split_once("name=\"back\" value=\"").unwrap();
    let back = format!("feature=removable-media&back={}", back.split_once('"').unwrap().0);
    assert_eq!(led(&stage.post("maker-admin", &features, &back).await), features);
    assert!(!stage.get("maker-admin", &features).await.html.contains("closed"));
    // The pages say the same as the figures.
    let view = stage.get("maker-reader", &here).await;
    assert!(view.html.contains("class=\"heat\"") && view.html.contains("class=\"radar\""));
    let list = stage.get("maker-reader", "/diagnoses").await;
    assert!(list.html.contains("firmware 1.0"), "{}", list.html);
}

#[tokio::test]
async fn a_file_is_previewed_before_it_changes_anything() {
    let stage = Stage::new().await;
    let of = opened(&stage, "1.0").await;
    let here = format!("/diagnoses/{of}");
    let import = format!("{here}/import");
    let admin = &stage.maker.admin;
    let service = &stage.world.service;
    let yaml = service.diagnosis_file(admin, &of.parse().unwrap()).await.unwrap();
    let yaml = String::from_utf8(yaml).unwrap();
    let answers = "answers:\n  DEV-SWD-01:\n    answer: not-met\n    comment: \"<b>no</b>\"\n";
    let yaml = format!("{}\n{answers}", yaml.replace("answers: {}\n", "").trim_end());
    let token = stage.token("maker-admin").await;
    let csrf = ("csrf", "", token.as_bytes());
    let file = ("file", "sheet.yaml", yaml.as_bytes());
    let sent = stage.upload("maker-admin", &import, &[csrf, file]).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.html);
    is_sound(&sent, &import);
    assert!(sent.html.contains("One topic changes") && !sent.html.contains("<b>no"));
    let item = format!("{here}/items?state=not-met");
    assert!(!stage.get("maker-admin", &item).await.html.contains("DEV-SWD-01"));
    let value = |name: &str| {
        let (_, rest) = sent.html.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let carried: Vec<(&str, String)> = ["carried", "form", "replace", "version"]
        .into_iter()
        .map(|name| (name, value(name)))
        .collect();
    let mut parts = vec![csrf];
    parts.extend(carried.iter().map(|(name, value)| (*name, "", value.as_bytes())));
    assert_eq!(led(&stage.upload("maker-admin", &import, &parts).await), here);
    assert!(stage.get("maker-admin", &item).await.html.contains("DEV-SWD-01"));
    // For the version that was shown, and no other.
    let again = stage.upload("maker-admin", &import, &parts).await;
    refused(&again, "look at it again");
    // A round trip through a workbook changes nothing.
    let book = stage.get_bytes("maker-admin", &format!("{here}/file?format=xlsx")).await;
    assert_eq!(book.get(..2), Some(&b"PK"[..]));
    let same = stage.upload("maker-admin", &import, &[csrf, ("file", "Sheet.XLSX", &book)]).await;
    assert!(same.html.contains("The file changes nothing"), "{}", same.html);
    // Results of another tool are claims about clauses; whose they are, a person has to tell.
    let oscal = stage.get_bytes("maker-admin", &format!("{here}/file?format=oscal")).await;
    let same = stage.upload("maker-admin", &import, &[csrf, ("file", "r.json", &oscal)]).await;
    assert!(same.html.contains("The file changes nothing"), "{}", same.html);
    let oscal = String::from_utf8(oscal).unwrap().replace("maker/gate", "other/thing");
    let other =
        stage.upload("maker-admin", &import, &[csrf, ("file", "r.json", oscal.as_bytes())]).await;
    refused(&other, "other/thing");
    let oscal = oscal.replace("https://tegata.example/ns/oscal", "https://tool.example/ns");
    let found =
        stage.upload("maker-admin", &import, &[csrf, ("file", "r.json", oscal.as_bytes())]).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.html);
    assert!(found.html.contains("other/thing"), "{}", found.html);
    let plan = stage.get_bytes("maker-admin", &format!("{here}/file?format=poam")).await;
    let page = stage.upload("maker-admin", &import, &[csrf, ("file", "p.json", &plan)]).await;
    refused(&page, "holds no answers");
    // What cannot be read, is not chosen, or is of no known form.
    for (name, bytes, says) in [
        ("sheet.yaml", &b"a: ["[..], "file"),
        ("sheet.docx", b"PK", ".xlsx"),
        ("", b"", "Choose a file"),
    ] {
        let page = stage.upload("maker-admin", &import, &[csrf, ("file", name, bytes)]).await;
        if name.is_empty() {
            assert!(matches!(page.status, StatusCode::UNPROCESSABLE_ENTITY), "{}", page.html);
        } else {
            refused(&page, says);
        }
    }
    // Without the token, or with it in another place than first, nothing is read.
    for parts in [&[file][..], &[file, csrf], &[("csrf", "", b"00"), file], &[]] {
        let page = stage.upload("maker-admin", &import, parts).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.html);
    }
    let large = vec![b' '; 2 * 1024 * 1024 + 1];
    let page = stage.upload("maker-admin", &import, &[csrf, ("file", "l.yaml", &large)]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let long = vec![b'1'; 5000];
    let page = stage.upload("maker-admin", &import, &[csrf, ("version", "", &long)]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let page = stage.upload("maker-admin", &import, &[csrf, ("other", "", b"x")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    let urlencoded = stage.post("maker-admin", &import, "form=yaml").await;
    assert_eq!(urlencoded.status, StatusCode::BAD_REQUEST);
    let token = stage.token("maker-reader").await;
    let csrf = ("csrf", "", token.as_bytes());
    let page = stage.upload("maker-reader", &import, &[csrf, file]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let token = stage.token("stranger").await;
    let page = stage.upload("stranger", &import, &[("csrf", "", token.as_bytes()), file]).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn two_people_sign_and_the_next_diagnosis_is_compared_with_it() {
    let stage = Stage::new().await;
    let of = opened(&stage, "1.0").await;
    let here = format!("/diagnoses/{of}");
    let sign = format!("{here}/sign");
    let asks = stage.get("maker-operator", &sign).await;
    let (_, content) = asks.html.split_once("name=\"content\" value=\"").unwrap();
    let content = content.split_once('"').unwrap().0.to_owned();
    let item = format!("{here}/items/DEV-SWD-01");
    let answered = stage.post("maker-admin", &item, "version=0&answer=met").await;
    assert_eq!(answered.status, StatusCode::SEE_OTHER);
    // The answers are not those that were read.
    let stale = stage.post("maker-operator", &sign, &format!("content={content}")).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    let asks = stage.get("maker-operator", &sign).await;
    let (_, content) = asks.html.split_once("name=\"content\" value=\"").unwrap();
    let content = format!("content={}", content.split_once('"').unwrap().0);
    let waits = stage.post("maker-operator", &sign, &content).await;
    let approval = led(&waits).to_owned();
    assert!(approval.starts_with("/approvals/"), "{approval}");
    let approved = stage.post("maker-second", &format!("{approval}/approve"), "").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.html);
    let signed = stage.get("maker-reader", &here).await;
    assert!(signed.html.contains(">signed<"), "{}", signed.html);
    assert!(signed.html.contains("maker-operator") && signed.html.contains("maker-second"));
    // It does not change any more.
    let page = stage.get("maker-admin", &item).await;
    assert!(!page.html.contains("name=\"answer\""), "{}", page.html);
    refused(&stage.post("maker-admin", &item, "version=2&answer=not-met").await, "signed");
    assert_eq!(stage.get("maker-admin", &sign).await.status, StatusCode::CONFLICT);
    let next = format!("product=gate&subject=1.1&from={of}");
    let next = led(&stage.post("maker-admin", "/diagnoses/new", &next).await).to_owned();
    let worse = stage.get("maker-admin", &format!("{next}/items/DEV-SWD-01")).await;
    let form = format!("version={}&answer=not-met", version(&worse));
    let changed = stage.post("maker-admin", &format!("{next}/items/DEV-SWD-01"), &form).await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER);
    let compared = stage.get("maker-reader", &format!("{next}/comparison")).await;
    assert!(compared.html.contains(">worse<"), "{}", compared.html);
    let none = stage.get("maker-reader", &format!("{here}/comparison")).await;
    assert!(none.html.contains("nothing to compare with"), "{}", none.html);
    let gone = stage.post("maker-admin", &format!("{next}/discard"), "").await;
    assert_eq!(led(&gone), "/diagnoses");
    assert_eq!(stage.get("maker-admin", &next).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn operation_is_entered_by_exception_of_two_until_a_day() {
    let stage = Stage::new().await;
    let gate = "/operation/maker/gate";
    assert!(stage.get("maker-reader", gate).await.html.contains("not asked for"));
    let policy = "required=yes&weight=6&items=DEV-SWD-01&signed=";
    let wrong = "required=yes&weight=6&items=DEV-SWD-999";
    refused(&stage.post("maker-admin", "/operation/policy", wrong).await, "check sheet");
    let denied = stage.post("maker-operator", "/operation/policy", policy).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert_eq!(led(&stage.post("maker-admin", "/operation/policy", policy).await), "/operation");
    let page = stage.get("maker-admin", gate).await;
    assert!(page.html.contains(">prototype<") && page.html.contains("1 of 1 required"));
    assert!(!page.html.contains(&format!("{gate}/enter")), "nothing can be entered yet");
    let enter = stage.post("maker-admin", &format!("{gate}/enter"), "").await;
    assert_eq!(enter.status, StatusCode::CONFLICT, "{}", enter.html);
    assert!(enter.html.contains("DEV-SWD-01"), "{}", enter.html);
    let overrule = format!("{gate}/overrule");
    let now = stage.world.service.now();
    let day = |days: i64| now.plus(days * 86_400).to_string().get(..10).unwrap().to_owned();
    for form in [
        "reason=trial&until=".to_owned(),
        "reason=trial&until=2000-01-01".to_owned(),
        format!("reason=trial&until={}", day(900)),
        format!("reason=&until={}", day(5)),
    ] {
        let page = stage.post("maker-admin", &overrule, &form).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}: {}", page.html);
    }
    let form = format!("reason=field+trial&until={}", day(5));
    let waits = stage.post("maker-admin", &overrule, &form).await;
    let approval = led(&waits).to_owned();
    assert!(approval.starts_with("/approvals/"), "{approval}");
    let own = stage.post("maker-admin", &format!("{approval}/approve"), "").await;
    assert_ne!(own.status, StatusCode::SEE_OTHER, "nobody approves what they asked for");
    let approved = stage.post("maker-second", &format!("{approval}/approve"), "").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.html);
    let page = stage.get("maker-reader", gate).await;
    assert!(page.html.contains(">by exception<") && page.html.contains("field trial"));
    let history = stage.get("maker-reader", "/operation").await;
    assert!(history.html.contains("entered operation by an exception"), "{}", history.html);
    // It is left again, and entered once the item is met.
    let left = stage.post("maker-admin", &format!("{gate}/leave"), "reason=over").await;
    assert_eq!(led(&left), gate);
    let of = opened(&stage, "1.0").await;
    let item = format!("/diagnoses/{of}/items/DEV-SWD-01");
    assert_eq!(
        stage.post("maker-admin", &item, "version=0&answer=met").await.status,
        StatusCode::SEE_OTHER
    );
    let page = stage.get("maker-admin", &item).await;
    let form = format!("version={}&what=report&on=2000-01-01", version(&page));
    assert_eq!(
        stage.post("maker-admin", &format!("{item}/evidence"), &form).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(led(&stage.post("maker-admin", &format!("{gate}/enter"), "").await), gate);
    assert!(stage.get("maker-reader", gate).await.html.contains(">in operation<"));
}

#[tokio::test]
async fn a_report_is_for_somebody_in_a_language_of_its_own_and_can_do_nothing() {
    let stage = Stage::new().await;
    let of = opened(&stage, "<i>1.0").await;
    let here = format!("/diagnoses/{of}");
    let owner = "%3Cscript%3E".to_owned() + &"x".repeat(200);
    let form = format!("version=0&answer=not-met&owner={owner}&due=2026-12-01");
    let item = format!("{here}/items/DEV-SWD-01");
    assert_eq!(stage.post("maker-admin", &item, &form).await.status, StatusCode::SEE_OTHER);
    for (language, words) in [
        ("en", ["Diagnosis for managers", "not ready", "Next deadlines"]),
        ("ja", ["診断報告書（管理者向け）", "対応が必要", "近い期限"]),
    ] {
        let path = format!("{here}/report?audience=managers&lang={language}");
        let page = stage.get("maker-reader", &path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.header("content-language"), language);
        for word in words {
            assert!(page.html.contains(word), "{word}: {}", page.html);
        }
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!page.html.contains("<script") && !page.html.contains("<i>1.0"));
        assert!(!page.html.contains("xxxxxxxxxx".repeat(10).as_str()), "what is long is cut");
        assert!(!page.html.contains("SVC-PLN-01</strong>"), "every item is for engineers");
    }
    let whole = stage.get("maker-reader", &format!("{here}/report?audience=engineers")).await;
    let library = service::check_sheet().unwrap();
    for item in library.items() {
        assert!(whole.html.contains(&format!("<strong>{}</strong>", item.id)), "{}", item.id);
    }
    assert!(whole.html.contains(&"x".repeat(200)), "engineers are told all of it");
    // With a font on this system it is a PDF of two pages; without, it says what to install.
    for language in ["en", "ja"] {
        let path = format!("{here}/report?format=pdf&lang={language}");
        match stage.world.service.report_font().await {
            Ok(_) => {
                let bytes = stage.get_bytes("maker-reader", &path).await;
                let text = String::from_utf8_lossy(&bytes);
                assert!(text.starts_with("%PDF-1."), "{language}");
                assert!(text.contains("/Count 2"), "{language}: not two pages");
                assert!(text.contains("/ToUnicode"), "{language}: nobody can search it");
            }
            Err(error) => {
                assert_eq!(error.code(), "report-font");
                let page = stage.get("maker-reader", &path).await;
                assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
                assert!(page.html.contains("fonts-noto-cjk"), "{}", page.html);
            }
        }
    }
    for path in ["/report?audience=nobody", "/report?lang=fr", "/report?format=docx"] {
        let page = stage.get("maker-reader", &format!("{here}{path}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
    }
    let foreign = stage.get("stranger", &format!("{here}/report")).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_clause_is_answered_itself_with_evidence_and_left_out_with_a_reason_only() {
    let stage = Stage::new().await;
    let of = opened(&stage, "1.0").await;
    let here = format!("/diagnoses/{of}");
    for language in Language::ALL.iter().copied() {
        for path in
            ["/clauses", "/clauses/etsi-en-303-645", "/clauses/eu-cra-annex-i/I.1%282%29%28a%29"]
        {
            let path = format!("{here}{path}");
            let page = stage.get_in("maker-reader", language, &path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            is_sound(&page, &path);
            assert!(!page.html.contains(">diagnoses-"), "{path}: a text is missing");
        }
    }
    for path in [
        "/clauses/nothing",
        "/clauses/etsi-en-303-645/9.9",
        "/clauses/nothing/5.1-1",
        "/clauses/etsi-en-303-645/..",
    ] {
        let page = stage.get("maker-admin", &format!("{here}{path}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    let wrong = stage.get("maker-admin", &format!("{here}/clauses/etsi-en-303-645?state=x")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let page = stage.get("stranger", &format!("{here}/clauses/etsi-en-303-645/5.1-1")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);

    let clause = format!("{here}/clauses/jc-star-1/S1.1-05");
    let open = format!("{here}/clauses/jc-star-1?state=to-do");
    assert!(stage.get("maker-reader", &open).await.html.contains(&clause));
    // Nobody who only reads gets the form, or past it.
    assert!(!stage.get("maker-reader", &clause).await.html.contains("name=\"answer\""));
    let met = "version=0&answer=met&owner=Suzuki";
    assert_eq!(stage.post("maker-reader", &clause, met).await.status, StatusCode::FORBIDDEN);
    let without = "version=0&answer=not-applicable&owner=Suzuki";
    let page = stage.post("maker-operator", &clause, without).await;
    refused(&page, "Nothing was saved");
    assert!(page.html.contains("Suzuki"), "what was typed stays");
    // A refusal is in the language of its page.
    let page = stage.post_in("maker-operator", Language::Ja, &clause, without).await;
    refused(&page, "「対象外」には理由が必要です");
    assert!(!page.html.contains("needs a"), "{}", page.html);
    let reason = "version=0&answer=met&reason=because";
    refused(&stage.post("maker-operator", &clause, reason).await, "Nothing was saved");
    assert_eq!(led(&stage.post("maker-operator", &clause, met).await), clause);
    let page = stage.get("maker-reader", &clause).await;
    assert!(page.html.contains("claimed without evidence") && page.html.contains("Suzuki"));
    // Who read an older version is told so; a second answer does not undo the first.
    refused(&stage.post("maker-operator", &clause, met).await, "look at it again");
    let page = stage.get("maker-operator", &clause).await;
    let piece =
        format!("version={}&what=%3Cb%3Epolicy&on=2000-01-01&until=2099-01-01", version(&page));
    let path = format!("{clause}/evidence");
    assert_eq!(
        led(&stage.post("maker-operator", &path, &piece).await),
        format!("{clause}#evidence")
    );
    let page = stage.get("maker-operator", &clause).await;
    assert!(page.html.contains("&#60;b&#62;policy") || page.html.contains("&lt;b&gt;policy"));
    assert!(!stage.get("maker-reader", &open).await.html.contains(&clause), "it is done");
    let remove = format!("version={}&at=0", version(&page));
    let path = format!("{clause}/evidence/remove");
    assert_eq!(
        led(&stage.post("maker-operator", &path, &remove).await),
        format!("{clause}#evidence")
    );
    assert!(stage.get("maker-reader", &open).await.html.contains(&clause), "only claimed again");
}
