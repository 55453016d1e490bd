//! Images that only named devices can read, and deltas between images.

use super::{
    folder::{around, publish, replace},
    keys,
};
use crate::{
    cli::UnlockArgs,
    cli::sealed::{DeltaArgs, EncryptionKeyArgs, PatchArgs, SealArgs, TicketArgs, UnsealArgs},
    clock,
    commands::write_private,
    output::Output,
    remote,
};
use anyhow::Context as _;
use crypto::{
    Digester, HashAlgorithm, Secret, Sha256,
    agreement::{AgreementKey, CONTENT_KEY_BYTES},
    random,
    sealed::{Cost, SealingKey},
};
use pki::{
    Certificate,
    validate::{Anchors, Options, Purpose, validate},
};
use serde_json::json;
use std::{
    fs::File,
    io::{BufReader, Read, Write as _},
    path::Path,
};
use update::{
    delta,
    sealed::{
        CHUNK_BYTES, HEADER_BYTES, Header, Holder, KeyStatement, Opener, Plain,
        STATEMENT_BYTES_MAX, Sealer, TICKET_BYTES_MAX, Ticket,
    },
};

/// What sealed keys are for, authenticated with them.
const ENCRYPTION_KEY_LABEL: &str = "tegata/encryption-key";
const CONTENT_KEY_LABEL: &str = "tegata/content-key";
const CHAIN_MAX: usize = 8;
const PIECE_BYTES: usize = 1 << 20;

/// Runs `tegata update encryption-key`.
pub(super) fn encryption_key(args: EncryptionKeyArgs, output: Output) -> anyhow::Result<()> {
    let identity = remote::read_identity(&args.identity)?;
    let own = identity.chain.first().context("the credential holds no certificate")?;
    let holder = args.group.map_or(Holder::Device, Holder::Group);
    let usages = own.extensions().extended_key_usage().unwrap_or_default();
    anyhow::ensure!(
        usages.contains(&usage(&holder)),
        match holder {
            Holder::Device => "a device's key is stated by its LDevID; for a group give --group",
            Holder::Group(_) =>
                "a group's key is stated by a certificate of the profile organisation-signer",
        }
    );
    let key = AgreementKey::generate(args.curve)?;
    let now = clock::now();
    let to = now.plus(i64::from(args.days) * 86_400).min(own.not_after());
    let statement = KeyStatement { key: key.public().clone(), from: now, to, holder };
    let signed = statement.sign(&*identity.key)?;
    let unlocking = keys::unlocking(&args.unlock)?;
    let sealing = SealingKey::new(&unlocking.unlock(), Cost::default())?;
    let private = keys::with_ending(&args.out, "sealed");
    let public = keys::with_ending(&args.out, "statement");
    if let Some(path) = &args.for_devices {
        write_private(path, key.to_secret()?.expose())?;
    }
    write_private(&private, &sealing.seal(ENCRYPTION_KEY_LABEL, &key.to_secret()?)?)?;
    replace(&public, &signed)?;
    let fingerprint = key.public().fingerprint().to_string();
    let summary = json!({
        "key": fingerprint, "sealed": private, "statement": public, "until": to.to_string(),
    });
    output.one(&summary, |_| {
        format!(
            "encryption key {fingerprint} until {to}\n  {} is secret and sealed\n  {} goes to whoever \
             seals images for it",
            private.display(),
            public.display()
        )
    })
}

/// What the certificate of whoever states a key must be for.
fn usage(holder: &Holder) -> pki::ObjectIdentifier {
    match holder {
        Holder::Device => pki::oid::KP_CLIENT_AUTH,
        Holder::Group(_) => pki::KP_DOCUMENT_SIGNING,
    }
}

