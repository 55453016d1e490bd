//! A platform small enough to misbehave on demand: EST and an image repository over TLS 1.3.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{KeyAlgorithm, Secret, Signer, SoftwareKey, UnixTime, random, tls::signing_key};
use enrolment::est::body;
use pki::{
    AlternativeName, Certificate, Csr, IssuerInfo, Locations, Profile, Request, Serial, Subject,
    cms::certs_only, prepare,
};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::CertificateDer,
    sign::{CertifiedKey, SingleCertAndKey},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};
use update::{
    Custom, Hashes, Key, Metadata, RoleName, Root, Signed, Signers, TargetFile, Targets, TopRole,
    repository::{Files, Online, Repository, Staged, publish, successor},
    sealed::{Header, KeyStatement, Ticket},
};

pub(crate) const DAY: i64 = 86_400;
/// The target that devices follow.
pub(crate) const TARGET: &str = "gate/bg1/firmware.img";

pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixTime(i64::try_from(since.as_secs()).unwrap())
}

fn new_key(algorithm: KeyAlgorithm) -> SoftwareKey {
    SoftwareKey::generate(algorithm).unwrap()
}

fn serial() -> Serial {
    Serial::from_random(random::bytes())
}

/// How the platform behaves, and what it saw.
#[derive(Default)]
pub(crate) struct Behaviour {
    /// by name below `metadata/`
    pub(crate) metadata: Files,
    /// by name below `targets/`
    pub(crate) targets: BTreeMap<String, Vec<u8>>,
    /// answers ranges with the whole
    pub(crate) no_ranges: bool,
    /// sends so many bytes of a target and hangs up; once
    pub(crate) cut_after: Option<usize>,
    /// sends another byte at this place of a target; once
    pub(crate) alter_at: Option<usize>,
    /// what the director serves, by name below `metadata/`
    pub(crate) director: Files,
    /// the answer to who asks for the proof of an action
    pub(crate) proof: Option<Vec<u8>>,
    /// the log has not taken it up yet
    pub(crate) proof_pending: bool,
    /// one-time code that is good
    pub(crate) code: Option<String>,
    /// issues certificates that live so long, in seconds
    pub(crate) life_s: i64,
    /// and as if issued so long ago, in seconds
    pub(crate) age_s: i64,
    /// issues and hangs up before the answer; once
    pub(crate) lose_certificate: bool,
    /// the answer to every poll
    pub(crate) poll: Value,
    /// what devices said of themselves when they polled
    pub(crate) polls: Vec<Value>,
    /// what devices said about actions
    pub(crate) feedback: Vec<Value>,
    /// encryption keys that devices stated
    pub(crate) statements: Vec<Vec<u8>>,
    /// what is sealed: where its tickets belong in the answer to a poll, once a key is stated
    pub(crate) sealed: Vec<(&'static str, Header, Secret)>,
    /// answers feedback with 503
    pub(crate) deaf: bool,
    /// certificates that were issued
    pub(crate) issued: Vec<Certificate>,
    /// request lines and Range of targets, in order
    pub(crate) log: Vec<String>,
}

pub(crate) struct Site {
    pub(crate) address: String,
    pub(crate) root: Certificate,
    pub(crate) first_root: Vec<u8>,
    behaviour: Arc<Mutex<Behaviour>>,
    keys: [SoftwareKey; 4],
}

struct Authority {
    certificate: Certificate,
    key: SoftwareKey,
    info: IssuerInfo,
}

impl Authority {
    fn issue(&self, profile: Profile, request: &Request) -> Certificate {
        prepare(profile, &self.info, request).unwrap().sign(&self.key).unwrap()
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let (root, issuing) = authorities();
        let behaviour = Behaviour {
            life_s: 90 * DAY,
            age_s: 60,
            poll: json!({"next_poll_s": 30}),
            code: Some("CODE-1".to_owned()),
            ..Behaviour::default()
        };
        let behaviour = Arc::new(Mutex::new(behaviour));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let config = server_config(&issuing);
        let shared = behaviour.clone();
        let certificate = root.certificate.clone();
        std::thread::spawn(move || {
            let issuing = Arc::new(issuing);
            for stream in listener.incoming().flatten() {
                let (config, shared, issuing) = (config.clone(), shared.clone(), issuing.clone());
                // Whoever hangs up in the middle is the business of the other side.
                std::thread::spawn(move || serve(stream, config, &shared, &issuing));
            }
        });
        let keys = TopRole::ALL.map(|_| new_key(KeyAlgorithm::Ed25519));
        let mut site = Self { address, root: certificate, first_root: Vec::new(), behaviour, keys };
        site.begin();
        site
    }

