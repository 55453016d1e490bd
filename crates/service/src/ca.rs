//! The issuing CAs: an index in memory, as many as organisations and product lines.

use crate::{
    Service, ServiceError,
    live::found,
    store::key::{self as store, CaRow},
};
use pki::{Certificate, IssuerInfo, Locations, ocsp::IssuerHash};
use std::{collections::HashMap, sync::Arc};

/// What a CA issues. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CaKind {
    /// the platform's: members, signers, services
    Platform = 1,
    /// a product line's: chip certificates and IDevIDs
    Device = 2,
    /// an owner's: LDevIDs
    Owner = 3,
}

impl CaKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Platform, Self::Device, Self::Owner];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Device => "device",
            Self::Owner => "owner",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A CA that can issue.
#[derive(Debug)]
pub(crate) struct CaEntry {
    pub(crate) id: i64,
    pub(crate) slug: String,
    pub(crate) organisation: i64,
    pub(crate) product: Option<i64>,
    pub(crate) kind: CaKind,
    pub(crate) key: i64,
    pub(crate) certificate: Certificate,
    pub(crate) issuer: IssuerInfo,
    /// a retired CA certifies nothing more
    pub(crate) retired: bool,
    /// key and certificate of the delegated OCSP signer; without one the CA signs itself
    pub(crate) ocsp: Option<(i64, Certificate)>,
}

impl CaEntry {
    /// The certificate with which clients complete a chain to the root: the CA's own.
    pub(crate) fn chain(&self) -> Vec<Certificate> {
        vec![self.certificate.clone()]
    }
}

/// Finds CAs by number, by name and by the hashes of OCSP.
#[derive(Debug, Default)]
pub(crate) struct CaIndex {
    by_id: HashMap<i64, Arc<CaEntry>>,
    by_slug: HashMap<String, Arc<CaEntry>>,
    by_subject: HashMap<Vec<u8>, Vec<Arc<CaEntry>>>,
    by_hash: HashMap<IssuerHash, Arc<CaEntry>>,
}

impl CaIndex {
    pub(crate) fn by_id(&self, id: i64) -> Option<&Arc<CaEntry>> {
        self.by_id.get(&id)
    }

    pub(crate) fn by_slug(&self, slug: &str) -> Option<&Arc<CaEntry>> {
        self.by_slug.get(slug)
    }

    /// The CA that issued a certificate, by the issuer's name and key identifier.
    pub(crate) fn issuer_of(&self, certificate: &Certificate) -> Option<&Arc<CaEntry>> {
        let wanted = certificate
            .extensions()
            .authority_key_identifier()
            .and_then(|identifier| identifier.key_identifier.as_deref().map(<[u8]>::to_vec));
        self.by_subject.get(certificate.issuer_der())?.iter().find(|ca| match &wanted {
            Some(identifier) => ca.issuer.key_identifier() == identifier,
            None => true,
        })
    }

    /// The CA that a request for status names.
    pub(crate) fn by_hash(&self, hash: &IssuerHash) -> Option<&Arc<CaEntry>> {
        self.by_hash.get(hash)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<CaEntry>> {
        self.by_id.values()
    }

    fn add(&mut self, entry: CaEntry) {
        let entry = Arc::new(entry);
        let subject = entry.certificate.subject_der();
        for hash in IssuerHash::both(subject, entry.issuer.public_key()) {
            self.by_hash.insert(hash, entry.clone());
        }
        self.by_subject.entry(subject.to_vec()).or_default().push(entry.clone());
        self.by_slug.insert(entry.slug.clone(), entry.clone());
        self.by_id.insert(entry.id, entry);
    }
}

impl Service {
    /// The index of CAs that can issue.
    pub(crate) fn ca_index(&self) -> Result<Arc<CaIndex>, ServiceError> {
        self.live.cas.get_or_load((), || {
            let rows = self.store.readers.read(store::cas)?;
            let mut index = CaIndex::default();
            for row in rows {
                if let Some(entry) = self.ca_entry(row)? {
                    index.add(entry);
                }
            }
            Ok(Arc::new(index))
        })
    }

    pub(crate) fn ca_by_slug(&self, slug: &str) -> Result<Arc<CaEntry>, ServiceError> {
        found(self.ca_index()?.by_slug(slug).cloned(), "CA")
    }

    /// The platform's own CA.
    pub(crate) fn platform_ca(&self) -> Result<Arc<CaEntry>, ServiceError> {
        self.ca_index()?.by_slug(&self.platform_ca_slug()).cloned().ok_or_else(|| {
            ServiceError::refused(
                "no-platform-ca",
                "the platform has no CA of its own yet; request one and let the ceremony sign it",
            )
        })
    }

    pub(crate) fn platform_ca_slug(&self) -> String {
        format!("{}_services", self.platform.organisation.slug)
    }

    fn ca_entry(&self, row: CaRow) -> Result<Option<CaEntry>, ServiceError> {
        let Some(certificate) = &row.certificate else { return Ok(None) };
        let damaged = || ServiceError::fatal("ca-damaged", "a CA in the store is damaged");
        let certificate = Certificate::from_der(certificate).map_err(|_| damaged())?;
        let issuer = IssuerInfo::from_certificate(&certificate, self.locations(&row.slug))
            .map_err(|_| damaged())?;
        let retired = self.read(|connection| store::ca_retired(connection, row.id))?.is_some();
        Ok(Some(CaEntry {
            retired,
            id: row.id,
            slug: row.slug,
            organisation: row.organisation,
            product: row.product,
            kind: CaKind::from_number(row.kind).ok_or_else(damaged)?,
            key: row.key,
            certificate,
            issuer,
            ocsp: row
                .ocsp_key
                .zip(row.ocsp_certificate)
                .map(|(key, der)| Certificate::from_der(&der).map(|certificate| (key, certificate)))
                .transpose()
                .map_err(|_| damaged())?,
        }))
    }

    /// Where certificates of a CA point to.
    pub(crate) fn locations(&self, slug: &str) -> Locations {
        let urls = &self.config.urls;
        let of = |url: &Option<String>| url.as_ref().map(|url| url.replace("{ca}", slug));
        Locations {
            crl: of(&urls.crl),
            crl_shards: 0,
            ocsp: of(&urls.ocsp),
            ca_issuers: of(&urls.ca_issuers),
        }
    }
}
