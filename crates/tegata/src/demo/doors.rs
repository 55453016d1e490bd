//! What must hold at the doors beside the verdicts: revocation status, CA certificates, and what
//! strangers are told.

use crate::demo::{
    people::{self, Who},
    refusals::{first_line, knock, refused},
    rows::Check,
    thing::{Thing, connect, leaf, request},
    world::World,
};
use anyhow::Context as _;
use api::{
    Identity,
    client::{Call, Est},
};
use crypto::{KeyAlgorithm, SoftwareKey, random};
use device::DeviceId;
use enrolment::est::BasicCredential;
use pki::{
    Certificate, Crl, GeneralName, Serial,
    crl::RevocationReason,
    ocsp::{CertId, CertStatus, OcspRequest, OcspResponse},
    oid,
};

/// Asks the responder that the certificate names, and believes it only where it is entitled.
pub(super) async fn ocsp(
    world: &World,
    certificate: &Certificate,
    serial: Serial,
) -> anyhow::Result<CertStatus> {
    let issuer = world.issuer(certificate)?;
    let id = CertId { serial, ..CertId::of(certificate, issuer)? };
    let nonce = random::bytes::<16>().to_vec();
    let request = OcspRequest { ids: vec![id], nonce: Some(nonce.clone()) };
    let url = certificate
        .extensions()
        .authority_info_access()
        .iter()
        .find(|access| access.method == oid::AD_OCSP)
        .and_then(|access| uri(&access.location))
        .context("the certificate names no OCSP responder")?;
    let path = url.strip_prefix(&world.site.public_url).context("a responder elsewhere")?;
    let call = Call::post(path, "application/ocsp-request", request.to_der());
    let body = world.site.public()?.client().call(call).await?.body;
    let response = OcspResponse::parse(&body)?;
    let now = crate::clock::now();
    response.verify(issuer, now)?;
    anyhow::ensure!(response.nonce() == Some(nonce.as_slice()), "the nonce is not ours");
    let answer = response.answer(&id).context("the answer is about another certificate")?;
    // Answers about what was never issued are made as they are asked for, and not to be kept.
    let fresh = answer.next_update.is_none() && now.since(answer.this_update) < 60;
    anyhow::ensure!(fresh || answer.is_current(now), "the answer is out of date");
    Ok(answer.status)
}

/// A check that a certificate has a status.
pub(super) async fn ocsp_check(
    world: &World,
    what: &str,
    certificate: &Certificate,
    expected: &str,
    fits: impl Fn(&CertStatus) -> bool,
) -> Check {
    let what = format!("OCSP: {what}");
    match ocsp(world, certificate, *certificate.serial()).await {
        Ok(status) => {
            let holds = fits(&status);
            Check::new(what, expected, format!("{status:?}"), holds)
        }
        Err(error) => Check::new(what, expected, first_line(&format!("{error:#}")), false),
    }
}

/// Whether a status is *revoked* for this reason.
pub(super) fn revoked_for(status: &CertStatus, wanted: RevocationReason) -> bool {
    matches!(status, CertStatus::Revoked { reason, .. } if *reason == wanted)
}

/// OCSP, CRL and EST's CA certificates, for a good certificate and one that ended with a sale.
pub(super) async fn revocation(
    world: &World,
    good: &Certificate,
    sold: &Identity,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let is_good = |status: &CertStatus| matches!(status, CertStatus::Good);
    checks.push(ocsp_check(world, "a device at work", good, "good", is_good).await);
    let ended = leaf(sold)?;
    let changed = |status: &CertStatus| revoked_for(status, RevocationReason::AffiliationChanged);
    let expected = "revoked, affiliationChanged";
    checks.push(ocsp_check(world, "a former owner's", ended, expected, changed).await);
    let nobody = Serial::from_random(random::bytes());
    let status = ocsp(world, good, nobody).await;
    let holds = matches!(status, Ok(CertStatus::Unknown));
    let given = status.map_or_else(|error| format!("{error:#}"), |status| format!("{status:?}"));
    checks.push(Check::new("OCSP: a serial number never issued", "unknown", given, holds));

    let crl = crl(world, ended).await;
    let (given, holds) = match &crl {
        Ok(crl) => {
            let listed = crl.entry(ended.serial()).map(|entry| entry.reason);
            (format!("{listed:?}"), listed == Some(RevocationReason::AffiliationChanged))
        }
        Err(error) => (first_line(&format!("{error:#}")), false),
    };
    checks.push(Check::new("CRL: a former owner's", "listed, affiliationChanged", given, holds));
    let crl = self::crl(world, good).await;
    let (given, holds) = match &crl {
        Ok(crl) => (format!("{} entries", crl.entries().len()), !crl.is_revoked(good.serial())),
        Err(error) => (first_line(&format!("{error:#}")), false),
    };
    checks.push(Check::new("CRL: a device at work", "not listed", given, holds));

    let est = Est::new(people::client(&world.site, None)?, None);
    let shown = est.ca_certificates().await?;
    let issuer = world.issuer(good)?.fingerprint();
    let there = |wanted| shown.iter().any(|ca| ca.fingerprint() == wanted);
    let holds = there(issuer) && world.site.roots.iter().all(|root| there(root.fingerprint()));
    checks.push(Check::new(
        "EST cacerts",
        "root and issuing CAs",
        format!("{} certificates", shown.len()),
        holds,
    ));
    checks.push(refused(
        "EST with the certificate of a former owner, later",
        &knock(world, sold).await,
    ));
    Ok(checks)
}

