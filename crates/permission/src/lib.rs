//! What an organisation's policies permit and forbid at the doors (GW-2, AU-6): policy sets in the
//! language Cedar (4.5), valid by [`SCHEMA`], with limits, cases that try them, and decisions that
//! name the policies behind them. docs/policies.md.
//!
//! A set extends what a device may do in its own space ([`admission::decide`] has the order of
//! precedence): it permits within the organisation and forbids anywhere. It never says anything of
//! another organisation's devices, whatever it is asked.
//!
//! Deliberately absent: storage and versions (`service`), templates, attributes of Cedar's extension types.
//!
//! ```
//! use admission::{Direction, Says};
//! use permission::{DeviceFacts, Policies, Question};
//! let policies = Policies::parse(r#"
//!     @id("gateways-hear")
//!     permit(principal in Product::"maker-a/gateway", action in Action::"hear",
//!         resource in Product::"maker-b/sensor") when { resource.branch == "up" };
//! "#)?;
//! let device = |number, maker: &str, product: &str| DeviceFacts {
//!     device: device::DeviceId::from_bytes([number; 16]),
//!     owner: "plant".parse().unwrap(),
//!     product: Some((maker.parse().unwrap(), product.parse().unwrap())),
//! };
//! let (gateway, sensor) = (device(1, "maker-a", "gateway"), device(2, "maker-b", "sensor"));
//! let topic = format!("d/{}/up/temperature", sensor.device);
//! let hears = Question::Topic {
//!     by: &gateway, direction: Direction::Receive, topic: &topic, space: Some(&sensor),
//! };
//! let verdict = policies.ask(&hears);
//! assert_eq!(verdict.answer.says, Says::Permit);
//! assert_eq!(verdict.answer.because, ["gateways-hear"]);
//! # Ok::<(), permission::Problems>(())
//! ```

mod cases;
mod facts;
mod guard;
mod problem;
mod set;
mod space;

pub use admission::{Problem, Problems};
pub use cases::{CASES_BYTES_MAX, CASES_MAX, Cases, Report, Tried};
pub use facts::{Commander, DeviceFacts, MemberFacts, PeerFacts, Question, Whose, is_reserved};
pub use guard::{DEPTH_MAX, NESTED_MAX, OPERATORS_MAX, POLICIES_MAX, TEXT_BYTES_MAX};
pub use set::{ID_BYTES_MAX, Policies, SCHEMA, Verdict};
pub use space::{Bound, Said, decide_topic};
