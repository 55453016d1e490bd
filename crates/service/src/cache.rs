//! A small cache of what seldom changes: looked up in the store on a miss, emptied on a change.

use crate::ServiceError;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{PoisonError, RwLock},
};

/// Bounded by count; full means empty, which is rare and harmless.
pub(crate) struct Cache<K, V> {
    inner: RwLock<Inner<K, V>>,
    most: usize,
}

struct Inner<K, V> {
    /// counts the times it was emptied: what was read before must not be put in after
    epoch: u64,
    entries: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { inner: RwLock::new(Inner { epoch: 0, entries: HashMap::new() }), most }
    }

    /// The cached value, else what `load` returns; errors are not cached.
    pub(crate) fn get_or_load(
        &self,
        key: K,
        load: impl FnOnce() -> Result<V, ServiceError>,
    ) -> Result<V, ServiceError> {
        let epoch = {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(value) = inner.entries.get(&key) {
                return Ok(value.clone());
            }
            inner.epoch
        };
        let value = load()?;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.epoch == epoch {
            if inner.entries.len() >= self.most {
                inner.entries.clear();
            }
            inner.entries.insert(key, value.clone());
        }
        Ok(value)
    }

    /// What is to be known of the cached value, without a copy of it: where everybody asks for the same, the
    /// count of its holders is what they would wait for.
    pub(crate) fn ask<T>(&self, key: &K, question: impl FnOnce(&V) -> T) -> Option<T> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.entries.get(key).map(question)
    }

    /// The cached value.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).entries.get(key).cloned()
    }

    /// Puts a value in, in place of another.
    pub(crate) fn put(&self, key: K, value: V) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.entries.len() >= self.most {
            inner.entries.clear();
        }
        inner.entries.insert(key, value);
    }

    /// Forgets one entry, and what is being looked up at this moment.
    pub(crate) fn forget(&self, key: &K) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.epoch = inner.epoch.wrapping_add(1);
        inner.entries.remove(key);
    }

    /// Forgets some entries, and what is being looked up at this moment.
    pub(crate) fn forget_where(&self, gone: impl Fn(&K, &V) -> bool) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.epoch = inner.epoch.wrapping_add(1);
        inner.entries.retain(|key, value| !gone(key, value));
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.epoch = inner.epoch.wrapping_add(1);
        inner.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_does_not_stay_after_it() {
        let cache = Cache::new(2);
        let stale = cache.get_or_load(1, || {
            cache.clear();
            Ok("old")
        });
        assert_eq!(stale, Ok("old"));
        assert_eq!(cache.get_or_load(1, || Ok("new")), Ok("new"));
        assert_eq!(cache.get_or_load(1, || Ok("newer")), Ok("new"));
        cache.forget(&1);
        assert_eq!(cache.get_or_load(1, || Ok("newest")), Ok("newest"));
        cache.forget_where(|_, value| *value == "new");
        assert_eq!(cache.get(&1), Some("newest"));
        assert_eq!((cache.ask(&1, |it| it.len()), cache.ask(&9, |it| it.len())), (Some(6), None));
        for key in 2..10 {
            cache.get_or_load(key, || Ok("more")).unwrap();
        }
        assert!(cache.inner.read().unwrap().entries.len() <= 2);
    }
}
