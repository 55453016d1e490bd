//! What the codec lets pass and the standard does not: reserved flags (\[MQTT-2.1.3-1\],
//! \[MQTT-3.1.2-3\]), flags of a will that there is not
//! (\[MQTT-3.1.2-11\] to \[MQTT-3.1.2-13\]), duplicates of QoS 0 (\[MQTT-3.3.1-2\]), lengths of five bytes
//! (\[MQTT-1.5.5-1\]). It follows a client's bytes in whatever pieces they come, and keeps none.

/// Where the flags of CONNECT lie: behind the protocol's name and version.
const CONNECT_FLAGS: usize = 7;
/// Most bytes of a length.
const LENGTH_BYTES_MAX: u32 = 4;

/// Where the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Length { first: u8, bytes: u32, length: usize },
    Body { first: u8, at: usize, left: usize },
}

/// Follows the bytes of one client.
#[derive(Debug)]
pub(super) struct Guard(Place);

impl Default for Guard {
    fn default() -> Self {
        Self(Place::Start)
    }
}

impl Guard {
    /// Looks at the next bytes.
    ///
    /// # Errors
    /// How many of them come before a packet that is malformed.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            // What of the packet came before is with the codec already, which waits for the rest.
            let before = bytes.len().saturating_sub(rest.len());
            match self.0 {
                Place::Start => {
                    if !flags_are_good(*byte) {
                        return Err(before);
                    }
                    self.0 = Place::Length { first: *byte, bytes: 0, length: 0 };
                    rest = after;
                }
                Place::Length { first, bytes, length } => {
                    if bytes >= LENGTH_BYTES_MAX {
                        return Err(before);
                    }
                    let length = length | (usize::from(byte & 127) << (7 * bytes));
                    self.0 = match byte & 128 {
                        0 if length == 0 => Place::Start,
                        0 => Place::Body { first, at: 0, left: length },
                        _ => Place::Length { first, bytes: bytes.saturating_add(1), length },
                    };
                    rest = after;
                }
                Place::Body { first, at, left } => {
                    let here = left.min(rest.len());
                    let flags =
                        CONNECT_FLAGS.checked_sub(at).and_then(|it| rest.get(..here)?.get(it));
                    if first == 0x10 && flags.is_some_and(|flags| !connect_is_good(*flags)) {
                        return Err(before);
                    }
                    self.0 = match left.saturating_sub(here) {
                        0 => Place::Start,
                        left => Place::Body { first, at: at.saturating_add(here), left },
                    };
                    rest = rest.get(here..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }
}

/// Flags of CONNECT: the reserved one is zero, and so is what is said of a will where there is none; a
/// will has no QoS 3.
fn connect_is_good(flags: u8) -> bool {
    let will = flags & 4 != 0;
    flags & 1 == 0 && (will || flags & 0b11_1000 == 0) && flags & 0b1_1000 != 0b1_1000
}

/// The first byte of a packet: its type and its flags (section 2.1.3).
fn flags_are_good(first: u8) -> bool {
    let flags = first & 15;
    match first >> 4 {
        // PUBLISH: no duplicate of QoS 0; QoS 3 the codec refuses.
        3 => flags & 0b1110 != 0b1000,
        // PUBREL, SUBSCRIBE, UNSUBSCRIBE
        6 | 8 | 10 => flags == 2,
        _ => flags == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flags_of_every_type() {
        for first in 0..=255_u8 {
            let good = matches!(
                first,
                0x00 | 0x10 | 0x20 | 0x30..=0x37 | 0x3a..=0x3f | 0x40 | 0x50 | 0x62 | 0x70 | 0x82
                    | 0x90 | 0xa2 | 0xb0 | 0xc0 | 0xd0 | 0xe0 | 0xf0
            );
            assert_eq!(Guard::default().pass(&[first]).is_ok(), good, "{first:#x}");
        }
    }

    #[test]
    fn what_comes_before_is_let_through() {
        let connect = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01c";
        assert_eq!(Guard::default().pass(connect), Ok(()));
        let mut reserved = *connect;
        for flags in [1, 8, 16, 32] {
            reserved[9] = 2 | flags;
            // Its head went on, and no more of it.
            assert_eq!(Guard::default().pass(&reserved), Err(2), "{flags}");
        }
        reserved[9] = 2 | 4 | 8 | 16;
        assert_eq!(Guard::default().pass(&reserved), Err(2), "QoS 3");
        reserved[9] = 2 | 4 | 8 | 32;
        assert_eq!(Guard::default().pass(&reserved), Ok(()));
        let two = [&connect[..], b"\xc1\0"].concat();
        assert_eq!(Guard::default().pass(&two), Err(connect.len()));
        assert_eq!(Guard::default().pass(b"\x30\xff\xff\xff\xff\x01"), Err(5));
        // The same bit elsewhere is somebody's text.
        let publish = b"\x30\x0a\0\x07me/up/a\0";
        assert_eq!(Guard::default().pass(publish), Ok(()));
    }

    proptest! {
        /// Where it stops does not depend on how the bytes are cut.
        #[test]
        fn the_cuts_do_not_matter(
            bytes in prop::collection::vec(prop::sample::select(vec![
                0x10_u8, 0x30, 0x38, 0x82, 0xc0, 0xe0, 0, 1, 2, 3, 9, 0x7f, 0x80, 0xff,
            ]), 0..40),
            cuts in prop::collection::vec(1_usize..6, 1..40),
        ) {
            let whole = Guard::default().pass(&bytes).err();
            let (mut guard, mut rest, mut done, mut stopped) = (Guard::default(), &bytes[..], 0, None);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || stopped.is_some() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                stopped = guard.pass(piece).err().map(|good| done + good);
                (rest, done) = (after, done + piece.len());
            }
            // Within CONNECT it may stop later by as much as it was cut: no packet is complete there.
            prop_assert_eq!(whole.is_some(), stopped.is_some());
            prop_assert!(whole <= stopped);
        }
    }
}
