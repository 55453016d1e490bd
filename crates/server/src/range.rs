//! Byte ranges of requests: `update::byte_range` knows what they mean.

use http::{HeaderMap, header};
pub(crate) use update::byte_range::Wanted;

/// What the headers ask of a representation of `length` bytes called `tag`.
pub(crate) fn wanted(headers: &HeaderMap, length: u64, tag: &str) -> Wanted {
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let if_range = headers.get(header::IF_RANGE).map(http::HeaderValue::as_bytes);
    update::byte_range::wanted(range, if_range, length, tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn both_headers_count_and_what_is_no_text_does_not() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=3-5"));
        assert_eq!(wanted(&headers, 10, "\"t\""), Wanted::Part(3, 5));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"other\""));
        assert_eq!(wanted(&headers, 10, "\"t\""), Wanted::Whole);
        let bytes = HeaderValue::from_bytes(b"bytes=3-5\xff").unwrap();
        let headers = HeaderMap::from_iter([(header::RANGE, bytes)]);
        assert_eq!(wanted(&headers, 10, "\"t\""), Wanted::Whole);
    }
}
