//! What people type and scanners read: GTINs, GS1 Digital Links, management numbers. Any text is an
//! error or has exactly one canonical form.
#![no_main]

use device::{DigitalLink, Gtin, ManagementNumber};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(gtin) = text.parse::<Gtin>() {
        assert_eq!(gtin.to_string().parse(), Ok(gtin), "one GTIN, one form of 14 digits");
    }
    if let Ok(link) = DigitalLink::parse(text) {
        assert_eq!(DigitalLink::parse(&link.path()), Ok(link), "the canonical path leads back");
    }
    if let Ok(number) = ManagementNumber::from_typed(text) {
        assert_eq!(number.to_string().parse(), Ok(number), "one number, one form");
        assert_eq!(ManagementNumber::from_serial(&number.serial()), Ok(number));
    }
    if let Ok(number) = ManagementNumber::from_serial(text) {
        assert_eq!(number.serial().len(), 20, "AI 21 has room for it");
    }
});
