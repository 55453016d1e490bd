//! Requests and answers of CoAP (RFC 7252) as this door understands them. The codec is `coap-lite`;
//! what it reads too kindly is looked at here.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType};

/// Options that hold what a request asks for (RFC 7252 section 5.10, RFC 7959).
const KNOWN: [u16; 9] = [3, 7, 11, 15, 17, 23, 27, 60, 258];
const PROXY: [u16; 2] = [35, 39];
/// Most options of one request: each takes many times the memory that it takes on the wire.
const OPTIONS_MAX: usize = 64;
/// Shortest and longest block, as exponents less four (RFC 7959 section 2.2).
const EXPONENT_MAX: u8 = 6;

/// Response codes, class and detail (RFC 7252 section 12.1.2).
pub(super) type Code = (u8, u8);

pub(super) const CONTENT: Code = (2, 5);
pub(super) const CHANGED: Code = (2, 4);
pub(super) const CONTINUE: Code = (2, 31);
pub(super) const BAD_REQUEST: Code = (4, 0);
pub(super) const BAD_OPTION: Code = (4, 2);
pub(super) const NOT_FOUND: Code = (4, 4);
pub(super) const METHOD_NOT_ALLOWED: Code = (4, 5);
pub(super) const NOT_ACCEPTABLE: Code = (4, 6);
pub(super) const INCOMPLETE: Code = (4, 8);
pub(super) const TOO_LARGE: Code = (4, 13);
pub(super) const UNSUPPORTED_FORMAT: Code = (4, 15);
pub(super) const INTERNAL: Code = (5, 0);
pub(super) const UNAVAILABLE: Code = (5, 3);
pub(super) const NO_PROXY: Code = (5, 5);

/// One block of a body (RFC 7959 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) number: u32,
    pub(super) more: bool,
    /// size, as exponent less four
    pub(super) exponent: u8,
}

impl Block {
    pub(super) fn size(self) -> usize {
        1 << (self.exponent + 4)
    }

    /// Where it begins, in bytes.
    pub(super) fn offset(self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX).saturating_mul(self.size())
    }

    fn read(value: &[u8]) -> Option<Self> {
        let value = uint(value)?;
        let exponent = u8::try_from(value & 7).ok().filter(|it| *it <= EXPONENT_MAX)?;
        (value >> 24 == 0).then_some(Self { number: value >> 4, more: value & 8 != 0, exponent })
    }

    fn value(self) -> Vec<u8> {
        let more = if self.more { 8 } else { 0 };
        written((self.number << 4) | more | u32::from(self.exponent))
    }
}

/// An unsigned number of an option, most significant byte first, as short as may be (section 3.2).
fn uint(value: &[u8]) -> Option<u32> {
    let bytes: Vec<u8> = std::iter::repeat_n(0, 4_usize.checked_sub(value.len())?)
        .chain(value.iter().copied())
        .collect();
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn written(value: u32) -> Vec<u8> {
    value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// What an answer belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) confirmable: bool,
    pub(super) id: u16,
    token: Vec<u8>,
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// levels of the path, none of which holds a solidus
    pub(super) path: Vec<String>,
    pub(super) query: Vec<String>,
    pub(super) format: Option<u16>,
    pub(super) accept: Option<u16>,
    /// of the request's body
    pub(super) block1: Option<Block>,
    /// of the answer's body
    pub(super) block2: Option<Block>,
    pub(super) payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Other,
}

/// What came in one datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// nothing that is to be answered
    Nothing,
    /// a message that is none, or a ping: it is reset (section 4.2, 4.3)
    Reset { id: u16, malformed: bool },
    /// a request
    Request(Asked, Box<Request>),
    /// a request that is refused as it stands
    Refused(Asked, Code),
}