    pub(crate) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap()
    }

    pub(crate) fn key(&self, role: TopRole) -> &SoftwareKey {
        &self.keys[role as usize]
    }

    fn begin(&mut self) {
        let root = Root::new(now().plus(365 * DAY), |role| Signers {
            keys: vec![Key::from_public(self.key(role).public_key()).unwrap()],
            threshold: 1,
        })
        .unwrap();
        self.first_root = signed(root, self.key(TopRole::Root));
        let targets = Targets::new(now().plus(90 * DAY));
        let targets = signed(targets, self.key(TopRole::Targets));
        let role = RoleName::from(TopRole::Targets);
        self.publish(&Staged {
            root: Some(self.first_root.clone()),
            targets: [(role, targets)].into(),
        });
    }

    /// Publishes an image as the followed target.
    pub(crate) fn release(&self, image: &[u8], custom: &Custom) {
        self.release_at(TARGET, image, custom);
    }

    /// Publishes a file as a target.
    pub(crate) fn release_at(&self, path: &str, image: &[u8], custom: &Custom) {
        let hashes = Hashes::sha256_of(image);
        let name = hashes.get("sha256").unwrap().to_owned();
        let file = TargetFile::new(image.len() as u64, hashes, custom);
        let role = RoleName::from(TopRole::Targets);
        let metadata = self.behaviour().metadata.clone();
        let repository = Repository::open(&metadata).unwrap().unwrap();
        let old = &repository.targets(&role).unwrap().content;
        let mut next: Targets = successor(&**old, &role, now().plus(90 * DAY)).unwrap();
        next.targets.insert(path.into(), file);
        let next = signed(next, self.key(TopRole::Targets));
        let (folder, file) = path.rsplit_once('/').unwrap();
        let name = format!("{folder}/{name}.{file}");
        self.behaviour().targets.insert(name, image.to_vec());
        self.publish(&Staged { root: None, targets: [(role, next)].into() });
    }

    /// Tells devices to install an image under an action's number.
    pub(crate) fn assign(&self, action: u64, image: &[u8]) {
        let sha256 = crypto::sha256(image).to_string();
        self.behaviour().poll = json!({"next_poll_s": 30, "install": {
            "action": action, "campaign": "c", "purpose": "update", "release": "r", "version": "x",
            "release_counter": 1, "security_version": 1, "force": false, "confirm_needed": false,
            "deadline": "2040-01-01T00:00:00Z", "artifacts": [{"name": "firmware.img",
                "path": TARGET, "sha256": sha256, "length": image.len(),
                "hardware_ids": ["gate-bg1"]}]}});
    }

    /// What devices said about an action, in order, each word once.
    pub(crate) fn heard(&self, action: u64) -> Vec<String> {
        let behaviour = self.behaviour();
        let about = behaviour.feedback.iter().filter(|said| said["action"] == action);
        let mut words: Vec<String> =
            about.map(|said| said["execution"].as_str().unwrap().to_owned()).collect();
        words.dedup();
        words
    }

    fn publish(&self, staged: &Staged) {
        let present = self.behaviour().metadata.clone();
        let present = Repository::open(&present).unwrap();
        let online = Online {
            snapshot: vec![self.key(TopRole::Snapshot)],
            timestamp: vec![self.key(TopRole::Timestamp)],
            snapshot_expires: now().plus(7 * DAY),
            timestamp_expires: now().plus(DAY),
        };
        let publication = publish(present.as_ref(), staged, &online, now()).unwrap();
        self.behaviour().metadata.extend(publication.files);
    }
}

fn signed<R: Metadata>(content: R, signer: &SoftwareKey) -> Vec<u8> {
    let mut signed = Signed::draft(content);
    let key = Key::from_public(signer.public_key()).unwrap();
    signed.sign(&key.computed_id(), &key, signer).unwrap();
    signed.to_bytes().unwrap()
}

/// What the owner says about a release.
pub(crate) fn custom(counter: u64) -> Custom {
    Custom {
        hardware_ids: vec!["gate-bg1".into()],
        version: Some(format!("{counter}.0")),
        security_version: Some(counter),
        release_counter: Some(counter),
        ..Custom::default()
    }
}

