//! A task for each of something that comes, goes and changes.

use gateway::told_to_stop;
use service::ServiceError;
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// How often it is looked whether something came, went or changed.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps a task for each id that `live` names, and makes it anew when its revision changes, until told
/// to stop.
pub(crate) async fn keep_running(
    what: &'static str,
    live: impl Fn() -> Result<Vec<(i64, u64)>, ServiceError>,
    begin: impl Fn(i64) -> JoinHandle<()>,
    mut stop: watch::Receiver<bool>,
) {
    let mut running: BTreeMap<i64, (u64, JoinHandle<()>)> = BTreeMap::new();
    loop {
        match live() {
            Ok(live) => {
                let live: BTreeMap<i64, u64> = live.into_iter().collect();
                running.retain(|id, (revision, task)| {
                    let stays = live.get(id) == Some(revision) && !task.is_finished();
                    if !stays {
                        task.abort();
                    }
                    stays
                });
                for (id, revision) in live {
                    running.entry(id).or_insert_with(|| (revision, begin(id)));
                }
            }
            Err(error) => tracing::error!(%error, what, "cannot be read"),
        }
        tokio::select! {
            () = told_to_stop(&mut stop) => break,
            () = sleep(LOOK) => {}
        }
    }
    // What was sent and not noted is sent again at the next start.
    for (_, (_, task)) in running {
        task.abort();
    }
}
