//! Alerts: the task that holds new security events against the rules (docs/alerts.md).

use crate::listener::told_to_stop;
use service::Service;
use std::time::Duration;
use tokio::{sync::watch, time::sleep};

/// How often it is looked for new events.
const LOOK: Duration = Duration::from_millis(250);
/// How long nothing is tried after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// Follows the audit log until told to stop.
pub(crate) async fn run(service: Service, mut stop: watch::Receiver<bool>) {
    loop {
        let wait = match service.follow_alerts().await {
            Ok(true) => Duration::ZERO,
            Ok(false) => LOOK,
            Err(error) => {
                tracing::error!(%error, "security events cannot be held against the rules");
                PAUSE
            }
        };
        tokio::select! {
            biased;
            () = told_to_stop(&mut stop) => return,
            () = sleep(wait) => {}
        }
    }
}
