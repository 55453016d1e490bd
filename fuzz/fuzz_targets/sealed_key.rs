//! Sealed keys: any bytes but those that were sealed are an error.
#![no_main]

use crypto::{
    Secret,
    sealed::{SealingKey, Unlock},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = Secret::new(vec![7; 32]);
    let unlock = Unlock::KeyFile(&file);
    if let Ok(key) = SealingKey::of(bytes, &unlock) {
        assert!(key.open("fuzz", bytes).is_err(), "opened what was never sealed");
    }
});
