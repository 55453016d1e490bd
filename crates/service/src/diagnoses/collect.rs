//! Collectors that look at the running platform: each reads facts, which `assessment` judges.

use super::damaged;
use crate::{
    Service, ServiceError, approvals,
    store::{
        facts as store, meta,
        organisation::{ProductRow, product_by_id},
        person, release,
    },
};
use assessment::Facts;
use crypto::UnixTime;
use device::{RootOfTrust, Strength};
use policy::Act;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Certificates whose keys are looked at.
const CERTIFICATES_MAX: usize = 10_000;
/// From the report of a revocation to its effect, in seconds.
const REVOCATION_S: u64 = 3_600;
/// Leaves that are younger may be on their way to the tree.
const INTEGRATION_S: i64 = 60;
/// A witness that cosigned within this time is there.
const WITNESSED_S: i64 = 86_400;
/// Campaigns of this time count.
const UPDATES_S: i64 = 90 * 86_400;
/// Events of this time count.
const EVENTS_S: i64 = 30 * 86_400;
/// Acts that cannot be undone or touch many devices.
const ACTS: [Act; 6] = [
    Act::RetireCa,
    Act::ChangeRoles,
    Act::Erase,
    Act::RevokeDevice,
    Act::BulkRevoke,
    Act::PublishRelease,
];

/// A collector: reads what the platform knows of a product line.
type Collect = fn(&Looking<'_>) -> Result<Facts, ServiceError>;

/// Every collector of the running platform.
const COLLECTORS: [Collect; 13] = [
    unique_credentials,
    shared_secrets,
    algorithms,
    certificate_expiry,
    revocation_latency,
    history_witnessed,
    update_success,
    firmware_age,
    log_kinds,
    root_of_trust,
    two_person,
    support_end,
    vulnerabilities,
];

/// What collectors look at.
struct Looking<'a> {
    service: &'a Service,
    connection: &'a Connection,
    product: ProductRow,
    now: UnixTime,
}

impl Service {
    /// The facts of a product line, as every collector reads them now.
    pub(super) fn facts(&self, product: i64) -> Result<Vec<Facts>, ServiceError> {
        let now = self.now();
        // A snapshot each: with a large fleet each takes its time, and others want to read as well.
        let one = |collect: &Collect| {
            self.read(|connection| {
                let product = product_by_id(connection, product)?.ok_or_else(damaged)?;
                collect(&Looking { service: self, connection, product, now })
            })
        };
        COLLECTORS.iter().map(one).collect()
    }
}

fn unique_credentials(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let (devices, with_own) = store::credentials(at.connection, at.product.id, at.now)?;
    Ok(Facts::UniqueCredentials { devices, with_own })
}

fn shared_secrets(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let (devices, _) = store::credentials(at.connection, at.product.id, at.now)?;
    Ok(Facts::SharedSecrets {
        devices,
        shared_keys: store::shared_keys(at.connection, at.product.id)?,
        shared_tokens: store::shared_tokens(at.connection, at.product.id, at.now)?,
    })
}

fn algorithms(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let mut used: BTreeMap<String, u64> = BTreeMap::new();
    let mut weak = 0_u64;
    store::each_certificate(at.connection, at.product.id, at.now, CERTIFICATES_MAX, |der| {
        let key = pki::Certificate::from_der(der).ok();
        let key = key.as_ref().and_then(|certificate| certificate.public_key().ok());
        let name = match key.map(crypto::PublicKey::algorithm) {
            Some(crypto::KeyAlgorithm::Rsa(bits)) => {
                weak = weak.saturating_add(u64::from(bits < 2048));
                format!("rsa-{bits}")
            }
            Some(algorithm) => algorithm.to_string(),
            // What this program does not take for a key is none that should be in use.
            None => {
                weak = weak.saturating_add(1);
                "unknown".to_owned()
            }
        };
        let count = used.entry(name).or_default();
        *count = count.saturating_add(1);
    })?;
    Ok(Facts::Algorithms { used: used.into_iter().collect(), weak })
}

