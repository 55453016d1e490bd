use crate::{
    cli::{DeviceCommand, EstArgs, Language},
    clock,
    commands::{
        command, credential_pem, device_log, fleet, import, label, life, messages, update_token,
        write_private,
    },
    output::Output,
    remote::{Remote, only, read_identity, read_roots},
};
use anyhow::Context as _;
use api::{
    Client, Identity, Settings,
    client::percent_encode,
    wire::{
        CauseGiven, Challenge, CodesWanted, Device, Erasure, NewDevice, NewDevices, Outcomes,
        Recorded, ReleasedCode, ShareTerms, Verdict, VerificationRequest,
        scalar::{Base64, CauseName, CertificatePem, DeviceRef},
    },
};
use crypto::{Signer, SoftwareKey, UnixTime};
use device::{Cause, DeviceId, Proof, SignedProof};
use enrolment::est::BasicCredential;
use serde_json::json;
use std::path::Path;

/// Runs `tegata device …`.
pub async fn run(command: DeviceCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        DeviceCommand::UpdateToken(command) => update_token::run(command, output, language).await,
        DeviceCommand::List { server, product, phase, text } => {
            let remote = Remote::open(&server, language)?;
            let mut path = "/v1/devices?limit=1000".to_owned();
            for (name, value) in [("product", product), ("phase", phase), ("text", text)] {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", percent_encode(&value)));
                }
            }
            let all: Vec<Device> = remote.all(&path).await?;
            let head = ["id", "product", "serial number", "phase", "standing", "owner"];
            output.list(&all, &head, |device| {
                vec![
                    device.id.to_string(),
                    device.product.as_ref().map(ToString::to_string).unwrap_or_default(),
                    device.serial_number.clone(),
                    device.phase.as_ref().map(ToString::to_string).unwrap_or_default(),
                    device.standing.to_string(),
                    device.owner.to_string(),
                ]
            })
        }
        DeviceCommand::Label(args) => {
            let remote = Remote::open(&args.server, language)?;
            label::one(&remote, args, output).await
        }
        DeviceCommand::SelfTest { server, device } => {
            let remote = Remote::open(&server, language)?;
            let said: api::wire::SelfTest =
                remote.get(&format!("/v1/devices/{device}/self-test")).await?;
            output.one(&said, |said| {
                let lines = said.findings.iter().map(|one| {
                    format!("\n  {:<14} {:<5} {}  {}", one.test, one.outcome, one.code, one.detail)
                });
                let verdict = if said.passed { "passed" } else { "failed" };
                format!("{verdict}, said {}{}", said.heard, lines.collect::<String>())
            })
        }
        DeviceCommand::Scans { server, device } => {
            let remote = Remote::open(&server, language)?;
            label::scans(&remote, device, output).await
        }
        DeviceCommand::Search { server, search, by_serial, most } => {
            fleet::search(&server, &search, by_serial, most, output, language).await
        }
        DeviceCommand::Export { server, search, csv } => {
            fleet::export(&server, &search, &csv, language).await
        }
        DeviceCommand::Parts { server, device } => {
            fleet::parts(&server, device, output, language).await
        }
        DeviceCommand::Timeline { server, device } => {
            life::timeline(&Remote::open(&server, language)?, device, output).await
        }
        DeviceCommand::Owners { server, device } => {
            life::owners(&Remote::open(&server, language)?, device, output).await
        }
        DeviceCommand::State { server, device } => {
            life::state(&Remote::open(&server, language)?, device, output).await
        }
        DeviceCommand::Messages { server, device } => {
            messages::list(&Remote::open(&server, language)?, device, output).await
        }
        DeviceCommand::Log { server, device } => {
            device_log::list(&Remote::open(&server, language)?, device, output).await
        }
        DeviceCommand::ReadLog { files } => device_log::read(&files, output),
        DeviceCommand::RefusedMessages { server, device } => {
            messages::refused(&Remote::open(&server, language)?, device, output, language).await
        }
        DeviceCommand::Command { server, device, name, parameters, reason, seconds } => {
            let remote = Remote::open(&server, language)?;
            command::give(&remote, device, (name, &parameters), (reason, seconds), output).await
        }
        DeviceCommand::Commands { server, device } => {
            command::list(&Remote::open(&server, language)?, device, output).await
        }
        DeviceCommand::HandInErasure { server, device, command: id, file } => {
            command::hand_in(&Remote::open(&server, language)?, device, id, &file, output).await
        }
        DeviceCommand::CancelCommand { server, device, command: id } => {
            command::cancel(&Remote::open(&server, language)?, device, id, output).await
        }
        DeviceCommand::Configure { server, device, file, reason, replaces } => {
            let remote = Remote::open(&server, language)?;
            command::configure(&remote, device, &file, (reason, replaces), output).await
        }
        DeviceCommand::Configuration { server, device, versions } => {
            let remote = Remote::open(&server, language)?;
            command::configuration(&remote, device, versions, output).await
        }
        DeviceCommand::Act(args) => fleet::act(&args, output, language).await,
        DeviceCommand::Preview(args) => fleet::preview(&args, output, language).await,
        DeviceCommand::Show { server, device } => {
            let remote = Remote::open(&server, language)?;
            let device: Device = remote.get(&format!("/v1/devices/{device}")).await?;
            output.one(&device, describe)
        }
        DeviceCommand::Register { server, product, serial_number, .. } => {
            let remote = Remote::open(&server, language)?;
            let new = NewDevice { serial_number, id: None };
            let body = NewDevices { product: product.parse()?, devices: vec![new] };
            let all: Outcomes<Device> = remote.post("/v1/devices", &body).await?;
            output.one(&only(all.items)?, describe)
        }
        DeviceCommand::Import(args) => import::run(args, language).await,
        DeviceCommand::Code { server, device, seconds } => {
            let remote = Remote::open(&server, language)?;
            let wanted = CodesWanted { devices: vec![DeviceRef(device)], lifetime_s: seconds };
            let all: Outcomes<ReleasedCode> = remote.post("/v1/enrolment-codes", &wanted).await?;
            output.one(&only(all.items)?, |code| format!("{}  (until {})", code.code, code.expires))
        }
        DeviceCommand::Enrol { est, out, serial_number, algorithm } => {
            enrol(&est, &out, &serial_number, algorithm, output, language).await
        }
        DeviceCommand::Verify { server, device, prove_with, counter } => {
            let remote = Remote::open(&server, language)?;
            let request = match prove_with {
                None => VerificationRequest::default(),
                Some(path) => {
                    let identity = read_identity(&path)?;
                    let counter = counter.unwrap_or_else(|| clock::now().0.unsigned_abs());
                    answer(&remote, device, &identity, counter, clock::now()).await?
                }
            };
            let path = format!("/v1/devices/{device}/verifications");
            let verdict: Verdict = remote.post(&path, &request).await?;
            output.one(&verdict, |verdict| render(verdict, language))
        }
        DeviceCommand::Suspend { server, device, cause, reason } => {
            let remote = Remote::open(&server, language)?;
            act(&remote, device, "suspend", CauseGiven { cause: CauseName(cause), reason }, output)
                .await
        }
        DeviceCommand::Revoke { server, device, cause, reason } => {
            let remote = Remote::open(&server, language)?;
            act(&remote, device, "revoke", CauseGiven { cause: CauseName(cause), reason }, output)
                .await
        }
        DeviceCommand::Release { server, device } => {
            let remote = Remote::open(&server, language)?;
            let recorded: Recorded =
                remote.post_empty(&format!("/v1/devices/{device}/release")).await?;
            output.one(&recorded, |recorded| format!("released, event {}", recorded.sequence))
        }
        DeviceCommand::Causes => {
            let causes: Vec<_> = Cause::ALL
                .iter()
                .map(|cause| json!({"cause": cause.name(), "text": cause.text().of(language.into())}))
                .collect();
            output.list(&causes, &["cause", "text"], |cause| {
                ["cause", "text"]
                    .map(|field| cause.get(field).and_then(|v| v.as_str()).unwrap_or_default())
                    .map(str::to_owned)
                    .to_vec()
            })
        }
        DeviceCommand::Share { server, device, organisation, until } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/devices/{device}/shares/{organisation}");
            remote.put(&path, &ShareTerms { until }).await?;
            output.one(&organisation, |with| format!("{device} is shared with {with}"))
        }
        DeviceCommand::Unshare { server, device, organisation } => {
            let remote = Remote::open(&server, language)?;
            remote.delete(&format!("/v1/devices/{device}/shares/{organisation}")).await?;
            output.one(&organisation, |with| format!("{device} is not shared with {with}"))
        }
        DeviceCommand::Erase { server, device, sequences } => {
            let remote = Remote::open(&server, language)?;
            let sequences = (!sequences.is_empty()).then_some(sequences);
            let path = format!("/v1/devices/{device}/erasures");
            let recorded: Recorded = remote.post(&path, &Erasure { sequences }).await?;
            output.one(&recorded, |recorded| {
                format!("erased; event {} says so, all other proofs stay valid", recorded.sequence)
            })
        }
    }
}

