//! An update as a pure state machine. [`State`] is what is kept; [`State::step`] says what is to be
//! done next; [`State::apply`] takes what happened. Whoever drives it keeps the state durably after
//! each `apply` and before the next step, and every step may be done again: so a crash between any
//! two instructions is a delay and nothing else.
//!
//! ```text
//! Idle ─▶ Downloading ─▶ Checking ─▶ Activating ─▶ Booting ─▶ Trying ─▶ Confirming ─▶ Idle (new)
//!            │              │            │            │         │            │
//!            └──────────────┴──────▶ Idle (old) ◀─ Returning ◀──┘  boot loader went back ─▶ Idle (old)
//! ```
//!
//! INVARIANT: only the slot that neither runs nor is the one to fall back on is ever written.

mod accept;
mod plan;
mod report;
mod source;
mod state;

pub use accept::{Offer, accept};
pub use plan::{Image, Plan, Slot};
pub use report::{Execution, OUTBOX_MAX, Report};
pub use source::{Delta, Sealed, accept_delta};
pub use state::{Happened, Limits, OutOfOrder, Phase, State, Step};
