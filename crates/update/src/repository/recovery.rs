//! Recovery from lost keys (docs/update-trust.md has the procedure per role).

use super::{RepositoryError, successor};
use crate::{
    key::{Key, KeyId},
    role::{RoleName, TopRole},
    root::Root,
};
use crypto::UnixTime;

/// A change to the keys of one top role.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// whose keys
    pub role: TopRole,
    /// keys that may no longer sign
    pub remove: Vec<KeyId>,
    /// keys that may from now on
    pub add: Vec<Key>,
    /// how many must sign, where that changes
    pub threshold: Option<usize>,
}

/// Which roles' keys must change as well when somebody else had keys of `stolen`: whoever had them
/// could make clients remember versions that the repository never had, and clients forget those when
/// keys of the timestamp or the snapshot change (section 5.3.11 of the specification).
pub fn rotate_too(stolen: TopRole) -> &'static [TopRole] {
    match stolen {
        TopRole::Root => &[],
        TopRole::Timestamp => &[TopRole::Timestamp],
        TopRole::Snapshot => &[TopRole::Snapshot],
        // A snapshot remembers versions of targets files.
        TopRole::Targets => &[TopRole::Targets, TopRole::Snapshot],
    }
}

/// The draft of the root after `root` with other keys. With `stolen`, every key that is removed is
/// taken for stolen, and the change is refused unless all roles in [`rotate_too`] change.
///
/// # Errors
/// [`RepositoryError::RotateToo`]; [`RepositoryError::Metadata`] where a key is unknown, has a role
/// already or too few are left.
pub fn recover(
    root: &Root,
    changes: &[Replacement],
    stolen: bool,
    expires: UnixTime,
) -> Result<Root, RepositoryError> {
    let mut next = successor(root, &RoleName::from(TopRole::Root), expires)?;
    change(&mut next, changes)?;
    if stolen {
        for change in changes.iter().filter(|change| !change.remove.is_empty()) {
            for role in rotate_too(change.role) {
                if !next.rotates(root, *role) {
                    return Err(RepositoryError::RotateToo(*role));
                }
            }
        }
    }
    Ok(next)
}

/// Changes the keys of a draft. A threshold may exceed the number of keys only in between.
fn change(root: &mut Root, changes: &[Replacement]) -> Result<(), RepositoryError> {
    for one in changes {
        for id in &one.remove {
            root.remove_key(one.role, id)?;
        }
    }
    for one in changes {
        for key in &one.add {
            root.add_key(one.role, key)?;
        }
        if let Some(threshold) = one.threshold {
            root.set_threshold(one.role, threshold)?;
        }
    }
    root.require_reachable()?;
    Ok(())
}