fn authorities() -> (Authority, Authority) {
    let (from, to) = (now().plus(-DAY), now().plus(20 * 365 * DAY));
    let key = new_key(KeyAlgorithm::EcdsaP256);
    let subject = Subject { organisation: "Test".into(), ..Subject::named("Test root") };
    let info = IssuerInfo::self_signed(&subject, key.public_key(), from, to).unwrap();
    let request = Request::new(serial(), subject, key.public_key().clone(), (from, to));
    let certificate = prepare(Profile::Root, &info, &request).unwrap().sign(&key).unwrap();
    let info = IssuerInfo::from_certificate(&certificate, Locations::default()).unwrap();
    let root = Authority { certificate, key, info };
    let key = new_key(KeyAlgorithm::EcdsaP256);
    let subject = Subject { organisation: "Test".into(), ..Subject::named("Test issuing CA") };
    let mut request = Request::new(serial(), subject, key.public_key().clone(), (from, to));
    request.path_length = Some(0);
    let certificate = root.issue(Profile::IssuingCa, &request);
    let info = IssuerInfo::from_certificate(&certificate, Locations::default()).unwrap();
    (root, Authority { certificate, key, info })
}

fn server_config(issuing: &Authority) -> Arc<ServerConfig> {
    let key = new_key(KeyAlgorithm::EcdsaP256);
    let subject = Subject { organisation: "Test".into(), ..Subject::named("localhost") };
    let times = (now().plus(-DAY), now().plus(80 * DAY));
    let mut request = Request::new(serial(), subject, key.public_key().clone(), times);
    request.alternative_names = vec![AlternativeName::Ip([127, 0, 0, 1].into())];
    let leaf = issuing.issue(Profile::Service, &request);
    let chain = [&leaf, &issuing.certificate];
    let chain = chain.map(|one| CertificateDer::from(one.der().to_vec())).to_vec();
    let certified = CertifiedKey::new(chain, signing_key(Arc::new(key)));
    let config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])
    .unwrap()
    .with_no_client_auth()
    .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    Arc::new(config)
}

struct Asked {
    method: String,
    path: String,
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    shared: &Mutex<Behaviour>,
    issuing: &Authority,
) -> Option<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    loop {
        let asked = read(&mut stream)?;
        let range = asked.fields.get("range").cloned().unwrap_or_default();
        shared.lock().unwrap().log.push(format!("{} {} {range}", asked.method, asked.path));
        let path = asked.path.as_str();
        if let Some(operation) = path.strip_prefix("/.well-known/est/") {
            est(&mut stream, operation, &asked, shared, issuing)?;
        } else if let Some(name) = path.strip_prefix("/tuf/director/kairo/metadata/") {
            let file = shared.lock().unwrap().director.get(name).cloned();
            whole(&mut stream, file)?;
        } else if path.starts_with("/v1/update/actions/") {
            let (proof, pending) = {
                let behaviour = shared.lock().unwrap();
                (behaviour.proof.clone(), behaviour.proof_pending)
            };
            if pending {
                let problem = json!({"status": 503, "code": "proof-pending"}).to_string();
                let kind = "Content-Type: application/problem+json\r\n";
                answer(&mut stream, "503 Service Unavailable", kind, problem.as_bytes())?;
            } else {
                whole(&mut stream, proof)?;
            }
        } else if let Some(name) = path.strip_prefix("/tuf/kairo/metadata/") {
            let file = shared.lock().unwrap().metadata.get(name).cloned();
            whole(&mut stream, file)?;
        } else if let Some(name) = path.strip_prefix("/tuf/kairo/targets/") {
            target(&mut stream, name, &range, shared)?;
        } else if path.starts_with("/v1/update/") {
            update(&mut stream, path, &asked, shared)?;
        } else {
            whole(&mut stream, None)?;
        }
    }
}

fn update(stream: &mut Stream, path: &str, asked: &Asked, shared: &Mutex<Behaviour>) -> Option<()> {
    let said: Value = serde_json::from_slice(&asked.body).unwrap();
    let mut behaviour = shared.lock().unwrap();
    if path == "/v1/update/poll" {
        behaviour.polls.push(said);
        let body = behaviour.poll.to_string();
        drop(behaviour);
        return answer(stream, "200 OK", "Content-Type: application/json\r\n", body.as_bytes());
    }
    if path == "/v1/update/encryption-key" {
        let statement = STANDARD.decode(said["statement"].as_str().unwrap()).unwrap();
        let key = KeyStatement::claimed(&statement).unwrap().key;
        for (place, header, secret) in std::mem::take(&mut behaviour.sealed) {
            let ticket = Ticket::wrap(&secret, &header, &key).unwrap().to_bytes();
            let tickets = behaviour.poll.pointer_mut(place).unwrap();
            *tickets = json!([STANDARD.encode(ticket)]);
        }
        behaviour.poll["install"]["encryption_key_wanted"] = json!(false);
        behaviour.statements.push(statement);
        drop(behaviour);
        return answer(stream, "204 No Content", "", b"");
    }
    let deaf = behaviour.deaf;
    if !deaf {
        behaviour.feedback.push(said);
    }
    drop(behaviour);
    let status = if deaf { "503 Service Unavailable" } else { "204 No Content" };
    answer(stream, status, "", b"")
}

