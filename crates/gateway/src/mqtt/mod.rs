//! MQTT 5.0 (OASIS Standard, 7 March 2019) and 3.1.1.

mod connect;
mod connection;
mod down;
mod guard;
mod message;
pub(crate) mod packets;
pub(crate) mod session;
mod subscribe;
mod wire;

pub(crate) use message::publish_will;
