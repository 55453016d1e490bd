use super::{Options, PathError, Purpose, validate};
use crate::{Certificate, Name};
use std::{collections::HashMap, fmt, sync::Arc};

/// The certificates that are trusted: roots, or whichever the operator pins. Self-signed or not,
/// CA or end entity.
///
/// It may also hold issuing CAs whose path has been validated already, so that a server that sees
/// millions of leaves below few issuers verifies one signature each.
#[derive(Clone, Default)]
pub struct Anchors {
    entries: Vec<Arc<Entry>>,
    /// keys of names to places in `entries`
    by_subject: HashMap<Vec<u8>, Vec<usize>>,
}

/// A certificate that needs no further signature.
pub(super) struct Entry {
    pub(super) certificate: Certificate,
    /// its validated path, issuer first; empty for a trust anchor
    pub(super) above: Vec<Certificate>,
}

impl Anchors {
    /// Trusts `certificate`. A second time it changes nothing.
    pub fn add(&mut self, certificate: Certificate) {
        self.insert(Entry { certificate, above: Vec::new() });
    }

    /// Validates the issuing CA `certificate` now and remembers that its signatures hold. Dates,
    /// constraints and everything else of its path are checked again with each leaf; only the
    /// signatures are not.
    ///
    /// # Errors
    /// As [`validate`], whose `options` apply except for the leaf's usages.
    pub fn add_intermediate_validated(
        &mut self,
        certificate: &Certificate,
        intermediates: &[Certificate],
        options: &Options,
    ) -> Result<(), PathError> {
        let mut options = options.clone();
        options.purpose = Purpose::Any;
        options.key_usage = crate::KeyUsage::KEY_CERT_SIGN;
        options.allow_ca_leaf = true;
        options.server_name = None;
        options.require_extended_key_usage = false;
        let path = validate(certificate, intermediates, self, &options)?;
        if !certificate.is_ca() {
            return Err(PathError::NotCa {
                subject: certificate.subject().to_string(),
                depth: 0,
                reason: "its certificate does not say that it is a CA",
            });
        }
        let above: Vec<_> = path.certificates().iter().skip(1).cloned().collect();
        if !above.is_empty() {
            self.insert(Entry { certificate: certificate.clone(), above });
        }
        Ok(())
    }

    /// Every trusted certificate; validated intermediates are not among them.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.entries.iter().filter(|entry| entry.above.is_empty()).map(|entry| &entry.certificate)
    }

    /// Whether `certificate` itself is trusted.
    pub fn contains(&self, certificate: &Certificate) -> bool {
        self.named(&certificate.subject())
            .any(|entry| entry.above.is_empty() && entry.certificate == *certificate)
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries whose subject is `name`.
    pub(super) fn named(&self, name: &Name<'_>) -> impl Iterator<Item = &Arc<Entry>> {
        let places = self.by_subject.get(&name.key()).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.entries.get(*place))
    }

    fn insert(&mut self, entry: Entry) {
        let key = entry.certificate.subject().key();
        let places = self.by_subject.entry(key).or_default();
        let known = places
            .iter()
            .filter_map(|place| self.entries.get(*place))
            .any(|known| known.certificate == entry.certificate && known.above == entry.above);
        if !known {
            places.push(self.entries.len());
            self.entries.push(Arc::new(entry));
        }
    }
}

impl FromIterator<Certificate> for Anchors {
    fn from_iter<I: IntoIterator<Item = Certificate>>(certificates: I) -> Self {
        let mut anchors = Self::default();
        anchors.extend(certificates);
        anchors
    }
}

impl Extend<Certificate> for Anchors {
    fn extend<I: IntoIterator<Item = Certificate>>(&mut self, certificates: I) {
        for certificate in certificates {
            self.add(certificate);
        }
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
