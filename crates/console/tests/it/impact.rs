//! Impact assessments in the console: guided forms, drafts, what follows, concluding.

use crate::stage::{CAST, Stage, is_sound};
use device::{Language, ProductId};
use http::StatusCode;
use service::{ImpactLooked, NewImpactAnswers, NewThreatModel, rule_book};

const BASE: &str = "/products/maker/gate/impact";

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A form as a browser sends it.
fn step(version: u64, asked: &str, answers: &[(&str, &str)], go: &str) -> String {
    let mut body = format!("version={version}&asked={}&go={go}", encoded(asked));
    for (question, answer) in answers {
        body.push_str(&format!("&q-{question}={}", encoded(answer)));
    }
    body
}

async fn stands(stage: &Stage, form: &'static str) -> (u64, Vec<(String, String)>) {
    let look = move |looked: &ImpactLooked<'_>| {
        let answers = looked.answers[form].clone().into_iter().collect();
        (looked.standing[form].version, answers)
    };
    let (service, line) = (&stage.world.service, ProductId::new("gate").unwrap());
    service.look_at_impact(&stage.maker.admin, &stage.maker.id, &line, look).await.unwrap()
}

#[tokio::test]
async fn every_page_is_sound_in_both_languages_and_for_everybody() {
    let stage = Stage::new().await;
    let mut paths = vec![BASE.to_owned()];
    for form in rule_book().unwrap().forms() {
        paths.push(format!("{BASE}/{}", form.id));
        paths.push(format!("{BASE}/{}/history", form.id));
        for step in &form.steps {
            paths.push(format!("{BASE}/{}/step/{}", form.id, step.id));
        }
    }
    for path in &paths {
        for (who, organisation, _) in CAST {
            for language in Language::ALL.iter().copied() {
                let page = stage.get_in(who, language, path).await;
                let allowed = match (*organisation, *who) {
                    ("maker", "maker-station") => page.status == StatusCode::FORBIDDEN,
                    ("maker", "maker-reader" | "maker-auditor") if path.contains("/step/") => {
                        page.status == StatusCode::FORBIDDEN
                    }
                    ("maker", _) => page.status == StatusCode::OK,
                    _ => page.status == StatusCode::NOT_FOUND,
                };
                assert!(allowed, "{who} {path}: {}", page.status);
                is_sound(&page, path);
                assert!(!page.html.contains(">impact-"), "{who} {path}: a text is missing");
            }
        }
    }
    for path in ["/taste", "/safety/step/nowhere", "/taste/step/scene", "/taste/conclude"] {
        let path = format!("{BASE}{path}");
        assert_eq!(stage.get("maker-admin", &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // Each question comes with an example and what to think of, in the visitor's language.
    let path = format!("{BASE}/privacy/step/data");
    let first = &rule_book().unwrap().form("privacy").unwrap().steps[0].questions[0];
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-operator", language, &path).await.html;
        for text in [&first.ask, &first.help, &first.example] {
            let text = text.of(language).replace('\'', "&#39;");
            assert!(page.contains(&text), "{text}");
        }
    }
}

#[tokio::test]
async fn a_form_is_answered_step_by_step_without_script() {
    let stage = Stage::new().await;
    let path = format!("{BASE}/privacy/step/data");
    let asked = "personal,data,kinds,people";
    // A draft: some answers, and the rest later. What nobody ticked is open.
    let body = step(
        0,
        asked,
        &[
            ("personal", "some"),
            ("data", "Who <b>came</b>\r\nwhen"),
            ("kinds", "health"),
            ("kinds", "media"),
        ],
        "stay",
    );
    let done = stage.post("maker-operator", &path, &body).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(done.headers["location"], format!("{BASE}/privacy"));
    let (version, answers) = stands(&stage, "privacy").await;
    assert_eq!(version, 1);
    let find = |question: &str| {
        answers.iter().find(|(id, _)| id == question).map(|(_, answer)| answer.as_str())
    };
    assert_eq!(find("data"), Some("Who <b>came</b>\nwhen"));
    assert_eq!(find("kinds"), Some("media, health"));
    assert_eq!(find("people"), None);
    let page = stage.get("maker-reader", &format!("{BASE}/privacy")).await;
    is_sound(&page, BASE);
    assert!(page.html.contains("&#60;b&#62;came") || page.html.contains("&lt;b&gt;came"));
    assert!(page.html.contains("Others are always in the picture"), "what follows from a choice");
    assert!(page.html.contains("May apply"), "where the people live is not known yet");
    // What was said stands in the form again; going on leads to the next step.
    let page = stage.get("maker-operator", &path).await.html;
    assert!(
        page.contains("value=\"health\" checked") && page.contains("name=\"version\" value=\"1\"")
    );
    let body = step(1, asked, &[("personal", "some"), ("people", "children")], "next");
    let done = stage.post("maker-operator", &path, &body).await;
    assert_eq!(done.headers["location"], format!("{BASE}/privacy/step/purpose"));
    let (_, answers) = stands(&stage, "privacy").await;
    assert_eq!(answers.len(), 2, "what was emptied is taken back");
    // Without personal data nothing more is asked.
    let body = step(2, asked, &[("personal", "none")], "next");
    let done = stage.post("maker-operator", &path, &body).await;
    assert_eq!(done.headers["location"], format!("{BASE}/privacy"));
    let page = stage.get("maker-operator", &format!("{BASE}/privacy/step/life")).await;
    assert!(page.html.contains("Nothing is asked here"));
    let history = stage.get("maker-auditor", &format!("{BASE}/privacy/history")).await;
    assert!(history.html.contains("Taken back"));
}

#[tokio::test]
async fn what_cannot_be_taken_is_said_at_its_question_in_the_readers_language() {
    let stage = Stage::new().await;
    let path = format!("{BASE}/safety/step/scene");
    let body = step(
        0,
        "acts,dependents",
        &[("acts", "none"), ("acts", "moves"), ("dependents", "the tenant")],
        "next",
    );
    for (language, wanted) in [("en", "goes with no other choice"), ("ja", "同時に選べません")]
    {
        let who = if language == "en" { "maker-operator" } else { "maker-admin" };
        let refused = match language {
            "en" => stage.post(who, &path, &body).await,
            _ => stage.post_in(who, Language::Ja, &path, &body).await,
        };
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        is_sound(&refused, &path);
        assert!(refused.html.contains(wanted), "{}", refused.html);
        assert!(refused.html.contains("the tenant"), "what was typed stays");
        assert!(refused.html.contains("id=\"q-acts-error\""));
    }
    assert_eq!(stands(&stage, "safety").await.0, 0, "nothing was saved");
    // Somebody was quicker: what was typed stays, and the page says so.
    let (service, line) = (&stage.world.service, ProductId::new("gate").unwrap());
    let answers = [("dependents".to_owned(), Some("first".to_owned()))].into_iter().collect();
    let new = NewImpactAnswers { version: 0, answers };
    let admin = &stage.maker.admin;
    service.answer_impact(admin, &stage.maker.id, &line, "safety", new).await.unwrap();
    let late = step(0, "acts,dependents", &[("dependents", "second")], "next");
    let refused = stage.post("maker-operator", &path, &late).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains("look at it again") && refused.html.contains("second"));
    for who in ["maker-reader", "maker-station"] {
        let refused = stage.post(who, &path, &late).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
    }
    let forged = stage.post_raw("maker-operator", &path, &late).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "a form without its token");
}

