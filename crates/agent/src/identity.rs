//! Who the device is: keys that are sealed on disk, certificates from EST (RFC 7030), renewal in
//! the device's own window, return through the maker's certificate.

mod encryption;

use crate::{
    Config, Failure, files, log,
    net::{Call, Client, Connection, Origin, client_config},
    store::Store,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{
    Secret, Signer, SoftwareKey, UnixTime,
    sealed::{Cost, SealingKey, Unlock},
    sha256, sha256_of,
};
use device::DeviceId;
use enrolment::{
    est::{
        BasicCredential, Method, Operation,
        body::RESPONSE_BYTES_MAX,
        client::{Answer, ClientError, Request},
    },
    renewal::{RenewalPhase, RenewalWindow},
};
use pki::{
    AlternativeName, Certificate, CsrBuilder, GeneralName, Subject,
    validate::{Anchors, Options, validate},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest file of certificates or of a key, in bytes.
const PEM_BYTES_MAX: u64 = 256 * 1024;
/// Most certificates above a device's.
const CHAIN_MAX: usize = 8;

const LDEVID: &str = "identity/ldevid";
const IDEVID: &str = "identity/idevid";
const PENDING: &str = "identity/pending";

/// A certificate with those above it and its key.
#[derive(Clone)]
pub struct Credential {
    /// the device's first, without the root
    pub chain: Vec<Certificate>,
    /// its key
    pub key: Arc<dyn Signer>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({:?})", self.chain.first().map(Certificate::fingerprint))
    }
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// base64 of DER, the device's first
    chain: Vec<String>,
    /// base64 of the sealed key
    key: String,
}

/// Identity of the device: reads and renews.
pub(crate) struct Identity<'a> {
    config: &'a Config,
    store: &'a Store,
    sealing: SealingKey,
    roots: Vec<Certificate>,
}

impl<'a> Identity<'a> {
    /// Opens what seals the keys.
    ///
    /// # Errors
    /// `sealing-key`, `open-permissions`, `roots`.
    pub(crate) fn open(config: &'a Config, store: &'a Store) -> Result<Self, Failure> {
        files::folder(&store.path("identity"))?;
        let sealing = sealing_key(config)?;
        Ok(Self { config, store, sealing, roots: roots(config)? })
    }

    /// What the device shows: its owner's certificate.
    pub(crate) fn ldevid(&self) -> Result<Option<Credential>, Failure> {
        self.credential(LDEVID)
    }

