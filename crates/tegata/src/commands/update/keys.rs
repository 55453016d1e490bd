//! Keys of update roles: sealed on disk like the platform's other keys (KM-2).

use crate::{
    cli::{UnlockArgs, update::KeyCommand},
    commands::{Unlocking, write_private},
    output::Output,
};
use anyhow::Context as _;
use crypto::{
    Secret, Signer as _, SoftwareKey,
    sealed::{Cost, SealingKey},
};
use serde_json::json;
use std::path::{Path, PathBuf};
use update::{Key, json::file_form};

/// What a sealed key of a role is for, authenticated with it.
const LABEL: &str = "tegata/update-key";

/// Runs `tegata update key …`.
pub(super) fn run(command: KeyCommand, output: Output) -> anyhow::Result<()> {
    match command {
        KeyCommand::New { out, algorithm, unlock } => {
            let unlocking = unlocking(&unlock)?;
            let key = SoftwareKey::generate(algorithm)?;
            let public = Key::from_public(key.public_key())?;
            let sealing = SealingKey::new(&unlocking.unlock(), Cost::default())?;
            let sealed = sealing.seal(LABEL, &key.to_pkcs8()?)?;
            let (private, shown) = (with_ending(&out, "sealed"), with_ending(&out, "json"));
            anyhow::ensure!(
                !shown.exists(),
                "{} exists already; choose another name",
                shown.display()
            );
            write_private(&private, &sealed)?;
            std::fs::write(&shown, file_form(&public.to_json()))
                .with_context(|| format!("cannot write {}", shown.display()))?;
            let id = public.computed_id();
            let summary = json!({
                "key": id.as_str(), "scheme": public.scheme(),
                "sealed": private, "public": shown,
            });
            output.one(&summary, |_| {
                format!(
                    "key {id} ({})\n  {} is secret and sealed: keep it where it signs, and a copy elsewhere\n  \
                     {} is public: give it to whoever makes the repository",
                    public.scheme(),
                    private.display(),
                    shown.display()
                )
            })
        }
        KeyCommand::Show { file } => {
            let key = read_public(&file)?;
            let id = key.computed_id();
            let text = String::from_utf8(file_form(&key.to_json()))?;
            let value: serde_json::Value = serde_json::from_str(&text)?;
            output.one(&json!({ "key": id.as_str(), "public": value }), |_| {
                format!("key {id} ({})\n{text}", key.scheme())
            })
        }
    }
}

/// Reads a public key: JSON or PEM.
pub(super) fn read_public(path: &Path) -> anyhow::Result<Key> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read the public key {}", path.display()))?;
    Key::from_file(&bytes).with_context(|| {
        format!(
            "{} is not a public key; give NAME.json of `tegata update key new`, or PEM",
            path.display()
        )
    })
}

pub(super) fn read_publics(paths: &[PathBuf]) -> anyhow::Result<Vec<Key>> {
    paths.iter().map(|path| read_public(path)).collect()
}

/// Opens a sealed key.
pub(super) fn open(path: &Path, unlock: &UnlockArgs) -> anyhow::Result<SoftwareKey> {
    Ok(SoftwareKey::from_pkcs8(&open_secret(path, LABEL, unlock)?)?)
}

/// Opens a sealed secret of this label.
pub(super) fn open_secret(path: &Path, label: &str, unlock: &UnlockArgs) -> anyhow::Result<Secret> {
    let sealed = std::fs::read(path)
        .with_context(|| format!("cannot read the sealed key {}", path.display()))?;
    let unlocking = unlocking(unlock)?;
    SealingKey::of(&sealed, &unlocking.unlock())
        .and_then(|sealing| sealing.open(label, &sealed))
        .with_context(|| {
            format!(
                "cannot open {}; give the NAME.sealed of the key and its passphrase or key file",
                path.display()
            )
        })
}

/// No key file is made or found by itself: what opens a role's key is said each time.
pub(super) fn unlocking(unlock: &UnlockArgs) -> anyhow::Result<Unlocking> {
    anyhow::ensure!(
        unlock.passphrase_file.is_some() || unlock.key_file.is_some(),
        "say what opens the key: --passphrase-file, or --key-file with at least 32 random bytes"
    );
    Unlocking::read(unlock, Path::new(""), false)
}

pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