/// Reads a datagram.
pub(super) fn read(bytes: &[u8]) -> Heard {
    let [first, code, high, low, rest @ ..] = bytes else { return Heard::Nothing };
    // Another version is ignored in silence (section 3).
    if first >> 6 != 1 {
        return Heard::Nothing;
    }
    let id = u16::from_be_bytes([*high, *low]);
    let confirmable = match (first >> 4) & 3 {
        0 => true,
        1 => false,
        // Nothing is sent from here that wants an acknowledgement.
        _ => return Heard::Nothing,
    };
    let wrong = || if confirmable { Heard::Reset { id, malformed: true } } else { Heard::Nothing };
    if *code == 0 {
        // An empty message with anything in it is none (section 4.1).
        let empty = rest.is_empty() && first & 15 == 0;
        return match empty && confirmable {
            true => Heard::Reset { id, malformed: false },
            false => wrong(),
        };
    }
    let token_length = usize::from(first & 15);
    let Some(options) = rest.get(token_length..).filter(|_| token_length <= 8) else {
        return wrong();
    };
    if !reads_well(options) {
        return wrong();
    }
    let Ok(packet) = Packet::from_bytes(bytes) else { return wrong() };
    let MessageClass::Request(method) = packet.header.code else {
        // Codes of requests that nobody knows are methods that nobody knows (section 5.8).
        let asked = Asked { confirmable, id, token: packet.get_token().to_vec() };
        return if *code < 32 { Heard::Refused(asked, METHOD_NOT_ALLOWED) } else { wrong() };
    };
    debug_assert_eq!(confirmable, packet.header.get_type() == MessageType::Confirmable);
    let asked = Asked { confirmable, id, token: packet.get_token().to_vec() };
    match request(method, packet) {
        Ok(request) => Heard::Request(asked, Box::new(request)),
        Err(code) => Heard::Refused(asked, code),
    }
}

/// Whether options and payload stand as section 3.1 has it. `coap-lite` misreads deltas and lengths of
/// two bytes, takes a payload marker without a payload, and bounds nothing: no option that this door
/// knows needs two bytes.
fn reads_well(mut rest: &[u8]) -> bool {
    for _ in 0..=OPTIONS_MAX {
        let Some((first, after)) = rest.split_first() else { return true };
        if *first == 0xff {
            return !after.is_empty();
        }
        let mut length = usize::from(first & 15);
        let mut skip = 0_usize;
        for nibble in [first >> 4, first & 15] {
            match nibble {
                13 => skip = skip.saturating_add(1),
                14 | 15 => return false,
                _ => {}
            }
        }
        if length == 13 {
            let Some(more) = after.get(skip.saturating_sub(1)) else { return false };
            length = length.saturating_add(usize::from(*more));
        }
        let Some(next) = after.get(skip.saturating_add(length)..) else { return false };
        rest = next;
    }
    false
}

fn request(method: RequestType, packet: Packet) -> Result<Request, Code> {
    for (number, _) in packet.options() {
        if PROXY.contains(number) {
            return Err(NO_PROXY);
        }
        // What is critical and unknown is not to be passed over (section 5.4.1).
        if number & 1 == 1 && !KNOWN.contains(number) {
            return Err(BAD_OPTION);
        }
    }
    let texts = |option| -> Result<Vec<String>, Code> {
        let values = packet.get_option(option).into_iter().flatten();
        values.map(|it| String::from_utf8(it.clone()).map_err(|_| BAD_OPTION)).collect()
    };
    let once = |option, critical: bool| -> Result<Option<&Vec<u8>>, Code> {
        match packet.get_option(option).map(|values| (values.len(), values.front())) {
            Some((1, first)) => Ok(first),
            // Twice what may stand once counts as unknown (section 5.4.5).
            Some((2.., _)) if critical => Err(BAD_OPTION),
            _ => Ok(None),
        }
    };
    let number = |value: Option<&Vec<u8>>| -> Result<Option<u16>, Code> {
        value.map(|it| uint(it).and_then(|it| u16::try_from(it).ok()).ok_or(BAD_OPTION)).transpose()
    };
    let block = |option| -> Result<Option<Block>, Code> {
        once(option, true)?.map(|it| Block::read(it).ok_or(BAD_REQUEST)).transpose()
    };
    let path = texts(CoapOption::UriPath)?;
    if path.iter().any(|level| level.contains('/')) {
        return Err(BAD_REQUEST);
    }
    Ok(Request {
        method: match method {
            RequestType::Get => Method::Get,
            RequestType::Post => Method::Post,
            _ => Method::Other,
        },
        path,
        query: texts(CoapOption::UriQuery)?,
        format: number(once(CoapOption::ContentFormat, false)?)?,
        accept: number(once(CoapOption::Accept, true)?)?,
        block1: block(CoapOption::Block1)?,
        block2: block(CoapOption::Block2)?,
        payload: packet.payload,
    })
}