    /// Its maker's certificate; sealed at the first look.
    pub(crate) fn idevid(&self) -> Result<Option<Credential>, Failure> {
        if let Some(credential) = self.credential(IDEVID)? {
            return Ok(Some(credential));
        }
        let Some(path) = &self.config.identity.idevid else { return Ok(None) };
        let shown = path.display();
        let bad = |why: &str| Failure::malformed("idevid", format!("{shown}: {why}"));
        files::require_private(path)?;
        let bytes = files::read(path, PEM_BYTES_MAX)?.ok_or_else(|| bad("is not there"))?;
        let bytes = Secret::new(bytes);
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| bad("is not PEM"))?;
        let chain = Certificate::from_pem_chain(text, CHAIN_MAX)
            .map_err(|error| bad(&error.to_string()))?;
        let key = text.find("-----BEGIN PRIVATE KEY-----").and_then(|at| text.get(at..));
        let key = key.ok_or_else(|| bad("has no PRIVATE KEY"))?;
        let key = SoftwareKey::from_pem(key).map_err(|error| bad(&error.to_string()))?;
        self.keep(IDEVID, &chain, &key)?;
        log::info("idevid", "the maker's key is sealed; its file is not needed any more");
        self.credential(IDEVID)
    }

    /// What the platform's certificates must lead to.
    pub(crate) fn roots(&self) -> &[Certificate] {
        &self.roots
    }

    /// A client that shows the owner's certificate, or nothing.
    pub(crate) fn client(&self, shown: Option<&Credential>) -> Result<Client, Failure> {
        let config = client_config(&self.roots, shown)?;
        Ok(Client::new(Origin::parse(&self.config.server)?, config))
    }

    /// When the owner's certificate is to be renewed.
    pub(crate) fn window(&self, credential: &Credential) -> Option<RenewalWindow> {
        let leaf = credential.chain.first()?;
        // Without the platform's id the serial number spreads as well.
        let id = self.config.identity.device.unwrap_or_else(|| {
            let digest = sha256(self.config.identity.serial_number.as_bytes());
            let mut bytes = [0; 16];
            for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
                *to = *from;
            }
            DeviceId::from_bytes(bytes)
        });
        Some(RenewalWindow::of(id, leaf.not_before(), leaf.not_after()))
    }

    /// The first certificate, by a one-time code or the maker's certificate.
    ///
    /// # Errors
    /// `no-voucher` without either, `enrolment-refused`, `connection`, `tls`.
    pub(crate) fn enrol(&self, code: Option<&Secret>, now: UnixTime) -> Result<(), Failure> {
        let idevid = self.idevid()?;
        let code = code.map(|code| self.basic(code)).transpose()?;
        if idevid.is_none() && code.is_none() {
            let detail = "give a one-time code (--code-file), or set identity.idevid";
            return Err(Failure::refused("no-voucher", detail));
        }
        // One voucher at a time: with both the platform could not tell which is meant.
        let shown = if code.is_some() { None } else { idevid.as_ref() };
        let subject = Subject {
            serial_number: self.config.identity.serial_number.clone(),
            ..Subject::default()
        };
        let csr = CsrBuilder { subject, ..CsrBuilder::default() };
        self.ask(Operation::SimpleEnroll, shown, csr, code.as_ref(), now)
    }

    /// Sees to the owner's certificate: renews it when its time has come, comes back through the
    /// maker's certificate when it has ended. `true` where there is a new one.
    ///
    /// # Errors
    /// As [`Self::enrol`]; `not-enrolled`.
    pub(crate) fn maintain(&self, now: UnixTime) -> Result<bool, Failure> {
        let Some(current) = self.ldevid()? else {
            if self.idevid()?.is_none() {
                let detail = "run: tegata-agent enrol --code-file FILE";
                return Err(Failure::refused("not-enrolled", detail));
            }
            self.enrol(None, now)?;
            return Ok(true);
        };
        let phase = self.window(&current).map_or(RenewalPhase::Due, |window| window.phase(now));
        match phase {
            RenewalPhase::Early => Ok(false),
            RenewalPhase::Due | RenewalPhase::Late => self.renew(&current, now).map(|()| true),
            RenewalPhase::Expired => self.come_back(&current, now).map(|()| true),
        }
    }

    /// A new certificate with a new key for the old.
    ///
    /// # Errors
    /// As [`Self::enrol`].
    pub(crate) fn renew(&self, current: &Credential, now: UnixTime) -> Result<(), Failure> {
        let again = self.again(current)?;
        match self.ask(Operation::SimpleReenroll, Some(current), again, None, now) {
            // The answer to an earlier renewal was lost, and the platform knows a newer certificate.
            Err(failure) if failure.code == "enrolment-refused" && self.idevid()?.is_some() => {
                log::warning(failure.code, &failure.detail);
                // The platform may hold its key against whoever it was issued to.
                files::remove(&self.store.path(PENDING))?;
                self.enrol(None, now)
            }
            other => other,
        }
    }

    fn come_back(&self, ended: &Credential, now: UnixTime) -> Result<(), Failure> {
        let Some(idevid) = self.idevid()? else {
            let detail =
                "the certificate has ended; get a one-time code and run: tegata-agent enrol";
            return Err(Failure::refused("certificate-ended", detail));
        };
        let again = self.again(ended)?;
        match self.ask(Operation::SimpleReenroll, Some(&idevid), again, None, now) {
            // Too long ago, or the device has changed hands: as at the first time.
            Err(failure) if failure.code == "enrolment-refused" => {
                log::warning(failure.code, &failure.detail);
                // The platform may hold its key against whoever it was issued to.
                files::remove(&self.store.path(PENDING))?;
                self.enrol(None, now)
            }
            other => other,
        }
    }

    /// A request with the names of a certificate (RFC 7030 section 4.2.2).
    fn again(&self, current: &Credential) -> Result<CsrBuilder, Failure> {
        let leaf = current.chain.first();
        let leaf = leaf.ok_or_else(|| Failure::fatal("identity", "a chain without certificate"))?;
        let names = leaf.extensions().subject_alt_names();
        let names = names.iter().filter_map(|name| match name {
            GeneralName::Dns(name) => Some(AlternativeName::Dns(name.clone())),
            GeneralName::Uri(name) => Some(AlternativeName::Uri(name.clone())),
            GeneralName::Email(name) => Some(AlternativeName::Email(name.clone())),
            GeneralName::Ip(bytes) => {
                let four = <[u8; 4]>::try_from(bytes.as_slice()).map(Into::into).ok();
                let sixteen = || <[u8; 16]>::try_from(bytes.as_slice()).map(Into::into).ok();
                four.or_else(sixteen).map(AlternativeName::Ip)
            }
            _ => None,
        });
        Ok(CsrBuilder {
            subject: Subject::from_name(&leaf.subject()),
            alternative_names: names.collect(),
            hardware_module: leaf.hardware_module_name(),
            ..CsrBuilder::default()
        })
    }

    fn ask(
        &self,
        operation: Operation,
        shown: Option<&Credential>,
        csr: CsrBuilder,
        code: Option<&BasicCredential>,
        now: UnixTime,
    ) -> Result<(), Failure> {
        let client = self.client(shown)?;
        // INVARIANT: the key is kept before anybody is asked for its certificate, so that an answer
        // that was lost can be asked for again.
        let key = self.pending()?;
        let mut connection = client.connect()?;
        let csr = CsrBuilder { challenge_password: connection.challenge_password(), ..csr };
        let csr = csr
            .build(&key)
            .map_err(|error| Failure::malformed("configuration", error.to_string()))?;
        let product = self.config.identity.label.clone();
        let request = Request::post(operation, product.clone(), &csr, code);
        let issued = certificates(exchange(&mut connection, &request)?)?;
        let leaf = issued.into_iter().next();
        let leaf = leaf.ok_or_else(|| Failure::unavailable("enrolment", "no certificate came"))?;
        crate::fault::point("certificate-issued");
        let wrong = |why: String| Failure::refused("enrolment-wrong", why);
        if leaf.spki_der() != key.public_key().spki() {
            return Err(wrong("the certificate is for another key".to_owned()));
        }
        let serial_number = leaf.serial_number_attribute();
        if serial_number.as_deref() != Some(self.config.identity.serial_number.as_str()) {
            return Err(wrong(format!("the certificate is for {serial_number:?}")));
        }
        let mut connection = client.connect()?;
        let above = exchange(&mut connection, &Request::get(Operation::CaCerts, product))?;
        let above = certificates(above)?;
        let anchors: Anchors = self.roots.iter().cloned().collect();
        // A clock that is a little behind must not lose the certificate that was just issued.
        let now = now.max(leaf.not_before());
        let path = validate(&leaf, &above, &anchors, &Options::client(now))
            .map_err(|error| wrong(format!("its chain does not lead to a root: {error}")))?;
        let chain: Vec<Certificate> =
            path.certificates().iter().filter(|one| !anchors.contains(one)).cloned().collect();
        self.keep(LDEVID, &chain, &key)?;
        files::remove(&self.store.path(PENDING))?;
        let until = leaf.not_after();
        log::info("certificate", &format!("{} until {until}", leaf.subject()));
        Ok(())
    }

    fn basic(&self, code: &Secret) -> Result<BasicCredential, Failure> {
        let bad = |why: &str| Failure::malformed("code", why);
        let text = std::str::from_utf8(code.expose()).map_err(|_| bad("is no text"))?.trim();
        let device = self.config.identity.device;
        let device = device.ok_or_else(|| bad("a code needs identity.device"))?;
        BasicCredential::new(&device.to_string(), text).map_err(|error| bad(&error.to_string()))
    }

    /// The key of the request that is under way, or a new one.
    fn pending(&self) -> Result<SoftwareKey, Failure> {
        if let Some(kept) = self.store.record::<Kept>(PENDING)? {
            let key = self.unseal(PENDING, &kept)?;
            if key.public_key().algorithm() == self.config.identity.algorithm {
                return Ok(key);
            }
        }
        let key = SoftwareKey::generate(self.config.identity.algorithm)
            .map_err(|error| Failure::malformed("configuration", error.to_string()))?;
        self.keep(PENDING, &[], &key)?;
        Ok(key)
    }

    fn credential(&self, name: &str) -> Result<Option<Credential>, Failure> {
        let Some(kept) = self.store.record::<Kept>(name)? else { return Ok(None) };
        let key = self.unseal(name, &kept)?;
        let damaged = || Failure::fatal("state-damaged", format!("{name} holds no certificate"));
        let chain = kept
            .chain
            .iter()
            .map(|text| Certificate::from_der(&STANDARD.decode(text).ok()?).ok())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(damaged)?;
        let leaf = chain.first().ok_or_else(damaged)?;
        if leaf.spki_der() != key.public_key().spki() {
            let detail = format!("{name}: the key is not the certificate's");
            return Err(Failure::fatal("state-damaged", detail));
        }
        Ok(Some(Credential { chain, key: Arc::new(key) }))
    }

    fn keep(&self, name: &str, chain: &[Certificate], key: &SoftwareKey) -> Result<(), Failure> {
        let failed = |error: String| Failure::fatal("sealing-key", error);
        let pkcs8 = key.to_pkcs8().map_err(|error| failed(error.to_string()))?;
        // One label for all: a pending key becomes the device's.
        let sealed = self.sealing.seal(LABEL, &pkcs8).map_err(|error| failed(error.to_string()))?;
        let kept = Kept {
            chain: chain.iter().map(|one| STANDARD.encode(one.der())).collect(),
            key: STANDARD.encode(sealed),
        };
        self.store.keep(name, &kept)
    }

    fn unseal(&self, name: &str, kept: &Kept) -> Result<SoftwareKey, Failure> {
        let failed = |why: String| {
            let detail = format!("{name} does not open on this machine: {why}");
            Failure::fatal("sealing-key", detail)
        };
        let sealed = STANDARD.decode(&kept.key).map_err(|error| failed(error.to_string()))?;
        let pkcs8 = self.sealing.open(LABEL, &sealed).map_err(|error| failed(error.to_string()))?;
        SoftwareKey::from_pkcs8(&pkcs8).map_err(|error| failed(error.to_string()))
    }
}

