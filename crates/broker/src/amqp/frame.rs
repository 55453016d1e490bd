//! Frames and fields of AMQP 0-9-1 (sections 2.3.5 and 4.2), as far as a publisher needs them.

use crate::Fault;

/// Largest frame that we take and send, in bytes: a quarter of what RabbitMQ has by itself, since there
/// may be a thousand connections.
pub(super) const FRAME_BYTES_MAX: u32 = 32_768;
const END: u8 = 0xce;
const HEAD_BYTES: usize = 7;
/// What a frame has beside its payload.
pub(super) const AROUND: usize = HEAD_BYTES + 1;

/// Kinds of frames.
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) channel: u16,
    pub(super) payload: Vec<u8>,
}

/// The first frame of some bytes, and how many it has; none where it is not whole yet.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, Fault> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    // A server that does not speak 0-9-1 says so by its own header.
    if head.starts_with(b"AMQP") {
        return Err(Fault::Broken("it speaks another version of AMQP"));
    }
    let [kind, c1, c2, s1, s2, s3, s4] = *head;
    let size = u32::from_be_bytes([s1, s2, s3, s4]);
    let known = matches!(kind, METHOD | HEADER | BODY | HEARTBEAT);
    let size = usize::try_from(size).ok().filter(|_| known && size <= FRAME_BYTES_MAX);
    let size = size.ok_or(Fault::Broken("a frame is of no kind, or too large"))?;
    let Some((payload, after)) = rest.split_at_checked(size) else { return Ok(None) };
    match after.first() {
        None => Ok(None),
        Some(&END) => {
            let frame =
                Frame { kind, channel: u16::from_be_bytes([c1, c2]), payload: payload.to_vec() };
            Ok(Some((frame, size.saturating_add(AROUND))))
        }
        Some(_) => Err(Fault::Broken("a frame does not end where it says")),
    }
}

/// Adds a frame.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(payload);
    out.push(END);
}

/// Fields of a payload, one after the other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

const SHORT: Fault = Fault::Broken("a frame is shorter than its fields");

impl<'a> Fields<'a> {
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (chunk, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*chunk)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.chunk().map(u64::from_be_bytes)
    }

    /// A text of 255 bytes at most; what is no UTF-8 is shown as such.
    pub(super) fn short(&mut self) -> Result<String, Fault> {
        let count = self.u8()?;
        Ok(String::from_utf8_lossy(self.bytes(count.into())?).into_owned())
    }

    /// A long text, or a table, whose length stands before it in the same way.
    pub(super) fn long(&mut self) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(self.u32()?).map_err(|_| SHORT)?;
        self.bytes(count)
    }
}

/// A method that is being written.
pub(super) struct Method(pub(super) Vec<u8>);

impl Method {
    pub(super) fn new((class, method): (u16, u16)) -> Self {
        let mut bytes = class.to_be_bytes().to_vec();
        bytes.extend_from_slice(&method.to_be_bytes());
        Self(bytes)
    }

    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A text of 255 bytes at most: whoever made it has looked.
    pub(super) fn short(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let bytes = bytes.get(..255).unwrap_or(bytes);
        self.0.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn long(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A table of texts and truths.
pub(super) fn table(fields: &[(&str, Value<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out = Method(out).short(name).0;
        match value {
            Value::Text(text) => {
                out.push(b'S');
                out = Method(out).long(text.as_bytes()).0;
            }
            Value::Yes => out.extend_from_slice(b"t\x01"),
            Value::Table(inner) => {
                out.push(b'F');
                out = Method(out).long(inner).0;
            }
        }
    }
    out
}

/// A value of a table.
pub(super) enum Value<'a> {
    Text(&'a str),
    Yes,
    Table(&'a [u8]),
}