/// An answer, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    pub(super) format: Option<u16>,
    pub(super) max_age_s: Option<u32>,
    pub(super) etag: Option<Vec<u8>>,
    pub(super) block1: Option<Block>,
    pub(super) block2: Option<Block>,
    /// largest body taken, in bytes
    pub(super) size1: Option<u32>,
    pub(super) payload: Vec<u8>,
}

impl From<Code> for Answer {
    fn from(code: Code) -> Self {
        Self {
            code,
            format: None,
            max_age_s: None,
            etag: None,
            block1: None,
            block2: None,
            size1: None,
            payload: Vec::new(),
        }
    }
}

impl Answer {
    /// As a datagram: with the acknowledgement where one is wanted, else by itself under `own_id`
    /// (section 5.2).
    pub(super) fn written(self, asked: &Asked, own_id: u16) -> Vec<u8> {
        let mut packet = Packet::new();
        let (kind, id) = match asked.confirmable {
            true => (MessageType::Acknowledgement, asked.id),
            false => (MessageType::NonConfirmable, own_id),
        };
        packet.header.set_type(kind);
        packet.header.message_id = id;
        packet.header.code = MessageClass::from((self.code.0 << 5) | self.code.1);
        packet.set_token(asked.token.clone());
        let mut option = |option, value: Option<Vec<u8>>| {
            if let Some(value) = value {
                packet.add_option(option, value);
            }
        };
        option(CoapOption::ETag, self.etag);
        option(CoapOption::ContentFormat, self.format.map(|it| written(it.into())));
        option(CoapOption::MaxAge, self.max_age_s.map(written));
        option(CoapOption::Block2, self.block2.map(Block::value));
        option(CoapOption::Block1, self.block1.map(Block::value));
        option(CoapOption::Size1, self.size1.map(written));
        packet.payload = self.payload;
        packet.to_bytes_unlimited().unwrap_or_default()
    }
}

