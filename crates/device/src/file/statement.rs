use crate::{
    DeviceId, ManagementNumber, OrganisationId, Phase, Roles, StandingKind, State,
    cbor::{CborError, Fields, Map, Value, array, bytes_item, text_item, uint_item},
    event::{CredentialProfile, NamedRelease, Part, details as d},
    passport::{PartFact, ReleaseFact, Revocation},
    state::PARTS_MAX,
};
use crypto::{
    PublicKey, Sha256, Signer, UnixTime, Verified,
    cose::{CoseError, Sign1},
};
use ledger::TreeHead;

/// Content type in the protected header of a statement.
pub const STATEMENT_CONTENT_TYPE: &str = "application/vnd.tegata.passport+cbor";
const VERSION: u64 = 1;
const ORGANISATIONS_MAX: u64 = 1024;
const CERTIFICATES_MAX: u64 = 64;
const ELSEWHERE_MAX: u64 = 64;
const ORIGIN_BYTES_MAX: usize = 255;

/// What the platform vouches for about one of the device's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedCertificate {
    /// SHA-256 of the DER
    pub fingerprint: Sha256,
    /// which certificate it is
    pub profile: CredentialProfile,
    /// good, revoked or suspended, as of the statement
    pub revocation: Revocation,
}

/// The last proof of possession that the platform saw and accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatedProof {
    /// SHA-256 of the signed proof
    pub digest: Sha256,
    /// when it was received
    pub received_at: UnixTime,
}

/// What the platform vouches for, signed by its passport signer: everything that events and log
/// alone do not show. docs/passport.md lists the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// the platform
    pub platform: OrganisationId,
    /// what the whole history adds up to: device, maker, owner, standing, count and head of events
    pub state: State,
    /// number on the label
    pub management_number: Option<ManagementNumber>,
    /// roles of the organisations that reported events; those without a role are left out
    pub roles: Vec<(OrganisationId, Roles)>,
    /// certificates on record that matter now
    pub certificates: Vec<StatedCertificate>,
    /// highest counter seen of each key
    pub counters: Vec<(Sha256, u64)>,
    /// last accepted proof of possession
    pub proof: Option<StatedProof>,
    /// each part, its status, and where else it is seen
    pub parts: Vec<PartFact>,
    /// devices that list this one as a part
    pub hosts: Vec<DeviceId>,
    /// state after each run of erased events: sequence of its last event, SHA-256 of the state
    pub erased: Vec<(u64, Sha256)>,
    /// certificates of signers of events that were revoked: SHA-256 of the DER, since when
    pub revoked_signers: Vec<(Sha256, UnixTime)>,
    /// what its maker has published for its product
    pub newest_release: Option<ReleaseFact>,
    /// the tree that the inclusion proofs lead to
    pub tree: TreeHead,
    /// when it was made
    pub issued_at: UnixTime,
    /// not to be used from this time on
    pub expires: UnixTime,
}

impl Statement {
    /// Signs the statement with the passport signer's key.
    ///
    /// # Errors
    /// [`CoseError`] where signing fails, or where lists are longer than a verifier accepts.
    pub fn sign(&self, signer: &dyn Signer) -> Result<SignedStatement, CoseError> {
        let payload = self.encode();
        if Self::decode(&payload).is_err() {
            return Err(CoseError::Malformed(
                "statement has lists that are too long or not sorted",
            ));
        }
        let bytes = Sign1::sign(signer, STATEMENT_CONTENT_TYPE, &payload, b"")?;
        SignedStatement::parse(&bytes)
            .map_err(|_| CoseError::Malformed("statement cannot be read back"))
    }