/// Runs `tegata update seal`.
pub(super) fn seal(args: &SealArgs, output: Output) -> anyhow::Result<()> {
    let unlocking = keys::unlocking(&args.unlock)?;
    let sealing = SealingKey::new(&unlocking.unlock(), Cost::default())?;
    let content_key = random::secret::<CONTENT_KEY_BYTES>();
    // The key first: without it the image would be lost.
    write_private(&args.content_key, &sealing.seal(CONTENT_KEY_LABEL, &content_key)?)?;
    let header = seal_file(&args.image, &args.out, &content_key)?;
    let Plain { length, sha256 } = header.plain;
    let id = header.id().to_string();
    let summary = json!({
        "file": args.out, "content_key": args.content_key, "image": id,
        "length": header.sealed_length(), "plain_length": length, "plain_sha256": sha256.to_string(),
    });
    output.one(&summary, |_| {
        format!(
            "{} is sealed as image {id}\n  {} makes tickets for it: tegata update ticket",
            args.out.display(),
            args.content_key.display()
        )
    })
}

/// Seals a file under a key that serves nothing else.
pub fn seal_file(image: &Path, to: &Path, content_key: &Secret) -> anyhow::Result<Header> {
    let delta::Image { length, sha256 } = measure(image)?;
    let plain = Plain { length, sha256 };
    let header = Header { chunk_bytes: CHUNK_BYTES, plain, salt: random::bytes() };
    let mut file = tempfile::NamedTempFile::new_in(around(to))?;
    let mut out = Vec::new();
    let mut sealer = Sealer::begin(content_key, header, &mut out)?;
    each_piece(&mut open(image)?, |piece| {
        sealer.push(piece, &mut out)?;
        file.write_all(&out)?;
        out.clear();
        Ok(())
    })?;
    sealer.finish(&mut out)?;
    file.write_all(&out)?;
    publish(file, to).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(header)
}

/// Opens the content key that `tegata update seal` wrote.
pub fn open_content_key(path: &Path, unlock: &UnlockArgs) -> anyhow::Result<Secret> {
    keys::open_secret(path, CONTENT_KEY_LABEL, unlock)
}

/// Runs `tegata update ticket`.
pub(super) fn ticket(args: &TicketArgs, output: Output) -> anyhow::Result<()> {
    let now = clock::now();
    let header = header(&mut open(&args.image)?)?;
    let statement = read_small(&args.recipient, STATEMENT_BYTES_MAX)?;
    let chain = certificates(&args.certificate)?;
    let own = chain.first().context("the file holds no certificate")?;
    let signer = own.public_key().map_err(Clone::clone)?;
    anyhow::ensure!(
        KeyStatement::claimed_signer(&statement)? == signer.fingerprint(),
        "the statement was signed by another key than that of {}",
        args.certificate.display()
    );
    let statement = KeyStatement::verify(&statement, signer, now)?;
    let mut anchors = Anchors::default();
    for path in &args.anchors {
        certificates(path)?.into_iter().for_each(|anchor| anchors.add(anchor));
    }
    let options = Options {
        purpose: Purpose::Usages(vec![usage(&statement.holder)]),
        require_extended_key_usage: true,
        ..Options::client(now)
    };
    let help = chain.get(1..).unwrap_or_default();
    validate(own, help, &anchors, &options).with_context(|| {
        format!("whoever signed the statement is not known by {}", args.certificate.display())
    })?;
    let content_key = keys::open_secret(&args.content_key, CONTENT_KEY_LABEL, &args.unlock)?;
    let ticket = Ticket::wrap(&content_key, &header, &statement.key)?;
    replace(&args.out, &ticket.to_bytes())?;
    let recipient = match &statement.holder {
        Holder::Device => own.subject().to_string(),
        Holder::Group(name) => format!("group {name} of {}", own.subject()),
    };
    let summary = json!({
        "file": args.out, "image": ticket.image.to_string(), "recipient": recipient,
        "key": ticket.recipient.to_string(),
    });
    output.one(&summary, |_| format!("{} opens the image for {recipient}", args.out.display()))
}