/// What strangers, and members of other organisations, are told.
pub(super) async fn strangers(
    world: &World,
    device: &Thing,
    used_code: Option<&str>,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let status = |what: &str, answer: &api::client::Answer, wanted: u16| {
        let given = answer.status.as_u16();
        Check::new(what, wanted.to_string(), given.to_string(), given == wanted)
    };
    let path = format!("/v1/devices/{}", device.id);
    let nobody = people::client(&world.site, None)?;
    let answer = nobody.send(Call::get(&path)).await?;
    checks.push(status("REST without a certificate", &answer, 401));
    let other = if device.owner == Who::Kawa { Who::Hoshi } else { Who::Kawa };
    let other = world.of(other)?.desk.client();
    let answer = other.send(Call::get(&path)).await?;
    checks.push(status("REST: another operator's device", &answer, 404));
    let never = DeviceId::from_bytes(random::bytes());
    let answer = other.send(Call::get(format!("/v1/devices/{never}"))).await?;
    checks.push(status("REST: a device that nobody made", &answer, 404));
    let identity = device.idevid.as_ref().context("no IDevID")?;
    let answer =
        people::client(&world.site, Some(identity))?.send(Call::get("/v1/devices")).await?;
    // A device is nobody's member: for it there is no such list.
    checks.push(status("REST: a device asks for a list of devices", &answer, 404));

    let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
    let mut est = connect(world, Some(identity), None).await?;
    let csr = request("GATE-7-OTHER", est.challenge_password(), &key)?;
    let outcome = est.enrol(&csr, None).await.map(|_| ());
    checks.push(refused("EST: in the name of another device", &outcome));
    let elsewhere = connect(world, Some(identity), None).await?.challenge_password();
    let csr = request(&device.serial_number, elsewhere, &key)?;
    let outcome = est.enrol(&csr, None).await.map(|_| ());
    checks.push(refused("EST: a request bound to another connection", &outcome));
    if let Some(code) = used_code {
        let code = BasicCredential::new(&device.id.to_string(), code)?;
        let mut est = connect(world, None, None).await?;
        let csr = request(&device.serial_number, est.challenge_password(), &key)?;
        let outcome = est.enrol(&csr, Some(&code)).await.map(|_| ());
        checks.push(refused("EST: a one-time code, the second time", &outcome));
    }
    Ok(checks)
}

/// The CRL that a certificate names, verified.
async fn crl(world: &World, certificate: &Certificate) -> anyhow::Result<Crl> {
    let url = certificate
        .extensions()
        .crl_distribution_points()
        .iter()
        .find_map(uri)
        .context("the certificate names no CRL")?;
    let path = url.strip_prefix(&world.site.public_url).context("a CRL elsewhere")?;
    let crl = Crl::parse(&world.site.public()?.bytes(path).await?)?;
    crl.verify(world.issuer(certificate)?)?;
    anyhow::ensure!(crl.covers(certificate), "the CRL does not cover the certificate");
    anyhow::ensure!(crl.is_current(crate::clock::now()), "the CRL is out of date");
    Ok(crl)
}

fn uri(name: &GeneralName) -> Option<&str> {
    match name {
        GeneralName::Uri(uri) => Some(uri),
        _ => None,
    }
}
