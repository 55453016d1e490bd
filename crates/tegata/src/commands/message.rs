//! `tegata message …`: signed and encrypted messages, on files (docs/cose.md).

use crate::{
    cli::message::{MessageCommand, RecipientArgs, SignArgs},
    clock,
    output::Output,
    remote::{read_identity, read_roots},
};
use admission::{Recipient, SIGNED_BYTES_MAX, SIGNED_PAYLOAD_MAX, SignedMessage, TopicName};
use anyhow::{Context as _, bail};
use api::wire::scalar::Base64;
use pki::validate::{Anchors, Options, Purpose, validate};
use serde_json::json;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The message does not hold.
const FAILED: u8 = 2;

/// Runs `tegata message …`.
pub fn run(command: MessageCommand, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        MessageCommand::Sign(args) => sign(&args, output).map(|()| ExitCode::SUCCESS),
        MessageCommand::Encrypt { message, recipient, organisation, out } => {
            encrypt(&message, &recipient, organisation.as_str(), &out, output)
                .map(|()| ExitCode::SUCCESS)
        }
        MessageCommand::Verify { message, certificate, anchor } => {
            verify(&message, &certificate, anchor, output)
        }
    }
}

fn sign(args: &SignArgs, output: Output) -> anyhow::Result<()> {
    let identity = read_identity(&args.identity)?;
    let certificate = identity.chain.first().context("the credential holds no certificate")?;
    let topic = args.topic.strip_prefix("me/").unwrap_or(&args.topic);
    let message = SignedMessage {
        device: args.device,
        certificate: certificate.fingerprint(),
        counter: args.counter,
        made_at: Some(args.time.map_or_else(clock::now, |time| time.0)),
        topic: TopicName::new(topic)?,
        media_type: args.media_type.clone(),
        payload: bytes(&args.payload, SIGNED_PAYLOAD_MAX)?,
    };
    let mut signed = message.sign(&*identity.key)?;
    let mut recipient = None;
    if let (Some(path), Some(anchor)) = (&args.recipient, &args.anchor) {
        let owner = certificate.organization().unwrap_or_default();
        let found = recipient_of(path, anchor, &owner)?;
        signed = found.encrypt(&signed)?;
        recipient = Some(found.name().to_string());
    }
    std::fs::write(&args.out, &signed)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let done = if recipient.is_some() { "signed and encrypted" } else { "signed" };
    let told = json!({"file": args.out, "bytes": signed.len(), "counter": message.counter,
        "recipient": recipient});
    output.one(&told, |_| {
        format!(
            "{} is {done}; it goes to me/up/signed, or by another device to d/{}/up/signed",
            args.out.display(),
            args.device
        )
    })
}

fn encrypt(
    message: &Path,
    args: &RecipientArgs,
    organisation: &str,
    out: &Path,
    output: Output,
) -> anyhow::Result<()> {
    let recipient = recipient_of(&args.recipient, &args.anchor, organisation)?;
    let encrypted = recipient.encrypt(&bytes(message, SIGNED_BYTES_MAX)?)?;
    std::fs::write(out, &encrypted).with_context(|| format!("cannot write {}", out.display()))?;
    let told =
        json!({"file": out, "bytes": encrypted.len(), "recipient": recipient.name().to_string()});
    output.one(&told, |_| {
        format!("{} is encrypted for key {} of {organisation}", out.display(), recipient.name())
    })
}

/// Who is encrypted for, where the certificate holds.
fn recipient_of(path: &Path, anchor: &Path, organisation: &str) -> anyhow::Result<Recipient> {
    let anchors: Anchors = read_roots(anchor)?.into_iter().collect();
    Recipient::of(&read_roots(path)?, &anchors, organisation, clock::now())
        .with_context(|| format!("{} names nobody to encrypt for", path.display()))
}

fn verify(
    message: &Path,
    certificate: &Path,
    anchor: Option<PathBuf>,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let chain = read_roots(certificate)?;
    let own = chain.first().context("the file holds no certificate")?;
    if let Some(anchor) = anchor {
        let mut anchors = Anchors::default();
        read_roots(&anchor)?.into_iter().for_each(|root| anchors.add(root));
        let options = Options { purpose: Purpose::Any, ..Options::client(clock::now()) };
        validate(own, chain.get(1..).unwrap_or_default(), &anchors, &options)
            .with_context(|| format!("{} does not lead to the root", certificate.display()))?;
    }
    let key = own.public_key().map_err(Clone::clone)?;
    let found = SignedMessage::verify(&bytes(message, SIGNED_BYTES_MAX)?, key);
    let says = match found {
        Ok(says) if says.certificate == own.fingerprint() => says.into_inner(),
        found => {
            let why = match found {
                Err(error) => error.to_string(),
                Ok(_) => "it names another certificate with the same key".to_owned(),
            };
            output
                .one(&json!({"valid": false, "why": why}), |_| format!("does not hold: {why}"))?;
            return Ok(ExitCode::from(FAILED));
        }
    };
    let told = json!({
        "valid": true,
        "device": says.device.to_string(),
        "certificate": says.certificate.to_string(),
        "subject": own.subject().to_string(),
        "counter": says.counter,
        "time": says.made_at.map(|at| at.to_string()),
        "topic": says.topic.as_str(),
        "media_type": says.media_type,
        "payload": Base64(says.payload.clone()),
    });
    output.one(&told, |_| {
        format!(
            "signed by {} ({})\nclaims to be device {}, topic {}, counter {}{}\n{} bytes{}\nhint: whether \
             the certificate is that device's, whether it was revoked, and whether the counter was heard \
             before, only a platform knows",
            own.subject(),
            says.certificate,
            says.device,
            says.topic,
            says.counter,
            says.made_at.map(|at| format!(", made at {at}")).unwrap_or_default(),
            says.payload.len(),
            says.media_type.as_deref().map(|it| format!(" of {it}")).unwrap_or_default(),
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn bytes(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() > most {
        bail!("{} has more than {most} bytes", path.display());
    }
    Ok(bytes)
}
