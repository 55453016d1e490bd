use crate::{
    cli::{CaCommand, Language},
    clock,
    commands::read_passphrase,
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    client::{Call, percent_encode},
    wire::{
        Authority, AuthorityKind, AuthorityRequest, CertificateUpload, KeyAccount, KeyNotice,
        NewAuthority, scalar::CertificatePem,
    },
};
use crypto::sealed::Unlock;
use pki::{
    Certificate,
    crl::{RevocationReason, RevokedEntry},
};
use serde_json::json;
use service::ceremony::{CaRequest, Root, RootSpec};
use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
};

/// Runs `tegata ca …`.
pub async fn run(command: CaCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        CaCommand::Root { out, passphrase_file, name, organisation, algorithm, years } => {
            let passphrase = read_passphrase(&passphrase_file)?;
            let spec = RootSpec { common_name: name, organisation, algorithm, years };
            let mut root = Root::create(&spec, clock::now())?;
            root.save(&out, &Unlock::Passphrase(&passphrase))?;
            let summary = json!({
                "folder": out,
                "subject": root.certificate().subject().to_string(),
                "fingerprint": root.certificate().fingerprint().to_string(),
            });
            output.one(&summary, |_| {
                format!(
                    "{} holds the root {}\n  fingerprint {}\nwrite the fingerprint down, and keep \
                     the folder offline",
                    out.display(),
                    root.certificate().subject(),
                    root.certificate().fingerprint()
                )
            })
        }
        CaCommand::Request { server, organisation, product, name, algorithm, years, out } => {
            let remote = Remote::open(&server, language)?;
            let issues = match product {
                Some(_) => AuthorityKind::Device,
                None => AuthorityKind::Owner,
            };
            let product = product.map(|product| product.parse()).transpose()?;
            let new = NewAuthority { product, issues, name, algorithm: algorithm.into(), years };
            let path = format!("/v1/organisations/{organisation}/authorities");
            let request: AuthorityRequest = remote.post(&path, &new).await?;
            requested(&request, &out, output)
        }
        CaCommand::Again { server, id, out } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/authorities/{}/request", percent_encode(&id));
            let request: AuthorityRequest = remote.get(&path).await?;
            requested(&request, &out, output)
        }
        CaCommand::ImportCrl { server, crl } => {
            let remote = Remote::open(&server, language)?;
            let bytes =
                std::fs::read(&crl).with_context(|| format!("cannot read {}", crl.display()))?;
            let call = Call::post("/v1/roots/crl", "application/pkix-crl", bytes);
            remote.client().call(call).await?;
            output.one(&json!({ "file": crl }), |_| "the root's CRL holds from now on".to_owned())
        }
        CaCommand::Sign { root, passphrase_file, request, out, yes } => {
            let passphrase = read_passphrase(&passphrase_file)?;
            let text = std::fs::read_to_string(&request)
                .with_context(|| format!("cannot read the request {}", request.display()))?;
            let request = CaRequest::from_text(&text)?;
            eprintln!("{}", request.summary());
            if !yes {
                confirm()?;
            }
            let root = Root::load(&root, &Unlock::Passphrase(&passphrase))?;
            let certificate = root.sign_ca(&request, pki::Locations::default(), clock::now())?;
            std::fs::write(&out, certificate.to_pem())
                .with_context(|| format!("cannot write {}", out.display()))?;
            let summary = json!({
                "file": out,
                "subject": certificate.subject().to_string(),
                "fingerprint": certificate.fingerprint().to_string(),
            });
            output.one(&summary, |_| format!("{} holds the certificate", out.display()))
        }
        CaCommand::SignSoftware { root, passphrase_file, request, days, out, yes } => {
            let passphrase = read_passphrase(&passphrase_file)?;
            let text = std::fs::read_to_string(&request)
                .with_context(|| format!("cannot read the request {}", request.display()))?;
            let csr = pki::Csr::from_pem(&text)
                .with_context(|| format!("{} is no request in PEM", request.display()))?;
            let key = csr.public_key();
            eprintln!(
                "software signer {}\nkey {} {}\ndays {days}",
                csr.subject(),
                key.algorithm(),
                key.fingerprint()
            );
            if !yes {
                confirm()?;
            }
            let root = Root::load(&root, &Unlock::Passphrase(&passphrase))?;
            let certificate = root.sign_software(csr.der(), days, clock::now())?;
            std::fs::write(&out, certificate.to_pem())
                .with_context(|| format!("cannot write {}", out.display()))?;
            let summary = json!({
                "file": out,
                "subject": certificate.subject().to_string(),
                "fingerprint": certificate.fingerprint().to_string(),
            });
            output.one(&summary, |_| format!("{} holds the certificate", out.display()))
        }
        CaCommand::Crl { root, passphrase_file, revoked, days, out } => {
            let passphrase = read_passphrase(&passphrase_file)?;
            let root = Root::load(&root, &Unlock::Passphrase(&passphrase))?;
            let now = clock::now();
            let entries = revoked.iter().map(|path| revoked_ca(path)).collect::<Result<_, _>>()?;
            // Numbers must grow (RFC 5280 section 5.2.3), and nothing but the time does offline.
            let crl = root.crl(now.0.unsigned_abs(), entries, now, i64::from(days) * 86_400)?;
            std::fs::write(&out, crl.der())
                .with_context(|| format!("cannot write {}", out.display()))?;
            let summary = json!({ "file": out, "revoked": revoked.len() });
            output.one(&summary, |_| {
                format!("{} holds the root's CRL: {} revoked", out.display(), revoked.len())
            })
        }
        CaCommand::Install { server, certificate } => {
            let remote = Remote::open(&server, language)?;
            let text = std::fs::read_to_string(&certificate)
                .with_context(|| format!("cannot read {}", certificate.display()))?;
            let upload =
                CertificateUpload { certificate: CertificatePem(Certificate::from_pem(&text)?) };
            let authority: Authority = remote.post("/v1/authorities/certificates", &upload).await?;
            output.one(&authority, |authority| format!("{} issues from now on", authority.id))
        }
        CaCommand::List { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/authorities");
            let all: Vec<Authority> = remote.get(&path).await?;
            output.list(&all, &["id", "issues", "name", "valid until"], |authority| {
                vec![
                    authority.id.clone(),
                    match authority.issues {
                        AuthorityKind::Platform => "members, signers, services",
                        AuthorityKind::Device => "chip certificates, IDevIDs",
                        AuthorityKind::Owner => "LDevIDs",
                    }
                    .to_owned(),
                    authority.name.clone(),
                    match &authority.certificate {
                        Some(certificate) => certificate.0.not_after().to_string(),
                        None => "waits for the ceremony".to_owned(),
                    },
                ]
            })
        }
        CaCommand::Uses { server } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<KeyAccount> = remote.all("/v1/keys").await?;
            output.list(&all, &["key", "purpose", "algorithm", "until", "signed"], |account| {
                let uses: Vec<_> =
                    account.uses.iter().map(|(what, times)| format!("{what} {times}")).collect();
                vec![
                    account.key.to_string(),
                    account.purpose.clone(),
                    account.algorithm.clone(),
                    account.not_after.to_string(),
                    uses.join(", "),
                ]
            })
        }
        CaCommand::Policy { server } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<KeyNotice> = remote.get("/v1/reports/key-policy").await?;
            output.list(&all, &["from", "key", "rule", "what to do"], |notice| {
                vec![
                    notice.at.to_string(),
                    notice.name.clone(),
                    notice.rule.clone(),
                    notice.advice.clone(),
                ]
            })
        }
    }
}

/// Writes what goes to the ceremony.
fn requested(request: &AuthorityRequest, out: &Path, output: Output) -> anyhow::Result<()> {
    std::fs::write(out, &request.request)
        .with_context(|| format!("cannot write {}", out.display()))?;
    output.one(request, |request| {
        format!("{}\n\ntake {} to the root ceremony", request.summary, out.display())
    })
}

/// An issuing CA that the root revokes. Why it was revoked is not known here, and the reason code
/// "unspecified" is left out (RFC 5280 section 5.3.1).
fn revoked_ca(path: &Path) -> anyhow::Result<RevokedEntry> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let certificate = Certificate::from_pem(&text)?;
    Ok(RevokedEntry {
        serial: *certificate.serial(),
        at: clock::now(),
        reason: RevocationReason::Unspecified,
    })
}

fn confirm() -> anyhow::Result<()> {
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "nobody is here to compare the summary; repeat with --yes once it was compared"
    );
    eprint!("is this what was asked for? type yes: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    anyhow::ensure!(line.trim() == "yes", "nothing was signed");
    Ok(())
}