fn read(stream: &mut Stream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let fields: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = fields.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = bytes.split_off(end);
    while body.len() < length {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        body.extend_from_slice(&buffer[..read]);
    }
    Some(Asked { method, path, fields, body })
}

fn answer(stream: &mut Stream, status: &str, fields: &str, body: &[u8]) -> Option<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    stream.flush().ok()
}

fn whole(stream: &mut Stream, file: Option<Vec<u8>>) -> Option<()> {
    match file {
        Some(bytes) => answer(stream, "200 OK", "", &bytes),
        None => answer(stream, "404 Not Found", "", b""),
    }
}

fn target(stream: &mut Stream, name: &str, range: &str, shared: &Mutex<Behaviour>) -> Option<()> {
    let mut behaviour = shared.lock().unwrap();
    let Some(bytes) = behaviour.targets.get(name).cloned() else {
        drop(behaviour);
        return whole(stream, None);
    };
    let from: usize = range
        .strip_prefix("bytes=")
        .and_then(|range| range.strip_suffix('-'))
        .filter(|_| !behaviour.no_ranges)
        .map_or(0, |text| text.parse().unwrap());
    let mut body = bytes[from..].to_vec();
    if let Some(at) = behaviour.alter_at.filter(|at| *at >= from) {
        body[at - from] ^= 1;
        behaviour.alter_at = None;
    }
    let cut = behaviour.cut_after.take();
    drop(behaviour);
    let length = bytes.len();
    let fields = match from {
        0 => String::new(),
        _ => format!("Content-Range: bytes {from}-{}/{length}\r\n", length - 1),
    };
    let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    if let Some(cut) = cut {
        stream.write_all(&body[..cut]).ok()?;
        stream.flush().ok()?;
        return None;
    }
    stream.write_all(&body).ok()?;
    stream.flush().ok()
}

fn est(
    stream: &mut Stream,
    operation: &str,
    asked: &Asked,
    shared: &Mutex<Behaviour>,
    issuing: &Authority,
) -> Option<()> {
    let certificates = "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n";
    if operation == "cacerts" {
        let body = body::encode(&certs_only(std::slice::from_ref(&issuing.certificate)));
        return answer(stream, "200 OK", certificates, &body);
    }
    let csr = Csr::parse(&body::decode(&asked.body).unwrap()).unwrap().verify().unwrap();
    let mut behaviour = shared.lock().unwrap();
    let code = asked.fields.get("authorization").and_then(|value| {
        let credential = enrolment::est::BasicCredential::parse(value).ok()?;
        Some(credential.password().to_owned())
    });
    // This platform asks for no client certificate: a renewal is known by its operation.
    let good = match operation {
        "simpleenroll" => code.is_some() && code == behaviour.code,
        _ => operation == "simplereenroll",
    };
    if !good || csr.challenge_password().is_none() {
        drop(behaviour);
        return answer(
            stream,
            "403 Forbidden",
            "Content-Type: text/plain\r\n",
            b"the code is used",
        );
    }
    behaviour.code = None;
    let subject = Subject {
        organisation: "kawa".into(),
        serial_number: csr.serial_number_attribute().unwrap(),
        ..Subject::default()
    };
    let from = now().plus(-behaviour.age_s);
    let times = (from, now().plus(behaviour.life_s));
    let mut request = Request::new(serial(), subject, csr.public_key().clone(), times);
    request.alternative_names = vec![AlternativeName::Uri("urn:tegata:device:test".into())];
    let certificate = issuing.issue(Profile::Ldevid, &request);
    behaviour.issued.push(certificate.clone());
    let lose = std::mem::take(&mut behaviour.lose_certificate);
    drop(behaviour);
    if lose {
        return None;
    }
    answer(stream, "200 OK", certificates, &body::encode(&certs_only(&[certificate])))
}
