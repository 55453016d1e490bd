//! Events as syslog messages (RFC 5424), and their frames on a TLS connection (RFC 5425).
//!
//! A pure function, because libraries for syslog write the time at which they send: here it is that
//! of the event, however late it is delivered.

use crate::{SecurityEvent, Severity, stream::Record};
use std::fmt::Write as _;

/// Facility "log audit" (RFC 5424 section 6.2.1).
const FACILITY: u8 = 13;
/// Structured data id, below the enterprise number for documentation (RFC 5612): whoever runs a
/// platform has no number of ours to look up.
pub const SD_ID: &str = "tegata@32473";
/// Longest `HOSTNAME` (RFC 5424 section 6).
const HOST_BYTES_MAX: usize = 255;

/// `PRI` of a message: 8 × facility + severity.
fn priority(severity: Severity) -> u8 {
    let code = match severity {
        Severity::Informational => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    };
    FACILITY * 8 + code
}

/// The message: header, structured data with the place in stream and chain, and as `MSG` the OCSF
/// object of [`Record::json`] without a byte order mark, which readers of JSON do not expect.
pub fn message(event: &SecurityEvent, record: &Record<'_>, host: &str, json: &str) -> String {
    let mut out = format!("<{}>1 {} ", priority(event.severity_of()), event.at());
    let host: String = host.chars().filter(|c| c.is_ascii_graphic()).take(HOST_BYTES_MAX).collect();
    out.push_str(if host.is_empty() { "-" } else { &host });
    let _ = write!(
        out,
        " tegata - {} [{SD_ID} stream=\"{}\" number=\"{}\" sequence=\"{}\" hash=\"{}\"] {json}",
        event.kind().name(),
        quoted(record.stream),
        record.number,
        record.sequence,
        record.hash,
    );
    out
}

/// `PARAM-VALUE`: quotes, backslashes and closing brackets are escaped (RFC 5424 section 6.3.3).
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A message as it goes over TLS: its length in bytes, a space, the message (RFC 5425 section 4.3).
pub fn frame(message: &str) -> Vec<u8> {
    format!("{} {message}", message.len()).into_bytes()
}
