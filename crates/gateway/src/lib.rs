//! Doors for devices' messages (GW-1): MQTT 5 and 3.1.1, bare and over WebSocket, on streams that
//! somebody else made secure.
//! docs/gateway.md.
//!
//! The codec is `mqtt-protocol-core`, which does no I/O; sessions, subscriptions and deliveries are
//! here. Who may send what, `service` and `admission` say: a message is acknowledged once it is on
//! disk, and authorised when somebody subscribes and again when it is delivered.
//!
//! Deliberately absent: sockets and TLS (`server`), CoAP, bridges, shared subscriptions.

mod hub;
mod mqtt;
mod websocket;

pub use hub::{Gateway, GatewayLimits};
pub use websocket::Origins;
