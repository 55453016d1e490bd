//! Keys that images are sealed for: the device's own, made here and stated by its certificate's key;
//! and those that it shares with a group.

use super::{Credential, Identity, LABEL};
use crate::{Failure, files};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{
    Secret,
    agreement::{AgreementKey, Curve},
};
use serde::{Deserialize, Serialize};
use update::sealed::{Holder, KeyStatement};

const ENCRYPTION: &str = "identity/encryption";
/// Longest file of a group's key, in bytes.
const KEY_BYTES_MAX: u64 = 64;

/// As it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// base64 of the sealed key
    key: String,
}

impl Identity<'_> {
    /// The device's own encryption key; made at the first use.
    ///
    /// # Errors
    /// `sealing-key`, `state-write`, `state-damaged`.
    pub(crate) fn encryption_key(&self) -> Result<AgreementKey, Failure> {
        if let Some(key) = self.kept_encryption_key()? {
            return Ok(key);
        }
        let failed = |error: String| Failure::fatal("sealing-key", error);
        let key = AgreementKey::generate(Curve::P256).map_err(|error| failed(error.to_string()))?;
        let secret = key.to_secret().map_err(|error| failed(error.to_string()))?;
        let sealed =
            self.sealing.seal(LABEL, &secret).map_err(|error| failed(error.to_string()))?;
        // INVARIANT: kept before anybody is told of it.
        self.store.keep(ENCRYPTION, &Kept { key: STANDARD.encode(sealed) })?;
        Ok(key)
    }

    fn kept_encryption_key(&self) -> Result<Option<AgreementKey>, Failure> {
        let Some(kept) = self.store.record::<Kept>(ENCRYPTION)? else { return Ok(None) };
        let failed = |why: String| {
            let detail = format!("{ENCRYPTION} does not open on this machine: {why}");
            Failure::fatal("sealing-key", detail)
        };
        let sealed = STANDARD.decode(&kept.key).map_err(|error| failed(error.to_string()))?;
        let secret =
            self.sealing.open(LABEL, &sealed).map_err(|error| failed(error.to_string()))?;
        let key = AgreementKey::from_secret(&secret).map_err(|error| failed(error.to_string()))?;
        Ok(Some(key))
    }

    /// Every key that tickets may be for; none is made.
    ///
    /// # Errors
    /// As [`Self::encryption_key`]; `open-permissions`, `group-key`.
    pub(crate) fn opening_keys(&self) -> Result<Vec<AgreementKey>, Failure> {
        let mut keys: Vec<AgreementKey> = self.kept_encryption_key()?.into_iter().collect();
        for path in &self.config.identity.group_keys {
            let bad =
                |why: &str| Failure::malformed("group-key", format!("{} {why}", path.display()));
            files::require_private(path)?;
            let bytes = files::read(path, KEY_BYTES_MAX)?.ok_or_else(|| bad("is not there"))?;
            let key = AgreementKey::from_secret(&Secret::new(bytes));
            keys.push(key.map_err(|_| bad("is no key that was exported for devices"))?);
        }
        Ok(keys)
    }

    /// Says which key is the device's own, by the key of its certificate.
    ///
    /// # Errors
    /// As [`Self::encryption_key`].
    pub(crate) fn statement(&self, credential: &Credential) -> Result<Vec<u8>, Failure> {
        let leaf = credential.chain.first();
        let leaf = leaf.ok_or_else(|| Failure::fatal("identity", "a chain without certificate"))?;
        let key = self.encryption_key()?;
        let statement = KeyStatement {
            key: key.public().clone(),
            // Not by the device's clock, which may be ahead of the platform's: the certificate says
            // from when on it is who it is.
            from: leaf.not_before(),
            to: leaf.not_after(),
            holder: Holder::Device,
        };
        statement
            .sign(&*credential.key)
            .map_err(|error| Failure::fatal("identity", error.to_string()))
    }
}
