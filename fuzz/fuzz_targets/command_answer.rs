//! What a device says of commands and settings: any bytes are an answer or not, and what is read of
//! settings reads the same again.
#![no_main]

use admission::{
    COMMANDS_DOWN, PARAMETERS_BYTES_MAX, Said, canonical_object, encode_configuration,
};
use libfuzzer_sys::fuzz_target;

const COMMAND: &str = "up/commands/00112233445566778899aabbccddeeff";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(said) = Said::read(COMMAND, bytes) {
        assert!(matches!(said, Some(Said::Answer { .. })));
    }
    if let Ok(said) = Said::read("up/configuration", bytes) {
        let Some(Said::Configuration { version, settings }) = said else { panic!("no report") };
        let again = encode_configuration(version, &settings);
        let read = Said::read("up/configuration", &again);
        assert_eq!(read, Ok(Some(Said::Configuration { version, settings })));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Said::read(text, b"{\"state\":\"done\"}");
        assert!(!text.starts_with(COMMANDS_DOWN) || Said::read(text, b"{}") == Ok(None));
    }
    if let Ok(once) = canonical_object(bytes, PARAMETERS_BYTES_MAX) {
        assert_eq!(canonical_object(once.as_bytes(), PARAMETERS_BYTES_MAX), Ok(once));
    }
});
