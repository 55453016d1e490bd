//! HMAC with SHA-256 (RFC 2104, FIPS 198-1), as receivers of web hooks verify it.

use crate::Secret;
use aws_lc_rs::hmac;

/// The code of all parts, one after the other.
pub fn hmac_sha256(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    for part in parts {
        context.update(part);
    }
    let mut code = [0; 32];
    for (to, from) in code.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 test cases 2 and 6.
    #[test]
    fn codes_are_those_of_the_standard() {
        let code = |key: &[u8], parts: &[&[u8]]| {
            hex::encode(hmac_sha256(&Secret::new(key.to_vec()), parts))
        };
        assert_eq!(
            code(b"Jefe", &[b"what do ya want ", b"for nothing?"]),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            code(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
