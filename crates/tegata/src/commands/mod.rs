//! The commands, one file per noun. Each parses its arguments, calls, and prints.

pub mod alert;
pub mod approval;
pub mod assessment;
pub mod audit;
pub mod behaviour;
pub mod ca;
pub mod campaign;
pub mod command;
pub mod device;
pub mod device_log;
pub mod diagnosis;
pub mod event;
pub mod fleet;
pub mod glossary;
pub mod impact;
pub mod import;
pub mod init;
pub mod label;
pub mod life;
pub mod log;
pub mod message;
pub mod messages;
pub mod mud;
pub mod mud_kept;
pub mod operation;
pub mod org;
pub mod passport;
pub mod person;
pub mod platform;
pub mod policy;
pub mod product;
pub mod purpose;
pub mod release;
pub mod route;
pub mod schema;
pub mod serve;
pub mod stream;
pub mod threat;
pub mod token;
pub mod trust_bundle;
pub mod update;
pub mod update_token;
pub mod verify;
pub mod vulnerabilities;
pub mod vulnerability;
pub mod witness;

use anyhow::Context as _;
use crypto::{Secret, sealed::Unlock};
use std::{io::Write as _, path::Path};

use crate::cli::UnlockArgs;

/// What opens the sealed keys of a data directory.
pub enum Unlocking {
    /// A passphrase.
    Passphrase(Secret),
    /// A key file.
    KeyFile(Secret),
}

impl Unlocking {
    /// Reads passphrase or key file. Without either, `<dir>/seal.key` is used, and made where
    /// `create` says so.
    pub fn read(args: &UnlockArgs, dir: &Path, create: bool) -> anyhow::Result<Self> {
        if let Some(path) = &args.passphrase_file {
            return Ok(Self::Passphrase(read_passphrase(path)?));
        }
        let path = args.key_file.clone().unwrap_or_else(|| dir.join("seal.key"));
        if create && !path.exists() {
            let secret = crypto::random::secret::<32>();
            write_private(&path, secret.expose())?;
            eprintln!(
                "made the key file {}: whoever has it opens every key of this installation",
                path.display()
            );
        }
        let bytes = std::fs::read(&path).with_context(|| {
            format!(
                "cannot read the key file {}; give --key-file or --passphrase-file",
                path.display()
            )
        })?;
        Ok(Self::KeyFile(Secret::new(bytes)))
    }

    /// As the sealing functions want it.
    pub fn unlock(&self) -> Unlock<'_> {
        match self {
            Self::Passphrase(secret) => Unlock::Passphrase(secret),
            Self::KeyFile(secret) => Unlock::KeyFile(secret),
        }
    }
}

/// Reads a passphrase; its last line break does not count.
pub fn read_passphrase(path: &Path) -> anyhow::Result<Secret> {
    let mut bytes = std::fs::read(path)
        .with_context(|| format!("cannot read the passphrase file {}", path.display()))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Secret::new(bytes))
}

/// Writes a file that only its owner may read, durably; refuses to overwrite one.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make the folder {}", parent.display()))?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| {
            format!("cannot write {}; secrets never overwrite a file", path.display())
        })?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}

/// PEM of a private key and its certificates, as credentials are kept.
pub fn credential_pem(
    chain: &[pki::Certificate],
    key: &crypto::SoftwareKey,
) -> anyhow::Result<Secret> {
    let mut text: String = chain.iter().map(pki::Certificate::to_pem).collect();
    text.push_str(&key_pem(key)?);
    Ok(Secret::new(text.into_bytes()))
}

/// PKCS#8 PEM of a private key.
pub fn key_pem(key: &crypto::SoftwareKey) -> anyhow::Result<String> {
    Ok(key.to_pem()?)
}
