//! Key ceremonies: the root key, which stays offline, and the CAs that it signs (TR-2, KM-2).
//!
//! No server takes part. A CA's own key is made and sealed where it works; only a request and a
//! certificate travel:
//!
//! 1. [`Root::create`] and [`Root::save`], on the offline machine.
//! 2. [`Service::request_ca`] on the platform gives a [`CaRequest`].
//! 3. [`Root::sign_ca`], offline, in front of witnesses who compare [`CaRequest::summary`].
//! 4. [`Service::import_root`] once, then [`Service::install_ca`].

#[cfg(doc)]
use crate::Service;
use crate::{CaKind, ServiceError, issue::refused, keys::seal};
use crypto::{
    KeyAlgorithm, Secret, Signer, SoftwareKey, UnixTime, random,
    sealed::{Cost, SealingKey, Unlock},
};
use device::{OrganisationId, ProductId};
use pki::{
    Certificate, Crl, Csr, IssuerInfo, Locations, Profile, Request, Serial, Subject,
    crl::{CrlRequest, RevokedEntry},
};
use std::{io::Write as _, path::Path};

/// File of the root certificate.
pub const ROOT_CERTIFICATE: &str = "root.pem";
/// File of the sealed root key.
pub const ROOT_KEY: &str = "root.sealed";
/// File that accounts for every use of the root key.
pub const ROOT_USES: &str = "root.uses";
const ROOT_LABEL: &str = "tegata/root";
const REQUEST_MAGIC: &str = "tegata CA request v1";
/// Longest CA request read, in bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
const YEAR_S: i64 = 31_556_952;

/// What the root is called.
#[derive(Clone, Debug)]
pub struct RootSpec {
    /// commonName
    pub common_name: String,
    /// organizationName
    pub organisation: String,
    /// kind of key
    pub algorithm: KeyAlgorithm,
    /// years of validity; 0: no well-defined end, as IDevIDs need it
    pub years: u16,
}

/// A root with its key unlocked.
pub struct Root {
    certificate: Certificate,
    key: SoftwareKey,
    uses: Option<std::path::PathBuf>,
}

impl Root {
    /// Makes a root.
    ///
    /// # Errors
    /// `certificate-refused` where names or times break a rule.
    pub fn create(spec: &RootSpec, now: UnixTime) -> Result<Self, ServiceError> {
        let key = SoftwareKey::generate(spec.algorithm)
            .map_err(|error| ServiceError::refused("key-generation", error.to_string()))?;
        let subject = Subject {
            organisation: spec.organisation.clone(),
            ..Subject::named(spec.common_name.clone())
        };
        let not_after = end(now, spec.years);
        let issuer = IssuerInfo::self_signed(&subject, key.public_key(), now, not_after)
            .map_err(|error| refused(&error))?;
        let serial = Serial::from_random(random::bytes());
        let request = Request::new(serial, subject, key.public_key().clone(), (now, not_after));
        let certificate = pki::prepare(Profile::Root, &issuer, &request)
            .and_then(|prepared| prepared.sign(&key))
            .map_err(|error| refused(&error))?;
        Ok(Self { certificate, key, uses: None })
    }

    /// Writes `root.pem` and `root.sealed` into `dir`, which must not hold a root yet.
    ///
    /// # Errors
    /// `root-exists`, `data-directory`, `locked`.
    pub fn save(&mut self, dir: &Path, unlock: &Unlock<'_>) -> Result<(), ServiceError> {
        let sealing = SealingKey::new(unlock, Cost::default()).map_err(|error| seal(&error))?;
        let backend = |_| ServiceError::fatal("key-generation", "the root key cannot be written");
        let sealed = sealing
            .seal(ROOT_LABEL, &self.key.to_pkcs8().map_err(backend)?)
            .map_err(|error| seal(&error))?;
        std::fs::create_dir_all(dir).map_err(|error| io(dir, &error))?;
        write_new(&dir.join(ROOT_KEY), &sealed)?;
        write_new(&dir.join(ROOT_CERTIFICATE), self.certificate.to_pem().as_bytes())?;
        self.uses = Some(dir.join(ROOT_USES));
        self.account(self.certificate.not_before(), "root", self.certificate.serial())
    }

