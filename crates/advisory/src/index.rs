use crate::{Advisory, Component, MatchKey, Sbom, VulnerabilityId};
use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// Advisories, found by what they speak of. A component is looked up by its few keys, however many
/// advisories there are.
#[derive(Debug, Clone, Default)]
pub struct AdvisoryIndex {
    advisories: Vec<Advisory>,
    by_name: HashMap<(VulnerabilityId, Option<String>), usize>,
    by_key: HashMap<MatchKey, Vec<usize>>,
    /// How many entries each name space has, to tell "nothing known" from "nothing asked".
    spaces: BTreeMap<String, usize>,
}

impl AdvisoryIndex {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an advisory; of two with one id, the one that was changed last stays. Tells whether it
    /// was taken.
    pub fn insert(&mut self, advisory: Advisory) -> bool {
        let name = (advisory.id.clone(), advisory.document.clone());
        let place = match self.by_name.get(&name) {
            Some(place) => {
                let Some(old) = self.advisories.get_mut(*place) else { return false };
                // A newer one may be undated; an older one is dated earlier.
                if advisory.modified.is_some() && advisory.modified < old.modified {
                    return false;
                }
                for key in old.keys() {
                    if let Some(list) = self.by_key.get_mut(&key) {
                        list.retain(|other| other != place);
                    }
                    count(&mut self.spaces, &key, false);
                }
                *place
            }
            None => {
                self.by_name.insert(name, self.advisories.len());
                self.advisories.len()
            }
        };
        for key in advisory.keys() {
            count(&mut self.spaces, &key, true);
            self.by_key.entry(key).or_default().push(place);
        }
        match self.advisories.get_mut(place) {
            Some(old) => *old = advisory,
            None => self.advisories.push(advisory),
        }
        true
    }

    /// How many advisories there are.
    pub fn len(&self) -> usize {
        self.advisories.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.advisories.is_empty()
    }

    /// Every advisory.
    pub fn iter(&self) -> impl Iterator<Item = &Advisory> {
        self.advisories.iter()
    }

    /// Advisories that may speak of a component, each once, in the order of their arrival.
    pub fn candidates(&self, component: &Component) -> Vec<&Advisory> {
        let mut places: Vec<usize> = MatchKey::of_component(component)
            .iter()
            .filter_map(|key| self.by_key.get(key))
            .flatten()
            .copied()
            .collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.advisories.get(place)).collect()
    }

    /// How many entries there are about each name space (`crates.io`, `Debian`, `cpe`, `git`).
    pub fn spaces(&self) -> &BTreeMap<String, usize> {
        &self.spaces
    }
}

fn count(spaces: &mut BTreeMap<String, usize>, key: &MatchKey, more: bool) {
    let space = space(key).to_owned();
    let count = spaces.entry(space.clone()).or_default();
    *count = if more { *count + 1 } else { count.saturating_sub(1) };
    if *count == 0 {
        spaces.remove(&space);
    }
}

/// The name space of a key.
pub(crate) fn space(key: &MatchKey) -> &str {
    match key.as_str().split('|').next().unwrap_or_default() {
        "cpe-product" => "cpe",
        space => space,
    }
}

/// Components of many SBOMs, found by an advisory: the other direction. `O` names an SBOM: a
/// release.
#[derive(Debug, Clone)]
pub struct ComponentIndex<O> {
    by_key: HashMap<MatchKey, Vec<(O, usize)>>,
}

impl<O> Default for ComponentIndex<O> {
    fn default() -> Self {
        Self { by_key: HashMap::new() }
    }
}

impl<O: Clone + Eq + Hash + Ord> ComponentIndex<O> {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the components of an SBOM.
    pub fn insert(&mut self, owner: &O, sbom: &Sbom) {
        for (index, component) in sbom.components.iter().enumerate() {
            for key in MatchKey::of_component(component) {
                self.by_key.entry(key).or_default().push((owner.clone(), index));
            }
        }
    }

    /// Takes an SBOM out.
    pub fn remove(&mut self, owner: &O, sbom: &Sbom) {
        for component in &sbom.components {
            for key in MatchKey::of_component(component) {
                if let Some(list) = self.by_key.get_mut(&key) {
                    list.retain(|(other, _)| other != owner);
                    if list.is_empty() {
                        self.by_key.remove(&key);
                    }
                }
            }
        }
    }

    /// Which components of which SBOMs an advisory may speak of, by SBOM; [`crate::Judge`] decides.
    pub fn candidates(&self, advisory: &Advisory) -> BTreeMap<O, Vec<usize>> {
        let mut found: BTreeMap<O, Vec<usize>> = BTreeMap::new();
        for (owner, index) in
            advisory.keys().iter().filter_map(|key| self.by_key.get(key)).flatten()
        {
            found.entry(owner.clone()).or_default().push(*index);
        }
        for list in found.values_mut() {
            list.sort_unstable();
            list.dedup();
        }
        found
    }
}
