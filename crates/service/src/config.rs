//! Settings, and what the outside world must lend the service: a clock and witnesses.

use crate::{ServiceError, fault::Faults};
use crypto::UnixTime;
use device::OrganisationId;
use std::sync::Arc;

/// Where the time comes from. Servers read the machine's clock once, tests set it.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> UnixTime;
}

/// Reaches a witness (C2SP tlog-witness). Called on a thread of its own, so it may block; it must
/// come back within a few seconds.
pub trait WitnessClient: Send + Sync {
    /// The witness's verification key, in the string form of signed-note.
    fn key(&self) -> &str;
    /// Posts the body of an `add-checkpoint` request; returns status and body of the answer.
    ///
    /// # Errors
    /// A text for the log where the witness cannot be reached.
    fn add_checkpoint(&self, body: &[u8]) -> Result<(u16, Vec<u8>), String>;
}

/// Where certificates say that revocation status is found. `{ca}` stands for the CA's name.
#[derive(Clone, Debug, Default)]
pub struct Urls {
    /// CRL, e.g. `http://pki.example/crl/{ca}.crl`
    pub crl: Option<String>,
    /// OCSP responder, e.g. `http://pki.example/ocsp`
    pub ocsp: Option<String>,
    /// certificate of the CA in DER, e.g. `http://pki.example/ca/{ca}.der`
    pub ca_issuers: Option<String>,
}

/// What is known of where visitors come from, of the public page and of the console.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// where networks are
    pub table: Option<Arc<crate::PlaceTable>>,
    /// proxies before the door for people whose headers are believed: `X-Forwarded-For` for the
    /// address, and `Tegata-Place: LATITUDE,LONGITUDE` for the place. Nobody's by default.
    pub proxies: Vec<crate::Network>,
}

/// Limits on what one caller may ask for at a time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// events in one call
    pub events_per_call: usize,
    /// devices in one call
    pub devices_per_call: usize,
    /// items in one page
    pub page: u32,
    /// challenges that may be open at a time
    pub challenges: usize,
    /// pre-signed OCSP answers kept in memory
    pub ocsp_answers: usize,
    /// bytes of one uploaded file
    pub blob_bytes: u64,
    /// bytes of all files of one organisation, those on their way included
    pub blob_bytes_per_organisation: u64,
    /// files of one organisation
    pub files_per_organisation: u64,
    /// bytes of SBOMs, advisories and VEX documents that are kept for one organisation, but for the
    /// platform's own; each counts as 1 KiB at least
    pub document_bytes_per_organisation: u64,
    /// files of one organisation on their way at a time
    pub uploads_per_organisation: u64,
    /// bytes that stay free on the disk of the data directory, whatever is uploaded
    pub disk_reserve_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events_per_call: 10_000,
            devices_per_call: 10_000,
            page: 1000,
            challenges: 100_000,
            ocsp_answers: 50_000,
            blob_bytes: 256 << 30,
            blob_bytes_per_organisation: 1 << 40,
            files_per_organisation: 100_000,
            document_bytes_per_organisation: 8 << 30,
            uploads_per_organisation: 64,
            disk_reserve_bytes: 1 << 30,
        }
    }
}

/// How long people may stay and how long their links work, in seconds. Each has bounds, beyond which
/// opening refuses: a session without an end is none.
#[derive(Clone, Debug)]
pub struct PeopleConfig {
    /// a session ends when nothing is done for so long: 1 minute to 1 hour
    pub idle_s: i64,
    /// a session ends after so long whatever is done: 10 minutes to 24 hours
    pub absolute_s: i64,
    /// sensitive acts want a passkey shown so recently: 30 seconds to 15 minutes
    pub fresh_s: i64,
    /// the first administrator's link: 5 minutes to 24 hours
    pub first_link_s: i64,
    /// an invitation: 10 minutes to 7 days
    pub invitation_s: i64,
    /// a recovery link: 10 minutes to 24 hours
    pub recovery_s: i64,
    /// a request waits for a second person: 10 minutes to 30 days
    pub approval_s: i64,
    /// what was approved can be used: 10 minutes to 7 days
    pub approved_s: i64,
}

impl Default for PeopleConfig {
    fn default() -> Self {
        Self {
            idle_s: 15 * 60,
            absolute_s: 12 * 3600,
            fresh_s: 5 * 60,
            first_link_s: 3600,
            invitation_s: 72 * 3600,
            recovery_s: 3600,
            approval_s: 72 * 3600,
            approved_s: 24 * 3600,
        }
    }
}

