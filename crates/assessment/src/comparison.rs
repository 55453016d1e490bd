//! Two diagnoses of one product, each seen on its own day.

use crate::{AssessmentError, Diagnosis, ItemId, Library, Refusal, State, named::words};

words! {
    /// Which way an item went.
    Direction {
        /// More is fulfilled than before.
        Better "better" "better" "改善",
        /// Less is.
        Worse "worse" "worse" "悪化",
        /// Another answer that is neither: open became "not met", or the item stopped or began to
        /// concern the product.
        Other "other" "changed" "変更",
    }
}

/// An item whose state differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// the item
    pub item: ItemId,
    /// how much it counts
    pub weight: u8,
    /// before
    pub before: State,
    /// after
    pub after: State,
    /// which way it went
    pub direction: Direction,
}

/// What changed from `before` to `after`: first what got worse, the heaviest first.
///
/// # Errors
/// [`AssessmentError::Refused`] for two products, or where `after` is of an earlier day.
pub fn compare(
    library: &Library,
    before: &Diagnosis,
    after: &Diagnosis,
) -> Result<Vec<Change>, AssessmentError> {
    if before.product != after.product {
        let (one, other) = (before.product.clone(), after.product.clone());
        return Err(AssessmentError::Refused(Refusal::TwoProducts(one, other)));
    }
    if after.on < before.on {
        let refusal = Refusal::Earlier { after: after.on, before: before.on };
        return Err(AssessmentError::Refused(refusal));
    }
    let mut changes: Vec<Change> = library
        .items()
        .iter()
        .filter_map(|item| {
            let (was, is) = (before.state(item, before.on), after.state(item, after.on));
            (was != is).then(|| Change {
                item: item.id.clone(),
                weight: item.weight,
                before: was,
                after: is,
                direction: direction(was, is),
            })
        })
        .collect();
    let order = |direction| match direction {
        Direction::Worse => 0,
        Direction::Better => 1,
        Direction::Other => 2,
    };
    changes.sort_by_key(|one| (order(one.direction), std::cmp::Reverse(one.weight)));
    Ok(changes)
}

fn direction(before: State, after: State) -> Direction {
    match (rank(before), rank(after)) {
        (Some(was), Some(is)) if is > was => Direction::Better,
        (Some(was), Some(is)) if is < was => Direction::Worse,
        _ => Direction::Other,
    }
}

/// How much is fulfilled; what does not concern the product cannot be compared.
fn rank(state: State) -> Option<u8> {
    match state {
        State::NotApplicable => None,
        State::Open | State::NotMet | State::Expired => Some(0),
        State::Partly => Some(1),
        State::Claimed => Some(2),
        State::Met => Some(3),
    }
}
