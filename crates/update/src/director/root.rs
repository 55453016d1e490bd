//! The root of a director: drafted here, signed where its keys are.

use crate::{
    MetadataError,
    key::Key,
    role::TopRole,
    root::{Root, Signers},
};
use crypto::UnixTime;

/// Keys that a director's root is to name.
#[derive(Clone, Debug)]
pub struct RootKeys {
    /// offline, and how many of them must sign; `None`: those of the root before
    pub root: Option<Signers>,
    /// the director's own, online
    pub targets: Key,
    /// online
    pub snapshot: Key,
    /// online
    pub timestamp: Key,
}

/// The draft of a first root, or of the one after `before`, good until `expires`. Each online role
/// has one key: they lie in the same place, and more of them would be no harder to steal.
///
/// # Errors
/// [`MetadataError::Malformed`] where a first root has no keys or a key serves two roles;
/// [`MetadataError::Key`].
pub fn draft_root(
    before: Option<&Root>,
    keys: &RootKeys,
    expires: UnixTime,
) -> Result<Root, MetadataError> {
    let offline = match (&keys.root, before) {
        (Some(signers), _) => signers.clone(),
        (None, Some(before)) => {
            let role = before.role(TopRole::Root);
            let named = role.key_ids.iter().filter_map(|id| before.keys.get(id).cloned());
            Signers { keys: named.collect(), threshold: role.threshold }
        }
        (None, None) => {
            let reason = "must be given for a first root";
            return Err(MetadataError::malformed("keys of the role root", reason));
        }
    };
    let online = |key: &Key| Signers { keys: vec![key.clone()], threshold: 1 };
    let mut root = Root::new(expires, |role| match role {
        TopRole::Root => offline.clone(),
        TopRole::Targets => online(&keys.targets),
        TopRole::Snapshot => online(&keys.snapshot),
        TopRole::Timestamp => online(&keys.timestamp),
    })?;
    if let Some(before) = before {
        let next = before.header.version.next();
        root.header.version =
            next.ok_or_else(|| MetadataError::malformed("version", "cannot grow any more"))?;
    }
    Ok(root)
}
