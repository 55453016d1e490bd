//! Doors for devices' messages (GW-1): MQTT 5 and 3.1.1, bare and over WebSocket, on streams, and
//! CoAP, on datagrams, that somebody else made secure.
//! docs/gateway.md, docs/coap.md.
//!
//! The codecs are `mqtt-protocol-core` and `coap-lite`, which do no I/O; sessions, subscriptions and deliveries are
//! here. Who may send what, `service` and `admission` say: a message is acknowledged once it is on
//! disk, and authorised when somebody subscribes and again when it is delivered.
//!
//! Deliberately absent: sockets, TLS and DTLS (`server`), bridges, shared subscriptions.

mod coap;
mod hello;
mod hub;
mod mqtt;
mod stop;
mod websocket;

pub use coap::{Conversation, Reply, Unwelcome, is_request};
pub use hello::Hello;
pub use hub::{Gateway, GatewayLimits};
pub use stop::told_to_stop;
pub use websocket::Origins;
