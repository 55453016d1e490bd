//! Use cases: which connections a maker says that its devices need (MUD, RFC 8520). A maker keeps files of
//! its product lines here, everybody may read them, and connections that owners or devices tell of are held
//! against them (LG-4). docs/mud.md.

mod keep;
mod learned;
mod observe;
mod outside;
mod read;
mod reference;

pub use keep::{MudView, NewMud};
pub use learned::{HowToSuggest, MudLearned};
pub(crate) use observe::Watched;
pub use observe::{FlowsJudged, OutsideSource};
pub use outside::{MudOutside, OutsideDay, OutsideNow, OutsideOfDevice};
pub(crate) use read::KeptMud;
pub use read::{MudFile, PublicMud, PublicMudLines};
pub use reference::{MudReferenceView, NamedSigner};