/// A reset of a message (section 4.2).
pub(super) fn reset(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0x70, 0, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn post(options: &[(u16, &[u8])], payload: &[u8]) -> Vec<u8> {
        let mut packet = Packet::new();
        packet.header.message_id = 7;
        packet.header.code = MessageClass::Request(RequestType::Post);
        packet.set_token(vec![1, 2]);
        for (number, value) in options {
            packet.add_option(CoapOption::from(*number), value.to_vec());
        }
        packet.payload = payload.to_vec();
        packet.to_bytes_unlimited().unwrap()
    }

    fn refused(bytes: &[u8]) -> Code {
        match read(bytes) {
            Heard::Refused(_, code) => code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_meant() {
        let bytes = post(
            &[(11, b"me"), (11, b"up"), (12, &[60]), (15, b"time=1"), (27, &[0x1e])],
            b"hello",
        );
        let Heard::Request(asked, request) = read(&bytes) else { panic!() };
        assert_eq!(asked, Asked { confirmable: true, id: 7, token: vec![1, 2] });
        assert_eq!(request.path, ["me", "up"]);
        assert_eq!(request.query, ["time=1"]);
        assert_eq!((request.format, request.accept), (Some(60), None));
        let block = Block { number: 1, more: true, exponent: 6 };
        assert_eq!((request.block1, request.block2), (Some(block), None));
        assert_eq!((block.size(), block.offset()), (1024, 1024));
        assert_eq!(request.payload, b"hello");
    }

    #[test]
    fn what_cannot_be_served_is_refused_by_name() {
        assert_eq!(refused(&post(&[(35, b"coap://x")], b"")), NO_PROXY);
        assert_eq!(refused(&post(&[(1, b"x")], b"")), BAD_OPTION, "If-Match is critical");
        assert_eq!(refused(&post(&[(9, b"x")], b"")), BAD_OPTION, "so is OSCORE");
        assert_eq!(refused(&post(&[(27, &[7])], b"")), BAD_REQUEST, "a reserved size");
        assert_eq!(refused(&post(&[(27, &[1, 0, 0, 0])], b"")), BAD_REQUEST, "four bytes");
        assert_eq!(refused(&post(&[(11, b"a/b")], b"")), BAD_REQUEST);
        assert_eq!(refused(&post(&[(11, &[0xff])], b"")), BAD_OPTION);
        assert_eq!(refused(&post(&[(17, &[50]), (17, &[60])], b"")), BAD_OPTION);
        assert!(matches!(read(&post(&[(4, b"etag")], b"")), Heard::Request(..)), "elective");
        assert_eq!(refused(&[0x40, 0x1f, 0, 1]), METHOD_NOT_ALLOWED);
    }

    #[test]
    fn what_is_no_message_is_reset_or_passed_over() {
        assert_eq!(read(&[]), Heard::Nothing);
        assert_eq!(read(&[0x80, 1, 0, 1]), Heard::Nothing, "another version");
        assert_eq!(read(&[0x40, 0, 0, 9]), Heard::Reset { id: 9, malformed: false }, "a ping");
        assert_eq!(read(&[0x70, 0, 0, 9]), Heard::Nothing, "a reset");
        let wrong = Heard::Reset { id: 1, malformed: true };
        assert_eq!(read(&[0x40, 0, 0, 1, 0xff]), wrong, "an empty message that is not empty");
        assert_eq!(read(&[0x49, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), wrong, "a token of nine");
        assert_eq!(read(&[0x40, 2, 0, 1, 0xff]), wrong, "a marker and no payload");
        assert_eq!(read(&[0x40, 2, 0, 1, 0xe1, 0, 0, 0]), wrong, "a delta of two bytes");
        assert_eq!(read(&[0x40, 2, 0, 1, 0xb5, b'm']), wrong, "an option that is cut off");
        assert_eq!(read(&[0x50, 2, 0, 1, 0xff]), Heard::Nothing, "nobody waits for an answer");
        let many = post(&vec![(11, b"x".as_slice()); OPTIONS_MAX + 1], b"");
        assert_eq!(read(&many), Heard::Reset { id: 7, malformed: true });
    }

    proptest! {
        /// Whatever comes: nothing breaks, and what is read has its bounds.
        #[test]
        fn any_datagram_is_heard(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Heard::Request(_, request) = read(&bytes) {
                prop_assert!(request.path.len() + request.query.len() <= OPTIONS_MAX);
            }
        }

        /// The codec reads nothing else than what this looked at.
        #[test]
        fn what_reads_well_is_read_alike(
            options in proptest::collection::vec((0..260_u16, proptest::collection::vec(any::<u8>(), 0..100)), 0..10),
            payload in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let options: Vec<(u16, &[u8])> = options.iter().map(|(n, v)| (*n, v.as_slice())).collect();
            let bytes = post(&options, &payload);
            prop_assert!(reads_well(bytes.get(6..).unwrap()));
            prop_assert_eq!(Packet::from_bytes(&bytes).unwrap().payload, payload);
        }
    }
}
