//! Certificate policies (RFC 5280 section 6.1, as RFC 9618 replaces its tree).
//!
//! Instead of a graph only its last level is kept: each policy that is valid there with the
//! policies of the trust anchor's domain that lead to it. That is all the result needs, and its
//! size is bounded by the policies of one certificate.

use super::{PathError, Policies};
use crate::{Certificate, oid::ANY_POLICY};
use const_oid::ObjectIdentifier;
use std::collections::{BTreeMap, BTreeSet};

type Origins = BTreeSet<ObjectIdentifier>;

struct State {
    /// expected policy → policies of the anchor's domain; empty is the standard's NULL
    valid: BTreeMap<ObjectIdentifier, Origins>,
    explicit_policy: usize,
    policy_mapping: usize,
    inhibit_any: usize,
}

/// Processes `path` (leaf first, anchor last); returns the user-constrained-policy-set.
pub(super) fn check(
    path: &[Certificate],
    policies: &Policies,
) -> Result<Vec<ObjectIdentifier>, PathError> {
    // Section 6.1.2: the anchor is not part of the path here.
    let issued = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
    let start = |inhibited: bool| if inhibited { 0 } else { issued.len() + 1 };
    let mut state = State {
        valid: BTreeMap::from([(ANY_POLICY, Origins::from([ANY_POLICY]))]),
        explicit_policy: start(policies.require_explicit),
        policy_mapping: start(policies.inhibit_mapping),
        inhibit_any: start(policies.inhibit_any),
    };
    for (depth, certificate) in issued.iter().enumerate().rev() {
        state.narrow(certificate, depth);
        let failed = state.explicit_policy == 0 && state.valid.is_empty();
        if failed {
            return Err(refused(path, depth));
        }
        if depth > 0 {
            state.map(certificate);
            state.count(certificate);
        }
    }
    if let Some(leaf) = issued.first() {
        // Section 6.1.5 (a) and (b)
        state.explicit_policy = state.explicit_policy.saturating_sub(1);
        let constraints = leaf.extensions().policy_constraints().unwrap_or_default();
        if constraints.require_explicit == Some(0) {
            state.explicit_policy = 0;
        }
    }
    let acceptable = state.acceptable(&policies.accepted);
    if state.explicit_policy == 0 && acceptable.is_empty() {
        return Err(refused(path, 0));
    }
    Ok(acceptable.into_iter().collect())
}

fn refused(path: &[Certificate], depth: usize) -> PathError {
    let subject = path.first().map(|leaf| leaf.subject().to_string()).unwrap_or_default();
    PathError::Policy { subject, depth }
}

impl State {
    /// Section 6.1.3 (d) and (e).
    fn narrow(&mut self, certificate: &Certificate, depth: usize) {
        let Some(named) = certificate.extensions().certificate_policies() else {
            self.valid.clear();
            return;
        };
        let mut next = BTreeMap::new();
        for policy in named.iter().filter(|policy| **policy != ANY_POLICY) {
            if let Some(origins) = self.valid.get(policy) {
                next.insert(*policy, origins.clone());
            } else if self.valid.contains_key(&ANY_POLICY) {
                next.insert(*policy, Origins::from([*policy]));
            }
        }
        let any_counts = self.inhibit_any > 0 || (depth > 0 && certificate.is_self_issued());
        if any_counts && named.contains(&ANY_POLICY) {
            for (policy, origins) in &self.valid {
                next.entry(*policy).or_insert_with(|| origins.clone());
            }
        }
        self.valid = next;
    }

    /// Section 6.1.4 (b).
    fn map(&mut self, certificate: &Certificate) {
        let mappings = certificate.extensions().policy_mappings();
        if mappings.is_empty() {
            return;
        }
        let before = self.valid.clone();
        for (issuers, _) in mappings {
            self.valid.remove(issuers);
        }
        if self.policy_mapping == 0 {
            return;
        }
        for (issuers, subjects) in mappings {
            let origins = match before.get(issuers) {
                Some(origins) => origins.clone(),
                None if before.contains_key(&ANY_POLICY) => Origins::from([*issuers]),
                None => continue,
            };
            self.valid.entry(*subjects).or_default().extend(origins);
        }
    }

    /// Section 6.1.4 (h), (i) and (j).
    fn count(&mut self, certificate: &Certificate) {
        if !certificate.is_self_issued() {
            for counter in
                [&mut self.explicit_policy, &mut self.policy_mapping, &mut self.inhibit_any]
            {
                *counter = counter.saturating_sub(1);
            }
        }
        let extensions = certificate.extensions();
        let constraints = extensions.policy_constraints().unwrap_or_default();
        for (counter, skip) in [
            (&mut self.explicit_policy, constraints.require_explicit),
            (&mut self.policy_mapping, constraints.inhibit_mapping),
            (&mut self.inhibit_any, extensions.inhibit_any_policy()),
        ] {
            if let Some(skip) = skip.and_then(|skip| usize::try_from(skip).ok()) {
                *counter = (*counter).min(skip);
            }
        }
    }

    /// Section 6.1.5 (g): the anchor's policies that lead to the leaf's, as far as accepted.
    fn acceptable(&self, accepted: &[ObjectIdentifier]) -> Origins {
        let all: Origins = self.valid.values().flatten().copied().collect();
        if accepted.is_empty() || accepted.contains(&ANY_POLICY) {
            all
        } else if all.contains(&ANY_POLICY) {
            accepted.iter().copied().collect()
        } else {
            all.into_iter().filter(|policy| accepted.contains(policy)).collect()
        }
    }
}
