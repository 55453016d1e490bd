use crypto::{Sha256, sha256_of};

/// What a leaf of the log holds: a salted hash, which tells nothing about the contents to those
/// who do not have the salt. Erasing salt and contents leaves every proof valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commitment(pub Sha256);

impl Commitment {
    /// The entry as tlog-tiles serves it: 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Hash of the Merkle tree's leaf: SHA-256(0x00 ‖ commitment) (RFC 6962 section 2.1).
    pub fn leaf_hash(&self) -> Sha256 {
        Sha256(tlog_tiles::record_hash(self.as_bytes()).0)
    }
}

/// Commits to `contents`: SHA-256("tegata/leaf/v1" ‖ 0x00 ‖ salt ‖ contents). The salt is 32
/// random bytes, used once and kept with the contents.
pub fn commit(salt: &[u8; 32], contents: &[u8]) -> Commitment {
    Commitment(sha256_of(&[b"tegata/leaf/v1\0", salt, contents]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::sha256;

    #[test]
    fn the_commitment_is_the_documented_hash() {
        let mut message = b"tegata/leaf/v1\0".to_vec();
        message.extend([7; 32]);
        message.extend(b"contents");
        assert_eq!(commit(&[7; 32], b"contents"), Commitment(sha256(&message)));
        let leaf = commit(&[7; 32], b"contents");
        let mut hashed = vec![0];
        hashed.extend(leaf.as_bytes());
        assert_eq!(leaf.leaf_hash(), sha256(&hashed));
        assert_ne!(commit(&[8; 32], b"contents"), leaf);
    }
}
