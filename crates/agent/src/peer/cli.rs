//! `tegata-agent peer …`.

use super::{Judge, journal::Journal, kept, listen, operation, talk};
use crate::{Config, Failure, files, identity::Identity, log, store::Store};
use ::peer::{BUNDLE_BYTES_MAX, Side};
use clap::{Args, Subcommand};
use device::DeviceId;
use pki::Certificate;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// Longest file of certificates, in bytes, and most certificates of a device.
const PEM_BYTES_MAX: u64 = 256 * 1024;
const CHAIN_MAX: usize = 8;
/// It was decided, and the answer is no.
const DENIED: u8 = 3;

/// What to do about other devices.
#[derive(Subcommand, Debug)]
pub enum PeerCommand {
    /// Get the newest trust bundle from the platform
    Fetch,
    /// Take a trust bundle from a file, where the platform cannot be reached
    Take {
        /// The file, as `tegata trust-bundle make` writes it
        file: PathBuf,
    },
    /// Show the trust bundle that is kept
    Show,
    /// Decide about a device that another program has authenticated
    Decide(Decide),
    /// Let other devices ask this one, until stopped
    Listen {
        /// Address and port
        #[arg(long, default_value = "0.0.0.0:8884")]
        address: String,
        /// End after so many conversations
        #[arg(long)]
        most: Option<u64>,
    },
    /// Ask another device: both authenticate each other, and both decide
    Ask {
        /// Where it listens: HOST:PORT
        address: String,
        /// What is asked for, such as open
        #[arg(long)]
        operation: String,
        /// The device that must answer; without, any whom the policies permit to be asked
        #[arg(long)]
        device: Option<DeviceId>,
    },
}

/// A decision about a chain.
#[derive(Args, Debug)]
pub struct Decide {
    /// The other device's certificates in PEM, its own first; `-` reads them from standard input. That it
    /// holds the key, the caller has seen to
    #[arg(long)]
    certificate: PathBuf,
    /// What is asked for, such as open
    #[arg(long)]
    operation: String,
    /// This device is the one that asks; without, it is asked
    #[arg(long)]
    asks: bool,
}

/// Runs a command; what it says is for `show`.
///
/// # Errors
/// [`Failure`].
pub fn run(
    config: &Config,
    command: &PeerCommand,
    json: bool,
    show: impl Fn(&Value),
) -> Result<ExitCode, Failure> {
    match command {
        // Beside an agent that runs: what they write has a lock of its own.
        PeerCommand::Fetch => {
            let store = Store::look(&config.state);
            let identity = Identity::open(config, &store)?;
            let none = || Failure::refused("not-enrolled", "run: tegata-agent enrol");
            let shown = identity.ldevid()?.ok_or_else(none)?;
            let leaf = shown.chain.first().ok_or_else(none)?;
            let client = identity.client(Some(&shown))?;
            let new = kept::fetch(&store, &client, identity.roots(), leaf)?;
            show(&json!({"new": new.is_some(), "bundle": kept::shown(&store)?}));
        }
        PeerCommand::Take { file } => {
            let store = Store::look(&config.state);
            let most = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
            let bytes = read(file, most)?;
            let identity = Identity::open(config, &store)?;
            let own = kept::own_device(&identity)?;
            let taken = kept::take(&store, identity.roots(), &own, &bytes)?;
            let new = matches!(taken, kept::Taken::Kept(_));
            show(&json!({"new": new, "bundle": kept::shown(&store)?}));
        }
        PeerCommand::Show => show(&kept::shown(&Store::look(&config.state))?),
        PeerCommand::Decide(args) => return decide(config, args, show),
        PeerCommand::Listen { address, most } => listen::listen(config, address, *most, json)?,
        PeerCommand::Ask { address, operation: name, device } => {
            let name = operation(name)?;
            let judge = Arc::new(Judge::open(config)?);
            let shown = listen::credential(config)?;
            let talked = talk::ask(&judge, &shown, address, device.as_ref(), &name)?;
            let number = judge.bundle().statement().number;
            let decision = &talked.decision;
            Journal::default().put(config, decision, Side::Asks, name.as_str(), number);
            let mut value = judge.shown(decision, Side::Asks, name.as_str());
            if let Some(value) = value.as_object_mut() {
                value.insert("answer".to_owned(), talked.answer.into());
            }
            show(&value);
            return Ok(code(decision.permitted && talked.answer == Some(true)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn decide(config: &Config, args: &Decide, show: impl Fn(&Value)) -> Result<ExitCode, Failure> {
    let wrong = |why: String| Failure::malformed("certificate", why);
    let bytes = read(&args.certificate, PEM_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not PEM".to_owned()))?;
    let chain =
        Certificate::from_pem_chain(&text, CHAIN_MAX).map_err(|error| wrong(error.to_string()))?;
    let side = if args.asks { Side::Asks } else { Side::Serves };
    let name = operation(&args.operation)?;
    let judge = Judge::open(config)?;
    let decision = judge.judge(&chain, side, &name)?;
    let number = judge.bundle().statement().number;
    Journal::default().put(config, &decision, side, name.as_str(), number);
    show(&judge.shown(&decision, side, name.as_str()));
    if !decision.permitted {
        log::warning(decision.code.name(), &decision.detail);
    }
    Ok(code(decision.permitted))
}

fn code(permitted: bool) -> ExitCode {
    if permitted { ExitCode::SUCCESS } else { ExitCode::from(DENIED) }
}

fn read(path: &std::path::Path, most: u64) -> Result<Vec<u8>, Failure> {
    let path = if path.as_os_str() == "-" { "/dev/stdin".into() } else { path.to_owned() };
    let missing = || Failure::malformed("state-read", format!("there is no {}", path.display()));
    files::read(&path, most)?.ok_or_else(missing)
}
