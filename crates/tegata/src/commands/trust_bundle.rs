//! `tegata trust-bundle …`: trust between devices.

use crate::{
    cli::{
        Language, ServerArgs,
        trust_bundle::{SetArgs, TrustBundleCommand},
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    wire::{NewPeerTrust, PeerBundle, PeerTrust, PeerTrustContents, scalar::OrganisationRef},
};
use peer::{AuthorityKind, BUNDLE_BYTES_MAX, TrustBundle};
use pki::{Certificate, validate::Anchors};
use serde::Serialize;
use std::{fmt::Write as _, io::Read as _, path::Path};

/// Runs `tegata trust-bundle …`.
pub async fn run(
    command: TrustBundleCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        TrustBundleCommand::Settings { server } => {
            output.one(&rest(&server, language)?.peer_trust().await?, chosen)
        }
        TrustBundleCommand::Set(args) => set(*args, output, language).await,
        TrustBundleCommand::Off { server } => {
            rest(&server, language)?.end_peer_trust().await?;
            output.line("devices are given no trust bundles any more")
        }
        TrustBundleCommand::Contents { server, policies } => {
            let found = rest(&server, language)?.peer_trust_contents().await?;
            if policies {
                return output.line(found.policies.trim_end());
            }
            output.one(&found, holds)
        }
        TrustBundleCommand::List { server } => {
            let path = "/v1/peer-trust/bundles?limit=1000";
            let all: Vec<PeerBundle> = Remote::open(&server, language)?.all(path).await?;
            let head = ["device", "number", "issued", "expires", "fetched", "newest"];
            output.list(&all, &head, |it| {
                vec![
                    it.device.to_string(),
                    it.number.to_string(),
                    it.issued.to_string(),
                    it.expires.to_string(),
                    it.fetched.as_ref().map_or_else(|| "no".to_owned(), ToString::to_string),
                    if it.newest { "yes" } else { "no" }.to_owned(),
                ]
            })
        }
        TrustBundleCommand::Make { server, device, out } => {
            let bytes = rest(&server, language)?.trust_bundle(&device).await?;
            let claimed = TrustBundle::claimed(&bytes).context("what the server sent")?;
            replace_private(&out, &bytes)
                .with_context(|| format!("cannot write {}", out.display()))?;
            let said = Written {
                device: device.to_string(),
                number: claimed.number,
                expires: claimed.expires.to_string(),
                bytes: bytes.len(),
                file: out.display().to_string(),
            };
            output.one(&said, |said| {
                format!(
                    "{}: number {} for {}, until {}, {} bytes; on the device: tegata-agent peer take FILE",
                    said.file, said.number, said.device, said.expires, said.bytes
                )
            })
        }
        TrustBundleCommand::Show { file, roots, policies } => show(&file, &roots, policies, output),
    }
}

#[derive(Serialize)]
struct Written {
    device: String,
    number: u64,
    expires: String,
    bytes: usize,
    file: String,
}

async fn set(args: SetArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let names = |all: Vec<_>| all.into_iter().map(OrganisationRef).collect();
    let new = NewPeerTrust {
        life_s: i64::from(args.hours).saturating_mul(3600),
        makers: names(args.makers),
        organisations: names(args.organisations),
        products: args
            .products
            .iter()
            .map(|line| format!("{}/{}", line.maker, line.product))
            .collect(),
    };
    output.one(&rest(&args.server, language)?.set_peer_trust(&new).await?, chosen)
}

