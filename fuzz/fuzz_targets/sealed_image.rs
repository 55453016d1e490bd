//! Sealed images, tickets, statements about encryption keys and deltas: the first byte chooses. Any
//! bytes are an error or are written back as the same; nothing opens, since nobody here has a key.
#![no_main]

use crypto::Secret;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use update::{
    delta,
    sealed::{HEADER_BYTES, Header, KeyStatement, Opener, Ticket},
};

const BASE: &[u8] = b"firmware of a barrier gate, version 1";
const RESULT: &[u8] = b"firmware of a barrier gate, version 2, and some more";

fuzz_target!(|bytes: &[u8]| {
    let Some((form, bytes)) = bytes.split_first() else { return };
    match form % 5 {
        0 => {
            let Ok(header) = Header::parse(bytes) else { return };
            assert_eq!(header.to_bytes(), bytes[..HEADER_BYTES], "a header has one form");
            let mut opener = Opener::begin(&Secret::new(vec![7; 32]), header).expect("a key");
            let mut out = Vec::new();
            let rest = &bytes[HEADER_BYTES..];
            let opened = rest.chunks(97).try_for_each(|piece| opener.push(piece, &mut out));
            assert!(opened.is_err() || opener.finish().is_err(), "nobody has the key");
        }
        1 => {
            if let Ok(ticket) = Ticket::parse(bytes) {
                assert_eq!(ticket.to_bytes(), bytes, "a ticket has one form");
            }
        }
        2 => {
            let _ = KeyStatement::claimed_signer(bytes);
        }
        3 => {
            let mut out = Vec::new();
            let limits = delta::Limits { result_bytes_max: 1 << 20, ..delta::Limits::DEFAULT };
            if let Ok(made) = delta::patch(&mut Cursor::new(BASE), &mut &*bytes, &limits, &mut out)
            {
                assert_eq!(made, delta::Image::of(&out), "what is given is what was announced");
            }
        }
        _ => {
            // A frame behind headers that hold, so that the decoder is reached.
            let header =
                delta::Header { base: delta::Image::of(BASE), result: delta::Image::of(RESULT) };
            let mut framed = header.to_bytes();
            framed.extend(0_u64.to_be_bytes());
            for number in [BASE.len(), RESULT.len(), bytes.len()] {
                framed.extend(u32::try_from(number).expect("short").to_be_bytes());
            }
            framed.extend(bytes);
            let mut out = Vec::new();
            let limits = delta::Limits { result_bytes_max: 1 << 20, ..delta::Limits::DEFAULT };
            if delta::patch(&mut Cursor::new(BASE), &mut &*framed, &limits, &mut out).is_ok() {
                assert_eq!(out, RESULT, "only the announced image is made");
            }
        }
    }
});
