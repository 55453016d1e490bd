//! What must be known of a ClientHello of DTLS before anything is kept for its sender (RFC 6347 section
//! 4.2.1).

/// Records and handshake messages have headers of so many bytes (RFC 6347 sections 4.1 and 4.2.2).
const RECORD: usize = 13;
const HANDSHAKE: usize = 12;
const HEADERS: usize = RECORD + HANDSHAKE;
/// Version and random.
const BEFORE_SESSION: usize = 2 + 32;

/// A ClientHello that came in one piece, in one record, in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    bytes: &'a [u8],
    /// the client's random
    pub random: [u8; 32],
    /// where the cookie begins, behind its length
    cookie_at: usize,
    cookie_length: usize,
}

/// Whether a datagram begins with an unencrypted handshake message, ClientHello or not.
fn is_handshake(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 0xfe, 0xff | 0xfd, 0, 0, ..])
}

impl<'a> Hello<'a> {
    /// Reads the first record of a datagram; `None` where it is anything else.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let head = bytes.get(..HEADERS)?;
        if !is_handshake(head) || number(head.get(11..13)?) + RECORD != bytes.len() {
            return None;
        }
        let length = number(head.get(14..17)?);
        let (offset, fragment) = (number(head.get(19..22)?), number(head.get(22..25)?));
        let whole =
            offset == 0 && fragment == length && HEADERS.checked_add(length)? == bytes.len();
        if head.get(13) != Some(&1) || !whole {
            return None;
        }
        let random = bytes.get(HEADERS + 2..HEADERS + BEFORE_SESSION)?.try_into().ok()?;
        let session = HEADERS + BEFORE_SESSION;
        let session_length = usize::from(*bytes.get(session)?);
        let cookie = session + 1 + session_length;
        let cookie_length = usize::from(*bytes.get(cookie)?);
        let cookie_at = cookie + 1;
        bytes.get(cookie_at..cookie_at + cookie_length).filter(|_| session_length <= 32)?;
        Some(Self { bytes, random, cookie_at, cookie_length })
    }

    /// The cookie by which it answers a HelloVerifyRequest; empty where it answers none.
    pub fn cookie(&self) -> &'a [u8] {
        self.bytes.get(self.cookie_at..self.cookie_at + self.cookie_length).unwrap_or_default()
    }

    /// The HelloVerifyRequest that asks for a cookie (section 4.3.2), in the record that has the number of
    /// this one's.
    pub fn question(&self, cookie: &[u8; 32]) -> Vec<u8> {
        let mut bytes = vec![22, 0xfe, 0xff, 0, 0];
        bytes.extend_from_slice(self.bytes.get(5..11).unwrap_or(&[0; 6]));
        // Lengths of the record, the message, its only fragment, and of the cookie.
        bytes.extend_from_slice(&[0, 47, 3, 0, 0, 35, 0, 0, 0, 0, 0, 0, 0, 35, 0xfe, 0xff, 32]);
        bytes.extend_from_slice(cookie);
        bytes
    }

    /// The ClientHello that came before it, as far as anybody could tell them apart: without the cookie,
    /// the first message in the first record. `None` where it is no second message.
    pub fn first(&self) -> Option<Vec<u8>> {
        let (sequence, message) = (self.bytes.get(5..11)?, self.bytes.get(17..19)?);
        if message != [0, 1] || sequence.iter().all(|byte| *byte == 0) {
            return None;
        }
        let end = self.cookie_at + self.cookie_length;
        let mut first = self.bytes.get(..self.cookie_at)?.to_vec();
        *first.last_mut()? = 0;
        first.extend_from_slice(self.bytes.get(end..)?);
        let length = first.len().checked_sub(HEADERS)?;
        first.get_mut(5..11)?.fill(0);
        first
            .get_mut(11..13)?
            .copy_from_slice(&u16::try_from(length + HANDSHAKE).ok()?.to_be_bytes());
        first.get_mut(17..19)?.fill(0);
        let length = u32::try_from(length).ok()?.to_be_bytes();
        first.get_mut(14..17)?.copy_from_slice(length.get(1..)?);
        first.get_mut(22..25)?.copy_from_slice(length.get(1..)?);
        Some(first)
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello(cookie: &[u8], sequence: u8, message: u8) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([9; 32]);
        body.extend([0, u8::try_from(cookie.len()).unwrap()]);
        body.extend(cookie);
        body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
        let length = u8::try_from(body.len()).unwrap();
        let mut bytes = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, sequence, 0, length + 12];
        bytes.extend([1, 0, 0, length, 0, message, 0, 0, 0, 0, 0, length]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn the_second_hello_without_its_cookie_is_the_first() {
        let second = hello(&[5; 32], 1, 1);
        let read = Hello::read(&second).unwrap();
        assert_eq!(read.cookie(), [5; 32]);
        assert_eq!(read.random, [9; 32]);
        assert_eq!(read.first().unwrap(), hello(&[], 0, 0));
        let first = hello(&[], 0, 0);
        let first = Hello::read(&first).unwrap();
        assert!(first.cookie().is_empty());
        assert_eq!(first.first(), None);
        let question = first.question(&[7; 32]);
        assert_eq!(question.len(), 60);
        assert_eq!(question.get(28..), Some([7; 32].as_slice()));
    }

    #[test]
    fn what_is_no_whole_hello_is_none() {
        let good = hello(&[5; 32], 1, 1);
        for length in 0..good.len() {
            assert_eq!(Hello::read(good.get(..length).unwrap()), None, "{length}");
        }
        for (at, value) in
            [(0, 23), (3, 1), (13, 2), (16, 1), (21, 1), (24, 1), (59, 33), (60, 200)]
        {
            let mut wrong = good.clone();
            *wrong.get_mut(at).unwrap() = value;
            assert_eq!(Hello::read(&wrong), None, "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_datagram_is_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0..120_usize, value: u8) {
            let _ = Hello::read(&bytes);
            let mut damaged = hello(&[5; 32], 1, 1);
            if let Some(byte) = damaged.get_mut(at) {
                *byte = value;
            }
            if let Some(first) = Hello::read(&damaged).and_then(|hello| hello.first()) {
                prop_assert!(first.len() < damaged.len());
                prop_assert!(Hello::read(&first).is_some_and(|first| first.cookie().is_empty()));
            }
        }
    }
}
