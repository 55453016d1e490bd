use crate::support::{id, key};
use crypto::{Signer as _, UnixTime, sha256};
use device::{Challenge, Proof, ProofError, SignedProof};
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(1_795_000_000);

fn challenge(nonce: u8) -> Challenge {
    Challenge { device: id(1), nonce: [nonce; 32], expires: NOW.plus(60) }
}

fn answer(nonce: u8) -> SignedProof {
    let proof = Proof::answer(&challenge(nonce), 7, Some(NOW), Some(sha256(b"firmware")));
    SignedProof::sign(&key(1), &proof).unwrap()
}

#[test]
fn the_right_answer_in_time_is_accepted() {
    let signed = SignedProof::parse(answer(1).as_bytes()).unwrap();
    let proof = signed.verify(key(1).public_key(), &challenge(1), NOW).unwrap();
    assert_eq!((proof.counter, proof.device_time), (7, Some(NOW)));
    assert_eq!(signed.key_id(), key(1).public_key().fingerprint());
}

#[test]
fn every_wrong_answer_has_its_reason() {
    let verify = |challenge: &Challenge, now| {
        answer(1).verify(key(1).public_key(), challenge, now).unwrap_err()
    };
    assert_eq!(verify(&challenge(2), NOW), ProofError::OtherChallenge);
    let late = NOW.plus(61);
    assert_eq!(verify(&challenge(1), late), ProofError::Expired(NOW.plus(60)));
    let other = Challenge { device: id(2), ..challenge(1) };
    assert_eq!(verify(&other, NOW), ProofError::OtherDevice { found: id(1), expected: id(2) });
    assert!(matches!(
        answer(1).verify(key(2).public_key(), &challenge(1), NOW),
        Err(ProofError::Cose(_))
    ));
    let event = device::SignedEvent::sign(&key(1), &crate::event::example()).unwrap();
    assert!(matches!(SignedProof::parse(event.as_bytes()), Err(ProofError::ContentType(_))));
}

proptest! {
    #[test]
    fn proofs_survive_encoding(counter in any::<u64>(), time in proptest::option::of(any::<i64>()), nonce in any::<u8>()) {
        let proof = Proof::answer(&challenge(nonce), counter, time.map(UnixTime), None);
        let signed = SignedProof::sign(&key(1), &proof).unwrap();
        let read = SignedProof::parse(signed.as_bytes()).unwrap();
        prop_assert_eq!(read.unverified(), &proof);
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = SignedProof::parse(&bytes);
    }
}
