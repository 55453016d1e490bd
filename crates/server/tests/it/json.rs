//! Bodies in JSON are read as they are described and in no other way.

use crate::world::{World, problem};
use api::client::Call;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Operations that take documents in somebody else's form, which are judged one by one and not by
/// their shape.
const FOREIGN: [&str; 3] = [
    "/v1/messages",
    "/v1/organisations/{organisation}/advisories",
    // OSCAL
    "/v1/diagnoses/{diagnosis}/file",
];

/// A body of the right shape for each operation that takes JSON. Whether it would be done is of no
/// account: the shape comes first.
fn bodies(csr: &str, certificate: &str) -> Vec<(&'static str, &'static str, Value)> {
    let device = "00112233445566778899aabbccddeeff";
    vec![
        ("post", "/v1/organisations", json!({"id": "new", "name": "New", "roles": ["maker"]})),
        (
            "post",
            "/v1/organisations/{organisation}/members",
            json!({"name": "new", "roles": ["reader"], "csr": csr}),
        ),
        (
            "post",
            "/v1/organisations/{organisation}/signers",
            json!({"public_key": "AA==", "proof": "AA=="}),
        ),
        ("post", "/v1/organisations/{organisation}/erasures", json!({"actor": "Taro"})),
        (
            "post",
            "/v1/organisations/{organisation}/authorities",
            json!({"issues": "owner", "name": "x", "algorithm": "p256", "years": 1}),
        ),
        ("post", "/v1/authorities/certificates", json!({"certificate": certificate})),
        ("post", "/v1/roots", json!({"certificate": certificate})),
        (
            "post",
            "/v1/organisations/{organisation}/products",
            json!({"id": "new", "name": "x", "model": "x", "kind": "device", "root_of_trust": "tpm"}),
        ),
        ("post", "/v1/chips", json!({"chips": [{"device": device, "csr": csr}]})),
        (
            "post",
            "/v1/devices",
            json!({"product": "gate", "devices": [{"serial_number": "SN-1"}, {"serial_number": "SN-2"}]}),
        ),
        ("post", "/v1/enrolment-codes", json!({"devices": [device], "lifetime_s": 600})),
        (
            "post",
            "/v1/purchase-lists",
            json!({"entries": [{"maker": "maker", "product": "gate", "serial_number": "SN-1"}]}),
        ),
        ("post", "/v1/devices/{device}/suspend", json!({"cause": "recall"})),
        ("post", "/v1/devices/{device}/revoke", json!({"cause": "recall"})),
        ("put", "/v1/devices/{device}/shares/{organisation}", json!({})),
        (
            "post",
            "/v1/devices/{device}/verifications",
            json!({"presented": [certificate], "purpose": "operate"}),
        ),
        ("post", "/v1/devices/{device}/erasures", json!({"sequences": [1, 2]})),
        ("post", "/v1/certificates/{authority}/{serial}/revoke", json!({"reason": "superseded"})),
        ("post", "/v1/service-certificates", json!({"csr": csr, "names": ["a.example"]})),
        ("post", "/v1/tokens", json!({"roles": ["reader"], "lifetime_s": 600})),
        (
            "post",
            "/v1/policies/versions",
            json!({"policies": "", "reason": "a test", "cases": "{organisation: maker, devices: \
                {one: {}}, cases: [{name: own, by: one, does: publish, topic: me/up, expect: allowed}]}"}),
        ),
        ("post", "/v1/policies/activations", json!({"reason": "a test"})),
        (
            "put",
            "/v1/peer-trust",
            json!({"life_s": 3600, "makers": ["maker"], "organisations": [], "products": []}),
        ),
        (
            "post",
            "/v1/schemas/{schema}/versions",
            json!({"kind": "json-schema", "schema": "e30=", "topic": "up/x", "cases": "x",
                "reason": "a test"}),
        ),
        ("post", "/v1/schemas/{schema}/activations", json!({"reason": "a test"})),
        (
            "put",
            "/v1/organisations/{organisation}/products/{product}/purposes/{purpose}",
            json!({"title_en": "a", "title_ja": "b", "explanation_en": "a", "explanation_ja": "b",
                "topics": ["up/x"], "recipients": ["a"], "retention_days": 1}),
        ),
        (
            "put",
            "/v1/organisations/{organisation}/products/{product}/mud",
            json!({"file": "e30=", "reason": "a test"}),
        ),
        (
            "post",
            "/v1/organisations/{organisation}/flows",
            json!({"flows": [{"device": device, "to": "gate.example:443"}]}),
        ),
        (
            "put",
            "/v1/organisations/{organisation}/products/{product}/signed-topics",
            json!({"topics": ["up/x"]}),
        ),
        (
            "post",
            "/v1/organisations/{organisation}/consents",
            json!({"maker": "maker", "product": "gate", "purpose": "p", "version": 1,
                "decision": "given"}),
        ),
        ("post", "/v1/schema-strictness", json!({"strict": true, "reason": "a test"})),
        ("post", "/v1/keys/rotations", json!({"key": "events"})),
        (
            "post",
            "/v1/organisations/{organisation}/message-keys",
            json!({"reason": "a test", "accept_former_s": 60}),
        ),
        ("post", "/v1/events/batch", json!({"events": ["AA=="]})),
        (
            "patch",
            "/v1/organisations/{organisation}/products/{product}/public",
            json!({"name_en": "Gate"}),
        ),
        ("post", "/v1/label-sheets", json!({"devices": [device], "sheet": "a4-24"})),
    ]
}

