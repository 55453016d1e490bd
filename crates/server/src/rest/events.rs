//! Life events in: one as it is, or many at once.

use super::{
    extract::{Created, Json, Lang, Raw, counted, from_json},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{Outcomes, Recorded, SignedEvents, scalar::Binary},
};
use axum::extract::State;

/// Media type of a COSE message (RFC 9052 section 12).
const COSE: &str = "application/cose";
/// Media type of CBOR items one after the other (RFC 8742).
const CBOR_SEQUENCE: &str = "application/cbor-seq";

/// Records a life event
///
/// The body is the COSE_Sign1 message of the reporting organisation (docs/event.md). The answer
/// comes once the event is durable; it is in the log within a second.
#[utoipa::path(post, path = "/v1/events", tag = "history",
    request_body(content = Binary, content_type = "application/cose"),
    responses((status = 201, body = Recorded)))]
pub(super) async fn record(
    State(app): State<App>,
    caller: Authenticated,
    raw: Raw<{ body::EVENT }>,
) -> Result<Created<Recorded>, Fault> {
    if raw.media_type != COSE {
        return Err(unsupported("application/cose"));
    }
    let recorded = app.service.record_event(&caller, raw.bytes.to_vec()).await?;
    Ok(Created(view::recorded(recorded)))
}

/// Records many life events
///
/// COSE_Sign1 messages in a JSON list, or one after the other (RFC 8742). Each is recorded, or
/// refused, alone; the answers stand in the order of the events.
#[utoipa::path(post, path = "/v1/events/batch", tag = "history",
    request_body(content((SignedEvents = "application/json"), (Binary = "application/cbor-seq"))),
    responses((status = 200, body = Outcomes<Recorded>)))]
pub(super) async fn record_many(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    raw: Raw<{ body::BATCH }>,
) -> Result<Json<Outcomes<Recorded>>, Fault> {
    let events: Vec<Vec<u8>> = match raw.media_type.as_str() {
        "application/json" => {
            let events: SignedEvents = from_json(&raw.bytes)?;
            events.events.into_iter().map(|event| event.0).collect()
        }
        CBOR_SEQUENCE => sequence(&raw.bytes)?,
        _ => return Err(unsupported("application/json or application/cbor-seq")),
    };
    counted("events", events.len())?;
    let recorded = app.service.record_events(&caller, events).await?;
    Ok(Json(view::outcomes(recorded, language, view::recorded)))
}

fn unsupported(wanted: &str) -> Fault {
    Fault::new(Code::UnsupportedMediaType).hint(format!("send Content-Type: {wanted}"))
}

/// Splits a CBOR sequence. The items themselves are not looked at here.
fn sequence(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let bad = || Fault::new(Code::Malformed).detail("not a sequence of CBOR items (RFC 8742)");
    let most = usize::try_from(api::wire::ITEMS_MAX).unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        // One more than allowed suffices to be refused.
        if items.len() > most {
            break;
        }
        // A lone "break" is no item, though it can be skipped.
        if rest.first() == Some(&0xff) {
            return Err(bad());
        }
        let mut decoder = minicbor::Decoder::new(rest);
        decoder.skip().map_err(|_| bad())?;
        let (item, after) = rest.split_at_checked(decoder.position()).ok_or_else(bad)?;
        items.push(item.to_vec());
        rest = after;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_split_or_refused() {
        let bytes = [&[0x01_u8][..], &[0x82, 0x01, 0x41, 0xff], &[0xd2, 0x80]].concat();
        assert_eq!(
            sequence(&bytes).unwrap(),
            [vec![0x01], vec![0x82, 0x01, 0x41, 0xff], vec![0xd2, 0x80]]
        );
        assert!(sequence(&[0x82, 0x01]).is_err(), "cut short");
        assert!(sequence(&[0xff]).is_err());
        assert!(sequence(&vec![0x00; 5000]).unwrap().len() > 1000);
    }
}
