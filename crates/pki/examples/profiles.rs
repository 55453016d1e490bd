//! Writes one certificate per profile and algorithm, with chains, CRLs and OCSP responses, into a
//! folder: food for linters.
//!
//! `cargo run -p pki --example profiles -- FOLDER`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an example for linters: it stops at the first surprise"
)]

#[path = "../tests/it/world.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod world;

use crypto::KeyAlgorithm;
use pki::{
    Certificate, Crl, Profile, cms,
    crl::{CrlRequest, RevocationReason, RevokedEntry, shard_of},
    ocsp::{Answer, CertId, CertStatus, IssuerHash, Responder},
};
use std::{fs, path::Path};
use world::{Authority, NOW};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "profiles".into());
    for algorithm in KeyAlgorithm::GENERATED {
        let folder = Path::new(&folder).join(algorithm.to_string());
        fs::create_dir_all(&folder)?;
        one_algorithm(algorithm, &folder)?;
    }
    Ok(())
}

fn one_algorithm(algorithm: KeyAlgorithm, folder: &Path) -> std::io::Result<()> {
    // 112-bit keys must not live for ever, so neither do IDevIDs below them.
    let root = world::root(algorithm, algorithm.strength_bits() >= 128);
    let mut locations = world::locations("gates-{shard}");
    locations.crl_shards = 4;
    locations.ca_issuers = Some("http://pki.example/ca/gates.cer".into());
    let ca = world::issuing_ca(&root, algorithm, locations);
    let pem = |name: &str, certificate: &Certificate| {
        fs::write(folder.join(format!("{name}.pem")), certificate.to_pem())?;
        fs::write(folder.join(format!("{name}.der")), certificate.der())
    };
    pem("root", &root.certificate)?;
    pem("issuing-ca", &ca.certificate)?;
    let key = world::key(algorithm);
    let mut issued = Vec::new();
    for profile in Profile::ALL.into_iter().filter(|profile| !profile.is_ca()) {
        let request = world::request(profile, &key, &ca.info);
        let certificate = world::issue(&ca, profile, &request);
        pem(profile.name(), &certificate)?;
        let chain = [&certificate, &ca.certificate, &root.certificate];
        let text: String = chain.iter().map(|certificate| certificate.to_pem()).collect();
        fs::write(folder.join(format!("{profile}-chain.pem")), text)?;
        issued.push((profile, certificate));
    }
    let all = [root.certificate.clone(), ca.certificate.clone()];
    fs::write(folder.join("cacerts.p7"), cms::certs_only(&all))?;
    lists(&root, &ca, &issued, folder)?;
    responses(&ca, &key, &issued, folder)
}

fn lists(
    root: &Authority,
    ca: &Authority,
    issued: &[(Profile, Certificate)],
    folder: &Path,
) -> std::io::Result<()> {
    let request = |entries, shard, base_number| CrlRequest {
        number: 7,
        this_update: NOW,
        next_update: NOW.plus(86_400),
        entries,
        shard,
        only_user_certificates: shard.is_some(),
        base_number,
    };
    let entry = |certificate: &Certificate, reason| RevokedEntry {
        serial: *certificate.serial(),
        at: NOW.plus(-60),
        reason,
    };
    let write = |name: &str, issuer: &Authority, request: &CrlRequest| {
        let list = Crl::prepare(&issuer.info, request).unwrap().sign(&issuer.key).unwrap();
        fs::write(folder.join(name), list.der())
    };
    write("root-empty.crl", root, &request(vec![], None, None))?;
    let reasons = [
        RevocationReason::KeyCompromise,
        RevocationReason::CertificateHold,
        RevocationReason::Unspecified,
        RevocationReason::CessationOfOperation,
    ];
    let revoked: Vec<_> = issued
        .iter()
        .zip(reasons.into_iter().cycle())
        .map(|((_, certificate), reason)| entry(certificate, reason))
        .collect();
    for shard in 0..4 {
        let here = |entry: &&RevokedEntry| shard_of(&entry.serial, 4) == shard;
        let entries = revoked.iter().filter(here).copied().collect();
        write(&format!("gates-{shard}.crl"), ca, &request(entries, Some(shard), None))?;
    }
    let shard = shard_of(&revoked[0].serial, 4);
    let back = RevokedEntry { reason: RevocationReason::RemoveFromCrl, ..revoked[0] };
    write("delta.crl", ca, &request(vec![back], Some(shard), Some(6)))
}

fn responses(
    ca: &Authority,
    key: &crypto::SoftwareKey,
    issued: &[(Profile, Certificate)],
    folder: &Path,
) -> std::io::Result<()> {
    let signer = &issued.iter().find(|(profile, _)| *profile == Profile::OcspSigner).unwrap().1;
    let responder = Responder::delegated(signer).unwrap();
    let name = ca.certificate.subject_der();
    let issuer = ca.certificate.public_key().unwrap();
    for hash in IssuerHash::both(name, issuer) {
        let kind = match hash {
            IssuerHash::Sha1 { .. } => "sha1",
            IssuerHash::Sha256 { .. } => "sha256",
        };
        for (status_name, status) in [
            ("good", CertStatus::Good),
            ("unknown", CertStatus::Unknown),
            (
                "revoked",
                CertStatus::Revoked { at: NOW.plus(-60), reason: RevocationReason::KeyCompromise },
            ),
        ] {
            let answer = Answer {
                id: CertId { issuer: hash, serial: *issued[0].1.serial() },
                status,
                this_update: NOW,
                next_update: Some(NOW.plus(3600)),
            };
            let response = responder.presign(&answer, NOW, key).unwrap();
            fs::write(folder.join(format!("ocsp-{kind}-{status_name}.der")), response.der())?;
        }
    }
    Ok(())
}
