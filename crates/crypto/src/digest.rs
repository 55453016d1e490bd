use aws_lc_rs::digest;

/// A hash function of FIPS 180-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// SHA-256, 32 bytes
    Sha256,
    /// SHA-384, 48 bytes
    Sha384,
    /// SHA-512, 64 bytes
    Sha512,
}

impl HashAlgorithm {
    /// Length of its digests in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn inner(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// Hashes what arrives piece by piece, such as an image that does not fit into memory.
#[derive(Clone)]
pub struct Digester(digest::Context);

impl Digester {
    /// Starts with nothing.
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Self(digest::Context::new(algorithm.inner()))
    }

    /// SHA-1, only where a protocol uses it as a name and not for security: the DDI protocol's
    /// `hashes.sha1` of an artifact. See [`crate::sha1_for_identifiers`].
    pub fn sha1_for_identifiers() -> Self {
        Self(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY))
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

impl std::fmt::Debug for Digester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digester")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_like_the_whole() {
        let check = |algorithm: HashAlgorithm, expected: &str| {
            let mut digester = Digester::new(algorithm);
            for piece in [b"a".as_slice(), b"", b"bc"] {
                digester.update(piece);
            }
            let digest = digester.finish();
            assert_eq!(digest.len(), algorithm.length());
            assert_eq!(hex::encode(digest), expected);
        };
        check(
            HashAlgorithm::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        );
        check(
            HashAlgorithm::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        );
        check(
            HashAlgorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        );
    }
}
