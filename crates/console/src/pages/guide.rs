//! First steps: from an empty installation to a first enrolled device.
//!
//! The commands are those of docs/quickstart.md, taken from there at compile time; a test of the
//! command line runs them all, in order.

use crate::{Console, Frame, Section, Visit, i18n::Locale, ui::Command};
use askama::Template;
use axum::{Router, response::Response, routing::get};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/guide", get(page))
}

const QUICKSTART: &str = include_str!("../../../../docs/quickstart.md");

/// Steps of the guide: its word in the texts, and what its commands begin with.
const STEPS: &[(&str, &str)] = &[
    ("shell", "export TEGATA_SERVER"),
    ("install", "head -c 24 /dev/urandom"),
    ("join", "export TEGATA_CREDENTIAL=admin.pem\ntegata org create"),
    ("maker", "export TEGATA_CREDENTIAL=aki.pem"),
    ("device", "export TEGATA_CREDENTIAL=line-1.pem"),
    ("verify", "tegata device verify"),
    ("passport", "tegata passport export"),
];

/// Blocks of commands of a page in Markdown.
fn blocks(page: &'static str) -> impl Iterator<Item = &'static str> {
    page.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next())
}

struct Step {
    title: String,
    text: String,
    commands: Command,
}

fn steps(t: Locale) -> Vec<Step> {
    STEPS
        .iter()
        .filter_map(|(word, begin)| {
            let commands = blocks(QUICKSTART).find(|block| block.starts_with(begin))?;
            Some(Step {
                title: t.word("guide-title", word).to_string(),
                text: t.word("guide-text", word).to_string(),
                commands: Command::new(t, commands),
            })
        })
        .collect()
}

async fn page(visit: Visit) -> Response {
    let t = visit.t;
    let frame = visit.frame(Section::Guide, t.text("guide-title"));
    visit.page(&GuidePage { t, frame, steps: steps(t) })
}

#[derive(Template)]
#[template(path = "guide.html")]
struct GuidePage {
    t: Locale,
    frame: Frame,
    steps: Vec<Step>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_commands_in_the_quickstart() {
        assert_eq!(steps(Locale::new(device::Language::Ja)).len(), STEPS.len());
        for (word, begin) in STEPS {
            assert_eq!(
                blocks(QUICKSTART).filter(|block| block.starts_with(begin)).count(),
                1,
                "{word}: docs/quickstart.md has other blocks than the guide expects"
            );
        }
        // In the order of the page, from which nothing may be left out before the last step.
        let order: Vec<_> = STEPS
            .iter()
            .map(|(_, begin)| blocks(QUICKSTART).position(|block| block.starts_with(begin)))
            .collect();
        let wanted: Vec<_> = (0..STEPS.len()).map(Some).collect();
        assert_eq!(order, wanted);
    }
}