fn chosen(it: &PeerTrust) -> String {
    let names = |all: &[OrganisationRef]| match all {
        [] => "none".to_owned(),
        all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let products = if it.products.is_empty() { "all".to_owned() } else { it.products.join(", ") };
    format!(
        "a decision may rest on a bundle for {} h\nmakers: {}\nother organisations: {}\nown product lines: {}\nchosen at {} by {}",
        it.life_s / 3600,
        names(&it.makers),
        names(&it.organisations),
        products,
        it.at,
        it.by
    )
}

fn holds(it: &PeerTrustContents) -> String {
    let mut text =
        format!("{} bytes, good for {} h; SHA-256 {}\n", it.bytes, it.life_s / 3600, it.digest);
    for one in &it.authorities {
        let of = one.product.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {}{of}, until {}: {} revoked, {} suspended",
            one.kind, one.organisation, one.not_after, one.revoked, one.suspended
        );
    }
    for one in &it.lines {
        let line = one.product.as_deref().unwrap_or("no product line");
        let _ = writeln!(text, "own devices of {line}: {}", one.devices);
    }
    let of = &it.devices;
    let _ = write!(
        text,
        "devices: {} have the newest, {} were made one that they have not fetched, {} are behind, \
         {} have one that has ended, {} were never given one\npolicies of version {}\n{}",
        of.newest, of.waiting, of.behind, of.ended, of.without, it.policies_version, it.policies
    );
    text.trim_end().to_owned()
}

/// What a bundle holds.
#[derive(Serialize)]
struct Held {
    device: String,
    owner: String,
    platform: String,
    number: u64,
    issued: String,
    expires: String,
    authorities: Vec<HeldAuthority>,
    lines: Vec<HeldLine>,
    policies_version: u64,
    policies: String,
}

#[derive(Serialize)]
struct HeldAuthority {
    kind: &'static str,
    organisation: String,
    product: Option<String>,
    certificate: String,
    revoked: usize,
    suspended: usize,
}

#[derive(Serialize)]
struct HeldLine {
    product: Option<String>,
    devices: Vec<String>,
}

fn show(file: &Path, roots: &Path, policies: bool, output: Output) -> anyhow::Result<()> {
    let most = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file);
    opened
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", file.display()))?;
    let pem = std::fs::read_to_string(roots)
        .with_context(|| format!("cannot read {}", roots.display()))?;
    let anchors: Anchors = Certificate::from_pem_chain(&pem, 64)?.into_iter().collect();
    let bundle = TrustBundle::verify(&bytes, &anchors)?;
    let (statement, contents) = (bundle.statement(), bundle.contents());
    if policies {
        return output.line(contents.policies.trim_end());
    }
    let held = Held {
        device: statement.device.to_string(),
        owner: statement.owner.to_string(),
        platform: statement.platform.to_string(),
        number: statement.number,
        issued: statement.issued_at.to_string(),
        expires: statement.expires.to_string(),
        authorities: contents
            .authorities
            .iter()
            .map(|it| HeldAuthority {
                kind: match it.kind {
                    AuthorityKind::Owner => "owner",
                    AuthorityKind::Maker => "maker",
                },
                organisation: it.organisation.to_string(),
                product: it.product.as_ref().map(ToString::to_string),
                certificate: it.certificate.fingerprint().to_string(),
                revoked: it.revoked.len(),
                suspended: it.suspended.len(),
            })
            .collect(),
        lines: contents
            .lines
            .iter()
            .map(|it| HeldLine {
                product: it.product.as_ref().map(|(maker, line)| format!("{maker}/{line}")),
                devices: it.devices.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        policies_version: contents.version,
        policies: contents.policies.clone(),
    };
    output.one(&held, text)
}

fn text(held: &Held) -> String {
    let mut text = format!(
        "number {} for device {} of {}, signed by {}, {} to {}\n",
        held.number, held.device, held.owner, held.platform, held.issued, held.expires
    );
    for it in &held.authorities {
        let of = it.product.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {}{of}: {} revoked, {} suspended",
            it.kind, it.organisation, it.revoked, it.suspended
        );
    }
    for it in &held.lines {
        let line = it.product.as_deref().unwrap_or("no product line");
        let _ = writeln!(text, "own devices of {line}: {}", it.devices.len());
    }
    let _ = write!(text, "policies of version {}\n{}", held.policies_version, held.policies);
    text.trim_end().to_owned()
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}

/// Writes what only its owner may read: a bundle names the owner's devices.
fn replace_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}
