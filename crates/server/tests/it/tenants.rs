//! Nobody sees what is another's: every operation of the description, with another's identifiers.

use crate::world::{World, problem};
use api::client::Call;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Replaces what is in braces by the victim's identifiers.
fn fill(path: &str, victim: &[(&str, String)]) -> String {
    // A version of software is a text, one of a usage description a number.
    let mut out = path
        .replace("/mud/versions/{version}", "/mud/versions/1")
        .replace("/mud-suggestion", "/mud-suggestion?line=victim/secret-line");
    for (name, value) in victim {
        out = out.replace(&format!("{{{name}}}"), value);
    }
    assert!(!out.contains('{'), "no value for {out}");
    out
}

/// A body that is right in form and names the victim's things.
pub(crate) fn body(
    path: &str,
    device: &str,
    csr: &str,
    cose: &[u8],
) -> Option<(&'static str, Vec<u8>)> {
    let json = |value: Value| Some(("application/json", value.to_string().into_bytes()));
    match path {
        "/v1/organisations" => json(json!({"id": "intruder-2", "name": "x"})),
        "/v1/organisations/{organisation}/suspend" | "/v1/organisations/{organisation}/resume" => {
            json(json!({"reason": "mine now"}))
        }
        "/v1/organisations/{organisation}/name" => json(json!({"name": "Mine"})),
        "/v1/organisations/{organisation}/members" => {
            json(json!({"name": "spy", "roles": ["administrator"], "csr": csr}))
        }
        "/v1/organisations/{organisation}/signers" => {
            json(json!({"public_key": "AA==", "proof": "AA=="}))
        }
        "/v1/organisations/{organisation}/people" => {
            json(json!({"handle": "spy", "name": "Spy", "roles": ["administrator"]}))
        }
        "/v1/organisations/{organisation}/people/{handle}/roles" => {
            json(json!({"roles": ["administrator"]}))
        }
        "/v1/organisations/{organisation}/approval-policy" => {
            json(json!({"act": "erase", "required": true}))
        }
        "/v1/organisations/{organisation}/erasures" => json(json!({"actor": "Taro Yamada"})),
        "/v1/organisations/{organisation}/authorities" => {
            json(json!({"issues": "owner", "name": "x", "algorithm": "p256", "years": 1}))
        }
        "/v1/organisations/{organisation}/products" => json(
            json!({"id": "spy-line", "name": "x", "model": "x", "kind": "device", "root_of_trust": "tpm"}),
        ),
        "/v1/devices/{device}/commands" => {
            json(json!({"name": "restart", "parameters": {"mine": 1}, "reason": "mine now"}))
        }
        "/v1/devices/{device}/commands/{command}/erasure" => json(json!({"statement": "AA=="})),
        "/v1/devices/{device}/configuration" => {
            json(json!({"settings": {"mine": 1}, "reason": "mine now"}))
        }
        "/v1/devices/{device}/suspend" | "/v1/devices/{device}/revoke" => {
            json(json!({"cause": "recall"}))
        }
        "/v1/devices/{device}/shares/{organisation}" => json(json!({})),
        "/v1/devices/{device}/verifications" => json(json!({})),
        "/v1/devices/{device}/erasures" => json(json!({})),
        "/v1/organisations/{organisation}/products/{product}/public" => {
            json(json!({"name_en": "spied"}))
        }
        "/v1/organisations/{organisation}/products/{product}/purposes/{purpose}" => {
            json(json!({"title_en": "mine", "title_ja": "mine", "explanation_en": "mine",
                "explanation_ja": "mine", "topics": ["up/x"], "recipients": ["mine"],
                "retention_days": 1}))
        }
        "/v1/organisations/{organisation}/products/{product}/mud" => {
            json(json!({"file": "e30=", "reason": "mine now"}))
        }
        "/v1/organisations/{organisation}/products/{product}/mud-url" => {
            json(json!({"url": "https://spy.example/"}))
        }
        "/v1/organisations/{organisation}/products/{product}/mud/withdraw" => {
            json(json!({"reason": "mine now"}))
        }
        "/v1/organisations/{organisation}/flows" => {
            json(json!({"flows": [{"device": device, "to": "spy.example:443"}]}))
        }
        "/v1/organisations/{organisation}/products/{product}/signed-topics" => {
            json(json!({"topics": ["up/x"]}))
        }
        "/v1/organisations/{organisation}/message-keys"
        | "/v1/organisations/{organisation}/message-keys/{key}/destruction" => {
            json(json!({"reason": "mine now"}))
        }
        "/v1/organisations/{organisation}/consents" => json(json!({"maker": "victim",
            "product": "secret-line", "purpose": "secret-purpose", "version": 1,
            "decision": "given"})),
        "/v1/schemas/{schema}/activations" => json(json!({"reason": "mine now"})),
        "/v1/schemas/{schema}/versions" => json(json!({"kind": "cddl", "schema": "YQ==",
            "topic": "up/x", "cases": "none", "reason": "mine now"})),
        "/v1/label-sheets" => json(json!({"devices": [device], "sheet": "a4-24"})),
        "/v1/devices/{device}/acts" | "/v1/devices/{device}/acts/preview" => {
            json(json!({"act": "revoke", "cause": "recall"}))
        }
        "/v1/organisations/{organisation}/advisories" => json(json!({"id": "SPY-1"})),
        "/v1/organisations/{organisation}/products/{product}/vex" => json(json!({})),
        "/v1/organisations/{organisation}/products/{product}/software/{version}/sbom" => {
            Some(("application/octet-stream", b"{}".to_vec()))
        }
        "/v1/organisations/{organisation}/cases" => {
            json(json!({"kind": "severe-incident", "title": "mine"}))
        }
        "/v1/organisations/{organisation}/cases/{case}" => json(json!({"closed": "mine"})),
        "/v1/organisations/{organisation}/statements" => json(json!({
            "product": "secret-line", "vulnerability": "CVE-2026-1", "status": "fixed",
        })),
        "/v1/organisations/{organisation}/operation-policy" => {
            json(json!({"required": false, "weight": 6, "signed": false}))
        }
        "/v1/organisations/{organisation}/products/{product}/operation" => {
            json(json!({"overrule": {"reason": "mine now", "until": "2099-01-01T00:00:00Z"}}))
        }
        "/v1/organisations/{organisation}/products/{product}/operation/leave" => {
            json(json!({"reason": "mine now"}))
        }
        "/v1/organisations/{organisation}/products/{product}/evidence/{collector}" => {
            Some(("application/octet-stream", b"<testsuites/>".to_vec()))
        }
        "/v1/organisations/{organisation}/approved-components" => {
            json(json!({"components": ["pkg:cargo/evil"]}))
        }
        "/v1/organisations/{organisation}/diagnoses" => {
            json(json!({"product": "secret-line", "subject": "mine now"}))
        }
        "/v1/organisations/{organisation}/products/{product}/threat-model" => {
            Some(("application/yaml", b"tegata: threat-model/1\nname: mine now\n".to_vec()))
        }
        "/v1/organisations/{organisation}/products/{product}/threats/{threat}/decision" => {
            json(json!({"version": 0, "verdict": "dismissed", "reason": "mine now"}))
        }
        "/v1/organisations/{organisation}/products/{product}/impact/{form}" => {
            json(json!({"version": 0, "answers": {"dependents": "mine now"}}))
        }
        "/v1/organisations/{organisation}/products/{product}/impact/{form}/conclusion" => {
            json(json!({"version": 1}))
        }
        "/v1/diagnoses/{diagnosis}/topics/{topic}" => {
            json(json!({"version": 0, "entry": {"answer": "met"}}))
        }
        "/v1/diagnoses/{diagnosis}/file" => Some(("application/yaml", b"a: b".to_vec())),
        "/v1/diagnoses/{diagnosis}/sheet" => json(json!({"version": 1})),
        "/v1/diagnoses/{diagnosis}/sign" => {
            json(json!({"content": crypto::sha256(b"x").to_string()}))
        }
        "/v1/jobs" | "/v1/jobs/preview" => {
            json(json!({"act": "release", "devices": [device], "reason": "mine now"}))
        }
        "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}/campaigns" => {
            json(json!({"product": "secret-line"}))
        }
        "/v1/campaigns" | "/v1/campaigns/preview" => json(json!({
            "name": "mine now",
            "release": "0123456789abcdef0123456789abcdef",
            "plan": {"stages": [{"share": 10_000, "success_percent": 90, "error_percent": 10}]},
        })),
        "/v1/update-consents" => json(json!({"maker": "intruder", "product": "gate"})),
        "/v1/update/poll" => json(json!({"hardware_id": "gate-bg1", "confirmed": true})),
        "/v1/update/feedback" => json(json!({"action": 1, "execution": "confirmed"})),
        "/v1/organisations/{organisation}/update-door" => {
            json(json!({"tokens": true, "closed_confirms": true, "poll_s": 300}))
        }
        "/v1/organisations/{organisation}/director/life" => json(json!({"life_s": 3600})),
        "/v1/organisations/{organisation}/director/roots" => json(json!({"root": "e30="})),
        "/v1/organisations/{organisation}/update-tokens" => {
            json(json!({"name": "spy", "devices": [device], "days": 1}))
        }
        "/v1/devices/{device}/update-tokens" => json(json!({"days": 1})),
        "/v1/organisations/{organisation}/routes/{route}" => json(json!({"target": "table"})),
        "/v1/organisations/{organisation}/routes/{route}/pause" => json(json!({"paused": true})),
        "/v1/organisations/{organisation}/routes/{route}/dead/retry"
        | "/v1/organisations/{organisation}/routes/{route}/dead/discard" => json(json!({})),
        "/v1/organisations/{organisation}/alerts/{alert}/acknowledge"
        | "/v1/organisations/{organisation}/alerts/{alert}/close"
        | "/v1/organisations/{organisation}/alerts/{alert}/quarantine"
        | "/v1/organisations/{organisation}/alerts/{alert}/release" => {
            json(json!({"note": "mine now"}))
        }
        "/v1/organisations/{organisation}/alert-rules/{rule}" => json(json!({
            "name": "secret-rule", "title": "x", "watch": {"kinds": ["connection"]}, "threshold": 1,
            "window_s": 60, "group": "source", "severity": "low", "suggest": "block-source",
        })),
        "/v1/organisations/{organisation}/alert-receivers/{receiver}" => {
            json(json!({"target": "https://spy.example/", "severity": "low"}))
        }
        "/v1/organisations/{organisation}/behaviour/{maker}/{product}/phase" => {
            json(json!({"phase": "off"}))
        }
        "/v1/organisations/{organisation}/behaviour/{maker}/{product}/settings" => json(json!({
            "learn_s": 60, "factor_percent": 10_000, "devices_min": 1, "place_bits_v4": 8,
            "place_bits_v6": 16, "off": ["place"],
        })),
        "/v1/organisations/{organisation}/behaviour/{maker}/{product}/accepted"
        | "/v1/organisations/{organisation}/behaviour/{maker}/{product}/take-back"
        | "/v1/devices/{device}/behaviour/accepted"
        | "/v1/devices/{device}/behaviour/take-back" => {
            json(json!({"aspect": "topic", "value": "#"}))
        }
        "/v1/organisations/{organisation}/alert-settings" => {
            json(json!({"quarantine_per_hour": 1000}))
        }
        "/v1/organisations/{organisation}/route-trials" => json(json!({"last": 10})),
        "/v1/audit/streams" => json(json!({"name": "spy", "target": "file"})),
        "/v1/audit/streams/{stream}/pause" => json(json!({"paused": true})),
        "/v1/views" => json(json!({"name": "mine", "query": ""})),
        "/v1/enrolment-codes" => json(json!({"devices": [device], "lifetime_s": 600})),
        "/v1/certificates/{authority}/{serial}/revoke" => json(json!({"reason": "superseded"})),
        "/v1/events" => Some(("application/cose", cose.to_vec())),
        "/v1/organisations/{organisation}/uploads" => {
            json(json!({"sha256": crypto::sha256(b"x").to_string(), "length": 1}))
        }
        "/v1/uploads/{upload}/bytes" => Some(("application/octet-stream", b"x".to_vec())),
        "/v1/organisations/{organisation}/releases" => json(json!({"product": "secret-line",
            "version": "9.9", "security_version": 0, "hardware_ids": ["a"]})),
        "/v1/releases/{release}/artifacts" => {
            json(json!({"name": "x", "sha256": crypto::sha256(b"x").to_string()}))
        }
        "/v1/releases/{release}/artifacts/{name}/content-key" => {
            json(json!({"key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}))
        }
        "/v1/releases/{release}/artifacts/{name}/tickets" => json(json!({"tickets": ["AA=="]})),
        "/v1/releases/{release}/artifacts/{name}/delta" => {
            let image = json!({"length": 1, "sha256": crypto::sha256(b"x").to_string()});
            json(json!({"base": image, "result": image}))
        }
        "/v1/update/encryption-key" => json(json!({"statement": "AA=="})),
        "/v1/releases/{release}/attachments" => {
            json(json!({"kind": "sbom", "name": "x", "sha256": crypto::sha256(b"x").to_string()}))
        }
        "/v1/releases/{release}/publish" => json(json!({"overrule": "because"})),
        "/v1/releases/{release}/withdraw" => json(json!({"reason": "because"})),
        "/v1/organisations/{organisation}/products/{product}/release-gate" => json(json!({
            "sbom": false, "tests": false, "provenance": false, "not_exploited": false,
            "security_floor": 0})),
        "/v1/organisations/{organisation}/repository/access" => json(json!({"open": true})),
        "/v1/organisations/{organisation}/repository/metadata" => json(json!({"targets": []})),
        "/v1/keys/rotations" => json(json!({"key": "events"})),
        "/v1/events/batch" => Some(("application/cbor-seq", cose.to_vec())),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_keeps_tenants_apart() {
    let world = World::new().await;
    let maker = world.maker("victim", "secret-line").await;
    let thing = world.made(&maker, "secret-line").await;
    let intruder = world.maker("intruder", "gate").await;
    let cose = world
        .signed(&maker, &thing.id, device::EventKind::Tested { passed: true, standard: None })
        .await;
    let idevid = world.idevid(&maker, "secret-line", &thing).await;
    let view = world.service.device(&maker.admin.caller, &thing.id).await.unwrap();
    let signer = crypto::Signer::public_key(&maker.signer).fingerprint();
    let (admin, victim) = (&maker.admin.caller, device::OrganisationId::new("victim").unwrap());
    world.service.save_view(admin, &victim, "of-the-victim", "phase=operation").await.unwrap();
    let act = service::BulkAct::Device(service::DeviceAct::Release);
    let selection = service::Selection::Devices(vec![thing.id]);
    let job = world.service.start_bulk(admin, &victim, &act, &selection, "why").await.unwrap();
    // A request of the victim's, which waits for a second person.
    let local = world.service.local_administrator();
    let guarded = policy::Act::BulkRevoke;
    world.service.set_approval_policy(&local, &victim, guarded, true).await.unwrap();
    let act = service::BulkAct::Device(service::DeviceAct::Revoke { cause: device::Cause::Lost });
    let asked = world.service.start_bulk(admin, &victim, &act, &selection, "secret-reason").await;
    let approval = asked.unwrap_err().approval().unwrap();
    let new = service::NewRelease {
        organisation: victim.clone(),
        product: device::ProductId::new("secret-line").unwrap(),
        version: "7.7-secret".into(),
        security_version: 0,
        release_counter: None,
        hardware_ids: vec!["secret-hardware".into()],
        notes: String::new(),
    };
    let release = world.service.create_release(admin, new).await.unwrap();
    let new = service::NewUpload {
        organisation: victim.clone(),
        sha256: crypto::sha256(b"secret"),
        length: 6,
    };
    let upload = world.service.begin_blob(admin, new).await.unwrap();
    world.service.begin_repository(admin, &victim).await.unwrap();
    let new = service::NewDiagnosis {
        organisation: victim.clone(),
        product: device::ProductId::new("secret-line").unwrap(),
        subject: "secret-subject".into(),
        from: None,
    };
    let diagnosis = world.service.open_diagnosis(admin, new).await.unwrap();
    let text = "tegata: threat-model/1\nname: secret-model\nelements:\n  \
                - {id: e, title: secret-element, kind: device}\n";
    let new = service::NewThreatModel { version: 0, text: text.into(), note: None };
    let line = crate::world::product("secret-line");
    world.service.put_threat_model(admin, &victim, &line, new).await.unwrap();
    let said = [("dependents".to_owned(), Some("secret-dependents".to_owned()))];
    let new = service::NewImpactAnswers { version: 0, answers: said.into_iter().collect() };
    world.service.answer_impact(admin, &victim, &line, "safety", new).await.unwrap();
    let first = |looked: &service::ThreatsLooked<'_>| looked.analysis.threats[0].id.to_string();
    let threat = world.service.look_at_threats(admin, &victim, &line, first).await.unwrap();
    world.service.begin_director(admin, &victim).await.unwrap();
    let new = service::NewCommand {
        name: "secret-command".into(),
        parameters: "{}".into(),
        reason: "secret-why".into(),
        lifetime_s: 600,
    };
    let command = world.service.give_command(admin, &thing.id, new).await.unwrap();
    let new = service::NewConfiguration {
        settings: "{\"secret-setting\":1}".into(),
        reason: "secret-why".into(),
        replaces: None,
    };
    world.service.configure_device(admin, &thing.id, new).await.unwrap();
    let new = service::NewPolicySet {
        policies: "@id(\"secret-policy\") permit(principal, action, resource);".into(),
        cases: "{organisation: victim, devices: {one: {}}, cases: [{name: secret-case, by: one, \
                does: publish, topic: me/up, expect: allowed}]}"
            .into(),
        reason: "secret-why".into(),
    };
    let set = world.service.put_policy_set(admin, new).await.unwrap();
    let source = br#"{"title": "secret-schema", "type": "object"}"#.to_vec();
    let new = service::NewSchema {
        name: "secret-schema".into(),
        definition: schema::Definition::new(schema::Kind::JsonSchema, source),
        topic: "up/secret-topic".into(),
        product: None,
        cases: "cases: [{name: secret-case, text: '{}', expect: accepted}, \
                {name: other, text: '1', expect: refused}]"
            .into(),
        reason: "secret-why".into(),
    };
    world.service.put_schema(admin, new).await.unwrap();
    let says = admission::DataPurpose {
        title_en: "secret-title".into(),
        title_ja: "secret-title".into(),
        explanation_en: "secret-explanation".into(),
        explanation_ja: "secret-explanation".into(),
        topics: vec!["up/secret-topic".into()],
        basis: admission::Basis::Consent,
        recipients: vec!["secret-why".into()],
        retention_days: 1,
    };
    let of = (&victim, &line);
    world.service.declare_purpose(admin, of, "secret-purpose", says).await.unwrap();
    let victim = [
        ("purpose", "secret-purpose".to_owned()),
        ("schema", "secret-schema".to_owned()),
        ("set", set.version.to_string()),
        ("upload", upload.id.to_string()),
        ("release", release.id.to_string()),
        ("sha256", crypto::sha256(b"secret").to_string()),
        ("name", "fw.img".to_owned()),
        ("kind", "sbom".to_owned()),
        ("organisation", "victim".to_owned()),
        ("product", "secret-line".to_owned()),
        ("device", thing.id.to_string()),
        ("fingerprint", maker.admin.certificate().fingerprint().to_string()),
        ("key", signer.to_string()),
        ("authority", "victim.secret-line".to_owned()),
        ("serial", idevid.chain[0].serial().to_string()),
        ("token", signer.to_string()),
        ("handle", "hanako".to_owned()),
        ("approval", approval.to_string()),
        ("number", view.management_number.to_string()),
        ("leaf", "0".to_owned()),
        ("view", "of-the-victim".to_owned()),
        ("job", job.id.to_string()),
        ("version", "1.0".to_owned()),
        ("root", "1".to_owned()),
        ("vulnerability", "CVE-2026-1".to_owned()),
        ("case", "0123456789abcdef0123456789abcdef".to_owned()),
        ("report", "early-warning".to_owned()),
        ("statement", "0123456789abcdef0123456789abcdef".to_owned()),
        ("campaign", "0123456789abcdef0123456789abcdef".to_owned()),
        ("action", "1".to_owned()),
        ("diagnosis", diagnosis.id.to_string()),
        ("topic", "DEV-SWD-01".to_owned()),
        ("threat", threat),
        ("form", "safety".to_owned()),
        ("collector", "tests".to_owned()),
        ("catalogue", "jc-star-1".to_owned()),
        ("stream", "siem".to_owned()),
        ("route", "secret-route".to_owned()),
        ("command", command.id.to_string()),
        ("alert", "1".to_owned()),
        ("rule", "secret-rule".to_owned()),
        ("maker", "victim".to_owned()),
        ("receiver", "secret-receiver".to_owned()),
    ];
    let route = service::NewRoute {
        product: None,
        filter: Some("up/secret-topic".into()),
        condition: None,
        purpose: None,
        target: "table".into(),
        roots: None,
        secret: None,
        drops: false,
        count_max: 10,
        bytes_max: 10_000,
        attempts_max: 3,
        retention_days: 1,
    };
    let owner = device::OrganisationId::new("victim").unwrap();
    world.service.put_route(admin, &owner, "secret-route", route).await.unwrap();
    let rule = json!({
        "name": "secret-rule", "title": "secret-title", "watch": {"kinds": ["key-use"]},
        "threshold": 1, "window_s": 60, "group": "organisation", "severity": "low",
        "suggest": "check-log",
    });
    let rule = rule.to_string();
    world.service.put_alert_rule(admin, &owner, "secret-rule", &rule).await.unwrap();
    let csr = api::wire::scalar::CsrPem(crate::world::csr(&crate::world::key(), "")).to_string();
    let secrets = [
        "victim",
        "secret-line",
        "secret-subject",
        "secret-model",
        "secret-element",
        "secret-dependents",
        "secret-reason",
        "secret-command",
        "secret-setting",
        "secret-why",
        "secret-policy",
        "secret-schema",
        "secret-purpose",
        "secret-explanation",
        "secret-case",
        "secret-topic",
        "secret-title",
        thing.serial.as_str(),
        "Taro Yamada",
    ];

    let client = world.client(Some(&intruder.admin.identity));
    let nobody = world.client(None);
    let description: Value =
        nobody.call(Call::get("/v1/openapi.json")).await.unwrap().json().unwrap();
    let mut tried = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let call = || {
                let call = Call::new(method.clone(), fill(path, &victim));
                match body(path, &thing.id.to_string(), &csr, &cose) {
                    Some((kind, bytes)) if operation.get("requestBody").is_some() => {
                        call.body(kind, bytes)
                    }
                    _ => call,
                }
            };
            let public = operation["tags"][0] == "public";
            let answer = nobody.send(call()).await.unwrap();
            if public {
                assert_eq!(answer.status, StatusCode::OK, "{path}");
                continue;
            }
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            problem(&answer);

            let answer = client.send(call()).await.unwrap();
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let names_victim =
                path.contains('{') && !path.contains("{number}") && !path.contains("{leaf}");
            tried += 1;
            // Who has a device in hand may ask whether it is genuine (policy: verify-stranger).
            let of_the_device_in_hand =
                path.ends_with("/challenges") || path.ends_with("/verifications");
            // A name is the caller's own there: what is put in is its first version.
            let own_name = method == Method::POST && path == "/v1/schemas/{schema}/versions";
            if names_victim && !of_the_device_in_hand && !own_name {
                assert!(
                    matches!(answer.status.as_u16(), 403 | 404),
                    "{method} {path}: {} {text}",
                    answer.status
                );
                problem(&answer);
            }
            // Batches answer item by item; nothing may have been done.
            assert!(!text.contains("\"done\""), "{method} {path}: {text}");
            if !path.contains("{number}") {
                for secret in secrets {
                    // What the caller sent itself may come back.
                    let sent = fill(path, &victim).contains(secret);
                    assert!(
                        sent || !text.contains(secret),
                        "{method} {path} leaks {secret}: {text}"
                    );
                }
            }
        }
    }
    assert!(tried > 40, "{tried} operations");
    // The lists of the intruder do not grow by parameters, either.
    for path in [
        "/v1/devices?organisation=victim",
        "/v1/devices?organisation=victim&relation=maker",
        "/v1/devices?maker=victim&product=secret-line",
        "/v1/certificates?organisation=victim",
        "/v1/audit/events?organisation=victim",
        "/v1/reports/expiry?organisation=victim&days=3650",
    ] {
        let answer = client.send(Call::get(path)).await.unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        match answer.status.as_u16() {
            200 => assert_eq!(text, "{\"items\":[]}", "{path}"),
            403 | 404 => drop(problem(&answer)),
            other => panic!("{path}: {other} {text}"),
        }
    }
    // And the victim's device is as it was.
    let after = world.service.device(&maker.admin.caller, &thing.id).await.unwrap();
    assert_eq!(after.standing, device::StandingKind::Good);
    assert_eq!(after.events, view.events);
}
