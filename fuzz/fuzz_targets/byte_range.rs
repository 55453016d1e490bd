//! `Range` and `If-Range` of a file: the first eight bytes are its length, the ninth says where the
//! second header begins. Whatever is asked for lies within the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update::byte_range::{Wanted, wanted};

const TAG: &str = "\"0123\"";

fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return };
    let Some((at, rest)) = rest.split_first() else { return };
    let length = u64::from_be_bytes(*length);
    let (range, known) = rest.split_at(usize::from(*at).min(rest.len()));
    let Ok(range) = std::str::from_utf8(range) else { return };
    let known = (!known.is_empty()).then_some(known);
    match wanted(Some(range), known, length, TAG) {
        Wanted::Part(first, last) => {
            assert!(first <= last && last < length, "within the file");
            assert!(known.is_none_or(|known| known == TAG.as_bytes()), "a part of another file");
            // Asked for as answered, it is the same.
            let again = format!("bytes={first}-{last}");
            assert_eq!(wanted(Some(&again), None, length, TAG), Wanted::Part(first, last));
        }
        Wanted::None => assert!(known.is_none_or(|known| known == TAG.as_bytes())),
        Wanted::Whole => {}
    }
});
