//! Many at once, but not too many.

use indicatif::ProgressBar;
use std::future::Future;
use tokio::task::JoinSet;

/// How many devices act at the same time.
pub(super) const AT_ONCE: usize = 24;

/// Lets every item be worked on, [`AT_ONCE`] at a time; the outcomes keep the order. The first
/// failure ends it.
pub(super) async fn each<T, R, F, W>(
    items: Vec<T>,
    bar: &ProgressBar,
    work: F,
) -> anyhow::Result<Vec<R>>
where
    R: Send + 'static,
    F: Fn(T) -> W,
    W: Future<Output = anyhow::Result<R>> + Send + 'static,
{
    let mut done: Vec<(usize, R)> = Vec::with_capacity(items.len());
    let mut at_work = JoinSet::new();
    let mut waiting = items.into_iter().enumerate();
    loop {
        while at_work.len() < AT_ONCE {
            let Some((place, item)) = waiting.next() else { break };
            let work = work(item);
            at_work.spawn(async move { work.await.map(|outcome| (place, outcome)) });
        }
        match at_work.join_next().await {
            Some(outcome) => {
                done.push(outcome??);
                bar.inc(1);
            }
            None => break,
        }
    }
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}