fn describe(device: &Device) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    format!(
        "{}\n  management number  {}\n  maker              {}\n  product            {}\n  \
         serial number      {}\n  kind               {}\n  phase              {}\n  \
         standing           {}\n  owner              {}\n  events             {}",
        device.id,
        device.management_number,
        device.maker,
        or_none(device.product.as_ref().map(ToString::to_string)),
        device.serial_number,
        device.kind,
        or_none(device.phase.as_ref().map(ToString::to_string)),
        device.standing,
        device.owner,
        device.events
    )
}

async fn act(
    remote: &Remote,
    device: DeviceId,
    what: &str,
    given: CauseGiven,
    output: Output,
) -> anyhow::Result<()> {
    let recorded: Recorded = remote.post(&format!("/v1/devices/{device}/{what}"), &given).await?;
    output.one(&recorded, |recorded| format!("done, event {}", recorded.sequence))
}

/// Asks for a challenge and answers it with the device's key.
pub async fn answer(
    remote: &Remote,
    device: DeviceId,
    identity: &Identity,
    counter: u64,
    device_time: UnixTime,
) -> anyhow::Result<VerificationRequest> {
    let challenge: Challenge =
        remote.post_empty(&format!("/v1/devices/{device}/challenges")).await?;
    let nonce: [u8; 32] = challenge
        .nonce
        .0
        .as_slice()
        .try_into()
        .context("the server's challenge is not 32 bytes")?;
    let proof = sign_proof(identity.key.as_ref(), device, nonce, counter, device_time)?;
    Ok(VerificationRequest {
        proof: Some(Base64(proof)),
        presented: identity.chain.iter().cloned().map(CertificatePem).collect(),
        ..VerificationRequest::default()
    })
}

