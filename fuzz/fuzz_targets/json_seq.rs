//! JSON text sequences of advisories: any bytes come apart into texts without separators, which put
//! together again come apart into the same.
#![no_main]

use advisory::json_texts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let texts: Vec<&[u8]> = json_texts(bytes).collect();
    let mut again = Vec::new();
    for text in &texts {
        assert!(!text.is_empty() && !text.contains(&0x1e), "one text");
        assert_eq!(*text, text.trim_ascii(), "without white space around it");
        again.push(0x1e);
        again.extend_from_slice(text);
        again.push(b'\n');
    }
    assert!(json_texts(&again).eq(texts.iter().copied()), "the same");
    assert!(texts.iter().map(|text| text.len()).sum::<usize>() <= bytes.len());
});
