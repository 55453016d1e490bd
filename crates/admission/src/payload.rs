//! What an organisation asks of payloads beyond the bounds that hold for all: a schema, known here only
//! as something that can be asked.

use crate::{pipeline::Message, refusal::Refusal};
use std::fmt;

/// What a schema says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PayloadAnswer {
    /// nothing asks anything of it
    #[default]
    Nothing,
    /// it is what it must be
    Fits,
    /// it is not, for that reason
    Refused(Refusal),
}

/// Something that can be asked about a payload.
pub trait PayloadRule: fmt::Debug {
    /// What it says of a message.
    fn ask(&self, message: &Message<'_>) -> PayloadAnswer;
}

/// What was found out beforehand is the answer: asking may take longer than what everybody shares may
/// be held.
impl PayloadRule for PayloadAnswer {
    fn ask(&self, _: &Message<'_>) -> PayloadAnswer {
        *self
    }
}