    fn encode(&self) -> Vec<u8> {
        let roles = self
            .roles
            .iter()
            .map(|(name, roles)| array([text_item(name.as_str()), uint_item(roles.bits().into())]));
        let counters = self
            .counters
            .iter()
            .map(|(key, counter)| array([bytes_item(key.as_ref()), uint_item(*counter)]));
        let erased = self
            .erased
            .iter()
            .map(|(sequence, state)| array([uint_item(*sequence), bytes_item(state.as_ref())]));
        let revoked = self
            .revoked_signers
            .iter()
            .map(|(certificate, at)| array([bytes_item(certificate.as_ref()), int_item(*at)]));
        let tree = Map::new()
            .text(1, &self.tree.origin)
            .uint(2, self.tree.size)
            .bytes(3, self.tree.root.as_ref())
            .finish();
        Map::new()
            .uint(1, VERSION)
            .text(2, self.platform.as_str())
            .raw(3, &self.state.encode())
            .with(self.management_number, |map, number| map.text(4, &number.to_string()))
            .array(5, roles)
            .array(6, self.certificates.iter().map(certificate_item))
            .array(7, counters)
            .with(self.proof, |map, proof| {
                let item = array([bytes_item(proof.digest.as_ref()), int_item(proof.received_at)]);
                map.raw(8, &item)
            })
            .array(9, self.parts.iter().map(part_item))
            .array(10, self.hosts.iter().map(|host| bytes_item(host.as_bytes())))
            .array(11, erased)
            .array(12, revoked)
            .raw(13, &tree)
            .int(14, self.issued_at.0)
            .int(15, self.expires.0)
            .with(self.newest_release.as_ref(), |map, fact| {
                let item = Map::new()
                    .text(1, &fact.newest.version)
                    .uint(2, fact.newest.release_counter)
                    .uint(3, fact.newest.security_version)
                    .uint(4, fact.security_floor)
                    .finish();
                map.raw(16, &item)
            })
            .finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut f = Fields::read(bytes)?;
        let version = f.need(1)?.uint()?;
        if version != VERSION {
            return Err(CborError::Version(version));
        }
        let statement = Self {
            platform: d::organisation(f.need(2)?)?,
            state: State::decode(f.need(3)?.encoded())?,
            management_number: f.take(4).map(management_number).transpose()?,
            roles: list(f.need(5)?, ORGANISATIONS_MAX, role)?,
            certificates: list(f.need(6)?, CERTIFICATES_MAX, certificate)?,
            counters: list(f.need(7)?, CERTIFICATES_MAX, |item| {
                let [key, counter] = pair(item)?;
                Ok((d::digest(key)?, counter.uint()?))
            })?,
            proof: f.take(8).map(proof).transpose()?,
            parts: list(f.need(9)?, PARTS_MAX as u64, part)?,
            hosts: list(f.need(10)?, ELSEWHERE_MAX, d::device)?,
            erased: list(f.need(11)?, super::EVENTS_MAX, |item| {
                let [sequence, state] = pair(item)?;
                Ok((sequence.uint()?, d::digest(state)?))
            })?,
            revoked_signers: list(f.need(12)?, ORGANISATIONS_MAX, |item| {
                let [certificate, at] = pair(item)?;
                Ok((d::digest(certificate)?, UnixTime(at.int()?)))
            })?,
            tree: tree(f.need(13)?)?,
            issued_at: UnixTime(f.need(14)?.int()?),
            expires: UnixTime(f.need(15)?.int()?),
            newest_release: f.take(16).map(release_fact).transpose()?,
        };
        f.finish()?;
        if statement.encode() != bytes {
            return Err(CborError::NotDeterministic);
        }
        Ok(statement)
    }

    /// Roles of an organisation.
    pub fn roles_of(&self, organisation: &OrganisationId) -> Roles {
        self.roles
            .iter()
            .find(|(name, _)| name == organisation)
            .map_or(Roles::NONE, |(_, roles)| *roles)
    }
}

/// A statement in its COSE_Sign1 envelope. Parsed, not verified.
#[derive(Debug, Clone)]
pub struct SignedStatement {
    envelope: Sign1,
    statement: Statement,
}

impl SignedStatement {
    /// Reads a signed statement.
    ///
    /// # Errors
    /// [`super::FileError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, super::FileError> {
        let envelope = Sign1::parse(bytes)?;
        if envelope.content_type() != STATEMENT_CONTENT_TYPE {
            return Err(super::FileError::ContentType);
        }
        let statement = Statement::decode(envelope.unverified_payload())?;
        Ok(Self { envelope, statement })
    }

    /// Checks the signature by `key`. That the key is the platform's passport signer's is the
    /// caller's to know.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn verify(&self, key: &PublicKey) -> Result<Verified<&Statement>, CoseError> {
        self.envelope.verify(key, b"")?;
        Ok(Verified::assertion(&self.statement))
    }

    /// The statement. Unverified.
    pub fn unverified(&self) -> &Statement {
        &self.statement
    }

    /// Fingerprint of the key that claims to have signed. Unverified.
    pub fn key_id(&self) -> Sha256 {
        self.envelope.key_id()
    }

    /// The bytes as received.
    pub fn as_bytes(&self) -> &[u8] {
        self.envelope.as_bytes()
    }
}

fn list<'b, T>(
    value: Value<'b>,
    most: u64,
    read: impl Fn(Value<'b>) -> Result<T, CborError>,
) -> Result<Vec<T>, CborError> {
    value.items(most)?.into_iter().map(read).collect()
}