    /// Reads what [`Self::save`] wrote.
    ///
    /// # Errors
    /// `data-directory`, `locked`, `key-damaged`.
    pub fn load(dir: &Path, unlock: &Unlock<'_>) -> Result<Self, ServiceError> {
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read(&path).map_err(|error| io(&path, &error))
        };
        let damaged = || ServiceError::fatal("key-damaged", "the root's files are damaged");
        let sealed = read(ROOT_KEY)?;
        let pem = String::from_utf8(read(ROOT_CERTIFICATE)?).map_err(|_| damaged())?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| damaged())?;
        let secret: Secret = SealingKey::of(&sealed, unlock)
            .and_then(|sealing| sealing.open(ROOT_LABEL, &sealed))
            .map_err(|error| seal(&error))?;
        let key = SoftwareKey::from_pkcs8(&secret).map_err(|_| damaged())?;
        if certificate.public_key().ok() != Some(key.public_key()) {
            return Err(damaged());
        }
        Ok(Self { certificate, key, uses: Some(dir.join(ROOT_USES)) })
    }

    /// The root certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Certifies the CA of a request. `locations` say where the root's own CRL is found.
    ///
    /// # Errors
    /// `certificate-refused`.
    pub fn sign_ca(
        &self,
        request: &CaRequest,
        locations: Locations,
        now: UnixTime,
    ) -> Result<Certificate, ServiceError> {
        let issuer = IssuerInfo::from_certificate(&self.certificate, locations)
            .map_err(|error| refused(&error))?;
        let serial = Serial::from_random(random::bytes());
        let not_before = now.max(issuer.not_before());
        let not_after = end(now, request.years).min(issuer.not_after());
        let subject = Subject::from_name(&request.csr.subject());
        let mut certificate = Request::new(
            serial,
            subject,
            request.csr.public_key().clone(),
            (not_before, not_after),
        );
        certificate.path_length = Some(0);
        let prepared = pki::prepare(Profile::IssuingCa, &issuer, &certificate)
            .map_err(|error| refused(&error))?;
        // Accounted for before it happens, like every use of a CA's key (KM-1).
        self.account(now, &request.slug, &serial)?;
        prepared.sign(&self.key).map_err(|error| refused(&error))
    }

    /// Certifies a key that signs software for devices ([`Profile::SoftwareSigner`]). The root does it
    /// itself: both keys stay offline, and a device needs to know nothing but the root.
    ///
    /// # Errors
    /// `certificate-refused`: also where the request's key does not prove itself.
    pub fn sign_software(
        &self,
        csr: &[u8],
        days: u16,
        now: UnixTime,
    ) -> Result<Certificate, ServiceError> {
        let csr = crate::csr::verified_csr(csr)?;
        let issuer = IssuerInfo::from_certificate(&self.certificate, Locations::default())
            .map_err(|error| refused(&error))?;
        let serial = Serial::from_random(random::bytes());
        let not_before = now.max(issuer.not_before());
        let not_after = now.plus(i64::from(days).saturating_mul(86_400)).min(issuer.not_after());
        let subject = Subject::from_name(&csr.subject());
        let key = csr.public_key().clone();
        let request = Request::new(serial, subject, key, (not_before, not_after));
        let prepared = pki::prepare(Profile::SoftwareSigner, &issuer, &request)
            .map_err(|error| refused(&error))?;
        self.account(now, "software-signer", &serial)?;
        prepared.sign(&self.key).map_err(|error| refused(&error))
    }

    /// The root's CRL: which issuing CAs are revoked.
    ///
    /// # Errors
    /// `crl-refused`.
    pub fn crl(
        &self,
        number: u64,
        revoked: Vec<RevokedEntry>,
        now: UnixTime,
        validity_s: i64,
    ) -> Result<Crl, ServiceError> {
        let issuer = IssuerInfo::from_certificate(&self.certificate, Locations::default())
            .map_err(|error| refused(&error))?;
        let request = CrlRequest {
            number,
            this_update: now,
            next_update: now.plus(validity_s),
            entries: revoked,
            shard: None,
            only_user_certificates: false,
            base_number: None,
        };
        self.account(now, "crl", self.certificate.serial())?;
        Crl::prepare(&issuer, &request)
            .and_then(|prepared| prepared.sign(&self.key))
            .map_err(|error| ServiceError::refused("crl-refused", error.to_string()))
    }

    fn account(&self, now: UnixTime, what: &str, serial: &Serial) -> Result<(), ServiceError> {
        let Some(path) = &self.uses else { return Ok(()) };
        let write = || {
            let mut file = std::fs::File::options().create(true).append(true).open(path)?;
            writeln!(file, "{now} {what} {serial}")?;
            file.sync_all()
        };
        write().map_err(|error| io(path, &error))
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Root({})", self.certificate.subject())
    }
}

