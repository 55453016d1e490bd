//! What a stranger says of certificate types in a hello, and what it shows for a raw public key (RFC 7250), to
//! a server that takes both: one key or nothing, and nobody is connected by it.
#![no_main]

use crypto::{
    KeyAlgorithm, SoftwareKey,
    dtls::{Keys, RawKey, SUITES, associate},
    tls::signing_key,
};
use dimpl::{
    Config, Dtls, Output,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
};
use libfuzzer_sys::fuzz_target;
use rustls::sign::CertifiedKey;
use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

struct Server {
    config: Arc<Config>,
    certified: CertifiedKey,
    raw: RawKey,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let key = Arc::new(SoftwareKey::generate(KeyAlgorithm::EcdsaP256).expect("a key"));
    let raw = RawKey::new(key.clone()).expect("of the right kind");
    let provider = CryptoProvider { key_provider: &Keys, ..default_provider() };
    let config = Config::builder()
        .with_crypto_provider(provider)
        .dtls12_cipher_suites(&SUITES)
        .use_server_cookie(false)
        .with_raw_public_key(raw.to_configure())
        .accept_raw_public_keys(true)
        .build()
        .expect("a configuration");
    // Nobody reads it here.
    let certified = CertifiedKey::new(vec![vec![0x30, 0].into()], signing_key(key));
    Server { config: Arc::new(config), certified, raw }
});

/// A handshake message in one record.
fn record(kind: u8, number: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).expect("short").to_be_bytes();
    let length = u16::try_from(body.len() + 12).expect("short").to_be_bytes();
    let mut bytes = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number, length[0], length[1], kind];
    bytes.extend(&size[1..]);
    bytes.extend([0, number, 0, 0, 0]);
    bytes.extend(&size[1..]);
    bytes.extend(body);
    bytes
}

fn hello(client: &[u8], server: &[u8]) -> Vec<u8> {
    let mut written = vec![0, 23, 0, 0, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3];
    for (number, data) in [(19, client), (20, server)] {
        written.extend([0, number, 0, u8::try_from(data.len()).expect("short")]);
        written.extend(data);
    }
    let mut body = vec![0xfe, 0xfd];
    body.extend([9; 32]);
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend(u16::try_from(written.len()).expect("short").to_be_bytes());
    body.extend(written);
    record(1, 0, &body)
}

/// The key that was shown; nothing else comes of it.
fn drain(dtls: &mut Dtls) -> (Option<Vec<u8>>, bool) {
    let (mut buffer, mut key, mut said) = (vec![0; 8192], None, false);
    loop {
        match dtls.poll_output(&mut buffer) {
            Output::PeerRawPublicKey(shown) => key = Some(shown.to_vec()),
            Output::PeerCert(_) | Output::Connected | Output::ApplicationData(_) => {
                panic!("believed without a proof")
            }
            Output::Packet(_) => said = true,
            Output::Timeout(_) => return (key, said),
            _ => {}
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([first, second, proper], rest)) = bytes.split_first_chunk::<3>() else { return };
    let (client, rest) = rest.split_at(rest.len().min(usize::from(*first % 64)));
    let (server, message) = rest.split_at(rest.len().min(usize::from(*second % 64)));
    let message = &message[..message.len().min(4096)];
    let (now, ours) = (Instant::now(), &*SERVER);
    let begin = || {
        let dtls = associate(ours.config.clone(), &ours.certified, Some(&ours.raw), now);
        let mut dtls = dtls.expect("an association");
        dtls.handle_timeout(now).expect("time passes");
        dtls
    };
    let mut any = begin();
    let _ = any.handle_packet(&hello(client, server));
    assert!(drain(&mut any).0.is_none(), "a key that nobody showed");
    let mut waiting = begin();
    waiting.handle_packet(&hello(&[1, 2], &[1, 2])).expect("a hello");
    assert!(drain(&mut waiting).1, "it is answered");
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    let whole = [&length[1..], message].concat();
    let shown = if proper & 1 == 1 { &whole } else { message };
    let _ = waiting.handle_packet(&record(11, 1, shown));
    if let Some(key) = drain(&mut waiting).0 {
        assert!(
            shown.ends_with(&key) && shown.len() == key.len() + 3 && key.len() <= 512,
            "one key"
        );
    }
});