fn pair(item: Value<'_>) -> Result<[Value<'_>; 2], CborError> {
    item.items(2)?.try_into().map_err(|_| item.bad("an array of two"))
}

fn int_item(time: UnixTime) -> Vec<u8> {
    let mut out = Vec::new();
    crate::cbor::int(&mut out, time.0);
    out
}

fn management_number(value: Value<'_>) -> Result<ManagementNumber, CborError> {
    value.text(23)?.parse().map_err(|_| value.bad("a management number"))
}

fn role(item: Value<'_>) -> Result<(OrganisationId, Roles), CborError> {
    let [name, roles] = pair(item)?;
    Ok((d::organisation(name)?, Roles::from_bits(roles.uint()?).ok_or(roles.bad("roles"))?))
}

fn proof(item: Value<'_>) -> Result<StatedProof, CborError> {
    let [digest, at] = pair(item)?;
    Ok(StatedProof { digest: d::digest(digest)?, received_at: UnixTime(at.int()?) })
}

fn certificate_item(certificate: &StatedCertificate) -> Vec<u8> {
    let map = Map::new()
        .bytes(1, certificate.fingerprint.as_ref())
        .uint(2, certificate.profile.code().into());
    match certificate.revocation {
        Revocation::Good { as_of } => map.uint(3, 1).int(4, as_of.0),
        Revocation::Revoked { at } => map.uint(3, 2).int(4, at.0),
        Revocation::Suspended { at } => map.uint(3, 3).int(4, at.0),
        Revocation::Unknown => map.uint(3, 4),
    }
    .finish()
}

fn certificate(item: Value<'_>) -> Result<StatedCertificate, CborError> {
    let mut f = item.fields()?;
    let fingerprint = d::digest(f.need(1)?)?;
    let profile = CredentialProfile::from_code(f.need(2)?.uint()?);
    let status = f.need(3)?.uint()?;
    let at = match f.take(4) {
        Some(value) => Some(UnixTime(value.int()?)),
        None => None,
    };
    f.finish()?;
    let revocation = match (status, at) {
        (1, Some(as_of)) => Revocation::Good { as_of },
        (2, Some(at)) => Revocation::Revoked { at },
        (3, Some(at)) => Revocation::Suspended { at },
        (4, None) => Revocation::Unknown,
        _ => return Err(item.bad("a revocation status with its time")),
    };
    let profile = profile.ok_or(item.bad("a credential profile"))?;
    Ok(StatedCertificate { fingerprint, profile, revocation })
}

fn part_item(fact: &PartFact) -> Vec<u8> {
    Map::new()
        .raw(1, &d::part_item(&fact.part))
        .with(fact.status, |map, (phase, standing)| {
            map.uint(2, phase.code().into()).uint(3, standing.code().into())
        })
        .array(4, fact.elsewhere.iter().map(|device| bytes_item(device.as_bytes())))
        .finish()
}

fn part(item: Value<'_>) -> Result<PartFact, CborError> {
    let mut f = item.fields()?;
    let part: Part = d::part(f.need(1)?)?;
    let status = match f.take(2) {
        Some(phase) => {
            let standing = f.need(3)?;
            Some((
                Phase::from_code(phase.uint()?).ok_or(phase.bad("a phase"))?,
                StandingKind::from_code(standing.uint()?).ok_or(standing.bad("a standing"))?,
            ))
        }
        None => None,
    };
    let elsewhere = list(f.need(4)?, ELSEWHERE_MAX, d::device)?;
    f.finish()?;
    Ok(PartFact { part, status, elsewhere })
}

fn release_fact(value: Value<'_>) -> Result<ReleaseFact, CborError> {
    let mut f = value.fields()?;
    let fact = ReleaseFact {
        newest: NamedRelease {
            version: f.need(1)?.text(d::VERSION_MAX)?.to_owned(),
            release_counter: f.need(2)?.uint()?,
            security_version: f.need(3)?.uint()?,
        },
        security_floor: f.need(4)?.uint()?,
    };
    f.finish()?;
    Ok(fact)
}

fn tree(value: Value<'_>) -> Result<TreeHead, CborError> {
    let mut f = value.fields()?;
    let tree = TreeHead {
        origin: f.need(1)?.text(ORIGIN_BYTES_MAX)?.to_owned(),
        size: f.need(2)?.uint()?,
        root: d::digest(f.need(3)?)?,
    };
    f.finish()?;
    Ok(tree)
}
