//! The description of the interface (OpenAPI 3.1): what every operation has in common is added to
//! what its handler says.

use crate::app::App;
use api::{
    problem::{Code, MEDIA_TYPE, Problem},
    wire::{Relation, scalar::AuditKindName},
};
use axum::{Router, response::Redirect, routing::get};
use bytes::Bytes;
use http::{HeaderValue, header};
use std::collections::BTreeSet;
use utoipa::{
    PartialSchema as _, ToSchema,
    openapi::{
        Content, ContentBuilder, Header, HeaderBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder,
        OpenApi, Ref, RefOr, Response, ResponseBuilder, SecurityRequirement,
        path::{Operation, PathItem},
        schema::{ComponentsBuilder, SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

/// Where the description is.
const PATH: &str = "/v1/openapi.json";

const TAGS: [(&str, &str); 11] = [
    ("public", "without authentication: signed or harmless"),
    ("platform", "the platform and the caller"),
    ("organisations", "organisations, members, signing keys"),
    ("authorities", "certification authorities and roots"),
    ("products", "product lines and their chips"),
    ("devices", "devices"),
    ("enrolment", "codes, purchase lists, renewal; enrolment itself is EST (docs/est.md)"),
    ("history", "life events"),
    ("verdict", "challenges, verdicts, passports"),
    ("certificates", "issued certificates"),
    ("log", "proofs of the log; checkpoint and tiles are public data under /log"),
];

/// Completes what the routes say of themselves.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    api.info = InfoBuilder::new()
        .title("Tegata")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Device identity, verifiable history, verdict. Callers authenticate with a TLS client \
             certificate, and may use a short-lived token bound to it. Refusals are problem \
             documents (RFC 9457) with a stable `code`, in Japanese or English as Accept-Language \
             asks.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0 OR MIT")
                .identifier(Some("Apache-2.0 OR MIT"))
                .build(),
        ))
        .build();
    let tags = TAGS.iter().copied().chain([
        ("people", "people who sign in to the console, and what needs a second person"),
        ("tokens", "short-lived tokens, bound to the certificate"),
        ("update-door", "how devices come through the hawkBit DDI door (docs/ddi.md)"),
        ("reports", "security events, accounts of keys, expiry, counts"),
        ("vulnerabilities", "SBOMs, advisories, VEX (docs/vulnerability.md)"),
        ("diagnoses", "diagnoses of products by the check sheet (docs/assessment.md)"),
        ("threats", "threat models, decisions, the trace to verdicts (docs/threat-model.md)"),
        ("releases", "uploads, releases, gates, image repositories (docs/release.md)"),
        ("messages", "messages of devices (docs/gateway.md)"),
        ("alerts", "alerts, their rules, quarantine (docs/alerts.md)"),
        ("behaviour", "what devices usually do, and what leaves it (docs/behaviour.md)"),
        ("fleet", "search, acts on behalf, jobs, views, overview (docs/fleet.md)"),
    ]);
    api.tags = Some(
        tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())
            .collect(),
    );
    let components = api.components.take().unwrap_or_default();
    api.components = Some(
        ComponentsBuilder::from(components)
            .schema(Problem::name(), Problem::schema())
            // Parameters' types are not gathered from the routes.
            .schema(<Relation as ToSchema>::name(), Relation::schema())
            .schema(AuditKindName::name(), AuditKindName::schema())
            .security_scheme(
                "certificate",
                SecurityScheme::MutualTls {
                    description: Some("certificate of a member, station or device".to_owned()),
                    deprecated: None,
                    extensions: None,
                },
            )
            .security_scheme(
                "token",
                SecurityScheme::Http(
                    HttpBuilder::new()
                        .scheme(HttpAuthScheme::Bearer)
                        .description(Some("together with the certificate that it is bound to"))
                        .build(),
                ),
            )
            .build(),
    );
    api.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("certificate", [])]);
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(id(method, path));
            common(path, operation);
        }
    }
    api
}

/// `get /v1/devices/{device}/head` is `get_devices_device_head`.
fn id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words.skip(1)).collect::<Vec<_>>().join("_")
}

fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
    .collect()
}

/// Adds the refusals that an operation may answer with.
fn common(path: &str, operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let public = operation.tags.as_ref().is_some_and(|tags| tags.iter().any(|tag| tag == "public"));
    let mut codes = vec![Code::TooManyRequests, Code::Unavailable, Code::Internal];
    if !public {
        // What is another's, or for others alone, is not there.
        codes.extend([Code::Unauthenticated, Code::Forbidden, Code::NotFound]);
    }
    if path.contains('{') || operation.parameters.is_some() {
        codes.extend([Code::InvalidParameter, Code::NotFound]);
    }
    if has_body {
        codes.extend([
            Code::Malformed,
            Code::NotFound,
            Code::TooSlow,
            Code::TooLarge,
            Code::UnsupportedMediaType,
        ]);
    }
    // Rules of the domain refuse what changes something, or what is asked for too early.
    if !public {
        codes.extend([Code::Conflict, Code::Refused]);
    }
    let mut seen = BTreeSet::new();
    for code in codes {
        let status = code.status().as_u16();
        if seen.insert(status) {
            operation
                .responses
                .responses
                .entry(status.to_string())
                .or_insert_with(|| RefOr::T(refusal(code)));
        }
    }
}

fn refusal(code: Code) -> Response {
    let mut response = ResponseBuilder::new()
        .description(code.title(device::Language::En))
        .content(MEDIA_TYPE, problem());
    if matches!(code, Code::TooManyRequests | Code::Unavailable) {
        response = response.header("Retry-After", seconds());
    }
    response.build()
}

fn problem() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build()
}

fn seconds() -> Header {
    HeaderBuilder::new()
        .schema(Some(
            ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).minimum(Some(0)),
        ))
        .description(Some("seconds to wait"))
        .build()
}

/// Serves the description.
pub(super) fn route(api: &OpenApi) -> Router<App> {
    let document = Bytes::from(api.to_json().unwrap_or_default());
    let described = get(move || {
        let document = document.clone();
        async move {
            let kind = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, kind)], document)
        }
    });
    // Where tools look first.
    let elsewhere = get(|| async { Redirect::permanent(PATH) });
    Router::new().route(PATH, described).route("/openapi.json", elsewhere)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    fn references(value: &serde_json::Value) -> Vec<&str> {
        match value {
            serde_json::Value::Object(fields) => fields
                .iter()
                .flat_map(|(name, value)| match value.as_str().filter(|_| name == "$ref") {
                    Some(reference) => vec![reference],
                    None => references(value),
                })
                .collect(),
            serde_json::Value::Array(items) => items.iter().flat_map(references).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_operation_says_how_it_may_refuse() {
        let (_, api) = crate::rest::router();
        let json: serde_json::Value = serde_json::from_str(&api.to_json().unwrap()).unwrap();
        assert_eq!(json["openapi"], "3.1.0");
        let mut ids = BTreeSet::new();
        let mut public = Vec::new();
        for (path, item) in json["paths"].as_object().unwrap() {
            assert!(path.starts_with("/v1/"), "{path}");
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} twice");
                let has = |status: &str| operation["responses"].get(status).is_some();
                assert!(has("429") && has("500") && has("503"), "{method} {path}");
                if operation["tags"][0] == "public" {
                    assert_eq!(operation["security"], serde_json::json!([{}]), "{path}");
                    public.push(path.as_str());
                } else {
                    assert!(has("401") && has("403"), "{method} {path}");
                    assert!(operation.get("security").is_none(), "{path}");
                }
                if operation.get("requestBody").is_some() {
                    assert!(has("400") && has("413") && has("415"), "{method} {path}");
                }
                for reference in references(operation) {
                    let name = reference.strip_prefix("#/components/schemas/").unwrap();
                    assert!(json["components"]["schemas"][name].is_object(), "{path}: {name}");
                }
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["schema"].is_object(), "{path} {parameter}");
                }
            }
        }
        assert_eq!(public, ["/v1/health", "/v1/server-key", "/v1/trust"]);
    }
}
