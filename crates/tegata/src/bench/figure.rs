//! One figure: what was measured, against which limit of this machine.

use serde::Serialize;

/// A measured figure beside its limit, measured in the same run.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// which bench
    pub bench: &'static str,
    /// what was measured
    pub what: String,
    /// the figure
    pub figure: f64,
    /// its unit
    pub unit: &'static str,
    /// the limit
    pub limit: f64,
    /// what the limit is
    pub limit_is: String,
    /// the figure over the limit; for times and sizes below 1 is good, for rates above
    pub ratio: f64,
}

impl Figure {
    /// A figure with its limit.
    pub fn new(
        bench: &'static str,
        what: impl Into<String>,
        figure: f64,
        unit: &'static str,
        limit: f64,
        limit_is: impl Into<String>,
    ) -> Self {
        let ratio = if limit > 0.0 { figure / limit } else { 0.0 };
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        Self {
            bench,
            what: what.into(),
            figure: round(figure),
            unit,
            limit: round(limit),
            limit_is: limit_is.into(),
            ratio: round(ratio),
        }
    }
}

/// The value below which `share` of the sorted `samples` lie.
pub fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list that fits memory"
    )]
    let at = ((samples.len() as f64 * share).ceil() as usize).saturating_sub(1);
    samples.get(at).copied().unwrap_or(f64::NAN)
}
