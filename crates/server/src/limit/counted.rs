use super::Source;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Why one more is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// the server has as many as it may have
    Full,
    /// this source has as many as it may have
    SourceFull,
}

/// Counts what is open (connections, requests), in all and per source.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    open: Arc<Mutex<Open>>,
    most: usize,
    most_per_source: usize,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_source: HashMap<Source, usize>,
}

impl Counted {
    pub(crate) fn new(most: usize, most_per_source: usize) -> Self {
        Self { open: Arc::default(), most, most_per_source }
    }

    /// Counts one more until the permit is dropped.
    pub(crate) fn admit(&self, source: Source) -> Result<Permit, Refusal> {
        self.admit_up_to(source, self.most_per_source)
    }

    /// The same for the operator's own proxies, behind which everybody stands: they are one source
    /// together, and half of all is theirs.
    pub(crate) fn admit_proxy(&self) -> Result<Permit, Refusal> {
        self.admit_up_to(Source::default(), self.most_per_source.max(self.most / 2))
    }

    fn admit_up_to(&self, source: Source, most_per_source: usize) -> Result<Permit, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.most {
            return Err(Refusal::Full);
        }
        let of_source = open.by_source.get(&source).copied().unwrap_or_default();
        if of_source >= most_per_source {
            return Err(Refusal::SourceFull);
        }
        open.by_source.insert(source, of_source + 1);
        open.all += 1;
        Ok(Permit { open: self.open.clone(), source })
    }

    /// Open now.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

/// One that is counted.
#[derive(Debug)]
pub(crate) struct Permit {
    open: Arc<Mutex<Open>>,
    source: Source,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        match open.by_source.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn counts_go_up_and_down() {
        let source = |last| Source::from(IpAddr::from([192, 0, 2, last]));
        let counted = Counted::new(3, 2);
        let first = counted.admit(source(1)).unwrap();
        let _second = counted.admit(source(1)).unwrap();
        assert_eq!(counted.admit(source(1)).unwrap_err(), Refusal::SourceFull);
        let _third = counted.admit(source(2)).unwrap();
        assert_eq!(counted.admit(source(3)).unwrap_err(), Refusal::Full);
        drop(first);
        assert_eq!(counted.count(), 2);
        let _again = counted.admit(source(1)).unwrap();
    }

    #[test]
    fn half_of_all_is_the_proxies() {
        let counted = Counted::new(8, 2);
        let proxies: Vec<_> = (0..4).map(|_| counted.admit_proxy().unwrap()).collect();
        assert_eq!(counted.admit_proxy().unwrap_err(), Refusal::SourceFull);
        let _other = counted.admit(Source::from(IpAddr::from([192, 0, 2, 1]))).unwrap();
        drop(proxies);
        let _again = counted.admit_proxy().unwrap();
    }
}
