//! Whose turn it is to verify the audit log: a check takes a thread for as long as the log is, so
//! only one is under way at a time, and nobody keeps others from theirs.

use crate::ServiceError;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The line of those who wait.
pub(crate) struct AuditChecks {
    turns: Arc<Semaphore>,
    asked: Arc<Mutex<BTreeSet<i64>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

/// A place in the line; one per organisation.
#[derive(Debug)]
struct Place {
    asked: Arc<Mutex<BTreeSet<i64>>>,
    who: i64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.who);
    }
}

impl Default for AuditChecks {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(1)), asked: Arc::default() }
    }
}

impl AuditChecks {
    /// Waits for the turn of an organisation; turns are given in the order in which they were asked
    /// for.
    pub(crate) async fn turn(&self, who: i64) -> Result<Turn, ServiceError> {
        if !self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(who) {
            return Err(ServiceError::too_many(
                "audit-check-under-way",
                "your organisation has a check of the audit log under way; wait for it",
            )
            .in_japanese(
                "組織の監査ログの検証がすでに実行中です。完了してからやり直してください",
            ));
        }
        let place = Place { asked: self.asked.clone(), who };
        let permit =
            self.turns.clone().acquire_owned().await.map_err(|_| ServiceError::stopped())?;
        Ok(Turn { _permit: permit, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        task::{Context, Poll},
    };

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn one_check_is_under_way_and_each_organisation_waits_for_one() {
        let checks = AuditChecks::default();
        let Poll::Ready(Ok(first)) = poll(pin!(checks.turn(1))) else { panic!("it waits") };
        let mut second = Box::pin(checks.turn(2));
        assert!(poll(second.as_mut()).is_pending(), "two at a time");
        for who in [1, 2] {
            let Poll::Ready(refused) = poll(pin!(checks.turn(who))) else { panic!("it waits") };
            assert_eq!(refused.unwrap_err().code(), "audit-check-under-way");
        }
        // Who is refused takes nobody's place.
        let Poll::Ready(refused) = poll(pin!(checks.turn(1))) else { panic!("it waits") };
        assert!(refused.is_err());
        drop(first);
        let Poll::Ready(Ok(turn)) = poll(second.as_mut()) else { panic!("it waits on") };
        // Whoever hangs up while waiting leaves the line.
        let mut third = Box::pin(checks.turn(3));
        assert!(poll(third.as_mut()).is_pending());
        drop(third);
        drop((turn, second));
        assert!(matches!(poll(pin!(checks.turn(3))), Poll::Ready(Ok(_))));
        assert!(checks.asked.lock().unwrap().is_empty());
    }
}
