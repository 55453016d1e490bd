//! Turns for large bodies: few are read at once, so that memory is bounded, and of one organisation
//! one, so that nobody who is slow keeps the others waiting.

use super::problem::Fault;
use api::problem::Code;
use device::OrganisationId;
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Large bodies that are read at once.
static ALL: Semaphore = Semaphore::const_new(4);
/// Whose turn it is, or who waits.
static OWN: Mutex<BTreeMap<String, Weak<Semaphore>>> = Mutex::new(BTreeMap::new());

/// A turn, until it is dropped.
pub(super) struct Turn {
    _own: OwnedSemaphorePermit,
    _all: SemaphorePermit<'static>,
}

impl Turn {
    /// Does something with the body, for as long as the turn lasts. It goes on where the caller goes
    /// away or is told to wait no longer, and so does the turn: what is still at work and in memory is
    /// bounded, not who waits for it.
    pub(super) async fn keep<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Fault> {
        let work = tokio::spawn(async move {
            let done = work.await;
            drop(self);
            done
        });
        work.await.map_err(|_| Fault::new(Code::Internal))
    }
}

/// A turn for a large body for an organisation. The caller's right to it was looked at.
pub(super) async fn turn(organisation: &OrganisationId) -> Result<Turn, Fault> {
    let closed = |_| Fault::new(Code::Unavailable);
    let own = own(organisation.as_str()).acquire_owned().await.map_err(closed)?;
    let all = ALL.acquire().await.map_err(closed)?;
    Ok(Turn { _own: own, _all: all })
}

fn own(organisation: &str) -> Arc<Semaphore> {
    let mut known = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|_, semaphore| semaphore.strong_count() > 0);
    if let Some(own) = known.get(organisation).and_then(Weak::upgrade) {
        return own;
    }
    let new = Arc::new(Semaphore::new(1));
    known.insert(organisation.to_owned(), Arc::downgrade(&new));
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{pin::pin, task::Context};

    #[test]
    fn one_organisation_waits_for_itself_and_keeps_no_other_waiting() {
        let id = |name: &str| OrganisationId::new(name).unwrap();
        let (slow, other) = (id("turn-slow"), id("turn-other"));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let first = pin!(turn(&slow)).poll(&mut context);
        assert!(first.is_ready());
        let mut second = pin!(turn(&slow));
        let mut third = pin!(turn(&slow));
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(third.as_mut().poll(&mut context).is_pending());
        assert!(pin!(turn(&other)).poll(&mut context).is_ready());
        drop(first);
        assert!(second.as_mut().poll(&mut context).is_ready());
    }

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_the_work_not_as_the_caller() {
        let busy = OrganisationId::new("turn-busy").unwrap();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let first = turn(&busy).await.unwrap_or_else(|_| panic!("a turn"));
        let mut work = Box::pin(first.keep(async move { ended.await.is_ok() }));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(work.as_mut().poll(&mut context).is_pending());
        // The caller goes away; the work is not done.
        drop(work);
        let mut second = pin!(turn(&busy));
        assert!(second.as_mut().poll(&mut context).is_pending());
        end.send(()).unwrap();
        assert!(second.await.is_ok());
    }
}