fn certificate_expiry(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let (working, ended) = store::ended(at.connection, at.product.id, at.now)?;
    Ok(Facts::CertificateExpiry { working, ended })
}

fn revocation_latency(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let (revoked, seconds_max) = store::revocations(at.connection, at.product.id)?;
    Ok(Facts::RevocationLatency { revoked, seconds_max, seconds_promised: REVOCATION_S })
}

fn history_witnessed(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let size = at.service.log.latest().claimed().size;
    let before = at.now.plus(-INTEGRATION_S);
    let (events, missing) = store::history(at.connection, at.product.id, size, before)?;
    let quorum = meta::text(at.connection, meta::QUORUM)?.and_then(|text| text.parse().ok());
    let since = at.now.plus(-WITNESSED_S);
    let witnesses = at.service.log_health().witnesses;
    let cosigned = witnesses.iter().filter(|one| one.cosigned_at.is_some_and(|then| then > since));
    Ok(Facts::HistoryWitnessed {
        events,
        missing,
        quorum: quorum.unwrap_or(0),
        cosigned: u64::try_from(cosigned.count()).unwrap_or(u64::MAX),
    })
}

fn update_success(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let since = at.now.plus(-UPDATES_S);
    let (succeeded, failed) = store::updates(at.connection, at.product.id, since)?;
    Ok(Facts::UpdateSuccess { succeeded, failed })
}

fn firmware_age(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let newest = store::newest_counters(at.connection, at.product.id)?;
    // Nothing was ever published: nothing can be behind, and nothing is shown.
    let Some(counter) = newest.last() else {
        return Ok(Facts::FirmwareAge { devices: 0, current: 0 });
    };
    let (devices, current) = store::firmware(at.connection, at.product.id, *counter)?;
    Ok(Facts::FirmwareAge { devices, current })
}

fn log_kinds(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let organisation = at.service.organisation_of(at.product.organisation)?.slug;
    let since = at.now.plus(-EVENTS_S);
    let wanted = [
        audit::Kind::AccountChange,
        audit::Kind::ConfigurationChange,
        audit::Kind::CertificateIssued,
        audit::Kind::Enrolment,
    ];
    let wanted: Vec<String> = wanted.iter().map(|kind| kind.name().to_owned()).collect();
    let mut seen = Vec::new();
    for kind in &wanted {
        if store::was_recorded(at.connection, &organisation, kind, since)? {
            seen.push(kind.clone());
        }
    }
    Ok(Facts::LogKinds { wanted, seen })
}

fn root_of_trust(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let root = RootOfTrust::from_code(at.product.root_of_trust.into()).ok_or_else(damaged)?;
    Ok(Facts::RootOfTrust {
        name: root.to_string(),
        hardware: root.strength() != Strength::Software,
    })
}

fn two_person(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let organisation = at.product.organisation;
    let administrators = person::administrators(at.connection, organisation, at.now)?;
    let platform = organisation == at.service.platform.organisation.id;
    let mut guarded = 0_u64;
    for act in ACTS {
        let needs = approvals::required(at.connection, organisation, platform, act, at.now)?;
        guarded = guarded.saturating_add(u64::from(needs));
    }
    Ok(Facts::TwoPerson {
        administrators: u64::try_from(administrators.len()).unwrap_or(u64::MAX),
        acts: u64::try_from(ACTS.len()).unwrap_or(u64::MAX),
        guarded,
    })
}

fn support_end(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let left = at.product.support_end.map(|end| end.0.saturating_sub(at.now.0).div_euclid(86_400));
    Ok(Facts::SupportEnd { days_left: left })
}

fn vulnerabilities(at: &Looking<'_>) -> Result<Facts, ServiceError> {
    let Some(newest) = release::last_published(at.connection, at.product.id)? else {
        return Ok(Facts::Vulnerabilities { known: false, blocking: Vec::new() });
    };
    let of = (newest.organisation, newest.product, newest.version.as_str());
    let blocking = crate::vulnerabilities::blocking(at.connection, of)?;
    Ok(Facts::Vulnerabilities { known: blocking.is_some(), blocking: blocking.unwrap_or_default() })
}
