//! The archive of an SWUpdate image: cpio, "new ASCII with checksums" (magic 070702), as `cpio -o -H
//! crc` writes it. Members follow each other, headers and contents padded to four bytes; the whole is
//! padded to 512.

use super::{BundleError, check_file_name};

/// Largest member, in bytes: lengths are eight hexadecimal digits.
pub const MEMBER_BYTES_MAX: u64 = u32::MAX as u64;
const HEADER_BYTES: usize = 110;
const TRAILER: &str = "TRAILER!!!";
/// What the whole archive is padded to, in bytes.
const BLOCK_BYTES: u64 = 512;
/// A regular file that everybody may read.
const MODE: u32 = 0o100_644;

/// Writes an archive as pieces: header, contents, padding, …, end.
#[derive(Debug, Default)]
pub struct Archive {
    written: u64,
    members: u32,
}

impl Archive {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes before the contents of a member. `checksum` is the sum of its bytes, see [`Sum`].
    ///
    /// # Errors
    /// [`BundleError`]: its name or length.
    pub fn begin(
        &mut self,
        name: &str,
        length: u64,
        checksum: u32,
    ) -> Result<Vec<u8>, BundleError> {
        check_file_name("file name", name)?;
        let too_large =
            || BundleError::TooLarge { name: name.to_owned(), length, max: MEMBER_BYTES_MAX };
        let size = u32::try_from(length).map_err(|_| too_large())?;
        self.members = self.members.saturating_add(1);
        let out = header(name, size, checksum, self.members);
        self.written = self.written.saturating_add(out.len() as u64).saturating_add(length);
        Ok(out)
    }

    /// What comes after the contents of a member.
    pub fn end_member(&mut self) -> Vec<u8> {
        let pad = padding(self.written, 4);
        self.written = self.written.saturating_add(pad.len() as u64);
        pad
    }

    /// What ends the archive.
    pub fn finish(self) -> Vec<u8> {
        let mut out = header(TRAILER, 0, 0, 0);
        out.extend(padding(self.written.saturating_add(out.len() as u64), BLOCK_BYTES));
        out
    }
}

fn header(name: &str, size: u32, checksum: u32, inode: u32) -> Vec<u8> {
    let mut out = String::with_capacity(HEADER_BYTES + name.len() + 4);
    out.push_str("070702");
    let name_bytes = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
    // inode, mode, uid, gid, links, mtime, size, device (4), name with its end, checksum. No time and
    // no owner: the same parts make the same archive.
    for field in [inode, MODE, 0, 0, 1, 0, size, 0, 0, 0, 0, name_bytes, checksum] {
        out.push_str(&format!("{field:08X}"));
    }
    out.push_str(name);
    let mut out = out.into_bytes();
    out.push(0);
    let pad = padding(out.len() as u64, 4);
    out.extend(pad);
    out
}

fn padding(length: u64, block: u64) -> Vec<u8> {
    let rest = length % block;
    let missing = if rest == 0 { 0 } else { block - rest };
    vec![0; usize::try_from(missing).unwrap_or_default()]
}

/// A member's checksum: the sum of its bytes. It finds faults of storage, never an attacker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u32);

impl Sum {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0 = piece.iter().fold(self.0, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    }

    /// The sum.
    pub fn finish(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
        let (mut archive, mut out) = (Archive::new(), Vec::new());
        for (name, contents) in members {
            let mut sum = Sum::default();
            sum.update(contents);
            out.extend(archive.begin(name, contents.len() as u64, sum.finish()).unwrap());
            out.extend(contents);
            out.extend(archive.end_member());
        }
        out.extend(archive.finish());
        out
    }

    /// Reads as the format's description says, without the code above.
    fn read(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let whole = bytes.len();
        let mut out = Vec::new();
        loop {
            assert_eq!((whole - bytes.len()) % 4, 0);
            assert_eq!(&bytes[..6], b"070702");
            let field = |at: usize| {
                let text = std::str::from_utf8(&bytes[6 + 8 * at..14 + 8 * at]).unwrap();
                usize::from_str_radix(text, 16).unwrap()
            };
            let (size, name_bytes, checksum) = (field(6), field(11), field(12));
            let name = std::str::from_utf8(&bytes[110..110 + name_bytes - 1]).unwrap().to_owned();
            assert_eq!(bytes[110 + name_bytes - 1], 0);
            let at = (110 + name_bytes).next_multiple_of(4);
            let contents = bytes[at..at + size].to_vec();
            assert_eq!(checksum, contents.iter().map(|byte| usize::from(*byte)).sum::<usize>());
            if name == TRAILER {
                assert_eq!(whole % 512, 0);
                assert!(bytes[at..].iter().all(|byte| *byte == 0));
                return out;
            }
            bytes = &bytes[(at + size).next_multiple_of(4)..];
            out.push((name, contents));
        }
    }

    #[test]
    fn names_and_lengths_that_do_not_fit_are_refused() {
        let mut archive = Archive::new();
        for bad in ["", "a/b", "..", "-rf", "a b", "ä", "a\0"] {
            assert!(matches!(archive.begin(bad, 0, 0), Err(BundleError::Field { .. })), "{bad:?}");
        }
        assert!(matches!(archive.begin("a", 1 << 32, 0), Err(BundleError::TooLarge { .. })));
        assert!(archive.begin("a", u64::from(u32::MAX), 0).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            members in proptest::collection::vec(
                ("[a-z0-9][a-z0-9._+-]{0,20}", proptest::collection::vec(any::<u8>(), 0..600)), 0..5),
        ) {
            prop_assert_eq!(read(&archive(&members)), members);
        }
    }
}
