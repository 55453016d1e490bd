//! The director: whether what the platform wants is what was signed for this device, and what the
//! log was told. Metadata are read by the same client as those of image repositories, and what was
//! verified is kept as durably.

use crate::{
    Config, Failure,
    identity::Credential,
    net::{Call, Client},
    repository::Repository,
    store::Store,
};
use crypto::{Sha256, UnixTime, Verified};
use update::{
    Root, TargetPath, Version,
    campaign::{AssignmentProof, PROOF_BYTES_MAX, Told, verify_assignment},
    client::Target,
    director::{Addressee, Directed, DirectorError, directed, require_image, require_logged},
};

/// Folder of the director's metadata below `tuf`: no organisation's, whose folders are hexadecimal.
pub(crate) const FOLDER: &str = "director";

/// The platform's word for a proof that is not there yet.
pub(crate) const PROOF_PENDING: &str = "proof-pending";

/// The director of the configuration.
pub(crate) struct Director<'a> {
    config: &'a Config,
    repository: Repository<'a>,
    me: Addressee,
}

/// What the director says now.
pub(crate) struct Ordered {
    /// what to run; `None`: nothing new
    pub(crate) run: Option<Verified<Directed>>,
    root: Verified<Root>,
}

impl<'a> Director<'a> {
    /// The director; `None` where the configuration has none. `shown` is the certificate that the
    /// device shows.
    ///
    /// # Errors
    /// `state-write`, `configuration`.
    pub(crate) fn of(
        config: &'a Config,
        store: &'a Store,
        shown: &Credential,
    ) -> Result<Option<Self>, Failure> {
        let Some(trusted) = &config.director else { return Ok(None) };
        let device = config.identity.device.ok_or_else(|| {
            Failure::malformed("configuration", "[director] needs identity.device")
        })?;
        let me = Addressee {
            director: trusted.organisation.clone(),
            device,
            key: shown.key.public_key().fingerprint(),
        };
        let repository = Repository::at(&trusted.repository, store, FOLDER)?;
        Ok(Some(Self { config, repository, me }))
    }

    /// Asks what it says, and verifies that it is said to this device, now. `known`: a version of its
    /// timestamp that there is for certain.
    ///
    /// # Errors
    /// The codes of docs/update-trust.md, those of docs/director.md; `connection`, `tls`, `http`.
    pub(crate) fn ask(
        &self,
        client: &Client,
        known: Option<Version>,
        now: UnixTime,
    ) -> Result<Ordered, Failure> {
        let fresh = self.repository.refresh(client, known, now)?;
        let targets = fresh
            .targets()
            .ok_or_else(|| Failure::refused("missing-metadata", "the director says nothing"))?;
        let run = directed(targets, &self.me, &self.config.hardware_id)?;
        Ok(Ordered { run, root: fresh.root().clone() })
    }
}

impl Ordered {
    /// The file of an action of the platform, where the director names the same one.
    ///
    /// # Errors
    /// `director-nothing`, `director-other`.
    pub(crate) fn require(
        &self,
        action: &str,
        path: &TargetPath,
        sha256: &str,
    ) -> Result<&Verified<Directed>, Failure> {
        let run = self.run.as_ref().ok_or_else(|| {
            let detail = "the platform wants an update, and the director says that there is none";
            Failure::refused("director-nothing", detail)
        })?;
        let same = run.assignment.action.to_string() == action
            && run.path == *path
            && run.sha256.to_string() == sha256;
        if same {
            return Ok(run);
        }
        let detail = format!(
            "the platform wants {path} by action {action}, and the director {} by action {}",
            run.path, run.assignment.action
        );
        Err(Failure::refused("director-other", detail))
    }

    /// Whether the image repository names the same file as the director.
    ///
    /// # Errors
    /// `director-image`, `director-shared-key`.
    pub(crate) fn require_image(
        &self,
        run: &Verified<Directed>,
        image: &Target,
        image_root: &Verified<Root>,
    ) -> Result<(), Failure> {
        Ok(require_image(run, image, &self.root, image_root)?)
    }
}

/// Fetches the proof that the log was told of an action, where the configuration names a log, and
/// checks it. What the log was told happens to the campaign.
///
/// # Errors
/// `proof-pending` where it is to be asked for again; `assignment-…` of docs/campaign.md,
/// `director-log`, `connection`, `tls`, `http`, `http-status`.
pub(crate) fn require_proof(
    config: &Config,
    client: &Client,
    action: &str,
    path: &TargetPath,
    sha256: &str,
    run: Option<&Verified<Directed>>,
) -> Result<Option<Told>, Failure> {
    let Some(trust) = &config.log else { return Ok(None) };
    let device = config
        .identity
        .device
        .ok_or_else(|| Failure::malformed("configuration", "[log] needs identity.device"))?;
    let address = format!("/v1/update/actions/{action}/proof");
    let mut connection = client.connect()?;
    let mut reply =
        connection.send(&Call::get(&address).with("Accept", "application/json".to_owned()))?;
    let status = reply.head.status;
    let answer = reply.all(u64::try_from(PROOF_BYTES_MAX).unwrap_or(u64::MAX))?;
    match status {
        200 => {}
        // Log and witnesses are seconds behind: it is there at the next poll, or at a later one.
        503 if is_pending(&answer) => {
            let detail = format!("log and witnesses have not taken up action {action} yet");
            return Err(Failure::unavailable(PROOF_PENDING, detail));
        }
        // Taken back since, or never given.
        404 => {
            let detail = format!("the platform has no proof of action {action}");
            return Err(Failure::refused("assignment-not-logged", detail));
        }
        _ => {
            let detail = format!("{address} answers {status}");
            return Err(Failure::unavailable("http-status", detail));
        }
    }
    let proof = AssignmentProof::parse(&answer)
        .map_err(|error| Failure::refused("assignment-malformed", error.to_string()))?;
    let sha256 = Sha256::from_hex(sha256)
        .ok_or_else(|| Failure::refused("other-file", "the assignment has no SHA-256"))?;
    let told = verify_assignment(&proof, trust, &device, (path.as_str(), &sha256))
        .map_err(|error| Failure::refused(error.code(), error.to_string()))?;
    if let Some(run) = run {
        require_logged(run, &told)?;
    }
    let (campaign, _) = &*told;
    Ok(Some(campaign.told))
}

/// Whether a problem document says that the proof is not there yet.
fn is_pending(answer: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Problem {
        code: String,
    }
    serde_json::from_slice::<Problem>(answer).is_ok_and(|problem| problem.code == PROOF_PENDING)
}

impl From<DirectorError> for Failure {
    fn from(error: DirectorError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}