impl PeopleConfig {
    /// Refuses what is out of bounds.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        const DAY: i64 = 86_400;
        for (name, value, bounds) in [
            ("idle_s", self.idle_s, 60..=3600),
            ("absolute_s", self.absolute_s, 600..=DAY),
            ("fresh_s", self.fresh_s, 30..=900),
            ("first_link_s", self.first_link_s, 300..=DAY),
            ("invitation_s", self.invitation_s, 600..=7 * DAY),
            ("recovery_s", self.recovery_s, 600..=DAY),
            ("approval_s", self.approval_s, 600..=30 * DAY),
            ("approved_s", self.approved_s, 600..=7 * DAY),
        ] {
            if !bounds.contains(&value) {
                return Err(ServiceError::malformed(
                    "people-config",
                    format!(
                        "{name} is {value} seconds; choose {} to {}",
                        bounds.start(),
                        bounds.end()
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// How the service behaves. The default fits one machine.
#[derive(Clone)]
pub struct Config {
    /// witnesses that are asked to cosign checkpoints
    pub witnesses: Vec<Arc<dyn WitnessClient>>,
    /// longest time between a commit and its checkpoint, in milliseconds
    pub integrate_ms: u64,
    /// read-only connections to the store
    pub readers: usize,
    /// page cache of the writer, in KiB
    pub writer_cache_kib: i64,
    /// page cache of each reader, in KiB
    pub reader_cache_kib: i64,
    /// validity of an OCSP answer, in seconds
    pub ocsp_validity_s: i64,
    /// validity of a CRL, in seconds
    pub crl_validity_s: i64,
    /// validity of an LDevID, in seconds
    pub ldevid_validity_s: i64,
    /// validity of members', signers' and services' certificates, in seconds
    pub member_validity_s: i64,
    /// how long an expired LDevID can be replaced with the help of the IDevID, in seconds
    pub grace_s: i64,
    /// lifetime of a challenge, in seconds
    pub challenge_s: i64,
    /// how long a passport file may be used, in seconds
    pub passport_s: i64,
    /// how long the export of a passport file waits for witnesses, in milliseconds
    pub cosignature_wait_ms: u64,
    /// whether passport files are handed out that fewer witnesses cosigned than the installation's
    /// quorum; readers who ask for the quorum will call their log unverified
    pub passports_unwitnessed: bool,
    /// hwType of hardware module names in IDevIDs (RFC 4108): an identifier below the operator's own
    /// enterprise number; the default is the arc for documentation (RFC 5612)
    pub hardware_type: pki::ObjectIdentifier,
    /// URLs put into certificates
    pub urls: Urls,
    /// what verdicts demand
    pub judge: device::JudgePolicy,
    /// origin of the console as people type it, such as `https://console.example`; passkeys are bound
    /// to its host. `None`: there is no console, and nobody signs in
    pub console_url: Option<String>,
    /// folder of advisories that is watched, for everybody's products
    pub advisories: Option<std::path::PathBuf>,
    /// how often it is looked through, in milliseconds
    pub advisories_ms: u64,
    /// how often the running platform is looked at for evidence of diagnosed products, in seconds; 0:
    /// only when asked
    pub evidence_s: i64,
    /// the font of reports as PDF, with Japanese characters; `None`: the first of those that systems
    /// usually have
    pub report_font: Option<std::path::PathBuf>,
    /// how people sign in
    pub people: PeopleConfig,
    /// where visitors of the public page come from
    pub places: Places,
    /// limits
    pub limits: Limits,
    /// faults for tests; by default those of the environment variable
    pub faults: Option<Faults>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            witnesses: Vec::new(),
            integrate_ms: 300,
            readers: 4,
            writer_cache_kib: 128 * 1024,
            reader_cache_kib: 16 * 1024,
            ocsp_validity_s: 3600,
            crl_validity_s: 24 * 3600,
            ldevid_validity_s: 90 * 86_400,
            member_validity_s: 365 * 86_400,
            grace_s: 30 * 86_400,
            challenge_s: 60,
            passport_s: 24 * 3600,
            cosignature_wait_ms: 5000,
            passports_unwitnessed: false,
            hardware_type: pki::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.1.1"),
            urls: Urls::default(),
            judge: device::JudgePolicy::default(),
            console_url: None,
            advisories: None,
            advisories_ms: 5_000,
            evidence_s: 86_400,
            report_font: None,
            people: PeopleConfig::default(),
            places: Places::default(),
            limits: Limits::default(),
            faults: None,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("witnesses", &self.witnesses.iter().map(|w| w.key()).collect::<Vec<_>>())
            .field("integrate_ms", &self.integrate_ms)
            .finish_non_exhaustive()
    }
}

/// What a new installation is called.
#[derive(Clone, Debug)]
pub struct Setup {
    /// origin of the log: a name that stays for ever, such as `log.example/tegata`
    pub origin: String,
    /// id of the platform's own organisation
    pub platform: OrganisationId,
    /// its name
    pub platform_name: String,
    /// verification keys of the witnesses that outsiders should ask for
    pub witness_keys: Vec<String>,
    /// how many of them must have cosigned
    pub quorum: u32,
}
