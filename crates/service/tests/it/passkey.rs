//! An authenticator in software (WebAuthn Level 3, sections 6.1 and 6.5), honest unless told not to
//! be.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{KeyAlgorithm, SignatureScheme, Signer as _, SoftwareKey, random, sha256};
use serde_json::{Value, json};

pub(crate) const ORIGIN: &str = "https://console.example";
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// A passkey on its device.
pub(crate) struct Authenticator {
    key: SoftwareKey,
    credential: Vec<u8>,
    user: Vec<u8>,
    /// 0: keeps none, like a passkey that is synchronised
    pub(crate) counter: u32,
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    pub(crate) verifies_user: bool,
    /// what `credProps.rk` says
    pub(crate) discoverable: bool,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        Self {
            key: SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap(),
            credential: random::bytes::<24>().to_vec(),
            user: Vec::new(),
            counter: 0,
            origin: ORIGIN.into(),
            rp_id: "console.example".into(),
            verifies_user: true,
            discoverable: true,
        }
    }

    /// The same passkey on another device.
    pub(crate) fn copied(&self) -> Self {
        let pkcs8 = self.key.to_pkcs8().unwrap();
        Self {
            key: SoftwareKey::from_pkcs8(&pkcs8).unwrap(),
            credential: self.credential.clone(),
            user: self.user.clone(),
            origin: self.origin.clone(),
            rp_id: self.rp_id.clone(),
            ..*self
        }
    }

    fn flags(&self) -> u8 {
        USER_PRESENT | if self.verifies_user { USER_VERIFIED } else { 0 }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut data = sha256(self.rp_id.as_bytes()).as_bytes().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn count(&mut self) {
        if self.counter > 0 {
            self.counter += 1;
        }
    }

    /// Answers `navigator.credentials.create`.
    pub(crate) fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let public = &options["publicKey"];
        let selection = &public["authenticatorSelection"];
        assert_eq!(selection["residentKey"], "required");
        assert_eq!(selection["userVerification"], "required");
        assert_eq!(public["rp"]["id"], "console.example");
        self.user = URL_SAFE_NO_PAD.decode(public["user"]["id"].as_str().unwrap()).unwrap();
        let client_data = self.client_data("webauthn.create", &public["challenge"]);
        let mut data = self.authenticator_data(self.flags() | ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential.len()).unwrap().to_be_bytes());
        data.extend(&self.credential);
        let point = self.key.public_key().bits();
        assert_eq!((point.len(), point[0]), (65, 4));
        // COSE_Key: EC2, ES256, P-256, x, y.
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..]);
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt");
        object.push(0x64);
        object.extend(b"none");
        object.push(0x67);
        object.extend(b"attStmt");
        object.extend([0xa0, 0x68]);
        object.extend(b"authData");
        object.extend([0x58, u8::try_from(data.len()).unwrap()]);
        object.extend(&data);
        json!({
            "id": URL_SAFE_NO_PAD.encode(&self.credential),
            "rawId": URL_SAFE_NO_PAD.encode(&self.credential),
            "type": "public-key",
            "response": {
                "attestationObject": URL_SAFE_NO_PAD.encode(object),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            },
            "extensions": { "credProps": { "rk": self.discoverable } },
        })
        .to_string()
    }

    /// Answers `navigator.credentials.get`.
    pub(crate) fn get(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let public = &options["publicKey"];
        assert_eq!(public["userVerification"], "required");
        assert_eq!(options.get("mediation"), None, "the page asks when a button is pressed");
        self.count();
        let client_data = self.client_data("webauthn.get", &public["challenge"]);
        let data = self.authenticator_data(self.flags());
        let message = [data.as_slice(), sha256(&client_data).as_bytes()].concat();
        let signature = self.key.sign(SignatureScheme::EcdsaSha256, &message).unwrap();
        json!({
            "id": URL_SAFE_NO_PAD.encode(&self.credential),
            "rawId": URL_SAFE_NO_PAD.encode(&self.credential),
            "type": "public-key",
            "response": {
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
                "signature": URL_SAFE_NO_PAD.encode(signature),
                "userHandle": URL_SAFE_NO_PAD.encode(&self.user),
            },
            "extensions": {},
        })
        .to_string()
    }
}