const LABEL: &str = "tegata-agent key";

/// Certificates that the platform's must lead to.
pub(crate) fn roots(config: &Config) -> Result<Vec<Certificate>, Failure> {
    let path = &config.roots;
    let bad = |why: String| Failure::malformed("roots", format!("{}: {why}", path.display()));
    let bytes = files::read(path, PEM_BYTES_MAX)?;
    let bytes = bytes.ok_or_else(|| bad("is not there".to_owned()))?;
    let roots = Certificate::from_pem_chain(&String::from_utf8_lossy(&bytes), 64)
        .map_err(|error| bad(error.to_string()))?;
    if roots.is_empty() { Err(bad("holds no certificate".to_owned())) } else { Ok(roots) }
}

/// What seals the keys: the key file, and what belongs to this machine. A copy of the disk's state
/// alone opens nothing.
fn sealing_key(config: &Config) -> Result<SealingKey, Failure> {
    let path = &config.identity.sealing_key;
    let bad = |why: String| Failure::malformed("sealing-key", format!("{}: {why}", path.display()));
    files::require_private(path).map_err(|failure| {
        let hint = "make one: head -c 32 /dev/urandom >FILE; chmod 600 FILE";
        Failure { detail: format!("{} ({hint})", failure.detail), ..failure }
    })?;
    let bytes = files::read(path, 4096)?.ok_or_else(|| bad("is not there".to_owned()))?;
    let file = Secret::new(bytes);
    if file.expose().len() < crypto::sealed::KEY_FILE_BYTES_MIN {
        return Err(bad("has fewer than 32 bytes".to_owned()));
    }
    let mut whole = file.expose().to_vec();
    if let Some(path) = &config.identity.bind_to {
        let machine = files::read(path, 4096)?.unwrap_or_default();
        if machine.trim_ascii().is_empty() {
            return Err(bad(format!("bind_to: {} is empty or missing", path.display())));
        }
        let digest = sha256_of(&[b"tegata-agent/machine/v1\0", machine.trim_ascii()]);
        whole.extend_from_slice(digest.as_bytes());
    }
    let whole = Secret::new(whole);
    SealingKey::new(&Unlock::KeyFile(&whole), Cost::default())
        .map_err(|error| bad(error.to_string()))
}

