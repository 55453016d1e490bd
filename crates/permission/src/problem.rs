//! What Cedar says is wrong, in our words.

use admission::{Problem, place_of};
use miette::Diagnostic;

/// What Cedar says, with its place in `text`.
pub(crate) fn problem_of(text: &str, said: &dyn Diagnostic, hint: &str) -> Problem {
    let offset = said.labels().and_then(|mut labels| labels.next()).map(|it| it.offset());
    let place = offset.map_or((0, 0), |offset| place_of(text, offset));
    let label = said.labels().and_then(|mut labels| labels.next());
    let label = label.and_then(|it| it.label().map(str::to_owned));
    let message = match label.filter(|label| !label.is_empty()) {
        Some(label) => format!("{said}: {label}"),
        None => said.to_string(),
    };
    let help = said.help().map(|help| help.to_string());
    Problem::new(place, message, help.unwrap_or_else(|| hint.to_owned()))
}
