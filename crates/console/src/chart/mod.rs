//! Charts: SVG made here, each with title, description and its data as a table.
//!
//! Colours come from classes (`series-1` … `series-8`, or a [`Tone`]); no style attribute. Series are
//! told apart by name and by pattern as well: the legend has both.

mod bar;
mod data;
mod heat;
mod over_time;
mod radar;
mod scale;
mod share;
mod spark;
mod stages;

pub use bar::Bars;
pub use data::{Chart, Series};
pub use heat::{HeatCell, HeatMap};
pub use over_time::{OverTime, Shape};
pub use radar::{Axis, Radar};
pub use share::Share;
pub use spark::Spark;
pub use stages::{Mark, Stages};

pub(crate) use crate::ui::Tone;