fn exchange(connection: &mut Connection, request: &Request) -> Result<Answer, Failure> {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let mut call = Call { method, path: &request.path, ..Call::default() };
    if request.method == Method::Post {
        call.body = Some(&request.body);
    }
    if let Some(media_type) = request.content_type {
        call = call.with("Content-Type", media_type.to_owned());
    }
    if let Some(authorization) = &request.authorization {
        let value = String::from_utf8_lossy(authorization.expose()).into_owned();
        call = call.with("Authorization", value);
    }
    let most = u64::try_from(RESPONSE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut reply = connection.send(&call)?;
    let body = reply.all(most)?;
    let head = &reply.head;
    let retry_after = head.field("retry-after");
    request
        .answer(head.status, head.field("content-type"), retry_after, &body)
        .map_err(|error| refused(&error, head.retry_after()))
}

fn certificates(answer: Answer) -> Result<Vec<Certificate>, Failure> {
    match answer {
        Answer::Certificates(certificates) => Ok(certificates),
        Answer::Later(seconds) => {
            let detail = format!("not decided yet; ask again in {seconds} s");
            Err(Failure::unavailable("enrolment-later", detail))
        }
        _ => Err(Failure::unavailable("enrolment", "another answer than was asked for")),
    }
}

fn refused(error: &ClientError, retry_after: Option<u64>) -> Failure {
    let detail = error.to_string();
    match error {
        ClientError::Refused { status: 429 | 503, .. } => {
            let seconds = retry_after.unwrap_or(60);
            Failure::unavailable("enrolment-later", format!("{detail}; again in {seconds} s"))
        }
        ClientError::Refused { status: 400..500, .. } => {
            Failure::refused("enrolment-refused", detail)
        }
        _ => Failure::unavailable("enrolment", detail),
    }
}

/// What is known of the device's certificate without opening its key.
pub(crate) fn shown(store: &Store) -> Result<serde_json::Value, Failure> {
    let Some(kept) = store.record::<Kept>(LDEVID)? else { return Ok(serde_json::Value::Null) };
    let leaf = kept.chain.first().and_then(|text| STANDARD.decode(text).ok());
    let leaf = leaf.and_then(|der| Certificate::from_der(&der).ok());
    let damaged = || Failure::fatal("state-damaged", format!("{LDEVID} holds no certificate"));
    let leaf = leaf.ok_or_else(damaged)?;
    Ok(serde_json::json!({
        "subject": leaf.subject().to_string(),
        "serial": leaf.serial().to_string(),
        "fingerprint": leaf.fingerprint().to_string(),
        "not_before": leaf.not_before().to_string(),
        "not_after": leaf.not_after().to_string(),
    }))
}
