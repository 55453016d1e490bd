//! What a device is told, and its proof that keys are erased: any bytes are read or refused.
#![no_main]

use admission::{Heard, KeysErased};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Heard::read_list(bytes);
    let _ = Heard::read("down/commands/00112233445566778899aabbccddeeff", bytes);
    if let Ok(Some(heard)) = Heard::read("down/configuration", bytes) {
        let Heard::Configuration { version, settings } = &heard else { panic!("no settings") };
        let again = admission::encode_configuration(*version, settings);
        assert_eq!(Heard::read("down/configuration", &again), Ok(Some(heard)));
    }
    let _ = KeysErased::claimed(bytes);
});