/// The body once for each object in it, which is replaced by an array of its fields' values.
fn with_arrays(value: &Value) -> Vec<Value> {
    let mut out = Vec::new();
    match value {
        Value::Object(fields) => {
            out.push(Value::Array(fields.values().cloned().collect()));
            for (name, inner) in fields {
                for changed in with_arrays(inner) {
                    let mut fields = fields.clone();
                    fields[name.as_str()] = changed;
                    out.push(Value::Object(fields));
                }
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                for changed in with_arrays(inner) {
                    let mut items = items.clone();
                    items[at] = changed;
                    out.push(Value::Array(items));
                }
            }
        }
        _ => {}
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn no_array_passes_for_an_object() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let client = world.client(Some(&maker.admin.identity));
    let csr = api::wire::scalar::CsrPem(crate::world::csr(&crate::world::key(), "")).to_string();
    let certificate = maker.admin.certificate().to_pem();
    let bodies = bodies(&csr, &certificate);
    // Every operation that takes JSON is in the list, or has a body in the test of tenants.
    let description: Value =
        client.call(Call::get("/v1/openapi.json")).await.unwrap().json().unwrap();
    let device = "00112233445566778899aabbccddeeff";
    let mut bodies =
        bodies.into_iter().map(|(m, p, b)| (m.to_owned(), p.to_owned(), b)).collect::<Vec<_>>();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let json = operation["requestBody"]["content"].get("application/json").is_some();
            if json
                && !FOREIGN.contains(&path.as_str())
                && !bodies.iter().any(|(m, p, _)| (m, p) == (method, path))
            {
                let (kind, body) = crate::tenants::body(path, device, &csr, b"")
                    .unwrap_or_else(|| panic!("give a body for {method} {path}"));
                assert_eq!(kind, "application/json", "{method} {path}");
                let body = serde_json::from_slice(&body).unwrap();
                bodies.push((method.clone(), path.clone(), body));
            }
        }
    }

    let mut tried = 0;
    for (method, path, body) in &bodies {
        let method: Method = method.to_uppercase().parse().unwrap();
        let path = path
            .replace("{organisation}", "maker")
            .replace("{product}", "gate")
            .replace("{handle}", "nobody")
            .replace("{device}", "00112233445566778899aabbccddeeff")
            .replace("{release}", "00112233445566778899aabbccddeeff")
            .replace("{authority}", "maker.gate")
            .replace("{case}", "00112233445566778899aabbccddeeff")
            .replace("{command}", "00112233445566778899aabbccddeeff")
            .replace("{serial}", "01")
            .replace("{key}", &"ab".repeat(32))
            .replace("{alert}", "1");
        let send = async |body: &Value| {
            let call = Call::new(method.clone(), path.clone()).json(body).unwrap();
            client.send(call).await.unwrap()
        };
        for changed in with_arrays(body) {
            let answer = send(&changed).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {path} {changed}");
            assert_eq!(problem(&answer)["code"], "malformed-request", "{path} {changed}");
            tried += 1;
        }
        // As described it is read: whatever comes of it, it is not malformed.
        let answer = send(body).await;
        if !answer.status.is_success() {
            assert_ne!(problem(&answer)["code"], "malformed-request", "{path} {answer:?}");
        }
    }
    assert!(tried >= bodies.len() + 4, "{tried}");
    // It says where.
    let nested = json!({"product": "gate", "devices": [{"serial_number": "A"}, ["B"]]});
    let call = Call::new(Method::POST, "/v1/devices").json(&nested).unwrap();
    let told = problem(&client.send(call).await.unwrap());
    assert!(told["detail"].as_str().unwrap().starts_with("/devices/1 is an array"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_where_tools_look_for_it() {
    let world = World::new().await;
    let answer = world.client(None).send(Call::get("/openapi.json")).await.unwrap();
    assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.headers[http::header::LOCATION], "/v1/openapi.json");
}
