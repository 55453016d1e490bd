//! Connections that the platform makes to receivers outside: for security events (docs/stream.md) and
//! for messages of devices (docs/routes.md), and of alerts (docs/alerts.md).

pub(crate) mod lines;
pub(crate) mod post;
pub(crate) mod reach;
mod running;
pub(crate) mod signed;
pub(crate) mod tls;

pub(crate) use running::keep_running;
use std::time::Duration;

/// Longest time for a connection and its handshake.
const CONNECT: Duration = Duration::from_secs(10);
