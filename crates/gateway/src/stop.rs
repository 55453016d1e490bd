//! That the server stops.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
};
use tokio::{sync::watch, task::unconstrained};

/// Returns once `stop` says so, or whoever could say so is gone.
///
/// A connection asks this again with each of its packets. Registered it is with the first time, and woken;
/// to be polled by another task after that is not meant for it.
pub async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let seen = stop.clone();
    // Not put off when the task has done much: asked once, it has to be registered.
    let mut told = pin!(unconstrained(stop.wait_for(|stop| *stop)));
    let mut registered = false;
    poll_fn(|context| {
        if registered && matches!(seen.has_changed(), Ok(false)) {
            return Poll::Pending;
        }
        registered = true;
        told.as_mut().poll(context).map(drop)
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// With another future beside it, which is polled again and again.
    async fn told(mut stop: watch::Receiver<bool>) -> bool {
        let beside = async {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = beside => false,
            () = told_to_stop(&mut stop) => true,
        }
    }

    #[tokio::test]
    async fn whoever_waits_hears_it_once_it_is_said_and_never_before() {
        let (say, stop) = watch::channel(false);
        let waits = tokio::spawn(told(stop.clone()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        say.send(false).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waits.is_finished());
        say.send(true).unwrap();
        assert!(timeout(Duration::from_secs(60), waits).await.unwrap().unwrap());
        // Said before anybody asked.
        assert!(timeout(Duration::from_secs(60), told(stop)).await.unwrap());
        // Nobody is left who could say it.
        let (say, stop) = watch::channel(false);
        let waits = tokio::spawn(told(stop));
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(say);
        assert!(timeout(Duration::from_secs(60), waits).await.unwrap().unwrap());
    }
}
