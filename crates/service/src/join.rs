//! Waits for many futures at once, within one task and without a runtime.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// The outputs of all `futures`, in their order. They advance together: while one waits for a
/// commit, the others join it in the queue, so that they share it.
pub(crate) async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<Slot<F>> =
        futures.into_iter().map(|future| Slot::Waiting(Box::pin(future))).collect();
    std::future::poll_fn(|context: &mut Context<'_>| {
        let mut ready = true;
        for slot in &mut waiting {
            ready &= slot.advance(context);
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting
        .into_iter()
        .filter_map(|slot| match slot {
            Slot::Done(output) => Some(output),
            Slot::Waiting(_) => None,
        })
        .collect()
}

enum Slot<F: Future> {
    Waiting(Pin<Box<F>>),
    Done(F::Output),
}

impl<F: Future> Slot<F> {
    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        if let Self::Waiting(future) = self {
            match future.as_mut().poll(context) {
                Poll::Ready(output) => *self = Self::Done(output),
                Poll::Pending => return false,
            }
        }
        true
    }
}
