//! `tegata checksheet page`: a diagnosis as a Markdown page, for documentation kept beside code.

use super::{read, today};
use crate::{cli::assessment::DiagnosisArgs, output::Output};
use assessment::{Diagnosis, Item, Layer, Library, Score, State};
use device::Language as Tongue;
use std::fmt::Write as _;

/// Prints the page. The same file on the same day gives the same bytes.
pub(super) fn run(
    library: &Library,
    args: &DiagnosisArgs,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let diagnosis = read(&args.file, library)?;
    let day = today(args.at)?;
    let mut page = head(library, &diagnosis, day, language);
    let states: Vec<(&Item, State)> =
        library.items().iter().map(|item| (item, diagnosis.state(item, day))).collect();
    let say = |en: &'static str, ja: &'static str| match language {
        Tongue::En => en,
        Tongue::Ja => ja,
    };
    let _ = writeln!(
        page,
        "\n## {}\n\n| {} | {} | {} | {} |\n| --- | --- | --- | --- |",
        say("Answered", "回答済み"),
        say("item", "項目"),
        say("stands", "状態"),
        say("criterion", "基準"),
        say("evidence, or what is missing", "証跡、または不足")
    );
    for (item, state) in &states {
        let Some(answer) = diagnosis.answers.get(&item.id) else { continue };
        let mut why: Vec<String> = answer
            .evidence
            .iter()
            .map(|piece| format!("`{}` ({})", piece.what, piece.on))
            .collect();
        why.extend(answer.comment.clone());
        why.extend(answer.reason.clone());
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            item.id,
            state.title(language),
            cell(item.criterion.of(language)),
            cell(&why.join("; "))
        );
    }
    let _ = writeln!(page, "\n## {}\n", say("Does not concern it", "対象外"));
    for (feature, reason) in &diagnosis.absent {
        let title = library.feature(feature.as_str()).map_or("", |one| one.title.of(language));
        let _ = writeln!(page, "- {title} (`{feature}`): {reason}");
    }
    let mut open: Vec<&(&Item, State)> =
        states.iter().filter(|(_, state)| *state == State::Open).collect();
    open.sort_by_key(|(item, _)| std::cmp::Reverse(item.weight));
    let _ = writeln!(
        page,
        "\n## {} ({})\n\n| {} | {} | {} |\n| --- | --- | --- |",
        say("Open", "未回答"),
        open.len(),
        say("item", "項目"),
        say("weight", "重み"),
        say("criterion", "基準")
    );
    for (item, _) in open {
        let criterion = cell(item.criterion.of(language));
        let _ = writeln!(page, "| {} | {} | {criterion} |", item.id, item.weight);
    }
    output.line(page.trim_end())
}

fn head(
    library: &Library,
    diagnosis: &Diagnosis,
    day: assessment::Day,
    language: Tongue,
) -> String {
    let percent = |value: Option<u32>| value.map_or("–".to_owned(), |value| format!("{value} %"));
    let row = |name: &str, score: &Score| {
        format!(
            "| {name} | {} | {} | {} | {} | {} |\n",
            score.items,
            score.not_applicable,
            percent(score.fulfilled_percent()),
            percent(score.claimed_percent()),
            percent(score.answered_percent())
        )
    };
    let mut page = match language {
        Tongue::En => format!(
            "# {}: diagnosed by the check sheet\n\n{}. Judged as of {day}. Shares are of weights and \
             rounded against the product; what is open counts as not fulfilled.\n\n| layer | items | not \
             applicable | fulfilled | claimed without evidence | answered |\n",
            diagnosis.product, diagnosis.subject
        ),
        Tongue::Ja => format!(
            "# {}のチェックシート診断\n\n{}。{day}時点の判定。割合は重みによるもので、製品に不利な側に丸めています。\
             未回答は適合に数えません。\n\n| レイヤー | 項目 | 対象外 | 適合 | 証跡なしの主張 | 回答済み |\n",
            diagnosis.product, diagnosis.subject
        ),
    };
    page.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for layer in Layer::ALL {
        let items = library.items().iter().filter(|item| item.layer == *layer);
        page.push_str(&row(layer.title(language), &diagnosis.score(items, day)));
    }
    let all = match language {
        Tongue::En => "all",
        Tongue::Ja => "全体",
    };
    page.push_str(&row(all, &diagnosis.score(library.items(), day)));
    page
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