/// A proof of possession over a challenge.
pub fn sign_proof(
    key: &dyn Signer,
    device: DeviceId,
    nonce: [u8; 32],
    counter: u64,
    device_time: UnixTime,
) -> anyhow::Result<Vec<u8>> {
    let proof = Proof { device, nonce, counter, device_time: Some(device_time), firmware: None };
    Ok(SignedProof::sign(key, &proof)?.as_bytes().to_vec())
}

/// A verdict of the server for people.
pub fn render(verdict: &Verdict, language: Language) -> String {
    let mut text = format!("{} {} (until {})", verdict.outcome, verdict.device, verdict.expires);
    for reason in &verdict.reasons {
        let words = if language == Language::Ja { &reason.ja } else { &reason.en };
        text.push_str(&format!("\n  {}: {words}", reason.code));
        for evidence in &reason.evidence {
            text.push_str(&format!("\n      {evidence}"));
        }
    }
    text
}

async fn enrol(
    args: &EstArgs,
    out: &Path,
    serial_number: &str,
    algorithm: crypto::KeyAlgorithm,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let roots = read_roots(&args.roots)?;
    let identity = args.credential.as_deref().map(read_identity).transpose()?;
    let settings = Settings { language: language.into(), ..Settings::default() };
    let client = Client::new(&args.server, &roots, identity.as_ref(), settings)?;
    let est = api::client::Est::new(client, args.label.as_deref());
    let code = match (&args.device, &args.code) {
        (Some(device), Some(code)) => Some(BasicCredential::new(device, code)?),
        _ => None,
    };
    let key = SoftwareKey::generate(algorithm)?;
    let csr = crate::csr::for_device(serial_number, None, &key)?;
    let leaf = match args.renew {
        true => est.reenrol(&csr).await?,
        false => est.enrol(&csr, code.as_ref()).await?,
    };
    // EST answers with the certificate alone; what it needs above it is with the CA certificates.
    let above = est.ca_certificates().await?;
    let issuer =
        above.into_iter().find(|ca| ca.subject_der() == leaf.issuer_der() && !ca.is_self_issued());
    let chain: Vec<_> = std::iter::once(leaf.clone()).chain(issuer).collect();
    write_private(out, credential_pem(&chain, &key)?.expose())?;
    let summary = json!({
        "file": out,
        "subject": leaf.subject().to_string(),
        "fingerprint": leaf.fingerprint().to_string(),
        "not_after": leaf.not_after().to_string(),
    });
    output.one(&summary, |_| {
        format!("{} holds the certificate of {} and its key", out.display(), leaf.subject())
    })
}
