//! Enrolment through the door, with the client that devices use.

use crate::world::{World, csr, key};
use api::{
    ClientError, Identity, Settings,
    client::{Call, Est},
};
use enrolment::est::BasicCredential;
use http::{Method, StatusCode, header};
use pki::{CsrBuilder, Subject};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn from_the_station_to_the_owner_and_on() {
    for settings in [
        Settings::default(),
        Settings { tls12_only: true, ..Settings::default() },
        Settings { http2: true, ..Settings::default() },
    ] {
        let world = World::new().await;
        let maker = world.maker("maker", "gate").await;
        let owner = world.owner("owner").await;
        let thing = world.made(&maker, "gate").await;
        let client = |identity: Option<&Identity>| world.client_with(identity, settings.clone());

        // Before anybody knows anybody: the CA certificates.
        let known = Est::new(client(None), Some("gate")).ca_certificates().await.unwrap();
        assert!(known.iter().any(|certificate| certificate.is_ca()));
        let error = Est::new(client(None), Some("nowhere")).ca_certificates().await.unwrap_err();
        assert_eq!(error.status(), Some(404), "{error}");

        // The maker's station gets the IDevID.
        let station = Est::new(client(Some(&maker.station.identity)), Some("gate"));
        let idevid = station.enrol(&csr(&thing.key, &thing.serial), None).await.unwrap();
        let issuer = known.iter().find(|ca| ca.subject_der() == idevid.issuer_der()).unwrap();
        let device = Identity {
            chain: vec![idevid, issuer.clone()],
            key: Arc::new(crate::world::copy(&thing.key)),
        };
        world.sell(&maker, &owner, &thing.id).await;

        // The owner releases a code; the device joins with it, bound to the connection.
        let wanted = api::wire::CodesWanted {
            devices: vec![api::wire::scalar::DeviceRef(thing.id)],
            lifetime_s: 600,
        };
        let mut codes = world.rest(&owner.admin).release_codes(&wanted).await.unwrap();
        let code = codes.items.remove(0).done.unwrap().code;
        let basic = BasicCredential::new(&thing.id.to_string(), &code).unwrap();
        let local = key();
        let wrong = BasicCredential::new(&thing.id.to_string(), "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA");
        let bare = Est::new(client(None), None);
        let error = bare.enrol(&csr(&local, &thing.serial), None).await.unwrap_err();
        assert_eq!(error.status(), Some(401), "{error}");
        let error =
            bare.enrol(&csr(&local, &thing.serial), Some(&wrong.unwrap())).await.unwrap_err();
        assert_eq!(error.status(), Some(401), "{error}");
        let mut connection = bare.connect().await.unwrap();
        let bound = CsrBuilder {
            subject: Subject { serial_number: thing.serial.clone(), ..Subject::named("any") },
            challenge_password: connection.challenge_password(),
            ..CsrBuilder::default()
        };
        assert_eq!(bound.challenge_password.is_some(), !settings.tls12_only);
        let bound = bound.build(&local).unwrap();
        if !settings.tls12_only {
            // The request of one connection is worth nothing on another.
            let error =
                bare.connect().await.unwrap().enrol(&bound, Some(&basic)).await.unwrap_err();
            assert!(matches!(error, ClientError::Status { status: 400..=422, .. }), "{error}");
        }
        let ldevid = connection.enrol(&bound, Some(&basic)).await.unwrap();
        assert_eq!(ldevid.organization().as_deref(), Some("owner"));
        let again = bare.enrol(&csr(&key(), &thing.serial), Some(&basic)).await.unwrap_err();
        assert_eq!(again.status(), Some(401), "{again}");

        // It renews with what it has, and with a new key.
        let all = bare.ca_certificates().await.unwrap();
        let issuer = all.iter().find(|ca| ca.subject_der() == ldevid.issuer_der()).unwrap();
        let working = Identity {
            chain: vec![ldevid.clone(), issuer.clone()],
            key: Arc::new(crate::world::copy(&local)),
        };
        let me = api::Rest::new(client(Some(&working))).whoami().await.unwrap();
        assert_eq!(me.device.unwrap().0, thing.id);
        let fresh = key();
        let renewed = Est::new(client(Some(&working)), None)
            .reenrol(&renewal(&ldevid, &fresh))
            .await
            .unwrap();
        assert_eq!(renewed.subject_der(), ldevid.subject_der());
        assert_ne!(renewed.serial(), ldevid.serial());
        // The IDevID vouches too, for its own device only.
        let other = world.made(&maker, "gate").await;
        let error = Est::new(client(Some(&device)), None)
            .enrol(&csr(&key(), &other.serial), None)
            .await
            .unwrap_err();
        assert!(matches!(error.status(), Some(400..=422)), "{error}");
    }
}

fn renewal(old: &pki::Certificate, key: &crypto::SoftwareKey) -> Vec<u8> {
    let subject = Subject::from_name(&old.subject());
    CsrBuilder { subject, ..CsrBuilder::default() }.build(key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_made_by_the_server() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let owner = world.owner("owner").await;
    let thing = world.made(&maker, "gate").await;
    let idevid = world.idevid(&maker, "gate", &thing).await;
    world.sell(&maker, &owner, &thing.id).await;
    let codes =
        world.service.release_codes(&owner.admin.caller, vec![thing.id], 600).await.unwrap();
    let code = codes.into_iter().next().unwrap().unwrap().code;
    let basic = BasicCredential::new(&thing.id.to_string(), code.expose()).unwrap();
    let est = Est::new(world.client(None), None);
    let mut connection = est.connect().await.unwrap();
    let (private_key, certificate) =
        connection.server_keygen(&csr(&key(), &thing.serial), Some(&basic)).await.unwrap();
    let key = crypto::SoftwareKey::from_pkcs8(&private_key).unwrap();
    assert_eq!(crypto::Signer::public_key(&key).spki(), certificate.spki_der());
    assert_eq!(idevid.chain.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_est_is_refused_in_plain_words() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let client = world.client(Some(&maker.station.identity));
    let nobody = world.client(None);
    let enroll = "/.well-known/est/gate/simpleenroll";
    let post = |kind: &'static str, body: &str| Call::post(enroll, kind, body.to_owned());
    for (call, status) in [
        (Call::get("/.well-known/est/nothing"), 404),
        (Call::new(Method::POST, "/.well-known/est/fullcmc"), 501),
        (Call::get("/.well-known/est/UPPER/cacerts"), 404),
        (Call::get(enroll), 405),
        (Call::new(Method::DELETE, "/.well-known/est/cacerts"), 405),
        (post("application/json", "{}"), 415),
        (post("application/pkcs10", ""), 400),
        (post("application/pkcs10", "!!!!"), 400),
        (post("application/pkcs10", "MAA="), 400),
        (post("application/pkcs10", &"A".repeat(70_000)), 413),
    ] {
        let shown = format!("{call:?}").chars().take(200).collect::<String>();
        let answer = client.send(call).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{shown}: {answer:?}");
        assert_eq!(answer.media_type().as_deref(), Some("text/plain"), "{shown}");
        assert!(answer.body.len() > 10, "{shown}");
    }
    let answer = nobody.send(post("application/pkcs10", "MAA=")).await.unwrap();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("Basic realm="));
    // The form that strongSwan makes of a URL with a path.
    let answer = nobody.send(Call::get("/gate/.well-known/est/cacerts")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    let answer = nobody.send(Call::get("/.well-known/est/csrattrs")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    // EST is not spoken in the clear.
    let answer = world.plain().send(Call::get("/.well-known/est/cacerts")).await.unwrap();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
