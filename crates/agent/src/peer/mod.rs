//! Trust between devices (AU-6): the bundle that the platform gave this device, kept and believed; what is
//! decided by it; and a conversation between two devices by TLS 1.3. docs/device-to-device.md.
//!
//! What is decided, and by what, is the crate `peer`, whose code the platform uses too. Here is what a
//! device adds: a disk that remembers the newest number, a clock that may have been set back, its key.

pub mod cli;
mod journal;
mod kept;
mod listen;
mod talk;
mod tls;

pub(crate) use kept::{accept_clock, shown};

use crate::{
    Agent, Config, Failure,
    identity::{Credential, Identity},
    log,
    net::Client,
    store::Store,
};
use ::peer::{Decision, Side, TrustBundle};
use admission::CommandName;
use crypto::UnixTime;
use pki::Certificate;
use serde_json::{Value, json};

/// Who this device is, and what it decides by.
pub struct Judge {
    config: Config,
    bundle: TrustBundle,
}

impl Judge {
    /// What the device decides by now: the bundle that it keeps, believed anew.
    ///
    /// # Errors
    /// `trust-bundle-none` where there is none, `trust-bundle-refused`, `trust-bundle-older`,
    /// `trust-bundle-other`; `not-enrolled`.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let store = Store::look(&config.state);
        let identity = Identity::open(config, &store)?;
        let own = kept::own_device(&identity)?;
        let bundle = kept::load(&store, identity.roots(), &own)?;
        Ok(Self { config: config.clone(), bundle })
    }

    /// The time by which is decided: the machine's, unless it is behind what was seen before.
    ///
    /// # Errors
    /// `clock-behind`.
    pub fn now(&self) -> Result<UnixTime, Failure> {
        kept::now(&Store::look(&self.config.state), &self.bundle)
    }

    /// What it decides by.
    pub fn bundle(&self) -> &TrustBundle {
        &self.bundle
    }

    /// Whether one of the two may ask that of the other; `chain` is the other's, who has proven, or will,
    /// that it holds the key.
    ///
    /// # Errors
    /// `clock-behind`.
    pub fn judge(
        &self,
        chain: &[Certificate],
        side: Side,
        operation: &CommandName,
    ) -> Result<Decision, Failure> {
        Ok(self.bundle.judge(chain, side, operation, self.now()?))
    }

    /// A decision for programs and people.
    pub fn shown(&self, decision: &Decision, side: Side, operation: &str) -> Value {
        let statement = self.bundle.statement();
        let peer = decision.peer.as_ref().map(|peer| {
            let product = peer.facts.product.as_ref();
            json!({
                "device": peer.facts.device.to_string(),
                "owner": peer.facts.owner.as_ref().map(ToString::to_string),
                "product": product.map(|(maker, product)| format!("{maker}/{product}")),
                "credential": peer.credential.name(),
                "certificate": peer.certificate.to_string(),
            })
        });
        json!({
            "permitted": decision.permitted,
            "code": decision.code.name(),
            "detail": decision.detail,
            "because": decision.because,
            "operation": operation,
            "side": match side { Side::Asks => "asks", Side::Serves => "serves" },
            "peer": peer,
            "policies": self.bundle.contents().version,
            "bundle": {"number": statement.number, "expires": statement.expires.to_string()},
        })
    }
}

/// Reads the name of an operation.
pub(crate) fn operation(text: &str) -> Result<CommandName, Failure> {
    CommandName::new(text).map_err(|_| {
        let detail = "an operation is small letters, digits and hyphens, such as open";
        Failure::malformed("operation", detail)
    })
}

impl Agent {
    /// Asks for a newer trust bundle where it is time. Nobody who answers changes nothing: what is kept is
    /// good until its end.
    pub(crate) fn renew_trust(&self, client: &Client, shown: &Credential) {
        let Some(config) = &self.config.peer else { return };
        kept::look(&self.store);
        if !kept::due(&self.store, config.poll_s) {
            return;
        }
        let renewed = Identity::open(&self.config, &self.store).and_then(|identity| {
            let Some(leaf) = shown.chain.first() else { return Ok(None) };
            kept::fetch(&self.store, client, identity.roots(), leaf)
        });
        match renewed {
            Ok(_) => {}
            Err(failure) if failure.code == "trust-bundle-none" => {
                log::info(failure.code, &failure.detail);
            }
            Err(failure) => log::warning(failure.code, &failure.detail),
        }
    }
}
