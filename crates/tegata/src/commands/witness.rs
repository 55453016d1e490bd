use crate::{
    cli::WitnessCommand,
    commands::{Unlocking, serve::told_to_stop, write_private},
    output::Output,
};
use anyhow::Context as _;
use crypto::{
    KeyAlgorithm, Signer, SoftwareKey,
    sealed::{Cost, SealingKey},
};
use ledger::WitnessKey;
use serde_json::json;
use server::{
    Limits, SystemClock,
    witness::{WitnessConfig, WitnessServer},
};
use std::{path::Path, sync::Arc};

const KEY: &str = "witness.sealed";
const NAME: &str = "witness.name";
const LABEL: &str = "tegata/witness";

/// Runs `tegata witness …`.
pub async fn run(command: WitnessCommand, output: Output) -> anyhow::Result<()> {
    match command {
        WitnessCommand::Init { dir, unlock, name } => {
            std::fs::create_dir_all(&dir)
                .with_context(|| format!("cannot make the folder {}", dir.display()))?;
            let unlocking = Unlocking::read(&unlock, &dir, true)?;
            let key = SoftwareKey::generate(KeyAlgorithm::Ed25519)?;
            let vkey = WitnessKey::new(&name, key.public_key())?;
            let sealing = SealingKey::new(&unlocking.unlock(), Cost::default())?;
            write_private(&dir.join(KEY), &sealing.seal(LABEL, &key.to_pkcs8()?)?)?;
            std::fs::write(dir.join(NAME), &name)?;
            let summary = json!({ "dir": dir, "vkey": vkey.to_string() });
            output.one(&summary, |_| vkey.to_string())
        }
        WitnessCommand::Serve { dir, unlock, logs, listen } => {
            let unlocking = Unlocking::read(&unlock, &dir, false)?;
            let (name, signer) = load(&dir, &unlocking)?;
            let config = WitnessConfig {
                listen,
                name,
                signer,
                logs: logs.iter().map(|key| key.parse()).collect::<Result<_, _>>()?,
                state: dir.join("witness.state"),
                clock: Arc::new(SystemClock),
                limits: Limits::default(),
            };
            let running = WitnessServer::start(config).await?;
            eprintln!("witnessing at http://{} as {}", running.address(), running.key());
            told_to_stop().await?;
            running.shutdown().await;
            Ok(())
        }
    }
}

fn load(dir: &Path, unlocking: &Unlocking) -> anyhow::Result<(String, Arc<dyn Signer>)> {
    let path = dir.join(KEY);
    let sealed = std::fs::read(&path).with_context(|| {
        format!("cannot read {}; make it with: tegata witness init", path.display())
    })?;
    let name = std::fs::read_to_string(dir.join(NAME))?;
    let secret = SealingKey::of(&sealed, &unlocking.unlock())?.open(LABEL, &sealed)?;
    Ok((name, Arc::new(SoftwareKey::from_pkcs8(&secret)?)))
}
