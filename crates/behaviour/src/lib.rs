//! What devices are expected to do (LG-4): profiles that are learned of them, and what leaves those.
//! `docs/behaviour.md` is the reference.
//!
//! A [`ProductProfile`] holds what is ordinary for the devices of one product line of one owner, a
//! [`DeviceProfile`] what is for one of them. [`observe`] adds what was [`Observed`] of a device to both
//! while they learn, and says what left them afterwards. Memory is bounded, time is an argument, and the
//! same observations in the same order give the same answers.
//!
//! Who wants to widen what is ordinary needs several devices: what one of them shows is ordinary for that
//! one alone, and for the product once [`Settings::devices_min`] have shown it, or a person accepted it.
//!
//! [`mud`] reads what makers say of it.
//!
//! Deliberately absent: storage, clocks, counting on the way of a message, and what a deviation comes to,
//! which rules of alerts decide.
//!
//! ```
//! use behaviour::{Aspect, DeviceProfile, Observed, Phase, ProductProfile, observe};
//! use crypto::UnixTime;
//! let now = UnixTime(1_795_000_000);
//! let mut product = ProductProfile::new(now);
//! let mut device = DeviceProfile::new(now);
//! let mut seen = Observed::at(now);
//! seen.add(Aspect::Topic, "up/temperature");
//! assert!(observe(&mut product, &mut device, &seen).is_empty());
//! product.enter(Phase::Watching, now);
//! let mut seen = Observed::at(now.plus(60));
//! seen.add(Aspect::Topic, "up/shell");
//! let found = observe(&mut product, &mut device, &seen);
//! assert_eq!((found[0].aspect.what(), found[0].seen.as_str()), ("unexpected-topic", "up/shell"));
//! ```

mod aspect;
mod device;
mod error;
mod histogram;
pub mod mud;
mod observe;
mod product;
mod record;
mod topic;

pub use aspect::Aspect;
pub use device::{
    Accepted, DEVIATIONS_MAX, DeviceProfile, LearnedDevice, NotedDeviation, RECENT_HOURS,
};
pub use error::BehaviourError;
pub use histogram::{Histogram, bucket_of, upper_of};
pub use observe::{Deviation, OBSERVED_MAX, Observed, observe, silent};
pub use product::{
    ACCEPTED_MAX, DEFAULT_LEARN_S, DEVICES_MIN_MAX, FACTOR_MAX, LEARN_S, Phase, ProductProfile,
    Settings, Support,
};
pub use record::{BODY_BYTES_MAX, read_device, read_product, write_device, write_product};
pub use topic::{DEPTH_MAX, TOPIC_BYTES_MAX, is_ordinary_topic, topic_feature, topic_prefix};
