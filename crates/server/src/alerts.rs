//! Alerts: the task that holds new security events against the rules, and those that tell receivers
//! (docs/alerts.md).

mod deliver;
mod smtp;

use crate::outward::reach::Reach;
use gateway::told_to_stop;
use service::Service;
use std::time::Duration;
use tokio::{sync::watch, time::sleep};

/// How often it is looked for new events.
const LOOK: Duration = Duration::from_millis(250);
/// How long nothing is tried after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// What became of something that was sent.
enum Told {
    Taken,
    /// it will never be taken
    Never(String),
    /// not now; after so many seconds, where the receiver says so
    Later(String, Option<u32>),
}

/// Follows the audit log, and delivers, until told to stop.
pub(crate) async fn run(service: Service, reach: Reach, stop: watch::Receiver<bool>) {
    let delivering = deliver::run(service.clone(), reach, stop.clone());
    tokio::join!(follow(service, stop), delivering);
}

async fn follow(service: Service, mut stop: watch::Receiver<bool>) {
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