#[tokio::test]
async fn an_administrator_concludes_and_the_model_contradicts() {
    let stage = Stage::new().await;
    let (service, line) = (&stage.world.service, ProductId::new("gate").unwrap());
    let (admin, of) = (&stage.maker.admin, &stage.maker.id);
    let form = format!("{BASE}/privacy");
    let early = stage.get("maker-admin", &format!("{form}/conclude")).await;
    assert_eq!(early.status, StatusCode::SEE_OTHER, "nothing is complete yet");
    let early = stage.post("maker-admin", &format!("{form}/conclude"), "version=0").await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(early.html.contains("Are data about people processed?"));
    let answers = [("personal".to_owned(), Some("none".to_owned()))].into_iter().collect();
    let new = NewImpactAnswers { version: 0, answers };
    service.answer_impact(admin, of, &line, "privacy", new).await.unwrap();
    let page = stage.get("maker-admin", &form).await.html;
    assert!(page.contains(&format!("{form}/conclude")));
    let page = stage.get("maker-operator", &form).await.html;
    assert!(!page.contains(&format!("{form}/conclude")), "not for operators");
    let refused = stage.get("maker-operator", &format!("{form}/conclude")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let asked = stage.get("maker-admin", &format!("{form}/conclude")).await;
    is_sound(&asked, &form);
    let done = stage.post("maker-admin", &format!("{form}/conclude"), "version=1").await;
    assert_eq!(done.headers["location"], form);
    assert!(stage.get("maker-reader", &form).await.html.contains("Concluded"));
    let text = "tegata: threat-model/1\nname: Gate\nassets:\n  - {id: a, title: Comings, kind: personal}\n";
    let new = NewThreatModel { version: 0, text: text.into(), note: None };
    service.put_threat_model(admin, of, &line, new).await.unwrap();
    let page = stage.get("maker-reader", &form).await;
    is_sound(&page, &form);
    assert!(page.html.contains("Changed since it was concluded") && page.html.contains("Comings"));
    assert!(stage.get("maker-reader", BASE).await.html.contains("Changed since"));
}

#[tokio::test]
async fn an_engineers_report_shows_the_way_of_each_threat_and_managers_keep_two_pages() {
    let stage = Stage::new().await;
    let (service, line) = (&stage.world.service, ProductId::new("gate").unwrap());
    let (admin, of) = (&stage.maker.admin, &stage.maker.id);
    let text = "tegata: threat-model/1\nname: Gate\nelements:\n  - {id: gate, title: 'Gate <b>north</b>', kind: \
                device, traits: [updatable, actuator], measures: [signed-updates]}\n";
    let new = NewThreatModel { version: 0, text: text.into(), note: None };
    service.put_threat_model(admin, of, &line, new).await.unwrap();
    let answers = [("personal", "some"), ("regions", "japan"), ("exposure-level", "grave")];
    let answers = answers.map(|(question, answer)| (question.to_owned(), Some(answer.to_owned())));
    let new = NewImpactAnswers { version: 0, answers: answers.into_iter().collect() };
    service.answer_impact(admin, of, &line, "privacy", new).await.unwrap();
    let new = service::NewDiagnosis {
        organisation: of.clone(),
        product: line.clone(),
        subject: "1.0".into(),
        from: None,
    };
    let diagnosis = service.open_diagnosis(admin, new).await.unwrap().id;
    let report = format!("/diagnoses/{diagnosis}/report");
    let look = |looked: &service::TraceLooked<'_>| {
        let controls = looked.trace.controls.values();
        let titles = controls
            .map(|one| (one.measure.title.clone(), one.measure.requirements[0].to_string()));
        let titles = titles.collect::<Vec<_>>();
        let ids = looked.trace.threats.iter().map(|one| one.threat.id.to_string());
        let checks = looked.trace.checks.keys().map(ToString::to_string);
        (ids.collect::<Vec<_>>(), titles, checks.collect::<Vec<_>>())
    };
    let (threats, controls, checks) = service.look_at_trace(admin, of, &line, look).await.unwrap();
    assert!(!threats.is_empty() && !controls.is_empty() && !checks.is_empty());
    for language in Language::ALL.iter().copied() {
        let path = format!("{report}?audience=engineers&lang={}", language.name());
        let page = stage.get("maker-reader", &path).await;
        assert_eq!(page.status, StatusCode::OK);
        for id in &threats {
            assert!(page.html.contains(id.as_str()), "{id}");
        }
        for (title, requirement) in &controls {
            assert!(page.html.contains(requirement.as_str()), "{requirement}");
            assert!(page.html.contains(&title.of(language).replace('\'', "&#39;")), "{title:?}");
        }
        for item in &checks {
            assert!(page.html.contains(&format!("<li>{item} <strong>")), "{item}");
        }
        assert!(!page.html.contains("<b>north"));
        let law = match language {
            Language::En => "Japan: APPI, articles 17 to 21",
            Language::Ja => "個人情報保護法 第17〜21条",
        };
        assert!(page.html.contains(law));
        // Managers are told none of it, on as many pages as before.
        let path = format!("{report}?audience=managers&lang={}", language.name());
        let page = stage.get("maker-reader", &path).await.html;
        assert!(!page.contains(threats[0].as_str()) && !page.contains(law));
        if service.report_font().await.is_ok() {
            let bytes = stage.get_bytes("maker-reader", &format!("{path}&format=pdf")).await;
            assert!(String::from_utf8_lossy(&bytes).contains("/Count 2"), "not two pages");
            let path = path.replace("managers", "engineers");
            let bytes = stage.get_bytes("maker-reader", &format!("{path}&format=pdf")).await;
            assert!(String::from_utf8_lossy(&bytes).starts_with("%PDF-1."));
        }
    }
    // Who may not read threat models gets the report without them.
    let path = format!("{report}?audience=engineers&lang=en");
    let station = stage.get("maker-station", &path).await;
    assert!(!station.html.contains(threats[0].as_str()));
}