/// Runs `tegata update unseal`.
pub(super) fn unseal(args: &UnsealArgs, output: Output) -> anyhow::Result<()> {
    let ticket = Ticket::parse(&read_small(&args.ticket, TICKET_BYTES_MAX)?)?;
    let key = keys::open_secret(&args.key, ENCRYPTION_KEY_LABEL, &args.unlock)?;
    let key = AgreementKey::from_secret(&key)?;
    let mut image = open(&args.image)?;
    let header = header(&mut image)?;
    let content_key = ticket.unwrap_for(&header, &key)?;
    let mut opener = Opener::begin(&content_key, header)?;
    let mut file = tempfile::NamedTempFile::new_in(around(&args.out))?;
    let mut out = Vec::new();
    each_piece(&mut image, |piece| {
        opener.push(piece, &mut out)?;
        file.write_all(&out)?;
        out.clear();
        Ok(())
    })?;
    let plain = opener.finish()?;
    publish(file, &args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    report(&args.out, plain.length, plain.sha256, output)
}

/// Runs `tegata update delta`.
pub(super) fn delta(args: &DeltaArgs, output: Output) -> anyhow::Result<()> {
    let (base, announced) = make_delta(&args.base, &args.image, args.level, &args.out)?;
    let made = measure(&args.out)?;
    let summary = json!({
        "file": args.out, "length": made.length, "sha256": made.sha256.to_string(),
        "base_sha256": base.sha256.to_string(),
        "result_length": announced.length, "result_sha256": announced.sha256.to_string(),
    });
    output.one(&summary, |_| {
        format!(
            "{} makes {} bytes from {} bytes: {}",
            args.out.display(),
            announced.length,
            made.length,
            announced.sha256
        )
    })
}

/// Makes a delta; what it starts from, and what it makes.
pub fn make_delta(
    base: &Path,
    image: &Path,
    level: i32,
    to: &Path,
) -> anyhow::Result<(delta::Image, delta::Image)> {
    let (from, makes) = (measure(base)?, measure(image)?);
    let mut file = tempfile::NamedTempFile::new_in(around(to))?;
    let (mut base, mut image) = (open(base)?, open(image)?);
    let limits = delta::Limits::DEFAULT;
    delta::diff(&mut base, from, &mut image, makes, level, &limits, &mut file)?;
    publish(file, to).with_context(|| format!("cannot write {}", to.display()))?;
    Ok((from, makes))
}

/// Runs `tegata update patch`.
pub(super) fn patch(args: &PatchArgs, output: Output) -> anyhow::Result<()> {
    let mut base = open(&args.base)?;
    let mut file = tempfile::NamedTempFile::new_in(around(&args.out))?;
    let mut from = BufReader::new(open(&args.delta)?);
    let made = delta::patch(&mut base, &mut from, &delta::Limits::DEFAULT, &mut file)?;
    publish(file, &args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    report(&args.out, made.length, made.sha256, output)
}

fn report(path: &Path, length: u64, sha256: Sha256, output: Output) -> anyhow::Result<()> {
    let summary = json!({ "file": path, "length": length, "sha256": sha256.to_string() });
    output.one(&summary, |_| format!("{}: {length} bytes, SHA-256 {sha256}", path.display()))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let pem = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the certificate {}", path.display()))?;
    Certificate::from_pem_chain(&pem, CHAIN_MAX)
        .with_context(|| format!("{} holds no certificate", path.display()))
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_small(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn header(file: &mut File) -> anyhow::Result<Header> {
    let mut bytes = Vec::new();
    Read::take(&mut *file, HEADER_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(Header::parse(&bytes)?)
}

fn measure(path: &Path) -> anyhow::Result<delta::Image> {
    let mut digester = Digester::new(HashAlgorithm::Sha256);
    let mut length = 0_u64;
    each_piece(&mut open(path)?, |piece| {
        digester.update(piece);
        length = length.saturating_add(piece.len() as u64);
        Ok(())
    })?;
    let sha256 = Sha256::from_slice(&digester.finish()).context("a digest of another length")?;
    Ok(delta::Image { length, sha256 })
}

fn each_piece(
    from: &mut dyn Read,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut buffer)?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Ok(());
        }
        take(piece)?;
    }
}
