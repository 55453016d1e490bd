//! JSON text sequences (RFC 7464).

/// Stands before each text; no JSON text contains it.
const RS: u8 = 0x1e;

/// The texts of a sequence, without white space around them. Whether each is JSON is for whoever reads
/// it: one that is not takes nothing from the others (section 2.3). A text before the first separator
/// counts too, since some writers leave that one out.
pub fn json_texts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == RS).map(<[u8]>::trim_ascii).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_found_whatever_stands_between() {
        let check = |bytes: &[u8], expected: &[&str]| {
            let found: Vec<_> =
                json_texts(bytes).map(|text| str::from_utf8(text).unwrap()).collect();
            assert_eq!(found, expected);
        };
        check(b"", &[]);
        check(b"\x1e\x1e\n\x1e", &[]);
        check(b"\x1e{\"a\":1}\n\x1e[2]\n", &["{\"a\":1}", "[2]"]);
        check(b"{\"a\":1}\x1e[2]", &["{\"a\":1}", "[2]"]);
        // A text that broke off is refused by itself.
        check(b"\x1e{\"a\":\x1e[2]\n", &["{\"a\":", "[2]"]);
    }

    proptest! {
        #[test]
        fn what_was_put_together_comes_apart(
            all in proptest::collection::vec("[ -~]{0,12}", 0..8)
        ) {
            let values: Vec<serde_json::Value> = all.into_iter().map(Into::into).collect();
            let mut bytes = Vec::new();
            for value in &values {
                bytes.push(RS);
                bytes.extend(serde_json::to_vec_pretty(value).unwrap());
                bytes.push(b'\n');
            }
            let read: Vec<serde_json::Value> =
                json_texts(&bytes).map(|text| serde_json::from_slice(text).unwrap()).collect();
            prop_assert_eq!(read, values);
        }
    }
}