/// Which CA is wanted.
#[derive(Clone, Debug)]
pub struct CaSpec {
    /// whose
    pub organisation: OrganisationId,
    /// product line, for [`CaKind::Device`]
    pub product: Option<ProductId>,
    /// what it issues
    pub kind: CaKind,
    /// commonName
    pub name: String,
    /// kind of key
    pub algorithm: KeyAlgorithm,
    /// years of validity; 0: as long as the root
    pub years: u16,
}

/// What a ceremony signs: who asks, for what, and the proof that the key is there.
#[derive(Clone, Debug)]
pub struct CaRequest {
    /// name of the CA on the platform
    pub slug: String,
    /// years of validity; 0: as long as the root
    pub years: u16,
    csr: Csr,
}

impl CaRequest {
    pub(crate) fn new(slug: String, years: u16, csr: Csr) -> Self {
        Self { slug, years, csr }
    }

    /// For people to compare on both sides.
    pub fn summary(&self) -> String {
        let key = self.csr.public_key();
        format!(
            "CA {}\nsubject {}\nkey {} {}\nyears {}",
            self.slug,
            self.csr.subject(),
            key.algorithm(),
            key.fingerprint(),
            self.years
        )
    }

    /// The request as a text file.
    pub fn to_text(&self) -> String {
        let body = hex::encode(self.csr.der());
        format!("{REQUEST_MAGIC}\n{}\n{}\n{body}\n", self.slug, self.years)
    }

    /// Reads a request and checks the proof of possession of its key.
    ///
    /// # Errors
    /// `ca-request`.
    pub fn from_text(text: &str) -> Result<Self, ServiceError> {
        let bad = |why: String| ServiceError::malformed("ca-request", why);
        let shape = || bad("not a CA request of this program; write it again".into());
        if text.len() > REQUEST_BYTES_MAX {
            return Err(shape());
        }
        let mut lines = text.lines();
        let (Some(REQUEST_MAGIC), Some(slug), Some(years), Some(body), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(shape());
        };
        let years = years.parse().map_err(|_| shape())?;
        let der = hex::decode(body).map_err(|_| shape())?;
        let csr = Csr::parse(&der)
            .and_then(Csr::verify)
            .map_err(|error| bad(error.to_string()))?
            .into_inner();
        Ok(Self { slug: slug.to_owned(), years, csr })
    }
}

/// End of a validity of so many years; 0 means none.
pub(crate) fn end(now: UnixTime, years: u16) -> UnixTime {
    if years == 0 { UnixTime::NEVER } else { now.plus(i64::from(years).saturating_mul(YEAR_S)) }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ServiceError> {
    let write = || {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file =
            std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => ServiceError::conflict(
            "root-exists",
            format!("{} exists already; choose another directory", path.display()),
        ),
        _ => io(path, &error),
    })
}

fn io(path: &Path, error: &std::io::Error) -> ServiceError {
    ServiceError::refused("data-directory", format!("{} cannot be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_an_error_and_not_a_panic(text in "\\PC{0,200}(\n\\PC{0,80}){0,5}") {
            prop_assert!(CaRequest::from_text(&text).is_err());
            let framed = format!("{REQUEST_MAGIC}\nmaker.gate\n10\n{text}\n");
            prop_assert!(CaRequest::from_text(&framed).is_err());
        }
    }
}
