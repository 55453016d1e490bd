//! Finding a target through delegations (section 5.6.7 of the specification), and checking the file
//! that comes for it (section 5.7).

use super::{Client, Phase, Refusal, Sought, Wanted};
use crate::{
    MetadataError,
    custom::Custom,
    hashes::{HashCheck, Hashes},
    json::Object,
    path::TargetPath,
    role::{RoleName, TopRole},
    targets::TargetFile,
};
use crypto::Verified;
use std::collections::BTreeSet;

/// Where a search stands.
#[derive(Debug)]
pub enum Found {
    /// the file of a role must be fetched and answered first; then search again
    Wants(Wanted),
    /// this is what is known about the target
    Target(Target),
}

/// What a chain of verified metadata says about a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    path: TargetPath,
    file: TargetFile,
    roles: Vec<RoleName>,
    consistent: bool,
}

impl Client {
    /// Searches for a target, pre-order and in depth, in the order of the delegations. Files of
    /// roles that the search needs are wanted one after the other.
    ///
    /// # Errors
    /// [`Refusal::UnknownTarget`], [`Refusal::TooManyRoles`], [`Refusal::Missing`];
    /// [`Refusal::OutOfOrder`] before the refresh is done.
    pub fn find(&mut self, path: &TargetPath) -> Result<Found, Refusal> {
        if !matches!(self.phase, Phase::Fresh) {
            return Err(Refusal::OutOfOrder("the metadata are not fresh yet"));
        }
        // Each missing file is tried from what was kept, once, and then wanted.
        loop {
            self.searching = None;
            match self.search(path)? {
                Search::Done(target) => return Ok(Found::Target(target)),
                Search::Needs(sought) => {
                    let file = sought.place.1.listed_as();
                    self.searching = Some(sought);
                    let wanted = self.wanted().ok_or(Refusal::Missing { file })?;
                    self.stored_targets();
                    if self.searching.is_some() {
                        return Ok(Found::Wants(wanted));
                    }
                }
            }
        }
    }

    fn search(&self, path: &TargetPath) -> Result<Search, Refusal> {
        let top = self.targets.as_ref().ok_or(Refusal::OutOfOrder("there are no targets yet"))?;
        let mut visited = BTreeSet::new();
        // Roles to visit, the next one last, each with the way to it.
        let mut pending: Vec<Vec<RoleName>> = vec![vec![TopRole::Targets.into()]];
        while let Some(way) = pending.pop() {
            let Some(role) = way.last() else { continue };
            if visited.contains(role) {
                continue;
            }
            if visited.len() >= self.settings.limits.roles_visited_max {
                return Err(Refusal::TooManyRoles(self.settings.limits.roles_visited_max));
            }
            visited.insert(role.clone());
            let targets = match place(&way) {
                None => top,
                Some(place) => match self.delegated.get(&place) {
                    Some(targets) => targets,
                    None => {
                        let delegator = way.split_last().and_then(|(_, way)| self::place(way));
                        return Ok(Search::Needs(Sought { delegator, place }));
                    }
                },
            };
            if let Some(file) = targets.target(path) {
                return Ok(Search::Done(Target {
                    path: path.clone(),
                    file: file.clone(),
                    roles: way,
                    consistent: self.root.consistent_snapshot,
                }));
            }
            let mut children = Vec::new();
            for delegation in &targets.delegations {
                if !delegation.paths.cover(path) {
                    continue;
                }
                children.push(way.iter().cloned().chain([delegation.name.clone()]).collect());
                if delegation.terminating {
                    // Whoever comes after it, here or further up, is not asked.
                    pending.clear();
                    break;
                }
            }
            pending.extend(children.into_iter().rev());
        }
        Err(Refusal::UnknownTarget(path.as_str().to_owned()))
    }
}

enum Search {
    Done(Target),
    Needs(Sought),
}

/// Who delegates to the last role of a way, and that role; `None` where the way is `targets`.
fn place(way: &[RoleName]) -> Option<(RoleName, RoleName)> {
    match way {
        [.., delegator, role] => Some((delegator.clone(), role.clone())),
        _ => None,
    }
}

impl Target {
    /// Its path.
    pub fn path(&self) -> &TargetPath {
        &self.path
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.file.length
    }

    /// Its hashes.
    pub fn hashes(&self) -> &Hashes {
        &self.file.hashes
    }

    /// The roles that lead to it, from `targets` to the one that names it.
    pub fn roles(&self) -> &[RoleName] {
        &self.roles
    }

    /// What the repository's owner says beside it, as it is.
    pub fn custom_object(&self) -> Option<&Object> {
        self.file.custom.as_ref()
    }

    /// What the repository's owner says beside it.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] where a field has the wrong type.
    pub fn custom(&self) -> Result<Custom, MetadataError> {
        Custom::read(self.file.custom.as_ref())
    }

    /// Where it lies below the address of the targets, as a file name.
    pub fn file_name(&self) -> String {
        self.path.file_name(self.prefix())
    }

    /// Where it lies below the address of the targets, percent-encoded.
    pub fn address(&self) -> String {
        self.path.address(self.prefix())
    }

    fn prefix(&self) -> Option<&str> {
        self.consistent.then(|| self.file.hashes.in_names()).flatten()
    }

    /// Begins to check the file.
    pub fn download(&self) -> Download {
        Download { target: self.clone(), check: HashCheck::new(&self.file.hashes), received: 0 }
    }
}

/// A target file on its way.
#[derive(Clone, Debug)]
pub struct Download {
    target: Target,
    check: HashCheck,
    received: u64,
}

impl Download {
    /// Takes the next piece. Nothing of it may be acted upon before [`Self::finish`].
    ///
    /// # Errors
    /// [`Refusal::EndlessData`] beyond the signed length.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let received = self.received.saturating_add(length);
        if received > self.target.length() {
            let (file, length_max) = (self.target.path.to_string(), self.target.length());
            return Err(Refusal::EndlessData { file, length_max });
        }
        self.received = received;
        self.check.update(piece);
        Ok(())
    }

    /// Bytes so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The proof that all of the file came, and no other.
    ///
    /// # Errors
    /// [`Refusal::WrongSoftware`].
    pub fn finish(self) -> Result<Verified<Target>, Refusal> {
        let whole = self.received == self.target.length();
        if whole && self.check.fits() {
            return Ok(Verified::assertion(self.target));
        }
        Err(Refusal::WrongSoftware(self.target.path.to_string()))
    }
}
